use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::{CountryGroup, MigratoryStatus, Reason, StayFlags};

/// Sex as the service sees it, after each office's own coding was translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sex {
    /// ISO 5218 code 2.
    Female,
    /// ISO 5218 code 1.
    Male,
    /// ISO 5218 codes 0 and 9: not known or not applicable.
    Unknown,
}

impl Sex {
    /// Every value, in the order used in tables.
    pub const ALL: [Self; 3] = [Self::Female, Self::Male, Self::Unknown];

    /// The word in files and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Female => "female",
            Self::Male => "male",
            Self::Unknown => "unknown",
        }
    }

    /// The value of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|value| value.as_str() == word)
    }
}

/// Which way a move goes, seen from the office that reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The person left the reporter's country.
    Emigration,
    /// The person came to the reporter's country.
    Immigration,
}

impl Direction {
    /// Every value.
    pub const ALL: [Self; 2] = [Self::Emigration, Self::Immigration];

    /// The word in files and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Emigration => "emigration",
            Self::Immigration => "immigration",
        }
    }

    /// The value of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|value| value.as_str() == word)
    }
}

/// What the reporter says of the other country of a move, relative to the agreement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counterpart {
    /// The other office's country.
    Partner,
    /// A third country.
    Other,
    /// Not recorded.
    Unknown,
}

impl Counterpart {
    /// Every value.
    pub const ALL: [Self; 3] = [Self::Partner, Self::Other, Self::Unknown];

    /// The word in files and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Partner => "partner",
            Self::Other => "other",
            Self::Unknown => "unknown",
        }
    }

    /// The value of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|value| value.as_str() == word)
    }
}

/// How exactly the date of a move is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatePrecision {
    /// The day.
    Day,
    /// The month; the day is stored as 1.
    Month,
    /// The year; month and day are stored as 1.
    Year,
}

impl DatePrecision {
    /// Every value.
    pub const ALL: [Self; 3] = [Self::Day, Self::Month, Self::Year];

    /// The word in files and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    /// The value of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|value| value.as_str() == word)
    }
}

/// The date of a move with its precision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EventDate {
    /// First day the move can have been.
    pub date: Date,
    /// How much of `date` is known.
    pub precision: DatePrecision,
}

impl EventDate {
    /// The calendar year.
    pub fn year(&self) -> i16 {
        self.date.year()
    }

    /// First and last day the move can have been.
    fn to_span(self) -> (Date, Date) {
        let last = match self.precision {
            DatePrecision::Day => self.date,
            DatePrecision::Month => self.date.last_of_month(),
            DatePrecision::Year => self.date.last_of_year(),
        };
        (self.date, last)
    }

    /// Smallest number of days between the two moves that the recorded precision allows: 0 when
    /// the two spans overlap, as a year-only date does with any day of its year.
    pub fn days_apart(&self, other: &Self) -> u32 {
        let (first, last) = self.to_span();
        let (other_first, other_last) = other.to_span();
        let gap = if last < other_first {
            days_between(last, other_first)
        } else if other_last < first {
            days_between(other_last, first)
        } else {
            0
        };
        u32::try_from(gap).expect("a later date is not before an earlier one")
    }
}

fn days_between(from: Date, to: Date) -> i32 {
    from.until(to)
        .expect("two civil dates are within the range of a span")
        .get_days()
}

/// One office's record of one move, as uploaded: coarse facts in clear, no name and no birth date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MigrationEvent {
    /// Which way, seen from the reporter.
    pub direction: Direction,
    /// The other country, relative to the agreement.
    pub counterpart: Counterpart,
    /// When.
    pub date: EventDate,
    /// Sex of the mover.
    pub sex: Sex,
    /// Age in completed years at the event, as a band of the agreement; `None` when the birth year is
    /// unknown.
    pub age_band: Option<AgeBand>,
    /// What else is uploaded of the mover, as far as the agreement's tables ask for it.
    pub facts: MoverFacts,
}

/// Coarse facts of a mover beside sex and age. What no table asks for, and what the register does not say, is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct MoverFacts {
    /// Age reached in the year of the move, as a band of the agreement.
    pub age_band_reached: Option<AgeBand>,
    /// Citizenship, as a group of the agreement.
    pub citizenship: Option<CountryGroup>,
    /// Country of birth, as a group of the agreement.
    pub birth_country: Option<CountryGroup>,
    /// What the mover is to the country of destination.
    pub migratory_status: MigratoryStatus,
    /// Why the mover moved.
    pub reason: Reason,
    /// Under which rules of minimum stay the move counts.
    pub stay: StayFlags,
}

/// The age bands of an agreement: lower bounds in completed years, the first 0, the last open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<u8>", into = "Vec<u8>")]
pub struct AgeBands(Vec<u8>);

/// One band of an [`AgeBands`], by position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgeBand(pub u8);

/// Age bands that are not usable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("age bands are at most 60 lower bounds, the first 0, each above the one before and at most 120")]
pub struct AgeBandsError;

impl AgeBands {
    /// Band of `age_years`, the age in completed years.
    pub fn band(&self, age_years: u8) -> AgeBand {
        let above = self.0.partition_point(|&lower| lower <= age_years);
        AgeBand(u8::try_from(above - 1).expect("at most 60 bands"))
    }

    /// Number of bands.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Never true: there is at least one band.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Text of a band: `0-14`, `15-29`, …, `65+`. `None` when the band is not one of these.
    pub fn label(&self, band: AgeBand) -> Option<String> {
        let position = usize::from(band.0);
        let lower = self.0.get(position)?;
        Some(match self.0.get(position + 1) {
            Some(next) => format!("{lower}-{}", next - 1),
            None => format!("{lower}+"),
        })
    }
}

impl TryFrom<Vec<u8>> for AgeBands {
    type Error = AgeBandsError;

    fn try_from(lower_bounds: Vec<u8>) -> Result<Self, Self::Error> {
        let sound = lower_bounds.first() == Some(&0)
            && lower_bounds.len() <= 60
            && lower_bounds.windows(2).all(|pair| pair[0] < pair[1])
            && lower_bounds.iter().all(|&bound| bound <= 120);
        if sound {
            Ok(Self(lower_bounds))
        } else {
            Err(AgeBandsError)
        }
    }
}

impl From<AgeBands> for Vec<u8> {
    fn from(bands: AgeBands) -> Self {
        bands.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn event(date: Date, precision: DatePrecision) -> EventDate {
        EventDate { date, precision }
    }

    #[test]
    fn days_apart_counts_days_across_months() {
        let first = event(date(2023, 1, 31), DatePrecision::Day);
        let second = event(date(2023, 3, 2), DatePrecision::Day);
        assert_eq!(first.days_apart(&second), 30);
        assert_eq!(second.days_apart(&first), 30);
    }

    #[test]
    fn a_year_only_date_is_no_days_from_any_day_of_its_year() {
        let year = event(date(2023, 1, 1), DatePrecision::Year);
        assert_eq!(year.days_apart(&event(date(2023, 12, 31), DatePrecision::Day)), 0);
        assert_eq!(year.days_apart(&event(date(2024, 1, 2), DatePrecision::Day)), 2);
        assert_eq!(
            year.days_apart(&event(date(2022, 12, 1), DatePrecision::Month)),
            1
        );
    }

    #[test]
    fn bands_cover_every_age_once() {
        let bands = AgeBands::try_from(vec![0, 15, 30, 65]).unwrap();
        let label = |age| bands.label(bands.band(age)).unwrap();
        assert_eq!(label(0), "0-14");
        assert_eq!(label(14), "0-14");
        assert_eq!(label(15), "15-29");
        assert_eq!(label(64), "30-64");
        assert_eq!(label(110), "65+");
        assert_eq!(bands.label(AgeBand(4)), None);
    }

    #[test]
    fn refuses_overlapping_or_unordered_bands() {
        for bounds in [
            vec![],
            vec![5, 10],
            vec![0, 10, 10],
            vec![0, 20, 10],
            vec![0, 200],
        ] {
            assert_eq!(AgeBands::try_from(bounds), Err(AgeBandsError));
        }
    }
}
