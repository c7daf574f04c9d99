use corridor_core::{Assignment, Measure, SeededEntropy, Threshold, ThresholdPolicy};

use crate::LinkError;
use crate::decide::{CANDIDATES_PER_RECORD, ComparePlan, Level, LinkSet, Settling, settle};
use crate::fields::model::FieldModel;
use crate::fields::pattern::FieldParts;
use crate::fields::report::FieldReport;
use crate::fields::scored::{sample_scores, score, score_candidates};
use crate::null::bin_of;
use crate::pairs::{Candidates, PairSorter, PersonPair, PersonPairs};
use crate::side::LinkSide;

/// How fields decide.
#[derive(Debug, Clone)]
pub struct FieldTerms {
    /// Which part of a filter is which field's.
    pub parts: FieldParts,
    /// How whole filters are compared, which chooses the candidates.
    pub measure: Measure,
    /// A given threshold is one of the probability of a match; an estimated one is of the scaled match weight.
    pub threshold: ThresholdPolicy,
    /// Positions of the fields whose values are weighed by their frequency.
    pub weighed: Vec<usize>,
    /// Seed of the samples.
    pub seed: u64,
}

/// What fields said of links.
#[derive(Debug, Clone)]
pub struct FieldLinks {
    /// In sum.
    pub report: FieldReport,
    /// Bits of evidence of each field, for each link.
    pub evidence: Vec<Vec<f64>>,
    model: FieldModel,
    cut: f64,
}

impl FieldLinks {
    /// The score of two records, where it is one a link may have.
    pub(crate) fn score_of_link(
        &self,
        left: (&LinkSide<'_>, usize),
        right: (&LinkSide<'_>, usize),
    ) -> Option<f64> {
        Some(score(&self.model, left, right)).filter(|score| *score >= self.cut)
    }
}

/// Decides links from all candidate pairs of a run by the evidence of their fields. A link's similarity is its match weight on
/// a scale from 0, the lowest there can be, to 1, the highest. Where the threshold is estimated, a link's probability comes from
/// the same estimators as for whole filters; where it is given, from the model ([`FieldModel`]). Runs on the current rayon pool;
/// the same whatever its size.
///
/// # Errors
/// When the fields do not tell matches from other pairs, the threshold was to be estimated and the weights do not tell matches
/// from chance, candidates that were put aside cannot be read again, or the work is stopped.
///
/// # Panics
/// When the filters are not of the length of the parts; an agreement fixes both. When the candidates are not
/// [for fields](Candidates::for_fields).
pub fn decide_by_fields(
    plan: &ComparePlan,
    terms: &FieldTerms,
    assignment: Assignment,
    candidates: Candidates<'_>,
) -> Result<LinkSet, LinkError> {
    let sides = candidates.sides();
    let (left, right) = sides;
    assert_eq!(
        left.matrix().words_per_filter(),
        terms.parts.words(),
        "words of all parts"
    );
    left.stop().check()?;
    let settling = Settling {
        sides,
        assignment,
        candidate_count: candidates.count(),
        most_held: candidates.memory.most,
    };
    let memory = candidates.memory.clone();
    let (pairs, all) = candidates.into_pairs()?;
    let all = all.expect("candidates for fields");
    let model = FieldModel::learn(sides, &terms.parts, &terms.weighed, &pairs, terms.seed);
    pairs.check()?;
    let model = model?;
    drop(pairs);
    let mut scored = PairSorter::new(sides, &memory, all.len_held());
    all.drain(|some| {
        left.stop().check()?;
        let mut some = some.to_vec();
        score_candidates(sides, &model, &mut some);
        some.into_iter().try_for_each(|pair| scored.add(pair))
    })?;
    let mut pairs = scored.finish()?;
    let probabilities = model.probabilities(&pairs, sides);
    pairs.check()?;
    let candidate_matches: f64 = probabilities.iter().sum();
    let null;
    let level = match terms.threshold {
        ThresholdPolicy::Fixed(threshold) => Level::Given {
            threshold,
            cut: cut_for(&model, threshold),
        },
        ThresholdPolicy::Estimated => {
            let mut entropy = SeededEntropy::new(terms.seed, "score sample");
            null = sample_scores(sides, (terms.measure, plan.floor()), &model, &mut entropy)?;
            // As far down as whole filters are looked at; further, only more of chance is found.
            let floor_bin = pairs
                .walk()
                .nth(most_pairs(left, right))
                .map_or(0.0, |pair| pair.best.similarity);
            let floor_bin = bin_of(floor_bin) + 1;
            pairs = pairs.down_to(floor_bin);
            Level::Learnt {
                null: &null,
                floor_bin,
            }
        }
    };
    let settled = settle(&settling, &pairs, &level);
    pairs.check()?;
    let mut settled = settled?;
    let cut = match level {
        Level::Given { cut, .. } => cut,
        Level::Learnt { .. } => settled.decision.threshold.to_f64(),
    };
    let evidence: Vec<Vec<f64>> = settled
        .links
        .iter()
        .map(|link| model.evidence(left.row_of(link.left), right.row_of(link.right)))
        .collect();
    // Links are among the pairs, and come in their order under every rule of assignment.
    let mut by_model = pairs.walk().zip(probabilities);
    let mut link_matches = 0.0;
    for link in &mut settled.links {
        let is_of_link =
            |(pair, _): &(PersonPair, f64)| (pair.best.left, pair.best.right) == (link.left, link.right);
        let Some((_, probability)) = by_model.find(is_of_link) else {
            // A walk that ended early says why.
            pairs.check()?;
            panic!("a link that is no pair, or not in their order");
        };
        link_matches += probability;
        link.probability.get_or_insert(probability);
    }
    drop(by_model);
    pairs.check()?;
    let report = FieldReport::new(&model, &evidence, (link_matches, candidate_matches), cut);
    Ok(LinkSet {
        fields: Some(FieldLinks {
            report,
            evidence,
            model,
            cut,
        }),
        ..settled
    })
}

/// The score from which on the model gives a match at least the probability `threshold`.
fn cut_for(model: &FieldModel, threshold: Threshold) -> f64 {
    let weight = model.weight_for(threshold.to_f64());
    if weight > model.weight_of(1.0) {
        // No pair can be that certain.
        return f64::INFINITY;
    }
    model.score(weight)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a few times a count of records"
)]
fn most_pairs(left: &LinkSide<'_>, right: &LinkSide<'_>) -> usize {
    let records = left.len() as f64 + right.len() as f64;
    (CANDIDATES_PER_RECORD * records) as usize
}
