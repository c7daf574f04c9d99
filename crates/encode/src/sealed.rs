//! Files that hold a secret, sealed with a passphrase.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};
use corridor_core::Entropy;
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// What a sealed file holds. It is authenticated, so that one kind cannot be passed off as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SealedKind {
    /// An office's private keys.
    Identity,
    /// A key exchange that waits for the other office's reply.
    PendingExchange,
    /// What two offices share.
    Project,
}

impl SealedKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::PendingExchange => "pending exchange",
            Self::Project => "project",
        }
    }
}

/// A key file that cannot be read or written. Messages never say anything of the secret.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// There is a file already.
    #[error("{file} exists already; a key file is never overwritten")]
    Exists {
        /// The file.
        file: String,
    },
    /// The file is not a key file of this program.
    #[error("{file} is no key file this program can read: {problem}")]
    Format {
        /// The file.
        file: String,
        /// What is wrong.
        problem: String,
    },
    /// Another kind of key file.
    #[error("{file} is a key file of kind {found}, expected {expected}")]
    Kind {
        /// The file.
        file: String,
        /// Kind found.
        found: &'static str,
        /// Kind expected.
        expected: &'static str,
    },
    /// Others may read the file.
    #[error("{file} can be read by others (mode {mode:o}); it must be readable by its owner only")]
    Mode {
        /// The file.
        file: String,
        /// Its permission bits.
        mode: u32,
    },
    /// The passphrase does not open the file, or the file was altered.
    #[error("{file} does not open: the passphrase is wrong or the file was altered")]
    Passphrase {
        /// The file.
        file: String,
    },
    /// The file system.
    #[error("cannot access key file {file}")]
    Io {
        /// The file.
        file: String,
        /// Why.
        source: io::Error,
    },
}

/// Memory (KiB), passes and lanes of Argon2id: the second recommendation of RFC 9106 §4.
pub(crate) const MEMORY_KIB: u32 = 64 * 1024;
pub(crate) const PASSES: u32 = 3;
pub(crate) const LANES: u32 = 4;
/// More memory than this is refused when a file asks for it, so that a forged file cannot exhaust it.
const MAX_MEMORY_KIB: u32 = 1024 * 1024;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SealedFile {
    format: String,
    kind: SealedKind,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: String,
    ciphertext: String,
}

const FORMAT: &str = "corridor-sealed/1";

/// Writes `secret` to a new file, sealed with `passphrase` (Argon2id, RFC 9106; ChaCha20-Poly1305, RFC 8439),
/// readable by its owner only.
///
/// # Errors
/// When the file exists or cannot be written; then nothing is left behind.
pub(crate) fn write(
    path: &Path,
    kind: SealedKind,
    secret: &[u8],
    passphrase: &[u8],
    entropy: &mut dyn Entropy,
) -> Result<(), KeyFileError> {
    let mut salt = [0; 16];
    entropy.fill_bytes(&mut salt);
    let key = stretch(passphrase, &salt, MEMORY_KIB, PASSES, LANES).expect("the parameters are valid");
    // The key is of this salt only, so that a constant nonce is used once.
    let ciphertext = ChaCha20Poly1305::new((&*key).into())
        .encrypt(
            &[0; 12].into(),
            Payload {
                msg: secret,
                aad: associated_data(kind).as_bytes(),
            },
        )
        .expect("a short message can be encrypted");
    let file = SealedFile {
        format: FORMAT.to_owned(),
        kind,
        memory_kib: MEMORY_KIB,
        passes: PASSES,
        lanes: LANES,
        salt: BASE64.encode(&salt),
        ciphertext: BASE64.encode(&ciphertext),
    };
    let text = serde_json::to_string_pretty(&file).expect("every field has a JSON form");
    write_new_private(path, format!("{text}\n").as_bytes())
}

/// Opens a file written by [`write()`].
pub(crate) fn read(
    path: &Path,
    kind: SealedKind,
    passphrase: &[u8],
) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let name = path.display().to_string();
    let io_error = |source| KeyFileError::Io {
        file: name.clone(),
        source,
    };
    refuse_if_readable_by_others(path, &name)?;
    let text = std::fs::read_to_string(path).map_err(io_error)?;
    let format_error = |problem: &str| KeyFileError::Format {
        file: name.clone(),
        problem: problem.to_owned(),
    };
    let file: SealedFile =
        serde_json::from_str(&text).map_err(|_| format_error("it is not in the key file format"))?;
    if file.format != FORMAT {
        return Err(format_error("unknown format version"));
    }
    if file.kind != kind {
        return Err(KeyFileError::Kind {
            file: name,
            found: file.kind.as_str(),
            expected: kind.as_str(),
        });
    }
    if file.memory_kib > MAX_MEMORY_KIB || file.passes > 100 {
        return Err(format_error("it asks for more work than any key file needs"));
    }
    let decode = |text: &str| {
        BASE64
            .decode(text.as_bytes())
            .map_err(|_| format_error("it is not in the key file format"))
    };
    let key = stretch(
        passphrase,
        &decode(&file.salt)?,
        file.memory_kib,
        file.passes,
        file.lanes,
    )
    .ok_or_else(|| format_error("its parameters are not valid"))?;
    let ciphertext = decode(&file.ciphertext)?;
    ChaCha20Poly1305::new((&*key).into())
        .decrypt(
            &[0; 12].into(),
            Payload {
                msg: &ciphertext,
                aad: associated_data(kind).as_bytes(),
            },
        )
        .map(Zeroizing::new)
        .map_err(|_| KeyFileError::Passphrase { file: name })
}

fn associated_data(kind: SealedKind) -> String {
    format!("{FORMAT}|{}", kind.as_str())
}

/// The key a passphrase gives; `None` when the parameters are not valid.
pub(crate) fn stretch(
    passphrase: &[u8],
    salt: &[u8],
    memory_kib: u32,
    passes: u32,
    lanes: u32,
) -> Option<Zeroizing<[u8; 32]>> {
    let params = Params::new(memory_kib, passes, lanes, Some(32)).ok()?;
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase, salt, key.as_mut_slice())
        .ok()?;
    Some(key)
}

/// Writes a file that must not exist, readable by its owner only where the system has such modes; removes
/// it again when it cannot be written whole.
pub(crate) fn write_new_private(path: &Path, bytes: &[u8]) -> Result<(), KeyFileError> {
    let name = path.display().to_string();
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file: File = options.open(path).map_err(|source| {
        if source.kind() == io::ErrorKind::AlreadyExists {
            KeyFileError::Exists { file: name.clone() }
        } else {
            KeyFileError::Io {
                file: name.clone(),
                source,
            }
        }
    })?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(|source| {
            drop(std::fs::remove_file(path));
            KeyFileError::Io { file: name, source }
        })
}

#[cfg(unix)]
fn refuse_if_readable_by_others(path: &Path, name: &str) -> Result<(), KeyFileError> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = std::fs::metadata(path).map_err(|source| KeyFileError::Io {
        file: name.to_owned(),
        source,
    })?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::Mode {
            file: name.to_owned(),
            mode,
        });
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_if_readable_by_others(_path: &Path, _name: &str) -> Result<(), KeyFileError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use corridor_core::SeededEntropy;

    fn sealed(dir: &Path) -> std::path::PathBuf {
        let path = dir.join("key");
        let mut entropy = SeededEntropy::new(1, "test");
        write(&path, SealedKind::Project, b"secret", b"pass", &mut entropy).unwrap();
        path
    }

    #[test]
    fn opens_with_the_passphrase_only_and_as_its_kind_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = sealed(dir.path());
        let open = |kind, passphrase: &[u8]| read(&path, kind, passphrase);
        assert_eq!(open(SealedKind::Project, b"pass").unwrap().as_slice(), b"secret");
        assert!(matches!(
            open(SealedKind::Project, b"other"),
            Err(KeyFileError::Passphrase { .. })
        ));
        assert!(matches!(
            open(SealedKind::Identity, b"pass"),
            Err(KeyFileError::Kind { .. })
        ));
        let text = std::fs::read_to_string(&path)
            .unwrap()
            .replace("project", "identity");
        std::fs::write(&path, text).unwrap();
        assert!(matches!(
            open(SealedKind::Identity, b"pass"),
            Err(KeyFileError::Passphrase { .. })
        ));
    }

    #[test]
    fn is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = sealed(dir.path());
        let mut entropy = SeededEntropy::new(2, "test");
        let again = write(&path, SealedKind::Project, b"other", b"pass", &mut entropy);
        assert!(matches!(again, Err(KeyFileError::Exists { .. })));
        assert_eq!(
            read(&path, SealedKind::Project, b"pass").unwrap().as_slice(),
            b"secret"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_file_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = sealed(dir.path());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(
            read(&path, SealedKind::Project, b"pass"),
            Err(KeyFileError::Mode { mode: 0o640, .. })
        ));
    }
}
