use std::ops::ControlFlow;

use corridor_core::{
    DisclosureMethod, EncodedDataset, EncodingTerms, LinkageTerms, MigrationEvent, Side, Stop, Variable,
};
use corridor_flows::{
    FlowInput, FlowTable, FlowTerms, Group, Interval, KnownQuality, LengthOfStay, LinkQuality,
    PerturbationSecret, PublishedTable, Stays, check_lists, protect,
};
use corridor_link::{
    BlockingLoss, Blocks, CandidateBudget, CandidatePair, ComparePlan, Comparison, EventPair,
    ExpectedQuality, FieldParts, FieldReport, FieldTerms, LEAST_PARTNERS, LinkError, LinkSet, LinkSide,
    LshTables, Tile, decide, decide_by_fields, pair_events, plan_neighbour_tiles, plan_tiles,
};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::EngineError;
use crate::plan::to_whole;
use crate::round::nearest;
use crate::stays::stays_of;

/// How links were decided, as it leaves with a result.
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
    /// A further look at precision, from link counts.
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
}

/// What was compared in blocks, and what that cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockingReport {
    /// The passes, in their order.
    pub passes: Vec<String>,
    /// Pairs compared; one that meets in several passes counts in each.
    pub pairs_compared: u64,
    /// Different pairs among these, from a sample, to two digits: one that meets in several passes is compared in each and kept once. `None`
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
    fn new(variable: &str, value: String, quality: &ExpectedQuality) -> Self {
        Self {
            variable: variable.to_owned(),
            value,
            precision: to_three_decimals(quality.precision),
            precision_low: to_three_decimals(quality.precision_interval.0),
            precision_high: to_three_decimals(quality.precision_interval.1),
            recall: to_three_decimals(quality.recall),
            recall_low: to_three_decimals(quality.recall_interval.0),
            recall_high: to_three_decimals(quality.recall_interval.1),
        }
    }
}

/// Of a count that would tell of few people otherwise.
const fn to_tens(count: u64) -> u64 {
    (count + 5) / 10 * 10
}

/// Shares of small numbers would tell these with more.
fn to_three_decimals(share: f64) -> f64 {
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
    fn new(links: &LinkSet, blocking: Option<BlockingReport>, strata: Vec<StratumReport>) -> Self {
        let decision = &links.decision;
        let estimate = decision.estimate.as_ref();
        Self {
            threshold: decision.threshold,
            threshold_policy: if estimate.is_some() { "estimated" } else { "fixed" }.to_owned(),
            expected_precision: estimate.map(|e| to_four_decimals(e.expected_precision)),
            expected_recall: estimate.map(|e| to_four_decimals(e.expected_recall)),
            expected_f1: estimate.map(|e| to_four_decimals(e.expected_f1)),
            link_count_precision: estimate
                .and_then(|e| e.link_count_precision)
                .map(to_four_decimals),
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

/// Settles how far down to compare two sides, and by which keys of bits where the terms ask for these.
///
/// # Errors
/// As [`Pipeline::new`].
pub(crate) fn plan_comparison(
    (left, right): (&LinkSide<'_>, &LinkSide<'_>),
    (origin, destination): (&EncodedDataset, &EncodedDataset),
    terms: &LinkageTerms,
    encoding: &EncodingTerms,
) -> Result<ComparePlan, EngineError> {
    let measure = origin.manifest.measure;
    // Keys of bits find nearly all pairs that are alike, whatever blocks there are: so the level looked down to is that of all pairs.
    let blocks = match terms.lsh_recall {
        Some(_) => None,
        None => Blocks::of(origin, destination),
    };
    let plan = if encoding.bits_per_field().is_some() {
        ComparePlan::for_fields(left, right, measure, blocks.as_ref(), terms.seed)?
    } else {
        ComparePlan::new(left, right, measure, terms.threshold, blocks.as_ref(), terms.seed)?
    };
    Ok(match terms.lsh_recall {
        Some(recall) => plan.with_lsh(left, right, measure, recall, terms.seed)?,
        None => plan,
    })
}

/// Two datasets made ready for comparison. Everything it gives is a pure function of them and of the terms.
#[derive(Debug)]
pub struct Pipeline<'a> {
    left: &'a EncodedDataset,
    right: &'a EncodedDataset,
    left_side: LinkSide<'a>,
    right_side: LinkSide<'a>,
    /// Where both offices gave block keys, which their schema asks for.
    blocks: Option<Blocks<'a>>,
    plan: ComparePlan,
    terms: LinkageTerms,
    /// Where the profile keeps fields apart, and so they decide.
    fields: Option<FieldTerms>,
    stop: Stop,
}

impl<'a> Pipeline<'a> {
    /// Looks at each side alone and settles how far down to compare. Runs on the current rayon pool, as all that follows, and all of
    /// it ends early when `stop` is set.
    ///
    /// # Errors
    /// When a side is empty, the filters do not fit, the records of a side cannot be told apart, or the work is stopped.
    pub fn new(
        origin: &'a EncodedDataset,
        destination: &'a EncodedDataset,
        terms: &LinkageTerms,
        encoding: &EncodingTerms,
        stop: &Stop,
    ) -> Result<Self, EngineError> {
        if origin.manifest.measure != destination.manifest.measure {
            return Err(EngineError::MeasureMismatch);
        }
        let sides = (
            LinkSide::try_new(origin)?.stopped_by(stop),
            LinkSide::try_new(destination)?,
        );
        let plan = plan_comparison((&sides.0, &sides.1), (origin, destination), terms, encoding)?;
        Self::with_plan(origin, destination, terms, encoding, plan, stop)
    }

    /// The same two datasets again, with the plan of an earlier look at them.
    ///
    /// # Errors
    /// When a side is empty.
    pub fn with_plan(
        origin: &'a EncodedDataset,
        destination: &'a EncodedDataset,
        terms: &LinkageTerms,
        encoding: &EncodingTerms,
        plan: ComparePlan,
        stop: &Stop,
    ) -> Result<Self, EngineError> {
        let field_terms = |bits: u32| FieldTerms {
            parts: FieldParts::new(encoding.match_fields.clone(), bits),
            measure: origin.manifest.measure,
            threshold: terms.threshold,
            weighed: (0..encoding.match_fields.len())
                .filter(|&field| terms.value_frequencies.contains(&encoding.match_fields[field]))
                .collect(),
            seed: terms.seed,
        };
        Ok(Self {
            left: origin,
            right: destination,
            left_side: LinkSide::try_new(origin)?.stopped_by(stop),
            right_side: LinkSide::try_new(destination)?,
            blocks: Blocks::of(origin, destination),
            plan,
            terms: terms.clone(),
            fields: encoding.bits_per_field().map(field_terms),
            stop: stop.clone(),
        })
    }

    /// How many records of the origin and of the destination are linked with nobody, since no bit of their filter is set, or all are.
    pub fn constant_filters(&self) -> [usize; 2] {
        [self.left_side.constant_count(), self.right_side.constant_count()]
    }

    /// What was settled before the comparison.
    pub const fn plan(&self) -> &ComparePlan {
        &self.plan
    }

    /// The tiles of the comparison: of records that share a block, where both sides have blocks, or a key of bits, where the
    /// terms ask for it, and of all pairs otherwise.
    pub fn tiles(&self) -> Vec<Tile> {
        let lens = (self.left_side.len(), self.right_side.len());
        tiles_of(self.blocks.as_ref(), &self.terms, lens)
    }

    /// Compares some tiles and gives the candidate pairs of each to `sink`, in no order, until it says to break or more are
    /// found than are within `budget`, or the work is stopped, which gives the tiles under way up. Runs on the current rayon pool. Says whether
    /// all were compared.
    pub fn compare(
        &self,
        tiles: &[Tile],
        budget: &CandidateBudget,
        sink: &(dyn Fn(&Tile, Vec<CandidatePair>) -> ControlFlow<()> + Sync),
    ) -> bool {
        let (left, right) = (&self.left_side, &self.right_side);
        let (measure, floor) = (self.left.manifest.measure, self.plan.floor());
        let comparison = match (&self.blocks, self.plan.lsh()) {
            (blocks, Some(tables)) => {
                Comparison::of_neighbours(left, right, measure, floor, tables, blocks.as_ref())
            }
            (Some(blocks), None) => Comparison::in_blocks(left, right, measure, floor, blocks),
            (None, None) => Comparison::new(left, right, measure, floor),
        };
        let outcome = tiles
            .par_iter()
            .try_for_each(|tile| match comparison.compare_within(tile, budget) {
                Some(pairs) => sink(tile, pairs),
                None => ControlFlow::Break(()),
            });
        outcome.is_continue()
    }

    /// Links from the candidate pairs of all tiles, in any order.
    ///
    /// # Errors
    /// When a threshold was to be estimated and the similarities, or the evidence of the fields, do not tell matches from chance, or
    /// the work is stopped.
    pub fn decide(&self, candidates: &[CandidatePair]) -> Result<LinkSet, EngineError> {
        let (left, right, assignment) = (&self.left_side, &self.right_side, self.terms.assignment);
        Ok(match &self.fields {
            Some(fields) => decide_by_fields(left, right, &self.plan, fields, assignment, candidates)?,
            None => decide(left, right, &self.plan, assignment, candidates)?,
        })
    }

    /// How the links were decided, how good they are among whom and, where records were compared in blocks, what that cost, which is
    /// measured here. Runs on the current rayon pool.
    ///
    /// # Errors
    /// When the work is stopped.
    pub fn report(&self, links: &LinkSet, flows: Option<&FlowTerms>) -> Result<LinkageReport, EngineError> {
        let is_blocked = self.blocks.is_some() || self.plan.lsh().is_some();
        let blocking = is_blocked.then(|| self.report_blocking(links)).transpose()?;
        self.stop.check().map_err(LinkError::from)?;
        let strata = flows.map_or_else(Vec::new, |flows| self.report_strata(links, flows));
        Ok(LinkageReport::new(links, blocking, strata))
    }

    fn report_strata(&self, links: &LinkSet, flows: &FlowTerms) -> Vec<StratumReport> {
        let Some(events) = &self.left.events else {
            return Vec::new();
        };
        let variables = Variable::ALL.into_iter().filter(|variable| match variable {
            Variable::Sex | Variable::Age => true,
            Variable::Period => false,
            Variable::AgeReached
            | Variable::Citizenship
            | Variable::BirthCountry
            | Variable::MigratoryStatus
            | Variable::Reason => flows.statistics.names(*variable),
        });
        let of_variable = |variable: Variable| {
            let groups = flows.categories_of(variable, events).into_iter();
            groups.filter_map(move |(value, records)| {
                let quality = links.expect_among(&|record| records.binary_search(&record).is_ok())?;
                Some(StratumReport::new(flows.column(variable), value, &quality))
            })
        };
        variables.flat_map(of_variable).collect()
    }

    #[expect(clippy::cast_precision_loss, reason = "a share for people to read")]
    fn report_blocking(&self, links: &LinkSet) -> Result<BlockingReport, LinkError> {
        let (left, right) = (&self.left_side, &self.right_side);
        let (blocks, lsh) = (self.blocks.as_ref(), self.plan.lsh());
        let meet = |record: u32, other: u32| {
            blocks.is_some_and(|blocks| blocks.meet(record, other))
                || lsh.is_some_and(|tables| tables.meet((left, record), (right, other)))
        };
        let measure = self.left.manifest.measure;
        let level = match &links.fields {
            Some(fields) => (self.plan.floor(), Some(fields)),
            None => (links.decision.threshold, None),
        };
        let loss = BlockingLoss::measure(left, right, measure, level, &meet, self.terms.seed)?;
        let to_count = |len: usize| u64::try_from(len).expect("a length fits in 64 bits");
        let in_none = |side: Side, records: &LinkSide<'_>| {
            let is_in_none = |&record: &usize| {
                blocks.is_none_or(|blocks| blocks.is_in_none(side, record))
                    && !(lsh.is_some() && LshTables::has_key(records, record))
            };
            to_tens(to_count((0..records.len()).filter(is_in_none).count()))
        };
        let pairs_compared =
            blocks.map_or(0, Blocks::pair_count) + lsh.map_or(0, |tables| tables.pair_count(left, right));
        let distinct =
            |blocks: &Blocks<'_>| nearest(to_whole(pairs_compared as f64 * (1.0 - blocks.repeated_share())));
        let all_pairs = left.len() as f64 * right.len() as f64;
        let told = loss.with_partner >= LEAST_PARTNERS;
        let interval = loss.interval().filter(|_| told);
        Ok(BlockingReport {
            passes: blocks.map_or_else(Vec::new, |blocks| blocks.passes().map(str::to_owned).collect()),
            pairs_compared,
            distinct_pairs: blocks.filter(|_| lsh.is_none()).map(distinct),
            largest_block_origin: blocks.map(|blocks| to_tens(to_count(blocks.largest().0))),
            largest_block_destination: blocks.map(|blocks| to_tens(to_count(blocks.largest().1))),
            reduction_ratio: (1.0 - pairs_compared as f64 / all_pairs).max(0.0),
            origin_in_none: in_none(Side::Origin, left),
            destination_in_none: in_none(Side::Destination, right),
            records_sampled: loss.records_sampled,
            completeness: loss.completeness().filter(|_| told).map(to_three_decimals),
            completeness_low: interval.map(|(low, _)| to_three_decimals(low)),
            completeness_high: interval.map(|(_, high)| to_three_decimals(high)),
            lsh: lsh.map(LshReport::from),
        })
    }

    /// Which moves of linked persons are the same, by left record.
    ///
    /// # Errors
    /// When a register holds persons only.
    pub fn pair_moves(&self, links: &LinkSet) -> Result<Vec<EventPair>, EngineError> {
        let (left_events, right_events) = self.events()?;
        Ok(pair_events(
            &links.links,
            (&self.left_side, left_events),
            (&self.right_side, right_events),
            self.terms.event_window_days,
        ))
    }

    fn events(&self) -> Result<(&[MigrationEvent], &[MigrationEvent]), EngineError> {
        match (&self.left.events, &self.right.events) {
            (Some(left), Some(right)) => Ok((left, right)),
            _ => Err(EngineError::NoEvents),
        }
    }

    /// The flow tables of paired moves, after disclosure control, with linkage error taken out beside them where the report says
    /// how good the links are. `released` are the tables of the same countries and years that left before.
    ///
    /// # Errors
    /// When a register holds persons only, there is nothing to count, the table cannot be protected, the work is stopped, or the events do not fit together, which
    /// is a defect of this program.
    pub fn reconcile(
        &self,
        links: &LinkSet,
        pairs: &[EventPair],
        terms: &FlowTerms,
        report: &LinkageReport,
        released: &[PublishedTable],
    ) -> Result<PublishedTable, EngineError> {
        let (left_events, right_events) = self.events()?;
        check_lists(terms, left_events, right_events)?;
        let pairs: Vec<(u32, u32)> = pairs.iter().map(|pair| (pair.left, pair.right)).collect();
        let secret = self.perturbation_secret();
        let record_keys = |dataset: &EncodedDataset| match terms.disclosure.method {
            DisclosureMethod::CellKey => dataset
                .records
                .iter()
                .map(|record| secret.record_key(record.as_bytes()))
                .collect(),
            DisclosureMethod::Suppression | DisclosureMethod::RandomRounding => Vec::new(),
        };
        let table = FlowTable::reconcile(&FlowInput {
            terms,
            origin: left_events,
            destination: right_events,
            pairs: &pairs,
            origin_record_keys: &record_keys(self.left),
            destination_record_keys: &record_keys(self.right),
        })?;
        let mut table = protect(table.stopped_by(&self.stop), &secret, released)?.into_published();
        table.carry_linkage_error(&|group| report.quality_of(group));
        let arrived = [
            (terms.corridor, self.right, Side::Destination),
            (terms.corridor.to_reverse(), self.left, Side::Origin),
        ];
        for (corridor, dataset, side) in arrived {
            let records = links.links.iter().map(|link| match side {
                Side::Origin => link.left,
                Side::Destination => link.right,
            });
            let stays = Stays::try_new(stays_of(dataset, records, terms.period.last));
            let said = stays.map(|stays| LengthOfStay::of(corridor, &stays, &terms.disclosure));
            // Of nearly the same stays: what changed would tell of the few that made it change.
            let is_again = |said: &LengthOfStay| {
                released
                    .iter()
                    .all(|before| before.lengths_of_stay.iter().any(|length| length == said))
            };
            table.lengths_of_stay.extend(said.ok().flatten().filter(is_again));
        }
        Ok(table)
    }

    /// Decides how counts are perturbed. Made of all pseudonyms and filters of both datasets, so that a run can be replayed, while
    /// neither office, which knows its own people alone, can compute it.
    fn perturbation_secret(&self) -> PerturbationSecret {
        let mut hasher = Sha256::new();
        hasher.update(b"corridor/v1|noise|");
        for dataset in [self.left, self.right] {
            hasher.update(dataset.manifest.record_count.to_be_bytes());
            for record in &dataset.records {
                hasher.update(record.as_bytes());
            }
            for row in 0..dataset.filters.len() {
                hasher.update(dataset.filters.row_to_bytes(row));
            }
        }
        PerturbationSecret::new(hasher.finalize().into())
    }
}

/// The tiles of the comparison of so many records with so many, under terms and the blocks both datasets have. Looks at no filter.
pub(crate) fn tiles_of(
    blocks: Option<&Blocks<'_>>,
    terms: &LinkageTerms,
    (left_len, right_len): (usize, usize),
) -> Vec<Tile> {
    match (blocks, terms.lsh_recall) {
        (blocks, Some(_)) => plan_neighbour_tiles(blocks, left_len),
        (Some(blocks), None) => blocks.plan_tiles(),
        (None, None) => plan_tiles(left_len, right_len),
    }
}

fn to_count(len: usize) -> u64 {
    u64::try_from(len).expect("a length fits in 64 bits")
}
