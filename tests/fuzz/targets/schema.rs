//! A schema file is read, or refused; one that is read has the same digest when it is written and read again.
#![no_main]

use corridor_encode::EncodingSchema;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(schema) = EncodingSchema::from_json(text) {
        let again = EncodingSchema::from_json(&schema.to_json()).expect("its own writing");
        assert_eq!(again.digest(), schema.digest());
        assert!(schema.filter_len().to_bits() >= 64);
    }
});
