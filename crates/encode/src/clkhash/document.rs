//! Which JSON is a linkage schema of clkhash: the same that clkhash 0.18.3 takes for one of its versions 1, 2 and 3.
//!
//! clkhash checks a schema against a JSON Schema of its version, turns it into version 3 and checks that again; so does
//! [`check`] with its caller. Where clkhash's JSON Schema says nothing of a key, the key is allowed here, too; [`ignored`]
//! names those that do nothing.

use serde_json::{Map, Value};

use super::error::ClkError;

/// A version of clkhash's linkage schemas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    V1,
    V2,
    V3,
}

/// A place in the JSON.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    parent: Option<&'a Self>,
    key: &'a str,
    index: Option<usize>,
}

impl<'a> Place<'a> {
    pub(crate) const ROOT: Self = Self {
        parent: None,
        key: "",
        index: None,
    };

    pub(crate) const fn key(&'a self, key: &'a str) -> Self {
        Self {
            parent: Some(self),
            key,
            index: None,
        }
    }

    pub(crate) const fn index(&'a self, index: usize) -> Self {
        Self {
            parent: Some(self),
            key: "",
            index: Some(index),
        }
    }

    /// An error here.
    pub(crate) fn wrong(&self, problem: impl Into<String>) -> ClkError {
        let path = self.to_string();
        ClkError::Schema {
            path: if path.is_empty() {
                "the schema".to_owned()
            } else {
                path
            },
            problem: problem.into(),
        }
    }
}

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some(parent) = self.parent else {
            return Ok(());
        };
        parent.fmt(f)?;
        match self.index {
            Some(index) => write!(f, "[{index}]"),
            None if parent.parent.is_none() => f.write_str(self.key),
            None => write!(f, ".{}", self.key),
        }
    }
}

pub(crate) type Object = Map<String, Value>;

type Outcome<T = ()> = Result<T, ClkError>;

/// An object.
pub(crate) fn object<'v>(value: &'v Value, place: &Place<'_>) -> Outcome<&'v Object> {
    value
        .as_object()
        .ok_or_else(|| place.wrong("it must be an object"))
}

/// What a key must be there for.
pub(crate) fn required<'v>(object: &'v Object, key: &str, place: &Place<'_>) -> Outcome<&'v Value> {
    object
        .get(key)
        .ok_or_else(|| place.wrong(format!("'{key}' is missing: add it")))
}

fn optional<'v>(object: &'v Object, key: &str, check: impl FnOnce(&'v Value) -> Outcome) -> Outcome {
    object.get(key).map_or(Ok(()), check)
}

/// A text.
pub(crate) fn text<'v>(value: &'v Value, place: &Place<'_>) -> Outcome<&'v str> {
    value.as_str().ok_or_else(|| place.wrong("it must be a text"))
}

fn boolean(value: &Value, place: &Place<'_>) -> Outcome {
    value
        .is_boolean()
        .then_some(())
        .ok_or_else(|| place.wrong("it must be true or false"))
}

/// One of some texts.
fn one_of(value: &Value, allowed: &[&str], place: &Place<'_>) -> Outcome {
    if value.as_str().is_some_and(|text| allowed.contains(&text)) {
        return Ok(());
    }
    Err(place.wrong(format!("it must be \"{}\"", allowed.join("\" or \""))))
}

fn only(object: &Object, allowed: &[&str], place: &Place<'_>) -> Outcome {
    match object.keys().find(|key| !allowed.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => Err(place.key(key).wrong(format!(
            "'{key}' is not allowed here: remove it; allowed are {}",
            allowed.join(", ")
        ))),
    }
}

/// An integer from `least` on; a float without fraction is one from version 2 on.
fn integer(value: &Value, least: Option<i64>, version: Version, place: &Place<'_>) -> Outcome {
    let whole = match value.as_f64() {
        Some(_) if value.is_i64() || value.is_u64() => true,
        Some(float) => version != Version::V1 && float.fract() == 0.0,
        None => false,
    };
    if !whole {
        return Err(place.wrong("it must be an integer"));
    }
    least_of(value, least, place)
}

fn least_of(value: &Value, least: Option<i64>, place: &Place<'_>) -> Outcome {
    let Some(least) = least else {
        return Ok(());
    };
    let enough = match (value.as_i64(), value.as_f64()) {
        (Some(integer), _) => integer >= least,
        (None, Some(float)) => float >= least as f64,
        (None, None) => false,
    };
    enough
        .then_some(())
        .ok_or_else(|| place.wrong(format!("it must be at least {least}")))
}

/// Whether Python takes a value for true.
pub(crate) fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(object) => !object.is_empty(),
    }
}

/// The version a schema says it has.
pub(crate) fn version_of(schema: &Value) -> Outcome<Version> {
    let root = Place::ROOT;
    let version = required(object(schema, &root)?, "version", &root)?;
    let numbers = [(1.0, Version::V1), (2.0, Version::V2), (3.0, Version::V3)];
    numbers
        .into_iter()
        .find(|(number, _)| version.as_f64() == Some(*number))
        .map(|(_, version)| version)
        .ok_or_else(|| {
            root.key("version")
                .wrong("it must be 1, 2 or 3, the versions that clkhash 0.18.3 has")
        })
}

/// Checks a schema against the rules of a version.
pub(crate) fn check(schema: &Value, version: Version) -> Outcome {
    let root = Place::ROOT;
    let schema = object(schema, &root)?;
    check_config(
        required(schema, "clkConfig", &root)?,
        version,
        &root.key("clkConfig"),
    )?;
    let place = root.key("features");
    let features = required(schema, "features", &root)?
        .as_array()
        .ok_or_else(|| place.wrong("it must be an array"))?;
    for (index, feature) in features.iter().enumerate() {
        check_feature(feature, version, &place.index(index))?;
    }
    Ok(())
}

fn check_config(config: &Value, version: Version, place: &Place<'_>) -> Outcome {
    let config = object(config, place)?;
    integer(required(config, "l", place)?, Some(1), version, &place.key("l"))?;
    check_kdf(required(config, "kdf", place)?, version, &place.key("kdf"))?;
    optional(config, "xorFolds", |folds| {
        integer(folds, Some(0), version, &place.key("xorFolds"))
    })?;
    if version == Version::V1 {
        integer(required(config, "k", place)?, Some(1), version, &place.key("k"))?;
        check_hash(required(config, "hash", place)?, &place.key("hash"))?;
    }
    Ok(())
}

fn check_kdf(kdf: &Value, version: Version, place: &Place<'_>) -> Outcome {
    let kdf = object(kdf, place)?;
    one_of(required(kdf, "type", place)?, &["HKDF"], &place.key("type"))?;
    optional(kdf, "hash", |hash| {
        one_of(hash, &["SHA256", "SHA512"], &place.key("hash"))
    })?;
    for key in ["salt", "info"] {
        optional(kdf, key, |value| text(value, &place.key(key)).map(drop))?;
    }
    optional(kdf, "keySize", |size| {
        integer(size, Some(1), version, &place.key("keySize"))
    })
}

fn check_hash(hash: &Value, place: &Place<'_>) -> Outcome {
    let hash = object(hash, place)?;
    let kind = required(hash, "type", place)?;
    one_of(kind, &["doubleHash", "blakeHash"], &place.key("type"))?;
    if kind == "doubleHash" {
        optional(hash, "prevent_singularity", |value| {
            boolean(value, &place.key("prevent_singularity"))
        })?;
    }
    Ok(())
}

/// A feature is either encoded or ignored; what would be both is neither.
fn check_feature(feature: &Value, version: Version, place: &Place<'_>) -> Outcome {
    let feature = object(feature, place)?;
    text(required(feature, "identifier", place)?, &place.key("identifier"))?;
    optional(feature, "description", |value| {
        text(value, &place.key("description")).map(drop)
    })?;
    match (
        check_encoded(feature, version, place),
        check_ignored(feature, version, place),
    ) {
        (Ok(()), Ok(())) => {
            Err(place
                .wrong("an ignored feature cannot have 'format' and 'hashing': remove them, or 'ignored'"))
        }
        (Ok(()), Err(_)) | (Err(_), Ok(())) => Ok(()),
        (Err(_), Err(ignored)) if feature.get("ignored") == Some(&Value::Bool(true)) => Err(ignored),
        (Err(encoded), Err(_)) => Err(encoded),
    }
}

fn check_ignored(feature: &Object, version: Version, place: &Place<'_>) -> Outcome {
    if feature.get("ignored") != Some(&Value::Bool(true)) {
        return Err(place.key("ignored").wrong("it must be true"));
    }
    if version == Version::V3 {
        only(feature, &["identifier", "ignored", "description"], place)?;
    }
    Ok(())
}

fn check_encoded(feature: &Object, version: Version, place: &Place<'_>) -> Outcome {
    if version == Version::V3 {
        optional(feature, "ignored", |value| boolean(value, &place.key("ignored")))?;
    }
    check_format(required(feature, "format", place)?, version, &place.key("format"))?;
    check_hashing(
        required(feature, "hashing", place)?,
        version,
        &place.key("hashing"),
    )
}

fn check_format(format: &Value, version: Version, place: &Place<'_>) -> Outcome {
    let format = object(format, place)?;
    let kind = required(format, "type", place)?;
    one_of(kind, &["string", "integer", "date", "enum"], &place.key("type"))?;
    let allowed: &[&str] = match kind.as_str() {
        Some("string") if format.contains_key("pattern") => &["type", "encoding", "pattern", "description"],
        Some("string") => &[
            "type",
            "encoding",
            "case",
            "minLength",
            "maxLength",
            "description",
        ],
        Some("integer") => &["type", "minimum", "maximum", "description"],
        Some("date") => &["type", "format", "description"],
        _ => &["type", "values", "description"],
    };
    only(format, allowed, place)?;
    for key in ["description", "pattern"] {
        optional(format, key, |value| text(value, &place.key(key)).map(drop))?;
    }
    optional(format, "encoding", |value| {
        one_of(
            value,
            &["ascii", "utf-8", "utf-16", "utf-32"],
            &place.key("encoding"),
        )
    })?;
    optional(format, "case", |value| {
        one_of(value, &["upper", "lower", "mixed"], &place.key("case"))
    })?;
    for (key, least) in [
        ("minLength", Some(0)),
        ("maxLength", Some(1)),
        ("minimum", None),
        ("maximum", None),
    ] {
        optional(format, key, |value| {
            integer(value, least, version, &place.key(key))
        })?;
    }
    if kind == "date" {
        text(required(format, "format", place)?, &place.key("format"))?;
    }
    if kind == "enum" {
        let (parent, place) = (place, place.key("values"));
        let values = required(format, "values", parent)?
            .as_array()
            .ok_or_else(|| place.wrong("it must be an array of texts"))?;
        for (index, value) in values.iter().enumerate() {
            text(value, &place.index(index))?;
        }
    }
    Ok(())
}

fn check_hashing(hashing: &Value, version: Version, place: &Place<'_>) -> Outcome {
    let hashing = object(hashing, place)?;
    match version {
        Version::V1 => {
            let ngram = required(hashing, "ngram", place)?;
            integer(ngram, Some(0), version, &place.key("ngram"))?;
            optional(hashing, "weight", |weight| {
                if weight.is_number() {
                    least_of(weight, Some(0), &place.key("weight"))
                } else {
                    Err(place.key("weight").wrong("it must be a number"))
                }
            })?;
        }
        Version::V2 => {
            only(
                hashing,
                &["hash", "strategy", "ngram", "positional", "missingValue"],
                place,
            )?;
            let ngram = required(hashing, "ngram", place)?;
            integer(ngram, Some(1), version, &place.key("ngram"))?;
            check_strategy(
                required(hashing, "strategy", place)?,
                version,
                &place.key("strategy"),
            )?;
        }
        Version::V3 => {
            only(
                hashing,
                &["hash", "strategy", "comparison", "missingValue"],
                place,
            )?;
            let comparison = required(hashing, "comparison", place)?;
            check_comparison(comparison, version, &place.key("comparison"))?;
            check_strategy(
                required(hashing, "strategy", place)?,
                version,
                &place.key("strategy"),
            )?;
        }
    }
    if version != Version::V3 {
        optional(hashing, "positional", |value| {
            boolean(value, &place.key("positional"))
        })?;
    }
    if version != Version::V1 {
        optional(hashing, "hash", |hash| check_hash(hash, &place.key("hash")))?;
    }
    optional(hashing, "missingValue", |missing| {
        let place = place.key("missingValue");
        let missing = object(missing, &place)?;
        text(required(missing, "sentinel", &place)?, &place.key("sentinel"))?;
        optional(missing, "replaceWith", |value| {
            text(value, &place.key("replaceWith")).map(drop)
        })
    })
}

fn check_strategy(strategy: &Value, version: Version, place: &Place<'_>) -> Outcome {
    let strategy = object(strategy, place)?;
    let names = match version {
        Version::V1 | Version::V2 => ["k", "numBits"],
        Version::V3 => ["bitsPerToken", "bitsPerFeature"],
    };
    let found: Vec<&str> = names
        .into_iter()
        .filter(|name| strategy.contains_key(*name))
        .collect();
    let [name] = found[..] else {
        return Err(place.wrong(format!("it must have one of '{}' and '{}'", names[0], names[1])));
    };
    if version == Version::V3 {
        only(strategy, &[name], place)?;
        integer(&strategy[name], Some(1), version, &place.key(name))?;
    }
    Ok(())
}

fn check_comparison(comparison: &Value, version: Version, place: &Place<'_>) -> Outcome {
    let comparison = object(comparison, place)?;
    let kind = required(comparison, "type", place)?;
    one_of(kind, &["ngram", "exact", "numeric"], &place.key("type"))?;
    if kind == "ngram" {
        integer(
            required(comparison, "n", place)?,
            Some(1),
            version,
            &place.key("n"),
        )?;
        optional(comparison, "positional", |value| {
            boolean(value, &place.key("positional"))
        })?;
    }
    if kind == "numeric" {
        let distance = required(comparison, "thresholdDistance", place)?;
        if !distance.as_f64().is_some_and(|distance| distance > 0.0) {
            return Err(place
                .key("thresholdDistance")
                .wrong("it must be a number above 0"));
        }
        let resolution = required(comparison, "resolution", place)?;
        integer(resolution, Some(1), version, &place.key("resolution"))?;
        optional(comparison, "fractional_precision", |value| {
            integer(value, Some(0), version, &place.key("fractional_precision"))
        })?;
    }
    Ok(())
}

/// Keys of a schema that clkhash 0.18.3 reads past, as notes.
pub(crate) fn ignored(schema: &Value, version: Version) -> Vec<String> {
    let mut notes = Vec::new();
    let mut look = |value: Option<&Value>, known: &[&str], place: &Place<'_>| {
        let keys = value.and_then(Value::as_object).into_iter().flat_map(Map::keys);
        for key in keys.filter(|key| !known.contains(&key.as_str())) {
            let meant = match key.as_str() {
                "fractionalPrecision" => ", which reads 'fractional_precision'",
                "preventSingularity" => ", which reads 'prevent_singularity'",
                _ => "",
            };
            notes.push(format!(
                "'{}' is ignored, as by clkhash 0.18.3{meant}",
                place.key(key)
            ));
        }
    };
    let root = Place::ROOT;
    look(Some(schema), &["version", "clkConfig", "features"], &root);
    let (config, place) = (schema.get("clkConfig"), root.key("clkConfig"));
    // xorFolds has a note of its own.
    let mut known = vec!["l", "kdf", "xor_folds", "xorFolds"];
    if version == Version::V1 {
        known.extend(["k", "hash"]);
    }
    look(config, &known, &place);
    let of = |value: Option<&'_ Value>, key: &str| value.and_then(|value| value.get(key)).cloned();
    look(
        of(config, "kdf").as_ref(),
        &["type", "hash", "salt", "info", "keySize"],
        &place.key("kdf"),
    );
    let hash_keys = ["type", "prevent_singularity", "description"];
    look(of(config, "hash").as_ref(), &hash_keys, &place.key("hash"));
    let place = root.key("features");
    let features = schema.get("features").and_then(Value::as_array);
    for (index, feature) in features.into_iter().flatten().enumerate() {
        let place = place.index(index);
        let feature_keys = ["identifier", "description", "ignored", "format", "hashing"];
        look(Some(feature), &feature_keys, &place);
        let hashing = feature.get("hashing");
        let place = place.key("hashing");
        if version == Version::V1 {
            look(
                hashing,
                &["ngram", "positional", "weight", "missingValue"],
                &place,
            );
        }
        look(of(hashing, "hash").as_ref(), &hash_keys, &place.key("hash"));
        let missing = of(hashing, "missingValue");
        look(
            missing.as_ref(),
            &["sentinel", "replaceWith"],
            &place.key("missingValue"),
        );
        let comparison = of(hashing, "comparison");
        let keys: &[&str] = match comparison
            .as_ref()
            .and_then(|c| c.get("type"))
            .and_then(Value::as_str)
        {
            Some("ngram") => &["type", "n", "positional"],
            Some("numeric") => &["type", "thresholdDistance", "resolution", "fractional_precision"],
            _ => &["type"],
        };
        look(comparison.as_ref(), keys, &place.key("comparison"));
    }
    notes
}
