//! The figures of a flow table with linkage error taken out.

use corridor_engine::{LinkageReport, StratumReport};
use corridor_flows::{CarriedError, FlowRow, Interval, LinkQuality, PublishedTable, carry_linkage_error};
use serde::Serialize;

use crate::output::to_columns;

/// A row of the table, and what becomes of it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct CarriedRow {
    pub(crate) corridor: String,
    pub(crate) year: Option<i16>,
    pub(crate) sex: Option<String>,
    pub(crate) age_band: Option<String>,
    /// The quality of links that was taken: that of the row's age band or sex where it is told, else that of all.
    pub(crate) quality_of: String,
    pub(crate) quality: LinkQuality,
    pub(crate) figures: CarriedError,
}

/// Every row that is shown and can be corrected, in the order of the table. None under a given threshold, under which nothing is
/// known of the quality of links.
///
/// Made of published figures only, and so tells nothing that these do not.
pub(crate) fn carry(table: &PublishedTable, report: &LinkageReport) -> Vec<CarriedRow> {
    let rows = table.rows.iter();
    rows.filter_map(|row| {
        let (quality_of, quality) = quality_of(row, report)?;
        let figures = carry_linkage_error(row.counts.as_ref()?, &quality).ok()?;
        Some(CarriedRow {
            corridor: row.corridor.to_string(),
            year: row.year,
            sex: row.sex.map(|sex| sex.as_str().to_owned()),
            age_band: row.age_band.clone(),
            quality_of,
            quality,
            figures,
        })
    })
    .collect()
}

fn quality_of(row: &FlowRow, report: &LinkageReport) -> Option<(String, LinkQuality)> {
    let told = |variable: &str, value: &str| {
        let is_it = |stratum: &&StratumReport| stratum.variable == variable && stratum.value == value;
        report.strata.iter().find(is_it)
    };
    let by_age = row.age_band.as_deref().and_then(|band| told("age_band", band));
    let stratum = by_age.or_else(|| row.sex.and_then(|sex| told("sex", sex.as_str())));
    let (name, precision, recall) = match stratum {
        Some(stratum) => (
            format!("{} {}", stratum.variable, stratum.value),
            (stratum.precision_low, stratum.precision_high),
            (stratum.recall_low, stratum.recall_high),
        ),
        None => {
            let all = report.estimators.as_ref()?;
            (
                "all".to_owned(),
                (all.precision_low, all.precision_high),
                (all.recall_low, all.recall_high),
            )
        }
    };
    // What blocks let meet is a part of what could be found at all.
    let meeting = report.blocking.as_ref().and_then(|blocking| {
        let ends = blocking.completeness_low.zip(blocking.completeness_high);
        ends.filter(|(low, _)| *low > 0.0)
    });
    let (meeting_low, meeting_high) = meeting.unwrap_or((1.0, 1.0));
    let quality = LinkQuality {
        precision: Interval {
            low: precision.0,
            high: precision.1,
        },
        recall: Interval {
            low: recall.0 * meeting_low,
            high: recall.1 * meeting_high,
        },
    };
    Some((name, quality))
}

/// The rows as CSV.
pub(crate) fn to_csv(rows: &[CarriedRow]) -> anyhow::Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record([
        "corridor",
        "year",
        "sex",
        "age_band",
        "quality_of",
        "precision_low",
        "precision_high",
        "recall_low",
        "recall_high",
        "matched",
        "matched_corrected",
        "naive",
        "estimate",
        "low",
        "high",
        "coverage_origin",
        "coverage_destination",
    ])?;
    for row in rows {
        let all = || corridor_flows::ALL.to_owned();
        let share = |share: f64| format!("{share:.4}");
        let moves = |moves: f64| format!("{moves:.1}");
        let figures = &row.figures;
        writer.write_record([
            row.corridor.clone(),
            row.year.map_or_else(all, |year| year.to_string()),
            row.sex.clone().unwrap_or_else(all),
            row.age_band.clone().unwrap_or_else(all),
            row.quality_of.clone(),
            share(row.quality.precision.low),
            share(row.quality.precision.high),
            share(row.quality.recall.low),
            share(row.quality.recall.high),
            figures.matched.to_string(),
            moves(figures.matched_corrected),
            moves(figures.naive),
            moves(figures.estimate),
            moves(figures.interval.low),
            moves(figures.interval.high),
            share(figures.coverage_origin),
            share(figures.coverage_destination),
        ])?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

/// The rows of all years and of each year, as a page; why there are none, where there are none.
pub(crate) fn to_page(rows: &[CarriedRow]) -> String {
    let cells: Vec<Vec<String>> = rows
        .iter()
        .filter(|row| row.sex.is_none())
        .map(|row| {
            let figures = &row.figures;
            vec![
                row.corridor.clone(),
                row.year
                    .map_or_else(|| "all years".to_owned(), |year| year.to_string()),
                figures.matched.to_string(),
                format!("{:.0}", figures.matched_corrected),
                format!("{:.0}", figures.naive),
                format!("{:.0}", figures.estimate),
                format!("{:.0} – {:.0}", figures.interval.low, figures.interval.high),
            ]
        })
        .collect();
    if cells.is_empty() {
        return "not corrected for linkage error: the threshold was given, or the counts are too small for what is known of \
                the links\n"
            .to_owned();
    }
    let header = [
        "",
        "",
        "matched",
        "corrected",
        "naive",
        "estimate",
        "95 % interval",
    ];
    format!(
        "With expected false links taken out and missed ones put in:\n{}",
        to_columns(&header, &cells)
    )
}
