//! Landmark graph matching: the same people look alike in the same way under every key.

use std::collections::HashSet;

use corridor_core::{Filters, Measure};

use crate::dense::Dense;
use crate::fingerprint::{fingerprints, whiten};
use crate::guess::{Bests, Guess};
use crate::similarity::similarities;

/// Landmark graph matching of a file of filters with another file, or with the attacker's own encoding of a list:
/// two files that share people, but no key.
///
/// Records are first paired by how their similarities are spread (see the crate's documentation); pairs that are each
/// other's best, most confident first, become landmarks, by which all records are described and paired anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GraphMatching {
    /// Rounds of choosing landmarks and pairing by them, at most; a result that no longer changes ends them.
    pub rounds: usize,
    /// Landmarks of a late round, at most; never more than half of the smaller file.
    pub landmarks: usize,
}

impl Default for GraphMatching {
    /// 25 rounds, 1,000 landmarks.
    fn default() -> Self {
        Self {
            rounds: 25,
            landmarks: 1000,
        }
    }
}

/// Weight of the first guess beside the landmarks, in the first round; it falls to zero over [`GUIDED_ROUNDS`].
const FIRST_GUESS_WEIGHT: f32 = 0.6;
/// Rounds in which the first guess is heard, at most; never the last two.
const GUIDED_ROUNDS: usize = 8;
/// Rounds until the number of landmarks has grown from a quarter of its most to its most.
const GROWING_ROUNDS: usize = 12;
/// As many seeds are enough to begin with them alone.
const SEEDS_TO_BEGIN: usize = 10;

impl GraphMatching {
    /// For every record of `target` the record of `list` it is taken for; on ties the one of lower index.
    ///
    /// `seeds` are (target, list) pairs known beforehand. They are landmarks in every round, and their guess is what
    /// is known.
    ///
    /// # Panics
    /// When a seed names a record that is not there.
    pub fn attack(
        &self,
        target: &Filters,
        list: &Filters,
        measure: Measure,
        seeds: &[(usize, usize)],
    ) -> Vec<Guess> {
        if target.is_empty() || list.is_empty() {
            return Vec::new();
        }
        let (target, list) = (similarities(target, measure), similarities(list, measure));
        with_seeds(self.pair(&target, &list, seeds).guesses(), seeds)
    }

    /// Pairs two files by their similarities.
    pub(crate) fn pair(&self, target: &Dense, list: &Dense, seeds: &[(usize, usize)]) -> Bests {
        self.pair_by(target, list, seeds, Landmarks::All)
    }

    fn pair_by(&self, target: &Dense, list: &Dense, seeds: &[(usize, usize)], eligible: Landmarks) -> Bests {
        let seeds: Vec<(usize, usize)> = seeds
            .iter()
            .copied()
            .filter(|seed| eligible.has(seed.0))
            .collect();
        let guided = GUIDED_ROUNDS.min(self.rounds.saturating_sub(2));
        let (mut target_prints, mut list_prints) = (fingerprints(target), fingerprints(list));
        whiten(&mut target_prints, &mut list_prints);
        let mut bests = Bests::of(&nearness(&target_prints, &list_prints));
        target_prints.standardise_rows();
        list_prints.standardise_rows();
        let most = self.landmarks.min(target.rows().min(list.rows()) / 2);
        let mut before = Vec::new();
        for round in 0..self.rounds {
            let landmarks = if round == 0 && seeds.len() >= SEEDS_TO_BEGIN {
                seeds.clone()
            } else {
                choose(&bests, &seeds, landmark_count(round, most), eligible)
            };
            if round > GROWING_ROUNDS && landmarks == before {
                break;
            }
            let mut left = coordinates(target, landmarks.iter().map(|pair| pair.0));
            let mut right = coordinates(list, landmarks.iter().map(|pair| pair.1));
            if round < guided {
                let weight = FIRST_GUESS_WEIGHT * (1.0 - round as f32 / guided as f32);
                left = left.beside(&scaled(&target_prints, weight));
                right = right.beside(&scaled(&list_prints, weight));
            }
            bests = Bests::of(&left.times_transposed(&right));
            before = landmarks;
        }
        bests
    }

    /// Pairs twice, once with target records of even index as landmarks and once with those of odd index, and returns
    /// for how many records, as a share of the smaller file, both come to the same pair.
    ///
    /// The two have no similarity in common that decides their last round, so that agreement is near zero where nothing
    /// was understood, however well one of them fits itself. (Splitting the landmarks of one finished pairing does not
    /// do: they were chosen because they agree.) It needs no truth.
    pub(crate) fn self_consistency(&self, target: &Dense, list: &Dense, seeds: &[(usize, usize)]) -> f64 {
        let [even, odd] = [Landmarks::Even, Landmarks::Odd].map(|eligible| {
            let pairs = self.pair_by(target, list, seeds, eligible).mutual_pairs();
            pairs.into_iter().collect::<HashSet<_>>()
        });
        crate::guess::share(even.intersection(&odd).count(), target.rows().min(list.rows()))
    }
}

/// Target records that may be landmarks, by their index.
#[derive(Clone, Copy)]
enum Landmarks {
    All,
    Even,
    Odd,
}

impl Landmarks {
    fn has(self, target: usize) -> bool {
        match self {
            Self::All => true,
            Self::Even => target.is_multiple_of(2),
            Self::Odd => !target.is_multiple_of(2),
        }
    }
}

/// Puts what is known in the place of what was guessed.
pub(crate) fn with_seeds(mut guesses: Vec<Guess>, seeds: &[(usize, usize)]) -> Vec<Guess> {
    for &(target, list_record) in seeds {
        guesses[target] = Guess {
            list_record,
            confidence: f64::INFINITY,
        };
    }
    guesses
}

fn landmark_count(round: usize, most: usize) -> usize {
    let fewest = most.div_ceil(4);
    fewest + (most - fewest) * round.min(GROWING_ROUNDS) / GROWING_ROUNDS
}

/// The seeds, then the most confident eligible mutual pairs that do not contradict them, up to `count` in all.
fn choose(bests: &Bests, seeds: &[(usize, usize)], count: usize, eligible: Landmarks) -> Vec<(usize, usize)> {
    let seeded_targets: HashSet<usize> = seeds.iter().map(|seed| seed.0).collect();
    let seeded_list: HashSet<usize> = seeds.iter().map(|seed| seed.1).collect();
    let guessed = bests
        .mutual_pairs()
        .into_iter()
        .filter(|(target, list)| {
            eligible.has(*target) && !seeded_targets.contains(target) && !seeded_list.contains(list)
        })
        .take(count.saturating_sub(seeds.len()));
    seeds.iter().copied().chain(guessed).collect()
}

/// Double-centred similarities of all records to `landmarks`, each row scaled to length one.
fn coordinates(
    similarities: &Dense,
    landmarks: impl ExactSizeIterator<Item = usize> + Clone + Sync + Send,
) -> Dense {
    let mut coordinates = Dense::zeros(similarities.rows(), landmarks.len());
    for row in 0..similarities.rows() {
        let from = similarities.row(row);
        for (value, landmark) in coordinates.row_mut(row).iter_mut().zip(landmarks.clone()) {
            *value = from[landmark];
        }
    }
    coordinates.centre_columns();
    coordinates.standardise_rows();
    coordinates
}

fn scaled(prints: &Dense, weight: f32) -> Dense {
    let mut scaled = prints.clone();
    scaled.map(|value| value * weight);
    scaled
}

/// Minus half the squared distance of every target row to every list row.
fn nearness(target: &Dense, list: &Dense) -> Dense {
    let mut ones = Dense::zeros(target.rows(), 1);
    ones.map(|_| 1.0);
    let left = target.beside(&minus_half_squares(target)).beside(&ones);
    let mut ones = Dense::zeros(list.rows(), 1);
    ones.map(|_| 1.0);
    let right = list.beside(&ones).beside(&minus_half_squares(list));
    left.times_transposed(&right)
}

fn minus_half_squares(side: &Dense) -> Dense {
    let mut squares = Dense::zeros(side.rows(), 1);
    for row in 0..side.rows() {
        squares.row_mut(row)[0] = -side.row(row).iter().map(|x| x * x).sum::<f32>() / 2.0;
    }
    squares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn landmarks_are_the_seeds_first_and_nothing_that_contradicts_them() {
        let mut scores = Dense::zeros(5, 5);
        for row in 0..5_usize {
            scores.row_mut(row)[row] = row as f32 + 1.0;
        }
        let bests = Bests::of(&scores);
        assert_eq!(choose(&bests, &[], 2, Landmarks::All), [(4, 4), (3, 3)]);
        assert_eq!(choose(&bests, &[], 2, Landmarks::Odd), [(3, 3), (1, 1)]);
        assert_eq!(
            choose(&bests, &[(0, 4)], 3, Landmarks::All),
            [(0, 4), (3, 3), (2, 2)]
        );
        assert_eq!(
            choose(&bests, &[(0, 4), (1, 0)], 1, Landmarks::All),
            [(0, 4), (1, 0)]
        );
    }

    #[test]
    fn landmarks_grow_from_a_quarter_to_all() {
        assert_eq!(landmark_count(0, 1000), 250);
        assert_eq!(landmark_count(GROWING_ROUNDS, 1000), 1000);
        assert_eq!(landmark_count(99, 1000), 1000);
    }
}
