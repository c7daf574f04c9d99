//! What operators watch the service by: health, metrics, logs and traces. None of it says who anybody is.

pub(crate) mod call;
mod endpoint;
mod health;
pub(crate) mod layer;
mod log;
pub(crate) mod methods;
mod metrics;
mod probe;
mod process;
mod settings;
mod telemetry;

use std::fmt;
use std::sync::Arc;

use corridor_core::{Entropy, OsEntropy};
use tokio::net::TcpListener;

pub(crate) use endpoint::serve_endpoint;
pub(crate) use health::Board;
pub use log::{LogError, check_log, log_subscriber, start_log};
pub use metrics::Metrics;
pub use probe::{ProbeError, probe};
pub use settings::{GrpcWebConfig, OperationsConfig, TelemetryConfig};
pub use telemetry::{Telemetry, TelemetryError};

/// How a service is watched.
pub struct Operations {
    /// What is counted. Give the same to the engine with [`corridor_engine::Engine::with_observer`].
    pub metrics: Arc<Metrics>,
    /// Where the plain HTTP endpoint listens; `None` for no endpoint.
    pub endpoint: Option<TcpListener>,
    /// How often storage is probed, and how long a shutdown may take.
    pub settings: OperationsConfig,
    /// Who may call by gRPC-Web.
    pub grpc_web: GrpcWebConfig,
    /// Where ids of calls are drawn from.
    pub entropy: Box<dyn Entropy>,
}

impl Default for Operations {
    fn default() -> Self {
        Self {
            metrics: Arc::default(),
            endpoint: None,
            settings: OperationsConfig::default(),
            grpc_web: GrpcWebConfig::default(),
            entropy: Box::new(OsEntropy::default()),
        }
    }
}

impl fmt::Debug for Operations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operations")
            .field("endpoint", &self.endpoint)
            .field("settings", &self.settings)
            .field("grpc_web", &self.grpc_web)
            .finish_non_exhaustive()
    }
}
