//! One token into the bits of a filter, with what was computed for a token kept for the next.
//!
//! A short token is found by its bytes as a number, in a table that one step of a multiplicative hash enters; a long one by
//! a map of the library. Where every token is inserted equally often, all its bits are kept as a filter; where the number
//! depends on the value, the positions are, of which each value sets the first few.

use std::collections::HashMap;

use zeroize::Zeroize;

use super::hash::{TokenHasher, set_bit};
use super::schema::{Comparison, Encoding, Format, Strategy, TextEncoding};

/// A token: a text, with its place in the value in front of it when that counts.
#[derive(Clone, Copy)]
pub(crate) struct Token<'a> {
    /// From 1; 0 for none.
    pub(crate) position: u64,
    pub(crate) text: &'a [u8],
}

impl<'a> Token<'a> {
    /// A token without a place.
    pub(crate) const fn of(text: &'a [u8]) -> Self {
        Self { position: 0, text }
    }

    /// Writes the token as it is hashed, before its encoding.
    fn write(self, out: &mut Vec<u8>) {
        if self.position > 0 {
            push_number(out, self.position);
            out.push(b' ');
        }
        out.extend_from_slice(self.text);
    }
}

fn push_number(out: &mut Vec<u8>, number: u64) {
    if number >= 10 {
        push_number(out, number / 10);
    }
    out.push(b'0' + u8::try_from(number % 10).unwrap_or(0));
}

/// Where tokens of one value go.
pub(crate) struct Sink<'a> {
    pub(crate) cache: &'a mut TokenCache,
    pub(crate) hasher: &'a TokenHasher,
    pub(crate) encoding: &'a Encoding,
    pub(crate) len_bits: usize,
    pub(crate) words: &'a mut [u64],
}

/// Most positions that are kept as a list: beyond, a filter is smaller.
const MOST_LISTED: u64 = 64;

/// Lists are so many positions long, or a multiple.
const LIST_STEP: u64 = 32;

impl Sink<'_> {
    /// Inserts a token so many times.
    #[inline]
    pub(crate) fn add(&mut self, token: Token<'_>, insertions: u64) {
        if insertions == 0 {
            return;
        }
        let per_value = matches!(self.encoding.strategy, Strategy::BitsPerFeature(_));
        // A date has always as many tokens, and a number, so that their tokens are inserted equally often, too.
        let varies = matches!(self.encoding.comparison, Comparison::Ngram { .. })
            && !matches!(self.encoding.format, Format::Date(_));
        if per_value && varies && insertions <= MOST_LISTED {
            let len = insertions.div_ceil(LIST_STEP) * LIST_STEP;
            let list = self.kept(token, Kept::Positions(len));
            let list = &self.cache.positions[list..][..usize::try_from(insertions).unwrap_or(0)];
            for position in list {
                set_bit(self.words, *position as usize);
            }
            return;
        }
        let mask = self.kept(
            token,
            Kept::Mask(if per_value { insertions } else { 0 }, insertions),
        );
        let mask = &self.cache.masks[mask..][..self.cache.words_each];
        for (word, mask) in self.words.iter_mut().zip(mask) {
            *word |= mask;
        }
    }

    /// Where what is kept of a token begins.
    #[inline]
    fn kept(&mut self, token: Token<'_>, kept: Kept) -> usize {
        let Some(key) = ShortKey::of(token, kept) else {
            return self.kept_long(token, kept);
        };
        if let Some(begin) = self.cache.short.find(key) {
            return begin;
        }
        let begin = self.compute(token, kept);
        self.cache.short.insert(key, begin);
        begin
    }

    #[cold]
    fn kept_long(&mut self, token: Token<'_>, kept: Kept) -> usize {
        let mut key = std::mem::take(&mut self.cache.key);
        key.clear();
        key.extend(kept.number().to_le_bytes());
        token.write(&mut key);
        let found = self.cache.long.get(key.as_slice()).copied();
        let begin = found.unwrap_or_else(|| {
            let begin = self.compute(token, kept);
            self.cache.long.insert(key.as_slice().into(), begin);
            begin
        });
        self.cache.key = key;
        begin
    }

    /// Hashes a token that is not known.
    #[cold]
    fn compute(&mut self, token: Token<'_>, kept: Kept) -> usize {
        let cache = &mut *self.cache;
        if cache.masks.len() * 8 + cache.positions.len() * 4 > MOST_CACHE_BYTES {
            cache.wipe();
        }
        let mut bytes = std::mem::take(&mut cache.token);
        bytes.clear();
        token.write(&mut bytes);
        let (hasher, len_bits) = (self.hasher, self.len_bits);
        let begin = match kept {
            Kept::Mask(_, insertions) => {
                let begin = cache.masks.len();
                cache.masks.resize(begin + cache.words_each, 0);
                let mask = &mut cache.masks[begin..];
                self.encoding.text.with_bytes(&bytes, |bytes| {
                    hasher.positions(bytes, insertions, len_bits, |position| set_bit(mask, position));
                });
                begin
            }
            Kept::Positions(len) => {
                let begin = cache.positions.len();
                let positions = &mut cache.positions;
                self.encoding.text.with_bytes(&bytes, |bytes| {
                    hasher.positions(bytes, len, len_bits, |position| {
                        positions.push(u32::try_from(position).expect("filters are shorter"));
                    });
                });
                // Fewer positions than that come round again in a short filter.
                let first = positions[begin];
                positions.resize(begin + usize::try_from(len).unwrap_or(0), first);
                begin
            }
        };
        cache.token = bytes;
        begin
    }
}

/// What is kept of a token.
#[derive(Clone, Copy)]
enum Kept {
    /// A filter, with what tells it from others of the token and how often the token is inserted.
    Mask(u64, u64),
    /// So many positions.
    Positions(u64),
}

impl Kept {
    /// Tells what is kept of a token from what else is.
    const fn number(self) -> u64 {
        match self {
            Self::Mask(number, _) => number << 1,
            Self::Positions(len) => len << 1 | 1,
        }
    }
}

/// What was hashed already, of one feature. Wiped on drop.
pub(crate) struct TokenCache {
    short: ShortTable,
    long: HashMap<Box<[u8]>, usize, foldhash::fast::RandomState>,
    masks: Vec<u64>,
    positions: Vec<u32>,
    words_each: usize,
    key: Vec<u8>,
    token: Vec<u8>,
}

/// Bytes of masks and positions that are kept; then the cache begins anew.
const MOST_CACHE_BYTES: usize = 32 << 20;

impl TokenCache {
    /// A cache for filters of so many words.
    pub(crate) fn new(words_each: usize) -> Self {
        Self {
            short: ShortTable::new(),
            long: HashMap::default(),
            masks: Vec::new(),
            positions: Vec::new(),
            words_each,
            key: Vec::new(),
            token: Vec::new(),
        }
    }

    fn wipe(&mut self) {
        self.short.wipe();
        for (mut token, _) in self.long.drain() {
            token.zeroize();
        }
        self.masks.zeroize();
        self.positions.zeroize();
        self.token.zeroize();
    }
}

impl Drop for TokenCache {
    fn drop(&mut self) {
        self.wipe();
        self.key.zeroize();
    }
}

/// A token of 1 to 7 bytes and what is kept of it, as numbers.
#[derive(Clone, Copy, PartialEq, Eq)]
struct ShortKey {
    /// The bytes, below their number.
    text: u64,
    /// The position, above what is kept.
    place: u64,
}

impl ShortKey {
    #[inline]
    fn of(token: Token<'_>, kept: Kept) -> Option<Self> {
        let number = u32::try_from(kept.number()).ok()?;
        let position = u32::try_from(token.position).ok()?;
        if !(1..=7).contains(&token.text.len()) {
            return None;
        }
        let text = token
            .text
            .iter()
            .fold(token.text.len() as u64, |text, byte| text << 8 | u64::from(*byte));
        Some(Self {
            text,
            place: u64::from(position) << 32 | u64::from(number),
        })
    }
}

/// Where what is kept of short tokens begins. Half of the slots are free at least.
struct ShortTable {
    slots: Vec<(ShortKey, u64)>,
    filled: usize,
}

/// No token: every one has its length above its bytes.
const FREE: (ShortKey, u64) = (ShortKey { text: 0, place: 0 }, 0);

/// Slots to begin with.
const FIRST_SLOTS: usize = 1 << 10;

impl ShortTable {
    fn new() -> Self {
        Self {
            slots: vec![FREE; FIRST_SLOTS],
            filled: 0,
        }
    }

    fn slot_of(&self, key: ShortKey) -> usize {
        let mixed = key
            .text
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .wrapping_add(key.place);
        let mixed = mixed.wrapping_mul(0xd6e8_feb8_6659_fd93);
        // The highest bits depend on all others.
        usize::try_from(mixed >> (64 - self.slots.len().trailing_zeros())).unwrap_or(0)
    }

    #[inline]
    fn find(&self, key: ShortKey) -> Option<usize> {
        let mut slot = self.slot_of(key);
        loop {
            let (found, begin) = self.slots[slot];
            if found == key {
                return usize::try_from(begin).ok();
            }
            if found == FREE.0 {
                return None;
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
    }

    fn insert(&mut self, key: ShortKey, begin: usize) {
        if (self.filled + 1) * 2 > self.slots.len() {
            let slots = vec![FREE; self.slots.len() * 2];
            let mut old = std::mem::replace(&mut self.slots, slots);
            for (key, begin) in old.iter().filter(|(key, _)| *key != FREE.0) {
                self.place(*key, *begin);
            }
            wipe_slots(&mut old);
        }
        self.place(key, begin as u64);
        self.filled += 1;
    }

    fn place(&mut self, key: ShortKey, begin: u64) {
        let mut slot = self.slot_of(key);
        while self.slots[slot].0 != FREE.0 {
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        self.slots[slot] = (key, begin);
    }

    fn wipe(&mut self) {
        wipe_slots(&mut self.slots);
        self.filled = 0;
    }
}

fn wipe_slots(slots: &mut [(ShortKey, u64)]) {
    for (key, begin) in slots {
        key.text.zeroize();
        key.place.zeroize();
        begin.zeroize();
    }
}

impl TextEncoding {
    /// The bytes Python's `str.encode` gives: with a byte order mark where an encoding has two orders.
    pub(crate) fn with_bytes(self, utf8: &[u8], hash: impl FnOnce(&[u8])) {
        let units = |unit: fn(&mut Vec<u8>, char), mark: &[u8]| {
            let text = std::str::from_utf8(utf8).expect("tokens are texts");
            let mut bytes = mark.to_vec();
            text.chars().for_each(|c| unit(&mut bytes, c));
            bytes
        };
        match self {
            Self::Ascii | Self::Utf8 => hash(utf8),
            Self::Utf16 => {
                let push: fn(&mut Vec<u8>, char) = |bytes, c| {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        bytes.extend(unit.to_le_bytes());
                    }
                };
                hash(&zeroize::Zeroizing::new(units(push, &[0xff, 0xfe])));
            }
            Self::Utf32 => {
                let push: fn(&mut Vec<u8>, char) = |bytes, c| bytes.extend(u32::from(c).to_le_bytes());
                hash(&zeroize::Zeroizing::new(units(push, &[0xff, 0xfe, 0, 0])));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_tokens_are_kept_apart_and_found_again() {
        let mut table = ShortTable::new();
        let texts: Vec<Vec<u8>> = (0..5000_u32)
            .flat_map(|n| {
                [
                    n.to_string().into_bytes(),
                    vec![b'0'; n as usize % 8],
                    vec![0; n as usize % 8],
                ]
            })
            .collect();
        let mut known = HashMap::new();
        for (number, text) in texts.iter().enumerate() {
            for (position, kept) in [
                (0, Kept::Mask(0, 9)),
                (7, Kept::Mask(0, 9)),
                (7, Kept::Positions(32)),
                (7, Kept::Mask(32, 32)),
            ] {
                let Some(key) = ShortKey::of(Token { position, text }, kept) else {
                    assert!(text.len() > 7 || text.is_empty());
                    continue;
                };
                let full = (text.clone(), position, kept.number());
                assert_eq!(table.find(key), known.get(&full).copied(), "{full:?}");
                known.entry(full).or_insert_with(|| {
                    table.insert(key, number);
                    number
                });
            }
        }
        assert!(table.filled > FIRST_SLOTS);
        table.wipe();
        assert!(table.slots.iter().all(|slot| *slot == FREE));
    }
}
