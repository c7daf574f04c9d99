//! How many tables of how many bits, and which bits.

use corridor_core::{Entropy, Measure, Recall, SeededEntropy, Threshold};
use rayon::prelude::*;

use crate::LinkError;
use crate::lsh::{LshTables, count_equal, key_of};
use crate::lsh_index::to_hash_bits;
use crate::null::{below, sample_rows};
use crate::side::LinkSide;
use crate::tile::{rows_per_neighbour_tile, to_cut};

/// Records of each side on which bits and collisions are counted.
const SAMPLED_RECORDS: usize = 20_000;
/// Draws of positions over which collisions are averaged.
const DRAWS: usize = 8;
/// Bits of the longest key.
const MOST_BITS: usize = 64;
/// Tables at most. A table takes about six bytes for each record of the right, so that this many take as much memory as
/// five filters of 1,024 bits.
const MOST_TABLES: usize = 100;
/// The bound on the distance of a pair at the threshold is for two filters of as many ones as this share of the records of
/// their side have at most; few filters are fuller.
const POPCOUNT_QUANTILE: f64 = 0.95;
/// An agreement rate on a sample is taken to be no smaller, so that its logarithm is a number.
const LEAST_AGREEMENT: f64 = 1e-4;

/// What work costs, in nanoseconds on one core, from runs of a million with a million records. Only the proportions matter,
/// and these decide only how much work a run does, not what it finds.
mod cost {
    /// A key of a record in one table: its place in the table and the look-up there.
    pub(super) const KEY: f64 = 90.0;
    /// A bit of it.
    pub(super) const BIT: f64 = 1.0;
    /// A pair compared.
    pub(super) const PAIR: f64 = 1.5;
    /// A filter fetched from anywhere in memory, once for all records of a tile that are compared with it.
    pub(super) const FETCH: f64 = 25.0;
}

impl LshTables {
    /// Works out the tables that find pairs at `threshold` with probability `recall`, at the least work, and draws their bits
    /// from `seed`. Runs on the current rayon pool; the same whatever its size.
    ///
    /// A pair of filters with |a| and |b| ones at a Dice similarity of t differs in at most d = (1−t)·(|a|+|b|) bits, which
    /// is taken at the 95th percentile of the ones on either side. Of the m positions only the s informative ones are drawn
    /// from: constant or dense bits say little of who is alike. At worst all d bits lie among the s. K of them, drawn without
    /// repetition, are then the same on both sides with probability p = Π (s−d−i)/(s−i) for i from 0 to K−1, which is p₁^K
    /// with p₁ = 1 − d/s for a small K; and L = ⌈ln(1−r)/ln(1−p)⌉ tables find the pair with probability r at least (Indyk &
    /// Motwani 1998, theorem 4; Karapiperis & Verykios 2015, equation 5). So at the threshold and below the 95th percentile
    /// the recall is at least r; above it is higher.
    ///
    /// The informative positions are those s for which ln p₁ / ln p₂ is least, the exponent of the number of tables in the
    /// number of records (Indyk & Motwani), where p₂ is the geometric mean of the rates at which the bits of a record of the
    /// left and one of the right agree by chance. K is where the work is least: keys made, and pairs that meet, which are
    /// counted on a sample of the data as it is, since bits of filters depend on each other. K = 0, all pairs in one
    /// table, is among the choices, and is taken where the two sides are small or the threshold is so low that keys do
    /// not pay.
    ///
    /// # Errors
    /// When the measure is ρ: half of the bits of filters of strangers agree, and hardly more of those of one person.
    pub fn derive(
        left: &LinkSide<'_>,
        right: &LinkSide<'_>,
        measure: Measure,
        (threshold, recall): (Threshold, Recall),
        seed: u64,
    ) -> Result<Self, LinkError> {
        match measure {
            Measure::Dice => {}
            Measure::Rho => return Err(LinkError::LshNeedsBloomFilters),
        }
        let mut entropy = SeededEntropy::new(seed, "lsh sample");
        let samples = [left, right].map(|side| {
            let mut rows = sample_rows(side.len(), SAMPLED_RECORDS, &mut entropy);
            rows.retain(|&row| Self::has_key(side, row));
            Sample { side, rows }
        });
        let distance = {
            let ones = full_popcount(left) + full_popcount(right);
            let limit = to_cut(left, measure, threshold).limit(ones);
            usize::try_from(limit.saturating_sub(1)).expect("bits of a filter")
        };
        let positions = informative(&samples, distance);
        let collisions = collision_rates(&samples, &positions, &mut entropy);
        let choice = choose(&Setting {
            left: left.len(),
            right: right.len(),
            positions: positions.len(),
            distance,
            recall: recall.to_f64(),
            collisions: &collisions,
        });
        let mut entropy = SeededEntropy::new(seed, "lsh tables");
        Ok(Self {
            threshold,
            recall,
            tables: (0..choice.tables)
                .map(|_| draw(&positions, choice.key_bits, &mut entropy))
                .collect(),
            hash_bits: to_hash_bits(right.len()),
            expected_pairs: to_count(choice.pairs),
        })
    }
}

/// Some records of a side, none of them empty.
#[derive(Debug)]
struct Sample<'a> {
    side: &'a LinkSide<'a>,
    rows: Vec<usize>,
}

impl Sample<'_> {
    /// Share of the records that have each bit set.
    fn fill(&self) -> Vec<f64> {
        let words = self.side.matrix().words_per_filter();
        let mut counts = vec![0_usize; words * 64];
        for &row in &self.rows {
            for (word, counts) in self.side.row(row).iter().zip(counts.chunks_exact_mut(64)) {
                for (bit, count) in counts.iter_mut().enumerate() {
                    *count += usize::from(word >> bit & 1 == 1);
                }
            }
        }
        let records = to_f64(self.rows.len().max(1));
        counts.into_iter().map(|count| to_f64(count) / records).collect()
    }
}

/// Ones of a filter that few of the side exceed.
fn full_popcount(side: &LinkSide<'_>) -> u32 {
    let mut ones: Vec<u32> = (0..side.len()).map(|row| side.matrix().ones(row)).collect();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a length"
    )]
    let rank = (POPCOUNT_QUANTILE * to_f64(ones.len() - 1)).ceil() as usize;
    *ones.select_nth_unstable(rank).1
}

/// Positions worth drawing from, the most informative first; none where not even all of them promise that a pair agrees in
/// one.
fn informative(samples: &[Sample<'_>; 2], distance: usize) -> Vec<u16> {
    let [left, right] = samples.each_ref().map(Sample::fill);
    let agreement = |(left, right): (f64, f64)| left * right + (1.0 - left) * (1.0 - right);
    let mut ranked: Vec<(f64, u16)> = left.into_iter().zip(right).map(agreement).zip(0..).collect();
    // A bit on which all agree splits nobody.
    ranked.retain(|(agreement, _)| *agreement < 1.0);
    ranked.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let (mut log_sum, mut best) = (0.0, (f64::INFINITY, 0));
    for (count, (agreement, _)) in (1..).zip(&ranked) {
        log_sum += agreement.max(LEAST_AGREEMENT).ln();
        if count <= distance {
            continue;
        }
        let same = 1.0 - to_f64(distance) / to_f64(count);
        let exponent = same.ln() * to_f64(count) / log_sum;
        if exponent < best.0 {
            best = (exponent, count);
        }
    }
    ranked.truncate(best.1);
    ranked.into_iter().map(|(_, position)| position).collect()
}

/// Share of all pairs that have the same key of K bits, for each K from 0: measured between the samples, over a few draws of
/// positions.
fn collision_rates(samples: &[Sample<'_>; 2], positions: &[u16], entropy: &mut dyn Entropy) -> Vec<f64> {
    let longest = MOST_BITS.min(positions.len());
    let draws: Vec<Vec<u16>> = (0..DRAWS).map(|_| draw(positions, longest, entropy)).collect();
    let counts: Vec<Vec<u64>> = draws
        .par_iter()
        .map(|positions| {
            // The first bit of a key is its highest, so that one order is that of all beginnings, too.
            let [left, right] = samples.each_ref().map(|sample| {
                let mut keys: Vec<u64> = sample
                    .rows
                    .iter()
                    .map(|&row| key_of(sample.side.row(row), positions))
                    .collect();
                keys.sort_unstable();
                keys
            });
            (0..=longest)
                .map(|bits| {
                    let begin = |keys: &[u64]| -> Vec<u64> {
                        // All of 64 bits are more than a shift may drop.
                        let dropped = u32::try_from(longest - bits).expect("at most 64");
                        keys.iter()
                            .map(|key| key.checked_shr(dropped).unwrap_or(0))
                            .collect()
                    };
                    count_equal(&begin(&left), &begin(&right))
                })
                .collect()
        })
        .collect();
    let pairs = to_f64(DRAWS) * to_f64(samples[0].rows.len()) * to_f64(samples[1].rows.len());
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    let share = |bits: usize| counts.iter().map(|counts| counts[bits]).sum::<u64>() as f64 / pairs.max(1.0);
    (0..=longest).map(share).collect()
}

/// What the number of tables and bits depends on.
#[derive(Debug)]
struct Setting<'a> {
    /// Records.
    left: usize,
    right: usize,
    /// Informative positions.
    positions: usize,
    /// Bits in which a pair at the threshold differs at most.
    distance: usize,
    recall: f64,
    /// By K.
    collisions: &'a [f64],
}

/// Tables and bits, and the pairs they are expected to give.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Choice {
    tables: usize,
    key_bits: usize,
    pairs: f64,
}

/// The choice of the least work; of several, that of the shortest keys.
fn choose(setting: &Setting<'_>) -> Choice {
    let all_pairs = to_f64(setting.left) * to_f64(setting.right);
    let mut best = Choice {
        tables: 1,
        key_bits: 0,
        pairs: all_pairs,
    };
    let mut least = work(setting, &best);
    let mut same = 1.0;
    for (key_bits, &rate) in setting.collisions.iter().enumerate().skip(1) {
        let drawn = key_bits - 1;
        let left_over = setting.positions.saturating_sub(setting.distance + drawn);
        same *= to_f64(left_over) / to_f64(setting.positions - drawn);
        let Some(tables) = tables_for(setting.recall, same) else {
            break;
        };
        let choice = Choice {
            tables,
            key_bits,
            pairs: to_f64(tables) * rate * all_pairs,
        };
        let work = work(setting, &choice);
        if work < least {
            (least, best) = (work, choice);
        }
    }
    best
}

/// ⌈ln(1−r)/ln(1−p)⌉ tables, where a pair agrees in one with probability p; `None` when they are more than
/// [`MOST_TABLES`].
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "compared before"
)]
fn tables_for(recall: f64, same: f64) -> Option<usize> {
    if same <= 0.0 {
        return None;
    }
    if same >= 1.0 {
        return Some(1);
    }
    let tables = ((1.0 - recall).ln() / (1.0 - same).ln()).ceil().max(1.0);
    (tables <= to_f64(MOST_TABLES)).then_some(tables as usize)
}

/// What a choice costs, in nanoseconds of one core.
fn work(setting: &Setting<'_>, choice: &Choice) -> f64 {
    let (left, right) = (to_f64(setting.left), to_f64(setting.right));
    let rate = setting.collisions.get(choice.key_bits).copied().unwrap_or(1.0);
    let keys = if choice.key_bits == 0 {
        0.0
    } else {
        cost::KEY + cost::BIT * to_f64(choice.key_bits)
    };
    let sharing = 1.0 + rate * to_f64(rows_per_neighbour_tile(setting.left));
    to_f64(choice.tables) * (left + right) * keys + choice.pairs * (cost::PAIR + cost::FETCH / sharing)
}

/// `count` of `positions`, without repetition (the shuffle of Fisher & Yates, broken off).
fn draw(positions: &[u16], count: usize, entropy: &mut dyn Entropy) -> Vec<u16> {
    let mut positions = positions.to_vec();
    for place in 0..count {
        let from = place + below(entropy, positions.len() - place);
        positions.swap(place, from);
    }
    positions.truncate(count);
    positions
}

#[expect(clippy::cast_precision_loss, reason = "counts of records and bits")]
fn to_f64(count: usize) -> f64 {
    count as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an expected number of pairs, for people to read"
)]
fn to_count(pairs: f64) -> u64 {
    pairs.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_as_many_as_the_formula_says() {
        // ln 0.05 / ln 0.9 = 28.4; ln 0.1 / ln 0.5 = 3.3.
        assert_eq!(tables_for(0.95, 0.1), Some(29));
        assert_eq!(tables_for(0.9, 0.5), Some(4));
        assert_eq!(tables_for(0.9, 0.95), Some(1));
        assert_eq!(tables_for(0.9, 1.0), Some(1));
        assert_eq!(tables_for(0.9, 0.0), None);
        assert_eq!(tables_for(0.98, 0.01), None, "389 tables");
    }

    fn setting(records: usize, distance: usize, collisions: &[f64]) -> Setting<'_> {
        Setting {
            left: records,
            right: records,
            positions: 1000,
            distance,
            recall: 0.95,
            collisions,
        }
    }

    #[test]
    fn keys_are_longer_the_more_records_there_are() {
        let collisions: Vec<f64> = (0..=64).map(|bits| 0.55_f64.powi(bits)).collect();
        let bits: Vec<usize> = [100, 10_000, 100_000, 1_000_000]
            .iter()
            .map(|&records| choose(&setting(records, 140, &collisions)).key_bits)
            .collect();
        assert!(bits.is_sorted() && bits[3] > bits[1] && bits[3] < 30, "{bits:?}");
        let choice = choose(&setting(1_000_000, 140, &collisions));
        assert!(choice.pairs < 0.01 * 1e12, "{choice:?}");
    }

    #[test]
    fn all_pairs_are_compared_where_keys_do_not_pay() {
        let apart: Vec<f64> = (0..=64).map(|bits| 0.55_f64.powi(bits)).collect();
        let all = |records: usize| Choice {
            tables: 1,
            key_bits: 0,
            pairs: to_f64(records * records),
        };
        assert_eq!(choose(&setting(20, 140, &apart)), all(20), "few records");
        assert_eq!(
            choose(&setting(100_000, 140, &[1.0; 65])),
            all(100_000),
            "records with the same bits"
        );
        assert_eq!(
            choose(&setting(100_000, 1000, &apart)),
            all(100_000),
            "a threshold so low that no bit need be the same"
        );
    }
}
