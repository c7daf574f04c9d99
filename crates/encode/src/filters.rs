//! From tokens to filters, for each profile.

use std::collections::{BTreeSet, HashMap};

use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit, StreamCipher};
use corridor_core::Profile;
use zeroize::{Zeroize, Zeroizing};

use crate::key::{KeyUse, LinkageKey, hmac_sha256};
use crate::schema::{EncodingSchema, MatchField};

/// Layers XORed in the majority profile.
const LAYERS: usize = 3;

/// Turns token sets into filters under one key and schema, remembering the bits of tokens seen before.
///
/// The memory lives as long as the encoder and is wiped with it. Encoders of the same key and schema give
/// the same bits, whatever they met before.
pub(crate) struct FilterEncoder<'a> {
    schema: &'a EncodingSchema,
    keys: HashMap<MatchField, Zeroizing<[u8; 32]>>,
    tie_break: Vec<u64>,
    cache: HashMap<(MatchField, String), Vec<u64>>,
    counters: Vec<u64>,
}

/// Tokens remembered at most; names of a whole country have fewer bigrams, and dates are bounded.
const CACHED_TOKENS: usize = 1 << 15;

impl<'a> FilterEncoder<'a> {
    pub(crate) fn new(schema: &'a EncodingSchema, key: &LinkageKey) -> Self {
        let keys = schema
            .fields()
            .iter()
            .map(|&field| (field, key.derive(KeyUse::Encode, field.as_str(), "")))
            .collect();
        let tie_key = key.derive(KeyUse::Encode, "tie_break", "");
        let words = schema.profile().filter_len().to_words();
        Self {
            schema,
            keys,
            tie_break: keystream(&tie_key, b"", LAYERS * words),
            cache: HashMap::new(),
            counters: Vec::new(),
        }
    }

    /// The filter of a token set, as words (see `corridor_core::Filters` for the order of bits).
    pub(crate) fn encode(&mut self, tokens: &BTreeSet<(MatchField, String)>) -> Vec<u64> {
        match self.schema.profile() {
            Profile::Clk1024 => self.encode_bloom(tokens),
            Profile::Saul3x2048 => self.encode_majority(tokens),
        }
    }

    /// Classic record-level Bloom filter: each token sets `weight` different bits (Schnell, Bachteler &
    /// Reiher 2009), drawn without bias from its keystream.
    fn encode_bloom(&mut self, tokens: &BTreeSet<(MatchField, String)>) -> Vec<u64> {
        let words = self.schema.profile().filter_len().to_words();
        let mut filter = vec![0; words];
        for token in tokens {
            for (word, bits) in filter.iter_mut().zip(self.token_bits(token)) {
                *word |= bits;
            }
        }
        filter
    }

    /// Each layer's bit is set when more than half of the (weighted) tokens set it, a tie being decided by a
    /// keyed token of weight one half; the layers are XORed (Armknecht & Schäfer, PoPETs 2026(2)).
    ///
    /// Tokens are counted in vertical counters: plane `p` of a word holds bit `p` of the 64 counts.
    fn encode_majority(&mut self, tokens: &BTreeSet<(MatchField, String)>) -> Vec<u64> {
        let words = self.schema.profile().filter_len().to_words();
        let total: u32 = tokens.iter().map(|(field, _)| self.schema.weight(*field)).sum();
        let planes = usize::try_from(u32::BITS - total.leading_zeros()).expect("at most 32");
        let mut counters = std::mem::take(&mut self.counters);
        counters.clear();
        counters.resize(LAYERS * words * planes, 0);
        for token in tokens {
            let weight = self.schema.weight(token.0);
            let bits = self.token_bits(token);
            for (column, &word) in counters.chunks_exact_mut(planes).zip(bits) {
                for _ in 0..weight {
                    let mut carry = word;
                    for plane in column.iter_mut() {
                        (*plane, carry) = (*plane ^ carry, *plane & carry);
                        if carry == 0 {
                            break;
                        }
                    }
                }
            }
        }
        let half = total / 2;
        let mut filter = vec![0; words];
        for (position, column) in counters.chunks_exact(planes).enumerate() {
            // From the highest plane down: which counts are above `half`, and which still equal it.
            let (mut above, mut equal) = (0, !0);
            for (plane, &counts) in column.iter().enumerate().rev() {
                if half >> plane & 1 == 1 {
                    equal &= counts;
                } else {
                    above |= equal & counts;
                    equal &= !counts;
                }
            }
            let ties = if total.is_multiple_of(2) { equal } else { 0 };
            filter[position % words] ^= above | ties & self.tie_break[position];
        }
        counters.zeroize();
        self.counters = counters;
        filter
    }

    fn token_bits(&mut self, token: &(MatchField, String)) -> &[u64] {
        if self.cache.len() >= CACHED_TOKENS {
            self.wipe_cache();
        }
        if !self.cache.contains_key(token) {
            let bits = self.compute_token_bits(token);
            self.cache.insert(token.clone(), bits);
        }
        &self.cache[token]
    }

    fn compute_token_bits(&self, (field, token): &(MatchField, String)) -> Vec<u64> {
        let words = self.schema.profile().filter_len().to_words();
        let key = &self.keys[field];
        match self.schema.profile() {
            Profile::Saul3x2048 => keystream(key, token.as_bytes(), LAYERS * words),
            Profile::Clk1024 => {
                let wanted = self.schema.weight(*field);
                let mut stream = Keystream::new(key, token.as_bytes());
                let mut bits = vec![0_u64; words];
                let mut set = 0;
                while set < wanted {
                    // 1,024 divides 65,536, so the low bits of two bytes are uniform.
                    let position = usize::from(stream.next_u16() & 1023);
                    let mask = 1 << (position % 64);
                    if bits[position / 64] & mask == 0 {
                        bits[position / 64] |= mask;
                        set += 1;
                    }
                }
                bits
            }
        }
    }

    fn wipe_cache(&mut self) {
        for ((_, mut token), mut bits) in self.cache.drain() {
            token.zeroize();
            bits.zeroize();
        }
    }
}

impl Drop for FilterEncoder<'_> {
    fn drop(&mut self) {
        self.wipe_cache();
        self.tie_break.zeroize();
        self.counters.zeroize();
    }
}

/// ChaCha20 keystream (RFC 8439; nonce 0, counter from 0) under HMAC-SHA256(key, token).
struct Keystream(ChaCha20);

impl Keystream {
    fn new(key: &[u8; 32], token: &[u8]) -> Self {
        let seed = hmac_sha256(key, &[token]);
        Self(ChaCha20::new((&*seed).into(), &[0; 12].into()))
    }

    fn next_u16(&mut self) -> u16 {
        let mut bytes = [0; 2];
        self.0.apply_keystream(&mut bytes);
        u16::from_le_bytes(bytes)
    }
}

fn keystream(key: &[u8; 32], token: &[u8], words: usize) -> Vec<u64> {
    let mut bytes = Zeroizing::new(vec![0; words * 8]);
    Keystream::new(key, token).0.apply_keystream(&mut bytes);
    bytes
        .chunks_exact(8)
        .map(|chunk| u64::from_le_bytes(chunk.try_into().expect("eight bytes")))
        .collect()
}
