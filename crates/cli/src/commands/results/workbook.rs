//! Flow tables as an Excel workbook, with a sheet of definitions and one of quality.

use corridor_engine::LinkageReport;
use corridor_flows::{DEFINITIONS, Export, FlowTerms, Provenance};
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, Worksheet, XlsxError};

use super::FlowResult;

/// The workbook's bytes: sheets flows, periods, lags, stays, durations, strata, definitions and quality. Counts and figures are numbers; what is
/// suppressed is the word. The same result gives the same bytes.
pub(crate) fn to_xlsx(result: &FlowResult, export: &Export<'_>) -> anyhow::Result<Vec<u8>> {
    let mut workbook = Workbook::new();
    // A workbook holds the day it was made, which is another for each office.
    let properties = DocProperties::new()
        .set_title("Reconciled migration flows")
        .set_creation_datetime(&ExcelDateTime::from_ymd(2000, 1, 1)?);
    workbook.set_properties(&properties);
    let bold = Format::new().set_bold();
    for (name, csv) in [
        ("flows", export.rows_to_csv()),
        ("periods", export.years_to_csv()),
        ("lags", export.lags_to_csv()),
        ("stays", export.stays_to_csv()),
        ("durations", export.durations_to_csv()),
        ("strata", export.strata_to_csv()),
    ] {
        let sheet = workbook.add_worksheet().set_name(name)?;
        write_table(sheet, &csv, &bold)?;
    }
    let sheet = workbook.add_worksheet().set_name("definitions")?;
    write_pairs(
        sheet,
        &definitions(&result.table.terms, &result.provenance),
        &bold,
    )?;
    let sheet = workbook.add_worksheet().set_name("quality")?;
    write_pairs(sheet, &quality(&result.report), &bold)?;
    Ok(workbook.save_to_buffer()?)
}

/// Columns after which a header is not frozen with the first ones.
const LABELS: u16 = 5;

fn write_table(sheet: &mut Worksheet, csv: &str, bold: &Format) -> anyhow::Result<()> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(csv.as_bytes());
    let mut header: Vec<String> = Vec::new();
    for (line, record) in reader.records().enumerate() {
        let record = record?;
        let row = u32::try_from(line)?;
        if line == 0 {
            header = record.iter().map(str::to_owned).collect();
        }
        for (position, value) in record.iter().enumerate() {
            let column = u16::try_from(position)?;
            let is_label = LABEL_COLUMNS.contains(&header[position].as_str());
            match value.parse::<f64>() {
                _ if line == 0 => sheet.write_string_with_format(row, column, value, bold)?,
                Ok(number) if !is_label => sheet.write_number(row, column, number)?,
                _ if value.is_empty() => sheet,
                _ => sheet.write_string(row, column, value)?,
            };
        }
    }
    sheet.set_freeze_panes(1, LABELS)?;
    for column in 0..u16::try_from(header.len())? {
        sheet.set_column_width(column, 14)?;
    }
    Ok(())
}

/// Columns that stay texts, whatever they look like: a country as 012, a year, a digest.
const LABEL_COLUMNS: [&str; 9] = [
    "origin",
    "destination",
    "year",
    "quarter",
    "days",
    "counts",
    "agreement",
    "run",
    "result",
];

fn write_pairs(sheet: &mut Worksheet, pairs: &[(String, String)], bold: &Format) -> Result<(), XlsxError> {
    for (row, (name, text)) in (0_u32..).zip(pairs) {
        sheet.write_string_with_format(row, 0, name, bold)?;
        sheet.write_string(row, 1, text)?;
    }
    sheet.set_column_width(0, 32)?;
    sheet.set_column_width(1, 120)?;
    Ok(())
}

fn definitions(terms: &FlowTerms, provenance: &Provenance) -> Vec<(String, String)> {
    let mut pairs = vec![
        ("corridor".to_owned(), terms.corridor.to_string()),
        (
            "reference period".to_owned(),
            format!("{} to {}", terms.period.first, terms.period.last),
        ),
        ("status".to_owned(), terms.status.as_str().to_owned()),
        ("definitions".to_owned(), terms.definition_reference()),
    ];
    let groups = terms.statistics.country_groups.0.iter().map(|group| {
        let countries: Vec<String> = group.countries.iter().map(ToString::to_string).collect();
        (format!("countries of {}", group.name), countries.join(", "))
    });
    pairs.extend(groups);
    pairs.extend(DEFINITIONS.map(|(name, text)| (name.to_owned(), text.to_owned())));
    let methods = terms.methods();
    pairs.extend(methods.map(|(name, text)| (format!("method: {name}"), text)));
    pairs.extend(provenance.entries().map(|(name, text)| (name.to_owned(), text)));
    pairs
}

fn quality(report: &LinkageReport) -> Vec<(String, String)> {
    let share =
        |share: Option<f64>| share.map_or_else(|| "not known".to_owned(), |share| format!("{share:.4}"));
    let mut pairs = vec![
        ("threshold".to_owned(), report.threshold.to_string()),
        ("threshold policy".to_owned(), report.threshold_policy.clone()),
        ("expected precision".to_owned(), share(report.expected_precision)),
        ("expected recall".to_owned(), share(report.expected_recall)),
        ("expected F1".to_owned(), share(report.expected_f1)),
    ];
    let interval = |low: f64, high: f64| format!("{low:.4} to {high:.4}");
    if let Some(estimators) = &report.estimators {
        pairs.extend([
            (
                "precision, 95 % interval".to_owned(),
                interval(estimators.precision_low, estimators.precision_high),
            ),
            (
                "recall, 95 % interval".to_owned(),
                interval(estimators.recall_low, estimators.recall_high),
            ),
            (
                "the two estimators agree".to_owned(),
                match estimators.agree {
                    Some(agree) => agree.to_string(),
                    None => "one had too few links to say anything".to_owned(),
                },
            ),
        ]);
    }
    if let Some(blocking) = &report.blocking {
        pairs.push(("compared in blocks".to_owned(), blocking.passes.join(", ")));
        if let Some((low, high)) = blocking.completeness_low.zip(blocking.completeness_high) {
            pairs.push((
                "partners in a block, 95 % interval".to_owned(),
                interval(low, high),
            ));
        }
    }
    if let Some(ambiguous) = report.ambiguous_links {
        pairs.push(("ambiguous links, about".to_owned(), ambiguous.to_string()));
    }
    if let Some(components) = report.greedy_components {
        pairs.push(("groups assigned greedily".to_owned(), components.to_string()));
    }
    for stratum in &report.strata {
        let group = format!("{} {}", stratum.variable, stratum.value);
        pairs.extend([
            (
                format!("precision of {group}, 95 % interval"),
                interval(stratum.precision_low, stratum.precision_high),
            ),
            (
                format!("recall of {group}, 95 % interval"),
                interval(stratum.recall_low, stratum.recall_high),
            ),
        ]);
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use calamine::{Data, DataType as _, Reader as _, Xlsx};
    use corridor_core::CountryCoding;
    use corridor_flows::PublishedTable;
    use std::io::Cursor;

    /// Tables of the bundled registers, as a rehearsal writes them.
    const FLOWS: &str = include_str!("../../../tests/data/flows.json");

    fn result() -> FlowResult {
        let document: serde_json::Value = serde_json::from_str(FLOWS).unwrap();
        FlowResult {
            table: serde_json::from_value::<PublishedTable>(document["table"].clone()).unwrap(),
            report: serde_json::from_value(document["linkage"].clone()).unwrap(),
            provenance: serde_json::from_value(document["provenance"].clone()).unwrap(),
        }
    }

    #[test]
    fn the_sheets_hold_what_the_csv_files_hold() {
        let result = result();
        let export = Export::try_new(&result.table, &result.provenance, CountryCoding::M49).unwrap();
        let bytes = to_xlsx(&result, &export).unwrap();
        assert_eq!(bytes, to_xlsx(&result, &export).unwrap(), "the same bytes");
        let mut workbook: Xlsx<_> = calamine::open_workbook_from_rs(Cursor::new(bytes)).unwrap();
        assert_eq!(
            workbook.sheet_names(),
            [
                "flows",
                "periods",
                "lags",
                "stays",
                "durations",
                "strata",
                "definitions",
                "quality"
            ]
        );
        for (name, csv) in [("flows", export.rows_to_csv()), ("stays", export.stays_to_csv())] {
            let sheet = workbook.worksheet_range(name).unwrap();
            let mut reader = csv::ReaderBuilder::new()
                .has_headers(false)
                .from_reader(csv.as_bytes());
            for (row, record) in reader.records().map(Result::unwrap).enumerate() {
                for (column, value) in record.iter().enumerate() {
                    let cell = sheet.get((row, column)).unwrap_or(&Data::Empty);
                    match cell.get_float() {
                        Some(number) => assert_eq!(value.parse::<f64>().ok(), Some(number)),
                        None => assert_eq!(value, cell.get_string().unwrap_or_default()),
                    }
                }
            }
        }
        let definitions = workbook.worksheet_range("definitions").unwrap();
        let names: Vec<String> = definitions.rows().map(|row| row[0].to_string()).collect();
        for name in ["definitions", "identity", "method: estimate", "agreement", "run"] {
            assert!(names.iter().any(|found| found == name), "{name}");
        }
        let quality = workbook.worksheet_range("quality").unwrap();
        assert!(
            quality
                .rows()
                .any(|row| row[0].get_string() == Some("recall, 95 % interval"))
        );
    }
}
