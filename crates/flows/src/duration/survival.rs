use serde::Serialize;

use super::DurationError;
use crate::interval::{Confidence, Interval};
use crate::number::real_len;

/// How long one linked person was seen to stay, from the arrival on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stay {
    /// Years after the arrival from which on the end of the stay would have been seen: 0, or the minimum stay below
    /// which a register does not count the arrival.
    pub from_years: f64,
    /// Years after the arrival at which the stay ended, or was still lasting when last seen.
    pub until_years: f64,
    /// Whether it ended then.
    pub ended: bool,
}

/// Stays that can be fitted: each seen for some time.
#[derive(Debug, Clone, PartialEq)]
pub struct Stays(Vec<Stay>);

/// Share of stays that last longer than a duration, without an assumed form (Kaplan and Meier 1958), given that they
/// last as long as the first is seen from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KaplanMeier {
    /// One step for each duration at which a stay ended, ascending.
    pub steps: Vec<SurvivalStep>,
    /// The longest time in years for which a stay was seen: of longer ones the curve says nothing.
    pub seen_years: f64,
}

/// Where the curve falls.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SurvivalStep {
    /// Duration in years.
    pub years: f64,
    /// Stays seen at that duration.
    pub at_risk: u64,
    /// Stays that ended then.
    pub ended: u64,
    /// Share that last longer.
    pub survival: f64,
    /// Greenwood's variance of that share.
    pub variance: f64,
}

/// A constant rate at which stays end.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ExponentialRate {
    /// λ: ends a year of stay.
    pub per_year: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// Interval: λ·exp(±z/√ends).
    pub interval: Interval,
    /// Ends seen.
    pub ended: u64,
    /// Years of stay seen.
    pub years: f64,
}

impl Stays {
    /// Takes stays that were seen for some time.
    ///
    /// # Errors
    /// No stays, or one with a negative or no duration.
    pub fn try_new(stays: Vec<Stay>) -> Result<Self, DurationError> {
        if stays.is_empty() {
            return Err(DurationError::NoStays);
        }
        for (index, stay) in stays.iter().enumerate() {
            let sound =
                stay.from_years >= 0.0 && stay.until_years > stay.from_years && stay.until_years.is_finite();
            if !sound {
                return Err(DurationError::Stay {
                    position: index + 1,
                    from_years: stay.from_years,
                    until_years: stay.until_years,
                });
            }
        }
        Ok(Self(stays))
    }

    /// How many there are.
    pub fn len(&self) -> u64 {
        u64::try_from(self.0.len()).unwrap_or(u64::MAX)
    }

    /// Never true: there is at least one.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many were seen for so many years at least.
    pub fn seen_at(&self, years: f64) -> u64 {
        let is_seen = |stay: &&Stay| stay.from_years <= years && stay.until_years >= years;
        u64::try_from(self.0.iter().filter(is_seen).count()).unwrap_or(u64::MAX)
    }

    /// How many ended after more than so many years and at most so many.
    pub fn ended_between(&self, from_years: f64, to_years: f64) -> u64 {
        let is_between =
            |stay: &&Stay| stay.ended && stay.until_years > from_years && stay.until_years <= to_years;
        u64::try_from(self.0.iter().filter(is_between).count()).unwrap_or(u64::MAX)
    }

    /// Fits λ by maximum likelihood: ends over years of stay seen, stays that were still lasting among them.
    ///
    /// # Errors
    /// No stay ended.
    pub fn exponential(&self, confidence: Confidence) -> Result<ExponentialRate, DurationError> {
        let ended = self.0.iter().filter(|stay| stay.ended).count();
        if ended == 0 {
            return Err(DurationError::NoEnds);
        }
        let years: f64 = self.0.iter().map(|stay| stay.until_years - stay.from_years).sum();
        let per_year = real_len(ended) / years;
        let relative = 1.0 / real_len(ended).sqrt();
        let factor = (confidence.z() * relative).exp();
        Ok(ExponentialRate {
            per_year,
            standard_error: per_year * relative,
            interval: Interval {
                low: per_year / factor,
                high: per_year * factor,
            },
            ended: u64::try_from(ended).unwrap_or(u64::MAX),
            years,
        })
    }

    /// The survival curve. A stay that was last seen at the duration at which another ended counts as still at risk.
    ///
    /// # Errors
    /// No stay ended.
    pub fn kaplan_meier(&self) -> Result<KaplanMeier, DurationError> {
        let mut ends: Vec<f64> = self
            .0
            .iter()
            .filter(|stay| stay.ended)
            .map(|stay| stay.until_years)
            .collect();
        if ends.is_empty() {
            return Err(DurationError::NoEnds);
        }
        let sorted = |of: fn(&Stay) -> f64| {
            let mut times: Vec<f64> = self.0.iter().map(of).collect();
            times.sort_by(f64::total_cmp);
            times
        };
        ends.sort_by(f64::total_cmp);
        let (from, until) = (sorted(|stay| stay.from_years), sorted(|stay| stay.until_years));
        let (mut survival, mut greenwood) = (1.0, 0.0);
        let steps = ends
            .chunk_by(|a, b| a.total_cmp(b).is_eq())
            .map(|same| {
                let years = same[0];
                let entered = from.partition_point(|&from| from < years);
                let left = until.partition_point(|&until| until < years);
                let at_risk = entered - left;
                let (d, n) = (real_len(same.len()), real_len(at_risk));
                survival *= 1.0 - d / n;
                if d < n {
                    greenwood += d / (n * (n - d));
                }
                SurvivalStep {
                    years,
                    at_risk: u64::try_from(at_risk).unwrap_or(u64::MAX),
                    ended: u64::try_from(same.len()).unwrap_or(u64::MAX),
                    survival,
                    variance: survival * survival * greenwood,
                }
            })
            .collect();
        Ok(KaplanMeier {
            steps,
            seen_years: until.last().copied().unwrap_or_default(),
        })
    }
}

impl KaplanMeier {
    /// Share of stays that last longer than so many years. `None` beyond the time for which any stay was seen, unless none lasts so
    /// long.
    pub fn survival(&self, years: f64) -> Option<f64> {
        let ends_all = self.steps.last().is_some_and(|step| step.survival <= 0.0);
        (years <= self.seen_years || ends_all).then(|| self.step(years))
    }

    fn step(&self, years: f64) -> f64 {
        let step = self.steps.partition_point(|step| step.years <= years);
        step.checked_sub(1)
            .map_or(1.0, |index| self.steps[index].survival)
    }

    /// The constant rate that gives the fall of the curve between two durations: ln(S(d₁)/S(d₂))/(d₂ − d₁).
    ///
    /// # Errors
    /// Durations out of order or beyond what was seen, or the curve is 0 at the second.
    pub fn rate_between(&self, from_years: f64, to_years: f64) -> Result<f64, DurationError> {
        let (before, after) = (self.step(from_years), self.survival(to_years).unwrap_or_default());
        if !(from_years >= 0.0 && from_years < to_years && to_years.is_finite()) || after <= 0.0 {
            return Err(DurationError::NoRateBetween { from_years, to_years });
        }
        Ok((before / after).ln() / (to_years - from_years))
    }
}
