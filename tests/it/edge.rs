//! The gRPC edge: what a client does wrong is refused with a stable reason, and nothing of it stays.

use std::sync::Arc;

use bytes::Bytes;
use corridor_cli::{Client, ClientError, Connection, to_frames};
use corridor_core::{DatasetDeclaration, DatasetState, Digest};
use corridor_server::TrialCa;
use corridor_tests::dataset_files;
use corridor_tests::sample::{self, Sample};
use corridor_wire::v1;
use corridor_wire::v1::dataset_service_client::DatasetServiceClient;
use corridor_wire::v1::run_service_client::RunServiceClient;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};
use tonic::{Code, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_types::StatusExt as _;

use crate::service::Service;

/// The sample's agreement, proposed and signed by both offices.
async fn agree(service: &Service, sample: &Sample) {
    let origin = service.client(sample::ORIGIN).await;
    origin
        .propose_agreement(sample.agreement.to_canonical_bytes())
        .await
        .unwrap();
    for (office, signature) in sample.signatures() {
        let client = service.client(office).await;
        client
            .sign_agreement(sample.agreement.digest(), &signature)
            .await
            .unwrap();
    }
}

fn reason(error: &ClientError) -> &str {
    error.reason().unwrap_or("none")
}

fn status_reason(status: &Status) -> String {
    let details = status.get_error_details();
    details
        .error_info()
        .map_or_else(|| "none".to_owned(), |info| info.reason.clone())
}

/// Sends frames as they are; gives the last acknowledgement, or how the stream was refused.
async fn send(
    service: &Service,
    office: &str,
    frames: Vec<v1::UploadDatasetRequest>,
) -> Result<Option<v1::UploadDatasetResponse>, Status> {
    let mut client = DatasetServiceClient::new(service.channel(office).await);
    let mut answers = client
        .upload_dataset(tokio_stream::iter(frames))
        .await?
        .into_inner();
    let mut last = None;
    while let Some(answer) = answers.message().await? {
        last = Some(answer);
    }
    Ok(last)
}

#[tokio::test]
async fn nobody_calls_without_a_certificate_of_a_known_office() {
    let service = Service::start().await;
    let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(service.ca.to_pem()));
    let endpoint = Endpoint::from_shared(format!("https://localhost:{}", service.address.port()))
        .unwrap()
        .tls_config(tls)
        .unwrap();
    // With TLS 1.3 the refusal may come with the first call instead of with the handshake.
    if let Ok(channel) = endpoint.connect().await {
        let called = RunServiceClient::new(channel)
            .list_runs(v1::ListRunsRequest {
                agreement_digest: vec![0; 32],
            })
            .await;
        let status = called.unwrap_err();
        assert_ne!(
            status.code(),
            Code::NotFound,
            "the call reached the service: {status}"
        );
        assert_ne!(status.code(), Code::Ok);
    }

    // A certificate of the right authority, for a name the config does not list.
    let stranger = service.client("STRANGER").await;
    let error = stranger.list_agreements().await.unwrap_err();
    assert_eq!(reason(&error), "CALLER_UNKNOWN");

    // A certificate of another authority.
    let forged = TrialCa::new().unwrap().issue_client(sample::ORIGIN).unwrap();
    let connection = Connection {
        certificate: forged.certificate,
        private_key: forged.private_key,
        ..service.connection(sample::ORIGIN)
    };
    if let Ok(client) = Client::connect(&connection).await {
        let error = client.list_agreements().await.unwrap_err();
        assert!(
            !matches!(error, ClientError::Refused { .. }),
            "the call reached the service: {error}"
        );
    }
    service.stop().await;
}

#[tokio::test]
async fn without_both_signatures_nothing_is_uploaded_or_run() {
    let (service, sample) = (Service::start().await, Sample::new());
    let origin = service.client(sample::ORIGIN).await;
    let digest = sample.agreement.digest();
    origin
        .propose_agreement(sample.agreement.to_canonical_bytes())
        .await
        .unwrap();
    let [(_, mine), (_, theirs)] = sample.signatures();
    let error = origin.sign_agreement(digest, &theirs).await.unwrap_err();
    assert_eq!(reason(&error), "SIGNATURE", "an office signs for itself only");
    origin.sign_agreement(digest, &mine).await.unwrap();
    let (declaration, _) = &sample.datasets[0];
    for error in [
        origin.declare_dataset(declaration).await.unwrap_err(),
        origin.start_run(digest).await.map(drop).unwrap_err(),
    ] {
        assert_eq!(reason(&error), "AGREEMENT_NOT_IN_FORCE");
    }
    // A digest nobody agreed on.
    let unknown = DatasetDeclaration {
        agreement: Digest::of(b"another"),
        ..declaration.clone()
    };
    let error = origin.declare_dataset(&unknown).await.unwrap_err();
    assert_eq!(reason(&error), "NOT_FOUND");
    service.stop().await;
}

#[tokio::test]
async fn an_upload_that_is_cut_goes_on_and_a_frame_sent_twice_counts_once() {
    let (service, sample) = (Service::start().await, Sample::new());
    agree(&service, &sample).await;
    let (declaration, bytes) = &sample.datasets[0];
    let client = service.client(sample::ORIGIN).await;
    let status = client.declare_dataset(declaration).await.unwrap();
    let frames = to_frames(&status, bytes);
    assert!(frames.len() >= 3, "the sample has several frames");

    // The first frame twice, then the line is cut.
    let twice = vec![frames[0].clone(), frames[0].clone()];
    let last = send(&service, sample::ORIGIN, twice).await.unwrap().unwrap();
    assert_eq!((last.next_sequence, last.acknowledged_bytes), (1, 1 << 20));
    let error = client.seal_dataset(status.id).await.unwrap_err();
    assert_eq!(reason(&error), "DATASET_INCOMPLETE");

    // Also a new service on the same data goes on from there.
    let service = service.restart().await;
    let client = service.client(sample::ORIGIN).await;
    let status = client.declare_dataset(declaration).await.unwrap();
    assert_eq!((status.next_sequence, status.acknowledged_bytes), (1, 1 << 20));
    let rest = to_frames(&status, bytes);
    assert_eq!(rest.len(), frames.len() - 1);

    // A frame ahead of its turn, one at another place, and other bytes under an acknowledged number.
    let refused = send(&service, sample::ORIGIN, vec![rest[1].clone()])
        .await
        .unwrap_err();
    assert_eq!(
        (refused.code(), status_reason(&refused).as_str()),
        (Code::Aborted, "FRAME_OUT_OF_ORDER")
    );
    let mut elsewhere = rest[0].clone();
    elsewhere.offset += 1;
    let refused = send(&service, sample::ORIGIN, vec![elsewhere]).await.unwrap_err();
    assert_eq!(status_reason(&refused), "FRAME_OUT_OF_ORDER");
    let mut changed = frames[0].clone();
    changed.data = Bytes::from(vec![7; changed.data.len()]);
    changed.checksum = Digest::of(&changed.data).as_bytes().to_vec();
    let refused = send(&service, sample::ORIGIN, vec![changed]).await.unwrap_err();
    assert_eq!(status_reason(&refused), "FRAME_CHANGED");

    // None of that is in the way of the right bytes.
    let sealed = client.upload(declaration, bytes, &|_| {}).await.unwrap();
    assert_eq!(sealed.state, DatasetState::Sealed);
    assert_eq!(sealed.acknowledged_bytes, declaration.total_bytes);
    service.stop().await;
}

#[tokio::test]
async fn frames_that_are_broken_or_too_large_are_refused() {
    let (service, sample) = (Service::start().await, Sample::new());
    agree(&service, &sample).await;
    let (declaration, bytes) = &sample.datasets[0];
    let client = service.client(sample::ORIGIN).await;
    let status = client.declare_dataset(declaration).await.unwrap();
    let first = to_frames(&status, bytes).remove(0);
    let with = |change: fn(&mut v1::UploadDatasetRequest)| {
        let mut frame = first.clone();
        change(&mut frame);
        vec![frame]
    };
    for (frames, expected) in [
        (with(|frame| frame.checksum[0] ^= 1), "FRAME_CHECKSUM"),
        (with(|frame| frame.checksum.truncate(31)), "FIELD_LENGTH"),
        (with(|frame| frame.dataset_id.clear()), "FIELD_LENGTH"),
        (with(|frame| frame.dataset_id = vec![1; 32]), "NOT_FOUND"),
        (
            with(|frame| frame.data = Bytes::from(vec![0; (1 << 20) + 1])),
            "FRAME_TOO_LARGE",
        ),
    ] {
        let refused = send(&service, sample::ORIGIN, frames).await.unwrap_err();
        assert_eq!(status_reason(&refused), expected, "{refused}");
    }
    // A message over the limit does not get as far as that.
    let over = with(|frame| frame.data = Bytes::from(vec![0; 5 << 20]));
    let refused = send(&service, sample::ORIGIN, over).await.unwrap_err();
    assert!(
        matches!(refused.code(), Code::OutOfRange | Code::ResourceExhausted),
        "{refused}"
    );
    let status = client.declare_dataset(declaration).await.unwrap();
    assert_eq!((status.next_sequence, status.acknowledged_bytes), (0, 0));

    // What came before a frame that is refused is taken, and nothing behind it.
    let all = to_frames(&status, bytes);
    assert!(all.len() >= 3, "the sample has several frames");
    let mut broken = all[1].clone();
    broken.checksum[0] ^= 1;
    let frames = vec![all[0].clone(), broken, all[1].clone(), all[2].clone()];
    let refused = send(&service, sample::ORIGIN, frames).await.unwrap_err();
    assert_eq!(status_reason(&refused), "FRAME_CHECKSUM");
    let status = client.declare_dataset(declaration).await.unwrap();
    assert_eq!((status.next_sequence, status.acknowledged_bytes), (1, 1 << 20));
    let mut foreign = all[2].clone();
    foreign.dataset_id = vec![1; 32];
    let frames = vec![all[1].clone(), foreign, all[2].clone()];
    let refused = send(&service, sample::ORIGIN, frames).await.unwrap_err();
    assert_eq!(status_reason(&refused), "NOT_FOUND");
    let status = client.declare_dataset(declaration).await.unwrap();
    assert_eq!((status.next_sequence, status.acknowledged_bytes), (2, 2 << 20));

    // A dataset beyond the service's limit, and frames beyond the dataset.
    let huge = DatasetDeclaration {
        total_bytes: 1 << 40,
        ..declaration.clone()
    };
    let error = client.declare_dataset(&huge).await.unwrap_err();
    assert_eq!(reason(&error), "DATASET_TOO_LARGE");
    let short = DatasetDeclaration {
        total_bytes: 1000,
        ..declaration.clone()
    };
    let status = client.declare_dataset(&short).await.unwrap();
    let mut frame = first.clone();
    frame.dataset_id = status.id.as_bytes().to_vec();
    let refused = send(&service, sample::ORIGIN, vec![frame]).await.unwrap_err();
    assert_eq!(status_reason(&refused), "FRAMES_BEYOND_DECLARED");
    service.stop().await;
}

#[tokio::test]
async fn a_dataset_that_is_not_what_was_declared_or_agreed_leaves_nothing() {
    let (service, sample) = (Service::start().await, Sample::new());
    agree(&service, &sample).await;
    let (declaration, bytes) = &sample.datasets[0];
    let client = service.client(sample::ORIGIN).await;
    let upload = |declaration: DatasetDeclaration, bytes: Bytes| {
        let client = client.clone();
        async move { client.upload(&declaration, &bytes, &|_| {}).await }
    };
    let other_schema = DatasetDeclaration {
        schema: Digest::of(b"another schema"),
        ..declaration.clone()
    };
    let error = upload(other_schema, bytes.clone()).await.unwrap_err();
    assert_eq!(reason(&error), "DATASET_MISMATCH");

    // Other bytes than declared.
    let mut altered = bytes.to_vec();
    altered[bytes.len() / 2] ^= 1;
    let error = upload(declaration.clone(), Bytes::from(altered.clone()))
        .await
        .unwrap_err();
    assert_eq!(reason(&error), "CONTENT_MISMATCH");
    assert_eq!(dataset_files(service.folder.path()), [""; 0]);

    // Declared as they are, but altered after they were sealed; cut off; and another count.
    let cut = bytes.slice(..bytes.len() - 100);
    for content in [Bytes::from(altered), cut] {
        let declaration = DatasetDeclaration {
            content: Digest::of(&content),
            total_bytes: u64::try_from(content.len()).unwrap(),
            ..declaration.clone()
        };
        let id = declaration.to_id();
        let error = upload(declaration, content).await.unwrap_err();
        assert_eq!(reason(&error), "DATASET_FILE");
        // An office whose line was cut before it read why asks again; nobody else is told.
        let again = client.seal_dataset(id).await.unwrap_err();
        assert_eq!(
            (reason(&again), again.to_string()),
            ("DATASET_FILE", error.to_string())
        );
        let other = service.client(sample::DESTINATION).await;
        assert_eq!(reason(&other.seal_dataset(id).await.unwrap_err()), "NOT_FOUND");
        assert_eq!(dataset_files(service.folder.path()), [""; 0]);
    }
    let miscounted = DatasetDeclaration {
        record_count: declaration.record_count + 1,
        ..declaration.clone()
    };
    let error = upload(miscounted, bytes.clone()).await.unwrap_err();
    assert_eq!(reason(&error), "DATASET_MISMATCH");
    assert_eq!(dataset_files(service.folder.path()), [""; 0]);

    upload(declaration.clone(), bytes.clone()).await.unwrap();
    // Another office with another key is told at once.
    let (theirs, _) = &sample.datasets[1];
    let wrong_key = DatasetDeclaration {
        key_check: Digest::of(b"another key"),
        ..theirs.clone()
    };
    let destination = service.client(sample::DESTINATION).await;
    let error = destination.declare_dataset(&wrong_key).await.unwrap_err();
    assert_eq!(reason(&error), "KEY_CHECK_MISMATCH");
    service.stop().await;
}

#[tokio::test]
async fn two_uploads_at_once_leave_the_bytes_that_were_acknowledged() {
    let (service, sample) = (Service::start().await, Sample::new());
    agree(&service, &sample).await;
    let (declaration, bytes) = &sample.datasets[0];
    let client = service.client(sample::ORIGIN).await;
    for trial in 0..10_u8 {
        // A declaration of its own each time, so that each begins anew.
        let declaration = DatasetDeclaration {
            content: Digest::of(&[trial]),
            ..declaration.clone()
        };
        let status = client.declare_dataset(&declaration).await.unwrap();
        let first = to_frames(&status, bytes).remove(0);
        let variants = (0..4_u8).map(|variant| {
            let data = Bytes::from(vec![variant; first.data.len()]);
            v1::UploadDatasetRequest {
                checksum: Digest::of(&data).as_bytes().to_vec(),
                data,
                ..first.clone()
            }
        });
        let sent = futures::future::join_all(variants.map(|frame| {
            let service = &service;
            async move {
                (
                    frame.data[0],
                    send(service, sample::ORIGIN, vec![frame.clone()]).await,
                )
            }
        }))
        .await;
        let acknowledged: Vec<u8> = sent
            .iter()
            .filter(|(_, outcome)| outcome.is_ok())
            .map(|(v, _)| *v)
            .collect();
        assert_eq!(acknowledged.len(), 1, "one of them was first");
        // What was acknowledged is there: it is taken again, and nothing else is.
        for variant in 0..4_u8 {
            let data = Bytes::from(vec![variant; first.data.len()]);
            let frame = v1::UploadDatasetRequest {
                checksum: Digest::of(&data).as_bytes().to_vec(),
                data,
                ..first.clone()
            };
            let outcome = send(&service, sample::ORIGIN, vec![frame]).await;
            assert_eq!(
                outcome.is_ok(),
                variant == acknowledged[0],
                "other bytes than acknowledged"
            );
        }
    }
    service.stop().await;
}

#[tokio::test]
async fn a_dataset_refused_at_its_seal_leaves_nothing() {
    let (service, sample) = (
        Service::start().await,
        Sample::with_key_checks([b"one key", b"another"]),
    );
    agree(&service, &sample).await;
    let clients = [
        service.client(sample::ORIGIN).await,
        service.client(sample::DESTINATION).await,
    ];
    // Both are there before either is sealed, so that the difference shows at the second seal only.
    let mut ids = Vec::new();
    for (client, (declaration, bytes)) in clients.iter().zip(&sample.datasets) {
        let status = client.declare_dataset(declaration).await.unwrap();
        client
            .send_frames(to_frames(&status, bytes), &|_| {})
            .await
            .unwrap();
        ids.push(status.id);
    }
    clients[0].seal_dataset(ids[0]).await.unwrap();
    let error = clients[1].seal_dataset(ids[1]).await.unwrap_err();
    assert_eq!(reason(&error), "KEY_CHECK_MISMATCH");
    assert_eq!(
        dataset_files(service.folder.path()),
        [format!("objects/datasets/{}.parquet", ids[0])]
    );
    service.stop().await;
}

#[tokio::test]
async fn old_tls_is_not_spoken() {
    let service = Service::start().await;
    let connection = service.connection(sample::ORIGIN);
    let handshake = |version: &'static rustls::SupportedProtocolVersion| {
        let connection = connection.clone();
        let address = service.address;
        async move {
            let mut roots = rustls::RootCertStore::empty();
            roots
                .add(CertificateDer::from_pem_slice(connection.ca.as_bytes()).unwrap())
                .unwrap();
            let chain = CertificateDer::pem_slice_iter(connection.certificate.as_bytes())
                .collect::<Result<Vec<_>, _>>()
                .unwrap();
            let key = PrivateKeyDer::from_pem_slice(connection.private_key.as_bytes()).unwrap();
            let config = rustls::ClientConfig::builder_with_provider(Arc::new(
                rustls::crypto::ring::default_provider(),
            ))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .unwrap();
            let stream = tokio::net::TcpStream::connect(address).await.unwrap();
            let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
            connector.connect("localhost".try_into().unwrap(), stream).await
        }
    };
    handshake(&rustls::version::TLS13).await.unwrap();
    handshake(&rustls::version::TLS12).await.unwrap_err();
    service.stop().await;
}

#[tokio::test]
async fn an_office_sees_nothing_of_another() {
    let (service, sample) = (Service::start().await, Sample::new());
    agree(&service, &sample).await;
    let origin = service.client(sample::ORIGIN).await;
    let (declaration, bytes) = &sample.datasets[0];
    let dataset = origin.upload(declaration, bytes, &|_| {}).await.unwrap();
    let id = dataset.id.as_bytes().to_vec();

    // The partner learns that the dataset is sealed and nothing else of it.
    let mut partner = DatasetServiceClient::new(service.channel(sample::DESTINATION).await);
    let request = v1::GetDatasetRequest {
        dataset_id: id.clone(),
    };
    let refused = partner.get_dataset(request.clone()).await.unwrap_err();
    assert_eq!(
        (refused.code(), status_reason(&refused).as_str()),
        (Code::NotFound, "NOT_FOUND")
    );
    let sealing = v1::SealDatasetRequest { dataset_id: id };
    assert_eq!(
        partner.seal_dataset(sealing).await.unwrap_err().code(),
        Code::NotFound
    );
    let listed = partner
        .list_datasets(v1::ListDatasetsRequest {
            agreement_digest: sample.agreement.digest().as_bytes().to_vec(),
        })
        .await
        .unwrap()
        .into_inner();
    assert!(listed.datasets.is_empty() && listed.other_is_sealed);

    // An office that is no party sees nothing at all.
    let third = service.client("THIRD").await;
    let digest = sample.agreement.digest();
    assert!(third.list_agreements().await.unwrap().is_empty());
    for error in [
        third.agreement(digest).await.map(drop).unwrap_err(),
        third.declare_dataset(declaration).await.map(drop).unwrap_err(),
        third.start_run(digest).await.map(drop).unwrap_err(),
        third.run(digest).await.map(drop).unwrap_err(),
        third.cancel_run(digest).await.map(drop).unwrap_err(),
        third.flow_table(digest).await.map(drop).unwrap_err(),
        third.links(digest).await.map(drop).unwrap_err(),
    ] {
        assert_eq!(reason(&error), "NOT_FOUND");
    }
    let error = third
        .propose_agreement(sample.agreement.to_canonical_bytes())
        .await
        .unwrap_err();
    assert_eq!(reason(&error), "NOT_PARTY");
    service.stop().await;
}

#[tokio::test]
async fn health_and_reflection_answer_and_name_the_services() {
    let service = Service::start().await;
    service
        .await_health("corridor.v1.RunService", ServingStatus::Serving)
        .await;
    let mut reflection = ServerReflectionClient::new(service.channel(sample::ORIGIN).await);
    let question = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut answers = reflection
        .server_reflection_info(tokio_stream::iter([question]))
        .await
        .unwrap()
        .into_inner();
    let answer = answers.message().await.unwrap().unwrap();
    let Some(MessageResponse::ListServicesResponse(listed)) = answer.message_response else {
        panic!("a list of services");
    };
    let names: Vec<String> = listed.service.into_iter().map(|service| service.name).collect();
    for name in ["AgreementService", "DatasetService", "FlowService", "RunService"] {
        assert!(names.contains(&format!("corridor.v1.{name}")), "{names:?}");
    }
    service.stop().await;
}
