use corridor_core::{RunState, RunStatus, Side};

use crate::field::{FieldViolation, Reason, to_digest};
use crate::v1;

impl From<&RunStatus> for v1::Run {
    fn from(status: &RunStatus) -> Self {
        let state = match status.state {
            RunState::Queued => v1::RunState::Queued,
            RunState::Running => v1::RunState::Running,
            RunState::Linked => v1::RunState::Linked,
            RunState::Reconciled => v1::RunState::Reconciled,
            RunState::Released => v1::RunState::Released,
            RunState::Failed => v1::RunState::Failed,
            RunState::Cancelled => v1::RunState::Cancelled,
        };
        Self {
            run_id: status.id.as_bytes().to_vec(),
            agreement_digest: status.agreement.as_bytes().to_vec(),
            origin_dataset_id: status.origin_dataset.as_bytes().to_vec(),
            destination_dataset_id: status.destination_dataset.as_bytes().to_vec(),
            state: state.into(),
            tiles_done: status.tiles_done,
            tiles_total: status.tiles_total,
            restarts: status.restarts,
            reason: status.reason.clone(),
            result_digest: status
                .result
                .map_or_else(Vec::new, |digest| digest.as_bytes().to_vec()),
            released_by_origin: status.released_by.contains(&Side::Origin),
            released_by_destination: status.released_by.contains(&Side::Destination),
        }
    }
}

impl TryFrom<v1::Run> for RunStatus {
    type Error = FieldViolation;

    fn try_from(message: v1::Run) -> Result<Self, FieldViolation> {
        let state = match message.state() {
            v1::RunState::Queued => RunState::Queued,
            v1::RunState::Running => RunState::Running,
            v1::RunState::Linked => RunState::Linked,
            v1::RunState::Reconciled => RunState::Reconciled,
            v1::RunState::Released => RunState::Released,
            v1::RunState::Failed => RunState::Failed,
            v1::RunState::Cancelled => RunState::Cancelled,
            v1::RunState::Unspecified => {
                return Err(FieldViolation::new(
                    "state",
                    Reason::Value,
                    "expected a known state",
                ));
            }
        };
        let mut released_by = Vec::new();
        if message.released_by_origin {
            released_by.push(Side::Origin);
        }
        if message.released_by_destination {
            released_by.push(Side::Destination);
        }
        let result = (!message.result_digest.is_empty())
            .then(|| to_digest(&message.result_digest, "result_digest"))
            .transpose()?;
        Ok(Self {
            id: to_digest(&message.run_id, "run_id")?,
            agreement: to_digest(&message.agreement_digest, "agreement_digest")?,
            origin_dataset: to_digest(&message.origin_dataset_id, "origin_dataset_id")?,
            destination_dataset: to_digest(&message.destination_dataset_id, "destination_dataset_id")?,
            state,
            tiles_done: message.tiles_done,
            tiles_total: message.tiles_total,
            restarts: message.restarts,
            reason: message.reason,
            result,
            released_by,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use corridor_core::{DatasetDeclaration, DatasetState, DatasetStatus, Digest};
    use proptest::prelude::*;

    fn any_digest() -> impl Strategy<Value = Digest> {
        any::<[u8; 32]>().prop_map(Digest::from_bytes)
    }

    proptest! {
        #[test]
        fn a_run_round_trips(
            digests in prop::collection::vec(any_digest(), 5),
            state in 0..RunState::ALL.len(),
            counts in any::<[u64; 3]>(),
            reason in "\\PC{0,20}",
            released in any::<[bool; 2]>(),
            has_result in any::<bool>(),
        ) {
            let sides = [Side::Origin, Side::Destination];
            let status = RunStatus {
                id: digests[0],
                agreement: digests[1],
                origin_dataset: digests[2],
                destination_dataset: digests[3],
                state: RunState::ALL[state],
                tiles_done: counts[0],
                tiles_total: counts[1],
                restarts: counts[2],
                reason,
                result: has_result.then_some(digests[4]),
                released_by: sides.into_iter().zip(released).filter(|(_, r)| *r).map(|(s, _)| s).collect(),
            };
            prop_assert_eq!(RunStatus::try_from(v1::Run::from(&status)), Ok(status));
        }

        #[test]
        fn a_dataset_round_trips(
            digests in prop::collection::vec(any_digest(), 5),
            counts in prop::collection::vec(1..u64::MAX, 4),
            sealed in any::<bool>(),
            purge_at in prop::option::of(0..4_000_000_000_i64),
        ) {
            let status = DatasetStatus {
                id: digests[0],
                declaration: DatasetDeclaration {
                    agreement: digests[1],
                    office: "INS-TN".parse().unwrap(),
                    schema: digests[2],
                    key_check: digests[3],
                    record_count: counts[0],
                    total_bytes: counts[1],
                    content: digests[4],
                },
                state: if sealed { DatasetState::Sealed } else { DatasetState::Receiving },
                acknowledged_bytes: counts[2],
                next_sequence: counts[3],
                purge_at: purge_at.map(|seconds| corridor_core::Timestamp::from_second(seconds).unwrap()),
            };
            prop_assert_eq!(DatasetStatus::try_from(v1::Dataset::from(&status)), Ok(status));
        }
    }

    #[test]
    fn a_wrong_field_is_named() {
        let violation = RunStatus::try_from(v1::Run {
            state: v1::RunState::Queued.into(),
            run_id: vec![0; 31],
            ..v1::Run::default()
        })
        .unwrap_err();
        assert_eq!(
            (violation.field.as_str(), violation.reason),
            ("run_id", Reason::Length)
        );
        let violation = RunStatus::try_from(v1::Run::default()).unwrap_err();
        assert_eq!(
            (violation.field.as_str(), violation.reason),
            ("state", Reason::Value)
        );
        let declaration = v1::CreateDatasetRequest {
            declaration: Some(v1::DatasetDeclaration {
                agreement_digest: vec![0; 32],
                ..v1::DatasetDeclaration::default()
            }),
        };
        let violation = declaration.to_declaration("AA".parse().unwrap()).unwrap_err();
        assert_eq!(violation.field, "declaration.schema_digest");
    }
}
