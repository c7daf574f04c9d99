//! The binary `corridor`: what an office, a researcher or an auditor types.
//!
//! Each command is a module of its own under `commands`; [`Client`] is the line to the service that all of them,
//! and the demonstration, use. Data goes to standard output, talk to standard error; errors end with a hint;
//! [`Exit`] lists the exit codes.

mod answer;
mod args;
mod client;
mod commands;
mod failure;
mod flow_answer;
mod output;
mod patience;
mod uploading;

pub use args::Cli;
pub use client::{Client, ClientError, ClientResult, Connection, ServiceConfig, Violation};
pub use commands::run;
pub use failure::{Exit, classify};
pub use patience::LineTerms;
pub use uploading::{UploadEvent, to_frames};
