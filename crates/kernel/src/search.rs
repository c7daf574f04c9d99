use crate::cut::{Cut, Linear};
use crate::matrix::{FilterMatrix, PackedMatrix};
use crate::screen::{Part, SAMPLED, Screen, evenly};

/// What pairs are looked for, and how early a pair may be given up.
#[derive(Debug, Clone)]
pub struct Search {
    cut: Cut,
    screen: Option<Screen>,
}

/// A miss bound that is no probability.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("a miss bound is a probability above 0 and below 1")]
pub struct MissBoundError;

impl Search {
    /// Every word of every pair is compared.
    pub const fn full(cut: Cut) -> Self {
        Self { cut, screen: None }
    }

    /// The same pairs, sooner where the filters allow: each filter is folded to fewer words, by exclusive or, and pairs are
    /// strangers whose folded filters differ in more bits than the filters themselves may: folding never adds a difference
    /// (Baldi, Hirschberg & Nasr 2008). Where that does not pay (as for thresholds of ρ near 0, where strangers differ in hardly
    /// more bits than pairs), nothing is folded.
    ///
    /// To how many words is settled from a look at some pairs, evenly spaced, so that it is the same every time; where more pass
    /// than was expected, filters are compared as they are.
    ///
    /// # Panics
    /// When the matrices and the cut are for filters of different length.
    pub fn exact(cut: Cut, left: &FilterMatrix<'_>, right: &PackedMatrix) -> Self {
        check_lengths(&cut, left, right);
        let screen = best_folded(&cut, left, right).map(|(screen, _)| screen);
        Self { cut, screen }
    }

    /// Gives up more pairs: those that in the first words differ in more bits than a pair at the threshold would,
    /// except with a probability of at most `miss_bound`, if the bits of both sides have been
    /// put in a random order nobody else knows. The bits that differ in the first words are then hypergeometric,
    /// whatever the filters hold. Applies to each pair at or above the threshold on its own. Where folding saves more, filters are
    /// folded instead, and nothing is missed.
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
        check_lengths(&cut, left, right);
        let words = left.words_per_filter();
        let factorials = LogFactorials::new(words * 64);
        let typical = typical_ones(left, right);
        let first_words = Screen::best(Part::FirstWords, left, right, |checked| {
            let limits = statistical_limits(&cut, checked, words, miss_bound, &factorials);
            Linear::above(&limits, typical)
        });
        let screens = [first_words, best_folded(&cut, left, right)];
        let best = screens
            .into_iter()
            .flatten()
            .min_by(|(_, a), (_, b)| a.total_cmp(b));
        Ok(Self {
            cut,
            screen: best.map(|(screen, _)| screen),
        })
    }

    /// The cut.
    pub const fn cut(&self) -> &Cut {
        &self.cut
    }

    /// How many words are compared of a pair before the whole; `None` when all words of all pairs are.
    pub fn screen_words(&self) -> Option<usize> {
        self.screen.as_ref().map(Screen::words)
    }

    /// Whether every pair at or above the threshold is found, and not only all but for the miss bound.
    pub fn is_exact(&self) -> bool {
        self.screen.as_ref().is_none_or(Screen::is_exact)
    }

    /// A search by a screen that was not weighed.
    #[cfg(test)]
    pub(crate) const fn screened(cut: Cut, screen: Screen) -> Self {
        Self {
            cut,
            screen: Some(screen),
        }
    }

    pub(crate) const fn screen(&self) -> Option<&Screen> {
        self.screen.as_ref()
    }
}

fn check_lengths(cut: &Cut, left: &FilterMatrix<'_>, right: &PackedMatrix) {
    let words = left.words_per_filter();
    assert_eq!(words, right.words_per_filter(), "filters of the same length");
    assert_eq!(
        usize::try_from(cut.bits()),
        Ok(words * 64),
        "a cut for filters of this length"
    );
}

/// The screen of folded filters that saves most, and what it takes.
fn best_folded(cut: &Cut, left: &FilterMatrix<'_>, right: &PackedMatrix) -> Option<(Screen, f64)> {
    Screen::best(Part::Folded, left, right, |_| cut.linear())
}

/// Popcount of two filters together, on average of some.
fn typical_ones(left: &FilterMatrix<'_>, right: &PackedMatrix) -> usize {
    let mean = |ones: &dyn Fn(usize) -> u32, len: usize| {
        let some: Vec<u32> = evenly(len, SAMPLED).map(ones).collect();
        let sum: u32 = some.iter().sum();
        usize::try_from(sum).expect("of few filters") / some.len().max(1)
    };
    mean(&|row| left.ones(row), left.len()) + mean(&|row| right.ones(row), right.len())
}

/// By popcount of both filters together: the least number x of bits that differ in the first `checked` of `words` words
/// such that a pair just within its limit reaches x with probability at most `miss_bound`.
pub(crate) fn statistical_limits(
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
pub(crate) struct LogFactorials(Vec<f64>);

impl LogFactorials {
    pub(crate) fn new(largest: usize) -> Self {
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
    use crate::screen::to_f64;

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
