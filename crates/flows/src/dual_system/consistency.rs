use serde::Serialize;
use statrs::distribution::{ChiSquared as ChiSquaredDistribution, ContinuousCDF as _};

use super::DualSystemError;
use crate::number::{real, real_len};

/// Matches by stratum of the first list (rows) and stratum of the second (columns), with all moves of either.
///
/// # Shape
/// `matched` is `n1.len()` rows of `n2.len()`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecaptureMatrix {
    n1: Vec<u64>,
    n2: Vec<u64>,
    matched: Vec<Vec<u64>>,
}

/// Pearson's test of independence in a table.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ChiSquared {
    /// X², with Yates's correction where the table is 2 × 2.
    pub statistic: f64,
    /// Degrees of freedom.
    pub degrees_of_freedom: u32,
    /// Chance of so large an X² if rows and columns are independent. Approximate; poor where counts below 5 are
    /// expected.
    pub p_value: f64,
}

/// Three tests of whether strata may be pooled. If one of them does not reject (complete mixing, equal shares
/// of matched, or equal capture), the pooled estimate is consistent (Seber 1982, section 11.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Consistency {
    /// Complete mixing: where a move is in the second list does not depend on where it was in the first.
    pub complete_mixing: ChiSquared,
    /// Equal proportions: the share of the second list that is matched is the same in all its strata.
    pub equal_proportions: ChiSquared,
    /// Equal capture: the share of the first list that is matched is the same in all its strata.
    pub equal_capture: ChiSquared,
}

impl RecaptureMatrix {
    /// Takes a matrix whose rows and columns add up to no more than there are.
    ///
    /// # Errors
    /// Fewer than two strata on a side, a matrix of another shape, or a margin above its list.
    pub fn try_new(n1: Vec<u64>, n2: Vec<u64>, matched: Vec<Vec<u64>>) -> Result<Self, DualSystemError> {
        let mismatch = |name: String, got, expected| DualSystemError::CellsMismatch { name, got, expected };
        for (name, len) in [("n1", n1.len()), ("n2", n2.len())] {
            if len < 2 {
                return Err(mismatch(format!("{name} of the recapture matrix"), len, 2));
            }
        }
        if matched.len() != n1.len() {
            return Err(mismatch(
                "the recapture matrix".to_owned(),
                matched.len(),
                n1.len(),
            ));
        }
        for (row, cells) in matched.iter().enumerate() {
            if cells.len() != n2.len() {
                let name = format!("row {} of the recapture matrix", row + 1);
                return Err(mismatch(name, cells.len(), n2.len()));
            }
        }
        let matrix = Self { n1, n2, matched };
        for (name, sums, lens) in [
            ("row", matrix.row_sums(), &matrix.n1),
            ("column", matrix.column_sums(), &matrix.n2),
        ] {
            for (index, (&matched, &len)) in sums.iter().zip(lens).enumerate() {
                if matched > len {
                    return Err(DualSystemError::MarginAboveList {
                        name,
                        position: index + 1,
                        matched,
                        len,
                    });
                }
            }
        }
        Ok(matrix)
    }

    /// Makes the three tests.
    ///
    /// # Errors
    /// A row or column of a test's table is all zero, so that there is nothing to compare.
    pub fn consistency(&self) -> Result<Consistency, DualSystemError> {
        let (rows, columns) = (self.row_sums(), self.column_sums());
        let unmatched = |lens: &[u64], sums: &[u64]| -> Vec<u64> {
            lens.iter().zip(sums).map(|(len, sum)| len - sum).collect()
        };
        let mixing: Vec<Vec<u64>> = self
            .matched
            .iter()
            .zip(unmatched(&self.n1, &rows))
            .map(|(row, rest)| row.iter().copied().chain([rest]).collect())
            .collect();
        let proportions = vec![columns.clone(), unmatched(&self.n2, &columns)];
        let capture = vec![rows.clone(), unmatched(&self.n1, &rows)];
        Ok(Consistency {
            complete_mixing: chi_squared("the test of complete mixing", &mixing)?,
            equal_proportions: chi_squared("the test of equal proportions", &proportions)?,
            equal_capture: chi_squared("the test of equal capture", &capture)?,
        })
    }

    fn row_sums(&self) -> Vec<u64> {
        self.matched
            .iter()
            .map(|row| row.iter().fold(0, |sum: u64, &cell| sum.saturating_add(cell)))
            .collect()
    }

    fn column_sums(&self) -> Vec<u64> {
        (0..self.n2.len())
            .map(|column| {
                self.matched
                    .iter()
                    .fold(0, |sum: u64, row| sum.saturating_add(row[column]))
            })
            .collect()
    }
}

/// X² = Σ (|O − E| − c)²/E over the cells, c = min(½, |O − E|) in a 2 × 2 table (Yates 1934), else 0.
fn chi_squared(test: &'static str, table: &[Vec<u64>]) -> Result<ChiSquared, DualSystemError> {
    let columns = table.first().map_or(0, Vec::len);
    let row_sums: Vec<f64> = table
        .iter()
        .map(|row| row.iter().map(|&cell| real(cell)).sum())
        .collect();
    let column_sums: Vec<f64> = (0..columns)
        .map(|column| table.iter().map(|row| real(row[column])).sum())
        .collect();
    if row_sums.iter().chain(&column_sums).any(|&sum| sum <= 0.0) {
        return Err(DualSystemError::TestEmptyMargin { test });
    }
    let total: f64 = row_sums.iter().sum();
    let yates = if table.len() == 2 && columns == 2 {
        0.5
    } else {
        0.0
    };
    let mut statistic = 0.0;
    for (row, row_sum) in table.iter().zip(&row_sums) {
        for (&cell, column_sum) in row.iter().zip(&column_sums) {
            let expected = row_sum * column_sum / total;
            let gap = (real(cell) - expected).abs();
            let gap = gap - gap.min(yates);
            statistic += gap * gap / expected;
        }
    }
    let freedom = (table.len() - 1) * (columns - 1);
    let p_value = ChiSquaredDistribution::new(real_len(freedom))
        .map_err(|_| DualSystemError::TestEmptyMargin { test })?
        .sf(statistic);
    Ok(ChiSquared {
        statistic,
        degrees_of_freedom: u32::try_from(freedom).unwrap_or(u32::MAX),
        p_value,
    })
}
