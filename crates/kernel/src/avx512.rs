//! The AVX-512 path: eight pairs an instruction, with a popcount of its own (VPOPCNTDQ).
#![expect(
    unsafe_code,
    reason = "loads from memory and calls of functions for one processor"
)]

use std::arch::x86_64::{
    __m512i, _mm256_storeu_si256, _mm512_add_epi64, _mm512_cmple_epu64_mask, _mm512_cmplt_epu64_mask,
    _mm512_cvtepi64_epi32, _mm512_load_si512, _mm512_min_epu64, _mm512_mul_epu32, _mm512_popcnt_epi64,
    _mm512_set1_epi64, _mm512_setzero_si512, _mm512_storeu_si512, _mm512_xor_si512,
};
use std::ops::Range;

use crate::cut::{Cut, Linear};
use crate::matrix::{FilterMatrix, LANES, Lanes, PackedMatrix};
use crate::path::{
    self, Check, Counts, LEFT_ROWS, LeftRows, MOST_CHECKS, Masks, Path, RIGHT_GROUPS, are_empty, limit_at,
    tile_groups,
};

/// Proof that this processor has AVX-512 F and VPOPCNTDQ.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx512(());

impl Avx512 {
    /// `None` where the processor lacks it.
    pub(crate) fn new() -> Option<Self> {
        let present = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vpopcntdq");
        present.then_some(Self(()))
    }
}

impl Path for Avx512 {
    fn sweep(
        self,
        left: &LeftRows<'_>,
        right: &PackedMatrix,
        groups: Range<usize>,
        early: &[Check<'_>],
        cut: &Cut,
        on_tile: &mut dyn FnMut(usize, &Counts, &Masks),
    ) {
        // SAFETY: `self` was made by `new` alone, which saw that the processor has both features.
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

    fn work_in_registers(self, words: usize, tiles: usize) -> Option<u64> {
        // SAFETY: as in `sweep`.
        Some(unsafe { work_in_registers(words, tiles) })
    }
}

type Registers = [[__m512i; RIGHT_GROUPS]; LEFT_ROWS];

#[target_feature(enable = "avx512f,avx512vpopcntdq")]
fn sweep(
    left: &LeftRows<'_>,
    right: &PackedMatrix,
    groups: Range<usize>,
    early: &[Check<'_>],
    cut: &Cut,
    on_tile: &mut dyn FnMut(usize, &Counts, &Masks),
) {
    let words = right.words_per_filter();
    // Closures do not inherit the processor's features and would not be inlined: arrays are written out here.
    let [row0, row1, row2, row3] = left.rows;
    let rows = [&row0[..words], &row1[..words], &row2[..words], &row3[..words]];
    let zero = _mm512_setzero_si512();
    // Up to where words are counted, and the limits looked at then. One loop over all, so that counting stands at one
    // place, is inlined there and keeps its counts in registers.
    let whole = Check {
        words,
        limits: cut.limits(),
    };
    let mut stages = [whole; MOST_CHECKS + 1];
    stages[..early.len()].copy_from_slice(early);
    let stages = &stages[..=early.len()];
    'tiles: for first in groups.clone().step_by(RIGHT_GROUPS) {
        let (tile, max_ones) = tile_groups(right, first, groups.end);
        let mut lanes = [right.group(tile[0]); RIGHT_GROUPS];
        for (lanes, group) in lanes.iter_mut().zip(tile) {
            *lanes = right.group(group);
        }
        let ones = left.max_ones + max_ones;
        let mut counts: Registers = [[zero; RIGHT_GROUPS]; LEFT_ROWS];
        let mut begun = 0;
        for stage in stages {
            counts = add(rows, lanes, begun, stage.words, counts);
            begun = stage.words;
            let limit = limit_at(stage.limits, ones);
            if !any_below(counts, limit) {
                continue 'tiles;
            }
        }
        let mut right_ones = [zero; RIGHT_GROUPS];
        for (ones, group) in right_ones.iter_mut().zip(tile) {
            *ones = load(right.group_ones(group));
        }
        let masks = masks(counts, left.ones, right_ones, cut.linear());
        if !are_empty(&masks) {
            on_tile(first, &to_counts(counts), &masks);
        }
    }
}

/// Adds the bits that differ in the words from `start` to before `end`.
#[inline]
#[target_feature(enable = "avx512f,avx512vpopcntdq")]
fn add(
    rows: [&[u64]; LEFT_ROWS],
    tile: [&[Lanes]; RIGHT_GROUPS],
    start: usize,
    end: usize,
    mut counts: Registers,
) -> Registers {
    let lefts = rows[0][start..end]
        .iter()
        .zip(&rows[1][start..end])
        .zip(&rows[2][start..end])
        .zip(&rows[3][start..end]);
    let rights = tile[0][start..end].iter().zip(&tile[1][start..end]);
    for ((((&word0, &word1), &word2), &word3), (lanes0, lanes1)) in lefts.zip(rights) {
        let right = [load(lanes0), load(lanes1)];
        for (word, counts) in [word0, word1, word2, word3].into_iter().zip(&mut counts) {
            let word = _mm512_set1_epi64(word.cast_signed());
            for (right, count) in right.into_iter().zip(counts) {
                let ones = _mm512_popcnt_epi64(_mm512_xor_si512(word, right));
                *count = _mm512_add_epi64(*count, ones);
            }
        }
    }
    counts
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(lanes: &Lanes) -> __m512i {
    // SAFETY: `Lanes` is 64 bytes, aligned to 64.
    unsafe { _mm512_load_si512(std::ptr::from_ref(lanes).cast()) }
}

/// Whether a count is below `limit`.
#[inline]
#[target_feature(enable = "avx512f")]
fn any_below(counts: Registers, limit: u64) -> bool {
    let mut least = counts[0];
    for row in &counts[1..] {
        for (least, count) in least.iter_mut().zip(row) {
            *least = _mm512_min_epu64(*least, *count);
        }
    }
    let mut all = least[0];
    for count in &least[1..] {
        all = _mm512_min_epu64(all, *count);
    }
    _mm512_cmplt_epu64_mask(all, _mm512_set1_epi64(limit.cast_signed())) != 0
}

/// The pairs that may be in, by the formula.
#[inline]
#[target_feature(enable = "avx512f")]
fn masks(
    counts: Registers,
    left_ones: [u32; LEFT_ROWS],
    right_ones: [__m512i; RIGHT_GROUPS],
    linear: Linear,
) -> Masks {
    let broadcast = |value: u32| i64::from(value);
    let (per_distance, per_one, constant) = (
        _mm512_set1_epi64(broadcast(linear.per_distance)),
        _mm512_set1_epi64(broadcast(linear.per_one)),
        _mm512_set1_epi64(broadcast(linear.constant)),
    );
    let mut masks: Masks = [[0; RIGHT_GROUPS]; LEFT_ROWS];
    for ((counts, ones), masks) in counts.iter().zip(left_ones).zip(&mut masks) {
        let ones = _mm512_set1_epi64(broadcast(ones));
        for ((count, right_ones), mask) in counts.iter().zip(right_ones).zip(masks) {
            let ones = _mm512_add_epi64(ones, right_ones);
            let limit = _mm512_add_epi64(_mm512_mul_epu32(ones, per_one), constant);
            *mask = _mm512_cmple_epu64_mask(_mm512_mul_epu32(*count, per_distance), limit);
        }
    }
    masks
}

#[target_feature(enable = "avx512f")]
fn to_counts(registers: Registers) -> Counts {
    let mut counts: Counts = [[[0; LANES]; RIGHT_GROUPS]; LEFT_ROWS];
    for (registers, counts) in registers.iter().zip(&mut counts) {
        for (register, lanes) in registers.iter().zip(counts) {
            // SAFETY: the lanes are 64 bytes, which is what is written; no alignment is needed.
            unsafe { _mm512_storeu_si512(lanes.as_mut_ptr().cast(), *register) };
        }
    }
    counts
}

#[target_feature(enable = "avx512f,avx512vpopcntdq")]
fn distances_at(row: &[u64], right: &FilterMatrix<'_>, records: &[u32], out: &mut Vec<u32>) {
    path::distances_at(row, right, records, out);
}

#[target_feature(enable = "avx512f,avx512vpopcntdq")]
fn distances(row: &[u64], right: &PackedMatrix, groups: Range<usize>, out: &mut [u32]) {
    for (group, out) in groups.zip(out.chunks_exact_mut(LANES)) {
        let mut count = _mm512_setzero_si512();
        for (&word, lanes) in row.iter().zip(right.group(group)) {
            let differ = _mm512_xor_si512(_mm512_set1_epi64(word.cast_signed()), load(lanes));
            count = _mm512_add_epi64(count, _mm512_popcnt_epi64(differ));
        }
        // SAFETY: `out` is eight numbers of 32 bits, which is what is written; no alignment is needed.
        unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), _mm512_cvtepi64_epi32(count)) };
    }
}

/// The instructions of a comparison without their loads: eight counts kept in registers, `words` rounds a tile. Gives the
/// sum of the counts, so that the work is not left out.
#[target_feature(enable = "avx512f,avx512vpopcntdq")]
fn work_in_registers(words: usize, tiles: usize) -> u64 {
    let mut counts: Registers = [[_mm512_setzero_si512(); RIGHT_GROUPS]; LEFT_ROWS];
    let mut rights = [_mm512_set1_epi64(0x5555), _mm512_set1_epi64(0x3333)];
    let lefts = [
        _mm512_set1_epi64(1),
        _mm512_set1_epi64(2),
        _mm512_set1_epi64(3),
        _mm512_set1_epi64(4),
    ];
    for _ in 0..tiles {
        for _ in 0..words {
            // Opaque to the compiler, so that no round is worked out beforehand.
            for right in &mut rights {
                // SAFETY: no instruction, no memory: the register may be anything afterwards.
                unsafe {
                    std::arch::asm!(
                        "/* {0} */",
                        inout(zmm_reg) * right,
                        options(pure, nomem, nostack, preserves_flags)
                    )
                };
            }
            for (left, counts) in lefts.into_iter().zip(&mut counts) {
                for (right, count) in rights.into_iter().zip(counts) {
                    *count = _mm512_add_epi64(*count, _mm512_popcnt_epi64(_mm512_xor_si512(left, right)));
                }
            }
        }
    }
    to_counts(counts).iter().flatten().flatten().sum()
}
