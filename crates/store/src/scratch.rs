//! Room on disk for what does not fit in memory: files without a name, encrypted under keys that nobody keeps. Both are gone with the
//! program, however it ends.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use corridor_core::{Entropy, OsEntropy, Scratch, ScratchRoom};

use crate::chunks::{ChunkCipher, DataKey, Place};

/// A folder with room for what is put aside.
#[derive(Debug, Clone)]
pub struct ScratchFolder(PathBuf);

impl ScratchFolder {
    /// Files without a name in `folder`, which must be there.
    pub fn new(folder: &Path) -> Self {
        Self(folder.to_owned())
    }
}

impl ScratchRoom for ScratchFolder {
    fn open(&self) -> io::Result<Box<dyn Scratch>> {
        let file = tempfile::tempfile_in(&self.0)?;
        // Neither the key nor a nonce changes what is read again.
        Ok(Box::new(ScratchFile::new(file, Box::new(OsEntropy::default()))))
    }
}

/// A file of sealed blocks.
struct ScratchFile {
    /// Reading moves its position.
    file: Mutex<File>,
    cipher: ChunkCipher,
    entropy: Mutex<Box<dyn Entropy>>,
    /// Where each block ends.
    ends: Vec<u64>,
    sealed: Vec<u8>,
}

impl std::fmt::Debug for ScratchFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ScratchFile({} blocks)", self.ends.len())
    }
}

impl ScratchFile {
    fn new(file: File, mut entropy: Box<dyn Entropy>) -> Self {
        let cipher = DataKey::draw(&mut *entropy).cipher(&[b"scratch"]);
        Self {
            file: Mutex::new(file),
            cipher,
            entropy: Mutex::new(entropy),
            ends: Vec::new(),
            sealed: Vec::new(),
        }
    }

    fn start_of(&self, index: usize) -> u64 {
        index.checked_sub(1).map_or(0, |before| self.ends[before])
    }
}

const fn place(index: u64) -> Place {
    Place { index, whole: 0 }
}

fn to_number(index: usize) -> u64 {
    u64::try_from(index).expect("a length fits in 64 bits")
}

impl Scratch for ScratchFile {
    fn append(&mut self, block: &[u8]) -> io::Result<()> {
        let index = self.ends.len();
        let entropy = self.entropy.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.sealed.clear();
        self.cipher
            .seal(place(to_number(index)), block, &mut **entropy, &mut self.sealed);
        let start = self.start_of(index);
        let file = self.file.get_mut().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(start))?;
        file.write_all(&self.sealed)?;
        self.ends.push(start + to_number(self.sealed.len()));
        Ok(())
    }

    fn read(&self, index: usize, block: &mut Vec<u8>) -> io::Result<()> {
        let end = *self.ends.get(index).ok_or(io::ErrorKind::NotFound)?;
        let start = self.start_of(index);
        let len = usize::try_from(end - start).expect("a block that was in memory");
        block.clear();
        block.resize(len, 0);
        {
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(start))?;
            file.read_exact(block)?;
        }
        let plain = self
            .cipher
            .open(place(to_number(index)), block)
            .map_err(|_| io::ErrorKind::InvalidData)?
            .len();
        let overhead = len - plain;
        // The nonce stands before, the tag behind.
        block.drain(..crate::chunks::NONCE_BYTES);
        block.truncate(len - overhead);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use corridor_core::SeededEntropy;

    use super::*;

    fn scratch(file: File) -> ScratchFile {
        ScratchFile::new(file, Box::new(SeededEntropy::new(1, "scratch")))
    }

    #[test]
    fn blocks_are_read_again_in_any_order_and_nothing_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let mut scratch = ScratchFolder::new(folder.path()).open().unwrap();
        let blocks: Vec<Vec<u8>> = (1_u8..9).map(|n| vec![n; usize::from(n) * 1000]).collect();
        for block in &blocks {
            scratch.append(block).unwrap();
        }
        let mut read = vec![7; 3];
        for index in [3, 0, 7, 7, 2] {
            scratch.read(index, &mut read).unwrap();
            assert!(read == blocks[index], "block {index}");
        }
        // What was read does not change where is written.
        scratch.append(&[9]).unwrap();
        scratch.read(8, &mut read).unwrap();
        assert_eq!(read, [9]);
        assert_eq!(
            scratch.read(9, &mut read).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "no name");
    }

    #[test]
    fn what_lies_on_the_disk_is_sealed_and_opens_in_its_place_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scratch");
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .unwrap();
        let mut scratch = scratch(file);
        let plain = [0x5a; 4096];
        scratch.append(&plain).unwrap();
        scratch.append(&plain).unwrap();
        let mut stored = std::fs::read(&path).unwrap();
        assert!(!stored.windows(8).any(|bytes| bytes == [0x5a; 8]));
        let half = stored.len() / 2;
        stored.rotate_left(half);
        std::fs::write(&path, &stored).unwrap();
        let mut read = Vec::new();
        for index in [0, 1] {
            let error = scratch.read(index, &mut read).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        }
        stored.truncate(half + 10);
        std::fs::write(&path, &stored).unwrap();
        let error = scratch.read(1, &mut read).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    /// A device that is always full.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_an_error_and_what_was_put_aside_before_is_still_there() {
        let full = File::options().write(true).read(true).open("/dev/full").unwrap();
        let error = scratch(full).append(&[1; 100]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        let nowhere = ScratchFolder::new(Path::new("/nowhere"));
        assert_eq!(nowhere.open().unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
