//! The fields a record is matched by, and the tokens each gives.

use corridor_core::{Construction, CountryCode, Profile, Sex};
use serde::{Deserialize, Serialize};

use crate::birth::BirthDate;
use crate::normalise;

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

    /// Weight of each token where a schema does not say another: votes in a majority profile, bits set in a
    /// Bloom profile, so that filters of full records are nearly half full.
    pub(crate) const fn default_weight(self, profile: Profile) -> u32 {
        let rare = matches!(self, Self::NameKeys | Self::Phonetic | Self::BirthDate);
        match profile.construction() {
            Construction::Majority { .. } => 1,
            Construction::Bloom { bits } => {
                if rare {
                    bits * 24 / 1024
                } else {
                    bits * 16 / 1024
                }
            }
            // Names have about twenty tokens, their keys three, the others up to six.
            Construction::FieldBloom { bits } => match self {
                Self::Names | Self::Address => bits / 32,
                Self::NameKeys | Self::Phonetic => bits * 6 / 32,
                Self::BirthDate | Self::Sex | Self::Citizenship | Self::BirthCountry | Self::Postcode => {
                    bits * 3 / 32
                }
            },
        }
    }

    /// Tokens a usual record has of this field, for estimates.
    pub(crate) const fn usual_tokens(self, profile: Profile) -> u32 {
        match self {
            Self::Names => 20,
            Self::NameKeys | Self::Phonetic => 3,
            Self::BirthDate if profile.is_salted_by_birth_year() => 3,
            Self::BirthDate => 6,
            Self::Sex | Self::Citizenship | Self::BirthCountry => 1,
            Self::Address => 35,
            Self::Postcode => 4,
        }
    }

    /// Calls `add` with the tokens this field has of a text of names; some more than once.
    pub(crate) fn name_tokens(self, words: &[String], mut add: impl FnMut(&str)) {
        for word in words {
            match self {
                Self::Names => bigrams(&normalise::fold_spelling(word), &mut add),
                Self::NameKeys => add(&normalise::skeleton(word)),
                Self::Phonetic => add(&normalise::phonetic(word)),
                Self::BirthDate
                | Self::Sex
                | Self::Citizenship
                | Self::BirthCountry
                | Self::Address
                | Self::Postcode => {}
            }
        }
    }

    /// Whether its tokens are of names.
    pub(crate) const fn is_of_names(self) -> bool {
        matches!(self, Self::Names | Self::NameKeys | Self::Phonetic)
    }
}

/// Calls `add` with the tokens of a birth date, those with a year only when `with_year`: `y1989`, `m12`, `d31`, `md1231`,
/// `ym198912`, `yd198931`.
pub(crate) fn birth_tokens(birth: BirthDate, with_year: bool, mut add: impl FnMut(&str)) {
    let Some(year) = birth.year else {
        return;
    };
    let mut token = String::with_capacity(8);
    let mut say = |kind: &str, numbers: &[(i16, u32)]| {
        token.clear();
        token.push_str(kind);
        for &(number, digits) in numbers {
            for place in (0..digits).rev() {
                let digit = number.unsigned_abs() / 10_u16.pow(place) % 10;
                token.push(char::from(b'0' + u8::try_from(digit).expect("a digit")));
            }
        }
        add(&token);
    };
    let year = (year, 4);
    if with_year {
        say("y", &[year]);
    }
    let Some((month, day)) = birth.month_day else {
        return;
    };
    let (month, day) = ((i16::from(month), 2), (i16::from(day), 2));
    say("m", &[month]);
    say("d", &[day]);
    say("md", &[month, day]);
    if with_year {
        say("ym", &[year, month]);
        say("yd", &[year, day]);
    }
}

/// The token of a sex.
pub(crate) const fn sex_token(sex: Sex) -> Option<&'static str> {
    match sex {
        Sex::Female => Some("f"),
        Sex::Male => Some("m"),
        Sex::Unknown => None,
    }
}

/// The token of a country.
pub(crate) fn country_token(country: &CountryCode) -> &str {
    country.as_str()
}

/// Calls `add` with the tokens of an address.
pub(crate) fn address_tokens(address: &str, mut add: impl FnMut(&str)) {
    for word in normalise::words(address) {
        bigrams(&word, &mut add);
    }
}

/// Calls `add` with the tokens of a postal code.
pub(crate) fn postcode_tokens(postcode: &str, mut add: impl FnMut(&str)) {
    let code: String = normalise::words(postcode).concat();
    for len in 2..=code.len() {
        add(&code[..len]);
    }
}

/// Bigrams of a word with a blank before and behind: `ali` → ` a`, `al`, `li`, `i `. The word is ASCII.
fn bigrams(word: &str, mut add: impl FnMut(&str)) {
    let padded = format!(" {word} ");
    for start in 0..padded.len() - 1 {
        add(&padded[start..start + 2]);
    }
}
