use std::collections::BTreeMap;

use corridor_core::{AgeBand, Corridor, Counterpart, Direction, MigrationEvent, Period, Sex};

/// What a reconciliation is made for.
#[derive(Debug, Clone, Copy)]
pub struct FlowTerms {
    /// From where to where.
    pub corridor: Corridor,
    /// Reference period.
    pub period: Period,
}

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
    /// A pair of two events that cannot be one move.
    #[error("a pair joins events that are not an emigration and an immigration")]
    PairDirection,
}

/// A group of moves: year, sex, age band (`None`: not known).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Stratum {
    pub(crate) year: i16,
    pub(crate) sex: Sex,
    pub(crate) age_band: Option<AgeBand>,
}

/// Moves of a stratum: in both lists, or in one only.
///
/// A move in both lists counts in the year, sex and age band the destination gives it, so that it counts
/// once. E = matched + only_origin and I = matched + only_destination.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) matched: u64,
    pub(crate) only_origin: u64,
    pub(crate) only_destination: u64,
}

impl Counts {
    pub(crate) const fn emigrations(&self) -> u64 {
        self.matched + self.only_origin
    }

    pub(crate) const fn immigrations(&self) -> u64 {
        self.matched + self.only_destination
    }

    pub(crate) const fn add(&mut self, other: &Self) {
        self.matched += other.matched;
        self.only_origin += other.only_origin;
        self.only_destination += other.only_destination;
    }
}

/// Why E and I of one year differ, as each office counts them.
///
/// E = agree + timing_origin + partner_origin + unmatched_origin, and the same for I, so that exactly
/// I − E = Δtiming + Δpartner + Δunmatched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct YearClasses {
    /// Paired, both in this year, both counted.
    pub(crate) agree: u64,
    pub(crate) origin: SideClasses,
    pub(crate) destination: SideClasses,
}

/// One office's moves of a year that are not agreed on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct SideClasses {
    /// Paired, but the partner's event is in another year.
    pub(crate) timing: u64,
    /// The same move is on the other side, which names another country or none.
    pub(crate) partner: u64,
    /// Nothing found.
    pub(crate) unmatched: u64,
}

impl YearClasses {
    pub(crate) const fn emigrations(&self) -> u64 {
        self.agree + self.origin.timing + self.origin.partner + self.origin.unmatched
    }

    pub(crate) const fn immigrations(&self) -> u64 {
        self.agree + self.destination.timing + self.destination.partner + self.destination.unmatched
    }
}

/// Both lists of one corridor, reconciled. Counts are not safe to show: see [`crate::protect`].
#[derive(Debug, Clone)]
pub(crate) struct Reconciliation {
    pub(crate) terms: FlowTerms,
    pub(crate) strata: BTreeMap<Stratum, Counts>,
    pub(crate) years: BTreeMap<i16, YearClasses>,
}

/// Reconciles the emigrations reported by the origin's office with the immigrations reported by the
/// destination's. Both lists may hold moves of other directions, countries and years; those are not
/// counted, but pairs with them tell why the other side's move has no counterpart here.
///
/// # Errors
/// When `pairs` is no one-to-one pairing of emigrations with immigrations of the two lists.
pub(crate) fn reconcile(
    terms: FlowTerms,
    origin: &[MigrationEvent],
    destination: &[MigrationEvent],
    pairs: &[MovePair],
) -> Result<Reconciliation, FlowError> {
    let mut partner_of_emigration: Vec<Option<&MigrationEvent>> = vec![None; origin.len()];
    let mut partner_of_immigration: Vec<Option<&MigrationEvent>> = vec![None; destination.len()];
    for pair in pairs {
        let at = |index: u32| usize::try_from(index).map_err(|_| FlowError::EventOutOfRange);
        let (left, right) = (at(pair.emigration)?, at(pair.immigration)?);
        let emigration = origin.get(left).ok_or(FlowError::EventOutOfRange)?;
        let immigration = destination.get(right).ok_or(FlowError::EventOutOfRange)?;
        if emigration.direction != Direction::Emigration || immigration.direction != Direction::Immigration {
            return Err(FlowError::PairDirection);
        }
        if partner_of_emigration[left].replace(immigration).is_some()
            || partner_of_immigration[right].replace(emigration).is_some()
        {
            return Err(FlowError::EventPairedTwice);
        }
    }

    let years = terms
        .period
        .years()
        .map(|year| (year, YearClasses::default()))
        .collect();
    let mut result = Reconciliation {
        terms,
        strata: BTreeMap::new(),
        years,
    };
    for (emigration, partner) in origin.iter().zip(&partner_of_emigration) {
        if !is_counted(emigration, Direction::Emigration, &terms.period) {
            continue;
        }
        let class = classify(emigration, *partner);
        let year = result.years.entry(emigration.date.year()).or_default();
        match class {
            // Agreed moves are counted once, from the other list.
            Class::Agree => {}
            Class::Timing => year.origin.timing += 1,
            Class::Partner => year.origin.partner += 1,
            Class::Unmatched => year.origin.unmatched += 1,
        }
        if matches!(class, Class::Partner | Class::Unmatched) {
            result.strata.entry(stratum(emigration)).or_default().only_origin += 1;
        }
    }
    for (immigration, partner) in destination.iter().zip(&partner_of_immigration) {
        if !is_counted(immigration, Direction::Immigration, &terms.period) {
            continue;
        }
        let class = classify(immigration, *partner);
        let year = result.years.entry(immigration.date.year()).or_default();
        let counts = result.strata.entry(stratum(immigration)).or_default();
        match class {
            Class::Agree => year.agree += 1,
            Class::Timing => year.destination.timing += 1,
            Class::Partner => year.destination.partner += 1,
            Class::Unmatched => year.destination.unmatched += 1,
        }
        match class {
            Class::Agree | Class::Timing => counts.matched += 1,
            Class::Partner | Class::Unmatched => counts.only_destination += 1,
        }
    }
    Ok(result)
}

enum Class {
    Agree,
    Timing,
    Partner,
    Unmatched,
}

fn is_counted(event: &MigrationEvent, direction: Direction, period: &Period) -> bool {
    event.direction == direction
        && event.counterpart == Counterpart::Partner
        && period.contains(event.date.date)
}

fn classify(event: &MigrationEvent, partner: Option<&MigrationEvent>) -> Class {
    match partner {
        None => Class::Unmatched,
        Some(partner) if partner.counterpart != Counterpart::Partner => Class::Partner,
        Some(partner) if partner.date.year() != event.date.year() => Class::Timing,
        Some(_) => Class::Agree,
    }
}

fn stratum(event: &MigrationEvent) -> Stratum {
    Stratum {
        year: event.date.year(),
        sex: event.sex,
        age_band: event.age_band,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use corridor_core::{DatePrecision, Destination, EventDate, Origin};
    use proptest::prelude::*;

    pub(crate) fn terms() -> FlowTerms {
        let country = |code: &str| code.parse().unwrap();
        FlowTerms {
            corridor: Corridor::try_new(Origin(country("TN")), Destination(country("IT"))).unwrap(),
            period: Period {
                first: "2022-01-01".parse().unwrap(),
                last: "2024-12-31".parse().unwrap(),
            },
        }
    }

    fn any_event() -> impl Strategy<Value = MigrationEvent> {
        (
            prop::bool::weighted(0.9),
            0..10_u8,
            2021_i16..=2025,
            0..2_u8,
            prop::option::weighted(0.9, 0..3_u8),
        )
            .prop_map(|(usual, counterpart, year, sex, band)| MigrationEvent {
                // Flipped for the destination's list.
                direction: if usual {
                    Direction::Emigration
                } else {
                    Direction::Immigration
                },
                counterpart: match counterpart {
                    0 => Counterpart::Other,
                    1 => Counterpart::Unknown,
                    _ => Counterpart::Partner,
                },
                date: in_year(year),
                sex: if sex == 0 { Sex::Female } else { Sex::Male },
                age_band: band.map(AgeBand),
            })
    }

    fn in_year(year: i16) -> EventDate {
        EventDate {
            date: format!("{year}-06-15").parse().unwrap(),
            precision: DatePrecision::Day,
        }
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

    proptest! {
        #[test]
        fn the_difference_of_the_two_counts_is_exactly_its_parts((origin, destination, pairs) in any_lists()) {
            let result = reconcile(terms(), &origin, &destination, &pairs).unwrap();
            let counted = |list: &[MigrationEvent], direction, year| {
                list.iter()
                    .filter(|e| is_counted(e, direction, &terms().period) && e.date.year() == year)
                    .count()
            };
            for (&year, classes) in &result.years {
                let e = counted(&origin, Direction::Emigration, year);
                let i = counted(&destination, Direction::Immigration, year);
                // Agreed moves seen from the origin's list, which the code counts from the other.
                prop_assert_eq!(classes.emigrations(), u64::try_from(e).unwrap());
                prop_assert_eq!(classes.immigrations(), u64::try_from(i).unwrap());
                let difference = |a: u64, b: u64| i64::try_from(a).unwrap() - i64::try_from(b).unwrap();
                let parts = difference(classes.destination.timing, classes.origin.timing)
                    + difference(classes.destination.partner, classes.origin.partner)
                    + difference(classes.destination.unmatched, classes.origin.unmatched);
                prop_assert_eq!(difference(classes.immigrations(), classes.emigrations()), parts);
            }
        }

        #[test]
        fn every_counted_move_is_in_the_strata_once((origin, destination, pairs) in any_lists()) {
            let result = reconcile(terms(), &origin, &destination, &pairs).unwrap();
            let mut total = Counts::default();
            result.strata.values().for_each(|counts| total.add(counts));
            let immigrations: u64 = result.years.values().map(YearClasses::immigrations).sum();
            prop_assert_eq!(total.immigrations(), immigrations);
            let only_origin: u64 =
                result.years.values().map(|y| y.origin.partner + y.origin.unmatched).sum();
            prop_assert_eq!(total.only_origin, only_origin);
        }
    }

    #[test]
    fn pairs_that_are_no_pairing_are_refused() {
        let event = |direction| MigrationEvent {
            direction,
            counterpart: Counterpart::Partner,
            date: in_year(2022),
            sex: Sex::Female,
            age_band: None,
        };
        let origin = [event(Direction::Emigration), event(Direction::Immigration)];
        let destination = [event(Direction::Immigration), event(Direction::Immigration)];
        let pair = |emigration, immigration| MovePair {
            emigration,
            immigration,
        };
        let outcome = |pairs: &[MovePair]| reconcile(terms(), &origin, &destination, pairs).map(drop);
        assert_eq!(outcome(&[pair(0, 0)]), Ok(()));
        assert_eq!(outcome(&[pair(2, 0)]), Err(FlowError::EventOutOfRange));
        assert_eq!(outcome(&[pair(1, 0)]), Err(FlowError::PairDirection));
        assert_eq!(
            outcome(&[pair(0, 0), pair(0, 1)]),
            Err(FlowError::EventPairedTwice)
        );
    }
}
