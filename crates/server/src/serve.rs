use std::future::Future;
use std::time::Duration;

use corridor_engine::Engine;
use corridor_wire::v1::agreement_service_server::AgreementServiceServer;
use corridor_wire::v1::dataset_service_server::DatasetServiceServer;
use corridor_wire::v1::flow_service_server::FlowServiceServer;
use corridor_wire::v1::run_service_server::RunServiceServer;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;

use crate::config::{LimitsConfig, OfficeConfig};
use crate::identity::Callers;
use crate::services::Services;
use crate::tls::{self, TlsError};

/// What a service is started with besides its engine.
#[derive(Debug)]
pub struct ServeOptions {
    /// The service's certificate chain, PEM.
    pub certificate: String,
    /// Its private key, PEM.
    pub private_key: String,
    /// The authority of the offices' certificates, PEM.
    pub client_ca: String,
    /// The offices that may call.
    pub offices: Vec<OfficeConfig>,
    /// Bounds.
    pub limits: LimitsConfig,
    /// Whether server reflection is on.
    pub reflection: bool,
}

/// Why a service ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Server reflection.
    #[error("server reflection cannot be offered")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// Certificates and keys.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The network.
    #[error("the service cannot be offered")]
    Transport(#[from] tonic::transport::Error),
}

/// Seconds open calls have to end at a shutdown.
const DRAIN: Duration = Duration::from_secs(10);

/// Serves on `listener`, which is bound already, and works on runs, until `shutdown`; then lets open calls end
/// and puts the run under way aside.
///
/// # Errors
/// When TLS cannot be set up, or the network or the store fails.
pub async fn serve(
    listener: TcpListener,
    engine: Engine,
    options: ServeOptions,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let services = Services::new(engine.clone(), Callers::new(&options.offices));
    let acceptor = tls::acceptor(&options.certificate, &options.private_key, &options.client_ca)?;
    let limit = options.limits.max_message_bytes;
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<AgreementServiceServer<Services>>().await;
    health.set_serving::<DatasetServiceServer<Services>>().await;
    health.set_serving::<FlowServiceServer<Services>>().await;
    health.set_serving::<RunServiceServer<Services>>().await;
    let reflection = options
        .reflection
        .then(|| {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(corridor_wire::DESCRIPTOR_SET)
                .build_v1()
        })
        .transpose()?;
    let router = Server::builder()
        .timeout(Duration::from_secs(options.limits.call_timeout_s))
        .concurrency_limit_per_connection(options.limits.max_calls_per_connection)
        .http2_keepalive_interval(Some(Duration::from_secs(30)))
        .add_service(health_service)
        .add_optional_service(reflection)
        .add_service(AgreementServiceServer::new(services.clone()).max_decoding_message_size(limit))
        .add_service(DatasetServiceServer::new(services.clone()).max_decoding_message_size(limit))
        .add_service(FlowServiceServer::new(services.clone()).max_decoding_message_size(limit))
        .add_service(RunServiceServer::new(services).max_decoding_message_size(limit));

    let stop = CancellationToken::new();
    let draining = stop.clone();
    let serving = router.serve_with_incoming_shutdown(tls::incoming(listener, acceptor), {
        let stop = stop.clone();
        async move { stop.cancelled().await }
    });
    let watching = async {
        shutdown.await;
        tracing::info!("shutting down");
        health.set_not_serving::<AgreementServiceServer<Services>>().await;
        health.set_not_serving::<DatasetServiceServer<Services>>().await;
        health.set_not_serving::<FlowServiceServer<Services>>().await;
        health.set_not_serving::<RunServiceServer<Services>>().await;
        stop.cancel();
    };
    // A watched run keeps its stream open for as long as the run lasts: do not wait for that.
    let bounded_serving = async {
        tokio::pin!(serving);
        tokio::select! {
            ended = &mut serving => ended,
            () = async { draining.cancelled().await; tokio::time::sleep(DRAIN).await } => Ok(()),
        }
    };
    let serving_and_working = async {
        let (served, ()) = tokio::join!(bounded_serving, engine.work(&draining));
        served?;
        Ok(())
    };
    tokio::pin!(serving_and_working);
    tokio::select! {
        ended = &mut serving_and_working => ended,
        () = watching => serving_and_working.await,
    }
}
