use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

/// The password of the server's user, which must not be found where passwords are not.
pub const PASSWORD: &str = "kept-from-logs-7Qz";

const USER: &str = "corridor";

/// How long an order may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

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
        let server = {
            let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
            running.upgrade().unwrap_or_else(|| {
                let server = Arc::new(Server::start());
                *running = Arc::downgrade(&server);
                server
            })
        };
        Self::create_on(server)
    }

    /// Makes a database on a server that nobody else uses, so that it can be stopped.
    ///
    /// # Panics
    /// As [`PostgresDatabase::create`].
    pub fn create_alone() -> Self {
        Self::create_on(Arc::new(Server::start()))
    }

    /// Makes another empty database on the same server.
    ///
    /// # Panics
    /// When the server does not run.
    #[must_use]
    pub fn create_beside(&self) -> Self {
        Self::create_on(Arc::clone(&self.server))
    }

    fn create_on(server: Arc<Server>) -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
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

    /// Stops the server at once, without a word to those connected and without a last checkpoint, as when its process crashes.
    ///
    /// # Panics
    /// When it does not run.
    pub fn stop_server(&self) {
        self.server.order("stop", STOPPED);
    }

    /// Starts the server again on what is on its disk, and waits until it has recovered.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_server(&self) {
        self.server.order("start", READY);
    }
}

/// A server in a temporary folder. A shell keeps it, takes orders on its standard input and waits for the end of it: that comes
/// when this value is dropped, and also when the test's process is killed.
#[derive(Debug)]
struct Server {
    folder: PathBuf,
    binaries: PathBuf,
    keeper: Mutex<Keeper>,
    log: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Keeper {
    shell: Child,
    /// [`READY`] and [`STOPPED`], each time it is said.
    said: Receiver<String>,
}

/// What the server says when it can be used, and its keeper when it has stopped.
const READY: &str = "ready to accept connections";
const STOPPED: &str = "the keeper stopped it";

/// Arguments: folder of the programs, the server's folder.
const KEEP: &str = r#"
trap '' HUP INT TERM
"$0/initdb" --pgdata="$1/data" --username=corridor --pwfile="$1/password" --auth=scram-sha-256 --no-sync \
    --encoding=UTF8 --locale=C >&2 || exit 1
start() {
    "$0/postgres" -D "$1/data" -k "$1" -c listen_addresses='' -c fsync=off -c max_connections=200 \
        -c shared_buffers=16MB </dev/null >&2 &
    server=$!
}
stop() {
    if [ -n "$server" ]; then
        kill -QUIT "$server"
        wait "$server"
        server=
    fi
}
start "$1"
while read -r order; do
    case $order in
    stop) stop && echo "the keeper stopped it" >&2 ;;
    start) start "$1" ;;
    esac
done
stop
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
        let mut shell = command
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a shell runs");
        let mut log = BufReader::new(shell.stderr.take().expect("standard error is piped")).lines();
        let mut said = String::new();
        while !said.contains(READY) {
            let line = log.next().and_then(Result::ok);
            let line = line.unwrap_or_else(|| panic!("PostgreSQL ended: {said}"));
            said += &line;
            said.push('\n');
        }
        let (sender, said) = mpsc::channel();
        // Reading on keeps the pipe from filling.
        let log = std::thread::spawn(move || {
            for line in log.map_while(Result::ok) {
                if let Some(words) = [READY, STOPPED].into_iter().find(|words| line.contains(words)) {
                    // There is nobody to tell while the server is being dropped.
                    drop(sender.send(words.to_owned()));
                }
            }
        });
        Self {
            folder,
            binaries,
            keeper: Mutex::new(Keeper { shell, said }),
            log: Some(log),
        }
    }

    /// Gives an order and waits until it is carried out.
    fn order(&self, order: &str, done: &str) {
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        let orders = keeper.shell.stdin.as_mut().expect("standard input is piped");
        writeln!(orders, "{order}").expect("the keeper takes orders");
        let said = keeper
            .said
            .recv_timeout(PATIENCE)
            .expect("the order is carried out");
        assert_eq!(said, done, "the order was {order}");
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
        let keeper = self.keeper.get_mut().unwrap_or_else(PoisonError::into_inner);
        // The end of its input is the sign to end.
        drop(keeper.shell.stdin.take());
        drop(keeper.shell.wait());
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
