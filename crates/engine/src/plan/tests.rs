use std::sync::atomic::{AtomicI64, Ordering};

use corridor_core::{
    Assignment, DatasetManifest, Digest, FilterLen, Filters, Measure, Profile, Pseudonym, SeededEntropy,
    Stop, fill,
};

use super::*;
use crate::limits::{RunLimit, SetBy};

/// Filters of which `alike` resemble each other and as many of the other dataset, with ρ around 0.77.
fn dataset(records: usize, alike: usize, bits: u32, seed: u64) -> EncodedDataset {
    let filter_len = FilterLen::try_from(bits).unwrap();
    let draw = |entropy: &mut SeededEntropy| {
        let mut bytes = vec![0; filter_len.to_bytes()];
        fill(entropy, &mut bytes);
        bytes
    };
    let mut shared = SeededEntropy::new(1, "groups");
    let groups: Vec<Vec<u8>> = (0..records.div_ceil(alike)).map(|_| draw(&mut shared)).collect();
    let mut entropy = SeededEntropy::new(seed, "noise");
    let mut filters = Filters::with_capacity(filter_len, records);
    for record in 0..records {
        let noise: Vec<Vec<u8>> = (0..4).map(|_| draw(&mut entropy)).collect();
        let filter: Vec<u8> = groups[record % groups.len()]
            .iter()
            .enumerate()
            .map(|(byte, bits)| bits ^ noise.iter().fold(u8::MAX, |all, noise| all & noise[byte]))
            .collect();
        filters.push_bytes(&filter);
    }
    let persons: Vec<Pseudonym> = (0..records)
        .map(|record| Pseudonym::from_bytes(u128::try_from(record).unwrap().to_be_bytes()))
        .collect();
    EncodedDataset {
        manifest: DatasetManifest {
            agreement: Digest::of(b"agreement"),
            schema: Digest::of(b"schema"),
            office: "AAA".parse().unwrap(),
            measure: Measure::Rho,
            record_count: u64::try_from(records).unwrap(),
            key_check: Digest::of(b"key check"),
        },
        records: persons.clone(),
        persons,
        filters,
        blocks: Vec::new(),
        events: None,
    }
}

fn terms(threshold: ThresholdPolicy) -> LinkageTerms {
    LinkageTerms {
        threshold,
        assignment: Assignment::Greedy,
        event_window_days: 365,
        seed: 1,
        value_frequencies: Vec::new(),
        lsh_recall: None,
    }
}

fn encoding() -> EncodingTerms {
    EncodingTerms {
        profile: Profile::Saul3x2048,
        schema: Digest::of(b"schema"),
        filter_bits: FilterLen::try_from(2048).unwrap(),
        match_fields: vec!["names".to_owned()],
        block_passes: Vec::new(),
    }
}

fn fixed(threshold: &str) -> LinkageTerms {
    terms(ThresholdPolicy::Fixed(threshold.parse().unwrap()))
}

fn plan(
    sides: &[EncodedDataset; 2],
    terms: &LinkageTerms,
    limits: RunLimits,
    clock: Option<&dyn Clock>,
) -> RunPlan {
    let datasets = PlannedDatasets {
        origin: &sides[0],
        destination: &sides[1],
        file_bytes: [0, 0],
    };
    RunPlan::new(datasets, terms, &encoding(), limits, clock, &Stop::default()).unwrap()
}

/// The threshold a proposal names after `word`.
fn threshold_after(proposal: &str, word: &str) -> String {
    let mut words = proposal.split(' ').skip_while(|next| *next != word);
    words.nth(1).unwrap().trim_end_matches(',').to_owned()
}

#[test]
fn a_threshold_that_is_proposed_is_taken() {
    let sides = [dataset(2500, 60, 1024, 1), dataset(2300, 60, 1024, 2)];
    let limits = RunLimits {
        max_candidates: 50_000,
        ..RunLimits::DEFAULT
    };
    let refused = plan(&sides, &fixed("0.3"), limits, None).refusals();
    let [refusal] = &refused[..] else {
        panic!("one limit: {refused:?}");
    };
    assert_eq!(refusal.limit, RunLimit::Candidates);
    assert!(
        refusal
            .reason
            .contains("at the threshold 0.3, more than the 50,000"),
        "{}",
        refusal.reason
    );
    let [fixed_one, estimated, operator] = &refusal.proposals[..] else {
        panic!("three proposals: {:?}", refusal.proposals);
    };
    let proposed = fixed(&threshold_after(fixed_one, "to"));
    let other = plan(&sides, &proposed, limits, None);
    assert!(other.refusals().is_empty() && other.check().is_ok());
    assert!(other.candidates.point > 0.0);
    assert!(estimated.contains("estimated threshold"), "{estimated}");
    let by_estimate = plan(&sides, &terms(ThresholdPolicy::Estimated), limits, None);
    assert!(by_estimate.refusals().is_empty());
    assert!(operator.contains("limits.max_run_candidates"), "{operator}");
    let command = RunLimits {
        set_by: SetBy::Command,
        ..limits
    };
    let refused = plan(&sides, &fixed("0.3"), command, None).refusals();
    assert!(refused[0].to_sentences().contains("--max-candidates"));
}

#[test]
fn equal_filters_have_no_threshold_to_propose() {
    let mut sides = [dataset(400, 1, 64, 1), dataset(500, 1, 64, 2)];
    for side in &mut sides {
        let len = side.filters.len();
        side.filters = Filters::with_capacity(FilterLen::try_from(64).unwrap(), len);
        (0..len).for_each(|_| side.filters.push(&[0xff]));
    }
    let limits = RunLimits {
        max_candidates: 10_000,
        ..RunLimits::DEFAULT
    };
    let refused = plan(&sides, &fixed("0.3"), limits, None).refusals();
    assert!(
        refused[0].proposals[0].contains("no threshold tells their records apart"),
        "{refused:?}"
    );
    let datasets = PlannedDatasets {
        origin: &sides[0],
        destination: &sides[1],
        file_bytes: [0, 0],
    };
    let estimated = terms(ThresholdPolicy::Estimated);
    let error = RunPlan::new(datasets, &estimated, &encoding(), limits, None, &Stop::default()).unwrap_err();
    assert!(error.to_string().contains("cannot be told apart"), "{error}");
}

#[test]
fn shorter_filters_are_proposed_where_they_fit() {
    let sides = [dataset(3000, 1, 2048, 1), dataset(3000, 1, 2048, 2)];
    let needed = plan(&sides, &fixed("0.5"), RunLimits::DEFAULT, None).sizes;
    let shorter = needed.with_filter_bytes(128).peak();
    assert!(shorter < needed.peak());
    for (max_memory_bytes, proposed) in [(shorter, true), (shorter - 1, false)] {
        let limits = RunLimits {
            max_memory_bytes,
            ..RunLimits::DEFAULT
        };
        let refused = plan(&sides, &fixed("0.5"), limits, None).refusals();
        assert_eq!(refused[0].limit, RunLimit::Memory);
        let text = refused[0].to_sentences();
        assert_eq!(text.contains("1,024 bits"), proposed, "{text}");
        assert!(text.contains("limits.max_run_memory_bytes"), "{text}");
    }
    // Where they are that short, and where candidates are what takes the memory.
    let sides = [dataset(2000, 400, 64, 1), dataset(2000, 400, 64, 2)];
    let sizes = plan(&sides, &fixed("0.2"), RunLimits::DEFAULT, None).sizes;
    let limits = RunLimits {
        max_memory_bytes: sizes.peak() * 3 / 4,
        ..RunLimits::DEFAULT
    };
    let refused = plan(&sides, &fixed("0.2"), limits, None).refusals();
    assert!(refused[0].reason.contains("most of it for"), "{refused:?}");
    let proposed = &refused[0].proposals[0];
    assert!(proposed.contains("raised from 0.2 to"), "{refused:?}");
    let other = plan(&sides, &fixed(&threshold_after(proposed, "to")), limits, None);
    assert!(other.refusals().is_empty(), "{proposed}");
}

/// A second later at every look.
#[derive(Debug, Default)]
struct Steps(AtomicI64);

impl Clock for Steps {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::from_second(self.0.fetch_add(1, Ordering::Relaxed)).unwrap()
    }
}

#[test]
fn time_is_told_where_there_is_a_clock_and_refused_where_there_is_a_limit() {
    let sides = [dataset(6000, 1, 128, 1), dataset(6000, 1, 128, 2)];
    let without = plan(&sides, &fixed("0.5"), RunLimits::DEFAULT, None);
    assert_eq!(without.to_public().seconds, None);
    let advice = plan(&sides, &fixed("0.5"), RunLimits::DEFAULT, Some(&Steps::default()));
    let seconds = advice.to_public().seconds.unwrap();
    assert!(seconds > 2.0, "{seconds}");
    assert!(advice.refusals().is_empty(), "advice refuses nothing");
    let time = advice.time.unwrap();
    let limited = |max_seconds| {
        let limits = RunLimits {
            max_seconds: Some(max_seconds),
            ..RunLimits::DEFAULT
        };
        plan(&sides, &fixed("0.5"), limits, Some(&Steps::default())).refusals()
    };
    let whole = to_whole(time.in_all());
    assert!(limited(whole).is_empty());
    let refused = limited(whole - 1);
    assert_eq!(refused[0].limit, RunLimit::Seconds);
    assert!(refused[0].proposals[0].contains("block passes"), "{refused:?}");
    // Blocks do not shorten what is left without pairs.
    assert!(time.other > 1.0);
    let refused = limited(1);
    assert!(!refused[0].to_sentences().contains("block passes"), "{refused:?}");
}

#[test]
fn what_is_told_has_two_digits_and_no_number_of_partners() {
    let sides = [dataset(2345, 1, 1024, 1), dataset(1017, 1, 1024, 2)];
    let strangers = [dataset(2345, 1, 1024, 1), {
        let mut other = dataset(1017, 1, 1024, 2);
        let mut entropy = SeededEntropy::new(9, "strangers");
        let mut bytes = vec![0; 128];
        other.filters = Filters::with_capacity(other.filters.filter_len(), 1017);
        for _ in 0..1017 {
            fill(&mut entropy, &mut bytes);
            other.filters.push_bytes(&bytes);
        }
        other
    }];
    let told =
        [&sides, &strangers].map(|sides| plan(sides, &fixed("0.5"), RunLimits::DEFAULT, None).to_public());
    assert_eq!(
        told[0], told[1],
        "whether they have people in common does not show"
    );
    let told = &told[0];
    assert_eq!(
        (told.origin_records, told.destination_records, told.pairs),
        (2300, 1000, 2_400_000)
    );
    assert!(told.candidates_few);
    assert_eq!((told.candidates, told.candidates_low), (11_000, 0));
    assert_eq!(told.memory_bytes, up(told.memory_bytes));
}
