//! What the system tests, the programs beside them and the code generator share.

mod baseline;
mod binaries;
mod breaking;
mod codegen;
mod draw;
#[cfg(feature = "programs")]
mod faults;
mod job;
#[cfg(feature = "programs")]
mod load;
mod poor_line;
pub mod sample;
mod stored;
mod workspace;
#[cfg(feature = "programs")]
mod world;

pub use baseline::{baseline_file, is_published, read_baseline, read_descriptors, renew_baseline};
pub use binaries::{Outcome, ServerProcess, binaries, command, corridor, server_command, use_binaries};
pub use breaking::breaking_changes;
pub use codegen::{GENERATED_FILES, generate};
#[cfg(feature = "programs")]
pub use faults::{
    CampaignReport, CampaignTerms, ClockSteps, Databases, LargeUpload, Phase, Sabotage, run_campaign,
};
pub use job::{Job, OFFICES, Terms, fixture, write_private};
#[cfg(feature = "programs")]
pub use load::{LoadReport, LoadTerms, StageReport, run_load};
pub use poor_line::{LineFaults, PoorLine};
pub use stored::dataset_files;
pub use workspace::{rust_files, workspace_root};
