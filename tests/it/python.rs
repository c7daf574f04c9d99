//! What others do with Python: read what is theirs, and call the service. `tests/run` installs what they need in `target/python`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use corridor_core::{SeededEntropy, fill};
use corridor_encode::Identity;
use corridor_tests::{Job, OFFICES, Terms, binaries, workspace_root};

pub(crate) fn python() -> PathBuf {
    let python = workspace_root().join("target/python/bin/python");
    assert!(
        python.exists(),
        "run tests/run, which installs what is needed in target/python"
    );
    python
}

#[test]
fn pyarrow_reads_a_dataset_and_the_pseudonym_list_fits_it() {
    let python = python();
    let job = Job::start();
    let agreement = job.agree(&Terms::default());
    job.encode("tn", "project.key", "dataset.parquet").succeeded();
    let output = Command::new(python)
        .arg(workspace_root().join("tests/python/read_dataset.py"))
        .args([
            "dataset.parquet",
            "dataset.parquet.ids.csv",
            "register.csv",
            &agreement,
        ])
        .current_dir(job.path("tn"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(String::from_utf8_lossy(&output.stdout), "4019 records read\n");
}

#[test]
fn a_client_made_from_the_published_protocol_alone_does_the_whole_job() {
    let python = python();
    let job = Job::start();
    for (seed, (office, id)) in (1..).zip(OFFICES) {
        use_known_identity(&job.path(office), id, seed);
    }
    job.exchange_keys("foreign.key");
    let output = Command::new(python)
        .arg(workspace_root().join("tests/python/office_job.py"))
        .arg(format!("localhost:{}", job.server_address().port()))
        .arg(binaries().join("corridor"))
        .arg(workspace_root().join("proto"))
        .current_dir(job.path(""))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(said.ends_with("not met:\n"), "{said}");
}

/// Gives an office keys that another program can hold as well: those of the seed in `signing.seed`.
fn use_known_identity(folder: &Path, office: &str, seed: u64) {
    let entropy = || SeededEntropy::new(seed, "an office with a client of its own");
    let mut signing_seed = [0; 32];
    fill(&mut entropy(), &mut signing_seed);
    let hexadecimal: String = signing_seed.iter().map(|byte| format!("{byte:02x}")).collect();
    fs::write(folder.join("signing.seed"), hexadecimal).unwrap();

    let identity = Identity::generate(office.parse().unwrap(), &mut entropy());
    let passphrase = fs::read_to_string(folder.join("pass.txt")).unwrap();
    let keys = folder.join("keys");
    fs::remove_dir_all(&keys).unwrap();
    fs::create_dir(&keys).unwrap();
    let file = keys.join("identity.key");
    identity
        .save(&file, passphrase.trim_end().as_bytes(), &mut entropy())
        .unwrap();
    fs::write(keys.join("identity.pub"), identity.to_public().to_json()).unwrap();
}
