//! Flow tables as a page of text.

use std::fmt::Write as _;

use corridor_core::{Corridor, DisclosureMethod, ReleaseStatus, Side, Variable};
use corridor_flows::{
    EstimateRemark, FlowRow, LeftOut, Measure, NotCorrected, NotStratified, PublishedTable, RECONCILIATION,
    StaySource, UntoldVariable,
};

use super::FlowResult;
use crate::output::to_columns;

/// What stands in place of a suppressed count.
const HIDDEN: &str = "··";

/// The tables as a page, and what becomes of them without linkage error.
pub(crate) fn to_page(result: &FlowResult) -> String {
    let table = &result.table;
    let mut corridors: Vec<Corridor> = Vec::new();
    for row in &table.rows {
        if !corridors.contains(&row.corridor) {
            corridors.push(row.corridor);
        }
    }
    let mut page = match table.terms.status {
        ReleaseStatus::Provisional => "Provisional figures.\n\n".to_owned(),
        ReleaseStatus::Final => String::new(),
    };
    for corridor in corridors {
        let (origin, destination) = (corridor.origin().0, corridor.destination().0);
        for (position, variables) in table.terms.statistics.tables.iter().enumerate() {
            writeln!(
                page,
                "{origin} → {destination}: moves by {}",
                to_list(table, variables)
            )
            .expect("writing to a String");
            page += &to_moves(table, corridor, variables, position == 0);
            page.push('\n');
        }
        let period = table.terms.column(Variable::Period);
        writeln!(
            page,
            "{origin} → {destination}: why each office's own count of a {period} differs"
        )
        .expect("writing to a String");
        page += &to_reconciliation(table, corridor);
        page.push('\n');
    }
    page += &legend(table);
    page += &to_corrected(table);
    page += &to_strata(table);
    page += &to_untold(table);
    page += &to_left_out(table);
    page + &to_lengths(table)
}

/// The estimates by stratum, added up, of all periods together.
fn to_strata(table: &PublishedTable) -> String {
    let stratified = table.stratified().into_iter().filter(|row| row.period.is_none());
    let cells: Vec<Vec<String>> = stratified
        .map(|row| {
            let by = to_list(table, &row.variables);
            let mut cells = vec![row.corridor.to_string(), by];
            match row.outcome {
                Ok(made) => {
                    let pooled = made.strata.iter().filter(|stratum| stratum.labels.len() > 1);
                    let pooled: usize = pooled.map(|stratum| stratum.labels.len()).sum();
                    let total = &made.total;
                    cells.extend([
                        format!("{:.0}", total.point),
                        format!("{:.0} – {:.0}", total.log_normal.low, total.log_normal.high),
                        match pooled {
                            0 => String::new(),
                            count => format!("{count} thin groups pooled"),
                        },
                    ]);
                }
                Err(reason) => {
                    let reason = match reason {
                        NotStratified::Suppressed => "a count is suppressed",
                        NotStratified::OneRegister => "one register does not tell them",
                        NotStratified::TooThin => "too thin, all of them together",
                        NotStratified::Contradiction => "the counts contradict each other",
                    };
                    cells.extend(["–".to_owned(), String::new(), reason.to_owned()]);
                }
            }
            cells
        })
        .collect();
    if cells.is_empty() {
        return String::new();
    }
    let header = ["", "strata by", "estimate", "95 % interval", ""];
    format!(
        "\nEstimated in each group apart and added up:\n{}",
        to_columns(&header, &cells)
    )
}

/// By which variables there is no estimate, since one of the registers does not tell them.
fn to_untold(table: &PublishedTable) -> String {
    let line = |untold: &UntoldVariable| {
        let list = match untold.side {
            Side::Origin => "emigrations that the destination does not have",
            Side::Destination => "immigrations",
        };
        format!(
            "{}: no estimate by {}, which is not known of more than half of the {list}\n",
            untold.corridor,
            table.terms.column(untold.variable)
        )
    };
    let lines: String = table.untold().iter().map(line).collect();
    if lines.is_empty() {
        lines
    } else {
        format!("\n{lines}")
    }
}

/// How many moves of each list are in no table, and why.
fn to_left_out(table: &PublishedTable) -> String {
    let rows: Vec<Vec<String>> = table
        .left_out
        .iter()
        .map(|row| {
            let reason = match row.reason {
                LeftOut::OutsidePeriod => "date outside the reference period",
                LeftOut::OtherCountry => "another country named, or none",
                LeftOut::RuleUnknown => "not known whether the rule of stay counts it",
            };
            let list = match row.side {
                Side::Origin => "emigrations",
                Side::Destination => "immigrations",
            };
            vec![
                row.corridor.to_string(),
                list.to_owned(),
                reason.to_owned(),
                row.moves
                    .map_or_else(|| HIDDEN.to_owned(), |moves| moves.to_string()),
            ]
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    format!(
        "\nMoves in no table, about:\n{}",
        to_columns(&["", "list", "why", "moves"], &rows)
    )
}

/// How long those who arrived stayed; nothing where too little is known of it.
fn to_lengths(table: &PublishedTable) -> String {
    let mut lines = String::new();
    for length in &table.lengths_of_stay {
        writeln!(
            lines,
            "\n{}: of {} stays of linked persons about {} ended while seen: {} a year ({} – {})",
            length.corridor, length.stays, length.ended, length.per_year, length.low, length.high,
        )
        .expect("writing to a String");
    }
    lines += "\nTo make counts of shorter stays such of twelve months and more, multiply (estimated):\n";
    let rows: Vec<Vec<String>> = table
        .stay_factors()
        .into_iter()
        .map(|factor| {
            vec![
                factor.corridor.to_string(),
                format!("{} months and more", factor.from_months),
                factor.factor.to_string(),
                match factor.source {
                    StaySource::LinkedStays => "stays of linked persons",
                    StaySource::LinkedRate => "rate at which stays of linked persons end",
                    StaySource::Imem2013 => "published table IMEM 2013: too few linked stays",
                }
                .to_owned(),
            ]
        })
        .collect();
    lines + &to_columns(&["", "counts of", "by", "from"], &rows)
}

fn to_list(table: &PublishedTable, variables: &[Variable]) -> String {
    let mut words: Vec<String> = variables
        .iter()
        .map(|variable| match variable {
            Variable::Period => table.terms.column(Variable::Period).to_owned(),
            Variable::AgeReached => "age reached in the year".to_owned(),
            Variable::Sex
            | Variable::Age
            | Variable::Citizenship
            | Variable::BirthCountry
            | Variable::MigratoryStatus
            | Variable::Reason => variable.as_str().replace('_', " "),
        })
        .collect();
    match words.pop() {
        Some(last) if !words.is_empty() => format!("{} and {last}", words.join(", ")),
        last => last.unwrap_or_default(),
    }
}

/// A table as a tree: each row under the one it is a part of. The first table has the total.
fn to_moves(table: &PublishedTable, corridor: Corridor, variables: &[Variable], is_first: bool) -> String {
    let untold = table.untold();
    let rows: Vec<Vec<String>> = table
        .rows
        .iter()
        .filter(|row| row.corridor == corridor)
        .filter_map(|row| {
            let depth = row.group.0.len();
            let is_branch = depth <= variables.len() && row.group.is_by(&variables[..depth]);
            (is_branch && (is_first || depth > 0)).then(|| to_cells(table, &untold, row, variables))
        })
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
    to_columns(&header, &rows)
}

fn to_cells(
    table: &PublishedTable,
    untold: &[UntoldVariable],
    row: &FlowRow,
    variables: &[Variable],
) -> Vec<String> {
    let depth = row.group.0.len();
    let group = match depth.checked_sub(1).and_then(|last| variables.get(last)) {
        None => format!("all {}s", table.terms.column(Variable::Period)),
        Some(variable) => {
            let label = row.group.get(*variable).unwrap_or_default();
            format!("{}{}", "  ".repeat(depth - 1), to_words(*variable, label))
        }
    };
    let mut cells = vec![group];
    let shown = [
        Measure::Emigrations,
        Measure::Immigrations,
        Measure::Matched,
        Measure::OnlyOrigin,
        Measure::OnlyDestination,
    ];
    cells.extend(shown.map(|measure| to_count(row, measure)));
    let is_hidden = shown[..3]
        .iter()
        .any(|measure| row.counts.get(*measure).is_none());
    match &row.estimate {
        Some(estimate) => cells.extend([
            format!("{:.1} %", 100.0 * estimate.coverage_origin),
            format!("{:.1} %", 100.0 * estimate.coverage_destination),
            match row.estimate_remark(untold) {
                Some(EstimateRemark::Thin) => format!("{:.0}{THIN}", estimate.point),
                Some(EstimateRemark::Suppressed | EstimateRemark::NoMatch | EstimateRemark::OneRegister)
                | None => {
                    format!("{:.0}", estimate.point)
                }
            },
            format!("{:.0} – {:.0}", estimate.low, estimate.high),
        ]),
        None => {
            let mark = if is_hidden { HIDDEN } else { "–" };
            cells.extend(std::iter::repeat_n(mark.to_owned(), 4));
        }
    }
    cells
}

/// Beside an estimate from few.
const THIN: &str = "*";

fn to_count(row: &FlowRow, measure: Measure) -> String {
    row.counts
        .get(measure)
        .map_or_else(|| HIDDEN.to_owned(), |count| count.to_string())
}

fn to_words(variable: Variable, label: &str) -> String {
    match (variable, label) {
        (Variable::Sex, "female") => "women".to_owned(),
        (Variable::Sex, "male") => "men".to_owned(),
        (Variable::Sex, _) => "sex not known".to_owned(),
        (_, label) => label.replace('_', " "),
    }
}

fn to_reconciliation(table: &PublishedTable, corridor: Corridor) -> String {
    let is_of_period = |row: &&FlowRow| row.corridor == corridor && row.group.is_by(&[Variable::Period]);
    let rows: Vec<Vec<String>> = table
        .rows
        .iter()
        .filter(is_of_period)
        .map(|row| {
            let period = row.group.get(Variable::Period).unwrap_or_default().to_owned();
            let counts = RECONCILIATION.map(|measure| to_count(row, measure));
            std::iter::once(period).chain(counts).collect()
        })
        .collect();
    let header = [
        table.terms.column(Variable::Period),
        "E",
        "I",
        "agree",
        "timing E",
        "timing I",
        "defin. E",
        "defin. I",
        "partner E",
        "partner I",
        "unmatched E",
        "unmatched I",
    ];
    const { assert!(RECONCILIATION.len() == 11, "one heading a column") };
    to_columns(&header, &rows)
}

fn legend(table: &PublishedTable) -> String {
    let method = match table.terms.disclosure.method {
        DisclosureMethod::Suppression => "··  suppressed.",
        DisclosureMethod::RandomRounding => {
            "Counts are rounded by chance; rows do not add up to totals exactly."
        }
        DisclosureMethod::CellKey => "Counts are changed by a little; rows do not add up to totals exactly.",
    };
    let untold = table.untold();
    let is_thin = |row: &FlowRow| row.estimate_remark(&untold) == Some(EstimateRemark::Thin);
    let thin = if table.rows.iter().any(is_thin) {
        format!("{THIN}: too thin by itself, with fewer than seven matched; take such rows together.\n")
    } else {
        String::new()
    };
    format!(
        "{method} E: emigrations reported by the origin; in the tables of moves, a matched one where the\n\
         destination has it, so that it counts once. I: immigrations reported by the destination.\n\
         cov.: share of the other list's moves that this list has. estimate: moves in truth (Chapman), if the two\n\
         lists are independent and every link is taken at its word.\n{thin}\n"
    )
}

/// The rows of all periods and of each, with linkage error taken out; why there are none, where there are none.
fn to_corrected(table: &PublishedTable) -> String {
    let of_periods = table
        .rows
        .iter()
        .filter(|row| row.group.0.is_empty() || row.group.is_by(&[Variable::Period]));
    let cells: Vec<Vec<String>> = of_periods
        .filter_map(|row| {
            let figures = row.corrected.as_ref()?;
            let period = row.group.get(Variable::Period);
            Some(vec![
                row.corridor.to_string(),
                period.map_or_else(
                    || format!("all {}s", table.terms.column(Variable::Period)),
                    str::to_owned,
                ),
                to_count(row, Measure::Matched),
                format!("{:.0}", figures.matched),
                format!("{:.0}", figures.naive),
                format!("{:.0}", figures.estimate),
                format!("{:.0} – {:.0}", figures.interval.low, figures.interval.high),
                figures
                    .if_odds_ratio_two_thirds
                    .zip(figures.if_odds_ratio_three_halves)
                    .map_or_else(|| "–".to_owned(), |(low, high)| format!("{low:.0} – {high:.0}")),
            ])
        })
        .collect();
    if cells.is_empty() {
        let reason = table.rows.iter().find_map(|row| row.not_corrected);
        return format!("not corrected for linkage error: {}\n", to_reason(reason));
    }
    let header = [
        "",
        "",
        "matched",
        "corrected",
        "naive",
        "estimate",
        "95 % interval",
        "odds ratio ⅔ – 1.5",
    ];
    format!(
        "With expected false links taken out and missed ones put in; and what the estimate would be, were the odds of being in\n\
         one list ⅔, or 1.5 times, as high for those in the other:\n{}",
        to_columns(&header, &cells)
    )
}

const fn to_reason(reason: Option<NotCorrected>) -> &'static str {
    match reason {
        None => "the result does not say why",
        Some(NotCorrected::Suppressed) => "counts it would be made of are suppressed",
        Some(NotCorrected::NoLinks) => "nothing is linked",
        Some(NotCorrected::QualityUnknown) => {
            "how good the links are is not known: the threshold was given, or too few partners were sampled to say what \
             blocks lost"
        }
        Some(NotCorrected::OneRegister) => "one of the registers does not tell what the tables are by",
        Some(NotCorrected::Contradiction) => {
            "more matches would come out than a list has moves: the expected quality does not fit the counts"
        }
    }
}
