//! Tables of the same two offices that left before: what another table must not be subtracted from.

use corridor_core::{Agreement, AgreementError, Digest, RunState};
use corridor_flows::PublishedTable;
use corridor_store::{RunObject, Store};

use crate::EngineError;

/// A table that was released, with the digest of its result.
pub(crate) struct ReleasedTable {
    pub(crate) result: Digest,
    pub(crate) table: PublishedTable,
}

/// Tables that both offices released in other runs, under any agreement between them about the same two countries and some of the
/// same years, by result.
pub(crate) async fn released_before(
    store: &Store,
    agreement: &Agreement,
    run: Digest,
) -> Result<Vec<ReleasedTable>, EngineError> {
    let own = run;
    let mut released = Vec::new();
    for signed in store.agreements_of(&agreement.origin_office.id).await? {
        let other = &signed.agreement;
        if !are_about_the_same(agreement, other) {
            continue;
        }
        for run in store.runs_of(other.digest()).await? {
            let (RunState::Released, Some(result)) = (run.state, run.result) else {
                continue;
            };
            if run.id == own {
                continue;
            }
            let bytes = store.read_run_object(run.id, RunObject::FlowTable).await?;
            let table =
                PublishedTable::from_parquet(bytes.to_vec()).map_err(|_| EngineError::StoredResult)?;
            released.push(ReleasedTable { result, table });
        }
    }
    released.sort_by_key(|released| released.result);
    Ok(released)
}

/// Refuses to release a run when another table of the same countries and years left since its own was made, and so was not thought
/// of when that was protected.
pub(crate) async fn refuse_released_meanwhile(
    store: &Store,
    agreement: &Agreement,
    run: Digest,
) -> Result<(), EngineError> {
    let released = released_before(store, agreement, run).await?;
    if released.is_empty() {
        return Ok(());
    }
    let bytes = store.read_run_object(run, RunObject::FlowTable).await?;
    let table = PublishedTable::from_parquet(bytes.to_vec()).map_err(|_| EngineError::StoredResult)?;
    let is_known = |released: &ReleasedTable| table.held_against.contains(&released.result);
    if released.iter().all(is_known) {
        Ok(())
    } else {
        Err(EngineError::ReleasedMeanwhile)
    }
}

/// Checks that the agreement one revises is there, between the same offices about the same countries and years.
pub(crate) async fn check_revised(store: &Store, agreement: &Agreement) -> Result<(), EngineError> {
    let Some(revised) = agreement.revises else {
        return Ok(());
    };
    let is_sound = store
        .agreement(revised)
        .await?
        .is_some_and(|signed| are_about_the_same(agreement, &signed.agreement));
    if is_sound {
        return Ok(());
    }
    Err(EngineError::Agreement(AgreementError {
        field: "revises",
        problem: "is no agreement of these two offices here about the same countries and years".to_owned(),
    }))
}

/// Whether two agreements are between the same offices, in either direction, with years in common.
fn are_about_the_same(agreement: &Agreement, other: &Agreement) -> bool {
    let offices = |agreement: &Agreement| {
        let mut ids = [
            agreement.origin_office.id.clone(),
            agreement.destination_office.id.clone(),
        ];
        ids.sort();
        ids
    };
    let has_years_in_common = agreement.period.first.year() <= other.period.last.year()
        && other.period.first.year() <= agreement.period.last.year();
    let is_same_corridor =
        agreement.corridor == other.corridor || agreement.corridor == other.corridor.to_reverse();
    is_same_corridor && offices(agreement) == offices(other) && has_years_in_common
}
