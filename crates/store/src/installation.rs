//! Which bulk store and which master key a database goes with.

use corridor_core::{OsEntropy, fill};
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStoreExt as _, PutPayload};
use sqlx::AnyConnection;

use crate::database::{InTransaction as _, TxResult};
use crate::master_key::MasterKeyError;
use crate::{Store, StoreError};

/// Name of the object by which a bulk store is known again.
pub(crate) const INSTALLATION: &str = "installation";

impl Store {
    /// Refuses a bulk store that goes with another database: nothing in it would be known here, and all of it be taken for what
    /// nothing answers for. Where neither knows the other yet they belong together from now on.
    pub(crate) async fn check_installation(&self) -> Result<(), StoreError> {
        const NAME: &str = "check_installation";
        let path = ObjectPath::from(INSTALLATION);
        let found = match self.bulk.objects.get(&path).await {
            Ok(object) => Some(object.bytes().await?),
            Err(object_store::Error::NotFound { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let mut drawn = [0; 32];
        fill(&mut OsEntropy::default(), &mut drawn);
        let is_new = found.is_none();
        let id = self
            .database
            .run_tx(NAME, move |tx| {
                Box::pin(async move {
                    if is_new {
                        sqlx::query("UPDATE service SET installation = $1 WHERE installation IS NULL")
                            .bind(drawn.as_slice())
                            .execute(&mut *tx)
                            .await
                            .in_tx(NAME)?;
                    }
                    let id: Option<Vec<u8>> = sqlx::query_scalar("SELECT installation FROM service")
                        .fetch_one(tx)
                        .await
                        .in_tx(NAME)?;
                    Ok(id)
                })
            })
            .await?;
        match (id, found) {
            (Some(id), None) => {
                self.bulk.objects.put(&path, PutPayload::from(id)).await?;
                self.bulk.sync(&path).await
            }
            (Some(id), Some(found)) if found == id => Ok(()),
            (Some(_) | None, Some(_)) => Err(StoreError::OtherInstallation),
            (None, None) => Err(StoreError::Corrupt { what: "service" }),
        }
    }

    /// Refuses a master key that is not the one new keys are wrapped under, which is this one where none is known yet.
    pub(crate) async fn check_master_key(&self) -> Result<(), StoreError> {
        const NAME: &str = "check_master_key";
        let configured = self.master_key_id().to_owned();
        self.database
            .run_tx(NAME, move |tx| {
                let configured = configured.clone();
                Box::pin(async move {
                    sqlx::query("UPDATE service SET master_key = $1 WHERE master_key IS NULL")
                        .bind(configured.as_str())
                        .execute(&mut *tx)
                        .await
                        .in_tx(NAME)?;
                    require_master_key(tx, &configured, NAME).await
                })
            })
            .await
    }
}

/// In the transaction that stores a key wrapped under a master key: it must not have been changed meanwhile.
pub(crate) async fn require_master_key(
    tx: &mut AnyConnection,
    configured: &str,
    name: &'static str,
) -> TxResult<()> {
    let known: Option<String> = sqlx::query_scalar("SELECT master_key FROM service")
        .fetch_one(tx)
        .await
        .in_tx(name)?;
    match known {
        Some(known) if known != configured => Err(MasterKeyError::Other {
            wrapped_by: known,
            configured: configured.to_owned(),
        }
        .into()),
        Some(_) | None => Ok(()),
    }
}

/// From now on new keys are wrapped under that master key.
pub(crate) async fn set_master_key(tx: &mut AnyConnection, id: &str, name: &'static str) -> TxResult<()> {
    sqlx::query("UPDATE service SET master_key = $1")
        .bind(id)
        .execute(tx)
        .await
        .in_tx(name)
        .map(drop)
}
