//! Frequency attack on field filters: the commonest filter is the commonest name.

use std::collections::BTreeMap;

use corridor_core::Filters;
use serde::Serialize;

use crate::guess::share;
use crate::plain::{PlainList, PlainRecord};
use crate::scheme::Segment;
use crate::similarity::ones;

/// Values of a field aligned, the most frequent first; rarer ones cannot be told apart by their frequency.
const ALIGNED: usize = 500;

/// What an attacker reads off the filters of one field. Holds values of people: no `Serialize`, and `Debug` shows
/// sizes.
#[derive(Clone)]
pub struct FieldGuesses {
    field: String,
    /// Per target record, the tokens guessed.
    values: Vec<Option<Value>>,
    /// The commonest value of the list.
    commonest: Value,
}

/// Texts of the field's tokens, ascending.
type Value = Vec<String>;

/// How much of a field was recovered.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FrequencyScore {
    /// The field.
    pub field: String,
    /// Records that have a value in the field.
    pub record_count: usize,
    /// Share of those whose value was recovered.
    pub recovered: f64,
    /// Share that is right when every record is said to have the commonest value of the list.
    pub guessed_blindly: f64,
}

/// Aligns the most frequent filters of `segment` with the most frequent values of its field in `list`, by how often
/// they occur and by how many bits a value would set: neither needs the key.
///
/// # Panics
/// When the segment passes the end of the filters.
pub fn attack_by_frequency(target: &Filters, segment: &Segment, list: &PlainList) -> FieldGuesses {
    let cuts: Vec<Vec<u64>> = (0..target.len())
        .map(|row| segment.cut(target.row(row)))
        .collect();
    let mut filter_counts: BTreeMap<&[u64], usize> = BTreeMap::new();
    for cut in cuts.iter().filter(|cut| ones(cut) > 0) {
        *filter_counts.entry(cut).or_default() += 1;
    }
    let mut value_counts: BTreeMap<Value, (usize, f64)> = BTreeMap::new();
    for record in list.records() {
        let value = value_of(list, record, &segment.field);
        if !value.is_empty() {
            let expected = expected_ones(list, record, segment);
            value_counts.entry(value).or_insert((0, expected)).0 += 1;
        }
    }
    let filters = most_frequent(filter_counts.iter().map(|(&filter, &count)| (count, filter)));
    let mut values = most_frequent(
        value_counts
            .iter()
            .map(|(value, &(count, ones))| (count, (value, ones))),
    );
    let (filter_total, value_total) = (
        filter_counts.values().sum::<usize>() as f64,
        value_counts.values().map(|(count, _)| count).sum::<usize>() as f64,
    );
    let commonest = values
        .first()
        .map_or_else(Vec::new, |(_, (value, _))| (*value).clone());
    let mut meaning: BTreeMap<&[u64], Value> = BTreeMap::new();
    for (count, filter) in filters {
        let cost = |&(other, (_, expected)): &(usize, (&Value, f64))| {
            // Variance of a log frequency is about one over the count.
            let difference = (count as f64 / filter_total).ln() - (other as f64 / value_total).ln();
            let by_frequency = difference * difference / (1.0 / count as f64 + 1.0 / other as f64);
            let missing = f64::from(ones(filter)) - expected;
            by_frequency + missing * missing / (1.0 + expected / 10.0)
        };
        let nearest = values
            .iter()
            .enumerate()
            .min_by(|(_, left), (_, right)| cost(left).total_cmp(&cost(right)))
            .map(|(index, _)| index);
        if let Some(index) = nearest {
            meaning.insert(filter, values.remove(index).1.0.clone());
        }
    }
    FieldGuesses {
        field: segment.field.clone(),
        values: cuts
            .iter()
            .map(|cut| meaning.get(cut.as_slice()).cloned())
            .collect(),
        commonest,
    }
}

impl FieldGuesses {
    /// Compares with what the target records say, `truth`, in the same order.
    ///
    /// # Panics
    /// When `truth` has not as many records as the target.
    pub fn score(&self, truth: &PlainList) -> FrequencyScore {
        assert_eq!(truth.len(), self.values.len(), "a truth for every guess");
        let (mut count, mut right, mut blind) = (0, 0, 0);
        for (record, guess) in truth.records().iter().zip(&self.values) {
            let value = value_of(truth, record, &self.field);
            if value.is_empty() {
                continue;
            }
            count += 1;
            right += usize::from(guess.as_ref() == Some(&value));
            blind += usize::from(self.commonest == value);
        }
        FrequencyScore {
            field: self.field.clone(),
            record_count: count,
            recovered: share(right, count),
            guessed_blindly: share(blind, count),
        }
    }
}

/// Says how many there are, never what.
impl std::fmt::Debug for FieldGuesses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FieldGuesses({} of {} records)", self.field, self.values.len())
    }
}

fn value_of(list: &PlainList, record: &PlainRecord, field: &str) -> Value {
    let mut value: Value = record
        .tokens
        .iter()
        .filter(|(token, _)| list.field(*token) == field)
        .map(|(token, _)| list.text(*token).to_owned())
        .collect();
    value.sort_unstable();
    value
}

/// Bits that the field's tokens set in a segment, on average over keys.
fn expected_ones(list: &PlainList, record: &PlainRecord, segment: &Segment) -> f64 {
    let len = f64::from(segment.len_bits);
    let unset: f64 = record
        .tokens
        .iter()
        .filter(|(token, _)| list.field(*token) == segment.field)
        .map(|&(_, weight)| 1.0 - f64::from(weight) / len)
        .product();
    len * (1.0 - unset)
}

/// By count, descending; of equal counts, in the order given.
fn most_frequent<T>(counts: impl Iterator<Item = (usize, T)>) -> Vec<(usize, T)> {
    let mut sorted: Vec<_> = counts.collect();
    sorted.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    sorted.truncate(ALIGNED);
    sorted
}
