use std::collections::BTreeMap;

use corridor_core::{DisclosureMethod, DurationRule, MigrationEvent, RuleFlag, Side, Variable};
use proptest::prelude::*;

use crate::classes::Measure;
use crate::disclosure::tests::{PERIOD_2022, PERIOD_2023, by, list_with_stays, noise, of_origin, own_count};
use crate::disclosure::{DisclosureError, protect};
use crate::published::PublishedTable;
use crate::reconcile::MovePair;
use crate::reconcile::tests::{any_lists, event_in, table, terms};
use crate::terms::FlowTerms;

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
        table(
            &terms(),
            &vec![event_in(2022); destination.len()],
            &destination,
            &pairs,
        )
    };
    let lags = |table: &PublishedTable| -> BTreeMap<String, Option<u64>> {
        let rows = table.lags.iter().filter(|row| row.corridor == terms().corridor);
        rows.map(|row| (row.days.clone(), row.moves)).collect()
    };
    let first = protect(of_days(40, 30), &noise(), &[]).unwrap().into_published();
    assert_eq!((lags(&first)["0"], lags(&first)["1 to 7"]), (Some(40), Some(30)));
    // One move more on the same day and one less a week later: the total does not tell of it, the days would.
    let second = protect(of_days(41, 29), &noise(), std::slice::from_ref(&first))
        .unwrap()
        .into_published();
    assert_eq!((lags(&second)["0"], lags(&second)["1 to 7"]), (None, None));
    let same = protect(of_days(40, 30), &noise(), std::slice::from_ref(&first))
        .unwrap()
        .into_published();
    assert_eq!(lags(&same), lags(&first));
    assert_eq!(same.stays, first.stays);
    // Of sums over other years nothing is told.
    let mut of_other_years = first;
    of_other_years.terms.period.last = "2023-12-31".parse().unwrap();
    let third = protect(of_days(40, 30), &noise(), &[of_other_years])
        .unwrap()
        .into_published();
    assert!(
        lags(&third)
            .values()
            .all(|moves| moves.is_none_or(|moves| moves == 0))
    );
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
    assert_eq!(
        refused(&|terms| terms.age_bands = bands.clone()),
        Some("age bands")
    );
    assert_eq!(
        refused(&|terms| terms.statistics.period_unit = corridor_core::PeriodUnit::Quarter),
        Some("periods")
    );
    assert_eq!(
        refused(&|terms| terms.statistics.country_groups.0.clear()),
        Some("groups of countries")
    );
    let by =
        |tables: Vec<Vec<Variable>>| move |terms: &mut FlowTerms| terms.statistics.tables.clone_from(&tables);
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

#[test]
fn what_was_left_out_cannot_be_computed_from_a_finer_table_of_other_years() {
    let moves = |year: i16, sex, count: usize| {
        let mut event = event_in(year);
        event.sex = sex;
        vec![event; count]
    };
    let (female, male) = (corridor_core::Sex::Female, corridor_core::Sex::Male);
    let of_2023 = [moves(2023, female, 20), moves(2023, male, 26)].concat();
    let years = |first: &str, last: &str| {
        let (first, last) = (first.parse().unwrap(), last.parse().unwrap());
        move |terms: &mut FlowTerms| {
            terms.period.first = first;
            terms.period.last = last;
        }
    };
    let early = years("2022-01-01", "2023-12-31");
    let late = years("2023-01-01", "2024-12-31");
    let by_period = by(&[&[Variable::Period]]);
    let by_sex = by(&[&[Variable::Period, Variable::Sex]]);
    let first = of_origin(
        &|terms| {
            early(terms);
            by_period(terms);
        },
        &[moves(2022, female, 4), of_2023.clone()].concat(),
        &[],
    );
    assert_eq!(
        (own_count(&first, &[]), own_count(&first, &[PERIOD_2023])),
        (Some(50), None)
    );
    let second = of_origin(
        &|terms| {
            late(terms);
            by_sex(terms);
        },
        &of_2023,
        std::slice::from_ref(&first),
    );
    assert_eq!(own_count(&second, &[PERIOD_2023]), None);
    let of_sex = |sex| own_count(&second, &[PERIOD_2023, (Variable::Sex, sex)]);
    assert!(
        of_sex("female").is_none() || of_sex("male").is_none(),
        "50 less 46 is four"
    );
}

#[test]
fn what_a_revision_left_out_is_still_held_against_what_was_told_before_it() {
    let of_group = |group: u8, sex, count: usize| {
        let mut event = event_in(2022);
        event.sex = sex;
        event.facts.citizenship = Some(corridor_core::CountryGroup(group));
        vec![event; count]
    };
    let (female, male) = (corridor_core::Sex::Female, corridor_core::Sex::Male);
    let before = [of_group(0, female, 25), of_group(1, male, 25)].concat();
    let after = [
        of_group(0, female, 25),
        of_group(0, male, 1),
        of_group(1, male, 25),
    ]
    .concat();
    let by_sex = by(&[&[Variable::Period, Variable::Sex]]);
    let by_both = by(&[
        &[Variable::Period, Variable::Sex],
        &[Variable::Period, Variable::Citizenship],
    ]);
    let first = of_origin(&by_sex, &before, &[]);
    assert_eq!(own_count(&first, &[PERIOD_2022]), Some(50));
    let second = of_origin(&by_sex, &after, std::slice::from_ref(&first));
    assert_eq!(own_count(&second, &[PERIOD_2022]), None);
    let third = of_origin(&by_both, &after, &[first, second]);
    assert_eq!(own_count(&third, &[PERIOD_2022]), None);
    let of = |group| own_count(&third, &[PERIOD_2022, (Variable::Citizenship, group)]);
    assert!(
        of("maghreb").is_none() || of("other").is_none(),
        "51 less 50 is one"
    );
}

#[test]
fn an_offices_own_count_is_held_against_what_was_told_of_its_rule() {
    use RuleFlag::{No, Yes};
    let under = |rule: DurationRule| {
        let by_sex = by(&[&[Variable::Period, Variable::Sex]]);
        move |terms: &mut FlowTerms| {
            terms.statistics.duration_rule = rule;
            by_sex(terms);
        }
    };
    let stays = |table: &PublishedTable, rule: DurationRule| {
        let mut rows = table.stays.iter().filter(|row| {
            row.corridor == terms().corridor
                && row.side == Side::Origin
                && row.period == "2022"
                && row.rule == rule
                && row.counts == Yes
        });
        rows.next().unwrap().moves
    };
    // Forty meet twelve months, one more six: one of the two is left out, and stays out where it is the rule of a table.
    let one_more = list_with_stays(&[
        ([Yes, Yes, Yes, Yes, Yes], 40),
        ([Yes, No, Yes, Yes, Yes], 1),
        ([Yes, No, No, No, No], 29),
    ]);
    let first = of_origin(&under(DurationRule::Own), &one_more, &[]);
    let hidden: Vec<DurationRule> = [DurationRule::Months12, DurationRule::Months6]
        .into_iter()
        .filter(|rule| stays(&first, *rule).is_none())
        .collect();
    assert!(!hidden.is_empty());
    for rule in hidden {
        let second = of_origin(&under(rule), &one_more, std::slice::from_ref(&first));
        assert_eq!(own_count(&second, &[PERIOD_2022]), None, "{rule:?}");
    }
    // Fifty-five that meet twelve months are told; fifty-six in a revision tell of one.
    let of_12_months = |count: usize, sex| {
        let mut events = list_with_stays(&[([No, Yes, Yes, Yes, Yes], count)]);
        events.iter_mut().for_each(|event| event.sex = sex);
        events
    };
    let (female, male) = (corridor_core::Sex::Female, corridor_core::Sex::Male);
    let others = list_with_stays(&[([Yes, No, No, No, No], 62)]);
    let told = [others.clone(), of_12_months(5, female), of_12_months(50, male)].concat();
    let first = of_origin(&under(DurationRule::Own), &told, &[]);
    assert_eq!(stays(&first, DurationRule::Months12), Some(55));
    let revised = [others, of_12_months(6, female), of_12_months(50, male)].concat();
    let second = of_origin(
        &under(DurationRule::Months12),
        &revised,
        std::slice::from_ref(&first),
    );
    assert_eq!(own_count(&second, &[PERIOD_2022]), None);
    // Of the same data, the total is known and covers nobody: with the five women the fifty men are left out.
    let same = of_origin(
        &under(DurationRule::Months12),
        &told,
        std::slice::from_ref(&first),
    );
    let of_sex = |sex| own_count(&same, &[PERIOD_2022, (Variable::Sex, sex)]);
    assert_eq!((of_sex("female"), of_sex("male")), (None, None));
}
