//! Data keys: one for each dataset, two for each run, wrapped under the master key in the database. Without its key nothing of a
//! dataset can be read, wherever a copy of its bytes may be.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use corridor_core::audit::{AuditAction, AuditStamp};
use corridor_core::{Digest, OsEntropy, fill};
use jiff::Timestamp;
use sqlx::{AnyConnection, FromRow};

use crate::audit::append;
use crate::chunks::DataKey;
use crate::database::{InTransaction as _, TxResult};
use crate::installation::{require_master_key, set_master_key};
use crate::master_key::{MasterKey, MasterKeyError, WrapContext};
use crate::{Store, StoreError};

/// What a data key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum KeyPurpose {
    /// The file of a dataset, staged and stored.
    Dataset,
    /// The flow table and report of a run, which stay when they were released.
    Result,
    /// Candidate pairs and links of a run, which go with the datasets they are of.
    Run,
}

impl KeyPurpose {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Dataset => "dataset",
            Self::Result => "result",
            Self::Run => "run",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::Dataset, Self::Result, Self::Run]
            .into_iter()
            .find(|purpose| purpose.as_str() == word)
    }
}

/// A data key as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct WrappedKey {
    pub(crate) id: [u8; 16],
    owner: Digest,
    purpose: KeyPurpose,
    master_key: String,
    wrapped: Vec<u8>,
}

impl WrappedKey {
    fn context(&self) -> WrapContext {
        WrapContext::new(&self.id, self.owner, self.purpose.as_str())
    }
}

#[derive(FromRow)]
struct WrappedKeyRow {
    id: Vec<u8>,
    owner: Vec<u8>,
    purpose: String,
    master_key: String,
    wrapped: Vec<u8>,
}

impl TryFrom<WrappedKeyRow> for WrappedKey {
    type Error = StoreError;

    fn try_from(row: WrappedKeyRow) -> Result<Self, StoreError> {
        let corrupt = || StoreError::Corrupt { what: "data key" };
        Ok(Self {
            id: row.id.try_into().map_err(|_| corrupt())?,
            owner: Digest::try_from(row.owner.as_slice()).map_err(|_| corrupt())?,
            purpose: KeyPurpose::from_word(&row.purpose).ok_or_else(corrupt)?,
            master_key: row.master_key,
            wrapped: row.wrapped,
        })
    }
}

const SELECT: &str = "SELECT id, owner, purpose, master_key, wrapped FROM data_keys";

/// Keys held open at most.
const MAX_OPEN_KEYS: usize = 64;

/// The master key, and data keys that were opened with it.
pub(crate) struct Keyring {
    master: Arc<MasterKey>,
    /// By the id of the key: one that was destroyed is not taken for the one in its place.
    open: Mutex<HashMap<[u8; 16], Arc<DataKey>>>,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keyring({:?})", self.master)
    }
}

impl Keyring {
    pub(crate) fn new(master: Arc<MasterKey>) -> Self {
        Self {
            master,
            open: Mutex::default(),
        }
    }

    fn find(&self, id: &[u8; 16]) -> Option<Arc<DataKey>> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.get(id).cloned()
    }

    fn keep(&self, id: [u8; 16], key: &Arc<DataKey>) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= MAX_OPEN_KEYS {
            open.clear();
        }
        open.insert(id, Arc::clone(key));
    }

    fn keep_only(&self, ids: &HashSet<Vec<u8>>) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|id, _| ids.contains(id.as_slice()));
    }

    /// A new key, wrapped. It counts when its row is in the database.
    pub(crate) async fn draw(
        &self,
        owner: Digest,
        purpose: KeyPurpose,
    ) -> Result<WrappedKey, MasterKeyError> {
        let mut entropy = OsEntropy::default();
        let (mut id, mut nonce) = ([0; 16], [0; 24]);
        fill(&mut entropy, &mut id);
        fill(&mut entropy, &mut nonce);
        let key = DataKey::draw(&mut entropy);
        let context = WrapContext::new(&id, owner, purpose.as_str());
        Ok(WrappedKey {
            id,
            owner,
            purpose,
            master_key: self.master.id().to_owned(),
            wrapped: self.master.wrap(context, &key, nonce).await?,
        })
    }

    async fn unwrap(&self, wrapped: &WrappedKey, master: &MasterKey) -> Result<DataKey, MasterKeyError> {
        if wrapped.master_key != master.id() {
            return Err(MasterKeyError::Other {
                wrapped_by: wrapped.master_key.clone(),
                configured: master.id().to_owned(),
            });
        }
        master.unwrap(wrapped.context(), &wrapped.wrapped).await
    }
}

/// Stores a key, unless there is one for the same; refused when the master key was changed since it was wrapped.
pub(crate) async fn insert_key(
    tx: &mut AnyConnection,
    key: &WrappedKey,
    now: Timestamp,
    name: &'static str,
) -> TxResult<()> {
    require_master_key(tx, &key.master_key, name).await?;
    sqlx::query(
        "INSERT INTO data_keys (id, owner, purpose, master_key, wrapped, created_at)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (owner, purpose) DO NOTHING",
    )
    .bind(key.id.as_slice())
    .bind(key.owner.as_bytes().as_slice())
    .bind(key.purpose.as_str())
    .bind(key.master_key.as_str())
    .bind(key.wrapped.as_slice())
    .bind(now.to_string())
    .execute(tx)
    .await
    .in_tx(name)
    .map(drop)
}

pub(crate) async fn find_key(
    tx: &mut AnyConnection,
    owner: Digest,
    purpose: KeyPurpose,
    name: &'static str,
) -> TxResult<Option<WrappedKey>> {
    sqlx::query_as::<_, WrappedKeyRow>(sqlx::AssertSqlSafe(format!(
        "{SELECT} WHERE owner = $1 AND purpose = $2"
    )))
    .bind(owner.as_bytes().as_slice())
    .bind(purpose.as_str())
    .fetch_optional(tx)
    .await
    .in_tx(name)?
    .map(WrappedKey::try_from)
    .transpose()
}

/// Overwrites a key and removes it. When the transaction is committed, [`Store::scrub`] sees to what is left of it in files.
pub(crate) async fn destroy_key(
    tx: &mut AnyConnection,
    owner: Digest,
    purpose: KeyPurpose,
    name: &'static str,
) -> TxResult<()> {
    let Some(key) = find_key(tx, owner, purpose, name).await? else {
        return Ok(());
    };
    sqlx::query("UPDATE data_keys SET wrapped = $1 WHERE id = $2")
        .bind(vec![0_u8; key.wrapped.len()])
        .bind(key.id.as_slice())
        .execute(&mut *tx)
        .await
        .in_tx(name)?;
    sqlx::query("DELETE FROM data_keys WHERE id = $1")
        .bind(key.id.as_slice())
        .execute(&mut *tx)
        .await
        .in_tx(name)
        .map(drop)
}

impl Store {
    /// The open key of a dataset or run.
    pub(crate) async fn data_key(
        &self,
        owner: Digest,
        purpose: KeyPurpose,
    ) -> Result<Arc<DataKey>, StoreError> {
        Ok(self.data_key_with_id(owner, purpose).await?.1)
    }

    /// Id of the key of a dataset or run: another one once the dataset was declared anew.
    pub(crate) async fn data_key_id(
        &self,
        owner: Digest,
        purpose: KeyPurpose,
    ) -> Result<[u8; 16], StoreError> {
        const NAME: &str = "data_key_id";
        let wrapped = self
            .database
            .query(NAME, move |tx| Box::pin(find_key(tx, owner, purpose, NAME)))
            .await?;
        wrapped.map(|wrapped| wrapped.id).ok_or(StoreError::KeyDestroyed {
            what: purpose.as_str(),
        })
    }

    /// The open key of a dataset or run, with its id.
    pub(crate) async fn data_key_with_id(
        &self,
        owner: Digest,
        purpose: KeyPurpose,
    ) -> Result<([u8; 16], Arc<DataKey>), StoreError> {
        const NAME: &str = "data_key";
        // Each time: another service may have destroyed it.
        let wrapped = self
            .database
            .query(NAME, move |tx| Box::pin(find_key(tx, owner, purpose, NAME)))
            .await?
            .ok_or(StoreError::KeyDestroyed {
                what: purpose.as_str(),
            })?;
        if let Some(key) = self.keyring.find(&wrapped.id) {
            return Ok((wrapped.id, key));
        }
        let key = Arc::new(self.keyring.unwrap(&wrapped, &self.keyring.master).await?);
        self.keyring.keep(wrapped.id, &key);
        Ok((wrapped.id, key))
    }

    /// Refuses when the result of a run cannot be read any more.
    ///
    /// # Errors
    /// When its key was destroyed or was never made, or the database fails.
    pub async fn require_result_key(&self, run: Digest) -> Result<(), StoreError> {
        self.data_key(run, KeyPurpose::Result).await.map(drop)
    }

    /// Forgets open keys that are not in the database any more, whoever destroyed them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_destroyed_keys(&self) -> Result<(), StoreError> {
        const NAME: &str = "forget_destroyed_keys";
        let ids: Vec<Vec<u8>> = self
            .database
            .query(NAME, |tx| {
                Box::pin(async move {
                    sqlx::query_scalar("SELECT id FROM data_keys")
                        .fetch_all(tx)
                        .await
                        .in_tx(NAME)
                })
            })
            .await?;
        self.keyring.keep_only(&ids.into_iter().collect());
        Ok(())
    }

    /// Id of the master key of this store.
    pub(crate) fn master_key_id(&self) -> &str {
        self.keyring.master.id()
    }

    /// Refuses to go on with data this master key cannot open, or that is not encrypted.
    pub(crate) async fn check_keys(&self) -> Result<(), StoreError> {
        const NAME: &str = "check_keys";
        let configured = self.keyring.master.id().to_owned();
        self.database
            .run_tx(NAME, move |tx| {
                let configured = configured.clone();
                Box::pin(async move {
                    let other: Option<String> = sqlx::query_scalar(
                        "SELECT master_key FROM data_keys WHERE master_key <> $1 ORDER BY id LIMIT 1",
                    )
                    .bind(configured.as_str())
                    .fetch_optional(&mut *tx)
                    .await
                    .in_tx(NAME)?;
                    if let Some(wrapped_by) = other {
                        return Err(MasterKeyError::Other {
                            wrapped_by,
                            configured,
                        }
                        .into());
                    }
                    let plain: i64 = sqlx::query_scalar(
                        "SELECT count(*) FROM datasets WHERE purged_at IS NULL AND id NOT IN
                         (SELECT owner FROM data_keys WHERE purpose = 'dataset')",
                    )
                    .fetch_one(tx)
                    .await
                    .in_tx(NAME)?;
                    if plain > 0 {
                        return Err(StoreError::NotEncrypted);
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Wraps every data key under the master key of this store, which was opened for it. Keys that are wrapped so already stay as
    /// they are, so that what was interrupted can be done again. It is logged. Gives how many were wrapped anew.
    ///
    /// # Errors
    /// When a key is wrapped under neither `former` nor the new one, or a master key fails; then all stay as they were.
    pub async fn rewrap_keys(&self, former: &MasterKey, stamp: &AuditStamp) -> Result<u64, StoreError> {
        let mut count = 0;
        loop {
            let old = self.keys_to_rewrap(former).await?;
            let more = self.rewrap(old, former, stamp).await?;
            count += more;
            // Another service may have stored a key between reading and writing; from then on it cannot. Where a command holds both
            // master keys under one name, that cannot be seen.
            if self.master_key_id() == former.id() || self.keys_to_rewrap(former).await?.is_empty() {
                break;
            }
        }
        self.scrub().await?;
        Ok(count)
    }

    async fn keys_to_rewrap(&self, former: &MasterKey) -> Result<Vec<WrappedKey>, StoreError> {
        const NAME: &str = "keys_to_rewrap";
        let mut stored: Vec<WrappedKey> = self
            .database
            .query(NAME, |tx| {
                Box::pin(async move {
                    sqlx::query_as::<_, WrappedKeyRow>(sqlx::AssertSqlSafe(format!("{SELECT} ORDER BY id")))
                        .fetch_all(tx)
                        .await
                        .in_tx(NAME)?
                        .into_iter()
                        .map(WrappedKey::try_from)
                        .collect()
                })
            })
            .await?;
        let master = self.master_key_id();
        // A command may hold several keys under one name: then all are wrapped again.
        stored.retain(|old| old.master_key != master || master == former.id());
        Ok(stored)
    }

    async fn rewrap(
        &self,
        old: Vec<WrappedKey>,
        former: &MasterKey,
        stamp: &AuditStamp,
    ) -> Result<u64, StoreError> {
        const NAME: &str = "rewrap_keys";
        let master = &self.keyring.master;
        let mut rewrapped = Vec::new();
        for old in old {
            let key = self.keyring.unwrap(&old, former).await?;
            let mut nonce = [0; 24];
            fill(&mut OsEntropy::default(), &mut nonce);
            let wrapped = master.wrap(old.context(), &key, nonce).await?;
            rewrapped.push((old, wrapped));
        }
        let count = u64::try_from(rewrapped.len()).expect("a count fits");
        let id = master.id().to_owned();
        let rewrapped = Arc::new(rewrapped);
        let entry = stamp
            .entry(AuditAction::KeysRotated, None)
            .with_count("keys", count);
        self.run_logged(NAME, move |tx| {
            let (rewrapped, id, entry) = (Arc::clone(&rewrapped), id.clone(), entry.clone());
            Box::pin(async move {
                set_master_key(tx, &id, NAME).await?;
                for (old, wrapped) in rewrapped.iter() {
                    // One that was destroyed in the meantime stays so.
                    sqlx::query("UPDATE data_keys SET wrapped = $1, master_key = $2 WHERE id = $3")
                        .bind(wrapped.as_slice())
                        .bind(id.as_str())
                        .bind(old.id.as_slice())
                        .execute(&mut *tx)
                        .await
                        .in_tx(NAME)?;
                }
                append(tx, entry, NAME).await
            })
        })
        .await?;
        Ok(count)
    }

    /// Sees to it that what was deleted from the database is in none of its files any more. PostgreSQL keeps old rows and its log
    /// for as long as it is set to: there the master key is to be changed after a purge.
    pub(crate) async fn scrub(&self) -> Result<(), StoreError> {
        self.database.scrub().await
    }

    /// Sees to it that the keys of uploads that were replaced are in no file of the database any more, once for all of them. Where a
    /// service stops before, its next start does.
    ///
    /// # Errors
    /// When somebody looks at the database for long, or it fails; the next time it is tried again.
    pub async fn scrub_if_due(&self) -> Result<(), StoreError> {
        self.database.scrub_if_due().await
    }
}
