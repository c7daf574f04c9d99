use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE64, HEXLOWER};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::{Digest, PublicKey, Signature};

/// The name a log signs under: 1 to 120 of letters, digits and `-._/`, as in `corridor.example/audit`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogOrigin(String);

/// A text that is no checkpoint, no key of a log, or is not signed by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Not a checkpoint.
    #[error("no signed checkpoint of an audit log: {0}")]
    Checkpoint(&'static str),
    /// Not a key.
    #[error("the key of an audit log is written name+hash+base64, as the service shows it")]
    Key,
    /// Of another log.
    #[error("the checkpoint is of another log or was signed by another key")]
    OtherKey,
    /// Not a name.
    #[error("the name of an audit log is 1 to 120 of A-Z, a-z, 0-9 and -._/")]
    Origin,
    /// A signature that does not fit.
    #[error("the signature of the checkpoint does not fit: it was altered, or made by another key")]
    Signature,
}

impl LogOrigin {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for LogOrigin {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let is_sound = (1..=120).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-._/".contains(&b));
        if is_sound {
            Ok(Self(text.to_owned()))
        } else {
            Err(NoteError::Origin)
        }
    }
}

impl fmt::Display for LogOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The public key a log signs with, and its name: what an office writes down when it first meets the service. As text it is a
/// verifier key of the signed-note format of C2SP: `name+hash+base64`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogKey {
    /// Name of the log.
    pub origin: LogOrigin,
    /// Its key.
    pub key: PublicKey,
}

/// The number of Ed25519 among the algorithms of signed notes.
const ED25519: u8 = 1;

impl LogKey {
    /// The first four bytes of a hash of name and key, which stand before a signature.
    fn to_id(&self) -> [u8; 4] {
        let mut hasher = Sha256::new();
        hasher.update(self.origin.as_str());
        hasher.update([b'\n', ED25519]);
        hasher.update(self.key.as_bytes());
        let hash: [u8; 32] = hasher.finalize().into();
        [hash[0], hash[1], hash[2], hash[3]]
    }
}

impl fmt::Display for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[ED25519], self.key.as_bytes().as_slice()].concat();
        write!(
            f,
            "{}+{}+{}",
            self.origin,
            HEXLOWER.encode(&self.to_id()),
            BASE64.encode(&key)
        )
    }
}

impl FromStr for LogKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let (origin, rest) = text.split_once('+').ok_or(NoteError::Key)?;
        let (_, key) = rest.split_once('+').ok_or(NoteError::Key)?;
        let bytes = BASE64.decode(key.as_bytes()).map_err(|_| NoteError::Key)?;
        let [ED25519, key @ ..] = bytes.as_slice() else {
            return Err(NoteError::Key);
        };
        let key = Self {
            origin: origin.parse().map_err(|_| NoteError::Key)?,
            key: PublicKey::try_from(key).map_err(|_| NoteError::Key)?,
        };
        if key.to_string() == text {
            Ok(key)
        } else {
            Err(NoteError::Key)
        }
    }
}

/// How long a log was at a time, and the root over all its leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Name of the log.
    pub origin: LogOrigin,
    /// Entries.
    pub size: u64,
    /// Root over them.
    pub root: Digest,
    /// When it was signed, by the service's clock.
    pub time: Timestamp,
}

impl Checkpoint {
    /// The text that is signed: a checkpoint of C2SP's tlog-checkpoint format, with the time as an extension line.
    pub fn to_text(&self) -> String {
        format!(
            "{}\n{}\n{}\ntime {}\n",
            self.origin,
            self.size,
            BASE64.encode(self.root.as_bytes()),
            self.time
        )
    }
}

/// A checkpoint with the signature of its log. As text it is a signed note of C2SP, which other tools of that format read and check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    key_id: [u8; 4],
    signature: Signature,
}

impl SignedCheckpoint {
    /// A checkpoint with the signature of its text by the log's key.
    ///
    /// # Errors
    /// When the signature is none of that key over that text, or the key is of a log of another name.
    pub fn try_new(checkpoint: Checkpoint, key: &LogKey, signature: Signature) -> Result<Self, NoteError> {
        let signed = Self {
            checkpoint,
            key_id: key.to_id(),
            signature,
        };
        signed.verify(key)?;
        Ok(signed)
    }

    /// What was signed, once it is known who signed it.
    ///
    /// # Errors
    /// When it was not signed by that key.
    pub fn verify(&self, key: &LogKey) -> Result<&Checkpoint, NoteError> {
        if self.checkpoint.origin != key.origin || self.key_id != key.to_id() {
            return Err(NoteError::OtherKey);
        }
        let text = self.checkpoint.to_text();
        if key.key.verify_bytes(text.as_bytes(), &self.signature) {
            Ok(&self.checkpoint)
        } else {
            Err(NoteError::Signature)
        }
    }

    /// What it says, whoever signed it.
    pub const fn unverified(&self) -> &Checkpoint {
        &self.checkpoint
    }
}

impl fmt::Display for SignedCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signature = [self.key_id.as_slice(), self.signature.as_bytes()].concat();
        writeln!(
            f,
            "{}\n\u{2014} {} {}",
            self.checkpoint.to_text(),
            self.checkpoint.origin,
            BASE64.encode(&signature)
        )
    }
}

impl FromStr for SignedCheckpoint {
    type Err = NoteError;

    /// Reads a note in exactly the form it was written: another form would be another text.
    fn from_str(text: &str) -> Result<Self, NoteError> {
        let fail = NoteError::Checkpoint;
        let lines: Vec<&str> = text.lines().collect();
        let &[origin, size, root, time, "", signature] = lines.as_slice() else {
            return Err(fail(
                "expected six lines: name, size, root, time, a blank, and a signature",
            ));
        };
        let root = BASE64
            .decode(root.as_bytes())
            .map_err(|_| fail("its root is no base64"))?;
        let time = time
            .strip_prefix("time ")
            .ok_or(fail("the fourth line does not say the time"))?;
        let (name, signature) = signature
            .strip_prefix("\u{2014} ")
            .and_then(|rest| rest.split_once(' '))
            .ok_or(fail("the last line is no signature"))?;
        let signature = BASE64
            .decode(signature.as_bytes())
            .map_err(|_| fail("its signature is no base64"))?;
        let (key_id, signature) = signature
            .split_first_chunk::<4>()
            .ok_or(fail("its signature is too short"))?;
        let signed = Self {
            checkpoint: Checkpoint {
                origin: origin.parse().map_err(|_| fail("the name of the log is none"))?,
                size: size.parse().map_err(|_| fail("its size is no number"))?,
                root: Digest::try_from(root.as_slice()).map_err(|_| fail("its root is not 32 bytes"))?,
                time: time.parse().map_err(|_| fail("its time is none"))?,
            },
            key_id: *key_id,
            signature: Signature::try_from(signature).map_err(|_| fail("its signature is not 64 bytes"))?,
        };
        if name == origin && signed.to_string() == text {
            Ok(signed)
        } else {
            Err(fail("it is not in the form in which it was signed"))
        }
    }
}
