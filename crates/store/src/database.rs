use std::cmp::Ordering;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{self, AtomicBool, AtomicU64};
use std::time::Duration;

use futures::future::BoxFuture;
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AnyConnection, AnyPool, ConnectOptions as _, Connection as _, Executor as _};

use crate::{DatabaseOptions, StoreError, StoreOptions};

/// What a transaction's body gives.
pub(crate) type TxResult<T> = Result<T, StoreError>;

/// The metadata database: SQLite or PostgreSQL, with the same statements. Everything that changes something goes through
/// [`Database::run_tx`], everything else through [`Database::query`] and [`Database::run_read`], which wait for no writer.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    /// Of SQLite one connection: it has one writer at a time, and those who wait for a connection are served in the order they came,
    /// while those who wait for its lock are not.
    writing: AnyPool,
    reading: AnyPool,
    dialect: Dialect,
    /// Held by the one service that makes use of a SQLite file; let go by [`Database::close`].
    alone: Option<Arc<File>>,
    /// Transactions that were tried again.
    retries: Arc<AtomicU64>,
    scrubs: Arc<Scrubs>,
}

/// Scrubs of a database, one at a time and numbered from 1.
#[derive(Debug, Default)]
struct Scrubs {
    turn: tokio::sync::Mutex<()>,
    begun: AtomicU64,
    /// The last that came to a good end.
    done: AtomicU64,
    /// Whether something was deleted that is to be scrubbed, and nobody waits for it.
    is_due: AtomicBool,
}

/// Which database it is. Statements are the same; how a transaction begins and which failures pass by themselves are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

/// What a transaction does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    /// It sees and leaves the database as if it were alone.
    Writing,
    /// It sees everything as it is at one moment and is in nobody's way.
    Reading,
    /// The same for a single statement, which needs no transaction for it.
    Statement,
}

/// What a failure says about a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    /// Others were at work on the same rows.
    Conflict,
    /// The connection is gone, and with it everything that was not committed.
    Lost,
    Other,
}

impl Dialect {
    const fn begin(self, access: Access) -> Option<&'static str> {
        match (self, access) {
            // Takes the write lock at the start, so that a transaction never fails half-way for it.
            (Self::Sqlite, Access::Writing) => Some("BEGIN IMMEDIATE"),
            (Self::Postgres, Access::Writing) => Some("BEGIN ISOLATION LEVEL SERIALIZABLE"),
            (Self::Sqlite, Access::Reading) => Some("BEGIN DEFERRED"),
            (Self::Postgres, Access::Reading) => Some("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"),
            (Self::Sqlite | Self::Postgres, Access::Statement) => None,
        }
    }

    fn migrator(self) -> Migrator {
        match self {
            Self::Sqlite => sqlx::migrate!("migrations/sqlite"),
            Self::Postgres => sqlx::migrate!("migrations/postgres"),
        }
    }

    fn failure(self, error: &StoreError) -> Failure {
        let StoreError::Database { source, .. } = error else {
            return Failure::Other;
        };
        if self == Self::Postgres && matches!(source, sqlx::Error::Io(_)) {
            return Failure::Lost;
        }
        let Some(database) = source.as_database_error() else {
            return Failure::Other;
        };
        match self {
            // SQLITE_BUSY and SQLITE_LOCKED, with what they say besides in the higher bits.
            Self::Sqlite => match database.code().and_then(|code| code.parse::<u32>().ok()) {
                Some(code) if matches!(code & 0xff, 5 | 6) => Failure::Conflict,
                _ => Failure::Other,
            },
            Self::Postgres => match database.code().as_deref() {
                // serialization_failure and deadlock_detected.
                Some("40001" | "40P01") => Failure::Conflict,
                // admin_shutdown, crash_shutdown and cannot_connect_now.
                Some("57P01" | "57P02" | "57P03") => Failure::Lost,
                Some(code) if code.starts_with("08") => Failure::Lost,
                _ => Failure::Other,
            },
        }
    }
}

/// Tries of a transaction that others are in the way of, or whose connection was lost. Of those in each other's way one is
/// always done, so that so many writers at the same row are served.
const ATTEMPTS: u32 = 16;

/// The longest time between two of them.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// Connections to SQLite that read.
const READERS: u32 = 4;

/// How long a connection is waited for.
const ACQUIRE: Duration = Duration::from_secs(10);

impl Database {
    /// Opens the database of these options, or makes it, and brings its schema up to date.
    pub(crate) async fn open(options: &StoreOptions) -> TxResult<Self> {
        let database = Self::connect(options).await?;
        database.migrate(None).await?;
        Ok(database)
    }

    /// Opens the database of these options, or makes it, and leaves its schema as it is.
    pub(crate) async fn connect(options: &StoreOptions) -> TxResult<Self> {
        match &options.database {
            DatabaseOptions::Postgres { url } => Self::connect_postgres(url.to_options()?).await,
            DatabaseOptions::Sqlite => {
                let alone = lock_alone(&options.folder)?;
                let mut database = Self::connect_sqlite(&options.folder, true).await?;
                database.alone = Some(Arc::new(alone));
                Ok(database)
            }
        }
    }

    /// Opens the database of these options beside the service that makes use of it, to look at it and to log that.
    pub(crate) async fn connect_beside(options: &StoreOptions) -> TxResult<Self> {
        match &options.database {
            DatabaseOptions::Postgres { url } => Self::connect_postgres(url.to_options()?).await,
            DatabaseOptions::Sqlite => Self::connect_sqlite(&options.folder, false).await,
        }
    }

    async fn connect_sqlite(folder: &Path, create: bool) -> TxResult<Self> {
        let fail = |source| StoreError::Database {
            transaction: "open",
            source,
        };
        sqlx::any::install_default_drivers();
        let url = SqliteConnectOptions::new()
            .filename(folder.join("corridor.sqlite"))
            .create_if_missing(create)
            .to_url_lossy();
        let options = AnyConnectOptions::from_url(&url).map_err(fail)?;
        // FULL: what was acknowledged survives a loss of power, too.
        let pool = |connections, settings: &'static str| {
            AnyPoolOptions::new()
                .max_connections(connections)
                .after_connect(move |connection, _| {
                    Box::pin(async move {
                        connection
                            .execute(
                                "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
                                 PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON",
                            )
                            .await?;
                        connection.execute(settings).await.map(drop)
                    })
                })
                .connect_with(options.clone())
        };
        Ok(Self {
            // First: it makes the file.
            writing: pool(1, "PRAGMA query_only = OFF").await.map_err(fail)?,
            reading: pool(READERS, "PRAGMA query_only = ON").await.map_err(fail)?,
            dialect: Dialect::Sqlite,
            alone: None,
            retries: Arc::default(),
            scrubs: Arc::default(),
        })
    }

    async fn connect_postgres(options: AnyConnectOptions) -> TxResult<Self> {
        sqlx::any::install_default_drivers();
        let pool = AnyPoolOptions::new()
            .max_connections(8)
            .acquire_timeout(ACQUIRE)
            .connect_with(options)
            .await
            .map_err(|source| StoreError::Database {
                transaction: "open",
                source,
            })?;
        Ok(Self {
            writing: pool.clone(),
            reading: pool,
            dialect: Dialect::Postgres,
            alone: None,
            retries: Arc::default(),
            scrubs: Arc::default(),
        })
    }

    /// Brings the schema to a version, or to this program's.
    pub(crate) async fn migrate(&self, to: Option<i64>) -> TxResult<()> {
        let migrator = self.dialect.migrator();
        let known = newest(&migrator);
        let migrated = match to {
            Some(version) => migrator.run_to(version, &self.writing).await,
            None => migrator.run(&self.writing).await,
        };
        migrated.map_err(|error| {
            if let MigrateError::VersionMissing(found) = error {
                StoreError::SchemaNewer { found, known }
            } else if let MigrateError::VersionMismatch(version) = error {
                StoreError::SchemaAltered { version }
            } else {
                StoreError::Migration(error)
            }
        })
    }

    /// The migrations of this program.
    pub(crate) fn migrator(&self) -> Migrator {
        self.dialect.migrator()
    }

    /// The step the schema is at.
    pub(crate) async fn schema(&self) -> TxResult<i64> {
        sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM _sqlx_migrations")
            .fetch_one(&self.reading)
            .await
            .in_tx("schema")
    }

    /// Refuses a schema that is not this program's.
    pub(crate) async fn check_schema(&self) -> TxResult<()> {
        let (found, known) = (self.schema().await?, newest(&self.migrator()));
        match found.cmp(&known) {
            Ordering::Less => Err(StoreError::SchemaOlder { found, known }),
            Ordering::Equal => Ok(()),
            Ordering::Greater => Err(StoreError::SchemaNewer { found, known }),
        }
    }

    /// Runs `work` in one transaction, again when others were in its way or the connection was lost before it was to be
    /// committed, so `work` must be repeatable. It is committed when `work` succeeds and rolled back otherwise. When the
    /// connection is lost while it is committed, nobody knows whether it was: the caller is told and asks for the state.
    pub(crate) async fn run_tx<T, F>(&self, name: &'static str, work: F) -> TxResult<T>
    where
        F: for<'c> Fn(&'c mut AnyConnection) -> BoxFuture<'c, TxResult<T>>,
    {
        self.run(Access::Writing, name, work).await
    }

    /// Runs `work`, which changes nothing, on the database as it is at one moment, again when the connection was lost.
    pub(crate) async fn run_read<T, F>(&self, name: &'static str, work: F) -> TxResult<T>
    where
        F: for<'c> Fn(&'c mut AnyConnection) -> BoxFuture<'c, TxResult<T>>,
    {
        self.run(Access::Reading, name, work).await
    }

    /// Runs `work`, which is one statement that changes nothing, again when the connection was lost.
    pub(crate) async fn query<T, F>(&self, name: &'static str, work: F) -> TxResult<T>
    where
        F: for<'c> Fn(&'c mut AnyConnection) -> BoxFuture<'c, TxResult<T>>,
    {
        self.run(Access::Statement, name, work).await
    }

    async fn run<T, F>(&self, access: Access, name: &'static str, work: F) -> TxResult<T>
    where
        F: for<'c> Fn(&'c mut AnyConnection) -> BoxFuture<'c, TxResult<T>>,
    {
        let mut attempt = 1;
        let mut pause = Duration::from_millis(2);
        loop {
            let (error, failure) = match self.try_tx(access, name, &work).await {
                Ok(value) => return Ok(value),
                Err(failed) => failed,
            };
            if failure == Failure::Other || attempt == ATTEMPTS {
                return Err(error);
            }
            tracing::debug!(transaction = name, attempt, "disturbed, trying again");
            attempt += 1;
            self.retries.fetch_add(1, atomic::Ordering::Relaxed);
            tokio::time::sleep(pause).await;
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
    }

    const fn pool(&self, access: Access) -> &AnyPool {
        match access {
            Access::Writing => &self.writing,
            Access::Reading | Access::Statement => &self.reading,
        }
    }

    async fn try_tx<T, F>(
        &self,
        access: Access,
        name: &'static str,
        work: &F,
    ) -> Result<T, (StoreError, Failure)>
    where
        F: for<'c> Fn(&'c mut AnyConnection) -> BoxFuture<'c, TxResult<T>>,
    {
        let failed = |error: StoreError| {
            let failure = self.dialect.failure(&error);
            (error, failure)
        };
        let in_tx = |source| {
            failed(StoreError::Database {
                transaction: name,
                source,
            })
        };
        // Waits, and tries again, by itself.
        let mut connection = self.pool(access).acquire().await.map_err(|source| {
            let error = StoreError::Database {
                transaction: name,
                source,
            };
            (error, Failure::Other)
        })?;
        let Some(begin) = self.dialect.begin(access) else {
            return work(&mut connection).await.map_err(failed);
        };
        let mut transaction = connection.begin_with(begin).await.map_err(in_tx)?;
        match work(&mut transaction).await {
            Ok(value) => match transaction.commit().await {
                Ok(()) => Ok(value),
                Err(error) => {
                    // Its transaction may still be open: nobody must get this connection again.
                    connection.close_on_drop();
                    let (error, failure) = in_tx(error);
                    let is_known = failure == Failure::Conflict;
                    Err((error, if is_known { failure } else { Failure::Other }))
                }
            },
            Err(error) => {
                if transaction.rollback().await.is_err() {
                    connection.close_on_drop();
                }
                Err(failed(error))
            }
        }
    }

    /// Runs `read` on the database as it is at one moment, which lasts as long as it takes.
    pub(crate) async fn run_snapshot<T, F>(&self, name: &'static str, read: F) -> TxResult<T>
    where
        F: for<'c> FnOnce(&'c mut AnyConnection) -> BoxFuture<'c, TxResult<T>>,
    {
        let mut connection = self.reading.acquire().await.in_tx(name)?;
        let Some(begin) = self.dialect.begin(Access::Reading) else {
            return read(&mut connection).await;
        };
        let mut transaction = connection.begin_with(begin).await.in_tx(name)?;
        let outcome = read(&mut transaction).await;
        // Nothing was changed: the end of it matters to nobody.
        drop(transaction.rollback().await);
        outcome
    }

    /// Whether nobody but this process can make use of the database.
    pub(crate) const fn is_alone(&self) -> bool {
        self.alone.is_some()
    }

    /// Transactions that were tried again so far.
    pub(crate) fn retries(&self) -> u64 {
        self.retries.load(atomic::Ordering::Relaxed)
    }

    /// Sees to it that what was deleted stands in no file of the database any more. SQLite overwrites what it deletes, which counts
    /// when it is moved from the log to the database and the log is cut. Writers wait meanwhile: who asks while others do shares
    /// with them the next one.
    pub(crate) async fn scrub(&self) -> TxResult<()> {
        let begun = self.scrubs.begun.load(atomic::Ordering::SeqCst);
        let _turn = self.scrubs.turn.lock().await;
        if self.scrubs.done.load(atomic::Ordering::SeqCst) > begun {
            return Ok(());
        }
        let number = self.scrubs.begun.fetch_add(1, atomic::Ordering::SeqCst) + 1;
        self.scrub_alone().await?;
        self.scrubs.done.store(number, atomic::Ordering::SeqCst);
        Ok(())
    }

    /// Has [`Database::scrub_if_due`] do it: for what nobody waits for, since writers wait for each scrub.
    pub(crate) fn set_scrub_due(&self) {
        self.scrubs.is_due.store(true, atomic::Ordering::SeqCst);
    }

    /// Scrubs when it is due. Where it cannot be done now, it stays due.
    pub(crate) async fn scrub_if_due(&self) -> TxResult<()> {
        if !self.scrubs.is_due.swap(false, atomic::Ordering::SeqCst) {
            return Ok(());
        }
        let scrubbed = self.scrub().await;
        if scrubbed.is_err() {
            self.set_scrub_due();
        }
        scrubbed
    }

    async fn scrub_alone(&self) -> TxResult<()> {
        const NAME: &str = "scrub";
        match self.dialect {
            Dialect::Sqlite => {
                // One that reads may do so, and those that write are not kept waiting for it to come again.
                let mut connection = self.reading.acquire().await.in_tx(NAME)?;
                // What is set here is for this connection alone, which goes.
                connection.close_on_drop();
                // Writers wait while it waits for readers: it does so in short pieces.
                connection.execute("PRAGMA busy_timeout = 50").await.in_tx(NAME)?;
                let mut scrubbed = Err(StoreError::NotScrubbed);
                let mut pause = Duration::from_millis(2);
                // Most of it in nobody's way, so that little is left for which writers wait.
                connection
                    .execute("PRAGMA wal_checkpoint(PASSIVE)")
                    .await
                    .in_tx(NAME)?;
                for _ in 0..ATTEMPTS {
                    let cut = sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)")
                        .fetch_one(&mut *connection)
                        .await
                        .in_tx(NAME);
                    match cut {
                        Ok((1.., _, _)) => {}
                        Ok::<(i64, i64, i64), _>(_) => scrubbed = Ok(()),
                        Err(error) => scrubbed = Err(error),
                    }
                    if !matches!(scrubbed, Err(StoreError::NotScrubbed)) {
                        break;
                    }
                    tokio::time::sleep(pause).await;
                    pause = (2 * pause).min(LONGEST_PAUSE);
                }
                scrubbed
            }
            Dialect::Postgres => sqlx::query("VACUUM data_keys")
                .execute(&self.writing)
                .await
                .in_tx(NAME)
                .map(drop),
        }
    }

    pub(crate) async fn close(&self) {
        self.reading.close().await;
        // Last: it takes the log of SQLite with it.
        self.writing.close().await;
        if let Some(file) = &self.alone {
            // The end of the process lets go of it at the latest.
            drop(file.unlock());
        }
    }
}

/// The newest schema a program knows.
pub(crate) fn newest(migrator: &Migrator) -> i64 {
    migrator
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or(0)
}

/// SQLite cannot tell two services apart: the second one is kept out.
fn lock_alone(folder: &Path) -> TxResult<File> {
    let path = folder.join("corridor.lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(StoreError::Staging)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse),
        Err(TryLockError::Error(error)) => Err(StoreError::Staging(error)),
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

/// Placeholders for so many rows of so many values: `($1, $2), ($3, $4)`.
pub(crate) fn placeholders(rows: usize, columns: usize) -> String {
    let row = |row: usize| {
        let values = (1..=columns).map(|column| format!("${}", row * columns + column));
        format!("({})", values.collect::<Vec<_>>().join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

/// A count as the database stores it. No count of ours reaches 2⁶³.
pub(crate) fn to_sql(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A count as stored.
pub(crate) fn from_sql(count: i64, what: &'static str) -> TxResult<u64> {
    u64::try_from(count).map_err(|_| StoreError::Corrupt { what })
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use futures::FutureExt as _;
    use futures::future::join_all;

    use super::*;

    async fn open() -> (tempfile::TempDir, Database) {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&StoreOptions::in_folder(folder.path()))
            .await
            .unwrap();
        (folder, database)
    }

    async fn count(connection: &mut AnyConnection) -> TxResult<i64> {
        sqlx::query_scalar("SELECT count(*) FROM agreements")
            .fetch_one(connection)
            .await
            .in_tx("count")
    }

    fn write(connection: &mut AnyConnection) -> BoxFuture<'_, TxResult<()>> {
        Box::pin(async move {
            sqlx::query("UPDATE probe SET writes = writes + 1")
                .execute(connection)
                .await
                .in_tx("write")
                .map(drop)
        })
    }

    #[test]
    fn placeholders_are_numbered_through() {
        assert_eq!(placeholders(1, 1), "($1)");
        assert_eq!(placeholders(2, 3), "($1, $2, $3), ($4, $5, $6)");
    }

    #[tokio::test]
    async fn who_reads_waits_for_no_writer() {
        let (_folder, database) = open().await;
        let begun = Arc::new(tokio::sync::Notify::new());
        let writing = {
            let begun = Arc::clone(&begun);
            database.run_tx("write", move |tx| {
                let begun = Arc::clone(&begun);
                Box::pin(async move {
                    write(tx).await?;
                    begun.notify_one();
                    // It never ends.
                    pending::<TxResult<()>>().await
                })
            })
        };
        let mut writing = Box::pin(writing);
        tokio::select! {
            ended = &mut writing => panic!("it does not end: {ended:?}"),
            () = begun.notified() => {}
        }
        for _ in 0..2 * READERS {
            assert_eq!(database.query("read", |c| Box::pin(count(c))).await.unwrap(), 0);
            assert_eq!(
                database.run_read("read", |c| Box::pin(count(c))).await.unwrap(),
                0
            );
        }
        assert!((&mut writing).now_or_never().is_none(), "it is under way still");
    }

    #[tokio::test]
    async fn what_reads_cannot_write() {
        let (_folder, database) = open().await;
        assert!(database.query("write", write).await.is_err());
        assert!(database.run_read("write", write).await.is_err());
        database.run_tx("write", write).await.unwrap();
    }

    #[tokio::test]
    async fn who_asks_while_others_scrub_shares_the_next_one() {
        let (_folder, database) = open().await;
        let scrubs = join_all((0..20).map(|_| database.scrub())).await;
        assert!(scrubs.iter().all(Result::is_ok), "{scrubs:?}");
        let begun = database.scrubs.begun.load(atomic::Ordering::SeqCst);
        assert_eq!(
            begun, 2,
            "one that was under way, and one for all who asked meanwhile"
        );
    }

    #[tokio::test]
    async fn what_is_due_is_scrubbed_once_and_stays_due_until_it_is_done() {
        let (_folder, database) = open().await;
        let begun = || database.scrubs.begun.load(atomic::Ordering::SeqCst);
        database.scrub_if_due().await.unwrap();
        assert_eq!(begun(), 0, "nothing is due");
        for _ in 0..3 {
            database.set_scrub_due();
        }
        database.scrub_if_due().await.unwrap();
        database.scrub_if_due().await.unwrap();
        assert_eq!(begun(), 1);
        // Somebody looks at the database as it was, which keeps what is in its log.
        let [looks, ended] = [(); 2].map(|()| Arc::new(tokio::sync::Notify::new()));
        let looking = {
            let (looks, ended) = (Arc::clone(&looks), Arc::clone(&ended));
            database.run_snapshot("look", move |connection| {
                Box::pin(async move {
                    let counted = count(connection).await;
                    looks.notify_one();
                    ended.notified().await;
                    counted
                })
            })
        };
        let scrubbing = async {
            looks.notified().await;
            database.run_tx("write", write).await.unwrap();
            database.set_scrub_due();
            let hindered = database.scrub_if_due().await;
            assert!(matches!(hindered, Err(StoreError::NotScrubbed)), "{hindered:?}");
            ended.notify_one();
        };
        let (looked, ()) = tokio::join!(looking, scrubbing);
        looked.unwrap();
        database.scrub_if_due().await.unwrap();
        assert_eq!(begun(), 3);
    }
}
