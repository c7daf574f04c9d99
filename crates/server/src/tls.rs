use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _};
use futures::stream::{self, FuturesUnordered, Stream, StreamExt as _};
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Certificates that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The service's certificate or its authority's is no PEM certificate.
    #[error("{which} is no certificate in PEM")]
    Certificate {
        /// Which of them.
        which: &'static str,
    },
    /// The private key is none, or does not fit the certificate.
    #[error("the private key cannot be used with the certificate")]
    PrivateKey(#[source] rustls::Error),
    /// The private key is no PEM key.
    #[error("the private key is no key in PEM")]
    PrivateKeyFormat,
    /// The authority of the offices cannot be used.
    #[error("the certificate authority of the offices cannot be used")]
    ClientAuthority,
}

/// Handshakes under way at once; more callers wait.
const MOST_HANDSHAKES: usize = 256;
/// How long a caller may take for its handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long nothing is accepted after the system refused.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// TLS 1.3 alone, with a client certificate of the offices' authority. Browsers may fall back to HTTP/1.1 `with_http1`.
pub(crate) fn acceptor(
    certificate: &str,
    private_key: &str,
    client_ca: &str,
    with_http1: bool,
) -> Result<TlsAcceptor, TlsError> {
    let chain = certificates(certificate, "tls.certificate")?;
    let key =
        PrivateKeyDer::from_pem_slice(private_key.as_bytes()).map_err(|_| TlsError::PrivateKeyFormat)?;
    let mut roots = RootCertStore::empty();
    for authority in certificates(client_ca, "tls.client_ca")? {
        roots.add(authority).map_err(|_| TlsError::ClientAuthority)?;
    }
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .build()
        .map_err(|_| TlsError::ClientAuthority)?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(TlsError::PrivateKey)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(TlsError::PrivateKey)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    if with_http1 {
        config.alpn_protocols.push(b"http/1.1".to_vec());
    }
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn certificates(pem: &str, which: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    certificates
        .ok()
        .filter(|certificates| !certificates.is_empty())
        .ok_or(TlsError::Certificate { which })
}

type Handshake = BoxFuture<'static, Option<TlsStream<TcpStream>>>;

struct Incoming {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    handshakes: FuturesUnordered<Handshake>,
}

/// Connections whose handshake is done. A caller who fails it or takes too long is dropped, and holds nobody up.
pub(crate) fn incoming(
    listener: TcpListener,
    acceptor: TlsAcceptor,
) -> impl Stream<Item = io::Result<TlsStream<TcpStream>>> {
    let incoming = Incoming {
        listener,
        acceptor,
        handshakes: FuturesUnordered::new(),
    };
    stream::unfold(incoming, |mut incoming| async {
        loop {
            tokio::select! {
                accepted = incoming.listener.accept(), if incoming.handshakes.len() < MOST_HANDSHAKES => {
                    match accepted {
                        Ok((stream, _)) => {
                            let handshake = handshake(incoming.acceptor.clone(), stream);
                            incoming.handshakes.push(handshake.boxed());
                        }
                        // Such as no file descriptor being left.
                        Err(error) => {
                            tracing::warn!(error = &error as &dyn std::error::Error, "cannot accept a connection");
                            tokio::time::sleep(ACCEPT_PAUSE).await;
                        }
                    }
                }
                Some(done) = incoming.handshakes.next(), if !incoming.handshakes.is_empty() => {
                    if let Some(stream) = done {
                        return Some((Ok(stream), incoming));
                    }
                }
            }
        }
    })
}

async fn handshake(acceptor: TlsAcceptor, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
    // Small answers go out at once; where the system does not offer that, they go out a little later.
    drop(stream.set_nodelay(true));
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => Some(stream),
        Ok(Err(error)) => {
            tracing::debug!(error = &error as &dyn std::error::Error, "a handshake failed");
            None
        }
        Err(_) => None,
    }
}
