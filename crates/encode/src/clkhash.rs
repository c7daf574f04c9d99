//! The encoding of clkhash 0.18.3 (Data61, CSIRO), bit for bit.
//!
//! A linkage schema ([`ClkSchema`]) of clkhash says which columns a file of people has, what values they hold, how these
//! are cut into tokens and how often each token sets a bit of the record's filter; the positions come from a secret both
//! data owners hold ([`ClkSecret`]). [`encode_clks`] gives the same base64 for the same schema, secret and file as clkhash,
//! so that records encoded here can be linked with records encoded there.
//!
//! The encoding is for interoperability. It is that of Schnell et al. (2009) with its weaknesses: it withstands only a linkage
//! unit that has no list of the people. Between offices that are free to choose, take the profiles of
//! [`EncodingSchema`](crate::EncodingSchema).
//!
//! ```
//! use corridor_encode::clkhash::{ClkOptions, ClkSchema, ClkSecret, XorFolds, encode_clks};
//!
//! let schema = r#"{"version": 3,
//!     "clkConfig": {"l": 64, "kdf": {"type": "HKDF"}},
//!     "features": [{"identifier": "name", "format": {"type": "string"}, "hashing": {
//!         "comparison": {"type": "ngram", "n": 2}, "strategy": {"bitsPerToken": 3}}}]}"#;
//! let schema = ClkSchema::from_json(schema, XorFolds::LikeClkhash)?;
//! let secret = ClkSecret::from_file_bytes(b"horse stable".to_vec())?;
//! let mut clks = Vec::new();
//! let people: &[u8] = b"name\nAmina\nMarco\n";
//! encode_clks(people, &schema, &secret, ClkOptions::default(), &mut clks, &|_| {})?;
//! assert_eq!(String::from_utf8(clks)?, r#"{"clks": ["kkoUIgBQYOA=", "BhwwAQKxIIA="]}"#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where it cannot be the same
//! clkhash's behaviour is that of Python 3.11 on Linux: Unicode 14, English names of months, years below 1000 without
//! leading zeros. The file is read as anonlink-client opens it, with `\r\n` and `\r` for `\n` inside quotes, too. What would be
//! encoded differently is refused: see [`ClkSchema::from_json`].
//!
//! # References
//! clkhash 0.18.3, <https://github.com/data61/clkhash>; Schnell, Bachteler & Reiher 2009; Vatsalan & Christen 2016 (numbers);
//! RFC 2104, 5869, 7693.

mod base64;
mod convert;
mod date;
mod document;
mod encoder;
mod error;
#[cfg(test)]
mod golden;
mod hash;
mod job;
mod keys;
mod numeric;
mod pattern;
mod python;
mod rows;
mod schema;
mod tokens;

pub use error::ClkError;
pub use job::{ClkHeader, ClkOptions, ClkReport, encode_clks};
pub use keys::ClkSecret;
pub use schema::{ClkSchema, XorFolds};
