use serde::Serialize;

use super::{Dependence, DualCounts, DualSystemError};
use crate::interval::{Confidence, Interval};
use crate::number::real;

/// How an estimate was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Estimator {
    /// Bailey 1951.
    Bailey,
    /// Chapman 1951.
    Chapman,
    /// Ding and Fienberg 1994, with rates of linkage error that are known.
    LinkageErrorCorrected,
    /// Petersen 1896, Lincoln 1930.
    Petersen,
    /// Chapman's estimate in each stratum, added up.
    StratifiedChapman,
    /// The linkage-error-corrected estimate in each stratum, added up.
    StratifiedLinkageErrorCorrected,
    /// Petersen's estimate after records that may be false were trimmed (Zhang and Dunne 2017).
    Trimmed,
}

/// An estimate of the true number of moves, with everything that must be read beside it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PopulationEstimate {
    /// How it was made.
    pub estimator: Estimator,
    /// Moves in truth.
    pub point: f64,
    /// Variance of the point.
    pub variance: f64,
    /// Its square root.
    pub standard_error: f64,
    /// The number that there are at least: those seen.
    pub at_least: f64,
    /// point ± z standard errors, cut off at the number seen.
    pub normal: Interval,
    /// Chao's interval, log-normal on the unseen; the better one when few are matched.
    pub log_normal: Interval,
    /// What the estimate would be if the lists were not independent, and the coverage it implies of each.
    pub dependence: Dependence,
}

impl PopulationEstimate {
    /// Completes a point and a variance. `at_least` is a bound the truth cannot lie below; neither may the point,
    /// which some formulas let fall short of it by less than one move. `seen` are the lengths of the lists and how many moves they
    /// have between them, which is an estimate where links err, and then perhaps above `at_least`.
    pub(crate) fn new(
        estimator: Estimator,
        (point, variance): (f64, f64),
        at_least: f64,
        (lists, seen): ((f64, f64), f64),
        confidence: Confidence,
    ) -> Self {
        let point = point.max(at_least);
        let dependence = Dependence::new(lists, seen, point);
        Self {
            estimator,
            point,
            variance,
            standard_error: variance.sqrt(),
            at_least,
            normal: Interval::normal(point, variance, at_least, confidence),
            log_normal: Interval::log_normal(point, variance, at_least, confidence),
            dependence,
        }
    }

    /// The same with another variance and another bound below which the truth cannot lie.
    pub(crate) fn with_variance(self, variance: f64, at_least: f64, confidence: Confidence) -> Self {
        Self {
            variance,
            standard_error: variance.sqrt(),
            at_least,
            normal: Interval::normal(self.point, variance, at_least, confidence),
            log_normal: Interval::log_normal(self.point, variance, at_least, confidence),
            ..self
        }
    }
}

impl DualCounts {
    /// Petersen: N = n₁n₂/m, variance n₁²n₂(n₂−m)/m³.
    ///
    /// # Errors
    /// Nothing is in both lists.
    pub fn petersen(self, confidence: Confidence) -> Result<PopulationEstimate, DualSystemError> {
        let (n1, n2, m) = self.to_reals()?;
        let point = n1 * n2 / m;
        let variance = n1 * n1 * n2 * (n2 - m) / (m * m * m);
        self.complete(Estimator::Petersen, (point, variance), confidence)
    }

    /// Chapman 1951: N = (n₁+1)(n₂+1)/(m+1) − 1, variance (n₁+1)(n₂+1)(n₁−m)(n₂−m)/((m+1)²(m+2)) (Seber 1970).
    /// Hardly biased from m = 7 on (Robson and Regier 1964); the one to use when linkage errs little.
    ///
    /// # Errors
    /// Nothing is in both lists.
    pub fn chapman(self, confidence: Confidence) -> Result<PopulationEstimate, DualSystemError> {
        let (n1, n2, m) = self.to_reals()?;
        let product = (n1 + 1.0) * (n2 + 1.0);
        let point = product / (m + 1.0) - 1.0;
        let variance = product * (n1 - m) * (n2 - m) / ((m + 1.0) * (m + 1.0) * (m + 2.0));
        self.complete(Estimator::Chapman, (point, variance), confidence)
    }

    /// Bailey 1951, for a second list drawn with replacement: N = n₁(n₂+1)/(m+1), variance
    /// n₁²(n₂+1)(n₂−m)/((m+1)²(m+2)).
    ///
    /// When m = n₁ the formula falls short of the number seen, which is then the estimate.
    ///
    /// # Errors
    /// Nothing is in both lists.
    pub fn bailey(self, confidence: Confidence) -> Result<PopulationEstimate, DualSystemError> {
        let (n1, n2, m) = self.to_reals()?;
        let point = n1 * (n2 + 1.0) / (m + 1.0);
        let variance = n1 * n1 * (n2 + 1.0) * (n2 - m) / ((m + 1.0) * (m + 1.0) * (m + 2.0));
        self.complete(Estimator::Bailey, (point, variance), confidence)
    }

    fn complete(
        self,
        estimator: Estimator,
        figures: (f64, f64),
        confidence: Confidence,
    ) -> Result<PopulationEstimate, DualSystemError> {
        let (n1, n2, m) = self.to_reals()?;
        Ok(PopulationEstimate::new(
            estimator,
            figures,
            real(self.seen()),
            ((n1, n2), n1 + n2 - m),
            confidence,
        ))
    }
}
