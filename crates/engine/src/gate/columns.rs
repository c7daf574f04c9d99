use corridor_core::Filters;
use rayon::prelude::*;

/// How often each bit is set in a dataset: all the service keeps of it for the drift between two offices.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ColumnProfile {
    /// Records, each person counted once, about: what the noise of the counts comes from.
    pub persons: u64,
    /// Records.
    pub records: u64,
    /// Records with the bit set, by bit.
    pub counts: Vec<u64>,
}

impl ColumnProfile {
    pub(super) fn new(bits: usize) -> Self {
        Self {
            persons: 0,
            records: 0,
            counts: vec![0; bits],
        }
    }

    pub(super) fn observe(&mut self, filters: &Filters) {
        const BLOCK: usize = 4096;
        let words = filters.filter_len().to_words();
        let counted = filters
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
            .reduce(|| vec![0; words * 64], sum);
        self.counts = sum(std::mem::take(&mut self.counts), counted);
        self.records += u64::try_from(filters.len()).expect("a length fits");
    }

    /// Share of records with the bit set, by bit.
    pub(super) fn fills(&self) -> Vec<f64> {
        self.counts
            .iter()
            .map(|&count| super::share(count, self.records))
            .collect()
    }

    /// The bytes a store keeps: persons, records and counts, each as eight bytes, little-endian.
    pub fn to_bytes(&self) -> Vec<u8> {
        [self.persons, self.records]
            .iter()
            .chain(&self.counts)
            .flat_map(|count| count.to_le_bytes())
            .collect()
    }

    /// Reads those bytes; `None` when they are none.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (chunks, rest) = bytes.as_chunks::<8>();
        let mut counts = chunks.iter().map(|chunk| u64::from_le_bytes(*chunk));
        let (persons, records) = (counts.next()?, counts.next()?);
        rest.is_empty().then(|| Self {
            persons,
            records,
            counts: counts.collect(),
        })
    }
}

fn sum(mut left: Vec<u64>, right: Vec<u64>) -> Vec<u64> {
    left.iter_mut()
        .zip(right)
        .for_each(|(left, right)| *left += right);
    left
}

/// Mean and standard deviation.
pub(super) fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let count = to_f64(values.len().max(1));
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    (mean, variance.sqrt())
}

/// Gini coefficient: 0 when all values are alike.
pub(super) fn gini(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let total: f64 = sorted.iter().sum();
    if total <= 0.0 {
        return 0.0;
    }
    let count = to_f64(sorted.len());
    let ranked: f64 = sorted
        .iter()
        .zip(1_u32..)
        .map(|(value, rank)| f64::from(rank) * value)
        .sum();
    2.0 * ranked / (count * total) - (count + 1.0) / count
}

/// Jensen–Shannon distance (root of the divergence in bits) of the values, as a distribution, from the uniform one. Zeros count.
pub(super) fn jensen_shannon_from_uniform(values: &[f64]) -> f64 {
    let total: f64 = values.iter().sum();
    if total <= 0.0 {
        return 1.0;
    }
    let uniform = 1.0 / to_f64(values.len());
    let divergence: f64 = values
        .iter()
        .map(|value| {
            let p = value / total;
            let middle = f64::midpoint(p, uniform);
            let of_p = if p > 0.0 { p * (p / middle).log2() } else { 0.0 };
            f64::midpoint(of_p, uniform * (uniform / middle).log2())
        })
        .sum();
    divergence.max(0.0).sqrt()
}

#[expect(clippy::cast_precision_loss, reason = "bits of a filter")]
fn to_f64(len: usize) -> f64 {
    len as f64
}

/// How far the bit frequencies of two datasets are apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ColumnDistance {
    /// 1 − r, in [0, 1]: r is the correlation of what the columns have above or below the mean of their part, with the noise of
    /// counting taken out. The same schema and key give about 0 whatever the people, others about 1.
    pub(super) distance: f64,
    /// Standard error of r where nothing is alike.
    pub(super) error: f64,
}

/// Compares two profiles part by part (the field's, where fields are kept apart). `None` where they are of different lengths or
/// one has no record.
pub(super) fn column_distance(
    left: &ColumnProfile,
    right: &ColumnProfile,
    part_bits: usize,
) -> Option<ColumnDistance> {
    if left.counts.len() != right.counts.len() || left.records == 0 || right.records == 0 {
        return None;
    }
    let fills = [left, right].map(ColumnProfile::fills);
    let noise = [left, right]
        .iter()
        .zip(&fills)
        .map(|(profile, fills)| {
            let persons = super::to_f64(profile.persons.max(1));
            fills.iter().map(|fill| fill * (1.0 - fill)).sum::<f64>() / persons
        })
        .collect::<Vec<f64>>();
    let (mut products, mut squares) = (0.0, [0.0, 0.0]);
    for (left, right) in fills[0].chunks(part_bits).zip(fills[1].chunks(part_bits)) {
        let [left_mean, right_mean] = [left, right].map(|part| mean_and_deviation(part).0);
        for (left, right) in left.iter().zip(right) {
            let (left, right) = (left - left_mean, right - right_mean);
            products += left * right;
            squares[0] += left * left;
            squares[1] += right * right;
        }
    }
    let signal = [0, 1].map(|side| (squares[side] - noise[side]).max(squares[side] * 1e-3));
    let scale = (signal[0] * signal[1]).sqrt();
    if scale <= 0.0 {
        return None;
    }
    Some(ColumnDistance {
        distance: (1.0 - products / scale).clamp(0.0, 1.0),
        error: (squares[0] * squares[1] / to_f64(left.counts.len())).sqrt() / scale,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(counts: &[u64], records: u64) -> ColumnProfile {
        ColumnProfile {
            persons: records,
            records,
            counts: counts.to_vec(),
        }
    }

    #[test]
    fn measures_of_half_full_columns_are_those_computed_by_hand() {
        let values = [1.0, 1.0, 0.0, 0.0];
        let (mean, deviation) = mean_and_deviation(&values);
        assert!((mean - 0.5).abs() < 1e-12 && (deviation - 0.5).abs() < 1e-12);
        assert!((gini(&values) - 0.5).abs() < 1e-12);
        // Against their mean, (3, 3, 1, 1) / 8: of (1, 1, 0, 0) / 2, and of (1, 1, 1, 1) / 4.
        let divergence = f64::midpoint((4_f64 / 3.0).log2(), f64::midpoint((2_f64 / 3.0).log2(), 1.0));
        assert!((jensen_shannon_from_uniform(&values) - divergence.sqrt()).abs() < 1e-9);
        assert!((jensen_shannon_from_uniform(&[0.0; 4]) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_profile_comes_back_from_its_bytes() {
        let profile = profile(&[3, 0, 7], 9);
        assert_eq!(
            ColumnProfile::from_bytes(&profile.to_bytes()),
            Some(profile.clone())
        );
        assert_eq!(ColumnProfile::from_bytes(&profile.to_bytes()[1..]), None);
    }

    #[test]
    fn a_part_of_the_same_people_is_near_and_other_columns_are_far() {
        let counts: Vec<u64> = (0..256).map(|column| 3000 + column * 37 % 256 * 16).collect();
        let others: Vec<u64> = (0..256).map(|column| 3000 + column * 91 % 256 * 16).collect();
        let fewer: Vec<u64> = counts.iter().map(|count| count / 10).collect();
        let whole = profile(&counts, 10_000);
        let near = column_distance(&whole, &profile(&fewer, 1000), 256).unwrap();
        assert!(near.distance < 0.02, "{near:?}");
        let far = column_distance(&whole, &profile(&others, 10_000), 256).unwrap();
        assert!(far.distance > 0.8 && far.error < 0.1, "{far:?}");
        // Few records: the noise says that nothing can be said.
        let mut few = [1; 256];
        few[0] = 2;
        let noisy = column_distance(&whole, &profile(&few, 2), 256).unwrap();
        assert!(noisy.error > 0.2, "{noisy:?}");
        // Columns that are all alike have nothing to compare.
        assert_eq!(column_distance(&whole, &profile(&[1; 256], 2), 256), None);
    }

    #[test]
    fn fields_that_are_full_and_empty_do_not_hide_other_columns() {
        let of = |step: u64| -> Vec<u64> {
            (0..256)
                .map(|column| if column < 128 { 8000 } else { 500 } + column * step % 128)
                .collect()
        };
        let (left, right) = (profile(&of(37), 100_000_000), profile(&of(91), 100_000_000));
        assert!(column_distance(&left, &right, 256).unwrap().distance < 0.05);
        assert!(column_distance(&left, &right, 128).unwrap().distance > 0.7);
    }
}
