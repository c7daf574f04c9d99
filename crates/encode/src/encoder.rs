use std::path::Path;

use corridor_core::{
    AgeBands, Counterpart, CountryCode, DatasetManifest, Digest, EncodedDataset, Filters, MigrationEvent,
    OfficeId, Pseudonym,
};
use rayon::prelude::*;
use serde::Serialize;
use zeroize::Zeroize;

use crate::extract::{ExtractError, ExtractReader};
use crate::filters::FilterEncoder;
use crate::key::{KeyUse, LinkageKey, hmac_sha256};
use crate::mapping::Mapping;
use crate::record::Record;
use crate::report::{ReadReport, RowProblem};
use crate::schema::{EncodingSchema, MINIMUM_TOKENS, MatchField};

/// What an encoding job is done under.
#[derive(Debug, Clone, Copy)]
pub struct EncodeTerms<'a> {
    /// The agreement.
    pub agreement: Digest,
    /// The office whose register it is.
    pub office: &'a OfficeId,
    /// The other office's country.
    pub partner: CountryCode,
    /// The schema the agreement names by digest.
    pub schema: &'a EncodingSchema,
    /// The linkage key of the agreement.
    pub key: &'a LinkageKey,
    /// The age bands of the agreement.
    pub age_bands: &'a AgeBands,
}

/// One register, encoded.
pub struct EncodedRegister {
    /// What may be uploaded.
    pub dataset: EncodedDataset,
    /// What stays: which record of the office is which of the dataset, in the dataset's order.
    pub pseudonyms: PseudonymList,
    /// What was read, encoded and refused.
    pub report: EncodeReport,
}

impl std::fmt::Debug for EncodedRegister {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EncodedRegister({} records)", self.dataset.records.len())
    }
}

/// Record ids in the order of a dataset. Wiped on drop.
pub struct PseudonymList(Vec<String>);

impl PseudonymList {
    /// The record id of record `index` of the dataset.
    pub fn record_id(&self, index: usize) -> &str {
        &self.0[index]
    }

    /// The record ids in the order of the dataset.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl std::fmt::Debug for PseudonymList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PseudonymList({})", self.0.len())
    }
}

impl Drop for PseudonymList {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// What an encoding job did. Nothing in it identifies a person.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EncodeReport {
    /// The profile.
    pub profile: &'static str,
    /// Whether the linkage unit must be trusted with a list of the population under this profile.
    pub needs_trusted_unit: bool,
    /// The match fields, in schema order.
    pub match_fields: Vec<&'static str>,
    /// What was read and refused.
    pub read: ReadReport,
    /// Records encoded: rows read less rows refused.
    pub records_encoded: u64,
    /// Persons among them.
    pub persons: u64,
    /// Mean share of bits set in a filter.
    pub mean_fill: f64,
}

/// Why a register was not encoded.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// The file.
    #[error(transparent)]
    Extract(#[from] ExtractError),
    /// The agreement wants a field the mapping has no column for.
    #[error("the agreement encodes {field}, and the mapping names no column for it")]
    FieldUnmapped {
        /// The field.
        field: &'static str,
    },
    /// No row could be used.
    #[error("no row of {rows_read} can be used: {}", summarise(.report))]
    NothingEncoded {
        /// Rows read.
        rows_read: u64,
        /// Why.
        report: Box<ReadReport>,
    },
    /// So many values were taken as missing that the mapping is likely wrong.
    #[error(
        "{count} of {} rows have a value that is not understood: {} (first on line {})",
        .report.rows_read, .problem.as_str(), .first_line
    )]
    ValuesUnreadable {
        /// What is the matter with them.
        problem: RowProblem,
        /// How many.
        count: u64,
        /// The first.
        first_line: u64,
        /// What else was read.
        report: Box<ReadReport>,
    },
    /// More rows were refused than allowed.
    #[error("{} of {} rows cannot be used: {}", .report.rows_refused, .report.rows_read, summarise(.report))]
    RowsRefused {
        /// Why.
        report: Box<ReadReport>,
    },
}

/// The problems of a report in one line.
fn summarise(report: &ReadReport) -> String {
    let parts: Vec<String> = report
        .problems
        .iter()
        .filter(|(problem, _)| problem.refuses_row())
        .map(|(problem, occurrences)| {
            let lines: Vec<String> = occurrences.first_lines.iter().map(u64::to_string).collect();
            let column = occurrences
                .column
                .as_ref()
                .map_or_else(String::new, |column| format!(" in column {column:?}"));
            format!(
                "{} ({} rows{column}, first on line {})",
                problem.as_str(),
                occurrences.count,
                lines.join(", ")
            )
        })
        .collect();
    parts.join("; ")
}

/// Share of the rows that may be refused before a job fails.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct RefusalLimit(f64);

impl RefusalLimit {
    /// No row may be refused.
    pub const NONE: Self = Self(0.0);

    /// At most this share of the rows, in [0, 1]; `None` for anything else.
    pub fn try_new(share: f64) -> Option<Self> {
        (0.0..=1.0).contains(&share).then_some(Self(share))
    }

    #[expect(clippy::cast_precision_loss, reason = "row counts are far below 2^52")]
    fn allows(self, report: &ReadReport) -> bool {
        report.rows_refused as f64 <= self.0 * report.rows_read as f64
    }
}

/// One row in so many may have a value that is not understood: more is a wrong mapping, such as a wrong order of dates.
const MOST_UNREADABLE: u64 = 10;

/// Records encoded at a time.
const CHUNK_RECORDS: usize = 16_384;

struct EncodedRecord {
    record: Pseudonym,
    person: Pseudonym,
    record_id: String,
    filter: Vec<u64>,
    event: Option<MigrationEvent>,
}

/// Reads a register and encodes it, on the current rayon pool. `progress` is told the number of rows read
/// so far, now and then.
///
/// The dataset's records are ordered by pseudonym: a keyed shuffle, the same for the same key and register.
///
/// # Errors
/// When the file, the mapping or the agreement do not fit together, or more rows are refused than `limit`
/// allows; nothing is returned then but the reasons.
pub fn encode_register(
    path: &Path,
    mapping: &Mapping,
    terms: &EncodeTerms<'_>,
    limit: RefusalLimit,
    progress: &dyn Fn(u64),
) -> Result<EncodedRegister, EncodeError> {
    let mapped = mapping.match_fields();
    if let Some(field) = terms.schema.fields().iter().find(|field| !mapped.contains(field)) {
        return Err(EncodeError::FieldUnmapped {
            field: field.as_str(),
        });
    }
    let job = Job::new(terms);
    let mut reader = ExtractReader::open(path, mapping)?;
    let mut encoded: Vec<EncodedRecord> = Vec::new();
    let mut too_short: Vec<u64> = Vec::new();
    loop {
        let Some(records) = reader.read_chunk(CHUNK_RECORDS)? else {
            break;
        };
        let chunk: Vec<Result<EncodedRecord, u64>> = records
            .into_par_iter()
            .with_min_len(256)
            .map_init(
                || FilterEncoder::new(terms.schema, terms.key),
                |encoder, record| job.encode(encoder, &record),
            )
            .collect();
        for result in chunk {
            match result {
                Ok(record) => encoded.push(record),
                Err(line) => too_short.push(line),
            }
        }
        progress(reader.report().rows_read);
    }
    let mut report = reader.finish()?;
    for line in too_short {
        report.add(RowProblem::TooFewTokens, line, None);
    }
    if encoded.is_empty() {
        return Err(EncodeError::NothingEncoded {
            rows_read: report.rows_read,
            report: Box::new(report),
        });
    }
    let unreadable = report.problems.iter().find(|(problem, occurrences)| {
        !problem.refuses_row() && occurrences.count * MOST_UNREADABLE > report.rows_read
    });
    if let Some((&problem, occurrences)) = unreadable {
        return Err(EncodeError::ValuesUnreadable {
            problem,
            count: occurrences.count,
            first_line: occurrences.first_lines.first().copied().unwrap_or(0),
            report: Box::new(report),
        });
    }
    if !limit.allows(&report) {
        return Err(EncodeError::RowsRefused {
            report: Box::new(report),
        });
    }
    encoded.sort_unstable_by_key(|record| record.record);
    Ok(job.into_register(encoded, report, mapping.has_events()))
}

struct Job<'a> {
    terms: &'a EncodeTerms<'a>,
    record_key: zeroize::Zeroizing<[u8; 32]>,
    person_key: zeroize::Zeroizing<[u8; 32]>,
}

impl<'a> Job<'a> {
    fn new(terms: &'a EncodeTerms<'a>) -> Self {
        let office = terms.office.as_str();
        Self {
            terms,
            record_key: terms.key.derive(KeyUse::Person, office, "record"),
            person_key: terms.key.derive(KeyUse::Person, office, "person"),
        }
    }

    /// The encoded record, or the line of one with too few tokens.
    fn encode(&self, encoder: &mut FilterEncoder<'_>, record: &Record) -> Result<EncodedRecord, u64> {
        let tokens = self.terms.schema.tokens(record);
        if tokens.len() < MINIMUM_TOKENS {
            return Err(record.line);
        }
        Ok(EncodedRecord {
            record: pseudonym(&self.record_key, &record.record_id),
            person: pseudonym(&self.person_key, &record.person_key),
            record_id: record.record_id.clone(),
            filter: encoder.encode(&tokens),
            event: self.coarse_event(record),
        })
    }

    fn coarse_event(&self, record: &Record) -> Option<MigrationEvent> {
        let event = record.event?;
        let counterpart = match event.counterpart {
            None => Counterpart::Unknown,
            Some(country) if country == self.terms.partner => Counterpart::Partner,
            Some(_) => Counterpart::Other,
        };
        Some(MigrationEvent {
            direction: event.direction,
            counterpart,
            date: event.date,
            sex: record.sex,
            age_band: age_in_completed_years(record).map(|age_years| self.terms.age_bands.band(age_years)),
        })
    }

    fn into_register(
        self,
        encoded: Vec<EncodedRecord>,
        read: ReadReport,
        has_events: bool,
    ) -> EncodedRegister {
        let terms = self.terms;
        let mut filters = Filters::with_capacity(terms.schema.profile().filter_len(), encoded.len());
        let mut records = Vec::with_capacity(encoded.len());
        let mut persons = Vec::with_capacity(encoded.len());
        let mut events = Vec::with_capacity(encoded.len());
        let mut ids = Vec::with_capacity(encoded.len());
        for record in encoded {
            filters.push(&record.filter);
            records.push(record.record);
            persons.push(record.person);
            events.extend(record.event);
            ids.push(record.record_id);
        }
        let distinct: std::collections::HashSet<&Pseudonym> = persons.iter().collect();
        let report = EncodeReport {
            profile: terms.schema.profile().as_str(),
            needs_trusted_unit: terms.schema.profile().needs_trusted_unit(),
            match_fields: terms
                .schema
                .fields()
                .iter()
                .map(|field| MatchField::as_str(*field))
                .collect(),
            read,
            records_encoded: to_count(records.len()),
            persons: to_count(distinct.len()),
            mean_fill: mean_fill(&filters),
        };
        let schema = terms.schema.digest();
        EncodedRegister {
            dataset: EncodedDataset {
                manifest: DatasetManifest {
                    agreement: terms.agreement,
                    schema,
                    office: terms.office.clone(),
                    measure: terms.schema.profile().measure(),
                    record_count: to_count(records.len()),
                    key_check: terms.key.check(&terms.agreement, &schema),
                },
                records,
                persons,
                filters,
                events: has_events.then_some(events),
            },
            pseudonyms: PseudonymList(ids),
            report,
        }
    }
}

fn to_count(len: usize) -> u64 {
    u64::try_from(len).expect("a length fits in 64 bits")
}

/// Keyed pseudonym: the first 16 bytes of HMAC-SHA256.
pub(crate) fn pseudonym(key: &[u8; 32], id: &str) -> Pseudonym {
    let tag = hmac_sha256(key, &[id.as_bytes()]);
    Pseudonym::from_bytes(tag[..16].try_into().expect("half of 32 bytes"))
}

/// Age in completed years at the event. Where month and day of birth are not known (or the event's
/// are not), the age reached in the year of the event. `None` without a birth year, or outside 0–120.
fn age_in_completed_years(record: &Record) -> Option<u8> {
    let event = record.event?.date;
    let year = record.birth.year?;
    let mut age = event.date.year() - year;
    if let (Some(month_day), corridor_core::DatePrecision::Day) = (record.birth.month_day, event.precision)
        && (event.date.month(), event.date.day()) < month_day
    {
        age -= 1;
    }
    u8::try_from(age).ok().filter(|age| *age <= 120)
}

#[expect(clippy::cast_precision_loss, reason = "a share for people to read")]
fn mean_fill(filters: &Filters) -> f64 {
    let ones: u64 = filters
        .as_words()
        .iter()
        .map(|word| u64::from(word.count_ones()))
        .sum();
    let bits = filters.as_words().len() * 64;
    ones as f64 / bits as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::birth::BirthDate;
    use crate::record::RecordEvent;
    use corridor_core::{DatePrecision, Direction, EventDate, Sex};

    fn record(birth: BirthDate, event: &str) -> Record {
        Record {
            line: 2,
            record_id: "1".into(),
            person_key: "1".into(),
            given_names: String::new(),
            family_names: String::new(),
            patronymics: String::new(),
            names_divided: true,
            birth_source: None,
            birth,
            sex: Sex::Unknown,
            citizenship: None,
            birth_country: None,
            address: String::new(),
            postcode: String::new(),
            event: Some(RecordEvent {
                direction: Direction::Emigration,
                counterpart: None,
                date: EventDate {
                    date: event.parse().unwrap(),
                    precision: DatePrecision::Day,
                },
            }),
        }
    }

    #[test]
    fn age_is_in_completed_years() {
        let born = BirthDate {
            year: Some(1990),
            month_day: Some((6, 15)),
            ..BirthDate::default()
        };
        assert_eq!(age_in_completed_years(&record(born, "2020-06-14")), Some(29));
        assert_eq!(age_in_completed_years(&record(born, "2020-06-15")), Some(30));
        assert_eq!(age_in_completed_years(&record(born, "1989-06-15")), None);
        let year_only = BirthDate {
            month_day: None,
            ..born
        };
        assert_eq!(age_in_completed_years(&record(year_only, "2020-01-01")), Some(30));
    }
}
