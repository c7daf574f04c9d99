use std::fmt::Write as _;

use corridor_encode::{Inspection, Mapping, ReadReport, inspect};

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
    let rows: Vec<Vec<String>> = inspection
        .fields
        .iter()
        .map(|field| {
            vec![
                field.field.to_owned(),
                field.filled.to_string(),
                format!("{:.1} %", 100.0 * field.filled_share),
                field.distinct.to_string(),
            ]
        })
        .collect();
    page.push('\n');
    page += &to_columns(&["field", "filled", "share", "different"], &rows);
    if let Some(first) = &inspection.first_of_january {
        write!(
            page,
            "\n{} birth dates on 1 January: {:.1} %, {:.0} times an ordinary day; only their year is used\n",
            first.count,
            100.0 * first.share,
            first.times_uniform
        )
        .expect("writing to a String");
    }
    if !inspection.moves.is_empty() {
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
        page.push('\n');
        page += &to_columns(&["direction", "other country", "year", "moves"], &rows);
    }
    page
}
