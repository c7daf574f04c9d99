//! Files that appear whole or not at all.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use crate::at_rest::{DecryptError, DecryptedReader, EncryptedWriter, Encryption};
use crate::in_the_making::{InTheMaking, settle};

/// A dataset or pseudonym list that cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// There is a file already.
    #[error("{file} exists already")]
    Exists {
        /// The file.
        file: String,
    },
    /// The file system.
    #[error("cannot write {file}")]
    Io {
        /// The file.
        file: String,
        /// Why.
        source: io::Error,
    },
}

/// A file in the making: a temporary one beside it, which is gone whatever happens unless it gets its name.
pub(crate) struct NewFile {
    path: PathBuf,
    file: NamedTempFile,
    in_the_making: InTheMaking,
    encryption: Option<Encryption>,
}

impl NewFile {
    /// # Errors
    /// When there is a file of that name, or the folder cannot be written to.
    pub(crate) fn create(path: &Path, encryption: Option<Encryption>) -> Result<Self, WriteError> {
        if path.exists() {
            return Err(WriteError::Exists {
                file: path.display().to_string(),
            });
        }
        let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let file = NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))
            .map_err(|source| write_error(path, source))?;
        Ok(Self {
            path: path.to_owned(),
            in_the_making: InTheMaking::new(file.path()),
            file,
            encryption,
        })
    }

    /// What its bytes go into, and its path for errors. To be called once.
    pub(crate) fn sink(&mut self) -> Result<(&Path, Sink<'_>), WriteError> {
        let file = BufWriter::new(&mut self.file);
        let sink = match self.encryption.take() {
            None => Sink::Plain(file),
            Some(encryption) => {
                let writer = EncryptedWriter::new(encryption, file);
                Sink::Encrypted(writer.map_err(|source| write_error(&self.path, source))?)
            }
        };
        Ok((&self.path, sink))
    }

    /// Waits until its bytes are on the disk.
    pub(crate) fn sync(&self) -> Result<(), WriteError> {
        self.file
            .as_file()
            .sync_all()
            .map_err(|source| write_error(&self.path, source))
    }

    /// Gives the file its name, once its bytes are on the disk.
    pub(crate) fn persist(self) -> Result<(), WriteError> {
        self.sync()?;
        let (renamed, _in_the_making) = settle(|| self.rename());
        renamed
    }

    /// Gives two files their names, or neither.
    pub(crate) fn persist_both(self, other: Self) -> Result<(), WriteError> {
        let (synced, other_synced) = rayon::join(|| self.sync(), || other.sync());
        synced?;
        other_synced?;
        let path = self.path.clone();
        let mut other = Some(other);
        let (renamed, _in_the_making) = settle(|| {
            let (renamed, in_the_making) = self.rename();
            match other.take_if(|_| renamed.is_ok()) {
                None => (renamed, [Some(in_the_making), None]),
                Some(other) => {
                    let (other_renamed, other_in_the_making) = other.rename();
                    if other_renamed.is_err() {
                        // Half of the result is no result.
                        drop(std::fs::remove_file(path));
                    }
                    (other_renamed, [Some(in_the_making), Some(other_in_the_making)])
                }
            }
        });
        renamed
    }

    /// Renames the file; what is given beside may be dropped when nothing is being settled any more.
    fn rename(self) -> (Result<(), WriteError>, InTheMaking) {
        let Self {
            path,
            file,
            in_the_making,
            ..
        } = self;
        let renamed = file.persist_noclobber(&path).map(drop);
        (
            renamed.map_err(|error| write_error(&path, error.error)),
            in_the_making,
        )
    }
}

/// Has the disk begin with what was written of a file while more is being made, so that not all of it is waited for at the end.
pub(crate) struct EarlySync {
    nudge: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    unsynced_bytes: usize,
}

/// Bytes the disk is given at a time.
const EARLY_SYNC_BYTES: usize = 16 << 20;

impl EarlySync {
    pub(crate) fn of(file: &NewFile) -> Result<Self, WriteError> {
        let own = file
            .file
            .reopen()
            .map_err(|source| write_error(&file.path, source))?;
        let (nudge, nudges) = sync_channel(1);
        let sync = move || {
            for () in nudges {
                // What fails here fails again where the file gets its name, and is said there.
                drop(own.sync_data());
            }
        };
        Ok(Self {
            nudge: Some(nudge),
            thread: Some(std::thread::spawn(sync)),
            unsynced_bytes: 0,
        })
    }

    /// So many bytes more were written.
    pub(crate) fn wrote(&mut self, bytes: usize) {
        self.unsynced_bytes += bytes;
        if self.unsynced_bytes >= EARLY_SYNC_BYTES
            && let Some(nudge) = &self.nudge
            && nudge.try_send(()).is_ok()
        {
            self.unsynced_bytes = 0;
        }
    }
}

impl Drop for EarlySync {
    fn drop(&mut self) {
        self.nudge = None;
        if let Some(thread) = self.thread.take() {
            // It has nothing to say.
            drop(thread.join());
        }
    }
}

/// Takes the bytes of a file.
pub(crate) enum Sink<'f> {
    Plain(BufWriter<&'f mut NamedTempFile>),
    Encrypted(EncryptedWriter<BufWriter<&'f mut NamedTempFile>>),
}

impl Sink<'_> {
    /// Hands everything to the file system.
    pub(crate) fn finish(self) -> io::Result<()> {
        match self {
            Self::Plain(mut file) => file.flush(),
            Self::Encrypted(writer) => writer.finish()?.flush(),
        }
    }
}

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.write(bytes),
            Self::Encrypted(writer) => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.flush(),
            Self::Encrypted(writer) => writer.flush(),
        }
    }
}

/// Writes the content of a file that was written with an [`Encryption`] to a new file. Gives the bytes of the content.
///
/// # Errors
/// When the file does not open with `passphrase`, was altered or cut off, or the new one exists or cannot be written whole;
/// then nothing is left behind.
pub fn decrypt_file(from: &Path, to: &Path, passphrase: &[u8]) -> Result<u64, DecryptFileError> {
    let decrypt_error = |source| DecryptFileError::Decrypt {
        file: from.display().to_string(),
        source,
    };
    let file = File::open(from).map_err(|error| decrypt_error(error.into()))?;
    let mut reader = DecryptedReader::new(BufReader::new(file), passphrase).map_err(decrypt_error)?;
    let mut new = NewFile::create(to, None)?;
    let (path, mut sink) = new.sink()?;
    let mut buffer = Zeroizing::new(vec![0; 1 << 16]);
    let mut bytes = 0;
    loop {
        let len = reader
            .read(&mut buffer)
            .map_err(|error| decrypt_error(error.into()))?;
        if len == 0 {
            break;
        }
        bytes += u64::try_from(len).expect("a length fits");
        sink.write_all(&buffer[..len])
            .map_err(|error| write_error(path, error))?;
    }
    sink.finish().map_err(|error| write_error(path, error))?;
    new.persist()?;
    Ok(bytes)
}

/// A file that cannot be decrypted into another.
#[derive(Debug, thiserror::Error)]
pub enum DecryptFileError {
    /// The encrypted one.
    #[error("cannot decrypt {file}")]
    Decrypt {
        /// The file.
        file: String,
        /// Why.
        source: DecryptError,
    },
    /// The new one.
    #[error(transparent)]
    Write(#[from] WriteError),
}

pub(crate) fn write_error(path: &Path, source: io::Error) -> WriteError {
    WriteError::Io {
        file: path.display().to_string(),
        source,
    }
}
