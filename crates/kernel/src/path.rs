use std::ops::Range;

use crate::cut::Cut;
use crate::matrix::{FilterMatrix, LANES, PackedMatrix};

/// Left rows compared at a time: with [`RIGHT_GROUPS`], as many counts as fit in registers beside the words.
pub(crate) const LEFT_ROWS: usize = 4;
/// Groups of right rows compared at a time.
pub(crate) const RIGHT_GROUPS: usize = 2;

/// The left side of a sweep.
#[derive(Clone, Copy)]
pub(crate) struct LeftRows<'a> {
    /// The last row stands again where there are fewer.
    pub(crate) rows: [&'a [u64]; LEFT_ROWS],
    /// Their popcounts.
    pub(crate) ones: [u32; LEFT_ROWS],
    /// Largest popcount among them.
    pub(crate) max_ones: u32,
}

/// Where a pair is given up: after `words` words, pairs at or above the limit cannot be in any more.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Check<'a> {
    pub(crate) words: usize,
    /// By popcount of both filters together.
    pub(crate) limits: &'a [u32],
}

/// Checks at most.
pub(crate) const MOST_CHECKS: usize = 2;

/// Distances of [`LEFT_ROWS`] rows to [`RIGHT_GROUPS`] groups of eight.
pub(crate) type Counts = [[[u64; LANES]; RIGHT_GROUPS]; LEFT_ROWS];

/// Which pairs of a tile may be in: a bit a lane.
pub(crate) type Masks = [[u8; RIGHT_GROUPS]; LEFT_ROWS];

/// One way of counting the bits that differ. Every path gives the same counts.
pub(crate) trait Path: Copy {
    /// Compares `left` with the groups, [`RIGHT_GROUPS`] at a time, and hands over the counts of those tiles in which
    /// a pair may be in, with the pairs that may; the counts of other pairs mean nothing. Pairs that fail one
    /// of the `early` checks, which come in order, may be given up on the way, and need not be. Where groups are missing, the last tile has the last group
    /// again.
    fn sweep(
        self,
        left: &LeftRows<'_>,
        right: &PackedMatrix,
        groups: Range<usize>,
        early: &[Check<'_>],
        cut: &Cut,
        on_tile: &mut dyn FnMut(usize, &Counts, &Masks),
    );

    /// Distances of `row` to every record of the groups, in order.
    fn distances(self, row: &[u64], right: &PackedMatrix, groups: Range<usize>, out: &mut [u32]);

    /// Appends the distance of `row` to each of `records`, in their order.
    fn distances_at(self, row: &[u64], right: &FilterMatrix<'_>, records: &[u32], out: &mut Vec<u32>);

    /// The instructions of `tiles` tiles on registers alone, where a path has written them.
    fn work_in_registers(self, _words: usize, _tiles: usize) -> Option<u64> {
        None
    }
}

/// [`Path::distances_at`] in plain words, inlined where a path has told the compiler of its processor.
#[inline(always)]
#[expect(
    clippy::inline_always,
    reason = "out of line it would be compiled for every processor"
)]
pub(crate) fn distances_at(row: &[u64], right: &FilterMatrix<'_>, records: &[u32], out: &mut Vec<u32>) {
    // No closures: they do not inherit the processor's features.
    for &record in records {
        let other = right.row(usize::try_from(record).expect("an index of a matrix"));
        let mut differing = 0;
        for (word, other) in row.iter().zip(other) {
            differing += (word ^ other).count_ones();
        }
        out.push(differing);
    }
}

/// Groups of the tile that begins at `first`, and the largest popcount of all of them.
pub(crate) fn tile_groups(right: &PackedMatrix, first: usize, end: usize) -> ([usize; RIGHT_GROUPS], u32) {
    let mut tile = [first; RIGHT_GROUPS];
    let mut max_ones = 0;
    for (position, group) in tile.iter_mut().enumerate() {
        *group = (first + position).min(end - 1);
        max_ones = max_ones.max(right.group_max_ones(*group));
    }
    (tile, max_ones)
}

/// The limit at a popcount.
pub(crate) fn limit_at(limits: &[u32], ones: u32) -> u64 {
    u64::from(limits[usize::try_from(ones).expect("at most twice 4096")])
}

/// The pairs of a tile that are in, by the table.
pub(crate) fn masks_of(
    counts: &Counts,
    left: &LeftRows<'_>,
    right: &PackedMatrix,
    tile: [usize; RIGHT_GROUPS],
    limits: &[u32],
) -> Masks {
    let mut masks: Masks = [[0; RIGHT_GROUPS]; LEFT_ROWS];
    for ((counts, &ones), masks) in counts.iter().zip(&left.ones).zip(&mut masks) {
        for ((counts, group), mask) in counts.iter().zip(tile).zip(masks) {
            for (lane, (&count, &right_ones)) in counts.iter().zip(&right.group_ones(group).0).enumerate() {
                let ones = usize::try_from(u64::from(ones) + right_ones).expect("at most twice 4096");
                *mask |= u8::from(count < u64::from(limits[ones])) << lane;
            }
        }
    }
    masks
}

/// Whether no pair of a tile is in.
pub(crate) fn are_empty(masks: &Masks) -> bool {
    masks.iter().flatten().all(|&mask| mask == 0)
}
