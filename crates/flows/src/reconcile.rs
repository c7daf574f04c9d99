//! Both lists of one corridor, move by move: which class each is in.

use std::collections::BTreeMap;

use corridor_core::{
    Corridor, Counterpart, DatePrecision, Direction, DurationRule, MigrationEvent, Period, RuleFlag, Side,
};

use serde::{Deserialize, Serialize};

use crate::classes::{Account, Class};
use crate::terms::{Category, CellKey, FlowTerms};

/// Two events found to be the same move: positions in the emigrations' and the immigrations' list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MovePair {
    /// Position among the events of the origin's office.
    pub(crate) emigration: u32,
    /// Position among the events of the destination's office.
    pub(crate) immigration: u32,
}

/// Pairs that are no one-to-one pairing of moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FlowError {
    /// A pair names an event that is not there.
    #[error("a pair names an event beyond the end of its list")]
    EventOutOfRange,
    /// An event is in two pairs.
    #[error("an event is in two pairs")]
    EventPairedTwice,
    /// There is nothing to count.
    #[error(
        "neither office has a move between the two countries in the reference period {} to {}",
        period.first,
        period.last
    )]
    NothingInPeriod {
        /// The period.
        period: Period,
    },
    /// Counts of an office would all be 0, whatever moved.
    #[error(
        "of no move of the {}'s list is it known whether the rule of minimum stay ({rule}) counts it",
        match side { Side::Origin => "origin", Side::Destination => "destination" },
        rule = rule.as_str()
    )]
    RuleUnknown {
        /// Whose list.
        side: Side,
        /// The rule.
        rule: DurationRule,
    },
    /// A pair of two events that cannot be one move.
    #[error("a pair joins events that are not an emigration and an immigration")]
    PairDirection,
    /// Record keys of another number than events.
    #[error("there are {keys} record keys for {events} events")]
    RecordKeys {
        /// Record keys given.
        keys: usize,
        /// Events given.
        events: usize,
    },
}

/// Events of one office, with what the cell key method adds up of each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MoveList<'a> {
    pub(crate) events: &'a [MigrationEvent],
    /// One for each event, or none.
    pub(crate) record_keys: &'a [u64],
}

/// Days between both dates of a move, destination's less origin's, in the steps of [`LAG_STEPS`]; the last step is for dates not
/// known by the day. Of moves in one period, then of those in two.
pub(crate) type LagCounts = [[u64; LAG_STEPS.len() + 1]; 2];

/// First and last day of each step of the lag distribution, and its label.
pub(crate) const LAG_STEPS: [(i32, i32, &str); 13] = [
    (i32::MIN, -366, "< -365"),
    (-365, -182, "-365 to -182"),
    (-181, -91, "-181 to -91"),
    (-90, -31, "-90 to -31"),
    (-30, -8, "-30 to -8"),
    (-7, -1, "-7 to -1"),
    (0, 0, "0"),
    (1, 7, "1 to 7"),
    (8, 30, "8 to 30"),
    (31, 90, "31 to 90"),
    (91, 181, "91 to 181"),
    (182, 365, "182 to 365"),
    (366, i32::MAX, "> 365"),
];

/// Label of the moves one of whose dates is not known by the day.
pub(crate) const LAG_UNKNOWN: &str = "not known by the day";

/// Why a move of a list is in no table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftOut {
    /// Its date is not in the reference period. It may still be the partner of one that is.
    OutsidePeriod,
    /// Its office names another country than the partner, or none.
    OtherCountry,
    /// It is not known whether the rule of minimum stay counts it, as the tables of stays say, of which this is a sum.
    RuleUnknown,
}

impl LeftOut {
    /// Every reason.
    pub const ALL: [Self; 3] = [Self::OutsidePeriod, Self::OtherCountry, Self::RuleUnknown];

    /// The word in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OutsidePeriod => "outside_period",
            Self::OtherCountry => "other_country",
            Self::RuleUnknown => "rule_unknown",
        }
    }

    /// The reason of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }

    /// Of a move of an office; `None` where it is for this corridor and period, counted by the rule or not.
    fn of(event: &MigrationEvent, terms: &FlowTerms) -> Option<Self> {
        if event.counterpart != Counterpart::Partner {
            Some(Self::OtherCountry)
        } else if !terms.period.contains(event.date.date) {
            Some(Self::OutsidePeriod)
        } else {
            None
        }
    }
}

/// Moves by the flags of all rules, in the order of [`DurationRule::ALL`].
pub(crate) type StayCounts = BTreeMap<[RuleFlag; DurationRule::ALL.len()], u64>;

/// Both lists of one corridor, reconciled. Counts are not safe to show: see [`crate::protect`].
#[derive(Debug, Clone)]
pub(crate) struct Reconciliation {
    pub(crate) corridor: Corridor,
    /// The finest cells in which there are moves.
    pub(crate) cells: BTreeMap<CellKey, Account>,
    pub(crate) lags: LagCounts,
    /// Every move of a list for this corridor, counted or not, by period.
    pub(crate) stays: BTreeMap<(Category, Side), StayCounts>,
    /// Moves of a list in this direction that are in no table, by their date or country.
    pub(crate) left_out: BTreeMap<(Side, LeftOut), u64>,
}

/// Reconciles the emigrations reported by the origin's office with the immigrations reported by the
/// destination's. Both lists may hold moves of other directions, countries and periods, and such as a rule does not count; those are
/// not counted, but pairs with them tell why the other side's move has no counterpart here.
///
/// # Errors
/// When `pairs` is no one-to-one pairing of emigrations with immigrations of the two lists.
pub(crate) fn reconcile(
    terms: &FlowTerms,
    corridor: Corridor,
    (origin, destination): (MoveList<'_>, MoveList<'_>),
    pairs: &[MovePair],
) -> Result<Reconciliation, FlowError> {
    let mut partner_of_emigration: Vec<Option<usize>> = vec![None; origin.events.len()];
    let mut partner_of_immigration: Vec<Option<usize>> = vec![None; destination.events.len()];
    for pair in pairs {
        let at = |index: u32| usize::try_from(index).map_err(|_| FlowError::EventOutOfRange);
        let (left, right) = (at(pair.emigration)?, at(pair.immigration)?);
        let emigration = origin.events.get(left).ok_or(FlowError::EventOutOfRange)?;
        let immigration = destination.events.get(right).ok_or(FlowError::EventOutOfRange)?;
        if emigration.direction != Direction::Emigration || immigration.direction != Direction::Immigration {
            return Err(FlowError::PairDirection);
        }
        if partner_of_emigration[left].replace(right).is_some()
            || partner_of_immigration[right].replace(left).is_some()
        {
            return Err(FlowError::EventPairedTwice);
        }
    }
    let mut result = Reconciliation {
        corridor,
        cells: BTreeMap::new(),
        lags: [[0; LAG_STEPS.len() + 1]; 2],
        stays: BTreeMap::new(),
        left_out: [Side::Origin, Side::Destination]
            .into_iter()
            .flat_map(|side| {
                [LeftOut::OutsidePeriod, LeftOut::OtherCountry].map(|reason| ((side, reason), 0))
            })
            .collect(),
    };
    let key_of = |list: MoveList<'_>, index: usize| list.record_keys.get(index).copied().unwrap_or(0);
    for (index, (emigration, partner)) in origin.events.iter().zip(&partner_of_emigration).enumerate() {
        if !result.is_reported(terms, Side::Origin, emigration) {
            continue;
        }
        result.add_stay(terms, Side::Origin, emigration);
        if !is_counted(emigration, terms) {
            continue;
        }
        let class = match outcome(terms, emigration, partner.map(|at| &destination.events[at])) {
            // Agreed moves are counted once, from the other list.
            Outcome::Agree => continue,
            Outcome::Timing => Class::TimingOrigin,
            Outcome::Definition => Class::DefinitionOrigin,
            Outcome::Partner => Class::PartnerOrigin,
            Outcome::Unmatched => Class::UnmatchedOrigin,
        };
        let other = partner.map_or(0, |at| key_of(destination, at));
        let record_key = key_of(origin, index).wrapping_add(other);
        result.add(terms, emigration, class, record_key);
    }
    for (index, (immigration, partner)) in destination.events.iter().zip(&partner_of_immigration).enumerate()
    {
        if !result.is_reported(terms, Side::Destination, immigration) {
            continue;
        }
        result.add_stay(terms, Side::Destination, immigration);
        if !is_counted(immigration, terms) {
            continue;
        }
        let partner = partner.map(|at| (&origin.events[at], key_of(origin, at)));
        let class = match outcome(terms, immigration, partner.map(|(event, _)| event)) {
            Outcome::Agree => Class::Agree,
            Outcome::Timing => Class::TimingDestination,
            Outcome::Definition => Class::DefinitionDestination,
            Outcome::Partner => Class::PartnerDestination,
            Outcome::Unmatched => Class::UnmatchedDestination,
        };
        if let (Class::Agree | Class::TimingDestination, Some((emigration, _))) = (class, partner) {
            let in_two = usize::from(class == Class::TimingDestination);
            result.lags[in_two][lag_step(emigration, immigration)] += 1;
        }
        let other = partner.map_or(0, |(_, key)| key);
        let record_key = key_of(destination, index).wrapping_add(other);
        result.add(terms, immigration, class, record_key);
    }
    Ok(result)
}

impl Reconciliation {
    /// Whether an office reports the move for this corridor and the reference period, counted by the rule or not. Of those in this
    /// direction that it does not, the number is kept.
    fn is_reported(&mut self, terms: &FlowTerms, side: Side, event: &MigrationEvent) -> bool {
        let direction = match side {
            Side::Origin => Direction::Emigration,
            Side::Destination => Direction::Immigration,
        };
        if event.direction != direction {
            return false;
        }
        let left_out = LeftOut::of(event, terms);
        if let Some(reason) = left_out {
            *self.left_out.entry((side, reason)).or_default() += 1;
        }
        left_out.is_none()
    }

    fn add(&mut self, terms: &FlowTerms, event: &MigrationEvent, class: Class, record_key: u64) {
        let account = self.cells.entry(terms.key(event)).or_default();
        account.add_move(class, record_key);
    }

    fn add_stay(&mut self, terms: &FlowTerms, side: Side, event: &MigrationEvent) {
        let by_flags = self
            .stays
            .entry((terms.period_category(event), side))
            .or_default();
        *by_flags.entry(event.facts.stay.to_array()).or_default() += 1;
    }
}

enum Outcome {
    Agree,
    Timing,
    Definition,
    Partner,
    Unmatched,
}

/// Whether the rule counts the move. One of which that is not known is not counted, and stands as not known in the table of stays.
fn is_counted(event: &MigrationEvent, terms: &FlowTerms) -> bool {
    flag_of(event, terms) == RuleFlag::Yes
}

const fn flag_of(event: &MigrationEvent, terms: &FlowTerms) -> RuleFlag {
    event.facts.stay.under(terms.statistics.duration_rule)
}

/// Whether two lists, of the offices of the origin and of the destination, hold something to count, so that a table of nothing but zeros
/// is not taken for what there is.
///
/// # Errors
/// [`FlowError::NothingInPeriod`] when neither has a move between the two countries in the reference period, and
/// [`FlowError::RuleUnknown`] when an office has moves in the direction of the corridor, and of none is it known whether the rule of
/// minimum stay counts it.
pub fn check_lists(
    terms: &FlowTerms,
    origin: &[MigrationEvent],
    destination: &[MigrationEvent],
) -> Result<(), FlowError> {
    let mut is_empty = true;
    let lists = [
        (Side::Origin, origin, Direction::Emigration),
        (Side::Destination, destination, Direction::Immigration),
    ];
    for (side, list, direction) in lists {
        let reported = list.iter().filter(|event| LeftOut::of(event, terms).is_none());
        is_empty &= reported.clone().next().is_none();
        let mut reported = reported.filter(|event| event.direction == direction).peekable();
        if reported.peek().is_some() && reported.all(|event| flag_of(event, terms) == RuleFlag::Unknown) {
            let rule = terms.statistics.duration_rule;
            return Err(FlowError::RuleUnknown { side, rule });
        }
    }
    if is_empty {
        return Err(FlowError::NothingInPeriod { period: terms.period });
    }
    Ok(())
}

/// What the other list has of a counted move. That it names another country goes before its rule, and that before its date.
fn outcome(terms: &FlowTerms, event: &MigrationEvent, partner: Option<&MigrationEvent>) -> Outcome {
    match partner {
        None => Outcome::Unmatched,
        Some(partner) if partner.counterpart != Counterpart::Partner => Outcome::Partner,
        Some(partner) if !is_counted(partner, terms) => Outcome::Definition,
        Some(partner) if !terms.period.contains(partner.date.date) || !terms.same_period(event, partner) => {
            Outcome::Timing
        }
        Some(_) => Outcome::Agree,
    }
}

fn lag_step(emigration: &MigrationEvent, immigration: &MigrationEvent) -> usize {
    let is_exact = |event: &MigrationEvent| event.date.precision == DatePrecision::Day;
    if !is_exact(emigration) || !is_exact(immigration) {
        return LAG_STEPS.len();
    }
    let days = i32::try_from(emigration.date.days_apart(&immigration.date)).unwrap_or(i32::MAX);
    let days = if immigration.date.date < emigration.date.date {
        -days
    } else {
        days
    };
    LAG_STEPS
        .iter()
        .position(|(first, last, _)| (*first..=*last).contains(&days))
        .unwrap_or(LAG_STEPS.len())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use corridor_core::{
        AgeBand, AgeBands, CountryGroup, CountryGroups, Destination, DisclosureMethod, DisclosureRule,
        EventDate, MoverFacts, NamedCountries, Origin, Period, PeriodUnit, Sex, StatisticsTerms, StayFlags,
        Variable,
    };
    use proptest::prelude::*;

    use crate::classes::Measure;
    use crate::table::{FlowInput, FlowTable};

    /// Tables by year, sex and age, and by year and citizenship.
    pub(crate) fn terms() -> FlowTerms {
        let country = |code: &str| code.parse().unwrap();
        FlowTerms {
            corridor: Corridor::try_new(Origin(country("TN")), Destination(country("IT"))).unwrap(),
            period: Period {
                first: "2022-01-01".parse().unwrap(),
                last: "2024-12-31".parse().unwrap(),
            },
            age_bands: AgeBands::try_from(vec![0, 15, 65]).unwrap(),
            statistics: StatisticsTerms {
                country_groups: CountryGroups(vec![NamedCountries {
                    name: "maghreb".to_owned(),
                    countries: vec![country("TN")],
                }]),
                tables: vec![
                    vec![Variable::Period, Variable::Sex, Variable::Age],
                    vec![Variable::Period, Variable::Citizenship],
                ],
                ..StatisticsTerms::default()
            },
            disclosure: DisclosureRule {
                minimum_count: 3,
                method: DisclosureMethod::Suppression,
            },
            definitions: None,
            status: corridor_core::ReleaseStatus::Final,
        }
    }

    pub(crate) fn event_in(year: i16) -> MigrationEvent {
        MigrationEvent {
            direction: Direction::Emigration,
            counterpart: Counterpart::Partner,
            date: EventDate {
                date: format!("{year}-06-15").parse().unwrap(),
                precision: DatePrecision::Day,
            },
            sex: Sex::Female,
            age_band: None,
            facts: MoverFacts {
                stay: StayFlags {
                    own: RuleFlag::Yes,
                    ..StayFlags::default()
                },
                ..MoverFacts::default()
            },
        }
    }

    fn any_event() -> impl Strategy<Value = MigrationEvent> {
        (
            (prop::bool::weighted(0.9), 0..10_u8, 2021_i16..=2025, 0..2_u8),
            prop::option::weighted(0.9, 0..3_u8),
            prop::option::weighted(0.9, 0..2_u8),
            0..10_u8,
        )
            .prop_map(|((usual, counterpart, year, sex), band, group, own)| {
                let mut event = event_in(year);
                // Flipped for the destination's list.
                if !usual {
                    event.direction = Direction::Immigration;
                }
                event.counterpart = match counterpart {
                    0 => Counterpart::Other,
                    1 => Counterpart::Unknown,
                    _ => Counterpart::Partner,
                };
                event.sex = if sex == 0 { Sex::Female } else { Sex::Male };
                event.age_band = band.map(AgeBand);
                event.facts.citizenship = group.map(CountryGroup);
                event.facts.stay.own = match own {
                    0 => RuleFlag::No,
                    1 => RuleFlag::Unknown,
                    _ => RuleFlag::Yes,
                };
                event
            })
    }

    /// Both lists and a random one-to-one pairing between their possible partners.
    pub(crate) fn any_lists()
    -> impl Strategy<Value = (Vec<MigrationEvent>, Vec<MigrationEvent>, Vec<MovePair>)> {
        (
            prop::collection::vec(any_event(), 0..120),
            prop::collection::vec(any_event(), 0..120),
            prop::collection::vec(prop::bool::weighted(0.7), 120),
        )
            .prop_map(|(origin, mut destination, paired)| {
                for event in &mut destination {
                    event.direction = match event.direction {
                        Direction::Emigration => Direction::Immigration,
                        Direction::Immigration => Direction::Emigration,
                    };
                }
                let position = |list: &[MigrationEvent], direction| -> Vec<u32> {
                    (0..list.len())
                        .filter(|&i| list[i].direction == direction)
                        .map(|i| u32::try_from(i).unwrap())
                        .collect()
                };
                let leaving = position(&origin, Direction::Emigration);
                let arriving = position(&destination, Direction::Immigration);
                let pairs = leaving
                    .into_iter()
                    .zip(arriving)
                    .zip(paired)
                    .filter(|(_, paired)| *paired)
                    .map(|((emigration, immigration), _)| MovePair {
                        emigration,
                        immigration,
                    })
                    .collect();
                (origin, destination, pairs)
            })
    }

    /// The table of two lists.
    pub(crate) fn table(
        terms: &FlowTerms,
        origin: &[MigrationEvent],
        destination: &[MigrationEvent],
        pairs: &[MovePair],
    ) -> FlowTable {
        let pairs: Vec<(u32, u32)> = pairs
            .iter()
            .map(|pair| (pair.emigration, pair.immigration))
            .collect();
        FlowTable::reconcile(&FlowInput {
            terms,
            origin,
            destination,
            pairs: &pairs,
            origin_record_keys: &[],
            destination_record_keys: &[],
        })
        .unwrap()
    }

    fn signed(count: u64) -> i64 {
        i64::try_from(count).unwrap()
    }

    #[test]
    fn lists_that_would_give_nothing_but_zeros_are_refused() {
        let mut terms = terms();
        terms.statistics.duration_rule = DurationRule::Months12;
        let with = |flag| {
            let mut event = event_in(2022);
            event.facts.stay.months_12 = flag;
            event
        };
        let list = [with(RuleFlag::Yes), with(RuleFlag::Unknown), with(RuleFlag::No)];
        let arrived = list.map(|event| MigrationEvent {
            direction: Direction::Immigration,
            ..event
        });
        assert_eq!(check_lists(&terms, &list, &[]), Ok(()));
        // An office whose moves are all not counted says so; one of which it is not known does not, whatever it says of returns.
        assert_eq!(check_lists(&terms, &list[2..], &arrived[..1]), Ok(()));
        let unknown = FlowError::RuleUnknown {
            side: Side::Destination,
            rule: DurationRule::Months12,
        };
        let with_a_return = [arrived[1], list[0]];
        assert_eq!(check_lists(&terms, &list, &with_a_return), Err(unknown));
        let nothing = FlowError::NothingInPeriod { period: terms.period };
        assert_eq!(check_lists(&terms, &[event_in(2030)], &[]), Err(nothing));
    }

    proptest! {
        #[test]
        fn the_difference_of_the_two_counts_is_exactly_its_parts_in_every_row((origin, destination, pairs) in any_lists()) {
            use Measure::{
                DefinitionDestination, DefinitionOrigin, Emigrations, EmigrationsOwn, Immigrations, Matched,
                OnlyDestination, OnlyOrigin, PartnerDestination, PartnerOrigin, TimingDestination, TimingOrigin,
                UnmatchedDestination, UnmatchedOrigin,
            };
            let table = table(&terms(), &origin, &destination, &pairs);
            for row in table.corridors.iter().flat_map(|corridor| &corridor.rows) {
                let count = |measure| signed(row.account.measure(measure));
                let parts = count(TimingDestination) - count(TimingOrigin)
                    + count(DefinitionDestination) - count(DefinitionOrigin)
                    + count(PartnerDestination) - count(PartnerOrigin)
                    + count(UnmatchedDestination) - count(UnmatchedOrigin);
                prop_assert_eq!(count(Immigrations) - count(EmigrationsOwn), parts);
                prop_assert_eq!(count(Emigrations), count(Matched) + count(OnlyOrigin));
                prop_assert_eq!(count(Immigrations), count(Matched) + count(OnlyDestination));
            }
        }

        #[test]
        fn each_office_s_count_of_a_year_is_its_own((origin, destination, pairs) in any_lists()) {
            let terms = terms();
            let table = table(&terms, &origin, &destination, &pairs);
            let counted = |list: &[MigrationEvent], direction, year: i16| {
                let own = list.iter().filter(|event| {
                    event.direction == direction
                        && event.counterpart == Counterpart::Partner
                        && event.facts.stay.own == RuleFlag::Yes
                        && event.date.year() == year
                });
                u64::try_from(own.count()).unwrap()
            };
            for year in 2022_i16..=2024 {
                let period = u16::try_from(year - 2022).unwrap() + 1;
                let mut key = [0; 8];
                key[0] = period;
                let row = table.corridors[0].rows.iter().find(|row| row.key == key).unwrap();
                let e = counted(&origin, Direction::Emigration, year);
                let i = counted(&destination, Direction::Immigration, year);
                prop_assert_eq!(row.account.measure(Measure::EmigrationsOwn), e);
                prop_assert_eq!(row.account.measure(Measure::Immigrations), i);
            }
        }

        #[test]
        fn every_row_is_the_sum_of_the_rows_it_is_made_of((origin, destination, pairs) in any_lists()) {
            let table = table(&terms(), &origin, &destination, &pairs);
            for corridor in &table.corridors {
                for row in &corridor.rows {
                    for variable in (0..row.key.len()).filter(|&variable| row.key[variable] == 0) {
                        let parts = corridor.rows.iter().filter(|part| {
                            (0..row.key.len()).all(|other| {
                                if other == variable { part.key[other] > 0 } else { part.key[other] == row.key[other] }
                            })
                        });
                        let (mut sum, mut any) = (Account::default(), false);
                        for part in parts {
                            sum.add(&part.account);
                            any = true;
                        }
                        prop_assert!(!any || sum == row.account, "{:?} {variable}", row.key);
                    }
                }
            }
        }

        #[test]
        fn every_reported_move_is_in_the_stays_once_for_each_rule((origin, destination, pairs) in any_lists()) {
            let table = table(&terms(), &origin, &destination, &pairs);
            for corridor in &table.corridors {
                let all: u64 = corridor.stays.values().flat_map(BTreeMap::values).sum();
                let is_in = |event: &&MigrationEvent| {
                    event.counterpart == Counterpart::Partner && (2022..=2024).contains(&event.date.year())
                };
                let is_out = corridor.corridor == terms().corridor;
                let (first, second) =
                    if is_out { (Direction::Emigration, Direction::Immigration) }
                    else { (Direction::Immigration, Direction::Emigration) };
                let of = |list: &[MigrationEvent], direction| {
                    list.iter().filter(is_in).filter(|event| event.direction == direction).count()
                };
                let expected = of(&origin, first) + of(&destination, second);
                prop_assert_eq!(all, u64::try_from(expected).unwrap());
                let matched = corridor.rows[0].account.measure(Measure::Matched);
                prop_assert_eq!(corridor.lags.iter().flatten().sum::<u64>(), matched);
            }
        }
    }

    #[test]
    fn each_class_is_told_by_its_reason() {
        let immigration = |year| MigrationEvent {
            direction: Direction::Immigration,
            ..event_in(year)
        };
        let mut elsewhere = immigration(2022);
        elsewhere.counterpart = Counterpart::Other;
        let mut short = immigration(2022);
        short.facts.stay.own = RuleFlag::No;
        let destination = [
            immigration(2022),
            immigration(2023),
            short,
            elsewhere,
            immigration(2025),
        ];
        let origin = vec![event_in(2022); 6];
        let pairs: Vec<MovePair> = (0..5)
            .map(|index| MovePair {
                emigration: index,
                immigration: index,
            })
            .collect();
        let table = table(&terms(), &origin, &destination, &pairs);
        let mut key = [0; 8];
        key[0] = 1;
        let row = table.corridors[0].rows.iter().find(|row| row.key == key).unwrap();
        let count = |measure| row.account.measure(measure);
        assert_eq!(
            [
                count(Measure::Agree),
                // In 2023, and in 2025, which is outside.
                count(Measure::TimingOrigin),
                count(Measure::DefinitionOrigin),
                count(Measure::PartnerOrigin),
                count(Measure::UnmatchedOrigin),
            ],
            [1, 2, 1, 1, 1]
        );
    }

    #[test]
    fn a_common_rule_counts_what_meets_it_on_either_side() {
        let with = |mut event: MigrationEvent, flag| {
            event.facts.stay.months_12 = flag;
            event
        };
        let immigration = MigrationEvent {
            direction: Direction::Immigration,
            ..event_in(2022)
        };
        let origin = [
            with(event_in(2022), RuleFlag::Yes),
            with(event_in(2022), RuleFlag::No),
            with(event_in(2022), RuleFlag::Unknown),
        ];
        let destination = [with(immigration, RuleFlag::No)];
        let pairs = [MovePair {
            emigration: 0,
            immigration: 0,
        }];
        let mut terms = terms();
        terms.statistics.duration_rule = DurationRule::Months12;
        let table = table(&terms, &origin, &destination, &pairs);
        let total = &table.corridors[0].rows[0].account;
        let counts = [
            total.measure(Measure::EmigrationsOwn),
            total.measure(Measure::DefinitionOrigin),
            total.measure(Measure::Immigrations),
        ];
        assert_eq!(counts, [1, 1, 0]);
    }

    #[test]
    fn quarters_are_told_where_they_are_known() {
        let mut terms = terms();
        terms.statistics.period_unit = PeriodUnit::Quarter;
        let at = |date: &str, precision| MigrationEvent {
            date: EventDate {
                date: date.parse().unwrap(),
                precision,
            },
            ..event_in(2022)
        };
        let label =
            |date, precision| terms.label(Variable::Period, terms.period_category(&at(date, precision)));
        assert_eq!(
            label("2022-03-31", DatePrecision::Day).as_deref(),
            Some("2022-Q1")
        );
        assert_eq!(
            label("2023-10-01", DatePrecision::Month).as_deref(),
            Some("2023-Q4")
        );
        assert_eq!(
            label("2022-01-01", DatePrecision::Year).as_deref(),
            Some("2022-unknown")
        );
        let (known, open) = (
            at("2022-08-01", DatePrecision::Day),
            at("2022-01-01", DatePrecision::Year),
        );
        // Each office's count of a quarter stays its own.
        assert!(!terms.same_period(&known, &open) && terms.same_period(&open, &open));
        assert!(!terms.same_period(&known, &at("2022-02-01", DatePrecision::Day)));
        assert!(!terms.same_period(&open, &at("2023-02-01", DatePrecision::Day)));
        assert_eq!(terms.periods().len(), 12);
    }

    #[test]
    fn days_between_the_dates_are_signed() {
        let at = |date: &str| MigrationEvent {
            date: EventDate {
                date: date.parse().unwrap(),
                precision: DatePrecision::Day,
            },
            ..event_in(2022)
        };
        let label = |from, to| LAG_STEPS[lag_step(&at(from), &at(to))].2;
        assert_eq!(label("2022-05-01", "2022-05-01"), "0");
        assert_eq!(label("2022-05-01", "2022-05-08"), "1 to 7");
        assert_eq!(label("2022-05-09", "2022-05-01"), "-30 to -8");
        assert_eq!(label("2022-05-01", "2023-05-02"), "> 365");
        let mut year_only = at("2022-01-01");
        year_only.date.precision = DatePrecision::Year;
        assert_eq!(lag_step(&year_only, &at("2022-05-01")), LAG_STEPS.len());
        assert!(LAG_STEPS.windows(2).all(|steps| steps[0].1 + 1 == steps[1].0));
    }

    #[test]
    fn pairs_that_are_no_pairing_are_refused() {
        let event = |direction| MigrationEvent {
            direction,
            ..event_in(2022)
        };
        let origin = [event(Direction::Emigration), event(Direction::Immigration)];
        let destination = [event(Direction::Immigration), event(Direction::Immigration)];
        let pair = |emigration, immigration| MovePair {
            emigration,
            immigration,
        };
        let list = |events| MoveList {
            events,
            record_keys: &[],
        };
        let outcome = |pairs: &[MovePair]| {
            let terms = terms();
            reconcile(&terms, terms.corridor, (list(&origin), list(&destination)), pairs).map(drop)
        };
        assert_eq!(outcome(&[pair(0, 0)]), Ok(()));
        assert_eq!(outcome(&[pair(2, 0)]), Err(FlowError::EventOutOfRange));
        assert_eq!(outcome(&[pair(1, 0)]), Err(FlowError::PairDirection));
        assert_eq!(
            outcome(&[pair(0, 0), pair(0, 1)]),
            Err(FlowError::EventPairedTwice)
        );
        let terms = terms();
        let half_keyed = FlowTable::reconcile(&FlowInput {
            terms: &terms,
            origin: &origin,
            destination: &destination,
            pairs: &[],
            origin_record_keys: &[1],
            destination_record_keys: &[],
        });
        assert_eq!(
            half_keyed.map(drop),
            Err(FlowError::RecordKeys { keys: 1, events: 2 })
        );
    }
}
