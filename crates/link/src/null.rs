use corridor_core::{Entropy, Measure, Stop, Stopped};
use corridor_kernel::{Cut, FilterMatrix, Kernel};
use rayon::prelude::*;

use crate::blocks::Blocks;
use crate::side::{LinkSide, to_kernel};
use crate::tile::{right_per_sweep, to_index};

/// Width of a bin of similarity.
pub(crate) const BIN_WIDTH: f64 = 0.000_5;
/// Bins over [−1, 1], the last for 1 itself.
pub(crate) const BINS: usize = 4001;
/// Records of each side compared with all of their own side, where that is not too much.
const SAMPLED_RECORDS: usize = 6000;
/// Records compared however large the side is.
const LEAST_SAMPLED: usize = 1000;
/// Pairs of a side compared, about: seconds of work.
const SAMPLED_PAIRS: usize = 1_000_000_000;
/// Records of the left side compared with all of the right.
pub(crate) const SAMPLED_BETWEEN: usize = 2000;

/// Pairs of blocks compared, about.
const SAMPLED_IN_BLOCKS: u64 = 50_000_000;

/// How alike different people are, learnt without truth: records of one register compared with the other
/// records of the same register, which are of other people. Namesakes, relatives and common dates are in
/// it as they are between the registers, which formulas for random bits would miss.
#[derive(Debug, Clone)]
pub struct NullDistribution {
    counts: Vec<u64>,
    pairs: u64,
}

/// The bin of a similarity; its lower edge is [`bin_edge`].
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a similarity is in [-1, 1], so the bin is in 0..BINS"
)]
pub(crate) fn bin_of(similarity: f64) -> usize {
    // A similarity that is a bin edge may come out a rounding error below it. What is cut off is the fraction: none is below zero.
    ((similarity + 1.0) / BIN_WIDTH + 1e-9) as usize
}

/// Smallest similarity of a bin.
#[expect(clippy::cast_precision_loss, reason = "bins are few")]
pub(crate) fn bin_edge(bin: usize) -> f64 {
    bin as f64 * BIN_WIDTH - 1.0
}

impl NullDistribution {
    /// The same from counts by bin, of pairs that were compared elsewhere.
    pub(crate) fn of_counts(counts: Vec<u64>) -> Self {
        Self {
            pairs: counts.iter().sum(),
            counts,
        }
    }

    /// Takes from `entropy` what [`NullDistribution::sample`] does, for whoever needs what is drawn after it.
    pub(crate) fn pass_over(left: &LinkSide<'_>, right: &LinkSide<'_>, entropy: &mut dyn Entropy) {
        for side in [left, right] {
            sample_rows(side.len(), own_rows_wanted(side.len()), entropy);
        }
    }

    /// Compares a sample of each side's records with all records of other persons on the same side. The
    /// sample is drawn from `entropy` and is everything where a side is small. Runs on the current rayon
    /// pool; the result does not depend on its size.
    ///
    /// # Errors
    /// When the left side's work is stopped.
    pub fn sample(
        left: &LinkSide<'_>,
        right: &LinkSide<'_>,
        measure: Measure,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, Stopped> {
        let mut counts = vec![0; BINS];
        for side in [left, right] {
            let rows = sample_rows(side.len(), own_rows_wanted(side.len()), entropy);
            let bins = Bins::new(side, side, measure);
            let side_counts = histogram((side, &rows), side, &bins, Counted::OfOthers, left.stop())?;
            counts = add(counts, side_counts);
        }
        Ok(Self::of_counts(counts))
    }

    /// Compares a sample of the left side's records with all of the right: people of two registers as they are, partners
    /// included.
    pub(crate) fn sample_between(
        left: &LinkSide<'_>,
        right: &LinkSide<'_>,
        measure: Measure,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, Stopped> {
        let rows = sample_rows(left.len(), SAMPLED_BETWEEN, entropy);
        let bins = Bins::new(left, right, measure);
        let counts = histogram((left, &rows), right, &bins, Counted::All, left.stop())?;
        Ok(Self::of_counts(counts))
    }

    /// Compares every so many pieces of the blocks: pairs that share a block as they are, partners included. Draws nothing.
    pub(crate) fn sample_in_blocks(
        left: &LinkSide<'_>,
        right: &LinkSide<'_>,
        measure: Measure,
        blocks: &Blocks<'_>,
    ) -> Result<Self, Stopped> {
        let every = sampled_every(blocks);
        let cut = Cut::new(to_kernel(measure), left.matrix().words_per_filter(), 0, 1);
        let kernel = Kernel::best();
        let counts = blocks
            .all_pieces()
            .par_iter()
            .step_by(every)
            .try_fold(
                || vec![0; BINS],
                |mut counts, piece| {
                    left.stop().check()?;
                    let (left_records, right_records) = blocks.records(piece);
                    let mut distances = Vec::new();
                    // A block may be as large as its side, which is not to be copied for each thread.
                    for right_records in right_records.chunks(right_per_sweep(left_records.len())) {
                        let right_words: Vec<u64> = right_records
                            .iter()
                            .flat_map(|&record| right.row(to_index(record)))
                            .copied()
                            .collect();
                        let packed = FilterMatrix::try_new(&right_words, left.matrix().words_per_filter())
                            .expect("whole filters of a side")
                            .to_packed();
                        for &record in left_records {
                            let record = to_index(record);
                            if left.is_constant(record) {
                                continue;
                            }
                            kernel.distances(left.row(record), (&packed, 0..packed.len()), &mut distances);
                            for (&other, &distance) in right_records.iter().zip(&distances) {
                                if right.is_constant(to_index(other)) {
                                    continue;
                                }
                                let ones = left.matrix().ones(record) + right.matrix().ones(to_index(other));
                                if let Some(similarity) = cut.similarity(distance, ones) {
                                    counts[bin_of(similarity)] += 1;
                                }
                            }
                        }
                    }
                    Ok(counts)
                },
            )
            .try_reduce(|| vec![0; BINS], |into, from| Ok(add(into, from)))?;
        Ok(Self::of_counts(counts))
    }

    /// Of no pairs yet.
    pub(crate) fn empty() -> Self {
        Self {
            counts: vec![0; BINS],
            pairs: 0,
        }
    }

    /// Adds a pair that is this alike.
    pub(crate) fn add_pair(&mut self, similarity: f64) {
        self.counts[bin_of(similarity)] += 1;
    }

    /// Says of how many pairs those added are; the others are less alike than any level that is looked at.
    pub(crate) fn set_pairs(&mut self, pairs: usize) {
        self.pairs = u64::try_from(pairs).expect("a length fits in 64 bits");
    }

    /// Both together.
    pub(crate) fn merged(self, other: Self) -> Self {
        Self {
            counts: add(self.counts, other.counts),
            pairs: self.pairs + other.pairs,
        }
    }

    /// Pairs of different people in `bin` and above.
    pub(crate) fn count_from(&self, bin: usize) -> usize {
        usize::try_from(self.counts[bin..].iter().sum::<u64>()).unwrap_or(usize::MAX)
    }

    /// Pairs compared.
    pub(crate) fn pair_count(&self) -> usize {
        usize::try_from(self.pairs).unwrap_or(usize::MAX)
    }

    /// How alike different people are on average; those less alike than any level that is looked at count as 0.
    #[expect(clippy::cast_precision_loss, reason = "a mean")]
    pub(crate) fn mean(&self) -> f64 {
        if self.pairs == 0 {
            return 0.0;
        }
        let sum: f64 = (0..)
            .zip(&self.counts)
            .map(|(bin, &count)| bin_edge(bin) * count as f64)
            .sum();
        sum / self.pairs as f64
    }

    /// Share of pairs of different people that fall in `bin`.
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    pub(crate) fn share_in_bin(&self, bin: usize) -> f64 {
        if self.pairs == 0 {
            return 0.0;
        }
        self.counts[bin] as f64 / self.pairs as f64
    }

    /// The lowest bin above which at most `share` of the pairs of different people lie.
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    pub(crate) fn bin_with_tail(&self, share: f64) -> usize {
        let mut above = 0_u64;
        for bin in (0..BINS).rev() {
            above += self.counts[bin];
            if above as f64 > share * self.pairs as f64 {
                return (bin + 1).min(BINS - 1);
            }
        }
        0
    }
}

fn add(mut into: Vec<u64>, from: Vec<u64>) -> Vec<u64> {
    for (into, from) in into.iter_mut().zip(from) {
        *into += from;
    }
    into
}

/// Records of a side of so many that are compared with all of their side.
pub(crate) fn own_rows_wanted(side_len: usize) -> usize {
    (SAMPLED_PAIRS / side_len.max(1)).clamp(LEAST_SAMPLED, SAMPLED_RECORDS)
}

/// One of how many pieces of the blocks is compared for [`NullDistribution::sample_in_blocks`].
pub(crate) fn sampled_every(blocks: &Blocks<'_>) -> usize {
    usize::try_from(blocks.pair_count() / SAMPLED_IN_BLOCKS)
        .unwrap_or(usize::MAX)
        .max(1)
}

/// Which pairs of a row count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counted {
    /// All.
    All,
    /// Those of other persons: the two sides are the same.
    OfOthers,
}

/// Similarities of some rows of one side to all of another, of the pairs that count. Each thread packs some of the right at a time, which
/// then are in its cache for all rows: a whole side packed would take as much memory again as its filters.
fn histogram(
    (left, rows): (&LinkSide<'_>, &[usize]),
    right: &LinkSide<'_>,
    bins: &Bins,
    counted: Counted,
    stop: &Stop,
) -> Result<Vec<u64>, Stopped> {
    let kernel = Kernel::best();
    let starts: Vec<usize> = (0..right.len()).step_by(RIGHT_IN_CACHE).collect();
    starts
        .par_iter()
        .try_fold(
            || vec![0; BINS],
            |mut counts, &start| {
                stop.check()?;
                let others = start..(start + RIGHT_IN_CACHE).min(right.len());
                let packed = right.pack_some(others.clone());
                let mut distances = Vec::new();
                for &row in rows.iter().filter(|&&row| !left.is_constant(row)) {
                    kernel.distances(left.row(row), (&packed, 0..packed.len()), &mut distances);
                    let (ones, person) = (left.matrix().ones(row), left.person_of_row(row));
                    for (other, &distance) in others.clone().zip(&distances) {
                        let counts_not = right.is_constant(other)
                            || (counted == Counted::OfOthers && right.person_of_row(other) == person);
                        let bin = bins.bin_of(distance, ones + right.matrix().ones(other));
                        counts[bin] += u64::from(!counts_not);
                    }
                }
                Ok(counts)
            },
        )
        .try_reduce(|| vec![0; BINS], |into, from| Ok(add(into, from)))
}

/// The bins of all similarities two sides can have, worked out once: there are fewer of them than pairs by far.
struct Bins {
    /// By popcount of both filters together, from `least_ones` on, where the measure looks at it; then by distance.
    table: Vec<u16>,
    least_ones: u32,
    /// Distances of a popcount; 0 where the measure does not look at popcounts.
    per_ones: usize,
}

impl Bins {
    fn new(left: &LinkSide<'_>, right: &LinkSide<'_>, measure: Measure) -> Self {
        let words = left.matrix().words_per_filter();
        let cut = Cut::new(to_kernel(measure), words, 0, 1);
        let ends = |side: &LinkSide<'_>| {
            let ones = (0..side.len()).map(|row| side.matrix().ones(row));
            ones.fold((u32::MAX, 0), |(least, most), ones| {
                (least.min(ones), most.max(ones))
            })
        };
        let ((left_least, left_most), (right_least, right_most)) = (ends(left), ends(right));
        let sums = match measure {
            Measure::Dice => left_least + right_least..left_most + right_most + 1,
            Measure::Rho => 0..1,
        };
        let per_ones = words * 64 + 1;
        let mut table = Vec::with_capacity(sums.len() * per_ones);
        for ones in sums.clone() {
            for distance in 0..cut.bits() + 1 {
                // No two filters differ in more bits than both have; and of empty ones, nobody is compared.
                let is_possible = measure == Measure::Rho || (distance <= ones && ones > 0);
                let similarity = is_possible.then(|| cut.similarity(distance, ones)).flatten();
                table.push(similarity.map_or(0, |similarity| {
                    u16::try_from(bin_of(similarity)).expect("bins are few")
                }));
            }
        }
        Self {
            table,
            least_ones: sums.start,
            per_ones: match measure {
                Measure::Dice => per_ones,
                Measure::Rho => 0,
            },
        }
    }

    /// Of two filters that differ in `distance` bits and have `ones` bits set together.
    fn bin_of(&self, distance: u32, ones: u32) -> usize {
        let row = to_index(ones.wrapping_sub(self.least_ones)) * self.per_ones;
        usize::from(self.table[row + to_index(distance)])
    }
}

/// Records of the right compared with several of the left at a time: 128 kB of 1,024 bits.
pub(crate) const RIGHT_IN_CACHE: usize = 1024;

/// All rows, or `wanted` of them without repetition (Floyd 1987), in order.
pub(crate) fn sample_rows(len: usize, wanted: usize, entropy: &mut dyn Entropy) -> Vec<usize> {
    if len <= wanted {
        return (0..len).collect();
    }
    let mut chosen = std::collections::BTreeSet::new();
    for last in len - wanted..len {
        let draw = below(entropy, last + 1);
        if !chosen.insert(draw) {
            chosen.insert(last);
        }
    }
    chosen.into_iter().collect()
}

/// A uniform number below `bound`: the high half of a 128-bit product (Lemire 2019), whose bias for bounds
/// below 2³² is under 2⁻³².
pub(crate) fn below(entropy: &mut dyn Entropy, bound: usize) -> usize {
    let bound = u128::try_from(bound).expect("a length fits");
    usize::try_from((u128::from(entropy.next_u64()) * bound) >> 64).expect("below a length")
}
