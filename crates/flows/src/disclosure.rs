//! What may be seen of a flow table.

use std::collections::BTreeMap;

use corridor_core::{Corridor, DisclosureMethod, DurationRule, MigrationEvent, RuleFlag, Side, Variable};

use crate::classes::{Class, Measure};
use crate::estimate::chapman;
use crate::noise::ClassNoise;
use crate::perturb::PerturbationSecret;
use crate::published::{FlowCounts, FlowRow, Group, LagRow, LeftOutRow, PublishedTable, StayRow};
use crate::reconcile::{LAG_STEPS, LAG_UNKNOWN, LeftOut};
use crate::table::{CorridorTable, FlowInput, FlowTable, TableRow};
use crate::terms::{ALL_CATEGORIES, CellKey, FlowTerms};

mod perturbed;
mod released;
mod suppressed;

use released::{Released, other_groups};

/// Something after disclosure control: the only form in which a table may leave. Made by [`protect`] alone.
///
/// ```compile_fail
/// use corridor_flows::{Disclosable, FlowTable};
/// fn forge(table: FlowTable) -> Disclosable<FlowTable> {
///     Disclosable { inner: table }
/// }
/// ```
///
/// ```compile_fail
/// use corridor_flows::{Disclosable, FlowTable};
/// fn forge(table: FlowTable) -> Disclosable<FlowTable> {
///     Disclosable::from(table)
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Disclosable<T> {
    inner: T,
    published: PublishedTable,
}

impl Disclosable<FlowTable> {
    /// What may be seen.
    pub const fn as_published(&self) -> &PublishedTable {
        &self.published
    }

    /// What may be seen, taken out; the counts behind it are dropped.
    pub fn into_published(self) -> PublishedTable {
        drop(self.inner);
        self.published
    }
}

/// A table that cannot be protected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DisclosureError {
    /// The tables of one direction have more counts than are protected in reasonable time.
    #[error(
        "the tables of one direction have {counts} counts above 0; no more than {limit} are protected together"
    )]
    TooManyCounts {
        /// Counts above 0.
        counts: usize,
        /// The most there may be.
        limit: usize,
    },
    /// Tables by other bands, groups or periods cannot be held against each other: one less the other tells of those in between.
    #[error(
        "tables of the same countries and years were released before by other {what}: one less the other would tell of the few in \
         between; agree on the same {what}"
    )]
    OtherGroups {
        /// What they differ in.
        what: &'static str,
    },
    /// There are more counts than are added up exactly.
    #[error("the table holds more moves than can be counted exactly")]
    TooLarge,
    /// Counts changed by chance cannot be held against tables released before, nor tables against such counts.
    #[error(
        "tables of the same countries and years were released before, and these or those are changed by chance: one would take the \
         noise of the other away; agree on suppression for all of them"
    )]
    PerturbedBefore,
    /// The work is no longer wanted.
    #[error(transparent)]
    Stopped(#[from] corridor_core::Stopped),
    /// Some counts can be computed whatever is left out, which is a defect of this program.
    #[error("the table cannot be protected")]
    NotProtected,
}

/// Whether a table under these terms can be held against those that left before, which needs no moves to be known.
///
/// # Errors
/// [`DisclosureError::PerturbedBefore`] and [`DisclosureError::OtherGroups`].
pub fn check_released(terms: &FlowTerms, released: &[PublishedTable]) -> Result<(), DisclosureError> {
    let is_perturbed = |terms: &FlowTerms| terms.disclosure.method != DisclosureMethod::Suppression;
    if !released.is_empty()
        && (is_perturbed(terms) || released.iter().any(|table| is_perturbed(&table.terms)))
    {
        return Err(DisclosureError::PerturbedBefore);
    }
    let mut released = released.iter();
    match released.find_map(|before| other_groups(terms, &before.terms)) {
        Some(what) => Err(DisclosureError::OtherGroups { what }),
        None => Ok(()),
    }
}

/// Whether the tables of two lists are of a size that can be protected, before it is known which moves are the same. Arrivals are counted in
/// the same rows whatever these are, so tables that are refused here would be refused then; of those that are not, some are.
///
/// # Errors
/// [`DisclosureError::TooManyCounts`].
pub fn check_size(
    terms: &FlowTerms,
    origin: &[MigrationEvent],
    destination: &[MigrationEvent],
) -> Result<(), DisclosureError> {
    if terms.disclosure.method != DisclosureMethod::Suppression {
        return Ok(());
    }
    let table = FlowTable::reconcile(&FlowInput {
        terms,
        origin,
        destination,
        pairs: &[],
        // Of noise only, which no suppressed table has.
        origin_record_keys: &[],
        destination_record_keys: &[],
    });
    // Lists that do not make a table are refused by name where one is made.
    let Ok(table) = table else { return Ok(()) };
    // Whatever these are, what arrived is in the group its own office gives it: its count, and a class of that.
    let of_row = |row: &TableRow| 2 * usize::from(row.account.measure(Measure::Immigrations) > 0);
    for corridor in &table.corridors {
        suppressed::check_counts(corridor.rows.iter().map(of_row).sum())?;
    }
    Ok(())
}

/// Makes of a table what may be seen of it, by the method its terms name.
///
/// *Suppression*: a count above 0 and below the rule's minimum is left out, and with it as many others as needed, so that nobody
/// who adds and subtracts what is shown can tell that it is below the minimum, even knowing that nothing left out is 0. All rows,
/// classes and their sums of one direction are protected together, as one table with all its identities. Which of the counts left
/// out were small is not said.
///
/// *Random rounding* and *cell key*: the classes of every row are changed by a little, and its other counts are the sums of the
/// changed classes. So a row adds up; rows do not add up to their totals exactly. `secret` decides by how much, and must be
/// known to nobody who sees the table.
///
/// `released` are the tables of the same corridor that left before, as a revision has them. What is the same as before is known,
/// and taken as such; a count that differs by less than the minimum from the same count of one of them, under whatever rule of
/// stay, is left out too, since the difference would tell of these few; what was left out of one of them stays out, since it may have
/// been what hid another count; and where the years are others, sums over all periods are left out. Days between dates and rules
/// of stay are told again only where they are the same. Where what was told before tells too much, nothing is shown but what is the
/// same. Counts changed by chance can be held against nothing, and neither can other bands of age, groups of countries or periods:
/// such tables are refused.
///
/// Moves in two periods are in two cells, of which nobody outside can tell that they are one. The days between two dates and the
/// rules of minimum stay are tables of their own, protected with the totals that the rows show. How many moves are in no table is told to
/// full tens, or to multiples of the minimum where that is more, and not where partners of them are a count that is left out; of those
/// whose rule is not known, what the stays tell.
///
/// # Errors
/// [`DisclosureError`].
pub fn protect(
    table: FlowTable,
    secret: &PerturbationSecret,
    released: &[PublishedTable],
) -> Result<Disclosable<FlowTable>, DisclosureError> {
    let terms = &table.terms;
    let mut published = PublishedTable {
        terms: terms.clone(),
        rows: Vec::new(),
        lags: Vec::new(),
        stays: Vec::new(),
        lengths_of_stay: Vec::new(),
        left_out: Vec::new(),
        held_against: Vec::new(),
    };
    check_released(terms, released)?;
    for corridor in &table.corridors {
        let seen = match terms.disclosure.method {
            DisclosureMethod::Suppression => suppressed::see(
                corridor,
                terms,
                &Released::of(corridor, terms, released),
                &table.stop,
            )?,
            DisclosureMethod::RandomRounding | DisclosureMethod::CellKey => {
                perturbed::see(corridor, terms, secret)
            }
        };
        let first_row = published.rows.len();
        for (row, counts) in corridor.rows.iter().zip(seen.rows) {
            published.rows.push(to_row(terms, corridor.corridor, row, counts));
        }
        for (step, moves) in seen.lags.into_iter().enumerate() {
            published.lags.push(LagRow {
                corridor: corridor.corridor,
                days: lag_label(step).to_owned(),
                moves,
            });
        }
        for (place, moves) in seen.stays {
            published
                .stays
                .push(to_stay(terms, corridor.corridor, place, moves));
        }
        let of_all = published.rows[first_row..]
            .iter()
            .find(|row| row.group.0.is_empty());
        for (&(side, reason), &moves) in &corridor.left_out {
            let row = LeftOutRow {
                corridor: corridor.corridor,
                side,
                reason,
                moves: of_all
                    .filter(|all| {
                        partners_of(side, reason).is_none_or(|partners| all.counts.get(partners).is_some())
                    })
                    .map(|_| to_step(moves, terms.disclosure.minimum_count)),
            };
            let was_told = released.iter().flat_map(|before| &before.left_out);
            let is_again = was_told
                .filter(|before| {
                    (before.corridor, before.side, before.reason) == (row.corridor, side, reason)
                })
                .all(|before| before.moves == row.moves);
            published.left_out.push(LeftOutRow {
                moves: row.moves.filter(|_| is_again),
                ..row
            });
        }
        let of_unknown_rule = unknown_rules(
            &published.stays,
            corridor.corridor,
            terms.statistics.duration_rule,
        );
        published.left_out.extend(of_unknown_rule);
    }
    published.drop_untold();
    Ok(Disclosable {
        inner: table,
        published,
    })
}

/// How many moves of each list are in no table since it is not known whether the rule counts them: what the stays say, added up, so that it
/// tells nothing that these do not. Of each office's own rule, only where they show that it is not known of some.
fn unknown_rules(stays: &[StayRow], corridor: Corridor, rule: DurationRule) -> Vec<LeftOutRow> {
    let sides = [Side::Origin, Side::Destination].into_iter();
    let rows = sides.map(|side| {
        let of_side = stays.iter().filter(|row| {
            (row.corridor, row.side, row.rule, row.counts) == (corridor, side, rule, RuleFlag::Unknown)
        });
        LeftOutRow {
            corridor,
            side,
            reason: LeftOut::RuleUnknown,
            moves: of_side.map(|row| row.moves).sum(),
        }
    });
    rows.filter(|row| rule != DurationRule::Own || row.moves > Some(0))
        .collect()
}

/// The moves of the other office whose partners are among those that one left out for a reason: these are no more. None for a reason that
/// the stays tell of.
const fn partners_of(side: Side, reason: LeftOut) -> Option<Measure> {
    Some(match (side, reason) {
        (Side::Origin, LeftOut::OutsidePeriod) => Measure::TimingDestination,
        (Side::Destination, LeftOut::OutsidePeriod) => Measure::TimingOrigin,
        (Side::Origin, LeftOut::OtherCountry) => Measure::PartnerDestination,
        (Side::Destination, LeftOut::OtherCountry) => Measure::PartnerOrigin,
        (Side::Origin | Side::Destination, LeftOut::RuleUnknown) => return None,
    })
}

/// A count to the nearest ten, or to the nearest multiple of the minimum where that is more.
fn to_step(count: u64, minimum: u32) -> u64 {
    let step = u64::from(minimum).max(10);
    (count + step / 2) / step * step
}

/// How a step of days is called.
fn lag_label(step: usize) -> &'static str {
    LAG_STEPS.get(step).map_or(LAG_UNKNOWN, |(_, _, label)| label)
}

/// What may be seen of one direction.
struct Seen {
    /// Of each row, in their order.
    rows: Vec<FlowCounts>,
    /// Of each step of days, then of those not known.
    lags: Vec<Option<u64>>,
    stays: BTreeMap<StayPlace, Option<u64>>,
}

/// Where a count of the table of stays stands: period, side, rule and flag.
type StayPlace = (u16, Side, DurationRule, RuleFlag);

/// Moves of the table of stays, as they are.
fn stay_counts(corridor: &CorridorTable) -> BTreeMap<StayPlace, u64> {
    let mut counts = BTreeMap::new();
    for (&(period, side), by_flags) in &corridor.stays {
        for rule in DurationRule::ALL {
            for flag in RuleFlag::ALL {
                counts.insert((period, side, rule, flag), 0);
            }
        }
        for (flags, moves) in by_flags {
            for (rule, flag) in DurationRule::ALL.into_iter().zip(flags) {
                *counts.entry((period, side, rule, *flag)).or_insert(0) += moves;
            }
        }
    }
    counts
}

fn to_row(terms: &FlowTerms, corridor: Corridor, row: &TableRow, counts: FlowCounts) -> FlowRow {
    let shown = (
        counts.get(Measure::Emigrations),
        counts.get(Measure::Immigrations),
        counts.get(Measure::Matched),
    );
    let estimate = match shown {
        (Some(n1), Some(n2), Some(m)) => chapman(n1, n2, m, ClassNoise::of(&terms.disclosure)),
        _ => None,
    };
    FlowRow {
        corridor,
        group: to_group(terms, &row.key),
        counts,
        estimate,
        corrected: None,
        not_corrected: None,
    }
}

fn to_group(terms: &FlowTerms, key: &CellKey) -> Group {
    let labels = Variable::ALL.into_iter().zip(key);
    Group(
        labels
            .filter_map(|(variable, category)| Some((variable, terms.label(variable, *category)?)))
            .collect(),
    )
}

fn to_stay(terms: &FlowTerms, corridor: Corridor, place: StayPlace, moves: Option<u64>) -> StayRow {
    let (period, side, rule, counts) = place;
    StayRow {
        corridor,
        period: terms.label(Variable::Period, period).unwrap_or_default(),
        side,
        rule,
        counts,
        moves,
    }
}

/// The row of everything taken together.
fn is_total(row: &TableRow) -> bool {
    row.key.iter().all(|category| *category == ALL_CATEGORIES)
}

/// The row of a period with everything else taken together.
fn is_of_period(row: &TableRow, period: u16) -> bool {
    let [of_row, others @ ..] = &row.key;
    *of_row == period && others.iter().all(|category| *category == ALL_CATEGORIES)
}

/// The counts of a row from those of its classes.
fn add_up(classes: &[u64; Class::ALL.len()]) -> [u64; Measure::ALL.len()] {
    Measure::ALL.map(|measure| measure.classes().iter().map(|class| classes[class.index()]).sum())
}

#[cfg(test)]
mod tests;
