use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit, StreamCipher};

use crate::key::hmac_sha256;

/// ChaCha20 keystream (RFC 8439; nonce 0, counter from 0) under HMAC-SHA256(key, token): as many bits as a token needs.
pub(crate) struct Keystream(ChaCha20);

impl Keystream {
    pub(crate) fn new(key: &[u8; 32], token: &[u8]) -> Self {
        Self::from_seed(&hmac_sha256(key, &[token]))
    }

    pub(crate) fn from_seed(seed: &[u8; 32]) -> Self {
        Self(ChaCha20::new(seed.into(), &[0; 12].into()))
    }

    /// The next two bytes, little-endian.
    pub(crate) fn next_u16(&mut self) -> u16 {
        let mut bytes = [0; 2];
        self.0.apply_keystream(&mut bytes);
        u16::from_le_bytes(bytes)
    }

    /// The next four bytes, little-endian.
    pub(crate) fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.0.apply_keystream(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    /// A number below `bound`, every one equally likely: draws that would favour some are thrown away.
    ///
    /// # Panics
    /// When `bound` is 0.
    pub(crate) fn next_below(&mut self, bound: u16) -> u16 {
        let bound = u32::from(bound);
        let fair = (1 << 16) / bound * bound;
        loop {
            let drawn = u32::from(self.next_u16());
            if drawn < fair {
                return u16::try_from(drawn % bound).expect("below a u16");
            }
        }
    }

    /// Fills `words` with the next bytes, eight a word, little-endian.
    pub(crate) fn fill(&mut self, words: &mut [u64]) {
        let mut bytes = [0; 512];
        for chunk in words.chunks_mut(64) {
            let bytes = &mut bytes[..chunk.len() * 8];
            bytes.fill(0);
            self.0.apply_keystream(bytes);
            for (word, bytes) in chunk.iter_mut().zip(bytes.chunks_exact(8)) {
                *word = u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
            }
        }
        zeroize::Zeroize::zeroize(&mut bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_below_a_bound_is_as_likely() {
        let mut stream = Keystream::new(&[1; 32], b"token");
        let mut counts = [0_u32; 3];
        for _ in 0..30_000 {
            counts[usize::from(stream.next_below(3))] += 1;
        }
        // 10,000 each; five standard deviations are 408.
        assert!(
            counts.iter().all(|count| count.abs_diff(10_000) < 408),
            "{counts:?}"
        );
        assert_eq!(stream.next_below(1), 0);
    }

    #[test]
    fn words_are_the_bytes_in_order() {
        let mut words = [0; 70];
        Keystream::new(&[1; 32], b"token").fill(&mut words);
        let mut bytes = Keystream::new(&[1; 32], b"token");
        for word in words {
            let parts = [(); 4].map(|()| bytes.next_u16());
            let expected = parts
                .iter()
                .rev()
                .fold(0, |word, part| word << 16 | u64::from(*part));
            assert_eq!(word, expected);
        }
    }
}
