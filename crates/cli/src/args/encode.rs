//! Arguments of encode: for this project's encodings, or for clkhash's.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use corridor_core::OfficeId;

use super::{PassphraseArgs, SchemaFileArgs, parse_share, parse_threads};

/// What must be given, in either way.
const USAGE: &str = "\
corridor encode [OPTIONS] --mapping <FILE> --agreement <FILE> --key <FILE> --pseudonyms <FILE> --output <FILE> <INPUT>
       corridor encode [OPTIONS] --clkhash-schema <FILE> --secret-file <FILE> --output <FILE> <INPUT>";

#[derive(Debug, Args)]
#[command(override_usage = USAGE)]
pub(crate) struct EncodeArgs {
    /// The register: CSV, Parquet or XLSX.
    pub(crate) input: PathBuf,
    /// What its columns are.
    #[arg(long, value_name = "FILE", required_unless_present = "clkhash_schema")]
    pub(crate) mapping: Option<PathBuf>,
    /// The agreement in force, as saved by corridor agreement show.
    #[arg(long, value_name = "FILE", required_unless_present = "clkhash_schema")]
    pub(crate) agreement: Option<PathBuf>,
    /// The project key.
    #[arg(long, value_name = "FILE", required_unless_present = "clkhash_schema")]
    pub(crate) key: Option<PathBuf>,
    /// Which office this is, when the mapping's reporter does not say it.
    #[arg(long)]
    pub(crate) office: Option<OfficeId>,
    /// Where to write the pseudonym list, which stays in the office.
    #[arg(long, value_name = "FILE", required_unless_present = "clkhash_schema")]
    pub(crate) pseudonyms: Option<PathBuf>,
    /// Where to write the dataset.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Share of the rows that may be left out because they cannot be used, as in 1%.
    #[arg(long, value_parser = parse_share, default_value = "0")]
    pub(crate) max_refused: f64,
    /// Threads; one per core when 0.
    #[arg(long, default_value = "0", value_parser = parse_threads)]
    pub(crate) threads: usize,
    /// Encrypt dataset and pseudonym list with the passphrase of the key files; upload and decrypt ask for it.
    #[arg(long)]
    pub(crate) encrypt: bool,
    /// The report as JSON on standard output.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) schema: SchemaFileArgs,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseArgs,
    #[command(flatten)]
    pub(crate) clk: ClkArgs,
}

/// What encodes as clkhash does, instead of what encodes as agreed between two offices.
#[derive(Debug, Args)]
#[command(next_help_heading = "As clkhash 0.18.3 does, without mapping, agreement, key and pseudonyms")]
pub(crate) struct ClkArgs {
    /// The linkage schema of clkhash, JSON.
    #[arg(
        long,
        value_name = "FILE",
        requires = "secret_file",
        conflicts_with_all = ["mapping", "agreement", "key", "office", "pseudonyms", "max_refused", "schema", "encrypt", "passphrase_file"]
    )]
    pub(crate) clkhash_schema: Option<PathBuf>,
    /// File with the secret: all of its bytes but a line end at the end. Only its owner may be able to read it.
    #[arg(long, value_name = "FILE", requires = "clkhash_schema")]
    pub(crate) secret_file: Option<PathBuf>,
    /// What the first row is: the schema's column names (true), a person (false), or names not to be checked (ignore).
    #[arg(
        long,
        value_name = "MODE",
        requires = "clkhash_schema",
        default_value = "true"
    )]
    pub(crate) header: HeaderArg,
    /// The same as --header false.
    #[arg(long, requires = "clkhash_schema", conflicts_with = "header")]
    pub(crate) no_header: bool,
    /// Do not check values against the formats of the schema.
    #[arg(long, requires = "clkhash_schema")]
    pub(crate) no_validate: bool,
    /// Fold as often as the schema's xorFolds says, which clkhash 0.18.3 documents and ignores: not what it writes.
    #[arg(long, requires = "clkhash_schema")]
    pub(crate) honour_xor_folds: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum HeaderArg {
    True,
    False,
    Ignore,
}
