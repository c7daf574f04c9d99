//! The portable path: plain words, no intrinsics. Also the oracle of the others, which must agree on every pair.

use std::ops::Range;

use crate::cut::Cut;
use crate::matrix::{FilterMatrix, LANES, Lanes, PackedMatrix};
use crate::path::{
    self, Check, Counts, LEFT_ROWS, LeftRows, Masks, Path, RIGHT_GROUPS, are_empty, limit_at, masks_of,
    tile_groups,
};

/// Plain 64-bit words.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Portable;

impl Path for Portable {
    fn sweep(
        self,
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

    fn distances(self, row: &[u64], right: &PackedMatrix, groups: Range<usize>, out: &mut [u32]) {
        for (group, out) in groups.zip(out.chunks_exact_mut(LANES)) {
            let mut counts = [0; LANES];
            add_group(row, right.group(group), &mut counts);
            for (out, count) in out.iter_mut().zip(counts) {
                *out = u32::try_from(count).expect("at most 4096 bits differ");
            }
        }
    }

    fn distances_at(self, row: &[u64], right: &FilterMatrix<'_>, records: &[u32], out: &mut Vec<u32>) {
        path::distances_at(row, right, records, out);
    }
}

fn add(
    left: &LeftRows<'_>,
    right: &PackedMatrix,
    tile: [usize; RIGHT_GROUPS],
    words: Range<usize>,
    counts: &mut Counts,
) {
    for (row, counts) in left.rows.iter().zip(counts) {
        for (group, counts) in tile.into_iter().zip(counts) {
            add_group(&row[words.clone()], &right.group(group)[words.clone()], counts);
        }
    }
}

fn add_group(left: &[u64], group: &[Lanes], counts: &mut [u64; LANES]) {
    for (&word, lanes) in left.iter().zip(group) {
        for (count, lane) in counts.iter_mut().zip(lanes.0) {
            *count += u64::from((word ^ lane).count_ones());
        }
    }
}

fn least(counts: &Counts) -> u64 {
    counts.iter().flatten().flatten().copied().min().unwrap_or(0)
}
