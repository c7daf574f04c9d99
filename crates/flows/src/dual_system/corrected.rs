use serde::Serialize;

use super::{DualCounts, DualSystemError, Estimator, PopulationEstimate};
use crate::interval::Confidence;
use crate::number::real;

/// How linkage errs, as numbers that are still to be checked. See [`LinkageErrors`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LinkageErrorRates {
    /// α: chance that a move in both lists is linked to its true partner.
    pub alpha: f64,
    /// β: chance that a move of the second list that has no partner is linked all the same.
    pub beta: f64,
    /// Variance of the estimate of α; 0 where it is known.
    pub var_alpha: f64,
    /// Variance of the estimate of β.
    pub var_beta: f64,
}

/// Rates of linkage error that can be corrected for: α above β, both shares, variances that shares can have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LinkageErrors(LinkageErrorRates);

impl LinkageErrors {
    /// Linkage that never errs: α 1, β 0.
    pub const NONE: Self = Self(LinkageErrorRates {
        alpha: 1.0,
        beta: 0.0,
        var_alpha: 0.0,
        var_beta: 0.0,
    });

    /// The rates.
    pub const fn rates(&self) -> LinkageErrorRates {
        self.0
    }
}

impl TryFrom<LinkageErrorRates> for LinkageErrors {
    type Error = DualSystemError;

    fn try_from(rates: LinkageErrorRates) -> Result<Self, DualSystemError> {
        let variances = [
            ("alpha", rates.alpha, "var_alpha", rates.var_alpha),
            ("beta", rates.beta, "var_beta", rates.var_beta),
        ];
        for (rate_name, rate, variance_name, variance) in variances {
            if !(0.0..=1.0).contains(&rate) {
                return Err(DualSystemError::OutOfRange {
                    name: rate_name,
                    value: rate,
                    range: "it is a share from 0 to 1",
                });
            }
            if !(0.0..=rate * (1.0 - rate)).contains(&variance) {
                return Err(DualSystemError::OutOfRange {
                    name: variance_name,
                    value: variance,
                    range: "the variance of a share p lies from 0 to p(1 - p)",
                });
            }
        }
        if rates.alpha <= rates.beta {
            return Err(DualSystemError::RatesIndistinguishable {
                alpha: rates.alpha,
                beta: rates.beta,
            });
        }
        Ok(Self(rates))
    }
}

/// Two lists linked with error: n₁ and n₂ moves, l links.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LinkedCounts {
    linked: DualCounts,
    errors: LinkageErrors,
}

/// An estimate corrected for linkage error, beside the one that takes every link at its word.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CorrectedEstimate {
    /// The estimate.
    pub estimate: PopulationEstimate,
    /// m̂: moves in both lists, estimated from the links.
    pub matched: f64,
    /// Petersen's estimate with the links as they are.
    pub naive: f64,
    /// How far that is off, as a share of the corrected estimate: above 0 when it is too high.
    pub naive_bias: f64,
}

impl LinkedCounts {
    /// Takes counts and rates that can be true together. Links are one-to-one, so they are no more than n₁ or n₂.
    ///
    /// # Errors
    /// More links than records; no more links than false ones expected; or more matches than records, once the
    /// missed ones are added.
    pub fn try_new(n1: u64, n2: u64, links: u64, errors: LinkageErrors) -> Result<Self, DualSystemError> {
        let linked = DualCounts::try_named(n1, n2, links, "links")?;
        let counts = Self { linked, errors };
        let LinkageErrorRates { beta, .. } = errors.rates();
        if links == 0 || counts.matched() <= 0.0 {
            return Err(DualSystemError::LinksAllFalse {
                links,
                expected_false: beta * real(n2),
                beta,
                n2,
            });
        }
        for (list, len) in [("n1", n1), ("n2", n2)] {
            // A hair above is rounding: links that are all true give back n exactly only in real numbers.
            if counts.matched() > real(len) * (1.0 + 1e-12) {
                return Err(DualSystemError::AboveList {
                    name: "the number of matches after correction",
                    value: counts.matched(),
                    list,
                    len,
                });
            }
        }
        Ok(counts)
    }

    /// What was counted, with links in the place of matches.
    pub const fn linked(&self) -> DualCounts {
        self.linked
    }

    /// How linkage errs.
    pub const fn errors(&self) -> LinkageErrors {
        self.errors
    }

    /// m̂ = (l − βn₂)/(α − β): moves in both lists, linked or not.
    pub fn matched(&self) -> f64 {
        let LinkageErrorRates { alpha, beta, .. } = self.errors.rates();
        (real(self.linked.matched()) - beta * real(self.linked.n2())) / (alpha - beta)
    }

    /// The number of moves, corrected for linkage error: N̂ = n₁n₂/m̂ with the delta-method variance
    ///
    /// (N/m)²·[(α−β)²·n₁n₂(N−n₁)(N−n₂)/(N²(N−1)) + mα(1−α) + (n₂−m)β(1−β) + m²Var(α) + (n₂−m)²Var(β)]/(α−β)²
    ///
    /// (Ding and Fienberg 1994; Di Consiglio and Tuoto 2015; de Wolf, van der Laan and Zult 2019). The first term is
    /// what would be left if linkage never erred: how many moves are in both lists by chance, given n₁ and n₂.
    ///
    /// Which moves were seen is uncertain too when links err. The truth is then sure only not to lie below the
    /// longer list, and that is where the intervals stop.
    pub fn corrected(&self, confidence: Confidence) -> CorrectedEstimate {
        let (point, variance) = self.point_and_variance();
        let (n1, n2) = (real(self.linked.n1()), real(self.linked.n2()));
        let matched = self.matched().min(n1).min(n2);
        let estimate = PopulationEstimate::new(
            Estimator::LinkageErrorCorrected,
            (point, variance),
            self.at_least(),
            ((n1, n2), n1 + n2 - matched),
            confidence,
        );
        let naive = n1 * n2 / real(self.linked.matched());
        CorrectedEstimate {
            naive_bias: naive / estimate.point - 1.0,
            naive,
            matched,
            estimate,
        }
    }

    /// The number that there are at least.
    pub(crate) fn at_least(&self) -> f64 {
        if self.errors == LinkageErrors::NONE {
            real(self.linked.seen())
        } else {
            real(self.linked.n1().max(self.linked.n2()))
        }
    }

    pub(crate) fn point_and_variance(&self) -> (f64, f64) {
        let (n1, n2) = (real(self.linked.n1()), real(self.linked.n2()));
        let LinkageErrorRates {
            alpha,
            beta,
            var_alpha,
            var_beta,
        } = self.errors.rates();
        let m = self.matched().min(n1).min(n2);
        let n = n1 * n2 / m;
        let gap = (alpha - beta) * (alpha - beta);
        let sampling = if n > 1.0 {
            gap * n1 * n2 * (n - n1) * (n - n2) / (n * n * (n - 1.0))
        } else {
            0.0
        };
        let linkage = m * alpha * (1.0 - alpha) + (n2 - m) * beta * (1.0 - beta);
        let rates = m * m * var_alpha + (n2 - m) * (n2 - m) * var_beta;
        (n, (n / m) * (n / m) * (sampling + linkage + rates) / gap)
    }
}
