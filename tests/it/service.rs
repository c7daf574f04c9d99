//! A service in this process.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use corridor_cli::{Client, Connection};
use corridor_core::{Digest, OsEntropy, Role, SystemClock};
use corridor_engine::{AuditKey, AuditLog, Compute, Engine, Limits, Store};
use corridor_server::{
    GrpcWebConfig, LimitsConfig, Metrics, Operations, OperationsConfig, PartyConfig, ServeOptions,
    ServiceIdentity, TrialCa, serve,
};
use corridor_tests::sample;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

/// Parties in other roles than an office's, of each two.
pub(crate) const READERS: [(&str, Role); 8] = [
    ("UNI", Role::Researcher),
    ("ADMIN", Role::Administrator),
    ("AUDIT", Role::Auditor),
    ("OPS", Role::Operator),
    ("UNI-2", Role::Researcher),
    ("ADMIN-2", Role::Administrator),
    ("AUDIT-2", Role::Auditor),
    ("OPS-2", Role::Operator),
];

/// The audit log of a service in a folder.
pub(crate) fn audit_log(folder: &Path) -> AuditLog {
    let mut entropy = OsEntropy::default();
    let key = AuditKey::open(&folder.join("audit.key"), None, &mut entropy).unwrap();
    AuditLog::new(key, entropy)
}

/// A service in this process, for the offices of [`sample`], one that is no party of theirs, and [`READERS`].
pub(crate) struct Service {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) ca: TrialCa,
    pub(crate) address: SocketAddr,
    /// Where it answers probes.
    pub(crate) endpoint: SocketAddr,
    /// Certificates and parties, to be replaced while it runs.
    pub(crate) identity: watch::Sender<ServiceIdentity>,
    stop: CancellationToken,
    serving: tokio::task::JoinHandle<()>,
}

impl Service {
    pub(crate) async fn start() -> Self {
        Self::start_with(LimitsConfig::default()).await
    }

    /// The same with other limits.
    pub(crate) async fn start_with(limits: LimitsConfig) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::start_in(folder, TrialCa::new().unwrap(), limits, &[]).await
    }

    /// One that pages of these origins may call.
    pub(crate) async fn start_for_pages(origins: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::start_in(folder, TrialCa::new().unwrap(), LimitsConfig::default(), origins).await
    }

    async fn start_in(
        folder: tempfile::TempDir,
        ca: TrialCa,
        limits: LimitsConfig,
        origins: &[&str],
    ) -> Self {
        let server = ca.issue_server("localhost").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        let engine_limits = Limits {
            max_dataset_bytes: limits.max_dataset_bytes,
            run: limits.to_run_limits(),
            unreleased_days: limits.max_unreleased_days,
        };
        let engine = Engine::new(
            store.clone(),
            Compute::new(2).unwrap(),
            Arc::new(SystemClock),
            audit_log(folder.path()),
            engine_limits,
        );
        let metrics = Arc::new(Metrics::new());
        let engine = engine.with_observer(Arc::<Metrics>::clone(&metrics));
        let probes = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = probes.local_addr().unwrap();
        let office = |id: &str| PartyConfig {
            id: id.parse().unwrap(),
            role: Role::Office,
            certificate_name: id.to_owned(),
            limits: None,
        };
        let (identity, identities) = watch::channel(ServiceIdentity {
            certificate: server.certificate,
            private_key: server.private_key,
            client_ca: ca.to_pem(),
            revocations: None,
            parties: [
                office(sample::ORIGIN),
                office(sample::DESTINATION),
                office("THIRD"),
            ]
            .into_iter()
            .chain(READERS.map(|(id, role)| PartyConfig { role, ..office(id) }))
            .collect(),
        });
        let options = ServeOptions {
            settings_digest: Digest::of(b"settings"),
            identity: identities,
            limits,
            reflection: true,
            operations: Operations {
                metrics,
                endpoint: Some(probes),
                settings: OperationsConfig {
                    probe_interval_s: 1,
                    ..OperationsConfig::default()
                },
                grpc_web: GrpcWebConfig {
                    allowed_origins: origins.iter().map(|&origin| origin.to_owned()).collect(),
                },
                ..Operations::default()
            },
        };
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        #[expect(clippy::disallowed_methods, reason = "the handle is awaited in stop")]
        let serving = tokio::spawn(async move {
            serve(
                listener,
                engine,
                options,
                async move { stopped.cancelled().await },
            )
            .await
            .unwrap();
            store.close().await;
        });
        Self {
            folder,
            ca,
            address,
            endpoint,
            identity,
            stop,
            serving,
        }
    }

    pub(crate) fn connection(&self, common_name: &str) -> Connection {
        let pair = self.ca.issue_client(common_name).unwrap();
        Connection {
            server: format!("https://localhost:{}", self.address.port()),
            ca: self.ca.to_pem(),
            certificate: pair.certificate,
            private_key: pair.private_key,
        }
    }

    pub(crate) async fn client(&self, office: &str) -> Client {
        Client::connect(&self.connection(office)).await.unwrap()
    }

    /// A channel of an office, for calls the client would not make.
    pub(crate) async fn channel(&self, office: &str) -> Channel {
        let connection = self.connection(office);
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(&connection.ca))
            .identity(tonic::transport::Identity::from_pem(
                &connection.certificate,
                &connection.private_key,
            ));
        Endpoint::from_shared(connection.server)
            .unwrap()
            .tls_config(tls)
            .unwrap()
            .connect()
            .await
            .unwrap()
    }

    /// Waits until one of its services is said to be in that state.
    pub(crate) async fn await_health(&self, name: &str, state: ServingStatus) {
        let request = HealthCheckRequest {
            service: name.to_owned(),
        };
        let mut client = HealthClient::new(self.channel(sample::ORIGIN).await);
        let mut states = client.watch(request).await.unwrap().into_inner();
        while let Some(told) = states.message().await.unwrap() {
            if told.status() == state {
                return;
            }
        }
        panic!("the health of {name} is told no more");
    }

    pub(crate) async fn stop(self) -> (tempfile::TempDir, TrialCa) {
        self.stop.cancel();
        self.serving.await.unwrap();
        (self.folder, self.ca)
    }

    /// Stops the service and starts it again on the same data.
    pub(crate) async fn restart(self) -> Self {
        self.restart_with(LimitsConfig::default()).await
    }

    /// The same with other limits.
    pub(crate) async fn restart_with(self, limits: LimitsConfig) -> Self {
        let (folder, ca) = self.stop().await;
        Self::start_in(folder, ca, limits, &[]).await
    }
}
