use clap::ValueEnum as _;
use corridor_flows::{
    AdjustmentFactors, Confidence, Disagreement, DurationConversion, EXPERT_WILLEKENS_2019, FactorPin,
    IMEM_2013, MIXTURE_WILLEKENS_2019, MirrorTable, NoRatio, OfficeFactor, OfficeRatio, Totals,
};
use serde::Serialize;

use crate::args::{DurationsArg, MirrorArgs};
use crate::commands::mirror::table::{Conversion, ConversionCounts};
use crate::output::{FileSet, data, json, talk, to_columns};

mod table;

/// What mirror.json holds.
#[derive(Debug, Serialize)]
struct Report {
    confidence: f64,
    durations: Durations,
    disagreement: Disagreement,
    /// Places that are no country, by the codes and names of countries that are known.
    not_countries: Vec<String>,
    reference: Vec<String>,
    ratios: Vec<OfficeRatio>,
    factors: Vec<FactorsOfYear>,
    method: Method,
}

#[derive(Debug, Serialize)]
struct Durations {
    converted_to_months: f64,
    by: String,
    #[serde(flatten)]
    counts: ConversionCounts,
}

impl Durations {
    /// What was done, for a column: nothing where the table says no other duration.
    fn to_text(&self) -> String {
        if self.counts.converted == 0 {
            return "as reported".to_owned();
        }
        format!("{} months, by {}", self.converted_to_months, self.by)
    }
}

/// Factors of a year, or of all years when `year` is `None`.
#[derive(Debug, Serialize)]
struct FactorsOfYear {
    year: Option<i16>,
    fitted: Option<AdjustmentFactors>,
    /// Why there are none.
    problem: Option<String>,
}

#[derive(Debug, Serialize)]
struct Method {
    disagreement: &'static str,
    ratios: &'static str,
    factors: &'static str,
}

const METHOD: Method = Method {
    disagreement: "median over flows that both sides report of the larger report over the smaller",
    ratios: "reported by the office over reported by the reference offices, over the flows that both report; interval \
             exp(ln U ± z·sqrt((1-p1)/x + (1-p2)/y)) with p the share of the office's total, 0 unless the table is complete",
    factors: "least squares on ln(I/E) = ln a(origin) - ln b(destination), one factor pinned to 1; a report that no \
              chain of flows ties to the pinned one is not identified and has none",
};

pub(crate) fn run(args: &MirrorArgs) -> anyhow::Result<()> {
    let conversion = Conversion {
        to_months: args.months,
        relation: relation(args)?,
    };
    let (table, counts) = table::read(&args.input, &conversion)?;
    let report = Report {
        confidence: args.confidence.to_level(),
        durations: Durations {
            converted_to_months: args.months,
            by: args.rate.map_or_else(
                || name_of(args.durations),
                |rate| format!("exponential, {rate} a year"),
            ),
            counts,
        },
        disagreement: table.disagreement(),
        not_countries: table::not_countries(&table),
        ratios: if args.reference.is_empty() {
            Vec::new()
        } else {
            let totals = if args.complete {
                Totals::InTable
            } else {
                Totals::Unknown
            };
            table.office_ratios(&args.reference, totals, args.confidence)?
        },
        reference: args.reference.clone(),
        factors: factors(&table, args, args.confidence)?,
        method: METHOD,
    };
    if let Some(out) = &args.out {
        let mut files = FileSet::new(out)?;
        files.add("ratios.csv", &ratios_csv(&report)?)?;
        files.add("factors.csv", &factors_csv(&report)?)?;
        files.add("mirror.json", &(serde_json::to_string_pretty(&report)? + "\n"))?;
        files.write_new()?;
        talk(&format!(
            "wrote ratios.csv, factors.csv and mirror.json to {}",
            out.display()
        ));
    }
    if args.json {
        return json(&report);
    }
    data(&to_page(&report))
}

fn name_of(durations: DurationsArg) -> String {
    durations
        .to_possible_value()
        .map_or_else(String::new, |value| value.get_name().to_owned())
}

fn relation(args: &MirrorArgs) -> anyhow::Result<DurationConversion> {
    Ok(match (args.rate, args.durations) {
        (Some(rate), _) => DurationConversion::exponential(rate)?,
        (None, DurationsArg::Expert2019) => DurationConversion::table(&EXPERT_WILLEKENS_2019)?,
        (None, DurationsArg::Imem2013) => DurationConversion::table(&IMEM_2013)?,
        (None, DurationsArg::Mixture2019) => DurationConversion::table(&MIXTURE_WILLEKENS_2019)?,
    })
}

/// Factors by year or of all, each with the same report pinned, so that they can be compared: the one given, or the immigration with the
/// most flows in all years together. A year in which it is in no flow that both sides report has none, and says why.
fn factors(
    table: &MirrorTable,
    args: &MirrorArgs,
    confidence: Confidence,
) -> anyhow::Result<Vec<FactorsOfYear>> {
    let given = args.pin.clone().map(|office| FactorPin {
        office,
        flow: args.pin_flow.into(),
    });
    let fit = |year, pin| table.adjustment_factors(year, pin, args.weighting.into(), confidence);
    let of_all = fit(None, given)?;
    if args.pooled {
        return Ok(vec![FactorsOfYear {
            year: None,
            fitted: Some(of_all),
            problem: None,
        }]);
    }
    let pin = of_all.pin;
    let by_year = table
        .years()
        .into_iter()
        .map(|year| {
            let (fitted, problem) = match fit(Some(year), Some(pin.clone())) {
                Ok(fitted) => (Some(fitted), None),
                Err(problem) => (None, Some(problem.to_string())),
            };
            FactorsOfYear {
                year: Some(year),
                fitted,
                problem,
            }
        })
        .collect();
    Ok(by_year)
}

fn ratios_csv(report: &Report) -> anyhow::Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record([
        "office",
        "flow",
        "year",
        "cells",
        "reported",
        "reported_by_reference",
        "ratio",
        "low",
        "high",
        "estimated",
        "rule_unknown",
        "no_ratio",
        "reference",
        "confidence",
        "durations",
        "method",
    ])?;
    for row in &report.ratios {
        let figure = |of: fn(&corridor_flows::BilateralRatio) -> f64| {
            row.ratio
                .as_ref()
                .map_or_else(String::new, |ratio| of(ratio).to_string())
        };
        writer.write_record([
            row.office.clone(),
            row.flow.as_str().to_owned(),
            row.year.to_string(),
            row.cells.to_string(),
            row.reported.to_string(),
            row.reported_by_reference.to_string(),
            figure(|ratio| ratio.ratio),
            figure(|ratio| ratio.interval.low),
            figure(|ratio| ratio.interval.high),
            row.estimated.to_string(),
            row.rule_unknown.to_string(),
            row.no_ratio.map_or("", NoRatio::as_str).to_owned(),
            report.reference.join(" "),
            report.confidence.to_string(),
            report.durations.to_text(),
            report.method.ratios.to_owned(),
        ])?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

fn factors_csv(report: &Report) -> anyhow::Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record([
        "year",
        "office",
        "flow",
        "status",
        "factor",
        "low",
        "high",
        "component",
        "cells",
        "estimated",
        "rule_unknown",
        "problem",
        "confidence",
        "durations",
        "method",
    ])?;
    let made_by = [
        report.confidence.to_string(),
        report.durations.to_text(),
        report.method.factors.to_owned(),
    ];
    for of_year in &report.factors {
        let year = of_year
            .year
            .map_or_else(|| "all".to_owned(), |year| year.to_string());
        for factor in of_year.fitted.iter().flat_map(|fitted| &fitted.factors) {
            let pinned = of_year
                .fitted
                .as_ref()
                .is_some_and(|fitted| fitted.pin.office == factor.office && fitted.pin.flow == factor.flow);
            let status = match (pinned, factor.factor) {
                (true, _) => "pinned",
                (false, Some(_)) => "identified",
                (false, None) => "unidentified",
            };
            let text = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
            let figures = [
                year.clone(),
                factor.office.clone(),
                factor.flow.as_str().to_owned(),
                status.to_owned(),
                text(factor.factor),
                text(factor.interval.map(|interval| interval.low)),
                text(factor.interval.map(|interval| interval.high)),
                factor.component.to_string(),
                factor.cells.to_string(),
                factor.estimated.to_string(),
                factor.rule_unknown.to_string(),
                String::new(),
            ];
            writer.write_record(figures.iter().chain(&made_by))?;
        }
        if let Some(problem) = &of_year.problem {
            let blank = || String::new();
            let mut line = vec![year, blank(), blank(), "none".to_owned()];
            line.extend((0..7).map(|_| blank()));
            line.push(problem.clone());
            writer.write_record(line.iter().chain(&made_by))?;
        }
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

fn to_page(report: &Report) -> String {
    let disagreement = &report.disagreement;
    let mut page = format!(
        "{} flows, {} reported by both sides, {} of them with a number above 0 on both\n",
        disagreement.cells, disagreement.reported_by_both, disagreement.compared
    );
    if let Some(median) = disagreement.median_factor {
        page += &format!("the two reports of a flow differ by a factor of {median:.2} (median)\n");
    }
    if !report.not_countries.is_empty() {
        page += &format!(
            "no countries, by any code that is known, and taken as they are written: {}\n",
            report.not_countries.join(", ")
        );
    }
    let durations = &report.durations;
    if durations.counts.converted > 0 || durations.counts.without_duration > 0 {
        page += &format!(
            "{} reports converted to a minimum stay of {} months ({}), {} left as they are for want of a duration\n",
            durations.counts.converted,
            durations.converted_to_months,
            durations.by,
            durations.counts.without_duration
        );
    }
    let ratios: Vec<Vec<String>> = report.ratios.iter().map(ratio_row).collect();
    if !report.reference.is_empty() {
        page += &format!("\nagainst {}\n", report.reference.join(", "));
        page += &to_columns(
            &[
                "office",
                "flow",
                "year",
                "reported",
                "by reference",
                "ratio",
                "interval",
                "",
            ],
            &ratios,
        );
    }
    for of_year in &report.factors {
        let year = of_year
            .year
            .map_or_else(|| "all years".to_owned(), |year| year.to_string());
        match (&of_year.fitted, &of_year.problem) {
            (Some(fitted), _) => page += &factors_part(&year, fitted),
            (None, problem) => {
                page += &format!(
                    "\nfactors, {year}: none; {}\n",
                    problem.as_deref().unwrap_or_default()
                );
            }
        }
    }
    page
}

fn ratio_row(row: &OfficeRatio) -> Vec<String> {
    let remark = match (row.no_ratio, row.estimated, row.rule_unknown) {
        (Some(NoRatio::NotReportedByBoth), ..) => "no flow that both report",
        (Some(NoRatio::Zero), ..) => "no ratio with 0",
        (None, true, true) => "estimated; duration unknown of some",
        (None, true, false) => "estimated",
        (None, false, true) => "duration unknown of some",
        (None, false, false) => "",
    };
    vec![
        row.office.clone(),
        row.flow.as_str().to_owned(),
        row.year.to_string(),
        format!("{:.0}", row.reported),
        format!("{:.0}", row.reported_by_reference),
        row.ratio
            .map_or_else(String::new, |ratio| format!("{:.3}", ratio.ratio)),
        row.ratio.map_or_else(String::new, |ratio| {
            format!("{:.3} – {:.3}", ratio.interval.low, ratio.interval.high)
        }),
        remark.to_owned(),
    ]
}

/// In how many flows a report of another duration was converted, or one of a duration that is not known taken as it is.
fn remark_of(factor: &OfficeFactor) -> String {
    let parts = [
        (factor.estimated, "estimated"),
        (factor.rule_unknown, "duration unknown"),
    ];
    let told = parts.iter().filter(|(flows, _)| *flows > 0);
    told.map(|(flows, what)| format!("{what} in {flows}"))
        .collect::<Vec<_>>()
        .join("; ")
}

fn factors_part(year: &str, fitted: &AdjustmentFactors) -> String {
    let mut part = format!(
        "\nfactors, {year}: {} of {} is 1, {} flows\n",
        fitted.pin.flow.as_str(),
        fitted.pin.office,
        fitted.cells_used
    );
    let rows: Vec<Vec<String>> = fitted
        .factors
        .iter()
        .filter(|factor| factor.cells > 0)
        .map(|factor| {
            vec![
                factor.office.clone(),
                factor.flow.as_str().to_owned(),
                factor
                    .factor
                    .map_or_else(|| "not identified".to_owned(), |factor| format!("{factor:.3}")),
                factor.interval.map_or_else(String::new, |interval| {
                    format!("{:.3} – {:.3}", interval.low, interval.high)
                }),
                factor.cells.to_string(),
                remark_of(factor),
            ]
        })
        .collect();
    part += &to_columns(&["office", "flow", "factor", "interval", "flows", ""], &rows);
    let alone: Vec<String> = fitted
        .factors
        .iter()
        .filter(|factor| factor.cells == 0)
        .map(|factor| format!("{} of {}", factor.flow.as_str(), factor.office))
        .collect();
    if !alone.is_empty() {
        part += &format!(
            "not identified, for no flow is reported by both sides above 0: {}\n",
            alone.join(", ")
        );
    }
    let tied = fitted
        .components
        .iter()
        .filter(|component| !component.identified && component.cells > 0);
    for component in tied {
        part += &format!(
            "{} reports with {} flows among them (component {}) are tied to the pinned one by no flow\n",
            component.reports, component.cells, component.component
        );
    }
    part
}
