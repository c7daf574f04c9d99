//! A database, a bulk store and a master key that go with each other, and services that share them.

use std::sync::Arc;

use bytes::Bytes;
use corridor_core::Digest;
use corridor_store::{
    DatabaseOptions, EncryptionOptions, MasterKey, MasterKeyError, Store, StoreError, StoreOptions,
};

use crate::backend::Backend;
use crate::samples::{ORIGIN, agreement, declaration, sealed, stamp};

async fn the_bulk_store_of_another_database_is_left_alone(backend: Backend) {
    let store = backend.open().await;
    let run = sealed(&store, 1).await;
    let bytes = Bytes::from_static(b"a dataset");
    store
        .put_dataset(run.origin_dataset, &bytes.clone().into())
        .await
        .unwrap();
    store.close().await;
    // Opened again with a database that knows nothing: to it, all that is stored would be what nothing answers for.
    let folder = backend.options().folder;
    let kept = folder.join("kept");
    std::fs::create_dir(&kept).unwrap();
    let database = ["corridor.sqlite", "corridor.sqlite-wal", "corridor.sqlite-shm"];
    let set_aside = |from: &std::path::Path, to: &std::path::Path| {
        for name in database {
            drop(std::fs::rename(from.join(name), to.join(name)));
        }
    };
    set_aside(&folder, &kept);
    let other = Backend::postgres();
    let options = if backend.as_postgres().is_some() {
        StoreOptions {
            database: other.options().database,
            ..backend.options()
        }
    } else {
        StoreOptions {
            database: DatabaseOptions::Sqlite,
            ..backend.options()
        }
    };
    let error = Store::open_with(&options).await.unwrap_err();
    assert!(matches!(error, StoreError::OtherInstallation), "{error}");
    for name in database {
        drop(std::fs::remove_file(folder.join(name)));
    }
    set_aside(&kept, &folder);
    let store = backend.open().await;
    assert_eq!(store.read_dataset(run.origin_dataset).await.unwrap(), bytes);
    store.close().await;
}

async fn a_key_another_service_destroyed_is_not_used(backend: Backend) {
    let store = backend.open().await;
    let beside = Store::open_beside(&backend.options()).await.unwrap();
    let agreement = agreement(1);
    store.insert_agreement(&agreement, &stamp()).await.unwrap();
    let declared = declaration(&agreement, ORIGIN);
    let id = declared.to_id();
    store.declare_dataset(&declared, &stamp()).await.unwrap();
    // The other service holds the key open from now on.
    let bytes = Bytes::from_static(b"first");
    beside.put_dataset(id, &bytes.into()).await.unwrap();
    beside.read_dataset(id).await.unwrap();
    store.remove_dataset(id).await.unwrap();
    store.delete_dataset(id, "gate", &stamp()).await.unwrap();
    let error = beside.read_dataset(id).await.unwrap_err();
    assert!(matches!(error, StoreError::KeyDestroyed { .. }), "{error}");
    store.declare_dataset(&declared, &stamp()).await.unwrap();
    let bytes = Bytes::from_static(b"second");
    store.put_dataset(id, &bytes.clone().into()).await.unwrap();
    assert_eq!(beside.read_dataset(id).await.unwrap(), bytes);
    beside.forget_destroyed_keys().await.unwrap();
    assert_eq!(beside.read_dataset(id).await.unwrap(), bytes);
    beside.close().await;
    store.close().await;
}

async fn nothing_is_wrapped_under_a_master_key_that_was_changed(backend: Backend) {
    let former = backend.options();
    let master = |byte: &str| Arc::new(MasterKey::from_hex(&byte.repeat(32), "a test").unwrap());
    let new = StoreOptions {
        encryption: EncryptionOptions {
            master_key: Some(master("43")),
        },
        ..former.clone()
    };
    let store = backend.open().await;
    let run = sealed(&store, 1).await;
    let bytes = Bytes::from_static(b"a dataset");
    store
        .put_dataset(run.origin_dataset, &bytes.clone().into())
        .await
        .unwrap();
    store.close().await;
    let store = Store::open_as_is(&new).await.unwrap();
    let still_running = Store::open_beside(&former).await.unwrap();
    store.rewrap_keys(&master("42"), &stamp()).await.unwrap();
    // A service that was not told.
    let agreement = agreement(2);
    still_running
        .insert_agreement(&agreement, &stamp())
        .await
        .unwrap();
    let declared = declaration(&agreement, ORIGIN);
    let error = still_running
        .declare_dataset(&declared, &stamp())
        .await
        .unwrap_err();
    assert!(
        matches!(error, StoreError::MasterKey(MasterKeyError::Other { .. })),
        "{error}"
    );
    assert_eq!(store.dataset(declared.to_id()).await.unwrap(), None);
    assert_eq!(store.read_dataset(run.origin_dataset).await.unwrap(), bytes);
    still_running.close().await;
    store.close().await;
}

async fn another_content_under_the_same_id_is_declared_anew(backend: Backend) {
    let store = backend.open().await;
    let agreement = agreement(1);
    store.insert_agreement(&agreement, &stamp()).await.unwrap();
    let mut declared = declaration(&agreement, ORIGIN);
    let first = store.declare_dataset(&declared, &stamp()).await.unwrap();
    declared.key_check = Digest::of(b"another key");
    let second = store.declare_dataset(&declared, &stamp()).await.unwrap();
    assert_eq!(first.status.id, second.status.id, "the id is of the content");
    assert_eq!(second.status.declaration, declared);
    assert_eq!(second.replaced, None, "its staged bytes are written over");
    store.close().await;
}

crate::on_both!(
    the_bulk_store_of_another_database_is_left_alone,
    a_key_another_service_destroyed_is_not_used,
    nothing_is_wrapped_under_a_master_key_that_was_changed,
    another_content_under_the_same_id_is_declared_anew,
);
