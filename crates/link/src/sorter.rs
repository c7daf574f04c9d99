//! Sorting candidate pairs of which there may be more than memory is to hold: sorted runs are put aside on disk, and merged whenever the
//! pairs are walked (Knuth 1998, §5.4).

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use corridor_core::{Scratch, ScratchRoom, Stop};
use rayon::slice::ParallelSliceMut as _;

use crate::LinkError;
use crate::tile::CandidatePair;

/// How many of the candidate pairs of a run are held in memory at a time, and where the others go.
#[derive(Debug, Clone)]
pub struct CandidateMemory {
    pub(crate) most: usize,
    room: Option<Arc<dyn ScratchRoom>>,
}

/// What one block on disk holds: 64 KiB of pairs.
const PAIRS_PER_BLOCK: usize = 1 << 12;
/// Pairs of a run at most, so that whoever stops the work waits for no longer than it takes to sort them.
const PAIRS_PER_RUN: usize = 1 << 22;
const PAIR_BYTES: usize = 16;

impl CandidateMemory {
    /// All of them.
    pub const fn unbounded() -> Self {
        Self {
            most: usize::MAX,
            room: None,
        }
    }

    /// Fewer are not held: with runs that short, what is read of all of them at once would be as much.
    pub const LEAST: u64 = 1 << 16;

    /// About so many, of 16 bytes each, but [`CandidateMemory::LEAST`] in any case; the others go to `room`.
    pub fn new(most: u64, room: Arc<dyn ScratchRoom>) -> Self {
        Self {
            most: usize::try_from(most.max(Self::LEAST)).unwrap_or(usize::MAX),
            room: Some(room),
        }
    }

    /// So few that tests have many runs.
    #[cfg(test)]
    pub(crate) const fn tiny(most: usize, room: Arc<dyn ScratchRoom>) -> Self {
        Self {
            most,
            room: Some(room),
        }
    }

    /// A part of it: `parts` of `whole`.
    pub(crate) fn part(&self, parts: usize, whole: usize) -> Self {
        Self {
            most: self.most / whole * parts,
            room: self.room.clone(),
        }
    }
}

/// In which order pairs are sorted. No two of the pairs that are sorted are equal in it.
pub(crate) trait Order: Sync {
    fn compare(&self, a: &CandidatePair, b: &CandidatePair) -> Ordering;
}

/// Pairs on their way to be sorted.
#[derive(Debug)]
pub(crate) struct Sorter<O> {
    order: O,
    held: Vec<CandidatePair>,
    memory: CandidateMemory,
    on_disk: Option<OnDisk>,
    stop: Stop,
}

impl<O: Order> Sorter<O> {
    /// With room for so many pairs at once, as far as they are held: a list that grows takes up to three times as much meanwhile.
    pub(crate) fn new(order: O, memory: CandidateMemory, expected: usize, stop: &Stop) -> Self {
        Self {
            order,
            held: Vec::with_capacity(expected.min(memory.most)),
            memory,
            on_disk: None,
            stop: stop.clone(),
        }
    }

    pub(crate) fn add(&mut self, pair: CandidatePair) -> Result<(), LinkError> {
        if self.held.len() >= self.memory.most && self.memory.room.is_some() {
            self.put_aside()?;
        }
        self.held.push(pair);
        Ok(())
    }

    /// Sorts on this thread alone: it may be one of a pool that holds a lock, and would, waiting for the others, begin with work that
    /// wants the same lock.
    fn put_aside(&mut self) -> Result<(), LinkError> {
        let order = &self.order;
        let on_disk = match &mut self.on_disk {
            Some(on_disk) => on_disk,
            none => none.insert(OnDisk::open(&self.memory)?),
        };
        for run in self.held.chunks_mut(PAIRS_PER_RUN) {
            self.stop.check()?;
            run.sort_unstable_by(|a, b| order.compare(a, b));
            on_disk.write_run(run)?;
        }
        self.held.clear();
        Ok(())
    }

    /// All pairs, in order. Sorts on the current rayon pool; the order is the same whatever its size.
    pub(crate) fn finish(mut self) -> Result<Sorted<O>, LinkError> {
        if self.on_disk.is_some() {
            self.put_aside()?;
            self.held = Vec::new();
        } else {
            let order = &self.order;
            self.held.par_sort_unstable_by(|a, b| order.compare(a, b));
        }
        Ok(Sorted {
            order: self.order,
            held: self.held,
            on_disk: self.on_disk,
        })
    }
}

/// Pairs in order: in memory, or in runs on disk.
#[derive(Debug)]
pub(crate) struct Sorted<O> {
    order: O,
    held: Vec<CandidatePair>,
    on_disk: Option<OnDisk>,
}

impl<O: Order> Sorted<O> {
    /// Walks the pairs in order. Where they cannot be read again the walk ends early: whoever walks asks [`Sorted::check`] afterwards.
    /// A walk after one that ended early gives nothing.
    pub(crate) fn walk(&self) -> Box<dyn Iterator<Item = CandidatePair> + '_> {
        match &self.on_disk {
            None => Box::new(self.held.iter().copied()),
            Some(on_disk) if on_disk.has_failed() => Box::new(std::iter::empty()),
            Some(on_disk) => Box::new(Merge::new(on_disk, &self.order)),
        }
    }

    /// Whether every walk so far went to its end.
    ///
    /// # Errors
    /// When pairs could not be read again.
    pub(crate) fn check(&self) -> io::Result<()> {
        self.on_disk.as_ref().map_or(Ok(()), OnDisk::check)
    }
}

/// Pairs in no order, read again as they came.
#[derive(Debug)]
pub(crate) struct Shelf {
    held: Vec<CandidatePair>,
    memory: CandidateMemory,
    on_disk: Option<OnDisk>,
}

impl Shelf {
    pub(crate) fn new(memory: CandidateMemory, expected: usize) -> Self {
        Self {
            held: Vec::with_capacity(expected.min(memory.most)),
            memory,
            on_disk: None,
        }
    }

    pub(crate) fn add(&mut self, pair: CandidatePair) -> io::Result<()> {
        if self.held.len() >= self.memory.most && self.memory.room.is_some() {
            let on_disk = match &mut self.on_disk {
                Some(on_disk) => on_disk,
                none => none.insert(OnDisk::open(&self.memory)?),
            };
            on_disk.write_run(&self.held)?;
            self.held.clear();
        }
        self.held.push(pair);
        Ok(())
    }

    /// How many of them are in memory.
    pub(crate) const fn len_held(&self) -> usize {
        self.held.len()
    }

    /// Calls `each` with some pairs at a time, until all were read.
    ///
    /// # Errors
    /// When pairs could not be read again, or `each` fails.
    pub(crate) fn drain<E: From<io::Error>>(
        self,
        mut each: impl FnMut(&[CandidatePair]) -> Result<(), E>,
    ) -> Result<(), E> {
        if let Some(on_disk) = &self.on_disk {
            let mut some = Vec::with_capacity(PAIRS_PER_BLOCK);
            for run in &on_disk.runs {
                let mut pairs = on_disk.read_run(run.clone());
                loop {
                    some.clear();
                    some.extend(pairs.by_ref().take(PAIRS_PER_BLOCK));
                    if some.is_empty() {
                        break;
                    }
                    each(&some)?;
                }
            }
            on_disk.check()?;
        }
        self.held.chunks(PAIRS_PER_BLOCK).try_for_each(each)
    }
}

/// Pairs on disk, run after run.
#[derive(Debug)]
struct OnDisk {
    scratch: Box<dyn Scratch>,
    /// Blocks of each run.
    runs: Vec<Range<usize>>,
    /// Why a walk ended early.
    failure: Mutex<Option<io::Error>>,
}

impl OnDisk {
    fn open(memory: &CandidateMemory) -> io::Result<Self> {
        let room = memory.room.as_ref().ok_or(io::ErrorKind::Unsupported)?;
        Ok(Self {
            scratch: room.open()?,
            runs: Vec::new(),
            failure: Mutex::new(None),
        })
    }

    fn write_run(&mut self, pairs: &[CandidatePair]) -> io::Result<()> {
        let start = self.runs.last().map_or(0, |run| run.end);
        let mut end = start;
        let mut block = Vec::with_capacity(PAIRS_PER_BLOCK * PAIR_BYTES);
        for pairs in pairs.chunks(PAIRS_PER_BLOCK) {
            block.clear();
            for pair in pairs {
                block.extend_from_slice(&pair.left.to_le_bytes());
                block.extend_from_slice(&pair.right.to_le_bytes());
                block.extend_from_slice(&pair.similarity.to_le_bytes());
            }
            self.scratch.append(&block)?;
            end += 1;
        }
        self.runs.push(start..end);
        Ok(())
    }

    fn read_block(&self, index: usize, block: &mut Vec<u8>) -> io::Result<()> {
        self.scratch.read(index, block)?;
        if block.is_empty() || !block.len().is_multiple_of(PAIR_BYTES) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(())
    }

    const fn read_run(&self, blocks: Range<usize>) -> RunReader<'_> {
        RunReader {
            on_disk: self,
            blocks,
            block: Vec::new(),
            position: 0,
        }
    }

    fn has_failed(&self) -> bool {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.is_some()
    }

    fn check(&self) -> io::Result<()> {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        failure.map_or(Ok(()), Err)
    }
}

/// The pairs of a run, as they were written.
struct RunReader<'d> {
    on_disk: &'d OnDisk,
    /// Those not yet read.
    blocks: Range<usize>,
    block: Vec<u8>,
    position: usize,
}

impl Iterator for RunReader<'_> {
    type Item = CandidatePair;

    fn next(&mut self) -> Option<CandidatePair> {
        if self.position == self.block.len() {
            let index = self.blocks.next()?;
            self.position = 0;
            if let Err(error) = self.on_disk.read_block(index, &mut self.block) {
                self.block.clear();
                self.blocks = 0..0;
                let failure = &self.on_disk.failure;
                let mut failure = failure.lock().unwrap_or_else(PoisonError::into_inner);
                failure.get_or_insert(error);
                return None;
            }
        }
        let bytes = self.block.get(self.position..)?;
        let (pair, _) = bytes.split_first_chunk::<PAIR_BYTES>()?;
        self.position += PAIR_BYTES;
        let (left, rest) = pair.split_first_chunk()?;
        let (right, similarity) = rest.split_first_chunk()?;
        Some(CandidatePair {
            left: u32::from_le_bytes(*left),
            right: u32::from_le_bytes(*right),
            similarity: f64::from_le_bytes(similarity.try_into().ok()?),
        })
    }
}

/// Runs, merged.
struct Merge<'d, O> {
    /// The next pair of every run that has one.
    heads: BinaryHeap<Head<'d, O>>,
    on_disk: &'d OnDisk,
}

impl<'d, O: Order> Merge<'d, O> {
    fn new(on_disk: &'d OnDisk, order: &'d O) -> Self {
        let heads = on_disk
            .runs
            .iter()
            .filter_map(|run| Head::of(on_disk.read_run(run.clone()), order));
        Self {
            heads: heads.collect(),
            on_disk,
        }
    }
}

impl<O: Order> Iterator for Merge<'_, O> {
    type Item = CandidatePair;

    fn next(&mut self) -> Option<CandidatePair> {
        let mut first = self.heads.peek_mut()?;
        let pair = first.pair;
        match first.rest.next() {
            Some(next) => first.pair = next,
            None => {
                PeekMut::pop(first);
                if self.on_disk.has_failed() {
                    self.heads.clear();
                }
            }
        }
        Some(pair)
    }
}

/// The next pair of a run. Of two heads that is greater whose pair comes first.
struct Head<'d, O> {
    pair: CandidatePair,
    rest: RunReader<'d>,
    order: &'d O,
}

impl<'d, O> Head<'d, O> {
    fn of(mut run: RunReader<'d>, order: &'d O) -> Option<Self> {
        let pair = run.next()?;
        Some(Self {
            pair,
            rest: run,
            order,
        })
    }
}

impl<O: Order> Ord for Head<'_, O> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order.compare(&self.pair, &other.pair).reverse()
    }
}

impl<O: Order> PartialOrd for Head<'_, O> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<O: Order> PartialEq for Head<'_, O> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<O: Order> Eq for Head<'_, O> {}
