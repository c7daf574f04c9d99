//! What may be seen of a flow table.

use std::collections::{BTreeMap, BTreeSet};

use corridor_core::{Corridor, DisclosureMethod, DurationRule, RuleFlag, Side, Variable};

use crate::classes::{Class, Measure};
use crate::estimate::chapman;
use crate::noise::ClassNoise;
use crate::perturb::PerturbationSecret;
use crate::published::{FlowCounts, FlowRow, Group, LagRow, LeftOutRow, PublishedTable, StayRow};
use crate::reconcile::{LAG_STEPS, LAG_UNKNOWN};
use crate::table::{CorridorTable, FlowTable, TableRow};
use crate::terms::{ALL_CATEGORIES, CellKey, FlowTerms};

mod perturbed;
mod suppressed;

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
    /// Some counts can be computed whatever is left out, which is a defect of this program.
    #[error("the table cannot be protected")]
    NotProtected,
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
/// full tens.
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
    let is_perturbed = |terms: &FlowTerms| terms.disclosure.method != DisclosureMethod::Suppression;
    if !released.is_empty()
        && (is_perturbed(terms) || released.iter().any(|table| is_perturbed(&table.terms)))
    {
        return Err(DisclosureError::PerturbedBefore);
    }
    if let Some(what) = released.iter().find_map(|before| other_groups(terms, &before.terms)) {
        return Err(DisclosureError::OtherGroups { what });
    }
    for corridor in &table.corridors {
        let seen = match terms.disclosure.method {
            DisclosureMethod::Suppression => {
                suppressed::see(corridor, terms, &Released::of(corridor, terms, released))?
            }
            DisclosureMethod::RandomRounding | DisclosureMethod::CellKey => {
                perturbed::see(corridor, terms, secret)
            }
        };
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
        for (&(side, reason), moves) in &corridor.left_out {
            published.left_out.push(LeftOutRow {
                corridor: corridor.corridor,
                side,
                reason,
                moves: (moves + 5) / 10 * 10,
            });
        }
    }
    Ok(Disclosable {
        inner: table,
        published,
    })
}

/// In what two tables put the same moves into groups that differ by a few of them.
fn other_groups(terms: &FlowTerms, before: &FlowTerms) -> Option<&'static str> {
    let (now, then) = (&terms.statistics, &before.statistics);
    let both_name = |variable| now.names(variable) && then.names(variable);
    let ages = |names: &dyn Fn(Variable) -> bool| [Variable::Age, Variable::AgeReached].map(names);
    let (ages_now, ages_then) = (ages(&|age| now.names(age)), ages(&|age| then.names(age)));
    let have_ages = ages_now.contains(&true) && ages_then.contains(&true);
    if now.period_unit != then.period_unit {
        Some("periods")
    } else if have_ages && terms.age_bands != before.age_bands {
        Some("age bands")
    } else if have_ages && !both_name(Variable::Age) && !both_name(Variable::AgeReached) {
        Some("definitions of age")
    } else if (both_name(Variable::Citizenship) || both_name(Variable::BirthCountry))
        && now.country_groups != then.country_groups
    {
        Some("groups of countries")
    } else {
        None
    }
}

/// What was told of one direction before, by the group and measure of a count.
struct Released<'a> {
    told: BTreeMap<(&'a Group, usize), Vec<u64>>,
    suppressed: BTreeSet<(&'a Group, usize)>,
    /// By step of days; of tables of the same years.
    lags: BTreeMap<&'a str, Vec<Option<u64>>>,
    /// By period, list, rule and flag.
    stays: BTreeMap<(&'a str, Side, DurationRule, RuleFlag), Vec<Option<u64>>>,
    terms: &'a FlowTerms,
    /// Whether a table of other years left: sums over all periods less its own would be those of the years not in both.
    has_other_years: bool,
}

/// What earlier tables mean for a count of this one.
enum Told {
    Nothing,
    /// It was shown already.
    Same,
    /// It was this, which is another figure.
    Moved(u64),
    /// It must not be shown: it was suppressed, or it is a sum over all periods and sums of other years were shown.
    Hidden,
}

impl<'a> Released<'a> {
    fn of(corridor: &CorridorTable, terms: &'a FlowTerms, released: &'a [PublishedTable]) -> Self {
        let (mut told, mut suppressed) = (BTreeMap::new(), BTreeSet::new());
        let (mut lags, mut stays) = (BTreeMap::new(), BTreeMap::new());
        let mut has_other_years = false;
        for table in released {
            let other_years = table.terms.period != terms.period;
            has_other_years |= other_years;
            for row in table.lags.iter().filter(|row| row.corridor == corridor.corridor) {
                lags.entry(row.days.as_str())
                    .or_insert_with(Vec::new)
                    .push(row.moves.filter(|_| !other_years));
            }
            for row in table.stays.iter().filter(|row| row.corridor == corridor.corridor) {
                stays
                    .entry((row.period.as_str(), row.side, row.rule, row.counts))
                    .or_insert_with(Vec::new)
                    .push(row.moves);
            }
            for row in &table.rows {
                let is_of_all = row.group.get(Variable::Period).is_none();
                if row.corridor != corridor.corridor || (is_of_all && other_years) {
                    continue;
                }
                for (measure, count) in row.counts.as_array().iter().enumerate() {
                    match count {
                        Some(count) => told
                            .entry((&row.group, measure))
                            .or_insert_with(Vec::new)
                            .push(*count),
                        None => {
                            suppressed.insert((&row.group, measure));
                        }
                    }
                }
            }
        }
        Self {
            told,
            suppressed,
            lags,
            stays,
            terms,
            has_other_years,
        }
    }

    fn is_empty(&self) -> bool {
        self.told.is_empty() && self.suppressed.is_empty() && !self.has_other_years
    }

    /// Of counts that are told again only where every table told the same.
    fn again(before: Option<&Vec<Option<u64>>>, moves: Option<u64>) -> Option<u64> {
        moves.filter(|_| before.is_none_or(|told| told.iter().all(|told| *told == moves)))
    }

    /// What may be told of a step of days, which the table itself would tell.
    fn lag(&self, days: &str, moves: Option<u64>) -> Option<u64> {
        Self::again(self.lags.get(days), moves)
    }

    /// The same of a count of the table of stays.
    fn stay(&self, (period, side, rule, flag): StayPlace, moves: Option<u64>) -> Option<u64> {
        let period = self.terms.label(Variable::Period, period).unwrap_or_default();
        Self::again(self.stays.get(&(period.as_str(), side, rule, flag)), moves)
    }

    /// Of what was told of a count, what it differs from by least, though it does.
    fn get(&self, row: &TableRow, measure: Measure) -> Told {
        if row.key[0] == ALL_CATEGORIES && self.has_other_years {
            return Told::Hidden;
        }
        if self.is_empty() {
            return Told::Nothing;
        }
        let group = to_group(self.terms, &row.key);
        if self.suppressed.contains(&(&group, measure.index())) {
            return Told::Hidden;
        }
        let count = row.account.measure(measure);
        let Some(told) = self.told.get(&(&group, measure.index())) else {
            return Told::Nothing;
        };
        match told.iter().min_by_key(|told| told.abs_diff(count)) {
            Some(nearest) if *nearest == count => Told::Same,
            Some(nearest) => Told::Moved(*nearest),
            None => Told::Nothing,
        }
    }
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
