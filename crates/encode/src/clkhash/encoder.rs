//! One value into the bits of a filter, with what was computed for a token kept for the next.

use std::collections::HashMap;

use zeroize::Zeroize;

use super::hash::{TokenHasher, words_of};
use super::keys::KeyPairs;
use super::python::{is_lower, is_upper, read_integer};
use super::schema::{Case, ClkSchema, Comparison, Encoding, Format, Strategy, TextEncoding};

/// What every thread needs to encode, and none alters.
pub(crate) struct FeatureEncoders<'a> {
    hashers: Vec<Option<(&'a Encoding, TokenHasher)>>,
    unfolded_bits: usize,
}

impl<'a> FeatureEncoders<'a> {
    pub(crate) fn new(schema: &'a ClkSchema, keys: &KeyPairs) -> Self {
        let hashers = schema.features.iter().enumerate().map(|(index, feature)| {
            let encoding = feature.encoding.as_ref()?;
            Some((encoding, TokenHasher::new(encoding.hash, keys.of(index))))
        });
        Self {
            hashers: hashers.collect(),
            unfolded_bits: schema.unfolded_bits,
        }
    }

    /// Checks `value` against the format of feature `index`, as clkhash does when it validates.
    pub(crate) fn check(&self, index: usize, value: &str, memory: &mut Memory) -> Result<(), String> {
        let Some((encoding, _)) = &self.hashers[index] else {
            return Ok(());
        };
        if encoding
            .missing
            .as_ref()
            .is_some_and(|missing| missing.sentinel == value)
        {
            return Ok(());
        }
        if encoding.text == TextEncoding::Ascii && !value.is_ascii() {
            return Err(NOT_ASCII.to_owned());
        }
        encoding.format.check(value, &mut memory.formatted)
    }

    /// Sets the bits of `value` in `words`.
    pub(crate) fn encode(
        &self,
        index: usize,
        value: &str,
        memory: &mut Memory,
        words: &mut [u64],
    ) -> Result<(), String> {
        let Some((encoding, hasher)) = &self.hashers[index] else {
            return Ok(());
        };
        memory.formatted.clear();
        let missing = encoding
            .missing
            .as_ref()
            .filter(|missing| missing.sentinel == value);
        let word = match (missing, &encoding.format) {
            (Some(missing), _) => &missing.replacement,
            (None, Format::Date(format)) => {
                format.reformat(value, &mut memory.formatted)?;
                &memory.formatted
            }
            (None, Format::Integer { .. }) => {
                if !read_integer(value, &mut memory.formatted) {
                    return Err(NOT_INTEGER.to_owned());
                }
                &memory.formatted
            }
            (None, Format::Enum(_) | Format::Pattern(_) | Format::Text { .. }) => value,
        };
        // Every character of a value is in one of its tokens, except where these are numbers.
        let copied = !matches!(encoding.comparison, Comparison::Numeric(_));
        if encoding.text == TextEncoding::Ascii && copied && !word.is_ascii() {
            return Err(NOT_ASCII.to_owned());
        }
        if word.is_empty() {
            return Ok(());
        }
        let mut sink = Sink {
            masks: &mut memory.masks[index],
            hasher,
            encoding,
            len_bits: self.unfolded_bits,
            words,
        };
        match &encoding.comparison {
            Comparison::Exact => sink.add(word.as_bytes(), encoding.strategy.of_token(0, 1)),
            Comparison::Numeric(numeric) => {
                let tokens = numeric.token_count();
                let mut at = 0;
                numeric.tokens(word, &mut |token| {
                    sink.add(token.as_bytes(), encoding.strategy.of_token(at, tokens));
                    at += 1;
                })?;
            }
            Comparison::Ngram { n, positional } => {
                ngrams(
                    word,
                    *n,
                    *positional,
                    &mut memory.ngrams,
                    encoding.strategy,
                    &mut sink,
                );
            }
        }
        Ok(())
    }
}

const NOT_ASCII: &str = "is not ASCII, the encoding of its feature";
const NOT_INTEGER: &str = "is not an integer";

impl Format {
    fn check(&self, value: &str, scratch: &mut String) -> Result<(), String> {
        match self {
            Self::Date(format) => {
                scratch.clear();
                Ok(format.reformat(value, scratch)?)
            }
            Self::Enum(values) => match values.contains(value) {
                true => Ok(()),
                false => Err("is none of the values of its enum".to_owned()),
            },
            Self::Integer { least, most } => {
                scratch.clear();
                if !read_integer(value, scratch) {
                    return Err(NOT_INTEGER.to_owned());
                }
                // What 64 bits do not hold is beyond every bound on its side.
                let beyond = if scratch.starts_with('-') {
                    i128::MIN
                } else {
                    i128::MAX
                };
                let value = scratch.parse::<i64>().map_or(beyond, i128::from);
                match (least, most) {
                    (Some(least), _) if value < i128::from(*least) => {
                        Err(format!("is below the minimum {least}"))
                    }
                    (_, Some(most)) if value > i128::from(*most) => {
                        Err(format!("is above the maximum {most}"))
                    }
                    _ => Ok(()),
                }
            }
            Self::Pattern(pattern) => match pattern.is_match(value) {
                true => Ok(()),
                false => Err("does not match the pattern".to_owned()),
            },
            Self::Text {
                case,
                least_chars,
                most_chars,
            } => {
                let len = value.chars().count() as u64;
                if len < *least_chars {
                    return Err(format!("is shorter than {least_chars} characters"));
                }
                if let Some(most) = most_chars.filter(|most| len > *most) {
                    return Err(format!("is longer than {most} characters"));
                }
                match case {
                    Case::Lower if !value.chars().all(is_lower) => Err("is not in lower case".to_owned()),
                    Case::Upper if !value.chars().all(is_upper) => Err("is not in upper case".to_owned()),
                    Case::Lower | Case::Mixed | Case::Upper => Ok(()),
                }
            }
        }
    }
}

impl Strategy {
    /// How often token `index` of `tokens` is inserted.
    const fn of_token(self, index: u64, tokens: u64) -> u64 {
        match self {
            Self::BitsPerToken(bits) => bits,
            Self::BitsPerFeature(bits) => bits / tokens + (index < bits % tokens) as u64,
        }
    }
}

/// Gives every n-gram of a word that is not empty to `sink`.
fn ngrams(
    word: &str,
    n: usize,
    positional: bool,
    scratch: &mut Ngrams,
    strategy: Strategy,
    sink: &mut Sink<'_>,
) {
    let Ngrams {
        padded,
        starts,
        token,
    } = scratch;
    padded.clear();
    padded.extend(std::iter::repeat_n(b' ', n - 1));
    padded.extend_from_slice(word.as_bytes());
    padded.extend(std::iter::repeat_n(b' ', n - 1));
    let ascii = word.is_ascii();
    starts.clear();
    if !ascii {
        let text = std::str::from_utf8(padded).expect("blanks around a text are a text");
        starts.extend(text.char_indices().map(|(start, _)| start));
        starts.push(padded.len());
    }
    let chars = if ascii { padded.len() } else { starts.len() - 1 };
    let count = chars + 1 - n;
    for index in 0..count {
        let ngram = if ascii {
            &padded[index..index + n]
        } else {
            &padded[starts[index]..starts[index + n]]
        };
        let insertions = strategy.of_token(index as u64, count as u64);
        if positional {
            token.clear();
            push_number(token, index + 1);
            token.push(b' ');
            token.extend_from_slice(ngram);
            sink.add(token, insertions);
        } else {
            sink.add(ngram, insertions);
        }
    }
}

fn push_number(out: &mut Vec<u8>, number: usize) {
    if number >= 10 {
        push_number(out, number / 10);
    }
    out.push(b'0' + u8::try_from(number % 10).unwrap_or(0));
}

/// Where tokens of one value go.
struct Sink<'a> {
    masks: &'a mut Masks,
    hasher: &'a TokenHasher,
    encoding: &'a Encoding,
    len_bits: usize,
    words: &'a mut [u64],
}

impl Sink<'_> {
    fn add(&mut self, token: &[u8], insertions: u64) {
        if insertions == 0 {
            return;
        }
        let by_count = matches!(self.encoding.strategy, Strategy::BitsPerFeature(_));
        let (hasher, encoding, len_bits) = (self.hasher, self.encoding, self.len_bits);
        let mask = self.masks.of(token, by_count.then_some(insertions), |words| {
            encoding
                .text
                .with_bytes(token, |bytes| hasher.insert(bytes, insertions, len_bits, words));
        });
        for (word, mask) in self.words.iter_mut().zip(mask) {
            *word |= mask;
        }
    }
}

impl TextEncoding {
    /// The bytes Python's `str.encode` gives: with a byte order mark where an encoding has two orders.
    fn with_bytes(self, utf8: &[u8], hash: impl FnOnce(&[u8])) {
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

/// What one thread keeps while it encodes. Wiped on drop.
pub(crate) struct Memory {
    masks: Vec<Masks>,
    formatted: String,
    ngrams: Ngrams,
}

#[derive(Default)]
struct Ngrams {
    padded: Vec<u8>,
    /// Where characters begin, when some are longer than a byte.
    starts: Vec<usize>,
    token: Vec<u8>,
}

impl Memory {
    pub(crate) fn new(schema: &ClkSchema) -> Self {
        let words = words_of(schema.unfolded_bits);
        Self {
            masks: schema.features.iter().map(|_| Masks::new(words)).collect(),
            formatted: String::new(),
            ngrams: Ngrams::default(),
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.formatted.zeroize();
        self.ngrams.padded.zeroize();
        self.ngrams.token.zeroize();
    }
}

/// The bits of tokens that were hashed already. Wiped on drop.
struct Masks {
    /// Where in `words` the bits of a token (and how often it is inserted) are, by number.
    index: HashMap<Box<[u8]>, usize, foldhash::fast::RandomState>,
    words: Vec<u64>,
    words_each: usize,
    key: Vec<u8>,
}

/// Bytes of masks that are kept; then the memory begins anew.
const MOST_MASK_BYTES: usize = 32 << 20;

impl Masks {
    fn new(words_each: usize) -> Self {
        Self {
            index: HashMap::default(),
            words: Vec::new(),
            words_each,
            key: Vec::new(),
        }
    }

    /// The bits of a token, computed by `compute` when they are not known.
    fn of(&mut self, token: &[u8], insertions: Option<u64>, compute: impl FnOnce(&mut [u64])) -> &[u64] {
        let key = match insertions {
            None => token,
            Some(insertions) => {
                self.key.clear();
                self.key.extend(insertions.to_le_bytes());
                self.key.extend_from_slice(token);
                &self.key
            }
        };
        let begin = match self.index.get(key) {
            Some(number) => number * self.words_each,
            None => {
                let key: Box<[u8]> = key.into();
                if (self.words.len() + self.words_each) * 8 > MOST_MASK_BYTES {
                    self.wipe();
                }
                let begin = self.words.len();
                self.index.insert(key, begin / self.words_each);
                self.words.resize(begin + self.words_each, 0);
                compute(&mut self.words[begin..]);
                begin
            }
        };
        &self.words[begin..begin + self.words_each]
    }

    fn wipe(&mut self) {
        for (mut token, _) in self.index.drain() {
            token.zeroize();
        }
        self.words.zeroize();
    }
}

impl Drop for Masks {
    fn drop(&mut self) {
        self.wipe();
        self.key.zeroize();
    }
}
