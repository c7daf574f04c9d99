use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use corridor_cli::Connection;
use corridor_core::{Digest, SeededEntropy, fill};
use corridor_testkit::{PASSWORD, PostgresDatabase};
use tempfile::TempDir;

use crate::binaries::{Outcome, ServerProcess, corridor, server_command};
use crate::draw::draw;
use crate::job::write_private;
use crate::poor_line::{LineFaults, PoorLine};
use crate::sample::{DESTINATION, ORIGIN};

/// The sample config of the same version, so that a program built once goes on working while the tree changes.
const SAMPLE_CONFIG: &str = include_str!("../../deploy/corridor-server.toml");

/// The folder of uploads under way.
const STAGING: &str = "data/staging";

/// Who calls: the two offices of [`crate::sample`].
pub(crate) const CALLERS: [&str; 2] = [ORIGIN, DESTINATION];

/// A service of its own process, its data and its certificates, and the line the offices reach it over.
pub(crate) struct World {
    folder: TempDir,
    server: Mutex<Option<ServerProcess>>,
    /// What was logged by the processes that ended.
    log: Mutex<String>,
    line: PoorLine,
    storage: Storage,
    database: Option<PostgresDatabase>,
}

/// On what a service keeps its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Storage {
    /// A folder, with SQLite in it.
    Folder,
    /// The same on a new disk of so many KiB, which goes with its service.
    SmallDisk(u32),
    /// The same with uploads under way on a new disk of so many KiB, which goes with its service.
    StagingDisk(u32),
    /// A folder, and a database of PostgreSQL.
    Postgres,
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
    /// Starts a service that has nothing yet.
    ///
    /// # Panics
    /// When it does not start.
    pub(crate) fn start(faults: LineFaults, storage: Storage, database: Option<PostgresDatabase>) -> Self {
        Self::start_with(faults, (storage, database), &[])
    }

    /// The same with texts of the sample config replaced by others.
    ///
    /// # Panics
    /// As [`World::start`], and when a text is not there.
    pub(crate) fn start_with(
        faults: LineFaults,
        (storage, database): (Storage, Option<PostgresDatabase>),
        settings: &[(&str, &str)],
    ) -> Self {
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
        if let Some(database) = &database {
            config.push_str("\n[database]\nurl_file = \"database.url\"\n");
            write_private(&folder.path().join("database.url"), &database.url())
                .expect("a file can be written");
        }
        fs::write(folder.path().join("server.toml"), config).expect("a file can be written");
        let server = match storage {
            Storage::Folder | Storage::Postgres => ServerProcess::start(folder.path(), "server.toml"),
            Storage::SmallDisk(kib) => {
                ServerProcess::start_on_small_disk(folder.path(), "server.toml", "data", kib)
            }
            Storage::StagingDisk(kib) => {
                ServerProcess::start_on_small_disk(folder.path(), "server.toml", STAGING, kib)
            }
        };
        let line = PoorLine::start(server.address(), faults);
        Self {
            folder,
            server: Mutex::new(Some(server)),
            log: Mutex::new(String::new()),
            line,
            storage,
            database,
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
        assert!(self.is_lasting(), "a small disk goes with its service");
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
        let filler = self.data().join("filler");
        let mut file = fs::File::create(&filler).expect("a file can be made");
        for piece in [1 << 16, 512] {
            while file.write_all(&vec![0; piece]).is_ok() {}
        }
        filler
    }

    /// Has the disk of the uploads be read-only, or written again; whether it could be done, which it cannot while a file is open
    /// to be written.
    ///
    /// # Panics
    /// When the service does not run.
    pub(crate) fn set_staging_writable(&self, is_writable: bool) -> bool {
        let staging = self.folder.path().join(STAGING);
        let server = lock(&self.server);
        let server = server.as_ref().expect("the service runs");
        server.remount(&staging, is_writable)
    }

    /// Whether what is stored outlives its service.
    pub(crate) const fn is_lasting(&self) -> bool {
        match self.storage {
            Storage::Folder | Storage::Postgres => true,
            Storage::SmallDisk(_) | Storage::StagingDisk(_) => false,
        }
    }

    /// The PostgreSQL server is gone from one moment to the next.
    ///
    /// # Panics
    /// When there is none, or it is gone already.
    pub(crate) fn stop_database(&self) {
        self.database.as_ref().expect("it is PostgreSQL").stop_server();
    }

    /// The PostgreSQL server is back.
    ///
    /// # Panics
    /// When there is none, or it does not start.
    pub(crate) fn start_database(&self) {
        self.database.as_ref().expect("it is PostgreSQL").start_server();
    }

    /// A digest of the stored bytes of a sealed dataset, encrypted as they are; `None` when there are none.
    pub(crate) fn stored(&self, dataset: Digest) -> Option<Digest> {
        fs::read(self.object(dataset))
            .ok()
            .map(|bytes| Digest::of(&bytes))
    }

    /// Puts bytes where those of a dataset were.
    ///
    /// # Panics
    /// When they cannot be written.
    pub(crate) fn plant(&self, dataset: Digest) {
        fs::write(self.object(dataset), b"back again").expect("a file can be written");
    }

    fn object(&self, dataset: Digest) -> PathBuf {
        self.data().join(format!("objects/datasets/{dataset}.parquet"))
    }

    /// Files of the data folder that belong to a dataset or a run by their name or by that of a folder they are in, below it.
    pub(crate) fn files_of(&self, id: Digest) -> Vec<String> {
        let (data, id) = (self.data(), id.to_string());
        let mut found = Vec::new();
        let mut open = vec![data.clone()];
        while let Some(folder) = open.pop() {
            // A folder may go while it is looked at.
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    open.push(path);
                    continue;
                }
                let name = path.strip_prefix(&data).ok().and_then(Path::to_str);
                found.extend(name.filter(|name| name.contains(&id)).map(str::to_owned));
            }
        }
        found.sort();
        found
    }

    /// The data folder, as its service sees it.
    fn data(&self) -> PathBuf {
        let data = self.folder.path().join("data");
        if self.is_lasting() {
            return data;
        }
        let process = self.process().expect("the service runs");
        let inside = data.strip_prefix("/").expect("an absolute path");
        Path::new("/proc")
            .join(process.to_string())
            .join("root")
            .join(inside)
    }

    /// What all processes logged. Ends the one that runs.
    ///
    /// # Panics
    /// When the password of the database is in it.
    pub(crate) fn into_log(self) -> String {
        let running = lock(&self.server).take();
        let mut log = self.log.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = running {
            log.push_str(&server.kill());
        }
        assert!(!log.contains(PASSWORD), "a password is in the log");
        log
    }
}

fn files_of(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    files
}
