//! Why a run is not taken, in words, and what would help. A proposal is made only where the plan says that it helps.

use corridor_core::{Threshold, ThresholdPolicy};
use corridor_link::CandidateMemory;

use crate::limits::{Refusal, RunLimit, RunLimits, SetBy};
use crate::plan::{RunPlan, to_whole};
use crate::round::{bytes_in_words, count_in_words, seconds_in_words, to_two_digits, up};

/// Bytes of a filter of 1,024 bits.
const SHORT_FILTER: u64 = 128;

/// The limits a plan passes, each with its reason.
pub(crate) fn of_plan(plan: &RunPlan) -> Vec<Refusal> {
    [of_candidates(plan), of_memory(plan), of_time(plan)]
        .into_iter()
        .flatten()
        .collect()
}

/// Two files that take more than there is before anything else is known of them.
pub(crate) fn of_files(file_bytes: [u64; 2], limits: &RunLimits) -> Option<Refusal> {
    let needed = file_bytes[0] + file_bytes[1] + file_bytes[0].max(file_bytes[1]);
    (needed > limits.max_memory_bytes).then(|| Refusal {
        limit: RunLimit::Memory,
        reason: format!(
            "To read both datasets alone takes {} of memory, more than the {} a run may have.",
            bytes_in_words(up(needed)),
            bytes_in_words(limits.max_memory_bytes)
        ),
        proposals: vec![raise(limits, RunLimit::Memory, &bytes_in_words(up(2 * needed)))],
    })
}

fn of_candidates(plan: &RunPlan) -> Option<Refusal> {
    let most = plan.limits.max_candidates;
    if to_whole(plan.candidates.point) <= most {
        return None;
    }
    let expected = count_in_words(plan.told(plan.candidates.point));
    let few = to_whole(plan.candidates.point) <= plan.untold_candidates();
    let reason = format!(
        "{} {expected} candidate pairs are expected {}, more than the {} a run may have.",
        if few { "Up to" } else { "About" },
        at_level(plan),
        count_in_words(most)
    );
    let mut proposals = fewer_candidates(plan, most);
    let needed = plan.told(plan.candidates.high);
    if plan.sizes.with_candidates(needed).peak() <= plan.limits.max_memory_bytes {
        proposals.push(raise(&plan.limits, RunLimit::Candidates, &count_in_words(needed)));
    }
    Some(Refusal {
        limit: RunLimit::Candidates,
        reason,
        proposals,
    })
}

/// More candidates were found than expected: so many that the run was stopped.
pub(crate) fn of_found_candidates(plan: &RunPlan) -> Refusal {
    let most = plan.limits.max_candidates;
    Refusal {
        limit: RunLimit::Candidates,
        reason: format!(
            "More than the {} candidate pairs a run may have were found {}, so it was stopped.",
            count_in_words(most),
            at_level(plan)
        ),
        // The forecast was too low, so that a level is to be well within the limit by it.
        proposals: fewer_candidates(plan, most / 2)
            .into_iter()
            .chain([raise(
                &plan.limits,
                RunLimit::Candidates,
                &count_in_words(up(plan.told(plan.candidates.high).max(most).saturating_mul(2))),
            )])
            .collect(),
    }
}

fn of_memory(plan: &RunPlan) -> Option<Refusal> {
    let most = plan.limits.max_memory_bytes;
    let needed = plan.sizes.peak();
    if needed <= most {
        return None;
    }
    let parts = plan.sizes.at_peak();
    let largest = parts.first().map_or("", |part| part.what.as_str());
    let reason = format!(
        "{} of memory are needed, most of it for {largest}, more than the {} a run may have.",
        bytes_in_words(up(needed)),
        bytes_in_words(most)
    );
    let mut proposals = Vec::new();
    let shorter = plan.sizes.with_filter_bytes(SHORT_FILTER).peak();
    if plan.sizes.link.filter_bytes > SHORT_FILTER && shorter <= most {
        proposals.push(format!(
            "Under an agreement with a profile of 1,024 bits it would need {}.",
            bytes_in_words(up(shorter))
        ));
    }
    if let Some(candidates) = candidates_within(plan, most) {
        proposals.extend(fewer_candidates(plan, candidates));
    }
    if let Some(held) = held_within(plan, most) {
        proposals.push(format!(
            "Or the operator of the service lowers limits.max_run_candidates_in_memory to {}: the other candidate pairs are sorted on \
             disk.",
            count_in_words(held)
        ));
    }
    proposals.push(raise(&plan.limits, RunLimit::Memory, &bytes_in_words(up(needed))));
    Some(Refusal {
        limit: RunLimit::Memory,
        reason,
        proposals,
    })
}

/// Candidates that can be held in so much memory if the others go to the disk, rounded down; `None` where that is not enough.
fn held_within(plan: &RunPlan, memory: u64) -> Option<u64> {
    let fits = |held: u64| plan.sizes.with_candidates_in_memory(held).peak() <= memory;
    let (least, now) = (CandidateMemory::LEAST, plan.limits.candidates_in_memory);
    std::iter::successors(Some(1_000_000_000_u64), |held| Some(held / 10))
        .flat_map(|held| [5 * held, 2 * held, held])
        .skip_while(|held| *held >= now)
        .take_while(|held| *held >= least)
        .find(|held| fits(*held))
}

/// The most candidates that fit in so much memory, where that is more than those of which no number is told.
fn candidates_within(plan: &RunPlan, memory: u64) -> Option<u64> {
    let fits = |candidates: u64| plan.sizes.with_candidates(candidates).peak() <= memory;
    let (mut low, mut high) = (plan.untold_candidates(), plan.most_candidates());
    if !fits(low) {
        return None;
    }
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if fits(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    Some(low)
}

fn of_time(plan: &RunPlan) -> Option<Refusal> {
    let (time, most) = plan.time.zip(plan.limits.max_seconds)?;
    #[expect(clippy::cast_precision_loss, reason = "a bound in seconds")]
    let most = most as f64;
    if time.in_all() <= most {
        return None;
    }
    let mut proposals = Vec::new();
    let share = (most - time.other) / time.comparing;
    if plan.block_passes.is_empty() && share >= LEAST_SHARE {
        proposals.push(format!(
            "With block passes in the encoding schema only records that share a block are compared: they would have to leave \
             at most {} % of the pairs.",
            to_two_digits(100.0 * share)
        ));
    }
    let bits = plan.sizes.link.filter_bytes;
    #[expect(clippy::cast_precision_loss, reason = "a ratio of lengths")]
    let shorter = time.comparing * SHORT_FILTER as f64 / bits as f64 + time.other;
    if bits > SHORT_FILTER && shorter <= most {
        proposals.push(format!(
            "Under an agreement with a profile of 1,024 bits it would take about {}.",
            seconds_in_words(shorter)
        ));
    }
    proposals.push(raise(
        &plan.limits,
        RunLimit::Seconds,
        &seconds_in_words(1.2 * time.in_all()),
    ));
    Some(Refusal {
        limit: RunLimit::Seconds,
        reason: format!(
            "The run would take about {} on this machine, more than the {} it may.",
            seconds_in_words(time.in_all()),
            seconds_in_words(most)
        ),
        proposals,
    })
}

/// Blocks that leave a smaller share of all pairs lose too many partners.
const LEAST_SHARE: f64 = 0.001;

/// Ways to have at most `most` candidates.
fn fewer_candidates(plan: &RunPlan, most: u64) -> Vec<String> {
    #[expect(clippy::cast_precision_loss, reason = "a bound in millions")]
    let bound = most as f64;
    let mut proposals = Vec::new();
    let at = |level: Threshold| {
        let high = plan.forecast.expected_at(level).high;
        format!(
            "at most {} candidate pairs are expected",
            count_in_words(plan.told(high))
        )
    };
    let higher = plan
        .forecast
        .level_with_at_most(bound)
        .filter(|level| *level > plan.forecast.level());
    let estimated = plan
        .forecast
        .estimated_level()
        .filter(|level| plan.forecast.expected_at(*level).high <= bound);
    match plan.policy {
        ThresholdPolicy::Fixed(threshold) => {
            proposals.extend(higher.map(|level| {
                format!(
                    "With the fixed threshold raised from {threshold} to {level}, {}.",
                    at(level)
                )
            }));
            proposals.extend(estimated.map(|level| {
                format!(
                    "With an estimated threshold, which looks down to {} here, {}.",
                    to_hundredths(level),
                    at(level)
                )
            }));
            if higher.is_none() && estimated.is_none() {
                proposals.push(
                    "So many filters are equal that no threshold tells their records apart: encode more match fields, or \
                     look for rows that are there many times."
                        .to_owned(),
                );
            }
        }
        ThresholdPolicy::Estimated => {
            proposals
                .extend(higher.map(|level| format!("With {level} as a fixed threshold, {}.", at(level))));
        }
    }
    proposals
}

fn at_level(plan: &RunPlan) -> String {
    match plan.policy {
        ThresholdPolicy::Fixed(threshold) => format!("at the threshold {threshold}"),
        ThresholdPolicy::Estimated => "at the level an estimated threshold looks down to".to_owned(),
    }
}

/// A level to two decimals, from below.
pub(crate) fn to_hundredths(level: Threshold) -> Threshold {
    Threshold::try_floor((level.to_f64() * 100.0 + 1e-9).floor() / 100.0).unwrap_or(level)
}

/// Who raises a limit, and how far.
fn raise(limits: &RunLimits, limit: RunLimit, to: &str) -> String {
    match limits.set_by {
        SetBy::Operator => {
            let key = match limit {
                RunLimit::Memory => "max_run_memory_bytes",
                RunLimit::Candidates => "max_run_candidates",
                RunLimit::Seconds => "max_run_seconds",
            };
            format!("Or the operator of the service raises limits.{key} to {to}, where the machine has it.")
        }
        SetBy::Command => {
            format!(
                "Or give --max-candidates for {to}, where the machine has the memory and the disk for it."
            )
        }
    }
}
