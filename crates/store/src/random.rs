//! Sealed bytes read in any order, chunk by chunk, as the Parquet reader wants them.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

use crate::StoreError;

/// Chunks that open to a file.
pub(crate) trait Chunks: Send + Sync + 'static {
    /// Bytes of the file.
    fn byte_count(&self) -> u64;
    /// Number of the chunk that holds the byte at `offset`, which is in the file.
    fn chunk_at(&self, offset: u64) -> usize;
    /// Where a chunk begins in the file.
    fn start_of(&self, chunk: usize) -> u64;
    /// Opens a chunk.
    fn open(&self, chunk: usize) -> Result<Bytes, StoreError>;
}

/// Bytes of the longest range that is read at once. No page of a dataset of ours is a tenth as long, and a file whose pages are
/// longer would not fit in the memory a service has for it.
const MAX_RANGE_BYTES: usize = 64 << 20;

/// Bytes of chunks kept open: enough that each column of a row group finds its own again in an upload of frames of 1 MB. Where they are
/// longer, some are opened more than once, which is cheaper than a service that runs out of memory.
const KEPT_BYTES: usize = 20 << 20;

/// Chunks kept open, however short.
const KEPT_CHUNKS: usize = 40;

/// Bytes of the longest header of a page that is read: ours have some hundred. The Parquet reader skips what it does not know of a header,
/// and counts on a reader that ends: it would go on skipping, billions of times, where there is nothing more.
const MAX_HEADER_BYTES: usize = 64 << 10;

/// A file of sealed chunks as a reader. A clone reads the same file.
#[derive(Clone)]
pub struct SealedFile(Arc<Inner>);

struct Inner {
    chunks: Box<dyn Chunks>,
    /// Last used at the back.
    kept: Mutex<VecDeque<(usize, Bytes)>>,
    /// The first failure that was not of the reader's making.
    failure: Mutex<Option<StoreError>>,
}

impl std::fmt::Debug for SealedFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealedFile({} bytes)", self.0.chunks.byte_count())
    }
}

impl SealedFile {
    pub(crate) fn new(chunks: impl Chunks) -> Self {
        Self(Arc::new(Inner {
            chunks: Box::new(chunks),
            kept: Mutex::default(),
            failure: Mutex::default(),
        }))
    }

    /// Bytes of the file.
    pub fn byte_count(&self) -> u64 {
        self.0.chunks.byte_count()
    }

    /// Why reading failed, where the reason was not in what was read: the disk, or sealed bytes that were altered. Whoever reads
    /// through the Parquet reader learns there only that it failed.
    pub fn take_failure(&self) -> Option<StoreError> {
        let mut failure = self.0.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.take()
    }

    fn open(&self, chunk: usize) -> io::Result<Bytes> {
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = kept.iter().position(|(of, _)| *of == chunk) {
            let found = kept.remove(at).expect("it was found there");
            let bytes = found.1.clone();
            kept.push_back(found);
            return Ok(bytes);
        }
        let bytes = self.0.chunks.open(chunk).map_err(|error| {
            let mut failure = self.0.failure.lock().unwrap_or_else(PoisonError::into_inner);
            failure.get_or_insert(error);
            io::Error::other("the stored bytes cannot be read")
        })?;
        kept.push_back((chunk, bytes.clone()));
        let mut total: usize = kept.iter().map(|(_, bytes)| bytes.len()).sum();
        while kept.len() > KEPT_CHUNKS || (total > KEPT_BYTES && kept.len() > 1) {
            total -= kept.pop_front().map_or(0, |(_, bytes)| bytes.len());
        }
        Ok(bytes)
    }

    /// The bytes from `offset` to the end of the chunk they are in, at most `most`; none at the end of the file.
    fn piece(&self, offset: u64, most: usize) -> io::Result<Bytes> {
        if offset >= self.byte_count() {
            return Ok(Bytes::new());
        }
        let chunk = self.0.chunks.chunk_at(offset);
        let bytes = self.open(chunk)?;
        let skipped = usize::try_from(offset - self.0.chunks.start_of(chunk)).unwrap_or(usize::MAX);
        if skipped >= bytes.len() {
            return Err(io::Error::other("a chunk is shorter than it should be"));
        }
        Ok(bytes.slice(skipped..bytes.len().min(skipped.saturating_add(most))))
    }
}

/// A file that is in memory.
impl Chunks for Bytes {
    fn byte_count(&self) -> u64 {
        self.len() as u64
    }

    fn chunk_at(&self, _: u64) -> usize {
        0
    }

    fn start_of(&self, _: usize) -> u64 {
        0
    }

    fn open(&self, _: usize) -> Result<Bytes, StoreError> {
        Ok(self.clone())
    }
}

impl From<Bytes> for SealedFile {
    /// A file that is in memory, in plain.
    fn from(bytes: Bytes) -> Self {
        Self::new(bytes)
    }
}

impl Length for SealedFile {
    fn len(&self) -> u64 {
        self.byte_count()
    }
}

impl ChunkReader for SealedFile {
    type T = SealedFileReader;

    fn get_read(&self, start: u64) -> Result<SealedFileReader, ParquetError> {
        Ok(SealedFileReader {
            file: self.clone(),
            offset: start,
            left: MAX_HEADER_BYTES,
        })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        if length > MAX_RANGE_BYTES {
            return Err(ParquetError::General(format!(
                "a part of {length} bytes is longer than the {MAX_RANGE_BYTES} taken at once"
            )));
        }
        let first = self.piece(start, length)?;
        if first.len() == length {
            return Ok(first);
        }
        let mut bytes = Vec::with_capacity(length);
        bytes.extend_from_slice(&first);
        while bytes.len() < length {
            let piece = self.piece(start + bytes.len() as u64, length - bytes.len())?;
            if piece.is_empty() {
                return Err(ParquetError::EOF("the file ends before".to_owned()));
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes.into())
    }
}

/// Reads the header of a page, or the end of the file. What would go on past the file, or is longer than any header, is an error.
#[derive(Debug)]
pub struct SealedFileReader {
    file: SealedFile,
    offset: u64,
    left: usize,
}

impl Read for SealedFileReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.left == 0 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the header of a page is longer than any",
            ));
        }
        let piece = self.file.piece(self.offset, buffer.len().min(self.left))?;
        if piece.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buffer[..piece.len()].copy_from_slice(&piece);
        self.offset += piece.len() as u64;
        self.left -= piece.len();
        Ok(piece.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_reads_on_past_the_end_or_past_any_header_is_told() {
        let file = SealedFile::from(Bytes::from(vec![7; 3 * MAX_HEADER_BYTES]));
        let mut reader = file.get_read(0).unwrap();
        let mut bytes = vec![0; MAX_HEADER_BYTES];
        reader.read_exact(&mut bytes).unwrap();
        assert_eq!(
            reader.read(&mut bytes).unwrap_err().kind(),
            io::ErrorKind::InvalidData
        );
        let mut at_the_end = file.get_read(file.byte_count() - 2).unwrap();
        assert_eq!(at_the_end.read(&mut bytes).unwrap(), 2);
        for _ in 0..2 {
            assert_eq!(
                at_the_end.read(&mut bytes).unwrap_err().kind(),
                io::ErrorKind::UnexpectedEof
            );
        }
        // As the Parquet reader skips what it does not know.
        assert!(io::copy(&mut at_the_end.take(8), &mut io::sink()).is_err());
    }

    #[test]
    fn only_so_many_chunks_are_kept_open_and_only_so_many_bytes() {
        struct Frames {
            frames: usize,
            len: usize,
        }
        impl Chunks for Frames {
            fn byte_count(&self) -> u64 {
                (self.frames * self.len) as u64
            }
            fn chunk_at(&self, offset: u64) -> usize {
                usize::try_from(offset).unwrap() / self.len
            }
            fn start_of(&self, chunk: usize) -> u64 {
                (chunk * self.len) as u64
            }
            fn open(&self, _: usize) -> Result<Bytes, StoreError> {
                Ok(Bytes::from(vec![0; self.len]))
            }
        }
        for (len, most) in [(20, KEPT_CHUNKS), (4 << 20, 5)] {
            let file = SealedFile::new(Frames { frames: 100, len });
            for frame in 0..100 {
                file.open(frame).unwrap();
            }
            assert_eq!(file.0.kept.lock().unwrap().len(), most);
        }
    }
}
