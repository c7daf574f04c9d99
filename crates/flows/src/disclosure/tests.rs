use microlp::{ComparisonOp, OptimizationDirection, Problem, SolveOutcome};
use proptest::prelude::*;

use super::*;
use crate::reconcile::tests::{any_lists, terms};
use crate::table::FlowInput;

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
    let row = publish_year(terms().corridor, 2022, &classes, MINIMUM);
    assert_eq!((row.emigrations, row.immigrations), (Some(154), Some(165)));
    assert_eq!(
        (row.agree, row.timing_origin, row.timing_destination),
        (None, None, None)
    );
    assert_eq!((row.partner_origin, row.unmatched_origin), (Some(20), Some(30)));
    assert_eq!((row.partner_destination, row.unmatched_destination), (None, None));
}
