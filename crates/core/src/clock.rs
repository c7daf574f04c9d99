use std::fmt;

use jiff::Timestamp;

/// Where the time comes from. Time is an argument everywhere, so that a run can be replayed and a
/// test can say what time it is.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The current instant.
    fn now(&self) -> Timestamp;
}

/// The machine's clock. Only binaries make one.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the machine's clock"
    )]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// A stopwatch over a [`Clock`]: how long a step took, for people to read. Never an input to a result.
#[derive(Debug)]
pub struct Stopwatch<'a> {
    clock: &'a dyn Clock,
    start: Timestamp,
}

impl<'a> Stopwatch<'a> {
    /// Starts now.
    pub fn start(clock: &'a dyn Clock) -> Self {
        Self {
            clock,
            start: clock.now(),
        }
    }

    /// Counts from an instant that was noted before.
    pub fn since(clock: &'a dyn Clock, start: Timestamp) -> Self {
        Self { clock, start }
    }

    /// Seconds since the start; 0 if the clock was set back.
    pub fn elapsed_s(&self) -> f64 {
        self.clock.now().duration_since(self.start).as_secs_f64().max(0.0)
    }
}
