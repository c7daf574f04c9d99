//! Which records are compared where both offices gave block keys.

use std::collections::BTreeSet;
use std::ops::Range;

use corridor_core::{BlockColumn, BlockKey, EncodedDataset, Side};

use crate::semi_join::SemiJoin;
use crate::tile::{PAIRS_PER_TILE, Tile, TileWork};

/// The blocks of two datasets, and what is to be compared in them: a record of the left with a record of the right where,
/// in one pass or more, the block key of one begins with that of the other.
///
/// Each office cuts its keys to where enough of its records share them, so that one block of an office may meet one or
/// many of the other's.
#[derive(Debug)]
pub struct Blocks<'a> {
    passes: Vec<Pass<'a>>,
    pieces: Vec<Piece>,
    /// Records of the left and of the right in the two blocks that make the most pairs.
    largest: (usize, usize),
}

#[derive(Debug)]
struct Pass<'a> {
    name: &'a str,
    left_keys: &'a [Option<BlockKey>],
    right_keys: &'a [Option<BlockKey>],
    /// Records with a key, those of a block together.
    left_order: Vec<u32>,
    right_order: Vec<u32>,
}

/// Records of one block of the left, and all of a block of the right that meets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) pass: usize,
    /// In the order of the pass.
    left: Range<usize>,
    right: Range<usize>,
}

/// Whether the keys of the larger side that meet none of the smaller are dropped before blocks are made of them. The blocks that
/// meet are the same either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockJoin {
    /// All keys of both sides are sorted.
    Plain,
    /// Those that a Bloom filter of the smaller side's keys does not hold go first.
    SemiJoin,
    /// A semi-join where the larger side is several times the smaller one and most of its keys are expected to meet none;
    /// elsewhere it would take longer than it saves.
    WhereItPays,
}

/// A block of one side: its key, and where its records stand in the order of the pass.
struct Block {
    key: BlockKey,
    records: Range<usize>,
}

impl<'a> Blocks<'a> {
    /// The blocks of two datasets, of the passes both have; `None` when they share none, so that all pairs are to be
    /// compared.
    ///
    /// # Panics
    /// When a column has another number of keys than its dataset has records, or there are more of them than a 32-bit index
    /// can name; a dataset that was parsed has been checked.
    pub fn of(left: &'a EncodedDataset, right: &'a EncodedDataset) -> Option<Self> {
        Self::of_columns(&left.blocks, &right.blocks, BlockJoin::WhereItPays)
    }

    /// The blocks of two lists of columns, joined in a given way.
    ///
    /// # Panics
    /// As [`Blocks::of`].
    pub fn of_columns(left: &'a [BlockColumn], right: &'a [BlockColumn], join: BlockJoin) -> Option<Self> {
        let mut blocks = Self {
            passes: Vec::new(),
            pieces: Vec::new(),
            largest: (0, 0),
        };
        for left in left {
            if let Some(right) = right.iter().find(|column| column.pass == left.pass) {
                blocks.add_pass(left, right, join);
            }
        }
        (!blocks.passes.is_empty()).then_some(blocks)
    }

    fn add_pass(&mut self, left: &'a BlockColumn, right: &'a BlockColumn, join: BlockJoin) {
        let ((left_order, left_blocks), (right_order, right_blocks)) = if left.keys.len() < right.keys.len() {
            to_joined(&left.keys, &right.keys, join)
        } else {
            let (right, left) = to_joined(&right.keys, &left.keys, join);
            (left, right)
        };
        let pass = self.passes.len();
        let right_lengths: BTreeSet<u8> = right_blocks.iter().map(|block| block.key.bits()).collect();
        for left in &left_blocks {
            meeting(&left.key, &right_blocks, &right_lengths, |right| {
                self.add_pieces(pass, &left.records, &right.records);
            });
        }
        self.passes.push(Pass {
            name: &left.pass,
            left_keys: &left.keys,
            right_keys: &right.keys,
            left_order,
            right_order,
        });
    }

    /// Two blocks that meet, in as many pieces as keep the work of each small.
    fn add_pieces(&mut self, pass: usize, left: &Range<usize>, right: &Range<usize>) {
        if left.len() * right.len() > self.largest.0 * self.largest.1 {
            self.largest = (left.len(), right.len());
        }
        let rows = (PAIRS_PER_TILE / right.len()).max(LEAST_ROWS);
        for start in left.clone().step_by(rows) {
            self.pieces.push(Piece {
                pass,
                left: start..(start + rows).min(left.end),
                right: right.clone(),
            });
        }
    }

    /// The passes, in their order.
    pub fn passes(&self) -> impl Iterator<Item = &'a str> {
        self.passes.iter().map(|pass| pass.name)
    }

    /// The tiles of the comparison. Depends on the keys only, so that a run that was interrupted finds the same tiles again.
    pub fn plan_tiles(&self) -> Vec<Tile> {
        let mut tiles: Vec<Tile> = Vec::new();
        let (mut start, mut pairs) = (0, 0);
        for (position, piece) in self.pieces.iter().enumerate() {
            pairs += piece.pair_count();
            if pairs >= PAIRS_PER_TILE || position + 1 == self.pieces.len() {
                tiles.push(Tile {
                    index: tiles.len(),
                    work: TileWork::Pieces(start..position + 1),
                });
                (start, pairs) = (position + 1, 0);
            }
        }
        tiles
    }

    /// Pairs that are compared; one that meets in several passes counts in each.
    pub fn pair_count(&self) -> u64 {
        let pairs = |piece: &Piece| u64::try_from(piece.pair_count()).expect("a product of 32-bit counts");
        self.pieces.iter().map(pairs).sum()
    }

    /// Records of the left and of the right in the two blocks of any pass that make the most pairs, which were compared in pieces; none
    /// where no blocks meet.
    pub const fn largest(&self) -> (usize, usize) {
        self.largest
    }

    /// Share of the pairs compared that had met in an earlier pass, from a hundred thousand of them that are spread evenly; 0 where none
    /// are compared.
    #[expect(clippy::cast_precision_loss, reason = "a share of a sample")]
    pub fn repeated_share(&self) -> f64 {
        let every = usize::try_from(self.pair_count() / REPEATED_SAMPLE)
            .unwrap_or(usize::MAX)
            .max(1);
        let (mut sampled, mut repeated) = (0_usize, 0_usize);
        // Of the next pair looked at, its place in the piece under way.
        let mut next = every / 2;
        for piece in &self.pieces {
            let (left_records, right_records) = self.records(piece);
            while next < piece.pair_count() {
                let (left, right) = (
                    left_records[next / right_records.len()],
                    right_records[next % right_records.len()],
                );
                sampled += 1;
                repeated += usize::from(self.meet_before(piece.pass, left, right));
                next += every;
            }
            next -= piece.pair_count();
        }
        repeated as f64 / sampled.max(1) as f64
    }

    /// Records of the left and of the right that are in no block of any pass, and so are compared with nobody.
    pub fn records_in_none(&self) -> (usize, usize) {
        let count = |keys: &[Option<BlockKey>], is_in_none: &dyn Fn(usize) -> bool| {
            (0..keys.len()).filter(|&record| is_in_none(record)).count()
        };
        self.passes.first().map_or((0, 0), |pass| {
            (
                count(pass.left_keys, &|record| self.is_in_none(Side::Origin, record)),
                count(pass.right_keys, &|record| {
                    self.is_in_none(Side::Destination, record)
                }),
            )
        })
    }

    /// Whether a record of a side is in no block of any pass.
    pub fn is_in_none(&self, side: Side, record: usize) -> bool {
        self.passes.iter().all(|pass| {
            let keys = match side {
                Side::Origin => pass.left_keys,
                Side::Destination => pass.right_keys,
            };
            keys[record].is_none()
        })
    }

    /// Whether two records share a block in any pass.
    pub fn meet(&self, left: u32, right: u32) -> bool {
        self.meet_before(self.passes.len(), left, right)
    }

    /// Whether two records share a block in a pass before `pass`: then they were compared there.
    pub(crate) fn meet_before(&self, pass: usize, left: u32, right: u32) -> bool {
        let at = |row: u32| usize::try_from(row).expect("an index of a dataset");
        self.passes[..pass].iter().any(|pass| {
            let keys = pass.left_keys[at(left)].zip(pass.right_keys[at(right)]);
            keys.is_some_and(|(left, right)| left.meets(&right))
        })
    }

    /// Records in all orders together, and in the two largest of a pass.
    pub(crate) fn order_lens(&self) -> (usize, usize) {
        let lens = || {
            self.passes
                .iter()
                .map(|pass| pass.left_order.len() + pass.right_order.len())
        };
        (lens().sum(), lens().max().unwrap_or(0))
    }

    pub(crate) fn all_pieces(&self) -> &[Piece] {
        &self.pieces
    }

    pub(crate) fn pieces(&self, range: &Range<usize>) -> &[Piece] {
        &self.pieces[range.clone()]
    }

    /// Records of the left and of the right of a piece.
    pub(crate) fn records(&self, piece: &Piece) -> (&[u32], &[u32]) {
        let pass = &self.passes[piece.pass];
        (
            &pass.left_order[piece.left.clone()],
            &pass.right_order[piece.right.clone()],
        )
    }
}

/// Pairs looked at to see how many met before.
const REPEATED_SAMPLE: u64 = 100_000;

/// Rows a piece has at least, however large the other block: fewer do not fill the kernel.
const LEAST_ROWS: usize = 16;

impl Piece {
    fn pair_count(&self) -> usize {
        self.left.len() * self.right.len()
    }
}

/// A semi-join pays where the larger side has at least so many times the records of the smaller one, and at most this share of its
/// keys is expected to meet one. Offices cut keys until many records share them: then a few short keys meet nearly all.
const LEAST_RATIO: usize = 4;
const MOST_MEETING: f64 = 0.5;

/// Records with a key in the order of their keys, and the blocks they make.
type OrderedBlocks = (Vec<u32>, Vec<Block>);

/// The blocks of the smaller side, and those of the larger: all of them, or those that may meet one of the smaller side.
fn to_joined(
    smaller: &[Option<BlockKey>],
    larger: &[Option<BlockKey>],
    join: BlockJoin,
) -> (OrderedBlocks, OrderedBlocks) {
    let of_smaller = to_blocks(smaller);
    let is_reduced = match join {
        BlockJoin::Plain => false,
        BlockJoin::SemiJoin => true,
        BlockJoin::WhereItPays => {
            larger.len() >= LEAST_RATIO * smaller.len() && meeting_share(&of_smaller.1) <= MOST_MEETING
        }
    };
    let of_larger = if is_reduced {
        let keys = of_smaller.1.iter().map(|block| block.key);
        SemiJoin::new(keys, &lengths_of(larger))
            .map(|semi_join| to_blocks_of(larger, |key| semi_join.may_meet(key)))
            .unwrap_or_default()
    } else {
        to_blocks(larger)
    };
    (of_smaller, of_larger)
}

/// Share of all hashes that begin with one of the keys of some blocks, if none of them begins with another.
fn meeting_share(blocks: &[Block]) -> f64 {
    let shares = blocks.iter().map(|block| 0.5_f64.powi(block.key.bits().into()));
    shares.sum()
}

/// Lengths of keys, in bits.
fn lengths_of(keys: &[Option<BlockKey>]) -> BTreeSet<u8> {
    let mut is_there = [false; 1 + u8::MAX as usize];
    for key in keys.iter().flatten() {
        is_there[usize::from(key.bits())] = true;
    }
    (0..=u8::MAX)
        .filter(|&bits| is_there[usize::from(bits)])
        .collect()
}

fn to_blocks(keys: &[Option<BlockKey>]) -> OrderedBlocks {
    to_blocks_of(keys, |_| true)
}

/// The blocks of the keys that are kept.
fn to_blocks_of(keys: &[Option<BlockKey>], is_kept: impl Fn(&BlockKey) -> bool) -> OrderedBlocks {
    let mut keyed: Vec<(BlockKey, u32)> = keys
        .iter()
        .zip(0_u32..)
        .filter_map(|(key, record)| Some(((*key)?, record)))
        .filter(|(key, _)| is_kept(key))
        .collect();
    keyed.sort_unstable();
    let mut blocks: Vec<Block> = Vec::new();
    for (position, (key, _)) in keyed.iter().enumerate() {
        match blocks.last_mut() {
            Some(block) if block.key == *key => block.records.end = position + 1,
            _ => blocks.push(Block {
                key: *key,
                records: position..position + 1,
            }),
        }
    }
    (keyed.into_iter().map(|(_, record)| record).collect(), blocks)
}

/// Calls `each` with every block of `blocks`, which are in the order of their keys, that meets `key`. `lengths` are those of their keys.
fn meeting(key: &BlockKey, blocks: &[Block], lengths: &BTreeSet<u8>, mut each: impl FnMut(&Block)) {
    // Shorter keys: at most one of each length.
    for &bits in lengths.range(..key.bits()) {
        let shorter = BlockKey::new(*key.as_prefix(), bits);
        if let Ok(found) = blocks.binary_search_by(|block| block.key.cmp(&shorter)) {
            each(&blocks[found]);
        }
    }
    // Its own and longer ones lie between its bits followed by zeros and by ones; a shorter one may lie there, too.
    let prefix = |key: &BlockKey| u128::from_be_bytes(*key.as_prefix());
    let start = prefix(key);
    let end = start | u128::MAX.checked_shr(key.bits().into()).unwrap_or(0);
    let first = blocks.partition_point(|block| prefix(&block.key) < start);
    blocks[first..]
        .iter()
        .take_while(|block| prefix(&block.key) <= end)
        .filter(|block| block.key.bits() >= key.bits())
        .for_each(each);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn column(keys: &[Option<(u8, u8)>]) -> Vec<Option<BlockKey>> {
        keys.iter()
            .map(|key| {
                let (first_byte, bits) = (*key)?;
                let mut hash = [0; 16];
                hash[0] = first_byte;
                Some(BlockKey::new(hash, bits))
            })
            .collect()
    }

    fn columns(passes: &[Vec<Option<(u8, u8)>>]) -> Vec<BlockColumn> {
        passes
            .iter()
            .zip(["one", "two", "three"])
            .map(|(keys, pass)| BlockColumn {
                pass: pass.to_owned(),
                keys: column(keys),
            })
            .collect()
    }

    /// Keys of few bits, so that many meet, and one may begin another of its own side.
    fn keys(records: usize) -> impl Strategy<Value = Vec<Option<(u8, u8)>>> {
        let key = prop::option::weighted(0.8, (any::<u8>(), 0_u8..9));
        prop::collection::vec(key, records)
    }

    proptest! {
        #[test]
        fn every_pair_that_meets_is_in_one_piece_of_each_pass_it_meets_in(
            left in prop::collection::vec(keys(23), 3),
            right in prop::collection::vec(keys(31), 3),
        ) {
            let (left, right) = (columns(&left), columns(&right));
            let blocks = Blocks::of_columns(&left, &right, BlockJoin::Plain).unwrap();
            let mut met = vec![vec![0; 31]; 23];
            for piece in &blocks.pieces {
                let (left_records, right_records) = blocks.records(piece);
                for &l in left_records {
                    for &r in right_records {
                        met[l as usize][r as usize] += 1;
                    }
                }
            }
            let mut pairs = 0;
            for (l, row) in met.iter().enumerate() {
                for (r, &count) in row.iter().enumerate() {
                    let expected = (0..3)
                        .filter(|&pass| {
                            let keys = left[pass].keys[l].zip(right[pass].keys[r]);
                            keys.is_some_and(|(left, right)| left.meets(&right))
                        })
                        .count();
                    prop_assert_eq!(count, expected, "records {} and {}", l, r);
                    prop_assert_eq!(blocks.meet(l as u32, r as u32), expected > 0);
                    pairs += count as u64;
                }
            }
            prop_assert_eq!(blocks.pair_count(), pairs);
            // So few that all are looked at.
            let distinct = met.iter().flatten().filter(|count| **count > 0).count();
            let repeated = pairs as f64 - distinct as f64;
            prop_assert!((blocks.repeated_share() * pairs as f64 - repeated).abs() < 1e-6);
            let tiles = blocks.plan_tiles();
            let covered: usize = tiles
                .iter()
                .map(|tile| match &tile.work {
                    TileWork::Pieces(range) => range.len(),
                    TileWork::Rows(_) | TileWork::Neighbours(_) => 0,
                })
                .sum();
            prop_assert_eq!(covered, blocks.pieces.len());
        }
    }

    #[test]
    fn a_large_block_is_cut_into_pieces_and_none_is_lost() {
        let left = columns(&[vec![Some((0, 8)); 5000]]);
        let right = columns(&[vec![Some((0, 4)); 3000]]);
        let blocks = Blocks::of_columns(&left, &right, BlockJoin::Plain).unwrap();
        assert_eq!(blocks.pair_count(), 15_000_000);
        assert!(blocks.pieces.len() > 6, "{} pieces", blocks.pieces.len());
        assert!(blocks.plan_tiles().len() > 3);
        assert_eq!(blocks.largest(), (5000, 3000));
        assert!(blocks.repeated_share().abs() < f64::EPSILON);
    }

    #[test]
    fn keys_that_meet_nothing_go_where_many_do_not() {
        let whole = |first: u128, records: u128| {
            let keys = (first..first + records).map(|person| Some(BlockKey::new(person.to_be_bytes(), 128)));
            vec![BlockColumn {
                pass: "one".to_owned(),
                keys: keys.collect(),
            }]
        };
        let ordered = |left: &[BlockColumn], right: &[BlockColumn], join| {
            let blocks = Blocks::of_columns(left, right, join).unwrap();
            assert_eq!(blocks.pair_count(), 50);
            (
                blocks.passes[0].left_order.len(),
                blocks.passes[0].right_order.len(),
            )
        };
        let (few, many) = (whole(950, 100), whole(0, 1000));
        assert_eq!(ordered(&few, &many, BlockJoin::Plain), (100, 1000));
        for join in [BlockJoin::SemiJoin, BlockJoin::WhereItPays] {
            // Of 950 that meet nothing, one in a hundred stays by mistake.
            let (of_few, of_many) = ordered(&few, &many, join);
            assert!(of_few == 100 && (50..80).contains(&of_many), "{of_many}");
            let (of_many, of_few) = ordered(&many, &few, join);
            assert!(of_few == 100 && (50..80).contains(&of_many), "{of_many}");
        }
        // Half of the keys of one bit meets half of all others.
        assert!(
            (meeting_share(&to_blocks(&column(&[Some((0, 1)), Some((0xff, 2))])).1) - 0.75).abs() < 1e-12
        );
    }

    #[test]
    fn datasets_without_a_common_pass_have_no_blocks() {
        let left = columns(&[vec![Some((0, 8))]]);
        assert!(Blocks::of_columns(&left, &[], BlockJoin::Plain).is_none());
        let mut other = columns(&[vec![Some((0, 8))]]);
        other[0].pass = "other".to_owned();
        assert!(Blocks::of_columns(&left, &other, BlockJoin::Plain).is_none());
    }

    #[test]
    fn records_in_no_block_are_counted() {
        let left = columns(&[vec![None, Some((0, 1)), None], vec![None, None, Some((0, 1))]]);
        let right = columns(&[vec![Some((0, 1))], vec![None]]);
        let blocks = Blocks::of_columns(&left, &right, BlockJoin::Plain).unwrap();
        assert_eq!(blocks.records_in_none(), (1, 0));
    }
}
