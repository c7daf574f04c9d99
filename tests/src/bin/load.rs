//! Many clients at one service: see [`corridor_tests::run_load`].
//!
//! Exit code 0 when everything held: nothing failed but by what the service states as its limits, small calls were quick under half
//! of the load, and its memory did not grow; 1 when something did not.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use corridor_tests::{LoadTerms, run_load, use_binaries};

#[derive(Debug, Parser)]
#[command(about)]
struct Arguments {
    /// Clients at full load.
    #[arg(long, default_value_t = 200)]
    clients: usize,
    /// Seconds in all.
    #[arg(long, default_value_t = 300)]
    seconds: u64,
    /// Bytes of an upload.
    #[arg(long, default_value_t = 3 << 20)]
    upload_bytes: usize,
    /// Leaves the limits of each party as the sample config has them, which so many clients of two offices meet.
    #[arg(long)]
    usual_limits: bool,
    /// A folder with `corridor` and `corridor-server`; built from the tree when not given.
    #[arg(long, value_name = "FOLDER")]
    binaries: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> std::io::Result<ExitCode> {
    let arguments = Arguments::parse();
    if let Some(folder) = arguments.binaries {
        use_binaries(folder);
    }
    let report = run_load(LoadTerms {
        clients: arguments.clients,
        seconds: arguments.seconds,
        upload_bytes: arguments.upload_bytes,
        raised_limits: !arguments.usual_limits,
    })
    .await;
    std::io::stdout().write_all(report.to_string().as_bytes())?;
    Ok(if report.holds() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
