use crate::draw::{Draw, running_totals};
use crate::itinerary::Mobility;
use crate::names::lines_of;

/// What statistics say of the movers of a corridor: sexes, ages, and how many go back.
#[derive(Debug)]
pub(crate) struct Margins {
    /// Share of men among those who move alone.
    pub(crate) male: f64,
    pub(crate) mobility: Mobility,
    adult_ages: Ages,
    child_ages: Ages,
}

/// Ages in completed years from `first`, by how many movers have them.
#[derive(Debug)]
struct Ages {
    first: i32,
    totals: Vec<u32>,
}

impl Ages {
    fn draw(&self, draw: &mut Draw) -> i32 {
        self.first + i32::try_from(draw.by_weight(&self.totals)).expect("ages are below 100")
    }
}

/// Age from which people move without their parents.
pub(crate) const ADULT_AGE: i32 = 18;

/// Stocks by sex of 2019 (UN DESA) and flows of 2024 (Eurostat), by corridor; empty where not reported.
const MARGINS: &str = include_str!("../data/margins.csv");

/// Movers by age in completed years (Valencia 2006, INE).
const AGES: &str = include_str!("../data/ages.csv");

impl Margins {
    /// The margins of a corridor, as in `SN-FR`.
    pub(crate) fn load(corridor: &str) -> Self {
        let [_, men, women, flow, flow_back] = lines_of::<5>(MARGINS)
            .find(|[name, ..]| *name == corridor)
            .expect("each corridor has a line of margins");
        let number = |text: &str| text.parse::<u32>().ok();
        let (men, women) = (number(men).unwrap_or(1), number(women).unwrap_or(1));
        let arrivals: Vec<u32> = lines_of::<3>(AGES)
            .map(|[_, arrivals, _]| arrivals.parse().expect("a number of movers"))
            .collect();
        let grown = usize::try_from(ADULT_AGE).expect("not negative");
        Self {
            male: f64::from(men) / (f64::from(men) + f64::from(women)),
            mobility: Mobility::from_flows(number(flow), number(flow_back)),
            adult_ages: Ages {
                first: ADULT_AGE,
                totals: running_totals(arrivals[grown..].iter().copied()),
            },
            child_ages: Ages {
                first: 0,
                totals: running_totals(arrivals[..grown].iter().copied()),
            },
        }
    }

    /// Age of somebody who moves of their own accord, in completed years.
    pub(crate) fn adult_age(&self, draw: &mut Draw) -> i32 {
        self.adult_ages.draw(draw)
    }

    /// Age of a child who moves with a parent of `parent_age`.
    pub(crate) fn child_age(&self, parent_age: i32, draw: &mut Draw) -> i32 {
        self.child_ages.draw(draw).min(parent_age - ADULT_AGE).max(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn movers_are_young() {
        let margins = Margins::load("SN-FR");
        let mut draw = Draw::new(1, "ages");
        let ages: Vec<i32> = (0..5_000).map(|_| margins.adult_age(&mut draw)).collect();
        let young = ages.iter().filter(|age| (20..40).contains(*age)).count();
        assert!(
            (2_900..3_600).contains(&young),
            "{young} of 5,000 are from 20 to 39"
        );
        assert!(ages.iter().all(|age| (ADULT_AGE..=95).contains(age)));
        assert_eq!(margins.child_age(19, &mut draw).max(1), 1);
    }

    #[test]
    fn sexes_are_those_of_the_stock() {
        assert!((Margins::load("SN-FR").male - 0.5499).abs() < 0.0005);
        assert!((Margins::load("SN-ES").male - 0.7588).abs() < 0.0005);
    }
}
