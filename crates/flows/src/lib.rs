//! From paired events to figures an office can publish. Pure functions on values.
//!
//! The events of two offices and which of them are the same move go into [`FlowTable::reconcile`], which places
//! every move in both lists or in one, and says why the yearly counts differ. [`protect`] suppresses what must
//! not be seen and is the only way out: a [`Disclosable`] gives a [`PublishedTable`], with, per group, E, I, matched,
//! only-origin, only-destination, each list's coverage and Chapman's estimate with its interval.
//!
//! Three things can be had without any linkage of ours, from counts alone:
//! - **How many moves there were**, from two lists ([`DualCounts`]), in strata ([`stratified_chapman`]), where linkage
//!   errs at known rates ([`LinkedCounts`]), where one list holds false records ([`trimmed`]), and where each list has
//!   a covariate that the other has not ([`IncompleteCells`]). Every estimate comes with its variance, with intervals
//!   that never reach below what was seen, with bootstraps from a seed, and with what it would be if being in one list
//!   made being in the other likelier or less likely: that, the data never say.
//! - **Counts under another minimum stay** ([`DurationConversion`]), from linked stays ([`Stays`]) or published tables.
//! - **What each office misses**, from a double-entry table ([`MirrorTable`]).
//!
//! Disclosure control for any table of sums is in [`linear`] (suppression) and [`perturb`] (rounding, cell keys).
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
//! Linkage that misses a twentieth of the matches and links one in fifty of the others falsely:
//!
//! ```
//! use corridor_flows::{Confidence, LinkageErrorRates, LinkageErrors, LinkedCounts};
//!
//! let errors = LinkageErrors::try_from(LinkageErrorRates {
//!     alpha: 0.95,
//!     beta: 0.02,
//!     var_alpha: 0.0,
//!     var_beta: 0.0,
//! })?;
//! let corrected = LinkedCounts::try_new(8000, 6000, 4584, errors)?.corrected(Confidence::default());
//! assert_eq!(corrected.naive.round(), 10471.0);
//! assert_eq!(corrected.estimate.point.round(), 10000.0);
//! assert_eq!(corrected.estimate.standard_error.round(), 54.0);
//! # Ok::<(), corridor_flows::DualSystemError>(())
//! ```
//!
//! # Units
//! Counts are moves, not persons. Coverage is a share in [0, 1]. A minimum stay is in months, a rate λ is per year.
//!
//! # Errors
//! Numbers from which nothing can be estimated are refused by name: [`DualSystemError`], [`DurationError`],
//! [`MirrorError`], [`ConfidenceError`]. No estimate is ever NaN.
//!
//! # References
//! Chapman 1951, Seber 1970 (estimate, variance); Bailey 1951; Chao 1987 (interval); Robson and Regier 1964 (thin
//! strata); Seber 1982 (consistency tests); Ding and Fienberg 1994, Di Consiglio and Tuoto 2015, de Wolf, van der Laan
//! and Zult 2019 (linkage error); Buckland and Garthwaite 1991 (bootstrap); Zhang and Dunne 2017 (trimming); van der
//! Heijden, Smith, Cruyff and Bakker 2018 (covariates of one list, dependence); Kaplan and Meier 1958; Forsythe, Malcolm
//! and Moler 1977 (spline); Katz et al. 1978 (ratios).
#![warn(clippy::as_conversions)]

mod carried;
mod codec;
mod disclosure;
mod dual_system;
mod duration;
mod estimate;
mod interval;
pub mod linear;
mod mirror;
mod number;
pub mod perturb;
mod published;
mod reconcile;
mod table;

pub use carried::{CarriedError, LinkQuality, carry_linkage_error};
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
pub use mirror::{
    AdjustmentFactors, BilateralRatio, Counted, Disagreement, FactorComponent, FactorPin, MirrorCell,
    MirrorError, MirrorTable, OfficeFactor, OfficeRatio, Reported, ReportedFlow, Totals, Weighting,
    bilateral_ratio,
};
pub use published::{ALL, FlowCounts, FlowRow, PublishedTable, SUPPRESSED, YearRow};
pub use reconcile::{FlowError, FlowTerms};
pub use table::{FlowInput, FlowTable};
