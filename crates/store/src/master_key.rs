//! The key that data keys are wrapped with: kept in a file, given by the environment, or held by another service.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use corridor_core::{Digest, Entropy};
use data_encoding::{BASE64, HEXLOWER, HEXLOWER_PERMISSIVE};
use tokio::io::AsyncWriteExt as _;
use zeroize::Zeroizing;

use crate::chunks::DataKey;

/// A master key or another key of the service that cannot be had or does not do its work. Messages say nothing of a key.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// The command that wraps and unwraps.
    #[error("the key command {command} failed to {what}: {problem}")]
    Command {
        /// Its name.
        command: String,
        /// `wrap` or `unwrap`.
        what: &'static str,
        /// What went wrong.
        problem: String,
    },
    /// A file or variable that holds no key.
    #[error("{place} holds no key: 64 hexadecimal digits are expected")]
    Format {
        /// Which file or variable.
        place: String,
    },
    /// The file system.
    #[error("cannot access key file {file}")]
    Io {
        /// The file.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// Others may read the file.
    #[error("key file {file} can be read by others (mode {mode:o}); chmod 600 it")]
    Mode {
        /// The file.
        file: String,
        /// Its permission bits.
        mode: u32,
    },
    /// Data keys of another master key.
    #[error(
        "a data key is wrapped under master key {wrapped_by}, not under {configured} of the settings; run corridor-server rotate-key"
    )]
    Other {
        /// Id of the one it is wrapped under.
        wrapped_by: String,
        /// Id of the one at hand.
        configured: String,
    },
    /// A wrapped key that was altered or is of something else.
    #[error("a wrapped data key does not open: it was altered, or is of another dataset")]
    Wrapped,
}

/// Wraps data keys. Zeroed when dropped.
pub struct MasterKey(Kind);

enum Kind {
    Local { id: String, key: Zeroizing<[u8; 32]> },
    Command(Vec<String>),
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MasterKey({})", self.id())
    }
}

/// What a wrapped key is of. It cannot be passed off as another's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WrapContext(Digest);

impl WrapContext {
    pub(crate) fn new(key_id: &[u8], owner: Digest, purpose: &str) -> Self {
        Self(Digest::of_parts(&[
            b"corridor/v1|data-key",
            key_id,
            owner.as_bytes(),
            purpose.as_bytes(),
        ]))
    }
}

/// Reads 64 hexadecimal digits.
fn parse_key(text: &str, place: &str) -> Result<Zeroizing<[u8; 32]>, MasterKeyError> {
    let fail = || MasterKeyError::Format {
        place: place.to_owned(),
    };
    let bytes = HEXLOWER_PERMISSIVE
        .decode(text.trim().as_bytes())
        .map(Zeroizing::new)
        .map_err(|_| fail())?;
    <[u8; 32]>::try_from(bytes.as_slice())
        .map(Zeroizing::new)
        .map_err(|_| fail())
}

/// The key in a file that only its owner can read.
pub(crate) fn read_key_file(path: &Path) -> Result<Zeroizing<[u8; 32]>, MasterKeyError> {
    let file = path.display().to_string();
    let fail = |source| MasterKeyError::Io {
        file: file.clone(),
        source,
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(path).map_err(fail)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(MasterKeyError::Mode { file, mode });
        }
    }
    let text = Zeroizing::new(std::fs::read_to_string(path).map_err(fail)?);
    parse_key(&text, &file)
}

/// Writes a new key to a new file that only its owner can read, and waits until it is on the disk.
pub(crate) fn write_key_file(path: &Path, entropy: &mut dyn Entropy) -> Result<(), MasterKeyError> {
    let fail = |source| MasterKeyError::Io {
        file: path.display().to_string(),
        source,
    };
    let key = DataKey::draw(entropy);
    let text = Zeroizing::new(HEXLOWER.encode(key.as_bytes()) + "\n");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(fail)?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(fail)?;
    // What it protects must not outlive its name.
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    std::fs::File::open(folder.unwrap_or(Path::new(".")))
        .and_then(|folder| folder.sync_all())
        .map_err(fail)
}

/// How long a command may take.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes of the longest wrapped key.
const MAX_WRAPPED_BYTES: usize = 4096;

impl MasterKey {
    /// Takes a key of 64 hexadecimal digits; `place` says in errors where it is from.
    ///
    /// # Errors
    /// When it is none.
    pub fn from_hex(text: &str, place: &str) -> Result<Self, MasterKeyError> {
        Ok(Self::local(parse_key(text, place)?))
    }

    /// Reads the key of a file that only its owner can read.
    ///
    /// # Errors
    /// When the file cannot be read, can be read by others, or holds no key.
    pub fn from_file(path: &Path) -> Result<Self, MasterKeyError> {
        Ok(Self::local(read_key_file(path)?))
    }

    fn local(key: Zeroizing<[u8; 32]>) -> Self {
        let digest = Digest::of_parts(&[b"corridor/v1|master-key-id", &*key]);
        Self(Kind::Local {
            id: HEXLOWER.encode(&digest.as_bytes()[..8]),
            key,
        })
    }

    /// Writes a new key to a new file that only its owner can read.
    ///
    /// # Errors
    /// When there is a file already, or it cannot be written.
    pub fn write_new(path: &Path, entropy: &mut dyn Entropy) -> Result<(), MasterKeyError> {
        write_key_file(path, entropy)
    }

    /// The key of a file, which is made when it is not there. Says whether it was made.
    ///
    /// # Errors
    /// As [`MasterKey::from_file`] and [`MasterKey::write_new`].
    pub fn from_file_or_new(path: &Path, entropy: &mut dyn Entropy) -> Result<(Self, bool), MasterKeyError> {
        let is_new = !path.exists();
        if is_new {
            Self::write_new(path, entropy)?;
        }
        Ok((Self::from_file(path)?, is_new))
    }

    /// A key another service holds. The command is run with one more argument, `wrap` or `unwrap`; it reads one line of
    /// base64 and writes one line: to `wrap`, any text up to 4 KiB; to `unwrap`, what was wrapped.
    ///
    /// # Errors
    /// When there is no command.
    pub fn from_command(command: Vec<String>) -> Result<Self, MasterKeyError> {
        if command.first().is_none_or(String::is_empty) {
            return Err(MasterKeyError::Command {
                command: String::new(),
                what: "start",
                problem: "it has no name".to_owned(),
            });
        }
        Ok(Self(Kind::Command(command)))
    }

    /// What it is called beside the keys it wraps. Tells nothing of it.
    pub fn id(&self) -> &str {
        match &self.0 {
            Kind::Local { id, .. } => id,
            Kind::Command(_) => "command",
        }
    }

    /// A data key, so that only this master key opens it again.
    pub(crate) async fn wrap(
        &self,
        context: WrapContext,
        data_key: &DataKey,
        nonce: [u8; 24],
    ) -> Result<Vec<u8>, MasterKeyError> {
        match &self.0 {
            Kind::Local { key, .. } => {
                let payload = Payload {
                    msg: data_key.as_bytes(),
                    aad: context.0.as_bytes(),
                };
                let sealed = XChaCha20Poly1305::new((&**key).into())
                    .encrypt(&XNonce::from(nonce), payload)
                    .map_err(|_| MasterKeyError::Wrapped)?;
                Ok([nonce.as_slice(), &sealed].concat())
            }
            Kind::Command(command) => {
                let plain = Zeroizing::new([context.0.as_bytes().as_slice(), data_key.as_bytes()].concat());
                let line = Zeroizing::new(BASE64.encode(&plain));
                let wrapped = run(command, "wrap", line.as_bytes()).await?;
                Ok(wrapped.to_vec())
            }
        }
    }

    /// The data key again.
    pub(crate) async fn unwrap(
        &self,
        context: WrapContext,
        wrapped: &[u8],
    ) -> Result<DataKey, MasterKeyError> {
        match &self.0 {
            Kind::Local { key, .. } => {
                let (nonce, sealed) = wrapped.split_at_checked(24).ok_or(MasterKeyError::Wrapped)?;
                let nonce = XNonce::try_from(nonce).map_err(|_| MasterKeyError::Wrapped)?;
                let payload = Payload {
                    msg: sealed,
                    aad: context.0.as_bytes(),
                };
                let plain = XChaCha20Poly1305::new((&**key).into())
                    .decrypt(&nonce, payload)
                    .map(Zeroizing::new)
                    .map_err(|_| MasterKeyError::Wrapped)?;
                to_data_key(&plain)
            }
            Kind::Command(command) => {
                let line = run(command, "unwrap", wrapped).await?;
                let plain = BASE64
                    .decode(&line)
                    .map(Zeroizing::new)
                    .map_err(|_| MasterKeyError::Wrapped)?;
                let (found, key) = plain.split_at_checked(32).ok_or(MasterKeyError::Wrapped)?;
                if found != context.0.as_bytes() {
                    return Err(MasterKeyError::Wrapped);
                }
                to_data_key(key)
            }
        }
    }
}

fn to_data_key(bytes: &[u8]) -> Result<DataKey, MasterKeyError> {
    let key = <[u8; 32]>::try_from(bytes).map_err(|_| MasterKeyError::Wrapped)?;
    Ok(DataKey::from_bytes(Zeroizing::new(key)))
}

/// Runs a command: a line in, a line out.
async fn run(
    command: &[String],
    what: &'static str,
    line: &[u8],
) -> Result<Zeroizing<Vec<u8>>, MasterKeyError> {
    let name = PathBuf::from(&command[0]).display().to_string();
    let fail = |problem: String| MasterKeyError::Command {
        command: name.clone(),
        what,
        problem,
    };
    let mut child = tokio::process::Command::new(&command[0])
        .args(&command[1..])
        .arg(what)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| fail(error.to_string()))?;
    let mut stdin = child.stdin.take().expect("standard input is piped");
    let talking = async {
        // A command that needs no input may have ended already; its exit code says what came of it.
        drop(stdin.write_all(line).await);
        drop(stdin.write_all(b"\n").await);
        drop(stdin);
        child.wait_with_output().await
    };
    let output = tokio::time::timeout(COMMAND_TIMEOUT, talking)
        .await
        .map_err(|_| fail(format!("no answer within {} s", COMMAND_TIMEOUT.as_secs())))?
        .map_err(|error| fail(error.to_string()))?;
    let stdout = Zeroizing::new(output.stdout);
    if !output.status.success() {
        return Err(fail(output.status.to_string()));
    }
    let line = stdout.trim_ascii();
    if line.is_empty() || line.len() > MAX_WRAPPED_BYTES {
        return Err(fail(format!(
            "it wrote {} bytes; 1 to {MAX_WRAPPED_BYTES} are expected",
            line.len()
        )));
    }
    Ok(Zeroizing::new(line.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use corridor_core::SeededEntropy;

    fn local(seed: u64) -> MasterKey {
        let key = DataKey::draw(&mut SeededEntropy::new(seed, "master"));
        MasterKey::from_hex(&HEXLOWER.encode(key.as_bytes()), "a test").unwrap()
    }

    fn context(owner: u8) -> WrapContext {
        WrapContext::new(&[1; 16], Digest::from_bytes([owner; 32]), "dataset")
    }

    async fn check_binding(master: &MasterKey) {
        let data_key = DataKey::draw(&mut SeededEntropy::new(9, "data"));
        let wrapped = master.wrap(context(1), &data_key, [5; 24]).await.unwrap();
        let again = master.unwrap(context(1), &wrapped).await.unwrap();
        assert_eq!(again.as_bytes(), data_key.as_bytes());
        assert!(master.unwrap(context(2), &wrapped).await.is_err(), "another's");
    }

    #[tokio::test]
    async fn a_wrapped_key_opens_for_its_dataset_and_under_its_master_key_only() {
        let master = local(1);
        check_binding(&master).await;
        let data_key = DataKey::draw(&mut SeededEntropy::new(9, "data"));
        let wrapped = master.wrap(context(1), &data_key, [5; 24]).await.unwrap();
        assert!(local(2).unwrap(context(1), &wrapped).await.is_err());
        for at in 0..wrapped.len() {
            let mut altered = wrapped.clone();
            altered[at] ^= 1;
            assert!(master.unwrap(context(1), &altered).await.is_err(), "byte {at}");
        }
        assert!(!format!("{master:?}").contains("key:"), "Debug shows the id only");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_command_wraps_and_unwraps_and_its_failures_are_told() {
        let shell = |script: &str| {
            MasterKey::from_command(["sh", "-c", script, "kms"].map(str::to_owned).to_vec()).unwrap()
        };
        check_binding(&shell("tr 'A-Za-z' 'N-ZA-Mn-za-m'")).await;
        let key = DataKey::draw(&mut SeededEntropy::new(9, "data"));
        for (script, expected) in [
            ("exit 3", "exit status: 3"),
            ("cat >/dev/null", "0 bytes"),
            ("head -c 5000 /dev/zero | tr '\\0' a", "5000 bytes"),
        ] {
            let error = shell(script).wrap(context(1), &key, [0; 24]).await.unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
        let missing = MasterKey::from_command(vec!["/no/such/command".to_owned()]).unwrap();
        assert!(missing.wrap(context(1), &key, [0; 24]).await.is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_key_file_is_its_owners_only_and_is_never_overwritten() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let mut entropy = SeededEntropy::new(1, "file");
        let (first, is_new) = MasterKey::from_file_or_new(&path, &mut entropy).unwrap();
        assert!(is_new);
        let (again, is_new) = MasterKey::from_file_or_new(&path, &mut entropy).unwrap();
        assert!(!is_new && first.id() == again.id());
        assert!(MasterKey::write_new(&path, &mut entropy).is_err());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(
            MasterKey::from_file(&path),
            Err(MasterKeyError::Mode { mode: 0o640, .. })
        ));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, "12").unwrap();
        assert!(matches!(
            MasterKey::from_file(&path),
            Err(MasterKeyError::Format { .. })
        ));
    }
}
