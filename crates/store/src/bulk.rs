use std::collections::HashMap;
use std::fs::TryLockError;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use corridor_core::{DatasetState, Digest, OfficeId};
use futures::TryStreamExt as _;
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncSeekExt, AsyncWriteExt};

use crate::{Store, StoreError};

/// Datasets and results, by name.
#[derive(Debug, Clone)]
pub(crate) struct Bulk {
    pub(crate) objects: Arc<dyn ObjectStore>,
    /// The folder of the object store, whose files are made sure to be on the disk.
    objects_folder: PathBuf,
    pub(crate) staging: PathBuf,
}

impl Bulk {
    /// Bulk data in two folders below `folder`.
    pub(crate) async fn open(folder: &Path) -> Result<Self, StoreError> {
        let (objects, staging) = (folder.join("objects"), folder.join("staging"));
        for path in [folder, &objects, &staging] {
            // Encodings are nobody's business but the service's.
            let mut builder = tokio::fs::DirBuilder::new();
            #[cfg(unix)]
            builder.mode(0o700);
            builder
                .recursive(true)
                .create(path)
                .await
                .map_err(StoreError::Staging)?;
        }
        Ok(Self {
            objects: Arc::new(LocalFileSystem::new_with_prefix(&objects)?),
            objects_folder: objects,
            staging,
        })
    }

    /// Stores an object and waits until it is on the disk.
    async fn put(&self, path: &ObjectPath, payload: PutPayload) -> Result<(), StoreError> {
        self.objects.put(path, payload).await?;
        self.sync(path).await
    }

    /// Waits until an object is on the disk: the file, and every folder that got a new name.
    pub(crate) async fn sync(&self, path: &ObjectPath) -> Result<(), StoreError> {
        let file = self.objects_folder.join(path.as_ref());
        let sync = async {
            File::open(&file).await?.sync_all().await?;
            let mut folder = file.parent();
            while let Some(path) = folder {
                File::open(path).await?.sync_all().await?;
                if path == self.objects_folder {
                    break;
                }
                folder = path.parent();
            }
            Ok(())
        };
        sync.await.map_err(StoreError::Staging)
    }

    fn staging_path(&self, dataset: Digest) -> PathBuf {
        self.staging.join(dataset.to_string())
    }
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
    /// The flow table after disclosure control.
    FlowTable,
    /// How links were decided.
    Report,
}

fn run_path(run: Digest, object: RunObject) -> ObjectPath {
    ObjectPath::from(match object {
        RunObject::Tile(tile) => format!("runs/{run}/tiles/{tile:08}.parquet"),
        RunObject::Links => format!("runs/{run}/links.parquet"),
        RunObject::FlowTable => format!("runs/{run}/flows.parquet"),
        RunObject::Report => format!("runs/{run}/report.json"),
    })
}

impl Store {
    /// Writes the bytes of a frame at its place in the staging file and waits until they are on the disk. What
    /// an earlier, unacknowledged write left behind that place is cut off.
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub async fn stage_frame(&self, dataset: Digest, offset: u64, data: &Bytes) -> Result<(), StoreError> {
        let write = async {
            let mut file = OpenOptions::new()
                .create(true)
                .write(true)
                .truncate(false)
                .open(self.bulk.staging_path(dataset))
                .await?;
            // What was acknowledged is there, or the staging folder is not the one it was acknowledged in.
            if file.metadata().await?.len() < offset {
                return Err(std::io::Error::other(
                    "bytes acknowledged before are not in the staging folder; services that share a database must share \
                     the data folder",
                ));
            }
            file.set_len(offset).await?;
            file.seek(std::io::SeekFrom::Start(offset)).await?;
            file.write_all(data).await?;
            file.sync_data().await?;
            // The first frame made the file: its name must be on the disk, too.
            if offset == 0 {
                File::open(&self.bulk.staging).await?.sync_all().await?;
            }
            Ok(())
        };
        write.await.map_err(StoreError::Staging)
    }

    /// The staged bytes of a dataset.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn read_staged(&self, dataset: Digest) -> Result<Bytes, StoreError> {
        tokio::fs::read(self.bulk.staging_path(dataset))
            .await
            .map(Bytes::from)
            .map_err(StoreError::Staging)
    }

    /// Removes the staged bytes of a dataset, if there are any.
    ///
    /// # Errors
    /// When they cannot be removed.
    pub async fn remove_staged(&self, dataset: Digest) -> Result<(), StoreError> {
        match tokio::fs::remove_file(self.bulk.staging_path(dataset)).await {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(StoreError::Staging(error)),
            _ => Ok(()),
        }
    }

    /// Stores the file of a sealed dataset.
    ///
    /// # Errors
    /// When the object store fails.
    pub async fn put_dataset(&self, id: Digest, bytes: Bytes) -> Result<(), StoreError> {
        self.bulk
            .put(&dataset_path(id), PutPayload::from_bytes(bytes))
            .await
    }

    /// Removes the file of a dataset that was not sealed after all, if it is there.
    ///
    /// # Errors
    /// When the object store fails.
    pub async fn remove_dataset(&self, id: Digest) -> Result<(), StoreError> {
        match self.bulk.objects.delete(&dataset_path(id)).await {
            Err(object_store::Error::NotFound { .. }) | Ok(()) => Ok(()),
            Err(error) => Err(error.into()),
        }
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

    /// Removes dataset files and staged bytes that no dataset in the database answers for: what a stop in the middle of a
    /// refusal left behind. Another service may be at work: files are listed before the database is asked, so that one made since is
    /// not taken for an orphan, and the file of a dataset that is being sealed stays.
    pub(crate) async fn remove_orphans(&self) -> Result<(), StoreError> {
        let objects: Vec<_> = self
            .bulk
            .objects
            .list(Some(&ObjectPath::from("datasets")))
            .try_collect()
            .await?;
        let mut staged = Vec::new();
        let mut entries = tokio::fs::read_dir(&self.bulk.staging)
            .await
            .map_err(StoreError::Staging)?;
        while let Some(entry) = entries.next_entry().await.map_err(StoreError::Staging)? {
            staged.push(entry.path());
        }
        let known: HashMap<String, DatasetState> = self
            .dataset_states()
            .await?
            .into_iter()
            .map(|(id, state)| (id.to_string(), state))
            .collect();
        for object in objects {
            let name = object.location.filename().unwrap_or_default();
            if !known.contains_key(name.trim_end_matches(".parquet")) {
                self.bulk.objects.delete(&object.location).await?;
            }
        }
        for path in staged {
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            if !name.ends_with(LOCK) && known.get(name) != Some(&DatasetState::Receiving) {
                match tokio::fs::remove_file(&path).await {
                    Err(error) if error.kind() != ErrorKind::NotFound => {
                        return Err(StoreError::Staging(error));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
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

    /// The file of a sealed dataset.
    ///
    /// # Errors
    /// When the object store fails.
    pub async fn read_dataset(&self, id: Digest) -> Result<Bytes, StoreError> {
        Ok(self.bulk.objects.get(&dataset_path(id)).await?.bytes().await?)
    }

    /// Stores something of a run; the same again changes nothing.
    ///
    /// # Errors
    /// When the object store fails.
    pub async fn put_run_object(
        &self,
        run: Digest,
        object: RunObject,
        bytes: Vec<u8>,
    ) -> Result<(), StoreError> {
        self.bulk
            .put(&run_path(run, object), PutPayload::from(bytes))
            .await
    }

    /// Something stored of a run.
    ///
    /// # Errors
    /// When the object store fails.
    pub async fn read_run_object(&self, run: Digest, object: RunObject) -> Result<Bytes, StoreError> {
        Ok(self
            .bulk
            .objects
            .get(&run_path(run, object))
            .await?
            .bytes()
            .await?)
    }
}
