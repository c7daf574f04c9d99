//! Stays of linked persons in the country of one office: from each arrival to the next departure.

use std::collections::{BTreeMap, BTreeSet};

use corridor_core::{
    Counterpart, DatePrecision, Direction, EncodedDataset, EventDate, MigrationEvent, Pseudonym,
};
use corridor_flows::Stay;
use jiff::civil::Date;

/// Days of a year.
const YEAR_DAYS: f64 = 365.25;

/// Minimum stays that registers have, in days, longest first: twelve, six and three months, the shortest that these can be, less a few days
/// for how an office counts them.
const MINIMUM_STAYS_DAYS: [f64; 3] = [360.0, 176.0, 84.0];

/// How unlikely it must be that a register shows so few short stays by chance, for it to be taken for one that does not count them.
const SURE_OF_NO_SHORT_STAYS: f64 = 0.01;
/// One in so many stays may be shorter all the same: corrected, or entered late.
const SHORT_ONE_IN: u32 = 50;

/// A move as a stay is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Step {
    /// The day, or the first day it can have been.
    date: Date,
    kind: StepKind,
    /// The last day it can have been.
    last: Date,
}

impl Step {
    const fn is_end(&self) -> bool {
        matches!(self.kind, StepKind::Departure | StepKind::Return)
    }

    fn is_exact(&self) -> bool {
        self.date == self.last
    }
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
/// that of the next move in the host's list, is not known by the day are left out, as are those after `last`; a return that is not known by
/// the day ends a stay where the host has a departure that can be the same, and else it was lasting until the first day that can be.
///
/// Where the host's list has hardly a stay shorter than three, six or twelve months, and would have more by chance, shorter ones are taken
/// for not counted there, and every stay is seen from that duration on only.
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
                last: last_day(event.date),
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
        if arrival.kind != StepKind::Arrival || !arrival.is_exact() {
            return None;
        }
        let mut later = steps[position + 1..].iter();
        let next = later.next();
        let (until, ended) = match next {
            // A return of which the day is not known: that of the move that ended the stay by then, if the host has it, else the stay
            // was lasting until the first day it can have been.
            Some(next) if next.kind == StepKind::Return && !next.is_exact() => {
                let known = later.find(|step| step.is_exact());
                let known = known.filter(|step| step.date <= next.last && step.is_end());
                known.map_or((next.date, false), |step| (step.date, true))
            }
            Some(next) if !next.is_exact() => return None,
            Some(next) => (next.date, next.is_end()),
            None => (last_seen, false),
        };
        let (until, ended) = if until <= last_seen {
            (until, ended)
        } else {
            (last_seen, false)
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

/// From which duration on, in years, a list shows stays: the longest of [`MINIMUM_STAYS_DAYS`] below which hardly one ends, if that is no
/// chance. Were the rate at which stays end the same throughout, each end would be below it with the share of time that is seen there.
fn minimum_stay(stays: &[Stay]) -> f64 {
    let seen: f64 = stays.iter().map(|stay| stay.until_years).sum();
    let ended: Vec<f64> = stays
        .iter()
        .filter(|stay| stay.ended)
        .map(|stay| stay.until_years)
        .collect();
    let ends = u32::try_from(ended.len()).unwrap_or(u32::MAX);
    let minima = MINIMUM_STAYS_DAYS.map(|days| days / YEAR_DAYS);
    let is_minimum = |&minimum: &f64| {
        let below: f64 = stays.iter().map(|stay| stay.until_years.min(minimum)).sum();
        let short = ended.iter().filter(|years| **years < minimum).count();
        let short = u32::try_from(short).unwrap_or(u32::MAX);
        short <= ends / SHORT_ONE_IN && at_most(short, ends, below / seen) < SURE_OF_NO_SHORT_STAYS
    };
    minima.into_iter().find(is_minimum).unwrap_or(0.0)
}

/// Probability that of so many `draws` with this `chance` each at most so many succeed: binomial.
fn at_most(successes: u32, draws: u32, chance: f64) -> f64 {
    let draws_left = |done: u32| f64::from(draws - done);
    let mut term = (1.0 - chance).powi(i32::try_from(draws).unwrap_or(i32::MAX));
    let mut sum = term;
    for done in 0..successes.min(draws) {
        term *= draws_left(done) / f64::from(done + 1) * chance / (1.0 - chance);
        sum += term;
    }
    sum
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
        last: last_day(event.date),
    }
}

/// The last day a move can have been.
fn last_day(date: EventDate) -> Date {
    match date.precision {
        DatePrecision::Day => date.date,
        DatePrecision::Month => date.date.last_of_month(),
        DatePrecision::Year => date.date.last_of_year(),
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
        let date = jiff::civil::date(2020, 1, 1)
            .checked_add(jiff::Span::new().days(day))
            .unwrap();
        Step {
            date,
            kind,
            last: date,
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
        // Of a return only the month is known, of which the host has the day, or not.
        let in_month = Step {
            last: step(Return, 320).date,
            ..step(Return, 290)
        };
        assert_eq!(found(&[step(Arrival, 0), in_month]), [(290.0, false)]);
        assert_eq!(
            found(&[step(Arrival, 0), in_month, step(Departure, 310)]),
            [(310.0, true)]
        );
        assert_eq!(
            found(&[step(Arrival, 0), in_month, step(Departure, 400)]),
            [(290.0, false)]
        );
        let unsure = Step {
            last: step(Departure, 320).date,
            ..step(Departure, 290)
        };
        assert_eq!(found(&[step(Arrival, 0), unsure]), []);
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
            ((stays[0].from_years * YEAR_DAYS).round(), stays.len())
        };
        assert_eq!(from(10, false), (0.0, 100));
        // The shortest year, half year and quarter.
        assert_eq!(from(365, false), (360.0, 100));
        assert_eq!(from(181, false), (176.0, 100));
        assert_eq!(from(89, false), (84.0, 100));
        // Those who came back sooner contradict the list, which did not count their stay.
        assert_eq!(from(365, true), (360.0, 90));
        // One that was entered all the same changes little.
        assert_eq!(from(357, false), (360.0, 99));
    }

    #[test]
    fn chances_of_few_are_binomial() {
        // 20 draws of a tenth: scipy.stats.binom.cdf.
        for (successes, expected) in [(0, 0.121_576_654_6), (1, 0.391_746_998_1), (3, 0.867_046_676_6)] {
            assert!((at_most(successes, 20, 0.1) - expected).abs() < 1e-9);
        }
    }
}
