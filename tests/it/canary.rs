//! A whole job with everything logged and traced, and a search of what came out of it for the people, filters and keys that went in.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use corridor_store::parse_dataset;
use corridor_tests::{Job, OFFICES, Outcome, Terms};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};
use tonic::{Request, Response, Status};

use crate::operations::ask;

/// A name nobody has, and no program writes.
const CANARY: [&str; 2] = ["Zqwyxaranda", "Kvzantorrini"];

/// Records of each office that are searched for.
const SEARCHED: usize = 40;

/// A collector of traces in this process.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<ExportTraceServiceRequest>>>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.0.lock().unwrap().push(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    /// Listens on a runtime of its own, which ends with it.
    fn start(&self) -> (SocketAddr, tokio::runtime::Runtime) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let address = listener.local_addr().unwrap();
        let collector = self.clone();
        drop(runtime.spawn(async move {
            tonic::transport::Server::builder()
                .add_service(TraceServiceServer::new(collector))
                .serve_with_incoming(TcpListenerStream::new(listener))
                .await
                .unwrap();
        }));
        (address, runtime)
    }

    fn spans(&self) -> Vec<Span> {
        let requests = self.0.lock().unwrap();
        let resources = requests.iter().flat_map(|request| &request.resource_spans);
        let scopes = resources.flat_map(|resource| &resource.scope_spans);
        scopes.flat_map(|scope| scope.spans.clone()).collect()
    }
}

/// What must not be found, with what it is of.
struct Needles(Vec<(&'static str, String)>);

impl Needles {
    /// A secret as text and as bytes.
    fn add(&mut self, what: &'static str, bytes: &[u8]) {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        self.0.push((what, hex.to_uppercase()));
        self.0.push((what, hex));
        // As much of Base64 as does not depend on what follows, where that is enough not to be there by chance.
        let whole = bytes.len() / 3 * 3;
        if whole >= 6 {
            self.0.push((what, to_base64(&bytes[..whole])));
        }
        // As a list of numbers, which is how programs show bytes they know nothing of.
        let list: Vec<String> = bytes.iter().take(8).map(u8::to_string).collect();
        self.0.push((what, list.join(", ")));
    }

    fn add_text(&mut self, what: &'static str, text: &str) {
        self.add(what, text.as_bytes());
        self.0.push((what, text.to_owned()));
        self.0.push((what, text.to_lowercase()));
        self.0.push((what, text.to_uppercase()));
    }

    /// What of it is in `haystack`.
    fn found_in(&self, haystack: &str) -> Vec<&'static str> {
        let found = self
            .0
            .iter()
            .filter(|(_, needle)| haystack.contains(needle.as_str()));
        found.map(|(what, _)| *what).collect()
    }
}

fn to_base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    bytes
        .chunks_exact(3)
        .flat_map(|three| {
            let bits = three
                .iter()
                .fold(0_usize, |bits, &byte| bits << 8 | usize::from(byte));
            [18, 12, 6, 0].map(|shift| char::from(LETTERS[bits >> shift & 63]))
        })
        .collect()
}

/// Puts the canary's name into the first record.
fn plant(register: &Path) {
    let text = fs::read_to_string(register).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut values: Vec<&str> = lines[1].split(',').collect();
    [values[1], values[2]] = CANARY;
    lines[1] = values.join(",");
    fs::write(register, lines.join("\n") + "\n").unwrap();
}

fn needles(job: &Job) -> Needles {
    let mut needles = Needles(Vec::new());
    for name in CANARY {
        needles.add_text("name", name);
    }
    for (office, id) in OFFICES {
        let folder = job.path(office);
        let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
        for line in read("dataset.parquet.ids.csv").lines().skip(1).take(SEARCHED) {
            let (_, pseudonym) = line.split_once(',').unwrap();
            let bytes: Vec<u8> = (0..pseudonym.len() / 2)
                .map(|at| u8::from_str_radix(&pseudonym[2 * at..2 * at + 2], 16).unwrap())
                .collect();
            assert_eq!(bytes.len(), 16, "{line}");
            needles.add("pseudonym", &bytes);
        }
        for line in read("register.csv").lines().skip(1).take(SEARCHED) {
            let values: Vec<&str> = line.split(',').collect();
            needles.add("record id", values[0].as_bytes());
            needles.0.push(("record id", values[0].to_owned()));
            needles.0.push(("passport", values[7].to_owned()));
            needles.0.retain(|(_, needle)| needle.len() > 5);
        }
        let dataset = parse_dataset(Bytes::from(fs::read(folder.join("dataset.parquet")).unwrap())).unwrap();
        for record in 0..SEARCHED {
            let filter = dataset.filters.row_to_bytes(record);
            needles.add("filter", &filter[..24]);
            needles
                .0
                .push(("filter", dataset.filters.row(record)[0].to_string()));
            needles
                .0
                .push(("filter", format!("{:016x}", dataset.filters.row(record)[0])));
        }
        needles.add_text("passphrase", read("pass.txt").trim_end());
        for file in ["project.key", "keys/identity.key"] {
            let sealed = fs::read(folder.join(file)).unwrap();
            for window in sealed.chunks_exact(24).skip(1) {
                needles.add("sealed key", window);
            }
        }
        let certs = job.path("server").join("certs");
        for name in [id, "server"] {
            let key = fs::read_to_string(certs.join(format!("{name}.key"))).unwrap();
            let body: Vec<&str> = key.lines().filter(|line| !line.starts_with('-')).collect();
            needles.0.push(("private key", body[1].to_owned()));
        }
    }
    needles
}

/// Calls with a trace of its own, as a program of an office would.
async fn call_with_trace(job: &Job, trace: &str) {
    let read = |file: &str| fs::read_to_string(job.path("server").join("certs").join(file)).unwrap();
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(read("ca.pem")))
        .identity(Identity::from_pem(read("INS-TN.pem"), read("INS-TN.key")));
    let address = format!("https://localhost:{}", job.server().address().port());
    let endpoint = Endpoint::from_shared(address).unwrap().tls_config(tls).unwrap();
    let mut client = corridor_wire::v1::agreement_service_client::AgreementServiceClient::new(
        endpoint.connect().await.unwrap(),
    );
    let mut request = Request::new(corridor_wire::v1::ListAgreementsRequest {});
    let metadata = request.metadata_mut();
    metadata.insert("traceparent", trace.parse().unwrap());
    let state = format!("office={}", CANARY[0]);
    metadata.insert("tracestate", state.parse().unwrap());
    metadata.insert("baggage", state.parse().unwrap());
    client.list_agreements(request).await.unwrap();
}

#[test]
fn nothing_of_a_person_or_a_key_comes_out_of_a_job_with_everything_logged_and_traced() {
    let collector = Collector::default();
    let (address, _runtime) = collector.start();
    let mut job = Job::start();
    job.kill_server();
    let endpoint = format!("otlp_endpoint = \"http://{address}\"");
    job.set(&[
        ("filter = \"info\"", "filter = \"trace\""),
        ("# listen = \"127.0.0.1:9464\"", "listen = \"127.0.0.1:0\""),
        ("# otlp_endpoint = \"http://127.0.0.1:4317\"", endpoint.as_str()),
    ]);
    job.start_server();
    let probes = job.server().probes().unwrap();
    for (office, _) in OFFICES {
        plant(&job.path(office).join("register.csv"));
    }
    let agreement = job.agree(&Terms::default());
    let mut said = Vec::new();
    let mut note = |outcome: Outcome| said.push(outcome.stderr);
    for (office, _) in OFFICES {
        note(job.encode(office, "project.key", "dataset.parquet").succeeded());
        note(job.upload(office, "dataset.parquet").succeeded());
    }
    let started = job.run("tn", &["run", "start", &agreement]).succeeded();
    let run = started.line().to_owned();
    note(started);
    note(job.run("it", &["run", "watch", &run]).succeeded());
    // What is refused, too.
    note(job.run("it", &["flows", "show", &run]));
    note(job.run("it", &["run", "start", &run]));
    for (office, _) in OFFICES {
        note(job.release(office, &run).succeeded());
    }
    note(job.run("it", &["flows", "show", &run]).succeeded());
    note(
        job.run("it", &["run", "links", &run, "-o", "links.csv"])
            .succeeded(),
    );
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(call_with_trace(&job, trace));
    let metrics = ask(probes, "GET /metrics").1;
    let (log, code) = job.terminate_server();
    assert_eq!(code, Some(0));

    // Spans came, the last ones at the end of the service.
    let spans = collector.spans();
    let named = |name: &str| spans.iter().filter(|span| span.name == name).collect::<Vec<_>>();
    for name in [
        "AgreementService/SignAgreement",
        "DatasetService/UploadDataset",
        "RunService/WatchRun",
        "FlowService/ReleaseFlowTable",
        "run",
        "run prepare",
        "run compare",
        "run decide",
        "run store",
    ] {
        assert!(!named(name).is_empty(), "no span {name}");
    }
    let run_span = named("run")[0];
    assert_eq!(named("run decide")[0].parent_span_id, run_span.span_id);
    let traced: Vec<_> = spans
        .iter()
        .filter(|span| span.trace_id == 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes())
        .collect();
    assert_eq!(traced.len(), 1);
    assert_eq!(traced[0].parent_span_id, 0x00f0_67aa_0ba9_02b7_u64.to_be_bytes());
    let allowed = [
        "corridor.outcome",
        "corridor.phase",
        "corridor.role",
        "rpc.method",
        "rpc.response.status_code",
        "rpc.service",
        "rpc.system.name",
    ];
    for span in &spans {
        assert!(span.events.is_empty() && span.links.is_empty() && span.trace_state.is_empty());
        for attribute in &span.attributes {
            assert!(allowed.contains(&attribute.key.as_str()), "{attribute:?}");
        }
    }

    let exported = collector.0.lock().unwrap();
    let raw: Vec<u8> = exported
        .iter()
        .flat_map(|request| request.encode_to_vec())
        .collect();
    let shown = format!("{exported:?}");
    let places = [
        ("the log", log),
        ("what the offices were told", said.join("\n")),
        ("the metrics", metrics),
        ("the spans", shown + &String::from_utf8_lossy(&raw)),
    ];
    let needles = needles(&job);
    for (place, text) in &places {
        assert!(text.len() > 100, "{place} says something");
        let found = needles.found_in(text);
        assert!(found.is_empty(), "{found:?} in {place}");
    }
    // The digests of agreement and run are no secret, and are of no use in a trace either.
    for id in [&agreement, &run] {
        assert!(
            !places[3].1.contains(&id[..12]) && !places[2].1.contains(&id[..12]),
            "{id}"
        );
    }
    // The search finds what is there: each needle, where it is planted.
    for (what, needle) in &needles.0 {
        assert!(needles.found_in(&format!("x{needle}x")).contains(what));
    }
    assert!(places[0].1.contains("flow table made") && places[0].1.contains("TRACE"));
}
