//! From the texts of a row to a record, as the mapping says.

use corridor_core::{DatePrecision, EventDate, Sex};
use jiff::civil::Date;

use crate::birth::BirthDate;
use crate::extract::ExtractError;
use crate::mapping::Mapping;
use crate::record::{Record, RecordEvent};
use crate::report::RowProblem;

/// A mapping, and where its columns stand in one file.
pub(crate) struct Understanding<'a> {
    mapping: &'a Mapping,
    positions: Positions,
    column_count: usize,
}

/// What became of a row.
pub(crate) struct Understood<'a> {
    /// The record, when the row can be used.
    pub(crate) record: Option<Record>,
    /// What is the matter with the row, and in which column.
    pub(crate) problems: Vec<(RowProblem, Option<&'a str>)>,
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

impl<'a> Understanding<'a> {
    /// Finds the columns of `mapping` in `header`.
    pub(crate) fn new(header: &[String], mapping: &'a Mapping, file: &str) -> Result<Self, ExtractError> {
        Ok(Self {
            mapping,
            positions: Positions::find(header, mapping, file)?,
            column_count: header.len(),
        })
    }

    /// The column of record ids.
    pub(crate) fn record_id_column(&self) -> &'a str {
        &self.mapping.columns.record_id
    }

    /// Makes a record of the row on `line`.
    pub(crate) fn understand(&self, row: &csv::ByteRecord, line: u64) -> Understood<'a> {
        let mut problems = Vec::new();
        let record = self
            .to_record(row, line, &mut problems)
            .map_err(|refusal| problems.push(refusal))
            .ok();
        Understood { record, problems }
    }

    /// The record, or why the row cannot be used; what was taken as missing is added to `problems`.
    fn to_record(
        &self,
        row: &csv::ByteRecord,
        line: u64,
        problems: &mut Vec<(RowProblem, Option<&'a str>)>,
    ) -> Result<Record, (RowProblem, Option<&'a str>)> {
        let columns = &self.mapping.columns;
        if row.len() != self.column_count {
            return Err((RowProblem::FieldCount, None));
        }
        if std::str::from_utf8(row.as_slice()).is_err()
            || row.iter().any(|value| std::str::from_utf8(value).is_err())
        {
            return Err((RowProblem::InvalidUtf8, None));
        }
        let at = |position: usize| std::str::from_utf8(&row[position]).expect("checked above").trim();
        let optional = |position: Option<usize>| position.map_or("", at);
        let joined = |positions: &[usize]| match positions {
            [one] => at(*one).to_owned(),
            several => {
                let parts: Vec<&str> = several.iter().map(|&position| at(position)).collect();
                parts.join(" ")
            }
        };
        let record_id = at(self.positions.record_id).to_owned();
        if record_id.is_empty() {
            return Err((RowProblem::RecordIdEmpty, Some(&columns.record_id)));
        }
        let sex = match self.positions.sex {
            None => Sex::Unknown,
            Some(position) => self
                .mapping
                .read_sex(at(position))
                .ok_or((RowProblem::SexUndeclared, columns.sex.as_deref()))?,
        };
        let event = self.read_event(&optional)?;
        let birth = match optional(self.positions.birth_date) {
            "" => BirthDate::default(),
            text => match self.mapping.dates.birth_date.read(text) {
                Some(date) => date.into(),
                None => {
                    problems.push((RowProblem::BirthDateImpossible, columns.birth_date.as_deref()));
                    BirthDate::default()
                }
            },
        };
        let citizenship = self.mapping.read_country(optional(self.positions.citizenship));
        if citizenship.is_none() {
            problems.push((RowProblem::CitizenshipUnknown, columns.citizenship.as_deref()));
        }
        let birth_country = self.mapping.read_country(optional(self.positions.birth_country));
        if birth_country.is_none() {
            problems.push((RowProblem::BirthCountryUnknown, columns.birth_country.as_deref()));
        }
        let person_key = match optional(self.positions.person_key) {
            "" => record_id.clone(),
            key => key.to_owned(),
        };
        Ok(Record {
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
        })
    }

    fn read_event<'r>(
        &self,
        value: &impl Fn(Option<usize>) -> &'r str,
    ) -> Result<Option<RecordEvent>, (RowProblem, Option<&'a str>)> {
        let Some(date_position) = self.positions.event_date else {
            return Ok(None);
        };
        let columns = &self.mapping.columns;
        let direction = match self.mapping.constants.direction {
            Some(direction) => direction,
            None => self
                .mapping
                .read_direction(value(self.positions.direction))
                .ok_or((RowProblem::DirectionUndeclared, columns.direction.as_deref()))?,
        };
        let counterpart = match self.mapping.constants.counterpart {
            Some(country) => Some(country),
            None => self
                .mapping
                .read_country(value(self.positions.counterpart))
                .ok_or((RowProblem::CounterpartUndeclared, columns.counterpart.as_deref()))?,
        };
        let written = self
            .mapping
            .dates
            .event_date
            .read(value(Some(date_position)))
            .ok_or((RowProblem::EventDateImpossible, columns.event_date.as_deref()))?;
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
    fn find(header: &[String], mapping: &Mapping, file: &str) -> Result<Self, ExtractError> {
        let names: Vec<&str> = header.iter().map(String::as_str).collect();
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
