//! An encoded record as bytes, on its way into a dataset.

use corridor_core::{
    AgeBand, Counterpart, CountryGroup, DatePrecision, Direction, EventDate, MigrationEvent, MigratoryStatus,
    MoverFacts, Pseudonym, Reason, RuleFlag, Sex, StayFlags,
};
use jiff::civil::{Date, date};

use crate::blocks::RawKey;

/// What becomes one row of a dataset, and one of the pseudonym list.
pub(crate) struct EncodedRow<'a> {
    pub(crate) record: Pseudonym,
    /// Line of the register.
    pub(crate) line: u64,
    pub(crate) person: Pseudonym,
    pub(crate) event: Option<MigrationEvent>,
    /// Before blocks are merged, pass after pass.
    pub(crate) block_keys: &'a [u8],
    /// As bytes, see `corridor_core::Filters`.
    pub(crate) filter: &'a [u8],
    pub(crate) record_id: &'a str,
}

/// Bytes before the filter: record, line, person, event.
const HEAD_BYTES: usize = 16 + 8 + 16 + EVENT_BYTES;
const EVENT_BYTES: usize = 19;

/// Stands where there is no event or no age band.
const NONE: u8 = u8::MAX;

impl EncodedRow<'_> {
    /// The pseudonym a row begins with.
    pub(crate) fn pseudonym_of(row: &[u8]) -> Pseudonym {
        Pseudonym::from_bytes(row[..16].try_into().expect("sixteen bytes"))
    }
}

/// Appends the bytes of a row. In the order of bytes, rows are ordered by pseudonym, then line.
pub(crate) fn write_row(row: &EncodedRow<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(row.record.as_bytes());
    out.extend_from_slice(&row.line.to_be_bytes());
    out.extend_from_slice(row.person.as_bytes());
    match &row.event {
        None => out.extend_from_slice(&[NONE; EVENT_BYTES]),
        Some(event) => {
            out.extend_from_slice(&[
                position(&Direction::ALL, event.direction),
                position(&Counterpart::ALL, event.counterpart),
                position(&DatePrecision::ALL, event.date.precision),
                position(&Sex::ALL, event.sex),
                event.age_band.map_or(NONE, |band| band.0),
            ]);
            out.extend_from_slice(&days_since_1970(event.date.date).to_le_bytes());
            let facts = &event.facts;
            out.extend_from_slice(&[
                facts.age_band_reached.map_or(NONE, |band| band.0),
                facts.citizenship.map_or(NONE, |group| group.0),
                facts.birth_country.map_or(NONE, |group| group.0),
                position(&MigratoryStatus::ALL, facts.migratory_status),
                position(&Reason::ALL, facts.reason),
            ]);
            out.extend(facts.stay.to_array().map(|flag| position(&RuleFlag::ALL, flag)));
        }
    }
    out.extend_from_slice(row.block_keys);
    out.extend_from_slice(row.filter);
    out.extend_from_slice(row.record_id.as_bytes());
}

/// Bytes of a block key of a row: whether there is one, and the key.
pub(crate) const BLOCK_KEY_BYTES: usize = 17;

/// Appends a block key to a row's.
pub(crate) fn write_block_key(key: Option<RawKey>, out: &mut Vec<u8>) {
    out.push(u8::from(key.is_some()));
    out.extend_from_slice(&key.unwrap_or(0).to_be_bytes());
}

/// Reads a block key of a row.
pub(crate) fn read_block_key(bytes: &[u8]) -> Option<RawKey> {
    (bytes[0] == 1).then(|| RawKey::from_be_bytes(bytes[1..].try_into().expect("sixteen bytes")))
}

/// Reads what [`write_row`] wrote, with so many block keys and a filter of so many bytes.
pub(crate) fn read_row(bytes: &[u8], block_keys: usize, filter_bytes: usize) -> EncodedRow<'_> {
    let (head, rest) = bytes.split_at(HEAD_BYTES);
    let (block_keys, rest) = rest.split_at(block_keys * BLOCK_KEY_BYTES);
    let (filter, record_id) = rest.split_at(filter_bytes);
    let event = &head[40..];
    EncodedRow {
        record: EncodedRow::pseudonym_of(head),
        line: u64::from_be_bytes(head[16..24].try_into().expect("eight bytes")),
        person: Pseudonym::from_bytes(head[24..40].try_into().expect("sixteen bytes")),
        event: (event[0] != NONE).then(|| MigrationEvent {
            direction: Direction::ALL[usize::from(event[0])],
            counterpart: Counterpart::ALL[usize::from(event[1])],
            date: EventDate {
                date: day(i32::from_le_bytes(event[5..9].try_into().expect("four bytes"))),
                precision: DatePrecision::ALL[usize::from(event[2])],
            },
            sex: Sex::ALL[usize::from(event[3])],
            age_band: known(event[4]).map(AgeBand),
            facts: MoverFacts {
                age_band_reached: known(event[9]).map(AgeBand),
                citizenship: known(event[10]).map(CountryGroup),
                birth_country: known(event[11]).map(CountryGroup),
                migratory_status: MigratoryStatus::ALL[usize::from(event[12])],
                reason: Reason::ALL[usize::from(event[13])],
                stay: StayFlags::from_array(std::array::from_fn(|rule| {
                    RuleFlag::ALL[usize::from(event[14 + rule])]
                })),
            },
        }),
        block_keys,
        filter,
        record_id: std::str::from_utf8(record_id).expect("written as text"),
    }
}

fn known(byte: u8) -> Option<u8> {
    (byte != NONE).then_some(byte)
}

fn position<T: PartialEq>(all: &[T], value: T) -> u8 {
    let position = all.iter().position(|other| *other == value);
    position
        .and_then(|position| u8::try_from(position).ok())
        .expect("one of a few values")
}

/// The day as Parquet's date32 counts it.
pub(crate) fn days_since_1970(day: Date) -> i32 {
    date(1970, 1, 1)
        .until(day)
        .expect("two civil dates are within the range of a span")
        .get_days()
}

fn day(days_since_1970: i32) -> Date {
    date(1970, 1, 1)
        .checked_add(jiff::Span::new().days(days_since_1970))
        .expect("it was a civil date")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_comes_back_as_it_went() {
        for (event_date, band) in [("1969-02-28", Some(AgeBand(3))), ("2024-02-29", None)] {
            let event = MigrationEvent {
                direction: Direction::Immigration,
                counterpart: Counterpart::Other,
                date: EventDate {
                    date: event_date.parse().unwrap(),
                    precision: DatePrecision::Month,
                },
                sex: Sex::Male,
                age_band: band,
                facts: MoverFacts {
                    age_band_reached: Some(AgeBand(2)),
                    citizenship: band.map(|_| CountryGroup(1)),
                    birth_country: Some(CountryGroup(0)),
                    migratory_status: MigratoryStatus::ForeignCitizen,
                    reason: Reason::Study,
                    stay: StayFlags {
                        own: RuleFlag::Yes,
                        months_3: RuleFlag::No,
                        ..StayFlags::default()
                    },
                },
            };
            for event in [None, Some(event)] {
                let mut block_keys = Vec::new();
                write_block_key(None, &mut block_keys);
                write_block_key(Some(9), &mut block_keys);
                let row = EncodedRow {
                    record: Pseudonym::from_bytes([1; 16]),
                    line: 77,
                    person: Pseudonym::from_bytes([2; 16]),
                    event,
                    block_keys: &block_keys,
                    filter: &[3; 8],
                    record_id: "é1",
                };
                let mut bytes = Vec::new();
                write_row(&row, &mut bytes);
                let back = read_row(&bytes, 2, 8);
                let keys: Vec<_> = back
                    .block_keys
                    .chunks_exact(BLOCK_KEY_BYTES)
                    .map(read_block_key)
                    .collect();
                assert_eq!(keys, [None, Some(9)]);
                assert_eq!(
                    (
                        back.record,
                        back.line,
                        back.person,
                        back.event,
                        back.filter,
                        back.record_id
                    ),
                    (row.record, 77, row.person, event, row.filter, "é1")
                );
            }
        }
    }
}
