//! The rows of a file as texts, whatever the file is.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use crate::extract::ExtractError;
use crate::lines::{LimitedLines, LineTooLong, MAX_LINE_BYTES};
use crate::mapping::FileFormat;

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
}

/// Opens a file of any kind that is understood.
pub(crate) fn open_rows(path: &Path, format: &FileFormat) -> Result<Box<dyn RowSource>, ExtractError> {
    Ok(Box::new(CsvRows::open(path, format)?))
}

/// Lines a row can span where the mapping says that values hold line breaks; more is a quote that was never closed, which
/// would swallow rows.
const MAX_ROW_LINES: u64 = 20;

/// Rows of a CSV file in UTF-8. A byte-order mark is skipped.
struct CsvRows {
    file: String,
    reader: csv::Reader<LimitedLines<Box<dyn Read + Send>>>,
    header: Vec<String>,
    most_lines: u64,
}

impl CsvRows {
    fn open(path: &Path, format: &FileFormat) -> Result<Self, ExtractError> {
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
            .delimiter(u8::try_from(format.delimiter).unwrap_or(b','))
            .flexible(true)
            .from_reader(LimitedLines::new(input));
        let header: Vec<String> = reader
            .headers()
            .map_err(|error| read_failure(&file, error))?
            .iter()
            .map(|name| name.trim().to_owned())
            .collect();
        if header.iter().all(String::is_empty) {
            return Err(ExtractError::Empty {
                file,
                problem: "its first line is blank",
            });
        }
        let most_lines = if format.multiline { MAX_ROW_LINES } else { 1 };
        Ok(Self {
            file,
            reader,
            header,
            most_lines,
        })
    }
}

impl RowSource for CsvRows {
    fn header(&self) -> &[String] {
        &self.header
    }

    fn read(&mut self, batch: &mut RowBatch, max: usize) -> Result<(), ExtractError> {
        batch.clear();
        while batch.len() < max {
            let (row_line, row) = batch.next_row();
            let more = self
                .reader
                .read_byte_record(row)
                .map_err(|error| read_failure(&self.file, error))?;
            if !more {
                break;
            }
            let line = row.position().map_or(0, csv::Position::line);
            *row_line = line;
            // A quote that stands astray would otherwise swallow the rows up to the next one.
            if self.reader.position().line().saturating_sub(line) > self.most_lines {
                return Err(ExtractError::NotText {
                    file: self.file.clone(),
                    line,
                    problem: format!(
                        "a row of more than {} line{} begins here; is a quote not closed?",
                        self.most_lines,
                        if self.most_lines == 1 { "" } else { "s" }
                    ),
                });
            }
            batch.keep();
        }
        Ok(())
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
