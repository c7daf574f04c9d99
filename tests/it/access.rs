//! Who may make which call, and on what: every call, by every role, on its own things and on those of others.

use bytes::{Buf, BufMut, Bytes};
use corridor_core::{Clock as _, Digest, Role, RunState, SystemClock, ThresholdPolicy};
use corridor_server::{LimitsConfig, PartyLimits};
use corridor_tests::read_descriptors;
use corridor_tests::sample::{self, Sample, SampleFilters, SampleTerms};
use corridor_wire::v1;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt as _;

use crate::complaints::agree;
use crate::service::{READERS, Service};

mod rows;

use rows::{OnForeign, ROWS};

/// A job two offices have done, and what a call on it needs.
struct World {
    sample: Sample,
    run: Digest,
    result: Digest,
}

impl World {
    fn agreement(&self) -> Vec<u8> {
        self.sample.agreement.digest().as_bytes().to_vec()
    }

    /// The destination's.
    fn dataset(&self) -> Vec<u8> {
        self.sample.datasets[1].0.to_id().as_bytes().to_vec()
    }

    fn run(&self) -> Vec<u8> {
        self.run.as_bytes().to_vec()
    }
}

fn small_sample() -> Sample {
    Sample::of(&SampleTerms {
        records: 400,
        filters: SampleFilters::Groups(1),
        threshold: ThresholdPolicy::Fixed("0.5".parse().unwrap()),
        // The operator is no reader of anything.
        readers: &[
            ("ADMIN", Role::Administrator),
            ("AUDIT", Role::Auditor),
            ("UNI", Role::Researcher),
        ],
        ..SampleTerms::default()
    })
}

async fn finish_run(service: &Service, sample: &Sample) -> (Digest, Digest) {
    agree(service, sample).await;
    for (declaration, bytes) in &sample.datasets {
        let client = service.client(declaration.office.as_str()).await;
        client.upload(declaration, bytes, &|_| {}).await.unwrap();
    }
    let client = service.client(sample::ORIGIN).await;
    let run = client.start_run(sample.agreement.digest()).await.unwrap();
    let run = client.watch_run(run.id, &|_| {}).await.unwrap();
    assert_eq!(run.state, RunState::Reconciled, "{}", run.reason);
    (run.id, run.result.unwrap())
}

async fn release(service: &Service, sample: &Sample, run: Digest, result: Digest) {
    for (office, signature) in sample.release_signatures(result) {
        service
            .client(office)
            .await
            .release(run, &signature)
            .await
            .unwrap();
    }
}

/// Messages as they are on the wire, so that one function makes every call.
#[derive(Debug, Clone, Copy, Default)]
struct RawCodec;

impl Codec for RawCodec {
    type Encode = Vec<u8>;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for RawCodec {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&item);
        Ok(())
    }
}

impl Decoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

/// Makes a call with one message; gives the first message of the answer, if there is one.
async fn call(channel: &Channel, path: &str, request: Vec<u8>) -> Result<Option<Bytes>, Status> {
    let mut client = tonic::client::Grpc::new(channel.clone());
    client.ready().await.unwrap();
    let path = format!("/{path}").parse().unwrap();
    let request = Request::new(tokio_stream::once(request));
    let mut answers = client.streaming(request, path, RawCodec).await?.into_inner();
    answers.message().await
}

fn reason(status: &Status) -> String {
    let details = status.get_error_details();
    details
        .error_info()
        .map_or_else(|| "none".to_owned(), |info| info.reason.clone())
}

/// A party of each role the agreement names, and one it does not. The operators are named nowhere.
fn own_and_foreign(role: Role) -> (&'static str, Vec<&'static str>) {
    match role {
        Role::Office => (sample::DESTINATION, vec!["THIRD"]),
        Role::Researcher => ("UNI", vec!["UNI-2"]),
        Role::Administrator => ("ADMIN", vec!["ADMIN-2"]),
        Role::Auditor => ("AUDIT", vec!["AUDIT-2"]),
        Role::Operator => ("OPS", vec!["OPS-2"]),
    }
}

#[tokio::test]
async fn every_call_is_for_its_roles_and_shows_nothing_of_others() {
    let mut listed: Vec<String> = Vec::new();
    for file in read_descriptors(corridor_wire::DESCRIPTOR_SET).unwrap().file {
        for service in &file.service {
            let methods = service
                .method
                .iter()
                .map(|method| format!("{}.{}/{}", file.package(), service.name(), method.name()));
            listed.extend(methods);
        }
    }
    listed.sort();
    let mut rows: Vec<_> = ROWS.iter().map(|row| row.path.to_owned()).collect();
    rows.sort();
    assert_eq!(rows, listed, "every call there is has a row, and no other");

    // Of each kind enough calls at once for a test.
    let service = Service::start_with(LimitsConfig {
        each_party: generous(),
        ..LimitsConfig::default()
    })
    .await;
    let sample = small_sample();
    let (run, result) = finish_run(&service, &sample).await;
    release(&service, &sample, run, result).await;
    let world = World { sample, run, result };
    for role in Role::ALL {
        let (own, foreign) = own_and_foreign(role);
        let channel = service.channel(own).await;
        for row in ROWS {
            let outcome = call(&channel, row.path, (row.request)(&world)).await;
            let what = format!("{} by {own}: {outcome:?}", row.path);
            if row.roles.contains(&role) {
                if let Err(status) = outcome {
                    let denied = [
                        Code::NotFound,
                        Code::PermissionDenied,
                        Code::Unauthenticated,
                        Code::Unimplemented,
                        Code::Internal,
                    ];
                    // The sample's agreement lets no links out, for nobody.
                    let is_links = reason(&status) == "OUTPUT_NOT_ALLOWED" && row.path.ends_with("ListLinks");
                    assert!(is_links || !denied.contains(&status.code()), "{what}");
                }
            } else {
                let status = outcome.expect_err(&what);
                assert_eq!(
                    (status.code(), reason(&status).as_str()),
                    (Code::PermissionDenied, "ROLE"),
                    "{what}"
                );
            }
        }
        for party in foreign {
            let channel = service.channel(party).await;
            for row in ROWS {
                let outcome = call(&channel, row.path, (row.request)(&world)).await;
                let what = format!("{} by {party}: {outcome:?}", row.path);
                if !row.roles.contains(&role) {
                    let status = outcome.expect_err(&what);
                    assert_eq!(
                        (status.code(), reason(&status).as_str()),
                        (Code::PermissionDenied, "ROLE"),
                        "{what}"
                    );
                    continue;
                }
                match row.on_foreign {
                    OnForeign::HiddenButForAuditors if role == Role::Auditor => drop(outcome.expect(&what)),
                    OnForeign::Served => drop(outcome.expect(&what)),
                    OnForeign::Hidden | OnForeign::HiddenButForAuditors => {
                        let status = outcome.expect_err(&what);
                        assert_eq!(status.code(), Code::NotFound, "{what}");
                    }
                    OnForeign::NotParty => {
                        let status = outcome.expect_err(&what);
                        assert_eq!(reason(&status), "NOT_PARTY", "{what}");
                    }
                    OnForeign::Empty => assert_eq!(outcome.expect(&what), Some(Bytes::new()), "{what}"),
                }
            }
        }
    }
    // The other office of the agreement is a stranger to a dataset.
    let other = service.channel(sample::ORIGIN).await;
    for row in ROWS {
        let of_dataset = [
            "GetDataset",
            "UploadDataset",
            "SealDataset",
            "PurgeDataset",
            "GetDeletionCertificate",
        ];
        let is_of_dataset = of_dataset.iter().any(|name| row.path.ends_with(name));
        if is_of_dataset {
            let outcome = call(&other, row.path, (row.request)(&world)).await;
            assert_eq!(outcome.unwrap_err().code(), Code::NotFound, "{}", row.path);
        }
    }
    // What is of no office is for everybody with a certificate of a party.
    for role in Role::ALL {
        let (own, _) = own_and_foreign(role);
        let mut health = HealthClient::new(service.channel(own).await);
        health.check(HealthCheckRequest::default()).await.unwrap();
    }
    // What is in no table is refused.
    let status = call(&other, "corridor.v1.RunService/DropRun", Vec::new())
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
    service.stop().await;
}

#[tokio::test]
async fn readers_see_a_run_as_their_role_lets_them_and_nothing_before_both_signed() {
    let (service, sample) = (Service::start().await, small_sample());
    let canonical = sample.agreement.to_canonical_bytes();
    service
        .client(sample::ORIGIN)
        .await
        .propose_agreement(canonical)
        .await
        .unwrap();
    for (party, _) in &READERS[..3] {
        let client = service.client(party).await;
        assert!(client.list_agreements().await.unwrap().is_empty(), "{party}");
        let error = client.agreement(sample.agreement.digest()).await.unwrap_err();
        assert_eq!(error.reason(), Some("NOT_FOUND"), "{party}");
    }
    let (run, result) = finish_run(&service, &sample).await;
    let [researcher, administrator, auditor] = [
        service.client("UNI").await,
        service.client("ADMIN").await,
        service.client("AUDIT").await,
    ];
    assert_eq!(researcher.run(run).await.unwrap_err().reason(), Some("NOT_FOUND"));
    // Before both released a run is to researchers as if it were of others.
    let world = World { sample, run, result };
    let channel = service.channel("UNI").await;
    let mut tried = 0;
    for row in ROWS.iter().filter(|row| row.roles.contains(&Role::Researcher)) {
        let is_of_run = ["RunService", "FlowService"]
            .iter()
            .any(|name| row.path.contains(name));
        if is_of_run {
            let outcome = call(&channel, row.path, (row.request)(&world)).await;
            match outcome {
                // A list without it.
                Ok(answer) => assert_eq!(answer, Some(Bytes::new()), "{}", row.path),
                Err(status) => assert_eq!(status.code(), Code::NotFound, "{}", row.path),
            }
            tried += 1;
        }
    }
    assert!(tried >= 7, "{tried} calls");
    let sample = &world.sample;
    for client in [&administrator, &auditor] {
        assert_eq!(client.run(run).await.unwrap().state, RunState::Reconciled);
        assert_eq!(
            client.linkage_report(run).await.unwrap_err().reason(),
            Some("NOT_RELEASED")
        );
    }
    release(&service, sample, run, result).await;
    let (_, report, digest) = researcher.flow_table(run).await.unwrap();
    for client in [&administrator, &auditor] {
        assert_eq!(
            client.linkage_report(run).await.unwrap(),
            (report.clone(), digest)
        );
        assert_eq!(client.flow_table(run).await.unwrap_err().reason(), Some("ROLE"));
    }
    service.stop().await;
}

fn generous() -> PartyLimits {
    PartyLimits {
        calls_per_second: 100_000.try_into().unwrap(),
        call_burst: 100_000.try_into().unwrap(),
        ..PartyLimits::DEFAULT
    }
}

#[tokio::test]
async fn certificates_are_revoked_and_parties_removed_while_the_service_runs() {
    let service = Service::start().await;
    let (good, bad) = (
        service.connection(sample::ORIGIN),
        service.connection(sample::ORIGIN),
    );
    let open = [
        corridor_cli::Client::connect(&good).await.unwrap(),
        corridor_cli::Client::connect(&bad).await.unwrap(),
        service.client(sample::DESTINATION).await,
    ];
    for client in &open {
        client.list_agreements().await.unwrap();
    }
    let list = service
        .ca
        .revoke(None, &[&bad.certificate], SystemClock.now())
        .unwrap();
    service
        .identity
        .send_modify(|identity| identity.revocations = Some(list));
    // The open connection is cut, and no new one gets in; the same office with another certificate goes on.
    wait_until_refused(&open[1]).await;
    open[0].list_agreements().await.unwrap();
    open[2].list_agreements().await.unwrap();
    assert!(
        match corridor_cli::Client::connect(&bad).await {
            Ok(client) => client.list_agreements().await.is_err(),
            Err(_) => true,
        },
        "a revoked certificate got in"
    );
    // What is not sound changes nothing.
    service
        .identity
        .send_modify(|identity| identity.client_ca = "no certificate".to_owned());
    service
        .client(sample::DESTINATION)
        .await
        .list_agreements()
        .await
        .unwrap();
    let ca = service.ca.to_pem();
    service.identity.send_modify(|identity| {
        identity.client_ca = ca;
        identity
            .parties
            .retain(|party| party.id.as_str() != sample::DESTINATION);
    });
    wait_until_refused(&open[2]).await;
    open[0].list_agreements().await.unwrap();
    service.stop().await;
}

/// Calls until the service does not let the caller any more; it follows new settings within moments.
async fn wait_until_refused(client: &corridor_cli::Client) {
    for _ in 0..10_000 {
        if client.list_agreements().await.is_err() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("a caller who is not admitted any more is still answered");
}

#[tokio::test]
async fn a_party_that_asks_too_much_is_told_when_to_come_again_and_others_do_not_notice() {
    let few = |count: u32| count.try_into().unwrap();
    let service = Service::start_with(LimitsConfig {
        each_party: PartyLimits {
            calls_per_second: few(1),
            call_burst: few(4),
            max_calls: few(4),
            max_uploads: few(1),
            max_streams: few(1),
        },
        ..LimitsConfig::default()
    })
    .await;
    let (greedy, modest) = (
        service.channel(sample::ORIGIN).await,
        service.channel(sample::DESTINATION).await,
    );
    let list = "corridor.v1.AgreementService/ListAgreements";
    let mut refused = None;
    for _ in 0..6 {
        if let Err(status) = call(&greedy, list, Vec::new()).await {
            refused = Some(status);
        }
    }
    let status = refused.expect("six calls at once are more than four");
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::ResourceExhausted, "RATE_LIMIT")
    );
    let details = status.get_error_details();
    let wait = details.retry_info().unwrap().retry_delay.unwrap();
    assert!(!wait.is_zero() && wait.as_secs() <= 1, "{wait:?}");
    call(&modest, list, Vec::new()).await.unwrap();
    service.stop().await;
}

#[tokio::test]
async fn an_upload_that_sends_nothing_is_given_up() {
    let service = Service::start_with(LimitsConfig {
        idle_timeout_s: 1,
        ..LimitsConfig::default()
    })
    .await;
    let mut client =
        v1::dataset_service_client::DatasetServiceClient::new(service.channel(sample::ORIGIN).await);
    let answers = client.upload_dataset(tokio_stream::pending()).await;
    let status = match answers {
        Ok(answers) => answers.into_inner().message().await.unwrap_err(),
        Err(status) => status,
    };
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::DeadlineExceeded, "CLIENT_STALLED")
    );
    service.stop().await;
}
