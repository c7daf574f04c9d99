use std::sync::{Arc, Mutex, OnceLock};

use corridor_core::{
    Agreement, Caller, Clock, DatasetDeclaration, DatasetState, DatasetStatus, Digest, OfficeId, Role,
    RunState, RunStatus, Side, Signature, SignedAgreement, SigningPurpose, Standing,
};
use corridor_store::{Store, UploadGuard};
use tokio::sync::{OwnedMutexGuard, Semaphore, watch};
use tokio_util::task::TaskTracker;

use crate::access::may_know_of;
use crate::audit::AuditLog;
use crate::compute::Compute;
use crate::error::EngineError;
use crate::lease::{LeaseTiming, LeaseWatch};
use crate::limits::RunLimits;
use crate::locks::Locks;
use crate::observer::{NoObserver, Observer};
use crate::refusals::Refusals;
use crate::released::check_revised;
use crate::results::{MOST_ROWS, ReadResults};

/// What this program writes into every run id, so that another version gives another run.
pub const PROGRAM_VERSION: &str = concat!("corridor ", env!("CARGO_PKG_VERSION"));

/// Id of a run of these datasets by this program.
pub(crate) fn run_id(agreement: Digest, [origin, destination]: [Digest; 2]) -> Digest {
    Digest::of_parts(&[
        b"corridor/v1|run",
        agreement.as_bytes(),
        origin.as_bytes(),
        destination.as_bytes(),
        PROGRAM_VERSION.as_bytes(),
    ])
}

/// Datasets that are looked at before sealing at the same time: what is kept of each meanwhile is bounded, and so is their sum.
const GATES_AT_ONCE: usize = 1;

/// Bounds an operator sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the largest dataset taken.
    pub max_dataset_bytes: u64,
    /// Of one run.
    pub run: RunLimits,
    /// Days after its seal that a dataset is kept over which no table was released; for ever when none. How long one is kept over
    /// which a table was, the agreement says.
    pub unreleased_days: Option<u32>,
}

/// The use cases of the service. Knows no gRPC; cheap to clone.
#[derive(Debug, Clone)]
pub struct Engine {
    pub(crate) audit: AuditLog,
    pub(crate) store: Store,
    pub(crate) compute: Compute,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) limits: Limits,
    pub(crate) observer: Arc<dyn Observer>,
    /// One plan at a time, for it takes memory for both datasets.
    pub(crate) planning: Arc<tokio::sync::Mutex<()>>,
    /// Of each party one plan that is made or waits, so that nobody waits for more than one of another's.
    pub(crate) plans: Locks<OfficeId>,
    /// Datasets that are looked at before they are sealed, each with memory of its own.
    pub(crate) gates: Arc<Semaphore>,
    /// Of each office one of them, or one that waits.
    pub(crate) gate_turns: Locks<OfficeId>,
    /// One hand at a time on the dataset of an office under an agreement.
    uploads: Locks<(Digest, OfficeId)>,
    /// See [`Engine::frame_threads`].
    pub(crate) frame_threads: Arc<OnceLock<Compute>>,
    /// Results that were read last.
    pub(crate) read_results: Arc<ReadResults>,
    /// Why datasets were refused.
    pub(crate) refusals: Refusals,
    /// What goes on when its caller has left: writing of frames, seals, purges.
    pub(crate) under_way: TaskTracker,
    /// How leases of runs are kept.
    pub(crate) lease_timing: LeaseTiming,
    /// What was seen of the leases of others.
    pub(crate) leases: Arc<Mutex<LeaseWatch>>,
    /// Counts changes of runs; watchers and the worker wait for it to move.
    changes: watch::Sender<u64>,
}

impl Engine {
    /// An engine over an open store, which logs what it does.
    pub fn new(
        store: Store,
        compute: Compute,
        clock: Arc<dyn Clock>,
        audit: AuditLog,
        limits: Limits,
    ) -> Self {
        Self {
            audit,
            store,
            compute,
            clock,
            limits,
            observer: Arc::new(NoObserver),
            planning: Arc::default(),
            plans: Locks::default(),
            gates: Arc::new(Semaphore::new(GATES_AT_ONCE)),
            gate_turns: Locks::default(),
            uploads: Locks::default(),
            frame_threads: Arc::default(),
            read_results: Arc::new(ReadResults::new(MOST_ROWS)),
            refusals: Refusals::default(),
            under_way: TaskTracker::new(),
            lease_timing: LeaseTiming::DEFAULT,
            leases: Arc::default(),
            changes: watch::Sender::new(0),
        }
    }

    /// The same with leases kept in another rhythm, which must be that of every service on the same database.
    #[must_use]
    pub fn with_lease_timing(mut self, timing: LeaseTiming) -> Self {
        self.lease_timing = timing;
        self
    }

    /// Keeps other hands off the dataset of an office under an agreement, here and at other services.
    pub(crate) async fn lock_upload(
        &self,
        declaration: &DatasetDeclaration,
    ) -> Result<(UploadGuard, OwnedMutexGuard<()>), EngineError> {
        let key = (declaration.agreement, declaration.office.clone());
        let here = self.uploads.lock(key).await;
        let everywhere = self
            .store
            .lock_upload(declaration.agreement, &declaration.office)
            .await?;
        Ok((everywhere, here))
    }

    pub(crate) fn announce_change(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Moves whenever a run changes.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    // Agreements.

    /// Stores a proposal of one of its offices.
    ///
    /// # Errors
    /// When the caller is no party, or the agreement breaks a rule.
    pub async fn propose_agreement(
        &self,
        caller: &Caller,
        agreement: &Agreement,
    ) -> Result<SignedAgreement, EngineError> {
        agreement.validate()?;
        match agreement.standing_of(caller) {
            Some(Standing::Office(_)) => {}
            Some(Standing::Reader(_)) | None => return Err(EngineError::NotParty),
        }
        check_revised(&self.store, agreement).await?;
        Ok(self
            .store
            .insert_agreement(agreement, &self.stamp(Some(caller)))
            .await?)
    }

    /// Adds the caller's signature of an agreement's digest.
    ///
    /// # Errors
    /// When the signature is not of this digest under the caller's key in the agreement.
    pub async fn sign_agreement(
        &self,
        caller: &Caller,
        digest: Digest,
        signature: &Signature,
    ) -> Result<SignedAgreement, EngineError> {
        let (signed, side) = self.agreement(caller, digest).await?;
        signed.agreement.office(side).signing_key.verify(
            SigningPurpose::Agreement,
            digest.as_bytes(),
            signature,
        )?;
        let signed = self
            .store
            .add_signature(digest, side, signature, &self.stamp(Some(caller)))
            .await?;
        tracing::info!(agreement = %digest.to_short(), side = side.as_str(), "agreement signed");
        Ok(signed)
    }

    /// The caller's agreement, when both offices signed it.
    pub(crate) async fn agreement_in_force(
        &self,
        caller: &Caller,
        digest: Digest,
    ) -> Result<(Agreement, Side), EngineError> {
        let (signed, side) = self.agreement(caller, digest).await?;
        if !signed.is_in_force() {
            return Err(EngineError::AgreementNotInForce);
        }
        signed.verify()?;
        Ok((signed.agreement, side))
    }

    // Datasets.

    /// Declares a dataset of the caller's before its upload.
    ///
    /// # Errors
    /// When the agreement is not in force, the dataset does not fit it or is too large, the office has a sealed
    /// one already, or the other office encoded under another key.
    pub async fn declare_dataset(
        &self,
        caller: &Caller,
        declaration: &DatasetDeclaration,
    ) -> Result<DatasetStatus, EngineError> {
        if declaration.office != caller.party {
            return Err(EngineError::NotParty);
        }
        let (agreement, _) = self.agreement_in_force(caller, declaration.agreement).await?;
        if declaration.schema != agreement.encoding.schema {
            return Err(EngineError::DatasetMismatch {
                what: "encoding schema",
                expected_by: "of the agreement",
            });
        }
        if declaration.total_bytes > self.limits.max_dataset_bytes {
            return Err(EngineError::DatasetTooLarge {
                bytes: declaration.total_bytes,
                limit: self.limits.max_dataset_bytes,
            });
        }
        let _alone = self.lock_upload(declaration).await?;
        self.refusals.forget(declaration.to_id());
        let declared = self
            .store
            .declare_dataset(declaration, &self.stamp(Some(caller)))
            .await?;
        if let Some(replaced) = declared.replaced {
            self.store.remove_staged(replaced).await?;
            // A service that stopped while it sealed left it.
            self.store.remove_dataset(replaced).await?;
        }
        Ok(declared.status)
    }

    /// A dataset of the caller's.
    ///
    /// # Errors
    /// When there is none of that id, or it is the other office's.
    pub async fn dataset(&self, caller: &Caller, id: Digest) -> Result<DatasetStatus, EngineError> {
        self.store
            .dataset(id)
            .await?
            .filter(|status| caller.role == Role::Office && status.declaration.office == caller.party)
            .ok_or(EngineError::NotFound { what: "dataset" })
    }

    /// The same, with when it will be purged.
    ///
    /// # Errors
    /// As [`Engine::dataset`].
    pub async fn dataset_with_deadline(
        &self,
        caller: &Caller,
        id: Digest,
    ) -> Result<DatasetStatus, EngineError> {
        let dataset = self.dataset(caller, id).await?;
        let datasets = self.with_deadlines(vec![dataset]).await?;
        let found = datasets.into_iter().next();
        found.ok_or(EngineError::NotFound { what: "dataset" })
    }

    /// The caller's datasets under an agreement, and whether the other office has sealed one.
    ///
    /// # Errors
    /// When the caller is no party.
    pub async fn datasets(
        &self,
        caller: &Caller,
        agreement: Digest,
    ) -> Result<(Vec<DatasetStatus>, bool), EngineError> {
        self.agreement(caller, agreement).await?;
        let (own, other): (Vec<_>, Vec<_>) = self
            .store
            .datasets_of(agreement)
            .await?
            .into_iter()
            .partition(|status| status.declaration.office == caller.party);
        let other_is_sealed = other.iter().any(|status| status.state == DatasetState::Sealed);
        Ok((self.with_deadlines(own).await?, other_is_sealed))
    }

    // Runs.

    /// Starts the run of an agreement, or gives it as it stands; one that failed or was cancelled goes on.
    ///
    /// # Errors
    /// When the agreement is not in force or a dataset is missing.
    pub async fn start_run(&self, caller: &Caller, agreement: Digest) -> Result<RunStatus, EngineError> {
        let (_, datasets) = self.sealed_datasets(caller, agreement).await?;
        let [origin, destination] = datasets.map(|dataset| dataset.id);
        let run = RunStatus {
            id: run_id(agreement, [origin, destination]),
            agreement,
            origin_dataset: origin,
            destination_dataset: destination,
            state: RunState::Queued,
            tiles_done: 0,
            tiles_total: 0,
            restarts: 0,
            reason: String::new(),
            result: None,
            released_by: Vec::new(),
        };
        let status = self.store.enqueue_run(&run, &self.stamp(Some(caller))).await?;
        self.announce_change();
        Ok(status)
    }

    /// A run the caller may know of: of an office's agreements, or of those that let the caller read.
    ///
    /// # Errors
    /// When there is none of that id for the caller.
    pub async fn run(&self, caller: &Caller, id: Digest) -> Result<RunStatus, EngineError> {
        Ok(self.readable_run(caller, id).await?.0)
    }

    /// The runs of an agreement that the caller may know of, oldest first.
    ///
    /// # Errors
    /// When the agreement is not there for the caller.
    pub async fn runs(&self, caller: &Caller, agreement: Digest) -> Result<Vec<RunStatus>, EngineError> {
        let (_, standing) = self.readable_agreement(caller, agreement).await?;
        let mut runs = self.store.runs_of(agreement).await?;
        runs.retain(|run| may_know_of(standing, run.state));
        Ok(runs)
    }

    /// Stops a run. What it has stored stays, so that it can go on later.
    ///
    /// # Errors
    /// When it has ended already.
    pub async fn cancel_run(&self, caller: &Caller, id: Digest) -> Result<RunStatus, EngineError> {
        let (run, _, _) = self.run_of_office(caller, id).await?;
        if run.state == RunState::Cancelled {
            return Ok(run);
        }
        if !run.state.is_active() {
            return Err(EngineError::NotCancellable { state: run.state });
        }
        let run = self.store.cancel_run(id, &self.stamp(Some(caller))).await?;
        tracing::info!(run = %id.to_short(), office = %caller.party, "run cancelled");
        self.announce_change();
        Ok(run)
    }
}
