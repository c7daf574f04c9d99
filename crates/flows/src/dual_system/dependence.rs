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
    /// Moves in truth, were that the odds ratio: seen + θ·(N − seen), with N the estimate itself.
    pub point: f64,
    /// Share of those moves that the first list has: its implied coverage.
    pub coverage_1: f64,
    /// Share that the second list has.
    pub coverage_2: f64,
}

impl Dependence {
    /// Of an estimate made under independence, of which so many moves were seen: by odds ratio θ, seen + θ·(point − seen), since the
    /// unseen of a table of two lists are θ·n₁₀n₀₁/n₁₁. Of strata too, each dependent in the same degree, by their sums.
    pub(crate) fn new((n1, n2): (f64, f64), seen: f64, point: f64) -> Self {
        let rows = ODDS_RATIOS
            .map(|odds_ratio| {
                let point = seen + odds_ratio * (point - seen);
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

    /// The estimate under an odds ratio of ⅔ and of 1.5.
    pub(crate) fn ends(&self) -> Option<(f64, f64)> {
        let &[low, _, high] = self.rows.as_slice() else {
            return None;
        };
        Some((low.point, high.point))
    }
}
