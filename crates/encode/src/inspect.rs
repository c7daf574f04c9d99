use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use corridor_core::{Digest, Sex};
use serde::Serialize;

use crate::extract::{ExtractError, ExtractReader};
use crate::mapping::Mapping;
use crate::record::Record;
use crate::report::ReadReport;

/// What a mapping makes of a register, field by field, without any value of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// Rows read, refused, and problems by kind.
    pub read: ReadReport,
    /// Each mapped field.
    pub fields: Vec<FieldInspection>,
    /// Birth dates on 1 January, which registers write when they know the year only; `None` when no birth
    /// date is mapped or filled.
    pub first_of_january: Option<FirstOfJanuary>,
    /// Moves by direction (seen from the reporter), other country and year; empty for persons only.
    pub moves: Vec<MoveCount>,
}

/// One field of a register.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FieldInspection {
    /// The field, as in the mapping.
    pub field: &'static str,
    /// Usable rows with a value.
    pub filled: u64,
    /// The same as a share of the usable rows.
    pub filled_share: f64,
    /// Different values.
    pub distinct: u64,
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

#[derive(Default)]
struct FieldTally {
    filled: u64,
    /// Digests, so that no value stays in memory.
    distinct: HashSet<[u8; 8]>,
}

impl FieldTally {
    fn add(&mut self, value: &str) {
        if !value.is_empty() {
            self.filled += 1;
            let digest = Digest::of(value.as_bytes());
            self.distinct
                .insert(digest.as_bytes()[..8].try_into().expect("eight of 32 bytes"));
        }
    }
}

/// Rows read at a time.
const CHUNK_RECORDS: usize = 8192;

/// Reads a register through a mapping and counts what was understood.
///
/// # Errors
/// When the file or the mapping cannot be used.
pub fn inspect(path: &Path, mapping: &Mapping) -> Result<Inspection, ExtractError> {
    let mut reader = ExtractReader::open(path, mapping)?;
    let mut tallies: BTreeMap<usize, (&'static str, FieldTally)> = BTreeMap::new();
    let mut moves: BTreeMap<(&'static str, Option<String>, i16), u64> = BTreeMap::new();
    let (mut full_dates, mut first_of_january, mut usable) = (0_u64, 0_u64, 0_u64);
    while let Some(records) = reader.read_chunk(CHUNK_RECORDS)? {
        for record in &records {
            usable += 1;
            for (position, (field, value)) in field_values(record, mapping).into_iter().enumerate() {
                let (_, tally) = tallies.entry(position).or_insert((field, FieldTally::default()));
                tally.add(&value);
            }
            if record.birth.month_day.is_some() || record.birth.first_of_january {
                full_dates += 1;
                first_of_january += u64::from(record.birth.first_of_january);
            }
            if let Some(event) = record.event {
                let key = (
                    event.direction.as_str(),
                    event.counterpart.map(|country| country.to_string()),
                    event.date.year(),
                );
                *moves.entry(key).or_default() += 1;
            }
        }
    }
    Ok(Inspection {
        read: reader.finish()?,
        fields: tallies
            .into_values()
            .map(|(field, tally)| FieldInspection {
                field,
                filled: tally.filled,
                filled_share: share(tally.filled, usable),
                distinct: u64::try_from(tally.distinct.len()).expect("a length fits"),
            })
            .collect(),
        first_of_january: (full_dates > 0).then(|| FirstOfJanuary {
            count: first_of_january,
            share: share(first_of_january, full_dates),
            times_uniform: share(first_of_january, full_dates) * 365.25,
        }),
        moves: moves
            .into_iter()
            .map(|((direction, counterpart, year), count)| MoveCount {
                direction,
                counterpart,
                year,
                count,
            })
            .collect(),
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

/// The mapped fields of a record with their values, in a fixed order.
fn field_values(record: &Record, mapping: &Mapping) -> Vec<(&'static str, String)> {
    let columns = &mapping.columns;
    let mut values = vec![("record_id", record.record_id.clone())];
    let mut add = |mapped: bool, field: &'static str, value: String| {
        if mapped {
            values.push((field, value));
        }
    };
    add(
        columns.person_key.is_some(),
        "person_key",
        record.person_key.clone(),
    );
    add(
        !columns.given_names.is_empty(),
        "given_names",
        record.given_names.trim().to_owned(),
    );
    add(
        !columns.family_names.is_empty(),
        "family_names",
        record.family_names.trim().to_owned(),
    );
    let birth = match (record.birth.year, record.birth.month_day) {
        (None, _) => String::new(),
        (Some(year), month_day) => format!("{year} {month_day:?}"),
    };
    add(columns.birth_date.is_some(), "birth_date", birth);
    let sex = if record.sex == Sex::Unknown {
        ""
    } else {
        record.sex.as_str()
    };
    add(columns.sex.is_some(), "sex", sex.to_owned());
    let country = |code: Option<corridor_core::CountryCode>| code.map_or_else(String::new, |c| c.to_string());
    add(
        columns.citizenship.is_some(),
        "citizenship",
        country(record.citizenship),
    );
    add(
        columns.birth_country.is_some(),
        "birth_country",
        country(record.birth_country),
    );
    add(
        !columns.address.is_empty(),
        "address",
        record.address.trim().to_owned(),
    );
    add(columns.postcode.is_some(), "postcode", record.postcode.clone());
    if let Some(event) = record.event {
        add(true, "event_date", event.date.date.to_string());
        add(true, "direction", event.direction.as_str().to_owned());
        add(true, "counterpart", country(event.counterpart));
    }
    values
}
