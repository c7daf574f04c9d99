//! What holds for any manifest.

use corridor_core::Direction;
use proptest::prelude::*;

use super::super::compare::compare_sides;
use super::super::statements::Side;
use super::super::*;
use super::{FULL, full, partner};

prop_compose! {
    fn stay()(kind in 0..5, months in 1..=12_000_u32, days in 1..=370_u16) -> MinimumStay {
        match kind {
            0 => MinimumStay::Unknown,
            1 => MinimumStay::None,
            2 => MinimumStay::Permanent,
            3 => MinimumStay::Share { days, within_months: 12 },
            _ => MinimumStay::Months((f64::from(months) / 100.0).try_into().unwrap()),
        }
    }
}

fn treatment() -> impl Strategy<Value = Treatment> {
    prop_oneof![
        Just(Treatment::Unknown),
        Just(Treatment::Included),
        Just(Treatment::Excluded),
        Just(Treatment::Partly),
        (1..=120_u16).prop_map(Treatment::FromMonths),
    ]
}

fn quantity(most: u32) -> impl Strategy<Value = Quantity> {
    prop_oneof![
        Just(Quantity::Unknown),
        Just(Quantity::None),
        (2..=most).prop_map(Quantity::Is)
    ]
}

fn word<T: Copy + std::fmt::Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = T> {
    proptest::sample::select(all)
}

prop_compose! {
    fn registration()(
        answers in proptest::collection::vec(word(Answer::ALL), 3),
        strengths in proptest::collection::vec(word(Strength::ALL), 2),
        quantities in proptest::collection::vec(quantity(200), 3),
        expected_undercount in word(Undercount::ALL),
    ) -> RegistrationRule {
        RegistrationRule {
            obligation: Answer::Yes,
            obligation_third_country: answers[0],
            enforcement: strengths[0],
            incentive: strengths[1],
            days_allowed: quantities[0],
            typical_lag_days: quantities[1],
            by_authority_after_months: quantities[2],
            third_country_monitored: answers[1],
            corrected_by_office: answers[2],
            expected_undercount,
        }
    }
}

prop_compose! {
    fn flow()(
        minimum_stay in stay(),
        italy in stay(),
        basis in word(DurationBasis::ALL),
        date_basis in proptest::sample::select(vec![
            DateBasis::Move, DateBasis::Registration, DateBasis::AdministrativeCorrection, DateBasis::Unknown,
        ]),
        precision in word(StatedPrecision::ALL),
        registration in registration(),
        known_by in word(PartnerBasis::ALL),
        unknown_handling in word(UnknownPartner::ALL),
        unknown_percent in quantity(100),
    ) -> FlowDefinition {
        FlowDefinition {
            duration: DurationRule { minimum_stay, basis, by_partner: [("IT".parse().unwrap(), italy)].into() },
            date: DateRule { basis: date_basis, precision },
            registration,
            partner: PartnerRule { known_by, unknown_handling, unknown_percent },
        }
    }
}

prop_compose! {
    fn manifest()(
        emigration in proptest::option::of(flow()),
        immigration in flow(),
        treatments in proptest::collection::vec(treatment(), 11),
        parts in proptest::collection::btree_map(
            "[A-Z]{2}".prop_map(|name| name.parse::<Text>().unwrap()),
            word(PartTreatment::ALL),
            0..4,
        ),
        days in proptest::collection::btree_set(0..900_i64, 0..4),
        (reasons, span, wait) in (
            proptest::collection::vec(proptest::sample::select(ReasonCode::ALL.to_vec()), 4), 300..1500_i64, 0..400_i64,
        ),
        base in word(PopulationBase::ALL),
        kind in word(SourceKind::ALL),
        cleaning in word(Cleaning::ALL),
        rounding_base in quantity(100),
        age in word(AgeDefinition::ALL),
        key in word(PersonKey::ALL),
    ) -> DefinitionManifest {
        let day = |days: i64| jiff::civil::date(2022, 1, 1).checked_add(jiff::Span::new().days(days)).unwrap();
        let mut manifest = full();
        manifest.emigration = emigration;
        manifest.immigration = Some(immigration);
        manifest.coverage = Coverage {
            nationals: Treatment::Included,
            foreigners: treatments[1],
            students: treatments[2],
            asylum_seekers: treatments[3],
            refugees: treatments[4],
            temporary_protection: treatments[5],
            diplomats: treatments[6],
            military: treatments[7],
            seasonal_workers: treatments[8],
            irregular: treatments[9],
            cross_border_commuters: treatments[10],
        };
        manifest.territory.parts = parts;
        manifest.reference.last = Stated::Known(day(span));
        manifest.reference.extracted = Stated::Known(day(span + wait));
        manifest.breaks = days.into_iter().zip(reasons).map(|(days, changed)| SeriesBreak {
            date: day(days),
            changed,
            direction: None,
            what: "another rule".parse().unwrap(),
        }).collect();
        manifest.population.base = base;
        manifest.source.kind = kind;
        manifest.over_coverage.cleaning = cleaning;
        manifest.published.rounding_base = rounding_base;
        manifest.age.definition = age;
        manifest.identification.person_key = key;
        manifest
    }
}

/// A difference seen from the other end, without its words.
fn mirrored(found: &DefinitionDifference) -> DefinitionDifference {
    DefinitionDifference {
        kind: match found.kind {
            DifferenceKind::OriginSilent => DifferenceKind::DestinationSilent,
            DifferenceKind::DestinationSilent => DifferenceKind::OriginSilent,
            kind @ (DifferenceKind::Differs | DifferenceKind::BothSilent) => kind,
        },
        origin: found.destination.clone(),
        destination: found.origin.clone(),
        tendency: match found.tendency {
            Tendency::TowardEmigrations => Tendency::TowardImmigrations,
            Tendency::TowardImmigrations => Tendency::TowardEmigrations,
            tendency @ (Tendency::Either | Tendency::Unknown) => tendency,
        },
        sentence: String::new(),
        ..found.clone()
    }
}

proptest! {
    #[test]
    fn any_manifest_survives_json_toml_and_its_canonical_bytes(manifest in manifest()) {
        manifest.validate().unwrap();
        let json = serde_json::to_string(&manifest).unwrap();
        prop_assert_eq!(&DefinitionManifest::from_text(&json).unwrap(), &manifest);
        let toml = toml::to_string(&manifest).unwrap();
        prop_assert_eq!(&DefinitionManifest::from_text(&toml).unwrap(), &manifest);
        let read = DefinitionManifest::from_canonical_bytes(&manifest.to_canonical_bytes()).unwrap();
        prop_assert_eq!(read.digest(), manifest.digest());
    }

    #[test]
    fn a_side_differs_from_itself_by_what_it_does_not_say_only(manifest in manifest()) {
        for direction in Direction::ALL {
            let side = Side { manifest: &manifest, direction, partner: "IT".parse().unwrap() };
            let compared = compare_sides(&side, &side);
            prop_assert_eq!(compared.remarks, []);
            for found in compared.differences {
                prop_assert_eq!(found.kind, DifferenceKind::BothSilent);
                prop_assert_eq!(found.tendency, Tendency::Unknown);
            }
        }
    }

    #[test]
    fn a_comparison_from_the_other_end_is_its_mirror_image(one in manifest(), other in manifest()) {
        let left = Side { manifest: &one, direction: Direction::Emigration, partner: "IT".parse().unwrap() };
        let right = Side { manifest: &other, direction: Direction::Immigration, partner: "TN".parse().unwrap() };
        let forth = compare_sides(&left, &right);
        let back = compare_sides(&right, &left);
        prop_assert_eq!(&forth.alike, &back.alike);
        prop_assert_eq!(forth.remarks.len(), back.remarks.len());
        prop_assert_eq!(forth.differences.len(), back.differences.len());
        for (forth, back) in forth.differences.iter().zip(&back.differences) {
            let (mirror, back) = (mirrored(forth), DefinitionDifference { sentence: String::new(), ..back.clone() });
            prop_assert_eq!(mirror.indicative.is_some(), back.indicative.is_some());
            if let (Some(there), Some(here)) = (mirror.indicative, back.indicative) {
                prop_assert!((there.ratio * here.ratio - 1.0).abs() < 1e-9);
                prop_assert!((there.low * here.high - 1.0).abs() < 1e-9);
            }
            prop_assert_eq!(
                DefinitionDifference { indicative: None, ..mirror },
                DefinitionDifference { indicative: None, ..back }
            );
        }
    }

    #[test]
    fn every_field_is_either_alike_or_listed(one in manifest(), mut other in manifest()) {
        other.office.country = "IT".parse().unwrap();
        let comparison = DefinitionManifest::compare(&one, &other).unwrap();
        let mut fields: Vec<&str> = comparison.alike.iter().map(String::as_str).collect();
        fields.extend(comparison.differences.iter().map(|found| found.field.as_str()));
        let fixed = fields.iter().filter(|field| !field.starts_with("territory.parts") && !field.starts_with("breaks"));
        prop_assert_eq!(fixed.count(), 42);
        for found in &comparison.differences {
            prop_assert!(!found.sentence.contains("  "), "{}", found.sentence);
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,200}") {
        drop(DefinitionManifest::from_text(&text));
    }

    #[test]
    fn no_altered_manifest_makes_the_reader_panic(at in 0..FULL.len(), with in "\\PC{0,3}", cut in 0..20_usize) {
        let end = (at + cut).min(FULL.len());
        if let (Some(head), Some(tail)) = (FULL.get(..at), FULL.get(end..))
            && let Ok(manifest) = DefinitionManifest::from_text(&format!("{head}{with}{tail}"))
        {
            let mut it = partner();
            if manifest.office.country == it.office.country {
                it.office.country = "FR".parse().unwrap();
            }
            DefinitionManifest::compare(&manifest, &it).unwrap();
        }
    }
}
