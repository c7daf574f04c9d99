use std::fmt::Write as _;

use corridor_encode::{Mapping, MappingCheck, ShowValues, check_mapping, draft_mapping};

use crate::args::MappingCommand;
use crate::commands::inspect::to_problem_lines;
use crate::failure::input_error;
use crate::output::{data, json, talk, write_file};

pub(crate) fn run(command: MappingCommand) -> anyhow::Result<()> {
    match command {
        MappingCommand::Init { file, output } => {
            let draft = draft_mapping(&file)?;
            match output {
                Some(path) => {
                    write_file(&path, draft.as_bytes())?;
                    talk(&format!("wrote {}; check every line of it", path.display()));
                    talk(&format!(
                        "next: corridor mapping check {} --mapping {}",
                        file.display(),
                        path.display()
                    ));
                    Ok(())
                }
                None => data(&draft),
            }
        }
        MappingCommand::Check {
            file,
            mapping,
            rows,
            show_values,
            json: as_json,
        } => {
            let mapping = Mapping::load(&mapping)?;
            let show = if show_values {
                ShowValues::Yes
            } else {
                ShowValues::No
            };
            let check = check_mapping(&file, &mapping, usize::from(rows), show)?;
            if as_json {
                json(&check)?;
            } else {
                data(&to_page(&check))?;
            }
            let read = &check.read;
            if read.rows_refused > 0 {
                return Err(input_error(
                    format!(
                        "{} of {} rows would be refused",
                        read.rows_refused, read.rows_read
                    ),
                    "correct the mapping or the rows; encode leaves such rows out, counted, with --max-refused (as in 1%)",
                ));
            }
            Ok(())
        }
    }
}

fn to_page(check: &MappingCheck) -> String {
    let mut page = String::new();
    let mut line = |text: String| {
        page += &text;
        page.push('\n');
    };
    for row in &check.rows {
        let fate = if row.is_used { "used" } else { "refused" };
        line(format!("line {}: {fate}", row.line));
        let width = row
            .fields
            .iter()
            .map(|field| field.field.len())
            .max()
            .unwrap_or(0);
        for field in &row.fields {
            let mut text = format!("  {:width$}  {}", field.field, field.reading);
            if let Some(value) = &field.value {
                write!(text, "   [{value}]").expect("writing to a String");
            }
            line(text);
        }
        for problem in &row.problems {
            line(format!("  ! {}", problem.as_str()));
        }
        line(String::new());
    }
    let read = &check.read;
    line(format!(
        "{} rows read, {} would be refused",
        read.rows_read, read.rows_refused
    ));
    page + &to_problem_lines(read)
}
