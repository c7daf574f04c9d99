//! What a file of filters exposes, measured without knowing anybody in it.

use std::collections::HashMap;

use corridor_core::{Entropy, Filters};
use rayon::prelude::*;
use serde::Serialize;

use crate::draw::sample;
use crate::guess::share;
use crate::similarity::{distance, ones};

/// Similarity, in units of the noise 1/√m, from which on a record counts as a neighbour: 5, which hardly a pair of
/// unrelated dense filters exceeds (one in 3.5 million by chance).
pub const NEIGHBOUR_SIGMAS: f64 = 5.0;

/// What a file of filters exposes. Shares are in [0, 1]; an empty file has zeros.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FilterMetrics {
    /// Filters.
    pub record_count: usize,
    /// Bits of a filter.
    pub filter_len_bits: u32,
    /// Share of bits set.
    pub fill: f64,
    /// Standard deviation of the fill of bit positions (columns) over its mean.
    pub column_variation: f64,
    /// Gini coefficient of the fill of columns: 0 when all are alike. Columns never set are included.
    pub column_gini: f64,
    /// Jensen–Shannon distance (root of the divergence in bits, in [0, 1]) of the set bits' distribution over columns
    /// from the uniform one. Columns never set are included.
    pub column_jensen_shannon: f64,
    /// Share of records whose filter another record has, too.
    pub duplicates: f64,
    /// Mean number of bits set per record.
    pub weight_mean: f64,
    /// Standard deviation of that number.
    pub weight_deviation: f64,
    /// What graph matching has to go by.
    pub exposure: GraphExposure,
}

/// How many records have near neighbours in their own file: what predicts whether graph matching finds anything.
/// Columns do not.
///
/// ρ = 1 − 2·Hamming/m for every profile. Between unrelated dense filters it is about 0. Sparse Bloom filters agree in
/// their zeros, so that nearly all of them have a ρ above the threshold: that is stated as it is, with the mean ρ
/// beside it, and the `centred` values count what exceeds the mean by as much.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GraphExposure {
    /// Records, drawn at random, that were compared with all others.
    pub sampled_count: usize,
    /// Threshold of ρ: 5/√m.
    pub threshold: f64,
    /// Share of records with a neighbour above the threshold.
    pub exp1: f64,
    /// Share with three neighbours or more above the threshold.
    pub exp3: f64,
    /// Mean ρ of the pairs compared.
    pub mean_rho: f64,
    /// Share of records with a neighbour above mean ρ + threshold.
    pub centred_exp1: f64,
    /// Share with three neighbours or more above mean ρ + threshold.
    pub centred_exp3: f64,
}

impl FilterMetrics {
    /// Of `filters`, with graph exposure from at most `sampled_count` records, drawn from `entropy`, against all.
    /// Time grows with their product. Runs on the current rayon pool; the result does not depend on its size.
    pub fn of(filters: &Filters, sampled_count: usize, entropy: &mut dyn Entropy) -> Self {
        let count = filters.len();
        let bits = filters.filter_len().to_bits();
        let columns = column_counts(filters);
        let weights: Vec<f64> = (0..count).map(|row| f64::from(ones(filters.row(row)))).collect();
        let (weight_mean, weight_deviation) = mean_and_deviation(&weights);
        let fills: Vec<f64> = columns
            .iter()
            .map(|&set| set as f64 / count.max(1) as f64)
            .collect();
        let (fill, fill_deviation) = mean_and_deviation(&fills);
        Self {
            record_count: count,
            filter_len_bits: bits,
            fill,
            column_variation: if fill > 0.0 { fill_deviation / fill } else { 0.0 },
            column_gini: gini(&fills),
            column_jensen_shannon: jensen_shannon_from_uniform(&fills),
            duplicates: duplicates(filters),
            weight_mean,
            weight_deviation,
            exposure: GraphExposure::of(filters, &sample(count, sampled_count, entropy)),
        }
    }
}

impl GraphExposure {
    fn of(filters: &Filters, sampled: &[usize]) -> Self {
        let bits = f64::from(filters.filter_len().to_bits());
        let threshold = NEIGHBOUR_SIGMAS / bits.sqrt();
        let total: u64 = sampled
            .par_iter()
            .map(|&row| distances(filters, row).map(u64::from).sum::<u64>())
            .sum();
        let pairs = sampled.len() * (filters.len().max(1) - 1);
        let mean_rho = if pairs == 0 {
            0.0
        } else {
            1.0 - 2.0 * total as f64 / pairs as f64 / bits
        };
        // ρ > t ⇔ Hamming < m(1 − t)/2.
        let [plain, centred] = [threshold, mean_rho + threshold].map(|rho| {
            let limit = bits * (1.0 - rho) / 2.0;
            let neighbours: Vec<usize> = sampled
                .par_iter()
                .map(|&row| {
                    distances(filters, row)
                        .filter(|&d| f64::from(d) < limit)
                        .take(3)
                        .count()
                })
                .collect();
            [1, 3].map(|least| {
                share(
                    neighbours.iter().filter(|&&found| found >= least).count(),
                    sampled.len(),
                )
            })
        });
        Self {
            sampled_count: sampled.len(),
            threshold,
            exp1: plain[0],
            exp3: plain[1],
            mean_rho,
            centred_exp1: centred[0],
            centred_exp3: centred[1],
        }
    }
}

/// Hamming distances of a record to all others.
fn distances(filters: &Filters, row: usize) -> impl Iterator<Item = u32> {
    (0..filters.len())
        .filter(move |&other| other != row)
        .map(move |other| distance(filters.row(row), filters.row(other)))
}

fn column_counts(filters: &Filters) -> Vec<u64> {
    const BLOCK: usize = 4096;
    let words = filters.filter_len().to_words();
    filters
        .as_words()
        .par_chunks(BLOCK * words)
        .map(|block| {
            let mut counts = vec![0_u64; words * 64];
            for filter in block.chunks_exact(words) {
                for (counts, &word) in counts.chunks_exact_mut(64).zip(filter) {
                    for (bit, count) in counts.iter_mut().enumerate() {
                        *count += word >> bit & 1;
                    }
                }
            }
            counts
        })
        .reduce(
            || vec![0; words * 64],
            |mut left, right| {
                left.iter_mut().zip(right).for_each(|(l, r)| *l += r);
                left
            },
        )
}

fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let count = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    (mean, variance.sqrt())
}

fn gini(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let sum: f64 = sorted.iter().sum();
    if sum <= 0.0 {
        return 0.0;
    }
    let count = sorted.len() as f64;
    let ranked: f64 = sorted
        .iter()
        .zip(1_u32..)
        .map(|(value, rank)| f64::from(rank) * value)
        .sum();
    2.0 * ranked / (count * sum) - (count + 1.0) / count
}

fn jensen_shannon_from_uniform(values: &[f64]) -> f64 {
    let sum: f64 = values.iter().sum();
    if sum <= 0.0 {
        return 0.0;
    }
    let uniform = 1.0 / values.len() as f64;
    let divergence: f64 = values
        .iter()
        .map(|value| {
            let p = value / sum;
            let middle = (p + uniform) / 2.0;
            let of_p = if p > 0.0 { p * (p / middle).log2() } else { 0.0 };
            (of_p + uniform * (uniform / middle).log2()) / 2.0
        })
        .sum();
    divergence.max(0.0).sqrt()
}

fn duplicates(filters: &Filters) -> f64 {
    let mut seen: HashMap<&[u64], usize> = HashMap::with_capacity(filters.len());
    for row in 0..filters.len() {
        *seen.entry(filters.row(row)).or_default() += 1;
    }
    let repeated = (0..filters.len())
        .filter(|&row| seen[filters.row(row)] > 1)
        .count();
    share(repeated, filters.len())
}

#[cfg(test)]
mod tests {
    use corridor_core::{FilterLen, SeededEntropy};

    use super::*;

    /// Tolerance of values computed by hand.
    const ABS_TOL: f64 = 1e-9;

    fn near(left: f64, right: f64) -> bool {
        (left - right).abs() < ABS_TOL
    }

    fn metrics(rows: &[u64]) -> FilterMetrics {
        let mut filters = Filters::with_capacity(FilterLen::try_from(64).unwrap(), rows.len());
        rows.iter().for_each(|&row| filters.push(&[row]));
        FilterMetrics::of(&filters, 100, &mut SeededEntropy::new(1, "sample"))
    }

    #[test]
    fn half_of_the_columns_always_set() {
        let metrics = metrics(&[0xffff_ffff, 0xffff_ffff]);
        assert!(near(metrics.fill, 0.5));
        assert!(near(metrics.column_variation, 1.0));
        assert!(near(metrics.column_gini, 0.5));
        // p is 1/32 on half of the columns, u is 1/64 on all, and their middle 3/128 and 1/128:
        // (log2(4/3) + log2(2/3)/2 + log2(2)/2) / 2.
        let divergence = ((4_f64 / 3.0).log2() + (2_f64 / 3.0).log2() / 2.0 + 0.5) / 2.0;
        assert!(near(metrics.column_jensen_shannon, divergence.sqrt()));
        assert!(near(metrics.duplicates, 1.0));
        assert!(near(metrics.weight_mean, 32.0) && near(metrics.weight_deviation, 0.0));
    }

    #[test]
    fn even_columns_have_no_distance_from_uniform() {
        let metrics = metrics(&[0x5555_5555_5555_5555, 0xaaaa_aaaa_aaaa_aaaa]);
        assert!(near(metrics.fill, 0.5) && near(metrics.column_variation, 0.0));
        assert!(near(metrics.column_gini, 0.0) && near(metrics.column_jensen_shannon, 0.0));
        assert!(near(metrics.duplicates, 0.0));
        assert!(near(metrics.exposure.mean_rho, -1.0));
    }

    #[test]
    fn neighbours_are_those_strictly_above_the_threshold() {
        // 5/√64 = 0.625, that is a Hamming distance below 12.
        let star = |distance: u32| [0, (1 << distance) - 1];
        assert!(near(metrics(&star(11)).exposure.exp1, 1.0));
        assert!(near(metrics(&star(12)).exposure.exp1, 0.0));
        // Four rows at 0 have three neighbours each; the fifth has none.
        let metrics = metrics(&[0, 0, 0, 0, u64::MAX]);
        assert!(near(metrics.exposure.exp1, 0.8) && near(metrics.exposure.exp3, 0.8));
        assert!(near(metrics.duplicates, 0.8));
        assert!(near(metrics.weight_mean, 12.8) && near(metrics.weight_deviation, 25.6));
    }

    #[test]
    fn an_empty_file_has_zeros() {
        let metrics = metrics(&[]);
        assert_eq!(metrics.record_count, 0);
        assert!(near(metrics.fill, 0.0) && near(metrics.exposure.mean_rho, 0.0));
    }
}
