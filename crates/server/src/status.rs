//! The one place that decides which gRPC status a failure becomes.

use std::collections::HashMap;
use std::time::Duration;

use corridor_core::{GateReport, Role};
use corridor_engine::{EngineError, StoreError};
use corridor_wire::FieldViolation;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::limits::{Bound, TooMuch};
use crate::operations::call::{current_request_id, note_reason};

/// The domain of every machine-readable reason.
const DOMAIN: &str = "corridor.v1";

/// A status with a message for people and a stable reason code for programs.
fn status(code: Code, reason: &'static str, message: impl Into<String>) -> Status {
    let details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
    finish(code, reason, message, details)
}

/// When a call may be made again that met a database out of reach.
const RETRY_DATABASE: Duration = Duration::from_secs(5);

/// Adds the id of the call, by which its caller and the operator can speak of it, and notes the reason for metrics.
fn finish(code: Code, reason: &'static str, message: impl Into<String>, mut details: ErrorDetails) -> Status {
    note_reason(reason);
    if let Some(id) = current_request_id() {
        details.set_request_info(id.as_str(), "");
    }
    Status::with_error_details(code, message, details)
}

/// A page in a browser that is not among those of the settings.
pub(crate) fn origin_not_allowed() -> Status {
    status(
        Code::PermissionDenied,
        "ORIGIN_NOT_ALLOWED",
        "pages of this origin may not call; grpc_web.allowed_origins of the service lists those that may",
    )
}

/// The service is stopping: what was acknowledged stands, and the call may be made again after a while.
pub(crate) fn draining(retry_after: Duration) -> Status {
    const REASON: &str = "DRAINING";
    let mut details = ErrorDetails::with_error_info(REASON, DOMAIN, HashMap::new());
    details.set_retry_info(Some(retry_after));
    finish(
        Code::Unavailable,
        REASON,
        "the service is stopping; what it acknowledged stands; try again in a moment",
        details,
    )
}

/// Names of codes, as metrics and logs have them.
pub(crate) const OK: &str = code_name(Code::Ok);
pub(crate) const CANCELLED: &str = code_name(Code::Cancelled);
pub(crate) const UNAVAILABLE: &str = code_name(Code::Unavailable);
pub(crate) const UNKNOWN: &str = code_name(Code::Unknown);

/// The name of the code among headers or trailers, where there is one.
pub(crate) fn code_in(headers: &http::HeaderMap) -> Option<&'static str> {
    let code = headers.get(Status::GRPC_STATUS)?;
    Some(code_name(Code::from_bytes(code.as_bytes())))
}

/// The name of a code, as metrics and logs have it.
const fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// A field that is not what it should be: which, what was expected, and why.
pub(crate) fn from_violation(violation: &FieldViolation) -> Status {
    let mut details = ErrorDetails::with_error_info(
        violation.reason.as_str(),
        DOMAIN,
        HashMap::from([("field".to_owned(), violation.field.clone())]),
    );
    details.add_bad_request_violation(&violation.field, &violation.expected);
    finish(
        Code::InvalidArgument,
        violation.reason.as_str(),
        violation.to_string(),
        details,
    )
}

/// A caller without a certificate, or whose certificate names no party of this service.
pub(crate) fn unauthenticated(message: &str) -> Status {
    status(Code::Unauthenticated, "CALLER_UNKNOWN", message)
}

/// A call that is in no table.
pub(crate) fn no_such_call() -> Status {
    status(
        Code::Unimplemented,
        "NO_SUCH_CALL",
        "this service has no such call",
    )
}

/// A caller in a role this call is not for.
pub(crate) fn role_not_allowed(role: Role) -> Status {
    status(
        Code::PermissionDenied,
        "ROLE",
        format!("this call is not for the role {role}"),
    )
}

/// A party with as much under way as it may have: which bound it met, and when to try again.
pub(crate) fn too_much(too_much: TooMuch) -> Status {
    let (reason, what) = match too_much.bound {
        Bound::Rate => ("RATE_LIMIT", "more calls a second than this party may make"),
        Bound::Calls => (
            "CALLS_LIMIT",
            "as many calls of this party under way as it may have",
        ),
        Bound::Uploads => (
            "UPLOADS_LIMIT",
            "as many uploads of this party under way as it may have",
        ),
        Bound::Streams => (
            "STREAMS_LIMIT",
            "as many streams of this party open as it may have",
        ),
    };
    let mut details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
    details.set_retry_info(Some(too_much.retry_after));
    finish(
        Code::ResourceExhausted,
        reason,
        format!("{what}; try again a little later"),
        details,
    )
}

/// A call that took longer than it may.
pub(crate) fn deadline(time: Duration) -> Status {
    status(
        Code::DeadlineExceeded,
        "CALL_TIMEOUT",
        format!("the call took more than the {} s it may", time.as_secs()),
    )
}

/// A caller that sends nothing although it is waited for.
pub(crate) fn stalled(time: Duration) -> Status {
    status(
        Code::DeadlineExceeded,
        "CLIENT_STALLED",
        format!(
            "nothing came for {} s; what was acknowledged is kept, go on from there",
            time.as_secs()
        ),
    )
}

/// A frame larger than any this service takes.
pub(crate) fn frame_too_large(limit: usize) -> Status {
    status(
        Code::InvalidArgument,
        "FRAME_TOO_LARGE",
        format!("a frame has at most {limit} bytes of data"),
    )
}

/// What a caller is told of a failure. The cause of an inner one goes to the log and nowhere else.
pub(crate) fn from_engine(error: EngineError) -> Status {
    let error = error.cause();
    let (code, reason) = classify(error);
    if matches!(code, Code::Internal | Code::ResourceExhausted | Code::Unavailable) {
        tracing::error!(reason, error = error as &dyn std::error::Error, "call failed");
    }
    let message = if code == Code::Internal {
        "the service failed; its operator finds the cause in the log".to_owned()
    } else if code == Code::ResourceExhausted {
        "the service's disk is full; nothing acknowledged is lost; try again when its operator has made room"
            .to_owned()
    } else if code == Code::Unavailable {
        "the service cannot reach its database; nothing acknowledged is lost; try again".to_owned()
    } else {
        error.to_string()
    };
    if let EngineError::GateFailed { report } = error {
        return gate_failed(report, reason, message);
    }
    let mut details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
    if code == Code::Unavailable {
        details.set_retry_info(Some(RETRY_DATABASE));
    }
    finish(code, reason, message, details)
}

/// Only the office whose dataset it is calls for its seal, so the figures go to nobody else.
fn gate_failed(report: &GateReport, reason: &'static str, message: String) -> Status {
    let mut details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
    for check in report.failed() {
        details.add_precondition_failure_violation(
            check.name.as_str(),
            check.figure.to_string(),
            &check.meaning,
        );
    }
    finish(Code::FailedPrecondition, reason, message, details)
}

fn classify(error: &EngineError) -> (Code, &'static str) {
    match error {
        EngineError::Agreement(_) => (Code::InvalidArgument, "AGREEMENT_INVALID"),
        EngineError::AgreementNotInForce => (Code::FailedPrecondition, "AGREEMENT_NOT_IN_FORCE"),
        EngineError::ContentMismatch => (Code::DataLoss, "CONTENT_MISMATCH"),
        EngineError::DatasetFile(_) => (Code::InvalidArgument, "DATASET_FILE"),
        EngineError::DatasetIncomplete { .. } => (Code::FailedPrecondition, "DATASET_INCOMPLETE"),
        EngineError::DatasetMismatch { .. } => (Code::InvalidArgument, "DATASET_MISMATCH"),
        EngineError::DatasetTooLarge { .. } => (Code::InvalidArgument, "DATASET_TOO_LARGE"),
        EngineError::DatasetsMissing => (Code::FailedPrecondition, "DATASETS_MISSING"),
        EngineError::Disclosure(_) => (Code::FailedPrecondition, "NOT_DISCLOSABLE"),
        EngineError::FrameChecksum { .. } => (Code::DataLoss, "FRAME_CHECKSUM"),
        EngineError::GateFailed { .. } => (Code::FailedPrecondition, "GATE_FAILED"),
        EngineError::Flow(_)
        | EngineError::Link(_)
        | EngineError::MeasureMismatch
        | EngineError::NoEvents => (Code::FailedPrecondition, "NOT_LINKABLE"),
        EngineError::NotFound { .. } => (Code::NotFound, "NOT_FOUND"),
        EngineError::NotParty => (Code::PermissionDenied, "NOT_PARTY"),
        EngineError::NotReadable { .. } => (Code::PermissionDenied, "NOT_READABLE"),
        EngineError::OutputNotAllowed { .. } => (Code::PermissionDenied, "OUTPUT_NOT_ALLOWED"),
        EngineError::NotReleased => (Code::FailedPrecondition, "NOT_RELEASED"),
        EngineError::NoResult { .. } => (Code::FailedPrecondition, "NO_RESULT"),
        EngineError::NotCancellable { .. } => (Code::FailedPrecondition, "NOT_CANCELLABLE"),
        EngineError::Refused(error) => classify(error),
        EngineError::ReleasedMeanwhile => (Code::FailedPrecondition, "RELEASED_MEANWHILE"),
        EngineError::RunRefused { .. } => (Code::FailedPrecondition, "RUN_REFUSED"),
        EngineError::Proof(_) => (Code::InvalidArgument, "PROOF"),
        EngineError::Signature(_) => (Code::InvalidArgument, "SIGNATURE"),
        EngineError::Store(store) => classify_store(store),
        // What ends a run is in its reason: no call fails with it.
        EngineError::Compute(_) | EngineError::OtherVersion | EngineError::StoredResult => {
            (Code::Internal, "INTERNAL")
        }
    }
}

fn classify_store(error: &StoreError) -> (Code, &'static str) {
    match error {
        StoreError::Altered { .. } => (Code::DataLoss, "STORED_ALTERED"),
        StoreError::DatasetPurged | StoreError::KeyDestroyed { .. } => {
            (Code::FailedPrecondition, "DATASET_PURGED")
        }
        StoreError::DatasetSealed => (Code::AlreadyExists, "DATASET_SEALED"),
        StoreError::DeclaredAnew | StoreError::FrameOutOfOrder { .. } => {
            (Code::Aborted, "FRAME_OUT_OF_ORDER")
        }
        StoreError::FrameChanged { .. } => (Code::InvalidArgument, "FRAME_CHANGED"),
        StoreError::FramesBeyondDeclared { .. } => (Code::InvalidArgument, "FRAMES_BEYOND_DECLARED"),
        StoreError::KeyCheckMismatch => (Code::FailedPrecondition, "KEY_CHECK_MISMATCH"),
        StoreError::NotFound { .. } => (Code::NotFound, "NOT_FOUND"),
        StoreError::SealedMeanwhile => (Code::Aborted, "SEALED_MEANWHILE"),
        StoreError::RunState { .. } => (Code::FailedPrecondition, "RUN_STATE"),
        StoreError::ReleasedMeanwhile => (Code::FailedPrecondition, "RELEASED_MEANWHILE"),
        StoreError::TooManyFrames { .. } => (Code::InvalidArgument, "TOO_MANY_FRAMES"),
        StoreError::AuditKey { .. }
        | StoreError::AuditTampered { .. }
        | StoreError::Backup(_)
        | StoreError::BackupDamaged { .. }
        | StoreError::BackupDisturbed
        | StoreError::BackupExists
        | StoreError::BackupUnknown
        | StoreError::Bulk(_)
        | StoreError::Corrupt { .. }
        | StoreError::Database { .. }
        | StoreError::DatabaseUrl(_)
        | StoreError::InUse
        | StoreError::LeaseLost
        | StoreError::MasterKey(_)
        | StoreError::Migration(_)
        | StoreError::NotEncrypted
        | StoreError::NotScrubbed
        | StoreError::OtherInstallation
        | StoreError::RestoreNotEmpty { .. }
        | StoreError::RestoreUnfinished
        | StoreError::SchemaAltered { .. }
        | StoreError::SchemaNewer { .. }
        | StoreError::SchemaOlder { .. }
        | StoreError::Staging(_) => {
            if error.is_disk_full() {
                (Code::ResourceExhausted, "DISK_FULL")
            } else if error.is_unreachable() {
                (Code::Unavailable, "DATABASE_UNREACHABLE")
            } else {
                (Code::Internal, "INTERNAL")
            }
        }
    }
}
