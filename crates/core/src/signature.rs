use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;
use ed25519_dalek::VerifyingKey;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a signature is for. It is part of what is signed, so that a signature given for one thing
/// cannot be shown for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SigningPurpose {
    /// The digest of an agreement.
    Agreement,
    /// A public identity, signed by itself.
    Identity,
    /// A message of the key exchange.
    KeyExchange,
    /// The digest of a result that may leave.
    Release,
}

impl SigningPurpose {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Agreement => "agreement",
            Self::Identity => "identity",
            Self::KeyExchange => "key-exchange",
            Self::Release => "release",
        }
    }

    /// The bytes that are signed: `corridor/v1|sign|<purpose>|` and the content.
    pub fn to_message(self, content: &[u8]) -> Vec<u8> {
        [b"corridor/v1|sign|", self.as_str().as_bytes(), b"|", content].concat()
    }
}

/// An Ed25519 public key (RFC 8032).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

/// Bytes that are no usable Ed25519 public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a signing key is 64 hexadecimal digits of a valid Ed25519 public key")]
pub struct PublicKeyError;

/// A signature that does not fit the content, the purpose or the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not fit: it was made for other content, another purpose or by another key")]
pub struct SignatureError;

impl PublicKey {
    /// Checks that `signature` was made by this key for `purpose` over `content` (strict
    /// verification: no malleable signature, no weak key).
    ///
    /// # Errors
    /// When it was not.
    pub fn verify(
        &self,
        purpose: SigningPurpose,
        content: &[u8],
        signature: &Signature,
    ) -> Result<(), SignatureError> {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        self.0
            .verify_strict(&purpose.to_message(content), &signature)
            .map_err(|_| SignatureError)
    }

    /// Whether `signature` was made by this key over exactly these bytes, without a purpose before them: for texts whose format
    /// says what is signed, as a note of the audit log. Such a key signs nothing else.
    pub(crate) fn verify_bytes(&self, bytes: &[u8], signature: &Signature) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        self.0.verify_strict(bytes, &signature).is_ok()
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

impl TryFrom<&[u8]> for PublicKey {
    type Error = PublicKeyError;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        let bytes = bytes.try_into().map_err(|_| PublicKeyError)?;
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| PublicKeyError)?;
        if key.is_weak() {
            return Err(PublicKeyError);
        }
        Ok(Self(key))
    }
}

impl FromStr for PublicKey {
    type Err = PublicKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| PublicKeyError)?;
        Self::try_from(bytes.as_slice())
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(self.0.as_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// An Ed25519 signature, 64 bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Signature([u8; 64]);

impl Signature {
    /// Takes the bytes as they are; only [`PublicKey::verify`] says whether they sign anything.
    pub const fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// The 64 bytes.
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

impl TryFrom<&[u8]> for Signature {
    type Error = SignatureError;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        Ok(Self(bytes.try_into().map_err(|_| SignatureError)?))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({}…)", HEXLOWER.encode(&self.0[..6]))
    }
}

impl Serialize for Signature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&HEXLOWER.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Signature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        HEXLOWER
            .decode(text.as_bytes())
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom("a signature is 128 hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::{Signer as _, SigningKey};

    #[test]
    fn a_signature_for_one_purpose_does_not_serve_another() {
        let signing = SigningKey::from_bytes(&[7; 32]);
        let key = PublicKey(signing.verifying_key());
        let message = SigningPurpose::Agreement.to_message(b"digest");
        let signature = Signature::from_bytes(signing.sign(&message).to_bytes());
        assert_eq!(
            key.verify(SigningPurpose::Agreement, b"digest", &signature),
            Ok(())
        );
        assert_eq!(
            key.verify(SigningPurpose::Release, b"digest", &signature),
            Err(SignatureError)
        );
        assert_eq!(
            key.verify(SigningPurpose::Agreement, b"other", &signature),
            Err(SignatureError)
        );
    }

    #[test]
    fn a_key_of_small_order_is_refused() {
        let mut identity = [0_u8; 32];
        identity[0] = 1;
        assert_eq!(PublicKey::try_from(identity.as_slice()), Err(PublicKeyError));
    }
}
