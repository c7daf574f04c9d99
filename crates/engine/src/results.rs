//! Results: an office's consent that one may leave, and what is sent of it once both gave theirs. Every part is noted before.

use std::sync::Arc;

use corridor_core::audit::{DisclosedPart, DisclosedResult};
use corridor_core::{
    Agreement, Caller, Digest, Output, Role, RunState, RunStatus, Signature, SigningPurpose, Standing,
};
use corridor_flows::PublishedTable;
use corridor_store::{NewDisclosure, Release, ReleasedScope, RunObject, StoreError};

use crate::codec::{StoredLinks, decode_links};
use crate::compute::ComputeError;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::latest::Latest;
use crate::report::LinkageReport;

/// A released result.
#[derive(Debug, Clone, PartialEq)]
pub struct ReleasedResult {
    /// The flow table.
    pub table: PublishedTable,
    /// How links were decided.
    pub report: LinkageReport,
    /// Digest of both, as the offices released it.
    pub digest: Digest,
}

/// Released results that were read last, by run and digest, and how many rows.
pub(crate) type ReadResults = Latest<[Digest; 2], ReleasedResult>;

/// Rows of the tables that are kept at most, in all.
pub(crate) const MOST_ROWS: usize = 50_000;

/// What a result takes besides its rows, as rows.
const ROWS_BESIDES: usize = MOST_ROWS / 100;

/// What of a released result a caller asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResultPart {
    /// All rows.
    AllRows,
    /// So many rows from one on, as far as there are any.
    Rows {
        /// The first, from 0.
        first: usize,
        /// How many.
        count: usize,
    },
    /// All but the rows, with the linkage report.
    Table,
}

impl ResultPart {
    /// What that is of a table of so many rows; `None` where it is nothing.
    fn within(self, row_count: usize) -> Option<DisclosedPart> {
        let number = |row: usize| u64::try_from(row).expect("a row fits in 64 bits");
        match self {
            Self::AllRows => Some(DisclosedPart::AllRows),
            Self::Rows { first, count } => {
                let end = first.saturating_add(count).min(row_count);
                (first < end).then(|| DisclosedPart::Rows {
                    first: number(first),
                    last: number(end - 1),
                })
            }
            Self::Table => Some(DisclosedPart::Table),
        }
    }
}

impl Engine {
    /// Notes that the caller's office releases the result of a run, without seeing it.
    ///
    /// # Errors
    /// When there is no result, the signature is not of its digest under the caller's key, or another table of the same countries
    /// and years was released since it was made.
    pub async fn release_result(
        &self,
        caller: &Caller,
        id: Digest,
        signature: &Signature,
    ) -> Result<RunStatus, EngineError> {
        let (run, signed, side) = self.run_of_office(caller, id).await?;
        let result = run
            .result
            .filter(|_| run.state.has_result())
            .ok_or(EngineError::NoResult { state: run.state })?;
        signed.agreement.office(side).signing_key.verify(
            SigningPurpose::Release,
            result.as_bytes(),
            signature,
        )?;
        let made = self.read_result(id, result).await?;
        let release = Release {
            side,
            signature: signature.clone(),
            rule: signed.agreement.disclosure,
            scope: ReleasedScope::of(&signed.agreement),
            held_against: made.table.held_against,
        };
        let released = self
            .store
            .release_run(id, &release, &self.stamp(Some(caller)))
            .await;
        let run = released.map_err(|error| {
            if matches!(error, StoreError::ReleasedMeanwhile) {
                EngineError::ReleasedMeanwhile
            } else {
                error.into()
            }
        })?;
        tracing::info!(run = %id.to_short(), side = side.as_str(), state = %run.state, "result released by an office");
        self.announce_change();
        Ok(run)
    }

    /// The released flow table of a run, for its offices and for researchers. The part of it that will be sent is noted before.
    ///
    /// # Errors
    /// When the agreement does not allow flow tables, not both offices released it, or the caller may read other things only.
    pub async fn released_result(
        &self,
        caller: &Caller,
        id: Digest,
        part: ResultPart,
    ) -> Result<Arc<ReleasedResult>, EngineError> {
        let (run, signed, standing) = self.readable_run(caller, id).await?;
        match standing {
            Standing::Office(_) | Standing::Reader(Role::Researcher) => {}
            Standing::Reader(_) => return Err(EngineError::NotReadable { what: "flow tables" }),
        }
        let digest = require_released(&run)?;
        if !signed.agreement.allows(Output::FlowTable) {
            return Err(EngineError::OutputNotAllowed { what: "flow tables" });
        }
        let result = self.read_released(id, digest).await?;
        if let Some(part) = part.within(result.table.rows.len()) {
            self.disclose(caller, (&run, &signed.agreement), digest, part)
                .await?;
        }
        Ok(result)
    }

    /// Notes that a part of a released result is about to leave. It goes on when the caller leaves, since others may be noted with it.
    async fn disclose(
        &self,
        caller: &Caller,
        (run, agreement): (&RunStatus, &Agreement),
        result: Digest,
        part: DisclosedPart,
    ) -> Result<(), EngineError> {
        let result = DisclosedResult {
            agreement: run.agreement,
            run: run.id,
            result,
            rule: &agreement.disclosure,
        };
        let disclosure = NewDisclosure::new(result, part, &self.stamp(Some(caller)))?;
        let store = self.store.clone();
        let noting = self
            .under_way
            .spawn(async move { store.disclose(disclosure).await });
        noting.await.map_err(|_| ComputeError::Panicked)??;
        Ok(())
    }

    /// How the links of a released run were decided and how good they are, with the digest of its result: for its offices and for all
    /// who may read.
    ///
    /// # Errors
    /// When not both offices released it.
    pub async fn released_report(
        &self,
        caller: &Caller,
        id: Digest,
    ) -> Result<Arc<ReleasedResult>, EngineError> {
        let (run, signed, _) = self.readable_run(caller, id).await?;
        let digest = require_released(&run)?;
        let result = self.read_released(id, digest).await?;
        self.disclose(caller, (&run, &signed.agreement), digest, DisclosedPart::Report)
            .await?;
        Ok(result)
    }

    /// A result that was released. Whoever reads one asks for the rest of it soon: the last ones are kept, as long as their key is.
    async fn read_released(&self, run: Digest, digest: Digest) -> Result<Arc<ReleasedResult>, EngineError> {
        self.store.require_result_key(run).await?;
        if let Some(result) = self.read_results.find(&[run, digest]) {
            return Ok(result);
        }
        let result = Arc::new(self.read_result(run, digest).await?);
        let room = result.table.rows.len() + ROWS_BESIDES;
        self.read_results.keep([run, digest], &result, room);
        Ok(result)
    }

    /// The stored result of a run, when it is the one of that digest.
    async fn read_result(&self, id: Digest, digest: Digest) -> Result<ReleasedResult, EngineError> {
        let table = self.read_table(id, digest).await?;
        let report = self.store.read_run_object(id, RunObject::Report(digest)).await?;
        let report = serde_json::from_slice(&report).map_err(|_| EngineError::StoredResult)?;
        if result_digest(&table, &report) != digest {
            return Err(EngineError::StoredResult);
        }
        Ok(ReleasedResult {
            table,
            report,
            digest,
        })
    }

    /// The stored table of a result.
    pub(crate) async fn read_table(
        &self,
        run: Digest,
        result: Digest,
    ) -> Result<PublishedTable, EngineError> {
        let object = RunObject::FlowTable(result);
        let bytes = self.store.read_run_object(run, object).await?;
        PublishedTable::from_parquet(bytes.to_vec()).map_err(|_| EngineError::StoredResult)
    }

    /// The linked pairs of a run, by similarity descending, some at a time.
    ///
    /// # Errors
    /// When the agreement does not allow link lists, or not both offices released the run.
    pub async fn released_links(&self, caller: &Caller, id: Digest) -> Result<StoredLinks, EngineError> {
        let (run, signed, _) = self.run_of_office(caller, id).await?;
        if !signed.agreement.allows(Output::LinkList) {
            return Err(EngineError::OutputNotAllowed { what: "link lists" });
        }
        let digest = require_released(&run)?;
        let links = decode_links(self.store.read_run_object(id, RunObject::Links).await?)?;
        self.disclose(caller, (&run, &signed.agreement), digest, DisclosedPart::Links)
            .await?;
        Ok(links)
    }
}

fn require_released(run: &RunStatus) -> Result<Digest, EngineError> {
    match run.result {
        Some(digest) if run.state == RunState::Released => Ok(digest),
        Some(_) => Err(EngineError::NotReleased),
        None => Err(EngineError::NoResult { state: run.state }),
    }
}

/// Digest of a result, which both offices sign to release it: of the flow table and the linkage report, each as JSON without
/// blanks and with the fields in their order. An office works it out again from what it is given.
pub fn result_digest(table: &PublishedTable, report: &LinkageReport) -> Digest {
    let table = serde_json::to_vec(table).expect("every field has a JSON form");
    let report = serde_json::to_vec(report).expect("every field has a JSON form");
    Digest::of_parts(&[b"corridor/v1|result", &table, &report])
}
