//! What the offices read of a run that failed.

use corridor_flows::FlowError;
use corridor_link::LinkError;
use corridor_store::FailureReason;

use crate::error::EngineError;
use crate::limits::to_text;

/// What the offices read of a failure.
pub(crate) fn to_reason(error: &EngineError) -> FailureReason {
    // A kind of failure whose words are forgotten is one of the service's own.
    FailureReason::try_new(to_words(error))
        .unwrap_or_else(|| FailureReason::try_new(SERVICE_FAILED).expect("it has words"))
}

const SERVICE_FAILED: &str = "The service failed. Its operator finds the cause in the log under this run; start the run again \
                              then; what it has done is kept.";

/// What happened and what to do, nothing of the service's inside.
fn to_words(error: &EngineError) -> String {
    if let EngineError::Link(link @ LinkError::LshNeedsBloomFilters) = error {
        return format!("{link}, under a new agreement.");
    }
    if let EngineError::Link(link @ LinkError::FieldsIndeterminate) = error {
        return format!(
            "{link}. Check with corridor inspect that both registers hold the same kind of people and with corridor rehearse \
             how they link; encode more match fields, or take a record-level profile, under a new agreement."
        );
    }
    if let EngineError::Link(link @ LinkError::Scratch(_)) = error {
        return format!(
            "{link}. The operator of the service makes room in its data folder, or raises limits.max_run_candidates_in_memory; start \
             the run again then: what it has compared is kept."
        );
    }
    if let EngineError::Link(link) = error {
        return format!(
            "{link}. Check with corridor inspect that both registers hold the same kind of people and with \
             corridor rehearse how they link, or agree on a fixed threshold."
        );
    }
    if let EngineError::Disclosure(disclosure) = error {
        return format!(
            "{disclosure}. Agree on fewer variables, wider groups or longer periods, under a new agreement."
        );
    }
    if let EngineError::RunRefused { refusals } = error {
        return to_text(refusals);
    }
    if let EngineError::Flow(flow @ FlowError::NothingInPeriod { .. }) = error {
        return format!(
            "{flow}. Check with corridor inspect the date, direction and counterpart of the moves, or agree on another period, under a \
             new agreement."
        );
    }
    if let EngineError::Flow(flow @ FlowError::RuleUnknown { .. }) = error {
        return format!(
            "{flow}. Say in the mapping until when the register was observed, or which moves count, or agree on another rule, under a \
             new agreement."
        );
    }
    let reason = if matches!(error, EngineError::OtherVersion) {
        "The service was brought up to date since the run was started. Start the run again: it is another run then, so that its \
         result says which program made it."
    } else if matches!(error, EngineError::NoEvents) {
        "A register holds persons only, without moves: map event_date, direction and counterpart, and encode it \
         again under a new agreement."
    } else if matches!(error, EngineError::Store(store) if store.is_disk_full()) {
        "The service's disk is full. Start the run again when the operator has made room; what it has done is \
         kept."
    } else {
        SERVICE_FAILED
    };
    reason.to_owned()
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;
    use crate::observer::FailureKind;

    #[test]
    fn candidates_the_disk_has_no_room_for_are_told_of_as_such() {
        for (kind, expected) in [
            (ErrorKind::StorageFull, FailureKind::StorageFull),
            (ErrorKind::QuotaExceeded, FailureKind::StorageFull),
            (ErrorKind::InvalidData, FailureKind::Service),
        ] {
            let error = EngineError::Link(LinkError::Scratch(kind.into()));
            assert_eq!((FailureKind::of(&error), error.to_word()), (expected, "scratch"));
            let reason = to_reason(&error);
            for what in ["makes room", "limits.max_run_candidates_in_memory", "is kept"] {
                assert!(reason.as_str().contains(what), "{reason:?}");
            }
        }
        let undecided = EngineError::Link(LinkError::ThresholdIndeterminate);
        assert_eq!(FailureKind::of(&undecided), FailureKind::Linkage);
    }
}
