//! What comes out of a comparison.

use corridor_core::{Corridor, Digest};
use serde::Serialize;

use super::reason::ReasonCode;

/// How two statements are not the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DifferenceKind {
    /// Both offices say something, and not the same.
    Differs,
    /// The origin does not say.
    OriginSilent,
    /// The destination does not say.
    DestinationSilent,
    /// Neither says.
    BothSilent,
}

impl DifferenceKind {
    /// Whether both say something.
    pub const fn is_stated(self) -> bool {
        match self {
            Self::Differs => true,
            Self::OriginSilent | Self::DestinationSilent | Self::BothSilent => false,
        }
    }
}

/// Which of the two counts of one flow a difference tends to make the higher one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tendency {
    /// The emigrations that the origin counts.
    TowardEmigrations,
    /// The immigrations that the destination counts.
    TowardImmigrations,
    /// Either, as the case may be: it moves people between periods, groups or partners.
    Either,
    /// It cannot be told, since an office does not say.
    Unknown,
}

/// What a difference of definitions would make of the two counts if nothing else differed, from published figures. Indicative: it was
/// found for other countries and years.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Indicative {
    /// Emigrations over immigrations.
    pub ratio: f64,
    /// The smallest of that by other published figures, or the lower end of an interval.
    pub low: f64,
    /// The largest, or the upper end.
    pub high: f64,
    /// Where the figures are published.
    pub source: &'static str,
}

/// One thing two manifests do not say alike.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DefinitionDifference {
    /// Why it makes figures differ.
    pub reason: ReasonCode,
    /// The letter of the reason.
    pub letter: char,
    /// How the statements are not the same.
    pub kind: DifferenceKind,
    /// The key, below `emigration` in the origin's manifest and below `immigration` in the destination's where it is one of a direction.
    pub field: String,
    /// What the origin says.
    pub origin: String,
    /// What the destination says.
    pub destination: String,
    /// Which count it tends to make the higher one.
    pub tendency: Tendency,
    /// The difference in words.
    pub sentence: String,
    /// How much it may be, where there are published figures.
    pub indicative: Option<Indicative>,
}

/// Something on which two manifests say the same, and that is known to make figures differ all the same.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AlikeRemark {
    /// Why it makes figures differ.
    pub reason: ReasonCode,
    /// The letter of the reason.
    pub letter: char,
    /// The key.
    pub field: String,
    /// What is known of it, in words.
    pub sentence: String,
    /// How much it may be, by published figures.
    pub indicative: Indicative,
}

/// Two manifests held against each other for one corridor. Its JSON form is stable: keys may be added under the same version, and none
/// removed or given another meaning.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ManifestComparison {
    /// Version of the JSON form, 1.
    pub version: u32,
    /// From where to where.
    pub corridor: Corridor,
    /// Digest of the origin's manifest.
    pub origin_manifest: Digest,
    /// Digest of the destination's.
    pub destination_manifest: Digest,
    /// What differs, then what is not said, each in the order of reasons.
    pub differences: Vec<DefinitionDifference>,
    /// Keys on which both say the same.
    pub alike: Vec<String>,
    /// Those among them by which figures differ all the same: offices of which experts think alike miss more emigrations than
    /// immigrations.
    pub remarks: Vec<AlikeRemark>,
}
