use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::{SpanContext, SpanKind, TraceContextExt as _, TraceState, TracerProvider as _};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_otlp::{WithExportConfig as _, WithTonicConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, SpanData, SpanEvents, SpanExporter, SpanLinks};
use tonic::transport::ClientTlsConfig;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::metrics::Metrics;
use super::settings::TelemetryConfig;

/// Where spans go: to an OTLP collector, in batches, from a thread of its own.
#[derive(Debug)]
pub struct Telemetry {
    provider: SdkTracerProvider,
}

/// A collector that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The address or the authority.
    #[error("telemetry.otlp_endpoint cannot be used")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    /// The authority of the collector's certificate.
    #[error("cannot read telemetry.otlp_ca")]
    Authority(#[source] std::io::Error),
    /// It is none.
    #[error("telemetry.otlp_ca is no certificate in PEM")]
    AuthorityFormat,
}

/// How long the collector may take for a batch; also the longest wait for the last batch at the end.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);

impl Telemetry {
    /// Spans go to the collector of the settings, when there is one. Must be called inside a tokio runtime, which sends them.
    ///
    /// # Errors
    /// When the address is none, or the authority's certificate cannot be read.
    pub fn start(config: &TelemetryConfig, metrics: Arc<Metrics>) -> Result<Option<Self>, TelemetryError> {
        let Some(endpoint) = &config.otlp_endpoint else {
            return Ok(None);
        };
        let mut builder = opentelemetry_otlp::SpanExporter::builder()
            .with_tonic()
            .with_endpoint(endpoint)
            .with_timeout(EXPORT_TIMEOUT);
        if let Some(authority) = config.read_authority()? {
            builder = builder.with_tls_config(ClientTlsConfig::new().ca_certificate(authority));
        }
        let exporter = AllowedOnly {
            inner: builder.build()?,
            metrics,
        };
        // Built by hand: the default reads the environment, which may say who runs this and where.
        let resource = Resource::builder_empty()
            .with_service_name("corridor-server")
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource)
            .build();
        Ok(Some(Self { provider }))
    }

    pub(crate) fn tracer(&self) -> SdkTracer {
        self.provider.tracer("corridor")
    }

    /// Sends what has not been sent yet. Blocks until that is done, or given up.
    pub fn flush_and_end(&self) {
        if let Err(error) = self.provider.shutdown_with_timeout(EXPORT_TIMEOUT) {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the last spans were not sent"
            );
        }
    }
}

/// Lets the span of a call be a child of the span its caller told of in `traceparent` (W3C Trace Context). What else the caller
/// says of its trace, as in `tracestate` or `baggage`, is not taken: it may say anything.
pub(crate) fn continue_trace(span: &Span, headers: &HeaderMap) {
    if let Some(parent) = parent_in(headers) {
        // Without a collector there is nothing to set it in.
        drop(span.set_parent(Context::new().with_remote_span_context(parent)));
    }
}

fn parent_in(headers: &HeaderMap) -> Option<SpanContext> {
    struct TraceParent<'a>(&'a HeaderMap);
    impl Extractor for TraceParent<'_> {
        fn get(&self, key: &str) -> Option<&str> {
            (key == "traceparent").then(|| self.0.get(key)?.to_str().ok())?
        }

        fn keys(&self) -> Vec<&str> {
            vec!["traceparent"]
        }
    }
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &TraceParent(headers));
    let parent = context.span().span_context().clone();
    parent.is_valid().then(|| {
        SpanContext::new(
            parent.trace_id(),
            parent.span_id(),
            parent.trace_flags(),
            true,
            TraceState::default(),
        )
    })
}

/// The spans that leave, and of each the attributes that do, with the name they leave under. Everything else stays: what is
/// added to a span elsewhere does not leave by accident.
const ALLOWED: [(&str, &[(&str, &str)]); 3] = [
    (
        "call",
        &[
            ("service", "rpc.service"),
            ("method", "rpc.method"),
            ("code", "rpc.response.status_code"),
            ("role", "corridor.role"),
        ],
    ),
    ("run", &[("outcome", "corridor.outcome")]),
    ("phase", &[("phase", "corridor.phase")]),
];

/// Whether a span of that name may leave.
pub(crate) fn is_allowed(name: &str) -> bool {
    ALLOWED.iter().any(|(allowed, _)| *allowed == name)
}

/// An exporter that sends what is allowed and nothing else.
#[derive(Debug)]
struct AllowedOnly<E> {
    inner: E,
    metrics: Arc<Metrics>,
}

impl<E: SpanExporter> SpanExporter for AllowedOnly<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let sent = self
            .inner
            .export(batch.into_iter().filter_map(allowed_part).collect())
            .await;
        if sent.is_err() {
            self.metrics.lose_spans();
        }
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

fn allowed_part(mut span: SpanData) -> Option<SpanData> {
    let (name, allowed) = ALLOWED.iter().find(|(name, _)| *name == span.name)?;
    span.attributes = std::mem::take(&mut span.attributes)
        .into_iter()
        .filter_map(|KeyValue { key, value, .. }| {
            let (_, told) = allowed.iter().find(|(own, _)| *own == key.as_str())?;
            Some(KeyValue::new(*told, as_word(value)?))
        })
        .collect();
    span.events = SpanEvents::default();
    span.links = SpanLinks::default();
    let word = |key: &str| {
        let attribute = span
            .attributes
            .iter()
            .find(|attribute| attribute.key.as_str() == key)?;
        Some(attribute.value.to_string())
    };
    match *name {
        "call" => {
            span.name = format!("{}/{}", word("rpc.service")?, word("rpc.method")?).into();
            span.span_kind = SpanKind::Server;
            span.attributes.push(KeyValue::new("rpc.system.name", "grpc"));
        }
        name => {
            span.name =
                word("corridor.phase").map_or_else(|| name.into(), |phase| format!("run {phase}").into())
        }
    }
    Some(span)
}

/// A value that is a word: letters and underscores, as all of the closed lists are.
fn as_word(value: Value) -> Option<Value> {
    let text = value.as_str();
    let is_word = text.len() <= 40
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    is_word.then(|| Value::from(text.into_owned()))
}
