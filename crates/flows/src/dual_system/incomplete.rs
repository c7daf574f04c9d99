use corridor_core::Entropy;
use rand_distr::{Binomial, Distribution as _};
use serde::Serialize;
use statrs::distribution::{ChiSquared as ChiSquaredDistribution, ContinuousCDF as _};

use super::bootstrap::{Bootstrap, resample};
use super::loglinear::{Convergence, Fit, LoglinearTerms, Observed, Offset, fit, reals};
use super::{ChiSquared, DualSystemError, ODDS_RATIOS};
use crate::interval::{Confidence, Interval};
use crate::number::{real, real_len, whole};

/// Two linked lists, each with a covariate that the other does not have: X₁ in list 1, X₂ in list 2.
///
/// Several covariates of one list are crossed into one; covariates that both lists have make strata.
///
/// # Shape
/// `both` has a row for each level of X₁ and a column for each level of X₂; `only_1` is by X₁, `only_2` by X₂.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncompleteCells {
    both: Vec<Vec<u64>>,
    only_1: Vec<u64>,
    only_2: Vec<u64>,
}

/// An estimate from [`IncompleteCells`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct IncompleteEstimate {
    /// The model.
    pub terms: LoglinearTerms,
    /// Number in truth.
    pub point: f64,
    /// Of them in neither list.
    pub unseen: f64,
    /// What the estimate would be without covariates: n₁n₂/m.
    pub independence: f64,
    /// How the fit ended.
    pub convergence: Convergence,
    /// Fitted counts by X₁ and X₂.
    pub cells: CompletedCells,
    /// Share of those in list 2 that list 1 has, by X₁ and X₂: its implied coverage. `None` where nobody is.
    pub coverage_1: Vec<Vec<Option<f64>>>,
    /// Share of those in list 1 that list 2 has.
    pub coverage_2: Vec<Vec<Option<f64>>>,
    /// How X₁ and X₂ go together among those in both lists; only of two levels each, with nobody missing.
    pub odds_ratio_x1_x2: Option<OddsRatio>,
    /// Whether the model needs the interaction of X₁ and X₂; `None` when it has none.
    pub association: Option<AssociationTest>,
    /// The estimate under associations that the data cannot tell.
    pub sensitivity: Vec<IncompleteSensitivity>,
}

/// Fitted counts. Rows are levels of X₁, columns levels of X₂.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CompletedCells {
    /// In both lists.
    pub both: Vec<Vec<f64>>,
    /// In list 1 only.
    pub only_1: Vec<Vec<f64>>,
    /// In list 2 only.
    pub only_2: Vec<Vec<f64>>,
    /// In neither.
    pub neither: Vec<Vec<f64>>,
}

/// An odds ratio with Woolf's interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct OddsRatio {
    /// The ratio.
    pub point: f64,
    /// exp(ln OR ± z·√(Σ 1/count)).
    pub interval: Interval,
}

/// Likelihood-ratio test of dropping the interaction of X₁ and X₂.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct AssociationTest {
    /// Twice the difference of the log likelihoods, as X² with its degrees of freedom and p-value.
    pub likelihood_ratio: ChiSquared,
    /// The estimate without the interaction.
    pub point_without: f64,
}

/// The estimate when an association that cannot be estimated has a given odds ratio.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct IncompleteSensitivity {
    /// Which association: `lists`, `list_1_by_x1` or `list_2_by_x2`.
    pub term: &'static str,
    /// Which level of the covariate has it against its other levels, from 1; `None` for the two lists.
    pub level: Option<usize>,
    /// The odds ratio.
    pub odds_ratio: f64,
    /// Number in neither list.
    pub unseen: f64,
    /// Number in truth.
    pub point: f64,
    /// Share of them that list 1 has: its implied coverage.
    pub coverage_1: f64,
    /// Share of them that list 2 has.
    pub coverage_2: f64,
}

impl IncompleteCells {
    /// Takes a table in which each level that someone in one list has is also one that someone in both has.
    ///
    /// # Errors
    /// Fewer than one level, rows of another length, nobody in both lists, or a level that nobody in both has.
    pub fn try_new(both: Vec<Vec<u64>>, only_1: Vec<u64>, only_2: Vec<u64>) -> Result<Self, DualSystemError> {
        if only_1.is_empty() || only_2.is_empty() {
            return Err(DualSystemError::Nothing("levels of a covariate"));
        }
        let mismatch = |name: String, got, expected| DualSystemError::CellsMismatch { name, got, expected };
        if both.len() != only_1.len() {
            return Err(mismatch(
                "the table of both lists".to_owned(),
                both.len(),
                only_1.len(),
            ));
        }
        for (row, cells) in both.iter().enumerate() {
            if cells.len() != only_2.len() {
                let name = format!("row {} of both lists", row + 1);
                return Err(mismatch(name, cells.len(), only_2.len()));
            }
        }
        let cells = Self { both, only_1, only_2 };
        let (n1, n2, m) = cells.totals();
        if m == 0 {
            return Err(DualSystemError::NothingMatched { n1, n2 });
        }
        let by_x1 = cells.both.iter().map(|row| row.iter().sum());
        let by_x2 = (0..cells.only_2.len()).map(|column| cells.both.iter().map(|row| row[column]).sum());
        linked_levels("X1", by_x1, &cells.only_1)?;
        linked_levels("X2", by_x2, &cells.only_2)?;
        Ok(cells)
    }

    /// The same with the lists exchanged.
    pub fn to_transposed(&self) -> Self {
        let columns = 0..self.only_2.len();
        Self {
            both: columns
                .map(|column| self.both.iter().map(|row| row[column]).collect())
                .collect(),
            only_1: self.only_2.clone(),
            only_2: self.only_1.clone(),
        }
    }

    /// Estimates under a model, with the associations it cannot tell at odds ratios of ⅔ and 1.5 besides (van der
    /// Heijden, Smith, Cruyff and Bakker 2018).
    pub fn estimate(&self, terms: LoglinearTerms, confidence: Confidence) -> IncompleteEstimate {
        let observed = self.to_observed();
        let fitted = fit(&observed, terms, Offset::None);
        let neither = fitted.neither();
        let unseen: f64 = neither.iter().sum();
        let (n1, n2, m) = self.totals();
        let [both, only_1, only_2] = &fitted.cells;
        let rows = |cells: &[f64]| -> Vec<Vec<f64>> {
            cells.chunks(self.only_2.len()).map(<[f64]>::to_vec).collect()
        };
        let coverage = |others: &[f64]| -> Vec<Vec<Option<f64>>> {
            let share = |(&both, &other): (&f64, &f64)| {
                let all = both + other;
                (all > 0.0).then(|| both / all)
            };
            let shares: Vec<Option<f64>> = both.iter().zip(others).map(share).collect();
            shares.chunks(self.only_2.len()).map(<[_]>::to_vec).collect()
        };
        IncompleteEstimate {
            terms,
            point: self.seen() + unseen,
            unseen,
            independence: real(n1) * real(n2) / real(m),
            convergence: fitted.convergence,
            coverage_1: coverage(only_2),
            coverage_2: coverage(only_1),
            odds_ratio_x1_x2: self.odds_ratio(confidence),
            association: self.association(terms, &fitted),
            sensitivity: self.sensitivity(terms, unseen),
            cells: CompletedCells {
                both: rows(both),
                only_1: rows(only_1),
                only_2: rows(only_2),
                neither: rows(&neither),
            },
        }
    }

    /// Resamples everyone, seen and unseen, from the fitted model, forgets again what each list does not tell, and
    /// estimates anew. The same entropy gives the same figures.
    ///
    /// # Errors
    /// No replicates, or so many without an estimate that the interval has no upper end.
    pub fn bootstrap(
        &self,
        terms: LoglinearTerms,
        replicates: u32,
        confidence: Confidence,
        entropy: &mut dyn Entropy,
    ) -> Result<Bootstrap, DualSystemError> {
        let fitted = fit(&self.to_observed(), terms, Offset::None);
        let neither = fitted.neither();
        let cells: Vec<f64> = fitted.cells.iter().flatten().chain(&neither).copied().collect();
        let len = neither.len();
        let columns = self.only_2.len();
        resample(replicates, self.seen(), confidence, || {
            let drawn = multinomial(&cells, entropy);
            let rows =
                |cells: &[u64]| -> Vec<Vec<u64>> { cells.chunks(columns).map(<[u64]>::to_vec).collect() };
            let only_1 = rows(&drawn[len..2 * len]);
            let only_2 = rows(&drawn[2 * len..3 * len]);
            let again = Self::try_new(
                rows(&drawn[..len]),
                only_1.iter().map(|row| row.iter().sum()).collect(),
                (0..columns)
                    .map(|column| only_2.iter().map(|row| row[column]).sum())
                    .collect(),
            )
            .ok()?;
            let unseen: f64 = fit(&again.to_observed(), terms, Offset::None)
                .neither()
                .iter()
                .sum();
            Some(again.seen() + unseen)
        })
    }

    /// n₁, n₂ and m.
    fn totals(&self) -> (u64, u64, u64) {
        let m: u64 = self.both.iter().flatten().sum();
        let only = |cells: &[u64]| cells.iter().sum::<u64>();
        (m + only(&self.only_1), m + only(&self.only_2), m)
    }

    fn seen(&self) -> f64 {
        let (n1, n2, m) = self.totals();
        real(n1 + n2 - m)
    }

    fn to_observed(&self) -> Observed {
        Observed {
            both: reals(&self.both.concat()),
            only_1: reals(&self.only_1),
            only_2: reals(&self.only_2),
        }
    }

    fn odds_ratio(&self, confidence: Confidence) -> Option<OddsRatio> {
        let cells = reals(&self.both.concat());
        let &[a, b, c, d] = cells.as_slice() else {
            return None;
        };
        if self.only_1.len() != 2 || cells.iter().any(|&cell| cell <= 0.0) {
            return None;
        }
        let point = a * d / (b * c);
        let half = confidence.z() * cells.iter().map(|cell| 1.0 / cell).sum::<f64>().sqrt();
        Some(OddsRatio {
            point,
            interval: Interval {
                low: point * (-half).exp(),
                high: point * half.exp(),
            },
        })
    }

    fn association(&self, terms: LoglinearTerms, fitted: &Fit) -> Option<AssociationTest> {
        let freedom = (self.only_1.len() - 1) * (self.only_2.len() - 1);
        if !terms.x1_by_x2 || freedom == 0 {
            return None;
        }
        let without = LoglinearTerms {
            x1_by_x2: false,
            ..terms
        };
        let smaller = fit(&self.to_observed(), without, Offset::None);
        let statistic = (2.0 * (fitted.log_likelihood - smaller.log_likelihood)).max(0.0);
        Some(AssociationTest {
            likelihood_ratio: ChiSquared {
                statistic,
                degrees_of_freedom: u32::try_from(freedom).unwrap_or(u32::MAX),
                p_value: ChiSquaredDistribution::new(real_len(freedom)).ok()?.sf(statistic),
            },
            point_without: self.seen() + smaller.neither().iter().sum::<f64>(),
        })
    }

    fn sensitivity(&self, terms: LoglinearTerms, unseen: f64) -> Vec<IncompleteSensitivity> {
        let (n1, n2, _) = self.totals();
        let row = |term, level, odds_ratio, unseen| {
            let point = self.seen() + unseen;
            IncompleteSensitivity {
                term,
                level,
                odds_ratio,
                unseen,
                point,
                coverage_1: real(n1) / point,
                coverage_2: real(n2) / point,
            }
        };
        let unseen_under = |offset| -> f64 { fit(&self.to_observed(), terms, offset).neither().iter().sum() };
        let mut rows: Vec<IncompleteSensitivity> = ODDS_RATIOS
            .map(|ratio| row("lists", None, ratio, ratio * unseen))
            .to_vec();
        let dependent = [ODDS_RATIOS[0], ODDS_RATIOS[2]];
        for level in 1..self.only_1.len() {
            for ratio in dependent {
                let unseen = unseen_under(Offset::List1(level, ratio));
                rows.push(row("list_1_by_x1", Some(level + 1), ratio, unseen));
            }
        }
        for level in 1..self.only_2.len() {
            for ratio in dependent {
                let unseen = unseen_under(Offset::List2(level, ratio));
                rows.push(row("list_2_by_x2", Some(level + 1), ratio, unseen));
            }
        }
        rows
    }
}

fn linked_levels(
    covariate: &'static str,
    both: impl Iterator<Item = u64>,
    only: &[u64],
) -> Result<(), DualSystemError> {
    for (level, (both, &count)) in both.zip(only).enumerate() {
        if both == 0 && count > 0 {
            return Err(DualSystemError::LevelUnlinked {
                covariate,
                level: level + 1,
                count,
            });
        }
    }
    Ok(())
}

/// As many people as the cells hold, dealt out among them anew.
fn multinomial(cells: &[f64], entropy: &mut dyn Entropy) -> Vec<u64> {
    let mut weight_left: f64 = cells.iter().sum();
    let mut people_left = whole(weight_left.round()).unwrap_or(0);
    cells
        .iter()
        .map(|&cell| {
            let chance = if weight_left > 0.0 {
                (cell / weight_left).clamp(0.0, 1.0)
            } else {
                0.0
            };
            let drawn = Binomial::new(people_left, chance).map_or(0, |binomial| binomial.sample(entropy));
            people_left -= drawn;
            weight_left -= cell;
            drawn
        })
        .collect()
}
