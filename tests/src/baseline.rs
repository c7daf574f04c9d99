use std::io;
use std::path::PathBuf;

use prost::Message as _;
use prost_types::FileDescriptorSet;

use crate::{breaking_changes, workspace_root};

/// The version of Corridor with which `corridor.v1` is published: from then on nothing may break it.
const PUBLISHED_WITH_MAJOR: u32 = 1;

/// Whether offices may have clients that were made for `corridor.v1` as it is in the baseline.
pub fn is_published() -> bool {
    let major: u32 = env!("CARGO_PKG_VERSION_MAJOR")
        .parse()
        .expect("a version of Cargo's");
    major >= PUBLISHED_WITH_MAJOR
}

/// The descriptor set that clients may rely on, as `buf` and `protoc` write and read it; without comments and places in files.
pub fn baseline_file() -> PathBuf {
    workspace_root().join("tests/vectors/protocol/v1/baseline.binpb")
}

/// The protocol that clients may rely on.
///
/// # Errors
/// When the file cannot be read or is no descriptor set.
pub fn read_baseline() -> io::Result<FileDescriptorSet> {
    let bytes = std::fs::read(baseline_file())?;
    FileDescriptorSet::decode(bytes.as_slice()).map_err(io::Error::other)
}

/// A descriptor set without comments and places in files.
///
/// # Errors
/// When the bytes are none.
pub fn read_descriptors(bytes: &[u8]) -> io::Result<FileDescriptorSet> {
    let mut set = FileDescriptorSet::decode(bytes).map_err(io::Error::other)?;
    for file in &mut set.file {
        file.source_code_info = None;
    }
    Ok(set)
}

/// Makes `now` the baseline. What breaks the one before is taken only where `breaking` says so, and no longer once the protocol
/// is published.
///
/// # Errors
/// When something breaks and may not, with what it is; or when a file cannot be read or written.
pub fn renew_baseline(now: &FileDescriptorSet, breaking: bool) -> io::Result<()> {
    let file = baseline_file();
    let found = if file.exists() {
        breaking_changes(&read_baseline()?, now)
    } else {
        Vec::new()
    };
    if !found.is_empty() && (!breaking || is_published()) {
        let remedy = if is_published() {
            "corridor.v1 is published: undo it, or make a corridor.v2"
        } else {
            "undo it, or give --before-publication where it is meant"
        };
        return Err(io::Error::other(format!("{}\n{remedy}", found.join("\n"))));
    }
    std::fs::create_dir_all(file.parent().expect("a file is in a folder"))?;
    std::fs::write(file, now.encode_to_vec())
}
