use std::ops::Range;

use corridor_core::{Measure, Threshold};
use corridor_kernel::{Cut, FilterMatrix, Kernel, Search};

use crate::blocking_loss::BlockingLoss;
use crate::blocks::{Blocks, Piece};
use crate::budget::CandidateBudget;
use crate::lsh::LshTables;
use crate::lsh_index::LshIndex;
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

/// A unit of work. A pure function of stored filters, so that it may be done again, elsewhere or later, with the same
/// result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tile {
    /// Position among the tiles of the run.
    pub index: usize,
    pub(crate) work: TileWork,
}

/// What a tile compares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TileWork {
    /// Some records of the left side with all of the right.
    Rows(Range<usize>),
    /// Some pieces of the blocks.
    Pieces(Range<usize>),
    /// Some records of the left side with those of the right that have the same key of bits in any table.
    Neighbours(Range<usize>),
}

/// Pairs of a tile, about: seconds of work, so that progress moves and little is lost by a stop.
pub(crate) const PAIRS_PER_TILE: usize = 1 << 21;

/// Pairs compared before it is looked at how many are found, so that records that are all alike do not fill the memory
/// within one tile.
const PAIRS_PER_SWEEP: usize = 1 << 20;

/// Records of the right compared with so many rows of the left at a time; whole groups of the kernel's.
pub(crate) fn right_per_sweep(rows: usize) -> usize {
    (PAIRS_PER_SWEEP / rows.max(1)).next_multiple_of(64)
}

/// Cuts a comparison of all of `left_len` × `right_len` records into tiles, in order of the left side. Depends on
/// nothing else, so that a run that was interrupted finds the same tiles again.
pub fn plan_tiles(left_len: usize, right_len: usize) -> Vec<Tile> {
    let rows = rows_per_tile(right_len);
    (0..left_len)
        .step_by(rows)
        .enumerate()
        .map(|(index, start)| Tile {
            index,
            work: TileWork::Rows(start..(start + rows).min(left_len)),
        })
        .collect()
}

/// Records of the left in a tile that compares them with so many of the right: enough for what is read of these, which no cache holds
/// where they are many, to serve several.
pub(crate) fn rows_per_tile(right_len: usize) -> usize {
    (PAIRS_PER_TILE / right_len.max(1)).clamp(128, 4096)
}

/// Records of the left in a tile of neighbours: many, so that several share a key and what is fetched of the right serves them
/// all; and so few that there are tiles for all threads.
pub(crate) fn rows_per_neighbour_tile(left_len: usize) -> usize {
    (left_len / 16).clamp(256, 1 << 14)
}

/// The tiles of a comparison by keys of bits, and by block keys where there are some: pieces of the blocks first, then some
/// records of the left with their neighbours in all tables. Depends on the block keys and the number of records only:
/// the filters, and so the tables, need not be looked at to know the tiles again.
pub fn plan_neighbour_tiles(blocks: Option<&Blocks<'_>>, left_len: usize) -> Vec<Tile> {
    let mut tiles = blocks.map_or_else(Vec::new, Blocks::plan_tiles);
    let rows = rows_per_neighbour_tile(left_len);
    for start in (0..left_len).step_by(rows) {
        tiles.push(Tile {
            index: tiles.len(),
            work: TileWork::Neighbours(start..(start + rows).min(left_len)),
        });
    }
    tiles
}

/// What a comparison looks for, made ready once for all of its tiles.
#[derive(Debug)]
pub struct Comparison<'a> {
    left: &'a LinkSide<'a>,
    right: &'a LinkSide<'a>,
    /// Where only records that share one are compared.
    blocks: Option<&'a Blocks<'a>>,
    /// Where records with the same key of bits are compared, too.
    lsh: Option<(&'a LshTables, LshIndex)>,
    kernel: Kernel,
    search: Search,
}

impl<'a> Comparison<'a> {
    /// Looks for pairs with at least `floor` similarity, exactly, among all pairs, giving strangers up early where that
    /// pays.
    pub fn new(left: &'a LinkSide<'a>, right: &'a LinkSide<'a>, measure: Measure, floor: Threshold) -> Self {
        let search = Search::exact(to_cut(left, measure, floor), left.matrix(), right.packed());
        Self {
            left,
            right,
            blocks: None,
            lsh: None,
            kernel: Kernel::best(),
            search,
        }
    }

    /// The same among the pairs that share a block.
    pub fn in_blocks(
        left: &'a LinkSide<'a>,
        right: &'a LinkSide<'a>,
        measure: Measure,
        floor: Threshold,
        blocks: &'a Blocks<'a>,
    ) -> Self {
        Self {
            left,
            right,
            blocks: Some(blocks),
            lsh: None,
            kernel: Kernel::best(),
            // To find out what a check would save would take the right side packed as a whole.
            search: Search::full(to_cut(left, measure, floor)),
        }
    }

    /// The same among the pairs that have the same key of bits in one of `tables`, or share a block where there are some.
    /// Makes the keys of the right side, on the current rayon pool; at about six bytes a record and table they are most
    /// of what the comparison holds beside the filters.
    pub fn of_neighbours(
        left: &'a LinkSide<'a>,
        right: &'a LinkSide<'a>,
        measure: Measure,
        floor: Threshold,
        tables: &'a LshTables,
        blocks: Option<&'a Blocks<'a>>,
    ) -> Self {
        Self {
            left,
            right,
            blocks,
            lsh: Some((tables, LshIndex::new(tables, right))),
            kernel: Kernel::best(),
            search: Search::full(to_cut(left, measure, floor)),
        }
    }

    /// Name of the kernel that compares.
    pub const fn kernel_name(&self) -> &'static str {
        self.kernel.name()
    }

    /// Pairs compared in all tiles; in blocks, one that meets in several passes counts in each.
    pub fn pair_count(&self) -> u64 {
        if let Some((tables, _)) = &self.lsh {
            return self.blocks.map_or(0, Blocks::pair_count) + tables.pair_count(self.left, self.right);
        }
        match self.blocks {
            Some(blocks) => blocks.pair_count(),
            None => {
                let count = |len: usize| u64::try_from(len).expect("a length fits in 64 bits");
                count(self.left.len()) * count(self.right.len())
            }
        }
    }

    /// Pairs that are compared to measure what blocks cost.
    pub fn pairs_to_measure_loss(&self) -> u64 {
        BlockingLoss::pairs_compared(self.left.len(), self.right.len())
    }

    /// Whether only pairs that share a block or a key of bits are compared, and not all.
    pub const fn is_of_some_pairs(&self) -> bool {
        self.blocks.is_some() || self.lsh.is_some()
    }

    /// Every pair of the tile that is found, by left record, then right; over all tiles, each pair once.
    ///
    /// # Panics
    /// When the tile is of another comparison.
    pub fn compare(&self, tile: &Tile) -> Vec<CandidatePair> {
        self.compare_within(tile, &CandidateBudget::unlimited())
            .expect("no bound to pass")
    }

    /// The same as long as the pairs found are within `budget`; `None` as soon as they are not, or the left side's work is stopped.
    /// Keeps a few million pairs at most beyond the budget.
    ///
    /// # Panics
    /// As [`Comparison::compare`].
    pub fn compare_within(&self, tile: &Tile, budget: &CandidateBudget) -> Option<Vec<CandidatePair>> {
        let mut candidates = Vec::new();
        match &tile.work {
            TileWork::Rows(rows) => self.compare_rows(rows, budget, &mut candidates)?,
            TileWork::Pieces(range) => {
                let blocks = self.blocks.expect("a tile of a comparison in blocks");
                for piece in blocks.pieces(range) {
                    self.compare_piece(blocks, piece, budget, &mut candidates)?;
                }
                candidates.sort_unstable_by_key(|pair| (pair.left, pair.right));
            }
            TileWork::Neighbours(rows) => {
                let (tables, index) = self.lsh.as_ref().expect("a tile of a comparison of neighbours");
                self.compare_neighbours((tables, index), rows, budget, &mut candidates)?;
            }
        }
        Some(candidates)
    }

    /// Compares about a million pairs of a tile, to see how long that takes, and gives their number.
    ///
    /// # Panics
    /// As [`Comparison::compare`].
    pub(crate) fn compare_some(&self, tile: &Tile) -> usize {
        match (&tile.work, self.blocks) {
            (TileWork::Rows(rows), _) => {
                let step = right_per_sweep(rows.len());
                let right_len = self.right.len();
                let start = tile.index % right_len.div_ceil(step) * step;
                let right_rows = start..(start + step).min(right_len);
                let compared = rows.len() * right_rows.len();
                self.sweep(rows, right_rows, &mut Vec::new());
                compared
            }
            (TileWork::Pieces(range), Some(blocks)) => {
                let mut compared = 0;
                for piece in blocks.pieces(range) {
                    let (left_records, right_records) = blocks.records(piece);
                    let right_records =
                        &right_records[..right_records.len().min(right_per_sweep(left_records.len()))];
                    self.compare_records(left_records, right_records, &mut Vec::new());
                    compared += left_records.len() * right_records.len();
                    if compared >= PAIRS_PER_SWEEP {
                        break;
                    }
                }
                compared
            }
            (TileWork::Pieces(_), None) => panic!("a tile of a comparison in blocks"),
            (TileWork::Neighbours(rows), _) => {
                let (tables, index) = self.lsh.as_ref().expect("a tile of a comparison of neighbours");
                let mut compared = 0;
                for row in rows.clone() {
                    let Some(hash) = tables.hash(tile.index % tables.table_count(), self.left, row) else {
                        continue;
                    };
                    let right_records = index.records(tile.index % tables.table_count(), hash);
                    let right_records = &right_records[..right_records.len().min(PAIRS_PER_SWEEP)];
                    self.compare_records(&[to_record(row)], right_records, &mut Vec::new());
                    compared += right_records.len();
                    if compared >= PAIRS_PER_SWEEP {
                        break;
                    }
                }
                compared
            }
        }
    }

    fn compare_rows(
        &self,
        rows: &Range<usize>,
        budget: &CandidateBudget,
        candidates: &mut Vec<CandidatePair>,
    ) -> Option<()> {
        let right_len = self.right.len();
        let step = right_per_sweep(rows.len());
        for start in (0..right_len).step_by(step) {
            self.left.stop().check().ok()?;
            let before = candidates.len();
            self.sweep(rows, start..(start + step).min(right_len), candidates);
            if !budget.take(candidates.len() - before) {
                return None;
            }
        }
        // A stable sort of a few sorted runs: within a row, the right side comes in its order.
        if step < right_len {
            candidates.sort_by_key(|pair| pair.left);
        }
        Some(())
    }

    fn sweep(&self, rows: &Range<usize>, right_rows: Range<usize>, candidates: &mut Vec<CandidatePair>) {
        let mut pairs = Vec::new();
        self.kernel.pairs_reaching(
            (self.left.matrix(), rows.clone()),
            (self.right.packed(), right_rows),
            &self.search,
            &mut pairs,
        );
        candidates.extend(
            pairs
                .iter()
                .filter_map(|pair| self.candidate(pair.left, pair.right, pair.distance)),
        );
    }

    fn compare_piece(
        &self,
        blocks: &Blocks<'_>,
        piece: &Piece,
        budget: &CandidateBudget,
        candidates: &mut Vec<CandidatePair>,
    ) -> Option<()> {
        let (left_records, right_records) = blocks.records(piece);
        for right_records in right_records.chunks(right_per_sweep(left_records.len())) {
            self.left.stop().check().ok()?;
            let before = candidates.len();
            self.compare_records(left_records, right_records, candidates);
            retain_from(candidates, before, |pair| {
                !blocks.meet_before(piece.pass, pair.left, pair.right)
            });
            if !budget.take(candidates.len() - before) {
                return None;
            }
        }
        Some(())
    }

    /// Some records of the left with all of the right that have the same key in any table, by left record, then right. A pair
    /// that meets in several tables is kept once, and one that shares a block not at all: it is found there.
    fn compare_neighbours(
        &self,
        (tables, index): (&LshTables, &LshIndex),
        rows: &Range<usize>,
        budget: &CandidateBudget,
        candidates: &mut Vec<CandidatePair>,
    ) -> Option<()> {
        let mut room = MOST_REPEATED;
        for table in 0..tables.table_count() {
            self.left.stop().check().ok()?;
            let mut keyed: Vec<(u32, u32)> = rows
                .clone()
                .filter_map(|row| Some((tables.hash(table, self.left, row)?, to_record(row))))
                .collect();
            keyed.sort_unstable();
            for of_key in keyed.chunk_by(|a, b| a.0 == b.0) {
                let right_records = index.records(table, of_key[0].0);
                let left_records: Vec<u32> = of_key.iter().map(|(_, record)| *record).collect();
                for right_records in right_records.chunks(right_per_sweep(left_records.len())) {
                    self.compare_records(&left_records, right_records, candidates);
                    // The most alike pairs meet in nearly every table.
                    if candidates.len() > room {
                        keep_once(candidates);
                        room = 2 * candidates.len() + MOST_REPEATED;
                        // Those that share a block are counted there, and here only once the tile is done.
                        if self.blocks.is_none() && !budget.has_room_for(candidates.len()) {
                            return None;
                        }
                    }
                }
            }
        }
        keep_once(candidates);
        if let Some(blocks) = self.blocks {
            candidates.retain(|pair| !blocks.meet(pair.left, pair.right));
        }
        budget.take(candidates.len()).then_some(())
    }

    /// Every pair of some records of the left and some of the right that is found. Only so many records are copied at a time
    /// as bounds the memory, however many there are.
    fn compare_records(
        &self,
        left_records: &[u32],
        right_records: &[u32],
        candidates: &mut Vec<CandidatePair>,
    ) {
        if left_records.len() < LEAST_ROWS_GATHERED || right_records.len() < LEAST_ROWS_GATHERED {
            self.compare_in_place(left_records, right_records, candidates);
            return;
        }
        for left_records in left_records.chunks(MOST_ROWS_GATHERED) {
            for right_records in right_records.chunks(MOST_ROWS_GATHERED) {
                self.compare_gathered(left_records, right_records, candidates);
            }
        }
    }

    fn compare_in_place(
        &self,
        left_records: &[u32],
        right_records: &[u32],
        candidates: &mut Vec<CandidatePair>,
    ) {
        let (left_side, right_side) = (self.left.matrix(), self.right.matrix());
        let mut distances = Vec::with_capacity(right_records.len());
        for &left in left_records {
            let row = to_index(left);
            self.kernel
                .distances_at(left_side.row(row), right_side, right_records, &mut distances);
            let ones = left_side.ones(row);
            for (&right, &distance) in right_records.iter().zip(&distances) {
                if distance < self.search.cut().limit(ones + right_side.ones(to_index(right))) {
                    candidates.extend(self.candidate(left, right, distance));
                }
            }
        }
    }

    fn compare_gathered(
        &self,
        left_records: &[u32],
        right_records: &[u32],
        candidates: &mut Vec<CandidatePair>,
    ) {
        let gathered = |side: &LinkSide<'_>, records: &[u32]| {
            let mut words = Vec::with_capacity(records.len() * side.matrix().words_per_filter());
            records
                .iter()
                .for_each(|&record| words.extend_from_slice(side.row(to_index(record))));
            words
        };
        let (left_words, right_words) = (
            gathered(self.left, left_records),
            gathered(self.right, right_records),
        );
        let words_per_filter = self.left.matrix().words_per_filter();
        let to_matrix =
            |words| FilterMatrix::try_new(words, words_per_filter).expect("whole filters of a side");
        let (left, right) = (to_matrix(&left_words), to_matrix(&right_words).to_packed());
        let mut pairs = Vec::new();
        self.kernel.pairs_reaching(
            (&left, 0..left.len()),
            (&right, 0..right.len()),
            &self.search,
            &mut pairs,
        );
        candidates.extend(pairs.iter().filter_map(|pair| {
            let (left, right) = (
                left_records[to_index(pair.left)],
                right_records[to_index(pair.right)],
            );
            self.candidate(left, right, pair.distance)
        }));
    }

    fn candidate(&self, left: u32, right: u32, distance: u32) -> Option<CandidatePair> {
        if self.left.is_constant(to_index(left)) || self.right.is_constant(to_index(right)) {
            return None;
        }
        let ones = self.left.matrix().ones(to_index(left)) + self.right.matrix().ones(to_index(right));
        Some(CandidatePair {
            left,
            right,
            similarity: self.search.cut().similarity(distance, ones)?,
        })
    }
}

/// Fewer records than this of either side are compared where they lie: to copy them side by side would not pay.
const LEAST_ROWS_GATHERED: usize = 8;
/// Records of each side copied at a time, at most: a few megabytes a thread.
const MOST_ROWS_GATHERED: usize = 1 << 13;
/// Pairs found again in other tables that a tile holds before it drops them, about.
const MOST_REPEATED: usize = 1 << 18;

/// Each pair once, by left record, then right.
fn keep_once(candidates: &mut Vec<CandidatePair>) {
    candidates.sort_unstable_by_key(|pair| (pair.left, pair.right));
    candidates.dedup_by_key(|pair| (pair.left, pair.right));
}

/// Keeps of the elements from `start` on those that `is_kept`.
fn retain_from<T: Copy>(elements: &mut Vec<T>, start: usize, is_kept: impl Fn(&T) -> bool) {
    let mut kept = start;
    for position in start..elements.len() {
        if is_kept(&elements[position]) {
            elements[kept] = elements[position];
            kept += 1;
        }
    }
    elements.truncate(kept);
}

pub(crate) fn to_cut(side: &LinkSide<'_>, measure: Measure, floor: Threshold) -> Cut {
    Cut::new(
        to_kernel(measure),
        side.matrix().words_per_filter(),
        floor.numerator(),
        Threshold::DENOMINATOR,
    )
}

pub(crate) fn to_index(record: u32) -> usize {
    usize::try_from(record).expect("an index of a matrix")
}

pub(crate) fn to_record(row: usize) -> u32 {
    u32::try_from(row).expect("a matrix has at most 2^32 - 1 records")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::blocks::BlockJoin;
    use corridor_core::{BlockColumn, BlockKey, Entropy, FilterLen, Filters, Pseudonym, SeededEntropy};

    /// Filters of which many are alike, and a block key in each of two passes that is mostly that of the filter.
    fn side(records: u8, seed: u64) -> (Filters, Vec<Pseudonym>, Vec<BlockColumn>) {
        let people: &mut dyn Entropy = &mut SeededEntropy::new(1, "people");
        let patterns: Vec<[u64; 2]> = (0..20).map(|_| [people.next_u64(), people.next_u64()]).collect();
        let entropy: &mut dyn Entropy = &mut SeededEntropy::new(seed, "records");
        let mut filters = Filters::with_capacity(FilterLen::try_from(128).unwrap(), 0);
        let mut columns = ["one", "two"].map(|pass| BlockColumn {
            pass: pass.to_owned(),
            keys: Vec::new(),
        });
        for _ in 0..records {
            let person = usize::try_from(entropy.next_u64() % 20).unwrap();
            let noise = entropy.next_u64() & entropy.next_u64() & entropy.next_u64();
            filters.push(&[patterns[person][0] ^ noise, patterns[person][1]]);
            for column in &mut columns {
                let draw = entropy.next_u64();
                let bits = if draw.is_multiple_of(4) {
                    draw >> 8
                } else {
                    patterns[person][0]
                };
                let hash = (u128::from(bits) << 64).to_be_bytes();
                let key = BlockKey::new(hash, if draw.is_multiple_of(3) { 2 } else { 8 });
                column.keys.push((!draw.is_multiple_of(11)).then_some(key));
            }
        }
        let persons = (0..records)
            .map(|record| Pseudonym::from_bytes([record; 16]))
            .collect();
        (filters, persons, columns.into())
    }

    #[test]
    fn blocks_give_the_pairs_of_the_whole_that_share_one_and_each_once() {
        let (left_filters, left_persons, left_blocks) = side(200, 1);
        let (right_filters, right_persons, right_blocks) = side(230, 2);
        let left = LinkSide::from_parts(&left_filters, &left_persons).unwrap();
        let right = LinkSide::from_parts(&right_filters, &right_persons).unwrap();
        let blocks = Blocks::of_columns(&left_blocks, &right_blocks, BlockJoin::Plain).unwrap();
        for measure in [Measure::Dice, Measure::Rho] {
            let floor = "0.5".parse().unwrap();
            let whole = Comparison::new(&left, &right, measure, floor);
            let expected: Vec<CandidatePair> = plan_tiles(left.len(), right.len())
                .iter()
                .flat_map(|tile| whole.compare(tile))
                .filter(|pair| blocks.meet(pair.left, pair.right))
                .collect();
            let in_blocks = Comparison::in_blocks(&left, &right, measure, floor, &blocks);
            let mut found: Vec<CandidatePair> = blocks
                .plan_tiles()
                .iter()
                .flat_map(|tile| in_blocks.compare(tile))
                .collect();
            found.sort_by_key(|pair| (pair.left, pair.right));
            assert!(expected.len() > 500, "{} pairs", expected.len());
            assert_eq!(found, expected);
            let distinct: BTreeSet<_> = found.iter().map(|pair| (pair.left, pair.right)).collect();
            assert_eq!(distinct.len(), found.len());
        }
    }

    #[test]
    fn records_that_are_all_alike_are_given_up_soon_after_the_budget() {
        // The rows of a tile with all of the right are several sweeps, and a piece of a larger block is as many.
        let (few, records) = (50_000_usize, 200_000_usize);
        let mut filters = Filters::with_capacity(FilterLen::try_from(64).unwrap(), records);
        (0..few).for_each(|_| filters.push(&[0xff00]));
        let few_filters = filters.clone();
        (few..records).for_each(|_| filters.push(&[0xff00]));
        let persons: Vec<Pseudonym> = (0..records)
            .map(|record| Pseudonym::from_bytes(u128::try_from(record).unwrap().to_be_bytes()))
            .collect();
        let side = LinkSide::from_parts(&filters, &persons).unwrap();
        let few_side = LinkSide::from_parts(&few_filters, &persons[..few]).unwrap();
        let columns = [BlockColumn {
            pass: "all".to_owned(),
            keys: vec![Some(BlockKey::new([0; 16], 8)); records],
        }];
        let blocks = Blocks::of_columns(&columns, &columns, BlockJoin::Plain).unwrap();
        let floor = "0.9".parse().unwrap();
        let whole = Comparison::new(&few_side, &few_side, Measure::Dice, floor);
        let in_blocks = Comparison::in_blocks(&side, &side, Measure::Dice, floor, &blocks);
        for (comparison, tile, expected) in [
            (&whole, &plan_tiles(few, few)[0], 128 * few),
            (&in_blocks, &blocks.plan_tiles()[0], 16 * records),
        ] {
            let budget = CandidateBudget::new(1000, 0);
            assert_eq!(comparison.compare_within(tile, &budget), None);
            assert!(budget.is_passed());
            assert!(
                budget.kept() <= 1000 + 2 * u64::try_from(PAIRS_PER_SWEEP).unwrap(),
                "{} pairs were found before it was given up",
                budget.kept()
            );
            let enough = CandidateBudget::new(u64::MAX, 0);
            let pairs = comparison.compare_within(tile, &enough).unwrap();
            assert_eq!(pairs.len(), expected);
            assert!(pairs.is_sorted_by_key(|pair| (pair.left, pair.right)));
        }
    }

    #[test]
    fn filters_that_say_nothing_are_found_with_nobody() {
        let (mut filters, mut persons, _) = side(20, 5);
        let words = filters.filter_len().to_words();
        for filled in [0, u64::MAX] {
            filters.push(&vec![filled; words]);
            persons.push(Pseudonym::from_bytes(
                filled.to_be_bytes().repeat(2).try_into().unwrap(),
            ));
        }
        let left = LinkSide::from_parts(&filters, &persons).unwrap();
        let right = LinkSide::from_parts(&filters, &persons).unwrap();
        assert_eq!(left.constant_count(), 2);
        for measure in [Measure::Dice, Measure::Rho] {
            let comparison = Comparison::new(&left, &right, measure, "0.9".parse().unwrap());
            let tiles = plan_tiles(left.len(), right.len());
            let pairs: Vec<CandidatePair> = tiles.iter().flat_map(|tile| comparison.compare(tile)).collect();
            // Nor are they strangers that others could be taken for.
            let entropy: &mut dyn Entropy = &mut SeededEntropy::new(1, "strangers");
            let strangers = crate::null::NullDistribution::sample(&left, &right, measure, entropy).unwrap();
            assert_eq!(strangers.pair_count(), 2 * 20 * 19, "{measure:?}");
            // Each of the others finds itself.
            assert!((0..20).all(|row| pairs.iter().any(|pair| (pair.left, pair.right) == (row, row))));
            assert!(
                pairs.iter().all(|pair| pair.left < 20 && pair.right < 20),
                "{measure:?}"
            );
        }
    }

    #[test]
    fn what_blocks_miss_is_what_a_look_at_every_pair_finds() {
        let (left_filters, left_persons, left_blocks) = side(200, 3);
        let (right_filters, right_persons, right_blocks) = side(60, 4);
        let left = LinkSide::from_parts(&left_filters, &left_persons).unwrap();
        let right = LinkSide::from_parts(&right_filters, &right_persons).unwrap();
        let blocks = Blocks::of_columns(&left_blocks, &right_blocks, BlockJoin::Plain).unwrap();
        let threshold = "0.86".parse().unwrap();
        let whole = Comparison::new(&left, &right, Measure::Dice, threshold);
        let pairs: Vec<CandidatePair> = plan_tiles(left.len(), right.len())
            .iter()
            .flat_map(|tile| whole.compare(tile))
            .collect();
        let (mut with_partner, mut in_a_block, mut taken) = (0, 0, 0);
        for row in 0..200 {
            let of_row: Vec<&CandidatePair> = pairs.iter().filter(|pair| pair.left == row).collect();
            let Some(best) = of_row.iter().map(|pair| pair.similarity).max_by(f64::total_cmp) else {
                continue;
            };
            // Of several as alike one that shares a block, and of these the first.
            let best_ones = || of_row.iter().filter(|pair| pair.similarity >= best);
            let meeting = best_ones().find(|pair| blocks.meet(row, pair.right));
            let partner = meeting.or_else(|| best_ones().next()).unwrap().right;
            let is_nearer = |pair: &CandidatePair| pair.right == partner && pair.similarity > best;
            if pairs.iter().any(is_nearer) {
                taken += 1;
                continue;
            }
            with_partner += 1;
            in_a_block += u64::from(meeting.is_some());
        }
        assert!(taken > 5, "some find who has a match of his own: {taken}");
        let loss = BlockingLoss::measure(
            &left,
            &right,
            Measure::Dice,
            crate::PartnerLevel {
                threshold,
                fields: None,
                sure: None,
            },
            &|l, r| blocks.meet(l, r),
            1,
        )
        .unwrap();
        assert_eq!(loss.records_sampled, 200);
        assert_eq!((loss.with_partner, loss.in_a_block), (with_partner, in_a_block));
        assert!(in_a_block < with_partner && with_partner < 200, "{loss:?}");
    }
}
