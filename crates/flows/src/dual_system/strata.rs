use std::collections::BTreeSet;

use corridor_core::Entropy;
use serde::Serialize;

use super::bootstrap::{drawn, replicate, resample};
use super::{
    Bootstrap, DualCounts, DualSystemError, Estimator, LinkageErrorRates, LinkageErrors, LinkedCounts,
    PopulationEstimate,
};
use crate::interval::Confidence;
use crate::number::real;

/// Moves of one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stratum {
    /// What it is called; no two strata alike.
    pub label: String,
    /// What the lists have of it.
    pub counts: DualCounts,
}

/// Linked moves of one group. Unlike [`LinkedCounts`] it need not be enough to estimate from by itself.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkedStratum {
    /// What it is called; no two strata alike.
    pub label: String,
    /// What the lists have of it, links in the place of matches.
    pub linked: DualCounts,
    /// How linkage errs in it.
    pub errors: LinkageErrors,
}

/// When a stratum is too thin to estimate, and what becomes of it.
///
/// A stratum with fewer matched moves than the minimum is thin. All thin strata are pooled into one. While that is
/// still thin, the stratum with the fewest matched moves (the first of them in the order given) joins it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PoolingRule {
    /// Matched moves a stratum needs.
    pub minimum_matched: u64,
}

/// Seven: from there on Chapman's estimate is biased by less than 2 % with a chance of 95 % (Robson and Regier 1964).
impl Default for PoolingRule {
    fn default() -> Self {
        Self { minimum_matched: 7 }
    }
}

impl PoolingRule {
    /// At least 1: from nothing nothing can be estimated.
    fn to_minimum(self) -> f64 {
        real(self.minimum_matched.max(1))
    }
}

/// Estimates of strata, and their sum.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StratifiedEstimate {
    /// The sum; its variance is the sum of the variances, and more where strata share uncertain rates.
    pub total: PopulationEstimate,
    /// What was estimated: strata, alone or pooled, in the order of their first one.
    pub strata: Vec<PooledStratum>,
    /// The strata that were too thin, in the order given.
    pub thin: Vec<ThinStratum>,
    /// The rule they were pooled by.
    pub rule: PoolingRule,
}

/// A stratum, or several that were pooled.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PooledStratum {
    /// The strata in it.
    pub labels: Vec<String>,
    /// What the lists have of it; links in the place of matches where linkage errs.
    pub counts: DualCounts,
    /// Its estimate.
    pub estimate: PopulationEstimate,
}

/// A stratum too thin to estimate.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ThinStratum {
    /// Its label.
    pub label: String,
    /// Its matched moves; an estimate where linkage errs, and then perhaps below 0.
    pub matched: f64,
    /// Whether one of the lists has no move of it at all.
    pub in_one_list_only: bool,
}

/// Chapman's estimate in each stratum, added up. Needed where the chance of being in a list differs between groups
/// in both lists: then the pooled estimate is too low.
///
/// # Errors
/// No strata, a label twice, an empty stratum, or too little matched in all of them together.
pub fn stratified_chapman(
    strata: &[Stratum],
    rule: PoolingRule,
    confidence: Confidence,
) -> Result<StratifiedEstimate, DualSystemError> {
    let cells: Vec<Cell<'_>> = strata
        .iter()
        .map(|stratum| Cell {
            label: &stratum.label,
            counts: stratum.counts,
            matched: real(stratum.counts.matched()),
        })
        .collect();
    let estimator = Estimator::StratifiedChapman;
    add_up(
        &cells,
        rule,
        confidence,
        (estimator, LinkageErrors::NONE),
        |group| {
            let counts = sum(&cells, group);
            Ok((counts.chapman(confidence)?, counts.to_reals()?))
        },
    )
}

/// The linkage-error-corrected estimate in each stratum, added up, with the rates of each stratum.
///
/// Strata whose rates are all the same are taken to share one estimate of them: an error of α or β then goes the same
/// way in every stratum, and the variance of the sum is larger than the sum of the variances.
///
/// # Errors
/// As [`stratified_chapman`]; thin strata whose rates differ; or counts that contradict the rates.
pub fn stratified_corrected(
    strata: &[LinkedStratum],
    rule: PoolingRule,
    confidence: Confidence,
) -> Result<StratifiedEstimate, DualSystemError> {
    let cells = linked_cells(strata);
    let estimator = Estimator::StratifiedLinkageErrorCorrected;
    let shared = shared_errors(strata).unwrap_or(LinkageErrors::NONE);
    add_up(&cells, rule, confidence, (estimator, shared), |group| {
        let linked = linked_counts(strata, &cells, group)?;
        let corrected = linked.corrected(confidence);
        let parts = (
            real(linked.linked().n1()),
            real(linked.linked().n2()),
            corrected.matched,
        );
        Ok((corrected.estimate, parts))
    })
}

/// Resamples the process behind [`stratified_corrected`] in every stratum, pooled as there, and adds up, as
/// [`parametric_bootstrap`](super::parametric_bootstrap) does one. Where strata share an estimate of their rates it is drawn once for
/// all of them. A replicate in which a stratum has no estimate has none.
///
/// # Errors
/// As [`stratified_corrected`] and [`parametric_bootstrap`](super::parametric_bootstrap).
pub fn stratified_bootstrap(
    strata: &[LinkedStratum],
    rule: PoolingRule,
    replicates: u32,
    confidence: Confidence,
    entropy: &mut dyn Entropy,
) -> Result<Bootstrap, DualSystemError> {
    let cells = linked_cells(strata);
    check(&cells)?;
    let groups: Vec<LinkedCounts> = pool(&cells, rule)?
        .iter()
        .map(|group| linked_counts(strata, &cells, group))
        .collect::<Result<_, _>>()?;
    let at_least = groups.iter().map(LinkedCounts::at_least).sum();
    let shared = shared_errors(strata).map(|errors| errors.rates());
    resample(replicates, at_least, confidence, || {
        let of_all = shared.map(|rates| drawn(&rates, entropy));
        let drawn_groups: Vec<Option<f64>> = groups
            .iter()
            .map(|counts| replicate(counts, of_all, entropy))
            .collect();
        drawn_groups.into_iter().sum()
    })
}

fn linked_cells(strata: &[LinkedStratum]) -> Vec<Cell<'_>> {
    let matched = |stratum: &LinkedStratum| {
        let LinkageErrorRates { alpha, beta, .. } = stratum.errors.rates();
        (real(stratum.linked.matched()) - beta * real(stratum.linked.n2())) / (alpha - beta)
    };
    strata
        .iter()
        .map(|stratum| Cell {
            label: &stratum.label,
            counts: stratum.linked,
            matched: matched(stratum),
        })
        .collect()
}

/// The rates of all strata, where they are the same.
fn shared_errors(strata: &[LinkedStratum]) -> Option<LinkageErrors> {
    let one = strata.first()?.errors;
    strata.iter().all(|stratum| stratum.errors == one).then_some(one)
}

/// The counts of a group of strata that have the same rates.
fn linked_counts(
    strata: &[LinkedStratum],
    cells: &[Cell<'_>],
    group: &[usize],
) -> Result<LinkedCounts, DualSystemError> {
    let errors = strata[group[0]].errors;
    if group.iter().any(|&index| strata[index].errors != errors) {
        return Err(DualSystemError::RatesDiffer);
    }
    let counts = sum(cells, group);
    LinkedCounts::try_new(counts.n1(), counts.n2(), counts.matched(), errors)
}

/// A stratum as the pooling rule sees it.
#[derive(Debug, Clone, Copy)]
struct Cell<'a> {
    label: &'a str,
    counts: DualCounts,
    matched: f64,
}

/// The estimate of a group of strata, with n₁, n₂ and m for the dependence of the total.
type GroupEstimate = (PopulationEstimate, (f64, f64, f64));

fn add_up(
    cells: &[Cell<'_>],
    rule: PoolingRule,
    confidence: Confidence,
    (estimator, shared): (Estimator, LinkageErrors),
    estimate: impl Fn(&[usize]) -> Result<GroupEstimate, DualSystemError>,
) -> Result<StratifiedEstimate, DualSystemError> {
    check(cells)?;
    let groups = pool(cells, rule)?;
    let mut strata = Vec::with_capacity(groups.len());
    let mut parts = Vec::with_capacity(groups.len());
    for group in &groups {
        let labels = labels(cells, group);
        let (estimate, part) = estimate(group).map_err(|problem| DualSystemError::Stratum {
            label: labels.join(" + "),
            problem: Box::new(problem),
        })?;
        parts.push(part);
        strata.push(PooledStratum {
            labels,
            counts: sum(cells, group),
            estimate,
        });
    }
    let total = |of: fn(&PopulationEstimate) -> f64| strata.iter().map(|s| of(&s.estimate)).sum::<f64>();
    let variance = total(|e| e.variance) + covariance(&parts, shared);
    let figures = (total(|e| e.point), variance);
    let at_least = total(|e| e.at_least);
    let thin = cells
        .iter()
        .filter(|cell| cell.matched < rule.to_minimum())
        .map(|cell| ThinStratum {
            label: cell.label.to_owned(),
            matched: cell.matched,
            in_one_list_only: cell.counts.n1() == 0 || cell.counts.n2() == 0,
        })
        .collect();
    Ok(StratifiedEstimate {
        total: PopulationEstimate::new(estimator, figures, at_least, lists_and_seen(&parts), confidence),
        strata,
        thin,
        rule,
    })
}

/// The lengths of both lists, and how many moves they have between them, of all parts.
fn lists_and_seen(parts: &[(f64, f64, f64)]) -> ((f64, f64), f64) {
    let sum = |of: fn(&(f64, f64, f64)) -> f64| parts.iter().map(of).sum::<f64>();
    let (n1, n2, m) = (sum(|part| part.0), sum(|part| part.1), sum(|part| part.2));
    ((n1, n2), n1 + n2 - m)
}

/// What strata that share one estimate of the rates vary together: with dN/dα = N/(α−β) and
/// dN/dβ = (N/m)(m−n₂)/(α−β), twice the sum over pairs of strata of their products, times the variances.
fn covariance(parts: &[(f64, f64, f64)], shared: LinkageErrors) -> f64 {
    let rates = shared.rates();
    let gap = rates.alpha - rates.beta;
    let together = |slope: &dyn Fn(f64, f64, f64) -> f64| -> f64 {
        let slopes: Vec<f64> = parts.iter().map(|&(n1, n2, m)| slope(n1, n2, m) / gap).collect();
        let sum: f64 = slopes.iter().sum();
        sum * sum - slopes.iter().map(|slope| slope * slope).sum::<f64>()
    };
    let alpha = rates.var_alpha * together(&|n1, n2, m| n1 * n2 / m);
    let beta = rates.var_beta * together(&|n1, n2, m| n1 * n2 / (m * m) * (n2 - m));
    alpha + beta
}

fn check(cells: &[Cell<'_>]) -> Result<(), DualSystemError> {
    if cells.is_empty() {
        return Err(DualSystemError::Nothing("strata"));
    }
    let mut labels = BTreeSet::new();
    for cell in cells {
        if !labels.insert(cell.label) {
            return Err(DualSystemError::StratumRepeated {
                label: cell.label.to_owned(),
            });
        }
        if cell.counts.seen() == 0 {
            return Err(DualSystemError::StratumEmpty {
                label: cell.label.to_owned(),
            });
        }
    }
    Ok(())
}

/// Strata by position, grouped as [`PoolingRule`] says.
fn pool(cells: &[Cell<'_>], rule: PoolingRule) -> Result<Vec<Vec<usize>>, DualSystemError> {
    let minimum = rule.to_minimum();
    let (mut pooled, mut alone): (Vec<usize>, Vec<usize>) =
        (0..cells.len()).partition(|&index| cells[index].matched < minimum);
    let matched = |group: &[usize]| -> f64 { group.iter().map(|&index| cells[index].matched).sum() };
    while !pooled.is_empty() && matched(&pooled) < minimum {
        let thinnest = alone
            .iter()
            .enumerate()
            .min_by(|(_, a), (_, b)| cells[**a].matched.total_cmp(&cells[**b].matched));
        let Some((position, &index)) = thinnest else {
            return Err(DualSystemError::StrataTooThin {
                matched: matched(&pooled),
                minimum,
            });
        };
        alone.remove(position);
        pooled.push(index);
    }
    pooled.sort_unstable();
    let mut groups: Vec<Vec<usize>> = alone.into_iter().map(|index| vec![index]).collect();
    if !pooled.is_empty() {
        groups.push(pooled);
    }
    groups.sort_unstable();
    Ok(groups)
}

fn labels(cells: &[Cell<'_>], group: &[usize]) -> Vec<String> {
    group.iter().map(|&index| cells[index].label.to_owned()).collect()
}

fn sum(cells: &[Cell<'_>], group: &[usize]) -> DualCounts {
    let (first, rest) = (group[0], &group[1..]);
    rest.iter()
        .fold(cells[first].counts, |sum, &index| sum.add(cells[index].counts))
}
