//! What a service keeps of datasets in its data folder.

use std::fs;
use std::path::Path;

/// Names of the files that hold bytes of datasets, sealed or under way, each below its folder, in order. Left out is what
/// comes and goes beside them and holds no byte of theirs: the locks by which services wait for each other, and what a service
/// writes to see whether it can.
///
/// # Panics
/// When a folder that is there cannot be read.
pub fn dataset_files(data: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for folder in ["staging", "objects/datasets"] {
        for entry in fs::read_dir(data.join(folder)).into_iter().flatten() {
            let name = entry.expect("the folder can be read").file_name();
            let name = name.to_str().expect("the service's names are text");
            if !name.ends_with(".lock") && name != "probe" {
                found.push(format!("{folder}/{name}"));
            }
        }
    }
    found.sort();
    found
}
