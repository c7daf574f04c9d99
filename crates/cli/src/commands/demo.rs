use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use corridor_core::{
    AGREEMENT_VERSION, Agreement, Digest, GateTerms, OsEntropy, Output, Pseudonym, Role, RunState,
    SeededEntropy, Side, SignedAgreement, SigningPurpose, Stopwatch, SystemClock,
};
use corridor_encode::{
    EncodeTerms, EncodedRegister, Identity, Mapping, PendingExchange, ProjectSecret, accept_offer,
    draft_mapping, encode_register, write_dataset, write_pseudonyms,
};
use corridor_engine::{AuditKey, AuditLog, Compute, Engine, FlowTerms, Limits, LinkedPair, Store};
use corridor_server::{LimitsConfig, Operations, PartyConfig, ServeOptions, ServiceIdentity, TrialCa, serve};
use tokio::net::TcpListener;
use tokio::sync::watch as channel;
use tokio_util::sync::CancellationToken;

use crate::args::DemoArgs;
use crate::client::{Client, Connection};
use crate::commands::registers::{
    LinkRow, Register, Registers, links_to_csv, measure_quality, to_quality_line,
};
use crate::commands::results::{FlowResult, add_few_pictures, add_flows, replace_results, to_page};
use crate::commands::run::watch;
use crate::commands::terms::{to_encoding_terms, to_office};
use crate::commands::upload;
use crate::failure::input_error;
use crate::output::{FileSet, data, peak_memory_mb, progress, talk};
use crate::patience::LineTerms;

/// The bundled registers, so that the binary needs no file beside it.
const BUNDLED: [(&str, &str); 5] = [
    ("a.csv", include_str!("../../fixtures/corridor_tn_it/a.csv")),
    ("b.csv", include_str!("../../fixtures/corridor_tn_it/b.csv")),
    (
        "truth.csv",
        include_str!("../../fixtures/corridor_tn_it/truth.csv"),
    ),
    (
        "left.toml",
        include_str!("../../fixtures/corridor_tn_it/left.toml"),
    ),
    (
        "right.toml",
        include_str!("../../fixtures/corridor_tn_it/right.toml"),
    ),
];

pub(crate) async fn run(args: DemoArgs) -> anyhow::Result<()> {
    let folder = tempfile::tempdir().context("cannot make a folder for the demonstration")?;
    let mut steps = Steps::new();
    let (registers, truth) = registers(&args, folder.path())?;
    let Ok(flows) = registers.flows.clone() else {
        let reason = registers.flows.err().unwrap_or_default();
        return Err(input_error(
            format!("no flow table can be made: {reason}"),
            "corridor mapping init FILE -o FILE.toml drafts a mapping to complete and to give with --left-mapping and \
             --right-mapping; corridor rehearse links registers of persons too",
        ));
    };
    let which = match (&args.left, &args.right) {
        (Some(left), Some(right)) => format!("{} and {}", left.display(), right.display()),
        _ => "the two bundled ones, of invented people".to_owned(),
    };
    steps.done(&format!("registers: {which}, corridor {}", flows.corridor));

    let offices = Offices::new(args.pipeline.seed)?;
    steps.done("keys: two offices made identities, exchanged sealed messages and hold the same project key");

    let service = Service::open(folder.path(), args.pipeline.threads).await?;
    steps.done(&format!(
        "service: listens on {} with mutual TLS, store in SQLite and a folder",
        service.address
    ));
    let stop = CancellationToken::new();
    let (listener, engine, options) = (service.listener, service.engine, service.options);
    let serving = serve(listener, engine, options, {
        let stop = stop.clone();
        async move { stop.cancelled().await }
    });
    let playing = async {
        let outcome = Play {
            args: &args,
            folder: folder.path(),
            registers: &registers,
            flows: &flows,
            truth: truth.as_deref(),
            offices: &offices,
            compute: &service.compute,
        }
        .run(&service.connections, &mut steps)
        .await;
        stop.cancel();
        outcome
    };
    let playing_and_serving = async { tokio::join!(serving, playing) };
    let (served, played) = tokio::select! {
        ended = playing_and_serving => ended,
        // The folder with the registers, keys and datasets is removed on the way out.
        () = interrupted() => bail!("interrupted; everything the demonstration had made is gone"),
    };
    played?;
    served?;
    service.store.close().await;
    steps.ended();
    Ok(())
}

/// Waits for SIGINT, or SIGTERM where there is one.
async fn interrupted() {
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

/// The registers to play with, and the truth where there is one.
fn registers(args: &DemoArgs, folder: &Path) -> anyhow::Result<(Registers, Option<PathBuf>)> {
    if let (Some(left), Some(right)) = (&args.left, &args.right) {
        let register = |path: &PathBuf, mapping: Option<&PathBuf>| -> anyhow::Result<Register> {
            let mapping = match mapping {
                Some(mapping) => Mapping::load(mapping)?,
                None => drafted(path, folder)?,
            };
            Ok(Register {
                path: path.clone(),
                mapping,
            })
        };
        let registers = Registers::new(
            register(left, args.left_mapping.as_ref())?,
            register(right, args.right_mapping.as_ref())?,
            &args.pipeline,
        )?;
        return Ok((registers, args.pipeline.truth.clone()));
    }
    for (name, text) in BUNDLED {
        std::fs::write(folder.join(name), text).context("cannot write the bundled registers")?;
    }
    let register = |file: &str, mapping: &str| -> anyhow::Result<Register> {
        Ok(Register {
            path: folder.join(file),
            mapping: Mapping::load(&folder.join(mapping))?,
        })
    };
    let registers = Registers::new(
        register("a.csv", "left.toml")?,
        register("b.csv", "right.toml")?,
        &args.pipeline,
    )?;
    Ok((registers, Some(folder.join("truth.csv"))))
}

/// A mapping drafted from the header, when it is whole enough to use.
fn drafted(register: &Path, folder: &Path) -> anyhow::Result<Mapping> {
    let path = folder.join("drafted.toml");
    std::fs::write(&path, draft_mapping(register)?)?;
    let name = register.display();
    Mapping::load(&path).map_err(|error| {
        input_error(
            format!("the mapping drafted from {name} is not whole: {error}"),
            format!("corridor mapping init {name} -o mapping.toml, correct it, and give it with --left-mapping or --right-mapping"),
        )
    })
}

/// Says each step in one line with the time it took.
struct Steps {
    clock: SystemClock,
    began: corridor_core::Timestamp,
    since: corridor_core::Timestamp,
    count: u32,
}

impl Steps {
    fn new() -> Self {
        let clock = SystemClock;
        let now = corridor_core::Clock::now(&clock);
        Self {
            began: now,
            since: now,
            clock,
            count: 0,
        }
    }

    /// Says what it took in all.
    fn ended(&self) {
        let seconds = Stopwatch::since(&self.clock, self.began).elapsed_s();
        let memory = peak_memory_mb().map_or_else(String::new, |mb| format!(", peak memory {mb:.0} MB"));
        talk(&format!("\n{seconds:.1} s in all{memory}"));
    }

    fn done(&mut self, what: &str) {
        let seconds = Stopwatch::since(&self.clock, self.since).elapsed_s();
        self.count += 1;
        talk(&format!("{:>2}. {what} ({seconds:.2} s)", self.count));
        self.since = corridor_core::Clock::now(&self.clock);
    }
}

/// Both offices, as one process can play them.
struct Offices {
    origin: Identity,
    destination: Identity,
    origin_secret: ProjectSecret,
    destination_secret: ProjectSecret,
}

impl Offices {
    fn new(seed: u64) -> anyhow::Result<Self> {
        let mut entropy = SeededEntropy::new(seed, "demonstration keys");
        let origin = Identity::generate("ORIGIN-OFFICE".parse()?, &mut entropy);
        let destination = Identity::generate("DESTINATION-OFFICE".parse()?, &mut entropy);
        let (pending, offer) = PendingExchange::offer(&origin, &destination.to_public(), &mut entropy);
        let (destination_secret, reply) =
            accept_offer(&destination, &origin.to_public(), &offer, &mut entropy)?;
        let origin_secret = pending.finish(&origin, &destination.to_public(), &reply)?;
        Ok(Self {
            origin,
            destination,
            origin_secret,
            destination_secret,
        })
    }

    const fn identity(&self, side: Side) -> &Identity {
        match side {
            Side::Origin => &self.origin,
            Side::Destination => &self.destination,
        }
    }

    const fn secret(&self, side: Side) -> &ProjectSecret {
        match side {
            Side::Origin => &self.origin_secret,
            Side::Destination => &self.destination_secret,
        }
    }
}

/// The service, ready to be started.
struct Service {
    address: std::net::SocketAddr,
    listener: TcpListener,
    engine: Engine,
    store: Store,
    compute: Compute,
    options: ServeOptions,
    /// How the origin's office and the destination's reach it.
    connections: [Connection; 2],
}

impl Service {
    async fn open(folder: &Path, threads: usize) -> anyhow::Result<Self> {
        let ca = TrialCa::new()?;
        let server = ca.issue_server("localhost")?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let connection = |office: &str| -> anyhow::Result<Connection> {
            let pair = ca.issue_client(office)?;
            Ok(Connection {
                server: format!("https://localhost:{}", address.port()),
                ca: ca.to_pem(),
                certificate: pair.certificate,
                private_key: pair.private_key,
            })
        };
        let office = |id: &str| -> anyhow::Result<PartyConfig> {
            Ok(PartyConfig {
                id: id.parse()?,
                role: Role::Office,
                certificate_name: id.to_owned(),
                limits: None,
            })
        };
        let limits = LimitsConfig::default();
        let store = Store::open(&folder.join("service")).await?;
        let compute = Compute::new(threads)?;
        let mut entropy = OsEntropy::default();
        let engine = Engine::new(
            store.clone(),
            compute.clone(),
            Arc::new(SystemClock),
            AuditLog::new(AuditKey::generate(None, &mut entropy), entropy),
            Limits {
                max_dataset_bytes: limits.max_dataset_bytes,
                run: limits.to_run_limits(),
                unreleased_days: limits.max_unreleased_days,
            },
        );
        Ok(Self {
            address,
            listener,
            engine,
            store,
            compute,
            connections: [connection("ORIGIN-OFFICE")?, connection("DESTINATION-OFFICE")?],
            options: ServeOptions {
                settings_digest: Digest::of(b"demonstration"),
                identity: channel::channel(ServiceIdentity {
                    certificate: server.certificate,
                    private_key: server.private_key,
                    client_ca: ca.to_pem(),
                    revocations: None,
                    parties: vec![office("ORIGIN-OFFICE")?, office("DESTINATION-OFFICE")?],
                })
                .1,
                limits,
                reflection: false,
                operations: Operations::default(),
            },
        })
    }
}

/// The work of both offices.
struct Play<'a> {
    args: &'a DemoArgs,
    folder: &'a Path,
    registers: &'a Registers,
    flows: &'a FlowTerms,
    truth: Option<&'a Path>,
    offices: &'a Offices,
    compute: &'a Compute,
}

impl Play<'_> {
    async fn run(&self, connections: &[Connection; 2], steps: &mut Steps) -> anyhow::Result<()> {
        let origin = Client::connect(&connections[0]).await?;
        let destination = Client::connect(&connections[1]).await?;
        let clients = [(Side::Origin, &origin), (Side::Destination, &destination)];

        let signed = self.agree(&clients).await?;
        let digest = signed.agreement.digest();
        steps.done(&format!(
            "agreement {}: profile {}, proposed by one office, signed by both",
            digest.to_short(),
            self.registers.schema.profile()
        ));

        let mut encoded = Vec::new();
        for (side, client) in clients {
            let register = self.encode(side, &signed.agreement).await?;
            steps.done(&format!(
                "encoded by the {}: {} rows read, {} encoded, {} refused",
                side.as_str(),
                register.report.read.rows_read,
                register.report.records_encoded,
                register.report.read.rows_refused
            ));
            let path = self.folder.join(format!("{}.parquet", side.as_str()));
            write_dataset(&register.dataset, &path)?;
            write_pseudonyms(
                &register.dataset,
                &register.pseudonyms,
                &self.folder.join(format!("{}-pseudonyms.csv", side.as_str())),
            )?;
            let (declaration, bytes) = upload::check_dataset(
                upload::read_bytes(&path)?.into(),
                &path.display().to_string(),
                &signed,
            )?;
            let (status, _) = upload::upload(client, (&declaration, &bytes), LineTerms::default()).await?;
            steps.done(&format!(
                "uploaded by the {}: {} bytes in frames, checked and sealed as {}",
                side.as_str(),
                declaration.total_bytes,
                status.id.to_short()
            ));
            encoded.push(register);
        }

        let run = origin.start_run(digest).await?;
        let run = watch(&origin, run.id).await?;
        if run.state != RunState::Reconciled {
            bail!("the run ended as {}: {}", run.state, run.reason);
        }
        steps.done(&format!(
            "run {}: {} tiles compared, links decided, moves paired and reconciled",
            run.id.to_short(),
            run.tiles_done
        ));
        let result = run.result.context("a reconciled run has a result")?;
        for (side, client) in clients {
            let signature = self
                .offices
                .identity(side)
                .sign(SigningPurpose::Release, result.as_bytes());
            client.release(run.id, &signature).await?;
        }
        steps.done("released: both offices signed the result, unseen");

        let flows = FlowResult::fetch(&destination, run.id).await?;
        let links = origin.links(run.id).await?;
        self.finish(run.id, &flows, &links, &encoded, steps)
    }

    async fn agree(&self, clients: &[(Side, &Client); 2]) -> anyhow::Result<SignedAgreement> {
        let agreement = Agreement {
            version: AGREEMENT_VERSION,
            corridor: self.flows.corridor,
            origin_office: to_office(&self.offices.origin.to_public()),
            destination_office: to_office(&self.offices.destination.to_public()),
            period: self.flows.period,
            encoding: to_encoding_terms(&self.registers.schema),
            linkage: self.registers.linkage.clone(),
            age_bands: self.flows.age_bands.clone(),
            statistics: self.flows.statistics.clone(),
            definitions: None,
            status: self.flows.status,
            revises: None,
            gate: GateTerms::default(),
            // Link lists leave so that they can be set against the truth. A real agreement leaves them out.
            outputs: vec![Output::FlowTable, Output::LinkList],
            disclosure: self.flows.disclosure,
            retention_days: 1,
            readers: Vec::new(),
        };
        let digest = agreement.digest();
        let mut signed = clients[0]
            .1
            .propose_agreement(agreement.to_canonical_bytes())
            .await?;
        for (side, client) in clients {
            let signature = self
                .offices
                .identity(*side)
                .sign(SigningPurpose::Agreement, digest.as_bytes());
            signed = client.sign_agreement(digest, &signature).await?;
        }
        Ok(signed)
    }

    /// Encodes on the pool, so that the service in the same process goes on.
    async fn encode(&self, side: Side, agreement: &Agreement) -> anyhow::Result<EncodedRegister> {
        let register = match side {
            Side::Origin => &self.registers.left,
            Side::Destination => &self.registers.right,
        };
        let key = self.offices.secret(side).to_linkage_key(&agreement.digest());
        let (path, mapping) = (register.path.clone(), register.mapping.clone());
        let (schema, limit) = (self.registers.schema.clone(), self.registers.limit);
        let agreement = agreement.clone();
        let bar = progress(0, "encoding");
        let encoded = self
            .compute
            .run(move |_| {
                let terms = EncodeTerms {
                    agreement: agreement.digest(),
                    office: &agreement.office(side).id,
                    partner: agreement.country(side.to_other()),
                    schema: &schema,
                    key: &key,
                    age_bands: &agreement.age_bands,
                    statistics: &agreement.statistics,
                };
                let encoded = encode_register(&path, &mapping, &terms, limit, &|rows| {
                    bar.set_length(rows);
                    bar.set_position(rows);
                });
                bar.finish_and_clear();
                encoded
            })
            .await?;
        encoded.with_context(|| format!("cannot encode {}", register.path.display()))
    }

    fn finish(
        &self,
        run: Digest,
        flows: &FlowResult,
        links: &[LinkedPair],
        encoded: &[EncodedRegister],
        steps: &mut Steps,
    ) -> anyhow::Result<()> {
        let ids = |register: &EncodedRegister| -> HashMap<Pseudonym, String> {
            let ids = register.pseudonyms.iter().map(str::to_owned);
            register.dataset.records.iter().copied().zip(ids).collect()
        };
        let (left_ids, right_ids) = (ids(&encoded[0]), ids(&encoded[1]));
        let mut pairs = Vec::new();
        for link in links {
            let id = |ids: &HashMap<Pseudonym, String>, record| {
                ids.get(&record)
                    .cloned()
                    .context("a link names a record that was not uploaded")
            };
            pairs.push((
                id(&left_ids, link.origin_record)?,
                id(&right_ids, link.destination_record)?,
            ));
        }
        let mut files = FileSet::new(&self.args.out)?;
        add_flows(&mut files, flows)?;
        add_few_pictures(&mut files, flows)?;
        let rows = pairs.iter().zip(links).map(|((left, right), link)| LinkRow {
            left,
            right,
            similarity: link.similarity,
            probability: link.probability,
            evidence: &link.evidence,
        });
        let csv = links_to_csv(rows, &self.registers.encoding.match_fields)?;
        files.add("links.csv", &csv)?;
        let quality = self
            .truth
            .map(|truth| {
                let links: HashSet<_> = pairs.into_iter().collect();
                let registers = (&self.registers.left, &self.registers.right);
                let quality = measure_quality(&links, truth, registers, &flows.report)?;
                files.add("quality.json", &(serde_json::to_string_pretty(&quality)? + "\n"))?;
                Ok::<_, anyhow::Error>(quality)
            })
            .transpose()?;
        replace_results(files)?;
        steps.done(&format!(
            "results of run {} written to {}",
            run.to_short(),
            self.args.out.display()
        ));
        talk("");
        data(&to_page(flows))?;
        if let Some(quality) = &quality {
            data(&format!(
                "\nLinkage quality against the truth: {}\n",
                to_quality_line(quality)
            ))?;
        }
        data(&to_closing(&self.args.out, quality.is_some()))
    }
}

fn to_closing(out: &Path, has_quality: bool) -> String {
    let out = out.display();
    let quality = if has_quality { ", quality.json" } else { "" };
    format!(
        "\nWritten to {out}: flows.csv, years.csv, lags.csv, stays.csv, durations.csv, strata.csv, flows.json, pictures, links.csv{quality}\n\n\
         The same on your own files:\n  \
         corridor mapping init my.csv -o my.toml        # then correct it; the same for theirs.csv\n  \
         corridor rehearse --left my.csv --right theirs.csv --left-mapping my.toml --right-mapping theirs.toml --out try\n  \
         cargo demo -- --left my.csv --right theirs.csv --left-mapping my.toml --right-mapping theirs.toml\n"
    )
}
