//! The audit log in the database: entries are written in the transaction of what they are of, and only added.

use std::sync::Arc;

use corridor_core::Digest;
use corridor_core::audit::{
    AuditEntry, Checkpoint, LogTree, NoteError, ProofError, SignedCheckpoint, leaf_hash,
};
use futures::future::BoxFuture;
use jiff::Timestamp;
use sqlx::{AnyConnection, FromRow};
use tokio::sync::Mutex;

use crate::audit_key::AuditKey;
use crate::database::{InTransaction as _, TxResult, from_sql, to_sql};
use crate::disclosures::WaitingDisclosures;
use crate::{Store, StoreError};

/// Entries read at once.
const PAGE: u64 = 1000;

/// What is kept in memory of the log.
#[derive(Debug, Clone, Default)]
pub(crate) struct AuditState {
    /// One transaction that logs at a time: they all take the same row first, and would only fail for each other.
    pub(crate) turn: Arc<Mutex<()>>,
    /// Disclosures that wait for it.
    pub(crate) waiting: WaitingDisclosures,
    /// The tree over the leaves read so far.
    tree: Arc<Mutex<LogTree>>,
}

/// An entry as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Its place.
    pub sequence: u64,
    /// The agreement it is about; `None` where it is about the service as a whole.
    pub agreement: Option<Digest>,
    /// Its canonical bytes.
    pub entry: Vec<u8>,
    /// Its leaf of the tree.
    pub leaf: Digest,
}

#[derive(FromRow)]
struct Row {
    sequence: i64,
    agreement: Option<Vec<u8>>,
    entry: Vec<u8>,
    leaf: Vec<u8>,
}

impl TryFrom<Row> for AuditRow {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let corrupt = || StoreError::Corrupt { what: "audit entry" };
        let agreement = row.agreement.as_deref().map(Digest::try_from).transpose();
        Ok(Self {
            sequence: from_sql(row.sequence, "audit entry")?,
            agreement: agreement.map_err(|_| corrupt())?,
            entry: row.entry,
            leaf: Digest::try_from(row.leaf.as_slice()).map_err(|_| corrupt())?,
        })
    }
}

/// Writes an entry at the next place of the log, in the transaction of what it is of. Gives the place. The database takes entries one
/// by one only.
pub(crate) async fn append(
    tx: &mut AnyConnection,
    mut entry: AuditEntry,
    name: &'static str,
) -> TxResult<u64> {
    // Takes the row before anything else, so that no other transaction sees the same size.
    let size: i64 = sqlx::query_scalar("UPDATE audit_head SET size = size + 1 WHERE id = 1 RETURNING size")
        .fetch_one(&mut *tx)
        .await
        .in_tx(name)?;
    entry.sequence = from_sql(size - 1, "audit log")?;
    let bytes = entry.to_canonical_bytes();
    let leaf = leaf_hash(&bytes);
    sqlx::query("INSERT INTO audit_entries (sequence, agreement, entry, leaf) VALUES ($1, $2, $3, $4)")
        .bind(size - 1)
        .bind(entry.agreement.map(|digest| digest.as_bytes().to_vec()))
        .bind(bytes)
        .bind(leaf.as_bytes().as_slice())
        .execute(tx)
        .await
        .in_tx(name)?;
    Ok(entry.sequence)
}

async fn select_rows(
    tx: &mut AnyConnection,
    first: u64,
    count: u64,
    name: &'static str,
) -> TxResult<Vec<AuditRow>> {
    sqlx::query_as::<_, Row>(
        "SELECT sequence, agreement, entry, leaf FROM audit_entries WHERE sequence >= $1 AND sequence < $2
         ORDER BY sequence",
    )
    .bind(to_sql(first))
    .bind(to_sql(first.saturating_add(count)))
    .fetch_all(tx)
    .await
    .in_tx(name)?
    .into_iter()
    .map(AuditRow::try_from)
    .collect()
}

impl Store {
    /// Runs a transaction that logs what it does.
    pub(crate) async fn run_logged<T, F>(&self, name: &'static str, work: F) -> TxResult<T>
    where
        F: for<'c> Fn(&'c mut AnyConnection) -> BoxFuture<'c, TxResult<T>>,
    {
        let _turn = self.audit.turn.lock().await;
        self.database.run_tx(name, work).await
    }

    /// Logs what changes nothing else in the database. Gives the place of the entry.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn append_audit(&self, entry: &AuditEntry) -> Result<u64, StoreError> {
        const NAME: &str = "append_audit";
        let entry = entry.clone();
        self.run_logged(NAME, move |tx| Box::pin(append(tx, entry.clone(), NAME)))
            .await
    }

    /// So many entries from one on, in order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_rows(&self, first: u64, count: u64) -> Result<Vec<AuditRow>, StoreError> {
        const NAME: &str = "audit_rows";
        self.database
            .query(NAME, move |tx| Box::pin(select_rows(tx, first, count, NAME)))
            .await
    }

    /// The tree over everything logged by now.
    async fn with_tree<T>(&self, look: impl FnOnce(&LogTree) -> T) -> Result<T, StoreError> {
        let mut tree = self.audit.tree.lock().await;
        loop {
            let rows = self.audit_rows(tree.len(), PAGE).await?;
            let count = rows.len();
            for row in rows {
                check_row(&row, tree.len())?;
                tree.push(row.leaf);
            }
            if to_u64(count) < PAGE {
                return Ok(look(&tree));
            }
        }
    }

    /// Reads the whole log and holds it against itself and the checkpoint that was given out last.
    ///
    /// # Errors
    /// When anything was altered, with the entry; when the database fails.
    pub async fn check_audit(&self, key: &AuditKey) -> Result<(), StoreError> {
        *self.audit.tree.lock().await = LogTree::default();
        let tampered = |problem: String| StoreError::AuditTampered { problem };
        // Another service may log meanwhile.
        let before = self.audit_head().await?;
        let size = self.with_tree(LogTree::len).await?;
        let after = self.audit_head().await?;
        if !(before..=after).contains(&size) {
            return Err(tampered(format!(
                "it has {size} entries, but {after} were written"
            )));
        }
        let Some(signed) = self.latest_checkpoint().await? else {
            return Ok(());
        };
        let checkpoint = signed.verify(key.log()).map_err(|error| match error {
            NoteError::OtherKey => tampered(
                "its last checkpoint was signed by another key; if the key file was lost, put it back from a copy"
                    .to_owned(),
            ),
            NoteError::Checkpoint(_) | NoteError::Key | NoteError::Origin | NoteError::Signature => {
                tampered(format!("its last checkpoint: {error}"))
            }
        })?;
        let root = self.with_tree(|tree| tree.root_at(checkpoint.size)).await?;
        match root {
            Ok(root) if root == checkpoint.root => Ok(()),
            Ok(_) => Err(tampered(format!(
                "its first {} entries are not those whose root was signed at {}",
                checkpoint.size, checkpoint.time
            ))),
            Err(_) => Err(tampered(format!(
                "it has {size} entries, but {} were signed at {}",
                checkpoint.size, checkpoint.time
            ))),
        }
    }

    /// How many entries were written.
    async fn audit_head(&self) -> Result<u64, StoreError> {
        const NAME: &str = "audit_head";
        self.database
            .query(NAME, |tx| {
                Box::pin(async move {
                    let size: i64 = sqlx::query_scalar("SELECT size FROM audit_head WHERE id = 1")
                        .fetch_one(tx)
                        .await
                        .in_tx(NAME)?;
                    from_sql(size, "audit log")
                })
            })
            .await
    }

    /// A signed checkpoint over everything logged by now. The same log gives the same checkpoint.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn checkpoint(&self, key: &AuditKey, now: Timestamp) -> Result<SignedCheckpoint, StoreError> {
        const NAME: &str = "checkpoint";
        let (size, root) = self.with_tree(|tree| (tree.len(), tree.root())).await?;
        let signed = key.sign(Checkpoint {
            origin: key.log().origin.clone(),
            size,
            root,
            time: now,
        });
        let note = signed.to_string();
        let kept: String = self
            .database
            .run_tx(NAME, move |tx| {
                let note = note.clone();
                Box::pin(async move {
                    sqlx::query(
                        "INSERT INTO audit_checkpoints (size, note) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                    )
                    .bind(to_sql(size))
                    .bind(note)
                    .execute(&mut *tx)
                    .await
                    .in_tx(NAME)?;
                    sqlx::query_scalar("SELECT note FROM audit_checkpoints WHERE size = $1")
                        .bind(to_sql(size))
                        .fetch_one(tx)
                        .await
                        .in_tx(NAME)
                })
            })
            .await?;
        let kept: SignedCheckpoint = kept.parse().map_err(|_| StoreError::Corrupt {
            what: "audit checkpoint",
        })?;
        match kept.verify(key.log()) {
            Ok(checkpoint) if checkpoint.root == root => Ok(kept),
            Ok(_) | Err(_) => Err(StoreError::AuditTampered {
                problem: format!("its first {size} entries are not those whose root was signed before"),
            }),
        }
    }

    async fn latest_checkpoint(&self) -> Result<Option<SignedCheckpoint>, StoreError> {
        const NAME: &str = "latest_checkpoint";
        let note: Option<String> = self
            .database
            .query(NAME, |tx| {
                Box::pin(async move {
                    sqlx::query_scalar("SELECT note FROM audit_checkpoints ORDER BY size DESC LIMIT 1")
                        .fetch_optional(tx)
                        .await
                        .in_tx(NAME)
                })
            })
            .await?;
        note.map(|note| note.parse())
            .transpose()
            .map_err(|_| StoreError::Corrupt {
                what: "audit checkpoint",
            })
    }

    /// The hashes that lead from an entry to the root over the first `size`, and its leaf.
    ///
    /// # Errors
    /// When there is no such entry or size, or the database fails.
    pub async fn prove_audit_entry(
        &self,
        sequence: u64,
        size: u64,
    ) -> Result<Result<Vec<Digest>, ProofError>, StoreError> {
        self.with_tree(|tree| tree.prove_inclusion(sequence, size)).await
    }

    /// The hashes that show that the log of `size` entries begins with that of `earlier`.
    ///
    /// # Errors
    /// When there are no such sizes, or the database fails.
    pub async fn prove_audit_growth(
        &self,
        earlier: u64,
        size: u64,
    ) -> Result<Result<Vec<Digest>, ProofError>, StoreError> {
        self.with_tree(|tree| tree.prove_consistency(earlier, size)).await
    }
}

/// An entry stands at its place, and its bytes are those of its leaf.
fn check_row(row: &AuditRow, place: u64) -> Result<(), StoreError> {
    let tampered = |problem: String| StoreError::AuditTampered { problem };
    if row.sequence != place {
        return Err(tampered(format!("entry {place} is missing")));
    }
    let is_sound = leaf_hash(&row.entry) == row.leaf
        && AuditEntry::from_canonical_bytes(&row.entry)
            .is_ok_and(|entry| entry.sequence == place && entry.agreement == row.agreement);
    if is_sound {
        Ok(())
    } else {
        Err(tampered(format!("entry {place} was altered")))
    }
}

fn to_u64(len: usize) -> u64 {
    u64::try_from(len).expect("a length fits in 64 bits")
}

#[cfg(test)]
mod tests;
