use std::collections::BTreeMap;
use std::path::Path;

use rayon::prelude::*;
use serde::Serialize;

use crate::extract::{ExtractError, ExtractReader};
use crate::mapping::Mapping;
use crate::report::{Occurrences, ReadReport};
use crate::script::Script;

mod count;
mod facts;
mod tally;

pub use facts::Implausibility;

/// What a mapping makes of a register, field by field, without any value of it.
///
/// Its JSON form is stable: keys are those of the fields here, enum values their names in snake case; keys may be added under
/// the same `version`, and none removed or given another meaning.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// Version of the JSON form, 1.
    pub version: u32,
    /// Rows read, refused, and problems by kind.
    pub read: ReadReport,
    /// Each mapped field.
    pub fields: Vec<FieldInspection>,
    /// Birth dates on 1 January, which registers write when they know the year only; `None` when no birth
    /// date is mapped or filled.
    pub first_of_january: Option<FirstOfJanuary>,
    /// Other days and years that stand for "not known"; `None` when no birth date is mapped or filled.
    pub birth_days: Option<BirthDays>,
    /// Moves by direction (seen from the reporter), other country and year; empty for persons only.
    pub moves: Vec<MoveCount>,
}

/// One field of a register.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FieldInspection {
    /// The field, as in the mapping; `patronymics` are the names of father and grandfather.
    pub field: &'static str,
    /// Usable rows with a value.
    pub filled: u64,
    /// The same as a share of the usable rows.
    pub filled_share: f64,
    /// Different values.
    pub distinct: u64,
    /// Whether that is an estimate, as it is beyond 50,000 (standard error 0.8 %).
    pub distinct_is_estimate: bool,
    /// Values of which a part is a default and left out: birth dates on 1 January, imputed or estimated.
    pub defaulted: u64,
    /// Values that are hard to believe, by reason; their rows are used.
    pub implausible: BTreeMap<Implausibility, Occurrences>,
    /// Share of the most frequent value, at least, of names where it is 1 % or more of 100 or more: a frequent name, or a
    /// placeholder.
    pub most_frequent_share: Option<f64>,
    /// The most frequent lengths of texts, at most three; 255 stands for longer ones too.
    pub lengths: Vec<LengthCount>,
    /// Scripts of texts with letters.
    pub scripts: BTreeMap<Script, u64>,
}

/// How many texts have a length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LengthCount {
    /// The length in characters.
    pub characters: usize,
    /// How many.
    pub count: u64,
}

/// Birth dates on 1 January.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct FirstOfJanuary {
    /// How many.
    pub count: u64,
    /// As a share of the full birth dates.
    pub share: f64,
    /// How many times the share of an ordinary day, 1/365.25.
    pub times_uniform: f64,
}

/// Days and years of birth that stand for "not known" when they are too frequent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BirthDays {
    /// Birth dates with year, month and day.
    pub full_dates: u64,
    /// Those on the first of a month, 1 January among them.
    pub first_of_month: ShareCount,
    /// Those on the 15th of a month.
    pub fifteenth_of_month: ShareCount,
    /// Share of the most frequent birth year.
    pub most_frequent_year_share: f64,
}

/// A count beside what it would be if all days were alike.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ShareCount {
    /// How many.
    pub count: u64,
    /// As a share.
    pub share: f64,
    /// The share if all days were alike.
    pub uniform_share: f64,
}

/// Moves of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MoveCount {
    /// `emigration` or `immigration`.
    pub direction: &'static str,
    /// ISO code of the other country; `None` when not recorded.
    pub counterpart: Option<String>,
    /// Year of the event.
    pub year: i16,
    /// How many.
    pub count: u64,
}

/// Rows read at a time.
const CHUNK_RECORDS: usize = 8192;

/// Reads a register through a mapping and counts what was understood, on the current rayon pool. Memory does not grow with rows;
/// what finds record ids that stand twice grows on the disk, by 24 bytes a row.
///
/// # Errors
/// When the file or the mapping cannot be used.
pub fn inspect(path: &Path, mapping: &Mapping) -> Result<Inspection, ExtractError> {
    let mut reader = ExtractReader::open(path, mapping)?;
    let mut tally = tally::Tally::default();
    while let Some(records) = reader.read_chunk(CHUNK_RECORDS)? {
        let facts: Vec<_> = records
            .par_iter()
            .with_min_len(256)
            .map(|record| facts::facts(record, mapping))
            .collect();
        for (record, facts) in records.iter().zip(facts) {
            tally.add(record, facts);
        }
    }
    Ok(Inspection {
        version: 1,
        read: reader.finish()?,
        fields: tally.fields(),
        first_of_january: tally.first_of_january(),
        birth_days: tally.birth_days(),
        moves: tally.into_moves(),
    })
}

#[expect(clippy::cast_precision_loss, reason = "a share for people to read")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

#[cfg(test)]
mod tests;
