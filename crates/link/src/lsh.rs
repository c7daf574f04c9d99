//! Keys of bits drawn from the filters, which similar filters are likely to share.

use corridor_core::{Recall, Threshold};
use rayon::prelude::*;

use crate::side::LinkSide;
use crate::tile::to_index;

/// Hamming LSH on Bloom filters: tables, in each of which a record has a key of a few bits of its filter. Two records are
/// compared where their keys are the same in one table or more (Indyk & Motwani 1998; for Bloom filters of records
/// Karapiperis & Verykios 2015).
///
/// How many tables and bits is worked out of a threshold and a recall: see [`LshTables::derive`]. Only the positions are kept;
/// keys are made from the filters whenever they are needed. A filter without a bit set has no key: it is similar to nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct LshTables {
    pub(crate) threshold: Threshold,
    pub(crate) recall: Recall,
    /// Positions of the bits of a key, table after table; as many in each.
    pub(crate) tables: Vec<Vec<u16>>,
    /// Bits of the hash of a key that are looked at.
    pub(crate) hash_bits: u32,
    pub(crate) expected_pairs: u64,
}

impl LshTables {
    /// Number of tables, L.
    pub const fn table_count(&self) -> usize {
        self.tables.len()
    }

    /// Bits of a key, K. 0 where comparing all pairs is the least work: then there is one table, with one key.
    pub fn key_bits(&self) -> usize {
        self.tables.first().map_or(0, Vec::len)
    }

    /// The threshold they were made for: of the pairs at it, the recall is found.
    pub const fn threshold(&self) -> Threshold {
        self.threshold
    }

    /// The recall they were made for.
    pub const fn recall(&self) -> Recall {
        self.recall
    }

    /// Pairs that were expected to meet, those that meet in several tables in each, when the tables were chosen; nearly all
    /// of them by chance.
    pub const fn expected_pairs(&self) -> u64 {
        self.expected_pairs
    }

    /// Pairs that do meet, those that meet in several tables in each. Makes all keys again, on the current rayon pool.
    ///
    /// # Panics
    /// When a side has filters of another length than those the tables were made for.
    pub fn pair_count(&self, left: &LinkSide<'_>, right: &LinkSide<'_>) -> u64 {
        let sorted = |side: &LinkSide<'_>, table| {
            let mut hashes: Vec<u32> = (0..side.len())
                .filter_map(|row| self.hash(table, side, row))
                .collect();
            hashes.sort_unstable();
            hashes
        };
        (0..self.table_count())
            .into_par_iter()
            .map(|table| count_equal(&sorted(left, table), &sorted(right, table)))
            .sum()
    }

    /// Whether two records meet in any table.
    ///
    /// # Panics
    /// When a record is not there.
    pub fn meet(&self, left: (&LinkSide<'_>, u32), right: (&LinkSide<'_>, u32)) -> bool {
        (0..self.table_count()).any(|table| {
            let hash = |(side, record): (&LinkSide<'_>, u32)| self.hash(table, side, to_index(record));
            hash(left).is_some_and(|hash_left| hash(right) == Some(hash_left))
        })
    }

    /// Whether a record has a key: its filter has a bit set.
    pub fn has_key(side: &LinkSide<'_>, record: usize) -> bool {
        side.matrix().ones(record) > 0
    }

    /// The first bits of a hash of the key of a record, `None` where it has none. The same for equal keys; for others by
    /// chance only, once in 2^`hash_bits`, which costs a comparison and loses nothing.
    pub(crate) fn hash(&self, table: usize, side: &LinkSide<'_>, record: usize) -> Option<u32> {
        if !Self::has_key(side, record) {
            return None;
        }
        let mixed = mix(key_of(side.row(record), &self.tables[table]));
        Some(u32::try_from(mixed >> (64 - self.hash_bits)).expect("at most 32 bits"))
    }
}

/// The bits of a filter at some positions, at most 64 of them; the first is the highest.
pub(crate) fn key_of(filter: &[u64], positions: &[u16]) -> u64 {
    positions.iter().fold(0, |key, &position| {
        key << 1 | (filter[usize::from(position / 64)] >> (position % 64) & 1)
    })
}

/// Spreads keys over 64 bits, one to one (the finaliser of SplitMix64; Steele, Lea & Flood 2014).
const fn mix(key: u64) -> u64 {
    let key = key.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let key = (key ^ key >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let key = (key ^ key >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    key ^ key >> 31
}

/// Pairs of equal numbers of two sorted lists.
pub(crate) fn count_equal<T: Ord>(left: &[T], right: &[T]) -> u64 {
    let mut rest = right;
    let mut pairs = 0;
    for run in left.chunk_by(|a, b| a == b) {
        rest = &rest[rest.partition_point(|other| *other < run[0])..];
        let equal = rest.iter().take_while(|other| **other == run[0]).count();
        let product = u64::try_from(run.len()).and_then(|runs| Ok(runs * u64::try_from(equal)?));
        pairs += product.expect("a product of 32-bit counts");
        rest = &rest[equal..];
    }
    pairs
}
