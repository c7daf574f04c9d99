//! What an operator's monitoring asks of the store.

use std::io::ErrorKind;

use corridor_core::RunState;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStoreExt as _, PutPayload};
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;

use crate::database::{InTransaction as _, from_sql};
use crate::{Store, StoreError};

/// Name of the file and the object that are written to see whether they can be.
pub(crate) const PROBE: &str = "probe";

/// Bytes written: a block of most file systems, so that a full one has no room for it.
const PROBE_BYTES: [u8; 4096] = [0; 4096];

impl Store {
    /// Writes a small file, a small object and a small transaction, and takes file and object away again: what an upload
    /// and a run need to be able to do.
    ///
    /// # Errors
    /// When one of them cannot be written: storage is full, read-only or out of reach.
    pub async fn probe(&self) -> Result<(), StoreError> {
        let staged = self.bulk.staging.join(PROBE);
        let stage = async {
            let mut file = File::create(&staged).await?;
            file.write_all(&PROBE_BYTES).await?;
            file.sync_data().await
        };
        let written = stage.await;
        // Also half of a file takes room.
        let removed = tokio::fs::remove_file(&staged).await.or_else(|error| {
            // Another service that shares the folder was faster.
            if error.kind() == ErrorKind::NotFound {
                Ok(())
            } else {
                Err(error)
            }
        });
        written.and(removed).map_err(StoreError::Staging)?;
        let object = ObjectPath::from(PROBE);
        let payload = PutPayload::from_static(&PROBE_BYTES);
        self.bulk.objects.put(&object, payload).await?;
        match self.bulk.objects.delete(&object).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        self.probe_database().await
    }

    async fn probe_database(&self) -> Result<(), StoreError> {
        const NAME: &str = "probe";
        self.database
            .run_tx(NAME, move |tx| {
                Box::pin(async move {
                    sqlx::query("UPDATE probe SET writes = writes + 1 WHERE id = 1")
                        .execute(tx)
                        .await
                        .in_tx(NAME)
                        .map(drop)
                })
            })
            .await
    }

    /// How many runs are in each state; a state nothing is in is left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_runs(&self) -> Result<Vec<(RunState, u64)>, StoreError> {
        const NAME: &str = "count_runs";
        let rows: Vec<(String, i64)> = self
            .database
            .query(NAME, move |tx| {
                Box::pin(async move {
                    sqlx::query_as("SELECT state, count(*) FROM runs GROUP BY state ORDER BY state")
                        .fetch_all(tx)
                        .await
                        .in_tx(NAME)
                })
            })
            .await?;
        rows.into_iter()
            .map(|(state, count)| {
                let state = RunState::from_word(&state).ok_or(StoreError::Corrupt { what: "run" })?;
                Ok((state, from_sql(count, "run")?))
            })
            .collect()
    }

    /// Transactions that were tried again since the store was opened, because others were in their way.
    pub fn transaction_retries(&self) -> u64 {
        self.database.retries()
    }
}
