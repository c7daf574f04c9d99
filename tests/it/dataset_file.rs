//! Dataset files whose seal fits and whose content does not: whoever makes a file can seal it.

use std::sync::Arc;

use arrow_array::{ArrayRef, Date32Array, RecordBatch};
use bytes::Bytes;
use corridor_core::{SEAL_TAIL_BYTES, column, find_seal, metadata};
use corridor_store::{DatasetFileError, parse_dataset};
use corridor_tests::workspace_root;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use sha2::{Digest as _, Sha256};

/// A sound dataset of 29 records with events and four passes of block keys.
fn small() -> Vec<u8> {
    std::fs::read(workspace_root().join("tests/fuzz/seeds/dataset/small.parquet")).unwrap()
}

/// The same bytes with a seal that fits.
fn sealed(mut bytes: Vec<u8>) -> Bytes {
    let tail = bytes.len().saturating_sub(SEAL_TAIL_BYTES);
    let seal = tail + find_seal(&bytes[tail..]).unwrap();
    let seal = seal..seal + metadata::SEAL_BLANK.len();
    bytes[seal.clone()].copy_from_slice(metadata::SEAL_BLANK.as_bytes());
    let digest: String = Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    bytes[seal].copy_from_slice(digest.as_bytes());
    bytes.into()
}

/// The small dataset written again by another writer.
fn rewritten(compression: Compression, change: impl Fn(&RecordBatch) -> RecordBatch) -> Bytes {
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(small())).unwrap();
    let pairs: Vec<KeyValue> = reader
        .metadata()
        .file_metadata()
        .key_value_metadata()
        .into_iter()
        .flatten()
        .filter(|pair| pair.key.starts_with("corridor."))
        .cloned()
        .collect();
    let batch = reader.build().unwrap().next().unwrap().unwrap();
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .set_key_value_metadata(Some(pairs))
        .build();
    let changed = change(&batch);
    let mut writer = ArrowWriter::try_new(Vec::new(), changed.schema(), Some(properties)).unwrap();
    writer.write(&changed).unwrap();
    sealed(writer.into_inner().unwrap())
}

fn refused(bytes: Bytes) -> String {
    match parse_dataset(bytes) {
        Ok(_) => panic!("it was read"),
        Err(
            error @ (DatasetFileError::Format(_) | DatasetFileError::Seal | DatasetFileError::Unsound(_)),
        ) => error.to_string(),
    }
}

#[test]
fn another_writer_may_write_it_but_not_compress_it() {
    let expected = parse_dataset(small().into()).unwrap();
    assert_eq!(expected.records.len(), 29);
    let same = parse_dataset(rewritten(Compression::UNCOMPRESSED, Clone::clone)).unwrap();
    assert!(same.filters == expected.filters && same.records == expected.records);
    let compressed = rewritten(Compression::SNAPPY, Clone::clone);
    assert!(refused(compressed).contains("it is compressed"));
}

#[test]
fn a_date_beyond_every_calendar_is_refused() {
    let late = rewritten(Compression::UNCOMPRESSED, |batch| {
        let position = batch.schema().index_of(column::EVENT_DATE).unwrap();
        let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
        columns[position] = Arc::new(Date32Array::from(vec![i32::MAX; batch.num_rows()]));
        RecordBatch::try_new(batch.schema(), columns).unwrap()
    });
    assert!(refused(late).contains("an event date is out of range"));
}

#[test]
fn pages_that_contradict_the_metadata_are_refused() {
    // Each byte of the pages and of the metadata in turn, with a seal that fits: most are noticed by nobody, for filters
    // are any bits; none may bring the reader down, and what is read is whole.
    let bytes = small();
    for at in 4..bytes.len() - 8 {
        let mut altered = bytes.clone();
        altered[at] ^= 0x7f;
        let tail = altered.len().saturating_sub(SEAL_TAIL_BYTES);
        if find_seal(&altered[tail..]).is_none() {
            continue;
        }
        if let Ok(dataset) = parse_dataset(sealed(altered)) {
            assert_eq!(dataset.records.len(), 29, "byte {at}");
            assert_eq!(dataset.filters.len(), 29, "byte {at}");
        }
    }
}

#[test]
fn every_altered_byte_breaks_the_seal() {
    let bytes = small();
    for at in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[at] ^= 1;
        assert!(parse_dataset(altered.into()).is_err(), "byte {at}");
    }
    for len in (0..bytes.len()).step_by(97) {
        assert!(
            parse_dataset(bytes[..len].to_vec().into()).is_err(),
            "cut at {len}"
        );
    }
}
