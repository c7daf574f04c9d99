use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use corridor_core::{Entropy, SeededEntropy};
use rayon::prelude::*;

use crate::LinkError;
use crate::fields::em::{
    Fit, Levels, PatternCounts, RivalPair, Rivalry, Start, Unmatched, bits, fit, odds, total_bits,
};
use crate::fields::pattern::{FieldParts, LEVELS, MISSING, Pattern};
use crate::null::sample_rows;
use crate::pairs::{PersonPair, PersonPairs};
use crate::side::LinkSide;
use crate::tile::to_index;

/// What agreement in each field is worth, learnt from the run itself without truth.
///
/// The match weight of a pair is the sum over its fields of log₂(m/u), in bits: m is the share of matches that agree on that
/// level, u that of other pairs (Fellegi & Sunter 1969). u is taken from pairs drawn at random; m and the share λ of matches are
/// fitted by expectation–maximisation to all candidate pairs. Where the agreement says that a field's values are weighed by
/// their frequency, full agreement on a value v counts log₂(m/f(v)), f(v) being its share in both registers (Newcombe et al. 1959;
/// Winkler 1989): to share a rare name says more than to share a common one. Values are told apart by their bits only.
///
/// The model does not know that fields of strangers hang together, as names within a family do. So the probability it gives
/// is reported, and what is linked is decided from its weights by the same two estimators that serve whole filters.
#[derive(Clone)]
pub struct FieldModel {
    parts: FieldParts,
    fit: Fit,
    bits: Vec<Levels>,
    /// By field: how many of both sides' records have each value, where values are weighed.
    frequencies: Vec<Option<HashMap<u64, u32>>>,
    records: f64,
    /// Odds of a match before the fields of two persons are seen.
    prior_odds: f64,
    starts_agree: bool,
    missing: Vec<f64>,
    /// Lowest and highest match weight there can be.
    range: (f64, f64),
}

/// Pairs drawn at random, about.
const RANDOM_PAIRS: usize = 8_000_000;
/// Records of the right side among them, at most.
const RANDOM_RIGHT: usize = 8_000;
/// Matches the model must expect: fewer do not tell what matches look like.
const LEAST_MATCHES: f64 = 10.0;
/// Bits of evidence that make a field say something.
const LEAST_BITS: f64 = 1.0;
/// Fields that must say something: with u known, one field alone cannot tell many bad matches from few good ones.
const LEAST_FIELDS: usize = 2;
/// Share of matches on a level from which on it is common among them.
const TELLING_SHARE: f64 = 0.05;
/// Pairs on a level below which nothing was learnt for it; the weight every level keeps is less.
const SEEN: f64 = 0.5;
/// Two starts agree when the λ they end at differ by at most this part.
const STARTS_AGREE: f64 = 0.02;
/// Scores are multiples of this, so that the last digit of a logarithm decides no order.
const SCORE_STEPS: f64 = 1e6;

impl FieldModel {
    /// Learns from the candidate pairs of a run, one per two persons. `weighed` are the fields whose values are weighed by
    /// frequency. Runs on the current rayon pool; the same for the same `seed`, whatever its size.
    ///
    /// # Errors
    /// When the fields do not tell matches from others, or the work is stopped.
    pub(crate) fn learn(
        (left, right): (&LinkSide<'_>, &LinkSide<'_>),
        parts: &FieldParts,
        weighed: &[usize],
        pairs: &dyn PersonPairs,
        seed: u64,
    ) -> Result<Self, LinkError> {
        let data = count_patterns(left, right, parts, pairs);
        let random = random_shares(left, right, parts, &mut SeededEntropy::new(seed, "random pairs"));
        let (left_persons, right_persons) = (left.person_count(), right.person_count());
        let all_pairs = to_f64(left_persons) * to_f64(right_persons);
        let most = to_f64(left_persons.min(right_persons)) / all_pairs;
        let fits = STARTS.map(|(share, m)| {
            let start = Start {
                lambda: (share * most).min(0.5),
                m,
            };
            fit(&data, &random, &start, left.stop())
        });
        let [first, second] = fits;
        let (first, second) = (first?, second?);
        let starts_agree = (first.lambda / second.lambda - 1.0).abs() <= STARTS_AGREE;
        let prior_odds = data
            .rivalry
            .as_ref()
            .map_or(first.lambda, |rivalry| rivalry.prior_odds(first.lambda));
        let bits = settled_bits(&first, first.lambda * all_pairs, random.pairs());
        let says_something = |field: &usize| {
            let of_level = |level: usize| (bits[*field][level].abs(), first.m[*field][level]);
            (0..LEVELS)
                .map(of_level)
                .any(|(bits, m)| bits >= LEAST_BITS && m >= TELLING_SHARE)
        };
        let telling = (0..data.fields).filter(says_something).count();
        if !first.converged || telling < LEAST_FIELDS || first.lambda * all_pairs < LEAST_MATCHES {
            return Err(LinkError::FieldsIndeterminate);
        }
        let records = to_f64(left.len() + right.len());
        let frequencies: Vec<_> = (0..data.fields)
            .map(|field| {
                weighed
                    .contains(&field)
                    .then(|| count_values([left, right], parts, field))
            })
            .collect();
        let range = weight_range(&bits, &first, &frequencies, records);
        Ok(Self {
            missing: (0..data.fields)
                .map(|field| missing_share([left, right], parts, field))
                .collect(),
            parts: parts.clone(),
            fit: first,
            bits,
            frequencies,
            records,
            prior_odds,
            starts_agree,
            range,
        })
    }

    /// Bits of evidence of each field for a match of two records, in the order of the fields; 0 where it is missing. Their sum is
    /// the match weight. Says nothing of the values.
    pub(crate) fn evidence(&self, left: &[u64], right: &[u64]) -> Vec<f64> {
        let pattern = self.parts.compare(left, right);
        (0..self.bits.len())
            .map(|field| match pattern.level(field) {
                MISSING => 0.0,
                0 => self.bits_of_value(field, self.parts.part(left, field)),
                level => self.bits[field][usize::from(level)],
            })
            .collect()
    }

    /// The match weight in bits.
    pub(crate) fn weight(&self, left: &[u64], right: &[u64]) -> f64 {
        if self.frequencies.iter().all(Option::is_none) {
            total_bits(&self.bits, self.parts.compare(left, right))
        } else {
            self.evidence(left, right).iter().sum()
        }
    }

    fn bits_of_value(&self, field: usize, part: &[u64]) -> f64 {
        let Some(counts) = &self.frequencies[field] else {
            return self.bits[field][0];
        };
        // Two records have it: those compared.
        let count = counts.get(&to_value(part)).copied().unwrap_or(2).max(2);
        (self.fit.m[field][0] * self.records / f64::from(count)).log2()
    }

    /// The match weight on a scale from 0, the lowest there can be, to 1, the highest, in steps of a millionth.
    pub(crate) fn score(&self, weight: f64) -> f64 {
        let (low, high) = self.range;
        (((weight - low) / (high - low)).clamp(0.0, 1.0) * SCORE_STEPS).round() / SCORE_STEPS
    }

    /// The match weight of a score.
    pub(crate) fn weight_of(&self, score: f64) -> f64 {
        let (low, high) = self.range;
        low + score * (high - low)
    }

    /// Probability of each pair of persons by the model, set against its rivals.
    pub(crate) fn probabilities(
        &self,
        pairs: &dyn PersonPairs,
        (left, right): (&LinkSide<'_>, &LinkSide<'_>),
    ) -> Vec<f64> {
        let odds: Vec<f64> = pairs
            .walk()
            .map(|pair| odds(self.prior_odds, self.weight_of(pair.best.similarity)))
            .collect();
        let rival_pairs = pairs.walk().zip(0..).map(|(pair, position)| RivalPair {
            left: pair.left_person,
            right: pair.right_person,
            pattern: position,
        });
        let rivalry = Rivalry {
            pairs: rival_pairs.collect(),
            left_persons: left.person_count(),
            right_persons: right.person_count(),
        };
        let mut probabilities = Vec::with_capacity(odds.len());
        rivalry.probabilities(&odds, |_, probability| probabilities.push(probability));
        probabilities
    }

    /// The match weight from which on the model gives a pair without rivals at least this probability, of (0, 1].
    pub(crate) fn weight_for(&self, probability: f64) -> f64 {
        (probability / (1.0 - probability) / self.prior_odds).log2()
    }

    pub(crate) const fn fit(&self) -> &Fit {
        &self.fit
    }

    pub(crate) const fn parts(&self) -> &FieldParts {
        &self.parts
    }

    pub(crate) fn missing(&self, field: usize) -> f64 {
        self.missing[field]
    }

    pub(crate) fn is_weighed(&self, field: usize) -> bool {
        self.frequencies[field].is_some()
    }

    pub(crate) fn bits_of(&self, field: usize, level: usize) -> f64 {
        self.bits[field][level]
    }

    pub(crate) const fn starts_agree(&self) -> bool {
        self.starts_agree
    }
}

/// Says how many fields there are, nothing of values.
impl fmt::Debug for FieldModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FieldModel({} fields, λ {})", self.bits.len(), self.fit.lambda)
    }
}

/// Two starts, far from each other: matches as many as the smaller side holds and clean, or few and bad.
const STARTS: [(f64, Levels); 2] = [
    (0.6, [0.6, 0.12, 0.1, 0.05, 0.05, 0.04, 0.02, 0.02]),
    (0.05, [0.25, 0.2, 0.15, 0.1, 0.1, 0.08, 0.06, 0.06]),
];

/// Pairs whose fields are compared at a time, on all threads.
const PAIRS_AT_ONCE: usize = 1 << 16;

fn count_patterns(
    left: &LinkSide<'_>,
    right: &LinkSide<'_>,
    parts: &FieldParts,
    pairs: &dyn PersonPairs,
) -> PatternCounts {
    let mut walk = pairs.walk();
    let mut some: Vec<PersonPair> = Vec::with_capacity(PAIRS_AT_ONCE);
    // Numbered as they are met, until all are known.
    let mut number_of: HashMap<Pattern, u32> = HashMap::new();
    let mut rival_pairs = Vec::new();
    loop {
        some.clear();
        some.extend(walk.by_ref().take(PAIRS_AT_ONCE));
        if some.is_empty() {
            break;
        }
        let compare =
            |pair: &PersonPair| parts.compare(left.row_of(pair.best.left), right.row_of(pair.best.right));
        let patterns: Vec<Pattern> = some.par_iter().map(compare).collect();
        for (pair, pattern) in some.iter().zip(patterns) {
            let next = u32::try_from(number_of.len()).expect("fewer patterns than records can be named");
            rival_pairs.push(RivalPair {
                left: pair.left_person,
                right: pair.right_person,
                pattern: *number_of.entry(pattern).or_insert(next),
            });
        }
    }
    let mut in_order: Vec<(Pattern, u32)> = number_of.into_iter().collect();
    in_order.sort_unstable();
    let mut patterns: Vec<(Pattern, f64)> = in_order.iter().map(|(pattern, _)| (*pattern, 0.0)).collect();
    let mut place_of = vec![0; patterns.len()];
    for ((_, number), place) in in_order.iter().zip(0..) {
        place_of[to_index(*number)] = place;
    }
    for pair in &mut rival_pairs {
        pair.pattern = place_of[to_index(pair.pattern)];
        patterns[to_index(pair.pattern)].1 += 1.0;
    }
    let pair_count = rival_pairs.len();
    let rivalry = Rivalry {
        pairs: rival_pairs,
        left_persons: left.person_count(),
        right_persons: right.person_count(),
    };
    let all_pairs = to_f64(left.person_count()) * to_f64(right.person_count());
    PatternCounts {
        fields: parts.names().len(),
        patterns,
        unlike: (all_pairs - to_f64(pair_count)).max(0.0),
        rivalry: Some(rivalry),
    }
}

/// Shares of the levels of each field among pairs of a record of the left and one of the right, drawn at random.
fn random_shares(
    left: &LinkSide<'_>,
    right: &LinkSide<'_>,
    parts: &FieldParts,
    entropy: &mut dyn Entropy,
) -> Unmatched {
    let right_rows = sample_rows(right.len(), RANDOM_RIGHT, entropy);
    let left_rows = sample_rows(left.len(), RANDOM_PAIRS / right_rows.len(), entropy);
    let fields = parts.names().len();
    let none = || vec![[0_u64; LEVELS]; fields];
    let counts = left_rows
        .par_chunks(8)
        .map(|rows| {
            let mut counts = none();
            for &row in rows {
                for &other in &right_rows {
                    let pattern = parts.compare(left.row(row), right.row(other));
                    for (field, counts) in counts.iter_mut().enumerate() {
                        let level = pattern.level(field);
                        if level != MISSING {
                            counts[usize::from(level)] += 1;
                        }
                    }
                }
            }
            counts
        })
        .reduce(none, |mut into, from| {
            for (into, from) in into.iter_mut().flatten().zip(from.iter().flatten()) {
                *into += from;
            }
            into
        });
    let shares = counts
        .iter()
        .map(|counts| {
            let total = counts.iter().sum::<u64>().max(1);
            counts.map(|count| count_to_f64(count) / count_to_f64(total))
        })
        .collect();
    Unmatched::Random {
        shares,
        pairs: to_f64(left_rows.len()) * to_f64(right_rows.len()),
    }
}

/// A number for a value that is told apart by its bits.
fn to_value(part: &[u64]) -> u64 {
    let mut hasher = DefaultHasher::new();
    part.hash(&mut hasher);
    hasher.finish()
}

fn count_values(sides: [&LinkSide<'_>; 2], parts: &FieldParts, field: usize) -> HashMap<u64, u32> {
    let mut counts = HashMap::new();
    for side in sides {
        for row in 0..side.len() {
            *counts
                .entry(to_value(parts.part(side.row(row), field)))
                .or_insert(0) += 1;
        }
    }
    counts
}

fn missing_share(sides: [&LinkSide<'_>; 2], parts: &FieldParts, field: usize) -> f64 {
    let is_missing = |part: &[u64]| part.iter().all(|word| *word == 0);
    let missing: usize = sides
        .iter()
        .map(|side| {
            (0..side.len())
                .filter(|&row| is_missing(parts.part(side.row(row), field)))
                .count()
        })
        .sum();
    to_f64(missing) / to_f64(sides.iter().map(|side| side.len()).sum())
}

/// The bits of each level, without those that nothing was learnt for: a level on which no pair is says nothing, and none says more
/// than agreement in every bit does where that is common among matches.
fn settled_bits(fit: &Fit, matches: f64, random_pairs: f64) -> Vec<Levels> {
    let mut bits = bits(&fit.m, &fit.u);
    for (field, bits) in bits.iter_mut().enumerate() {
        let most = if fit.m[field][0] >= TELLING_SHARE {
            bits[0]
        } else {
            f64::INFINITY
        };
        for (level, bits) in bits.iter_mut().enumerate() {
            let is_seen = fit.m[field][level] * matches >= SEEN || fit.u[field][level] * random_pairs >= SEEN;
            *bits = if is_seen { bits.min(most) } else { 0.0 };
        }
    }
    bits
}

/// The lowest and the highest match weight there can be.
fn weight_range(
    bits: &[Levels],
    fit: &Fit,
    frequencies: &[Option<HashMap<u64, u32>>],
    records: f64,
) -> (f64, f64) {
    let (mut low, mut high) = (0.0, 0.0);
    for (field, bits) in bits.iter().enumerate() {
        let rarest = frequencies[field]
            .as_ref()
            .map(|_| (fit.m[field][0] * records / 2.0).log2());
        low += bits.iter().copied().fold(0.0, f64::min);
        high += bits.iter().copied().chain(rarest).fold(0.0, f64::max);
    }
    (low, high)
}

fn to_f64(count: usize) -> f64 {
    count as f64
}

fn count_to_f64(count: u64) -> f64 {
    count as f64
}
