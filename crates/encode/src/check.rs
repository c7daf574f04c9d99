//! What a mapping would do to the first rows of a register.

use std::path::Path;

use corridor_core::{CountryCode, DatePrecision, Direction, MigratoryStatus, Reason, RuleFlag, Sex};
use serde::Serialize;

use crate::birth::BirthDate;
use crate::extract::{ExtractError, ExtractReader};
use crate::mapping::Mapping;
use crate::record::{BirthSource, RecordEvent};
use crate::report::{ReadReport, RowProblem};
use crate::rows::RowBatch;
use crate::script::TextTraits;
use crate::understand::{Positions, Understanding, Understood};

/// What a mapping would do to a register: its first rows one by one, and all rows in numbers. Its JSON form is as stable as
/// that of [`crate::Inspection`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MappingCheck {
    /// Version of the JSON form, 1.
    pub version: u32,
    /// The first rows.
    pub rows: Vec<RowCheck>,
    /// All rows. Those with too little to encode are not among the refused: that depends on the agreement.
    pub read: ReadReport,
}

/// What a mapping would do to a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RowCheck {
    /// Line of the file the row begins on.
    pub line: u64,
    /// Whether the row can be used.
    pub is_used: bool,
    /// What is the matter with the row or its values.
    pub problems: Vec<RowProblem>,
    /// Each mapped field; none when the row cannot be told into columns.
    pub fields: Vec<FieldCheck>,
}

/// What a mapping would do to a value.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct FieldCheck {
    /// The field, as in the mapping; `patronymics` are the names of father and grandfather.
    pub field: &'static str,
    /// How the value is written and what becomes of it, without the value. Codes that are understood are shown: they are the
    /// same for many.
    pub reading: String,
    /// The value itself, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// Says which field, never what is in it.
impl std::fmt::Debug for FieldCheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FieldCheck({}: {})", self.field, self.reading)
    }
}

/// Whether values of persons may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShowValues {
    /// Only how they are written.
    No,
    /// Yes, to somebody who may see the register.
    Yes,
}

/// Says what `mapping` would do to the first `row_count` rows of a register, and counts what it would refuse of all.
///
/// # Errors
/// When the file or the mapping cannot be used, or a record id stands twice.
pub fn check_mapping(
    path: &Path,
    mapping: &Mapping,
    row_count: usize,
    show: ShowValues,
) -> Result<MappingCheck, ExtractError> {
    let mut reader = ExtractReader::open(path, mapping)?;
    let mut batch = RowBatch::default();
    reader.read_batch(&mut batch, row_count)?;
    let understanding = reader.understanding();
    let rows = batch
        .iter()
        .map(|(line, row)| {
            Checker {
                understanding,
                row,
                show,
            }
            .check(line)
        })
        .collect();
    reader.make_records(&batch)?;
    while reader.read_chunk(CHUNK_RECORDS)?.is_some() {}
    Ok(MappingCheck {
        version: 1,
        rows,
        read: reader.finish()?,
    })
}

/// Rows read at a time.
const CHUNK_RECORDS: usize = 8192;

struct Checker<'c> {
    understanding: &'c Understanding<'c>,
    row: &'c csv::ByteRecord,
    show: ShowValues,
}

impl Checker<'_> {
    fn check(&self, line: u64) -> RowCheck {
        let Understood { record, problems } = self.understanding.understand(self.row, line);
        let problems: Vec<RowProblem> = problems.into_iter().map(|(problem, _)| problem).collect();
        let is_legible = !problems
            .iter()
            .any(|problem| matches!(problem, RowProblem::FieldCount | RowProblem::InvalidUtf8));
        let birth = record.as_ref().map(|record| record.birth);
        let event = record.as_ref().and_then(|record| record.event);
        RowCheck {
            line,
            is_used: record.is_some(),
            problems,
            fields: if is_legible {
                self.fields(birth, event)
            } else {
                Vec::new()
            },
        }
    }

    fn fields(&self, birth: Option<BirthDate>, event: Option<RecordEvent>) -> Vec<FieldCheck> {
        let positions = self.understanding.positions();
        let codes = self.understanding.codes();
        let mut fields = vec![self.field("record_id", &[positions.record_id], describe_text)];
        let mut add = |field, columns: &[usize], describe: &dyn Fn(&str) -> String| {
            if !columns.is_empty() {
                fields.push(self.field(field, columns, describe));
            }
        };
        let Positions {
            person_key,
            given_names,
            family_names,
            full_name,
            patronymics,
            sex,
            citizenship,
            birth_country,
            ..
        } = positions;
        add("person_key", person_key.as_slice(), &describe_text);
        add("given_names", given_names, &describe_names);
        add("family_names", family_names, &describe_names);
        add("full_name", full_name, &describe_names);
        add("patronymics", patronymics, &describe_names);
        add("birth_date", &positions.birth.columns(), &|text| {
            describe_birth(text, birth)
        });
        add("birth_quality", positions.birth_quality.as_slice(), &|code| {
            let quality = codes.read_birth_quality(code);
            describe_code(
                code,
                quality.map(|quality| quality.map_or("not known", BirthSource::as_str)),
            )
        });
        add("sex", sex.as_slice(), &|code| {
            describe_code(code, codes.read_sex(code).map(Sex::as_str))
        });
        let country = |code: &str| {
            let country = codes
                .read_country(code)
                .map(|country| country.map(|c: CountryCode| c.to_string()));
            describe_code(
                code,
                country
                    .as_ref()
                    .map(|country| country.as_deref().unwrap_or("not known")),
            )
        };
        add("citizenship", citizenship.as_slice(), &country);
        add("birth_country", birth_country.as_slice(), &country);
        add("address", &positions.address, &describe_names);
        add("postcode", positions.postcode.as_slice(), &describe_text);
        add("event_date", &positions.event.columns(), &|text| {
            describe_event(text, event)
        });
        add("direction", positions.direction.as_slice(), &|code| {
            describe_code(code, codes.read_direction(code).map(Direction::as_str))
        });
        add("counterpart", positions.counterpart.as_slice(), &country);
        add("next_event_date", &positions.next_event.columns(), &describe_text);
        add(
            "intended_months",
            positions.intended_months.as_slice(),
            &describe_text,
        );
        add("days_present", positions.days_present.as_slice(), &describe_text);
        add("counted", positions.counted.as_slice(), &|code| {
            describe_code(code, codes.read_counted(code).map(RuleFlag::as_str))
        });
        add(
            "migratory_status",
            positions.migratory_status.as_slice(),
            &|code| {
                let status = codes.read_migratory_status(code);
                describe_code(code, status.map(MigratoryStatus::as_str))
            },
        );
        add("reason", positions.reason.as_slice(), &|code| {
            describe_code(code, codes.read_reason(code).map(Reason::as_str))
        });
        fields
    }

    fn field(&self, field: &'static str, columns: &[usize], describe: impl Fn(&str) -> String) -> FieldCheck {
        let values: Vec<&str> = columns
            .iter()
            .map(|&column| self.understanding.value(self.row, column))
            .collect();
        let text = values.join(" ");
        FieldCheck {
            field,
            reading: describe(text.trim()),
            value: (self.show == ShowValues::Yes).then(|| values.join(" | ")),
        }
    }
}

const EMPTY: &str = "empty";

fn describe_text(text: &str) -> String {
    match text.chars().count() {
        0 => EMPTY.to_owned(),
        count => count_of(count, "character"),
    }
}

fn describe_names(text: &str) -> String {
    if text.is_empty() {
        return EMPTY.to_owned();
    }
    let traits = TextTraits::of(text);
    let script = traits.script.map_or("no letters", |script| script.as_str());
    format!(
        "{}, {script}, {}",
        count_of(traits.words, "word"),
        count_of(traits.letters, "letter")
    )
}

fn count_of(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// A code and its meaning; one without meaning may be a person's value in a column named wrongly, and is not shown.
fn describe_code(code: &str, meaning: Option<&str>) -> String {
    match meaning {
        Some(meaning) if code.is_empty() => format!("{EMPTY} → {meaning}"),
        Some(meaning) => format!("{code:?} → {meaning}"),
        None if code.is_empty() => format!("{EMPTY} → not understood"),
        None => format!("{} → not understood", describe_text(code)),
    }
}

fn describe_birth(text: &str, birth: Option<BirthDate>) -> String {
    let becomes = match birth {
        None => "row not used",
        Some(BirthDate { year: None, .. }) if text.is_empty() => "not known",
        Some(BirthDate { year: None, .. }) => "not understood, taken as missing",
        Some(birth) if birth.first_of_january => "year; the first day of a year stands for not known",
        Some(birth) if birth.month_day.is_some() && birth.converted => "year, month and day, converted",
        Some(birth) if birth.month_day.is_some() => "year, month and day",
        Some(_) => "year",
    };
    format!("{} → {becomes}", shape(text))
}

fn describe_event(text: &str, event: Option<RecordEvent>) -> String {
    let becomes = match event.map(|event| event.date.precision) {
        None => "row not used",
        Some(DatePrecision::Day) => "year, month and day",
        Some(DatePrecision::Month) => "year and month",
        Some(DatePrecision::Year) => "year",
    };
    format!("{} → {becomes}", shape(text))
}

/// How a date is written: 9 for every digit, A for every letter.
fn shape(text: &str) -> String {
    if text.is_empty() {
        return EMPTY.to_owned();
    }
    let marks = text.chars().take(MOST_SHAPE).map(|character| {
        if character.is_numeric() {
            '9'
        } else if character.is_alphabetic() {
            'A'
        } else if character.is_ascii_punctuation() || character == ' ' {
            character
        } else {
            '?'
        }
    });
    marks.collect()
}

/// Characters of a date that are shown the shape of.
const MOST_SHAPE: usize = 30;

#[cfg(test)]
mod tests {
    use super::*;

    const MAPPING: &str = r#"
        version = 1
        [columns]
        record_id = "id"
        given_names = ["given"]
        birth_date = "born"
        sex = "sex"
        citizenship = "citizen"
        [codes.sex]
        female = ["M"]
        male = ["H"]
    "#;

    fn check(rows: &str, show: ShowValues) -> MappingCheck {
        let mapping: Mapping = toml::from_str(MAPPING).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        std::fs::write(&path, format!("id,given,born,sex,citizen\n{rows}")).unwrap();
        check_mapping(&path, &mapping, 4, show).unwrap()
    }

    const ROWS: &str = "R1,Zoé Maria,1990-05-17,M,SN\nR2,,01/01/1990,H,Sénégal\nR3,Ali,1990-01-01,F,TN\n\
                        R4,B\nR5,C,,F,TN\nR6,D,1990,H,\n";

    #[test]
    fn readings_say_how_values_are_written_and_what_becomes_of_them() {
        let check = check(ROWS, ShowValues::No);
        let reading = |row: usize| {
            let fields = &check.rows[row].fields;
            fields
                .iter()
                .map(|field| field.reading.as_str())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            reading(0),
            [
                "2 characters",
                "2 words, Latin, 8 letters",
                "9999-99-99 → year, month and day",
                "\"M\" → female",
                "\"SN\" → SN"
            ]
        );
        assert_eq!(
            reading(1),
            [
                "2 characters",
                "empty",
                "99/99/9999 → not understood, taken as missing",
                "\"H\" → male",
                "7 characters → not understood"
            ]
        );
        assert_eq!(
            reading(2)[2..4],
            ["9999-99-99 → row not used", "1 character → not understood"]
        );
        assert!(reading(3).is_empty() && check.rows[3].problems == [RowProblem::FieldCount]);
        assert_eq!(check.rows.len(), 4, "as many as asked for");
        assert_eq!(
            (check.read.rows_read, check.read.rows_refused),
            (6, 3),
            "of all rows"
        );
    }

    #[test]
    fn values_are_shown_to_those_who_ask_only() {
        let hidden = serde_json::to_string(&check(ROWS, ShowValues::No)).unwrap();
        for value in ["Zoé", "1990", "Sénégal", "R1", "\"F\""] {
            assert!(!hidden.contains(value), "{value} in {hidden}");
        }
        let shown = check(ROWS, ShowValues::Yes);
        assert_eq!(shown.rows[0].fields[1].value.as_deref(), Some("Zoé Maria"));
        assert!(!format!("{shown:?}").contains("Zoé"));
    }
}
