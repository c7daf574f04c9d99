//! A service that is asked to end in the middle of an upload, a watch and a run.

use std::fs;
use std::time::Duration;

use corridor_cli::{Client, Connection, to_frames};
use corridor_core::{DatasetState, RunState};
use corridor_tests::Job;
use corridor_tests::sample::{self, Sample, SampleTerms};
use corridor_wire::v1;
use corridor_wire::v1::dataset_service_client::DatasetServiceClient;
use corridor_wire::v1::run_service_client::RunServiceClient;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// A job whose service takes the certificates of its offices for those of the sample's.
fn job() -> Job {
    let mut job = Job::start();
    job.kill_server();
    job.set(&[
        ("id = \"INS-TN\"", &format!("id = \"{}\"", sample::ORIGIN)),
        ("id = \"ISTAT\"", &format!("id = \"{}\"", sample::DESTINATION)),
    ]);
    job.start_server();
    job
}

fn connection(job: &Job, office: &str) -> Connection {
    let name = if office == sample::ORIGIN {
        "INS-TN"
    } else {
        "ISTAT"
    };
    let read = |file: &str| fs::read_to_string(job.path("server").join("certs").join(file)).unwrap();
    Connection {
        server: format!("https://localhost:{}", job.server().address().port()),
        ca: read("ca.pem"),
        certificate: read(&format!("{name}.pem")),
        private_key: read(&format!("{name}.key")),
    }
}

async fn client(job: &Job, office: &str) -> Client {
    Client::connect(&connection(job, office)).await.unwrap()
}

async fn channel(job: &Job, office: &str) -> Channel {
    let connection = connection(job, office);
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(&connection.ca))
        .identity(Identity::from_pem(
            &connection.certificate,
            &connection.private_key,
        ));
    let endpoint = Endpoint::from_shared(connection.server).unwrap();
    endpoint.tls_config(tls).unwrap().connect().await.unwrap()
}

async fn agree(job: &Job, sample: &Sample) {
    let origin = client(job, sample::ORIGIN).await;
    let proposal = sample.agreement.to_canonical_bytes();
    origin.propose_agreement(proposal).await.unwrap();
    for (office, signature) in sample.signatures() {
        let client = client(job, office).await;
        client
            .sign_agreement(sample.agreement.digest(), &signature)
            .await
            .unwrap();
    }
}

fn assert_says_when_to_come_back(status: &Status) {
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    let details = status.get_error_details();
    assert_eq!(details.error_info().unwrap().reason, "DRAINING");
    let wait = details.retry_info().unwrap().retry_delay.unwrap();
    assert!(wait >= Duration::from_secs(1), "{wait:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_ends_tells_who_uploads_and_watches_and_loses_nothing_it_acknowledged() {
    let mut job = job();
    // A run that takes a while, and another agreement under which an upload is under way.
    let running = Sample::of(&SampleTerms {
        records: 30_000,
        ..SampleTerms::default()
    });
    let uploading = Sample::of(&SampleTerms {
        seed: 2,
        ..SampleTerms::default()
    });
    agree(&job, &running).await;
    agree(&job, &uploading).await;
    for (declaration, bytes) in &running.datasets {
        let client = client(&job, declaration.office.as_str()).await;
        let sealed = client.upload(declaration, bytes, &|_| {}).await.unwrap();
        assert_eq!(sealed.state, DatasetState::Sealed);
    }
    let origin = client(&job, sample::ORIGIN).await;
    let run = origin.start_run(running.agreement.digest()).await.unwrap();
    let mut watch = RunServiceClient::new(channel(&job, sample::DESTINATION).await)
        .watch_run(v1::WatchRunRequest {
            run_id: run.id.as_bytes().to_vec(),
        })
        .await
        .unwrap()
        .into_inner();
    watch.message().await.unwrap().unwrap();

    let (declaration, bytes) = &uploading.datasets[0];
    let status = origin.declare_dataset(declaration).await.unwrap();
    let frames = to_frames(&status, bytes);
    let (sender, receiver) = mpsc::channel(1);
    sender.send(frames[0].clone()).await.unwrap();
    let mut upload = DatasetServiceClient::new(channel(&job, sample::ORIGIN).await)
        .upload_dataset(ReceiverStream::new(receiver))
        .await
        .unwrap()
        .into_inner();
    let acknowledged = upload.message().await.unwrap().unwrap();
    assert_eq!(acknowledged.next_sequence, 1);

    let asked = Instant::now();
    let reading = async {
        let uploaded = upload.message().await.unwrap_err();
        let watched = loop {
            match watch.message().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("the run was over before the service was"),
                Err(status) => break status,
            }
        };
        (uploaded, watched)
    };
    let (ended, (uploaded, watched)) = tokio::join!(
        async { tokio::task::block_in_place(|| job.terminate_server()) },
        reading
    );
    assert_says_when_to_come_back(&uploaded);
    assert_says_when_to_come_back(&watched);
    let (log, code) = ended;
    assert_eq!(code, Some(0), "{log}");
    assert!(asked.elapsed() < Duration::from_secs(14), "{:?}", asked.elapsed());
    assert!(
        log.contains("shutting down") && log.trim_end().ends_with("ended"),
        "{log}"
    );

    job.start_server();
    let origin = client(&job, sample::ORIGIN).await;
    let status = origin.declare_dataset(declaration).await.unwrap();
    assert_eq!(
        (status.next_sequence, status.acknowledged_bytes),
        (1, acknowledged.acknowledged_bytes)
    );
    let sealed = origin.upload(declaration, bytes, &|_| {}).await.unwrap();
    assert_eq!(sealed.state, DatasetState::Sealed);
    let taken_up = origin.run(run.id).await.unwrap();
    assert!(taken_up.state != RunState::Failed, "{}", taken_up.reason);
    let (log, code) = tokio::task::block_in_place(|| job.terminate_server());
    assert_eq!(code, Some(0), "{log}");
}
