use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{Date32Builder, FixedSizeBinaryBuilder, StringBuilder, UInt8Builder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use corridor_core::{
    Digest, EncodedDataset, MigrationEvent, Pseudonym, SEAL_TAIL_BYTES, column, find_seal, metadata,
};
use jiff::civil::Date;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use crate::encoder::PseudonymList;

/// A dataset or pseudonym list that cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// There is a file already.
    #[error("{file} exists already")]
    Exists {
        /// The file.
        file: String,
    },
    /// The file system.
    #[error("cannot write {file}")]
    Io {
        /// The file.
        file: String,
        /// Why.
        source: io::Error,
    },
}

/// Records written at a time.
const ROWS_PER_GROUP: usize = 65_536;

/// Writes a dataset as a Parquet file: the columns of [`corridor_core::column`], the metadata of
/// [`corridor_core::metadata`], uncompressed (filters are random bits), and sealed, so that a byte altered or
/// cut off anywhere is found. The same dataset gives the same bytes. Returns the digest of the file.
///
/// # Errors
/// When the file exists or cannot be written whole; then nothing is left behind.
pub fn write_dataset(dataset: &EncodedDataset, path: &Path) -> Result<Digest, WriteError> {
    write_new(path, |file| {
        write_parquet(dataset, &mut *file)?;
        seal(file.as_file_mut())
    })
}

/// Writes which record of the office is which of the dataset: CSV with `record_id` and `record`, in the
/// dataset's order. It stays in the office.
///
/// # Errors
/// When the file exists or cannot be written whole; then nothing is left behind.
pub fn write_pseudonyms(
    dataset: &EncodedDataset,
    list: &PseudonymList,
    path: &Path,
) -> Result<(), WriteError> {
    write_new(path, |file| {
        let mut writer = csv::Writer::from_writer(BufWriter::new(&mut *file));
        writer.write_record(["record_id", "record"])?;
        for (record_id, record) in list.iter().zip(&dataset.records) {
            writer.write_record([record_id, &record.to_hex()])?;
        }
        writer.flush()
    })
}

/// Writes a new file through a temporary one beside it, which is gone whatever happens.
fn write_new<T>(
    path: &Path,
    write: impl FnOnce(&mut NamedTempFile) -> io::Result<T>,
) -> Result<T, WriteError> {
    let io_error = |source| WriteError::Io {
        file: path.display().to_string(),
        source,
    };
    if path.exists() {
        return Err(WriteError::Exists {
            file: path.display().to_string(),
        });
    }
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let mut file = NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).map_err(io_error)?;
    let written = write(&mut file).map_err(io_error)?;
    file.as_file().sync_all().map_err(io_error)?;
    file.persist_noclobber(path)
        .map_err(|error| io_error(error.error))?;
    Ok(written)
}

fn write_parquet(dataset: &EncodedDataset, output: impl Write + Send) -> io::Result<()> {
    let manifest = &dataset.manifest;
    let pair = |key: &str, value: String| KeyValue::new(key.to_owned(), value);
    let properties = WriterProperties::builder()
        .set_created_by("corridor".to_owned())
        .set_statistics_enabled(EnabledStatistics::None)
        .set_dictionary_enabled(false)
        .set_key_value_metadata(Some(vec![
            pair(metadata::FORMAT, metadata::FORMAT_1.to_owned()),
            pair(metadata::AGREEMENT, manifest.agreement.to_string()),
            pair(metadata::SCHEMA, manifest.schema.to_string()),
            pair(metadata::OFFICE, manifest.office.to_string()),
            pair(metadata::MEASURE, manifest.measure.as_str().to_owned()),
            pair(metadata::RECORDS, manifest.record_count.to_string()),
            pair(metadata::KEY_CHECK, manifest.key_check.to_string()),
            pair(metadata::SEAL, metadata::SEAL_BLANK.to_owned()),
        ]))
        .build();
    let schema = Arc::new(to_schema(dataset));
    let options = ArrowWriterOptions::new()
        .with_properties(properties)
        .with_skip_arrow_metadata(true);
    let mut writer =
        ArrowWriter::try_new_with_options(output, schema.clone(), options).map_err(io::Error::other)?;
    for start in (0..dataset.records.len()).step_by(ROWS_PER_GROUP) {
        let end = (start + ROWS_PER_GROUP).min(dataset.records.len());
        let batch = to_batch(dataset, &schema, start..end);
        writer.write(&batch).map_err(io::Error::other)?;
        writer.flush().map_err(io::Error::other)?;
    }
    writer.close().map_err(io::Error::other)?;
    Ok(())
}

fn to_schema(dataset: &EncodedDataset) -> Schema {
    let filter_bytes = i32::try_from(dataset.filters.filter_len().to_bytes()).expect("at most 512");
    let mut fields = vec![
        Field::new(column::RECORD, DataType::FixedSizeBinary(16), false),
        Field::new(column::PERSON, DataType::FixedSizeBinary(16), false),
        Field::new(column::FILTER, DataType::FixedSizeBinary(filter_bytes), false),
    ];
    if dataset.events.is_some() {
        fields.extend([
            Field::new(column::DIRECTION, DataType::Utf8, false),
            Field::new(column::COUNTERPART, DataType::Utf8, false),
            Field::new(column::EVENT_DATE, DataType::Date32, false),
            Field::new(column::DATE_PRECISION, DataType::Utf8, false),
            Field::new(column::SEX, DataType::Utf8, false),
            Field::new(column::AGE_BAND, DataType::UInt8, true),
        ]);
    }
    Schema::new(fields)
}

fn to_batch(dataset: &EncodedDataset, schema: &Arc<Schema>, rows: std::ops::Range<usize>) -> RecordBatch {
    let pseudonyms = |values: &[Pseudonym]| -> ArrayRef {
        let mut builder = FixedSizeBinaryBuilder::with_capacity(values.len(), 16);
        for value in values {
            builder.append_value(value.as_bytes()).expect("16 bytes");
        }
        Arc::new(builder.finish())
    };
    let filter_bytes = dataset.filters.filter_len().to_bytes();
    let mut filters =
        FixedSizeBinaryBuilder::with_capacity(rows.len(), i32::try_from(filter_bytes).expect("at most 512"));
    for row in rows.clone() {
        filters
            .append_value(dataset.filters.row_to_bytes(row))
            .expect("as many bytes as the schema says");
    }
    let mut columns = vec![
        pseudonyms(&dataset.records[rows.clone()]),
        pseudonyms(&dataset.persons[rows.clone()]),
        Arc::new(filters.finish()) as ArrayRef,
    ];
    if let Some(events) = &dataset.events {
        columns.extend(event_columns(&events[rows]));
    }
    RecordBatch::try_new(schema.clone(), columns).expect("columns are made for this schema")
}

fn event_columns(events: &[MigrationEvent]) -> [ArrayRef; 6] {
    let words = |word: fn(&MigrationEvent) -> &'static str| -> ArrayRef {
        let mut builder = StringBuilder::new();
        events.iter().for_each(|event| builder.append_value(word(event)));
        Arc::new(builder.finish())
    };
    let mut dates = Date32Builder::with_capacity(events.len());
    let mut bands = UInt8Builder::with_capacity(events.len());
    for event in events {
        dates.append_value(days_since_1970(event.date.date));
        bands.append_option(event.age_band.map(|band| band.0));
    }
    [
        words(|event| event.direction.as_str()),
        words(|event| event.counterpart.as_str()),
        Arc::new(dates.finish()),
        words(|event| event.date.precision.as_str()),
        words(|event| event.sex.as_str()),
        Arc::new(bands.finish()),
    ]
}

fn days_since_1970(date: Date) -> i32 {
    jiff::civil::date(1970, 1, 1)
        .until(date)
        .expect("two civil dates are within the range of a span")
        .get_days()
}

/// Puts the digest of the file with a blank seal in place of the blank. Returns the digest of the result.
fn seal(file: &mut File) -> io::Result<Digest> {
    let len = file.seek(SeekFrom::End(0))?;
    let tail_len = usize::try_from(len).map_or(SEAL_TAIL_BYTES, |len| len.min(SEAL_TAIL_BYTES));
    let tail_start = len - u64::try_from(tail_len).expect("at most the tail");
    let mut tail = vec![0; tail_len];
    file.seek(SeekFrom::Start(tail_start))?;
    file.read_exact(&mut tail)?;
    let offset = find_seal(&tail).ok_or_else(|| io::Error::other("the seal was not written"))?;
    let seal = hash(file)?;
    file.seek(SeekFrom::Start(
        tail_start + u64::try_from(offset).expect("within the tail"),
    ))?;
    file.write_all(seal.to_string().as_bytes())?;
    hash(file)
}

fn hash(file: &mut File) -> io::Result<Digest> {
    file.seek(SeekFrom::Start(0))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let len = file.read(&mut buffer)?;
        if len == 0 {
            return Ok(Digest::from_bytes(hasher.finalize().into()));
        }
        hasher.update(&buffer[..len]);
    }
}
