use std::fmt::Write as _;

use corridor_encode::{FieldInspection, Inspection, Mapping, ReadReport, inspect};

use crate::args::InspectArgs;
use crate::failure::input_error;
use crate::output::{data, json, to_columns};

pub(crate) fn run(args: &InspectArgs) -> anyhow::Result<()> {
    let mapping = Mapping::load(&args.mapping)?;
    let inspection = inspect(&args.input, &mapping)?;
    if args.json {
        json(&inspection)?;
    } else {
        data(&to_page(&inspection))?;
    }
    let read = &inspection.read;
    if read.rows_refused == read.rows_read {
        return Err(input_error(
            format!("no row of {} can be used", read.rows_read),
            "the codes or the order of dates in the mapping may be wrong: the page above says on which lines",
        ));
    }
    Ok(())
}

/// The problems of a report, a line each.
pub(crate) fn to_problem_lines(report: &ReadReport) -> String {
    let mut page = String::new();
    for (problem, occurrences) in &report.problems {
        let lines: Vec<String> = occurrences.first_lines.iter().map(u64::to_string).collect();
        let column = occurrences
            .column
            .as_ref()
            .map_or_else(String::new, |column| format!(", column {column:?}"));
        let what = if problem.refuses_row() { "refused" } else { "kept" };
        writeln!(
            page,
            "  {} rows {what}: {} (first on line {}{column})",
            occurrences.count,
            problem.as_str(),
            lines.join(", ")
        )
        .expect("writing to a String");
    }
    page
}

fn to_page(inspection: &Inspection) -> String {
    let read = &inspection.read;
    let mut page = format!("{} rows read, {} refused\n", read.rows_read, read.rows_refused);
    page += &to_problem_lines(read);
    page.push('\n');
    page += &to_field_table(&inspection.fields);
    page += &to_implausible_lines(&inspection.fields);
    page += &to_birth_lines(inspection);
    page += &to_text_lines(&inspection.fields);
    page += &to_move_table(inspection);
    page
}

fn to_field_table(fields: &[FieldInspection]) -> String {
    let count_or_dot = |count: u64| {
        if count == 0 {
            ".".to_owned()
        } else {
            count.to_string()
        }
    };
    let rows: Vec<Vec<String>> = fields
        .iter()
        .map(|field| {
            let implausible: u64 = field.implausible.values().map(|found| found.count).sum();
            let about = if field.distinct_is_estimate { "~" } else { "" };
            vec![
                field.field.to_owned(),
                field.filled.to_string(),
                percent(field.filled_share),
                format!("{about}{}", field.distinct),
                count_or_dot(implausible),
                count_or_dot(field.defaulted),
            ]
        })
        .collect();
    to_columns(
        &[
            "field",
            "filled",
            "share",
            "different",
            "implausible",
            "defaulted",
        ],
        &rows,
    )
}

/// Values that are hard to believe, a line each.
fn to_implausible_lines(fields: &[FieldInspection]) -> String {
    let mut page = String::new();
    for field in fields {
        for (problem, found) in &field.implausible {
            let lines: Vec<String> = found.first_lines.iter().map(u64::to_string).collect();
            writeln!(
                page,
                "  {}: {} with {} (first on line {})",
                field.field,
                found.count,
                problem.as_str(),
                lines.join(", ")
            )
            .expect("writing to a String");
        }
    }
    if page.is_empty() {
        page
    } else {
        format!("\nhard to believe, and used all the same:\n{page}")
    }
}

fn to_birth_lines(inspection: &Inspection) -> String {
    let (Some(first), Some(days)) = (&inspection.first_of_january, &inspection.birth_days) else {
        return String::new();
    };
    let (first_of_month, fifteenth) = (&days.first_of_month, &days.fifteenth_of_month);
    format!(
        "\n{} birth dates on 1 January: {}, {:.0} times an ordinary day; only their year is used\n\
         on the first of a month {}, on the 15th {} (each {} if all days were alike); in the most frequent year {}\n",
        first.count,
        percent(first.share),
        first.times_uniform,
        percent(first_of_month.share),
        percent(fifteenth.share),
        percent(fifteenth.uniform_share),
        percent(days.most_frequent_year_share),
    )
}

/// Scripts, lengths and the most frequent value of texts, a line a field.
fn to_text_lines(fields: &[FieldInspection]) -> String {
    let mut page = String::new();
    for field in fields.iter().filter(|field| !field.lengths.is_empty()) {
        let lengths: Vec<String> = field
            .lengths
            .iter()
            .map(|length| {
                format!(
                    "{} ({})",
                    length.characters,
                    percent(of(length.count, field.filled))
                )
            })
            .collect();
        let mut parts = vec![format!("most often {} characters", lengths.join(", "))];
        let scripts: Vec<String> = field
            .scripts
            .iter()
            .map(|(script, &count)| format!("{} {}", script.as_str(), percent(of(count, field.filled))))
            .collect();
        if !scripts.is_empty() {
            parts.push(scripts.join(", "));
        }
        if let Some(share) = field.most_frequent_share {
            parts.push(format!("the most frequent value {}", percent(share)));
        }
        writeln!(page, "  {}: {}", field.field, parts.join("; ")).expect("writing to a String");
    }
    if page.is_empty() {
        page
    } else {
        format!("\ntexts:\n{page}")
    }
}

fn to_move_table(inspection: &Inspection) -> String {
    if inspection.moves.is_empty() {
        return String::new();
    }
    let rows: Vec<Vec<String>> = inspection
        .moves
        .iter()
        .map(|moves| {
            vec![
                moves.direction.to_owned(),
                moves
                    .counterpart
                    .clone()
                    .unwrap_or_else(|| "not known".to_owned()),
                moves.year.to_string(),
                moves.count.to_string(),
            ]
        })
        .collect();
    format!(
        "\n{}",
        to_columns(&["direction", "other country", "year", "moves"], &rows)
    )
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

#[expect(clippy::cast_precision_loss, reason = "a share for people to read")]
fn of(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}
