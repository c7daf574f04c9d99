use std::ops::Range;

use crate::cut::{Cut, Measure, Pair, Starts};
use crate::matrix::{FilterMatrix, LANES, Lanes, PackedMatrix};
use crate::path::{Blocks, LEFT_ROWS, LeftBlock, Path, RIGHT_GROUPS, RightBlock};
use crate::portable::Portable;
use crate::screen::Screen;
use crate::search::Search;

/// The way filters are compared on this machine. Every way gives the same pairs.
#[derive(Debug, Clone, Copy)]
pub struct Kernel(Choice);

#[derive(Debug, Clone, Copy)]
enum Choice {
    Portable(Portable),
    #[cfg(target_arch = "x86_64")]
    Avx2(crate::avx2::Avx2),
    #[cfg(target_arch = "x86_64")]
    Avx512(crate::avx512::Avx512),
    #[cfg(target_arch = "aarch64")]
    Neon(crate::neon::Neon),
}

/// Bytes of right filters that are compared with all left rows of a call while they are in the first-level cache.
const BLOCK_BYTES: usize = 16 * 1024;

impl Kernel {
    /// The fastest way this processor has.
    pub fn best() -> Self {
        Self::available().pop().unwrap_or_else(Self::portable)
    }

    /// Plain 64-bit words: what every processor has.
    pub const fn portable() -> Self {
        Self(Choice::Portable(Portable))
    }

    /// Every way this processor has, the slowest first.
    pub fn available() -> Vec<Self> {
        let mut kernels = vec![Self::portable()];
        #[cfg(target_arch = "x86_64")]
        {
            kernels.extend(crate::avx2::Avx2::new().map(|path| Self(Choice::Avx2(path))));
            kernels.extend(crate::avx512::Avx512::new().map(|path| Self(Choice::Avx512(path))));
        }
        #[cfg(target_arch = "aarch64")]
        kernels.extend(crate::neon::Neon::new().map(|path| Self(Choice::Neon(path))));
        kernels
    }

    /// Its name, for logs and reports.
    pub const fn name(self) -> &'static str {
        match self.0 {
            Choice::Portable(_) => "portable",
            #[cfg(target_arch = "x86_64")]
            Choice::Avx2(_) => "avx2",
            #[cfg(target_arch = "x86_64")]
            Choice::Avx512(_) => "avx512-vpopcntdq",
            #[cfg(target_arch = "aarch64")]
            Choice::Neon(_) => "neon",
        }
    }

    /// Appends to `out` every pair of `left_rows` × `right_rows` that reaches the cut of `search`, by left index, then
    /// right.
    ///
    /// # Panics
    /// When a range passes the end of its matrix, or the filters differ in length.
    pub fn pairs_reaching(
        self,
        left: (&FilterMatrix<'_>, Range<usize>),
        right: (&PackedMatrix, Range<usize>),
        search: &Search,
        out: &mut Vec<Pair>,
    ) {
        check_ranges(&left, &right, search.cut());
        if left.1.is_empty() || right.1.is_empty() {
            return;
        }
        match self.0 {
            Choice::Portable(path) => pairs_reaching(path, left, right, search, out),
            #[cfg(target_arch = "x86_64")]
            Choice::Avx2(path) => pairs_reaching(path, left, right, search, out),
            #[cfg(target_arch = "x86_64")]
            Choice::Avx512(path) => pairs_reaching(path, left, right, search, out),
            #[cfg(target_arch = "aarch64")]
            Choice::Neon(path) => pairs_reaching(path, left, right, search, out),
        }
    }

    /// The number of bits in which `row` differs from each of `right_rows`, in order. Rows that begin and end with a multiple of
    /// eight, or at the end, are the least work.
    ///
    /// # Panics
    /// When `row` is not as long as a filter of `right`, or a row is not there.
    pub fn distances(self, row: &[u64], right: (&PackedMatrix, Range<usize>), out: &mut Vec<u32>) {
        let (right, right_rows) = right;
        assert_eq!(row.len(), right.words_per_filter(), "filters of the same length");
        assert!(right_rows.end <= right.len(), "rows that are there");
        out.clear();
        if right_rows.is_empty() {
            return;
        }
        let groups = right_rows.start / LANES..right_rows.end.div_ceil(LANES);
        out.resize(groups.len() * LANES, 0);
        let skipped = right_rows.start - groups.start * LANES;
        let lanes = right.groups(groups);
        match self.0 {
            Choice::Portable(path) => path.distances(row, lanes, out),
            #[cfg(target_arch = "x86_64")]
            Choice::Avx2(path) => path.distances(row, lanes, out),
            #[cfg(target_arch = "x86_64")]
            Choice::Avx512(path) => path.distances(row, lanes, out),
            #[cfg(target_arch = "aarch64")]
            Choice::Neon(path) => path.distances(row, lanes, out),
        }
        out.drain(..skipped);
        out.truncate(right_rows.len());
    }

    /// The number of bits in which `row` differs from each of `records` of `right`, in their order: for records that are few
    /// and far between, which packing would not pay for.
    ///
    /// # Panics
    /// When `row` is not as long as a filter of `right`, or a record is not there.
    pub fn distances_at(self, row: &[u64], right: &FilterMatrix<'_>, records: &[u32], out: &mut Vec<u32>) {
        assert_eq!(row.len(), right.words_per_filter(), "filters of the same length");
        out.clear();
        match self.0 {
            Choice::Portable(path) => path.distances_at(row, right, records, out),
            #[cfg(target_arch = "x86_64")]
            Choice::Avx2(path) => path.distances_at(row, right, records, out),
            #[cfg(target_arch = "x86_64")]
            Choice::Avx512(path) => path.distances_at(row, right, records, out),
            #[cfg(target_arch = "aarch64")]
            Choice::Neon(path) => path.distances_at(row, right, records, out),
        }
    }

    /// Does the instructions of a comparison of `tiles` tiles of [`Kernel::TILE_PAIRS`] pairs with no loads from memory: what
    /// this processor can do at most, to set a measured rate against. Gives a number that depends on all of
    /// the work; `None` for a path that has no such measure.
    pub fn work_in_registers(self, words_per_filter: usize, tiles: usize) -> Option<u64> {
        match self.0 {
            Choice::Portable(path) => path.work_in_registers(words_per_filter, tiles),
            #[cfg(target_arch = "x86_64")]
            Choice::Avx2(path) => path.work_in_registers(words_per_filter, tiles),
            #[cfg(target_arch = "x86_64")]
            Choice::Avx512(path) => path.work_in_registers(words_per_filter, tiles),
            #[cfg(target_arch = "aarch64")]
            Choice::Neon(path) => path.work_in_registers(words_per_filter, tiles),
        }
    }

    /// Pairs of a tile.
    pub const TILE_PAIRS: usize = LEFT_ROWS * RIGHT_GROUPS * LANES;

    /// Appends to `out`, for each of `left_rows`, the `k` most similar filters of `right` that reach `cut`: by left
    /// index, then similarity descending, then right index.
    ///
    /// # Panics
    /// As [`Kernel::pairs_reaching`].
    pub fn top_k(
        self,
        left: (&FilterMatrix<'_>, Range<usize>),
        right: &PackedMatrix,
        cut: &Cut,
        k: usize,
        out: &mut Vec<Pair>,
    ) {
        check_ranges(&left, &(right, 0..right.len()), cut);
        let (left, rows) = left;
        let mut distances = Vec::new();
        let mut best: Vec<(Pair, u32)> = Vec::with_capacity(k + 1);
        for row in rows {
            let ones_left = left.ones(row);
            self.distances(left.row(row), (right, 0..right.len()), &mut distances);
            best.clear();
            for (other, &distance) in distances.iter().enumerate() {
                let ones = ones_left + right.ones(other);
                if distance >= cut.limit(ones) {
                    continue;
                }
                let pair = Pair {
                    left: to_index(row),
                    right: to_index(other),
                    distance,
                };
                // Rights come in order, so that a pair goes behind those that are as similar.
                let position = best.partition_point(|(known, sum)| {
                    !is_more_similar(cut.measure(), (&pair, ones), (known, *sum))
                });
                if position < k {
                    best.truncate(k - 1);
                    best.insert(position, (pair, ones));
                }
            }
            out.extend(best.iter().map(|(pair, _)| *pair));
        }
    }
}

/// Whether the first pair is strictly more similar than the second; pairs come with their popcounts' sum.
fn is_more_similar(measure: Measure, first: (&Pair, u32), second: (&Pair, u32)) -> bool {
    match measure {
        // (s₁ − d₁)/s₁ > (s₂ − d₂)/s₂, multiplied out.
        Measure::Dice => {
            u64::from(first.0.distance) * u64::from(second.1)
                < u64::from(second.0.distance) * u64::from(first.1)
        }
        Measure::Rho => first.0.distance < second.0.distance,
    }
}

fn check_ranges(left: &(&FilterMatrix<'_>, Range<usize>), right: &(&PackedMatrix, Range<usize>), cut: &Cut) {
    let words = left.0.words_per_filter();
    assert_eq!(words, right.0.words_per_filter(), "filters of the same length");
    assert_eq!(
        usize::try_from(cut.bits()),
        Ok(words * 64),
        "a cut for filters of this length"
    );
    assert!(
        left.1.end <= left.0.len() && right.1.end <= right.0.len(),
        "rows that are there"
    );
}

fn to_index(row: usize) -> u32 {
    u32::try_from(row).expect("a matrix has at most 2^32 - 1 records")
}

fn pairs_reaching<P: Path>(
    path: P,
    (left, left_rows): (&FilterMatrix<'_>, Range<usize>),
    (right, right_rows): (&PackedMatrix, Range<usize>),
    search: &Search,
    out: &mut Vec<Pair>,
) {
    let groups = right_rows.start / LANES..right_rows.end.div_ceil(LANES);
    let mut sweep = Sweep {
        path,
        left,
        whole_starts: left_starts(left, left_rows.clone(), search.cut().starts()),
        left_rows: left_rows.clone(),
        right,
        right_rows,
        cut: search.cut(),
        found: Vec::new(),
    };
    match search.screen() {
        None => sweep.compare_whole(groups),
        Some(screen) => sweep.compare_screened(screen, groups),
    }
    sort_by_left(&sweep.found, left_rows, out);
}

/// A comparison of some rows with some others, under way.
struct Sweep<'a, P> {
    path: P,
    left: &'a FilterMatrix<'a>,
    left_rows: Range<usize>,
    /// Where counts of all words start, for each left row.
    whole_starts: Vec<i64>,
    right: &'a PackedMatrix,
    right_rows: Range<usize>,
    cut: &'a Cut,
    found: Vec<Pair>,
}

impl<P: Path> Sweep<'_, P> {
    /// Compares all words of all pairs of the groups.
    fn compare_whole(&mut self, groups: Range<usize>) {
        for block in blocks(groups, self.left.words_per_filter()) {
            let right_starts = right_starts(self.right, block.clone(), self.cut.starts());
            self.sweep(None, block, &right_starts);
        }
    }

    /// Compares what the screen takes of every pair of the groups, and all words of those that pass. Goes over to all words of
    /// all pairs where too many pass.
    fn compare_screened(&mut self, screen: &Screen, groups: Range<usize>) {
        let part_starts = left_starts(self.left, self.left_rows.clone(), screen.starts());
        let part_words = screen.of_rows(self.left, self.left_rows.clone());
        let mut lanes = Vec::new();
        let (mut hits, mut compared) = (0, 0);
        let whole_end = groups.end;
        for block in blocks(groups, screen.words()) {
            screen.of_groups(self.right, block.clone(), &mut lanes);
            let part_right_starts = right_starts(self.right, block.clone(), screen.starts());
            let whole_right_starts = right_starts(self.right, block.clone(), self.cut.starts());
            let parts = Blocks {
                left: LeftBlock {
                    words: &part_words,
                    starts: &part_starts,
                    row_words: screen.words(),
                },
                right: RightBlock {
                    lanes: &lanes,
                    starts: &part_right_starts,
                    row_words: screen.words(),
                },
            };
            hits += self.sweep(Some(&parts), block.clone(), &whole_right_starts);
            compared += self.left_rows.len() * block.len();
            if screen.is_exact() && !screen.pays(hits, compared) {
                self.compare_whole(block.end..whole_end);
                return;
            }
        }
    }

    /// Compares by `parts` first, where there are some, and by all words those that pass. Gives of how many rows and groups a
    /// pair passed.
    fn sweep(
        &mut self,
        parts: Option<&Blocks<'_>>,
        groups: Range<usize>,
        right_starts: &[[i64; LANES]],
    ) -> usize {
        let words = self.left.words_per_filter();
        let whole = Blocks {
            left: LeftBlock {
                words: self.left.rows(self.left_rows.clone()),
                starts: &self.whole_starts,
                row_words: words,
            },
            right: RightBlock {
                lanes: self.right.groups(groups.clone()),
                starts: right_starts,
                row_words: words,
            },
        };
        let (first, then) = match parts {
            Some(parts) => (parts, Some(&whole)),
            None => (&whole, None),
        };
        let (path, cut, found) = (self.path, self.cut, &mut self.found);
        let (left, right, right_rows) = (self.left, self.right, &self.right_rows);
        let first_row = self.left_rows.start;
        path.sweep(first, then, &mut |hit| {
            let left_row = first_row + hit.row;
            for (lane, &count) in hit.counts.iter().enumerate() {
                let group = groups.start + hit.group;
                let right_row = group * LANES + lane;
                if count >= 0 || !right_rows.contains(&right_row) {
                    continue;
                }
                let start = whole.left.starts[hit.row] + right_starts[hit.group][lane];
                let distance = u32::try_from(count - start).expect("at most 4096 bits differ");
                if distance < cut.limit(left.ones(left_row) + right.ones_of_group(group)[lane]) {
                    found.push(Pair {
                        left: to_index(left_row),
                        right: to_index(right_row),
                        distance,
                    });
                }
            }
        })
    }
}

/// Groups that are in the first-level cache together, whole tiles each.
fn blocks(groups: Range<usize>, words: usize) -> impl Iterator<Item = Range<usize>> {
    let step = (BLOCK_BYTES / (words * size_of::<Lanes>()))
        .max(1)
        .next_multiple_of(RIGHT_GROUPS);
    let end = groups.end;
    groups
        .step_by(step)
        .map(move |start| start..(start + step).min(end))
}

fn left_starts(left: &FilterMatrix<'_>, rows: Range<usize>, starts: &Starts) -> Vec<i64> {
    rows.map(|row| starts.of_left(left.ones(row))).collect()
}

fn right_starts(right: &PackedMatrix, groups: Range<usize>, starts: &Starts) -> Vec<[i64; LANES]> {
    groups
        .map(|group| right.ones_of_group(group).map(|ones| starts.of_right(ones)))
        .collect()
}

/// Appends pairs by left row. Within a row they were found in order of the right, and stay so.
fn sort_by_left(found: &[Pair], left_rows: Range<usize>, out: &mut Vec<Pair>) {
    let position = |pair: &Pair| usize::try_from(pair.left).expect("an index") - left_rows.start;
    let mut starts = vec![0_usize; left_rows.len() + 1];
    for pair in found {
        starts[position(pair) + 1] += 1;
    }
    for row in 0..left_rows.len() {
        starts[row + 1] += starts[row];
    }
    let before = out.len();
    let filler = Pair {
        left: 0,
        right: 0,
        distance: 0,
    };
    out.resize(before + found.len(), filler);
    for pair in found {
        let start = &mut starts[position(pair)];
        out[before + *start] = *pair;
        *start += 1;
    }
}
