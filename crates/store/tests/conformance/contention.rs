//! Many at once, and a database that is in the way or away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use corridor_core::Side;
use corridor_store::{Store, StoreError};
use corridor_testkit::PASSWORD;
use sqlx::{Connection as _, Executor as _};
use tokio::task::JoinSet;

use crate::backend::Backend;
use crate::samples::{ORIGIN, agreement, declaration, frame, sealed, signature, stamp};

async fn of_many_writers_of_a_frame_one_is_acknowledged(backend: Backend) {
    let store = backend.open().await;
    let agreement = agreement(1);
    store.insert_agreement(&agreement, &stamp()).await.unwrap();
    let declared = declaration(&agreement, ORIGIN);
    let id = store
        .declare_dataset(&declared, &stamp())
        .await
        .unwrap()
        .status
        .id;
    for sequence in 0..3 {
        let mut writers = JoinSet::new();
        for _ in 0..6 {
            let store = store.clone();
            writers.spawn(async move { store.acknowledge_frames(id, vec![frame(sequence)]).await });
        }
        let outcomes = writers.join_all().await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        for error in outcomes.into_iter().filter_map(Result::err) {
            assert!(matches!(error, StoreError::FrameOutOfOrder { .. }), "{error:?}");
        }
    }
    let status = store.dataset(id).await.unwrap().unwrap();
    assert_eq!((status.acknowledged_bytes, status.next_sequence), (30, 3));
}

async fn both_signatures_and_releases_arrive_at_once(backend: Backend) {
    let store = backend.open().await;
    for seed in 1..=5 {
        let agreement = agreement(seed);
        let mut proposing = JoinSet::new();
        for _ in 0..3 {
            let (store, agreement) = (store.clone(), agreement.clone());
            proposing.spawn(async move { store.insert_agreement(&agreement, &stamp()).await });
        }
        for outcome in proposing.join_all().await {
            outcome.unwrap();
        }
        let mut signing = JoinSet::new();
        for (side, byte) in [(Side::Origin, 1), (Side::Destination, 2)] {
            let (store, digest) = (store.clone(), agreement.digest());
            signing.spawn(async move {
                store
                    .add_signature(digest, side, &signature(byte), &stamp())
                    .await
            });
        }
        for outcome in signing.join_all().await {
            outcome.unwrap();
        }
        let signed = store.agreement(agreement.digest()).await.unwrap().unwrap();
        assert!(signed.is_in_force(), "no signature was lost");
    }
}

async fn a_run_that_many_start_is_one(backend: Backend) {
    let store = backend.open().await;
    let run = sealed(&store, 1).await;
    let mut starting = JoinSet::new();
    for _ in 0..6 {
        let (store, run) = (store.clone(), run.clone());
        starting.spawn(async move { store.enqueue_run(&run, &stamp()).await });
    }
    for outcome in starting.join_all().await {
        assert_eq!(outcome.unwrap(), run);
    }
    assert_eq!(store.runs_of(run.agreement).await.unwrap().len(), 1);
}

/// A transaction waits for one that is at work on the same rows, and is then done.
async fn a_database_held_by_another_is_waited_for(backend: Backend) {
    let store = backend.open().await;
    let proposed = agreement(1);
    store.insert_agreement(&proposed, &stamp()).await.unwrap();
    let mut other = backend.connect().await;
    let begin = if backend.as_postgres().is_some() {
        "BEGIN ISOLATION LEVEL SERIALIZABLE"
    } else {
        "BEGIN IMMEDIATE"
    };
    other.execute(begin).await.unwrap();
    other
        .execute("UPDATE agreements SET created_at = 'then'")
        .await
        .unwrap();
    let is_let_go = Arc::new(AtomicBool::new(false));
    let signing = {
        let (store, is_let_go, digest) = (store.clone(), Arc::clone(&is_let_go), proposed.digest());
        async move {
            let signed = store
                .add_signature(digest, Side::Origin, &signature(1), &stamp())
                .await;
            assert!(is_let_go.load(Ordering::SeqCst), "it did not wait");
            signed
        }
    };
    let letting_go = async {
        // The other one's turn comes while the first waits in the database.
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        is_let_go.store(true, Ordering::SeqCst);
        other.execute("COMMIT").await.unwrap();
    };
    let (signed, ()) = tokio::join!(signing, letting_go);
    assert_eq!(signed.unwrap().origin_signature, Some(signature(1)));
    other.close().await.unwrap();
}

async fn one_service_at_a_time_has_a_folder_with_sqlite(backend: Backend) {
    let store = backend.open().await;
    let second = Store::open_with(&backend.options()).await;
    if backend.as_postgres().is_some() {
        second.unwrap();
        return;
    }
    assert!(matches!(second, Err(StoreError::InUse)), "{second:?}");
    store.close().await;
    backend.open().await;
}

async fn nothing_shows_the_password(backend: Backend) {
    let store = backend.open().await;
    let Some(database) = backend.as_postgres() else {
        return;
    };
    let url = database.url();
    assert!(url.contains(PASSWORD), "there is something to find");
    let wrong = url.replace(PASSWORD, "wrong-word").parse().unwrap();
    let mut options = backend.options();
    options.database = corridor_store::DatabaseOptions::Postgres { url: wrong };
    let error = Store::open_with(&options).await.unwrap_err();
    for shown in [
        format!("{store:?} {:?}", backend.options()),
        format!("{options:?} {error} {error:?}"),
    ] {
        for word in [PASSWORD, "wrong-word"] {
            assert!(!shown.contains(word), "{shown}");
        }
    }
}

/// Connections are cut again and again while the store is at work: nothing is done twice and nothing is lost.
#[tokio::test]
async fn lost_connections_are_made_again() {
    let backend = Backend::postgres();
    let store = backend.open().await;
    let is_over = AtomicBool::new(false);
    let working = async {
        for seed in 1..=30 {
            let agreement = agreement(seed);
            // Only while it is committed is it not known whether it was: the same again changes nothing.
            while store.insert_agreement(&agreement, &stamp()).await.is_err() {}
            while store
                .add_signature(agreement.digest(), Side::Origin, &signature(1), &stamp())
                .await
                .is_err()
            {}
        }
        is_over.store(true, Ordering::SeqCst);
    };
    let cutting = async {
        let mut cuts = 0;
        while !is_over.load(Ordering::SeqCst) {
            let database = backend.as_postgres().unwrap().clone();
            #[expect(
                clippy::disallowed_methods,
                reason = "nothing of this test is in a bounded pool"
            )]
            let cut = tokio::task::spawn_blocking(move || database.cut_connections());
            cut.await.unwrap();
            cuts += 1;
        }
        assert!(cuts > 1, "{cuts} cuts");
    };
    tokio::join!(working, cutting);
    let agreements = store.agreements_of(&ORIGIN.parse().unwrap()).await.unwrap();
    assert_eq!(agreements.len(), 30);
    assert!(agreements.iter().all(|signed| signed.origin_signature.is_some()));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = corridor_store::StoreOptions::in_folder(folder.path());
    options.database = corridor_store::DatabaseOptions::Postgres {
        url: "postgres://corridor:secret@localhost/none?host=/nowhere"
            .parse()
            .unwrap(),
    };
    let error = Store::open_with(&options).await.unwrap_err();
    assert!(error.is_unreachable(), "{error:?}");
}

crate::on_both!(
    of_many_writers_of_a_frame_one_is_acknowledged,
    both_signatures_and_releases_arrive_at_once,
    a_run_that_many_start_is_one,
    a_database_held_by_another_is_waited_for,
    one_service_at_a_time_has_a_folder_with_sqlite,
    nothing_shows_the_password,
);
