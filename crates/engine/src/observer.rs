use std::fmt;
use std::io::ErrorKind;
use std::sync::Arc;

use corridor_link::LinkError;
use corridor_store::{Store, StoreError};

use crate::engine::Engine;
use crate::error::EngineError;
use crate::limits::RunLimit;

/// Who is told what an engine does, to count it. Nothing it is told says whose it was or names a record.
pub trait Observer: fmt::Debug + Send + Sync {
    /// Something happened. Called in the middle of the work: it must not wait for anything.
    fn observe(&self, happening: &Happening);
}

impl Engine {
    /// The same, telling `observer` what it does.
    #[must_use]
    pub fn with_observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = observer;
        self
    }

    /// The store, for what monitoring asks of it.
    pub const fn store(&self) -> &Store {
        &self.store
    }
}

/// Nobody.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct NoObserver;

impl Observer for NoObserver {
    fn observe(&self, _: &Happening) {}
}

/// Something an engine did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Happening {
    /// A frame of an upload was taken.
    Frame {
        /// Its bytes.
        bytes: u64,
        /// Whether it was there already.
        is_repeated: bool,
    },
    /// A dataset passed every check.
    UploadSealed,
    /// A dataset did not pass a check, or could not be checked.
    UploadRefused {
        /// Which, from a closed list.
        check: &'static str,
    },
    /// A tile of a run was compared and its result stored.
    Tile,
    /// A phase of a run ended well.
    Phase {
        /// Which.
        phase: Phase,
        /// Seconds it took.
        seconds: f64,
    },
    /// An attempt at a run ended.
    Attempt {
        /// How.
        outcome: AttemptOutcome,
        /// Seconds it took.
        seconds: f64,
    },
}

/// A phase of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Datasets are read and what the run needs is worked out.
    Prepare,
    /// Tiles are compared.
    Compare,
    /// Links are decided, moves are paired and reconciled, and tables are protected.
    Decide,
    /// Results are stored.
    Store,
}

impl Phase {
    /// Every phase, in order.
    pub const ALL: [Self; 4] = [Self::Prepare, Self::Compare, Self::Decide, Self::Store];

    /// The word in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Compare => "compare",
            Self::Decide => "decide",
            Self::Store => "store",
        }
    }
}

/// How an attempt at a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AttemptOutcome {
    /// With a result.
    Reconciled,
    /// An office cancelled it.
    Cancelled,
    /// The service is stopping; another attempt goes on from there.
    PutAside,
    /// Without a result.
    Failed(FailureKind),
}

impl AttemptOutcome {
    /// Every outcome.
    pub fn all() -> impl Iterator<Item = Self> {
        [Self::Reconciled, Self::Cancelled, Self::PutAside]
            .into_iter()
            .chain(FailureKind::ALL.map(Self::Failed))
    }

    /// The word in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reconciled => "reconciled",
            Self::Cancelled => "cancelled",
            Self::PutAside => "put_aside",
            Self::Failed(_) => "failed",
        }
    }

    /// The kind of a failure; `none` for any other outcome.
    pub const fn failure(self) -> &'static str {
        match self {
            Self::Reconciled | Self::Cancelled | Self::PutAside => "none",
            Self::Failed(kind) => kind.as_str(),
        }
    }
}

/// Why a run failed, as an operator sorts failures: by who has to do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// It needed more memory than a run may have.
    LimitMemory,
    /// It had more candidates than a run may have.
    LimitCandidates,
    /// It would have taken longer than a run may.
    LimitSeconds,
    /// The registers cannot be linked as agreed.
    Linkage,
    /// The tables cannot be protected, or there are no moves to make any of.
    Statistics,
    /// Storage is full.
    StorageFull,
    /// The service, its database or its storage failed.
    Service,
}

impl FailureKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::LimitMemory,
        Self::LimitCandidates,
        Self::LimitSeconds,
        Self::Linkage,
        Self::Statistics,
        Self::StorageFull,
        Self::Service,
    ];

    /// The word in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LimitMemory => "limit_memory",
            Self::LimitCandidates => "limit_candidates",
            Self::LimitSeconds => "limit_seconds",
            Self::Linkage => "linkage",
            Self::Statistics => "statistics",
            Self::StorageFull => "storage_full",
            Self::Service => "service",
        }
    }

    /// The kind of a failure.
    pub(crate) fn of(error: &EngineError) -> Self {
        if let EngineError::RunRefused { refusals } = error {
            return match refusals.first().map(|refusal| refusal.limit) {
                Some(RunLimit::Memory) => Self::LimitMemory,
                Some(RunLimit::Candidates) => Self::LimitCandidates,
                Some(RunLimit::Seconds) => Self::LimitSeconds,
                None => Self::Service,
            };
        }
        if matches!(error, EngineError::Store(store) if store.is_disk_full()) {
            return Self::StorageFull;
        }
        if let EngineError::Link(LinkError::Scratch(error)) = error {
            let is_full = matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
            return if is_full { Self::StorageFull } else { Self::Service };
        }
        let is_linkage = matches!(error, EngineError::Link(_) | EngineError::MeasureMismatch);
        let is_statistics = matches!(
            error,
            EngineError::Disclosure(_) | EngineError::Flow(_) | EngineError::NoEvents
        );
        if is_linkage {
            Self::Linkage
        } else if is_statistics {
            Self::Statistics
        } else {
            Self::Service
        }
    }
}

/// The check that kept a dataset out, as metrics name it.
pub(crate) fn check_of(error: &EngineError) -> &'static str {
    if matches!(error, EngineError::ContentMismatch) {
        "content"
    } else if matches!(error, EngineError::DatasetFile(_)) {
        "file"
    } else if matches!(error, EngineError::DatasetMismatch { .. }) {
        "declaration"
    } else if matches!(error, EngineError::GateFailed { .. }) {
        "gate"
    } else if matches!(error, EngineError::DatasetIncomplete { .. }) {
        "complete"
    } else if matches!(error, EngineError::Store(StoreError::KeyCheckMismatch)) {
        "key"
    } else {
        "other"
    }
}
