//! From records to filters, for each profile.

use std::ops::Range;

use corridor_core::Construction;
use hashbrown::HashMap;
use zeroize::{Zeroize, Zeroizing};

use crate::birth::BirthDate;
use crate::fields::{MatchField, address_tokens, birth_tokens, country_token, postcode_tokens, sex_token};
use crate::harden::Hardener;
use crate::key::{KeyUse, LinkageKey};
use crate::keystream::Keystream;
use crate::majority::majority;
use crate::normalise;
use crate::record::Record;
use crate::schema::EncodingSchema;

/// Turns records into filters under one key and schema, remembering the tokens of texts and the bits of tokens met before.
///
/// The memory lives as long as the encoder and is wiped with it. Encoders of the same key and schema give
/// the same bits, whatever they met before.
pub(crate) struct FilterEncoder<'a> {
    schema: &'a EncodingSchema,
    key: &'a LinkageKey,
    hardener: Hardener,
    /// Words of a filter before hardening.
    words: usize,
    /// Words of the bits of one token.
    stride: usize,
    /// What was met under each salt.
    memory: HashMap<Salt, Memory>,
    /// By token: its field's position in the schema, its bits, and the record it was met in last.
    token_fields: Vec<usize>,
    token_bits: Vec<u64>,
    last_records: Vec<u64>,
    /// Tokens of the texts in memory.
    text_tokens: Vec<u32>,
    text_count: usize,
    record: u64,
    /// Distinct tokens of the record at hand.
    record_tokens: Vec<u32>,
    layers: Vec<u64>,
}

/// Keys of one salt, and the tokens met under it.
#[derive(Default)]
struct Memory {
    /// Of each field of the schema, in its order.
    fields: Vec<FieldMemory>,
    /// Tokens of a text met before, as a range of `text_tokens`.
    texts: [HashMap<String, Range<usize>>; TextKind::COUNT],
    dates: HashMap<BirthDate, DateTokens>,
    tie_break: Zeroizing<Vec<u64>>,
}

/// Tokens of a birth date, of which there are at most six.
#[derive(Clone, Copy, Default)]
struct DateTokens {
    ids: [u32; 6],
    len: usize,
}

struct FieldMemory {
    key: Zeroizing<[u8; 32]>,
    tokens: HashMap<String, u32>,
}

/// The birth year that chooses the keys, in profiles salted by it; `None` in other profiles and without a year.
type Salt = Option<i16>;

/// What a text is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum TextKind {
    Names,
    Address,
    Postcode,
}

impl TextKind {
    const COUNT: usize = 3;

    const fn index(self) -> usize {
        match self {
            Self::Names => 0,
            Self::Address => 1,
            Self::Postcode => 2,
        }
    }
}

/// Bytes of token bits remembered at most; names of a whole country have fewer bigrams, and dates are bounded.
const CACHED_TOKEN_BYTES: usize = 24 << 20;

/// Texts remembered at most.
const CACHED_TEXTS: usize = 1 << 16;

impl<'a> FilterEncoder<'a> {
    pub(crate) fn new(schema: &'a EncodingSchema, key: &'a LinkageKey) -> Self {
        let len = schema
            .profile()
            .filter_len(schema.weights().len())
            .expect("a schema checks its length");
        let layers = match schema.profile().construction() {
            Construction::Majority { layers, .. } => usize::try_from(layers).expect("a few"),
            Construction::Bloom { .. } | Construction::FieldBloom { .. } => 1,
        };
        Self {
            schema,
            key,
            hardener: Hardener::new(schema.hardenings(), len, key),
            words: len.to_words(),
            stride: layers * len.to_words(),
            memory: HashMap::new(),
            token_fields: Vec::new(),
            token_bits: Vec::new(),
            last_records: Vec::new(),
            text_tokens: Vec::new(),
            text_count: 0,
            record: 0,
            record_tokens: Vec::new(),
            layers: vec![0; layers * len.to_words()],
        }
    }

    /// Puts the filter of `record` into `filter`, as words (see `corridor_core::Filters` for the order of bits), or says
    /// that it has fewer tokens than the schema asks for. `noise` is what record-level noise depends on besides the key.
    #[must_use]
    pub(crate) fn encode(&mut self, record: &Record, noise: &[u8], filter: &mut Vec<u64>) -> bool {
        if self.token_bits.len() * 8 >= CACHED_TOKEN_BYTES {
            self.wipe_cache();
        }
        if self.text_count >= CACHED_TEXTS {
            self.wipe_texts();
        }
        let salt = self.salt_of(record);
        let mut memory = self.memory.remove(&salt).unwrap_or_else(|| self.to_memory(salt));
        self.collect_tokens(&mut memory, record);
        let enough =
            self.record_tokens.len() >= usize::try_from(self.schema.minimum_tokens()).expect("small");
        if enough {
            filter.clear();
            filter.resize(self.words, 0);
            match self.schema.profile().construction() {
                Construction::Bloom { .. } | Construction::FieldBloom { .. } => self.set_bits(filter),
                Construction::Majority { .. } => self.vote(&memory.tie_break, filter),
            }
            self.hardener.harden(filter, noise);
        }
        self.memory.insert(salt, memory);
        enough
    }

    /// Keys of a salt met for the first time, and no tokens yet.
    fn to_memory(&self, salt: Salt) -> Memory {
        let salt_text = salt.map_or_else(String::new, |year| format!("{year:04}"));
        let derive = |label: &str| self.key.derive(KeyUse::Encode, label, &salt_text);
        let mut tie_break = Zeroizing::new(Vec::new());
        if let Construction::Majority { .. } = self.schema.profile().construction() {
            tie_break.resize(self.stride, 0);
            Keystream::new(&derive("tie_break"), b"").fill(&mut tie_break);
        }
        let to_field = |field: MatchField| FieldMemory {
            key: derive(field.as_str()),
            tokens: HashMap::new(),
        };
        Memory {
            fields: self.schema.fields().map(to_field).collect(),
            tie_break,
            ..Memory::default()
        }
    }

    fn salt_of(&self, record: &Record) -> Salt {
        if self.schema.profile().is_salted_by_birth_year() {
            record.birth.year
        } else {
            None
        }
    }

    /// Classic Bloom filter: each token sets as many different bits as its field's weight (Schnell, Bachteler & Reiher
    /// 2009), drawn without bias from its keystream.
    fn set_bits(&self, filter: &mut [u64]) {
        let (chunks, rest) = filter.as_chunks_mut::<8>();
        let rest_start = 8 * chunks.len();
        for (position, chunk) in chunks.iter_mut().enumerate() {
            // All tokens for a few words at a time, so that those stay in registers.
            let mut set = [0; 8];
            for &token in &self.record_tokens {
                let bits = &self.bits_of(token)[8 * position..][..8];
                set.iter_mut().zip(bits).for_each(|(word, bits)| *word |= bits);
            }
            *chunk = set;
        }
        for &token in &self.record_tokens {
            let bits = &self.bits_of(token)[rest_start..];
            rest.iter_mut().zip(bits).for_each(|(word, bits)| *word |= bits);
        }
    }

    /// Each layer's bit is set when more than half of the (weighted) tokens set it, a tie being decided by a
    /// keyed token of weight one half; the layers are XORed (Armknecht & Schäfer, PoPETs 2026(2)).
    fn vote(&mut self, tie_break: &[u64], filter: &mut [u64]) {
        let mut layers = std::mem::take(&mut self.layers);
        let mut votes: Vec<&[u64]> = Vec::with_capacity(2 * self.record_tokens.len());
        for &token in &self.record_tokens {
            let weight = self.schema.weights()[self.token_fields[to_index(token)]].weight;
            votes.extend((0..weight).map(|_| self.bits_of(token)));
        }
        majority(&votes, tie_break, &mut layers);
        for layer in layers.chunks_exact(self.words) {
            filter
                .iter_mut()
                .zip(layer)
                .for_each(|(word, bits)| *word ^= bits);
        }
        self.layers = layers;
    }

    fn bits_of(&self, token: u32) -> &[u64] {
        &self.token_bits[to_index(token) * self.stride..][..self.stride]
    }

    /// Puts the distinct tokens of `record` into `record_tokens`.
    fn collect_tokens(&mut self, memory: &mut Memory, record: &Record) {
        self.record += 1;
        self.record_tokens.clear();
        let schema = self.schema;
        if schema.fields().any(MatchField::is_of_names) {
            self.collect_text(memory, TextKind::Names, &record.given_names);
            self.collect_text(memory, TextKind::Names, &record.family_names);
        }
        for (position, field) in schema.fields().enumerate() {
            let token = match field {
                MatchField::BirthDate => {
                    self.collect_date(memory, record.birth);
                    None
                }
                MatchField::Sex => sex_token(record.sex),
                MatchField::Citizenship => record.citizenship.as_ref().map(country_token),
                MatchField::BirthCountry => record.birth_country.as_ref().map(country_token),
                MatchField::Address => {
                    self.collect_text(memory, TextKind::Address, &record.address);
                    None
                }
                MatchField::Postcode => {
                    self.collect_text(memory, TextKind::Postcode, &record.postcode);
                    None
                }
                // Collected above.
                MatchField::Names | MatchField::NameKeys | MatchField::Phonetic => None,
            };
            if let Some(token) = token {
                let id = self.id_of(memory, position, token);
                self.collect(id);
            }
        }
    }

    fn collect(&mut self, token: u32) {
        let last = &mut self.last_records[to_index(token)];
        if *last != self.record {
            *last = self.record;
            self.record_tokens.push(token);
        }
    }

    fn collect_date(&mut self, memory: &mut Memory, birth: BirthDate) {
        if birth.year.is_none() {
            return;
        }
        let tokens = match memory.dates.get(&birth) {
            Some(tokens) => *tokens,
            None => {
                let position = self.position_of(MatchField::BirthDate);
                let mut tokens = DateTokens::default();
                birth_tokens(birth, !self.schema.profile().is_salted_by_birth_year(), |token| {
                    tokens.ids[tokens.len] = self.id_of(memory, position, token);
                    tokens.len += 1;
                });
                memory.dates.insert(birth, tokens);
                tokens
            }
        };
        for &id in &tokens.ids[..tokens.len] {
            self.collect(id);
        }
    }

    fn collect_text(&mut self, memory: &mut Memory, kind: TextKind, text: &str) {
        if text.is_empty() {
            return;
        }
        let known = memory.texts[kind.index()].get(text).cloned();
        let range = known.unwrap_or_else(|| self.tokenise_text(memory, kind, text));
        for position in range {
            self.collect(self.text_tokens[position]);
        }
    }

    fn tokenise_text(&mut self, memory: &mut Memory, kind: TextKind, text: &str) -> Range<usize> {
        let start = self.text_tokens.len();
        let mut ids = Vec::new();
        match kind {
            TextKind::Address => {
                let position = self.position_of(MatchField::Address);
                address_tokens(text, |token| ids.push(self.id_of(memory, position, token)));
            }
            TextKind::Postcode => {
                let position = self.position_of(MatchField::Postcode);
                postcode_tokens(text, |token| ids.push(self.id_of(memory, position, token)));
            }
            TextKind::Names => {
                let mut words = normalise::words(text);
                let fields = self.schema.fields().enumerate();
                for (position, field) in fields.filter(|(_, field)| field.is_of_names()) {
                    field.name_tokens(&words, |token| ids.push(self.id_of(memory, position, token)));
                }
                words.zeroize();
            }
        }
        ids.sort_unstable();
        ids.dedup();
        self.text_tokens.append(&mut ids);
        let range = start..self.text_tokens.len();
        self.text_count += 1;
        memory.texts[kind.index()].insert(text.to_owned(), range.clone());
        range
    }

    fn position_of(&self, field: MatchField) -> usize {
        let position = self.schema.fields().position(|other| other == field);
        position.expect("tokens are of the schema's fields")
    }

    fn id_of(&mut self, memory: &mut Memory, position: usize, token: &str) -> u32 {
        let field = &mut memory.fields[position];
        if let Some(id) = field.tokens.get(token) {
            return *id;
        }
        let id = u32::try_from(self.last_records.len()).expect("tokens are bounded by the cache");
        self.last_records.push(0);
        self.token_fields.push(position);
        self.compute_bits(position, Keystream::new(&field.key, token.as_bytes()));
        field.tokens.insert(token.to_owned(), id);
        id
    }

    /// Appends the bits of a token met for the first time.
    fn compute_bits(&mut self, position: usize, mut stream: Keystream) {
        let start = self.token_bits.len();
        self.token_bits.resize(start + self.stride, 0);
        let bits = &mut self.token_bits[start..];
        let weight = self.schema.weights()[position].weight;
        match self.schema.profile().construction() {
            Construction::Majority { .. } => stream.fill(bits),
            Construction::Bloom { bits: range } => set_different_bits(bits, range, weight, &mut stream),
            Construction::FieldBloom { bits: range } => {
                let part_words = usize::try_from(range / 64).expect("at most 64");
                let part = &mut bits[position * part_words..][..part_words];
                set_different_bits(part, range, weight, &mut stream);
            }
        }
    }

    fn wipe_texts(&mut self) {
        for memory in self.memory.values_mut() {
            for (mut text, _) in memory.texts.iter_mut().flat_map(HashMap::drain) {
                text.zeroize();
            }
        }
        self.text_tokens.zeroize();
        self.text_count = 0;
    }

    fn wipe_cache(&mut self) {
        self.wipe_texts();
        for (_, memory) in self.memory.drain() {
            for (mut token, _) in memory.fields.into_iter().flat_map(|field| field.tokens) {
                token.zeroize();
            }
        }
        self.token_fields.clear();
        self.token_bits.zeroize();
        self.last_records.clear();
    }
}

/// Sets `count` different bits of the first `range`, a power of two of at most 65,536, every set of them equally likely.
fn set_different_bits(bits: &mut [u64], range: u32, count: u32, stream: &mut Keystream) {
    // Such a range divides 65,536, so the low bits of two bytes are uniform.
    let mask = u16::try_from(range - 1).expect("at most 65,535");
    let mut set = 0;
    while set < count {
        let position = usize::from(stream.next_u16() & mask);
        let bit = 1 << (position % 64);
        if bits[position / 64] & bit == 0 {
            bits[position / 64] |= bit;
            set += 1;
        }
    }
}

fn to_index(token: u32) -> usize {
    usize::try_from(token).expect("32 bits fit")
}

impl Drop for FilterEncoder<'_> {
    fn drop(&mut self) {
        self.wipe_cache();
        self.layers.zeroize();
    }
}
