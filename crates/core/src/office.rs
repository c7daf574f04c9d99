use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

use crate::PublicKey;

/// The short name of an office: 2 to 32 of `A–Z`, `0–9` and `-`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct OfficeId(String);

/// A text that is no office name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an office id is 2 to 32 characters of A-Z, 0-9 and -")]
pub struct OfficeIdError;

impl OfficeId {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for OfficeId {
    type Err = OfficeIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let sound = (2..=32).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-');
        if sound {
            Ok(Self(text.to_owned()))
        } else {
            Err(OfficeIdError)
        }
    }
}

impl<'de> Deserialize<'de> for OfficeId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for OfficeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for OfficeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which end of the corridor an office stands at. The origin is always the left side of a linkage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The office of the country people leave; left.
    Origin,
    /// The office of the country people come to; right.
    Destination,
}

impl Side {
    /// The word in files and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Origin => "origin",
            Self::Destination => "destination",
        }
    }

    /// The other end.
    pub const fn to_other(self) -> Self {
        match self {
            Self::Origin => Self::Destination,
            Self::Destination => Self::Origin,
        }
    }
}

/// One of the two offices of an agreement, with the public keys the other office compared out of band.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Office {
    /// Its short name, which is also its name at the service.
    pub id: OfficeId,
    /// The key its signatures are checked with.
    pub signing_key: PublicKey,
}
