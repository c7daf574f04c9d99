use crate::cut::Cut;
use crate::matrix::{FilterMatrix, LANES, PackedMatrix};
use crate::path::{Check, LEFT_ROWS, MOST_CHECKS, RIGHT_GROUPS, limit_at};

/// What pairs are looked for, and how early a pair may be given up.
#[derive(Debug, Clone)]
pub struct Search {
    cut: Cut,
    /// After so many words, pairs at or above the limit (by popcounts) are given up; in order.
    checks: Vec<(usize, Vec<u32>)>,
}

/// A miss bound that is no probability.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("a miss bound is a probability above 0 and below 1")]
pub struct MissBoundError;

/// What a check costs, in words of comparing a tile.
const CHECK_WORDS: f64 = 1.3;
/// A check that is not expected to save at least this share of the work is left out.
const LEAST_SAVING: f64 = 0.08;
/// Tiles looked at to see what a check would save.
const SAMPLED_QUADS: usize = 16;
const SAMPLED_TILES: usize = 32;

impl Search {
    /// Every word of every pair is compared.
    pub const fn full(cut: Cut) -> Self {
        Self {
            cut,
            checks: Vec::new(),
        }
    }

    /// The same pairs, sooner where the filters allow: bits that differ in the first words count against the
    /// distance a pair may have, so that most pairs of strangers can be given up on the way. Where that does not
    /// pay (as for thresholds of ρ near 0, where any pair may still make it to the last word), nothing is checked.
    ///
    /// After how many words is settled from a look at some pairs, evenly spaced, so that it is the same every time.
    ///
    /// # Panics
    /// When the matrices and the cut are for filters of different length.
    pub fn exact(cut: Cut, left: &FilterMatrix<'_>, right: &PackedMatrix) -> Self {
        let words = left.words_per_filter();
        let limits = vec![cut.limits().to_vec(); words];
        Self::with_limits(cut, left, right, limits)
    }

    /// Gives up more pairs: those that in the first words differ in more bits than a pair at the threshold would,
    /// except with a probability of at most `miss_bound` for all checks together, if the bits of both sides have been
    /// put in a random order nobody else knows. The bits that differ in the first words are then hypergeometric,
    /// whatever the filters hold. Applies to each pair at or above the threshold on its own.
    ///
    /// # Errors
    /// When the bound is not in (0, 1).
    ///
    /// # Panics
    /// As [`Search::exact`].
    pub fn statistical(
        cut: Cut,
        left: &FilterMatrix<'_>,
        right: &PackedMatrix,
        miss_bound: f64,
    ) -> Result<Self, MissBoundError> {
        if !(miss_bound > 0.0 && miss_bound < 1.0) {
            return Err(MissBoundError);
        }
        let words = left.words_per_filter();
        let factorials = LogFactorials::new(words * 64);
        // A pair is missed by one check or by the other.
        let miss_bound = miss_bound / to_f64(MOST_CHECKS);
        let limits = (1..=words)
            .map(|checked| statistical_limits(&cut, checked, words, miss_bound, &factorials))
            .collect();
        Ok(Self::with_limits(cut, left, right, limits))
    }

    /// `limits[w − 1]` is for a check after `w` words.
    fn with_limits(
        cut: Cut,
        left: &FilterMatrix<'_>,
        right: &PackedMatrix,
        mut limits: Vec<Vec<u32>>,
    ) -> Self {
        let words = left.words_per_filter();
        assert_eq!(words, right.words_per_filter(), "filters of the same length");
        assert_eq!(
            usize::try_from(cut.bits()),
            Ok(words * 64),
            "a cut for filters of this length"
        );
        let checks = best_checks(left, right, &limits)
            .into_iter()
            .map(|checked| (checked, std::mem::take(&mut limits[checked - 1])))
            .collect();
        Self { cut, checks }
    }

    /// The cut.
    pub const fn cut(&self) -> &Cut {
        &self.cut
    }

    /// After how many words pairs are checked, in order; none when all words of all pairs are compared.
    pub fn check_words(&self) -> Vec<usize> {
        self.checks.iter().map(|(words, _)| *words).collect()
    }

    pub(crate) fn checks(&self) -> impl Iterator<Item = Check<'_>> {
        self.checks.iter().map(|(words, limits)| Check {
            words: *words,
            limits,
        })
    }
}

/// The numbers of words, at most [`MOST_CHECKS`], after which checks save most, if they save enough.
fn best_checks(left: &FilterMatrix<'_>, right: &PackedMatrix, limits: &[Vec<u32>]) -> Vec<usize> {
    let words = left.words_per_filter();
    let quads = left.len() / LEFT_ROWS;
    let tiles = right.len() / (LANES * RIGHT_GROUPS);
    if quads == 0 || tiles == 0 {
        return Vec::new();
    }
    // For each tile looked at, a bit for each number of words after which it would go on.
    let mut passed: Vec<u64> = Vec::with_capacity(SAMPLED_QUADS * SAMPLED_TILES);
    for quad in evenly(quads, SAMPLED_QUADS) {
        for tile in evenly(tiles, SAMPLED_TILES) {
            let rows = quad * LEFT_ROWS..(quad + 1) * LEFT_ROWS;
            let groups = tile * RIGHT_GROUPS..(tile + 1) * RIGHT_GROUPS;
            passed.push(passed_checks(left, rows, right, groups, limits));
        }
    }
    let all = to_f64(words);
    let share = |checked: u64| {
        let count = passed.iter().filter(|tile| *tile & checked == checked).count();
        to_f64(count) / to_f64(passed.len())
    };
    let bit = |checked: usize| 1_u64 << (checked - 1);
    let mut best = (all * (1.0 - LEAST_SAVING), Vec::new());
    for first in 1..words {
        let on = share(bit(first));
        let begun = to_f64(first) + CHECK_WORDS;
        let one = begun + on * (all - to_f64(first));
        if one < best.0 {
            best = (one, vec![first]);
        }
        for second in first + 1..words {
            let further = share(bit(first) | bit(second));
            let two = begun + on * (to_f64(second - first) + CHECK_WORDS) + further * (all - to_f64(second));
            if two < best.0 {
                best = (two, vec![first, second]);
            }
        }
    }
    best.1
}

#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "a few thousand at most"
)]
fn to_f64(count: usize) -> f64 {
    count as f64
}

/// At most `wanted` of `len` positions, evenly spaced.
fn evenly(len: usize, wanted: usize) -> impl Iterator<Item = usize> {
    let count = len.min(wanted);
    (0..count).map(move |position| position * len / count)
}

/// A bit for each number of words after which a tile would not be given up.
fn passed_checks(
    left: &FilterMatrix<'_>,
    rows: std::ops::Range<usize>,
    right: &PackedMatrix,
    groups: std::ops::Range<usize>,
    limits: &[Vec<u32>],
) -> u64 {
    let max_left = rows.clone().map(|row| left.ones(row)).max().unwrap_or(0);
    let max_right = groups
        .clone()
        .map(|group| right.group_max_ones(group))
        .max()
        .unwrap_or(0);
    let mut passed = 0;
    for row in rows {
        for group in groups.clone() {
            let mut counts = [0; LANES];
            let words = left.row(row).iter().zip(right.group(group)).enumerate();
            for ((position, (&word, lanes)), limits) in words.zip(limits) {
                for (count, lane) in counts.iter_mut().zip(lanes.0) {
                    *count += u64::from((word ^ lane).count_ones());
                    if *count < limit_at(limits, max_left + max_right) {
                        passed |= 1 << position;
                    }
                }
            }
        }
    }
    passed
}

/// By popcount of both filters together: the least number x of bits that differ in the first `checked` of `words` words
/// such that a pair just within its limit reaches x with probability at most `miss_bound`.
fn statistical_limits(
    cut: &Cut,
    checked: usize,
    words: usize,
    miss_bound: f64,
    factorials: &LogFactorials,
) -> Vec<u32> {
    let (drawn, bits) = (checked * 64, words * 64);
    let mut known: Option<(u32, u32)> = None;
    cut.limits()
        .iter()
        .map(|&limit| {
            if limit == 0 {
                return 0;
            }
            // Limits come in order, and many stand several times.
            if let Some((same, x)) = known
                && same == limit
            {
                return x;
            }
            let differ = usize::try_from(limit - 1).expect("at most twice 4096").min(bits);
            let mut tail = 0.0;
            let mut x = differ.min(drawn) + 1;
            while x > 0 {
                tail += factorials.hypergeometric(bits, differ, drawn, x - 1);
                if tail > miss_bound {
                    break;
                }
                x -= 1;
            }
            // Fewer differing bits than the limit are always within it.
            let x = u32::try_from(x).expect("at most 4097").min(limit);
            known = Some((limit, x));
            x
        })
        .collect()
}

/// ln n! for small n.
struct LogFactorials(Vec<f64>);

impl LogFactorials {
    fn new(largest: usize) -> Self {
        let mut values = Vec::with_capacity(largest + 1);
        let mut sum = 0.0;
        values.push(sum);
        let mut number = 0.0;
        for _ in 0..largest {
            number += 1.0_f64;
            sum += number.ln();
            values.push(sum);
        }
        Self(values)
    }

    fn log_choose(&self, n: usize, k: usize) -> f64 {
        self.0[n] - self.0[k] - self.0[n - k]
    }

    /// Probability that `drawn` of `all`, of which `marked` are marked, hold exactly `found` marked ones.
    fn hypergeometric(&self, all: usize, marked: usize, drawn: usize, found: usize) -> f64 {
        if found > marked || found > drawn || drawn - found > all - marked {
            return 0.0;
        }
        (self.log_choose(marked, found) + self.log_choose(all - marked, drawn - found)
            - self.log_choose(all, drawn))
        .exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cut::Measure;

    #[test]
    fn the_hypergeometric_distribution_adds_up_to_1_and_has_its_mean() {
        let factorials = LogFactorials::new(1024);
        let (mut sum, mut mean) = (0.0, 0.0);
        for found in 0..=143 {
            let p = factorials.hypergeometric(1024, 143, 256, found);
            sum += p;
            mean += p * to_f64(found);
        }
        assert!(
            (sum - 1.0).abs() < 1e-9 && (mean - 143.0 / 4.0).abs() < 1e-6,
            "{sum} {mean}"
        );
    }

    #[test]
    fn statistical_limits_hold_the_bound_and_no_more_than_needed() {
        let cut = Cut::new(Measure::Dice, 16, 8, 10);
        let factorials = LogFactorials::new(1024);
        let limits = statistical_limits(&cut, 4, 16, 1e-9, &factorials);
        for ones in [200, 700, 1000] {
            let (x, limit) = (limits[ones], cut.limits()[ones]);
            let differ = usize::try_from(limit - 1).unwrap();
            let tail = |from: u32| -> f64 {
                (usize::try_from(from).unwrap()..=256)
                    .map(|found| factorials.hypergeometric(1024, differ, 256, found))
                    .sum()
            };
            assert!(tail(x) <= 1e-9 && tail(x - 1) > 1e-9, "{ones}: {x}");
            assert!(x < limit);
        }
        assert_eq!(limits[0], 0);
    }

    /// Probability that a pair just within its limit fails a check after `first` words or one after `second`.
    fn missed(limits: [u32; 2], differ: usize, (first, second, words): (usize, usize, usize)) -> f64 {
        let factorials = LogFactorials::new(words * 64);
        let [first_limit, second_limit] = limits.map(|limit| usize::try_from(limit).unwrap());
        let (bits, drawn, between) = (words * 64, first * 64, (second - first) * 64);
        (0..=differ.min(drawn))
            .map(|found| {
                let here = factorials.hypergeometric(bits, differ, drawn, found);
                if found >= first_limit {
                    return here;
                }
                let later: f64 = (second_limit.saturating_sub(found)..=between)
                    .map(|more| factorials.hypergeometric(bits - drawn, differ - found, between, more))
                    .sum();
                here * later
            })
            .sum()
    }

    #[test]
    fn all_checks_together_hold_the_bound() {
        let cut = Cut::new(Measure::Dice, 16, 8, 10);
        let factorials = LogFactorials::new(1024);
        let bound = 1e-9;
        let mut beyond = 0;
        for (first, second) in [(2, 4), (2, 8), (4, 8), (6, 12)] {
            for ones in [600, 700, 720, 750, 800] {
                let differ = usize::try_from(cut.limits()[ones] - 1).unwrap();
                let with = |bound| {
                    let of = |checked| statistical_limits(&cut, checked, 16, bound, &factorials)[ones];
                    missed([of(first), of(second)], differ, (first, second, 16))
                };
                let share = bound / to_f64(MOST_CHECKS);
                assert!(with(share) <= bound, "{first}, {second}, {ones}: {}", with(share));
                beyond += u32::from(with(bound) > bound);
            }
        }
        assert!(
            beyond > 10,
            "each check on its own with the whole bound goes beyond it"
        );
    }

    #[test]
    fn a_miss_bound_is_a_probability() {
        let words = vec![0; 64];
        let left = FilterMatrix::try_new(&words, 1).unwrap();
        let right = left.to_packed();
        for bound in [0.0, 1.0, -0.1, f64::NAN] {
            let cut = Cut::new(Measure::Dice, 1, 1, 2);
            assert!(Search::statistical(cut, &left, &right, bound).is_err());
        }
    }
}
