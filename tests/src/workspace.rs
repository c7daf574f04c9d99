use std::path::{Path, PathBuf};

/// The folder of the workspace's manifest.
pub fn workspace_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests are in the workspace")
        .to_owned()
}

/// Every Rust file of the workspace, generated ones included, in order.
///
/// # Panics
/// When a folder cannot be read.
pub fn rust_files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut open: Vec<PathBuf> = ["crates", "tests", "benches"]
        .map(|folder| workspace_root().join(folder))
        .into_iter()
        .filter(|folder| folder.is_dir())
        .collect();
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of the workspace can be read") {
            let path = entry.expect("a folder of the workspace can be read").path();
            if path.is_dir() && !path.ends_with("target") {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}
