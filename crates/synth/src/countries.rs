//! How offices code countries.

/// A way of coding countries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CountryCodes {
    /// ISO 3166-1 alpha-2.
    Alpha2,
    /// ISO 3166-1 alpha-3.
    Alpha3,
    /// UN M49, three digits.
    Numeric,
    /// Names in Spanish, which the mapping declares.
    Spanish,
}

impl CountryCodes {
    /// The code of a country given as alpha-2.
    ///
    /// # Panics
    /// When the country is not one a corridor speaks of.
    pub(crate) fn write(self, alpha2: &str) -> &'static str {
        let (own_alpha2, alpha3, numeric, spanish) = COUNTRIES
            .iter()
            .find(|(code, ..)| *code == alpha2)
            .expect("each country of a corridor is in the table");
        match self {
            Self::Alpha2 => own_alpha2,
            Self::Alpha3 => alpha3,
            Self::Numeric => numeric,
            Self::Spanish => spanish,
        }
    }

    /// Codes a mapping must declare, with the alpha-2 code of each.
    pub(crate) fn declared(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let own = self == Self::Spanish;
        COUNTRIES
            .iter()
            .filter(move |_| own)
            .map(|(alpha2, _, _, spanish)| (*spanish, *alpha2))
    }
}

/// Alpha-2, alpha-3, M49 (ISO 3166-1) and the Spanish name.
const COUNTRIES: &[(&str, &str, &str, &str)] = &[
    ("AO", "AGO", "024", "ANGOLA"),
    ("AT", "AUT", "040", "AUSTRIA"),
    ("BE", "BEL", "056", "BELGICA"),
    ("BR", "BRA", "076", "BRASIL"),
    ("CA", "CAN", "124", "CANADA"),
    ("CD", "COD", "180", "R.D. CONGO"),
    ("CH", "CHE", "756", "SUIZA"),
    ("CI", "CIV", "384", "COSTA DE MARFIL"),
    ("CV", "CPV", "132", "CABO VERDE"),
    ("DE", "DEU", "276", "ALEMANIA"),
    ("DZ", "DZA", "012", "ARGELIA"),
    ("ER", "ERI", "232", "ERITREA"),
    ("ES", "ESP", "724", "ESPAÑA"),
    ("ET", "ETH", "231", "ETIOPIA"),
    ("FR", "FRA", "250", "FRANCIA"),
    ("GB", "GBR", "826", "REINO UNIDO"),
    ("GH", "GHA", "288", "GHANA"),
    ("GM", "GMB", "270", "GAMBIA"),
    ("IT", "ITA", "380", "ITALIA"),
    ("LU", "LUX", "442", "LUXEMBURGO"),
    ("LY", "LBY", "434", "LIBIA"),
    ("MA", "MAR", "504", "MARRUECOS"),
    ("ML", "MLI", "466", "MALI"),
    ("MR", "MRT", "478", "MAURITANIA"),
    ("NA", "NAM", "516", "NAMIBIA"),
    ("NG", "NGA", "566", "NIGERIA"),
    ("NL", "NLD", "528", "PAISES BAJOS"),
    ("PT", "PRT", "620", "PORTUGAL"),
    ("SD", "SDN", "729", "SUDAN"),
    ("SE", "SWE", "752", "SUECIA"),
    ("SN", "SEN", "686", "SENEGAL"),
    ("TN", "TUN", "788", "TUNEZ"),
    ("US", "USA", "840", "ESTADOS UNIDOS"),
    ("ZA", "ZAF", "710", "SUDAFRICA"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use corridor_core::CountryCode;

    #[test]
    fn codes_of_a_country_are_of_one_country() {
        for (alpha2, alpha3, numeric, _) in COUNTRIES {
            let country: CountryCode = alpha2.parse().unwrap();
            assert_eq!(alpha3.parse(), Ok(country));
            assert_eq!(numeric.parse(), Ok(country));
        }
    }

    #[test]
    fn own_names_are_declared_and_no_iso_code() {
        assert_eq!(CountryCodes::Spanish.declared().count(), COUNTRIES.len());
        assert_eq!(CountryCodes::Alpha3.declared().count(), 0);
        for (name, _) in CountryCodes::Spanish.declared() {
            assert!(name.parse::<CountryCode>().is_err(), "{name}");
        }
    }
}
