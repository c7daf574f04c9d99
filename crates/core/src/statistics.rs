//! What a flow table is broken down by, and under which rule a move counts.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{AgreementError, CountryCode};

/// Whether a move counts under a rule of minimum stay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleFlag {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// The register does not say, or not yet.
    #[default]
    Unknown,
}

impl RuleFlag {
    /// Every value.
    pub const ALL: [Self; 3] = [Self::Yes, Self::No, Self::Unknown];

    /// The word in files and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Unknown => "unknown",
        }
    }

    /// The value of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|value| value.as_str() == word)
    }
}

impl From<bool> for RuleFlag {
    fn from(is_met: bool) -> Self {
        if is_met { Self::Yes } else { Self::No }
    }
}

/// The rule under which a move counts as migration.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum DurationRule {
    /// Each office's own.
    #[default]
    #[serde(rename = "own")]
    Own,
    /// A stay of twelve months (United Nations 1998, Regulation (EC) 862/2007).
    #[serde(rename = "12_months")]
    Months12,
    /// A stay of six months.
    #[serde(rename = "6_months")]
    Months6,
    /// A stay of three months.
    #[serde(rename = "3_months")]
    Months3,
    /// Six months and a day of the twelve months that begin with the move, in one stay or several.
    #[serde(rename = "half_year")]
    HalfYear,
}

impl DurationRule {
    /// Every rule, in the order of tables.
    pub const ALL: [Self; 5] = [
        Self::Own,
        Self::Months12,
        Self::Months6,
        Self::Months3,
        Self::HalfYear,
    ];

    /// The word in agreements, files and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Months12 => "12_months",
            Self::Months6 => "6_months",
            Self::Months3 => "3_months",
            Self::HalfYear => "half_year",
        }
    }

    /// The value of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|value| value.as_str() == word)
    }
}

/// Under which rules a move counts; computed in the office, which alone knows how long people stayed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StayFlags {
    /// Under the office's own rule: whether it counts the move in its statistics.
    pub own: RuleFlag,
    /// Under [`DurationRule::Months12`].
    pub months_12: RuleFlag,
    /// Under [`DurationRule::Months6`].
    pub months_6: RuleFlag,
    /// Under [`DurationRule::Months3`].
    pub months_3: RuleFlag,
    /// Under [`DurationRule::HalfYear`].
    pub half_year: RuleFlag,
}

impl StayFlags {
    /// Whether the move counts under `rule`.
    pub const fn under(&self, rule: DurationRule) -> RuleFlag {
        match rule {
            DurationRule::Own => self.own,
            DurationRule::Months12 => self.months_12,
            DurationRule::Months6 => self.months_6,
            DurationRule::Months3 => self.months_3,
            DurationRule::HalfYear => self.half_year,
        }
    }

    /// The flags in the order of [`DurationRule::ALL`].
    pub const fn to_array(self) -> [RuleFlag; 5] {
        [
            self.own,
            self.months_12,
            self.months_6,
            self.months_3,
            self.half_year,
        ]
    }

    /// Flags in the order of [`DurationRule::ALL`].
    pub const fn from_array([own, months_12, months_6, months_3, half_year]: [RuleFlag; 5]) -> Self {
        Self {
            own,
            months_12,
            months_6,
            months_3,
            half_year,
        }
    }
}

/// What a mover is to the country of destination.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MigratoryStatus {
    /// A citizen, born there.
    ReturningCitizen,
    /// A citizen, born elsewhere.
    ForeignBornCitizen,
    /// No citizen.
    ForeignCitizen,
    /// Not recorded.
    #[default]
    Unknown,
}

impl MigratoryStatus {
    /// Every value, in the order of tables.
    pub const ALL: [Self; 4] = [
        Self::ReturningCitizen,
        Self::ForeignBornCitizen,
        Self::ForeignCitizen,
        Self::Unknown,
    ];

    /// The word in files and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReturningCitizen => "returning_citizen",
            Self::ForeignBornCitizen => "foreign_born_citizen",
            Self::ForeignCitizen => "foreign_citizen",
            Self::Unknown => "unknown",
        }
    }

    /// The value of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|value| value.as_str() == word)
    }
}

/// Why a person moved, as the office records it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Work.
    Work,
    /// To join, accompany or found a family.
    Family,
    /// Study or training.
    Study,
    /// Asylum or another protection.
    Protection,
    /// Return to the country of origin.
    Return,
    /// Another one.
    Other,
    /// Not recorded.
    #[default]
    Unknown,
}

impl Reason {
    /// Every value, in the order of tables.
    pub const ALL: [Self; 7] = [
        Self::Work,
        Self::Family,
        Self::Study,
        Self::Protection,
        Self::Return,
        Self::Other,
        Self::Unknown,
    ];

    /// The word in files and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Work => "work",
            Self::Family => "family",
            Self::Study => "study",
            Self::Protection => "protection",
            Self::Return => "return",
            Self::Other => "other",
            Self::Unknown => "unknown",
        }
    }

    /// The value of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|value| value.as_str() == word)
    }
}

/// Position of a group in [`CountryGroups`]; the position after the last is "other".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CountryGroup(pub u8);

/// Countries that tables tell apart, in groups with a name; all others are "other".
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CountryGroups(pub Vec<NamedCountries>);

/// One group of countries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedCountries {
    /// Its name in tables: a letter, then up to 31 of `a–z`, `A–Z`, `0–9`, `_` and `-`.
    pub name: String,
    /// The countries, at least one.
    pub countries: Vec<CountryCode>,
}

/// What stands for all countries of no group.
const OTHER: &str = "other";

impl CountryGroups {
    /// The group of `country`.
    pub fn group(&self, country: CountryCode) -> CountryGroup {
        let position = self
            .0
            .iter()
            .position(|group| group.countries.contains(&country))
            .unwrap_or(self.0.len());
        CountryGroup(u8::try_from(position).expect("at most 40 groups"))
    }

    /// Number of groups, "other" among them.
    pub fn len(&self) -> usize {
        self.0.len() + 1
    }

    /// Never true: there is "other".
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// Name of a group; `None` when it is none of these.
    pub fn label(&self, group: CountryGroup) -> Option<&str> {
        let position = usize::from(group.0);
        match self.0.get(position) {
            Some(group) => Some(&group.name),
            None => (position == self.0.len()).then_some(OTHER),
        }
    }

    fn validate(&self) -> Result<(), String> {
        if self.0.len() > 40 {
            return Err("there are more than 40 groups".to_owned());
        }
        let mut seen = Vec::new();
        for (position, group) in self.0.iter().enumerate() {
            let name = group.name.as_str();
            let sound = (1..=32).contains(&name.len())
                && name
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
                && name.starts_with(|c: char| c.is_ascii_alphabetic());
            if !sound {
                return Err(format!(
                    "{name:?} is no name of a group: a letter, then up to 31 letters, digits, _ and -"
                ));
            }
            // Codes of tables have capital letters and no -.
            let code = |name: &str| name.to_ascii_uppercase().replace('-', "_");
            if ["OTHER", "UNKNOWN", "ALL", "SUPPRESSED"].contains(&code(name).as_str()) {
                return Err(format!("the name {name:?} has a meaning of its own in tables"));
            }
            if self.0[..position]
                .iter()
                .any(|other| code(&other.name) == code(name))
            {
                return Err(format!("two groups have the name {name:?}"));
            }
            let is_country = name.parse::<CountryCode>().is_ok();
            if is_country && (group.countries.len() != 1 || name.parse() != Ok(group.countries[0])) {
                return Err(format!(
                    "the name {name:?} is the code of a country that the group is not"
                ));
            }
            if group.countries.is_empty() {
                return Err(format!("the group {name:?} has no country"));
            }
            for country in &group.countries {
                if seen.contains(country) {
                    return Err(format!("{country} is named twice"));
                }
                seen.push(*country);
            }
        }
        Ok(())
    }
}

/// What moves are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Variable {
    /// Calendar year, or quarter, of the move.
    Period,
    /// Sex.
    Sex,
    /// Age in completed years at the move, in the agreement's bands.
    Age,
    /// Age reached in the year of the move, in the same bands.
    AgeReached,
    /// Citizenship, in the agreement's groups of countries.
    Citizenship,
    /// Country of birth, in the same groups.
    BirthCountry,
    /// Returning citizen, foreign-born citizen or foreign citizen.
    MigratoryStatus,
    /// Why the person moved.
    Reason,
}

impl Variable {
    /// Every variable, in the order of columns.
    pub const ALL: [Self; 8] = [
        Self::Period,
        Self::Sex,
        Self::Age,
        Self::AgeReached,
        Self::Citizenship,
        Self::BirthCountry,
        Self::MigratoryStatus,
        Self::Reason,
    ];

    /// The word in agreements, files and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Period => "period",
            Self::Sex => "sex",
            Self::Age => "age",
            Self::AgeReached => "age_reached",
            Self::Citizenship => "citizenship",
            Self::BirthCountry => "birth_country",
            Self::MigratoryStatus => "migratory_status",
            Self::Reason => "reason",
        }
    }

    /// The value of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|value| value.as_str() == word)
    }
}

impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How long a period of the tables is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PeriodUnit {
    /// A calendar year.
    #[default]
    Year,
    /// A quarter of one.
    Quarter,
}

/// What flow tables count, and by what.
///
/// Only the variables that some table names leave the office.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StatisticsTerms {
    /// How long a period is.
    #[serde(skip_serializing_if = "is_default")]
    pub period_unit: PeriodUnit,
    /// The rule under which a move counts.
    #[serde(skip_serializing_if = "is_default")]
    pub duration_rule: DurationRule,
    /// Groups of countries of citizenship and birth.
    #[serde(skip_serializing_if = "is_default")]
    pub country_groups: CountryGroups,
    /// The tables: variables each, in the order of [`Variable::ALL`]. Every margin of a table is given too.
    pub tables: Vec<Vec<Variable>>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Default for StatisticsTerms {
    /// Moves under each office's own rule, by year, sex and age in completed years.
    fn default() -> Self {
        Self {
            period_unit: PeriodUnit::Year,
            duration_rule: DurationRule::Own,
            country_groups: CountryGroups::default(),
            tables: vec![vec![Variable::Period, Variable::Sex, Variable::Age]],
        }
    }
}

impl StatisticsTerms {
    /// Whether these are [`StatisticsTerms::default`].
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Whether some table counts by `variable`, so that it has to leave the office.
    pub fn names(&self, variable: Variable) -> bool {
        self.tables.iter().flatten().any(|named| *named == variable)
    }

    /// The variables of all tables, each once, in the order of [`Variable::ALL`].
    pub fn variables(&self) -> Vec<Variable> {
        Variable::ALL
            .into_iter()
            .filter(|variable| self.names(*variable))
            .collect()
    }

    /// Checks what the form alone cannot.
    ///
    /// # Errors
    /// The first rule broken.
    pub fn validate(&self) -> Result<(), AgreementError> {
        let fail = |field, problem: String| Err(AgreementError { field, problem });
        if let Err(problem) = self.country_groups.validate() {
            return fail("statistics.country_groups", problem);
        }
        let field = "statistics.tables";
        if self.tables.is_empty() || self.tables.len() > 12 {
            return fail(field, "must be one table at least, and at most 12".to_owned());
        }
        for (position, table) in self.tables.iter().enumerate() {
            if table.first() != Some(&Variable::Period) {
                return fail(
                    field,
                    "every table begins with period, so that all give the same totals".to_owned(),
                );
            }
            if table.len() > 5 {
                return fail(field, "a table has at most five variables".to_owned());
            }
            if !table.is_sorted_by(|a, b| a < b) {
                return fail(
                    field,
                    format!(
                        "the variables of a table stand each once and in this order: {}",
                        Variable::ALL.map(Variable::as_str).join(", ")
                    ),
                );
            }
            if table.contains(&Variable::Age) && table.contains(&Variable::AgeReached) {
                return fail(
                    field,
                    "age and age_reached are two definitions of one variable; give each a table".to_owned(),
                );
            }
            if self.tables[..position].contains(table) {
                return fail(field, "a table is named twice".to_owned());
            }
        }
        if !self.country_groups.0.is_empty()
            && !self.names(Variable::Citizenship)
            && !self.names(Variable::BirthCountry)
        {
            return fail(
                "statistics.country_groups",
                "no table counts by citizenship or birth_country".to_owned(),
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(groups: &[(&str, &[&str])]) -> CountryGroups {
        CountryGroups(
            groups
                .iter()
                .map(|(name, countries)| NamedCountries {
                    name: (*name).to_owned(),
                    countries: countries.iter().map(|code| code.parse().unwrap()).collect(),
                })
                .collect(),
        )
    }

    #[test]
    fn every_country_has_one_group() {
        let groups = groups(&[("maghreb", &["TN", "DZ", "MA"]), ("eu", &["IT"])]);
        let label = |code: &str| {
            groups
                .label(groups.group(code.parse().unwrap()))
                .unwrap()
                .to_owned()
        };
        assert_eq!(
            (label("DZ"), label("IT"), label("SN")),
            ("maghreb".into(), "eu".into(), "other".into())
        );
        assert_eq!(groups.label(CountryGroup(3)), None);
    }

    #[test]
    fn each_rule_names_its_field() {
        let check = |change: &dyn Fn(&mut StatisticsTerms), part: &str| {
            let mut terms = StatisticsTerms::default();
            change(&mut terms);
            let error = terms.validate().unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        };
        use Variable::{Age, AgeReached, Citizenship, Period, Sex};
        assert_eq!(StatisticsTerms::default().validate(), Ok(()));
        check(&|t| t.tables.clear(), "statistics.tables: must be one table");
        check(&|t| t.tables[0] = vec![Sex, Age], "begins with period");
        check(&|t| t.tables[0] = vec![Period, Age, Sex], "in this order");
        check(
            &|t| t.tables[0] = vec![Period, Age, AgeReached],
            "two definitions",
        );
        check(&|t| t.tables.push(t.tables[0].clone()), "named twice");
        check(
            &|t| t.country_groups = groups(&[("a", &["IT"])]),
            "no table counts by citizenship",
        );
        for (named, part) in [
            (groups(&[("a", &["IT"]), ("b", &["IT"])]), "IT is named twice"),
            (groups(&[("other", &["IT"])]), "meaning of its own"),
            (groups(&[("a", &[])]), "has no country"),
            (groups(&[("a b", &["IT"])]), "no name of a group"),
            (
                groups(&[("a", &["IT"]), ("a", &["FR"])]),
                "two groups have the name",
            ),
        ] {
            check(
                &|t| {
                    t.tables.push(vec![Period, Citizenship]);
                    t.country_groups = named.clone();
                },
                part,
            );
        }
    }

    #[test]
    fn words_come_back() {
        for rule in DurationRule::ALL {
            assert_eq!(DurationRule::from_word(rule.as_str()), Some(rule));
            assert_eq!(
                serde_json::to_string(&rule).unwrap(),
                format!("{:?}", rule.as_str())
            );
        }
        for variable in Variable::ALL {
            assert_eq!(
                serde_json::to_string(&variable).unwrap(),
                format!("{:?}", variable.as_str())
            );
        }
        let flags = [
            RuleFlag::Yes,
            RuleFlag::No,
            RuleFlag::Unknown,
            RuleFlag::Yes,
            RuleFlag::No,
        ];
        let stay = StayFlags::from_array(flags);
        assert_eq!(stay.to_array(), flags);
        assert_eq!(DurationRule::ALL.map(|rule| stay.under(rule)), flags);
    }
}
