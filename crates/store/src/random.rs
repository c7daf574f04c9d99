//! Sealed bytes read in any order, chunk by chunk, as the Parquet reader wants them.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::buf::Reader;
use bytes::{Buf as _, Bytes};
use corridor_core::thrift_struct_len;
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

/// Bytes of the longest header of a page that is read: ours have some hundred.
const MAX_HEADER_BYTES: u64 = 64 << 10;

/// Bytes at the end of a file that say where its metadata begins.
const FOOTER_BYTES: u64 = 8;

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
    type T = Reader<Bytes>;

    /// The header of a page, which the reader may be trusted with ([`thrift_struct_len`]), or the end of the file.
    fn get_read(&self, start: u64) -> Result<Reader<Bytes>, ParquetError> {
        let left = self.byte_count().saturating_sub(start);
        let bytes = self.get_bytes(start, usize::try_from(left.min(MAX_HEADER_BYTES))?)?;
        if left <= FOOTER_BYTES {
            return Ok(bytes.reader());
        }
        match thrift_struct_len(&bytes) {
            Some(len) => Ok(bytes.slice(..len).reader()),
            None => Err(ParquetError::General(
                "the header of a page is none, or longer than any".to_owned(),
            )),
        }
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

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn a_header_is_read_to_its_end_and_one_that_has_none_is_refused() {
        // A byte, and the end; then a list of 2^28 doubles, of which there are none.
        let mut file = vec![0x13, 7, 0, 0x19, 0xf7, 0x80, 0x80, 0x80, 0x80, 1];
        file.extend([0; 3]);
        let file = SealedFile::from(Bytes::from(file));
        let mut header = Vec::new();
        file.get_read(0).unwrap().read_to_end(&mut header).unwrap();
        assert_eq!(header, [0x13, 7, 0]);
        assert!(file.get_read(3).is_err());
        let mut footer = Vec::new();
        file.get_read(file.byte_count() - FOOTER_BYTES)
            .unwrap()
            .read_to_end(&mut footer)
            .unwrap();
        assert_eq!(footer.len(), 8);
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
