use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

static FOLDER: OnceLock<PathBuf> = OnceLock::new();

/// Has [`binaries`] be those of a folder, as of a release, instead of building them. To be called before anything is run.
///
/// # Panics
/// When it is too late.
pub fn use_binaries(folder: PathBuf) {
    assert!(FOLDER.set(folder).is_ok(), "the binaries were in use already");
}

/// The folder with `corridor` and `corridor-server`, built from the tree as it is, in this build's profile, unless
/// [`use_binaries`] said otherwise.
///
/// # Panics
/// When they cannot be built.
pub fn binaries() -> &'static Path {
    FOLDER.get_or_init(|| {
        let program = std::env::current_exe().expect("a program has a path");
        // A program is in the profile's folder, a test in deps below it.
        let folder = program
            .ancestors()
            .skip(1)
            .find(|folder| !folder.ends_with("deps"))
            .expect("a program is in a folder");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--locked", "--bins"]);
        if program.parent() == Some(folder) {
            cargo.args(["--package", "corridor-cli", "--package", "corridor-server"]);
        } else {
            // As a run of all tests builds them: of other packages together the features are others, and all would be built anew.
            cargo.args(["--workspace", "--tests"]);
        }
        if folder.ends_with("release") {
            cargo.arg("--release");
        }
        cargo
            .arg("--target-dir")
            .arg(folder.parent().expect("a profile is in the target folder"));
        // What cargo says of this package to its tests; taken for the settings of a dependency's build script, which would
        // be run anew, and all that rests on it built anew, each time a build is started here or by hand.
        for (name, _) in std::env::vars_os() {
            let is_of_package =
                |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
            if name.to_str().is_some_and(is_of_package) {
                cargo.env_remove(name);
            }
        }
        let built = cargo
            .current_dir(crate::workspace_root())
            .status()
            .expect("cargo runs");
        assert!(built.success(), "the binaries are built");
        folder.to_owned()
    })
}

/// What a command did.
#[derive(Debug)]
pub struct Outcome {
    /// Its exit code; `None` when it was killed.
    pub code: Option<i32>,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Outcome {
    /// The same, when the command did what was asked.
    ///
    /// # Panics
    /// When it did not.
    pub fn succeeded(self) -> Self {
        assert_eq!(
            self.code,
            Some(0),
            "stdout: {}\nstderr: {}",
            self.stdout,
            self.stderr
        );
        self
    }

    /// The same, when the command failed with `code`, said `words` and what to do, and wrote no data.
    ///
    /// # Panics
    /// When it did not.
    pub fn failed(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "stdout: {}\nstderr: {}",
            self.stdout,
            self.stderr
        );
        for word in words {
            assert!(self.stderr.contains(word), "no {word:?} in: {}", self.stderr);
        }
        assert!(self.stderr.contains("\nhint: "), "no hint in: {}", self.stderr);
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        assert_eq!(self.stdout, "", "data in spite of the error");
        self
    }

    /// Standard output without the line's end.
    pub fn line(&self) -> &str {
        self.stdout.trim_end()
    }
}

/// `corridor` with these arguments, run in `folder`, with nothing on standard input.
///
/// # Panics
/// When it cannot be started.
pub fn corridor<S: AsRef<std::ffi::OsStr>>(folder: &Path, arguments: &[S]) -> Outcome {
    command(folder, arguments).output().expect("corridor runs").into()
}

/// The same, not started yet.
pub fn command<S: AsRef<std::ffi::OsStr>>(folder: &Path, arguments: &[S]) -> Command {
    let mut command = Command::new(binaries().join("corridor"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    command
}

/// `corridor-server`, not started yet.
pub fn server_command<S: AsRef<std::ffi::OsStr>>(folder: &Path, arguments: &[S]) -> Command {
    let mut command = Command::new(binaries().join("corridor-server"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    command
}

/// A running `corridor-server` of its own process. Killed when dropped.
#[derive(Debug)]
pub struct ServerProcess {
    child: Child,
    address: SocketAddr,
    probes: Option<SocketAddr>,
    log: Option<std::thread::JoinHandle<String>>,
}

impl ServerProcess {
    /// Starts the service with a config file and waits until it says where it listens.
    ///
    /// # Panics
    /// When it ends instead.
    pub fn start(folder: &Path, config: &str) -> Self {
        Self::start_with(folder, config, &[])
    }

    /// The same with more in its environment.
    ///
    /// # Panics
    /// When it ends instead.
    pub fn start_with(folder: &Path, config: &str, environment: &[(String, String)]) -> Self {
        let mut command = server_command(folder, &["serve", "--config", config]);
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        Self::start_command(command)
    }

    /// The same with the data folder, or one below it, on a file system of its own of `kib` KiB.
    ///
    /// # Panics
    /// When it ends instead, or no file system can be mounted.
    pub fn start_on_small_disk(folder: &Path, config: &str, data: &str, kib: u32) -> Self {
        let mut command = Command::new("unshare");
        command
            .args(["--user", "--map-root-user", "--mount", "sh", "-c"])
            .arg(format!(
                "mkdir -p {data} && mount -t tmpfs -o size={kib}k none {data} && exec \"$0\" serve --config {config}"
            ))
            .arg(binaries().join("corridor-server"))
            .current_dir(folder)
            .stdin(Stdio::null());
        Self::start_command(command)
    }

    /// Has a file system that was made for this service be read-only, or written again. Gives whether it could be done: it cannot
    /// while a file on it is open to be written.
    ///
    /// # Panics
    /// When the system has no `nsenter`.
    pub fn remount(&self, place: &Path, is_writable: bool) -> bool {
        let options = if is_writable { "remount,rw" } else { "remount,ro" };
        let output = Command::new("nsenter")
            .args(["--target", &self.child.id().to_string()])
            .args(["--user", "--mount", "--preserve-credentials"])
            .args(["mount", "-o", options])
            .arg(place)
            .stdin(Stdio::null())
            .output()
            .expect("nsenter runs");
        output.status.success()
    }

    fn start_command(mut command: Command) -> Self {
        let mut child = command
            .stderr(Stdio::piped())
            .spawn()
            .expect("corridor-server starts");
        let mut log = BufReader::new(child.stderr.take().expect("standard error is piped"));
        let mut said = String::new();
        let address = loop {
            let before = said.len();
            let read = log.read_line(&mut said).expect("the log is text");
            assert!(read > 0, "corridor-server ended: {said}");
            if let Some(address) = address_after("serving address=", &said[before..]) {
                break address;
            }
        };
        let probes = address_after("answering probes address=", &said);
        let log = std::thread::spawn(move || {
            // Reading on keeps the pipe from filling; what was said is given back at the end.
            drop(log.read_to_string(&mut said));
            said
        });
        Self {
            child,
            address,
            probes,
            log: Some(log),
        }
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it answers probes, where it does.
    pub const fn probes(&self) -> Option<SocketAddr> {
        self.probes
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it at once (SIGKILL) and gives what it logged.
    ///
    /// # Panics
    /// When it cannot be killed.
    pub fn kill(mut self) -> String {
        self.child.kill().expect("a child can be killed");
        self.ended().0
    }

    /// Asks it to end (SIGTERM) and gives what it logged and its exit code.
    ///
    /// # Panics
    /// When it cannot be asked.
    pub fn terminate(mut self) -> (String, Option<i32>) {
        let asked = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status()
            .expect("kill runs");
        assert!(asked.success(), "the service is asked to end");
        self.ended()
    }

    fn ended(&mut self) -> (String, Option<i32>) {
        let status = self.child.wait().expect("the service ends");
        let log = self.log.take().expect("taken once, at the end");
        (log.join().expect("the log is read to its end"), status.code())
    }
}

/// The address a log says after these words.
fn address_after(words: &str, log: &str) -> Option<SocketAddr> {
    let (_, rest) = log.split_once(words)?;
    rest.split_whitespace().next()?.parse().ok()
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // It has ended already where a test asked for it.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
