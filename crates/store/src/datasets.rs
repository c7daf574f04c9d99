use corridor_core::audit::{AuditAction, AuditEntry, AuditStamp};
use corridor_core::{DatasetDeclaration, DatasetState, DatasetStatus, Digest};
use sqlx::{AnyConnection, FromRow};

use crate::audit::append;
use crate::database::{InTransaction as _, TxResult, from_sql, to_sql};
use crate::{Store, StoreError};

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

const COLUMNS: &str = "id, agreement, office, schema_digest, key_check, record_count, total_bytes, \
                       content_digest, state, acknowledged_bytes, next_sequence";

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
        })
    }
}

/// What came of a declaration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// The dataset as it stands.
    pub status: DatasetStatus,
    /// An unfinished upload of other content that this one replaced, whose bytes can go.
    pub replaced: Option<Digest>,
}

/// What to do with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameOutcome {
    /// It is the next one: store its bytes, then [`Store::acknowledge_frame`].
    Next,
    /// It was stored before.
    Repeated,
}

/// A frame without its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// From 0, without gaps.
    pub sequence: u64,
    /// Where in the file it begins.
    pub offset: u64,
    /// Its bytes.
    pub byte_count: u64,
    /// SHA-256 of its bytes.
    pub checksum: Digest,
}

async fn select_dataset(tx: &mut AnyConnection, id: Digest, name: &'static str) -> TxResult<DatasetStatus> {
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

impl Store {
    /// Declares a dataset. The same declaration again gives the dataset as it stands; another one takes the
    /// place of an unfinished upload of the same office, never of a sealed dataset.
    ///
    /// # Errors
    /// When the office has a sealed dataset already, the other office's key check differs, or the database
    /// fails.
    pub async fn declare_dataset(
        &self,
        declaration: &DatasetDeclaration,
        stamp: &AuditStamp,
    ) -> Result<Declared, StoreError> {
        const NAME: &str = "declare_dataset";
        let (declaration, stamp) = (declaration.clone(), stamp.clone());
        self.run_logged(NAME, move |tx| {
            let (declaration, stamp) = (declaration.clone(), stamp.clone());
            Box::pin(async move {
                let id = declaration.to_id();
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
                    if own.declaration == declaration {
                        return Ok(Declared {
                            status: own,
                            replaced: None,
                        });
                    }
                    if own.state == DatasetState::Sealed {
                        return Err(StoreError::DatasetSealed);
                    }
                    sqlx::query("DELETE FROM datasets WHERE id = $1")
                        .bind(own.id.as_bytes().as_slice())
                        .execute(&mut *tx)
                        .await
                        .in_tx(NAME)?;
                    replaced = Some(own.id);
                }
                sqlx::query(
                    "INSERT INTO datasets (id, agreement, office, schema_digest, key_check, record_count,
                                               total_bytes, content_digest, state, created_at)
                         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'receiving', $9)",
                )
                .bind(id.as_bytes().as_slice())
                .bind(declaration.agreement.as_bytes().as_slice())
                .bind(declaration.office.as_str())
                .bind(declaration.schema.as_bytes().as_slice())
                .bind(declaration.key_check.as_bytes().as_slice())
                .bind(to_sql(declaration.record_count))
                .bind(to_sql(declaration.total_bytes))
                .bind(declaration.content.as_bytes().as_slice())
                .bind(stamp.time.to_string())
                .execute(&mut *tx)
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
                    status: select_dataset(tx, id, NAME).await?,
                    replaced: replaced.filter(|replaced| *replaced != id),
                })
            })
        })
        .await
    }

    /// A dataset by id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn dataset(&self, id: Digest) -> Result<Option<DatasetStatus>, StoreError> {
        const NAME: &str = "dataset";
        self.database
            .run_tx(NAME, move |tx| Box::pin(find_dataset(tx, id, NAME)))
            .await
    }

    /// The datasets of an agreement, by office.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn datasets_of(&self, agreement: Digest) -> Result<Vec<DatasetStatus>, StoreError> {
        const NAME: &str = "datasets_of";
        self.database
            .run_tx(NAME, move |tx| Box::pin(select_datasets_of(tx, agreement, NAME)))
            .await
    }

    /// Every dataset and its state.
    pub(crate) async fn dataset_states(&self) -> Result<Vec<(Digest, DatasetState)>, StoreError> {
        const NAME: &str = "dataset_states";
        self.database
            .run_tx(NAME, move |tx| {
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

    /// Whether a frame is the next one, or was stored before.
    ///
    /// # Errors
    /// When it is neither, holds other content than before, or goes beyond the bytes declared.
    pub async fn check_frame(&self, id: Digest, frame: Frame) -> Result<FrameOutcome, StoreError> {
        const NAME: &str = "check_frame";
        self.database
            .run_tx(NAME, move |tx| {
                Box::pin(async move {
                    let status = select_dataset(tx, id, NAME).await?;
                    if frame.sequence < status.next_sequence {
                        let checksum: Option<Vec<u8>> = sqlx::query_scalar(
                            "SELECT checksum FROM frames WHERE dataset = $1 AND sequence = $2",
                        )
                        .bind(id.as_bytes().as_slice())
                        .bind(to_sql(frame.sequence))
                        .fetch_optional(tx)
                        .await
                        .in_tx(NAME)?;
                        return if checksum.as_deref() == Some(frame.checksum.as_bytes().as_slice()) {
                            Ok(FrameOutcome::Repeated)
                        } else {
                            Err(StoreError::FrameChanged {
                                sequence: frame.sequence,
                            })
                        };
                    }
                    if frame.sequence != status.next_sequence || frame.offset != status.acknowledged_bytes {
                        return Err(StoreError::FrameOutOfOrder {
                            expected: status.next_sequence,
                            expected_offset: status.acknowledged_bytes,
                            got: frame.sequence,
                        });
                    }
                    let declared = status.declaration.total_bytes;
                    if frame.byte_count == 0 || frame.byte_count > declared - status.acknowledged_bytes {
                        return Err(StoreError::FramesBeyondDeclared { declared });
                    }
                    Ok(FrameOutcome::Next)
                })
            })
            .await
    }

    /// Notes that the bytes of the next frame are safely stored.
    ///
    /// # Errors
    /// When the database fails, or another writer was faster.
    pub async fn acknowledge_frame(&self, id: Digest, frame: Frame) -> Result<DatasetStatus, StoreError> {
        const NAME: &str = "acknowledge_frame";
        self.database
            .run_tx(NAME, move |tx| {
                Box::pin(async move {
                    let updated = sqlx::query(
                        "UPDATE datasets SET acknowledged_bytes = acknowledged_bytes + $1,
                                next_sequence = next_sequence + 1
                         WHERE id = $2 AND next_sequence = $3 AND state = 'receiving'",
                    )
                    .bind(to_sql(frame.byte_count))
                    .bind(id.as_bytes().as_slice())
                    .bind(to_sql(frame.sequence))
                    .execute(&mut *tx)
                    .await
                    .in_tx(NAME)?;
                    let status = select_dataset(tx, id, NAME).await?;
                    if updated.rows_affected() != 1 {
                        return Err(StoreError::FrameOutOfOrder {
                            expected: status.next_sequence,
                            expected_offset: status.acknowledged_bytes,
                            got: frame.sequence,
                        });
                    }
                    sqlx::query(
                        "INSERT INTO frames (dataset, sequence, byte_count, checksum) VALUES ($1, $2, $3, $4)",
                    )
                    .bind(id.as_bytes().as_slice())
                    .bind(to_sql(frame.sequence))
                    .bind(to_sql(frame.byte_count))
                    .bind(frame.checksum.as_bytes().as_slice())
                    .execute(&mut *tx)
                    .await
                    .in_tx(NAME)?;
                    Ok(status)
                })
            })
            .await
    }

    /// Notes that a dataset was checked and is fixed. The key check is compared once more, since the
    /// other office may have sealed in the meantime.
    ///
    /// # Errors
    /// When there is no such dataset, the other office's key check differs, or the database fails.
    pub async fn seal_dataset(&self, id: Digest, stamp: &AuditStamp) -> Result<DatasetStatus, StoreError> {
        const NAME: &str = "seal_dataset";
        let stamp = stamp.clone();
        self.run_logged(NAME, move |tx| {
            let stamp = stamp.clone();
            Box::pin(async move {
                let status = select_dataset(tx, id, NAME).await?;
                let datasets = select_datasets_of(tx, status.declaration.agreement, NAME).await?;
                if datasets.iter().any(|other| {
                    other.id != id
                        && other.state == DatasetState::Sealed
                        && other.declaration.key_check != status.declaration.key_check
                }) {
                    return Err(StoreError::KeyCheckMismatch);
                }
                let sealed =
                    sqlx::query("UPDATE datasets SET state = 'sealed' WHERE id = $1 AND state = 'receiving'")
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
                let deleted = sqlx::query("DELETE FROM datasets WHERE id = $1 AND state = 'receiving'")
                    .bind(id.as_bytes().as_slice())
                    .execute(&mut *tx)
                    .await
                    .in_tx(NAME)?;
                if deleted.rows_affected() > 0 {
                    let entry =
                        to_entry(&status, AuditAction::SealRefused, &stamp).with_word("reason", reason);
                    append(tx, entry, NAME).await?;
                }
                Ok(())
            })
        })
        .await
    }
}

/// The entry of something done with a dataset.
fn to_entry(status: &DatasetStatus, action: AuditAction, stamp: &AuditStamp) -> AuditEntry {
    stamp
        .entry(action, Some(status.declaration.agreement))
        .with_digest("dataset", status.id)
        .with_digest("content", status.declaration.content)
}
