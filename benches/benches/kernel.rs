//! Pairs per second of every kernel on the bundled registers, encoded, one thread; beside what the processor can do
//! with the same instructions on registers alone.
//!
//! `cargo bench -p corridor-benches --bench kernel`

use std::hint::black_box;

use corridor_benches::bundled_filters;
use corridor_core::Profile;
use corridor_kernel::{Cut, FilterMatrix, Kernel, Measure, Search};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn kernels(criterion: &mut Criterion) {
    for (profile, measure, thresholds) in [
        (Profile::Clk1024, Measure::Dice, [700, 800]),
        (Profile::Saul3x2048, Measure::Rho, [110, 155]),
    ] {
        let [left, right] = bundled_filters(profile);
        let words = left.filter_len().to_words();
        let left = FilterMatrix::try_new(left.as_words(), words).expect("whole filters");
        let right = FilterMatrix::try_new(right.as_words(), words)
            .expect("whole filters")
            .to_packed();
        let pairs = left.len() * right.len();
        let mut group = criterion.benchmark_group(profile.as_str());
        group.sample_size(20);
        group.throughput(Throughput::Elements(u64::try_from(pairs).expect("a count")));
        for kernel in Kernel::available() {
            let name = kernel.name();
            let tiles = pairs / Kernel::TILE_PAIRS;
            if kernel.work_in_registers(words, 1).is_some() {
                group.bench_function(format!("{name}/in registers"), |bencher| {
                    bencher.iter(|| kernel.work_in_registers(black_box(words), black_box(tiles)));
                });
            }
            for threshold in thresholds {
                let cut = Cut::new(measure, words, threshold, 1000);
                let searches = [
                    ("full", Search::full(cut.clone())),
                    ("exact", Search::exact(cut.clone(), &left, &right)),
                    (
                        "statistical",
                        Search::statistical(cut, &left, &right, 1e-9).expect("a sound bound"),
                    ),
                ];
                for (mode, search) in searches {
                    let id = format!(
                        "{name}/{mode} at 0.{threshold} (screened by {:?} words)",
                        search.screen_words()
                    );
                    let mut found = Vec::new();
                    group.bench_function(id, |bencher| {
                        bencher.iter(|| {
                            found.clear();
                            kernel.pairs_reaching(
                                (&left, 0..left.len()),
                                (&right, 0..right.len()),
                                &search,
                                &mut found,
                            );
                            black_box(found.len())
                        });
                    });
                }
            }
        }
        group.finish();
    }
}

criterion_group!(benches, kernels);
criterion_main!(benches);
