//! Keyed block keys: what lets the linkage unit compare only records that share something, in several passes.
//!
//! A block key is HMAC(K_block, pass ‖ value) cut to 16 bytes: records of one value share it, and nobody without the key can
//! compute it. How many records share a key is seen by the linkage unit, so a block of few people would tell. Blocks
//! below the agreed size are merged before anything leaves the office: keys are spread evenly, so each office cuts its own to the
//! longest beginning that enough of its records share, and the linkage unit compares two blocks where one key begins with the other.
//! That needs no word between the offices.

use std::io;

use corridor_core::BlockKey;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use crate::key::{KeyUse, KeyedHash, LinkageKey};
use crate::normalise;
use crate::record::Record;
use crate::spool::Spool;

/// What the records of a block share. Several passes, so that one error does not lose a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockPass {
    /// Year of birth and sex.
    BirthYearSex,
    /// Consonant skeleton of the first family name, and decade of birth.
    FamilyKeyDecade,
    /// Month and day of birth, and consonant skeleton of the first given name.
    MonthDayGivenKey,
    /// Consonant skeletons of the first given and the first family name, in either order.
    NameKeyPair,
    /// Year of birth; records without one are a block of their own.
    BirthYear,
}

impl BlockPass {
    /// Every pass.
    pub const ALL: [Self; 5] = [
        Self::BirthYearSex,
        Self::FamilyKeyDecade,
        Self::MonthDayGivenKey,
        Self::NameKeyPair,
        Self::BirthYear,
    ];

    /// The name in schemas, and of the dataset's column after `block_`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BirthYearSex => "birth_year_sex",
            Self::FamilyKeyDecade => "family_key_decade",
            Self::MonthDayGivenKey => "month_day_given_key",
            Self::NameKeyPair => "name_key_pair",
            Self::BirthYear => "birth_year",
        }
    }

    /// What a record has in this pass; `None` when part of it is not known.
    fn value(self, record: &Record, given: Option<&str>, family: Option<&str>) -> Option<String> {
        let birth = record.birth;
        match self {
            Self::BirthYearSex => {
                let sex = crate::fields::sex_token(record.sex)?;
                Some(format!("{:04}|{sex}", birth.year?))
            }
            Self::FamilyKeyDecade => Some(format!("{}|{:03}", family?, birth.year?.div_euclid(10))),
            Self::MonthDayGivenKey => {
                let (month, day) = birth.month_day?;
                Some(format!("{month:02}{day:02}|{}", given?))
            }
            Self::NameKeyPair => {
                let (given, family) = (given?, family?);
                Some(format!("{}|{}", given.min(family), given.max(family)))
            }
            Self::BirthYear => Some(
                birth
                    .year
                    .map_or_else(|| "none".to_owned(), |year| format!("{year:04}")),
            ),
        }
    }
}

/// Which block keys a schema asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blocking {
    /// Records a block has at least, 2 to 1,000; smaller ones are merged.
    pub minimum_size: u32,
    /// The passes, each once.
    pub passes: Vec<BlockPass>,
}

impl Blocking {
    /// What goes with keys that the birth year chooses: only people of one year resemble each other.
    pub(crate) fn by_birth_year() -> Self {
        Self {
            minimum_size: 10,
            passes: vec![BlockPass::BirthYear],
        }
    }
}

/// A block key before blocks are merged.
pub(crate) type RawKey = u128;

/// Computes the block keys of records, remembering the keys of names met before.
pub(crate) struct BlockKeyer<'a> {
    passes: &'a [BlockPass],
    hashes: Vec<KeyedHash>,
    first_keys: HashMap<String, Option<String>>,
}

/// Names remembered at most.
const CACHED_NAMES: usize = 1 << 16;

impl<'a> BlockKeyer<'a> {
    pub(crate) fn new(blocking: Option<&'a Blocking>, key: &LinkageKey) -> Self {
        let passes = blocking.map_or(&[][..], |blocking| &blocking.passes);
        Self {
            passes,
            hashes: passes
                .iter()
                .map(|pass| KeyedHash::new(&key.derive(KeyUse::Block, pass.as_str(), "")))
                .collect(),
            first_keys: HashMap::new(),
        }
    }

    /// Appends the key of each pass to `keys`.
    pub(crate) fn keys_of(&mut self, record: &Record, keys: &mut Vec<Option<RawKey>>) {
        if self.passes.is_empty() {
            return;
        }
        if self.first_keys.len() >= CACHED_NAMES {
            self.wipe();
        }
        let given = self.first_key(&record.given_names);
        let family = self.first_key(&record.family_names);
        for (pass, hash) in self.passes.iter().zip(&self.hashes) {
            let value = pass.value(record, given.as_deref(), family.as_deref());
            keys.push(value.map(|mut value| {
                let tag = hash.tag(value.as_bytes());
                value.zeroize();
                RawKey::from_be_bytes(tag[..16].try_into().expect("half of 32 bytes"))
            }));
        }
    }

    /// Skeleton of the first word of a text.
    fn first_key(&mut self, text: &str) -> Option<String> {
        if let Some(key) = self.first_keys.get(text) {
            return key.clone();
        }
        let key = normalise::words(text)
            .first()
            .map(|word| normalise::skeleton(word));
        self.first_keys.insert(text.to_owned(), key.clone());
        key
    }

    fn wipe(&mut self) {
        for (mut text, mut key) in self.first_keys.drain() {
            text.zeroize();
            key.zeroize();
        }
    }
}

impl Drop for BlockKeyer<'_> {
    fn drop(&mut self) {
        self.wipe();
    }
}

/// Blocks of one pass in the making: the keys of all records, which memory need not hold.
pub(crate) struct BlockCounts {
    keys: Spool,
    /// Records by the first byte of their key.
    by_first_byte: [u64; 256],
    without: u64,
}

impl BlockCounts {
    pub(crate) const fn new(keys: Spool) -> Self {
        Self {
            keys,
            by_first_byte: [0; 256],
            without: 0,
        }
    }

    pub(crate) fn add(&mut self, key: Option<RawKey>) -> io::Result<()> {
        let Some(key) = key else {
            self.without += 1;
            return Ok(());
        };
        let bytes = key.to_be_bytes();
        self.by_first_byte[usize::from(bytes[0])] += 1;
        self.keys.push(&bytes)
    }

    /// Merges blocks until each has `minimum_size` records; none is left when all together have fewer.
    pub(crate) fn merge(self, minimum_size: u32) -> io::Result<Blocks> {
        let minimum = u64::from(minimum_size);
        let total: u64 = self.by_first_byte.iter().sum();
        let mut blocks = Blocks {
            without: self.without,
            leaves: Leaves::default(),
        };
        if total < minimum {
            blocks.without += total;
            return Ok(blocks);
        }
        let mut groups = Vec::new();
        group(&self.by_first_byte, 0, total, 0, minimum, &mut groups);
        let mut groups = groups.into_iter().peekable();
        let mut keys: Vec<(RawKey, u64)> = Vec::new();
        self.keys.drain(|rows| -> io::Result<()> {
            for same_byte in rows.chunk_by(|a, b| a[0] == b[0]) {
                let Some(first) = groups.next_if(|group| group.first_byte <= same_byte[0][0]) else {
                    // The block began with an earlier byte.
                    continue;
                };
                keys.clear();
                for row in same_byte {
                    let key = RawKey::from_be_bytes((*row).try_into().expect("sixteen bytes"));
                    match keys.last_mut() {
                        Some((last, count)) if *last == key => *count += 1,
                        _ => keys.push((key, 1)),
                    }
                }
                match first.depth {
                    Some(depth) => blocks.leaves.push(keys[0].0, depth, first.total),
                    None => split(&keys, first.total, 8, minimum, &mut blocks.leaves),
                }
            }
            Ok(())
        })?;
        Ok(blocks)
    }
}

/// Keys that share a beginning of at most a byte.
struct Group {
    /// The first byte of the first of them, and of all where the group is to be split further.
    first_byte: u8,
    /// How many bits they share, when they are one block; `None` when they share the first byte and are to be split.
    depth: Option<u8>,
    total: u64,
}

/// Appends the groups of the keys whose first byte begins as `prefix` does in its first `depth` bits.
fn group(totals: &[u64; 256], prefix: u8, total: u64, depth: u8, minimum: u64, groups: &mut Vec<Group>) {
    let mut held = (0..=u8::MAX).filter(|&byte| {
        let differs = u32::from(byte ^ prefix)
            .checked_shr(8 - u32::from(depth))
            .unwrap_or(0);
        differs == 0 && totals[usize::from(byte)] > 0
    });
    let first_byte = held.next().expect("only groups with records are split");
    let Some(last_byte) = held.next_back() else {
        return groups.push(Group {
            first_byte,
            depth: None,
            total,
        });
    };
    // The first bit in which two of the keys differ.
    let depth = u8::try_from((first_byte ^ last_byte).leading_zeros()).expect("at most eight");
    let bit = 1 << (7 - depth);
    let zeros_total: u64 = (first_byte..=last_byte)
        .filter(|byte| byte & bit == 0)
        .map(|byte| totals[usize::from(byte)])
        .sum();
    let ones_total = total - zeros_total;
    if zeros_total < minimum || ones_total < minimum {
        return groups.push(Group {
            first_byte,
            depth: Some(depth),
            total,
        });
    }
    group(totals, first_byte, zeros_total, depth + 1, minimum, groups);
    group(totals, last_byte, ones_total, depth + 1, minimum, groups);
}

/// Appends the blocks of `keys`, sorted, which share their first `depth` bits and have `total` records.
fn split(keys: &[(RawKey, u64)], total: u64, depth: u8, minimum: u64, leaves: &mut Leaves) {
    let mut depth = depth;
    if let [(key, _)] = keys {
        return leaves.push(*key, BlockKey::MAX_BITS, total);
    }
    loop {
        let bit = 1 << (127 - depth);
        let middle = keys.partition_point(|(key, _)| key & bit == 0);
        if middle == 0 || middle == keys.len() {
            depth += 1;
            continue;
        }
        let (zeros, ones) = keys.split_at(middle);
        let zeros_total: u64 = zeros.iter().map(|(_, count)| count).sum();
        let ones_total = total - zeros_total;
        if zeros_total < minimum || ones_total < minimum {
            return leaves.push(keys[0].0, depth, total);
        }
        split(zeros, zeros_total, depth + 1, minimum, leaves);
        return split(ones, ones_total, depth + 1, minimum, leaves);
    }
}

/// Blocks after merging, in the order of their keys.
#[derive(Default)]
struct Leaves {
    /// First raw key each can hold.
    firsts: Vec<RawKey>,
    /// How many bits its keys share.
    bits: Vec<u8>,
    counts: Vec<u64>,
}

impl Leaves {
    fn push(&mut self, key: RawKey, bits: u8, count: u64) {
        let block = BlockKey::new(key.to_be_bytes(), bits);
        self.firsts.push(RawKey::from_be_bytes(*block.as_prefix()));
        self.bits.push(bits);
        self.counts.push(count);
    }

    fn key(&self, position: usize) -> BlockKey {
        BlockKey::new(self.firsts[position].to_be_bytes(), self.bits[position])
    }
}

/// The blocks of one pass, merged.
pub(crate) struct Blocks {
    leaves: Leaves,
    without: u64,
}

impl Blocks {
    /// The key under which a record leaves the office.
    pub(crate) fn publish(&self, key: Option<RawKey>) -> Option<BlockKey> {
        let key = key?;
        let after = self.leaves.firsts.partition_point(|first| *first <= key);
        Some(self.leaves.key(after.checked_sub(1)?))
    }

    #[expect(clippy::cast_precision_loss, reason = "a count for people to read")]
    pub(crate) fn report(&self, pass: BlockPass) -> BlockReport {
        let mut sizes = self.leaves.counts.clone();
        sizes.sort_unstable();
        let keyed: u64 = sizes.iter().sum();
        let same_block: f64 = sizes.iter().map(|&size| size as f64 * size as f64).sum();
        BlockReport {
            pass,
            records: keyed,
            records_without_key: self.without,
            blocks: u64::try_from(sizes.len()).expect("a length fits"),
            smallest: sizes.first().copied().unwrap_or(0),
            median: sizes.get(sizes.len() / 2).copied().unwrap_or(0),
            largest: sizes.last().copied().unwrap_or(0),
            same_block_share: if keyed == 0 {
                0.0
            } else {
                same_block / (keyed as f64 * keyed as f64)
            },
        }
    }
}

/// How records fall into the blocks of one pass: what the linkage unit will see.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BlockReport {
    /// The pass.
    pub pass: BlockPass,
    /// Records with a key.
    pub records: u64,
    /// Records without: part of the value is not known, or all together are fewer than a block.
    pub records_without_key: u64,
    /// Blocks after merging.
    pub blocks: u64,
    /// Records of the smallest block.
    pub smallest: u64,
    /// Records of the median block.
    pub median: u64,
    /// Records of the largest block.
    pub largest: u64,
    /// Probability that two of the records are in one block: the share of pairs that is left to compare.
    pub same_block_share: f64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::Scratch;
    use proptest::prelude::*;

    fn of_keys(counts: impl Iterator<Item = (RawKey, u64)>, minimum: u32) -> Blocks {
        let mut blocks = BlockCounts::new(Scratch::in_memory().spool(0, 1));
        for (key, count) in counts {
            for _ in 0..count {
                blocks.add(Some(key)).unwrap();
            }
        }
        blocks.merge(minimum).unwrap()
    }

    fn merged(counts: &[(u8, u64)], minimum: u32) -> Blocks {
        let raw = |first_byte: u8| RawKey::from(first_byte) << 120 | 7;
        of_keys(counts.iter().map(|&(byte, count)| (raw(byte), count)), minimum)
    }

    #[test]
    fn small_blocks_are_merged_and_large_ones_stay() {
        // 0b0000…, 0b0001…: together; 0b1… alone.
        let blocks = merged(&[(0b0000_0000, 3), (0b0001_0000, 2), (0b1000_0000, 5)], 5);
        let of = |first_byte: u8| blocks.publish(Some(RawKey::from(first_byte) << 120 | 7)).unwrap();
        assert_eq!(of(0), of(0b0001_0000));
        assert_eq!(of(0).bits(), 3);
        assert_eq!(of(0b1000_0000).bits(), 128);
        assert!(!of(0).meets(&of(0b1000_0000)));
        let other_office = BlockKey::new((RawKey::from(0b0001_0000_u8) << 120 | 7).to_be_bytes(), 128);
        assert!(of(0).meets(&other_office) && other_office.meets(&of(0)));
        let report = blocks.report(BlockPass::BirthYearSex);
        assert_eq!((report.blocks, report.smallest, report.largest), (2, 5, 5));
        assert!((report.same_block_share - 0.5).abs() < 1e-12);
    }

    #[test]
    fn fewer_records_than_a_block_have_no_key() {
        let blocks = merged(&[(1, 4)], 5);
        assert_eq!(blocks.publish(Some(7)), None);
        assert_eq!(blocks.report(BlockPass::BirthYearSex).records_without_key, 4);
    }

    proptest! {
        #[test]
        fn no_block_is_small_and_no_record_is_lost(
            counts in prop::collection::vec((any::<u8>(), 1_u64..20), 1..60),
            minimum in 2_u32..30,
        ) {
            let total: u64 = counts.iter().map(|(_, count)| count).sum();
            let blocks = merged(&counts, minimum);
            if total < u64::from(minimum) {
                prop_assert!(blocks.leaves.counts.is_empty());
                return Ok(());
            }
            prop_assert!(blocks.leaves.counts.iter().all(|count| *count >= u64::from(minimum)));
            prop_assert_eq!(blocks.leaves.counts.iter().sum::<u64>(), total);
            for &(first_byte, _) in &counts {
                let raw = RawKey::from(first_byte) << 120 | 7;
                let key = blocks.publish(Some(raw)).unwrap();
                prop_assert!(key.meets(&BlockKey::new(raw.to_be_bytes(), 128)));
            }
            let keys: Vec<BlockKey> = (0..blocks.leaves.bits.len()).map(|at| blocks.leaves.key(at)).collect();
            for (position, key) in keys.iter().enumerate() {
                for other in &keys[..position] {
                    prop_assert!(!key.meets(other), "blocks of one office are apart");
                }
            }
        }

        /// The merging by first bytes is that of the keys, whatever lies in them.
        #[test]
        fn merging_does_not_depend_on_where_bytes_end(
            counts in prop::collection::btree_map(any::<u16>(), 1_u64..6, 1..80),
            shift in 0_u32..20,
            minimum in 2_u32..30,
        ) {
            let keys: Vec<(RawKey, u64)> =
                counts.iter().map(|(&key, &count)| (RawKey::from(key) << (112 - shift), count)).collect();
            let blocks = of_keys(keys.iter().copied(), minimum);
            let total: u64 = counts.values().sum();
            let mut whole = Leaves::default();
            if total >= u64::from(minimum) {
                split(&keys, total, 0, u64::from(minimum), &mut whole);
            }
            prop_assert_eq!(&blocks.leaves.firsts, &whole.firsts);
            prop_assert_eq!(&blocks.leaves.bits, &whole.bits);
            prop_assert_eq!(&blocks.leaves.counts, &whole.counts);
        }
    }
}
