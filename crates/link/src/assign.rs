use std::collections::HashMap;

use corridor_core::{Assignment, Side, Stop, Stopped};

use crate::by_person::ByPerson;
use crate::hungarian::least_cost_assignment;
use crate::pairs::{PersonPair, PersonPairs, by_similarity};
use crate::tile::to_index;

/// Greedy one-to-one assignment: best first, each person once. The result keeps the order of `pairs`.
pub(crate) fn assign_greedy(pairs: &dyn PersonPairs) -> Vec<PersonPair> {
    take_greedily(pairs.walk())
}

fn take_greedily(pairs: impl Iterator<Item = PersonPair>) -> Vec<PersonPair> {
    let (mut left, mut right) = (ByPerson::new(false), ByPerson::new(false));
    pairs
        .filter(|pair| {
            let is_free = !left.get(pair.left_person) && !right.get(pair.right_person);
            if is_free {
                *left.get_mut(pair.left_person) = true;
                *right.get_mut(pair.right_person) = true;
            }
            is_free
        })
        .collect()
}

/// The most similar partner of each person of `side`, whose partners may have several. The result keeps the order of `pairs`.
pub(crate) fn assign_to_nearest(pairs: &dyn PersonPairs, side: Side) -> Vec<PersonPair> {
    let mut taken = ByPerson::new(false);
    let is_first = |pair: &PersonPair| {
        let person = match side {
            Side::Origin => pair.left_person,
            Side::Destination => pair.right_person,
        };
        !std::mem::replace(taken.get_mut(person), true)
    };
    pairs.walk().filter(is_first).collect()
}

/// A component larger than this on its smaller side is not solved exactly.
const MOST_EXACT: usize = 300;

/// Nor is one that takes more steps than this: the square of its smaller side times its larger.
const MOST_STEPS: usize = 100_000_000;

/// Links by another rule than greedy, and the components of pairs that were too large for it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Assigned {
    pub(crate) links: Vec<PersonPair>,
    pub(crate) greedy_components: usize,
}

/// The links of the highest total similarity, found on each connected component of `pairs` on its own. A component with
/// more than [`MOST_EXACT`] persons on its smaller side, or that takes more than [`MOST_STEPS`], is assigned greedily and counted.
/// About `most_held` pairs are looked at together. Order as in `pairs`.
///
/// # Errors
/// When `stop` is set.
pub(crate) fn assign_optimal(
    pairs: &dyn PersonPairs,
    most_held: usize,
    stop: &Stop,
) -> Result<Assigned, Stopped> {
    let components = Components::of(pairs);
    stop.check()?;
    let greedy_components = components.all.iter().filter(|size| size.is_too_large()).count();
    let of_large = pairs
        .walk()
        .filter(|pair| components.all[components.of_pair(pair)].is_too_large());
    let mut links = take_greedily(of_large);
    let mut first = 0;
    while first < components.all.len() {
        stop.check()?;
        let end = components.end_of_batch(first, most_held);
        let is_wanted = components.all[first..end].iter().any(|size| !size.is_too_large());
        let mut batch = vec![Vec::new(); end - first];
        for pair in pairs.walk().take_while(|_| is_wanted) {
            let component = components.of_pair(&pair);
            if (first..end).contains(&component) && !components.all[component].is_too_large() {
                batch[component - first].push(pair);
            }
        }
        for component in batch {
            stop.check()?;
            assign_component(component, &mut links);
        }
        first = end;
    }
    links.sort_unstable_by(by_similarity);
    Ok(Assigned {
        links,
        greedy_components,
    })
}

/// Adds the links of the highest total similarity of a component.
fn assign_component(component: Vec<PersonPair>, links: &mut Vec<PersonPair>) {
    let number = |persons: &mut Vec<u32>| {
        persons.sort_unstable();
        persons.dedup();
    };
    let mut left: Vec<u32> = component.iter().map(|pair| pair.left_person).collect();
    let mut right: Vec<u32> = component.iter().map(|pair| pair.right_person).collect();
    number(&mut left);
    number(&mut right);
    // Rows are the smaller side: the method's cost grows with their square.
    let is_left_rows = left.len() <= right.len();
    let position =
        |persons: &[u32], person: u32| persons.binary_search(&person).expect("a person of the component");
    let (rows, columns) = if is_left_rows {
        (left.len(), right.len())
    } else {
        (right.len(), left.len())
    };
    let mut of_cell: HashMap<(usize, usize), PersonPair> = HashMap::with_capacity(component.len());
    for pair in component {
        let cell = (
            position(&left, pair.left_person),
            position(&right, pair.right_person),
        );
        let cell = if is_left_rows { cell } else { (cell.1, cell.0) };
        of_cell.insert(cell, pair);
    }
    let cost = |row: usize, column: usize| {
        of_cell
            .get(&(row, column))
            .map(|pair| -to_weight(pair.best.similarity))
    };
    for cell in least_cost_assignment(rows, columns, 0, &cost) {
        links.push(of_cell[&cell]);
    }
}

/// Similarity in units of 10⁻¹². Above zero, so that a pair is better than none.
#[expect(clippy::cast_possible_truncation, reason = "a similarity is in (0, 1]")]
fn to_weight(similarity: f64) -> i64 {
    ((similarity * 1e12).round() as i64).max(1)
}

/// Pairs of persons who are each other's most similar, ties by the order of `pairs`.
pub(crate) fn assign_mutual_best(pairs: &dyn PersonPairs) -> Vec<PersonPair> {
    let (mut of_left, mut of_right) = (ByPerson::new(None), ByPerson::new(None));
    for pair in pairs.walk() {
        of_left.get_mut(pair.left_person).get_or_insert(pair.right_person);
        of_right
            .get_mut(pair.right_person)
            .get_or_insert(pair.left_person);
    }
    pairs
        .walk()
        .filter(|pair| {
            of_left.get(pair.left_person) == Some(pair.right_person)
                && of_right.get(pair.right_person) == Some(pair.left_person)
        })
        .collect()
}

/// Which pairs are connected through persons they share.
struct Components {
    /// Component of each person of the left, at even places, and of the right, at odd ones; [`NO_PAIR`] of those without pairs.
    of_persons: Vec<usize>,
    /// By their first pair.
    all: Vec<ComponentSize>,
}

#[derive(Debug, Clone, Copy, Default)]
struct ComponentSize {
    left: usize,
    right: usize,
    pairs: usize,
}

impl ComponentSize {
    fn is_too_large(&self) -> bool {
        let (fewer, more) = (self.left.min(self.right), self.left.max(self.right));
        fewer > MOST_EXACT || fewer * fewer > MOST_STEPS / more
    }
}

const NO_PAIR: usize = usize::MAX;

fn places(pair: &PersonPair) -> [usize; 2] {
    [
        2 * to_index(pair.left_person),
        2 * to_index(pair.right_person) + 1,
    ]
}

impl Components {
    /// Union-find over the persons, in a walk over the pairs; another counts.
    fn of(pairs: &dyn PersonPairs) -> Self {
        fn root(parents: &mut [usize], mut place: usize) -> usize {
            while parents[place] != place {
                parents[place] = parents[parents[place]];
                place = parents[place];
            }
            place
        }
        let mut parents: Vec<usize> = Vec::new();
        for pair in pairs.walk() {
            let [left, right] = places(&pair);
            for place in parents.len()..=left.max(right) {
                parents.push(place);
            }
            let (a, b) = (root(&mut parents, left), root(&mut parents, right));
            parents[a.max(b)] = a.min(b);
        }
        let mut all: Vec<ComponentSize> = Vec::new();
        let mut of_roots = vec![NO_PAIR; parents.len()];
        let mut of_persons = vec![NO_PAIR; parents.len()];
        for pair in pairs.walk() {
            let places = places(&pair);
            let top = root(&mut parents, places[0]);
            if of_roots[top] == NO_PAIR {
                of_roots[top] = all.len();
                all.push(ComponentSize::default());
            }
            let component = of_roots[top];
            let size = &mut all[component];
            for (place, persons) in places.into_iter().zip([&mut size.left, &mut size.right]) {
                if of_persons[place] == NO_PAIR {
                    of_persons[place] = component;
                    *persons += 1;
                }
            }
            size.pairs += 1;
        }
        Self { of_persons, all }
    }

    fn of_pair(&self, pair: &PersonPair) -> usize {
        self.of_persons[places(pair)[0]]
    }

    /// Components from `first` on that have about so many pairs together that are to be held; one at least.
    fn end_of_batch(&self, first: usize, most_held: usize) -> usize {
        let mut held = 0;
        let fits = |size: &&ComponentSize| {
            held += if size.is_too_large() { 0 } else { size.pairs };
            held <= most_held
        };
        let count = self.all[first..].iter().take_while(fits).count();
        first + count.max(1)
    }
}

/// Links whose best rival is less than `margin` behind: a pair with one of the same two persons, if that person has one place.
pub(crate) fn count_ambiguous(
    links: &[PersonPair],
    pairs: &dyn PersonPairs,
    assignment: Assignment,
    margin: f64,
) -> usize {
    const NOBODY: (u32, f64) = (u32::MAX, f64::NEG_INFINITY);
    let (mut left, mut right) = (ByPerson::new([NOBODY; 2]), ByPerson::new([NOBODY; 2]));
    // Pairs come best first, so the first two are the best two.
    let keep_two = |best: &mut [(u32, f64); 2], partner| {
        if let Some(free) = best.iter_mut().find(|best| **best == NOBODY) {
            *free = partner;
        }
    };
    for pair in pairs.walk() {
        let similarity = pair.best.similarity;
        keep_two(left.get_mut(pair.left_person), (pair.right_person, similarity));
        keep_two(right.get_mut(pair.right_person), (pair.left_person, similarity));
    }
    links
        .iter()
        .filter(|link| {
            let close = |best: [(u32, f64); 2], partner: u32| {
                best.into_iter()
                    .any(|(other, s)| other != partner && s > link.best.similarity - margin)
            };
            (assignment != Assignment::OneToMany && close(left.get(link.left_person), link.right_person))
                || (assignment != Assignment::ManyToOne
                    && close(right.get(link.right_person), link.left_person))
        })
        .count()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::tile::CandidatePair;
    use proptest::prelude::*;

    fn pairs(cells: &[(u32, u32, u32)]) -> Vec<PersonPair> {
        let mut seen = HashSet::new();
        let mut pairs: Vec<PersonPair> = cells
            .iter()
            .filter(|(left, right, _)| seen.insert((*left, *right)))
            .map(|&(left, right, percent)| PersonPair {
                left_person: left,
                right_person: right,
                best: CandidatePair {
                    left,
                    right,
                    similarity: f64::from(percent) / 100.0,
                },
            })
            .collect();
        pairs.sort_unstable_by(by_similarity);
        pairs
    }

    fn total(links: &[PersonPair]) -> f64 {
        links.iter().map(|link| link.best.similarity).sum()
    }

    /// Every way to assign, tried.
    fn best_total(pairs: &[PersonPair], used_left: u32, used_right: u32) -> f64 {
        let Some((first, rest)) = pairs.split_first() else {
            return 0.0;
        };
        let without = best_total(rest, used_left, used_right);
        if used_left >> first.left_person & 1 == 1 || used_right >> first.right_person & 1 == 1 {
            return without;
        }
        let with = first.best.similarity
            + best_total(
                rest,
                used_left | 1 << first.left_person,
                used_right | 1 << first.right_person,
            );
        without.max(with)
    }

    #[test]
    fn a_household_may_have_several_partners_who_have_one_each() {
        let pairs = pairs(&[
            (0, 0, 90),
            (0, 1, 80),
            (1, 1, 80),
            (1, 0, 70),
            (2, 2, 60),
            (3, 2, 60),
        ]);
        let ends = |links: Vec<PersonPair>| -> Vec<(u32, u32)> {
            links
                .iter()
                .map(|link| (link.left_person, link.right_person))
                .collect()
        };
        // Of two as similar, the first.
        let to_one = assign_to_nearest(&pairs, Side::Destination);
        assert_eq!(ends(to_one.clone()), [(0, 0), (0, 1), (2, 2)]);
        assert_eq!(
            ends(assign_to_nearest(&pairs, Side::Origin)),
            [(0, 0), (1, 1), (2, 2), (3, 2)]
        );
        // The second partner is no rival of the first, but who might have had him is.
        assert_eq!(count_ambiguous(&to_one, &pairs, Assignment::OneToMany, 0.15), 2);
        assert_eq!(count_ambiguous(&to_one, &pairs, Assignment::Greedy, 0.15), 3);
    }

    fn is_one_to_one(links: &[PersonPair]) -> bool {
        let (mut left, mut right) = (HashSet::new(), HashSet::new());
        links
            .iter()
            .all(|link| left.insert(link.left_person) && right.insert(link.right_person))
    }

    proptest! {
        #[test]
        fn optimal_is_the_best_of_all_and_never_below_greedy(
            cells in prop::collection::vec((0_u32..6, 0_u32..5, 1_u32..=100), 0..14),
        ) {
            let pairs = pairs(&cells);
            let optimal = assign_optimal(&pairs, usize::MAX, &Stop::default()).unwrap();
            prop_assert_eq!(optimal.greedy_components, 0);
            prop_assert!(is_one_to_one(&optimal.links) && is_one_to_one(&assign_greedy(&pairs)));
            prop_assert!((total(&optimal.links) - best_total(&pairs, 0, 0)).abs() < 1e-9);
            prop_assert!(total(&optimal.links) >= total(&assign_greedy(&pairs)) - 1e-9);
            prop_assert!(optimal.links.is_sorted_by(|a, b| by_similarity(a, b).is_lt()));
            let mutual = assign_mutual_best(&pairs);
            prop_assert!(is_one_to_one(&mutual));
            prop_assert!(mutual.iter().all(|link| assign_greedy(&pairs).contains(link)));
        }
    }

    #[test]
    fn a_component_too_large_is_assigned_greedily_and_counted() {
        let size = u32::try_from(MOST_EXACT).unwrap() + 1;
        let chain: Vec<(u32, u32, u32)> = (0..size).flat_map(|i| [(i, i, 50), (i, i + 1, 60)]).collect();
        let pairs = pairs(&chain);
        let assigned = assign_optimal(&pairs, usize::MAX, &Stop::default()).unwrap();
        assert_eq!(assigned.greedy_components, 1);
        assert_eq!(assigned.links, assign_greedy(&pairs));
    }

    #[test]
    fn a_few_persons_like_very_many_are_assigned_greedily_too() {
        let fewer = 200_u32;
        let most = u32::try_from(MOST_STEPS).unwrap() / (fewer * fewer);
        for (more, greedy) in [(most, 0), (most + 1, 1)] {
            // Everybody of the left is like one of the right, who is like all others of the left.
            let spokes = (0..fewer).map(|i| (i, 0, 50));
            let rim = (fewer..more).map(|i| (i % fewer, i, 60));
            let others = (1..fewer).map(|i| (i, i, 70));
            let pairs = pairs(&spokes.chain(rim).chain(others).collect::<Vec<_>>());
            let assigned = assign_optimal(&pairs, usize::MAX, &Stop::default()).unwrap();
            assert_eq!(assigned.greedy_components, greedy, "{more} persons");
        }
    }
}
