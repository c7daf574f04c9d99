//! One module a command.

use crate::args::{Cli, Command};

mod agreement;
mod agreement_page;
mod attack;
mod audit;
mod clkhash;
mod compare;
mod dataset;
mod decrypt;
mod demo;
mod encode;
mod estimate;
mod flows;
mod gate;
mod inspect;
mod keys;
mod manifest;
mod mapping;
mod mirror;
mod passphrase;
mod pictures;
mod plan_page;
mod registers;
mod rehearse;
mod replay;
mod results;
mod run;
mod schema;
pub(crate) mod synth;
mod terms;
mod upload;

/// Does what the command line says.
///
/// # Errors
/// What failed; [`crate::classify`] gives the exit code and a hint.
pub fn run(cli: Cli) -> anyhow::Result<()> {
    // The demonstration ends its service and removes its folder itself.
    #[cfg(unix)]
    if !matches!(cli.command, Command::Demo(_)) {
        leave_nothing_when_interrupted()?;
    }
    match cli.command {
        Command::Keys(command) => keys::run(command),
        Command::Mapping(command) => mapping::run(command),
        Command::Manifest(command) => manifest::run(command),
        Command::Inspect(args) => inspect::run(&args),
        Command::Schema(command) => schema::run(command),
        Command::Encode(args) => encode::run(&args),
        Command::Decrypt(args) => decrypt::run(&args),
        Command::Agreement(command) => block_on(agreement::run(command)),
        Command::Audit(command) => audit::run(command),
        Command::Gate(args) => gate::run(&args),
        Command::Upload(args) => block_on(upload::run(args)),
        Command::Dataset(command) => block_on(dataset::run(command)),
        Command::Run(command) => block_on(run::run(command)),
        Command::Flows(command) => block_on(flows::run(command)),
        Command::Rehearse(args) => rehearse::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Estimate(args) => estimate::run(&args),
        Command::Mirror(args) => mirror::run(&args),
        Command::Demo(args) => block_on(demo::run(args)),
        Command::Synth(args) => synth::run(&args),
    }
}

/// SIGINT and SIGTERM end the process as ever, once the files that are not whole are gone.
#[cfg(unix)]
fn leave_nothing_when_interrupted() -> std::io::Result<()> {
    use signal_hook::consts::{SIGINT, SIGTERM};

    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
    std::thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            corridor_encode::remove_files_in_the_making();
            crate::output::talk("interrupted; no file was left half written");
            std::process::exit(128 + signal);
        }
    });
    Ok(())
}

pub(crate) fn block_on(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(work)
}
