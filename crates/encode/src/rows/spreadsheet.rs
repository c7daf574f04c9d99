//! Rows of a sheet of an XLSX workbook.

use std::fs::File;
use std::io::{BufReader, Seek as _};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use calamine::{Cell, DataRef, ExcelDateTime, Reader as _, SheetType, Xlsx, XlsxError};

use super::unfold::{self, Unfolding};
use super::{RowBatch, RowSource};
use crate::extract::ExtractError;

/// Rows handed over at a time.
const HANDED_ROWS: usize = 512;

/// Rows of a sheet, counted as in the sheet; the first with a value is the header. Dates become 1989-12-31, whole numbers have
/// no fraction, formulas are their values, errors their signs (`#N/A`); rows without any value are skipped.
///
/// The cells are read as they come, by a thread of their own; the texts they share are held in memory, up to the limits of
/// [`unfold`].
pub(super) struct SheetRows {
    file: String,
    header: Vec<String>,
    receiver: Receiver<Handed>,
    /// Rows handed over, and how many of them were read.
    ready: Vec<SheetRow>,
    next: usize,
    ended: bool,
}

type SheetRow = (u64, csv::ByteRecord);

/// What the reading thread hands over; an empty list of rows is the end.
type Handed = Result<Vec<SheetRow>, ExtractError>;

impl SheetRows {
    pub(super) fn open(file: String, mut input: File, sheet: Option<&str>) -> Result<Self, ExtractError> {
        let read_error = |source| ExtractError::Read {
            file: file.clone(),
            source,
        };
        unfold::check(&input).map_err(|problem| match problem {
            Unfolding::Read(source) => read_error(source),
            Unfolding::Damaged => refuse(&file, 1, "the file is a damaged or cut XLSX, or another archive"),
            Unfolding::TooLarge => refuse(
                &file,
                1,
                "the workbook unfolds to more than can be a register; export the sheet as CSV in UTF-8",
            ),
        })?;
        input.rewind().map_err(read_error)?;
        let workbook = Xlsx::new(BufReader::new(input)).map_err(|error| to_error(&file, 1, &error))?;
        let sheet = choose_sheet(&workbook, &file, sheet)?;
        let (sender, receiver) = sync_channel(2);
        let thread_file = file.clone();
        std::thread::Builder::new()
            .name("sheet".to_owned())
            .spawn(move || {
                let mut workbook = workbook;
                let last = read_sheet(&mut workbook, &sheet, &thread_file, &sender);
                // Nobody listens any more when the reader was dropped.
                drop(sender.send(last.map(|()| Vec::new())));
            })
            .map_err(read_error)?;
        let mut rows = Self {
            file,
            header: Vec::new(),
            receiver,
            ready: Vec::new(),
            next: 0,
            ended: false,
        };
        rows.header = match rows.next_row()? {
            Some((_, header)) => header
                .iter()
                .map(|name| String::from_utf8_lossy(name).trim().to_owned())
                .collect(),
            None => {
                return Err(ExtractError::Empty {
                    file: rows.file,
                    problem: "the sheet has no values",
                });
            }
        };
        Ok(rows)
    }

    fn next_row(&mut self) -> Result<Option<&SheetRow>, ExtractError> {
        if self.next == self.ready.len() && !self.ended {
            self.next = 0;
            self.ready = match self.receiver.recv() {
                Ok(handed) => handed?,
                Err(_) => return Err(refuse(&self.file, 1, DAMAGED)),
            };
            self.ended = self.ready.is_empty();
        }
        self.next += 1;
        Ok(self.ready.get(self.next - 1))
    }
}

const DAMAGED: &str = "the workbook is damaged; open it in Excel and save it again";

impl RowSource for SheetRows {
    fn header(&self) -> &[String] {
        &self.header
    }

    fn read(&mut self, batch: &mut RowBatch, max: usize) -> Result<(), ExtractError> {
        batch.clear();
        let columns = self.header.len();
        while batch.len() < max {
            let Some((line, values)) = self.next_row()? else {
                break;
            };
            let (row_line, row) = batch.next_row();
            *row_line = *line;
            row.clone_from(values);
            // A sheet does not say where a row ends: empty cells at its end are missing values.
            for _ in row.len()..columns {
                row.push_field(b"");
            }
            batch.keep();
        }
        Ok(())
    }

    fn has_typed_dates(&self) -> bool {
        true
    }
}

fn refuse(file: &str, line: u64, problem: &str) -> ExtractError {
    ExtractError::NotText {
        file: file.to_owned(),
        line,
        problem: problem.to_owned(),
    }
}

/// The library's errors may quote a cell: none of their text is passed on.
fn to_error(file: &str, line: u64, error: &XlsxError) -> ExtractError {
    let problem = if matches!(error, XlsxError::Password) {
        "the workbook has a password; save it without one"
    } else {
        DAMAGED
    };
    refuse(file, line, problem)
}

fn choose_sheet(
    workbook: &Xlsx<BufReader<File>>,
    file: &str,
    wanted: Option<&str>,
) -> Result<String, ExtractError> {
    let sheets: Vec<&str> = workbook
        .sheets_metadata()
        .iter()
        .filter(|sheet| sheet.typ == SheetType::WorkSheet)
        .map(|sheet| sheet.name.as_str())
        .collect();
    let chosen = match wanted {
        Some(name) => sheets.iter().find(|sheet| **sheet == name),
        None => sheets.first(),
    };
    match chosen {
        Some(sheet) => Ok((*sheet).to_owned()),
        None => Err(ExtractError::SheetMissing {
            file: file.to_owned(),
            sheet: wanted.unwrap_or_default().to_owned(),
            found: sheets.into_iter().map(str::to_owned).collect(),
        }),
    }
}

/// Hands over the rows of a sheet, until it ends or nobody listens.
fn read_sheet(
    workbook: &mut Xlsx<BufReader<File>>,
    sheet: &str,
    file: &str,
    sender: &SyncSender<Handed>,
) -> Result<(), ExtractError> {
    let mut cells = workbook
        .worksheet_cells_reader(sheet)
        .map_err(|error| to_error(file, 1, &error))?;
    let mut rows: Vec<SheetRow> = Vec::new();
    let (mut columns, mut last_line) = (None, 0);
    let mut text = String::new();
    loop {
        let line = rows.last().map_or(1, |(line, _)| *line);
        let Some(cell) = cells.next_cell().map_err(|error| to_error(file, line, &error))? else {
            break;
        };
        text.clear();
        write_cell(&cell, &mut text);
        if text.is_empty() {
            continue;
        }
        let (row, column) = cell.get_position();
        let line = u64::from(row) + 1;
        if last_line != line {
            if last_line > line {
                return Err(refuse(
                    file,
                    line,
                    "rows of the sheet are out of order; save it again in Excel",
                ));
            }
            last_line = line;
            // The first row says how many columns there are.
            columns = columns.or_else(|| rows.first().map(|(_, header)| header.len()));
            if rows.len() >= HANDED_ROWS && sender.send(Ok(std::mem::take(&mut rows))).is_err() {
                return Ok(());
            }
            rows.push((line, csv::ByteRecord::new()));
        }
        let (_, record) = rows.last_mut().expect("a row was begun");
        let column = usize::try_from(column).expect("a sheet has 16,384 columns");
        if column < record.len() {
            return Err(refuse(
                file,
                line,
                "cells of the row are out of order; save it again in Excel",
            ));
        }
        // Whatever stands beyond the header is one value too many; so far to the right that it does not matter where.
        let column = columns.map_or(column, |columns| column.min(columns.max(record.len())));
        for _ in record.len()..column {
            record.push_field(b"");
        }
        record.push_field(text.as_bytes());
    }
    if !rows.is_empty() {
        drop(sender.send(Ok(rows)));
    }
    Ok(())
}

/// Writes what a cell says, as a person would type it.
fn write_cell(cell: &Cell<DataRef<'_>>, out: &mut String) {
    use std::fmt::Write as _;
    match cell.get_value() {
        DataRef::Empty => Ok(()),
        DataRef::String(text) => out.write_str(text.trim()),
        DataRef::SharedString(text) => out.write_str(text.trim()),
        DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => out.write_str(text.trim()),
        DataRef::Int(number) => write!(out, "{number}"),
        DataRef::Float(number) => write!(out, "{number}"),
        DataRef::Bool(value) => out.write_str(if *value { "TRUE" } else { "FALSE" }),
        DataRef::Error(error) => write!(out, "{error}"),
        DataRef::DateTime(time) if time.is_datetime() => write_time(*time, out),
        DataRef::DateTime(duration) => write!(out, "{}", duration.as_f64()),
    }
    .expect("writing to a String");
}

/// A day, with the time of the day where it has one.
fn write_time(time: ExcelDateTime, out: &mut String) -> std::fmt::Result {
    use std::fmt::Write as _;
    let (year, month, day, hour, minute, second, _) = time.to_ymd_hms_milli();
    write!(out, "{year:04}-{month:02}-{day:02}")?;
    if (hour, minute, second) != (0, 0, 0) {
        write!(out, "T{hour:02}:{minute:02}:{second:02}")?;
    }
    Ok(())
}
