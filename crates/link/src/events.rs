use std::collections::BTreeMap;

use corridor_core::{Counterpart, Direction, MigrationEvent};
use serde::Serialize;

use crate::decide::Link;
use crate::hungarian::least_cost_assignment;
use crate::side::LinkSide;

/// Two events, one of each office, judged to be the same move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct EventPair {
    /// Record of the move on the left.
    pub left: u32,
    /// Record of the move on the right.
    pub right: u32,
    /// Days between the two dates, as far as their precision tells.
    pub days_apart: u32,
}

/// Pairs the moves of linked persons one to one, those of a person with several partners with the moves of all of these: as many as
/// possible within `window_days`; among those ways, as many as possible where both offices name each other's country; and among those, the
/// one with the fewest days in total. An emigration of one office can only be an immigration of the other. Sorted by left record.
///
/// # Panics
/// When an event list is not as long as its side.
pub fn pair_events(
    links: &[Link],
    left: (&LinkSide<'_>, &[MigrationEvent]),
    right: (&LinkSide<'_>, &[MigrationEvent]),
    window_days: u32,
) -> Vec<EventPair> {
    let left_records = records_by_person(left.0, left.1.len());
    let right_records = records_by_person(right.0, right.1.len());
    let mut pairs = Vec::new();
    let rows_of = |records: &BTreeMap<u32, Vec<u32>>, persons: &mut dyn Iterator<Item = u32>| -> Vec<u32> {
        let of_person = |person| records.get(&person).into_iter().flatten().copied();
        persons.flat_map(of_person).collect()
    };
    let (persons, is_by_left) = linked_persons(links, left.0, right.0);
    let is_together = |a: &(u32, u32), b: &(u32, u32)| if is_by_left { a.0 == b.0 } else { a.1 == b.1 };
    for linked in persons.chunk_by(is_together) {
        let (one, all) = (&linked[..1], linked);
        let (of_left, of_right) = if is_by_left { (one, all) } else { (all, one) };
        let left_rows = rows_of(&left_records, &mut of_left.iter().map(|(left, _)| *left));
        let right_rows = rows_of(&right_records, &mut of_right.iter().map(|(_, right)| *right));
        let cost: Vec<Vec<Option<u32>>> = left_rows
            .iter()
            .map(|&row| {
                right_rows
                    .iter()
                    .map(|&other| days_if_same_move(&left.1[at(row)], &right.1[at(other)], window_days))
                    .collect()
            })
            .collect();
        let is_of_corridor: Vec<Vec<bool>> = left_rows
            .iter()
            .map(|&row| {
                let names_partner = |event: &MigrationEvent| event.counterpart == Counterpart::Partner;
                right_rows
                    .iter()
                    .map(|&other| names_partner(&left.1[at(row)]) && names_partner(&right.1[at(other)]))
                    .collect()
            })
            .collect();
        for (i, j) in best_pairs(&cost, &is_of_corridor) {
            pairs.push(EventPair {
                left: left_rows[i],
                right: right_rows[j],
                days_apart: cost[i][j].expect("only possible pairs are chosen"),
            });
        }
    }
    pairs.sort_unstable();
    pairs
}

/// Persons of the left and of the right of each link, one side's together where it has several links, by that side; and whether that
/// is the left.
fn linked_persons(links: &[Link], left: &LinkSide<'_>, right: &LinkSide<'_>) -> (Vec<(u32, u32)>, bool) {
    let mut persons: Vec<(u32, u32)> = links
        .iter()
        .map(|link| (left.person_of(link.left), right.person_of(link.right)))
        .collect();
    persons.sort_unstable();
    let has_several = persons.windows(2).any(|two| two[0].0 == two[1].0);
    if has_several {
        return (persons, true);
    }
    persons.sort_unstable_by_key(|(left, right)| (*right, *left));
    (persons, false)
}

fn at(row: u32) -> usize {
    usize::try_from(row).expect("an index of a dataset")
}

fn records_by_person(side: &LinkSide<'_>, event_count: usize) -> BTreeMap<u32, Vec<u32>> {
    assert_eq!(side.len(), event_count, "one event per record");
    let mut records: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for row in 0..u32::try_from(event_count).expect("an index of a matrix") {
        records.entry(side.person_of(row)).or_default().push(row);
    }
    records
}

fn days_if_same_move(left: &MigrationEvent, right: &MigrationEvent, window_days: u32) -> Option<u32> {
    let opposite = match left.direction {
        Direction::Emigration => Direction::Immigration,
        Direction::Immigration => Direction::Emigration,
    };
    let days = left.date.days_apart(&right.date);
    (right.direction == opposite && days <= window_days).then_some(days)
}

/// Most pairs, then most pairs of the corridor, then fewest days; each row and column once; `None` is no possible pair. By
/// row.
fn best_pairs(days: &[Vec<Option<u32>>], is_of_corridor: &[Vec<bool>]) -> Vec<(usize, usize)> {
    let rows = days.len();
    let columns = days.first().map_or(0, Vec::len);
    if rows == 1 && columns == 1 {
        return days[0][0].map(|_| (0, 0)).into_iter().collect();
    }
    let all_days: i64 = days.iter().flatten().flatten().map(|&days| i64::from(days)).sum();
    // A pair beside the corridor costs more than all days together, and leaving a row unpaired more than all pairs.
    let beside = all_days + 1;
    let most = i64::try_from(rows.min(columns)).expect("moves of one person");
    let unpaired = (most + 1) * (beside + all_days + 1);
    least_cost_assignment(rows, columns, unpaired, &|row, column| {
        let days = i64::from(days[row][column]?);
        Some(if is_of_corridor[row][column] {
            days
        } else {
            days + beside
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use corridor_core::{DatePrecision, EventDate, FilterLen, Filters, MoverFacts, Pseudonym, Sex};
    use proptest::prelude::*;

    /// Every way to pair, tried: pairs, pairs of the corridor, and minus the days.
    fn best(
        cost: &[Vec<Option<u32>>],
        of_corridor: &[Vec<bool>],
        row: usize,
        used: u32,
    ) -> (usize, usize, i64) {
        if row == cost.len() {
            return (0, 0, 0);
        }
        let mut best_found = best(cost, of_corridor, row + 1, used);
        for (column, days) in cost[row].iter().enumerate() {
            if let Some(days) = days
                && used >> column & 1 == 0
            {
                let (count, named, total) = best(cost, of_corridor, row + 1, used | 1 << column);
                let named = named + usize::from(of_corridor[row][column]);
                best_found = best_found.max((count + 1, named, total - i64::from(*days)));
            }
        }
        best_found
    }

    proptest! {
        #[test]
        fn pairing_is_the_best_of_all(
            rows in 0_usize..5,
            columns in 1_usize..5,
            days in prop::collection::vec(prop::option::of(0_u32..400), 16),
            named in prop::collection::vec(any::<bool>(), 16),
        ) {
            let cost: Vec<Vec<_>> = (0..rows).map(|i| days[i * 4..i * 4 + columns].to_vec()).collect();
            let of_corridor: Vec<Vec<_>> = (0..rows).map(|i| named[i * 4..i * 4 + columns].to_vec()).collect();
            let pairs = best_pairs(&cost, &of_corridor);
            let total: i64 = pairs.iter().map(|&(i, j)| i64::from(cost[i][j].unwrap())).sum();
            let named = pairs.iter().filter(|&&(i, j)| of_corridor[i][j]).count();
            prop_assert_eq!((pairs.len(), named, -total), best(&cost, &of_corridor, 0, 0));
        }
    }

    #[test]
    fn a_move_of_the_corridor_goes_before_a_closer_one_to_another_country() {
        let cost = vec![vec![Some(0)], vec![Some(60)]];
        assert_eq!(best_pairs(&cost, &[vec![false], vec![true]]), [(1, 0)]);
    }

    #[test]
    fn moves_of_a_person_with_several_partners_are_paired_with_those_of_all() {
        let filters = |records: usize| {
            let mut filters = Filters::with_capacity(FilterLen::try_from(64).unwrap(), records);
            (0..records).for_each(|_| filters.push(&[1]));
            filters
        };
        let persons = |records: u8| -> Vec<Pseudonym> {
            (0..records)
                .map(|person| Pseudonym::from_bytes([person; 16]))
                .collect()
        };
        let event = |direction, date: &str| MigrationEvent {
            direction,
            counterpart: Counterpart::Partner,
            date: EventDate {
                date: date.parse().unwrap(),
                precision: DatePrecision::Day,
            },
            sex: Sex::Female,
            age_band: None,
            facts: MoverFacts::default(),
        };
        // One person who left twice; the other office has her twice, each time as another, and somebody else in between.
        let (one_filters, many_filters) = (filters(2), filters(3));
        let one = LinkSide::from_parts(&one_filters, &[Pseudonym::from_bytes([0; 16]); 2]).unwrap();
        let many = LinkSide::from_parts(&many_filters, &persons(3)).unwrap();
        let left = ["2021-03-01", "2022-05-01"].map(|date| event(Direction::Emigration, date));
        let arrived = ["2022-05-20", "2021-03-03", "2021-03-01"];
        let right = arrived.map(|date| event(Direction::Immigration, date));
        let link = |left, right| Link {
            left,
            right,
            similarity: 0.9,
            probability: None,
        };
        let links = [link(0, 0), link(0, 1)];
        let paired = [(0, 1, 2), (1, 0, 19)];
        let to_plain = |pairs: Vec<EventPair>| -> Vec<(u32, u32, u32)> {
            pairs
                .iter()
                .map(|pair| (pair.left, pair.right, pair.days_apart))
                .collect()
        };
        let pairs = pair_events(&links, (&one, &left), (&many, &right), 365);
        assert_eq!(to_plain(pairs), paired);
        // The same seen from the other side.
        let links = links.map(|pair| link(pair.right, pair.left));
        let turned = |events: &[MigrationEvent]| -> Vec<MigrationEvent> {
            let turn = |event: &MigrationEvent| MigrationEvent {
                direction: match event.direction {
                    Direction::Emigration => Direction::Immigration,
                    Direction::Immigration => Direction::Emigration,
                },
                ..*event
            };
            events.iter().map(turn).collect()
        };
        let pairs = pair_events(&links, (&many, &turned(&right)), (&one, &turned(&left)), 365);
        assert_eq!(to_plain(pairs), [(0, 1, 19), (1, 0, 2)]);
    }

    #[test]
    fn two_pairs_are_better_than_one_close_pair() {
        // Greedy would take (0, 0) at one day and leave the second row without a partner.
        let cost = vec![vec![Some(1), Some(300)], vec![Some(200), None]];
        assert_eq!(best_pairs(&cost, &vec![vec![true; 2]; 2]), [(0, 1), (1, 0)]);
    }
}
