//! What it takes to find the blocks of two sides that meet, with and without a semi-join before: that drops the keys of the
//! larger side that meet none of the smaller.
//!
//! `cargo bench -p corridor-benches --bench blocks`

use std::hint::black_box;

use corridor_core::{BlockColumn, BlockKey, Digest};
use corridor_link::{BlockJoin, Blocks};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Records of the larger side.
const LARGER: u32 = 1_000_000;

/// How long the keys of a side are.
#[derive(Debug, Clone, Copy)]
enum Keys {
    /// As an office cuts them: ten records and more share one, so that a small side has short ones, which most others meet.
    Cut,
    /// All of the hash: a key meets none but its equal.
    Whole,
}

/// Keys of one pass; the side's people are those from `first` on.
fn column(keys: Keys, first: u32, records: u32) -> Vec<BlockColumn> {
    let cut = u8::try_from((records / 10).max(1).ilog2()).expect("at most 31");
    let keys = (first..first + records).map(|person| {
        let hash: [u8; 16] = Digest::of(&person.to_le_bytes()).as_bytes()[..16]
            .try_into()
            .expect("16 bytes");
        let bits = match keys {
            // One in eight lies in a block that was too small, and was merged with its neighbour.
            Keys::Cut => cut - u8::from(hash[0] < 32),
            Keys::Whole => BlockKey::MAX_BITS,
        };
        Some(BlockKey::new(hash, bits))
    });
    vec![BlockColumn {
        pass: "pass".to_owned(),
        keys: keys.collect(),
    }]
}

fn joins(criterion: &mut Criterion) {
    for (name, keys) in [("cut", Keys::Cut), ("whole", Keys::Whole)] {
        let larger = column(keys, 0, LARGER);
        for smaller in [1_000_000, 250_000, 50_000, 1_000] {
            // Half of the smaller side's people are on the larger, too.
            let few = column(keys, LARGER - smaller / 2, smaller);
            let mut group = criterion.benchmark_group(format!("{name} keys of {smaller} and {LARGER}"));
            group.sample_size(10);
            group.throughput(Throughput::Elements(u64::from(LARGER)));
            for (name, join) in [("plain", BlockJoin::Plain), ("semi-join", BlockJoin::SemiJoin)] {
                group.bench_function(name, |bencher| {
                    bencher.iter(|| Blocks::of_columns(black_box(&few), black_box(&larger), join));
                });
            }
            group.finish();
        }
    }
}

criterion_group!(benches, joins);
criterion_main!(benches);
