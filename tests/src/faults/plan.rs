use std::collections::BTreeMap;
use std::time::Duration;

use corridor_core::SeededEntropy;

use crate::draw::draw;
use crate::faults::clock_step::ClockSteps;
use crate::poor_line::LineFaults;
use crate::world::{Ending, Storage};

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
    /// Both purge their dataset.
    Purge,
}

impl Phase {
    const ALL: [Self; 7] = [
        Self::Agree,
        Self::Upload,
        Self::Seal,
        Self::Run,
        Self::Release,
        Self::Read,
        Self::Purge,
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
            Self::Purge => "in the purge",
        }
    }

    /// How often a fault falls into it, of twenty-two: five phases in which something is promised get the same share.
    const fn weight(self) -> u64 {
        match self {
            Self::Agree | Self::Read => 1,
            Self::Upload | Self::Seal | Self::Run | Self::Release | Self::Purge => 4,
        }
    }
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// Every connection of the line is cut.
    Cut,
    /// The service ends and is started again.
    Ends(Ending),
    /// The database goes away and returns, while the service stays up.
    DatabaseAway {
        away: Duration,
        /// Whether the service is killed in the meantime.
        is_killed: bool,
    },
}

impl FaultKind {
    pub(crate) const fn is_kill(self) -> bool {
        matches!(
            self,
            Self::Ends(Ending::Kill) | Self::DatabaseAway { is_killed: true, .. }
        )
    }
}

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// How long after the beginning of its phase, or after the fault before, it comes: in thousandths of its share of the time
    /// that the phase takes undisturbed.
    pub(crate) wait_permille: u32,
    pub(crate) kind: FaultKind,
    /// Half-written bytes are left where the service was writing.
    pub(crate) tears: bool,
    /// How far off the clock is after it.
    pub(crate) clock_seconds: i64,
    /// Loses bytes that were acknowledged: what no service may do, and a campaign must notice.
    pub(crate) loses: bool,
}

impl Fault {
    const fn new(kind: FaultKind) -> Self {
        Self {
            wait_permille: 0,
            kind,
            tears: false,
            clock_seconds: 0,
            loses: false,
        }
    }
}

/// The faults of a round.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) faults: BTreeMap<Phase, Vec<Fault>>,
    pub(crate) line: LineFaults,
    pub(crate) storage: Storage,
    /// Whether both offices purge at the same time, and not one after the other.
    pub(crate) purges_together: bool,
    /// What is broken on purpose after the purge.
    pub(crate) comes_back: bool,
    pub(crate) clock_steps: ClockSteps,
    pub(crate) entropy: SeededEntropy,
}

/// Room for the database and both datasets, before somebody fills it.
const SMALL_DISK_KIB: u32 = 24 * 1024;

/// Room for what is staged of both datasets.
const STAGING_DISK_KIB: u32 = 64 * 1024;

/// Bytes a second of the line, so that uploads take long enough to be met in the middle.
const LINE_RATE: u64 = 6 << 20;

/// The most kills of one run: a run whose service ended five times in a row before anything more was stored is given up, as it
/// says, and a campaign must not take that for a loss.
const RUN_KILLS: usize = 4;

/// The same where the database is PostgreSQL: another service may be alive then, so that each kill is followed by the time a lease
/// must stand still.
const RUN_KILLS_SHARED: usize = 1;

/// The latest point of its share of a phase at which a fault comes: short of the end, since no two rounds take the same time.
const LATEST_PERMILLE: u64 = 800;

/// How long a database is away.
const AWAY_MS: (u64, u64) = (50, 4000);

impl Plan {
    /// Nothing happens. The line is as fast as in other rounds: how long the phases take is measured.
    pub(crate) fn undisturbed() -> Self {
        Self {
            faults: BTreeMap::new(),
            line: LineFaults {
                bytes_per_second: Some(LINE_RATE),
                ..LineFaults::NONE
            },
            storage: Storage::Folder,
            purges_together: false,
            comes_back: false,
            clock_steps: ClockSteps::default(),
            entropy: SeededEntropy::new(0, "undisturbed"),
        }
    }

    /// Three to nine kills, at most `left`, and other faults beside them.
    pub(crate) fn draw(
        entropy: &mut SeededEntropy,
        left: u32,
        storage: Storage,
        clock_steps: &ClockSteps,
    ) -> Self {
        let mut faults: BTreeMap<Phase, Vec<Fault>> = BTreeMap::new();
        let mut kills = draw(entropy, 3, 9).min(left.into());
        while kills > 0 {
            let phase = draw_phase(entropy);
            let kind = draw_kind(entropy, storage);
            let of_phase = faults.entry(phase).or_default();
            if kind.is_kill() {
                let most = match (phase, storage) {
                    (Phase::Run, Storage::Postgres) => RUN_KILLS_SHARED,
                    (Phase::Run, Storage::Folder | Storage::SmallDisk(_) | Storage::StagingDisk(_)) => {
                        RUN_KILLS
                    }
                    (
                        Phase::Agree
                        | Phase::Upload
                        | Phase::Seal
                        | Phase::Release
                        | Phase::Read
                        | Phase::Purge,
                        _,
                    ) => usize::MAX,
                };
                if of_phase.iter().filter(|fault| fault.kind.is_kill()).count() >= most {
                    continue;
                }
                kills -= 1;
            }
            let ends = match kind {
                FaultKind::Cut => false,
                FaultKind::Ends(_) => true,
                FaultKind::DatabaseAway { is_killed, .. } => is_killed,
            };
            let steps = ends && clock_steps.are_possible() && draw(entropy, 1, 4) == 1;
            // Up to an hour either way: certificates are still valid.
            let clock_seconds = if steps {
                i64::try_from(draw(entropy, 0, 7200)).expect("few") - 3600
            } else {
                0
            };
            of_phase.push(Fault {
                wait_permille: u32::try_from(draw(entropy, 0, LATEST_PERMILLE)).expect("few"),
                tears: ends && draw(entropy, 1, 2) == 1,
                clock_seconds,
                ..Fault::new(kind)
            });
        }
        let line = LineFaults {
            seed: draw(entropy, 0, u64::MAX - 1),
            cut_after: (draw(entropy, 1, 2) == 1).then_some(200_000..=4_000_000),
            ..Self::undisturbed().line
        };
        Self {
            faults,
            line,
            storage,
            purges_together: draw(entropy, 1, 2) == 1,
            clock_steps: clock_steps.clone(),
            entropy: entropy.clone(),
            ..Self::undisturbed()
        }
    }

    /// A database that goes away once in each phase in which something is promised, and a service that nobody kills.
    pub(crate) fn database_away(entropy: &mut SeededEntropy) -> Self {
        let phases = [
            Phase::Upload,
            Phase::Seal,
            Phase::Run,
            Phase::Release,
            Phase::Purge,
        ];
        let mut fault = || Fault {
            wait_permille: u32::try_from(draw(entropy, 0, LATEST_PERMILLE)).expect("few"),
            ..Fault::new(FaultKind::DatabaseAway {
                away: draw_away(entropy),
                is_killed: false,
            })
        };
        Self {
            faults: phases.map(|phase| (phase, vec![fault()])).into(),
            storage: Storage::Postgres,
            entropy: entropy.clone(),
            ..Self::undisturbed()
        }
    }

    /// A service that loses acknowledged bytes, by this campaign's doing.
    pub(crate) fn loss() -> Self {
        let fault = Fault {
            loses: true,
            ..Fault::new(FaultKind::Ends(Ending::Kill))
        };
        Self {
            faults: BTreeMap::from([(Phase::Upload, vec![fault])]),
            ..Self::undisturbed()
        }
    }

    /// A service in whose folder stored bytes of what was purged are found again, by this campaign's doing.
    pub(crate) fn return_of_the_purged() -> Self {
        let fault = Fault::new(FaultKind::Ends(Ending::Kill));
        Self {
            faults: BTreeMap::from([(Phase::Upload, vec![fault])]),
            comes_back: true,
            ..Self::undisturbed()
        }
    }

    /// A disk that is full from the first byte of the uploads on, for a while.
    pub(crate) fn full_disk(entropy: &mut SeededEntropy) -> Self {
        Self {
            storage: Storage::SmallDisk(SMALL_DISK_KIB),
            entropy: entropy.clone(),
            ..Self::undisturbed()
        }
    }

    /// A disk under the uploads that can be read only for a while.
    pub(crate) fn read_only_staging(entropy: &mut SeededEntropy) -> Self {
        Self {
            storage: Storage::StagingDisk(STAGING_DISK_KIB),
            entropy: entropy.clone(),
            ..Self::undisturbed()
        }
    }

    /// Whether the service is killed.
    pub(crate) fn has_kills(&self) -> bool {
        self.faults.values().flatten().any(|fault| fault.kind.is_kill())
    }

    pub(crate) fn describe(&self) -> String {
        let of = |is_wanted: &dyn Fn(FaultKind) -> bool| {
            let faults = self.faults.values().flatten();
            faults.filter(|fault| is_wanted(fault.kind)).count()
        };
        let kills = of(&FaultKind::is_kill);
        match self.storage {
            Storage::SmallDisk(_) => "on a full disk".to_owned(),
            Storage::StagingDisk(_) => "on a disk that is read-only".to_owned(),
            Storage::Folder | Storage::Postgres => {
                let away = of(&|kind| matches!(kind, FaultKind::DatabaseAway { .. }));
                let line = if self.line.cut_after.is_some() {
                    " and a poor line"
                } else {
                    ""
                };
                if self.storage == Storage::Postgres {
                    format!("{kills} kills, PostgreSQL {away} times away{line}")
                } else {
                    format!("{kills} kills{line}")
                }
            }
        }
    }
}

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

fn draw_away(entropy: &mut SeededEntropy) -> Duration {
    Duration::from_millis(draw(entropy, AWAY_MS.0, AWAY_MS.1))
}

fn draw_kind(entropy: &mut SeededEntropy, storage: Storage) -> FaultKind {
    let drawn = draw(entropy, 1, 10);
    if storage == Storage::Postgres && drawn > 4 {
        return FaultKind::DatabaseAway {
            away: draw_away(entropy),
            is_killed: draw(entropy, 1, 3) == 1,
        };
    }
    match drawn {
        1 => FaultKind::Ends(Ending::Terminate),
        2 => FaultKind::Cut,
        _ => FaultKind::Ends(Ending::Kill),
    }
}
