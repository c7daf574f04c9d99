//! What a run will take, before it is made.

use corridor_core::{
    Clock, EncodedDataset, EncodingTerms, LinkageTerms, Stop, Stopwatch, Threshold, ThresholdPolicy,
};
use corridor_link::{
    Blocks, CANDIDATES_FOR_FIELDS, CANDIDATES_PER_RECORD, CandidateForecast, ComparePlan, Comparison,
    Expected, LinkSide, LinkSizes, LshTables, Pace, Tile,
};
use serde::{Deserialize, Serialize};

use crate::EngineError;
use crate::limits::{Refusal, RunLimits};
use crate::memory::{MemoryPart, RunSizes};
use crate::pipeline::{plan_comparison, tiles_of};
use crate::refusal;
use crate::round::{down, nearest, to_two_digits, up};

/// What a run will compare, find and need, to the last digit: for the service, which decides by it. What is told of it is a
/// [`PublicPlan`].
///
/// A pure function of the datasets, the terms, the limits and the number of threads, but for the time, which is measured.
#[derive(Debug, Clone)]
pub struct RunPlan {
    pub(crate) limits: RunLimits,
    pub(crate) sizes: RunSizes,
    pub(crate) block_passes: Vec<String>,
    pub(crate) pairs: u64,
    pub(crate) tiles: u64,
    pub(crate) policy: ThresholdPolicy,
    candidates_per_record: f64,
    pub(crate) forecast: CandidateForecast,
    pub(crate) candidates: Expected,
    pub(crate) time: Option<PlannedTime>,
    kernel: &'static str,
}

/// Seconds a run will take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct PlannedTime {
    /// Comparing, which grows with the pairs.
    pub(crate) comparing: f64,
    /// Everything else.
    pub(crate) other: f64,
}

impl PlannedTime {
    pub(crate) fn in_all(&self) -> f64 {
        self.comparing + self.other
    }
}

/// Two datasets, and the bytes of the files they are read from; 0 where they are made in memory.
#[derive(Debug, Clone, Copy)]
pub struct PlannedDatasets<'a> {
    /// The origin's.
    pub origin: &'a EncodedDataset,
    /// The destination's.
    pub destination: &'a EncodedDataset,
    /// Bytes of the file of each.
    pub file_bytes: [u64; 2],
}

/// What a run will take, as it is told to the offices.
///
/// A plan must not say more of the other office's register than a run does. So every figure has two significant digits, and of
/// candidates nothing is told below three per record, or eight where fields decide: fewer are a hint at how many people the registers have in common,
/// which nobody learns before both offices released it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicPlan {
    /// Records of the origin.
    pub origin_records: u64,
    /// Persons they are of.
    pub origin_persons: u64,
    /// Records of the destination.
    pub destination_records: u64,
    /// Persons they are of.
    pub destination_persons: u64,
    /// Passes of block keys in which records are compared, and keys of bits; none where all pairs are.
    pub block_passes: Vec<String>,
    /// Pairs to compare; one that meets in several passes counts in each.
    pub pairs: u64,
    /// One less the share of all pairs that are compared, to three decimals.
    pub reduction_ratio: f64,
    /// `estimated` or `fixed`.
    pub threshold_policy: String,
    /// The threshold or, where it will be estimated, the level that is looked down to, to two decimals.
    pub level: Threshold,
    /// Candidate pairs expected at that level or, where they are few, no more than these.
    pub candidates: u64,
    /// 99 % interval, lower end; 0 where they are few.
    pub candidates_low: u64,
    /// Upper end.
    pub candidates_high: u64,
    /// Whether they are at most three per record, or eight where fields decide, and so not told.
    pub candidates_few: bool,
    /// Pieces of work.
    pub tiles: u64,
    /// Bytes of memory at most.
    pub memory_bytes: u64,
    /// Its parts at the step that takes most, the largest first.
    pub memory: Vec<MemoryPart>,
    /// Seconds on this machine as busy as it is now, from comparing some of the very filters; `None` where that was not tried.
    pub seconds: Option<f64>,
    /// Threads that compare.
    pub threads: u64,
    /// The kernel that compares.
    pub kernel: String,
    /// Why the run would not be taken; empty when it would.
    pub refusals: Vec<Refusal>,
}

/// Seconds pairs are compared for to see how fast that is.
const CALIBRATION_S: f64 = 0.5;
/// Seconds it takes to store a tile, about: the disk is waited for. Comparing goes on meanwhile.
const STORING_S: f64 = 0.006;
/// Seconds a candidate takes from its tile to a link, about.
const DECIDING_S: f64 = 1.5e-6;
/// Seconds to read and check a byte of a dataset, about.
const READING_S: f64 = 2e-9;
/// Pairs compared to learn how alike different people of each side are, for each of its records at most.
const LEARNING_ROWS: u64 = 6000;

impl RunPlan {
    /// The kernel that compares.
    pub(crate) const fn kernel(&self) -> &'static str {
        self.kernel
    }

    /// Plans the run of two datasets. With a clock, some of the filters are compared for about half a second to see how long the
    /// run will take. Runs on the current rayon pool.
    ///
    /// # Errors
    /// When a side is empty, the filters do not fit, the records cannot be told apart, or `stop` is set.
    pub fn new(
        datasets: PlannedDatasets<'_>,
        terms: &LinkageTerms,
        encoding: &EncodingTerms,
        limits: RunLimits,
        clock: Option<&dyn Clock>,
        stop: &Stop,
    ) -> Result<Self, EngineError> {
        let (origin, destination) = (datasets.origin, datasets.destination);
        let measure = origin.manifest.measure;
        if measure != destination.manifest.measure {
            return Err(EngineError::MeasureMismatch);
        }
        let (left, right) = (
            LinkSide::try_new(origin)?.stopped_by(stop),
            LinkSide::try_new(destination)?,
        );
        let blocks = Blocks::of(origin, destination);
        // Where fields decide, whole filters only choose candidates, whatever the threshold.
        let fields = encoding.bits_per_field().map(|_| encoding.match_fields.len());
        let (policy, candidates_per_record) = match fields {
            Some(_) => (ThresholdPolicy::Estimated, CANDIDATES_FOR_FIELDS),
            None => (terms.threshold, CANDIDATES_PER_RECORD),
        };
        let watch = clock.map(Stopwatch::start);
        let compare_plan = terms
            .lsh_recall
            .map(|_| plan_comparison((&left, &right), (origin, destination), terms, encoding))
            .transpose()?;
        let tables = compare_plan.as_ref().and_then(ComparePlan::lsh);
        // Keys of bits find nearly all that comparing all pairs would.
        let forecast = CandidateForecast::new(
            &left,
            &right,
            measure,
            (policy, candidates_per_record),
            blocks.as_ref().filter(|_| tables.is_none()),
            terms.seed,
        )?;
        let sampling_s = watch.map_or(0.0, |watch| watch.elapsed_s());
        let level = forecast.level();
        let comparison = match (tables, &blocks) {
            (Some(tables), blocks) => {
                Comparison::of_neighbours(&left, &right, measure, level, tables, blocks.as_ref())
            }
            (None, Some(blocks)) => Comparison::in_blocks(&left, &right, measure, level, blocks),
            (None, None) => Comparison::new(&left, &right, measure, level),
        };
        let tiles = tiles_of(blocks.as_ref(), terms, (left.len(), right.len()));
        let records = [to_count(left.len()), to_count(right.len())];
        let link = LinkSizes {
            records,
            persons: [to_count(left.person_count()), to_count(right.person_count())],
            filter_bytes: to_count(origin.filters.filter_len().to_bytes()),
            estimates: matches!(policy, ThresholdPolicy::Estimated),
            assignment: terms.assignment,
            blocks: blocks.as_ref().map(Blocks::sizes),
            candidates: 0,
            candidates_in_memory: limits.candidates_in_memory,
            fields: fields.map(to_count),
            lsh_tables: to_count(tables.map_or(0, LshTables::table_count)),
            weighed: to_count(terms.value_frequencies.len()),
            threads: to_count(rayon::current_num_threads()),
        };
        let candidates = forecast.expected();
        let sizes = RunSizes {
            link,
            files: datasets.file_bytes,
            passes: [to_count(origin.blocks.len()), to_count(destination.blocks.len())],
            events: [origin.events.is_some(), destination.events.is_some()],
        };
        let pairs = comparison.pair_count();
        let mut plan = Self {
            limits,
            sizes,
            block_passes: blocks
                .iter()
                .flat_map(Blocks::passes)
                .map(ToOwned::to_owned)
                .chain(
                    terms
                        .lsh_recall
                        .map(|recall| format!("keys of bits for a recall of {recall}")),
                )
                .collect(),
            pairs,
            tiles: to_count(tiles.len()),
            policy,
            candidates_per_record,
            forecast,
            candidates,
            time: None,
            kernel: comparison.kernel_name(),
        };
        plan.sizes = plan.sizes.with_candidates(plan.most_candidates());
        if let Some(clock) = clock {
            plan.time = plan.planned_time(&comparison, &tiles, sampling_s, clock);
        }
        Ok(plan)
    }

    /// Why the run is not taken; empty when it is.
    pub fn refusals(&self) -> Vec<Refusal> {
        refusal::of_plan(self)
    }

    /// Why the run was given up when more candidates were found than it may have, which the plan did not expect.
    pub fn refusal_of_found(&self) -> Refusal {
        refusal::of_found_candidates(self)
    }

    /// Whether the run is taken.
    ///
    /// # Errors
    /// [`EngineError::RunRefused`] with the reasons when it is not.
    pub fn check(&self) -> Result<(), EngineError> {
        let refusals = self.refusals();
        if refusals.is_empty() {
            Ok(())
        } else {
            Err(EngineError::RunRefused { refusals })
        }
    }

    /// What of the plan is told.
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    pub fn to_public(&self) -> PublicPlan {
        let link = &self.sizes.link;
        let few = self.are_few();
        let all = link.records[0] as f64 * link.records[1] as f64;
        let memory: Vec<MemoryPart> = self
            .sizes
            .at_peak()
            .into_iter()
            .map(|part| MemoryPart {
                bytes: up(part.bytes),
                ..part
            })
            .collect();
        PublicPlan {
            origin_records: nearest(link.records[0]),
            origin_persons: nearest(link.persons[0]),
            destination_records: nearest(link.records[1]),
            destination_persons: nearest(link.persons[1]),
            block_passes: self.block_passes.clone(),
            pairs: nearest(self.pairs),
            reduction_ratio: (1000.0 * (1.0 - self.pairs as f64 / all).max(0.0)).round() / 1000.0,
            threshold_policy: match self.policy {
                ThresholdPolicy::Fixed(_) => "fixed",
                ThresholdPolicy::Estimated => "estimated",
            }
            .to_owned(),
            level: self.public_level(),
            candidates: self.told(self.candidates.point),
            candidates_low: if few {
                0
            } else {
                down(to_whole(self.candidates.low))
            },
            candidates_high: self.told(self.candidates.high),
            candidates_few: few,
            tiles: nearest(self.tiles),
            memory_bytes: up(self.sizes.peak()),
            memory,
            seconds: self.time.map(|time| to_two_digits(time.in_all())),
            threads: link.threads,
            kernel: self.kernel.to_owned(),
            refusals: self.refusals(),
        }
    }

    /// A given threshold is known to both; an estimate looks down to a level the registers decide.
    fn public_level(&self) -> Threshold {
        let level = self.forecast.level();
        match self.policy {
            ThresholdPolicy::Fixed(_) => level,
            ThresholdPolicy::Estimated => refusal::to_hundredths(level),
        }
    }

    /// Candidates of which no number is told: as many per record as are looked for anyway.
    pub(crate) fn untold_candidates(&self) -> u64 {
        let [left, right] = self.sizes.link.records;
        to_whole(self.candidates_per_record) * (left + right)
    }

    fn are_few(&self) -> bool {
        to_whole(self.candidates.point) <= self.untold_candidates()
    }

    /// A number of candidates as it may be told.
    pub(crate) fn told(&self, candidates: f64) -> u64 {
        up(to_whole(candidates).max(self.untold_candidates()))
    }

    /// Candidates memory is planned for: those the run may have, for it is stopped beyond them, and never fewer than those of
    /// which no number is told, so that the memory does not tell it.
    pub(crate) fn most_candidates(&self) -> u64 {
        to_whole(self.candidates.high)
            .min(self.limits.max_candidates)
            .max(self.untold_candidates())
    }

    #[expect(clippy::cast_precision_loss, reason = "an estimate for people to read")]
    fn planned_time(
        &self,
        comparison: &Comparison<'_>,
        tiles: &[Tile],
        sampling_s: f64,
        clock: &dyn Clock,
    ) -> Option<PlannedTime> {
        let link = &self.sizes.link;
        let pace = Pace::measure(comparison, tiles, clock, CALIBRATION_S);
        let comparing = pace.seconds_for(self.pairs)?;
        // What blocks and keys of bits cost is measured at the end of a run.
        let measuring = if comparison.is_of_some_pairs() {
            pace.seconds_for(comparison.pairs_to_measure_loss())?
        } else {
            0.0
        };
        let sampled = self.forecast.pairs_sampled().max(1) as f64;
        let learnt: u64 = link
            .records
            .iter()
            .map(|records| records * LEARNING_ROWS.min(*records))
            .sum();
        // The plan is made once more before the run, and the comparison looks at the same sample again.
        let learning = if link.estimates {
            sampling_s * (2.0 + learnt as f64 / sampled)
        } else {
            sampling_s
        };
        let reading = READING_S * (self.sizes.files[0] + self.sizes.files[1]) as f64;
        let storing = STORING_S * self.tiles as f64;
        let candidates = self.candidates.point.min(self.limits.max_candidates as f64);
        Some(PlannedTime {
            comparing,
            other: reading + learning + measuring + (storing - comparing).max(0.0) + DECIDING_S * candidates,
        })
    }
}

/// The whole number that is not below.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts are not negative, and a conversion stops at the largest number"
)]
pub(crate) fn to_whole(count: f64) -> u64 {
    count.ceil() as u64
}

fn to_count(len: usize) -> u64 {
    u64::try_from(len).expect("a length fits in 64 bits")
}

#[cfg(test)]
mod tests;
