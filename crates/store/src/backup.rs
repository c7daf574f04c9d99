use std::collections::HashSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use corridor_core::Digest;
use corridor_core::audit::{AuditAction, AuditStamp};
use futures::TryStreamExt as _;
use jiff::Timestamp;
use object_store::ObjectStoreExt as _;
use object_store::path::Path as ObjectPath;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sqlx::AnyConnection;

use crate::audit::append;
use crate::bulk::{Bulk, RunObject, dataset_path, names_of};
use crate::database::{Database, InTransaction as _, TxResult};
use crate::dump::TABLES;
use crate::installation::INSTALLATION;
use crate::monitor::PROBE;
use crate::{StoreError, StoreOptions};

/// The form of backups, which [`restore`](crate::restore) knows.
pub(crate) const FORMAT: &str = "corridor backup 1";

/// File with what is in a backup.
pub(crate) const MANIFEST: &str = "manifest.json";

/// File with the digest of that file, as `sha256sum --check` reads it.
pub(crate) const SEAL: &str = "manifest.sha256";

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupManifest {
    /// Its form.
    pub format: String,
    /// The schema of the tables.
    pub schema: i64,
    /// When it was begun.
    pub begun_at: Timestamp,
    /// What is said about keys, for whoever finds it.
    pub keys: String,
    /// The tables, in the order they are put back.
    pub tables: Vec<TableFile>,
    /// The objects of the bulk store, as they are stored there.
    pub objects: Vec<ObjectFile>,
}

/// One table of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableFile {
    /// Its name; its file is `tables/NAME.jsonl`.
    pub name: String,
    /// Rows.
    pub row_count: u64,
    /// Bytes of its file.
    pub byte_count: u64,
    /// Digest of its file.
    pub sha256: Digest,
}

/// One object of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectFile {
    /// Its place in the bulk store; its file is at the same place below `objects`.
    pub path: String,
    /// Bytes.
    pub byte_count: u64,
    /// Digest.
    pub sha256: Digest,
}

const KEYS: &str = "Objects are copied as they are stored. Keys of datasets are in the tables only as wrapped under the service's master \
                    key. No master key, signing key, certificate or configuration is in this backup: keep them apart from it.";

/// Times a backup is begun anew when something it needs was purged while it was made.
const ATTEMPTS: u32 = 3;

/// Copies what a service knows to a new folder, while it goes on: the database as it is at one moment, and every object.
/// `out` is there whole at the end, or not at all; before it is there the audit log says so, with the digest of its manifest. That
/// entry is not in the copy.
///
/// # Errors
/// When `out` is there already or cannot be written, the service's data cannot be read, or its schema is not this program's.
pub async fn backup(
    options: &StoreOptions,
    out: &Path,
    stamp: &AuditStamp,
) -> Result<BackupManifest, StoreError> {
    if out.exists() {
        return Err(StoreError::BackupExists);
    }
    let bulk = Bulk::open(&options.folder, &options.bulk).await?;
    let database = Database::connect_beside(options).await?;
    database.check_schema().await?;
    let mut partial = out.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let mut attempt = 1;
    loop {
        remove_folder(&partial)?;
        match write(&database, &bulk, &partial, stamp.time).await {
            Err(StoreError::BackupDisturbed) if attempt < ATTEMPTS => attempt += 1,
            Ok(manifest) => {
                log_backup(&database, &partial, stamp).await?;
                std::fs::rename(&partial, out).map_err(StoreError::Backup)?;
                sync_folder(out.parent().unwrap_or(Path::new(".")))?;
                database.close().await;
                return Ok(manifest);
            }
            Err(error) => {
                remove_folder(&partial)?;
                return Err(error);
            }
        }
    }
}

async fn log_backup(database: &Database, folder: &Path, stamp: &AuditStamp) -> Result<(), StoreError> {
    const NAME: &str = "backup";
    let manifest = std::fs::read(folder.join(MANIFEST)).map_err(StoreError::Backup)?;
    let entry = stamp
        .entry(AuditAction::BackupMade, None)
        .with_digest("backup", Digest::of(&manifest));
    database
        .run_tx(NAME, move |tx| Box::pin(append(tx, entry.clone(), NAME)))
        .await
        .map(drop)
}

async fn write(
    database: &Database,
    bulk: &Bulk,
    folder: &Path,
    now: Timestamp,
) -> Result<BackupManifest, StoreError> {
    make_folder(folder)?;
    let tables_folder = folder.join("tables");
    make_folder(&tables_folder)?;
    // The tables first: what they speak of is in the bulk store already.
    let (schema, tables, needed) = database
        .run_snapshot("backup", {
            let tables_folder = tables_folder.clone();
            |tx| {
                Box::pin(async move {
                    let schema: i64 = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations")
                        .fetch_one(&mut *tx)
                        .await
                        .in_tx("backup")?;
                    let mut files = Vec::new();
                    for table in TABLES {
                        let mut file = Hashing::create(&tables_folder.join(format!("{}.jsonl", table.name)))?;
                        let row_count = table.read(tx, |line| file.write(line)).await?;
                        let (byte_count, sha256) = file.finish()?;
                        files.push(TableFile {
                            name: table.name.to_owned(),
                            row_count,
                            byte_count,
                            sha256,
                        });
                    }
                    Ok((schema, files, needed_objects(tx).await?))
                })
            }
        })
        .await?;
    let objects = copy_objects(bulk, &folder.join("objects")).await?;
    let copied: HashSet<&str> = objects.iter().map(|object| object.path.as_str()).collect();
    let is_copied = |path: &ObjectPath| copied.contains(path.as_ref());
    if !needed.iter().all(|names| names.iter().any(is_copied)) {
        return Err(StoreError::BackupDisturbed);
    }
    let manifest = BackupManifest {
        format: FORMAT.to_owned(),
        schema,
        begun_at: now,
        keys: KEYS.to_owned(),
        tables,
        objects,
    };
    let mut text = serde_json::to_vec_pretty(&manifest).expect("every field has a JSON form");
    text.push(b'\n');
    let seal = format!("{}  {MANIFEST}\n", Digest::of(&text));
    for (name, bytes) in [(MANIFEST, text.as_slice()), (SEAL, seal.as_bytes())] {
        let mut file = Hashing::create(&folder.join(name))?;
        file.write(bytes)?;
        file.finish()?;
    }
    for folder in [&tables_folder, folder] {
        sync_folder(folder)?;
    }
    Ok(manifest)
}

/// What the tables speak of and must be in the bulk store: sealed datasets, and the tables and reports of results, each by the names
/// it may have.
async fn needed_objects(tx: &mut AnyConnection) -> TxResult<Vec<Vec<ObjectPath>>> {
    const NAME: &str = "backup";
    let sealed: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT id FROM datasets WHERE state = 'sealed' AND purged_at IS NULL")
            .fetch_all(&mut *tx)
            .await
            .in_tx(NAME)?;
    let results: Vec<(Vec<u8>, Vec<u8>)> =
        sqlx::query_as("SELECT id, result FROM runs WHERE result IS NOT NULL")
            .fetch_all(tx)
            .await
            .in_tx(NAME)?;
    let to_digest = |bytes: &[u8], what| Digest::try_from(bytes).map_err(|_| StoreError::Corrupt { what });
    let mut needed = Vec::new();
    for id in sealed {
        needed.push(vec![dataset_path(to_digest(&id, "dataset")?)]);
    }
    for (run, result) in results {
        let (run, result) = (to_digest(&run, "run")?, to_digest(&result, "run")?);
        for object in [RunObject::FlowTable(result), RunObject::Report(result)] {
            needed.push(names_of(run, object));
        }
    }
    Ok(needed)
}

async fn copy_objects(bulk: &Bulk, folder: &Path) -> Result<Vec<ObjectFile>, StoreError> {
    make_folder(folder)?;
    let mut listed: Vec<ObjectPath> = bulk
        .objects
        .list(None)
        .map_ok(|object| object.location)
        .try_collect()
        .await?;
    // What is of one installation.
    listed.retain(|path| ![PROBE, INSTALLATION].contains(&path.as_ref()));
    listed.sort();
    let mut copied = Vec::new();
    for path in listed {
        let to = folder.join(path.as_ref());
        if let Some(parent) = to.parent() {
            make_folder(parent)?;
        }
        let got = match bulk.objects.get(&path).await {
            Ok(got) => got,
            // Purged meanwhile; whether that matters is seen in the end.
            Err(object_store::Error::NotFound { .. }) => continue,
            Err(error) => return Err(error.into()),
        };
        let mut file = Hashing::create(&to)?;
        let mut stream = got.into_stream();
        while let Some(bytes) = stream.try_next().await? {
            file.write(&bytes)?;
        }
        let (byte_count, sha256) = file.finish()?;
        if let Some(parent) = to.parent() {
            sync_folder(parent)?;
        }
        copied.push(ObjectFile {
            path: path.as_ref().to_owned(),
            byte_count,
            sha256,
        });
    }
    sync_folder(folder)?;
    Ok(copied)
}

/// A file that is hashed while it is written.
struct Hashing {
    file: std::fs::File,
    hasher: Sha256,
    byte_count: u64,
}

impl Hashing {
    fn create(path: &Path) -> Result<Self, StoreError> {
        let mut options = std::fs::File::options();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        Ok(Self {
            file: options.open(path).map_err(StoreError::Backup)?,
            hasher: Sha256::new(),
            byte_count: 0,
        })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.hasher.update(bytes);
        self.byte_count += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.file.write_all(bytes).map_err(StoreError::Backup)
    }

    fn finish(self) -> Result<(u64, Digest), StoreError> {
        self.file.sync_all().map_err(StoreError::Backup)?;
        Ok((self.byte_count, Digest::from_bytes(self.hasher.finalize().into())))
    }
}

fn make_folder(path: &Path) -> Result<(), StoreError> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(path).map_err(StoreError::Backup)
}

fn remove_folder(path: &Path) -> Result<(), StoreError> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(StoreError::Backup(error)),
        _ => Ok(()),
    }
}

fn sync_folder(path: &Path) -> Result<(), StoreError> {
    let path = if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    };
    std::fs::File::open(path)
        .and_then(|folder| folder.sync_all())
        .map_err(StoreError::Backup)
}
