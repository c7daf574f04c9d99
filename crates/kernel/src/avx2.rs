//! The AVX2 path: four pairs an instruction; bits are counted by looking up nibbles (Muła, Kurz & Lemire 2018).
#![expect(
    unsafe_code,
    reason = "loads from memory and calls of functions for one processor"
)]

use std::arch::x86_64::{
    __m256i, _mm256_add_epi8, _mm256_add_epi64, _mm256_and_si256, _mm256_load_si256, _mm256_sad_epu8,
    _mm256_set1_epi8, _mm256_set1_epi64x, _mm256_setr_epi8, _mm256_setzero_si256, _mm256_shuffle_epi8,
    _mm256_srli_epi16, _mm256_store_si256, _mm256_xor_si256,
};
use std::ops::Range;

use crate::cut::Cut;
use crate::matrix::{FilterMatrix, LANES, Lanes, PackedMatrix};
use crate::path::{
    self, Check, Counts, LEFT_ROWS, LeftRows, Masks, Path, RIGHT_GROUPS, are_empty, limit_at, masks_of,
    tile_groups,
};

/// Proof that this processor has AVX2.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx2(());

impl Avx2 {
    /// `None` where the processor lacks it.
    pub(crate) fn new() -> Option<Self> {
        is_x86_feature_detected!("avx2").then_some(Self(()))
    }
}

impl Path for Avx2 {
    fn sweep(
        self,
        left: &LeftRows<'_>,
        right: &PackedMatrix,
        groups: Range<usize>,
        early: &[Check<'_>],
        cut: &Cut,
        on_tile: &mut dyn FnMut(usize, &Counts, &Masks),
    ) {
        // SAFETY: `self` was made by `new` alone, which saw that the processor has AVX2.
        unsafe { sweep(left, right, groups, early, cut, on_tile) }
    }

    fn distances(self, row: &[u64], right: &PackedMatrix, groups: Range<usize>, out: &mut [u32]) {
        // SAFETY: as in `sweep`.
        unsafe { distances(row, right, groups, out) }
    }

    fn distances_at(self, row: &[u64], right: &FilterMatrix<'_>, records: &[u32], out: &mut Vec<u32>) {
        // SAFETY: as in `sweep`.
        unsafe { distances_at(row, right, records, out) }
    }
}

#[target_feature(enable = "avx2")]
fn sweep(
    left: &LeftRows<'_>,
    right: &PackedMatrix,
    groups: Range<usize>,
    early: &[Check<'_>],
    cut: &Cut,
    on_tile: &mut dyn FnMut(usize, &Counts, &Masks),
) {
    let words = right.words_per_filter();
    'tiles: for first in groups.clone().step_by(RIGHT_GROUPS) {
        let (tile, max_ones) = tile_groups(right, first, groups.end);
        let ones = left.max_ones + max_ones;
        let mut counts: Counts = [[[0; LANES]; RIGHT_GROUPS]; LEFT_ROWS];
        let mut begun = 0;
        for check in early {
            add(left, right, tile, begun..check.words, &mut counts);
            if least(&counts) >= limit_at(check.limits, ones) {
                continue 'tiles;
            }
            begun = check.words;
        }
        add(left, right, tile, begun..words, &mut counts);
        if least(&counts) < limit_at(cut.limits(), ones) {
            let masks = masks_of(&counts, left, right, tile, cut.limits());
            if !are_empty(&masks) {
                on_tile(first, &counts, &masks);
            }
        }
    }
}

/// Adds the bits that differ in some words.
#[inline]
#[target_feature(enable = "avx2")]
fn add(
    left: &LeftRows<'_>,
    right: &PackedMatrix,
    tile: [usize; RIGHT_GROUPS],
    words: Range<usize>,
    counts: &mut Counts,
) {
    for (position, group) in tile.into_iter().enumerate() {
        let group = &right.group(group)[words.clone()];
        for pair in [0, 2] {
            let rows = [
                &left.rows[pair][words.clone()],
                &left.rows[pair + 1][words.clone()],
            ];
            let sums = count_two(rows, group);
            for (row, sums) in sums.into_iter().enumerate() {
                for (count, sum) in counts[pair + row][position].iter_mut().zip(sums) {
                    *count += sum;
                }
            }
        }
    }
}

/// Words whose counts of at most eight a byte fit in a byte.
const WORDS_PER_SUM: usize = 31;

/// Bits of two rows that differ from each record of a group.
#[inline]
#[target_feature(enable = "avx2")]
fn count_two(rows: [&[u64]; 2], group: &[Lanes]) -> [[u64; LANES]; 2] {
    let zero = _mm256_setzero_si256();
    let mut sums = [[zero; 2]; 2];
    let chunks = rows[0].chunks(WORDS_PER_SUM).zip(rows[1].chunks(WORDS_PER_SUM));
    for ((first, second), group) in chunks.zip(group.chunks(WORDS_PER_SUM)) {
        let mut bytes = [[zero; 2]; 2];
        for ((&first, &second), lanes) in first.iter().zip(second).zip(group) {
            let halves = load(lanes);
            for (word, bytes) in [first, second].into_iter().zip(&mut bytes) {
                let word = _mm256_set1_epi64x(word.cast_signed());
                for (half, byte) in halves.into_iter().zip(bytes) {
                    *byte = _mm256_add_epi8(*byte, ones_by_byte(_mm256_xor_si256(word, half)));
                }
            }
        }
        for (sums, bytes) in sums.iter_mut().zip(bytes) {
            for (sum, byte) in sums.iter_mut().zip(bytes) {
                *sum = _mm256_add_epi64(*sum, _mm256_sad_epu8(byte, zero));
            }
        }
    }
    [to_lanes(sums[0]), to_lanes(sums[1])]
}

/// The number of ones in each byte.
#[inline]
#[target_feature(enable = "avx2")]
fn ones_by_byte(bits: __m256i) -> __m256i {
    let of_nibble = _mm256_setr_epi8(
        0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,
    );
    let low = _mm256_set1_epi8(0x0f);
    let below = _mm256_shuffle_epi8(of_nibble, _mm256_and_si256(bits, low));
    let above = _mm256_shuffle_epi8(of_nibble, _mm256_and_si256(_mm256_srli_epi16(bits, 4), low));
    _mm256_add_epi8(below, above)
}

/// Records 0 to 3 and 4 to 7 of a word.
#[inline]
#[target_feature(enable = "avx2")]
fn load(lanes: &Lanes) -> [__m256i; 2] {
    let start: *const __m256i = std::ptr::from_ref(lanes).cast();
    // SAFETY: `Lanes` is 64 bytes, aligned to 64: two vectors of 32, each aligned.
    unsafe { [_mm256_load_si256(start), _mm256_load_si256(start.add(1))] }
}

#[inline]
#[target_feature(enable = "avx2")]
fn to_lanes(halves: [__m256i; 2]) -> [u64; LANES] {
    let mut lanes = Lanes::default();
    let start: *mut __m256i = std::ptr::from_mut(&mut lanes).cast();
    // SAFETY: `Lanes` is 64 bytes, aligned to 64: two vectors of 32, each aligned.
    unsafe {
        _mm256_store_si256(start, halves[0]);
        _mm256_store_si256(start.add(1), halves[1]);
    }
    lanes.0
}

#[target_feature(enable = "avx2")]
fn distances_at(row: &[u64], right: &FilterMatrix<'_>, records: &[u32], out: &mut Vec<u32>) {
    path::distances_at(row, right, records, out);
}

#[target_feature(enable = "avx2")]
fn distances(row: &[u64], right: &PackedMatrix, groups: Range<usize>, out: &mut [u32]) {
    for (group, out) in groups.zip(out.chunks_exact_mut(LANES)) {
        let [counts, _] = count_two([row, row], right.group(group));
        for (out, count) in out.iter_mut().zip(counts) {
            *out = u32::try_from(count).expect("at most 4096 bits differ");
        }
    }
}

fn least(counts: &Counts) -> u64 {
    counts.iter().flatten().flatten().copied().min().unwrap_or(0)
}
