//! Encodes two registers under a key that protects nothing, for benchmarks: `left.parquet` and `right.parquet`.
//!
//! `export_filters LEFT.csv LEFT.toml RIGHT.csv RIGHT.toml PROFILE OUT`

use std::error::Error;
use std::path::{Path, PathBuf};

use corridor_benches::encode;
use corridor_core::Profile;
use corridor_encode::{Mapping, write_dataset};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [left, left_mapping, right, right_mapping, profile, out] = arguments.as_slice() else {
        return Err("usage: export_filters LEFT.csv LEFT.toml RIGHT.csv RIGHT.toml PROFILE OUT".into());
    };
    let profile: Profile = profile.parse()?;
    let mappings = [
        Mapping::load(Path::new(left_mapping))?,
        Mapping::load(Path::new(right_mapping))?,
    ];
    let registers = [PathBuf::from(left), PathBuf::from(right)];
    std::fs::create_dir_all(out)?;
    for (dataset, name) in encode(profile, &registers, &mappings)
        .into_iter()
        .zip(["left.parquet", "right.parquet"])
    {
        write_dataset(&dataset, &Path::new(out).join(name))?;
    }
    Ok(())
}
