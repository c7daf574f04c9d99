use microlp::{ComparisonOp, OptimizationDirection, Problem, SolveOutcome};
use proptest::prelude::*;

use super::*;
use crate::reconcile::tests::{any_lists, terms};
use crate::table::FlowInput;
use std::collections::BTreeMap;

const MINIMUM: u64 = 10;

fn leaf(counts: (u64, u64, u64)) -> Node {
    Node {
        group: Group::All,
        counts: Counts {
            matched: counts.0,
            only_origin: counts.1,
            only_destination: counts.2,
        },
        children: Vec::new(),
    }
}

fn parent(children: Vec<Node>) -> Node {
    let mut counts = Counts::default();
    children.iter().for_each(|child| counts.add(&child.counts));
    Node {
        group: Group::All,
        counts,
        children,
    }
}

/// Published counts in the order of a walk; `None` is suppressed.
fn publish(root: &Node) -> Vec<Option<FlowCounts>> {
    let bands = AgeBands::try_from(vec![0]).unwrap();
    let mut rows = Vec::new();
    let mut walk = Walk {
        corridor: terms().corridor,
        minimum: MINIMUM,
        age_bands: &bands,
        rows: &mut rows,
    };
    walk.publish(root, is_unsafe(&root.counts, MINIMUM), Place::default());
    rows.into_iter().map(|row| row.counts).collect()
}

/// An attacker's linear programme: three variables a node (matched and the two "only"), none negative, children
/// add up to their parent, published counts are known. Returns the width of what each count of the node
/// at `position` (in walk order) can be.
fn attack(root: &Node, published: &[Option<FlowCounts>], position: usize) -> [f64; 5] {
    fn flatten(node: &Node, parent: Option<usize>, parents: &mut Vec<Option<usize>>) {
        let me = parents.len();
        parents.push(parent);
        node.children
            .iter()
            .for_each(|child| flatten(child, Some(me), parents));
    }
    let mut parents = Vec::new();
    flatten(root, None, &mut parents);
    let largest = |weights: [f64; 3], direction| {
        let mut problem = Problem::new(direction);
        let variables: Vec<[_; 3]> = (0..parents.len())
            .map(|node| {
                let weight = |part: usize| if node == position { weights[part] } else { 0.0 };
                [0, 1, 2].map(|part| problem.add_var(weight(part), (0.0, 1e6)))
            })
            .collect();
        for (node, counts) in published.iter().enumerate() {
            if let Some(counts) = counts {
                let known = [counts.matched, counts.only_origin, counts.only_destination];
                for (part, value) in known.into_iter().enumerate() {
                    let value = u32::try_from(value).unwrap();
                    problem.add_constraint(
                        [(variables[node][part], 1.0)],
                        ComparisonOp::Eq,
                        f64::from(value),
                    );
                }
            }
            let children: Vec<usize> = (0..parents.len()).filter(|&c| parents[c] == Some(node)).collect();
            if !children.is_empty() {
                for part in [0, 1, 2] {
                    let mut sum: Vec<_> = children.iter().map(|&c| (variables[c][part], 1.0)).collect();
                    sum.push((variables[node][part], -1.0));
                    problem.add_constraint(sum, ComparisonOp::Eq, 0.0);
                }
            }
        }
        match problem.solve().unwrap() {
            SolveOutcome::Solution(solution) => solution.objective(),
            SolveOutcome::Interrupted(_) => panic!("no limit was set"),
        }
    };
    [
        [1.0, 0.0, 0.0],
        [0.0, 1.0, 0.0],
        [0.0, 0.0, 1.0],
        [1.0, 1.0, 0.0],
        [1.0, 0.0, 1.0],
    ]
    .map(|weights| {
        largest(weights, OptimizationDirection::Maximize) - largest(weights, OptimizationDirection::Minimize)
    })
}

fn any_counts() -> impl Strategy<Value = (u64, u64, u64)> {
    let count = || prop_oneof![Just(0_u64), 1..12_u64, 8..60_u64];
    (count(), count(), count())
}

fn any_tree() -> impl Strategy<Value = Node> {
    let sexes = prop::collection::vec(any_counts().prop_map(leaf), 1..5).prop_map(parent);
    let years = prop::collection::vec(sexes, 1..4).prop_map(parent);
    prop::collection::vec(years, 1..4).prop_map(parent)
}

fn flatten_counts(node: &Node, counts: &mut Vec<Counts>) {
    counts.push(node.counts);
    node.children
        .iter()
        .for_each(|child| flatten_counts(child, counts));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_small_count_can_be_narrowed_below_the_minimum(root in any_tree()) {
        let published = publish(&root);
        let mut counts = Vec::new();
        flatten_counts(&root, &mut counts);
        for (position, (counts, published_counts)) in counts.iter().zip(&published).enumerate() {
            let small = measures(counts).map(|count| is_small(count, MINIMUM));
            if !small.contains(&true) {
                continue;
            }
            prop_assert!(published_counts.is_none(), "a small count is published");
            let widths = attack(&root, &published, position);
            for (width, small) in widths.into_iter().zip(small) {
                prop_assert!(!small || width >= 10.0 - 1e-6, "width {width}");
            }
        }
    }

    #[test]
    fn what_is_published_is_true_and_adds_up((origin, destination, pairs) in any_lists()) {
        let pairs: Vec<_> = pairs.iter().map(|pair| (pair.emigration, pair.immigration)).collect();
        let input = FlowInput {
            terms: terms(),
            origin: &origin,
            destination: &destination,
            pairs: &pairs,
        };
        let table = FlowTable::reconcile(&input).unwrap();
        let bands = AgeBands::try_from(vec![0, 15, 65]).unwrap();
        let published = protect(table, &DisclosureRule { minimum_count: 3 }, &bands).into_published();
        for row in &published.rows {
            if let Some(counts) = row.counts {
                prop_assert_eq!(counts.emigrations, counts.matched + counts.only_origin);
                prop_assert_eq!(counts.immigrations, counts.matched + counts.only_destination);
            }
        }
        for year in &published.years {
            if let (Some(e), Some(agree), Some(timing), Some(partner), Some(unmatched)) = (
                year.emigrations, year.agree, year.timing_origin, year.partner_origin, year.unmatched_origin,
            ) {
                prop_assert_eq!(e, agree + timing + partner + unmatched);
            }
            for count in year.counts().into_iter().flatten() {
                prop_assert!(count == 0 || count >= 3, "a small class is published");
            }
        }
    }
}

#[test]
fn suppresses_cells_below_ten_and_one_more() {
    let root = parent(vec![leaf((50, 40, 30)), leaf((20, 9, 15)), leaf((30, 20, 25))]);
    let published: Vec<bool> = publish(&root).iter().map(Option::is_some).collect();
    // The second is unsafe; the third is the smaller of the others.
    assert_eq!(published, [true, true, false, false]);
}

#[test]
fn an_unsafe_total_hides_everything() {
    let root = parent(vec![leaf((3, 0, 0)), leaf((4, 0, 0))]);
    assert!(publish(&root).iter().all(Option::is_none));
}

#[test]
fn a_small_timing_class_takes_those_it_could_be_derived_from_along() {
    let classes = YearClasses {
        agree: 100,
        origin: SideClasses {
            timing: 4,
            partner: 20,
            unmatched: 30,
        },
        destination: SideClasses {
            timing: 12,
            partner: 3,
            unmatched: 50,
        },
    };
    let corridor = terms().corridor;
    let row = publish_year((corridor, 2022), &classes, false, MINIMUM);
    assert_eq!((row.emigrations, row.immigrations), (Some(154), Some(165)));
    assert_eq!(
        (row.agree, row.timing_origin, row.timing_destination),
        (None, None, None)
    );
    assert_eq!((row.partner_origin, row.unmatched_origin), (Some(20), Some(30)));
    assert_eq!((row.partner_destination, row.unmatched_destination), (None, None));
}

/// An attacker's linear programme on the yearly classes: a variable for the moves with an emigration in one year and an
/// immigration in another (or outside the period), none negative, and, as is usual, no arrival a year before its
/// departure. Published cells and the published sums of the rows are known. Gives the width of what a cell of
/// timing or agreement can be.
fn attack_years(years: &[YearRow], matched: &[Option<u64>], target: (usize, usize)) -> f64 {
    let count = years.len();
    let bound = |direction| {
        let mut problem = Problem::new(direction);
        // Index `count` is outside the period: before it as a year of emigration, after it as one of immigration.
        let cell_of = |from: usize, to: usize| match (from, to) {
            (from, to) if from == to => Some((from, 0)),
            _ => None,
        };
        let mut variables = vec![vec![None; count + 1]; count + 1];
        for (from, variables) in variables.iter_mut().enumerate() {
            for (to, variable) in variables.iter_mut().enumerate() {
                if from == count && to == count || from < count && to < from {
                    continue;
                }
                let is_target = match target.1 {
                    0 => cell_of(from, to) == Some(target),
                    1 => from == target.0 && to != from,
                    _ => to == target.0 && to != from,
                };
                *variable = Some(problem.add_var(f64::from(u8::from(is_target)), (0.0, 1e6)));
            }
        }
        let mut fix = |cells: Vec<microlp::Variable>, value: u64| {
            let value = f64::from(u32::try_from(value).unwrap());
            let sum: Vec<_> = cells.into_iter().map(|cell| (cell, 1.0)).collect();
            problem.add_constraint(sum, ComparisonOp::Eq, value);
        };
        for (year, row) in years.iter().enumerate() {
            let timing_origin: Vec<_> = (0..=count)
                .filter(|&to| to != year)
                .filter_map(|to| variables[year][to])
                .collect();
            let timing_destination: Vec<_> = (0..=count)
                .filter(|&from| from != year)
                .filter_map(|from| variables[from][year])
                .collect();
            let agree: Vec<_> = variables[year][year].into_iter().collect();
            if let Some(value) = row.agree {
                fix(agree.clone(), value);
            }
            if let Some(value) = row.timing_origin {
                fix(timing_origin.clone(), value);
            }
            if let Some(value) = row.timing_destination {
                fix(timing_destination.clone(), value);
            }
            if let Some(matched) = matched[year] {
                fix([agree.clone(), timing_destination].concat(), matched);
            }
            if let (Some(e), Some(partner), Some(unmatched)) =
                (row.emigrations, row.partner_origin, row.unmatched_origin)
            {
                fix([agree, timing_origin].concat(), e - partner - unmatched);
            }
        }
        match problem.solve().unwrap() {
            SolveOutcome::Solution(solution) => solution.objective(),
            SolveOutcome::Interrupted(_) => panic!("no limit was set"),
        }
    };
    bound(OptimizationDirection::Maximize) - bound(OptimizationDirection::Minimize)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_small_timing_class_cannot_be_narrowed_through_the_other_years(
        agree in prop::collection::vec(prop_oneof![Just(0_u64), 1_u64..9, 50_u64..300], 3),
        late in prop::collection::vec(prop_oneof![Just(0_u64), 1_u64..9, 10_u64..60], 4),
        alone in prop::collection::vec(30_u64..200, 6),
    ) {
        // `late[y]`: emigrations of the year before, counted as immigrations in year y.
        let years: BTreeMap<i16, YearClasses> = (0..3)
            .map(|y| {
                let side = |timing, unmatched| SideClasses { timing, partner: 0, unmatched };
                let classes = YearClasses {
                    agree: agree[y],
                    origin: side(late[y + 1], alone[2 * y]),
                    destination: side(late[y], alone[2 * y + 1]),
                };
                (2022 + i16::try_from(y).unwrap(), classes)
            })
            .collect();
        let strata = years
            .iter()
            .map(|(&year, classes)| {
                let counts = Counts {
                    matched: classes.agree + classes.destination.timing,
                    only_origin: classes.origin.unmatched,
                    only_destination: classes.destination.unmatched,
                };
                let stratum = crate::reconcile::Stratum {
                    year,
                    sex: corridor_core::Sex::Female,
                    age_band: None,
                };
                (stratum, counts)
            })
            .collect();
        let reconciliation = crate::reconcile::Reconciliation { terms: terms(), strata, years: years.clone() };
        let table = FlowTable { corridors: vec![reconciliation.into()] };
        let bands = AgeBands::try_from(vec![0]).unwrap();
        let published = protect(table, &DisclosureRule { minimum_count: 10 }, &bands).into_published();
        let matched: Vec<Option<u64>> = published
            .years
            .iter()
            .map(|year| {
                let is_row = |row: &&FlowRow| row.year == Some(year.year) && row.sex.is_none();
                published.rows.iter().find(is_row).and_then(|row| row.counts).map(|counts| counts.matched)
            })
            .collect();
        for (position, classes) in years.values().enumerate() {
            let cells = [classes.agree, classes.origin.timing, classes.destination.timing];
            for (kind, count) in cells.into_iter().enumerate() {
                if is_small(count, MINIMUM) {
                    let width = attack_years(&published.years, &matched, (position, kind));
                    prop_assert!(width >= 10.0 - 1e-6, "year {position} cell {kind}: {count} within {width}");
                }
            }
        }
    }
}
