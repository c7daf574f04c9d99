use std::process::ExitCode;

use corridor_core::Digest;
use corridor_encode::clkhash::ClkError;
use corridor_encode::{
    DecryptError, DecryptFileError, EncodeError, ExchangeError, ExtractError, KeyFileError, MappingError,
    PartyError, WriteError,
};
use corridor_engine::EngineError;
use corridor_flows::{DualSystemError, DurationError, FlowError, MirrorError};
use corridor_link::LinkError;
use corridor_store::DatasetFileError;

use crate::client::ClientError;

/// How a command ended, as an exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It did what was asked.
    Ok,
    /// It failed for another reason.
    Failed,
    /// The command line is wrong (clap's own code).
    Usage,
    /// A file given to it cannot be used.
    Input,
    /// The service refused.
    Refused,
    /// The service cannot be reached.
    Unreachable,
}

impl Exit {
    /// The number.
    pub const fn to_number(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Input => 3,
            Self::Refused => 4,
            Self::Unreachable => 5,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.to_number())
    }
}

/// An error of this program's own that is about what was given to it.
#[derive(Debug, thiserror::Error)]
#[error("{problem}")]
pub(crate) struct InputError {
    pub(crate) problem: String,
    pub(crate) hint: String,
}

/// An error about a file or argument, with what to do.
pub(crate) fn input_error(problem: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
    InputError {
        problem: problem.into(),
        hint: hint.into(),
    }
    .into()
}

/// The exit code of an error, and what to do about it.
pub fn classify(error: &anyhow::Error) -> (Exit, String) {
    for cause in error.chain() {
        if let Some(found) = classify_one(cause) {
            return found;
        }
    }
    (
        Exit::Failed,
        "the line above says what failed; corridor --help lists the commands".to_owned(),
    )
}

fn classify_one(cause: &(dyn std::error::Error + 'static)) -> Option<(Exit, String)> {
    let input = |hint: &str| Some((Exit::Input, hint.to_owned()));
    if let Some(error) = cause.downcast_ref::<InputError>() {
        return Some((Exit::Input, error.hint.clone()));
    }
    if let Some(error) = cause.downcast_ref::<ClientError>() {
        return Some((error.exit(), error.hint()));
    }
    if let Some(error) = cause.downcast_ref::<EncodeError>() {
        return match error {
            EncodeError::Extract(error) => input(extract_hint(error)),
            EncodeError::FieldUnmapped { .. } => {
                input("add the column to the mapping, or agree on other match fields")
            }
            EncodeError::NothingEncoded { .. } => {
                input("check the mapping with corridor inspect; the codes or the order of dates may be wrong")
            }
            EncodeError::ValuesUnreadable { .. } => input(
                "correct the order of dates or the codes in the mapping; corridor inspect counts what is understood",
            ),
            EncodeError::Write(error) => classify_one(error),
            EncodeError::Scratch(_) => Some((
                Exit::Failed,
                "make room beside the dataset, about its size, and run the command again; nothing was left behind".to_owned(),
            )),
            EncodeError::RowsRefused { .. } => input(
                "correct the rows or the mapping, or leave such rows out, counted, with --max-refused (as in 1%)",
            ),
        };
    }
    if let Some(error) = cause.downcast_ref::<ExtractError>() {
        return input(extract_hint(error));
    }
    if cause.is::<MappingError>() {
        return input("corridor mapping init FILE drafts a mapping to start from");
    }
    if let Some(error) = cause.downcast_ref::<KeyFileError>() {
        return input(match error {
            KeyFileError::Exists { .. } => {
                "name another file; the old one may still be needed to read old pseudonyms"
            }
            KeyFileError::Mode { .. } => "chmod 600 the file, and think about who may have read it",
            KeyFileError::Passphrase { .. } => "check the passphrase; without it the key cannot be recovered",
            KeyFileError::Format { .. } | KeyFileError::Kind { .. } => {
                "check that this is the file you meant"
            }
            KeyFileError::Io { .. } => "check the path and the permissions",
        });
    }
    if let Some(error) = cause.downcast_ref::<ClkError>()
        && !matches!(error, ClkError::Write(_))
    {
        return input(clk_hint(error));
    }
    if cause.is::<PartyError>() {
        return input(
            "do not encode: ask who proposed this agreement. If an office has new keys, exchange keys again first",
        );
    }
    if cause.is::<ExchangeError>() {
        return input(
            "ask the other office to send its message again, and compare fingerprints by telephone",
        );
    }
    if let Some(error) = cause.downcast_ref::<DecryptFileError>() {
        return match error {
            DecryptFileError::Decrypt { source, .. } => input(match source {
                DecryptError::Format(_) => "check that it was written by corridor encode --encrypt",
                DecryptError::Passphrase => {
                    "check the passphrase, which is that of the key files when the register was encoded"
                }
                DecryptError::Io(_) => {
                    "check the path and the permissions, or copy the file again from where it was written"
                }
            }),
            DecryptFileError::Write(error) => classify_one(error),
        };
    }
    if let Some(error) = cause.downcast_ref::<WriteError>() {
        return input(match error {
            WriteError::Exists { .. } => "name another file, or move the old one away",
            WriteError::Io { .. } => {
                "check the folder, the permissions and the room on the disk; nothing was left behind"
            }
        });
    }
    if let Some(error) = cause.downcast_ref::<DualSystemError>() {
        return input(estimate_hint(error));
    }
    if cause.is::<MirrorError>() {
        return input("correct the table, or the codes named; corridor mirror --help says what it takes");
    }
    if cause.is::<DurationError>() {
        return input("correct the durations, which are in months, or name another --durations or --rate");
    }
    if cause.is::<DatasetFileError>() {
        return input("encode the register again, or copy the file again from where it was written");
    }
    if let Some(EngineError::Link(error)) = cause.downcast_ref::<EngineError>() {
        return Some((Exit::Failed, link_hint(error).to_owned()));
    }
    if let Some(EngineError::Flow(error)) = cause.downcast_ref::<EngineError>() {
        let exit = match error {
            FlowError::NothingInPeriod { .. } | FlowError::RuleUnknown { .. } => Exit::Input,
            FlowError::EventOutOfRange
            | FlowError::EventPairedTwice
            | FlowError::PairDirection
            | FlowError::RecordKeys { .. } => Exit::Failed,
        };
        return Some((exit, flow_hint(error).to_owned()));
    }
    if let Some(EngineError::RunRefused { .. }) = cause.downcast_ref::<EngineError>() {
        let hint = "take one of the ways the message names";
        return Some((Exit::Failed, hint.to_owned()));
    }
    if let Some(error) = cause.downcast_ref::<std::io::Error>()
        && matches!(
            error.kind(),
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded
        )
    {
        let hint = "make room on the disk and run the command again; nothing half-written was left behind";
        return Some((Exit::Failed, hint.to_owned()));
    }
    cause
        .downcast_ref::<LinkError>()
        .map(|error| (Exit::Failed, link_hint(error).to_owned()))
}

fn estimate_hint(error: &DualSystemError) -> &'static str {
    match error {
        DualSystemError::NotACount { .. } => "write a whole number that is not below 0",
        DualSystemError::AboveList { .. }
        | DualSystemError::MarginAboveList { .. }
        | DualSystemError::TrimmedAway { .. } => {
            "check the counts: what is in both lists is also in each of them"
        }
        DualSystemError::BootstrapUnbounded { .. }
        | DualSystemError::LinksAllFalse { .. }
        | DualSystemError::NothingMatched { .. }
        | DualSystemError::StrataTooThin { .. } => {
            "more moves must be found in both lists before anything can be said"
        }
        DualSystemError::OutOfRange {
            name: "replicates", ..
        } => "give --replicates 1000, or 0 for no bootstrap",
        DualSystemError::OutOfRange { .. } | DualSystemError::RatesIndistinguishable { .. } => {
            "check the rates: alpha is the share of matches that are linked, beta the share of others linked falsely"
        }
        DualSystemError::LevelUnlinked { .. }
        | DualSystemError::RatesDiffer
        | DualSystemError::StratumEmpty { .. }
        | DualSystemError::StratumRepeated { .. }
        | DualSystemError::TestEmptyMargin { .. } => "leave the group out, or join it with another",
        DualSystemError::CellsMismatch { .. } | DualSystemError::Nothing(_) => {
            "corridor estimate --help says what the input looks like"
        }
        DualSystemError::Stratum { problem, .. } => estimate_hint(problem),
    }
}

fn extract_hint(error: &ExtractError) -> &'static str {
    match error {
        ExtractError::ColumnMissing { .. } => {
            "correct the column's name in the mapping; if the whole header looks like one column, set file.delimiter"
        }
        ExtractError::ColumnRepeated { .. } => "rename one of the two columns",
        ExtractError::ColumnUnreadable { .. } => {
            "write the column as text, number or date, or leave it out of the mapping"
        }
        ExtractError::Empty { .. } => "check that this is the file you meant, and that its export ended",
        ExtractError::RecordIdRepeated { .. } => {
            "record ids must be unique; name another column as record_id, or person_key for the id of a person"
        }
        ExtractError::NotText { .. } => {
            "read are CSV, Parquet and XLSX: say in the mapping under [file] how this one is written, or save it as CSV in UTF-8"
        }
        ExtractError::PutAside(_) => {
            "make room in the folder of temporary files, or set TMPDIR to another folder"
        }
        ExtractError::Read { .. } => "check the path and the permissions",
        ExtractError::SheetMissing { .. } => {
            "correct file.sheet in the mapping, or leave it out to read the first sheet"
        }
    }
}

fn clk_hint(error: &ClkError) -> &'static str {
    match error {
        ClkError::Empty => "check that this is the file you meant, and that its export ended",
        ClkError::FieldTooLong { .. } => {
            "close the quote, or shorten the value; clkhash cannot read it either"
        }
        ClkError::Header { .. } | ClkError::HeaderLength { .. } => {
            "name the columns as the schema does, or give --header ignore, or --no-header when the first row is a person"
        }
        ClkError::Json { .. } => "correct the schema; jsonlint or python -m json.tool show where",
        ClkError::NotUtf8 { .. } => "save the file as CSV in UTF-8 and try again",
        ClkError::Read(_) => "check the path and the permissions",
        ClkError::RowLength { .. } => {
            "give every row as many columns as the schema has features; an empty line counts as a row"
        }
        ClkError::Schema { .. } => "correct the schema there; both data owners must use the same",
        ClkError::SecretEmpty => "write the secret that the data owners share into the file",
        ClkError::Value { .. } => {
            "correct the value, or the schema, or leave formats unchecked with --no-validate"
        }
        ClkError::Write(_) => "check the folder, the permissions and the room on the disk",
    }
}

fn flow_hint(error: &FlowError) -> &'static str {
    match error {
        FlowError::NothingInPeriod { .. } => {
            "give the years that the registers cover with --from-year and --to-year, and check the counterpart column with corridor \
             inspect"
        }
        FlowError::RuleUnknown { .. } => {
            "say in the mapping until when the register was observed ([stay] observed_until), or which moves count, or take another --duration-rule"
        }
        FlowError::EventOutOfRange
        | FlowError::EventPairedTwice
        | FlowError::PairDirection
        | FlowError::RecordKeys { .. } => "this is a defect of the program; please report it",
    }
}

fn link_hint(error: &LinkError) -> &'static str {
    match error {
        LinkError::FieldsIndeterminate => {
            "a field-level linkage needs at least two fields that tell people apart and some people in common; look at both \
             registers with corridor inspect, encode more match fields, or use a record-level profile"
        }
        LinkError::ThresholdIndeterminate => {
            "check with corridor inspect that both registers hold the same kind of people, or give --threshold"
        }
        LinkError::LshNeedsBloomFilters => {
            "take a Bloom profile, such as clk-1024, or leave --lsh-recall out"
        }
        LinkError::Scratch(_) => "make room on the disk, or hold more in memory with --candidates-in-memory",
        LinkError::Stopped(_) => "start it again",
        LinkError::RecordsIndistinguishable => "encode more match fields: these say too little of a person",
        LinkError::EmptySide | LinkError::FilterLengthMismatch { .. } | LinkError::Matrix(_) => {
            "check that both files are the ones you meant"
        }
    }
}

/// Reads a digest given on the command line.
pub(crate) fn parse_digest(text: &str) -> Result<Digest, String> {
    text.parse::<Digest>().map_err(|error| error.to_string())
}
