use std::ops::Range;

use crate::cut::{Cut, Measure, Pair};
use crate::matrix::{FilterMatrix, LANES, PackedMatrix};
use crate::path::{Check, LEFT_ROWS, LeftRows, Path, RIGHT_GROUPS, limit_at};
use crate::portable::Portable;
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
        }
    }

    /// The number of bits in which `row` differs from each filter of `right`, in order.
    ///
    /// # Panics
    /// When `row` is not as long as a filter of `right`.
    pub fn distances(self, row: &[u64], right: &PackedMatrix, out: &mut Vec<u32>) {
        assert_eq!(row.len(), right.words_per_filter(), "filters of the same length");
        let groups = 0..right.len().div_ceil(LANES);
        out.clear();
        out.resize(groups.len() * LANES, 0);
        match self.0 {
            Choice::Portable(path) => path.distances(row, right, groups, out),
            #[cfg(target_arch = "x86_64")]
            Choice::Avx2(path) => path.distances(row, right, groups, out),
            #[cfg(target_arch = "x86_64")]
            Choice::Avx512(path) => path.distances(row, right, groups, out),
        }
        out.truncate(right.len());
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
            self.distances(left.row(row), right, &mut distances);
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
    let cut = search.cut();
    let early: Vec<Check<'_>> = search.checks().collect();
    let group_bytes = right.words_per_filter() * size_of::<[u64; LANES]>();
    let groups_per_block = (BLOCK_BYTES / group_bytes).max(1).next_multiple_of(RIGHT_GROUPS);
    let groups = right_rows.start / LANES..right_rows.end.div_ceil(LANES);
    let mut found = Vec::new();
    for block_start in groups.clone().step_by(groups_per_block) {
        let block = block_start..(block_start + groups_per_block).min(groups.end);
        for start in left_rows.clone().step_by(LEFT_ROWS) {
            let rows: [usize; LEFT_ROWS] =
                std::array::from_fn(|position| (start + position).min(left_rows.end - 1));
            let ones = rows.map(|row| left.ones(row));
            let quad = LeftRows {
                rows: rows.map(|row| left.row(row)),
                ones,
                max_ones: ones.into_iter().max().unwrap_or(0),
            };
            let row_count = LEFT_ROWS.min(left_rows.end - start);
            path.sweep(
                &quad,
                right,
                block.clone(),
                &early,
                cut,
                &mut |first, counts, masks| {
                    let group_count = RIGHT_GROUPS.min(block.end - first);
                    for position in 0..row_count {
                        for group in 0..group_count {
                            let mut mask = masks[position][group];
                            while mask != 0 {
                                let lane = usize::try_from(mask.trailing_zeros()).expect("at most 7");
                                mask &= mask - 1;
                                let right_row = (first + group) * LANES + lane;
                                let distance = u32::try_from(counts[position][group][lane])
                                    .expect("at most 4096 bits differ");
                                let sum = ones[position] + right.ones(right_row);
                                // A path may give a pair up that fails a check, or go on with its tile: which of them
                                // must not show in the result.
                                if right_rows.contains(&right_row)
                                    && distance < cut.limit(sum)
                                    && passes(&early, quad.rows[position], right, right_row, sum)
                                {
                                    found.push(Pair {
                                        left: to_index(start + position),
                                        right: to_index(right_row),
                                        distance,
                                    });
                                }
                            }
                        }
                    }
                },
            );
        }
    }
    sort_by_left(&found, left_rows, out);
}

/// Whether a pair passes the checks.
fn passes(early: &[Check<'_>], row: &[u64], right: &PackedMatrix, right_row: usize, ones: u32) -> bool {
    let lanes = right.group(right_row / LANES);
    early.iter().all(|check| {
        let differ: u32 = row[..check.words]
            .iter()
            .zip(lanes)
            .map(|(word, lanes)| (word ^ lanes.0[right_row % LANES]).count_ones())
            .sum();
        u64::from(differ) < limit_at(check.limits, ones)
    })
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
