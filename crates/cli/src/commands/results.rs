use std::fmt::Write as _;

use anyhow::bail;

use corridor_core::{Corridor, Digest, Sex};
use corridor_engine::{
    BlockingReport, FieldEvidence, FieldReport, LinkageReport, StratumReport, result_digest,
};
use corridor_flows::{FlowRow, PublishedTable, YearRow};
use serde::Serialize;

use crate::client::Client;
use crate::commands::carried;
use crate::output::{FileSet, to_columns};

/// Every file a rehearsal or a demonstration may write.
pub(crate) const RESULT_FILES: [&str; 9] = [
    "attack.json",
    "links.csv",
    "moves.csv",
    "report.json",
    "quality.json",
    "flows.csv",
    "years.csv",
    "corrected.csv",
    "flows.json",
];

/// A flow table with all that says how it came about.
#[derive(Debug)]
pub(crate) struct FlowResult {
    pub(crate) table: PublishedTable,
    pub(crate) report: LinkageReport,
    pub(crate) provenance: Provenance,
}

/// Where a table comes from.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Provenance {
    /// The agreement's digest; `None` in a rehearsal, which has none.
    pub(crate) agreement: Option<Digest>,
    /// The run's id; `None` in a rehearsal.
    pub(crate) run: Option<Digest>,
    /// Digest of what both offices released; `None` in a rehearsal.
    pub(crate) result: Option<Digest>,
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

    /// The JSON document: provenance, method and definitions beside the figures.
    pub(crate) fn to_document(&self) -> serde_json::Value {
        serde_json::json!({
            "provenance": self.provenance,
            "linkage": self.report,
            "method": {
                "estimate": "Chapman 1951; variance Seber 1970; 95 % log-normal interval after Chao 1987; \
                             links as they are: see linkage_error; if being in one list makes being in the other \
                             likelier, it is too low: see the two figures under dependence",
                "suppression": "a row with a count above 0 and below the agreed minimum is suppressed whole, and \
                                further rows with it, so that no suppressed count can be derived",
            },
            "definitions": {
                "emigrations": "in the table: reported by the origin's office, a matched move in the year, sex and age \
                                band the destination gives it, so that it counts once; a move whose arrival is outside \
                                the period is in no row. In years: in the origin's own year",
                "immigrations": "reported by the destination's office",
                "matched": "moves both offices report",
                "only_origin": "moves the origin's office alone reports for this corridor",
                "only_destination": "moves the destination's office alone reports for this corridor",
                "coverage_origin": "matched / immigrations",
                "coverage_destination": "matched / emigrations",
                "years": "each office's own count of its year, and why they differ: immigrations - emigrations = \
                          (timing_destination - timing_origin) + (partner_destination - partner_origin) + \
                          (unmatched_destination - unmatched_origin)",
            },
            "table": self.table,
            "linkage_error": {
                "method": "m = matched * precision / recall; N = E * I / m, variance by the delta method (Ding & Fienberg \
                           1994; Di Consiglio & Tuoto 2015; de Wolf, van der Laan & Zult 2019), 95 % log-normal interval; \
                           precision and recall in the middle of their intervals, recall times what blocks let meet; rows \
                           whose counts are too small for it, and all rows under a given threshold, have none",
                "rows": carried::carry(&self.table, &self.report),
            },
        })
    }
}

/// Adds flows.csv, years.csv, corrected.csv and flows.json.
pub(crate) fn add_flows(files: &mut FileSet, result: &FlowResult) -> anyhow::Result<()> {
    files.add("flows.csv", &result.table.rows_to_csv())?;
    files.add("years.csv", &result.table.years_to_csv())?;
    let corrected = carried::carry(&result.table, &result.report);
    files.add("corrected.csv", &carried::to_csv(&corrected)?)?;
    files.add(
        "flows.json",
        &(serde_json::to_string_pretty(&result.to_document())? + "\n"),
    )
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
    format!(
        "compared in blocks ({}): {} pairs, {:.4} % of all; {} and {} records are in none and were compared with nobody\n  \
         {found}",
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

/// The table as a page, and what becomes of it without linkage error.
pub(crate) fn to_page(result: &FlowResult) -> String {
    let table = &result.table;
    let mut corridors: Vec<Corridor> = Vec::new();
    for row in &table.rows {
        if !corridors.contains(&row.corridor) {
            corridors.push(row.corridor);
        }
    }
    let mut page = String::new();
    for corridor in corridors {
        let (origin, destination) = (corridor.origin().0, corridor.destination().0);
        writeln!(page, "{origin} → {destination}: moves by year, sex and age").expect("writing to a String");
        let rows: Vec<Vec<String>> = table
            .rows
            .iter()
            .filter(|row| row.corridor == corridor)
            .map(to_cells)
            .collect();
        let header = [
            "group",
            "E",
            "I",
            "matched",
            "only orig.",
            "only dest.",
            "cov. orig.",
            "cov. dest.",
            "estimate",
            "95 % interval",
        ];
        page += &to_columns(&header, &rows);
        let years: Vec<Vec<String>> = table
            .years
            .iter()
            .filter(|row| row.corridor == corridor)
            .map(|row| {
                let counts = row
                    .counts()
                    .map(|count| count.map_or_else(|| "··".to_owned(), |c| c.to_string()));
                std::iter::once(row.year.to_string()).chain(counts).collect()
            })
            .collect();
        let header = [
            "year",
            "E",
            "I",
            "agree",
            "timing E",
            "timing I",
            "partner E",
            "partner I",
            "unmatched E",
            "unmatched I",
        ];
        const { assert!(YearRow::COLUMNS.len() == 9, "one heading a column") };
        writeln!(
            page,
            "\n{origin} → {destination}: why each office's own count of a year differs"
        )
        .expect("writing to a String");
        page += &to_columns(&header, &years);
        page.push('\n');
    }
    page += "··  suppressed. E: emigrations reported by the origin; in the table by sex and age, a matched one where the\n\
             destination has it, so that it counts once. I: immigrations reported by the destination.\n\
             cov.: share of the other list's moves that this list has. estimate: moves in truth (Chapman), if the two\n\
             lists are independent and every link is taken at its word.\n\n";
    page + &carried::to_page(&carried::carry(table, &result.report))
}

fn to_cells(row: &FlowRow) -> Vec<String> {
    let group = match (row.year, row.sex, &row.age_band) {
        (None, ..) => "all years".to_owned(),
        (Some(year), None, _) => year.to_string(),
        (Some(_), Some(sex), None) => format!("  {}", to_word(sex)),
        (Some(_), Some(_), Some(band)) => format!("    {band}"),
    };
    let mut cells = vec![group];
    if row.counts.is_none() {
        cells.extend(std::iter::repeat_n("··".to_owned(), 9));
        return cells;
    }
    cells.extend(
        row.count_values()
            .map(|count| count.map_or_else(String::new, |c| c.to_string())),
    );
    match &row.estimate {
        Some(estimate) => cells.extend([
            format!("{:.1} %", 100.0 * estimate.coverage_origin),
            format!("{:.1} %", 100.0 * estimate.coverage_destination),
            format!("{:.0}", estimate.point),
            format!("{:.0} – {:.0}", estimate.low, estimate.high),
        ]),
        None => cells.extend(std::iter::repeat_n("–".to_owned(), 4)),
    }
    cells
}

const fn to_word(sex: Sex) -> &'static str {
    match sex {
        Sex::Female => "women",
        Sex::Male => "men",
        Sex::Unknown => "sex not known",
    }
}
