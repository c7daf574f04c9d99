//! The AVX-512 path: eight pairs an instruction, with a popcount of its own (VPOPCNTDQ).
#![expect(
    unsafe_code,
    reason = "loads from memory and calls of functions for one processor"
)]

use std::arch::x86_64::{
    __m512i, _mm256_storeu_si256, _mm512_add_epi64, _mm512_cmplt_epi64_mask, _mm512_cvtepi64_epi32,
    _mm512_load_si512, _mm512_loadu_si512, _mm512_maskz_mov_epi64, _mm512_or_si512, _mm512_popcnt_epi64,
    _mm512_set1_epi64, _mm512_setzero_si512, _mm512_storeu_si512, _mm512_ternarylogic_epi64,
    _mm512_xor_si512,
};

use crate::matrix::{FilterMatrix, LANES, Lanes};
use crate::path::{self, Blocks, Hit, LEFT_ROWS, Path, RIGHT_GROUPS};

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
    fn sweep(self, first: &Blocks<'_>, then: Option<&Blocks<'_>>, on_hit: &mut dyn FnMut(Hit)) -> usize {
        // SAFETY: `self` was made by `new` alone, which saw that the processor has both features.
        unsafe {
            // Lengths of screens, known to the compiler: with so few words the loop itself would tell. For longer ones it makes no
            // difference.
            match first.left.row_words {
                4 => sweep::<4>(first, then, on_hit),
                5 => sweep::<5>(first, then, on_hit),
                6 => sweep::<6>(first, then, on_hit),
                7 => sweep::<7>(first, then, on_hit),
                8 => sweep::<8>(first, then, on_hit),
                _ => sweep::<ANY_LENGTH>(first, then, on_hit),
            }
        }
    }

    fn distances(self, row: &[u64], groups: &[Lanes], out: &mut [u32]) {
        // SAFETY: as in `sweep`.
        unsafe { distances(row, groups, out) }
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

/// Of [`sweep`]: as many words as the blocks say.
const ANY_LENGTH: usize = 0;

/// `WORDS` words a row.
#[target_feature(enable = "avx512f,avx512vpopcntdq")]
fn sweep<const WORDS: usize>(
    first: &Blocks<'_>,
    then: Option<&Blocks<'_>>,
    on_hit: &mut dyn FnMut(Hit),
) -> usize {
    let mut passing = 0;
    let (mut open, mut open_count) = (OpenTiles::new(), 0);
    let Blocks { left, right } = first;
    let words = if WORDS == ANY_LENGTH {
        left.row_words
    } else {
        WORDS
    };
    // Closures do not inherit the processor's features and would not be inlined: arrays are written out here.
    for first_row in (0..left.len()).step_by(LEFT_ROWS) {
        let last_row = left.len() - 1;
        // The last row and the last group stand again where there are fewer.
        let [row0, row1, row2, row3] = [
            first_row,
            (first_row + 1).min(last_row),
            (first_row + 2).min(last_row),
            (first_row + 3).min(last_row),
        ];
        let rows = [
            &left.row(row0)[..words],
            &left.row(row1)[..words],
            &left.row(row2)[..words],
            &left.row(row3)[..words],
        ];
        let left_starts = [
            _mm512_set1_epi64(left.starts[row0]),
            _mm512_set1_epi64(left.starts[row1]),
            _mm512_set1_epi64(left.starts[row2]),
            _mm512_set1_epi64(left.starts[row3]),
        ];
        let mut first_group = 0;
        // Exact chunks: their lengths are known, and no index is checked from tile to tile.
        let pairs_of_groups = right.lanes.chunks_exact(RIGHT_GROUPS * words);
        for (lanes, starts) in pairs_of_groups.zip(right.starts.chunks_exact(RIGHT_GROUPS)) {
            let groups = [&lanes[..words], &lanes[words..]];
            let counts = count(rows, left_starts, groups, [&starts[0], &starts[1]]);
            // Without a screen open tiles are few: a branch takes less than writing all tiles down.
            if then.is_some() || any_below_zero(counts) {
                open_count = open.note(open_count, (first_row, first_group), counts);
                if open_count == OPEN_TILES {
                    passing += open.hand_over(open_count, first, then, on_hit);
                    open_count = 0;
                }
            }
            first_group += RIGHT_GROUPS;
        }
        if first_group < right.len() {
            let group = first_group;
            let (lanes, starts) = (&right.group(group)[..words], &right.starts[group]);
            let counts = count(rows, left_starts, [lanes, lanes], [starts, starts]);
            open_count = open.note(open_count, (first_row, group), counts);
            if open_count == OPEN_TILES {
                passing += open.hand_over(open_count, first, then, on_hit);
                open_count = 0;
            }
        }
    }
    passing + open.hand_over(open_count, first, then, on_hit)
}

/// The counts of a tile.
#[inline]
#[target_feature(enable = "avx512f,avx512vpopcntdq")]
fn count(
    rows: [&[u64]; LEFT_ROWS],
    left_starts: [__m512i; LEFT_ROWS],
    groups: [&[Lanes]; RIGHT_GROUPS],
    right_starts: [&[i64; LANES]; RIGHT_GROUPS],
) -> Registers {
    let right_starts = [load_starts(right_starts[0]), load_starts(right_starts[1])];
    let mut counts: Registers = [[_mm512_setzero_si512(); RIGHT_GROUPS]; LEFT_ROWS];
    for (start, counts) in left_starts.into_iter().zip(&mut counts) {
        for (right_start, count) in right_starts.into_iter().zip(counts) {
            *count = _mm512_add_epi64(start, right_start);
        }
    }
    for word in 0..rows[0].len() {
        let lanes = [load(&groups[0][word]), load(&groups[1][word])];
        let left_words = [rows[0][word], rows[1][word], rows[2][word], rows[3][word]];
        for (left_word, counts) in left_words.into_iter().zip(&mut counts) {
            let left_word = _mm512_set1_epi64(left_word.cast_signed());
            for (lanes, count) in lanes.into_iter().zip(counts) {
                let ones = _mm512_popcnt_epi64(_mm512_xor_si512(left_word, lanes));
                *count = _mm512_add_epi64(*count, ones);
            }
        }
    }
    counts
}

/// Tiles of which some pair may be in: written down without a branch, for nothing foretells which they are, and looked at together.
struct OpenTiles {
    counts: [Registers; OPEN_TILES],
    /// First row and first group of each.
    places: [(usize, usize); OPEN_TILES],
}

/// At most so many are written down; a power of two.
const OPEN_TILES: usize = 16;
/// Rows and groups of a tile.
const OF_TILE: usize = LEFT_ROWS * RIGHT_GROUPS;

impl OpenTiles {
    #[target_feature(enable = "avx512f")]
    fn new() -> Self {
        Self {
            counts: [[[_mm512_setzero_si512(); RIGHT_GROUPS]; LEFT_ROWS]; OPEN_TILES],
            places: [(0, 0); OPEN_TILES],
        }
    }

    /// Writes a tile down behind `len` others. Gives how many there are then: no more, if no count of it is below zero.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn note(&mut self, len: usize, place: (usize, usize), counts: Registers) -> usize {
        let free = len % OPEN_TILES;
        self.counts[free] = counts;
        self.places[free] = place;
        len + usize::from(any_below_zero(counts))
    }

    /// Hands over what of the first `len` tiles may be in. Gives the number of rows and groups with a count below zero.
    #[inline(never)]
    #[target_feature(enable = "avx512f,avx512vpopcntdq")]
    fn hand_over(
        &self,
        len: usize,
        Blocks { left, right }: &Blocks<'_>,
        then: Option<&Blocks<'_>>,
        on_hit: &mut dyn FnMut(Hit),
    ) -> usize {
        // Which of a tile it is: again without a branch.
        let (mut passing, mut passing_count) = ([0; OPEN_TILES * OF_TILE], 0);
        for (tile, counts) in self.counts[..len].iter().enumerate() {
            for (index, count) in counts.as_flattened().iter().enumerate() {
                passing[passing_count % passing.len()] = tile * OF_TILE + index;
                passing_count += usize::from(below_zero(*count) != 0);
            }
        }
        let mut handed_over = 0;
        for place in &passing[..passing_count] {
            let (tile, index) = (place / OF_TILE, place % OF_TILE);
            let (first_row, first_group) = self.places[tile];
            let (row, group) = (
                first_row + index / RIGHT_GROUPS,
                first_group + index % RIGHT_GROUPS,
            );
            // The last ones may stand again.
            if row < left.len() && group < right.len() {
                handed_over += 1;
                hand_over(
                    then,
                    (row, group),
                    self.counts[tile].as_flattened()[index],
                    on_hit,
                );
            }
        }
        handed_over
    }
}

/// Hands a row and a group over whose counts say that a pair may be in, if those of `then` do as well.
#[inline]
#[target_feature(enable = "avx512f,avx512vpopcntdq")]
fn hand_over(
    then: Option<&Blocks<'_>>,
    (row, group): (usize, usize),
    mut count: __m512i,
    on_hit: &mut dyn FnMut(Hit),
) {
    if let Some(Blocks { left, right }) = then {
        let starts = _mm512_add_epi64(
            _mm512_set1_epi64(left.starts[row]),
            load_starts(&right.starts[group]),
        );
        let whole = _mm512_add_epi64(starts, distance(left.row(row), right.group(group)));
        // Zero for those that did not pass the first comparison.
        count = _mm512_maskz_mov_epi64(below_zero(count), whole);
        if below_zero(count) == 0 {
            return;
        }
    }
    on_hit(Hit {
        row,
        group,
        counts: to_lanes(count),
    });
}

/// Bits of a row that differ from each record of a group.
#[inline]
#[target_feature(enable = "avx512f,avx512vpopcntdq")]
fn distance(row: &[u64], group: &[Lanes]) -> __m512i {
    let mut sums = [_mm512_setzero_si512(); 4];
    let (rows, rest) = row.as_chunks::<4>();
    let (groups, rest_of_group) = group.as_chunks::<4>();
    for (words, lanes) in rows.iter().zip(groups) {
        for ((&word, lanes), sum) in words.iter().zip(lanes).zip(&mut sums) {
            let differ = _mm512_xor_si512(_mm512_set1_epi64(word.cast_signed()), load(lanes));
            *sum = _mm512_add_epi64(*sum, _mm512_popcnt_epi64(differ));
        }
    }
    for (&word, lanes) in rest.iter().zip(rest_of_group) {
        let differ = _mm512_xor_si512(_mm512_set1_epi64(word.cast_signed()), load(lanes));
        sums[0] = _mm512_add_epi64(sums[0], _mm512_popcnt_epi64(differ));
    }
    _mm512_add_epi64(
        _mm512_add_epi64(sums[0], sums[1]),
        _mm512_add_epi64(sums[2], sums[3]),
    )
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(lanes: &Lanes) -> __m512i {
    // SAFETY: `Lanes` is 64 bytes, aligned to 64.
    unsafe { _mm512_load_si512(std::ptr::from_ref(lanes).cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_starts(starts: &[i64; LANES]) -> __m512i {
    // SAFETY: eight numbers of 64 bits are the 64 bytes that are read; no alignment is needed.
    unsafe { _mm512_loadu_si512(starts.as_ptr().cast()) }
}

/// A bit for each lane below zero.
#[inline]
#[target_feature(enable = "avx512f")]
fn below_zero(count: __m512i) -> u8 {
    _mm512_cmplt_epi64_mask(count, _mm512_setzero_si512())
}

#[inline]
#[target_feature(enable = "avx512f")]
fn any_below_zero(counts: Registers) -> bool {
    /// The logic table of "any of three".
    const OR: i32 = 0xfe;
    let [[a, b], [c, d], [e, f], [g, h]] = counts;
    let (abc, def) = (
        _mm512_ternarylogic_epi64::<OR>(a, b, c),
        _mm512_ternarylogic_epi64::<OR>(d, e, f),
    );
    let all = _mm512_ternarylogic_epi64::<OR>(abc, def, _mm512_or_si512(g, h));
    below_zero(all) != 0
}

#[inline]
#[target_feature(enable = "avx512f")]
fn to_lanes(register: __m512i) -> [i64; LANES] {
    let mut lanes = [0; LANES];
    // SAFETY: the lanes are 64 bytes, which is what is written; no alignment is needed.
    unsafe { _mm512_storeu_si512(lanes.as_mut_ptr().cast(), register) };
    lanes
}

#[target_feature(enable = "avx512f,avx512vpopcntdq")]
fn distances_at(row: &[u64], right: &FilterMatrix<'_>, records: &[u32], out: &mut Vec<u32>) {
    path::distances_at(row, right, records, out);
}

#[target_feature(enable = "avx512f,avx512vpopcntdq")]
fn distances(row: &[u64], groups: &[Lanes], out: &mut [u32]) {
    for (group, out) in groups.chunks_exact(row.len()).zip(out.chunks_exact_mut(LANES)) {
        let count = distance(row, group);
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
    let mut sum = 0_u64;
    for count in counts.as_flattened() {
        for lane in to_lanes(*count) {
            sum = sum.wrapping_add(lane.cast_unsigned());
        }
    }
    sum
}
