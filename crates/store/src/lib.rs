//! Durable state of the service: metadata in SQLite or PostgreSQL, datasets and results on an object store.
//!
//! Everything about agreements, datasets and runs goes through one door, a transaction that is committed whole
//! or not at all, with the entry of the audit log that says so; bytes are on the disk before they are acknowledged. [`parse_dataset`] reads a dataset file and
//! finds any byte that was altered. Nothing here decides who may do what, and nothing sees a linkage key.
//!
//! ```
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let folder = std::env::temp_dir().join(format!("corridor-store-{}", std::process::id()));
//! let store = corridor_store::Store::open(&folder).await?;
//! assert!(store.open_runs().await?.0.is_empty());
//! store.close().await;
//! std::fs::remove_dir_all(folder)?;
//! # Ok::<(), Box<dyn std::error::Error>>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Errors
//! [`StoreError`] names the transaction or the folder that failed.

use std::path::Path;

mod agreements;
mod audit;
mod audit_key;
mod backup;
mod bulk;
mod database;
mod dataset_file;
mod datasets;
mod disclosures;
mod dump;
mod error;
mod leases;
mod manifests;
mod monitor;
mod options;
mod restore;
mod runs;

pub use audit::AuditRow;
pub use audit_key::AuditKey;
pub use backup::{BackupManifest, ObjectFile, TableFile, backup};
pub use bulk::{RunObject, UploadGuard};
pub use dataset_file::{DatasetFileError, parse_dataset};
pub use datasets::{Declared, Frame, FrameOutcome};
pub use disclosures::{ReleasedScope, ReleasedTable};
pub use dump::NOT_IN_BACKUP;
pub use error::StoreError;
pub use leases::{Lease, OpenRun, WorkerId};
pub use options::{DatabaseOptions, DatabaseUrl, DatabaseUrlError, StoreOptions};
pub use restore::restore;
pub use runs::{FailureReason, Release, RunChange};

use audit::AuditState;
use bulk::Bulk;
use database::Database;

/// The durable state of one service.
#[derive(Debug, Clone)]
pub struct Store {
    database: Database,
    bulk: Bulk,
    audit: AuditState,
}

impl Store {
    /// Opens the store in `folder`, which is made when it is not there, with SQLite.
    ///
    /// # Errors
    /// When the folder cannot be written or another service makes use of it, or the database is of a newer program.
    pub async fn open(folder: &Path) -> Result<Self, StoreError> {
        Self::open_with(&StoreOptions::in_folder(folder)).await
    }

    /// Opens the store of these options; what is not there is made.
    ///
    /// # Errors
    /// When the folder cannot be written, the database cannot be reached or is of a newer program, or it is SQLite and another
    /// service makes use of it.
    pub async fn open_with(options: &StoreOptions) -> Result<Self, StoreError> {
        let bulk = Bulk::open(&options.folder).await?;
        let database = Database::open(options).await?;
        let store = Self {
            database,
            bulk,
            audit: AuditState::default(),
        };
        restore::check_restored(&options.folder, &store.database).await?;
        if store.database.is_alone() {
            store.end_leases_of_the_dead().await?;
        }
        store.remove_orphans().await?;
        Ok(store)
    }

    /// Waits for what is under way and closes the database.
    pub async fn close(&self) {
        self.database.close().await;
    }
}
