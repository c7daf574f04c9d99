use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;

/// The password of the server's user, which must not be found where passwords are not.
pub const PASSWORD: &str = "kept-from-logs-7Qz";

const USER: &str = "corridor";

/// An empty database of its own for one test.
#[derive(Debug, Clone)]
pub struct PostgresDatabase {
    server: Arc<Server>,
    name: String,
}

impl PostgresDatabase {
    /// Makes a database. Tests that run at the same time share a server.
    ///
    /// # Panics
    /// When PostgreSQL is not installed or does not start.
    pub fn create() -> Self {
        static RUNNING: Mutex<Weak<Server>> = Mutex::new(Weak::new());
        static MADE: AtomicU32 = AtomicU32::new(0);
        let server = {
            let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
            running.upgrade().unwrap_or_else(|| {
                let server = Arc::new(Server::start());
                *running = Arc::downgrade(&server);
                server
            })
        };
        let name = format!("test_{}", MADE.fetch_add(1, Ordering::Relaxed));
        server.run_sql("postgres", &format!("CREATE DATABASE {name}"));
        Self { server, name }
    }

    /// Where it is, with user and password.
    pub fn url(&self) -> String {
        let folder = self
            .server
            .folder
            .to_str()
            .expect("a temporary folder has a plain name");
        format!(
            "postgres://{USER}:{PASSWORD}@localhost/{}?host={folder}",
            self.name
        )
    }

    /// Runs a statement outside the program under test; gives its rows, one a line.
    ///
    /// # Panics
    /// When the statement fails.
    pub fn run_sql(&self, statement: &str) -> String {
        self.server.run_sql(&self.name, statement)
    }

    /// Cuts every connection to the database, as a restart of the server or a broken line would.
    ///
    /// # Panics
    /// When the server is gone.
    pub fn cut_connections(&self) {
        self.server.run_sql(
            "postgres",
            &format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'",
                self.name
            ),
        );
    }
}

/// A server in a temporary folder. A shell keeps it and waits for the end of its standard input: that comes when this value
/// is dropped, and also when the test's process is killed.
#[derive(Debug)]
struct Server {
    folder: PathBuf,
    binaries: PathBuf,
    keeper: Child,
    log: Option<JoinHandle<()>>,
}

/// Arguments: folder of the programs, the server's folder.
const KEEP: &str = r#"
trap '' HUP INT TERM
"$0/initdb" --pgdata="$1/data" --username=corridor --pwfile="$1/password" --auth=scram-sha-256 --no-sync \
    --encoding=UTF8 --locale=C >&2 || exit 1
"$0/postgres" -D "$1/data" -k "$1" -c listen_addresses='' -c fsync=off -c max_connections=200 -c shared_buffers=16MB \
    </dev/null >&2 &
read -r _
kill -QUIT $!
wait $!
rm -rf "$1"
"#;

impl Server {
    fn start() -> Self {
        let binaries = find_binaries();
        // Short, since the path of a socket may have no more than 107 bytes, and where another user may go.
        let folder = tempfile::Builder::new()
            .prefix("corridor-pg-")
            .tempdir_in("/tmp")
            .expect("a folder can be made")
            .keep();
        fs::write(folder.join("password"), PASSWORD).expect("a file can be written");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).expect("the folder is ours");
        let mut command = Command::new("sh");
        command.args([
            OsStr::new("-c"),
            KEEP.as_ref(),
            binaries.as_os_str(),
            folder.as_os_str(),
        ]);
        // PostgreSQL does not run as root.
        if let Some((user, group)) = user_to_become() {
            for path in [&folder.join("password"), &folder] {
                chown(path, Some(user), Some(group)).expect("root may give files away");
            }
            command.uid(user).gid(group);
        }
        let mut keeper = command
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a shell runs");
        let mut log = BufReader::new(keeper.stderr.take().expect("standard error is piped")).lines();
        let mut said = String::new();
        while !said.contains("ready to accept connections") {
            let line = log.next().and_then(Result::ok);
            let line = line.unwrap_or_else(|| panic!("PostgreSQL ended: {said}"));
            said += &line;
            said.push('\n');
        }
        // Reading on keeps the pipe from filling.
        let log = std::thread::spawn(move || log.for_each(drop));
        Self {
            folder,
            binaries,
            keeper,
            log: Some(log),
        }
    }

    fn run_sql(&self, database: &str, statement: &str) -> String {
        let output = Command::new(self.binaries.join("psql"))
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
            .args(["--set", "ON_ERROR_STOP=1", "--username", USER, "--host"])
            .arg(&self.folder)
            .args(["--dbname", database, "--command", statement])
            .env("PGPASSWORD", PASSWORD)
            .output()
            .expect("psql runs");
        assert!(
            output.status.success(),
            "{statement}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The end of its input is the sign to end.
        drop(self.keeper.stdin.take());
        drop(self.keeper.wait());
        if let Some(log) = self.log.take() {
            drop(log.join());
        }
    }
}

/// The newest installed version's folder of programs.
fn find_binaries() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let newest = versions
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .max()
        .map(|version| {
            Path::new("/usr/lib/postgresql")
                .join(version.to_string())
                .join("bin")
        });
    newest
        .or_else(|| {
            let output = Command::new("pg_config").arg("--bindir").output().ok()?;
            Some(PathBuf::from(String::from_utf8(output.stdout).ok()?.trim_end()))
        })
        .filter(|folder| folder.join("initdb").exists())
        .expect("PostgreSQL is installed, as tests/run does")
}

/// The user and group to run the server as, when this is root.
fn user_to_become() -> Option<(u32, u32)> {
    let id = |arguments: &[&str]| -> Option<u32> {
        let output = Command::new("id").args(arguments).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim_end().parse().ok()
    };
    if id(&["-u"])? != 0 {
        return None;
    }
    ["postgres", "nobody"]
        .into_iter()
        .find_map(|name| Some((id(&["-u", name])?, id(&["-g", name])?)))
}
