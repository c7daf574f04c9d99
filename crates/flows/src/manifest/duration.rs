//! The duration rule: how long somebody must stay, or be away, for the move to count.

use std::collections::BTreeMap;
use std::fmt;

use corridor_core::{CountryCode, DurationRule as CommonRule};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::stated::{UNKNOWN, unique_map, words};

words! {
    /// What the length of a stay is judged by.
    DurationBasis {
        /// How long the person was there in fact, which can be told only afterwards.
        Actual = "actual", "waits for the actual stay";
        /// How long the person said to stay.
        Intended = "intended", "takes the intended stay";
        /// How long the permit of residence is for.
        Permit = "permit", "takes the length of the permit";
    }
}

/// A length of stay in months, to a hundredth; more than 0 and at most [`Months::MOST`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Months {
    hundredths: u32,
}

/// A number of months that is no minimum stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a number of months is above 0, at most 120, and has at most two decimals; for no minimum stay write \"none\""
)]
pub struct MonthsError;

impl Months {
    /// The most months there can be.
    pub const MOST: u32 = 120;

    /// The months as a number.
    pub fn to_number(self) -> f64 {
        f64::from(self.hundredths) / 100.0
    }
}

impl TryFrom<f64> for Months {
    type Error = MonthsError;

    fn try_from(months: f64) -> Result<Self, Self::Error> {
        let hundredths = months * 100.0;
        let sound = hundredths >= 1.0
            && hundredths <= f64::from(Self::MOST * 100)
            && (hundredths - hundredths.round()).abs() < 1e-6;
        if !sound {
            return Err(MonthsError);
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::as_conversions,
            reason = "between 1 and 12,000"
        )]
        let hundredths = hundredths.round() as u32;
        Ok(Self { hundredths })
    }
}

impl fmt::Display for Months {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_number().fmt(f)
    }
}

impl Serialize for Months {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.hundredths.is_multiple_of(100) {
            serializer.serialize_u32(self.hundredths / 100)
        } else {
            serializer.serialize_f64(self.to_number())
        }
    }
}

impl<'de> Deserialize<'de> for Months {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        f64::deserialize(deserializer)?
            .try_into()
            .map_err(D::Error::custom)
    }
}

/// How long a stay, or an absence, must be for the move to count.
///
/// Written as `"none"`, `"permanent"`, `"unknown"`, `{ months = 12 }` or `{ days = 184, within_months = 12 }`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MinimumStay {
    /// Every move counts, however short the stay.
    None,
    /// So many months without a break.
    Months(Months),
    /// So many days, not necessarily together, within a window: six months and a day of the last twelve.
    Share {
        /// Days.
        days: u16,
        /// Length of the window, in months.
        within_months: u16,
    },
    /// For good: the person takes up, or gives up, permanent residence.
    Permanent,
    /// Not known, or not said.
    #[default]
    Unknown,
}

impl MinimumStay {
    /// The longest rule that a move which counts under this one meets as well; none where there is no minimum, or none is said.
    pub(super) fn rule_below(self) -> Option<CommonRule> {
        match self {
            Self::Months(months) => match months.to_number() {
                12.0.. => Some(CommonRule::Months12),
                6.0.. => Some(CommonRule::Months6),
                3.0.. => Some(CommonRule::Months3),
                _ => None,
            },
            Self::Share { days, within_months } => {
                (days >= HALF_YEAR_DAYS && within_months == 12).then_some(CommonRule::HalfYear)
            }
            Self::Permanent => Some(CommonRule::Months12),
            Self::None | Self::Unknown => None,
        }
    }

    /// Whether it is said, and is another than that of a rule.
    pub(super) fn is_other_than(self, rule: CommonRule) -> bool {
        let months = match rule {
            CommonRule::Months12 => 12.0,
            CommonRule::Months6 => 6.0,
            CommonRule::Months3 => 3.0,
            CommonRule::HalfYear => {
                let half_year = Self::Share {
                    days: HALF_YEAR_DAYS,
                    within_months: 12,
                };
                return self != half_year && self != Self::Unknown;
            }
            CommonRule::Own => return false,
        };
        match self {
            Self::Months(said) => (said.to_number() - months).abs() > 1e-9,
            Self::None | Self::Permanent | Self::Share { .. } => true,
            Self::Unknown => false,
        }
    }
}

/// Days of twelve months that are six months and a day.
const HALF_YEAR_DAYS: u16 = 184;

/// Average days of a month, for the length in months of a share of a window.
const DAYS_PER_MONTH: f64 = 365.25 / 12.0;

/// The months that published conversions take permanent residence for (IMEM 2013, Willekens 2019).
const PERMANENT_MONTHS: f64 = 60.0;

impl MinimumStay {
    /// The months that come nearest, for published conversions; `None` when not known. A share of a window is taken as if its days
    /// were together, and permanent residence as sixty months.
    pub fn to_months(self) -> Option<f64> {
        match self {
            Self::None => Some(0.0),
            Self::Months(months) => Some(months.to_number()),
            Self::Share { days, .. } => Some(f64::from(days) / DAYS_PER_MONTH),
            Self::Permanent => Some(PERMANENT_MONTHS),
            Self::Unknown => None,
        }
    }

    /// What an office with it does, to follow its name in a sentence.
    pub(super) fn phrase(self) -> String {
        match self {
            Self::None => "counts every move, however short the stay".to_owned(),
            Self::Months(months) => format!("counts a move when it is for {months} months or more"),
            Self::Share { days, within_months } => {
                format!("counts a move when it is for {days} days or more of {within_months} months")
            }
            Self::Permanent => "counts a move when it is for good".to_owned(),
            Self::Unknown => "does not say".to_owned(),
        }
    }
}

impl fmt::Display for MinimumStay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Months(months) => write!(f, "{months} months"),
            Self::Share { days, within_months } => write!(f, "{days} days within {within_months} months"),
            Self::Permanent => f.write_str("permanent"),
            Self::Unknown => f.write_str(UNKNOWN),
        }
    }
}

/// The form of a minimum stay that is a table.
#[derive(Serialize)]
#[serde(untagged)]
enum StayTable {
    Months { months: Months },
    Share { days: u16, within_months: u16 },
}

impl Serialize for MinimumStay {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self::Months(months) => StayTable::Months { months }.serialize(serializer),
            Self::Share { days, within_months } => {
                StayTable::Share { days, within_months }.serialize(serializer)
            }
            Self::None | Self::Permanent | Self::Unknown => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for MinimumStay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StayVisitor)
    }
}

struct StayVisitor;

impl<'de> Visitor<'de> for StayVisitor {
    type Value = MinimumStay;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "{ months = 12 }, { days = 184, within_months = 12 }, \"none\", \"permanent\" or \"unknown\"",
        )
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
        match text {
            "none" => Ok(MinimumStay::None),
            "permanent" => Ok(MinimumStay::Permanent),
            UNKNOWN => Ok(MinimumStay::Unknown),
            _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let (mut months, mut days, mut within_months) = (None, None, None);
        while let Some(key) = entries.next_key::<String>()? {
            match key.as_str() {
                "months" if months.is_none() => months = Some(entries.next_value::<Months>()?),
                "days" if days.is_none() => days = Some(entries.next_value::<u16>()?),
                "within_months" if within_months.is_none() => {
                    within_months = Some(entries.next_value::<u16>()?)
                }
                _ => {
                    return Err(A::Error::unknown_field(
                        &key,
                        &["months", "days", "within_months"],
                    ));
                }
            }
        }
        match (months, days, within_months) {
            (Some(months), None, None) => Ok(MinimumStay::Months(months)),
            (None, Some(days), Some(within_months)) => {
                let most = within_months.saturating_mul(31);
                if days == 0 || within_months == 0 || within_months > 120 || days > most {
                    return Err(A::Error::custom(
                        "days are 1 or more and fit into within_months, which is at most 120",
                    ));
                }
                Ok(MinimumStay::Share { days, within_months })
            }
            _ => Err(A::Error::custom(
                "give either months, or days and within_months, as in { days = 184, within_months = 12 }",
            )),
        }
    }
}

/// How long a stay, or an absence, must be, by what that is judged, and for whom it is otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DurationRule {
    /// How long.
    pub minimum_stay: MinimumStay,
    /// By what it is judged.
    pub basis: DurationBasis,
    /// Another minimum for moves from or to some countries, as among the Nordic ones.
    #[serde(deserialize_with = "unique_map", skip_serializing_if = "BTreeMap::is_empty")]
    pub by_partner: BTreeMap<CountryCode, MinimumStay>,
}

impl DurationRule {
    /// The minimum for moves from or to `partner`.
    pub fn minimum_stay_for(&self, partner: CountryCode) -> MinimumStay {
        self.by_partner
            .get(&partner)
            .copied()
            .unwrap_or(self.minimum_stay)
    }
}
