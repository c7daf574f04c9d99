use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use corridor_core::Entropy;
use futures::future::{BoxFuture, FutureExt as _};
use http::header::ORIGIN;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};
use tracing::{Instrument as _, Span};

use super::call::{CALL, Call, RequestId};
use super::methods::Method;
use super::metrics::{EndedCall, Metrics};
use super::telemetry::continue_trace;
use crate::status::{CANCELLED, OK, UNAVAILABLE, UNKNOWN, code_in, draining, origin_not_allowed};

/// The header of a request and its answer that has the id of the call.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// How long a stream goes on when the service is stopping: enough for the frame under way to get its acknowledgement.
const STREAM_GRACE: Duration = Duration::from_secs(1);

/// What a caller should wait before it tries a stopping service again.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Gives every call an id, a span and a count, and ends what would keep a stopping service waiting.
#[derive(Clone)]
pub(crate) struct CallLayer {
    shared: Arc<Shared>,
}

struct Shared {
    metrics: Arc<Metrics>,
    stop: CancellationToken,
    entropy: Mutex<Box<dyn Entropy>>,
    origins: Vec<HeaderValue>,
}

impl fmt::Debug for CallLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallLayer(..)")
    }
}

impl CallLayer {
    /// `stop` is cancelled when the service begins to stop; ids of calls are drawn from `entropy`; pages of `origins` alone may
    /// call.
    pub(crate) fn new(
        metrics: Arc<Metrics>,
        stop: CancellationToken,
        entropy: Box<dyn Entropy>,
        origins: Vec<HeaderValue>,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                metrics,
                stop,
                entropy: Mutex::new(entropy),
                origins,
            }),
        }
    }
}

impl<S> Layer<S> for CallLayer {
    type Service = CallService<S>;

    fn layer(&self, inner: S) -> CallService<S> {
        CallService {
            inner,
            shared: Arc::clone(&self.shared),
        }
    }
}

/// A service inside a [`CallLayer`].
#[derive(Clone)]
pub(crate) struct CallService<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl<S> fmt::Debug for CallService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallService(..)")
    }
}

impl<S> Service<Request<Body>> for CallService<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<Body>, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let open = OpenCall::new(&self.shared, &request);
        // The one that is ready answers; its copy is for the next call.
        let copy = self.inner.clone();
        let mut ready = std::mem::replace(&mut self.inner, copy);
        async move {
            if let Some(refusal) = open.refusal(&request) {
                return Ok(open.answer(refusal.into_http()));
            }
            let answering = CALL.scope(Arc::clone(&open.call), ready.call(request));
            let response = answering.instrument(open.span.clone()).await?;
            Ok(open.answer(response))
        }
        .boxed()
    }
}

/// A call under way. It is counted once, when it ends or is dropped.
struct OpenCall {
    shared: Arc<Shared>,
    method: Method,
    call: Arc<Call>,
    request_id: HeaderValue,
    span: Span,
    since: Instant,
    /// The code it ended with; a call that is dropped before was left by its caller, or took too long.
    code: Option<&'static str>,
}

impl OpenCall {
    fn new(shared: &Arc<Shared>, request: &Request<Body>) -> Self {
        let method = Method::at(request.uri().path());
        let request_id = request
            .headers()
            .get(REQUEST_ID)
            .and_then(|value| RequestId::from_caller(value.as_bytes()))
            .unwrap_or_else(|| {
                let mut entropy = shared.entropy.lock().unwrap_or_else(PoisonError::into_inner);
                RequestId::draw(&mut **entropy)
            });
        // An error's level: the id is in every line of a call, whatever is logged.
        let span = tracing::error_span!(
            "call",
            request_id = %request_id,
            service = method.service,
            method = method.name,
            role = tracing::field::Empty,
            code = tracing::field::Empty,
        );
        continue_trace(&span, request.headers());
        if method.is_streaming {
            shared.metrics.open_stream(method);
        }
        Self {
            shared: Arc::clone(shared),
            method,
            request_id: HeaderValue::from_str(request_id.as_str()).expect("digits and hyphens"),
            call: Arc::new(Call::new(request_id)),
            span,
            since: Instant::now(),
            code: None,
        }
    }

    /// Why it is not even begun.
    fn refusal(&self, request: &Request<Body>) -> Option<Status> {
        let refuse = |refusal: fn() -> Status| CALL.sync_scope(Arc::clone(&self.call), refusal);
        // A page of another origin would call with the certificate of whoever looks at it. Programs name no origin.
        let origin = request.headers().get(ORIGIN);
        if origin.is_some_and(|origin| !self.shared.origins.contains(origin)) {
            return Some(refuse(origin_not_allowed));
        }
        let is_stopping = self.method.is_ours && self.shared.stop.is_cancelled();
        is_stopping.then(|| refuse(|| draining(RETRY_AFTER)))
    }

    /// The answer, whose end will be the call's.
    fn answer(mut self, mut response: Response<Body>) -> Response<Body> {
        response.headers_mut().insert(REQUEST_ID, self.request_id.clone());
        self.note_code(response.headers());
        response.map(|body| {
            let stopping = self.method.is_streaming.then(|| {
                let stop = self.shared.stop.clone();
                async move {
                    stop.cancelled().await;
                    tokio::time::sleep(STREAM_GRACE).await;
                }
                .boxed()
            });
            Body::new(CallBody {
                body: Some(body),
                stopping,
                last_frame: LastFrame::NotYet,
                open: self,
            })
        })
    }

    /// The code, where it is among these headers or trailers.
    fn note_code(&mut self, headers: &HeaderMap) {
        self.code = code_in(headers).or(self.code);
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        let code = self.code.unwrap_or(CANCELLED);
        let (role, reason) = (self.call.role(), self.call.reason());
        if self.method.is_streaming {
            self.shared.metrics.close_stream(self.method);
        }
        let took = self.since.elapsed();
        self.shared.metrics.end_call(&EndedCall {
            method: self.method,
            code,
            role,
            reason,
            took,
        });
        self.span.record("role", role);
        self.span.record("code", code);
        let _entered = self.span.enter();
        let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        if code == OK {
            tracing::debug!(milliseconds, "call ended");
        } else {
            tracing::info!(reason = reason.unwrap_or("none"), milliseconds, "call ended");
        }
    }
}

/// The body of an answer, which notes how the call ended.
struct CallBody {
    /// `None` when the call was ended before its time.
    body: Option<Body>,
    /// Ready when a stream must end because the service is stopping.
    stopping: Option<BoxFuture<'static, ()>>,
    last_frame: LastFrame,
    open: OpenCall,
}

/// Whether a stream must end, and its last frame has gone out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LastFrame {
    NotYet,
    Next,
    Gone,
}

impl CallBody {
    /// Tells the caller that the service is stopping, in place of whatever would have come.
    fn end(&mut self) -> Frame<Bytes> {
        self.body = None;
        self.open.code = Some(UNAVAILABLE);
        let status = CALL.sync_scope(Arc::clone(&self.open.call), || draining(RETRY_AFTER));
        let mut trailers = HeaderMap::new();
        // Only a message that is no header value could fail, and this one is.
        drop(status.add_header(&mut trailers));
        Frame::trailers(trailers)
    }
}

impl HttpBody for CallBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        let is_over = this
            .stopping
            .as_mut()
            .is_some_and(|stopping| stopping.poll_unpin(context).is_ready());
        if is_over {
            this.stopping = None;
            this.last_frame = LastFrame::Next;
        }
        let Some(body) = &mut this.body else {
            return Poll::Ready(None);
        };
        if this.last_frame == LastFrame::Gone {
            return Poll::Ready(Some(Ok(this.end())));
        }
        let polled = {
            let _entered = this.open.span.enter();
            CALL.sync_scope(Arc::clone(&this.open.call), || Pin::new(body).poll_frame(context))
        };
        match &polled {
            Poll::Pending if this.last_frame == LastFrame::Next => {
                return Poll::Ready(Some(Ok(this.end())));
            }
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(trailers) = frame.trailers_ref() {
                    this.open.note_code(trailers);
                } else if this.last_frame == LastFrame::Next {
                    this.last_frame = LastFrame::Gone;
                }
            }
            Poll::Ready(Some(Err(_))) => this.open.code = Some(UNKNOWN),
            Poll::Ready(None) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body
            .as_ref()
            .map_or_else(SizeHint::default, HttpBody::size_hint)
    }
}
