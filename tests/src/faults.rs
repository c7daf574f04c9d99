//! A campaign of faults: real services are killed, cut off, and started again on what is left, while two offices go on with their
//! work.
//!
//! Each round plays the whole job of two offices on a fresh service: agree, upload, seal, run, release, read. At points drawn from
//! the seed the service is killed (SIGKILL) or told to end, half-written bytes are left where it was writing, the line is cut, and
//! the clock steps; in some rounds the disk is full instead. After every restart the service is asked for all it has ever
//! acknowledged. In the end the result must be, to the byte, that of a round without faults.
//!
//! The seed fixes what is drawn; where in its work a service is when a kill comes is as repeatable as a machine is.

mod clock_step;
mod large_upload;
mod ledger;
mod office;
mod round;

use std::collections::BTreeMap;
use std::fmt;

use corridor_core::SeededEntropy;

use crate::draw::draw;
pub use clock_step::ClockSteps;
pub use large_upload::LargeUpload;
use office::Broken;
pub use round::Phase;
use round::{Plan, Round};

/// What a campaign is to do.
#[derive(Debug, Clone)]
pub struct CampaignTerms {
    /// Everything is drawn from it.
    pub seed: u64,
    /// SIGKILLs in all.
    pub kills: u32,
    /// Records of each dataset.
    pub records: usize,
    /// Megabytes of a dataset that is uploaded over a poor line before the rounds; none when 0.
    pub upload_mb: usize,
    /// Whether acknowledged bytes are lost on purpose, in the first round: a campaign that holds all the same is broken itself.
    pub sabotage: bool,
    /// Whether services are also started with another time of day.
    pub clock_steps: ClockSteps,
}

/// What a campaign did, and what did not hold.
#[derive(Debug, Default)]
pub struct CampaignReport {
    /// The seed.
    pub seed: u64,
    /// Rounds played, the undisturbed ones included.
    pub rounds: u32,
    /// SIGKILLs, by what was under way.
    pub kills: BTreeMap<Phase, u32>,
    /// SIGTERMs.
    pub terminations: u32,
    /// Connections cut by the line.
    pub cuts: u64,
    /// Connections that stalled.
    pub stalls: u64,
    /// Cuts that uploads went on after by themselves.
    pub uploads_gone_on: u64,
    /// Files with half-written bytes.
    pub torn_files: usize,
    /// Restarts with another time of day.
    pub clock_steps: u32,
    /// Disks that were full for a while.
    pub full_disks: u32,
    /// Times a service that was started again was asked for all it had acknowledged.
    pub checks: u32,
    /// Times the whole audit log was verified, and held against a checkpoint from before the faults.
    pub audits: u32,
    /// Results compared with those of an undisturbed round.
    pub results_compared: u32,
    /// The upload over a poor line.
    pub large_upload: Option<LargeUpload>,
    /// What did not hold.
    pub broken: Vec<String>,
}

impl CampaignReport {
    /// SIGKILLs in all.
    pub fn kill_count(&self) -> u32 {
        self.kills.values().sum()
    }
}

impl fmt::Display for CampaignReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "campaign of seed {}, {} rounds", self.seed, self.rounds)?;
        let kills: Vec<String> = self
            .kills
            .iter()
            .map(|(phase, kills)| format!("{kills} {}", phase.as_str()))
            .collect();
        writeln!(
            f,
            "killed            {} times: {}",
            self.kill_count(),
            kills.join(", ")
        )?;
        writeln!(f, "told to end       {} times", self.terminations)?;
        writeln!(
            f,
            "line              {} connections cut, {} stalled; uploads went on after {} cuts",
            self.cuts, self.stalls, self.uploads_gone_on
        )?;
        writeln!(f, "torn writes       {} files", self.torn_files)?;
        writeln!(f, "clock steps       {}", self.clock_steps)?;
        writeln!(f, "full disks        {}", self.full_disks)?;
        writeln!(
            f,
            "checked           {} times that nothing acknowledged was missing; {} results against undisturbed ones; {} audit logs",
            self.checks, self.results_compared, self.audits
        )?;
        if let Some(upload) = &self.large_upload {
            writeln!(f, "large upload      {upload}")?;
        }
        if self.broken.is_empty() {
            writeln!(f, "held              everything")
        } else {
            writeln!(f, "DID NOT HOLD      {}:", self.broken.len())?;
            self.broken
                .iter()
                .try_for_each(|broken| writeln!(f, "  {broken}"))
        }
    }
}

/// Agreements that rounds are played on, by their seed.
const SAMPLES: u64 = 2;

/// One round in so many is on a disk that fills.
const FULL_DISK_EVERY: u64 = 6;

/// Plays rounds until so many kills were done; `told` hears of each round.
///
/// # Panics
/// When the harness itself fails: no folder, no port, no service that starts.
pub async fn run_campaign(terms: &CampaignTerms, told: &mut dyn FnMut(&str)) -> CampaignReport {
    let mut report = CampaignReport {
        seed: terms.seed,
        ..CampaignReport::default()
    };
    if terms.upload_mb > 0 {
        match large_upload::play(terms.seed, terms.upload_mb).await {
            Ok(upload) => report.large_upload = Some(upload),
            Err(broken) => report.broken.push(format!("the large upload: {broken}")),
        }
        told("large upload done");
    }
    let mut undisturbed = BTreeMap::new();
    let mut number = 0;
    while report.kill_count() < terms.kills && report.broken.is_empty() {
        let sample = 1 + number % SAMPLES;
        if let std::collections::btree_map::Entry::Vacant(entry) = undisturbed.entry(sample) {
            let round = Round::new(sample, terms.records);
            match round.play(Plan::undisturbed(), &mut report).await {
                Ok(result) => entry.insert(result),
                Err(broken) => {
                    report.broken.push(format!("undisturbed: {broken}"));
                    break;
                }
            };
        }
        let mut entropy = SeededEntropy::new(terms.seed, &format!("round {number}"));
        let left = terms.kills - report.kill_count();
        let plan = if terms.sabotage {
            Plan::sabotage()
        } else if draw(&mut entropy, 1, FULL_DISK_EVERY) == 1 {
            Plan::full_disk(&mut entropy)
        } else {
            Plan::draw(&mut entropy, left, &terms.clock_steps)
        };
        let what = format!("round {number}, {}", plan.describe());
        let outcome = Round::new(sample, terms.records).play(plan, &mut report).await;
        if let Err(broken) = check(outcome, undisturbed[&sample], &mut report) {
            report.broken.push(format!("{what}: {broken}"));
        }
        told(&format!(
            "{what}: {} of {} kills done",
            report.kill_count(),
            terms.kills
        ));
        number += 1;
    }
    report
}

fn check(
    outcome: Result<corridor_core::Digest, Broken>,
    expected: corridor_core::Digest,
    report: &mut CampaignReport,
) -> Result<(), Broken> {
    let result = outcome?;
    report.results_compared += 1;
    if result == expected {
        Ok(())
    } else {
        Err(format!("the result is {result}, and {expected} undisturbed"))
    }
}
