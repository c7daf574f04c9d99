use corridor_core::audit::AuditStamp;
use corridor_core::{Digest, RunState, SeededEntropy};
use corridor_store::{FailureReason, Lease, RunChange, Store, StoreError};
use tokio::task::JoinSet;

use crate::backend::Backend;
use crate::samples::{DESTINATION, ORIGIN, agreement, claim, now, sealed, sealed_under, stamp};

async fn of_many_claims_one_is_granted(backend: Backend) {
    let store = backend.open().await;
    for seed in 1..=4 {
        let run = sealed(&store, seed).await;
        store.enqueue_run(&run, &stamp()).await.unwrap();
        let (open, _) = store.open_runs().await.unwrap();
        let seen = *open.iter().find(|open| open.id == run.id).unwrap();
        let mut claims = JoinSet::new();
        for _ in 0..6 {
            let store = store.clone();
            claims.spawn(async move {
                let worker = store.register_worker().await.unwrap();
                store.claim_run(worker, seen, &stamp()).await.unwrap()
            });
        }
        let granted: Vec<_> = claims.join_all().await.into_iter().flatten().collect();
        assert_eq!(granted.len(), 1, "claims granted");
        assert_eq!(granted[0].1.token(), 1);
    }
}

async fn an_office_with_many_runs_keeps_others_waiting_for_one(backend: Backend) {
    let store = backend.open().await;
    let mut waiting = Vec::new();
    for (seed, offices) in [
        [ORIGIN, DESTINATION],
        [ORIGIN, DESTINATION],
        [ORIGIN, DESTINATION],
        [ORIGIN, "INSEE"],
        ["INE", "INSEE"],
    ]
    .into_iter()
    .enumerate()
    {
        let mut agreement = agreement(seed as u64);
        agreement.origin_office.id = offices[0].parse().unwrap();
        agreement.destination_office.id = offices[1].parse().unwrap();
        let run = sealed_under(&store, &agreement).await;
        let queued_at = now() + jiff::SignedDuration::from_secs(seed as i64);
        let stamp = AuditStamp::new(None, queued_at, &mut SeededEntropy::new(1, "stamp"));
        store.enqueue_run(&run, &stamp).await.unwrap();
        waiting.push(run.id);
    }
    let worker = store.register_worker().await.unwrap();
    let mut served = Vec::new();
    for _ in 0..waiting.len() {
        let (open, _) = store.open_runs().await.unwrap();
        let due = *open.iter().find(|run| run.worker.is_none()).unwrap();
        store.claim_run(worker, due, &stamp()).await.unwrap().unwrap();
        served.push(waiting.iter().position(|run| *run == due.id).unwrap());
    }
    // The oldest; the pair that had no turn yet; then whose last turn is longest ago, of two alike the older.
    assert_eq!(served, [0, 4, 1, 2, 3]);
}

/// Everything a holder writes.
async fn write_all(store: &Store, lease: &Lease) -> Vec<StoreError> {
    let result = Digest::of(b"other");
    let reason = FailureReason::try_new("a reason").unwrap();
    vec![
        store
            .change_run(lease, RunChange::Started { tiles_total: 9 }, &stamp())
            .await
            .unwrap_err(),
        store.acknowledge_tile(lease, 1, 1).await.unwrap_err(),
        store.forget_tile(lease, 0).await.unwrap_err(),
        store
            .change_run(lease, RunChange::Linked, &stamp())
            .await
            .unwrap_err(),
        store
            .change_run(
                lease,
                RunChange::Reconciled {
                    result,
                    manifest: b"a manifest".to_vec(),
                },
                &stamp(),
            )
            .await
            .unwrap_err(),
        store
            .change_run(
                lease,
                RunChange::Failed {
                    reason,
                    word: "failed",
                },
                &stamp(),
            )
            .await
            .unwrap_err(),
        store.renew_lease(lease).await.unwrap_err(),
        store.release_lease(lease, &stamp()).await.unwrap_err(),
    ]
}

async fn who_lost_a_lease_cannot_write(backend: Backend) {
    let store = backend.open().await;
    let run = sealed(&store, 1).await;
    store.enqueue_run(&run, &stamp()).await.unwrap();
    let (_, dead) = claim(&store).await;
    store
        .change_run(&dead, RunChange::Started { tiles_total: 3 }, &stamp())
        .await
        .unwrap();
    store.acknowledge_tile(&dead, 0, 7).await.unwrap();
    store.renew_lease(&dead).await.unwrap();

    // Another saw it stand still, and takes it.
    let (taken, lease) = claim(&store).await;
    assert_eq!(
        (taken.state, taken.restarts, taken.tiles_done),
        (RunState::Queued, 1, 1)
    );
    assert!(lease.token() > dead.token() && lease.worker() != dead.worker());
    let before = store
        .change_run(&lease, RunChange::Started { tiles_total: 3 }, &stamp())
        .await
        .unwrap();
    for error in write_all(&store, &dead).await {
        assert!(matches!(error, StoreError::LeaseLost), "{error:?}");
    }
    assert_eq!(
        store.run(run.id).await.unwrap().unwrap(),
        before,
        "nothing changed"
    );

    // An office stops it, starts it again, and nobody has it.
    store.cancel_run(run.id, &stamp()).await.unwrap();
    for error in write_all(&store, &lease).await {
        assert!(matches!(error, StoreError::LeaseLost), "{error:?}");
    }
    store.enqueue_run(&run, &stamp()).await.unwrap();
    for error in write_all(&store, &lease).await {
        assert!(matches!(error, StoreError::LeaseLost), "{error:?}");
    }
    assert_eq!(store.tiles_done(run.id).await.unwrap(), [0]);
}

async fn a_lease_that_moved_is_not_taken(backend: Backend) {
    let store = backend.open().await;
    let run = sealed(&store, 1).await;
    store.enqueue_run(&run, &stamp()).await.unwrap();
    let (_, lease) = claim(&store).await;
    let seen = store.open_runs().await.unwrap().0[0];
    store.renew_lease(&lease).await.unwrap();
    let other = store.register_worker().await.unwrap();
    assert!(
        store.claim_run(other, seen, &stamp()).await.unwrap().is_none(),
        "it is alive"
    );
    store.renew_lease(&lease).await.unwrap();
    // Let go by its holder, it is for anybody at once.
    store.release_lease(&lease, &stamp()).await.unwrap();
    let seen = store.open_runs().await.unwrap().0[0];
    assert_eq!(seen.worker, None);
    let (_, taken) = store.claim_run(other, seen, &stamp()).await.unwrap().unwrap();
    assert_eq!(taken.token(), lease.token() + 1);
}

async fn a_run_that_kills_its_services_is_given_up(backend: Backend) {
    let store = backend.open().await;
    let run = sealed(&store, 1).await;
    store.enqueue_run(&run, &stamp()).await.unwrap();
    let mut deaths = 0;
    let failed = loop {
        let worker = store.register_worker().await.unwrap();
        let Some(seen) = store.open_runs().await.unwrap().0.first().copied() else {
            break store.run(run.id).await.unwrap().unwrap();
        };
        if let Some((_, lease)) = store.claim_run(worker, seen, &stamp()).await.unwrap() {
            deaths += 1;
            store
                .change_run(&lease, RunChange::Started { tiles_total: 9 }, &stamp())
                .await
                .unwrap();
            // With progress it would go on for ever, one tile at a time.
            if deaths <= 3 {
                store.acknowledge_tile(&lease, deaths, 1).await.unwrap();
            }
        }
    };
    assert_eq!(failed.state, RunState::Failed);
    assert_eq!(deaths, 2 + 5, "five since the last tile was stored");
    assert!(failed.reason.contains("five times") && failed.reason.contains("operator"));
    let again = store.enqueue_run(&run, &stamp()).await.unwrap();
    assert_eq!(again.state, RunState::Queued);
    claim(&store).await;
}

/// With SQLite, whoever opens the folder is the only one: what others held is free at once.
#[tokio::test]
async fn the_only_service_takes_up_the_runs_of_the_one_before_at_once() {
    let backend = Backend::sqlite();
    let store = backend.open().await;
    let run = sealed(&store, 1).await;
    store.enqueue_run(&run, &stamp()).await.unwrap();
    let (_, dead) = claim(&store).await;
    store.close().await;
    let store = backend.open().await;
    assert_eq!(store.open_runs().await.unwrap().0[0].worker, None);
    let error = store.renew_lease(&dead).await.unwrap_err();
    assert!(matches!(error, StoreError::LeaseLost), "{error}");
}

/// With PostgreSQL another service may hold it: opening the store takes nothing from it.
#[tokio::test]
async fn a_service_that_starts_leaves_the_work_of_another_alone() {
    let backend = Backend::postgres();
    let store = backend.open().await;
    let run = sealed(&store, 1).await;
    store.enqueue_run(&run, &stamp()).await.unwrap();
    let (_, lease) = claim(&store).await;
    store
        .change_run(&lease, RunChange::Started { tiles_total: 2 }, &stamp())
        .await
        .unwrap();
    let second = backend.open().await;
    assert_eq!(
        second.open_runs().await.unwrap().0[0].worker,
        Some(lease.worker())
    );
    store.acknowledge_tile(&lease, 0, 1).await.unwrap();
}

crate::on_both!(
    an_office_with_many_runs_keeps_others_waiting_for_one,
    of_many_claims_one_is_granted,
    who_lost_a_lease_cannot_write,
    a_lease_that_moved_is_not_taken,
    a_run_that_kills_its_services_is_given_up,
);
