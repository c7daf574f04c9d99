//! Rows of bytes put in order without keeping them in memory.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::PathBuf;

use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit, StreamCipher};
use corridor_core::Entropy;
use rayon::prelude::*;
use zeroize::Zeroizing;

use crate::wipe::wipe;

/// Where what does not fit in memory is put meanwhile: files without a name, encrypted under a key that nobody has
/// afterwards, gone with the process.
pub struct Scratch {
    key: Zeroizing<[u8; 32]>,
    folder: PathBuf,
    memory_bytes: usize,
}

impl std::fmt::Debug for Scratch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Scratch({} bytes of memory)", self.memory_bytes)
    }
}

impl Scratch {
    /// Bytes kept in memory unless said otherwise.
    pub const MEMORY_BYTES: usize = 96 << 20;

    /// Files in `folder` for what is beyond [`Scratch::MEMORY_BYTES`].
    pub fn new(folder: impl Into<PathBuf>, entropy: &mut dyn Entropy) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        corridor_core::fill(entropy, key.as_mut_slice());
        Self::with_key(key, folder)
    }

    /// The same with a key that is drawn already.
    pub(crate) fn with_key(key: Zeroizing<[u8; 32]>, folder: impl Into<PathBuf>) -> Self {
        Self {
            key,
            folder: folder.into(),
            memory_bytes: Self::MEMORY_BYTES,
        }
    }

    /// No files: everything stays in memory.
    pub(crate) fn in_memory() -> Self {
        Self {
            key: Zeroizing::new([0; 32]),
            folder: PathBuf::new(),
            memory_bytes: usize::MAX,
        }
    }

    /// The same with another bound.
    #[must_use]
    pub fn with_memory(mut self, bytes: usize) -> Self {
        self.memory_bytes = bytes;
        self
    }

    /// A spool that keeps `1 / share` of the memory. A purpose is given once.
    pub(crate) fn spool(&self, purpose: u8, share: usize) -> Spool {
        Spool {
            key: self.key.clone(),
            purpose,
            folder: self.folder.clone(),
            memory_bytes: self.memory_bytes / share,
            in_memory: 0,
            buckets: (0..BUCKETS).map(|_| Bucket::default()).collect(),
        }
    }
}

/// Buckets rows are spread over by their first byte.
const BUCKETS: usize = 256;

/// Bytes handed over at a time, at least, unless they are the last.
const CHUNK_BYTES: usize = 4 << 20;

/// Rows in the order of their first bytes, which must be evenly spread: a bucket is held in memory whole.
pub(crate) struct Spool {
    key: Zeroizing<[u8; 32]>,
    purpose: u8,
    folder: PathBuf,
    memory_bytes: usize,
    in_memory: usize,
    buckets: Vec<Bucket>,
}

#[derive(Default)]
struct Bucket {
    memory: Vec<u8>,
    file: Option<(File, ChaCha20)>,
    in_file: usize,
}

impl Spool {
    /// Takes a row of at least eight bytes.
    pub(crate) fn push(&mut self, row: &[u8]) -> io::Result<()> {
        let len = u32::try_from(row.len()).map_err(io::Error::other)?;
        let memory = &mut self.buckets[usize::from(row[0])].memory;
        memory.extend_from_slice(&len.to_le_bytes());
        memory.extend_from_slice(row);
        self.in_memory += 4 + row.len();
        if self.in_memory > self.memory_bytes {
            self.flush()?;
        }
        Ok(())
    }

    /// Puts what is in memory into files, on the current rayon pool.
    fn flush(&mut self) -> io::Result<()> {
        let Self {
            key,
            purpose,
            folder,
            buckets,
            in_memory,
            ..
        } = self;
        buckets
            .par_iter_mut()
            .enumerate()
            .filter(|(_, bucket)| !bucket.memory.is_empty())
            .try_for_each(|(index, bucket)| -> io::Result<()> {
                if bucket.file.is_none() {
                    let cipher = cipher(key, *purpose, index);
                    bucket.file = Some((tempfile::tempfile_in(&*folder)?, cipher));
                }
                let (file, cipher) = bucket.file.as_mut().expect("made above");
                cipher.apply_keystream(&mut bucket.memory);
                file.write_all(&bucket.memory)?;
                bucket.in_file += bucket.memory.len();
                // What was rows is cipher text now, and the space is used again.
                bucket.memory.clear();
                Ok(())
            })?;
        *in_memory = 0;
        Ok(())
    }

    /// Hands over the rows in order, those of a few buckets at a time. The next ones are put in order meanwhile, on the
    /// current rayon pool.
    pub(crate) fn drain<E: From<io::Error> + Send>(
        self,
        mut each: impl FnMut(&[&[u8]]) -> Result<(), E> + Send,
    ) -> Result<(), E> {
        let (key, purpose) = (self.key, self.purpose);
        let mut buckets = self.buckets.into_iter().enumerate();
        let mut load_next = || -> io::Result<Vec<Sorted>> {
            let (mut chunk, mut bytes) = (Vec::new(), 0);
            while bytes < CHUNK_BYTES
                && let Some((index, bucket)) = buckets.next()
            {
                bytes += bucket.in_file + bucket.memory.len();
                chunk.push((index, bucket));
            }
            let load = |(index, bucket)| Sorted::load(bucket, || cipher(&key, purpose, index));
            chunk.into_par_iter().map(load).collect()
        };
        let mut current = load_next()?;
        while !current.is_empty() {
            let (next, done) = rayon::join(&mut load_next, || {
                let rows: Vec<&[u8]> = current.iter().flat_map(Sorted::rows).collect();
                if rows.is_empty() { Ok(()) } else { each(&rows) }
            });
            done?;
            current = next?;
        }
        Ok(())
    }
}

/// The rows of a bucket in order.
struct Sorted {
    bytes: Vec<u8>,
    rows: Vec<Range<usize>>,
}

impl Drop for Sorted {
    fn drop(&mut self) {
        wipe(&mut self.bytes);
    }
}

impl Sorted {
    fn rows(&self) -> impl Iterator<Item = &[u8]> {
        self.rows.iter().map(|row| &self.bytes[row.clone()])
    }

    fn load(mut bucket: Bucket, cipher: impl FnOnce() -> ChaCha20) -> io::Result<Self> {
        let mut bytes = Vec::new();
        if let Some((mut file, _)) = bucket.file.take() {
            bytes.resize(bucket.in_file, 0);
            file.seek(SeekFrom::Start(0))?;
            file.read_exact(&mut bytes)?;
            cipher().apply_keystream(&mut bytes);
        }
        if bytes.is_empty() {
            bytes = std::mem::take(&mut bucket.memory);
        } else {
            bytes.append(&mut bucket.memory);
        }
        let mut rows: Vec<Range<usize>> = Vec::new();
        let mut start = 0;
        while let Some(len) = bytes[start..].first_chunk::<4>() {
            let len = usize::try_from(u32::from_le_bytes(*len)).expect("32 bits fit");
            rows.push(start + 4..start + 4 + len);
            start += 4 + len;
        }
        // The first bytes nearly always decide.
        rows.sort_unstable_by(|a, b| {
            let (a, b) = (&bytes[a.clone()], &bytes[b.clone()]);
            prefix(a).cmp(&prefix(b)).then_with(|| a.cmp(b))
        });
        Ok(Self { bytes, rows })
    }
}

fn prefix(row: &[u8]) -> u64 {
    u64::from_be_bytes(*row.first_chunk().expect("a row has eight bytes"))
}

fn cipher(key: &[u8; 32], purpose: u8, bucket: usize) -> ChaCha20 {
    let mut nonce = [0; 12];
    nonce[0] = purpose;
    nonce[1..9].copy_from_slice(&u64::try_from(bucket).expect("a few").to_le_bytes());
    ChaCha20::new(key.into(), &nonce.into())
}

impl Drop for Bucket {
    fn drop(&mut self) {
        wipe(&mut self.memory);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use corridor_core::SeededEntropy;

    fn rows_through(memory_bytes: usize, rows: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let folder = tempfile::tempdir().unwrap();
        let scratch =
            Scratch::new(folder.path(), &mut SeededEntropy::new(1, "spool")).with_memory(memory_bytes);
        let mut spool = scratch.spool(0, 1);
        for row in rows {
            spool.push(row).unwrap();
        }
        assert!(
            std::fs::read_dir(folder.path()).unwrap().next().is_none(),
            "files have no name"
        );
        let mut out = Vec::new();
        spool
            .drain(|rows| -> io::Result<()> {
                out.extend(rows.iter().map(|row| row.to_vec()));
                Ok(())
            })
            .unwrap();
        out
    }

    #[test]
    fn rows_come_back_in_order_from_memory_and_from_files() {
        let rows: Vec<Vec<u8>> = (0_u32..5000)
            .map(|i| {
                let mixed = i.wrapping_mul(2_654_435_761).to_be_bytes();
                [&mixed[..], &[7; 4], &vec![7; usize::try_from(i % 50).unwrap()]].concat()
            })
            .collect();
        let mut sorted = rows.clone();
        sorted.sort();
        for memory_bytes in [0, 10_000, 1 << 30] {
            assert!(
                rows_through(memory_bytes, &rows) == sorted,
                "{memory_bytes} bytes"
            );
        }
    }
}
