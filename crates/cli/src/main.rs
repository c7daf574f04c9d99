//! The binary `corridor`.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use corridor_cli::{Cli, Exit, classify, run};

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => Exit::Ok.into(),
        Err(error) => {
            let (exit, hint) = classify(&error);
            // There is nobody to tell when standard error is closed.
            drop(writeln!(std::io::stderr(), "error: {error:#}\nhint: {hint}"));
            exit.into()
        }
    }
}
