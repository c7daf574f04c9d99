use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF as _, Normal, StudentsT};

use crate::number::real_len;

/// A two-sided interval, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// Whether a value lies in it.
    pub fn contains(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }

    /// point ± z·√variance, cut off at `floor`, below which the truth cannot lie.
    pub(crate) fn normal(point: f64, variance: f64, floor: f64, confidence: Confidence) -> Self {
        let half = confidence.z() * variance.sqrt();
        Self {
            low: (point - half).max(floor),
            high: point + half,
        }
    }

    /// The interval of Chao 1987, log-normal on the unseen f₀ = point − floor:
    /// floor + f₀/C to floor + f₀·C with C = exp(z·√ln(1 + variance/f₀²)).
    ///
    /// It has no width when the point is the floor: such an estimate says that everything was seen.
    pub(crate) fn log_normal(point: f64, variance: f64, floor: f64, confidence: Confidence) -> Self {
        let unseen = point - floor;
        if unseen <= 0.0 || variance <= 0.0 {
            return Self {
                low: point,
                high: point,
            };
        }
        let factor = (confidence.z() * (variance / (unseen * unseen)).ln_1p().sqrt()).exp();
        Self {
            low: floor + unseen / factor,
            high: floor + unseen * factor,
        }
    }
}

/// How often intervals made this way hold the truth: above 0 and below 1. The default is 0.95.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Confidence(f64);

impl Confidence {
    /// The level as a share.
    pub const fn to_level(self) -> f64 {
        self.0
    }

    /// The two-sided point of the standard normal distribution. For 0.95 it is 1.96, as in the formulas of the papers
    /// followed here, and not 1.959964: published intervals come out to their last digit.
    pub fn z(self) -> f64 {
        if self == Self::default() {
            Z_95
        } else {
            Normal::standard().inverse_cdf(0.5 + self.0 / 2.0)
        }
    }

    /// The two-sided point of Student's t with so many degrees of freedom: of an estimate whose variance is estimated with it. `None`
    /// for none.
    pub(crate) fn t(self, freedom: usize) -> Option<f64> {
        let distribution = StudentsT::new(0.0, 1.0, real_len(freedom)).ok()?;
        Some(distribution.inverse_cdf(0.5 + self.0 / 2.0))
    }

    /// The shares of a distribution below the lower and the upper end.
    pub(crate) fn tails(self) -> (f64, f64) {
        (0.5 - self.0 / 2.0, 0.5 + self.0 / 2.0)
    }
}

impl Default for Confidence {
    fn default() -> Self {
        Self(0.95)
    }
}

impl TryFrom<f64> for Confidence {
    type Error = ConfidenceError;

    fn try_from(level: f64) -> Result<Self, ConfidenceError> {
        // From 1 − 2⁻⁵³ on the normal distribution has no finite point.
        if level > 0.0 && 0.5 + level / 2.0 < 1.0 {
            Ok(Self(level))
        } else {
            Err(ConfidenceError { level })
        }
    }
}

/// See [`Confidence::z`].
const Z_95: f64 = 1.96;

/// No confidence level.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("confidence is {level}; it lies above 0 and below 1, as in 0.95")]
pub struct ConfidenceError {
    /// What was given.
    pub level: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ninety_five_percent_is_1_96() {
        assert_eq!(Confidence::default().z().to_bits(), 1.96_f64.to_bits());
        let next = Confidence::try_from(0.95 + 1e-9).unwrap();
        assert!((next.z() - 1.96).abs() < 1e-4);
        assert!((Confidence::try_from(0.9).unwrap().z() - 1.644_853_626_951_472_7).abs() < 1e-9);
    }

    #[test]
    fn a_level_lies_strictly_between_0_and_1() {
        assert!(Confidence::try_from(0.9).is_ok());
        for level in [0.0, 1.0, -0.5, 95.0, f64::NAN, 1.0 - f64::EPSILON / 2.0] {
            assert!(Confidence::try_from(level).is_err(), "{level}");
        }
    }

    #[test]
    fn intervals_never_reach_below_the_floor() {
        let normal = Interval::normal(100.0, 400.0, 90.0, Confidence::default());
        assert_eq!(normal.low.to_bits(), 90.0_f64.to_bits());
        let log_normal = Interval::log_normal(100.0, 400.0, 90.0, Confidence::default());
        assert!(log_normal.low > 90.0 && log_normal.contains(100.0));
    }
}
