//! From candidate pairs to a result: the same in the worker and in a replay.

use corridor_core::{Agreement, Digest, EncodedDataset, Stop};
use corridor_flows::{FlowTerms, PublishedTable};
use corridor_link::{CandidateMemory, Candidates, ComparePlan};

use crate::codec::encode_links;
use crate::error::EngineError;
use crate::pipeline::Pipeline;
use crate::released::ReleasedTable;
use crate::report::LinkageReport;
use crate::results::result_digest;

/// A result, not yet stored.
pub(crate) struct MadeResult {
    /// The links, as Parquet.
    pub(crate) links: Vec<u8>,
    pub(crate) table: PublishedTable,
    pub(crate) report: LinkageReport,
}

impl MadeResult {
    /// Digest of table and report, as offices release it.
    pub(crate) fn digest(&self) -> Digest {
        result_digest(&self.table, &self.report)
    }
}

/// Where the candidates of a run come from, and about how many.
pub(crate) struct Gather<'g> {
    pub(crate) from: &'g mut dyn FnMut(&Pipeline<'_>, &mut Candidates<'_>) -> Result<(), EngineError>,
    pub(crate) expected: u64,
}

/// Takes all candidates from `gather`, decides, pairs, reconciles and protects. `released` are the tables of the same countries and years
/// that left before, by result.
///
/// # Errors
/// As `gather` and the steps of [`Pipeline`], and when `stop` is set.
pub(crate) fn make_result(
    (origin, destination): (&EncodedDataset, &EncodedDataset),
    agreement: &Agreement,
    plan: ComparePlan,
    (memory, gather): (&CandidateMemory, Gather<'_>),
    released: Vec<ReleasedTable>,
    stop: &Stop,
) -> Result<MadeResult, EngineError> {
    let flows = FlowTerms::from(agreement);
    let held_against = released.iter().map(|released| released.result).collect();
    let released: Vec<_> = released.into_iter().map(|released| released.table).collect();
    let pipeline = Pipeline::with_plan(
        origin,
        destination,
        &agreement.linkage,
        &agreement.encoding,
        plan,
        stop,
    )?;
    let mut candidates = pipeline.candidates(memory, gather.expected);
    (gather.from)(&pipeline, &mut candidates)?;
    let links = pipeline.decide(candidates)?;
    let report = pipeline.report(&links, Some(&flows))?;
    let moves = pipeline.pair_moves(&links)?;
    let mut table = pipeline.reconcile(&links, &moves, &flows, &report, &released)?;
    table.held_against = held_against;
    Ok(MadeResult {
        links: encode_links(&links, origin, destination),
        table,
        report,
    })
}
