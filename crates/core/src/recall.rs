use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::decimal::{DENOMINATOR, parse_millionths, write_millionths};

/// A share of matches that is to be found, in (0.5, 1), held as a decimal fraction so that an agreement has one text of it.
///
/// Half is no recall to ask for, and 1 none that a random choice of keys can promise: then all pairs are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Recall {
    millionths: u32,
}

/// A recall outside (0.5, 1), or not a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a recall is a decimal number above 0.5 and below 1 with at most six places, as in 0.98")]
pub struct RecallError;

impl Recall {
    /// The recall as a floating-point number, for people and formulas.
    pub fn to_f64(self) -> f64 {
        f64::from(self.millionths) / f64::from(DENOMINATOR)
    }
}

impl FromStr for Recall {
    type Err = RecallError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_millionths(text)
            .filter(|&millionths| DENOMINATOR / 2 < millionths && millionths < DENOMINATOR)
            .map(|millionths| Self { millionths })
            .ok_or(RecallError)
    }
}

impl fmt::Display for Recall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_millionths(self.millionths, f)
    }
}

impl Serialize for Recall {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Recall {
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
    fn refuses_what_is_not_above_a_half_and_below_1() {
        for text in [
            "0.5",
            "1",
            "1.0",
            "0",
            "0.4",
            "2",
            "-0.9",
            "NaN",
            "",
            ".98",
            "0.9812345",
            "98%",
        ] {
            assert_eq!(text.parse::<Recall>(), Err(RecallError), "{text}");
        }
    }

    proptest! {
        #[test]
        fn text_round_trips(millionths in 500_001_u32..1_000_000) {
            let recall = Recall { millionths };
            prop_assert_eq!(recall.to_string().parse(), Ok(recall));
            let json = serde_json::to_string(&recall).unwrap();
            prop_assert_eq!(&json, &format!("\"{recall}\""));
            prop_assert_eq!(serde_json::from_str::<Recall>(&json).unwrap(), recall);
        }
    }
}
