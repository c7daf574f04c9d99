//! From the rows of a register to encoded rows in the order of their pseudonyms.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use corridor_core::{
    Counterpart, CountryCode, MigrationEvent, MigratoryStatus, MoverFacts, Pseudonym, Reason, Variable,
};
use rayon::prelude::*;

use crate::blocks::{BlockCounts, BlockKeyer, Blocks, RawKey};
use crate::encoder::EncodeTerms;
use crate::extract::ExtractError;
use crate::filters::FilterEncoder;
use crate::key::{KeyUse, KeyedHash};
use crate::mapping::Mapping;
use crate::outcome::{EncodeError, RefusalLimit, judge};
use crate::record::{Record, RecordEvent};
use crate::report::{ReadReport, RowProblem};
use crate::row::{EncodedRow, write_block_key, write_row};
use crate::rows::{RowBatch, open_rows};
use crate::spool::{Scratch, Spool};
use crate::understand::Understanding;
use crate::wipe::wipe;

/// Rows read at a time.
const BATCH_ROWS: usize = 16_384;

/// Bytes of an encoded row besides its filter, about.
const ROW_BYTES: usize = 96;

/// Rows a thread encodes at a time.
const SLAB_ROWS: usize = 512;

/// A register encoded, in the order of its pseudonyms.
pub(crate) struct EncodedRows {
    pub(crate) spool: Spool,
    pub(crate) read: ReadReport,
    pub(crate) persons: u64,
    /// Of each pass of the schema.
    pub(crate) blocks: Vec<Blocks>,
    /// For the error of a record id that stands twice, found when rows are put in order.
    pub(crate) file: String,
}

/// Reads and encodes all rows of a register. While some are encoded, the next are read and those before put away.
pub(crate) fn encode_rows(
    path: &Path,
    mapping: &Mapping,
    terms: &EncodeTerms<'_>,
    limit: RefusalLimit,
    scratch: &Scratch,
    progress: &dyn Fn(u64),
) -> Result<EncodedRows, EncodeError> {
    let mapped = mapping.match_fields();
    if let Some(field) = terms.schema.fields().find(|field| !mapped.contains(field)) {
        return Err(EncodeError::FieldUnmapped {
            field: field.as_str(),
        });
    }
    let file = path.display().to_string();
    let wanted = |name: &str| mapping.columns.names().any(|column| column == name);
    let mut rows = open_rows(path, &mapping.file, &wanted)?;
    let understanding = Understanding::new(rows.as_ref(), mapping, &file)?;
    let job = Job::new(terms);
    let mut store = Store {
        rows: scratch.spool(0, 2),
        persons: scratch.spool(1, 8),
        read: ReadReport::default(),
        blocks: (2..)
            .zip(terms.schema.block_passes())
            .map(|(purpose, _)| BlockCounts::new(scratch.spool(purpose, 16)))
            .collect(),
    };
    let (mut batch, mut next) = (RowBatch::default(), RowBatch::default());
    rows.read(&mut batch, BATCH_ROWS)?;
    let mut slabs = Vec::new();
    while !batch.is_empty() || !slabs.is_empty() {
        store.read.rows_read += u64::try_from(batch.len()).expect("a length fits");
        progress(store.read.rows_read);
        let encoded = std::mem::take(&mut slabs);
        let (read, (stored, encoded)) = rayon::join(
            || rows.read(&mut next, BATCH_ROWS),
            || rayon::join(|| store.take(encoded), || job.encode(&batch, &understanding)),
        );
        read?;
        stored?;
        slabs = encoded;
        std::mem::swap(&mut batch, &mut next);
    }
    let Store {
        rows,
        persons,
        read,
        blocks,
    } = store;
    let minimum_size = terms
        .schema
        .blocking()
        .map_or(0, |blocking| blocking.minimum_size);
    if read.rows_read == 0 {
        return Err(ExtractError::Empty {
            file,
            problem: "it has a header only",
        }
        .into());
    }
    judge(&read, limit)?;
    Ok(EncodedRows {
        spool: rows,
        persons: count_distinct(persons)?,
        blocks: blocks
            .into_iter()
            .map(|counts| counts.merge(minimum_size))
            .collect::<Result<_, _>>()?,
        read,
        file,
    })
}

fn count_distinct(rows: Spool) -> Result<u64, EncodeError> {
    let (mut count, mut last) = (0, Vec::new());
    rows.drain(|rows| -> Result<(), EncodeError> {
        for row in rows {
            if *row != last {
                count += 1;
                last.clear();
                last.extend_from_slice(row);
            }
        }
        Ok(())
    })?;
    Ok(count)
}

/// Encoded rows on their way to the spool.
#[derive(Default)]
struct Slab<'m> {
    bytes: Vec<u8>,
    /// Where each row ends.
    ends: Vec<usize>,
    persons: Vec<Pseudonym>,
    /// Of each row, those of all passes.
    block_keys: Vec<Option<RawKey>>,
    problems: Vec<(RowProblem, u64, Option<&'m str>)>,
}

struct Store {
    rows: Spool,
    persons: Spool,
    read: ReadReport,
    blocks: Vec<BlockCounts>,
}

impl Store {
    /// Takes slabs in the order of the register, so that reports list the first lines.
    fn take(&mut self, slabs: Vec<Slab<'_>>) -> Result<(), EncodeError> {
        for mut slab in slabs {
            let mut start = 0;
            for end in slab.ends {
                self.rows.push(&slab.bytes[start..end])?;
                start = end;
            }
            for person in &slab.persons {
                self.persons.push(person.as_bytes())?;
            }
            if !self.blocks.is_empty() {
                for keys in slab.block_keys.chunks_exact(self.blocks.len()) {
                    for (counts, key) in self.blocks.iter_mut().zip(keys) {
                        counts.add(*key)?;
                    }
                }
            }
            for (problem, line, column) in slab.problems {
                self.read.add(problem, line, column);
            }
            wipe(&mut slab.bytes);
        }
        Ok(())
    }
}

struct Job<'a> {
    terms: &'a EncodeTerms<'a>,
    record_key: KeyedHash,
    person_key: KeyedHash,
    /// One for each thread, which remembers tokens from batch to batch.
    encoders: Vec<Mutex<(FilterEncoder<'a>, BlockKeyer<'a>)>>,
}

impl<'a> Job<'a> {
    fn new(terms: &'a EncodeTerms<'a>) -> Self {
        let office = terms.office.as_str();
        let keyed = |kind| KeyedHash::new(&terms.key.derive(KeyUse::Person, office, kind));
        Self {
            terms,
            record_key: keyed("record"),
            person_key: keyed("person"),
            encoders: (0..rayon::current_num_threads().max(1))
                .map(|_| {
                    let encoder = FilterEncoder::new(terms.schema, terms.key);
                    Mutex::new((encoder, BlockKeyer::new(terms.schema.blocking(), terms.key)))
                })
                .collect(),
        }
    }

    fn encode<'m>(&self, batch: &RowBatch, understanding: &Understanding<'m>) -> Vec<Slab<'m>> {
        batch
            .as_slice()
            .par_chunks(SLAB_ROWS)
            .map(|rows| {
                let thread = rayon::current_thread_index().unwrap_or(0);
                let mut encoder = self.encoders[thread]
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                self.encode_slab(rows, understanding, &mut encoder)
            })
            .collect()
    }

    fn encode_slab<'m>(
        &self,
        rows: &[(u64, csv::ByteRecord)],
        understanding: &Understanding<'m>,
        (encoder, keyer): &mut (FilterEncoder<'_>, BlockKeyer<'_>),
    ) -> Slab<'m> {
        let mut slab = Slab::default();
        let row_bytes = ROW_BYTES + self.terms.schema.filter_len().to_bytes();
        slab.bytes.reserve(rows.len() * row_bytes);
        slab.ends.reserve(rows.len());
        let (mut filter, mut filter_bytes, mut block_keys) = (Vec::new(), Vec::new(), Vec::new());
        let (mut record, mut problems) = (Record::empty(), Vec::new());
        for (line, row) in rows {
            let understood = understanding.understand_into(row, *line, &mut record, &mut problems);
            for (problem, column) in problems.drain(..) {
                slab.problems.push((problem, *line, column));
            }
            if !understood {
                continue;
            }
            let record_pseudonym = pseudonym(&self.record_key, &record.record_id);
            if !encoder.encode(&record, record_pseudonym.as_bytes(), &mut filter) {
                slab.problems.push((RowProblem::TooFewTokens, *line, None));
                continue;
            }
            filter_bytes.clear();
            filter_bytes.extend(filter.iter().flat_map(|word| word.to_le_bytes()));
            let person = pseudonym(&self.person_key, &record.person_key);
            let first_key = slab.block_keys.len();
            keyer.keys_of(&record, &mut slab.block_keys);
            block_keys.clear();
            for key in &slab.block_keys[first_key..] {
                write_block_key(*key, &mut block_keys);
            }
            let encoded = EncodedRow {
                record: record_pseudonym,
                line: *line,
                person,
                event: self.coarse_event(&record),
                block_keys: &block_keys,
                filter: &filter_bytes,
                record_id: &record.record_id,
            };
            write_row(&encoded, &mut slab.bytes);
            slab.ends.push(slab.bytes.len());
            slab.persons.push(person);
        }
        slab
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
            facts: self.coarse_facts(record, &event),
        })
    }

    /// What the agreement's tables ask for of a mover beside sex and age, and nothing else.
    fn coarse_facts(&self, record: &Record, event: &RecordEvent) -> MoverFacts {
        let (terms, statistics) = (self.terms, self.terms.statistics);
        let groups = &statistics.country_groups;
        let asked = |variable: Variable| statistics.names(variable).then_some(());
        let group = |country: Option<CountryCode>| country.map(|country| groups.group(country));
        MoverFacts {
            age_band_reached: asked(Variable::AgeReached)
                .and_then(|()| age_reached(record))
                .map(|age_years| terms.age_bands.band(age_years)),
            citizenship: asked(Variable::Citizenship).and_then(|()| group(record.citizenship)),
            birth_country: asked(Variable::BirthCountry).and_then(|()| group(record.birth_country)),
            migratory_status: asked(Variable::MigratoryStatus)
                .map_or(MigratoryStatus::Unknown, |()| event.migratory_status),
            reason: asked(Variable::Reason).map_or(Reason::Unknown, |()| event.reason),
            stay: event.stay,
        }
    }
}

/// Keyed pseudonym: the first 16 bytes of HMAC-SHA256.
pub(crate) fn pseudonym(key: &KeyedHash, id: &str) -> Pseudonym {
    let tag = key.tag(id.as_bytes());
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

/// Age reached in the year of the event. `None` without a birth year, or outside 0–120.
fn age_reached(record: &Record) -> Option<u8> {
    let age = record.event?.date.year() - record.birth.year?;
    u8::try_from(age).ok().filter(|age| *age <= 120)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::birth::BirthDate;
    use corridor_core::{DatePrecision, Direction, EventDate, Sex, StayFlags};

    fn record(birth: BirthDate, event: &str) -> Record {
        Record {
            line: 2,
            record_id: "1".into(),
            person_key: "1".into(),
            given_names: String::new(),
            family_names: String::new(),
            birth,
            sex: Sex::Unknown,
            citizenship: None,
            birth_country: None,
            address: String::new(),
            patronymics: String::new(),
            names_divided: true,
            birth_source: None,
            postcode: String::new(),
            event: Some(RecordEvent {
                direction: Direction::Emigration,
                counterpart: None,
                date: EventDate {
                    date: event.parse().unwrap(),
                    precision: DatePrecision::Day,
                },
                migratory_status: MigratoryStatus::Unknown,
                reason: Reason::Unknown,
                stay: StayFlags::default(),
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
