//! Services that work, die, sleep and come back in any order: whatever the order, one at a time writes, and the work is done.

use corridor_core::{Digest, RunState};
use corridor_store::{Lease, RunChange, Store, StoreError};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::backend::Backend;
use crate::samples::{sealed, stamp};

const SERVICES: usize = 3;
const TILES: u64 = 4;

#[derive(Debug, Clone, Copy)]
enum Step {
    /// Takes the run as it stands, whether or not it waited for long enough: the worst a clock can do.
    Claim(usize),
    Renew(usize),
    /// The next tile, or the end.
    Work(usize),
    Release(usize),
    /// Forgets its lease, as a process that is killed.
    Die(usize),
    Cancel,
    Enqueue,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let service = 0..SERVICES;
    let step = prop_oneof![
        3 => service.clone().prop_map(Step::Claim),
        1 => service.clone().prop_map(Step::Renew),
        8 => service.clone().prop_map(Step::Work),
        1 => service.clone().prop_map(Step::Release),
        1 => service.prop_map(Step::Die),
        1 => Just(Step::Cancel),
        2 => Just(Step::Enqueue),
    ];
    proptest::collection::vec(step, 1..40)
}

/// What the world looks like from outside.
struct World {
    store: Store,
    run: Digest,
    /// Each service's lease, which it may have lost without knowing.
    leases: [Option<Lease>; SERVICES],
    /// Who the lease is really with.
    holder: Option<u64>,
    highest_token: u64,
}

impl World {
    /// A write was tried under this lease: it counts if, and only if, the lease is the newest one and was not ended.
    fn check<T>(&mut self, lease: &Lease, outcome: &Result<T, StoreError>) -> Result<(), TestCaseError> {
        let is_holder = self.holder == Some(lease.token());
        let is_lost = matches!(outcome, Err(StoreError::LeaseLost));
        prop_assert_eq!(
            is_holder,
            !is_lost,
            "token {} of {:?}",
            lease.token(),
            self.holder
        );
        Ok(())
    }

    async fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Claim(service) => {
                let worker = self.store.register_worker().await.unwrap();
                let (open, _) = self.store.open_runs().await.unwrap();
                if let Some(seen) = open.first()
                    && let Some((run, lease)) = self.store.claim_run(worker, *seen, &stamp()).await.unwrap()
                {
                    prop_assert_eq!(run.state, RunState::Queued);
                    prop_assert!(lease.token() > self.highest_token, "tokens rise");
                    self.highest_token = lease.token();
                    self.holder = Some(lease.token());
                    self.leases[service] = Some(lease);
                } else if !open.is_empty() {
                    // Given up after five deaths.
                    self.holder = None;
                }
            }
            Step::Renew(service) => {
                if let Some(lease) = self.leases[service].clone() {
                    let outcome = self.store.renew_lease(&lease).await;
                    self.check(&lease, &outcome)?;
                }
            }
            Step::Work(service) => {
                if let Some(lease) = self.leases[service].clone() {
                    self.work(&lease).await?;
                }
            }
            Step::Release(service) => {
                if let Some(lease) = self.leases[service].take() {
                    let outcome = self.store.release_lease(&lease, &stamp()).await;
                    self.check(&lease, &outcome)?;
                    if outcome.is_ok() {
                        self.holder = None;
                    }
                }
            }
            Step::Die(service) => self.leases[service] = None,
            Step::Cancel => {
                if self.store.cancel_run(self.run, &stamp()).await.is_ok() {
                    self.holder = None;
                }
            }
            Step::Enqueue => {
                let run = self.store.run(self.run).await.unwrap().unwrap();
                self.store.enqueue_run(&run, &stamp()).await.unwrap();
            }
        }
        Ok(())
    }

    /// What a holder would do next, from what it sees.
    async fn work(&mut self, lease: &Lease) -> Result<(), TestCaseError> {
        let run = self.store.run(self.run).await.unwrap().unwrap();
        let outcome = match run.state {
            RunState::Queued => {
                let tiles_total = TILES;
                self.store
                    .change_run(lease, RunChange::Started { tiles_total }, &stamp())
                    .await
            }
            RunState::Running if run.tiles_done < TILES => {
                self.store
                    .acknowledge_tile(lease, run.tiles_done, lease.token())
                    .await
            }
            RunState::Running => self.store.change_run(lease, RunChange::Linked, &stamp()).await,
            RunState::Linked => {
                let result = Digest::of(&lease.token().to_le_bytes());
                self.store
                    .change_run(
                        lease,
                        RunChange::Reconciled {
                            result,
                            manifest: b"a manifest".to_vec(),
                        },
                        &stamp(),
                    )
                    .await
            }
            RunState::Reconciled | RunState::Released | RunState::Failed | RunState::Cancelled => {
                self.store.change_run(lease, RunChange::Linked, &stamp()).await
            }
        };
        self.check(lease, &outcome)?;
        if outcome.is_ok_and(|run| run.state == RunState::Reconciled) {
            let result = self.store.run(self.run).await.unwrap().unwrap().result;
            prop_assert_eq!(result, Some(Digest::of(&lease.token().to_le_bytes())));
            self.holder = None;
        }
        Ok(())
    }

    /// What an office sees is sound after every step.
    async fn look(&self, before: u64) -> Result<u64, TestCaseError> {
        let run = self.store.run(self.run).await.unwrap().unwrap();
        prop_assert!(run.tiles_done <= run.tiles_total, "{run:?}");
        prop_assert!(run.tiles_done >= before, "progress goes back: {run:?}");
        prop_assert_eq!(run.state == RunState::Failed, !run.reason.is_empty(), "{:?}", run);
        prop_assert_eq!(run.state.has_result(), run.result.is_some(), "{:?}", run);
        Ok(run.tiles_done)
    }
}

async fn play(backend: &Backend, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let store = backend.open().await;
    let run = sealed(&store, 1).await;
    store.enqueue_run(&run, &stamp()).await.unwrap();
    let mut world = World {
        store,
        run: run.id,
        leases: [None, None, None],
        holder: None,
        highest_token: 0,
    };
    let mut tiles_done = 0;
    for step in steps {
        world.step(step).await?;
        tiles_done = world.look(tiles_done).await?;
    }
    // Whatever happened: one service that stays alive brings it to its end.
    world.step(Step::Enqueue).await?;
    for _ in 0..12 {
        if world.leases[0].as_ref().map(Lease::token) != world.holder || world.holder.is_none() {
            world.step(Step::Enqueue).await?;
            world.step(Step::Claim(0)).await?;
        }
        world.step(Step::Work(0)).await?;
    }
    let ended = world.store.run(run.id).await.unwrap().unwrap();
    prop_assert_eq!(ended.state, RunState::Reconciled, "{:?}", ended);
    world.store.close().await;
    Ok(())
}

fn play_many(backend: impl Fn() -> Backend, cases: u32) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new(config)
        .run(&steps(), |steps| runtime.block_on(play(&backend(), steps)))
        .unwrap();
}

#[test]
fn one_at_a_time_writes_whatever_the_order_on_sqlite() {
    play_many(Backend::sqlite, 24);
}

#[test]
fn one_at_a_time_writes_whatever_the_order_on_postgres() {
    play_many(Backend::postgres, 8);
}
