use std::path::Path;

use corridor_core::{CertificateSigner, Entropy, PublicKey, Signature, SigningPurpose};
use ed25519_dalek::{Signer as _, SigningKey};

use crate::master_key::{MasterKeyError, read_key_file, write_key_file};

/// The key a service signs deletion certificates with: Ed25519, in a file of the data folder. Zeroed when dropped.
pub struct ServiceKey(SigningKey);

impl std::fmt::Debug for ServiceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ServiceKey({})", self.public_key())
    }
}

impl ServiceKey {
    /// The key of a file that only its owner can read, which is made when it is not there.
    ///
    /// # Errors
    /// When the file cannot be read or written, can be read by others, or holds no key.
    pub fn open(path: &Path, entropy: &mut dyn Entropy) -> Result<Self, MasterKeyError> {
        if !path.exists() {
            write_key_file(path, entropy)?;
        }
        Ok(Self(SigningKey::from_bytes(&*read_key_file(path)?)))
    }
}

impl CertificateSigner for ServiceKey {
    fn public_key(&self) -> PublicKey {
        PublicKey::try_from(self.0.verifying_key().as_bytes().as_slice())
            .expect("the public half of a private key is no weak key")
    }

    fn sign(&self, purpose: SigningPurpose, content: &[u8]) -> Signature {
        Signature::from_bytes(self.0.sign(&purpose.to_message(content)).to_bytes())
    }
}
