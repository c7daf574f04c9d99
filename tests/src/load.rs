//! Load: many clients of two offices at one service of its own process, mixing uploads, jobs, watches and reads.
//!
//! First all clients call for a while, which is not timed. Then they call as fast as they can under full load: uploads follow each
//! other without a pause, and readers pause between calls as programs of offices do. What the service took then is its capacity,
//! and under half of the load all clients together call, upload and begin jobs half as often. Small calls are timed, errors counted
//! by reason, and the service's memory is looked at every second. Some that upload do the whole job of both offices again and again:
//! they agree, have datasets sealed, and start a run, which others watch while it is under way.

mod report;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use corridor_cli::{Client, ClientError, ClientResult, Connection};
use corridor_core::{DatasetDeclaration, Digest, RunState, RunStatus, SeededEntropy, ThresholdPolicy, fill};
use corridor_wire::v1;
use corridor_wire::v1::agreement_service_client::AgreementServiceClient;
use corridor_wire::v1::flow_service_client::FlowServiceClient;
use corridor_wire::v1::run_service_client::RunServiceClient;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

use crate::draw::draw;
use crate::poor_line::LineFaults;
use crate::sample::{Sample, SampleFilters, SampleTerms};
use crate::world::{CALLERS, Storage, World};
pub use report::{LoadReport, StageReport};

/// What load is to be made.
#[derive(Debug, Clone, Copy)]
pub struct LoadTerms {
    /// Clients, each with a connection of its own.
    pub clients: usize,
    /// Seconds in all: a fifth of them to warm up, and of the rest half under each load.
    pub seconds: u64,
    /// Bytes of an upload.
    pub upload_bytes: usize,
    /// Whether each of the two offices may do as much as all their clients try to: it is the service that is measured then, and
    /// not its limits.
    pub raised_limits: bool,
}

/// Limits of a party that hundreds of clients do not meet, in place of those of the sample config.
const RAISED: &[(&str, &str)] = &[
    ("calls_per_second = 50", "calls_per_second = 100000"),
    ("call_burst = 200", "call_burst = 100000"),
    ("max_calls = 32", "max_calls = 10000"),
    ("max_uploads = 2", "max_uploads = 10000"),
    ("max_streams = 32", "max_streams = 10000"),
];

/// One client in so many uploads, and one watches; the others read.
const ROLES: usize = 5;

/// One client that uploads in so many does jobs instead.
const JOBS: usize = 4;

/// Pause of a client between two small calls.
const PAUSE_MS: (u64, u64) = (50, 150);

/// Records of the run that is read, and of the datasets of jobs.
const RECORDS: usize = 2000;
const JOB_RECORDS: usize = 400;

/// Between the beginnings of two jobs under full load.
const JOB_EVERY: Duration = Duration::from_secs(2);

/// How long a job may take before it counts as an error.
const JOB: Duration = Duration::from_secs(120);

/// Makes the load on a service of its own process.
///
/// # Panics
/// When the harness fails: no service that starts, an agreement that is refused.
pub async fn run_load(terms: LoadTerms) -> LoadReport {
    let limits = if terms.raised_limits { RAISED } else { &[] };
    let world = World::start_with(LineFaults::NONE, (Storage::Folder, None), limits);
    let memory = || world.process().and_then(memory_mb);
    let memory_at_start_mb = memory().unwrap_or_default();
    let scene = Arc::new(Scene::set(&world, terms).await);
    let warm_up = Duration::from_secs(terms.seconds) / 5;
    let measured = Duration::from_secs(terms.seconds).saturating_sub(warm_up) / 2;
    let warm_up = make_stage(&scene, terms.clients, Pace::FULL, warm_up, &memory).await;
    let full = make_stage(&scene, terms.clients, Pace::FULL, measured, &memory).await;
    let pace = Pace::half_of(&full, terms);
    let half = make_stage(&scene, terms.clients, pace, measured, &memory).await;
    LoadReport {
        memory_at_start_mb,
        warm_up,
        full,
        half,
    }
}

/// How often a client does something. One that is late goes on at once, and does not make up for what it missed.
#[derive(Debug, Clone, Copy)]
struct Pace {
    /// Between two beginnings of an upload.
    upload: Option<Duration>,
    /// Between two beginnings of a small call, or a watch.
    call: Option<Duration>,
    /// Between two beginnings of a job, of all clients.
    job: Duration,
}

impl Pace {
    /// As fast as the service takes it, with the usual pauses.
    const FULL: Self = Self {
        upload: None,
        call: None,
        job: JOB_EVERY,
    };

    /// Half as often as all clients did under full load.
    fn half_of(full: &StageReport, terms: LoadTerms) -> Self {
        let every = |clients: usize, done: f64| {
            (done > 0.0).then(|| {
                let clients = f64::from(u32::try_from(clients).expect("few"));
                Duration::from_secs_f64(2.0 * clients * full.seconds / done)
            })
        };
        let to_f64 = |count: usize| f64::from(u32::try_from(count).expect("not that many"));
        let uploads = terms.clients.div_ceil(ROLES);
        // They make small calls between their jobs.
        let jobs = uploads.div_ceil(JOBS);
        let watched = usize::try_from(full.watched).expect("fits");
        let uploaded = to_f64(usize::try_from(full.uploaded_bytes >> 10).expect("fits"));
        Self {
            upload: every(uploads - jobs, uploaded / to_f64(terms.upload_bytes >> 10)),
            call: every(
                terms.clients - uploads + jobs,
                to_f64(full.small_calls_ms.len() + watched),
            ),
            job: 2 * JOB_EVERY,
        }
    }
}

/// So many clients call for a while.
async fn make_stage(
    scene: &Arc<Scene>,
    clients: usize,
    pace: Pace,
    time: Duration,
    memory: &dyn Fn() -> Option<f64>,
) -> StageReport {
    *lock(&scene.next_job_at) = Instant::now();
    let begun = Instant::now();
    let ticks = processor_ticks();
    let until = begun + time;
    let tally = Arc::new(Mutex::new(StageReport {
        clients,
        ..StageReport::default()
    }));
    let mut calling = JoinSet::new();
    for number in 0..clients {
        let (scene, tally) = (Arc::clone(scene), Arc::clone(&tally));
        calling.spawn(async move { scene.client(number, pace, until, &tally).await });
    }
    let looking = async {
        let mut seen = Vec::new();
        while Instant::now() < until {
            seen.extend(memory());
            sleep(Duration::from_secs(1)).await;
        }
        seen
    };
    let (_, seen) = tokio::join!(calling.join_all(), looking);
    let mut stage = lock(&tally).clone();
    stage.seconds = begun.elapsed().as_secs_f64();
    stage
        .small_calls_ms
        .sort_by(|(one, _), (other, _)| one.total_cmp(other));
    stage.memory_mb = seen;
    stage.stolen = ticks.zip(processor_ticks()).and_then(|(before, after)| {
        let [all, stolen] = [0, 1].map(|kind| after[kind].saturating_sub(before[kind]));
        let to_f64 = |count: u64| u32::try_from(count).ok().map(f64::from);
        (all > 0).then_some(to_f64(stolen)? / to_f64(all)?)
    });
    stage
}

/// What clients call about: a run that is released, an agreement of each that uploads, and an agreement of each job.
struct Scene {
    connections: [Connection; 2],
    run: Digest,
    agreements: Vec<Sample>,
    result: Sample,
    upload: Bytes,
    jobs: Vec<Sample>,
    next_job: AtomicUsize,
    next_job_at: Mutex<Instant>,
    /// The run of the job that was started last.
    under_way: Mutex<Option<Digest>>,
}

fn sample_of(records: usize, seed: usize) -> Sample {
    Sample::of(&SampleTerms {
        records,
        filters: SampleFilters::Groups(3),
        threshold: ThresholdPolicy::Fixed("0.5".parse().expect("a threshold")),
        seed: u64::try_from(seed).expect("few"),
        ..SampleTerms::default()
    })
}

impl Scene {
    async fn set(world: &World, terms: LoadTerms) -> Self {
        let result = sample_of(RECORDS, 1);
        let uploaders = terms.clients.div_ceil(ROLES);
        let agreements: Vec<Sample> = (0..uploaders).map(|number| sample_of(10, 2 + number)).collect();
        let jobs = usize::try_from(terms.seconds / JOB_EVERY.as_secs()).expect("few");
        let jobs = (0..jobs)
            .map(|number| sample_of(JOB_RECORDS, 2 + uploaders + number))
            .collect();
        let connections = CALLERS.map(|office| world.straight_connection(office));
        let clients = [
            Client::connect(&connections[0])
                .await
                .expect("the service answers"),
            Client::connect(&connections[1])
                .await
                .expect("the service answers"),
        ];
        for sample in &agreements {
            agree(&clients, sample).await.expect("it is signed");
        }
        let run = do_job(&clients, &result, &|_| {}).await.expect("a run that ends");
        let released = result.release_signatures(run.result.expect("there is a result"));
        for (client, (_, signature)) in clients.iter().zip(&released) {
            client.release(run.id, signature).await.expect("it is released");
        }
        let mut upload = vec![0; terms.upload_bytes];
        fill(&mut SeededEntropy::new(1, "upload"), &mut upload);
        Self {
            connections,
            run: run.id,
            agreements,
            result,
            upload: upload.into(),
            jobs,
            next_job: AtomicUsize::new(0),
            next_job_at: Mutex::new(Instant::now()),
            under_way: Mutex::new(None),
        }
    }

    /// One client, until `until`.
    async fn client(&self, number: usize, pace: Pace, until: Instant, tally: &Mutex<StageReport>) {
        let uploads = number.is_multiple_of(ROLES);
        let does_jobs = uploads && (number / ROLES).is_multiple_of(JOBS);
        let connection = &self.connections[if uploads { 0 } else { number / ROLES % 2 }];
        let mut entropy = SeededEntropy::new(number.try_into().expect("few"), "pauses");
        let every = if uploads && !does_jobs {
            pace.upload
        } else {
            pace.call
        };
        let mut due = Instant::now() + every.map_or(Duration::ZERO, |every| draw_part(&mut entropy, every));
        let mut turn = number;
        let mut client = None;
        while Instant::now() < until {
            if every.is_some() && timeout_at(until, sleep_until(due)).await.is_err() {
                break;
            }
            let connected = match client.take() {
                Some(connected) => connected,
                None => match Client::connect(connection).await {
                    Ok(connected) => connected,
                    Err(error) => {
                        note(tally, &error);
                        sleep(Duration::from_millis(200)).await;
                        continue;
                    }
                },
            };
            let job = if does_jobs { self.due_job(pace) } else { None };
            let outcome = if let Some(job) = job {
                self.job_once(&connected, job, tally).await
            } else {
                match number % ROLES {
                    0 if !does_jobs => {
                        self.upload_once(&connected, number / ROLES, turn, until, tally)
                            .await
                    }
                    1 if turn.is_multiple_of(2) => self.watch_once(&connected, until, tally).await,
                    _ => self.small_call(&connected, turn, tally).await,
                }
            };
            match outcome {
                Ok(()) => client = Some(connected),
                Err(error) => {
                    note(tally, &error);
                    if let Some(wait) = retry_after(&error) {
                        drop(timeout_at(until, sleep(wait)).await);
                    }
                }
            }
            turn += 1;
            if let Some(every) = every {
                // Half of it, and what is drawn of a whole one: it all together, on average.
                due = Instant::now().max(due + every / 2 + draw_part(&mut entropy, every));
            }
            if every.is_none() && (does_jobs || !uploads) {
                let pause = Duration::from_millis(draw(&mut entropy, PAUSE_MS.0, PAUSE_MS.1));
                drop(timeout_at(until, sleep(pause)).await);
            }
        }
    }

    /// A job whose time has come, and which nobody does.
    fn due_job(&self, pace: Pace) -> Option<&Sample> {
        let mut due = lock(&self.next_job_at);
        if Instant::now() < *due {
            return None;
        }
        *due += pace.job;
        self.jobs.get(self.next_job.fetch_add(1, Ordering::Relaxed))
    }

    /// The job of both offices, again from where it was where the service says when to come back.
    async fn job_once(&self, client: &Client, job: &Sample, tally: &Mutex<StageReport>) -> ClientResult<()> {
        let clients = [client.clone(), Client::connect(&self.connections[1]).await?];
        let started = |run| *lock(&self.under_way) = Some(run);
        let patiently = async {
            loop {
                match do_job(&clients, job, &started).await {
                    Err(error) if retry_after(&error).is_some() => {
                        note(tally, &error);
                        sleep(retry_after(&error).unwrap_or_default()).await;
                    }
                    outcome => return outcome,
                }
            }
        };
        let outcome = timeout(JOB, patiently).await;
        let mut tally = lock(tally);
        let error = match outcome {
            Ok(Ok(run)) if run.state == RunState::Reconciled => {
                tally.sealed += 2;
                tally.runs += 1;
                return Ok(());
            }
            Ok(Ok(run)) => format!("run that is {}", run.state),
            Ok(Err(error)) => return Err(error),
            Err(_) => format!("job not done after {JOB:?}"),
        };
        *tally.errors.entry(error).or_default() += 1;
        Ok(())
    }

    /// Uploads something else each time: it takes the place of what was not sealed.
    async fn upload_once(
        &self,
        client: &Client,
        agreement: usize,
        turn: usize,
        until: Instant,
        tally: &Mutex<StageReport>,
    ) -> ClientResult<()> {
        let (declaration, _) = &self.agreements[agreement].datasets[0];
        let declaration = DatasetDeclaration {
            total_bytes: u64::try_from(self.upload.len()).expect("a length"),
            content: Digest::of(&turn.to_le_bytes()),
            ..declaration.clone()
        };
        let status = client.declare_dataset(&declaration).await?;
        let before = Mutex::new(status.acknowledged_bytes);
        let told = |acknowledged: u64| {
            let mut before = lock(&before);
            lock(tally).uploaded_bytes += acknowledged.saturating_sub(*before);
            *before = acknowledged;
        };
        let frames = corridor_cli::to_frames(&status, &self.upload);
        match timeout_at(until, client.send_frames(frames, &told)).await {
            Ok(outcome) => outcome,
            // The time is up.
            Err(_) => Ok(()),
        }
    }

    /// Watches the run that was started last, or the released one as long as there is none.
    async fn watch_once(
        &self,
        client: &Client,
        until: Instant,
        tally: &Mutex<StageReport>,
    ) -> ClientResult<()> {
        let under_way = *lock(&self.under_way);
        let run = under_way.unwrap_or(self.run);
        match timeout_at(until, client.watch_run(run, &|_| {})).await {
            Ok(outcome) => {
                outcome?;
                lock(tally).watched += 1;
                Ok(())
            }
            // The time is up.
            Err(_) => Ok(()),
        }
    }

    async fn small_call(&self, client: &Client, turn: usize, tally: &Mutex<StageReport>) -> ClientResult<()> {
        let run_id = self.run.as_bytes().to_vec();
        // Not by the methods of the client, which check what they are given, at the cost of the cores the service runs on.
        let mut agreements = AgreementServiceClient::new(client.channel());
        let mut flows = FlowServiceClient::new(client.channel());
        let begun = Instant::now();
        let kind = match turn % 5 {
            0 => {
                let request = v1::GetRunRequest { run_id };
                RunServiceClient::new(client.channel()).get_run(request).await?;
                "GetRun"
            }
            1 => {
                let agreement_digest = self.result.agreement.digest().as_bytes().to_vec();
                let request = v1::GetAgreementRequest { agreement_digest };
                agreements.get_agreement(request).await?;
                "GetAgreement"
            }
            2 => {
                let request = v1::ListAgreementsRequest {};
                agreements.list_agreements(request).await?;
                "ListAgreements"
            }
            3 => {
                flows.get_flow_table(v1::GetFlowTableRequest { run_id }).await?;
                "GetFlowTable"
            }
            _ => {
                let request = v1::StreamFlowRowsRequest { run_id };
                let mut rows = flows.stream_flow_rows(request).await?.into_inner();
                while rows.message().await?.is_some() {}
                "StreamFlowRows"
            }
        };
        let took = begun.elapsed().as_secs_f64() * 1000.0;
        lock(tally).small_calls_ms.push((took, kind));
        Ok(())
    }
}

/// Both offices agree.
async fn agree(clients: &[Client; 2], sample: &Sample) -> ClientResult<()> {
    let canonical = sample.agreement.to_canonical_bytes();
    clients[0].propose_agreement(canonical).await?;
    for (client, (_, signature)) in clients.iter().zip(&sample.signatures()) {
        client
            .sign_agreement(sample.agreement.digest(), signature)
            .await?;
    }
    Ok(())
}

/// Both offices agree and have their dataset sealed; one starts the run, of which `started` is told, and the other watches it to its
/// end.
async fn do_job(
    clients: &[Client; 2],
    sample: &Sample,
    started: &(dyn Fn(Digest) + Sync),
) -> ClientResult<RunStatus> {
    agree(clients, sample).await?;
    for (client, (declaration, bytes)) in clients.iter().zip(&sample.datasets) {
        client.upload(declaration, bytes, &|_| {}).await?;
    }
    let run = clients[0].start_run(sample.agreement.digest()).await?;
    started(run.id);
    clients[1].watch_run(run.id, &|_| {}).await
}

/// Some part of a time.
fn draw_part(entropy: &mut SeededEntropy, time: Duration) -> Duration {
    let millis = u64::try_from(time.as_millis()).expect("a short time");
    Duration::from_millis(draw(entropy, 0, millis.max(1)))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long the service asked to wait, when a limit of its own was met. No time at all is what the client makes of a service that
/// is not available and does not say for how long, which is no limit.
fn retry_after(error: &ClientError) -> Option<Duration> {
    match error {
        ClientError::Refused { retry_after, .. } => retry_after.filter(|wait| !wait.is_zero()),
        ClientError::Answer(_) | ClientError::Connect(_) | ClientError::Cut(_) | ClientError::Stalled(_) => {
            None
        }
    }
}

/// Counts an error: as a limit where the service said when to come back, else as one that must not be.
fn note(tally: &Mutex<StageReport>, error: &ClientError) {
    let what = match error {
        ClientError::Refused { reason, message, .. } => reason.clone().unwrap_or_else(|| message.clone()),
        ClientError::Answer(_) | ClientError::Connect(_) | ClientError::Cut(_) | ClientError::Stalled(_) => {
            error.to_string()
        }
    };
    let mut tally = lock(tally);
    let counts = if retry_after(error).is_some() {
        &mut tally.limited
    } else {
        &mut tally.errors
    };
    *counts.entry(what).or_default() += 1;
}

/// What the processors did so far, in ticks: all there were, and those another machine on the same host had; `None` where the system
/// does not say.
fn processor_ticks() -> Option<[u64; 2]> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    let ticks: Vec<u64> = stat
        .lines()
        .next()?
        .split_whitespace()
        .skip(1)
        .take(8)
        .map(|ticks| ticks.parse().ok())
        .collect::<Option<_>>()?;
    Some([ticks.iter().sum(), *ticks.get(7)?])
}

/// Megabytes of memory a process has now; `None` where the system does not say.
fn memory_mb(process: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024.0 / 1e6)
}
