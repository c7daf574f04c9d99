//! The binary `corridor-server`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{Parser, Subcommand};
use corridor_core::audit::AuditStamp;
use corridor_core::{
    Clock as _, Digest, OfficeId, OfficeIdError, OsEntropy, Role, RoleError, SignedCertificate, SystemClock,
};
use corridor_engine::{AuditLog, Compute, Engine, Limits, MasterKey, Store};
use corridor_server::{
    Config, Metrics, Operations, ServeOptions, Telemetry, check_log, follow, identities, maintenance, probe,
    read_identity, serve, start_log,
};
use corridor_store::BackupManifest;
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
    /// Makes a master key in a new file that only its owner can read.
    ///
    /// Example: corridor-server make-key /etc/corridor/master.key
    MakeKey {
        /// A new file.
        file: PathBuf,
    },
    /// Wraps every data key under the master key the settings name, after it was changed.
    ///
    /// Stop the service first. The former key is needed once more; destroy it afterwards, and with it every copy of a data key
    /// in backups. What was interrupted can be run again.
    ///
    /// Example: corridor-server rotate-key --config corridor-server.toml --from former.toml
    RotateKey {
        /// Settings, with the new master key.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// The settings as they were, with the former master key.
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
    },
    /// Says what can go, and removes it with --apply: datasets whose retention is over, and stored bytes that nothing answers for.
    ///
    /// Stop the service first; it does the same by itself. Each line says what and why.
    ///
    /// Example: corridor-server gc --config corridor-server.toml --dry-run
    Gc {
        /// Settings.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Removes nothing; as when nothing is said.
        #[arg(long, conflicts_with = "apply")]
        dry_run: bool,
        /// Removes it.
        #[arg(long)]
        apply: bool,
    },
    /// Copies the database and every object to a new folder, while the service goes on. Objects are copied as they are stored;
    /// no master key, signing key or certificate is in the copy, and no upload that is under way.
    ///
    /// Example: corridor-server backup --config corridor-server.toml --out backup-2026-03-01
    Backup {
        /// Settings of the service.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// A new folder.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Puts a backup into a service that holds nothing yet, with SQLite or PostgreSQL, whichever it was made of. Every digest is
    /// checked before anything is changed.
    ///
    /// Example: corridor-server restore --config corridor-server.toml --from backup-2026-03-01
    Restore {
        /// Settings of the new service.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// The backup.
        #[arg(long, value_name = "DIR")]
        from: PathBuf,
    },
    /// Purges again what certificates of deletion say was purged: what a restored backup brought back that was made before. The service
    /// must be stopped.
    ///
    /// Example: corridor-server purge --config corridor-server.toml --certificate deletion.json
    Purge {
        /// Settings of the service.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// A certificate, as offices keep it; repeat for each.
        #[arg(long, value_name = "FILE", required = true)]
        certificate: Vec<PathBuf>,
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
    /// Prints the public key of the audit log, and makes the key where there is none yet. Offices write it down, compare it by
    /// telephone, and give it to corridor audit verify.
    ///
    /// Example: corridor-server audit-key --config corridor-server.toml
    AuditKey {
        /// Settings.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Makes the result of a run again from what is stored, and says whether the same bytes come out. Shows no figure. May be done
    /// while the service runs, and takes as much memory and time as the run did.
    ///
    /// Example: corridor-server replay --config corridor-server.toml RUN
    Replay {
        /// Settings.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// The run's id.
        run: Digest,
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
            config.to_store_options()?;
            writeln!(std::io::stdout(), "{path} is sound")?;
            Ok(())
        }
        Command::Backup { config, out } => {
            let options = Config::load(&config)?.to_store_options()?;
            let stamp = AuditStamp::new(None, SystemClock.now(), &mut OsEntropy::default());
            let copying = corridor_store::backup(&options, &out, &stamp);
            let manifest = tokio::runtime::Runtime::new()?.block_on(copying)?;
            tell(&manifest, &format!("copied to {}", out.display()))?;
            writeln!(
                std::io::stdout(),
                "not in it: master key, signing keys, certificates, settings, and uploads under way; keep keys apart from it"
            )?;
            Ok(())
        }
        Command::Restore { config, from } => {
            let options = Config::load(&config)?.to_store_options()?;
            let restoring = corridor_store::restore(&options, &from);
            let manifest = tokio::runtime::Runtime::new()?.block_on(restoring)?;
            tell(&manifest, &format!("restored from {}", from.display()))?;
            writeln!(
                std::io::stdout(),
                "what was purged since the backup was made is back: purge it again before the service is started, with \
                 corridor-server purge --certificate"
            )?;
            Ok(())
        }
        Command::Purge { config, certificate } => {
            let options = Config::load(&config)?.to_store_options()?;
            let mut signed = Vec::new();
            for file in &certificate {
                let text = std::fs::read_to_string(file)
                    .with_context(|| format!("cannot read {}", file.display()))?;
                let certificate = SignedCertificate::from_file(&text)
                    .with_context(|| format!("{} is no certificate of deletion", file.display()))?;
                signed.push(certificate);
            }
            let purging = maintenance::purge_again(&options, &signed);
            let count = tokio::runtime::Runtime::new()?.block_on(purging)?;
            writeln!(
                std::io::stdout(),
                "{count} datasets purged again; of {} there was nothing",
                signed.len() - count
            )?;
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
        Command::MakeKey { file } => {
            MasterKey::write_new(&file, &mut OsEntropy::default())?;
            writeln!(std::io::stdout(), "wrote {}", file.display())?;
            Ok(())
        }
        Command::RotateKey { config, from } => {
            let (config, former) = (Config::load(&config)?, Config::load(&from)?);
            let rotating = maintenance::rotate_key(&config, &former);
            let count = tokio::runtime::Runtime::new()?.block_on(rotating)?;
            writeln!(
                std::io::stdout(),
                "{count} data keys wrapped under the new master key"
            )?;
            Ok(())
        }
        Command::Gc {
            config,
            dry_run: _,
            apply,
        } => {
            let config = Config::load(&config)?;
            tokio::runtime::Runtime::new()?.block_on(collect_garbage(&config, apply))
        }
        Command::AuditKey { config } => {
            let config = Config::load(&config)?;
            std::fs::create_dir_all(&config.data_folder)
                .with_context(|| format!("cannot make data_folder {}", config.data_folder.display()))?;
            let key = config
                .audit
                .open_key(&config.data_folder, &mut OsEntropy::default())?;
            writeln!(std::io::stdout(), "{}", key.log())?;
            Ok(())
        }
        Command::Replay { config, run } => {
            let config = Config::load(&config)?;
            start_log(&config.log, None)?;
            tokio::runtime::Runtime::new()?.block_on(replay(&config, run))
        }
        Command::Identity(command) => run_identity(command),
    }
}

/// Says what a backup holds.
fn tell(manifest: &BackupManifest, done: &str) -> anyhow::Result<()> {
    let rows: u64 = manifest.tables.iter().map(|table| table.row_count).sum();
    let bytes: u64 = manifest.objects.iter().map(|object| object.byte_count).sum();
    writeln!(
        std::io::stdout(),
        "{done}: {rows} rows of {} tables, {} objects of {bytes} bytes",
        manifest.tables.len(),
        manifest.objects.len()
    )?;
    Ok(())
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
    let settings = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut options = ServeOptions {
        settings_digest: Digest::of(&settings),
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
    let store = Store::open_with(&config.to_store_options()?)
        .await
        .with_context(|| {
            format!(
                "cannot open data_folder {} and its database",
                config.data_folder.display()
            )
        })?;
    let engine = open_engine(&config, store.clone())?.with_observer(metrics);
    if let Some(address) = config.operations.listen {
        let endpoint = TcpListener::bind(address)
            .await
            .with_context(|| format!("cannot listen on operations.listen {address}"))?;
        tracing::info!(address = %endpoint.local_addr()?, "answering probes");
        options.operations.endpoint = Some(endpoint);
    }
    let shutdown = shutdown_signal()?;
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on {}", config.listen))?;
    let every = Duration::from_secs(config.tls.reload_s);
    let serving = serve(listener, engine, options, shutdown);
    tokio::pin!(serving);
    tokio::select! {
        served = &mut serving => served?,
        () = follow(path, every, &identities) => serving.await?,
    }
    store.close().await;
    tracing::info!("ended");
    Ok(())
}

fn open_engine(config: &Config, store: Store) -> anyhow::Result<Engine> {
    let mut entropy = OsEntropy::default();
    let key = config.audit.open_key(&config.data_folder, &mut entropy)?;
    let limits = Limits {
        max_dataset_bytes: config.limits.max_dataset_bytes,
        run: config.limits.to_run_limits(),
        unreleased_days: config.limits.max_unreleased_days,
    };
    let compute = Compute::in_background(config.compute_threads)?;
    let audit = AuditLog::new(key, entropy);
    Ok(Engine::new(store, compute, Arc::new(SystemClock), audit, limits))
}

async fn collect_garbage(config: &Config, apply: bool) -> anyhow::Result<()> {
    let store = Store::open_as_is(&config.to_store_options()?).await?;
    let said = maintenance::collect_garbage(&open_engine(config, store.clone())?, apply).await;
    store.close().await;
    Ok(std::io::stdout().write_all(said?.as_bytes())?)
}

async fn replay(config: &Config, run: Digest) -> anyhow::Result<()> {
    let store = Store::open_beside(&config.to_store_options()?)
        .await
        .with_context(|| format!("cannot open data_folder {}", config.data_folder.display()))?;
    let replayed = open_engine(config, store.clone())?.replay_run(run).await;
    store.close().await;
    let replayed = replayed?;
    let mut out = std::io::stdout();
    for difference in &replayed.differences {
        writeln!(out, "{difference}")?;
    }
    match replayed.result {
        Some(result) if replayed.is_same() => writeln!(out, "same bytes: {result}")?,
        Some(_) | None => anyhow::bail!("the run could not be made again as it was"),
    }
    Ok(())
}

/// Waits for SIGINT, or SIGTERM where there is one. They are caught from the call on, not only once it is waited.
fn shutdown_signal() -> anyhow::Result<impl Future<Output = ()> + Send> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        Ok(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        })
    }
    #[cfg(not(unix))]
    {
        Ok(async {
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }
}
