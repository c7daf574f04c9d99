//! What is on the service's disk: nothing in plain, and nothing that can be altered without notice.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use corridor_core::audit::AuditStamp;
use corridor_core::{
    Caller, DatasetDeclaration, DatasetStatus, Digest, OsEntropy, RunState, SeededEntropy, SystemClock,
    ThresholdPolicy, Timestamp,
};
use corridor_engine::{
    AuditKey, AuditLog, Compute, EncryptionOptions, Engine, EngineError, Frame, Limits, MasterKey,
    MasterKeyError, RunLimits, Store, StoreError,
};
use corridor_store::{RunObject, StoreOptions};
use corridor_tests::sample::{self, Sample, SampleFilters, SampleTerms};
use tokio_util::sync::CancellationToken;

/// A log under a key of its own.
pub(crate) fn audit_log() -> AuditLog {
    let key = AuditKey::generate(None, &mut OsEntropy::default());
    AuditLog::new(key, OsEntropy::default())
}

/// The office of a dataset, or of that id.
pub(crate) fn caller(office: &str) -> Caller {
    Caller::office(office.parse().unwrap())
}

pub(crate) fn to_engine(store: &Store) -> Engine {
    let limits = Limits {
        max_dataset_bytes: 64 << 20,
        run: RunLimits::DEFAULT,
        unreleased_days: None,
    };
    Engine::new(
        store.clone(),
        Compute::new(2).unwrap(),
        Arc::new(SystemClock),
        audit_log(),
        limits,
    )
}

/// A sample whose run finds links.
pub(crate) fn linkable(seed: u64) -> Sample {
    Sample::of(&SampleTerms {
        records: 3000,
        filters: SampleFilters::Groups(3),
        threshold: ThresholdPolicy::Fixed("0.5".parse().unwrap()),
        seed,
        ..SampleTerms::default()
    })
}

pub(crate) async fn agree(engine: &Engine, sample: &Sample) {
    let origin = caller(sample::ORIGIN);
    engine
        .propose_agreement(&origin, &sample.agreement)
        .await
        .unwrap();
    for (office, signature) in sample.signatures() {
        engine
            .sign_agreement(&caller(office), sample.agreement.digest(), &signature)
            .await
            .unwrap();
    }
}

/// Frames of a dataset, none as long as another, so that chunks of staging and store fall apart.
pub(crate) fn frames(bytes: &Bytes) -> Vec<(Frame, Bytes)> {
    let mut frames = Vec::new();
    let mut offset = 0;
    while offset < bytes.len() {
        let len = (300_000 + 17 * frames.len()).min(bytes.len() - offset);
        let data = bytes.slice(offset..offset + len);
        let frame = Frame {
            sequence: frames.len() as u64,
            offset: offset as u64,
            byte_count: len as u64,
            checksum: Digest::of(&data),
        };
        frames.push((frame, data));
        offset += len;
    }
    frames
}

pub(crate) async fn declare(engine: &Engine, declaration: &DatasetDeclaration) -> DatasetStatus {
    let office = Caller::office(declaration.office.clone());
    engine.declare_dataset(&office, declaration).await.unwrap()
}

/// Uploads both datasets and seals them.
pub(crate) async fn upload(engine: &Engine, sample: &Sample) -> [Digest; 2] {
    let mut ids = Vec::new();
    for (declaration, bytes) in &sample.datasets {
        let office = caller(declaration.office.as_str());
        let id = declare(engine, declaration).await.id;
        let received = engine.receive_frames(&office, id, frames(bytes)).await.unwrap();
        assert!(received.refused.is_none());
        engine.seal_dataset(&office, id).await.unwrap();
        ids.push(id);
    }
    ids.try_into().unwrap()
}

/// Works until the run is reconciled.
pub(crate) async fn run(engine: &Engine, sample: &Sample) -> Digest {
    let origin = caller(sample::ORIGIN);
    let run = engine
        .start_run(&origin, sample.agreement.digest())
        .await
        .unwrap()
        .id;
    let stop = CancellationToken::new();
    let mut changes = engine.subscribe();
    let watching = async {
        loop {
            let status = engine.run(&origin, run).await.unwrap();
            assert_ne!(status.state, RunState::Failed, "{}", status.reason);
            if status.state == RunState::Reconciled {
                stop.cancel();
                return;
            }
            changes.changed().await.unwrap();
        }
    };
    tokio::join!(watching, engine.work(&stop));
    run
}

/// Every file below a folder, with what is in it.
pub(crate) fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let bytes = std::fs::read(&path).unwrap();
            found.push((path, bytes));
        }
    }
    found
}

/// Pieces of the plain bytes, one from every few hundred, that no other file has by chance.
pub(crate) fn canaries(plain: &[u8]) -> Vec<[u8; 12]> {
    let pieces = plain.chunks(211).filter_map(|chunk| chunk.get(..12));
    pieces
        .filter(|piece| piece.iter().collect::<std::collections::BTreeSet<_>>().len() > 6)
        // Digests and names of the file's metadata, which the agreement has, too.
        .filter(|piece| !piece.is_ascii())
        // Digests and names of the file's metadata, which the agreement has, too.
        .filter(|piece| !piece.is_ascii())
        .map(|piece| piece.try_into().unwrap())
        .collect()
}

/// Whether a piece is in these bytes.
pub(crate) fn holds(bytes: &[u8], pieces: &[[u8; 12]]) -> bool {
    let pieces: std::collections::HashSet<&[u8]> = pieces.iter().map(<[u8; 12]>::as_slice).collect();
    bytes.windows(12).any(|window| pieces.contains(window))
}

/// The files with a piece in them.
pub(crate) fn files_with(folder: &Path, pieces: &[[u8; 12]]) -> Vec<PathBuf> {
    let pieces: std::collections::HashSet<&[u8]> = pieces.iter().map(<[u8; 12]>::as_slice).collect();
    assert!(pieces.len() > 100, "there is something to look for");
    files(folder)
        .into_iter()
        .filter(|(_, bytes)| bytes.windows(12).any(|window| pieces.contains(window)))
        .map(|(path, _)| path)
        .collect()
}

pub(crate) fn object_path(folder: &Path, dataset: Digest) -> PathBuf {
    folder.join(format!("objects/datasets/{dataset}.parquet"))
}

#[tokio::test]
async fn nothing_is_on_the_disk_in_plain_from_the_first_frame_to_the_result() {
    let (folder, sample) = (tempfile::tempdir().unwrap(), linkable(1));
    let store = Store::open(folder.path()).await.unwrap();
    let engine = to_engine(&store);
    agree(&engine, &sample).await;
    let canaries = canaries(&sample.datasets[0].1);
    let plain = tempfile::tempdir().unwrap();
    std::fs::write(plain.path().join("plain"), &sample.datasets[0].1).unwrap();
    assert_eq!(
        files_with(plain.path(), &canaries).len(),
        1,
        "the search finds what is there"
    );

    let (declaration, bytes) = &sample.datasets[0];
    let id = declare(&engine, declaration).await.id;
    let frames = frames(bytes);
    let half = frames[..frames.len() / 2].to_vec();
    engine
        .receive_frames(&caller(declaration.office.as_str()), id, half)
        .await
        .unwrap();
    let staged = || {
        let mut files = files(&folder.path().join("staging"));
        // An empty file, by which two services wait for each other.
        files.retain(|(path, _)| path.extension().is_none_or(|extension| extension != "lock"));
        files.len()
    };
    assert_eq!(staged(), 1);
    assert!(
        files_with(folder.path(), &canaries).is_empty(),
        "in the middle of an upload"
    );
    upload(&engine, &sample).await;
    assert_eq!(staged(), 0);
    assert!(files_with(folder.path(), &canaries).is_empty(), "sealed");
    let run = run(&engine, &sample).await;
    assert!(files_with(folder.path(), &canaries).is_empty(), "after a run");
    let result = store.run(run).await.unwrap().unwrap().result.unwrap();
    for object in [
        RunObject::Tile(0),
        RunObject::Links,
        RunObject::FlowTable(result),
        RunObject::Report(result),
    ] {
        let plain = store.read_run_object(run, object).await.unwrap();
        let magic = &plain[..4];
        let stored = files(&folder.path().join("objects/runs"));
        assert!(stored.iter().all(|(_, bytes)| &bytes[..4] != magic), "{object:?}");
    }
    assert_eq!(
        store.read_dataset(id).await.unwrap(),
        *bytes,
        "and it is all there"
    );
    store.close().await;
}

#[tokio::test]
async fn a_stored_dataset_that_was_altered_swapped_cut_or_moved_does_not_open() {
    const CHUNK: usize = (256 << 10) + 40;
    let (folder, sample) = (tempfile::tempdir().unwrap(), linkable(1));
    let store = Store::open(folder.path()).await.unwrap();
    let engine = to_engine(&store);
    agree(&engine, &sample).await;
    let [origin, destination] = upload(&engine, &sample).await;
    let path = object_path(folder.path(), origin);
    let stored = std::fs::read(&path).unwrap();
    assert!(stored.len() > 8 + 3 * CHUNK, "several chunks");
    let other = std::fs::read(object_path(folder.path(), destination)).unwrap();

    let mut damaged: Vec<(&str, Vec<u8>)> = vec![
        ("a chunk less", stored[..stored.len() - CHUNK].to_vec()),
        ("cut after a chunk", stored[..8 + 2 * CHUNK].to_vec()),
        ("cut in a chunk", stored[..stored.len() - 1].to_vec()),
        ("another dataset's", other.clone()),
        ("empty", Vec::new()),
        ("a header only", stored[..8].to_vec()),
        ("a byte more", [stored.as_slice(), &[0]].concat()),
    ];
    for at in [0, 8, 8 + 24, 8 + CHUNK - 1, 8 + CHUNK, stored.len() - 1] {
        let mut altered = stored.clone();
        altered[at] ^= 1;
        damaged.push(("a bit", altered));
    }
    let mut swapped = stored.clone();
    swapped[8..8 + 2 * CHUNK].rotate_left(CHUNK);
    damaged.push(("two chunks swapped", swapped));
    let mut mixed = stored.clone();
    mixed[8..8 + CHUNK].copy_from_slice(&other[8..8 + CHUNK]);
    damaged.push(("a chunk of another dataset", mixed));
    let mut twice = stored.clone();
    twice.copy_within(8..8 + CHUNK, 8 + CHUNK);
    damaged.push(("a chunk twice", twice));
    for (what, bytes) in damaged {
        std::fs::write(&path, bytes).unwrap();
        let error = store.read_dataset(origin).await.unwrap_err();
        assert!(matches!(error, StoreError::Altered { .. }), "{what}: {error}");
    }
    std::fs::write(&path, &stored).unwrap();
    assert_eq!(store.read_dataset(origin).await.unwrap(), sample.datasets[0].1);

    // A run's objects are bound to their names.
    let run = run(&engine, &sample).await;
    let result = store.run(run).await.unwrap().unwrap().result.unwrap();
    let of_result = |name: &str| {
        folder
            .path()
            .join(format!("objects/runs/{run}/results/{result}/{name}"))
    };
    std::fs::copy(of_result("report.json"), of_result("flows.parquet")).unwrap();
    let error = store
        .read_run_object(run, RunObject::FlowTable(result))
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Altered { .. }));
    store.close().await;
}

#[tokio::test]
async fn staged_bytes_that_were_altered_end_the_upload_and_it_can_be_done_again() {
    let (folder, sample) = (tempfile::tempdir().unwrap(), Sample::new());
    let store = Store::open(folder.path()).await.unwrap();
    let engine = to_engine(&store);
    agree(&engine, &sample).await;
    let (declaration, bytes) = &sample.datasets[0];
    let id = declare(&engine, declaration).await.id;
    let staged = folder.path().join(format!("staging/{id}"));
    let all = frames(bytes);
    let damage: [fn(&mut Vec<u8>); 4] = [
        |stored| stored[400_000] ^= 1,
        |stored| stored.truncate(stored.len() - 1),
        |stored| stored.truncate(0),
        |stored| stored[..2 * 300_040].rotate_left(300_040),
    ];
    for damage in damage {
        declare(&engine, declaration).await;
        engine
            .receive_frames(&caller(declaration.office.as_str()), id, all.clone())
            .await
            .unwrap();
        let mut stored = std::fs::read(&staged).unwrap();
        damage(&mut stored);
        std::fs::write(&staged, stored).unwrap();
        let error = engine
            .seal_dataset(&caller(declaration.office.as_str()), id)
            .await
            .unwrap_err();
        assert!(
            matches!(error.cause(), EngineError::Store(StoreError::Altered { .. })),
            "{error}"
        );
        assert!(!staged.exists() && !object_path(folder.path(), id).exists());
    }
    upload(&engine, &sample).await;
    store.close().await;
}

#[tokio::test]
async fn frames_that_come_together_are_taken_up_to_the_first_that_is_not_in_order() {
    let (folder, sample) = (tempfile::tempdir().unwrap(), Sample::new());
    let store = Store::open(folder.path()).await.unwrap();
    let engine = to_engine(&store);
    agree(&engine, &sample).await;
    let (declaration, bytes) = &sample.datasets[0];
    let office = &caller(declaration.office.as_str());
    let id = declare(&engine, declaration).await.id;
    let all = frames(bytes);

    // One twice in one group, then one that was left out.
    let group = vec![all[0].clone(), all[1].clone(), all[1].clone(), all[3].clone()];
    let received = engine.receive_frames(office, id, group).await.unwrap();
    let sequences: Vec<u64> = received
        .acknowledged
        .iter()
        .map(|ack| ack.next_sequence)
        .collect();
    assert_eq!(sequences, [1, 2, 2]);
    assert!(matches!(
        received.refused,
        Some(EngineError::Store(StoreError::FrameOutOfOrder {
            expected: 2,
            got: 3,
            ..
        }))
    ));
    // Stored ones first, then one whose bytes are not those of its checksum: what stands before it is stored.
    let mut broken = all[3].clone();
    broken.1 = Bytes::from(vec![0; broken.1.len()]);
    let group = vec![all[0].clone(), all[2].clone(), broken, all[4].clone()];
    let received = engine.receive_frames(office, id, group).await.unwrap();
    assert_eq!(received.acknowledged.len(), 2);
    assert!(matches!(
        received.refused,
        Some(EngineError::FrameChecksum { sequence: 3 })
    ));
    // Other content under a number of the same group.
    let mut other = all[4].clone();
    other.1 = Bytes::from(vec![1; other.1.len()]);
    other.0.checksum = Digest::of(&other.1);
    let group = vec![all[3].clone(), all[4].clone(), other];
    let received = engine.receive_frames(office, id, group).await.unwrap();
    assert!(matches!(
        received.refused,
        Some(EngineError::Store(StoreError::FrameChanged { sequence: 4 }))
    ));
    let status = engine.dataset(office, id).await.unwrap();
    assert_eq!(
        (status.next_sequence, status.acknowledged_bytes),
        (5, all[5].0.offset)
    );
    let received = engine
        .receive_frames(office, id, all[5..].to_vec())
        .await
        .unwrap();
    assert!(received.refused.is_none());
    engine.seal_dataset(office, id).await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn another_master_key_opens_nothing_until_the_keys_are_wrapped_anew() {
    let (folder, sample) = (tempfile::tempdir().unwrap(), linkable(1));
    let keys = tempfile::tempdir().unwrap();
    let path = |name: &str| keys.path().join(name);
    for (name, seed) in [("first", 1), ("second", 2)] {
        MasterKey::write_new(&path(name), &mut SeededEntropy::new(seed, "master")).unwrap();
    }
    let with = |name: &str| StoreOptions {
        encryption: EncryptionOptions {
            master_key: Some(Arc::new(MasterKey::from_file(&path(name)).unwrap())),
        },
        ..StoreOptions::in_folder(folder.path())
    };
    let store = Store::open_with(&with("first")).await.unwrap();
    let engine = to_engine(&store);
    agree(&engine, &sample).await;
    let [id, _] = upload(&engine, &sample).await;
    let run = run(&engine, &sample).await;
    let links = store.read_run_object(run, RunObject::Links).await.unwrap();
    store.close().await;
    assert!(!folder.path().join("master.key").exists());

    let refused = Store::open_with(&with("second")).await.unwrap_err();
    assert!(matches!(
        refused,
        StoreError::MasterKey(MasterKeyError::Other { .. })
    ));
    let store = Store::open_as_is(&with("second")).await.unwrap();
    let former = MasterKey::from_file(&path("first")).unwrap();
    let stamp = AuditStamp::new(None, Timestamp::UNIX_EPOCH, &mut SeededEntropy::new(1, "stamp"));
    assert_eq!(
        store.rewrap_keys(&former, &stamp).await.unwrap(),
        4,
        "two datasets, a run and its result"
    );
    assert_eq!(store.rewrap_keys(&former, &stamp).await.unwrap(), 0, "it is done");
    store.close().await;
    let store = Store::open_with(&with("second")).await.unwrap();
    assert_eq!(store.read_dataset(id).await.unwrap(), sample.datasets[0].1);
    assert_eq!(store.read_run_object(run, RunObject::Links).await.unwrap(), links);
    store.close().await;
    assert!(Store::open_with(&with("first")).await.is_err());
}

/// A frame that was sealed before its dataset was declared anew is under a key that is gone: it is not taken, and the upload begins
/// again.
#[tokio::test]
async fn a_frame_under_the_key_of_an_earlier_declaration_is_not_taken() {
    let (folder, sample) = (tempfile::tempdir().unwrap(), linkable(6));
    let store = Store::open(folder.path()).await.unwrap();
    let engine = to_engine(&store);
    agree(&engine, &sample).await;
    let (declaration, bytes) = &sample.datasets[0];
    let office = &caller(declaration.office.as_str());
    let id = declare(&engine, declaration).await.id;
    let all = frames(bytes);
    let door = engine.open_upload(office, id).await.unwrap();
    let (frame, data) = all[0].clone();
    let sealed = door.seal(frame, data).await.unwrap();

    let other = DatasetDeclaration {
        content: Digest::of(b"another file"),
        ..declaration.clone()
    };
    declare(&engine, &other).await;
    assert_eq!(declare(&engine, declaration).await.id, id, "the same once more");
    let refused = engine.receive_sealed_frames(office, id, vec![sealed]).await;
    assert!(
        matches!(refused, Err(EngineError::Store(StoreError::DeclaredAnew))),
        "{refused:?}"
    );
    let status = engine.dataset(office, id).await.unwrap();
    assert_eq!((status.next_sequence, status.acknowledged_bytes), (0, 0));

    let received = engine.receive_frames(office, id, all).await.unwrap();
    assert!(received.refused.is_none());
    engine.seal_dataset(office, id).await.unwrap();
    store.close().await;
}
