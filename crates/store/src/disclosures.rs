//! What left the service: each part of a released result that was sent, and the tables later ones must not be subtracted from.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use corridor_core::audit::{AuditStamp, DisclosedPart, DisclosedResult, Disclosure};
use corridor_core::{Agreement, Digest, DisclosureMethod};
use jiff::Timestamp;
use sqlx::{AnyConnection, FromRow};
use tokio::sync::oneshot;

use crate::audit::append;
use crate::database::{InTransaction as _, TxResult, from_sql, placeholders, to_sql};
use crate::{Store, StoreError};

#[derive(FromRow)]
struct DisclosureRow {
    sequence: i64,
    agreement: Vec<u8>,
    run: Vec<u8>,
    result: Vec<u8>,
    party: String,
    role: String,
    part: String,
    first_row: Option<i64>,
    last_row: Option<i64>,
    method: String,
    minimum_count: i64,
    rule: Vec<u8>,
    disclosed_at: String,
}

const COLUMNS: &str = "sequence, agreement, run, result, party, role, part, first_row, last_row, method, \
                       minimum_count, rule, disclosed_at";

const METHODS: [DisclosureMethod; 3] = [
    DisclosureMethod::Suppression,
    DisclosureMethod::RandomRounding,
    DisclosureMethod::CellKey,
];

impl TryFrom<DisclosureRow> for Disclosure {
    type Error = StoreError;

    fn try_from(row: DisclosureRow) -> Result<Self, StoreError> {
        let corrupt = || StoreError::Corrupt { what: "disclosure" };
        let digest = |bytes: &[u8]| Digest::try_from(bytes).map_err(|_| corrupt());
        let rows = match (row.first_row, row.last_row) {
            (Some(first), Some(last)) => {
                Some((from_sql(first, "disclosure")?, from_sql(last, "disclosure")?))
            }
            _ => None,
        };
        Ok(Self {
            sequence: from_sql(row.sequence, "disclosure")?,
            agreement: digest(&row.agreement)?,
            run: digest(&row.run)?,
            result: digest(&row.result)?,
            party: row.party.parse().map_err(|_| corrupt())?,
            role: row.role.parse().map_err(|_| corrupt())?,
            part: DisclosedPart::from_word(&row.part, rows).ok_or_else(corrupt)?,
            method: METHODS
                .into_iter()
                .find(|method| method.as_str() == row.method)
                .ok_or_else(corrupt)?,
            minimum_count: from_sql(row.minimum_count, "disclosure")?,
            rule: digest(&row.rule)?,
            time: row.disclosed_at.parse().map_err(|_| corrupt())?,
        })
    }
}

/// Notes that parts of results leave, each with its audit entry. What goes to nobody but the service is not noted. Gives the places of
/// the entries.
pub(crate) async fn insert_disclosures(
    tx: &mut AnyConnection,
    disclosures: &[(Disclosure, AuditStamp)],
    name: &'static str,
) -> TxResult<Vec<u64>> {
    let mut sequences = Vec::with_capacity(disclosures.len());
    for (disclosure, stamp) in disclosures {
        sequences.push(append(tx, disclosure.to_entry(stamp), name).await?);
    }
    let statement = format!(
        "INSERT INTO disclosures ({COLUMNS}) VALUES {}",
        placeholders(disclosures.len(), 13)
    );
    let mut insert = sqlx::query(sqlx::AssertSqlSafe(statement));
    for (&sequence, (disclosure, _)) in sequences.iter().zip(disclosures) {
        let rows = disclosure.part.rows();
        insert = insert
            .bind(to_sql(sequence))
            .bind(disclosure.agreement.as_bytes().as_slice())
            .bind(disclosure.run.as_bytes().as_slice())
            .bind(disclosure.result.as_bytes().as_slice())
            .bind(disclosure.party.as_str())
            .bind(disclosure.role.as_str())
            .bind(disclosure.part.as_str())
            .bind(rows.map(|(first, _)| to_sql(first)))
            .bind(rows.map(|(_, last)| to_sql(last)))
            .bind(disclosure.method.as_str())
            .bind(to_sql(disclosure.minimum_count))
            .bind(disclosure.rule.as_bytes().as_slice())
            .bind(disclosure.time.to_string());
    }
    insert.execute(tx).await.in_tx(name)?;
    Ok(sequences)
}

/// What a released table is about, so that others about the same are found, whoever's agreement they are under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleasedScope {
    offices: [String; 2],
    countries: [String; 2],
    years: [i64; 2],
}

impl ReleasedScope {
    /// What tables under an agreement are about.
    pub fn of(agreement: &Agreement) -> Self {
        let mut offices = [&agreement.origin_office, &agreement.destination_office]
            .map(|office| office.id.as_str().to_owned());
        offices.sort();
        let mut countries = [
            agreement.corridor.origin().0.to_string(),
            agreement.corridor.destination().0.to_string(),
        ];
        countries.sort();
        let period = &agreement.period;
        Self {
            offices,
            countries,
            years: [period.first.year().into(), period.last.year().into()],
        }
    }
}

/// A table that both offices released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReleasedTable {
    /// The run that made it.
    pub run: Digest,
    /// Digest of the result, under which the table is stored.
    pub result: Digest,
}

#[derive(FromRow)]
struct ReleasedRow {
    run: Vec<u8>,
    result: Vec<u8>,
}

impl TryFrom<ReleasedRow> for ReleasedTable {
    type Error = StoreError;

    fn try_from(row: ReleasedRow) -> Result<Self, StoreError> {
        let digest = |bytes: &[u8]| {
            Digest::try_from(bytes).map_err(|_| StoreError::Corrupt {
                what: "released table",
            })
        };
        Ok(Self {
            run: digest(&row.run)?,
            result: digest(&row.result)?,
        })
    }
}

/// A part of a released result that is about to leave.
#[derive(Debug, Clone)]
pub struct NewDisclosure {
    disclosure: Disclosure,
    stamp: AuditStamp,
}

impl NewDisclosure {
    /// It goes to whoever stamped it.
    ///
    /// # Errors
    /// When the stamp is the service's own, to which nothing goes.
    pub fn new(
        result: DisclosedResult<'_>,
        part: DisclosedPart,
        stamp: &AuditStamp,
    ) -> Result<Self, StoreError> {
        let disclosure =
            Disclosure::new(result, part, stamp).ok_or(StoreError::NotFound { what: "caller" })?;
        Ok(Self {
            disclosure,
            stamp: stamp.clone(),
        })
    }
}

/// Disclosures noted in one transaction at most.
const MOST_TOGETHER: usize = 32;

/// Disclosures that were not noted yet, first those that came first: every reader waits for one, and one transaction for all of them
/// costs little more than one for each of them does.
#[derive(Debug, Clone, Default)]
pub(crate) struct WaitingDisclosures(Arc<Mutex<VecDeque<WaitingDisclosure>>>);

#[derive(Debug)]
struct WaitingDisclosure {
    disclosure: Disclosure,
    stamp: AuditStamp,
    /// Is told the place of its entry.
    noted: oneshot::Sender<u64>,
}

impl WaitingDisclosures {
    fn add(&self, disclosure: Disclosure, stamp: AuditStamp) -> oneshot::Receiver<u64> {
        let (noted, told) = oneshot::channel();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push_back(WaitingDisclosure {
            disclosure,
            stamp,
            noted,
        });
        told
    }

    fn take(&self) -> Vec<WaitingDisclosure> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // To whom nobody waits for, nothing is sent.
        all.retain(|one| !one.noted.is_closed());
        let count = all.len().min(MOST_TOGETHER);
        all.drain(..count).collect()
    }
}

/// Tables about the same that were released in other runs, by result.
pub(crate) async fn select_released(
    tx: &mut AnyConnection,
    scope: &ReleasedScope,
    run: Digest,
    name: &'static str,
) -> TxResult<Vec<ReleasedTable>> {
    let [first_office, second_office] = &scope.offices;
    let [first_country, second_country] = &scope.countries;
    sqlx::query_as::<_, ReleasedRow>(
        "SELECT run, result FROM released_tables
         WHERE first_office = $1 AND second_office = $2 AND first_country = $3 AND second_country = $4
           AND first_year <= $5 AND last_year >= $6 AND run <> $7 ORDER BY result",
    )
    .bind(first_office.as_str())
    .bind(second_office.as_str())
    .bind(first_country.as_str())
    .bind(second_country.as_str())
    .bind(scope.years[1])
    .bind(scope.years[0])
    .bind(run.as_bytes().as_slice())
    .fetch_all(tx)
    .await
    .in_tx(name)?
    .into_iter()
    .map(ReleasedTable::try_from)
    .collect()
}

/// Notes a table that both offices released, for good.
pub(crate) async fn insert_released(
    tx: &mut AnyConnection,
    scope: &ReleasedScope,
    agreement: Digest,
    table: &ReleasedTable,
    (now, name): (Timestamp, &'static str),
) -> TxResult<()> {
    sqlx::query(
        "INSERT INTO released_tables (run, result, agreement, first_office, second_office, first_country,
                                      second_country, first_year, last_year, released_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(table.run.as_bytes().as_slice())
    .bind(table.result.as_bytes().as_slice())
    .bind(agreement.as_bytes().as_slice())
    .bind(scope.offices[0].as_str())
    .bind(scope.offices[1].as_str())
    .bind(scope.countries[0].as_str())
    .bind(scope.countries[1].as_str())
    .bind(scope.years[0])
    .bind(scope.years[1])
    .bind(now.to_string())
    .execute(tx)
    .await
    .in_tx(name)
    .map(drop)
}

impl Store {
    /// Notes that a part of a released result is about to leave. Only then may it be sent. It must not be given up before its end:
    /// others that wait may be noted with it, and would note themselves again.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn disclose(&self, new: NewDisclosure) -> Result<u64, StoreError> {
        const NAME: &str = "disclose";
        let NewDisclosure { disclosure, stamp } = new;
        let mut noted = self.audit.waiting.add(disclosure.clone(), stamp.clone());
        loop {
            tokio::select! {
                biased;
                // Whoever was noted with others does not wait for a turn any more: those before it may want theirs for long.
                told = &mut noted => match told {
                    Ok(sequence) => return Ok(sequence),
                    // It could not be noted with others: perhaps for another one's sake.
                    Err(_) => break,
                },
                _turn = self.audit.turn.lock() => self.note_waiting(NAME).await,
            }
        }
        let _turn = self.audit.turn.lock().await;
        Ok(self.note_disclosures(&[(disclosure, stamp)], NAME).await?[0])
    }

    /// Notes those that waited longest, in one transaction. Where it fails, each is tried again by who waits for it, who is told why
    /// that fails.
    async fn note_waiting(&self, name: &'static str) {
        let waiting = self.audit.waiting.take();
        if waiting.is_empty() {
            return;
        }
        let (disclosures, tellers): (Vec<_>, Vec<_>) = waiting
            .into_iter()
            .map(|one| ((one.disclosure, one.stamp), one.noted))
            .unzip();
        let sequences = match self.note_disclosures(&disclosures, name).await {
            Ok(sequences) => sequences,
            Err(error) => {
                tracing::warn!(%error, "disclosures were not noted together; each is tried by itself");
                return;
            }
        };
        for (teller, sequence) in tellers.into_iter().zip(sequences) {
            if teller.send(sequence).is_err() {
                tracing::debug!(
                    sequence,
                    "noted as disclosed for a caller that left, to whom nothing was sent"
                );
            }
        }
    }

    /// Notes disclosures in one transaction. Gives the places of their entries.
    async fn note_disclosures(
        &self,
        disclosures: &[(Disclosure, AuditStamp)],
        name: &'static str,
    ) -> Result<Vec<u64>, StoreError> {
        let disclosures: Arc<[(Disclosure, AuditStamp)]> = disclosures.into();
        self.database
            .run_tx(name, move |tx| {
                let disclosures = Arc::clone(&disclosures);
                Box::pin(async move { insert_disclosures(tx, &disclosures, name).await })
            })
            .await
    }

    /// What left under an agreement, or under all, from one entry of the audit log on, in order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn disclosures(
        &self,
        agreement: Option<Digest>,
        first: u64,
        count: u64,
    ) -> Result<Vec<Disclosure>, StoreError> {
        const NAME: &str = "disclosures";
        self.database
            .query(NAME, move |tx| {
                Box::pin(async move {
                    let filter = if agreement.is_some() { "AND agreement = $3" } else { "" };
                    let statement = format!(
                        "SELECT {COLUMNS} FROM disclosures WHERE sequence >= $1 {filter} ORDER BY sequence LIMIT $2"
                    );
                    let mut query = sqlx::query_as::<_, DisclosureRow>(sqlx::AssertSqlSafe(statement))
                        .bind(to_sql(first))
                        .bind(to_sql(count));
                    if let Some(agreement) = agreement {
                        query = query.bind(agreement.as_bytes().to_vec());
                    }
                    query
                        .fetch_all(tx)
                        .await
                        .in_tx(NAME)?
                        .into_iter()
                        .map(Disclosure::try_from)
                        .collect()
                })
            })
            .await
    }

    /// Tables about the same offices, countries and years that left in other runs, by result. They are known for good, whatever
    /// becomes of runs and datasets.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn released_tables(
        &self,
        scope: &ReleasedScope,
        run: Digest,
    ) -> Result<Vec<ReleasedTable>, StoreError> {
        const NAME: &str = "released_tables";
        let scope = scope.clone();
        self.database
            .run_read(NAME, move |tx| {
                let scope = scope.clone();
                Box::pin(async move { select_released(tx, &scope, run, NAME).await })
            })
            .await
    }
}
