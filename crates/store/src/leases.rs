use corridor_core::audit::{AuditAction, AuditStamp};
use corridor_core::{Digest, RunState, RunStatus};
use sqlx::{AnyConnection, FromRow};

use crate::audit::append;
use crate::database::{InTransaction as _, TxResult, from_sql, to_sql};
use crate::runs::{select_run, to_entry, transition};
use crate::{Store, StoreError};

/// A service that works on runs, by the number the database gave it when it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WorkerId(u64);

impl WorkerId {
    /// The number.
    pub const fn to_u64(self) -> u64 {
        self.0
    }
}

/// The right to write for a run. Every write of a worker shows it, and is refused when somebody else took the run since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    run: Digest,
    worker: WorkerId,
    token: u64,
}

impl Lease {
    /// The run.
    pub const fn run(&self) -> Digest {
        self.run
    }

    /// Who holds it.
    pub const fn worker(&self) -> WorkerId {
        self.worker
    }

    /// Rises each time somebody takes the run.
    pub const fn token(&self) -> u64 {
        self.token
    }
}

/// A run there is work on, and how its lease stands. No clock is in it: a lease that does not move is one nobody renews, and each
/// service counts by itself for how long it has stood still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenRun {
    /// The run.
    pub id: Digest,
    /// Its state.
    pub state: RunState,
    /// Who works on it, if anybody.
    pub worker: Option<WorkerId>,
    /// The token of whoever took it last; 0 when nobody did.
    pub token: u64,
    /// Moves with each renewal.
    pub renewals: u64,
}

#[derive(FromRow)]
struct OpenRow {
    id: Vec<u8>,
    state: String,
    worker: i64,
    token: i64,
    renewals: i64,
}

impl TryFrom<OpenRow> for OpenRun {
    type Error = StoreError;

    fn try_from(row: OpenRow) -> Result<Self, StoreError> {
        let corrupt = || StoreError::Corrupt { what: "run" };
        Ok(Self {
            id: Digest::try_from(row.id.as_slice()).map_err(|_| corrupt())?,
            state: RunState::from_word(&row.state).ok_or_else(corrupt)?,
            worker: Some(from_sql(row.worker, "lease")?)
                .filter(|worker| *worker > 0)
                .map(WorkerId),
            token: from_sql(row.token, "lease")?,
            renewals: from_sql(row.renewals, "lease")?,
        })
    }
}

/// Active runs. No lease is one that nobody holds.
const SELECT_OPEN: &str = "SELECT id, state, coalesce(worker, 0) AS worker, coalesce(token, 0) AS token, \
                           coalesce(renewals, 0) AS renewals FROM runs LEFT JOIN leases ON leases.run = runs.id \
                           WHERE state IN ('queued', 'running', 'linked')";

/// In the order in which they are due: first the one whose offices were both served longest ago, so that an office with many runs
/// keeps nobody waiting for more than one of them; then the oldest.
const BY_TURN: &str = "ORDER BY (SELECT coalesce(max(turn), 0) FROM turns JOIN agreements \
                       ON turns.office IN (agreements.origin_office, agreements.destination_office) \
                       WHERE agreements.digest = runs.agreement), runs.created_at, id";

/// How often in a row a run may take its service down with it before anything of it is stored.
const MOST_BARREN: i64 = 5;

/// Why such a run is given up.
const BARREN: &str = "The service ended five times in a row while it worked on this run, each time before it had stored anything \
                      more. Ask its operator to look for the cause, as too little memory, then start the run again; what it has \
                      done is kept.";

/// Checks that a lease is still its holder's.
pub(crate) async fn check_held(tx: &mut AnyConnection, lease: &Lease, name: &'static str) -> TxResult<()> {
    let held: i64 =
        sqlx::query_scalar("SELECT count(*) FROM leases WHERE run = $1 AND token = $2 AND worker = $3")
            .bind(lease.run.as_bytes().as_slice())
            .bind(to_sql(lease.token))
            .bind(to_sql(lease.worker.0))
            .fetch_one(tx)
            .await
            .in_tx(name)?;
    if held == 1 {
        Ok(())
    } else {
        Err(StoreError::LeaseLost)
    }
}

/// Notes that the offices of an agreement are served now.
async fn take_turn(tx: &mut AnyConnection, agreement: Digest, name: &'static str) -> TxResult<()> {
    let turn: i64 = sqlx::query_scalar("SELECT coalesce(max(turn), 0) + 1 FROM turns")
        .fetch_one(&mut *tx)
        .await
        .in_tx(name)?;
    for office in ["origin_office", "destination_office"] {
        sqlx::query(sqlx::AssertSqlSafe(format!(
            "INSERT INTO turns (office, turn) SELECT {office}, $1 FROM agreements WHERE digest = $2 \
             ON CONFLICT (office) DO UPDATE SET turn = excluded.turn"
        )))
        .bind(turn)
        .bind(agreement.as_bytes().as_slice())
        .execute(&mut *tx)
        .await
        .in_tx(name)?;
    }
    Ok(())
}

/// Takes the lease from whoever holds it.
pub(crate) async fn end_lease(tx: &mut AnyConnection, run: Digest, name: &'static str) -> TxResult<()> {
    sqlx::query("UPDATE leases SET worker = NULL WHERE run = $1")
        .bind(run.as_bytes().as_slice())
        .execute(tx)
        .await
        .in_tx(name)
        .map(drop)
}

/// Notes that a holder has stored something.
pub(crate) async fn note_progress(tx: &mut AnyConnection, run: Digest, name: &'static str) -> TxResult<()> {
    sqlx::query("UPDATE leases SET barren = 0 WHERE run = $1 AND barren > 0")
        .bind(run.as_bytes().as_slice())
        .execute(tx)
        .await
        .in_tx(name)
        .map(drop)
}

/// Puts a run that was being worked on back in the queue.
async fn requeue(
    tx: &mut AnyConnection,
    run: &RunStatus,
    stamp: &AuditStamp,
    name: &'static str,
) -> TxResult<()> {
    append(tx, to_entry(run, AuditAction::RunRequeued, stamp), name).await?;
    transition(tx, run, RunState::Queued, name).await?;
    sqlx::query("UPDATE runs SET restarts = restarts + 1 WHERE id = $1")
        .bind(run.id.as_bytes().as_slice())
        .execute(tx)
        .await
        .in_tx(name)
        .map(drop)
}

/// Fails a run that took its service down too often; whether it did.
async fn fail_barren(
    tx: &mut AnyConnection,
    run: &RunStatus,
    barren: i64,
    stamp: &AuditStamp,
    name: &'static str,
) -> TxResult<bool> {
    if barren < MOST_BARREN {
        return Ok(false);
    }
    let entry = to_entry(run, AuditAction::RunFailed, stamp).with_word("reason", "service_ended");
    append(tx, entry, name).await?;
    transition(tx, run, RunState::Failed, name).await?;
    end_lease(tx, run.id, name).await?;
    sqlx::query("UPDATE runs SET reason = $1 WHERE id = $2")
        .bind(BARREN)
        .bind(run.id.as_bytes().as_slice())
        .execute(&mut *tx)
        .await
        .in_tx(name)?;
    note_progress(tx, run.id, name).await?;
    Ok(true)
}

impl Store {
    /// A number for a service that begins to work.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn register_worker(&self) -> Result<WorkerId, StoreError> {
        const NAME: &str = "register_worker";
        self.database
            .run_tx(NAME, move |tx| {
                Box::pin(async move {
                    sqlx::query("UPDATE service SET workers = workers + 1")
                        .execute(&mut *tx)
                        .await
                        .in_tx(NAME)?;
                    let number: i64 = sqlx::query_scalar("SELECT workers FROM service")
                        .fetch_one(tx)
                        .await
                        .in_tx(NAME)?;
                    Ok(WorkerId(from_sql(number, "service")?))
                })
            })
            .await
    }

    /// Active runs and how their leases stand, and a number that has moved when any run changed. First is the run whose two offices
    /// were served longest ago, then the oldest.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_runs(&self) -> Result<(Vec<OpenRun>, u64), StoreError> {
        const NAME: &str = "open_runs";
        self.database
            .run_snapshot(NAME, |tx| {
                Box::pin(async move {
                    let rows =
                        sqlx::query_as::<_, OpenRow>(sqlx::AssertSqlSafe(format!("{SELECT_OPEN} {BY_TURN}")))
                            .fetch_all(&mut *tx)
                            .await
                            .in_tx(NAME)?;
                    let open: Result<Vec<_>, _> = rows.into_iter().map(OpenRun::try_from).collect();
                    // A new run moves it, too.
                    let changes: i64 =
                        sqlx::query_scalar("SELECT CAST(coalesce(sum(changes + 1), 0) AS BIGINT) FROM runs")
                            .fetch_one(tx)
                            .await
                            .in_tx(NAME)?;
                    Ok((open?, from_sql(changes, "run")?))
                })
            })
            .await
    }

    /// Takes a run, when its lease still stands as it was `seen`: nobody holds it, or whoever does has not moved since. It is
    /// for the caller to have waited for long enough in the second case. The run is queued then, with what was stored of it.
    ///
    /// None when somebody else was faster, or the run ended: one whose services died again and again fails instead.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim_run(
        &self,
        worker: WorkerId,
        seen: OpenRun,
        stamp: &AuditStamp,
    ) -> Result<Option<(RunStatus, Lease)>, StoreError> {
        const NAME: &str = "claim_run";
        let stamp = stamp.clone();
        self.run_logged(NAME, move |tx| {
                let stamp = stamp.clone();
                Box::pin(async move {
                    let id = seen.id.as_bytes().as_slice();
                    let row = sqlx::query_as::<_, OpenRow>(sqlx::AssertSqlSafe(format!(
                        "{SELECT_OPEN} AND id = $1"
                    )))
                    .bind(id)
                    .fetch_optional(&mut *tx)
                    .await
                    .in_tx(NAME)?;
                    let Some(now) = row.map(OpenRun::try_from).transpose()? else {
                        return Ok(None);
                    };
                    if (now.token, now.renewals, now.worker) != (seen.token, seen.renewals, seen.worker) {
                        return Ok(None);
                    }
                    let token = now.token + 1;
                    // Who let it fall itself, as when the store failed, is alive.
                    let died = i64::from(now.worker.is_some_and(|holder| holder != worker));
                    sqlx::query(
                        "INSERT INTO leases (run, token, worker) VALUES ($1, $2, $3) ON CONFLICT (run) DO UPDATE SET
                         token = excluded.token, worker = excluded.worker, renewals = 0, barren = leases.barren + $4",
                    )
                    .bind(id)
                    .bind(to_sql(token))
                    .bind(to_sql(worker.0))
                    .bind(died)
                    .execute(&mut *tx)
                    .await
                    .in_tx(NAME)?;
                    let barren: i64 = sqlx::query_scalar("SELECT barren FROM leases WHERE run = $1")
                        .bind(id)
                        .fetch_one(&mut *tx)
                        .await
                        .in_tx(NAME)?;
                    let run = select_run(tx, seen.id, NAME).await?;
                    if fail_barren(tx, &run, barren, &stamp, NAME).await? {
                        return Ok(None);
                    }
                    if run.state != RunState::Queued {
                        requeue(tx, &run, &stamp, NAME).await?;
                    }
                    take_turn(tx, run.agreement, NAME).await?;
                    let lease = Lease {
                        run: seen.id,
                        worker,
                        token,
                    };
                    Ok(Some((select_run(tx, seen.id, NAME).await?, lease)))
                })
            })
            .await
    }

    /// Shows that the holder is alive.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when the run was taken by another, cancelled or ended.
    pub async fn renew_lease(&self, lease: &Lease) -> Result<(), StoreError> {
        const NAME: &str = "renew_lease";
        let lease = lease.clone();
        self.database
            .run_tx(NAME, move |tx| {
                let lease = lease.clone();
                Box::pin(async move {
                    check_held(tx, &lease, NAME).await?;
                    sqlx::query("UPDATE leases SET renewals = renewals + 1 WHERE run = $1")
                        .bind(lease.run.as_bytes().as_slice())
                        .execute(tx)
                        .await
                        .in_tx(NAME)
                        .map(drop)
                })
            })
            .await
    }

    /// Puts a run back in the queue for others, with what was stored of it.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when it was taken, cancelled or ended already.
    pub async fn release_lease(&self, lease: &Lease, stamp: &AuditStamp) -> Result<RunStatus, StoreError> {
        const NAME: &str = "release_lease";
        let (lease, stamp) = (lease.clone(), stamp.clone());
        self.run_logged(NAME, move |tx| {
            let (lease, stamp) = (lease.clone(), stamp.clone());
            Box::pin(async move {
                check_held(tx, &lease, NAME).await?;
                end_lease(tx, lease.run, NAME).await?;
                let run = select_run(tx, lease.run, NAME).await?;
                if run.state != RunState::Queued {
                    requeue(tx, &run, &stamp, NAME).await?;
                }
                select_run(tx, lease.run, NAME).await
            })
        })
        .await
    }

    /// Takes every lease from whoever holds it, for the one service that can make use of the database: all others are dead. A run
    /// whose services died again and again fails when it is next claimed.
    pub(crate) async fn end_leases_of_the_dead(&self) -> Result<(), StoreError> {
        const NAME: &str = "end_leases";
        self.database
            .run_tx(NAME, move |tx| {
                Box::pin(async move {
                    sqlx::query(
                        "UPDATE leases SET worker = NULL, barren = barren + 1 WHERE worker IS NOT NULL",
                    )
                    .execute(tx)
                    .await
                    .in_tx(NAME)
                    .map(drop)
                })
            })
            .await
    }
}
