//! The linkage service: gRPC over mutual TLS in front of a `corridor-engine`.
//!
//! [`serve`] takes a bound listener, an engine and a shutdown signal. A call is made by the office its client
//! certificate names; nobody else gets in. Settings come from a TOML file ([`Config`]); [`TrialCa`] makes
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

mod config;
mod flow_messages;
mod identity;
mod plan;
mod serve;
mod services;
mod status;
mod tls;
mod trial_ca;

pub use config::{
    Config, ConfigError, DatabaseConfig, DatabaseConfigError, LimitsConfig, LogConfig, OfficeConfig,
    TlsConfig,
};
pub use serve::{ServeError, ServeOptions, serve};
pub use tls::TlsError;
pub use trial_ca::{CertificatePair, TrialCa, TrialCaError};
