use std::ops::Range;

use corridor_core::{Measure, Threshold};
use corridor_kernel::{Cut, pairs_reaching};

use crate::side::{LinkSide, to_kernel};

/// Two records that are alike enough to be looked at again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CandidatePair {
    /// Record on the left.
    pub left: u32,
    /// Record on the right.
    pub right: u32,
    /// Similarity, from the kernel.
    pub similarity: f64,
}

/// A unit of work: some records of the left side against all of the right. A pure function of stored
/// filters, so that it may be done again, elsewhere or later, with the same result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tile {
    /// Position among the tiles of the run.
    pub index: usize,
    /// Records of the left side.
    pub left_rows: Range<usize>,
}

/// Pairs of a tile, about: seconds of work, so that progress moves and little is lost by a stop.
const PAIRS_PER_TILE: usize = 1 << 21;

/// Cuts a comparison of `left_len` × `right_len` records into tiles, in order of the left side. Depends on
/// nothing else, so that a run that was interrupted finds the same tiles again.
pub fn plan_tiles(left_len: usize, right_len: usize) -> Vec<Tile> {
    let rows = (PAIRS_PER_TILE / right_len.max(1)).clamp(16, 4096);
    (0..left_len)
        .step_by(rows)
        .enumerate()
        .map(|(index, start)| Tile {
            index,
            left_rows: start..(start + rows).min(left_len),
        })
        .collect()
}

/// Every pair of the tile with at least `floor` similarity, by left record, then right.
pub fn compare_tile(
    left: &LinkSide<'_>,
    right: &LinkSide<'_>,
    measure: Measure,
    floor: Threshold,
    tile: &Tile,
) -> Vec<CandidatePair> {
    let cut = Cut::new(
        to_kernel(measure),
        left.matrix().words_per_filter(),
        floor.numerator(),
        Threshold::DENOMINATOR,
    );
    let mut pairs = Vec::new();
    pairs_reaching(
        left.matrix(),
        tile.left_rows.clone(),
        right.matrix(),
        0..right.len(),
        &cut,
        &mut pairs,
    );
    pairs
        .iter()
        .filter_map(|pair| {
            Some(CandidatePair {
                left: pair.left,
                right: pair.right,
                similarity: cut.similarity(pair, left.matrix(), right.matrix())?,
            })
        })
        .collect()
}
