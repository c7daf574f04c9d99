use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{Date32Builder, FixedSizeBinaryBuilder, StringBuilder, UInt8Builder};
use arrow_array::{ArrayRef, FixedSizeBinaryArray, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use corridor_core::{
    BlockKey, DatasetManifest, Digest, DurationRule, EncodedDataset, FilterLen, MigrationEvent, Pseudonym,
    SEAL_TAIL_BYTES, column, find_seal, metadata,
};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use sha2::{Digest as _, Sha256};

use crate::encoder::PseudonymList;
use crate::output::{NewFile, Sink, WriteError, write_error};
use crate::row::{EncodedRow, days_since_1970};

/// Records in a group of rows.
const ROWS_PER_GROUP: usize = 8_192;

/// Writes a dataset as a Parquet file: the columns of [`corridor_core::column`], the metadata of
/// [`corridor_core::metadata`], uncompressed (filters are random bits), and sealed, so that a byte altered or
/// cut off anywhere is found. The same dataset gives the same bytes. Returns the digest of the file.
///
/// # Errors
/// When the file exists or cannot be written whole; then nothing is left behind.
pub fn write_dataset(dataset: &EncodedDataset, path: &Path) -> Result<Digest, WriteError> {
    let mut file = NewFile::create(path, None)?;
    let has_events = dataset.events.is_some();
    let passes: Vec<&str> = dataset.blocks.iter().map(|column| column.pass.as_str()).collect();
    let mut block_keys = Vec::with_capacity(passes.len());
    let mut group = RowGroup::new(dataset.filters.filter_len(), &passes, has_events);
    let mut writer = DatasetWriter::new(&mut file, &dataset.manifest, &group)?;
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
        if let Some(group) = group.push(&encoded, &block_keys) {
            writer.write(&group)?;
        }
    }
    if let Some(rest) = group.take_rest() {
        writer.write(&rest)?;
    }
    let digest = writer.finish()?;
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
    let mut file = NewFile::create(path, None)?;
    let mut writer = PseudonymWriter::new(&mut file)?;
    for (record_id, record) in list.iter().zip(&dataset.records) {
        writer.push(record_id, record)?;
    }
    writer.finish()?;
    file.persist()
}

/// Writes a pseudonym list row by row.
pub(crate) struct PseudonymWriter<'f> {
    path: &'f Path,
    writer: csv::Writer<Sink<'f>>,
}

impl<'f> PseudonymWriter<'f> {
    pub(crate) fn new(file: &'f mut NewFile) -> Result<Self, WriteError> {
        let (path, sink) = file.sink()?;
        let mut writer = Self {
            path,
            writer: csv::Writer::from_writer(sink),
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

    pub(crate) fn finish(self) -> Result<(), WriteError> {
        let path = self.path;
        self.writer
            .into_inner()
            .map_err(|error| error.into_error())
            .and_then(Sink::finish)
            .map_err(|error| write_error(path, error))
    }
}

/// Rows of a dataset, gathered in columns until they are a group.
pub(crate) struct RowGroup {
    schema: Arc<Schema>,
    filter_bytes: usize,
    has_events: bool,
    len: usize,
    records: Vec<u8>,
    persons: Vec<u8>,
    filters: Vec<u8>,
    blocks: Vec<FixedSizeBinaryBuilder>,
    events: Vec<MigrationEvent>,
}

impl RowGroup {
    pub(crate) fn new(filter_len: FilterLen, passes: &[&str], has_events: bool) -> Self {
        Self {
            schema: Arc::new(to_schema(filter_len, passes, has_events)),
            filter_bytes: filter_len.to_bytes(),
            has_events,
            len: 0,
            records: Vec::new(),
            persons: Vec::new(),
            filters: Vec::new(),
            blocks: passes
                .iter()
                .map(|_| FixedSizeBinaryBuilder::new(BLOCK_BYTES))
                .collect(),
            events: Vec::new(),
        }
    }

    /// Appends a row and its published block keys; rows come in the order of their pseudonyms. Gives the group when that
    /// was its last.
    pub(crate) fn push(
        &mut self,
        row: &EncodedRow<'_>,
        block_keys: &[Option<BlockKey>],
    ) -> Option<RecordBatch> {
        self.records.extend_from_slice(row.record.as_bytes());
        self.persons.extend_from_slice(row.person.as_bytes());
        self.filters.extend_from_slice(row.filter);
        for (column, key) in self.blocks.iter_mut().zip(block_keys) {
            match key {
                Some(key) => column.append_value(key.to_bytes()).expect("17 bytes"),
                None => column.append_null(),
            }
        }
        if self.has_events {
            self.events.extend(row.event);
        }
        self.len += 1;
        (self.len == ROWS_PER_GROUP).then(|| self.take())
    }

    /// The rows that are not yet a whole group.
    pub(crate) fn take_rest(mut self) -> Option<RecordBatch> {
        (self.len > 0).then(|| self.take())
    }

    fn take(&mut self) -> RecordBatch {
        let bytes = |values: Vec<u8>, size: usize| -> ArrayRef {
            let size = i32::try_from(size).expect("at most 512");
            Arc::new(FixedSizeBinaryArray::new(size, values.into(), None))
        };
        let take = |values: &mut Vec<u8>| {
            let capacity = values.capacity();
            std::mem::replace(values, Vec::with_capacity(capacity))
        };
        let mut columns = vec![
            bytes(take(&mut self.records), 16),
            bytes(take(&mut self.persons), 16),
            bytes(take(&mut self.filters), self.filter_bytes),
        ];
        columns.extend(
            self.blocks
                .iter_mut()
                .map(|column| Arc::new(column.finish()) as ArrayRef),
        );
        if self.has_events {
            columns.extend(event_columns(&self.events));
            self.events.clear();
        }
        self.len = 0;
        RecordBatch::try_new(self.schema.clone(), columns).expect("columns are made for this schema")
    }
}

/// Writes a dataset file group by group; see [`write_dataset`].
pub(crate) struct DatasetWriter<'f> {
    path: &'f Path,
    writer: ArrowWriter<SealingWriter<Sink<'f>>>,
    manifest: DatasetManifest,
}

impl<'f> DatasetWriter<'f> {
    pub(crate) fn new(
        file: &'f mut NewFile,
        manifest: &DatasetManifest,
        group: &RowGroup,
    ) -> Result<Self, WriteError> {
        let properties = WriterProperties::builder()
            .set_created_by("corridor".to_owned())
            .set_statistics_enabled(EnabledStatistics::None)
            .set_dictionary_enabled(false)
            .build();
        let options = ArrowWriterOptions::new()
            .with_properties(properties)
            .with_skip_arrow_metadata(true);
        let (path, sink) = file.sink()?;
        let writer =
            ArrowWriter::try_new_with_options(SealingWriter::new(sink), group.schema.clone(), options)
                .map_err(|error| write_error(path, io::Error::other(error)))?;
        Ok(Self {
            path,
            writer,
            manifest: manifest.clone(),
        })
    }

    /// Writes a group of rows.
    pub(crate) fn write(&mut self, group: &RecordBatch) -> Result<(), WriteError> {
        self.writer
            .write(group)
            .and_then(|()| self.writer.flush())
            .map_err(|error| write_error(self.path, io::Error::other(error)))
    }

    /// Writes the metadata, and seals the file. Returns its digest.
    pub(crate) fn finish(mut self) -> Result<Digest, WriteError> {
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
        let sealing = self
            .writer
            .into_inner()
            .map_err(|error| write_error(path, io::Error::other(error)))?;
        sealing
            .finish()
            .and_then(|(sink, digest)| sink.finish().map(|()| digest))
            .map_err(|error| write_error(path, error))
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
            Field::new(column::AGE_BAND_REACHED, DataType::UInt8, true),
            Field::new(column::CITIZENSHIP, DataType::UInt8, true),
            Field::new(column::BIRTH_COUNTRY, DataType::UInt8, true),
            Field::new(column::MIGRATORY_STATUS, DataType::Utf8, false),
            Field::new(column::REASON, DataType::Utf8, false),
        ]);
        fields.extend(DurationRule::ALL.map(|rule| {
            let name = format!("{}{}", column::COUNTS_PREFIX, rule.as_str());
            Field::new(name, DataType::Utf8, false)
        }));
    }
    Schema::new(fields)
}

fn event_columns(events: &[MigrationEvent]) -> Vec<ArrayRef> {
    let words = |word: &dyn Fn(&MigrationEvent) -> &'static str| -> ArrayRef {
        let mut builder = StringBuilder::new();
        events.iter().for_each(|event| builder.append_value(word(event)));
        Arc::new(builder.finish())
    };
    let positions = |position: &dyn Fn(&MigrationEvent) -> Option<u8>| -> ArrayRef {
        let mut builder = UInt8Builder::with_capacity(events.len());
        events
            .iter()
            .for_each(|event| builder.append_option(position(event)));
        Arc::new(builder.finish())
    };
    let mut dates = Date32Builder::with_capacity(events.len());
    for event in events {
        dates.append_value(days_since_1970(event.date.date));
    }
    let mut columns: Vec<ArrayRef> = vec![
        words(&|event| event.direction.as_str()),
        words(&|event| event.counterpart.as_str()),
        Arc::new(dates.finish()),
        words(&|event| event.date.precision.as_str()),
        words(&|event| event.sex.as_str()),
        positions(&|event| event.age_band.map(|band| band.0)),
        positions(&|event| event.facts.age_band_reached.map(|band| band.0)),
        positions(&|event| event.facts.citizenship.map(|group| group.0)),
        positions(&|event| event.facts.birth_country.map(|group| group.0)),
        words(&|event| event.facts.migratory_status.as_str()),
        words(&|event| event.facts.reason.as_str()),
    ];
    columns.extend(DurationRule::ALL.map(|rule| words(&|event| event.facts.stay.under(rule).as_str())));
    columns
}

/// Passes the bytes of a dataset file on and holds back its end, in which the seal belongs: the digest of the file with a
/// blank seal.
struct SealingWriter<W> {
    inner: W,
    hasher: Sha256,
    held: Vec<u8>,
}

impl<W: Write> SealingWriter<W> {
    fn new(inner: W) -> Self {
        Self {
            inner,
            hasher: Sha256::new(),
            held: Vec::with_capacity(2 * SEAL_TAIL_BYTES),
        }
    }

    fn pass_on(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.update(bytes);
        self.inner.write_all(bytes)
    }

    fn pass_on_held(&mut self, len: usize) -> io::Result<()> {
        let mut held = std::mem::take(&mut self.held);
        self.pass_on(&held[..len])?;
        held.drain(..len);
        self.held = held;
        Ok(())
    }

    /// Puts the seal in place of the blank and passes the end on. Gives the digest of the whole.
    fn finish(mut self) -> io::Result<(W, Digest)> {
        self.pass_on_held(self.held.len().saturating_sub(SEAL_TAIL_BYTES))?;
        let offset = find_seal(&self.held).ok_or_else(|| io::Error::other("the seal was not written"))?;
        let digest_with =
            |end: &[u8]| Digest::from_bytes(self.hasher.clone().chain_update(end).finalize().into());
        let seal = digest_with(&self.held).to_string();
        self.held[offset..offset + seal.len()].copy_from_slice(seal.as_bytes());
        let digest = digest_with(&self.held);
        self.inner.write_all(&self.held)?;
        Ok((self.inner, digest))
    }
}

impl<W: Write> Write for SealingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() >= SEAL_TAIL_BYTES {
            self.pass_on_held(self.held.len())?;
            let (passed_on, end) = bytes.split_at(bytes.len() - SEAL_TAIL_BYTES);
            self.pass_on(passed_on)?;
            self.held.extend_from_slice(end);
        } else {
            self.held.extend_from_slice(bytes);
            if self.held.len() >= 2 * SEAL_TAIL_BYTES {
                self.pass_on_held(self.held.len() - SEAL_TAIL_BYTES)?;
            }
        }
        Ok(bytes.len())
    }

    /// What is held back stays so.
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
