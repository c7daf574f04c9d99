//! Which records of the right have a key: made once for a comparison, in few bytes a record.

use rayon::prelude::*;

use crate::lsh::LshTables;
use crate::side::LinkSide;

/// The right side's records by their keys, table after table.
///
/// A table holds a number and a byte for each record, and a number for every four to eight of them: the keys themselves are
/// nowhere. A bucket is the first bits of a key's hash, the byte of each record the next eight.
#[derive(Debug)]
pub(crate) struct LshIndex {
    tables: Vec<Table>,
    bucket_bits: u32,
}

#[derive(Debug)]
struct Table {
    /// Where each bucket begins, and the end.
    starts: Vec<u32>,
    /// By bucket, then tag, then record.
    records: Vec<u32>,
    tags: Vec<u8>,
}

/// Bits of a hash that a record's tag holds.
const TAG_BITS: u32 = 8;

/// Bits of a hash that name a bucket, for a side of so many records: four to eight of them fall in one.
fn to_bucket_bits(records: usize) -> u32 {
    records.max(1).ilog2().saturating_sub(2).min(32 - TAG_BITS)
}

/// Bits of a hash that are looked at, for a right side of so many records.
pub(crate) fn to_hash_bits(records: usize) -> u32 {
    to_bucket_bits(records) + TAG_BITS
}

impl LshIndex {
    /// Makes the keys of all records, on the current rayon pool.
    pub(crate) fn new(tables: &LshTables, right: &LinkSide<'_>) -> Self {
        let bucket_bits = tables.hash_bits - TAG_BITS;
        Self {
            tables: (0..tables.table_count())
                .into_par_iter()
                .map(|table| Table::new(tables, table, right, bucket_bits))
                .collect(),
            bucket_bits,
        }
    }

    /// Records with this hash of their key, in order.
    pub(crate) fn records(&self, table: usize, hash: u32) -> &[u32] {
        let table = &self.tables[table];
        let (bucket, tag) = split(hash);
        debug_assert!(bucket >> self.bucket_bits == 0, "a hash of these tables");
        let start = |bucket: usize| usize::try_from(table.starts[bucket]).expect("an index of a dataset");
        let bucket = start(bucket)..start(bucket + 1);
        let tags = &table.tags[bucket.clone()];
        let first = bucket.start + tags.partition_point(|other| *other < tag);
        let end = bucket.start + tags.partition_point(|other| *other <= tag);
        &table.records[first..end]
    }
}

impl Table {
    fn new(tables: &LshTables, table: usize, right: &LinkSide<'_>, bucket_bits: u32) -> Self {
        let mut entries: Vec<(u32, u32)> = (0..right.len())
            .zip(0_u32..)
            .filter_map(|(row, record)| Some((tables.hash(table, right, row)?, record)))
            .collect();
        entries.sort_unstable();
        let mut starts = vec![0; (1 << bucket_bits) + 1];
        for (hash, _) in &entries {
            starts[split(*hash).0 + 1] += 1;
        }
        for bucket in 1..starts.len() {
            starts[bucket] += starts[bucket - 1];
        }
        Self {
            starts,
            records: entries.iter().map(|(_, record)| *record).collect(),
            tags: entries.iter().map(|(hash, _)| split(*hash).1).collect(),
        }
    }
}

/// Bucket and tag of a hash.
fn split(hash: u32) -> (usize, u8) {
    let bucket = usize::try_from(hash >> TAG_BITS).expect("at most 24 bits");
    (bucket, hash.to_le_bytes()[0])
}
