use crate::draw::Draw;
use crate::household::Move;
use crate::itinerary::{Leg, PERIOD_DAYS, Place};
use crate::profile::Profile;

/// What an office knows of a move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Witness {
    /// The day it has the move on, counted from the first day of the period.
    pub(crate) day: i32,
    /// Whether it knows the month only.
    pub(crate) month_only: bool,
    pub(crate) counterpart: Counterpart,
}

/// What an office says of the other country.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counterpart {
    /// Nothing.
    Missing,
    /// The country it was.
    True,
    /// Another one: the last transit, or what the mover planned; by number of the third country.
    Wrong(usize),
}

/// Share of households without papers: either office hears of half as many of their moves. It makes the two
/// registers depend on each other, as they do.
const WITHOUT_PAPERS: f64 = 0.08;
const SEEN_WITHOUT_PAPERS: f64 = 0.5;
/// Share of people missed, or known, other than the rest of their household.
const UNLIKE_HOUSEHOLD: f64 = 0.04;
/// Share of event dates of which only the month is known.
const MONTH_ONLY: f64 = 0.01;

/// The places that have an office: left, right.
const SIDES: [Place; 2] = [Place::Origin, Place::Destination];

/// The moves of each member of a household, with what the two offices know of each.
pub(crate) fn witness(profile: &Profile, itineraries: &[Vec<Leg>], draw: &mut Draw) -> Vec<Vec<Move>> {
    let papers = !draw.chance(WITHOUT_PAPERS);
    let mut declared: Vec<(Leg, [Option<Witness>; 2])> = Vec::new();
    itineraries
        .iter()
        .map(|legs| {
            legs.iter()
                .map(|leg| {
                    let known = declared
                        .iter()
                        .find(|(seen, _)| seen == leg)
                        .map(|(_, known)| *known);
                    let known = known.unwrap_or_else(|| {
                        let known = SIDES.map(|own| declare(profile, own, leg, papers, draw));
                        declared.push((*leg, known));
                        known
                    });
                    let mut of_person = |own: Place, known: Option<Witness>| {
                        if draw.chance(UNLIKE_HOUSEHOLD) {
                            declare(profile, own, leg, papers, draw)
                        } else {
                            known
                        }
                    };
                    Move {
                        leg: *leg,
                        origin: of_person(Place::Origin, known[0]),
                        destination: of_person(Place::Destination, known[1]),
                    }
                })
                .collect()
        })
        .collect()
}

/// What the office of `own` gets to know of a move; nothing of one that does not touch its country.
fn declare(profile: &Profile, own: Place, leg: &Leg, papers: bool, draw: &mut Draw) -> Option<Witness> {
    let office = if own == Place::Origin {
        &profile.origin
    } else {
        &profile.destination
    };
    let leaving = leg.from == own;
    let rate = if leaving {
        office.knows_departures
    } else {
        office.knows_arrivals
    };
    let touched = leaving || leg.to == own;
    if !touched || !draw.chance(coverage(rate, papers)) {
        return None;
    }
    let delay = if draw.chance(office.late) {
        draw.between(60, 400)
    } else if leaving {
        // Departures are often declared beforehand, with the day planned.
        draw.between(-12, 20)
    } else {
        // Arrivals are on the day of registration, most within the weeks the law gives.
        draw.between(0, 6) * draw.between(0, 5)
    };
    let day = leg.day + delay;
    let counterpart = if draw.chance(office.counterpart_missing) {
        Counterpart::Missing
    } else if draw.chance(office.counterpart_wrong) {
        Counterpart::Wrong(draw.position(profile.third_countries.len()))
    } else {
        Counterpart::True
    };
    // What comes in after the period is not in the extract yet.
    (0..PERIOD_DAYS).contains(&day).then_some(Witness {
        day,
        month_only: draw.chance(MONTH_ONLY),
        counterpart,
    })
}

/// The share of moves known of people with or without papers, so that it is `rate` of all.
fn coverage(rate: f64, papers: bool) -> f64 {
    if papers {
        rate * (1.0 - WITHOUT_PAPERS * SEEN_WITHOUT_PAPERS) / (1.0 - WITHOUT_PAPERS)
    } else {
        rate * SEEN_WITHOUT_PAPERS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coverage_is_the_declared_one_on_the_whole() {
        for rate in [0.35, 0.86, 0.90] {
            let whole =
                (1.0 - WITHOUT_PAPERS) * coverage(rate, true) + WITHOUT_PAPERS * coverage(rate, false);
            assert!((whole - rate).abs() < 1e-12);
            assert!(coverage(rate, true) <= 1.0);
        }
    }

    #[test]
    fn offices_know_of_as_many_moves_as_declared() {
        let profile = Profile::find("SN-FR").unwrap();
        let leg = Leg {
            day: 700,
            from: Place::Origin,
            to: Place::Destination,
        };
        let third = Leg {
            to: Place::Third(0),
            ..leg
        };
        let mut draw = Draw::new(1, "witness");
        let moves: Vec<Move> = (0..20_000)
            .flat_map(|_| witness(profile, &[vec![leg]], &mut draw).remove(0))
            .collect();
        let count = |is_met: &dyn Fn(&Move) -> bool| {
            let met = moves.iter().filter(|known| is_met(known)).count();
            f64::from(u32::try_from(met).unwrap()) / 20_000.0
        };
        let (left, right) = (&profile.origin, &profile.destination);
        // Four standard errors of 20,000 draws are at most 0.014.
        assert!((count(&|m| m.origin.is_some()) - left.knows_departures).abs() < 0.014);
        assert!((count(&|m| m.destination.is_some()) - right.knows_arrivals).abs() < 0.014);
        let late = count(&|m| m.destination.is_some_and(|known| known.day >= leg.day + 60));
        assert!((late - right.late * right.knows_arrivals).abs() < 0.010, "{late}");
        // People without papers are in neither, so that being in one says something of being in the other.
        let both = count(&|m| m.origin.is_some() && m.destination.is_some());
        assert!(
            both > left.knows_departures * right.knows_arrivals + 0.005,
            "{both}"
        );
        let gone = witness(profile, &vec![vec![third]; 50], &mut draw);
        assert!(gone.iter().flatten().all(|known| known.destination.is_none()));
    }
}
