//! Which block keys of the larger side can meet one of the smaller side.

use std::collections::BTreeSet;

use bloomfilter::Bloom;
use corridor_core::BlockKey;

/// The keys of the smaller side of a pass as a Bloom filter, in which the keys of the larger side are looked up before blocks
/// are made of them: those that meet none go, with few exceptions, and none that meets one does (Bloom 1970; Mackert &
/// Lohman 1986).
///
/// Keys are beginnings of a hash, of different lengths, and meet where one begins with the other. So the filter holds the keys
/// of the smaller side, and each of them cut to every shorter length the larger side has. A key of the larger side meets one
/// that is as long or longer exactly where it is in the filter itself; and one that is shorter exactly where it is when
/// cut to that length. Looking for both is exact, but for what the filter holds by mistake.
#[derive(Debug)]
pub(crate) struct SemiJoin {
    filter: Bloom<[u8; 17]>,
    /// Lengths of keys of the smaller side.
    lengths: BTreeSet<u8>,
}

/// Share of the keys that meet nothing and stay by mistake.
const MISTAKES: f64 = 0.01;
/// Any seed does: nobody chooses keys to cheat the filter, and what stays by mistake meets nothing later. It is fixed, so that
/// the same keys stay every time.
const SEED: [u8; 32] = *b"corridor/v1|semi-join of blocks.";

impl SemiJoin {
    /// The keys of the smaller side, for a larger side with keys of these lengths. `None` when there are no keys, and so
    /// nothing meets.
    pub(crate) fn new(
        keys: impl Iterator<Item = BlockKey>,
        lengths_of_larger: &BTreeSet<u8>,
    ) -> Option<Self> {
        let mut entries = Vec::new();
        let mut lengths = BTreeSet::new();
        for key in keys {
            lengths.insert(key.bits());
            entries.push(key);
            let shorter = lengths_of_larger.range(..key.bits());
            entries.extend(shorter.map(|&bits| BlockKey::new(*key.as_prefix(), bits)));
        }
        entries.sort_unstable();
        entries.dedup();
        if entries.is_empty() {
            return None;
        }
        let mut filter = Bloom::new_for_fp_rate_with_seed(entries.len(), MISTAKES, &SEED)
            .expect("a number of keys and a share of mistakes above 0");
        for key in &entries {
            filter.set(&key.to_bytes());
        }
        Some(Self { filter, lengths })
    }

    /// Whether a key of the larger side may meet one of the smaller side; never `false` where it does.
    pub(crate) fn may_meet(&self, key: &BlockKey) -> bool {
        let is_in = |key: &BlockKey| self.filter.check(&key.to_bytes());
        is_in(key)
            || self
                .lengths
                .range(..key.bits())
                .any(|&bits| is_in(&BlockKey::new(*key.as_prefix(), bits)))
    }
}
