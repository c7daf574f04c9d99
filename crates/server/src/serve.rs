use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use corridor_engine::Engine;
use corridor_wire::v1::agreement_service_server::AgreementServiceServer;
use corridor_wire::v1::dataset_service_server::DatasetServiceServer;
use corridor_wire::v1::flow_service_server::FlowServiceServer;
use corridor_wire::v1::run_service_server::RunServiceServer;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;

use crate::config::LimitsConfig;
use crate::doorkeeper::Doorkeeper;
use crate::identity::{Admission, IdentityError, ServiceIdentity};
use crate::services::Services;
use crate::tls::{self, OpenConnections};

/// What a service is started with besides its engine.
#[derive(Debug)]
pub struct ServeOptions {
    /// Certificates, and who may call. What is sent later takes the place of what was before: for new connections at once, and open
    /// ones that are not admitted any more are cut. An identity that is not sound is logged and changes nothing.
    pub identity: watch::Receiver<ServiceIdentity>,
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
    Identity(#[from] IdentityError),
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
    mut options: ServeOptions,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let services = Services::new(engine.clone());
    let admission = Admission::new(&options.identity.borrow_and_update())?;
    let (admissions, admission) = watch::channel(Arc::new(admission));
    let connections = OpenConnections::default();
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
        .concurrency_limit_per_connection(options.limits.max_calls_per_connection)
        .http2_keepalive_interval(Some(Duration::from_secs(30)))
        .layer(Doorkeeper::new(admission.clone(), options.limits))
        .add_service(health_service)
        .add_optional_service(reflection)
        .add_service(AgreementServiceServer::new(services.clone()).max_decoding_message_size(limit))
        .add_service(DatasetServiceServer::new(services.clone()).max_decoding_message_size(limit))
        .add_service(FlowServiceServer::new(services.clone()).max_decoding_message_size(limit))
        .add_service(RunServiceServer::new(services).max_decoding_message_size(limit));

    let stop = CancellationToken::new();
    let draining = stop.clone();
    let serving =
        router.serve_with_incoming_shutdown(tls::incoming(listener, admission, connections.clone()), {
            let stop = stop.clone();
            async move { stop.cancelled().await }
        });
    let following = follow_identity(options.identity, admissions, connections);
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
        let working = async { tokio::join!(bounded_serving, engine.work(&draining)) };
        tokio::select! {
            (served, ()) = working => served?,
            () = following => {}
        }
        Ok(())
    };
    tokio::pin!(serving_and_working);
    tokio::select! {
        ended = &mut serving_and_working => ended,
        () = watching => serving_and_working.await,
    }
}

/// Every so often open connections are looked at again: certificates run out.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// Takes over each identity that is sent, and cuts the connections that are not admitted any more. Never ends.
async fn follow_identity(
    mut identity: watch::Receiver<ServiceIdentity>,
    admissions: watch::Sender<Arc<Admission>>,
    connections: OpenConnections,
) {
    let mut is_open = true;
    loop {
        tokio::select! {
            changed = identity.changed(), if is_open => {
                is_open = changed.is_ok();
                if !is_open {
                    continue;
                }
                match Admission::new(&identity.borrow_and_update()) {
                    Ok(admission) => {
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
    }
}
