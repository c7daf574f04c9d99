//! Rows of a CSV file.

use std::fs::File;
use std::io::{self, Read};

use super::{Decoded, RowBatch, RowSource, Start};
use crate::extract::ExtractError;
use crate::lines::{LimitedLines, LineTooLong, MAX_LINE_BYTES};
use crate::mapping::FileFormat;

/// Lines a row can span where the mapping says that values hold line breaks; more is a quote that was never closed, which
/// would swallow rows.
const MAX_ROW_LINES: u64 = 20;

/// Bytes parsed at a time.
const BUFFER_BYTES: usize = 1 << 16;

type Input = Decoded<io::Chain<io::Cursor<Vec<u8>>, File>>;

/// Rows of a text file. A mark at its beginning is skipped, and blank lines are.
pub(super) struct TextRows {
    file: String,
    reader: csv::Reader<LimitedLines<Input>>,
    header: Vec<String>,
    most_lines: u64,
}

impl TextRows {
    /// Goes on reading a file whose first bytes were already taken.
    pub(super) fn open(
        file: String,
        mut first_bytes: Vec<u8>,
        rest: File,
        start: Start,
        format: &FileFormat,
    ) -> Result<Self, ExtractError> {
        first_bytes.drain(..start.mark_bytes());
        let input = io::Cursor::new(first_bytes).chain(rest);
        let mut builder = csv::ReaderBuilder::new();
        builder
            .delimiter(u8::try_from(format.delimiter).unwrap_or(b','))
            .flexible(true)
            .buffer_capacity(BUFFER_BYTES);
        match format.quote {
            Some(quote) => builder.quote(u8::try_from(quote).unwrap_or(b'"')),
            None => builder.quoting(false),
        };
        let mut reader = builder.from_reader(LimitedLines::new(Decoded::new(input, start, format.encoding)));
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

impl RowSource for TextRows {
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
        "the header is no text in UTF-8 or in the encoding declared; declare file.encoding, or save the file as UTF-8"
    } else {
        "not CSV"
    };
    ExtractError::NotText {
        file,
        line,
        problem: problem.to_owned(),
    }
}
