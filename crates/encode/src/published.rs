//! What normalisation makes of a published list of made-up names, dates and country codes, for two offices to compare.

use corridor_core::{CountryCode, Digest};
use serde::Serialize;

use crate::birth::{BirthDate, DateOrder, YearPivot};
use crate::calendar::Calendar;
use crate::normalise;
use crate::schema::NORMALISATION;

/// What this program's normalisation makes of each listed input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NormalisationVectors {
    /// Version of the normalisation.
    pub normalisation: &'static str,
    /// Digest of the canonical JSON of `vectors`: the same at two offices when every line is.
    pub digest: Digest,
    /// Input by input.
    pub vectors: Vec<NormalisationVector>,
}

/// One input and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum NormalisationVector {
    /// A name.
    Name {
        /// As written.
        input: String,
        /// The words of it.
        words: Vec<String>,
        /// Each word in one spelling.
        folded: Vec<String>,
        /// The consonant skeleton of each word.
        skeleton: Vec<String>,
        /// The phonetic key of each word.
        phonetic: Vec<String>,
    },
    /// A birth date, year first.
    Date {
        /// As written.
        input: String,
        /// The calendar declared.
        calendar: Calendar,
        /// The first of the years that two digits stand for, where declared.
        #[serde(skip_serializing_if = "Option::is_none")]
        year_pivot: Option<YearPivot>,
        /// Year, year-month-day, or nothing when it is refused.
        date: Option<String>,
        /// How far it can be trusted.
        quality: crate::BirthQuality,
    },
    /// A country code.
    Country {
        /// As written.
        input: String,
        /// The alpha-2 code.
        code: Option<CountryCode>,
        /// Why there is none.
        #[serde(skip_serializing_if = "Option::is_none")]
        problem: Option<String>,
    },
}

/// What this program makes of the published list, with a digest. Two offices whose digests agree normalise alike; where
/// they differ, the first line that differs says what does not.
///
/// ```
/// let published = corridor_encode::normalisation_vectors();
/// assert_eq!(published.normalisation, "corridor-2");
/// assert_eq!(published.digest, corridor_encode::normalisation_vectors().digest);
/// ```
///
/// # Panics
/// Never: the list is part of the program.
pub fn normalisation_vectors() -> NormalisationVectors {
    let vectors: Vec<_> = LIST
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(kind, input)| match kind {
            "name" => name(input),
            "country" => country(input),
            _ => date(kind, input),
        })
        .collect();
    let canonical = serde_json::to_vec(&vectors).expect("every vector has a JSON form");
    NormalisationVectors {
        normalisation: NORMALISATION,
        digest: Digest::of(&canonical),
        vectors,
    }
}

/// One input a line, after its kind: `name`, `country`, or a calendar, with `+` and a pivot where two-digit years
/// are declared.
const LIST: &str = include_str!("published.tsv");

fn name(input: &str) -> NormalisationVector {
    let words = normalise::words(input);
    let each = |of: fn(&str) -> String| words.iter().map(|word| of(word)).collect();
    NormalisationVector::Name {
        input: input.to_owned(),
        folded: each(normalise::fold_spelling),
        skeleton: each(normalise::skeleton),
        phonetic: each(normalise::phonetic),
        words,
    }
}

fn date(kind: &str, input: &str) -> NormalisationVector {
    let (calendar, pivot) = kind
        .split_once('+')
        .map_or((kind, None), |(calendar, pivot)| (calendar, pivot.parse().ok()));
    let calendar = match calendar {
        "ethiopian" => Calendar::Ethiopian,
        "hijri-umalqura" => Calendar::HijriUmmAlQura,
        "hijri-civil" => Calendar::HijriCivil,
        _ => Calendar::Gregorian,
    };
    let year_pivot = pivot.map(YearPivot);
    let birth = DateOrder::YearMonthDay
        .read_in(input, calendar, year_pivot)
        .map_or_else(BirthDate::default, BirthDate::from);
    NormalisationVector::Date {
        input: input.to_owned(),
        calendar,
        year_pivot,
        date: birth.year.map(|year| match birth.month_day {
            Some((month, day)) => format!("{year:04}-{month:02}-{day:02}"),
            None => format!("{year:04}"),
        }),
        quality: birth.quality(),
    }
}

fn country(input: &str) -> NormalisationVector {
    let code = input.parse::<CountryCode>();
    NormalisationVector::Country {
        input: input.to_owned(),
        code: code.ok(),
        problem: code.err().map(|error| error.to_string()),
    }
}
