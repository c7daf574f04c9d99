//! The end of datasets, and what is left of them.

use std::path::Path;
use std::sync::{Arc, Mutex};

use corridor_cli::{Client, Connection, to_frames};
use corridor_core::{
    Clock, DatasetState, Digest, PurgeReason, RunState, SignedCertificate, SigningPurpose, Timestamp,
};
use corridor_engine::{Compute, Engine, EngineError, Limits, RunLimits, Store, StoreError};
use corridor_store::{RunObject, StoreOptions, parse_dataset};
use corridor_tests::sample::{self, Sample};
use corridor_tests::{Job, Terms};

use crate::at_rest::{
    agree, audit_log, caller, canaries, files, files_with, frames, linkable, object_path, run, upload,
};

/// A clock that is set.
#[derive(Debug, Clone)]
struct SetClock(Arc<Mutex<Timestamp>>);

impl SetClock {
    fn at(text: &str) -> Self {
        Self(Arc::new(Mutex::new(text.parse().unwrap())))
    }

    fn set(&self, text: &str) {
        *self.0.lock().unwrap() = text.parse().unwrap();
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

fn to_engine(store: &Store, clock: &SetClock) -> Engine {
    to_engine_keeping(store, clock, Some(365))
}

fn to_engine_keeping(store: &Store, clock: &SetClock, unreleased_days: Option<u32>) -> Engine {
    let limits = Limits {
        max_dataset_bytes: 64 << 20,
        run: RunLimits::DEFAULT,
        unreleased_days,
    };
    Engine::new(
        store.clone(),
        Compute::new(2).unwrap(),
        Arc::new(clock.clone()),
        audit_log(),
        limits,
    )
}

async fn release(engine: &Engine, sample: &Sample, run: Digest) {
    let origin = caller(sample::ORIGIN);
    let result = engine.run(&origin, run).await.unwrap().result.unwrap();
    for (office, signature) in sample.sign(SigningPurpose::Release, result.as_bytes()) {
        engine
            .release_result(&caller(office), run, &signature)
            .await
            .unwrap();
    }
}

/// The wrapped keys in a copy of the database: every run of bytes a key could be in.
fn wrapped_keys(folder: &Path) -> Vec<[u8; 12]> {
    let database = folder.join("corridor.sqlite");
    let output = std::process::Command::new("python3")
        .args(["-c", "import sqlite3,sys\nfor (w,) in sqlite3.connect(sys.argv[1]).execute('SELECT wrapped FROM data_keys'): print(w.hex())"])
        .arg(database)
        .output()
        .unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .flat_map(|line| {
            let bytes: Vec<u8> = (0..line.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&line[at..at + 2], 16).unwrap())
                .collect();
            bytes
                .windows(12)
                .map(|piece| piece.try_into().unwrap())
                .collect::<Vec<[u8; 12]>>()
        })
        .collect()
}

#[tokio::test]
async fn what_is_left_after_a_purge_cannot_be_read_with_all_keys_there_are() {
    let (folder, sample) = (tempfile::tempdir().unwrap(), linkable(1));
    let clock = SetClock::at("2026-03-01T00:00:00Z");
    let store = Store::open(folder.path()).await.unwrap();
    let engine = to_engine(&store, &clock);
    agree(&engine, &sample).await;
    let [id, other] = upload(&engine, &sample).await;
    let run = run(&engine, &sample).await;
    // A backup of the stored bytes, as a thief would have it, and of what the keys looked like.
    let stored = std::fs::read(object_path(folder.path(), id)).unwrap();
    let links = std::fs::read(folder.path().join(format!("objects/runs/{run}/links.parquet"))).unwrap();
    let all_keys = wrapped_keys(folder.path());
    assert!(
        !files_with(folder.path(), &all_keys).is_empty(),
        "the keys are there before"
    );

    let office = &caller(sample::ORIGIN);
    let certificate = engine.purge_dataset(office, id).await.unwrap();
    assert_eq!(
        engine.purge_dataset(office, id).await.unwrap(),
        certificate,
        "asked twice"
    );
    assert_eq!(
        engine.deletion_certificate(office, id).await.unwrap(),
        certificate
    );
    let said = certificate.certificate();
    assert_eq!((said.dataset, said.content), (id, sample.datasets[0].0.content));
    assert_eq!((said.reason, said.purged_at), (PurgeReason::Request, clock.now()));
    assert_eq!(said.purged_runs, [run]);
    assert_eq!(certificate.signing_key(), store.certificate_key());
    assert_eq!(
        SignedCertificate::from_file(&certificate.to_file()).unwrap(),
        certificate
    );

    // The run had no released table: nothing of it is left, and it cannot be started again.
    let run_status = engine.run(office, run).await.unwrap();
    assert_eq!((run_status.state, run_status.result), (RunState::Failed, None));
    assert!(files(&folder.path().join("objects/runs")).is_empty());
    assert!(engine.start_run(office, sample.agreement.digest()).await.is_err());
    assert_eq!(
        engine.dataset(office, id).await.unwrap().state,
        DatasetState::Purged
    );
    let again = engine
        .declare_dataset(office, &sample.datasets[0].0)
        .await
        .unwrap_err();
    assert!(matches!(again, EngineError::Store(StoreError::DatasetPurged)));
    let frame = frames(&sample.datasets[0].1).remove(0);
    assert!(engine.receive_frames(office, id, vec![frame]).await.is_err());
    assert!(engine.seal_dataset(office, id).await.is_err());

    // With everything on the disk, the master key among it: no wrapped key of what was purged is in any file, while the service
    // runs and when it has ended.
    let left = wrapped_keys(folder.path());
    let gone: Vec<[u8; 12]> = all_keys
        .into_iter()
        .filter(|piece| !left.contains(piece))
        .collect();
    assert!(gone.len() > 3 * 60, "three keys went");
    assert_eq!(files_with(folder.path(), &gone), Vec::<std::path::PathBuf>::new());
    assert!(files_with(folder.path(), &canaries(&sample.datasets[0].1)).is_empty());
    store.close().await;
    assert_eq!(files_with(folder.path(), &gone), Vec::<std::path::PathBuf>::new());

    // The stored bytes are put back from the backup: they do not open, and go.
    let copy = folder
        .path()
        .join("objects/datasets")
        .join(format!("{id}.parquet"));
    std::fs::write(&copy, &stored).unwrap();
    let of_run = folder.path().join(format!("objects/runs/{run}"));
    std::fs::create_dir_all(&of_run).unwrap();
    std::fs::write(of_run.join("links.parquet"), &links).unwrap();
    let store = Store::open_as_is(&StoreOptions::in_folder(folder.path()))
        .await
        .unwrap();
    let error = store.read_dataset(id).await.unwrap_err();
    assert!(matches!(error, StoreError::KeyDestroyed { .. }));
    let error = store.read_run_object(run, RunObject::Links).await.unwrap_err();
    assert!(matches!(error, StoreError::KeyDestroyed { .. }));
    assert_eq!(
        store.read_dataset(other).await.unwrap(),
        sample.datasets[1].1,
        "the other office's is not touched"
    );
    store.close().await;
    let store = Store::open(folder.path()).await.unwrap();
    assert!(!copy.exists() && !of_run.join("links.parquet").exists());
    store.close().await;
}

#[tokio::test]
async fn retention_ends_so_many_days_after_the_release_and_the_released_table_stays() {
    let (folder, sample) = (tempfile::tempdir().unwrap(), linkable(1));
    let clock = SetClock::at("2026-03-01T12:00:00Z");
    let store = Store::open(folder.path()).await.unwrap();
    let engine = to_engine(&store, &clock);
    agree(&engine, &sample).await;
    let ids = upload(&engine, &sample).await;
    let office = &caller(sample::ORIGIN);
    let run = run(&engine, &sample).await;
    // As long as nothing is released, the service's days after the seal count.
    let sealed_at = clock.now();
    let unreleased = Timestamp::from_second(sealed_at.as_second() + 365 * 86400).unwrap();
    let status = engine.dataset_with_deadline(office, ids[0]).await.unwrap();
    assert_eq!(status.purge_at, Some(unreleased));
    clock.set(
        &Timestamp::from_second(unreleased.as_second() - 1)
            .unwrap()
            .to_string(),
    );
    assert!(engine.purge_due().await.unwrap().is_empty(), "not yet");

    clock.set("2026-03-02T12:00:00Z");
    release(&engine, &sample, run).await;
    let days = i64::from(sample.agreement.retention_days);
    let purge_at = Timestamp::from_second(clock.now().as_second() + days * 86400).unwrap();
    let status = engine.dataset_with_deadline(office, ids[0]).await.unwrap();
    assert_eq!(status.purge_at, Some(purge_at));
    let table = engine
        .released_result(office, run, corridor_engine::ResultPart::AllRows)
        .await
        .unwrap();

    let second_before = Timestamp::from_second(purge_at.as_second() - 1).unwrap();
    clock.set(&second_before.to_string());
    assert!(engine.garbage().await.unwrap().due.is_empty());
    assert!(engine.purge_due().await.unwrap().is_empty());
    clock.set(&purge_at.to_string());
    assert_eq!(engine.garbage().await.unwrap().due.len(), 2);
    assert!(
        object_path(folder.path(), ids[0]).exists(),
        "a look removes nothing"
    );
    assert_eq!(engine.purge_due().await.unwrap().len(), 2);
    for id in ids {
        assert!(!object_path(folder.path(), id).exists());
        let certificate = store.deletion_certificate(id).await.unwrap().unwrap();
        assert_eq!(certificate.certificate().reason, PurgeReason::Retention);
    }
    assert!(engine.purge_due().await.unwrap().is_empty());
    assert_eq!(
        engine
            .released_result(office, run, corridor_engine::ResultPart::AllRows)
            .await
            .unwrap(),
        table
    );
    let error = engine.released_links(office, run).await.unwrap_err();
    assert!(
        matches!(
            error,
            EngineError::OutputNotAllowed { .. } | EngineError::Store(StoreError::KeyDestroyed { .. })
        ),
        "{error}"
    );
    store.close().await;
}

#[test]
fn a_service_that_is_killed_in_the_middle_of_an_upload_leaves_nothing_in_plain() {
    let mut job = Job::start();
    job.agree(&Terms::default());
    job.encode("tn", "project.key", "dataset.parquet").succeeded();
    let bytes = bytes::Bytes::from(std::fs::read(job.path("tn").join("dataset.parquet")).unwrap());
    let pieces = canaries(&bytes);
    let service = std::fs::read_to_string(job.path("tn").join("service.toml")).unwrap();
    let service: toml::Table = service.parse().unwrap();
    let read = |key: &str| {
        let path = service[key].as_str().unwrap();
        std::fs::read_to_string(job.path("tn").join(path)).unwrap()
    };
    let connection = Connection {
        server: service["server"].as_str().unwrap().to_owned(),
        ca: read("ca"),
        certificate: read("certificate"),
        private_key: read("private_key"),
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let acknowledged = runtime.block_on(async {
        let client = Client::connect(&connection).await.unwrap();
        let manifest = parse_dataset(bytes.clone()).unwrap().manifest;
        let declaration = corridor_core::DatasetDeclaration {
            agreement: manifest.agreement,
            office: manifest.office,
            schema: manifest.schema,
            key_check: manifest.key_check,
            record_count: manifest.record_count,
            total_bytes: bytes.len() as u64,
            content: Digest::of(&bytes),
        };
        let status = client.declare_dataset(&declaration).await.unwrap();
        let mut frames = to_frames(&status, &bytes);
        assert!(frames.len() > 1, "it is cut in the middle");
        frames.truncate(frames.len() / 2);
        client.send_frames(frames, &|_| {}).await.unwrap();
        client.dataset(status.id).await.unwrap().acknowledged_bytes
    });
    assert!(acknowledged > 0);
    let log = job.kill_server();
    assert!(files_with(&job.path("server"), &pieces).is_empty());
    let log = log.as_bytes();
    assert!(
        !pieces
            .iter()
            .any(|piece| log.windows(12).any(|window| window == piece))
    );
    job.start_server();
    job.run(
        "tn",
        &["upload", "dataset.parquet", "--agreement", "agreement.json"],
    )
    .succeeded();
    job.kill_server();
    assert!(files_with(&job.path("server"), &pieces).is_empty());
    job.start_server();

    // And purged from the command line, with a certificate that is checked without the service.
    let shown = job
        .run("tn", &["dataset", "show", &dataset_of(&job), "--json"])
        .succeeded();
    assert!(shown.stdout.contains("\"sealed\""), "{}", shown.stdout);
    let purge = ["dataset", "purge", &dataset_of(&job), "-o", "certificate.json"];
    assert_eq!(
        job.run("tn", &purge).code,
        Some(2),
        "not without being told that it is for good"
    );
    job.run("tn", &[&purge[..], &["--for-good"]].concat()).succeeded();
    job.kill_server();
    let key = std::fs::read_to_string(job.path("tn").join("certificate.json")).unwrap();
    let key: serde_json::Value = serde_json::from_str(&key).unwrap();
    let key = key["signing_key"].as_str().unwrap();
    let verify = ["dataset", "verify", "certificate.json", "--service-key", key];
    assert!(job.run("tn", &verify).succeeded().stdout.contains("sound"));
    let other = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    let verify = ["dataset", "verify", "certificate.json", "--service-key", other];
    job.run("tn", &verify).failed(3, &["another key"]);
}

/// The only dataset there is.
fn dataset_of(job: &Job) -> String {
    let stored = files(&job.path("server").join("data/objects/datasets"));
    let name = stored[0].0.file_stem().unwrap().to_str().unwrap();
    name.to_owned()
}

#[tokio::test]
async fn what_is_never_released_is_purged_too_unless_the_service_keeps_it_for_ever() {
    let (folder, sample) = (tempfile::tempdir().unwrap(), linkable(3));
    let clock = SetClock::at("2026-03-01T12:00:00Z");
    let store = Store::open(folder.path()).await.unwrap();
    let engine = to_engine(&store, &clock);
    agree(&engine, &sample).await;
    let ids = upload(&engine, &sample).await;
    run(&engine, &sample).await;
    clock.set("2027-03-01T12:00:00Z");
    for (days, count) in [(None, 0), (Some(366), 0), (Some(365), 2)] {
        let engine = to_engine_keeping(&store, &clock, days);
        assert_eq!(engine.purge_due().await.unwrap().len(), count, "{days:?}");
    }
    for id in ids {
        let certificate = store.deletion_certificate(id).await.unwrap().unwrap();
        assert_eq!(certificate.certificate().reason, PurgeReason::Retention);
    }
    let error = engine
        .start_run(&caller(sample::ORIGIN), sample.agreement.digest())
        .await;
    assert!(error.is_err(), "nothing is there to be linked: {error:?}");
    store.close().await;
}
