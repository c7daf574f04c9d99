//! Renews the baseline that [`corridor_tests::breaking_changes`] is measured against, from `proto/`.
//!
//! Without an argument it takes in what was added and refuses what breaks a client. With `--before-publication` it takes
//! everything, which is allowed as long as no office can have a client: until Corridor 1.0.0.

use std::error::Error;

use corridor_tests::{GENERATED_FILES, generate, read_descriptors, renew_baseline};

fn main() -> Result<(), Box<dyn Error>> {
    let breaking = match std::env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [] => false,
        [argument] if argument == "--before-publication" => true,
        _ => return Err("known is --before-publication".into()),
    };
    let folder = tempfile::tempdir()?;
    generate(folder.path())?;
    let now = read_descriptors(&std::fs::read(folder.path().join(GENERATED_FILES[1]))?)?;
    Ok(renew_baseline(&now, breaking)?)
}
