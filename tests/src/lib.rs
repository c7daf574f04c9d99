//! What the system tests and the code generator share.

mod binaries;
mod codegen;
mod job;
pub mod sample;
mod workspace;

pub use binaries::{Outcome, ServerProcess, binaries, command, corridor, server_command};
pub use codegen::{GENERATED_FILES, generate};
pub use job::{Job, OFFICES, Terms, fixture, write_private};
pub use workspace::{rust_files, workspace_root};
