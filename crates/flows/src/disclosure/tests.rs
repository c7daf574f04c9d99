use std::collections::{BTreeMap, BTreeSet};

use corridor_core::{MigrationEvent, Side};
use microlp::{ComparisonOp, OptimizationDirection, Problem, SolveOutcome};
use proptest::prelude::*;

use super::*;
use crate::reconcile::MovePair;
use crate::reconcile::tests::{any_lists, event_in, table, terms};

const MINIMUM: u64 = 3;

fn noise() -> PerturbationSecret {
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

fn list_with_stays(flags: &[([RuleFlag; 5], usize)]) -> Vec<MigrationEvent> {
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

/// Two lists of so many moves of 2022, none of them in both, and the tables of them when `released` left before.
fn revised(origin: usize, destination: usize, released: &[PublishedTable]) -> PublishedTable {
    let none: [MovePair; 0] = [];
    let mut immigration = event_in(2022);
    immigration.direction = corridor_core::Direction::Immigration;
    let made = table(
        &terms(),
        &vec![event_in(2022); origin],
        &vec![immigration; destination],
        &none,
    );
    protect(made, &noise(), released).unwrap().into_published()
}

#[test]
fn a_revision_does_not_tell_by_how_few_it_differs() {
    let of_year = |table: &PublishedTable, measure| {
        let row = table.rows.iter().find(|row| {
            row.corridor == terms().corridor
                && row.group.get(Variable::Period) == Some("2022")
                && row.group.0.len() == 1
        });
        row.unwrap().counts.get(measure)
    };
    let first = revised(50, 40, &[]);
    assert_eq!(of_year(&first, Measure::EmigrationsOwn), Some(50));
    // Two moves more: fewer than the minimum of three. Five more are enough.
    let second = revised(52, 45, std::slice::from_ref(&first));
    assert_eq!(of_year(&second, Measure::EmigrationsOwn), None);
    assert_eq!(of_year(&second, Measure::Immigrations), Some(45));
    assert_eq!(of_year(&revised(52, 45, &[]), Measure::EmigrationsOwn), Some(52));
    // The same again tells nothing.
    let same = revised(50, 40, std::slice::from_ref(&first));
    assert_eq!(of_year(&same, Measure::EmigrationsOwn), Some(50));
    // Nor do the sums of the revision give it away.
    let of_all = second.rows.iter().find(|row| row.group.0.is_empty()).unwrap();
    assert_eq!(of_all.counts.get(Measure::EmigrationsOwn), None);
}

#[test]
fn what_is_told_again_is_taken_as_known_and_other_years_hide_sums_over_all() {
    let first = revised(50, 40, &[]);
    let mut of_other_years = first.clone();
    of_other_years.terms.period.last = "2023-12-31".parse().unwrap();
    let second = revised(90, 70, &[of_other_years]);
    let of_all = second.rows.iter().find(|row| row.group.0.is_empty()).unwrap();
    assert_eq!(of_all.counts.get(Measure::EmigrationsOwn), None);
    let of_year = second
        .rows
        .iter()
        .find(|row| row.group.is_by(&[Variable::Period]));
    assert_eq!(of_year.unwrap().counts.get(Measure::EmigrationsOwn), Some(90));
}

#[test]
fn tables_changed_by_chance_and_others_of_the_same_years_do_not_both_leave() {
    let first = revised(50, 40, &[]);
    let none: [MovePair; 0] = [];
    let mut perturbed = terms();
    perturbed.disclosure.method = DisclosureMethod::CellKey;
    let made = table(&perturbed, &[event_in(2022)], &[], &none);
    let error = protect(made, &noise(), std::slice::from_ref(&first)).unwrap_err();
    assert_eq!(error, DisclosureError::PerturbedBefore);
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

#[test]
fn days_and_stays_are_told_again_only_where_they_are_the_same() {
    let mut immigration = event_in(2022);
    immigration.direction = corridor_core::Direction::Immigration;
    let of_days = |same_day: usize, a_week_later: usize| {
        let mut destination = vec![immigration; same_day + a_week_later];
        for event in &mut destination[same_day..] {
            event.date.date = "2022-06-22".parse().unwrap();
        }
        let pairs: Vec<MovePair> = (0..u32::try_from(destination.len()).unwrap())
            .map(|index| MovePair {
                emigration: index,
                immigration: index,
            })
            .collect();
        table(&terms(), &vec![event_in(2022); destination.len()], &destination, &pairs)
    };
    let lags = |table: &PublishedTable| -> BTreeMap<String, Option<u64>> {
        let rows = table.lags.iter().filter(|row| row.corridor == terms().corridor);
        rows.map(|row| (row.days.clone(), row.moves)).collect()
    };
    let first = protect(of_days(40, 30), &noise(), &[]).unwrap().into_published();
    assert_eq!((lags(&first)["0"], lags(&first)["1 to 7"]), (Some(40), Some(30)));
    // One move more on the same day and one less a week later: the total does not tell of it, the days would.
    let second = protect(of_days(41, 29), &noise(), std::slice::from_ref(&first)).unwrap().into_published();
    assert_eq!((lags(&second)["0"], lags(&second)["1 to 7"]), (None, None));
    let same = protect(of_days(40, 30), &noise(), std::slice::from_ref(&first)).unwrap().into_published();
    assert_eq!(lags(&same), lags(&first));
    assert_eq!(same.stays, first.stays);
    // Of sums over other years nothing is told.
    let mut of_other_years = first;
    of_other_years.terms.period.last = "2023-12-31".parse().unwrap();
    let third = protect(of_days(40, 30), &noise(), &[of_other_years]).unwrap().into_published();
    assert!(lags(&third).values().all(|moves| moves.is_none_or(|moves| moves == 0)));
}

#[test]
fn tables_by_other_groups_of_the_same_moves_are_refused() {
    let first = revised(50, 40, &[]);
    let none: [MovePair; 0] = [];
    let refused = |change: &dyn Fn(&mut FlowTerms)| {
        let mut other = first.clone();
        change(&mut other.terms);
        let made = table(&terms(), &[event_in(2022)], &[], &none);
        match protect(made, &noise(), &[other]) {
            Ok(_) => None,
            Err(DisclosureError::OtherGroups { what }) => Some(what),
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(refused(&|_| {}), None);
    let bands = corridor_core::AgeBands::try_from(vec![0, 18, 65]).unwrap();
    assert_eq!(refused(&|terms| terms.age_bands = bands.clone()), Some("age bands"));
    assert_eq!(
        refused(&|terms| terms.statistics.period_unit = corridor_core::PeriodUnit::Quarter),
        Some("periods")
    );
    assert_eq!(
        refused(&|terms| terms.statistics.country_groups.0.clear()),
        Some("groups of countries")
    );
    let by = |tables: Vec<Vec<Variable>>| move |terms: &mut FlowTerms| terms.statistics.tables.clone_from(&tables);
    let reached = vec![vec![Variable::Period, Variable::AgeReached]];
    assert_eq!(refused(&by(reached)), Some("definitions of age"));
    // Bands that no table was by tell nothing.
    let by_sex = by(vec![vec![Variable::Period, Variable::Sex]]);
    assert_eq!(
        refused(&|terms| {
            terms.age_bands = bands.clone();
            by_sex(terms);
        }),
        None
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn what_was_left_out_stays_out((origin, destination, pairs) in any_lists(), (more, _, _) in any_lists()) {
        let mut by_sex = terms();
        by_sex.statistics.tables = vec![vec![Variable::Period, Variable::Sex]];
        let mut by_citizenship = terms();
        by_citizenship.statistics.tables = vec![vec![Variable::Period, Variable::Citizenship]];
        let first = protect(table(&by_sex, &origin, &destination, &pairs), &noise(), &[]).unwrap().into_published();
        let revised: Vec<MigrationEvent> = origin.iter().chain(&more).copied().collect();
        let second = protect(
            table(&by_citizenship, &revised, &destination, &pairs),
            &noise(),
            std::slice::from_ref(&first),
        )
        .unwrap()
        .into_published();
        for row in &second.rows {
            let before = first.rows.iter().find(|before| (before.corridor, &before.group) == (row.corridor, &row.group));
            for measure in Measure::ALL {
                if before.is_some_and(|before| before.counts.get(measure).is_none()) {
                    prop_assert_eq!(row.counts.get(measure), None);
                }
            }
        }
    }
}
