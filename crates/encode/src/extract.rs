use std::io;
use std::path::Path;

use rayon::prelude::*;

use crate::mapping::Mapping;
use crate::record::Record;
use crate::repeats::{RecordIds, Repeat};
use crate::report::ReadReport;
use crate::rows::{RowBatch, RowSource, open_rows};
use crate::understand::Understanding;

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
    /// A column the mapping names holds something that is neither text nor number nor date.
    #[error("{file}: column {column:?} cannot be read: {problem}")]
    ColumnUnreadable {
        /// The file.
        file: String,
        /// Which.
        column: String,
        /// Why.
        problem: &'static str,
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
    /// No such sheet in the workbook.
    #[error("{file} has no sheet {sheet:?} (mapping key file.sheet); it has {}", .found.join(", "))]
    SheetMissing {
        /// The file.
        file: String,
        /// As the mapping names it.
        sheet: String,
        /// The sheets there are.
        found: Vec<String>,
    },
    /// Record ids are too many to hold in memory, and cannot be put aside.
    #[error("cannot write to the folder of temporary files")]
    PutAside(#[source] io::Error),
    /// No extract, not what the mapping says of it, or a row beyond reason.
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

/// Reads the rows of one register, a batch at a time.
pub struct ExtractReader<'a> {
    file: String,
    rows: Box<dyn RowSource>,
    understanding: Understanding<'a>,
    report: ReadReport,
    batch: RowBatch,
    /// The record ids met by [`ExtractReader::read_chunk`].
    record_ids: RecordIds,
}

impl std::fmt::Debug for ExtractReader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ExtractReader({} rows read)", self.report.rows_read)
    }
}

/// Record id and person (the record id where the register tells no persons) of every row that has an id, also of rows that
/// cannot be used otherwise, in the order of the file. For an office that judges links by a truth.
///
/// # Errors
/// When the file cannot be read, has no header, or lacks a column of the mapping.
pub fn read_persons(path: &Path, mapping: &Mapping) -> Result<Vec<(String, String)>, ExtractError> {
    let mut reader = ExtractReader::open(path, mapping)?;
    let (mut persons, mut batch) = (Vec::new(), RowBatch::default());
    loop {
        reader.read_batch(&mut batch, PERSON_ROWS)?;
        if batch.is_empty() {
            return Ok(persons);
        }
        let understanding = reader.understanding();
        let positions = understanding.positions();
        for (_, row) in batch.iter() {
            let record_id = understanding.value(row, positions.record_id);
            let person = positions
                .person_key
                .map_or("", |position| understanding.value(row, position));
            if !record_id.is_empty() {
                let person = if person.is_empty() { record_id } else { person };
                persons.push((record_id.to_owned(), person.to_owned()));
            }
        }
    }
}

/// Rows read at a time for their persons.
const PERSON_ROWS: usize = 8192;

impl<'a> ExtractReader<'a> {
    /// Opens a file and finds the mapping's columns in its header.
    ///
    /// # Errors
    /// When the file cannot be read, has no header, or lacks a column.
    pub fn open(path: &Path, mapping: &'a Mapping) -> Result<Self, ExtractError> {
        let file = path.display().to_string();
        let wanted = |name: &str| mapping.columns.names().any(|column| column == name);
        let rows = open_rows(path, &mapping.file, &wanted)?;
        let understanding = Understanding::new(rows.as_ref(), mapping, &file)?;
        Ok(Self {
            file,
            rows,
            understanding,
            report: ReadReport::default(),
            batch: RowBatch::default(),
            record_ids: RecordIds::default(),
        })
    }

    /// The next rows as they are written, at most `max`, in place of what `batch` holds; fewer only at the end.
    ///
    /// # Errors
    /// When the file cannot be read on.
    pub(crate) fn read_batch(&mut self, batch: &mut RowBatch, max: usize) -> Result<(), ExtractError> {
        self.rows.read(batch, max)?;
        self.report.rows_read += u64::try_from(batch.len()).expect("a length fits");
        Ok(())
    }

    /// What makes records of rows; it may be used by several threads while the next rows are read.
    pub(crate) const fn understanding(&self) -> &Understanding<'a> {
        &self.understanding
    }

    /// The next records, at most `max`, made on the current rayon pool; `None` at the end. Rows that cannot be used are counted in the report.
    ///
    /// # Errors
    /// When the file cannot be read on.
    pub fn read_chunk(&mut self, max: usize) -> Result<Option<Vec<Record>>, ExtractError> {
        let mut batch = std::mem::take(&mut self.batch);
        self.read_batch(&mut batch, max)?;
        if batch.is_empty() {
            return Ok(None);
        }
        let records = self.make_records(&batch)?;
        self.batch = batch;
        Ok(Some(records))
    }

    /// Makes records of rows that were read; those that cannot be used are counted.
    pub(crate) fn make_records(&mut self, batch: &RowBatch) -> Result<Vec<Record>, ExtractError> {
        let understood: Vec<_> = batch
            .as_slice()
            .par_iter()
            .with_min_len(256)
            .map(|(line, row)| (*line, self.understanding.understand(row, *line)))
            .collect();
        let mut records = Vec::with_capacity(batch.len());
        for (line, understood) in understood {
            for (problem, column) in understood.problems {
                self.report.add(problem, line, column);
            }
            let Some(record) = understood.record else {
                continue;
            };
            self.record_ids
                .add(&record.record_id, line)
                .map_err(ExtractError::PutAside)?;
            records.push(record);
        }
        Ok(records)
    }

    /// The error for a record id that stands on two lines.
    pub(crate) fn record_id_repeated(&self, first_line: u64, line: u64) -> ExtractError {
        ExtractError::RecordIdRepeated {
            file: self.file.clone(),
            line,
            first_line,
            column: self.understanding.record_id_column().to_owned(),
        }
    }

    /// What was read so far.
    pub const fn report(&self) -> &ReadReport {
        &self.report
    }

    /// The report at the end.
    ///
    /// # Errors
    /// When there was no row at all, or a record id stands twice among the records of [`ExtractReader::read_chunk`].
    pub fn finish(mut self) -> Result<ReadReport, ExtractError> {
        let record_ids = std::mem::take(&mut self.record_ids);
        if let Some(Repeat { first_line, line }) = record_ids.find_repeat().map_err(ExtractError::PutAside)? {
            return Err(self.record_id_repeated(first_line, line));
        }
        if self.report.rows_read == 0 {
            return Err(ExtractError::Empty {
                file: self.file,
                problem: "it has a header only",
            });
        }
        Ok(self.report)
    }
}

#[cfg(test)]
mod tests;
