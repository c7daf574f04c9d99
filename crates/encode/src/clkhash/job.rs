use std::io::{Read, Write};
use std::sync::Mutex;

use rayon::prelude::*;
use serde::Serialize;

use super::base64;
use super::encoder::{FeatureEncoders, Memory};
use super::error::ClkError;
use super::hash::{fold, words_of};
use super::keys::{ClkSecret, KeyPairs};
use super::rows::{RowReader, Rows};
use super::schema::ClkSchema;

/// What the first row of a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClkHeader {
    /// A person.
    Absent,
    /// The names of the columns, which must be the identifiers of the schema's features in their order.
    #[default]
    Checked,
    /// Names of columns, whatever they are.
    Ignored,
}

/// How a file is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClkOptions {
    /// What its first row is.
    pub header: ClkHeader,
    /// Whether values are checked against the formats of the schema. Integers and dates that are none are refused in
    /// any case.
    pub validate: bool,
}

impl Default for ClkOptions {
    fn default() -> Self {
        Self {
            header: ClkHeader::Checked,
            validate: true,
        }
    }
}

/// What was encoded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClkReport {
    /// Records encoded.
    pub records_encoded: u64,
    /// Bits of every encoding.
    pub filter_bits: usize,
    /// What clkhash ignores in the schema or the file, and therefore was ignored.
    pub notes: Vec<String>,
}

/// Rows split before they are encoded together.
const ROWS_PER_BATCH: usize = 8192;

/// Rows one thread encodes without asking.
const ROWS_PER_PIECE: usize = 256;

/// Encodes every row of a CSV file and writes what anonlink-client writes with clkhash 0.18.3: `{"clks": ["…", "…"]}`, one
/// encoding a row in base64, in the order of the rows. Rows are read, encoded on the threads of the current pool, and
/// written as they come, so that memory does not grow with their number. `on_rows` is told how many were written.
///
/// # Errors
/// When the file, its header, a row or a value is one that clkhash refuses, or cannot be read or written. What was written
/// until then is of no use.
pub fn encode_clks<R: Read + Send, W: Write + Send>(
    input: R,
    schema: &ClkSchema,
    secret: &ClkSecret,
    options: ClkOptions,
    output: W,
    on_rows: &(dyn Fn(u64) + Sync),
) -> Result<ClkReport, ClkError> {
    let keys = KeyPairs::derive(secret, &schema.kdf, schema.features.len());
    let job = Job {
        schema,
        encoders: FeatureEncoders::new(schema, &keys),
        validate: options.validate,
        memories: Mutex::new(Vec::new()),
    };
    let mut reader = RowReader::new(input);
    let mut rows = Rows::default();
    let mut spare = Rows::default();
    if options.header != ClkHeader::Absent {
        reader.read(&mut rows, 1)?;
        check_header(&rows, schema, options.header, reader.has_byte_order_mark())?;
    }
    let mut writer = Writer::begin(output)?;
    reader.read(&mut rows, ROWS_PER_BATCH)?;
    let mut encoded: Vec<Piece> = Vec::new();
    while rows.len() > 0 {
        // The next rows are read and those before written while these are encoded.
        let (turn, pieces) = rayon::join(
            || {
                writer.write(&encoded, on_rows)?;
                reader.read(&mut spare, ROWS_PER_BATCH)
            },
            || job.encode(&rows),
        );
        encoded = pieces?;
        turn?;
        std::mem::swap(&mut rows, &mut spare);
    }
    writer.write(&encoded, on_rows)?;
    let records = writer.finish()?;
    let mut notes = schema.notes().to_vec();
    if reader.has_byte_order_mark() && options.header == ClkHeader::Absent {
        notes.push(
            "the file begins with a byte order mark, which is part of the first value, as with clkhash"
                .to_owned(),
        );
    }
    Ok(ClkReport {
        records_encoded: records,
        filter_bits: schema.len_bits,
        notes,
    })
}

fn check_header(rows: &Rows, schema: &ClkSchema, header: ClkHeader, mark: bool) -> Result<(), ClkError> {
    if rows.len() == 0 {
        return Err(ClkError::Empty);
    }
    if header == ClkHeader::Ignored {
        return Ok(());
    }
    let (line, columns) = rows.row(0);
    if columns.len() != schema.features.len() {
        return Err(ClkError::HeaderLength {
            line,
            expected: schema.features.len(),
            got: columns.len(),
        });
    }
    for (index, (column, feature)) in columns.zip(&schema.features).enumerate() {
        if column != feature.identifier {
            return Err(ClkError::Header {
                line,
                column: index + 1,
                expected: feature.identifier.clone(),
                byte_order_mark: mark && index == 0,
            });
        }
    }
    Ok(())
}

/// Encodings of consecutive rows.
struct Piece {
    /// Each as `, "base64"`.
    json: Vec<u8>,
    records: u64,
}

struct Job<'a> {
    schema: &'a ClkSchema,
    encoders: FeatureEncoders<'a>,
    validate: bool,
    /// Memories of threads that are not encoding.
    memories: Mutex<Vec<Memory>>,
}

impl Job<'_> {
    /// Encodes rows; the error is that of the first row that has one.
    fn encode(&self, rows: &Rows) -> Result<Vec<Piece>, ClkError> {
        let pieces: Vec<Result<Piece, ClkError>> = (0..rows.len().div_ceil(ROWS_PER_PIECE))
            .into_par_iter()
            .map(|piece| {
                let kept = self.memories.lock().ok().and_then(|mut kept| kept.pop());
                let mut memory = kept.unwrap_or_else(|| Memory::new(self.schema));
                let first = piece * ROWS_PER_PIECE;
                let last = (first + ROWS_PER_PIECE).min(rows.len());
                let outcome = self.encode_piece(rows, first..last, &mut memory);
                if let Ok(mut kept) = self.memories.lock() {
                    kept.push(memory);
                }
                outcome
            })
            .collect();
        pieces.into_iter().collect()
    }

    fn encode_piece(
        &self,
        rows: &Rows,
        range: std::ops::Range<usize>,
        memory: &mut Memory,
    ) -> Result<Piece, ClkError> {
        let schema = self.schema;
        let bytes_each = schema.len_bits.div_ceil(8);
        let mut piece = Piece {
            json: Vec::with_capacity(range.len() * (bytes_each.div_ceil(3) * 4 + 4)),
            records: range.len() as u64,
        };
        let mut words = vec![0_u64; words_of(schema.unfolded_bits)];
        let folds = schema.unfolded_bits != schema.len_bits;
        let mut folded = vec![0_u64; words_of(schema.len_bits)];
        let mut bytes = vec![0_u8; folded.len() * 8];
        for index in range {
            let (line, fields) = rows.row(index);
            if fields.len() != schema.features.len() {
                return Err(ClkError::RowLength {
                    line,
                    expected: schema.features.len(),
                    got: fields.len(),
                });
            }
            words.fill(0);
            for (column, value) in fields.enumerate() {
                let checked = if self.validate {
                    self.encoders.check(column, value, memory)
                } else {
                    Ok(())
                };
                checked
                    .and_then(|()| self.encoders.encode(column, value, memory, &mut words))
                    .map_err(|problem| ClkError::Value {
                        line,
                        column: schema.features[column].identifier.clone(),
                        problem,
                    })?;
            }
            let filter = if folds {
                fold(&words, schema.len_bits, &mut folded);
                &folded
            } else {
                &words
            };
            for (bytes, word) in bytes.chunks_exact_mut(8).zip(filter) {
                bytes.copy_from_slice(&word.to_be_bytes());
            }
            piece.json.extend_from_slice(b", \"");
            base64::append(&bytes[..bytes_each], &mut piece.json);
            piece.json.push(b'"');
        }
        Ok(piece)
    }
}

/// Writes encodings as Python's `json.dump` writes them.
struct Writer<W> {
    output: W,
    records: u64,
}

impl<W: Write> Writer<W> {
    fn begin(mut output: W) -> Result<Self, ClkError> {
        output.write_all(b"{\"clks\": [").map_err(ClkError::Write)?;
        Ok(Self { output, records: 0 })
    }

    fn write(&mut self, pieces: &[Piece], on_rows: &(dyn Fn(u64) + Sync)) -> Result<(), ClkError> {
        for piece in pieces {
            let skip = if self.records == 0 { 2 } else { 0 };
            self.output
                .write_all(&piece.json[skip..])
                .map_err(ClkError::Write)?;
            self.records += piece.records;
        }
        on_rows(self.records);
        Ok(())
    }

    fn finish(mut self) -> Result<u64, ClkError> {
        self.output
            .write_all(b"]}")
            .and_then(|()| self.output.flush())
            .map_err(ClkError::Write)?;
        Ok(self.records)
    }
}
