//! From a count of moves under one minimum stay to a count under another.
//!
//! An office that counts a move after three months counts more moves than one that waits for twelve: those that ended
//! in between. What is converted is an estimate, and marked so.

mod error;
mod spline;
mod survival;

pub use error::DurationError;
pub use survival::{ExponentialRate, KaplanMeier, Stay, Stays, SurvivalStep};

use serde::Serialize;
use spline::CubicSpline;

/// How counts under different minimum stays relate.
#[derive(Debug, Clone, PartialEq)]
pub struct DurationConversion(Relation);

#[derive(Debug, Clone, PartialEq)]
enum Relation {
    Exponential { per_year: f64 },
    Survival(KaplanMeier),
    Table { months: (f64, f64), spline: CubicSpline },
}

/// A count, perhaps converted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ConvertedCount {
    /// The count under the minimum stay asked for.
    pub value: f64,
    /// What the count was multiplied with.
    pub factor: f64,
    /// Whether it was converted, and so is an estimate; false when both minimum stays are the same.
    pub estimated: bool,
    /// How: `exponential`, `kaplan_meier` or `published_table`; `None` when it was not.
    pub method: Option<&'static str>,
}

/// Months and the factor by which a count under that minimum stay becomes one under twelve months: IMEM 2013, as
/// printed for 0, 3, 6, 12 and 60 months.
pub const IMEM_2013: [(f64, f64); 5] = [(0.0, 0.53), (3.0, 0.63), (6.0, 0.73), (12.0, 1.0), (60.0, 2.26)];

/// Expert judgement, Willekens 2019.
pub const EXPERT_WILLEKENS_2019: [(f64, f64); 5] =
    [(0.0, 0.51), (3.0, 0.61), (6.0, 0.81), (12.0, 1.0), (60.0, 1.61)];

/// Mixture model, Willekens 2019.
pub const MIXTURE_WILLEKENS_2019: [(f64, f64); 5] =
    [(0.0, 0.51), (3.0, 0.64), (6.0, 0.71), (12.0, 1.0), (60.0, 1.80)];

/// λ of the Poisson column of Willekens 2019, a year.
pub const POISSON_WILLEKENS_2019: f64 = 0.24;

const MONTHS_PER_YEAR: f64 = 12.0;

impl DurationConversion {
    /// Stays that end at a constant rate: M(d₂) = M(d₁)·exp(−λ(d₂−d₁)), d in years.
    ///
    /// # Errors
    /// λ is negative or no number.
    pub fn exponential(per_year: f64) -> Result<Self, DurationError> {
        if !(per_year >= 0.0 && per_year.is_finite()) {
            return Err(DurationError::Rate { per_year });
        }
        Ok(Self(Relation::Exponential { per_year }))
    }

    /// The survival curve of linked stays: M(d₂) = M(d₁)·S(d₂)/S(d₁).
    pub const fn kaplan_meier(curve: KaplanMeier) -> Self {
        Self(Relation::Survival(curve))
    }

    /// A published table of months and factors to twelve months, with a cubic spline between.
    ///
    /// # Errors
    /// Fewer than two rows, months that do not ascend, or a factor that is not above 0.
    pub fn table(rows: &[(f64, f64)]) -> Result<Self, DurationError> {
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
            return Err(DurationError::TableShort { rows: 0 });
        };
        if rows.len() < 2 {
            return Err(DurationError::TableShort { rows: rows.len() });
        }
        for (index, &(months, factor)) in rows.iter().enumerate() {
            let before = index
                .checked_sub(1)
                .map_or(f64::NEG_INFINITY, |before| rows[before].0);
            let sound =
                months >= 0.0 && months > before && months.is_finite() && factor > 0.0 && factor.is_finite();
            if !sound {
                return Err(DurationError::TableRow {
                    position: index + 1,
                    months,
                    factor,
                });
            }
        }
        Ok(Self(Relation::Table {
            months: (first.0, last.0),
            spline: CubicSpline::new(rows),
        }))
    }

    /// What a count under a minimum stay of `from_months` is multiplied with to be one of `to_months`.
    ///
    /// # Errors
    /// A duration that is negative or no number, beyond the table, or so long that no stay lasts.
    pub fn factor(&self, from_months: f64, to_months: f64) -> Result<f64, DurationError> {
        for months in [from_months, to_months] {
            if !(months >= 0.0 && months.is_finite()) {
                return Err(DurationError::Months { months });
            }
        }
        match &self.0 {
            Relation::Exponential { per_year } => {
                Ok((-per_year * (to_months - from_months) / MONTHS_PER_YEAR).exp())
            }
            Relation::Survival(curve) => {
                let staying = |months: f64| match curve.survival(months / MONTHS_PER_YEAR) {
                    Some(share) if share > 0.0 => Ok(share),
                    Some(_) => Err(DurationError::NobodyStays { months }),
                    None => Err(DurationError::BeyondSeen {
                        months,
                        seen: curve.seen_years * MONTHS_PER_YEAR,
                    }),
                };
                Ok(staying(to_months)? / staying(from_months)?)
            }
            Relation::Table {
                months: (first, last),
                spline,
            } => {
                let to_twelve = |months| {
                    spline
                        .value(months)
                        .filter(|&factor| factor > 0.0)
                        .ok_or(DurationError::BeyondTable {
                            months,
                            first: *first,
                            last: *last,
                        })
                };
                Ok(to_twelve(from_months)? / to_twelve(to_months)?)
            }
        }
    }

    /// Converts a count.
    ///
    /// # Errors
    /// As [`Self::factor`]; a count that is negative or no number.
    pub fn convert(
        &self,
        count: f64,
        from_months: f64,
        to_months: f64,
    ) -> Result<ConvertedCount, DurationError> {
        if !(count >= 0.0 && count.is_finite()) {
            return Err(DurationError::Count { count });
        }
        if from_months.total_cmp(&to_months).is_eq() && from_months >= 0.0 {
            return Ok(ConvertedCount {
                value: count,
                factor: 1.0,
                estimated: false,
                method: None,
            });
        }
        let factor = self.factor(from_months, to_months)?;
        Ok(ConvertedCount {
            value: count * factor,
            factor,
            estimated: true,
            method: Some(match self.0 {
                Relation::Exponential { .. } => "exponential",
                Relation::Survival(_) => "kaplan_meier",
                Relation::Table { .. } => "published_table",
            }),
        })
    }
}
