use std::path::PathBuf;

use clap::{Args, Subcommand};
use corridor_core::Digest;

use super::{ReplayArgs, ServiceArgs, parse_digest};

#[derive(Debug, Subcommand)]
pub(crate) enum RunCommand {
    /// Says what the run of an agreement would compare, find and need, in memory and time, and whether the service would
    /// take it: if not, why, and what would help. Changes nothing. Counts are rounded to two digits.
    ///
    /// Example: corridor run plan AGREEMENT --service service.toml
    Plan {
        /// The agreement's digest.
        #[arg(value_parser = parse_digest)]
        agreement: Digest,
        /// As JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        service: ServiceArgs,
    },
    /// Starts the run of an agreement and prints its id. Starting it again gives the same run; one that failed or
    /// was cancelled goes on where it was.
    ///
    /// Example: corridor run start AGREEMENT --service service.toml
    Start {
        /// The agreement's digest.
        #[arg(value_parser = parse_digest)]
        agreement: Digest,
        #[command(flatten)]
        service: ServiceArgs,
    },
    /// Follows a run until it ends or waits for release.
    ///
    /// Example: corridor run watch RUN --service service.toml
    Watch(RunArgs),
    /// Shows a run.
    ///
    /// Example: corridor run show RUN --json --service service.toml
    Show(RunArgs),
    /// Stops a run. What it has done is kept.
    ///
    /// Example: corridor run cancel RUN --service service.toml
    Cancel(RunArgs),
    /// Shows how the links of a released run were decided, how good they are and for whom they are worse: for its offices, and for the
    /// administrators, auditors and researchers its agreement names.
    ///
    /// Example: corridor run quality RUN --service service.toml
    Quality(RunArgs),
    /// Writes what the result of a run was made of: agreement, datasets, tables it was held against, program and seed, by digest.
    ///
    /// Example: corridor run manifest RUN --out manifest.json --service service.toml
    Manifest {
        /// The run's id.
        #[arg(value_parser = parse_digest)]
        run: Digest,
        /// Where to write it.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        #[command(flatten)]
        service: ServiceArgs,
    },
    /// Makes a result again from its manifest and the inputs it names, here and without a service, and says whether the same bytes
    /// come out, or what differs: the agreement, a dataset, a released table, the version of the program, or the result alone.
    ///
    /// Shows no figure. For whoever may hold both datasets, such as an auditor both offices gave them to. Exit code 1 when anything
    /// differs.
    ///
    /// Example: corridor run replay manifest.json --agreement agreement.json --origin a.parquet --destination b.parquet
    Replay(ReplayArgs),
    /// Writes the linked pairs of pseudonyms of a released run, when the agreement allows link lists.
    ///
    /// Example: corridor run links RUN -o links.csv --service service.toml
    Links {
        /// The run's id.
        #[arg(value_parser = parse_digest)]
        run: Digest,
        /// Where to write them.
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
        #[command(flatten)]
        service: ServiceArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The run's id.
    #[arg(value_parser = parse_digest)]
    pub(crate) run: Digest,
    /// As JSON.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) service: ServiceArgs,
}
