use std::sync::Arc;

use corridor_core::ScratchRoom;
use corridor_link::CandidateMemory;
use serde::{Deserialize, Serialize};

/// Bounds of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunLimits {
    /// Bytes of memory.
    pub max_memory_bytes: u64,
    /// Candidate pairs.
    pub max_candidates: u64,
    /// Candidate pairs of them that are held in memory at a time, about; the others are sorted on disk.
    pub candidates_in_memory: u64,
    /// Seconds; `None` for as long as it takes.
    pub max_seconds: Option<u64>,
    /// Who can raise them.
    pub set_by: SetBy,
}

/// Who sets the bounds of a run, and so who is told of in a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetBy {
    /// The operator of a service, in its settings.
    Operator,
    /// Whoever gives the command.
    Command,
}

impl RunLimits {
    /// 16 GiB, 100 million candidates, half of them in memory, no bound on time.
    pub const DEFAULT: Self = Self {
        max_memory_bytes: 16 << 30,
        max_candidates: 100_000_000,
        candidates_in_memory: 50_000_000,
        max_seconds: None,
        set_by: SetBy::Operator,
    };

    /// So many candidates at most, so many of them in memory, and no other bound, for a linkage on one's own machine.
    pub const fn of_command(max_candidates: u64, candidates_in_memory: u64) -> Self {
        Self {
            max_memory_bytes: u64::MAX,
            max_candidates,
            candidates_in_memory,
            max_seconds: None,
            set_by: SetBy::Command,
        }
    }
}

impl RunLimits {
    /// Memory for candidates within these bounds, and `room` for the others.
    pub fn candidate_memory(&self, room: Arc<dyn ScratchRoom>) -> CandidateMemory {
        CandidateMemory::new(self.candidates_in_memory, room)
    }
}

/// A bound of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunLimit {
    /// Bytes of memory.
    Memory,
    /// Candidate pairs.
    Candidates,
    /// Seconds.
    Seconds,
}

/// Why a run is not taken, and what would help. Every figure is rounded as in a [`PublicPlan`](crate::PublicPlan).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// The bound that would be passed.
    pub limit: RunLimit,
    /// What would be needed, and what there is: one sentence.
    pub reason: String,
    /// What would help, one sentence each, the best first. A figure is named only where the plan says that it brings
    /// the run within this bound.
    pub proposals: Vec<String>,
}

impl Refusal {
    /// The reason and what would help, in one line.
    pub fn to_sentences(&self) -> String {
        let mut text = self.reason.clone();
        for proposal in &self.proposals {
            text.push(' ');
            text.push_str(proposal);
        }
        text
    }
}

/// All of several refusals in one line.
pub(crate) fn to_text(refusals: &[Refusal]) -> String {
    let all: Vec<String> = refusals.iter().map(Refusal::to_sentences).collect();
    all.join(" ")
}
