//! A first guess: records whose similarities are spread alike.

use nalgebra::{DMatrix, SymmetricEigen};
use rayon::prelude::*;

use crate::dense::Dense;

/// Where the sorted similarities of a record are read: shares from the least similar record to the most similar.
const QUANTILES: [f64; 15] = [
    0.0, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 1.0,
];
/// Similarity-weighted averages over neighbours taken of the profile.
const AVERAGES: usize = 2;
/// Directions of the profile with less variance than this share of the largest are damped.
const FLOOR: f64 = 1e-4;

/// Describes every record by how its similarities are spread, and how those of its neighbours are, and of theirs.
///
/// # Shape
/// `n × d`; rows of the two files are comparable after [`whiten`].
pub(crate) fn fingerprints(similarities: &Dense) -> Dense {
    let count = similarities.rows();
    let mut own = Dense::zeros(count, QUANTILES.len() + 2);
    own.par_rows_mut()
        .zip(similarities.par_rows())
        .enumerate()
        .for_each(|(index, (profile, row))| describe(index, row, profile));
    let mut weights = similarities.clone();
    weights
        .par_rows_mut()
        .enumerate()
        .for_each(|(index, row)| to_weights(index, row));
    let mut joined = own.clone();
    let mut average = own;
    for _ in 0..AVERAGES {
        average = weights.times(&average);
        joined = joined.beside(&average);
    }
    joined
}

fn describe(index: usize, row: &[f32], profile: &mut [f32]) {
    let mut others: Vec<f32> = row[..index].iter().chain(&row[index + 1..]).copied().collect();
    if others.is_empty() {
        return;
    }
    others.sort_unstable_by(f32::total_cmp);
    let last = (others.len() - 1) as f64;
    for (value, share) in profile.iter_mut().zip(QUANTILES) {
        *value = others[(share * last).round() as usize];
    }
    let mean = others.iter().map(|&x| f64::from(x)).sum::<f64>() / others.len() as f64;
    let variance = others.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / others.len() as f64;
    profile[QUANTILES.len()] = mean as f32;
    profile[QUANTILES.len() + 1] = variance.sqrt() as f32;
}

/// Weights of neighbours: the square of what a similarity exceeds the record's mean by, in all one.
fn to_weights(index: usize, row: &mut [f32]) {
    let mean = row[index];
    row[index] = 0.0;
    let mut sum = 0.0;
    for value in row.iter_mut() {
        let above = (*value - mean).max(0.0);
        *value = above * above;
        sum += f64::from(*value);
    }
    row[index] = 0.0;
    if sum > 0.0 {
        for value in row.iter_mut() {
            *value = (f64::from(*value) / sum) as f32;
        }
    }
}

/// Turns the fingerprints of two files, each centred and scaled by itself, into coordinates in which every direction
/// varies alike.
pub(crate) fn whiten(target: &mut Dense, list: &mut Dense) {
    for side in [&mut *target, &mut *list] {
        side.centre_columns();
        let mut squares = side.clone();
        squares.map(|value| value * value);
        let scales: Vec<f32> = squares
            .column_means()
            .iter()
            .map(|&variance| {
                if variance > 0.0 {
                    (1.0 / variance.sqrt()) as f32
                } else {
                    0.0
                }
            })
            .collect();
        side.par_rows_mut().for_each(|row| {
            for (value, scale) in row.iter_mut().zip(&scales) {
                *value *= scale;
            }
        });
    }
    let size = target.columns();
    let mut covariance = DMatrix::<f64>::zeros(size, size);
    for side in [&*target, &*list] {
        let product = side.transposed().times(side);
        for row in 0..size {
            for column in 0..size {
                covariance[(row, column)] +=
                    f64::from(product.row(row)[column]) / side.rows().max(1) as f64 / 2.0;
            }
        }
    }
    // Rounding left it symmetric up to the last digits only.
    covariance = (&covariance + covariance.transpose()) / 2.0;
    let eigen = SymmetricEigen::new(covariance);
    let floor = FLOOR * eigen.eigenvalues.max();
    let mut rotation = Dense::zeros(size, size);
    for row in 0..size {
        for (column, value) in rotation.row_mut(row).iter_mut().enumerate() {
            let spread = (eigen.eigenvalues[column].max(0.0) + floor).sqrt();
            *value = (eigen.eigenvectors[(row, column)] / spread) as f32;
        }
    }
    *target = target.times(&rotation);
    *list = list.times(&rotation);
}
