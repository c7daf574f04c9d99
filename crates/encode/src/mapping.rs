use std::collections::BTreeMap;
use std::path::Path;

use corridor_core::{CountryCode, Direction, Sex};
use serde::{Deserialize, Serialize};

use crate::birth::DateOrder;
use crate::fields::MatchField;

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
    /// The order of dates.
    #[serde(default)]
    pub dates: Dates,
    /// How codes read.
    #[serde(default)]
    pub codes: Codes,
    /// Facts that are the same for every row and so have no column.
    #[serde(default, skip_serializing_if = "Constants::is_empty")]
    pub constants: Constants,
}

/// How the file is written: UTF-8, a header line, one row a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileFormat {
    /// What separates columns: one ASCII character; a comma when not said.
    #[serde(default = "default_delimiter")]
    pub delimiter: char,
    /// Whether quoted values may hold line breaks. When not said, they may not, and a row of several lines is an error:
    /// a quote astray would swallow rows.
    #[serde(default, skip_serializing_if = "is_false")]
    pub multiline: bool,
}

const fn default_delimiter() -> char {
    ','
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde asks for")]
const fn is_false(value: &bool) -> bool {
    !*value
}

impl Default for FileFormat {
    fn default() -> Self {
        Self {
            delimiter: default_delimiter(),
            multiline: false,
        }
    }
}

/// Names of columns, as in the header. Several columns of names or addresses are read one after the other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Columns {
    /// The office's own id of the row; unique in the file.
    pub record_id: String,
    /// Groups the moves of one person, where the register has such a column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person_key: Option<String>,
    /// Given names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub given_names: Vec<String>,
    /// Family names, and names of father and grandfather.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub family_names: Vec<String>,
    /// Birth date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub birth_date: Option<String>,
    /// Sex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sex: Option<String>,
    /// Citizenship.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub citizenship: Option<String>,
    /// Country of birth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub birth_country: Option<String>,
    /// Address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub address: Vec<String>,
    /// Postal code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postcode: Option<String>,
    /// Date of the move.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_date: Option<String>,
    /// Whether the row is an emigration or an immigration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<String>,
    /// The other country of the move.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counterpart: Option<String>,
}

impl Columns {
    /// Every column that is named.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let one = [
            &self.person_key,
            &self.birth_date,
            &self.sex,
            &self.citizenship,
            &self.birth_country,
            &self.postcode,
            &self.event_date,
            &self.direction,
            &self.counterpart,
        ];
        std::iter::once(&self.record_id)
            .chain(&self.given_names)
            .chain(&self.family_names)
            .chain(&self.address)
            .chain(one.into_iter().flatten())
            .map(String::as_str)
    }
}

/// The order in which dates are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dates {
    /// Of birth dates.
    pub birth_date: DateOrder,
    /// Of event dates.
    pub event_date: DateOrder,
}

impl Default for Dates {
    fn default() -> Self {
        Self {
            birth_date: DateOrder::YearMonthDay,
            event_date: DateOrder::YearMonthDay,
        }
    }
}

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

impl SexCodes {
    fn is_empty(&self) -> bool {
        self.female.is_empty() && self.male.is_empty() && self.unknown.is_empty()
    }
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

impl DirectionCodes {
    fn is_empty(&self) -> bool {
        self.emigration.is_empty() && self.immigration.is_empty()
    }
}

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
        let columns = &self.columns;
        if self.version != 1 {
            return Err(inconsistent("version", "this program knows version 1 only"));
        }
        if !self.file.delimiter.is_ascii() || self.file.delimiter == '"' {
            return Err(inconsistent(
                "file.delimiter",
                "must be one ASCII character, not a quote",
            ));
        }
        if columns.given_names.is_empty() && columns.family_names.is_empty() {
            return Err(inconsistent(
                "columns",
                "name at least one of given_names and family_names",
            ));
        }
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
        if columns.sex.is_some() && (self.codes.sex.female.is_empty() || self.codes.sex.male.is_empty()) {
            return Err(inconsistent("codes.sex", "declare the codes of female and male"));
        }
        if columns.direction.is_some() && self.codes.direction.is_empty() {
            return Err(inconsistent(
                "codes.direction",
                "declare the codes of emigration and immigration",
            ));
        }
        let sex = &self.codes.sex;
        refuse_repeats(
            "codes.sex",
            sex.female.iter().chain(&sex.male).chain(&sex.unknown),
        )?;
        let direction = &self.codes.direction;
        refuse_repeats(
            "codes.direction",
            direction.emigration.iter().chain(&direction.immigration),
        )?;
        refuse_repeats("codes.country", self.codes.country.keys())?;
        for (code, iso) in &self.codes.country {
            if !iso.is_empty() && iso.parse::<CountryCode>().is_err() {
                return Err(inconsistent(
                    "codes.country",
                    format!("{code:?} is mapped to {iso:?}, which is no country code"),
                ));
            }
        }
        Ok(())
    }

    /// Whether rows are moves (or only persons).
    pub const fn has_events(&self) -> bool {
        self.columns.event_date.is_some()
    }

    /// The match fields this mapping has columns for, in schema order.
    pub fn match_fields(&self) -> Vec<MatchField> {
        let columns = &self.columns;
        MatchField::ALL
            .into_iter()
            .filter(|field| match field {
                MatchField::Names | MatchField::NameKeys | MatchField::Phonetic => true,
                MatchField::BirthDate => columns.birth_date.is_some(),
                MatchField::Sex => columns.sex.is_some(),
                MatchField::Citizenship => columns.citizenship.is_some(),
                MatchField::BirthCountry => columns.birth_country.is_some(),
                MatchField::Address => !columns.address.is_empty(),
                MatchField::Postcode => columns.postcode.is_some(),
            })
            .collect()
    }

    /// Reads a code of sex; `None` when it is not declared.
    pub(crate) fn read_sex(&self, code: &str) -> Option<Sex> {
        let codes = &self.codes.sex;
        if is_code(&codes.female, code) {
            Some(Sex::Female)
        } else if is_code(&codes.male, code) {
            Some(Sex::Male)
        } else if code.is_empty() || is_code(&codes.unknown, code) {
            Some(Sex::Unknown)
        } else {
            None
        }
    }

    /// Reads a code of direction; `None` when it is not declared.
    pub(crate) fn read_direction(&self, code: &str) -> Option<Direction> {
        let codes = &self.codes.direction;
        if is_code(&codes.emigration, code) {
            Some(Direction::Emigration)
        } else if is_code(&codes.immigration, code) {
            Some(Direction::Immigration)
        } else {
            None
        }
    }

    /// Reads a country code: `Some(None)` when empty or declared as not known, `None` when it is no code.
    #[expect(clippy::option_option, reason = "not known and not understood are two things")]
    pub(crate) fn read_country(&self, code: &str) -> Option<Option<CountryCode>> {
        let declared = self
            .codes
            .country
            .iter()
            .find(|(own, _)| own.trim().eq_ignore_ascii_case(code))
            .map(|(_, iso)| iso.as_str());
        match declared.unwrap_or(code) {
            "" => Some(None),
            iso => iso.parse().ok().map(Some),
        }
    }
}

fn is_code(codes: &[String], code: &str) -> bool {
    codes.iter().any(|own| own.trim().eq_ignore_ascii_case(code))
}

fn refuse_repeats<'a>(key: &str, codes: impl Iterator<Item = &'a String>) -> Result<(), MappingError> {
    let mut seen = std::collections::BTreeSet::new();
    for code in codes {
        if !seen.insert(code.trim().to_ascii_lowercase()) {
            return Err(inconsistent(key, format!("the code {code:?} is declared twice")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(mapping.read_sex("m"), Some(Sex::Female));
        assert_eq!(mapping.read_sex("H"), Some(Sex::Male));
        assert_eq!(mapping.read_sex(""), Some(Sex::Unknown));
        assert_eq!(mapping.read_sex("F"), None);
        assert_eq!(mapping.read_direction("in"), Some(Direction::Immigration));
        assert_eq!(mapping.read_direction(""), None);
        assert_eq!(mapping.read_country("italie"), Some("IT".parse().ok()));
        assert_eq!(mapping.read_country("???"), Some(None));
        assert_eq!(mapping.read_country("Atlantis"), None);
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
        check(|m| m.columns.given_names.clear(), "given_names");
        check(|m| m.columns.direction = None, "columns.direction");
        check(|m| m.constants.counterpart = None, "columns.counterpart");
        check(|m| m.columns.event_date = None, "columns.event_date");
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
