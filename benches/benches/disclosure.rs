//! What it takes to choose the cells that are not published, in hypercubes of about 10,000 cells with all their margins; and what share of
//! those of 2,000 cells goes although it is not unsafe.
//!
//! `cargo bench -p corridor-benches --bench disclosure`

use std::hint::black_box;

use corridor_flows::linear::{CellKind, LinearCell, LinearTable, suppress};
use criterion::{Criterion, criterion_group, criterion_main};

const MINIMUM: u64 = 10;

/// A hypercube with a cell for each place and each sum over some dimensions. Counts are exponential around products of effects,
/// the same for a seed; a third is below the minimum.
fn hypercube(sizes: &[u32], seed: u64) -> LinearTable {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed);
    let mut draw = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        f64::from(u32::try_from(state >> 40).expect("24 bits")) / f64::from(1 << 24)
    };
    let mut means = vec![9.0_f64];
    let mut cells = vec![vec![0_u32]];
    for &size in sizes {
        let effects: Vec<f64> = (0..size).map(|_| (1.5 * draw()).exp() / 2.0).collect();
        means = means
            .iter()
            .flat_map(|mean| effects.iter().map(move |effect| mean * effect))
            .collect();
        let single = |place: u32| vec![place];
        let extents: Vec<Vec<u32>> = (0..size).map(single).chain([(0..size).collect()]).collect();
        cells = cells
            .iter()
            .flat_map(|cell| {
                extents.iter().map(move |extent| {
                    let places = cell
                        .iter()
                        .flat_map(|base| extent.iter().map(move |place| base * size + place));
                    places.collect()
                })
            })
            .collect();
    }
    let exponential = |mean: f64, share: f64| {
        (0_u32..1_000_000).find(|&count| 1.0 - (-f64::from(count + 1) / mean).exp() > share)
    };
    let atoms = means
        .iter()
        .map(|&mean| exponential(mean, draw()).map_or(0, u64::from))
        .collect();
    let count: u32 = sizes.iter().product();
    let places = (0..sizes.len())
        .map(|dimension| {
            let below: u32 = sizes[dimension + 1..].iter().product();
            (0..count).map(|atom| atom / below % sizes[dimension]).collect()
        })
        .collect();
    let wanted = |atoms| LinearCell {
        atoms,
        kind: CellKind::Wanted,
        cost: None,
    };
    LinearTable::try_new(atoms, cells.into_iter().map(wanted).collect())
        .and_then(|table| table.with_places(places))
        .expect("a hypercube is a table")
}

fn suppression(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("suppress");
    group.sample_size(10);
    for sizes in [&[9, 9, 9, 8][..], &[20, 20, 21]] {
        let table = hypercube(sizes, 1);
        let name = format!("{} cells of {} dimensions", table.cells().len(), sizes.len());
        group.bench_function(name, |bencher| {
            bencher.iter(|| suppress(black_box(&table), MINIMUM).expect("nothing was published before"));
        });
    }
    group.finish();
    for sizes in [&[10, 10, 15][..], &[5, 5, 5, 8]] {
        print_information_loss(sizes);
    }
}

/// The median over tables of the share of cells that are suppressed without being unsafe, among those that are not.
#[expect(clippy::print_stdout, reason = "what a benchmark is for")]
#[expect(clippy::cast_precision_loss, reason = "a share")]
fn print_information_loss(sizes: &[u32]) {
    let mut shares: Vec<f64> = (1..=9)
        .map(|seed| {
            let table = hypercube(sizes, seed);
            let suppression = suppress(&table, MINIMUM).expect("nothing was published before");
            let others = table
                .cells()
                .iter()
                .zip(suppression.suppressed())
                .filter(|(cell, _)| !(1..MINIMUM).contains(&table.value(cell)));
            let (all, gone) = others.fold((0_usize, 0_usize), |(all, gone), (_, suppressed)| {
                (all + 1, gone + usize::from(*suppressed))
            });
            gone as f64 / all.max(1) as f64
        })
        .collect();
    shares.sort_by(f64::total_cmp);
    let cells = hypercube(sizes, 1).cells().len();
    println!(
        "information loss, {cells} cells of {} dimensions: median {:.3} of the cells that are not unsafe ({:.3} to {:.3})",
        sizes.len(),
        shares[shares.len() / 2],
        shares[0],
        shares[shares.len() - 1]
    );
}

criterion_group!(benches, suppression);
criterion_main!(benches);
