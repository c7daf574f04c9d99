use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use corridor_core::{
    Agreement, Clock, DatasetStatus, Digest, EncodedDataset, RunState, RunStatus, Stopwatch,
};
use corridor_link::{Blocks, CandidateBudget, CandidatePair, ComparePlan, LinkError, Tile};
use corridor_store::{RunChange, RunObject, StoreError};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::codec::{decode_candidates, encode_candidates};
use crate::engine::{Engine, PROGRAM_VERSION};
use crate::error::EngineError;
use crate::limits::{RunLimits, to_text};
use crate::manifest::{ManifestHost, ManifestParts, ManifestTable, RunManifest};
use crate::observer::{AttemptOutcome, FailureKind, Happening, Phase};
use crate::pipeline::{Pipeline, tiles_of};
use crate::plan::{PlannedDatasets, RunPlan};
use crate::planning::{check_files, file_bytes_of};
use crate::result::{MadeResult, make_result};

/// How long the worker waits when the store failed.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// How the work on a run ended.
enum Ending {
    Done,
    /// An office cancelled it.
    Cancelled,
    /// The service is stopping; the run is taken up again at the next start.
    Stopping,
}

impl Engine {
    /// Works on runs, one at a time, oldest first, until `stop`. Where the store fails, as on a full disk, it tries again
    /// after a while: the service goes on for what needs no room.
    pub async fn work(&self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            if let Err(error) = self.work_until_failure(stop).await {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the store failed; trying again"
                );
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(RETRY_AFTER) => {}
                }
            }
        }
    }

    /// Works on runs until `stop`. Runs that were being worked on when the service ended, or the store failed, go back to
    /// the queue first, with what they had stored.
    async fn work_until_failure(&self, stop: &CancellationToken) -> Result<(), EngineError> {
        for run in self.store.active_runs().await? {
            if run.state != RunState::Queued {
                let run = self
                    .store
                    .change_run(run.id, RunChange::Requeued, &self.stamp(None))
                    .await?;
                tracing::info!(
                    run = %run.id.to_short(),
                    restarts = run.restarts,
                    tiles_done = run.tiles_done,
                    "run taken up again"
                );
                self.announce_change();
            }
        }
        let mut changes = self.subscribe();
        while !stop.is_cancelled() {
            changes.mark_unchanged();
            if let Some(run) = self.store.active_runs().await?.into_iter().next() {
                self.finish_run(&run, stop).await?;
                self.announce_change();
                continue;
            }
            tokio::select! {
                () = stop.cancelled() => {}
                changed = changes.changed() => {
                    if changed.is_err() {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// Works on one run to its end, whatever that is.
    async fn finish_run(&self, run: &RunStatus, stop: &CancellationToken) -> Result<(), EngineError> {
        let id = run.id;
        let stopwatch = Stopwatch::start(&*self.clock);
        // An error's level: spans are there whatever is logged.
        let span = tracing::error_span!("run", outcome = tracing::field::Empty);
        let worked = self.work_on(run, stop).instrument(span.clone()).await;
        let outcome = outcome_of(&worked);
        span.record("outcome", outcome.as_str());
        self.observer.observe(&Happening::Attempt {
            outcome,
            seconds: stopwatch.elapsed_s(),
        });
        match worked {
            Ok(Ending::Done) => tracing::info!(run = %id.to_short(), "run reconciled, waits for release"),
            Ok(Ending::Cancelled) => tracing::info!(run = %id.to_short(), "run stopped on request"),
            Ok(Ending::Stopping) => {
                tracing::info!(run = %id.to_short(), "run put aside, service is stopping")
            }
            // Cancelled, and perhaps queued again since: whoever did so decides what comes next.
            Err(EngineError::Store(StoreError::RunState {
                from: RunState::Cancelled | RunState::Queued,
                ..
            })) => tracing::info!(run = %id.to_short(), "run stopped on request"),
            Err(error) => {
                tracing::error!(run = %id.to_short(), error = &error as &dyn std::error::Error, "run failed");
                let failed = RunChange::Failed {
                    reason: to_reason(&error),
                    word: error.to_word(),
                };
                match self.store.change_run(id, failed, &self.stamp(None)).await {
                    // Cancelled in the meantime: it stays so.
                    Ok(_) | Err(StoreError::RunState { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    async fn work_on(&self, run: &RunStatus, stop: &CancellationToken) -> Result<Ending, EngineError> {
        let prepare = self.begin(Phase::Prepare);
        let agreement = self
            .store
            .agreement(run.agreement)
            .await?
            .ok_or(EngineError::NotFound { what: "agreement" })?
            .agreement;
        let datasets = self.datasets_of_run(run).await?;
        let file_bytes = file_bytes_of(&datasets);
        check_files(file_bytes, &self.limits.run)?;
        let job = Arc::new(Job {
            agreement,
            contents: datasets.map(|dataset| dataset.declaration.content),
            origin: self.load(&self.compute, run.origin_dataset).await?,
            destination: self.load(&self.compute, run.destination_dataset).await?,
        });
        let run_plan = {
            let (job, limits, clock) = (Arc::clone(&job), self.limits.run, Arc::clone(&self.clock));
            self.compute
                .run(move || job.plan(file_bytes, limits, &*clock))
                .await??
        };
        run_plan.check()?;
        let host = ManifestHost {
            kernel: run_plan.kernel().to_owned(),
            threads: to_count(self.compute.thread_count()),
            arch: std::env::consts::ARCH.to_owned(),
            os: std::env::consts::OS.to_owned(),
        };
        let tiles = {
            let job = Arc::clone(&job);
            self.compute.run(move || job.tiles()).await?
        };
        let tiles_total = to_count(tiles.len());
        // Cut otherwise, as by another version of this program, the tiles at hand are of other work. They go before the new
        // number is noted, so that a stop in between leaves no doubt.
        if run.tiles_total > 0 && run.tiles_total != tiles_total {
            tracing::warn!(run = %run.id.to_short(), "the tiles were cut otherwise before; all are compared again");
            for tile in self.store.tiles_done(run.id).await? {
                self.store.forget_tile(run.id, tile).await?;
            }
        }
        self.store
            .change_run(run.id, RunChange::Started { tiles_total }, &self.stamp(None))
            .await?;
        self.announce_change();
        prepare.end();

        let compare = self.begin(Phase::Compare);
        let done = self.tiles_at_hand(run.id).await?;
        let kept = self.store.candidates_stored(run.id).await?;
        let budget = CandidateBudget::new(self.limits.run.max_candidates, kept);
        let open: Vec<Tile> = tiles
            .iter()
            .filter(|tile| done.binary_search(&to_count(tile.index)).is_err())
            .cloned()
            .collect();
        // The pool compares and hands tiles over; here they are stored, and only then counted. The channel is
        // short, so that comparing waits for the disk.
        let (sender, mut receiver) =
            mpsc::channel::<(u64, Vec<CandidatePair>)>(2 * self.compute.thread_count());
        let comparing = {
            let job = Arc::clone(&job);
            self.compute.run(move || {
                let pipeline = job.pipeline()?;
                // Tiles of an earlier attempt, under a higher limit.
                let over = || EngineError::RunRefused {
                    refusals: vec![run_plan.refusal_of_found()],
                };
                if budget.is_passed() {
                    return Err(over());
                }
                // The receiver is dropped when the run is stopped: then the work breaks off.
                // Whoever stopped the storing knows why the work broke off.
                pipeline.compare(&open, &budget, &|tile, pairs| match sender
                    .blocking_send((to_count(tile.index), pairs))
                {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(_) => ControlFlow::Break(()),
                });
                if budget.is_passed() {
                    return Err(over());
                }
                Ok::<_, EngineError>(pipeline.plan().clone())
            })
        };
        // Owns the receiver: when storing ends early, the pool's next hand-over fails and it breaks off.
        let storing = async move {
            while let Some((tile, pairs)) = receiver.recv().await {
                self.store
                    .put_run_object(run.id, RunObject::Tile(tile), encode_candidates(&pairs))
                    .await?;
                let status = self
                    .store
                    .acknowledge_tile(run.id, tile, to_count(pairs.len()))
                    .await?;
                self.observer.observe(&Happening::Tile);
                self.announce_change();
                // Queued: cancelled and started again while this attempt was at work.
                let ending = if matches!(status.state, RunState::Cancelled | RunState::Queued) {
                    Some(Ending::Cancelled)
                } else {
                    stop.is_cancelled().then_some(Ending::Stopping)
                };
                if ending.is_some() {
                    return Ok::<_, EngineError>(ending);
                }
            }
            Ok(None)
        };
        let (plan, ending) = tokio::join!(comparing, storing);
        if let Some(ending) = ending? {
            return Ok(ending);
        }
        let plan = plan??;
        compare.end();
        let decide = self.begin(Phase::Decide);
        let candidates = self.candidates_of(run.id, tiles.len()).await?;
        let (made, manifest) = self.decide(run, job, (plan, candidates), host).await?;
        decide.end();
        let storing = self.begin(Phase::Store);
        self.store_result(run.id, made, manifest).await?;
        storing.end();
        Ok(Ending::Done)
    }

    /// The candidate pairs of all tiles, in their order.
    async fn candidates_of(&self, run: Digest, tile_count: usize) -> Result<Vec<CandidatePair>, EngineError> {
        let mut candidates = Vec::new();
        for tile in 0..tile_count {
            let object = RunObject::Tile(to_count(tile));
            candidates.extend(decode_candidates(self.store.read_run_object(run, object).await?)?);
        }
        Ok(candidates)
    }

    /// Makes the result of a run, and its manifest.
    async fn decide(
        &self,
        status: &RunStatus,
        job: Arc<Job>,
        (plan, candidates): (ComparePlan, Vec<CandidatePair>),
        host: ManifestHost,
    ) -> Result<(MadeResult, RunManifest), EngineError> {
        let released = self.released_before(&job.agreement, status.id).await?;
        let held_against = released.iter().map(ManifestTable::from).collect();
        let made = {
            let job = Arc::clone(&job);
            let make = move || {
                let datasets = (&job.origin, &job.destination);
                make_result(datasets, &job.agreement, plan, &candidates, released)
            };
            self.compute.run(make).await??
        };
        let manifest = RunManifest::new(
            &job.agreement,
            ManifestParts {
                run: status,
                program: PROGRAM_VERSION,
                contents: job.contents,
                held_against,
                result: made.digest(),
                links: &made.links,
                host,
            },
        );
        Ok((made, manifest))
    }

    async fn store_result(
        &self,
        run: Digest,
        made: MadeResult,
        manifest: RunManifest,
    ) -> Result<(), EngineError> {
        let result = manifest.result;
        self.store
            .put_run_object(run, RunObject::Links, made.links)
            .await?;
        self.store
            .change_run(run, RunChange::Linked, &self.stamp(None))
            .await?;
        self.announce_change();
        tracing::info!(run = %run.to_short(), links = made.link_count, "links decided");

        let flows = made.table.to_parquet();
        let report = serde_json::to_vec(&made.report).expect("every field has a JSON form");
        self.store
            .put_run_object(run, RunObject::FlowTable, flows)
            .await?;
        self.store.put_run_object(run, RunObject::Report, report).await?;
        let reconciled = RunChange::Reconciled {
            result,
            manifest: manifest.to_bytes(),
        };
        self.store.change_run(run, reconciled, &self.stamp(None)).await?;
        tracing::info!(run = %run.to_short(), result = %result.to_short(), "flow table made");
        Ok(())
    }

    /// Tiles that are noted as done and whose result is there; of others, the note is taken back.
    async fn tiles_at_hand(&self, run: Digest) -> Result<Vec<u64>, EngineError> {
        let mut at_hand = Vec::new();
        for tile in self.store.tiles_done(run).await? {
            if self.store.has_run_object(run, RunObject::Tile(tile)).await? {
                at_hand.push(tile);
            } else {
                tracing::warn!(run = %run.to_short(), tile, "the result of a tile is not there; it is compared again");
                self.store.forget_tile(run, tile).await?;
            }
        }
        Ok(at_hand)
    }

    /// The datasets of a run.
    async fn datasets_of_run(&self, run: &RunStatus) -> Result<[DatasetStatus; 2], EngineError> {
        let not_found = EngineError::NotFound { what: "dataset" };
        let origin = self.store.dataset(run.origin_dataset).await?;
        let destination = self.store.dataset(run.destination_dataset).await?;
        origin
            .zip(destination)
            .map(<[DatasetStatus; 2]>::from)
            .ok_or(not_found)
    }
}

struct Job {
    agreement: Agreement,
    /// Digests of the files.
    contents: [Digest; 2],
    origin: EncodedDataset,
    destination: EncodedDataset,
}

impl Job {
    /// The same as [`Pipeline::tiles`], without a look at the filters.
    fn tiles(&self) -> Vec<Tile> {
        let blocks = Blocks::of(&self.origin, &self.destination);
        let lens = (self.origin.records.len(), self.destination.records.len());
        tiles_of(blocks.as_ref(), &self.agreement.linkage, lens)
    }

    /// What the run will need. Time is looked at only where there is a limit on it.
    fn plan(
        &self,
        file_bytes: [u64; 2],
        limits: RunLimits,
        clock: &dyn Clock,
    ) -> Result<RunPlan, EngineError> {
        let datasets = PlannedDatasets {
            origin: &self.origin,
            destination: &self.destination,
            file_bytes,
        };
        let clock = limits.max_seconds.map(|_| clock);
        RunPlan::new(
            datasets,
            &self.agreement.linkage,
            &self.agreement.encoding,
            limits,
            clock,
        )
    }

    fn pipeline(&self) -> Result<Pipeline<'_>, EngineError> {
        Pipeline::new(
            &self.origin,
            &self.destination,
            &self.agreement.linkage,
            &self.agreement.encoding,
        )
    }
}

fn to_count(len: usize) -> u64 {
    u64::try_from(len).expect("a length fits in 64 bits")
}

fn outcome_of(worked: &Result<Ending, EngineError>) -> AttemptOutcome {
    match worked {
        Ok(Ending::Done) => AttemptOutcome::Reconciled,
        Ok(Ending::Cancelled)
        | Err(EngineError::Store(StoreError::RunState {
            from: RunState::Cancelled | RunState::Queued,
            ..
        })) => AttemptOutcome::Cancelled,
        Ok(Ending::Stopping) => AttemptOutcome::PutAside,
        Err(error) => AttemptOutcome::Failed(FailureKind::of(error)),
    }
}

/// What the offices read of a failure: what happened and what to do, nothing of the service's inside.
fn to_reason(error: &EngineError) -> String {
    if let EngineError::Link(link @ LinkError::LshNeedsBloomFilters) = error {
        return format!("{link}, under a new agreement.");
    }
    if let EngineError::Link(link @ LinkError::FieldsIndeterminate) = error {
        return format!(
            "{link}. Check with corridor inspect that both registers hold the same kind of people and with corridor rehearse \
             how they link; encode more match fields, or take a record-level profile, under a new agreement."
        );
    }
    if let EngineError::Link(link) = error {
        return format!(
            "{link}. Check with corridor inspect that both registers hold the same kind of people and with \
             corridor rehearse how they link, or agree on a fixed threshold."
        );
    }
    if let EngineError::Disclosure(disclosure) = error {
        return format!(
            "{disclosure}. Agree on fewer variables, wider groups or longer periods, under a new agreement."
        );
    }
    if let EngineError::RunRefused { refusals } = error {
        return to_text(refusals);
    }
    let reason = if matches!(error, EngineError::NoEvents) {
        "A register holds persons only, without moves: map event_date, direction and counterpart, and encode it \
         again under a new agreement."
    } else if matches!(error, EngineError::Store(store) if store.is_disk_full()) {
        "The service's disk is full. Start the run again when the operator has made room; what it has done is \
         kept."
    } else {
        "The service failed. Its operator finds the cause in the log under this run; start the run again then; \
         what it has done is kept."
    };
    reason.to_owned()
}
