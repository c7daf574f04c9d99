//! What disclosure control by chance adds to the variance of an estimate made of its counts.

use corridor_core::{DisclosureMethod, DisclosureRule};

use crate::classes::Measure;
use crate::number::real_len;
use crate::perturb::PerturbationRule;

/// Variance of what is added by chance to the count of each class; each on its own, and nothing on average.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ClassNoise(f64);

impl ClassNoise {
    /// Nothing is added.
    #[cfg(test)]
    pub(crate) const NONE: Self = Self(0.0);

    /// Random rounding to base 3 moves a count that is no multiple of 3 by 1 in two thirds of cases and by 2 in one: variance 2. Of
    /// which counts are moved is not known, so all are taken as if they were.
    pub(crate) fn of(rule: &DisclosureRule) -> Self {
        Self(match rule.method {
            DisclosureMethod::Suppression => 0.0,
            DisclosureMethod::RandomRounding => 2.0,
            DisclosureMethod::CellKey => PerturbationRule::default().variance,
        })
    }

    /// Variance of what is added to the count of a list.
    pub(crate) fn of_list(self) -> f64 {
        self.0
            * real_len(
                Measure::Immigrations
                    .classes()
                    .len()
                    .max(Measure::Emigrations.classes().len()),
            )
    }

    /// Variance of what is added to the number of moves seen in either list.
    pub(crate) fn of_seen(self) -> f64 {
        let parts = [Measure::Matched, Measure::OnlyOrigin, Measure::OnlyDestination];
        self.0
            * parts
                .map(|measure| real_len(measure.classes().len()))
                .iter()
                .sum::<f64>()
    }

    /// What it adds to the variance of N̂ = n₁n₂/m with m = f·l: n₁ and n₂ are sums of the l links and of the moves of one list alone,
    /// so by the delta method k_l(N/n₁ + N/n₂ − fN/m)² + k₁(N/n₁)² + k₂(N/n₂)² times the variance of a class, where each sum is of
    /// k classes.
    pub(crate) fn variance(self, (n1, n2): (f64, f64), factor: f64, estimate: f64) -> f64 {
        let classes = |measure: Measure| real_len(measure.classes().len());
        let matched = n1 * n2 / estimate;
        let of_1 = estimate / n1;
        let of_2 = estimate / n2;
        let of_links = of_1 + of_2 - factor * estimate / matched;
        self.0
            * (classes(Measure::Matched) * of_links.powi(2)
                + classes(Measure::OnlyOrigin) * of_1.powi(2)
                + classes(Measure::OnlyDestination) * of_2.powi(2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimate::chapman;
    use crate::number::real;
    use crate::perturb::{PerturbationSecret, round_to_threes};

    #[test]
    fn the_variance_is_that_of_estimates_from_rounded_classes() {
        const DRAWS: u32 = 4000;
        let classes = |measure: Measure| measure.classes().len();
        // No class a multiple of 3.
        let counts = |measure: Measure, each: u64| vec![each; classes(measure)];
        let parts = [
            counts(Measure::Matched, 100),
            counts(Measure::OnlyOrigin, 25),
            counts(Measure::OnlyDestination, 40),
        ];
        let estimate = |draw: u32| {
            let secret = PerturbationSecret::new(std::array::from_fn(|at| draw.to_le_bytes()[at % 4]));
            let sums: Vec<u64> = parts
                .iter()
                .zip(0_u8..)
                .map(|(counts, part)| {
                    let rounded = counts.iter().zip(0_u8..);
                    rounded
                        .map(|(count, class)| round_to_threes(&secret, &[part, class], *count))
                        .sum()
                })
                .collect();
            let (n1, n2) = (real(sums[0] + sums[1]), real(sums[0] + sums[2]));
            n1 * n2 / real(sums[0])
        };
        let draws: Vec<f64> = (0..DRAWS).map(estimate).collect();
        let mean = draws.iter().sum::<f64>() / f64::from(DRAWS);
        let seen = draws.iter().map(|draw| (draw - mean).powi(2)).sum::<f64>() / f64::from(DRAWS);
        let sums = parts.map(|part| part.into_iter().sum::<u64>());
        let (n1, n2) = (real(sums[0] + sums[1]), real(sums[0] + sums[2]));
        let said = ClassNoise(2.0).variance((n1, n2), 1.0, n1 * n2 / real(sums[0]));
        // The standard error of a variance of 4,000 draws is a fortieth of it.
        assert!((seen / said - 1.0).abs() < 0.1, "{seen} {said}");
    }

    #[test]
    fn intervals_hold_the_truth_though_the_counts_are_rounded() {
        use corridor_core::SeededEntropy;
        use rand_distr::{Binomial, Distribution as _};

        for (seed, moves, capture) in [(1, 100_u64, 0.8), (2, 200, 0.8), (3, 500, 0.9), (4, 1000, 0.9)] {
            let mut entropy = SeededEntropy::new(seed, "rounded");
            let mut held = 0_u32;
            for draw in 0..1000_u32 {
                let mut take = |of, chance| Binomial::new(of, chance).unwrap().sample(&mut entropy);
                let n1 = take(moves, capture);
                let both = take(n1, capture);
                let only_2 = take(moves - n1, capture);
                // In the classes as they come: most of the moves in one of each part, a few in the others.
                let secret = PerturbationSecret::new(std::array::from_fn(|at| draw.to_le_bytes()[at % 4]));
                let rounded = |part: u8, count: u64, classes: u64| -> u64 {
                    let few = count / 10;
                    let rest = count - few * (classes - 1);
                    (0..classes)
                        .zip(0_u8..)
                        .map(|(class, place)| {
                            round_to_threes(&secret, &[part, place], if class == 0 { rest } else { few })
                        })
                        .sum()
                };
                let (m, a, b) = (
                    rounded(0, both, 2),
                    rounded(1, n1 - both, 3),
                    rounded(2, only_2, 3),
                );
                let Some(estimate) = chapman(m + a, m + b, m, ClassNoise(2.0)) else {
                    continue;
                };
                held += u32::from((estimate.low..=estimate.high).contains(&real(moves)));
            }
            let share = f64::from(held) / 1000.0;
            println!("{moves} {capture}: {share}");
            // Of a hundred moves of which four are in neither list, Chao's interval holds the truth 90 times in 100 without any rounding.
            assert!((0.9..=0.999).contains(&share), "{moves} {capture}: {share}");
        }
    }

    #[test]
    fn a_list_rounded_up_to_the_other_is_not_sure_to_be_all() {
        let estimate = chapman(51, 51, 51, ClassNoise(2.0)).unwrap();
        assert!(estimate.low <= 50.0 && estimate.high > 51.0, "{estimate:?}");
    }

    #[test]
    fn counts_changed_by_chance_make_wider_intervals() {
        let rule = |method| DisclosureRule {
            method,
            minimum_count: 10,
        };
        let width = |method| {
            let estimate = chapman(30, 30, 20, ClassNoise::of(&rule(method))).unwrap();
            estimate.high - estimate.low
        };
        let [suppressed, rounded, keyed] = [
            DisclosureMethod::Suppression,
            DisclosureMethod::RandomRounding,
            DisclosureMethod::CellKey,
        ]
        .map(width);
        assert!(
            suppressed < keyed && keyed < rounded,
            "{suppressed} {keyed} {rounded}"
        );
    }
}
