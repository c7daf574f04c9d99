use std::fmt;
use std::path::Path;

use corridor_core::{Digest, Entropy, OfficeId, PublicKey, Signature, SigningPurpose};
use data_encoding::BASE64;
use ed25519_dalek::{Signer as _, SigningKey};
use hpke::{Deserializable, Kem, Serializable};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::sealed::{self, KeyFileError, SealedKind};

/// The key encapsulation of the exchange: X-Wing, which is X25519 with ML-KEM-768 (draft-connolly-cfrg-xwing-kem),
/// since names stay sensitive longer than elliptic curves may hold.
pub(crate) type ExchangeKem = hpke::kem::XWing;

/// An office's long-term private keys: one to sign, one to receive secrets. Wiped on drop.
///
/// ```compile_fail
/// fn needs_serialize<T: serde::Serialize>() {}
/// needs_serialize::<corridor_encode::Identity>();
/// ```
pub struct Identity {
    office: OfficeId,
    signing: SigningKey,
    exchange_seed: Zeroizing<[u8; 32]>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.office)
    }
}

/// An office's public keys, signed by themselves. Their fingerprint is compared over the telephone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicIdentity {
    format: String,
    /// The office.
    pub office: OfficeId,
    /// The key its signatures are checked with.
    pub signing_key: PublicKey,
    exchange_key: String,
    signature: Signature,
}

const FORMAT: &str = "corridor-identity/1";

/// A public identity that is not what it says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublicIdentityError {
    /// The file is not in the format.
    #[error("{file} is no public identity: {problem}")]
    Format {
        /// The file.
        file: String,
        /// What is wrong.
        problem: String,
    },
    /// The keys do not belong together.
    #[error("{file} was altered: its signature does not fit")]
    Signature {
        /// The file.
        file: String,
    },
}

impl Identity {
    /// New keys for `office`.
    pub fn generate(office: OfficeId, entropy: &mut dyn Entropy) -> Self {
        let mut signing_seed = Zeroizing::new([0; 32]);
        entropy.fill_bytes(signing_seed.as_mut_slice());
        let mut exchange_seed = Zeroizing::new([0; 32]);
        entropy.fill_bytes(exchange_seed.as_mut_slice());
        Self {
            office,
            signing: SigningKey::from_bytes(&signing_seed),
            exchange_seed,
        }
    }

    /// The office.
    pub const fn office(&self) -> &OfficeId {
        &self.office
    }

    /// Signs `content` for `purpose`.
    pub fn sign(&self, purpose: SigningPurpose, content: &[u8]) -> Signature {
        Signature::from_bytes(self.signing.sign(&purpose.to_message(content)).to_bytes())
    }

    /// What the other office and the service may see.
    pub fn to_public(&self) -> PublicIdentity {
        let (_, exchange_key) = self.exchange_keys();
        let mut public = PublicIdentity {
            format: FORMAT.to_owned(),
            office: self.office.clone(),
            signing_key: PublicKey::try_from(self.signing.verifying_key().as_bytes().as_slice())
                .expect("a generated key is valid"),
            exchange_key: BASE64.encode(&exchange_key.to_bytes()),
            signature: Signature::from_bytes([0; 64]),
        };
        public.signature = self.sign(SigningPurpose::Identity, public.digest().as_bytes());
        public
    }

    pub(crate) fn exchange_keys(
        &self,
    ) -> (<ExchangeKem as Kem>::PrivateKey, <ExchangeKem as Kem>::PublicKey) {
        ExchangeKem::derive_keypair(self.exchange_seed.as_slice())
    }

    /// Writes the keys to a new file, sealed with `passphrase`.
    ///
    /// # Errors
    /// When the file exists or cannot be written.
    pub fn save(
        &self,
        path: &Path,
        passphrase: &[u8],
        entropy: &mut dyn Entropy,
    ) -> Result<(), KeyFileError> {
        let mut secret = Zeroizing::new(Vec::with_capacity(128));
        secret.extend_from_slice(self.signing.as_bytes());
        secret.extend_from_slice(self.exchange_seed.as_slice());
        secret.extend_from_slice(self.office.as_str().as_bytes());
        sealed::write(path, SealedKind::Identity, &secret, passphrase, entropy)
    }

    /// Opens a file written by [`Identity::save`].
    ///
    /// # Errors
    /// When it does not open with `passphrase`, is another kind of file, or can be read by others.
    pub fn load(path: &Path, passphrase: &[u8]) -> Result<Self, KeyFileError> {
        let secret = sealed::read(path, SealedKind::Identity, passphrase)?;
        let parse = || {
            let office = std::str::from_utf8(secret.get(64..)?).ok()?.parse().ok()?;
            let signing: &[u8; 32] = secret.get(..32)?.try_into().ok()?;
            let exchange_seed: [u8; 32] = secret.get(32..64)?.try_into().ok()?;
            Some(Self {
                office,
                signing: SigningKey::from_bytes(signing),
                exchange_seed: Zeroizing::new(exchange_seed),
            })
        };
        parse().ok_or_else(|| KeyFileError::Format {
            file: path.display().to_string(),
            problem: "its content is cut off".to_owned(),
        })
    }
}

impl PublicIdentity {
    /// Reads and checks a public identity; `file` names it in errors.
    ///
    /// # Errors
    /// When it is not in the format or its signature does not fit.
    pub fn from_json(text: &str, file: &str) -> Result<Self, PublicIdentityError> {
        let format_error = |problem: String| PublicIdentityError::Format {
            file: file.to_owned(),
            problem,
        };
        let identity: Self = serde_json::from_str(text).map_err(|error| format_error(error.to_string()))?;
        if identity.format != FORMAT {
            return Err(format_error("unknown format version".to_owned()));
        }
        identity
            .to_exchange_key()
            .ok_or_else(|| format_error("its exchange key is not valid".to_owned()))?;
        identity
            .signing_key
            .verify(
                SigningPurpose::Identity,
                identity.digest().as_bytes(),
                &identity.signature,
            )
            .map_err(|_| PublicIdentityError::Signature {
                file: file.to_owned(),
            })?;
        Ok(identity)
    }

    /// The file's text.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("every field has a JSON form") + "\n"
    }

    /// Twelve words (BIP-39 English list, 128 bits of the digest) two people read to each other.
    pub fn to_fingerprint(&self) -> String {
        let digest = self.digest();
        let words =
            bip39::Mnemonic::from_entropy(&digest.as_bytes()[..16]).expect("16 bytes make twelve words");
        words.words().collect::<Vec<_>>().join(" ")
    }

    pub(crate) fn to_exchange_key(&self) -> Option<<ExchangeKem as Kem>::PublicKey> {
        let bytes = BASE64.decode(self.exchange_key.as_bytes()).ok()?;
        Deserializable::from_bytes(&bytes).ok()
    }

    /// Digest of office and keys.
    pub(crate) fn digest(&self) -> Digest {
        Digest::of_parts(&[
            FORMAT.as_bytes(),
            self.office.as_str().as_bytes(),
            self.signing_key.as_bytes(),
            self.exchange_key.as_bytes(),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use corridor_core::SeededEntropy;

    fn identity(seed: u64) -> Identity {
        Identity::generate(
            "INS-TN".parse().unwrap(),
            &mut SeededEntropy::new(seed, "identity"),
        )
    }

    #[test]
    fn a_saved_identity_opens_with_the_same_keys() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("identity.key");
        let original = identity(1);
        original
            .save(&path, b"pass", &mut SeededEntropy::new(1, "salt"))
            .unwrap();
        let loaded = Identity::load(&path, b"pass").unwrap();
        assert_eq!(loaded.to_public(), original.to_public());
    }

    #[test]
    fn an_exchanged_key_or_office_is_found() {
        let (mine, other) = (identity(1).to_public(), identity(2).to_public());
        let json = mine.to_json();
        assert_eq!(PublicIdentity::from_json(&json, "f"), Ok(mine.clone()));
        for (from, to) in [
            (mine.exchange_key.clone(), other.exchange_key),
            ("INS-TN".to_owned(), "INS-XX".to_owned()),
        ] {
            let altered = json.replace(&from, &to);
            assert_eq!(
                PublicIdentity::from_json(&altered, "f"),
                Err(PublicIdentityError::Signature { file: "f".to_owned() })
            );
        }
    }

    #[test]
    fn fingerprints_of_different_keys_differ() {
        let fingerprint = identity(1).to_public().to_fingerprint();
        assert_eq!(fingerprint.split(' ').count(), 12);
        assert_ne!(fingerprint, identity(2).to_public().to_fingerprint());
    }
}
