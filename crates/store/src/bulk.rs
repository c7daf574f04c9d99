use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use corridor_core::Digest;
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncSeekExt, AsyncWriteExt};

use crate::{Store, StoreError};

/// Datasets and results, by name.
#[derive(Debug, Clone)]
pub(crate) struct Bulk {
    objects: Arc<dyn ObjectStore>,
    staging: PathBuf,
}

impl Bulk {
    /// Bulk data in two folders below `folder`.
    pub(crate) async fn open(folder: &Path) -> Result<Self, StoreError> {
        let (objects, staging) = (folder.join("objects"), folder.join("staging"));
        for path in [&objects, &staging] {
            tokio::fs::create_dir_all(path)
                .await
                .map_err(StoreError::Staging)?;
        }
        Ok(Self {
            objects: Arc::new(LocalFileSystem::new_with_prefix(&objects)?),
            staging,
        })
    }

    fn staging_path(&self, dataset: Digest) -> PathBuf {
        self.staging.join(dataset.to_string())
    }
}

fn dataset_path(id: Digest) -> ObjectPath {
    ObjectPath::from(format!("datasets/{id}.parquet"))
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
            .objects
            .put(&dataset_path(id), PutPayload::from_bytes(bytes))
            .await?;
        Ok(())
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
            .objects
            .put(&run_path(run, object), PutPayload::from(bytes))
            .await?;
        Ok(())
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
