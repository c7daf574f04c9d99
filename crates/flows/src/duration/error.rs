/// Durations from which nothing can be converted or fitted: which, and why.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum DurationError {
    /// A duration longer than any stay was seen.
    #[error(
        "no stay was seen for {months} months, the longest for {seen}: how many last so long cannot be told"
    )]
    BeyondSeen {
        /// The duration.
        months: f64,
        /// Months for which the longest was seen.
        seen: f64,
    },
    /// A duration that a table does not reach.
    #[error(
        "a minimum stay of {months} months is not in the table, which goes from {first} to {last} months"
    )]
    BeyondTable {
        /// The duration.
        months: f64,
        /// First duration of the table.
        first: f64,
        /// Last duration of the table.
        last: f64,
    },
    /// No count.
    #[error("{count} is no count of moves")]
    Count {
        /// What was given.
        count: f64,
    },
    /// No duration.
    #[error("{months} is no minimum stay in months")]
    Months {
        /// What was given.
        months: f64,
    },
    /// Nothing ended.
    #[error("none of the stays ended: how fast stays end cannot be told")]
    NoEnds,
    /// Durations between which no rate can be told.
    #[error(
        "no rate can be told between {from_years} and {to_years} years: they do not ascend, or no stay lasts or was seen so long"
    )]
    NoRateBetween {
        /// From.
        from_years: f64,
        /// To.
        to_years: f64,
    },
    /// Nothing was seen.
    #[error("there are no stays")]
    NoStays,
    /// The survival curve has come down to 0.
    #[error("none of the stays lasts {months} months: counts under that minimum stay cannot be converted")]
    NobodyStays {
        /// The duration.
        months: f64,
    },
    /// No rate.
    #[error("{per_year} is no rate at which stays end: it is a number from 0, a year")]
    Rate {
        /// What was given.
        per_year: f64,
    },
    /// A stay seen for no time.
    #[error(
        "stay {position} is seen from {from_years} to {until_years} years: it must begin at 0 or later and end after"
    )]
    Stay {
        /// Which, from 1.
        position: usize,
        /// From.
        from_years: f64,
        /// Until.
        until_years: f64,
    },
    /// A row of a table out of order or without a factor.
    #[error(
        "row {position} of the duration table ({months} months, factor {factor}): months must ascend from 0 on and factors be above 0"
    )]
    TableRow {
        /// Which, from 1.
        position: usize,
        /// Its months.
        months: f64,
        /// Its factor.
        factor: f64,
    },
    /// A table that says nothing.
    #[error("a duration table of {rows} rows; it needs 2 at least")]
    TableShort {
        /// Rows.
        rows: usize,
    },
}
