//! The whole job as two offices and a service on different machines do it: with the two binaries, over mutual TLS.

use std::fs;

use corridor_tests::{Job, Terms, corridor, fixture};

#[test]
fn two_offices_get_the_flow_table_a_rehearsal_gives_and_a_killed_service_loses_nothing() {
    let mut job = Job::start();
    let agreement = job.agree(&Terms::default());
    let listed = job.run("it", &["agreement", "show"]).succeeded();
    assert!(
        listed.stdout.contains(&agreement) && listed.stdout.contains("ISTAT"),
        "{}",
        listed.stdout
    );

    for office in ["tn", "it"] {
        let encoded = job.encode(office, "project.key", "dataset.parquet").succeeded();
        assert!(encoded.stderr.contains("it stays here"), "{}", encoded.stderr);
        job.upload(office, "dataset.parquet").succeeded();
        // What was acknowledged is there after a kill.
        job.kill_server();
        job.start_server();
        let again = job.upload(office, "dataset.parquet").succeeded();
        assert!(again.stderr.contains("sealed"), "{}", again.stderr);
    }

    for office in ["tn", "it"] {
        let page = job.run(office, &["run", "plan", &agreement]).succeeded().stdout;
        for words in [
            "records     origin 4,000, destination 4,300",
            "pairs       17 million, every record with every one of the other side",
            "threshold   estimated; pairs are looked at from about 0.",
            "memory      at most",
            "taken       yes",
        ] {
            assert!(page.contains(words), "{words}: {page}");
        }
        // The sample and so the bound depend on the keys, which are drawn anew.
        let bound = page
            .split_once("candidates  at most ")
            .and_then(|(_, rest)| rest.split_once("; fewer are not told"))
            .and_then(|(bound, _)| bound.replace(',', "").parse::<u32>().ok());
        assert!(
            bound.is_some_and(|bound| (20_000..40_000).contains(&bound)),
            "{page}"
        );
        let json = job
            .run(office, &["run", "plan", &agreement, "--json"])
            .succeeded();
        let plan: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
        assert_eq!(
            (&plan["origin_records"], &plan["refusals"]),
            (&4000.into(), &serde_json::json!([]))
        );
    }

    let run = job.run("tn", &["run", "start", &agreement]).succeeded();
    let run = run.line().to_owned();
    // Whatever the worker was at, the run goes on after the kill.
    job.kill_server();
    job.start_server();
    let watched = job.run("it", &["run", "watch", &run, "--json"]).succeeded();
    let status: serde_json::Value = serde_json::from_str(&watched.stdout).unwrap();
    assert_eq!(status["state"], "reconciled");
    assert_eq!(status["tiles_done"], status["tiles_total"]);
    let same = job.run("it", &["run", "start", &agreement]).succeeded();
    assert_eq!(same.line(), run, "the same inputs are the same run");

    // Neither office sees a figure before both released.
    for words in [
        vec!["flows", "show", &run],
        vec!["run", "links", &run, "-o", "links.csv"],
    ] {
        job.run("tn", &words).failed(4, &["both offices must release"]);
    }
    job.release("tn", &run).succeeded();
    job.run("tn", &["flows", "show", &run])
        .failed(4, &["both offices must release"]);
    job.release("it", &run).succeeded();
    let mut seen = Vec::new();
    for office in ["tn", "it"] {
        let page = job.run(office, &["flows", "show", &run]).succeeded().stdout;
        assert!(page.contains("TN → IT") && page.contains("··"), "{page}");
        job.run(office, &["flows", "export", &run, "--out", "tables"])
            .succeeded();
        job.run(office, &["run", "links", &run, "-o", "links.csv"])
            .succeeded();
        let tables = ["flows.csv", "years.csv", "flows.json"]
            .map(|name| fs::read_to_string(job.path(office).join("tables").join(name)).unwrap());
        let pictures = ["mirror_TN-IT.fr.png", "pyramid_IT-TN.en.svg"]
            .map(|name| fs::read(job.path(office).join("tables/pictures").join(name)).unwrap());
        seen.push((
            page,
            tables,
            pictures,
            fs::read_to_string(job.path(office).join("links.csv")).unwrap(),
        ));
    }
    assert_eq!(seen[0], seen[1], "both offices see the same bytes");

    // The rehearsal has other keys, so links may differ in a few pairs; E and I of the published rows do not
    // depend on links below "all", but on the registers alone.
    let rehearsed = corridor(
        &job.path("tn"),
        &[
            "rehearse",
            "--left",
            "register.csv",
            "--right",
            "../it/register.csv",
            "--left-mapping",
            "mapping.toml",
            "--right-mapping",
            "../it/mapping.toml",
            "--schema",
            "generic",
            "--from-year",
            "2022",
            "--to-year",
            "2024",
            "--out",
            "rehearsal",
        ],
    )
    .succeeded();
    assert!(rehearsed.stdout.contains("TN → IT"));
    let years = |text: &str| -> Vec<Vec<String>> {
        text.lines()
            .map(|line| line.split(',').take(5).map(str::to_owned).collect())
            .collect()
    };
    let rehearsed = fs::read_to_string(job.path("tn").join("rehearsal/years.csv")).unwrap();
    let (rehearsed, released) = (years(&rehearsed), years(&seen[0].1[1]));
    assert_eq!(rehearsed.len(), released.len());
    let mut compared = 0;
    for (left, right) in rehearsed.iter().flatten().zip(released.iter().flatten()) {
        // What goes along with a small count depends on the links.
        if left != "suppressed" && right != "suppressed" {
            assert_eq!(left, right);
            compared += 1;
        }
    }
    assert!(compared > 24, "{rehearsed:?}");

    // The pseudonym list reads what comes back: every link names records of both lists.
    let ids = |office: &str| fs::read_to_string(job.path(office).join("dataset.parquet.ids.csv")).unwrap();
    let (left_ids, right_ids) = (ids("tn"), ids("it"));
    assert_eq!(left_ids.lines().count(), 1 + 4019);
    for line in seen[0].3.lines().skip(1).take(50) {
        let (left, rest) = line.split_once(',').unwrap();
        let (right, _) = rest.split_once(',').unwrap();
        assert!(left_ids.contains(left) && right_ids.contains(right));
        assert!(!right_ids.contains(left), "pseudonyms of two offices differ");
    }

    let (log, code) = job.terminate_server();
    assert_eq!(code, Some(0), "{log}");
    assert!(
        log.contains("run taken up again") || log.contains("flow table made"),
        "{log}"
    );
    assert_no_person_in(&log);
}

/// No name, birth date or record id of the registers.
fn assert_no_person_in(text: &str) {
    for register in ["a.csv", "b.csv"] {
        for line in fs::read_to_string(fixture(register)).unwrap().lines().skip(1) {
            let values: Vec<&str> = line.split(',').collect();
            let name = format!("{},{}", values[1], values[2]);
            for value in [values[0], name.as_str(), values[3]] {
                assert!(
                    value.len() < 5 || !text.contains(value),
                    "a value of a record is in the log"
                );
            }
        }
    }
}

#[test]
fn an_agreement_must_be_signed_by_both_before_anything_moves() {
    let job = Job::start();
    let agreement = job.propose(&Terms::default());
    job.sign("tn", &agreement);
    let shown = job
        .run("tn", &["agreement", "show", &agreement, "-o", "agreement.json"])
        .succeeded();
    assert!(shown.stdout.contains("not signed"), "{}", shown.stdout);
    job.encode("tn", "project.key", "dataset.parquet")
        .failed(3, &["agreement.json", "not both offices have signed"]);
    assert!(!job.path("tn").join("dataset.parquet").exists());
    job.run("tn", &["run", "start", &agreement])
        .failed(4, &["both offices must sign it first"]);

    // An identity that is not in the agreement cannot sign for the office.
    let other = [
        "keys",
        "init",
        "--office",
        "ISTAT",
        "--dir",
        "other",
        "--passphrase-file",
        "pass.txt",
    ];
    job.run("it", &other).succeeded();
    let sign = [
        "agreement",
        "sign",
        &agreement,
        "--identity",
        "other/identity.key",
        "--passphrase-file",
        "pass.txt",
    ];
    job.run("it", &sign).failed(
        3,
        &["does not name this identity's office with this identity's key"],
    );
    job.sign("it", &agreement);
    job.run("tn", &["run", "start", &agreement])
        .failed(4, &["both offices must seal a dataset"]);
}

#[test]
fn a_dataset_under_another_agreement_key_or_office_does_not_get_in() {
    let job = Job::start();
    job.agree(&Terms::default());
    job.encode("tn", "project.key", "first.parquet").succeeded();
    job.encode("it", "project.key", "theirs.parquet").succeeded();
    job.upload("tn", "first.parquet").succeeded();
    fs::copy(
        job.path("it").join("theirs.parquet"),
        job.path("tn").join("theirs.parquet"),
    )
    .unwrap();

    // Encoded under the old agreement, offered under a new one; and a profile that is not agreed.
    let other = Terms {
        seed: 2,
        ..Terms::default()
    };
    job.agree(&other);
    job.upload("tn", "first.parquet")
        .failed(3, &["first.parquet", "another agreement"]);

    // An office cannot upload as the other.
    job.agree(&Terms {
        seed: 3,
        ..Terms::default()
    });
    job.encode("it", "project.key", "third.parquet").succeeded();
    fs::copy(
        job.path("it").join("third.parquet"),
        job.path("tn").join("third.parquet"),
    )
    .unwrap();
    job.upload("tn", "third.parquet")
        .failed(4, &["its office is not the one declared"]);

    // Two offices with different keys are told, instead of getting an empty table.
    job.upload("it", "third.parquet").succeeded();
    job.exchange_keys("second.key");
    job.encode("tn", "second.key", "wrong-key.parquet").succeeded();
    job.upload("tn", "wrong-key.parquet")
        .failed(4, &["encoded with another linkage key"]);
    // With the right key it gets in: nothing of the wrong one is in the way.
    job.encode("tn", "project.key", "right-key.parquet").succeeded();
    job.upload("tn", "right-key.parquet").succeeded();
    // A sealed dataset stands.
    job.encode("tn", "project.key", "again.parquet").succeeded();
    let same = job.upload("tn", "again.parquet").succeeded();
    assert!(
        same.stderr.contains("sealed"),
        "the same bytes are the same dataset"
    );
}

#[test]
fn a_dataset_encrypted_where_it_lies_is_the_same_dataset() {
    let job = Job::start();
    job.agree(&Terms::default());
    job.encode("tn", "project.key", "plain.parquet").succeeded();
    let encoded = job
        .encode_with("tn", "project.key", "sealed.enc", &["--encrypt"])
        .succeeded();
    assert!(encoded.stderr.contains("encrypted"), "{}", encoded.stderr);
    let tn = job.path("tn");
    let read = |name: &str| fs::read(tn.join(name)).unwrap();
    let decrypt = |file: &str, out: &str, passphrase: &str| {
        let arguments = ["decrypt", file, "-o", out, "--passphrase-file", passphrase];
        job.run("tn", &arguments)
    };
    for (plain, sealed) in [
        ("plain.parquet", "sealed.enc"),
        ("plain.parquet.ids.csv", "sealed.enc.ids.csv"),
    ] {
        decrypt(sealed, "back", "pass.txt").succeeded();
        assert!(read("back") == read(plain), "{sealed} holds what {plain} does");
        fs::remove_file(tn.join("back")).unwrap();
        // Nothing of the content can be seen: no signature of the format, no pseudonym, no column name.
        let bytes = read(sealed);
        for word in [&b"PAR1"[..], b"record", b"filter"] {
            assert!(
                !bytes.windows(word.len()).any(|window| window == word),
                "{sealed}"
            );
        }
    }

    fs::copy(tn.join("pass.txt"), tn.join("other.txt")).unwrap();
    fs::write(tn.join("other.txt"), "quite another passphrase\n").unwrap();
    let wrong = ["sealed.enc", "the passphrase is wrong or the file was altered"];
    decrypt("sealed.enc", "back", "other.txt").failed(3, &wrong);
    decrypt("plain.parquet", "back", "pass.txt").failed(
        3,
        &["plain.parquet", "no file this program encrypted", "--encrypt"],
    );
    let mut altered = read("sealed.enc");
    let last = altered.len() - 1;
    altered[last] ^= 1;
    fs::write(tn.join("altered.enc"), &altered).unwrap();
    fs::write(tn.join("cut.enc"), &altered[..last - 100]).unwrap();
    let upload = |file: &str, passphrase: &str| {
        let arguments = ["upload", file, "--agreement", "agreement.json"];
        let passphrase = ["--passphrase-file", passphrase];
        job.run("tn", &[&arguments[..], &passphrase].concat())
    };
    for file in ["altered.enc", "cut.enc"] {
        decrypt(file, "back", "pass.txt").failed(3, &[file, "altered or cut off"]);
        upload(file, "pass.txt").failed(3, &[file, "altered or cut off"]);
    }
    assert!(!tn.join("back").exists(), "nothing is left of what did not open");

    upload("sealed.enc", "other.txt").failed(3, &wrong);
    job.upload("tn", "sealed.enc")
        .failed(3, &["no terminal", "--passphrase-file"]);
    let sealed = upload("sealed.enc", "pass.txt").succeeded();
    let plain = job.upload("tn", "plain.parquet").succeeded();
    assert_eq!(sealed.stderr, plain.stderr, "the service has the same dataset");
}

#[test]
fn nothing_is_encoded_under_an_agreement_of_others_making() {
    // Somebody else's keys under the same office names, all properly signed.
    let job = Job::start();
    let forger = Job::start();
    forger.agree(&Terms::default());
    fs::copy(
        forger.path("tn").join("agreement.json"),
        job.path("tn").join("agreement.json"),
    )
    .unwrap();
    job.encode("tn", "project.key", "dataset.parquet").failed(
        3,
        &["not between the two offices that exchanged this project key"],
    );
    assert!(!job.path("tn").join("dataset.parquet").exists());
    assert!(!job.path("tn").join("dataset.parquet.ids.csv").exists());
}

#[test]
fn a_run_is_cancelled_and_taken_up_again() {
    let job = Job::start();
    let agreement = job.agree(&Terms::default());
    for office in ["tn", "it"] {
        job.encode(office, "project.key", "dataset.parquet").succeeded();
        job.upload(office, "dataset.parquet").succeeded();
    }
    let run = job
        .run("tn", &["run", "start", &agreement])
        .succeeded()
        .line()
        .to_owned();
    let cancelled = job.run("it", &["run", "cancel", &run, "--json"]);
    if cancelled.code == Some(0) {
        assert!(cancelled.stdout.contains("\"cancelled\""), "{}", cancelled.stdout);
        job.run("tn", &["flows", "show", &run]).failed(4, &["cancelled"]);
        let again = job.run("tn", &["run", "start", &agreement]).succeeded();
        assert_eq!(again.line(), run);
    } else {
        // The run was faster than the other office.
        cancelled.failed(4, &["reconciled"]);
    }
    let watched = job.run("tn", &["run", "watch", &run]).succeeded();
    assert!(watched.stdout.contains("reconciled"), "{}", watched.stdout);
    job.run("it", &["run", "cancel", &run])
        .failed(4, &["cannot be cancelled"]);
    let shown = job.run("it", &["run", "show", &run, "--json"]).succeeded();
    let status: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(
        (status["state"].as_str(), status["released_by_origin"].as_bool()),
        (Some("reconciled"), Some(false))
    );
}

#[test]
fn a_service_whose_disk_is_full_says_so_and_goes_on_when_there_is_room() {
    let mut job = Job::start();
    job.kill_server();
    // Room for the database, not for a dataset of 1.2 MB beside it.
    job.start_server_on_small_disk(1024);
    let agreement = job.agree(&Terms::default());
    job.encode("tn", "project.key", "dataset.parquet").succeeded();
    let refused = job
        .upload("tn", "dataset.parquet")
        .failed(4, &["the service's disk is full", "nothing acknowledged is lost"]);
    assert!(
        refused.stderr.contains("hint: tell the service's operator"),
        "{}",
        refused.stderr
    );
    // What needs no room still works, and the service did not end.
    job.run("it", &["agreement", "show", &agreement]).succeeded();
    let log = job.kill_server();
    assert!(log.contains("DISK_FULL") && !log.contains("panicked"), "{log}");

    job.start_server();
    job.agree(&Terms::default());
    job.upload("tn", "dataset.parquet").succeeded();
}

#[test]
fn a_run_that_meets_a_full_disk_goes_on_when_there_is_room() {
    let mut job = Job::start();
    job.kill_server();
    job.start_server_on_small_disk(16 * 1024);
    let agreement = job.agree(&Terms::default());
    for office in ["tn", "it"] {
        job.encode(office, "project.key", "dataset.parquet").succeeded();
        job.upload(office, "dataset.parquet").succeeded();
    }
    // Somebody fills the disk to the last byte.
    let filler = job.small_disk().join("filler");
    let mut file = fs::File::create(&filler).unwrap();
    while std::io::Write::write_all(&mut file, &[0; 512]).is_ok() {}
    let started = job.run("tn", &["run", "start", &agreement]);
    if started.code == Some(0) {
        // There was room for the note, not for the work.
        let watched = job.run("tn", &["run", "watch", started.line()]);
        assert_ne!(watched.code, Some(0), "{}", watched.stdout);
    } else {
        started.failed(4, &["disk is full"]);
    }
    // The service is still there.
    job.run("it", &["agreement", "show", &agreement]).succeeded();
    // The room is given back when nobody has the file open any more.
    drop(file);
    fs::remove_file(&filler).unwrap();
    let run = job
        .run("tn", &["run", "start", &agreement])
        .succeeded()
        .line()
        .to_owned();
    let watched = job.run("tn", &["run", "watch", &run]).succeeded();
    assert!(watched.stdout.contains("reconciled"), "{}", watched.stdout);
    let log = job.kill_server();
    assert!(!log.contains("panicked"), "{log}");
}
