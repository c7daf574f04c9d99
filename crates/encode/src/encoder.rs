use std::path::Path;

use arrow_array::RecordBatch;
use corridor_core::{
    AgeBands, BlockColumn, BlockKey, CountryCode, DatasetManifest, Digest, EncodedDataset, Filters, OfficeId,
    StatisticsTerms,
};
use zeroize::Zeroize;

use crate::at_rest::Encryption;
use crate::extract::ExtractError;
use crate::file::{DatasetWriter, PseudonymWriter, RowGroup};
use crate::key::LinkageKey;
use crate::mapping::Mapping;
use crate::outcome::{EncodeError, EncodeReport, RefusalLimit};
use crate::output::{EarlySync, NewFile, WriteError};
use crate::pipeline::{EncodedRows, encode_rows};
use crate::row::{BLOCK_KEY_BYTES, EncodedRow, read_block_key, read_row};
use crate::schema::EncodingSchema;
use crate::spool::Scratch;

/// What an encoding job is done under.
#[derive(Debug, Clone, Copy)]
pub struct EncodeTerms<'a> {
    /// The agreement.
    pub agreement: Digest,
    /// The office whose register it is.
    pub office: &'a OfficeId,
    /// The other office's country.
    pub partner: CountryCode,
    /// The schema the agreement names by digest.
    pub schema: &'a EncodingSchema,
    /// The linkage key of the agreement.
    pub key: &'a LinkageKey,
    /// The age bands of the agreement.
    pub age_bands: &'a AgeBands,
    /// What the agreement's tables count by: no other fact of a move leaves the office.
    pub statistics: &'a StatisticsTerms,
}

/// One register, encoded.
pub struct EncodedRegister {
    /// What may be uploaded.
    pub dataset: EncodedDataset,
    /// What stays: which record of the office is which of the dataset, in the dataset's order.
    pub pseudonyms: PseudonymList,
    /// What was read, encoded and refused.
    pub report: EncodeReport,
}

impl std::fmt::Debug for EncodedRegister {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EncodedRegister({} records)", self.dataset.records.len())
    }
}

/// Record ids in the order of a dataset. Wiped on drop.
pub struct PseudonymList(Vec<String>);

impl PseudonymList {
    /// The record id of record `index` of the dataset.
    pub fn record_id(&self, index: usize) -> &str {
        &self.0[index]
    }

    /// The record ids in the order of the dataset.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl std::fmt::Debug for PseudonymList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PseudonymList({})", self.0.len())
    }
}

impl Drop for PseudonymList {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Where an encoded register is to go.
#[derive(Debug)]
pub struct NewFiles<'a> {
    /// The dataset, which may be uploaded.
    pub dataset: &'a Path,
    /// The pseudonym list, which stays.
    pub pseudonyms: &'a Path,
    /// Of the dataset and of the list, when they are to be encrypted.
    pub encryption: Option<[Encryption; 2]>,
}

/// Two files with an encoded register.
pub struct EncodedFiles {
    /// Digest of the dataset file, before it was encrypted.
    pub digest: Digest,
    /// Filters of the first records of the dataset, at most [`EncodedFiles::SAMPLE`]: records stand in the order of their
    /// pseudonyms, so these are a random sample.
    pub sample: Filters,
    /// What was read, encoded and refused.
    pub report: EncodeReport,
}

impl EncodedFiles {
    /// Filters sampled at most.
    pub const SAMPLE: usize = 20_000;
}

impl std::fmt::Debug for EncodedFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EncodedFiles({} records)", self.report.records_encoded)
    }
}

/// Reads a register and encodes it, on the current rayon pool, in memory. `progress` is told the number of rows read
/// so far, now and then.
///
/// The dataset's records are ordered by pseudonym: a keyed shuffle, the same for the same key and register.
///
/// # Errors
/// When the file, the mapping or the agreement do not fit together, or more rows are refused than `limit`
/// allows; nothing is returned then but the reasons.
pub fn encode_register(
    path: &Path,
    mapping: &Mapping,
    terms: &EncodeTerms<'_>,
    limit: RefusalLimit,
    progress: &dyn Fn(u64),
) -> Result<EncodedRegister, EncodeError> {
    let rows = encode_rows(path, mapping, terms, limit, &Scratch::in_memory(), progress)?;
    let (mut report, mut fill) = (to_report(terms, &rows), Fill::default());
    let mut dataset = EncodedDataset {
        manifest: to_manifest(terms, report.records_encoded),
        records: Vec::new(),
        persons: Vec::new(),
        filters: Filters::with_capacity(terms.schema.filter_len(), 0),
        blocks: terms
            .schema
            .block_passes()
            .iter()
            .map(|pass| BlockColumn {
                pass: pass.as_str().to_owned(),
                keys: Vec::new(),
            })
            .collect(),
        events: mapping.has_events().then(Vec::new),
    };
    let mut ids = PseudonymList(Vec::new());
    for_each_chunk(rows, mapping, terms, |chunk| {
        for OrderedRow { row, block_keys } in chunk {
            fill.add(row.filter);
            for (column, key) in dataset.blocks.iter_mut().zip(block_keys) {
                column.keys.push(*key);
            }
            dataset.records.push(row.record);
            dataset.persons.push(row.person);
            dataset.filters.push_bytes(row.filter);
            if let Some(events) = &mut dataset.events {
                events.extend(row.event);
            }
            ids.0.push(row.record_id.to_owned());
        }
        Ok(())
    })?;
    report.mean_fill = fill.mean();
    Ok(EncodedRegister {
        dataset,
        pseudonyms: ids,
        report,
    })
}

/// Reads a register and encodes it, on the current rayon pool, into a dataset file and a pseudonym list (see
/// [`crate::write_dataset`] and [`crate::write_pseudonyms`]), which are the same bytes as those of [`encode_register`]'s
/// outcome. Memory does not grow with the register: what does not fit goes through `scratch`.
///
/// # Errors
/// As [`encode_register`], and when a file exists or cannot be written whole; then neither is left behind.
pub fn encode_to_files(
    path: &Path,
    mapping: &Mapping,
    terms: &EncodeTerms<'_>,
    limit: RefusalLimit,
    files: NewFiles<'_>,
    scratch: &Scratch,
    progress: &dyn Fn(u64),
) -> Result<EncodedFiles, EncodeError> {
    let [dataset_encryption, list_encryption] = match files.encryption {
        Some(encryption) => encryption.map(Some),
        None => [None, None],
    };
    let mut dataset_file = NewFile::create(files.dataset, dataset_encryption)?;
    let mut list_file = NewFile::create(files.pseudonyms, list_encryption)?;
    let rows = encode_rows(path, mapping, terms, limit, scratch, progress)?;
    let (mut report, mut fill) = (to_report(terms, &rows), Fill::default());
    let manifest = to_manifest(terms, report.records_encoded);
    let passes: Vec<&str> = terms
        .schema
        .block_passes()
        .iter()
        .map(|pass| pass.as_str())
        .collect();
    let mut sample = Filters::with_capacity(terms.schema.filter_len(), 0);
    let mut early_sync = EarlySync::of(&dataset_file)?;
    let mut group = RowGroup::new(terms.schema.filter_len(), &passes, mapping.has_events());
    let mut dataset = DatasetWriter::new(&mut dataset_file, &manifest, &group)?;
    let mut list = PseudonymWriter::new(&mut list_file)?;
    // While groups of rows are written, the next rows are put into columns and listed.
    let mut groups: Vec<RecordBatch> = Vec::new();
    for_each_chunk(rows, mapping, terms, |chunk| {
        let ready = std::mem::take(&mut groups);
        let (written, listed) = rayon::join(
            || {
                ready.iter().try_for_each(|group| {
                    early_sync.wrote(group.get_array_memory_size());
                    dataset.write(group)
                })
            },
            || {
                let (grouped, listed) = rayon::join(
                    || {
                        let rows = chunk.iter();
                        rows.filter_map(|ordered| group.push(&ordered.row, &ordered.block_keys))
                            .collect()
                    },
                    || -> Result<(), WriteError> {
                        for OrderedRow { row, .. } in chunk {
                            fill.add(row.filter);
                            if sample.len() < EncodedFiles::SAMPLE {
                                sample.push_bytes(row.filter);
                            }
                            list.push(row.record_id, &row.record)?;
                        }
                        Ok(())
                    },
                );
                groups = grouped;
                listed
            },
        );
        written?;
        listed?;
        Ok(())
    })?;
    report.mean_fill = fill.mean();
    for group in groups.into_iter().chain(group.take_rest()) {
        dataset.write(&group)?;
    }
    let digest = dataset.finish()?;
    list.finish()?;
    drop(early_sync);
    list_file.persist_both(dataset_file)?;
    Ok(EncodedFiles {
        digest,
        sample,
        report,
    })
}

/// A row and its published block keys.
struct OrderedRow<'a> {
    row: EncodedRow<'a>,
    block_keys: Vec<Option<BlockKey>>,
}

/// Hands over the rows in the order of their pseudonyms, some hundreds or thousands at a time.
fn for_each_chunk(
    rows: EncodedRows,
    mapping: &Mapping,
    terms: &EncodeTerms<'_>,
    mut each: impl FnMut(&[OrderedRow<'_>]) -> Result<(), EncodeError> + Send,
) -> Result<(), EncodeError> {
    let filter_bytes = terms.schema.filter_len().to_bytes();
    let mut last = None;
    let mut first_repeated: Option<(u64, u64)> = None;
    rows.spool.drain(|chunk| -> Result<(), EncodeError> {
        let mut ordered = Vec::with_capacity(chunk.len());
        for row in chunk {
            let row = read_row(row, rows.blocks.len(), filter_bytes);
            match last {
                Some((record, first_line)) if record == row.record => {
                    let repeated = (row.line, first_line);
                    first_repeated = Some(first_repeated.map_or(repeated, |first| first.min(repeated)));
                }
                _ => {
                    last = Some((row.record, row.line));
                    let raw_keys = row.block_keys.chunks_exact(BLOCK_KEY_BYTES).map(read_block_key);
                    let block_keys = rows.blocks.iter().zip(raw_keys);
                    ordered.push(OrderedRow {
                        block_keys: block_keys.map(|(blocks, key)| blocks.publish(key)).collect(),
                        row,
                    });
                }
            }
        }
        each(&ordered)
    })?;
    match first_repeated {
        None => Ok(()),
        Some((line, first_line)) => Err(EncodeError::Extract(ExtractError::RecordIdRepeated {
            file: rows.file,
            line,
            first_line,
            column: mapping.columns.record_id.clone(),
        })),
    }
}

/// Counts bits that are set.
#[derive(Default)]
struct Fill {
    ones: u64,
    bits: u64,
}

impl Fill {
    fn add(&mut self, filter: &[u8]) {
        self.ones += filter
            .iter()
            .map(|byte| u64::from(byte.count_ones()))
            .sum::<u64>();
        self.bits += 8 * u64::try_from(filter.len()).expect("a length fits");
    }

    #[expect(clippy::cast_precision_loss, reason = "a share for people to read")]
    fn mean(&self) -> f64 {
        self.ones as f64 / self.bits as f64
    }
}

fn to_manifest(terms: &EncodeTerms<'_>, record_count: u64) -> DatasetManifest {
    let schema = terms.schema.digest();
    DatasetManifest {
        agreement: terms.agreement,
        schema,
        office: terms.office.clone(),
        measure: terms.schema.profile().measure(),
        record_count,
        key_check: terms.key.check(&terms.agreement, &schema),
    }
}

fn to_report(terms: &EncodeTerms<'_>, rows: &EncodedRows) -> EncodeReport {
    EncodeReport {
        profile: terms.schema.profile().as_str(),
        needs_trusted_unit: terms.schema.profile().needs_trusted_unit(),
        match_fields: terms.schema.fields().map(|field| field.as_str()).collect(),
        records_encoded: rows.read.rows_read - rows.read.rows_refused,
        persons: rows.persons,
        read: rows.read.clone(),
        mean_fill: 0.0,
        blocks: terms
            .schema
            .block_passes()
            .iter()
            .zip(&rows.blocks)
            .map(|(pass, blocks)| blocks.report(*pass))
            .collect(),
    }
}
