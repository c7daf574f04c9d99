//! Linkage error carried from the links to the figures of a table.

use serde::Serialize;

use crate::dual_system::{DualSystemError, LinkageErrorRates, LinkageErrors, LinkedCounts};
use crate::interval::{Confidence, Interval};
use crate::number::real;
use crate::published::FlowCounts;

/// How good links are, as 95 % intervals.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LinkQuality {
    /// Share of links that are true.
    pub precision: Interval,
    /// Share of true matches that are linked.
    pub recall: Interval,
}

/// Figures of one group before and after linkage error is taken out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CarriedError {
    /// Moves matched, as linked.
    pub matched: u64,
    /// Moves in both lists, with false links taken out and missed ones put in: m̂.
    pub matched_corrected: f64,
    /// Petersen's estimate with the links as they are.
    pub naive: f64,
    /// The estimate corrected for linkage error: N̂ = n₁n₂/m̂.
    pub estimate: f64,
    /// 95 % interval of it, log-normal on the unseen (Chao 1987), with what is not known of the links in its variance.
    pub interval: Interval,
    /// Coverage of the origin's list, m̂/n₂, and of the destination's, m̂/n₁.
    pub coverage_origin: f64,
    /// The destination's.
    pub coverage_destination: f64,
}

/// Takes linkage error out of the counts of a group: expected false links move from matched to unmatched, expected missed ones the
/// other way.
///
/// With l links, precision p and recall r, m̂ = l·p/r of the moves are in both lists; that is the estimator of Ding and Fienberg
/// (1994) with α = r and β = l(1−p)/(n₂−m̂), the chance that a move of the destination without a partner is linked, and so
/// [`LinkedCounts::corrected`] gives estimate and variance. p and r are taken in the middle of their intervals, and a quarter of
/// the width of these for their standard errors.
///
/// A quality of links of persons is taken for that of their moves: who is linked falsely has moves that match in date less often,
/// so this errs to the careful side.
///
/// # Errors
/// When the counts and the quality cannot be true together, as where more matches come out than a list has moves.
pub fn carry_linkage_error(
    counts: &FlowCounts,
    quality: &LinkQuality,
) -> Result<CarriedError, DualSystemError> {
    let middle = |interval: Interval| f64::midpoint(interval.low, interval.high);
    let error = |interval: Interval| (interval.high - interval.low) / (2.0 * Confidence::default().z());
    let (precision, recall) = (middle(quality.precision), middle(quality.recall));
    let (n1, n2, links) = (counts.emigrations, counts.immigrations, counts.matched);
    let matched = real(links) * precision / recall;
    let strangers = real(n2) - matched;
    let to_beta = |share: f64| {
        if strangers > 0.0 {
            real(links) * share / strangers
        } else {
            0.0
        }
    };
    let variance_of = |rate: f64, error: f64| {
        (error * error)
            .min(rate * (1.0 - rate) * (1.0 - f64::EPSILON))
            .max(0.0)
    };
    let beta = to_beta(1.0 - precision);
    let errors = LinkageErrors::try_from(LinkageErrorRates {
        alpha: recall,
        beta,
        var_alpha: variance_of(recall, error(quality.recall)),
        var_beta: variance_of(beta, to_beta(error(quality.precision))),
    })?;
    let corrected = LinkedCounts::try_new(n1, n2, links, errors)?.corrected(Confidence::default());
    Ok(CarriedError {
        matched: links,
        matched_corrected: corrected.matched,
        naive: corrected.naive,
        estimate: corrected.estimate.point,
        interval: corrected.estimate.log_normal,
        coverage_origin: corrected.matched / real(n2),
        coverage_destination: corrected.matched / real(n1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counts(n1: u64, n2: u64, links: u64) -> FlowCounts {
        FlowCounts {
            emigrations: n1,
            immigrations: n2,
            matched: links,
            only_origin: n1 - links,
            only_destination: n2 - links,
        }
    }

    fn exactly(share: f64) -> Interval {
        Interval {
            low: share,
            high: share,
        }
    }

    #[test]
    fn the_published_example_comes_out() {
        // methods: n₁ 8,000, n₂ 6,000, α 0.95, β 0.02, l 4,584: m̂ 4,800; so r = 0.95 and p = 0.95·4,800/4,584.
        let quality = LinkQuality {
            precision: exactly(0.95 * 4800.0 / 4584.0),
            recall: exactly(0.95),
        };
        let carried = carry_linkage_error(&counts(8000, 6000, 4584), &quality).unwrap();
        assert!((carried.matched_corrected - 4800.0).abs() < 1e-6, "{carried:?}");
        assert!((carried.estimate - 10_000.0).abs() < 1e-6, "{carried:?}");
        assert!((carried.naive - 10_471.2).abs() < 0.05, "{carried:?}");
    }

    #[test]
    fn perfect_links_change_nothing_and_doubt_widens_the_interval() {
        let perfect = LinkQuality {
            precision: exactly(1.0),
            recall: exactly(1.0),
        };
        let carried = carry_linkage_error(&counts(100, 100, 20), &perfect).unwrap();
        assert!((carried.estimate - 500.0).abs() < 1e-9 && (carried.naive - 500.0).abs() < 1e-9);
        let doubted = LinkQuality {
            precision: Interval { low: 0.9, high: 1.0 },
            recall: Interval { low: 0.9, high: 1.0 },
        };
        let sure = LinkQuality {
            precision: exactly(0.95),
            recall: exactly(0.95),
        };
        let width = |quality| {
            let interval = carry_linkage_error(&counts(3000, 3000, 2000), quality)
                .unwrap()
                .interval;
            interval.high - interval.low
        };
        assert!(width(&doubted) > 1.5 * width(&sure));
    }

    #[test]
    fn what_cannot_be_true_is_refused() {
        let quality = LinkQuality {
            precision: exactly(1.0),
            recall: exactly(0.5),
        };
        assert!(
            carry_linkage_error(&counts(100, 100, 80), &quality).is_err(),
            "160 matches of 100 moves"
        );
        assert!(
            carry_linkage_error(&counts(100, 100, 0), &quality).is_err(),
            "no links"
        );
    }

    proptest! {
        #[test]
        fn false_links_go_and_missed_ones_come(
            links in 100_u64..1000,
            more in prop::array::uniform2(200_u64..2000),
            precision in 0.8_f64..=1.0,
            recall in 0.8_f64..=1.0,
        ) {
            let counts = counts(links + more[0], links + more[1], links);
            let quality = LinkQuality { precision: exactly(precision), recall: exactly(recall) };
            if let Ok(carried) = carry_linkage_error(&counts, &quality) {
                prop_assert!((carried.matched_corrected - real(links) * precision / recall).abs() < 1e-6);
                prop_assert!((carried.estimate > carried.naive) == (precision < recall) || (precision - recall).abs() < 1e-9);
                prop_assert!(carried.interval.low <= carried.estimate && carried.estimate <= carried.interval.high);
            }
        }
    }
}
