use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt as _};
use futures::stream::{FuturesUnordered, StreamExt as _};
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};

use super::health::Board;
use super::metrics::Metrics;

/// Connections at once; more callers wait.
const MOST_CONNECTIONS: usize = 32;
/// How long a caller may take for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection may stay.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(120);
/// How long nothing is accepted after the system refused.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Answers `/healthz`, `/readyz`, `/readyz/storage` and `/metrics` in clear, for ever. Whoever reaches the address may ask: what it says
/// is about the service and nobody else.
pub(crate) async fn serve_endpoint(listener: TcpListener, board: &Board, metrics: &Metrics) -> ! {
    let mut connections: FuturesUnordered<BoxFuture<'_, ()>> = FuturesUnordered::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < MOST_CONNECTIONS => match accepted {
                Ok((stream, _)) => connections.push(serve_connection(stream, board, metrics).boxed()),
                // Such as no file descriptor being left.
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "cannot accept a probe");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(()) = connections.next(), if !connections.is_empty() => {}
        }
    }
}

async fn serve_connection(stream: TcpStream, board: &Board, metrics: &Metrics) {
    let service = service_fn(|request: Request<Incoming>| {
        let answer = answer(&request, board, metrics);
        async { Ok::<_, Infallible>(answer) }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(16 << 10)
        .serve_connection(TokioIo::new(stream), service);
    // A caller that breaks off or says nothing is none of ours to mend.
    drop(tokio::time::timeout(CONNECTION_TIMEOUT, serving).await);
}

fn answer<T>(request: &Request<T>, board: &Board, metrics: &Metrics) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refusal = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
        refusal
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refusal;
    }
    match request.uri().path() {
        "/healthz" => text(StatusCode::OK, "alive\n"),
        "/readyz" if !board.is_ready() => text(StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
        "/readyz" if !board.is_writable() => text(
            StatusCode::OK,
            "ready to be read; storage cannot be written: uploads and runs wait\n",
        ),
        "/readyz" => text(StatusCode::OK, "ready\n"),
        "/readyz/storage" if !board.is_ready() => text(StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
        "/readyz/storage" if !board.is_writable() => {
            text(StatusCode::SERVICE_UNAVAILABLE, "storage cannot be written\n")
        }
        "/readyz/storage" => text(StatusCode::OK, "storage can be written\n"),
        "/metrics" => {
            let mut page = Response::new(Full::from(metrics.to_text()));
            page.headers_mut()
                .insert(CONTENT_TYPE, HeaderValue::from_static(Metrics::CONTENT_TYPE));
            page
        }
        _ => text(
            StatusCode::NOT_FOUND,
            "there are /healthz, /readyz, /readyz/storage and /metrics\n",
        ),
    }
}

fn text(status: StatusCode, words: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(words));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
