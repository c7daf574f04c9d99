//! What is left when somebody ends a command in the middle.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use corridor_tests::{Job, Terms, command};

fn files(folder: &Path) -> BTreeSet<String> {
    let names = fs::read_dir(folder).unwrap();
    names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn an_encoding_that_is_interrupted_leaves_nothing() {
    let job = Job::start();
    job.agree(&Terms::default());
    let folder = job.path("tn");
    // The register comes through a pipe, so that the encoding waits in the middle for as long as it takes.
    let register = fs::read_to_string(folder.join("register.csv")).unwrap();
    let made = Command::new("mkfifo").arg(folder.join("pipe.csv")).status();
    assert!(made.unwrap().success());
    let before = files(&folder);
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let child = command(
            &folder,
            &[
                "encode",
                "--mapping",
                "mapping.toml",
                "--agreement",
                "agreement.json",
                "--key",
                "project.key",
                "--pseudonyms",
                "ids.csv",
                "--passphrase-file",
                "pass.txt",
                "--max-refused",
                "1%",
                "pipe.csv",
                "-o",
                "dataset.parquet",
            ],
        )
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
        // More than a pipe holds: when it is written, some of it was read.
        let mut pipe = OpenOptions::new()
            .write(true)
            .open(folder.join("pipe.csv"))
            .unwrap();
        assert!(register.len() > 1 << 17);
        pipe.write_all(register.as_bytes()).unwrap();
        assert!(files(&folder).len() > before.len(), "it has begun");
        let sent = Command::new("kill")
            .args([&format!("-{signal}"), &child.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
        let ended = child.wait_with_output().unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(code), "{said}");
        assert!(said.contains("no file was left half written"), "{said}");
        assert_eq!(files(&folder), before);
    }
}
