use serde::{Deserialize, Serialize};

use crate::fields::model::FieldModel;
use crate::fields::pattern::{LEVELS, level_name};

/// What the fields said in a run, without a value or a pair of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldReport {
    /// Matches the model expects, as a share of all pairs of persons (λ).
    pub match_share: f64,
    /// Rounds until the shares stood still.
    pub rounds: u64,
    /// Whether a start far off ends at the same λ within 2 %. If not, the fields do not say one thing, and the probabilities of the
    /// model are not to be trusted.
    pub starts_agree: bool,
    /// Expected share of links that are true: the mean of the model's probabilities over them, each set against its rivals.
    pub expected_precision: Option<f64>,
    /// Expected share of matches that are linked: the probabilities of the links over those of all candidate pairs.
    pub expected_recall: Option<f64>,
    /// Match weight of the weakest link there may be, in bits; the highest weight there can be where no pair is certain enough.
    pub weight_at_threshold: f64,
    /// The fields, in their order.
    pub fields: Vec<FieldEvidence>,
}

/// One field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldEvidence {
    /// The field.
    pub name: String,
    /// Share of records of both sides in which it is missing.
    pub missing: f64,
    /// Whether values are weighed by their frequency.
    pub weighed_by_frequency: bool,
    /// The levels of agreement, best first.
    pub levels: Vec<LevelReport>,
    /// A waterfall: mean bits of evidence among the strongest tenth of the links, the next, and so on to the weakest. Empty with
    /// fewer than a hundred links.
    pub bits_by_tenth: Vec<f64>,
}

/// One level of agreement of a field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LevelReport {
    /// What the field's parts have in common at least, as in `dice 0.8`, their Dice similarity, or `within 0.95`, the share of the
    /// bits of the part that has fewer. A pair is on the first level it meets.
    pub level: String,
    /// Share of matches that agree so.
    pub m: f64,
    /// Share of other pairs that do.
    pub u: f64,
    /// log₂(m/u).
    pub bits: f64,
}

/// Links below which no tenth of them is told of.
const LEAST_LINKS: usize = 100;

impl FieldReport {
    /// `evidence` is that of each link, the strongest first; the matches are those the model expects among the links and among all
    /// candidate pairs of persons.
    pub(super) fn new(
        model: &FieldModel,
        evidence: &[Vec<f64>],
        (link_matches, candidate_matches): (f64, f64),
        cut: f64,
    ) -> Self {
        let fit = model.fit();
        let fields = model.parts().names().iter().enumerate();
        Self {
            match_share: rounded(fit.lambda),
            rounds: u64::try_from(fit.rounds).expect("a few thousand"),
            starts_agree: model.starts_agree(),
            expected_precision: (!evidence.is_empty())
                .then(|| rounded(link_matches / to_f64(evidence.len()))),
            expected_recall: (candidate_matches > 0.0).then(|| rounded(link_matches / candidate_matches)),
            weight_at_threshold: rounded(model.weight_of(cut.min(1.0))),
            fields: fields
                .map(|(field, name)| FieldEvidence {
                    name: name.clone(),
                    missing: rounded(model.missing(field)),
                    weighed_by_frequency: model.is_weighed(field),
                    levels: (0..LEVELS)
                        .map(|level| LevelReport {
                            level: level_name(level),
                            m: rounded(fit.m[field][level]),
                            u: rounded(fit.u[field][level]),
                            bits: rounded(model.bits_of(field, level)),
                        })
                        .collect(),
                    bits_by_tenth: tenths(evidence, field),
                })
                .collect(),
        }
    }
}

fn tenths(evidence: &[Vec<f64>], field: usize) -> Vec<f64> {
    if evidence.len() < LEAST_LINKS {
        return Vec::new();
    }
    (0..10)
        .map(|tenth| {
            let links = &evidence[evidence.len() * tenth / 10..evidence.len() * (tenth + 1) / 10];
            rounded(links.iter().map(|fields| fields[field]).sum::<f64>() / to_f64(links.len()))
        })
        .collect()
}

/// Four significant digits: more say nothing, and the last ones may differ between machines.
fn rounded(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}

fn to_f64(count: usize) -> f64 {
    count as f64
}
