use std::fmt;

use jiff::Timestamp;

use crate::{Digest, OfficeId, Side};

/// Where a dataset is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DatasetState {
    /// Frames are coming in.
    Receiving,
    /// Checked and fixed; runs may read it.
    Sealed,
    /// Its key was destroyed and its bytes removed; it stays so.
    Purged,
}

impl DatasetState {
    /// Every state, in order.
    pub const ALL: [Self; 3] = [Self::Receiving, Self::Sealed, Self::Purged];

    /// The word in tables and messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Receiving => "receiving",
            Self::Sealed => "sealed",
            Self::Purged => "purged",
        }
    }

    /// The state of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// What an office declares of a dataset before it uploads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetDeclaration {
    /// The agreement.
    pub agreement: Digest,
    /// The office.
    pub office: OfficeId,
    /// Digest of the encoding schema.
    pub schema: Digest,
    /// The key check.
    pub key_check: Digest,
    /// Number of records.
    pub record_count: u64,
    /// Bytes of the file.
    pub total_bytes: u64,
    /// Digest of the file.
    pub content: Digest,
}

impl DatasetDeclaration {
    /// Id of the dataset: the same declaration is the same dataset, however often it is sent.
    pub fn to_id(&self) -> Digest {
        Digest::of_parts(&[
            b"corridor/v1|dataset",
            self.agreement.as_bytes(),
            self.office.as_str().as_bytes(),
            self.content.as_bytes(),
        ])
    }
}

/// A dataset at the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetStatus {
    /// Its id.
    pub id: Digest,
    /// What was declared.
    pub declaration: DatasetDeclaration,
    /// Its state.
    pub state: DatasetState,
    /// Bytes that are safely stored.
    pub acknowledged_bytes: u64,
    /// Sequence number of the next frame.
    pub next_sequence: u64,
    /// When it will be purged, once that is known.
    pub purge_at: Option<Timestamp>,
}

/// Where a run is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RunState {
    /// Waits for a worker.
    Queued,
    /// Tiles are being compared.
    Running,
    /// Links are decided.
    Linked,
    /// The flow table is made and suppressed; it waits for both offices to release it.
    Reconciled,
    /// Both offices released the flow table.
    Released,
    /// It ended without a result; the reason says what to do.
    Failed,
    /// An office stopped it.
    Cancelled,
}

impl RunState {
    /// Every state, in order.
    pub const ALL: [Self; 7] = [
        Self::Queued,
        Self::Running,
        Self::Linked,
        Self::Reconciled,
        Self::Released,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The word in tables and messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Linked => "linked",
            Self::Reconciled => "reconciled",
            Self::Released => "released",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Whether work is waiting or going on.
    pub const fn is_active(self) -> bool {
        matches!(self, Self::Queued | Self::Running | Self::Linked)
    }

    /// Whether a flow table is there.
    pub const fn has_result(self) -> bool {
        matches!(self, Self::Reconciled | Self::Released)
    }

    /// Whether a run may go from this state to `next`.
    pub const fn may_become(self, next: Self) -> bool {
        match self {
            Self::Queued => matches!(next, Self::Running | Self::Failed | Self::Cancelled),
            // Back to the queue when the service was stopped in the middle.
            Self::Running => matches!(next, Self::Queued | Self::Linked | Self::Failed | Self::Cancelled),
            Self::Linked => {
                matches!(
                    next,
                    Self::Queued | Self::Reconciled | Self::Failed | Self::Cancelled
                )
            }
            Self::Reconciled => matches!(next, Self::Released),
            Self::Released => false,
            // Started again by an office.
            Self::Failed | Self::Cancelled => matches!(next, Self::Queued),
        }
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A run at the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunStatus {
    /// Its id: a digest of everything that decides its result.
    pub id: Digest,
    /// The agreement.
    pub agreement: Digest,
    /// The origin's dataset.
    pub origin_dataset: Digest,
    /// The destination's dataset.
    pub destination_dataset: Digest,
    /// Its state.
    pub state: RunState,
    /// Tiles stored.
    pub tiles_done: u64,
    /// Tiles in all; 0 until they are planned.
    pub tiles_total: u64,
    /// How often it was taken up again after the service was stopped.
    pub restarts: u64,
    /// Why it failed, and what to do; empty unless it failed.
    pub reason: String,
    /// Digest of the result, when there is one.
    pub result: Option<Digest>,
    /// Which offices released the result.
    pub released_by: Vec<Side>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip() {
        for state in RunState::ALL {
            assert_eq!(RunState::from_word(state.as_str()), Some(state));
        }
        for state in DatasetState::ALL {
            assert_eq!(DatasetState::from_word(state.as_str()), Some(state));
        }
    }

    #[test]
    fn a_result_is_never_lost_or_made_twice() {
        for state in RunState::ALL {
            assert!(!RunState::Released.may_become(state));
            assert!(!state.may_become(state));
            if state.may_become(RunState::Released) {
                assert_eq!(state, RunState::Reconciled);
            }
            if state.may_become(RunState::Cancelled) {
                assert!(state.is_active());
            }
        }
    }
}
