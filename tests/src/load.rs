//! Load: many clients of two offices at one service of its own process, mixing uploads, watches and reads.
//!
//! First half of the clients call, then all. Small calls are timed, errors counted by code, and the service's memory is looked at
//! every second. Clients pause between calls as programs of offices do; uploads follow each other without a pause.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use corridor_cli::{Client, ClientError, ClientResult};
use corridor_core::{DatasetDeclaration, Digest, SeededEntropy, ThresholdPolicy, fill};
use futures::stream::{FuturesUnordered, StreamExt as _};
use tokio::time::{Instant, sleep, timeout_at};

use crate::draw::draw;
use crate::poor_line::LineFaults;
use crate::sample::{ORIGIN, Sample, SampleFilters, SampleTerms};
use crate::world::{CALLERS, Storage, World};

/// What load is to be made.
#[derive(Debug, Clone, Copy)]
pub struct LoadTerms {
    /// Clients, each with a connection of its own.
    pub clients: usize,
    /// Seconds in all: half of them with half of the clients.
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

/// What the service did under a load.
#[derive(Debug, Default)]
pub struct LoadReport {
    /// Clients.
    pub clients: usize,
    /// Under half and under full load.
    pub halves: [HalfReport; 2],
    /// Megabytes of memory of the service, each second.
    pub memory_mb: Vec<f64>,
}

/// What was measured with one number of clients.
#[derive(Debug, Default, Clone)]
pub struct HalfReport {
    /// Clients that called.
    pub clients: usize,
    /// Seconds.
    pub seconds: f64,
    /// Milliseconds of small calls, in order.
    pub small_calls_ms: Vec<f64>,
    /// Bytes acknowledged.
    pub uploaded_bytes: u64,
    /// Runs watched to their end.
    pub watched: u64,
    /// Refusals that are stated limits, by reason.
    pub limited: BTreeMap<String, u64>,
    /// Other errors, by what they were. There must be none.
    pub errors: BTreeMap<String, u64>,
}

impl HalfReport {
    /// Milliseconds under which so many of a hundred small calls were; 0 when there was none.
    pub fn percentile_ms(&self, percent: usize) -> f64 {
        let place =
            (self.small_calls_ms.len() * percent / 100).min(self.small_calls_ms.len().saturating_sub(1));
        self.small_calls_ms.get(place).copied().unwrap_or(0.0)
    }
}

impl LoadReport {
    /// Whether nothing went wrong but what the service says it will do.
    pub fn holds(&self) -> bool {
        self.halves.iter().all(|half| half.errors.is_empty())
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for half in &self.halves {
            let mb = Bytes1e6(half.uploaded_bytes).to_mb();
            writeln!(f, "{} clients for {:.0} s", half.clients, half.seconds)?;
            writeln!(
                f,
                "  small calls     {} ({:.0} a second), p50 {:.1} ms, p99 {:.1} ms, longest {:.1} ms",
                half.small_calls_ms.len(),
                to_f64(half.small_calls_ms.len()) / half.seconds.max(0.001),
                half.percentile_ms(50),
                half.percentile_ms(99),
                half.percentile_ms(100)
            )?;
            writeln!(
                f,
                "  uploaded        {mb:.1} MB ({:.1} MB a second)",
                mb / half.seconds.max(0.001)
            )?;
            writeln!(f, "  watched         {} runs to their end", half.watched)?;
            writeln!(f, "  limits met      {}", to_list(&half.limited))?;
            writeln!(f, "  errors          {}", to_list(&half.errors))?;
        }
        let parts: Vec<String> = tenths(&self.memory_mb).map(|mb| format!("{mb:.0}")).collect();
        writeln!(
            f,
            "service's memory, MB, by tenth of the time: {}",
            parts.join(", ")
        )
    }
}

struct Bytes1e6(u64);

impl Bytes1e6 {
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    fn to_mb(&self) -> f64 {
        self.0 as f64 / 1e6
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn to_f64(count: usize) -> f64 {
    count as f64
}

fn to_list(counts: &BTreeMap<String, u64>) -> String {
    if counts.is_empty() {
        return "none".to_owned();
    }
    let parts: Vec<String> = counts
        .iter()
        .map(|(what, count)| format!("{count} {what}"))
        .collect();
    parts.join(", ")
}

/// The largest value of each tenth of a series.
fn tenths(series: &[f64]) -> impl Iterator<Item = f64> {
    series
        .chunks(series.len().div_ceil(10).max(1))
        .map(|part| part.iter().copied().fold(0.0, f64::max))
}

/// One client in so many uploads, and one watches; the others read.
const ROLES: usize = 5;

/// Pause of a client between two small calls.
const PAUSE_MS: (u64, u64) = (50, 150);

/// Records of the run that is watched and read.
const RECORDS: usize = 2000;

/// Makes the load on a service of its own process.
///
/// # Panics
/// When the harness fails: no service that starts, an agreement that is refused.
pub async fn run_load(terms: LoadTerms) -> LoadReport {
    let limits = if terms.raised_limits { RAISED } else { &[] };
    let world = World::start_with(LineFaults::NONE, (Storage::Folder, None), limits);
    let scene = Scene::set(&world, terms).await;
    let mut report = LoadReport {
        clients: terms.clients,
        ..LoadReport::default()
    };
    let seconds = Duration::from_secs(terms.seconds) / 2;
    for (half, clients) in [terms.clients / 2, terms.clients].into_iter().enumerate() {
        let begun = Instant::now();
        let until = begun + seconds;
        let tally = Mutex::new(HalfReport {
            clients,
            ..HalfReport::default()
        });
        let mut calling: FuturesUnordered<_> = (0..clients)
            .map(|number| scene.client(&world, number, until, &tally))
            .collect();
        let all = async { while calling.next().await.is_some() {} };
        let looking = async {
            let mut seen = Vec::new();
            while Instant::now() < until {
                seen.extend(world.process().and_then(memory_mb));
                sleep(Duration::from_secs(1)).await;
            }
            seen
        };
        let ((), seen) = tokio::join!(all, looking);
        report.memory_mb.extend(seen);
        drop(calling);
        let mut tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
        tally.seconds = begun.elapsed().as_secs_f64();
        tally.small_calls_ms.sort_by(f64::total_cmp);
        report.halves[half] = tally;
    }
    report
}

/// What clients call about: a run that is released, and an agreement of each that uploads.
struct Scene {
    run: Digest,
    agreements: Vec<Sample>,
    result: Sample,
    upload: Bytes,
}

impl Scene {
    async fn set(world: &World, terms: LoadTerms) -> Self {
        let of = |records, seed| {
            Sample::of(&SampleTerms {
                records,
                filters: SampleFilters::Groups(3),
                threshold: ThresholdPolicy::Fixed("0.5".parse().expect("a threshold")),
                seed,
                ..SampleTerms::default()
            })
        };
        let result = of(RECORDS, 1);
        let uploaders = terms.clients.div_ceil(ROLES).try_into().expect("few");
        let agreements: Vec<Sample> = (0..uploaders).map(|number: u64| of(10, 2 + number)).collect();
        let clients = CALLERS.map(|office| world.straight_connection(office));
        let [origin, destination] = &clients;
        let origin = Client::connect(origin).await.expect("the service answers");
        let destination = Client::connect(destination).await.expect("the service answers");
        for sample in agreements.iter().chain([&result]) {
            let canonical = sample.agreement.to_canonical_bytes();
            origin.propose_agreement(canonical).await.expect("it is sound");
            let [(_, one), (_, other)] = sample.signatures();
            let digest = sample.agreement.digest();
            origin.sign_agreement(digest, &one).await.expect("it is signed");
            destination
                .sign_agreement(digest, &other)
                .await
                .expect("it is signed");
        }
        for (client, (declaration, bytes)) in [&origin, &destination].into_iter().zip(&result.datasets) {
            client
                .upload(declaration, bytes, &|_| {})
                .await
                .expect("it is sound");
        }
        let run = origin
            .start_run(result.agreement.digest())
            .await
            .expect("both have uploaded");
        let run = origin.watch_run(run.id, &|_| {}).await.expect("it ends");
        let released = result.release_signatures(run.result.expect("there is a result"));
        for (client, (_, signature)) in [&origin, &destination].into_iter().zip(&released) {
            client.release(run.id, signature).await.expect("it is released");
        }
        let mut upload = vec![0; terms.upload_bytes];
        fill(&mut SeededEntropy::new(1, "upload"), &mut upload);
        Self {
            run: run.id,
            agreements,
            result,
            upload: upload.into(),
        }
    }

    /// One client, until `until`.
    async fn client(&self, world: &World, number: usize, until: Instant, tally: &Mutex<HalfReport>) {
        let office = CALLERS[number / ROLES % 2];
        let connection = world.straight_connection(if number.is_multiple_of(ROLES) {
            ORIGIN
        } else {
            office
        });
        let mut entropy = SeededEntropy::new(number.try_into().expect("few"), "pauses");
        let mut turn = number;
        let mut client = None;
        while Instant::now() < until {
            let connected = match client.take() {
                Some(connected) => connected,
                None => match Client::connect(&connection).await {
                    Ok(connected) => connected,
                    Err(error) => {
                        note(tally, &error);
                        sleep(Duration::from_millis(200)).await;
                        continue;
                    }
                },
            };
            let outcome = match number % ROLES {
                0 => {
                    self.upload_once(&connected, number / ROLES, turn, until, tally)
                        .await
                }
                1 if turn.is_multiple_of(2) => self.watch_once(&connected, tally).await,
                _ => self.small_call(&connected, turn, tally).await,
            };
            match outcome {
                Ok(()) => client = Some(connected),
                Err(error) => {
                    note(tally, &error);
                    if let ClientError::Refused {
                        retry_after: Some(wait),
                        ..
                    } = error
                    {
                        drop(timeout_at(until, sleep(wait)).await);
                    }
                }
            }
            turn += 1;
            if !number.is_multiple_of(ROLES) {
                let pause = Duration::from_millis(draw(&mut entropy, PAUSE_MS.0, PAUSE_MS.1));
                drop(timeout_at(until, sleep(pause)).await);
            }
        }
    }

    /// Uploads something else each time: it takes the place of what was not sealed.
    async fn upload_once(
        &self,
        client: &Client,
        agreement: usize,
        turn: usize,
        until: Instant,
        tally: &Mutex<HalfReport>,
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
            let mut before = before.lock().unwrap_or_else(PoisonError::into_inner);
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

    async fn watch_once(&self, client: &Client, tally: &Mutex<HalfReport>) -> ClientResult<()> {
        client.watch_run(self.run, &|_| {}).await?;
        lock(tally).watched += 1;
        Ok(())
    }

    async fn small_call(&self, client: &Client, turn: usize, tally: &Mutex<HalfReport>) -> ClientResult<()> {
        let begun = Instant::now();
        match turn % 4 {
            0 => client.run(self.run).await.map(drop),
            1 => client.agreement(self.result.agreement.digest()).await.map(drop),
            2 => client.list_agreements().await.map(drop),
            _ => client.flow_table(self.run).await.map(drop),
        }?;
        lock(tally)
            .small_calls_ms
            .push(begun.elapsed().as_secs_f64() * 1000.0);
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts an error: as a limit where the service said when to come back, else as one that must not be.
fn note(tally: &Mutex<HalfReport>, error: &ClientError) {
    let mut tally = lock(tally);
    let (counts, what) = match error {
        ClientError::Refused {
            reason: Some(reason),
            retry_after: Some(_),
            ..
        } => (&mut tally.limited, reason.clone()),
        ClientError::Refused { reason, message, .. } => (
            &mut tally.errors,
            reason.clone().unwrap_or_else(|| message.clone()),
        ),
        ClientError::Answer(_) | ClientError::Connect(_) | ClientError::Cut(_) | ClientError::Stalled(_) => {
            (&mut tally.errors, error.to_string())
        }
    };
    *counts.entry(what).or_default() += 1;
}

/// Megabytes of memory a process has now; `None` where the system does not say.
fn memory_mb(process: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024.0 / 1e6)
}
