//! Durable state of the service: metadata in SQLite or PostgreSQL, datasets and results on an object store.
//!
//! Everything about agreements, datasets and runs goes through one door, a transaction that is committed whole
//! or not at all; bytes are on the disk before they are acknowledged. [`parse_dataset`] reads a dataset file and
//! finds any byte that was altered. Nothing here decides who may do what, and nothing sees a linkage key.
//!
//! ```
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let folder = std::env::temp_dir().join(format!("corridor-store-{}", std::process::id()));
//! let store = corridor_store::Store::open(&folder).await?;
//! assert!(store.active_runs().await?.is_empty());
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
mod bulk;
mod database;
mod dataset_file;
mod datasets;
mod error;
mod monitor;
mod runs;

pub use bulk::RunObject;
pub use dataset_file::{DatasetFileError, parse_dataset};
pub use datasets::{Declared, Frame, FrameOutcome};
pub use error::StoreError;
pub use runs::RunChange;

use bulk::Bulk;
use database::Database;

/// The durable state of one service.
#[derive(Debug, Clone)]
pub struct Store {
    database: Database,
    bulk: Bulk,
}

impl Store {
    /// Opens the store in `folder`, which is made when it is not there.
    ///
    /// # Errors
    /// When the folder cannot be written, or the database is of a newer program.
    pub async fn open(folder: &Path) -> Result<Self, StoreError> {
        let bulk = Bulk::open(folder).await?;
        let database = Database::open_sqlite(&folder.join("corridor.sqlite")).await?;
        Self::start(database, bulk).await
    }

    /// Opens the store with metadata in a PostgreSQL database and bulk data in `folder`, which is made when it is not there.
    ///
    /// # Errors
    /// When the folder cannot be written, the database cannot be reached, or it is of a newer program.
    pub async fn open_on_postgres(folder: &Path, url: &str) -> Result<Self, StoreError> {
        let bulk = Bulk::open(folder).await?;
        Self::start(Database::open_postgres(url).await?, bulk).await
    }

    async fn start(database: Database, bulk: Bulk) -> Result<Self, StoreError> {
        let store = Self { database, bulk };
        store.remove_orphans().await?;
        Ok(store)
    }

    /// Waits for what is under way and closes the database.
    pub async fn close(&self) {
        self.database.close().await;
    }
}
