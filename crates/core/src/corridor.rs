use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::former::{Successor, successor};

/// A country as ISO 3166-1 alpha-2, upper case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CountryCode([u8; 2]);

/// A text that names no country of today.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CountryCodeError {
    /// No code that is known.
    #[error(
        "not a country code (ISO 3166-1 alpha-2, alpha-3 or numeric, Eurostat's EL and UK, or a former state's)"
    )]
    Unknown,
    /// The code of a state that several have followed. To choose one would be a guess.
    #[error(
        "{state} is a former state with several successors ({successors}); declare which in codes.country"
    )]
    SeveralSuccessors {
        /// The former state.
        state: &'static str,
        /// The alpha-2 codes of those that followed.
        successors: &'static str,
    },
}

impl CountryCode {
    /// The two letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("made of two ASCII letters")
    }
}

/// A system of country codes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum CountryCoding {
    /// ISO 3166-1 alpha-2.
    #[default]
    Iso,
    /// The three digits of the United Nations (M49), which are ISO 3166-1 numeric.
    M49,
    /// Eurostat's: alpha-2, but `EL` for Greece and `UK` for the United Kingdom.
    Eurostat,
}

impl CountryCode {
    /// The code in another system; `None` where it has none for this country, as M49 for Kosovo.
    pub fn to_coding(self, coding: CountryCoding) -> Option<String> {
        let alpha2 = self.as_str();
        match coding {
            CountryCoding::Iso => Some(alpha2.to_owned()),
            CountryCoding::M49 if alpha2 == "XK" => None,
            CountryCoding::M49 => celes::Country::from_alpha2(alpha2)
                .ok()
                .map(|country| format!("{:03}", country.value)),
            CountryCoding::Eurostat => Some(
                match alpha2 {
                    "GR" => "EL",
                    "GB" => "UK",
                    other => other,
                }
                .to_owned(),
            ),
        }
    }
}

impl FromStr for CountryCode {
    type Err = CountryCodeError;

    /// Reads alpha-2, alpha-3, the three-digit numeric (M49) code, Eurostat's `EL` (Greece) and `UK`, and `XK`
    /// (Kosovo); case and surrounding blanks do not matter. A former state that one state has followed is that
    /// state: Zaire (`ZR`, `ZAR`) `CD`, Upper Volta (`HV`, `HVO`) `BF`, Dahomey (`DY`, `DHY`) `BJ`.
    ///
    /// # Errors
    /// [`CountryCodeError::SeveralSuccessors`] for one that several have followed, as the Soviet Union or
    /// Yugoslavia; [`CountryCodeError::Unknown`] for anything else.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let &[first @ b'A'..=b'Z', second @ b'A'..=b'Z'] = text.as_bytes() {
            return TWO_LETTERS[usize::from(first - b'A') * 26 + usize::from(second - b'A')];
        }
        if let &[first, second, third] = text.as_bytes()
            && let Ok(found) = THREE_SIGNS.binary_search_by_key(&[first, second, third], |(code, _)| *code)
        {
            return Ok(THREE_SIGNS[found].1);
        }
        Self::parse(text)
    }
}

/// What each pair of capital letters means. Every row of a register asks.
static TWO_LETTERS: LazyLock<Vec<Result<CountryCode, CountryCodeError>>> = LazyLock::new(|| {
    let letters = || (b'A'..=b'Z').map(char::from);
    letters()
        .flat_map(|first| letters().map(move |second| CountryCode::parse(&format!("{first}{second}"))))
        .collect()
});

/// Alpha-3 and numeric codes of present states, in order.
static THREE_SIGNS: LazyLock<Vec<([u8; 3], CountryCode)>> = LazyLock::new(|| {
    let mut codes: Vec<_> = celes::Country::get_countries()
        .iter()
        .flat_map(|country| [country.alpha3.to_owned(), format!("{:03}", country.value)])
        .filter_map(|code| Some((code.as_bytes().try_into().ok()?, CountryCode::parse(&code).ok()?)))
        .collect();
    codes.sort_unstable();
    codes
});

impl CountryCode {
    fn parse(text: &str) -> Result<Self, CountryCodeError> {
        let code = text.trim().to_ascii_uppercase();
        let code = match successor(&code) {
            Some(Successor::One(alpha2)) => alpha2,
            Some(Successor::Several { state, successors }) => {
                return Err(CountryCodeError::SeveralSuccessors { state, successors });
            }
            None => code.as_str(),
        };
        let country = match code {
            "EL" => celes::Country::from_alpha2("GR"),
            "UK" => celes::Country::from_alpha2("GB"),
            // The telephone code of Kosovo, which is no M49 code.
            "383" => return Err(CountryCodeError::Unknown),
            _ if code.len() == 2 => celes::Country::from_alpha2(code),
            _ if code.len() == 3 && code.bytes().all(|b| b.is_ascii_digit()) => code
                .parse::<usize>()
                .map_err(|_| "number")
                .and_then(celes::Country::from_value),
            _ if code.len() == 3 => celes::Country::from_alpha3(code),
            _ => return Err(CountryCodeError::Unknown),
        }
        .map_err(|_| CountryCodeError::Unknown)?;
        let alpha2 = country.alpha2.as_bytes();
        Ok(Self([alpha2[0], alpha2[1]]))
    }
}

impl fmt::Display for CountryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for CountryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for CountryCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for CountryCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// The place before a move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Origin(pub CountryCode);

/// The place after a move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Destination(pub CountryCode);

/// An ordered pair of different countries.
///
/// An [`Origin`] cannot stand where a [`Destination`] is expected:
///
/// ```compile_fail
/// use corridor_core::{Corridor, Destination, Origin};
/// let tn = Origin("TN".parse().unwrap());
/// let it = Destination("IT".parse().unwrap());
/// let _ = Corridor::try_new(it, tn);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "CorridorFields")]
pub struct Corridor {
    origin: Origin,
    destination: Destination,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CorridorFields {
    origin: Origin,
    destination: Destination,
}

/// A corridor from a country to itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("origin and destination of a corridor are two different countries, got {0} twice")]
pub struct CorridorError(CountryCode);

impl Corridor {
    /// A corridor.
    ///
    /// # Errors
    /// When both are the same country.
    pub fn try_new(origin: Origin, destination: Destination) -> Result<Self, CorridorError> {
        if origin.0 == destination.0 {
            return Err(CorridorError(origin.0));
        }
        Ok(Self { origin, destination })
    }

    /// The place before.
    pub const fn origin(&self) -> Origin {
        self.origin
    }

    /// The place after.
    pub const fn destination(&self) -> Destination {
        self.destination
    }

    /// The corridor of those who move back.
    pub const fn to_reverse(self) -> Self {
        Self {
            origin: Origin(self.destination.0),
            destination: Destination(self.origin.0),
        }
    }
}

impl TryFrom<CorridorFields> for Corridor {
    type Error = CorridorError;

    fn try_from(fields: CorridorFields) -> Result<Self, Self::Error> {
        Self::try_new(fields.origin, fields.destination)
    }
}

impl fmt::Display for Corridor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.origin.0, self.destination.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_system_reads_as_alpha_2() {
        for (text, expected) in [
            ("tn", "TN"),
            ("TUN", "TN"),
            ("788", "TN"),
            ("EL", "GR"),
            ("UK", "GB"),
            (" it ", "IT"),
        ] {
            assert_eq!(text.parse::<CountryCode>().unwrap().as_str(), expected);
        }
        for text in ["", "T", "ZZ", "Tunisia", "9999", "é"] {
            assert_eq!(
                text.parse::<CountryCode>(),
                Err(CountryCodeError::Unknown),
                "{text}"
            );
        }
    }

    #[test]
    fn codes_are_written_in_every_system_and_read_back() {
        let in_coding = |code: &str, coding| code.parse::<CountryCode>().unwrap().to_coding(coding);
        assert_eq!(in_coding("GR", CountryCoding::Eurostat).as_deref(), Some("EL"));
        assert_eq!(in_coding("GB", CountryCoding::Eurostat).as_deref(), Some("UK"));
        assert_eq!(in_coding("DZ", CountryCoding::M49).as_deref(), Some("012"));
        assert_eq!(in_coding("XK", CountryCoding::M49), None);
        for code in ["TN", "IT", "GR", "GB", "DZ", "CI"] {
            for coding in [CountryCoding::Iso, CountryCoding::M49, CountryCoding::Eurostat] {
                assert_eq!(
                    in_coding(code, coding)
                        .unwrap()
                        .parse::<CountryCode>()
                        .unwrap()
                        .as_str(),
                    code
                );
            }
        }
    }

    #[test]
    fn former_states_are_their_successor_where_there_is_one() {
        for (codes, expected) in [
            ("ZR ZAR 180 COD", "CD"),
            ("HV HVO 854", "BF"),
            ("DY DHY 204", "BJ"),
            ("RH RHO 716", "ZW"),
            ("DD DDR 278 280", "DE"),
            ("TP TMP 626", "TL"),
            ("BU BUR 104", "MM"),
            ("YD YMD 720 886 887", "YE"),
            ("AFI 262", "DJ"),
            ("XK XKX RKS 412", "XK"),
        ] {
            for code in codes.split(' ') {
                assert_eq!(code.parse::<CountryCode>().unwrap().as_str(), expected, "{code}");
            }
        }
        // Withdrawn codes in use again.
        for code in ["AI", "BY", "GE", "SK"] {
            assert_eq!(code.parse::<CountryCode>().unwrap().as_str(), code);
        }
    }

    #[test]
    fn former_states_with_several_successors_are_not_guessed() {
        for code in [
            "SU", "sun", "810", "YU", "YUG", "CS", "CSK", "SCG", "891", "AN", "230", "736",
        ] {
            let error = code.parse::<CountryCode>().unwrap_err();
            assert!(
                matches!(error, CountryCodeError::SeveralSuccessors { .. }),
                "{code}"
            );
            assert!(error.to_string().contains("codes.country"), "{code}");
        }
    }

    #[test]
    fn every_successor_is_a_country() {
        for state in [
            "SU", "YU", "CSK", "SCG", "AN", "GEL", "NT", "PC", "FQ", "230", "736",
        ] {
            let Err(CountryCodeError::SeveralSuccessors { successors, .. }) = state.parse::<CountryCode>()
            else {
                panic!("{state} has several successors");
            };
            for code in successors.split(", ") {
                assert_eq!(code.parse::<CountryCode>().unwrap().as_str(), code, "{state}");
            }
        }
    }

    #[test]
    fn a_corridor_joins_two_different_countries() {
        let tn = "TN".parse().unwrap();
        assert!(Corridor::try_new(Origin(tn), Destination(tn)).is_err());
        let json = r#"{"origin":"TN","destination":"TN"}"#;
        assert!(serde_json::from_str::<Corridor>(json).is_err());
    }
}
