use std::sync::Arc;

use corridor_core::audit::ProofError;
use corridor_core::{AgreementError, GateReport, RunState, SignatureError};
use corridor_flows::{DisclosureError, FlowError};
use corridor_link::LinkError;
use corridor_store::{DatasetFileError, StoreError};

use crate::compute::ComputeError;
use crate::limits::{Refusal, to_text};

/// Why a use case was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The proposed agreement breaks a rule.
    #[error(transparent)]
    Agreement(#[from] AgreementError),
    /// Not both offices signed.
    #[error("the agreement is not in force: both offices must sign it first")]
    AgreementNotInForce,
    /// A computation.
    #[error(transparent)]
    Compute(#[from] ComputeError),
    /// The bytes received are not those declared.
    #[error("the bytes received have another digest than declared")]
    ContentMismatch,
    /// The dataset file.
    #[error(transparent)]
    DatasetFile(#[from] DatasetFileError),
    /// Not all bytes are there.
    #[error("{acknowledged} of {declared} bytes are there; upload the rest before sealing")]
    DatasetIncomplete {
        /// Bytes there.
        acknowledged: u64,
        /// Bytes declared.
        declared: u64,
    },
    /// The dataset does not fit the agreement or its declaration.
    #[error("the dataset does not fit: its {what} is not the one {expected_by}")]
    DatasetMismatch {
        /// What does not fit.
        what: &'static str,
        /// Who expected another.
        expected_by: &'static str,
    },
    /// The dataset is larger than this service takes.
    #[error("the dataset has {bytes} bytes; this service takes at most {limit}")]
    DatasetTooLarge {
        /// Bytes declared.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// Not both datasets are sealed.
    #[error("both offices must seal a dataset under this agreement first")]
    DatasetsMissing,
    /// The table cannot be protected.
    #[error(transparent)]
    Disclosure(#[from] DisclosureError),
    /// The events of two registers.
    #[error(transparent)]
    Flow(#[from] FlowError),
    /// The checksum of a frame does not fit its bytes.
    #[error("the checksum of frame {sequence} does not fit its bytes; send it again")]
    FrameChecksum {
        /// Which.
        sequence: u64,
    },
    /// The dataset does not look as agreed.
    #[error(
        "the dataset does not pass the gate ({}); nothing of it was kept, and another can be uploaded",
        report.failed_names()
    )]
    GateFailed {
        /// Every check, for the dataset's own office.
        report: GateReport,
    },
    /// A register with events and one without.
    #[error("the registers hold persons only, so there is no flow table")]
    NoEvents,
    /// The link step.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// Filters that are compared in two ways.
    #[error("the two datasets have filters that are compared in different ways")]
    MeasureMismatch,
    /// There is no such thing, or it is not the caller's to see.
    #[error("no such {what} for this party")]
    NotFound {
        /// What.
        what: &'static str,
    },
    /// The caller is no party.
    #[error("only the offices of an agreement may do this")]
    NotParty,
    /// The agreement lets the caller read other things.
    #[error("the agreement does not let this party read {what}")]
    NotReadable {
        /// What.
        what: &'static str,
    },
    /// A proof that cannot be.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// The agreement does not allow it.
    #[error("the agreement does not allow {what} to leave")]
    OutputNotAllowed {
        /// What.
        what: &'static str,
    },
    /// Not both offices released the result.
    #[error("both offices must release the result of this run before either sees it")]
    NotReleased,
    /// The run has no result to release or show.
    #[error("the run is {state} and has no result yet")]
    NoResult {
        /// Its state.
        state: RunState,
    },
    /// A run that cannot be stopped any more.
    #[error("the run is {state} and cannot be cancelled")]
    NotCancellable {
        /// Its state.
        state: RunState,
    },
    /// The run would need more than it may have.
    #[error("{}", to_text(refusals))]
    RunRefused {
        /// Each limit it would pass, with the reason and what would help.
        refusals: Vec<Refusal>,
    },
    /// The run was started by another version of this program.
    #[error("the run was started by another version of this program")]
    OtherVersion,
    /// The dataset was refused at its seal, and nothing of it was kept.
    #[error("{0}")]
    Refused(Arc<EngineError>),
    /// Another table of the same countries and years left since this one was made.
    #[error(
        "another table of the same countries and years was released since this one was made, and could be subtracted from it; propose the agreement again with revises = the digest of the other, sign it, upload and run it"
    )]
    ReleasedMeanwhile,
    /// A signature.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A stored result this program cannot read.
    #[error("a stored result cannot be read")]
    StoredResult,
}

impl EngineError {
    /// The failure itself, where this tells of one again.
    pub fn cause(&self) -> &Self {
        if let Self::Refused(error) = self {
            return error.cause();
        }
        self
    }

    /// Why a dataset was refused or a run failed, in a word for the audit log.
    pub(crate) fn to_word(&self) -> &'static str {
        match self {
            Self::Agreement(_) => "agreement",
            Self::AgreementNotInForce => "agreement_not_in_force",
            Self::Compute(_) => "compute",
            Self::ContentMismatch => "content_mismatch",
            Self::DatasetFile(_) => "dataset_file",
            Self::DatasetMismatch { .. } => "dataset_mismatch",
            Self::Disclosure(_) => "not_disclosable",
            Self::Flow(_) => "flow",
            Self::GateFailed { .. } => "gate",
            Self::Link(LinkError::Scratch(_)) => "scratch",
            Self::Link(_) => "not_linkable",
            Self::MeasureMismatch => "measure_mismatch",
            Self::NoEvents => "no_events",
            Self::OtherVersion => "other_version",
            Self::Refused(error) => error.to_word(),
            Self::RunRefused { .. } => "run_refused",
            Self::Store(StoreError::KeyCheckMismatch) => "key_check_mismatch",
            Self::Store(_) => "store",
            Self::StoredResult => "stored_result",
            Self::DatasetIncomplete { .. }
            | Self::DatasetTooLarge { .. }
            | Self::DatasetsMissing
            | Self::FrameChecksum { .. }
            | Self::NoResult { .. }
            | Self::NotCancellable { .. }
            | Self::NotFound { .. }
            | Self::NotParty
            | Self::NotReadable { .. }
            | Self::NotReleased
            | Self::OutputNotAllowed { .. }
            | Self::Proof(_)
            | Self::ReleasedMeanwhile
            | Self::Signature(_) => "refused",
        }
    }
}
