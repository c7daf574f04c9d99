use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use corridor_core::{
    Agreement, Clock, Digest, EncodedDataset, EncodingTerms, LinkageTerms, RunState, RunStatus, Stopwatch,
};
use corridor_flows::FlowTerms;
use corridor_link::{Blocks, CandidateBudget, CandidatePair, ComparePlan, LinkError, Tile};
use corridor_store::{RunChange, RunObject, StoreError};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::codec::{decode_candidates, encode_candidates, encode_links};
use crate::engine::{Engine, result_digest};
use crate::error::EngineError;
use crate::limits::{RunLimits, to_text};
use crate::observer::{AttemptOutcome, FailureKind, Happening, Phase};
use crate::pipeline::{Pipeline, tiles_of};
use crate::plan::{PlannedDatasets, RunPlan};
use crate::planning::check_files;
use crate::released::released_before;

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
                let run = self.store.change_run(run.id, RunChange::Requeued).await?;
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
                let reason = to_reason(&error);
                match self.store.change_run(id, RunChange::Failed { reason }).await {
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
        let file_bytes = self.file_bytes(run).await?;
        check_files(file_bytes, &self.limits.run)?;
        let job = Arc::new(Job {
            flows: FlowTerms::from(&agreement),
            linkage: agreement.linkage.clone(),
            encoding: agreement.encoding.clone(),
            agreement,
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
            .change_run(run.id, RunChange::Started { tiles_total })
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
        self.decide_and_reconcile(run.id, job, plan, tiles.len()).await?;
        Ok(Ending::Done)
    }

    async fn decide_and_reconcile(
        &self,
        run: Digest,
        job: Arc<Job>,
        plan: ComparePlan,
        tile_count: usize,
    ) -> Result<(), EngineError> {
        let decide = self.begin(Phase::Decide);
        let mut candidates = Vec::new();
        for tile in 0..tile_count {
            let object = RunObject::Tile(to_count(tile));
            candidates.extend(decode_candidates(self.store.read_run_object(run, object).await?)?);
        }
        let released = released_before(&self.store, &job.agreement, run).await?;
        let held_against: Vec<Digest> = released.iter().map(|released| released.result).collect();
        let outcome = self
            .compute
            .run(move || {
                let released: Vec<_> = released.into_iter().map(|released| released.table).collect();
                let (linkage, encoding) = (&job.linkage, &job.encoding);
                let pipeline = Pipeline::with_plan(&job.origin, &job.destination, linkage, encoding, plan)?;
                let links = pipeline.decide(&candidates)?;
                let link_bytes = encode_links(&links, &job.origin, &job.destination);
                let report = pipeline.report(&links, &job.flows.age_bands);
                let moves = pipeline.pair_moves(&links)?;
                let mut table = pipeline.reconcile(&links, &moves, &job.flows, &report, &released)?;
                table.held_against = held_against;
                Ok::<_, EngineError>((link_bytes, table, report, links.links.len()))
            })
            .await??;
        let (link_bytes, table, report, link_count) = outcome;
        decide.end();

        let storing = self.begin(Phase::Store);
        self.store
            .put_run_object(run, RunObject::Links, link_bytes)
            .await?;
        self.store.change_run(run, RunChange::Linked).await?;
        self.announce_change();
        tracing::info!(run = %run.to_short(), links = link_count, "links decided");

        let flows = table.to_parquet();
        let result = result_digest(&table, &report);
        let report = serde_json::to_vec(&report).expect("every field has a JSON form");
        self.store
            .put_run_object(run, RunObject::FlowTable, flows)
            .await?;
        self.store.put_run_object(run, RunObject::Report, report).await?;
        self.store
            .change_run(run, RunChange::Reconciled { result })
            .await?;
        storing.end();
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

    /// Bytes of the files of a run's datasets.
    async fn file_bytes(&self, run: &RunStatus) -> Result<[u64; 2], EngineError> {
        let mut bytes = [0; 2];
        for (id, bytes) in [run.origin_dataset, run.destination_dataset]
            .into_iter()
            .zip(&mut bytes)
        {
            let dataset = self.store.dataset(id).await?;
            let dataset = dataset.ok_or(EngineError::NotFound { what: "dataset" })?;
            *bytes = dataset.declaration.total_bytes;
        }
        Ok(bytes)
    }
}

struct Job {
    agreement: Agreement,
    linkage: LinkageTerms,
    encoding: EncodingTerms,
    flows: FlowTerms,
    origin: EncodedDataset,
    destination: EncodedDataset,
}

impl Job {
    /// The same as [`Pipeline::tiles`], without a look at the filters.
    fn tiles(&self) -> Vec<Tile> {
        let blocks = Blocks::of(&self.origin, &self.destination);
        let lens = (self.origin.records.len(), self.destination.records.len());
        tiles_of(blocks.as_ref(), &self.linkage, lens)
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
        RunPlan::new(datasets, &self.linkage, &self.encoding, limits, clock)
    }

    fn pipeline(&self) -> Result<Pipeline<'_>, EngineError> {
        Pipeline::new(&self.origin, &self.destination, &self.linkage, &self.encoding)
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
