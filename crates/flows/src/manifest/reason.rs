//! Why two offices' figures differ, as a closed list.

use serde::{Deserialize, Serialize};

/// Why the two figures of a flow differ. Ordered as in tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasonCode {
    /// The minimum stay.
    Duration,
    /// Whether the actual stay counts, the intended one, or the permit.
    Basis,
    /// Who is in the figures.
    Coverage,
    /// Moves that are never registered.
    UnderRegistration,
    /// Moves that are registered late.
    LateRegistration,
    /// What the date is, and so in which period a move falls.
    Timing,
    /// How the other country is known.
    Partner,
    /// What belongs to a country.
    Territory,
    /// Records of moves that did not happen.
    OverCoverage,
    /// By what people are known again, and so found in both lists.
    Linkage,
    /// What is done to figures before they are published.
    Rounding,
}

impl ReasonCode {
    /// Every reason, in the order of tables.
    pub const ALL: [Self; 11] = [
        Self::Duration,
        Self::Basis,
        Self::Coverage,
        Self::UnderRegistration,
        Self::LateRegistration,
        Self::Timing,
        Self::Partner,
        Self::Territory,
        Self::OverCoverage,
        Self::Linkage,
        Self::Rounding,
    ];

    /// Its letter in tables.
    pub const fn letter(self) -> char {
        match self {
            Self::Duration => 'D',
            Self::Basis => 'B',
            Self::Coverage => 'C',
            Self::UnderRegistration => 'U',
            Self::LateRegistration => 'L',
            Self::Timing => 'T',
            Self::Partner => 'P',
            Self::Territory => 'X',
            Self::OverCoverage => 'O',
            Self::Linkage => 'K',
            Self::Rounding => 'R',
        }
    }

    /// Its words in tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Duration => "duration",
            Self::Basis => "basis",
            Self::Coverage => "coverage",
            Self::UnderRegistration => "under-registration",
            Self::LateRegistration => "late registration",
            Self::Timing => "timing",
            Self::Partner => "partner",
            Self::Territory => "territory",
            Self::OverCoverage => "over-coverage",
            Self::Linkage => "linkage",
            Self::Rounding => "rounding",
        }
    }
}
