use rand_chacha::ChaCha20Rng;
use rand_core::{Infallible, SeedableRng, TryCryptoRng, TryRng, UnwrapErr};

/// Where random bytes come from. Randomness is an argument everywhere: the operating system for
/// keys that protect something, a seed where a result must be reproduced.
pub trait Entropy: rand_core::CryptoRng + Send {}

impl<R: rand_core::CryptoRng + Send> Entropy for R {}

/// Fills `bytes` from `entropy`.
pub fn fill(entropy: &mut dyn Entropy, bytes: &mut [u8]) {
    entropy.fill_bytes(bytes);
}

/// The operating system's generator. Panics when the operating system has none, which no
/// supported platform does after boot.
#[derive(Debug, Default)]
pub struct OsEntropy(UnwrapErr<getrandom::SysRng>);

impl TryRng for OsEntropy {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.0.try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0.try_next_u64()
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.try_fill_bytes(bytes)
    }
}

impl TryCryptoRng for OsEntropy {}

/// ChaCha20 from a 64-bit seed: the same bytes on every machine.
///
/// Keys drawn from it protect nothing, since a seed can be guessed: it is for rehearsals,
/// demonstrations and sampling.
#[derive(Debug, Clone)]
pub struct SeededEntropy(ChaCha20Rng);

impl SeededEntropy {
    /// A generator for `seed`. Draws for different `purpose`s are independent.
    pub fn new(seed: u64, purpose: &str) -> Self {
        let digest = crate::Digest::of_parts(&[&seed.to_le_bytes(), purpose.as_bytes()]);
        Self(ChaCha20Rng::from_seed(*digest.as_bytes()))
    }
}

impl TryRng for SeededEntropy {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.0.try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0.try_next_u64()
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.try_fill_bytes(bytes)
    }
}

impl TryCryptoRng for SeededEntropy {}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::Rng;

    #[test]
    fn a_seed_gives_the_same_bytes_and_a_purpose_gives_others() {
        let draw = |seed, purpose| SeededEntropy::new(seed, purpose).next_u64();
        assert_eq!(draw(1, "a"), draw(1, "a"));
        assert_ne!(draw(1, "a"), draw(1, "b"));
        assert_ne!(draw(1, "a"), draw(2, "a"));
    }
}
