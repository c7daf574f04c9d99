//! How many pairs each record has at or above the threshold, before anybody is assigned: a look at quality that knows nothing of how alike
//! anybody is.

use corridor_core::Assignment;
use serde::Serialize;

use crate::pairs::PersonPairs;
use crate::side::LinkSide;

/// What the numbers of pairs of persons say: of the left ones, or of the right ones where a left one may have several partners.
///
/// A person has one pair with the partner, with probability p, and some with strangers: Bernoulli(p) + Poisson(λ), after Blakely &
/// Salmond 2002. Namesakes are not strewn at random, so λ is one that varies from person to person by a gamma distribution, whose
/// squared coefficient of variation is φ, and the pairs with strangers are negative binomial; with φ = 0 they are Poisson again. p, λ and
/// φ are those of the highest likelihood, among which p + λ is the mean number of pairs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LinkCountFit {
    /// p: share of the persons who have a pair with their partner.
    pub matched: f64,
    /// λ: pairs with strangers of a person, on average.
    pub strangers: f64,
    /// φ: how unevenly these are spread.
    pub dispersion: f64,
    /// p / (p + λ): share of the pairs that are true, before anybody is assigned.
    pub precision: f64,
    /// 95 % interval of it, by the likelihood ratio.
    pub interval: (f64, f64),
}

/// Numbers of pairs of all left persons, or of the right ones, where a left one may have several partners.
#[derive(Debug, Clone)]
pub(crate) struct LinkCounts {
    /// First record of each person, and how many pairs the person has.
    of_persons: Vec<(u32, u32)>,
}

/// More pairs than this of a person are taken for this many.
const MOST_PAIRS: usize = 1000;
/// Pairs below which nothing is said.
const LEAST_PAIRS: u64 = 200;
/// Half the 95 % quantile of χ² with one degree of freedom.
const HALF_CHI_SQUARED: f64 = 1.920_729;
/// Dispersions tried, on a logarithmic scale, besides 0.
const LEAST_DISPERSION: f64 = 0.01;
const MOST_DISPERSION: f64 = 1000.0;
/// Points of a first look, and rounds of a search between two of them.
const POINTS: u32 = 16;
const ROUNDS: u32 = 32;

impl LinkCounts {
    /// Counts the `pairs` of each person of the side that has one partner at most: the left one, unless its persons may have several.
    pub(crate) fn of(
        pairs: &dyn PersonPairs,
        (left, right): (&LinkSide<'_>, &LinkSide<'_>),
        assignment: Assignment,
    ) -> Self {
        let is_of_right = assignment == Assignment::OneToMany;
        let side = if is_of_right { right } else { left };
        let mut of_persons = vec![(u32::MAX, 0); side.person_count()];
        for record in 0..side.len() {
            let first = &mut of_persons[at(side.person_of_row(record))].0;
            *first = (*first).min(u32::try_from(record).expect("an index of a matrix"));
        }
        for pair in pairs.walk() {
            let person = if is_of_right {
                pair.right_person
            } else {
                pair.left_person
            };
            of_persons[at(person)].1 += 1;
        }
        Self { of_persons }
    }

    /// What the numbers of the persons say for whom `is_in`, asked with their first record, is true: a person with several is in the group
    /// of the first. `None` where there are too few pairs.
    pub(crate) fn fit_among(&self, is_in: &dyn Fn(u32) -> bool) -> Option<LinkCountFit> {
        let mut persons_with = Vec::new();
        for (_, count) in self.of_persons.iter().filter(|(record, _)| is_in(*record)) {
            let count = at(*count).min(MOST_PAIRS);
            if persons_with.len() <= count {
                persons_with.resize(count + 1, 0);
            }
            persons_with[count] += 1;
        }
        Histogram::new(&persons_with).fit()
    }

    /// The same of all.
    pub(crate) fn fit(&self) -> Option<LinkCountFit> {
        self.fit_among(&|_| true)
    }
}

/// Persons by their number of pairs.
struct Histogram {
    persons_with: Vec<f64>,
    pairs: u64,
    /// Pairs of a person.
    mean: f64,
}

impl Histogram {
    #[expect(clippy::cast_precision_loss, reason = "counts of persons are far below 2^52")]
    fn new(persons_with: &[u64]) -> Self {
        let persons: u64 = persons_with.iter().sum();
        let pairs = (0..)
            .zip(persons_with)
            .map(|(count, persons)| count * persons)
            .sum::<u64>();
        Self {
            persons_with: persons_with.iter().map(|persons| *persons as f64).collect(),
            pairs,
            mean: pairs as f64 / persons.max(1) as f64,
        }
    }

    fn fit(&self) -> Option<LinkCountFit> {
        if self.pairs < LEAST_PAIRS {
            return None;
        }
        let most = self.mean.min(1.0);
        let (matched, highest) = highest(0.0, most, &|matched| self.at_best_dispersion(matched).1);
        let dispersion = self.at_best_dispersion(matched).0;
        let is_likely = |matched: f64| self.at_best_dispersion(matched).1 >= highest - HALF_CHI_SQUARED;
        // How far from the best the likelihood stays high.
        let end = |mut outside: f64| {
            if is_likely(outside) {
                return outside;
            }
            let mut inside = matched;
            for _ in 0..ROUNDS {
                let middle = f64::midpoint(inside, outside);
                if is_likely(middle) {
                    inside = middle;
                } else {
                    outside = middle;
                }
            }
            inside
        };
        Some(LinkCountFit {
            matched,
            strangers: self.mean - matched,
            dispersion,
            precision: matched / self.mean,
            interval: (end(0.0) / self.mean, end(most) / self.mean),
        })
    }

    /// The dispersion of the highest likelihood for a p, and its logarithm.
    fn at_best_dispersion(&self, matched: f64) -> (f64, f64) {
        let of = |dispersion: f64| self.log_likelihood(matched, dispersion);
        let (log, best) = highest(LEAST_DISPERSION.ln(), MOST_DISPERSION.ln(), &|log| of(log.exp()));
        let poisson = of(0.0);
        if poisson >= best {
            (0.0, poisson)
        } else {
            (log.exp(), best)
        }
    }

    fn log_likelihood(&self, matched: f64, dispersion: f64) -> f64 {
        let strangers = self.mean - matched;
        let spread = 1.0 + dispersion * strangers;
        let none = if dispersion > 0.0 {
            (-spread.ln() / dispersion).exp()
        } else {
            (-strangers).exp()
        };
        let (mut sum, mut with_one_less, mut with_so_many) = (0.0, 0.0, none);
        for (count, persons) in (0..).zip(&self.persons_with) {
            if *persons > 0.0 {
                let probability = (1.0 - matched) * with_so_many + matched * with_one_less;
                sum += persons * probability.max(f64::MIN_POSITIVE).ln();
            }
            let count = f64::from(count);
            with_one_less = with_so_many;
            with_so_many *= (1.0 + dispersion * count) * strangers / ((count + 1.0) * spread);
        }
        sum
    }
}

/// Where a function is highest between two points, and its value: by a look at some, and a golden-section search around the best.
fn highest(low: f64, high: f64, function: &dyn Fn(f64) -> f64) -> (f64, f64) {
    let step = (high - low) / f64::from(POINTS);
    let best = (0..=POINTS)
        .map(|point| low + step * f64::from(point))
        .map(|at| (at, function(at)))
        .fold((low, f64::NEG_INFINITY), |best, here| {
            if here.1 > best.1 { here } else { best }
        });
    let (mut low, mut high) = ((best.0 - step).max(low), (best.0 + step).min(high));
    let golden = 0.5 * (5.0_f64.sqrt() - 1.0);
    for _ in 0..ROUNDS {
        let (left, right) = (high - golden * (high - low), low + golden * (high - low));
        if function(left) >= function(right) {
            high = right;
        } else {
            low = left;
        }
    }
    let middle = f64::midpoint(low, high);
    let here = (middle, function(middle));
    if here.1 > best.1 { here } else { best }
}

fn at(index: u32) -> usize {
    usize::try_from(index).expect("an index of a matrix")
}

#[cfg(test)]
mod tests {
    use corridor_core::SeededEntropy;
    use rand_core::Rng as _;

    use super::*;

    #[test]
    fn rates_come_back_from_the_published_shares() {
        // Records of 100 million by links per record for p 0.8 and λ 0.05; published shares.
        let fit = Histogram::new(&[19_024_588, 77_049_583, 3_828_698, 95_519, 1_590])
            .fit()
            .unwrap();
        assert!((fit.matched - 0.8).abs() < 1e-4, "{fit:?}");
        assert!((fit.strangers - 0.05).abs() < 1e-4, "{fit:?}");
        assert!(fit.dispersion < 0.02, "{fit:?}");
        assert!((fit.precision - 0.8 / 0.85).abs() < 1e-4, "{fit:?}");
    }

    #[test]
    fn rates_are_those_of_another_implementation() {
        // Left persons by pairs of a synthetic corridor; the figures are of a Nelder–Mead search with another form of the likelihood.
        for (persons_with, matched, strangers, precision) in [
            (
                &[695, 2361, 196, 39, 17, 6, 0, 1][..],
                0.768_499,
                0.128_937,
                0.856_327,
            ),
            (&[583, 2465, 110, 13, 3], 0.807_111, 0.054_893, 0.936_319),
        ] {
            let fit = Histogram::new(persons_with).fit().unwrap();
            assert!((fit.matched - matched).abs() < 1e-5, "{fit:?}");
            assert!((fit.strangers - strangers).abs() < 1e-5, "{fit:?}");
            assert!((fit.precision - precision).abs() < 1e-5, "{fit:?}");
            assert!(
                fit.interval.0 < fit.precision && fit.precision < fit.interval.1,
                "{fit:?}"
            );
        }
    }

    #[test]
    fn the_interval_holds_the_truth_however_unevenly_strangers_are_spread() {
        let mut entropy = SeededEntropy::new(1, "counts");
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let mut uniform = move || (entropy.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        for (strangers, of_few) in [(0.05, 1.0), (0.15, 0.2), (0.3, 0.05)] {
            let mut held = 0;
            for _ in 0..60 {
                let (mut persons_with, mut pairs, mut true_pairs) = (vec![0_u64; 200], 0_u64, 0_u64);
                for _ in 0..3000 {
                    // Some share of the people has all look-alikes, of a number that varies among them.
                    let rate = if uniform() < of_few {
                        -strangers / of_few * (1.0 - uniform()).ln()
                    } else {
                        0.0
                    };
                    let mut count = 0;
                    let mut product = uniform();
                    while product > f64::exp(-rate) {
                        count += 1;
                        product *= uniform();
                    }
                    let is_matched = uniform() < 0.7;
                    true_pairs += u64::from(is_matched);
                    let count = count + usize::from(is_matched);
                    pairs += u64::try_from(count).unwrap();
                    persons_with[count.min(199)] += 1;
                }
                let (low, high) = Histogram::new(&persons_with).fit().unwrap().interval;
                #[expect(clippy::cast_precision_loss, reason = "a share")]
                let precision = true_pairs as f64 / pairs as f64;
                held += usize::from((low..=high).contains(&precision));
            }
            assert!(held >= 54, "{strangers} among {of_few}: {held} of 60");
        }
    }

    #[test]
    fn too_few_pairs_say_nothing() {
        assert_eq!(Histogram::new(&[]).fit(), None);
        assert_eq!(Histogram::new(&[100, 199]).fit(), None);
        // Everybody has one: all are true, for all that can be seen.
        let fit = Histogram::new(&[0, 500]).fit().unwrap();
        assert!(
            (fit.precision - 1.0).abs() < 1e-9 && fit.interval.0 > 0.9,
            "{fit:?}"
        );
    }
}
