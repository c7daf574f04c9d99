use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// Memory, processor time and open files of this process, where the system tells them under `/proc`.
#[derive(Debug)]
pub(crate) struct ProcessCollector;

impl Collector for ProcessCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Some(process) = Process::read() else {
            return Ok(());
        };
        let mut gauge = |name: &str, help: &str, value: u64| {
            let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)
        };
        gauge(
            "process_resident_memory_bytes",
            "Memory of this process that is in use.",
            process.resident_bytes,
        )?;
        gauge(
            "process_open_fds",
            "Files and sockets that are open.",
            process.open_files,
        )?;
        let cpu = ConstCounter::new(process.cpu_seconds);
        cpu.encode(encoder.encode_descriptor(
            "process_cpu_seconds",
            "Processor time this process has had.",
            None,
            cpu.metric_type(),
        )?)
    }
}

struct Process {
    resident_bytes: u64,
    cpu_seconds: f64,
    open_files: u64,
}

impl Process {
    #[cfg(target_os = "linux")]
    fn read() -> Option<Self> {
        let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
        let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
        let open_files = std::fs::read_dir("/proc/self/fd").ok()?.count();
        // proc_pid_stat(5): the name in parentheses may hold blanks; after it, field 3 comes first.
        let after_name: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        let ticks = |field: usize| after_name.get(field - 3)?.parse::<u32>().ok();
        let per_second = u32::try_from(rustix::param::clock_ticks_per_second()).ok()?;
        let pages: u64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
        Some(Self {
            resident_bytes: pages * u64::try_from(rustix::param::page_size()).ok()?,
            cpu_seconds: (f64::from(ticks(14)?) + f64::from(ticks(15)?)) / f64::from(per_second),
            open_files: u64::try_from(open_files).ok()?,
        })
    }

    #[cfg(not(target_os = "linux"))]
    const fn read() -> Option<Self> {
        None
    }
}
