//! A dataset file of any bytes is read whole or refused. Its seal is set right first: it would stop every altered byte, and
//! whoever wrote the bytes could set it.
#![no_main]

use bytes::Bytes;
use corridor_core::{SEAL_TAIL_BYTES, find_seal, metadata};
use corridor_store::parse_dataset;
use libfuzzer_sys::fuzz_target;
use sha2::{Digest as _, Sha256};

/// Panics inside the Parquet reader are caught by whoever calls it; all others are findings.
fn let_the_parquet_reader_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let is_readers = |file: &str| ["/parquet-", "/arrow-"].iter().any(|name| file.contains(name));
        if !panic
            .location()
            .is_some_and(|location| is_readers(location.file()))
        {
            report(panic);
        }
    }));
}

fuzz_target!(init: let_the_parquet_reader_panic(), |input: &[u8]| {
    let mut bytes = input.to_vec();
    let tail = bytes.len().saturating_sub(SEAL_TAIL_BYTES);
    if let Some(offset) = find_seal(&bytes[tail..]) {
        let seal = tail + offset..tail + offset + metadata::SEAL_BLANK.len();
        bytes[seal.clone()].copy_from_slice(metadata::SEAL_BLANK.as_bytes());
        let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        bytes[seal].copy_from_slice(digest.as_bytes());
    }
    if let Ok(dataset) = parse_dataset(Bytes::from(bytes)) {
        assert_eq!(dataset.records.len(), dataset.filters.len());
        assert!(dataset.blocks.iter().all(|column| column.keys.len() == dataset.records.len()));
    }
});
