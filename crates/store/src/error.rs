use corridor_core::RunState;

use crate::DatabaseUrlError;
use crate::master_key::MasterKeyError;

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The key of the audit log.
    #[error("the audit key {file} cannot be used: {problem}")]
    AuditKey {
        /// Its file.
        file: String,
        /// Why.
        problem: String,
    },
    /// The audit log is not what was written.
    #[error(
        "the audit log was tampered with: {problem}; keep the database as it is, find out who wrote to it, and put back a copy"
    )]
    AuditTampered {
        /// What is wrong.
        problem: String,
    },
    /// A backup's folder.
    #[error("the folder of the backup cannot be written")]
    Backup(#[source] std::io::Error),
    /// A backup that is not what it was.
    #[error("the backup is damaged: {file} is missing, was altered or cut off; nothing was changed")]
    BackupDamaged {
        /// Which part.
        file: String,
    },
    /// Datasets were purged while a backup was made.
    #[error("datasets were purged while the backup was made, again and again; make it anew")]
    BackupDisturbed,
    /// There is something already.
    #[error("there is something at the backup's place already; name a new folder")]
    BackupExists,
    /// Not a backup, or one of a newer program.
    #[error("this is no backup this program knows; restore it with the program that made it, or a newer one")]
    BackupUnknown,
    /// The object store.
    #[error("the bulk store failed")]
    Bulk(#[from] object_store::Error),
    /// Stored bytes that are not what was stored.
    #[error("a stored {what} was altered, moved or cut off: it does not open")]
    Altered {
        /// What.
        what: &'static str,
    },
    /// A dataset of this office and agreement was purged.
    #[error("this office's dataset under this agreement was purged; another one needs a new agreement")]
    DatasetPurged,
    /// A dataset of this office and agreement is sealed already.
    #[error("this office has a sealed dataset under this agreement already")]
    DatasetSealed,
    /// The database.
    #[error("the database failed in {transaction}")]
    Database {
        /// Which transaction.
        transaction: &'static str,
        /// Why.
        source: sqlx::Error,
    },
    /// The URL of the database.
    #[error(transparent)]
    DatabaseUrl(#[from] DatabaseUrlError),
    /// A frame that does not follow the acknowledged ones, and is not one of them.
    #[error("expected frame {expected} at the acknowledged offset {expected_offset}, got frame {got}")]
    FrameOutOfOrder {
        /// Sequence number expected.
        expected: u64,
        /// Offset expected.
        expected_offset: u64,
        /// Sequence number sent.
        got: u64,
    },
    /// A frame sent again with other content.
    #[error("frame {sequence} was acknowledged with other content before")]
    FrameChanged {
        /// Which.
        sequence: u64,
    },
    /// More bytes than declared.
    #[error("the frames hold more than the {declared} bytes declared")]
    FramesBeyondDeclared {
        /// Bytes declared.
        declared: u64,
    },
    /// More frames than an upload of this length has any need of.
    #[error("an upload has at most {limit} frames; send frames of about 1 MiB")]
    TooManyFrames {
        /// The limit.
        limit: u64,
    },
    /// Frames came under the key of an earlier declaration.
    #[error("the dataset was declared anew while these frames were under way; send them again")]
    DeclaredAnew,
    /// The key of something that was purged.
    #[error("the {what} key was destroyed when the dataset was purged")]
    KeyDestroyed {
        /// What it was for.
        what: &'static str,
    },
    /// The master key.
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
    /// Datasets of a program that did not encrypt.
    #[error(
        "the data folder is of a program that did not encrypt; start with a new folder and have the offices upload again"
    )]
    NotEncrypted,
    /// What was deleted may still stand in a file of the database.
    #[error(
        "what was deleted is still in the log of the database, since something keeps reading it; it is removed at the next start"
    )]
    NotScrubbed,
    /// Another service has the folder.
    #[error(
        "another service makes use of this data folder; end it first, or give both services one PostgreSQL database to share"
    )]
    InUse,
    /// Two offices with different keys.
    #[error("the other office's dataset was encoded with another linkage key")]
    KeyCheckMismatch,
    /// A write for a run that somebody else took since, or that was cancelled or ended.
    #[error("the run is another worker's by now, or was stopped")]
    LeaseLost,
    /// A migration that cannot be applied.
    #[error(
        "the database schema cannot be brought to this program's version; what was there before is unchanged"
    )]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// The other office sealed its dataset while this one was being checked.
    #[error("the other office sealed its dataset in the meantime; seal again")]
    SealedMeanwhile,
    /// Something that should be there is not.
    #[error("no such {what}")]
    NotFound {
        /// What.
        what: &'static str,
    },
    /// Stored values this program cannot read.
    #[error("a stored {what} cannot be read")]
    Corrupt {
        /// What.
        what: &'static str,
    },
    /// Another table of the same offices, countries and years was released, which this one was not held against.
    #[error("another table of the same offices, countries and years was released since this one was made")]
    ReleasedMeanwhile,
    /// The service a backup is to be put into holds something.
    #[error(
        "a backup is restored into an empty service only, and there is something in the {what}; name a new one"
    )]
    RestoreNotEmpty {
        /// Where.
        what: &'static str,
    },
    /// A database and a bulk store that do not go with each other.
    #[error(
        "the bulk store goes with another database; nothing was changed: look in the settings which of the two is meant, and \
         restore a backup where one of them was lost"
    )]
    OtherInstallation,
    /// A restore that did not come to its end.
    #[error("a restore into this data folder did not come to its end; run it again")]
    RestoreUnfinished,
    /// A change of state that is not allowed.
    #[error("a run that is {from} cannot become {to}")]
    RunState {
        /// Its state.
        from: RunState,
        /// The state asked for.
        to: RunState,
    },
    /// The database has another history than this program.
    #[error(
        "step {version} of the database's schema was made by an altered program; use the program that made it, or restore a backup"
    )]
    SchemaAltered {
        /// The step.
        version: i64,
    },
    /// The database is of an older program.
    #[error(
        "the database has schema {found} and this program makes {known}; start the service once, which brings it up to date"
    )]
    SchemaOlder {
        /// What it has.
        found: i64,
        /// The newest this program knows.
        known: i64,
    },
    /// The database was written by a newer program.
    #[error(
        "the database was brought to schema {found} by a newer program, and this one knows schemas up to {known}; install the newer \
         program, or restore a backup of before"
    )]
    SchemaNewer {
        /// A step this program does not know.
        found: i64,
        /// The newest it knows.
        known: i64,
    },
    /// The staging folder.
    #[error("the staging folder failed")]
    Staging(#[source] std::io::Error),
}

impl StoreError {
    /// Whether the database cannot be reached for the moment, so that it is worth while to try again.
    pub fn is_unreachable(&self) -> bool {
        let Self::Database { source, .. } = self else {
            return false;
        };
        if matches!(source, sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut) {
            return true;
        }
        // PostgreSQL, while it is shut down or started.
        let code = source.as_database_error().and_then(|error| error.code());
        code.is_some_and(|code| code.starts_with("57P0") || (code.len() == 5 && code.starts_with("08")))
    }

    /// Whether the disk is full, which an operator can do something about.
    pub fn is_disk_full(&self) -> bool {
        let mut source: Option<&(dyn std::error::Error + 'static)> = Some(self);
        while let Some(error) = source {
            if let Some(io) = error.downcast_ref::<std::io::Error>()
                && matches!(
                    io.kind(),
                    std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded
                )
            {
                return true;
            }
            if let Some(sqlx::Error::Database(database)) = error.downcast_ref::<sqlx::Error>()
                && database.message().contains("disk is full")
            {
                return true;
            }
            source = error.source();
        }
        false
    }
}
