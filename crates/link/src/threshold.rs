use corridor_core::Threshold;
use serde::Serialize;

use crate::LinkError;
use crate::missed::{Missed, SETTLED_PROBABILITY, missed_at_most, missed_beyond};
use crate::null::{NullDistribution, bin_edge, bin_of};
use crate::pairs::{PersonPair, PersonPairs};
use crate::rivals::{LookAt, Rivals};
use crate::strata::{Beyond, Looks};
use crate::surplus::{HiddenBelow, Surplus};

/// A threshold found without truth, and what it is expected to give.
///
/// Greedy links are walked from the most alike down. At each level, the links made are set against those expected to
/// be false. What is left over are true matches; the share of true ones, made to fall with similarity (isotonic
/// regression), is each link's probability; the threshold is where the expected F1 is highest.
///
/// False links are expected in two ways that know nothing of each other:
/// - from the registers alone: the persons still free, times the rate at which different people of one register
///   are that alike ([`NullDistribution`]), or at which pairs that alike were met at all where that is lower;
/// - from rivals: the persons still free, times the share of persons with an almost certain link who would have
///   been linked to somebody else at that level, had their partner not been there.
///
/// The first is sure where the registers have nobody in common, and too careful where people of one register are
/// more alike than those of two, as households are. So it decides which links are almost certain, and, where
/// those are enough to learn from, the second decides the rest. What the first would have chosen is reported
/// beside it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ThresholdEstimate {
    /// The threshold.
    pub threshold: Threshold,
    /// Which of the two ways decided.
    pub decided_by: Estimator,
    /// The threshold by the registers alone.
    pub threshold_by_registers: Threshold,
    /// Whether the links the two ways expect to be true above the threshold agree within [`AGREEMENT`]; `None` where there were too few
    /// almost certain links for the second to say anything: the threshold then rests on the first alone.
    pub estimators_agree: Option<bool>,
    /// Expected share of links that are true.
    pub expected_precision: f64,
    /// 95 % interval of it, from the number of false links it was learnt from.
    pub precision_interval: (f64, f64),
    /// Expected share of true matches that are linked. Matches are the links that are probably right, what pairs are met of the other
    /// people beyond what is expected of strangers, and a share of what an even density would hold of those that are hardly more alike
    /// than strangers; or what the links beyond those expected to be false say, where that is more or there are too few such links.
    pub expected_recall: f64,
    /// 95 % interval of it.
    pub recall_interval: (f64, f64),
    /// Expected F1.
    pub expected_f1: f64,
}

/// How false links were expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Estimator {
    /// From how alike different people of one register are.
    Registers,
    /// From whom persons with an almost certain link would have been linked to otherwise.
    Rivals,
}

impl Estimator {
    /// The word in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Registers => "registers",
            Self::Rivals => "rivals",
        }
    }
}

/// The two ways agree when their expected true links differ by at most this share.
pub const AGREEMENT: f64 = 0.02;

/// Fewer links than this may be chance, whatever the rates say.
const LEAST_LINKS: usize = 10;
/// A link at least this probable is almost certain.
const CORE_PROBABILITY: f64 = 0.95;
/// Where the registers alone make too few almost certain, links at least this probable by them are taken first: in registers of millions
/// one in twenty people has a look-alike of his own office, and yet hardly one is linked to somebody else's.
const LEAST_CORE_PROBABILITY: f64 = 0.75;
/// Almost certain links from which something can be learnt.
const LEAST_CORE: usize = 200;
/// Persons' worth of weight the registers' rates keep beside the rivals'.
const PRIOR_PERSONS: f64 = 50.0;

/// The probability of a link by its similarity, one step function.
#[derive(Debug, Clone)]
pub(crate) struct Calibration {
    /// Lowest bin of each step and its probability, by bin descending.
    steps: Vec<(usize, f64)>,
}

impl Calibration {
    /// Probability that a link of this similarity is true.
    pub(crate) fn probability(&self, similarity: f64) -> f64 {
        let bin = bin_of(similarity);
        self.steps
            .iter()
            .find(|(lowest, _)| bin >= *lowest)
            .or(self.steps.last())
            .map_or(0.0, |(_, probability)| *probability)
    }
}

/// One level of similarity on the way down.
#[derive(Debug, Clone, Copy)]
struct Level {
    bin: usize,
    links: f64,
    expected_false: f64,
}

/// Persons and records of both sides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) left_persons: usize,
    pub(crate) right_persons: usize,
    pub(crate) left_records: usize,
    pub(crate) right_records: usize,
}

/// What a threshold is found from: greedy links made down to `floor_bin`, out of all candidate pairs.
#[derive(Clone, Copy)]
pub(crate) struct Found<'a> {
    pub(crate) links: &'a [PersonPair],
    pub(crate) pairs: &'a dyn PersonPairs,
    /// Pairs by bin.
    pub(crate) met: &'a [f64],
    pub(crate) null: &'a NullDistribution,
    pub(crate) sizes: Sizes,
    pub(crate) floor_bin: usize,
}

/// Counts pairs by bin.
pub(crate) fn count_by_bin(pairs: &dyn PersonPairs) -> Vec<f64> {
    let mut met = vec![0.0; bin_of(1.0) + 1];
    for pair in pairs.walk() {
        met[bin_of(pair.best.similarity)] += 1.0;
    }
    met
}

/// Finds the threshold and each link's probability.
///
/// # Errors
/// When no level is more likely right than wrong: the registers have no people in common that the
/// encoding can tell from chance.
pub(crate) fn estimate(found: &Found<'_>) -> Result<(ThresholdEstimate, Calibration, Looks), LinkError> {
    let by_registers = found.levels(&found.rates_of_registers());
    let first = Calibration::fit(&by_registers);
    let first_choice = found.choose(&first, &by_registers)?;
    let learnt = found.learn_from_rivals(&first);
    let (decided_by, calibration, choice, evidence, surplus, looks) = if let Some((core, sides)) = learnt {
        let levels = found.levels(&found.rates_of_rivals(&sides));
        let calibration = Calibration::fit(&levels);
        let choice = found.choose(&calibration, &levels)?;
        let evidence = Evidence {
            events: sides.iter().map(|rivals| rivals.count_from(choice.bin)).sum(),
            per_event: 0.5 * found.free_after(&choice).0 / to_f64(core.len()),
        };
        let rivals_of = |link: &PersonPair| {
            let is_seen = [
                sides[0].has_from(link.left_person, choice.bin),
                sides[1].has_from(link.right_person, choice.bin),
            ];
            (link.best.left, is_seen.into_iter().map(u8::from).sum())
        };
        let looks = core.iter().map(rivals_of).collect();
        let settled = found.at_least(SETTLED_PROBABILITY, &calibration);
        let surplus = if settled.len() >= LEAST_CORE {
            Surplus::of(
                settled,
                found.pairs,
                found.sizes,
                found.null,
                (found.floor_bin, choice.bin),
            )
        } else {
            None
        };
        (Estimator::Rivals, calibration, choice, evidence, surplus, looks)
    } else {
        let (free_left, free_right) = found.free_after(&first_choice);
        let evidence = Evidence {
            events: found.null.count_from(first_choice.bin),
            per_event: free_left * free_right / to_f64(found.null.pair_count()).max(1.0),
        };
        (
            Estimator::Registers,
            first.clone(),
            first_choice,
            evidence,
            None,
            Vec::new(),
        )
    };
    let precision_interval = choice.precision_interval(&evidence);
    if precision_interval.0 <= 0.5 {
        return Err(LinkError::ThresholdIndeterminate);
    }
    let to_threshold =
        |bin: usize| Threshold::try_floor(bin_edge(bin)).map_err(|_| LinkError::ThresholdIndeterminate);
    let threshold = to_threshold(choice.bin)?;
    let other_true: f64 = found.links[..choice.links]
        .iter()
        .map(|link| first.probability(link.best.similarity))
        .sum();
    let with_probability =
        |link: &PersonPair| (link.best.left, calibration.probability(link.best.similarity));
    let (links, below) = found.links.split_at(choice.links);
    let probabilities: Vec<f64> = links.iter().map(|link| with_probability(link).1).collect();
    // Many links, and none of them almost certain: strangers may be overstated by any amount, and any link below be right.
    let is_doubtful = decided_by == Estimator::Registers && choice.links >= LEAST_CORE;
    let mut missed = choice.missed(&evidence, &probabilities);
    if is_doubtful {
        missed.most = missed.most.max(to_f64(below.len()));
    }
    let (free_left, free_right) = found.free_after(&choice);
    let beyond = surplus.map_or_else(
        || {
            Beyond::Hidden(HiddenBelow {
                bin: choice.bin,
                strangers: found.null.mean(),
                free: free_left.min(free_right),
            })
        },
        Beyond::Counted,
    );
    let links_so_alike = links
        .iter()
        .zip(&probabilities)
        .map(|(link, p)| (link.best.similarity, *p));
    let missed = match &beyond {
        Beyond::Counted(surplus) => missed.or_more(missed_beyond(links_so_alike, surplus, surplus.matches())),
        Beyond::Hidden(hidden) => missed.or_hidden(hidden.most(links_so_alike)),
    };
    let looks = Looks {
        core: looks,
        below: below.iter().map(with_probability).collect(),
        is_doubtful,
        beyond,
    };
    let estimate = ThresholdEstimate {
        threshold,
        decided_by,
        threshold_by_registers: to_threshold(first_choice.bin)?,
        estimators_agree: match decided_by {
            Estimator::Registers => None,
            Estimator::Rivals => {
                Some((choice.true_links - other_true).abs() <= AGREEMENT * choice.true_links)
            }
        },
        expected_precision: choice.precision(),
        precision_interval,
        expected_recall: missed.recall(choice.true_links),
        recall_interval: missed.recall_interval(precision_interval, to_f64(choice.links)),
        expected_f1: 2.0 * choice.true_links / (to_f64(choice.links) + choice.true_links + missed.expected),
    };
    Ok((estimate, calibration, looks))
}

/// Bins on either side that are looked at together when pairs met are set against chance pairs expected.
const WINDOW_BINS: usize = 20;

/// By bin: the chance that a person still free is linked falsely at that level.
type Rates = Box<dyn Fn(usize, f64, f64) -> f64>;

impl Found<'_> {
    /// Links of at least this probability, the most alike first.
    fn at_least(&self, least: f64, calibration: &Calibration) -> &[PersonPair] {
        let is_wanted = |link: &PersonPair| calibration.probability(link.best.similarity) >= least;
        &self.links[..self.links.partition_point(is_wanted)]
    }

    /// Almost certain links, given the probability by the registers alone, and who else their people would have been linked to; `None`
    /// where they are too few.
    fn learn_from_rivals(&self, first: &Calibration) -> Option<(&[PersonPair], [Rivals; 2])> {
        let rivals_of =
            |core| [LookAt::Left, LookAt::Right].map(|side| Rivals::of(core, self.links, self.pairs, side));
        let core = self.at_least(CORE_PROBABILITY, first);
        if core.len() >= LEAST_CORE {
            return Some((core, rivals_of(core)));
        }
        let wider = self.at_least(LEAST_CORE_PROBABILITY, first);
        if wider.len() < LEAST_CORE {
            return None;
        }
        // Of false links among these, the partner was taken for a rival. So they are left out, now that it is known which are doubtful.
        let second = Calibration::fit(&self.levels(&self.rates_of_rivals(&rivals_of(wider))));
        let core = self.at_least(CORE_PROBABILITY, &second);
        let core = if core.len() >= LEAST_CORE { core } else { wider };
        Some((core, rivals_of(core)))
    }

    /// Links and expected false links of each level, the most alike first. `expected` gives false links from the bin and
    /// the persons still free on the left and on the right.
    fn levels(&self, expected: &Rates) -> Vec<Level> {
        let mut levels = Vec::new();
        let mut position = 0;
        for bin in (self.floor_bin..=bin_of(1.0)).rev() {
            let free_left = to_f64(self.sizes.left_persons - position);
            let free_right = to_f64(self.sizes.right_persons - position);
            let first = position;
            while position < self.links.len() && bin_of(self.links[position].best.similarity) >= bin {
                position += 1;
            }
            levels.push(Level {
                bin,
                links: to_f64(position - first),
                expected_false: expected(bin, free_left, free_right),
            });
        }
        levels
    }

    /// Chance pairs between free persons, at the rate of the registers alone.
    fn rates_of_registers(&self) -> Rates {
        // A person with several records has several chances to look like somebody else.
        let sizes = self.sizes;
        let chances = (to_f64(sizes.left_records) / to_f64(sizes.left_persons))
            * (to_f64(sizes.right_records) / to_f64(sizes.right_persons));
        let all = to_f64(sizes.left_persons) * to_f64(sizes.right_persons);
        let (top, met) = (bin_of(1.0), self.met);
        let rates: Vec<f64> = (0..=top)
            .map(|bin| {
                let rate = chances * self.null.share_in_bin(bin);
                let window =
                    bin.saturating_sub(WINDOW_BINS).max(self.floor_bin)..=(bin + WINDOW_BINS).min(top);
                if bin < self.floor_bin {
                    return rate;
                }
                let expected: f64 = window
                    .clone()
                    .map(|bin| all * chances * self.null.share_in_bin(bin))
                    .sum();
                let seen: f64 = met[window].iter().sum();
                if expected > seen {
                    rate * seen / expected
                } else {
                    rate
                }
            })
            .collect();
        Box::new(move |bin, free_left, free_right| free_left * free_right * rates[bin])
    }

    /// The mean of what both sides' rivals make of the persons still free. The registers' rates stay in with a little
    /// weight, for levels at which no rival happened to be seen.
    fn rates_of_rivals(&self, sides: &[Rivals; 2]) -> Rates {
        let by_registers = self.rates_of_registers();
        let hazards: Vec<Vec<(f64, f64)>> = sides
            .iter()
            .map(|rivals| {
                let mut still_free = to_f64(rivals.persons);
                let mut by_bin = vec![(0.0, 0.0); bin_of(1.0) + 1];
                for bin in (self.floor_bin..=bin_of(1.0)).rev() {
                    by_bin[bin] = (rivals.in_bin(bin), still_free);
                    still_free -= rivals.in_bin(bin);
                }
                by_bin
            })
            .collect();
        Box::new(move |bin, free_left, free_right| {
            let prior = by_registers(bin, free_left, free_right);
            let mean: f64 = [free_left, free_right]
                .into_iter()
                .zip(&hazards)
                .map(|(free, hazards)| {
                    let (rivals, still_free) = hazards[bin];
                    if free <= 0.0 {
                        return 0.0;
                    }
                    free * (rivals + PRIOR_PERSONS * prior / free) / (still_free + PRIOR_PERSONS)
                })
                .sum();
            mean / 2.0
        })
    }

    /// Persons on the left and on the right without a link.
    fn free_after(&self, choice: &Choice) -> (f64, f64) {
        let free = |persons: usize| to_f64(persons - choice.links);
        (free(self.sizes.left_persons), free(self.sizes.right_persons))
    }

    /// The level with the highest expected F1.
    fn choose(&self, calibration: &Calibration, levels: &[Level]) -> Result<Choice, LinkError> {
        // Matches in all: links beyond those expected to be false, added up to where they are most beyond doubt. Further
        // down, what is still found drowns in the uncertainty of what is expected.
        let (mut excess, mut expected_false) = (0.0_f64, 0.0_f64);
        let (mut surest, mut matches, mut false_at_surest) = (f64::NEG_INFINITY, 0.0, 0.0);
        for level in levels {
            excess += level.links - level.expected_false;
            expected_false += level.expected_false;
            let beyond_doubt = excess - (2.0 * expected_false).sqrt();
            if beyond_doubt > surest {
                (surest, matches, false_at_surest) = (beyond_doubt, excess, expected_false);
            }
        }
        let mut true_links = 0.0;
        let mut best: Option<Choice> = None;
        for (position, link) in self.links.iter().enumerate() {
            true_links += calibration.probability(link.best.similarity);
            let bin = bin_of(link.best.similarity);
            let is_last_of_bin = self
                .links
                .get(position + 1)
                .is_none_or(|next| bin_of(next.best.similarity) != bin);
            let here = Choice {
                bin,
                links: position + 1,
                true_links,
                matches: true_links.max(matches),
                false_below: (false_at_surest - (to_f64(position + 1) - true_links)).max(0.0),
            };
            if is_last_of_bin && best.is_none_or(|best| here.f1() > best.f1()) {
                best = Some(here);
            }
        }
        best.filter(|best| best.precision() > 0.5 && best.links >= LEAST_LINKS)
            .ok_or(LinkError::ThresholdIndeterminate)
    }
}

/// A level at which to cut.
#[derive(Debug, Clone, Copy)]
struct Choice {
    bin: usize,
    links: usize,
    true_links: f64,
    matches: f64,
    /// False links expected below the level, down to where matches were counted.
    false_below: f64,
}

impl Choice {
    fn precision(&self) -> f64 {
        self.true_links / to_f64(self.links)
    }

    fn f1(&self) -> f64 {
        2.0 * self.true_links / (to_f64(self.links) + self.matches)
    }
}

/// What false links were expected from: so many look-alikes seen, each standing for so many false links.
#[derive(Debug, Clone, Copy)]
struct Evidence {
    events: usize,
    per_event: f64,
}

impl Choice {
    /// 95 % interval of precision. The number of false links varies as a Poisson number does, and so do the look-alikes it
    /// was learnt from; together as a Poisson number of `f·e/(f+e)` events, by the square-root transformation.
    fn precision_interval(&self, evidence: &Evidence) -> (f64, f64) {
        let links = to_f64(self.links);
        let events = to_f64(evidence.events) + 0.5;
        let expected_false = (links - self.true_links) + 0.5 * evidence.per_event;
        if expected_false <= 0.0 {
            return (1.0, 1.0);
        }
        let (fewest, most) = count_interval(expected_false, events);
        (
            (1.0 - most / links).clamp(0.0, 1.0),
            (1.0 - fewest / links).clamp(0.0, 1.0),
        )
    }

    /// Matches that are not linked, of links alone. Matches below the level are what is left of
    /// the links there when those expected to be false are taken out; both these and the look-alikes they were learnt from vary as
    /// Poisson numbers do, and so do the matches themselves. Of matches that are as little alike as strangers there is no trace:
    /// [`missed_at_most`] allows for them.
    fn missed(&self, evidence: &Evidence, probabilities: &[f64]) -> Missed {
        let expected = self.matches - self.true_links;
        let spread = 1.96 * (self.false_below * (1.0 + evidence.per_event) + expected + 1.0).sqrt();
        Missed {
            expected,
            fewest: (expected - spread).max(0.0),
            most: (expected + spread).max(missed_at_most(probabilities)),
            is_known: true,
        }
    }
}

/// 95 % interval of a number of which so many are `expected`, learnt from so many `events`, both above zero: together as a Poisson
/// number of `x·e/(x+e)` events, by the square-root transformation; outward to whole numbers, since false links come whole.
///
/// However many the events, persons without a partner are not quite like those with one, from whom the number was learnt: the
/// interval is widened on the log scale by [`MODEL_ALLOWANCE`], as by an error independent of chance.
pub(crate) fn count_interval(expected: f64, events: f64) -> (f64, f64) {
    let root = (expected * events / (expected + events)).sqrt();
    let bound = |other: f64| {
        let by_chance = (other / root).powi(2).ln().abs();
        by_chance.hypot(MODEL_ALLOWANCE.ln())
    };
    (
        (expected * (-bound((root - 0.98).max(0.0))).exp()).floor(),
        (expected * bound(root + 0.98).exp()).ceil(),
    )
}

/// How many times as many false links there may be as those that were learnt from expect, or as few. A convention: on invented
/// corridors of 50,000 to a million records there were 0.9 to 1.4 times as many.
const MODEL_ALLOWANCE: f64 = 1.4;

#[expect(clippy::cast_precision_loss, reason = "counts of persons are far below 2^52")]
const fn to_f64(count: usize) -> f64 {
    count as f64
}

impl Calibration {
    /// Pools levels until the share of true links falls with similarity (pool adjacent violators).
    fn fit(levels: &[Level]) -> Self {
        struct Block {
            lowest: usize,
            links: f64,
            expected_false: f64,
        }
        impl Block {
            fn share_true(&self) -> f64 {
                if self.links > 0.0 {
                    1.0 - self.expected_false / self.links
                } else {
                    // Nothing seen where something was expected argues for what lies below, too.
                    f64::NEG_INFINITY
                }
            }
        }
        let mut blocks: Vec<Block> = Vec::new();
        for level in levels {
            if level.links <= 0.0 && level.expected_false <= 0.0 {
                if let Some(last) = blocks.last_mut() {
                    last.lowest = level.bin;
                }
                continue;
            }
            blocks.push(Block {
                lowest: level.bin,
                links: level.links,
                expected_false: level.expected_false,
            });
            while let [.., above, below] = blocks.as_slice()
                && below.share_true() >= above.share_true()
            {
                let below = blocks.pop().expect("two blocks");
                let above = blocks.last_mut().expect("two blocks");
                above.lowest = below.lowest;
                above.links += below.links;
                above.expected_false += below.expected_false;
            }
        }
        Self {
            steps: blocks
                .iter()
                .map(|block| (block.lowest, block.share_true().clamp(0.0, 1.0)))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::side::LinkSide;
    use crate::{Comparison, plan_tiles};
    use corridor_core::{FilterLen, Filters, Measure, Pseudonym, SeededEntropy, fill};
    use rand_core::Rng as _;

    /// Two registers of random filters; the first `shared` persons are in both, each side with some of their bits
    /// changed. People of one `household` (a number of neighbours) look alike on each side.
    fn registers(
        shared: usize,
        alone: usize,
        flips: u32,
        household: usize,
        seed: u64,
    ) -> [(Filters, Vec<Pseudonym>); 2] {
        let mut entropy = SeededEntropy::new(seed, "registers");
        let filter_len = FilterLen::try_from(2048).unwrap();
        let draw = |entropy: &mut SeededEntropy| -> Vec<u64> {
            (0..filter_len.to_words()).map(|_| entropy.next_u64()).collect()
        };
        let mut families: Vec<Vec<u64>> = Vec::new();
        let mut person = |index: usize, entropy: &mut SeededEntropy| {
            if household <= 1 {
                return draw(entropy);
            }
            if families.len() <= index / household {
                families.push(draw(entropy));
            }
            let family = families[index / household].clone();
            flip(&family, 21, entropy)
        };
        let mut sides = [0, 1].map(|_| (Filters::with_capacity(filter_len, shared + alone), Vec::new()));
        let people: Vec<Vec<u64>> = (0..shared + 2 * alone)
            .map(|index| person(index, &mut entropy))
            .collect();
        let mut noise = SeededEntropy::new(seed, "noise");
        for (index, filter) in people.iter().enumerate() {
            let of_left = index < shared || index < shared + alone;
            let of_right = index < shared || index >= shared + alone;
            for (side, present) in sides.iter_mut().zip([of_left, of_right]) {
                if present {
                    let mut id = [0; 16];
                    fill(&mut noise, &mut id);
                    side.0.push(&flip(filter, flips, &mut noise));
                    side.1.push(Pseudonym::from_bytes(id));
                }
            }
        }
        sides
    }

    /// Each bit changed with a probability of `sixty_fourths`/64.
    fn flip(filter: &[u64], sixty_fourths: u32, entropy: &mut SeededEntropy) -> Vec<u64> {
        let changed = |entropy: &mut SeededEntropy| {
            // A draw of six bits is below the number: worked out for 64 draws at once, from the lowest bit up.
            (0..6).fold(0_u64, |below, bit| {
                let draw = entropy.next_u64();
                if sixty_fourths >> bit & 1 == 1 {
                    below | draw
                } else {
                    below & draw
                }
            })
        };
        filter.iter().map(|word| word ^ changed(entropy)).collect()
    }

    fn linked(registers: &[(Filters, Vec<Pseudonym>); 2]) -> Result<crate::LinkSet, LinkError> {
        let left = LinkSide::from_parts(&registers[0].0, &registers[0].1)?;
        let right = LinkSide::from_parts(&registers[1].0, &registers[1].1)?;
        let policy = corridor_core::ThresholdPolicy::Estimated;
        let plan = crate::ComparePlan::new(&left, &right, Measure::Rho, policy, None, 1)?;
        let comparison = Comparison::new(&left, &right, Measure::Rho, plan.floor());
        let mut candidates = crate::Candidates::new(&left, &right, &crate::CandidateMemory::unbounded(), 0);
        for tile in plan_tiles(left.len(), right.len()) {
            candidates.add(comparison.compare(&tile))?;
        }
        crate::decide(&plan, corridor_core::Assignment::Greedy, candidates)
    }

    /// Persons in both come first on both sides, in the same order.
    fn precision_and_recall(links: &crate::LinkSet, shared: usize) -> (f64, f64) {
        let right = links
            .links
            .iter()
            .filter(|link| link.left == link.right && usize::try_from(link.left).unwrap() < shared)
            .count();
        (
            to_f64(right) / to_f64(links.links.len()),
            to_f64(right) / to_f64(shared),
        )
    }

    #[test]
    fn expected_precision_and_recall_are_near_the_true_ones() {
        for (flips, seed) in [(19, 1), (21, 2), (22, 3)] {
            let links = linked(&registers(600, 500, flips, 1, seed)).unwrap();
            let (precision, recall) = precision_and_recall(&links, 600);
            let estimate = links.decision.estimate.unwrap();
            assert_eq!(estimate.decided_by, Estimator::Rivals, "{flips}");
            assert!(
                (estimate.expected_precision - precision).abs() < 0.03,
                "{flips}: {precision} {estimate:?}"
            );
            let (low, high) = estimate.recall_interval;
            assert!((low..=high).contains(&recall), "{flips}: {recall} {estimate:?}");
            // With more bits changed, the middle of the matches comes near the strangers, all at once as it does in no register,
            // and more are expected to be hidden there than the tail of a normal distribution holds; with 22 of 64 so many
            // that only the interval says something.
            let (less, more) = match flips {
                19 => (0.03, 0.03),
                21 => (0.15, 0.03),
                _ => (0.5, 0.5),
            };
            assert!(
                (recall - less..=recall + more).contains(&estimate.expected_recall),
                "{flips}: {recall} {estimate:?}"
            );
            assert!(estimate.precision_interval.0 <= estimate.expected_precision);
            assert!(estimate.precision_interval.1 >= estimate.expected_precision);
        }
    }

    #[test]
    fn where_few_are_in_both_registers_the_interval_of_recall_holds_the_truth() {
        for seed in 1..=6 {
            let [left, (filters, persons)] = registers(80, 1500, 10, 1, seed);
            // How much more is wrong goes from nothing to so much that nobody is known again.
            let mut entropy = SeededEntropy::new(seed, "errors");
            let mut worse = Filters::with_capacity(filters.filter_len(), filters.len());
            for row in 0..filters.len() {
                let more = u32::try_from(row % 16).unwrap() * 28 / 16;
                worse.push(&flip(filters.row(row), more, &mut entropy));
            }
            let links = linked(&[left, (worse, persons)]).unwrap();
            let (_, recall) = precision_and_recall(&links, 80);
            let estimate = links.decision.estimate.unwrap();
            assert_eq!(estimate.decided_by, Estimator::Registers, "{seed}");
            let (low, high) = estimate.recall_interval;
            assert!((low..=high).contains(&recall), "{seed}: {recall} {estimate:?}");
            assert!(low > 0.35, "{seed}: {estimate:?}");
        }
        // All alike in everything: what is free bounds what can be missed, and the density over all there is how much is hidden.
        let links = linked(&registers(80, 40, 0, 1, 7)).unwrap();
        let (low, high) = links.decision.estimate.unwrap().recall_interval;
        assert!(low > 0.66 && high >= 1.0, "{low} {high}");
    }

    #[test]
    fn households_do_not_push_the_threshold_up() {
        // Members of a household are as alike within a register as a partner is between the two.
        let links = linked(&registers(900, 300, 13, 3, 4)).unwrap();
        let (precision, recall) = precision_and_recall(&links, 900);
        assert!(precision > 0.95 && recall > 0.95, "{precision} {recall}");
    }

    #[test]
    fn look_alikes_in_ones_own_register_do_not_hide_how_many_are_missed() {
        // One in seven has a sibling in the same register, as much alike as a partner, so that by the registers alone no link is
        // almost certain.
        let mut registers = registers(1200, 300, 15, 1, 5);
        let mut entropy = SeededEntropy::new(6, "siblings");
        for (side, (filters, persons)) in registers.iter_mut().enumerate() {
            for row in (side..1200).step_by(7) {
                let sibling = flip(filters.row(row), 22, &mut entropy);
                filters.push(&sibling);
                let mut id = [0; 16];
                fill(&mut entropy, &mut id);
                persons.push(Pseudonym::from_bytes(id));
            }
        }
        let links = linked(&registers).unwrap();
        let (precision, recall) = precision_and_recall(&links, 1200);
        let estimate = links.decision.estimate.unwrap();
        assert_eq!(estimate.decided_by, Estimator::Rivals, "{estimate:?}");
        for (truth, (low, high)) in [
            (precision, estimate.precision_interval),
            (recall, estimate.recall_interval),
        ] {
            assert!((low..=high).contains(&truth), "{truth} {estimate:?}");
        }
    }

    #[test]
    fn registers_with_nobody_in_common_give_no_threshold() {
        for seed in 1..=5 {
            let outcome = linked(&registers(0, 400, 19, 1, seed));
            assert!(
                matches!(outcome, Err(LinkError::ThresholdIndeterminate)),
                "{outcome:?}"
            );
        }
    }

    #[test]
    fn probabilities_fall_with_similarity() {
        let levels: Vec<Level> = [
            (9, 10.0, 0.0),
            (8, 0.0, 1.0),
            (7, 5.0, 1.0),
            (6, 8.0, 7.0),
            (5, 3.0, 0.5),
            (4, 9.0, 12.0),
        ]
        .map(|(bin, links, expected_false)| Level {
            bin,
            links,
            expected_false,
        })
        .to_vec();
        let calibration = Calibration::fit(&levels);
        let steps: Vec<f64> = calibration
            .steps
            .iter()
            .map(|(_, probability)| *probability)
            .collect();
        assert!(
            steps.is_sorted_by(|a, b| a > b) && steps.iter().all(|p| (0.0..=1.0).contains(p)),
            "{steps:?}"
        );
        assert_eq!(calibration.steps.last().unwrap().0, 4, "every level is in a step");
    }
}
