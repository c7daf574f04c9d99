/// Numbers from which nothing can be estimated: which, and why.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DualSystemError {
    /// More moves in both lists than in one of them.
    #[error("{name} is {value}, more than {list}, which is {len}")]
    AboveList {
        /// What is too large.
        name: &'static str,
        /// How large.
        value: f64,
        /// The list it cannot exceed.
        list: &'static str,
        /// How many moves that has.
        len: u64,
    },
    /// So few links, or such uncertain rates, that a resampled estimate has no upper end.
    #[error(
        "{undefined} of {replicates} bootstrap replicates have nothing in both lists, or no more links than false ones are \
         expected, so the interval has no upper end"
    )]
    BootstrapUnbounded {
        /// Replicates without an estimate.
        undefined: u32,
        /// All replicates.
        replicates: u32,
    },
    /// The cells are no table: a row of another length, or a margin of another length.
    #[error("{name} has {got} numbers where {expected} are needed")]
    CellsMismatch {
        /// Which part.
        name: String,
        /// What it has.
        got: usize,
        /// What it should have.
        expected: usize,
    },
    /// A covariate's level is among those in one list only, but never among those in both.
    #[error(
        "nobody in both lists has level {level} of {covariate}, but {count} in one list have: how many of them are \
         missing cannot be told; join the level with another"
    )]
    LevelUnlinked {
        /// Which covariate.
        covariate: &'static str,
        /// Level, from 1.
        level: usize,
        /// How many have it.
        count: u64,
    },
    /// No more links than false ones expected.
    #[error(
        "{links} links are no more than the {expected_false} false ones that beta = {beta} makes expected of n2 = {n2}"
    )]
    LinksAllFalse {
        /// Links.
        links: u64,
        /// β·n₂.
        expected_false: f64,
        /// β.
        beta: f64,
        /// Records that can be linked falsely.
        n2: u64,
    },
    /// No count of moves.
    #[error("{name} is {value}, which is no count: a whole number from 0 to 2^53 is needed")]
    NotACount {
        /// What it is called.
        name: String,
        /// What was given.
        value: f64,
    },
    /// A number outside its range.
    #[error("{name} is {value}; {range}")]
    OutOfRange {
        /// What it is called.
        name: &'static str,
        /// What was given.
        value: f64,
        /// What it may be.
        range: &'static str,
    },
    /// Nobody in both lists.
    #[error("m is 0 (n1 {n1}, n2 {n2}): with no move in both lists nothing can be said of those in neither")]
    NothingMatched {
        /// Moves in the first list.
        n1: u64,
        /// Moves in the second.
        n2: u64,
    },
    /// Links of true partners are no likelier than false ones.
    #[error("alpha is {alpha} and beta {beta}: links say something of matches only if alpha is above beta")]
    RatesIndistinguishable {
        /// α.
        alpha: f64,
        /// β.
        beta: f64,
    },
    /// Strata to be pooled have different linkage errors.
    #[error("too thin to estimate apart, and not to be pooled, since their linkage error rates differ")]
    RatesDiffer,
    /// No persons, no strata, no cells.
    #[error("there are no {0}")]
    Nothing(&'static str),
    /// A stratum without a move in either list.
    #[error("stratum {label} is empty: no move in either list")]
    StratumEmpty {
        /// Its label.
        label: String,
    },
    /// What is wrong with one stratum.
    #[error("stratum {label}: {problem}")]
    Stratum {
        /// Its label.
        label: String,
        /// What is wrong.
        problem: Box<DualSystemError>,
    },
    /// Two strata of one label.
    #[error("two strata have the label {label}")]
    StratumRepeated {
        /// The label.
        label: String,
    },
    /// All strata together are too thin.
    #[error("all strata together have {matched} matched moves; {minimum} are needed to estimate")]
    StrataTooThin {
        /// Matched moves.
        matched: f64,
        /// The least that the pooling rule asks for.
        minimum: f64,
    },
    /// A row or column of a recapture matrix says that more were found than there are.
    #[error("{name} {position} of the recapture matrix adds up to {matched}, more than its {len} moves")]
    MarginAboveList {
        /// Row or column.
        name: &'static str,
        /// Which, from 1.
        position: usize,
        /// What it adds up to.
        matched: u64,
        /// What it may add up to.
        len: u64,
    },
    /// A table whose test has an empty margin.
    #[error("{test} cannot be made: a row or column of its table is all zero")]
    TestEmptyMargin {
        /// Which test.
        test: &'static str,
    },
    /// More false records trimmed than there are.
    #[error(
        "{trimmed} trimmed, {trimmed_matched} of them matched, leave nothing of n1 = {n1}, m = {m} to estimate from"
    )]
    TrimmedAway {
        /// Records trimmed.
        trimmed: u64,
        /// Matched ones among them.
        trimmed_matched: u64,
        /// Records before.
        n1: u64,
        /// Matched before.
        m: u64,
    },
}
