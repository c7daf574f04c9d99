use std::collections::HashMap;

use crate::side::LinkSide;
use crate::tile::CandidatePair;

/// The best candidate of two persons: the pair of their records most alike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct PersonPair {
    pub(crate) left_person: u32,
    pub(crate) right_person: u32,
    pub(crate) best: CandidatePair,
}

/// One pair per two persons, by similarity descending, then left record, then right record.
pub(crate) fn to_person_pairs(
    candidates: &[CandidatePair],
    left: &LinkSide<'_>,
    right: &LinkSide<'_>,
) -> Vec<PersonPair> {
    let mut sorted: Vec<&CandidatePair> = candidates.iter().collect();
    sorted.sort_unstable_by(|a, b| {
        b.similarity
            .total_cmp(&a.similarity)
            .then(a.left.cmp(&b.left))
            .then(a.right.cmp(&b.right))
    });
    let mut seen = std::collections::HashSet::with_capacity(sorted.len());
    sorted
        .into_iter()
        .filter_map(|candidate| {
            let pair = PersonPair {
                left_person: left.person_of(candidate.left),
                right_person: right.person_of(candidate.right),
                best: *candidate,
            };
            seen.insert((pair.left_person, pair.right_person)).then_some(pair)
        })
        .collect()
}

/// Greedy one-to-one assignment: best first, each person once. `pairs` in the order of
/// [`to_person_pairs`]; the result keeps it.
pub(crate) fn assign_greedy(pairs: &[PersonPair]) -> Vec<PersonPair> {
    let mut taken_left = std::collections::HashSet::new();
    let mut taken_right = std::collections::HashSet::new();
    pairs
        .iter()
        .filter(|pair| {
            let free = !taken_left.contains(&pair.left_person) && !taken_right.contains(&pair.right_person);
            if free {
                taken_left.insert(pair.left_person);
                taken_right.insert(pair.right_person);
            }
            free
        })
        .copied()
        .collect()
}

/// Links whose best rival, a pair with one of the same two persons, is less than `margin` behind.
pub(crate) fn count_ambiguous(links: &[PersonPair], pairs: &[PersonPair], margin: f64) -> usize {
    let mut left: HashMap<u32, Vec<(u32, f64)>> = HashMap::new();
    let mut right: HashMap<u32, Vec<(u32, f64)>> = HashMap::new();
    let keep_two = |rivals: &mut Vec<(u32, f64)>, entry| {
        // Pairs come best first, so the first two are the best two.
        if rivals.len() < 2 {
            rivals.push(entry);
        }
    };
    for pair in pairs {
        let similarity = pair.best.similarity;
        keep_two(
            left.entry(pair.left_person).or_default(),
            (pair.right_person, similarity),
        );
        keep_two(
            right.entry(pair.right_person).or_default(),
            (pair.left_person, similarity),
        );
    }
    links
        .iter()
        .filter(|link| {
            let close = |rivals: Option<&Vec<(u32, f64)>>, partner: u32| {
                rivals.is_some_and(|rivals| {
                    rivals
                        .iter()
                        .any(|&(other, s)| other != partner && s > link.best.similarity - margin)
                })
            };
            close(left.get(&link.left_person), link.right_person)
                || close(right.get(&link.right_person), link.left_person)
        })
        .count()
}
