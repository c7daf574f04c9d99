use std::collections::BTreeSet;

use serde_json::Value;

use super::convert::{to_version_2, to_version_3};
use super::date::DateFormat;
use super::document::{self, Object, Place, Version, required, text};
use super::error::ClkError;
use super::hash::HashKind;
use super::keys::{KEYS_PER_FEATURE, Kdf, KdfHash, decode_base64};
use super::numeric::{Distance, MOST_RESOLUTION, Numeric};
use super::pattern::Pattern;

/// A linkage schema of clkhash, of version 1, 2 or 3.
#[derive(Debug, Clone)]
pub struct ClkSchema {
    pub(crate) features: Vec<Feature>,
    pub(crate) kdf: Kdf,
    /// Bits of an encoding.
    pub(crate) len_bits: usize,
    /// Bits of a filter before it is folded.
    pub(crate) unfolded_bits: usize,
    notes: Vec<String>,
}

/// What to do with `xorFolds`, which clkhash documents and does not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum XorFolds {
    /// Fold as often as `xorFolds` says. No encoding of clkhash 0.18.3 is like that.
    Honour,
    /// Ignore `xorFolds` as clkhash 0.18.3 does, which reads `xor_folds`.
    #[default]
    LikeClkhash,
}

/// One column of the people's file.
#[derive(Debug, Clone)]
pub(crate) struct Feature {
    pub(crate) identifier: String,
    /// `None` when the column is ignored.
    pub(crate) encoding: Option<Encoding>,
}

/// How a column is checked and encoded.
#[derive(Debug, Clone)]
pub(crate) struct Encoding {
    pub(crate) format: Format,
    pub(crate) text: TextEncoding,
    pub(crate) comparison: Comparison,
    pub(crate) strategy: Strategy,
    pub(crate) hash: HashKind,
    pub(crate) missing: Option<Missing>,
}

/// What values of a column look like.
#[derive(Debug, Clone)]
pub(crate) enum Format {
    Date(DateFormat),
    Enum(BTreeSet<String>),
    Integer {
        least: Option<i64>,
        most: Option<i64>,
    },
    Pattern(Pattern),
    Text {
        case: Case,
        least_chars: u64,
        most_chars: Option<u64>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Case {
    Lower,
    Mixed,
    Upper,
}

/// The bytes of a token that are hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextEncoding {
    Ascii,
    Utf16,
    Utf32,
    Utf8,
}

/// How a value is cut into tokens.
#[derive(Debug, Clone)]
pub(crate) enum Comparison {
    Exact,
    Ngram { n: usize, positional: bool },
    Numeric(Numeric),
}

/// How often a token is inserted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strategy {
    BitsPerFeature(u64),
    BitsPerToken(u64),
}

/// The value that stands for none, and what is encoded for it.
#[derive(Debug, Clone)]
pub(crate) struct Missing {
    pub(crate) sentinel: String,
    pub(crate) replacement: String,
}

/// Longest filter, before folding: 16 MiB each.
const MOST_BITS: usize = 1 << 27;

/// Longest n-gram.
const MOST_N: usize = 1 << 16;

/// Longest key of BLAKE2b.
const MOST_BLAKE_KEY_BYTES: usize = 64;

/// Most digits after the point: more than a float has anywhere.
const MOST_PRECISION: u64 = 4000;

impl ClkSchema {
    /// Reads a schema from JSON, with the same checks as clkhash 0.18.3.
    ///
    /// # Errors
    /// When clkhash refuses the schema or fails on every record because of it, when its encodings depend on the machine
    /// (date formats `%c`, `%x`, `%X` and `%Z`), when a pattern has groups that are referred to, are atomic or have
    /// conditions, when an integer of clkhash's options is written as a float where clkhash then fails or computes with
    /// floats, and when sizes are out of reason. The error names the place in the JSON.
    pub fn from_json(json: &str, folds: XorFolds) -> Result<Self, ClkError> {
        let schema: Value = serde_json::from_str(json).map_err(|error| ClkError::Json {
            problem: error.to_string(),
        })?;
        let version = document::version_of(&schema)?;
        document::check(&schema, version)?;
        let mut notes = document::ignored(&schema, version);
        let folded = folds_of(&schema, folds, &mut notes)?;
        let latest = match version {
            Version::V1 => to_version_3(&to_version_2(&schema)?),
            Version::V2 => to_version_3(&schema),
            Version::V3 => schema,
        };
        document::check(&latest, Version::V3).map_err(|error| as_converted(error, version))?;
        let mut read = Self::build(&latest, folded)?;
        read.notes = notes;
        Ok(read)
    }

    /// What clkhash ignores in the schema, and therefore is ignored here. One sentence each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Bits of every encoding.
    pub const fn len_bits(&self) -> usize {
        self.len_bits
    }

    /// Columns that the people's file must have.
    pub const fn column_count(&self) -> usize {
        self.features.len()
    }

    /// A schema out of a checked document of version 3.
    fn build(schema: &Value, folds: u64) -> Result<Self, ClkError> {
        let root = Place::ROOT;
        let config = document::object(&schema["clkConfig"], &root)?;
        let place = root.key("clkConfig");
        let l = place.key("l");
        let len_bits = count(&config["l"], &l)?;
        let unfolded_bits = u32::try_from(folds)
            .ok()
            .and_then(|folds| 1_u64.checked_shl(folds))
            .and_then(|parts| parts.checked_mul(len_bits))
            .and_then(|bits| usize::try_from(bits).ok())
            .filter(|bits| *bits <= MOST_BITS)
            .ok_or_else(|| {
                l.wrong(format!(
                    "with its folds the filter is longer than {MOST_BITS} bits: make it shorter"
                ))
            })?;
        let mut features = Vec::new();
        let features_place = root.key("features");
        for (index, feature) in schema["features"].as_array().into_iter().flatten().enumerate() {
            features.push(Feature::build(
                feature,
                unfolded_bits,
                &features_place.index(index),
            )?);
        }
        if features.is_empty() {
            return Err(features_place.wrong("it must have a feature"));
        }
        let kdf = build_kdf(&config["kdf"], &features, &place.key("kdf"))?;
        Ok(Self {
            features,
            kdf,
            len_bits: usize::try_from(len_bits).unwrap_or(unfolded_bits),
            unfolded_bits,
            notes: Vec::new(),
        })
    }
}

/// How often filters are folded, with a note on what is ignored.
fn folds_of(schema: &Value, folds: XorFolds, notes: &mut Vec<String>) -> Result<u64, ClkError> {
    let root = Place::ROOT;
    let place = root.key("clkConfig");
    let config = &schema["clkConfig"];
    let read = match config.get("xor_folds") {
        None => 0,
        // In Python, true and false are 1 and 0.
        Some(Value::Bool(value)) => u64::from(*value),
        Some(value) => count(value, &place.key("xor_folds"))?,
    };
    let Some(documented) = config.get("xorFolds") else {
        return Ok(read);
    };
    if folds == XorFolds::LikeClkhash {
        if documented.as_f64() != Some(read as f64) {
            notes.push(format!(
                "'clkConfig.xorFolds' is ignored, as by clkhash 0.18.3, which documents it but reads 'xor_folds': \
                 encodings are folded {read} times, not {documented}"
            ));
        }
        return Ok(read);
    }
    let documented = count(documented, &place.key("xorFolds"))?;
    if config.get("xor_folds").is_some() && read != documented {
        return Err(place.wrong("'xorFolds' and 'xor_folds' say different things: remove one"));
    }
    Ok(documented)
}

/// Says of an error that it is in what a schema of an older version was turned into.
fn as_converted(error: ClkError, version: Version) -> ClkError {
    let number = match version {
        Version::V1 => 1,
        Version::V2 => 2,
        Version::V3 => return error,
    };
    if let ClkError::Schema { path, problem } = error {
        return ClkError::Schema {
            path: format!("turned from version {number} into 3, {path}"),
            problem,
        };
    }
    error
}

/// A count, which clkhash's arithmetic needs as an integer.
fn count(value: &Value, place: &Place<'_>) -> Result<u64, ClkError> {
    value.as_u64().ok_or_else(|| {
        place.wrong("it must be an integer of reasonable size, at least 0 and written without a point")
    })
}

/// A count that clkhash turns into an integer itself, or only compares: it may be written with a point.
fn lenient_count(value: &Value, place: &Place<'_>) -> Result<u64, ClkError> {
    whole(value, place)
        .and_then(|value| u64::try_from(value).map_err(|_| place.wrong("it must be at least 0")))
}

fn whole(value: &Value, place: &Place<'_>) -> Result<i64, ClkError> {
    // Below this every whole float is one integer.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    value
        .as_i64()
        .or_else(|| {
            let float = value
                .as_f64()
                .filter(|float| !value.is_u64() && float.abs() < EXACT)?;
            (float.fract() == 0.0).then_some(float as i64)
        })
        .ok_or_else(|| place.wrong("it must be an integer that 64 bits hold"))
}

fn build_kdf(kdf: &Value, features: &[Feature], place: &Place<'_>) -> Result<Kdf, ClkError> {
    let hash = match kdf.get("hash").and_then(Value::as_str) {
        Some("SHA512") => KdfHash::Sha512,
        _ => KdfHash::Sha256,
    };
    let bytes = |key: &str| {
        kdf.get(key)
            .and_then(Value::as_str)
            .map(|text| {
                decode_base64(text).ok_or_else(|| place.key(key).wrong("it must be base64, with its padding"))
            })
            .transpose()
    };
    let size = place.key("keySize");
    let key_bytes = kdf.get("keySize").map_or(Ok(64), |value| count(value, &size))?;
    let key_bytes = usize::try_from(key_bytes)
        .ok()
        .filter(|bytes| {
            bytes
                .checked_mul(KEYS_PER_FEATURE * features.len())
                .is_some_and(|all| all <= hash.most_bytes())
        })
        .ok_or_else(|| {
            size.wrong(format!(
                "the keys of {} features ({KEYS_PER_FEATURE} each) are more than the {} bytes HKDF gives: make keys \
                 shorter, or take SHA512",
                features.len(),
                hash.most_bytes()
            ))
        })?;
    let blake = |feature: &Feature| {
        feature
            .encoding
            .as_ref()
            .is_some_and(|e| e.hash == HashKind::Blake)
    };
    if key_bytes > MOST_BLAKE_KEY_BYTES && features.iter().any(blake) {
        return Err(size.wrong(format!(
            "blakeHash takes keys of {MOST_BLAKE_KEY_BYTES} bytes at most: make it shorter"
        )));
    }
    Ok(Kdf {
        hash,
        salt: bytes("salt")?,
        info: bytes("info")?.unwrap_or_default(),
        key_bytes,
    })
}

impl Feature {
    fn build(feature: &Value, unfolded_bits: usize, place: &Place<'_>) -> Result<Self, ClkError> {
        let object = document::object(feature, place)?;
        let identifier = text(required(object, "identifier", place)?, &place.key("identifier"))?.to_owned();
        if object.get("ignored") == Some(&Value::Bool(true)) {
            return Ok(Self {
                identifier,
                encoding: None,
            });
        }
        let format_place = place.key("format");
        let format = document::object(&feature["format"], &format_place)?;
        let hashing_place = place.key("hashing");
        let hashing = document::object(&feature["hashing"], &hashing_place)?;
        let encoding = Encoding {
            format: build_format(format, &format_place)?,
            text: match format.get("encoding").and_then(Value::as_str) {
                Some("ascii") => TextEncoding::Ascii,
                Some("utf-16") => TextEncoding::Utf16,
                Some("utf-32") => TextEncoding::Utf32,
                _ => TextEncoding::Utf8,
            },
            comparison: build_comparison(&hashing["comparison"], &hashing_place.key("comparison"))?,
            strategy: build_strategy(&hashing["strategy"], &hashing_place.key("strategy"))?,
            hash: build_hash(hashing.get("hash"), unfolded_bits, &hashing_place.key("hash"))?,
            missing: hashing.get("missingValue").map(|missing| {
                let of = |key: &str| missing.get(key).and_then(Value::as_str);
                let sentinel = of("sentinel").unwrap_or_default();
                Missing {
                    sentinel: sentinel.to_owned(),
                    replacement: of("replaceWith").unwrap_or(sentinel).to_owned(),
                }
            }),
        };
        Ok(Self {
            identifier,
            encoding: Some(encoding),
        })
    }
}

fn build_format(format: &Object, place: &Place<'_>) -> Result<Format, ClkError> {
    let of = |key: &str| format.get(key).and_then(Value::as_str);
    Ok(match of("type") {
        Some("date") => {
            let strptime = of("format").unwrap_or_default();
            Format::Date(
                DateFormat::try_new(strptime)
                    .map_err(|problem| place.key("format").wrong(format!("the date format {problem}")))?,
            )
        }
        Some("enum") => {
            let values = format.get("values").and_then(Value::as_array);
            let texts = values.into_iter().flatten().filter_map(Value::as_str);
            Format::Enum(texts.map(str::to_owned).collect())
        }
        Some("integer") => {
            let bound = |key: &str| {
                format
                    .get(key)
                    .map(|value| whole(value, &place.key(key)))
                    .transpose()
            };
            Format::Integer {
                least: bound("minimum")?,
                most: bound("maximum")?,
            }
        }
        _ => match of("pattern") {
            Some(pattern) => Format::Pattern(Pattern::try_new(pattern).map_err(|problem| {
                place
                    .key("pattern")
                    .wrong(format!("the regular expression {problem}"))
            })?),
            None => {
                let bound = |key: &str| {
                    let value = format.get(key);
                    value
                        .map(|value| lenient_count(value, &place.key(key)))
                        .transpose()
                };
                Format::Text {
                    case: match of("case") {
                        Some("lower") => Case::Lower,
                        Some("upper") => Case::Upper,
                        _ => Case::Mixed,
                    },
                    least_chars: bound("minLength")?.unwrap_or(0),
                    most_chars: bound("maxLength")?,
                }
            }
        },
    })
}

fn build_comparison(comparison: &Value, place: &Place<'_>) -> Result<Comparison, ClkError> {
    match comparison["type"].as_str() {
        Some("numeric") => {
            let distance_place = place.key("thresholdDistance");
            let distance = &comparison["thresholdDistance"];
            // An integer beyond 64 bits is read as a float, and would be taken for another number.
            let distance = match (distance.as_u64(), distance.as_f64()) {
                (Some(distance), _) => Distance::Integer(distance),
                (None, Some(float)) if float.fract() != 0.0 || float < 9_007_199_254_740_992.0 => {
                    Distance::Float(float)
                }
                _ => return Err(distance_place.wrong("it is too large: make it smaller")),
            };
            let resolution_place = place.key("resolution");
            let resolution = count(&comparison["resolution"], &resolution_place)?;
            if resolution > MOST_RESOLUTION {
                return Err(resolution_place.wrong(format!("it must be at most {MOST_RESOLUTION}")));
            }
            let precision_place = place.key("fractional_precision");
            let precision = comparison
                .get("fractional_precision")
                .map_or(Ok(0), |value| count(value, &precision_place))?;
            if precision > MOST_PRECISION {
                return Err(precision_place.wrong(format!("it must be at most {MOST_PRECISION}")));
            }
            let precision = usize::try_from(precision).unwrap_or(0);
            Numeric::try_new(distance, resolution, precision)
                .map(Comparison::Numeric)
                .map_err(|problem| {
                    distance_place.wrong(format!("it {problem}: raise fractional_precision or it"))
                })
        }
        Some("ngram") => {
            let n_place = place.key("n");
            let n = usize::try_from(count(&comparison["n"], &n_place)?)
                .ok()
                .filter(|n| *n <= MOST_N)
                .ok_or_else(|| n_place.wrong(format!("it must be at most {MOST_N}")))?;
            Ok(Comparison::Ngram {
                n,
                positional: comparison.get("positional") == Some(&Value::Bool(true)),
            })
        }
        _ => Ok(Comparison::Exact),
    }
}

fn build_strategy(strategy: &Value, place: &Place<'_>) -> Result<Strategy, ClkError> {
    match (strategy.get("bitsPerToken"), strategy.get("bitsPerFeature")) {
        (Some(bits), _) => lenient_count(bits, &place.key("bitsPerToken")).map(Strategy::BitsPerToken),
        (None, bits) => {
            let bits = bits.unwrap_or(&Value::Null);
            let place = place.key("bitsPerFeature");
            let bits = lenient_count(bits, &place)?;
            // Python divides it as a float.
            if bits > 1 << 50 {
                return Err(place.wrong("it is too large: make it smaller"));
            }
            Ok(Strategy::BitsPerFeature(bits))
        }
    }
}

fn build_hash(hash: Option<&Value>, unfolded_bits: usize, place: &Place<'_>) -> Result<HashKind, ClkError> {
    let prevent = hash
        .and_then(|hash| hash.get("prevent_singularity"))
        .filter(|value| !value.is_null());
    let prevent_place = place.key("prevent_singularity");
    if hash.is_some_and(|hash| hash["type"] == "doubleHash") {
        let prevent_singularity = prevent == Some(&Value::Bool(true));
        if prevent_singularity && unfolded_bits == 1 {
            return Err(prevent_place.wrong("every token of a filter of 1 bit is singular: make l larger"));
        }
        return Ok(HashKind::Double { prevent_singularity });
    }
    if prevent.is_some() {
        return Err(prevent_place.wrong("it is for doubleHash only: remove it, or take doubleHash"));
    }
    if !unfolded_bits.is_power_of_two() {
        return Err(place.wrong(format!(
            "blakeHash needs a power of two bits, and clkConfig asks for {unfolded_bits}: change l, or take doubleHash"
        )));
    }
    Ok(HashKind::Blake)
}
