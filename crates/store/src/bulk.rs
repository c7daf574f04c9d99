use std::fs::TryLockError;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use corridor_core::{DatasetState, Digest, OfficeId, OsEntropy};
use futures::TryStreamExt as _;
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt as _, PutPayload};
use tokio::fs::{File, OpenOptions};

use crate::chunks::{CHUNK_BYTES, ChunkCipher, DataKey, OBJECT_HEADER, ObjectLayout};
use crate::data_keys::KeyPurpose;
use crate::random::SealedFile;
use crate::s3::{S3Options, open_s3};
use crate::staging::on_disk;
use crate::unnamed::remove_unnamed;
use crate::{Store, StoreError};

/// Where datasets and results are kept.
#[derive(Debug, Clone, Default)]
pub enum BulkOptions {
    /// In the data folder.
    #[default]
    Folder,
    /// In a bucket of a service that speaks S3. Uploads that are not sealed yet stay in the data folder.
    S3(S3Options),
}

/// Datasets and results, by name.
#[derive(Debug, Clone)]
pub(crate) struct Bulk {
    pub(crate) objects: Arc<dyn ObjectStore>,
    /// The folder of the object store, where it is one, whose files are made sure to be on the disk.
    objects_folder: Option<PathBuf>,
    pub(crate) staging: PathBuf,
}

/// Chunks that are sealed, sent and fetched together: 8 MiB, which S3 takes as a part.
const CHUNKS_AT_ONCE: u64 = 32;

/// Plain bytes of so many chunks.
const PART_BYTES: usize = CHUNKS_AT_ONCE as usize * CHUNK_BYTES;

impl Bulk {
    /// Bulk data in two folders below `folder`, or staged there and stored elsewhere.
    pub(crate) async fn open(folder: &Path, options: &BulkOptions) -> Result<Self, StoreError> {
        let staging = folder.join("staging");
        make_folder(folder).await?;
        make_folder(&staging).await?;
        let (objects, objects_folder): (Arc<dyn ObjectStore>, _) = match options {
            BulkOptions::Folder => {
                let objects = folder.join("objects");
                make_folder(&objects).await?;
                (
                    Arc::new(LocalFileSystem::new_with_prefix(&objects)?),
                    Some(objects),
                )
            }
            BulkOptions::S3(options) => (open_s3(options)?, None),
        };
        Ok(Self {
            objects,
            objects_folder,
            staging,
        })
    }

    /// Waits until an object of a folder is on the disk: the file, and every folder that got a new name.
    pub(crate) async fn sync(&self, path: &ObjectPath) -> Result<(), StoreError> {
        let Some(objects_folder) = &self.objects_folder else {
            return Ok(());
        };
        let file = objects_folder.join(path.as_ref());
        let sync = async {
            File::open(&file).await?.sync_all().await?;
            let mut folder = file.parent();
            while let Some(path) = folder {
                File::open(path).await?.sync_all().await?;
                if path == objects_folder {
                    break;
                }
                folder = path.parent();
            }
            Ok(())
        };
        sync.await.map_err(StoreError::Staging)
    }

    /// Stores an object, sealed, and waits until it is safe.
    async fn put(&self, path: &ObjectPath, key: Arc<DataKey>, plain: Bytes) -> Result<(), StoreError> {
        if plain.len() > PART_BYTES {
            return self
                .put_long(path, key, plain.len() as u64, move |start, len| {
                    let start = usize::try_from(start).unwrap_or(usize::MAX);
                    Ok(plain.slice(start..start + len))
                })
                .await;
        }
        let cipher = object_cipher(&key, path);
        let layout = ObjectLayout::of_plain(plain.len() as u64);
        let sealed = on_disk(move || Ok(seal_part(&cipher, &layout, 0, &plain))).await?;
        self.objects.put(path, PutPayload::from(sealed)).await?;
        self.sync(path).await
    }

    /// Stores a long object part by part, sealed, and waits until it is safe. `read` gives the plain bytes from a place on. When it
    /// fails, nothing is there under the name that was not there before.
    async fn put_long(
        &self,
        path: &ObjectPath,
        key: Arc<DataKey>,
        byte_count: u64,
        read: impl Fn(u64, usize) -> Result<Bytes, StoreError> + Send + Sync + 'static,
    ) -> Result<(), StoreError> {
        let (cipher, layout) = (object_cipher(&key, path), ObjectLayout::of_plain(byte_count));
        let read = Arc::new(read);
        let mut upload = self.objects.put_multipart(path).await?;
        let sending = async {
            for first in (0..layout.chunk_count).step_by(CHUNKS_AT_ONCE as usize) {
                let (cipher, read) = (cipher.clone(), Arc::clone(&read));
                let start = first * CHUNK_BYTES as u64;
                let part = on_disk(move || {
                    let len = (layout.plain_bytes - start).min(PART_BYTES as u64);
                    let plain = read(start, usize::try_from(len).expect("at most a part"))?;
                    Ok(seal_part(&cipher, &layout, first, &plain))
                })
                .await?;
                upload.put_part(PutPayload::from(part)).await?;
            }
            upload.complete().await?;
            Ok(())
        };
        if let Err(error) = sending.await {
            if let Err(error) = upload.abort().await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "parts of an upload to the bulk store could not be removed"
                );
            }
            return Err(error);
        }
        self.sync(path).await
    }

    /// An object, opened.
    async fn read(&self, path: &ObjectPath, key: &DataKey) -> Result<Bytes, StoreError> {
        let altered = || StoreError::Altered { what: "object" };
        let stored_bytes = self.objects.head(path).await?.size;
        let layout = ObjectLayout::of_stored(stored_bytes).ok_or_else(altered)?;
        let cipher = object_cipher(key, path);
        let header = self
            .objects
            .get_range(path, 0..OBJECT_HEADER.len() as u64)
            .await?;
        if header.as_ref() != OBJECT_HEADER {
            return Err(altered());
        }
        let mut plain = Vec::with_capacity(usize::try_from(layout.plain_bytes).map_err(|_| altered())?);
        for first in (0..layout.chunk_count).step_by(CHUNKS_AT_ONCE as usize) {
            let end = (first + CHUNKS_AT_ONCE).min(layout.chunk_count);
            let sealed = self
                .objects
                .get_range(path, layout.stored_range(first, end))
                .await?;
            let cipher = cipher.clone();
            plain = on_disk(move || {
                let mut sealed = Vec::from(sealed);
                let chunks = sealed.chunks_mut(CHUNK_BYTES + crate::chunks::CHUNK_OVERHEAD);
                for (index, chunk) in (first..end).zip(chunks) {
                    let opened = cipher.open(layout.place(index), chunk);
                    plain.extend_from_slice(opened.map_err(|_| StoreError::Altered { what: "object" })?);
                }
                Ok(plain)
            })
            .await?;
        }
        if plain.len() as u64 != layout.plain_bytes {
            return Err(altered());
        }
        Ok(plain.into())
    }

    async fn remove(&self, path: &ObjectPath) -> Result<(), StoreError> {
        match self.objects.delete(path).await {
            Err(object_store::Error::NotFound { .. }) | Ok(()) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes what the object store of a folder was writing when its service was killed: files that have no name yet, which it
    /// does not list. Only where no other service is at work.
    pub(crate) async fn remove_unnamed(&self) -> Result<(), StoreError> {
        self.remove_unnamed_in("", |_| true).await
    }

    /// The same below a folder, of names that are meant.
    async fn remove_unnamed_in(
        &self,
        below: &str,
        is_meant: impl Fn(&str) -> bool + Send + 'static,
    ) -> Result<(), StoreError> {
        let Some(folder) = self.objects_folder.as_ref().map(|folder| folder.join(below)) else {
            return Ok(());
        };
        on_disk(move || remove_unnamed(folder, &is_meant).map_err(StoreError::Staging)).await
    }

    async fn list(&self, folder: &str) -> Result<Vec<ObjectPath>, StoreError> {
        let objects = self.objects.list(Some(&ObjectPath::from(folder)));
        Ok(objects.map_ok(|object| object.location).try_collect().await?)
    }

    pub(crate) fn staging_path(&self, dataset: Digest) -> PathBuf {
        self.staging.join(dataset.to_string())
    }
}

async fn make_folder(path: &Path) -> Result<(), StoreError> {
    // Encodings are nobody's business but the service's.
    let mut builder = tokio::fs::DirBuilder::new();
    #[cfg(unix)]
    builder.mode(0o700);
    builder
        .recursive(true)
        .create(path)
        .await
        .map_err(StoreError::Staging)
}

/// The cipher of an object of that name.
fn object_cipher(key: &DataKey, path: &ObjectPath) -> ChunkCipher {
    key.cipher(&[b"object", path.as_ref().as_bytes()])
}

/// The chunks from `first` on that hold `plain`, sealed; with the header before the first of all.
fn seal_part(cipher: &ChunkCipher, layout: &ObjectLayout, first: u64, plain: &[u8]) -> Vec<u8> {
    let mut entropy = OsEntropy::default();
    let chunk_count = plain.len().div_ceil(CHUNK_BYTES).max(1);
    let overhead = chunk_count * crate::chunks::CHUNK_OVERHEAD + OBJECT_HEADER.len();
    let mut sealed = Vec::with_capacity(plain.len() + overhead);
    if first == 0 {
        sealed.extend_from_slice(OBJECT_HEADER);
    }
    for (index, at) in (first..).zip(0..chunk_count) {
        let end = ((at + 1) * CHUNK_BYTES).min(plain.len());
        cipher.seal(
            layout.place(index),
            &plain[at * CHUNK_BYTES..end],
            &mut entropy,
            &mut sealed,
        );
    }
    sealed
}

pub(crate) fn dataset_path(id: Digest) -> ObjectPath {
    ObjectPath::from(format!("datasets/{id}.parquet"))
}

/// How the name of a lock ends.
const LOCK: &str = ".lock";

/// Between two looks at a lock.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Keeps other services' hands off a dataset until it is dropped.
#[derive(Debug)]
pub struct UploadGuard(std::fs::File);

impl Drop for UploadGuard {
    fn drop(&mut self) {
        // Closing the file lets go of it, too.
        drop(self.0.unlock());
    }
}

/// What is stored of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunObject {
    /// Candidate pairs of one tile.
    Tile(u64),
    /// Links.
    Links,
    /// The flow table after disclosure control, of the result with that digest. A worker that was taken for dead may make another
    /// than its successor, which knows of tables released since: each has its own name, and the run names the one that counts.
    FlowTable(Digest),
    /// How links were decided, of the result with that digest.
    Report(Digest),
}

impl RunObject {
    /// Whether it goes with the datasets of the run, or stays when it was released.
    const fn key_purpose(self) -> KeyPurpose {
        match self {
            Self::Tile(_) | Self::Links => KeyPurpose::Run,
            Self::FlowTable(_) | Self::Report(_) => KeyPurpose::Result,
        }
    }
}

fn run_path(run: Digest, object: RunObject) -> ObjectPath {
    ObjectPath::from(match object {
        RunObject::Tile(tile) => format!("runs/{run}/tiles/{tile:08}.parquet"),
        RunObject::Links => format!("runs/{run}/links.parquet"),
        RunObject::FlowTable(result) => format!("runs/{run}/results/{result}/flows.parquet"),
        RunObject::Report(result) => format!("runs/{run}/results/{result}/report.json"),
    })
}

/// The digest that is a part of a name, counted from 0.
fn digest_in(path: &ObjectPath, part: usize) -> Option<Digest> {
    path.parts().nth(part)?.as_ref().parse().ok()
}

/// What a table and a report were called before their names told which result they are of.
fn former_path(run: Digest, object: RunObject) -> Option<ObjectPath> {
    match object {
        RunObject::FlowTable(_) => Some(ObjectPath::from(format!("runs/{run}/flows.parquet"))),
        RunObject::Report(_) => Some(ObjectPath::from(format!("runs/{run}/report.json"))),
        RunObject::Tile(_) | RunObject::Links => None,
    }
}

/// The names under which something of a run may be stored.
pub(crate) fn names_of(run: Digest, object: RunObject) -> Vec<ObjectPath> {
    [Some(run_path(run, object)), former_path(run, object)]
        .into_iter()
        .flatten()
        .collect()
}

/// Whether an object of a run's result may be the one that counts: the result of that digest, or one without a digest in its name.
fn is_of_result(path: &ObjectPath, result: Digest) -> bool {
    path.parts().count() == 3 || digest_in(path, 3) == Some(result)
}

/// Under which of its run's keys an object is.
fn purpose_of(path: &ObjectPath) -> KeyPurpose {
    match path.filename() {
        Some("flows.parquet" | "report.json") => KeyPurpose::Result,
        Some(_) | None => KeyPurpose::Run,
    }
}

impl Store {
    /// Stores the file of a dataset that was checked, from its staged bytes.
    ///
    /// # Errors
    /// When the staged bytes cannot be read or the object store fails.
    pub async fn put_dataset(&self, id: Digest, staged: &SealedFile) -> Result<(), StoreError> {
        use parquet::file::reader::ChunkReader as _;
        let key = self.data_key(id, KeyPurpose::Dataset).await?;
        let (file, byte_count) = (staged.clone(), staged.byte_count());
        let read = move |start, len| {
            file.get_bytes(start, len).map_err(|error| {
                file.take_failure()
                    .unwrap_or_else(|| StoreError::Staging(std::io::Error::other(error)))
            })
        };
        self.bulk.put_long(&dataset_path(id), key, byte_count, read).await
    }

    /// Removes the file of a dataset that was not sealed after all or was purged, if it is there.
    ///
    /// # Errors
    /// When the object store fails.
    pub async fn remove_dataset(&self, id: Digest) -> Result<(), StoreError> {
        self.bulk.remove(&dataset_path(id)).await?;
        // Also half of it, which has no name yet.
        let name = id.to_string();
        self.bulk
            .remove_unnamed_in("datasets", move |file| file.starts_with(&name))
            .await
    }

    /// The file of a sealed dataset.
    ///
    /// # Errors
    /// When the object store fails, the file was altered, or the dataset was purged.
    pub async fn read_dataset(&self, id: Digest) -> Result<Bytes, StoreError> {
        let key = self.data_key(id, KeyPurpose::Dataset).await?;
        self.bulk.read(&dataset_path(id), &key).await
    }

    /// Whether something of a run is stored.
    ///
    /// # Errors
    /// When the object store fails.
    pub async fn has_run_object(&self, run: Digest, object: RunObject) -> Result<bool, StoreError> {
        match self.bulk.objects.head(&run_path(run, object)).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Stores something of a run; the same again changes nothing.
    ///
    /// # Errors
    /// When the object store fails, or a dataset of the run was purged.
    pub async fn put_run_object(
        &self,
        run: Digest,
        object: RunObject,
        bytes: Vec<u8>,
    ) -> Result<(), StoreError> {
        let key = self.data_key(run, object.key_purpose()).await?;
        self.bulk.put(&run_path(run, object), key, bytes.into()).await
    }

    /// Something stored of a run.
    ///
    /// # Errors
    /// When the object store fails, the object was altered, or it went with a dataset that was purged.
    pub async fn read_run_object(&self, run: Digest, object: RunObject) -> Result<Bytes, StoreError> {
        let key = self.data_key(run, object.key_purpose()).await?;
        let read = self.bulk.read(&run_path(run, object), &key).await;
        match (read, former_path(run, object)) {
            (Err(StoreError::Bulk(object_store::Error::NotFound { .. })), Some(former)) => {
                self.bulk.read(&former, &key).await
            }
            (read, _) => read,
        }
    }

    /// Waits until no other service has its hand on the dataset of an office under an agreement, and keeps others away until
    /// the guard is dropped. The lock stands beside the staged bytes it protects: a service that can write the one can see the
    /// other, and the lock of a dead one is gone with it, so that nothing expires under a hand that is still at work.
    ///
    /// # Errors
    /// When the staging folder fails.
    pub async fn lock_upload(&self, agreement: Digest, office: &OfficeId) -> Result<UploadGuard, StoreError> {
        let path = self
            .bulk
            .staging
            .join(format!("{}-{office}{LOCK}", agreement.to_short()));
        let file = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(false)
            .open(path)
            .await
            .map_err(StoreError::Staging)?
            .into_std()
            .await;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(UploadGuard(file)),
                Err(TryLockError::WouldBlock) => tokio::time::sleep(LOOK_AGAIN).await,
                Err(TryLockError::Error(error)) => return Err(StoreError::Staging(error)),
            }
        }
    }

    /// Stored bytes that nothing in the database answers for: what a stop in the middle of an upload, a refusal or a purge left
    /// behind.
    ///
    /// # Errors
    /// When the database or the object store fails.
    pub async fn orphans(&self) -> Result<Vec<Orphan>, StoreError> {
        // Another service may be at work: what there is is listed before the database is asked, so that what was made since is not
        // taken for an orphan; and the file of a dataset that is being sealed stays.
        let stored = self.bulk.list("datasets").await?;
        let of_runs = self.bulk.list("runs").await?;
        let staged = files_of(&self.bulk.staging).await?;
        let known = self.dataset_states().await?;
        let state_of = |name: &str| {
            let found = known.iter().find(|(id, _)| name == id.to_string());
            found.map(|(_, state)| *state)
        };
        let mut orphans = Vec::new();
        for path in stored {
            let name = path.filename().unwrap_or_default().trim_end_matches(".parquet");
            if matches!(state_of(name), None | Some(DatasetState::Purged)) {
                orphans.push(Orphan::Object(path.to_string()));
            }
        }
        let results = self.results_of_runs().await?;
        for purpose in [KeyPurpose::Run, KeyPurpose::Result] {
            let kept = self.runs_with_key(purpose).await?;
            for path in &of_runs {
                let run = digest_in(path, 1);
                let is_kept = run.is_some_and(|run| kept.contains(run.as_bytes()));
                // Until a run has a result, whoever works on it may be about to name this one.
                let counts = purpose == KeyPurpose::Run
                    || run
                        .and_then(|run| results.get(&run))
                        .is_none_or(|result| is_of_result(path, *result));
                if purpose_of(path) == purpose && !(is_kept && counts) {
                    orphans.push(Orphan::Object(path.to_string()));
                }
            }
        }
        orphans.extend(
            staged
                .into_iter()
                .filter(|(name, _)| !name.ends_with(LOCK) && state_of(name) != Some(DatasetState::Receiving))
                .map(|(_, path)| Orphan::File(path)),
        );
        Ok(orphans)
    }

    /// Removes what nothing answers for.
    ///
    /// # Errors
    /// When the disk or the object store fails.
    pub async fn remove_orphan(&self, orphan: &Orphan) -> Result<(), StoreError> {
        match orphan {
            Orphan::Object(path) => self.bulk.remove(&ObjectPath::from(path.as_str())).await,
            Orphan::File(path) => match tokio::fs::remove_file(path).await {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(StoreError::Staging(error)),
                _ => Ok(()),
            },
        }
    }

    /// Removes what is stored of runs whose keys were destroyed.
    pub(crate) async fn remove_keyless_of_runs(&self, runs: &[Digest]) -> Result<(), StoreError> {
        for purpose in [KeyPurpose::Run, KeyPurpose::Result] {
            let kept = self.runs_with_key(purpose).await?;
            for run in runs.iter().filter(|run| !kept.contains(run.as_bytes())) {
                let folder = format!("runs/{run}");
                for path in self.bulk.list(&folder).await? {
                    if purpose_of(&path) == purpose {
                        self.bulk.remove(&path).await?;
                    }
                }
                if purpose == KeyPurpose::Run {
                    self.bulk.remove_unnamed_in(&folder, |_| true).await?;
                }
            }
        }
        Ok(())
    }
}

/// Stored bytes that nothing answers for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Orphan {
    /// A file.
    File(PathBuf),
    /// An object of the bulk store, by name.
    Object(String),
}

impl std::fmt::Display for Orphan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Object(path) => f.write_str(path),
        }
    }
}

/// The files of a folder, by name.
async fn files_of(folder: &Path) -> Result<Vec<(String, PathBuf)>, StoreError> {
    let listing = async {
        let mut files = Vec::new();
        let mut entries = match tokio::fs::read_dir(folder).await {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(files),
            entries => entries?,
        };
        while let Some(entry) = entries.next_entry().await? {
            let name = entry.file_name().to_string_lossy().into_owned();
            files.push((name, entry.path()));
        }
        Ok(files)
    };
    listing.await.map_err(StoreError::Staging)
}
