//! The offices of the corridors. Rates without a source are plausible settings, not measurements.

use crate::countries::CountryCodes;
use crate::office::{Apostrophes, Letters, MarriedName, Office};
use crate::spelling::Language;

/// An office of the origin: it hears of departures late or never, and of more returns than departures.
pub(crate) const ORIGIN: Office = Office {
    language: Language::French,
    letters: Letters::AsGiven,
    apostrophes: Apostrophes::Kept,
    width: None,
    knows_departures: 0.74,
    knows_arrivals: 0.66,
    late: 0.07,
    respelt: 0.06,
    rejoined: 0.05,
    given_dropped: 0.08,
    swapped: 0.02,
    typo: 0.015,
    ocr: 0.002,
    married: MarriedName {
        share: 0.04,
        appended: false,
    },
    surname_dropped: 0.05,
    birth_imputed: 0.0155,
    birth_day_month_swapped: 0.006,
    birth_slip: 0.012,
    birth_partial: 0.012,
    birth_missing: 0.006,
    sex_wrong: 0.002,
    sex_missing: 0.004,
    citizenship_missing: 0.02,
    sees_naturalisation: 0.0,
    counterpart_missing: 0.02,
    counterpart_wrong: 0.02,
    countries: CountryCodes::Alpha2,
    women: "F",
    men: "M",
    departure: "OUT",
    arrival: "IN",
    day_first: false,
};

pub(crate) const ORIGIN_MAGHREB: Office = Office {
    // The register is in Arabic and is written in Latin letters without looking at the passport.
    respelt: 0.13,
    rejoined: 0.08,
    ..ORIGIN
};

pub(crate) const ORIGIN_SENEGAL: Office = Office {
    day_first: true,
    width: Some(20),
    women: "2",
    men: "1",
    ..ORIGIN
};

pub(crate) const ORIGIN_NIGERIA: Office = Office {
    language: Language::English,
    letters: Letters::Upper,
    swapped: 0.06,
    married: MarriedName {
        share: 0.35,
        appended: false,
    },
    countries: CountryCodes::Alpha3,
    knows_departures: 0.62,
    departure: "D",
    arrival: "A",
    ..ORIGIN
};

pub(crate) const ORIGIN_ERITREA: Office = Office {
    language: Language::English,
    // Many leave without saying so.
    knows_departures: 0.45,
    knows_arrivals: 0.60,
    respelt: 0.15,
    rejoined: 0.10,
    countries: CountryCodes::Alpha3,
    ..ORIGIN
};

pub(crate) const ORIGIN_PORTUGUESE: Office = Office {
    language: Language::Portuguese,
    women: "M",
    men: "H",
    day_first: true,
    departure: "S",
    arrival: "E",
    width: Some(24),
    rejoined: 0.10,
    surname_dropped: 0.10,
    ..ORIGIN
};

/// An office of the destination: it knows arrivals well, since they need a permit, and departures badly.
pub(crate) const DESTINATION: Office = Office {
    language: Language::French,
    letters: Letters::Upper,
    apostrophes: Apostrophes::Kept,
    width: None,
    knows_departures: 0.50,
    knows_arrivals: 0.86,
    late: 0.09,
    respelt: 0.07,
    rejoined: 0.08,
    given_dropped: 0.15,
    swapped: 0.03,
    typo: 0.02,
    ocr: 0.004,
    married: MarriedName {
        share: 0.04,
        appended: false,
    },
    surname_dropped: 0.05,
    birth_imputed: 0.002,
    birth_day_month_swapped: 0.010,
    birth_slip: 0.015,
    birth_partial: 0.008,
    birth_missing: 0.006,
    sex_wrong: 0.003,
    sex_missing: 0.004,
    citizenship_missing: 0.015,
    sees_naturalisation: 0.04,
    counterpart_missing: 0.03,
    counterpart_wrong: 0.025,
    countries: CountryCodes::Alpha2,
    women: "F",
    men: "M",
    departure: "OUT",
    arrival: "IN",
    day_first: false,
};

pub(crate) const FRANCE: Office = Office {
    married: MarriedName {
        share: 0.30,
        appended: false,
    },
    women: "2",
    men: "1",
    departure: "S",
    arrival: "E",
    day_first: true,
    countries: CountryCodes::Alpha3,
    letters: Letters::Upper,
    knows_departures: 0.35,
    ..DESTINATION
};

pub(crate) const SPAIN: Office = Office {
    language: Language::Spanish,
    letters: Letters::UpperPlain,
    apostrophes: Apostrophes::Dropped,
    women: "M",
    men: "H",
    departure: "BAJA",
    arrival: "ALTA",
    day_first: true,
    countries: CountryCodes::Spanish,
    width: Some(25),
    ..DESTINATION
};

pub(crate) const ITALY: Office = Office {
    language: Language::Italian,
    letters: Letters::UpperPlain,
    ..DESTINATION
};

pub(crate) const GERMANY: Office = Office {
    language: Language::German,
    letters: Letters::AsGiven,
    women: "w",
    men: "m",
    departure: "F",
    arrival: "Z",
    day_first: true,
    countries: CountryCodes::Numeric,
    married: MarriedName {
        share: 0.15,
        appended: false,
    },
    knows_departures: 0.65,
    ..DESTINATION
};

pub(crate) const NETHERLANDS: Office = Office {
    language: Language::Dutch,
    letters: Letters::AsGiven,
    women: "V",
    men: "M",
    departure: "V",
    arrival: "I",
    countries: CountryCodes::Alpha2,
    knows_departures: 0.60,
    knows_arrivals: 0.90,
    ..DESTINATION
};

pub(crate) const PORTUGAL: Office = Office {
    language: Language::Portuguese,
    letters: Letters::UpperPlain,
    women: "M",
    men: "H",
    departure: "S",
    arrival: "E",
    day_first: true,
    // A wife may add her husband's surname to hers.
    married: MarriedName {
        share: 0.25,
        appended: true,
    },
    surname_dropped: 0.12,
    rejoined: 0.12,
    width: Some(36),
    ..DESTINATION
};
