//! Each difference by name.

use std::collections::BTreeSet;

use corridor_core::Direction;

use super::super::*;
use super::{emigration, full, partner};

/// The comparison after a change at the origin.
fn after(change: impl FnOnce(&mut DefinitionManifest)) -> ManifestComparison {
    let mut origin = full();
    change(&mut origin);
    DefinitionManifest::compare(&origin, &partner()).unwrap()
}

#[test]
fn a_manifest_that_says_everything_leaves_nothing_unknown() {
    assert_eq!(full().unknowns().0, Vec::<String>::new());
    let comparison = DefinitionManifest::compare(&full(), &partner()).unwrap();
    assert_eq!(comparison.differences, []);
    assert!(comparison.alike.contains(&"breaks.2023-01-01".to_owned()));
    assert!(comparison.alike.contains(&"territory.parts.RE".to_owned()));
}

/// One change, and the one difference it makes: field, letter and tendency.
#[test]
fn each_difference_has_its_reason_and_tendency() {
    use Tendency::{Either, TowardEmigrations as Emigrations, TowardImmigrations as Immigrations};
    type Change = fn(&mut DefinitionManifest);
    let cases: &[(&str, char, Tendency, Change)] = &[
        ("duration.minimum_stay", 'D', Emigrations, |m| {
            emigration(m).duration.minimum_stay = MinimumStay::Months(3.0.try_into().unwrap());
        }),
        ("duration.minimum_stay", 'D', Immigrations, |m| {
            emigration(m).duration.minimum_stay = MinimumStay::Permanent;
        }),
        ("duration.minimum_stay", 'D', Emigrations, |m| {
            emigration(m).duration.minimum_stay = MinimumStay::Share {
                days: 184,
                within_months: 12,
            };
        }),
        ("duration.minimum_stay", 'D', Emigrations, |m| {
            emigration(m)
                .duration
                .by_partner
                .insert("IT".parse().unwrap(), MinimumStay::None);
        }),
        ("duration.basis", 'B', Either, |m| {
            emigration(m).duration.basis = DurationBasis::Intended
        }),
        ("coverage.nationals", 'C', Immigrations, |m| {
            m.coverage.nationals = Treatment::Excluded
        }),
        ("coverage.foreigners", 'C', Immigrations, |m| {
            m.coverage.foreigners = Treatment::Partly
        }),
        ("coverage.students", 'C', Immigrations, |m| {
            m.coverage.students = Treatment::Excluded
        }),
        ("coverage.asylum_seekers", 'C', Emigrations, |m| {
            m.coverage.asylum_seekers = Treatment::FromMonths(6)
        }),
        ("coverage.refugees", 'C', Immigrations, |m| {
            m.coverage.refugees = Treatment::FromMonths(3)
        }),
        ("coverage.temporary_protection", 'C', Either, |m| {
            m.coverage.temporary_protection = Treatment::FromMonths(3);
        }),
        ("coverage.diplomats", 'C', Emigrations, |m| {
            m.coverage.diplomats = Treatment::Included
        }),
        ("coverage.military", 'C', Emigrations, |m| {
            m.coverage.military = Treatment::Included
        }),
        ("coverage.seasonal_workers", 'C', Emigrations, |m| {
            m.coverage.seasonal_workers = Treatment::Included
        }),
        ("coverage.irregular", 'C', Emigrations, |m| {
            m.coverage.irregular = Treatment::Partly
        }),
        ("coverage.cross_border_commuters", 'C', Emigrations, |m| {
            m.coverage.cross_border_commuters = Treatment::Included;
        }),
        ("population.base", 'C', Immigrations, |m| {
            m.population.base = PopulationBase::Legal
        }),
        ("source.kind", 'C', Either, |m| m.source.kind = SourceKind::Survey),
        ("registration.obligation", 'U', Immigrations, |m| {
            emigration(m).registration.obligation = Answer::No
        }),
        ("registration.obligation_third_country", 'U', Immigrations, |m| {
            emigration(m).registration.obligation_third_country = Answer::Partly;
        }),
        ("registration.enforcement", 'U', Emigrations, |m| {
            emigration(m).registration.enforcement = Strength::Strong;
        }),
        ("registration.incentive", 'U', Immigrations, |m| {
            emigration(m).registration.incentive = Strength::None
        }),
        ("registration.third_country_monitored", 'U', Emigrations, |m| {
            emigration(m).registration.third_country_monitored = Answer::Yes;
        }),
        ("registration.corrected_by_office", 'U', Emigrations, |m| {
            emigration(m).registration.corrected_by_office = Answer::Yes;
        }),
        ("registration.expected_undercount", 'U', Immigrations, |m| {
            emigration(m).registration.expected_undercount = Undercount::High;
        }),
        ("registration.days_allowed", 'L', Immigrations, |m| {
            emigration(m).registration.days_allowed = Quantity::None;
        }),
        ("registration.typical_lag_days", 'L', Emigrations, |m| {
            emigration(m).registration.typical_lag_days = Quantity::None;
        }),
        ("registration.by_authority_after_months", 'L', Emigrations, |m| {
            emigration(m).registration.by_authority_after_months = Quantity::Is(12);
        }),
        ("reference.extracted", 'L', Emigrations, |m| {
            m.reference.extracted = Stated::Known("2025-12-31".parse().unwrap());
        }),
        ("date.basis", 'T', Either, |m| {
            emigration(m).date.basis = DateBasis::Deregistration
        }),
        ("date.precision", 'T', Either, |m| {
            emigration(m).date.precision = StatedPrecision::Year
        }),
        ("reference.first", 'T', Either, |m| {
            m.reference.first = Stated::Known("2021-01-01".parse().unwrap())
        }),
        ("age.definition", 'T', Either, |m| {
            m.age.definition = AgeDefinition::ReachedInYear
        }),
        ("partner.known_by", 'P', Either, |m| {
            emigration(m).partner.known_by = PartnerBasis::Citizenship
        }),
        ("partner.unknown_handling", 'P', Emigrations, |m| {
            emigration(m).partner.unknown_handling = UnknownPartner::Distributed;
        }),
        ("partner.unknown_percent", 'P', Immigrations, |m| {
            emigration(m).partner.unknown_percent = Quantity::Is(30);
        }),
        ("territory.former_states", 'X', Either, |m| {
            m.territory.former_states = FormerStates::NotKnown
        }),
        ("territory.parts.RE", 'X', Immigrations, |m| {
            m.territory
                .parts
                .insert("RE".parse().unwrap(), PartTreatment::Excluded);
        }),
        ("over_coverage.cleaning", 'O', Either, |m| {
            m.over_coverage.cleaning = Cleaning::Never
        }),
        ("over_coverage.duplicates_removed", 'O', Emigrations, |m| {
            m.over_coverage.duplicates_removed = Answer::No;
        }),
        ("over_coverage.repeated_moves", 'O', Immigrations, |m| {
            m.over_coverage.repeated_moves = RepeatedMoves::OneAYear;
        }),
        ("identification.person_key", 'K', Either, |m| {
            m.identification.person_key = PersonKey::Changes
        }),
        ("identification.birth_dates", 'K', Either, |m| {
            m.identification.birth_dates = BirthDates::Declared
        }),
        ("identification.name_script", 'K', Either, |m| {
            m.identification.name_script = NameScript::Other
        }),
        ("published.rounding_base", 'R', Either, |m| {
            m.published.rounding_base = Quantity::Is(5)
        }),
        ("published.perturbation", 'R', Either, |m| {
            m.published.perturbation = Perturbation::CellKey
        }),
        ("breaks.2023-01-01", 'C', Either, |m| m.breaks.clear()),
    ];
    for (field, letter, tendency, change) in cases {
        let comparison = after(*change);
        let [found] = comparison.differences.as_slice() else {
            panic!("{field}: {:?}", comparison.differences);
        };
        assert_eq!(
            (found.field.as_str(), found.letter, found.kind, found.tendency),
            (*field, *letter, DifferenceKind::Differs, *tendency)
        );
        assert!(
            found.sentence.contains("TN") && found.sentence.contains("IT"),
            "{}",
            found.sentence
        );
        assert!(!comparison.alike.contains(&found.field));
    }
    // Every statement is put to the test, and so is every reason.
    let tested: BTreeSet<&str> = cases.iter().map(|(field, ..)| *field).collect();
    let alike = after(|_| {}).alike;
    let all: BTreeSet<&str> = alike.iter().map(String::as_str).collect();
    assert_eq!(tested, all);
    let letters: BTreeSet<char> = cases.iter().map(|(_, letter, ..)| *letter).collect();
    assert_eq!(letters, ReasonCode::ALL.map(ReasonCode::letter).into());
}

#[test]
fn three_months_against_twelve_is_the_published_factor() {
    let comparison =
        after(|m| emigration(m).duration.minimum_stay = MinimumStay::Months(3.0.try_into().unwrap()));
    let found = &comparison.differences[0];
    let indicative = found.indicative.unwrap();
    assert!((indicative.ratio - 1.0 / 0.63).abs() < 1e-9, "{indicative:?}");
    assert!(
        (indicative.low - (0.24_f64 * 0.75).exp()).abs() < 1e-9,
        "{indicative:?}"
    );
    assert!((indicative.high - 1.0 / 0.61).abs() < 1e-9, "{indicative:?}");
    assert_eq!(
        found.sentence,
        "Minimum stay: TN counts a move when it is for 3 months or more; IT counts a move when it is for 12 months or more. \
         Moves for a time between the two rules are in one of the figures only. The emigrations that TN counts tend to be more."
    );
}

#[test]
fn undercount_by_experts_is_the_ratio_of_their_means() {
    let comparison = after(|m| emigration(m).registration.expected_undercount = Undercount::High);
    let indicative = comparison.differences[0].indicative.unwrap();
    assert!((indicative.ratio - 0.4548 / 0.8770).abs() < 1e-9);
    assert!(indicative.low < indicative.ratio && indicative.ratio < indicative.high);
    let medium = after(|m| emigration(m).registration.expected_undercount = Undercount::Medium);
    assert_eq!(
        medium.differences[0].indicative, None,
        "the experts were not asked"
    );
}

#[test]
fn experts_who_think_alike_of_both_still_expect_fewer_emigrations() {
    let comparison = after(|_| {});
    let [remark] = comparison.remarks.as_slice() else {
        panic!("{:?}", comparison.remarks);
    };
    assert_eq!(
        (remark.letter, remark.field.as_str()),
        ('U', "registration.expected_undercount")
    );
    assert!((remark.indicative.ratio - 0.7261 / 0.8770).abs() < 1e-9);
    let medium = |m: &mut DefinitionManifest| {
        for flow in [&mut m.emigration, &mut m.immigration] {
            flow.as_mut().unwrap().registration.expected_undercount = Undercount::Medium;
        }
    };
    let (mut origin, mut destination) = (full(), partner());
    medium(&mut origin);
    medium(&mut destination);
    assert_eq!(
        DefinitionManifest::compare(&origin, &destination)
            .unwrap()
            .remarks,
        []
    );
}

#[test]
fn beyond_the_published_tables_there_is_no_figure() {
    let comparison =
        after(|m| emigration(m).duration.minimum_stay = MinimumStay::Months(61.0.try_into().unwrap()));
    assert_eq!(comparison.differences[0].indicative, None);
}

#[test]
fn deregistration_there_and_registration_here_are_one_basis() {
    let mut destination = partner();
    destination.immigration.as_mut().unwrap().date.basis = DateBasis::Registration;
    let mut origin = full();
    emigration(&mut origin).date.basis = DateBasis::Deregistration;
    let comparison = DefinitionManifest::compare(&origin, &destination).unwrap();
    assert_eq!(comparison.differences, []);
}

#[test]
fn what_is_not_said_is_listed_and_no_agreement() {
    let comparison = after(|m| m.coverage.students = Treatment::Unknown);
    let found = &comparison.differences[0];
    assert_eq!(
        (found.kind, found.tendency, found.indicative),
        (DifferenceKind::OriginSilent, Tendency::Unknown, None)
    );
    let mut origin = full();
    origin.emigration = None;
    let comparison = DefinitionManifest::compare(&origin, &partner()).unwrap();
    assert!(comparison.differences.len() > 15);
    assert!(
        comparison
            .differences
            .iter()
            .all(|found| found.kind == DifferenceKind::OriginSilent)
    );
    let bare = |country: &str| {
        DefinitionManifest::from_text(&format!(
            "version = 1\noffice.country = \"{country}\"\nemigration = {{}}\nimmigration = {{}}"
        ))
        .unwrap()
    };
    let comparison = DefinitionManifest::compare(&bare("TN"), &bare("IT")).unwrap();
    assert_eq!(comparison.alike, Vec::<String>::new());
    assert!(
        comparison
            .differences
            .iter()
            .all(|found| found.kind == DifferenceKind::BothSilent)
    );
}

#[test]
fn breaks_count_within_the_common_period_and_direction_only() {
    let with = |date: &str, direction: Option<Direction>| {
        after(|m| {
            m.breaks.push(SeriesBreak {
                date: date.parse().unwrap(),
                changed: ReasonCode::Duration,
                direction,
                what: "from three to twelve months".parse().unwrap(),
            });
            m.breaks.sort_by_key(|found| found.date);
        })
        .differences
    };
    let found = with("2023-07-01", Some(Direction::Emigration));
    assert_eq!(
        (found.len(), found[0].letter, found[0].destination.as_str()),
        (1, 'D', "no break")
    );
    assert_eq!(with("2023-07-01", None).len(), 1);
    assert_eq!(with("2023-07-01", Some(Direction::Immigration)), []);
    assert_eq!(with("2025-07-01", None), []);
    assert_eq!(
        with("2022-01-01", None),
        [],
        "all of the period is under the new rule"
    );
}

#[test]
fn one_country_has_no_corridor() {
    let error = DefinitionManifest::compare(&full(), &full()).unwrap_err();
    assert!(error.to_string().contains("both manifests are of TN"), "{error}");
}
