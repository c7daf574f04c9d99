use std::collections::HashMap;
use std::ops::Range;

use crate::null::{BIN_WIDTH, NullDistribution, bin_edge, bin_of};
use crate::pairs::{PersonPair, PersonPairs};
use crate::threshold::Sizes;

/// Matches between people without a link that is probably right, counted among all pairs met and not among links: however many strangers
/// a match stands among, and whoever took its place when links were made, the pair is there.
///
/// Call people with such a link settled and the others open. Pairs of two settled people who are not each other's
/// partners, and of a settled and an open one, are strangers. Were being settled on one side independent of being so on the other,
/// for strangers of a given similarity, there would be `open–settled · settled–open / settled–settled` pairs of strangers among the
/// open–open ones (the log-linear model without interaction of a table with one unknown cell; Bishop, Fienberg & Holland 1975,
/// ch. 6). What is met beyond is matches.
///
/// It is not quite independent: people who are hard to link are more alike one another than the others, having namesakes, or
/// families that moved together. So strangers are expected a second time, with each open person's chance that a look-alike is open
/// taken from people like them: the partners of those they resemble. That overstates it as the first understates it; the
/// mean of both is expected, and half the difference is doubt, whatever the numbers. Where open people would be as alike as all others are,
/// and more strangers would be among them than that, half of what there would be more is doubt as well.
///
/// Pairs are counted downwards as long as what is not known of the strangers is negligible beside the links; or small beside these, and
/// either less than the matches that were seen in as wide a stretch above, or still above the threshold. Where few people are in both
/// registers that ends soon. Of what lies below there, [`HIDDEN`] of an even density down to how alike strangers are on average is
/// expected, or what the fall seen above leads to where that is less.
#[derive(Debug, Clone)]
pub(crate) struct Surplus {
    /// By similarity descending.
    stretches: Vec<Stretch>,
    /// The lowest ones, in which the density is taken that goes on below.
    edge: Range<usize>,
    /// Matches expected below, for each in the edge, and as many if they did not fall off.
    hidden_for_each: f64,
    hidden_if_even: f64,
    /// Down to where pairs were counted.
    end_bin: usize,
    /// Whether strangers are known well enough for the counts to mean something by themselves.
    is_known: bool,
    /// No more matches are there than this: the people that are open on the side with fewer.
    most: f64,
    /// Open–open pairs by left record and stretch.
    open_pairs: HashMap<(u32, u16), u32>,
}

/// Matches of open people.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Matches {
    /// Counted among the pairs.
    pub(crate) seen: f64,
    /// Expected where pairs were not counted.
    pub(crate) hidden: f64,
    /// Half a 95 % interval of both together.
    pub(crate) spread: f64,
    /// No more than so many.
    pub(crate) most: f64,
    /// Whether what is expected means something beside the interval.
    pub(crate) is_known: bool,
}

/// Pairs over some bins.
#[derive(Debug, Clone)]
struct Stretch {
    bins: Range<usize>,
    open: f64,
    strangers: f64,
    variance: f64,
    doubt: f64,
}

/// Share of an even density that is expected where matches cannot be told from strangers. How alike matches are falls off in steps, by
/// how much is wrong in them, and few differ in all there is to differ in; on invented corridors of 4,000 to a million records
/// there were 0.1 to 0.6. A convention, not an estimate from data.
const HIDDEN: f64 = 1.0 / 3.0;
/// Half a 95 % interval, as a share of it.
const HIDDEN_DOUBT: f64 = 1.25;
/// Share of the way from strangers to where counting ends, as far above which the density is taken.
const EDGE: f64 = 0.125;
/// As long as what is not known comes to less than this share of the links, counting goes on; where it comes to more than the other,
/// it ends.
const NEGLIGIBLE: f64 = 0.005;
const UNKNOWN: f64 = 0.05;
/// A stretch is at least this part of the way from strangers to the links that settle people, and has at least so many pairs of settled
/// people.
const STRETCHES: f64 = 16.0;
const LEAST_PAIRS: f64 = 25.0;
/// Pairs' worth of weight of all people beside those like one.
const PRIOR_PAIRS: f64 = 1.0;

impl Surplus {
    /// Counts among `pairs` given the links of `core`, by which people are settled, both by similarity descending: from the least
    /// alike of these down to `floor_bin` at most, and down to `threshold_bin` where that much is known. `None` where too few pairs are
    /// there to count anything.
    pub(crate) fn of(
        core: &[PersonPair],
        pairs: &dyn PersonPairs,
        sizes: Sizes,
        null: &NullDistribution,
        (floor_bin, threshold_bin): (usize, usize),
    ) -> Option<Self> {
        let top = core
            .last()
            .map_or(bin_of(1.0), |link| bin_of(link.best.similarity));
        let way = (bin_edge(top) - null.mean()).max(0.0);
        let partners = Partners::of(core, sizes);
        let table = Table::of(&partners, pairs);
        let mut seen = Seen::of(core);
        let (mut unknown_so_far, mut are_known) = (0.0, true);
        let mut stretches: Vec<Stretch> = Vec::new();
        for bins in table.stretches(floor_bin..top, to_bins(way / STRETCHES).max(1)) {
            let end = bins.end;
            let stretch = table.look_at(bins);
            let rest = (bin_edge(end) - null.mean()).max(0.0);
            let as_above = seen.density(end..end + to_bins(EDGE * rest).max(1)) * to_f64(stretch.bins.len());
            unknown_so_far += stretch.unknown();
            let share = unknown_so_far / to_f64(core.len());
            let is_worth_it = end > threshold_bin || stretch.unknown() <= as_above;
            let is_known = share <= NEGLIGIBLE || (share <= UNKNOWN && is_worth_it);
            // The first is looked at in any case: that little is known is also an answer.
            if !is_known && !stretches.is_empty() {
                break;
            }
            are_known &= is_known;
            seen.add(&stretch);
            stretches.push(stretch);
            if !are_known {
                break;
            }
        }
        let end = stretches.last()?.bins.start;
        let rest = (bin_edge(end) - null.mean()).max(0.0);
        let widest = to_bins(EDGE * rest);
        let is_wide = |stretch: &Stretch| stretch.bins.end - end >= widest;
        let edge = stretches.iter().rposition(is_wide).unwrap_or(0)..stretches.len();
        let edge_bins = end..stretches[edge.start].bins.end;
        let hidden_if_even = HIDDEN * rest / (to_f64(edge_bins.len()) * BIN_WIDTH);
        let hidden_for_each = seen.falling_off(edge_bins, hidden_if_even);
        let stretch_of = |bin: usize| stretches.iter().position(|stretch| stretch.bins.contains(&bin));
        let mut open_pairs = HashMap::new();
        for pair in pairs.walk().filter(|pair| partners.is_open(pair)) {
            if let Some(stretch) = stretch_of(bin_of(pair.best.similarity)) {
                let stretch = u16::try_from(stretch).expect("stretches are fewer than bins");
                *open_pairs.entry((pair.best.left, stretch)).or_insert(0) += 1;
            }
        }
        let open_persons = sizes.left_persons.min(sizes.right_persons) - core.len();
        Some(Self {
            stretches,
            edge,
            hidden_for_each,
            hidden_if_even,
            end_bin: end,
            is_known: are_known,
            most: to_f64(open_persons),
            open_pairs,
        })
    }

    /// Whether pairs this alike were counted.
    pub(crate) fn counts(&self, similarity: f64) -> bool {
        bin_of(similarity) >= self.end_bin
    }

    /// Matches between open people.
    pub(crate) fn matches(&self) -> Matches {
        let counts: Vec<f64> = self.stretches.iter().map(|stretch| stretch.open).collect();
        self.matches_among(&counts)
    }

    /// The same of the people for whom `is_in`, asked with the left record, is true: their open pairs are matches as often as all are
    /// in that stretch.
    pub(crate) fn matches_of(&self, is_in: &dyn Fn(u32) -> bool) -> Matches {
        let mut counts = vec![0.0; self.stretches.len()];
        for ((record, stretch), count) in &self.open_pairs {
            if is_in(*record) {
                counts[usize::from(*stretch)] += f64::from(*count);
            }
        }
        self.matches_among(&counts)
    }

    /// Matches among so many open pairs of each stretch. Where there are none at all, there are fewer than expected of strangers, of
    /// which a group has its part.
    fn matches_among(&self, counts: &[f64]) -> Matches {
        let open: f64 = self.stretches.iter().map(|stretch| stretch.open).sum();
        let share_of_all = if open > 0.0 {
            counts.iter().sum::<f64>() / open
        } else {
            1.0
        };
        let (mut seen, mut at_edge) = (Sum::default(), Sum::default());
        for (index, (stretch, count)) in self.stretches.iter().zip(counts).enumerate() {
            let share = if stretch.open > 0.0 {
                count / stretch.open
            } else {
                share_of_all
            };
            seen.add(stretch, share);
            if self.edge.contains(&index) {
                at_edge.add(stretch, share);
            }
        }
        let there = at_edge.matches.max(0.0);
        // What falls off may stop to fall.
        let hidden_spread = self.hidden_if_even * (HIDDEN_DOUBT * there).hypot(at_edge.spread());
        Matches {
            seen: seen.matches.max(0.0),
            hidden: self.hidden_for_each * there,
            spread: seen.spread().hypot(hidden_spread),
            most: self.most,
            is_known: self.is_known,
        }
    }
}

/// How alike links may still be where too few people are settled to count among pairs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HiddenBelow {
    /// The threshold.
    pub(crate) bin: usize,
    /// How alike strangers are on average.
    pub(crate) strangers: f64,
    /// People without a link on the side where these are fewer.
    pub(crate) free: f64,
}

impl HiddenBelow {
    /// Matches less alike than the threshold, at most: [`HIDDEN`] of the density of the links just above it, given similarity and probability,
    /// or twice that of all links over all there is where that is less, down to strangers; and as many more as chance allows for. No
    /// more than people who are free, or taken by a link that is false.
    pub(crate) fn most(&self, links: impl Iterator<Item = (f64, f64)>) -> f64 {
        let mut seen = Seen(vec![0.0; bin_of(1.0) + 1]);
        let (mut all, mut displaced) = (0.0, 0.0);
        for (similarity, probability) in links {
            seen.0[bin_of(similarity)] += probability;
            all += probability;
            displaced += 1.0 - probability;
        }
        let rest = (bin_edge(self.bin) - self.strangers).max(0.0);
        let among = |bins: usize| seen.density(self.bin..self.bin + bins) * to_f64(bins);
        let narrowest = to_bins(EDGE * rest).max(1);
        let widest = narrowest.max(bin_of(1.0) - self.bin);
        let width = (narrowest..widest).find(|&bins| among(bins) >= LEAST_AT_EDGE);
        let width = width.unwrap_or(widest);
        let with_chance = |links: f64| links + 1.96 * (links + 1.0).sqrt();
        let at_edge = with_chance(among(width)) / (to_f64(width) * BIN_WIDTH);
        let twice_over_all = 2.0 * with_chance(all) / (1.0 - self.strangers).max(BIN_WIDTH);
        (HIDDEN * rest * at_edge.min(twice_over_all)).min(self.free + displaced)
    }
}

/// Links from which a density is taken.
const LEAST_AT_EDGE: f64 = 10.0;

#[derive(Default)]
struct Sum {
    matches: f64,
    variance: f64,
    doubt: f64,
}

impl Sum {
    fn add(&mut self, stretch: &Stretch, share: f64) {
        self.matches += share * stretch.matches();
        self.variance += share * stretch.variance;
        self.doubt += share * stretch.doubt;
    }

    fn spread(&self) -> f64 {
        1.96 * self.variance.sqrt() + self.doubt
    }
}

impl Stretch {
    fn matches(&self) -> f64 {
        self.open - self.strangers
    }

    /// What is not known of the strangers.
    fn unknown(&self) -> f64 {
        (self.variance - self.matches().max(0.0)).max(0.0).sqrt() + self.doubt
    }
}

/// Matches seen by bin, the links that settle people among them.
struct Seen(Vec<f64>);

impl Seen {
    fn of(core: &[PersonPair]) -> Self {
        let mut bins = vec![0.0; bin_of(1.0) + 1];
        for link in core {
            bins[bin_of(link.best.similarity)] += 1.0;
        }
        Self(bins)
    }

    fn add(&mut self, stretch: &Stretch) {
        let each = stretch.matches() / to_f64(stretch.bins.len());
        self.0[stretch.bins.clone()].fill(each);
    }

    /// Matches below `edge`, for each in it, if they go on to fall off as they do above: from edge to edge by a ratio that falls
    /// itself as it did last, as it does for any density whose logarithm is concave; `at_most` so many, as where they do not fall.
    fn falling_off(&self, edge: Range<usize>, at_most: f64) -> f64 {
        let width = edge.len();
        let [there, above, further] =
            [0, width, 2 * width].map(|up| self.density(edge.start + up..edge.end + up));
        if there >= above {
            return at_most;
        }
        let ratio = there / above;
        let steeper = (ratio / (above / further).min(1.0)).min(1.0);
        let (mut term, mut next, mut sum) = (1.0, ratio * steeper, 0.0);
        while term > 1e-6 && sum < at_most {
            term *= next;
            next *= steeper;
            sum += term;
        }
        sum.min(at_most)
    }

    /// Matches for each bin over some, the last of which may lie beyond the most alike; at least zero.
    fn density(&self, bins: Range<usize>) -> f64 {
        let seen: f64 = self.0[bins.start.min(self.0.len())..bins.end.min(self.0.len())]
            .iter()
            .sum();
        seen.max(0.0) / to_f64(bins.len())
    }
}

/// Who is settled, and with whom.
struct Partners {
    of_left: Vec<Option<u32>>,
    of_right: Vec<Option<u32>>,
}

impl Partners {
    fn of(core: &[PersonPair], sizes: Sizes) -> Self {
        let mut partners = Self {
            of_left: vec![None; sizes.left_persons],
            of_right: vec![None; sizes.right_persons],
        };
        for link in core {
            partners.of_left[index(link.left_person)] = Some(link.right_person);
            partners.of_right[index(link.right_person)] = Some(link.left_person);
        }
        partners
    }

    fn are(&self, pair: &PersonPair) -> bool {
        self.of_left[index(pair.left_person)] == Some(pair.right_person)
    }

    fn open_for_each(&self) -> f64 {
        let settled = to_f64(self.of_left.iter().flatten().count());
        let [left, right] = [&self.of_left, &self.of_right].map(|side| to_f64(side.len()) - settled);
        let others = settled * (settled - 1.0) + left * settled + settled * right;
        left * right / others.max(1.0)
    }

    fn is_open(&self, pair: &PersonPair) -> bool {
        self.of_left[index(pair.left_person)].is_none() && self.of_right[index(pair.right_person)].is_none()
    }
}

/// Pairs by bin, but for those of the links that settle people.
struct Table {
    settled: Vec<f64>,
    open_left: Vec<f64>,
    open_right: Vec<f64>,
    open: Vec<f64>,
    /// `open_left` and `open_right`, each pair counted as often as look-alikes of people like its open person are open, beside those
    /// of all.
    leaning_left: Vec<f64>,
    leaning_right: Vec<f64>,
    /// Pairs of open people there are, for each of those of which one or both are settled.
    open_for_each: f64,
}

impl Table {
    fn of(partners: &Partners, pairs: &dyn PersonPairs) -> Self {
        let others = || pairs.walk().filter(|pair| !partners.are(pair));
        let ends = |pair: &PersonPair| (index(pair.left_person), index(pair.right_person));
        let Partners { of_left, of_right } = partners;
        let leanings = [
            leanings(&|| others().map(|pair| ends(&pair)), of_left, of_right),
            leanings(
                &|| {
                    others()
                        .map(|pair| ends(&pair))
                        .map(|(left, right)| (right, left))
                },
                of_right,
                of_left,
            ),
        ];
        let none = || vec![0.0; bin_of(1.0) + 1];
        let mut table = Self {
            settled: none(),
            open_left: none(),
            open_right: none(),
            open: none(),
            leaning_left: none(),
            leaning_right: none(),
            open_for_each: partners.open_for_each(),
        };
        for pair in others() {
            let bin = bin_of(pair.best.similarity);
            let (left, right) = ends(&pair);
            match (of_left[left].is_some(), of_right[right].is_some()) {
                (true, true) => table.settled[bin] += 1.0,
                (false, true) => {
                    table.open_left[bin] += 1.0;
                    table.leaning_left[bin] += leanings[0][left];
                }
                (true, false) => {
                    table.open_right[bin] += 1.0;
                    table.leaning_right[bin] += leanings[1][right];
                }
                (false, false) => table.open[bin] += 1.0,
            }
        }
        table
    }

    /// From the top of `bins` down, at least `width` bins each but for the last, with enough pairs of settled people.
    fn stretches(&self, bins: Range<usize>, width: usize) -> Vec<Range<usize>> {
        let mut stretches = Vec::new();
        let (mut end, mut pairs) = (bins.end, 0.0);
        for bin in bins.clone().rev() {
            pairs += self.settled[bin];
            if (end - bin >= width || bin == bins.start) && pairs >= LEAST_PAIRS {
                stretches.push(bin..end);
                (end, pairs) = (bin, 0.0);
            }
        }
        stretches
    }

    fn look_at(&self, bins: Range<usize>) -> Stretch {
        let sum = |counts: &[f64]| counts[bins.clone()].iter().sum::<f64>();
        // One more, so that the quotient is not too high on average where there are few (Chapman 1951).
        let settled = sum(&self.settled) + 1.0;
        let (left, right) = (sum(&self.open_left), sum(&self.open_right));
        let independent = left * right / settled;
        let among_their_like =
            (sum(&self.leaning_left) * right + left * sum(&self.leaning_right)) / (2.0 * settled);
        let strangers = f64::midpoint(independent, among_their_like);
        // Where settled people are alike one another, as families who moved together are, the others seem to be less so.
        let as_all = (sum(&self.settled) + left + right) * self.open_for_each;
        // Of none seen it is not known that there are none.
        let at_least = strangers.max((left + 1.0) * (right + 1.0) / settled);
        let relative = 1.0 / settled + 1.0 / (left + 1.0) + 1.0 / (right + 1.0);
        let open = sum(&self.open);
        Stretch {
            bins,
            open,
            strangers,
            variance: at_least + at_least * at_least * relative + (open - strangers).max(0.0),
            doubt: 0.5 * ((among_their_like - independent).abs() + (as_all - strangers).max(0.0)),
        }
    }
}

/// For each open person of one side: how often look-alikes of people like them are open, beside how often those of all are. `pairs`
/// gives own and other end of each pair that settles nobody; the partners are those of the people of the own and of the other side.
///
/// People like them are the partners of settled look-alikes.
fn leanings<I: Iterator<Item = (usize, usize)>>(
    pairs: &dyn Fn() -> I,
    own_partners: &[Option<u32>],
    other_partners: &[Option<u32>],
) -> Vec<f64> {
    // Settled and open look-alikes of each person of the own side.
    let mut around = vec![(0.0, 0.0); own_partners.len()];
    for (own, other) in pairs() {
        match other_partners[other] {
            Some(_) => around[own].0 += 1.0,
            None => around[own].1 += 1.0,
        }
    }
    let (settled, open) = around
        .iter()
        .zip(own_partners)
        .filter(|(_, partner)| partner.is_some())
        .fold((0.0, 0.0), |(settled, open), ((s, o), _)| (settled + s, open + o));
    if settled <= 0.0 || open <= 0.0 {
        return vec![1.0; own_partners.len()];
    }
    let of_all = open / settled;
    let mut like = vec![(0.0, 0.0); own_partners.len()];
    for (own, other) in pairs() {
        let Some(partner) = other_partners[other].filter(|_| own_partners[own].is_none()) else {
            continue;
        };
        // Each of them counts once, however many look-alikes they have.
        let (settled, open): (f64, f64) = around[index(partner)];
        let all = (settled + open).max(1.0);
        like[own].0 += settled / all;
        like[own].1 += open / all;
    }
    like.into_iter()
        .map(|(settled, open)| (open + PRIOR_PAIRS * of_all) / (settled + PRIOR_PAIRS) / of_all)
        .collect()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a way between two similarities, at least zero, in bins"
)]
fn to_bins(way: f64) -> usize {
    (way / BIN_WIDTH).round() as usize
}

#[expect(clippy::cast_precision_loss, reason = "counts of persons are far below 2^52")]
const fn to_f64(count: usize) -> f64 {
    count as f64
}

fn index(person: u32) -> usize {
    usize::try_from(person).expect("a person of a dataset")
}

#[cfg(test)]
mod tests {
    use corridor_core::SeededEntropy;
    use rand_core::Rng as _;

    use super::*;
    use crate::assign::assign_greedy;
    use crate::tile::CandidatePair;

    /// People of two registers: those at the front are partners and settled, the others open; of these, too, some are partners.
    struct People {
        settled: u32,
        open: u32,
        partners: u32,
        strangers: usize,
        /// Of two groups, between which there are no look-alikes, the share of open people who are in the first, where
        /// half of the settled are.
        in_first_group: f64,
    }

    impl People {
        fn is_in_first(&self, person: u32) -> bool {
            let share = |first: u32, of: u32| f64::from(first) / f64::from(of);
            match person.checked_sub(self.settled) {
                None => share(person, self.settled) < 0.5,
                Some(open) => share(open, self.open) < self.in_first_group,
            }
        }

        /// Pairs by similarity descending: settled partners at 0.31, all others evenly from 0.2 to 0.3.
        fn pairs(&self) -> Vec<PersonPair> {
            let mut entropy = SeededEntropy::new(1, "people");
            let mut draw = |below: u32| u32::try_from(entropy.next_u64() % u64::from(below)).unwrap();
            let mut pairs = Vec::new();
            let mut add = |left, right, similarity| {
                pairs.push(PersonPair {
                    left_person: left,
                    right_person: right,
                    best: CandidatePair {
                        left,
                        right,
                        similarity,
                    },
                });
            };
            let all = self.settled + self.open;
            (0..self.settled).for_each(|person| add(person, person, 0.31));
            // Partners are spread over both groups.
            let step = self.open / self.partners.max(1);
            for partner in 0..self.partners {
                let person = self.settled + partner * step;
                add(person, person, 0.2 + f64::from(draw(1000)) / 10_000.0);
            }
            let mut strangers = 0;
            while strangers < self.strangers {
                let (left, right) = (draw(all), draw(all));
                let similarity = 0.2 + f64::from(draw(1000)) / 10_000.0;
                if left != right && self.is_in_first(left) == self.is_in_first(right) {
                    add(left, right, similarity);
                    strangers += 1;
                }
            }
            pairs.sort_by(|a, b| b.best.similarity.total_cmp(&a.best.similarity));
            pairs
        }

        fn count(&self) -> (Option<Surplus>, usize) {
            let pairs = self.pairs();
            let settled = usize::try_from(self.settled).unwrap();
            let all = index(self.settled + self.open);
            let sizes = Sizes {
                left_persons: all,
                right_persons: all,
                left_records: all,
                right_records: all,
            };
            let mut counts = vec![0; crate::null::BINS];
            counts[bin_of(0.0)] = 1;
            let null = NullDistribution::of_counts(counts);
            let surplus = Surplus::of(
                &pairs[..settled],
                &pairs,
                sizes,
                &null,
                (bin_of(0.2), bin_of(1.0)),
            );
            let found = assign_greedy(&pairs)[settled..]
                .iter()
                .filter(|link| link.left_person == link.right_person)
                .count();
            (surplus, found)
        }
    }

    const CROWDED: People = People {
        settled: 4000,
        open: 1000,
        partners: 300,
        strangers: 60_000,
        in_first_group: 0.5,
    };

    #[test]
    fn matches_are_counted_whoever_took_their_place() {
        let (surplus, found) = CROWDED.count();
        let all = surplus.unwrap().matches();
        assert!(
            found < 120,
            "{found} were found by greedy assignment: strangers took few places"
        );
        assert!((all.seen - 300.0).abs() < 150.0, "{all:?}");
        // A third of what an even density would hold over the two thirds of the way that are left, at most.
        assert!((0.1 * all.seen..0.8 * all.seen).contains(&all.hidden), "{all:?}");
        assert!((150.0..450.0).contains(&all.spread), "{all:?}");
        assert!((all.most - 1000.0).abs() < 1e-9, "{all:?}");
    }

    #[test]
    fn without_matches_none_are_expected_beyond_chance() {
        let people = People {
            partners: 0,
            ..CROWDED
        };
        let all = people.count().0.unwrap().matches();
        assert!(all.seen < 130.0, "{all:?}");
    }

    #[test]
    fn where_few_are_in_both_registers_little_is_known() {
        let people = People {
            settled: 300,
            open: 15_000,
            partners: 0,
            strangers: 100_000,
            in_first_group: 0.5,
        };
        let all = people.count().0.unwrap().matches();
        assert!(
            !all.is_known && all.seen < all.spread && all.spread > 100.0,
            "{all:?}"
        );
    }

    #[test]
    fn look_alikes_who_are_hard_to_link_on_both_sides_are_no_matches() {
        // Eight of ten open people are in one of two groups.
        let people = People {
            in_first_group: 0.8,
            ..CROWDED
        };
        let surplus = people.count().0.unwrap();
        let all = surplus.matches();
        assert!((all.seen - 300.0).abs() < 150.0, "{all:?}");
        let independent: f64 = surplus
            .stretches
            .iter()
            .map(|stretch| stretch.matches() + stretch.doubt)
            .sum();
        assert!(
            independent > all.seen + 100.0,
            "independence would make strangers matches: {independent}"
        );
    }

    #[test]
    fn matches_go_on_to_fall_as_they_do_above() {
        // 100, 80 and 60 in ten bins each: falling by 0.8, then by 0.75, then by ever less.
        let fall = |counts: [f64; 3]| {
            let mut bins = vec![0.0; 100];
            for (index, count) in counts.iter().enumerate() {
                bins[10 * index + 50..10 * index + 60].fill(count / 10.0);
            }
            Seen(bins).falling_off(50..60, 1000.0)
        };
        let steeper: f64 = 0.75 / 0.8;
        let ratios = (1..200).scan(0.75, |ratio, _| {
            *ratio *= steeper;
            Some(*ratio)
        });
        let sum: f64 = ratios
            .scan(1.0, |term, ratio| {
                *term *= ratio;
                Some(*term)
            })
            .sum();
        assert!((fall([60.0, 80.0, 100.0]) - sum).abs() < 1e-4, "{sum}");
        assert!(
            fall([60.0, 80.0, 90.0]) < sum,
            "the later they begin to fall the steeper"
        );
        let is = |counts, expected: f64| (fall(counts) - expected).abs() < 1e-9;
        assert!(is([80.0, 80.0, 100.0], 1000.0));
        assert!(is([80.0 - 1e-12, 80.0, 80.0], 1000.0), "hardly falling");
        assert!(is([0.0, 80.0, 100.0], 0.0));
        assert!(is([0.0, 0.0, 0.0], 1000.0), "nothing times any number is nothing");
    }

    #[test]
    fn a_group_has_its_share() {
        let surplus = CROWDED.count().0.unwrap();
        let all = surplus.matches();
        let [even, odd] = [0, 1].map(|rest| surplus.matches_of(&|record| record % 2 == rest));
        assert!((even.seen + odd.seen - all.seen).abs() < 1e-6 * all.seen);
        assert_eq!(surplus.matches_of(&|_| true), all);
        assert!(surplus.matches_of(&|_| false).seen.abs() < 1e-9);
    }
}
