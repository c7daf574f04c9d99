use corridor_core::{Digest, RunState, Side};
use corridor_store::{FailureReason, RunChange, StoreError};

use crate::backend::Backend;
use crate::samples::{claim, release, sealed, signature, stamp};

async fn a_run_goes_through_its_states(backend: Backend) {
    let store = backend.open().await;
    let run = sealed(&store, 1).await;
    assert!(store.run(run.id).await.unwrap().is_none());
    assert_eq!(store.enqueue_run(&run, &stamp()).await.unwrap(), run);
    let (claimed, lease) = claim(&store).await;
    assert_eq!(claimed, run);
    let started = store
        .change_run(&lease, RunChange::Started { tiles_total: 3 }, &stamp())
        .await
        .unwrap();
    assert_eq!((started.state, started.tiles_total), (RunState::Running, 3));
    for tile in [2, 0, 2, 1] {
        store.acknowledge_tile(&lease, tile, 5).await.unwrap();
    }
    assert_eq!(store.tiles_done(run.id).await.unwrap(), [0, 1, 2]);
    assert_eq!(store.candidates_stored(run.id).await.unwrap(), 15);
    store.forget_tile(&lease, 1).await.unwrap();
    assert_eq!(store.tiles_done(run.id).await.unwrap(), [0, 2]);
    store
        .change_run(&lease, RunChange::Linked, &stamp())
        .await
        .unwrap();
    let result = Digest::of(b"result");
    let ended = store
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
    assert_eq!((ended.state, ended.result), (RunState::Reconciled, Some(result)));
    assert!(store.open_runs().await.unwrap().0.is_empty());
    for (side, state) in [
        (Side::Origin, RunState::Reconciled),
        (Side::Destination, RunState::Released),
    ] {
        for _ in 0..2 {
            let released = store
                .release_run(run.id, &release(side, signature(3)), &stamp())
                .await
                .unwrap();
            assert_eq!(released.state, state);
        }
    }
    let error = store.cancel_run(run.id, &stamp()).await.unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::RunState {
                from: RunState::Released,
                to: RunState::Cancelled
            }
        ),
        "{error}"
    );
}

async fn a_run_without_its_datasets_is_refused(backend: Backend) {
    let store = backend.open().await;
    let mut run = sealed(&store, 1).await;
    run.origin_dataset = Digest::of(b"none");
    let error = store.enqueue_run(&run, &stamp()).await.unwrap_err();
    assert!(
        matches!(error, StoreError::NotFound { what: "dataset" }),
        "{error}"
    );
    let error = store.cancel_run(run.id, &stamp()).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound { what: "run" }), "{error}");
}

/// "Progress past 100 % after a retry": another version of the program cut the work otherwise.
async fn no_retry_has_more_done_than_there_is(backend: Backend) {
    let store = backend.open().await;
    let run = sealed(&store, 1).await;
    store.enqueue_run(&run, &stamp()).await.unwrap();
    let (_, lease) = claim(&store).await;
    let start = |tiles_total| RunChange::Started { tiles_total };
    store.change_run(&lease, start(9), &stamp()).await.unwrap();
    let mut last = 0;
    for tile in [8, 3, 0, 8, 5] {
        let status = store.acknowledge_tile(&lease, tile, 1).await.unwrap();
        assert!((last..=9).contains(&status.tiles_done), "{status:?}");
        last = status.tiles_done;
    }
    store.release_lease(&lease, &stamp()).await.unwrap();
    let (queued, lease) = claim(&store).await;
    let expected = (RunState::Queued, 4, 1);
    assert_eq!((queued.state, queued.tiles_done, queued.restarts), expected);
    let started = store.change_run(&lease, start(4), &stamp()).await.unwrap();
    assert_eq!(
        (started.tiles_done, started.tiles_total),
        (2, 4),
        "tiles 0 and 3 are left"
    );
    let error = store.acknowledge_tile(&lease, 4, 1).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound { what: "tile" }), "{error}");
    for tile in [0, 1, 2, 3, 0] {
        let status = store.acknowledge_tile(&lease, tile, 1).await.unwrap();
        assert!(status.tiles_done <= status.tiles_total, "{status:?}");
    }
    assert_eq!(store.run(run.id).await.unwrap().unwrap().tiles_done, 4);
}

/// "Failed runs with no reason".
async fn a_run_fails_with_a_reason_and_goes_on_without(backend: Backend) {
    let store = backend.open().await;
    assert_eq!(FailureReason::try_new(" \n"), None);
    let run = sealed(&store, 1).await;
    store.enqueue_run(&run, &stamp()).await.unwrap();
    let (_, lease) = claim(&store).await;
    let reason = FailureReason::try_new("The disk is full. Make room.").unwrap();
    let change = RunChange::Failed {
        reason,
        word: "failed",
    };
    let failed = store.change_run(&lease, change, &stamp()).await.unwrap();
    assert_eq!(failed.state, RunState::Failed);
    assert_eq!(failed.reason, "The disk is full. Make room.");
    let error = store.renew_lease(&lease).await.unwrap_err();
    assert!(
        matches!(error, StoreError::LeaseLost),
        "its lease ended with it: {error}"
    );
    let again = store.enqueue_run(&run, &stamp()).await.unwrap();
    assert_eq!((again.state, again.reason.as_str()), (RunState::Queued, ""));
}

/// Every change of a run is one another service notices.
async fn every_change_of_a_run_moves_the_number_of_changes(backend: Backend) {
    let store = backend.open().await;
    let run = sealed(&store, 1).await;
    let mut last = store.open_runs().await.unwrap().1;
    macro_rules! moves {
        ($change:expr) => {
            $change.await.unwrap();
            let now = store.open_runs().await.unwrap().1;
            assert!(now > last, "{}", stringify!($change));
            last = now;
        };
    }
    let started = RunChange::Started { tiles_total: 2 };
    moves!(store.enqueue_run(&run, &stamp()));
    moves!(store.cancel_run(run.id, &stamp()));
    moves!(store.enqueue_run(&run, &stamp()));
    let (_, lease) = claim(&store).await;
    moves!(store.change_run(&lease, started.clone(), &stamp()));
    moves!(store.acknowledge_tile(&lease, 0, 1));
    moves!(store.forget_tile(&lease, 0));
    moves!(store.release_lease(&lease, &stamp()));
    let (_, lease) = claim(&store).await;
    moves!(store.change_run(&lease, started, &stamp()));
    moves!(store.change_run(&lease, RunChange::Linked, &stamp()));
    let result = Digest::of(b"result");
    moves!(store.change_run(
        &lease,
        RunChange::Reconciled {
            result,
            manifest: b"a manifest".to_vec()
        },
        &stamp()
    ));
    moves!(store.release_run(run.id, &release(Side::Origin, signature(1)), &stamp()));
    assert!(last > 0);
}

crate::on_both!(
    a_run_goes_through_its_states,
    a_run_without_its_datasets_is_refused,
    no_retry_has_more_done_than_there_is,
    a_run_fails_with_a_reason_and_goes_on_without,
    every_change_of_a_run_moves_the_number_of_changes,
);
