use std::collections::HashSet;
use std::path::Path;

use bytes::Bytes;
use corridor_core::{
    Entropy, FilterLen, Filters, Measure, OsEntropy, Pseudonym, SeededEntropy, Stopwatch, SystemClock,
    Threshold, ThresholdPolicy, fill,
};
use corridor_engine::{Compute, count_in_words};
use corridor_kernel::{Cut, FilterMatrix, Kernel, PackedMatrix, Pair, Search};
use corridor_link::{CANDIDATES_PER_RECORD, CandidateBudget, CandidateForecast, LinkSide, is_constant};
use corridor_store::parse_dataset;
use data_encoding::BASE64;
use rayon::prelude::*;
use serde::Deserialize;
use serde_json::json;

use crate::args::CompareArgs;
use crate::failure::input_error;
use crate::output::{json, refuse_existing, talk, write_file};

/// Left rows compared at a time.
const ROWS_PER_TASK: usize = 256;
/// Right rows compared with them before it is looked at how many pairs there are.
const RIGHT_PER_SWEEP: usize = 1 << 12;

/// More pairs reach the threshold than may be kept.
#[derive(Debug, thiserror::Error)]
#[error("too many pairs")]
struct TooManyPairs;

#[derive(Debug, Clone, Copy)]
struct SimilarPair {
    left: u32,
    right: u32,
    similarity: f64,
}

pub(crate) fn run(args: &CompareArgs) -> anyhow::Result<()> {
    refuse_existing(&args.output)?;
    let (left, left_measure) = read_filters(&args.left)?;
    let (right, right_measure) = read_filters(&args.right)?;
    if left_measure != right_measure || left.filter_len() != right.filter_len() {
        return Err(input_error(
            format!(
                "{} has filters of {} bits compared by {}, {} of {} bits compared by {}",
                args.left.display(),
                left.filter_len().to_bits(),
                left_measure.as_str(),
                args.right.display(),
                right.filter_len().to_bits(),
                right_measure.as_str()
            ),
            "encode both with the same profile",
        ));
    }
    let compute = Compute::new(args.threads)?;
    let clock = SystemClock;
    let watch = Stopwatch::start(&clock);
    let compared = compute.run_blocking(|| compare(&left, &right, left_measure, args));
    let (mut pairs, screen_words) = compared.or_else(|error| {
        if error.is::<TooManyPairs>() {
            return Err(compute.run_blocking(|| too_many(&left, &right, left_measure, args))?);
        }
        Err(error)
    })?;
    let seconds = watch.elapsed_s();
    let constant = [&left, &right].map(constant_count);
    for (count, side) in constant.iter().zip(["left", "right"]) {
        if *count > 0 {
            talk(&format!(
                "caution: {count} filters of the {side} side have no bit set, or all: no pair of them is given"
            ));
        }
    }
    compute.run_blocking(|| {
        pairs.par_sort_unstable_by(|a, b| {
            b.similarity
                .total_cmp(&a.similarity)
                .then(a.left.cmp(&b.left))
                .then(a.right.cmp(&b.right))
        });
    });
    if args.one_to_one {
        let (mut taken_left, mut taken_right) = (HashSet::new(), HashSet::new());
        pairs.retain(|pair| {
            let free = !taken_left.contains(&pair.left) && !taken_right.contains(&pair.right);
            if free {
                taken_left.insert(pair.left);
                taken_right.insert(pair.right);
            }
            free
        });
    }
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["left", "right", "similarity"])?;
    for pair in &pairs {
        writer.write_record([
            pair.left.to_string(),
            pair.right.to_string(),
            pair.similarity.to_string(),
        ])?;
    }
    write_file(&args.output, &writer.into_inner()?)?;
    let compared = u64::try_from(left.len() * right.len()).unwrap_or(u64::MAX);
    talk(&format!("{} pairs to {}", pairs.len(), args.output.display()));
    if args.json {
        json(&json!({
            "left_records": left.len(),
            "right_records": right.len(),
            "filter_bits": left.filter_len().to_bits(),
            "measure": left_measure.as_str(),
            "threshold": args.threshold,
            "constant_filters": constant,
            "one_to_one": args.one_to_one,
            "top_k": args.top_k,
            "miss_bound": args.miss_bound,
            "screened_by_words": screen_words,
            "pairs_written": pairs.len(),
            "pairs_compared": compared,
            "seconds_comparing": seconds,
            "pairs_per_second": rate(compared, seconds),
            "kernel": Kernel::best().name(),
            "threads": compute.thread_count(),
        }))?;
    }
    Ok(())
}

/// Rows without a bit set, or with all: they say nothing of anybody, and under ρ are as alike as can be.
fn constant_count(filters: &Filters) -> usize {
    let words = filters.filter_len().to_words();
    let ones = |row: usize| filters.row(row).iter().map(|word| word.count_ones()).sum();
    (0..filters.len())
        .filter(|&row| is_constant(ones(row), words))
        .count()
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
fn rate(pairs: u64, seconds: f64) -> Option<f64> {
    (seconds > 0.0).then(|| pairs as f64 / seconds)
}

/// All pairs at or above the threshold, in no order, or the most similar of each row; and how many words were
/// compared of each pair before the whole, if not all. Runs on the current rayon pool.
fn compare(
    left: &Filters,
    right: &Filters,
    measure: Measure,
    args: &CompareArgs,
) -> anyhow::Result<(Vec<SimilarPair>, Option<usize>)> {
    let words = left.filter_len().to_words();
    let measure = match measure {
        Measure::Dice => corridor_kernel::Measure::Dice,
        Measure::Rho => corridor_kernel::Measure::Rho,
    };
    let cut = Cut::new(measure, words, args.threshold.numerator(), Threshold::DENOMINATOR);
    let plain = [left, right].map(|side| FilterMatrix::try_new(side.as_words(), words));
    let [left, right] = plain;
    let (left, right) = (left?, right?);
    let Some(miss_bound) = args.miss_bound else {
        let right = right.to_packed();
        let search = Search::exact(cut, &left, &right);
        return search_pairs(&left, &right, &search, args);
    };
    let order = bit_order(words * 64, args.seed);
    let (left_words, right_words) = (left.to_permuted(&order), right.to_permuted(&order));
    let left = FilterMatrix::try_new(&left_words, words)?;
    let right = FilterMatrix::try_new(&right_words, words)?.to_packed();
    let search = Search::statistical(cut, &left, &right, miss_bound)
        .map_err(|error| input_error(error.to_string(), "give --miss-bound as in 1e-9"))?;
    search_pairs(&left, &right, &search, args)
}

/// How many pairs there would be, of which so many are too many, and what to do.
fn too_many(
    left: &Filters,
    right: &Filters,
    measure: Measure,
    args: &CompareArgs,
) -> anyhow::Result<anyhow::Error> {
    let (max_pairs, threshold) = (args.max_pairs, args.threshold);
    if let Some(k) = args.top_k {
        return Ok(input_error(
            format!(
                "up to {k} pairs for each of {} rows reach the threshold {threshold}, more than {max_pairs} in all",
                left.len()
            ),
            "give a smaller --top-k, or a higher --max-pairs when there is memory for it",
        ));
    }
    // To a comparison of pairs, every record is a person.
    let persons: Vec<Pseudonym> = (0..u128::try_from(left.len().max(right.len()))?)
        .map(|record| Pseudonym::from_bytes(record.to_be_bytes()))
        .collect();
    let left_side = LinkSide::from_parts(left, &persons[..left.len()])?;
    let right_side = LinkSide::from_parts(right, &persons[..right.len()])?;
    let policy = ThresholdPolicy::Fixed(threshold);
    let forecast = CandidateForecast::new(
        &left_side,
        &right_side,
        measure,
        (policy, CANDIDATES_PER_RECORD),
        None,
        1,
    )?;
    let to_count = |pairs: f64| format!("{pairs:.0}").parse().unwrap_or(u64::MAX);
    let expected = to_count(forecast.expected().point);
    #[expect(clippy::cast_precision_loss, reason = "a bound in millions")]
    let level = forecast.level_with_at_most(max_pairs as f64);
    let higher = level.filter(|level| *level > threshold).map_or_else(
        || "no higher threshold has fewer, for so many filters are equal".to_owned(),
        |level| {
            let high = to_count(forecast.expected_at(level).high);
            format!(
                "give --threshold {level}, which at most {} pairs reach",
                count_in_words(high)
            )
        },
    );
    Ok(input_error(
        format!(
            "more than {max_pairs} pairs reach the threshold {threshold}: about {} are expected to",
            count_in_words(expected)
        ),
        format!("{higher}; or give a higher --max-pairs when there is memory for it"),
    ))
}

/// A random order of bits (Fisher & Yates 1938), nobody's to know beforehand unless a seed is given.
fn bit_order(bits: usize, seed: Option<u64>) -> Vec<u32> {
    let mut entropy: Box<dyn Entropy> = match seed {
        Some(seed) => Box::new(SeededEntropy::new(seed, "order of bits")),
        None => Box::new(OsEntropy::default()),
    };
    let mut draw = |below: usize| {
        let mut bytes = [0; 8];
        fill(&mut *entropy, &mut bytes);
        // The bias of a remainder of 64 bits below 4,096 is under 2⁻⁵².
        let below = u64::try_from(below).expect("a number of bits");
        usize::try_from(u64::from_le_bytes(bytes) % below).expect("below a number of bits")
    };
    let mut order: Vec<u32> = (0..u32::try_from(bits).expect("at most 4096")).collect();
    for last in (1..order.len()).rev() {
        order.swap(last, draw(last + 1));
    }
    order
}

/// The first `k` of the pairs of each row, which stand together.
fn keep_of_each_row(pairs: &mut Vec<Pair>, k: usize) {
    let (mut row, mut kept) = (None, 0);
    pairs.retain(|pair| {
        if row.replace(pair.left) != Some(pair.left) {
            kept = 0;
        }
        kept += 1;
        kept <= k
    });
}

fn search_pairs(
    left: &FilterMatrix<'_>,
    right: &PackedMatrix,
    search: &Search,
    args: &CompareArgs,
) -> anyhow::Result<(Vec<SimilarPair>, Option<usize>)> {
    let kernel = Kernel::best();
    let budget = CandidateBudget::new(args.max_pairs, 0);
    // Filters without a bit, or with all, are as like any other such one as can be. They take nobody's place.
    let words = left.words_per_filter();
    let at = |row: u32| usize::try_from(row).expect("an index of a matrix");
    let is_pair = |pair: &Pair| {
        !is_constant(left.ones(at(pair.left)), words) && !is_constant(right.ones(at(pair.right)), words)
    };
    let constant_right = (0..right.len())
        .filter(|&row| is_constant(right.ones(row), words))
        .count();
    let starts: Vec<usize> = (0..left.len()).step_by(ROWS_PER_TASK).collect();
    let to_similar = |pair: &Pair| {
        let ones = left.ones(at(pair.left)) + right.ones(at(pair.right));
        Some(SimilarPair {
            left: pair.left,
            right: pair.right,
            similarity: search.cut().similarity(pair.distance, ones)?,
        })
    };
    let parts: Vec<Vec<SimilarPair>> = starts
        .par_iter()
        .map(|&start| {
            let rows = start..(start + ROWS_PER_TASK).min(left.len());
            let mut pairs = Vec::new();
            let mut similar = Vec::new();
            // Blocks of the right side, so that too many pairs are noticed before they fill the memory.
            let step = if args.top_k.is_some() {
                right.len().max(1)
            } else {
                RIGHT_PER_SWEEP
            };
            for block in (0..right.len()).step_by(step) {
                let block = block..(block + step).min(right.len());
                pairs.clear();
                match args.top_k {
                    Some(k) => {
                        let k = usize::try_from(k).unwrap_or(usize::MAX);
                        let with_constant = k.saturating_add(constant_right).min(right.len());
                        kernel.top_k(
                            (left, rows.clone()),
                            right,
                            search.cut(),
                            with_constant,
                            &mut pairs,
                        );
                        pairs.retain(is_pair);
                        keep_of_each_row(&mut pairs, k);
                    }
                    None => {
                        kernel.pairs_reaching((left, rows.clone()), (right, block), search, &mut pairs);
                        pairs.retain(is_pair);
                    }
                }
                if !budget.take(pairs.len()) {
                    return Err(TooManyPairs.into());
                }
                similar.extend(pairs.iter().filter_map(to_similar));
            }
            Ok(similar)
        })
        .collect::<anyhow::Result<_>>()?;
    let screen_words = if args.top_k.is_some() {
        None
    } else {
        search.screen_words()
    };
    Ok((parts.concat(), screen_words))
}

/// clkhash's file.
#[derive(Deserialize)]
struct ClkFile {
    clks: Vec<String>,
}

/// The filters of a file, and how they are compared.
fn read_filters(path: &Path) -> anyhow::Result<(Filters, Measure)> {
    let name = path.display();
    let refuse = |problem: String| {
        input_error(
            format!("{name}: {problem}"),
            "give a dataset of corridor encode, or clkhash's JSON: {\"clks\": [\"base64\", …]}",
        )
    };
    let bytes = std::fs::read(path).map_err(|error| refuse(format!("cannot be read: {error}")))?;
    if bytes.starts_with(b"PAR1") {
        let dataset = parse_dataset(Bytes::from(bytes)).map_err(|error| refuse(error.to_string()))?;
        return Ok((dataset.filters, dataset.manifest.measure));
    }
    let file: ClkFile = serde_json::from_slice(&bytes)
        .map_err(|_| refuse("neither a dataset nor clkhash's JSON".to_owned()))?;
    let mut filters: Option<(Filters, usize)> = None;
    for (row, text) in file.clks.iter().enumerate() {
        let clk = BASE64
            .decode(text.as_bytes())
            .map_err(|_| refuse(format!("filter {row} is no base64")))?;
        let (filters, len) = match &mut filters {
            Some((filters, len)) => (filters, *len),
            None => {
                // Bits added at the end are set nowhere and change no Dice similarity.
                let bits = u32::try_from(clk.len().next_multiple_of(8) * 8).unwrap_or(u32::MAX);
                let filter_len =
                    FilterLen::try_from(bits).map_err(|error| refuse(format!("filter {row}: {error}")))?;
                let made = filters.insert((Filters::with_capacity(filter_len, file.clks.len()), clk.len()));
                (&mut made.0, made.1)
            }
        };
        if clk.len() != len {
            return Err(refuse(format!(
                "filter {row} has {} bytes, the first has {len}",
                clk.len()
            )));
        }
        let mut padded = clk;
        padded.resize(filters.filter_len().to_bytes(), 0);
        filters.push_bytes(&padded);
    }
    filters
        .map(|(filters, _)| (filters, Measure::Dice))
        .ok_or_else(|| refuse("it has no filters".to_owned()))
}
