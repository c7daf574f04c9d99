use std::time::Duration;

use corridor_core::RunState;
use corridor_engine::{AttemptOutcome, FailureKind, Happening, Observer, Phase};
use prometheus_client::encoding::{EncodeLabelSet, prometheus_text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::methods::Method;
use super::process::ProcessCollector;

/// What an operator's monitoring reads: how many calls, uploads and runs there were and how they went, and whether storage
/// can be written. Every label is of a closed list; none says which office, agreement, dataset, run or record it was.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    calls: Family<CallLabels, Counter>,
    call_seconds: Family<MethodLabels, Histogram, Buckets>,
    open_streams: Family<MethodLabels, Gauge>,
    refusals: Family<ReasonLabel, Counter>,
    limits_hit: Family<LimitLabel, Counter>,
    frames: Family<FrameLabel, Counter>,
    upload_bytes: Counter,
    uploads: Family<UploadLabels, Counter>,
    runs: Family<StateLabel, Gauge>,
    attempts: Family<AttemptLabels, Counter>,
    attempt_seconds: Family<OutcomeLabel, Histogram, Buckets>,
    phase_seconds: Family<PhaseLabel, Histogram, Buckets>,
    tiles: Counter,
    storage_writable: Gauge,
    probe_seconds: Histogram,
    retries: Counter,
    spans_lost: Counter,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    service: &'static str,
    method: &'static str,
    code: &'static str,
    role: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MethodLabels {
    service: &'static str,
    method: &'static str,
}

impl From<Method> for MethodLabels {
    fn from(method: Method) -> Self {
        Self {
            service: method.service,
            method: method.name,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LimitLabel {
    limit: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FrameLabel {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct UploadLabels {
    outcome: &'static str,
    check: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabel {
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AttemptLabels {
    outcome: &'static str,
    failure: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PhaseLabel {
    phase: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VersionLabel {
    version: &'static str,
}

/// Upper ends of the classes of a histogram, in seconds.
#[derive(Debug, Clone, Copy)]
struct Buckets(&'static [f64]);

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0.iter().copied())
    }
}

/// A call: from what a cache answers to the longest a call may take.
const CALL_BUCKETS: Buckets = Buckets(&[
    0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 600.0,
]);
/// A run: from a second to a day.
const RUN_BUCKETS: Buckets = Buckets(&[
    1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 14400.0, 43200.0, 86400.0,
]);

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Metrics that count from 0.
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::default(),
            calls: Family::default(),
            call_seconds: Family::new_with_constructor(CALL_BUCKETS),
            open_streams: Family::default(),
            refusals: Family::default(),
            limits_hit: Family::default(),
            frames: Family::default(),
            upload_bytes: Counter::default(),
            uploads: Family::default(),
            runs: Family::default(),
            attempts: Family::default(),
            attempt_seconds: Family::new_with_constructor(RUN_BUCKETS),
            phase_seconds: Family::new_with_constructor(RUN_BUCKETS),
            tiles: Counter::default(),
            storage_writable: Gauge::default(),
            probe_seconds: CALL_BUCKETS.new_metric(),
            retries: Counter::default(),
            spans_lost: Counter::default(),
        };
        metrics.register();
        metrics.begin_at_zero();
        metrics
    }

    fn register(&mut self) {
        let version: Family<VersionLabel, Gauge> = Family::default();
        version
            .get_or_create(&VersionLabel {
                version: env!("CARGO_PKG_VERSION"),
            })
            .set(1);
        let registry = self.registry.sub_registry_with_prefix("corridor");
        registry.register("build_info", "The version that runs", version);
        registry.register(
            "calls",
            "Calls that ended, by what was called, the gRPC code and the caller's role",
            self.calls.clone(),
        );
        registry.register(
            "call_seconds",
            "Seconds from a call to the end of its answer",
            self.call_seconds.clone(),
        );
        registry.register(
            "open_streams",
            "Streaming calls under way",
            self.open_streams.clone(),
        );
        registry.register(
            "refusals",
            "Calls that were refused, by the stable reason code their callers got",
            self.refusals.clone(),
        );
        registry.register(
            "limits_hit",
            "Calls and runs that would have passed a limit of the settings",
            self.limits_hit.clone(),
        );
        registry.register(
            "upload_frames",
            "Frames of uploads taken, stored anew or repeated",
            self.frames.clone(),
        );
        registry.register(
            "upload_bytes",
            "Bytes of frames taken, repeated ones included",
            self.upload_bytes.clone(),
        );
        registry.register(
            "uploads",
            "Datasets sealed or refused, by the check that refused them",
            self.uploads.clone(),
        );
        registry.register(
            "runs",
            "Runs by state; queued ones wait for the worker",
            self.runs.clone(),
        );
        registry.register(
            "run_attempts",
            "Attempts at runs that ended, by outcome and kind of failure",
            self.attempts.clone(),
        );
        registry.register(
            "run_attempt_seconds",
            "Seconds attempts at runs took",
            self.attempt_seconds.clone(),
        );
        registry.register(
            "run_phase_seconds",
            "Seconds phases of runs took",
            self.phase_seconds.clone(),
        );
        registry.register(
            "tiles_done",
            "Tiles of runs compared and stored",
            self.tiles.clone(),
        );
        registry.register(
            "storage_writable",
            "1 when the last probe could write a file, an object and a transaction, 0 when not",
            self.storage_writable.clone(),
        );
        registry.register(
            "storage_probe_seconds",
            "Seconds probes of storage took",
            self.probe_seconds.clone(),
        );
        registry.register(
            "database_retries",
            "Transactions tried again because others were in their way",
            self.retries.clone(),
        );
        registry.register(
            "trace_export_failures",
            "Batches of spans the collector of traces did not take",
            self.spans_lost.clone(),
        );
        self.registry.register_collector(Box::new(ProcessCollector));
    }

    /// Series of closed lists are there from the start, so that the first event is an increase.
    fn begin_at_zero(&self) {
        for outcome in ["stored", "repeated"] {
            drop(self.frames.get_or_create(&FrameLabel { outcome }));
        }
        drop(self.uploads.get_or_create(&UploadLabels {
            outcome: "sealed",
            check: "none",
        }));
        self.count_runs(&[]);
        for outcome in AttemptOutcome::all() {
            drop(self.attempts.get_or_create(&AttemptLabels {
                outcome: outcome.as_str(),
                failure: outcome.failure(),
            }));
            drop(self.attempt_seconds.get_or_create(&OutcomeLabel {
                outcome: outcome.as_str(),
            }));
        }
        for phase in Phase::ALL {
            drop(self.phase_seconds.get_or_create(&PhaseLabel {
                phase: phase.as_str(),
            }));
        }
        for limit in LIMITS {
            drop(self.limits_hit.get_or_create(&LimitLabel { limit }));
        }
    }

    /// The text Prometheus reads.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        prometheus_text::encode(&mut text, &self.registry).expect("a string takes all that is written to it");
        text
    }

    /// The media type of [`Metrics::to_text`].
    pub const CONTENT_TYPE: &str = prometheus_text::CONTENT_TYPE;

    /// A streaming call began.
    pub(crate) fn open_stream(&self, method: Method) {
        self.open_streams.get_or_create(&method.into()).inc();
    }

    /// It ended.
    pub(crate) fn close_stream(&self, method: Method) {
        self.open_streams.get_or_create(&method.into()).dec();
    }

    /// A call ended.
    pub(crate) fn end_call(&self, call: &EndedCall) {
        let MethodLabels { service, method } = call.method.into();
        let labels = CallLabels {
            service,
            method,
            code: call.code,
            role: call.role,
        };
        self.calls.get_or_create(&labels).inc();
        self.call_seconds
            .get_or_create(&call.method.into())
            .observe(call.took.as_secs_f64());
        if let Some(reason) = call.reason {
            self.refusals.get_or_create(&ReasonLabel { reason }).inc();
            if let Some(limit) = limit_of(reason) {
                self.hit_limit(limit);
            }
        }
    }

    fn hit_limit(&self, limit: &'static str) {
        self.limits_hit.get_or_create(&LimitLabel { limit }).inc();
    }

    /// How many runs are in each state now.
    pub(crate) fn count_runs(&self, counts: &[(RunState, u64)]) {
        for state in RunState::ALL {
            let count = counts
                .iter()
                .find_map(|(of, count)| (*of == state).then_some(*count));
            self.runs
                .get_or_create(&StateLabel {
                    state: state.as_str(),
                })
                .set(i64::try_from(count.unwrap_or(0)).unwrap_or(i64::MAX));
        }
    }

    /// What a probe of storage found.
    pub(crate) fn probed(&self, is_writable: bool, took: Duration) {
        self.storage_writable.set(i64::from(is_writable));
        self.probe_seconds.observe(took.as_secs_f64());
    }

    /// Transactions tried again since the start.
    pub(crate) fn count_retries(&self, retries: u64) {
        self.retries.inc_by(retries.saturating_sub(self.retries.get()));
    }

    /// A batch of spans was not taken.
    pub(crate) fn lose_spans(&self) {
        self.spans_lost.inc();
    }
}

/// How a call went.
#[derive(Debug)]
pub(crate) struct EndedCall {
    pub(crate) method: Method,
    pub(crate) code: &'static str,
    pub(crate) role: &'static str,
    /// The reason code of a refusal.
    pub(crate) reason: Option<&'static str>,
    pub(crate) took: Duration,
}

impl Observer for Metrics {
    fn observe(&self, happening: &Happening) {
        match happening {
            Happening::Frame { bytes, is_repeated } => {
                let outcome = if *is_repeated { "repeated" } else { "stored" };
                self.frames.get_or_create(&FrameLabel { outcome }).inc();
                self.upload_bytes.inc_by(*bytes);
            }
            Happening::UploadSealed => self.count_upload("sealed", "none"),
            Happening::UploadRefused { check } => self.count_upload("refused", check),
            Happening::Tile => {
                self.tiles.inc();
            }
            Happening::Phase { phase, seconds } => self
                .phase_seconds
                .get_or_create(&PhaseLabel {
                    phase: phase.as_str(),
                })
                .observe(*seconds),
            Happening::Attempt { outcome, seconds } => {
                let labels = AttemptLabels {
                    outcome: outcome.as_str(),
                    failure: outcome.failure(),
                };
                self.attempts.get_or_create(&labels).inc();
                self.attempt_seconds
                    .get_or_create(&OutcomeLabel {
                        outcome: outcome.as_str(),
                    })
                    .observe(*seconds);
                if let AttemptOutcome::Failed(kind) = outcome
                    && let Some(limit) = run_limit(*kind)
                {
                    self.hit_limit(limit);
                }
            }
        }
    }
}

impl Metrics {
    fn count_upload(&self, outcome: &'static str, check: &'static str) {
        self.uploads.get_or_create(&UploadLabels { outcome, check }).inc();
    }
}

/// The limits that are counted, by a word for the key in the settings.
const LIMITS: [&str; 11] = [
    "call_seconds",
    "calls",
    "calls_per_second",
    "dataset_bytes",
    "frame_bytes",
    "idle_seconds",
    "run_candidates",
    "run_memory",
    "run_seconds",
    "streams",
    "uploads",
];

/// The limit a refused call would have passed.
fn limit_of(reason: &str) -> Option<&'static str> {
    match reason {
        "CALLS_LIMIT" => Some("calls"),
        "CALL_TIMEOUT" => Some("call_seconds"),
        "CLIENT_STALLED" => Some("idle_seconds"),
        "DATASET_TOO_LARGE" => Some("dataset_bytes"),
        "FRAME_TOO_LARGE" => Some("frame_bytes"),
        "RATE_LIMIT" => Some("calls_per_second"),
        "STREAMS_LIMIT" => Some("streams"),
        "UPLOADS_LIMIT" => Some("uploads"),
        _ => None,
    }
}

/// The limit a failed run would have passed.
const fn run_limit(kind: FailureKind) -> Option<&'static str> {
    match kind {
        FailureKind::LimitMemory => Some("run_memory"),
        FailureKind::LimitCandidates => Some("run_candidates"),
        FailureKind::LimitSeconds => Some("run_seconds"),
        FailureKind::Linkage | FailureKind::Statistics | FailureKind::StorageFull | FailureKind::Service => {
            None
        }
    }
}
