use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::builder::{Date32Builder, FixedSizeBinaryBuilder, StringBuilder, UInt8Builder};
use arrow_array::{ArrayRef, FixedSizeBinaryArray, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use corridor_core::{
    BlockKey, DatasetManifest, Digest, EncodedDataset, FilterLen, MigrationEvent, Pseudonym, SEAL_TAIL_BYTES,
    column, find_seal, metadata,
};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use crate::encoder::PseudonymList;
use crate::row::{EncodedRow, days_since_1970};

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
    let mut file = NewFile::create(path)?;
    let has_events = dataset.events.is_some();
    let passes: Vec<&str> = dataset.blocks.iter().map(|column| column.pass.as_str()).collect();
    let mut block_keys = Vec::with_capacity(passes.len());
    let hash = file.hash()?;
    let mut writer = DatasetWriter::new(
        &mut file,
        &dataset.manifest,
        dataset.filters.filter_len(),
        &passes,
        has_events,
    )?;
    for (row, &record) in dataset.records.iter().enumerate() {
        block_keys.clear();
        block_keys.extend(dataset.blocks.iter().map(|column| column.keys[row]));
        let encoded = EncodedRow {
            record,
            line: 0,
            person: dataset.persons[row],
            event: dataset.events.as_ref().map(|events| events[row]),
            block_keys: &[],
            filter: &dataset.filters.row_to_bytes(row),
            record_id: "",
        };
        writer.push(&encoded, &block_keys)?;
    }
    let digest = writer.finish(hash)?;
    file.persist()?;
    Ok(digest)
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
    let mut file = NewFile::create(path)?;
    let mut writer = PseudonymWriter::new(&mut file)?;
    for (record_id, record) in list.iter().zip(&dataset.records) {
        writer.push(record_id, record)?;
    }
    writer.finish()?;
    file.persist()
}

/// A file in the making: a temporary one beside it, which is gone whatever happens unless it gets its name.
pub(crate) struct NewFile {
    path: PathBuf,
    file: NamedTempFile,
}

impl NewFile {
    /// # Errors
    /// When there is a file of that name, or the folder cannot be written to.
    pub(crate) fn create(path: &Path) -> Result<Self, WriteError> {
        if path.exists() {
            return Err(WriteError::Exists {
                file: path.display().to_string(),
            });
        }
        let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let file =
            NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).map_err(|source| WriteError::Io {
                file: path.display().to_string(),
                source,
            })?;
        Ok(Self {
            path: path.to_owned(),
            file,
        })
    }

    /// Gives the file its name, once its bytes are on the disk.
    pub(crate) fn persist(self) -> Result<(), WriteError> {
        self.file
            .as_file()
            .sync_all()
            .map_err(|source| self.error(source))?;
        let path = self.path;
        self.file
            .persist_noclobber(&path)
            .map_err(|error| WriteError::Io {
                file: path.display().to_string(),
                source: error.error,
            })?;
        Ok(())
    }

    /// A hash of the file that is yet empty.
    pub(crate) fn hash(&self) -> Result<GrowingHash, WriteError> {
        let file = self.file.reopen().map_err(|source| self.error(source))?;
        Ok(GrowingHash {
            path: self.path.clone(),
            file,
            hasher: Sha256::new(),
        })
    }

    fn error(&self, source: io::Error) -> WriteError {
        WriteError::Io {
            file: self.path.display().to_string(),
            source,
        }
    }
}

/// Writes a pseudonym list row by row.
pub(crate) struct PseudonymWriter<'f> {
    path: &'f Path,
    writer: csv::Writer<BufWriter<&'f mut NamedTempFile>>,
}

impl<'f> PseudonymWriter<'f> {
    pub(crate) fn new(file: &'f mut NewFile) -> Result<Self, WriteError> {
        let mut writer = Self {
            path: &file.path,
            writer: csv::Writer::from_writer(BufWriter::new(&mut file.file)),
        };
        writer.write(["record_id", "record"])?;
        Ok(writer)
    }

    pub(crate) fn push(&mut self, record_id: &str, record: &Pseudonym) -> Result<(), WriteError> {
        self.write([record_id, &record.to_hex()])
    }

    fn write(&mut self, row: [&str; 2]) -> Result<(), WriteError> {
        self.writer
            .write_record(row)
            .map_err(|error| write_error(self.path, error.into()))
    }

    pub(crate) fn finish(mut self) -> Result<(), WriteError> {
        self.writer.flush().map_err(|error| write_error(self.path, error))
    }
}

fn write_error(path: &Path, source: io::Error) -> WriteError {
    WriteError::Io {
        file: path.display().to_string(),
        source,
    }
}

/// Writes a dataset file row by row; see [`write_dataset`].
pub(crate) struct DatasetWriter<'f> {
    path: &'f Path,
    writer: ArrowWriter<&'f mut NamedTempFile>,
    schema: Arc<Schema>,
    filter_bytes: usize,
    has_events: bool,
    manifest: DatasetManifest,
    rows: RowBuilders,
}

/// A group of rows in columns.
struct RowBuilders {
    len: usize,
    records: Vec<u8>,
    persons: Vec<u8>,
    filters: Vec<u8>,
    blocks: Vec<FixedSizeBinaryBuilder>,
    events: Vec<MigrationEvent>,
}

impl<'f> DatasetWriter<'f> {
    pub(crate) fn new(
        file: &'f mut NewFile,
        manifest: &DatasetManifest,
        filter_len: FilterLen,
        passes: &[&str],
        has_events: bool,
    ) -> Result<Self, WriteError> {
        let schema = Arc::new(to_schema(filter_len, passes, has_events));
        let properties = WriterProperties::builder()
            .set_created_by("corridor".to_owned())
            .set_statistics_enabled(EnabledStatistics::None)
            .set_dictionary_enabled(false)
            .build();
        let options = ArrowWriterOptions::new()
            .with_properties(properties)
            .with_skip_arrow_metadata(true);
        let path = &file.path;
        let writer = ArrowWriter::try_new_with_options(&mut file.file, schema.clone(), options)
            .map_err(|error| write_error(path, io::Error::other(error)))?;
        Ok(Self {
            path,
            writer,
            schema,
            filter_bytes: filter_len.to_bytes(),
            has_events,
            manifest: manifest.clone(),
            rows: RowBuilders {
                len: 0,
                records: Vec::new(),
                persons: Vec::new(),
                filters: Vec::new(),
                blocks: passes
                    .iter()
                    .map(|_| FixedSizeBinaryBuilder::new(BLOCK_BYTES))
                    .collect(),
                events: Vec::new(),
            },
        })
    }

    /// Appends a row and its published block keys; rows come in the order of their pseudonyms.
    pub(crate) fn push(
        &mut self,
        row: &EncodedRow<'_>,
        block_keys: &[Option<BlockKey>],
    ) -> Result<(), WriteError> {
        let rows = &mut self.rows;
        rows.records.extend_from_slice(row.record.as_bytes());
        rows.persons.extend_from_slice(row.person.as_bytes());
        rows.filters.extend_from_slice(row.filter);
        for (column, key) in rows.blocks.iter_mut().zip(block_keys) {
            match key {
                Some(key) => column.append_value(key.to_bytes()).expect("17 bytes"),
                None => column.append_null(),
            }
        }
        if self.has_events {
            rows.events.extend(row.event);
        }
        rows.len += 1;
        if rows.len == ROWS_PER_GROUP {
            self.write_group()?;
        }
        Ok(())
    }

    fn write_group(&mut self) -> Result<(), WriteError> {
        let bytes = |values: Vec<u8>, size: usize| -> ArrayRef {
            let size = i32::try_from(size).expect("at most 512");
            Arc::new(FixedSizeBinaryArray::new(size, values.into(), None))
        };
        let take = |values: &mut Vec<u8>| {
            let capacity = values.capacity();
            std::mem::replace(values, Vec::with_capacity(capacity))
        };
        let rows = &mut self.rows;
        let mut columns = vec![
            bytes(take(&mut rows.records), 16),
            bytes(take(&mut rows.persons), 16),
            bytes(take(&mut rows.filters), self.filter_bytes),
        ];
        columns.extend(
            rows.blocks
                .iter_mut()
                .map(|column| Arc::new(column.finish()) as ArrayRef),
        );
        if self.has_events {
            columns.extend(event_columns(&rows.events));
            rows.events.clear();
        }
        rows.len = 0;
        let batch =
            RecordBatch::try_new(self.schema.clone(), columns).expect("columns are made for this schema");
        self.writer
            .write(&batch)
            .and_then(|()| self.writer.flush())
            .map_err(|error| write_error(self.path, io::Error::other(error)))
    }

    /// Writes what is left and the metadata, and seals the file, of which `hash` has the beginning. Returns its digest.
    pub(crate) fn finish(mut self, hash: GrowingHash) -> Result<Digest, WriteError> {
        if self.rows.len > 0 {
            self.write_group()?;
        }
        let manifest = &self.manifest;
        for (key, value) in [
            (metadata::FORMAT, metadata::FORMAT_1.to_owned()),
            (metadata::AGREEMENT, manifest.agreement.to_string()),
            (metadata::SCHEMA, manifest.schema.to_string()),
            (metadata::OFFICE, manifest.office.to_string()),
            (metadata::MEASURE, manifest.measure.as_str().to_owned()),
            (metadata::RECORDS, manifest.record_count.to_string()),
            (metadata::KEY_CHECK, manifest.key_check.to_string()),
            (metadata::SEAL, metadata::SEAL_BLANK.to_owned()),
        ] {
            self.writer
                .append_key_value_metadata(KeyValue::new(key.to_owned(), value));
        }
        let path = self.path;
        let file = self
            .writer
            .into_inner()
            .map_err(|error| write_error(path, io::Error::other(error)))?;
        seal(file.as_file_mut(), hash).map_err(|error| write_error(path, error))
    }
}

/// Bytes of a block key.
const BLOCK_BYTES: i32 = 17;

fn to_schema(filter_len: FilterLen, passes: &[&str], has_events: bool) -> Schema {
    let filter_bytes = i32::try_from(filter_len.to_bytes()).expect("at most 512");
    let mut fields = vec![
        Field::new(column::RECORD, DataType::FixedSizeBinary(16), false),
        Field::new(column::PERSON, DataType::FixedSizeBinary(16), false),
        Field::new(column::FILTER, DataType::FixedSizeBinary(filter_bytes), false),
    ];
    for pass in passes {
        let name = format!("{}{pass}", column::BLOCK_PREFIX);
        fields.push(Field::new(name, DataType::FixedSizeBinary(BLOCK_BYTES), true));
    }
    if has_events {
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

/// The hash of a file's beginning, which follows as the file grows.
pub(crate) struct GrowingHash {
    path: PathBuf,
    /// A handle of its own, that stands where the hash ends.
    file: File,
    hasher: Sha256,
}

impl GrowingHash {
    /// Hashes what was written since.
    pub(crate) fn catch_up(&mut self) -> Result<(), WriteError> {
        let mut buffer = vec![0; 1 << 18];
        loop {
            let len = self
                .file
                .read(&mut buffer)
                .map_err(|error| write_error(&self.path, error))?;
            if len == 0 {
                return Ok(());
            }
            self.hasher.update(&buffer[..len]);
        }
    }
}

/// Puts the digest of the file with a blank seal in place of the blank. Returns the digest of the result. What `hash` has
/// ends before the seal, which was written last.
fn seal(file: &mut File, mut hash: GrowingHash) -> io::Result<Digest> {
    let rest_start = hash.file.stream_position()?;
    let mut rest = Vec::new();
    hash.file.read_to_end(&mut rest)?;
    let tail_start = rest.len().saturating_sub(SEAL_TAIL_BYTES);
    let offset = tail_start
        + find_seal(&rest[tail_start..]).ok_or_else(|| io::Error::other("the seal was not written"))?;
    let digest_with =
        |rest: &[u8]| Digest::from_bytes(hash.hasher.clone().chain_update(rest).finalize().into());
    let seal = digest_with(&rest).to_string();
    rest[offset..offset + seal.len()].copy_from_slice(seal.as_bytes());
    file.seek(SeekFrom::Start(
        rest_start + u64::try_from(offset).expect("within the file"),
    ))?;
    file.write_all(seal.as_bytes())?;
    Ok(digest_with(&rest))
}
