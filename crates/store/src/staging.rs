//! Frames of an upload, each sealed as a chunk and appended to the staging file, so that no plain byte is ever on the disk.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use bytes::Bytes;

use corridor_core::{Digest, OsEntropy};

use crate::chunks::{CHUNK_OVERHEAD, ChunkCipher, DataKey, Place};
use crate::data_keys::KeyPurpose;
use crate::database::{InTransaction as _, from_sql};
use crate::frames::Frame;
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

/// Seals frames of one dataset: work for a processor, which needs no disk and no database.
pub struct FrameSealer {
    key: [u8; 16],
    cipher: ChunkCipher,
}

impl fmt::Debug for FrameSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FrameSealer")
    }
}

impl FrameSealer {
    /// The frame as it is stored; `None` when its bytes are not those of its checksum.
    pub fn seal(&self, frame: Frame, data: &[u8]) -> Option<SealedFrame> {
        if Digest::of(data) != frame.checksum {
            return None;
        }
        let mut sealed = Vec::with_capacity(data.len() + CHUNK_OVERHEAD);
        let place = place(frame.sequence, frame.offset);
        self.cipher
            .seal(place, data, &mut OsEntropy::default(), &mut sealed);
        Some(SealedFrame {
            frame,
            key: self.key,
            sealed,
        })
    }
}

/// A frame as it is stored.
pub struct SealedFrame {
    frame: Frame,
    /// Id of the key it is under.
    key: [u8; 16],
    sealed: Vec<u8>,
}

impl fmt::Debug for SealedFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedFrame({})", self.frame.sequence)
    }
}

impl SealedFrame {
    /// What it is.
    pub const fn frame(&self) -> Frame {
        self.frame
    }

    /// Bytes it came with.
    pub const fn data_len(&self) -> usize {
        self.sealed.len() - CHUNK_OVERHEAD
    }
}

/// Writes frames behind what was acknowledged and waits until they are on the disk. What an earlier, unacknowledged write left
/// there is cut off.
fn write(path: &Path, frames: &[SealedFrame]) -> std::io::Result<()> {
    use std::io::{Seek as _, SeekFrom};
    let Some(first) = frames.first() else {
        return Ok(());
    };
    let start = position(&first.frame);
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
    for frame in frames {
        file.write_all(&frame.sealed)?;
    }
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
    /// What seals the frames of a dataset.
    ///
    /// # Errors
    /// When the key of the dataset was destroyed, or the database fails.
    pub async fn frame_sealer(&self, dataset: Digest) -> Result<FrameSealer, StoreError> {
        let (id, key) = self.data_key_with_id(dataset, KeyPurpose::Dataset).await?;
        Ok(FrameSealer {
            key: id,
            cipher: staged_cipher(&key, dataset),
        })
    }

    /// Writes sealed frames that follow one another at their place in the staging file, and waits until they are on the disk.
    ///
    /// # Errors
    /// When the disk is full or fails, the key of the dataset was destroyed, or frames were sealed under an earlier one: the dataset
    /// was declared anew meanwhile.
    pub async fn stage_frames(&self, dataset: Digest, frames: Vec<SealedFrame>) -> Result<(), StoreError> {
        // Under another key nobody could read them.
        let key = self.data_key_id(dataset, KeyPurpose::Dataset).await?;
        if frames.iter().any(|frame| frame.key != key) {
            return Err(StoreError::DeclaredAnew);
        }
        let path = self.bulk.staging_path(dataset);
        on_disk(move || write(&path, &frames).map_err(StoreError::Staging)).await
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
            .query(NAME, move |tx| {
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
