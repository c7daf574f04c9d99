//! What is counted of a record; hashes and lengths stand for values.

use std::hash::{DefaultHasher, Hash, Hasher as _};

use corridor_core::{DatePrecision, MigratoryStatus, Reason, RuleFlag, Sex};
use serde::Serialize;

use crate::mapping::Mapping;
use crate::record::Record;
use crate::script::{Script, TextTraits};

/// What makes a value hard to believe. The row is used all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Implausibility {
    /// The person would be older than 110 at the move.
    AgeAbove110,
    /// Born after the move.
    BornAfterMove,
    /// Control characters, or signs for characters that could not be read.
    ControlCharacters,
    /// Digits in a name.
    DigitsInName,
    /// Text that was encoded twice, as é becomes Ã©.
    EncodedTwice,
    /// Marks that cannot be seen: of direction or joining, or soft hyphens. They do no harm.
    InvisibleMarks,
    /// A word of letters of several scripts, some of which look alike.
    MixedScripts,
    /// More than a year after 99 of 100 moves.
    MoveAfterAllOthers,
    /// No letter in a name.
    NoLetterInName,
    /// The given names are the family names.
    NamesEqual,
    /// A name of one letter.
    OneLetterName,
}

impl Implausibility {
    /// The problem in words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AgeAbove110 => "older than 110 at the move",
            Self::BornAfterMove => "born after the move",
            Self::ControlCharacters => "control characters, or signs for characters that could not be read",
            Self::DigitsInName => "digits in a name",
            Self::EncodedTwice => "text encoded twice, as é becomes Ã©",
            Self::InvisibleMarks => "marks that cannot be seen (of direction or joining)",
            Self::MixedScripts => "letters of several scripts in a word",
            Self::MoveAfterAllOthers => "more than a year after 99 of 100 moves",
            Self::NoLetterInName => "no letter in a name",
            Self::NamesEqual => "given names are the family names",
            Self::OneLetterName => "a name of one letter",
        }
    }
}

/// What is counted of a value.
pub(super) struct FieldFacts {
    /// Which field, as an index into [`FIELDS`].
    pub(super) field: usize,
    /// Stands for the value; 0 where there is none.
    pub(super) hash: u64,
    /// Characters, of texts that are kept as written.
    pub(super) len: Option<usize>,
    pub(super) script: Option<Script>,
    pub(super) implausible: Vec<Implausibility>,
    /// Whether the value, or a part of it, is a default.
    pub(super) is_default: bool,
}

/// Every field that can be mapped, in the order of reports.
pub(super) const FIELDS: [&str; 19] = [
    "record_id",
    "person_key",
    "given_names",
    "family_names",
    "full_name",
    "patronymics",
    "birth_date",
    "birth_quality",
    "sex",
    "citizenship",
    "birth_country",
    "address",
    "postcode",
    "event_date",
    "direction",
    "counterpart",
    "migratory_status",
    "reason",
    "stay",
];

/// Whether a field holds names.
pub(super) fn is_name(field: usize) -> bool {
    (2..=5).contains(&field)
}

const AGE_LIMIT_YEARS: i16 = 110;

/// What is counted of a record, for every mapped field.
pub(super) fn facts(record: &Record, mapping: &Mapping) -> Vec<FieldFacts> {
    let columns = &mapping.columns;
    let mut facts = Vec::with_capacity(FIELDS.len());
    let mut text = |field: usize, is_mapped: bool, value: &str| {
        if is_mapped {
            facts.push(text_facts(field, value));
        }
    };
    text(0, true, &record.record_id);
    text(1, columns.person_key.is_some(), &record.person_key);
    text(2, !columns.given_names.is_empty(), &record.given_names);
    text(3, !columns.family_names.is_empty(), &record.family_names);
    text(4, !record.names_divided, &record.given_names);
    let has_chain = !columns.father_name.is_empty() || !columns.grandfather_name.is_empty();
    text(5, has_chain, &record.patronymics);
    text(11, !columns.address.is_empty(), &record.address);
    text(12, columns.postcode.is_some(), &record.postcode);
    let are_equal = record.given_names == record.family_names && !record.given_names.is_empty();
    if let Some(given) = facts
        .iter_mut()
        .find(|facts| facts.field == 2)
        .filter(|_| are_equal)
    {
        given.implausible.push(Implausibility::NamesEqual);
    }
    let mut value = |field: usize, is_mapped: bool, hash: Option<u64>| {
        if is_mapped {
            facts.push(FieldFacts {
                field,
                hash: hash.unwrap_or(0),
                len: None,
                script: None,
                implausible: Vec::new(),
                is_default: false,
            });
        }
    };
    value(7, columns.birth_quality.is_some(), record.birth_source.map(hash));
    let sex = (record.sex != Sex::Unknown).then(|| hash(record.sex.as_str()));
    value(8, columns.sex.is_some(), sex);
    value(9, columns.citizenship.is_some(), record.citizenship.map(hash));
    value(
        10,
        columns.birth_country.is_some(),
        record.birth_country.map(hash),
    );
    if let Some(event) = record.event {
        value(13, true, Some(hash(event.date.date)));
        value(14, true, Some(hash(event.direction.as_str())));
        value(15, true, event.counterpart.map(hash));
        let status = event.migratory_status;
        let has_status = columns.migratory_status.is_some()
            || (columns.citizenship.is_some() && columns.birth_country.is_some());
        let known = (status != MigratoryStatus::Unknown).then(|| hash(status));
        value(16, has_status, known);
        let reason = (event.reason != Reason::Unknown).then(|| hash(event.reason));
        value(17, columns.reason.is_some(), reason);
        let [_, common @ ..] = event.stay.to_array();
        let has_stay = columns.next_event_date.is_some()
            || columns.intended_months.is_some()
            || columns.days_present.is_some();
        let is_known = common.iter().any(|flag| *flag != RuleFlag::Unknown);
        value(18, has_stay, is_known.then(|| hash(event.stay)));
    }
    if columns.birth().is_some() {
        facts.push(birth_facts(record));
    }
    facts
}

fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish().max(1)
}

fn text_facts(field: usize, value: &str) -> FieldFacts {
    let traits = TextTraits::of(value);
    let is_name = is_name(field);
    let is_filled = !value.is_empty();
    let problems = [
        (is_name && traits.has_digit, Implausibility::DigitsInName),
        (
            is_name && is_filled && traits.letters == 0,
            Implausibility::NoLetterInName,
        ),
        (
            is_name && traits.letters == 1 && traits.len <= 2,
            Implausibility::OneLetterName,
        ),
        (traits.has_control, Implausibility::ControlCharacters),
        (traits.has_invisible, Implausibility::InvisibleMarks),
        (traits.has_mixed_word, Implausibility::MixedScripts),
        (traits.is_encoded_twice, Implausibility::EncodedTwice),
    ];
    FieldFacts {
        field,
        hash: if is_filled { hash(value) } else { 0 },
        len: is_filled.then_some(traits.len),
        script: traits.script,
        implausible: problems
            .into_iter()
            .filter_map(|(is_so, problem)| is_so.then_some(problem))
            .collect(),
        is_default: false,
    }
}

fn birth_facts(record: &Record) -> FieldFacts {
    let birth = record.birth;
    let mut implausible = Vec::new();
    if let (Some(year), Some(event)) = (birth.year, record.event) {
        let moved = event.date.date;
        let is_after = match birth.month_day {
            Some(month_day) if event.date.precision == DatePrecision::Day => {
                (year, month_day) > (moved.year(), (moved.month(), moved.day()))
            }
            _ => year > moved.year(),
        };
        if is_after {
            implausible.push(Implausibility::BornAfterMove);
        } else if moved.year() - year > AGE_LIMIT_YEARS {
            implausible.push(Implausibility::AgeAbove110);
        }
    }
    let is_imputed = record
        .birth_source
        .is_some_and(|quality| !quality.knows_month_day());
    FieldFacts {
        field: 6,
        hash: birth.year.map_or(0, |year| hash((year, birth.month_day))),
        len: None,
        script: None,
        implausible,
        is_default: birth.year.is_some() && (birth.first_of_january || is_imputed),
    }
}
