//! How many moves there were, from two incomplete lists of them.
//!
//! What every estimator here returns is a [`PopulationEstimate`]: a point, its variance, two intervals that never
//! reach below what was seen, the coverage it implies for each list, and how far it moves if being in one list makes
//! being in the other likelier or less likely.

mod bootstrap;
mod consistency;
mod corrected;
mod counts;
mod dependence;
mod error;
mod estimators;
mod incomplete;
mod loglinear;
mod passes;
mod strata;
mod trimmed;

pub use bootstrap::{Bootstrap, PersonOutcome, bootstrap_over_persons, parametric_bootstrap};
pub use consistency::{ChiSquared, Consistency, RecaptureMatrix};
pub use corrected::{CorrectedEstimate, LinkageErrorRates, LinkageErrors, LinkedCounts};
pub use counts::{DualCounts, to_count};
pub use dependence::{Dependence, DependenceRow, ODDS_RATIOS};
pub use error::DualSystemError;
pub use estimators::{Estimator, PopulationEstimate};
pub use incomplete::{
    AssociationTest, CompletedCells, IncompleteCells, IncompleteEstimate, IncompleteSensitivity, OddsRatio,
};
pub use loglinear::{Convergence, LoglinearTerms};
pub use passes::{LinkPass, PassedLinks, links_of_passes};
pub use strata::{
    LinkedStratum, PooledStratum, PoolingRule, StratifiedEstimate, Stratum, ThinStratum,
    stratified_bootstrap, stratified_chapman, stratified_corrected,
};
pub use trimmed::{TrimmedEstimate, Trimming, trimmed};
