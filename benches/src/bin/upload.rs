//! How fast the service takes an upload, beside a plain program on the same disk: `upload MIB [ROUNDS]`; and what a whole dataset
//! takes: `upload dataset RECORDS`. Before either, `--binaries FOLDER` names a folder with the service's binaries; they are built from
//! the tree when it is not given.
//!
//! The load comes from this process; the service and the plain program are processes of their own, in turn, over mutual TLS on
//! loopback, with the same stack (rustls with ring). The plain program reads, writes what it read when it is a group of 4 MiB,
//! waits for the disk and answers with a byte. The service does that too, and also takes frames out of gRPC messages, checks the
//! SHA-256 of each, encrypts them and notes them in its database.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use bytes::Bytes;
use corridor_cli::{Client, Connection, to_frames};
use corridor_core::{DatasetDeclaration, Digest, SeededEntropy, Stopwatch, SystemClock, fill};
use corridor_tests::sample::{self, Sample, SampleTerms};
use corridor_tests::{ServerProcess, server_command, use_binaries, workspace_root};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// What the plain program writes before it waits for the disk. The service writes what came while it waited, up to 8 MiB.
const GROUP_BYTES: usize = 4 << 20;

#[tokio::main]
async fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
    if let ["--binaries", folder, ..] = words[..] {
        use_binaries(folder.into());
        words.drain(..2);
    }
    match words[..] {
        ["sink", folder] => sink(Path::new(folder)).await,
        ["dataset", records] => dataset(records.parse()?).await,
        [mib] => compare(mib.parse()?, 3).await,
        [mib, rounds] => compare(mib.parse()?, rounds.parse()?).await,
        _ => Err(
            "upload [--binaries FOLDER] MIB [ROUNDS], or upload [--binaries FOLDER] dataset RECORDS".into(),
        ),
    }
}

#[expect(clippy::print_stdout, reason = "what a benchmark is for")]
fn print(value: &serde_json::Value) -> Outcome<()> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}

/// A service with certificates for the offices of the sample.
struct Service {
    folder: tempfile::TempDir,
    process: ServerProcess,
}

impl Service {
    fn start() -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        let offices = ["--office", sample::ORIGIN, "--office", sample::DESTINATION];
        let made = server_command(
            folder.path(),
            &[&["identity", "init", "--dir", "certs"], &offices[..]].concat(),
        )
        .stdout(Stdio::null())
        .status()?;
        if !made.success() {
            return Err("no certificates were made".into());
        }
        let config = std::fs::read_to_string(workspace_root().join("deploy/corridor-server.toml"))?
            .replace("127.0.0.1:7443", "127.0.0.1:0")
            .replace("INS-TN", sample::ORIGIN)
            .replace("ISTAT", sample::DESTINATION)
            .replace("call_timeout_s = 120", "call_timeout_s = 3600");
        std::fs::write(folder.path().join("server.toml"), config)?;
        let process = ServerProcess::start(folder.path(), "server.toml");
        Ok(Self { folder, process })
    }

    fn read(&self, name: &str) -> Outcome<String> {
        Ok(std::fs::read_to_string(
            self.folder.path().join("certs").join(name),
        )?)
    }

    async fn client(&self, office: &str) -> Outcome<Client> {
        let connection = Connection {
            server: format!("https://localhost:{}", self.process.address().port()),
            ca: self.read("ca.pem")?,
            certificate: self.read(&format!("{office}.pem"))?,
            private_key: self.read(&format!("{office}.key"))?,
        };
        Ok(Client::connect(&connection).await?)
    }

    async fn agree(&self, sample: &Sample) -> Outcome<()> {
        for (office, signature) in sample.signatures() {
            let client = self.client(office).await?;
            client
                .propose_agreement(sample.agreement.to_canonical_bytes())
                .await?;
            client
                .sign_agreement(sample.agreement.digest(), &signature)
                .await?;
        }
        Ok(())
    }

    /// Most memory it had so far, in MB.
    fn peak_mb(&self) -> Outcome<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib: f64 = line
            .and_then(|line| line.split_whitespace().next())
            .ok_or("no VmHWM")?
            .parse()?;
        Ok(kib * 1024.0 / 1e6)
    }
}

async fn compare(mib: usize, rounds: usize) -> Outcome<()> {
    let sample = Sample::of(&SampleTerms {
        records: 100,
        ..SampleTerms::default()
    });
    let service = Service::start()?;
    service.agree(&sample).await?;
    let mut bytes = vec![0; mib << 20];
    fill(&mut SeededEntropy::new(1, "upload"), &mut bytes);
    let bytes = Bytes::from(bytes);
    let plain = Sink::start(&service)?;
    let client = service.client(sample::ORIGIN).await?;
    let mut measured = Vec::new();
    for round in 0..rounds {
        let by_sink = to_mb_per_s(&bytes, plain.send(&service, &bytes).await?);
        let by_service = to_mb_per_s(&bytes, send(&client, &sample, &bytes, round).await?);
        measured.push((by_sink, by_service));
    }
    let mut ratios: Vec<f64> = measured.iter().map(|(sink, service)| service / sink).collect();
    ratios.sort_by(f64::total_cmp);
    print(&serde_json::json!({
        "mib": mib,
        "plain_mb_per_s": measured.iter().map(|(sink, _)| sink.round()).collect::<Vec<_>>(),
        "service_mb_per_s": measured.iter().map(|(_, service)| service.round()).collect::<Vec<_>>(),
        "median_ratio": ratios[ratios.len() / 2],
        "service_peak_mb": service.peak_mb()?,
    }))
}

fn to_mb_per_s(bytes: &Bytes, seconds: f64) -> f64 {
    let len: f64 = bytes.len().to_string().parse().unwrap_or(f64::NAN);
    len / 1e6 / seconds
}

/// Seconds until the service acknowledged every byte.
async fn send(client: &Client, sample: &Sample, bytes: &Bytes, round: usize) -> Outcome<f64> {
    let declaration = DatasetDeclaration {
        // What is uploaded is no dataset: it is not sealed, and the next round replaces it.
        content: Digest::of(round.to_string().as_bytes()),
        total_bytes: u64::try_from(bytes.len())?,
        ..sample.datasets[0].0.clone()
    };
    let status = client.declare_dataset(&declaration).await?;
    let frames = to_frames(&status, bytes);
    let clock = SystemClock;
    let watch = Stopwatch::start(&clock);
    client.send_frames(frames, &|_| {}).await?;
    let seconds = watch.elapsed_s();
    let status = client.dataset(status.id).await?;
    if status.acknowledged_bytes != declaration.total_bytes {
        return Err("not every byte was acknowledged".into());
    }
    Ok(seconds)
}

async fn dataset(records: usize) -> Outcome<()> {
    let small = Sample::of(&SampleTerms {
        records: 100,
        ..SampleTerms::default()
    });
    let (declaration, bytes) = small.origin_dataset(&SampleTerms {
        records,
        ..SampleTerms::default()
    });
    let service = Service::start()?;
    service.agree(&small).await?;
    let client = service.client(sample::ORIGIN).await?;
    let clock = SystemClock;
    let status = client.declare_dataset(&declaration).await?;
    let watch = Stopwatch::start(&clock);
    client.send_frames(to_frames(&status, &bytes), &|_| {}).await?;
    let (uploaded, uploaded_peak) = (watch.elapsed_s(), service.peak_mb()?);
    let watch = Stopwatch::start(&clock);
    client.seal_dataset(status.id).await?;
    print(&serde_json::json!({
        "records": records,
        "mb": to_mb_per_s(&bytes, 1.0).round(),
        "upload_s": uploaded,
        "upload_peak_mb": uploaded_peak,
        "seal_s": watch.elapsed_s(),
        "seal_peak_mb": service.peak_mb()?,
    }))
}

/// The plain program. Ends with this process.
struct Sink {
    process: Child,
    port: u16,
}

impl Drop for Sink {
    fn drop(&mut self) {
        // It has ended already where something failed.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Sink {
    fn start(service: &Service) -> Outcome<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg("sink")
            .arg(service.folder.path())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().ok_or("standard output is piped")?).read_line(&mut line)?;
        let port = line.trim().parse()?;
        Ok(Self { process, port })
    }

    /// Seconds until every byte was acknowledged.
    async fn send(&self, service: &Service, bytes: &Bytes) -> Outcome<f64> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(
            service.read("ca.pem")?.as_bytes(),
        )?)?;
        let chain = vec![CertificateDer::from_pem_slice(
            service.read(&format!("{}.pem", sample::ORIGIN))?.as_bytes(),
        )?];
        let key =
            PrivateKeyDer::from_pem_slice(service.read(&format!("{}.key", sample::ORIGIN))?.as_bytes())?;
        let config =
            rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_protocol_versions(&[&rustls::version::TLS13])?
                .with_root_certificates(roots)
                .with_client_auth_cert(chain, key)?;
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        stream.set_nodelay(true)?;
        let connector = TlsConnector::from(Arc::new(config));
        let stream = connector
            .connect(ServerName::try_from("localhost")?, stream)
            .await?;
        let clock = SystemClock;
        let watch = Stopwatch::start(&clock);
        let (mut reader, mut writer) = tokio::io::split(stream);
        let len = u64::try_from(bytes.len())?;
        let sending = async {
            writer.write_all(&len.to_be_bytes()).await?;
            for piece in bytes.chunks(1 << 20) {
                writer.write_all(piece).await?;
            }
            writer.flush().await
        };
        let receiving = async {
            let mut answers = vec![0; bytes.len().div_ceil(GROUP_BYTES)];
            reader.read_exact(&mut answers).await
        };
        let (sent, received) = tokio::join!(sending, receiving);
        sent?;
        received?;
        Ok(watch.elapsed_s())
    }
}

/// Reads, writes and waits for the disk, in groups.
async fn sink(folder: &Path) -> Outcome<()> {
    let certs = folder.join("certs");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certs.join("ca.pem"))?)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier =
        rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()?;
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(
            vec![CertificateDer::from_pem_file(certs.join("server.pem"))?],
            PrivateKeyDer::from_pem_file(certs.join("server.key"))?,
        )?;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", listener.local_addr()?.port())?;
    out.flush()?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let mut stream = acceptor.accept(stream).await?;
        let mut left = usize::try_from(stream.read_u64().await?)?;
        let path = folder.join("sink");
        let mut file = std::fs::File::create(&path)?;
        // One group is read while the one before is written.
        let (sender, mut receiver) = tokio::sync::mpsc::channel::<Vec<u8>>(1);
        let (answered, mut answers) = tokio::sync::mpsc::channel::<()>(1024);
        let writing = std::thread::spawn(move || -> std::io::Result<()> {
            while let Some(group) = receiver.blocking_recv() {
                file.write_all(&group)?;
                file.sync_data()?;
                if answered.blocking_send(()).is_err() {
                    break;
                }
            }
            Ok(())
        });
        while left > 0 {
            let mut group = vec![0; left.min(GROUP_BYTES)];
            stream.read_exact(&mut group).await?;
            left -= group.len();
            sender.send(group).await?;
            while answers.try_recv().is_ok() {
                stream.write_all(&[1]).await?;
            }
        }
        drop(sender);
        while answers.recv().await.is_some() {
            stream.write_all(&[1]).await?;
        }
        stream.shutdown().await?;
        writing.join().map_err(|_| "the writer failed")??;
        std::fs::remove_file(&path)?;
    }
}
