//! Rows of a Parquet file.

use std::fs::File;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type,
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, TimeUnit};
use bytes::buf::Reader;
use bytes::{Buf as _, Bytes};
use corridor_core::thrift_struct_len;
use jiff::SignedDuration;
use jiff::civil::{Date, DateTime};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{ChunkReader, Length};

use super::{RowBatch, RowSource};
use crate::extract::ExtractError;
use crate::lines::MAX_LINE_BYTES;

/// Rows decoded at a time: few, so that a long value that all of them share does not fill memory.
const DECODED_ROWS: usize = 256;

/// A column of a row group that is larger than this …
const LARGE_BYTES: i64 = 64 << 20;

/// … may unfold to so many times the bytes it has in the file; more is no register.
const MOST_UNFOLDING: i64 = 200;

/// Rows of a Parquet file, counted from 1. Texts, numbers, dates, times and true or false become text; a null is an empty text.
/// Columns that are not wanted stay empty.
pub(super) struct ParquetRows {
    file: String,
    header: Vec<String>,
    reader: ParquetRecordBatchReader,
    /// For each column of the header, which of the decoded ones it is.
    positions: Vec<Option<usize>>,
    /// What writes a value of each decoded column.
    writers: Vec<ValueWriter>,
    decoded_rows: usize,
    next: usize,
    row_number: u64,
    value: Vec<u8>,
}

/// Bytes of the longest header of a page that is read.
const MAX_HEADER_BYTES: u64 = 1 << 20;

/// Bytes at the end of a file that say how long the metadata before them is.
const FOOTER_BYTES: u64 = 8;

/// A file whose metadata and headers the reader may be trusted with ([`thrift_struct_len`]).
struct RegisterFile(File);

impl RegisterFile {
    /// Whether its metadata is such. What is no Parquet file at all is left to the reader.
    fn has_sound_metadata(&self) -> bool {
        let Some(at) = self.0.len().checked_sub(FOOTER_BYTES) else {
            return true;
        };
        let footer = self.0.get_bytes(at, 8).ok();
        let metadata_len = footer.and_then(|footer| Some(u32::from_le_bytes(*footer.first_chunk()?)));
        let metadata = metadata_len.and_then(|len| {
            let start = at.checked_sub(u64::from(len))?;
            self.0.get_bytes(start, usize::try_from(len).ok()?).ok()
        });
        metadata.is_none_or(|bytes| thrift_struct_len(&bytes).is_some())
    }
}

impl Length for RegisterFile {
    fn len(&self) -> u64 {
        self.0.len()
    }
}

impl ChunkReader for RegisterFile {
    type T = Reader<Bytes>;

    fn get_read(&self, start: u64) -> Result<Reader<Bytes>, ParquetError> {
        let left = self.0.len().saturating_sub(start);
        let bytes = self
            .0
            .get_bytes(start, usize::try_from(left.min(MAX_HEADER_BYTES))?)?;
        if left <= FOOTER_BYTES {
            return Ok(bytes.reader());
        }
        match thrift_struct_len(&bytes) {
            Some(len) => Ok(bytes.slice(..len).reader()),
            None => Err(ParquetError::General("the header of a page is none".to_owned())),
        }
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        self.0.get_bytes(start, length)
    }
}

/// Appends the text of a row's value.
type ValueWriter = Box<dyn Fn(usize, &mut Vec<u8>) + Send>;

impl ParquetRows {
    pub(super) fn open(
        file: String,
        input: File,
        wanted: &dyn Fn(&str) -> bool,
    ) -> Result<Self, ExtractError> {
        let input = RegisterFile(input);
        if !input.has_sound_metadata() {
            return Err(damaged(&file, 1));
        }
        let builder = contained(|| ParquetRecordBatchReaderBuilder::try_new(input).ok())
            .ok_or_else(|| damaged(&file, 1))?;
        refuse_absurd(builder.metadata()).map_err(|problem| not_readable(&file, problem))?;
        let fields = builder.schema().fields().clone();
        let header: Vec<String> = fields
            .iter()
            .map(|field| field.name().trim().to_owned())
            .collect();
        let mut positions = vec![None; header.len()];
        let mut roots = Vec::new();
        for (position, field) in fields.iter().enumerate() {
            if wanted(&header[position]) {
                if let Some(problem) = refuse_type(field.data_type()) {
                    return Err(ExtractError::ColumnUnreadable {
                        file,
                        column: header[position].clone(),
                        problem,
                    });
                }
                positions[position] = Some(roots.len());
                roots.push(position);
            }
        }
        let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
        let builder = builder.with_projection(mask).with_batch_size(DECODED_ROWS);
        let reader = contained(|| builder.build().ok()).ok_or_else(|| damaged(&file, 1))?;
        Ok(Self {
            file,
            header,
            reader,
            positions,
            writers: Vec::new(),
            decoded_rows: 0,
            next: 0,
            row_number: 0,
            value: Vec::new(),
        })
    }

    /// Decodes the next rows; `false` at the end.
    fn decode(&mut self) -> Result<bool, ExtractError> {
        let decoded = contained(|| self.reader.next().transpose().ok())
            .ok_or_else(|| damaged(&self.file, self.row_number + 1))?;
        let Some(decoded) = decoded else {
            return Ok(false);
        };
        self.writers = decoded.columns().iter().map(to_writer).collect();
        self.decoded_rows = decoded.num_rows();
        self.next = 0;
        Ok(true)
    }
}

impl RowSource for ParquetRows {
    fn header(&self) -> &[String] {
        &self.header
    }

    fn read(&mut self, batch: &mut RowBatch, max: usize) -> Result<(), ExtractError> {
        batch.clear();
        while batch.len() < max {
            if self.next == self.decoded_rows && !self.decode()? {
                break;
            }
            if self.next == self.decoded_rows {
                continue;
            }
            self.row_number += 1;
            let (line, row) = batch.next_row();
            *line = self.row_number;
            for position in &self.positions {
                self.value.clear();
                if let Some(decoded) = position {
                    self.writers[*decoded](self.next, &mut self.value);
                }
                if self.value.len() > MAX_LINE_BYTES {
                    return Err(ExtractError::NotText {
                        file: self.file.clone(),
                        line: self.row_number,
                        problem: format!("a value longer than {MAX_LINE_BYTES} bytes"),
                    });
                }
                row.push_field(&self.value);
            }
            self.next += 1;
            batch.keep();
        }
        Ok(())
    }

    fn has_typed_dates(&self) -> bool {
        true
    }
}

/// What `read` gives; none where it panicked, as the Parquet reader does on pages that contradict the file's own account
/// of them. Nothing that it held is used again then.
fn contained<T>(read: impl FnOnce() -> Option<T>) -> Option<T> {
    catch_unwind(AssertUnwindSafe(read)).ok().flatten()
}

fn not_readable(file: &str, problem: &str) -> ExtractError {
    ExtractError::NotText {
        file: file.to_owned(),
        line: 1,
        problem: problem.to_owned(),
    }
}

fn damaged(file: &str, row: u64) -> ExtractError {
    ExtractError::NotText {
        file: file.to_owned(),
        line: row,
        problem: "the Parquet file is damaged, cut off or compressed in a way that is not read (read are none, Snappy, \
                  GZIP and Zstandard)"
            .to_owned(),
    }
}

/// Why a file's own account of itself is no register's.
fn refuse_absurd(metadata: &ParquetMetaData) -> Result<(), &'static str> {
    let mut rows = 0_i64;
    for group in metadata.row_groups() {
        if group.num_rows() < 0 {
            return Err("a row group of fewer than no rows");
        }
        rows = rows.saturating_add(group.num_rows());
        for column in group.columns() {
            let unfolded = column.uncompressed_size();
            if unfolded > LARGE_BYTES && unfolded / MOST_UNFOLDING > column.compressed_size() {
                return Err("a column unfolds to more than 200 times its bytes in the file");
            }
        }
    }
    if rows != metadata.file_metadata().num_rows() {
        return Err("the row groups do not add up to the rows of the file");
    }
    Ok(())
}

/// Why values of a type have no text, if so.
#[expect(clippy::wildcard_enum_match_arm, reason = "types to come are not read")]
fn refuse_type(data_type: &DataType) -> Option<&'static str> {
    let readable = match data_type {
        DataType::Timestamp(_, Some(zone)) if offset_seconds(zone).is_none() => {
            return Some("a time in a time zone is on two days; write it as a date");
        }
        DataType::Dictionary(_, values) => return refuse_type(values),
        DataType::Null
        | DataType::Boolean
        | DataType::Date32
        | DataType::Date64
        | DataType::Timestamp(..)
        | DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..)
        | DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View => true,
        other => other.is_integer() || matches!(other, DataType::Float32 | DataType::Float64),
    };
    (!readable).then_some("its values are no texts, numbers or dates")
}

/// Seconds a fixed zone is ahead of UTC.
fn offset_seconds(zone: &str) -> Option<i64> {
    if matches!(zone, "UTC" | "Z" | "Etc/UTC") {
        return Some(0);
    }
    let (sign, digits) = match zone.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = digits.split_once(':')?;
    let seconds = hours.parse::<u16>().ok()? * 60 + minutes.parse::<u16>().ok()?;
    Some(sign * i64::from(seconds) * 60)
}

/// What writes the values of a column, whose type was accepted.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "other types were refused, or are nulls"
)]
fn to_writer(column: &ArrayRef) -> ValueWriter {
    match column.data_type() {
        DataType::Utf8 => texts(column.as_string::<i32>().clone(), |a, row| {
            a.value(row).as_bytes()
        }),
        DataType::LargeUtf8 => texts(column.as_string::<i64>().clone(), |a, row| {
            a.value(row).as_bytes()
        }),
        DataType::Utf8View => texts(column.as_string_view().clone(), |a, row| a.value(row).as_bytes()),
        DataType::Binary => texts(column.as_binary::<i32>().clone(), |a, row| a.value(row)),
        DataType::LargeBinary => texts(column.as_binary::<i64>().clone(), |a, row| a.value(row)),
        DataType::BinaryView => texts(column.as_binary_view().clone(), |a, row| a.value(row)),
        DataType::Boolean => texts(column.as_boolean().clone(), |a, row| {
            if a.value(row) { b"true" } else { b"false" }
        }),
        DataType::Int8 => numbers::<Int8Type>(column),
        DataType::Int16 => numbers::<Int16Type>(column),
        DataType::Int32 => numbers::<Int32Type>(column),
        DataType::Int64 => numbers::<Int64Type>(column),
        DataType::UInt8 => numbers::<UInt8Type>(column),
        DataType::UInt16 => numbers::<UInt16Type>(column),
        DataType::UInt32 => numbers::<UInt32Type>(column),
        DataType::UInt64 => numbers::<UInt64Type>(column),
        DataType::Float32 => numbers::<Float32Type>(column),
        DataType::Float64 => numbers::<Float64Type>(column),
        DataType::Date32 => values::<Date32Type>(column, |_, days, out| write_date(days.into(), out)),
        DataType::Date64 => values::<Date64Type>(column, |_, milliseconds, out| {
            write_date(milliseconds.div_euclid(86_400_000), out);
        }),
        DataType::Decimal32(..) => decimals::<Decimal32Type>(column),
        DataType::Decimal64(..) => decimals::<Decimal64Type>(column),
        DataType::Decimal128(..) => decimals::<Decimal128Type>(column),
        DataType::Decimal256(..) => decimals::<Decimal256Type>(column),
        DataType::Timestamp(unit, zone) => {
            let offset = zone.as_deref().and_then(offset_seconds).unwrap_or(0);
            match unit {
                TimeUnit::Second => times::<TimestampSecondType>(column, 1, offset),
                TimeUnit::Millisecond => times::<TimestampMillisecondType>(column, 1_000, offset),
                TimeUnit::Microsecond => times::<TimestampMicrosecondType>(column, 1_000_000, offset),
                TimeUnit::Nanosecond => times::<TimestampNanosecondType>(column, 1_000_000_000, offset),
            }
        }
        DataType::Dictionary(..) => {
            let dictionary = column.as_any_dictionary();
            let (keys, column) = (dictionary.normalized_keys(), column.clone());
            let write = to_writer(dictionary.values());
            Box::new(move |row, out| {
                if column.is_valid(row) {
                    write(keys[row], out);
                }
            })
        }
        _ => Box::new(|_, _| {}),
    }
}

fn texts<A: Array + 'static>(array: A, value: fn(&A, usize) -> &[u8]) -> ValueWriter {
    Box::new(move |row, out| {
        if array.is_valid(row) {
            out.extend_from_slice(value(&array, row));
        }
    })
}

fn values<T: ArrowPrimitiveType>(
    column: &ArrayRef,
    write: impl Fn(&arrow_array::PrimitiveArray<T>, T::Native, &mut Vec<u8>) + Send + 'static,
) -> ValueWriter {
    let array = column.as_primitive::<T>().clone();
    Box::new(move |row, out| {
        if array.is_valid(row) {
            write(&array, array.value(row), out);
        }
    })
}

/// Numbers; a whole one has no fraction, also where the type could hold one.
fn numbers<T: ArrowPrimitiveType>(column: &ArrayRef) -> ValueWriter
where
    T::Native: std::fmt::Display,
{
    values::<T>(column, |_, number, out| {
        write!(out, "{number}").expect("writing to memory");
    })
}

/// Decimals, without zeros at the end of the fraction.
fn decimals<T: arrow_array::types::DecimalType>(column: &ArrayRef) -> ValueWriter {
    values::<T>(column, |array, number, out| {
        let text = T::format_decimal(number, array.precision(), array.scale());
        let text = match text.split_once('.') {
            Some(_) => text.trim_end_matches('0').trim_end_matches('.'),
            None => &text,
        };
        out.extend_from_slice(text.as_bytes());
    })
}

fn times<T: ArrowPrimitiveType<Native = i64>>(
    column: &ArrayRef,
    per_second: i64,
    offset: i64,
) -> ValueWriter {
    values::<T>(column, move |_, ticks, out| {
        write_time(ticks.div_euclid(per_second).saturating_add(offset), out);
    })
}

/// A day as 1989-12-31; one beyond the calendar as its number, which no order of dates reads.
fn write_date(days_since_1970: i64, out: &mut Vec<u8>) {
    let since = SignedDuration::from_secs(days_since_1970.saturating_mul(86_400));
    match Date::constant(1970, 1, 1).checked_add(since) {
        Ok(date) => write!(out, "{date}"),
        Err(_) => write!(out, "{days_since_1970}"),
    }
    .expect("writing to memory");
}

/// A time as 1989-12-31T23:59:59; midnight as its day.
fn write_time(seconds_since_1970: i64, out: &mut Vec<u8>) {
    if seconds_since_1970.rem_euclid(86_400) == 0 {
        return write_date(seconds_since_1970.div_euclid(86_400), out);
    }
    let time =
        DateTime::constant(1970, 1, 1, 0, 0, 0, 0).checked_add(SignedDuration::from_secs(seconds_since_1970));
    match time {
        Ok(time) => write!(out, "{time}"),
        Err(_) => write!(out, "{seconds_since_1970}"),
    }
    .expect("writing to memory");
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{DictionaryArray, Int32Array, RecordBatch, StringArray};
    use parquet::arrow::ArrowWriter;

    use super::*;

    #[test]
    fn few_rows_are_decoded_at_a_time_however_many_share_a_long_value() {
        // 50,000 rows of one group share a text of 100,000 bytes: 5 GB when decoded at once.
        let values: ArrayRef = Arc::new(StringArray::from(vec!["a".repeat(100_000)]));
        let keys = Int32Array::from(vec![0; 50_000]);
        let names: ArrayRef = Arc::new(DictionaryArray::new(keys, values));
        let batch = RecordBatch::try_from_iter([("name", names)]).unwrap();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        assert!(file.as_file().metadata().unwrap().len() < 1 << 20);
        let input = file.reopen().unwrap();
        let mut rows = ParquetRows::open("a.parquet".to_owned(), input, &|_| true).unwrap();
        let mut batch = RowBatch::default();
        for first in [1, 101, 201] {
            rows.read(&mut batch, 100).unwrap();
            let (row, values) = batch.iter().next().unwrap();
            assert_eq!((batch.len(), row, values[0].len()), (100, first, 100_000));
            assert!(rows.decoded_rows <= DECODED_ROWS);
        }
    }

    #[test]
    fn times_and_dates_are_the_day_they_say() {
        let date = |days| {
            let mut out = Vec::new();
            write_date(days, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            (date(0).as_str(), date(-1).as_str()),
            ("1970-01-01", "1969-12-31")
        );
        assert_eq!(date(i64::MAX), i64::MAX.to_string(), "beyond the calendar");
        let time = |seconds| {
            let mut out = Vec::new();
            write_time(seconds, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            (time(86_400).as_str(), time(-1).as_str()),
            ("1970-01-02", "1969-12-31T23:59:59")
        );
        assert_eq!(offset_seconds("+05:30"), Some(19_800));
        assert_eq!(offset_seconds("Africa/Tunis"), None);
    }
}
