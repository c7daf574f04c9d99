//! From paired events to figures an office can publish. Pure functions on values.
//!
//! The events of two offices and which of them are the same move go into [`FlowTable::reconcile`], which places
//! every move in both lists or in one, and says why the yearly counts differ. [`protect`] suppresses what must
//! not be seen and is the only way out: a [`Disclosable`] gives a [`PublishedTable`], with, per group, E, I, matched,
//! only-origin, only-destination, each list's coverage and Chapman's estimate with its interval.
//!
//! ```
//! use corridor_core::*;
//! use corridor_flows::{FlowInput, FlowTable, FlowTerms, protect};
//!
//! let event = |direction| MigrationEvent {
//!     direction,
//!     counterpart: Counterpart::Partner,
//!     date: EventDate { date: "2023-05-01".parse().unwrap(), precision: DatePrecision::Day },
//!     sex: Sex::Female,
//!     age_band: Some(AgeBand(1)),
//! };
//! let emigrations = vec![event(Direction::Emigration); 80];
//! let immigrations = vec![event(Direction::Immigration); 70];
//! let pairs: Vec<(u32, u32)> = (0..50).map(|i| (i, i)).collect();
//! let input = FlowInput {
//!     terms: FlowTerms {
//!         corridor: Corridor::try_new(Origin("TN".parse()?), Destination("IT".parse()?))?,
//!         period: Period { first: "2023-01-01".parse()?, last: "2023-12-31".parse()? },
//!     },
//!     origin: &emigrations,
//!     destination: &immigrations,
//!     pairs: &pairs,
//! };
//! let bands = AgeBands::try_from(vec![0, 15])?;
//! let table = protect(FlowTable::reconcile(&input)?, &DisclosureRule { minimum_count: 10 }, &bands);
//! let all = &table.as_published().rows[0];
//! let counts = all.counts.unwrap();
//! assert_eq!((counts.emigrations, counts.immigrations, counts.matched), (80, 70, 50));
//! assert_eq!(all.estimate.unwrap().point.round(), 112.0); // 81·71/51 − 1
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Units
//! Counts are moves, not persons. Coverage is a share in [0, 1].
//!
//! # References
//! Chapman 1951, Seber 1970 (estimate, variance); Chao 1987 (interval).
#![warn(clippy::as_conversions)]

mod codec;
mod disclosure;
mod dual_system;
mod duration;
mod estimate;
mod interval;
mod number;
mod published;
mod reconcile;
mod table;

pub use codec::CodecError;
pub use disclosure::{Disclosable, protect};
pub use dual_system::{
    AssociationTest, Bootstrap, ChiSquared, CompletedCells, Consistency, Convergence, CorrectedEstimate,
    Dependence, DependenceRow, DualCounts, DualSystemError, Estimator, IncompleteCells, IncompleteEstimate,
    IncompleteSensitivity, LinkageErrorRates, LinkageErrors, LinkedCounts, LinkedStratum, LoglinearTerms,
    ODDS_RATIOS, OddsRatio, PersonOutcome, PooledStratum, PoolingRule, PopulationEstimate, RecaptureMatrix,
    StratifiedEstimate, Stratum, ThinStratum, TrimmedEstimate, Trimming, bootstrap_over_persons,
    parametric_bootstrap, stratified_chapman, stratified_corrected, to_count, trimmed,
};
pub use duration::{
    ConvertedCount, DurationConversion, DurationError, EXPERT_WILLEKENS_2019, ExponentialRate, IMEM_2013,
    KaplanMeier, MIXTURE_WILLEKENS_2019, POISSON_WILLEKENS_2019, Stay, Stays, SurvivalStep,
};
pub use estimate::Estimate;
pub use interval::{Confidence, ConfidenceError, Interval};
pub use published::{ALL, FlowCounts, FlowRow, PublishedTable, SUPPRESSED, YearRow};
pub use reconcile::{FlowError, FlowTerms};
pub use table::{FlowInput, FlowTable};
