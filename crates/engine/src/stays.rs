//! Stays of linked persons in one office's list: from each arrival to the next departure.

use std::collections::{BTreeMap, BTreeSet};

use corridor_core::{Counterpart, DatePrecision, Direction, EncodedDataset, MigrationEvent, Pseudonym};
use corridor_flows::Stay;
use jiff::civil::Date;

/// Days of a year.
const YEAR_DAYS: f64 = 365.25;

/// The stays that began with an arrival from the partner's country, of the persons who have one of `records`.
///
/// A stay ends with the person's next departure. One without is seen until the last move of the whole list, at most until `last`,
/// and one that another arrival follows until then, since the departure before is missing. Arrivals whose date, or that of the
/// next move, is not known by the day are left out, as are those after `last`.
pub(crate) fn stays_of(
    dataset: &EncodedDataset,
    records: impl Iterator<Item = u32>,
    last: Date,
) -> Vec<Stay> {
    let Some(events) = &dataset.events else {
        return Vec::new();
    };
    let person = |record: u32| {
        usize::try_from(record)
            .ok()
            .and_then(|at| dataset.persons.get(at))
    };
    let linked: BTreeSet<Pseudonym> = records.filter_map(person).copied().collect();
    let mut by_person: BTreeMap<Pseudonym, Vec<&MigrationEvent>> = BTreeMap::new();
    let exact = |event: &&MigrationEvent| event.date.precision == DatePrecision::Day;
    for (person, event) in dataset.persons.iter().zip(events) {
        if linked.contains(person) {
            by_person.entry(*person).or_default().push(event);
        }
    }
    let Some(last_move) = events.iter().filter(exact).map(|event| event.date.date).max() else {
        return Vec::new();
    };
    let last_seen = last_move.min(last);
    let mut stays = Vec::new();
    for moves in by_person.values_mut() {
        // Who comes and goes on one day comes first.
        moves.sort_by_key(|event| (event.date.date, event.direction == Direction::Emigration));
        for (position, arrival) in moves.iter().enumerate() {
            if arrival.direction != Direction::Immigration || arrival.counterpart != Counterpart::Partner {
                continue;
            }
            let next = moves[position + 1..].first();
            if !exact(arrival) || next.is_some_and(|next| !exact(next)) {
                continue;
            }
            let (until, ended) = match next {
                Some(next) if next.date.date <= last_seen => {
                    (next.date.date, next.direction == Direction::Emigration)
                }
                _ => (last_seen, false),
            };
            let until_years = days_between(arrival.date.date, until) / YEAR_DAYS;
            // Two moves of one day are no stay.
            if until_years > 0.0 {
                stays.push(Stay {
                    from_years: 0.0,
                    until_years,
                    ended,
                });
            }
        }
    }
    stays
}

fn days_between(from: Date, until: Date) -> f64 {
    from.until(until).map_or(0.0, |span| f64::from(span.get_days()))
}
