//! The classes moves are put into, and the figures that are sums of them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What became of a move of one office's list. Every counted move is in one class; one both offices have in one period is in
/// [`Class::Agree`] once, one they have in two is in the timing class of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Class {
    /// Paired, both in this period, both counted.
    Agree,
    /// The origin's, paired, counted by both, in another period there.
    TimingOrigin,
    /// The destination's.
    TimingDestination,
    /// The origin's, paired, but the destination's rule does not count it.
    DefinitionOrigin,
    /// The destination's.
    DefinitionDestination,
    /// The origin's, found at the destination, which names another country or none.
    PartnerOrigin,
    /// The destination's.
    PartnerDestination,
    /// The origin's, with nothing found.
    UnmatchedOrigin,
    /// The destination's.
    UnmatchedDestination,
}

impl Class {
    /// Every class.
    pub(crate) const ALL: [Self; 9] = [
        Self::Agree,
        Self::TimingOrigin,
        Self::TimingDestination,
        Self::DefinitionOrigin,
        Self::DefinitionDestination,
        Self::PartnerOrigin,
        Self::PartnerDestination,
        Self::UnmatchedOrigin,
        Self::UnmatchedDestination,
    ];

    /// Its position in [`Class::ALL`].
    pub(crate) const fn index(self) -> usize {
        match self {
            Self::Agree => 0,
            Self::TimingOrigin => 1,
            Self::TimingDestination => 2,
            Self::DefinitionOrigin => 3,
            Self::DefinitionDestination => 4,
            Self::PartnerOrigin => 5,
            Self::PartnerDestination => 6,
            Self::UnmatchedOrigin => 7,
            Self::UnmatchedDestination => 8,
        }
    }
}

/// Moves by class, with the sum of their record keys (modulo 2⁶⁴), which is what cell keys are made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Account {
    /// In the order of [`Class::ALL`].
    pub(crate) counts: [u64; Class::ALL.len()],
    /// The same.
    pub(crate) keys: [u64; Class::ALL.len()],
}

impl Account {
    pub(crate) fn add_move(&mut self, class: Class, record_key: u64) {
        self.counts[class.index()] += 1;
        self.keys[class.index()] = self.keys[class.index()].wrapping_add(record_key);
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for class in 0..Class::ALL.len() {
            self.counts[class] += other.counts[class];
            self.keys[class] = self.keys[class].wrapping_add(other.keys[class]);
        }
    }

    pub(crate) fn measure(&self, measure: Measure) -> u64 {
        measure
            .classes()
            .iter()
            .map(|class| self.counts[class.index()])
            .sum()
    }
}

/// A count of a flow table.
///
/// Exactly, in every row: immigrations − emigrations_own = (timing_destination − timing_origin) + (definition_destination −
/// definition_origin) + (partner_destination − partner_origin) + (unmatched_destination − unmatched_origin); and emigrations =
/// matched + only_origin, immigrations = matched + only_destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Moves the origin reports, each once and where the destination has it if it does: matched + only_origin. What the estimate
    /// is made of.
    Emigrations,
    /// Moves the destination reports.
    Immigrations,
    /// Moves both report and count, in the destination's period and group.
    Matched,
    /// Moves the origin alone reports and counts for this corridor.
    OnlyOrigin,
    /// Moves the destination alone reports and counts for this corridor.
    OnlyDestination,
    /// Moves the origin reports in its own period.
    EmigrationsOwn,
    /// Moves both report and count, in the same period.
    Agree,
    /// The origin's moves that the destination has in another period.
    TimingOrigin,
    /// The destination's moves that the origin has in another period.
    TimingDestination,
    /// The origin's moves that the destination has and does not count by the rule.
    DefinitionOrigin,
    /// The destination's moves that the origin has and does not count by the rule.
    DefinitionDestination,
    /// The origin's moves that the destination has with another country or none.
    PartnerOrigin,
    /// The destination's moves that the origin has with another country or none.
    PartnerDestination,
    /// The origin's moves that the destination does not have.
    UnmatchedOrigin,
    /// The destination's moves that the origin does not have.
    UnmatchedDestination,
}

impl Measure {
    /// Every measure, in the order of columns.
    pub const ALL: [Self; 15] = [
        Self::Emigrations,
        Self::Immigrations,
        Self::Matched,
        Self::OnlyOrigin,
        Self::OnlyDestination,
        Self::EmigrationsOwn,
        Self::Agree,
        Self::TimingOrigin,
        Self::TimingDestination,
        Self::DefinitionOrigin,
        Self::DefinitionDestination,
        Self::PartnerOrigin,
        Self::PartnerDestination,
        Self::UnmatchedOrigin,
        Self::UnmatchedDestination,
    ];

    /// The word in files and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Emigrations => "emigrations",
            Self::Immigrations => "immigrations",
            Self::Matched => "matched",
            Self::OnlyOrigin => "only_origin",
            Self::OnlyDestination => "only_destination",
            Self::EmigrationsOwn => "emigrations_own",
            Self::Agree => "agree",
            Self::TimingOrigin => "timing_origin",
            Self::TimingDestination => "timing_destination",
            Self::DefinitionOrigin => "definition_origin",
            Self::DefinitionDestination => "definition_destination",
            Self::PartnerOrigin => "partner_origin",
            Self::PartnerDestination => "partner_destination",
            Self::UnmatchedOrigin => "unmatched_origin",
            Self::UnmatchedDestination => "unmatched_destination",
        }
    }

    /// The value of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|value| value.as_str() == word)
    }

    /// Its position in [`Measure::ALL`].
    pub(crate) fn index(self) -> usize {
        Self::ALL.iter().position(|other| *other == self).unwrap_or(0)
    }

    /// The classes it is the sum of.
    pub(crate) const fn classes(self) -> &'static [Class] {
        use Class::{
            Agree, DefinitionDestination, DefinitionOrigin, PartnerDestination, PartnerOrigin,
            TimingDestination, TimingOrigin, UnmatchedDestination, UnmatchedOrigin,
        };
        match self {
            Self::Emigrations => &[
                Agree,
                TimingDestination,
                DefinitionOrigin,
                PartnerOrigin,
                UnmatchedOrigin,
            ],
            Self::Immigrations => &[
                Agree,
                TimingDestination,
                DefinitionDestination,
                PartnerDestination,
                UnmatchedDestination,
            ],
            Self::Matched => &[Agree, TimingDestination],
            Self::OnlyOrigin => &[DefinitionOrigin, PartnerOrigin, UnmatchedOrigin],
            Self::OnlyDestination => &[DefinitionDestination, PartnerDestination, UnmatchedDestination],
            Self::EmigrationsOwn => &[
                Agree,
                TimingOrigin,
                DefinitionOrigin,
                PartnerOrigin,
                UnmatchedOrigin,
            ],
            Self::Agree => &[Agree],
            Self::TimingOrigin => &[TimingOrigin],
            Self::TimingDestination => &[TimingDestination],
            Self::DefinitionOrigin => &[DefinitionOrigin],
            Self::DefinitionDestination => &[DefinitionDestination],
            Self::PartnerOrigin => &[PartnerOrigin],
            Self::PartnerDestination => &[PartnerDestination],
            Self::UnmatchedOrigin => &[UnmatchedOrigin],
            Self::UnmatchedDestination => &[UnmatchedDestination],
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
