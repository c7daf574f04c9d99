//! What can be proved afterwards: who did what, what left to whom, and of what a result was made.

use std::fs;
use std::path::Path;
use std::process::Command;

use corridor_core::audit::{AuditAction, AuditEntry, verify_consistency, verify_inclusion};
use corridor_engine::RunManifest;
use corridor_tests::sample::{self, Sample};
use corridor_tests::{Job, Outcome, Terms, server_command, workspace_root};
use corridor_wire::v1;
use corridor_wire::v1::audit_service_client::AuditServiceClient;
use tonic::Code;

use crate::complaints::agree;
use crate::service::Service;

fn python(arguments: &[&str], folder: &Path) -> Outcome {
    let python = workspace_root().join("target/python/bin/python");
    assert!(python.exists(), "run tests/run, which installs target/python");
    let output = Command::new(python).args(arguments).current_dir(folder).output();
    output.unwrap().into()
}

/// Does what somebody with the database's file can.
fn sql(job: &Job, statements: &str) {
    let script = format!(
        "import sqlite3; c = sqlite3.connect('server/data/corridor.sqlite'); c.executescript({statements:?}); c.commit()"
    );
    python(&["-c", &script], &job.path(".")).succeeded();
}

/// Uploads both datasets under an agreement and waits for its run.
fn link(job: &Job, agreement: &str, dataset: &str) -> String {
    for office in ["tn", "it"] {
        job.encode(office, "project.key", dataset).succeeded();
        job.upload(office, dataset).succeeded();
    }
    let started = job.run("tn", &["run", "start", agreement]).succeeded();
    job.run("it", &["run", "watch", started.line()]).succeeded();
    started.line().to_owned()
}

/// What was done, of the entries whose text is there.
fn actions(export: &Path) -> Vec<AuditAction> {
    let text = fs::read_to_string(export).unwrap();
    let (_, entries) = text.split_once("entries\n").unwrap();
    entries
        .lines()
        .filter_map(|line| line.splitn(3, ' ').nth(2))
        .map(|entry| AuditEntry::from_canonical_bytes(entry.as_bytes()).unwrap().action)
        .collect()
}

#[test]
fn what_happened_can_be_proved_and_a_result_made_again() {
    use AuditAction as A;
    let mut job = Job::start();
    let key: Outcome = server_command(&job.path("server"), &["audit-key", "--config", "server.toml"])
        .output()
        .unwrap()
        .into();
    let key = key.succeeded().line().to_owned();
    let first = job.agree(&Terms::default());
    fs::copy(job.path("tn/agreement.json"), job.path("tn/first.json")).unwrap();
    let first_run = link(&job, &first, "first.parquet");
    job.run("tn", &["audit", "checkpoint", "--out", "monday", "--key", &key])
        .succeeded();
    for office in ["tn", "it"] {
        job.release(office, &first_run).succeeded();
    }
    job.run("tn", &["flows", "export", &first_run, "--out", "first"])
        .succeeded();

    // The log, as an office sees it, says each step in its order, and holds against what was kept before.
    job.run("it", &["audit", "export", "--out", "log", "--key", &key])
        .succeeded();
    let found = actions(&job.path("it/log"));
    let expected = [
        A::ServiceStarted,
        A::AgreementProposed,
        A::AgreementSigned,
        A::AgreementSigned,
        // What the other office declared is its own business.
        A::DatasetSealed,
        A::DatasetDeclared,
        A::DatasetSealed,
        A::RunQueued,
        A::RunStarted,
        A::RunLinked,
        A::RunFinished,
        A::ResultReleased,
        A::ResultReleased,
        A::TableRead,
        A::RowsRead,
    ];
    assert_eq!(found, expected);
    let verify = |file: &str, more: &[&str]| {
        let common = [
            "audit",
            "verify",
            file,
            "--key",
            &key,
            "--checkpoint",
            "../tn/monday",
        ];
        job.run("it", &[&common[..], more].concat())
    };
    let held = verify("log", &[]).succeeded().stdout;
    assert!(
        held.starts_with("holds: 16 entries, 15 of them readable"),
        "{held}"
    );
    let script = workspace_root()
        .join("tests/python/audit_log.py")
        .display()
        .to_string();
    let checked = python(&[&script, "verify", "log"], &job.path("it")).succeeded();
    assert_eq!(checked.line(), "16 entries, 15 readable");
    let text = fs::read_to_string(job.path("it/log")).unwrap();
    for (from, to, expected) in [
        (
            "\"role\":\"office\",\"action\":\"result_released\"",
            "\"role\":\"auditor\",\"action\":\"result_released\"",
            "entry 12 was altered",
        ),
        ("\n5 ", "\n6 ", "entry 5 is missing; entry 6 follows"),
        (
            "corridor audit export v1",
            "corridor audit export v2",
            "line 1 is not of an audit export",
        ),
    ] {
        let forged = text.replacen(from, to, 1);
        assert_ne!(forged, text);
        fs::write(job.path("it/forged"), forged).unwrap();
        verify("forged", &[]).failed(1, &["the audit log does not hold", expected]);
    }
    let disclosed = job
        .run("it", &["audit", "disclosures", "--json"])
        .succeeded()
        .stdout;
    let disclosed: serde_json::Value = serde_json::from_str(&disclosed).unwrap();
    let told: Vec<_> = disclosed
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["party"].as_str().unwrap(), one["part"].as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            ("INS-TN", "release"),
            ("ISTAT", "release"),
            ("INS-TN", "table"),
            ("INS-TN", "all_rows")
        ]
    );

    // The first run is gone behind the service's back, but for its table, which is held against all the same.
    assert_eq!(job.terminate_server().1, Some(0));
    sql(
        &job,
        &format!("DELETE FROM tiles; DELETE FROM runs WHERE hex(id) = upper('{first_run}')"),
    );
    let objects = job.path("server/data/objects/runs").join(&first_run);
    fs::remove_dir_all(objects.join("tiles")).unwrap();
    fs::remove_file(objects.join("links.parquet")).unwrap();
    job.start_server();
    let second = job.agree(&Terms {
        seed: 2,
        ..Terms::default()
    });
    let second_run = link(&job, &second, "second.parquet");
    job.run("tn", &["run", "manifest", &second_run, "--out", "manifest.json"])
        .succeeded();
    let manifest = RunManifest::from_bytes(&fs::read(job.path("tn/manifest.json")).unwrap()).unwrap();
    assert_eq!(
        (manifest.agreement.to_string(), manifest.held_against.len()),
        (second.clone(), 1)
    );

    // Whoever has the inputs makes the same bytes of them; each other input is named.
    let replay = |agreement: &str, origin: &str, destination: &str, released: &[&str]| {
        let common = [
            "run",
            "replay",
            "manifest.json",
            "--agreement",
            agreement,
            "--origin",
            origin,
            "--destination",
            destination,
        ];
        job.run("tn", &[&common[..], released].concat())
    };
    let (agreement, mine, theirs) = ("agreement.json", "second.parquet", "../it/second.parquet");
    for table in ["first/flows.json", "first/flows.parquet"] {
        let same = replay(agreement, mine, theirs, &["--released", table]).succeeded();
        assert_eq!(same.line(), format!("same bytes: {}", manifest.result));
    }
    let released = ["--released", "first/flows.json"];
    replay("first.json", mine, theirs, &released).failed(1, &["the agreement is another one"]);
    replay(agreement, "first.parquet", theirs, &released)
        .failed(1, &["the dataset of the origin is another one"]);
    replay(agreement, mine, "../it/first.parquet", &released)
        .failed(1, &["the dataset of the destination is another one"]);
    replay(agreement, mine, theirs, &[])
        .failed(1, &["the released table of result", "not among those given"]);
    let alter = |from: &str, to: &str| {
        let text = String::from_utf8(manifest.to_bytes()).unwrap();
        let altered = text.replacen(from, to, 1);
        assert_ne!(altered, text);
        fs::write(job.path("tn/manifest.json"), altered).unwrap();
    };
    alter(&manifest.result.to_string(), &"ab".repeat(32));
    replay(agreement, mine, theirs, &released).failed(1, &["the result differs"]);
    alter(&manifest.program, "corridor 0.0.9");
    replay(agreement, mine, theirs, &released).failed(1, &["the program is another version"]);
    alter("\"seed\":2", "\"seed\":3");
    replay(agreement, mine, theirs, &released).failed(1, &["its parameters are not those of its agreement"]);

    // The operator does so from the store, beside the service, and learns no figure.
    let replayed: Outcome = server_command(
        &job.path("server"),
        &["replay", "--config", "server.toml", &second_run],
    )
    .output()
    .unwrap()
    .into();
    assert_eq!(
        replayed.succeeded().line(),
        format!("same bytes: {}", manifest.result)
    );

    // The log goes on where it was, also for who kept a checkpoint; an entry changed in the database stops the service.
    let later = ["audit", "checkpoint", "--earlier", "monday", "--key", &key];
    let later = job.run("tn", &later).succeeded();
    assert!(
        later.stderr.contains("it continues 1 earlier checkpoints"),
        "{}",
        later.stderr
    );
    job.terminate_server();
    sql(
        &job,
        "DROP TRIGGER audit_entries_unchanged; UPDATE audit_entries SET entry = CAST(replace(entry, 'ISTAT', 'OTHER') AS BLOB) WHERE sequence = 13",
    );
    let refused: Outcome = server_command(&job.path("server"), &["serve", "--config", "server.toml"])
        .output()
        .unwrap()
        .into();
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("tampered with: entry 13 was altered"),
        "{}",
        refused.stderr
    );
}

/// Whoever starts a service takes one that says so for one that has come up.
#[test]
fn a_service_whose_start_cannot_be_logged_does_not_say_that_it_serves() {
    let mut job = Job::start();
    job.terminate_server();
    sql(
        &job,
        "CREATE TRIGGER no_more BEFORE INSERT ON audit_entries BEGIN SELECT RAISE(ABORT, 'no more'); END",
    );
    let ended: Outcome = server_command(&job.path("server"), &["serve", "--config", "server.toml"])
        .output()
        .unwrap()
        .into();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    for said in [ended.stdout, ended.stderr] {
        assert!(!said.contains("serving"), "{said}");
    }
}

#[tokio::test]
async fn each_role_sees_of_the_log_what_it_may() {
    let (service, sample) = (Service::start().await, Sample::new());
    agree(&service, &sample).await;
    let mut seen = Vec::new();
    for (party, readable, disclosures) in [
        (sample::ORIGIN, 4, true),
        (sample::DESTINATION, 4, true),
        ("THIRD", 1, true),
        ("ADMIN", 1, true),
        ("AUDIT", 4, true),
        ("OPS", 4, false),
    ] {
        let client = service.client(party).await;
        let (checkpoint, key) = client.audit_checkpoint().await.unwrap();
        let checkpoint = checkpoint.verify(&key).unwrap().clone();
        let leaves = client.audit_leaves(checkpoint.size).await.unwrap();
        let count = leaves.iter().filter(|leaf| leaf.entry.is_some()).count();
        assert_eq!((leaves.len(), count), (4, readable), "{party}");
        for (sequence, leaf) in (0..).zip(&leaves) {
            let proof = client.audit_inclusion(sequence, checkpoint.size).await.unwrap();
            verify_inclusion(&leaf.leaf, (sequence, checkpoint.size), &proof, &checkpoint.root).unwrap();
        }
        assert_eq!(client.disclosures(None).await.is_ok(), disclosures, "{party}");
        seen.push((
            key,
            checkpoint,
            leaves.iter().map(|leaf| leaf.leaf).collect::<Vec<_>>(),
        ));
    }
    // All are shown the same log.
    assert!(seen.iter().all(|one| *one == seen[0]));
    let error = service.client("UNI").await.audit_checkpoint().await.unwrap_err();
    assert_eq!(error.reason(), Some("ROLE"));
    let client = service.client(sample::ORIGIN).await;
    let of_others = service
        .client("THIRD")
        .await
        .disclosures(Some(sample.agreement.digest()))
        .await;
    assert_eq!(of_others.unwrap_err().reason(), Some("NOT_FOUND"));
    for (earlier, size) in [(0, 4), (3, 2), (1, 99)] {
        assert_eq!(
            client.audit_growth(earlier, size).await.unwrap_err().reason(),
            Some("PROOF")
        );
    }
    let mut raw = AuditServiceClient::new(service.channel(sample::ORIGIN).await);
    let bad = v1::ListDisclosuresRequest {
        agreement_digest: vec![1; 31],
        page_token: String::new(),
    };
    assert_eq!(
        raw.list_disclosures(bad).await.unwrap_err().code(),
        Code::InvalidArgument
    );

    // A restart goes on with the same key and log.
    let before = seen[0].1.clone();
    let service = service.restart().await;
    let client = service.client("AUDIT").await;
    let (checkpoint, key) = client.audit_checkpoint().await.unwrap();
    assert_eq!(key, seen[0].0);
    let now = checkpoint.verify(&key).unwrap();
    assert_eq!(now.size, before.size + 1);
    let proof = client.audit_growth(before.size, now.size).await.unwrap();
    verify_consistency((before.size, &before.root), (now.size, &now.root), &proof).unwrap();
    service.stop().await;
}
