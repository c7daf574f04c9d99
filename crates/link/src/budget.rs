use std::sync::atomic::{AtomicU64, Ordering};

/// How many candidate pairs a comparison may keep, over all of its tiles and threads. Records that are all alike have
/// as many candidates as pairs, which no memory holds.
///
/// Whether the budget is passed does not depend on the order of the tiles: each candidate counts once, and those of all tiles
/// are either within it or not.
#[derive(Debug)]
pub struct CandidateBudget {
    most: u64,
    kept: AtomicU64,
}

impl CandidateBudget {
    /// At most `most` candidates, of which `kept` are there from tiles done before.
    pub const fn new(most: u64, kept: u64) -> Self {
        Self {
            most,
            kept: AtomicU64::new(kept),
        }
    }

    /// As many as there are.
    pub const fn unlimited() -> Self {
        Self::new(u64::MAX, 0)
    }

    /// The most candidates.
    pub const fn most(&self) -> u64 {
        self.most
    }

    /// Candidates found so far.
    pub fn kept(&self) -> u64 {
        self.kept.load(Ordering::Relaxed)
    }

    /// Whether more were found than may be kept.
    pub fn is_passed(&self) -> bool {
        self.kept() > self.most
    }

    /// Whether so many more could be kept. Counts nothing.
    pub(crate) fn has_room_for(&self, count: usize) -> bool {
        let count = u64::try_from(count).expect("a length fits in 64 bits");
        self.kept().saturating_add(count) <= self.most
    }

    /// Counts candidates that were found. Says whether they may be kept.
    pub fn take(&self, count: usize) -> bool {
        let count = u64::try_from(count).expect("a length fits in 64 bits");
        self.kept
            .fetch_add(count, Ordering::Relaxed)
            .saturating_add(count)
            <= self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_passed_by_the_first_candidate_beyond_it() {
        let budget = CandidateBudget::new(10, 4);
        assert!(budget.take(6) && !budget.is_passed());
        assert!(!budget.take(1) && budget.is_passed());
        assert!(!budget.take(0), "what was found is not forgotten");
        assert!(CandidateBudget::unlimited().take(usize::MAX));
    }
}
