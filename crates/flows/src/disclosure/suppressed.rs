//! Suppression of a whole direction as one linear table.

use std::collections::{BTreeMap, BTreeSet};

use corridor_core::{DurationRule, PeriodUnit, RuleFlag, Side, Stop, Stopped, Variable};

use super::released::Told;
use super::{DisclosureError, Released, Seen, StayPlace, is_of_period, is_total, lag_label, stay_counts};
use crate::classes::{Class, Measure};
use crate::linear::{
    CellKind, LinearCell, LinearTable, LinearTableError, SuppressionError, suppress, suppress_unless,
};
use crate::number::real;
use crate::published::FlowCounts;
use crate::reconcile::LAG_STEPS;
use crate::table::{CorridorTable, TableRow};
use crate::terms::{ALL_CATEGORIES, FlowTerms};

impl From<LinearTableError> for DisclosureError {
    fn from(_: LinearTableError) -> Self {
        Self::TooLarge
    }
}

impl From<SuppressionError> for DisclosureError {
    fn from(error: SuppressionError) -> Self {
        match error {
            SuppressionError::Narrow { .. } => Self::NotProtected,
            SuppressionError::Stopped(stopped) => stopped.into(),
        }
    }
}

/// Counts above 0 that are protected together at most. Twelve thousand take half a minute, and twice as many about four times as long.
const MOST_COUNTS: usize = 40_000;

/// Whether so many counts above 0 of one direction are protected together.
pub(super) const fn check_counts(counts: usize) -> Result<(), DisclosureError> {
    if counts > MOST_COUNTS {
        return Err(DisclosureError::TooManyCounts {
            counts,
            limit: MOST_COUNTS,
        });
    }
    Ok(())
}

pub(super) fn see(
    corridor: &CorridorTable,
    terms: &FlowTerms,
    released: &Released<'_>,
    stop: &Stop,
) -> Result<Seen, DisclosureError> {
    let minimum = u64::from(terms.disclosure.minimum_count);
    let rows = see_rows(corridor, terms, released, (minimum, stop))?;
    let lags = see_lags(corridor, terms, &rows)?.into_iter().enumerate();
    let stays = see_stays(corridor, terms, &rows, minimum)?.into_iter();
    Ok(Seen {
        rows,
        lags: lags
            .map(|(step, moves)| released.lag(lag_label(step), moves))
            .collect(),
        stays: stays
            .map(|(place, moves)| (place, released.stay(place, moves)))
            .collect(),
    })
}

/// Every count of every row is a cell; the atoms are the classes of the finest cells.
///
/// An atom that is 0 is left out, as if everybody knew that: where the finest cells are rows of a table they do, and elsewhere it makes
/// the outsider stronger than one can be.
fn see_rows(
    corridor: &CorridorTable,
    terms: &FlowTerms,
    released: &Released<'_>,
    (minimum, stop): (u64, &Stop),
) -> Result<Vec<FlowCounts>, DisclosureError> {
    let mut atoms = Vec::new();
    let mut places: Vec<Vec<u32>> = vec![Vec::new(); Variable::ALL.len() + 1];
    let mut atom_of: Vec<[Option<u32>; Class::ALL.len()]> = Vec::with_capacity(corridor.cells.len());
    for (key, account) in &corridor.cells {
        let mut of_classes = [None; Class::ALL.len()];
        for (class, &count) in account.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            of_classes[class] = u32::try_from(atoms.len()).ok();
            atoms.push(count);
            for (place, category) in places.iter_mut().zip(key) {
                place.push(u32::from(*category));
            }
            if let Some(place) = places.last_mut() {
                place.push(u32::try_from(class).unwrap_or_default());
            }
        }
        atom_of.push(of_classes);
    }
    let (mut cells, mut before) = (Vec::new(), Vec::new());
    // Position of each count among the cells; a count without an atom is 0, and shown.
    let mut position_of = Vec::with_capacity(corridor.rows.len());
    for row in &corridor.rows {
        position_of.push(Measure::ALL.map(|measure| {
            let atoms = atoms_of(row, measure, &atom_of);
            if atoms.is_empty() {
                return None;
            }
            let told = released.get(row, measure);
            cells.push(LinearCell {
                atoms,
                kind: if told.is_hidden() {
                    CellKind::Hidden
                } else {
                    CellKind::Wanted
                },
                cost: Some(cost(row, measure)),
            });
            before.push(told);
            Some(cells.len() - 1)
        }));
    }
    cells.extend(between_ages(corridor, terms, &atom_of));
    check_counts(cells.len())?;
    let hidden = match hide((atoms, cells, places), &before, (minimum, stop)) {
        Ok(hidden) => hidden,
        Err(Unsafe::Table(error)) => return Err(error.into()),
        Err(Unsafe::Stopped(stopped)) => return Err(stopped.into()),
        Err(Unsafe::Narrow) if released.is_empty() => return Err(DisclosureError::NotProtected),
        // What was told before tells too much of this: nothing is shown but what was shown before and is the same.
        Err(Unsafe::Narrow) => {
            return Ok(corridor
                .rows
                .iter()
                .map(|row| only_the_same(row, released))
                .collect());
        }
    };
    let see = |row: &TableRow, positions: &[Option<usize>; Measure::ALL.len()]| {
        let mut counts = [None; Measure::ALL.len()];
        for ((count, measure), position) in counts.iter_mut().zip(Measure::ALL).zip(positions) {
            let is_hidden = match position {
                Some(position) => hidden[*position],
                // None at all is shown, unless some were left out before.
                None => released.get(row, measure).is_hidden(),
            };
            *count = (!is_hidden).then(|| row.account.measure(measure));
        }
        FlowCounts::from_array(counts)
    };
    Ok(corridor
        .rows
        .iter()
        .zip(&position_of)
        .map(|(row, positions)| see(row, positions))
        .collect())
}

/// Whoever is of a band by age in completed years is of that or the next by age reached in the year. So the people up to a band by the
/// one less those by the other are a count of those in between, which must not be computed where it is small: for each row that tables
/// divide by either, and each band.
fn between_ages(
    corridor: &CorridorTable,
    terms: &FlowTerms,
    atom_of: &[[Option<u32>; Class::ALL.len()]],
) -> Vec<LinearCell> {
    let place_of = |variable| {
        Variable::ALL
            .iter()
            .position(|other| *other == variable)
            .unwrap_or(0)
    };
    let [completed, reached] = [Variable::Age, Variable::AgeReached].map(place_of);
    if !(terms.statistics.names(Variable::Age) && terms.statistics.names(Variable::AgeReached)) {
        return Vec::new();
    }
    let mut cells = BTreeSet::new();
    for row in &corridor.rows {
        let told_apart = [completed, reached].map(|variable| row.key[variable] != ALL_CATEGORIES);
        if told_apart != [false, false] {
            continue;
        }
        for band in 1..u16::try_from(terms.age_bands.len()).unwrap_or(u16::MAX) {
            // Categories begin at 1, and the last is of ages not known.
            let is_between = |&&cell: &&u32| {
                let key = usize::try_from(cell)
                    .ok()
                    .and_then(|cell| corridor.cells.get(cell));
                key.is_some_and(|(key, _)| key[completed] <= band && key[reached] > band)
            };
            let between: Vec<u32> = row.cells.iter().filter(is_between).copied().collect();
            for measure in Measure::ALL {
                let atoms = atoms_among(&between, measure, atom_of);
                if !atoms.is_empty() {
                    cells.insert(atoms);
                }
            }
        }
    }
    cells
        .into_iter()
        .map(|atoms| LinearCell {
            atoms,
            kind: CellKind::Hidden,
            cost: None,
        })
        .collect()
}

fn only_the_same(row: &TableRow, released: &Released<'_>) -> FlowCounts {
    FlowCounts::from_array(Measure::ALL.map(|measure| {
        let is_known = released.get(row, measure).is_known();
        is_known.then(|| row.account.measure(measure))
    }))
}

/// Why cells cannot be hidden.
enum Unsafe {
    Table(LinearTableError),
    Narrow,
    Stopped(Stopped),
}

impl From<LinearTableError> for Unsafe {
    fn from(error: LinearTableError) -> Self {
        Self::Table(error)
    }
}

impl From<SuppressionError> for Unsafe {
    fn from(error: SuppressionError) -> Self {
        match error {
            SuppressionError::Narrow { .. } => Self::Narrow,
            SuppressionError::Stopped(stopped) => Self::Stopped(stopped),
        }
    }
}

/// Which of the cells (with their atoms and the places of these) are not shown, where so much was told of each before.
fn hide(
    (atoms, mut cells, places): (Vec<u64>, Vec<LinearCell>, Vec<Vec<u32>>),
    before: &[Told],
    (minimum, stop): (u64, &Stop),
) -> Result<Vec<bool>, Unsafe> {
    // Whoever believes that what is left out is what it was knows more of the small counts: for them, it is known. Where few moves
    // changed a count, it is not known of the others that they did not.
    if before.iter().any(|told| told.is_same) {
        let mut known = cells.clone();
        for (cell, _) in known.iter_mut().zip(before).filter(|(_, told)| told.is_same) {
            cell.kind = CellKind::Fixed;
        }
        let table = LinearTable::try_new(atoms.clone(), known)?.with_places(places.clone())?;
        let suppression = suppress_unless(&table, minimum, stop)?;
        for (cell, _) in cells
            .iter_mut()
            .zip(suppression.suppressed())
            .filter(|(_, suppressed)| **suppressed)
        {
            cell.kind = CellKind::Hidden;
        }
    }
    let mut told: Vec<Option<u64>> = before.iter().map(|told| told.moved_from).collect();
    let mut guarded: Vec<bool> = before.iter().map(|told| told.was_left_out).collect();
    // Cells that are only kept from being computed come after those of the rows.
    told.resize(cells.len(), None);
    guarded.resize(cells.len(), false);
    let table = LinearTable::try_new(atoms, cells)?
        .with_places(places)?
        .with_told(told)?
        .with_guarded(guarded)?;
    let suppression = suppress_unless(&table, minimum, stop)?;
    let is_hidden = |(cell, suppressed): (&LinearCell, &bool)| *suppressed || cell.kind == CellKind::Hidden;
    Ok(table
        .cells()
        .iter()
        .zip(suppression.suppressed())
        .map(is_hidden)
        .collect())
}

fn atoms_of(row: &TableRow, measure: Measure, atom_of: &[[Option<u32>; Class::ALL.len()]]) -> Vec<u32> {
    atoms_among(&row.cells, measure, atom_of)
}

/// The atoms of a measure in some of the finest cells.
fn atoms_among(cells: &[u32], measure: Measure, atom_of: &[[Option<u32>; Class::ALL.len()]]) -> Vec<u32> {
    let of_cell = |&cell: &u32| {
        let of_classes = usize::try_from(cell).ok().and_then(|cell| atom_of.get(cell));
        measure
            .classes()
            .iter()
            .filter_map(move |class| of_classes.and_then(|atoms| atoms[class.index()]))
    };
    let mut atoms: Vec<u32> = cells.iter().flat_map(of_cell).collect();
    atoms.sort_unstable();
    atoms
}

/// What is lost when a count goes along: totals, and the counts the estimate is made of, last. Within four powers of ten, which
/// programmes are solved with.
fn cost(row: &TableRow, measure: Measure) -> f64 {
    let told_apart = row
        .key
        .iter()
        .filter(|category| **category != ALL_CATEGORIES)
        .count();
    let of_row = match told_apart {
        0 => 16.0,
        1 => 8.0,
        2 => 4.0,
        3 => 2.0,
        _ => 1.0,
    };
    let of_measure = match measure {
        // Each office knows its own count of every group: one that is left out hides the others from outsiders alone.
        Measure::Immigrations | Measure::EmigrationsOwn | Measure::Emigrations | Measure::Matched => 8.0,
        Measure::OnlyOrigin | Measure::OnlyDestination | Measure::Agree => 2.0,
        Measure::TimingOrigin
        | Measure::TimingDestination
        | Measure::DefinitionOrigin
        | Measure::DefinitionDestination
        | Measure::PartnerOrigin
        | Measure::PartnerDestination
        | Measure::UnmatchedOrigin
        | Measure::UnmatchedDestination => 1.0,
    };
    (1.0 + real(row.account.measure(measure)).ln_1p()) * of_row * of_measure
}

/// The steps add up to all matched moves, and those of moves in one period to what agrees, which the rows show or not.
///
/// Everybody knows that a move on one day is in one period, and one of more days than a period has in two: what agrees less those of
/// one day, and what is in two periods less those of so many days, are protected too.
fn see_lags(
    corridor: &CorridorTable,
    terms: &FlowTerms,
    rows: &[FlowCounts],
) -> Result<Vec<Option<u64>>, DisclosureError> {
    // Days between two dates of one period at most.
    let most_days = match terms.statistics.period_unit {
        PeriodUnit::Year => 365,
        PeriodUnit::Quarter => 91,
    };
    let is_far = |(first, last): (i32, i32)| last < -most_days || first > most_days;
    let steps = corridor.lags[0].len();
    let total = corridor.rows.iter().zip(rows).find(|(row, _)| is_total(row));
    let Some((_, total)) = total.filter(|(_, counts)| counts.get(Measure::Matched).is_some()) else {
        return Ok(vec![None; steps]);
    };
    let atoms: Vec<u64> = corridor.lags.concat();
    // Atoms that can be filled: the others are known to be empty.
    let set = |holds: &dyn Fn(usize, usize) -> bool| -> Vec<u32> {
        (0..2 * steps)
            .filter(|atom| {
                let (in_two, step) = (atom / steps, atom % steps);
                let days = LAG_STEPS.get(step).map(|(first, last, _)| (*first, *last));
                let can_be = match days {
                    Some((0, 0)) => in_two == 0,
                    Some(days) if is_far(days) => in_two == 1,
                    _ => true,
                };
                can_be && holds(in_two, step)
            })
            .filter_map(|atom| u32::try_from(atom).ok())
            .collect()
    };
    let wanted: Vec<Vec<u32>> = (0..steps).map(|step| set(&|_, of| of == step)).collect();
    let mut told = vec![set(&|_, _| true)];
    for (in_two, measure) in [(0, Measure::Agree), (1, Measure::TimingDestination)] {
        if total.get(measure).is_some() {
            told.push(set(&|class, _| class == in_two));
        }
    }
    let is_certain = |step: usize| {
        LAG_STEPS
            .get(step)
            .is_some_and(|(first, last, _)| (*first, *last) == (0, 0) || is_far((*first, *last)))
    };
    let hidden = [0, 1].map(|in_two| set(&|class, step| class == in_two && !is_certain(step)));
    let minimum = u64::from(terms.disclosure.minimum_count);
    see_part(&atoms, &wanted, &told, &hidden, minimum)
}

/// Rules of which whoever meets the first meets the second too, so that the difference of what is shown of both is a count of people.
const NESTED: [(DurationRule, DurationRule); 4] = [
    (DurationRule::Months12, DurationRule::Months6),
    (DurationRule::Months6, DurationRule::Months3),
    (DurationRule::Months12, DurationRule::HalfYear),
    // Where no days are counted.
    (DurationRule::HalfYear, DurationRule::Months6),
];

fn see_stays(
    corridor: &CorridorTable,
    terms: &FlowTerms,
    rows: &[FlowCounts],
    minimum: u64,
) -> Result<BTreeMap<StayPlace, Option<u64>>, DisclosureError> {
    let mut seen = BTreeMap::new();
    let counts = stay_counts(corridor);
    for (&(period, side), by_flags) in &corridor.stays {
        let places: Vec<StayPlace> = DurationRule::ALL
            .into_iter()
            .flat_map(|rule| RuleFlag::ALL.map(|flag| (period, side, rule, flag)))
            .collect();
        let own = match side {
            Side::Origin => Measure::EmigrationsOwn,
            Side::Destination => Measure::Immigrations,
        };
        let row = corridor
            .rows
            .iter()
            .zip(rows)
            .find(|(row, _)| is_of_period(row, period));
        let is_shown = row.is_some_and(|(_, counts)| counts.get(own).is_some());
        if !is_shown {
            seen.extend(places.into_iter().map(|place| (place, None)));
            continue;
        }
        let atoms: Vec<u64> = by_flags.values().copied().collect();
        let set = |holds: &dyn Fn(&[RuleFlag; DurationRule::ALL.len()]) -> bool| -> Vec<u32> {
            let positions = by_flags.keys().enumerate().filter(|(_, flags)| holds(flags));
            positions
                .filter_map(|(position, _)| u32::try_from(position).ok())
                .collect()
        };
        let at = |rule: DurationRule| {
            DurationRule::ALL
                .iter()
                .position(|other| *other == rule)
                .unwrap_or(0)
        };
        let sets: Vec<Vec<u32>> = places
            .iter()
            .map(|(_, _, rule, flag)| set(&|flags| flags[at(*rule)] == *flag))
            .collect();
        let told = set(&|flags| flags[at(terms.statistics.duration_rule)] == RuleFlag::Yes);
        let between: Vec<Vec<u32>> = NESTED
            .into_iter()
            .flat_map(|(stricter, wider)| {
                [
                    set(&|flags| flags[at(wider)] == RuleFlag::Yes && flags[at(stricter)] != RuleFlag::Yes),
                    set(&|flags| flags[at(stricter)] == RuleFlag::No && flags[at(wider)] != RuleFlag::No),
                ]
            })
            .collect();
        let shown = see_part(&atoms, &sets, &[told], &between, minimum)?;
        for (place, shown) in places.into_iter().zip(shown) {
            // What the rows show is shown here too.
            let is_told = place.2 == terms.statistics.duration_rule && place.3 == RuleFlag::Yes;
            let moves = if is_told {
                counts.get(&place).copied()
            } else {
                shown
            };
            seen.insert(place, moves);
        }
    }
    Ok(seen)
}

/// A small table of its own: sets of atoms to be shown, sets that are told elsewhere, and sets that must not be computed.
fn see_part(
    atoms: &[u64],
    wanted: &[Vec<u32>],
    told: &[Vec<u32>],
    hidden: &[Vec<u32>],
    minimum: u64,
) -> Result<Vec<Option<u64>>, DisclosureError> {
    let mut cells = Vec::new();
    let mut cells_of_wanted = Vec::with_capacity(wanted.len());
    let kinds = [
        (told, CellKind::Fixed),
        (hidden, CellKind::Hidden),
        (wanted, CellKind::Wanted),
    ];
    for (sets, kind) in kinds {
        for set in sets {
            // Atoms of which there are none are not told apart from none at all.
            let filled = !set.is_empty();
            if kind == CellKind::Wanted {
                cells_of_wanted.push(filled.then_some(cells.len()));
            }
            if filled {
                cells.push(LinearCell {
                    atoms: set.clone(),
                    kind,
                    cost: None,
                });
            }
        }
    }
    let table = LinearTable::try_new(atoms.to_vec(), cells)?;
    let suppression = suppress(&table, minimum)?;
    Ok(cells_of_wanted
        .into_iter()
        .map(|cell| match cell {
            None => Some(0),
            Some(cell) if suppression.suppressed()[cell] => None,
            Some(cell) => Some(table.value(&table.cells()[cell])),
        })
        .collect())
}
