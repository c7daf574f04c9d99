use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use corridor_core::{Assignment, Profile, Recall, Threshold};
use corridor_engine::{CandidateMemory, RunLimits};
use corridor_store::ScratchFolder;

use super::{DisclosureArg, StatisticsArgs, parse_share, parse_threads};

/// What a rehearsal and a demonstration share.
#[derive(Debug, Args)]
pub(crate) struct PipelineArgs {
    /// Encoding profile; saul-3-2048 when neither it nor a schema file is given.
    #[arg(long)]
    pub(crate) profile: Option<Profile>,
    /// A ready-made encoding schema (corridor schema list) or a schema file.
    #[arg(long, value_name = "NAME|FILE", conflicts_with = "match_fields")]
    pub(crate) schema: Option<String>,
    /// Match fields, by comma. When not given, those of all that both mappings have which serve best: names, birth_date, sex,
    /// citizenship, birth_country; for registers of persons address and postcode; in clk-… profiles phonetic.
    #[arg(long, value_delimiter = ',', value_name = "FIELDS")]
    pub(crate) match_fields: Vec<String>,
    /// A threshold; estimated without truth when not given.
    #[arg(long)]
    pub(crate) threshold: Option<Threshold>,
    /// Compare only records that share a block key or one of some keys of bits drawn from their filters, as many as find this
    /// share of the pairs at the threshold, above 0.5 and below 1. For Bloom profiles; pays from some hundred thousand records
    /// a side on.
    #[arg(long, value_name = "SHARE")]
    pub(crate) lsh_recall: Option<Recall>,
    /// How each person gets at most one partner: greedy, mutual-best or optimal. Or, with a threshold, one-to-many, where a person of
    /// the left register may have several (a household registered as one), and many-to-one.
    #[arg(long, value_name = "WAY", default_value = "greedy")]
    pub(crate) assignment: Assignment,
    /// Under fields-256 and fields-512, match fields (by comma) of which agreement on a rare value counts more than on a common
    /// one.
    #[arg(long, value_delimiter = ',', value_name = "FIELDS")]
    pub(crate) value_frequencies: Vec<String>,
    /// First year of the flow table; the first that both registers cover when not given.
    #[arg(long, value_name = "YEAR")]
    pub(crate) from_year: Option<i16>,
    /// Last year of the flow table; the last that both registers cover when not given.
    #[arg(long, value_name = "YEAR")]
    pub(crate) to_year: Option<i16>,
    /// Lower bounds of the age bands of the flow table.
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "AGES",
        default_value = "0,15,30,45,65"
    )]
    pub(crate) age_bands: Vec<u8>,
    #[command(flatten)]
    pub(crate) statistics: StatisticsArgs,
    /// How small counts are kept from telling of few people.
    #[arg(long, value_name = "METHOD", default_value = "suppression")]
    pub(crate) disclosure: DisclosureArg,
    /// Counts above 0 and below this are suppressed.
    #[arg(long, value_name = "COUNT", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) minimum_count: u32,
    /// Share of a register's rows that may be left out because they cannot be used, as in 1%.
    #[arg(long, value_parser = parse_share, default_value = "1%")]
    pub(crate) max_refused: f64,
    /// Seed of keys and samples: the same seed gives the same bytes.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Threads; one per core when 0.
    #[arg(long, default_value = "0", value_parser = parse_threads)]
    pub(crate) threads: usize,
    /// Most candidate pairs; more are refused, before anything is compared where that can be foreseen.
    #[arg(long, value_name = "COUNT", default_value_t = 100_000_000, value_parser = clap::value_parser!(u64).range(1..=u64::from(u32::MAX)))]
    pub(crate) max_candidates: u64,
    #[command(flatten)]
    pub(crate) candidates: CandidatesArgs,
    /// True pairs of records (CSV: id_a, id_b) or of persons (person_a, person_b: person keys), to measure the quality of the
    /// links. Never used to make them.
    #[arg(long, value_name = "FILE")]
    pub(crate) truth: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct CandidatesArgs {
    /// Candidate pairs held in memory, about, 16 bytes each; the others are sorted on disk, beside the results or the manifest, encrypted
    /// and without a name.
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = RunLimits::DEFAULT.candidates_in_memory,
        value_parser = clap::value_parser!(u64).range(CandidateMemory::LEAST..)
    )]
    candidates_in_memory: u64,
}

impl CandidatesArgs {
    /// Memory for so many, and room in the folder for the others.
    pub(crate) fn memory(&self, folder: &Path) -> CandidateMemory {
        CandidateMemory::new(self.candidates_in_memory, Arc::new(ScratchFolder::new(folder)))
    }

    /// With a bound on all candidates.
    pub(crate) const fn limits(&self, max_candidates: u64) -> RunLimits {
        RunLimits::of_command(max_candidates, self.candidates_in_memory)
    }
}

#[derive(Debug, Args)]
pub(crate) struct RehearseArgs {
    /// The origin's register, CSV.
    #[arg(long, value_name = "FILE")]
    pub(crate) left: PathBuf,
    /// The destination's register. Not needed for --attack, which then takes half of the left one's people for the attacker's
    /// list.
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "attack",
        requires = "right_mapping"
    )]
    pub(crate) right: Option<PathBuf>,
    /// What the columns of the left register are.
    #[arg(long, value_name = "FILE")]
    pub(crate) left_mapping: PathBuf,
    /// What the columns of the right register are.
    #[arg(long, value_name = "FILE", requires = "right")]
    pub(crate) right_mapping: Option<PathBuf>,
    /// Folder for the results; made when it is not there.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// A summary as JSON on standard output.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) attack: AttackArgs,
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// The origin's register; the bundled Tunisian one when not given.
    #[arg(long, value_name = "FILE", requires = "right")]
    pub(crate) left: Option<PathBuf>,
    /// The destination's register; the bundled Italian one when not given.
    #[arg(long, value_name = "FILE", requires = "left")]
    pub(crate) right: Option<PathBuf>,
    /// Mapping of the left register; drafted from its header when not given.
    #[arg(long, value_name = "FILE", requires = "left")]
    pub(crate) left_mapping: Option<PathBuf>,
    /// Mapping of the right register; drafted from its header when not given.
    #[arg(long, value_name = "FILE", requires = "right")]
    pub(crate) right_mapping: Option<PathBuf>,
    /// Folder for the results.
    #[arg(long, value_name = "DIR", default_value = "corridor-demo")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
}

/// What is done to attack an office's own filters.
#[derive(Debug, Args)]
pub(crate) struct AttackArgs {
    /// Attack the left register's filters as somebody without the key would, who has a list of half of its people, or with
    /// --right and --truth the other register, and tell what would be learned. Classic Bloom filters of the same people are
    /// attacked beside them: where these do not fall, an attack shows nothing. Takes minutes; writes attack.json.
    #[arg(long)]
    pub(crate) attack: bool,
    /// Records of each side that are attacked at most.
    #[arg(long, value_name = "COUNT", default_value_t = 2500, requires = "attack")]
    pub(crate) attack_records: usize,
    /// Each attack is run so many times under other keys; the worst counts.
    #[arg(long, value_name = "COUNT", default_value_t = 1, requires = "attack", value_parser = clap::value_parser!(u64).range(1..=100))]
    pub(crate) attack_seeds: u64,
}
