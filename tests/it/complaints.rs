//! What offices complained of in services like this one, each held against ours. The upload over a poor line is in `poor_line`.

use corridor_cli::{Client, Connection};
use corridor_core::{Digest, RunState, RunStatus, ThresholdPolicy};
use corridor_encode::write_dataset;
use corridor_server::{LimitsConfig, PartyLimits, TrialCa};
use corridor_store::parse_dataset;
use corridor_tests::read_descriptors;
use corridor_tests::sample::{self, Sample, SampleFilters, SampleTerms};
use corridor_wire::v1;
use corridor_wire::v1::run_service_client::RunServiceClient;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;
use tonic_types::StatusExt as _;

use crate::service::Service;

/// The sample's agreement, proposed and signed by both offices.
pub(crate) async fn agree(service: &Service, sample: &Sample) {
    let origin = service.client(sample::ORIGIN).await;
    let canonical = sample.agreement.to_canonical_bytes();
    origin.propose_agreement(canonical).await.unwrap();
    for (office, signature) in sample.signatures() {
        let client = service.client(office).await;
        client
            .sign_agreement(sample.agreement.digest(), &signature)
            .await
            .unwrap();
    }
}

fn small_sample() -> Sample {
    Sample::of(&SampleTerms {
        records: 2000,
        filters: SampleFilters::Groups(3),
        threshold: ThresholdPolicy::Fixed("0.5".parse().unwrap()),
        ..SampleTerms::default()
    })
}

/// Starts the run and follows it to its end; gives every status that was told.
async fn run_to_its_end(client: &Client, sample: &Sample) -> Vec<RunStatus> {
    let run = client.start_run(sample.agreement.digest()).await.unwrap();
    let seen = std::sync::Mutex::new(Vec::new());
    client
        .watch_run(run.id, &|status| seen.lock().unwrap().push(status.clone()))
        .await
        .unwrap();
    seen.into_inner().unwrap()
}

/// Both release, and the origin reads: what was released, and the emigrations and immigrations of all moves.
async fn released(service: &Service, sample: &Sample, run: &RunStatus) -> (Digest, [Option<u64>; 2]) {
    for (office, signature) in sample.release_signatures(run.result.unwrap()) {
        let client = service.client(office).await;
        client.release(run.id, &signature).await.unwrap();
    }
    let client = service.client(sample::ORIGIN).await;
    let (table, _, digest) = client.flow_table(run.id).await.unwrap();
    let all = table.rows.iter().find(|row| row.group.0.is_empty()).unwrap();
    let count = |measure| all.counts.get(measure);
    use corridor_engine::Measure::{Emigrations, Immigrations};
    (digest, [count(Emigrations), count(Immigrations)])
}

#[tokio::test]
async fn double_upload_counted_twice() {
    let sample = small_sample();
    let mut results = Vec::new();
    for times in [1, 3] {
        let service = Service::start_with(LimitsConfig {
            each_party: PartyLimits {
                max_uploads: 3.try_into().unwrap(),
                ..PartyLimits::DEFAULT
            },
            ..LimitsConfig::default()
        })
        .await;
        agree(&service, &sample).await;
        for ((declaration, bytes), office) in
            sample.datasets.iter().zip([sample::ORIGIN, sample::DESTINATION])
        {
            // At once, over connections of their own, and once more when it is sealed.
            let clients = [service.client(office).await, service.client(office).await];
            let uploads = (0..times).map(|number| clients[number % 2].upload(declaration, bytes, &|_| {}));
            for outcome in futures::future::join_all(uploads).await {
                assert_eq!(outcome.unwrap().acknowledged_bytes, declaration.total_bytes);
            }
            let again = clients[0].upload(declaration, bytes, &|_| {}).await.unwrap();
            assert_eq!(again.declaration.record_count, 2000);
        }
        let client = service.client(sample::ORIGIN).await;
        let statuses = run_to_its_end(&client, &sample).await;
        results.push(released(&service, &sample, statuses.last().unwrap()).await);
        service.stop().await;
    }
    assert_eq!(results[0], results[1]);
    assert_eq!(results[0].1, [Some(2000), Some(2000)], "each record is one move");
}

/// A channel with a certificate or without; `None` when the connection is refused.
async fn connect(service: &Service, identity: Option<Identity>) -> Option<Channel> {
    let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(service.ca.to_pem()));
    let tls = match identity {
        Some(identity) => tls.identity(identity),
        None => tls,
    };
    let endpoint = Endpoint::from_shared(format!("https://localhost:{}", service.address.port())).unwrap();
    endpoint.tls_config(tls).unwrap().connect().await.ok()
}

/// What comes of a call of any method with an empty message.
async fn call(channel: Channel, path: &str) -> Result<(), Status> {
    let mut grpc = tonic::client::Grpc::new(channel);
    grpc.ready()
        .await
        .map_err(|error| Status::unavailable(error.to_string()))?;
    let codec = ProstCodec::<(), ()>::default();
    let frames = tokio_stream::iter([()]);
    let called = grpc
        .streaming(Request::new(frames), path.parse().unwrap(), codec)
        .await?;
    called.into_inner().message().await.map(drop)
}

#[tokio::test]
async fn project_list_readable_without_a_token() {
    let (service, sample) = (Service::start().await, small_sample());
    agree(&service, &sample).await;
    let identity = |ca: &TrialCa, name: &str| {
        let pair = ca.issue_client(name).unwrap();
        Identity::from_pem(pair.certificate, pair.private_key)
    };
    let callers = [
        ("without a certificate", None),
        (
            "of another authority",
            Some(identity(&TrialCa::new().unwrap(), sample::ORIGIN)),
        ),
        ("that nobody listed", Some(identity(&service.ca, "STRANGER"))),
    ];
    let set = read_descriptors(corridor_wire::DESCRIPTOR_SET).unwrap();
    let mut methods = Vec::new();
    for file in &set.file {
        for service in &file.service {
            let name = service.name();
            methods.extend(
                service
                    .method
                    .iter()
                    .map(|method| format!("/{}.{name}/{}", file.package(), method.name())),
            );
        }
    }
    assert!(
        methods.contains(&"/corridor.v1.AgreementService/ListAgreements".to_owned()),
        "{methods:?}"
    );
    for (who, identity) in callers {
        for method in &methods {
            // With TLS 1.3 a refusal may come with the first call instead of with the handshake.
            let Some(channel) = connect(&service, identity.clone()).await else {
                assert_ne!(who, "that nobody listed");
                continue;
            };
            let status = call(channel, method).await.unwrap_err();
            if who == "that nobody listed" {
                let details = status.get_error_details();
                let reason = details.error_info().map(|info| info.reason.as_str());
                assert_eq!(
                    (status.code(), reason),
                    (Code::Unauthenticated, Some("CALLER_UNKNOWN")),
                    "{method}"
                );
            } else {
                assert!(
                    status.get_error_details().error_info().is_none(),
                    "{method} was answered {who}: {status}"
                );
            }
        }
    }
    // And one who is known, but no party, is told of nothing.
    let third = service.client("THIRD").await;
    assert!(third.list_agreements().await.unwrap().is_empty());
    let known = service.client(sample::ORIGIN).await;
    assert_eq!(known.list_agreements().await.unwrap().len(), 1);
    service.stop().await;
}

#[tokio::test]
async fn schema_stored_and_never_enforced() {
    let (service, sample) = (Service::start().await, small_sample());
    agree(&service, &sample).await;
    let client = service.client(sample::ORIGIN).await;
    let (declaration, bytes) = &sample.datasets[0];
    // The same records under another schema, in a file that is sound in itself.
    let mut dataset = parse_dataset(bytes.clone()).unwrap();
    dataset.manifest.schema = Digest::of(b"another schema");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dataset.parquet");
    let content = write_dataset(&dataset, &path).unwrap();
    let other: bytes::Bytes = std::fs::read(&path).unwrap().into();
    let honest = corridor_core::DatasetDeclaration {
        schema: dataset.manifest.schema,
        total_bytes: u64::try_from(other.len()).unwrap(),
        content,
        ..declaration.clone()
    };
    let error = client.upload(&honest, &other, &|_| {}).await.unwrap_err();
    assert_eq!(error.reason(), Some("DATASET_MISMATCH"), "{error}");
    // One that says it were of the agreed schema gets as far as the file is looked into.
    let lying = corridor_core::DatasetDeclaration {
        schema: declaration.schema,
        ..honest
    };
    let error = client.upload(&lying, &other, &|_| {}).await.unwrap_err();
    assert_eq!(error.reason(), Some("DATASET_MISMATCH"), "{error}");
    assert!(error.to_string().contains("schema"), "{error}");
    // Filters of another length than agreed, likewise.
    let agreed = client.upload(declaration, bytes, &|_| {}).await.unwrap();
    assert_eq!(agreed.declaration.schema, sample.agreement.encoding.schema);
    service.stop().await;
}

#[tokio::test]
async fn failed_runs_with_no_reason() {
    let service = Service::start().await;
    // Nobody resembles anybody: no threshold can be estimated.
    let sample = Sample::of(&SampleTerms {
        records: 600,
        filters: SampleFilters::Random,
        threshold: ThresholdPolicy::Estimated,
        ..SampleTerms::default()
    });
    agree(&service, &sample).await;
    for ((declaration, bytes), office) in sample.datasets.iter().zip([sample::ORIGIN, sample::DESTINATION]) {
        let client = service.client(office).await;
        client.upload(declaration, bytes, &|_| {}).await.unwrap();
    }
    let client = service.client(sample::ORIGIN).await;
    let failed = run_to_its_end(&client, &sample).await.pop().unwrap();
    assert_eq!(failed.state, RunState::Failed);
    assert!(
        failed.reason.contains("threshold") && failed.reason.len() > 40,
        "{:?}",
        failed.reason
    );
    // The other office is told the same, and in every way of asking.
    let mut other = RunServiceClient::new(service.channel(sample::DESTINATION).await);
    let request = v1::ListRunsRequest {
        agreement_digest: sample.agreement.digest().as_bytes().to_vec(),
    };
    let listed = other.list_runs(request).await.unwrap().into_inner().runs;
    assert_eq!(listed[0].reason, failed.reason);
    let got = service
        .client(sample::DESTINATION)
        .await
        .run(failed.id)
        .await
        .unwrap();
    assert_eq!(got, failed);
    let error = client.flow_table(failed.id).await.unwrap_err();
    assert_eq!(error.reason(), Some("NO_RESULT"), "{error}");
    // It is kept.
    let service = service.restart().await;
    let kept = service.client(sample::ORIGIN).await.run(failed.id).await.unwrap();
    assert_eq!(kept.reason, failed.reason);
    service.stop().await;
}

#[tokio::test]
async fn progress_past_100_percent_after_a_retry() {
    let sample = Sample::of(&SampleTerms {
        records: 5000,
        filters: SampleFilters::Groups(3),
        threshold: ThresholdPolicy::Fixed("0.5".parse().unwrap()),
        ..SampleTerms::default()
    });
    let mut service = Service::start().await;
    agree(&service, &sample).await;
    for ((declaration, bytes), office) in sample.datasets.iter().zip([sample::ORIGIN, sample::DESTINATION]) {
        let client = service.client(office).await;
        client.upload(declaration, bytes, &|_| {}).await.unwrap();
    }
    let mut done = 0;
    let mut total = 0;
    let mut hold = |status: &v1::Run, what: &str| {
        assert!(status.tiles_done <= status.tiles_total, "{what}: {status:?}");
        assert!(
            status.tiles_done >= done,
            "{what}: {done} tiles were done, and then {}",
            status.tiles_done
        );
        assert!(
            total == 0 || status.tiles_total == total,
            "{what}: the total changed"
        );
        (done, total) = (status.tiles_done, status.tiles_total);
    };
    // Stopped after a tile by turns: by an office, and by the operator.
    for turn in 0..4 {
        let client = service.client(sample::ORIGIN).await;
        let run = client.start_run(sample.agreement.digest()).await.unwrap();
        let mut runs = RunServiceClient::new(service.channel(sample::ORIGIN).await);
        let request = v1::WatchRunRequest {
            run_id: run.id.as_bytes().to_vec(),
        };
        let mut statuses = runs.watch_run(request).await.unwrap().into_inner();
        let mut has_ended = false;
        while let Some(answer) = statuses.message().await.unwrap() {
            let status = answer.run.unwrap();
            hold(&status, &format!("turn {turn}"));
            has_ended = status.state == i32::from(v1::RunState::Reconciled);
            if turn < 3 && status.tiles_done > turn {
                break;
            }
        }
        drop(statuses);
        if has_ended {
            break;
        }
        if turn % 2 == 0 {
            // It may have ended just now.
            drop(client.cancel_run(run.id).await);
        } else {
            service = service.restart().await;
        }
    }
    let client = service.client(sample::ORIGIN).await;
    let last = run_to_its_end(&client, &sample).await.pop().unwrap();
    assert_eq!(
        (last.state, last.tiles_done),
        (RunState::Reconciled, last.tiles_total)
    );
    assert!(last.tiles_total >= 4, "{} tiles", last.tiles_total);
    service.stop().await;
}

#[tokio::test]
async fn a_connection_of_one_office_is_of_no_use_to_another() {
    let (service, sample) = (Service::start().await, small_sample());
    agree(&service, &sample).await;
    let origin = service.connection(sample::ORIGIN);
    let destination = service.connection(sample::DESTINATION);
    // A certificate with the key of another is no certificate.
    let mixed = Connection {
        private_key: destination.private_key,
        ..origin
    };
    assert!(Client::connect(&mixed).await.is_err());
    service.stop().await;
}
