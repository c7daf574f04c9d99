use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use corridor_core::Digest;
use corridor_engine::{Engine, EngineError};
use corridor_wire::v1::agreement_service_server::AgreementServiceServer;
use corridor_wire::v1::audit_service_server::AuditServiceServer;
use corridor_wire::v1::dataset_service_server::DatasetServiceServer;
use corridor_wire::v1::flow_service_server::FlowServiceServer;
use corridor_wire::v1::run_service_server::RunServiceServer;
use http::{HeaderName, HeaderValue, Method};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic_web::GrpcWebLayer;
use tower::util::option_layer;
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::config::LimitsConfig;
use crate::doorkeeper::Doorkeeper;
use crate::identity::{Admission, IdentityError, ServiceIdentity};
use crate::operations::layer::CallLayer;
use crate::operations::{Board, Operations, serve_endpoint};
use crate::services::Services;
use crate::tls::{self, OpenConnections};

/// What a service is started with besides its engine.
#[derive(Debug)]
pub struct ServeOptions {
    /// Digest of the settings, for the audit log.
    pub settings_digest: Digest,
    /// Certificates, and who may call. What is sent later takes the place of what was before: for new connections at once, and open
    /// ones that are not admitted any more are cut. An identity that is not sound is logged and changes nothing.
    pub identity: watch::Receiver<ServiceIdentity>,
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
    /// The audit log.
    #[error(transparent)]
    Audit(#[from] EngineError),
    /// Server reflection.
    #[error("server reflection cannot be offered")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// Certificates and keys.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A setting.
    #[error("{key} {problem}")]
    Setting {
        /// Its key.
        key: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// The network.
    #[error("the service cannot be offered")]
    Transport(#[from] tonic::transport::Error),
}

/// Bytes a call may send ahead of being read: one group of frames while the last is written.
const STREAM_WINDOW_BYTES: u32 = 4 << 20;

/// The same of all calls of a connection.
const CONNECTION_WINDOW_BYTES: u32 = 8 << 20;

/// Bytes of an HTTP/2 frame: larger ones than usual cost less for each byte of an upload.
const HTTP2_FRAME_BYTES: u32 = 256 << 10;

/// Serves on `listener`, which is bound already, and works on runs, until `shutdown`; then lets open calls end and puts the
/// run under way aside. That takes no longer than the settings say: what has not ended by then is dropped, and loses
/// nothing that was acknowledged.
///
/// # Errors
/// When the audit log was tampered with, TLS cannot be set up, or the network or the store fails.
pub async fn serve(
    listener: TcpListener,
    engine: Engine,
    mut options: ServeOptions,
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
    let with_http1 = !origins.is_empty();
    let identity_digest = options.identity.borrow().to_digest();
    engine
        .record_start(options.settings_digest, identity_digest)
        .await?;
    let services = Services::new(engine.clone());
    let admission = Admission::new(&options.identity.borrow_and_update(), with_http1)?;
    let (admissions, admission) = watch::channel(Arc::new(admission));
    let connections = OpenConnections::default();
    let limit = options.limits.max_message_bytes;
    let most_connections = options.limits.max_connections_per_certificate;
    let (reporter, health_service) = tonic_health::server::health_reporter();
    let board = Board::new(reporter);
    // A service that is asked for before the first probe is there, and not ready yet.
    board.tell().await;
    let reflection = options
        .reflection
        .then(|| {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(corridor_wire::DESCRIPTOR_SET)
                .build_v1()
        })
        .transpose()?;
    let stop = CancellationToken::new();
    let calls = CallLayer::new(Arc::clone(&metrics), stop.clone(), entropy, origins.clone());
    let router = Server::builder()
        .concurrency_limit_per_connection(options.limits.max_calls_per_connection)
        .http2_keepalive_interval(Some(Duration::from_secs(30)))
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(HTTP2_FRAME_BYTES)
        .accept_http1(with_http1)
        .layer(option_layer(with_http1.then(|| cross_origin(&origins))))
        .layer(option_layer(with_http1.then(GrpcWebLayer::new)))
        .layer(calls)
        .layer(Doorkeeper::new(admission.clone(), options.limits))
        .add_service(health_service)
        .add_optional_service(reflection)
        .add_service(AgreementServiceServer::new(services.clone()).max_decoding_message_size(limit))
        .add_service(AuditServiceServer::new(services.clone()).max_decoding_message_size(limit))
        .add_service(DatasetServiceServer::new(services.clone()).max_decoding_message_size(limit))
        .add_service(FlowServiceServer::new(services.clone()).max_decoding_message_size(limit))
        .add_service(RunServiceServer::new(services).max_decoding_message_size(limit));

    // Not before: a database that went away until now ends the service, and who starts it must see that it has not come up.
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, audit_key = %engine.audit_key(), "serving");
    }
    let serving = router.serve_with_incoming_shutdown(
        tls::incoming(listener, admission, connections.clone(), most_connections),
        {
            let stop = stop.clone();
            async move { stop.cancelled().await }
        },
    );
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
    let work = || async {
        tokio::join!(engine.work(&stop), engine.keep_retention(&stop));
        // One that is dropped is done again when its office asks again.
        engine.settle().await;
    };
    // Also the work: what cannot be put aside in time is done again at the next start, as after a kill.
    let bounded_work = async {
        tokio::select! {
            () = work() => {}
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
    let following = follow_identity(&engine, options.identity, admissions, connections, with_http1);
    let probing = board.watch_storage(&engine, &metrics, Duration::from_secs(settings.probe_interval_s));
    let answering = async {
        match endpoint {
            Some(listener) => serve_endpoint(listener, &board, &metrics).await,
            None => std::future::pending::<()>().await,
        }
    };
    tokio::select! {
        served = serving_and_working => Ok(served?),
        // None of these ends by itself.
        () = async { tokio::join!(watching, following, probing, answering).0 } => Ok(()),
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

/// Every so often open connections are looked at again: certificates run out.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// Takes over each identity that is sent, logs it, and cuts the connections that are not admitted any more. Never ends.
async fn follow_identity(
    engine: &Engine,
    mut identity: watch::Receiver<ServiceIdentity>,
    admissions: watch::Sender<Arc<Admission>>,
    connections: OpenConnections,
    with_http1: bool,
) {
    let mut is_open = true;
    // One that is not in the audit log yet. What was revoked does not wait for it.
    let mut unlogged = None;
    loop {
        tokio::select! {
            changed = identity.changed(), if is_open => {
                is_open = changed.is_ok();
                if !is_open {
                    continue;
                }
                let (admission, digest) = {
                    let identity = identity.borrow_and_update();
                    (Admission::new(&identity, with_http1), identity.to_digest())
                };
                match admission {
                    Ok(admission) => {
                        unlogged = Some(digest);
                        admissions.send_replace(Arc::new(admission));
                        tracing::info!("certificates and parties read again");
                    }
                    Err(error) => tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "new certificates or parties are not sound; the old ones stay"
                    ),
                }
            }
            () = tokio::time::sleep(LOOK_AGAIN) => {}
        }
        let admission = Arc::clone(&admissions.borrow());
        connections.cut_others_than(&admission);
        if let Some(digest) = unlogged {
            match engine.record_identity(digest).await {
                Ok(()) => unlogged = None,
                Err(error) => tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "new certificates and parties are not in the audit log yet; trying again"
                ),
            }
        }
    }
}
