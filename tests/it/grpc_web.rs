//! Calls as a browser makes them: gRPC-Web over HTTP/1.1 and TLS, with a client certificate.

use std::sync::Arc;

use bytes::Bytes;
use corridor_tests::sample;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::service::Service;

const PAGE: &str = "https://desk.example";
const PATH: &str = "/corridor.v1.AgreementService/ListAgreements";

/// Sends one request over a connection of its own; `None` when the service does not talk HTTP/1.1 with this caller.
async fn send(
    service: &Service,
    office: Option<&str>,
    request: Request<Full<Bytes>>,
) -> Option<Response<Bytes>> {
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(service.ca.to_pem().as_bytes()).unwrap())
        .unwrap();
    let config =
        rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
    let mut config = match office {
        Some(office) => {
            let pair = service.ca.issue_client(office).unwrap();
            let chain = vec![CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap()];
            let key = PrivateKeyDer::from_pem_slice(pair.private_key.as_bytes()).unwrap();
            config.with_client_auth_cert(chain, key).unwrap()
        }
        None => config.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let stream = TcpStream::connect(service.address).await.unwrap();
    let connecting = TlsConnector::from(Arc::new(config)).connect("localhost".try_into().unwrap(), stream);
    let stream = TokioIo::new(connecting.await.ok()?);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.ok()?;
    let answering = async {
        let (parts, body) = sender.send_request(request).await.ok()?.into_parts();
        Some(Response::from_parts(parts, body.collect().await.ok()?.to_bytes()))
    };
    tokio::select! {
        answer = answering => answer,
        // With TLS 1.3 a caller learns that it is not let in after the handshake.
        ended = connection => ended.ok().and(None),
    }
}

fn request(origin: Option<&str>) -> Request<Full<Bytes>> {
    let mut request = Request::post(PATH)
        .header("host", "localhost")
        .header("content-type", "application/grpc-web+proto")
        .header("x-grpc-web", "1");
    if let Some(origin) = origin {
        request = request.header("origin", origin);
    }
    // An empty message: a frame of no bytes.
    request.body(Full::from(vec![0; 5])).unwrap()
}

/// The trailers in the last frame of the body, or the headers where there is no body.
fn grpc_status(response: &Response<Bytes>) -> String {
    if let Some(status) = response.headers().get("grpc-status") {
        return status.to_str().unwrap().to_owned();
    }
    let body = response.body();
    let mut at = 0;
    while body[at] & 0x80 == 0 {
        at += 5 + usize::try_from(u32::from_be_bytes(body[at + 1..at + 5].try_into().unwrap())).unwrap();
    }
    let trailers = std::str::from_utf8(&body[at + 5..]).unwrap();
    let status = trailers
        .lines()
        .find_map(|line| line.strip_prefix("grpc-status:"));
    status.unwrap().trim().to_owned()
}

#[tokio::test]
async fn a_page_of_a_listed_origin_calls_with_the_certificate_of_its_office() {
    let service = Service::start_for_pages(&[PAGE]).await;
    for (origin, status) in [
        (Some(PAGE), "0"),
        (None, "0"),
        (Some("https://elsewhere.example"), "7"),
        (Some("null"), "7"),
    ] {
        let response = send(&service, Some(sample::ORIGIN), request(origin))
            .await
            .unwrap();
        assert_eq!(response.status(), 200, "{origin:?}");
        assert_eq!(grpc_status(&response), status, "{origin:?}");
        assert!(response.headers().contains_key("x-request-id"));
        let allowed = response.headers().get("access-control-allow-origin");
        assert_eq!(allowed.is_some(), origin == Some(PAGE), "{origin:?}");
    }
    // Who has no office gets nothing, who has no certificate does not get in.
    let stranger = send(&service, Some("STRANGER"), request(Some(PAGE)))
        .await
        .unwrap();
    assert_eq!(grpc_status(&stranger), "16");
    assert!(send(&service, None, request(Some(PAGE))).await.is_none());

    let preflight = |origin: &str| {
        Request::options(PATH)
            .header("host", "localhost")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "content-type,x-grpc-web")
            .body(Full::default())
            .unwrap()
    };
    let allowed = send(&service, Some(sample::ORIGIN), preflight(PAGE))
        .await
        .unwrap();
    assert_eq!(allowed.headers()["access-control-allow-origin"], PAGE);
    assert_eq!(allowed.headers()["access-control-allow-credentials"], "true");
    let refused = send(
        &service,
        Some(sample::ORIGIN),
        preflight("https://elsewhere.example"),
    )
    .await
    .unwrap();
    assert!(!refused.headers().contains_key("access-control-allow-origin"));

    // Offices call as before, on the same port.
    service
        .client(sample::ORIGIN)
        .await
        .list_agreements()
        .await
        .unwrap();
    // A request over HTTP/1.1 that is no gRPC-Web is none of the service's.
    let plain = Request::get("/")
        .header("host", "localhost")
        .body(Full::default())
        .unwrap();
    assert_eq!(
        send(&service, Some(sample::ORIGIN), plain)
            .await
            .unwrap()
            .status(),
        400
    );
    service.stop().await;
}

#[tokio::test]
async fn nobody_calls_from_a_page_where_no_origin_is_listed() {
    let service = Service::start().await;
    assert!(
        send(&service, Some(sample::ORIGIN), request(Some(PAGE)))
            .await
            .is_none()
    );
    service.stop().await;
}
