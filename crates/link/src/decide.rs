use corridor_core::{Assignment, Entropy, Measure, Recall, SeededEntropy, Threshold, ThresholdPolicy};
use serde::Serialize;

use crate::LinkError;
use crate::assign::{assign_greedy, assign_mutual_best, assign_optimal, count_ambiguous, to_person_pairs};
use crate::blocks::Blocks;
use crate::lsh::LshTables;
use crate::null::{NullDistribution, bin_edge, bin_of};
use crate::side::LinkSide;
use crate::threshold::{Found, Sizes, ThresholdEstimate, estimate};
use crate::tile::CandidatePair;

/// Two records kept as one person after assignment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Link {
    /// Record on the left (the one most alike, where the person has several).
    pub left: u32,
    /// Record on the right.
    pub right: u32,
    /// Similarity.
    pub similarity: f64,
    /// Probability that the link is true, from the similarities of the run; `None` under a given threshold.
    pub probability: Option<f64>,
}

/// The links of a run and what is known of their quality without truth.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LinkSet {
    /// By similarity descending, then left record, then right record.
    pub links: Vec<Link>,
    /// How it was decided.
    pub decision: Decision,
}

/// How links were decided.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Decision {
    /// The threshold.
    pub threshold: Threshold,
    /// What is expected of it, when it was estimated.
    pub estimate: Option<ThresholdEstimate>,
    /// Candidate pairs at or above the level looked down to.
    pub candidate_pairs: u64,
    /// Groups of connected pairs too large to be assigned optimally, and assigned greedily instead.
    pub greedy_components: u64,
    /// Links whose best rival is less than [`AMBIGUITY_MARGIN`] behind.
    pub ambiguous_links: u64,
}

/// A rival closer than this to a link makes it ambiguous.
pub const AMBIGUITY_MARGIN: f64 = 0.02;

/// Candidates kept per record, about: below, looking further down only finds more of chance.
const CANDIDATES_PER_RECORD: f64 = 3.0;

/// Pairs of different people for each record of the smaller side, from where on downwards links are no longer plausible.
const CHANCE_PER_RECORD: f64 = 1.0;

/// The level from which on different people are expected to make that many pairs.
#[expect(clippy::cast_precision_loss, reason = "counts of records")]
fn plausible_level(null: &NullDistribution, left: usize, right: usize) -> Threshold {
    let share = CHANCE_PER_RECORD / left.max(right) as f64;
    let bin = null.bin_with_tail(share).max(bin_of(0.0) + 1);
    Threshold::try_floor(bin_edge(bin)).expect("a bin edge in (0, 1]")
}

/// What a run settles before it compares the two sides: how far down to look, and what chance looks like.
#[derive(Debug, Clone)]
pub struct ComparePlan {
    floor: Threshold,
    null: Option<NullDistribution>,
    lsh: Option<LshTables>,
}

impl ComparePlan {
    /// Looks at each side alone, and at a sample of the pairs that will be compared: all, or those in `blocks`. With a given
    /// threshold there is nothing to learn: the floor is the threshold. Runs on the current rayon pool; the same for the same `seed`, whatever its size.
    ///
    /// # Errors
    /// When the records of a side are so alike that every level holds more chance pairs than records.
    pub fn new(
        left: &LinkSide<'_>,
        right: &LinkSide<'_>,
        measure: Measure,
        policy: ThresholdPolicy,
        blocks: Option<&Blocks<'_>>,
        seed: u64,
    ) -> Result<Self, LinkError> {
        if left.matrix().words_per_filter() != right.matrix().words_per_filter() {
            return Err(LinkError::FilterLengthMismatch {
                left_bits: left.matrix().words_per_filter() * 64,
                right_bits: right.matrix().words_per_filter() * 64,
            });
        }
        match policy {
            ThresholdPolicy::Fixed(threshold) => Ok(Self {
                floor: threshold,
                null: None,
                lsh: None,
            }),
            ThresholdPolicy::Estimated => {
                let mut entropy = SeededEntropy::new(seed, "null sample");
                Self::learn(left, right, measure, blocks, &mut entropy)
            }
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of records")]
    fn learn(
        left: &LinkSide<'_>,
        right: &LinkSide<'_>,
        measure: Measure,
        blocks: Option<&Blocks<'_>>,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, LinkError> {
        let null = NullDistribution::sample(left, right, measure, entropy);
        let (left_len, right_len) = (left.len() as f64, right.len() as f64);
        let (between, pairs) = match blocks {
            None => {
                let between = NullDistribution::sample_between(left, right, measure, entropy);
                (between, left_len * right_len)
            }
            Some(blocks) => {
                let between = NullDistribution::sample_in_blocks(left, right, measure, blocks);
                (between, blocks.pair_count() as f64)
            }
        };
        let share = CANDIDATES_PER_RECORD * (left_len + right_len) / pairs.max(1.0);
        let bin = between.bin_with_tail(share).max(bin_of(0.0) + 1);
        if bin >= bin_of(1.0) {
            return Err(LinkError::RecordsIndistinguishable);
        }
        let floor = Threshold::try_floor(bin_edge(bin)).expect("a bin edge in (0, 1)");
        Ok(Self {
            floor,
            null: Some(null),
            lsh: None,
        })
    }

    /// The same plan, with keys of bits that find this share of the pairs at the threshold, or more. Runs on the current rayon
    /// pool; the same for the same `seed`, whatever its size.
    ///
    /// The threshold the keys are for is the given one. Where it is still to be estimated, it is the level from which on
    /// different people are expected to make no more pairs than the smaller side has records, times
    /// `CHANCE_PER_RECORD`, if they are as alike between the two registers as within each
    /// ([`NullDistribution`]): further down a pair is more likely chance than not, and no threshold will be found there.
    ///
    /// # Errors
    /// When the measure is ρ: see [`LshTables::derive`].
    pub fn with_lsh(
        mut self,
        left: &LinkSide<'_>,
        right: &LinkSide<'_>,
        measure: Measure,
        recall: Recall,
        seed: u64,
    ) -> Result<Self, LinkError> {
        let threshold = self.null.as_ref().map_or(self.floor, |null| {
            plausible_level(null, left.len(), right.len()).max(self.floor)
        });
        self.lsh = Some(LshTables::derive(
            left,
            right,
            measure,
            (threshold, recall),
            seed,
        )?);
        Ok(self)
    }

    /// The keys of bits, where they were asked for.
    pub const fn lsh(&self) -> Option<&LshTables> {
        self.lsh.as_ref()
    }

    /// Candidate pairs are those with at least this similarity.
    pub const fn floor(&self) -> Threshold {
        self.floor
    }
}

/// Decides links from all candidate pairs of a run: threshold, then one partner at most for each person. The threshold is
/// found on greedy links, whatever the assignment.
///
/// # Errors
/// When the threshold was to be estimated and the similarities do not tell matches from chance.
pub fn decide(
    left: &LinkSide<'_>,
    right: &LinkSide<'_>,
    plan: &ComparePlan,
    assignment: Assignment,
    candidates: &[CandidatePair],
) -> Result<LinkSet, LinkError> {
    let pairs = to_person_pairs(candidates, left, right);
    let greedy = assign_greedy(&pairs);
    let sizes = Sizes {
        left_persons: left.person_count(),
        right_persons: right.person_count(),
        left_records: left.len(),
        right_records: right.len(),
    };
    let estimated = plan
        .null
        .as_ref()
        .map(|null| {
            estimate(&Found {
                links: &greedy,
                pairs: &pairs,
                null,
                sizes,
                floor_bin: bin_of(plan.floor.to_f64()),
            })
        })
        .transpose()?;
    let (estimate, calibration) = estimated.unzip();
    let threshold = estimate
        .as_ref()
        .map_or(plan.floor, |estimate| estimate.threshold);
    let above = pairs.partition_point(|pair| pair.best.similarity >= threshold.to_f64());
    let mut greedy_components = 0;
    let assigned = match assignment {
        // The best come first, so that cutting after it is the same as cutting before.
        Assignment::Greedy => {
            let mut links = greedy;
            links.retain(|pair| pair.best.similarity >= threshold.to_f64());
            links
        }
        Assignment::MutualBest => assign_mutual_best(&pairs[..above]),
        Assignment::Optimal => {
            let assigned = assign_optimal(&pairs[..above]);
            greedy_components = assigned.greedy_components;
            assigned.links
        }
    };
    let links = assigned
        .iter()
        .map(|pair| Link {
            left: pair.best.left,
            right: pair.best.right,
            similarity: pair.best.similarity,
            probability: calibration
                .as_ref()
                .map(|calibration| calibration.probability(pair.best.similarity)),
        })
        .collect();
    let to_count = |len: usize| u64::try_from(len).expect("a length fits in 64 bits");
    Ok(LinkSet {
        links,
        decision: Decision {
            threshold,
            estimate,
            candidate_pairs: to_count(candidates.len()),
            greedy_components: to_count(greedy_components),
            ambiguous_links: to_count(count_ambiguous(&assigned, &pairs, AMBIGUITY_MARGIN)),
        },
    })
}
