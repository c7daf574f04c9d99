use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use corridor_core::{CountryCoding, Digest, OfficeId, Threshold};

use crate::commands::synth::SynthArgs;
use crate::failure::parse_digest;

mod audit;
mod dataset;
mod encode;
mod extracts;
mod figures;
mod manifest;
mod pictures;
mod pipeline;
mod run;
mod schema;
mod statistics;

pub(crate) use audit::{AuditCommand, ReplayArgs};
pub(crate) use dataset::DatasetCommand;
pub(crate) use encode::{ClkArgs, EncodeArgs, HeaderArg};
pub(crate) use extracts::{InspectArgs, MappingCommand};
pub(crate) use figures::{DurationsArg, EstimateArgs, MirrorArgs};
pub(crate) use manifest::ManifestCommand;
pub(crate) use pictures::{FormatArg, LanguageArg, PlotArgs};
pub(crate) use pipeline::{AttackArgs, CandidatesArgs, DemoArgs, PipelineArgs, RehearseArgs};
pub(crate) use run::{RunArgs, RunCommand};
pub(crate) use schema::{SchemaCommand, SchemaFileArgs};
pub(crate) use statistics::{DisclosureArg, StatisticsArgs};

/// Links the emigration records of one statistical office with the immigration records of another, through
/// keyed encodings, and reconciles their flow statistics, without either seeing who the people are.
///
/// Two offices work in this order: keys, agreement, encode, upload, run, flows. An office alone tries its
/// settings with rehearse. `corridor demo` plays it all in a minute. Figures from counts alone: estimate, mirror.
///
/// Data goes to standard output, talk to standard error. Exit codes: 0 done; 1 failed; 2 wrong command line;
/// 3 a file given cannot be used; 4 the service refused; 5 the service cannot be reached. An error ends with
/// a line `hint: …` that says what to do.
#[derive(Debug, Parser)]
#[command(name = "corridor", version)]
pub struct Cli {
    /// The command.
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Makes and exchanges the keys of an office.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Names the columns and codes of a register in a mapping file.
    #[command(subcommand)]
    Mapping(MappingCommand),
    /// Says what a mapping makes of a register, field by field, without any value of it.
    ///
    /// Counts rows read and refused by reason; of each field how many values are filled, different, hard to believe and
    /// defaulted, their lengths and scripts; birth dates on days that stand for "not known"; and moves by direction,
    /// other country and year. Takes any number of rows in the same memory.
    ///
    /// Example: corridor inspect register.csv --mapping mapping.toml
    Inspect(InspectArgs),
    /// Describes what an office's figures mean, and lists why those of two offices will differ.
    #[command(subcommand)]
    Manifest(ManifestCommand),
    /// Shows, checks and explains encoding schemas.
    #[command(subcommand)]
    Schema(SchemaCommand),
    /// Turns a register into an encoded dataset and a pseudonym list.
    ///
    /// The dataset (Parquet) may be uploaded; the pseudonym list stays in the office, which needs it to read
    /// anything that comes back. Nothing is written when a row cannot be used, unless --max-refused allows it.
    ///
    /// Example: corridor encode --mapping mapping.toml --agreement agreement.json --key project.key
    /// --pseudonyms ids.csv register.csv -o dataset.parquet
    ///
    /// With --clkhash-schema instead it writes bit for bit what clkhash 0.18.3 writes for a linkage schema (version 1, 2 or
    /// 3), a secret and a file of people, as JSON, in the order of the rows: {"clks": ["base64", …]}. That is for linkage
    /// with those who use clkhash: it withstands only a linkage unit that has no list of the people.
    ///
    /// Example: corridor encode --clkhash-schema schema.json --secret-file secret.txt people.csv -o clks.json
    Encode(EncodeArgs),
    /// Writes what encode --encrypt encrypted to a file anyone can read.
    ///
    /// A pseudonym list to look a record up, or a dataset for an auditor (Parquet). Nothing is written when a byte of the
    /// file was altered or is missing.
    ///
    /// Example: corridor decrypt ids.csv.enc -o ids.csv
    Decrypt(DecryptArgs),
    /// Proposes, signs and shows agreements.
    #[command(subcommand)]
    Agreement(AgreementCommand),
    /// Looks at an encoded dataset as the service will before it seals it.
    ///
    /// Every check has its figure, its bounds and whether it passed: the density of the filters against what the agreed profile
    /// gives, filters that are or nearly are those of other people, small strata of what is in clear, and small blocks. The
    /// bounds are the profile's, or those of [gate] in the terms. Ends with exit code 3 when the service would refuse.
    ///
    /// Example: corridor gate dataset.parquet --agreement agreement.json
    Gate(GateArgs),
    /// Uploads an encoded dataset and seals it.
    ///
    /// The file is checked first; for one that is encrypted the passphrase is asked. An upload that is cut goes on by itself where the service
    /// acknowledged it, and says so; one that was given up goes on when the same command is run again. The service file (TOML) holds server = "https://…", ca, certificate and private_key.
    ///
    /// Example: corridor upload dataset.parquet --agreement agreement.json --service service.toml
    Upload(UploadArgs),
    /// Shows and purges datasets, and checks deletion certificates.
    #[command(subcommand)]
    Dataset(DatasetCommand),
    /// Starts, follows and stops linkage runs.
    #[command(subcommand)]
    Run(RunCommand),
    /// Releases, shows and exports flow tables.
    #[command(subcommand)]
    Flows(FlowsCommand),
    /// Keeps and checks the service's audit log: who did what when, and what left to whom.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Runs the whole pipeline on two registers here, without a service.
    ///
    /// For one office that tries its settings on its own or synthetic data before any agreement is signed. Writes
    /// links.csv (left_id, right_id, similarity, probability), report.json, with --truth quality.json, and for
    /// registers of moves moves.csv, flows.csv, years.csv, lags.csv, stays.csv, durations.csv, strata.csv, flows.json and pictures to the folder --out. The threshold is never chosen
    /// from the truth. Keys come from --seed and protect nothing: do not hand on what it writes.
    ///
    /// Example: corridor rehearse --left a.csv --right b.csv --left-mapping left.toml --right-mapping right.toml
    /// --truth truth.csv --out rehearsal
    Rehearse(RehearseArgs),
    /// Compares all pairs of two encoded datasets.
    ///
    /// Takes datasets of ours (Parquet) or clkhash's JSON ({"clks": ["base64", …]}). Compares by Dice, or by
    /// ρ = 1 − 2·Hamming/m for majority profiles. Writes left, right (row indices from 0) and similarity, by
    /// similarity descending, then left, then right.
    ///
    /// Example: corridor compare a.json b.json --threshold 0.8 --json -o pairs.csv
    Compare(CompareArgs),
    /// Estimates how many moves there were, from two incomplete lists, without any linkage.
    ///
    /// Takes n1 and n2, the moves in each list, and m, those in both, by flags or as JSON on standard input. Prints as JSON,
    /// or with --text as a page to read, Petersen's, Chapman's and Bailey's estimates, each with its variance, a normal and
    /// a log-normal interval, what it would be if the lists were not independent, and the coverage that implies. Also, where the input has it:
    ///
    /// - links, alpha, beta (var_alpha, var_beta): the estimate corrected for linkage error, beside the naive one;
    ///
    /// - strata: [{"label", "n1", "n2", "m"}, …], each also with links, alpha, beta: stratified estimates. Thin strata
    ///   are pooled into one, which the next thinnest join until it has enough;
    ///
    /// - trimmed: {"records", "matched"}: the estimate after false records of the first list were trimmed;
    ///
    /// - recapture: {"n1": […], "n2": […], "matched": [[…], …]}: three tests of whether strata may be pooled;
    ///
    /// - persons: [{"in_1", "in_2", "links", "persons"}, …]: a bootstrap over persons, who may move more than once;
    ///
    /// - passes: [{"links", "false_link_rate"}, …]: how many links of all passes are expected to be false;
    ///
    /// - cells: {"both": [[…], …], "only_1": […], "only_2": […]}: each list has a covariate that the other has not.
    ///
    /// Example: corridor estimate --n1 8000 --n2 6000 --links 4584 --alpha 0.95 --beta 0.02
    Estimate(EstimateArgs),
    /// Says what offices miss, from a table of the same flows as both sides report them, without any linkage.
    ///
    /// The table (CSV) has the columns origin, destination, year, reported_by_origin and reported_by_destination, and
    /// may have origin_duration_months and destination_duration_months, the minimum stay each side asks for. A blank is
    /// a flow that is not reported. Counts under another minimum stay are converted, and marked as estimated.
    ///
    /// Prints how far the two reports of a flow are apart; with --reference, what each office reports over what the
    /// reference offices do, with an interval; and by what each report is to be multiplied for all to agree, as far as
    /// flows tie it to the pinned one. With --out it writes ratios.csv, factors.csv and mirror.json.
    ///
    /// Example: corridor mirror flows.csv --reference SE,DK,NO,FI --pin SE --out mirror
    Mirror(MirrorArgs),
    /// Plays two offices and a service in one process, on the bundled registers or your own.
    ///
    /// Starts a real service on a free loopback port with mutual TLS, makes keys, agrees, encodes, uploads, runs
    /// and releases, then shows the flow table and, given truth, the linkage quality. Keys come from --seed, so
    /// the same demonstration gives the same bytes; the service and its data are gone afterwards.
    ///
    /// Example: cargo demo -- --left my.csv --right theirs.csv --left-mapping my.toml --right-mapping theirs.toml
    Demo(DemoArgs),
    /// Makes two registers of invented movers of a corridor, with the truth.
    ///
    /// People have the names, ages and moves (out, back, out again) of the corridor, and each office its own gaps,
    /// delays, spellings, codes and slips. Writes a.csv (the origin's) and b.csv (the destination's), left.toml and
    /// right.toml (their mappings), truth.csv (id_a, id_b: the same move) and persons.csv (person_a, person_b: the
    /// same person) to a new folder. The same seed gives the same bytes.
    ///
    /// Example: corridor synth --corridor SN-FR --records 5000 --seed 7 --out sn-fr
    Synth(SynthArgs),
}

#[derive(Debug, Args)]
pub(crate) struct PassphraseArgs {
    /// File whose first line is the passphrase of the key files; asked for on the terminal when not given.
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Makes an office's long-term keys.
    ///
    /// Writes identity.key (sealed with the passphrase; stays) and identity.pub (for the other office).
    ///
    /// Example: corridor keys init --office INS-TN --dir keys
    Init {
        /// Id of the office: 2 to 32 of A–Z, 0–9 and -.
        #[arg(long)]
        office: OfficeId,
        /// A folder for the two files.
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        #[command(flatten)]
        passphrase: PassphraseArgs,
    },
    /// Agrees a linkage key with the other office, in three steps.
    ///
    /// Step 1, at one office, without --message: writes an offer to send. Step 2, at the other, with
    /// --message OFFER: writes a reply to send back, and its project key. Step 3, at the first, with --message
    /// REPLY: writes its project key. Messages are sealed and signed, so any channel will do; compare fingerprints
    /// by telephone first.
    ///
    /// Example: corridor keys exchange --identity identity.key --peer theirs.pub --out offer.msg
    Exchange {
        /// This office's identity.
        #[arg(long, value_name = "FILE")]
        identity: PathBuf,
        /// The other office's public identity.
        #[arg(long, value_name = "FILE")]
        peer: PathBuf,
        /// The other office's message, in steps 2 and 3.
        #[arg(long, value_name = "FILE")]
        message: Option<PathBuf>,
        /// Where to write the message to send, in steps 1 and 2.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Where to write the project key, in steps 2 and 3.
        #[arg(long, value_name = "FILE", default_value = "project.key")]
        project: PathBuf,
        /// Where step 1 keeps what step 3 needs.
        #[arg(long, value_name = "FILE", default_value = "pending.key")]
        pending: PathBuf,
        #[command(flatten)]
        passphrase: PassphraseArgs,
    },
    /// Shows the fingerprint of a public identity: twelve words to read to each other over the telephone.
    ///
    /// Example: corridor keys fingerprint theirs.pub
    Fingerprint {
        /// A public identity.
        file: PathBuf,
    },
}

/// Threads at most: more only get in each other's way.
const MOST_THREADS: usize = 1024;

/// Reads a number of threads.
fn parse_threads(text: &str) -> Result<usize, String> {
    text.parse::<usize>()
        .ok()
        .filter(|threads| *threads <= MOST_THREADS)
        .ok_or_else(|| format!("expected a number from 0 to {MOST_THREADS}"))
}

/// Reads `1%` or `0.01` as a share.
fn parse_share(text: &str) -> Result<f64, String> {
    let (number, scale) = match text.strip_suffix('%') {
        Some(number) => (number, 100.0),
        None => (text, 1.0),
    };
    number
        .trim()
        .parse::<f64>()
        .ok()
        .map(|value| value / scale)
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| "expected a share as in 1% or 0.01".to_owned())
}

#[derive(Debug, Args)]
pub(crate) struct ServiceArgs {
    /// How to reach the service (TOML: server, ca, certificate, private_key).
    #[arg(long, value_name = "FILE", default_value = "service.toml")]
    pub(crate) service: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AgreementCommand {
    /// Proposes an agreement to the service.
    ///
    /// The terms file (TOML) says what both offices agreed on; corridor agreement template writes one to start
    /// from. Prints the agreement's digest, which both offices sign.
    ///
    /// Example: corridor agreement propose terms.toml --service service.toml -o agreement.json
    Propose {
        /// The terms.
        terms: PathBuf,
        /// Where to save the agreement.
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        #[command(flatten)]
        service: ServiceArgs,
    },
    /// Writes a terms file to start from to standard output.
    ///
    /// Example: corridor agreement template > terms.toml
    Template,
    /// Signs an agreement with this office's identity.
    ///
    /// Read it first with corridor agreement show. It is in force when both offices signed.
    ///
    /// Example: corridor agreement sign DIGEST --identity identity.key --service service.toml
    Sign {
        /// The agreement's digest.
        #[arg(value_parser = parse_digest)]
        digest: Digest,
        /// This office's identity.
        #[arg(long, value_name = "FILE")]
        identity: PathBuf,
        #[command(flatten)]
        passphrase: PassphraseArgs,
        #[command(flatten)]
        service: ServiceArgs,
    },
    /// Shows an agreement and who has signed it, or lists all of this office's.
    ///
    /// Example: corridor agreement show DIGEST --service service.toml -o agreement.json
    Show {
        /// The agreement's digest; all of them when not given.
        #[arg(value_parser = parse_digest)]
        digest: Option<Digest>,
        /// Where to save it, with its signatures.
        #[arg(short, long, value_name = "FILE", requires = "digest")]
        output: Option<PathBuf>,
        /// As JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        service: ServiceArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct UploadArgs {
    /// The dataset.
    pub(crate) dataset: PathBuf,
    /// The agreement it was encoded under, as saved by corridor agreement show.
    #[arg(long, value_name = "FILE")]
    pub(crate) agreement: PathBuf,
    /// Seconds without another byte acknowledged after which the upload is given up; 0: it is tried once.
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub(crate) give_up_after: u32,
    /// Seconds after which a line over which nothing came is taken for dead, and another one is made.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) stalled_after: u32,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseArgs,
    #[command(flatten)]
    pub(crate) service: ServiceArgs,
}

#[derive(Debug, Args)]
pub(crate) struct GateArgs {
    /// The dataset.
    pub(crate) dataset: PathBuf,
    /// The agreement it was encoded under, as saved by corridor agreement show.
    #[arg(long, value_name = "FILE")]
    pub(crate) agreement: PathBuf,
    /// The other office's dataset, to compare bit frequencies with, where both are at hand.
    #[arg(long, value_name = "FILE")]
    pub(crate) other: Option<PathBuf>,
    /// The report as JSON on standard output.
    #[arg(long)]
    pub(crate) json: bool,
    /// Threads; one per core when 0.
    #[arg(long, default_value = "0", value_parser = parse_threads)]
    pub(crate) threads: usize,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DecryptArgs {
    /// The encrypted file.
    pub(crate) file: PathBuf,
    /// Where to write what it holds.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum FlowsCommand {
    /// Releases the result of a run, for this office. Neither office sees a figure until both did.
    ///
    /// Example: corridor flows release RUN --identity identity.key --service service.toml
    Release {
        /// The run's id.
        #[arg(value_parser = parse_digest)]
        run: Digest,
        /// This office's identity.
        #[arg(long, value_name = "FILE")]
        identity: PathBuf,
        #[command(flatten)]
        passphrase: PassphraseArgs,
        #[command(flatten)]
        service: ServiceArgs,
    },
    /// Shows the released flow table of a run.
    ///
    /// Example: corridor flows show RUN --service service.toml
    Show(RunArgs),
    /// Writes the released flow tables of a run, or those of a flows.json that an export, a rehearsal or a demonstration wrote.
    ///
    /// csv: flows.csv (counts, classes, estimates and what they are without linkage error, by group), years.csv (why each
    /// office's own count of a period differs), lags.csv (days between the two dates of a move), stays.csv (moves by rule of minimum
    /// stay), durations.csv (those of shorter stays made such of twelve months, estimated), strata.csv (estimates by stratum, thin ones
    /// pooled). json: flows.json, with all but the last two, which are made of it, with methods and definitions. parquet: flows.parquet. xlsx: flows.xlsx, with sheets of
    /// definitions and of quality. sdmx: flows.sdmx.csv, SDMX-CSV 2.0 by the cross-domain code lists. pictures: a folder of them, in
    /// English and French, as SVG and PNG; see flows plot. Every file names method,
    /// definitions, agreement and run.
    ///
    /// Example: corridor flows export RUN --out results --service service.toml
    ///
    /// Example: corridor flows export --from results/flows.json --out more --format xlsx,sdmx --country-codes m49
    Export(ExportArgs),
    /// Draws the flow table of a released run, or of a file.
    ///
    /// For each corridor: mirror (emigrations, immigrations, matched and the estimate with its interval, by period), difference
    /// (why both figures differ, as a waterfall), pyramid (matched and unmatched by sex and age, where a table has both) and lags
    /// (days between the two dates). For black and white print; a suppressed figure is a marked gap.
    ///
    /// Example: corridor flows plot RUN --out pictures --service service.toml
    ///
    /// Example: corridor flows plot --from flows.json --out pictures --language fr --format svg
    Plot(PlotArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The run's id.
    #[arg(value_parser = parse_digest, required_unless_present = "from")]
    pub(crate) run: Option<Digest>,
    /// A flows.json, in place of a run.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["run", "service"])]
    pub(crate) from: Option<PathBuf>,
    /// A new folder, or one without these files.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// What to write, by comma.
    #[arg(
        long,
        value_name = "FORMATS",
        value_delimiter = ',',
        default_value = "csv,json,parquet,xlsx,sdmx,pictures"
    )]
    pub(crate) format: Vec<ExportFormat>,
    /// Country codes of CSV, XLSX and SDMX; JSON and Parquet have ISO codes.
    #[arg(long, value_name = "SYSTEM", default_value = "iso")]
    pub(crate) country_codes: CountryCodesArg,
    #[command(flatten)]
    pub(crate) service: ServiceArgs,
}

/// A kind of file of flow tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    Csv,
    Json,
    Parquet,
    Xlsx,
    Sdmx,
    Pictures,
}

/// A system of country codes.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum CountryCodesArg {
    /// ISO 3166-1 alpha-2.
    Iso,
    /// The three digits of the United Nations.
    M49,
    /// Eurostat's, with EL and UK.
    Eurostat,
}

impl From<CountryCodesArg> for CountryCoding {
    fn from(codes: CountryCodesArg) -> Self {
        match codes {
            CountryCodesArg::Iso => Self::Iso,
            CountryCodesArg::M49 => Self::M49,
            CountryCodesArg::Eurostat => Self::Eurostat,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// Left dataset: Parquet of ours, or clkhash's JSON.
    pub(crate) left: PathBuf,
    /// Right dataset.
    pub(crate) right: PathBuf,
    /// Smallest similarity of a pair, above 0 and at most 1.
    #[arg(long)]
    pub(crate) threshold: Threshold,
    /// Keep each row once, best pairs first.
    #[arg(long, conflicts_with = "top_k")]
    pub(crate) one_to_one: bool,
    /// Keep the so many most similar of the right side for each row of the left.
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) top_k: Option<u32>,
    /// Give up pairs of strangers with a probability of at most this of giving up a pair at or above the threshold, such as
    /// 1e-9; exactly, with no such risk, when not given. Bits are compared in a random order drawn from --seed.
    #[arg(long, value_name = "PROBABILITY", conflicts_with = "top_k")]
    pub(crate) miss_bound: Option<f64>,
    /// Seed of the order of bits; from the system's randomness when not given.
    #[arg(long, requires = "miss_bound")]
    pub(crate) seed: Option<u64>,
    /// Threads; one per core when 0.
    #[arg(long, default_value = "0", value_parser = parse_threads)]
    pub(crate) threads: usize,
    /// Most pairs kept in memory; more is an error.
    #[arg(long, value_name = "COUNT", default_value_t = 100_000_000)]
    pub(crate) max_pairs: u64,
    /// Pairs compared, seconds, pairs per second and kernel as JSON on standard output.
    #[arg(long)]
    pub(crate) json: bool,
    /// Where to write the pairs.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
}
