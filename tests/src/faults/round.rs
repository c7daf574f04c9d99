use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use corridor_core::{Digest, SeededEntropy, ThresholdPolicy};
use tokio::time::sleep;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use crate::draw::draw;
use crate::faults::CampaignReport;
use crate::faults::clock_step::ClockSteps;
use crate::faults::ledger::Ledger;
use crate::faults::office::{Broken, OfficeClient};
use crate::poor_line::LineFaults;
use crate::sample::{Sample, SampleFilters, SampleTerms};
use crate::world::{CALLERS, Ending, World};

/// A part of the offices' work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Proposing and signing.
    Agree,
    /// Both upload.
    Upload,
    /// All bytes are there, and datasets are checked and fixed.
    Seal,
    /// The run.
    Run,
    /// Both release.
    Release,
    /// Both read the result.
    Read,
}

impl Phase {
    const ALL: [Self; 6] = [
        Self::Agree,
        Self::Upload,
        Self::Seal,
        Self::Run,
        Self::Release,
        Self::Read,
    ];

    /// The word in reports: "in upload".
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Agree => "in agreeing",
            Self::Upload => "in upload",
            Self::Seal => "in sealing",
            Self::Run => "in the run",
            Self::Release => "in release",
            Self::Read => "in reading",
        }
    }

    /// How often a fault falls into it, of twenty.
    const fn weight(self) -> u64 {
        match self {
            Self::Agree | Self::Read => 1,
            Self::Upload => 6,
            Self::Seal => 4,
            Self::Run => 6,
            Self::Release => 2,
        }
    }

    /// How long after its beginning, or after the fault before, a fault comes at the latest: about as long as the work takes.
    const fn longest_wait(self) -> Duration {
        Duration::from_millis(match self {
            Self::Agree | Self::Release | Self::Read => 60,
            Self::Upload => 600,
            Self::Seal => 150,
            Self::Run => 1500,
        })
    }
}

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fault {
    wait: Duration,
    ending: Option<Ending>,
    tears: bool,
    clock_seconds: i64,
    /// Loses bytes that were acknowledged: what no service may do, and a campaign must notice.
    loses: bool,
}

/// The faults of a round.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    faults: BTreeMap<Phase, Vec<Fault>>,
    line: LineFaults,
    disk_kib: Option<u32>,
    clock_steps: ClockSteps,
    entropy: SeededEntropy,
}

/// Room for the database and both datasets, before somebody fills it.
const SMALL_DISK_KIB: u32 = 24 * 1024;

/// Bytes a second of the line, so that uploads take long enough to be met in the middle.
const LINE_RATE: u64 = 6 << 20;

impl Plan {
    pub(crate) fn undisturbed() -> Self {
        Self {
            faults: BTreeMap::new(),
            line: LineFaults::NONE,
            disk_kib: None,
            clock_steps: ClockSteps::default(),
            entropy: SeededEntropy::new(0, "undisturbed"),
        }
    }

    /// Three to nine kills, at most `left`, and other faults beside them.
    pub(crate) fn draw(entropy: &mut SeededEntropy, left: u32, clock_steps: &ClockSteps) -> Self {
        let mut faults: BTreeMap<Phase, Vec<Fault>> = BTreeMap::new();
        let mut kills = draw(entropy, 3, 9).min(left.into());
        while kills > 0 {
            let phase = draw_phase(entropy);
            let longest = u64::try_from(phase.longest_wait().as_millis()).expect("short");
            let ending = match draw(entropy, 1, 10) {
                1 => Some(Ending::Terminate),
                2 => None,
                _ => {
                    kills -= 1;
                    Some(Ending::Kill)
                }
            };
            let steps = clock_steps.are_possible() && draw(entropy, 1, 4) == 1;
            // An hour back to an hour ahead: certificates are still valid.
            let clock_seconds = if steps {
                i64::try_from(draw(entropy, 0, 7200)).expect("few") - 3600
            } else {
                0
            };
            faults.entry(phase).or_default().push(Fault {
                wait: Duration::from_millis(draw(entropy, 0, longest)),
                ending,
                tears: draw(entropy, 1, 2) == 1,
                clock_seconds,
                loses: false,
            });
        }
        let line = LineFaults {
            seed: draw(entropy, 0, u64::MAX - 1),
            cut_after: (draw(entropy, 1, 2) == 1).then_some(200_000..=4_000_000),
            bytes_per_second: Some(LINE_RATE),
            ..LineFaults::NONE
        };
        Self {
            faults,
            line,
            disk_kib: None,
            clock_steps: clock_steps.clone(),
            entropy: entropy.clone(),
        }
    }

    /// A service that loses acknowledged bytes, by this campaign's doing.
    pub(crate) fn sabotage() -> Self {
        let fault = Fault {
            wait: Duration::ZERO,
            ending: Some(Ending::Kill),
            tears: false,
            clock_seconds: 0,
            loses: true,
        };
        Self {
            faults: BTreeMap::from([(Phase::Upload, vec![fault])]),
            line: LineFaults {
                bytes_per_second: Some(LINE_RATE),
                ..LineFaults::NONE
            },
            ..Self::undisturbed()
        }
    }

    /// A disk that is full from the first byte of the uploads on, for a while.
    pub(crate) fn full_disk(entropy: &mut SeededEntropy) -> Self {
        Self {
            disk_kib: Some(SMALL_DISK_KIB),
            entropy: entropy.clone(),
            ..Self::undisturbed()
        }
    }

    pub(crate) fn describe(&self) -> String {
        let kills = self
            .faults
            .values()
            .flatten()
            .filter(|fault| fault.ending == Some(Ending::Kill));
        match self.disk_kib {
            Some(_) => "on a full disk".to_owned(),
            None => format!(
                "{} kills{}",
                kills.count(),
                if self.line.cut_after.is_some() {
                    " and a poor line"
                } else {
                    ""
                }
            ),
        }
    }
}

/// A checkpoint of the audit log from before the uploads, and the whole log at the end, in the round's folder.
const EARLIER: &str = "earlier.checkpoint";
const EXPORT: &str = "log.audit";

fn draw_phase(entropy: &mut SeededEntropy) -> Phase {
    let mut drawn = draw(entropy, 1, Phase::ALL.iter().map(|phase| phase.weight()).sum());
    for phase in Phase::ALL {
        if drawn <= phase.weight() {
            return phase;
        }
        drawn -= phase.weight();
    }
    Phase::Run
}

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

    /// Plays it under the faults of a plan; gives the digest of the result, which is of every byte of it.
    pub(crate) async fn play(self, plan: Plan, report: &mut CampaignReport) -> Result<Digest, Broken> {
        let world = World::start(plan.line.clone(), plan.disk_kib);
        let ledger = Ledger::new(self.sample.agreement.digest());
        let outcome = {
            let mut playing = Playing {
                sample: &self.sample,
                world: &world,
                ledger: &ledger,
                plan,
                report,
            };
            playing.all().await
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
        outcome
    }
}

struct Playing<'a> {
    sample: &'a Sample,
    world: &'a World,
    ledger: &'a Ledger,
    plan: Plan,
    report: &'a mut CampaignReport,
}

impl Playing<'_> {
    async fn all(&mut self) -> Result<Digest, Broken> {
        let (sample, ledger, world) = (self.sample, self.ledger, self.world);
        let offices = CALLERS.map(|name| OfficeClient {
            name,
            connection: world.connection(name),
            ledger,
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
        let filler = self.plan.disk_kib.map(|_| world.fill_disk());
        let mut waits = CALLERS.map(|name| SeededEntropy::new(self.plan.line.seed, name));
        let [(declared, bytes), (other_declared, other_bytes)] = &sample.datasets;
        let all_bytes = declared.total_bytes + other_declared.total_bytes;
        self.uploading(all_bytes, filler, async {
            let [waits, other_waits] = &mut waits;
            let both = (
                first.upload(declared, bytes, waits),
                second.upload(other_declared, other_bytes, other_waits),
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
        self.audit(&["export", "--out", EXPORT, "--service", "service.toml"])?;
        self.audit(&["verify", EXPORT, "--checkpoint", EARLIER])?;
        self.report.audits += 1;
        if read == [result, result] {
            Ok(result)
        } else {
            Err("the two offices read different results".to_owned())
        }
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
        let (done, faults) = tokio::join!(work, self.inflict(phase));
        faults?;
        done
    }

    /// The same for uploads, whose sealing is a phase of its own.
    async fn uploading(
        &mut self,
        all_bytes: u64,
        filler: Option<PathBuf>,
        work: impl Future<Output = Result<(), Broken>>,
    ) -> Result<(), Broken> {
        let ledger = self.ledger;
        if filler.is_some() {
            self.report.full_disks += 1;
        }
        let faults = async {
            if let Some(filler) = filler {
                // Long enough for uploads to meet it.
                sleep(Duration::from_millis(500)).await;
                drop(std::fs::remove_file(filler));
            }
            self.inflict(Phase::Upload).await?;
            ledger.until(all_bytes).await;
            self.inflict(Phase::Seal).await
        };
        let mut work = std::pin::pin!(work);
        let mut faults = std::pin::pin!(faults);
        // An upload that failed never gets to where it is sealed.
        tokio::select! {
            done = &mut work => { done?; faults.await }
            inflicted = &mut faults => { inflicted?; work.await }
        }
    }

    async fn inflict(&mut self, phase: Phase) -> Result<(), Broken> {
        for fault in self.plan.faults.remove(&phase).unwrap_or_default() {
            sleep(fault.wait).await;
            if fault.loses {
                self.ledger.until(1).await;
            }
            let Some(ending) = fault.ending else {
                self.world.line().cut();
                continue;
            };
            self.world.end(ending);
            match ending {
                Ending::Kill => *self.report.kills.entry(phase).or_default() += 1,
                Ending::Terminate => self.report.terminations += 1,
            }
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
            self.report.checks += 1;
            for office in CALLERS {
                self.ledger
                    .check(office, self.straight_channel(office).await?)
                    .await?;
            }
        }
        Ok(())
    }

    async fn straight_channel(&self, office: &str) -> Result<Channel, Broken> {
        let connection = self.world.straight_connection(office);
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(&connection.ca))
            .identity(Identity::from_pem(
                &connection.certificate,
                &connection.private_key,
            ));
        let endpoint = Endpoint::from_shared(connection.server)
            .and_then(|endpoint| endpoint.tls_config(tls))
            .expect("a sound address and certificates");
        endpoint
            .connect()
            .await
            .map_err(|error| format!("a service that was started again does not answer: {error}"))
    }
}
