//! Graph matching that looks for the lens through which two files agree most with themselves.

use corridor_core::{Filters, Measure};
use serde::Serialize;

use crate::dense::Dense;
use crate::guess::Guess;
use crate::landmarks::{GraphMatching, with_seeds};
use crate::similarity::{clear_diagonal, similarities};

/// How similarities are changed before graphs are matched.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "lens")]
pub enum Lens {
    /// Not at all.
    Plain,
    /// What a similarity exceeds the mean of the file by, to a power; nothing where that is below a floor in units
    /// of the noise 1/√m. Shows near neighbours only.
    Near {
        /// Floor in units of 1/√m.
        floor: f64,
        /// Power.
        power: i32,
    },
}

/// Lenses tried. Five times the noise is what hardly a pair of unrelated records exceeds.
const LENSES: [Lens; 5] = [
    Lens::Plain,
    Lens::Near { floor: 0.0, power: 2 },
    Lens::Near { floor: 3.0, power: 2 },
    Lens::Near { floor: 5.0, power: 2 },
    Lens::Near { floor: 5.0, power: 4 },
];

/// Rounds by which a lens is judged.
const TRIAL_ROUNDS: usize = 6;

impl GraphMatching {
    /// As [`attack`](Self::attack), with similarities changed by the one of several lenses under which two pairings
    /// by different landmarks agree most. No truth is used; with seeds all lenses
    /// have them.
    ///
    /// # Panics
    /// When a seed names a record that is not there.
    pub fn attack_adaptively(
        &self,
        target: &Filters,
        list: &Filters,
        measure: Measure,
        seeds: &[(usize, usize)],
    ) -> (Vec<Guess>, Lens) {
        if target.is_empty() || list.is_empty() {
            return (Vec::new(), Lens::Plain);
        }
        let noise = 1.0 / f64::from(target.filter_len().to_bits()).sqrt();
        let (target, list) = (similarities(target, measure), similarities(list, measure));
        let trial = Self {
            rounds: self.rounds.min(TRIAL_ROUNDS),
            ..*self
        };
        let (mut chosen, mut most) = (Lens::Plain, f64::NEG_INFINITY);
        for lens in LENSES {
            let (target, list) = (lens.apply(&target, noise), lens.apply(&list, noise));
            let consistency = trial.self_consistency(&target, &list, seeds);
            if consistency > most {
                (chosen, most) = (lens, consistency);
            }
        }
        let (target, list) = (chosen.apply(&target, noise), chosen.apply(&list, noise));
        (
            with_seeds(self.pair(&target, &list, seeds).guesses(), seeds),
            chosen,
        )
    }
}

impl Lens {
    fn apply(self, similarities: &Dense, noise: f64) -> Dense {
        let mut changed = similarities.clone();
        if let Self::Near { floor, power } = self {
            let means = similarities.column_means();
            let mean = (means.iter().sum::<f64>() / means.len().max(1) as f64) as f32;
            let floor = (floor * noise) as f32;
            changed.map(|similarity| {
                let above = similarity - mean;
                if above > floor { above.powi(power) } else { 0.0 }
            });
            clear_diagonal(&mut changed);
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use corridor_core::{Entropy, FilterLen, SeededEntropy};

    use super::*;
    use crate::plain::PlainList;
    use crate::scheme::Scheme;

    #[test]
    fn a_lens_shows_what_is_nearer_than_most_by_more_than_its_floor() {
        let mut similarities = Dense::zeros(3, 3);
        similarities.row_mut(0).copy_from_slice(&[0.3, 0.5, 0.1]);
        similarities.row_mut(1).copy_from_slice(&[0.5, 0.25, 0.0]);
        similarities.row_mut(2).copy_from_slice(&[0.1, 0.0, 0.05]);
        // The mean is 0.2, so that 0.5 alone exceeds it by more than twice the noise.
        let changed = Lens::Near { floor: 2.0, power: 2 }.apply(&similarities, 0.1);
        for (row, expected) in [[0.045, 0.09, 0.0], [0.09, 0.045, 0.0], [0.0, 0.0, 0.0]]
            .iter()
            .enumerate()
        {
            for (value, expected) in changed.row(row).iter().zip(expected) {
                assert!((value - expected).abs() < 1e-6, "{value} {expected}");
            }
        }
    }

    #[test]
    fn two_halves_agree_where_something_was_understood_only() {
        let filter_len = FilterLen::try_from(1024).unwrap();
        let consistency = |scheme: &Scheme, weight| {
            let list = list(weight, &mut SeededEntropy::new(1, "people"));
            let [left, right] = ["one", "two"].map(|key| {
                let filters = scheme.encode(&list, &mut SeededEntropy::new(1, key));
                similarities(&filters, scheme.measure())
            });
            GraphMatching::default().self_consistency(&left, &right, &[])
        };
        assert!(consistency(&Scheme::Bloom { filter_len }, 16) > 0.5);
        assert!(
            consistency(
                &Scheme::Majority {
                    layers: 3,
                    filter_len
                },
                1
            ) < 0.1
        );
    }

    fn list(weight: u32, entropy: &mut dyn Entropy) -> PlainList {
        let mut list = PlainList::new();
        for _ in 0..300 {
            let tokens: Vec<_> = (0..12)
                .map(|_| (entropy.next_u32() % 200 * (entropy.next_u32() % 200) / 200).to_string())
                .map(|text| (text, weight))
                .collect();
            list.push("", tokens);
        }
        list
    }
}
