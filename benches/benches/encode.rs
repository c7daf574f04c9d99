//! Records per second from a register (CSV) to a dataset file, for every profile, on one thread and on two.
//!
//! `cargo bench -p corridor-benches --bench encode`

use corridor_benches::SyntheticRegister;
use corridor_core::Profile;
use criterion::{BatchSize, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};

/// Rows of the register.
const RECORDS: u32 = 300_000;

fn registers(criterion: &mut Criterion) {
    let register = SyntheticRegister::new(RECORDS);
    for threads in [1, 2] {
        let mut group = criterion.benchmark_group(format!("encode on {threads} thread(s)"));
        group.sample_size(10).sampling_mode(SamplingMode::Flat);
        group.throughput(Throughput::Elements(register.records()));
        for profile in Profile::ALL {
            let encoding = register.encoding(profile, threads);
            group.bench_function(profile.as_str(), |bencher| {
                bencher.iter_batched(|| encoding.clear(), |()| encoding.run(), BatchSize::PerIteration);
            });
        }
        group.finish();
    }
}

criterion_group!(benches, registers);
criterion_main!(benches);
