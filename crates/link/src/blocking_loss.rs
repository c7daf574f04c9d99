use corridor_core::{Measure, SeededEntropy, Stopped, Threshold};
use corridor_kernel::{FilterMatrix, Kernel, Search};
use rayon::prelude::*;
use serde::Serialize;

use crate::fields::FieldLinks;
use crate::null::{RIGHT_IN_CACHE, sample_rows};
use crate::side::LinkSide;
use crate::tile::{to_cut, to_index, to_record};

/// What blocks cost, measured: some records of the left are compared with all of the right, and of those with a partner at
/// or above the threshold it is looked up whether the most alike one shares a block with them.
///
/// Pairs completeness of the field, over the pairs that would be linked.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BlockingLoss {
    /// Records of the left that were compared with all of the right.
    pub records_sampled: u64,
    /// Of these, records with a partner at or above the threshold.
    pub with_partner: u64,
    /// Of these, records that share a block with their most alike partner (one of them, where several are as alike).
    pub in_a_block: u64,
}

/// Pairs compared to measure the loss, about: seconds of work.
const PAIRS: usize = 2_000_000_000;
/// Records sampled at most and, however large the other side, at least.
const MOST_RECORDS: usize = 20_000;
const LEAST_RECORDS: usize = 200;
/// Partners below which a sample says too little, and would tell how few there are.
pub const LEAST_PARTNERS: u64 = 100;
/// A sample with fewer grows to twice its size, so many times at most.
const MOST_DOUBLINGS: u32 = 3;
/// Below every similarity.
const NO_PARTNER: f64 = -2.0;

impl BlockingLoss {
    /// Measures on a sample drawn from `seed`, where `meet` says whether a record of the left and one of the right are compared,
    /// on the current rayon pool; the same whatever its size. A partner is a record at or
    /// above `threshold` by its whole filter and, where fields decided, with a match weight that a link may have. Where fewer than
    /// [`LEAST_PARTNERS`] have one, more records are sampled, within eight times the work.
    ///
    /// # Errors
    /// When the left side's work is stopped.
    pub fn measure(
        left: &LinkSide<'_>,
        right: &LinkSide<'_>,
        measure: Measure,
        level: (Threshold, Option<&FieldLinks>),
        meet: &(dyn Fn(u32, u32) -> bool + Sync),
        seed: u64,
    ) -> Result<Self, Stopped> {
        let wanted = records_wanted(right.len());
        let drawn = sample_rows(
            left.len(),
            wanted << MOST_DOUBLINGS,
            &mut SeededEntropy::new(seed, "blocking loss"),
        );
        // From the whole length of what was drawn, which is in the order of the file, first every eighth, then those in between.
        let strides = [0, 4, 2, 6, 1, 5, 3, 7];
        let rows: Vec<usize> = strides
            .iter()
            .flat_map(|first| drawn.iter().skip(*first).step_by(strides.len()))
            .copied()
            .collect();
        let mut loss = Self {
            records_sampled: 0,
            with_partner: 0,
            in_a_block: 0,
        };
        let (mut from, mut until) = (0, wanted.min(rows.len()));
        while from < until {
            let more = Self::measure_among((left, right), measure, level, meet, &rows[from..until])?;
            loss.records_sampled += more.records_sampled;
            loss.with_partner += more.with_partner;
            loss.in_a_block += more.in_a_block;
            if loss.with_partner >= LEAST_PARTNERS {
                break;
            }
            (from, until) = (until, (2 * until).min(rows.len()));
        }
        Ok(loss)
    }

    fn measure_among(
        (left, right): (&LinkSide<'_>, &LinkSide<'_>),
        measure: Measure,
        (threshold, fields): (Threshold, Option<&FieldLinks>),
        meet: &(dyn Fn(u32, u32) -> bool + Sync),
        rows: &[usize],
    ) -> Result<Self, Stopped> {
        let kernel = Kernel::best();
        let search = Search::full(to_cut(left, measure, threshold));
        let words: Vec<u64> = rows.iter().flat_map(|&row| left.row(row)).copied().collect();
        let matrix =
            FilterMatrix::try_new(&words, left.matrix().words_per_filter()).expect("whole filters of a side");
        // Of each row, how alike its best partner is so far, and whether one that is as alike shares a block with it.
        let none = || vec![(NO_PARTNER, false); rows.len()];
        let better = |into: &mut (f64, bool), (similarity, meets): (f64, bool)| {
            if similarity > into.0 {
                *into = (similarity, meets);
            } else if similarity >= into.0 {
                into.1 |= meets;
            }
        };
        let similarity_of = |row: usize, other: usize, distance: u32| match fields {
            _ if left.is_constant(row) || right.is_constant(other) => None,
            Some(fields) => fields.score_of_link((left, row), (right, other)),
            None => {
                let ones = left.matrix().ones(row) + right.matrix().ones(other);
                search.cut().similarity(distance, ones)
            }
        };
        let starts: Vec<usize> = (0..right.len()).step_by(RIGHT_IN_CACHE).collect();
        let partners = starts
            .par_iter()
            .try_fold(none, |mut partners, &start| {
                left.stop().check()?;
                let packed = right.pack_some(start..(start + RIGHT_IN_CACHE).min(right.len()));
                let mut pairs = Vec::new();
                kernel.pairs_reaching(
                    (&matrix, 0..rows.len()),
                    (&packed, 0..packed.len()),
                    &search,
                    &mut pairs,
                );
                for pair in pairs {
                    let at = to_index(pair.left);
                    let (row, other) = (rows[at], start + to_index(pair.right));
                    let Some(similarity) = similarity_of(row, other, pair.distance) else {
                        continue;
                    };
                    if similarity >= partners[at].0 {
                        let meets = meet(to_record(row), to_record(other));
                        better(&mut partners[at], (similarity, meets));
                    }
                }
                Ok(partners)
            })
            .try_reduce(none, |mut into, from| {
                into.iter_mut()
                    .zip(from)
                    .for_each(|(into, from)| better(into, from));
                Ok(into)
            })?;
        let count = |is_counted: &dyn Fn(&(f64, bool)) -> bool| {
            u64::try_from(partners.iter().filter(|partner| is_counted(partner)).count())
                .expect("a length fits")
        };
        Ok(Self {
            records_sampled: u64::try_from(rows.len()).expect("a length fits"),
            with_partner: count(&|partner| partner.0 > NO_PARTNER),
            in_a_block: count(&|partner| partner.1),
        })
    }

    /// Pairs that are compared to measure it, for so many records of the left and of the right, where the first sample has partners
    /// enough.
    pub fn pairs_compared(left_len: usize, right_len: usize) -> u64 {
        let pairs = left_len.min(records_wanted(right_len)) * right_len;
        u64::try_from(pairs).expect("a count of pairs")
    }

    /// Share of the partners that share a block; `None` when no record of the sample has a partner.
    #[expect(clippy::cast_precision_loss, reason = "a sample of thousands")]
    pub fn completeness(&self) -> Option<f64> {
        (self.with_partner > 0).then(|| self.in_a_block as f64 / self.with_partner as f64)
    }

    /// 95 % interval of it (Wilson 1927).
    #[expect(clippy::cast_precision_loss, reason = "a sample of thousands")]
    pub fn interval(&self) -> Option<(f64, f64)> {
        let share = self.completeness()?;
        let (count, z) = (self.with_partner as f64, 1.959_964);
        let centre = share + z * z / (2.0 * count);
        let half = z * (share * (1.0 - share) / count + z * z / (4.0 * count * count)).sqrt();
        let scale = 1.0 + z * z / count;
        Some((
            ((centre - half) / scale).max(0.0),
            ((centre + half) / scale).min(1.0),
        ))
    }
}

/// Records of the left to sample.
fn records_wanted(right_len: usize) -> usize {
    (PAIRS / right_len).clamp(LEAST_RECORDS, MOST_RECORDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_wilsons() {
        // Newcombe 1998, table I: 81 of 263, 15 of 148, 0 of 20, with method 3.
        for (in_a_block, with_partner, expected) in [
            (81, 263, (0.2553, 0.3662)),
            (15, 148, (0.0624, 0.1605)),
            (0, 20, (0.0, 0.1611)),
        ] {
            let loss = BlockingLoss {
                records_sampled: 1000,
                with_partner,
                in_a_block,
            };
            let (low, high) = loss.interval().unwrap();
            assert!(
                (low - expected.0).abs() < 5e-5 && (high - expected.1).abs() < 5e-5,
                "{low} {high}"
            );
        }
        let none = BlockingLoss {
            records_sampled: 5,
            with_partner: 0,
            in_a_block: 0,
        };
        assert_eq!((none.completeness(), none.interval()), (None, None));
    }
}
