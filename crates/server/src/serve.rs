use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use corridor_engine::Engine;
use corridor_wire::v1::agreement_service_server::AgreementServiceServer;
use corridor_wire::v1::dataset_service_server::DatasetServiceServer;
use corridor_wire::v1::flow_service_server::FlowServiceServer;
use corridor_wire::v1::run_service_server::RunServiceServer;
use http::{HeaderName, HeaderValue, Method};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic_web::GrpcWebLayer;
use tower::util::option_layer;
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::config::{LimitsConfig, OfficeConfig};
use crate::identity::Callers;
use crate::operations::layer::CallLayer;
use crate::operations::methods::Methods;
use crate::operations::{Board, Operations, serve_endpoint};
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
    /// How it is watched.
    pub operations: Operations,
}

/// Why a service ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Server reflection.
    #[error("server reflection cannot be offered")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The descriptors of its own methods.
    #[error("the service's own descriptors cannot be read")]
    Descriptors(#[from] prost::DecodeError),
    /// A setting.
    #[error("{key} {problem}")]
    Setting {
        /// Its key.
        key: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// Certificates and keys.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The network.
    #[error("the service cannot be offered")]
    Transport(#[from] tonic::transport::Error),
}

/// Serves on `listener`, which is bound already, and works on runs, until `shutdown`; then lets open calls end and puts the
/// run under way aside. That takes no longer than the settings say: what has not ended by then is dropped, and loses
/// nothing that was acknowledged.
///
/// # Errors
/// When TLS cannot be set up, or the network or the store fails.
pub async fn serve(
    listener: TcpListener,
    engine: Engine,
    options: ServeOptions,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let Operations {
        metrics,
        endpoint,
        settings,
        grpc_web,
        entropy,
    } = options.operations;
    let origins = grpc_web
        .origins()
        .map_err(|(key, problem)| ServeError::Setting { key, problem })?;
    let services = Services::new(engine.clone(), Callers::new(&options.offices));
    let acceptor = tls::acceptor(
        &options.certificate,
        &options.private_key,
        &options.client_ca,
        !origins.is_empty(),
    )?;
    let limit = options.limits.max_message_bytes;
    let (reporter, health_service) = tonic_health::server::health_reporter();
    let board = Board::new(reporter);
    let reflection = options
        .reflection
        .then(|| {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(corridor_wire::DESCRIPTOR_SET)
                .build_v1()
        })
        .transpose()?;
    let stop = CancellationToken::new();
    let methods = Methods::new(corridor_wire::DESCRIPTOR_SET)?;
    let calls = CallLayer::new(
        methods,
        Arc::clone(&metrics),
        stop.clone(),
        entropy,
        origins.clone(),
    );
    let router = Server::builder()
        .timeout(Duration::from_secs(options.limits.call_timeout_s))
        .concurrency_limit_per_connection(options.limits.max_calls_per_connection)
        .http2_keepalive_interval(Some(Duration::from_secs(30)))
        .accept_http1(!origins.is_empty())
        .layer(option_layer(
            (!origins.is_empty()).then(|| cross_origin(&origins)),
        ))
        .layer(option_layer((!origins.is_empty()).then(GrpcWebLayer::new)))
        .layer(calls)
        .add_service(health_service)
        .add_optional_service(reflection)
        .add_service(AgreementServiceServer::new(services.clone()).max_decoding_message_size(limit))
        .add_service(DatasetServiceServer::new(services.clone()).max_decoding_message_size(limit))
        .add_service(FlowServiceServer::new(services.clone()).max_decoding_message_size(limit))
        .add_service(RunServiceServer::new(services).max_decoding_message_size(limit));

    let serving = router.serve_with_incoming_shutdown(tls::incoming(listener, acceptor), {
        let stop = stop.clone();
        async move { stop.cancelled().await }
    });
    let drain = Duration::from_secs(settings.drain_s);
    let drained = || async {
        stop.cancelled().await;
        tokio::time::sleep(drain).await;
    };
    let bounded_serving = async {
        tokio::select! {
            ended = serving => ended,
            () = drained() => Ok(()),
        }
    };
    // Also the work: what cannot be put aside in time is done again at the next start, as after a kill.
    let bounded_work = async {
        tokio::select! {
            () = engine.work(&stop) => {}
            () = drained() => tracing::warn!("the run under way was not put aside in time; it goes on at the next start"),
        }
    };
    let serving_and_working = async {
        let (served, ()) = tokio::join!(bounded_serving, bounded_work);
        served
    };
    let watching = async {
        shutdown.await;
        tracing::info!("shutting down");
        board.drain().await;
        stop.cancel();
        std::future::pending::<()>().await;
    };
    let probing = board.watch_storage(&engine, &metrics, Duration::from_secs(settings.probe_interval_s));
    let answering = async {
        match endpoint {
            Some(listener) => serve_endpoint(listener, &board, &metrics).await,
            None => std::future::pending::<()>().await,
        }
    };
    tokio::select! {
        served = serving_and_working => Ok(served?),
        // Neither ends by itself.
        () = async { tokio::join!(watching, probing, answering).0 } => Ok(()),
    }
}

/// Lets pages of these origins call, with the certificate of whoever looks at them, and read what they need of the answer.
fn cross_origin(origins: &[HeaderValue]) -> CorsLayer {
    let names = |names: &[&'static str]| -> Vec<HeaderName> {
        names.iter().map(|name| HeaderName::from_static(name)).collect()
    };
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins.iter().cloned()))
        .allow_methods([Method::POST])
        .allow_headers(names(&[
            "content-type",
            "grpc-timeout",
            "traceparent",
            "x-grpc-web",
            "x-request-id",
            "x-user-agent",
        ]))
        .expose_headers(names(&[
            "grpc-message",
            "grpc-status",
            "grpc-status-details-bin",
            "x-request-id",
        ]))
        .allow_credentials(true)
        .max_age(Duration::from_secs(3600))
}
