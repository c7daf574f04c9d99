//! What an auditor sees with `pyarrow`. `tests/run` installs it in `target/python`.

use std::process::Command;

use corridor_tests::{Job, Terms, workspace_root};

#[test]
fn pyarrow_reads_a_dataset_and_the_pseudonym_list_fits_it() {
    let python = workspace_root().join("target/python/bin/python");
    assert!(
        python.exists(),
        "run tests/run, which installs pyarrow in target/python"
    );
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
