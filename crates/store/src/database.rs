use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AnyConnection, AnyPool, ConnectOptions as _, Connection as _, Executor as _};

use crate::StoreError;

/// What a transaction's body gives.
pub(crate) type TxResult<T> = Result<T, StoreError>;

/// The metadata database: SQLite or PostgreSQL, with the same statements. Everything goes through [`Database::run_tx`].
#[derive(Debug, Clone)]
pub(crate) struct Database {
    pool: AnyPool,
    dialect: Dialect,
    /// Transactions that were tried again.
    retries: Arc<AtomicU64>,
}

/// Which database it is. Statements are the same; how a transaction begins and which failures pass by themselves are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    /// A transaction sees and leaves the database as if it were alone.
    const fn begin(self) -> &'static str {
        match self {
            // Takes the write lock at the start, so that a transaction never fails half-way for it.
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN ISOLATION LEVEL SERIALIZABLE",
        }
    }

    /// Whether the transaction only had bad luck with others at work, so that it may be tried again.
    fn is_conflict(self, error: &StoreError) -> bool {
        let StoreError::Database {
            source: sqlx::Error::Database(database),
            ..
        } = error
        else {
            return false;
        };
        match self {
            Self::Sqlite => database.message().contains("locked") || database.message().contains("busy"),
            // serialization_failure and deadlock_detected.
            Self::Postgres => matches!(database.code().as_deref(), Some("40001" | "40P01")),
        }
    }
}

/// Tries of a transaction that others are in the way of.
const ATTEMPTS: u32 = 5;

impl Database {
    /// Opens or makes a SQLite file and brings its schema up to date.
    pub(crate) async fn open_sqlite(path: &Path) -> TxResult<Self> {
        let fail = |source| StoreError::Database {
            transaction: "open",
            source,
        };
        sqlx::any::install_default_drivers();
        let url = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .to_url_lossy();
        let options = AnyConnectOptions::from_url(&url).map_err(fail)?;
        let pool = AnyPoolOptions::new()
            .max_connections(4)
            .after_connect(|connection, _| {
                // FULL: what was acknowledged survives a loss of power, too.
                Box::pin(async move {
                    connection
                        .execute(
                            "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
                             PRAGMA foreign_keys = ON",
                        )
                        .await
                        .map(drop)
                })
            })
            .connect_with(options)
            .await
            .map_err(fail)?;
        sqlx::migrate!("migrations/sqlite").run(&pool).await?;
        Ok(Self {
            pool,
            dialect: Dialect::Sqlite,
            retries: Arc::default(),
        })
    }

    /// Connects to a PostgreSQL database and brings its schema up to date.
    pub(crate) async fn open_postgres(url: &str) -> TxResult<Self> {
        let fail = |source| StoreError::Database {
            transaction: "open",
            source,
        };
        sqlx::any::install_default_drivers();
        let options: AnyConnectOptions = url.parse().map_err(fail)?;
        let pool = AnyPoolOptions::new()
            .max_connections(8)
            .acquire_timeout(Duration::from_secs(10))
            .connect_with(options)
            .await
            .map_err(fail)?;
        sqlx::migrate!("migrations/postgres").run(&pool).await?;
        Ok(Self {
            pool,
            dialect: Dialect::Postgres,
            retries: Arc::default(),
        })
    }

    /// Runs `work` in one transaction, again when others were in its way, so `work` must be repeatable. It is
    /// committed when `work` succeeds and rolled back otherwise.
    pub(crate) async fn run_tx<T, F>(&self, name: &'static str, work: F) -> TxResult<T>
    where
        F: for<'c> Fn(&'c mut AnyConnection) -> BoxFuture<'c, TxResult<T>>,
    {
        let fail = |source| StoreError::Database {
            transaction: name,
            source,
        };
        let mut attempt = 1;
        loop {
            let mut connection = self.pool.acquire().await.map_err(fail)?;
            let mut transaction = connection.begin_with(self.dialect.begin()).await.map_err(fail)?;
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
                Err(error) if self.dialect.is_conflict(&error) && attempt < ATTEMPTS => {
                    tracing::warn!(
                        transaction = name,
                        attempt,
                        "others were in the way, trying again"
                    );
                    attempt += 1;
                    self.retries.fetch_add(1, Ordering::Relaxed);
                }
                outcome => return outcome,
            }
        }
    }

    /// Transactions that were tried again so far.
    pub(crate) fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }

    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
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

/// A count as the database stores it. No count of ours reaches 2⁶³.
pub(crate) fn to_sql(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A count as stored.
pub(crate) fn from_sql(count: i64, what: &'static str) -> TxResult<u64> {
    u64::try_from(count).map_err(|_| StoreError::Corrupt { what })
}
