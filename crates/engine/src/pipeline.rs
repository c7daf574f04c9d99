use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};

use corridor_core::{
    DisclosureMethod, EncodedDataset, EncodingTerms, LinkageTerms, MigrationEvent, Side, Stop, Variable,
};
use corridor_flows::{
    FlowInput, FlowTable, FlowTerms, LengthOfStay, PerturbationSecret, PublishedTable, Stays, check_lists,
    protect,
};
use corridor_link::{
    BlockingLoss, Blocks, CandidateBudget, CandidateMemory, CandidatePair, Candidates, ComparePlan,
    Comparison, EventPair, FieldParts, FieldTerms, LEAST_PARTNERS, LinkError, LinkSet, LinkSide, LshTables,
    PartnerLevel, Tile, decide, decide_by_fields, pair_events, plan_neighbour_tiles, plan_tiles,
};
use rayon::prelude::*;
use sha2::{Digest as _, Sha256};

use crate::EngineError;
use crate::plan::to_whole;
use crate::report::{BlockingReport, LinkageReport, LshReport, StratumReport, to_tens, to_three_decimals};
use crate::round::nearest;
use crate::stays::stays_of;

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

    /// Compares some tiles and gives the candidate pairs of each to `sink`, in no order, until it says to break, more are found than are
    /// within `budget` or the work is stopped, both of which give the tiles under way up. Runs on the current rayon pool. Says whether
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

    /// Room for the candidate pairs of all tiles, of which there are about `expected`.
    pub fn candidates(&self, memory: &CandidateMemory, expected: u64) -> Candidates<'_> {
        let (left, right) = (&self.left_side, &self.right_side);
        match &self.fields {
            Some(_) => Candidates::for_fields(left, right, memory, expected),
            None => Candidates::new(left, right, memory, expected),
        }
    }

    /// Links from the candidate pairs of all tiles, in any order.
    ///
    /// # Errors
    /// When a threshold was to be estimated and the similarities, or the evidence of the fields, do not tell matches from chance,
    /// candidates that were put aside on disk cannot be read again, or the work is stopped.
    pub fn decide(&self, candidates: Candidates<'_>) -> Result<LinkSet, EngineError> {
        let assignment = self.terms.assignment;
        Ok(match &self.fields {
            Some(fields) => decide_by_fields(&self.plan, fields, assignment, candidates)?,
            None => decide(&self.plan, assignment, candidates)?,
        })
    }

    /// Compares some tiles as [`Pipeline::compare`] does, and adds their candidate pairs to `candidates`. Says whether all were compared.
    ///
    /// # Errors
    /// When candidates could not be put aside on disk.
    pub fn compare_into(
        &self,
        tiles: &[Tile],
        budget: &CandidateBudget,
        candidates: &mut Candidates<'_>,
        on_tile: &(dyn Fn() + Sync),
    ) -> Result<bool, EngineError> {
        let adding = Mutex::new((candidates, None));
        let is_done = self.compare(tiles, budget, &|_, pairs| {
            let (candidates, failure) = &mut *adding.lock().unwrap_or_else(PoisonError::into_inner);
            match candidates.add(pairs) {
                Ok(()) => {
                    on_tile();
                    ControlFlow::Continue(())
                }
                Err(error) => {
                    failure.get_or_insert(error);
                    ControlFlow::Break(())
                }
            }
        });
        let (_, failure) = adding.into_inner().unwrap_or_else(PoisonError::into_inner);
        failure.map_or(Ok(is_done), |error| Err(error.into()))
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
        let strata = flows.map_or_else(|| Ok(Vec::new()), |flows| self.report_strata(links, flows))?;
        Ok(LinkageReport::new(links, blocking, strata))
    }

    fn report_strata(&self, links: &LinkSet, flows: &FlowTerms) -> Result<Vec<StratumReport>, LinkError> {
        let Some(events) = &self.left.events else {
            return Ok(Vec::new());
        };
        let mut strata = Vec::new();
        for variable in Variable::ALL.into_iter().filter(|variable| match variable {
            Variable::Sex | Variable::Age => true,
            Variable::Period => false,
            Variable::AgeReached
            | Variable::Citizenship
            | Variable::BirthCountry
            | Variable::MigratoryStatus
            | Variable::Reason => flows.statistics.names(*variable),
        }) {
            let groups = flows.categories_of(variable, events);
            let mut group_of = vec![0_usize; events.len()];
            for (group, (_, records)) in groups.iter().enumerate() {
                records.iter().for_each(|&record| group_of[at(record)] = group);
            }
            for (group, (value, _)) in groups.into_iter().enumerate() {
                self.stop.check()?;
                let quality = links.expect_among(&|record| group_of[at(record)] == group);
                strata.extend(
                    quality.map(|quality| StratumReport::new(flows.column(variable), value, &quality)),
                );
            }
        }
        Ok(strata)
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
            Some(fields) => PartnerLevel {
                threshold: self.plan.floor(),
                fields: Some(fields),
                sure: None,
            },
            None => PartnerLevel {
                threshold: links.decision.threshold,
                fields: None,
                sure: self.plan.few_strangers(left, right),
            },
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
    /// When a register holds persons only, there is nothing to count, the table cannot be protected, the work is stopped, or the events do
    /// not fit together, which is a defect of this program.
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
            (terms.corridor, (self.right, self.left), Side::Destination),
            (terms.corridor.to_reverse(), (self.left, self.right), Side::Origin),
        ];
        for (corridor, (host, partner), side) in arrived {
            let records = links.links.iter().map(|link| match side {
                Side::Origin => (link.left, link.right),
                Side::Destination => (link.right, link.left),
            });
            let stays = Stays::try_new(stays_of(host, partner, records, terms.period.last));
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

fn at(record: u32) -> usize {
    usize::try_from(record).expect("an index of a dataset")
}

pub(crate) fn to_count(len: usize) -> u64 {
    u64::try_from(len).expect("a length fits in 64 bits")
}
