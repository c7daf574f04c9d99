//! How alike the records of one file are: what an attacker reads off without any key.

use corridor_core::{Filters, Measure};
use rayon::prelude::*;

use crate::dense::Dense;

/// Similarities of all pairs of one file, `n × n` and symmetric. A record has no similarity to itself: the diagonal
/// holds the mean of its row.
pub(crate) fn similarities(filters: &Filters, measure: Measure) -> Dense {
    let count = filters.len();
    let ones: Vec<u32> = (0..count).map(|row| ones(filters.row(row))).collect();
    let bits = f64::from(filters.filter_len().to_bits());
    let mut matrix = Dense::zeros(count, count);
    matrix.par_rows_mut().enumerate().for_each(|(left, row)| {
        for (right, value) in row.iter_mut().enumerate() {
            *value = match measure {
                Measure::Dice => {
                    let total = ones[left] + ones[right];
                    if total == 0 {
                        0.0
                    } else {
                        let common = common(filters.row(left), filters.row(right));
                        (2.0 * f64::from(common) / f64::from(total)) as f32
                    }
                }
                Measure::Rho => {
                    let distance = distance(filters.row(left), filters.row(right));
                    (1.0 - 2.0 * f64::from(distance) / bits) as f32
                }
            };
        }
    });
    clear_diagonal(&mut matrix);
    matrix
}

/// Sets the diagonal to the mean of the rest of its row.
pub(crate) fn clear_diagonal(matrix: &mut Dense) {
    matrix.par_rows_mut().enumerate().for_each(|(index, row)| {
        row[index] = 0.0;
        let sum: f64 = row.iter().map(|&value| f64::from(value)).sum();
        row[index] = (sum / (row.len().max(2) - 1) as f64) as f32;
    });
}

pub(crate) fn ones(filter: &[u64]) -> u32 {
    filter.iter().map(|word| word.count_ones()).sum()
}

pub(crate) fn distance(left: &[u64], right: &[u64]) -> u32 {
    left.iter().zip(right).map(|(l, r)| (l ^ r).count_ones()).sum()
}

fn common(left: &[u64], right: &[u64]) -> u32 {
    left.iter().zip(right).map(|(l, r)| (l & r).count_ones()).sum()
}
