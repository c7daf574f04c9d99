//! The binary `corridor-server`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::{Parser, Subcommand};
use corridor_core::{Clock as _, OfficeId, SystemClock};
use corridor_engine::{Compute, Engine, Limits, Store};
use corridor_server::{CertificatePair, Config, LogConfig, ServeOptions, TrialCa, serve};
use corridor_store::BackupManifest;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

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
            start_log(&config.log)?;
            tokio::runtime::Runtime::new()?.block_on(start(config))
        }
        Command::CheckConfig { config } => {
            let path = config.display().to_string();
            let config = Config::load(&config)?;
            read_tls(&config)?;
            config.to_store_options()?;
            writeln!(std::io::stdout(), "{path} is sound")?;
            Ok(())
        }
        Command::Backup { config, out } => {
            let options = Config::load(&config)?.to_store_options()?;
            let copying = corridor_store::backup(&options, &out, SystemClock.now());
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
            tell(&manifest, &format!("restored from {}", from.display()))
        }
        Command::Identity(IdentityCommand::Init { dir, host, offices }) => {
            init_identities(&dir, &host, &offices)
        }
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

fn start_log(log: &LogConfig) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&log.filter).context("log.filter is not understood")?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    if log.json {
        builder.json().init();
    } else {
        builder.with_ansi(false).init();
    }
    Ok(())
}

async fn start(config: Config) -> anyhow::Result<()> {
    let options = read_tls(&config)?;
    let store = Store::open_with(&config.to_store_options()?)
        .await
        .with_context(|| {
            format!(
                "cannot open data_folder {} and its database",
                config.data_folder.display()
            )
        })?;
    let limits = Limits {
        max_dataset_bytes: config.limits.max_dataset_bytes,
        run: config.limits.to_run_limits(),
    };
    let compute = Compute::new(config.compute_threads)?;
    let engine = Engine::new(store.clone(), compute, Arc::new(SystemClock), limits);
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
