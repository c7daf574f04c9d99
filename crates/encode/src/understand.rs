//! From the texts of a row to a record, as the mapping says.

use std::borrow::Cow;

use corridor_core::{
    CountryCode, DatePrecision, Direction, EventDate, MigratoryStatus, Reason, Sex, StayFlags,
};
use jiff::civil::Date;

use crate::birth::{BirthDate, DateOrder, WrittenDate};
use crate::calendar::Calendar;
use crate::extract::ExtractError;
use crate::mapping::{CodeTables, Mapping};
use crate::record::{BirthSource, Record, RecordEvent};
use crate::report::RowProblem;
use crate::rows::RowSource;
use crate::stay::{StayFacts, flags};

/// A mapping, and where its columns stand in one file.
pub(crate) struct Understanding<'a> {
    mapping: &'a Mapping,
    codes: CodeTables,
    positions: Positions,
    /// Every mapped column, with its position.
    mapped: Vec<(usize, &'a str)>,
    column_count: usize,
    typed_dates: bool,
}

/// What became of a row.
pub(crate) struct Understood<'a> {
    /// The record, when the row can be used.
    pub(crate) record: Option<Record>,
    /// What is the matter with the row, and in which column.
    pub(crate) problems: Vec<Problem<'a>>,
}

/// What is the matter, and in which column.
pub(crate) type Problem<'a> = (RowProblem, Option<&'a str>);

/// Position in the row of each mapped column.
pub(crate) struct Positions {
    pub(crate) record_id: usize,
    pub(crate) person_key: Option<usize>,
    pub(crate) given_names: Vec<usize>,
    pub(crate) family_names: Vec<usize>,
    pub(crate) full_name: Vec<usize>,
    /// Names of the father, then of the grandfather.
    pub(crate) patronymics: Vec<usize>,
    pub(crate) birth: DatePositions,
    pub(crate) birth_quality: Option<usize>,
    pub(crate) sex: Option<usize>,
    pub(crate) citizenship: Option<usize>,
    pub(crate) birth_country: Option<usize>,
    pub(crate) address: Vec<usize>,
    pub(crate) postcode: Option<usize>,
    pub(crate) event: DatePositions,
    pub(crate) direction: Option<usize>,
    pub(crate) counterpart: Option<usize>,
    pub(crate) next_event: DatePositions,
    pub(crate) intended_months: Option<usize>,
    pub(crate) days_present: Option<usize>,
    pub(crate) counted: Option<usize>,
    pub(crate) migratory_status: Option<usize>,
    pub(crate) reason: Option<usize>,
}

/// Where a date stands.
pub(crate) enum DatePositions {
    Nowhere,
    OneColumn(usize),
    Parts {
        year: usize,
        month: Option<usize>,
        day: Option<usize>,
    },
}

/// What spreadsheets write where a formula has no value.
const SPREADSHEET_ERRORS: [&str; 12] = [
    "#N/A", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!", "#DATA!", "#NV", "#NOM?", "#VALEUR!",
    "#BEZUG!",
];

impl<'a> Understanding<'a> {
    /// Finds the columns of `mapping` in a file.
    pub(crate) fn new(rows: &dyn RowSource, mapping: &'a Mapping, file: &str) -> Result<Self, ExtractError> {
        let header = rows.header();
        let positions = Positions::find(header, mapping, file)?;
        let position = |name: &str| header.iter().position(|column| column == name);
        Ok(Self {
            mapping,
            codes: CodeTables::new(&mapping.codes),
            positions,
            mapped: mapping
                .columns
                .names()
                .filter_map(|name| Some((position(name)?, name)))
                .collect(),
            column_count: header.len(),
            typed_dates: rows.has_typed_dates(),
        })
    }

    /// The column of record ids.
    pub(crate) fn record_id_column(&self) -> &'a str {
        &self.mapping.columns.record_id
    }

    /// The codes of the mapping.
    pub(crate) const fn codes(&self) -> &CodeTables {
        &self.codes
    }

    /// Where the mapped columns stand.
    pub(crate) const fn positions(&self) -> &Positions {
        &self.positions
    }

    /// Makes a record of the row on `line`.
    pub(crate) fn understand(&self, row: &csv::ByteRecord, line: u64) -> Understood<'a> {
        let (mut record, mut problems) = (Record::empty(), Vec::new());
        let understood = self.understand_into(row, line, &mut record, &mut problems);
        Understood {
            record: understood.then_some(record),
            problems,
        }
    }

    /// The same into a record whose memory is used again, and says whether the row can be used: what the record holds
    /// is of no use otherwise. Problems are added to those there are.
    pub(crate) fn understand_into(
        &self,
        row: &csv::ByteRecord,
        line: u64,
        record: &mut Record,
        problems: &mut Vec<Problem<'a>>,
    ) -> bool {
        let understood = self.fill(row, record, problems);
        record.line = line;
        if let Err(refusal) = understood {
            problems.push(refusal);
        }
        understood.is_ok()
    }

    /// The value of a column: trimmed, empty where it is missing, and only of rows that are text.
    pub(crate) fn value<'r>(&self, row: &'r csv::ByteRecord, position: usize) -> &'r str {
        let value = std::str::from_utf8(row.get(position).unwrap_or_default())
            .unwrap_or_default()
            .trim();
        if self.mapping.file.missing.iter().any(|word| word == value) {
            ""
        } else {
            value
        }
    }

    /// Fills every field of `record` but its line, or says why the row cannot be used; what was taken as missing is
    /// added to `problems`.
    fn fill(
        &self,
        row: &csv::ByteRecord,
        record: &mut Record,
        problems: &mut Vec<Problem<'a>>,
    ) -> Result<(), Problem<'a>> {
        let columns = &self.mapping.columns;
        let (positions, dates) = (&self.positions, &self.mapping.dates);
        self.refuse_unreadable(row)?;
        let at = |position: usize| self.value(row, position);
        let optional = |position: Option<usize>| position.map_or("", at);
        let record_id = at(positions.record_id);
        if record_id.is_empty() {
            return Err((RowProblem::RecordIdEmpty, Some(&columns.record_id)));
        }
        let sex = match positions.sex {
            None => Sex::Unknown,
            Some(position) => self
                .codes
                .read_sex(at(position))
                .ok_or((RowProblem::SexUndeclared, columns.sex.as_deref()))?,
        };
        let birth_source = self
            .codes
            .read_birth_quality(optional(positions.birth_quality))
            .ok_or((
                RowProblem::BirthQualityUndeclared,
                columns.birth_quality.as_deref(),
            ))?;
        let mut event = self.read_event(row)?;
        if let Some(event) = &mut event {
            self.read_facts(row, event, problems)?;
        }
        let mut birth = match self.read_date(row, &positions.birth, dates.birth_date, dates.birth_calendar) {
            ReadDate::Missing => BirthDate::default(),
            ReadDate::Date(date) => date.into(),
            ReadDate::Impossible => {
                problems.push((RowProblem::BirthDateImpossible, columns.birth()));
                BirthDate::default()
            }
        };
        if let Some(source) = birth_source {
            birth.month_day = birth.month_day.filter(|_| source.knows_month_day());
            birth.converted |= source == BirthSource::Converted && birth.year.is_some();
        }
        let citizenship = self.codes.read_country(optional(positions.citizenship));
        if citizenship.is_none() {
            problems.push((RowProblem::CitizenshipUnknown, columns.citizenship.as_deref()));
        }
        let birth_country = self.codes.read_country(optional(positions.birth_country));
        if birth_country.is_none() {
            problems.push((RowProblem::BirthCountryUnknown, columns.birth_country.as_deref()));
        }
        if let Some(event) = event.as_mut().filter(|_| positions.migratory_status.is_none()) {
            event.migratory_status = self.status_of(event, citizenship.flatten(), birth_country.flatten());
        }
        let person_key = match optional(positions.person_key) {
            "" => record_id,
            key => key,
        };
        let names_divided = positions.full_name.is_empty();
        let given_names = if names_divided {
            &positions.given_names
        } else {
            &positions.full_name
        };
        let family_names = positions.family_names.iter().chain(&positions.patronymics);
        let texts = [
            (&mut record.record_id, record_id),
            (&mut record.person_key, person_key),
            (&mut record.postcode, optional(positions.postcode)),
        ];
        for (text, value) in texts {
            text.clear();
            text.push_str(value);
        }
        self.join(row, given_names.iter(), &mut record.given_names);
        self.join(row, family_names, &mut record.family_names);
        self.join(row, positions.patronymics.iter(), &mut record.patronymics);
        self.join(row, positions.address.iter(), &mut record.address);
        record.names_divided = names_divided;
        record.birth = birth;
        record.birth_source = birth_source;
        record.sex = sex;
        record.citizenship = citizenship.flatten();
        record.birth_country = birth_country.flatten();
        record.event = event;
        Ok(())
    }

    fn refuse_unreadable(&self, row: &csv::ByteRecord) -> Result<(), Problem<'a>> {
        if row.len() != self.column_count {
            return Err((RowProblem::FieldCount, None));
        }
        // A character may not lie astride two values either.
        if !row.as_slice().is_ascii() && row.iter().any(|value| std::str::from_utf8(value).is_err()) {
            return Err((RowProblem::InvalidUtf8, None));
        }
        let is_error = |position: usize| {
            row[position].trim_ascii_start().starts_with(b"#")
                && SPREADSHEET_ERRORS.contains(&self.value(row, position))
        };
        match self.mapped.iter().find(|(position, _)| is_error(*position)) {
            Some((_, column)) => Err((RowProblem::SpreadsheetError, Some(column))),
            None => Ok(()),
        }
    }

    /// Puts the values of several columns, one after the other, into `text`.
    fn join<'p>(&self, row: &csv::ByteRecord, positions: impl Iterator<Item = &'p usize>, text: &mut String) {
        text.clear();
        for &position in positions {
            let value = self.value(row, position);
            if !text.is_empty() && !value.is_empty() {
                text.push(' ');
            }
            text.push_str(value);
        }
    }

    fn read_date(
        &self,
        row: &csv::ByteRecord,
        positions: &DatePositions,
        order: DateOrder,
        calendar: Calendar,
    ) -> ReadDate {
        let (text, order) = match positions {
            DatePositions::Nowhere => return ReadDate::Missing,
            DatePositions::OneColumn(position) => {
                let text = self.value(row, *position);
                // What the file itself holds as a date has no other order than this.
                let typed = self.typed_dates && is_year_first(text);
                let order = if typed { DateOrder::YearMonthDay } else { order };
                (Cow::Borrowed(text), order)
            }
            DatePositions::Parts { year, month, day } => {
                let mut text = self.value(row, *year).to_owned();
                // Month and day of no year say little, and nothing of a slip.
                if text.is_empty() {
                    return ReadDate::Missing;
                }
                for part in [month, day] {
                    match part.map_or("", |position| self.value(row, position)) {
                        "" => break,
                        part => {
                            text.push('-');
                            text.push_str(part);
                        }
                    }
                }
                (Cow::Owned(text), DateOrder::YearMonthDay)
            }
        };
        if text.is_empty() {
            return ReadDate::Missing;
        }
        order
            .read_in(&text, calendar, self.mapping.dates.two_digit_pivot)
            .map_or(ReadDate::Impossible, ReadDate::Date)
    }

    fn read_event(&self, row: &csv::ByteRecord) -> Result<Option<RecordEvent>, Problem<'a>> {
        if !self.mapping.has_events() {
            return Ok(None);
        }
        let optional = |position: Option<usize>| position.map_or("", |position| self.value(row, position));
        let (columns, dates) = (&self.mapping.columns, &self.mapping.dates);
        let direction = match self.mapping.constants.direction {
            Some(direction) => direction,
            None => self
                .codes
                .read_direction(optional(self.positions.direction))
                .ok_or((RowProblem::DirectionUndeclared, columns.direction.as_deref()))?,
        };
        let counterpart = match self.mapping.constants.counterpart {
            Some(country) => Some(country),
            None => self
                .codes
                .read_country(optional(self.positions.counterpart))
                .ok_or((RowProblem::CounterpartUndeclared, columns.counterpart.as_deref()))?,
        };
        let ReadDate::Date(written) =
            self.read_date(row, &self.positions.event, dates.event_date, dates.event_calendar)
        else {
            return Err((RowProblem::EventDateImpossible, columns.event()));
        };
        Ok(Some(RecordEvent {
            direction,
            counterpart,
            date: to_event_date(written),
            migratory_status: MigratoryStatus::Unknown,
            reason: Reason::Unknown,
            stay: StayFlags::default(),
        }))
    }

    /// Fills what is said of a move beside date, direction and other country.
    fn read_facts(
        &self,
        row: &csv::ByteRecord,
        event: &mut RecordEvent,
        problems: &mut Vec<Problem<'a>>,
    ) -> Result<(), Problem<'a>> {
        let (columns, positions, dates) = (&self.mapping.columns, &self.positions, &self.mapping.dates);
        let optional = |position: Option<usize>| position.map_or("", |position| self.value(row, position));
        event.migratory_status = self
            .codes
            .read_migratory_status(optional(positions.migratory_status))
            .ok_or((
                RowProblem::MigratoryStatusUndeclared,
                columns.migratory_status.as_deref(),
            ))?;
        event.reason = self
            .codes
            .read_reason(optional(positions.reason))
            .ok_or((RowProblem::ReasonUndeclared, columns.reason.as_deref()))?;
        let counted = match positions.counted {
            None => None,
            Some(position) => Some(
                self.codes
                    .read_counted(self.value(row, position))
                    .ok_or((RowProblem::CountedUndeclared, columns.counted.as_deref()))?,
            ),
        };
        let next = match self.read_date(row, &positions.next_event, dates.event_date, dates.event_calendar) {
            ReadDate::Missing => None,
            ReadDate::Date(written) => Some(to_event_date(written)),
            ReadDate::Impossible => {
                problems.push((
                    RowProblem::NextEventDateImpossible,
                    columns.next_event_date.as_deref(),
                ));
                None
            }
        };
        // A stay cannot end before it began, on any day that both dates can have been.
        let is_before = |next: &EventDate| next.date < event.date.date && next.days_apart(&event.date) > 0;
        if next.as_ref().is_some_and(is_before) {
            problems.push((
                RowProblem::NextEventDateImpossible,
                columns.next_event_date.as_deref(),
            ));
        }
        let mut number =
            |position: Option<usize>, most: u16, problem: RowProblem, column: &'a Option<String>| {
                let text = optional(position);
                let value = text.parse::<u16>().ok().filter(|value| *value <= most);
                if value.is_none() && !text.is_empty() {
                    problems.push((problem, column.as_deref()));
                }
                value
            };
        let facts = StayFacts {
            next: next.filter(|next| !is_before(next)),
            intended_months: number(
                positions.intended_months,
                1200,
                RowProblem::IntendedMonthsImpossible,
                &columns.intended_months,
            ),
            days_present: number(
                positions.days_present,
                366,
                RowProblem::DaysPresentImpossible,
                &columns.days_present,
            ),
            counted,
        };
        event.stay = flags(event.date, facts, &self.mapping.stay);
        Ok(())
    }

    /// What a mover is to the country of destination, by citizenship and country of birth.
    fn status_of(
        &self,
        event: &RecordEvent,
        citizenship: Option<CountryCode>,
        birth_country: Option<CountryCode>,
    ) -> MigratoryStatus {
        let destination = match event.direction {
            Direction::Immigration => self.mapping.reporter,
            Direction::Emigration => event.counterpart,
        };
        match (destination, citizenship, birth_country) {
            (Some(there), Some(citizenship), _) if citizenship != there => MigratoryStatus::ForeignCitizen,
            (Some(there), Some(_), Some(born)) if born == there => MigratoryStatus::ReturningCitizen,
            (Some(_), Some(_), Some(_)) => MigratoryStatus::ForeignBornCitizen,
            _ => MigratoryStatus::Unknown,
        }
    }
}

fn to_event_date(written: WrittenDate) -> EventDate {
    let precision = match (written.month, written.day) {
        (Some(_), Some(_)) => DatePrecision::Day,
        (Some(_), None) => DatePrecision::Month,
        _ => DatePrecision::Year,
    };
    let date = Date::new(written.year, written.month.unwrap_or(1), written.day.unwrap_or(1))
        .expect("a written date is a day of the calendar");
    EventDate { date, precision }
}

enum ReadDate {
    Missing,
    Date(WrittenDate),
    Impossible,
}

/// Whether a text begins as 1989-12-31 does.
fn is_year_first(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 10 && bytes[4] == b'-' && bytes[7] == b'-' && bytes[..4].iter().all(u8::is_ascii_digit)
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
            full_name: several(&columns.full_name, "columns.full_name")?,
            patronymics: [
                several(&columns.father_name, "columns.father_name")?,
                several(&columns.grandfather_name, "columns.grandfather_name")?,
            ]
            .concat(),
            birth: DatePositions::new(
                one(&columns.birth_date, "columns.birth_date")?,
                one(&columns.birth_year, "columns.birth_year")?,
                one(&columns.birth_month, "columns.birth_month")?,
                one(&columns.birth_day, "columns.birth_day")?,
            ),
            birth_quality: one(&columns.birth_quality, "columns.birth_quality")?,
            sex: one(&columns.sex, "columns.sex")?,
            citizenship: one(&columns.citizenship, "columns.citizenship")?,
            birth_country: one(&columns.birth_country, "columns.birth_country")?,
            address: several(&columns.address, "columns.address")?,
            postcode: one(&columns.postcode, "columns.postcode")?,
            event: DatePositions::new(
                one(&columns.event_date, "columns.event_date")?,
                one(&columns.event_year, "columns.event_year")?,
                one(&columns.event_month, "columns.event_month")?,
                one(&columns.event_day, "columns.event_day")?,
            ),
            direction: one(&columns.direction, "columns.direction")?,
            counterpart: one(&columns.counterpart, "columns.counterpart")?,
            next_event: DatePositions::new(
                one(&columns.next_event_date, "columns.next_event_date")?,
                None,
                None,
                None,
            ),
            intended_months: one(&columns.intended_months, "columns.intended_months")?,
            days_present: one(&columns.days_present, "columns.days_present")?,
            counted: one(&columns.counted, "columns.counted")?,
            migratory_status: one(&columns.migratory_status, "columns.migratory_status")?,
            reason: one(&columns.reason, "columns.reason")?,
        })
    }
}

impl DatePositions {
    fn new(date: Option<usize>, year: Option<usize>, month: Option<usize>, day: Option<usize>) -> Self {
        match (date, year) {
            (Some(position), _) => Self::OneColumn(position),
            (None, Some(year)) => Self::Parts { year, month, day },
            (None, None) => Self::Nowhere,
        }
    }

    /// The columns, year first.
    pub(crate) fn columns(&self) -> Vec<usize> {
        match self {
            Self::Nowhere => Vec::new(),
            Self::OneColumn(position) => vec![*position],
            Self::Parts { year, month, day } => std::iter::once(*year).chain(*month).chain(*day).collect(),
        }
    }
}
