//! The AVX2 path: four pairs an instruction; bits are counted by looking up nibbles (Muła, Kurz & Lemire 2018).
#![expect(
    unsafe_code,
    reason = "loads from memory and calls of functions for one processor"
)]

use std::arch::x86_64::{
    __m256i, _mm256_add_epi8, _mm256_add_epi64, _mm256_and_si256, _mm256_castsi256_pd, _mm256_cmpgt_epi64,
    _mm256_load_si256, _mm256_loadu_si256, _mm256_movemask_pd, _mm256_or_si256, _mm256_sad_epu8,
    _mm256_set1_epi8, _mm256_set1_epi64x, _mm256_setr_epi8, _mm256_setzero_si256, _mm256_shuffle_epi8,
    _mm256_srli_epi16, _mm256_storeu_si256, _mm256_xor_si256,
};

use crate::matrix::{FilterMatrix, LANES, Lanes};
use crate::path::{self, Blocks, Hit, Path};

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
    fn sweep(self, first: &Blocks<'_>, then: Option<&Blocks<'_>>, on_hit: &mut dyn FnMut(Hit)) -> usize {
        // SAFETY: `self` was made by `new` alone, which saw that the processor has AVX2.
        unsafe { sweep(first, then, on_hit) }
    }

    fn distances(self, row: &[u64], groups: &[Lanes], out: &mut [u32]) {
        // SAFETY: as in `sweep`.
        unsafe { distances(row, groups, out) }
    }

    fn distances_at(self, row: &[u64], right: &FilterMatrix<'_>, records: &[u32], out: &mut Vec<u32>) {
        // SAFETY: as in `sweep`.
        unsafe { distances_at(row, right, records, out) }
    }
}

#[target_feature(enable = "avx2")]
fn sweep(first: &Blocks<'_>, then: Option<&Blocks<'_>>, on_hit: &mut dyn FnMut(Hit)) -> usize {
    let mut passing = 0;
    let len = first.left.len();
    for first_row in (0..len).step_by(2) {
        // The last row stands again where their number is odd.
        let second_row = (first_row + 1).min(len - 1);
        for group in 0..first.right.len() {
            let both = counts(first, [first_row, second_row], group);
            for (row, counts) in (first_row..len).zip(both) {
                if any_below_zero(counts) {
                    passing += 1;
                    hand_over(then, (row, group), counts, on_hit);
                }
            }
        }
    }
    passing
}

/// Hands a row and a group over whose counts say that a pair may be in, if those of `then` do as well.
#[inline]
#[target_feature(enable = "avx2")]
fn hand_over(
    then: Option<&Blocks<'_>>,
    (row, group): (usize, usize),
    mut counts: [__m256i; 2],
    on_hit: &mut dyn FnMut(Hit),
) {
    if let Some(then) = then {
        let [whole, _] = self::counts(then, [row, row], group);
        // Zero for those that did not pass the first comparison.
        for (count, whole) in counts.iter_mut().zip(whole) {
            let passes = _mm256_cmpgt_epi64(_mm256_setzero_si256(), *count);
            *count = _mm256_and_si256(passes, whole);
        }
        if !any_below_zero(counts) {
            return;
        }
    }
    on_hit(Hit {
        row,
        group,
        counts: to_lanes(counts),
    });
}

/// Counts of two rows and a group.
#[inline]
#[target_feature(enable = "avx2")]
fn counts(blocks: &Blocks<'_>, rows: [usize; 2], group: usize) -> [[__m256i; 2]; 2] {
    let Blocks { left, right } = blocks;
    let [first, second] = count_two([left.row(rows[0]), left.row(rows[1])], right.group(group));
    let starts = &right.starts[group];
    [
        add_starts(first, left.starts[rows[0]], starts),
        add_starts(second, left.starts[rows[1]], starts),
    ]
}

/// Where counts start, and the bits that differ.
#[inline]
#[target_feature(enable = "avx2")]
fn add_starts(sums: [__m256i; 2], left: i64, right: &[i64; LANES]) -> [__m256i; 2] {
    let left = _mm256_set1_epi64x(left);
    let start: *const __m256i = right.as_ptr().cast();
    // SAFETY: eight numbers of 64 bits are two vectors of 32 bytes; no alignment is needed.
    let right = unsafe { [_mm256_loadu_si256(start), _mm256_loadu_si256(start.add(1))] };
    [
        _mm256_add_epi64(sums[0], _mm256_add_epi64(left, right[0])),
        _mm256_add_epi64(sums[1], _mm256_add_epi64(left, right[1])),
    ]
}

#[inline]
#[target_feature(enable = "avx2")]
fn any_below_zero(counts: [__m256i; 2]) -> bool {
    // The sign of a lane is its highest bit.
    _mm256_movemask_pd(_mm256_castsi256_pd(_mm256_or_si256(counts[0], counts[1]))) != 0
}

/// Words whose counts of at most eight a byte fit in a byte.
const WORDS_PER_SUM: usize = 31;

/// Bits of two rows that differ from each record of a group.
#[inline]
#[target_feature(enable = "avx2")]
fn count_two(rows: [&[u64]; 2], group: &[Lanes]) -> [[__m256i; 2]; 2] {
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
    sums
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
fn to_lanes(halves: [__m256i; 2]) -> [i64; LANES] {
    let mut lanes = [0; LANES];
    let start: *mut __m256i = lanes.as_mut_ptr().cast();
    // SAFETY: eight numbers of 64 bits are two vectors of 32 bytes; no alignment is needed.
    unsafe {
        _mm256_storeu_si256(start, halves[0]);
        _mm256_storeu_si256(start.add(1), halves[1]);
    }
    lanes
}

#[target_feature(enable = "avx2")]
fn distances_at(row: &[u64], right: &FilterMatrix<'_>, records: &[u32], out: &mut Vec<u32>) {
    path::distances_at(row, right, records, out);
}

#[target_feature(enable = "avx2")]
fn distances(row: &[u64], groups: &[Lanes], out: &mut [u32]) {
    for (group, out) in groups.chunks_exact(row.len()).zip(out.chunks_exact_mut(LANES)) {
        let [counts, _] = count_two([row, row], group);
        for (out, count) in out.iter_mut().zip(to_lanes(counts)) {
            *out = u32::try_from(count).expect("at most 4096 bits differ");
        }
    }
}
