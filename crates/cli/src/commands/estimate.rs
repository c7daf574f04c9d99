use corridor_core::SeededEntropy;
use corridor_flows::{
    Bootstrap, Confidence, Consistency, CorrectedEstimate, DualCounts, DualSystemError, IncompleteEstimate,
    LinkageErrors, LinkedCounts, LoglinearTerms, PassedLinks, PoolingRule, PopulationEstimate,
    StratifiedEstimate, TrimmedEstimate, bootstrap_over_persons, links_of_passes, parametric_bootstrap,
    stratified_bootstrap, stratified_chapman, stratified_corrected, trimmed,
};
use serde::Serialize;

use crate::args::EstimateArgs;
use crate::commands::estimate::input::Problem;
use crate::output::{data, json};

mod input;
mod page;

/// Everything that can be estimated from the counts given.
#[derive(Debug, Serialize)]
struct Report {
    confidence: f64,
    seed: u64,
    /// What the plain estimates are made from; links in the place of matches where m was not given.
    counts: Option<DualCounts>,
    /// Whether they are links.
    from_links: bool,
    /// Petersen, Chapman, Bailey.
    estimates: Vec<PopulationEstimate>,
    /// Of Petersen's estimate.
    bootstrap: Option<Resampled>,
    linkage_error_corrected: Option<Corrected>,
    stratified: Option<StratifiedEstimate>,
    stratified_linkage_error_corrected: Option<StratifiedCorrected>,
    trimmed: Option<TrimmedEstimate>,
    consistency: Option<Consistency>,
    incomplete_covariates: Option<Incomplete>,
    /// What the error rates of passes make of all links.
    passes: Option<PassedLinks>,
    /// What must be read beside the figures.
    notes: [&'static str; 2],
}

/// What came of a bootstrap. Where too many replicates have no estimate it has no interval, and the other figures stand.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Resampled {
    Drawn(Bootstrap),
    Unbounded { problem: String },
}

#[derive(Debug, Serialize)]
struct Corrected {
    #[serde(flatten)]
    corrected: CorrectedEstimate,
    parametric_bootstrap: Option<Resampled>,
    bootstrap_over_persons: Option<Resampled>,
}

#[derive(Debug, Serialize)]
struct StratifiedCorrected {
    #[serde(flatten)]
    corrected: StratifiedEstimate,
    /// Of the total.
    parametric_bootstrap: Option<Resampled>,
}

#[derive(Debug, Serialize)]
struct Incomplete {
    #[serde(flatten)]
    estimate: IncompleteEstimate,
    bootstrap: Option<Resampled>,
}

const NOTES: [&str; 2] = [
    "People with papers tend to be in both lists, so that an estimate under independence is rather too low.",
    "Petersen, Chapman, Bailey and the trimmed estimate take every link at its word: a missed link makes them too high, a false one too low.",
];

pub(crate) fn run(args: &EstimateArgs) -> anyhow::Result<()> {
    let report = estimate(&Problem::read(args)?, args)?;
    if args.text {
        return data(&page::to_page(&report));
    }
    json(&report)
}

fn estimate(problem: &Problem, args: &EstimateArgs) -> anyhow::Result<Report> {
    let confidence = args.confidence;
    let rule = PoolingRule {
        minimum_matched: args.minimum_matched,
    };
    let bootstrap =
        |purpose: &str, draw: &dyn Fn(&mut SeededEntropy) -> Result<Bootstrap, DualSystemError>| {
            if args.replicates == 0 {
                return Ok(None);
            }
            match draw(&mut SeededEntropy::new(args.seed, purpose)) {
                Ok(bootstrap) => Ok(Some(Resampled::Drawn(bootstrap))),
                Err(error @ DualSystemError::BootstrapUnbounded { .. }) => Ok(Some(Resampled::Unbounded {
                    problem: error.to_string(),
                })),
                Err(error) => Err(error),
            }
        };
    let counts = problem.counts()?;
    let plain = counts.map(|counts| plain(counts, confidence)).transpose()?;
    let plain_bootstrap = match counts {
        None => None,
        Some(counts) => {
            let linked =
                LinkedCounts::try_new(counts.n1(), counts.n2(), counts.matched(), LinkageErrors::NONE)?;
            bootstrap("estimate plain", &|entropy| {
                parametric_bootstrap(&linked, args.replicates, confidence, entropy)
            })?
        }
    };
    let corrected = match problem.linked()? {
        None => None,
        Some(linked) => Some(Corrected {
            corrected: linked.corrected(confidence),
            parametric_bootstrap: bootstrap("estimate corrected", &|entropy| {
                parametric_bootstrap(&linked, args.replicates, confidence, entropy)
            })?,
            bootstrap_over_persons: match problem.persons()? {
                None => None,
                Some(persons) => bootstrap("estimate persons", &|entropy| {
                    bootstrap_over_persons(&persons, linked.errors(), args.replicates, confidence, entropy)
                })?,
            },
        }),
    };
    let incomplete = match problem.cells()? {
        None => None,
        Some(cells) => Some(Incomplete {
            estimate: cells.estimate(LoglinearTerms::MAXIMAL, confidence),
            bootstrap: bootstrap("estimate cells", &|entropy| {
                cells.bootstrap(LoglinearTerms::MAXIMAL, args.replicates, confidence, entropy)
            })?,
        }),
    };
    Ok(Report {
        confidence: confidence.to_level(),
        seed: args.seed,
        counts,
        from_links: problem.has_links_only(),
        estimates: plain.unwrap_or_default(),
        bootstrap: plain_bootstrap,
        linkage_error_corrected: corrected,
        stratified: problem
            .strata()?
            .map(|strata| stratified_chapman(&strata, rule, confidence))
            .transpose()?,
        stratified_linkage_error_corrected: match problem.linked_strata()? {
            None => None,
            Some(strata) => Some(StratifiedCorrected {
                corrected: stratified_corrected(&strata, rule, confidence)?,
                parametric_bootstrap: bootstrap("estimate strata", &|entropy| {
                    stratified_bootstrap(&strata, rule, args.replicates, confidence, entropy)
                })?,
            }),
        },
        trimmed: match problem.trimmed()?.zip(counts) {
            None => None,
            Some((trimming, counts)) => Some(trimmed(counts, trimming, confidence)?),
        },
        consistency: match problem.recapture()? {
            None => None,
            Some(matrix) => Some(matrix.consistency()?),
        },
        incomplete_covariates: incomplete,
        passes: problem
            .passes()?
            .map(|passes| links_of_passes(&passes))
            .transpose()?,
        notes: NOTES,
    })
}

fn plain(counts: DualCounts, confidence: Confidence) -> Result<Vec<PopulationEstimate>, DualSystemError> {
    Ok(vec![
        counts.petersen(confidence)?,
        counts.chapman(confidence)?,
        counts.bailey(confidence)?,
    ])
}
