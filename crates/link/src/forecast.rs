//! How many candidate pairs a comparison will find, before it is made.

use corridor_core::{Clock, Measure, SeededEntropy, Stopped, Stopwatch, Threshold, ThresholdPolicy};
use corridor_kernel::{Cut, FilterMatrix, Kernel, PackedMatrix};
use rayon::prelude::*;

use crate::LinkError;
use crate::blocks::{Blocks, Piece};
use crate::decide::floor_of;
use crate::null::{BINS, NullDistribution, SAMPLED_BETWEEN, bin_of, sample_rows, sampled_every};
use crate::side::LinkSide;
use crate::tile::{Comparison, Tile, right_per_sweep, to_cut, to_index};

/// A number that is expected, and a 99 % interval of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expected {
    /// Lower end.
    pub low: f64,
    /// What is expected.
    pub point: f64,
    /// Upper end.
    pub high: f64,
}

/// How many candidate pairs a comparison will find at every level, from a sample of the pairs it will compare.
///
/// The sample is the one [`ComparePlan`](crate::ComparePlan) looks at: some records of the left with all of the right or, in
/// blocks, every so many pieces. Where it is everything, as for a few thousand records, numbers are exact.
///
/// The interval is that of a ratio estimate from clusters (Cochran 1977, section 6.3), a cluster being a record of the left
/// or a piece, with the finite population correction; it is never narrower than that of as many pairs strewn at
/// random and one more, so that a sample without a candidate does not promise that there is none.
#[derive(Debug, Clone)]
pub struct CandidateForecast {
    level: Threshold,
    /// The level an estimated threshold looks down to.
    estimated_level: Option<Threshold>,
    /// Clusters there are, and pairs in them.
    clusters: f64,
    pairs: f64,
    sample: Sample,
}

/// Pairs of the sample compared at most. More rows say hardly more, and would take longer than somebody waits.
const MOST_PAIRS: usize = 2_000_000_000;
/// Rows sampled at least, however large the other side.
const LEAST_ROWS: usize = 200;
/// Half the width of a 99 % interval, in standard errors.
const STANDARD_ERRORS: f64 = 2.576;

impl CandidateForecast {
    /// Compares the sample. Where the threshold is to be estimated, the level looked down to is the one with about so many candidates
    /// per record ([`CANDIDATES_PER_RECORD`](crate::CANDIDATES_PER_RECORD), or
    /// [`CANDIDATES_FOR_FIELDS`](crate::CANDIDATES_FOR_FIELDS) where fields decide). The sample is drawn from `seed`, on the current rayon pool; the same whatever its size.
    ///
    /// # Errors
    /// When the filters differ in length or, where the threshold is to be estimated, when the records are so alike that every
    /// level holds more pairs than can be told apart; or when the work is stopped.
    #[expect(clippy::cast_precision_loss, reason = "counts of records and pairs")]
    pub fn new(
        left: &LinkSide<'_>,
        right: &LinkSide<'_>,
        measure: Measure,
        (policy, candidates_per_record): (ThresholdPolicy, f64),
        blocks: Option<&Blocks<'_>>,
        seed: u64,
    ) -> Result<Self, LinkError> {
        let bits = |side: &LinkSide<'_>| side.matrix().words_per_filter() * 64;
        if bits(left) != bits(right) {
            return Err(LinkError::FilterLengthMismatch {
                left_bits: bits(left),
                right_bits: bits(right),
            });
        }
        let fixed = match policy {
            ThresholdPolicy::Fixed(threshold) => Some(threshold),
            ThresholdPolicy::Estimated => None,
        };
        let look = Look {
            left,
            right,
            all: Cut::new(
                crate::side::to_kernel(measure),
                left.matrix().words_per_filter(),
                0,
                1,
            ),
            fixed: fixed.map(|threshold| to_cut(left, measure, threshold)),
            blocks,
        };
        let (sample, clusters, pairs) = match blocks {
            None => {
                let sample = look.at_rows(seed)?;
                (sample, left.len(), left.len() as f64 * right.len() as f64)
            }
            Some(blocks) => {
                let sample = look.at_pieces(blocks)?;
                (sample, blocks.all_pieces().len(), blocks.pair_count() as f64)
            }
        };
        let between = NullDistribution::of_counts(sample.met.clone());
        let estimated_level = floor_of(
            &between,
            candidates_per_record,
            left.len() as f64 + right.len() as f64,
            pairs,
        );
        let level = match (fixed, &estimated_level) {
            (Some(threshold), _) => threshold,
            (None, Ok(level)) => *level,
            (None, Err(_)) => return Err(LinkError::RecordsIndistinguishable),
        };
        Ok(Self {
            level,
            estimated_level: estimated_level.ok(),
            clusters: clusters as f64,
            pairs,
            sample: sample.summed_from_the_top(),
        })
    }

    /// The level the comparison looks down to.
    pub const fn level(&self) -> Threshold {
        self.level
    }

    /// The level an estimated threshold would look down to; `None` where the records are too much alike for one.
    pub const fn estimated_level(&self) -> Option<Threshold> {
        self.estimated_level
    }

    /// Candidates at the level of the comparison.
    pub fn expected(&self) -> Expected {
        match &self.sample.fixed {
            Some(tail) => self.to_expected(tail),
            None => self.expected_at(self.level),
        }
    }

    /// Candidates at or above another level, or rather at the last multiple of 0.0005 before it; at 0.0005 and below, those
    /// above 0.
    pub fn expected_at(&self, level: Threshold) -> Expected {
        let bin = bin_of(level.to_f64()).max(bin_of(0.0) + 1);
        self.to_expected(&self.sample.tails[bin])
    }

    /// The lowest level, on two decimals, at which even the upper end of the interval is at most `most`; `None` where it is
    /// not even so for pairs of equal filters.
    pub fn level_with_at_most(&self, most: f64) -> Option<Threshold> {
        (1..=100_u32)
            .filter_map(|hundredths| Threshold::try_floor(f64::from(hundredths) / 100.0).ok())
            .find(|&level| self.expected_at(level).high <= most)
    }

    /// Pairs of the sample that were compared.
    pub const fn pairs_sampled(&self) -> u64 {
        self.sample.pairs
    }

    #[expect(clippy::cast_precision_loss, reason = "counts")]
    fn to_expected(&self, tail: &Tail) -> Expected {
        let sample = &self.sample;
        let (sampled, pairs) = (sample.clusters as f64, sample.pairs as f64);
        let count = tail.count as f64;
        if sample.pairs == 0 {
            return Expected {
                low: 0.0,
                point: 0.0,
                high: self.pairs,
            };
        }
        let scale = self.pairs / pairs;
        let point = scale * count;
        let left_out = (1.0 - sampled / self.clusters).max(0.0);
        let share = count / pairs;
        let residuals = tail.squares as f64 - 2.0 * share * tail.with_pairs as f64
            + share * share * sample.pairs_squared as f64;
        let of_clusters = residuals.max(0.0) * sampled / (sampled - 1.0).max(1.0);
        let variance = scale * scale * left_out * of_clusters.max(count + 1.0);
        let half = STANDARD_ERRORS * variance.sqrt();
        Expected {
            low: (point - half).max(if left_out > 0.0 { count } else { point }),
            point,
            high: (point + half).min(self.pairs),
        }
    }
}

/// Candidates of the sample at or above a level: how many, the sum over clusters of their square, and of their product with the
/// pairs of the cluster. In whole numbers, so that the order of threads does not show.
#[derive(Debug, Clone, Copy, Default)]
struct Tail {
    count: u64,
    squares: u128,
    with_pairs: u128,
}

impl Tail {
    /// A cluster in which candidates rise from `before` to `after`.
    fn rise(&mut self, before: u64, after: u64, pairs: u64) {
        let square = |count: u64| u128::from(count) * u128::from(count);
        self.count += after - before;
        self.squares += square(after) - square(before);
        self.with_pairs += u128::from(after - before) * u128::from(pairs);
    }

    const fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.squares += other.squares;
        self.with_pairs += other.with_pairs;
    }
}

/// What was seen of some clusters.
#[derive(Debug, Clone)]
struct Sample {
    clusters: u64,
    pairs: u64,
    pairs_squared: u128,
    /// Pairs that meet, by bin; one that meets in several passes counts in each, as for [`NullDistribution`].
    met: Vec<u64>,
    /// Candidates, each once, by bin: what this bin adds to the bins above or, summed up, those in the bin and above.
    tails: Vec<Tail>,
    /// Candidates at a given threshold, exactly.
    fixed: Option<Tail>,
}

impl Sample {
    fn nothing(has_fixed: bool) -> Self {
        Self {
            clusters: 0,
            pairs: 0,
            pairs_squared: 0,
            met: vec![0; BINS],
            tails: vec![Tail::default(); BINS],
            fixed: has_fixed.then(Tail::default),
        }
    }

    fn add(mut self, other: Self) -> Self {
        self.clusters += other.clusters;
        self.pairs += other.pairs;
        self.pairs_squared += other.pairs_squared;
        for (into, from) in self.met.iter_mut().zip(&other.met) {
            *into += from;
        }
        for (into, from) in self.tails.iter_mut().zip(&other.tails) {
            into.add(from);
        }
        if let (Some(into), Some(from)) = (&mut self.fixed, &other.fixed) {
            into.add(from);
        }
        self
    }

    fn summed_from_the_top(mut self) -> Self {
        for bin in (0..self.tails.len() - 1).rev() {
            let above = self.tails[bin + 1];
            self.tails[bin].add(&above);
        }
        self
    }
}

/// One cluster while it is looked at.
struct Cluster {
    pairs: u64,
    /// Candidates by bin, and the bins that have any.
    counts: Vec<u64>,
    touched: Vec<usize>,
    fixed: u64,
}

impl Cluster {
    fn nothing() -> Self {
        Self {
            pairs: 0,
            counts: vec![0; BINS],
            touched: Vec::new(),
            fixed: 0,
        }
    }

    /// Adds the cluster to a sample and makes room for the next.
    fn finish(&mut self, sample: &mut Sample) {
        sample.clusters += 1;
        sample.pairs += self.pairs;
        sample.pairs_squared += u128::from(self.pairs) * u128::from(self.pairs);
        self.touched.sort_unstable();
        let mut above = 0;
        for bin in self.touched.drain(..).rev() {
            let here = above + std::mem::take(&mut self.counts[bin]);
            sample.tails[bin].rise(above, here, self.pairs);
            above = here;
        }
        if let Some(tail) = &mut sample.fixed {
            tail.rise(0, self.fixed, self.pairs);
        }
        (self.pairs, self.fixed) = (0, 0);
    }
}

/// How pairs are looked at.
struct Look<'a> {
    left: &'a LinkSide<'a>,
    right: &'a LinkSide<'a>,
    /// Gives the similarity of any pair.
    all: Cut,
    /// The given threshold.
    fixed: Option<Cut>,
    blocks: Option<&'a Blocks<'a>>,
}

impl Look<'_> {
    fn at_rows(&self, seed: u64) -> Result<Sample, Stopped> {
        // The sample of `ComparePlan`, which draws another one before it.
        let mut entropy = SeededEntropy::new(seed, "null sample");
        NullDistribution::pass_over(self.left, self.right, &mut entropy);
        let wanted = (MOST_PAIRS / self.right.len()).clamp(LEAST_ROWS, SAMPLED_BETWEEN);
        let rows = sample_rows(self.left.len(), wanted, &mut entropy);
        let packed = self.right.packed();
        let others: Vec<u32> = (0..u32::try_from(packed.len()).expect("an index of a matrix")).collect();
        rows.par_chunks(32)
            .map(|rows| {
                self.left.stop().check()?;
                let mut sample = Sample::nothing(self.fixed.is_some());
                let (mut cluster, mut distances) = (Cluster::nothing(), Vec::new());
                for &row in rows {
                    self.at_row(
                        row,
                        (packed, &others),
                        0,
                        (&mut cluster, &mut sample),
                        &mut distances,
                    );
                    cluster.finish(&mut sample);
                }
                Ok(sample)
            })
            .try_reduce(
                || Sample::nothing(self.fixed.is_some()),
                |into, from| Ok(into.add(from)),
            )
    }

    fn at_pieces(&self, blocks: &Blocks<'_>) -> Result<Sample, Stopped> {
        let pieces: Vec<&Piece> = blocks
            .all_pieces()
            .iter()
            .step_by(sampled_every(blocks))
            .collect();
        pieces
            .par_chunks(16)
            .map(|pieces| {
                self.left.stop().check()?;
                let mut sample = Sample::nothing(self.fixed.is_some());
                let (mut cluster, mut distances) = (Cluster::nothing(), Vec::new());
                for piece in pieces {
                    let (left_records, right_records) = blocks.records(piece);
                    for right_records in right_records.chunks(right_per_sweep(left_records.len())) {
                        let words: Vec<u64> = right_records
                            .iter()
                            .flat_map(|&record| self.right.row(to_index(record)))
                            .copied()
                            .collect();
                        let packed = FilterMatrix::try_new(&words, self.left.matrix().words_per_filter())
                            .expect("whole filters of a side")
                            .to_packed();
                        for &record in left_records {
                            let into = (&mut cluster, &mut sample);
                            let right = (&packed, right_records);
                            self.at_row(to_index(record), right, piece.pass, into, &mut distances);
                        }
                    }
                    cluster.finish(&mut sample);
                }
                Ok(sample)
            })
            .try_reduce(
                || Sample::nothing(self.fixed.is_some()),
                |into, from| Ok(into.add(from)),
            )
    }

    /// Compares a row of the left with packed filters, those of `others`, which it meets in `pass`.
    fn at_row(
        &self,
        row: usize,
        (packed, others): (&PackedMatrix, &[u32]),
        pass: usize,
        (cluster, sample): (&mut Cluster, &mut Sample),
        distances: &mut Vec<u32>,
    ) {
        Kernel::best().distances(self.left.row(row), (packed, 0..packed.len()), distances);
        cluster.pairs += u64::try_from(others.len()).expect("a length fits in 64 bits");
        let ones = self.left.matrix().ones(row);
        let left_record = u32::try_from(row).expect("an index of a matrix");
        let lowest = bin_of(0.0) + 1;
        for (&other, &distance) in others.iter().zip(distances.iter()) {
            let ones = ones + self.right.matrix().ones(to_index(other));
            let Some(similarity) = self.all.similarity(distance, ones) else {
                continue;
            };
            let bin = bin_of(similarity);
            sample.met[bin] += 1;
            let is_in = self.fixed.as_ref().is_some_and(|cut| distance < cut.limit(ones));
            if bin < lowest && !is_in {
                continue;
            }
            let met_before = self
                .blocks
                .is_some_and(|blocks| blocks.meet_before(pass, left_record, other));
            if met_before {
                continue;
            }
            cluster.fixed += u64::from(is_in);
            if cluster.counts[bin] == 0 {
                cluster.touched.push(bin);
            }
            cluster.counts[bin] += 1;
        }
    }
}

/// How fast this machine compares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Pairs that were compared to find out.
    pub pairs: u64,
    /// Seconds that took, on all threads together.
    pub seconds: f64,
}

impl Pace {
    /// Compares some pairs of tiles that are spread evenly, with all threads of the current rayon pool, until `at_most_s` seconds
    /// are over or a look was taken at every tile.
    pub fn measure(comparison: &Comparison<'_>, tiles: &[Tile], clock: &dyn Clock, at_most_s: f64) -> Self {
        let at_once = 4 * rayon::current_num_threads();
        let rounds = tiles.len().div_ceil(at_once);
        let watch = Stopwatch::start(clock);
        let mut pairs = 0;
        for round in 0..rounds {
            let compared: usize = (round..tiles.len())
                .step_by(rounds)
                .collect::<Vec<_>>()
                .par_iter()
                .map(|&tile| comparison.compare_some(&tiles[tile]))
                .sum();
            pairs += u64::try_from(compared).expect("a count of pairs");
            if watch.elapsed_s() >= at_most_s {
                break;
            }
        }
        Self {
            pairs,
            seconds: watch.elapsed_s(),
        }
    }

    /// Seconds that so many pairs take; `None` when the clock did not move.
    #[expect(clippy::cast_precision_loss, reason = "an estimate for people to read")]
    pub fn seconds_for(&self, pairs: u64) -> Option<f64> {
        (self.seconds > 0.0 && self.pairs > 0).then(|| pairs as f64 / self.pairs as f64 * self.seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::CandidateBudget;
    use crate::decide::ComparePlan;
    use crate::tile::plan_tiles;
    use corridor_core::{BlockColumn, BlockKey, Entropy, FilterLen, Filters, Pseudonym};

    /// Filters of families of very different size, and block keys that are mostly those of the family.
    fn side(records: usize, seed: u64) -> (Filters, Vec<Pseudonym>, Vec<BlockColumn>) {
        let people: &mut dyn Entropy = &mut SeededEntropy::new(1, "families");
        let families: Vec<[u64; 2]> = (0..2000)
            .map(|_| [people.next_u64(), people.next_u64()])
            .collect();
        let entropy: &mut dyn Entropy = &mut SeededEntropy::new(seed, "records");
        let mut filters = Filters::with_capacity(FilterLen::try_from(128).unwrap(), records);
        let mut columns = ["one", "two"].map(|pass| BlockColumn {
            pass: pass.to_owned(),
            keys: Vec::new(),
        });
        for _ in 0..records {
            // Small numbers are drawn more often.
            let draw = entropy.next_u64();
            let family = usize::try_from((draw % 2000) * ((draw >> 32) % 2000) / 2000).unwrap();
            let noise = entropy.next_u64() & entropy.next_u64() & entropy.next_u64();
            let [first, second] = families[family];
            filters.push(&[first ^ noise, second]);
            for column in &mut columns {
                let draw = entropy.next_u64();
                let of_family = u64::try_from(family % 50).unwrap() << 56;
                let bits = if draw.is_multiple_of(8) { draw } else { of_family };
                let hash = (u128::from(bits) << 64).to_be_bytes();
                column
                    .keys
                    .push((!draw.is_multiple_of(11)).then_some(BlockKey::new(hash, 8)));
            }
        }
        let persons = (0..records)
            .map(|record| Pseudonym::from_bytes(u128::try_from(record).unwrap().to_be_bytes()))
            .collect();
        (filters, persons, columns.into())
    }

    fn found(comparison: &Comparison<'_>, tiles: &[Tile]) -> f64 {
        let budget = CandidateBudget::unlimited();
        for tile in tiles {
            comparison.compare_within(tile, &budget).unwrap();
        }
        budget.kept().to_string().parse().unwrap()
    }

    #[test]
    fn candidates_found_are_within_the_interval_foreseen() {
        for seed in 1..=3 {
            let (left_filters, left_persons, left_blocks) = side(7000, 10 + seed);
            let (right_filters, right_persons, right_blocks) = side(4000, 20 + seed);
            let left = LinkSide::from_parts(&left_filters, &left_persons).unwrap();
            let right = LinkSide::from_parts(&right_filters, &right_persons).unwrap();
            let blocks =
                Blocks::of_columns(&left_blocks, &right_blocks, crate::blocks::BlockJoin::Plain).unwrap();
            for (measure, threshold) in [(Measure::Dice, "0.831234"), (Measure::Rho, "0.55")] {
                for in_blocks in [false, true] {
                    let threshold = threshold.parse().unwrap();
                    for policy in [ThresholdPolicy::Fixed(threshold), ThresholdPolicy::Estimated] {
                        let with = in_blocks.then_some(&blocks);
                        let forecast =
                            CandidateForecast::new(&left, &right, measure, (policy, 3.0), with, seed)
                                .unwrap();
                        // What the run looks down to; learning it takes longest, and is the same for every seed.
                        if seed == 1 {
                            let plan = ComparePlan::new(&left, &right, measure, policy, with, seed).unwrap();
                            assert_eq!(forecast.level(), plan.floor());
                        }
                        let level = forecast.level();
                        let (comparison, tiles) = if in_blocks {
                            let comparison = Comparison::in_blocks(&left, &right, measure, level, &blocks);
                            (comparison, blocks.plan_tiles())
                        } else {
                            let comparison = Comparison::new(&left, &right, measure, level);
                            (comparison, plan_tiles(left.len(), right.len()))
                        };
                        let (expected, found) = (forecast.expected(), found(&comparison, &tiles));
                        assert!(
                            expected.low <= found && found <= expected.high,
                            "seed {seed}, {measure:?} {policy:?}, in blocks {in_blocks}: {found} in {expected:?}"
                        );
                        // The interval says something: half the point, or a few hundred.
                        assert!(
                            expected.high - expected.low <= 0.5 * expected.point + 500.0,
                            "{found} in {expected:?}"
                        );
                        if in_blocks {
                            assert!(
                                expected.high - expected.low < 0.5,
                                "so few pieces are all looked at"
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_level_with_fewer_candidates_is_the_lowest_that_has() {
        let (filters, persons, _) = side(1500, 3);
        let side = LinkSide::from_parts(&filters, &persons).unwrap();
        let policy = ThresholdPolicy::Fixed("0.3".parse().unwrap());
        let forecast = CandidateForecast::new(&side, &side, Measure::Rho, (policy, 3.0), None, 1).unwrap();
        let level = forecast.level_with_at_most(20_000.0).unwrap();
        let below = Threshold::try_floor(level.to_f64() - 0.01).unwrap();
        assert!(forecast.expected_at(level).point <= 20_000.0);
        assert!(forecast.expected_at(below).point > 20_000.0);
        // Everybody is like themselves.
        assert!(forecast.level_with_at_most(1000.0).is_none());
    }

    /// Half a second later at every look.
    #[derive(Debug, Default)]
    struct Steps(std::sync::atomic::AtomicI64);

    impl Clock for Steps {
        fn now(&self) -> jiff::Timestamp {
            let step = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            jiff::Timestamp::from_millisecond(500 * step).unwrap()
        }
    }

    #[test]
    fn the_pace_is_that_of_the_pairs_compared() {
        let (filters, persons, _) = side(9000, 5);
        let side = LinkSide::from_parts(&filters, &persons).unwrap();
        let comparison = Comparison::new(&side, &side, Measure::Rho, "0.9".parse().unwrap());
        let tiles = plan_tiles(9000, 9000);
        let pace = Pace::measure(&comparison, &tiles, &Steps::default(), 0.5);
        // One round, after which half a second was over; then the clock is read once more.
        assert!((pace.seconds - 1.0).abs() < 1e-9, "{pace:?}");
        assert!(pace.pairs > 0 && pace.pairs <= comparison.pair_count());
        assert_eq!(pace.seconds_for(3 * pace.pairs), Some(3.0));
        assert_eq!(
            Pace {
                pairs: 5,
                seconds: 0.0
            }
            .seconds_for(5),
            None
        );
    }
}
