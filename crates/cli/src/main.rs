//! The binary `corridor`.

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use corridor_cli::{Cli, Exit, classify, run};

fn main() -> ExitCode {
    refuse_core_dumps();
    let cli = match Cli::try_parse_from(command_line(std::env::args_os())) {
        Ok(cli) => cli,
        Err(error) => return say(&error),
    };
    match run(cli) {
        Ok(()) => Exit::Ok.into(),
        Err(error) => {
            let (exit, hint) = classify(&error);
            // There is nobody to tell when standard error is closed.
            drop(writeln!(std::io::stderr(), "error: {error:#}\nhint: {hint}"));
            exit.into()
        }
    }
}

/// The command line. `cargo demo -- --left …` is `corridor demo -- --left …`, since the alias has a `--` of its own already: the
/// second one is not meant for this program.
fn command_line(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = arguments.collect();
    if arguments.get(1).is_some_and(|command| command == "demo")
        && arguments.get(2).is_some_and(|argument| argument == "--")
    {
        arguments.remove(2);
    }
    arguments
}

/// A wrong command line, or a page that was asked for.
fn say(error: &clap::Error) -> ExitCode {
    let printed = error.print();
    if !error.use_stderr() {
        return ExitCode::from(if printed.is_ok() { Exit::Ok } else { Exit::Failed });
    }
    drop(writeln!(
        std::io::stderr(),
        "hint: the same command with --help shows what it takes, with an example"
    ));
    Exit::Usage.into()
}

/// A core dump of this process would hold keys and names.
fn refuse_core_dumps() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let none = Rlimit {
            current: Some(0),
            maximum: Some(0),
        };
        // Lowering one's own limit is always allowed.
        if setrlimit(Resource::Core, none).is_err() {
            drop(writeln!(
                std::io::stderr(),
                "note: core dumps could not be turned off"
            ));
        }
    }
}
