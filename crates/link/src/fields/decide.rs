use std::collections::HashMap;

use corridor_core::{Assignment, Measure, SeededEntropy, Threshold, ThresholdPolicy};

use crate::LinkError;
use crate::assign::to_person_pairs;
use crate::decide::{CANDIDATES_PER_RECORD, ComparePlan, Level, LinkSet, settle};
use crate::fields::model::FieldModel;
use crate::fields::pattern::FieldParts;
use crate::fields::report::FieldReport;
use crate::fields::scored::{sample_scores, score, score_candidates};
use crate::null::bin_of;
use crate::side::LinkSide;
use crate::tile::CandidatePair;

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
/// from chance, or the work is stopped.
///
/// # Panics
/// When the filters are not of the length of the parts; an agreement fixes both.
pub fn decide_by_fields(
    left: &LinkSide<'_>,
    right: &LinkSide<'_>,
    plan: &ComparePlan,
    terms: &FieldTerms,
    assignment: Assignment,
    mut candidates: Vec<CandidatePair>,
) -> Result<LinkSet, LinkError> {
    assert_eq!(
        left.matrix().words_per_filter(),
        terms.parts.words(),
        "words of all parts"
    );
    let sides = (left, right);
    left.stop().check()?;
    let candidate_count = candidates.len();
    let model = {
        let pairs = to_person_pairs(candidates.clone(), left, right);
        FieldModel::learn(sides, &terms.parts, &terms.weighed, &pairs, terms.seed)?
    };
    score_candidates(sides, &model, &mut candidates);
    let mut pairs = to_person_pairs(candidates, left, right);
    let probabilities = model.probabilities(&pairs, sides);
    let candidate_matches: f64 = probabilities.iter().sum();
    let by_model: HashMap<(u32, u32), f64> = pairs
        .iter()
        .map(|pair| (pair.best.left, pair.best.right))
        .zip(probabilities)
        .collect();
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
                .get(most_pairs(left, right))
                .map_or(0.0, |pair| pair.best.similarity);
            let floor_bin = bin_of(floor_bin) + 1;
            pairs.retain(|pair| bin_of(pair.best.similarity) >= floor_bin);
            Level::Learnt {
                null: &null,
                floor_bin,
            }
        }
    };
    let mut settled = settle(sides, &pairs, &level, assignment, candidate_count)?;
    let cut = match level {
        Level::Given { cut, .. } => cut,
        Level::Learnt { .. } => settled.decision.threshold.to_f64(),
    };
    let evidence: Vec<Vec<f64>> = settled
        .links
        .iter()
        .map(|link| model.evidence(left.row_of(link.left), right.row_of(link.right)))
        .collect();
    let mut link_matches = 0.0;
    for link in &mut settled.links {
        let probability = by_model[&(link.left, link.right)];
        link_matches += probability;
        link.probability.get_or_insert(probability);
    }
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
