use corridor_core::Stopwatch;

use crate::engine::Engine;
use crate::observer::{Happening, Observer, Phase};

/// A phase of a run that is under way: a span for traces, a time for metrics. Dropped before its end, as when the run
/// fails, it leaves the span alone.
pub(crate) struct OpenPhase<'a> {
    phase: Phase,
    observer: &'a dyn Observer,
    stopwatch: Stopwatch<'a>,
    /// Lasts as long as this does. It is not entered: the work goes on across threads.
    _span: tracing::Span,
}

impl Engine {
    /// Begins a phase of a run, inside the current span.
    pub(crate) fn begin(&self, phase: Phase) -> OpenPhase<'_> {
        OpenPhase {
            phase,
            observer: &*self.observer,
            stopwatch: Stopwatch::start(&*self.clock),
            // An error's level: spans are there whatever is logged.
            _span: tracing::error_span!("phase", phase = phase.as_str()),
        }
    }
}

impl OpenPhase<'_> {
    /// It ended well.
    pub(crate) fn end(self) {
        self.observer.observe(&Happening::Phase {
            phase: self.phase,
            seconds: self.stopwatch.elapsed_s(),
        });
    }
}
