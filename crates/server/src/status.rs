//! The one place that decides which gRPC status a failure becomes.

use std::collections::HashMap;

use corridor_core::GateReport;
use corridor_engine::{EngineError, StoreError};
use corridor_wire::FieldViolation;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// The domain of every machine-readable reason.
const DOMAIN: &str = "corridor.v1";

/// A status with a message for people and a stable reason code for programs.
fn status(code: Code, reason: &str, message: impl Into<String>) -> Status {
    let details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
    Status::with_error_details(code, message, details)
}

/// A field that is not what it should be: which, what was expected, and why.
pub(crate) fn from_violation(violation: &FieldViolation) -> Status {
    let mut details = ErrorDetails::with_error_info(
        violation.reason.as_str(),
        DOMAIN,
        HashMap::from([("field".to_owned(), violation.field.clone())]),
    );
    details.add_bad_request_violation(&violation.field, &violation.expected);
    Status::with_error_details(Code::InvalidArgument, violation.to_string(), details)
}

/// A caller without a certificate, or whose certificate names no office of this service.
pub(crate) fn unauthenticated(message: &str) -> Status {
    status(Code::Unauthenticated, "CALLER_UNKNOWN", message)
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
    let (code, reason) = classify(&error);
    if code == Code::Internal || code == Code::ResourceExhausted {
        tracing::error!(reason, error = &error as &dyn std::error::Error, "call failed");
    }
    let message = if code == Code::Internal {
        "the service failed; its operator finds the cause in the log".to_owned()
    } else if code == Code::ResourceExhausted {
        "the service's disk is full; nothing acknowledged is lost; try again when its operator has made room"
            .to_owned()
    } else {
        error.to_string()
    };
    if let EngineError::GateFailed { report } = &error {
        return gate_failed(report, reason, message);
    }
    status(code, reason, message)
}

/// Only the office whose dataset it is calls for its seal, so the figures go to nobody else.
fn gate_failed(report: &GateReport, reason: &str, message: String) -> Status {
    let mut details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
    for check in report.failed() {
        details.add_precondition_failure_violation(
            check.name.as_str(),
            check.figure.to_string(),
            &check.meaning,
        );
    }
    Status::with_error_details(Code::FailedPrecondition, message, details)
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
        EngineError::Link(_) | EngineError::MeasureMismatch | EngineError::NoEvents => {
            (Code::FailedPrecondition, "NOT_LINKABLE")
        }
        EngineError::NotFound { .. } => (Code::NotFound, "NOT_FOUND"),
        EngineError::NotParty => (Code::PermissionDenied, "NOT_PARTY"),
        EngineError::OutputNotAllowed { .. } => (Code::PermissionDenied, "OUTPUT_NOT_ALLOWED"),
        EngineError::NotReleased => (Code::FailedPrecondition, "NOT_RELEASED"),
        EngineError::NoResult { .. } => (Code::FailedPrecondition, "NO_RESULT"),
        EngineError::NotCancellable { .. } => (Code::FailedPrecondition, "NOT_CANCELLABLE"),
        EngineError::ReleasedMeanwhile => (Code::FailedPrecondition, "RELEASED_MEANWHILE"),
        EngineError::RunRefused { .. } => (Code::FailedPrecondition, "RUN_REFUSED"),
        EngineError::Signature(_) => (Code::InvalidArgument, "SIGNATURE"),
        EngineError::Store(store) => classify_store(store),
        EngineError::Compute(_) | EngineError::Flow(_) | EngineError::StoredResult => {
            (Code::Internal, "INTERNAL")
        }
    }
}

fn classify_store(error: &StoreError) -> (Code, &'static str) {
    match error {
        StoreError::DatasetSealed => (Code::AlreadyExists, "DATASET_SEALED"),
        StoreError::FrameOutOfOrder { .. } => (Code::Aborted, "FRAME_OUT_OF_ORDER"),
        StoreError::FrameChanged { .. } => (Code::InvalidArgument, "FRAME_CHANGED"),
        StoreError::FramesBeyondDeclared { .. } => (Code::InvalidArgument, "FRAMES_BEYOND_DECLARED"),
        StoreError::KeyCheckMismatch => (Code::FailedPrecondition, "KEY_CHECK_MISMATCH"),
        StoreError::NotFound { .. } => (Code::NotFound, "NOT_FOUND"),
        StoreError::SealedMeanwhile => (Code::Aborted, "SEALED_MEANWHILE"),
        StoreError::RunState { .. } => (Code::FailedPrecondition, "RUN_STATE"),
        StoreError::Bulk(_)
        | StoreError::Corrupt { .. }
        | StoreError::Database { .. }
        | StoreError::Migration(_)
        | StoreError::Staging(_) => {
            if error.is_disk_full() {
                (Code::ResourceExhausted, "DISK_FULL")
            } else {
                (Code::Internal, "INTERNAL")
            }
        }
    }
}
