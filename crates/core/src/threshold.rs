use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::decimal::{self, parse_millionths, write_millionths};

/// An inclusive lower bound of similarity in (0, 1], held as a decimal fraction so that every machine
/// and every path agrees on every pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Threshold {
    millionths: u32,
}

/// A threshold outside (0, 1], or not a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a threshold is a decimal number above 0 and at most 1 with at most six places")]
pub struct ThresholdError;

impl Threshold {
    /// The denominator of [`Threshold::numerator`].
    pub const DENOMINATOR: u32 = decimal::DENOMINATOR;

    /// The threshold times [`Threshold::DENOMINATOR`].
    pub const fn numerator(self) -> u32 {
        self.millionths
    }

    /// The threshold as a floating-point number, for people and formulas.
    pub fn to_f64(self) -> f64 {
        f64::from(self.millionths) / f64::from(Self::DENOMINATOR)
    }

    /// The nearest threshold at or below `value`.
    ///
    /// # Errors
    /// When that is not in (0, 1], or `value` is not a number.
    #[expect(clippy::as_conversions, reason = "checked to be in range before")]
    pub fn try_floor(value: f64) -> Result<Self, ThresholdError> {
        // A value computed as n/1e6 may lie a rounding error below it.
        let millionths = (value * f64::from(Self::DENOMINATOR) + 1e-6).floor();
        if !(1.0..=f64::from(Self::DENOMINATOR)).contains(&millionths) {
            return Err(ThresholdError);
        }
        Ok(Self {
            millionths: millionths as u32,
        })
    }
}

impl FromStr for Threshold {
    type Err = ThresholdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_millionths(text)
            .filter(|millionths| (1..=Self::DENOMINATOR).contains(millionths))
            .map(|millionths| Self { millionths })
            .ok_or(ThresholdError)
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_millionths(self.millionths, f)
    }
}

impl Serialize for Threshold {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Threshold {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refuses_what_is_not_above_0_and_at_most_1() {
        for text in [
            "0",
            "0.0",
            "1.000001",
            "2",
            "-0.5",
            "NaN",
            "",
            ".5",
            "0.1234567",
            "1e-1",
        ] {
            assert_eq!(text.parse::<Threshold>(), Err(ThresholdError), "{text}");
        }
        assert!(Threshold::try_floor(f64::NAN).is_err());
        assert!(Threshold::try_floor(0.0).is_err());
    }

    proptest! {
        #[test]
        fn text_round_trips(millionths in 1_u32..=1_000_000) {
            let threshold = Threshold { millionths };
            prop_assert_eq!(threshold.to_string().parse(), Ok(threshold));
            prop_assert_eq!(Threshold::try_floor(threshold.to_f64()), Ok(threshold));
        }
    }
}
