//! What the system tests and the code generator share.

mod codegen;

pub use codegen::{GENERATED_FILES, generate, workspace_root};
