//! From loaded filters to links: seconds of each step, memory, and what the run says of its links.
//!
//! `link FOLDER SCHEMA.json [CANDIDATES]`, with a folder of `corridor synth`, an encoding schema and how many candidates are held in memory
//! (all when not said).

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use corridor_benches::encode_by;
use corridor_core::{
    Assignment, EncodedDataset, EncodingTerms, LinkageTerms, Stop, Stopwatch, SystemClock, ThresholdPolicy,
};
use corridor_encode::{EncodingSchema, Mapping};
use corridor_engine::{Compute, Pipeline};
use corridor_link::{CandidateBudget, CandidateMemory};
use corridor_store::ScratchFolder;
use serde_json::json;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[expect(clippy::print_stdout, reason = "what a benchmark is for")]
fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (folder, schema, memory) = match arguments.as_slice() {
        [folder, schema] => (folder, schema, CandidateMemory::unbounded()),
        [folder, schema, most] => {
            let room = ScratchFolder::new(Path::new(folder));
            (
                folder,
                schema,
                CandidateMemory::new(most.parse()?, Arc::new(room)),
            )
        }
        _ => return Err("usage: link FOLDER SCHEMA.json [CANDIDATES]".into()),
    };
    let (folder, schema) = (PathBuf::from(folder), Path::new(schema));
    let schema = EncodingSchema::from_json(&std::fs::read_to_string(schema)?)?;
    let mappings = [
        Mapping::load(&folder.join("left.toml"))?,
        Mapping::load(&folder.join("right.toml"))?,
    ];
    let registers = ["a.csv", "b.csv"].map(|name| folder.join(name));
    let [left, right] = encode_by(&schema, &registers, &mappings).map(|encoded| encoded.dataset);
    let encoding_peak = memory_kib("VmHWM");
    reset_peak();
    let loaded = memory_kib("VmRSS");
    let mut summary = Compute::new(0)?.run_blocking(|| link(&left, &right, &schema, &memory))?;
    summary["memory_kib"] = json!({
        "peak_encoding": encoding_peak,
        "loaded": loaded,
        "peak_linking": memory_kib("VmHWM"),
    });
    println!("{}", serde_json::to_string_pretty(&summary)?);
    Ok(())
}

/// Links two datasets by an estimated threshold on the current pool.
fn link(
    left: &EncodedDataset,
    right: &EncodedDataset,
    schema: &EncodingSchema,
    memory: &CandidateMemory,
) -> Outcome<serde_json::Value> {
    let terms = LinkageTerms {
        threshold: ThresholdPolicy::Estimated,
        assignment: Assignment::Greedy,
        event_window_days: 365,
        seed: 1,
        value_frequencies: Vec::new(),
        lsh_recall: None,
    };
    let encoding = EncodingTerms {
        profile: schema.profile(),
        schema: schema.digest(),
        filter_bits: schema.profile().filter_len(schema.fields().count())?,
        match_fields: schema.fields().map(|field| field.as_str().to_owned()).collect(),
        block_passes: Vec::new(),
    };
    let clock = SystemClock;
    let watch = Stopwatch::start(&clock);
    let pipeline = Pipeline::new(left, right, &terms, &encoding, &Stop::default())?;
    let prepared = watch.elapsed_s();
    let mut candidates = pipeline.candidates(memory, 0);
    pipeline.compare_into(
        &pipeline.tiles(),
        &CandidateBudget::unlimited(),
        &mut candidates,
        &|| {},
    )?;
    let compared = watch.elapsed_s();
    let candidate_count = candidates.count();
    let links = pipeline.decide(candidates)?;
    let decided = watch.elapsed_s();
    let report = pipeline.report(&links, None)?;
    let measured = watch.elapsed_s();
    Ok(json!({
        "records": [left.records.len(), right.records.len()],
        "candidates": candidate_count,
        "links": links.links.len(),
        "seconds": {
            "prepare": prepared,
            "compare": compared - prepared,
            "decide": decided - compared,
            "to_links": decided,
            "measure_blocking_loss": measured - decided,
        },
        "linkage": report,
    }))
}

/// Memory of this process by the system's name for it; `None` where that does not say.
fn memory_kib(name: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// From here on the peak is a new one, where the system can do that; else it stays that of all before, too.
fn reset_peak() {
    std::fs::write("/proc/self/clear_refs", "5").unwrap_or_default();
}
