use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::perturb::PerturbationSecret;

/// How near a moment is to what it must be.
const ABS_TOL: f64 = 1e-9;

fn moment(transitions: &[Transition], power: i32) -> f64 {
    transitions
        .iter()
        .map(|at| at.probability * f64::from(at.change).powi(power))
        .sum()
}

fn entropy(transitions: &[Transition]) -> f64 {
    let term = |at: &Transition| {
        if at.probability > 0.0 {
            -at.probability * at.probability.ln()
        } else {
            0.0
        }
    };
    transitions.iter().map(term).sum()
}

prop_compose! {
    fn any_rule()(largest in 1_u8..=8)
        (largest_change in Just(largest), share in 0.05..0.6_f64, smallest_positive in 1..=largest + 1) -> PerturbationRule {
        PerturbationRule { largest_change, variance: share * f64::from(largest_change).powi(2), smallest_positive }
    }
}

proptest! {
    #[test]
    fn no_row_is_biased_or_leaves_what_the_rule_allows(rule in any_rule()) {
        let table = PerturbationTable::try_new(rule).unwrap();
        prop_assert_eq!(table.transitions(0), [Transition { change: 0, probability: 1.0 }]);
        for count in 0..60_u64 {
            let transitions = table.transitions(count);
            prop_assert!((moment(transitions, 0) - 1.0).abs() < ABS_TOL, "{}", count);
            prop_assert!(moment(transitions, 1).abs() < ABS_TOL, "{count}: {transitions:?}");
            for at in transitions {
                prop_assert!(at.probability >= 0.0);
                let result = i64::try_from(count).unwrap() + i64::from(at.change);
                prop_assert!(result == 0 || result >= i64::from(rule.smallest_positive), "{count} to {result}");
                prop_assert!(at.change.unsigned_abs() <= u16::from(rule.largest_change));
            }
            let (low, high) = (transitions[0].change, transitions[transitions.len() - 1].change);
            let most = -f64::from(low) * f64::from(high);
            let variance = moment(transitions, 2);
            if count >= u64::from(rule.largest_change) + u64::from(rule.smallest_positive) {
                prop_assert!((variance - rule.variance).abs() < ABS_TOL, "{count}: {variance}");
            } else if count > 0 && transitions.iter().any(|at| at.change == 0) && rule.variance < 0.99 * most {
                prop_assert!((variance - rule.variance).abs() < ABS_TOL, "{count}: {variance}");
            } else if rule.variance > most {
                prop_assert!((variance - most).abs() < ABS_TOL, "{count}: {variance}");
            }
        }
    }

    #[test]
    fn no_distribution_with_the_same_moments_has_more_entropy(rule in any_rule(), step in 1e-4..1e-2_f64) {
        let table = PerturbationTable::try_new(rule).unwrap();
        for count in 1..20 {
            let transitions = table.transitions(count);
            // Third differences change neither mass nor mean nor variance.
            for start in 0..transitions.len().saturating_sub(3) {
                let consecutive = transitions[start].change + 3 == transitions[start + 3].change;
                for sign in [-step, step] {
                    let mut other = transitions.to_vec();
                    for (at, weight) in other[start..].iter_mut().zip([1.0, -3.0, 3.0, -1.0]) {
                        at.probability += sign * weight;
                    }
                    if consecutive && other.iter().all(|at| at.probability >= 0.0) {
                        prop_assert!(entropy(&other) < entropy(transitions), "{count}: {transitions:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn refuses_rules_that_cannot_be() {
    let rule = PerturbationRule::default();
    let refused = |rule| PerturbationTable::try_new(rule).unwrap_err();
    for got in [0, 101, 255] {
        let error = refused(PerturbationRule {
            largest_change: got,
            ..rule
        });
        assert_eq!(error, PerturbationRuleError::LargestChange { got });
    }
    for got in [0, 4] {
        let error = refused(PerturbationRule {
            smallest_positive: got,
            ..rule
        });
        assert_eq!(error, PerturbationRuleError::SmallestPositive { got, most: 3 });
    }
    for variance in [0.0, -1.0, 4.0, f64::NAN, f64::INFINITY] {
        let error = refused(PerturbationRule { variance, ..rule });
        assert!(
            matches!(error, PerturbationRuleError::Variance { .. }),
            "{variance}"
        );
    }
}

#[test]
fn draws_come_as_often_as_the_table_says() {
    const CELLS: u32 = 100_000;
    let table = PerturbationTable::try_new(PerturbationRule::default()).unwrap();
    let secret = PerturbationSecret::new([3; 32]);
    for count in [1, 2, 3, 500] {
        let mut drawn = std::collections::BTreeMap::new();
        for cell in 0..CELLS {
            let key = CellKey::of_record(&secret, &cell.to_le_bytes());
            let result = table.perturb(count, key);
            assert_eq!(result, table.perturb(count, key));
            *drawn.entry(result).or_insert(0_u32) += 1;
        }
        for at in table.transitions(count) {
            let result = count.saturating_add_signed(i64::from(at.change));
            let share = f64::from(drawn.remove(&result).unwrap_or_default()) / f64::from(CELLS);
            let error = (at.probability * (1.0 - at.probability) / f64::from(CELLS)).sqrt();
            assert!(
                (share - at.probability).abs() <= 5.0 * error,
                "{count} {at:?}: {share}"
            );
        }
        assert!(drawn.is_empty(), "{count}: {drawn:?}");
    }
    let last = CellKey::from(u64::MAX);
    assert_eq!((table.perturb(0, last), table.perturb(7, last)), (0, 9));
    assert_eq!(table.perturb(7, CellKey::from(0)), 5);
}

#[derive(Debug, Deserialize)]
struct Row {
    variable: String,
    count: u64,
    perturbed_count: u64,
}

fn published() -> Vec<Row> {
    let text = include_str!("../../../tests/data/cellkey_perturbed_table.csv");
    csv::Reader::from_reader(text.as_bytes())
        .deserialize()
        .collect::<Result<_, _>>()
        .unwrap()
}

/// The most that one count of these changed, and how much on average.
fn sizes<'a>(rows: impl Iterator<Item = &'a Row> + Clone) -> (u64, f64) {
    let size = |row: &Row| row.count.abs_diff(row.perturbed_count);
    let sum: u64 = rows.clone().map(size).sum();
    let most = rows.clone().map(size).max().unwrap();
    (
        most,
        crate::number::real(sum) / crate::number::real_len(rows.count()),
    )
}

#[test]
fn the_published_persons_are_a_likely_draw_of_the_default_table() {
    let rows = published();
    let persons = rows.iter().filter(|row| row.variable == "total");
    let (most, mean) = sizes(persons.clone());
    assert_eq!((most, (mean * 1e3).round()), (2, 857.0));
    let table = PerturbationTable::try_new(PerturbationRule::default()).unwrap();
    let (mut expected, mut variance) = (0.0, 0.0);
    for row in persons.clone() {
        let change = i64::try_from(row.perturbed_count).unwrap() - i64::try_from(row.count).unwrap();
        let transitions = table.transitions(row.count);
        let at = transitions.iter().find(|at| i64::from(at.change) == change);
        assert!(at.is_some_and(|at| at.probability > 0.01), "{row:?}");
        let size: f64 = transitions
            .iter()
            .map(|at| at.probability * f64::from(at.change).abs())
            .sum();
        expected += size;
        variance += moment(transitions, 2) - size * size;
    }
    let count = crate::number::real_len(persons.count());
    // Within one standard error, and the expectation alone within a hundredth.
    assert!(
        (expected / count - mean).abs() < variance.sqrt() / count,
        "{} and {mean}",
        expected / count
    );
    assert!(
        (expected / count - mean).abs() < 0.01,
        "{} and {mean}",
        expected / count
    );
}

#[test]
fn all_of_the_published_example_is_a_possible_draw_of_a_wider_table() {
    let rows = published();
    assert_eq!((rows.len(), sizes(rows.iter()).0), (42, 4));
    let rule = PerturbationRule {
        largest_change: 5,
        variance: 3.0,
        smallest_positive: 1,
    };
    let table = PerturbationTable::try_new(rule).unwrap();
    for row in rows {
        let change = i64::try_from(row.perturbed_count).unwrap() - i64::try_from(row.count).unwrap();
        let at = table
            .transitions(row.count)
            .iter()
            .find(|at| i64::from(at.change) == change);
        assert!(at.is_some_and(|at| at.probability > 0.01), "{row:?}");
        assert!(row.count > 0 || row.perturbed_count == 0, "{row:?}");
    }
}
