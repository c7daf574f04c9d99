//! The settings of a service are read and checked, or refused with a sentence that says which setting.
#![no_main]

use std::path::Path;

use corridor_server::{Config, ConfigError};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let path = Path::new("folder/server.toml");
    match Config::parse(text, path) {
        Ok(config) => {
            assert!(config.data_folder.starts_with("folder") || config.data_folder.is_absolute());
            assert!(!config.parties.is_empty());
        }
        Err(error @ (ConfigError::Invalid { .. } | ConfigError::Syntax { .. })) => {
            assert!(error.to_string().starts_with("folder/server.toml"));
        }
        Err(error @ ConfigError::Read { .. }) => unreachable!("nothing is read: {error}"),
    }
});
