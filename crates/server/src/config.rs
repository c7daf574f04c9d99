use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use corridor_core::audit::LogOrigin;
use corridor_core::{Entropy, OfficeId, Role};
use corridor_engine::{AuditKey, CandidateMemory, RunLimits, SetBy, StoreError};
use serde::Deserialize;

use crate::database::DatabaseConfig;
use crate::operations::{GrpcWebConfig, OperationsConfig, TelemetryConfig};
use crate::storage::{BulkConfig, EncryptionConfig};

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
    /// The parties that may call, and the names in their certificates.
    pub parties: Vec<PartyConfig>,
    /// Where datasets and results are kept.
    #[serde(default)]
    pub bulk: BulkConfig,
    /// Where the master key is.
    #[serde(default)]
    pub encryption: EncryptionConfig,
    /// Bounds.
    #[serde(default)]
    pub limits: LimitsConfig,
    /// Audit log.
    #[serde(default)]
    pub audit: AuditConfig,
    /// Log.
    #[serde(default)]
    pub log: LogConfig,
    /// What operators watch the service by.
    #[serde(default)]
    pub operations: OperationsConfig,
    /// Traces.
    #[serde(default)]
    pub telemetry: TelemetryConfig,
    /// Calls from browsers.
    #[serde(default)]
    pub grpc_web: GrpcWebConfig,
}

/// Audit log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuditConfig {
    /// The key checkpoints are signed with, made when it is not there; `audit.key` in the data folder when not said.
    pub key: Option<PathBuf>,
    /// The name of the log, as in `linkage.example/audit`; one made of the key when not said.
    pub origin: Option<String>,
}

/// Certificates, in PEM.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// The service's certificate, with its chain.
    pub certificate: PathBuf,
    /// Its private key.
    pub private_key: PathBuf,
    /// The authority that signs the certificates of parties.
    pub client_ca: PathBuf,
    /// What that authority revoked; nothing is looked up when not said.
    pub revocations: Option<PathBuf>,
    /// Seconds after which certificates, revocations and parties are read again; 10 when not said.
    #[serde(default = "default_reload_s")]
    pub reload_s: u64,
}

const fn default_reload_s() -> u64 {
    10
}

/// A party that may call.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartyConfig {
    /// Its short name; of an office, its id in agreements.
    pub id: OfficeId,
    /// What it is to the service.
    pub role: Role,
    /// The common name in its certificate.
    pub certificate_name: String,
    /// Its own bounds, in place of `limits.each_party`.
    #[serde(default)]
    pub limits: Option<PartyLimits>,
}

/// What a party may have of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartyLimits {
    /// Calls a second, in the long run.
    pub calls_per_second: NonZeroU32,
    /// Calls at once after a while of none.
    pub call_burst: NonZeroU32,
    /// Calls under way.
    pub max_calls: NonZeroU32,
    /// Uploads under way.
    pub max_uploads: NonZeroU32,
    /// Streams being read, such as watched runs.
    pub max_streams: NonZeroU32,
}

impl PartyLimits {
    /// 50 calls a second, 200 at once, 32 under way, 2 uploads, 32 streams.
    pub const DEFAULT: Self = Self {
        calls_per_second: NonZeroU32::new(50).expect("not 0"),
        call_burst: NonZeroU32::new(200).expect("not 0"),
        max_calls: NonZeroU32::new(32).expect("not 0"),
        max_uploads: NonZeroU32::new(2).expect("not 0"),
        max_streams: NonZeroU32::new(32).expect("not 0"),
    };
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
    /// Seconds a call may take that reads or compares whole datasets; 3,600 when not said.
    pub long_call_timeout_s: u64,
    /// Seconds an upload may send nothing; 60 when not said.
    pub idle_timeout_s: u64,
    /// Calls one connection may have under way; 64 when not said.
    pub max_calls_per_connection: usize,
    /// Connections that may be open with one certificate; 256 when not said.
    pub max_connections_per_certificate: usize,
    /// What each party may have, unless it has bounds of its own.
    pub each_party: PartyLimits,
    /// Bytes of memory one run may have; 16 GiB when not said. A run that would need more is refused.
    pub max_run_memory_bytes: u64,
    /// Candidate pairs one run may have; 100 million when not said. A run that expects more is refused, and one that finds more is
    /// stopped.
    pub max_run_candidates: u64,
    /// Candidate pairs of one run that are held in memory at a time, about, 16 bytes each; 50 million when not said. Others are sorted on
    /// disk, in the data folder.
    pub max_run_candidates_in_memory: u64,
    /// Seconds one run may be expected to take; as long as it takes when not said.
    pub max_run_seconds: Option<u64>,
    /// Days after its seal that a dataset is kept over which no table was released; for ever when not said.
    pub max_unreleased_days: Option<u32>,
}

impl LimitsConfig {
    /// The bounds of one run.
    pub const fn to_run_limits(&self) -> RunLimits {
        RunLimits {
            max_memory_bytes: self.max_run_memory_bytes,
            max_candidates: self.max_run_candidates,
            candidates_in_memory: self.max_run_candidates_in_memory,
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
            long_call_timeout_s: 3600,
            idle_timeout_s: 60,
            each_party: PartyLimits::DEFAULT,
            max_calls_per_connection: 64,
            max_connections_per_certificate: 256,
            max_run_memory_bytes: RunLimits::DEFAULT.max_memory_bytes,
            max_run_candidates: RunLimits::DEFAULT.max_candidates,
            max_run_candidates_in_memory: RunLimits::DEFAULT.candidates_in_memory,
            max_run_seconds: RunLimits::DEFAULT.max_seconds,
            max_unreleased_days: None,
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

impl AuditConfig {
    /// Opens the key, or makes it.
    ///
    /// # Errors
    /// When it cannot be used.
    pub fn open_key(&self, data_folder: &Path, entropy: &mut dyn Entropy) -> Result<AuditKey, StoreError> {
        let path = self.key.clone().unwrap_or_else(|| data_folder.join("audit.key"));
        let origin = self.origin.as_deref().and_then(|origin| origin.parse().ok());
        AuditKey::open(&path, origin, entropy)
    }
}

impl Config {
    /// Reads and checks a config file.
    ///
    /// # Errors
    /// When the file cannot be read, has an unknown key, or a setting cannot be.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            file: path.display().to_string(),
            source,
        })?;
        Self::parse(&text, path)
    }

    /// Understands and checks the text of a config file; `path` is where it lies: paths in it are relative to its folder, and errors
    /// name it.
    ///
    /// # Errors
    /// When it has an unknown key, or a setting cannot be.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let file = path.display().to_string();
        let mut config: Self = toml::from_str(text).map_err(|error| ConfigError::Syntax {
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
        for path in config.bulk.paths().chain(config.encryption.paths()) {
            *path = folder.join(&*path);
        }
        let optional = [
            &mut config.audit.key,
            &mut config.database.url_file,
            &mut config.telemetry.otlp_ca,
            &mut config.tls.revocations,
        ];
        for path in optional.into_iter().flatten() {
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
        let names: BTreeSet<_> = self.parties.iter().map(|party| &party.certificate_name).collect();
        if self.parties.is_empty() || names.len() != self.parties.len() {
            return fail(
                "parties",
                "must list at least one party, each certificate_name once",
            );
        }
        // One allowance counts for all certificates of a party.
        let differs = self.parties.iter().enumerate().any(|(at, party)| {
            self.parties[..at].iter().any(|other| {
                (&other.id, other.role) == (&party.id, party.role) && other.limits != party.limits
            })
        });
        if differs {
            return fail(
                "parties.limits",
                "must be the same for every certificate of a party in a role",
            );
        }
        if !self.encryption.is_sound() {
            return fail(
                "encryption",
                "must name one of key_file, key_env and key_command, or none",
            );
        }
        let origin = self.audit.origin.as_deref().map(str::parse::<LogOrigin>);
        if origin.is_some_and(|origin| origin.is_err()) {
            return fail("audit.origin", "must be 1 to 120 of A-Z, a-z, 0-9 and -._/");
        }
        if self.database.url_file.is_some() && self.database.url_env.is_some() {
            return fail("database", "must say url_file or url_env, not both");
        }
        if self.tls.reload_s == 0 {
            return fail("tls.reload_s", "must be above 0");
        }
        if !(2 << 20..=64 << 20).contains(&self.limits.max_message_bytes) {
            return fail("limits.max_message_bytes", "must be from 2 MiB to 64 MiB");
        }
        if self.limits.call_timeout_s == 0 {
            return fail("limits.call_timeout_s", "must be above 0");
        }
        if self.limits.long_call_timeout_s == 0 {
            return fail("limits.long_call_timeout_s", "must be above 0");
        }
        if self.limits.idle_timeout_s == 0 {
            return fail("limits.idle_timeout_s", "must be above 0");
        }
        if self.limits.max_calls_per_connection == 0 {
            return fail("limits.max_calls_per_connection", "must be above 0");
        }
        if self.limits.max_connections_per_certificate == 0 {
            return fail("limits.max_connections_per_certificate", "must be above 0");
        }
        if self.limits.max_run_memory_bytes == 0 {
            return fail("limits.max_run_memory_bytes", "must be above 0");
        }
        if self.limits.max_run_candidates == 0 {
            return fail("limits.max_run_candidates", "must be above 0");
        }
        // Pairs are numbered in 32 bits where fields decide.
        if self.limits.max_run_candidates > u64::from(u32::MAX) {
            return fail("limits.max_run_candidates", "must be at most 4294967295");
        }
        if self.limits.max_run_candidates_in_memory < CandidateMemory::LEAST {
            return fail("limits.max_run_candidates_in_memory", "must be at least 65536");
        }
        if self.limits.max_run_seconds == Some(0) {
            return fail("limits.max_run_seconds", "must be above 0, or left out");
        }
        if self.limits.max_unreleased_days == Some(0) {
            return fail("limits.max_unreleased_days", "must be above 0, or left out");
        }
        if self.listen.port() != 0 && self.operations.listen == Some(self.listen) {
            return fail("operations.listen", "must be another address or port than listen");
        }
        let watched = self.operations.validate();
        let watched = watched.and_then(|()| self.telemetry.validate());
        watched
            .and_then(|()| self.grpc_web.origins().map(drop))
            .or_else(|(key, problem)| fail(key, &problem))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = include_str!("../../../deploy/corridor-server.toml");

    fn load(text: &str) -> Result<Config, ConfigError> {
        Config::parse(text, Path::new("corridor-server.toml"))
    }

    #[test]
    fn the_sample_is_read_and_says_the_defaults() {
        let config = load(SAMPLE).unwrap();
        assert_eq!(config.limits, LimitsConfig::default());
        assert_eq!(config.log, LogConfig::default());
        assert_eq!(config.operations, OperationsConfig::default());
        assert_eq!(config.telemetry, TelemetryConfig::default());
        assert_eq!(config.grpc_web, GrpcWebConfig::default());
        assert_eq!((config.compute_threads, config.reflection), (0, false));
        assert_eq!(
            (config.bulk, config.encryption),
            (BulkConfig::default(), EncryptionConfig::default())
        );
        assert!(config.data_folder.ends_with("data"));
    }

    /// What the sample names only in a comment can be set as it says there, each by itself.
    #[test]
    fn every_key_the_sample_leaves_out_can_be_set() {
        let lines: Vec<&str> = SAMPLE.lines().collect();
        let is_key =
            |line: &str| line.strip_prefix("# ").and_then(|rest| rest.split(' ').nth(1)) == Some("=");
        let left_out: Vec<usize> = (0..lines.len()).filter(|&at| is_key(lines[at])).collect();
        assert!(left_out.len() >= 4, "{left_out:?}");
        for at in left_out {
            let line = lines[at];
            let mut text = SAMPLE.replace(line, &line[2..]);
            // A section that is left out as a whole begins in a comment, too.
            let section = lines[..at]
                .iter()
                .rev()
                .find(|line| line.starts_with('[') || line.starts_with("# ["));
            if let Some(section) = section.and_then(|section| section.strip_prefix("# ")) {
                text = text.replace(&format!("# {section}"), section);
            }
            // An authority is of use with an address alone.
            if line.starts_with("# otlp_ca") {
                text = text.replace("# otlp_endpoint = \"http:", "otlp_endpoint = \"https:");
            }
            let config = load(&text).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_ne!(config, load(SAMPLE).unwrap(), "{line}");
        }
        let config = load(&SAMPLE.replace("# listen", "listen")).unwrap();
        assert_eq!(config.operations.listen, Some(([127, 0, 0, 1], 9464).into()));
    }

    #[test]
    fn what_the_sample_leaves_out_is_read_when_it_is_put_in() {
        let text = SAMPLE.replace("# s3 =", "s3 =").replace("# key_file", "key_file");
        let config = load(&text).unwrap();
        let s3 = config.bulk.s3.unwrap();
        assert_eq!((s3.bucket.as_str(), s3.prefix.as_str()), ("corridor", "linkage"));
        assert!(config.encryption.key_file.unwrap().is_absolute());
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
                "# max_unreleased_days = 365",
                "max_unreleased_days = 0",
                "limits.max_unreleased_days",
            ),
            (
                "max_run_candidates = 100000000",
                "max_run_candidates = 0",
                "limits.max_run_candidates",
            ),
            (
                "max_run_candidates = 100000000",
                "max_run_candidates = 4294967296",
                "limits.max_run_candidates",
            ),
            (
                "max_run_candidates_in_memory = 50000000",
                "max_run_candidates_in_memory = 65535",
                "limits.max_run_candidates_in_memory",
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
                "# key_file = \"/etc/corridor/master.key\"",
                "key_file = \"master.key\"\nkey_env = \"KEY\"",
                "encryption must name one",
            ),
            (
                "[log]",
                "[database]\nurl_file = \"a\"\nurl_env = \"B\"\n[log]",
                "database must say url_file or url_env",
            ),
            (
                "probe_interval_s = 10",
                "probe_interval_s = 0",
                "operations.probe_interval_s",
            ),
            ("drain_s = 10", "drain_s = 601", "operations.drain_s"),
            ("drain_s = 10", "drain_seconds = 10", "drain_seconds"),
            (
                "# listen = \"127.0.0.1:9464\"",
                "listen = \"127.0.0.1:7443\"",
                "operations.listen",
            ),
            (
                "# otlp_endpoint = \"http://127.0.0.1:4317\"",
                "otlp_endpoint = \"https://127.0.0.1:4317\"",
                "telemetry.otlp_ca",
            ),
            ("# otlp_ca", "otlp_ca", "telemetry.otlp_ca"),
            (
                "allowed_origins = []",
                "allowed_origins = [\"*\"]",
                "grpc_web.allowed_origins",
            ),
            (
                "certificate_name = \"ISTAT\"",
                "certificate_name = \"INS-TN\"",
                "parties",
            ),
            ("role = \"office\"", "role = \"boss\"", "boss"),
            ("max_uploads = 2", "max_uploads = 0", "max_uploads"),
            ("id = \"ISTAT\"", "id = \"istat\"", "office id"),
        ] {
            let text = SAMPLE.replace(from, to);
            assert_ne!(text, SAMPLE, "{from} is in the sample");
            let error = load(&text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
