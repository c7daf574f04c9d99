use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use corridor_cli::Connection;
use corridor_core::{SeededEntropy, fill};
use tempfile::TempDir;

use crate::binaries::{Outcome, ServerProcess, corridor, server_command};
use crate::draw::draw;
use crate::poor_line::{LineFaults, PoorLine};
use crate::sample::{DESTINATION, ORIGIN};

/// The sample config of the same version, so that a program built once goes on working while the tree changes.
const SAMPLE_CONFIG: &str = include_str!("../../deploy/corridor-server.toml");

/// Who calls: the two offices of [`crate::sample`].
pub(crate) const CALLERS: [&str; 2] = [ORIGIN, DESTINATION];

/// A service of its own process, its data and its certificates, and the line the offices reach it over.
pub(crate) struct World {
    folder: TempDir,
    server: Mutex<Option<ServerProcess>>,
    /// What was logged by the processes that ended.
    log: Mutex<String>,
    line: PoorLine,
    disk_kib: Option<u32>,
}

/// How a service ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// SIGKILL.
    Kill,
    /// SIGTERM.
    Terminate,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    /// Starts a service on an empty folder or, where `disk_kib` is given, on a new disk of so many KiB.
    ///
    /// # Panics
    /// When it does not start.
    pub(crate) fn start(faults: LineFaults, disk_kib: Option<u32>) -> Self {
        Self::start_with(faults, disk_kib, &[])
    }

    /// The same with texts of the sample config replaced by others.
    ///
    /// # Panics
    /// As [`World::start`], and when a text is not there.
    pub(crate) fn start_with(faults: LineFaults, disk_kib: Option<u32>, settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let offices = CALLERS.map(|office| ["--office", office]);
        let arguments = [
            &["identity", "init", "--dir", "certs", "--host", "localhost"][..],
            offices.as_flattened(),
        ];
        let made: Outcome = server_command(folder.path(), &arguments.concat())
            .output()
            .expect("corridor-server runs")
            .into();
        made.succeeded();
        let mut config = SAMPLE_CONFIG
            .replace("127.0.0.1:7443", "127.0.0.1:0")
            .replace("INS-TN", ORIGIN)
            .replace("ISTAT", DESTINATION);
        for (text, other) in settings {
            assert!(config.contains(text), "{text:?} is in the sample config");
            config = config.replace(text, other);
        }
        fs::write(folder.path().join("server.toml"), config).expect("a file can be written");
        let server = match disk_kib {
            None => ServerProcess::start(folder.path(), "server.toml"),
            Some(kib) => ServerProcess::start_on_small_disk(folder.path(), "server.toml", "data", kib),
        };
        let line = PoorLine::start(server.address(), faults);
        Self {
            folder,
            server: Mutex::new(Some(server)),
            log: Mutex::new(String::new()),
            line,
            disk_kib,
        }
    }

    /// The line the offices reach the service over.
    pub(crate) const fn line(&self) -> &PoorLine {
        &self.line
    }

    /// Process of the service; `None` while it does not run.
    pub(crate) fn process(&self) -> Option<u32> {
        lock(&self.server).as_ref().map(ServerProcess::id)
    }

    /// What an office connects with, over the line.
    pub(crate) fn connection(&self, office: &str) -> Connection {
        self.connection_to(office, self.line.address().port())
    }

    /// The same past the line, straight to the service.
    ///
    /// # Panics
    /// When it does not run.
    pub(crate) fn straight_connection(&self, office: &str) -> Connection {
        let port = lock(&self.server)
            .as_ref()
            .expect("the service runs")
            .address()
            .port();
        self.connection_to(office, port)
    }

    fn connection_to(&self, office: &str, port: u16) -> Connection {
        let read = |name: &str| {
            fs::read_to_string(self.folder.path().join("certs").join(name)).expect("certificates were made")
        };
        Connection {
            server: format!("https://localhost:{port}"),
            ca: read("ca.pem"),
            certificate: read(&format!("{office}.pem")),
            private_key: read(&format!("{office}.key")),
        }
    }

    /// `corridor` with these arguments, as an office, straight to the service.
    ///
    /// # Panics
    /// When the service does not run.
    pub(crate) fn corridor(&self, office: &str, arguments: &[&str]) -> Outcome {
        let port = lock(&self.server)
            .as_ref()
            .expect("the service runs")
            .address()
            .port();
        let text = format!(
            "server = \"https://localhost:{port}\"\nca = \"certs/ca.pem\"\ncertificate = \"certs/{office}.pem\"\n\
             private_key = \"certs/{office}.key\"\n"
        );
        fs::write(self.folder.path().join("service.toml"), text).expect("a file can be written");
        corridor(self.folder.path(), arguments)
    }

    /// Ends the service; what it logged is kept.
    ///
    /// # Panics
    /// When it does not run, or does not end.
    pub(crate) fn end(&self, ending: Ending) {
        assert!(self.disk_kib.is_none(), "a small disk goes with its service");
        let server = lock(&self.server).take().expect("the service runs");
        let log = match ending {
            Ending::Kill => server.kill(),
            Ending::Terminate => server.terminate().0,
        };
        lock(&self.log).push_str(&log);
    }

    /// Starts it again on the same data, with more in its environment.
    ///
    /// # Panics
    /// When it does not start.
    pub(crate) fn start_again(&self, environment: &[(String, String)]) {
        let server = ServerProcess::start_with(self.folder.path(), "server.toml", environment);
        self.line.set_target(server.address());
        *lock(&self.server) = Some(server);
    }

    /// What the power cut left: bytes of a frame that was being written behind the acknowledged ones, and half an object that has
    /// no name yet. Gives how many files it spoilt. Only while the service does not run.
    ///
    /// # Panics
    /// When a file cannot be written.
    pub(crate) fn tear(&self, entropy: &mut SeededEntropy) -> usize {
        let mut garbage = |longest| {
            let count = usize::try_from(draw(entropy, 1, longest)).expect("few");
            let mut bytes = vec![0; count];
            fill(entropy, &mut bytes);
            bytes
        };
        let staged = files_of(&self.data().join("staging"));
        for path in &staged {
            let mut file = fs::OpenOptions::new()
                .append(true)
                .open(path)
                .expect("a staged file can be written");
            file.write_all(&garbage(1 << 20))
                .expect("a staged file can be written");
        }
        let datasets = self.data().join("objects/datasets");
        let halves = staged.iter().filter_map(|path| path.file_name()?.to_str());
        for name in halves.clone() {
            fs::create_dir_all(&datasets).expect("a folder can be made");
            fs::write(datasets.join(format!("{name}.parquet#1")), garbage(1 << 18))
                .expect("a file can be written");
        }
        staged.len() + halves.count()
    }

    /// Cuts every staged file in half: what no power cut does to bytes that were made sure to be on the disk.
    ///
    /// # Panics
    /// When a file cannot be written.
    pub(crate) fn lose(&self) {
        for path in files_of(&self.data().join("staging")) {
            let file = fs::OpenOptions::new()
                .write(true)
                .open(path)
                .expect("a staged file can be written");
            let length = file.metadata().expect("it is there").len();
            file.set_len(length / 2).expect("a staged file can be written");
        }
    }

    /// Fills a small disk to the last byte; gives the file that does.
    ///
    /// # Panics
    /// When the service does not run.
    pub(crate) fn fill_disk(&self) -> PathBuf {
        let process = self.process().expect("the service runs");
        let data = self.data();
        let inside = data.strip_prefix("/").expect("an absolute path");
        let filler = Path::new("/proc")
            .join(process.to_string())
            .join("root")
            .join(inside)
            .join("filler");
        let mut file = fs::File::create(&filler).expect("a file can be made");
        for piece in [1 << 16, 512] {
            while file.write_all(&vec![0; piece]).is_ok() {}
        }
        filler
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// What all processes logged. Ends the one that runs.
    pub(crate) fn into_log(self) -> String {
        let running = lock(&self.server).take();
        let mut log = self.log.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = running {
            log.push_str(&server.kill());
        }
        log
    }
}

fn files_of(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    files
}
