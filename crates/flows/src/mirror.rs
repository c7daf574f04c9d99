//! Double-entry tables: the same moves as their origin and as their destination report them.
//!
//! Aggregates need no linkage. Two reports of one flow say how far offices disagree; the reports of one office, set
//! against those of offices whose registers are good, say what it misses; and reports among three offices or more say
//! by what each has to be multiplied for all to agree.

mod error;
mod factors;
mod ratio;

use std::collections::BTreeSet;

pub use error::MirrorError;
pub use factors::{AdjustmentFactors, FactorComponent, FactorPin, OfficeFactor, Weighting};
pub use ratio::{BilateralRatio, Counted, NoRatio, OfficeRatio, Totals, bilateral_ratio};
use serde::{Deserialize, Serialize};

/// Which flow of an office.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportedFlow {
    /// What it reports as an origin.
    Emigration,
    /// What it reports as a destination.
    Immigration,
}

impl ReportedFlow {
    /// The word in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Emigration => "emigration",
            Self::Immigration => "immigration",
        }
    }
}

/// What one office reports of one flow.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Reported {
    /// Moves; no whole number where it was converted.
    pub moves: f64,
    /// How it compares with the others.
    pub basis: ReportBasis,
}

/// How the minimum stay of a report compares with that of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportBasis {
    /// Counted under the rule that all are compared under, or the table has no rules.
    Counted,
    /// Converted to it from another one: an estimate.
    Converted,
    /// Under a rule that is not known, in a table where others are: taken as it is.
    RuleUnknown,
}

/// The moves from one place to another in a year, as both report them. `None`: not reported.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MirrorCell {
    /// Code of the origin.
    pub origin: String,
    /// Code of the destination.
    pub destination: String,
    /// Year.
    pub year: i16,
    /// Emigration, as the origin reports it.
    pub reported_by_origin: Option<Reported>,
    /// Immigration, as the destination reports it.
    pub reported_by_destination: Option<Reported>,
}

/// A double-entry table: each flow once, sorted by year, origin, destination.
#[derive(Debug, Clone, PartialEq)]
pub struct MirrorTable {
    cells: Vec<MirrorCell>,
}

/// How far the two reports of a flow are apart.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Disagreement {
    /// Flows of the table.
    pub cells: u64,
    /// Flows that both report.
    pub reported_by_both: u64,
    /// Of those, how many where one side or both report none: they have no factor.
    pub with_a_zero: u64,
    /// Flows that both report, both above 0.
    pub compared: u64,
    /// Median over the compared of the larger report over the smaller; `None` when none is compared.
    pub median_factor: Option<f64>,
}

impl MirrorTable {
    /// Takes cells that make a table.
    ///
    /// # Errors
    /// No cells, a cell twice, a cell within one place, a place without a code, or a report that is no number of moves.
    pub fn try_new(mut cells: Vec<MirrorCell>) -> Result<Self, MirrorError> {
        if cells.is_empty() {
            return Err(MirrorError::Empty);
        }
        for cell in &cells {
            let (origin, destination, year) = (cell.origin.clone(), cell.destination.clone(), cell.year);
            if origin.trim().is_empty() || destination.trim().is_empty() {
                return Err(MirrorError::CodeMissing { year });
            }
            if origin == destination {
                return Err(MirrorError::WithinOnePlace { place: origin, year });
            }
            for report in [cell.reported_by_origin, cell.reported_by_destination]
                .into_iter()
                .flatten()
            {
                if !(report.moves >= 0.0 && report.moves.is_finite()) {
                    return Err(MirrorError::NotACount {
                        origin,
                        destination,
                        year,
                        value: report.moves,
                    });
                }
            }
        }
        cells.sort_by(|a, b| key(a).cmp(&key(b)));
        if let Some(pair) = cells.windows(2).find(|pair| key(&pair[0]) == key(&pair[1])) {
            let MirrorCell {
                origin,
                destination,
                year,
                ..
            } = pair[0].clone();
            return Err(MirrorError::CellRepeated {
                origin,
                destination,
                year,
            });
        }
        Ok(Self { cells })
    }

    /// The cells, by year, origin, destination.
    pub fn cells(&self) -> &[MirrorCell] {
        &self.cells
    }

    /// Years, ascending.
    pub fn years(&self) -> Vec<i16> {
        let years: BTreeSet<i16> = self.cells.iter().map(|cell| cell.year).collect();
        years.into_iter().collect()
    }

    /// Codes of origins and destinations, ascending.
    pub fn offices(&self) -> Vec<&str> {
        let codes: BTreeSet<&str> = self
            .cells
            .iter()
            .flat_map(|cell| [cell.origin.as_str(), cell.destination.as_str()])
            .collect();
        codes.into_iter().collect()
    }

    /// How far the two reports of a flow are apart.
    pub fn disagreement(&self) -> Disagreement {
        let both: Vec<(f64, f64)> = self
            .cells
            .iter()
            .filter_map(|cell| {
                let emigration = cell.reported_by_origin?.moves;
                Some((emigration, cell.reported_by_destination?.moves))
            })
            .collect();
        let mut factors: Vec<f64> = both
            .iter()
            .filter(|(emigration, immigration)| *emigration > 0.0 && *immigration > 0.0)
            .map(|(emigration, immigration)| emigration.max(*immigration) / emigration.min(*immigration))
            .collect();
        factors.sort_by(f64::total_cmp);
        let upper = factors.get(factors.len() / 2);
        let lower = factors.get(factors.len().saturating_sub(1) / 2);
        let count = |len: usize| u64::try_from(len).unwrap_or(u64::MAX);
        Disagreement {
            cells: count(self.cells.len()),
            reported_by_both: count(both.len()),
            with_a_zero: count(both.len() - factors.len()),
            compared: count(factors.len()),
            median_factor: upper
                .zip(lower)
                .map(|(upper, lower)| f64::midpoint(*upper, *lower)),
        }
    }
}

fn key(cell: &MirrorCell) -> (i16, &str, &str) {
    (cell.year, &cell.origin, &cell.destination)
}
