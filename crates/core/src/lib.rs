//! The words of Corridor: what every other crate speaks of.
//!
//! An [`Agreement`] between two offices names a [`Corridor`], how records become filters and what may
//! leave; its [`Digest`] is carried by every [`EncodedDataset`], which holds, per record, a [`Pseudonym`],
//! a filter in [`Filters`] and a coarse [`MigrationEvent`]. Time comes from a [`Clock`] and randomness from
//! an [`Entropy`], both passed as arguments.
//!
//! Every step at a service is an entry of an [`audit`] log whose later state can be held against an earlier one.
//!
//! Nothing here reads, writes, waits, or knows a secret key.
//!
//! ```
//! use corridor_core::{Corridor, CountryCode, Destination, Origin, Threshold};
//!
//! let tunisia: CountryCode = "TUN".parse()?;
//! let corridor = Corridor::try_new(Origin(tunisia), Destination("IT".parse()?))?;
//! assert_eq!(corridor.to_string(), "TN-IT");
//! assert!("1.5".parse::<Threshold>().is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Errors
//! Each type has its own small error, whose message says what was expected.
#![warn(clippy::as_conversions)]

mod agreement;
pub mod audit;
mod caller;
mod certificate;
mod clock;
mod corridor;
mod dataset;
mod decimal;
mod digest;
mod entropy;
mod event;
mod filter;
mod former;
mod gate;
mod office;
mod profile;
mod recall;
mod scratch;
mod signature;
mod statistics;
mod status;
mod stop;
mod threshold;
mod thrift;

pub use agreement::{
    AGREEMENT_VERSION, Agreement, AgreementError, Assignment, AssignmentError, DefinitionDigests,
    DisclosureMethod, DisclosureRule, EncodingTerms, LinkageTerms, Output, Period, Reader, ReleaseStatus,
    SignedAgreement, Standing,
};
pub use caller::{Caller, Role, RoleError};
pub use certificate::{
    CertificateError, CertificateSigner, CertifiedPurge, DeletionCertificate, PurgeReason, SignedCertificate,
};
pub use clock::{Clock, Stopwatch, SystemClock};
pub use corridor::{
    Corridor, CorridorError, CountryCode, CountryCodeError, CountryCoding, Destination, Origin,
};
pub use dataset::{
    BlockColumn, BlockKey, DatasetManifest, EncodedDataset, Pseudonym, SEAL_TAIL_BYTES, column, find_seal,
    metadata,
};
pub use digest::{Digest, DigestError};
pub use entropy::{Entropy, OsEntropy, SeededEntropy, fill};
pub use event::{
    AgeBand, AgeBands, AgeBandsError, Counterpart, DatePrecision, Direction, EventDate, MigrationEvent,
    MoverFacts, Sex,
};
pub use filter::Filters;
pub use gate::{FilterShape, GateCheck, GateCheckName, GateOutcome, GateReport, GateTerms};
pub use jiff::Timestamp;
pub use office::{Office, OfficeId, OfficeIdError, Side};
pub use profile::{Construction, FilterLen, FilterLenError, Measure, Profile, ProfileError, ThresholdPolicy};
pub use recall::{Recall, RecallError};
pub use scratch::{Scratch, ScratchRoom};
pub use signature::{PublicKey, PublicKeyError, Signature, SignatureError, SigningPurpose};
pub use statistics::{
    CountryGroup, CountryGroups, DurationRule, MigratoryStatus, NamedCountries, PeriodUnit, Reason, RuleFlag,
    StatisticsTerms, StayFlags, Variable,
};
pub use status::{DatasetDeclaration, DatasetState, DatasetStatus, RunState, RunStatus};
pub use stop::{Stop, Stopped};
pub use threshold::{Threshold, ThresholdError};
pub use thrift::thrift_struct_len;
