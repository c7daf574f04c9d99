//! The complaint "a multi-gigabyte upload over a poor line": it must end, byte-equal, with nothing counted twice.
//!
//! Here with tens of megabytes and cuts as many times as often; `cargo run --release -p corridor-tests --bin faults -- --upload-mb
//! 4000` does it with gigabytes.

use std::fs;
use std::path::Path;
use std::time::Duration;

use corridor_cli::{LineTerms, UploadEvent};
use corridor_core::{DatasetState, SeededEntropy, Side, SignedAgreement, ThresholdPolicy};
use corridor_tests::sample::{self, Sample, SampleFilters, SampleTerms};
use corridor_tests::{LineFaults, Outcome, PoorLine, command};

use crate::complaints::agree;
use crate::service::Service;

/// A dataset of many frames.
fn large_sample() -> Sample {
    Sample::of(&SampleTerms {
        records: 100_000,
        filters: SampleFilters::Random,
        threshold: ThresholdPolicy::Fixed("0.5".parse().unwrap()),
        ..SampleTerms::default()
    })
}

/// What `corridor upload` needs in a folder: the dataset, the signed agreement and a service file that leads over the line.
fn write_office(folder: &Path, service: &Service, line: &PoorLine, sample: &Sample) {
    let [(_, origin), (_, destination)] = sample.signatures();
    let signed = SignedAgreement {
        agreement: sample.agreement.clone(),
        origin_signature: Some(origin),
        destination_signature: Some(destination),
    };
    assert!(signed.signature(Side::Origin).is_some());
    fs::write(
        folder.join("agreement.json"),
        serde_json::to_vec(&signed).unwrap(),
    )
    .unwrap();
    fs::write(folder.join("dataset.parquet"), &sample.datasets[0].1).unwrap();
    let connection = service.connection(sample::ORIGIN);
    for (name, text) in [
        ("ca.pem", &connection.ca),
        ("office.pem", &connection.certificate),
        ("office.key", &connection.private_key),
    ] {
        fs::write(folder.join(name), text).unwrap();
    }
    let text = format!(
        "server = \"https://localhost:{}\"\nca = \"ca.pem\"\ncertificate = \"office.pem\"\nprivate_key = \"office.key\"\n",
        line.address().port()
    );
    fs::write(folder.join("service.toml"), text).unwrap();
}

/// `corridor upload`, while the service of this process goes on serving.
fn upload(folder: &Path, more: &[&str]) -> Outcome {
    let arguments = ["upload", "dataset.parquet", "--agreement", "agreement.json"];
    command(folder, &[&arguments[..], more].concat())
        .output()
        .unwrap()
        .into()
}

#[tokio::test(flavor = "multi_thread")]
async fn multi_gigabyte_upload_over_a_poor_line_ends_byte_equal_and_counts_nothing_twice() {
    let (service, sample) = (Service::start().await, large_sample());
    agree(&service, &sample).await;
    let faults = LineFaults {
        seed: 3,
        // The first connections are cut before they carried a frame of the usual size.
        cut_after: Some(300_000..=6_000_000),
        stalls_one_in: 12,
        ..LineFaults::NONE
    };
    let line = PoorLine::start(service.address, faults);
    let folder = tempfile::tempdir().unwrap();
    write_office(folder.path(), &service, &line, &sample);
    let done = upload(folder.path(), &["--stalled-after", "3", "--give-up-after", "240"]).succeeded();

    let cuts = line.cuts() + line.stalls();
    assert!(cuts >= 5, "{cuts} cuts");
    assert!(
        done.stderr.contains("bytes acknowledged; going on from there in"),
        "{}",
        done.stderr
    );
    let said = done
        .stderr
        .lines()
        .find(|line| line.starts_with("the line was cut"));
    let told: u64 = said.unwrap().split(' ').nth(4).unwrap().parse().unwrap();
    // One that the last answer came over is no cut to the office; a service that is slow to answer on a busy machine is one.
    assert!(told + 1 >= cuts, "{told} of {cuts} cuts: {}", done.stderr);

    // Sealed is what was declared: the service has checked the digest of the whole file, and counts each byte once.
    let (declaration, bytes) = &sample.datasets[0];
    let client = service.client(sample::ORIGIN).await;
    let status = client.declare_dataset(declaration).await.unwrap();
    assert_eq!(
        (status.state, status.acknowledged_bytes),
        (DatasetState::Sealed, declaration.total_bytes)
    );
    let sent = u64::try_from(bytes.len()).unwrap();
    assert_eq!(declaration.total_bytes, sent);
    let again = line.carried() - sent;
    // Sent again is at most what was under way at each cut: some frames, and not the file from its beginning.
    assert!(
        again < cuts * (6 << 20),
        "{again} bytes more than the file in {cuts} cuts"
    );
    println!(
        "{sent} bytes, {} cuts, {} stalls, {again} bytes sent besides",
        line.cuts(),
        line.stalls()
    );
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_carries_nothing_is_given_up_and_what_was_acknowledged_is_kept() {
    let (service, sample) = (Service::start().await, Sample::new());
    agree(&service, &sample).await;
    let line = PoorLine::start(service.address, LineFaults::NONE);
    let folder = tempfile::tempdir().unwrap();
    write_office(folder.path(), &service, &line, &sample);
    // Enough to connect and to declare, not for the smallest frame.
    line.set_faults(LineFaults {
        cut_after: Some(20_000..=30_000),
        ..LineFaults::NONE
    });
    upload(folder.path(), &["--give-up-after", "3"]).failed(
        5,
        &[
            "given up: no byte more was acknowledged for 3 s",
            "the same command goes on where it was",
        ],
    );
    assert!(line.cuts() >= 2, "it was tried again");
    let once = upload(folder.path(), &["--give-up-after", "0"]);
    assert!(!once.stderr.contains("going on from there"), "{}", once.stderr);
    once.failed(5, &["given up"]);

    line.set_faults(LineFaults::NONE);
    let done = upload(folder.path(), &[]).succeeded();
    assert!(!done.stderr.contains("cut"), "{}", done.stderr);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_uploads_of_one_file_at_once_in_frames_of_different_sizes_both_end() {
    let (service, sample) = (Service::start().await, large_sample());
    agree(&service, &sample).await;
    // One line carries frames of the usual size, the other none but small ones.
    let poor = LineFaults {
        seed: 5,
        cut_after: Some(300_000..=900_000),
        ..LineFaults::NONE
    };
    let slow = LineFaults {
        bytes_per_second: Some(8 << 20),
        ..LineFaults::NONE
    };
    let lines = [poor, slow].map(|faults| PoorLine::start(service.address, faults));
    let (declaration, bytes) = &sample.datasets[0];
    let uploads = lines.iter().zip(1..).map(|(line, seed)| {
        let connection = corridor_cli::Connection {
            server: format!("https://localhost:{}", line.address().port()),
            ..service.connection(sample::ORIGIN)
        };
        async move {
            let client = corridor_cli::Client::connect(&connection).await.unwrap();
            let mut cuts = 0;
            let mut last = 0;
            let tell = &mut |event: UploadEvent<'_>| match event {
                UploadEvent::Acknowledged(bytes) => {
                    assert!(bytes >= last, "{last} bytes were acknowledged, and then {bytes}");
                    last = bytes;
                }
                UploadEvent::Interrupted { .. } => cuts += 1,
            };
            let terms = LineTerms {
                give_up_after: Duration::from_secs(60),
                ..LineTerms::default()
            };
            let entropy = &mut SeededEntropy::new(seed, "waits");
            let outcome = client
                .upload_patiently((declaration, bytes), terms, entropy, tell)
                .await;
            (outcome.unwrap(), cuts)
        }
    });
    let done = futures::future::join_all(uploads).await;
    for (status, _) in &done {
        assert_eq!(
            (status.state, status.acknowledged_bytes),
            (DatasetState::Sealed, declaration.total_bytes)
        );
    }
    assert!(done[0].1 >= 1, "the poor line was cut");
    service.stop().await;
}
