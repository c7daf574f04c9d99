//! Frames of an upload, each sealed as a chunk and appended to the staging file, so that no plain byte is ever on the disk.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use corridor_core::{Digest, OsEntropy};

use crate::chunks::{CHUNK_OVERHEAD, ChunkCipher, DataKey, Place};
use crate::data_keys::KeyPurpose;
use crate::database::{InTransaction as _, from_sql};
use crate::datasets::Frame;
use crate::random::{Chunks, SealedFile};
use crate::{Store, StoreError};

const OVERHEAD: u64 = CHUNK_OVERHEAD as u64;

fn staged_cipher(key: &DataKey, dataset: Digest) -> ChunkCipher {
    key.cipher(&[b"staged", dataset.as_bytes()])
}

/// Where the sealed bytes of a frame begin: behind those of all frames before.
const fn position(frame: &Frame) -> u64 {
    frame.offset + frame.sequence * OVERHEAD
}

const fn place(sequence: u64, offset: u64) -> Place {
    Place {
        index: sequence,
        whole: offset,
    }
}

/// Work on files, away from the threads that wait for the network. Tokio's own file functions do the same, one call at a time.
pub(crate) async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    #[expect(
        clippy::disallowed_methods,
        reason = "file work, which must not wait for a run on the compute pool"
    )]
    let handle = tokio::task::spawn_blocking(work);
    match handle.await {
        Ok(outcome) => outcome,
        Err(error) => Err(StoreError::Staging(std::io::Error::other(error))),
    }
}

/// Writes sealed bytes behind what was acknowledged and waits until they are on the disk. What an earlier, unacknowledged write
/// left there is cut off.
fn write(path: &Path, start: u64, sealed: &[u8]) -> std::io::Result<()> {
    use std::io::{Seek as _, SeekFrom};
    let mut file = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(false)
        .open(path)?;
    // What was acknowledged is there, or the staging folder is not the one it was acknowledged in.
    if file.metadata()?.len() < start {
        return Err(std::io::Error::other(
            "bytes acknowledged before are not in the staging folder; services that share a database must share the data folder",
        ));
    }
    file.set_len(start)?;
    file.seek(SeekFrom::Start(start))?;
    file.write_all(sealed)?;
    file.sync_data()?;
    // The first frames made the file: its name must be on the disk, too.
    if start == 0
        && let Some(folder) = path.parent()
    {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

impl Store {
    /// How many of these frames, from the first on, have the bytes their checksum says.
    ///
    /// # Errors
    /// When the system gives no thread for it.
    pub async fn count_sound(&self, frames: Arc<[(Frame, Bytes)]>) -> Result<usize, StoreError> {
        on_disk(move || {
            let is_sound = |(frame, data): &(Frame, Bytes)| Digest::of(data) == frame.checksum;
            Ok(frames.iter().take_while(|frame| is_sound(frame)).count())
        })
        .await
    }

    /// Writes the bytes of frames that follow one another at their place in the staging file, encrypted, and waits until they are
    /// on the disk.
    ///
    /// # Errors
    /// When the disk is full or fails, or the key of the dataset was destroyed.
    pub async fn stage_frames(&self, dataset: Digest, frames: Vec<(Frame, Bytes)>) -> Result<(), StoreError> {
        let key = self.data_key(dataset, KeyPurpose::Dataset).await?;
        let path = self.bulk.staging_path(dataset);
        on_disk(move || {
            let Some((first, _)) = frames.first() else {
                return Ok(());
            };
            let cipher = staged_cipher(&key, dataset);
            let mut entropy = OsEntropy::default();
            let room = frames.iter().map(|(_, data)| data.len() + CHUNK_OVERHEAD).sum();
            let mut sealed = Vec::with_capacity(room);
            for (frame, data) in &frames {
                cipher.seal(
                    place(frame.sequence, frame.offset),
                    data,
                    &mut entropy,
                    &mut sealed,
                );
            }
            write(&path, position(first), &sealed).map_err(StoreError::Staging)
        })
        .await
    }

    /// The acknowledged bytes of a dataset, for reading in any order.
    ///
    /// # Errors
    /// When there are none, or the key of the dataset was destroyed.
    pub async fn open_staged(&self, dataset: Digest) -> Result<SealedFile, StoreError> {
        const NAME: &str = "open_staged";
        let key = self.data_key(dataset, KeyPurpose::Dataset).await?;
        let byte_counts = self
            .database
            .run_tx(NAME, move |tx| {
                Box::pin(async move {
                    sqlx::query_scalar::<_, i64>(
                        "SELECT byte_count FROM frames WHERE dataset = $1 ORDER BY sequence",
                    )
                    .bind(dataset.as_bytes().as_slice())
                    .fetch_all(tx)
                    .await
                    .in_tx(NAME)?
                    .into_iter()
                    .map(|count| from_sql(count, "frame"))
                    .collect::<Result<Vec<u64>, StoreError>>()
                })
            })
            .await?;
        let path = self.bulk.staging_path(dataset);
        on_disk(move || {
            let file = File::open(path).map_err(StoreError::Staging)?;
            let mut starts = Vec::with_capacity(byte_counts.len());
            let mut end = 0;
            for count in byte_counts {
                starts.push(end);
                end += count;
            }
            Ok(SealedFile::new(StagedFrames {
                file,
                cipher: staged_cipher(&key, dataset),
                starts,
                end,
            }))
        })
        .await
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
}

/// The frames of an upload.
struct StagedFrames {
    file: File,
    cipher: ChunkCipher,
    /// Where each frame begins in the file that was uploaded.
    starts: Vec<u64>,
    /// Where the last ends.
    end: u64,
}

impl Chunks for StagedFrames {
    fn byte_count(&self) -> u64 {
        self.end
    }

    fn chunk_at(&self, offset: u64) -> usize {
        self.starts
            .partition_point(|start| *start <= offset)
            .saturating_sub(1)
    }

    fn start_of(&self, chunk: usize) -> u64 {
        self.starts.get(chunk).copied().unwrap_or(self.end)
    }

    fn open(&self, chunk: usize) -> Result<Bytes, StoreError> {
        let (start, end) = (self.start_of(chunk), self.start_of(chunk + 1));
        let altered = || StoreError::Altered {
            what: "staged dataset",
        };
        let sequence = u64::try_from(chunk).map_err(|_| altered())?;
        let len = usize::try_from(end - start + OVERHEAD).map_err(|_| altered())?;
        let mut sealed = vec![0; len];
        match read_exact_at(&self.file, &mut sealed, start + sequence * OVERHEAD) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Err(altered()),
            Err(error) => return Err(StoreError::Staging(error)),
        }
        self.cipher
            .open_owned(place(sequence, start), sealed)
            .map_err(|_| altered())
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(not(unix))]
fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> std::io::Result<()> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let mut file = file;
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(buffer)
}
