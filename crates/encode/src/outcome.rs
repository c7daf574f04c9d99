use serde::Serialize;

use crate::blocks::BlockReport;
use crate::extract::ExtractError;
use crate::output::WriteError;
use crate::report::{ReadReport, RowProblem};

/// What an encoding job did. Nothing in it identifies a person.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EncodeReport {
    /// The profile.
    pub profile: &'static str,
    /// Whether the linkage unit must be trusted with a list of the population under this profile.
    pub needs_trusted_unit: bool,
    /// The match fields, in schema order.
    pub match_fields: Vec<&'static str>,
    /// What was read and refused.
    pub read: ReadReport,
    /// Records encoded: rows read less rows refused.
    pub records_encoded: u64,
    /// Persons among them.
    pub persons: u64,
    /// Mean share of bits set in a filter.
    pub mean_fill: f64,
    /// How records fall into blocks, pass after pass; none where the schema asks for none.
    pub blocks: Vec<BlockReport>,
}

/// Why a register was not encoded.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// The file.
    #[error(transparent)]
    Extract(#[from] ExtractError),
    /// The agreement wants a field the mapping has no column for.
    #[error("the agreement encodes {field}, and the mapping names no column for it")]
    FieldUnmapped {
        /// The field.
        field: &'static str,
    },
    /// No row could be used.
    #[error("no row of {rows_read} can be used: {}", summarise(.report))]
    NothingEncoded {
        /// Rows read.
        rows_read: u64,
        /// Why.
        report: Box<ReadReport>,
    },
    /// So many values were taken as missing that the mapping is likely wrong.
    #[error(
        "{count} of {} rows have a value that is not understood: {} (first on line {})",
        .report.rows_read, .problem.as_str(), .first_line
    )]
    ValuesUnreadable {
        /// What is the matter with them.
        problem: RowProblem,
        /// How many.
        count: u64,
        /// The first.
        first_line: u64,
        /// What else was read.
        report: Box<ReadReport>,
    },
    /// What did not fit in memory could not be put aside.
    #[error("cannot put rows aside in a temporary file; is the disk full?")]
    Scratch(#[from] std::io::Error),
    /// The result cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// More rows were refused than allowed.
    #[error("{} of {} rows cannot be used: {}", .report.rows_refused, .report.rows_read, summarise(.report))]
    RowsRefused {
        /// Why.
        report: Box<ReadReport>,
    },
}

/// The problems of a report in one line.
fn summarise(report: &ReadReport) -> String {
    let parts: Vec<String> = report
        .problems
        .iter()
        .filter(|(problem, _)| problem.refuses_row())
        .map(|(problem, occurrences)| {
            let lines: Vec<String> = occurrences.first_lines.iter().map(u64::to_string).collect();
            let column = occurrences
                .column
                .as_ref()
                .map_or_else(String::new, |column| format!(" in column {column:?}"));
            format!(
                "{} ({} rows{column}, first on line {})",
                problem.as_str(),
                occurrences.count,
                lines.join(", ")
            )
        })
        .collect();
    parts.join("; ")
}

/// Share of the rows that may be refused before a job fails.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct RefusalLimit(f64);

impl RefusalLimit {
    /// No row may be refused.
    pub const NONE: Self = Self(0.0);

    /// At most this share of the rows, in [0, 1]; `None` for anything else.
    pub fn try_new(share: f64) -> Option<Self> {
        (0.0..=1.0).contains(&share).then_some(Self(share))
    }

    #[expect(clippy::cast_precision_loss, reason = "row counts are far below 2^52")]
    fn allows(self, report: &ReadReport) -> bool {
        report.rows_refused as f64 <= self.0 * report.rows_read as f64
    }
}

/// One row in so many may have a value that is not understood: more is a wrong mapping, such as a wrong order of dates.
const MOST_UNREADABLE: u64 = 10;

/// Whether what was read is enough, and understood well enough, to go on with.
pub(crate) fn judge(report: &ReadReport, limit: RefusalLimit) -> Result<(), EncodeError> {
    if report.rows_refused == report.rows_read {
        return Err(EncodeError::NothingEncoded {
            rows_read: report.rows_read,
            report: Box::new(report.clone()),
        });
    }
    let unreadable = report.problems.iter().find(|(problem, occurrences)| {
        !problem.refuses_row() && occurrences.count * MOST_UNREADABLE > report.rows_read
    });
    if let Some((&problem, occurrences)) = unreadable {
        return Err(EncodeError::ValuesUnreadable {
            problem,
            count: occurrences.count,
            first_line: occurrences.first_lines.first().copied().unwrap_or(0),
            report: Box::new(report.clone()),
        });
    }
    if !limit.allows(report) {
        return Err(EncodeError::RowsRefused {
            report: Box::new(report.clone()),
        });
    }
    Ok(())
}
