//! How codes read.

use std::collections::{BTreeMap, HashMap};

use corridor_core::{CountryCode, Direction, MigratoryStatus, Reason, RuleFlag, Sex};
use serde::{Deserialize, Serialize};

use super::{MappingError, inconsistent};
use crate::record::BirthSource;

/// How codes read; case and surrounding blanks do not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Codes {
    /// Codes of sex. An empty value is unknown without being declared.
    #[serde(skip_serializing_if = "SexCodes::is_empty")]
    pub sex: SexCodes,
    /// Codes of direction.
    #[serde(skip_serializing_if = "DirectionCodes::is_empty")]
    pub direction: DirectionCodes,
    /// Codes of how a birth date is known. An empty value is not known without being declared.
    #[serde(skip_serializing_if = "BirthQualityCodes::is_empty")]
    pub birth_quality: BirthQualityCodes,
    /// Codes of whether the office counts a move. An empty value is not known without being declared.
    #[serde(skip_serializing_if = "CountedCodes::is_empty")]
    pub counted: CountedCodes,
    /// Codes of what a mover is to the country of destination. An empty value is not known without being declared.
    #[serde(skip_serializing_if = "MigratoryStatusCodes::is_empty")]
    pub migratory_status: MigratoryStatusCodes,
    /// Codes of why people move. An empty value is not known without being declared.
    #[serde(skip_serializing_if = "ReasonCodes::is_empty")]
    pub reason: ReasonCodes,
    /// The office's own country codes → ISO, for those that are not ISO alpha-2, alpha-3, numeric or
    /// Eurostat codes; an empty text means "not known".
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub country: BTreeMap<String, String>,
}

/// Codes of sex.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SexCodes {
    /// Codes that mean female.
    pub female: Vec<String>,
    /// Codes that mean male.
    pub male: Vec<String>,
    /// Codes that mean not known.
    pub unknown: Vec<String>,
}

/// Codes of direction.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DirectionCodes {
    /// Codes that mean the person left the reporter's country.
    pub emigration: Vec<String>,
    /// Codes that mean the person came to the reporter's country.
    pub immigration: Vec<String>,
}

/// Codes of how a birth date is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BirthQualityCodes {
    /// Codes that mean a document was seen.
    pub documented: Vec<String>,
    /// Codes that mean the person said so.
    pub declared: Vec<String>,
    /// Codes that mean month and day (or all) were filled in by rule.
    pub imputed: Vec<String>,
    /// Codes that mean the date was converted from another calendar.
    pub converted: Vec<String>,
    /// Codes that mean the date was estimated, as from an age.
    pub estimated: Vec<String>,
}

/// Codes of whether the office counts a move in its statistics.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CountedCodes {
    /// Codes that mean it does.
    pub yes: Vec<String>,
    /// Codes that mean it does not.
    pub no: Vec<String>,
    /// Codes that mean that is not known yet.
    pub unknown: Vec<String>,
}

/// Codes of what a mover is to the country of destination.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MigratoryStatusCodes {
    /// Codes that mean a citizen, born there.
    pub returning_citizen: Vec<String>,
    /// Codes that mean a citizen, born elsewhere.
    pub foreign_born_citizen: Vec<String>,
    /// Codes that mean no citizen.
    pub foreign_citizen: Vec<String>,
    /// Codes that mean not known.
    pub unknown: Vec<String>,
}

/// Codes of why people move.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReasonCodes {
    /// Codes that mean work.
    pub work: Vec<String>,
    /// Codes that mean to join, accompany or found a family.
    pub family: Vec<String>,
    /// Codes that mean study or training.
    pub study: Vec<String>,
    /// Codes that mean asylum or another protection.
    pub protection: Vec<String>,
    /// Codes that mean return to the country of origin.
    #[serde(rename = "return")]
    pub return_home: Vec<String>,
    /// Codes that mean another reason.
    pub other: Vec<String>,
    /// Codes that mean not known.
    pub unknown: Vec<String>,
}

impl CountedCodes {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn pairs(&self) -> impl Iterator<Item = (&String, RuleFlag)> {
        pairs([
            (&self.yes, RuleFlag::Yes),
            (&self.no, RuleFlag::No),
            (&self.unknown, RuleFlag::Unknown),
        ])
    }
}

impl MigratoryStatusCodes {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn pairs(&self) -> impl Iterator<Item = (&String, MigratoryStatus)> {
        pairs([
            (&self.returning_citizen, MigratoryStatus::ReturningCitizen),
            (&self.foreign_born_citizen, MigratoryStatus::ForeignBornCitizen),
            (&self.foreign_citizen, MigratoryStatus::ForeignCitizen),
            (&self.unknown, MigratoryStatus::Unknown),
        ])
    }
}

impl ReasonCodes {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn pairs(&self) -> impl Iterator<Item = (&String, Reason)> {
        pairs([
            (&self.work, Reason::Work),
            (&self.family, Reason::Family),
            (&self.study, Reason::Study),
            (&self.protection, Reason::Protection),
            (&self.return_home, Reason::Return),
            (&self.other, Reason::Other),
            (&self.unknown, Reason::Unknown),
        ])
    }
}

impl SexCodes {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn pairs(&self) -> impl Iterator<Item = (&String, Sex)> {
        pairs([
            (&self.female, Sex::Female),
            (&self.male, Sex::Male),
            (&self.unknown, Sex::Unknown),
        ])
    }
}

impl DirectionCodes {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn pairs(&self) -> impl Iterator<Item = (&String, Direction)> {
        pairs([
            (&self.emigration, Direction::Emigration),
            (&self.immigration, Direction::Immigration),
        ])
    }
}

impl BirthQualityCodes {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn pairs(&self) -> impl Iterator<Item = (&String, BirthSource)> {
        pairs([
            (&self.documented, BirthSource::Documented),
            (&self.declared, BirthSource::Declared),
            (&self.imputed, BirthSource::Imputed),
            (&self.converted, BirthSource::Converted),
            (&self.estimated, BirthSource::Estimated),
        ])
    }
}

fn pairs<const N: usize, T: Copy>(groups: [(&Vec<String>, T); N]) -> impl Iterator<Item = (&String, T)> {
    groups
        .into_iter()
        .flat_map(|(codes, meaning)| codes.iter().map(move |code| (code, meaning)))
}

impl Codes {
    /// Checks that no code means two things, and that country codes are mapped to countries.
    pub(super) fn validate(&self) -> Result<(), MappingError> {
        refuse_repeats("codes.sex", self.sex.pairs().map(|(code, _)| code))?;
        refuse_repeats("codes.direction", self.direction.pairs().map(|(code, _)| code))?;
        refuse_repeats(
            "codes.birth_quality",
            self.birth_quality.pairs().map(|(code, _)| code),
        )?;
        refuse_repeats("codes.counted", self.counted.pairs().map(|(code, _)| code))?;
        refuse_repeats(
            "codes.migratory_status",
            self.migratory_status.pairs().map(|(code, _)| code),
        )?;
        refuse_repeats("codes.reason", self.reason.pairs().map(|(code, _)| code))?;
        refuse_repeats("codes.country", self.country.keys())?;
        for (code, iso) in &self.country {
            if !iso.is_empty() && iso.parse::<CountryCode>().is_err() {
                return Err(inconsistent(
                    "codes.country",
                    format!("{code:?} is mapped to {iso:?}, which is no country code"),
                ));
            }
        }
        Ok(())
    }
}

fn refuse_repeats<'a>(key: &str, codes: impl Iterator<Item = &'a String>) -> Result<(), MappingError> {
    let mut seen = std::collections::BTreeSet::new();
    for code in codes {
        if !seen.insert(code.trim().to_lowercase()) {
            return Err(inconsistent(key, format!("the code {code:?} is declared twice")));
        }
    }
    Ok(())
}

/// The codes of a mapping, laid out to be looked up row after row.
pub(crate) struct CodeTables {
    sex: CodeTable<Sex>,
    direction: CodeTable<Direction>,
    birth_quality: CodeTable<BirthSource>,
    counted: CodeTable<RuleFlag>,
    migratory_status: CodeTable<MigratoryStatus>,
    reason: CodeTable<Reason>,
    country: CodeTable<Option<CountryCode>>,
}

/// Codes in small letters → their meaning.
struct CodeTable<T>(HashMap<String, T>);

impl<T: Copy> CodeTable<T> {
    fn new<'a>(pairs: impl Iterator<Item = (&'a String, T)>) -> Self {
        Self(
            pairs
                .map(|(code, meaning)| (code.trim().to_lowercase(), meaning))
                .collect(),
        )
    }

    fn find(&self, code: &str) -> Option<T> {
        if self.0.is_empty() {
            return None;
        }
        self.0
            .get(code)
            .or_else(|| self.0.get(&code.to_lowercase()))
            .copied()
    }
}

impl CodeTables {
    pub(crate) fn new(codes: &Codes) -> Self {
        Self {
            sex: CodeTable::new(codes.sex.pairs()),
            direction: CodeTable::new(codes.direction.pairs()),
            birth_quality: CodeTable::new(codes.birth_quality.pairs()),
            counted: CodeTable::new(codes.counted.pairs()),
            migratory_status: CodeTable::new(codes.migratory_status.pairs()),
            reason: CodeTable::new(codes.reason.pairs()),
            country: CodeTable::new(codes.country.iter().map(|(own, iso)| (own, iso.parse().ok()))),
        }
    }

    /// Reads a code of sex; `None` when it is not declared.
    pub(crate) fn read_sex(&self, code: &str) -> Option<Sex> {
        self.sex
            .find(code)
            .or_else(|| code.is_empty().then_some(Sex::Unknown))
    }

    /// Reads a code of direction; `None` when it is not declared.
    pub(crate) fn read_direction(&self, code: &str) -> Option<Direction> {
        self.direction.find(code)
    }

    /// Reads how a birth date is known: `Some(None)` when empty, `None` when the code is not declared.
    #[expect(clippy::option_option, reason = "not known and not understood are two things")]
    pub(crate) fn read_birth_quality(&self, code: &str) -> Option<Option<BirthSource>> {
        match self.birth_quality.find(code) {
            Some(quality) => Some(Some(quality)),
            None => code.is_empty().then_some(None),
        }
    }

    /// Reads whether a move is counted; `None` when the code is not declared.
    pub(crate) fn read_counted(&self, code: &str) -> Option<RuleFlag> {
        self.counted
            .find(code)
            .or_else(|| code.is_empty().then_some(RuleFlag::Unknown))
    }

    /// Reads a migratory status; `None` when the code is not declared.
    pub(crate) fn read_migratory_status(&self, code: &str) -> Option<MigratoryStatus> {
        self.migratory_status
            .find(code)
            .or_else(|| code.is_empty().then_some(MigratoryStatus::Unknown))
    }

    /// Reads a reason; `None` when the code is not declared.
    pub(crate) fn read_reason(&self, code: &str) -> Option<Reason> {
        self.reason
            .find(code)
            .or_else(|| code.is_empty().then_some(Reason::Unknown))
    }

    /// Reads a country code: `Some(None)` when empty or declared as not known, `None` when it is no code.
    #[expect(clippy::option_option, reason = "not known and not understood are two things")]
    pub(crate) fn read_country(&self, code: &str) -> Option<Option<CountryCode>> {
        match self.country.find(code) {
            Some(declared) => Some(declared),
            None if code.is_empty() => Some(None),
            None => code.parse().ok().map(Some),
        }
    }
}
