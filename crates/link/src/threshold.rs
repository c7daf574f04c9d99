use corridor_core::Threshold;
use serde::Serialize;

use crate::LinkError;
use crate::assign::PersonPair;
use crate::null::{NullDistribution, bin_edge, bin_of};

/// A threshold found without truth, and what it is expected to give.
///
/// Greedy links are walked from the most alike down. At each level, the links made are set against those that
/// chance would make between the persons still free: their number times the rate at which different people
/// of one register are that alike ([`NullDistribution`]), or the rate at which pairs that alike were met at all
/// where that is lower: chance pairs cannot be more than all pairs. What is left over are true matches. The share of
/// true ones, made to fall with similarity (isotonic regression), is each link's probability; the threshold
/// is where the expected F1 is highest.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ThresholdEstimate {
    /// The threshold.
    pub threshold: Threshold,
    /// Expected share of links that are true.
    pub expected_precision: f64,
    /// Expected share of true matches that are linked, of those above the level looked down to.
    pub expected_recall: f64,
    /// Expected F1.
    pub expected_f1: f64,
    /// Links per record before assignment as Bernoulli(p) + Poisson(λ) (after Blakely & Salmond 2002):
    /// p/(p+λ), a second look at precision that knows nothing of the first; `None` when the counts do not
    /// fit the model.
    pub link_count_precision: Option<f64>,
}

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

/// Bins on either side that are looked at together when pairs met are set against chance pairs expected.
const WINDOW_BINS: usize = 20;

/// Fits the probability of a link to greedy links made down to `floor_bin`, out of all candidate `pairs`.
#[expect(clippy::cast_precision_loss, reason = "counts of records")]
pub(crate) fn calibrate(
    links: &[PersonPair],
    pairs: &[PersonPair],
    null: &NullDistribution,
    sizes: Sizes,
    floor_bin: usize,
) -> Calibration {
    // A person with several records has several chances to look like somebody else.
    let chances = (sizes.left_records as f64 / sizes.left_persons as f64)
        * (sizes.right_records as f64 / sizes.right_persons as f64);
    let all = (sizes.left_persons as f64) * (sizes.right_persons as f64);
    let mut met = vec![0.0; bin_of(1.0) + 1];
    for pair in pairs {
        met[bin_of(pair.best.similarity)] += 1.0;
    }
    let chance_rate = |bin: usize| {
        let window = bin.saturating_sub(WINDOW_BINS).max(floor_bin)..=(bin + WINDOW_BINS).min(bin_of(1.0));
        let expected: f64 = window
            .clone()
            .map(|bin| all * chances * null.share_in_bin(bin))
            .sum();
        let seen: f64 = met[window].iter().sum();
        chances * null.share_in_bin(bin) * if expected > seen { seen / expected } else { 1.0 }
    };
    let mut levels = Vec::new();
    let mut position = 0;
    for bin in (floor_bin..=bin_of(1.0)).rev() {
        let free_left = (sizes.left_persons - position) as f64;
        let free_right = (sizes.right_persons - position) as f64;
        let first = position;
        while position < links.len() && bin_of(links[position].best.similarity) >= bin {
            position += 1;
        }
        let expected_false = free_left * free_right * chance_rate(bin);
        levels.push(Level {
            bin,
            links: (position - first) as f64,
            expected_false,
        });
    }
    Calibration {
        steps: isotonic(&levels),
    }
}

/// Pools levels until the share of true links falls with similarity (pool adjacent violators).
fn isotonic(levels: &[Level]) -> Vec<(usize, f64)> {
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
        if level.links == 0.0 && level.expected_false == 0.0 {
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
    blocks
        .iter()
        .map(|block| (block.lowest, block.share_true().clamp(0.0, 1.0)))
        .collect()
}

/// Chooses the threshold with the highest expected F1.
///
/// # Errors
/// When no level is more likely right than wrong: the registers have no people in common that the
/// encoding can tell from chance.
pub(crate) fn choose(
    links: &[PersonPair],
    pairs: &[PersonPair],
    calibration: &Calibration,
    sizes: Sizes,
) -> Result<ThresholdEstimate, LinkError> {
    let probabilities: Vec<f64> = links
        .iter()
        .map(|link| calibration.probability(link.best.similarity))
        .collect();
    let matches: f64 = probabilities.iter().sum();
    let (mut true_links, mut link_count) = (0.0, 0.0);
    let mut best: Option<(f64, f64, f64, usize)> = None;
    for (position, probability) in probabilities.iter().enumerate() {
        true_links += probability;
        link_count += 1.0;
        let last_of_bin = links
            .get(position + 1)
            .is_none_or(|next| bin_of(next.best.similarity) != bin_of(links[position].best.similarity));
        let f1 = 2.0 * true_links / (link_count + matches);
        if last_of_bin && best.is_none_or(|(best_f1, ..)| f1 > best_f1) {
            let bin = bin_of(links[position].best.similarity);
            best = Some((f1, true_links / link_count, true_links / matches, bin));
        }
    }
    let (expected_f1, expected_precision, expected_recall, bin) = best
        .filter(|(_, precision, _, _)| *precision > 0.5)
        .ok_or(LinkError::ThresholdIndeterminate)?;
    let threshold = Threshold::try_floor(bin_edge(bin)).map_err(|_| LinkError::ThresholdIndeterminate)?;
    Ok(ThresholdEstimate {
        threshold,
        expected_precision,
        expected_recall,
        expected_f1,
        link_count_precision: link_count_precision(pairs, threshold, sizes.left_persons),
    })
}

/// Precision from the number of candidates each left person has at or above the threshold:
/// p = √(mean − variance), λ = mean − p, precision p/(p+λ).
#[expect(clippy::cast_precision_loss, reason = "counts of records")]
fn link_count_precision(pairs: &[PersonPair], threshold: Threshold, persons: usize) -> Option<f64> {
    let mut counts = std::collections::HashMap::<u32, f64>::new();
    for pair in pairs {
        if pair.best.similarity >= threshold.to_f64() {
            *counts.entry(pair.left_person).or_default() += 1.0;
        }
    }
    let persons = persons as f64;
    let mean = counts.values().sum::<f64>() / persons;
    let variance = counts.values().map(|count| count * count).sum::<f64>() / persons - mean * mean;
    let p = (mean - variance).max(0.0).sqrt();
    (p > 0.0 && p <= mean).then(|| p / mean)
}
