//! The rows of a file as texts, whatever the file is.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::extract::ExtractError;
use crate::mapping::{FileFormat, FileKind};

mod decode;
mod detect;
mod parquet_file;
mod spreadsheet;
mod text_file;
mod unfold;

pub(crate) use decode::Decoded;
pub(crate) use detect::{Start, detect};

/// Rows read at a time, with the line (or row) each begins on. Made to be filled again and again.
#[derive(Default)]
pub(crate) struct RowBatch {
    /// The first `len` are of this batch; the others are kept for their memory.
    rows: Vec<(u64, csv::ByteRecord)>,
    len: usize,
}

impl RowBatch {
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Line and values of each row, in the order of the file.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &csv::ByteRecord)> {
        self.as_slice().iter().map(|(line, row)| (*line, row))
    }

    /// The same as a slice, which threads can share.
    pub(crate) fn as_slice(&self) -> &[(u64, csv::ByteRecord)] {
        &self.rows[..self.len]
    }

    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    /// An empty row to fill, which counts once [`RowBatch::keep`] is called.
    pub(crate) fn next_row(&mut self) -> &mut (u64, csv::ByteRecord) {
        if self.len == self.rows.len() {
            self.rows.push((0, csv::ByteRecord::new()));
        }
        let row = &mut self.rows[self.len];
        row.1.clear();
        row
    }

    /// Counts the row that was filled.
    pub(crate) fn keep(&mut self) {
        self.len += 1;
    }
}

/// A file of rows. Values that are no text stay bytes: whoever understands the row counts them.
pub(crate) trait RowSource: Send {
    /// Names of the columns, trimmed, in the order of the file.
    fn header(&self) -> &[String];

    /// Replaces what `batch` holds with the next rows, at most `max`; fewer only at the end.
    fn read(&mut self, batch: &mut RowBatch, max: usize) -> Result<(), ExtractError>;

    /// Whether the file knows what is a date; such values are written as 1989-12-31, whatever order others have.
    fn has_typed_dates(&self) -> bool {
        false
    }
}

/// Opens a file of any kind that is understood. Columns that are not `wanted` may be left empty, where that is faster.
pub(crate) fn open_rows(
    path: &Path,
    format: &FileFormat,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<Box<dyn RowSource>, ExtractError> {
    let file = path.display().to_string();
    let read_error = |source| ExtractError::Read {
        file: file.clone(),
        source,
    };
    let mut input = File::open(path).map_err(read_error)?;
    let mut bytes = Vec::new();
    Read::by_ref(&mut input)
        .take(detect::START_BYTES)
        .read_to_end(&mut bytes)
        .map_err(read_error)?;
    let start = detect(&bytes).map_err(|refusal| refusal.to_error(&file))?;
    detect::refuse_contradiction(start, format).map_err(|refusal| refusal.to_error(&file))?;
    match start.kind() {
        FileKind::Csv => Ok(Box::new(text_file::TextRows::open(
            file, bytes, input, start, format,
        )?)),
        FileKind::Parquet => Ok(Box::new(parquet_file::ParquetRows::open(file, input, wanted)?)),
        FileKind::Xlsx => Ok(Box::new(spreadsheet::SheetRows::open(
            file,
            input,
            format.sheet.as_deref(),
        )?)),
    }
}
