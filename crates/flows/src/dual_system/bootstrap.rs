use std::collections::BTreeMap;

use corridor_core::Entropy;
use rand_distr::{Beta, Binomial, Distribution as _};
use serde::Serialize;

use super::{DualSystemError, LinkageErrorRates, LinkageErrors, LinkedCounts};
use crate::interval::{Confidence, Interval};
use crate::number::{real, real_len, whole};

/// What resampling says of an estimate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bootstrap {
    /// Resampled estimates.
    pub replicates: u32,
    /// How many of them had no more links than false ones expected; they count as above every other.
    pub undefined: u32,
    /// Mean of the others.
    pub mean: f64,
    /// Their standard deviation.
    pub standard_error: f64,
    /// From the lower to the upper percentile.
    pub percentile: Interval,
}

/// What one person contributes to the counts. A person who moved more than once contributes several moves, which are
/// in the lists or not together; resampling persons, not moves, keeps them so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PersonOutcome {
    /// Moves in the first list.
    pub in_1: u32,
    /// Moves in the second list.
    pub in_2: u32,
    /// Links between them.
    pub links: u32,
}

/// Resamples the whole process under the estimate (Buckland and Garthwaite 1991): N̂ moves, each in the first list
/// with chance n₁/N̂ and in the second with n₂/N̂, linked with α and β, which are drawn from Beta distributions of their
/// variances. The same entropy gives the same figures.
///
/// # Errors
/// No replicates, or so many without an estimate that the interval has no upper end.
pub fn parametric_bootstrap(
    counts: &LinkedCounts,
    replicates: u32,
    confidence: Confidence,
    entropy: &mut dyn Entropy,
) -> Result<Bootstrap, DualSystemError> {
    resample(replicates, counts.at_least(), confidence, || {
        replicate(counts, None, entropy)
    })
}

/// The estimate that the process gives once more. An office corrects with its estimate of the rates, which is off from the truth as far
/// as it may be: the one given, or another.
pub(super) fn replicate(
    counts: &LinkedCounts,
    estimated: Option<(f64, f64)>,
    entropy: &mut dyn Entropy,
) -> Option<f64> {
    let (point, _) = counts.point_and_variance();
    let (n1, n2) = (real(counts.linked().n1()), real(counts.linked().n2()));
    let (share_1, share_2) = (n1 / point, n2 / point);
    let moves = whole(point.round()).unwrap_or(u64::MAX);
    let rates = counts.errors().rates();
    let in_1 = binomial(moves, share_1, entropy);
    let both = binomial(in_1, share_2, entropy);
    let in_2 = both + binomial(moves - in_1, share_2, entropy);
    let links = binomial(both, rates.alpha, entropy) + binomial(in_2 - both, rates.beta, entropy);
    let estimated = estimated.unwrap_or_else(|| drawn(&rates, entropy));
    estimate(in_1, in_2, links, estimated)
}

/// Resamples persons: as many as there are, the unseen among them, drawn with replacement from what was found of
/// each, and the rates of linkage error drawn from Beta distributions of their variances.
///
/// `persons` are those in at least one list, with how many there are of each kind; the order says nothing. The number
/// of unseen persons follows from the estimate and from the moves a seen person makes on average.
///
/// # Errors
/// Nobody; a person with more links than moves; counts from which nothing can be estimated; no replicates, or so
/// many without an estimate that the interval has no upper end.
pub fn bootstrap_over_persons(
    persons: &[(PersonOutcome, u64)],
    errors: LinkageErrors,
    replicates: u32,
    confidence: Confidence,
    entropy: &mut dyn Entropy,
) -> Result<Bootstrap, DualSystemError> {
    let mut kinds: BTreeMap<PersonOutcome, u64> = BTreeMap::new();
    for &(person, number) in persons {
        for (list, len) in [("in_1", person.in_1), ("in_2", person.in_2)] {
            if person.links > len {
                return Err(DualSystemError::AboveList {
                    name: "links of a person",
                    value: f64::from(person.links),
                    list,
                    len: u64::from(len),
                });
            }
        }
        if person.in_1 > 0 || person.in_2 > 0 {
            *kinds.entry(person).or_default() += number;
        }
    }
    let kinds: Vec<(PersonOutcome, u64)> = kinds.into_iter().filter(|&(_, number)| number > 0).collect();
    let seen: u64 = kinds.iter().map(|&(_, number)| number).sum();
    if seen == 0 {
        return Err(DualSystemError::Nothing("persons"));
    }
    let (in_1, in_2, links) = add_up(&kinds);
    let counts = LinkedCounts::try_new(in_1, in_2, links, errors)?;
    let (point, _) = counts.point_and_variance();
    let moves_seen = real(in_1) + real(in_2) - counts.matched();
    let unseen = (point / moves_seen - 1.0).max(0.0) * real(seen);
    let all = seen + whole(unseen.round()).unwrap_or(0);
    let rates = errors.rates();
    resample(replicates, counts.at_least(), confidence, || {
        let drawn_kinds = multinomial(&kinds, all, entropy);
        let (in_1, in_2, links) = add_up(&drawn_kinds);
        estimate(in_1, in_2, links, drawn(&rates, entropy))
    })
}

fn add_up(kinds: &[(PersonOutcome, u64)]) -> (u64, u64, u64) {
    kinds
        .iter()
        .fold((0, 0, 0), |(in_1, in_2, links), &(person, number)| {
            (
                in_1 + number * u64::from(person.in_1),
                in_2 + number * u64::from(person.in_2),
                links + number * u64::from(person.links),
            )
        })
}

/// n₁n₂/m̂ of a replicate, no more than all matched; `None` without a match.
fn estimate(n1: u64, n2: u64, links: u64, rates: (f64, f64)) -> Option<f64> {
    let (alpha, beta) = rates;
    let matched = (real(links) - beta * real(n2)) / (alpha - beta);
    let matched = matched.min(real(n1)).min(real(n2));
    (alpha > beta && matched > 0.0).then(|| real(n1) * real(n2) / matched)
}

/// α and β as another study of the same size might have estimated them.
pub(super) fn drawn(rates: &LinkageErrorRates, entropy: &mut dyn Entropy) -> (f64, f64) {
    (
        beta_of_moments(rates.alpha, rates.var_alpha, entropy),
        beta_of_moments(rates.beta, rates.var_beta, entropy),
    )
}

fn beta_of_moments(mean: f64, variance: f64, entropy: &mut dyn Entropy) -> f64 {
    let size = mean * (1.0 - mean) / variance - 1.0;
    match Beta::new(mean * size, (1.0 - mean) * size) {
        Ok(beta) if variance > 0.0 => beta.sample(entropy),
        // A rate without variance, or that can only be 0 or 1.
        _ => mean,
    }
}

fn binomial(trials: u64, chance: f64, entropy: &mut dyn Entropy) -> u64 {
    // A chance a hair above 1 is rounding; anything else is a share of counts.
    match Binomial::new(trials, chance.clamp(0.0, 1.0)) {
        Ok(binomial) => binomial.sample(entropy),
        Err(_) => 0,
    }
}

/// Draws `all` persons from the kinds seen and the unseen, one kind after the other.
fn multinomial(
    kinds: &[(PersonOutcome, u64)],
    all: u64,
    entropy: &mut dyn Entropy,
) -> Vec<(PersonOutcome, u64)> {
    let (mut people_left, mut weight_left) = (all, all);
    kinds
        .iter()
        .map(|&(person, number)| {
            let drawn = binomial(people_left, real(number) / real(weight_left.max(1)), entropy);
            people_left -= drawn;
            weight_left -= number;
            (person, drawn)
        })
        .collect()
}

/// Makes the replicates and sums them up.
pub(super) fn resample(
    replicates: u32,
    at_least: f64,
    confidence: Confidence,
    mut replicate: impl FnMut() -> Option<f64>,
) -> Result<Bootstrap, DualSystemError> {
    if replicates < 2 {
        return Err(DualSystemError::OutOfRange {
            name: "replicates",
            value: f64::from(replicates),
            range: "an interval needs 2 at least, and 1,000 to be of use",
        });
    }
    let mut points: Vec<f64> = (0..replicates).filter_map(|_| replicate()).collect();
    points.sort_by(f64::total_cmp);
    let defined = u32::try_from(points.len()).unwrap_or(replicates);
    let undefined = replicates - defined;
    let (low, high) = confidence.tails();
    let unbounded = DualSystemError::BootstrapUnbounded {
        undefined,
        replicates,
    };
    let percentile = percentile(&points, replicates, low).zip(percentile(&points, replicates, high));
    let Some((low, high)) = percentile.filter(|_| defined >= 2) else {
        return Err(unbounded);
    };
    let mean = points.iter().sum::<f64>() / f64::from(defined);
    let squares: f64 = points.iter().map(|point| (point - mean) * (point - mean)).sum();
    Ok(Bootstrap {
        replicates,
        undefined,
        mean,
        standard_error: (squares / (f64::from(defined) - 1.0)).sqrt(),
        percentile: Interval {
            low: low.max(at_least),
            high: high.max(at_least),
        },
    })
}

/// The value below which a share of the replicates lies, between neighbours in proportion (Hyndman and Fan 1996,
/// type 7). `None` when it falls among those without an estimate, which count as above all others.
fn percentile(sorted: &[f64], replicates: u32, share: f64) -> Option<f64> {
    let position = share * (f64::from(replicates) - 1.0);
    let below = usize::try_from(whole(position.floor())?).ok()?;
    let rest = position - position.floor();
    let low = *sorted.get(below)?;
    if rest <= 0.0 || real_len(below) + 1.0 >= f64::from(replicates) {
        return Some(low);
    }
    let high = *sorted.get(below + 1)?;
    Some(low + rest * (high - low))
}
