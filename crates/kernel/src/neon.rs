//! The NEON path of 64-bit Arm: two pairs an instruction, with a popcount of bytes.
#![expect(
    unsafe_code,
    reason = "loads from memory and calls of functions for one processor"
)]

use std::arch::aarch64::{
    int64x2_t, uint64x2_t, vaddq_s64, vaddq_u8, vaddq_u64, vandq_s64, vcltzq_s64, vcntq_u8, vdupq_n_s64,
    vdupq_n_u8, vdupq_n_u64, veorq_u64, vgetq_lane_s64, vld1q_s64, vld1q_u64, vorrq_s64, vpaddlq_u8,
    vpaddlq_u16, vpaddlq_u32, vreinterpretq_s64_u64, vreinterpretq_u8_u64, vst1q_s64,
};

use crate::matrix::{FilterMatrix, LANES, Lanes};
use crate::path::{self, Blocks, Hit, Path};

/// Proof that this processor has NEON.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Neon(());

impl Neon {
    /// `None` where the processor lacks it.
    pub(crate) fn new() -> Option<Self> {
        std::arch::is_aarch64_feature_detected!("neon").then_some(Self(()))
    }
}

impl Path for Neon {
    fn sweep(self, first: &Blocks<'_>, then: Option<&Blocks<'_>>, on_hit: &mut dyn FnMut(Hit)) -> usize {
        // SAFETY: `self` was made by `new` alone, which saw that the processor has NEON.
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

/// Vectors of two lanes that make a group.
const VECTORS: usize = LANES / 2;

type Sums = [uint64x2_t; VECTORS];
type Registers = [int64x2_t; VECTORS];

#[target_feature(enable = "neon")]
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
#[target_feature(enable = "neon")]
fn hand_over(
    then: Option<&Blocks<'_>>,
    (row, group): (usize, usize),
    mut counts: Registers,
    on_hit: &mut dyn FnMut(Hit),
) {
    if let Some(then) = then {
        let [whole, _] = self::counts(then, [row, row], group);
        // Zero for those that did not pass the first comparison.
        for (count, whole) in counts.iter_mut().zip(whole) {
            let passes = vreinterpretq_s64_u64(vcltzq_s64(*count));
            *count = vandq_s64(passes, whole);
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
#[target_feature(enable = "neon")]
fn counts(blocks: &Blocks<'_>, rows: [usize; 2], group: usize) -> [Registers; 2] {
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
#[target_feature(enable = "neon")]
fn add_starts(sums: Sums, left: i64, right: &[i64; LANES]) -> Registers {
    let left = vdupq_n_s64(left);
    let mut counts = [left; VECTORS];
    for ((count, sum), starts) in counts.iter_mut().zip(sums).zip(right.as_chunks::<2>().0) {
        // SAFETY: two numbers of 64 bits are the 16 bytes that are read; no alignment is needed.
        let start = unsafe { vld1q_s64(starts.as_ptr()) };
        *count = vaddq_s64(vaddq_s64(*count, start), vreinterpretq_s64_u64(sum));
    }
    counts
}

#[inline]
#[target_feature(enable = "neon")]
fn any_below_zero(counts: Registers) -> bool {
    let [a, b, c, d] = counts;
    let all = vorrq_s64(vorrq_s64(a, b), vorrq_s64(c, d));
    vgetq_lane_s64::<0>(all) | vgetq_lane_s64::<1>(all) < 0
}

/// Words whose counts of at most eight a byte fit in a byte.
const WORDS_PER_SUM: usize = 31;

/// Bits of two rows that differ from each record of a group.
#[inline]
#[target_feature(enable = "neon")]
fn count_two(rows: [&[u64]; 2], group: &[Lanes]) -> [Sums; 2] {
    let mut sums = [[vdupq_n_u64(0); VECTORS]; 2];
    let chunks = rows[0].chunks(WORDS_PER_SUM).zip(rows[1].chunks(WORDS_PER_SUM));
    for ((first, second), group) in chunks.zip(group.chunks(WORDS_PER_SUM)) {
        let mut bytes = [[vdupq_n_u8(0); VECTORS]; 2];
        for ((&first, &second), lanes) in first.iter().zip(second).zip(group) {
            let vectors = load(lanes);
            for (word, bytes) in [first, second].into_iter().zip(&mut bytes) {
                let word = vdupq_n_u64(word);
                for (vector, byte) in vectors.into_iter().zip(bytes) {
                    let differ = vreinterpretq_u8_u64(veorq_u64(word, vector));
                    *byte = vaddq_u8(*byte, vcntq_u8(differ));
                }
            }
        }
        for (sums, bytes) in sums.iter_mut().zip(bytes) {
            for (sum, byte) in sums.iter_mut().zip(bytes) {
                *sum = vaddq_u64(*sum, vpaddlq_u32(vpaddlq_u16(vpaddlq_u8(byte))));
            }
        }
    }
    sums
}

/// A word of the eight records of a group, two a vector.
#[inline]
#[target_feature(enable = "neon")]
fn load(lanes: &Lanes) -> Sums {
    let mut vectors = [vdupq_n_u64(0); VECTORS];
    for (vector, pair) in vectors.iter_mut().zip(lanes.0.as_chunks::<2>().0) {
        // SAFETY: two numbers of 64 bits are the 16 bytes that are read.
        *vector = unsafe { vld1q_u64(pair.as_ptr()) };
    }
    vectors
}

#[inline]
#[target_feature(enable = "neon")]
fn to_lanes(counts: Registers) -> [i64; LANES] {
    let mut lanes = [0; LANES];
    for (pair, count) in lanes.as_chunks_mut::<2>().0.iter_mut().zip(counts) {
        // SAFETY: two numbers of 64 bits are the 16 bytes that are written.
        unsafe { vst1q_s64(pair.as_mut_ptr(), count) };
    }
    lanes
}

#[target_feature(enable = "neon")]
fn distances_at(row: &[u64], right: &FilterMatrix<'_>, records: &[u32], out: &mut Vec<u32>) {
    path::distances_at(row, right, records, out);
}

#[target_feature(enable = "neon")]
fn distances(row: &[u64], groups: &[Lanes], out: &mut [u32]) {
    for (group, out) in groups.chunks_exact(row.len()).zip(out.chunks_exact_mut(LANES)) {
        let [sums, _] = count_two([row, row], group);
        for (out, count) in out.iter_mut().zip(to_lanes(add_starts(sums, 0, &[0; LANES]))) {
            *out = u32::try_from(count).expect("at most 4096 bits differ");
        }
    }
}
