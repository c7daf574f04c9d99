use crate::draw::Draw;

/// Where somebody lives, relative to the corridor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The country of the right office.
    Destination,
    /// The country of the left office.
    Origin,
    /// A third country, by its number in the profile.
    Third(usize),
}

/// A change of place, as it really happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Leg {
    /// The day, counted from the first day of the period.
    pub(crate) day: i32,
    pub(crate) from: Place,
    pub(crate) to: Place,
}

/// Days of the period the registers cover: 2021-01-01 to 2025-12-31.
pub(crate) const PERIOD_DAYS: i32 = 1_826;

/// How often people of a corridor move again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Mobility {
    /// Share of those who came that go back.
    pub(crate) returns: f64,
}

impl Mobility {
    /// From reported flows in both directions. Destinations hear of about half of the departures, so the share is
    /// taken twice, within bounds; where nothing is reported, a plausible one.
    pub(crate) fn from_flows(flow: Option<u32>, flow_back: Option<u32>) -> Self {
        let returns = match (flow, flow_back) {
            (Some(flow), Some(back)) if flow > 0 => 2.0 * f64::from(back) / f64::from(flow),
            _ => RETURNS_WHERE_UNREPORTED,
        };
        Self {
            returns: returns.clamp(LEAST_RETURNS, MOST_RETURNS),
        }
    }
}

const RETURNS_WHERE_UNREPORTED: f64 = 0.20;
const LEAST_RETURNS: f64 = 0.10;
const MOST_RETURNS: f64 = 0.45;

/// Share of first moves from the origin that go to a third country; only the origin sees them.
const TO_THIRD: f64 = 0.05;
/// Share of first moves that come to the destination from a third country; only the destination sees them.
const FROM_THIRD: f64 = 0.06;
/// Share of those who go back that leave again.
const OUT_AGAIN: f64 = 0.40;
/// Share of those who stay that go on to a third country.
const ONWARD: f64 = 0.04;
/// Share of those in a third country that come (back) to the corridor.
const BACK_FROM_THIRD: f64 = 0.25;
/// Moves of one household at most.
const MOST_LEGS: usize = 6;

/// The moves of a household that lives in `home` at first, within the period, in order.
pub(crate) fn draw_legs(home: Place, third_count: usize, mobility: Mobility, draw: &mut Draw) -> Vec<Leg> {
    let third = |draw: &mut Draw| Place::Third(draw.position(third_count));
    let abroad = |home| match home {
        Place::Destination => Place::Origin,
        Place::Origin | Place::Third(_) => Place::Destination,
    };
    let (from, to) = if home == Place::Origin && draw.chance(FROM_THIRD) {
        (third(draw), Place::Destination)
    } else if home == Place::Origin && draw.chance(TO_THIRD) {
        (home, third(draw))
    } else if draw.chance(mobility.returns / 2.0) {
        // They had moved before the period began; what it sees first is the return.
        (abroad(home), home)
    } else {
        (home, abroad(home))
    };
    let first = Leg {
        day: draw.between(0, PERIOD_DAYS - 1),
        from,
        to,
    };
    let mut legs = vec![first];
    let mut last = first;
    while legs.len() < MOST_LEGS {
        let next = if last.to == home {
            draw.chance(OUT_AGAIN).then(|| {
                if draw.chance(ONWARD) {
                    third(draw)
                } else {
                    abroad(home)
                }
            })
        } else if matches!(last.to, Place::Third(_)) {
            draw.chance(BACK_FROM_THIRD)
                .then(|| if draw.chance(0.5) { home } else { abroad(home) })
        } else if draw.chance(mobility.returns) {
            Some(home)
        } else {
            draw.chance(ONWARD).then(|| third(draw))
        };
        let Some(to) = next else { break };
        let stay = draw.between(SHORTEST_STAY_DAYS, LONGEST_STAY_DAYS);
        let leg = Leg {
            day: last.day + stay,
            from: last.to,
            to,
        };
        if leg.day >= PERIOD_DAYS {
            break;
        }
        legs.push(leg);
        last = leg;
    }
    legs
}

const SHORTEST_STAY_DAYS: i32 = 60;
const LONGEST_STAY_DAYS: i32 = 1_100;

/// The moves of those who follow the first of the household later, when a permit allows it; they do nothing else in
/// the period. The first of the household has `legs`. `None` when they come at the end of the period or too late to
/// find him there.
pub(crate) fn follow(legs: &[Leg], draw: &mut Draw) -> Option<Leg> {
    let first = legs.first()?;
    let day = first.day + draw.between(180, 900);
    let gone = legs.get(1).map_or(PERIOD_DAYS, |leg| leg.day);
    (day < gone.min(PERIOD_DAYS)).then_some(Leg { day, ..*first })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn many() -> Vec<Vec<Leg>> {
        let mobility = Mobility { returns: 0.4 };
        let mut draw = Draw::new(3, "legs");
        (0..5_000)
            .map(|_| draw_legs(Place::Origin, 3, mobility, &mut draw))
            .collect()
    }

    #[test]
    fn each_move_begins_where_the_last_ended_and_later() {
        for legs in many() {
            assert!(
                legs.iter()
                    .all(|leg| leg.from != leg.to && (0..PERIOD_DAYS).contains(&leg.day))
            );
            assert!(
                legs.windows(2)
                    .all(|pair| pair[0].to == pair[1].from && pair[0].day < pair[1].day)
            );
        }
    }

    #[test]
    fn people_go_return_and_go_again() {
        let legs = many();
        let round_trips = legs.iter().filter(|legs| legs.len() >= 3).count();
        assert!(round_trips > 100, "{round_trips}");
        assert!(legs.iter().any(|legs| legs[0].to == Place::Origin));
        assert!(legs.iter().flatten().any(|leg| matches!(leg.to, Place::Third(_))));
    }

    #[test]
    fn returns_follow_reported_flows_within_bounds() {
        for (flow, back, expected) in [
            (None, Some(5), RETURNS_WHERE_UNREPORTED),
            (Some(100), Some(90), MOST_RETURNS),
            (Some(1_000), Some(1), LEAST_RETURNS),
            (Some(100), Some(15), 0.30),
        ] {
            let returns = Mobility::from_flows(flow, back).returns;
            assert!((returns - expected).abs() < 1e-12, "{returns}");
        }
    }
}
