//! The public parameters of an encoding, and the attacker's own hand at it.

use std::collections::{BTreeMap, HashMap};

use corridor_core::{
    Construction, Digest, Entropy, FilterLen, FilterLenError, Filters, Measure, Profile, fill,
};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use rayon::prelude::*;
use serde::Serialize;

use crate::plain::{PlainList, PlainRecord};

/// How records become filters, key aside: what an agreement says in public. Weights come with the tokens of a
/// [`PlainList`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Scheme {
    /// Record-level Bloom filter: a token of weight w sets w different bits (Schnell, Bachteler & Reiher 2009).
    Bloom {
        /// Length of a filter.
        filter_len: FilterLen,
    },
    /// One Bloom filter per field, side by side; tokens of other fields are left out.
    Fields {
        /// Length of a whole filter.
        filter_len: FilterLen,
        /// The fields and where their bits are. Bits outside are zero.
        segments: Vec<Segment>,
    },
    /// Each layer's bit is what the weighted majority of the tokens' pseudo-random bits says, a tie being decided
    /// by a keyed bit; the layers are XORed (SAUL: Armknecht & Schäfer, PoPETs 2026(2)).
    Majority {
        /// Layers XORed.
        layers: u32,
        /// Length of a filter.
        filter_len: FilterLen,
    },
}

/// The bits of one field in a [`Scheme::Fields`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Segment {
    /// Name of the field, as before the mark in its tokens.
    pub field: String,
    /// First bit.
    pub start_bit: u32,
    /// Number of bits.
    pub len_bits: u32,
}

impl Segment {
    /// Bits `start_bit..start_bit + len_bits` of a filter, moved to the beginning.
    pub(crate) fn cut(&self, filter: &[u64]) -> Vec<u64> {
        let mut value = vec![0_u64; (self.len_bits as usize).div_ceil(64)];
        for bit in 0..self.len_bits as usize {
            let from = self.start_bit as usize + bit;
            value[bit / 64] |= (filter[from / 64] >> (from % 64) & 1) << (bit % 64);
        }
        value
    }
}

impl Scheme {
    /// The parameters of a profile over these fields, in schema order.
    ///
    /// # Errors
    /// When the parts of so many fields are longer than the longest filter.
    pub fn of<'a>(
        profile: Profile,
        fields: impl ExactSizeIterator<Item = &'a str>,
    ) -> Result<Self, FilterLenError> {
        let filter_len = profile.filter_len(fields.len())?;
        Ok(match profile.construction() {
            Construction::Majority { layers, .. } => Self::Majority { layers, filter_len },
            Construction::Bloom { .. } => Self::Bloom { filter_len },
            Construction::FieldBloom { bits } => Self::Fields {
                filter_len,
                segments: fields
                    .zip(0..)
                    .map(|(field, position)| Segment {
                        field: field.to_owned(),
                        start_bit: position * bits,
                        len_bits: bits,
                    })
                    .collect(),
            },
        })
    }

    /// Length of a filter.
    pub fn filter_len(&self) -> FilterLen {
        match self {
            Self::Bloom { filter_len }
            | Self::Fields { filter_len, .. }
            | Self::Majority { filter_len, .. } => *filter_len,
        }
    }

    /// How two filters of this scheme are compared.
    pub fn measure(&self) -> Measure {
        match self {
            Self::Bloom { .. } | Self::Fields { .. } => Measure::Dice,
            Self::Majority { .. } => Measure::Rho,
        }
    }

    /// Encodes `list` under a fresh key drawn from `entropy`, which is then forgotten. Shares no code with the
    /// offices' encoder: the two agree on what a scheme is, not on a bit.
    ///
    /// # Panics
    /// When a segment passes the end of the filter, or a token's weight the number of bits it could set.
    pub fn encode(&self, list: &PlainList, entropy: &mut dyn Entropy) -> Filters {
        let mut key = [0; 32];
        fill(entropy, &mut key);
        OwnKey { scheme: self, key }.encode(list)
    }
}

struct OwnKey<'a> {
    scheme: &'a Scheme,
    key: [u8; 32],
}

impl OwnKey<'_> {
    fn encode(&self, list: &PlainList) -> Filters {
        // A token means the same in every record of the same salt.
        let mut wanted: BTreeMap<(&str, u32, u32), ()> = BTreeMap::new();
        for record in list.records() {
            for &(token, weight) in &record.tokens {
                wanted.insert((&record.salt, token, weight), ());
            }
        }
        let wanted: Vec<_> = wanted.into_keys().collect();
        let bits: HashMap<_, _> = wanted
            .into_par_iter()
            .map(|(salt, token, weight)| ((salt, token, weight), self.token_bits(list, salt, token, weight)))
            .collect();
        let rows: Vec<Vec<u64>> = list
            .records()
            .par_iter()
            .map(|record| self.encode_record(record, &bits))
            .collect();
        let mut filters = Filters::with_capacity(self.scheme.filter_len(), rows.len());
        for row in rows {
            filters.push(&row);
        }
        filters
    }

    fn stream(&self, salt: &str, token: &str) -> ChaCha20Rng {
        let seed = Digest::of_parts(&[&self.key, salt.as_bytes(), token.as_bytes()]);
        ChaCha20Rng::from_seed(*seed.as_bytes())
    }

    fn token_bits(&self, list: &PlainList, salt: &str, token: u32, weight: u32) -> Vec<u64> {
        let mut stream = self.stream(salt, list.text(token));
        let words = self.scheme.filter_len().to_words();
        match self.scheme {
            Scheme::Bloom { filter_len } => set_bits(&mut stream, words, 0, filter_len.to_bits(), weight),
            Scheme::Fields { segments, .. } => segments
                .iter()
                .find(|segment| segment.field == list.field(token))
                .map_or_else(
                    || vec![0; words],
                    |segment| set_bits(&mut stream, words, segment.start_bit, segment.len_bits, weight),
                ),
            Scheme::Majority { layers, .. } => dense_bits(&mut stream, *layers as usize * words),
        }
    }

    fn encode_record(&self, record: &PlainRecord, bits: &HashMap<(&str, u32, u32), Vec<u64>>) -> Vec<u64> {
        let words = self.scheme.filter_len().to_words();
        let tokens = record
            .tokens
            .iter()
            .map(|&(token, weight)| (weight, &bits[&(record.salt.as_str(), token, weight)]));
        match self.scheme {
            Scheme::Bloom { .. } | Scheme::Fields { .. } => {
                let mut filter = vec![0; words];
                for (_, token_bits) in tokens {
                    for (word, token_word) in filter.iter_mut().zip(token_bits) {
                        *word |= token_word;
                    }
                }
                filter
            }
            Scheme::Majority { layers, .. } => {
                let ties = dense_bits(&mut self.stream("", "\u{1f}ties"), *layers as usize * words);
                let mut filter = vec![0; words];
                for (position, majority) in majorities(tokens, &ties).into_iter().enumerate() {
                    filter[position % words] ^= majority;
                }
                filter
            }
        }
    }
}

/// `weight` different bits among `len_bits` from `start_bit` on.
fn set_bits(stream: &mut impl Rng, words: usize, start_bit: u32, len_bits: u32, weight: u32) -> Vec<u64> {
    assert!(weight <= len_bits, "a token sets more bits than there are");
    // The largest multiple of `len_bits`: numbers from there on would favour the first bits.
    let fair = u32::MAX - u32::MAX % len_bits;
    let mut bits = vec![0_u64; words];
    let mut set = 0;
    while set < weight {
        let draw = stream.next_u32();
        if draw >= fair {
            continue;
        }
        let position = (start_bit + draw % len_bits) as usize;
        let mask = 1 << (position % 64);
        if bits[position / 64] & mask == 0 {
            bits[position / 64] |= mask;
            set += 1;
        }
    }
    bits
}

fn dense_bits(stream: &mut impl Rng, words: usize) -> Vec<u64> {
    (0..words).map(|_| stream.next_u64()).collect()
}

/// Per bit whether more than half of the weight sets it; at exactly half, the bit of `ties`.
fn majorities<'a>(tokens: impl Iterator<Item = (u32, &'a Vec<u64>)>, ties: &[u64]) -> Vec<u64> {
    // Counts of 64 neighbouring bits are kept across words: plane p holds bit p of each of the 64 counts.
    const PLANES: usize = 16;
    let mut counts = vec![[0_u64; PLANES]; ties.len()];
    let mut total = 0;
    for (weight, bits) in tokens {
        total += weight;
        for (planes, &word) in counts.iter_mut().zip(bits) {
            for shift in (0..32).filter(|shift| weight >> shift & 1 == 1) {
                let mut carry = word;
                for plane in &mut planes[shift..] {
                    (*plane, carry) = (*plane ^ carry, *plane & carry);
                    if carry == 0 {
                        break;
                    }
                }
            }
        }
    }
    assert!(total < 1 << PLANES, "votes of one record");
    let planes_used = (u32::BITS - total.leading_zeros()) as usize;
    counts
        .iter()
        .zip(ties)
        .map(|(planes, tie)| {
            (0..64).fold(0, |word, bit| {
                let count: u64 = (0..planes_used)
                    .map(|plane| (planes[plane] >> bit & 1) << plane)
                    .sum();
                let set = match (2 * count).cmp(&u64::from(total)) {
                    std::cmp::Ordering::Less => 0,
                    std::cmp::Ordering::Equal => tie >> bit & 1,
                    std::cmp::Ordering::Greater => 1,
                };
                word | set << bit
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use corridor_core::SeededEntropy;

    use super::*;

    fn list() -> PlainList {
        let mut list = PlainList::new();
        list.push("", [("n\u{1f}al", 3), ("s\u{1f}m", 2)]);
        list.push("", [("n\u{1f}al", 3), ("s\u{1f}m", 2)]);
        list.push("1980", [("n\u{1f}al", 3), ("s\u{1f}m", 2)]);
        list
    }

    fn ones(filter: &[u64]) -> u32 {
        filter.iter().map(|word| word.count_ones()).sum()
    }

    #[test]
    fn a_key_a_salt_and_nothing_else_change_the_bits() {
        let len = FilterLen::try_from(1024).unwrap();
        for scheme in [
            Scheme::Bloom { filter_len: len },
            Scheme::Majority {
                layers: 3,
                filter_len: len,
            },
        ] {
            let encode = |seed| scheme.encode(&list(), &mut SeededEntropy::new(seed, "key"));
            let filters = encode(1);
            assert_eq!(filters, encode(1));
            assert_ne!(filters, encode(2));
            assert_eq!(filters.row(0), filters.row(1));
            assert_ne!(filters.row(0), filters.row(2));
        }
    }

    #[test]
    fn a_token_sets_as_many_bits_as_it_weighs_inside_its_segment() {
        let scheme = Scheme::Fields {
            filter_len: FilterLen::try_from(128).unwrap(),
            segments: vec![Segment {
                field: "s".to_owned(),
                start_bit: 70,
                len_bits: 20,
            }],
        };
        let filters = scheme.encode(&list(), &mut SeededEntropy::new(1, "key"));
        assert_eq!(ones(filters.row(0)), 2);
        assert_eq!(filters.row(0)[0], 0);
        assert_eq!(filters.row(0)[1] & !(0xf_ffff << 6), 0);
    }

    #[test]
    fn the_majority_decides_and_a_tie_is_decided_by_the_key() {
        let (a, b, c) = (vec![0b1100], vec![0b1010], vec![0b1000]);
        assert_eq!(
            majorities([(1, &a), (1, &b), (1, &c)].into_iter(), &[0]),
            [0b1000]
        );
        assert_eq!(majorities([(1, &a), (1, &b)].into_iter(), &[0b0011]), [0b1010]);
        assert_eq!(majorities([(3, &a), (1, &b), (1, &c)].into_iter(), &[0b1111]), a);
    }
}
