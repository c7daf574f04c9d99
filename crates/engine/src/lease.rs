use std::collections::HashMap;
use std::time::Duration;

use corridor_core::Digest;
use corridor_store::{OpenRun, WorkerId};

/// How leases of runs are kept and taken over.
///
/// Nobody's clock rules. A holder renews with every tick of its own waiting, and another counts, with its own, for how many ticks a
/// lease has not moved. So neither a clock that is set nor two that differ can make a living service look dead; one that was
/// stopped for a while counts too little, and takes over later, never too early. What is left is a holder that was stopped itself
/// and comes back: the token of the lease has risen then, and the store refuses what it writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseTiming {
    /// Between two renewals, and between two looks at what others do.
    pub tick: Duration,
    /// Ticks a lease must stand still before another takes it. Well above 1, so that a slow database does not look like a death.
    pub ticks_to_takeover: u32,
}

impl LeaseTiming {
    /// A look every second: an office that stops a run at one service stops it at the other within that time. A run is taken over
    /// after 15.
    pub const DEFAULT: Self = Self {
        tick: Duration::from_secs(1),
        ticks_to_takeover: 15,
    };
}

/// What one service has seen of the leases of all.
#[derive(Debug, Default)]
pub struct LeaseWatch {
    seen: HashMap<Digest, Seen>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    token: u64,
    renewals: u64,
    ticks_still: u32,
}

impl LeaseWatch {
    /// Looks at the leases once more, a tick after the last time. Whether one has stood still for long enough just now.
    pub fn observe(&mut self, open: &[OpenRun], timing: LeaseTiming) -> bool {
        let mut is_any_new = false;
        let before = std::mem::take(&mut self.seen);
        for run in open.iter().filter(|run| run.worker.is_some()) {
            let ticks_still = match before.get(&run.id) {
                Some(seen) if (seen.token, seen.renewals) == (run.token, run.renewals) => {
                    seen.ticks_still.saturating_add(1)
                }
                _ => 0,
            };
            is_any_new |= ticks_still == timing.ticks_to_takeover;
            let seen = Seen {
                token: run.token,
                renewals: run.renewals,
                ticks_still,
            };
            self.seen.insert(run.id, seen);
        }
        is_any_new
    }

    /// The first of these runs `own` may take: one that nobody holds, or that `own` itself let fall, or whose lease has stood still.
    pub fn first_free(&self, open: &[OpenRun], own: WorkerId, timing: LeaseTiming) -> Option<OpenRun> {
        let has_stood_still = |run: &OpenRun| {
            self.seen.get(&run.id).is_some_and(|seen| {
                (seen.token, seen.renewals) == (run.token, run.renewals)
                    && seen.ticks_still >= timing.ticks_to_takeover
            })
        };
        open.iter()
            .find(|run| run.worker.is_none() || run.worker == Some(own) || has_stood_still(run))
            .copied()
    }
}
