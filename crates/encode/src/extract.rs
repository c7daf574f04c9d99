use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use corridor_core::{DatePrecision, Digest, EventDate, Sex};
use jiff::civil::Date;

use crate::birth::BirthDate;
use crate::lines::{LimitedLines, LineTooLong, MAX_LINE_BYTES};
use crate::mapping::Mapping;
use crate::record::{Record, RecordEvent};
use crate::report::{ReadReport, RowProblem};

/// Lines a row can span where the mapping says that values hold line breaks; more is a quote that was never closed, which
/// would swallow rows.
const MAX_ROW_LINES: u64 = 20;

/// A file that cannot be read as a register. Messages name file, line and column, never a value.
#[derive(Debug, thiserror::Error)]
pub enum ExtractError {
    /// A column the mapping names is not in the header.
    #[error("{file} line 1: no column {column:?} (mapping key {key}); {}", describe_header(.found))]
    ColumnMissing {
        /// The file.
        file: String,
        /// As the mapping names it.
        column: String,
        /// The mapping key that names it.
        key: &'static str,
        /// What the header has; empty when it has none of the mapping's columns, since line 1 may be a person then.
        found: Vec<String>,
    },
    /// A column stands twice in the header.
    #[error("{file} line 1: column {column:?} stands twice in the header")]
    ColumnRepeated {
        /// The file.
        file: String,
        /// Which.
        column: String,
    },
    /// Nothing in the file, or only a header.
    #[error("{file} has no records: {problem}")]
    Empty {
        /// The file.
        file: String,
        /// What it has.
        problem: &'static str,
    },
    /// The same record id twice.
    #[error("{file} line {line} column {column:?}: the record id of line {first_line} again")]
    RecordIdRepeated {
        /// The file.
        file: String,
        /// Second line.
        line: u64,
        /// First line.
        first_line: u64,
        /// The column.
        column: String,
    },
    /// Not text, or a line beyond reason.
    #[error("{file} line {line}: {problem}")]
    NotText {
        /// The file.
        file: String,
        /// Where.
        line: u64,
        /// What.
        problem: String,
    },
    /// The file cannot be opened or read.
    #[error("cannot read {file}")]
    Read {
        /// The file.
        file: String,
        /// Why.
        source: io::Error,
    },
}

fn describe_header(found: &[String]) -> String {
    if found.is_empty() {
        "line 1 has none of the columns the mapping names; is there a header?".to_owned()
    } else {
        format!("the header has {}", found.join(", "))
    }
}

/// Reads the rows of one register, a chunk at a time.
pub struct ExtractReader<'a> {
    mapping: &'a Mapping,
    file: String,
    reader: csv::Reader<LimitedLines<Box<dyn Read + Send>>>,
    positions: Positions,
    column_count: usize,
    /// Digest of each record id met → its line. Digests, since ids need not stay in memory.
    seen: HashMap<[u8; 16], u64>,
    report: ReadReport,
}

/// Position in the row of each mapped column.
struct Positions {
    record_id: usize,
    person_key: Option<usize>,
    given_names: Vec<usize>,
    family_names: Vec<usize>,
    birth_date: Option<usize>,
    sex: Option<usize>,
    citizenship: Option<usize>,
    birth_country: Option<usize>,
    address: Vec<usize>,
    postcode: Option<usize>,
    event_date: Option<usize>,
    direction: Option<usize>,
    counterpart: Option<usize>,
}

impl std::fmt::Debug for ExtractReader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ExtractReader({} rows read)", self.report.rows_read)
    }
}

impl<'a> ExtractReader<'a> {
    /// Opens a CSV file and finds the mapping's columns in its header. A byte-order mark is skipped.
    ///
    /// # Errors
    /// When the file cannot be read, has no header, or lacks a column.
    pub fn open(path: &Path, mapping: &'a Mapping) -> Result<Self, ExtractError> {
        let file = path.display().to_string();
        let read_error = |source| ExtractError::Read {
            file: file.clone(),
            source,
        };
        let mut input = BufReader::with_capacity(1 << 16, File::open(path).map_err(read_error)?);
        let start = peek(&mut input).map_err(read_error)?;
        let not_text = |problem: &str| ExtractError::NotText {
            file: file.clone(),
            line: 1,
            problem: problem.to_owned(),
        };
        if start.is_empty() {
            return Err(ExtractError::Empty {
                file,
                problem: "it is empty",
            });
        }
        if start.starts_with(&[0xff, 0xfe]) || start.starts_with(&[0xfe, 0xff]) {
            return Err(not_text("the file is UTF-16; save it as UTF-8"));
        }
        if start.starts_with(b"PK\x03\x04") || start.starts_with(b"PAR1") {
            return Err(not_text(
                "the file is a spreadsheet or Parquet; export it as CSV in UTF-8",
            ));
        }
        let skip = if start.starts_with(&[0xef, 0xbb, 0xbf]) {
            3
        } else {
            0
        };
        let input: Box<dyn Read + Send> = Box::new(io::Cursor::new(start[skip..].to_vec()).chain(input));
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(u8::try_from(mapping.file.delimiter).unwrap_or(b','))
            .flexible(true)
            .from_reader(LimitedLines::new(input));
        let header = reader
            .headers()
            .map_err(|error| read_failure(&file, error))?
            .clone();
        if header.iter().all(|name| name.trim().is_empty()) {
            return Err(ExtractError::Empty {
                file,
                problem: "its first line is blank",
            });
        }
        let positions = Positions::find(&header, mapping, &file)?;
        Ok(Self {
            mapping,
            file,
            reader,
            positions,
            column_count: header.len(),
            seen: HashMap::new(),
            report: ReadReport::default(),
        })
    }

    /// The next records, at most `max`; fewer only at the end, none after it. Rows that cannot be used are
    /// counted in the report.
    ///
    /// # Errors
    /// When the file cannot be read on, or a record id stands twice.
    pub fn read_chunk(&mut self, max: usize) -> Result<Vec<Record>, ExtractError> {
        let mut records = Vec::new();
        let mut row = csv::ByteRecord::new();
        while records.len() < max {
            let more = self
                .reader
                .read_byte_record(&mut row)
                .map_err(|error| read_failure(&self.file, error))?;
            if !more {
                break;
            }
            self.report.rows_read += 1;
            let line = row.position().map_or(0, csv::Position::line);
            // A quote that stands astray would otherwise swallow the rows up to the next one.
            let most_lines = if self.mapping.file.multiline {
                MAX_ROW_LINES
            } else {
                1
            };
            if self.reader.position().line().saturating_sub(line) > most_lines {
                return Err(ExtractError::NotText {
                    file: self.file.clone(),
                    line,
                    problem: format!(
                        "a row of more than {most_lines} line{} begins here; is a quote not closed?",
                        if most_lines == 1 { "" } else { "s" }
                    ),
                });
            }
            if let Some(record) = self.understand(&row, line)? {
                records.push(record);
            }
        }
        Ok(records)
    }

    /// What was read so far.
    pub const fn report(&self) -> &ReadReport {
        &self.report
    }

    /// The report at the end.
    ///
    /// # Errors
    /// When there was no row at all.
    pub fn finish(self) -> Result<ReadReport, ExtractError> {
        if self.report.rows_read == 0 {
            return Err(ExtractError::Empty {
                file: self.file,
                problem: "it has a header only",
            });
        }
        Ok(self.report)
    }

    fn understand(&mut self, row: &csv::ByteRecord, line: u64) -> Result<Option<Record>, ExtractError> {
        let columns = &self.mapping.columns;
        if row.len() != self.column_count {
            self.report.add(RowProblem::FieldCount, line, None);
            return Ok(None);
        }
        if row.iter().any(|value| std::str::from_utf8(value).is_err()) {
            self.report.add(RowProblem::InvalidUtf8, line, None);
            return Ok(None);
        }
        let at = |position: usize| std::str::from_utf8(&row[position]).expect("checked above").trim();
        let optional = |position: Option<usize>| position.map_or("", at);
        let joined = |positions: &[usize]| {
            let parts: Vec<&str> = positions.iter().map(|&p| at(p)).collect();
            parts.join(" ")
        };
        let record_id = at(self.positions.record_id).to_owned();
        if record_id.is_empty() {
            self.report
                .add(RowProblem::RecordIdEmpty, line, Some(&columns.record_id));
            return Ok(None);
        }
        let digest = Digest::of(record_id.as_bytes());
        let short: [u8; 16] = digest.as_bytes()[..16].try_into().expect("half of 32 bytes");
        if let Some(first_line) = self.seen.insert(short, line) {
            return Err(ExtractError::RecordIdRepeated {
                file: self.file.clone(),
                line,
                first_line,
                column: columns.record_id.clone(),
            });
        }
        let sex = match self.positions.sex {
            None => Sex::Unknown,
            Some(position) => match self.mapping.read_sex(at(position)) {
                Some(sex) => sex,
                None => {
                    self.report
                        .add(RowProblem::SexUndeclared, line, columns.sex.as_deref());
                    return Ok(None);
                }
            },
        };
        let event = match self.read_event(&optional) {
            Ok(event) => event,
            Err((problem, column)) => {
                self.report.add(problem, line, column.as_deref());
                return Ok(None);
            }
        };
        let birth = match optional(self.positions.birth_date) {
            "" => BirthDate::default(),
            text => match self.mapping.dates.birth_date.read(text) {
                Some(date) => date.into(),
                None => {
                    self.report.add(
                        RowProblem::BirthDateImpossible,
                        line,
                        columns.birth_date.as_deref(),
                    );
                    BirthDate::default()
                }
            },
        };
        let citizenship = self.mapping.read_country(optional(self.positions.citizenship));
        if citizenship.is_none() {
            self.report.add(
                RowProblem::CitizenshipUnknown,
                line,
                columns.citizenship.as_deref(),
            );
        }
        let birth_country = self.mapping.read_country(optional(self.positions.birth_country));
        if birth_country.is_none() {
            self.report.add(
                RowProblem::BirthCountryUnknown,
                line,
                columns.birth_country.as_deref(),
            );
        }
        let person_key = match optional(self.positions.person_key) {
            "" => record_id.clone(),
            key => key.to_owned(),
        };
        Ok(Some(Record {
            line,
            record_id,
            person_key,
            given_names: joined(&self.positions.given_names),
            family_names: joined(&self.positions.family_names),
            birth,
            sex,
            citizenship: citizenship.flatten(),
            birth_country: birth_country.flatten(),
            address: joined(&self.positions.address),
            postcode: optional(self.positions.postcode).to_owned(),
            event,
        }))
    }

    fn read_event<'r>(
        &self,
        value: &impl Fn(Option<usize>) -> &'r str,
    ) -> Result<Option<RecordEvent>, (RowProblem, Option<String>)> {
        let Some(date_position) = self.positions.event_date else {
            return Ok(None);
        };
        let columns = &self.mapping.columns;
        let direction = match self.mapping.constants.direction {
            Some(direction) => direction,
            None => self
                .mapping
                .read_direction(value(self.positions.direction))
                .ok_or_else(|| (RowProblem::DirectionUndeclared, columns.direction.clone()))?,
        };
        let counterpart = match self.mapping.constants.counterpart {
            Some(country) => Some(country),
            None => self
                .mapping
                .read_country(value(self.positions.counterpart))
                .ok_or_else(|| (RowProblem::CounterpartUndeclared, columns.counterpart.clone()))?,
        };
        let written = self
            .mapping
            .dates
            .event_date
            .read(value(Some(date_position)))
            .ok_or_else(|| (RowProblem::EventDateImpossible, columns.event_date.clone()))?;
        let precision = match (written.month, written.day) {
            (Some(_), Some(_)) => DatePrecision::Day,
            (Some(_), None) => DatePrecision::Month,
            _ => DatePrecision::Year,
        };
        let date = Date::new(written.year, written.month.unwrap_or(1), written.day.unwrap_or(1))
            .expect("a written date is a day of the calendar");
        Ok(Some(RecordEvent {
            direction,
            counterpart,
            date: EventDate { date, precision },
        }))
    }
}

impl Positions {
    fn find(header: &csv::StringRecord, mapping: &Mapping, file: &str) -> Result<Self, ExtractError> {
        let names: Vec<&str> = header.iter().map(str::trim).collect();
        // A first line without any of the mapping's columns may be a row: nothing of it is shown.
        let is_header = mapping.columns.names().any(|name| names.contains(&name));
        for (position, name) in names.iter().enumerate() {
            if names[..position].contains(name) && !name.is_empty() && is_header {
                return Err(ExtractError::ColumnRepeated {
                    file: file.to_owned(),
                    column: (*name).to_owned(),
                });
            }
        }
        let found = if is_header {
            names.iter().map(|&name| name.to_owned()).collect()
        } else {
            Vec::new()
        };
        let find = |column: &String, key: &'static str| {
            names
                .iter()
                .position(|name| name == column)
                .ok_or_else(|| ExtractError::ColumnMissing {
                    file: file.to_owned(),
                    column: column.clone(),
                    key,
                    found: found.clone(),
                })
        };
        let one = |column: &Option<String>, key| column.as_ref().map(|c| find(c, key)).transpose();
        let several = |columns: &[String], key| {
            columns
                .iter()
                .map(|c| find(c, key))
                .collect::<Result<Vec<_>, _>>()
        };
        let columns = &mapping.columns;
        Ok(Self {
            record_id: find(&columns.record_id, "columns.record_id")?,
            person_key: one(&columns.person_key, "columns.person_key")?,
            given_names: several(&columns.given_names, "columns.given_names")?,
            family_names: several(&columns.family_names, "columns.family_names")?,
            birth_date: one(&columns.birth_date, "columns.birth_date")?,
            sex: one(&columns.sex, "columns.sex")?,
            citizenship: one(&columns.citizenship, "columns.citizenship")?,
            birth_country: one(&columns.birth_country, "columns.birth_country")?,
            address: several(&columns.address, "columns.address")?,
            postcode: one(&columns.postcode, "columns.postcode")?,
            event_date: one(&columns.event_date, "columns.event_date")?,
            direction: one(&columns.direction, "columns.direction")?,
            counterpart: one(&columns.counterpart, "columns.counterpart")?,
        })
    }
}

/// The first bytes of `input`, taken out of it.
fn peek(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    input.take(4).read_to_end(&mut start)?;
    Ok(start)
}

fn read_failure(file: &str, error: csv::Error) -> ExtractError {
    let line = error.position().map_or(1, csv::Position::line);
    let file = file.to_owned();
    let kind = error.into_kind();
    if let csv::ErrorKind::Io(source) = kind {
        return match source.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(LineTooLong { line }) => ExtractError::NotText {
                file,
                line: *line,
                problem: format!("longer than {MAX_LINE_BYTES} bytes; is a quote not closed?"),
            },
            None => ExtractError::Read { file, source },
        };
    }
    let problem = if matches!(kind, csv::ErrorKind::Utf8 { .. }) {
        "the header is no UTF-8; save the file as UTF-8"
    } else {
        "not CSV"
    };
    ExtractError::NotText {
        file,
        line,
        problem: problem.to_owned(),
    }
}
