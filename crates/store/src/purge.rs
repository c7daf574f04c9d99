//! The end of a dataset: its key is destroyed in the transaction that notes and certifies it; bytes go after that.

use std::collections::{BTreeSet, HashMap};

use corridor_core::audit::{AuditAction, AuditStamp};
use corridor_core::{
    CertifiedPurge, DatasetState, DeletionCertificate, Digest, PublicKey, PurgeReason, RunState, Signature,
    SignedCertificate,
};
use jiff::Timestamp;
use sqlx::{AnyConnection, FromRow};

use crate::audit::append;
use crate::data_keys::{KeyPurpose, destroy_key, find_key};
use crate::database::{InTransaction as _, TxResult};
use crate::datasets::{select_dataset, to_entry};
use crate::leases::end_lease;
use crate::{Store, StoreError, gate};

/// Why a run that was not released cannot go on.
const RUN_REASON: &str =
    "A dataset of the run was purged, and with it what the run had stored. Upload under a new agreement.";

#[derive(FromRow)]
struct CertificateRow {
    canonical: Vec<u8>,
    signing_key: Vec<u8>,
    signature: Vec<u8>,
}

impl TryFrom<CertificateRow> for SignedCertificate {
    type Error = StoreError;

    fn try_from(row: CertificateRow) -> Result<Self, StoreError> {
        let corrupt = || StoreError::Corrupt {
            what: "deletion certificate",
        };
        let key = PublicKey::try_from(row.signing_key.as_slice()).map_err(|_| corrupt())?;
        let signature = Signature::try_from(row.signature.as_slice()).map_err(|_| corrupt())?;
        Self::try_new(&row.canonical, key, signature).map_err(|_| corrupt())
    }
}

async fn find_certificate(
    tx: &mut AnyConnection,
    dataset: Digest,
    name: &'static str,
) -> TxResult<Option<SignedCertificate>> {
    sqlx::query_as::<_, CertificateRow>(
        "SELECT canonical, signing_key, signature FROM deletion_certificates WHERE dataset = $1",
    )
    .bind(dataset.as_bytes().as_slice())
    .fetch_optional(tx)
    .await
    .in_tx(name)?
    .map(SignedCertificate::try_from)
    .transpose()
}

async fn insert_certificate(
    tx: &mut AnyConnection,
    signed: &SignedCertificate,
    name: &'static str,
) -> TxResult<()> {
    sqlx::query(
        "INSERT INTO deletion_certificates (dataset, canonical, signing_key, signature) VALUES ($1, $2, $3, $4)",
    )
    .bind(signed.certificate().dataset.as_bytes().as_slice())
    .bind(signed.canonical())
    .bind(signed.signing_key().as_bytes().as_slice())
    .bind(signed.signature().as_bytes().as_slice())
    .execute(tx)
    .await
    .in_tx(name)
    .map(drop)
}

/// Destroys what a run has of a dataset; of a released one, the tables stay. Whoever works on it loses it, and whoever watches it is
/// told.
async fn purge_run(tx: &mut AnyConnection, run: Digest, state: RunState, name: &'static str) -> TxResult<()> {
    let id = run.as_bytes().as_slice();
    destroy_key(tx, run, KeyPurpose::Run, name).await?;
    sqlx::query("DELETE FROM tiles WHERE run = $1")
        .bind(id)
        .execute(&mut *tx)
        .await
        .in_tx(name)?;
    if state == RunState::Released {
        return Ok(());
    }
    destroy_key(tx, run, KeyPurpose::Result, name).await?;
    end_lease(tx, run, name).await?;
    sqlx::query(
        "UPDATE runs SET state = 'failed', reason = $1, result = NULL, tiles_total = 0, origin_release = NULL,
                         destination_release = NULL, changes = changes + 1 WHERE id = $2",
    )
    .bind(RUN_REASON)
    .bind(id)
    .execute(tx)
    .await
    .in_tx(name)
    .map(drop)
}

async fn runs_over(
    tx: &mut AnyConnection,
    dataset: Digest,
    name: &'static str,
) -> TxResult<Vec<(Digest, RunState)>> {
    let corrupt = || StoreError::Corrupt { what: "run" };
    sqlx::query_as::<_, (Vec<u8>, String)>(
        "SELECT id, state FROM runs WHERE origin_dataset = $1 OR destination_dataset = $2 ORDER BY id",
    )
    .bind(dataset.as_bytes().as_slice())
    .bind(dataset.as_bytes().as_slice())
    .fetch_all(tx)
    .await
    .in_tx(name)?
    .into_iter()
    .map(|(id, state)| {
        let id = Digest::try_from(id.as_slice()).map_err(|_| corrupt())?;
        Ok((id, RunState::from_word(&state).ok_or_else(corrupt)?))
    })
    .collect()
}

/// A sealed dataset that is still there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retained {
    /// The dataset.
    pub dataset: Digest,
    /// The agreement it is under.
    pub agreement: Digest,
    /// From when on its days count.
    pub since: RetainedSince,
}

/// From when on the days count that a dataset is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetainedSince {
    /// A table over it was first released then.
    Released(Timestamp),
    /// It was sealed then, and no table over it was released.
    Sealed(Timestamp),
}

impl RetainedSince {
    /// The earlier of two releases.
    fn or_earlier(self, other: Self) -> Self {
        match (self, other) {
            (Self::Released(one), Self::Released(other)) => Self::Released(one.min(other)),
            (Self::Released(_), Self::Sealed(_)) => self,
            (Self::Sealed(_), _) => other,
        }
    }
}

impl Store {
    /// Purges a dataset for good, and gives the certificate; the same again gives the same certificate. The keys of the dataset and
    /// of what was derived from it are destroyed in the transaction that certifies it; their last traces and the bytes, which nobody
    /// can read any more, are for [`Store::remove_purged`].
    ///
    /// # Errors
    /// When there is no such dataset, or the database fails.
    pub async fn certify_purge(
        &self,
        id: Digest,
        reason: PurgeReason,
        stamp: &AuditStamp,
    ) -> Result<SignedCertificate, StoreError> {
        const NAME: &str = "purge_dataset";
        let (signer, stamp) = (self.signer.clone(), stamp.clone());
        let certificate = self
            .run_logged(NAME, move |tx| {
                let (signer, stamp) = (signer.clone(), stamp.clone());
                let now = stamp.time;
                Box::pin(async move {
                    let status = select_dataset(tx, id, NAME).await?;
                    let runs = runs_over(tx, id, NAME).await?;
                    if status.state == DatasetState::Purged {
                        let certificate = find_certificate(tx, id, NAME).await?;
                        let certificate = certificate.ok_or(StoreError::Corrupt {
                            what: "deletion certificate",
                        })?;
                        return Ok(certificate);
                    }
                    let key = find_key(tx, id, KeyPurpose::Dataset, NAME).await?;
                    let key = key.ok_or(StoreError::NotEncrypted)?;
                    destroy_key(tx, id, KeyPurpose::Dataset, NAME).await?;
                    let mut purged_runs = Vec::new();
                    for (run, state) in &runs {
                        // It went with the dataset of the other office.
                        if find_key(tx, *run, KeyPurpose::Run, NAME).await?.is_none() {
                            continue;
                        }
                        purge_run(tx, *run, *state, NAME).await?;
                        let entry = stamp
                            .entry(AuditAction::RunPurged, Some(status.declaration.agreement))
                            .with_digest("run", *run)
                            .with_digest("dataset", id)
                            .with_word(
                                "kept",
                                if *state == RunState::Released {
                                    "tables"
                                } else {
                                    "nothing"
                                },
                            );
                        append(tx, entry, NAME).await?;
                        purged_runs.push(*run);
                    }
                    let entry = to_entry(&status, AuditAction::DatasetPurged, &stamp)
                        .with_word("reason", reason.as_str());
                    append(tx, entry, NAME).await?;
                    gate::delete(tx, id, NAME).await?;
                    // Checksums of plain bytes are of no use any more.
                    sqlx::query("DELETE FROM frames WHERE dataset = $1")
                        .bind(id.as_bytes().as_slice())
                        .execute(&mut *tx)
                        .await
                        .in_tx(NAME)?;
                    sqlx::query("UPDATE datasets SET purged_at = $1 WHERE id = $2")
                        .bind(now.to_string())
                        .bind(id.as_bytes().as_slice())
                        .execute(&mut *tx)
                        .await
                        .in_tx(NAME)?;
                    let certificate = DeletionCertificate::from(CertifiedPurge {
                        dataset: id,
                        content: status.declaration.content,
                        record_count: status.declaration.record_count,
                        office: status.declaration.office,
                        agreement: status.declaration.agreement,
                        reason,
                        purged_at: now,
                        destroyed_key: key.id,
                        purged_runs,
                    });
                    let signed = SignedCertificate::sign(certificate, &*signer);
                    insert_certificate(tx, &signed, NAME).await?;
                    sqlx::query("INSERT INTO unfinished_purges (dataset) VALUES ($1)")
                        .bind(id.as_bytes().as_slice())
                        .execute(tx)
                        .await
                        .in_tx(NAME)?;
                    Ok(signed)
                })
            })
            .await?;
        self.forget_destroyed_keys().await?;
        Ok(certificate)
    }

    /// Removes what is left of a dataset that was purged, and of runs over it: stored bytes, staged ones, and traces of their keys in
    /// the files of the database. Nothing is there of one that was brought to its end before.
    ///
    /// # Errors
    /// When the database, the disk or the object store fails; the purge stays unfinished then.
    pub async fn remove_purged(&self, id: Digest) -> Result<(), StoreError> {
        const NAME: &str = "remove_purged";
        let runs = self
            .database
            .query(NAME, move |tx| Box::pin(runs_over(tx, id, NAME)))
            .await?;
        self.remove_dataset(id).await?;
        self.remove_staged(id).await?;
        self.remove_keyless_of_runs(&runs.iter().map(|(run, _)| *run).collect::<Vec<_>>())
            .await?;
        self.scrub().await?;
        self.database
            .run_tx(NAME, move |tx| {
                Box::pin(async move {
                    sqlx::query("DELETE FROM unfinished_purges WHERE dataset = $1")
                        .bind(id.as_bytes().as_slice())
                        .execute(tx)
                        .await
                        .in_tx(NAME)
                        .map(drop)
                })
            })
            .await
    }

    /// Datasets that were purged, and of which something may be left, by id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unfinished_purges(&self) -> Result<Vec<Digest>, StoreError> {
        const NAME: &str = "unfinished_purges";
        self.database
            .query(NAME, |tx| {
                Box::pin(async move {
                    sqlx::query_scalar::<_, Vec<u8>>("SELECT dataset FROM unfinished_purges ORDER BY dataset")
                        .fetch_all(tx)
                        .await
                        .in_tx(NAME)?
                        .iter()
                        .map(|id| {
                            Digest::try_from(id.as_slice()).map_err(|_| StoreError::Corrupt {
                                what: "unfinished purge",
                            })
                        })
                        .collect()
                })
            })
            .await
    }

    /// The certificate of a dataset that was purged.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn deletion_certificate(&self, id: Digest) -> Result<Option<SignedCertificate>, StoreError> {
        const NAME: &str = "deletion_certificate";
        self.database
            .query(NAME, move |tx| Box::pin(find_certificate(tx, id, NAME)))
            .await
    }

    /// Sealed datasets that are there, by id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn retained(&self) -> Result<Vec<Retained>, StoreError> {
        const NAME: &str = "retained";
        let rows = self
            .database
            .query(NAME, move |tx| {
                Box::pin(async move {
                    sqlx::query_as::<_, (Vec<u8>, Vec<u8>, String, Option<String>)>(
                        "SELECT datasets.id, datasets.agreement, coalesce(datasets.sealed_at, datasets.created_at),
                                runs.released_at
                         FROM datasets LEFT JOIN runs ON runs.released_at IS NOT NULL
                              AND (runs.origin_dataset = datasets.id OR runs.destination_dataset = datasets.id)
                         WHERE datasets.state = 'sealed' AND datasets.purged_at IS NULL ORDER BY datasets.id",
                    )
                    .fetch_all(tx)
                    .await
                    .in_tx(NAME)
                })
            })
            .await?;
        let corrupt = || StoreError::Corrupt { what: "dataset" };
        let time = |text: &str| text.parse::<Timestamp>().map_err(|_| corrupt());
        let mut retained: Vec<Retained> = Vec::new();
        for (dataset, agreement, sealed_at, released_at) in rows {
            let dataset = Digest::try_from(dataset.as_slice()).map_err(|_| corrupt())?;
            let since = match released_at {
                Some(released_at) => RetainedSince::Released(time(&released_at)?),
                None => RetainedSince::Sealed(time(&sealed_at)?),
            };
            match retained.last_mut().filter(|last| last.dataset == dataset) {
                // A row for each release.
                Some(last) => last.since = last.since.or_earlier(since),
                None => retained.push(Retained {
                    dataset,
                    agreement: Digest::try_from(agreement.as_slice()).map_err(|_| corrupt())?,
                    since,
                }),
            }
        }
        Ok(retained)
    }

    /// Runs whose key for a purpose is there.
    pub(crate) async fn runs_with_key(&self, purpose: KeyPurpose) -> Result<BTreeSet<[u8; 32]>, StoreError> {
        const NAME: &str = "runs_with_key";
        let owners = self
            .database
            .query(NAME, move |tx| {
                Box::pin(async move {
                    sqlx::query_scalar::<_, Vec<u8>>("SELECT owner FROM data_keys WHERE purpose = $1")
                        .bind(purpose.as_str())
                        .fetch_all(tx)
                        .await
                        .in_tx(NAME)
                })
            })
            .await?;
        owners
            .into_iter()
            .map(|owner| {
                owner
                    .try_into()
                    .map_err(|_| StoreError::Corrupt { what: "data key" })
            })
            .collect()
    }

    /// The result of every run that has one.
    pub(crate) async fn results_of_runs(&self) -> Result<HashMap<Digest, Digest>, StoreError> {
        const NAME: &str = "results_of_runs";
        let rows: Vec<(Vec<u8>, Vec<u8>)> = self
            .database
            .query(NAME, |tx| {
                Box::pin(async move {
                    sqlx::query_as("SELECT id, result FROM runs WHERE result IS NOT NULL")
                        .fetch_all(tx)
                        .await
                        .in_tx(NAME)
                })
            })
            .await?;
        let to_digest =
            |bytes: &[u8]| Digest::try_from(bytes).map_err(|_| StoreError::Corrupt { what: "run" });
        rows.iter()
            .map(|(run, result)| Ok((to_digest(run)?, to_digest(result)?)))
            .collect()
    }
}
