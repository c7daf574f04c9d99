//! Kills, cuts, torn writes, bad disks, clock steps and a database that crashes, against real services: see [`corridor_tests::run_campaign`].
//!
//! Exit code 0 when everything held, 1 when something did not.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use corridor_tests::{CampaignTerms, ClockSteps, Databases, run_campaign, use_binaries};

#[derive(Debug, Parser)]
#[command(about)]
struct Arguments {
    /// Everything is drawn from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// SIGKILLs in all; those that come when the work they were meant for is done are not counted.
    #[arg(long, default_value_t = 300)]
    kills: u32,
    /// Records of each dataset.
    #[arg(long, default_value_t = 3000)]
    records: usize,
    /// Megabytes of a dataset that is uploaded over a poor line before the rounds; none when 0. Both programs hold it in memory.
    #[arg(long, default_value_t = 0)]
    upload_mb: usize,
    /// Has every round keep metadata in PostgreSQL, which goes away and returns; some do when nothing is said.
    #[arg(long, conflicts_with = "no_postgres")]
    postgres: bool,
    /// Has no round keep metadata in PostgreSQL.
    #[arg(long)]
    no_postgres: bool,
    /// A folder with `corridor` and `corridor-server`; built from the tree when not given.
    #[arg(long, value_name = "FOLDER")]
    binaries: Option<PathBuf>,
    /// Where to write the report as well.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> std::io::Result<ExitCode> {
    let arguments = Arguments::parse();
    let terms = CampaignTerms {
        seed: arguments.seed,
        kills: arguments.kills,
        records: arguments.records,
        upload_mb: arguments.upload_mb,
        databases: match (arguments.postgres, arguments.no_postgres) {
            (true, _) => Databases::PostgresOnly,
            (false, true) => Databases::SqliteOnly,
            (false, false) => Databases::Drawn,
        },
        sabotage: None,
        clock_steps: ClockSteps::find(),
    };
    if let Some(folder) = arguments.binaries {
        use_binaries(folder);
    }
    let report = run_campaign(&terms, &mut |line| {
        // There is nobody to tell when standard error is closed.
        drop(writeln!(std::io::stderr(), "{line}"));
    })
    .await;
    let page = report.to_string();
    if let Some(out) = arguments.out {
        std::fs::write(out, &page)?;
    }
    std::io::stdout().write_all(page.as_bytes())?;
    Ok(if report.broken.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
