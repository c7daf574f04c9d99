use std::ops::Range;

use corridor_core::{Measure, Threshold};
use corridor_kernel::{Cut, Kernel, Search};

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

/// What a comparison looks for, made ready once for all of its tiles.
#[derive(Debug)]
pub struct Comparison<'a> {
    left: &'a LinkSide<'a>,
    right: &'a LinkSide<'a>,
    kernel: Kernel,
    search: Search,
}

impl<'a> Comparison<'a> {
    /// Looks for pairs with at least `floor` similarity, exactly, giving strangers up early where that pays.
    pub fn new(left: &'a LinkSide<'a>, right: &'a LinkSide<'a>, measure: Measure, floor: Threshold) -> Self {
        let cut = Cut::new(
            to_kernel(measure),
            left.matrix().words_per_filter(),
            floor.numerator(),
            Threshold::DENOMINATOR,
        );
        Self {
            left,
            right,
            kernel: Kernel::best(),
            search: Search::exact(cut, left.matrix(), right.packed()),
        }
    }

    /// Name of the kernel that compares.
    pub const fn kernel_name(&self) -> &'static str {
        self.kernel.name()
    }

    /// Every pair of the tile that is found, by left record, then right.
    ///
    /// # Panics
    /// When the tile is of another comparison and goes beyond the left side.
    pub fn compare(&self, tile: &Tile) -> Vec<CandidatePair> {
        let (left, right) = (self.left.matrix(), self.right.packed());
        let mut pairs = Vec::new();
        self.kernel.pairs_reaching(
            (left, tile.left_rows.clone()),
            (right, 0..right.len()),
            &self.search,
            &mut pairs,
        );
        pairs
            .iter()
            .filter_map(|pair| {
                let at = |row: u32| usize::try_from(row).expect("an index of a matrix");
                let ones = left.ones(at(pair.left)) + right.ones(at(pair.right));
                Some(CandidatePair {
                    left: pair.left,
                    right: pair.right,
                    similarity: self.search.cut().similarity(pair.distance, ones)?,
                })
            })
            .collect()
    }
}
