//! Stays of linked persons in the country of one office: from each arrival to the next departure.

use std::collections::{BTreeMap, BTreeSet};

use corridor_core::{
    Counterpart, DatePrecision, Direction, EncodedDataset, EventDate, MigrationEvent, Pseudonym,
};
use corridor_flows::Stay;
use jiff::civil::Date;

/// Days of a year.
const YEAR_DAYS: f64 = 365.25;

/// Minimum stays that registers have, in years, longest first.
const MINIMUM_STAYS: [f64; 3] = [1.0, 0.5, 0.25];

/// How unlikely it must be that a register shows no short stay by chance, for it to be taken for one that has none.
const SURE_OF_NO_SHORT_STAYS: f64 = 0.01;

/// A move as a stay is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Step {
    date: Date,
    kind: StepKind,
    is_exact: bool,
}

/// In the order in which moves of one day are taken: who comes and goes on one day comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum StepKind {
    /// To the host country from that of the partner.
    Arrival,
    /// To the host country from elsewhere.
    OtherArrival,
    /// From the host country, as the host says.
    Departure,
    /// The same as the partner says: a return.
    Return,
}

/// The stays in the country of `host` that began with an arrival from that of `partner`, of the persons of whom two records are
/// linked: first the host's, then the partner's.
///
/// A stay ends with the person's next departure in the host's list, or return in the partner's, whichever says it first: people leave
/// without telling the office they leave, and tell the one they come to. One without is seen until the last move of the host's whole list,
/// at most until `last`, and one that another arrival follows until then, since the departure before is missing. Arrivals whose date, or
/// that of the next move, is not known by the day are left out, as are those after `last`.
///
/// Where the host's list has no stay shorter than three, six or twelve months, and would have some by chance, shorter ones are taken for
/// not counted there, and every stay is seen from that duration on only.
pub(crate) fn stays_of(
    host: &EncodedDataset,
    partner: &EncodedDataset,
    links: impl Iterator<Item = (u32, u32)>,
    last: Date,
) -> Vec<Stay> {
    let (Some(host_events), Some(partner_events)) = (&host.events, &partner.events) else {
        return Vec::new();
    };
    let exact_dates = host_events.iter().filter(|event| is_exact(event.date));
    let Some(last_move) = exact_dates.map(|event| event.date.date).max() else {
        return Vec::new();
    };
    let mut steps: BTreeMap<Pseudonym, Vec<Step>> = BTreeMap::new();
    // Who a person of the partner's is at the host's.
    let mut partners: BTreeMap<Pseudonym, BTreeSet<Pseudonym>> = BTreeMap::new();
    for (record, other) in links {
        if let (Some(person), Some(other)) = (person_of(host, record), person_of(partner, other)) {
            steps.entry(person).or_default();
            partners.entry(other).or_default().insert(person);
        }
    }
    for (person, event) in host.persons.iter().zip(host_events) {
        if let Some(steps) = steps.get_mut(person) {
            steps.push(to_step(event));
        }
    }
    for (person, event) in partner.persons.iter().zip(partner_events) {
        let is_return =
            event.direction == Direction::Immigration && event.counterpart == Counterpart::Partner;
        for person in partners.get(person).into_iter().flatten().filter(|_| is_return) {
            steps.entry(*person).or_default().push(Step {
                date: event.date.date,
                kind: StepKind::Return,
                is_exact: is_exact(event.date),
            });
        }
    }
    stays_in(steps.into_values(), last_move.min(last))
}

/// The stays in the moves of each person.
fn stays_in(persons: impl Iterator<Item = Vec<Step>>, last_seen: Date) -> Vec<Stay> {
    let (mut stays, mut of_host) = (Vec::new(), Vec::new());
    for mut steps in persons {
        steps.sort_unstable();
        let by_host: Vec<Step> = steps
            .iter()
            .copied()
            .filter(|step| step.kind != StepKind::Return)
            .collect();
        of_host.extend(stays_of_person(&by_host, last_seen));
        stays.extend(stays_of_person(&steps, last_seen));
    }
    let from_years = minimum_stay(&of_host);
    stays.retain(|stay: &Stay| stay.until_years > from_years);
    for stay in &mut stays {
        stay.from_years = from_years;
    }
    stays
}

fn stays_of_person(steps: &[Step], last_seen: Date) -> impl Iterator<Item = Stay> {
    steps.iter().enumerate().filter_map(move |(position, arrival)| {
        let next = steps[position + 1..].first();
        let is_known = arrival.is_exact && next.is_none_or(|next| next.is_exact);
        if arrival.kind != StepKind::Arrival || !is_known {
            return None;
        }
        let (until, ended) = match next {
            Some(next) if next.date <= last_seen => (
                next.date,
                matches!(next.kind, StepKind::Departure | StepKind::Return),
            ),
            _ => (last_seen, false),
        };
        let until_years = days_between(arrival.date, until) / YEAR_DAYS;
        // Two moves of one day are no stay.
        (until_years > 0.0).then_some(Stay {
            from_years: 0.0,
            until_years,
            ended,
        })
    })
}

/// From which duration on, in years, a list shows stays: the longest of [`MINIMUM_STAYS`] below which none ends, if that is no chance. Were
/// the rate at which stays end the same throughout, each end would be below it with the share of time that is seen there.
fn minimum_stay(stays: &[Stay]) -> f64 {
    let ended = || stays.iter().filter(|stay| stay.ended);
    let seen: f64 = stays.iter().map(|stay| stay.until_years).sum();
    let count = i32::try_from(ended().count()).unwrap_or(i32::MAX);
    let is_minimum = |&minimum: &f64| {
        let below: f64 = stays.iter().map(|stay| stay.until_years.min(minimum)).sum();
        ended().all(|stay| stay.until_years >= minimum)
            && (1.0 - below / seen).powi(count) < SURE_OF_NO_SHORT_STAYS
    };
    MINIMUM_STAYS.into_iter().find(is_minimum).unwrap_or(0.0)
}

fn person_of(dataset: &EncodedDataset, record: u32) -> Option<Pseudonym> {
    let at = usize::try_from(record).ok()?;
    dataset.persons.get(at).copied()
}

fn to_step(event: &MigrationEvent) -> Step {
    Step {
        date: event.date.date,
        kind: match (event.direction, event.counterpart) {
            (Direction::Emigration, _) => StepKind::Departure,
            (Direction::Immigration, Counterpart::Partner) => StepKind::Arrival,
            (Direction::Immigration, Counterpart::Other | Counterpart::Unknown) => StepKind::OtherArrival,
        },
        is_exact: is_exact(event.date),
    }
}

fn is_exact(date: EventDate) -> bool {
    date.precision == DatePrecision::Day
}

fn days_between(from: Date, until: Date) -> f64 {
    from.until(until).map_or(0.0, |span| f64::from(span.get_days()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(kind: StepKind, day: i64) -> Step {
        Step {
            date: jiff::civil::date(2020, 1, 1)
                .checked_add(jiff::Span::new().days(day))
                .unwrap(),
            kind,
            is_exact: true,
        }
    }

    fn found(steps: &[Step]) -> Vec<(f64, bool)> {
        let stays = stays_in(
            std::iter::once(steps.to_vec()),
            step(StepKind::Arrival, 1461).date,
        );
        stays
            .iter()
            .map(|stay| ((stay.until_years * YEAR_DAYS).round(), stay.ended))
            .collect()
    }

    #[test]
    fn a_stay_ends_when_the_first_of_the_two_offices_says_so() {
        use StepKind::{Arrival, Departure, Return};
        assert_eq!(found(&[step(Return, 300), step(Arrival, 0)]), [(300.0, true)]);
        let both = [step(Arrival, 0), step(Departure, 290), step(Return, 300)];
        assert_eq!(found(&both), [(290.0, true)]);
        // A return from before the arrival ends nothing, and what no one saw end is seen until the last move of the list.
        assert_eq!(found(&[step(Return, 0), step(Arrival, 10)]), [(1451.0, false)]);
        // Of whom comes again the departure is missing.
        let again = [step(Arrival, 0), step(Arrival, 500), step(Return, 700)];
        assert_eq!(found(&again), [(500.0, false), (200.0, true)]);
        let mut unsure = [step(Arrival, 0), step(Return, 300)];
        unsure[1].is_exact = false;
        assert_eq!(found(&unsure), []);
    }

    #[test]
    fn a_list_without_short_stays_is_seen_from_its_minimum_on() {
        // A hundred persons, who leave after `first`, `first` + 10, … days; some return earlier, as the partner alone says.
        let persons = |first: i64, with_returns: bool| {
            (0..100_i64).map(move |person| {
                let mut steps = vec![
                    step(StepKind::Arrival, 0),
                    step(StepKind::Departure, first + 10 * person),
                ];
                if with_returns && person % 10 == 0 {
                    steps.push(step(StepKind::Return, 100));
                }
                steps
            })
        };
        let last_seen = step(StepKind::Arrival, 1461).date;
        let from = |first, with_returns| {
            let stays = stays_in(persons(first, with_returns), last_seen);
            assert!(stays.iter().all(|stay| stay.until_years > stay.from_years));
            (stays[0].from_years, stays.len())
        };
        assert_eq!(from(10, false), (0.0, 100));
        assert_eq!(from(370, false), (1.0, 100));
        assert_eq!(from(200, false), (0.5, 100));
        // Those who came back sooner contradict the list, which did not count their stay.
        assert_eq!(from(370, true), (1.0, 90));
    }
}
