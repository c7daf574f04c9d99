//! From tokens to bits.

use blake2::Blake2bMac512;
use blake2::digest::{FixedOutput as _, KeyInit as _, Mac as _};
use hmac::Hmac;
use md5::Md5;
use sha1::Sha1;

/// Bits of a filter, the first in the highest bit of the first word, as clkhash numbers them.
pub(crate) fn set_bit(words: &mut [u64], index: usize) {
    words[index / 64] |= 1 << (63 - index % 64);
}

/// Words that hold so many bits.
pub(crate) const fn words_of(bits: usize) -> usize {
    bits.div_ceil(64)
}

/// How the bits of a token are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HashKind {
    /// Slices of keyed BLAKE2b.
    Blake,
    /// HMAC-SHA-1 and HMAC-MD5, combined linearly (Schnell et al. 2009).
    Double {
        /// Tokens whose second hash is 0, which all set one bit, are hashed again until it is not.
        prevent_singularity: bool,
    },
}

/// A longest token that can be hashed again: `chr(i)` for i up to the first surrogate, which has no UTF-8.
const MOST_REHASHES: u32 = 0xd800;

/// Hashes tokens of one feature under its keys.
#[derive(Clone)]
pub(crate) enum TokenHasher {
    Blake {
        key: zeroize::Zeroizing<Vec<u8>>,
        /// The first 32 positions of every token come from this.
        first: Box<Blake2bMac512>,
    },
    Double {
        sha1: Box<Hmac<Sha1>>,
        md5: Box<Hmac<Md5>>,
        prevent_singularity: bool,
    },
}

/// Positions one BLAKE2b gives.
const POSITIONS_PER_MAC: u64 = 32;

impl TokenHasher {
    pub(crate) fn new(kind: HashKind, (first, second): (&[u8], &[u8])) -> Self {
        match kind {
            HashKind::Blake => Self::Blake {
                key: zeroize::Zeroizing::new(first.to_vec()),
                first: Box::new(blake(first, 0)),
            },
            HashKind::Double { prevent_singularity } => Self::Double {
                sha1: Box::new(Hmac::new_from_slice(first).expect("HMAC takes a key of any length")),
                md5: Box::new(Hmac::new_from_slice(second).expect("HMAC takes a key of any length")),
                prevent_singularity,
            },
        }
    }

    /// Gives the first `insertions` positions of a token in a filter of `len_bits` bits to `each`. They may be the same, and are
    /// not given again where they come round.
    pub(crate) fn positions(
        &self,
        token: &[u8],
        insertions: u64,
        len_bits: usize,
        mut each: impl FnMut(usize),
    ) {
        match self {
            Self::Blake { key, first } => {
                let mut left = insertions;
                let mut number = 0;
                while left > 0 {
                    let mut mac = if number == 0 {
                        Blake2bMac512::clone(first)
                    } else {
                        blake(key, number)
                    };
                    mac.update(token);
                    let hash = mac.finalize_fixed();
                    let take = left.min(POSITIONS_PER_MAC);
                    for pair in hash
                        .as_slice()
                        .chunks_exact(2)
                        .take(usize::try_from(take).unwrap_or(0))
                    {
                        each(usize::from(u16::from_le_bytes([pair[0], pair[1]])) % len_bits);
                    }
                    left -= take;
                    number += 1;
                }
            }
            Self::Double {
                sha1,
                md5,
                prevent_singularity,
            } => {
                let mut at = hmac_modulo(&**sha1, &[token], len_bits);
                let mut step = hmac_modulo(&**md5, &[token], len_bits);
                if *prevent_singularity {
                    let mut again = (0..MOST_REHASHES).filter_map(char::from_u32);
                    while step == 0
                        && let Some(c) = again.next()
                    {
                        step = hmac_modulo(&**md5, &[token, c.encode_utf8(&mut [0; 4]).as_bytes()], len_bits);
                    }
                }
                // After so many steps the positions begin again.
                let steps = usize::try_from(insertions).unwrap_or(len_bits).min(len_bits);
                for _ in 0..steps {
                    each(at);
                    at += step;
                    if at >= len_bits {
                        at -= len_bits;
                    }
                }
            }
        }
    }
}

/// BLAKE2b under a key, with a number in decimal as its salt.
fn blake(key: &[u8], number: u64) -> Blake2bMac512 {
    Blake2bMac512::new_with_salt_and_personal(Some(key), number.to_string().as_bytes(), &[])
        .expect("the schema was refused when its keys are longer than BLAKE2b takes")
}

/// An HMAC of all `parts`, read as a big-endian number, modulo a length.
fn hmac_modulo<M: hmac::Mac + Clone>(mac: &M, parts: &[&[u8]], len_bits: usize) -> usize {
    let mut mac = mac.clone();
    for part in parts {
        mac.update(part);
    }
    let len = len_bits as u64;
    let modulo = mac
        .finalize()
        .into_bytes()
        .iter()
        .fold(0, |rest: u64, byte| (rest << 8 | u64::from(*byte)) % len);
    usize::try_from(modulo).expect("less than a usize")
}

/// Folds a filter to `len_bits` bits: bits that come to lie on each other cancel out in pairs.
pub(crate) fn fold(words: &[u64], len_bits: usize, out: &mut [u64]) {
    out.fill(0);
    if len_bits.is_multiple_of(64) {
        for part in words.chunks_exact(len_bits / 64) {
            for (out, word) in out.iter_mut().zip(part) {
                *out ^= word;
            }
        }
        return;
    }
    for (at, word) in words.iter().enumerate() {
        let mut open = *word;
        while open != 0 {
            let bit = open.leading_zeros() as usize;
            open ^= 1 << (63 - bit);
            let index = (at * 64 + bit) % len_bits;
            out[index / 64] ^= 1 << (63 - index % 64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn positions(kind: HashKind, token: &str, insertions: u64, len_bits: usize) -> Vec<usize> {
        let (first, second) = ([1_u8; 64], [2_u8; 64]);
        let mut words = vec![0; words_of(len_bits)];
        TokenHasher::new(kind, (&first, &second)).positions(
            token.as_bytes(),
            insertions,
            len_bits,
            |position| {
                set_bit(&mut words, position);
            },
        );
        (0..len_bits)
            .filter(|i| words[i / 64] >> (63 - i % 64) & 1 == 1)
            .collect()
    }

    /// Made with clkhash 0.18.3: `double_hash_encode_ngrams` and its two siblings on `[token]`, keys of 64 bytes 1 and 2.
    #[test]
    fn positions_are_those_of_clkhash() {
        let double = HashKind::Double {
            prevent_singularity: false,
        };
        let never_single = HashKind::Double {
            prevent_singularity: true,
        };
        assert_eq!(
            positions(HashKind::Blake, " a", 5, 1024),
            [350, 615, 685, 913, 983]
        );
        assert_eq!(
            positions(HashKind::Blake, "é", 34, 128),
            [
                1, 3, 4, 5, 8, 9, 13, 16, 20, 21, 30, 37, 43, 48, 59, 64, 65, 66, 70, 75, 77, 84, 85, 105,
                109, 111, 113, 115, 117, 118, 125
            ]
        );
        assert_eq!(positions(double, " a", 5, 1000), [83, 103, 123, 593, 613]);
        assert_eq!(positions(double, "12 ab", 9, 7), [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(positions(never_single, "12 ab", 9, 7), [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(positions(double, "42", 3, 50), [48]);
        assert_eq!(positions(never_single, "42", 3, 50), [14, 31, 48]);
    }

    #[test]
    fn folding_cancels_bits_in_pairs_at_every_length() {
        for len_bits in [5, 64, 128, 100] {
            let bits = len_bits * 4;
            let set: Vec<usize> = (0..bits).filter(|i| i * i % 7 < 3).collect();
            let mut words = vec![0; words_of(bits)];
            set.iter().for_each(|&i| set_bit(&mut words, i));
            let mut out = vec![0; words_of(len_bits)];
            fold(&words, len_bits, &mut out);
            for i in 0..len_bits {
                let odd = set.iter().filter(|&&s| s % len_bits == i).count() % 2 == 1;
                assert_eq!(
                    out[i / 64] >> (63 - i % 64) & 1 == 1,
                    odd,
                    "bit {i} of {len_bits}"
                );
            }
        }
    }
}
