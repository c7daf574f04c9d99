//! The portable path: plain words, no intrinsics. Also the oracle of the others, which must agree on every pair.

use crate::matrix::{FilterMatrix, LANES, Lanes};
use crate::path::{self, Blocks, Hit, LEFT_ROWS, Path};

/// Plain 64-bit words.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Portable;

impl Path for Portable {
    fn sweep(self, first: &Blocks<'_>, then: Option<&Blocks<'_>>, on_hit: &mut dyn FnMut(Hit)) -> usize {
        let mut passing = 0;
        let (left_len, right_len) = (first.left.len(), first.right.len());
        for first_row in (0..left_len).step_by(LEFT_ROWS) {
            for group in 0..right_len {
                for row in first_row..(first_row + LEFT_ROWS).min(left_len) {
                    let mut counts = counts(first, row, group);
                    if !any_below_zero(&counts) {
                        continue;
                    }
                    passing += 1;
                    if let Some(then) = then {
                        for (count, whole) in counts.iter_mut().zip(self::counts(then, row, group)) {
                            *count = if *count < 0 { whole } else { 0 };
                        }
                    }
                    if any_below_zero(&counts) {
                        on_hit(Hit { row, group, counts });
                    }
                }
            }
        }
        passing
    }

    fn distances(self, row: &[u64], groups: &[Lanes], out: &mut [u32]) {
        for (group, out) in groups.chunks_exact(row.len()).zip(out.chunks_exact_mut(LANES)) {
            let mut counts = [0; LANES];
            add_group(row, group, &mut counts);
            for (out, count) in out.iter_mut().zip(counts) {
                *out = u32::try_from(count).expect("at most 4096 bits differ");
            }
        }
    }

    fn distances_at(self, row: &[u64], right: &FilterMatrix<'_>, records: &[u32], out: &mut Vec<u32>) {
        path::distances_at(row, right, records, out);
    }
}

fn counts(blocks: &Blocks<'_>, row: usize, group: usize) -> [i64; LANES] {
    let mut counts = blocks.right.starts[group].map(|start| start + blocks.left.starts[row]);
    add_group(blocks.left.row(row), blocks.right.group(group), &mut counts);
    counts
}

fn any_below_zero(counts: &[i64; LANES]) -> bool {
    counts.iter().any(|count| *count < 0)
}

fn add_group(row: &[u64], group: &[Lanes], counts: &mut [i64; LANES]) {
    for (&word, lanes) in row.iter().zip(group) {
        for (count, lane) in counts.iter_mut().zip(lanes.0) {
            *count += i64::from((word ^ lane).count_ones());
        }
    }
}
