//! Durable state of the service: metadata in SQLite or PostgreSQL, datasets and results on an object store.
//!
//! Everything about agreements, datasets and runs goes through one door, a transaction that is committed whole
//! or not at all, with the entry of the audit log that says so; bytes are on the disk before they are acknowledged, and
//! never in plain: each dataset and run has a key of its own, wrapped under a [`MasterKey`], and is gone when that key is
//! destroyed. [`DatasetReader`] reads a dataset file of any length, and [`FileDigests`] find any byte of it that was
//! altered. Nothing here decides who may do what, and nothing sees a linkage key.
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
use std::sync::Arc;

use corridor_core::{CertificateSigner, OsEntropy, PublicKey};

mod agreements;
mod audit;
mod audit_key;
mod backup;
mod bulk;
mod chunks;
mod data_keys;
mod database;
mod dataset_file;
mod dataset_reader;
mod datasets;
mod disclosures;
mod dump;
mod error;
mod frames;
mod gate;
mod installation;
mod leases;
mod manifests;
mod master_key;
mod monitor;
mod options;
mod purge;
mod random;
mod restore;
mod runs;
mod s3;
mod scratch;
mod service_key;
mod staging;
mod unnamed;

pub use audit::AuditRow;
pub use audit_key::AuditKey;
pub use backup::{BackupManifest, ObjectFile, TableFile, backup};
pub use bulk::{BulkOptions, Orphan, RunObject, UploadGuard};
pub use dataset_file::{DatasetFileError, parse_dataset};
pub use dataset_reader::{DatasetReader, FileDigests};
pub use datasets::{CheckedFrames, Declared};
pub use disclosures::{NewDisclosure, ReleasedScope, ReleasedTable};
pub use dump::NOT_IN_BACKUP;
pub use error::StoreError;
pub use frames::Frame;
pub use gate::GateRecord;
pub use leases::{Lease, OpenRun, WorkerId};
pub use master_key::{MasterKey, MasterKeyError};
pub use options::{DatabaseOptions, DatabaseUrl, DatabaseUrlError, StoreOptions};
pub use purge::{Retained, RetainedSince};
pub use random::SealedFile;
pub use restore::restore;
pub use runs::{FailureReason, Release, RunChange};
pub use s3::S3Options;
pub use scratch::ScratchFolder;
pub use service_key::ServiceKey;
pub use staging::{FrameSealer, SealedFrame};

use agreements::ReadAgreements;
use audit::AuditState;
use bulk::Bulk;
use data_keys::Keyring;
use database::Database;

/// The durable state of one service.
#[derive(Debug, Clone)]
pub struct Store {
    database: Database,
    bulk: Bulk,
    audit: AuditState,
    keyring: Arc<Keyring>,
    read_agreements: ReadAgreements,
    signer: Arc<dyn CertificateSigner>,
    scratch: ScratchFolder,
}

fn open_signer(folder: &Path) -> Result<Arc<dyn CertificateSigner>, StoreError> {
    let path = folder.join("certificate.key");
    Ok(Arc::new(ServiceKey::open(&path, &mut OsEntropy::default())?))
}

/// How what is stored is encrypted.
#[derive(Debug, Clone, Default)]
pub struct EncryptionOptions {
    /// The master key; of a file `master.key` in the data folder when not given, which is made when it is not there.
    pub master_key: Option<Arc<MasterKey>>,
}

impl EncryptionOptions {
    fn to_keyring(&self, folder: &Path) -> Result<Keyring, StoreError> {
        if let Some(master) = &self.master_key {
            return Ok(Keyring::new(Arc::clone(master)));
        }
        let path = folder.join("master.key");
        let (master, is_new) = MasterKey::from_file_or_new(&path, &mut OsEntropy::default())?;
        if is_new {
            tracing::warn!(
                master_key = master.id(),
                "made a master key in the data folder; who copies the folder has both it and what it protects: keep it \
                 elsewhere and name it under [encryption] of the settings"
            );
        }
        Ok(Keyring::new(Arc::new(master)))
    }
}

impl Store {
    /// Opens the store in `folder`, which is made when it is not there, with SQLite.
    ///
    /// # Errors
    /// When the folder cannot be written or another service makes use of it, or the database is of a newer program.
    pub async fn open(folder: &Path) -> Result<Self, StoreError> {
        Self::open_with(&StoreOptions::in_folder(folder)).await
    }

    /// Opens the store of these options; what is not there is made, and what was interrupted is put in order.
    ///
    /// # Errors
    /// When the folder cannot be written, the database or the bulk store cannot be reached or is of a newer program, it is SQLite
    /// and another service makes use of it, or the master key cannot be had or is another than what is stored is under.
    pub async fn open_with(options: &StoreOptions) -> Result<Self, StoreError> {
        let store = Self::open_as_is(options).await?;
        store.check_keys().await?;
        store.check_master_key().await?;
        // A key that was destroyed just before the service ended.
        store.scrub().await?;
        if store.database.is_alone() {
            store.end_leases_of_the_dead().await?;
            store.bulk.remove_unnamed().await?;
        }
        for orphan in store.orphans().await? {
            store.remove_orphan(&orphan).await?;
        }
        Ok(store)
    }

    /// The same for [`Store::rewrap_keys`] and [`Store::orphans`]: what is stored may be under another master key, and nothing is put
    /// in order.
    ///
    /// # Errors
    /// As [`Store::open_with`].
    pub async fn open_as_is(options: &StoreOptions) -> Result<Self, StoreError> {
        let bulk = Bulk::open(&options.folder, &options.bulk).await?;
        let store = Self::assemble(options, Database::open(options).await?, bulk)?;
        restore::check_restored(&options.folder, &store.database).await?;
        store.check_installation().await?;
        Ok(store)
    }

    /// Opens the store beside a service that runs on it, to read and to log it: what it is in the middle of is left alone.
    ///
    /// # Errors
    /// When there is no such store, or it cannot be reached.
    pub async fn open_beside(options: &StoreOptions) -> Result<Self, StoreError> {
        let bulk = Bulk::open(&options.folder, &options.bulk).await?;
        Self::assemble(options, Database::connect_beside(options).await?, bulk)
    }

    fn assemble(options: &StoreOptions, database: Database, bulk: Bulk) -> Result<Self, StoreError> {
        Ok(Self {
            database,
            bulk,
            keyring: Arc::new(options.encryption.to_keyring(&options.folder)?),
            read_agreements: ReadAgreements::default(),
            signer: open_signer(&options.folder)?,
            audit: AuditState::default(),
            scratch: ScratchFolder::new(&options.folder),
        })
    }

    /// Room in the data folder for what does not fit in memory.
    pub const fn scratch(&self) -> &ScratchFolder {
        &self.scratch
    }

    /// By what deletion certificates of this service are checked.
    pub fn certificate_key(&self) -> PublicKey {
        self.signer.public_key()
    }

    /// Waits for what is under way and closes the database.
    pub async fn close(&self) {
        self.database.close().await;
    }
}
