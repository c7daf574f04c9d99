//! Use cases of the service: who may do what, in which order, and the work itself.
//!
//! An [`Engine`] takes calls of an office that is already known by its certificate. It keeps the rules (both
//! signatures before an upload, a dataset that fits its agreement, both releases before a figure is seen), drives
//! runs through their states ([`Engine::work`]), says beforehand what a run will need ([`Engine::plan_run`]) and takes none that
//! needs more than it may have, and does the computing on a bounded pool ([`Compute`]). The linkage
//! itself is a [`Pipeline`], a pure function that an office can rehearse without a service.
//!
//! It knows no gRPC and can reach no linkage key.
//!
//! ```
//! use corridor_engine::Compute;
//!
//! let compute = Compute::new(2)?;
//! assert_eq!(compute.thread_count(), 2);
//! assert_eq!(compute.run_blocking(|| 6 * 7), 42);
//! # Ok::<(), corridor_engine::ComputeError>(())
//! ```
//!
//! # Errors
//! [`EngineError`] says what was refused and what to do; causes inside the service are for its log.

mod access;
mod audit;
mod codec;
mod compute;
mod engine;
mod error;
mod gate;
mod gated;
mod latest;
mod lease;
mod limits;
mod locks;
mod manifest;
mod memory;
mod observer;
mod phase;
mod pipeline;
mod plan;
mod planning;
mod reason;
mod refusal;
mod refusals;
mod released;
mod replay;
mod report;
mod result;
mod results;
mod retention;
mod round;
mod stays;
mod upload;
mod worker;

pub use audit::{AuditLog, VisibleEntry};
pub use codec::{LinkedPair, StoredLinks};
pub use compute::{Compute, ComputeError};
pub use corridor_flows::{CarriedError, Estimate, FlowCounts, FlowRow, FlowTerms, Measure, PublishedTable};
pub use corridor_link::{
    CandidateBudget, CandidateMemory, EventPair, FieldEvidence, FieldReport, LevelReport, LinkError,
};
pub use corridor_store::{
    AuditKey, BulkOptions, DatasetFileError, EncryptionOptions, Frame, MasterKey, MasterKeyError, Orphan,
    S3Options, SealedFrame, Store, StoreError,
};
pub use engine::{Engine, Limits, PROGRAM_VERSION};
pub use error::EngineError;
pub use gate::{ColumnProfile, Gate, GateResult};
pub use lease::{LeaseTiming, LeaseWatch};
pub use limits::{Refusal, RunLimit, RunLimits, SetBy};
pub use manifest::{
    ManifestDataset, ManifestHost, ManifestTable, RunManifest, RunManifestError, table_digest,
};
pub use memory::MemoryPart;
pub use observer::{AttemptOutcome, FailureKind, Happening, Observer, Phase};
pub use pipeline::Pipeline;
pub use plan::{PlannedDatasets, PublicPlan, RunPlan};
pub use replay::{Replay, ReplayDifference, ReplayInputs, replay};
pub use report::{BlockingReport, EstimatorReport, LinkageReport, LshReport, StratumReport};
pub use results::{ReleasedResult, ResultPart, result_digest};
pub use retention::{Deadline, Garbage};
pub use round::{bytes_in_words, count_in_words, seconds_in_words};
pub use upload::{Acknowledgement, FrameDoor, ReceivedFrames};
