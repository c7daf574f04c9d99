use std::collections::BTreeSet;
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use corridor_core::OfficeId;
use corridor_engine::{RunLimits, SetBy};
use corridor_store::{DatabaseOptions, DatabaseUrlError, StoreOptions};
use serde::Deserialize;
use zeroize::Zeroizing;

/// Settings of the service, read from TOML. Unknown keys are errors; a relative path is relative to the file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// Folder of the bulk data, and of the database when that is SQLite.
    pub data_folder: PathBuf,
    /// The database; SQLite in the data folder when not said.
    #[serde(default)]
    pub database: DatabaseConfig,
    /// Threads that compare; one per core when 0 or not said.
    #[serde(default)]
    pub compute_threads: usize,
    /// Whether gRPC server reflection is on; off when not said.
    #[serde(default)]
    pub reflection: bool,
    /// Certificates of the service and of those who may call it.
    pub tls: TlsConfig,
    /// The offices that may call, and the names in their certificates.
    pub offices: Vec<OfficeConfig>,
    /// Bounds.
    #[serde(default)]
    pub limits: LimitsConfig,
    /// Log.
    #[serde(default)]
    pub log: LogConfig,
}

/// Where the URL of a PostgreSQL database is read from. It holds a password, so it does not stand here itself. SQLite in the data
/// folder when neither is said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseConfig {
    /// A file with the URL, which its owner alone may read.
    pub url_file: Option<PathBuf>,
    /// The environment variable with the URL.
    pub url_env: Option<String>,
}

/// Certificates, in PEM.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// The service's certificate, with its chain.
    pub certificate: PathBuf,
    /// Its private key.
    pub private_key: PathBuf,
    /// The authority that signs the certificates of offices.
    pub client_ca: PathBuf,
}

/// An office that may call.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfficeConfig {
    /// Its id in agreements.
    pub id: OfficeId,
    /// The common name in its certificate.
    pub certificate_name: String,
}

/// Bounds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Bytes of the largest message taken; 4 MiB when not said.
    pub max_message_bytes: usize,
    /// Bytes of the largest dataset taken; 16 GiB when not said.
    pub max_dataset_bytes: u64,
    /// Seconds a call may take before its answer begins; 120 when not said.
    pub call_timeout_s: u64,
    /// Calls one connection may have under way; 64 when not said.
    pub max_calls_per_connection: usize,
    /// Bytes of memory one run may have; 16 GiB when not said. A run that would need more is refused.
    pub max_run_memory_bytes: u64,
    /// Candidate pairs one run may have; 100 million when not said. A run that expects more is refused, and one that finds more is
    /// stopped.
    pub max_run_candidates: u64,
    /// Seconds one run may be expected to take; as long as it takes when not said.
    pub max_run_seconds: Option<u64>,
}

impl LimitsConfig {
    /// The bounds of one run.
    pub const fn to_run_limits(&self) -> RunLimits {
        RunLimits {
            max_memory_bytes: self.max_run_memory_bytes,
            max_candidates: self.max_run_candidates,
            max_seconds: self.max_run_seconds,
            set_by: SetBy::Operator,
        }
    }
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            max_message_bytes: 4 << 20,
            max_dataset_bytes: 16 << 30,
            call_timeout_s: 120,
            max_calls_per_connection: 64,
            max_run_memory_bytes: RunLimits::DEFAULT.max_memory_bytes,
            max_run_candidates: RunLimits::DEFAULT.max_candidates,
            max_run_seconds: RunLimits::DEFAULT.max_seconds,
        }
    }
}

/// Log.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// What is logged, as in `info,corridor_engine=debug`; `info` when not said.
    pub filter: String,
    /// Whether lines are JSON; text when not said.
    pub json: bool,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            filter: "info".to_owned(),
            json: false,
        }
    }
}

/// A config file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A setting that cannot be.
    #[error("{file}: {key} {problem}")]
    Invalid {
        /// The file.
        file: String,
        /// The key.
        key: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// The file cannot be read.
    #[error("cannot read {file}")]
    Read {
        /// The file.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not understood.
    #[error("{file} is not understood: {problem}")]
    Syntax {
        /// The file.
        file: String,
        /// Where and why.
        problem: String,
    },
}

impl Config {
    /// Reads and checks a config file.
    ///
    /// # Errors
    /// When the file cannot be read, has an unknown key, or a setting cannot be.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            file: file.clone(),
            source,
        })?;
        let mut config: Self = toml::from_str(&text).map_err(|error| ConfigError::Syntax {
            file: file.clone(),
            problem: error.to_string().trim_end().to_owned(),
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        for path in [
            &mut config.data_folder,
            &mut config.tls.certificate,
            &mut config.tls.private_key,
            &mut config.tls.client_ca,
        ] {
            *path = folder.join(&*path);
        }
        if let Some(path) = &mut config.database.url_file {
            *path = folder.join(&*path);
        }
        config.validate(&file)?;
        Ok(config)
    }

    fn validate(&self, file: &str) -> Result<(), ConfigError> {
        let fail = |key, problem: &str| {
            Err(ConfigError::Invalid {
                file: file.to_owned(),
                key,
                problem: problem.to_owned(),
            })
        };
        let ids: BTreeSet<_> = self.offices.iter().map(|office| &office.id).collect();
        let names: BTreeSet<_> = self
            .offices
            .iter()
            .map(|office| &office.certificate_name)
            .collect();
        if self.offices.is_empty() || ids.len() != self.offices.len() || names.len() != self.offices.len() {
            return fail(
                "offices",
                "must list at least one office, each id and certificate_name once",
            );
        }
        if self.database.url_file.is_some() && self.database.url_env.is_some() {
            return fail("database", "must say url_file or url_env, not both");
        }
        if !(2 << 20..=64 << 20).contains(&self.limits.max_message_bytes) {
            return fail("limits.max_message_bytes", "must be from 2 MiB to 64 MiB");
        }
        if self.limits.call_timeout_s == 0 {
            return fail("limits.call_timeout_s", "must be above 0");
        }
        if self.limits.max_calls_per_connection == 0 {
            return fail("limits.max_calls_per_connection", "must be above 0");
        }
        if self.limits.max_run_memory_bytes == 0 {
            return fail("limits.max_run_memory_bytes", "must be above 0");
        }
        if self.limits.max_run_candidates == 0 {
            return fail("limits.max_run_candidates", "must be above 0");
        }
        if self.limits.max_run_seconds == Some(0) {
            return fail("limits.max_run_seconds", "must be above 0, or left out");
        }
        Ok(())
    }
}

/// Why there is no database to go to. Says nothing of the URL.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseConfigError {
    /// The environment variable is not there.
    #[error("database.url_env: there is no environment variable {0}, or it is not text")]
    Environment(String),
    /// Others may read the file.
    #[error("database.url_file: others than its owner may read {0}; run chmod 600 on it")]
    Mode(String),
    /// The file cannot be read.
    #[error("database.url_file: cannot read {file}")]
    Read {
        /// The file.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// The URL cannot be.
    #[error("{key}: {problem}")]
    Url {
        /// Where it came from.
        key: &'static str,
        /// What is wrong.
        problem: DatabaseUrlError,
    },
}

impl Config {
    /// Where the state of the service is, with the URL of its database read from where the settings say.
    ///
    /// # Errors
    /// When the URL cannot be read, others may read its file, or it is none of a database that may be used.
    pub fn to_store_options(&self) -> Result<StoreOptions, DatabaseConfigError> {
        Ok(StoreOptions {
            folder: self.data_folder.clone(),
            database: self.database.to_options()?,
        })
    }
}

impl DatabaseConfig {
    fn to_options(&self) -> Result<DatabaseOptions, DatabaseConfigError> {
        let (key, text) = if let Some(path) = &self.url_file {
            ("database.url_file", read_private(path)?)
        } else if let Some(name) = &self.url_env {
            #[expect(clippy::disallowed_methods, reason = "a setting that names where a secret is")]
            let text = std::env::var(name).map_err(|_| DatabaseConfigError::Environment(name.clone()))?;
            ("database.url_env", Zeroizing::new(text))
        } else {
            return Ok(DatabaseOptions::Sqlite);
        };
        let url = text
            .parse()
            .map_err(|problem| DatabaseConfigError::Url { key, problem })?;
        Ok(DatabaseOptions::Postgres { url })
    }
}

/// A file its owner alone may read.
fn read_private(path: &Path) -> Result<Zeroizing<String>, DatabaseConfigError> {
    let file = path.display().to_string();
    let fail = |source| DatabaseConfigError::Read {
        file: file.clone(),
        source,
    };
    let mut opened = std::fs::File::open(path).map_err(fail)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        if opened.metadata().map_err(fail)?.permissions().mode() & 0o077 != 0 {
            return Err(DatabaseConfigError::Mode(file));
        }
    }
    let mut text = Zeroizing::new(String::new());
    opened.read_to_string(&mut text).map_err(fail)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = include_str!("../../../deploy/corridor-server.toml");

    fn load(text: &str) -> Result<Config, ConfigError> {
        let path = std::env::temp_dir().join(format!(
            "corridor-config-{}-{:?}.toml",
            std::process::id(),
            std::thread::current().id()
        ));
        std::fs::write(&path, text).unwrap();
        let config = Config::load(&path);
        std::fs::remove_file(&path).unwrap();
        config
    }

    #[test]
    fn the_sample_is_read_and_says_the_defaults() {
        let config = load(SAMPLE).unwrap();
        assert_eq!(config.limits, LimitsConfig::default());
        assert_eq!(config.log, LogConfig::default());
        assert_eq!((config.compute_threads, config.reflection), (0, false));
        assert!(config.data_folder.ends_with("data"));
    }

    #[test]
    fn unknown_keys_and_impossible_settings_are_refused() {
        for (from, to, expected) in [
            ("reflection", "reflexion", "reflexion"),
            (
                "call_timeout_s = 120",
                "call_timeout_s = 0",
                "limits.call_timeout_s",
            ),
            (
                "max_message_bytes = 4194304",
                "max_message_bytes = 1",
                "limits.max_message_bytes",
            ),
            (
                "max_run_candidates = 100000000",
                "max_run_candidates = 0",
                "limits.max_run_candidates",
            ),
            (
                "max_run_memory_bytes = 17179869184",
                "max_run_memory_bytes = 0",
                "limits.max_run_memory_bytes",
            ),
            (
                "# max_run_seconds = 86400",
                "max_run_seconds = 0",
                "limits.max_run_seconds",
            ),
            (
                "[log]",
                "[database]\nurl_file = \"a\"\nurl_env = \"B\"\n[log]",
                "database must say url_file or url_env",
            ),
            ("id = \"ISTAT\"", "id = \"INS-TN\"", "offices"),
            ("id = \"ISTAT\"", "id = \"istat\"", "office id"),
        ] {
            let text = SAMPLE.replace(from, to);
            assert_ne!(text, SAMPLE, "{from} is in the sample");
            let error = load(&text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn the_url_of_a_database_is_read_from_a_private_file_or_the_environment_and_never_shown() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("database.url");
        let with_file = DatabaseConfig {
            url_file: Some(path.clone()),
            url_env: None,
        };
        let write = |text: &str, mode| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        let missing = with_file.to_options().unwrap_err().to_string();
        assert!(missing.contains("cannot read"), "{missing}");
        write("postgres://u:secret@localhost/d\n", 0o640);
        let open = with_file.to_options().unwrap_err().to_string();
        assert!(open.contains("chmod 600"), "{open}");
        write("postgres://u:secret@localhost/d\n", 0o600);
        let options = with_file.to_options().unwrap();
        assert!(matches!(options, DatabaseOptions::Postgres { .. }));
        write("postgres://u:secret@far.example/d", 0o600);
        let far = with_file.to_options().unwrap_err();
        assert!(far.to_string().contains("sslmode=verify-full"), "{far}");
        // A variable every process of cargo has.
        let with_env = |name: &str| DatabaseConfig {
            url_file: None,
            url_env: Some(name.to_owned()),
        };
        let path = with_env("CARGO_PKG_NAME").to_options().unwrap_err();
        let none = with_env("NO_SUCH_NAME").to_options().unwrap_err();
        assert!(none.to_string().contains("NO_SUCH_NAME"), "{none}");
        assert!(!path.to_string().contains("corridor-server"), "{path}");
        let shown = format!("{options:?} {far} {far:?} {open} {with_file:?}");
        assert!(!shown.contains("secret"), "{shown}");
        let neither = DatabaseConfig::default().to_options().unwrap();
        assert!(matches!(neither, DatabaseOptions::Sqlite));
    }
}
