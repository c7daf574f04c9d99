use serde::{Deserialize, Serialize};

use crate::dual_system::DualCounts;
use crate::interval::Confidence;
use crate::noise::ClassNoise;
use crate::number::real;

/// A dual-system estimate of the true number of moves from two incomplete lists.
///
/// Assumes that being in one list says nothing of being in the other, that no link is false and none is
/// missed. People with papers are in both lists, so it tends to be too low; the two figures under dependence
/// say by how much it would move.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Share of the destination's moves that the origin has too: the coverage of the origin's list.
    pub coverage_origin: f64,
    /// Share of the origin's moves that the destination has too: the coverage of the destination's list.
    pub coverage_destination: f64,
    /// Chapman's estimate.
    pub point: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// Lower end of the 95 % log-normal interval; never below the number of moves seen, less what chance may have added to it.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// The estimate if the odds of being in one list are ⅔ as high for those in the other.
    pub if_odds_ratio_two_thirds: f64,
    /// The estimate if they are 1.5 times as high.
    pub if_odds_ratio_three_halves: f64,
}

/// Estimates from n₁ moves in one list, n₂ in the other and m in both: [`DualCounts::chapman`] with the figures a
/// flow table shows, and with what chance added to the counts in the variance. `None` when m is 0 or above n₁ or n₂: then nothing can
/// be said.
pub(crate) fn chapman(n1: u64, n2: u64, m: u64, noise: ClassNoise) -> Option<Estimate> {
    let counts = DualCounts::try_new(n1, n2, m).ok()?;
    let confidence = Confidence::default();
    let mut estimate = counts.chapman(confidence).ok()?;
    let added = noise.variance((real(n1), real(n2)), 1.0, estimate.point);
    if added > 0.0 {
        let variance = estimate.variance + added;
        // What was seen is a sum of changed counts, too.
        let floor = estimate.at_least - confidence.z() * noise.of_seen().sqrt();
        estimate = estimate.with_variance(variance, floor.max(0.0), confidence);
    }
    let (if_two_thirds, if_three_halves) = estimate.dependence.ends()?;
    Some(Estimate {
        coverage_origin: real(m) / real(n2),
        coverage_destination: real(m) / real(n1),
        point: estimate.point,
        standard_error: estimate.standard_error,
        low: estimate.log_normal.low,
        high: estimate.log_normal.high,
        if_odds_ratio_two_thirds: if_two_thirds,
        if_odds_ratio_three_halves: if_three_halves,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative tolerance for figures published to seven digits.
    const REL_TOL: f64 = 1e-6;

    fn assert_near(value: f64, published: f64, tolerance: f64) {
        assert!(
            (value - published).abs() <= tolerance * published,
            "{value} {published}"
        );
    }

    #[test]
    fn chapman_gives_the_published_figures() {
        let estimate = chapman(100, 100, 20, ClassNoise::NONE).unwrap();
        assert_near(estimate.point, 484.7619, REL_TOL);
        assert_near(estimate.standard_error, 82.03151, REL_TOL);
        // Published to two decimals.
        assert_near(estimate.low, 361.48, 1e-4);
        assert_near(estimate.high, 691.78, 1e-4);
        // Published without decimals.
        assert!((chapman(948, 421, 167, ClassNoise::NONE).unwrap().point - 2383.0).abs() <= 0.5);
    }

    #[test]
    fn the_interval_is_never_below_what_was_seen() {
        let complete = chapman(50, 40, 40, ClassNoise::NONE).unwrap();
        assert_eq!((complete.low, complete.high), (50.0, 50.0));
        let partial = chapman(50, 40, 30, ClassNoise::NONE).unwrap();
        assert!(partial.low >= 60.0 && partial.low < partial.point && partial.point < partial.high);
        assert!(partial.if_odds_ratio_two_thirds < partial.if_odds_ratio_three_halves);
    }

    #[test]
    fn nothing_is_said_without_a_match() {
        assert_eq!(chapman(50, 40, 0, ClassNoise::NONE), None);
        assert_eq!(chapman(0, 0, 0, ClassNoise::NONE), None);
        assert_eq!(chapman(10, 40, 20, ClassNoise::NONE), None);
    }
}
