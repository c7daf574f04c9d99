//! What is found when a manifest is held against itself and the data it describes.

use jiff::civil::Date;
use serde::Serialize;

use super::DefinitionManifest;
use super::stated::{Quantity, Stated};
use corridor_core::Direction;

/// How sure a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Manifest and data cannot both be right.
    Contradiction,
    /// They hardly can.
    Doubt,
}

/// What is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// Moves after the day the data is said to be drawn.
    AfterExtract,
    /// Ages in completed years cannot be told, since birth dates have no month and day.
    AgeNotTold,
    /// A break of the series that is not in the reference period.
    BreakOutsidePeriod,
    /// Dates that are said to be of register entries fall on every day of the week alike.
    DatesOnClosedDays,
    /// Nearly all dates are the first of a month or year, as where the day is not known.
    DatesHeaped,
    /// Moves in a direction the manifest does not describe.
    DirectionNotDescribed,
    /// No moves in a direction that it describes.
    DirectionWithoutMoves,
    /// Moves of a group that is said to be left out.
    GroupNotExcluded,
    /// Moves are registered later, typically, than the data was drawn.
    LagLongerThanWait,
    /// Dates that are said to be of moves are never of one day of the week, as where an office is closed.
    MovesOnOpenDaysOnly,
    /// A person's further moves in the same direction and year, where one is said to count.
    MovesRepeated,
    /// Moves outside the reference period.
    OutsidePeriod,
    /// The office counts by another rule of minimum stay, as the mapping has it.
    OwnRuleDiffers,
    /// The other country is missing, or missing more often, than is said.
    PartnerMissing,
    /// The other country is the reporting one.
    PartnerOwnCountry,
    /// Several moves have one number of a person, of which there is said to be none.
    PersonsFollowed,
    /// Dates are less exact than is said.
    PrecisionCoarser,
    /// Dates are more exact than is said.
    PrecisionFiner,
    /// The extract is of another country.
    ReporterDiffers,
    /// Moves that the office counts had stays shorter than its minimum.
    StayTooShort,
}

impl FindingKind {
    /// The name in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AfterExtract => "after_extract",
            Self::AgeNotTold => "age_not_told",
            Self::BreakOutsidePeriod => "break_outside_period",
            Self::DatesOnClosedDays => "dates_on_closed_days",
            Self::DatesHeaped => "dates_heaped",
            Self::DirectionNotDescribed => "direction_not_described",
            Self::DirectionWithoutMoves => "direction_without_moves",
            Self::GroupNotExcluded => "group_not_excluded",
            Self::LagLongerThanWait => "lag_longer_than_wait",
            Self::MovesOnOpenDaysOnly => "moves_on_open_days_only",
            Self::MovesRepeated => "moves_repeated",
            Self::OutsidePeriod => "outside_period",
            Self::OwnRuleDiffers => "own_rule_differs",
            Self::PartnerMissing => "partner_missing",
            Self::PartnerOwnCountry => "partner_own_country",
            Self::PersonsFollowed => "persons_followed",
            Self::PrecisionCoarser => "precision_coarser",
            Self::PrecisionFiner => "precision_finer",
            Self::ReporterDiffers => "reporter_differs",
            Self::StayTooShort => "stay_too_short",
        }
    }
}

/// One thing a manifest says that itself or the data does not bear out. Has counts, never a value of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How sure it is.
    pub severity: Severity,
    /// What it is.
    pub kind: FindingKind,
    /// The key of the manifest.
    pub key: String,
    /// Moves it was found in, or breaks, or days; 0 where there is nothing to count.
    pub count: u64,
    /// Of how many.
    pub of: u64,
    /// In words.
    pub sentence: String,
}

impl DefinitionManifest {
    /// Where the manifest is at odds with itself, but can be used.
    pub fn self_findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let first = self.reference.first.as_ref();
        let last = self.reference.last.as_ref();
        let outside =
            |date: &Date| first.is_some_and(|first| date < first) || last.is_some_and(|last| last < date);
        for (position, found) in self.breaks.iter().enumerate() {
            if outside(&found.date) {
                findings.push(Finding {
                    severity: Severity::Contradiction,
                    kind: FindingKind::BreakOutsidePeriod,
                    key: format!("breaks[{position}].date"),
                    count: 1,
                    of: u64::try_from(self.breaks.len()).unwrap_or(u64::MAX),
                    sentence: format!(
                        "the break of {} is outside the reference period; leave it out, or correct the period",
                        found.date
                    ),
                });
            }
        }
        for direction in Direction::ALL {
            let lag = self
                .direction(direction)
                .map(|flow| flow.registration.typical_lag_days);
            if let (Some(Quantity::Is(lag)), Some(wait)) = (lag, self.wait_days())
                && u64::from(lag) > wait
            {
                findings.push(Finding {
                    severity: Severity::Doubt,
                    kind: FindingKind::LagLongerThanWait,
                    key: format!("{}.registration.typical_lag_days", direction.as_str()),
                    count: u64::from(lag) - wait,
                    of: u64::from(lag),
                    sentence: format!(
                        "moves are registered {lag} days late, typically, and the data was drawn {wait} days after the period: of \
                         its last {} days most moves are missing",
                        u64::from(lag) - wait
                    ),
                });
            }
        }
        findings
    }

    /// Days from the end of the period to the extract.
    fn wait_days(&self) -> Option<u64> {
        match (self.reference.last, self.reference.extracted) {
            (Stated::Known(last), Stated::Known(extracted)) => {
                u64::try_from(last.until(extracted).ok()?.get_days()).ok()
            }
            (Stated::Unknown | Stated::Known(_), Stated::Unknown) | (Stated::Unknown, Stated::Known(_)) => {
                None
            }
        }
    }
}
