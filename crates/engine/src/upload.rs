//! Uploads: frames taken, and whole datasets checked and fixed.

use std::sync::Arc;

use bytes::Bytes;
use corridor_core::{
    Agreement, Caller, DatasetDeclaration, DatasetState, DatasetStatus, Digest, EncodedDataset,
};
use corridor_store::{
    DatasetFileError, DatasetReader, FileDigests, Frame, FrameSealer, SealedFile, SealedFrame, StoreError,
};

use crate::compute::{Compute, ComputeError};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::gate::{ColumnProfile, Gate, GateResult};
use crate::gated::{check_facts, log_refusal};
use crate::observer::{Happening, check_of};

/// What is acknowledged of a frame: everything up to and with it is on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acknowledgement {
    /// Bytes safely stored.
    pub acknowledged_bytes: u64,
    /// Sequence number of the next frame.
    pub next_sequence: u64,
}

/// What came of frames that were sent together.
#[derive(Debug)]
pub struct ReceivedFrames {
    /// Of each frame that was taken, in order.
    pub acknowledged: Vec<Acknowledgement>,
    /// Why the one behind them was refused.
    pub refused: Option<EngineError>,
}

/// What frames of one dataset go through before they are stored.
#[derive(Debug, Clone)]
pub struct FrameDoor {
    threads: Compute,
    sealer: Arc<FrameSealer>,
}

impl FrameDoor {
    /// Checks a frame and seals it, on a thread of its own. Several may be under way.
    ///
    /// # Errors
    /// When the checksum does not fit.
    pub async fn seal(self, frame: Frame, data: Bytes) -> Result<SealedFrame, EngineError> {
        let sealer = self.sealer;
        let sealed = self.threads.run(move |_| sealer.seal(frame, &data)).await?;
        sealed.ok_or(EngineError::FrameChecksum {
            sequence: frame.sequence,
        })
    }
}

impl Engine {
    /// Opens a dataset of the caller's for frames.
    ///
    /// # Errors
    /// When there is no such dataset of the caller's, it was purged, or the store fails.
    pub async fn open_upload(&self, caller: &Caller, id: Digest) -> Result<FrameDoor, EngineError> {
        let status = self.dataset(caller, id).await?;
        if status.state == DatasetState::Purged {
            return Err(StoreError::DatasetPurged.into());
        }
        Ok(FrameDoor {
            threads: self.frame_threads()?,
            sealer: Arc::new(self.store.frame_sealer(id).await?),
        })
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
        let received = self
            .receive_frames(caller, id, vec![(frame, data.clone())])
            .await?;
        match received.refused {
            Some(error) => Err(error),
            None => self.dataset(caller, id).await,
        }
    }

    /// Takes frames of an upload that came together, one after the other through its door and then as
    /// [`Engine::receive_sealed_frames`] does.
    ///
    /// # Errors
    /// When there is no such dataset of the caller's, it was purged, or the store fails.
    pub async fn receive_frames(
        &self,
        caller: &Caller,
        id: Digest,
        frames: Vec<(Frame, Bytes)>,
    ) -> Result<ReceivedFrames, EngineError> {
        let door = self.open_upload(caller, id).await?;
        let mut sealed = Vec::with_capacity(frames.len());
        let mut refused = None;
        for (frame, data) in frames {
            match door.clone().seal(frame, data).await {
                Ok(frame) => sealed.push(frame),
                Err(error) => {
                    refused = Some(error);
                    break;
                }
            }
        }
        let mut received = self.receive_sealed_frames(caller, id, sealed).await?;
        received.refused = received.refused.or(refused);
        Ok(received)
    }

    /// Takes sealed frames of an upload that came together: the bytes of all that are taken are on the disk when this returns. They
    /// are written at once and acknowledged at once, so that many frames cost one wait for the disk.
    ///
    /// # Errors
    /// When there is no such dataset of the caller's, it was purged, or the store fails.
    pub async fn receive_sealed_frames(
        &self,
        caller: &Caller,
        id: Digest,
        frames: Vec<SealedFrame>,
    ) -> Result<ReceivedFrames, EngineError> {
        let status = self.dataset(caller, id).await?;
        // Check, write and acknowledgement are one step: two streams must not write over each other's bytes. It goes on when the
        // caller leaves, so that the lock is not let go of while bytes are still being written.
        let engine = self.clone();
        let storing = self.under_way.spawn(async move {
            let _alone = engine.lock_upload(&status.declaration).await?;
            engine.store_frames(id, frames).await
        });
        storing
            .await
            .unwrap_or(Err(EngineError::Compute(ComputeError::Panicked)))
    }

    /// Threads on which frames are checked and sealed: not those of a run, which may take hours, and not one for each upload, for
    /// they would leave little to other calls.
    fn frame_threads(&self) -> Result<Compute, ComputeError> {
        if let Some(threads) = self.frame_threads.get() {
            return Ok(threads.clone());
        }
        let threads = Compute::in_background(self.compute.thread_count())?;
        Ok(self.frame_threads.get_or_init(|| threads).clone())
    }

    /// Takes frames whose bytes have the checksums they came with.
    async fn store_frames(
        &self,
        id: Digest,
        sealed: Vec<SealedFrame>,
    ) -> Result<ReceivedFrames, EngineError> {
        let frames: Vec<Frame> = sealed.iter().map(SealedFrame::frame).collect();
        let checked = self.store.check_frames(id, &frames).await?;
        let next: Vec<SealedFrame> = checked
            .is_next
            .iter()
            .zip(sealed)
            .filter_map(|(is_next, frame)| is_next.then_some(frame))
            .collect();
        let mut last = Acknowledgement {
            acknowledged_bytes: checked.status.acknowledged_bytes,
            next_sequence: checked.status.next_sequence,
        };
        if !next.is_empty() {
            let stored = next.iter().map(SealedFrame::frame).collect();
            self.store.stage_frames(id, next).await?;
            self.store.acknowledge_frames(id, stored).await?;
        }
        for (is_next, frame) in checked.is_next.iter().zip(&frames) {
            self.observer.observe(&Happening::Frame {
                bytes: frame.byte_count,
                is_repeated: !is_next,
            });
        }
        let acknowledged = checked.is_next.iter().zip(&frames).map(|(is_next, frame)| {
            if *is_next {
                last = Acknowledgement {
                    acknowledged_bytes: frame.offset + frame.byte_count,
                    next_sequence: frame.sequence + 1,
                };
            }
            last
        });
        Ok(ReceivedFrames {
            acknowledged: acknowledged.collect(),
            refused: checked.refused.map(EngineError::from),
        })
    }

    /// Checks a whole dataset and fixes it. Nothing of one that fails stays. It goes on when the caller leaves: who asks again waits
    /// for it.
    ///
    /// # Errors
    /// When bytes are missing, or the dataset is not what was declared and agreed; asked again, the last refusals are told again.
    pub async fn seal_dataset(&self, caller: &Caller, id: Digest) -> Result<DatasetStatus, EngineError> {
        let status = match self.dataset(caller, id).await {
            Err(EngineError::NotFound { what }) => {
                let told = self.refusals.find(&caller.party, id);
                return Err(told.unwrap_or(EngineError::NotFound { what }));
            }
            found => found?,
        };
        let (engine, caller) = (self.clone(), caller.clone());
        let sealing = self.under_way.spawn(async move {
            let _alone = engine.lock_upload(&status.declaration).await?;
            match engine.seal_alone(&caller, id).await {
                // The other office sealed while this one was looked at: once more, beside that. It seals once.
                Err(EngineError::Store(StoreError::SealedMeanwhile)) => engine.seal_alone(&caller, id).await,
                outcome => outcome,
            }
        });
        sealing
            .await
            .unwrap_or(Err(EngineError::Compute(ComputeError::Panicked)))
    }

    async fn seal_alone(&self, caller: &Caller, id: Digest) -> Result<DatasetStatus, EngineError> {
        let status = self.dataset(caller, id).await?;
        match status.state {
            DatasetState::Receiving => {}
            DatasetState::Sealed => return Ok(status),
            DatasetState::Purged => return Err(StoreError::DatasetPurged.into()),
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
        let staged = self.store.open_staged(id).await?;
        let other = self.other_columns(&status).await?;
        let compared = other.as_ref().map(|(id, _)| *id);
        let checked = {
            let (staged, declaration) = (staged.clone(), status.declaration.clone());
            // One of each office looks or waits; and not on the threads of a run, which may take hours.
            let _turn = self.gate_turns.lock(caller.party.clone()).await;
            let _place = self.gates.acquire().await.expect("it is never closed");
            Compute::in_background(self.compute.thread_count())?
                .run(move |_| {
                    let other = other.as_ref().map(|(_, columns)| columns);
                    check_dataset(&staged, &declaration, &agreement, other)
                })
                .await?
        };
        let sealed = match checked {
            Ok(passed) => self.put_and_seal(caller, id, &staged, &passed, compared).await,
            Err(error) => Err(error),
        };
        let sealed = match sealed {
            Ok(sealed) => sealed,
            // What failed may be tried again; what was refused goes, with all of its bytes.
            Err(EngineError::Store(error)) if !is_for_good(&error) => return Err(error.into()),
            Err(error) => {
                self.observer.observe(&Happening::UploadRefused {
                    check: check_of(&error),
                });
                log_refusal(&error, &caller.party, id);
                self.store.remove_dataset(id).await?;
                self.store
                    .delete_dataset(id, error.to_word(), &self.stamp(Some(caller)))
                    .await?;
                self.store.remove_staged(id).await?;
                return Err(self.refusals.note(&caller.party, id, error));
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

    /// Waits for what goes on when its caller has left.
    pub async fn settle(&self) {
        self.under_way.close();
        self.under_way.wait().await;
    }
}

/// Whether trying again cannot help, so that the office must upload again: another key, or staged bytes that were altered.
const fn is_for_good(error: &StoreError) -> bool {
    matches!(error, StoreError::KeyCheckMismatch | StoreError::Altered { .. })
}

/// A dataset is what was declared and what was agreed, or it does not get in. It is read some thousand records at a time, so that
/// its length does not matter.
fn check_dataset(
    staged: &SealedFile,
    declaration: &DatasetDeclaration,
    agreement: &Agreement,
    other: Option<&ColumnProfile>,
) -> Result<GateResult, EngineError> {
    // The reader knows only that it failed: what failed below it is no fault of the file's.
    check_file(staged, declaration, agreement, other).map_err(|error| match staged.take_failure() {
        Some(failure) => failure.into(),
        None => error,
    })
}

fn check_file(
    staged: &SealedFile,
    declaration: &DatasetDeclaration,
    agreement: &Agreement,
    other: Option<&ColumnProfile>,
) -> Result<GateResult, EngineError> {
    let digests = FileDigests::of(staged)?;
    if digests.content != declaration.content {
        return Err(EngineError::ContentMismatch);
    }
    if !digests.seal_fits {
        return Err(DatasetFileError::Seal.into());
    }
    let reader = DatasetReader::open(staged.clone())?;
    let manifest = reader.manifest();
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
    let mut passes = reader.passes().to_vec();
    passes.sort_unstable();
    let agreed_passes = &agreement.encoding.block_passes;
    let agreed = [
        (
            "filter length",
            reader.filter_len() == agreement.encoding.filter_bits,
        ),
        ("measure", manifest.measure == profile.measure()),
        // Without them every pair would be compared, at the cost of both.
        (
            "block passes",
            agreed_passes.is_empty() || passes == *agreed_passes,
        ),
    ];
    for (expected_by, checks) in [("declared", declared.as_slice()), ("of the agreement", &agreed)] {
        if let Some((what, _)) = checks.iter().find(|(_, fits)| !fits) {
            return Err(EngineError::DatasetMismatch { what, expected_by });
        }
    }
    let mut gate = Gate::new(agreement, declaration.record_count, declaration.content);
    for records in reader {
        let records = records?;
        check_records(&records, agreement)?;
        gate.observe(&records);
    }
    let result = gate.finish(other);
    if result.report.is_passed() {
        Ok(result)
    } else {
        Err(EngineError::GateFailed {
            report: result.report,
        })
    }
}

/// Checks some of the records of a dataset.
fn check_records(records: &EncodedDataset, agreement: &Agreement) -> Result<(), EngineError> {
    for event in records.events.iter().flatten() {
        check_facts(event, agreement).map_err(DatasetFileError::Unsound)?;
    }
    Ok(())
}
