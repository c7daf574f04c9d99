//! Counts over all records.

use std::collections::BTreeMap;

use super::count::{Distinct, Frequent};
use super::facts::{FIELDS, FieldFacts, Implausibility, is_name};
use super::{BirthDays, FieldInspection, FirstOfJanuary, LengthCount, MoveCount, ShareCount, share};
use crate::record::Record;
use crate::report::Occurrences;
use crate::script::Script;

/// Lengths that are told apart, in characters.
const LENGTHS: usize = 256;

/// Lengths that are reported.
const REPORTED_LENGTHS: usize = 3;

/// The most frequent value is reported from this share on.
const FREQUENT_SHARE: f64 = 0.01;

/// Of so many moves …
const MOVES_FOR_OUTLIERS: u64 = 100;

/// … those so many months after 99 of 100 are hard to believe.
const OUTLIER_MONTHS: i32 = 12;

struct FieldTally {
    filled: u64,
    defaulted: u64,
    distinct: Distinct,
    frequent: Frequent,
    lengths: Vec<u64>,
    scripts: BTreeMap<Script, u64>,
    implausible: BTreeMap<Implausibility, Occurrences>,
}

/// Counts over all records. Its memory does not grow with them.
#[derive(Default)]
pub(super) struct Tally {
    usable: u64,
    fields: BTreeMap<usize, FieldTally>,
    full_births: u64,
    first_of_january: u64,
    first_of_month: u64,
    fifteenth: u64,
    birth_years: BTreeMap<i16, u64>,
    moves: BTreeMap<(&'static str, Option<String>, i16), u64>,
    /// Moves by months since year 0.
    event_months: BTreeMap<i32, u64>,
    /// The lines of the latest moves, with their months.
    latest: Vec<(i32, u64)>,
}

impl Tally {
    /// Counts a record.
    pub(super) fn add(&mut self, record: &Record, facts: Vec<FieldFacts>) {
        self.usable += 1;
        for facts in facts {
            self.fields
                .entry(facts.field)
                .or_insert_with(FieldTally::new)
                .add(&facts, record.line);
        }
        self.add_birth(record);
        let Some(event) = record.event else {
            return;
        };
        let date = event.date.date;
        let key = (
            event.direction.as_str(),
            event.counterpart.map(|country| country.to_string()),
            date.year(),
        );
        *self.moves.entry(key).or_default() += 1;
        let month = i32::from(date.year()) * 12 + i32::from(date.month());
        *self.event_months.entry(month).or_default() += 1;
        self.keep_latest(month, record.line);
    }

    fn add_birth(&mut self, record: &Record) {
        let birth = record.birth;
        if let Some(year) = birth.year {
            *self.birth_years.entry(year).or_default() += 1;
        }
        let day = if birth.first_of_january {
            1
        } else if let Some((_, day)) = birth.month_day {
            day
        } else {
            return;
        };
        self.full_births += 1;
        self.first_of_january += u64::from(birth.first_of_january);
        self.first_of_month += u64::from(day == 1);
        self.fifteenth += u64::from(day == 15);
    }

    fn keep_latest(&mut self, month: i32, line: u64) {
        let is_full = self.latest.len() == Occurrences::MAX_LINES;
        if is_full && self.latest.last().is_some_and(|(last, _)| *last >= month) {
            return;
        }
        self.latest.push((month, line));
        self.latest
            .sort_by_key(|&(month, line)| (std::cmp::Reverse(month), line));
        self.latest.truncate(Occurrences::MAX_LINES);
    }

    /// Moves long after nearly all others.
    fn outliers(&self) -> Option<Occurrences> {
        let total: u64 = self.event_months.values().sum();
        if total < MOVES_FOR_OUTLIERS {
            return None;
        }
        let mut before = 0;
        let (most, _) = self.event_months.iter().find(|(_, count)| {
            before += **count;
            before * 100 >= total * 99
        })?;
        let limit = most + OUTLIER_MONTHS;
        let count: u64 = self.event_months.range(limit + 1..).map(|(_, count)| count).sum();
        let mut first_lines: Vec<u64> = self
            .latest
            .iter()
            .filter(|(month, _)| *month > limit)
            .map(|(_, line)| *line)
            .collect();
        first_lines.sort_unstable();
        (count > 0).then_some(Occurrences {
            count,
            column: None,
            first_lines,
        })
    }

    pub(super) fn fields(&mut self) -> Vec<FieldInspection> {
        let outliers = self.outliers();
        if let (Some(outliers), Some(event_date)) = (outliers, self.fields.get_mut(&13)) {
            event_date
                .implausible
                .insert(Implausibility::MoveAfterAllOthers, outliers);
        }
        self.fields
            .iter()
            .map(|(&field, tally)| tally.to_inspection(field, self.usable))
            .collect()
    }

    pub(super) fn first_of_january(&self) -> Option<FirstOfJanuary> {
        let share = share(self.first_of_january, self.full_births);
        (self.full_births > 0).then_some(FirstOfJanuary {
            count: self.first_of_january,
            share,
            times_uniform: share * 365.25,
        })
    }

    pub(super) fn birth_days(&self) -> Option<BirthDays> {
        let count = |count: u64, uniform: f64| ShareCount {
            count,
            share: share(count, self.full_births),
            uniform_share: uniform,
        };
        let known_years: u64 = self.birth_years.values().sum();
        (self.full_births > 0).then(|| BirthDays {
            full_dates: self.full_births,
            first_of_month: count(self.first_of_month, 12.0 / 365.25),
            fifteenth_of_month: count(self.fifteenth, 12.0 / 365.25),
            most_frequent_year_share: share(
                self.birth_years.values().copied().max().unwrap_or(0),
                known_years,
            ),
        })
    }

    pub(super) fn into_moves(self) -> Vec<MoveCount> {
        self.moves
            .into_iter()
            .map(|((direction, counterpart, year), count)| MoveCount {
                direction,
                counterpart,
                year,
                count,
            })
            .collect()
    }
}

impl FieldTally {
    fn new() -> Self {
        Self {
            filled: 0,
            defaulted: 0,
            distinct: Distinct::default(),
            frequent: Frequent::default(),
            lengths: vec![0; LENGTHS],
            scripts: BTreeMap::new(),
            implausible: BTreeMap::new(),
        }
    }

    fn add(&mut self, facts: &FieldFacts, line: u64) {
        for problem in &facts.implausible {
            let occurrences = self.implausible.entry(*problem).or_default();
            occurrences.count += 1;
            if occurrences.first_lines.len() < Occurrences::MAX_LINES {
                occurrences.first_lines.push(line);
            }
        }
        if facts.hash == 0 {
            return;
        }
        self.filled += 1;
        self.defaulted += u64::from(facts.is_default);
        self.distinct.add(facts.hash);
        if is_name(facts.field) {
            self.frequent.add(facts.hash);
        }
        if let Some(len) = facts.len {
            self.lengths[len.min(LENGTHS - 1)] += 1;
        }
        if let Some(script) = facts.script {
            *self.scripts.entry(script).or_default() += 1;
        }
    }

    fn to_inspection(&self, field: usize, usable: u64) -> FieldInspection {
        let (distinct, distinct_is_estimate) = self.distinct.count();
        let most_frequent = share(self.frequent.most(), self.filled);
        let mut lengths: Vec<LengthCount> = self
            .lengths
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0)
            .map(|(characters, &count)| LengthCount { characters, count })
            .collect();
        lengths.sort_by_key(|length| (std::cmp::Reverse(length.count), length.characters));
        lengths.truncate(REPORTED_LENGTHS);
        FieldInspection {
            field: FIELDS[field],
            filled: self.filled,
            filled_share: share(self.filled, usable),
            distinct: if distinct_is_estimate {
                distinct.min(self.filled)
            } else {
                distinct
            },
            distinct_is_estimate,
            defaulted: self.defaulted,
            implausible: self.implausible.clone(),
            most_frequent_share: (most_frequent >= FREQUENT_SHARE && self.filled >= 100)
                .then_some(most_frequent),
            lengths,
            scripts: self.scripts.clone(),
        }
    }
}
