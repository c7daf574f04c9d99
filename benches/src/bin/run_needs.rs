//! What a run takes in memory and time, beside what its plan said: `run_needs RECORDS random|equal|GROUP THRESHOLD
//! [greedy|optimal|mutual-best [PASSES]]`.
//!
//! Datasets of so many records each of two offices are made and sealed by one process, the run is planned by another and made
//! by a third, whose peak of memory is read from the system. THRESHOLD is a number or `estimated`; with groups of GROUP
//! records that resemble each other, a threshold of 0.5 gives RECORDS × GROUP candidates.

use std::path::Path;
use std::sync::Arc;

use corridor_core::{Assignment, Caller, Clock as _, OsEntropy, Stopwatch, SystemClock, ThresholdPolicy};
use corridor_engine::{AuditKey, AuditLog, Compute, Engine, Frame, Limits, PublicPlan, RunLimits, Store};
use corridor_tests::sample::{self, Sample, SampleFilters, SampleTerms};
use tokio_util::sync::CancellationToken;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const FRAME_BYTES: usize = 1 << 20;

#[tokio::main]
async fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["make", folder, ref words @ ..] => make(Path::new(folder), &terms(words)?).await,
        ["plan", folder] => plan(Path::new(folder)).await,
        ["run", folder] => run(Path::new(folder)).await,
        [_, _, _] | [_, _, _, _] | [_, _, _, _, _] => all(&words),
        _ => Err(
            "run_needs RECORDS random|equal|GROUP THRESHOLD|estimated [greedy|optimal|mutual-best [PASSES]]"
                .into(),
        ),
    }
}

fn all(words: &[&str]) -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().to_str().ok_or("a path in UTF-8")?;
    let call = |words: &[&str]| -> Outcome<String> {
        let output = std::process::Command::new(std::env::current_exe()?)
            .args(words)
            .stderr(std::process::Stdio::inherit())
            .output()?;
        if !output.status.success() {
            return Err(format!("{} failed", words[0]).into());
        }
        Ok(String::from_utf8(output.stdout)?)
    };
    call(&[&["make", path], words].concat())?;
    let plan: PublicPlan = serde_json::from_str(&call(&["plan", path])?)?;
    let done: serde_json::Value = serde_json::from_str(&call(&["run", path])?)?;
    let summary = serde_json::json!({
        "run": words,
        "planned": {"candidates": plan.candidates, "memory": plan.memory_bytes, "seconds": plan.seconds,
            "parts": plan.memory, "refusals": plan.refusals},
        "measured": done,
        "memory_ratio": to_f64(plan.memory_bytes) / done["memory"].as_f64().unwrap_or(f64::NAN),
    });
    print(&summary)
}

fn to_f64(bytes: u64) -> f64 {
    bytes.to_string().parse().unwrap_or(f64::NAN)
}

#[expect(clippy::print_stdout, reason = "what a benchmark is for")]
fn print(value: &serde_json::Value) -> Outcome<()> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}

fn terms(words: &[&str]) -> Outcome<SampleTerms> {
    let [records, filters, threshold, more @ ..] = words else {
        return Err("RECORDS, filters and THRESHOLD are missing".into());
    };
    let (assignment, passes) = (more.first().unwrap_or(&"greedy"), more.get(1).unwrap_or(&"0"));
    Ok(SampleTerms {
        records: records.parse()?,
        filters: match *filters {
            "random" => SampleFilters::Random,
            "equal" => SampleFilters::Equal,
            size => SampleFilters::Groups(size.parse()?),
        },
        threshold: if *threshold == "estimated" {
            ThresholdPolicy::Estimated
        } else {
            ThresholdPolicy::Fixed(threshold.parse()?)
        },
        assignment: assignment.parse::<Assignment>()?,
        passes: passes.parse()?,
        seed: 1,
        ..SampleTerms::default()
    })
}

async fn open(folder: &Path) -> Outcome<Engine> {
    let limits = Limits {
        max_dataset_bytes: u64::MAX,
        run: RunLimits::DEFAULT,
        unreleased_days: None,
    };
    let store = Store::open(folder).await?;
    let mut entropy = OsEntropy::default();
    Ok(Engine::new(
        store,
        Compute::new(0)?,
        Arc::new(SystemClock),
        AuditLog::new(AuditKey::generate(None, &mut entropy), entropy),
        limits,
    ))
}

async fn make(folder: &Path, terms: &SampleTerms) -> Outcome<()> {
    let engine = open(folder).await?;
    let sample = Sample::of(terms);
    let digest = sample.agreement.digest();
    engine
        .propose_agreement(&Caller::office(sample::ORIGIN.parse()?), &sample.agreement)
        .await?;
    for (office, signature) in sample.signatures() {
        engine
            .sign_agreement(&Caller::office(office.parse()?), digest, &signature)
            .await?;
    }
    for (declaration, bytes) in &sample.datasets {
        let caller = Caller::office(declaration.office.clone());
        let status = engine.declare_dataset(&caller, declaration).await?;
        let starts = (0..bytes.len()).step_by(FRAME_BYTES);
        for (sequence, start) in (0..).zip(starts) {
            let data = bytes.slice(start..(start + FRAME_BYTES).min(bytes.len()));
            let frame = Frame {
                sequence,
                offset: u64::try_from(start)?,
                byte_count: u64::try_from(data.len())?,
                checksum: corridor_core::Digest::of(&data),
            };
            engine.receive_frame(&caller, status.id, frame, &data).await?;
        }
        engine.seal_dataset(&caller, status.id).await?;
    }
    std::fs::write(folder.join("agreement"), digest.to_string())?;
    Ok(())
}

fn agreement(folder: &Path) -> Outcome<corridor_core::Digest> {
    Ok(std::fs::read_to_string(folder.join("agreement"))?.parse()?)
}

async fn plan(folder: &Path) -> Outcome<()> {
    let engine = open(folder).await?;
    let plan = engine
        .plan_run(&Caller::office(sample::ORIGIN.parse()?), agreement(folder)?)
        .await?;
    print(&serde_json::to_value(plan)?)
}

async fn run(folder: &Path) -> Outcome<()> {
    let engine = open(folder).await?;
    let office = Caller::office(sample::ORIGIN.parse()?);
    let started = SystemClock.now();
    let id = engine.start_run(&office, agreement(folder)?).await?.id;
    let stop = CancellationToken::new();
    let ended = async {
        let mut changes = engine.subscribe();
        loop {
            changes.mark_unchanged();
            let run = engine.run(&office, id).await?;
            if !run.state.is_active() {
                stop.cancel();
                return Ok::<_, Box<dyn std::error::Error>>(run);
            }
            changes.changed().await?;
        }
    };
    let ((), run) = tokio::join!(engine.work(&stop), ended);
    let run = run?;
    let seconds = Stopwatch::since(&SystemClock, started).elapsed_s();
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok())
        .unwrap_or(0);
    print(&serde_json::json!({
        "state": run.state.as_str(), "reason": run.reason, "tiles": run.tiles_total,
        "memory": peak * 1024, "seconds": seconds,
    }))
}
