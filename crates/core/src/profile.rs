use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Threshold;

/// Length of a filter in bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct FilterLen(u32);

/// A filter length no kernel compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a filter has a multiple of 64 bits, at least 64 and at most 4096, got {0}")]
pub struct FilterLenError(pub u32);

impl FilterLen {
    /// Length in bits.
    pub const fn to_bits(self) -> u32 {
        self.0
    }

    /// Length in bytes.
    pub const fn to_bytes(self) -> usize {
        self.to_words() * 8
    }

    /// Length in words of 64 bits.
    #[expect(clippy::as_conversions, reason = "at most 64; `From` is not const")]
    pub const fn to_words(self) -> usize {
        (self.0 / 64) as usize
    }
}

impl TryFrom<u32> for FilterLen {
    type Error = FilterLenError;

    fn try_from(bits: u32) -> Result<Self, Self::Error> {
        if bits == 0 || !bits.is_multiple_of(64) || bits > 4096 {
            return Err(FilterLenError(bits));
        }
        Ok(Self(bits))
    }
}

impl From<FilterLen> for u32 {
    fn from(len: FilterLen) -> Self {
        len.0
    }
}

/// How alike two filters are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// 2·|a∧b| / (|a|+|b|), in [0, 1]. Two empty filters have no similarity.
    Dice,
    /// ρ = 1 − 2·Hamming(a, b)/m, in [−1, 1]; about 0 between unrelated records.
    Rho,
}

impl Measure {
    /// The word in files and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dice => "dice",
            Self::Rho => "rho",
        }
    }
}

/// The encoding profile: from record to filter, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Profile {
    /// Dense majority encoding, three layers XORed, 2,048 bits (Armknecht & Schäfer, PoPETs 2026(2)).
    #[serde(rename = "saul-3-2048")]
    Saul3x2048,
    /// The same with 1,024 bits: about one point of F1 less, and harder still to attack with known pairs.
    #[serde(rename = "saul-3-1024")]
    Saul3x1024,
    /// Two layers of 1,024 bits under keys of the birth year: only persons of one birth year resemble each other.
    #[serde(rename = "saul-2-1024-year")]
    Saul2x1024Year,
    /// Record-level Bloom filter of 1,024 bits. Withstands only a party that has no list of the people.
    #[serde(rename = "clk-1024")]
    Clk1024,
    /// Record-level Bloom filter of 2,048 bits, as [`Profile::Clk1024`].
    #[serde(rename = "clk-2048")]
    Clk2048,
    /// A Bloom filter of 256 bits for each match field, one after the other. Falls to frequency attacks.
    #[serde(rename = "fields-256")]
    Fields256,
    /// A Bloom filter of 512 bits for each match field, as [`Profile::Fields256`].
    #[serde(rename = "fields-512")]
    Fields512,
}

/// A profile name that is not one of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown encoding profile; known are {}", Profile::ALL.map(Profile::as_str).join(", "))]
pub struct ProfileError;

/// How a profile makes a filter of a record's tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Construction {
    /// Each layer's bit says whether more than half of the tokens set it; the layers are XORed.
    Majority {
        /// Layers.
        layers: u32,
        /// Bits of a layer, and of the filter.
        bits: u32,
        /// Whether the birth year chooses the keys and leaves the tokens.
        salted_by_birth_year: bool,
    },
    /// Each token sets some bits of the filter of the whole record.
    Bloom {
        /// Bits of the filter.
        bits: u32,
    },
    /// Each token sets some bits of the part of the filter that is its field's.
    FieldBloom {
        /// Bits of each field's part.
        bits: u32,
    },
}

impl Profile {
    /// Every profile, the default first.
    pub const ALL: [Self; 7] = [
        Self::Saul3x2048,
        Self::Saul3x1024,
        Self::Saul2x1024Year,
        Self::Clk1024,
        Self::Clk2048,
        Self::Fields256,
        Self::Fields512,
    ];

    /// The name in agreements, files and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Saul3x2048 => "saul-3-2048",
            Self::Saul3x1024 => "saul-3-1024",
            Self::Saul2x1024Year => "saul-2-1024-year",
            Self::Clk1024 => "clk-1024",
            Self::Clk2048 => "clk-2048",
            Self::Fields256 => "fields-256",
            Self::Fields512 => "fields-512",
        }
    }

    /// How a filter is made.
    pub const fn construction(self) -> Construction {
        const fn majority(layers: u32, bits: u32, salted_by_birth_year: bool) -> Construction {
            Construction::Majority {
                layers,
                bits,
                salted_by_birth_year,
            }
        }
        match self {
            Self::Saul3x2048 => majority(3, 2048, false),
            Self::Saul3x1024 => majority(3, 1024, false),
            Self::Saul2x1024Year => majority(2, 1024, true),
            Self::Clk1024 => Construction::Bloom { bits: 1024 },
            Self::Clk2048 => Construction::Bloom { bits: 2048 },
            Self::Fields256 => Construction::FieldBloom { bits: 256 },
            Self::Fields512 => Construction::FieldBloom { bits: 512 },
        }
    }

    /// Bits of a filter over so many match fields.
    ///
    /// # Errors
    /// When the parts of so many fields are longer than the longest filter.
    pub fn filter_len(self, field_count: usize) -> Result<FilterLen, FilterLenError> {
        let bits = match self.construction() {
            Construction::Majority { bits, .. } | Construction::Bloom { bits } => bits,
            Construction::FieldBloom { bits } => {
                bits.saturating_mul(u32::try_from(field_count).unwrap_or(u32::MAX))
            }
        };
        FilterLen::try_from(bits)
    }

    /// How two filters of this profile are compared.
    pub const fn measure(self) -> Measure {
        match self.construction() {
            Construction::Majority { .. } => Measure::Rho,
            Construction::Bloom { .. } | Construction::FieldBloom { .. } => Measure::Dice,
        }
    }

    /// Whether the birth year chooses the keys and leaves the tokens.
    pub const fn is_salted_by_birth_year(self) -> bool {
        matches!(
            self.construction(),
            Construction::Majority {
                salted_by_birth_year: true,
                ..
            }
        )
    }

    /// Whether the linkage unit must be trusted with a list of the population, which every agreement
    /// and report says of such a profile.
    pub const fn needs_trusted_unit(self) -> bool {
        match self.construction() {
            Construction::Majority { .. } => false,
            Construction::Bloom { .. } | Construction::FieldBloom { .. } => true,
        }
    }
}

impl FromStr for Profile {
    type Err = ProfileError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|profile| profile.as_str() == text)
            .ok_or(ProfileError)
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How the threshold of a run is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "policy", content = "value")]
pub enum ThresholdPolicy {
    /// Estimated from the similarities of the run, without truth.
    Estimated,
    /// Given.
    Fixed(Threshold),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for profile in Profile::ALL {
            assert_eq!(profile.as_str().parse(), Ok(profile));
            let json = serde_json::to_string(&profile).unwrap();
            assert_eq!(json, format!("\"{profile}\""));
        }
        assert_eq!("clk".parse::<Profile>(), Err(ProfileError));
    }

    #[test]
    fn a_filter_is_whole_words_up_to_4096_bits() {
        for bits in [0, 63, 65, 4160] {
            assert_eq!(FilterLen::try_from(bits), Err(FilterLenError(bits)));
        }
        assert_eq!(FilterLen::try_from(1024).unwrap().to_words(), 16);
    }
}
