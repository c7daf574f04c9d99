use super::ReportedFlow;

/// A double-entry table from which nothing can be told: what, and where.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum MirrorError {
    /// A flow is there twice.
    #[error("{origin} to {destination} in {year} is there twice")]
    CellRepeated {
        /// Origin.
        origin: String,
        /// Destination.
        destination: String,
        /// Year.
        year: i16,
    },
    /// A place without a code.
    #[error("a flow of {year} has no origin or no destination")]
    CodeMissing {
        /// Its year.
        year: i16,
    },
    /// A part above the whole.
    #[error("{count} moves are more than the {of} they are part of")]
    CountAboveTotal {
        /// The part.
        count: f64,
        /// The whole.
        of: f64,
    },
    /// A table without cells.
    #[error("the table has no cells")]
    Empty,
    /// No flow that both sides report.
    #[error("no flow is reported by both sides with a number above 0: no factor can be told")]
    NothingInCommon,
    /// A report that is no number of moves.
    #[error("{origin} to {destination} in {year}: {value} is no number of moves")]
    NotACount {
        /// Origin.
        origin: String,
        /// Destination.
        destination: String,
        /// Year.
        year: i16,
        /// What is reported.
        value: f64,
    },
    /// The pinned report is not in the table.
    #[error("the {} of {office}, which is to be pinned to 1, is in no flow that both sides report", .flow.as_str())]
    PinMissing {
        /// Office.
        office: String,
        /// Its flow.
        flow: ReportedFlow,
    },
    /// An office that is not in the table.
    #[error("{office} is neither an origin nor a destination of the table")]
    OfficeUnknown {
        /// What was named.
        office: String,
    },
    /// A ratio with nothing above or below.
    #[error("a ratio of {numerator} to {denominator} moves says nothing: both must be above 0")]
    RatioOfNothing {
        /// Numerator.
        numerator: f64,
        /// Denominator.
        denominator: f64,
    },
    /// A flow that stays where it is.
    #[error("{place} is origin and destination of a flow of {year}")]
    WithinOnePlace {
        /// The place.
        place: String,
        /// Year.
        year: i16,
    },
}
