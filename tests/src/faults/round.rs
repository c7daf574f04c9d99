use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use corridor_cli::Client;
use corridor_core::{Digest, SeededEntropy, ThresholdPolicy};
use corridor_testkit::PostgresDatabase;
use tokio::time::{Instant, sleep};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use crate::faults::CampaignReport;
use crate::faults::ledger::Ledger;
use crate::faults::office::{Broken, FULL_DISK, OfficeClient, READ_ONLY_DISK};
use crate::faults::plan::{Fault, FaultKind, Phase, Plan};
use crate::sample::{Sample, SampleFilters, SampleTerms};
use crate::world::{CALLERS, Ending, Storage, World};

/// How long each phase takes on this machine when nothing is in its way.
pub(crate) type PhaseTimes = BTreeMap<Phase, Duration>;

/// What became of a round.
pub(crate) struct Played {
    /// Digest of the result, which is of every byte of it.
    pub(crate) result: Digest,
    /// How long its phases took.
    pub(crate) times: PhaseTimes,
}

/// A checkpoint of the audit log from before the uploads, and the whole log at the end, in the round's folder.
const EARLIER: &str = "earlier.checkpoint";
const EXPORT: &str = "log.audit";

/// How long a disk is full or read-only: long enough for uploads to meet it.
const DISK_FAULT: Duration = Duration::from_millis(500);

/// Between two tries to have a disk be read-only.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// The whole job of two offices on a service of its own.
pub(crate) struct Round {
    sample: Sample,
}

impl Round {
    pub(crate) fn new(sample: u64, records: usize) -> Self {
        Self {
            sample: Sample::of(&SampleTerms {
                records,
                filters: SampleFilters::Groups(3),
                threshold: ThresholdPolicy::Fixed("0.5".parse().expect("a threshold")),
                seed: sample,
                ..SampleTerms::default()
            }),
        }
    }

    /// Plays it under the faults of a plan, which come at parts of the time that phases took undisturbed. `database` is an empty one
    /// for a plan on PostgreSQL.
    pub(crate) async fn play(
        self,
        plan: Plan,
        database: Option<PostgresDatabase>,
        undisturbed: &PhaseTimes,
        report: &mut CampaignReport,
    ) -> Result<Played, Broken> {
        let world = World::start(plan.line.clone(), plan.storage, database);
        let ledger = Ledger::new(self.sample.agreement.digest());
        let outcome = {
            let mut playing = Playing {
                sample: &self.sample,
                world: &world,
                ledger: &ledger,
                undisturbed,
                times: PhaseTimes::new(),
                plan,
                report,
            };
            let result = playing.all().await;
            let times = playing.times;
            result.map(|result| Played { result, times })
        };
        report.rounds += 1;
        report.cuts += world.line().cuts();
        report.stalls += world.line().stalls();
        report.uploads_gone_on += ledger.cuts();
        let log = world.into_log();
        if log.contains("panicked") {
            return Err(format!("the service panicked: {log}"));
        }
        if let Some(broken) = ledger.broken().into_iter().next() {
            return Err(broken);
        }
        outcome.map_err(|broken| with_last_errors(broken, &log))
    }
}

/// Adds what the service logged last of what went wrong.
fn with_last_errors(broken: Broken, log: &str) -> Broken {
    let errors: Vec<&str> = log.lines().filter(|line| line.contains("ERROR")).collect();
    let last = &errors[errors.len().saturating_sub(3)..];
    if last.is_empty() {
        return broken;
    }
    format!(
        "{broken}; the service's last errors:\n    {}",
        last.join("\n    ")
    )
}

struct Playing<'a> {
    sample: &'a Sample,
    world: &'a World,
    ledger: &'a Ledger,
    undisturbed: &'a PhaseTimes,
    times: PhaseTimes,
    plan: Plan,
    report: &'a mut CampaignReport,
}

impl Playing<'_> {
    async fn all(&mut self) -> Result<Digest, Broken> {
        let (sample, ledger, world) = (self.sample, self.ledger, self.world);
        let offices_that = |waits_out| {
            CALLERS.map(|name| OfficeClient {
                name,
                connection: world.connection(name),
                ledger,
                waits_out,
            })
        };
        let offices = offices_that(&[]);
        // The disk is bad while they upload, and sound again after that.
        let uploaders = offices_that(match self.plan.storage {
            Storage::SmallDisk(_) => FULL_DISK,
            Storage::StagingDisk(_) => READ_ONLY_DISK,
            Storage::Folder | Storage::Postgres => &[],
        });
        let agreement = sample.agreement.digest();
        let canonical = sample.agreement.to_canonical_bytes();
        let [first, second] = &offices;
        let [(_, one), (_, other)] = sample.signatures();
        self.during(Phase::Agree, async {
            first.propose(&canonical).await?;
            first.sign(agreement, &one).await?;
            let signed = second.sign(agreement, &other).await?;
            if signed.is_in_force() {
                Ok(())
            } else {
                Err("both signed, and it is not in force".to_owned())
            }
        })
        .await?;

        self.audit(&["checkpoint", "--out", EARLIER, "--service", "service.toml"])?;
        let mut waits = CALLERS.map(|name| SeededEntropy::new(self.plan.line.seed, name));
        let [(declared, bytes), (other_declared, other_bytes)] = &sample.datasets;
        let all_bytes = declared.total_bytes + other_declared.total_bytes;
        self.uploading(all_bytes, async {
            let [waits, other_waits] = &mut waits;
            let both = (
                uploaders[0].upload(declared, bytes, waits),
                uploaders[1].upload(other_declared, other_bytes, other_waits),
            );
            let (one, other) = tokio::join!(both.0, both.1);
            one.and(other)
        })
        .await?;

        let (run, result) = self
            .during(Phase::Run, async {
                let run = first.start_run(agreement).await?;
                Ok((run, second.watch(run).await?))
            })
            .await?;
        let [(_, one), (_, other)] = sample.release_signatures(result);
        self.during(Phase::Release, async {
            first.release(run, &one).await?;
            second.release(run, &other).await
        })
        .await?;
        let read = self
            .during(Phase::Read, async {
                let (one, other) = tokio::join!(first.read(run), second.read(run));
                Ok([one?, other?])
            })
            .await?;
        if read != [result, result] {
            return Err("the two offices read different results".to_owned());
        }

        let together = self.plan.purges_together;
        self.during(Phase::Purge, async {
            if together {
                let (one, other) = tokio::join!(first.purge(), second.purge());
                return one.and(other);
            }
            first.purge().await?;
            second.purge().await
        })
        .await?;
        self.after_purge(&offices, run, result).await?;
        self.audit(&["export", "--out", EXPORT, "--service", "service.toml"])?;
        self.audit(&["verify", EXPORT, "--checkpoint", EARLIER])?;
        self.report.audits += 1;
        Ok(result)
    }

    /// What was purged is gone, does not come back with another start, and the released table is what it was.
    async fn after_purge(
        &mut self,
        offices: &[OfficeClient<'_>; 2],
        run: Digest,
        result: Digest,
    ) -> Result<(), Broken> {
        if self.plan.comes_back {
            let purged = self.ledger.dataset_of(CALLERS[0]);
            self.world.plant(purged.expect("it was sealed"));
        }
        self.ledger.check_certificates()?;
        self.check().await?;
        if self.world.is_lasting() {
            self.world.end(Ending::Terminate);
            self.world.start_again(&[]);
            self.check().await?;
        }
        for (office, (declaration, _)) in offices.iter().zip(&self.sample.datasets) {
            office.is_refused_what_it_purged(declaration).await?;
            if office.read(run).await? != result {
                return Err(format!(
                    "after the purge {} reads another result than before",
                    office.name
                ));
            }
        }
        self.report.purges += 2;
        self.check().await
    }

    /// `corridor audit`, which fails when the log does not hold together, or does not continue what it was before the faults.
    fn audit(&self, arguments: &[&str]) -> Result<(), Broken> {
        let done = self
            .world
            .corridor(CALLERS[0], &[&["audit"][..], arguments].concat());
        if done.code == Some(0) {
            Ok(())
        } else {
            Err(format!("the audit log: {}", done.stderr))
        }
    }

    /// Work under the faults of its phase. Those that are late come when it is done.
    async fn during<T>(
        &mut self,
        phase: Phase,
        work: impl Future<Output = Result<T, Broken>>,
    ) -> Result<T, Broken> {
        let took = Cell::new(None);
        let begun = Instant::now();
        let work = async {
            let outcome = work.await;
            took.set(Some(begun.elapsed()));
            outcome
        };
        let is_done = || took.get().is_some();
        let (done, faults) = tokio::join!(work, self.inflict(phase, &is_done));
        // What the work met says more than what a check met after it.
        let done = done?;
        faults?;
        self.times.insert(phase, took.get().unwrap_or_default());
        Ok(done)
    }

    /// The same for uploads, whose sealing is a phase of its own.
    async fn uploading(
        &mut self,
        all_bytes: u64,
        work: impl Future<Output = Result<(), Broken>>,
    ) -> Result<(), Broken> {
        let ledger = self.ledger;
        let begun = Instant::now();
        let sent = Cell::new(Duration::ZERO);
        let faults = async {
            self.spoil_disk().await;
            let are_sent = || ledger.bytes() >= all_bytes;
            self.inflict(Phase::Upload, &are_sent).await?;
            ledger.until(all_bytes).await;
            sent.set(begun.elapsed());
            let are_sealed = || CALLERS.iter().all(|office| ledger.dataset_of(office).is_some());
            self.inflict(Phase::Seal, &are_sealed).await
        };
        {
            let mut work = std::pin::pin!(work);
            let mut faults = std::pin::pin!(faults);
            // An upload that failed never gets to where it is sealed.
            tokio::select! {
                done = &mut work => { done?; faults.await?; }
                inflicted = &mut faults => { inflicted?; work.await?; }
            }
        }
        self.times.insert(Phase::Upload, sent.get());
        self.times
            .insert(Phase::Seal, begun.elapsed().saturating_sub(sent.get()));
        Ok(())
    }

    /// Has the disk be full or read-only for a while.
    async fn spoil_disk(&mut self) {
        let world = self.world;
        match self.plan.storage {
            Storage::SmallDisk(_) => {
                self.report.full_disks += 1;
                let filler: PathBuf = world.fill_disk();
                sleep(DISK_FAULT).await;
                drop(std::fs::remove_file(filler));
            }
            Storage::StagingDisk(_) => {
                self.report.read_only_disks += 1;
                // Some bytes are there by then, and must stay.
                self.ledger.until(1).await;
                while !world.set_staging_writable(false) {
                    sleep(LOOK_AGAIN).await;
                }
                sleep(DISK_FAULT).await;
                assert!(world.set_staging_writable(true), "the disk can be written again");
            }
            Storage::Folder | Storage::Postgres => {}
        }
    }

    /// Has the faults of a phase come one after the other, each at a part of its share of the time the phase takes. `is_done` says
    /// whether the work they are meant for has come to its end.
    async fn inflict(&mut self, phase: Phase, is_done: &dyn Fn() -> bool) -> Result<(), Broken> {
        let faults = self.plan.faults.remove(&phase).unwrap_or_default();
        let time = self.undisturbed.get(&phase).copied().unwrap_or_default();
        let share = time / u32::try_from(faults.len()).expect("few").max(1);
        for fault in faults {
            sleep(share * fault.wait_permille / 1000).await;
            if fault.loses {
                self.ledger.until(1).await;
            }
            // Whoever does the work is not asked between this and the fault.
            let is_late = is_done();
            match fault.kind {
                FaultKind::Cut => {
                    self.world.line().cut();
                    continue;
                }
                FaultKind::Ends(ending) => {
                    self.end(ending, phase, is_late);
                    self.start_again(&fault);
                }
                FaultKind::DatabaseAway { away, is_killed } => {
                    self.world.stop_database();
                    *self.report.away.entry(phase).or_default() += 1;
                    if is_killed {
                        sleep(away / 2).await;
                        // What was under way when the database went cannot have come to its end since.
                        self.end(Ending::Kill, phase, is_late);
                        self.report.killed_while_away += 1;
                        sleep(away / 2).await;
                        self.world.start_database();
                        self.start_again(&fault);
                    } else {
                        sleep(away).await;
                        self.world.start_database();
                    }
                }
            }
            self.check().await?;
        }
        Ok(())
    }

    fn end(&mut self, ending: Ending, phase: Phase, is_late: bool) {
        self.world.end(ending);
        match ending {
            Ending::Kill if is_late => *self.report.late.entry(phase).or_default() += 1,
            Ending::Kill => *self.report.kills.entry(phase).or_default() += 1,
            Ending::Terminate => self.report.terminations += 1,
        }
    }

    /// Starts the service on what is left, with what a fault has done to it.
    fn start_again(&mut self, fault: &Fault) {
        if fault.loses {
            self.world.lose();
        }
        if fault.tears {
            self.report.torn_files += self.world.tear(&mut self.plan.entropy);
        }
        let environment = match fault.clock_seconds {
            0 => Vec::new(),
            seconds => {
                self.report.clock_steps += 1;
                self.plan.clock_steps.environment(seconds)
            }
        };
        self.world.start_again(&environment);
    }

    /// Asks for all that was acknowledged, and looks into the data folder.
    async fn check(&mut self) -> Result<(), Broken> {
        self.report.checks += 1;
        for name in CALLERS {
            let straight = OfficeClient {
                name,
                connection: self.world.straight_connection(name),
                ledger: self.ledger,
                waits_out: &[],
            };
            straight
                .persist("asks for what was acknowledged", async |client: &Client| {
                    let channel = straight_channel(&straight).await?;
                    self.ledger.check(name, client, channel).await
                })
                .await??;
            self.check_files(name)?;
        }
        Ok(())
    }

    /// The stored bytes of a sealed dataset do not change, and nothing is left of a purged one.
    fn check_files(&self, office: &'static str) -> Result<(), Broken> {
        let Some(dataset) = self.ledger.dataset_of(office) else {
            return Ok(());
        };
        if !self.ledger.is_purging(office) {
            return self.ledger.stored(office, self.world.stored(dataset));
        }
        if !self.ledger.is_purged(office) {
            return Ok(());
        }
        let mut left = self.world.files_of(dataset);
        if let Some(run) = self.ledger.run() {
            let of_run = self.world.files_of(run);
            // The released table stays.
            left.extend(of_run.into_iter().filter(|name| !name.contains("/results/")));
        }
        if left.is_empty() {
            Ok(())
        } else {
            Err(format!(
                "{office} had its dataset purged, and there is still {}",
                left.join(", ")
            ))
        }
    }
}

/// A connection past the line, for calls the command line does not make.
async fn straight_channel(office: &OfficeClient<'_>) -> Result<Channel, tonic::transport::Error> {
    let connection = &office.connection;
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(&connection.ca))
        .identity(Identity::from_pem(
            &connection.certificate,
            &connection.private_key,
        ));
    Endpoint::from_shared(connection.server.clone())?
        .tls_config(tls)?
        .connect()
        .await
}
