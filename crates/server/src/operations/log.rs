use std::io;

use tracing_subscriber::filter::FilterFn;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry};

use super::telemetry::{Telemetry, is_allowed};
use crate::config::LogConfig;

/// A log that cannot be written as asked.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter.
    #[error("log.filter is not understood")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Another subscriber is there.
    #[error("the log was started twice")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// What takes the log, as the settings say, and spans where there is a collector.
///
/// # Errors
/// When the filter is not understood.
pub fn log_subscriber<W>(
    log: &LogConfig,
    telemetry: Option<&Telemetry>,
    writer: W,
) -> Result<impl tracing::Subscriber + Send + Sync + use<W>, LogError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    let lines = if log.json {
        lines.json().boxed()
    } else {
        lines.with_ansi(false).boxed()
    };
    // Spans go their way whatever is logged.
    let spans = telemetry.map(|telemetry| {
        tracing_opentelemetry::layer()
            .with_tracer(telemetry.tracer())
            .with_location(false)
            .with_threads(false)
            .with_level(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(FilterFn::new(|metadata| {
                metadata.is_span()
                    && metadata.target().starts_with("corridor_")
                    && is_allowed(metadata.name())
            }))
    });
    let filter = EnvFilter::try_new(&log.filter)?;
    Ok(Registry::default().with(lines.with_filter(filter)).with(spans))
}

/// Checks the settings of the log.
///
/// # Errors
/// When the filter is not understood.
pub fn check_log(log: &LogConfig) -> Result<(), LogError> {
    EnvFilter::try_new(&log.filter)?;
    Ok(())
}

/// Writes the log to standard error, and spans to the collector where there is one, from now on.
///
/// # Errors
/// When the filter is not understood, or the log was started before.
pub fn start_log(log: &LogConfig, telemetry: Option<&Telemetry>) -> Result<(), LogError> {
    use tracing_subscriber::util::SubscriberInitExt as _;
    log_subscriber(log, telemetry, io::stderr)?.try_init()?;
    Ok(())
}
