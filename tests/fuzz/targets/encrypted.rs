//! An encrypted file of any bytes is refused, or holds what was put in it.
#![no_main]

use std::io::Read as _;

use corridor_encode::DecryptedReader;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Ok(mut reader) = DecryptedReader::new(input, b"passphrase") else {
        return;
    };
    let mut content = Vec::new();
    if reader.read_to_end(&mut content).is_ok() {
        assert!(content.len() < input.len());
    }
});
