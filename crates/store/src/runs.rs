use corridor_core::audit::{AuditAction, AuditEntry, AuditStamp, DisclosedPart, DisclosedResult, Disclosure};
use corridor_core::{DatasetState, Digest, DisclosureRule, RunState, RunStatus, Side, Signature};
use sqlx::{AnyConnection, FromRow};

use crate::audit::append;
use crate::data_keys::{KeyPurpose, insert_key};
use crate::database::{InTransaction as _, TxResult, from_sql, to_sql};
use crate::datasets::select_dataset;
use crate::disclosures::{
    ReleasedScope, ReleasedTable, insert_disclosures, insert_released, select_released,
};
use crate::leases::{Lease, check_held, end_lease, note_progress};
use crate::manifests::insert_manifest;
use crate::{Store, StoreError};

#[derive(FromRow)]
struct RunRow {
    id: Vec<u8>,
    agreement: Vec<u8>,
    origin_dataset: Vec<u8>,
    destination_dataset: Vec<u8>,
    state: String,
    tiles_done: i64,
    tiles_total: i64,
    restarts: i64,
    reason: String,
    result: Option<Vec<u8>>,
    released_by_origin: i64,
    released_by_destination: i64,
}

const SELECT: &str = "SELECT id, agreement, origin_dataset, destination_dataset, state, \
                      (SELECT count(*) FROM tiles WHERE run = runs.id) AS tiles_done, tiles_total, restarts, \
                      reason, result, CASE WHEN origin_release IS NULL THEN 0 ELSE 1 END AS released_by_origin, \
                      CASE WHEN destination_release IS NULL THEN 0 ELSE 1 END AS released_by_destination FROM runs";

impl TryFrom<RunRow> for RunStatus {
    type Error = StoreError;

    fn try_from(row: RunRow) -> Result<Self, StoreError> {
        let corrupt = || StoreError::Corrupt { what: "run" };
        let digest = |bytes: &[u8]| Digest::try_from(bytes).map_err(|_| corrupt());
        let mut released_by = Vec::new();
        if row.released_by_origin != 0 {
            released_by.push(Side::Origin);
        }
        if row.released_by_destination != 0 {
            released_by.push(Side::Destination);
        }
        Ok(Self {
            id: digest(&row.id)?,
            agreement: digest(&row.agreement)?,
            origin_dataset: digest(&row.origin_dataset)?,
            destination_dataset: digest(&row.destination_dataset)?,
            state: RunState::from_word(&row.state).ok_or_else(corrupt)?,
            tiles_done: from_sql(row.tiles_done, "run")?,
            tiles_total: from_sql(row.tiles_total, "run")?,
            restarts: from_sql(row.restarts, "run")?,
            reason: row.reason,
            result: row.result.as_deref().map(digest).transpose()?,
            released_by,
        })
    }
}

pub(crate) async fn find_run(
    tx: &mut AnyConnection,
    id: Digest,
    name: &'static str,
) -> TxResult<Option<RunStatus>> {
    sqlx::query_as::<_, RunRow>(sqlx::AssertSqlSafe(format!("{SELECT} WHERE id = $1")))
        .bind(id.as_bytes().as_slice())
        .fetch_optional(tx)
        .await
        .in_tx(name)?
        .map(RunStatus::try_from)
        .transpose()
}

pub(crate) async fn select_run(
    tx: &mut AnyConnection,
    id: Digest,
    name: &'static str,
) -> TxResult<RunStatus> {
    find_run(tx, id, name)
        .await?
        .ok_or(StoreError::NotFound { what: "run" })
}

/// Checks and makes a change of state.
pub(crate) async fn transition(
    tx: &mut AnyConnection,
    run: &RunStatus,
    next: RunState,
    name: &'static str,
) -> TxResult<()> {
    if !run.state.may_become(next) {
        return Err(StoreError::RunState {
            from: run.state,
            to: next,
        });
    }
    sqlx::query("UPDATE runs SET state = $1, changes = changes + 1 WHERE id = $2")
        .bind(next.as_str())
        .bind(run.id.as_bytes().as_slice())
        .execute(tx)
        .await
        .in_tx(name)
        .map(drop)
}

/// Sees to it that another service notices a change that is not one of state.
async fn note_change(tx: &mut AnyConnection, id: Digest, name: &'static str) -> TxResult<()> {
    sqlx::query("UPDATE runs SET changes = changes + 1 WHERE id = $1")
        .bind(id.as_bytes().as_slice())
        .execute(tx)
        .await
        .in_tx(name)
        .map(drop)
}

/// Notes how many tiles there are. What was noted beyond them goes with the same stroke: nobody sees more done than there is.
async fn start(tx: &mut AnyConnection, id: Digest, tiles_total: u64, name: &'static str) -> TxResult<()> {
    sqlx::query("UPDATE runs SET tiles_total = $1 WHERE id = $2")
        .bind(to_sql(tiles_total))
        .bind(id.as_bytes().as_slice())
        .execute(&mut *tx)
        .await
        .in_tx(name)?;
    sqlx::query("DELETE FROM tiles WHERE run = $1 AND tile >= $2")
        .bind(id.as_bytes().as_slice())
        .bind(to_sql(tiles_total))
        .execute(tx)
        .await
        .in_tx(name)
        .map(drop)
}

/// Why a run failed, for a person who can act on it: what happened, and what to do. Never blank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureReason(String);

impl FailureReason {
    /// The reason in these words.
    pub fn try_new(words: impl Into<String>) -> Option<Self> {
        Some(words.into())
            .filter(|words| !words.trim().is_empty())
            .map(Self)
    }

    /// The words.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What the holder of a run's lease brings about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunChange {
    /// Work begins: so many tiles in all. Notes of tiles beyond them, as of work that was cut otherwise, are taken back.
    Started {
        /// Tiles in all.
        tiles_total: u64,
    },
    /// Links are stored.
    Linked,
    /// The result is stored.
    Reconciled {
        /// Its digest.
        result: Digest,
        /// What it was made of, as canonical bytes.
        manifest: Vec<u8>,
    },
    /// The run ends without a result.
    Failed {
        /// Why, and what to do.
        reason: FailureReason,
        /// The same in a word, for the audit log.
        word: &'static str,
    },
}

impl RunChange {
    fn to_entry(&self, run: &RunStatus, stamp: &AuditStamp) -> AuditEntry {
        let entry = |action| to_entry(run, action, stamp);
        match self {
            Self::Started { tiles_total } => entry(AuditAction::RunStarted).with_count("tiles", *tiles_total),
            Self::Linked => entry(AuditAction::RunLinked),
            Self::Reconciled { result, manifest } => entry(AuditAction::RunFinished)
                .with_digest("result", *result)
                .with_digest("manifest", Digest::of(manifest)),
            Self::Failed { word, .. } => entry(AuditAction::RunFailed).with_word("reason", word),
        }
    }
}

/// The entry of something done with a run.
pub(crate) fn to_entry(run: &RunStatus, action: AuditAction, stamp: &AuditStamp) -> AuditEntry {
    stamp
        .entry(action, Some(run.agreement))
        .with_digest("run", run.id)
}

/// An office's consent that a result may leave, with all it takes to keep later tables from being subtracted from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Which office.
    pub side: Side,
    /// Its signature of the result's digest.
    pub signature: Signature,
    /// The rule the figures were protected by.
    pub rule: DisclosureRule,
    /// What the table is about.
    pub scope: ReleasedScope,
    /// Results it was held against when it was made.
    pub held_against: Vec<Digest>,
}

impl Store {
    /// Puts a run in the queue. One that failed or was cancelled is put there again, with its tiles; any other
    /// is left as it is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn enqueue_run(&self, run: &RunStatus, stamp: &AuditStamp) -> Result<RunStatus, StoreError> {
        const NAME: &str = "enqueue_run";
        let (run, stamp) = (run.clone(), stamp.clone());
        // Another service may hold the master key: it is not asked in the middle of a transaction, nor in vain.
        let mut keys = Vec::new();
        if self.run(run.id).await?.is_none() {
            for purpose in [KeyPurpose::Run, KeyPurpose::Result] {
                keys.push(self.keyring.draw(run.id, purpose).await?);
            }
        }
        self.run_logged(NAME, move |tx| {
            let (run, stamp, keys) = (run.clone(), stamp.clone(), keys.clone());
            Box::pin(async move {
                for dataset in [run.origin_dataset, run.destination_dataset] {
                    if select_dataset(tx, dataset, NAME).await?.state == DatasetState::Purged {
                        return Err(StoreError::DatasetPurged);
                    }
                }
                let is_queued = match find_run(tx, run.id, NAME).await? {
                    None => {
                        for key in &keys {
                            insert_key(tx, key, stamp.time, NAME).await?;
                        }
                        sqlx::query(
                            "INSERT INTO runs (id, agreement, origin_dataset, destination_dataset, state,
                                                   created_at)
                                 VALUES ($1, $2, $3, $4, 'queued', $5)",
                        )
                        .bind(run.id.as_bytes().as_slice())
                        .bind(run.agreement.as_bytes().as_slice())
                        .bind(run.origin_dataset.as_bytes().as_slice())
                        .bind(run.destination_dataset.as_bytes().as_slice())
                        .bind(stamp.time.to_string())
                        .execute(&mut *tx)
                        .await
                        .in_tx(NAME)?;
                        true
                    }
                    Some(stored) if matches!(stored.state, RunState::Failed | RunState::Cancelled) => {
                        transition(tx, &stored, RunState::Queued, NAME).await?;
                        sqlx::query("UPDATE runs SET reason = '' WHERE id = $1")
                            .bind(run.id.as_bytes().as_slice())
                            .execute(&mut *tx)
                            .await
                            .in_tx(NAME)?;
                        true
                    }
                    Some(_) => false,
                };
                if is_queued {
                    let entry = to_entry(&run, AuditAction::RunQueued, &stamp)
                        .with_digest("origin_dataset", run.origin_dataset)
                        .with_digest("destination_dataset", run.destination_dataset);
                    append(tx, entry, NAME).await?;
                }
                select_run(tx, run.id, NAME).await
            })
        })
        .await
    }

    /// A run by id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn run(&self, id: Digest) -> Result<Option<RunStatus>, StoreError> {
        const NAME: &str = "run";
        self.database
            .query(NAME, move |tx| Box::pin(find_run(tx, id, NAME)))
            .await
    }

    /// The runs of an agreement, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn runs_of(&self, agreement: Digest) -> Result<Vec<RunStatus>, StoreError> {
        const NAME: &str = "runs_of";
        self.database
            .query(NAME, move |tx| {
                Box::pin(async move {
                    sqlx::query_as::<_, RunRow>(sqlx::AssertSqlSafe(format!(
                        "{SELECT} WHERE agreement = $1 ORDER BY created_at, id"
                    )))
                    .bind(agreement.as_bytes().as_slice())
                    .fetch_all(tx)
                    .await
                    .in_tx(NAME)?
                    .into_iter()
                    .map(RunStatus::try_from)
                    .collect()
                })
            })
            .await
    }

    /// Changes the state of a run whose lease the caller holds. With its end the lease ends.
    ///
    /// # Errors
    /// When the lease is another's by now, the run may not change so, or the database fails.
    pub async fn change_run(
        &self,
        lease: &Lease,
        change: RunChange,
        stamp: &AuditStamp,
    ) -> Result<RunStatus, StoreError> {
        const NAME: &str = "change_run";
        let (lease, stamp) = (lease.clone(), stamp.clone());
        self.run_logged(NAME, move |tx| {
            let (lease, change, stamp) = (lease.clone(), change.clone(), stamp.clone());
            Box::pin(async move {
                check_held(tx, &lease, NAME).await?;
                let id = lease.run();
                let run = select_run(tx, id, NAME).await?;
                append(tx, change.to_entry(&run, &stamp), NAME).await?;
                let id_bytes = id.as_bytes().as_slice();
                match change {
                    RunChange::Started { tiles_total } => {
                        transition(tx, &run, RunState::Running, NAME).await?;
                        start(tx, id, tiles_total, NAME).await?;
                    }
                    RunChange::Linked => {
                        transition(tx, &run, RunState::Linked, NAME).await?;
                        note_progress(tx, id, NAME).await?;
                    }
                    RunChange::Reconciled { result, manifest } => {
                        transition(tx, &run, RunState::Reconciled, NAME).await?;
                        end_lease(tx, id, NAME).await?;
                        insert_manifest(tx, id, &manifest, NAME).await?;
                        sqlx::query("UPDATE runs SET result = $1 WHERE id = $2")
                            .bind(result.as_bytes().as_slice())
                            .bind(id_bytes)
                            .execute(&mut *tx)
                            .await
                            .in_tx(NAME)?;
                    }
                    RunChange::Failed { reason, .. } => {
                        transition(tx, &run, RunState::Failed, NAME).await?;
                        end_lease(tx, id, NAME).await?;
                        sqlx::query("UPDATE runs SET reason = $1 WHERE id = $2")
                            .bind(reason.0)
                            .bind(id_bytes)
                            .execute(&mut *tx)
                            .await
                            .in_tx(NAME)?;
                    }
                }
                select_run(tx, id, NAME).await
            })
        })
        .await
    }

    /// Stops a run: whoever holds its lease loses it.
    ///
    /// # Errors
    /// When the run has ended, or the database fails.
    pub async fn cancel_run(&self, id: Digest, stamp: &AuditStamp) -> Result<RunStatus, StoreError> {
        const NAME: &str = "cancel_run";
        let stamp = stamp.clone();
        self.run_logged(NAME, move |tx| {
            let stamp = stamp.clone();
            Box::pin(async move {
                let run = select_run(tx, id, NAME).await?;
                append(tx, to_entry(&run, AuditAction::RunCancelled, &stamp), NAME).await?;
                transition(tx, &run, RunState::Cancelled, NAME).await?;
                end_lease(tx, id, NAME).await?;
                select_run(tx, id, NAME).await
            })
        })
        .await
    }

    /// Notes that the result of a tile is stored; the same again changes nothing.
    ///
    /// # Errors
    /// When the lease is another's by now, the run has no such tile, or the database fails.
    pub async fn acknowledge_tile(
        &self,
        lease: &Lease,
        tile: u64,
        pair_count: u64,
    ) -> Result<RunStatus, StoreError> {
        const NAME: &str = "acknowledge_tile";
        let lease = lease.clone();
        self.database
            .run_tx(NAME, move |tx| {
                let lease = lease.clone();
                Box::pin(async move {
                    check_held(tx, &lease, NAME).await?;
                    let id = lease.run();
                    let run = select_run(tx, id, NAME).await?;
                    if tile >= run.tiles_total {
                        return Err(StoreError::NotFound { what: "tile" });
                    }
                    let noted = sqlx::query(
                        "INSERT INTO tiles (run, tile, pair_count) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                    )
                    .bind(id.as_bytes().as_slice())
                    .bind(to_sql(tile))
                    .bind(to_sql(pair_count))
                    .execute(&mut *tx)
                    .await
                    .in_tx(NAME)?;
                    if noted.rows_affected() > 0 {
                        note_progress(tx, id, NAME).await?;
                        note_change(tx, id, NAME).await?;
                    }
                    select_run(tx, id, NAME).await
                })
            })
            .await
    }

    /// Takes back the note that the result of a tile is stored.
    ///
    /// # Errors
    /// When the lease is another's by now, or the database fails.
    pub async fn forget_tile(&self, lease: &Lease, tile: u64) -> Result<(), StoreError> {
        const NAME: &str = "forget_tile";
        let lease = lease.clone();
        self.database
            .run_tx(NAME, move |tx| {
                let lease = lease.clone();
                Box::pin(async move {
                    check_held(tx, &lease, NAME).await?;
                    let id = lease.run();
                    sqlx::query("DELETE FROM tiles WHERE run = $1 AND tile = $2")
                        .bind(id.as_bytes().as_slice())
                        .bind(to_sql(tile))
                        .execute(&mut *tx)
                        .await
                        .in_tx(NAME)?;
                    note_change(tx, id, NAME).await
                })
            })
            .await
    }

    /// Tiles whose result is stored, in order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tiles_done(&self, run: Digest) -> Result<Vec<u64>, StoreError> {
        const NAME: &str = "tiles_done";
        self.database
            .query(NAME, move |tx| {
                Box::pin(async move {
                    sqlx::query_scalar::<_, i64>("SELECT tile FROM tiles WHERE run = $1 ORDER BY tile")
                        .bind(run.as_bytes().as_slice())
                        .fetch_all(tx)
                        .await
                        .in_tx(NAME)?
                        .into_iter()
                        .map(|tile| from_sql(tile, "tile"))
                        .collect()
                })
            })
            .await
    }

    /// Candidate pairs of all tiles that are noted as stored.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn candidates_stored(&self, run: Digest) -> Result<u64, StoreError> {
        const NAME: &str = "candidates_stored";
        self.database
            .query(NAME, move |tx| {
                Box::pin(async move {
                    let sum: i64 = sqlx::query_scalar(
                        "SELECT CAST(coalesce(sum(pair_count), 0) AS BIGINT) FROM tiles WHERE run = $1",
                    )
                    .bind(run.as_bytes().as_slice())
                    .fetch_one(tx)
                    .await
                    .in_tx(NAME)?;
                    from_sql(sum, "tile")
                })
            })
            .await
    }

    /// Notes that an office released the result; released when both did, and then known for good.
    ///
    /// # Errors
    /// When there is no result, a table about the same that this one was not held against was released in the meantime, or the
    /// database fails.
    pub async fn release_run(
        &self,
        id: Digest,
        release: &Release,
        stamp: &AuditStamp,
    ) -> Result<RunStatus, StoreError> {
        const NAME: &str = "release_run";
        let (release, stamp) = (release.clone(), stamp.clone());
        self.run_logged(NAME, move |tx| {
            let (release, stamp) = (release.clone(), stamp.clone());
            Box::pin(async move {
                let run = select_run(tx, id, NAME).await?;
                let Some(result) = run.result.filter(|_| run.state.has_result()) else {
                    return Err(StoreError::RunState {
                        from: run.state,
                        to: RunState::Released,
                    });
                };
                // Asked again after its answer was lost: whatever was released since, this was.
                if run.released_by.contains(&release.side) {
                    return Ok(run);
                }
                // In the same transaction, so that of two tables released at once one knows of the other.
                let others = select_released(tx, &release.scope, id, NAME).await?;
                if others
                    .iter()
                    .any(|other| !release.held_against.contains(&other.result))
                {
                    return Err(StoreError::ReleasedMeanwhile);
                }
                let statement = match release.side {
                    Side::Origin => {
                        "UPDATE runs SET origin_release = $1, changes = changes + 1 WHERE id = $2"
                    }
                    Side::Destination => {
                        "UPDATE runs SET destination_release = $1, changes = changes + 1 WHERE id = $2"
                    }
                };
                sqlx::query(statement)
                    .bind(release.signature.as_bytes().as_slice())
                    .bind(id.as_bytes().as_slice())
                    .execute(&mut *tx)
                    .await
                    .in_tx(NAME)?;
                let disclosed = DisclosedResult {
                    agreement: run.agreement,
                    run: id,
                    result,
                    rule: &release.rule,
                };
                let disclosure = Disclosure::new(disclosed, DisclosedPart::Release, &stamp)
                    .ok_or(StoreError::NotFound { what: "caller" })?;
                insert_disclosures(tx, &[(disclosure, stamp.clone())], NAME).await?;
                let run = select_run(tx, id, NAME).await?;
                if run.released_by.len() == 2 && run.state == RunState::Reconciled {
                    transition(tx, &run, RunState::Released, NAME).await?;
                    // From now on the days of retention count.
                    sqlx::query("UPDATE runs SET released_at = $1 WHERE id = $2")
                        .bind(stamp.time.to_string())
                        .bind(id.as_bytes().as_slice())
                        .execute(&mut *tx)
                        .await
                        .in_tx(NAME)?;
                    let table = ReleasedTable { run: id, result };
                    insert_released(tx, &release.scope, run.agreement, &table, (stamp.time, NAME)).await?;
                }
                select_run(tx, id, NAME).await
            })
        })
        .await
    }
}
