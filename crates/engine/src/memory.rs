//! What a run takes in memory at most, from what the worker holds at each of its steps.

use corridor_core::{BlockKey, MigrationEvent};
use corridor_link::LinkSizes;
use serde::{Deserialize, Serialize};

/// A part of the memory of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoryPart {
    /// What it is, in words.
    pub what: String,
    /// Bytes.
    pub bytes: u64,
}

/// What the memory of a run follows from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RunSizes {
    /// What linking takes.
    pub(crate) link: LinkSizes,
    /// Bytes of the file of the origin's dataset and of the destination's.
    pub(crate) files: [u64; 2],
    /// Passes of block keys of each.
    pub(crate) passes: [u64; 2],
    /// Whether they hold moves.
    pub(crate) events: [bool; 2],
}

/// What the program takes besides a run: its code, the database, connections and the pages of its allocator.
const PROGRAM_BYTES: u64 = 32 << 20;

/// Bytes of the record's and the person's pseudonym.
const PSEUDONYM_BYTES: u64 = 32;

impl RunSizes {
    fn dataset(&self, side: usize) -> u64 {
        let record = self.link.filter_bytes
            + PSEUDONYM_BYTES
            + self.passes[side] * size_of_in_bytes::<Option<BlockKey>>()
            + u64::from(self.events[side]) * size_of_in_bytes::<MigrationEvent>();
        self.link.records[side] * record
    }

    /// The parts at the step that takes most, the largest first.
    ///
    /// The steps: both files are read and parsed; each side is looked at alone; tiles are compared; links are decided from all
    /// candidates. The datasets are there at all of them. What blocks cost is measured in little more than these.
    pub(crate) fn at_peak(&self) -> Vec<MemoryPart> {
        let link = &self.link;
        let sides = ("persons and popcounts of the records", link.sides());
        let (held, making) = link.blocks.map_or((0, 0), |blocks| (blocks.held, blocks.making));
        let blocks = ("orders and pieces of the blocks", held);
        let making = ("orders and pieces of the blocks", held + making);
        let packed = ("filters packed for comparison", link.packed());
        let in_blocks = link.blocks.is_some();
        let steps = [
            vec![("the file being read", self.files[0].max(self.files[1]))],
            vec![sides, making],
            vec![
                sides,
                blocks,
                if in_blocks { ("", 0) } else { packed },
                ("tiles under way", link.comparing()),
            ],
            vec![
                sides,
                blocks,
                ("candidate pairs, and links made of them", link.deciding()),
            ],
        ];
        let total = |parts: &Vec<(&str, u64)>| parts.iter().map(|(_, bytes)| bytes).sum::<u64>();
        let most = steps.into_iter().max_by_key(total).unwrap_or_default();
        let always = [
            ("datasets", self.dataset(0) + self.dataset(1)),
            ("the program itself", PROGRAM_BYTES),
        ];
        let mut parts: Vec<MemoryPart> = most
            .into_iter()
            .chain(always)
            .filter(|(_, bytes)| *bytes > 0)
            .map(|(what, bytes)| MemoryPart {
                what: what.to_owned(),
                bytes: bytes + bytes / MARGIN,
            })
            .collect();
        parts.sort_by_key(|part| std::cmp::Reverse(part.bytes));
        parts
    }

    /// Bytes in all.
    pub(crate) fn peak(&self) -> u64 {
        self.at_peak().iter().map(|part| part.bytes).sum()
    }

    /// The same with other candidates.
    pub(crate) const fn with_candidates(mut self, candidates: u64) -> Self {
        self.link.candidates = candidates;
        self
    }

    /// The same with so many of them in memory.
    pub(crate) const fn with_candidates_in_memory(mut self, candidates: u64) -> Self {
        self.link.candidates_in_memory = candidates;
        self
    }

    /// The same with filters of other length.
    pub(crate) fn with_filter_bytes(mut self, filter_bytes: u64) -> Self {
        let saved = |file: u64, records: u64, before: u64, after: u64| {
            file.saturating_sub(records * before) + records * after
        };
        let before = self.link.filter_bytes;
        self.files = [
            saved(self.files[0], self.link.records[0], before, filter_bytes),
            saved(self.files[1], self.link.records[1], before, filter_bytes),
        ];
        self.link.filter_bytes = filter_bytes;
        self
    }
}

/// One part in so many is added for what the allocator cannot give back.
const MARGIN: u64 = 20;

fn size_of_in_bytes<T>() -> u64 {
    u64::try_from(size_of::<T>()).expect("a size fits in 64 bits")
}
