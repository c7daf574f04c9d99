//! A mapping file is read and checked, or refused; one that passes says the same when it is written and read again.
#![no_main]

use corridor_encode::Mapping;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(mapping) = toml::from_str::<Mapping>(text) else {
        return;
    };
    if mapping.validate().is_ok() {
        let again = toml::to_string(&mapping).expect("a mapping can be written");
        assert!(toml::from_str::<Mapping>(&again).expect("and read") == mapping);
    }
});
