//! One value into the bits of a filter, with what was computed for a token kept for the next.

use zeroize::Zeroize;

use super::hash::{TokenHasher, words_of};
use super::keys::KeyPairs;
use super::python::{is_lower, is_upper, read_integer};
use super::schema::{Case, ClkSchema, Comparison, Encoding, Format, Strategy, TextEncoding};
use super::tokens::{Sink, Token, TokenCache};

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
            cache: &mut memory.caches[index],
            hasher,
            encoding,
            len_bits: self.unfolded_bits,
            words,
        };
        match &encoding.comparison {
            Comparison::Exact => sink.add(Token::of(word.as_bytes()), encoding.strategy.of_token(0, 1)),
            Comparison::Numeric(numeric) => {
                let tokens = numeric.token_count();
                let mut at = 0;
                numeric.tokens(word, &mut |token| {
                    sink.add(
                        Token::of(token.as_bytes()),
                        encoding.strategy.of_token(at, tokens),
                    );
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
    let Ngrams { padded, starts } = scratch;
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
        sink.add(
            Token {
                position: if positional { index as u64 + 1 } else { 0 },
                text: ngram,
            },
            insertions,
        );
    }
}

/// What one thread keeps while it encodes. Wiped on drop.
pub(crate) struct Memory {
    caches: Vec<TokenCache>,
    formatted: String,
    ngrams: Ngrams,
}

#[derive(Default)]
struct Ngrams {
    padded: Vec<u8>,
    /// Where characters begin, when some are longer than a byte.
    starts: Vec<usize>,
}

impl Memory {
    pub(crate) fn new(schema: &ClkSchema) -> Self {
        let words = words_of(schema.unfolded_bits);
        Self {
            caches: schema.features.iter().map(|_| TokenCache::new(words)).collect(),
            formatted: String::new(),
            ngrams: Ngrams::default(),
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.formatted.zeroize();
        self.ngrams.padded.zeroize();
    }
}
