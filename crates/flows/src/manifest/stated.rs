//! Values that an office may not know, and words of a closed list.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The word for what an office does not know or does not say. It agrees with nothing.
pub(super) const UNKNOWN: &str = "unknown";

/// A word of a closed list, one of which is "unknown".
pub(super) trait Word: Copy + Eq {
    /// The word in files.
    fn word(self) -> &'static str;
    /// What an office with it does, to follow the office's name in a sentence.
    fn phrase(self) -> &'static str;
}

/// A closed list of words, each with a phrase that follows an office's name in a sentence. "unknown" is on every list, and what is
/// meant when a key is left out.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$what:meta])* $variant:ident = $word:literal, $phrase:literal;)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$what])* #[serde(rename = $word)] $variant,)+
            /// Not known, or not said.
            #[default]
            #[serde(rename = "unknown")]
            Unknown,
        }

        impl $name {
            /// Every word.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+ Self::Unknown];

            /// The word in files and tables.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                    Self::Unknown => "unknown",
                }
            }
        }

        impl $crate::manifest::stated::Word for $name {
            fn word(self) -> &'static str {
                self.as_str()
            }

            fn phrase(self) -> &'static str {
                match self {
                    $(Self::$variant => $phrase,)+
                    Self::Unknown => "does not say",
                }
            }
        }
    };
}
pub(super) use words;

words! {
    /// An answer to a yes-or-no question about a rule.
    Answer {
        /// It is so.
        Yes = "yes", "says yes";
        /// It is not so.
        No = "no", "says no";
        /// For some people or in some places.
        Partly = "partly", "says in part";
    }
}

/// A value, or that it is not known. Written as the value's text, or `unknown`, which is also what a key that is left out means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stated<T> {
    /// Not known, or not said.
    #[default]
    Unknown,
    /// Known.
    Known(T),
}

impl<T> Stated<T> {
    /// The value, where it is known.
    pub const fn as_ref(&self) -> Option<&T> {
        match self {
            Self::Unknown => None,
            Self::Known(value) => Some(value),
        }
    }
}

impl<T: fmt::Display> fmt::Display for Stated<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str(UNKNOWN),
            Self::Known(value) => value.fmt(f),
        }
    }
}

impl<T: fmt::Display> Serialize for Stated<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, T: FromStr<Err: fmt::Display>> Deserialize<'de> for Stated<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text<T>(PhantomData<T>);
        impl<T: FromStr<Err: fmt::Display>> Visitor<'_> for Text<T> {
            type Value = Stated<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text in quotes (dates too, as in \"2024-12-31\"), or \"unknown\"")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
                if text == UNKNOWN {
                    return Ok(Stated::Unknown);
                }
                text.parse().map(Stated::Known).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text(PhantomData))
    }
}

/// A line of free text that may be shown on a terminal: no control characters, at most [`Text::MOST_CHARACTERS`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Text(String);

impl Text {
    /// The longest a text can be.
    pub const MOST_CHARACTERS: usize = 400;

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that is empty, too long, or has characters that cannot be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a text is one line of 1 to 400 characters that can be shown; write \"unknown\" or leave the key out when there is none"
)]
pub struct TextError;

impl FromStr for Text {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        // Marks of direction would let a text pretend to stand elsewhere on the line.
        let is_hidden = |c: char| {
            c.is_control()
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        let sound =
            !text.is_empty() && text.chars().count() <= Self::MOST_CHARACTERS && !text.chars().any(is_hidden);
        if sound {
            Ok(Self(text.to_owned()))
        } else {
            Err(TextError)
        }
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

/// A whole number of days, months or per cent, or that there is no such thing, or that it is not known.
///
/// Written as the number, as `none` or as `unknown`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quantity {
    /// So many.
    Is(u32),
    /// There is none: no limit, no lag, no rounding, as the key says.
    None,
    /// Not known, or not said.
    #[default]
    Unknown,
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Is(number) => number.fmt(f),
            Self::None => f.write_str("none"),
            Self::Unknown => f.write_str(UNKNOWN),
        }
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Is(number) => serializer.serialize_u32(*number),
            Self::None | Self::Unknown => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = Quantity;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number of 0 or more, \"none\" or \"unknown\"")
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Self::Value, E> {
                u32::try_from(number)
                    .map(Quantity::Is)
                    .map_err(|_| E::custom("a number this large stands for nothing"))
            }

            fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Self::Value, E> {
                match u64::try_from(number) {
                    Ok(number) => self.visit_u64(number),
                    Err(_) => Err(E::invalid_value(serde::de::Unexpected::Signed(number), &self)),
                }
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
                match text {
                    "none" => Ok(Quantity::None),
                    UNKNOWN => Ok(Quantity::Unknown),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
                }
            }
        }
        deserializer.deserialize_any(Number)
    }
}

/// Reads a table whose keys may be written in several ways, as GB and UK, and refuses one that stands twice.
pub(super) fn unique_map<'de, D, K, V>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
where
    D: Deserializer<'de>,
    K: Deserialize<'de> + Ord + fmt::Display,
    V: Deserialize<'de>,
{
    struct Unique<K, V>(PhantomData<(K, V)>);
    impl<'de, K: Deserialize<'de> + Ord + fmt::Display, V: Deserialize<'de>> Visitor<'de> for Unique<K, V> {
        type Value = BTreeMap<K, V>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a table")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
            let mut map = BTreeMap::new();
            while let Some((key, value)) = entries.next_entry::<K, V>()? {
                if map.contains_key(&key) {
                    return Err(A::Error::custom(format!("{key} stands twice")));
                }
                map.insert(key, value);
            }
            Ok(map)
        }
    }
    deserializer.deserialize_map(Unique(PhantomData))
}
