//! The comparison of two manifests.

use std::collections::BTreeSet;

use corridor_core::{Corridor, CountryCode, Destination, Direction, Origin};
use jiff::civil::Date;

use super::coverage::PartTreatment;
use super::difference::{
    AlikeRemark, DefinitionDifference, DifferenceKind, Indicative, ManifestComparison, Tendency,
};
use super::direction::Undercount;
use super::error::ManifestError;
use super::frame::SeriesBreak;
use super::reason::ReasonCode;
use super::stated::{Stated, Word as _};
use super::statements::{Side, Statement, Topic, statements};
use super::{DefinitionManifest, indicative};

impl DefinitionManifest {
    /// Holds the origin's rules of emigration against the destination's rules of immigration. The corridor is from the country of
    /// the one to the country of the other.
    ///
    /// # Errors
    /// A manifest that breaks a rule; both of one country.
    pub fn compare(origin: &Self, destination: &Self) -> Result<ManifestComparison, ManifestError> {
        origin.validate()?;
        destination.validate()?;
        let (from, to) = (origin.office.country, destination.office.country);
        let corridor =
            Corridor::try_new(Origin(from), Destination(to)).map_err(|_| ManifestError::OneCountry(from))?;
        let left = Side {
            manifest: origin,
            direction: Direction::Emigration,
            partner: to,
        };
        let right = Side {
            manifest: destination,
            direction: Direction::Immigration,
            partner: from,
        };
        let Compared {
            differences,
            alike,
            remarks,
        } = compare_sides(&left, &right);
        Ok(ManifestComparison {
            version: 1,
            corridor,
            origin_manifest: origin.digest(),
            destination_manifest: destination.digest(),
            differences,
            alike,
            remarks,
        })
    }
}

/// Two sides held against each other.
#[derive(Debug)]
pub(super) struct Compared {
    pub(super) differences: Vec<DefinitionDifference>,
    pub(super) alike: Vec<String>,
    pub(super) remarks: Vec<AlikeRemark>,
}

/// Holds two sides against each other, the left one standing for the origin.
pub(super) fn compare_sides(left: &Side<'_>, right: &Side<'_>) -> Compared {
    let mut pairs: Vec<(Statement, Statement)> =
        statements(left).into_iter().zip(statements(right)).collect();
    pairs.extend(parts(left, right));
    pairs.extend(breaks(left, right));
    let names = Names::of(left, right);
    let mut compared = Compared {
        differences: Vec::new(),
        alike: Vec::new(),
        remarks: Vec::new(),
    };
    for (on_left, on_right) in pairs {
        let indicative = magnitude(&on_left.topic, left, right);
        if on_left.meaning.is_some() && on_left.meaning == on_right.meaning {
            compared
                .remarks
                .extend(indicative.and_then(|indicative| remark(&on_left, indicative, &names)));
            compared.alike.push(on_left.topic.field);
        } else {
            compared
                .differences
                .push(difference(on_left, on_right, indicative, &names));
        }
    }
    // What is said comes first; a stable sort keeps the order of keys within a reason.
    compared
        .differences
        .sort_by_key(|found| (!found.kind.is_stated(), found.reason));
    compared
}

/// A ratio nearer to 1 than this is 1.
const SAME: f64 = 1e-9;

/// What is known of a rule that is alike on both sides, where it makes figures differ all the same.
fn remark(statement: &Statement, indicative: Indicative, names: &Names) -> Option<AlikeRemark> {
    let topic = &statement.topic;
    ((indicative.ratio - 1.0).abs() > SAME).then(|| AlikeRemark {
        reason: topic.reason,
        letter: topic.reason.letter(),
        field: topic.field.clone(),
        sentence: format!(
            "{}: each of {} and {} {}, and what is little or much is not the same for {} as for {}.",
            topic.title, names.left, names.right, statement.phrase, names.left_count, names.right_count
        ),
        indicative,
    })
}

/// How the two offices and their counts are named in sentences.
struct Names {
    left: CountryCode,
    right: CountryCode,
    left_count: &'static str,
    right_count: &'static str,
}

impl Names {
    fn of(left: &Side<'_>, right: &Side<'_>) -> Self {
        let count = |side: &Side<'_>| match side.direction {
            Direction::Emigration => "emigrations",
            Direction::Immigration => "immigrations",
        };
        Self {
            left: left.manifest.office.country,
            right: right.manifest.office.country,
            left_count: count(left),
            right_count: count(right),
        }
    }
}

fn difference(
    left: Statement,
    right: Statement,
    indicative: Option<Indicative>,
    names: &Names,
) -> DefinitionDifference {
    let kind = match (left.meaning.is_some(), right.meaning.is_some()) {
        (true, true) => DifferenceKind::Differs,
        (false, true) => DifferenceKind::OriginSilent,
        (true, false) => DifferenceKind::DestinationSilent,
        (false, false) => DifferenceKind::BothSilent,
    };
    let tendency = if !kind.is_stated() {
        Tendency::Unknown
    } else if left.ranks.0 > right.ranks.1 {
        Tendency::TowardEmigrations
    } else if right.ranks.0 > left.ranks.1 {
        Tendency::TowardImmigrations
    } else {
        Tendency::Either
    };
    let effect = match tendency {
        Tendency::TowardEmigrations => {
            format!(
                "The {} that {} counts tend to be more.",
                names.left_count, names.left
            )
        }
        Tendency::TowardImmigrations => {
            format!(
                "The {} that {} counts tend to be more.",
                names.right_count, names.right
            )
        }
        Tendency::Either => "Neither count is the higher one by rule.".to_owned(),
        Tendency::Unknown => "What it does to the two counts cannot be told.".to_owned(),
    };
    let statement = match kind {
        DifferenceKind::BothSilent => format!("neither {} nor {} says", names.left, names.right),
        DifferenceKind::Differs | DifferenceKind::OriginSilent | DifferenceKind::DestinationSilent => {
            format!("{} {}; {} {}", names.left, left.phrase, names.right, right.phrase)
        }
    };
    let why = if kind.is_stated() {
        format!(" {}", left.topic.why)
    } else {
        String::new()
    };
    DefinitionDifference {
        sentence: format!("{}: {statement}.{why} {effect}", left.topic.title),
        reason: left.topic.reason,
        letter: left.topic.reason.letter(),
        kind,
        field: left.topic.field,
        origin: left.value,
        destination: right.value,
        tendency,
        indicative: indicative.filter(|_| kind.is_stated()),
    }
}

/// Published figures of how much a difference may be.
fn magnitude(topic: &Topic, left: &Side<'_>, right: &Side<'_>) -> Option<Indicative> {
    let flow = |side: &Side<'_>| side.manifest.direction(side.direction).cloned();
    match topic.field.as_str() {
        "duration.minimum_stay" => {
            let stay = |side: &Side<'_>| flow(side).map(|flow| flow.duration.minimum_stay_for(side.partner));
            indicative::by_duration(stay(left)?, stay(right)?)
        }
        "registration.expected_undercount" => {
            let undercount = |side: &Side<'_>| {
                let undercount =
                    flow(side).map_or(Undercount::Unknown, |flow| flow.registration.expected_undercount);
                (side.direction, undercount)
            };
            indicative::by_undercount(undercount(left), undercount(right))
        }
        _ => None,
    }
}

/// Parts of countries that at least one of the two names.
fn parts(left: &Side<'_>, right: &Side<'_>) -> Vec<(Statement, Statement)> {
    let [on_left, on_right] = [left, right].map(|side| &side.manifest.territory.parts);
    let names: BTreeSet<_> = on_left.keys().chain(on_right.keys()).collect();
    let statement = |name: &super::stated::Text, treatment: Option<&PartTreatment>| {
        let treatment = treatment.copied().unwrap_or_default();
        let rank = match treatment {
            PartTreatment::Included => (1, 1),
            PartTreatment::Excluded => (0, 0),
            PartTreatment::Unknown => (i64::MIN, i64::MAX),
        };
        Statement {
            topic: Topic {
                reason: ReasonCode::Territory,
                field: format!("territory.parts.{name}"),
                title: name.to_string(),
                why: "Moves between it and the other country are in one of the figures only.",
            },
            value: treatment.word().to_owned(),
            phrase: treatment.phrase().to_owned(),
            meaning: (treatment != PartTreatment::Unknown).then(|| treatment.word().to_owned()),
            ranks: rank,
        }
    };
    names
        .into_iter()
        .map(|name| {
            (
                statement(name, on_left.get(name)),
                statement(name, on_right.get(name)),
            )
        })
        .collect()
}

/// Breaks within the days both describe, of the directions compared.
fn breaks(left: &Side<'_>, right: &Side<'_>) -> Vec<(Statement, Statement)> {
    let first = [left, right]
        .into_iter()
        .filter_map(|side| known(side.manifest.reference.first))
        .max();
    let last = [left, right]
        .into_iter()
        .filter_map(|side| known(side.manifest.reference.last))
        .min();
    let of = |side: &Side<'_>| -> Vec<SeriesBreak> {
        let direction = side.direction;
        let found = side.manifest.breaks.iter().filter(|found| {
            // A break on the first day leaves the whole period under one rule.
            found.direction.is_none_or(|of| of == direction)
                && first.is_none_or(|first| first < found.date)
                && last.is_none_or(|last| found.date <= last)
        });
        found.cloned().collect()
    };
    let (on_left, on_right) = (of(left), of(right));
    let keys: BTreeSet<(ReasonCode, Date)> = on_left
        .iter()
        .chain(&on_right)
        .map(|found| (found.changed, found.date))
        .collect();
    keys.into_iter()
        .map(|key| (break_statement(key, &on_left), break_statement(key, &on_right)))
        .collect()
}

fn known(date: Stated<Date>) -> Option<Date> {
    date.as_ref().copied()
}

fn break_statement((changed, date): (ReasonCode, Date), breaks: &[SeriesBreak]) -> Statement {
    let found: Vec<&str> = breaks
        .iter()
        .filter(|found| (found.changed, found.date) == (changed, date))
        .map(|found| found.what.as_str())
        .collect();
    let (value, phrase) = if found.is_empty() {
        ("no break".to_owned(), "has no break".to_owned())
    } else {
        let what = found.join("; ");
        (what.clone(), format!("has a break ({what})"))
    };
    Statement {
        topic: Topic {
            reason: changed,
            field: format!("breaks.{date}"),
            title: format!("Break in the series on {date}, {}", changed.as_str()),
            why: "Figures before and after it are not of the same kind.",
        },
        // What is said of a break in words is for people; that there is one on both sides is alike.
        meaning: Some(if found.is_empty() { "none" } else { "break" }.to_owned()),
        value,
        phrase,
        ranks: (i64::MIN, i64::MAX),
    }
}
