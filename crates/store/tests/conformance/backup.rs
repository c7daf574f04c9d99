//! What is copied while the service goes on comes back whole, into either database, or not at all.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use corridor_core::audit::{AuditAction, AuditDetail, AuditEntry};
use corridor_core::{Digest, RunState, RunStatus, Side};
use corridor_store::{
    BackupManifest, NOT_IN_BACKUP, RunChange, RunObject, Store, StoreError, backup, restore,
};
use sqlx::Row as _;

use crate::backend::Backend;
use crate::samples::{ORIGIN, agreement, claim, declaration, frame, release, sealed, signature, stamp};

/// A service that has released one run, is in the middle of another, and takes an upload.
async fn busy(store: &Store) -> [RunStatus; 2] {
    let mut runs = Vec::new();
    for seed in [1, 2] {
        let run = sealed(store, seed).await;
        for id in [run.origin_dataset, run.destination_dataset] {
            let bytes = Bytes::from(id.to_string());
            store.put_dataset(id, &bytes.into()).await.unwrap();
        }
        store.enqueue_run(&run, &stamp()).await.unwrap();
        let (_, lease) = claim(store).await;
        let started = RunChange::Started { tiles_total: 2 };
        store.change_run(&lease, started, &stamp()).await.unwrap();
        let tile = RunObject::Tile(0);
        store
            .put_run_object(run.id, tile, vec![7; 3 << 20])
            .await
            .unwrap();
        store.acknowledge_tile(&lease, 0, 5).await.unwrap();
        if seed == 1 {
            store
                .change_run(&lease, RunChange::Linked, &stamp())
                .await
                .unwrap();
            let result = Digest::of(b"result");
            for (object, bytes) in [
                (RunObject::Links, "links"),
                (RunObject::FlowTable(result), "table"),
                (RunObject::Report(result), "report"),
            ] {
                let bytes = bytes.as_bytes().to_vec();
                store.put_run_object(run.id, object, bytes).await.unwrap();
            }
            store
                .change_run(
                    &lease,
                    RunChange::Reconciled {
                        result,
                        manifest: b"a manifest".to_vec(),
                    },
                    &stamp(),
                )
                .await
                .unwrap();
            for side in [Side::Origin, Side::Destination] {
                store
                    .release_run(run.id, &release(side, signature(9)), &stamp())
                    .await
                    .unwrap();
            }
        }
        runs.push(store.run(run.id).await.unwrap().unwrap());
    }
    let third = agreement(3);
    store.insert_agreement(&third, &stamp()).await.unwrap();
    let declared = declaration(&third, ORIGIN);
    let id = store
        .declare_dataset(&declared, &stamp())
        .await
        .unwrap()
        .status
        .id;
    let bytes = [1; 10];
    let staged = corridor_store::Frame {
        checksum: Digest::of(&bytes),
        ..frame(0)
    };
    let sealer = store.frame_sealer(id).await.unwrap();
    assert!(sealer.seal(frame(0), &bytes).is_none(), "another checksum");
    let sealed = sealer.seal(staged, &bytes).unwrap();
    store.stage_frames(id, vec![sealed]).await.unwrap();
    store.acknowledge_frames(id, vec![staged]).await.unwrap();
    runs.try_into().unwrap()
}

/// Everything `busy` made is in this store, and the upload can begin again.
async fn is_all_there(store: &Store, runs: &[RunStatus; 2]) {
    for run in runs {
        let found = store.run(run.id).await.unwrap().unwrap();
        assert_eq!(&found, run);
        let signed = store.agreement(run.agreement).await.unwrap().unwrap();
        assert!(signed.is_in_force());
        assert_eq!(store.datasets_of(run.agreement).await.unwrap().len(), 2);
        for id in [run.origin_dataset, run.destination_dataset] {
            assert_eq!(store.read_dataset(id).await.unwrap(), id.to_string().as_bytes());
        }
        let tile = store.read_run_object(run.id, RunObject::Tile(0)).await.unwrap();
        assert_eq!(tile, vec![7; 3 << 20]);
        assert_eq!(store.candidates_stored(run.id).await.unwrap(), 5);
    }
    let table = store
        .read_run_object(runs[0].id, RunObject::FlowTable(Digest::of(b"result")))
        .await
        .unwrap();
    assert_eq!(table, "table");
    let declared = declaration(&agreement(3), ORIGIN);
    let status = store.declare_dataset(&declared, &stamp()).await.unwrap().status;
    assert_eq!(
        status.acknowledged_bytes, 0,
        "bytes of an upload under way are not in a backup"
    );
    // The run that was under way is anybody's.
    let (taken, _) = claim(store).await;
    assert_eq!(
        (taken.id, taken.state, taken.tiles_done),
        (runs[1].id, RunState::Queued, 1)
    );
}

async fn back_up(backend: &Backend, folder: &Path) -> (PathBuf, BackupManifest) {
    let out = folder.join("backup");
    let manifest = backup(&backend.options(), &out, &stamp()).await.unwrap();
    (out, manifest)
}

async fn last_logged(store: &Store) -> AuditEntry {
    let rows = store.audit_rows(0, 1000).await.unwrap();
    AuditEntry::from_canonical_bytes(&rows.last().unwrap().entry).unwrap()
}

async fn a_backup_comes_back_whole_into_either_database(backend: Backend) {
    let store = backend.open().await;
    let runs = busy(&store).await;
    let folder = tempfile::tempdir().unwrap();
    // While the service has its store open.
    let (out, manifest) = back_up(&backend, folder.path()).await;
    assert!(manifest.keys.contains("No master key"));
    let again = backup(&backend.options(), &out, &stamp()).await.unwrap_err();
    assert!(matches!(again, StoreError::BackupExists), "{again}");
    let digest = Digest::of(&std::fs::read(out.join("manifest.json")).unwrap());
    let logged = last_logged(&store).await;
    assert_eq!(logged.action, AuditAction::BackupMade);
    assert_eq!(logged.details["backup"], AuditDetail::Digest(digest));
    store.close().await;
    for into in [Backend::sqlite(), Backend::postgres()] {
        let restored = restore(&into.options(), &out).await.unwrap();
        assert_eq!(restored, manifest);
        let store = into.open().await;
        is_all_there(&store, &runs).await;
        let size = store.audit_rows(0, 1000).await.unwrap().len();
        for _ in 0..2 {
            store.log_restore(&stamp()).await.unwrap();
            assert_eq!(store.audit_rows(0, 1000).await.unwrap().len(), size + 1, "once");
            let logged = last_logged(&store).await;
            assert_eq!(logged.action, AuditAction::StoreRestored);
            assert_eq!(logged.details["backup"], AuditDetail::Digest(digest));
        }
        store.close().await;
        // The same again is refused, and harms nothing.
        let error = restore(&into.options(), &out).await.unwrap_err();
        assert!(matches!(error, StoreError::RestoreNotEmpty { .. }), "{error}");
        let store = into.open().await;
        assert_eq!(store.run(runs[0].id).await.unwrap().unwrap(), runs[0]);
        store.close().await;
    }
}

/// Two backups of the same are the same bytes, whichever database it is in.
#[tokio::test]
async fn a_backup_does_not_tell_which_database_it_was() {
    let first = Backend::sqlite();
    let store = first.open().await;
    let folder = tempfile::tempdir().unwrap();
    busy(&store).await;
    let (out, manifest) = back_up(&first, folder.path()).await;
    let second = Backend::postgres();
    restore(&second.options(), &out).await.unwrap();
    let again = backup(&second.options(), &folder.path().join("again"), &stamp())
        .await
        .unwrap();
    assert_eq!(again, manifest);
}

/// Every file of a backup, below its folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found
}

async fn a_damaged_backup_changes_nothing(backend: Backend) {
    let store = backend.open().await;
    busy(&store).await;
    let folder = tempfile::tempdir().unwrap();
    let (out, manifest) = back_up(&backend, folder.path()).await;
    let found = files(&out);
    assert_eq!(found.len(), manifest.tables.len() + manifest.objects.len() + 2);
    let into = if backend.as_postgres().is_some() {
        Backend::postgres()
    } else {
        Backend::sqlite()
    };
    let refused = async || {
        let error = restore(&into.options(), &out).await.unwrap_err();
        assert!(matches!(error, StoreError::BackupDamaged { .. }), "{error}");
        assert!(error.to_string().contains("nothing was changed"), "{error}");
        let objects = into.options().folder.join("objects");
        assert!(!objects.exists() || files(&objects).is_empty());
    };
    for path in &found {
        let sound = std::fs::read(path).unwrap();
        let mut flipped = sound.clone();
        match flipped.last_mut() {
            Some(last) => *last ^= 1,
            None => flipped.push(0),
        }
        let mut longer = sound.clone();
        longer.push(b'\n');
        for damaged in [flipped, longer] {
            std::fs::write(path, damaged).unwrap();
            refused().await;
        }
        std::fs::remove_file(path).unwrap();
        refused().await;
        std::fs::write(path, sound).unwrap();
    }
    restore(&into.options(), &out).await.unwrap();
}

/// A restore that was killed: the service does not start on what is there, and the same again makes it whole.
async fn an_interrupted_restore_is_not_taken_for_a_service(backend: Backend) {
    let store = backend.open().await;
    let runs = busy(&store).await;
    let folder = tempfile::tempdir().unwrap();
    let (out, _) = back_up(&backend, folder.path()).await;
    let into = Backend::sqlite();
    let data = into.options().folder;
    let half = data.join("objects/datasets");
    std::fs::create_dir_all(&half).unwrap();
    std::fs::write(half.join("half.parquet"), "half").unwrap();
    std::fs::write(data.join("restoring"), Digest::of(b"of another").to_string()).unwrap();
    let error = Store::open_with(&into.options()).await.unwrap_err();
    assert!(matches!(error, StoreError::RestoreUnfinished), "{error}");
    restore(&into.options(), &out).await.unwrap();
    let store = into.open().await;
    is_all_there(&store, &runs).await;
    store.close().await;
    // Killed after the last transaction, with only the mark left: it had come to its end.
    let manifest = std::fs::read(out.join("manifest.json")).unwrap();
    std::fs::write(data.join("restoring"), Digest::of(&manifest).to_string()).unwrap();
    into.open().await.close().await;
    assert!(!data.join("restoring").exists());
}

/// A table that is added is in the backup, or it is said why not.
async fn every_table_is_in_a_backup_or_said_not_to_be(backend: Backend) {
    let store = backend.open().await;
    let folder = tempfile::tempdir().unwrap();
    let (_, manifest) = back_up(&backend, folder.path()).await;
    let statement = if backend.as_postgres().is_some() {
        "SELECT CAST(table_name AS TEXT) FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1"
    } else {
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY 1"
    };
    let mut connection = backend.connect().await;
    let rows = sqlx::query(statement).fetch_all(&mut connection).await.unwrap();
    let there: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let mut decided: Vec<&str> = manifest.tables.iter().map(|table| table.name.as_str()).collect();
    decided.extend(NOT_IN_BACKUP.iter().map(|(name, _)| name));
    decided.sort_unstable();
    assert_eq!(there, decided, "list new tables in store/src/dump.rs");
    store.close().await;
}

crate::on_both!(
    a_backup_comes_back_whole_into_either_database,
    a_damaged_backup_changes_nothing,
    an_interrupted_restore_is_not_taken_for_a_service,
    every_table_is_in_a_backup_or_said_not_to_be,
);
