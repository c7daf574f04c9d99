use corridor_core::{Assignment, Entropy, Measure, Recall, SeededEntropy, Side, Threshold, ThresholdPolicy};

use crate::LinkError;
use crate::assign::{assign_greedy, assign_mutual_best, assign_optimal, assign_to_nearest, count_ambiguous};
use crate::blocks::Blocks;
use crate::fields::FieldLinks;
use crate::link_counts::{LinkCountFit, LinkCounts};
use crate::lsh::LshTables;
use crate::null::{NullDistribution, bin_edge, bin_of};
use crate::pairs::{Above, Candidates, PersonPairs};
use crate::side::LinkSide;
use crate::strata::Looks;
use crate::threshold::{Found, Sizes, ThresholdEstimate, count_by_bin, estimate};

/// Two records kept as one person after assignment.
#[derive(Debug, Clone, Copy, PartialEq)]
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
#[derive(Debug, Clone)]
pub struct LinkSet {
    /// By similarity descending, then left record, then right record.
    pub links: Vec<Link>,
    /// How it was decided.
    pub decision: Decision,
    /// What each field said; `None` for whole filters.
    pub fields: Option<FieldLinks>,
    /// What single persons showed when the threshold was estimated.
    pub(crate) looks: Option<Looks>,
    pub(crate) counts: LinkCounts,
}

/// How links were decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The threshold.
    pub threshold: Threshold,
    /// What is expected of it, when it was estimated.
    pub estimate: Option<ThresholdEstimate>,
    /// Candidate pairs at or above the level looked down to.
    pub candidate_pairs: u64,
    /// Groups of connected pairs too large to be assigned optimally, and assigned greedily instead.
    pub greedy_components: u64,
    /// What the numbers of pairs of each person at or above the threshold say, before anybody is assigned: a look at quality that needs
    /// nothing else. `None` where there are too few.
    pub link_counts: Option<LinkCountFit>,
    /// Links whose best rival is less than [`AMBIGUITY_MARGIN`] behind, among candidate pairs: under a given threshold, a rival below it
    /// is not seen.
    pub ambiguous_links: u64,
}

/// A rival closer than this to a link makes it ambiguous.
pub const AMBIGUITY_MARGIN: f64 = 0.02;

/// Candidates kept per record, about: below, looking further down only finds more of chance.
pub const CANDIDATES_PER_RECORD: f64 = 3.0;
/// The same where fields decide: a match that is bad in one long field stands among more strangers.
pub const CANDIDATES_FOR_FIELDS: f64 = 8.0;

/// Pairs of different people for each record of the smaller side, from where on downwards links are no longer plausible.
const CHANCE_PER_RECORD: f64 = 1.0;

/// Strangers of each record, so few that who is more alike is hardly one of them.
const STRANGERS_PER_RECORD: f64 = 0.02;

#[expect(clippy::cast_precision_loss, reason = "counts of records")]
const fn to_f64(records: usize) -> f64 {
    records as f64
}

/// The level from which on different people are expected to make that many pairs.
fn plausible_level(null: &NullDistribution, left: usize, right: usize) -> Threshold {
    let share = CHANCE_PER_RECORD / to_f64(left.max(right));
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
    /// When the records of a side are so alike that every level holds more chance pairs than records, or the work is stopped.
    pub fn new(
        left: &LinkSide<'_>,
        right: &LinkSide<'_>,
        measure: Measure,
        policy: ThresholdPolicy,
        blocks: Option<&Blocks<'_>>,
        seed: u64,
    ) -> Result<Self, LinkError> {
        check_lengths(left, right)?;
        match policy {
            ThresholdPolicy::Fixed(threshold) => Ok(Self {
                floor: threshold,
                null: None,
                lsh: None,
            }),
            ThresholdPolicy::Estimated => {
                let mut entropy = SeededEntropy::new(seed, "null sample");
                Self::learn(
                    (left, right),
                    measure,
                    blocks,
                    CANDIDATES_PER_RECORD,
                    &mut entropy,
                )
            }
        }
    }

    /// The same where fields decide, whatever the threshold: it is not one of whole filters. These only choose candidates, and
    /// more of them.
    ///
    /// # Errors
    /// As [`ComparePlan::new`].
    pub fn for_fields(
        left: &LinkSide<'_>,
        right: &LinkSide<'_>,
        measure: Measure,
        blocks: Option<&Blocks<'_>>,
        seed: u64,
    ) -> Result<Self, LinkError> {
        check_lengths(left, right)?;
        let mut entropy = SeededEntropy::new(seed, "null sample");
        Self::learn(
            (left, right),
            measure,
            blocks,
            CANDIDATES_FOR_FIELDS,
            &mut entropy,
        )
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of records")]
    fn learn(
        (left, right): (&LinkSide<'_>, &LinkSide<'_>),
        measure: Measure,
        blocks: Option<&Blocks<'_>>,
        candidates_per_record: f64,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, LinkError> {
        let null = NullDistribution::sample(left, right, measure, entropy)?;
        let (left_len, right_len) = (left.len() as f64, right.len() as f64);
        let (between, pairs) = match blocks {
            None => {
                let between = NullDistribution::sample_between(left, right, measure, entropy)?;
                (between, left_len * right_len)
            }
            Some(blocks) => {
                let between = NullDistribution::sample_in_blocks(left, right, measure, blocks)?;
                (between, blocks.pair_count() as f64)
            }
        };
        let floor = floor_of(&between, candidates_per_record, left_len + right_len, pairs)?;
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

    /// From how alike on one stranger in fifty records of the larger register is expected to be, if different people are as alike between
    /// the registers as within each. `None` under a given threshold.
    pub fn few_strangers(&self, left: &LinkSide<'_>, right: &LinkSide<'_>) -> Option<f64> {
        let share = STRANGERS_PER_RECORD / to_f64(left.len().max(right.len()));
        let null = self.null.as_ref()?;
        Some(bin_edge(null.bin_with_tail(share)))
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

fn check_lengths(left: &LinkSide<'_>, right: &LinkSide<'_>) -> Result<(), LinkError> {
    let bits = |side: &LinkSide<'_>| side.matrix().words_per_filter() * 64;
    if bits(left) == bits(right) {
        return Ok(());
    }
    Err(LinkError::FilterLengthMismatch {
        left_bits: bits(left),
        right_bits: bits(right),
    })
}

/// How far down to look for so many records on both sides and so many pairs that are compared, from a sample of them.
///
/// # Errors
/// When every level holds more chance pairs than records.
pub(crate) fn floor_of(
    between: &NullDistribution,
    candidates_per_record: f64,
    records: f64,
    pairs: f64,
) -> Result<Threshold, LinkError> {
    let share = candidates_per_record * records / pairs.max(1.0);
    let bin = between.bin_with_tail(share).max(bin_of(0.0) + 1);
    if bin >= bin_of(1.0) {
        return Err(LinkError::RecordsIndistinguishable);
    }
    Ok(Threshold::try_floor(bin_edge(bin)).expect("a bin edge in (0, 1)"))
}

/// Decides links from all candidate pairs of a run: threshold, then one partner at most for each person, or as the assignment says.
/// The threshold is found on greedy links, whatever the assignment.
///
/// # Errors
/// When the threshold was to be estimated and the similarities do not tell matches from chance, candidates that were put aside cannot
/// be read again, or the work is stopped.
pub fn decide(
    plan: &ComparePlan,
    assignment: Assignment,
    candidates: Candidates<'_>,
) -> Result<LinkSet, LinkError> {
    let terms = Settling {
        sides: candidates.sides(),
        assignment,
        candidate_count: candidates.count(),
        most_held: candidates.memory.most,
    };
    terms.sides.0.stop().check()?;
    let (pairs, _) = candidates.into_pairs()?;
    let level = match &plan.null {
        Some(null) => Level::Learnt {
            null,
            floor_bin: bin_of(plan.floor.to_f64()),
        },
        None => Level::Given {
            threshold: plan.floor,
            cut: plan.floor.to_f64(),
        },
    };
    let settled = settle(&terms, &pairs, &level);
    pairs.check()?;
    settled
}

/// Where the level comes from at or above which pairs may be links.
pub(crate) enum Level<'n> {
    /// The agreement: `cut` is the similarity that `threshold` stands for.
    Given { threshold: Threshold, cut: f64 },
    /// The pairs, and how alike different people of one register are.
    Learnt {
        null: &'n NullDistribution,
        floor_bin: usize,
    },
}

/// Of what, and how, links are made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settling<'a> {
    pub(crate) sides: (&'a LinkSide<'a>, &'a LinkSide<'a>),
    pub(crate) assignment: Assignment,
    pub(crate) candidate_count: u64,
    /// Pairs held in memory, about, where they are needed together.
    pub(crate) most_held: usize,
}

/// Links from the pairs of persons of a run, without what fields said. Worth nothing if a walk over the pairs ended early.
pub(crate) fn settle(
    terms: &Settling<'_>,
    pairs: &dyn PersonPairs,
    level: &Level<'_>,
) -> Result<LinkSet, LinkError> {
    let ((left, right), assignment) = (terms.sides, terms.assignment);
    left.stop().check()?;
    let greedy = assign_greedy(pairs);
    left.stop().check()?;
    let (threshold, cut, estimate, calibration, looks) = match level {
        Level::Given { threshold, cut } => (*threshold, *cut, None, None, None),
        Level::Learnt { null, floor_bin } => {
            let sizes = Sizes {
                left_persons: left.person_count(),
                right_persons: right.person_count(),
                left_records: left.len(),
                right_records: right.len(),
            };
            let (estimate, calibration, looks) = estimate(&Found {
                links: &greedy,
                pairs,
                met: &count_by_bin(pairs),
                null,
                sizes,
                floor_bin: *floor_bin,
            })?;
            let threshold = estimate.threshold;
            let cut = threshold.to_f64();
            (threshold, cut, Some(estimate), Some(calibration), Some(looks))
        }
    };
    left.stop().check()?;
    let above = Above { pairs, cut };
    let counts = LinkCounts::of(&above, (left, right), assignment);
    left.stop().check()?;
    let mut greedy_components = 0;
    let assigned = match assignment {
        // The best come first, so that cutting after it is the same as cutting before.
        Assignment::Greedy => {
            let mut links = greedy;
            links.retain(|pair| pair.best.similarity >= cut);
            links
        }
        Assignment::MutualBest => assign_mutual_best(&above),
        Assignment::OneToMany => assign_to_nearest(&above, Side::Destination),
        Assignment::ManyToOne => assign_to_nearest(&above, Side::Origin),
        Assignment::Optimal => {
            let assigned = assign_optimal(&above, terms.most_held, left.stop())?;
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
    let decision = Decision {
        threshold,
        estimate,
        candidate_pairs: terms.candidate_count,
        greedy_components: to_count(greedy_components),
        link_counts: counts.fit(),
        ambiguous_links: to_count(count_ambiguous(&assigned, pairs, assignment, AMBIGUITY_MARGIN)),
    };
    Ok(LinkSet {
        links,
        decision,
        fields: None,
        looks,
        counts,
    })
}
