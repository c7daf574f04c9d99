use corridor_core::{Measure, SeededEntropy, Stop, Stopped, Threshold};
use corridor_kernel::{FilterMatrix, Kernel, Search};
use rayon::prelude::*;
use serde::Serialize;

use crate::fields::FieldLinks;
use crate::null::{RIGHT_IN_CACHE, sample_rows};
use crate::side::LinkSide;
use crate::tile::{to_cut, to_index, to_record};

/// What blocks cost, measured: some records of the left are compared with all of the right, and of those with a partner at
/// or above the threshold it is looked up whether the most alike one shares a block with them. A partner is one of whom nobody else on
/// the left is more alike: a threshold that tells matches from the strangers who share a block may be far too low for all strangers there
/// are, and whoever has no match finds somebody above it, who mostly has a match of his own.
///
/// Some of these partners are strangers all the same, and hardly any of those share a block: they make the share too low. Among the
/// partners who are as alike as few strangers are it is too high, for what is wrong in a record parts blocks, too. The mean of both is
/// told, from the lower end of the one's interval to the upper end of the other's.
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
    /// Records with a partner as alike as few strangers are; 0 where it is not known how alike these are.
    pub with_sure_partner: u64,
    /// Of these, records that share a block.
    pub sure_in_a_block: u64,
}

/// Who counts as a partner.
#[derive(Debug, Clone, Copy)]
pub struct PartnerLevel<'l> {
    /// At least this alike by the whole filter.
    pub threshold: Threshold,
    /// With a match weight that a link may have, where fields decided.
    pub fields: Option<&'l FieldLinks>,
    /// From where on few strangers are that alike, where that is known ([`ComparePlan::few_strangers`](crate::ComparePlan::few_strangers)).
    pub sure: Option<f64>,
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

/// The most alike record on the other side.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Best {
    similarity: f64,
    record: u32,
    meets: bool,
}

impl Best {
    /// Below every similarity.
    const NONE: Self = Self {
        similarity: -2.0,
        record: u32::MAX,
        meets: false,
    };

    fn is_some(&self) -> bool {
        self.record != u32::MAX
    }

    /// Of several as alike, one that meets, and of these the first.
    fn take(&mut self, other: Self) {
        let key = |best: &Self| (best.meets, std::cmp::Reverse(best.record));
        if other.similarity > self.similarity
            || (other.similarity >= self.similarity && key(&other) > key(self))
        {
            *self = other;
        }
    }
}

impl BlockingLoss {
    /// Measures on a sample drawn from `seed`, where `meet` says whether a record of the left and one of the right are compared,
    /// on the current rayon pool; the same whatever its size. Where fewer than [`LEAST_PARTNERS`] have a partner, more records are
    /// sampled, within eight times the work.
    ///
    /// # Errors
    /// When the left side's work is stopped.
    pub fn measure(
        left: &LinkSide<'_>,
        right: &LinkSide<'_>,
        measure: Measure,
        level: PartnerLevel<'_>,
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
            with_sure_partner: 0,
            sure_in_a_block: 0,
        };
        let (mut from, mut until) = (0, wanted.min(rows.len()));
        while from < until {
            let more = Self::measure_among((left, right), measure, level, meet, &rows[from..until])?;
            loss.records_sampled += more.records_sampled;
            loss.with_partner += more.with_partner;
            loss.in_a_block += more.in_a_block;
            loss.with_sure_partner += more.with_sure_partner;
            loss.sure_in_a_block += more.sure_in_a_block;
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
        level: PartnerLevel<'_>,
        meet: &(dyn Fn(u32, u32) -> bool + Sync),
        rows: &[usize],
    ) -> Result<Self, Stopped> {
        let PartnerLevel {
            threshold,
            fields,
            sure,
        } = level;
        let search = Search::full(to_cut(left, measure, threshold));
        let similarity_of = |row: usize, other: usize, distance: u32| match fields {
            _ if left.is_constant(row) || right.is_constant(other) => None,
            Some(fields) => fields.score_of_link((left, row), (right, other)),
            None => {
                let ones = left.matrix().ones(row) + right.matrix().ones(other);
                search.cut().similarity(distance, ones)
            }
        };
        let meets = |row: usize, other: usize| meet(to_record(row), to_record(other));
        let partners = best_among((left, rows), right, &search, left.stop(), &similarity_of, &meets)?;
        let found: Vec<(usize, Best)> = rows
            .iter()
            .copied()
            .zip(partners)
            .filter(|(_, best)| best.is_some())
            .collect();
        // The same the other way round, among other people than the one who found the partner.
        let of_partners: Vec<usize> = found.iter().map(|(_, best)| to_index(best.record)).collect();
        let turned = |partner: usize, row: usize, distance: u32| similarity_of(row, partner, distance);
        let rivals = best_among(
            (right, &of_partners),
            left,
            &search,
            left.stop(),
            &turned,
            &|_, _| false,
        )?;
        let is_partner = |((row, best), rival): &(&(usize, Best), Best)| {
            rival.similarity <= best.similarity || left.person_of(rival.record) == left.person_of_row(*row)
        };
        let partners: Vec<&Best> = found
            .iter()
            .zip(rivals)
            .filter(is_partner)
            .map(|((_, best), _)| best)
            .collect();
        let to_count = |count: usize| u64::try_from(count).expect("a length fits");
        let is_sure = |best: &&&Best| sure.is_some_and(|sure| best.similarity >= sure);
        let sure_ones = || partners.iter().filter(is_sure);
        Ok(Self {
            records_sampled: to_count(rows.len()),
            with_partner: to_count(partners.len()),
            in_a_block: to_count(partners.iter().filter(|best| best.meets).count()),
            with_sure_partner: to_count(sure_ones().count()),
            sure_in_a_block: to_count(sure_ones().filter(|best| best.meets).count()),
        })
    }

    /// Pairs that are compared to measure it at most, for so many records of the left and of the right, where the first sample has
    /// partners enough.
    pub fn pairs_compared(left_len: usize, right_len: usize) -> u64 {
        let pairs = left_len.min(records_wanted(right_len)) * (left_len + right_len);
        u64::try_from(pairs).expect("a count of pairs")
    }

    /// Share of the partners that share a block; `None` when no record of the sample has a partner.
    pub fn completeness(&self) -> Option<f64> {
        let all = share(self.in_a_block, self.with_partner)?;
        Some(
            self.sure()
                .map_or(all, |(count, of)| f64::midpoint(all, (count / of).max(all))),
        )
    }

    /// 95 % interval of it: of each of both shares (Wilson 1927), the lower end of the lower and the upper end of the higher.
    pub fn interval(&self) -> Option<(f64, f64)> {
        let (low, high) = wilson(to_f64(self.in_a_block), to_f64(self.with_partner))?;
        let sure = self.sure().and_then(|(count, of)| wilson(count, of));
        Some((low, sure.map_or(high, |(_, sure)| sure.max(high))))
    }

    /// Those who share a block, and all, of the partners who are as alike as few strangers are, where these are enough to tell of.
    fn sure(&self) -> Option<(f64, f64)> {
        (self.with_sure_partner >= LEAST_PARTNERS)
            .then(|| (to_f64(self.sure_in_a_block), to_f64(self.with_sure_partner)))
    }
}

fn share(count: u64, of: u64) -> Option<f64> {
    (of > 0).then(|| to_f64(count) / to_f64(of))
}

fn wilson(count: f64, of: f64) -> Option<(f64, f64)> {
    if of <= 0.0 {
        return None;
    }
    let (share, z) = (count / of, 1.959_964);
    let centre = share + z * z / (2.0 * of);
    let half = z * (share * (1.0 - share) / of + z * z / (4.0 * of * of)).sqrt();
    let scale = 1.0 + z * z / of;
    Some((
        ((centre - half) / scale).max(0.0),
        ((centre + half) / scale).min(1.0),
    ))
}

#[expect(clippy::cast_precision_loss, reason = "a sample of thousands")]
const fn to_f64(count: u64) -> f64 {
    count as f64
}

/// The best of `other` for some rows of `side`, by their order. `similarity_of` is asked with a row, a record of the other side and how
/// many bits they differ in, and gives `None` where they are no pair; `meets` with both.
fn best_among(
    (side, rows): (&LinkSide<'_>, &[usize]),
    other: &LinkSide<'_>,
    search: &Search,
    stop: &Stop,
    similarity_of: &(dyn Fn(usize, usize, u32) -> Option<f64> + Sync),
    meets: &(dyn Fn(usize, usize) -> bool + Sync),
) -> Result<Vec<Best>, Stopped> {
    let kernel = Kernel::best();
    let words: Vec<u64> = rows.iter().flat_map(|&row| side.row(row)).copied().collect();
    let matrix =
        FilterMatrix::try_new(&words, side.matrix().words_per_filter()).expect("whole filters of a side");
    let none = || vec![Best::NONE; rows.len()];
    let starts: Vec<usize> = (0..other.len()).step_by(RIGHT_IN_CACHE).collect();
    starts
        .par_iter()
        .try_fold(none, |mut best, &start| {
            stop.check()?;
            let packed = other.pack_some(start..(start + RIGHT_IN_CACHE).min(other.len()));
            let mut pairs = Vec::new();
            kernel.pairs_reaching(
                (&matrix, 0..rows.len()),
                (&packed, 0..packed.len()),
                search,
                &mut pairs,
            );
            for pair in pairs {
                let at = to_index(pair.left);
                let (row, record) = (rows[at], start + to_index(pair.right));
                let similarity = similarity_of(row, record, pair.distance);
                if let Some(similarity) = similarity.filter(|similarity| *similarity >= best[at].similarity) {
                    best[at].take(Best {
                        similarity,
                        record: to_record(record),
                        meets: meets(row, record),
                    });
                }
            }
            Ok(best)
        })
        .try_reduce(none, |mut into, from| {
            into.iter_mut().zip(from).for_each(|(into, from)| into.take(from));
            Ok(into)
        })
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
                with_sure_partner: 0,
                sure_in_a_block: 0,
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
            with_sure_partner: 0,
            sure_in_a_block: 0,
        };
        assert_eq!((none.completeness(), none.interval()), (None, None));
    }
}
