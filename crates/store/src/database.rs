use std::path::Path;
use std::time::Duration;

use futures::future::BoxFuture;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, SqliteConnection, SqlitePool};

use crate::StoreError;

/// What a transaction's body gives.
pub(crate) type TxResult<T> = Result<T, StoreError>;

/// The metadata database. Everything goes through [`Database::run_tx`].
#[derive(Debug, Clone)]
pub(crate) struct Database {
    pool: SqlitePool,
}

/// Tries of a transaction that finds the database locked.
const ATTEMPTS: u32 = 5;

impl Database {
    /// Opens or makes the database file and brings its schema up to date.
    pub(crate) async fn open(path: &Path) -> TxResult<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            // What was acknowledged survives a loss of power, too.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(10));
        let pool = SqlitePoolOptions::new()
            .max_connections(4)
            .connect_with(options)
            .await
            .map_err(|source| StoreError::Database {
                transaction: "open",
                source,
            })?;
        sqlx::migrate!().run(&pool).await?;
        Ok(Self { pool })
    }

    /// Runs `work` in one transaction, again when the database was locked, so `work` must be repeatable. It is
    /// committed when `work` succeeds and rolled back otherwise.
    pub(crate) async fn run_tx<T, F>(&self, name: &'static str, work: F) -> TxResult<T>
    where
        F: for<'c> Fn(&'c mut SqliteConnection) -> BoxFuture<'c, TxResult<T>>,
    {
        let fail = |source| StoreError::Database {
            transaction: name,
            source,
        };
        let mut attempt = 1;
        loop {
            let mut connection = self.pool.acquire().await.map_err(fail)?;
            // IMMEDIATE takes the write lock at the start, so that a transaction never fails half-way for it.
            let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(fail)?;
            let (outcome, is_over) = match work(&mut transaction).await {
                Ok(value) => match transaction.commit().await {
                    Ok(()) => (Ok(value), true),
                    Err(error) => (Err(fail(error)), false),
                },
                Err(error) => {
                    let rolled_back = transaction.rollback().await;
                    (Err(error), rolled_back.is_ok())
                }
            };
            if !is_over {
                // Its transaction may still be open: nobody must get this connection again.
                connection.close_on_drop();
            }
            match outcome {
                Err(error) if is_locked(&error) && attempt < ATTEMPTS => {
                    tracing::warn!(transaction = name, attempt, "database locked, trying again");
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

fn is_locked(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Database { source: sqlx::Error::Database(database), .. }
            if database.message().contains("locked") || database.message().contains("busy")
    )
}

/// Names the transaction in a database error.
pub(crate) trait InTransaction<T> {
    fn in_tx(self, transaction: &'static str) -> TxResult<T>;
}

impl<T> InTransaction<T> for Result<T, sqlx::Error> {
    fn in_tx(self, transaction: &'static str) -> TxResult<T> {
        self.map_err(|source| StoreError::Database { transaction, source })
    }
}

/// A count as SQLite stores it. No count of ours reaches 2⁶³.
pub(crate) fn to_sql(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A count as stored.
pub(crate) fn from_sql(count: i64, what: &'static str) -> TxResult<u64> {
    u64::try_from(count).map_err(|_| StoreError::Corrupt { what })
}
