//! What linking takes in memory, from how the code of this crate holds things. A change of what is held changes a line here.

use corridor_core::{Assignment, BlockKey};

use crate::blocks::Blocks;
use crate::pairs::PersonPair;
use crate::sorter::CandidateMemory;
use crate::tile::{CandidatePair, right_per_sweep, rows_per_tile};

/// What the memory of linking follows from.
#[derive(Debug, Clone, Copy)]
pub struct LinkSizes {
    /// Records of the left and of the right.
    pub records: [u64; 2],
    /// Persons of the left and of the right.
    pub persons: [u64; 2],
    /// Bytes of one filter.
    pub filter_bytes: u64,
    /// Whether the threshold is estimated.
    pub estimates: bool,
    /// How links are assigned.
    pub assignment: Assignment,
    /// What blocks take, where records are compared in blocks.
    pub blocks: Option<BlockSizes>,
    /// Candidate pairs.
    pub candidates: u64,
    /// Of them, those held in memory at a time.
    pub candidates_in_memory: u64,
    /// Number of fields, where fields decide.
    pub fields: Option<u64>,
    /// Tables of keys of bits; 0 where there are none.
    pub lsh_tables: u64,
    /// Fields whose values are weighed by frequency.
    pub weighed: u64,
    /// Threads that compare.
    pub threads: u64,
}

/// What the blocks of two datasets take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockSizes {
    /// Bytes held.
    pub held: u64,
    /// Bytes more while they are made.
    pub making: u64,
    /// Records of both sides that one piece copies at most.
    pub gathered: u64,
}

impl Blocks<'_> {
    /// What they take in memory.
    pub fn sizes(&self) -> BlockSizes {
        let (orders, largest) = self.order_lens();
        let pieces = self.all_pieces();
        let gathered = pieces.iter().map(|piece| {
            let (left, right) = self.records(piece);
            left.len() + right.len().min(right_per_sweep(left.len()))
        });
        BlockSizes {
            held: bytes::<u32>(to_u64(orders)) + to_u64(size_of_val(pieces)),
            // Keys with their records, sorted, and the blocks they make.
            making: to_u64(largest) * (KEYED_BYTES + BLOCK_BYTES),
            gathered: to_u64(gathered.max().unwrap_or(0)),
        }
    }
}

/// A key beside its record, and a block: a key and where its records stand.
const KEYED_BYTES: u64 = to_bytes(size_of::<(BlockKey, u32)>());
const BLOCK_BYTES: u64 = to_bytes(size_of::<BlockKey>()) + 23;

impl LinkSizes {
    /// Both [`LinkSide`](crate::LinkSide)s without their packed filters: the popcount and the person of each record.
    pub const fn sides(&self) -> u64 {
        8 * (self.records[0] + self.records[1])
    }

    /// Filters of the right once more, as the right side of a comparison.
    pub const fn packed(&self) -> u64 {
        self.records[1] * (self.filter_bytes + 9)
    }

    /// What the threads have at hand while they compare, and tiles on their way to where they are stored.
    pub fn comparing(&self) -> u64 {
        let gathered = self.blocks.map_or(0, |blocks| blocks.gathered);
        let candidate = bytes::<CandidatePair>(self.candidates);
        // Each thread has a tile, as much again waits, and one is being written: of most runs a small part of all.
        let most_of_tile = match self.rows_of_tile() {
            Some(rows) => bytes::<CandidatePair>(rows.saturating_mul(self.records[1])),
            None => MOST_TILE_BYTES,
        };
        let under_way = candidate.min((3 * self.threads + 2).saturating_mul(most_of_tile));
        // Of keys of bits, each table holds a number and a byte for each record of the right and a number for every four; while they
        // are made, and while a tile is compared, each thread has all with their hashes.
        let tables = self.lsh_tables * 6 * self.records[1];
        let making = if self.lsh_tables > 0 {
            self.threads * (8 * self.records[1] + MOST_REPEATED_BYTES)
        } else {
            0
        };
        self.threads * 2 * gathered * self.filter_bytes + under_way + tables + making
    }

    /// Records of the left in a tile, where all pairs are compared.
    fn rows_of_tile(&self) -> Option<u64> {
        let records = usize::try_from(self.records[1]).unwrap_or(usize::MAX);
        (self.blocks.is_none() && self.lsh_tables == 0).then(|| to_u64(rows_per_tile(records)))
    }

    /// Candidates, and what [`decide`](crate::decide()) makes of them.
    pub fn deciding(&self) -> u64 {
        let candidates = self.candidates;
        let persons = self.persons[0].min(candidates) + self.persons[1].min(candidates);
        let links = match self.assignment {
            Assignment::OneToMany => self.persons[1],
            Assignment::ManyToOne => self.persons[0],
            Assignment::Greedy | Assignment::MutualBest | Assignment::Optimal => {
                self.persons[0].min(self.persons[1])
            }
        }
        .min(candidates);
        // Those on disk are merged from runs, of which each has a block in memory, and which may be a quarter as long as what is held.
        let most_held = self.candidates_in_memory.max(CandidateMemory::LEAST);
        let in_memory = candidates.min(most_held);
        let runs = (candidates - in_memory).div_ceil(most_held / 4);
        let held = bytes::<CandidatePair>(in_memory) + RUN_BYTES * runs;
        // Those of persons with several records are sorted by themselves first.
        let several = self.persons[0] < self.records[0] || self.persons[1] < self.records[1];
        let of_several = if several {
            bytes::<CandidatePair>(candidates.min(most_held / 4))
        } else {
            0
        };
        // A tile as it was stored, as it is unsealed, and what is decoded of it; and what the allocator keeps of those that were under
        // way while they were compared, where each may be a large part of all.
        let of_tiles = match self.rows_of_tile() {
            Some(rows) => {
                let average = bytes::<CandidatePair>(candidates / self.records[0].div_ceil(rows).max(1));
                (3 * self.threads + 5) * average
            }
            None => 3 * bytes::<CandidatePair>(candidates).min(MOST_TILE_BYTES),
        };
        // Lists of all persons, which are doubled as they grow: the best two rivals of each; who is taken, and in an estimate at what level,
        // by whom, and at what level somebody else would have been.
        let all_persons = 2 * (self.persons[0] + self.persons[1]);
        let rivals = bytes::<[(u32, f64); 2]>(all_persons);
        let looked_up = if self.estimates {
            bytes::<(Option<u32>, Option<f64>, Option<u16>)>(all_persons)
        } else {
            0
        };
        let of_links = bytes::<bool>(all_persons) + 3 * bytes::<PersonPair>(links) + looked_up;
        // Who is settled, their look-alikes, and where open records have pairs.
        let of_surplus = if self.estimates {
            persons * (bytes::<Option<u32>>(1) + bytes::<[f64; 5]>(1))
                + hash_bytes::<((u32, u16), u32)>(candidates.min(STRETCHES_OF_RECORD * self.records[0]))
        } else {
            0
        };
        let optimal = match self.assignment {
            // Union-find over the persons, and the pairs once more by component: lists with room for four at first, which grow, of
            // which there are no more than persons of a side.
            Assignment::Optimal => {
                let components = self.persons[0].min(self.persons[1]).min(candidates);
                let pairs = bytes::<PersonPair>(in_memory);
                bytes::<[usize; 3]>(2 * self.persons[0].max(self.persons[1]))
                    + pairs
                    + pairs / 4
                    + components * (bytes::<PersonPair>(4) + ALLOCATION_BYTES + 2 * bytes::<[usize; 3]>(1))
            }
            Assignment::MutualBest => bytes::<Option<u32>>(all_persons),
            Assignment::OneToMany | Assignment::ManyToOne => bytes::<bool>(all_persons),
            Assignment::Greedy => 0,
        };
        held + of_several.max(rivals.max(optimal) + of_links + of_surplus) + of_tiles + self.of_fields(links)
    }
}

impl LinkSizes {
    /// What the evidence of fields takes besides: who is whose rival with which pattern, the odds and probabilities of all, how often each
    /// value is, and the evidence of each link.
    fn of_fields(&self, links: u64) -> u64 {
        let Some(fields) = self.fields else {
            return 0;
        };
        let candidates = self.candidates;
        let of_pairs = bytes::<[u32; 3]>(candidates) + bytes::<[f64; 2]>(candidates);
        let values = self.weighed * hash_bytes::<(u64, u32)>(self.records[0] + self.records[1]);
        let evidence = links * (bytes::<f64>(fields) + bytes::<[usize; 3]>(1) + ALLOCATION_BYTES);
        of_pairs + bytes::<[f64; 2]>(self.persons[0] + self.persons[1]) + values + evidence
    }
}

/// Stretches of similarity in which a record may have pairs with open people, about.
const STRETCHES_OF_RECORD: u64 = 16;

/// A run on disk that is being read: a block, as it was written.
const RUN_BYTES: u64 = 66 << 10;

/// Pairs a tile holds before it drops those found again, and as many again while it grows.
const MOST_REPEATED_BYTES: u64 = 16 << 20;

/// Candidates of one tile, when it is as full as it may be.
const MOST_TILE_BYTES: u64 = 32 << 20;

/// What an allocation takes besides what it holds.
const ALLOCATION_BYTES: u64 = 16;

/// A hash table of so many entries: a power of two of places, an eighth of them free, and a byte of its own for each.
fn hash_bytes<T>(entries: u64) -> u64 {
    (entries + entries / 7 + 1).next_power_of_two() * (to_bytes(size_of::<T>()) + 1)
}

const fn bytes<T>(count: u64) -> u64 {
    count * to_bytes(size_of::<T>())
}

#[expect(
    clippy::as_conversions,
    reason = "a size fits in 64 bits, and a constant cannot ask"
)]
const fn to_bytes(size: usize) -> u64 {
    size as u64
}

fn to_u64(len: usize) -> u64 {
    u64::try_from(len).expect("a length fits in 64 bits")
}
