use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Says that work is no longer wanted: set by whoever asked for it, looked at by whoever does it, every few tenths of a second where pairs
/// are compared and candidates walked, and between other steps, of which the longest sort the candidates that are held in memory.
///
/// Clones are of the same request. Work that ends with [`Stopped`] gives nothing, so whether and when it is set changes no result.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

/// The work is no longer wanted, and was left in the middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the work was stopped on request")]
pub struct Stopped;

impl Stop {
    /// Asks for the work to end. There is no way back.
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the work is still wanted.
    ///
    /// # Errors
    /// [`Stopped`] when it is not.
    pub fn check(&self) -> Result<(), Stopped> {
        if self.0.load(Ordering::Relaxed) {
            return Err(Stopped);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_seen_by_its_clones_and_by_no_other() {
        let (asked, other) = (Stop::default(), Stop::default());
        let seen = asked.clone();
        assert_eq!(seen.check(), Ok(()));
        asked.set();
        assert_eq!((seen.check(), other.check()), (Err(Stopped), Ok(())));
    }
}
