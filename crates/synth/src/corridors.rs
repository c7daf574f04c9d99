//! The corridors: who moves, how they are called and which offices write it down. Shares of peoples are plausible
//! settings; stocks by sex and flows both ways come from `data/margins.csv`.

use crate::countries::CountryCodes;
use crate::office::Office;
use crate::offices::{
    FRANCE, GERMANY, ITALY, NETHERLANDS, ORIGIN_ERITREA, ORIGIN_MAGHREB, ORIGIN_NIGERIA, ORIGIN_PORTUGUESE,
    ORIGIN_SENEGAL, PORTUGAL, SPAIN,
};
use crate::profile::{Custom, Home, People, Profile};

/// Every corridor, by name.
pub(crate) const PROFILES: &[Profile] = &[
    Profile {
        name: "AO-PT",
        peoples: &[
            (0.92, lusophone("AO")),
            (0.05, host("PT", &[(1.0, "PT")], Custom::Lusophone)),
            (
                0.03,
                People {
                    citizenship: "CD",
                    ..family_name("CD", "AO")
                },
            ),
        ],
        third_countries: &["BR", "ZA", "FR", "GB", "NA"],
        towns: &[
            "Luanda", "Huambo", "Lobito", "Benguela", "Lubango", "Malanje", "Cabinda", "Uíge",
        ],
        origin: Office {
            women: "F",
            men: "M",
            width: Some(40),
            ..ORIGIN_PORTUGUESE
        },
        destination: PORTUGAL,
    },
    Profile {
        name: "CV-PT",
        peoples: &[
            (0.95, lusophone("CV")),
            (0.05, host("PT", &[(1.0, "PT")], Custom::Lusophone)),
        ],
        third_countries: &["FR", "NL", "LU", "US", "IT"],
        towns: &[
            "Praia",
            "Mindelo",
            "Assomada",
            "Tarrafal",
            "São Filipe",
            "Porto Novo",
            "Espargos",
        ],
        origin: ORIGIN_PORTUGUESE,
        destination: PORTUGAL,
    },
    Profile {
        name: "DZ-FR",
        peoples: &[
            (0.91, family_name("DZ", "DZ")),
            (
                0.06,
                host(
                    "FR",
                    &[(0.5, "FR"), (0.5, "DZ")],
                    Custom::FamilyName { second_given: 0.3 },
                ),
            ),
            (
                0.03,
                People {
                    citizenship: "ML",
                    ..family_name("ML", "SN")
                },
            ),
        ],
        third_countries: &["ES", "BE", "CA", "IT", "TN"],
        towns: &[
            "Alger",
            "Oran",
            "Constantine",
            "Tizi Ouzou",
            "Béjaïa",
            "Sétif",
            "Annaba",
            "Tlemcen",
            "Batna",
        ],
        origin: Office {
            respelt: 0.10,
            countries: CountryCodes::Alpha3,
            ..ORIGIN_MAGHREB
        },
        destination: FRANCE,
    },
    Profile {
        name: "ER-DE",
        peoples: &[(0.97, patronymic("ER")), (0.03, patronymic("ET"))],
        third_countries: &["ET", "SD", "IT", "CH", "SE"],
        towns: &[
            "Asmara",
            "Keren",
            "Mendefera",
            "Massawa",
            "Adi Keyh",
            "Dekemhare",
            "Barentu",
            "Senafe",
        ],
        origin: ORIGIN_ERITREA,
        destination: GERMANY,
    },
    Profile {
        name: "ER-NL",
        peoples: &[(0.97, patronymic("ER")), (0.03, patronymic("ET"))],
        third_countries: &["ET", "SD", "IT", "DE", "SE"],
        towns: &[
            "Asmara",
            "Keren",
            "Mendefera",
            "Massawa",
            "Adi Keyh",
            "Dekemhare",
            "Barentu",
            "Senafe",
        ],
        origin: ORIGIN_ERITREA,
        destination: NETHERLANDS,
    },
    Profile {
        name: "MA-ES",
        peoples: &[
            (0.93, family_name("MA", "MA")),
            (0.05, host("ES", &[(0.7, "ES"), (0.3, "MA")], Custom::Spanish)),
            (
                0.02,
                People {
                    citizenship: "SN",
                    ..family_name("SN", "SN")
                },
            ),
        ],
        third_countries: &["FR", "IT", "BE", "NL", "DE"],
        towns: &[
            "Nador",
            "Tanger",
            "Tétouan",
            "Casablanca",
            "Oujda",
            "Beni Mellal",
            "Larache",
            "Al Hoceïma",
            "Fès",
        ],
        origin: ORIGIN_MAGHREB,
        destination: SPAIN,
    },
    Profile {
        name: "NG-DE",
        peoples: &[
            (0.97, NIGERIANS),
            (
                0.03,
                host("DE", &[(1.0, "DE")], Custom::FamilyName { second_given: 0.3 }),
            ),
        ],
        third_countries: &["GB", "IT", "US", "GH", "AT"],
        towns: NIGERIAN_TOWNS,
        origin: ORIGIN_NIGERIA,
        destination: GERMANY,
    },
    Profile {
        name: "NG-IT",
        peoples: &[
            (0.98, NIGERIANS),
            (
                0.02,
                host("IT", &[(1.0, "IT")], Custom::FamilyName { second_given: 0.1 }),
            ),
        ],
        third_countries: &["GB", "DE", "LY", "GH", "FR"],
        towns: NIGERIAN_TOWNS,
        origin: ORIGIN_NIGERIA,
        destination: ITALY,
    },
    Profile {
        name: "SN-ES",
        peoples: &[
            (0.94, family_name("SN", "SN")),
            (0.02, host("ES", &[(1.0, "ES")], Custom::Spanish)),
            (
                0.04,
                People {
                    citizenship: "GM",
                    ..family_name("GM", "SN")
                },
            ),
        ],
        third_countries: &["FR", "IT", "MR", "MA", "DE"],
        towns: SENEGALESE_TOWNS,
        origin: ORIGIN_SENEGAL,
        destination: SPAIN,
    },
    Profile {
        name: "SN-FR",
        peoples: &[
            (0.90, family_name("SN", "SN")),
            (
                0.06,
                host(
                    "FR",
                    &[(0.6, "FR"), (0.4, "SN")],
                    Custom::FamilyName { second_given: 0.3 },
                ),
            ),
            (
                0.04,
                People {
                    citizenship: "ML",
                    ..family_name("ML", "SN")
                },
            ),
        ],
        third_countries: &["IT", "ES", "US", "BE", "MA"],
        towns: SENEGALESE_TOWNS,
        origin: ORIGIN_SENEGAL,
        destination: FRANCE,
    },
    Profile {
        name: "TN-IT",
        peoples: &[
            (0.93, family_name("TN", "TN")),
            (
                0.05,
                host(
                    "IT",
                    &[(0.8, "IT"), (0.2, "TN")],
                    Custom::FamilyName { second_given: 0.1 },
                ),
            ),
            (
                0.02,
                People {
                    citizenship: "CI",
                    ..family_name("CI", "SN")
                },
            ),
        ],
        third_countries: &["FR", "DE", "LY", "BE", "CH"],
        towns: &[
            "Tunis",
            "Sfax",
            "Sousse",
            "Mahdia",
            "Zarzis",
            "Kairouan",
            "Bizerte",
            "Gabès",
            "Médenine",
        ],
        origin: ORIGIN_MAGHREB,
        destination: ITALY,
    },
];

const fn family_name(citizenship: &'static str, pool: &'static str) -> People {
    let pools: &[(f64, &str)] = match pool.as_bytes() {
        b"AO" => &[(1.0, "AO")],
        b"DZ" => &[(1.0, "DZ")],
        b"MA" => &[(1.0, "MA")],
        b"SN" => &[(1.0, "SN")],
        b"TN" => &[(1.0, "TN")],
        _ => panic!("no such pool of family names"),
    };
    People {
        citizenship,
        home: Home::Origin,
        pools,
        custom: Custom::FamilyName { second_given: 0.22 },
    }
}

const fn lusophone(citizenship: &'static str) -> People {
    People {
        citizenship,
        home: Home::Origin,
        pools: match citizenship.as_bytes() {
            b"AO" => &[(1.0, "AO")],
            _ => &[(1.0, "CV")],
        },
        custom: Custom::Lusophone,
    }
}

const fn patronymic(citizenship: &'static str) -> People {
    People {
        citizenship,
        home: Home::Origin,
        pools: &[(1.0, "ER")],
        custom: Custom::Patronymic,
    }
}

const fn host(citizenship: &'static str, pools: &'static [(f64, &'static str)], custom: Custom) -> People {
    People {
        citizenship,
        home: Home::Destination,
        pools,
        custom,
    }
}

/// Nigerians in Europe are mostly from the south.
const NIGERIANS: People = People {
    citizenship: "NG",
    home: Home::Origin,
    pools: &[(0.45, "NG-IG"), (0.38, "NG-YO"), (0.17, "NG-HA")],
    custom: Custom::Nigerian { english: 0.55 },
};

const NIGERIAN_TOWNS: &[&str] = &[
    "Lagos",
    "Benin City",
    "Ibadan",
    "Enugu",
    "Onitsha",
    "Abuja",
    "Port Harcourt",
    "Kano",
    "Warri",
    "Kaduna",
];

const SENEGALESE_TOWNS: &[&str] = &[
    "Dakar",
    "Touba",
    "Thiès",
    "Pikine",
    "Saint-Louis",
    "Kaolack",
    "Louga",
    "Ziguinchor",
    "Matam",
    "Bakel",
];
