//! Dense single-precision matrices, and their products in blocks of rows whose order of additions does not depend on
//! the number of threads.

use nalgebra::{DMatrixView, DMatrixViewMut};
use rayon::prelude::*;

/// `rows × columns`, row-major.
#[derive(Clone)]
pub(crate) struct Dense {
    rows: usize,
    columns: usize,
    data: Vec<f32>,
}

/// Rows of the left matrix that one task multiplies.
const BLOCK_ROWS: usize = 64;

impl Dense {
    pub(crate) fn zeros(rows: usize, columns: usize) -> Self {
        Self {
            rows,
            columns,
            data: vec![0.0; rows * columns],
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    pub(crate) fn row(&self, row: usize) -> &[f32] {
        &self.data[row * self.columns..(row + 1) * self.columns]
    }

    pub(crate) fn row_mut(&mut self, row: usize) -> &mut [f32] {
        &mut self.data[row * self.columns..(row + 1) * self.columns]
    }

    pub(crate) fn iter_rows(&self) -> impl Iterator<Item = &[f32]> {
        self.data.chunks_exact(self.columns.max(1))
    }

    pub(crate) fn par_rows(&self) -> impl IndexedParallelIterator<Item = &[f32]> {
        self.data.par_chunks_exact(self.columns.max(1))
    }

    pub(crate) fn par_rows_mut(&mut self) -> impl IndexedParallelIterator<Item = &mut [f32]> {
        self.data.par_chunks_exact_mut(self.columns.max(1))
    }

    pub(crate) fn transposed(&self) -> Self {
        let mut transposed = Self::zeros(self.columns, self.rows);
        let rows = self.rows;
        // Sixteen rows of the result at a time, so that a cache line read is used in full.
        transposed
            .data
            .par_chunks_mut((16 * rows).max(1))
            .enumerate()
            .for_each(|(block, chunk)| {
                let first = block * 16;
                let count = chunk.len() / rows.max(1);
                for row in 0..rows {
                    let from = &self.row(row)[first..first + count];
                    for (offset, &value) in from.iter().enumerate() {
                        chunk[offset * rows + row] = value;
                    }
                }
            });
        transposed
    }

    /// `self × right`.
    ///
    /// # Panics
    /// When `self` has not as many columns as `right` rows.
    pub(crate) fn times(&self, right: &Self) -> Self {
        assert_eq!(self.columns, right.rows, "shapes of a product");
        let mut product = Self::zeros(self.rows, right.columns);
        if self.columns == 0 || right.columns == 0 {
            return product;
        }
        // Row-major here is column-major there, so the product is computed transposed: Pᵀ = Rᵀ·Lᵀ.
        let right_view = DMatrixView::from_slice(&right.data, right.columns, right.rows);
        product
            .data
            .par_chunks_mut(BLOCK_ROWS * right.columns)
            .zip(self.data.par_chunks(BLOCK_ROWS * self.columns))
            .for_each(|(product, left)| {
                let rows = left.len() / self.columns;
                let left = DMatrixView::from_slice(left, self.columns, rows);
                let mut product = DMatrixViewMut::from_slice(product, right.columns, rows);
                product.gemm(1.0, &right_view, &left, 0.0);
            });
        product
    }

    /// `self × rightᵀ`: every row with every row.
    pub(crate) fn times_transposed(&self, right: &Self) -> Self {
        self.times(&right.transposed())
    }

    /// The columns of `self`, then those of `other`.
    pub(crate) fn beside(&self, other: &Self) -> Self {
        assert_eq!(self.rows, other.rows, "rows side by side");
        let mut joined = Self::zeros(self.rows, self.columns + other.columns);
        for row in 0..self.rows {
            let (left, right) = joined.row_mut(row).split_at_mut(self.columns);
            left.copy_from_slice(self.row(row));
            right.copy_from_slice(other.row(row));
        }
        joined
    }

    /// Subtracts from every row its mean and divides it by its length, so that products of rows are correlations.
    /// Rows of one value become zero.
    pub(crate) fn standardise_rows(&mut self) {
        self.par_rows_mut().for_each(|row| {
            let count = row.len() as f64;
            let mean = row.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
            for value in row.iter_mut() {
                *value -= mean as f32;
            }
            scale_to_unit(row);
        });
    }

    /// Subtracts from every column its mean.
    pub(crate) fn centre_columns(&mut self) {
        for (column, mean) in self.column_means().into_iter().enumerate() {
            for row in 0..self.rows {
                self.data[row * self.columns + column] -= mean as f32;
            }
        }
    }

    pub(crate) fn column_means(&self) -> Vec<f64> {
        let mut sums = vec![0.0; self.columns];
        for row in self.iter_rows() {
            for (sum, &value) in sums.iter_mut().zip(row) {
                *sum += f64::from(value);
            }
        }
        let rows = self.rows.max(1) as f64;
        sums.iter().map(|sum| sum / rows).collect()
    }

    pub(crate) fn map(&mut self, change: impl Fn(f32) -> f32 + Sync) {
        self.data.par_iter_mut().for_each(|value| *value = change(*value));
    }
}

pub(crate) fn scale_to_unit(row: &mut [f32]) {
    let len = row
        .iter()
        .map(|&x| f64::from(x) * f64::from(x))
        .sum::<f64>()
        .sqrt();
    let factor = if len > 0.0 { (1.0 / len) as f32 } else { 0.0 };
    for value in row.iter_mut() {
        *value *= factor;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counting(rows: usize, columns: usize) -> Dense {
        let mut matrix = Dense::zeros(rows, columns);
        for row in 0..rows {
            for (column, value) in matrix.row_mut(row).iter_mut().enumerate() {
                *value = ((row * 7 + column * 3) % 11) as f32;
            }
        }
        matrix
    }

    #[test]
    fn products_are_those_of_the_definition() {
        let (left, right) = (counting(130, 17), counting(17, 70));
        let product = left.times(&right);
        for row in 0..130 {
            for column in 0..70 {
                let expected: f32 = (0..17).map(|k| left.row(row)[k] * right.row(k)[column]).sum();
                assert!((product.row(row)[column] - expected).abs() < 1e-3);
            }
        }
        assert_eq!(left.transposed().transposed().data, left.data);
        assert_eq!(left.times_transposed(&right.transposed()).data, product.data);
    }
}
