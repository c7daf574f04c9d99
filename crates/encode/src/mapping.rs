use std::path::Path;

use corridor_core::{CountryCode, Direction, DurationRule};
use serde::{Deserialize, Serialize};

use crate::birth::{DateOrder, YearPivot};
use crate::calendar::Calendar;
use crate::fields::MatchField;
use crate::stay::StayTerms;

mod codes;
mod columns;
mod format;

pub(crate) use codes::CodeTables;
pub use codes::{
    BirthQualityCodes, Codes, CountedCodes, DirectionCodes, MigratoryStatusCodes, ReasonCodes, SexCodes,
};
pub use columns::Columns;
pub use format::{FileFormat, FileKind, TextEncoding};

/// Which column of an office's extract is what, and how its codes read. Nothing is guessed: a code that is
/// not declared is refused.
///
/// Read from TOML; unknown keys are errors. `corridor mapping init` drafts one from a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// Version of this format, 1.
    pub version: u32,
    /// The country whose office keeps the register. Registers of moves need it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reporter: Option<CountryCode>,
    /// How the file is written.
    #[serde(default)]
    pub file: FileFormat,
    /// Which column is what.
    pub columns: Columns,
    /// How dates are written.
    #[serde(default)]
    pub dates: Dates,
    /// How codes read.
    #[serde(default)]
    pub codes: Codes,
    /// What holds for the length of all stays.
    #[serde(default, skip_serializing_if = "StayTerms::is_empty")]
    pub stay: StayTerms,
    /// Facts that are the same for every row and so have no column.
    #[serde(default, skip_serializing_if = "Constants::is_empty")]
    pub constants: Constants,
}

/// How dates are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dates {
    /// The order of birth dates.
    pub birth_date: DateOrder,
    /// The order of event dates.
    pub event_date: DateOrder,
    /// The calendar of birth dates; the Gregorian when not said.
    #[serde(skip_serializing_if = "is_gregorian")]
    pub birth_calendar: Calendar,
    /// The calendar of event dates; the Gregorian when not said.
    #[serde(skip_serializing_if = "is_gregorian")]
    pub event_calendar: Calendar,
    /// The first of the hundred years that two-digit years stand for, as in 1926. When not said, such a year is no date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub two_digit_pivot: Option<YearPivot>,
}

impl Default for Dates {
    fn default() -> Self {
        Self {
            birth_date: DateOrder::YearMonthDay,
            event_date: DateOrder::YearMonthDay,
            birth_calendar: Calendar::Gregorian,
            event_calendar: Calendar::Gregorian,
            two_digit_pivot: None,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde asks for")]
fn is_gregorian(calendar: &Calendar) -> bool {
    *calendar == Calendar::Gregorian
}

/// Years a pivot can be, in any calendar.
const PIVOTS: std::ops::RangeInclusive<i16> = 1200..=2150;

/// Facts that are the same for every row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Constants {
    /// Every row is of this direction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// Every row has this other country.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counterpart: Option<CountryCode>,
}

impl Constants {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A mapping that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MappingError {
    /// Two statements that cannot both hold, or one that is missing.
    #[error("mapping key {key}: {problem}")]
    Inconsistent {
        /// Path of the key, as in `codes.sex`.
        key: String,
        /// What is wrong.
        problem: String,
    },
    /// The file cannot be read.
    #[error("cannot read mapping {path}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no mapping.
    #[error("mapping {path} is not understood: {problem}")]
    Syntax {
        /// The file.
        path: String,
        /// Where and why.
        problem: String,
    },
}

fn inconsistent(key: &str, problem: impl Into<String>) -> MappingError {
    MappingError::Inconsistent {
        key: key.to_owned(),
        problem: problem.into(),
    }
}

impl Mapping {
    /// Reads and checks a mapping file.
    ///
    /// # Errors
    /// When the file cannot be read, is no TOML of this form, or contradicts itself.
    pub fn load(path: &Path) -> Result<Self, MappingError> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|source| MappingError::Read {
            path: name.clone(),
            source,
        })?;
        let mapping: Self = toml::from_str(&text).map_err(|error| MappingError::Syntax {
            path: name,
            problem: error.to_string().trim_end().to_owned(),
        })?;
        mapping.validate()?;
        Ok(mapping)
    }

    /// Checks what the form alone cannot.
    ///
    /// # Errors
    /// The first contradiction or gap.
    pub fn validate(&self) -> Result<(), MappingError> {
        if self.version != 1 {
            return Err(inconsistent("version", "this program knows version 1 only"));
        }
        self.file.validate()?;
        self.validate_names()?;
        self.validate_dates()?;
        self.validate_moves()?;
        let columns = &self.columns;
        if columns.sex.is_some() && (self.codes.sex.female.is_empty() || self.codes.sex.male.is_empty()) {
            return Err(inconsistent("codes.sex", "declare the codes of female and male"));
        }
        if columns.birth_quality.is_some() && self.codes.birth_quality.is_empty() {
            return Err(inconsistent(
                "codes.birth_quality",
                "declare the codes of documented, declared, imputed, converted and estimated",
            ));
        }
        self.codes.validate()
    }

    fn validate_names(&self) -> Result<(), MappingError> {
        let columns = &self.columns;
        let divided = !columns.given_names.is_empty() || !columns.family_names.is_empty();
        if !divided && columns.full_name.is_empty() {
            return Err(inconsistent(
                "columns",
                "name at least one of given_names and family_names, or full_name",
            ));
        }
        if divided && !columns.full_name.is_empty() {
            return Err(inconsistent(
                "columns.full_name",
                "stands instead of given_names and family_names, not beside them",
            ));
        }
        Ok(())
    }

    fn validate_dates(&self) -> Result<(), MappingError> {
        let columns = &self.columns;
        let dates = [
            (
                "birth",
                [
                    &columns.birth_date,
                    &columns.birth_year,
                    &columns.birth_month,
                    &columns.birth_day,
                ],
            ),
            (
                "event",
                [
                    &columns.event_date,
                    &columns.event_year,
                    &columns.event_month,
                    &columns.event_day,
                ],
            ),
        ];
        for (name, [date, year, month, day]) in dates {
            if date.is_some() && (year.is_some() || month.is_some() || day.is_some()) {
                return Err(inconsistent(
                    &format!("columns.{name}_date"),
                    format!("stands instead of {name}_year, {name}_month and {name}_day, not beside them"),
                ));
            }
            if (month.is_some() && year.is_none()) || (day.is_some() && month.is_none()) {
                return Err(inconsistent(
                    &format!("columns.{name}_year"),
                    "a month needs the column of the year, and a day that of the month",
                ));
            }
        }
        if let Some(YearPivot(year)) = self.dates.two_digit_pivot
            && !PIVOTS.contains(&year)
        {
            return Err(inconsistent(
                "dates.two_digit_pivot",
                "is the first of a hundred years, written with four digits, as in 1926",
            ));
        }
        if columns.birth_quality.is_some() && columns.birth().is_none() {
            return Err(inconsistent(
                "columns.birth_quality",
                "says how a birth date is known, and no birth date is named",
            ));
        }
        Ok(())
    }

    fn validate_moves(&self) -> Result<(), MappingError> {
        let columns = &self.columns;
        if columns.direction.is_some() == self.constants.direction.is_some() && self.has_events() {
            return Err(inconsistent(
                "columns.direction",
                "registers with event dates need either columns.direction or constants.direction",
            ));
        }
        if columns.counterpart.is_some() == self.constants.counterpart.is_some() && self.has_events() {
            return Err(inconsistent(
                "columns.counterpart",
                "registers with event dates need either columns.counterpart or constants.counterpart",
            ));
        }
        if !self.has_events() && (columns.direction.is_some() || columns.counterpart.is_some()) {
            return Err(inconsistent(
                "columns.event_date",
                "a register with direction or counterpart needs event_date too",
            ));
        }
        if columns.direction.is_some() && self.codes.direction.is_empty() {
            return Err(inconsistent(
                "codes.direction",
                "declare the codes of emigration and immigration",
            ));
        }
        self.validate_facts()
    }

    /// Checks what is said of moves beside date, direction and other country.
    fn validate_facts(&self) -> Result<(), MappingError> {
        let (columns, codes) = (&self.columns, &self.codes);
        let named = columns
            .of_moves()
            .into_iter()
            .find(|(_, column)| column.is_some());
        if let Some((key, _)) = named.filter(|_| !self.has_events()) {
            return Err(inconsistent(
                key,
                "is of moves, and the register has no event_date",
            ));
        }
        let coded = [
            (
                &columns.counted,
                codes.counted.is_empty(),
                "codes.counted",
                "yes and no",
            ),
            (
                &columns.migratory_status,
                codes.migratory_status.is_empty(),
                "codes.migratory_status",
                "returning_citizen, foreign_born_citizen and foreign_citizen",
            ),
            (
                &columns.reason,
                codes.reason.is_empty(),
                "codes.reason",
                "work, family, study, protection, return and other",
            ),
        ];
        for (column, is_empty, key, meanings) in coded {
            if column.is_some() && is_empty {
                return Err(inconsistent(key, format!("declare the codes of {meanings}")));
            }
        }
        if self.stay.own_rule == Some(DurationRule::Own) {
            return Err(inconsistent(
                "stay.own_rule",
                "is what your own rule is: 12_months, 6_months, 3_months or half_year",
            ));
        }
        if self.stay.own_rule.is_some() && columns.counted.is_some() {
            return Err(inconsistent(
                "stay.own_rule",
                "and columns.counted both say what the office counts; name one",
            ));
        }
        Ok(())
    }

    /// Whether rows are moves (or only persons).
    pub const fn has_events(&self) -> bool {
        self.columns.event_date.is_some() || self.columns.event_year.is_some()
    }

    /// The match fields this mapping has columns for, in schema order.
    pub fn match_fields(&self) -> Vec<MatchField> {
        let columns = &self.columns;
        MatchField::ALL
            .into_iter()
            .filter(|field| match field {
                MatchField::Names | MatchField::NameKeys | MatchField::Phonetic => true,
                MatchField::BirthDate => columns.birth().is_some(),
                MatchField::Sex => columns.sex.is_some(),
                MatchField::Citizenship => columns.citizenship.is_some(),
                MatchField::BirthCountry => columns.birth_country.is_some(),
                MatchField::Address => !columns.address.is_empty(),
                MatchField::Postcode => columns.postcode.is_some(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use corridor_core::Sex;

    const FULL: &str = r#"
        version = 1
        [columns]
        record_id = "id"
        given_names = ["first"]
        sex = "sex"
        event_date = "date"
        direction = "dir"
        [codes.sex]
        female = ["M"]
        male = ["H"]
        [codes.direction]
        emigration = ["OUT"]
        immigration = ["IN"]
        [codes.country]
        "???" = ""
        "ITALIE" = "IT"
        [constants]
        counterpart = "IT"
    "#;

    fn parse(text: &str) -> Mapping {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn declared_codes_are_read_and_others_are_not() {
        let mapping = parse(FULL);
        mapping.validate().unwrap();
        let codes = CodeTables::new(&mapping.codes);
        assert_eq!(codes.read_sex("m"), Some(Sex::Female));
        assert_eq!(codes.read_sex("H"), Some(Sex::Male));
        assert_eq!(codes.read_sex(""), Some(Sex::Unknown));
        assert_eq!(codes.read_sex("F"), None);
        assert_eq!(codes.read_direction("in"), Some(Direction::Immigration));
        assert_eq!(codes.read_direction(""), None);
        assert_eq!(codes.read_country("italie"), Some("IT".parse().ok()));
        assert_eq!(codes.read_country("???"), Some(None));
        assert_eq!(codes.read_country("Atlantis"), None);
    }

    #[test]
    fn contradictions_name_their_key() {
        let check = |change: fn(&mut Mapping), expected: &str| {
            let mut mapping = parse(FULL);
            change(&mut mapping);
            let message = mapping.validate().unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        };
        check(|m| m.version = 2, "version");
        check(|m| m.file.delimiter = 'é', "file.delimiter");
        check(|m| m.file.quote = Some(','), "file.delimiter");
        check(|m| m.file.quote = Some('é'), "file.quote");
        check(|m| m.file.missing.push(" - ".into()), "file.missing");
        check(
            |m| {
                m.file.format = Some(FileKind::Parquet);
                m.file.sheet = Some("A".into());
            },
            "file.sheet",
        );
        check(
            |m| {
                m.file.format = Some(FileKind::Xlsx);
                m.file.encoding = Some(TextEncoding::Latin1);
            },
            "file.encoding",
        );
        check(|m| m.columns.full_name.push("name".into()), "columns.full_name");
        check(|m| m.columns.birth_month = Some("m".into()), "columns.birth_year");
        check(|m| m.columns.event_year = Some("y".into()), "columns.event_date");
        check(
            |m| m.columns.birth_quality = Some("q".into()),
            "columns.birth_quality",
        );
        check(
            |m| m.dates.two_digit_pivot = Some(YearPivot(26)),
            "dates.two_digit_pivot",
        );
        check(|m| m.columns.given_names.clear(), "given_names");
        check(|m| m.columns.direction = None, "columns.direction");
        check(|m| m.constants.counterpart = None, "columns.counterpart");
        check(|m| m.columns.event_date = None, "columns.event_date");
        check(|m| m.columns.reason = Some("r".into()), "codes.reason");
        check(|m| m.columns.counted = Some("c".into()), "codes.counted");
        check(
            |m| m.columns.migratory_status = Some("s".into()),
            "codes.migratory_status",
        );
        check(|m| m.stay.own_rule = Some(DurationRule::Own), "stay.own_rule");
        check(
            |m| {
                m.columns.counted = Some("c".into());
                m.codes.counted.yes.push("1".into());
                m.stay.own_rule = Some(DurationRule::Months12);
            },
            "stay.own_rule",
        );
        check(|m| m.codes.sex.male.clear(), "codes.sex");
        check(|m| m.codes.sex.unknown.push("h".into()), "codes.sex");
        check(
            |m| m.codes.direction = DirectionCodes::default(),
            "codes.direction",
        );
        check(
            |m| {
                m.codes.country.insert("X".into(), "Atlantis".into());
            },
            "codes.country",
        );
    }

    #[test]
    fn unknown_keys_are_refused() {
        let text = FULL.replace("record_id", "recordid");
        assert!(toml::from_str::<Mapping>(&text).is_err());
    }
}
