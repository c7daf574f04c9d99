//! Tables of the same two offices that left before: what another table must not be subtracted from.

use corridor_core::{Agreement, AgreementError, Digest};
use corridor_flows::PublishedTable;
use corridor_store::{ReleasedScope, Store};

use crate::engine::Engine;
use crate::error::EngineError;

/// A table that was released, with the digest of its result.
pub(crate) struct ReleasedTable {
    pub(crate) result: Digest,
    pub(crate) table: PublishedTable,
}

impl Engine {
    /// Tables that both offices released in other runs, under any agreement between them about the same two countries and some of
    /// the same years, by result. The disclosure log knows them whatever becomes of datasets.
    pub(crate) async fn released_before(
        &self,
        agreement: &Agreement,
        run: Digest,
    ) -> Result<Vec<ReleasedTable>, EngineError> {
        let scope = ReleasedScope::of(agreement);
        let mut released = Vec::new();
        for stored in self.store.released_tables(&scope, run).await? {
            released.push(ReleasedTable {
                result: stored.result,
                table: self.read_table(stored.run, stored.result).await?,
            });
        }
        released.sort_by_key(|released| released.result);
        Ok(released)
    }

    /// The tables of [`Engine::released_before`] alone.
    pub(crate) async fn tables_before(
        &self,
        agreement: &Agreement,
        run: Digest,
    ) -> Result<Vec<PublishedTable>, EngineError> {
        let released = self.released_before(agreement, run).await?;
        Ok(released.into_iter().map(|released| released.table).collect())
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
