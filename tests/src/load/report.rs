use std::collections::BTreeMap;
use std::fmt;

/// What the service did under a load.
#[derive(Debug, Default)]
pub struct LoadReport {
    /// All clients call, so that what is kept for them is there; nothing is timed.
    pub warm_up: StageReport,
    /// All clients call as fast as they can.
    pub full: StageReport,
    /// All clients call half as often.
    pub half: StageReport,
    /// Megabytes of memory of the service before anybody called.
    pub memory_at_start_mb: f64,
}

/// What was measured under one load.
#[derive(Debug, Default, Clone)]
pub struct StageReport {
    /// Clients that called.
    pub clients: usize,
    /// Seconds.
    pub seconds: f64,
    /// Milliseconds of small calls, and what was called, by time.
    pub small_calls_ms: Vec<(f64, &'static str)>,
    /// Bytes acknowledged, other than those of datasets that were sealed.
    pub uploaded_bytes: u64,
    /// Datasets sealed.
    pub sealed: u64,
    /// Runs that were started and watched to their end.
    pub runs: u64,
    /// Runs that were watched to their end by others.
    pub watched: u64,
    /// Refusals that are stated limits, by reason: the service said when to come back.
    pub limited: BTreeMap<String, u64>,
    /// Other errors, by what they were. There must be none.
    pub errors: BTreeMap<String, u64>,
    /// Megabytes of memory of the service, each second.
    pub memory_mb: Vec<f64>,
    /// Share of the processors' time that the host gave to other machines, without which no time says much.
    pub stolen: Option<f64>,
}

/// Milliseconds under which 99 of a hundred small calls must be under half of the load.
const MOST_P99_MS: f64 = 50.0;

/// Shares of what the full load reached that half of it must have reached: it would say nothing otherwise.
const HALF: std::ops::RangeInclusive<f64> = 0.4..=0.65;

/// By how much the service's memory may grow from the end of the warm-up to the end: a tenth, since an allocator does
/// not give back all at once, and some megabytes for what is kept of runs.
const GROWTH_FACTOR: f64 = 1.1;
const GROWTH_MB: f64 = 16.0;

impl StageReport {
    /// Milliseconds that so many of a hundred small calls took at most, by nearest rank; 0 when there was none.
    pub fn percentile_ms(&self, percent: usize) -> f64 {
        let times: Vec<f64> = self.small_calls_ms.iter().map(|(time, _)| *time).collect();
        nearest_rank(&times, percent)
    }

    /// Milliseconds that half, and 99 of a hundred, of the small calls of each kind took at most.
    fn percentiles_by_kind(&self) -> Vec<(&'static str, f64, f64)> {
        let mut kinds: BTreeMap<&'static str, Vec<f64>> = BTreeMap::new();
        for (time, kind) in &self.small_calls_ms {
            kinds.entry(kind).or_default().push(*time);
        }
        kinds
            .into_iter()
            .map(|(kind, times)| (kind, nearest_rank(&times, 50), nearest_rank(&times, 99)))
            .collect()
    }

    /// Small calls, and bytes uploaded, a second.
    fn rates(&self) -> [f64; 2] {
        let calls = u64::try_from(self.small_calls_ms.len()).unwrap_or(u64::MAX);
        [calls, self.uploaded_bytes].map(|count| to_f64(count) / self.seconds.max(0.001))
    }

    /// The most memory in the last third of the stage.
    pub fn memory_at_end_mb(&self) -> f64 {
        let last = self.memory_mb.len().div_ceil(3);
        let seen = &self.memory_mb[self.memory_mb.len() - last..];
        seen.iter().copied().fold(0.0, f64::max)
    }
}

impl LoadReport {
    /// Whether everything held.
    pub fn holds(&self) -> bool {
        self.broken().is_empty()
    }

    /// What did not hold: errors other than stated limits, small calls that took too long under half of the load, memory that
    /// grew, and kinds of work that never came to their end.
    pub fn broken(&self) -> Vec<String> {
        let mut broken = Vec::new();
        for (name, stage) in self.stages() {
            if !stage.errors.is_empty() {
                broken.push(format!("errors in the {name}: {}", to_list(&stage.errors)));
            }
        }
        let p99 = self.half.percentile_ms(99);
        if p99 >= MOST_P99_MS {
            broken.push(format!(
                "p99 of small calls under half of the load is {p99:.1} ms, not below {MOST_P99_MS:.0} ms"
            ));
        }
        let rates = self.half.rates().into_iter().zip(self.full.rates());
        for (what, (half, full)) in ["small calls", "bytes uploaded"].into_iter().zip(rates) {
            let share = half / full.max(f64::MIN_POSITIVE);
            if full > 0.0 && half > 0.0 && !HALF.contains(&share) {
                broken.push(format!(
                    "half of the load was {:.0} % of the {what} a second of the full load, not {:.0} to {:.0} %",
                    100.0 * share,
                    100.0 * HALF.start(),
                    100.0 * HALF.end()
                ));
            }
        }
        let (warm, end) = (self.warm_up.memory_at_end_mb(), self.memory_at_end_mb());
        let most = most_memory_mb(warm);
        if end > most {
            broken.push(format!(
                "memory grew from {warm:.0} MB after the warm-up to {end:.0} MB, more than {most:.0} MB"
            ));
        }
        if warm == 0.0 || end == 0.0 {
            broken.push("the system does not say how much memory the service has".to_owned());
        }
        for (name, stage) in [("half load", &self.half), ("full load", &self.full)] {
            let done = [
                ("small call was answered", !stage.small_calls_ms.is_empty()),
                ("byte was uploaded", stage.uploaded_bytes > 0),
                ("dataset was sealed", stage.sealed > 0),
                ("run came to its end", stage.runs > 0),
                ("run was watched", stage.watched > 0),
            ];
            let undone = done.iter().filter(|(_, is_done)| !is_done);
            broken.extend(undone.map(|(what, _)| format!("no {what} in the {name}")));
        }
        broken
    }

    fn stages(&self) -> [(&'static str, &StageReport); 3] {
        [
            ("warm-up", &self.warm_up),
            ("full load", &self.full),
            ("half load", &self.half),
        ]
    }

    /// The most memory at the end of either load.
    fn memory_at_end_mb(&self) -> f64 {
        self.full.memory_at_end_mb().max(self.half.memory_at_end_mb())
    }
}

/// Of times in order, the one that so many of a hundred are at most; 0 when there is none.
fn nearest_rank(times: &[f64], percent: usize) -> f64 {
    let rank = (times.len() * percent).div_ceil(100);
    times.get(rank.saturating_sub(1)).copied().unwrap_or(0.0)
}

/// Megabytes up to which memory is flat, when so many were taken after the warm-up.
fn most_memory_mb(warm_mb: f64) -> f64 {
    warm_mb * GROWTH_FACTOR + GROWTH_MB
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, stage) in self.stages() {
            let mb = to_f64(stage.uploaded_bytes) / 1e6;
            let seconds = stage.seconds.max(0.001);
            let calls = u64::try_from(stage.small_calls_ms.len()).unwrap_or(u64::MAX);
            write!(f, "{name}: {} clients for {:.0} s", stage.clients, stage.seconds)?;
            match stage.stolen {
                Some(stolen) => writeln!(
                    f,
                    ", {:.0} % of the cores' time stolen by the host",
                    100.0 * stolen
                )?,
                None => writeln!(f)?,
            }
            if calls > 0 {
                writeln!(
                    f,
                    "  small calls     {calls} ({:.0} a second), p50 {:.1} ms, p99 {:.1} ms, longest {:.1} ms",
                    to_f64(calls) / seconds,
                    stage.percentile_ms(50),
                    stage.percentile_ms(99),
                    stage.percentile_ms(100)
                )?;
                for (kind, p50, p99) in stage.percentiles_by_kind() {
                    writeln!(f, "                  {kind}: p50 {p50:.1} ms, p99 {p99:.1} ms")?;
                }
            }
            writeln!(
                f,
                "  uploaded        {mb:.1} MB ({:.1} MB a second)",
                mb / seconds
            )?;
            writeln!(
                f,
                "  jobs            {} datasets sealed, {} runs to their end; {} watched by others",
                stage.sealed, stage.runs, stage.watched
            )?;
            writeln!(f, "  limits met      {}", to_list(&stage.limited))?;
            writeln!(f, "  errors          {}", to_list(&stage.errors))?;
        }
        let warm = self.warm_up.memory_at_end_mb();
        writeln!(
            f,
            "memory            {:.0} MB at the start, {warm:.0} MB after the warm-up, {:.0} MB at the end; flat up to {:.0} MB",
            self.memory_at_start_mb,
            self.memory_at_end_mb(),
            most_memory_mb(warm)
        )?;
        let broken = self.broken();
        if broken.is_empty() {
            writeln!(f, "held              everything")
        } else {
            writeln!(f, "DID NOT HOLD      {}:", broken.len())?;
            broken.iter().try_for_each(|broken| writeln!(f, "  {broken}"))
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn to_f64(count: u64) -> f64 {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(memory_mb: &[f64]) -> StageReport {
        StageReport {
            clients: 2,
            seconds: 10.0,
            small_calls_ms: vec![(5.0, "GetRun"); 200],
            uploaded_bytes: 1000,
            sealed: 2,
            runs: 1,
            watched: 1,
            limited: BTreeMap::from([("RATE_LIMIT".to_owned(), 7)]),
            memory_mb: memory_mb.to_vec(),
            ..StageReport::default()
        }
    }

    fn sound() -> LoadReport {
        LoadReport {
            warm_up: stage(&[50.0, 90.0, 100.0]),
            half: StageReport {
                seconds: 20.0,
                ..stage(&[100.0; 3])
            },
            full: stage(&[100.0, 140.0, 120.0]),
            memory_at_start_mb: 40.0,
        }
    }

    #[test]
    fn what_does_not_hold_is_said() {
        let report = sound();
        assert!(report.holds(), "{report}");
        let expect = |change: &dyn Fn(&mut LoadReport), words: &str| {
            let mut report = sound();
            change(&mut report);
            let broken = report.broken();
            assert_eq!(broken.len(), 1, "{report}");
            assert!(broken[0].contains(words), "{report}");
            assert!(!report.holds() && report.to_string().contains("DID NOT HOLD"));
        };
        expect(
            &|report| {
                report.warm_up.errors.insert("INTERNAL".to_owned(), 1);
            },
            "errors in the warm-up: 1 INTERNAL",
        );
        // Three of two hundred are more than one of a hundred.
        expect(
            &|report| report.half.small_calls_ms[197..].fill((50.0, "GetRun")),
            "p99 of small calls",
        );
        expect(
            &|report| report.full.memory_mb = vec![100.0, 100.0, 127.0],
            "memory grew",
        );
        expect(
            &|report| report.half.uploaded_bytes = 700,
            "35 % of the bytes uploaded",
        );
        expect(&|report| report.full.runs = 0, "no run came to its end");
        expect(&|report| report.half.sealed = 0, "no dataset was sealed");
    }

    #[test]
    fn what_is_slow_under_full_load_is_no_fault() {
        let mut report = sound();
        report.full.small_calls_ms.fill((80.0, "GetRun"));
        report.half.small_calls_ms[198..].fill((80.0, "GetRun"));
        assert!(report.holds(), "{report}");
    }
}
