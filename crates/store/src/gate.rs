//! What is kept of a dataset beside its file, encrypted under its key: it goes with it.

use corridor_core::{Digest, OsEntropy};
use sqlx::{AnyConnection, FromRow};

use crate::chunks::{CHUNK_OVERHEAD, DataKey, ObjectLayout};
use crate::data_keys::KeyPurpose;
use crate::database::{InTransaction as _, TxResult};
use crate::{Store, StoreError};

/// What is kept of a dataset beside its file, as bytes that mean something to who wrote them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateRecord {
    /// What the gate found.
    pub report: Vec<u8>,
    /// How often each bit is set.
    pub column_profile: Vec<u8>,
}

/// The same, encrypted.
#[derive(Clone, FromRow)]
pub(crate) struct SealedRecord {
    report: Vec<u8>,
    column_profile: Vec<u8>,
}

const REPORT: &[u8] = b"gate report";
const PROFILE: &[u8] = b"gate column profile";

fn seal(key: &DataKey, part: &[u8], plain: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::new();
    let place = ObjectLayout::of_plain(plain.len() as u64).place(0);
    key.cipher(&[part])
        .seal(place, plain, &mut OsEntropy::default(), &mut sealed);
    sealed
}

fn open(key: &DataKey, part: &[u8], sealed: Vec<u8>) -> Result<Vec<u8>, StoreError> {
    let plain_bytes = sealed.len().saturating_sub(CHUNK_OVERHEAD);
    let place = ObjectLayout::of_plain(plain_bytes as u64).place(0);
    let opened = key.cipher(&[part]).open_owned(place, sealed);
    Ok(opened
        .map_err(|_| StoreError::Altered { what: "gate record" })?
        .to_vec())
}

impl GateRecord {
    pub(crate) fn seal(&self, key: &DataKey) -> SealedRecord {
        SealedRecord {
            report: seal(key, REPORT, &self.report),
            column_profile: seal(key, PROFILE, &self.column_profile),
        }
    }
}

/// Writes the record of a dataset that is being sealed.
pub(crate) async fn insert(
    tx: &mut AnyConnection,
    dataset: Digest,
    record: &SealedRecord,
    name: &'static str,
) -> TxResult<()> {
    delete(tx, dataset, name).await?;
    sqlx::query("INSERT INTO gate_reports (dataset, report, column_profile) VALUES ($1, $2, $3)")
        .bind(dataset.as_bytes().as_slice())
        .bind(record.report.as_slice())
        .bind(record.column_profile.as_slice())
        .execute(tx)
        .await
        .in_tx(name)
        .map(drop)
}

/// Forgets what was kept of a dataset.
pub(crate) async fn delete(tx: &mut AnyConnection, dataset: Digest, name: &'static str) -> TxResult<()> {
    sqlx::query("DELETE FROM gate_reports WHERE dataset = $1")
        .bind(dataset.as_bytes().as_slice())
        .execute(tx)
        .await
        .in_tx(name)
        .map(drop)
}

impl Store {
    /// What was kept of a dataset when it was sealed; `None` where it is not sealed, was sealed before there was a gate, or is purged.
    ///
    /// # Errors
    /// When the database fails, or what was kept was altered.
    pub async fn gate_record(&self, dataset: Digest) -> Result<Option<GateRecord>, StoreError> {
        const NAME: &str = "gate_record";
        let sealed = self
            .database
            .query(NAME, move |tx| {
                Box::pin(async move {
                    sqlx::query_as::<_, SealedRecord>(
                        "SELECT report, column_profile FROM gate_reports WHERE dataset = $1",
                    )
                    .bind(dataset.as_bytes().as_slice())
                    .fetch_optional(tx)
                    .await
                    .in_tx(NAME)
                })
            })
            .await?;
        let Some(sealed) = sealed else {
            return Ok(None);
        };
        let key = self.data_key(dataset, KeyPurpose::Dataset).await?;
        Ok(Some(GateRecord {
            report: open(&key, REPORT, sealed.report)?,
            column_profile: open(&key, PROFILE, sealed.column_profile)?,
        }))
    }
}
