use std::io;
use std::path::Path;

use prost::Message as _;

use crate::workspace_root;

/// The files [`generate`] writes.
pub const GENERATED_FILES: [&str; 2] = ["corridor.v1.rs", "corridor.v1.bin"];

/// Generates the Rust code and the descriptor set of `proto/` into `folder`, without `protoc`.
///
/// # Errors
/// When a proto file does not compile or a file cannot be written.
pub fn generate(folder: &Path) -> io::Result<()> {
    let proto = workspace_root().join("proto");
    let files = ["agreement", "audit", "dataset", "flow", "run"]
        .map(|name| proto.join(format!("corridor/v1/{name}.proto")));
    let descriptors = protox::compile(files, [proto]).map_err(io::Error::other)?;
    std::fs::write(folder.join(GENERATED_FILES[1]), descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        .bytes(".corridor.v1.UploadDatasetRequest.data")
        .emit_rerun_if_changed(false)
        .out_dir(folder)
        .compile_fds(descriptors)
}
