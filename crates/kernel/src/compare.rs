use std::ops::Range;

use crate::{Cut, FilterMatrix, Measure, Pair};

/// Name of the path these functions take, for reports.
pub const KERNEL_NAME: &str = "portable";

/// Right rows compared against a group of left rows while they are in the first-level cache.
const RIGHT_ROWS_PER_BLOCK: usize = 64;

/// Appends to `out` every pair of `left_rows` × `right_rows` that reaches `cut`, by left index, then right.
///
/// # Panics
/// When a range passes the end of its matrix, or the filters differ in length.
pub fn pairs_reaching(
    left: &FilterMatrix<'_>,
    left_rows: Range<usize>,
    right: &FilterMatrix<'_>,
    right_rows: Range<usize>,
    cut: &Cut,
    out: &mut Vec<Pair>,
) {
    assert_eq!(
        left.words_per_filter(),
        right.words_per_filter(),
        "filters of the same length"
    );
    let first = out.len();
    for block_start in right_rows.clone().step_by(RIGHT_ROWS_PER_BLOCK) {
        let block = block_start..(block_start + RIGHT_ROWS_PER_BLOCK).min(right_rows.end);
        for left_row in left_rows.clone() {
            let words = left.row(left_row);
            let ones = left.ones(left_row);
            for right_row in block.clone() {
                let count = count(cut.measure(), words, right.row(right_row));
                if cut.lets_in(count, ones, right.ones(right_row)) {
                    out.push(Pair {
                        left: to_index(left_row),
                        right: to_index(right_row),
                        count,
                    });
                }
            }
        }
    }
    // Blocks of the right side came one after the other; the contract is by left row.
    out[first..].sort_unstable();
}

/// The counts of `row` against every filter of `right`, in order: bits in common (Dice) or that differ (ρ).
///
/// # Panics
/// When `row` is not as long as a filter of `right`.
pub fn counts_of_row(measure: Measure, row: &[u64], right: &FilterMatrix<'_>, out: &mut Vec<u32>) {
    assert_eq!(row.len(), right.words_per_filter(), "filters of the same length");
    out.clear();
    out.extend((0..right.len()).map(|index| count(measure, row, right.row(index))));
}

fn to_index(row: usize) -> u32 {
    u32::try_from(row).expect("a matrix has at most 2^32 - 1 records")
}

#[inline]
fn count(measure: Measure, left: &[u64], right: &[u64]) -> u32 {
    match measure {
        Measure::Dice => sum_ones(left, right, |a, b| a & b),
        Measure::Rho => sum_ones(left, right, |a, b| a ^ b),
    }
}

#[inline]
fn sum_ones(left: &[u64], right: &[u64], combine: impl Fn(u64, u64) -> u64) -> u32 {
    left.iter()
        .zip(right)
        .map(|(&a, &b)| combine(a, b).count_ones())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MEASURES: [Measure; 2] = [Measure::Dice, Measure::Rho];

    /// The definition, bit by bit, in fractions.
    fn reaches(measure: Measure, a: &[u64], b: &[u64], p: u64, q: u64) -> bool {
        let bit = |words: &[u64], j: usize| words[j / 64] >> (j % 64) & 1;
        let (mut both, mut differ, mut ones) = (0_u64, 0_u64, 0_u64);
        for j in 0..a.len() * 64 {
            both += bit(a, j) & bit(b, j);
            differ += bit(a, j) ^ bit(b, j);
            ones += bit(a, j) + bit(b, j);
        }
        match measure {
            Measure::Dice => ones > 0 && 2 * both * q >= p * ones,
            Measure::Rho => {
                let m = i128::try_from(a.len() * 64).unwrap();
                i128::from(q) * (m - 2 * i128::from(differ)) >= i128::from(p) * m
            }
        }
    }

    fn pairs(measure: Measure, words: usize, left: &[u64], right: &[u64], p: u32, q: u32) -> Vec<(u32, u32)> {
        let left = FilterMatrix::try_new(left, words).unwrap();
        let right = FilterMatrix::try_new(right, words).unwrap();
        let mut out = Vec::new();
        let cut = Cut::new(measure, words, p, q);
        pairs_reaching(&left, 0..left.len(), &right, 0..right.len(), &cut, &mut out);
        out.iter().map(|pair| (pair.left, pair.right)).collect()
    }

    proptest! {
        #[test]
        fn pairs_are_those_of_the_definition(
            words in 1_usize..5,
            left in prop::collection::vec(any::<u64>(), 0..40),
            right in prop::collection::vec(any::<u64>(), 0..300),
            p in 0_u32..=100,
        ) {
            let cut_to = |side: &[u64]| side[..side.len() / words * words].to_vec();
            let (left, right) = (cut_to(&left), cut_to(&right));
            for measure in MEASURES {
                let mut expected = Vec::new();
                for (i, a) in left.chunks(words).enumerate() {
                    for (j, b) in right.chunks(words).enumerate() {
                        if reaches(measure, a, b, u64::from(p), 100) {
                            expected.push((u32::try_from(i).unwrap(), u32::try_from(j).unwrap()));
                        }
                    }
                }
                prop_assert_eq!(pairs(measure, words, &left, &right, p, 100), expected);
            }
        }

        #[test]
        fn similarity_is_symmetric_and_1_for_equal_filters(
            a in prop::collection::vec(any::<u64>(), 3),
            b in prop::collection::vec(any::<u64>(), 3),
        ) {
            let left = FilterMatrix::try_new(&a, 3).unwrap();
            let right = FilterMatrix::try_new(&b, 3).unwrap();
            for measure in MEASURES {
                let cut = Cut::new(measure, 3, 0, 1);
                let mut counts = Vec::new();
                let mut similarity = |x: &FilterMatrix<'_>, y: &FilterMatrix<'_>| {
                    counts_of_row(measure, x.row(0), y, &mut counts);
                    cut.similarity_of_count(counts[0], x.ones(0), y.ones(0))
                };
                prop_assert_eq!(similarity(&left, &right), similarity(&right, &left));
                if left.ones(0) > 0 {
                    prop_assert_eq!(similarity(&left, &left), Some(1.0));
                }
            }
        }
    }

    #[test]
    fn a_pair_exactly_at_the_threshold_is_in() {
        // Dice 2·2/(3+2) = 0.8; ρ = 1 − 2·8/64 = 0.75.
        assert_eq!(pairs(Measure::Dice, 1, &[0b111], &[0b110], 80, 100).len(), 1);
        assert_eq!(pairs(Measure::Dice, 1, &[0b111], &[0b110], 801, 1000).len(), 0);
        assert_eq!(pairs(Measure::Rho, 1, &[0], &[0xff], 75, 100).len(), 1);
        assert_eq!(pairs(Measure::Rho, 1, &[0], &[0xff], 751, 1000).len(), 0);
    }

    #[test]
    fn two_empty_filters_have_no_dice_similarity() {
        assert_eq!(pairs(Measure::Dice, 1, &[0], &[0, 1], 0, 1), [(0, 1)]);
        let cut = Cut::new(Measure::Dice, 1, 1, 2);
        assert_eq!(cut.similarity_of_count(0, 0, 0), None);
    }

    #[test]
    fn refuses_what_is_no_matrix() {
        assert!(FilterMatrix::try_new(&[0; 3], 2).is_err());
        assert!(FilterMatrix::try_new(&[0; 3], 0).is_err());
        assert!(FilterMatrix::try_new(&[0; 65], 65).is_err());
        assert!(FilterMatrix::try_new(&[], 16).unwrap().is_empty());
    }
}
