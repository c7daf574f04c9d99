//! What each party may have of the service at once, so that none can starve another.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use corridor_core::Caller;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::calls::Span;
use crate::config::PartyLimits;

/// How long a caller is told to wait when it has too much under way.
const WAIT_FOR_OTHERS: Duration = Duration::from_secs(1);

/// A bound of a party that a call would pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bound {
    /// Calls a second.
    Rate,
    /// Calls under way.
    Calls,
    /// Uploads under way.
    Uploads,
    /// Streams being read.
    Streams,
}

/// A call that is not taken now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMuch {
    pub(crate) bound: Bound,
    /// When to try again.
    pub(crate) retry_after: Duration,
}

/// What a party has left.
#[derive(Debug)]
struct Allowance {
    limits: PartyLimits,
    rate: DefaultDirectRateLimiter,
    calls: Arc<Semaphore>,
    uploads: Arc<Semaphore>,
    streams: Arc<Semaphore>,
}

impl Allowance {
    fn new(limits: PartyLimits) -> Self {
        let semaphore = |permits: u32| {
            let permits = usize::try_from(permits).unwrap_or(Semaphore::MAX_PERMITS);
            Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS)))
        };
        let quota = Quota::per_second(limits.calls_per_second).allow_burst(limits.call_burst);
        Self {
            limits,
            rate: DefaultDirectRateLimiter::direct(quota),
            calls: semaphore(limits.max_calls.get()),
            uploads: semaphore(limits.max_uploads.get()),
            streams: semaphore(limits.max_streams.get()),
        }
    }

    fn take(&self, span: Span) -> Result<OwnedSemaphorePermit, TooMuch> {
        self.rate.check().map_err(|until| TooMuch {
            bound: Bound::Rate,
            retry_after: until.wait_time_from(DefaultClock::default().now()),
        })?;
        let (semaphore, bound) = match span {
            Span::Short | Span::Long => (&self.calls, Bound::Calls),
            Span::Upload => (&self.uploads, Bound::Uploads),
            Span::Stream => (&self.streams, Bound::Streams),
        };
        Arc::clone(semaphore).try_acquire_owned().map_err(|_| TooMuch {
            bound,
            retry_after: WAIT_FOR_OTHERS,
        })
    }
}

/// What every party has left. A party in two roles has twice.
#[derive(Debug, Default)]
pub(crate) struct Allowances(Mutex<HashMap<Caller, Arc<Allowance>>>);

impl Allowances {
    /// Takes a place for a call, which is free again when the permit is dropped.
    pub(crate) fn take(
        &self,
        caller: &Caller,
        limits: PartyLimits,
        span: Span,
    ) -> Result<OwnedSemaphorePermit, TooMuch> {
        let allowance = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let known = all.get(caller).filter(|known| known.limits == limits);
            if let Some(known) = known {
                Arc::clone(known)
            } else {
                // Of a new party, or under new settings.
                let new = Arc::new(Allowance::new(limits));
                all.insert(caller.clone(), Arc::clone(&new));
                new
            }
        };
        allowance.take(span)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use corridor_core::Role;

    use super::*;

    fn caller(party: &str) -> Caller {
        Caller {
            party: party.parse().unwrap(),
            role: Role::Office,
        }
    }

    #[test]
    fn what_one_party_uses_up_another_still_has() {
        let few = |count| NonZeroU32::new(count).unwrap();
        let limits = PartyLimits {
            calls_per_second: few(1),
            call_burst: few(5),
            max_calls: few(2),
            max_uploads: few(1),
            max_streams: few(1),
        };
        let allowances = Allowances::default();
        let take = |party: &str, span| allowances.take(&caller(party), limits, span);
        let first = take("INS-TN", Span::Short).unwrap();
        let _second = take("INS-TN", Span::Long).unwrap();
        assert_eq!(take("INS-TN", Span::Short).unwrap_err().bound, Bound::Calls);
        // Uploads have places of their own.
        let _upload = take("INS-TN", Span::Upload).unwrap();
        drop(first);
        let _again = take("INS-TN", Span::Short).unwrap();
        let spent = take("INS-TN", Span::Short).unwrap_err();
        assert_eq!(spent.bound, Bound::Rate);
        assert!(spent.retry_after > Duration::ZERO && spent.retry_after <= Duration::from_secs(1));
        assert!(take("ISTAT", Span::Short).is_ok());
    }
}
