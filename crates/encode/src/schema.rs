use std::collections::BTreeSet;

use corridor_core::{Digest, Profile, Sex};
use serde::{Deserialize, Serialize};

use crate::normalise;
use crate::record::Record;

/// A field both offices encode, always under a key of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchField {
    /// Padded bigrams of every word of given and family names in one spelling, as one order-free set.
    Names,
    /// Consonant skeleton of every word: what different spellings of a name share.
    NameKeys,
    /// Key by sound of every word: coarser, and deaf to articles and initial vowels.
    Phonetic,
    /// Year, month, day, year-month, month-day, year-day; the year alone when month and day are imputed.
    BirthDate,
    /// Sex, when known.
    Sex,
    /// Citizenship.
    Citizenship,
    /// Country of birth.
    BirthCountry,
    /// Padded bigrams of the words of an address.
    Address,
    /// Postal code, whole and by its beginnings.
    Postcode,
}

/// Length of the shortest record that is encoded, in tokens: below, there is too little to link and too
/// much to guess.
pub const MINIMUM_TOKENS: usize = 8;

/// The version of normalisation and tokenisation that [`EncodingSchema`] names.
pub const NORMALISATION: &str = "corridor-2";

impl MatchField {
    /// Every field, in schema order.
    pub const ALL: [Self; 9] = [
        Self::Names,
        Self::NameKeys,
        Self::Phonetic,
        Self::BirthDate,
        Self::Sex,
        Self::Citizenship,
        Self::BirthCountry,
        Self::Address,
        Self::Postcode,
    ];

    /// The name in agreements, and the label of the field's key.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Names => "names",
            Self::NameKeys => "name_keys",
            Self::Phonetic => "phonetic",
            Self::BirthDate => "birth_date",
            Self::Sex => "sex",
            Self::Citizenship => "citizenship",
            Self::BirthCountry => "birth_country",
            Self::Address => "address",
            Self::Postcode => "postcode",
        }
    }

    /// The field of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.as_str() == name)
    }

    /// How many bits each token sets (Bloom profiles), so that filters of full records are nearly half full.
    const fn positions(self) -> u32 {
        match self {
            Self::NameKeys | Self::Phonetic | Self::BirthDate => 24,
            Self::Names
            | Self::Sex
            | Self::Citizenship
            | Self::BirthCountry
            | Self::Address
            | Self::Postcode => 16,
        }
    }

    /// The tokens of this field in `record`, added to `tokens`.
    fn add_tokens(self, record: &Record, tokens: &mut BTreeSet<(Self, String)>) {
        let mut add = |token: String| {
            tokens.insert((self, token));
        };
        match self {
            Self::Names => {
                for word in name_words(record) {
                    bigrams(&normalise::fold_spelling(&word)).for_each(&mut add);
                }
            }
            Self::NameKeys => {
                for word in name_words(record) {
                    add(normalise::skeleton(&word));
                }
            }
            Self::Phonetic => {
                for word in name_words(record) {
                    add(normalise::phonetic(&word));
                }
            }
            Self::BirthDate => {
                if let Some(year) = record.birth.year {
                    add(format!("y{year:04}"));
                    if let Some((month, day)) = record.birth.month_day {
                        add(format!("m{month:02}"));
                        add(format!("d{day:02}"));
                        add(format!("ym{year:04}{month:02}"));
                        add(format!("md{month:02}{day:02}"));
                        add(format!("yd{year:04}{day:02}"));
                    }
                }
            }
            Self::Sex => match record.sex {
                Sex::Female => add("f".to_owned()),
                Sex::Male => add("m".to_owned()),
                Sex::Unknown => {}
            },
            Self::Citizenship => record.citizenship.iter().for_each(|c| add(c.to_string())),
            Self::BirthCountry => record.birth_country.iter().for_each(|c| add(c.to_string())),
            Self::Address => {
                for word in normalise::words(&record.address) {
                    bigrams(&word).for_each(&mut add);
                }
            }
            Self::Postcode => {
                let code: String = normalise::words(&record.postcode).concat();
                for len in 2..=code.len() {
                    add(code[..len].to_owned());
                }
            }
        }
    }
}

fn name_words(record: &Record) -> impl Iterator<Item = String> {
    normalise::words(&record.given_names)
        .into_iter()
        .chain(normalise::words(&record.family_names))
}

/// Bigrams of a word with a blank before and behind: `ali` → ` a`, `al`, `li`, `i `.
fn bigrams(word: &str) -> impl Iterator<Item = String> {
    let padded = format!(" {word} ");
    (0..padded.len() - 1).map(move |start| padded[start..start + 2].to_owned())
}

/// How a record becomes a filter: profile, match fields, their weights, and the version of normalisation.
/// Both offices use the same schema, fixed in the agreement by [`EncodingSchema::digest`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodingSchema {
    profile: Profile,
    fields: Vec<MatchField>,
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
}

fn known_fields() -> String {
    MatchField::ALL.map(MatchField::as_str).join(", ")
}

impl EncodingSchema {
    /// A schema over `fields`; order and repetition do not matter.
    ///
    /// # Errors
    /// When [`MatchField::Names`] is not among them.
    pub fn try_new(profile: Profile, fields: &[MatchField]) -> Result<Self, SchemaError> {
        if !fields.contains(&MatchField::Names) {
            return Err(SchemaError::NamesMissing);
        }
        let fields: BTreeSet<_> = fields.iter().copied().collect();
        Ok(Self {
            profile,
            fields: fields.into_iter().collect(),
        })
    }

    /// A schema over fields given by name, as an agreement has them.
    ///
    /// # Errors
    /// When a name is unknown or `names` is missing.
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

    /// The profile.
    pub const fn profile(&self) -> Profile {
        self.profile
    }

    /// The match fields, in schema order.
    pub fn fields(&self) -> &[MatchField] {
        &self.fields
    }

    /// Canonical JSON of everything that decides the bits of a filter besides the key.
    pub fn to_canonical_bytes(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Field {
            field: MatchField,
            weight: u32,
        }
        #[derive(Serialize)]
        struct Canonical<'a> {
            version: u32,
            normalisation: &'a str,
            profile: Profile,
            minimum_tokens: usize,
            fields: Vec<Field>,
        }
        serde_json::to_vec(&Canonical {
            version: 1,
            normalisation: NORMALISATION,
            profile: self.profile,
            minimum_tokens: MINIMUM_TOKENS,
            fields: self
                .fields
                .iter()
                .map(|&field| Field {
                    field,
                    weight: self.weight(field),
                })
                .collect(),
        })
        .expect("every field has a JSON form")
    }

    /// Digest of the canonical bytes.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.to_canonical_bytes())
    }

    /// Weight of each token of `field`: votes in a majority profile, bits set in a Bloom profile.
    pub(crate) const fn weight(&self, field: MatchField) -> u32 {
        match self.profile {
            Profile::Clk1024 => field.positions(),
            Profile::Saul3x2048 => 1,
        }
    }

    /// The set of tokens of `record`, by field, then token.
    pub(crate) fn tokens(&self, record: &Record) -> BTreeSet<(MatchField, String)> {
        let mut tokens = BTreeSet::new();
        for field in &self.fields {
            field.add_tokens(record, &mut tokens);
        }
        tokens
    }
}
