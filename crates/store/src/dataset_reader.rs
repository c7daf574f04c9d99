use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow_array::RecordBatch;
use corridor_core::{
    BlockColumn, DatasetManifest, Digest, EncodedDataset, FilterLen, Filters, Pseudonym, SEAL_TAIL_BYTES,
    column, find_seal, metadata, thrift_struct_len,
};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use parquet::file::reader::ChunkReader;
use sha2::{Digest as _, Sha256};

use crate::dataset_file::{DatasetFileError, append, check_size, filter_len, format_error, read_manifest};
use crate::random::SealedFile;

/// Records handed out at once. With the longest filters they take a few megabytes.
const RECORDS_AT_ONCE: usize = 8192;

/// Bytes of the longest metadata of a dataset file. A hundred million records need a tenth of it.
const MAX_METADATA_BYTES: usize = 8 << 20;

/// Bytes hashed at once.
const HASHED_AT_ONCE: usize = 1 << 20;

const CONTRADICTS: DatasetFileError = DatasetFileError::Unsound("its pages contradict its metadata");

/// What a look at every byte of a dataset file finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileDigests {
    /// SHA-256 of the file.
    pub content: Digest,
    /// Whether the file's own seal fits: no byte was altered or cut off after it was written.
    pub seal_fits: bool,
}

impl FileDigests {
    /// Reads a file from its first byte to its last, once.
    ///
    /// # Errors
    /// When it cannot be read, or is not Parquet.
    pub fn of(file: &impl ChunkReader) -> Result<Self, DatasetFileError> {
        let len = file.len();
        let bytes = |start: u64, end: u64| {
            let len = usize::try_from(end - start).map_err(format_error)?;
            file.get_bytes(start, len).map_err(format_error)
        };
        if len < 12 || bytes(0, 4)?.as_ref() != b"PAR1" {
            return Err(format_error("it is not Parquet"));
        }
        let tail_start = len.saturating_sub(SEAL_TAIL_BYTES as u64);
        let tail = bytes(tail_start, len)?;
        let mut hasher = Sha256::new();
        let mut start = 0;
        while start < tail_start {
            let end = tail_start.min(start + HASHED_AT_ONCE as u64);
            hasher.update(bytes(start, end)?);
            start = end;
        }
        let seal = find_seal(&tail);
        let seal_fits = seal.is_some_and(|at| {
            let (before, rest) = tail.split_at(at);
            let (seal, after) = rest.split_at(metadata::SEAL_BLANK.len());
            let mut blanked = hasher.clone();
            blanked.update(before);
            blanked.update(metadata::SEAL_BLANK);
            blanked.update(after);
            Digest::from_bytes(blanked.finalize().into())
                .to_string()
                .as_bytes()
                == seal
        });
        hasher.update(&tail);
        Ok(Self {
            content: Digest::from_bytes(hasher.finalize().into()),
            seal_fits,
        })
    }
}

/// Passes of block keys of one file at most.
const MOST_PASSES: usize = 16;

/// Reads a dataset file of any length, some thousand records at a time, and checks everything but the seal: metadata, columns, every
/// value, and that records come in the order of their pseudonyms, each once, and as many as the metadata says. That they are whole is
/// known when the last was handed out without an error.
///
/// Each item is an [`EncodedDataset`] of some of the records; its manifest is that of the file.
pub struct DatasetReader {
    manifest: DatasetManifest,
    filter_len: FilterLen,
    passes: Vec<String>,
    has_events: bool,
    batches: ParquetRecordBatchReader,
    last_record: Option<Pseudonym>,
    record_count: u64,
    is_over: bool,
}

impl std::fmt::Debug for DatasetReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DatasetReader({} records read)", self.record_count)
    }
}

impl DatasetReader {
    /// Reads the metadata and checks it.
    ///
    /// # Errors
    /// When it is not a dataset file.
    pub fn open(file: SealedFile) -> Result<Self, DatasetFileError> {
        // The Parquet reader panics on metadata and pages that contradict one another; whoever makes such a file can seal it.
        // Nothing of a file that was given up is used again.
        catch_unwind(AssertUnwindSafe(|| Self::open_trusting(file))).unwrap_or(Err(CONTRADICTS))
    }

    fn open_trusting(file: SealedFile) -> Result<Self, DatasetFileError> {
        let byte_count = usize::try_from(file.byte_count()).map_err(format_error)?;
        check_metadata_len(&file)?;
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).map_err(format_error)?;
        let pairs: HashMap<String, String> = reader
            .metadata()
            .file_metadata()
            .key_value_metadata()
            .into_iter()
            .flatten()
            .filter_map(|pair| Some((pair.key.clone(), pair.value.clone()?)))
            .collect();
        let manifest = read_manifest(&pairs)?;
        let filter_len = filter_len(reader.schema())?;
        check_size(reader.metadata(), filter_len, manifest.record_count, byte_count)?;
        let fields = reader.schema().fields();
        let passes: Vec<String> = fields
            .iter()
            .filter_map(|field| field.name().strip_prefix(column::BLOCK_PREFIX))
            .map(str::to_owned)
            .collect();
        if passes.len() > MOST_PASSES {
            return Err(DatasetFileError::Unsound(
                "it has more passes of block keys than any schema",
            ));
        }
        Ok(Self {
            manifest,
            filter_len,
            passes,
            has_events: reader.schema().column_with_name(column::DIRECTION).is_some(),
            batches: reader
                .with_batch_size(RECORDS_AT_ONCE)
                .build()
                .map_err(format_error)?,
            last_record: None,
            record_count: 0,
            is_over: false,
        })
    }

    /// What the file says of itself.
    pub const fn manifest(&self) -> &DatasetManifest {
        &self.manifest
    }

    /// Its passes of block keys, in the order of its columns.
    pub fn passes(&self) -> &[String] {
        &self.passes
    }

    /// Length of its filters.
    pub const fn filter_len(&self) -> FilterLen {
        self.filter_len
    }

    /// A dataset like this one without records.
    pub fn to_empty(&self) -> EncodedDataset {
        EncodedDataset {
            manifest: self.manifest.clone(),
            records: Vec::new(),
            persons: Vec::new(),
            filters: Filters::with_capacity(self.filter_len, 0),
            blocks: self
                .passes
                .iter()
                .map(|pass| BlockColumn {
                    pass: pass.clone(),
                    keys: Vec::new(),
                })
                .collect(),
            events: self.has_events.then(Vec::new),
        }
    }

    /// Reads on into `dataset`; `None` when the file is read.
    pub(crate) fn append_to(&mut self, dataset: &mut EncodedDataset) -> Option<Result<(), DatasetFileError>> {
        if self.is_over {
            return None;
        }
        let batch = catch_unwind(AssertUnwindSafe(|| self.batches.next()))
            .unwrap_or(Some(Err(ParquetError::General(String::new()).into())));
        let appended = match batch {
            None => {
                self.is_over = true;
                return self.check_whole().err().map(Err);
            }
            Some(Ok(batch)) => self.take(&batch, dataset),
            Some(Err(_)) => Err(CONTRADICTS),
        };
        self.is_over = appended.is_err();
        Some(appended)
    }

    fn take(&mut self, batch: &RecordBatch, dataset: &mut EncodedDataset) -> Result<(), DatasetFileError> {
        let before = dataset.records.len();
        append(dataset, batch)?;
        let records = &dataset.records[before..];
        let follows = self
            .last_record
            .zip(records.first())
            .is_none_or(|(last, first)| last < *first);
        if !follows || !records.is_sorted_by(|left, right| left < right) {
            return Err(DatasetFileError::Unsound(
                "its records are not in the order of their pseudonyms, each once",
            ));
        }
        self.last_record = records.last().copied().or(self.last_record);
        self.record_count += u64::try_from(records.len()).expect("a length fits");
        Ok(())
    }

    const fn check_whole(&self) -> Result<(), DatasetFileError> {
        if self.record_count == 0 {
            return Err(DatasetFileError::Unsound("it has no records"));
        }
        if self.record_count != self.manifest.record_count {
            return Err(DatasetFileError::Unsound(
                "it has another number of records than its metadata says",
            ));
        }
        Ok(())
    }
}

impl Iterator for DatasetReader {
    type Item = Result<EncodedDataset, DatasetFileError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut dataset = self.to_empty();
        self.append_to(&mut dataset)
            .map(|appended| appended.map(|()| dataset))
    }
}

/// The last eight bytes say how long the metadata before them is, which the reader must be able to trust.
fn check_metadata_len(file: &impl ChunkReader) -> Result<(), DatasetFileError> {
    let start = file
        .len()
        .checked_sub(8)
        .ok_or_else(|| format_error("it is not Parquet"))?;
    let end = file.get_bytes(start, 8).map_err(format_error)?;
    let len: [u8; 4] = end
        .get(..4)
        .and_then(|len| len.try_into().ok())
        .ok_or_else(|| format_error("it is not Parquet"))?;
    if usize::try_from(u32::from_le_bytes(len)).unwrap_or(usize::MAX) > MAX_METADATA_BYTES {
        return Err(DatasetFileError::Unsound(
            "its metadata is longer than that of any dataset",
        ));
    }
    let first = start
        .checked_sub(u64::from(u32::from_le_bytes(len)))
        .ok_or_else(|| format_error("it is not Parquet"))?;
    let metadata_len = usize::try_from(start - first).map_err(format_error)?;
    let metadata = file.get_bytes(first, metadata_len).map_err(format_error)?;
    if thrift_struct_len(&metadata).is_none() {
        return Err(DatasetFileError::Unsound(
            "its metadata is none that can be read in reasonable time",
        ));
    }
    Ok(())
}
