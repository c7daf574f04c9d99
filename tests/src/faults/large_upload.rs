use std::fmt;

use corridor_core::{SeededEntropy, ThresholdPolicy};

use crate::faults::ledger::Ledger;
use crate::faults::office::{Broken, OfficeClient};
use crate::poor_line::LineFaults;
use crate::sample::{ORIGIN, Sample, SampleFilters, SampleTerms};
use crate::world::{CALLERS, Storage, World};

/// What an upload over a poor line took.
#[derive(Debug, Clone, Copy)]
pub struct LargeUpload {
    /// Bytes of the file, all of which arrived.
    pub bytes: u64,
    /// Connections cut.
    pub cuts: u64,
    /// Connections that stalled.
    pub stalls: u64,
    /// Bytes the line carried besides: what was under way at the cuts, and answers.
    pub besides: u64,
}

impl fmt::Display for LargeUpload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} bytes arrived and were counted once, over {} cuts and {} stalls, with {} bytes besides",
            self.bytes, self.cuts, self.stalls, self.besides
        )
    }
}

/// Bytes of a record in a dataset file, about.
const RECORD_BYTES: usize = 410;

/// Cuts of one upload, about.
const CUTS: u64 = 40;

/// Uploads a dataset of so many megabytes over a line that is cut and stalls, and has it sealed: the service has then compared the
/// digest of the whole.
pub(crate) async fn play(seed: u64, megabytes: usize) -> Result<LargeUpload, Broken> {
    let sample = Sample::of(&SampleTerms {
        records: megabytes * 1_000_000 / RECORD_BYTES,
        filters: SampleFilters::Random,
        threshold: ThresholdPolicy::Fixed("0.5".parse().expect("a threshold")),
        seed,
        ..SampleTerms::default()
    });
    let (declaration, bytes) = &sample.datasets[0];
    let faults = LineFaults {
        seed,
        cut_after: Some(400_000..=(2 * declaration.total_bytes / CUTS).max(500_000)),
        stalls_one_in: 10,
        ..LineFaults::NONE
    };
    let world = World::start(faults, Storage::Folder, None);
    let agreement = sample.agreement.digest();
    let ledger = Ledger::new(agreement);
    let offices = CALLERS.map(|name| OfficeClient {
        name,
        connection: world.connection(name),
        ledger: &ledger,
        waits_out: &[],
    });
    offices[0].propose(&sample.agreement.to_canonical_bytes()).await?;
    for (office, (_, signature)) in offices.iter().zip(&sample.signatures()) {
        office.sign(agreement, signature).await?;
    }
    let before = world.line().carried();
    let mut entropy = SeededEntropy::new(seed, ORIGIN);
    offices[0].upload(declaration, bytes, &mut entropy).await?;
    if let Some(broken) = ledger.broken().into_iter().next() {
        return Err(broken);
    }
    Ok(LargeUpload {
        bytes: declaration.total_bytes,
        cuts: world.line().cuts(),
        stalls: world.line().stalls(),
        besides: world.line().carried() - before - declaration.total_bytes,
    })
}
