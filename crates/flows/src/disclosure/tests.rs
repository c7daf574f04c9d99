use std::collections::{BTreeMap, BTreeSet};

use corridor_core::{MigrationEvent, Side};
use microlp::{ComparisonOp, OptimizationDirection, Problem, SolveOutcome};
use proptest::prelude::*;

use super::*;
use crate::published::EstimateRemark;
use crate::reconcile::MovePair;
use crate::reconcile::tests::{any_lists, event_in, table, terms};

const MINIMUM: u64 = 3;

pub(super) fn noise() -> PerturbationSecret {
    PerturbationSecret::new([9; 32])
}

/// Equations an outsider has: sums of unknowns that are known, and for the most, sums of which it is known that they are not 0. Gives the
/// least and the most another sum can be.
fn attack(
    unknowns: usize,
    known: &[(Vec<usize>, u64)],
    filled: &[Vec<usize>],
    target: &[usize],
) -> (f64, f64) {
    let end = |direction| {
        let mut problem = Problem::new(direction);
        let variables: Vec<_> = (0..unknowns)
            .map(|unknown| problem.add_var(if target.contains(&unknown) { 1.0 } else { 0.0 }, (0.0, 1e5)))
            .collect();
        for (members, value) in known {
            let sum: Vec<_> = members.iter().map(|&member| (variables[member], 1.0)).collect();
            problem.add_constraint(sum, ComparisonOp::Eq, f64::from(u32::try_from(*value).unwrap()));
        }
        let is_most = direction == OptimizationDirection::Maximize;
        for members in filled.iter().filter(|_| is_most) {
            let sum: Vec<_> = members.iter().map(|&member| (variables[member], 1.0)).collect();
            problem.add_constraint(sum, ComparisonOp::Ge, 1.0);
        }
        match problem.solve().unwrap() {
            SolveOutcome::Solution(solution) => solution.objective(),
            SolveOutcome::Interrupted(_) => panic!("no limit was set"),
        }
    };
    (
        end(OptimizationDirection::Minimize),
        end(OptimizationDirection::Maximize),
    )
}

/// Unknowns of the rows of a direction: every class of every finest cell, those that are empty among them.
fn members(corridor: &CorridorTable, row: &TableRow, measure: Measure) -> Vec<usize> {
    let cells = row.cells.iter().map(|cell| usize::try_from(*cell).unwrap());
    let all: Vec<usize> = cells
        .flat_map(|cell| {
            measure
                .classes()
                .iter()
                .map(move |class| cell * 9 + class.index())
        })
        .collect();
    assert!(all.iter().all(|member| *member < corridor.cells.len() * 9));
    all
}

fn is_small(count: u64) -> bool {
    count > 0 && count < MINIMUM
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn no_small_count_of_a_row_can_be_told_from_none_or_from_enough((origin, destination, pairs) in any_lists()) {
        let made = table(&terms(), &origin, &destination, &pairs);
        let published = protect(made.clone(), &noise(), &[]).unwrap().into_published();
        let mut rows = published.rows.iter();
        for corridor in &made.corridors {
            let seen: Vec<&FlowRow> = rows.by_ref().take(corridor.rows.len()).collect();
            let (mut known, mut filled) = (Vec::new(), Vec::new());
            for (row, seen) in corridor.rows.iter().zip(&seen) {
                for measure in Measure::ALL {
                    if let Some(count) = seen.counts.get(measure) {
                        prop_assert_eq!(count, row.account.measure(measure));
                        prop_assert!(!is_small(count));
                        known.push((members(corridor, row, measure), count));
                    } else {
                        // Zeros are shown.
                        filled.push(members(corridor, row, measure));
                    }
                }
            }
            known.retain(|(members, _)| !members.is_empty());
            let small: BTreeSet<Vec<usize>> = corridor
                .rows
                .iter()
                .flat_map(|row| Measure::ALL.map(|measure| (row, measure)))
                .filter(|(row, measure)| is_small(row.account.measure(*measure)))
                .map(|(row, measure)| members(corridor, row, measure))
                .collect();
            for target in small {
                let (least, most) = attack(corridor.cells.len() * 9, &known, &filled, &target);
                prop_assert!(least < 1e-6 && most > 3.0 - 1e-6, "{least} to {most}");
            }
        }
    }

    #[test]
    fn no_small_step_of_days_can_be_told((origin, destination, pairs) in any_lists()) {
        let made = table(&terms(), &origin, &destination, &pairs);
        let published = protect(made.clone(), &noise(), &[]).unwrap().into_published();
        let steps = LAG_STEPS.len() + 1;
        for (corridor, seen) in made.corridors.iter().zip(published.lags.chunks(steps)) {
            let moves = |step: usize| corridor.lags[0][step] + corridor.lags[1][step];
            let mut known: Vec<(Vec<usize>, u64)> = (0..steps)
                .filter_map(|step| Some((vec![step], seen[step].moves?)))
                .collect();
            // The total, which the rows show.
            let shown = published.rows.iter().find(|row| row.corridor == corridor.corridor).unwrap();
            if let Some(total) = shown.counts.get(Measure::Matched) {
                known.push(((0..steps).collect(), total));
            }
            for step in (0..steps).filter(|&step| is_small(moves(step))) {
                let (least, most) = attack(steps, &known, &[], &[step]);
                prop_assert!(least < 1e-6 && most > 3.0 - 1e-6, "{least} to {most}");
            }
        }
    }

    #[test]
    fn perturbed_rows_add_up_and_keep_their_zeros((origin, destination, pairs) in any_lists()) {
        for method in [DisclosureMethod::RandomRounding, DisclosureMethod::CellKey] {
            let mut terms = terms();
            terms.disclosure.method = method;
            let made = table(&terms, &origin, &destination, &pairs);
            let published = protect(made.clone(), &noise(), &[]).unwrap().into_published();
            let again = protect(made.clone(), &noise(), &[]).unwrap().into_published();
            prop_assert_eq!(&published, &again, "the same key gives the same noise");
            let rows = made.corridors.iter().flat_map(|corridor| &corridor.rows);
            for (row, seen) in rows.zip(&published.rows) {
                let count = |measure| seen.counts.get(measure).unwrap();
                for measure in Measure::ALL {
                    let classes = measure.classes();
                    let before = row.account.measure(measure);
                    let apart = count(measure).abs_diff(before);
                    prop_assert!(apart <= 2 * u64::try_from(classes.len()).unwrap());
                    prop_assert!(before > 0 || count(measure) == 0);
                    if method == DisclosureMethod::RandomRounding {
                        prop_assert_eq!(count(measure) % 3, 0);
                    }
                }
                prop_assert_eq!(count(Measure::Emigrations), count(Measure::Matched) + count(Measure::OnlyOrigin));
                prop_assert_eq!(
                    count(Measure::Immigrations) + count(Measure::TimingOrigin) + count(Measure::DefinitionOrigin)
                        + count(Measure::PartnerOrigin) + count(Measure::UnmatchedOrigin),
                    count(Measure::EmigrationsOwn) + count(Measure::TimingDestination)
                        + count(Measure::DefinitionDestination) + count(Measure::PartnerDestination)
                        + count(Measure::UnmatchedDestination)
                );
            }
        }
    }
}

pub(super) fn list_with_stays(flags: &[([RuleFlag; 5], usize)]) -> Vec<MigrationEvent> {
    let with = |flags: [RuleFlag; 5]| {
        let mut event = event_in(2022);
        event.facts.stay = corridor_core::StayFlags::from_array(flags);
        event
    };
    flags
        .iter()
        .flat_map(|(flags, count)| std::iter::repeat_n(with(*flags), *count))
        .collect()
}

#[test]
fn the_difference_of_two_rules_of_stay_does_not_tell_of_few() {
    use RuleFlag::{No, Yes};
    // Forty meet all rules, one meets six months and not twelve, thirty meet none.
    let origin = list_with_stays(&[
        ([Yes, Yes, Yes, Yes, Yes], 40),
        ([Yes, No, Yes, Yes, Yes], 1),
        ([No, No, No, No, No], 30),
    ]);
    let none: [MovePair; 0] = [];
    let made = table(&terms(), &origin, &[], &none);
    let published = protect(made, &noise(), &[]).unwrap().into_published();
    let shown: BTreeMap<(DurationRule, RuleFlag), Option<u64>> = published
        .stays
        .iter()
        .filter(|row| row.side == Side::Origin && row.period == "2022" && row.corridor == terms().corridor)
        .map(|row| ((row.rule, row.counts), row.moves))
        .collect();
    // What the rows show of the agreed rule stands here too.
    assert_eq!(shown[&(DurationRule::Own, Yes)], Some(41));
    let both = (
        shown[&(DurationRule::Months12, Yes)],
        shown[&(DurationRule::Months6, Yes)],
    );
    assert!(both.0.is_none() || both.1.is_none(), "{both:?}");
    let against_own = (
        shown[&(DurationRule::Months12, Yes)],
        shown[&(DurationRule::Months12, No)],
    );
    assert!(against_own.0.is_none(), "41 less 40 is one: {against_own:?}");
}

#[test]
fn nothing_of_a_table_is_in_its_debug_text() {
    let none: [MovePair; 0] = [];
    let made = table(&terms(), &vec![event_in(2022); 4321], &[], &none);
    assert_eq!(format!("{made:?}"), "FlowTable(..)");
    let seen = format!("{:?}", protect(made, &noise(), &[]).unwrap());
    assert!(
        seen.starts_with("Disclosable { inner: FlowTable(..), published: "),
        "{seen}"
    );
}

#[test]
fn a_small_table_is_hidden_whole_and_an_empty_one_is_shown() {
    let none: [MovePair; 0] = [];
    let made = table(&terms(), &[event_in(2022), event_in(2022)], &[], &none);
    let published = protect(made, &noise(), &[]).unwrap().into_published();
    let row = &published.rows[0];
    assert_eq!(row.counts.get(Measure::Emigrations), None);
    assert_eq!(row.counts.get(Measure::Immigrations), Some(0));
    assert!(published.rows.iter().all(|row| row.estimate.is_none()));
    let labels: Vec<&str> = published
        .rows
        .iter()
        .filter(|row| row.corridor == terms().corridor && row.group.is_by(&[Variable::Period]))
        .filter_map(|row| row.group.get(Variable::Period))
        .collect();
    assert_eq!(
        labels,
        ["2022", "2023", "2024"],
        "periods without a move stand there too"
    );
}

#[test]
fn agreed_moves_on_other_days_are_not_told_by_those_on_one() {
    // Twenty moves of one day on both sides, and one a day later.
    let mut immigration = event_in(2022);
    immigration.direction = corridor_core::Direction::Immigration;
    let mut destination = vec![immigration; 21];
    destination[20].date.date = "2022-06-16".parse().unwrap();
    let pairs: Vec<MovePair> = (0..21)
        .map(|index| MovePair {
            emigration: index,
            immigration: index,
        })
        .collect();
    let made = table(&terms(), &vec![event_in(2022); 21], &destination, &pairs);
    let published = protect(made, &noise(), &[]).unwrap().into_published();
    let on_one_day = published.lags.iter().find(|row| row.days == "0").unwrap();
    assert_eq!(
        on_one_day.moves, None,
        "21 agree: 20 of one day would tell of the other"
    );
}

/// The tables of a list of the origin's under these terms with a minimum of ten, when `released` left before.
pub(super) fn of_origin(
    change: &dyn Fn(&mut FlowTerms),
    origin: &[MigrationEvent],
    released: &[PublishedTable],
) -> PublishedTable {
    let mut terms = terms();
    terms.disclosure.minimum_count = 10;
    change(&mut terms);
    let none: [MovePair; 0] = [];
    protect(table(&terms, origin, &[], &none), &noise(), released)
        .unwrap()
        .into_published()
}

pub(super) fn own_count(table: &PublishedTable, labels: &[(Variable, &str)]) -> Option<u64> {
    let group: BTreeMap<Variable, String> = labels
        .iter()
        .map(|(variable, label)| (*variable, (*label).to_owned()))
        .collect();
    let row = table
        .rows
        .iter()
        .find(|row| row.corridor == terms().corridor && row.group.0 == group);
    row.unwrap().counts.get(Measure::EmigrationsOwn)
}

pub(super) fn by(tables: &[&[Variable]]) -> impl Fn(&mut FlowTerms) {
    let tables: Vec<Vec<Variable>> = tables.iter().map(|table| table.to_vec()).collect();
    move |terms| terms.statistics.tables.clone_from(&tables)
}

pub(super) const PERIOD_2023: (Variable, &str) = (Variable::Period, "2023");
pub(super) const PERIOD_2022: (Variable, &str) = (Variable::Period, "2022");

#[test]
fn two_definitions_of_age_do_not_tell_of_the_few_in_between() {
    let of_ages = |completed: u8, reached: u8, count: usize| {
        let mut event = event_in(2022);
        event.age_band = Some(corridor_core::AgeBand(completed));
        event.facts.age_band_reached = Some(corridor_core::AgeBand(reached));
        vec![event; count]
    };
    let origin = [of_ages(0, 0, 20), of_ages(0, 1, 1), of_ages(1, 1, 30)].concat();
    let both = by(&[
        &[Variable::Period, Variable::Age],
        &[Variable::Period, Variable::AgeReached],
    ]);
    let seen = of_origin(&both, &origin, &[]);
    let of = |variable| own_count(&seen, &[PERIOD_2022, (variable, "0-14")]);
    assert!(
        of(Variable::Age).is_none() || of(Variable::AgeReached).is_none(),
        "21 less 20 is one"
    );
    // Enough in between are.
    let origin = [of_ages(0, 0, 20), of_ages(0, 1, 12), of_ages(1, 1, 30)].concat();
    let seen = of_origin(&both, &origin, &[]);
    let of = |variable| own_count(&seen, &[PERIOD_2022, (variable, "0-14")]);
    assert_eq!(
        (of(Variable::Age), of(Variable::AgeReached)),
        (Some(32), Some(20))
    );
}

#[test]
fn moves_in_no_table_do_not_tell_how_few_their_partners_are() {
    let mut elsewhere = event_in(2022);
    elsewhere.direction = corridor_core::Direction::Immigration;
    elsewhere.counterpart = corridor_core::Counterpart::Other;
    let seen = |paired: u32| {
        let mut terms = terms();
        terms.disclosure.minimum_count = 10;
        let pairs: Vec<MovePair> = (0..paired)
            .map(|index| MovePair {
                emigration: index,
                immigration: index,
            })
            .collect();
        let destination = vec![elsewhere; 24];
        let made = table(&terms, &vec![event_in(2022); 60], &destination, &pairs);
        let published = protect(made, &noise(), &[]).unwrap().into_published();
        let row = published.left_out.iter().find(|row| {
            (row.corridor, row.side, row.reason) == (terms.corridor, Side::Destination, LeftOut::OtherCountry)
        });
        (
            published.rows[0].counts.get(Measure::PartnerOrigin),
            row.unwrap().moves,
        )
    };
    assert_eq!(
        seen(3),
        (None, None),
        "no more than 24 of the origin's are with another country there"
    );
    assert_eq!(seen(20), (Some(20), Some(20)));
}

#[test]
fn protection_that_is_stopped_shows_nothing() {
    let stop = corridor_core::Stop::default();
    let none: [MovePair; 0] = [];
    // Two moves of a year are to be hidden, so there is something to work out.
    let made = |moves: usize| {
        let mut events = vec![event_in(2022); moves];
        events.extend([event_in(2023); 2]);
        table(&terms(), &events, &[], &none)
    };
    let first = protect(made(50).stopped_by(&stop), &noise(), &[])
        .unwrap()
        .into_published();
    stop.set();
    for released in [&[][..], std::slice::from_ref(&first)] {
        let outcome = protect(made(51).stopped_by(&stop), &noise(), released);
        assert_eq!(
            outcome.map(drop),
            Err(DisclosureError::Stopped(corridor_core::Stopped))
        );
    }
}

#[test]
fn moves_of_which_the_rule_is_not_known_are_told_as_the_stays_tell_them() {
    let mut terms = terms();
    terms.statistics.duration_rule = DurationRule::Months12;
    let with = |flag, count| {
        let mut event = event_in(2022);
        event.facts.stay.months_12 = flag;
        vec![event; count]
    };
    let told = |unknown: usize| {
        let mut events = with(RuleFlag::Yes, 200);
        events.extend(with(RuleFlag::No, 40));
        events.extend(with(RuleFlag::Unknown, unknown));
        let none: [MovePair; 0] = [];
        let published = protect(table(&terms, &events, &[], &none), &noise(), &[])
            .unwrap()
            .into_published();
        let row = published.left_out.iter().find(|row| {
            (row.corridor, row.side, row.reason) == (terms.corridor, Side::Origin, LeftOut::RuleUnknown)
        });
        row.unwrap().moves
    };
    assert_eq!((told(60), told(0)), (Some(60), Some(0)));
    // Fewer than the minimum are left out of the stays, with others, and so here.
    assert_eq!(told(1), None);
}

#[test]
fn a_size_that_is_refused_before_pairs_are_known_is_refused_with_any() {
    let mut terms = terms();
    terms.disclosure.minimum_count = 1;
    terms.period.last = terms
        .period
        .first
        .checked_add(jiff::Span::new().years(300))
        .unwrap();
    terms.statistics.tables = vec![vec![
        Variable::Period,
        Variable::Sex,
        Variable::Age,
        Variable::Citizenship,
    ]];
    let of_all_groups = |years: i16| -> Vec<MigrationEvent> {
        let sexes = [
            corridor_core::Sex::Female,
            corridor_core::Sex::Male,
            corridor_core::Sex::Unknown,
        ];
        (0..years)
            .flat_map(|year| sexes.map(|sex| (year, sex)))
            .flat_map(|(year, sex)| (0_u8..17).map(move |band| (year, sex, band)))
            .map(|(year, sex, band)| {
                let mut event = event_in(2022 + year);
                event.sex = sex;
                event.age_band = Some(corridor_core::AgeBand(band));
                event
            })
            .collect()
    };
    let mut was_refused = false;
    for years in [1, 100, 290] {
        let mut arrived = of_all_groups(years);
        for event in &mut arrived {
            event.direction = corridor_core::Direction::Immigration;
        }
        // Each may be the same as one that left, of which the other office knows nothing but the year.
        let mut left = of_all_groups(years);
        for event in &mut left {
            event.sex = corridor_core::Sex::Unknown;
            event.age_band = None;
        }
        let none: Vec<MovePair> = Vec::new();
        let all = (0..u32::try_from(left.len()).unwrap()).map(|index| MovePair {
            emigration: index,
            immigration: index,
        });
        if check_size(&terms, &left, &arrived).is_err() {
            was_refused = true;
            for pairs in [none, all.collect()] {
                let late = protect(table(&terms, &left, &arrived, &pairs), &noise(), &[]);
                assert!(matches!(late, Err(DisclosureError::TooManyCounts { .. })));
            }
        }
        // And these are gone with their groups, once they are.
        for event in &mut arrived {
            event.direction = corridor_core::Direction::Emigration;
        }
        for event in &mut left {
            event.direction = corridor_core::Direction::Immigration;
        }
        assert_eq!(check_size(&terms, &arrived, &left), Ok(()));
    }
    assert!(was_refused);
    terms.disclosure.method = DisclosureMethod::CellKey;
    assert_eq!(check_size(&terms, &[], &of_all_groups(290)), Ok(()));
}

#[test]
fn a_variable_that_one_register_does_not_tell_has_no_estimate_by_it() {
    let mut terms = terms();
    terms.disclosure.minimum_count = 1;
    terms.statistics.tables = vec![
        vec![Variable::Period, Variable::Sex],
        vec![Variable::Period, Variable::BirthCountry],
    ];
    let born = |direction, group: Option<u8>| {
        let mut event = event_in(2022);
        event.direction = direction;
        event.facts.birth_country = group.map(corridor_core::CountryGroup);
        event
    };
    use corridor_core::Direction::{Emigration, Immigration};
    // Of the origin's, 40 are at the destination and 20 are not.
    let pairs: Vec<MovePair> = (0..40)
        .map(|index| MovePair {
            emigration: index,
            immigration: index,
        })
        .collect();
    let shown = |origin: Option<u8>, destination: Option<u8>| {
        let (origin, destination) = (
            vec![born(Emigration, origin); 60],
            vec![born(Immigration, destination); 50],
        );
        let made = table(&terms, &origin, &destination, &pairs);
        let mut published = protect(made, &noise(), &[]).unwrap().into_published();
        published.carry_linkage_error(&|_| None);
        assert_eq!(published.validate(), Ok(()));
        let sides: Vec<(Side, Variable)> = published
            .untold()
            .iter()
            .filter(|untold| untold.corridor == terms.corridor)
            .map(|untold| (untold.side, untold.variable))
            .collect();
        let of_corridor = published.rows.iter().filter(|row| row.corridor == terms.corridor);
        let remarks: Vec<(bool, Option<EstimateRemark>)> = of_corridor
            .filter(|row| row.counts.get(Measure::Matched) > Some(0))
            .map(|row| {
                (
                    row.group.get(Variable::BirthCountry).is_some(),
                    row.estimate_remark(&published.untold()),
                )
            })
            .collect();
        (sides, remarks)
    };
    let (sides, remarks) = shown(None, Some(0));
    assert_eq!(sides, [(Side::Origin, Variable::BirthCountry)]);
    assert!(remarks.contains(&(true, Some(EstimateRemark::OneRegister))) && remarks.contains(&(false, None)));
    assert!(!remarks.contains(&(true, None)), "{remarks:?}");
    assert_eq!(
        shown(Some(0), None).0,
        [(Side::Destination, Variable::BirthCountry)]
    );
    let (sides, remarks) = shown(Some(0), Some(0));
    assert_eq!(sides, []);
    assert!(remarks.contains(&(true, None)), "{remarks:?}");
}
