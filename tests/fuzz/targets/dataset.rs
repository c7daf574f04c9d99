//! A dataset file of any bytes is read whole or refused. Its seal is set right first: it would stop every altered byte, and
//! whoever wrote the bytes could set it.
#![no_main]

use bytes::Bytes;
use corridor_core::{SEAL_TAIL_BYTES, find_seal, metadata};
use corridor_store::parse_dataset;
use libfuzzer_sys::fuzz_target;
use sha2::{Digest as _, Sha256};

fuzz_target!(|input: &[u8]| {
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
