//! A manifest against itself and against records.

use corridor_core::{DatePrecision, Direction, DurationRule, EventDate, Reason, RuleFlag, StayFlags};

use super::super::*;
use super::{emigration, full};

#[test]
fn a_break_outside_the_period_and_a_long_lag_are_marked() {
    let mut manifest = full();
    manifest.breaks[0].date = "2020-01-01".parse().unwrap();
    emigration(&mut manifest).registration.typical_lag_days = Quantity::Is(300);
    let findings = manifest.self_findings();
    let kinds: Vec<_> = findings
        .iter()
        .map(|found| (found.severity, found.kind, found.count))
        .collect();
    assert_eq!(
        kinds,
        [
            (Severity::Contradiction, FindingKind::BreakOutsidePeriod, 1),
            (Severity::Doubt, FindingKind::LagLongerThanWait, 119),
        ]
    );
    assert_eq!(full().self_findings(), []);
}

fn sound_move(day: u32) -> ObservedMove {
    ObservedMove {
        direction: if day.is_multiple_of(2) {
            Direction::Emigration
        } else {
            Direction::Immigration
        },
        date: EventDate {
            date: jiff::civil::date(2022, 1, 2)
                .checked_add(jiff::Span::new().days(i64::from(day)))
                .unwrap(),
            precision: DatePrecision::Day,
        },
        counterpart: "IT".parse().ok(),
        citizenship: "TN".parse().ok(),
        birth: BirthKnowledge::Day,
        before: SeenBefore::Nothing,
        stay: StayFlags {
            own: RuleFlag::Yes,
            ..StayFlags::default()
        },
        reason: Reason::Unknown,
    }
}

/// Findings about 1,000 moves of which some are changed, under a manifest that is changed.
fn findings(
    change_manifest: impl FnOnce(&mut DefinitionManifest),
    change_move: impl Fn(u32, &mut ObservedMove),
) -> Vec<(Severity, FindingKind, String, u64)> {
    let mut manifest = full();
    change_manifest(&mut manifest);
    manifest.validate().unwrap();
    let mut check = RegisterCheck::new(&manifest, "TN".parse().ok(), None);
    for day in 0..1000 {
        let mut observed = sound_move(day);
        change_move(day, &mut observed);
        check.add(&observed);
    }
    assert_eq!(check.moves(), 1000);
    check
        .finish()
        .into_iter()
        .map(|found| (found.severity, found.kind, found.key, found.count))
        .collect()
}

#[test]
fn sound_records_bear_the_manifest_out() {
    assert_eq!(findings(|_| {}, |_, _| {}), []);
}

#[test]
fn each_contradiction_is_found_by_name_with_its_count() {
    use FindingKind as Kind;
    use Severity::{Contradiction, Doubt};
    let found = |severity, kind, key: &str, count| vec![(severity, kind, key.to_owned(), count)];
    let no_partner = |day: u32, m: &mut ObservedMove| {
        if day < 100 {
            m.counterpart = None;
        }
    };
    assert_eq!(
        findings(
            |m| emigration(m).partner.unknown_percent = Quantity::None,
            |day, m| if day == 8 {
                m.counterpart = None;
            }
        ),
        found(
            Contradiction,
            Kind::PartnerMissing,
            "emigration.partner.unknown_percent",
            1
        )
    );
    assert_eq!(
        findings(|_| {}, no_partner).len(),
        2,
        "10 % where 5 % are said, in both directions"
    );
    assert_eq!(
        findings(
            |m| emigration(m).partner = PartnerRule {
                unknown_handling: UnknownPartner::Excluded,
                unknown_percent: Quantity::Unknown,
                ..PartnerRule::default()
            },
            |day, m| if day == 8 {
                m.counterpart = None;
            }
        ),
        found(
            Contradiction,
            Kind::PartnerMissing,
            "emigration.partner.unknown_handling",
            1
        )
    );
    assert_eq!(
        findings(
            |_| {},
            |day, m| if day == 8 {
                m.counterpart = "TN".parse().ok();
            }
        ),
        found(
            Contradiction,
            Kind::PartnerOwnCountry,
            "emigration.partner.known_by",
            1
        )
    );
    assert_eq!(
        findings(
            |_| {},
            |day, m| if day == 8 {
                m.date.date = "2021-12-31".parse().unwrap();
            }
        ),
        found(Contradiction, Kind::OutsidePeriod, "reference.first", 1)
    );
    assert_eq!(
        findings(
            |m| m.reference.last = Stated::Unknown,
            |day, m| if day == 8 {
                m.date.date = "2025-07-01".parse().unwrap();
            }
        ),
        found(Contradiction, Kind::AfterExtract, "reference.extracted", 1)
    );
    assert_eq!(
        findings(
            |_| {},
            |day, m| if day < 4 {
                m.date = EventDate {
                    date: jiff::civil::date(2022, 1, 1),
                    precision: DatePrecision::Year,
                };
            }
        ),
        [
            (
                Contradiction,
                Kind::PrecisionCoarser,
                "emigration.date.precision".to_owned(),
                2
            ),
            (
                Contradiction,
                Kind::PrecisionCoarser,
                "immigration.date.precision".to_owned(),
                2
            ),
        ]
    );
    assert_eq!(
        findings(
            |m| emigration(m).date.precision = StatedPrecision::Month,
            |day, m| {
                if day != 10 {
                    m.date.date = m.date.date.first_of_month();
                }
                if day % 2 == 1 {
                    *m = sound_move(day);
                }
            }
        ),
        found(
            Contradiction,
            Kind::PrecisionFiner,
            "emigration.date.precision",
            1
        )
    );
    assert_eq!(
        findings(|m| m.immigration = None, |_, _| {}),
        found(Contradiction, Kind::DirectionNotDescribed, "immigration", 500)
    );
    assert_eq!(
        findings(|_| {}, |_, m| m.direction = Direction::Emigration),
        found(Doubt, Kind::DirectionWithoutMoves, "immigration", 1)
    );
    assert_eq!(
        findings(
            |m| m.coverage.nationals = Treatment::Excluded,
            |day, m| if day > 2 {
                m.citizenship = "DZ".parse().ok();
            }
        ),
        found(Contradiction, Kind::GroupNotExcluded, "coverage.nationals", 3)
    );
    assert_eq!(
        findings(
            |m| m.coverage.foreigners = Treatment::Excluded,
            |day, m| if day == 2 {
                m.citizenship = "DZ".parse().ok();
            }
        ),
        found(Contradiction, Kind::GroupNotExcluded, "coverage.foreigners", 1)
    );
    assert_eq!(
        findings(|_| {}, |_, m| m.birth = BirthKnowledge::Year),
        found(Contradiction, Kind::AgeNotTold, "age.definition", 1000)
    );
    assert_eq!(
        findings(
            |_| {},
            |day, m| if day < 100 {
                m.birth = BirthKnowledge::Year;
            }
        ),
        found(Doubt, Kind::AgeNotTold, "age.definition", 100)
    );
    assert_eq!(
        findings(
            |_| {},
            |day, m| if day < 99 {
                m.birth = BirthKnowledge::Year
            }
        ),
        []
    );
    assert_eq!(
        findings(|m| m.office.country = "DZ".parse().unwrap(), |_, _| {}),
        found(Contradiction, Kind::ReporterDiffers, "office.country", 1000)
    );
    assert_eq!(
        findings(
            |_| {},
            |day, m| if day % 2 == 0 {
                m.date.date = m.date.date.first_of_month();
            }
        ),
        found(Doubt, Kind::DatesHeaped, "emigration.date.precision", 500)
    );
    let too_short = |day: u32, m: &mut ObservedMove| {
        m.stay.own = RuleFlag::Yes;
        m.stay.months_12 = if day.is_multiple_of(40) {
            RuleFlag::No
        } else {
            RuleFlag::Yes
        };
    };
    assert_eq!(
        findings(|_| {}, too_short),
        found(
            Contradiction,
            Kind::StayTooShort,
            "emigration.duration.minimum_stay",
            25
        )
    );
    // One in twenty who meant to stay and left is no doubt, and what the office does not count says nothing.
    assert_eq!(
        findings(
            |m| emigration(m).duration.basis = DurationBasis::Intended,
            too_short
        ),
        []
    );
    let not_counted = |day, m: &mut ObservedMove| {
        too_short(day, m);
        m.stay.own = m.stay.months_12;
    };
    assert_eq!(findings(|_| {}, not_counted), []);
    assert_eq!(
        findings(
            |m| m.coverage.students = Treatment::Excluded,
            |day, m| if day == 2 {
                m.reason = Reason::Study;
            }
        ),
        found(Contradiction, Kind::GroupNotExcluded, "coverage.students", 1)
    );
    // Who stands in the register and is not counted is left out.
    assert_eq!(
        findings(
            |m| m.coverage.students = Treatment::Excluded,
            |day, m| if day == 2 {
                m.reason = Reason::Study;
                m.stay.own = RuleFlag::No;
            }
        ),
        []
    );
    let seen_before = |day: u32, m: &mut ObservedMove| match day {
        ..20 => m.before = SeenBefore::Person,
        20..25 => m.before = SeenBefore::MoveOfYear,
        _ => {}
    };
    assert_eq!(
        findings(|m| m.identification.person_key = PersonKey::None, seen_before),
        found(
            Contradiction,
            Kind::PersonsFollowed,
            "identification.person_key",
            25
        )
    );
    assert_eq!(
        findings(
            |m| m.over_coverage.repeated_moves = RepeatedMoves::OneAYear,
            seen_before
        ),
        found(
            Contradiction,
            Kind::MovesRepeated,
            "over_coverage.repeated_moves",
            5
        )
    );
    assert_eq!(
        findings(
            |m| {
                m.identification.person_key = PersonKey::Permanent;
                m.over_coverage.repeated_moves = RepeatedMoves::Each;
            },
            seen_before
        ),
        []
    );
    let no_sundays = |_: u32, m: &mut ObservedMove| {
        if m.date.date.weekday() == jiff::civil::Weekday::Sunday {
            m.date.date = m.date.date.tomorrow().unwrap();
        }
    };
    let both = |m: &mut DefinitionManifest, basis| {
        emigration(m).date.basis = basis;
        m.immigration.as_mut().unwrap().date.basis = DateBasis::Registration;
    };
    assert_eq!(
        findings(|m| both(m, DateBasis::Move), no_sundays),
        found(Doubt, Kind::MovesOnOpenDaysOnly, "emigration.date.basis", 500)
    );
    assert_eq!(findings(|m| both(m, DateBasis::Deregistration), no_sundays), []);
    assert_eq!(
        findings(|m| both(m, DateBasis::Deregistration), |_, _| {}).len(),
        2
    );
}

#[test]
fn the_rule_of_the_mapping_is_held_against_that_of_the_manifest() {
    let manifest = full();
    let keys = |manifest: &DefinitionManifest, rule| {
        let findings = RegisterCheck::new(manifest, None, Some(rule)).finish();
        let keys = findings
            .into_iter()
            .filter(|found| found.kind == FindingKind::OwnRuleDiffers);
        keys.map(|found| found.key).collect::<Vec<_>>()
    };
    assert_eq!(keys(&manifest, DurationRule::Months12), [""; 0]);
    let mut other = full();
    emigration(&mut other).duration.minimum_stay = MinimumStay::Share {
        days: 90,
        within_months: 12,
    };
    assert_eq!(keys(&other, DurationRule::HalfYear).len(), 2);
    emigration(&mut other).duration.minimum_stay = MinimumStay::Share {
        days: 184,
        within_months: 12,
    };
    assert_eq!(keys(&other, DurationRule::HalfYear).len(), 1);
    assert_eq!(
        keys(&manifest, DurationRule::Months3),
        [
            "emigration.duration.minimum_stay",
            "immigration.duration.minimum_stay"
        ]
    );
}

#[test]
fn nothing_of_a_record_is_printed() {
    assert_eq!(format!("{:?}", sound_move(1)), "ObservedMove(..)");
}
