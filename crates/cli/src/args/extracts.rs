//! Arguments of the commands that look at a register before anything is encoded.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum MappingCommand {
    /// Drafts a mapping from a file's header and first rows, for a person to correct.
    ///
    /// Takes CSV in any of the encodings that mappings can declare, Parquet and XLSX. What was guessed says so.
    ///
    /// Example: corridor mapping init register.xlsx -o mapping.toml
    Init {
        /// The register: CSV, Parquet or XLSX.
        file: PathBuf,
        /// Where to write it; standard output when not given.
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Says what a mapping would do to the first rows of a register, and how many of all rows it would refuse.
    ///
    /// Shows of each field how it is written and what becomes of it: codes as they are, since they are the same for
    /// many people, and of everything else length, script and shape only (9 for a digit, A for a letter). With
    /// --show-values also the values themselves, for somebody who may see the register. Exit code 3 when a row would
    /// be refused.
    ///
    /// Example: corridor mapping check register.csv --mapping mapping.toml --rows 10
    Check {
        /// The register: CSV, Parquet or XLSX.
        file: PathBuf,
        /// What its columns are.
        #[arg(long, value_name = "FILE")]
        mapping: PathBuf,
        /// Rows to show.
        #[arg(long, default_value = "5", value_parser = clap::value_parser!(u16).range(0..=1000))]
        rows: u16,
        /// Show the values of the persons in these rows, on standard output.
        #[arg(long)]
        show_values: bool,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// The register: CSV, Parquet or XLSX.
    pub(crate) input: PathBuf,
    /// What its columns are.
    #[arg(long, value_name = "FILE")]
    pub(crate) mapping: PathBuf,
    /// As JSON, in a form that stays.
    #[arg(long)]
    pub(crate) json: bool,
}
