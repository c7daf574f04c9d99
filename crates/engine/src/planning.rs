//! Plans of runs at the service.

use std::sync::Arc;

use corridor_core::audit::AuditAction;
use corridor_core::{Agreement, Caller, DatasetState, DatasetStatus, Digest, EncodedDataset, Side};
use corridor_flows::{FlowTerms, PublishedTable, check_lists, check_released, check_size};
use corridor_store::parse_dataset;

use crate::compute::Compute;
use crate::engine::{Engine, run_id};
use crate::error::EngineError;
use crate::limits::RunLimits;
use crate::plan::{PlannedDatasets, PublicPlan, RunPlan};
use crate::refusal;

impl Engine {
    /// Plans the run of an agreement: what it will compare, find and need, and whether it would be taken. Changes nothing but the audit log.
    ///
    /// One plan is made at a time, for it takes memory for both datasets; others wait, one of each party. It has threads of its own, as many as runs
    /// have, so that it does not wait for a run under way, which may take hours; beside one it finds the machine slower.
    ///
    /// # Errors
    /// As [`Engine::start_run`]; when the records cannot be linked; and [`EngineError::RunRefused`] when even to read the
    /// datasets takes more memory than a run may have.
    pub async fn plan_run(&self, caller: &Caller, agreement: Digest) -> Result<PublicPlan, EngineError> {
        let digest = agreement;
        let (agreement, datasets) = self.sealed_datasets(caller, digest).await?;
        let file_bytes = file_bytes_of(&datasets);
        check_files(file_bytes, &self.limits.run)?;
        let turn = self.plans.lock(caller.party.clone()).await;
        let alone = Arc::clone(&self.planning).lock_owned().await;
        let compute = Compute::in_background(self.compute.thread_count())?;
        let released = self
            .tables_before(
                &agreement,
                run_id(digest, datasets.each_ref().map(|dataset| dataset.id)),
            )
            .await?;
        let origin = self.load(&compute, datasets[0].id).await?;
        let destination = self.load(&compute, datasets[1].id).await?;
        let (limits, clock) = (self.limits.run, Arc::clone(&self.clock));
        let planned = compute
            .run(move |stop| {
                // Kept as long as it works, also when the caller does not wait for it.
                let _alone = (alone, turn);
                let datasets = PlannedDatasets {
                    origin: &origin,
                    destination: &destination,
                    file_bytes,
                };
                check_moves(&agreement, (&origin, &destination), &released)?;
                RunPlan::new(
                    datasets,
                    &agreement.linkage,
                    &agreement.encoding,
                    limits,
                    Some(&*clock),
                    stop,
                )
                .map(|plan| plan.to_public())
            })
            .await?;
        let entry = self
            .stamp(Some(caller))
            .entry(AuditAction::RunPlanned, Some(digest));
        // Its figures are about both registers: which they are is noted before they leave.
        let entry = match &planned {
            Ok(plan) => {
                let plan = serde_json::to_vec(plan).expect("every field has a JSON form");
                entry.with_digest("plan", Digest::of(&plan))
            }
            Err(error) => entry.with_word("reason", error.to_word()),
        };
        self.store.append_audit(&entry).await?;
        planned
    }

    /// The agreement, when it is in force, and the sealed datasets of the origin and of the destination.
    ///
    /// # Errors
    /// When the agreement is not in force or a dataset is missing.
    pub(crate) async fn sealed_datasets(
        &self,
        caller: &Caller,
        agreement: Digest,
    ) -> Result<(Agreement, [DatasetStatus; 2]), EngineError> {
        let (terms, _) = self.agreement_in_force(caller, agreement).await?;
        let datasets = self.store.datasets_of(agreement).await?;
        let sealed = |side: Side| {
            datasets
                .iter()
                .find(|dataset| {
                    dataset.state == DatasetState::Sealed
                        && dataset.declaration.office == terms.office(side).id
                })
                .cloned()
                .ok_or(EngineError::DatasetsMissing)
        };
        let sealed = [sealed(Side::Origin)?, sealed(Side::Destination)?];
        Ok((terms, sealed))
    }

    pub(crate) async fn load(
        &self,
        compute: &Compute,
        dataset: Digest,
    ) -> Result<EncodedDataset, EngineError> {
        let bytes = self.store.read_dataset(dataset).await?;
        Ok(compute.run(move |_| parse_dataset(bytes)).await??)
    }
}

/// Bytes of the files of datasets.
pub(crate) fn file_bytes_of(datasets: &[DatasetStatus; 2]) -> [u64; 2] {
    datasets.each_ref().map(|dataset| dataset.declaration.total_bytes)
}

/// Whether two datasets of moves hold something to count, and tables of it could be protected beside those released before, before
/// anything is compared.
pub(crate) fn check_moves(
    agreement: &Agreement,
    (origin, destination): (&EncodedDataset, &EncodedDataset),
    released: &[PublishedTable],
) -> Result<(), EngineError> {
    let (Some(origin), Some(destination)) = (&origin.events, &destination.events) else {
        return Ok(());
    };
    let terms = FlowTerms::from(agreement);
    check_lists(&terms, origin, destination)?;
    check_released(&terms, released)?;
    Ok(check_size(&terms, origin, destination)?)
}

/// Whether two files can be read within the memory of a run.
pub(crate) fn check_files(file_bytes: [u64; 2], limits: &RunLimits) -> Result<(), EngineError> {
    match refusal::of_files(file_bytes, limits) {
        Some(refusal) => Err(EngineError::RunRefused {
            refusals: vec![refusal],
        }),
        None => Ok(()),
    }
}
