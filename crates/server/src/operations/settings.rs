use std::net::SocketAddr;
use std::path::PathBuf;

use http::{HeaderValue, Uri};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Deserialize;
use tonic::transport::Certificate;

use super::telemetry::TelemetryError;

/// What operators watch the service by.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OperationsConfig {
    /// Address and port of the plain HTTP endpoint with `/healthz`, `/readyz` and `/metrics`; none when not said.
    pub listen: Option<SocketAddr>,
    /// Seconds between two probes of storage; 10 when not said.
    pub probe_interval_s: u64,
    /// Seconds open calls and the run under way have to end at a shutdown; 10 when not said.
    pub drain_s: u64,
}

impl Default for OperationsConfig {
    fn default() -> Self {
        Self {
            listen: None,
            probe_interval_s: 10,
            drain_s: 10,
        }
    }
}

/// Where traces go.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetryConfig {
    /// Address of an OTLP collector that speaks gRPC; no traces leave when not said.
    pub otlp_endpoint: Option<String>,
    /// The authority of its certificate, PEM; must be said for `https`.
    pub otlp_ca: Option<PathBuf>,
}

/// Calls from browsers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GrpcWebConfig {
    /// Origins whose pages may call by gRPC-Web; gRPC-Web is off when there is none.
    pub allowed_origins: Vec<String>,
}

/// A key, and what is wrong with it.
type Problem = (&'static str, String);

impl OperationsConfig {
    pub(crate) fn validate(&self) -> Result<(), Problem> {
        if !(1..=3600).contains(&self.probe_interval_s) {
            return Err(("operations.probe_interval_s", "must be from 1 to 3600".to_owned()));
        }
        if !(1..=600).contains(&self.drain_s) {
            return Err(("operations.drain_s", "must be from 1 to 600".to_owned()));
        }
        Ok(())
    }
}

impl TelemetryConfig {
    pub(crate) fn validate(&self) -> Result<(), Problem> {
        const ENDPOINT: &str = "telemetry.otlp_endpoint";
        let Some(endpoint) = &self.otlp_endpoint else {
            return match self.otlp_ca {
                Some(_) => Err(("telemetry.otlp_ca", format!("is of no use without {ENDPOINT}"))),
                None => Ok(()),
            };
        };
        let scheme = endpoint
            .parse::<Uri>()
            .ok()
            .filter(|uri| uri.authority().is_some())
            .and_then(|uri| uri.scheme_str().map(str::to_owned));
        match (scheme.as_deref(), &self.otlp_ca) {
            (Some("http"), None) | (Some("https"), Some(_)) => Ok(()),
            (Some("http"), Some(_)) => Err((
                "telemetry.otlp_ca",
                format!("is of no use with http; say https in {ENDPOINT} or leave it out"),
            )),
            (Some("https"), None) => Err((ENDPOINT, "needs telemetry.otlp_ca with https".to_owned())),
            _ => Err((
                ENDPOINT,
                "must be an address as in http://127.0.0.1:4317 or https://collector.example:4317".to_owned(),
            )),
        }
    }
}

impl TelemetryConfig {
    /// The authority of the collector's certificate, where there is one.
    ///
    /// # Errors
    /// When it cannot be read, or is no certificate.
    pub fn read_authority(&self) -> Result<Option<Certificate>, TelemetryError> {
        let Some(path) = &self.otlp_ca else {
            return Ok(None);
        };
        let pem = std::fs::read(path).map_err(TelemetryError::Authority)?;
        if CertificateDer::from_pem_slice(&pem).is_err() {
            return Err(TelemetryError::AuthorityFormat);
        }
        Ok(Some(Certificate::from_pem(pem)))
    }
}

impl GrpcWebConfig {
    /// The origins as headers name them.
    pub(crate) fn origins(&self) -> Result<Vec<HeaderValue>, Problem> {
        let to_header = |origin: &String| {
            let uri: Option<Uri> = origin.parse().ok();
            let is_origin = uri.is_some_and(|uri| {
                matches!(uri.scheme_str(), Some("http" | "https"))
                    && uri
                        .authority()
                        .is_some_and(|authority| origin.ends_with(&format!("://{authority}")))
            });
            HeaderValue::from_str(origin).ok().filter(|_| is_origin).ok_or_else(|| {
                (
                    "grpc_web.allowed_origins",
                    format!("must list origins as in https://desk.example, without a path or a wildcard; not {origin:?}"),
                )
            })
        };
        self.allowed_origins.iter().map(to_header).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_scheme_and_a_host_and_nothing_more() {
        let origins = |origin: &str| {
            GrpcWebConfig {
                allowed_origins: vec![origin.to_owned()],
            }
            .origins()
        };
        for good in ["https://desk.example", "http://localhost:8080"] {
            assert_eq!(origins(good).unwrap(), [good], "{good}");
        }
        for bad in [
            "*",
            "null",
            "desk.example",
            "https://desk.example/",
            "https://desk.example/x",
            "ftp://desk.example",
            "",
        ] {
            assert!(origins(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_collector_is_reached_in_clear_or_by_a_known_authority() {
        let check = |endpoint: Option<&str>, ca: Option<&str>| {
            TelemetryConfig {
                otlp_endpoint: endpoint.map(str::to_owned),
                otlp_ca: ca.map(PathBuf::from),
            }
            .validate()
            .map_err(|(key, _)| key)
        };
        assert_eq!(check(None, None), Ok(()));
        assert_eq!(check(Some("http://127.0.0.1:4317"), None), Ok(()));
        assert_eq!(check(Some("https://c.example:4317"), Some("ca.pem")), Ok(()));
        assert_eq!(check(None, Some("ca.pem")), Err("telemetry.otlp_ca"));
        assert_eq!(
            check(Some("http://c.example"), Some("ca.pem")),
            Err("telemetry.otlp_ca")
        );
        for bad in ["https://c.example", "c.example:4317", "/x", "ftp://c.example", ""] {
            assert_eq!(check(Some(bad), None), Err("telemetry.otlp_endpoint"), "{bad}");
        }
    }
}
