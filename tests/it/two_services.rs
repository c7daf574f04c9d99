//! Two services on one PostgreSQL database and one data folder: each run is worked on once, and one takes over from the other.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use corridor_core::audit::AuditStamp;
use corridor_core::{
    Caller, Clock as _, Digest, OsEntropy, RunState, RunStatus, SystemClock, ThresholdPolicy,
};
use corridor_engine::{Compute, Engine, Frame, LeaseTiming, Limits, RunLimits, Store};
use corridor_store::{DatabaseOptions, GateRecord, RunObject, StoreOptions};
use corridor_testkit::{PASSWORD, PostgresDatabase};
use corridor_tests::sample::{self, Sample, SampleFilters, SampleTerms};
use corridor_tests::{Job, ServerProcess, Terms};
use tokio_util::sync::CancellationToken;

use crate::service::audit_log;

/// Quick, so that a test need not wait long for a death to be noticed; slow enough for a machine that is busy.
const TIMING: LeaseTiming = LeaseTiming {
    tick: Duration::from_millis(100),
    ticks_to_takeover: 30,
};

async fn open(folder: &Path, database: Option<&PostgresDatabase>) -> (Engine, Store) {
    let mut options = StoreOptions::in_folder(folder);
    if let Some(database) = database {
        let url = database.url().parse().unwrap();
        options.database = DatabaseOptions::Postgres { url };
    }
    let store = Store::open_with(&options).await.unwrap();
    let limits = Limits {
        max_dataset_bytes: 8 << 20,
        run: RunLimits::DEFAULT,
        unreleased_days: None,
    };
    let engine = Engine::new(
        store.clone(),
        Compute::new(1).unwrap(),
        Arc::new(SystemClock),
        audit_log(folder),
        limits,
    );
    (engine.with_lease_timing(TIMING), store)
}

fn sample_of(seed: u64) -> Sample {
    Sample::of(&SampleTerms {
        records: 2500,
        filters: SampleFilters::Groups(3),
        threshold: ThresholdPolicy::Fixed("0.5".parse().unwrap()),
        seed,
        ..SampleTerms::default()
    })
}

async fn agree(engine: &Engine, sample: &Sample) {
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
}

/// Agrees, uploads and queues the run.
async fn queue(engine: &Engine, sample: &Sample) -> Digest {
    agree(engine, sample).await;
    for (declaration, bytes) in &sample.datasets {
        let office = &Caller::office(declaration.office.clone());
        let dataset = engine.declare_dataset(office, declaration).await.unwrap();
        engine
            .receive_frame(office, dataset.id, whole_frame(bytes), bytes)
            .await
            .unwrap();
        engine.seal_dataset(office, dataset.id).await.unwrap();
    }
    let origin = Caller::office(sample::ORIGIN.parse().unwrap());
    engine
        .start_run(&origin, sample.agreement.digest())
        .await
        .unwrap()
        .id
}

fn whole_frame(bytes: &Bytes) -> Frame {
    Frame {
        sequence: 0,
        offset: 0,
        byte_count: u64::try_from(bytes.len()).unwrap(),
        checksum: Digest::of(bytes),
    }
}

/// Waits, as a watcher at this service does, until the run is as asked for.
async fn watch(engine: &Engine, run: Digest, is_enough: impl Fn(&RunStatus) -> bool) -> RunStatus {
    let origin = Caller::office(sample::ORIGIN.parse().unwrap());
    let mut changes = engine.subscribe();
    loop {
        changes.mark_unchanged();
        let status = engine.run(&origin, run).await.unwrap();
        assert!(status.tiles_done <= status.tiles_total, "{status:?}");
        if is_enough(&status) {
            return status;
        }
        assert_ne!(status.state, RunState::Failed, "{}", status.reason);
        changes.changed().await.unwrap();
    }
}

fn is_reconciled(status: &RunStatus) -> bool {
    status.state == RunState::Reconciled
}

async fn results(store: &Store, run: Digest) -> Vec<Bytes> {
    let result = store.run(run).await.unwrap().unwrap().result.unwrap();
    let mut read = Vec::new();
    for object in [
        RunObject::Links,
        RunObject::FlowTable(result),
        RunObject::Report(result),
    ] {
        read.push(store.read_run_object(run, object).await.unwrap());
    }
    read
}

/// What a service that nobody disturbed makes of a sample.
async fn undisturbed(sample: &Sample) -> Vec<Bytes> {
    let folder = tempfile::tempdir().unwrap();
    let (engine, store) = open(folder.path(), None).await;
    let run = queue(&engine, sample).await;
    let stop = CancellationToken::new();
    tokio::select! {
        _ = watch(&engine, run, is_reconciled) => {}
        () = engine.work(&stop) => panic!("nobody stopped the work"),
    }
    results(&store, run).await
}

#[tokio::test]
async fn each_run_is_worked_on_once_and_every_service_sees_how_far_it_is() {
    let (folder, database) = (tempfile::tempdir().unwrap(), PostgresDatabase::create());
    let (first, store) = open(folder.path(), Some(&database)).await;
    let (second, _) = open(folder.path(), Some(&database)).await;
    let samples = [sample_of(1), sample_of(2), sample_of(3)];
    let mut runs = Vec::new();
    for sample in &samples {
        // What the one takes the other knows.
        runs.push(queue(&first, sample).await);
    }
    let stop = CancellationToken::new();
    let watching = async {
        for run in &runs {
            for engine in [&first, &second] {
                let ended = watch(engine, *run, is_reconciled).await;
                assert_eq!((ended.restarts, ended.tiles_done), (0, ended.tiles_total));
            }
        }
        stop.cancel();
    };
    tokio::join!(watching, first.work(&stop), second.work(&stop));
    assert_eq!(
        database.run_sql("SELECT min(token), max(token) FROM leases"),
        "1|1"
    );
    let workers = database.run_sql("SELECT workers FROM service");
    assert_eq!(workers, "2", "both were at work");
    assert_eq!(results(&store, runs[0]).await, undisturbed(&samples[0]).await);
}

#[tokio::test]
async fn a_service_takes_over_from_a_dead_one_and_the_bytes_are_the_same() {
    let (folder, database) = (tempfile::tempdir().unwrap(), PostgresDatabase::create());
    let sample = sample_of(4);
    let (dying, _) = open(folder.path(), Some(&database)).await;
    let run = queue(&dying, &sample).await;
    let stop = CancellationToken::new();
    // Dropped in the middle: nothing is released.
    let left = tokio::select! {
        left = watch(&dying, run, |run| run.state == RunState::Running && run.tiles_done > 0) => left,
        () = dying.work(&stop) => panic!("nobody stopped the work"),
    };
    assert!(left.tiles_done < left.tiles_total, "{left:?}");
    let (living, store) = open(folder.path(), Some(&database)).await;
    let ended = tokio::select! {
        ended = watch(&living, run, is_reconciled) => ended,
        () = living.work(&stop) => panic!("nobody stopped the work"),
    };
    assert_eq!(ended.restarts, 1);
    assert_eq!(database.run_sql("SELECT token FROM leases"), "2");
    assert_eq!(results(&store, run).await, undisturbed(&sample).await);
}

#[tokio::test]
async fn a_run_stopped_at_one_service_stops_at_the_other() {
    let (folder, database) = (tempfile::tempdir().unwrap(), PostgresDatabase::create());
    let (working, _) = open(folder.path(), Some(&database)).await;
    let (other, _) = open(folder.path(), Some(&database)).await;
    let sample = sample_of(5);
    let run = queue(&other, &sample).await;
    let origin = Caller::office(sample::ORIGIN.parse().unwrap());
    let stop = CancellationToken::new();
    let offices = async {
        watch(&working, run, |run| run.state == RunState::Running).await;
        other.cancel_run(&origin, run).await.unwrap();
        let ended = watch(&working, run, |run| run.state != RunState::Running).await;
        assert_eq!(ended.state, RunState::Cancelled);
        // Its worker is free: it takes the run up when it is started again, where it was.
        other.start_run(&origin, sample.agreement.digest()).await.unwrap();
        let ended = watch(&working, run, is_reconciled).await;
        assert_eq!(ended.tiles_done, ended.tiles_total);
        stop.cancel();
    };
    tokio::join!(offices, working.work(&stop));
}

#[tokio::test]
async fn frames_of_one_upload_may_go_to_both_services_at_once() {
    let (folder, database) = (tempfile::tempdir().unwrap(), PostgresDatabase::create());
    let (first, store) = open(folder.path(), Some(&database)).await;
    let (second, _) = open(folder.path(), Some(&database)).await;
    let sample = sample_of(6);
    agree(&first, &sample).await;
    let (declaration, bytes) = &sample.datasets[0];
    let office = &Caller::office(declaration.office.clone());
    let id = first.declare_dataset(office, declaration).await.unwrap().id;
    let size = bytes.len().div_ceil(12);
    // Each sends all of them, in order; whoever is behind is told so, and goes on behind what is acknowledged.
    let send = async |engine: &Engine| {
        loop {
            let at = engine.dataset(office, id).await.unwrap();
            let start = usize::try_from(at.acknowledged_bytes).unwrap();
            if start == bytes.len() {
                return;
            }
            let data = bytes.slice(start..(start + size).min(bytes.len()));
            let frame = Frame {
                sequence: at.next_sequence,
                offset: at.acknowledged_bytes,
                ..whole_frame(&data)
            };
            drop(engine.receive_frame(office, id, frame, &data).await);
        }
    };
    tokio::join!(send(&first), send(&second));
    let (one, other) = tokio::join!(first.seal_dataset(office, id), second.seal_dataset(office, id));
    assert_eq!(one.unwrap(), other.unwrap());
    assert_eq!(store.read_dataset(id).await.unwrap(), bytes);
}

/// Between the file of a dataset and the note that it is sealed another service starts, and tidies up.
#[tokio::test]
async fn a_service_that_starts_leaves_the_files_of_another_alone() {
    let (folder, database) = (tempfile::tempdir().unwrap(), PostgresDatabase::create());
    let (engine, store) = open(folder.path(), Some(&database)).await;
    let sample = sample_of(7);
    agree(&engine, &sample).await;
    let (declaration, bytes) = &sample.datasets[0];
    let office = &Caller::office(declaration.office.clone());
    let id = engine.declare_dataset(office, declaration).await.unwrap().id;
    engine
        .receive_frame(office, id, whole_frame(bytes), bytes)
        .await
        .unwrap();
    store.put_dataset(id, &bytes.clone().into()).await.unwrap();
    open(folder.path(), Some(&database)).await;
    let record = GateRecord {
        report: b"{}".to_vec(),
        column_profile: Vec::new(),
    };
    let stamp = AuditStamp::new(Some(office), SystemClock.now(), &mut OsEntropy::default());
    store.seal_dataset(id, &record, None, &stamp).await.unwrap();
    assert_eq!(store.read_dataset(id).await.unwrap(), bytes);
}

/// As people would: one of two processes is killed at work, the other brings the run to the same end.
#[test]
fn a_killed_process_is_replaced_by_the_other() {
    let database = PostgresDatabase::create();
    let mut job = Job::start();
    let terms = Terms::default();
    let agreement = job.agree(&terms);
    for office in ["tn", "it"] {
        job.encode(office, "project.key", "dataset.parquet").succeeded();
        job.upload(office, "dataset.parquet").succeeded();
    }
    let ended = |job: &Job, run: &str| -> serde_json::Value {
        let watched = job.run("it", &["run", "watch", run, "--json"]).succeeded();
        serde_json::from_str(&watched.stdout).unwrap()
    };
    let run = job
        .run("tn", &["run", "start", &agreement])
        .succeeded()
        .line()
        .to_owned();
    let expected = ended(&job, &run);
    assert_eq!(expected["state"], "reconciled");
    job.kill_server();

    // The same again, at two services that share a database.
    let server = job.path("server");
    let settings = std::fs::read_to_string(server.join("server.toml")).unwrap();
    let shared = settings.replace("\"data\"", "\"shared\"") + "\n[database]\nurl_file = \"database.url\"\n";
    std::fs::write(server.join("shared.toml"), shared).unwrap();
    corridor_tests::write_private(&server.join("database.url"), &database.url()).unwrap();
    job.start_server_with("shared.toml");
    assert_eq!(job.agree(&terms), agreement);
    for office in ["tn", "it"] {
        job.upload(office, "dataset.parquet").succeeded();
    }
    let again = job.run("tn", &["run", "start", &agreement]).succeeded();
    assert_eq!(again.line(), run);
    while database.run_sql("SELECT state FROM runs") == "queued" {}
    let second = ServerProcess::start(&server, "shared.toml");
    let first = job.use_server(second).unwrap();
    let first_log = first.kill();
    let status = ended(&job, &run);
    assert_eq!(status["state"], "reconciled", "{status}");
    assert_eq!(status["restarts"], 1, "{status}");
    assert_eq!(status["result"], expected["result"]);
    assert!(
        expected["result"]
            .as_str()
            .is_some_and(|result| result.len() == 64)
    );
    let (second_log, code) = job.terminate_server();
    assert_eq!(code, Some(0));
    assert!(second_log.contains("run taken up again"), "{second_log}");
    for log in [first_log, second_log] {
        assert!(!log.contains(PASSWORD), "a password is in the log");
    }
}
