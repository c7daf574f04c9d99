//! How much a difference of definitions may be, from published figures.

use crate::duration::{
    DurationConversion, EXPERT_WILLEKENS_2019, IMEM_2013, MIXTURE_WILLEKENS_2019, POISSON_WILLEKENS_2019,
};
use corridor_core::Direction;

use super::difference::Indicative;
use super::direction::Undercount;
use super::duration::MinimumStay;

/// What share of the moves an office registers: mean and standard deviation of the beta distributions that experts were found to
/// agree on (IMEM; Raymer, Wiśniowski, Forster, Smith and Bijak 2013, for 31 countries of Europe in 2002 to 2008). `None` for what
/// they were not asked.
const fn registered_share(direction: Direction, undercount: Undercount) -> Option<(f64, f64)> {
    match (direction, undercount) {
        (Direction::Emigration, Undercount::Low) => Some((0.7261, 0.0562)),
        (Direction::Emigration, Undercount::High) => Some((0.4548, 0.0588)),
        (Direction::Immigration, Undercount::Low) => Some((0.8770, 0.0403)),
        (Direction::Immigration, Undercount::High) => Some((0.6808, 0.0572)),
        (_, Undercount::Medium | Undercount::Unknown) => None,
    }
}

/// Standard deviations to either end of a 95 % interval.
const Z_95: f64 = 1.96;

/// The left count over the right one, when only the expected undercount differs.
pub(super) fn by_undercount(
    left: (Direction, Undercount),
    right: (Direction, Undercount),
) -> Option<Indicative> {
    let (left_mean, left_sd) = registered_share(left.0, left.1)?;
    let (right_mean, right_sd) = registered_share(right.0, right.1)?;
    let ratio = left_mean / right_mean;
    // Delta method on the log scale, the two opinions taken as independent.
    let spread = (Z_95 * (left_sd / left_mean).hypot(right_sd / right_mean)).exp();
    Some(Indicative {
        ratio,
        low: ratio / spread,
        high: ratio * spread,
        source: "IMEM 2013, experts' opinion of undercount, 95 % interval",
    })
}

/// The left count over the right one, when only the minimum stay differs.
pub(super) fn by_duration(left: MinimumStay, right: MinimumStay) -> Option<Indicative> {
    let (left, right) = (left.to_months()?, right.to_months()?);
    let tables = [IMEM_2013, EXPERT_WILLEKENS_2019, MIXTURE_WILLEKENS_2019];
    let mut conversions: Vec<DurationConversion> = tables
        .iter()
        .filter_map(|rows| DurationConversion::table(rows).ok())
        .collect();
    conversions.extend(DurationConversion::exponential(POISSON_WILLEKENS_2019).ok());
    let ratios: Vec<f64> = conversions
        .iter()
        .filter_map(|conversion| conversion.factor(right, left).ok())
        .collect();
    // Beyond the tables the exponential would be left alone, and is too little.
    let &ratio = ratios.first().filter(|_| ratios.len() == conversions.len())?;
    Some(Indicative {
        ratio,
        low: ratios.iter().copied().fold(ratio, f64::min),
        high: ratios.iter().copied().fold(ratio, f64::max),
        source: "IMEM 2013; range with the tables of Willekens 2019",
    })
}
