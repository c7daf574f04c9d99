//! A campaign of faults: real services are killed, cut off, and started again on what is left, while two offices go on with their
//! work.
//!
//! Each round plays the whole job of two offices on a fresh service: agree, upload, seal, run, release, read, purge. At points drawn
//! from the seed the service is killed (SIGKILL) or told to end, half-written bytes are left where it was writing, the line is cut,
//! and the clock steps; in some rounds a PostgreSQL server crashes and returns under the service, or the disk is full or read-only
//! for a while instead. After every fault the service is asked for all it has ever acknowledged. In the end the result must be, to
//! the byte, that of a round without faults, and nothing may be left of what was purged.
//!
//! The seed fixes what is drawn, points in time as parts of what the work takes when nothing is in its way; where in its work a
//! service is when a kill comes is as repeatable as a machine is. A kill that comes when the work it was meant for is done counts as
//! late, and for nothing else.

mod clock_step;
mod large_upload;
mod ledger;
mod office;
mod plan;
mod round;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use corridor_core::SeededEntropy;
use corridor_testkit::PostgresDatabase;

use crate::draw::draw;
use crate::world::Storage;
pub use clock_step::ClockSteps;
pub use large_upload::LargeUpload;
use office::Broken;
pub use plan::Phase;
use plan::Plan;
use round::{Played, Round};

/// What a campaign is to do.
#[derive(Debug, Clone)]
pub struct CampaignTerms {
    /// Everything is drawn from it.
    pub seed: u64,
    /// SIGKILLs in all, late ones left out.
    pub kills: u32,
    /// Records of each dataset.
    pub records: usize,
    /// Megabytes of a dataset that is uploaded over a poor line before the rounds; none when 0.
    pub upload_mb: usize,
    /// Where metadata is kept.
    pub databases: Databases,
    /// What is broken on purpose, in every round: a campaign that holds all the same is broken itself.
    pub sabotage: Option<Sabotage>,
    /// Whether services are also started with another time of day.
    pub clock_steps: ClockSteps,
}

/// In which database the services of a campaign keep metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Databases {
    /// Some in PostgreSQL, which goes away and returns.
    Drawn,
    /// All in PostgreSQL.
    PostgresOnly,
    /// None in PostgreSQL.
    SqliteOnly,
    /// All in PostgreSQL, which goes away once in each phase, under services that nobody kills, for so many rounds.
    PostgresAway {
        /// Rounds, instead of kills.
        rounds: u32,
    },
}

/// What no service may do, done in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// Acknowledged bytes are lost.
    Loss,
    /// Stored bytes of a purged dataset are there again.
    Return,
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
    /// SIGKILLs that came when the work they were meant for was done.
    pub late: BTreeMap<Phase, u32>,
    /// Times the PostgreSQL server crashed and returned, by what was under way.
    pub away: BTreeMap<Phase, u32>,
    /// SIGKILLs while it was away; they are among the others, too.
    pub killed_while_away: u32,
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
    /// Disks that were read-only for a while.
    pub read_only_disks: u32,
    /// Times a service was asked for all it had acknowledged, after a fault and in the end.
    pub checks: u32,
    /// Datasets that were purged, of which nothing was left.
    pub purges: u32,
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
    /// SIGKILLs in all, late ones left out.
    pub fn kill_count(&self) -> u32 {
        self.kills.values().sum()
    }
}

impl fmt::Display for CampaignReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "campaign of seed {}, {} rounds", self.seed, self.rounds)?;
        writeln!(
            f,
            "killed            {} times: {}",
            self.kill_count(),
            to_list(&self.kills)
        )?;
        writeln!(
            f,
            "killed late       {} times, when the work was done, not counted above: {}",
            self.late.values().sum::<u32>(),
            to_list(&self.late)
        )?;
        writeln!(
            f,
            "PostgreSQL away   {} times: {}; the service was killed meanwhile {} times",
            self.away.values().sum::<u32>(),
            to_list(&self.away),
            self.killed_while_away
        )?;
        writeln!(f, "told to end       {} times", self.terminations)?;
        writeln!(
            f,
            "line              {} connections cut, {} stalled; uploads went on after {} cuts",
            self.cuts, self.stalls, self.uploads_gone_on
        )?;
        writeln!(f, "torn writes       {} files", self.torn_files)?;
        writeln!(f, "clock steps       {}", self.clock_steps)?;
        writeln!(
            f,
            "disks             {} full, {} read-only",
            self.full_disks, self.read_only_disks
        )?;
        writeln!(
            f,
            "checked           {} times that nothing acknowledged was missing; {} results against undisturbed ones; {} purges; {} audit logs",
            self.checks, self.results_compared, self.purges, self.audits
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

fn to_list(counts: &BTreeMap<Phase, u32>) -> String {
    if counts.is_empty() {
        return "none".to_owned();
    }
    let parts: Vec<String> = counts
        .iter()
        .map(|(phase, count)| format!("{count} {}", phase.as_str()))
        .collect();
    parts.join(", ")
}

/// Agreements that rounds are played on, by their seed.
const SAMPLES: u64 = 2;

/// One round in so many is on a disk that is full, or read-only, for a while.
const BAD_DISK_EVERY: u64 = 6;

/// One of the other rounds in so many is on PostgreSQL.
const POSTGRES_EVERY: u64 = 3;

/// Rounds in a row in which every kill was late, after which a campaign gives up.
const MOST_LATE_ROUNDS: u32 = 20;

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
    let mut undisturbed: BTreeMap<u64, Played> = BTreeMap::new();
    // A server takes long to make, so that all rounds share one.
    let mut postgres: Option<PostgresDatabase> = None;
    let mut number: u32 = 0;
    let mut late_rounds = 0;
    while goes_on(terms, number, &report) {
        let sample = 1 + u64::from(number) % SAMPLES;
        if let Entry::Vacant(entry) = undisturbed.entry(sample) {
            let round = Round::new(sample, terms.records);
            match round
                .play(Plan::undisturbed(), None, &BTreeMap::new(), &mut report)
                .await
            {
                Ok(played) => entry.insert(played),
                Err(broken) => {
                    report.broken.push(format!("undisturbed: {broken}"));
                    break;
                }
            };
        }
        let mut entropy = SeededEntropy::new(terms.seed, &format!("round {number}"));
        let before = report.kill_count();
        let plan = draw_plan(terms, &mut entropy, terms.kills.saturating_sub(before));
        let (what, has_kills) = (format!("round {number}, {}", plan.describe()), plan.has_kills());
        let database = (plan.storage == Storage::Postgres).then(|| match &postgres {
            Some(database) => database.create_beside(),
            None => postgres.insert(PostgresDatabase::create_alone()).clone(),
        });
        let alike = &undisturbed[&sample];
        let outcome = Round::new(sample, terms.records)
            .play(plan, database, &alike.times, &mut report)
            .await;
        if let Err(broken) = check(outcome, alike.result, &mut report) {
            report.broken.push(format!("{what}: {broken}"));
        }
        if report.kill_count() > before {
            late_rounds = 0;
        } else if has_kills {
            late_rounds += 1;
        }
        if late_rounds == MOST_LATE_ROUNDS {
            report
                .broken
                .push(format!("every kill of {late_rounds} rounds was late"));
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

fn goes_on(terms: &CampaignTerms, rounds: u32, report: &CampaignReport) -> bool {
    let is_open = match terms.databases {
        Databases::PostgresAway { rounds: wanted } => rounds < wanted,
        Databases::Drawn | Databases::PostgresOnly | Databases::SqliteOnly => {
            report.kill_count() < terms.kills
        }
    };
    is_open && report.broken.is_empty()
}

fn draw_plan(terms: &CampaignTerms, entropy: &mut SeededEntropy, left: u32) -> Plan {
    match terms.sabotage {
        Some(Sabotage::Loss) => return Plan::loss(),
        Some(Sabotage::Return) => return Plan::return_of_the_purged(),
        None => {}
    }
    let has_bad_disk = draw(entropy, 1, BAD_DISK_EVERY) == 1;
    let on_postgres = draw(entropy, 1, POSTGRES_EVERY) == 1;
    let storage = match terms.databases {
        Databases::PostgresAway { .. } => return Plan::database_away(entropy),
        Databases::PostgresOnly => Storage::Postgres,
        Databases::Drawn | Databases::SqliteOnly if has_bad_disk => {
            return if draw(entropy, 1, 2) == 1 {
                Plan::full_disk(entropy)
            } else {
                Plan::read_only_staging(entropy)
            };
        }
        Databases::Drawn if on_postgres => Storage::Postgres,
        Databases::Drawn | Databases::SqliteOnly => Storage::Folder,
    };
    Plan::draw(entropy, left, storage, &terms.clock_steps)
}

fn check(
    outcome: Result<Played, Broken>,
    expected: corridor_core::Digest,
    report: &mut CampaignReport,
) -> Result<(), Broken> {
    let result = outcome?.result;
    report.results_compared += 1;
    if result == expected {
        Ok(())
    } else {
        Err(format!("the result is {result}, and {expected} undisturbed"))
    }
}
