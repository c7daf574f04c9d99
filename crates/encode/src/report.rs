use std::collections::BTreeMap;

use serde::Serialize;

/// Why a row cannot be used, or a value was taken as missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RowProblem {
    /// Value taken as missing: a birth country that is no known or declared code.
    BirthCountryUnknown,
    /// Value taken as missing: a birth date that is no day of the calendar in the declared order.
    BirthDateImpossible,
    /// Row refused: a code of how the birth date is known that is not declared.
    BirthQualityUndeclared,
    /// Value taken as missing: a citizenship that is no known or declared code.
    CitizenshipUnknown,
    /// Row refused: a code of whether the office counts the move that is not declared.
    CountedUndeclared,
    /// Row refused: the other country is no known or declared code.
    CounterpartUndeclared,
    /// Value taken as missing: days present that are no number from 0 to 366.
    DaysPresentImpossible,
    /// Row refused: a code of direction that is not declared.
    DirectionUndeclared,
    /// Row refused: an event date that is missing or no day of the calendar in the declared order.
    EventDateImpossible,
    /// Row refused: more or fewer columns than the header.
    FieldCount,
    /// Value taken as missing: months of an intended stay that are no number from 0 to 1,200.
    IntendedMonthsImpossible,
    /// Row refused: bytes that are no UTF-8, or no text in the encoding the mapping declares.
    InvalidUtf8,
    /// Row refused: a code of migratory status that is not declared.
    MigratoryStatusUndeclared,
    /// Value taken as missing: a next move that is no day of the calendar in the declared order, or before this one.
    NextEventDateImpossible,
    /// Row refused: a code of the reason that is not declared.
    ReasonUndeclared,
    /// Row refused: no record id.
    RecordIdEmpty,
    /// Row refused: a code of sex that is not declared.
    SexUndeclared,
    /// Row refused: a value that is an error of a spreadsheet, such as `#N/A`, and not declared as missing.
    SpreadsheetError,
    /// Row refused: fewer tokens than are safe to encode.
    TooFewTokens,
}

impl RowProblem {
    /// Whether the row cannot be used (or only a value was taken as missing).
    pub const fn refuses_row(self) -> bool {
        !matches!(
            self,
            Self::BirthCountryUnknown
                | Self::BirthDateImpossible
                | Self::CitizenshipUnknown
                | Self::DaysPresentImpossible
                | Self::IntendedMonthsImpossible
                | Self::NextEventDateImpossible
        )
    }

    /// The problem in words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BirthCountryUnknown => "birth country is no known or declared code; taken as missing",
            Self::BirthDateImpossible => {
                "birth date is no day of the calendar in the declared order; taken as missing"
            }
            Self::BirthQualityUndeclared => "code of how the birth date is known is not declared",
            Self::CitizenshipUnknown => "citizenship is no known or declared code; taken as missing",
            Self::CountedUndeclared => "code of whether the move is counted is not declared",
            Self::CounterpartUndeclared => "counterpart country is no known or declared code",
            Self::DaysPresentImpossible => "days present are no number from 0 to 366; taken as missing",
            Self::DirectionUndeclared => "code of direction is not declared",
            Self::EventDateImpossible => {
                "event date is missing or no day of the calendar in the declared order"
            }
            Self::FieldCount => "more or fewer columns than the header",
            Self::IntendedMonthsImpossible => {
                "intended months are no number from 0 to 1,200; taken as missing"
            }
            Self::InvalidUtf8 => "bytes that are no text in UTF-8 or in the encoding the mapping declares",
            Self::MigratoryStatusUndeclared => "code of migratory status is not declared",
            Self::NextEventDateImpossible => {
                "next move is no day of the calendar in the declared order, or before this one; taken as missing"
            }
            Self::ReasonUndeclared => "code of the reason is not declared",
            Self::RecordIdEmpty => "record id is empty",
            Self::SexUndeclared => "code of sex is not declared",
            Self::SpreadsheetError => {
                "an error of a spreadsheet, such as #N/A, that is not declared as missing"
            }
            Self::TooFewTokens => "too little to link and too easy to guess (fewer than 8 tokens)",
        }
    }
}

/// How often a problem was met, and where first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Occurrences {
    /// How often.
    pub count: u64,
    /// The column it is in, where it is in one.
    pub column: Option<String>,
    /// The first lines, at most [`Occurrences::MAX_LINES`].
    pub first_lines: Vec<u64>,
}

impl Occurrences {
    /// Lines listed at most.
    pub const MAX_LINES: usize = 5;
}

/// What was read of a register: every row is either a record or counted here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ReadReport {
    /// Rows below the header.
    pub rows_read: u64,
    /// Rows that cannot be used.
    pub rows_refused: u64,
    /// Problems by kind.
    pub problems: BTreeMap<RowProblem, Occurrences>,
}

impl ReadReport {
    /// Counts a problem of the row on `line`.
    pub(crate) fn add(&mut self, problem: RowProblem, line: u64, column: Option<&str>) {
        let occurrences = self.problems.entry(problem).or_default();
        occurrences.count += 1;
        occurrences.column = column.map(str::to_owned);
        if occurrences.first_lines.len() < Occurrences::MAX_LINES {
            occurrences.first_lines.push(line);
        }
        if problem.refuses_row() {
            self.rows_refused += 1;
        }
    }
}
