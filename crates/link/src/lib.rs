//! Filters to candidate pairs, to links, to paired events; and how good they are, with truth and without.
//!
//! Two [`LinkSide`]s go in. A [`ComparePlan`] looks at each side alone to learn how alike different people are
//! and how far down to look; [`plan_tiles`] cuts the comparison into work that can be done anywhere and
//! again ([`Comparison`]), of all pairs or of those that share a block ([`Blocks`]) or a key of bits drawn from their filters
//! ([`LshTables`]), whose loss is measured ([`BlockingLoss`]); [`Candidates`] are put in order, on disk where they are more than memory
//! is to hold; [`decide`] turns them into a [`LinkSet`], with a threshold that no truth was needed for, or, where filters are kept field by field, [`decide_by_fields`] does, by the evidence
//! of each field; [`pair_events`] finds which moves of linked persons are the same. [`LinkageQuality`]
//! compares links with a truth, where there is one.
//!
//! Everything is a pure function of its arguments: thread count, machine and order of tiles change nothing.
//! Nothing here sees a name or a key.
//!
//! ```
//! use corridor_core::{Assignment, FilterLen, Filters, Measure, Pseudonym, ThresholdPolicy};
//! use corridor_link::{CandidateMemory, Candidates, ComparePlan, Comparison, LinkSide, decide, plan_tiles};
//!
//! let side = |words: &[u64]| {
//!     let mut filters = Filters::with_capacity(FilterLen::try_from(64).unwrap(), words.len());
//!     words.iter().for_each(|word| filters.push(&[*word]));
//!     let persons: Vec<_> = (0..words.len() as u8).map(|i| Pseudonym::from_bytes([i; 16])).collect();
//!     (filters, persons)
//! };
//! let (left_filters, left_persons) = side(&[0x00ff, 0xff00]);
//! let (right_filters, right_persons) = side(&[0xff01, 0x01ff]);
//! let left = LinkSide::from_parts(&left_filters, &left_persons)?;
//! let right = LinkSide::from_parts(&right_filters, &right_persons)?;
//!
//! let policy = ThresholdPolicy::Fixed("0.9".parse().unwrap());
//! let plan = ComparePlan::new(&left, &right, Measure::Dice, policy, None, 1)?;
//! let comparison = Comparison::new(&left, &right, Measure::Dice, plan.floor());
//! let mut candidates = Candidates::new(&left, &right, &CandidateMemory::unbounded(), 0);
//! for tile in plan_tiles(left.len(), right.len()) {
//!     candidates.add(comparison.compare(&tile))?;
//! }
//! let links = decide(&plan, Assignment::Greedy, candidates)?.links;
//! let pairs: Vec<_> = links.iter().map(|link| (link.left, link.right)).collect();
//! assert_eq!(pairs, [(0, 1), (1, 0)]);
//! # Ok::<(), corridor_link::LinkError>(())
//! ```
//!
//! # Units and shapes
//! Records are named by their position in their dataset, from 0. Left is the office of the origin.
//!
//! # References
//! Fellegi & Sunter 1969 (evidence of fields); Schnell, Bachteler & Reiher 2009 (Bloom-filter linkage); Blakely & Salmond 2002
//! (link counts); Kuhn 1955 (assignment); Indyk & Motwani 1998 and Karapiperis & Verykios 2015 (keys of bits); Bloom 1970
//! (semi-join).

mod assign;
mod blocking_loss;
mod blocks;
mod budget;
mod by_person;
mod decide;
#[cfg(test)]
mod disk_tests;
mod events;
mod fields;
mod forecast;
mod hungarian;
mod link_counts;
mod lsh;
mod lsh_choice;
mod lsh_index;
#[cfg(test)]
mod lsh_tests;
mod memory;
mod missed;
mod null;
mod pairs;
mod quality;
mod rivals;
mod semi_join;
mod side;
mod sorter;
mod strata;
mod surplus;
mod threshold;
mod tile;
mod within;

pub use blocking_loss::{BlockingLoss, LEAST_PARTNERS, PartnerLevel};
pub use blocks::{BlockJoin, Blocks};
pub use budget::CandidateBudget;
pub use decide::{
    AMBIGUITY_MARGIN, CANDIDATES_FOR_FIELDS, CANDIDATES_PER_RECORD, ComparePlan, Decision, Link, LinkSet,
    decide,
};
pub use events::{EventPair, pair_events};
pub use fields::{
    FieldEvidence, FieldLinks, FieldModel, FieldParts, FieldReport, FieldTerms, LEVELS, LevelReport,
    decide_by_fields,
};
pub use forecast::{CandidateForecast, Expected, Pace};
pub use link_counts::LinkCountFit;
pub use lsh::LshTables;
pub use memory::{BlockSizes, LinkSizes};
pub use null::NullDistribution;
pub use pairs::Candidates;
pub use quality::LinkageQuality;
pub use side::{LinkSide, is_constant};
pub use sorter::CandidateMemory;
pub use strata::ExpectedQuality;
pub use threshold::{AGREEMENT, Estimator, ThresholdEstimate};
pub use tile::{CandidatePair, Comparison, Tile, plan_neighbour_tiles, plan_tiles};
pub use within::Within;

/// Why two sides cannot be linked.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// Nothing to compare.
    #[error("a side has no records")]
    EmptySide,
    /// Filters of two lengths.
    #[error("the left filters have {left_bits} bits and the right ones {right_bits}")]
    FilterLengthMismatch {
        /// Bits on the left.
        left_bits: usize,
        /// Bits on the right.
        right_bits: usize,
    },
    /// Keys of bits for filters whose bits do not tell who is alike.
    #[error(
        "keys of bits were asked for (lsh_recall), but the filters are majorities, whose bits do not tell who is alike; \
         leave it out and let the encoding schema name blocking passes"
    )]
    LshNeedsBloomFilters,
    /// Filters no kernel compares.
    #[error(transparent)]
    Matrix(#[from] corridor_kernel::FilterMatrixError),
    /// The disk, where more candidates were found than memory is to hold.
    #[error(
        "candidate pairs beyond those that memory is to hold could not be put aside on disk, or not be read again"
    )]
    Scratch(#[from] std::io::Error),
    /// Too many records look the same.
    #[error("the records of a side are so alike that they cannot be told apart")]
    RecordsIndistinguishable,
    /// Fields that do not tell matches from others.
    #[error("the fields do not tell matches from other pairs, so no evidence can be learnt from them")]
    FieldsIndeterminate,
    /// The work is no longer wanted.
    #[error(transparent)]
    Stopped(#[from] corridor_core::Stopped),
    /// Matches cannot be told from chance.
    #[error("the similarities do not tell matches from chance, so no threshold can be estimated")]
    ThresholdIndeterminate,
}
