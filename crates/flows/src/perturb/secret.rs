use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// What decides the noise: who has it can take the noise away. 32 random bytes, kept for as long as tables over the same
/// people are published.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct PerturbationSecret([u8; 32]);

impl PerturbationSecret {
    /// A secret of random bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// 64 bits that only the secret tells from random ones: of SHA-256 over purpose, secret, length and bytes. Nobody sees
    /// more of a hash than a choice made by it, and the length is in it, so that none can be continued.
    pub(super) fn draw(&self, purpose: &[u8; 16], identity: &[u8]) -> u64 {
        let len = u64::try_from(identity.len()).unwrap_or(u64::MAX);
        let digest = Sha256::new()
            .chain_update(purpose)
            .chain_update(self.0)
            .chain_update(len.to_le_bytes())
            .chain_update(identity)
            .finalize();
        digest
            .iter()
            .take(8)
            .rev()
            .fold(0, |bits, &byte| bits << 8 | u64::from(byte))
    }
}

impl std::fmt::Debug for PerturbationSecret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("PerturbationSecret(32 bytes)")
    }
}
