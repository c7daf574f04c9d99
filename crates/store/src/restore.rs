use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use corridor_core::Digest;
use corridor_core::audit::{AuditAction, AuditStamp};
use futures::TryStreamExt as _;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStoreExt as _, WriteMultipart};
use sha2::{Digest as _, Sha256};
use sqlx::AnyConnection;

use crate::audit::append;
use crate::backup::{BackupManifest, FORMAT, MANIFEST, ObjectFile, SEAL, TableFile};
use crate::bulk::Bulk;
use crate::database::{Database, InTransaction as _, TxResult, newest};
use crate::dump::{TABLES, Table};
use crate::installation::INSTALLATION;
use crate::{Store, StoreError, StoreOptions};

/// File in the data folder that says that a restore was begun: with the digest of the backup's manifest. The service does not start
/// while it is there, unless the database says that the restore came to its end.
const MARKER: &str = "restoring";

/// Puts a backup into a service that holds nothing yet, over SQLite or PostgreSQL, whichever it was made of. Every digest is checked
/// before anything is changed. The database is filled in one transaction, after the objects: it is all there, or the service
/// does not start and the same again begins anew.
///
/// # Errors
/// When the backup is damaged or of a newer program, or the service holds something already.
pub async fn restore(options: &StoreOptions, from: &Path) -> Result<BackupManifest, StoreError> {
    let (manifest, digest) = read_manifest(from)?;
    let schema = manifest.schema;
    verify(from, &manifest)?;

    let bulk = Bulk::open(&options.folder, &options.bulk).await?;
    let database = Database::connect(options).await?;
    let known = newest(&database.migrator());
    if schema > known {
        return Err(StoreError::SchemaNewer { found: schema, known });
    }
    database.migrate(Some(schema)).await?;
    if database.schema().await? != schema {
        return Err(StoreError::RestoreNotEmpty {
            what: "database, which is of a newer program than the backup",
        });
    }
    check_empty(&database).await?;
    let marker = options.folder.join(MARKER);
    if marker.exists() {
        // What an earlier try left behind is not the whole of anything.
        remove_objects(&bulk).await?;
    }
    let mut objects = bulk.objects.list(None);
    while let Some(object) = objects.try_next().await? {
        if object.location.as_ref() != INSTALLATION {
            return Err(StoreError::RestoreNotEmpty { what: "bulk store" });
        }
    }
    drop(objects);
    write_synced(&marker, &digest.to_string())?;
    let put = put_all(&bulk, &database, from, &manifest, digest).await;
    if let Err(error) = put {
        // A database that went away while it was told to keep all of it may have done so: then the objects are those it knows.
        let kept = restored_from(&database).await;
        if kept.is_err() || kept.is_ok_and(|kept| kept == Some(digest)) {
            return Err(error);
        }
        // Nothing of it stays; if it cannot be removed, the marker keeps the service from starting.
        remove_objects(&bulk).await?;
        std::fs::remove_file(&marker).map_err(StoreError::Staging)?;
        return Err(error);
    }
    std::fs::remove_file(&marker).map_err(StoreError::Staging)?;
    database.migrate(None).await?;
    database.close().await;
    Ok(manifest)
}

/// Digest of the backup the data were put back from, if they were.
async fn restored_from(database: &Database) -> TxResult<Option<Digest>> {
    let restored: Option<Vec<u8>> = database
        .run_snapshot("restored_from", |tx| {
            Box::pin(async move {
                sqlx::query_scalar("SELECT restored_from FROM service WHERE restored_from IS NOT NULL")
                    .fetch_optional(tx)
                    .await
                    .in_tx("restored_from")
            })
        })
        .await?;
    Ok(restored.and_then(|bytes| Digest::try_from(bytes.as_slice()).ok()))
}

/// Refuses a data folder in which a restore did not come to its end.
pub(crate) async fn check_restored(folder: &Path, database: &Database) -> TxResult<()> {
    let marker = folder.join(MARKER);
    let text = match std::fs::read_to_string(&marker) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        text => text.map_err(StoreError::Staging)?,
    };
    let restored = restored_from(database).await?;
    if restored.is_some_and(|digest| digest.to_string() == text.trim()) {
        // It ended between the last two steps.
        return std::fs::remove_file(&marker).map_err(StoreError::Staging);
    }
    Err(StoreError::RestoreUnfinished)
}

fn damaged(file: impl Into<String>) -> StoreError {
    StoreError::BackupDamaged { file: file.into() }
}

fn read_manifest(from: &Path) -> Result<(BackupManifest, Digest), StoreError> {
    let read = |name: &str| std::fs::read(from.join(name)).map_err(|_| damaged(name));
    let text = read(MANIFEST)?;
    let digest = Digest::of(&text);
    if read(SEAL)? != format!("{digest}  {MANIFEST}\n").as_bytes() {
        return Err(damaged(MANIFEST));
    }
    let manifest: BackupManifest = serde_json::from_slice(&text).map_err(|_| damaged(MANIFEST))?;
    let names: Vec<&str> = manifest.tables.iter().map(|table| table.name.as_str()).collect();
    let known = TABLES.iter().map(|table| table.name);
    // A backup of an older schema has fewer tables, never others.
    let mut rest = known;
    if manifest.format != FORMAT || !names.iter().all(|name| rest.any(|known| known == *name)) {
        return Err(StoreError::BackupUnknown);
    }
    Ok((manifest, digest))
}

fn table_path(from: &Path, table: &TableFile) -> PathBuf {
    from.join("tables").join(format!("{}.jsonl", table.name))
}

fn object_path(from: &Path, object: &ObjectFile) -> Result<PathBuf, StoreError> {
    let path = Path::new(&object.path);
    if !path.components().all(|part| matches!(part, Component::Normal(_))) {
        return Err(damaged(MANIFEST));
    }
    Ok(from.join("objects").join(path))
}

impl Store {
    /// Logs, once, that the data were put back from a backup, if they were.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn log_restore(&self, stamp: &AuditStamp) -> Result<(), StoreError> {
        const NAME: &str = "log_restore";
        let stamp = stamp.clone();
        self.run_logged(NAME, move |tx| {
            let stamp = stamp.clone();
            Box::pin(async move {
                let backup: Option<Vec<u8>> = sqlx::query_scalar(
                    "UPDATE service SET restore_logged = 1 WHERE restored_from IS NOT NULL AND restore_logged = 0
                     RETURNING restored_from",
                )
                .fetch_optional(&mut *tx)
                .await
                .in_tx(NAME)?;
                let Some(backup) = backup else {
                    return Ok(());
                };
                let backup = Digest::try_from(backup.as_slice())
                    .map_err(|_| StoreError::Corrupt { what: "service" })?;
                let entry = stamp.entry(AuditAction::StoreRestored, None);
                append(tx, entry.with_digest("backup", backup), NAME)
                    .await
                    .map(drop)
            })
        })
        .await
    }
}

/// Every file is there with the digest the manifest says.
fn verify(from: &Path, manifest: &BackupManifest) -> Result<(), StoreError> {
    let check = |path: &Path, name: &str, byte_count, sha256| {
        let mut file = CheckedFile::open(path, name)?;
        while file.next_piece()?.is_some() {}
        file.finish(byte_count, sha256)
    };
    for table in &manifest.tables {
        let path = table_path(from, table);
        check(&path, &table.name, table.byte_count, table.sha256)?;
    }
    for object in &manifest.objects {
        let path = object_path(from, object)?;
        check(&path, &object.path, object.byte_count, object.sha256)?;
    }
    Ok(())
}

/// A file of a backup that is read piece by piece, and at the end held against what the manifest says.
struct CheckedFile<'a> {
    name: &'a str,
    file: File,
    hasher: Sha256,
    byte_count: u64,
    buffer: Vec<u8>,
}

impl<'a> CheckedFile<'a> {
    fn open(path: &Path, name: &'a str) -> Result<Self, StoreError> {
        Ok(Self {
            name,
            file: File::open(path).map_err(|_| damaged(name))?,
            hasher: Sha256::new(),
            byte_count: 0,
            buffer: vec![0; PIECE],
        })
    }

    fn next_piece(&mut self) -> Result<Option<&[u8]>, StoreError> {
        let len = self.file.read(&mut self.buffer).map_err(|_| damaged(self.name))?;
        let piece = &self.buffer[..len];
        self.hasher.update(piece);
        self.byte_count += u64::try_from(len).unwrap_or(u64::MAX);
        Ok((len > 0).then_some(piece))
    }

    fn finish(self, byte_count: u64, sha256: Digest) -> Result<(), StoreError> {
        if self.byte_count == byte_count && Digest::from_bytes(self.hasher.finalize().into()) == sha256 {
            Ok(())
        } else {
            Err(damaged(self.name))
        }
    }
}

/// Parts of an object on their way at once.
const PARTS_AT_ONCE: usize = 4;

/// Bytes handed on at once.
const PIECE: usize = 1 << 20;

async fn check_empty(database: &Database) -> TxResult<()> {
    database
        .run_snapshot("restore", |tx| {
            Box::pin(async move {
                for table in TABLES {
                    let statement = format!("SELECT count(*) FROM {}", table.name);
                    let Ok(count) = sqlx::query_scalar::<_, i64>(sqlx::AssertSqlSafe(statement))
                        .fetch_one(&mut *tx)
                        .await
                        .in_tx("restore")
                    else {
                        // A table of a newer schema than the backup's.
                        return Ok(());
                    };
                    if count > 0 {
                        return Err(StoreError::RestoreNotEmpty { what: "database" });
                    }
                }
                Ok(())
            })
        })
        .await
}

async fn remove_objects(bulk: &Bulk) -> Result<(), StoreError> {
    let objects: Vec<ObjectPath> = bulk
        .objects
        .list(None)
        .map_ok(|object| object.location)
        .try_collect()
        .await?;
    for path in objects {
        bulk.objects.delete(&path).await?;
    }
    Ok(())
}

async fn put_all(
    bulk: &Bulk,
    database: &Database,
    from: &Path,
    manifest: &BackupManifest,
    digest: Digest,
) -> Result<(), StoreError> {
    for object in &manifest.objects {
        let path = ObjectPath::parse(&object.path).map_err(|_| damaged(MANIFEST))?;
        let upload = bulk.objects.put_multipart(&path).await?;
        let mut upload = WriteMultipart::new(upload);
        let mut file = CheckedFile::open(&object_path(from, object)?, &object.path)?;
        let written = async {
            while let Some(piece) = file.next_piece()? {
                // So many parts are sent at once; the rest waits on the disk.
                upload.wait_for_capacity(PARTS_AT_ONCE).await?;
                upload.write(piece);
            }
            file.finish(object.byte_count, object.sha256)
        };
        if let Err(error) = written.await {
            upload.abort().await?;
            return Err(error);
        }
        upload.finish().await?;
        bulk.sync(&path).await?;
    }
    let tables: Arc<[(Table, PathBuf, TableFile)]> = manifest
        .tables
        .iter()
        .map(|file| {
            let table = TABLES.iter().find(|table| table.name == file.name);
            let table = table.ok_or_else(|| damaged(MANIFEST))?;
            Ok((*table, table_path(from, file), file.clone()))
        })
        .collect::<Result<_, StoreError>>()?;
    database
        .run_tx("restore", move |tx| {
            let tables = Arc::clone(&tables);
            Box::pin(async move {
                for (table, path, file) in tables.iter() {
                    put_rows(tx, *table, path, file).await?;
                }
                sqlx::query("UPDATE service SET restored_from = $1")
                    .bind(digest.as_bytes().as_slice())
                    .execute(tx)
                    .await
                    .in_tx("restore")
                    .map(drop)
            })
        })
        .await
}

async fn put_rows(tx: &mut AnyConnection, table: Table, path: &Path, file: &TableFile) -> TxResult<()> {
    let mut lines = BufReader::new(File::open(path).map_err(|_| damaged(&file.name))?);
    let mut hasher = Sha256::new();
    let mut line = Vec::new();
    let mut count = 0;
    while lines
        .read_until(b'\n', &mut line)
        .map_err(|_| damaged(&file.name))?
        > 0
    {
        hasher.update(&line);
        table.write(tx, &line).await?;
        line.clear();
        count += 1;
    }
    // It was looked at before, and is looked at again where it counts.
    if count != file.row_count || Digest::from_bytes(hasher.finalize().into()) != file.sha256 {
        return Err(damaged(&file.name));
    }
    Ok(())
}

fn write_synced(path: &Path, text: &str) -> Result<(), StoreError> {
    std::fs::write(path, text)
        .and_then(|()| File::open(path)?.sync_all())
        .and_then(|()| File::open(path.parent().unwrap_or(path))?.sync_all())
        .map_err(StoreError::Staging)
}
