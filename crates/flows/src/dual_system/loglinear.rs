//! Loglinear models of two lists and two covariates, each covariate seen in one list only, fitted by EM.

use serde::Serialize;

use crate::number::{real, real_len};

/// Which interactions a model has besides the four main effects: list 1 with covariate X₂, list 2 with X₁, and
/// X₁ with X₂. With all three it is the maximal model that can be identified (van der Heijden et al. 2018,
/// section 3); with none it is independence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LoglinearTerms {
    /// Whether the chance of being in list 1 differs by X₂, which list 2 tells.
    pub list_1_by_x2: bool,
    /// Whether the chance of being in list 2 differs by X₁, which list 1 tells.
    pub list_2_by_x1: bool,
    /// Whether X₁ and X₂ go together.
    pub x1_by_x2: bool,
}

impl LoglinearTerms {
    /// All that can be identified.
    pub const MAXIMAL: Self = Self {
        list_1_by_x2: true,
        list_2_by_x1: true,
        x1_by_x2: true,
    };
}

/// How an iteration ended.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Convergence {
    /// Whether it came to rest; if not, its figures are not the best fit.
    pub converged: bool,
    /// Steps made.
    pub iterations: u32,
    /// Largest change of a fitted count in the last step, as a share of all seen.
    pub last_change: f64,
}

/// The change of a fitted count, as a share of all seen, below which the iteration is at rest. It shrinks by the
/// share of what is missing in each step, so that what is left to go is some hundred times as much.
const AT_REST: f64 = 1e-13;
const MAX_ITERATIONS: u32 = 100_000;

/// Cells where the lists cross; nobody in neither list is seen, so that it has no cell here.
const BOTH: usize = 0;
const ONLY_1: usize = 1;
const ONLY_2: usize = 2;
const LISTS: [usize; 3] = [BOTH, ONLY_1, ONLY_2];

/// What was observed.
///
/// # Shape
/// `both` is `only_1.len()` × `only_2.len()`, row-major.
#[derive(Debug, Clone)]
pub(super) struct Observed {
    pub(super) both: Vec<f64>,
    /// By X₁.
    pub(super) only_1: Vec<f64>,
    /// By X₂.
    pub(super) only_2: Vec<f64>,
}

/// An interaction that the data cannot tell, set to an odds ratio.
#[derive(Debug, Clone, Copy)]
pub(super) enum Offset {
    /// List 1 with a level of X₁, against its other levels.
    List1(usize, f64),
    /// List 2 with a level of X₂.
    List2(usize, f64),
    /// None.
    None,
}

/// Fitted counts of those seen, and how well they fit.
#[derive(Debug, Clone)]
pub(super) struct Fit {
    /// In the order both, only list 1, only list 2; each `levels of X₁ × levels of X₂`, row-major.
    pub(super) cells: [Vec<f64>; 3],
    pub(super) log_likelihood: f64,
    pub(super) convergence: Convergence,
}

impl Fit {
    /// Those in neither list: m₀₀ = m₁₀·m₀₁/m₁₁ in each cell, for the lists are independent given X₁ and X₂.
    pub(super) fn neither(&self) -> Vec<f64> {
        let [both, only_1, only_2] = &self.cells;
        let total: f64 = self.cells.iter().flatten().sum();
        both.iter()
            .zip(only_1.iter().zip(only_2))
            .map(|(&both, (&only_1, &only_2))| {
                // A combination that nobody in both lists has is fitted as one that does not occur.
                if both <= total * AT_REST {
                    0.0
                } else {
                    only_1 * only_2 / both
                }
            })
            .collect()
    }
}

/// Fits a model. E step: those in one list only are spread over the levels of the covariate it does not tell, as the
/// model has them. M step: one cycle of proportional fitting to the margins of the model, from the counts before, which
/// keeps the odds ratios of `offset`. The cells of those in neither list are structural zeros throughout.
pub(super) fn fit(observed: &Observed, terms: LoglinearTerms, offset: Offset) -> Fit {
    let shape = Shape {
        x1: observed.only_1.len(),
        x2: observed.only_2.len(),
    };
    let seen: f64 = [&observed.both, &observed.only_1, &observed.only_2]
        .into_iter()
        .flatten()
        .sum();
    let margins = shape.margins(terms);
    let mut cells = shape.start(offset, seen);
    let mut convergence = Convergence {
        converged: false,
        iterations: 0,
        last_change: f64::INFINITY,
    };
    while !convergence.converged && convergence.iterations < MAX_ITERATIONS {
        let completed = shape.spread(observed, &cells);
        let before = cells.clone();
        for margin in &margins {
            margin.scale(&completed, &mut cells);
        }
        convergence.iterations += 1;
        convergence.last_change = before
            .iter()
            .flatten()
            .zip(cells.iter().flatten())
            .map(|(before, after)| (before - after).abs() / seen)
            .fold(0.0, f64::max);
        convergence.converged = convergence.last_change < AT_REST;
    }
    let log_likelihood = shape.log_likelihood(observed, &cells);
    Fit {
        cells,
        log_likelihood,
        convergence,
    }
}

/// Levels of the two covariates.
#[derive(Debug, Clone, Copy)]
struct Shape {
    x1: usize,
    x2: usize,
}

/// A margin: which group each cell belongs to.
#[derive(Debug)]
struct Margin {
    groups: [Vec<usize>; 3],
    len: usize,
}

impl Margin {
    /// Scales `cells` so that each group adds up as in `target`.
    fn scale(&self, target: &[Vec<f64>; 3], cells: &mut [Vec<f64>; 3]) {
        let (wanted, fitted) = (self.sums(target), self.sums(cells));
        for (groups, cells) in self.groups.iter().zip(cells) {
            for (&group, cell) in groups.iter().zip(cells) {
                *cell *= if fitted[group] > 0.0 {
                    wanted[group] / fitted[group]
                } else {
                    0.0
                };
            }
        }
    }

    fn sums(&self, cells: &[Vec<f64>; 3]) -> Vec<f64> {
        let mut sums = vec![0.0; self.len];
        for (groups, cells) in self.groups.iter().zip(cells) {
            for (&group, cell) in groups.iter().zip(cells) {
                sums[group] += cell;
            }
        }
        sums
    }
}

impl Shape {
    fn margins(self, terms: LoglinearTerms) -> Vec<Margin> {
        let in_1 = |list: usize, _: usize, _: usize| usize::from(list != ONLY_2);
        let in_2 = |list: usize, _: usize, _: usize| usize::from(list != ONLY_1);
        let x1 = |_: usize, x1: usize, _: usize| x1;
        let x2 = |_: usize, _: usize, x2: usize| x2;
        let levels_1 = self.x1;
        let levels_2 = self.x2;
        let mut margins = Vec::new();
        if terms.list_1_by_x2 {
            margins.push(self.margin(2 * levels_2, |l, i, j| in_1(l, i, j) * levels_2 + j));
        }
        if terms.list_2_by_x1 {
            margins.push(self.margin(2 * levels_1, |l, i, j| in_2(l, i, j) * levels_1 + i));
        }
        if terms.x1_by_x2 {
            margins.push(self.margin(levels_1 * levels_2, |_, i, j| i * levels_2 + j));
        }
        // Main effects that no interaction has covered.
        if !terms.list_1_by_x2 {
            margins.push(self.margin(2, in_1));
        }
        if !terms.list_2_by_x1 {
            margins.push(self.margin(2, in_2));
        }
        if !terms.list_2_by_x1 && !terms.x1_by_x2 {
            margins.push(self.margin(levels_1, x1));
        }
        if !terms.list_1_by_x2 && !terms.x1_by_x2 {
            margins.push(self.margin(levels_2, x2));
        }
        margins
    }

    fn margin(self, len: usize, group: impl Fn(usize, usize, usize) -> usize) -> Margin {
        let groups = LISTS.map(|list| {
            (0..self.x1 * self.x2)
                .map(|cell| group(list, cell / self.x2, cell % self.x2))
                .collect()
        });
        Margin { groups, len }
    }

    fn start(self, offset: Offset, seen: f64) -> [Vec<f64>; 3] {
        let len = self.x1 * self.x2;
        let each = seen / (3.0 * real_len(len));
        LISTS.map(|list| {
            (0..len)
                .map(|cell| {
                    let factor = match offset {
                        Offset::List1(level, ratio) if list != ONLY_2 && cell / self.x2 == level => ratio,
                        Offset::List2(level, ratio) if list != ONLY_1 && cell % self.x2 == level => ratio,
                        Offset::List1(..) | Offset::List2(..) | Offset::None => 1.0,
                    };
                    each * factor
                })
                .collect()
        })
    }

    /// The E step.
    fn spread(self, observed: &Observed, cells: &[Vec<f64>; 3]) -> [Vec<f64>; 3] {
        let by_x1 = self.sums_by_x1(&cells[ONLY_1]);
        let by_x2 = self.sums_by_x2(&cells[ONLY_2]);
        let share = |cell: f64, of: f64, count: f64| if of > 0.0 { count * cell / of } else { 0.0 };
        let only_1 = cells[ONLY_1]
            .iter()
            .enumerate()
            .map(|(cell, &fitted)| share(fitted, by_x1[cell / self.x2], observed.only_1[cell / self.x2]))
            .collect();
        let only_2 = cells[ONLY_2]
            .iter()
            .enumerate()
            .map(|(cell, &fitted)| share(fitted, by_x2[cell % self.x2], observed.only_2[cell % self.x2]))
            .collect();
        [observed.both.clone(), only_1, only_2]
    }

    fn sums_by_x1(self, cells: &[f64]) -> Vec<f64> {
        cells.chunks(self.x2).map(|row| row.iter().sum()).collect()
    }

    fn sums_by_x2(self, cells: &[f64]) -> Vec<f64> {
        (0..self.x2)
            .map(|column| cells.iter().skip(column).step_by(self.x2).sum())
            .collect()
    }

    /// Σ n·ln μ − μ over what is observed (Poisson, without its constant).
    fn log_likelihood(self, observed: &Observed, cells: &[Vec<f64>; 3]) -> f64 {
        let part = |counts: &[f64], fitted: &[f64]| -> f64 {
            counts
                .iter()
                .zip(fitted)
                .map(|(&count, &mean)| {
                    if count > 0.0 {
                        count * mean.ln() - mean
                    } else {
                        -mean
                    }
                })
                .sum()
        };
        part(&observed.both, &cells[BOTH])
            + part(&observed.only_1, &self.sums_by_x1(&cells[ONLY_1]))
            + part(&observed.only_2, &self.sums_by_x2(&cells[ONLY_2]))
    }
}

/// Counts as real numbers.
pub(super) fn reals(counts: &[u64]) -> Vec<f64> {
    counts.iter().map(|&count| real(count)).collect()
}
