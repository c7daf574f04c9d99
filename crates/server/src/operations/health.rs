use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use corridor_engine::{Engine, StoreError};
use corridor_wire::v1::agreement_service_server::AgreementServiceServer;
use corridor_wire::v1::audit_service_server::AuditServiceServer;
use corridor_wire::v1::dataset_service_server::DatasetServiceServer;
use corridor_wire::v1::flow_service_server::FlowServiceServer;
use corridor_wire::v1::run_service_server::RunServiceServer;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tonic::server::NamedService;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use super::metrics::Metrics;
use crate::services::Services;

/// How long a probe of storage may take. Transactions wait for each other, so that a busy service is slow to write and
/// still can.
const PROBE_TIMEOUT: Duration = Duration::from_secs(30);

/// Services that answer without writing for as long as storage can be read.
const READING: [&str; 1] = [AgreementServiceServer::<Services>::NAME];
/// Services that are of no use when storage cannot be written: nothing leaves that is not logged first.
const WRITING: [&str; 4] = [
    AuditServiceServer::<Services>::NAME,
    DatasetServiceServer::<Services>::NAME,
    FlowServiceServer::<Services>::NAME,
    RunServiceServer::<Services>::NAME,
];
/// The service as a whole, in the health protocol.
const WHOLE: &str = "";

/// What the service says of its health, in the one place that decides it.
#[derive(Debug, Clone)]
pub(crate) struct Board {
    reporter: HealthReporter,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    is_draining: AtomicBool,
    is_writable: AtomicBool,
    /// Held while a state is told, so that an older one is not told after it.
    telling: Mutex<()>,
}

impl Board {
    /// Until storage was probed for the first time all is well for who reads, and not for who writes.
    pub(crate) fn new(reporter: HealthReporter) -> Self {
        Self {
            reporter,
            state: Arc::default(),
        }
    }

    /// Whether the service takes calls.
    pub(crate) fn is_ready(&self) -> bool {
        !self.state.is_draining.load(Ordering::SeqCst)
    }

    /// Whether uploads and runs can be stored.
    pub(crate) fn is_writable(&self) -> bool {
        self.state.is_writable.load(Ordering::SeqCst)
    }

    /// The service is stopping. There is no way back.
    pub(crate) async fn drain(&self) {
        self.state.is_draining.store(true, Ordering::SeqCst);
        self.tell().await;
    }

    async fn set_writable(&self, is_writable: bool) {
        self.state.is_writable.store(is_writable, Ordering::SeqCst);
        self.tell().await;
    }

    /// Tells how the services stand.
    pub(crate) async fn tell(&self) {
        let _alone = self.state.telling.lock().await;
        let (is_ready, is_writable) = (self.is_ready(), self.is_writable());
        let status = |is_well| {
            if is_well {
                ServingStatus::Serving
            } else {
                ServingStatus::NotServing
            }
        };
        for name in [WHOLE].into_iter().chain(READING) {
            self.reporter.set_service_status(name, status(is_ready)).await;
        }
        for name in WRITING {
            self.reporter
                .set_service_status(name, status(is_ready && is_writable))
                .await;
        }
    }

    /// Probes storage every so often, for ever, and tells what it finds; also brings the numbers up to date that metrics take from
    /// the store.
    pub(crate) async fn watch_storage(&self, engine: &Engine, metrics: &Metrics, interval: Duration) -> ! {
        let mut last = None;
        loop {
            let since = Instant::now();
            let problem = probe(engine).await.err();
            let is_writable = problem.is_none();
            metrics.probed(is_writable, since.elapsed());
            metrics.count_retries(engine.store().transaction_retries());
            if let Ok(Ok(counts)) = tokio::time::timeout(PROBE_TIMEOUT, engine.store().count_runs()).await {
                metrics.count_runs(&counts);
            }
            if last != Some(is_writable) {
                match &problem {
                    Some(problem) => tracing::error!(
                        error = problem as &dyn std::error::Error,
                        "storage cannot be written: uploads and runs wait until it can"
                    ),
                    None => tracing::info!("storage can be written"),
                }
                last = Some(is_writable);
            }
            self.set_writable(is_writable).await;
            tokio::time::sleep(interval).await;
        }
    }
}

/// Why storage is taken to be out of order.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("nothing was written in {} s", PROBE_TIMEOUT.as_secs())]
    Slow,
}

async fn probe(engine: &Engine) -> Result<(), Problem> {
    match tokio::time::timeout(PROBE_TIMEOUT, engine.store().probe()).await {
        Ok(written) => Ok(written?),
        Err(_) => Err(Problem::Slow),
    }
}
