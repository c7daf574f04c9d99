//! Runs that are stopped at any tile, and go on; and runs with more candidates than memory is to hold.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use corridor_core::{Assignment, Caller, Digest, RunState, RunStatus, SystemClock, ThresholdPolicy};
use corridor_engine::{CandidateMemory, Compute, Engine, Frame, Limits, RunLimits, Store};
use corridor_store::RunObject;
use corridor_tests::sample::{self, Sample, SampleFilters, SampleTerms};
use tokio_util::sync::CancellationToken;

use crate::service::audit_log;

/// An engine of so many threads on a folder, and the folder's store.
async fn open(folder: &Path, threads: usize) -> (Engine, Store) {
    open_within(folder, threads, RunLimits::DEFAULT).await
}

async fn open_within(folder: &Path, threads: usize, run: RunLimits) -> (Engine, Store) {
    let store = Store::open(folder).await.unwrap();
    let limits = Limits {
        max_dataset_bytes: 8 << 20,
        run,
        unreleased_days: None,
    };
    let engine = Engine::new(
        store.clone(),
        Compute::new(threads).unwrap(),
        Arc::new(SystemClock),
        audit_log(folder),
        limits,
    );
    (engine, store)
}

/// Agrees, uploads and queues the run.
async fn queue(engine: &Engine, sample: &Sample) -> Digest {
    let origin = Caller::office(sample::ORIGIN.parse().unwrap());
    engine
        .propose_agreement(&origin, &sample.agreement)
        .await
        .unwrap();
    for (office, signature) in sample.signatures() {
        let office = Caller::office(office.parse().unwrap());
        engine
            .sign_agreement(&office, sample.agreement.digest(), &signature)
            .await
            .unwrap();
    }
    for (declaration, bytes) in &sample.datasets {
        let caller = Caller::office(declaration.office.clone());
        let dataset = engine.declare_dataset(&caller, declaration).await.unwrap();
        let frame = Frame {
            sequence: 0,
            offset: 0,
            byte_count: u64::try_from(bytes.len()).unwrap(),
            checksum: Digest::of(bytes),
        };
        engine
            .receive_frame(&caller, dataset.id, frame, bytes)
            .await
            .unwrap();
        engine.seal_dataset(&caller, dataset.id).await.unwrap();
    }
    engine
        .start_run(&origin, sample.agreement.digest())
        .await
        .unwrap()
        .id
}

/// Works on the run until `is_enough`, and then not a moment longer: what is under way is dropped.
async fn work_until(engine: &Engine, run: Digest, is_enough: impl Fn(&RunStatus) -> bool) -> RunStatus {
    let origin = Caller::office(sample::ORIGIN.parse().unwrap());
    let stop = CancellationToken::new();
    let mut changes = engine.subscribe();
    let watching = async {
        loop {
            let status = engine.run(&origin, run).await.unwrap();
            if is_enough(&status) {
                return status;
            }
            changes.changed().await.unwrap();
        }
    };
    tokio::select! {
        status = watching => status,
        () = engine.work(&stop) => panic!("nobody stopped the work"),
    }
}

fn is_reconciled(status: &RunStatus) -> bool {
    assert_ne!(status.state, RunState::Failed, "{}", status.reason);
    status.state == RunState::Reconciled
}

/// What a run comes to: its links, flow table and report.
async fn results(store: &Store, run: Digest) -> [Bytes; 3] {
    let result = store.run(run).await.unwrap().unwrap().result.unwrap();
    let objects = [
        RunObject::Links,
        RunObject::FlowTable(result),
        RunObject::Report(result),
    ];
    let mut read = Vec::new();
    for object in objects {
        read.push(store.read_run_object(run, object).await.unwrap());
    }
    read.try_into().unwrap()
}

#[tokio::test]
async fn a_run_stopped_at_any_tile_gives_the_same_bytes_on_any_number_of_threads() {
    let sample = Sample::of(&SampleTerms {
        records: 3000,
        filters: SampleFilters::Groups(3),
        threshold: ThresholdPolicy::Fixed("0.5".parse().unwrap()),
        ..SampleTerms::default()
    });
    let whole = tempfile::tempdir().unwrap();
    let (engine, store) = open(whole.path(), 2).await;
    let run = queue(&engine, &sample).await;
    let tiles = work_until(&engine, run, is_reconciled).await.tiles_total;
    let expected = results(&store, run).await;
    assert!(tiles >= 4, "{tiles} tiles");
    assert!(expected.iter().all(|object| !object.is_empty()));

    for threads in [1, 2, 8] {
        for stop_at in 1..=tiles {
            let folder = tempfile::tempdir().unwrap();
            let (engine, store) = open(folder.path(), threads).await;
            assert_eq!(queue(&engine, &sample).await, run);
            let stopped = work_until(&engine, run, |status| status.tiles_done >= stop_at).await;
            drop(engine);
            store.close().await;
            // Another process, with other threads.
            let (engine, store) = open(folder.path(), 9 - threads).await;
            let ended = work_until(&engine, run, is_reconciled).await;
            let what = format!(
                "{threads} threads, stopped at {} of {tiles} tiles",
                stopped.tiles_done
            );
            assert!(stopped.tiles_done >= stop_at && ended.restarts == 1, "{what}");
            assert_eq!(ended.tiles_done, tiles, "{what}");
            assert!(results(&store, run).await == expected, "{what}");
        }
    }
}

#[tokio::test]
async fn candidates_that_go_to_the_disk_give_the_same_bytes() {
    for assignment in [Assignment::Greedy, Assignment::Optimal] {
        // 150,000 candidates.
        let sample = Sample::of(&SampleTerms {
            records: 3000,
            filters: SampleFilters::Groups(50),
            threshold: ThresholdPolicy::Fixed("0.5".parse().unwrap()),
            assignment,
            ..SampleTerms::default()
        });
        let mut made = Vec::new();
        for (candidates_in_memory, threads) in [
            (RunLimits::DEFAULT.candidates_in_memory, 2),
            (CandidateMemory::LEAST, 1),
            (100_000, 8),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let limits = RunLimits {
                candidates_in_memory,
                ..RunLimits::DEFAULT
            };
            let (engine, store) = open_within(folder.path(), threads, limits).await;
            let run = queue(&engine, &sample).await;
            work_until(&engine, run, is_reconciled).await;
            made.push(results(&store, run).await);
            let replayed = engine.replay_run(run).await.unwrap();
            assert!(
                replayed.is_same(),
                "{assignment:?}, {candidates_in_memory}: {replayed:?}"
            );
        }
        assert!(made.iter().all(|results| *results == made[0]), "{assignment:?}");
    }
}
