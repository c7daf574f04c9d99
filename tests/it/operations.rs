//! What operators see of a service: health that follows storage, metrics that count what happened and name nobody, and the id of a call
//! in its answer, its errors and the log.

#![allow(clippy::float_cmp, reason = "counts are whole numbers")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use corridor_cli::to_frames;
use corridor_core::{DatasetDeclaration, Digest};
use corridor_server::LogConfig;
use corridor_tests::sample::{self, Sample};
use corridor_tests::{Job, Outcome, server_command, workspace_root};
use corridor_wire::v1;
use corridor_wire::v1::dataset_service_client::DatasetServiceClient;
use corridor_wire::v1::run_service_client::RunServiceClient;
use tonic::Request;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt as _;

use crate::service::Service;

const DATASETS: &str = "corridor.v1.DatasetService";
const RUNS: &str = "corridor.v1.RunService";
const FLOWS: &str = "corridor.v1.FlowService";
const AGREEMENTS: &str = "corridor.v1.AgreementService";

/// What the plain endpoint answers to a request line: status and body.
pub(crate) fn ask(address: SocketAddr, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// The same from an async test.
pub(crate) async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let request = format!("GET {path}");
    tokio::task::block_in_place(|| ask(address, &request))
}

/// Samples of a page of metrics, by name and labels.
pub(crate) fn samples(page: &str) -> BTreeMap<String, f64> {
    page.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        })
        .collect()
}

async fn health_of(service: &Service, name: &str) -> ServingStatus {
    let request = HealthCheckRequest {
        service: name.to_owned(),
    };
    let mut client = HealthClient::new(service.channel(sample::ORIGIN).await);
    client.check(request).await.unwrap().into_inner().status()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_needs_to_write_is_told_when_storage_cannot_be_written_and_who_reads_goes_on() {
    let service = Service::start().await;
    service.await_health(DATASETS, ServingStatus::Serving).await;
    assert_eq!(get(service.endpoint, "/readyz/storage").await.0, 200);
    assert_eq!(
        get(service.endpoint, "/readyz").await,
        (200, "ready\n".to_owned())
    );

    // The folder uploads are written to is not a folder any more.
    let staging = service.folder.path().join("staging");
    let away = service.folder.path().join("away");
    fs::rename(&staging, &away).unwrap();
    fs::write(&staging, "in the way").unwrap();
    for name in [DATASETS, RUNS, FLOWS] {
        service.await_health(name, ServingStatus::NotServing).await;
    }
    for name in ["", AGREEMENTS] {
        assert_eq!(health_of(&service, name).await, ServingStatus::Serving, "{name}");
    }
    assert_eq!(get(service.endpoint, "/readyz/storage").await.0, 503);
    let (status, said) = get(service.endpoint, "/readyz").await;
    assert!(
        status == 200 && said.contains("storage cannot be written"),
        "{said}"
    );
    let page = get(service.endpoint, "/metrics").await.1;
    assert_eq!(samples(&page)["corridor_storage_writable"], 0.0);
    service
        .client(sample::ORIGIN)
        .await
        .list_agreements()
        .await
        .unwrap();

    fs::remove_file(&staging).unwrap();
    fs::rename(&away, &staging).unwrap();
    for name in [DATASETS, RUNS, FLOWS] {
        service.await_health(name, ServingStatus::Serving).await;
    }
    assert_eq!(get(service.endpoint, "/readyz/storage").await.0, 200);
    service.stop().await;
}

#[test]
fn a_full_disk_stops_uploads_until_there_is_room_and_a_probe_command_says_so() {
    let mut job = Job::start();
    job.kill_server();
    job.set(&[
        ("# listen = \"127.0.0.1:9464\"", "listen = \"127.0.0.1:0\""),
        ("probe_interval_s = 10", "probe_interval_s = 1"),
    ]);
    job.start_server_on_small_disk(2048);
    let probes = job.server().probes().unwrap();
    let await_storage = |code| while ask(probes, "GET /readyz/storage").0 != code {};
    await_storage(200);
    let filler = job.small_disk().join("filler");
    let mut file = fs::File::create(&filler).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
    // While it is open it takes its room, also when it is removed.
    drop(file);
    await_storage(503);
    assert_eq!(ask(probes, "GET /readyz").0, 200);
    assert_eq!(ask(probes, "GET /healthz").0, 200);

    // The command asks where the settings say.
    let sample = fs::read_to_string(workspace_root().join("deploy/corridor-server.toml")).unwrap();
    let settings = job.path("server").join("health.toml");
    let asked = sample.replace("# listen = \"127.0.0.1:9464\"", &format!("listen = \"{probes}\""));
    fs::write(&settings, asked).unwrap();
    let health = |more: &[&str]| -> Outcome {
        let words = [&["health", "--config", "health.toml"], more].concat();
        let ended = server_command(settings.parent().unwrap(), &words).output();
        ended.unwrap().into()
    };
    assert_eq!(health(&[]).code, Some(0));
    let unwell = health(&["--storage"]);
    assert_eq!(unwell.code, Some(1));
    assert!(
        unwell.stderr.contains("storage cannot be written"),
        "{}",
        unwell.stderr
    );
    fs::remove_file(&filler).unwrap();
    await_storage(200);
    assert_eq!(health(&["--storage"]).code, Some(0));
    let (log, code) = job.terminate_server();
    assert_eq!(code, Some(0), "{log}");
    assert!(health(&[]).stderr.contains("nothing answers at"));
    fs::write(&settings, sample).unwrap();
    let off = health(&[]);
    assert!(
        off.code == Some(1) && off.stderr.contains("operations.listen"),
        "{}",
        off.stderr
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_endpoint_answers_what_it_is_for_and_nothing_else() {
    let service = Service::start().await;
    let address = service.endpoint;
    assert_eq!(get(address, "/healthz").await, (200, "alive\n".to_owned()));
    for (request, code) in [
        ("GET /", 404),
        ("GET /metrics/../x", 404),
        ("POST /metrics", 405),
        ("DELETE /healthz", 405),
    ] {
        let answer = tokio::task::block_in_place(|| ask(address, request));
        assert_eq!(answer.0, code, "{request}");
    }
    service.stop().await;
    assert!(TcpStream::connect(address).is_err(), "it ends with the service");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_count_what_happened_and_name_nobody() {
    let (service, sample) = (Service::start().await, Sample::new());
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
    // One dataset whose bytes are not those declared, then both as they are; of one, a frame twice.
    let (declaration, bytes) = &sample.datasets[0];
    let wrong = DatasetDeclaration {
        content: Digest::of(b"other bytes"),
        ..declaration.clone()
    };
    origin.upload(&wrong, bytes, &|_| {}).await.unwrap_err();
    let status = origin.declare_dataset(declaration).await.unwrap();
    let first = to_frames(&status, bytes).remove(0);
    let frame_bytes = first.data.len() as u64;
    origin
        .send_frames(vec![first.clone(), first], &|_| {})
        .await
        .unwrap();
    for (declaration, bytes) in &sample.datasets {
        let client = service.client(declaration.office.as_str()).await;
        client.upload(declaration, bytes, &|_| {}).await.unwrap();
    }
    let run = origin.start_run(sample.agreement.digest()).await.unwrap();
    let ended = origin.watch_run(run.id, &|_| {}).await.unwrap();
    let stranger = service.client("STRANGER").await;
    stranger.list_agreements().await.unwrap_err();
    drop(origin);

    let page = get(service.endpoint, "/metrics").await.1;
    let samples = samples(&page);
    let value = |name: &str| *samples.get(name).unwrap_or_else(|| panic!("no {name} in {page}"));
    let frame_count = |bytes: &Bytes| (bytes.len() as f64 / (1 << 20) as f64).ceil();
    let [one, other] = &sample.datasets;
    assert_eq!(value("corridor_upload_frames_total{outcome=\"repeated\"}"), 1.0);
    assert_eq!(
        value("corridor_upload_frames_total{outcome=\"stored\"}"),
        2.0 * frame_count(&one.1) + frame_count(&other.1)
    );
    let total = 2 * one.1.len() as u64 + other.1.len() as u64 + frame_bytes;
    assert_eq!(value("corridor_upload_bytes_total"), total as f64);
    assert_eq!(
        value("corridor_uploads_total{outcome=\"sealed\",check=\"none\"}"),
        2.0
    );
    assert_eq!(
        value("corridor_uploads_total{outcome=\"refused\",check=\"content\"}"),
        1.0
    );
    let call = |service: &str, method: &str, code: &str, role: &str| {
        value(&format!(
            "corridor_calls_total{{service=\"{service}\",method=\"{method}\",code=\"{code}\",role=\"{role}\"}}"
        ))
    };
    assert_eq!(call("AgreementService", "SignAgreement", "OK", "office"), 2.0);
    assert_eq!(call("DatasetService", "SealDataset", "DATA_LOSS", "office"), 1.0);
    assert_eq!(
        call("AgreementService", "ListAgreements", "UNAUTHENTICATED", "unknown"),
        1.0
    );
    assert_eq!(value("corridor_refusals_total{reason=\"CALLER_UNKNOWN\"}"), 1.0);
    assert_eq!(
        value("corridor_open_streams{service=\"RunService\",method=\"WatchRun\"}"),
        0.0
    );
    let outcomes: f64 = samples
        .iter()
        .filter(|(name, _)| name.starts_with("corridor_run_attempts_total"))
        .map(|(_, count)| count)
        .sum();
    assert_eq!(outcomes, 1.0);
    assert_eq!(value("corridor_tiles_done_total"), ended.tiles_done as f64);
    assert!(value("process_resident_memory_bytes") > 1e6 && value("process_cpu_seconds_total") > 0.0);

    // Few series, with labels of closed lists.
    assert!(samples.len() < 1000, "{} series", samples.len());
    let keys: BTreeSet<&str> = page
        .split(['{', ','])
        .filter_map(|part| part.split_once("=\"").map(|(key, _)| key))
        .collect();
    let known = [
        "check", "code", "failure", "le", "limit", "method", "outcome", "phase", "reason", "role", "service",
        "state", "version",
    ];
    assert!(keys.is_subset(&known.into()), "{keys:?}");
    for name in [sample::ORIGIN, sample::DESTINATION, "STRANGER"] {
        assert!(!page.contains(name), "{name}");
    }
    for digest in [sample.agreement.digest(), run.id, status.id] {
        assert!(!page.contains(&digest.to_string()[..8]), "{digest}");
    }
    service.stop().await;
}

/// A log in memory.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

// On one thread, whose log is its own.
#[tokio::test]
async fn the_id_of_a_call_is_in_its_answer_its_errors_and_the_log() {
    let lines = Lines::default();
    let log = LogConfig {
        json: true,
        ..LogConfig::default()
    };
    let writer = lines.clone();
    let subscriber = corridor_server::log_subscriber(&log, None, move || writer.clone()).unwrap();
    let _logging = tracing::subscriber::set_default(subscriber);
    let service = Service::start().await;
    let mut client = RunServiceClient::new(service.channel(sample::ORIGIN).await);
    let request = |id: Option<&str>| {
        let mut request = Request::new(v1::GetRunRequest { run_id: vec![0; 32] });
        if let Some(id) = id {
            request.metadata_mut().insert("x-request-id", id.parse().unwrap());
        }
        request
    };
    let mut drawn = BTreeSet::new();
    let given = "0191e2b4-5c1d-7c3a-9f00-3a2b1c0d9e8f";
    for (sent, is_taken) in [
        (Some(given), true),
        (Some("maria-rossi-1984-02-29"), false),
        (None, false),
    ] {
        let refusal = client.get_run(request(sent)).await.unwrap_err();
        let id = refusal
            .metadata()
            .get("x-request-id")
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        let details = refusal.get_error_details();
        assert_eq!(details.request_info().unwrap().request_id, id);
        assert_eq!(details.error_info().unwrap().reason, "NOT_FOUND");
        assert_eq!(Some(id.as_str()) == sent, is_taken, "{sent:?} {id}");
        assert!(drawn.insert(id));
    }
    // Also where the call is good.
    let mut datasets = DatasetServiceClient::new(service.channel(sample::ORIGIN).await);
    let ended = datasets
        .get_dataset(v1::GetDatasetRequest {
            dataset_id: vec![0; 31],
        })
        .await
        .unwrap_err();
    assert_eq!(
        ended.get_error_details().error_info().unwrap().reason,
        "FIELD_LENGTH"
    );
    drop((client, datasets));
    service.stop().await;

    let log = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(!log.contains("maria"), "{log}");
    for id in drawn {
        let line = log
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .find(|line| line["span"]["request_id"] == id.as_str())
            .unwrap_or_else(|| panic!("no {id} in {log}"));
        assert_eq!(line["fields"]["message"], "call ended");
        assert_eq!(line["fields"]["reason"], "NOT_FOUND");
        assert_eq!(line["span"]["method"], "GetRun");
        assert_eq!(line["span"]["code"], "NOT_FOUND");
        assert_eq!(line["span"]["role"], "office");
    }
}
