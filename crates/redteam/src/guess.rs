//! From scores to guesses, and from guesses to how good they were.

use rayon::prelude::*;
use serde::Serialize;

use crate::dense::Dense;

/// Whom the attacker takes a target record for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Guess {
    /// Record of the attacker's list.
    pub list_record: usize,
    /// How sure the attacker is; only comparisons within one attack mean something.
    pub confidence: f64,
}

/// The two best of one row or column; ties go to the lower index.
#[derive(Clone, Copy)]
struct Best {
    index: usize,
    best: f32,
    second: f32,
}

impl Best {
    const NONE: Self = Self {
        index: usize::MAX,
        best: f32::NEG_INFINITY,
        second: f32::NEG_INFINITY,
    };

    fn take(&mut self, index: usize, score: f32) {
        if score > self.best {
            self.second = self.best;
            self.best = score;
            self.index = index;
        } else if score > self.second {
            self.second = score;
        }
    }

    /// Adds what was found at higher indices.
    fn merge(&mut self, later: Self) {
        let second = self.best.min(later.best).max(self.second).max(later.second);
        if later.best > self.best {
            *self = later;
        }
        self.second = second;
    }
}

/// Rows of scores one task reads to find the best of every column.
const BLOCK_ROWS: usize = 256;

/// The best of every row and column of a matrix of scores.
pub(crate) struct Bests {
    rows: Vec<Best>,
    columns: Vec<Best>,
}

impl Bests {
    /// Of `scores`, target records × list records.
    pub(crate) fn of(scores: &Dense) -> Self {
        let rows = scores
            .par_rows()
            .map(|row| {
                let mut best = Best::NONE;
                for (column, &score) in row.iter().enumerate() {
                    best.take(column, score);
                }
                best
            })
            .collect();
        let blocks: Vec<usize> = (0..scores.rows()).step_by(BLOCK_ROWS).collect();
        let partial: Vec<Vec<Best>> = blocks
            .into_par_iter()
            .map(|first| {
                let mut columns = vec![Best::NONE; scores.columns()];
                for row in first..(first + BLOCK_ROWS).min(scores.rows()) {
                    for (best, &score) in columns.iter_mut().zip(scores.row(row)) {
                        best.take(row, score);
                    }
                }
                columns
            })
            .collect();
        let mut columns = vec![Best::NONE; scores.columns()];
        for block in partial {
            for (best, later) in columns.iter_mut().zip(block) {
                best.merge(later);
            }
        }
        Self { rows, columns }
    }

    /// Margin of a row's best pair over the best other pair of its row and of its column; negative when the column
    /// prefers another row.
    fn margin(&self, row: usize) -> f32 {
        let best = self.rows[row];
        let Some(column) = self.columns.get(best.index) else {
            return f32::NEG_INFINITY;
        };
        let rival = if column.index == row {
            column.second
        } else {
            column.best
        };
        let margin = best.best - best.second.max(rival);
        // A column or row of one has no second.
        if margin.is_finite() { margin } else { 0.0 }
    }

    /// Pairs that are each other's best, most confident first, as (target, list).
    pub(crate) fn mutual_pairs(&self) -> Vec<(usize, usize)> {
        let mut pairs: Vec<(f32, usize)> = (0..self.rows.len())
            .filter(|&row| {
                self.columns
                    .get(self.rows[row].index)
                    .is_some_and(|column| column.index == row)
            })
            .map(|row| (self.margin(row), row))
            .collect();
        pairs.sort_unstable_by(|l, r| r.0.total_cmp(&l.0).then(l.1.cmp(&r.1)));
        pairs
            .into_iter()
            .map(|(_, row)| (row, self.rows[row].index))
            .collect()
    }

    /// A guess for every row.
    pub(crate) fn guesses(&self) -> Vec<Guess> {
        (0..self.rows.len())
            .map(|row| Guess {
                list_record: self.rows[row].index,
                confidence: f64::from(self.margin(row)),
            })
            .collect()
    }
}

/// How good guesses were, by the truth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Score {
    /// Target records that are in the list and were not known before.
    pub overlap_count: usize,
    /// Share of those that were named right.
    pub top1: f64,
    /// Share right among the most confident 5 % of all guesses (at least one guess), known ones left out.
    pub precision_top5: f64,
}

impl Score {
    /// Judges `guesses`, one per target record. `truth` has for every target record its record in the list, if it
    /// is in it; target records of `seeds` were known and are not counted.
    ///
    /// # Panics
    /// When `truth` has not as many records as `guesses`.
    pub fn of(guesses: &[Guess], truth: &[Option<usize>], seeds: &[(usize, usize)]) -> Self {
        assert_eq!(guesses.len(), truth.len(), "a truth for every guess");
        let mut known = vec![false; guesses.len()];
        for &(target, _) in seeds {
            known[target] = true;
        }
        let mut open: Vec<usize> = (0..guesses.len()).filter(|&target| !known[target]).collect();
        let right = |target: &usize| truth[*target] == Some(guesses[*target].list_record);
        let overlap_count = open.iter().filter(|&&target| truth[target].is_some()).count();
        let right_count = open.iter().filter(|target| right(target)).count();
        open.sort_by(|&l, &r| {
            guesses[r]
                .confidence
                .total_cmp(&guesses[l].confidence)
                .then(l.cmp(&r))
        });
        let confident = (open.len() / 20).max(1).min(open.len());
        let confident_right = open[..confident].iter().filter(|target| right(target)).count();
        Self {
            overlap_count,
            top1: share(right_count, overlap_count),
            precision_top5: share(confident_right, confident),
        }
    }
}

/// `part / whole`, zero where there is nothing.
pub(crate) fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mutual_pairs_come_by_margin_and_guesses_for_every_row() {
        let mut scores = Dense::zeros(3, 3);
        scores.row_mut(0).copy_from_slice(&[0.9, 0.1, 0.0]);
        scores.row_mut(1).copy_from_slice(&[0.8, 0.2, 0.1]);
        scores.row_mut(2).copy_from_slice(&[0.0, 0.1, 0.9]);
        let bests = Bests::of(&scores);
        assert_eq!(bests.mutual_pairs(), [(2, 2), (0, 0)]);
        let guesses = bests.guesses();
        assert_eq!(guesses[1].list_record, 0);
        assert!((guesses[1].confidence - -0.1).abs() < 1e-6);
        assert!((guesses[0].confidence - 0.1).abs() < 1e-6);
    }

    #[test]
    fn only_open_records_of_the_list_are_counted() {
        let guesses: Vec<Guess> = (0..40)
            .map(|record| Guess {
                list_record: record,
                confidence: f64::from(u32::try_from(record).unwrap()),
            })
            .collect();
        let mut truth = vec![None; 40];
        truth[0] = Some(0);
        truth[1] = Some(2);
        truth[39] = Some(39);
        truth[38] = Some(38);
        let score = Score::of(&guesses, &truth, &[(39, 39)]);
        assert_eq!(score.overlap_count, 3);
        assert!((score.top1 - 2.0 / 3.0).abs() < 1e-12);
        assert!((score.precision_top5 - 1.0).abs() < 1e-12);
    }
}
