//! How links were decided and how good they are, as it leaves with a result.

use corridor_core::Variable;
use corridor_flows::{Group, Interval, KnownQuality, LinkQuality};
use corridor_link::{ExpectedQuality, FieldReport, LinkSet, LshTables};
use serde::{Deserialize, Serialize};

use crate::pipeline::to_count;

/// How links were decided, as it leaves with a result. Fields are in the order of their numbers in the protocol, by which a client works out
/// the digest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkageReport {
    /// The threshold.
    pub threshold: corridor_core::Threshold,
    /// `estimated` or `fixed`.
    pub threshold_policy: String,
    /// Expected share of links that are true; `None` under a given threshold.
    pub expected_precision: Option<f64>,
    /// Expected share of matches that are linked.
    pub expected_recall: Option<f64>,
    /// Expected F1.
    pub expected_f1: Option<f64>,
    /// Share of the pairs at or above the threshold that are true, before anybody is assigned, by how many each person has: a further
    /// look at quality, which needs nothing else. `None` with too few.
    pub link_count_precision: Option<f64>,
    /// The two ways in which the threshold was estimated; `None` under a given threshold.
    pub estimators: Option<EstimatorReport>,
    /// What was compared, and what that cost, where only records that share a block were; `None` where all pairs were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocking: Option<BlockingReport>,
    /// What each field said, where fields decided; `None` for whole filters. The threshold is then one of the scaled match weight,
    /// or of the probability of a match where it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<FieldReport>,
    /// The same by sex, age band and whatever else the tables count by but the period, of the origin's records; of groups with enough
    /// links.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub strata: Vec<StratumReport>,
    /// Links that another pair of one of the two persons rivals, less than 0.02 less alike; to the nearest ten. Under a given
    /// threshold only rivals that reach it are seen. `None` in results of before it was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ambiguous_links: Option<u64>,
    /// Groups of connected pairs too large to be assigned optimally, and assigned greedily instead. `None` in results of before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub greedy_components: Option<u64>,
    /// 95 % interval of `link_count_precision`, lower end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_count_low: Option<f64>,
    /// Upper end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_count_high: Option<f64>,
}

/// What is expected of the links of a group of people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StratumReport {
    /// `sex`, `age_band` or another variable, as columns of flow tables are called.
    pub variable: String,
    /// The group, as in flow tables.
    pub value: String,
    /// Expected share of links that are true, to three decimals.
    pub precision: f64,
    /// 95 % interval of it, lower end.
    pub precision_low: f64,
    /// Upper end.
    pub precision_high: f64,
    /// Expected share of true matches that are linked, to three decimals.
    pub recall: f64,
    /// 95 % interval of it, lower end.
    pub recall_low: f64,
    /// Upper end.
    pub recall_high: f64,
    /// The same of the pairs before anybody is assigned, by how many each person has; `None` with too few.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_count_precision: Option<f64>,
    /// 95 % interval of it, lower end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_count_low: Option<f64>,
    /// Upper end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_count_high: Option<f64>,
}

/// What was compared in blocks, and what that cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockingReport {
    /// The passes, in their order.
    pub passes: Vec<String>,
    /// Pairs compared; one that meets in several passes counts in each.
    pub pairs_compared: u64,
    /// One less the share of all pairs that were compared.
    pub reduction_ratio: f64,
    /// Records of the origin that are in no block, and so were compared with nobody.
    pub origin_in_none: u64,
    /// Records of the destination that are.
    pub destination_in_none: u64,
    /// Records of the origin that were compared with all of the destination, to measure what blocks cost.
    pub records_sampled: u64,
    /// Share of those with a partner at or above the threshold that share a block with the most alike one, to three
    /// decimals; `None` when fewer than a hundred have one: it would say little, and tell how many there are.
    pub completeness: Option<f64>,
    /// 95 % interval of it, lower end.
    pub completeness_low: Option<f64>,
    /// Upper end.
    pub completeness_high: Option<f64>,
    /// The keys of bits, where the agreement asks for them; they come after the passes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lsh: Option<LshReport>,
    /// Different pairs among those compared, from a sample, to two digits: one that meets in several passes is compared in each and kept once. `None`
    /// with keys of bits, and in results of before it was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distinct_pairs: Option<u64>,
    /// Records of the origin in the two blocks that make the most pairs, to full tens. Large blocks are compared in pieces, and none is
    /// left out. `None` without blocks, and in results of before it was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub largest_block_origin: Option<u64>,
    /// Records of the destination in them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub largest_block_destination: Option<u64>,
}

/// Keys of bits drawn from the filters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LshReport {
    /// Number of tables, L; a record has a key in each.
    pub tables: u64,
    /// Bits of a key, K; 0 where all pairs were compared, since that was the least work.
    pub key_bits: u64,
    /// The threshold they were made for.
    pub threshold: corridor_core::Threshold,
    /// Share of the pairs at that threshold that they are to find at least.
    pub recall: corridor_core::Recall,
    /// Pairs that were expected to meet, nearly all by chance; one that meets in several tables counts in each.
    pub expected_pairs: u64,
}

impl From<&LshTables> for LshReport {
    fn from(tables: &LshTables) -> Self {
        Self {
            tables: to_count(tables.table_count()),
            key_bits: to_count(tables.key_bits()),
            threshold: tables.threshold(),
            recall: tables.recall(),
            expected_pairs: tables.expected_pairs(),
        }
    }
}

/// How the two ways of estimating a threshold went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EstimatorReport {
    /// Which decided: `registers` or `rivals`.
    pub decided_by: String,
    /// The threshold by the registers alone.
    pub threshold_by_registers: corridor_core::Threshold,
    /// Whether both expect about as many true links; `None` where the registers alone had something to say, since too few links were
    /// almost certain to learn from.
    pub agree: Option<bool>,
    /// 95 % interval of the expected precision, lower end.
    pub precision_low: f64,
    /// Upper end.
    pub precision_high: f64,
    /// 95 % interval of the expected recall, lower end.
    pub recall_low: f64,
    /// Upper end.
    pub recall_high: f64,
}

impl StratumReport {
    pub(crate) fn new(variable: &str, value: String, quality: &ExpectedQuality) -> Self {
        Self {
            variable: variable.to_owned(),
            value,
            precision: to_three_decimals(quality.precision),
            precision_low: to_three_decimals(quality.precision_interval.0),
            precision_high: to_three_decimals(quality.precision_interval.1),
            recall: to_three_decimals(quality.recall),
            recall_low: to_three_decimals(quality.recall_interval.0),
            recall_high: to_three_decimals(quality.recall_interval.1),
            link_count_precision: quality
                .link_counts
                .map(|counts| to_three_decimals(counts.precision)),
            link_count_low: quality
                .link_counts
                .map(|counts| to_three_decimals(counts.interval.0)),
            link_count_high: quality
                .link_counts
                .map(|counts| to_three_decimals(counts.interval.1)),
        }
    }
}

/// Of a count that would tell of few people otherwise.
pub(crate) const fn to_tens(count: u64) -> u64 {
    (count + 5) / 10 * 10
}

/// Shares of small numbers would tell these with more.
pub(crate) fn to_three_decimals(share: f64) -> f64 {
    (share * 1000.0).round() / 1000.0
}

fn to_four_decimals(share: f64) -> f64 {
    (share * 10_000.0).round() / 10_000.0
}

/// By what the quality of a group's links is told first, and the column of each: error rates differ most by where people are from.
const FIRST_TOLD: [(Variable, &str); 7] = [
    (Variable::Citizenship, "citizenship"),
    (Variable::BirthCountry, "birth_country"),
    (Variable::MigratoryStatus, "migratory_status"),
    (Variable::Reason, "reason"),
    (Variable::Age, "age_band"),
    (Variable::AgeReached, "age_band_reached"),
    (Variable::Sex, "sex"),
];

impl LinkageReport {
    pub(crate) fn new(links: &LinkSet, blocking: Option<BlockingReport>, strata: Vec<StratumReport>) -> Self {
        let decision = &links.decision;
        let estimate = decision.estimate.as_ref();
        Self {
            threshold: decision.threshold,
            threshold_policy: if estimate.is_some() { "estimated" } else { "fixed" }.to_owned(),
            expected_precision: estimate.map(|e| to_four_decimals(e.expected_precision)),
            expected_recall: estimate.map(|e| to_four_decimals(e.expected_recall)),
            expected_f1: estimate.map(|e| to_four_decimals(e.expected_f1)),
            link_count_precision: decision
                .link_counts
                .map(|counts| to_four_decimals(counts.precision)),
            link_count_low: decision
                .link_counts
                .map(|counts| to_four_decimals(counts.interval.0)),
            link_count_high: decision
                .link_counts
                .map(|counts| to_four_decimals(counts.interval.1)),
            estimators: estimate.map(|e| EstimatorReport {
                decided_by: e.decided_by.as_str().to_owned(),
                threshold_by_registers: e.threshold_by_registers,
                agree: e.estimators_agree,
                precision_low: to_four_decimals(e.precision_interval.0),
                precision_high: to_four_decimals(e.precision_interval.1),
                recall_low: to_four_decimals(e.recall_interval.0),
                recall_high: to_four_decimals(e.recall_interval.1),
            }),
            blocking,
            fields: links.fields.as_ref().map(|fields| fields.report.clone()),
            strata,
            ambiguous_links: Some(to_tens(decision.ambiguous_links)),
            greedy_components: Some(decision.greedy_components),
        }
    }

    /// How good the links of a group of moves are, and whose links that is said of: those of its citizenship, country of birth, status,
    /// reason, age or sex, the first of these that is told, else all. `None` under a given threshold, under which nothing is known of it, and where it is not known how much blocks let meet.
    pub fn quality_of(&self, group: &Group) -> Option<KnownQuality> {
        let told = |variable: Variable, name: &str| {
            let label = group.get(variable)?;
            self.strata
                .iter()
                .find(|stratum| stratum.variable == name && stratum.value == label)
        };
        let stratum = FIRST_TOLD
            .into_iter()
            .find_map(|(variable, column)| told(variable, column));
        // Expected, then the ends of its interval.
        let (quality_of, precision, recall) = match stratum {
            Some(stratum) => (
                format!("{} {}", stratum.variable, stratum.value),
                [stratum.precision, stratum.precision_low, stratum.precision_high],
                [stratum.recall, stratum.recall_low, stratum.recall_high],
            ),
            None => {
                let all = self.estimators.as_ref()?;
                (
                    "all".to_owned(),
                    [self.expected_precision?, all.precision_low, all.precision_high],
                    [self.expected_recall?, all.recall_low, all.recall_high],
                )
            }
        };
        // What blocks let meet is a part of what could be found at all. Where that part is not known, nor is the whole.
        let meeting = match &self.blocking {
            None => [1.0; 3],
            Some(blocking) => {
                let low = blocking.completeness_low.filter(|low| *low > 0.0)?;
                [blocking.completeness?, low, blocking.completeness_high?]
            }
        };
        let interval = |[_, low, high]: [f64; 3]| Interval { low, high };
        let found: [f64; 3] = std::array::from_fn(|end| recall[end] * meeting[end]);
        Some(KnownQuality {
            quality_of,
            precision: precision[0],
            recall: found[0],
            quality: LinkQuality {
                precision: interval(precision),
                recall: interval(found),
            },
        })
    }
}
