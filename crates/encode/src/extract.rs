use std::collections::HashMap;
use std::io;
use std::path::Path;

use corridor_core::Digest;

use crate::mapping::Mapping;
use crate::record::Record;
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

/// Reads the rows of one register, a batch at a time.
pub struct ExtractReader<'a> {
    file: String,
    rows: Box<dyn RowSource>,
    understanding: Understanding<'a>,
    report: ReadReport,
    batch: RowBatch,
    /// Digest of each record id met → its line, for [`ExtractReader::read_chunk`]. Digests, since ids need not stay in
    /// memory.
    seen: HashMap<[u8; 16], u64>,
}

impl std::fmt::Debug for ExtractReader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ExtractReader({} rows read)", self.report.rows_read)
    }
}

impl<'a> ExtractReader<'a> {
    /// Opens a file and finds the mapping's columns in its header.
    ///
    /// # Errors
    /// When the file cannot be read, has no header, or lacks a column.
    pub fn open(path: &Path, mapping: &'a Mapping) -> Result<Self, ExtractError> {
        let file = path.display().to_string();
        let rows = open_rows(path, &mapping.file)?;
        let understanding = Understanding::new(rows.header(), mapping, &file)?;
        Ok(Self {
            file,
            rows,
            understanding,
            report: ReadReport::default(),
            batch: RowBatch::default(),
            seen: HashMap::new(),
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

    /// The next records, at most `max`; `None` at the end. Rows that cannot be used are counted in the report.
    ///
    /// # Errors
    /// When the file cannot be read on, or a record id stands twice.
    pub fn read_chunk(&mut self, max: usize) -> Result<Option<Vec<Record>>, ExtractError> {
        let mut batch = std::mem::take(&mut self.batch);
        self.read_batch(&mut batch, max)?;
        if batch.is_empty() {
            return Ok(None);
        }
        let mut records = Vec::with_capacity(batch.len());
        for (line, row) in batch.iter() {
            let understood = self.understanding.understand(row, line);
            for (problem, column) in &understood.problems {
                self.report.add(*problem, line, *column);
            }
            let Some(record) = understood.record else {
                continue;
            };
            let digest = Digest::of(record.record_id.as_bytes());
            let short: [u8; 16] = digest.as_bytes()[..16].try_into().expect("half of 32 bytes");
            if let Some(first_line) = self.seen.insert(short, line) {
                return Err(self.record_id_repeated(first_line, line));
            }
            records.push(record);
        }
        self.batch = batch;
        Ok(Some(records))
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
}
