//! The end of datasets: on request of their office, and when the days agreed are over.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use corridor_core::audit::AuditAction;
use corridor_core::{Caller, DatasetStatus, Digest, PurgeReason, SignedCertificate, Timestamp};
use corridor_store::{Orphan, RetainedSince, StoreError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::compute::ComputeError;
use crate::engine::Engine;
use crate::error::EngineError;

/// How long before a dataset is purged the log says so.
const WARNING: Duration = Duration::from_secs(7 * 24 * 3600);

/// How often deadlines are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(60);

const SECONDS_PER_DAY: i64 = 24 * 3600;

/// When a dataset is to be purged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// The dataset.
    pub dataset: Digest,
    /// The agreement it is under.
    pub agreement: Digest,
    /// The days of retention agreed after the first release of a table over it; where none was released, the days of
    /// [`Limits::unreleased_days`](crate::Limits::unreleased_days) after its seal.
    pub purge_at: Timestamp,
}

/// What can go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Garbage {
    /// Datasets whose retention is over.
    pub due: Vec<Deadline>,
    /// Stored bytes that nothing answers for.
    pub orphans: Vec<Orphan>,
}

/// Whether the time of day went ahead by more than a day beyond the seconds that passed.
fn has_leapt(began: Timestamp, now: Timestamp, passed_s: f64) -> bool {
    let ahead = now.duration_since(began).as_secs_f64() - passed_s;
    ahead > 24.0 * 3600.0
}

impl Engine {
    /// Purges a dataset of the caller's for good; the same again gives the same certificate.
    ///
    /// # Errors
    /// When there is none of that id of the caller's, or the store fails; asked again, it goes on.
    pub async fn purge_dataset(&self, caller: &Caller, id: Digest) -> Result<SignedCertificate, EngineError> {
        self.dataset(caller, id).await?;
        self.purge(id, PurgeReason::Request, Some(caller)).await
    }

    /// The certificate that a dataset of the caller's was purged.
    ///
    /// # Errors
    /// When there is none of that id of the caller's, or it was not purged.
    pub async fn deletion_certificate(
        &self,
        caller: &Caller,
        id: Digest,
    ) -> Result<SignedCertificate, EngineError> {
        self.dataset(caller, id).await?;
        let certificate = self.store.deletion_certificate(id).await?;
        certificate.ok_or(EngineError::NotFound {
            what: "deletion certificate",
        })
    }

    /// Goes on when the caller has left.
    async fn purge(
        &self,
        id: Digest,
        reason: PurgeReason,
        caller: Option<&Caller>,
    ) -> Result<SignedCertificate, EngineError> {
        let status = self
            .store
            .dataset(id)
            .await?
            .ok_or(EngineError::NotFound { what: "dataset" })?;
        let (engine, stamp) = (self.clone(), self.stamp(caller));
        let purging = self.under_way.spawn(async move {
            let _alone = engine.lock_upload(&status.declaration).await?;
            let certificate = engine.store.certify_purge(id, reason, &stamp).await?;
            // Runs over it are over.
            engine.announce_change();
            tracing::info!(
                dataset = %id.to_short(),
                office = %status.declaration.office,
                reason = reason.as_str(),
                "dataset purged"
            );
            engine.store.remove_purged(id).await?;
            Ok(certificate)
        });
        purging
            .await
            .unwrap_or(Err(EngineError::Compute(ComputeError::Panicked)))
    }

    /// When datasets are to be purged, by dataset.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn deadlines(&self) -> Result<Vec<Deadline>, EngineError> {
        let mut days = BTreeMap::new();
        let mut deadlines = Vec::new();
        for retained in self.store.retained().await? {
            let agreement = retained.agreement;
            let (since, unreleased_days) = match retained.since {
                RetainedSince::Released(at) => (at, None),
                RetainedSince::Sealed(at) => match self.limits.unreleased_days {
                    Some(days) => (at, Some(days)),
                    None => continue,
                },
            };
            if !days.contains_key(agreement.as_bytes()) {
                let signed = self.store.agreement(agreement).await?;
                let signed = signed.ok_or(EngineError::NotFound { what: "agreement" })?;
                days.insert(*agreement.as_bytes(), signed.agreement.retention_days);
            }
            let days = unreleased_days.unwrap_or(days[agreement.as_bytes()]);
            let purge_at = since
                .as_second()
                .saturating_add(i64::from(days) * SECONDS_PER_DAY);
            deadlines.push(Deadline {
                dataset: retained.dataset,
                agreement,
                purge_at: Timestamp::from_second(purge_at).unwrap_or(Timestamp::MAX),
            });
        }
        Ok(deadlines)
    }

    /// Adds to datasets when they are to be purged.
    pub(crate) async fn with_deadlines(
        &self,
        mut datasets: Vec<DatasetStatus>,
    ) -> Result<Vec<DatasetStatus>, EngineError> {
        let deadlines = self.deadlines().await?;
        for dataset in &mut datasets {
            let deadline = deadlines.iter().find(|deadline| deadline.dataset == dataset.id);
            dataset.purge_at = deadline.map(|deadline| deadline.purge_at);
        }
        Ok(datasets)
    }

    /// Purges the datasets whose retention is over, and gives them.
    ///
    /// # Errors
    /// When the store fails, the first failure; one dataset's keeps no other from being purged.
    pub async fn purge_due(&self) -> Result<Vec<Deadline>, EngineError> {
        let now = self.clock.now();
        let mut due = self.deadlines().await?;
        due.retain(|deadline| deadline.purge_at <= now);
        let mut outcome = Ok(());
        for deadline in &due {
            let purged = self.purge(deadline.dataset, PurgeReason::Retention, None).await;
            outcome = outcome.and(purged.map(drop));
        }
        outcome.map(|()| due)
    }

    /// Keeps the retention agreed until `stop`: purges what is due, and says in the log a week before what will be. A time of day that
    /// leaps ahead of the time that passes purges nothing: what it would destroy cannot be had back.
    pub async fn keep_retention(&self, stop: &CancellationToken) {
        let mut warned = BTreeSet::new();
        let (began, passed) = (self.clock.now(), Instant::now());
        while !stop.is_cancelled() {
            if has_leapt(began, self.clock.now(), passed.elapsed().as_secs_f64()) {
                tracing::error!(
                    "the time of day leapt ahead by more than a day: nothing is purged any more; set the clock right and start the \
                     service again"
                );
                stop.cancelled().await;
                return;
            }
            if let Err(error) = self.keep_retention_once(&mut warned).await {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "retention could not be kept; trying again"
                );
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    async fn keep_retention_once(&self, warned: &mut BTreeSet<[u8; 32]>) -> Result<(), EngineError> {
        let purged = self.purge_due().await;
        // What a purge could not bring to its end, here or at another service that is gone.
        for dataset in self.store.unfinished_purges().await? {
            self.store.remove_purged(dataset).await?;
        }
        self.store.forget_destroyed_keys().await?;
        purged?;
        match self.store.scrub_if_due().await {
            Err(StoreError::NotScrubbed) => {
                tracing::debug!("somebody looks at the database for long; scrubbed next time")
            }
            scrubbed => scrubbed?,
        }
        let soon = self.clock.now().as_second() + i64::try_from(WARNING.as_secs()).expect("a week fits");
        for deadline in self.deadlines().await? {
            if deadline.purge_at.as_second() <= soon && warned.insert(*deadline.dataset.as_bytes()) {
                tracing::warn!(
                    dataset = %deadline.dataset.to_short(),
                    agreement = %deadline.agreement.to_short(),
                    purge_at = %deadline.purge_at,
                    "dataset will be purged: its retention is over then"
                );
            }
        }
        Ok(())
    }

    /// What can go now. Nothing is removed.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn garbage(&self) -> Result<Garbage, EngineError> {
        let now = self.clock.now();
        let mut due = self.deadlines().await?;
        due.retain(|deadline| deadline.purge_at <= now);
        Ok(Garbage {
            due,
            orphans: self.store.orphans().await?,
        })
    }

    /// Removes what can go, and logs it: purges each by itself, and before the rest goes, of how many objects and files it is.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn remove_garbage(&self, garbage: &Garbage) -> Result<(), EngineError> {
        for deadline in &garbage.due {
            self.purge(deadline.dataset, PurgeReason::Retention, None).await?;
        }
        if !garbage.orphans.is_empty() {
            let count = u64::try_from(garbage.orphans.len()).expect("a length fits in 64 bits");
            let stamp = self.stamp(None);
            let entry = stamp.entry(AuditAction::GarbageCollected, None);
            self.store
                .append_audit(&entry.with_count("removed", count))
                .await?;
        }
        for orphan in &garbage.orphans {
            self.store.remove_orphan(orphan).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_ahead_has_leapt_and_one_that_runs_has_not() {
        let began: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let days = |count: f64| count * 24.0 * 3600.0;
        assert!(!has_leapt(began, at("2026-06-01T00:00:00Z"), days(92.0)));
        assert!(
            !has_leapt(began, at("2026-03-01T20:00:00Z"), 60.0),
            "a time zone, at most"
        );
        assert!(has_leapt(began, at("2026-03-03T00:00:00Z"), days(0.9)));
        assert!(
            !has_leapt(began, at("2020-01-01T00:00:00Z"), 60.0),
            "back purges nothing"
        );
    }
}
