//! The binary `corridor-server`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::{Parser, Subcommand};
use corridor_core::{OfficeId, SystemClock};
use corridor_engine::{Compute, Engine, Limits, Store};
use corridor_server::{
    CertificatePair, Config, Metrics, Operations, ServeOptions, Telemetry, TrialCa, check_log, probe, serve,
    start_log,
};
use tokio::net::TcpListener;

/// The linkage service two statistical offices upload encoded registers to. It holds no linkage key and can
/// read no name.
///
/// Exit codes: 0 when it ended on request, 1 when it failed, 2 when the command line is wrong.
#[derive(Parser)]
#[command(name = "corridor-server", version)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Starts the service. Ends on SIGINT or SIGTERM, after letting open calls end; a run under way is taken up
    /// again at the next start.
    ///
    /// Example: corridor-server serve --config corridor-server.toml
    Serve {
        /// Settings; see deploy/corridor-server.toml.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Reads the settings, says what is wrong with them, and ends.
    CheckConfig {
        /// Settings.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Asks the service that runs with these settings on this machine whether it takes calls; for a container's or a supervisor's
    /// health check. It needs operations.listen, and ends with 1 when the service is stopping or does not answer.
    ///
    /// Example: corridor-server health --config corridor-server.toml
    Health {
        /// Settings the service runs with.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Whether uploads and runs can be stored, too.
        #[arg(long)]
        storage: bool,
    },
    /// Makes certificates.
    #[command(subcommand)]
    Identity(IdentityCommand),
}

#[derive(Subcommand)]
enum IdentityCommand {
    /// Makes a certificate authority for a trial, a certificate for the service and one for each office. Use
    /// your own authority in production.
    ///
    /// Example: corridor-server identity init --dir certs --host localhost --office INS-TN --office ISTAT
    Init {
        /// A new folder for them.
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// Host name or address the service is reached at.
        #[arg(long, default_value = "localhost")]
        host: String,
        /// Id of an office; repeat for each.
        #[arg(long = "office", value_name = "ID", required = true)]
        offices: Vec<OfficeId>,
    },
}

fn main() -> ExitCode {
    match run(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell when this cannot be written.
            drop(writeln!(std::io::stderr(), "error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args) -> anyhow::Result<()> {
    match args.command {
        Command::Serve { config } => {
            let config = Config::load(&config)?;
            tokio::runtime::Runtime::new()?.block_on(start_watched(config))
        }
        Command::CheckConfig { config } => {
            let path = config.display().to_string();
            let config = Config::load(&config)?;
            read_tls(&config)?;
            check_log(&config.log)?;
            config.telemetry.read_authority()?;
            writeln!(std::io::stdout(), "{path} is sound")?;
            Ok(())
        }
        Command::Health { config, storage } => {
            let listen = Config::load(&config)?.operations.listen;
            let Some(listen) = listen else {
                bail!(
                    "{} has no operations.listen, so nothing can be asked; set it, as in listen = \"127.0.0.1:9464\"",
                    config.display()
                );
            };
            writeln!(std::io::stdout(), "{}", probe(listen, storage)?)?;
            Ok(())
        }
        Command::Identity(IdentityCommand::Init { dir, host, offices }) => {
            init_identities(&dir, &host, &offices)
        }
    }
}

/// The service with its log and traces.
async fn start_watched(config: Config) -> anyhow::Result<()> {
    let metrics = Arc::new(Metrics::new());
    let telemetry = Telemetry::start(&config.telemetry, Arc::clone(&metrics))?;
    start_log(&config.log, telemetry.as_ref())?;
    let ended = start(config, metrics).await;
    if let Some(telemetry) = telemetry {
        telemetry.flush_and_end();
    }
    ended
}

async fn start(config: Config, metrics: Arc<Metrics>) -> anyhow::Result<()> {
    let mut options = read_tls(&config)?;
    let store = Store::open(&config.data_folder)
        .await
        .with_context(|| format!("cannot open data_folder {}", config.data_folder.display()))?;
    let limits = Limits {
        max_dataset_bytes: config.limits.max_dataset_bytes,
        run: config.limits.to_run_limits(),
    };
    let compute = Compute::new(config.compute_threads)?;
    let engine =
        Engine::new(store.clone(), compute, Arc::new(SystemClock), limits)
            .with_observer(Arc::<Metrics>::clone(&metrics));
    options.operations.metrics = metrics;
    if let Some(address) = config.operations.listen {
        let endpoint = TcpListener::bind(address)
            .await
            .with_context(|| format!("cannot listen on operations.listen {address}"))?;
        tracing::info!(address = %endpoint.local_addr()?, "answering probes");
        options.operations.endpoint = Some(endpoint);
    }
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on {}", config.listen))?;
    tracing::info!(address = %listener.local_addr()?, "serving");
    serve(listener, engine, options, shutdown_signal()).await?;
    store.close().await;
    tracing::info!("ended");
    Ok(())
}

fn read_tls(config: &Config) -> anyhow::Result<ServeOptions> {
    let read = |path: &Path, key: &str| {
        std::fs::read_to_string(path).with_context(|| format!("cannot read tls.{key} {}", path.display()))
    };
    Ok(ServeOptions {
        certificate: read(&config.tls.certificate, "certificate")?,
        private_key: read(&config.tls.private_key, "private_key")?,
        client_ca: read(&config.tls.client_ca, "client_ca")?,
        offices: config.offices.clone(),
        limits: config.limits.clone(),
        reflection: config.reflection,
        operations: Operations {
            settings: config.operations.clone(),
            grpc_web: config.grpc_web.clone(),
            ..Operations::default()
        },
    })
}

/// Waits for SIGINT, or SIGTERM where there is one.
async fn shutdown_signal() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                () = interrupt => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    interrupt.await;
}

fn init_identities(dir: &Path, host: &str, offices: &[OfficeId]) -> anyhow::Result<()> {
    if dir.exists() {
        bail!("{} exists already; name a new folder", dir.display());
    }
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let ca = TrialCa::new()?;
    write(&dir.join("ca.pem"), &ca.to_pem(), false)?;
    let write_pair = |name: &str, pair: &CertificatePair| {
        write(&dir.join(format!("{name}.pem")), &pair.certificate, false)?;
        write(&dir.join(format!("{name}.key")), &pair.private_key, true)
    };
    write_pair("server", &ca.issue_server(host)?)?;
    for office in offices {
        write_pair(office.as_str(), &ca.issue_client(office.as_str())?)?;
    }
    let mut out = std::io::stdout();
    writeln!(
        out,
        "wrote ca.pem, server.pem, server.key and a pair for each office to {}",
        dir.display()
    )?;
    writeln!(
        out,
        "next: give each office ca.pem and its own .pem and .key, over a channel you trust"
    )?;
    Ok(())
}

fn write(path: &Path, text: &str, private: bool) -> anyhow::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, if private { 0o600 } else { 0o644 });
    options
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write {}", path.display()))
}
