//! Connections: accepted, shaken hands with, and cut when their certificate is not admitted any more.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _};
use futures::stream::{self, FuturesUnordered, Stream, StreamExt as _};
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::transport::server::{Connected, TcpConnectInfo, TlsConnectInfo};

use crate::identity::Admission;

/// Handshakes under way at once; more callers wait.
const MOST_HANDSHAKES: usize = 4096;
/// Of them, from one address. Whoever has more under way is not shaken hands with, so that a stranger who says nothing keeps nobody
/// else waiting.
const MOST_HANDSHAKES_OF_ONE: usize = 256;
/// How long a caller may take for its handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long nothing is accepted after the system refused.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The connections that are open, by the certificates they were let in with.
#[derive(Debug, Clone, Default)]
pub(crate) struct OpenConnections(Arc<Mutex<Registry>>);

#[derive(Debug, Default)]
struct Registry {
    next: u64,
    open: HashMap<u64, (Vec<CertificateDer<'static>>, CancellationToken)>,
    /// How many are open with each certificate.
    by_leaf: HashMap<CertificateDer<'static>, usize>,
}

impl OpenConnections {
    /// Puts a connection on the list, cut at once when its certificate was revoked while hands were shaken, or has as many
    /// connections as it may.
    fn add(&self, stream: TlsStream<TcpStream>, admission: &Admission, most: usize) -> Connection {
        let chain = stream
            .get_ref()
            .1
            .peer_certificates()
            .unwrap_or_default()
            .to_vec();
        let token = CancellationToken::new();
        let is_trusted = admission.trusts(&chain);
        let mut registry = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let id = registry.next;
        registry.next += 1;
        let open = chain.first().and_then(|leaf| registry.by_leaf.get(leaf)).copied();
        if !is_trusted || open.unwrap_or(0) >= most {
            token.cancel();
            tracing::warn!(
                "a connection was cut: its certificate was revoked, or has as many open as it may"
            );
        }
        if let Some(leaf) = chain.first() {
            *registry.by_leaf.entry(leaf.clone()).or_default() += 1;
        }
        registry.open.insert(id, (chain, token.clone()));
        Connection {
            stream,
            cut: Box::pin(token.cancelled_owned()),
            _listed: Listed {
                id,
                connections: self.clone(),
            },
        }
    }

    /// Cuts every connection that would not be let in now.
    pub(crate) fn cut_others_than(&self, admission: &Admission) {
        self.cut_unless(|chain| admission.admits(chain));
    }

    fn cut_unless(&self, may_stay: impl Fn(&[CertificateDer<'static>]) -> bool) {
        let registry = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut cut = 0_usize;
        for (chain, token) in registry.open.values() {
            if !token.is_cancelled() && !may_stay(chain) {
                token.cancel();
                cut += 1;
            }
        }
        if cut > 0 {
            tracing::warn!(
                cut,
                "connections cut: their certificates are not admitted any more"
            );
        }
    }
}

/// Takes a connection off the list when it ends.
struct Listed {
    id: u64,
    connections: OpenConnections,
}

impl Drop for Listed {
    fn drop(&mut self) {
        let mut registry = self.connections.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((chain, _)) = registry.open.remove(&self.id) else {
            return;
        };
        if let Some(leaf) = chain.into_iter().next()
            && let Entry::Occupied(mut count) = registry.by_leaf.entry(leaf)
        {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

/// A connection that can be cut.
pub(crate) struct Connection {
    stream: TlsStream<TcpStream>,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    _listed: Listed,
}

impl Connection {
    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.cut.as_mut().poll(cx).is_ready() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }
}

impl Connected for Connection {
    type ConnectInfo = TlsConnectInfo<TcpConnectInfo>;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.stream.connect_info()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

type Handshake = BoxFuture<'static, (IpAddr, Option<TlsStream<TcpStream>>)>;

struct Incoming {
    listener: TcpListener,
    admission: watch::Receiver<Arc<Admission>>,
    connections: OpenConnections,
    handshakes: FuturesUnordered<Handshake>,
    by_address: HashMap<IpAddr, usize>,
    most_connections: usize,
}

impl Incoming {
    fn begin(&mut self, stream: TcpStream, address: IpAddr) {
        let under_way = self.by_address.entry(address).or_default();
        if *under_way >= MOST_HANDSHAKES_OF_ONE {
            tracing::debug!("a connection was not taken: too many handshakes from its address are under way");
            return;
        }
        *under_way += 1;
        let acceptor = TlsAcceptor::from(Arc::clone(&self.admission.borrow().tls));
        let shaken = handshake(acceptor, stream).map(move |stream| (address, stream));
        self.handshakes.push(shaken.boxed());
    }

    fn end(&mut self, address: IpAddr, stream: Option<TlsStream<TcpStream>>) -> Option<Connection> {
        if let Entry::Occupied(mut under_way) = self.by_address.entry(address) {
            *under_way.get_mut() -= 1;
            if *under_way.get() == 0 {
                under_way.remove();
            }
        }
        let admission = Arc::clone(&self.admission.borrow());
        Some(self.connections.add(stream?, &admission, self.most_connections))
    }
}

/// Connections whose handshake is done, each by what is admitted when it begins. A caller who fails it or takes too long is dropped,
/// and holds nobody up.
pub(crate) fn incoming(
    listener: TcpListener,
    admission: watch::Receiver<Arc<Admission>>,
    connections: OpenConnections,
    most_connections: usize,
) -> impl Stream<Item = io::Result<Connection>> {
    let incoming = Incoming {
        listener,
        admission,
        connections,
        handshakes: FuturesUnordered::new(),
        by_address: HashMap::new(),
        most_connections,
    };
    stream::unfold(incoming, |mut incoming| async {
        loop {
            tokio::select! {
                accepted = incoming.listener.accept(), if incoming.handshakes.len() < MOST_HANDSHAKES => {
                    match accepted {
                        Ok((stream, address)) => incoming.begin(stream, address.ip()),
                        // Such as no file descriptor being left.
                        Err(error) => {
                            tracing::warn!(error = &error as &dyn std::error::Error, "cannot accept a connection");
                            tokio::time::sleep(ACCEPT_PAUSE).await;
                        }
                    }
                }
                Some((address, stream)) = incoming.handshakes.next(), if !incoming.handshakes.is_empty() => {
                    if let Some(connection) = incoming.end(address, stream) {
                        return Some((Ok(connection), incoming));
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
