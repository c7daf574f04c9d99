//! Known pairs: from a few people whose filters are known to a dictionary of open's.

use std::collections::{HashMap, HashSet};

use corridor_core::Filters;
use nalgebra::{Cholesky, DMatrix, Dyn};
use serde::Serialize;

use crate::dense::Dense;
use crate::guess::{Bests, Guess};
use crate::landmarks::with_seeds;
use crate::plain::{PlainList, PlainRecord};

/// How alike two plain records are to the regression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenKernel {
    /// Common tokens, so that every token adds to every bit: ridge regression on presence of tokens.
    Linear,
    /// (2/π · arcsin of the share of common tokens)^layers: the correlation, over keys, of two records' bits in a
    /// majority scheme, so that nothing linear in the known filters predicts better.
    Majority {
        /// Layers.
        layers: i32,
    },
}

impl TokenKernel {
    /// Every kernel, the linear one first.
    pub const ALL: [Self; 4] = [
        Self::Linear,
        Self::Majority { layers: 1 },
        Self::Majority { layers: 2 },
        Self::Majority { layers: 3 },
    ];
}

/// Penalties tried, as shares of the kernel of a record with itself.
const PENALTIES: [f64; 5] = [0.003, 0.01, 0.03, 0.1, 0.3];
/// Known pairs used to choose kernel and penalty.
const JUDGED: usize = 200;

/// For every record of `target` the record of `list` whose predicted filter goes best with it, after ridge regression
/// of bits on tokens over the pairs (target, list) that are `known`; known pairs keep their own. Of `kernels` and a few
/// penalties those are used that predict known filters left out best. Empty when nobody is known, or nobody is not.
///
/// # Panics
/// When a known pair names a record that is not there, or there is no kernel.
pub fn attack_by_known_pairs(
    target: &Filters,
    list: &PlainList,
    known: &[(usize, usize)],
    kernels: &[TokenKernel],
) -> Vec<Guess> {
    let indices: Vec<usize> = known.iter().map(|pair| pair.1).collect();
    // Whoever is known is nobody else, and would attract, and be taken for, all who are like them.
    let open_targets = all_but(target.len(), known.iter().map(|pair| pair.0));
    let open_list = all_but(list.len(), indices.iter().copied());
    if open_targets.is_empty() || open_list.is_empty() || known.is_empty() {
        return Vec::new();
    }
    let mut bits = signs(target);
    bits.centre_columns();
    let known_bits = rows_of(&bits, known.iter().map(|pair| pair.0));
    let (kernel, penalty) = choose(list, known, &known_bits, kernels);
    let inverse = inverse_of(&gram(list, &indices, &indices, kernel), penalty);
    let inverse = to_single(&inverse);
    let across = to_single(&gram(list, &open_list, &indices, kernel));
    let mut predicted = across.times(&inverse).times(&known_bits);
    predicted.centre_columns();
    predicted.standardise_rows();
    let mut open_bits = rows_of(&bits, open_targets.iter().copied());
    open_bits.standardise_rows();
    let nobody = Guess {
        list_record: indices[0],
        confidence: f64::NEG_INFINITY,
    };
    let mut guesses = vec![nobody; target.len()];
    let found = Bests::of(&open_bits.times_transposed(&predicted)).guesses();
    for (target, guess) in open_targets.into_iter().zip(found) {
        guesses[target] = Guess {
            list_record: open_list[guess.list_record],
            ..guess
        };
    }
    with_seeds(guesses, known)
}

/// All indices below `len` but those of `known`, ascending.
fn all_but(len: usize, known: impl Iterator<Item = usize>) -> Vec<usize> {
    let known: HashSet<usize> = known.collect();
    (0..len).filter(|index| !known.contains(index)).collect()
}

/// Filters as ±1.
fn signs(filters: &Filters) -> Dense {
    let mut signs = Dense::zeros(filters.len(), filters.filter_len().to_bits() as usize);
    for record in 0..filters.len() {
        let words = filters.row(record);
        for (bit, sign) in signs.row_mut(record).iter_mut().enumerate() {
            *sign = if words[bit / 64] >> (bit % 64) & 1 == 1 {
                1.0
            } else {
                -1.0
            };
        }
    }
    signs
}

fn rows_of(matrix: &Dense, rows: impl ExactSizeIterator<Item = usize>) -> Dense {
    let mut chosen = Dense::zeros(rows.len(), matrix.columns());
    for (index, row) in rows.enumerate() {
        chosen.row_mut(index).copy_from_slice(matrix.row(row));
    }
    chosen
}

/// Kernel and penalty with the least squared error of known filters predicted from the other known ones.
fn choose(
    list: &PlainList,
    known: &[(usize, usize)],
    bits: &Dense,
    kernels: &[TokenKernel],
) -> (TokenKernel, f64) {
    let judged = known.len().min(JUDGED);
    let indices: Vec<usize> = known[..judged].iter().map(|pair| pair.1).collect();
    let bits = rows_of(bits, 0..judged);
    let (mut chosen, mut least) = ((kernels[0], PENALTIES[0]), f64::INFINITY);
    for &kernel in kernels {
        let gram = gram(list, &indices, &indices, kernel);
        for penalty in PENALTIES {
            let inverse = inverse_of(&gram, penalty);
            // Leaving out one: its residual is its coefficient over the diagonal of the inverse.
            let coefficients = to_single(&inverse).times(&bits);
            let error: f64 = (0..judged)
                .map(|row| {
                    let squares: f64 = coefficients.row(row).iter().map(|&x| f64::from(x).powi(2)).sum();
                    squares / inverse[(row, row)].powi(2)
                })
                .sum();
            if error < least {
                (chosen, least) = ((kernel, penalty), error);
            }
        }
    }
    chosen
}

/// Kernel of every record of `left` with every record of `right`, by the tokens they share.
fn gram(list: &PlainList, left: &[usize], right: &[usize], kernel: TokenKernel) -> DMatrix<f64> {
    let records = list.records();
    let mut holders: HashMap<(&str, u32), Vec<(usize, f64)>> = HashMap::new();
    for (column, &index) in right.iter().enumerate() {
        for &(token, weight) in &records[index].tokens {
            let holder = (column, f64::from(weight));
            holders
                .entry((&records[index].salt, token))
                .or_default()
                .push(holder);
        }
    }
    let sizes: Vec<f64> = right.iter().map(|&index| squares(&records[index])).collect();
    let mut gram = DMatrix::zeros(left.len(), right.len());
    for (row, &index) in left.iter().enumerate() {
        let record = &records[index];
        for &(token, weight) in &record.tokens {
            for &(column, other) in holders.get(&(record.salt.as_str(), token)).into_iter().flatten() {
                gram[(row, column)] += f64::from(weight) * other;
            }
        }
        let size = squares(record);
        for (column, other) in sizes.iter().enumerate() {
            let common = gram[(row, column)];
            gram[(row, column)] = match kernel {
                TokenKernel::Linear => common,
                TokenKernel::Majority { layers } => {
                    let cosine: f64 = common / (size * other).sqrt().max(f64::MIN_POSITIVE);
                    (cosine.clamp(-1.0, 1.0).asin() * std::f64::consts::FRAC_2_PI).powi(layers)
                }
            };
        }
    }
    gram
}

fn squares(record: &PlainRecord) -> f64 {
    record
        .tokens
        .iter()
        .map(|&(_, weight)| f64::from(weight).powi(2))
        .sum()
}

/// (K + penalty · mean diagonal of K · I)⁻¹.
fn inverse_of(gram: &DMatrix<f64>, penalty: f64) -> DMatrix<f64> {
    let size = gram.nrows();
    let scale = (gram.trace() / size as f64).max(f64::MIN_POSITIVE);
    let ridge = gram + DMatrix::<f64>::identity(size, size) * (penalty * scale);
    Cholesky::<f64, Dyn>::new(ridge)
        .expect("a kernel of tokens has no negative direction, and the penalty lifts it above zero")
        .inverse()
}

fn to_single(matrix: &DMatrix<f64>) -> Dense {
    let mut single = Dense::zeros(matrix.nrows(), matrix.ncols());
    for row in 0..matrix.nrows() {
        for (column, value) in single.row_mut(row).iter_mut().enumerate() {
            *value = matrix[(row, column)] as f32;
        }
    }
    single
}
