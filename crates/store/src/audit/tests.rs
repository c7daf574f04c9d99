use std::future::pending;

use corridor_core::audit::{AuditAction, AuditStamp, DisclosedPart, DisclosedResult, verify_consistency};
use corridor_core::{Caller, DisclosureMethod, DisclosureRule, Role, SeededEntropy};
use futures::future::join_all;
use futures::poll;
use sqlx::Executor as _;

use super::*;
use crate::NewDisclosure;

fn stamp(seed: u64) -> AuditStamp {
    let caller = Caller {
        party: "INS-TN".parse().unwrap(),
        role: Role::Office,
    };
    let time = Timestamp::from_second(1_800_000_000).unwrap();
    AuditStamp::new(Some(&caller), time, &mut SeededEntropy::new(seed, "stamp"))
}

fn entry(seed: u64) -> AuditEntry {
    stamp(seed).entry(AuditAction::RunPlanned, Some(Digest::of(b"agreement")))
}

fn key() -> AuditKey {
    AuditKey::generate(None, &mut SeededEntropy::new(1, "key"))
}

async fn open() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    (folder, store)
}

/// Does what somebody with the database's password can.
async fn tamper(store: &Store, statements: &'static str) -> Result<(), StoreError> {
    store
        .database
        .run_tx("tamper", move |tx| {
            Box::pin(async move { tx.execute(statements).await.in_tx("tamper").map(drop) })
        })
        .await
}

async fn problem(store: &Store) -> String {
    match store.check_audit(&key()).await {
        Err(StoreError::AuditTampered { problem }) => problem,
        outcome => panic!("{outcome:?}"),
    }
}

#[tokio::test]
async fn entries_written_at_once_stand_one_after_the_other_without_gaps() {
    let (_folder, store) = open().await;
    let entries: Vec<_> = (0..40).map(entry).collect();
    let mut places: Vec<u64> = join_all(entries.iter().map(|entry| store.append_audit(entry)))
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    places.sort_unstable();
    assert_eq!(places, (0..40).collect::<Vec<_>>());
    let rows = store.audit_rows(0, 100).await.unwrap();
    for (place, row) in (0..).zip(&rows) {
        let entry = AuditEntry::from_canonical_bytes(&row.entry).unwrap();
        assert_eq!(
            (row.sequence, entry.sequence, entry.to_leaf()),
            (place, place, row.leaf)
        );
    }
    store.check_audit(&key()).await.unwrap();
}

#[tokio::test]
async fn what_is_rolled_back_is_not_logged_and_takes_no_place() {
    let (_folder, store) = open().await;
    store.append_audit(&entry(1)).await.unwrap();
    let failed: TxResult<()> = store
        .run_logged("failing", |tx| {
            Box::pin(async move {
                append(tx, entry(2), "failing").await?;
                Err(StoreError::NotFound { what: "anything" })
            })
        })
        .await;
    assert!(failed.is_err());
    assert_eq!(store.append_audit(&entry(3)).await.unwrap(), 1);
    assert_eq!(store.audit_rows(0, 9).await.unwrap().len(), 2);
}

/// All rows of one table, read by somebody.
fn disclosure(seed: u64) -> NewDisclosure {
    let rule = DisclosureRule {
        minimum_count: 5,
        method: DisclosureMethod::Suppression,
    };
    let result = DisclosedResult {
        agreement: Digest::of(b"agreement"),
        run: Digest::of(b"run"),
        result: Digest::of(b"result"),
        rule: &rule,
    };
    NewDisclosure::new(result, DisclosedPart::AllRows, &stamp(seed)).unwrap()
}

#[tokio::test]
async fn what_was_noted_with_others_waits_for_nobody() {
    let (_folder, store) = open().await;
    let held = store.audit.turn.lock().await;
    let mut first = Box::pin(store.disclose(disclosure(1)));
    // In line between two that disclose is somebody who never ends.
    let mut stuck = Box::pin(store.run_logged("stuck", |_| Box::pin(pending::<TxResult<()>>())));
    let mut second = Box::pin(store.disclose(disclosure(2)));
    assert!(poll!(&mut first).is_pending());
    assert!(poll!(&mut stuck).is_pending());
    assert!(poll!(&mut second).is_pending());
    drop(held);
    tokio::select! {
        _ = &mut stuck => panic!("it never ends"),
        noted = async { (first.await.unwrap(), second.await.unwrap()) } => assert_eq!(noted, (0, 1)),
    }
}

#[tokio::test]
async fn the_database_itself_refuses_to_change_or_forget() {
    let (_folder, store) = open().await;
    store.append_audit(&entry(1)).await.unwrap();
    store.checkpoint(&key(), stamp(1).time).await.unwrap();
    for statement in [
        "UPDATE audit_entries SET agreement = NULL",
        "DELETE FROM audit_entries",
        "UPDATE audit_head SET size = 0",
        "UPDATE audit_head SET size = size + 2",
        "DELETE FROM audit_head",
        "INSERT INTO audit_entries (sequence, entry, leaf) SELECT 7, entry, leaf FROM audit_entries",
        "UPDATE audit_checkpoints SET note = ''",
        "DELETE FROM audit_checkpoints",
    ] {
        assert!(tamper(&store, statement).await.is_err(), "{statement}");
    }
    store.check_audit(&key()).await.unwrap();
}

const WITHOUT_TRIGGERS: &str = "DROP TRIGGER audit_entries_unchanged; DROP TRIGGER audit_entries_stay;
    DROP TRIGGER audit_head_only_grows; DROP TRIGGER audit_checkpoints_stay";

/// Five entries, of which the first three were signed over, in a database without triggers.
async fn unguarded() -> (tempfile::TempDir, Store) {
    let (folder, store) = open().await;
    for seed in 0..5 {
        store.append_audit(&entry(seed)).await.unwrap();
        if seed == 2 {
            store.checkpoint(&key(), stamp(1).time).await.unwrap();
        }
    }
    tamper(&store, WITHOUT_TRIGGERS).await.unwrap();
    store.check_audit(&key()).await.unwrap();
    (folder, store)
}

#[tokio::test]
async fn what_somebody_with_the_password_changes_is_found_and_named() {
    for (statement, expected) in [
        (
            "UPDATE audit_entries SET entry = CAST(replace(entry, 'INS-TN', 'ISTAT') AS BLOB) WHERE sequence = 3",
            "entry 3 was altered",
        ),
        (
            "UPDATE audit_entries SET agreement = NULL WHERE sequence = 4",
            "entry 4 was altered",
        ),
        (
            "UPDATE audit_entries SET leaf = zeroblob(32) WHERE sequence = 1",
            "entry 1 was altered",
        ),
        ("DELETE FROM audit_entries WHERE sequence = 2", "entry 2 is missing"),
        (
            "DELETE FROM audit_entries WHERE sequence = 4",
            "it has 4 entries, but 5 were written",
        ),
        (
            "DELETE FROM audit_entries WHERE sequence > 1; UPDATE audit_head SET size = 2",
            "it has 2 entries, but 3 were signed",
        ),
        (
            "UPDATE audit_entries SET sequence = 99 WHERE sequence = 0; UPDATE audit_entries SET sequence = 0 WHERE sequence = 1;
             UPDATE audit_entries SET sequence = 1 WHERE sequence = 99",
            "entry 0 was altered",
        ),
    ] {
        let (_folder, store) = unguarded().await;
        tamper(&store, statement).await.unwrap();
        let problem = problem(&store).await;
        assert!(problem.starts_with(expected), "{statement}: {problem}");
    }
}

#[tokio::test]
async fn an_entry_rewritten_with_its_hash_does_not_fit_what_was_signed() {
    let (_folder, store) = unguarded().await;
    let mut forged = entry(77);
    forged.sequence = 1;
    store
        .database
        .run_tx("tamper", move |tx| {
            let forged = forged.clone();
            Box::pin(async move {
                sqlx::query("UPDATE audit_entries SET entry = $1, leaf = $2 WHERE sequence = 1")
                    .bind(forged.to_canonical_bytes())
                    .bind(forged.to_leaf().as_bytes().to_vec())
                    .execute(tx)
                    .await
                    .in_tx("tamper")
            })
        })
        .await
        .unwrap();
    let problem = problem(&store).await;
    assert!(
        problem.contains("first 3 entries are not those whose root was signed"),
        "{problem}"
    );
}

#[tokio::test]
async fn checkpoints_are_signed_kept_and_continue_each_other_over_a_restart() {
    let (folder, store) = open().await;
    store.append_audit(&entry(1)).await.unwrap();
    let now = stamp(1).time;
    let first = store.checkpoint(&key(), now).await.unwrap();
    // The same log, later: the same checkpoint, byte for byte.
    let later = now + jiff::SignedDuration::from_secs(60);
    assert_eq!(store.checkpoint(&key(), later).await.unwrap(), first);
    store.close().await;
    let store = Store::open(folder.path()).await.unwrap();
    store.check_audit(&key()).await.unwrap();
    for seed in 2..9 {
        store.append_audit(&entry(seed)).await.unwrap();
    }
    let second = store.checkpoint(&key(), later).await.unwrap();
    let log = key();
    let (first, second) = (
        first.verify(log.log()).unwrap(),
        second.verify(log.log()).unwrap(),
    );
    assert_eq!((first.size, second.size), (1, 8));
    let proof = store.prove_audit_growth(1, 8).await.unwrap().unwrap();
    verify_consistency((1, &first.root), (8, &second.root), &proof).unwrap();
    // Under another key it is another log.
    let other = AuditKey::generate(None, &mut SeededEntropy::new(2, "key"));
    assert!(matches!(
        store.check_audit(&other).await,
        Err(StoreError::AuditTampered { .. })
    ));
}

#[tokio::test]
async fn a_key_is_made_once_for_its_owner_alone_and_a_file_that_is_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.key");
    let made = AuditKey::open(&path, None, &mut SeededEntropy::new(1, "key")).unwrap();
    let again = AuditKey::open(&path, None, &mut SeededEntropy::new(2, "key")).unwrap();
    assert_eq!(made.log(), again.log());
    let text = std::fs::read_to_string(&path).unwrap();
    let shown = format!("{made:?}");
    assert!(!shown.contains(text.lines().nth(1).unwrap()));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |bits| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(bits)).unwrap();
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        mode(0o640);
        let error = AuditKey::open(&path, None, &mut SeededEntropy::new(1, "key")).unwrap_err();
        assert!(error.to_string().contains("others can read it"), "{error}");
        mode(0o600);
    }
    for broken in [&text[..text.len() - 2], "", "corridor audit key v2\n"] {
        std::fs::write(&path, broken).unwrap();
        let error = AuditKey::open(&path, None, &mut SeededEntropy::new(1, "key")).unwrap_err();
        assert!(error.to_string().contains("is no audit key"), "{error}");
    }
}

#[tokio::test]
async fn a_disclosure_stands_in_both_logs_and_stays() {
    let (_folder, store) = open().await;
    store.append_audit(&entry(1)).await.unwrap();
    let rule = DisclosureRule {
        minimum_count: 10,
        method: DisclosureMethod::CellKey,
    };
    let result = DisclosedResult {
        agreement: Digest::of(b"agreement"),
        run: Digest::of(b"run"),
        result: Digest::of(b"result"),
        rule: &rule,
    };
    let parts = [
        DisclosedPart::Table,
        DisclosedPart::Rows { first: 3, last: 9 },
        DisclosedPart::Links,
    ];
    for (seed, part) in (5..).zip(parts) {
        let new = NewDisclosure::new(result, part, &stamp(seed)).unwrap();
        store.disclose(new).await.unwrap();
    }
    let disclosures = store.disclosures(None, 0, 10).await.unwrap();
    assert_eq!(disclosures.iter().map(|d| d.part).collect::<Vec<_>>(), parts);
    assert_eq!(
        disclosures.iter().map(|d| d.sequence).collect::<Vec<_>>(),
        [1, 2, 3]
    );
    for (disclosure, row) in disclosures.iter().zip(store.audit_rows(1, 9).await.unwrap()) {
        let entry = AuditEntry::from_canonical_bytes(&row.entry).unwrap();
        let mut expected = disclosure.to_entry(&stamp(disclosure.sequence + 4));
        expected.sequence = disclosure.sequence;
        assert_eq!(entry, expected);
    }
    let of = |agreement: &[u8]| store.disclosures(Some(Digest::of(agreement)), 2, 10);
    assert_eq!(of(b"agreement").await.unwrap().len(), 2);
    assert_eq!(of(b"another").await.unwrap().len(), 0);
    // Nothing goes to the service itself.
    let own = AuditStamp {
        caller: None,
        ..stamp(1)
    };
    assert!(NewDisclosure::new(result, DisclosedPart::Links, &own).is_err());
    for statement in [
        "DELETE FROM disclosures",
        "UPDATE disclosures SET party = 'NOBODY'",
    ] {
        assert!(tamper(&store, statement).await.is_err(), "{statement}");
    }
}
