use std::path::PathBuf;

use clap::{Args, Subcommand};
use corridor_core::Digest;
use corridor_core::audit::LogKey;

use super::{CandidatesArgs, PassphraseArgs, ServiceArgs};
use crate::failure::parse_digest;

/// Reads the key of a log.
fn parse_key(text: &str) -> Result<LogKey, String> {
    text.trim()
        .parse()
        .map_err(|error: corridor_core::audit::NoteError| error.to_string())
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Gets a signed checkpoint of the log: how long it is, and the root over all its entries. Keep what you get.
    ///
    /// A checkpoint of before given with --earlier is held against the log of now: the command fails when the log does not continue
    /// it. Without --key the key the service shows is trusted: compare it by telephone once, with what corridor-server audit-key
    /// prints.
    ///
    /// Example: corridor audit checkpoint --key "$(cat log.key)" --earlier monday.checkpoint --out tuesday.checkpoint
    Checkpoint {
        /// Where to write it; to standard output when not given.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// A checkpoint of before; repeat for each.
        #[arg(long, value_name = "FILE")]
        earlier: Vec<PathBuf>,
        /// The key of the log, as it was written down: name+hash+base64.
        #[arg(long, value_name = "KEY", value_parser = parse_key)]
        key: Option<LogKey>,
        #[command(flatten)]
        service: ServiceArgs,
    },
    /// Writes the whole log, as far as this party may read it, and checks it.
    ///
    /// An office or administrator gets the entries about its own agreements and about the service as a whole, and of all others the
    /// hash alone, which tells nothing; auditors and operators get all.
    ///
    /// Example: corridor audit export --out log.audit --service service.toml
    Export {
        /// Where to write it.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// The key of the log, as it was written down.
        #[arg(long, value_name = "KEY", value_parser = parse_key)]
        key: Option<LogKey>,
        #[command(flatten)]
        service: ServiceArgs,
    },
    /// Checks an export, without the service: that each entry is the one that was signed for, at its place, and that the log continues
    /// every checkpoint and export kept from before, by this office or by the other. Says which entry was altered, removed, moved or
    /// added. Exit code 1 when anything was.
    ///
    /// Example: corridor audit verify log.audit --key "$(cat log.key)" --checkpoint mine.checkpoint --checkpoint theirs.checkpoint
    Verify {
        /// The export.
        file: PathBuf,
        /// A checkpoint or an export of before; repeat for each.
        #[arg(long, value_name = "FILE")]
        checkpoint: Vec<PathBuf>,
        /// The text of every entry must be there, as in an auditor's export. An office has the hashes alone of what is not about it;
        /// that the text of another is missing, too, shows against an earlier export that has it.
        #[arg(long)]
        complete: bool,
        /// The key of the log, as it was written down; the one in the export when not given, which proves little by itself.
        #[arg(long, value_name = "KEY", value_parser = parse_key)]
        key: Option<LogKey>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Lists what of released results was sent to whom, under which rule of disclosure control.
    ///
    /// Example: corridor audit disclosures --agreement AGREEMENT --json --service service.toml
    Disclosures {
        /// The agreement's digest; all of this party's when not given.
        #[arg(long, value_parser = parse_digest)]
        agreement: Option<Digest>,
        /// As JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        service: ServiceArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// The manifest.
    pub(crate) manifest: PathBuf,
    /// The agreement, as saved by corridor agreement show.
    #[arg(long, value_name = "FILE")]
    pub(crate) agreement: PathBuf,
    /// The origin's dataset.
    #[arg(long, value_name = "FILE")]
    pub(crate) origin: PathBuf,
    /// The destination's dataset.
    #[arg(long, value_name = "FILE")]
    pub(crate) destination: PathBuf,
    /// A table released before that the result was held against: flows.json or flows.parquet of corridor flows export; repeat for
    /// each.
    #[arg(long, value_name = "FILE")]
    pub(crate) released: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) candidates: CandidatesArgs,
    /// As JSON.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseArgs,
}
