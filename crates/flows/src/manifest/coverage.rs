//! Who and what part of the country is in the figures.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::stated::{Text, UNKNOWN, unique_map, words};

/// How a group of people is treated.
///
/// Written as `"included"`, `"excluded"`, `"partly"`, `"unknown"` or `{ from_months = 12 }`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Treatment {
    /// Their moves count as anybody's do.
    Included,
    /// Their moves do not count.
    Excluded,
    /// Their moves count when the stay is this long, whatever the rule for others.
    FromMonths(u16),
    /// Those of some of them count.
    Partly,
    /// Not known, or not said.
    #[default]
    Unknown,
}

impl Treatment {
    /// The most months after which a group can begin to count.
    pub const MOST_MONTHS: u16 = 120;

    /// What an office with it does, to follow its name in a sentence.
    pub(super) fn phrase(self) -> String {
        match self {
            Self::Included => "counts them".to_owned(),
            Self::Excluded => "leaves them out".to_owned(),
            Self::FromMonths(months) => format!("counts them from {months} months on"),
            Self::Partly => "counts some of them".to_owned(),
            Self::Unknown => "does not say".to_owned(),
        }
    }
}

impl fmt::Display for Treatment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Included => f.write_str("included"),
            Self::Excluded => f.write_str("excluded"),
            Self::FromMonths(months) => write!(f, "from {months} months"),
            Self::Partly => f.write_str("partly"),
            Self::Unknown => f.write_str(UNKNOWN),
        }
    }
}

#[derive(Serialize)]
struct TreatmentTable {
    from_months: u16,
}

impl Serialize for Treatment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self::FromMonths(from_months) => TreatmentTable { from_months }.serialize(serializer),
            Self::Included | Self::Excluded | Self::Partly | Self::Unknown => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Treatment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreatmentVisitor)
    }
}

struct TreatmentVisitor;

impl<'de> Visitor<'de> for TreatmentVisitor {
    type Value = Treatment;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"included\", \"excluded\", \"partly\", \"unknown\" or { from_months = 12 }")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
        match text {
            "included" => Ok(Treatment::Included),
            "excluded" => Ok(Treatment::Excluded),
            "partly" => Ok(Treatment::Partly),
            UNKNOWN => Ok(Treatment::Unknown),
            _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut from_months = None;
        while let Some(key) = entries.next_key::<String>()? {
            match key.as_str() {
                "from_months" if from_months.is_none() => from_months = Some(entries.next_value::<u16>()?),
                _ => return Err(A::Error::unknown_field(&key, &["from_months"])),
            }
        }
        from_months
            .filter(|months| (1..=Treatment::MOST_MONTHS).contains(months))
            .map(Treatment::FromMonths)
            .ok_or_else(|| {
                A::Error::custom("from_months is 1 to 120; for from the first day write \"included\"")
            })
    }
}

/// Who is in the figures.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Coverage {
    /// Citizens of the reporting country.
    pub nationals: Treatment,
    /// Citizens of other countries, and people without citizenship.
    pub foreigners: Treatment,
    /// People who move to study.
    pub students: Treatment,
    /// People whose application for asylum is not decided.
    pub asylum_seekers: Treatment,
    /// People recognised as refugees, or under subsidiary protection.
    pub refugees: Treatment,
    /// People under temporary protection (Directive 2001/55/EC, or a like rule).
    pub temporary_protection: Treatment,
    /// Staff of embassies and international organisations, and their families.
    pub diplomats: Treatment,
    /// Members of foreign forces here, or of one's own abroad, and their families.
    pub military: Treatment,
    /// People who come for the work of a season.
    pub seasonal_workers: Treatment,
    /// People without the right to be there.
    pub irregular: Treatment,
    /// People who work in one country and live in the other.
    pub cross_border_commuters: Treatment,
}

words! {
    /// Whom the population the figures belong to consists of.
    PopulationBase {
        /// Those with the right to live there, or entered in its registers, wherever they are: de jure.
        Legal = "legal", "counts the legal population";
        /// Those who usually live there.
        UsualResidence = "usual_residence", "counts usual residents";
        /// Those who are there: de facto.
        Present = "present", "counts those who are present";
    }
}

words! {
    /// What is done with codes of states that are no more.
    FormerStates {
        /// They are read as the state that followed.
        Successor = "successor", "reads former states as those that followed";
        /// They stay as they were recorded.
        AsRecorded = "as_recorded", "keeps former states as recorded";
        /// The country counts as not known.
        NotKnown = "not_known", "takes former states as not known";
    }
}

words! {
    /// Whether a part of a country belongs to it in the figures.
    PartTreatment {
        /// Moves to and from it are moves to and from the country.
        Included = "included", "counts it as part of the country";
        /// It counts as another country, or not at all.
        Excluded = "excluded", "does not count it as part of the country";
    }
}

/// What belongs to a country in the figures: one's own and others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Territory {
    /// Codes of states that are no more.
    pub former_states: FormerStates,
    /// Parts that may be taken for the country or not, by ISO code where there is one (FO, RE, XK), else by name.
    #[serde(deserialize_with = "unique_map")]
    pub parts: BTreeMap<Text, PartTreatment>,
}
