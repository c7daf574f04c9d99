use std::collections::HashMap;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, UInt8Type};
use arrow_array::{Array, RecordBatch, StringArray, UInt8Array};
use bytes::Bytes;
use corridor_core::{
    AgeBand, BlockColumn, BlockKey, Counterpart, CountryGroup, DatasetManifest, DatePrecision, Digest,
    Direction, DurationRule, EncodedDataset, EventDate, FilterLen, Measure, MigrationEvent, MigratoryStatus,
    MoverFacts, Pseudonym, Reason, RuleFlag, Sex, StayFlags, column, metadata,
};
use jiff::Span;
use parquet::basic::Compression;
use parquet::file::metadata::ParquetMetaData;

use crate::dataset_reader::{DatasetReader, FileDigests};
use crate::random::SealedFile;

/// Why bytes are no dataset file. Messages say nothing of its content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatasetFileError {
    /// Not Parquet, or not a dataset of ours.
    #[error("not a dataset file: {0}")]
    Format(String),
    /// A byte was altered or cut off after the file was written.
    #[error("the dataset file was altered or cut off after it was written: its seal does not fit")]
    Seal,
    /// A value that must not be.
    #[error("the dataset file is not sound: {0}")]
    Unsound(&'static str),
}

pub(crate) fn format_error(error: impl ToString) -> DatasetFileError {
    DatasetFileError::Format(error.to_string())
}

/// Reads and checks a dataset file that is in memory, into memory: the seal over all bytes first, then metadata, columns and every
/// value. [`DatasetReader`] reads one of any length.
///
/// # Errors
/// When a byte was altered or cut off, or the content is not a sound dataset.
pub fn parse_dataset(bytes: Bytes) -> Result<EncodedDataset, DatasetFileError> {
    let file = SealedFile::from(bytes);
    if !FileDigests::of(&file)?.seal_fits {
        return Err(DatasetFileError::Seal);
    }
    let mut reader = DatasetReader::open(file)?;
    let mut dataset = reader.to_empty();
    while let Some(appended) = reader.append_to(&mut dataset) {
        appended?;
    }
    Ok(dataset)
}

/// Records are as many as the manifest says, and no more than the file has bytes for: filters are stored whole, so that a small
/// file cannot grow large in memory.
pub(crate) fn check_size(
    metadata: &ParquetMetaData,
    filter_len: FilterLen,
    record_count: u64,
    byte_count: usize,
) -> Result<(), DatasetFileError> {
    let columns = || {
        let groups = metadata.row_groups().iter();
        groups.flat_map(|group| group.columns())
    };
    if columns().any(|column| column.compression() != Compression::UNCOMPRESSED) {
        return Err(DatasetFileError::Unsound("it is compressed"));
    }
    // The reader takes it for granted.
    let is_within = |start: i64, len: i64| {
        let end = usize::try_from(start)
            .ok()
            .zip(usize::try_from(len).ok())
            .and_then(|(start, len)| start.checked_add(len));
        end.is_some_and(|end| end <= byte_count)
    };
    if !columns().all(|column| {
        let start = column
            .dictionary_page_offset()
            .unwrap_or(column.data_page_offset());
        is_within(start, column.compressed_size()) && column.num_values() >= 0
    }) {
        return Err(DatasetFileError::Unsound("a column is not within the file"));
    }
    let rows = usize::try_from(metadata.file_metadata().num_rows()).unwrap_or(usize::MAX);
    if u64::try_from(rows) != Ok(record_count) {
        return Err(DatasetFileError::Unsound(
            "it has another number of records than its metadata says",
        ));
    }
    // Two pseudonyms of 16 bytes stand beside each filter.
    let least = rows.saturating_mul(filter_len.to_bytes() + 32);
    if least > byte_count {
        return Err(DatasetFileError::Unsound(
            "its records do not take their room in the file",
        ));
    }
    let in_groups = metadata.row_groups().iter().map(|group| group.num_rows());
    if in_groups
        .map(|rows| usize::try_from(rows).unwrap_or(usize::MAX))
        .fold(0, usize::saturating_add)
        != rows
    {
        return Err(DatasetFileError::Unsound(
            "its row groups do not add up to its records",
        ));
    }
    Ok(())
}

pub(crate) fn read_manifest(pairs: &HashMap<String, String>) -> Result<DatasetManifest, DatasetFileError> {
    let value = |key: &str| {
        pairs
            .get(key)
            .ok_or_else(|| format_error(format!("its metadata lacks {key}")))
    };
    let digest = |key: &str| {
        value(key)?
            .parse::<Digest>()
            .map_err(|_| format_error(format!("its metadata {key} is no digest")))
    };
    if value(metadata::FORMAT)? != metadata::FORMAT_1 {
        return Err(format_error("its format version is not known to this program"));
    }
    let measure = match value(metadata::MEASURE)?.as_str() {
        "dice" => Measure::Dice,
        "rho" => Measure::Rho,
        _ => return Err(format_error("its measure is not known to this program")),
    };
    Ok(DatasetManifest {
        agreement: digest(metadata::AGREEMENT)?,
        schema: digest(metadata::SCHEMA)?,
        office: value(metadata::OFFICE)?
            .parse()
            .map_err(|_| format_error("its metadata corridor.office is no office id"))?,
        measure,
        record_count: value(metadata::RECORDS)?
            .parse()
            .map_err(|_| format_error("its metadata corridor.records is no number"))?,
        key_check: digest(metadata::KEY_CHECK)?,
    })
}

pub(crate) fn filter_len(schema: &arrow_schema::Schema) -> Result<FilterLen, DatasetFileError> {
    let (_, field) = schema
        .column_with_name(column::FILTER)
        .ok_or_else(|| format_error("it has no column filter"))?;
    let arrow_schema::DataType::FixedSizeBinary(bytes) = field.data_type() else {
        return Err(format_error("its column filter is not of fixed size"));
    };
    u32::try_from(*bytes)
        .ok()
        .and_then(|bytes| bytes.checked_mul(8))
        .and_then(|bits| FilterLen::try_from(bits).ok())
        .ok_or_else(|| format_error("its filters have a length no kernel compares"))
}

pub(crate) fn append(dataset: &mut EncodedDataset, batch: &RecordBatch) -> Result<(), DatasetFileError> {
    let binary = |name: &str| {
        let values = batch
            .column_by_name(name)
            .and_then(|values| values.as_fixed_size_binary_opt())
            .ok_or_else(|| format_error(format!("its column {name} is missing or not binary")))?;
        if values.null_count() > 0 {
            return Err(DatasetFileError::Unsound("a pseudonym or filter is missing"));
        }
        Ok(values)
    };
    let pseudonyms = |name: &str| -> Result<Vec<Pseudonym>, DatasetFileError> {
        binary(name)?
            .iter()
            .flatten()
            .map(|bytes| {
                bytes
                    .try_into()
                    .map(Pseudonym::from_bytes)
                    .map_err(|_| DatasetFileError::Unsound("a pseudonym is not 16 bytes"))
            })
            .collect()
    };
    dataset.records.extend(pseudonyms(column::RECORD)?);
    dataset.persons.extend(pseudonyms(column::PERSON)?);
    for filter in binary(column::FILTER)?.iter().flatten() {
        dataset.filters.push_bytes(filter);
    }
    for block in &mut dataset.blocks {
        append_block_keys(block, batch)?;
    }
    if let Some(events) = &mut dataset.events {
        append_events(events, batch)?;
    }
    Ok(())
}

fn append_block_keys(block: &mut BlockColumn, batch: &RecordBatch) -> Result<(), DatasetFileError> {
    let name = format!("{}{}", column::BLOCK_PREFIX, block.pass);
    let values = batch
        .column_by_name(&name)
        .and_then(|values| values.as_fixed_size_binary_opt())
        .ok_or_else(|| format_error(format!("its column {name} is not binary")))?;
    for value in values {
        let key = value.map(|bytes| {
            BlockKey::from_bytes(bytes).ok_or(DatasetFileError::Unsound("a block key is not in its form"))
        });
        block.keys.push(key.transpose()?);
    }
    Ok(())
}

fn append_events(events: &mut Vec<MigrationEvent>, batch: &RecordBatch) -> Result<(), DatasetFileError> {
    let words = |name: &str| {
        batch
            .column_by_name(name)
            .and_then(|values| values.as_string_opt::<i32>())
            .filter(|values| values.null_count() == 0)
            .ok_or_else(|| format_error(format!("its column {name} is missing or incomplete")))
    };
    let dates = batch
        .column_by_name(column::EVENT_DATE)
        .and_then(|values| values.as_primitive_opt::<Date32Type>())
        .filter(|values| values.null_count() == 0)
        .ok_or_else(|| format_error("its column event_date is missing or incomplete"))?;
    let positions = |name: &str| {
        batch
            .column_by_name(name)
            .and_then(|values| values.as_primitive_opt::<UInt8Type>())
            .ok_or_else(|| format_error(format!("its column {name} is missing")))
    };
    let (bands, bands_reached) = (positions(column::AGE_BAND)?, positions(column::AGE_BAND_REACHED)?);
    let (citizenships, birth_countries) =
        (positions(column::CITIZENSHIP)?, positions(column::BIRTH_COUNTRY)?);
    let (statuses, reasons) = (words(column::MIGRATORY_STATUS)?, words(column::REASON)?);
    let mut flags = Vec::with_capacity(DurationRule::ALL.len());
    for rule in DurationRule::ALL {
        flags.push(words(&format!("{}{}", column::COUNTS_PREFIX, rule.as_str()))?);
    }
    let (directions, counterparts) = (words(column::DIRECTION)?, words(column::COUNTERPART)?);
    let (precisions, sexes) = (words(column::DATE_PRECISION)?, words(column::SEX)?);
    for row in 0..batch.num_rows() {
        let unknown = DatasetFileError::Unsound("an event has a word this program does not know");
        let date = Span::new()
            .try_days(i64::from(dates.value(row)))
            .and_then(|days| jiff::civil::date(1970, 1, 1).checked_add(days))
            .map_err(|_| DatasetFileError::Unsound("an event date is out of range"))?;
        events.push(MigrationEvent {
            direction: Direction::from_word(directions.value(row)).ok_or(unknown.clone())?,
            counterpart: Counterpart::from_word(counterparts.value(row)).ok_or(unknown.clone())?,
            date: EventDate {
                date,
                precision: DatePrecision::from_word(precisions.value(row)).ok_or(unknown.clone())?,
            },
            sex: Sex::from_word(sexes.value(row)).ok_or(unknown.clone())?,
            age_band: position_at(bands, row).map(AgeBand),
            facts: MoverFacts {
                age_band_reached: position_at(bands_reached, row).map(AgeBand),
                citizenship: position_at(citizenships, row).map(CountryGroup),
                birth_country: position_at(birth_countries, row).map(CountryGroup),
                migratory_status: MigratoryStatus::from_word(statuses.value(row)).ok_or(unknown.clone())?,
                reason: Reason::from_word(reasons.value(row)).ok_or(unknown.clone())?,
                stay: stay_at(&flags, row).ok_or(unknown)?,
            },
        });
    }
    Ok(())
}

fn position_at(values: &UInt8Array, row: usize) -> Option<u8> {
    values.is_valid(row).then(|| values.value(row))
}

fn stay_at(flags: &[&StringArray], row: usize) -> Option<StayFlags> {
    let mut stay = [RuleFlag::Unknown; 5];
    for (flag, column) in stay.iter_mut().zip(flags) {
        *flag = RuleFlag::from_word(column.value(row))?;
    }
    Some(StayFlags::from_array(stay))
}
