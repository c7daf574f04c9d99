use corridor_core::RunState;

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The object store.
    #[error("the bulk store failed")]
    Bulk(#[from] object_store::Error),
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
    /// Two offices with different keys.
    #[error("the other office's dataset was encoded with another linkage key")]
    KeyCheckMismatch,
    /// The database was written by a newer program or its migrations cannot be applied.
    #[error("the database schema cannot be brought to this program's version")]
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
    /// A change of state that is not allowed.
    #[error("a run that is {from} cannot become {to}")]
    RunState {
        /// Its state.
        from: RunState,
        /// The state asked for.
        to: RunState,
    },
    /// The staging folder.
    #[error("the staging folder failed")]
    Staging(#[source] std::io::Error),
}

impl StoreError {
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
