use corridor_core::audit::{AuditAction, AuditEntry, AuditStamp};
use corridor_core::{DatasetDeclaration, DatasetState, DatasetStatus, Digest};
use sqlx::{AnyConnection, FromRow};

use crate::audit::append;
use crate::data_keys::{KeyPurpose, destroy_key, insert_key};
use crate::database::{InTransaction as _, TxResult, from_sql, to_sql};
use crate::frames::{Ahead, FRAMES_AT_ONCE, Frame, check_repeated, insert_frames, out_of_order};
use crate::{GateRecord, Store, StoreError, gate};

#[derive(FromRow)]
struct DatasetRow {
    id: Vec<u8>,
    agreement: Vec<u8>,
    office: String,
    schema_digest: Vec<u8>,
    key_check: Vec<u8>,
    record_count: i64,
    total_bytes: i64,
    content_digest: Vec<u8>,
    state: String,
    acknowledged_bytes: i64,
    next_sequence: i64,
}

// A state of its own would need the table to be made anew where it stands: purged is what has a time of purge.
const COLUMNS: &str = "id, agreement, office, schema_digest, key_check, record_count, total_bytes, content_digest, \
                       CASE WHEN purged_at IS NULL THEN state ELSE 'purged' END AS state, \
                       acknowledged_bytes, next_sequence";

impl TryFrom<DatasetRow> for DatasetStatus {
    type Error = StoreError;

    fn try_from(row: DatasetRow) -> Result<Self, StoreError> {
        let corrupt = || StoreError::Corrupt { what: "dataset" };
        let digest = |bytes: &[u8]| Digest::try_from(bytes).map_err(|_| corrupt());
        Ok(Self {
            id: digest(&row.id)?,
            declaration: DatasetDeclaration {
                agreement: digest(&row.agreement)?,
                office: row.office.parse().map_err(|_| corrupt())?,
                schema: digest(&row.schema_digest)?,
                key_check: digest(&row.key_check)?,
                record_count: from_sql(row.record_count, "dataset")?,
                total_bytes: from_sql(row.total_bytes, "dataset")?,
                content: digest(&row.content_digest)?,
            },
            state: DatasetState::from_word(&row.state).ok_or_else(corrupt)?,
            acknowledged_bytes: from_sql(row.acknowledged_bytes, "dataset")?,
            next_sequence: from_sql(row.next_sequence, "dataset")?,
            // It hangs on the agreement, which the store does not read.
            purge_at: None,
        })
    }
}

/// What came of a declaration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// The dataset as it stands.
    pub status: DatasetStatus,
    /// An unfinished upload of other content that this one replaced, whose bytes can go; its key went, see [`Store::scrub_if_due`].
    pub replaced: Option<Digest>,
}

/// What to do with frames that came together.
#[derive(Debug)]
pub struct CheckedFrames {
    /// The dataset before them.
    pub status: DatasetStatus,
    /// Of each frame that is in order, whether it is the next one: store its bytes, then [`Store::acknowledge_frames`]. The others
    /// were stored before, or stand twice among these.
    pub is_next: Vec<bool>,
    /// Why the frame behind those is refused.
    pub refused: Option<StoreError>,
}

pub(crate) async fn select_dataset(
    tx: &mut AnyConnection,
    id: Digest,
    name: &'static str,
) -> TxResult<DatasetStatus> {
    find_dataset(tx, id, name)
        .await?
        .ok_or(StoreError::NotFound { what: "dataset" })
}

async fn find_dataset(
    tx: &mut AnyConnection,
    id: Digest,
    name: &'static str,
) -> TxResult<Option<DatasetStatus>> {
    sqlx::query_as::<_, DatasetRow>(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM datasets WHERE id = $1"
    )))
    .bind(id.as_bytes().as_slice())
    .fetch_optional(tx)
    .await
    .in_tx(name)?
    .map(DatasetStatus::try_from)
    .transpose()
}

async fn select_datasets_of(
    tx: &mut AnyConnection,
    agreement: Digest,
    name: &'static str,
) -> TxResult<Vec<DatasetStatus>> {
    sqlx::query_as::<_, DatasetRow>(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM datasets WHERE agreement = $1 ORDER BY office"
    )))
    .bind(agreement.as_bytes().as_slice())
    .fetch_all(tx)
    .await
    .in_tx(name)?
    .into_iter()
    .map(DatasetStatus::try_from)
    .collect()
}

/// Removes an unfinished upload and its key.
async fn delete_row(tx: &mut AnyConnection, id: Digest, name: &'static str) -> TxResult<()> {
    destroy_key(tx, id, KeyPurpose::Dataset, name).await?;
    sqlx::query("DELETE FROM datasets WHERE id = $1")
        .bind(id.as_bytes().as_slice())
        .execute(tx)
        .await
        .in_tx(name)
        .map(drop)
}

impl Store {
    /// Declares a dataset. The same declaration again gives the dataset as it stands; another one takes the
    /// place of an unfinished upload of the same office, never of a sealed dataset.
    ///
    /// # Errors
    /// When the office has a sealed dataset already or had one purged, the other office's key check differs, or the database
    /// fails.
    pub async fn declare_dataset(
        &self,
        declaration: &DatasetDeclaration,
        stamp: &AuditStamp,
    ) -> Result<Declared, StoreError> {
        const NAME: &str = "declare_dataset";
        let (declaration, stamp) = (declaration.clone(), stamp.clone());
        let id = declaration.to_id();
        // Another service may hold the master key: it is not asked in the middle of a transaction, nor in vain.
        let is_there = self
            .dataset(id)
            .await?
            .is_some_and(|known| known.declaration == declaration);
        let key = if is_there {
            None
        } else {
            Some(self.keyring.draw(id, KeyPurpose::Dataset).await?)
        };
        let declared = self
            .run_logged(NAME, move |tx| {
                let (declaration, stamp, key) = (declaration.clone(), stamp.clone(), key.clone());
                Box::pin(async move {
                    let existing = select_datasets_of(tx, declaration.agreement, NAME).await?;
                    let (own, other): (Vec<_>, Vec<_>) = existing
                        .into_iter()
                        .partition(|dataset| dataset.declaration.office == declaration.office);
                    if other.iter().any(|other| {
                        other.state == DatasetState::Sealed
                            && other.declaration.key_check != declaration.key_check
                    }) {
                        return Err(StoreError::KeyCheckMismatch);
                    }
                    let mut replaced = None;
                    if let Some(own) = own.into_iter().next() {
                        if own.declaration == declaration && own.state != DatasetState::Purged {
                            return Ok(Declared {
                                status: own,
                                replaced: None,
                            });
                        }
                        match own.state {
                            DatasetState::Purged => return Err(StoreError::DatasetPurged),
                            DatasetState::Sealed => return Err(StoreError::DatasetSealed),
                            DatasetState::Receiving => {}
                        }
                        delete_row(tx, own.id, NAME).await?;
                        replaced = Some(own.id);
                    }
                    let key = key.ok_or(StoreError::NotFound { what: "dataset" })?;
                    insert_key(tx, &key, stamp.time, NAME).await?;
                    let inserted = sqlx::query_as::<_, DatasetRow>(sqlx::AssertSqlSafe(format!(
                        "INSERT INTO datasets (id, agreement, office, schema_digest, key_check, record_count,
                                               total_bytes, content_digest, state, created_at)
                         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'receiving', $9) RETURNING {COLUMNS}"
                    )))
                    .bind(id.as_bytes().as_slice())
                    .bind(declaration.agreement.as_bytes().as_slice())
                    .bind(declaration.office.as_str())
                    .bind(declaration.schema.as_bytes().as_slice())
                    .bind(declaration.key_check.as_bytes().as_slice())
                    .bind(to_sql(declaration.record_count))
                    .bind(to_sql(declaration.total_bytes))
                    .bind(declaration.content.as_bytes().as_slice())
                    .bind(stamp.time.to_string())
                    .fetch_one(&mut *tx)
                    .await
                    .in_tx(NAME)?;
                    let entry = stamp
                        .entry(AuditAction::DatasetDeclared, Some(declaration.agreement))
                        .with_digest("dataset", id)
                        .with_digest("content", declaration.content)
                        .with_count("records", declaration.record_count)
                        .with_count("bytes", declaration.total_bytes);
                    let entry = match replaced {
                        Some(replaced) => entry.with_digest("replaced", replaced),
                        None => entry,
                    };
                    append(tx, entry, NAME).await?;
                    Ok(Declared {
                        status: DatasetStatus::try_from(inserted)?,
                        replaced: replaced.filter(|replaced| *replaced != id),
                    })
                })
            })
            .await?;
        if declared.replaced.is_some() {
            self.database.set_scrub_due();
            self.forget_destroyed_keys().await?;
        }
        Ok(declared)
    }

    /// A dataset by id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn dataset(&self, id: Digest) -> Result<Option<DatasetStatus>, StoreError> {
        const NAME: &str = "dataset";
        self.database
            .query(NAME, move |tx| Box::pin(find_dataset(tx, id, NAME)))
            .await
    }

    /// The datasets of an agreement, by office.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn datasets_of(&self, agreement: Digest) -> Result<Vec<DatasetStatus>, StoreError> {
        const NAME: &str = "datasets_of";
        self.database
            .query(NAME, move |tx| Box::pin(select_datasets_of(tx, agreement, NAME)))
            .await
    }

    /// Every dataset and its state.
    pub(crate) async fn dataset_states(&self) -> Result<Vec<(Digest, DatasetState)>, StoreError> {
        const NAME: &str = "dataset_states";
        self.database
            .query(NAME, move |tx| {
                Box::pin(async move {
                    sqlx::query_as::<_, DatasetRow>(sqlx::AssertSqlSafe(format!(
                        "SELECT {COLUMNS} FROM datasets"
                    )))
                    .fetch_all(tx)
                    .await
                    .in_tx(NAME)?
                    .into_iter()
                    .map(|row| DatasetStatus::try_from(row).map(|status| (status.id, status.state)))
                    .collect()
                })
            })
            .await
    }

    /// Which of frames that came together are the next ones, and which were stored before. Nothing is said of those behind one that
    /// is neither, holds other content than before, or goes beyond the bytes declared.
    ///
    /// # Errors
    /// When there is no such dataset, it was purged, or the database fails.
    pub async fn check_frames(&self, id: Digest, frames: &[Frame]) -> Result<CheckedFrames, StoreError> {
        const NAME: &str = "check_frames";
        let status = self
            .database
            .query(NAME, move |tx| Box::pin(select_dataset(tx, id, NAME)))
            .await?;
        if status.state == DatasetState::Purged {
            return Err(StoreError::DatasetPurged);
        }
        let is_repeated = |frame: &Frame| frame.sequence < status.next_sequence;
        let repeated = frames.iter().copied().filter(is_repeated).collect();
        let mut stored = self.stored_checksums(id, repeated).await?.into_iter();
        let mut ahead = Ahead::new(&status);
        let mut is_next = Vec::with_capacity(frames.len());
        let mut refused = None;
        for frame in frames {
            let checked = if is_repeated(frame) {
                check_repeated(frame, stored.next().flatten().as_deref())
            } else {
                ahead.check(frame)
            };
            match checked {
                Ok(next) => is_next.push(next),
                Err(error) => {
                    refused = Some(error);
                    break;
                }
            }
        }
        Ok(CheckedFrames {
            status,
            is_next,
            refused,
        })
    }

    /// The checksum under the number of each of these frames, where one was stored.
    async fn stored_checksums(
        &self,
        id: Digest,
        frames: Vec<Frame>,
    ) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        const NAME: &str = "stored_checksums";
        if frames.is_empty() {
            return Ok(Vec::new());
        }
        self.database
            .run_read(NAME, move |tx| {
                let frames = frames.clone();
                Box::pin(async move {
                    let mut checksums = Vec::with_capacity(frames.len());
                    for frame in frames {
                        let stored = sqlx::query_scalar(
                            "SELECT checksum FROM frames WHERE dataset = $1 AND sequence = $2",
                        )
                        .bind(id.as_bytes().as_slice())
                        .bind(to_sql(frame.sequence))
                        .fetch_optional(&mut *tx)
                        .await
                        .in_tx(NAME)?;
                        checksums.push(stored);
                    }
                    Ok(checksums)
                })
            })
            .await
    }

    /// Notes that the bytes of the next frames are safely stored.
    ///
    /// # Errors
    /// When the database fails, or another writer was faster.
    pub async fn acknowledge_frames(
        &self,
        id: Digest,
        frames: Vec<Frame>,
    ) -> Result<DatasetStatus, StoreError> {
        const NAME: &str = "acknowledge_frames";
        self.database
            .run_tx(NAME, move |tx| {
                let frames = frames.clone();
                Box::pin(async move {
                    let first = frames.first().map_or(0, |frame| frame.sequence);
                    let byte_count = frames.iter().map(|frame| frame.byte_count).sum();
                    let updated = sqlx::query_as::<_, DatasetRow>(sqlx::AssertSqlSafe(format!(
                        "UPDATE datasets SET acknowledged_bytes = acknowledged_bytes + $1,
                                next_sequence = next_sequence + $2
                         WHERE id = $3 AND next_sequence = $4 AND state = 'receiving' AND purged_at IS NULL
                         RETURNING {COLUMNS}"
                    )))
                    .bind(to_sql(byte_count))
                    .bind(to_sql(u64::try_from(frames.len()).unwrap_or(u64::MAX)))
                    .bind(id.as_bytes().as_slice())
                    .bind(to_sql(first))
                    .fetch_optional(&mut *tx)
                    .await
                    .in_tx(NAME)?;
                    let Some(updated) = updated else {
                        let status = select_dataset(tx, id, NAME).await?;
                        return Err(out_of_order(
                            status.next_sequence,
                            status.acknowledged_bytes,
                            first,
                        ));
                    };
                    for some in frames.chunks(FRAMES_AT_ONCE) {
                        insert_frames(tx, id, some, NAME).await?;
                    }
                    DatasetStatus::try_from(updated)
                })
            })
            .await
    }

    /// Notes that a dataset was checked and is fixed, with what the gate keeps of it. The key check is compared once more, since
    /// the other office may have sealed in the meantime. `compared` is the sealed dataset of the other office that the gate
    /// compared it with.
    ///
    /// # Errors
    /// When there is no such dataset, the other office's key check differs, the other office has sealed one that it was not
    /// compared with, or the database fails.
    pub async fn seal_dataset(
        &self,
        id: Digest,
        gate: &GateRecord,
        compared: Option<Digest>,
        stamp: &AuditStamp,
    ) -> Result<DatasetStatus, StoreError> {
        const NAME: &str = "seal_dataset";
        if self.dataset(id).await?.is_none() {
            return Err(StoreError::NotFound { what: "dataset" });
        }
        let key = self.data_key(id, KeyPurpose::Dataset).await;
        let key = key.map_err(|error| {
            if matches!(error, StoreError::KeyDestroyed { .. }) {
                StoreError::DatasetPurged
            } else {
                error
            }
        })?;
        let (gate, stamp) = (gate.seal(&key), stamp.clone());
        self.run_logged(NAME, move |tx| {
            let (gate, stamp) = (gate.clone(), stamp.clone());
            Box::pin(async move {
                let status = select_dataset(tx, id, NAME).await?;
                if status.state == DatasetState::Purged {
                    return Err(StoreError::DatasetPurged);
                }
                let datasets = select_datasets_of(tx, status.declaration.agreement, NAME).await?;
                if datasets.iter().any(|other| {
                    other.id != id
                        && other.state == DatasetState::Sealed
                        && other.declaration.key_check != status.declaration.key_check
                }) {
                    return Err(StoreError::KeyCheckMismatch);
                }
                if datasets.iter().any(|other| {
                    other.id != id && other.state == DatasetState::Sealed && Some(other.id) != compared
                }) {
                    return Err(StoreError::SealedMeanwhile);
                }
                gate::insert(tx, id, &gate, NAME).await?;
                let sealed = sqlx::query(
                    "UPDATE datasets SET state = 'sealed', sealed_at = $1 WHERE id = $2 AND state = 'receiving'",
                )
                .bind(stamp.time.to_string())
                .bind(id.as_bytes().as_slice())
                .execute(&mut *tx)
                .await
                .in_tx(NAME)?;
                if sealed.rows_affected() > 0 {
                    let entry = to_entry(&status, AuditAction::DatasetSealed, &stamp);
                    append(tx, entry, NAME).await?;
                }
                select_dataset(tx, id, NAME).await
            })
        })
        .await
    }

    /// Forgets a dataset that failed its checks, so that nothing of it stays and the office can upload again. The word says which.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_dataset(
        &self,
        id: Digest,
        reason: &'static str,
        stamp: &AuditStamp,
    ) -> Result<(), StoreError> {
        const NAME: &str = "delete_dataset";
        let stamp = stamp.clone();
        self.run_logged(NAME, move |tx| {
            let stamp = stamp.clone();
            Box::pin(async move {
                let Some(status) = find_dataset(tx, id, NAME).await? else {
                    return Ok(());
                };
                if status.state == DatasetState::Receiving {
                    delete_row(tx, id, NAME).await?;
                    let entry =
                        to_entry(&status, AuditAction::SealRefused, &stamp).with_word("reason", reason);
                    append(tx, entry, NAME).await?;
                }
                Ok(())
            })
        })
        .await?;
        self.forget_destroyed_keys().await?;
        self.scrub().await
    }
}

/// The entry of something done with a dataset.
pub(crate) fn to_entry(status: &DatasetStatus, action: AuditAction, stamp: &AuditStamp) -> AuditEntry {
    stamp
        .entry(action, Some(status.declaration.agreement))
        .with_digest("dataset", status.id)
        .with_digest("content", status.declaration.content)
}
