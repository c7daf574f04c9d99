//! A service is backed up while it runs, destroyed, and restored over the other database.

use corridor_testkit::{PASSWORD, PostgresDatabase};
use corridor_tests::{Job, Outcome, Terms, dataset_files, server_command, write_private};

fn run_server(job: &Job, arguments: &[&str]) -> Outcome {
    server_command(&job.path("server"), arguments)
        .output()
        .unwrap()
        .into()
}

#[test]
fn what_is_restored_serves_the_same() {
    let database = PostgresDatabase::create();
    let mut job = Job::start();
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
    job.run("it", &["run", "watch", &run]).succeeded();
    for office in ["tn", "it"] {
        job.release(office, &run).succeeded();
    }
    let look = |job: &Job| {
        ["tn", "it"].map(|office| {
            let table = job.run(office, &["flows", "show", &run]).succeeded().stdout;
            let shown = job
                .run(office, &["run", "show", &run, "--json"])
                .succeeded()
                .stdout;
            let uploaded = job.upload(office, "dataset.parquet").succeeded().stderr;
            assert!(uploaded.contains("sealed"), "{uploaded}");
            (table, shown)
        })
    };
    let before = look(&job);
    let made = run_server(&job, &["backup", "--config", "server.toml", "--out", "backup"]).succeeded();
    assert!(
        made.stdout.contains("copied to backup:") && made.stdout.contains("master key"),
        "{}",
        made.stdout
    );
    // An office has its dataset purged afterwards: the backup does not know of it.
    let stored = dataset_files(&job.path("server").join("data"));
    let ids = stored
        .iter()
        .filter_map(|name| Some(name.rsplit_once('/')?.1.trim_end_matches(".parquet").to_owned()));
    let is_of_tn = |id: &String| job.run("tn", &["dataset", "show", id]).code == Some(0);
    let dataset = ids.into_iter().find(is_of_tn).unwrap();
    let purge = [
        "dataset",
        "purge",
        &dataset,
        "--for-good",
        "-o",
        "certificate.json",
    ];
    job.run("tn", &purge).succeeded();
    job.kill_server();
    let server = job.path("server");
    // What a backup does not hold and an operator keeps apart.
    let keys = ["master.key", "audit.key", "certificate.key"];
    let kept = keys.map(|name| std::fs::read(server.join("data").join(name)).unwrap());
    std::fs::remove_dir_all(server.join("data")).unwrap();

    let settings = std::fs::read_to_string(server.join("server.toml")).unwrap();
    let other = settings + "\n[database]\nurl_file = \"database.url\"\n";
    std::fs::write(server.join("other.toml"), other).unwrap();
    write_private(&server.join("database.url"), &database.url()).unwrap();
    run_server(&job, &["check-config", "--config", "other.toml"]).succeeded();
    let restore = ["restore", "--config", "other.toml", "--from", "backup"];
    // A digest that does not fit is found before anything is changed.
    let tables = server.join("backup/tables/runs.jsonl");
    let sound = std::fs::read(&tables).unwrap();
    std::fs::write(&tables, &sound[1..]).unwrap();
    let refused = run_server(&job, &restore);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("the backup is damaged: runs"),
        "{}",
        refused.stderr
    );
    std::fs::write(&tables, sound).unwrap();
    let restored = run_server(&job, &restore).succeeded();
    assert!(
        restored.stdout.contains("corridor-server purge --certificate"),
        "{}",
        restored.stdout
    );
    let again = run_server(&job, &restore);
    assert_eq!(again.code, Some(1));
    assert!(
        again.stderr.contains("into an empty service only"),
        "{}",
        again.stderr
    );

    for (name, key) in keys.iter().zip(kept) {
        let path = server.join("data").join(name);
        std::fs::write(&path, key).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    }
    job.start_server_with("other.toml");
    assert!(look(&job) == before, "tables, runs and datasets are as they were");
    let (log, code) = job.terminate_server();
    assert_eq!(code, Some(0));
    assert!(!log.contains(PASSWORD), "a password is in the log");
    // The restore is in the audit log, and what was purged since the backup is purged again.
    std::fs::copy(
        job.path("tn").join("certificate.json"),
        server.join("certificate.json"),
    )
    .unwrap();
    let purge = [
        "purge",
        "--config",
        "other.toml",
        "--certificate",
        "certificate.json",
    ];
    for said in ["1 datasets purged again", "0 datasets purged again"] {
        let done = run_server(&job, &purge).succeeded();
        assert!(done.stdout.starts_with(said), "{}", done.stdout);
    }
    job.start_server_with("other.toml");
    let shown = job
        .run("tn", &["dataset", "show", &dataset, "--json"])
        .succeeded();
    assert!(shown.stdout.contains("\"purged\""), "{}", shown.stdout);
    let exported = ["audit", "export", "--out", "log.audit"];
    job.run("tn", &exported).succeeded();
    let log = std::fs::read_to_string(job.path("tn").join("log.audit")).unwrap();
    assert_eq!(log.matches("\"store_restored\"").count(), 1, "it says so once");
    job.kill_server();

    // Others may read the file with the password: nothing is started.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(server.join("database.url"), open).unwrap();
    let refused = run_server(&job, &["check-config", "--config", "other.toml"]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("chmod 600"), "{}", refused.stderr);
}
