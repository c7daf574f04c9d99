//! From paired events to figures an office can publish. Pure functions on values.
//!
//! The events of two offices and which of them are the same move go into [`FlowTable::reconcile`], which puts
//! every move into a class: both offices agree, or why they do not. [`protect`] hides what must
//! not be seen and is the only way out: a [`Disclosable`] gives a [`PublishedTable`], with, per group, E, I, matched,
//! only-origin, only-destination and the classes, each list's coverage and Chapman's estimate with its interval;
//! [`PublishedTable::carry_linkage_error`] puts beside them what they are once linkage error is taken out, and
//! [`PublishedTable::draw`] makes pictures of what may be seen, as SVG.
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
//! Before any record moves, each office says what its figures mean ([`DefinitionManifest`]). Two manifests are held against each
//! other ([`DefinitionManifest::compare`]), and one against its register ([`RegisterCheck`]).
//!
//! ```
//! use corridor_core::*;
//! use corridor_flows::{FlowInput, FlowTable, FlowTerms, Measure, PerturbationSecret, protect};
//!
//! let counted = StayFlags { own: RuleFlag::Yes, ..StayFlags::default() };
//! let event = |direction| MigrationEvent {
//!     direction,
//!     counterpart: Counterpart::Partner,
//!     date: EventDate { date: "2023-05-01".parse().unwrap(), precision: DatePrecision::Day },
//!     sex: Sex::Female,
//!     age_band: Some(AgeBand(1)),
//!     facts: MoverFacts { stay: counted, ..MoverFacts::default() },
//! };
//! let emigrations = vec![event(Direction::Emigration); 80];
//! let immigrations = vec![event(Direction::Immigration); 70];
//! let pairs: Vec<(u32, u32)> = (0..50).map(|i| (i, i)).collect();
//! let terms = FlowTerms {
//!     corridor: Corridor::try_new(Origin("TN".parse()?), Destination("IT".parse()?))?,
//!     period: Period { first: "2023-01-01".parse()?, last: "2023-12-31".parse()? },
//!     age_bands: AgeBands::try_from(vec![0, 15])?,
//!     statistics: StatisticsTerms::default(),
//!     disclosure: DisclosureRule { minimum_count: 10, method: DisclosureMethod::Suppression },
//!     definitions: None,
//!     status: ReleaseStatus::Final,
//! };
//! let input = FlowInput {
//!     terms: &terms,
//!     origin: &emigrations,
//!     destination: &immigrations,
//!     pairs: &pairs,
//!     origin_record_keys: &[],
//!     destination_record_keys: &[],
//! };
//! let table = protect(FlowTable::reconcile(&input)?, &PerturbationSecret::new([0; 32]), &[])?;
//! let all = &table.as_published().rows[0];
//! let shown = [Measure::Emigrations, Measure::Immigrations, Measure::Matched].map(|m| all.counts.get(m));
//! assert_eq!(shown, [Some(80), Some(70), Some(50)]);
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
//! [`MirrorError`], [`ConfidenceError`]; a manifest that contradicts itself with the path of the key: [`ManifestError`]. No estimate is ever NaN.
//!
//! # References
//! Chapman 1951, Seber 1970 (estimate, variance); Bailey 1951; Chao 1987 (interval); Robson and Regier 1964 (thin
//! strata); Seber 1982 (consistency tests); Ding and Fienberg 1994, Di Consiglio and Tuoto 2015, de Wolf, van der Laan
//! and Zult 2019 (linkage error); Buckland and Garthwaite 1991 (bootstrap); Zhang and Dunne 2017 (trimming); van der
//! Heijden, Smith, Cruyff and Bakker 2018 (covariates of one list, dependence); Kaplan and Meier 1958; Forsythe, Malcolm
//! and Moler 1977 (spline); Katz et al. 1978 (ratios); Raymer, Wiśniowski, Forster, Smith and Bijak 2013 (undercount, durations);
//! Willekens 2019 (durations); Dańko 2022 (rules of registration).
#![warn(clippy::as_conversions)]

mod carried;
mod classes;
mod codec;
mod disclosure;
mod dual_system;
mod duration;
mod estimate;
mod export;
mod interval;
mod length_of_stay;
pub mod linear;
mod manifest;
mod mirror;
mod noise;
mod number;
pub mod perturb;
mod picture;
mod provenance;
mod published;
mod reconcile;
mod stratified;
mod table;
mod terms;
mod untold;

pub use carried::{CarriedError, CorrectedClasses, KnownQuality, LinkQuality, NotCorrected};
pub use classes::Measure;
pub use codec::CodecError;
pub use disclosure::{Disclosable, DisclosureError, check_released, check_size, protect};
pub use dual_system::{
    AssociationTest, Bootstrap, ChiSquared, CompletedCells, Consistency, Convergence, CorrectedEstimate,
    Dependence, DependenceRow, DualCounts, DualSystemError, Estimator, IncompleteCells, IncompleteEstimate,
    IncompleteSensitivity, LinkPass, LinkageErrorRates, LinkageErrors, LinkedCounts, LinkedStratum,
    LoglinearTerms, ODDS_RATIOS, OddsRatio, PassedLinks, PersonOutcome, PooledStratum, PoolingRule,
    PopulationEstimate, RecaptureMatrix, StratifiedEstimate, Stratum, ThinStratum, TrimmedEstimate, Trimming,
    bootstrap_over_persons, links_of_passes, parametric_bootstrap, stratified_bootstrap, stratified_chapman,
    stratified_corrected, to_count, trimmed,
};
pub use duration::{
    ConvertedCount, DurationConversion, DurationError, EXPERT_WILLEKENS_2019, ExponentialRate, IMEM_2013,
    KaplanMeier, MIXTURE_WILLEKENS_2019, POISSON_WILLEKENS_2019, Stay, Stays, SurvivalStep,
};
pub use estimate::Estimate;
pub use export::{CodingError, Export, SDMX_STRUCTURE};
pub use interval::{Confidence, ConfidenceError, Interval};
pub use length_of_stay::{LengthOfStay, StayFactor, StaySource};
pub use manifest::{
    AgeDefinition, AgeRule, AlikeRemark, Answer, BirthDates, BirthKnowledge, Cleaning, Coverage, DateBasis,
    DateRule, DefinitionDifference, DefinitionManifest, DescribedOffice, DifferenceKind, DurationBasis,
    DurationRule, Finding, FindingKind, FlowDefinition, FormerStates, Identification, Indicative,
    MANIFEST_VERSION, ManifestComparison, ManifestError, ManifestTemplate, MinimumStay, Months, MonthsError,
    NameScript, ObservedMove, OverCoverage, PartTreatment, PartnerBasis, PartnerRule, PersonKey,
    Perturbation, Population, PopulationBase, Published, Quantity, ReasonCode, Reference, RegisterCheck,
    RegistrationRule, RepeatedMoves, SeenBefore, SeriesBreak, Severity, Source, SourceKind, Stated,
    StatedPrecision, Strength, Tendency, Territory, Text, TextError, Treatment, Undercount, UnknownPartner,
    manifest_template,
};
pub use mirror::{
    AdjustmentFactors, BilateralRatio, Counted, Disagreement, FactorComponent, FactorPin, MirrorCell,
    MirrorError, MirrorTable, NoRatio, OfficeFactor, OfficeRatio, ReportBasis, Reported, ReportedFlow,
    Totals, Weighting, bilateral_ratio,
};
pub use perturb::PerturbationSecret;
pub use picture::{Language, NoPicture, Picture, PictureKind, PictureSource, PictureSubject};
pub use provenance::{DEFINITIONS, Provenance};
pub use published::{
    ALL, EstimateRemark, FlowCounts, FlowRow, Group, LagRow, LeftOutRow, PublishedTable, RECONCILIATION,
    SUPPRESSED, StayRow,
};
pub use reconcile::{FlowError, LeftOut, check_lists};
pub use stratified::{NotStratified, StratifiedRow};
pub use table::{FlowInput, FlowTable};
pub use terms::FlowTerms;
pub use untold::UntoldVariable;
