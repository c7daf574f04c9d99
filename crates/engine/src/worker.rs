use std::ops::ControlFlow;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use corridor_core::{
    Agreement, Clock, DatasetStatus, Digest, EncodedDataset, RunState, RunStatus, Stop, Stopwatch,
};
use corridor_link::{Blocks, CandidateBudget, CandidateMemory, CandidatePair, ComparePlan, Tile};
use corridor_store::{Lease, RunChange, RunObject, StoreError, WorkerId};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::codec::{decode_candidates, encode_candidates};
use crate::engine::{Engine, PROGRAM_VERSION, run_id};
use crate::error::EngineError;
use crate::limits::RunLimits;
use crate::manifest::{ManifestHost, ManifestParts, ManifestTable, RunManifest};
use crate::observer::{AttemptOutcome, FailureKind, Happening, Phase};
use crate::pipeline::{Pipeline, tiles_of};
use crate::plan::{PlannedDatasets, RunPlan};
use crate::planning::{check_files, check_moves, file_bytes_of};
use crate::reason::to_reason;
use crate::result::{Gather, MadeResult, make_result};

/// How long the worker waits when the store failed.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// How the work on a run ended.
enum Ending {
    Done,
    /// An office cancelled it.
    Cancelled,
    /// Another service took the run, since this one seemed to be dead.
    Lost,
    /// The service is stopping; the run is for others, or is taken up again at the next start.
    Stopping,
}

impl Engine {
    /// Works on runs, one at a time, offices in turn, until `stop`, and takes note of what other services on the same database do.
    /// Where the store fails, as on a full disk, it tries again after a while: the service goes on for what needs no room.
    pub async fn work(&self, stop: &CancellationToken) {
        let working = async {
            let mut worker = None;
            while !stop.is_cancelled() {
                if let Err(error) = self.work_until_failure(&mut worker, stop).await {
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
        };
        tokio::join!(working, self.follow(stop));
    }

    /// Looks at every tick whether another service changed a run, and at the leases, until `stop`.
    async fn follow(&self, stop: &CancellationToken) {
        let mut last = None;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(self.lease_timing.tick) => {}
            }
            // Whoever works notices for himself that the store fails, and says so.
            let Ok((open, changes)) = self.store.open_runs().await else {
                continue;
            };
            let is_any_free = self
                .leases
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .observe(&open, self.lease_timing);
            if is_any_free || last.is_some_and(|last| last != changes) {
                self.announce_change();
            }
            last = Some(changes);
        }
    }

    /// Works on runs until `stop`: those that wait, and those whose service has died, with what they had stored.
    async fn work_until_failure(
        &self,
        worker: &mut Option<WorkerId>,
        stop: &CancellationToken,
    ) -> Result<(), EngineError> {
        // The same after a failure, so that it may go on at once with what it let fall.
        let worker = match *worker {
            Some(worker) => worker,
            None => *worker.insert(self.store.register_worker().await?),
        };
        let mut changes = self.subscribe();
        while !stop.is_cancelled() {
            changes.mark_unchanged();
            if let Some((run, lease)) = self.claim_next(worker).await? {
                self.announce_change();
                self.finish_run(&run, &lease, stop).await?;
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

    /// Takes the first run that is due and free.
    async fn claim_next(&self, worker: WorkerId) -> Result<Option<(RunStatus, Lease)>, EngineError> {
        loop {
            let (open, _) = self.store.open_runs().await?;
            let free = self
                .leases
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .first_free(&open, worker, self.lease_timing);
            let Some(free) = free else {
                return Ok(None);
            };
            // None: somebody else was faster, or the run was given up; there may be another.
            if let Some((run, lease)) = self.store.claim_run(worker, free, &self.stamp(None)).await? {
                if free.state != RunState::Queued || run.restarts > 0 {
                    tracing::info!(
                        run = %run.id.to_short(),
                        restarts = run.restarts,
                        tiles_done = run.tiles_done,
                        "run taken up again"
                    );
                }
                return Ok(Some((run, lease)));
            }
        }
    }

    /// Renews a lease with every tick; ends when it is lost.
    async fn keep(&self, lease: &Lease) {
        let mut missed = 0;
        while missed < self.lease_timing.ticks_to_takeover {
            tokio::time::sleep(self.lease_timing.tick).await;
            match self.store.renew_lease(lease).await {
                Ok(()) => missed = 0,
                Err(StoreError::LeaseLost) => return,
                Err(error) => {
                    tracing::warn!(
                        run = %lease.run().to_short(),
                        error = &error as &dyn std::error::Error,
                        "the lease of the run could not be renewed"
                    );
                    missed += 1;
                }
            }
        }
    }

    /// Works on one run to its end, whatever that is.
    async fn finish_run(
        &self,
        run: &RunStatus,
        lease: &Lease,
        stop: &CancellationToken,
    ) -> Result<(), EngineError> {
        let id = run.id;
        let stopwatch = Stopwatch::start(&*self.clock);
        // An error's level: spans are there whatever is logged.
        let span = tracing::error_span!("run", outcome = tracing::field::Empty);
        // The work is dropped when the lease is lost: nothing of it could be written any more.
        let worked = tokio::select! {
            worked = self.work_on(run, lease, stop).instrument(span.clone()) => worked,
            () = self.keep(lease) => Err(StoreError::LeaseLost.into()),
        };
        let worked = match worked {
            Err(EngineError::Store(StoreError::LeaseLost)) => self.why_lost(id).await,
            worked => worked,
        };
        let outcome = outcome_of(&worked);
        span.record("outcome", outcome.as_str());
        self.observer.observe(&Happening::Attempt {
            outcome,
            seconds: stopwatch.elapsed_s(),
        });
        match worked {
            Ok(Ending::Done) => tracing::info!(run = %id.to_short(), "run reconciled, waits for release"),
            Ok(Ending::Cancelled) => tracing::info!(run = %id.to_short(), "run stopped on request"),
            Ok(Ending::Lost) => {
                tracing::warn!(run = %id.to_short(), "run taken over by another service")
            }
            Ok(Ending::Stopping) => {
                match self.store.release_lease(lease, &self.stamp(None)).await {
                    Ok(_) | Err(StoreError::LeaseLost) => {}
                    Err(error) => return Err(error.into()),
                }
                tracing::info!(run = %id.to_short(), "run put aside, service is stopping");
            }
            // It will come back, and the run goes on from what is stored.
            Err(EngineError::Store(error)) if error.is_unreachable() => return Err(error.into()),
            Err(error) => {
                tracing::error!(run = %id.to_short(), error = &error as &dyn std::error::Error, "run failed");
                let failed = RunChange::Failed {
                    reason: to_reason(&error),
                    word: error.to_word(),
                };
                match self.store.change_run(lease, failed, &self.stamp(None)).await {
                    // Cancelled or taken over in the meantime: it stays so.
                    Ok(_) | Err(StoreError::LeaseLost | StoreError::RunState { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    /// A lease is lost when an office stops the run, and perhaps starts it again since, or when another service takes it.
    async fn why_lost(&self, run: Digest) -> Result<Ending, EngineError> {
        let (open, _) = self.store.open_runs().await?;
        let is_held = open.iter().any(|open| open.id == run && open.worker.is_some());
        Ok(if is_held { Ending::Lost } else { Ending::Cancelled })
    }

    async fn work_on(
        &self,
        run: &RunStatus,
        lease: &Lease,
        stop: &CancellationToken,
    ) -> Result<Ending, EngineError> {
        let prepare = self.begin(Phase::Prepare);
        let datasets = [run.origin_dataset, run.destination_dataset];
        if run.id != run_id(run.agreement, datasets) {
            return Err(EngineError::OtherVersion);
        }
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
        let released = self.tables_before(&job.agreement, run.id).await?;
        let run_plan = {
            let (job, limits, clock) = (Arc::clone(&job), self.limits.run, Arc::clone(&self.clock));
            self.compute
                .run(move |stop| {
                    check_moves(&job.agreement, (&job.origin, &job.destination), &released)?;
                    job.plan(file_bytes, limits, &*clock, stop)
                })
                .await??
        };
        run_plan.check()?;
        tracing::info!(
            run = %run.id.to_short(),
            kernel = run_plan.kernel(),
            threads = self.compute.thread_count(),
            "run planned"
        );
        let host = ManifestHost {
            kernel: run_plan.kernel().to_owned(),
            threads: to_count(self.compute.thread_count()),
            arch: std::env::consts::ARCH.to_owned(),
            os: std::env::consts::OS.to_owned(),
        };
        let tiles = {
            let job = Arc::clone(&job);
            self.compute.run(move |_| job.tiles()).await?
        };
        let tiles_total = to_count(tiles.len());
        // Cut otherwise, as by another version of this program, the tiles at hand are of other work. They go before the new
        // number is noted, so that a stop in between leaves no doubt.
        if run.tiles_total > 0 && run.tiles_total != tiles_total {
            tracing::warn!(run = %run.id.to_short(), "the tiles were cut otherwise before; all are compared again");
            for tile in self.store.tiles_done(run.id).await? {
                self.store.forget_tile(lease, tile).await?;
            }
        }
        // Before it is said how far the run is: from then on it only goes forward.
        let done = self.tiles_at_hand(lease).await?;
        self.store
            .change_run(lease, RunChange::Started { tiles_total }, &self.stamp(None))
            .await?;
        self.announce_change();
        prepare.end();

        let compare = self.begin(Phase::Compare);
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
            self.compute.run(move |stop| {
                let pipeline = job.pipeline(stop)?;
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
                self.store
                    .acknowledge_tile(lease, tile, to_count(pairs.len()))
                    .await?;
                self.observer.observe(&Happening::Tile);
                self.announce_change();
                if stop.is_cancelled() {
                    return Ok::<_, EngineError>(Some(Ending::Stopping));
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
        let (made, manifest) = self.decide((run, lease), job, (plan, tiles.len()), host).await?;
        decide.end();
        let storing = self.begin(Phase::Store);
        self.store_result(lease, made, manifest).await?;
        storing.end();
        Ok(Ending::Done)
    }

    /// Sends the candidate pairs of all tiles, then that these were all. The note of a tile that was damaged is taken back, so that it
    /// is compared again when the run is started again.
    async fn send_candidates(
        &self,
        lease: &Lease,
        tile_count: usize,
        sender: mpsc::Sender<Gathered>,
    ) -> Result<(), EngineError> {
        for tile in (0..tile_count).map(to_count) {
            match self.send_tile(lease.run(), tile, &sender).await {
                Ok(true) => {}
                // Whoever takes them knows why no more are wanted.
                Ok(false) => return Ok(()),
                Err(error) => {
                    if matches!(
                        error,
                        EngineError::StoredResult | EngineError::Store(StoreError::Altered { .. })
                    ) {
                        self.store.forget_tile(lease, tile).await?;
                    }
                    return Err(error);
                }
            }
        }
        drop(sender.send(Gathered::All).await);
        Ok(())
    }

    /// Sends the candidate pairs of a tile. Says whether more are wanted.
    async fn send_tile(
        &self,
        run: Digest,
        tile: u64,
        sender: &mpsc::Sender<Gathered>,
    ) -> Result<bool, EngineError> {
        let stored = self.store.read_run_object(run, RunObject::Tile(tile)).await?;
        for pairs in decode_candidates(stored)? {
            if sender.send(Gathered::Some(pairs?)).await.is_err() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Candidates in memory within the limits of a run, and on disk beyond.
    pub(crate) fn candidate_memory(&self) -> CandidateMemory {
        let room = Arc::new(self.store.scratch().clone());
        self.limits.run.candidate_memory(room)
    }

    /// Makes the result of a run, and its manifest.
    async fn decide(
        &self,
        (status, lease): (&RunStatus, &Lease),
        job: Arc<Job>,
        (plan, tile_count): (ComparePlan, usize),
        host: ManifestHost,
    ) -> Result<(MadeResult, RunManifest), EngineError> {
        let released = self.released_before(&job.agreement, status.id).await?;
        let held_against = released.iter().map(ManifestTable::from).collect();
        let expected = self.store.candidates_stored(status.id).await?;
        // A tile at a time is read from the store, and a megabyte of it decoded.
        let (sender, mut receiver) = mpsc::channel(2);
        let making = {
            let (job, memory) = (Arc::clone(&job), self.candidate_memory());
            self.compute.run(move |stop: &Stop| {
                let datasets = (&job.origin, &job.destination);
                let gather = Gather {
                    from: &mut |_, candidates| loop {
                        match receiver.blocking_recv() {
                            Some(Gathered::Some(pairs)) => candidates.add(pairs)?,
                            Some(Gathered::All) => return Ok(()),
                            // Whoever stopped sending knows why.
                            None => return Err(EngineError::StoredResult),
                        }
                    },
                    expected,
                };
                make_result(datasets, &job.agreement, plan, (&memory, gather), released, stop)
            })
        };
        let (made, sent) = tokio::join!(making, self.send_candidates(lease, tile_count, sender));
        sent?;
        let made = made??;
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
        lease: &Lease,
        made: MadeResult,
        manifest: RunManifest,
    ) -> Result<(), EngineError> {
        let run = lease.run();
        let result = manifest.result;
        self.store
            .put_run_object(run, RunObject::Links, made.links)
            .await?;
        self.store
            .change_run(lease, RunChange::Linked, &self.stamp(None))
            .await?;
        self.announce_change();
        tracing::info!(run = %run.to_short(), "links decided");

        let flows = made.table.to_parquet();
        let report = serde_json::to_vec(&made.report).expect("every field has a JSON form");
        self.store
            .put_run_object(run, RunObject::FlowTable(result), flows)
            .await?;
        self.store
            .put_run_object(run, RunObject::Report(result), report)
            .await?;
        let reconciled = RunChange::Reconciled {
            result,
            manifest: manifest.to_bytes(),
        };
        self.store
            .change_run(lease, reconciled, &self.stamp(None))
            .await?;
        tracing::info!(run = %run.to_short(), result = %result.to_short(), "flow table made");
        Ok(())
    }

    /// Tiles that are noted as done and whose result is there; of others, the note is taken back.
    async fn tiles_at_hand(&self, lease: &Lease) -> Result<Vec<u64>, EngineError> {
        let run = lease.run();
        let mut at_hand = Vec::new();
        for tile in self.store.tiles_done(run).await? {
            if self.store.has_run_object(run, RunObject::Tile(tile)).await? {
                at_hand.push(tile);
            } else {
                tracing::warn!(run = %run.to_short(), tile, "the result of a tile is not there; it is compared again");
                self.store.forget_tile(lease, tile).await?;
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

/// Candidate pairs on their way from the store.
enum Gathered {
    Some(Vec<CandidatePair>),
    /// There are no more.
    All,
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
        stop: &Stop,
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
            stop,
        )
    }

    fn pipeline(&self, stop: &Stop) -> Result<Pipeline<'_>, EngineError> {
        Pipeline::new(
            &self.origin,
            &self.destination,
            &self.agreement.linkage,
            &self.agreement.encoding,
            stop,
        )
    }
}

fn to_count(len: usize) -> u64 {
    u64::try_from(len).expect("a length fits in 64 bits")
}

fn outcome_of(worked: &Result<Ending, EngineError>) -> AttemptOutcome {
    match worked {
        Ok(Ending::Done) => AttemptOutcome::Reconciled,
        Ok(Ending::Cancelled) => AttemptOutcome::Cancelled,
        // Another goes on with it.
        Ok(Ending::Lost | Ending::Stopping) => AttemptOutcome::PutAside,
        Err(error) => AttemptOutcome::Failed(FailureKind::of(error)),
    }
}
