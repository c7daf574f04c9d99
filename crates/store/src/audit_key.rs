use std::fmt;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use corridor_core::audit::{Checkpoint, LogKey, LogOrigin, SignedCheckpoint};
use corridor_core::{Entropy, PublicKey, Signature, fill};
use ed25519_dalek::{Signer as _, SigningKey};
use zeroize::Zeroizing;

use crate::StoreError;

/// The key the service signs checkpoints of its audit log with. It signs nothing else.
///
/// It is overwritten when it is dropped, and cannot be shown or copied.
pub struct AuditKey {
    signing: SigningKey,
    log: LogKey,
}

impl fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuditKey({})", self.log)
    }
}

/// First line of a key file.
const HEADER: &str = "corridor audit key v1";

impl AuditKey {
    /// Draws a key for a log of that name, or of one made of the key.
    pub fn generate(origin: Option<LogOrigin>, entropy: &mut dyn Entropy) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        fill(entropy, seed.as_mut());
        Self::from_seed(&seed, origin)
    }

    fn from_seed(seed: &Zeroizing<[u8; 32]>, origin: Option<LogOrigin>) -> Self {
        let signing = SigningKey::from_bytes(seed);
        let bytes = signing.verifying_key().to_bytes();
        let key = PublicKey::try_from(bytes.as_slice()).expect("a key that was drawn is of full order");
        let origin = origin.unwrap_or_else(|| {
            let name = format!("corridor/{}", &key.to_string()[..12]);
            name.parse().expect("letters, digits and a slash")
        });
        Self {
            signing,
            log: LogKey { origin, key },
        }
    }

    /// Reads the key file, or makes one that only its owner can read where there is none.
    ///
    /// # Errors
    /// When it cannot be read or written, others can read it, or it is no key.
    pub fn open(
        path: &Path,
        origin: Option<LogOrigin>,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, StoreError> {
        let fail = |problem: String| StoreError::AuditKey {
            file: path.display().to_string(),
            problem,
        };
        let text = match std::fs::read_to_string(path) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Self::create(path, origin, entropy).map_err(|error| fail(error.to_string()));
            }
            Err(error) => return Err(fail(error.to_string())),
        };
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(path).map_err(|error| fail(error.to_string()))?;
            if mode.permissions().mode() & 0o077 != 0 {
                return Err(fail(
                    "others can read it; chmod 600 it and think about who may have".to_owned(),
                ));
            }
        }
        let seed = read_seed(&text).ok_or_else(|| {
            fail("it is no audit key; put it back from a copy, or name another file".to_owned())
        })?;
        Ok(Self::from_seed(&seed, origin))
    }

    fn create(path: &Path, origin: Option<LogOrigin>, entropy: &mut dyn Entropy) -> std::io::Result<Self> {
        let mut seed = Zeroizing::new([0; 32]);
        fill(entropy, seed.as_mut());
        let mut text = Zeroizing::new(String::with_capacity(128));
        text.push_str(HEADER);
        text.push('\n');
        for byte in seed.iter() {
            let digit = |value: u8| char::from_digit(value.into(), 16).expect("below 16");
            text.push(digit(byte >> 4));
            text.push(digit(byte & 15));
        }
        text.push('\n');
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        // Its name, too, must be on the disk before anything is signed with it.
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::File::open(folder)?.sync_all()?;
        }
        Ok(Self::from_seed(&seed, origin))
    }

    /// The public key and the name of the log.
    pub const fn log(&self) -> &LogKey {
        &self.log
    }

    /// Signs a checkpoint of the log.
    pub(crate) fn sign(&self, checkpoint: Checkpoint) -> SignedCheckpoint {
        let signature = self.signing.sign(checkpoint.to_text().as_bytes());
        let signature = Signature::from_bytes(signature.to_bytes());
        SignedCheckpoint::try_new(checkpoint, &self.log, signature).expect("signed by this key just now")
    }
}

fn read_seed(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let digits = text
        .strip_prefix(HEADER)?
        .strip_prefix('\n')?
        .strip_suffix('\n')?;
    let digits: &[u8; 64] = digits.as_bytes().try_into().ok()?;
    let mut seed = Zeroizing::new([0; 32]);
    let value = |digit: u8| {
        char::from(digit)
            .to_digit(16)
            .and_then(|value| u8::try_from(value).ok())
    };
    for (byte, pair) in seed.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = value(pair[0])? << 4 | value(pair[1])?;
    }
    Some(seed)
}
