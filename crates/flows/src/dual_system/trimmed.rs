use serde::Serialize;

use super::{DualCounts, DualSystemError, Estimator, PopulationEstimate};
use crate::interval::Confidence;
use crate::number::real;

/// Records taken out of the first list because they may be false: people who left again, or never moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trimming {
    /// Records taken out.
    pub records: u64,
    /// How many of them are matched.
    pub matched: u64,
}

/// An estimate after trimming.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrimmedEstimate {
    /// The estimate from what is left.
    pub estimate: PopulationEstimate,
    /// Petersen's estimate before.
    pub untrimmed: f64,
    /// Whether the trimmed records were matched less often than the list as a whole. If not, they were no falser than
    /// the rest, and trimming gains nothing.
    pub effective: bool,
}

/// Trimmed dual-system estimation (Zhang and Dunne 2017): N_k = n₂(n₁−k)/(m−k₁) after k records of the first list, k₁
/// of them matched, were taken out. Variance as Petersen's, of what is left.
///
/// False records in the first list make the estimate too high, for they are never matched. Trimming those that
/// look false brings it down until no more false ones than by chance are among the trimmed.
///
/// # Errors
/// More trimmed than there are, or nothing matched left.
pub fn trimmed(
    counts: DualCounts,
    trimming: Trimming,
    confidence: Confidence,
) -> Result<TrimmedEstimate, DualSystemError> {
    let Trimming { records, matched } = trimming;
    let only_1 = counts.n1() - counts.matched();
    let only_1_trimmed = records.checked_sub(matched).filter(|&trimmed| trimmed <= only_1);
    if only_1_trimmed.is_none() || matched >= counts.matched() {
        return Err(DualSystemError::TrimmedAway {
            trimmed: records,
            trimmed_matched: matched,
            n1: counts.n1(),
            m: counts.matched(),
        });
    }
    let left = DualCounts::try_new(counts.n1() - records, counts.n2(), counts.matched() - matched)?;
    let mut estimate = left.petersen(confidence)?;
    estimate.estimator = Estimator::Trimmed;
    Ok(TrimmedEstimate {
        estimate,
        untrimmed: counts.petersen(confidence)?.point,
        effective: real(matched) * real(counts.n1()) < real(counts.matched()) * real(records),
    })
}
