use std::collections::BTreeSet;

use corridor_core::{Construction, Digest, FilterLen, Profile};
use serde::{Deserialize, Serialize};

use crate::blocks::{BlockPass, Blocking};
use crate::fields::{MatchField, address_tokens, birth_tokens, country_token, postcode_tokens, sex_token};
use crate::harden::Hardening;
use crate::normalise;
use crate::record::Record;

/// Length of the shortest record that is encoded, in tokens: below, there is too little to link and too
/// much to guess. A schema may ask for more.
pub const MINIMUM_TOKENS: u32 = 8;

/// The version of normalisation and tokenisation that [`EncodingSchema`] names.
pub const NORMALISATION: &str = "corridor-2";

/// The only version of schema files there is.
const SCHEMA_VERSION: u32 = 1;

/// Votes of a token at most, in a majority profile.
const MOST_VOTES: u32 = 16;

/// How a record becomes a filter: profile, match fields, their weights, hardenings, and the version of normalisation.
/// Both offices use the same schema, fixed in the agreement by [`EncodingSchema::digest`].
#[derive(Debug, Clone, PartialEq)]
pub struct EncodingSchema {
    profile: Profile,
    /// In schema order.
    fields: Vec<FieldWeight>,
    minimum_tokens: u32,
    hardenings: Vec<Hardening>,
    blocking: Option<Blocking>,
    filter_len: FilterLen,
}

/// A match field and the weight of each of its tokens: votes in a majority profile, bits set in a Bloom profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldWeight {
    /// The field.
    pub field: MatchField,
    /// Weight of each token.
    pub weight: u32,
}

/// A schema that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// No schema without a name.
    #[error("a schema needs the match field names")]
    NamesMissing,
    /// A field this program does not know.
    #[error("unknown match field {name:?}; known are {}", known_fields())]
    UnknownField {
        /// As written.
        name: String,
    },
    /// A statement of a schema file that cannot hold, alone or beside another.
    #[error("schema key {key}: {problem}")]
    Inconsistent {
        /// Path of the key, as in `fields[2].weight`.
        key: String,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// The text is no JSON of this form.
    #[error("not a schema: {problem}")]
    Syntax {
        /// Where and why.
        problem: String,
    },
}

fn known_fields() -> String {
    MatchField::ALL.map(MatchField::as_str).join(", ")
}

fn inconsistent(key: impl Into<String>, problem: impl Into<String>) -> SchemaError {
    SchemaError::Inconsistent {
        key: key.into(),
        problem: problem.into(),
    }
}

/// A schema as a file has it, before it is checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SchemaFile {
    /// Where the JSON Schema of this form is, for editors.
    #[serde(rename = "$schema")]
    _schema: Option<String>,
    version: u32,
    /// For people; not part of the digest.
    #[serde(rename = "name")]
    _name: Option<String>,
    normalisation: String,
    profile: Profile,
    #[serde(default = "default_minimum")]
    minimum_tokens: u32,
    fields: Vec<FileField>,
    #[serde(default)]
    hardenings: Vec<Hardening>,
    blocking: Option<Blocking>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileField {
    field: MatchField,
    /// The profile's own weight of the field when not said.
    weight: Option<u32>,
}

const fn default_minimum() -> u32 {
    MINIMUM_TOKENS
}

impl EncodingSchema {
    /// A schema over `fields` with the profile's own weights; order and repetition do not matter. Where the birth year chooses
    /// the keys, it is a block, too: people of other years do not resemble each other whoever they are.
    ///
    /// # Errors
    /// When [`MatchField::Names`] is not among them, or they do not fit the profile.
    pub fn try_new(profile: Profile, fields: &[MatchField]) -> Result<Self, SchemaError> {
        let fields: BTreeSet<_> = fields.iter().copied().collect();
        let fields = fields
            .into_iter()
            .map(|field| FieldWeight {
                field,
                weight: field.default_weight(profile),
            })
            .collect();
        let schema = Self::with_weights(profile, fields, MINIMUM_TOKENS, Vec::new())?;
        if profile.is_salted_by_birth_year() {
            schema.with_blocking(Blocking::by_birth_year())
        } else {
            Ok(schema)
        }
    }

    /// A schema over fields given by name, as an agreement has them, with the profile's own weights.
    ///
    /// # Errors
    /// When a name is unknown, `names` is missing, or they do not fit the profile.
    pub fn from_names<S: AsRef<str>>(profile: Profile, fields: &[S]) -> Result<Self, SchemaError> {
        let fields: Vec<MatchField> = fields
            .iter()
            .map(|name| {
                MatchField::from_name(name.as_ref()).ok_or_else(|| SchemaError::UnknownField {
                    name: name.as_ref().to_owned(),
                })
            })
            .collect::<Result<_, _>>()?;
        Self::try_new(profile, &fields)
    }

    /// A schema with weights of its own. `fields` may stand in any order, each once; weights are at least 1 and at
    /// most 16 votes, or a quarter of the bits a token can set; `minimum_tokens` is 8 to 64; hardenings are for Bloom
    /// profiles, done in their order.
    ///
    /// # Errors
    /// The first statement that cannot hold, with its key.
    pub fn with_weights(
        profile: Profile,
        mut fields: Vec<FieldWeight>,
        minimum_tokens: u32,
        hardenings: Vec<Hardening>,
    ) -> Result<Self, SchemaError> {
        for (position, field) in fields.iter().enumerate() {
            if fields[..position].iter().any(|other| other.field == field.field) {
                return Err(inconsistent(
                    format!("fields[{position}].field"),
                    format!("{} stands twice", field.field.as_str()),
                ));
            }
            let (most, what) = match profile.construction() {
                Construction::Majority { .. } => (MOST_VOTES, "votes of a token"),
                Construction::Bloom { bits } | Construction::FieldBloom { bits } => {
                    (bits / 4, "bits a token sets")
                }
            };
            if !(1..=most).contains(&field.weight) {
                return Err(inconsistent(
                    format!("fields[{position}].weight"),
                    format!(
                        "{what} must be 1 to {most} in {profile}; leave the field out to give it no weight"
                    ),
                ));
            }
        }
        fields.sort_by_key(|field| field.field);
        let has = |wanted| fields.iter().any(|field| field.field == wanted);
        if !has(MatchField::Names) {
            return Err(SchemaError::NamesMissing);
        }
        if profile.is_salted_by_birth_year() && !has(MatchField::BirthDate) {
            return Err(inconsistent(
                "profile",
                format!("{profile} needs the field birth_date, whose year chooses the keys"),
            ));
        }
        if !(MINIMUM_TOKENS..=64).contains(&minimum_tokens) {
            return Err(inconsistent(
                "minimum_tokens",
                format!("must be {MINIMUM_TOKENS} to 64: a shorter record is too easy to guess"),
            ));
        }
        let mut filter_len = profile
            .filter_len(fields.len())
            .map_err(|error| inconsistent("fields", format!("too many for {profile}: {error}")))?;
        for (position, hardening) in hardenings.iter().enumerate() {
            let key = || format!("hardenings[{position}]");
            if let Construction::Majority { .. } = profile.construction() {
                return Err(inconsistent(
                    key(),
                    format!(
                        "{profile} takes none: hardenings are for exchange with other programs, with Bloom profiles"
                    ),
                ));
            }
            filter_len = hardening
                .filter_len_after(filter_len)
                .map_err(|problem| inconsistent(key(), problem))?;
        }
        Ok(Self {
            profile,
            fields,
            minimum_tokens,
            hardenings,
            blocking: None,
            filter_len,
        })
    }

    /// The same with keyed block keys.
    ///
    /// # Errors
    /// When blocks are too small to hide a person, or a pass is missing or stands twice.
    pub fn with_blocking(mut self, mut blocking: Blocking) -> Result<Self, SchemaError> {
        if !(2..=1000).contains(&blocking.minimum_size) {
            return Err(inconsistent("blocking.minimum_size", "must be 2 to 1000"));
        }
        if blocking.passes.is_empty() {
            return Err(inconsistent(
                "blocking.passes",
                "name at least one pass, or leave blocking out",
            ));
        }
        blocking.passes.sort_unstable();
        if let Some(pair) = blocking.passes.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(inconsistent(
                "blocking.passes",
                format!("{} stands twice", pair[0].as_str()),
            ));
        }
        self.blocking = Some(blocking);
        Ok(self)
    }

    /// Reads a schema file: JSON as [`EncodingSchema::JSON_SCHEMA`] says.
    ///
    /// # Errors
    /// When it is no JSON of this form, of another version, or contradicts itself, with the key.
    pub fn from_json(text: &str) -> Result<Self, SchemaError> {
        // The version first: a file of another version may have keys that are not known here.
        let value: serde_json::Value = serde_json::from_str(text).map_err(|error| SchemaError::Syntax {
            problem: error.to_string(),
        })?;
        if let Some(version) = value.get("version")
            && version != SCHEMA_VERSION
        {
            return Err(inconsistent("version", "this program knows version 1 only"));
        }
        let file: SchemaFile = serde_json::from_str(text).map_err(|error| SchemaError::Syntax {
            problem: error.to_string(),
        })?;
        if file.version != SCHEMA_VERSION {
            return Err(inconsistent("version", "this program knows version 1 only"));
        }
        if file.normalisation != NORMALISATION {
            return Err(inconsistent(
                "normalisation",
                format!(
                    "this program knows {NORMALISATION:?} only; both offices need the same version of it"
                ),
            ));
        }
        let fields = file
            .fields
            .into_iter()
            .map(|FileField { field, weight }| FieldWeight {
                field,
                weight: weight.unwrap_or_else(|| field.default_weight(file.profile)),
            })
            .collect();
        let schema = Self::with_weights(file.profile, fields, file.minimum_tokens, file.hardenings)?;
        match file.blocking {
            Some(blocking) => schema.with_blocking(blocking),
            None => Ok(schema),
        }
    }

    /// JSON Schema (draft 2020-12) of schema files.
    pub const JSON_SCHEMA: &str = include_str!("../schema/encoding-schema.json");

    /// The profile.
    pub const fn profile(&self) -> Profile {
        self.profile
    }

    /// The match fields, in schema order.
    pub fn fields(&self) -> impl Iterator<Item = MatchField> {
        self.fields.iter().map(|field| field.field)
    }

    /// The match fields with their weights, in schema order.
    pub fn weights(&self) -> &[FieldWeight] {
        &self.fields
    }

    /// Tokens of the shortest record that is encoded.
    pub const fn minimum_tokens(&self) -> u32 {
        self.minimum_tokens
    }

    /// What is done to a filter after it is made, in order.
    pub fn hardenings(&self) -> &[Hardening] {
        &self.hardenings
    }

    /// Block keys the dataset holds beside the filters, where there are any.
    pub const fn blocking(&self) -> Option<&Blocking> {
        self.blocking.as_ref()
    }

    /// The passes of [`EncodingSchema::blocking`]; none where there is no blocking.
    pub fn block_passes(&self) -> &[BlockPass] {
        self.blocking.as_ref().map_or(&[], |blocking| &blocking.passes)
    }

    /// Length of a filter, hardenings included.
    pub const fn filter_len(&self) -> FilterLen {
        self.filter_len
    }

    /// Canonical JSON of everything that decides the bits of a filter besides the key.
    pub fn to_canonical_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(&self.to_canonical()).expect("every field has a JSON form")
    }

    /// The schema as a file for people: the canonical JSON, laid out.
    pub fn to_json(&self) -> String {
        let mut text =
            serde_json::to_string_pretty(&self.to_canonical()).expect("every field has a JSON form");
        text.push('\n');
        text
    }

    fn to_canonical(&self) -> impl Serialize {
        #[derive(Serialize)]
        struct Canonical {
            version: u32,
            normalisation: &'static str,
            profile: Profile,
            minimum_tokens: u32,
            fields: Vec<FieldWeight>,
            hardenings: Vec<Hardening>,
            #[serde(skip_serializing_if = "Option::is_none")]
            blocking: Option<Blocking>,
        }
        Canonical {
            version: SCHEMA_VERSION,
            normalisation: NORMALISATION,
            profile: self.profile,
            minimum_tokens: self.minimum_tokens,
            fields: self.fields.clone(),
            hardenings: self.hardenings.clone(),
            blocking: self.blocking.clone(),
        }
    }

    /// Digest of the canonical bytes.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.to_canonical_bytes())
    }

    /// The set of tokens of `record`, by field, then token: what a filter is made of, in plain.
    pub fn tokens(&self, record: &Record) -> BTreeSet<(MatchField, String)> {
        let mut tokens = BTreeSet::new();
        for field in self.fields() {
            let mut add = |token: &str| {
                tokens.insert((field, token.to_owned()));
            };
            match field {
                MatchField::BirthDate => {
                    birth_tokens(record.birth, !self.profile.is_salted_by_birth_year(), add);
                }
                MatchField::Sex => sex_token(record.sex).into_iter().for_each(add),
                MatchField::Citizenship => record.citizenship.iter().map(country_token).for_each(add),
                MatchField::BirthCountry => record.birth_country.iter().map(country_token).for_each(add),
                MatchField::Address => address_tokens(&record.address, add),
                MatchField::Postcode => postcode_tokens(&record.postcode, add),
                of_names @ (MatchField::Names | MatchField::NameKeys | MatchField::Phonetic) => {
                    for text in [&record.given_names, &record.family_names] {
                        of_names.name_tokens(&normalise::words(text), &mut add);
                    }
                }
            }
        }
        tokens
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"{
        "version": 1, "normalisation": "NORM", "profile": "clk-1024",
        "fields": [{"field": "birth_date"}, {"field": "names", "weight": 10}]
    }"#;

    fn read(text: &str) -> Result<EncodingSchema, SchemaError> {
        EncodingSchema::from_json(&text.replace("NORM", NORMALISATION))
    }

    #[test]
    fn a_file_and_its_own_writing_are_one_schema() {
        let schema = read(FILE).unwrap();
        assert_eq!(
            schema.fields().collect::<Vec<_>>(),
            [MatchField::Names, MatchField::BirthDate]
        );
        assert_eq!(schema.weights()[0].weight, 10);
        assert_eq!(schema.weights()[1].weight, 24);
        assert_eq!(read(&schema.to_json()).unwrap().digest(), schema.digest());
        for profile in Profile::ALL {
            let schema = EncodingSchema::try_new(profile, &MatchField::ALL[..8]).unwrap();
            assert_eq!(EncodingSchema::from_json(&schema.to_json()).unwrap(), schema);
        }
    }

    #[test]
    fn what_cannot_hold_names_its_key() {
        for (from, to, expected) in [
            ("\"version\": 1", "\"version\": 2", "schema key version"),
            ("\"version\": 1,", "", "version"),
            ("NORM", "corridor-0", "schema key normalisation"),
            ("clk-1024", "clk-1000", "unknown variant"),
            ("\"weight\": 10", "\"weight\": 0", "schema key fields[1].weight"),
            ("\"weight\": 10", "\"weight\": 257", "schema key fields[1].weight"),
            ("\"weight\": 10", "\"wait\": 10", "unknown field"),
            ("\"birth_date\"", "\"names\"", "schema key fields[1].field"),
            (
                "{\"field\": \"names\", \"weight\": 10}",
                "{\"field\": \"sex\"}",
                "needs the match field names",
            ),
            (
                "\"fields\"",
                "\"minimum_tokens\": 7, \"fields\"",
                "schema key minimum_tokens",
            ),
            (
                "\"fields\"",
                "\"hardenings\": [{\"kind\": \"fold\"}, {\"kind\": \"blip\", \"epsilon\": 0}], \"fields\"",
                "schema key hardenings[1]",
            ),
        ] {
            let error = read(&FILE.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(expected), "{to}: {error}");
        }
        let salted = FILE
            .replace("clk-1024", "saul-2-1024-year")
            .replace("{\"field\": \"birth_date\"}, ", "");
        assert!(read(&salted).unwrap_err().to_string().contains("birth_date"));
        let hardened = FILE
            .replace("clk-1024", "saul-3-2048")
            .replace("\"fields\"", "\"hardenings\": [{\"kind\": \"fold\"}], \"fields\"");
        assert!(read(&hardened).unwrap_err().to_string().contains("hardenings[0]"));
    }
}
