//! The binary `corridor-server`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{Parser, Subcommand};
use corridor_core::{OfficeId, OfficeIdError, Role, RoleError, SystemClock};
use corridor_engine::{Compute, Engine, Limits, Store};
use corridor_server::{
    Config, Metrics, Operations, ServeOptions, Telemetry, check_log, follow, identities, probe,
    read_identity, serve, start_log,
};
use tokio::net::TcpListener;
use tokio::sync::watch;

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
    /// Makes a certificate authority for a trial, a certificate for the service and one for each party. Use
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
        /// A party in another role, as in UNIV-A=researcher; repeat for each.
        #[arg(long = "party", value_name = "ID=ROLE", value_parser = parse_party)]
        parties: Vec<(OfficeId, Role)>,
    },
    /// Issues a certificate for one more party, or a new one in place of an old one. The old one stays good until it is revoked.
    ///
    /// Example: corridor-server identity issue --dir certs --party UNIV-A=researcher
    Issue {
        /// The folder identity init made.
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// The party and its role.
        #[arg(long, value_name = "ID=ROLE", value_parser = parse_party)]
        party: (OfficeId, Role),
    },
    /// Revokes a certificate. A running service with tls.revocations in its settings notices within tls.reload_s seconds, and
    /// cuts its connections.
    ///
    /// Example: corridor-server identity revoke --dir certs certs/ISTAT.pem
    Revoke {
        /// The folder identity init made.
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// The certificate.
        #[arg(value_name = "FILE")]
        certificate: PathBuf,
    },
}

fn parse_party(text: &str) -> Result<(OfficeId, Role), String> {
    let (id, role) = text
        .split_once('=')
        .ok_or("expected an id and a role, as in UNIV-A=researcher")?;
    Ok((
        id.parse().map_err(|error: OfficeIdError| error.to_string())?,
        role.parse().map_err(|error: RoleError| error.to_string())?,
    ))
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
        Command::Serve { config: path } => {
            let config = Config::load(&path)?;
            tokio::runtime::Runtime::new()?.block_on(start_watched(&path, config))
        }
        Command::CheckConfig { config } => {
            let path = config.display().to_string();
            let config = Config::load(&config)?;
            read_identity(&config)?.check()?;
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
        Command::Identity(command) => run_identity(command),
    }
}

fn run_identity(command: IdentityCommand) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    match command {
        IdentityCommand::Init {
            dir,
            host,
            offices,
            parties,
        } => {
            let offices = offices.into_iter().map(|office| (office, Role::Office));
            let parties: Vec<_> = offices.chain(parties).collect();
            identities::init(&dir, &host, &parties, &SystemClock)?;
            writeln!(
                out,
                "wrote ca.pem, ca.key, revocations.pem, server.pem, server.key and a pair for each party to {}",
                dir.display()
            )?;
            writeln!(out, "for the settings of the service:")?;
            for (party, role) in &parties {
                write_party(&mut out, party, *role)?;
            }
            writeln!(
                out,
                "next: give each party ca.pem and its own .pem and .key, over a channel you trust; keep ca.key off the service's machine"
            )?;
        }
        IdentityCommand::Issue { dir, party } => {
            identities::issue(&dir, &party.0, party.1)?;
            writeln!(
                out,
                "wrote a pair to {}; for the settings of the service:",
                dir.display()
            )?;
            write_party(&mut out, &party.0, party.1)?;
        }
        IdentityCommand::Revoke { dir, certificate } => {
            identities::revoke(&dir, &certificate, &SystemClock)?;
            writeln!(out, "revoked {}", certificate.display())?;
        }
    }
    Ok(())
}

fn write_party(out: &mut impl std::io::Write, party: &OfficeId, role: Role) -> std::io::Result<()> {
    writeln!(
        out,
        "[[parties]]\nid = \"{party}\"\nrole = \"{role}\"\ncertificate_name = \"{}\"",
        identities::certificate_name(party, role)
    )
}

/// The service with its log and traces.
async fn start_watched(path: &Path, config: Config) -> anyhow::Result<()> {
    let metrics = Arc::new(Metrics::new());
    let telemetry = Telemetry::start(&config.telemetry, Arc::clone(&metrics))?;
    start_log(&config.log, telemetry.as_ref())?;
    let ended = start(path, config, metrics).await;
    if let Some(telemetry) = telemetry {
        telemetry.flush_and_end();
    }
    ended
}

async fn start(path: &Path, config: Config, metrics: Arc<Metrics>) -> anyhow::Result<()> {
    let (identities, identity) = watch::channel(read_identity(&config)?);
    let mut options = ServeOptions {
        identity,
        limits: config.limits.clone(),
        reflection: config.reflection,
        operations: Operations {
            metrics: Arc::clone(&metrics),
            settings: config.operations.clone(),
            grpc_web: config.grpc_web.clone(),
            ..Operations::default()
        },
    };
    let store = Store::open(&config.data_folder)
        .await
        .with_context(|| format!("cannot open data_folder {}", config.data_folder.display()))?;
    let limits = Limits {
        max_dataset_bytes: config.limits.max_dataset_bytes,
        run: config.limits.to_run_limits(),
    };
    let compute = Compute::new(config.compute_threads)?;
    let engine = Engine::new(store.clone(), compute, Arc::new(SystemClock), limits).with_observer(metrics);
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
    let every = Duration::from_secs(config.tls.reload_s);
    let serving = serve(listener, engine, options, shutdown_signal());
    tokio::pin!(serving);
    tokio::select! {
        served = &mut serving => served?,
        () = follow(path, every, &identities) => serving.await?,
    }
    store.close().await;
    tracing::info!("ended");
    Ok(())
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
