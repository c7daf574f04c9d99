//! Arguments of the command that describes what an office's figures mean.

use std::path::PathBuf;

use clap::Subcommand;
use corridor_core::CountryCode;

#[derive(Debug, Subcommand)]
pub(crate) enum ManifestCommand {
    /// Writes a manifest to fill in, with every key explained.
    ///
    /// Every rule is "unknown" until somebody says otherwise. With --country, what is published of the rules of one of 32
    /// European countries is filled in; each such line names its source and asks to be checked.
    ///
    /// Example: corridor manifest init --country IT -o manifest.toml
    Init {
        /// The country whose moves the office counts (ISO 3166-1, or Eurostat's EL and UK).
        #[arg(long, value_name = "CODE", value_parser = parse_country)]
        country: Option<CountryCode>,
        /// Where to write it; standard output when not given.
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Checks a manifest, alone or against the register it describes.
    ///
    /// Lists what is not said, and what the manifest and the register cannot both be right about, by name and with counts, never
    /// with a value of a record. Exit code 3 when there is a contradiction; doubts alone leave it 0.
    ///
    /// Example: corridor manifest check manifest.toml --extract register.csv --mapping mapping.toml
    Check {
        /// The manifest (TOML or JSON).
        file: PathBuf,
        /// The register: CSV, Parquet or XLSX.
        #[arg(long, value_name = "FILE", requires = "mapping")]
        extract: Option<PathBuf>,
        /// What its columns are.
        #[arg(long, value_name = "FILE", requires = "extract")]
        mapping: Option<PathBuf>,
        /// As JSON, in a form that stays.
        #[arg(long)]
        json: bool,
    },
    /// Lists why the figures of two offices will differ, before any record moves.
    ///
    /// Holds the origin's rules of emigration against the destination's rules of immigration. Each difference has a reason (D
    /// duration, B basis, C coverage, U under-registration, L late registration, T timing, P partner, X territory, O over-coverage,
    /// K linkage, R rounding), which count it tends to make the higher one, and where there are published figures how much it may
    /// be. What an office does not say is listed and never taken for agreement. For the way back, give the files the other way
    /// round.
    ///
    /// Example: corridor manifest diff tunisia.toml italy.toml
    Diff {
        /// The manifest of the country people leave.
        origin: PathBuf,
        /// The manifest of the country people come to.
        destination: PathBuf,
        /// As JSON, in a form that stays.
        #[arg(long)]
        json: bool,
    },
}

/// Reads a country given on the command line.
fn parse_country(text: &str) -> Result<CountryCode, String> {
    text.parse::<CountryCode>().map_err(|error| error.to_string())
}
