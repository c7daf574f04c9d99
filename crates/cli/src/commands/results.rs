use std::path::Path;

use anyhow::bail;
use corridor_core::{CountryCoding, Digest};
use corridor_engine::{
    BlockingReport, FieldEvidence, FieldReport, LinkageReport, StratumReport, count_in_words, result_digest,
};
use corridor_flows::{DEFINITIONS, Export, Language, Provenance, PublishedTable};
use serde::Deserialize;

use crate::args::FormatArg;
use crate::client::Client;
use crate::commands::pictures::{Drawn, PICTURES_FOLDER, add_pictures, standing_pictures};
use crate::failure::input_error;
use crate::output::{FileSet, read_text, to_columns};

mod page;
mod workbook;

pub(crate) use page::to_page;
pub(crate) use workbook::to_xlsx;

/// Every file a rehearsal or a demonstration may write, besides pictures.
const RESULT_FILES: [&str; 12] = [
    "attack.json",
    "links.csv",
    "moves.csv",
    "report.json",
    "quality.json",
    "flows.csv",
    "years.csv",
    "lags.csv",
    "stays.csv",
    "durations.csv",
    "strata.csv",
    "flows.json",
];

/// A flow table with all that says how it came about.
#[derive(Debug)]
pub(crate) struct FlowResult {
    pub(crate) table: PublishedTable,
    pub(crate) report: LinkageReport,
    pub(crate) provenance: Provenance,
}

/// Version of the JSON document.
const DOCUMENT_VERSION: u32 = 2;

/// The JSON document, as far as it is read back.
#[derive(Deserialize)]
struct Document {
    version: u32,
    provenance: Provenance,
    linkage: LinkageReport,
    table: PublishedTable,
}

impl FlowResult {
    /// Gets the released table of a run.
    pub(crate) async fn fetch(client: &Client, run: Digest) -> anyhow::Result<Self> {
        let status = client.run(run).await?;
        let (table, report, result) = client.flow_table(run).await?;
        // What was signed for release is what has come.
        if result_digest(&table, &report) != result || status.result != Some(result) {
            bail!("the result that came is not the one both offices released; do not use it");
        }
        Ok(Self {
            table,
            report,
            provenance: Provenance {
                agreement: Some(status.agreement),
                run: Some(run),
                result: Some(result),
            },
        })
    }

    /// Reads what [`FlowResult::to_document`] gave.
    pub(crate) fn load(path: &Path) -> anyhow::Result<Self> {
        let document: Document = serde_json::from_str(&read_text(path)?).map_err(|error| {
            input_error(
                format!("{} is no flows.json of this program: {error}", path.display()),
                "give one that corridor flows export, rehearse or demo wrote",
            )
        })?;
        if document.version != DOCUMENT_VERSION {
            return Err(input_error(
                format!("{} is of version {}", path.display(), document.version),
                format!("this program reads version {DOCUMENT_VERSION}; export the run again"),
            ));
        }
        let Document {
            provenance,
            linkage: report,
            table,
            ..
        } = document;
        let altered = |problem: String| {
            input_error(
                format!("{}: {problem}", path.display()),
                "give it as corridor flows export, rehearse or demo wrote it",
            )
        };
        table.validate().map_err(|problem| altered(problem.to_owned()))?;
        let digests = [provenance.agreement, provenance.run, provenance.result];
        if digests.iter().any(Option::is_some) && digests.iter().any(Option::is_none) {
            return Err(altered(
                "it names not all of its agreement, run and result".to_owned(),
            ));
        }
        match provenance.result {
            // What both offices released stands, whichever version of this program made it.
            Some(result) if result_digest(&table, &report) != result => {
                return Err(altered("it is not the result its digest names".to_owned()));
            }
            Some(_) => {}
            None => {
                let is_made_of_it =
                    table.estimates_fit() && table.is_corrected_by(&|group| report.quality_of(group));
                if !is_made_of_it {
                    return Err(altered(
                        "a figure is not that of its counts and links, or was made by another version of this program".to_owned(),
                    ));
                }
            }
        }
        Ok(Self {
            table,
            report,
            provenance,
        })
    }

    /// The JSON document: provenance, method and definitions beside the figures.
    pub(crate) fn to_document(&self) -> serde_json::Value {
        serde_json::json!({
            "version": DOCUMENT_VERSION,
            "provenance": self.provenance,
            "linkage": self.report,
            "method": to_map(self.table.terms.methods()),
            "definitions": to_map(DEFINITIONS),
            "table": self.table,
        })
    }
}

/// Adds flows.csv, years.csv, lags.csv, stays.csv, durations.csv, strata.csv and flows.json.
pub(crate) fn add_flows(files: &mut FileSet, result: &FlowResult) -> anyhow::Result<()> {
    let export = Export::try_new(&result.table, &result.provenance, CountryCoding::Iso)?;
    add_csv(files, &export)?;
    add_json(files, result)
}

/// Adds flows.csv, years.csv, lags.csv, stays.csv, durations.csv and strata.csv.
pub(crate) fn add_csv(files: &mut FileSet, export: &Export<'_>) -> anyhow::Result<()> {
    files.add("flows.csv", &export.rows_to_csv())?;
    files.add("years.csv", &export.years_to_csv())?;
    files.add("lags.csv", &export.lags_to_csv())?;
    files.add("stays.csv", &export.stays_to_csv())?;
    files.add("durations.csv", &export.durations_to_csv())?;
    files.add("strata.csv", &export.strata_to_csv())
}

/// Adds flows.json.
pub(crate) fn add_json(files: &mut FileSet, result: &FlowResult) -> anyhow::Result<()> {
    files.add(
        "flows.json",
        &(serde_json::to_string_pretty(&result.to_document())? + "\n"),
    )
}

fn to_map<T: Into<String>>(entries: impl IntoIterator<Item = (&'static str, T)>) -> serde_json::Value {
    let entries = entries
        .into_iter()
        .map(|(name, text)| (name.to_owned(), serde_json::Value::String(text.into())));
    serde_json::Value::Object(entries.collect())
}

/// Adds the pictures of the table: those quickly made, in English and as SVG. The others are made by `corridor flows plot`.
pub(crate) fn add_few_pictures(files: &mut FileSet, result: &FlowResult) -> anyhow::Result<()> {
    let drawn = Drawn {
        languages: &[Language::English],
        format: FormatArg::Svg,
        below: PICTURES_FOLDER,
    };
    // Which there are is no news here: who wants one that is missing asks for it by name.
    add_pictures(files, &result.table, &result.provenance, drawn).map(drop)
}

/// Gives files their names, in place of what an earlier rehearsal or demonstration wrote.
pub(crate) fn replace_results(files: FileSet) -> anyhow::Result<()> {
    let mut known = RESULT_FILES.map(str::to_owned).to_vec();
    known.extend(standing_pictures(files.folder()));
    files.replace(&known)
}

/// What was compared in blocks, and what that cost, in words.
pub(crate) fn to_blocking_lines(blocking: &BlockingReport) -> String {
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let found = match (
        blocking.completeness,
        blocking.completeness_low,
        blocking.completeness_high,
    ) {
        (Some(share), Some(low), Some(high)) => format!(
            "of {} records compared with all others, {} of the partners at or above the threshold are in a block with \
             them (95 % interval {} to {})",
            blocking.records_sampled,
            percent(share),
            percent(low),
            percent(high)
        ),
        _ => "too few records have a partner to measure what the blocks miss".to_owned(),
    };
    let mut passes = blocking.passes.clone();
    passes.extend(blocking.lsh.as_ref().map(|lsh| {
        if lsh.key_bits == 0 {
            return "all pairs: no keys of bits would have saved work".to_owned();
        }
        let many = |count: u64, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        format!(
            "{} of keys of {}, made to find {} of the pairs at {}",
            many(lsh.tables, "table"),
            many(lsh.key_bits, "bit"),
            lsh.recall,
            lsh.threshold
        )
    }));
    let different = blocking.distinct_pairs.map_or_else(String::new, |pairs| {
        format!(" (about {} different)", count_in_words(pairs))
    });
    let largest = match (blocking.largest_block_origin, blocking.largest_block_destination) {
        (Some(origin), Some(destination)) => {
            format!(
                "\n  the largest block has {origin} records of the origin and {destination} of the destination"
            )
        }
        _ => String::new(),
    };
    format!(
        "compared in blocks ({}): {} pairs{different}, {:.4} % of all; {} and {} records are in none and were compared with nobody\n  \
         {found}{largest}",
        passes.join(", "),
        blocking.pairs_compared,
        100.0 * (1.0 - blocking.reduction_ratio),
        blocking.origin_in_none,
        blocking.destination_in_none,
    )
}

/// What each field said, in words: its waterfall among the strongest, the middle and the weakest links.
pub(crate) fn to_field_lines(report: &FieldReport) -> String {
    let mut lines = format!(
        "fields decided, by a match weight of {:.1} bits and more; by the model alone, precision {} and recall {}",
        report.weight_at_threshold,
        to_share(report.expected_precision),
        to_share(report.expected_recall)
    );
    if !report.starts_agree {
        lines +=
            "\ncaution: the fields do not say one thing: two starts of the model end apart; see report.json";
    }
    let to_row = |field: &FieldEvidence| {
        let bits = |tenth: usize| {
            let bits = field.bits_by_tenth.get(tenth);
            bits.map_or_else(|| "too few".to_owned(), |bits| format!("{bits:+.1} bits"))
        };
        let missing = format!("{:.1} %", 100.0 * field.missing);
        vec![field.name.clone(), missing, bits(0), bits(5), bits(9)]
    };
    let rows: Vec<Vec<String>> = report.fields.iter().map(to_row).collect();
    let header = ["field", "missing", "strongest tenth", "middle", "weakest tenth"];
    lines + "\n" + to_columns(&header, &rows).trim_end()
}

/// What is expected of the links among whom, in words.
pub(crate) fn to_strata_lines(strata: &[StratumReport]) -> String {
    let rows: Vec<Vec<String>> = strata
        .iter()
        .map(|stratum| {
            let with_interval =
                |share: f64, low: f64, high: f64| format!("{share:.3} ({low:.3} – {high:.3})");
            vec![
                format!("{} {}", stratum.variable, stratum.value),
                with_interval(stratum.precision, stratum.precision_low, stratum.precision_high),
                with_interval(stratum.recall, stratum.recall_low, stratum.recall_high),
            ]
        })
        .collect();
    let header = ["expected among", "precision (95 %)", "recall (95 %)"];
    to_columns(&header, &rows).trim_end().to_owned()
}

fn to_share(share: Option<f64>) -> String {
    share.map_or_else(|| "not known".to_owned(), |share| format!("{share:.4}"))
}
