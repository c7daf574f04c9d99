//! Hardenings of other programs, for exchange with them only.
//!
//! None of them stops an attacker with a list of the people: similarities inside a file survive all of them, and graph
//! matching needs nothing else. They exist so that an office can produce what its partner's program expects.

use corridor_core::FilterLen;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::key::{KeyUse, LinkageKey};
use crate::keystream::Keystream;

/// What is done to a Bloom filter after it is made. For interoperability only: see the security notes of each.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Hardening {
    /// The complement behind the filter, and all bits in a keyed order, so that every filter has half of its bits set
    /// (Schnell & Borgs 2016). Doubles the length. Hides weights only: distances between filters are doubled, and as
    /// telling as before.
    Balance,
    /// The second half XORed onto the first (Schnell & Borgs 2016). Halves the length.
    Fold,
    /// Each bit the XOR of its two neighbours, in a circle (Rule 90; Schnell & Borgs 2018).
    #[serde(rename = "rule_90")]
    Rule90,
    /// Each bit flipped with probability 1/(1 + e^ε), by noise of its own for each record, keyed and the same for
    /// the same record (BLIP; Alaggan, Gambs & Kermarrec 2012; Schnell & Borgs 2016). ε-differentially private for one bit; a
    /// record sets many, so for a record the bound is as many times ε as bits differ.
    Blip {
        /// ε, above 0 and at most 20.
        epsilon: f64,
    },
}

impl Hardening {
    /// Length of a filter afterwards, or what is wrong.
    pub(crate) fn filter_len_after(&self, len: FilterLen) -> Result<FilterLen, String> {
        match self {
            Self::Balance => FilterLen::try_from(len.to_bits() * 2)
                .map_err(|error| format!("balance doubles the length: {error}")),
            Self::Fold if !len.to_bits().is_multiple_of(128) => {
                Err("fold halves the length, which must be a multiple of 128 before".to_owned())
            }
            Self::Fold => FilterLen::try_from(len.to_bits() / 2).map_err(|error| error.to_string()),
            Self::Rule90 => Ok(len),
            Self::Blip { epsilon } => {
                if *epsilon > 0.0 && *epsilon <= 20.0 {
                    Ok(len)
                } else {
                    Err("epsilon must be above 0 and at most 20".to_owned())
                }
            }
        }
    }
}

/// Hardenings with the keys they need.
pub(crate) struct Hardener {
    steps: Vec<Step>,
}

enum Step {
    /// Bit `i` of the result is bit `order[i]` of filter and complement.
    Balance {
        order: Vec<u16>,
    },
    Fold,
    Rule90,
    Blip {
        key: Zeroizing<[u8; 32]>,
        /// A bit is flipped when 32 random bits are below this.
        flip_below: u64,
    },
}

impl Hardener {
    pub(crate) fn new(hardenings: &[Hardening], len: FilterLen, key: &LinkageKey) -> Self {
        let mut len = len;
        let mut steps = Vec::with_capacity(hardenings.len());
        for (position, hardening) in hardenings.iter().enumerate() {
            let derive = || key.derive(KeyUse::Encode, &format!("hardening {position}"), "");
            let after = hardening
                .filter_len_after(len)
                .expect("a schema checks its hardenings");
            steps.push(match hardening {
                Hardening::Balance => Step::Balance {
                    order: keyed_order(after, &derive()),
                },
                Hardening::Fold => Step::Fold,
                Hardening::Rule90 => Step::Rule90,
                Hardening::Blip { epsilon } => Step::Blip {
                    key: derive(),
                    flip_below: flip_below(*epsilon),
                },
            });
            len = after;
        }
        Self { steps }
    }

    /// Hardens `filter` in place. `record` is what the noise of this record depends on besides the key.
    pub(crate) fn harden(&self, filter: &mut Vec<u64>, record: &[u8]) {
        for step in &self.steps {
            match step {
                Step::Balance { order } => {
                    let words = filter.len();
                    filter.extend_from_within(..);
                    filter[words..].iter_mut().for_each(|word| *word = !*word);
                    *filter = permute(filter, order);
                }
                Step::Fold => {
                    let half = filter.len() / 2;
                    let (first, second) = filter.split_at_mut(half);
                    first.iter_mut().zip(second).for_each(|(a, b)| *a ^= *b);
                    filter.truncate(half);
                }
                Step::Rule90 => *filter = rule_90(filter),
                Step::Blip { key, flip_below } => {
                    let mut noise = Keystream::new(key, record);
                    for word in filter.iter_mut() {
                        for bit in 0..64 {
                            *word ^= u64::from(u64::from(noise.next_u32()) < *flip_below) << bit;
                        }
                    }
                }
            }
        }
    }
}

/// 2³²/(1 + e^ε), the share of flipped bits in units of 2⁻³².
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and 2^31"
)]
fn flip_below(epsilon: f64) -> u64 {
    (4_294_967_296.0 / (1.0 + epsilon.exp())).round() as u64
}

/// A permutation of the bits of a filter, every one equally likely (Fisher–Yates).
fn keyed_order(len: FilterLen, key: &[u8; 32]) -> Vec<u16> {
    let count = u16::try_from(len.to_bits()).expect("at most 4096 bits");
    let mut order: Vec<u16> = (0..count).collect();
    let mut stream = Keystream::new(key, b"");
    for last in (1..count).rev() {
        let other = stream.next_below(last + 1);
        order.swap(usize::from(last), usize::from(other));
    }
    order
}

fn permute(filter: &[u64], order: &[u16]) -> Vec<u64> {
    let mut permuted = vec![0; filter.len()];
    for (to, &from) in order.iter().enumerate() {
        let bit = filter[usize::from(from / 64)] >> (from % 64) & 1;
        permuted[to / 64] |= bit << (to % 64);
    }
    permuted
}

fn rule_90(filter: &[u64]) -> Vec<u64> {
    let words = filter.len();
    (0..words)
        .map(|position| {
            let (word, before, after) = (
                filter[position],
                filter[(position + words - 1) % words],
                filter[(position + 1) % words],
            );
            (word << 1 | before >> 63) ^ (word >> 1 | after << 63)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::ProjectSecret;
    use corridor_core::Digest;

    fn key() -> LinkageKey {
        ProjectSecret::new(&[1; 32], &[2; 32], &[3; 32]).to_linkage_key(&Digest::of(b"a"))
    }

    fn hardened(hardenings: &[Hardening], filter: &[u64], record: &[u8]) -> Vec<u64> {
        let len = FilterLen::try_from(u32::try_from(filter.len() * 64).unwrap()).unwrap();
        let mut filter = filter.to_vec();
        Hardener::new(hardenings, len, &key()).harden(&mut filter, record);
        filter
    }

    fn ones(filter: &[u64]) -> u32 {
        filter.iter().map(|word| word.count_ones()).sum()
    }

    const FILTER: [u64; 4] = [0x8000_0000_0000_0001, 5, 0, 0xff];

    #[test]
    fn balanced_filters_are_half_full_and_twice_as_far_apart() {
        let other = [0, 5, 1 << 40, 0xff];
        let (a, b) = (
            hardened(&[Hardening::Balance], &FILTER, b"a"),
            hardened(&[Hardening::Balance], &other, b"b"),
        );
        assert_eq!((a.len(), ones(&a), ones(&b)), (8, 256, 256));
        let distance =
            |a: &[u64], b: &[u64]| -> u32 { a.iter().zip(b).map(|(a, b)| (a ^ b).count_ones()).sum() };
        assert_eq!(distance(&a, &b), 2 * distance(&FILTER, &other));
        let order = keyed_order(FilterLen::try_from(256).unwrap(), &[7; 32]);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..256).collect::<Vec<u16>>());
        assert_ne!(order, sorted);
    }

    #[test]
    fn a_fold_is_the_xor_of_the_halves() {
        assert_eq!(
            hardened(&[Hardening::Fold], &FILTER, b""),
            [0x8000_0000_0000_0001, 5 ^ 0xff]
        );
    }

    #[test]
    fn rule_90_is_the_xor_of_the_neighbours_in_a_circle() {
        let bit = |filter: &[u64], position: usize| filter[position / 64] >> (position % 64) & 1;
        let result = hardened(&[Hardening::Rule90], &FILTER, b"");
        for position in 0..256 {
            let expected = bit(&FILTER, (position + 255) % 256) ^ bit(&FILTER, (position + 1) % 256);
            assert_eq!(bit(&result, position), expected, "bit {position}");
        }
    }

    #[test]
    fn noise_is_of_the_record_and_as_much_as_epsilon_says() {
        let blip = [Hardening::Blip { epsilon: 2.0 }];
        let zeros = [0_u64; 64];
        let first = hardened(&blip, &zeros, b"1");
        assert_eq!(first, hardened(&blip, &zeros, b"1"));
        assert_ne!(first, hardened(&blip, &zeros, b"2"));
        let flipped: u32 = (0..100_u8)
            .map(|record| ones(&hardened(&blip, &zeros, &[record])))
            .sum();
        let share = f64::from(flipped) / 409_600.0;
        // 1/(1+e²) = 0.1192, and 5 standard deviations of a share of 409,600 draws.
        assert!((share - 0.1192).abs() < 0.0026, "{share}");
    }
}
