use crate::matrix::{FilterMatrix, LANES, Lanes};

/// Left rows a sweep compares at a time: with [`RIGHT_GROUPS`], as many counts as fit in registers beside the words.
pub(crate) const LEFT_ROWS: usize = 4;
/// Groups of right rows a sweep compares at a time.
pub(crate) const RIGHT_GROUPS: usize = 2;

/// The left side of a sweep.
///
/// Counts of bits that differ begin at the sum of both sides' `starts`, which are minus what a pair may differ in, so that
/// those that may be in end below zero: a sign to look at, whatever the measure and the popcounts.
#[derive(Clone, Copy)]
pub(crate) struct LeftBlock<'a> {
    /// Row-major.
    pub(crate) words: &'a [u64],
    /// One a row.
    pub(crate) starts: &'a [i64],
    /// Words of a row; at least one.
    pub(crate) row_words: usize,
}

impl<'a> LeftBlock<'a> {
    pub(crate) const fn len(&self) -> usize {
        self.starts.len()
    }

    pub(crate) fn row(&self, row: usize) -> &'a [u64] {
        &self.words[row * self.row_words..][..self.row_words]
    }
}

/// The right side of a sweep.
#[derive(Clone, Copy)]
pub(crate) struct RightBlock<'a> {
    /// Groups × words.
    pub(crate) lanes: &'a [Lanes],
    /// Eight a group, as in [`LeftBlock`].
    pub(crate) starts: &'a [[i64; LANES]],
    /// Words of a row.
    pub(crate) row_words: usize,
}

impl<'a> RightBlock<'a> {
    pub(crate) const fn len(&self) -> usize {
        self.starts.len()
    }

    pub(crate) fn group(&self, group: usize) -> &'a [Lanes] {
        &self.lanes[group * self.row_words..][..self.row_words]
    }
}

/// Both sides of a sweep.
#[derive(Clone, Copy)]
pub(crate) struct Blocks<'a> {
    pub(crate) left: LeftBlock<'a>,
    pub(crate) right: RightBlock<'a>,
}

/// A row and a group of which some pairs may be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hit {
    pub(crate) row: usize,
    pub(crate) group: usize,
    /// Both starts and the bits that differ, added up, of the last comparison; below zero for those that may be in.
    pub(crate) counts: [i64; LANES],
}

/// One way of counting the bits that differ. Every path gives the same hits.
pub(crate) trait Path: Copy {
    /// Compares every row with every group. Pairs with a count below zero are compared by the same rows and groups of `then`,
    /// where there are some. Hands over the rows and groups of which a pair's count is below zero in both: a row's in the order of
    /// the groups.
    /// Gives the number of rows and groups with a count below zero in the first comparison.
    fn sweep(self, first: &Blocks<'_>, then: Option<&Blocks<'_>>, on_hit: &mut dyn FnMut(Hit)) -> usize;

    /// Distances of `row` to every record of the groups, in order.
    fn distances(self, row: &[u64], groups: &[Lanes], out: &mut [u32]);

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
