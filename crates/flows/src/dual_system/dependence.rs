use serde::Serialize;

/// Odds ratios of being in one list, between those in the other and those not, that every estimate is shown under.
/// Van der Heijden et al. 2018 (section 5) use the same; 1 is independence.
pub const ODDS_RATIOS: [f64; 3] = [2.0 / 3.0, 1.0, 1.5];

/// How an estimate depends on the lists being independent, which the data cannot say.
///
/// People with papers tend to be in both lists: an odds ratio above 1, under which the estimate at 1 is too low.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Dependence {
    /// One row for each odds ratio, ascending.
    pub rows: Vec<DependenceRow>,
}

/// The estimate under one odds ratio.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct DependenceRow {
    /// Odds of being in the first list for those in the second, over the odds for those not in it.
    pub odds_ratio: f64,
    /// Moves in truth, were that the odds ratio: seen + θ·(n₁−m)(n₂−m)/m.
    pub point: f64,
    /// Share of those moves that the first list has: its implied coverage.
    pub coverage_1: f64,
    /// Share that the second list has.
    pub coverage_2: f64,
}

impl Dependence {
    /// Under the usual odds ratios. `m` may be an estimate, and is above 0.
    pub(crate) fn new(n1: f64, n2: f64, m: f64) -> Self {
        Self::of_sum(&[(n1, n2, m)])
    }

    /// Of strata, each dependent in the same degree, added up.
    pub(crate) fn of_sum(strata: &[(f64, f64, f64)]) -> Self {
        let sum = |of: &dyn Fn(f64, f64, f64) -> f64| -> f64 {
            strata.iter().map(|&(n1, n2, m)| of(n1, n2, m)).sum()
        };
        let seen = sum(&|n1, n2, m| n1 + n2 - m);
        let (n1, n2) = (sum(&|n1, _, _| n1), sum(&|_, n2, _| n2));
        let rows = ODDS_RATIOS
            .map(|odds_ratio| {
                let point = seen + sum(&|n1, n2, m| odds_ratio * (n1 - m) * (n2 - m) / m);
                DependenceRow {
                    odds_ratio,
                    point,
                    coverage_1: n1 / point,
                    coverage_2: n2 / point,
                }
            })
            .to_vec();
        Self { rows }
    }
}
