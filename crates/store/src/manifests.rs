use corridor_core::Digest;
use sqlx::AnyConnection;

use crate::database::{InTransaction as _, TxResult};
use crate::{Store, StoreError};

/// Stores what a result was made of, in the transaction that notes the result.
pub(crate) async fn insert_manifest(
    tx: &mut AnyConnection,
    run: Digest,
    canonical: &[u8],
    name: &'static str,
) -> TxResult<()> {
    sqlx::query("INSERT INTO run_manifests (run, canonical) VALUES ($1, $2)")
        .bind(run.as_bytes().as_slice())
        .bind(canonical.to_vec())
        .execute(tx)
        .await
        .in_tx(name)
        .map(drop)
}

impl Store {
    /// What the result of a run was made of, as it was written; `None` where it has no result, or one of before manifests were
    /// written.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn run_manifest(&self, run: Digest) -> Result<Option<Vec<u8>>, StoreError> {
        const NAME: &str = "run_manifest";
        self.database
            .query(NAME, move |tx| {
                Box::pin(async move {
                    sqlx::query_scalar("SELECT canonical FROM run_manifests WHERE run = $1")
                        .bind(run.as_bytes().as_slice())
                        .fetch_optional(tx)
                        .await
                        .in_tx(NAME)
                })
            })
            .await
    }
}
