//! The linkage service: gRPC over mutual TLS in front of a `corridor-engine`.
//!
//! [`serve`] takes a bound listener, an engine and a shutdown signal. A call is made by the party its client
//! certificate names, in its role, and within its bounds; nobody else gets in, and a call no role is named for is refused. Settings come from a TOML file ([`Config`]); [`TrialCa`] makes
//! certificates for a trial.
//!
//! Nothing this crate is built from can reach a linkage key.
//!
//! ```
//! use corridor_server::TrialCa;
//!
//! let ca = TrialCa::new()?;
//! let office = ca.issue_client("INS-TN")?;
//! assert!(office.certificate.starts_with("-----BEGIN CERTIFICATE-----"));
//! # Ok::<(), corridor_server::TrialCaError>(())
//! ```
//!
//! # Errors
//! Every refused call carries a stable reason code in its details (`google.rpc.ErrorInfo`, domain
//! `corridor.v1`), and names the field where one is wrong (`google.rpc.BadRequest`).

pub mod identities;

mod audit;
mod calls;
mod config;
mod database;
mod doorkeeper;
mod flow_messages;
mod identity;
mod limits;
mod operations;
mod plan;
mod reload;
mod report_messages;
mod serve;
mod services;
mod status;
mod tls;
mod trial_ca;

pub use config::{
    AuditConfig, Config, ConfigError, LimitsConfig, LogConfig, PartyConfig, PartyLimits, TlsConfig,
};
pub use database::{DatabaseConfig, DatabaseConfigError};
pub use identity::{IdentityError, ServiceIdentity};
pub use operations::{
    GrpcWebConfig, LogError, Metrics, Operations, OperationsConfig, ProbeError, Telemetry, TelemetryConfig,
    TelemetryError, check_log, log_subscriber, probe, start_log,
};
pub use reload::{follow, read_identity};
pub use serve::{ServeError, ServeOptions, serve};
pub use trial_ca::{CertificatePair, TrialCa, TrialCaError};
