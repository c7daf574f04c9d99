//! One pair of keys a feature, derived from the secret as RFC 5869 says.

use hkdf::Hkdf;
use sha2::{Sha256, Sha512};
use zeroize::{Zeroize, Zeroizing};

use super::error::ClkError;

/// The secret two data owners share, as clkhash takes it: bytes of any kind. Wiped on drop.
pub struct ClkSecret(Zeroizing<Vec<u8>>);

impl ClkSecret {
    /// The secret in the bytes of a file: all of them but a line end at the end, which an editor adds and clkhash, which
    /// takes its secret from the command line, never sees.
    ///
    /// # Errors
    /// When there is nothing else in it.
    pub fn from_file_bytes(mut bytes: Vec<u8>) -> Result<Self, ClkError> {
        for end in [b'\n', b'\r'] {
            if bytes.last() == Some(&end) {
                bytes.pop();
            } else {
                break;
            }
        }
        if bytes.is_empty() {
            bytes.zeroize();
            return Err(ClkError::SecretEmpty);
        }
        Ok(Self(Zeroizing::new(bytes)))
    }
}

impl std::fmt::Debug for ClkSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClkSecret")
    }
}

/// Hash function of a key derivation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KdfHash {
    Sha256,
    Sha512,
}

impl KdfHash {
    /// Most bytes it can derive.
    pub(crate) const fn most_bytes(self) -> usize {
        match self {
            Self::Sha256 => 255 * 32,
            Self::Sha512 => 255 * 64,
        }
    }
}

/// How keys are derived.
#[derive(Debug, Clone)]
pub(crate) struct Kdf {
    pub(crate) hash: KdfHash,
    pub(crate) salt: Option<Vec<u8>>,
    pub(crate) info: Vec<u8>,
    pub(crate) key_bytes: usize,
}

/// Keys of a feature: clkhash derives one for each of two hash functions.
pub(crate) const KEYS_PER_FEATURE: usize = 2;

/// Keys of all features, in their order.
pub(crate) struct KeyPairs {
    bytes: Zeroizing<Vec<u8>>,
    key_bytes: usize,
}

impl KeyPairs {
    /// The keys of `features` features; there are not too many for the derivation when the schema was read.
    pub(crate) fn derive(secret: &ClkSecret, kdf: &Kdf, features: usize) -> Self {
        let mut bytes = Zeroizing::new(vec![0; features * KEYS_PER_FEATURE * kdf.key_bytes]);
        let salt = kdf.salt.as_deref();
        match kdf.hash {
            KdfHash::Sha256 => Hkdf::<Sha256>::new(salt, &secret.0).expand(&kdf.info, &mut bytes),
            KdfHash::Sha512 => Hkdf::<Sha512>::new(salt, &secret.0).expand(&kdf.info, &mut bytes),
        }
        .expect("the schema was refused when its keys are too many bytes");
        Self {
            bytes,
            key_bytes: kdf.key_bytes,
        }
    }

    /// The two keys of a feature.
    pub(crate) fn of(&self, feature: usize) -> (&[u8], &[u8]) {
        let pair = KEYS_PER_FEATURE * self.key_bytes;
        self.bytes[feature * pair..][..pair].split_at(self.key_bytes)
    }
}

/// What Python's `base64.b64decode` makes of a text: what is not of the alphabet is skipped, and what follows the padding
/// is not looked at. `None` when it raises an error.
pub(crate) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() {
        return None;
    }
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut quad, mut pads, mut left) = (0, 0, 0_u8);
    for byte in text.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => {
                if quad >= 2 {
                    pads += 1;
                    if quad + pads >= 4 {
                        return Some(out);
                    }
                }
                continue;
            }
            _ => continue,
        };
        pads = 0;
        match quad {
            0 => left = value << 2,
            1 => {
                out.push(left | value >> 4);
                left = value << 4;
            }
            2 => {
                out.push(left | value >> 2);
                left = value << 6;
            }
            _ => out.push(left | value),
        }
        quad = (quad + 1) % 4;
    }
    (quad == 0).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_taken_as_leniently_as_python_takes_it() {
        for (text, bytes) in [
            ("c2FsdA==", Some("salt")),
            ("c2Fs\ndA==", Some("salt")),
            ("c2FsdA==c2Fs", Some("salt")),
            ("=c2FsdA==", Some("salt")),
            ("c2F=s", Some("sa")),
            ("====c2FsdA==", Some("salt")),
            ("c====2FsdA==", Some("salt")),
            ("", Some("")),
            ("c2FsdA=", None),
            ("c2FsdA", None),
            ("c", None),
            ("c2Fsd%A==", Some("salt")),
            ("é", None),
        ] {
            assert_eq!(
                decode_base64(text).as_deref(),
                bytes.map(str::as_bytes),
                "{text:?}"
            );
        }
    }

    #[test]
    fn one_line_end_at_the_end_is_not_of_the_secret() {
        for (bytes, secret) in [
            ("a\n", "a"),
            ("a\r\n", "a"),
            ("a\n\n", "a\n"),
            ("a b ", "a b "),
            ("\na", "\na"),
        ] {
            let read = ClkSecret::from_file_bytes(bytes.as_bytes().to_vec()).unwrap();
            assert_eq!(read.0.as_slice(), secret.as_bytes());
        }
        for bytes in ["", "\n", "\r\n"] {
            assert!(ClkSecret::from_file_bytes(bytes.as_bytes().to_vec()).is_err());
        }
    }
}
