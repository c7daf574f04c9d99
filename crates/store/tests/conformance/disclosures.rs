//! What left is noted before it leaves, also when many read at once.

use std::collections::BTreeSet;

use corridor_core::audit::{AuditAction, AuditStamp, DisclosedPart, DisclosedResult};
use corridor_core::{Caller, Digest, SeededEntropy};
use corridor_store::{NewDisclosure, Store, StoreError};
use sqlx::Executor as _;
use tokio::task::JoinSet;

use crate::backend::Backend;
use crate::on_both;
use crate::samples::{DESTINATION, ORIGIN, agreement, now, stamp};

/// Readers at once: more than are noted in one transaction.
const READERS: u64 = 50;

/// A reader of one row, who is given the place of the entry that says so.
async fn read(store: Store, office: &'static str, row: u64) -> Result<u64, StoreError> {
    let agreement = agreement(1);
    let result = DisclosedResult {
        agreement: agreement.digest(),
        run: Digest::of(b"run"),
        result: Digest::of(b"result"),
        rule: &agreement.disclosure,
    };
    let part = DisclosedPart::Rows {
        first: row,
        last: row,
    };
    let caller = Caller::office(office.parse().unwrap());
    let stamp = AuditStamp::new(Some(&caller), now(), &mut SeededEntropy::new(row, "stamp"));
    store.disclose(NewDisclosure::new(result, part, &stamp)?).await
}

async fn each_of_many_at_once_is_noted_once(backend: Backend) {
    let store = backend.open().await;
    let mut reading = JoinSet::new();
    for row in 0..READERS {
        reading.spawn(read(store.clone(), ORIGIN, row));
        let store = store.clone();
        reading.spawn(async move {
            // Others log in between.
            let entry = stamp().entry(AuditAction::IdentityChanged, None);
            store.append_audit(&entry).await.map(|_| u64::MAX)
        });
    }
    let told: BTreeSet<u64> = reading
        .join_all()
        .await
        .into_iter()
        .map(Result::unwrap)
        .filter(|sequence| *sequence != u64::MAX)
        .collect();
    let noted = store.disclosures(None, 0, 1000).await.unwrap();
    let rows: BTreeSet<String> = noted.iter().map(|one| format!("{:?}", one.part)).collect();
    assert_eq!(rows.len(), READERS as usize, "each row once");
    assert_eq!(noted.len(), READERS as usize);
    let places: BTreeSet<u64> = noted.iter().map(|one| one.sequence).collect();
    assert_eq!(places, told, "each was told the place of its own entry");
    let log = store.audit_rows(0, 1000).await.unwrap();
    assert_eq!(log.len(), 2 * READERS as usize);
}

on_both!(each_of_many_at_once_is_noted_once);

#[tokio::test]
async fn one_that_cannot_be_noted_does_not_hold_up_those_that_can() {
    let backend = Backend::sqlite();
    let store = backend.open().await;
    let mut other = backend.connect().await;
    other
        .execute(
            "CREATE TRIGGER no_destination BEFORE INSERT ON disclosures WHEN NEW.party = 'ISTAT'
             BEGIN SELECT RAISE(ABORT, 'not this one'); END",
        )
        .await
        .unwrap();
    let mut reading = JoinSet::new();
    for row in 0..READERS {
        for office in [ORIGIN, DESTINATION] {
            let store = store.clone();
            reading.spawn(async move { (office, read(store, office, row).await) });
        }
    }
    for (office, outcome) in reading.join_all().await {
        assert_eq!(outcome.is_ok(), office == ORIGIN, "{office}: {outcome:?}");
    }
    let noted = store.disclosures(None, 0, 1000).await.unwrap();
    let rows: BTreeSet<String> = noted.iter().map(|one| format!("{:?}", one.part)).collect();
    assert_eq!(rows.len(), READERS as usize, "none is missing");
    assert!(noted.iter().all(|one| one.party.as_str() == ORIGIN));
}
