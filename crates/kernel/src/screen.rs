use std::ops::Range;

use crate::cut::{Linear, Starts};
use crate::matrix::{FilterMatrix, LANES, Lanes, PackedMatrix};

/// A part of each filter that is compared before the whole: pairs whose parts differ in as many bits as their limit are
/// strangers, and are not looked at again.
#[derive(Debug, Clone)]
pub(crate) struct Screen {
    part: Part,
    /// Words of a part.
    words: usize,
    /// Words of a filter.
    filter_words: usize,
    /// Of parts: those that differ in no more bits than they allow pass.
    starts: Starts,
}

/// What is taken of a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Word j is words j, j + k, j + 2k, … of the filter, added up without carry, for parts of k words. Two of them differ in a
    /// bit where the filters differ in an odd number of those it stands for: in no more bits than the filters. Strangers differ
    /// in nearly half of all bits whatever they are folded to, and so in more of k words folded from all than of the first k.
    Folded,
    /// The first words as they are.
    FirstWords,
}

/// What a row and a group take beside their words, in words.
const TILE_WORDS: f64 = 0.7;
/// What a row and a group of which some pair passes take beside all of their words, in words.
const HIT_WORDS: f64 = 100.0;
/// A screen that is not expected to save at least this share of the work is left out.
const LEAST_SAVING: f64 = 0.08;
/// Rows and groups looked at to see what a screen would save.
pub(crate) const SAMPLED: usize = 64;
/// Lengths of parts looked at, about.
const LENGTHS: usize = 16;

impl Screen {
    /// A part of `words` words of filters of `filter_words`. Parts that differ in no more bits than `linear` allows pass.
    pub(crate) fn new(part: Part, words: usize, filter_words: usize, linear: Linear) -> Self {
        Self {
            part,
            words,
            filter_words,
            starts: linear.to_starts(u32::try_from(filter_words * 64).expect("at most 4096")),
        }
    }

    /// The screen of all lengths that saves most, with what a row and a group then take in words; `None` where none saves
    /// enough. `linear_of` tells how many bits parts of so many words may differ in.
    pub(crate) fn best(
        part: Part,
        left: &FilterMatrix<'_>,
        right: &PackedMatrix,
        linear_of: impl Fn(usize) -> Linear,
    ) -> Option<(Self, f64)> {
        let filter_words = left.words_per_filter();
        let groups = right.len() / LANES;
        if left.is_empty() || groups == 0 {
            return None;
        }
        let rows: Vec<usize> = evenly(left.len(), SAMPLED).collect();
        let groups: Vec<usize> = evenly(groups, SAMPLED).collect();
        let mut best = (None, (1.0 - LEAST_SAVING) * whole_words(filter_words));
        for words in (1..filter_words).step_by(filter_words.div_ceil(LENGTHS)) {
            let screen = Self::new(part, words, filter_words, linear_of(words));
            let hits = to_f64(screen.hits(left, &rows, right, &groups)) / to_f64(rows.len() * groups.len());
            let taken = screen.taken_words(hits);
            if taken < best.1 {
                best = (Some(screen), taken);
            }
        }
        let (screen, taken) = best;
        screen.map(|screen| (screen, taken))
    }

    /// Of how many of the rows and groups some pair passes.
    fn hits(&self, left: &FilterMatrix<'_>, rows: &[usize], right: &PackedMatrix, groups: &[usize]) -> usize {
        let parts: Vec<Vec<u64>> = rows.iter().map(|&row| self.of_rows(left, row..row + 1)).collect();
        let mut lanes = Vec::new();
        let mut hits = 0;
        for &group in groups {
            self.of_groups(right, group..group + 1, &mut lanes);
            for (part, &row) in parts.iter().zip(rows) {
                let left_start = self.starts.of_left(left.ones(row));
                let mut counts: [i64; LANES] = std::array::from_fn(|lane| {
                    left_start + self.starts.of_right(right.ones_of_group(group)[lane])
                });
                for (word, lanes) in part.iter().zip(&lanes) {
                    for (count, lane) in counts.iter_mut().zip(lanes.0) {
                        *count += i64::from((word ^ lane).count_ones());
                    }
                }
                hits += usize::from(counts.iter().any(|count| *count < 0));
            }
        }
        hits
    }

    /// What a row and a group take, in words, if of this share of them some pair passes.
    fn taken_words(&self, hits: f64) -> f64 {
        to_f64(self.words) + TILE_WORDS + hits * (to_f64(self.filter_words) + HIT_WORDS)
    }

    /// Whether the screen takes less than no screen would, if some pair of so many of so many rows and groups passes.
    pub(crate) fn pays(&self, hits: usize, of: usize) -> bool {
        self.taken_words(to_f64(hits) / to_f64(of)) < whole_words(self.filter_words)
    }

    /// Whether no pair that is in can fail to pass.
    pub(crate) const fn is_exact(&self) -> bool {
        match self.part {
            Part::Folded => true,
            Part::FirstWords => false,
        }
    }

    /// Words of a part.
    pub(crate) const fn words(&self) -> usize {
        self.words
    }

    /// Where counts of the bits start in which parts differ.
    pub(crate) const fn starts(&self) -> &Starts {
        &self.starts
    }

    /// The parts of some rows, row-major.
    pub(crate) fn of_rows(&self, left: &FilterMatrix<'_>, rows: Range<usize>) -> Vec<u64> {
        let mut parts = Vec::with_capacity(rows.len() * self.words);
        for row in rows {
            let (first, rest) = left.row(row).split_at(self.words);
            let start = parts.len();
            parts.extend_from_slice(first);
            match self.part {
                Part::FirstWords => {}
                Part::Folded => {
                    for chunk in rest.chunks(self.words) {
                        for (part, word) in parts[start..].iter_mut().zip(chunk) {
                            *part ^= word;
                        }
                    }
                }
            }
        }
        parts
    }

    /// The parts of some groups, groups × words, in place of what `parts` held.
    pub(crate) fn of_groups(&self, right: &PackedMatrix, groups: Range<usize>, parts: &mut Vec<Lanes>) {
        parts.clear();
        for group in groups {
            let (first, rest) = right.group(group).split_at(self.words);
            let start = parts.len();
            parts.extend_from_slice(first);
            match self.part {
                Part::FirstWords => {}
                Part::Folded => {
                    for chunk in rest.chunks(self.words) {
                        for (part, lanes) in parts[start..].iter_mut().zip(chunk) {
                            for (part, lane) in part.0.iter_mut().zip(lanes.0) {
                                *part ^= lane;
                            }
                        }
                    }
                }
            }
        }
    }
}

impl Linear {
    /// A formula that allows every limit of a table, and hardly more around `ones`.
    pub(crate) fn above(limits: &[u32], ones: usize) -> Self {
        /// What slopes are fractions of.
        const DENOMINATOR: i64 = 1 << 12;
        let reach = limits.len() / 16;
        let (low, high) = (ones.saturating_sub(reach), (ones + reach).min(limits.len() - 1));
        let width = i64::try_from((high - low).max(1)).expect("a number of bits");
        let rise = i64::from(limits[high]) - i64::from(limits[low]);
        let per_one = rise.max(0) * DENOMINATOR / width;
        let constant = (0..)
            .zip(limits)
            .map(|(ones, &limit)| (i64::from(limit) - 1) * DENOMINATOR - per_one * ones)
            .max()
            .unwrap_or(0);
        Self {
            per_distance: DENOMINATOR,
            per_one,
            constant,
        }
    }
}

/// What a row and a group take where all words are compared.
fn whole_words(filter_words: usize) -> f64 {
    to_f64(filter_words) + TILE_WORDS
}

/// At most `wanted` of `len` positions, evenly spaced.
pub(crate) fn evenly(len: usize, wanted: usize) -> impl Iterator<Item = usize> {
    let count = len.min(wanted);
    (0..count).map(move |position| position * len / count)
}

#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "counts of rows and groups, to be weighed"
)]
pub(crate) fn to_f64(count: usize) -> f64 {
    count as f64
}
