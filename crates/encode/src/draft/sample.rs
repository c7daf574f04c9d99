//! The first rows of a file of any kind, and how it is written.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use super::find_key;
use super::words::MISSING;
use crate::extract::ExtractError;
use crate::mapping::{FileFormat, FileKind, TextEncoding};
use crate::rows::{Decoded, RowBatch, Start, detect, open_rows};

/// Bytes of a text file whose encoding and delimiter are looked for.
const SAMPLE_BYTES: u64 = 1 << 20;

/// Rows a draft looks at.
const SAMPLE_ROWS: usize = 5_000;

/// Most different values a column of codes can have.
const MAX_CODES: usize = 20;

/// The first rows of a file.
pub(super) struct Sample {
    pub(super) kind: FileKind,
    pub(super) format: FileFormat,
    pub(super) header: Vec<String>,
    rows: Vec<Vec<String>>,
    /// Words of [`MISSING`] that are values.
    missing: Vec<&'static str>,
}

impl Sample {
    pub(super) fn read(path: &Path) -> Result<Self, ExtractError> {
        let file = path.display().to_string();
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|input| input.take(SAMPLE_BYTES).read_to_end(&mut bytes))
            .map_err(|source| ExtractError::Read {
                file: file.clone(),
                source,
            })?;
        let start = detect(&bytes).map_err(|refusal| refusal.to_error(&file))?;
        let mut format = FileFormat::default();
        if start.kind() == FileKind::Csv {
            format.encoding = guess_encoding(start, &bytes);
            format.delimiter = guess_delimiter(start, format.encoding, &bytes[start.mark_bytes()..]);
            // Lenient here; whether they are there is told below.
            format.multiline = true;
        }
        let mut source = open_rows(path, &format, &|name| find_key(name).is_some())?;
        let header = source.header().to_vec();
        let mut batch = RowBatch::default();
        source.read(&mut batch, SAMPLE_ROWS)?;
        let rows: Vec<Vec<String>> = batch
            .iter()
            .map(|(_, row)| {
                row.iter()
                    .map(|value| String::from_utf8_lossy(value).trim().to_owned())
                    .collect()
            })
            .collect();
        let has = |found: &dyn Fn(&str) -> bool| rows.iter().flatten().any(|value| found(value));
        format.multiline = has(&|value| value.contains('\n'));
        let missing = MISSING
            .iter()
            .copied()
            .filter(|word| has(&|value| value == *word))
            .collect();
        Ok(Self {
            kind: start.kind(),
            format,
            header,
            rows,
            missing,
        })
    }

    /// Values of a column, besides those that seem to stand for none.
    pub(super) fn values(&self, column: usize) -> impl Iterator<Item = &str> {
        self.rows
            .iter()
            .filter_map(move |row| row.get(column))
            .map(String::as_str)
            .filter(|value| !value.is_empty() && !self.missing.contains(value))
    }

    /// Words that seem to stand for "no value".
    pub(super) fn missing(&self) -> &[&'static str] {
        &self.missing
    }

    /// Different values of a column of codes; `None` when it has too many to be one.
    pub(super) fn codes(&self, column: usize) -> Option<Vec<&str>> {
        let mut codes: Vec<&str> = Vec::new();
        for value in self.values(column) {
            if !codes.contains(&value) {
                codes.push(value);
            }
            if codes.len() > MAX_CODES {
                return None;
            }
        }
        codes.sort_unstable();
        Some(codes)
    }
}

/// The encoding of a text, where it has to be declared. Arabic is written in runs of bytes above 0x7f; accents of Latin script
/// stand alone.
fn guess_encoding(start: Start, bytes: &[u8]) -> Option<TextEncoding> {
    let is_utf8 = match std::str::from_utf8(bytes) {
        Ok(_) => true,
        // A character may be cut at the end of the sample.
        Err(error) => error.error_len().is_none(),
    };
    if start != Start::Text || is_utf8 {
        return None;
    }
    let high = bytes.iter().filter(|byte| !byte.is_ascii()).count();
    let in_runs = bytes
        .windows(2)
        .filter(|pair| pair.iter().all(|byte| !byte.is_ascii()))
        .count();
    Some(if in_runs * 2 > high {
        TextEncoding::Windows1256
    } else {
        TextEncoding::Windows1252
    })
}

/// What stands most often in the first line.
fn guess_delimiter(start: Start, encoding: Option<TextEncoding>, bytes: &[u8]) -> char {
    let mut text = Vec::new();
    // Reading from memory does not fail.
    drop(Decoded::new(bytes, start, encoding).read_to_end(&mut text));
    let first_line = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
    [',', ';', '\t', '|']
        .into_iter()
        .rev()
        .max_by_key(|&candidate| {
            let mark = u8::try_from(candidate).unwrap_or(b',');
            memchr::memchr_iter(mark, first_line).count()
        })
        .unwrap_or(',')
}
