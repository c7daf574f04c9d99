use corridor_core::Digest;
use sqlx::{AnyConnection, FromRow};

use crate::database::{InTransaction as _, TxResult};
use crate::{Store, StoreError};

/// What is kept of a dataset beside its file, as bytes that mean something to who wrote them.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct GateRecord {
    /// What the gate found.
    pub report: Vec<u8>,
    /// How often each bit is set.
    pub column_profile: Vec<u8>,
}

/// Writes the record of a dataset that is being sealed.
pub(crate) async fn insert(
    tx: &mut AnyConnection,
    dataset: Digest,
    record: &GateRecord,
    name: &'static str,
) -> TxResult<()> {
    sqlx::query("DELETE FROM gate_reports WHERE dataset = $1")
        .bind(dataset.as_bytes().as_slice())
        .execute(&mut *tx)
        .await
        .in_tx(name)?;
    sqlx::query("INSERT INTO gate_reports (dataset, report, column_profile) VALUES ($1, $2, $3)")
        .bind(dataset.as_bytes().as_slice())
        .bind(record.report.as_slice())
        .bind(record.column_profile.as_slice())
        .execute(tx)
        .await
        .in_tx(name)
        .map(drop)
}

impl Store {
    /// What was kept of a dataset when it was sealed; `None` where it is not sealed, was sealed before there was a gate, or is purged.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn gate_record(&self, dataset: Digest) -> Result<Option<GateRecord>, StoreError> {
        const NAME: &str = "gate_record";
        self.database
            .run_tx(NAME, move |tx| {
                Box::pin(async move {
                    sqlx::query_as::<_, GateRecord>(
                        "SELECT report, column_profile FROM gate_reports WHERE dataset = $1",
                    )
                    .bind(dataset.as_bytes().as_slice())
                    .fetch_optional(tx)
                    .await
                    .in_tx(NAME)
                })
            })
            .await
    }

    /// Forgets what was kept of a dataset, as its purge has to.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_gate_record(&self, dataset: Digest) -> Result<(), StoreError> {
        const NAME: &str = "delete_gate_record";
        self.database
            .run_tx(NAME, move |tx| {
                Box::pin(async move {
                    sqlx::query("DELETE FROM gate_reports WHERE dataset = $1")
                        .bind(dataset.as_bytes().as_slice())
                        .execute(tx)
                        .await
                        .in_tx(NAME)
                        .map(drop)
                })
            })
            .await
    }
}
