//! Arguments of the commands that need counts only.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use corridor_flows::{Confidence, ReportedFlow, Weighting};

#[derive(Debug, Args)]
pub(crate) struct EstimateArgs {
    /// The counts as JSON; `-` or nothing reads standard input, unless --n1 is given.
    pub(crate) input: Option<PathBuf>,
    /// Moves in the first list.
    #[arg(
        long,
        value_name = "COUNT",
        allow_negative_numbers = true,
        requires = "n2",
        conflicts_with = "input"
    )]
    pub(crate) n1: Option<f64>,
    /// Moves in the second list.
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true, requires = "n1")]
    pub(crate) n2: Option<f64>,
    /// Moves in both.
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true, requires = "n1")]
    pub(crate) m: Option<f64>,
    /// Links, where linkage errs; m when not given.
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true, requires = "n1")]
    pub(crate) links: Option<f64>,
    /// Chance that a move in both lists is linked to its partner.
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true, requires_all = ["n1", "beta"])]
    pub(crate) alpha: Option<f64>,
    /// Chance that a move of the second list without a partner is linked.
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true, requires_all = ["n1", "alpha"])]
    pub(crate) beta: Option<f64>,
    /// Variance of the estimate of alpha; 0 when not given.
    #[arg(
        long,
        value_name = "VARIANCE",
        allow_negative_numbers = true,
        requires = "alpha"
    )]
    pub(crate) var_alpha: Option<f64>,
    /// Variance of the estimate of beta; 0 when not given.
    #[arg(
        long,
        value_name = "VARIANCE",
        allow_negative_numbers = true,
        requires = "beta"
    )]
    pub(crate) var_beta: Option<f64>,
    /// Records of the first list to trim because they may be false.
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true, requires_all = ["n1", "trim_matched"])]
    pub(crate) trim_records: Option<f64>,
    /// How many of them are matched.
    #[arg(
        long,
        value_name = "COUNT",
        allow_negative_numbers = true,
        requires = "trim_records"
    )]
    pub(crate) trim_matched: Option<f64>,
    /// Matched moves below which a stratum is too thin to estimate and is pooled.
    #[arg(long, value_name = "COUNT", default_value_t = 7)]
    pub(crate) minimum_matched: u64,
    /// How often intervals should hold the truth.
    #[arg(long, value_name = "SHARE", value_parser = parse_confidence, default_value = "0.95")]
    pub(crate) confidence: Confidence,
    /// Bootstrap replicates; none when 0.
    #[arg(long, value_name = "COUNT", default_value_t = 1000)]
    pub(crate) replicates: u32,
    /// Seed of the bootstraps: the same seed gives the same bytes.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// As a page to read instead of JSON.
    #[arg(long)]
    pub(crate) text: bool,
    /// As JSON, which it is without being asked for.
    #[arg(long, conflicts_with = "text")]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct MirrorArgs {
    /// The double-entry table, CSV.
    pub(crate) input: PathBuf,
    /// Offices whose registers are taken to be good, by comma, as in SE,DK,NO; without them there are no ratios.
    #[arg(long, value_delimiter = ',', value_name = "CODES")]
    pub(crate) reference: Vec<String>,
    /// The table holds every flow of its offices: the share that a count is of its total narrows intervals.
    #[arg(long)]
    pub(crate) complete: bool,
    /// Office whose report has factor 1, in every year; the one whose immigration has the most flows in all years when not given.
    #[arg(long, value_name = "CODE")]
    pub(crate) pin: Option<String>,
    /// Which report of that office.
    #[arg(long, value_name = "FLOW", default_value = "immigration", requires = "pin")]
    pub(crate) pin_flow: FlowArg,
    /// How much a flow counts in the fit of factors: all the same, or by its inverse Poisson variance.
    #[arg(long, default_value = "poisson")]
    pub(crate) weighting: WeightingArg,
    /// Fit factors to all years together.
    #[arg(long)]
    pub(crate) pooled: bool,
    /// Minimum stay to convert counts to, where the table has durations.
    #[arg(long, value_name = "MONTHS", value_parser = parse_months, default_value = "12")]
    pub(crate) months: f64,
    /// Published table to convert with.
    #[arg(long, default_value = "imem-2013")]
    pub(crate) durations: DurationsArg,
    /// Convert with stays that end at this rate a year instead, as in 0.24.
    #[arg(
        long,
        value_name = "RATE",
        allow_negative_numbers = true,
        conflicts_with = "durations"
    )]
    pub(crate) rate: Option<f64>,
    /// How often intervals should hold the truth.
    #[arg(long, value_name = "SHARE", value_parser = parse_confidence, default_value = "0.95")]
    pub(crate) confidence: Confidence,
    /// Folder for ratios.csv, factors.csv and mirror.json, which must not be there yet.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// What mirror.json holds, on standard output.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum FlowArg {
    Emigration,
    Immigration,
}

impl From<FlowArg> for ReportedFlow {
    fn from(flow: FlowArg) -> Self {
        match flow {
            FlowArg::Emigration => Self::Emigration,
            FlowArg::Immigration => Self::Immigration,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum WeightingArg {
    Equal,
    Poisson,
}

impl From<WeightingArg> for Weighting {
    fn from(weighting: WeightingArg) -> Self {
        match weighting {
            WeightingArg::Equal => Self::Equal,
            WeightingArg::Poisson => Self::Poisson,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum DurationsArg {
    #[value(name = "expert-2019")]
    Expert2019,
    #[value(name = "imem-2013")]
    Imem2013,
    #[value(name = "mixture-2019")]
    Mixture2019,
}

fn parse_months(text: &str) -> Result<f64, String> {
    let months: f64 = text
        .parse()
        .map_err(|_| "expected a number of months".to_owned())?;
    if (0.0..=120.0).contains(&months) {
        Ok(months)
    } else {
        Err("a minimum stay is 0 to 120 months".to_owned())
    }
}

fn parse_confidence(text: &str) -> Result<Confidence, String> {
    let level: f64 = text
        .parse()
        .map_err(|_| "expected a share as in 0.95".to_owned())?;
    Confidence::try_from(level).map_err(|error| error.to_string())
}
