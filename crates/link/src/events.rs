use std::collections::BTreeMap;

use corridor_core::{Direction, MigrationEvent};
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

/// Pairs the moves of linked persons one to one: as many as possible within `window_days`, and among
/// those ways the one with the fewest days in total. An emigration of one office can only be an immigration of
/// the other. Sorted by left record.
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
    let none = Vec::new();
    let mut pairs = Vec::new();
    for link in links {
        let left_rows = left_records.get(&left.0.person_of(link.left)).unwrap_or(&none);
        let right_rows = right_records.get(&right.0.person_of(link.right)).unwrap_or(&none);
        let cost: Vec<Vec<Option<u32>>> = left_rows
            .iter()
            .map(|&row| {
                right_rows
                    .iter()
                    .map(|&other| days_if_same_move(&left.1[at(row)], &right.1[at(other)], window_days))
                    .collect()
            })
            .collect();
        for (i, j) in minimum_cost_pairs(&cost) {
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

/// Most pairs, then least cost, each row and column once; `None` is no possible pair. By row.
fn minimum_cost_pairs(cost: &[Vec<Option<u32>>]) -> Vec<(usize, usize)> {
    let rows = cost.len();
    let columns = cost.first().map_or(0, Vec::len);
    if rows == 1 && columns == 1 {
        return cost[0][0].map(|_| (0, 0)).into_iter().collect();
    }
    let total: i64 = cost.iter().flatten().flatten().map(|&days| i64::from(days)).sum();
    // Leaving a row unpaired costs more than all real pairs together.
    least_cost_assignment(rows, columns, total + 1, &|row, column| {
        cost[row][column].map(i64::from)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every way to pair, tried.
    fn best(cost: &[Vec<Option<u32>>], row: usize, used: u32) -> (usize, u32) {
        if row == cost.len() {
            return (0, 0);
        }
        let mut best_found = best(cost, row + 1, used);
        for (column, days) in cost[row].iter().enumerate() {
            if let Some(days) = days
                && used >> column & 1 == 0
            {
                let (count, total) = best(cost, row + 1, used | 1 << column);
                let found = (count + 1, total + days);
                if found.0 > best_found.0 || found.0 == best_found.0 && found.1 < best_found.1 {
                    best_found = found;
                }
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
        ) {
            let cost: Vec<Vec<_>> = (0..rows).map(|i| days[i * 4..i * 4 + columns].to_vec()).collect();
            let pairs = minimum_cost_pairs(&cost);
            let total = pairs.iter().map(|&(i, j)| cost[i][j].unwrap()).sum();
            prop_assert_eq!((pairs.len(), total), best(&cost, 0, 0));
        }
    }

    #[test]
    fn two_pairs_are_better_than_one_close_pair() {
        // Greedy would take (0, 0) at one day and leave the second row without a partner.
        let cost = vec![vec![Some(1), Some(300)], vec![Some(200), None]];
        assert_eq!(minimum_cost_pairs(&cost), [(0, 1), (1, 0)]);
    }
}
