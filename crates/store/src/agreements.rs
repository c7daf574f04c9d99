//! Agreements, and the signatures they have.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use corridor_core::audit::{AuditAction, AuditStamp};
use corridor_core::{Agreement, Digest, OfficeId, Side, Signature, SignedAgreement};
use sqlx::{AnyConnection, FromRow};

use crate::audit::append;
use crate::database::{InTransaction as _, TxResult};
use crate::{Store, StoreError};

#[derive(FromRow)]
struct AgreementRow {
    canonical: Vec<u8>,
    origin_signature: Option<Vec<u8>>,
    destination_signature: Option<Vec<u8>>,
}

impl AgreementRow {
    fn read(&self) -> Result<Agreement, StoreError> {
        Agreement::from_canonical_bytes(&self.canonical)
            .map_err(|_| StoreError::Corrupt { what: "agreement" })
    }

    fn signed(self, agreement: Agreement) -> Result<SignedAgreement, StoreError> {
        let signature = |bytes: Option<Vec<u8>>| {
            bytes
                .map(|bytes| Signature::try_from(bytes.as_slice()))
                .transpose()
                .map_err(|_| StoreError::Corrupt { what: "signature" })
        };
        Ok(SignedAgreement {
            agreement,
            origin_signature: signature(self.origin_signature)?,
            destination_signature: signature(self.destination_signature)?,
        })
    }
}

impl TryFrom<AgreementRow> for SignedAgreement {
    type Error = StoreError;

    fn try_from(row: AgreementRow) -> Result<Self, StoreError> {
        let agreement = row.read()?;
        row.signed(agreement)
    }
}

/// Bytes of the agreements that are kept as they were read, in canonical form.
const MOST_BYTES: usize = 4 << 20;

/// Agreements by their canonical bytes, which say all there is of one: every call asks for some, and reading one costs more than
/// the call. What the database says is still asked each time.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReadAgreements(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    agreements: HashMap<Vec<u8>, Agreement>,
    byte_count: usize,
}

impl ReadAgreements {
    fn signed(&self, row: AgreementRow) -> Result<SignedAgreement, StoreError> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let agreement = match known.agreements.get(&row.canonical) {
            Some(agreement) => agreement.clone(),
            None => {
                let agreement = row.read()?;
                if known.byte_count + row.canonical.len() > MOST_BYTES {
                    *known = Known::default();
                }
                known.byte_count += row.canonical.len();
                known.agreements.insert(row.canonical.clone(), agreement.clone());
                agreement
            }
        };
        drop(known);
        row.signed(agreement)
    }
}

async fn select_row(
    tx: &mut AnyConnection,
    digest: Digest,
    name: &'static str,
) -> TxResult<Option<AgreementRow>> {
    sqlx::query_as(
        "SELECT canonical, origin_signature, destination_signature FROM agreements WHERE digest = $1",
    )
    .bind(digest.as_bytes().as_slice())
    .fetch_optional(tx)
    .await
    .in_tx(name)
}

pub(crate) async fn select_agreement(
    tx: &mut AnyConnection,
    digest: Digest,
    name: &'static str,
) -> TxResult<Option<SignedAgreement>> {
    select_row(tx, digest, name)
        .await?
        .map(SignedAgreement::try_from)
        .transpose()
}

impl Store {
    /// Stores a proposed agreement; storing it again changes nothing. Gives it with the signatures it has.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn insert_agreement(
        &self,
        agreement: &Agreement,
        stamp: &AuditStamp,
    ) -> Result<SignedAgreement, StoreError> {
        const NAME: &str = "insert_agreement";
        let (agreement, stamp) = (agreement.clone(), stamp.clone());
        self.run_logged(NAME, move |tx| {
                let (agreement, stamp) = (agreement.clone(), stamp.clone());
                Box::pin(async move {
                    let digest = agreement.digest();
                    let inserted = sqlx::query(
                        "INSERT INTO agreements (digest, canonical, origin_office, destination_office, created_at)
                         VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
                    )
                    .bind(digest.as_bytes().as_slice())
                    .bind(agreement.to_canonical_bytes())
                    .bind(agreement.origin_office.id.as_str())
                    .bind(agreement.destination_office.id.as_str())
                    .bind(stamp.time.to_string())
                    .execute(&mut *tx)
                    .await
                    .in_tx(NAME)?;
                    if inserted.rows_affected() > 0 {
                        let entry = stamp.entry(AuditAction::AgreementProposed, Some(digest));
                        append(tx, entry, NAME).await?;
                    }
                    select_agreement(tx, digest, NAME)
                        .await?
                        .ok_or(StoreError::NotFound { what: "agreement" })
                })
            })
            .await
    }

    /// An agreement by digest.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn agreement(&self, digest: Digest) -> Result<Option<SignedAgreement>, StoreError> {
        const NAME: &str = "agreement";
        let row = self
            .database
            .query(NAME, move |tx| Box::pin(select_row(tx, digest, NAME)))
            .await?;
        row.map(|row| self.read_agreements.signed(row)).transpose()
    }

    /// The agreements an office is a party of, by digest.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn agreements_of(&self, office: &OfficeId) -> Result<Vec<SignedAgreement>, StoreError> {
        const NAME: &str = "agreements_of";
        let office = office.clone();
        let rows: Vec<AgreementRow> = self
            .database
            .query(NAME, move |tx| {
                let office = office.clone();
                Box::pin(async move {
                    sqlx::query_as(
                        "SELECT canonical, origin_signature, destination_signature FROM agreements
                         WHERE origin_office = $1 OR destination_office = $1 ORDER BY digest",
                    )
                    .bind(office.as_str())
                    .fetch_all(tx)
                    .await
                    .in_tx(NAME)
                })
            })
            .await?;
        self.to_signed(rows)
    }

    /// Every agreement, by digest.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn agreements(&self) -> Result<Vec<SignedAgreement>, StoreError> {
        const NAME: &str = "agreements";
        let rows: Vec<AgreementRow> = self
            .database
            .query(NAME, move |tx| {
                Box::pin(async move {
                    sqlx::query_as(
                        "SELECT canonical, origin_signature, destination_signature FROM agreements
                         ORDER BY digest",
                    )
                    .fetch_all(tx)
                    .await
                    .in_tx(NAME)
                })
            })
            .await?;
        self.to_signed(rows)
    }

    fn to_signed(&self, rows: Vec<AgreementRow>) -> Result<Vec<SignedAgreement>, StoreError> {
        rows.into_iter()
            .map(|row| self.read_agreements.signed(row))
            .collect()
    }

    /// Adds the signature of one office; the same again changes nothing.
    ///
    /// # Errors
    /// When there is no such agreement or the database fails.
    pub async fn add_signature(
        &self,
        digest: Digest,
        side: Side,
        signature: &Signature,
        stamp: &AuditStamp,
    ) -> Result<SignedAgreement, StoreError> {
        const NAME: &str = "add_signature";
        let (signature, stamp) = (signature.clone(), stamp.clone());
        self.run_logged(NAME, move |tx| {
            let (signature, stamp) = (signature.clone(), stamp.clone());
            Box::pin(async move {
                let before = select_agreement(tx, digest, NAME).await?;
                let is_new = before.is_some_and(|before| before.signature(side) != Some(&signature));
                let statement = match side {
                    Side::Origin => "UPDATE agreements SET origin_signature = $1 WHERE digest = $2",
                    Side::Destination => "UPDATE agreements SET destination_signature = $1 WHERE digest = $2",
                };
                sqlx::query(statement)
                    .bind(signature.as_bytes().as_slice())
                    .bind(digest.as_bytes().as_slice())
                    .execute(&mut *tx)
                    .await
                    .in_tx(NAME)?;
                if is_new {
                    let entry = stamp
                        .entry(AuditAction::AgreementSigned, Some(digest))
                        .with_word("side", side.as_str())
                        .with_digest("signature", Digest::of(signature.as_bytes()));
                    append(tx, entry, NAME).await?;
                }
                select_agreement(tx, digest, NAME)
                    .await?
                    .ok_or(StoreError::NotFound { what: "agreement" })
            })
        })
        .await
    }
}
