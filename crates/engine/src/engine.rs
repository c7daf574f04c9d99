use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use corridor_core::{
    Agreement, Caller, Clock, DatasetDeclaration, DatasetState, DatasetStatus, Digest, MigrationEvent,
    MigratoryStatus, OfficeId, Reason, Role, RunState, RunStatus, Side, Signature, SignedAgreement,
    SigningPurpose, Standing, Variable,
};
use corridor_store::{DatasetFileError, Frame, FrameOutcome, Store, StoreError, UploadGuard, parse_dataset};
use tokio::sync::{OwnedMutexGuard, watch};

use crate::access::may_know_of;
use crate::audit::AuditLog;
use crate::compute::Compute;
use crate::error::EngineError;
use crate::lease::{LeaseTiming, LeaseWatch};
use crate::limits::RunLimits;
use crate::observer::{Happening, NoObserver, Observer, check_of};
use crate::released::check_revised;

/// What this program writes into every run id, so that another version gives another run.
pub const PROGRAM_VERSION: &str = concat!("corridor ", env!("CARGO_PKG_VERSION"));

/// Bounds an operator sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the largest dataset taken.
    pub max_dataset_bytes: u64,
    /// Of one run.
    pub run: RunLimits,
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
    /// One plan at a time.
    pub(crate) planning: Arc<tokio::sync::Mutex<()>>,
    /// One hand at a time on the dataset of an office under an agreement.
    uploads: Uploads,
    /// How leases of runs are kept.
    pub(crate) lease_timing: LeaseTiming,
    /// What was seen of the leases of others.
    pub(crate) leases: Arc<Mutex<LeaseWatch>>,
    /// Counts changes of runs; watchers and the worker wait for it to move.
    changes: watch::Sender<u64>,
}

type UploadKey = (Digest, OfficeId);

/// Locks by office and agreement, made when first needed: one hand at a time within this service, which then asks for the lock
/// that keeps other services away.
#[derive(Debug, Clone, Default)]
struct Uploads(Arc<Mutex<HashMap<UploadKey, Arc<tokio::sync::Mutex<()>>>>>);

impl Uploads {
    async fn lock(
        &self,
        store: &Store,
        declaration: &DatasetDeclaration,
    ) -> Result<(UploadGuard, OwnedMutexGuard<()>), EngineError> {
        let key = (declaration.agreement, declaration.office.clone());
        let lock = {
            let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(locks.entry(key).or_default())
        };
        let here = lock.lock_owned().await;
        let everywhere = store
            .lock_upload(declaration.agreement, &declaration.office)
            .await?;
        Ok((everywhere, here))
    }
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
            uploads: Uploads::default(),
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
        let _alone = self.uploads.lock(&self.store, declaration).await?;
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
        Ok((own, other_is_sealed))
    }

    /// Takes one frame of an upload: its bytes are on the disk when this returns.
    ///
    /// # Errors
    /// When the checksum does not fit, or the frame is neither the next nor one stored before.
    pub async fn receive_frame(
        &self,
        caller: &Caller,
        id: Digest,
        frame: Frame,
        data: &Bytes,
    ) -> Result<DatasetStatus, EngineError> {
        let status = self.dataset(caller, id).await?;
        if Digest::of(data) != frame.checksum {
            return Err(EngineError::FrameChecksum {
                sequence: frame.sequence,
            });
        }
        // Check, write and acknowledgement are one step: two streams must not write over each other's bytes.
        let _alone = self.uploads.lock(&self.store, &status.declaration).await?;
        let outcome = self.store.check_frame(id, frame).await?;
        let status = match outcome {
            FrameOutcome::Repeated => self.dataset(caller, id).await?,
            FrameOutcome::Next => {
                self.store.stage_frame(id, frame.offset, data).await?;
                self.store.acknowledge_frame(id, frame).await?
            }
        };
        self.observer.observe(&Happening::Frame {
            bytes: frame.byte_count,
            is_repeated: outcome == FrameOutcome::Repeated,
        });
        Ok(status)
    }

    /// Checks a whole dataset and fixes it. Nothing of one that fails stays.
    ///
    /// # Errors
    /// When bytes are missing, or the dataset is not what was declared and agreed.
    pub async fn seal_dataset(&self, caller: &Caller, id: Digest) -> Result<DatasetStatus, EngineError> {
        let status = self.dataset(caller, id).await?;
        let _alone = self.uploads.lock(&self.store, &status.declaration).await?;
        let status = self.dataset(caller, id).await?;
        if status.state == DatasetState::Sealed {
            return Ok(status);
        }
        let declared = status.declaration.total_bytes;
        if status.acknowledged_bytes < declared {
            return Err(EngineError::DatasetIncomplete {
                acknowledged: status.acknowledged_bytes,
                declared,
            });
        }
        let (agreement, _) = self
            .agreement_in_force(caller, status.declaration.agreement)
            .await?;
        let mut bytes = self.store.read_staged(id).await?;
        // An unacknowledged frame may have been written behind the last acknowledged one.
        bytes.truncate(usize::try_from(declared).unwrap_or(usize::MAX));
        let checked = {
            let (bytes, declaration) = (bytes.clone(), status.declaration.clone());
            self.compute
                .run(move || check_dataset(bytes, &declaration, &agreement))
                .await?
        };
        let sealed = match checked {
            Ok(()) => self.put_and_seal(caller, id, bytes).await,
            Err(error) => Err(error),
        };
        let sealed = match sealed {
            Ok(sealed) => sealed,
            // What failed may be tried again; what was refused goes, with all of its bytes.
            Err(EngineError::Store(error)) if !matches!(error, StoreError::KeyCheckMismatch) => {
                return Err(error.into());
            }
            Err(error) => {
                self.observer.observe(&Happening::UploadRefused {
                    check: check_of(&error),
                });
                self.store.remove_dataset(id).await?;
                self.store
                    .delete_dataset(id, error.to_word(), &self.stamp(Some(caller)))
                    .await?;
                self.store.remove_staged(id).await?;
                return Err(error);
            }
        };
        self.store.remove_staged(id).await?;
        self.observer.observe(&Happening::UploadSealed);
        tracing::info!(
            dataset = %id.to_short(),
            office = %caller.party,
            records = sealed.declaration.record_count,
            "dataset sealed"
        );
        Ok(sealed)
    }

    async fn put_and_seal(
        &self,
        caller: &Caller,
        id: Digest,
        bytes: Bytes,
    ) -> Result<DatasetStatus, EngineError> {
        self.store.put_dataset(id, bytes).await?;
        Ok(self.store.seal_dataset(id, &self.stamp(Some(caller))).await?)
    }

    // Runs.

    /// Starts the run of an agreement, or gives it as it stands; one that failed or was cancelled goes on.
    ///
    /// # Errors
    /// When the agreement is not in force or a dataset is missing.
    pub async fn start_run(&self, caller: &Caller, agreement: Digest) -> Result<RunStatus, EngineError> {
        let (_, datasets) = self.sealed_datasets(caller, agreement).await?;
        let [origin, destination] = datasets.map(|dataset| dataset.id);
        let id = Digest::of_parts(&[
            b"corridor/v1|run",
            agreement.as_bytes(),
            origin.as_bytes(),
            destination.as_bytes(),
            PROGRAM_VERSION.as_bytes(),
        ]);
        let run = RunStatus {
            id,
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

/// A dataset is what was declared and what was agreed, or it does not get in.
fn check_dataset(
    bytes: Bytes,
    declaration: &DatasetDeclaration,
    agreement: &Agreement,
) -> Result<(), EngineError> {
    if Digest::of(&bytes) != declaration.content {
        return Err(EngineError::ContentMismatch);
    }
    let dataset = parse_dataset(bytes)?;
    let manifest = &dataset.manifest;
    let declared = [
        ("agreement", manifest.agreement == declaration.agreement),
        ("office", manifest.office == declaration.office),
        ("encoding schema", manifest.schema == declaration.schema),
        ("key check", manifest.key_check == declaration.key_check),
        (
            "number of records",
            manifest.record_count == declaration.record_count,
        ),
    ];
    let profile = agreement.encoding.profile;
    let agreed = [
        (
            "filter length",
            dataset.filters.filter_len() == agreement.encoding.filter_bits,
        ),
        ("measure", manifest.measure == profile.measure()),
    ];
    for (expected_by, checks) in [("declared", declared.as_slice()), ("of the agreement", &agreed)] {
        if let Some((what, _)) = checks.iter().find(|(_, fits)| !fits) {
            return Err(EngineError::DatasetMismatch { what, expected_by });
        }
    }
    for event in dataset.events.iter().flatten() {
        check_facts(event, agreement).map_err(DatasetFileError::Unsound)?;
    }
    Ok(())
}

/// Checks that an event says what the agreement asks for, in its categories, and nothing else.
fn check_facts(event: &MigrationEvent, agreement: &Agreement) -> Result<(), &'static str> {
    let facts = &event.facts;
    let asked = |variable: Variable| agreement.statistics.names(variable);
    let bands = [event.age_band, facts.age_band_reached];
    if bands
        .into_iter()
        .flatten()
        .any(|band| usize::from(band.0) >= agreement.age_bands.len())
    {
        return Err("an age band is not one of the agreement");
    }
    let groups = [facts.citizenship, facts.birth_country];
    if groups
        .into_iter()
        .flatten()
        .any(|group| agreement.statistics.country_groups.label(group).is_none())
    {
        return Err("a group of countries is not one of the agreement");
    }
    let told = [
        (facts.age_band_reached.is_some(), Variable::AgeReached),
        (facts.citizenship.is_some(), Variable::Citizenship),
        (facts.birth_country.is_some(), Variable::BirthCountry),
        (
            facts.migratory_status != MigratoryStatus::Unknown,
            Variable::MigratoryStatus,
        ),
        (facts.reason != Reason::Unknown, Variable::Reason),
    ];
    if told
        .iter()
        .any(|(is_told, variable)| *is_told && !asked(*variable))
    {
        return Err("it tells more of the movers than the agreement's tables ask for");
    }
    Ok(())
}
