use std::time::Duration;

use corridor_core::Entropy;

/// How long an office bears with its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineTerms {
    /// After so long without another byte acknowledged, an upload is given up; zero: it is tried once.
    pub give_up_after: Duration,
    /// A line over which nothing came for so long is taken for dead, and another one is made.
    pub stalled_after: Duration,
}

impl Default for LineTerms {
    /// Ten minutes, and one.
    fn default() -> Self {
        Self {
            give_up_after: Duration::from_secs(600),
            stalled_after: Duration::from_secs(60),
        }
    }
}

/// The longest wait after the first cut; it doubles with each that follows without progress.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// The longest wait there is.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Decides whether to try again, and when. Times are since the upload began.
pub(crate) struct Patience<'a> {
    give_up_after: Duration,
    entropy: &'a mut dyn Entropy,
    acknowledged: u64,
    last_progress: Duration,
    cuts_in_vain: u32,
}

impl<'a> Patience<'a> {
    pub(crate) fn new(give_up_after: Duration, entropy: &'a mut dyn Entropy) -> Self {
        Self {
            give_up_after,
            entropy,
            acknowledged: 0,
            last_progress: Duration::ZERO,
            cuts_in_vain: 0,
        }
    }

    /// Notes how many bytes are acknowledged. More than ever before is progress.
    pub(crate) fn note(&mut self, now: Duration, acknowledged: u64) {
        if acknowledged > self.acknowledged {
            self.acknowledged = acknowledged;
            self.last_progress = now;
            self.cuts_in_vain = 0;
        }
    }

    /// How long to wait before the next try, `at_least` what the service asked for; `None` to give up.
    ///
    /// Waits are drawn between half and all of a bound that doubles, so that clients which were cut together do not come back
    /// together.
    pub(crate) fn wait(&mut self, now: Duration, at_least: Duration) -> Option<Duration> {
        let left = self
            .give_up_after
            .checked_sub(now.saturating_sub(self.last_progress))
            .filter(|left| !left.is_zero() && *left >= at_least)?;
        let bound = FIRST_WAIT
            .saturating_mul(2_u32.saturating_pow(self.cuts_in_vain))
            .min(LONGEST_WAIT);
        self.cuts_in_vain += 1;
        let drawn = f64::from(self.entropy.next_u32()) / f64::from(u32::MAX);
        // The last try comes when patience ends, not after.
        Some(bound.mul_f64(0.5 + drawn / 2.0).min(left).max(at_least))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use corridor_core::SeededEntropy;

    /// The waits of an upload that is cut at once, each time, until it is given up.
    fn waits_in_vain(give_up_after: Duration, seed: u64) -> Vec<Duration> {
        let mut entropy = SeededEntropy::new(seed, "waits");
        let mut patience = Patience::new(give_up_after, &mut entropy);
        let mut now = Duration::ZERO;
        let mut waits = Vec::new();
        while let Some(wait) = patience.wait(now, Duration::ZERO) {
            now += wait;
            waits.push(wait);
        }
        assert_eq!(now, give_up_after, "the last try is when patience ends");
        waits
    }

    #[test]
    fn waits_double_to_a_bound_and_end() {
        let waits = waits_in_vain(Duration::from_secs(600), 1);
        for (place, wait) in waits[..waits.len() - 1].iter().enumerate() {
            let bound = LONGEST_WAIT.min(FIRST_WAIT * (1 << place.min(10)));
            assert!(
                *wait >= bound / 2 && *wait <= bound,
                "{place}: {wait:?} of {bound:?}"
            );
        }
        assert!((25..60).contains(&waits.len()), "{} tries", waits.len());
    }

    #[test]
    fn waits_of_two_clients_differ() {
        let give_up_after = Duration::from_secs(100);
        assert_ne!(waits_in_vain(give_up_after, 1), waits_in_vain(give_up_after, 2));
        assert_eq!(waits_in_vain(give_up_after, 1), waits_in_vain(give_up_after, 1));
    }

    #[test]
    fn without_patience_there_is_one_try() {
        assert!(waits_in_vain(Duration::ZERO, 1).is_empty());
    }

    #[test]
    fn progress_starts_the_count_again_and_less_than_before_is_none() {
        let mut entropy = SeededEntropy::new(1, "waits");
        let mut patience = Patience::new(Duration::from_secs(10), &mut entropy);
        patience.note(Duration::from_secs(1), 100);
        let at = |seconds| Duration::from_secs(seconds);
        assert!(patience.wait(at(10), Duration::ZERO).unwrap() <= FIRST_WAIT);
        // The service was set back, or acknowledges again what it had: nothing is gained.
        patience.note(at(10), 100);
        patience.note(at(10), 50);
        assert_eq!(patience.wait(at(11), Duration::ZERO), None);
        patience.note(at(11), 101);
        assert!(patience.wait(at(20), Duration::ZERO).unwrap() <= FIRST_WAIT);
    }

    #[test]
    fn the_service_is_given_the_time_it_asks_for() {
        let mut entropy = SeededEntropy::new(1, "waits");
        let mut patience = Patience::new(Duration::from_secs(60), &mut entropy);
        let asked = Duration::from_secs(45);
        assert_eq!(patience.wait(Duration::ZERO, asked), Some(asked));
        assert_eq!(
            patience.wait(Duration::from_secs(20), asked),
            None,
            "there is no time for that"
        );
    }
}
