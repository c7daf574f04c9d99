//! The layer every call passes first: who calls, whether there is such a call for that role, whether the party has room for it, and
//! for how long.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use corridor_core::{Caller, Role};
use futures::future::BoxFuture;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, Sleep};
use tonic::Status;
use tonic::body::Body;
use tonic::transport::server::{TcpConnectInfo, TlsConnectInfo};
use tower::{Layer, Service};

use crate::calls::{self, Call, Span};
use crate::config::LimitsConfig;
use crate::identity::Admission;
use crate::limits::{Allowances, TooMuch};
use crate::operations::call::note_role;
use crate::status;

/// Lets calls in, or not. Deny by default: a call that is in no table, or of a caller nobody knows, ends here.
#[derive(Debug, Clone)]
pub(crate) struct Doorkeeper {
    admission: watch::Receiver<Arc<Admission>>,
    limits: Arc<LimitsConfig>,
    allowances: Arc<Allowances>,
}

impl Doorkeeper {
    pub(crate) fn new(admission: watch::Receiver<Arc<Admission>>, limits: LimitsConfig) -> Self {
        Self {
            admission,
            limits: Arc::new(limits),
            allowances: Arc::default(),
        }
    }

    fn admit(
        &self,
        request: &http::Request<Body>,
    ) -> Result<(Caller, &'static Call, OwnedSemaphorePermit), Refused> {
        let certificates = request
            .extensions()
            .get::<TlsConnectInfo<TcpConnectInfo>>()
            .and_then(TlsConnectInfo::peer_certs)
            .ok_or(Refused::Caller("a client certificate is required"))?;
        let admission = Arc::clone(&self.admission.borrow());
        let (caller, limits) = certificates
            .first()
            .and_then(|certificate| admission.caller_of(certificate))
            .ok_or(Refused::Caller(
                "the client certificate names no party of this service",
            ))?;
        let call = calls::find(request.uri().path()).ok_or(Refused::Call)?;
        if !call.roles.contains(&caller.role) {
            return Err(Refused::Role(caller.role));
        }
        let limits = limits.unwrap_or(self.limits.each_party);
        let permit = self
            .allowances
            .take(&caller, limits, call.span)
            .map_err(Refused::TooMuch)?;
        Ok((caller, call, permit))
    }

    fn time_of(&self, span: Span) -> Option<Duration> {
        match span {
            Span::Short => Some(Duration::from_secs(self.limits.call_timeout_s)),
            Span::Long => Some(Duration::from_secs(self.limits.long_call_timeout_s)),
            Span::Upload | Span::Stream => None,
        }
    }
}

/// A call that is not let in.
#[derive(Debug, Clone, Copy)]
enum Refused {
    Caller(&'static str),
    Call,
    Role(Role),
    TooMuch(TooMuch),
}

impl Refused {
    fn to_status(self) -> Status {
        match self {
            Self::Caller(message) => status::unauthenticated(message),
            Self::Call => status::no_such_call(),
            Self::Role(role) => status::role_not_allowed(role),
            Self::TooMuch(bound) => status::too_much(bound),
        }
    }
}

impl<S> Layer<S> for Doorkeeper {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded {
            inner,
            doorkeeper: self.clone(),
        }
    }
}

/// A service behind a [`Doorkeeper`].
#[derive(Debug, Clone)]
pub(crate) struct Guarded<S> {
    inner: S,
    doorkeeper: Doorkeeper,
}

impl<S> Service<http::Request<Body>> for Guarded<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        let (caller, call, permit) = match self.doorkeeper.admit(&request) {
            Ok(admitted) => admitted,
            // Within its future, where the call is known that it is noted of.
            Err(refused) => return Box::pin(async move { Ok(refused.to_status().into_http()) }),
        };
        tracing::debug!(call = call.path, role = caller.role.as_str(), "call");
        let role = caller.role.as_str();
        request.extensions_mut().insert(caller);
        if call.span == Span::Upload {
            let idle = Duration::from_secs(self.doorkeeper.limits.idle_timeout_s);
            let patience = Patience::default();
            request.extensions_mut().insert(patience.clone());
            request = request.map(|body| Body::new(Watched::new(body, idle, patience)));
        }
        let answer = self.inner.call(request);
        let time = self.doorkeeper.time_of(call.span);
        Box::pin(async move {
            // Here the call is known that it is noted of.
            note_role(role);
            let response = match time {
                Some(time) => match tokio::time::timeout(time, answer).await {
                    Ok(response) => response?,
                    Err(_) => return Ok(status::deadline(time).into_http()),
                },
                None => answer.await?,
            };
            // A stream keeps its place until it ends.
            Ok(response.map(|body| {
                Body::new(Held {
                    body,
                    _permit: permit,
                })
            }))
        })
    }
}

/// An answer that holds the place of its call.
struct Held {
    body: Body,
    _permit: OwnedSemaphorePermit,
}

impl HttpBody for Held {
    type Data = <Body as HttpBody>::Data;
    type Error = <Body as HttpBody>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// By what whoever reads an upload says that it is busy: what the caller does not send meanwhile is not held against it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Patience(Arc<AtomicBool>);

impl Patience {
    /// From now on the caller is waited for, from the beginning, or is not.
    pub(crate) fn set_busy(&self, is_busy: bool) {
        self.0.store(is_busy, Ordering::Relaxed);
    }
}

/// A request whose sender is given up on when it is waited for and nothing comes.
struct Watched {
    body: Body,
    idle: Duration,
    patience: Patience,
    /// Runs from the first look that found nothing.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Watched {
    const fn new(body: Body, idle: Duration, patience: Patience) -> Self {
        Self {
            body,
            idle,
            patience,
            waiting: None,
        }
    }
}

impl HttpBody for Watched {
    type Data = <Body as HttpBody>::Data;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Status>>> {
        let this = &mut *self;
        let is_busy = this.patience.0.load(Ordering::Relaxed);
        if is_busy {
            this.waiting = None;
        }
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            this.waiting = None;
            return Poll::Ready(frame);
        }
        if is_busy {
            // Whoever is busy looks again when it is not.
            return Poll::Pending;
        }
        let end = Instant::now() + this.idle;
        let waiting = this
            .waiting
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(end)));
        match waiting.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Some(Err(status::stalled(this.idle)))),
            Poll::Pending => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures::FutureExt as _;
    use http_body_util::BodyExt as _;

    use super::*;

    /// A request of which nothing comes, and by what is said that its reader is busy.
    fn silent(idle: Duration) -> (Watched, Patience) {
        let body =
            http_body_util::StreamBody::new(futures::stream::pending::<Result<Frame<Bytes>, Status>>());
        let patience = Patience::default();
        (Watched::new(Body::new(body), idle, patience.clone()), patience)
    }

    #[tokio::test]
    async fn a_sender_is_given_up_on_when_it_is_waited_for_and_not_before() {
        let (mut watched, patience) = silent(Duration::ZERO);
        patience.set_busy(true);
        for _ in 0..3 {
            assert!(watched.frame().now_or_never().is_none(), "its reader is busy");
            tokio::task::yield_now().await;
        }
        patience.set_busy(false);
        let given_up = watched.frame().await.unwrap().unwrap_err();
        assert_eq!(given_up.code(), tonic::Code::DeadlineExceeded);
    }

    #[tokio::test]
    async fn what_it_took_before_the_reader_was_busy_does_not_count() {
        let (mut watched, patience) = silent(Duration::from_secs(3600));
        let mut look = |is_busy| {
            patience.set_busy(is_busy);
            assert!(watched.frame().now_or_never().is_none());
            watched.waiting.as_ref().map(|waiting| waiting.deadline())
        };
        let first = look(false).unwrap();
        assert_eq!(look(false), Some(first), "from the first look on");
        assert_eq!(look(true), None);
        assert!(look(false).unwrap() > first, "from the beginning");
    }
}
