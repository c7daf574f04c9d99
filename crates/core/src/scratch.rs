use std::fmt;
use std::io;

/// Where there is room on disk for what does not fit in memory.
pub trait ScratchRoom: fmt::Debug + Send + Sync {
    /// New room, empty.
    ///
    /// # Errors
    /// When the system gives none.
    fn open(&self) -> io::Result<Box<dyn Scratch>>;
}

/// Blocks of bytes that are put aside and read again by whoever put them there, and by nobody else: they are gone with it, whatever
/// becomes of the program.
pub trait Scratch: fmt::Debug + Send + Sync {
    /// Puts a block behind all others.
    ///
    /// # Errors
    /// When it cannot be written, as on a full disk.
    fn append(&mut self, block: &[u8]) -> io::Result<()>;

    /// Reads block `index`, by the order in which they were put aside, in place of what `block` held.
    ///
    /// # Errors
    /// When it cannot be read, is not there, or is not what was written.
    fn read(&self, index: usize, block: &mut Vec<u8>) -> io::Result<()>;
}
