//! A manifest held against the records it describes.

use corridor_core::{
    CountryCode, DatePrecision, Direction, DurationRule, EventDate, Reason, RuleFlag, StayFlags,
};

use super::DefinitionManifest;
use super::contradiction::{Finding, FindingKind, Severity};
use super::coverage::Treatment;
use super::direction::{DateBasis, FlowDefinition, StatedPrecision, UnknownPartner};
use super::duration::DurationBasis;
use super::frame::{AgeDefinition, PersonKey, RepeatedMoves};
use super::stated::Quantity;

/// What is known of the birth date of a mover.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BirthKnowledge {
    /// Nothing.
    None,
    /// The year.
    Year,
    /// The day.
    Day,
}

/// What a check looks at of one record.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ObservedMove {
    /// Which way, seen from the reporter.
    pub direction: Direction,
    /// When.
    pub date: EventDate,
    /// The other country; `None` when not recorded.
    pub counterpart: Option<CountryCode>,
    /// Citizenship; `None` when not recorded.
    pub citizenship: Option<CountryCode>,
    /// What is known of the birth date.
    pub birth: BirthKnowledge,
    /// What was seen before of the same person.
    pub before: SeenBefore,
    /// Under which rules of minimum stay it counts.
    pub stay: StayFlags,
    /// Why the person moved.
    pub reason: Reason,
}

/// What was seen before of the person of a record, by the register's own key of persons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SeenBefore {
    /// Nothing, or the register has no such key.
    Nothing,
    /// Another record.
    Person,
    /// A move in the same direction and year, both of which the office counts.
    MoveOfYear,
}

impl std::fmt::Debug for ObservedMove {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ObservedMove(..)")
    }
}

/// Counts over the moves of one direction.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    moves: u64,
    partner_missing: u64,
    partner_own: u64,
    outside: u64,
    after_extract: u64,
    to_the_day: u64,
    to_the_month: u64,
    to_the_year: u64,
    /// To the day, and not on the first of a month.
    not_first: u64,
    weekdays: [u64; 7],
    /// That the office counts, and of which it is known whether they meet the rule of the manifest.
    stays_known: u64,
    /// Of these, how many do not.
    stays_too_short: u64,
}

/// Counts what is at odds with a manifest, record by record; memory does not grow with them.
#[derive(Debug)]
pub struct RegisterCheck<'a> {
    manifest: &'a DefinitionManifest,
    reporter: Option<CountryCode>,
    own_rule: Option<DurationRule>,
    tallies: [Tally; 2],
    nationals: u64,
    foreigners: u64,
    students: u64,
    persons_again: u64,
    moves_again: u64,
    births: u64,
    births_of_year: u64,
}

/// Dates of which so many are needed to say anything of days of the week or of months.
const MOST_CHANCE: u64 = 200;

/// A day of the week with fewer than one in so many moves is one on which an office is closed; all alike would be one in seven.
const CLOSED_DAY: u64 = 100;

/// With more than one in so many, even the rarest day of the week is one of work.
const OPEN_DAY: u64 = 10;

/// A share that is said in whole per cent may be passed by one.
const PERCENT_ROUNDING: u64 = 1;

impl<'a> RegisterCheck<'a> {
    /// A check of the records of `reporter`, and of which the office counts those of `own_rule`, where the mapping says so.
    pub const fn new(
        manifest: &'a DefinitionManifest,
        reporter: Option<CountryCode>,
        own_rule: Option<DurationRule>,
    ) -> Self {
        const NOTHING: Tally = Tally {
            moves: 0,
            partner_missing: 0,
            partner_own: 0,
            outside: 0,
            after_extract: 0,
            to_the_day: 0,
            to_the_month: 0,
            to_the_year: 0,
            not_first: 0,
            weekdays: [0; 7],
            stays_known: 0,
            stays_too_short: 0,
        };
        Self {
            manifest,
            reporter,
            own_rule,
            tallies: [NOTHING; 2],
            nationals: 0,
            foreigners: 0,
            students: 0,
            persons_again: 0,
            moves_again: 0,
            births: 0,
            births_of_year: 0,
        }
    }

    /// Counts a record.
    pub fn add(&mut self, observed: &ObservedMove) {
        let own = self.manifest.office.country;
        let reference = &self.manifest.reference;
        let (first_day, last_day) = span(observed.date);
        let tally = &mut self.tallies[position(observed.direction)];
        tally.moves += 1;
        tally.partner_missing += u64::from(observed.counterpart.is_none());
        tally.partner_own += u64::from(observed.counterpart == Some(own));
        let before = reference.first.as_ref().is_some_and(|first| last_day < *first);
        let after = reference.last.as_ref().is_some_and(|last| *last < first_day);
        tally.outside += u64::from(before || after);
        tally.after_extract += u64::from(reference.extracted.as_ref().is_some_and(|day| *day < first_day));
        let flow = self.manifest.direction(observed.direction);
        if let Some(rule) = flow.and_then(|flow| flow.duration.minimum_stay.rule_below()) {
            let flag = observed.stay.under(rule);
            let is_told = observed.stay.own == RuleFlag::Yes && flag != RuleFlag::Unknown;
            tally.stays_known += u64::from(is_told);
            tally.stays_too_short += u64::from(is_told && flag == RuleFlag::No);
        }
        match observed.date.precision {
            DatePrecision::Day => {
                tally.to_the_day += 1;
                tally.not_first += u64::from(first_day.day() != 1);
                let weekday = usize::from(first_day.weekday().to_monday_zero_offset().unsigned_abs());
                if let Some(count) = tally.weekdays.get_mut(weekday) {
                    *count += 1;
                }
            }
            DatePrecision::Month => tally.to_the_month += 1,
            DatePrecision::Year => tally.to_the_year += 1,
        }
        // Who is left out of the figures may stand in the register.
        let is_counted = observed.stay.own == RuleFlag::Yes;
        match observed.citizenship {
            Some(citizenship) if citizenship == own => self.nationals += u64::from(is_counted),
            Some(_) => self.foreigners += u64::from(is_counted),
            None => {}
        }
        self.students += u64::from(is_counted && observed.reason == Reason::Study);
        self.persons_again += u64::from(observed.before != SeenBefore::Nothing);
        self.moves_again += u64::from(observed.before == SeenBefore::MoveOfYear);
        match observed.birth {
            BirthKnowledge::None => {}
            BirthKnowledge::Year => {
                self.births += 1;
                self.births_of_year += 1;
            }
            BirthKnowledge::Day => self.births += 1,
        }
    }

    /// Moves counted.
    pub fn moves(&self) -> u64 {
        self.tallies.iter().map(|tally| tally.moves).sum()
    }

    /// What the manifest says that itself or the records do not bear out; contradictions first.
    pub fn finish(self) -> Vec<Finding> {
        let mut findings = self.manifest.self_findings();
        let own = self.manifest.office.country;
        let moves = self.moves();
        for direction in Direction::ALL {
            let said = self
                .manifest
                .direction(direction)
                .map(|flow| flow.duration.minimum_stay);
            let is_other = |rule: &DurationRule| said.is_some_and(|said| said.is_other_than(*rule));
            if let Some(rule) = self.own_rule.filter(is_other) {
                let path = direction.as_str();
                let of = self.tallies[position(direction)].moves;
                // Of the mapping, and so found without a move, too.
                findings.push(Finding {
                    severity: Severity::Contradiction,
                    kind: FindingKind::OwnRuleDiffers,
                    key: format!("{path}.duration.minimum_stay"),
                    count: of,
                    of,
                    sentence: format!(
                        "the mapping says that the office counts by the rule {}, and the manifest another minimum stay for {path}s",
                        rule.as_str()
                    ),
                });
            }
        }
        let mut add = |severity, kind, key: String, count: u64, of: u64, sentence: String| {
            if count > 0 {
                findings.push(Finding {
                    severity,
                    kind,
                    key,
                    count,
                    of,
                    sentence,
                });
            }
        };
        if let Some(reporter) = self.reporter.filter(|reporter| *reporter != own) {
            add(
                Severity::Contradiction,
                FindingKind::ReporterDiffers,
                "office.country".to_owned(),
                moves.max(1),
                moves.max(1),
                format!("the mapping says that {reporter} reports these moves, the manifest is of {own}"),
            );
        }
        let coverage = &self.manifest.coverage;
        for (name, treatment, count) in [
            ("nationals", coverage.nationals, self.nationals),
            ("foreigners", coverage.foreigners, self.foreigners),
            ("students", coverage.students, self.students),
        ] {
            if treatment == Treatment::Excluded {
                add(
                    Severity::Contradiction,
                    FindingKind::GroupNotExcluded,
                    format!("coverage.{name}"),
                    count,
                    moves,
                    format!("{name} are said to be excluded, and {count} of {moves} moves are theirs"),
                );
            }
        }
        if self.manifest.identification.person_key == PersonKey::None {
            add(
                Severity::Contradiction,
                FindingKind::PersonsFollowed,
                "identification.person_key".to_owned(),
                self.persons_again,
                moves,
                format!(
                    "the register is said to have no number of a person, and {} of {moves} moves are of a number seen in a move before",
                    self.persons_again
                ),
            );
        }
        if self.manifest.over_coverage.repeated_moves == RepeatedMoves::OneAYear {
            add(
                Severity::Contradiction,
                FindingKind::MovesRepeated,
                "over_coverage.repeated_moves".to_owned(),
                self.moves_again,
                moves,
                format!(
                    "one move of a person is said to count in a year and direction, and {} of {moves} moves are further ones",
                    self.moves_again
                ),
            );
        }
        if self.manifest.age.definition == AgeDefinition::Completed {
            let (count, of) = (self.births_of_year, self.births);
            let severity = if count == of {
                Severity::Contradiction
            } else {
                Severity::Doubt
            };
            add(
                severity,
                FindingKind::AgeNotTold,
                "age.definition".to_owned(),
                if count * OPEN_DAY >= of { count } else { 0 },
                of,
                format!(
                    "ages are said to be in completed years, and {count} of {of} birth dates have no month and day: their age can \
                     only be the one reached in the year"
                ),
            );
        }
        for direction in Direction::ALL {
            let tally = self.tallies[position(direction)];
            match self.manifest.direction(direction) {
                Some(flow) => direction_findings(self.manifest, flow, direction, tally, moves, &mut add),
                None => add(
                    Severity::Contradiction,
                    FindingKind::DirectionNotDescribed,
                    direction.as_str().to_owned(),
                    tally.moves,
                    moves,
                    format!(
                        "{} of {moves} moves are {}s, which the manifest does not describe",
                        tally.moves,
                        direction.as_str()
                    ),
                ),
            }
        }
        findings.sort_by(|left, right| {
            (left.severity, left.kind, &left.key).cmp(&(right.severity, right.kind, &right.key))
        });
        findings
    }
}

/// What takes a finding when its count is above 0.
type Add<'a> = dyn FnMut(Severity, FindingKind, String, u64, u64, String) + 'a;

fn direction_findings(
    manifest: &DefinitionManifest,
    flow: &FlowDefinition,
    direction: Direction,
    tally: Tally,
    all_moves: u64,
    add: &mut Add<'_>,
) {
    use FindingKind as Kind;
    use Severity::{Contradiction, Doubt};
    let path = direction.as_str();
    let of = tally.moves;
    if of == 0 {
        add(
            Doubt,
            Kind::DirectionWithoutMoves,
            path.to_owned(),
            u64::from(all_moves > 0),
            all_moves,
            format!("the manifest describes {path}s, and none of {all_moves} moves is one"),
        );
        return;
    }
    partner_findings(flow, path, tally, add);
    add(
        Contradiction,
        Kind::PartnerOwnCountry,
        format!("{path}.partner.known_by"),
        tally.partner_own,
        of,
        format!(
            "{} of {of} {path}s have the reporting country, {}, as the other one",
            tally.partner_own, manifest.office.country
        ),
    );
    add(
        Contradiction,
        Kind::OutsidePeriod,
        "reference.first".to_owned(),
        tally.outside,
        of,
        format!(
            "{} of {of} {path}s are outside the reference period, {} to {}",
            tally.outside, manifest.reference.first, manifest.reference.last
        ),
    );
    add(
        Contradiction,
        Kind::AfterExtract,
        "reference.extracted".to_owned(),
        tally.after_extract,
        of,
        format!(
            "{} of {of} {path}s are after the day the data was drawn, {}",
            tally.after_extract, manifest.reference.extracted
        ),
    );
    precision_findings(flow, path, tally, add);
    weekday_findings(flow, path, tally, add);
    stay_findings(flow, path, tally, add);
}

fn stay_findings(flow: &FlowDefinition, path: &str, tally: Tally, add: &mut Add<'_>) {
    let (short, of) = (tally.stays_too_short, tally.stays_known);
    let severity = match flow.duration.basis {
        DurationBasis::Actual => Severity::Contradiction,
        // Who meant to stay, or had a permit, may leave sooner.
        DurationBasis::Intended | DurationBasis::Permit | DurationBasis::Unknown => Severity::Doubt,
    };
    let is_much = severity == Severity::Contradiction || short * OPEN_DAY >= of;
    add(
        severity,
        FindingKind::StayTooShort,
        format!("{path}.duration.minimum_stay"),
        if is_much { short } else { 0 },
        of,
        format!(
            "{path}s are said to count from a minimum stay on, and {short} of {of} that the office counts were shorter"
        ),
    );
}

fn partner_findings(flow: &FlowDefinition, path: &str, tally: Tally, add: &mut Add<'_>) {
    let (missing, of) = (tally.partner_missing, tally.moves);
    let percent_key = format!("{path}.partner.unknown_percent");
    let is_more = |percent: u32| missing * 100 > of * (u64::from(percent) + PERCENT_ROUNDING);
    match flow.partner.unknown_percent {
        Quantity::None => add(
            Severity::Contradiction,
            FindingKind::PartnerMissing,
            percent_key,
            missing,
            of,
            format!("the other country is said to be always known, and {missing} of {of} {path}s have none"),
        ),
        Quantity::Is(percent) if is_more(percent) => add(
            Severity::Contradiction,
            FindingKind::PartnerMissing,
            percent_key,
            missing,
            of,
            format!(
                "the other country is said to be unknown in {percent} of a hundred, and {missing} of {of} {path}s have none"
            ),
        ),
        Quantity::Is(_) | Quantity::Unknown => {}
    }
    match flow.partner.unknown_handling {
        UnknownPartner::Excluded => add(
            Severity::Contradiction,
            FindingKind::PartnerMissing,
            format!("{path}.partner.unknown_handling"),
            missing,
            of,
            format!(
                "moves of unknown partner are said to be left out, and {missing} of {of} {path}s are such"
            ),
        ),
        UnknownPartner::Separate
        | UnknownPartner::Distributed
        | UnknownPartner::Imputed
        | UnknownPartner::Unknown => {}
    }
}

fn precision_findings(flow: &FlowDefinition, path: &str, tally: Tally, add: &mut Add<'_>) {
    let stated = flow.date.precision;
    let (coarser, finer) = match stated {
        StatedPrecision::Day => (tally.to_the_month + tally.to_the_year, 0),
        // A day that is always the first may stand for the month.
        StatedPrecision::Month => (tally.to_the_year, tally.not_first),
        StatedPrecision::Year => (0, tally.not_first),
        StatedPrecision::Unknown => (0, 0),
    };
    let of = tally.moves;
    let key = format!("{path}.date.precision");
    let word = stated.as_str();
    add(
        Severity::Contradiction,
        FindingKind::PrecisionCoarser,
        key.clone(),
        coarser,
        of,
        format!(
            "dates are said to be known to the {word}, and {coarser} of {of} {path}s are known less exactly"
        ),
    );
    add(
        Severity::Contradiction,
        FindingKind::PrecisionFiner,
        key.clone(),
        finer,
        of,
        format!("dates are said to be known to the {word}, and {finer} of {of} {path}s have a day"),
    );
    let firsts = tally.to_the_day - tally.not_first;
    if stated == StatedPrecision::Day && tally.to_the_day >= MOST_CHANCE && firsts * 2 > tally.to_the_day {
        add(
            Severity::Doubt,
            FindingKind::DatesHeaped,
            key,
            firsts,
            tally.to_the_day,
            format!(
                "dates are said to be known to the day, and {firsts} of {} {path}s are on the first of a month",
                tally.to_the_day
            ),
        );
    }
}

/// Registers are written on working days, people move on all.
fn weekday_findings(flow: &FlowDefinition, path: &str, tally: Tally, add: &mut Add<'_>) {
    let of = tally.to_the_day;
    let rarest = tally.weekdays.iter().copied().min().unwrap_or(0);
    if of < MOST_CHANCE {
        return;
    }
    let key = format!("{path}.date.basis");
    match flow.date.basis {
        DateBasis::Move if rarest * CLOSED_DAY < of => add(
            Severity::Doubt,
            FindingKind::MovesOnOpenDaysOnly,
            key,
            of,
            of,
            format!(
                "dates are said to be of moves, and on one day of the week there are {rarest} of {of} {path}s: they look like \
                 entries of an office that is closed then"
            ),
        ),
        DateBasis::Registration
        | DateBasis::Deregistration
        | DateBasis::PermitIssue
        | DateBasis::AdministrativeCorrection
            if rarest * OPEN_DAY > of =>
        {
            add(
                Severity::Doubt,
                FindingKind::DatesOnClosedDays,
                key,
                rarest,
                of,
                format!(
                    "dates are said to be of register entries, and even the rarest day of the week has {rarest} of {of} {path}s: \
                     they look like days of moves"
                ),
            );
        }
        DateBasis::Move
        | DateBasis::Registration
        | DateBasis::Deregistration
        | DateBasis::PermitIssue
        | DateBasis::PermitExpiry
        | DateBasis::AdministrativeCorrection
        | DateBasis::Unknown => {}
    }
}

const fn position(direction: Direction) -> usize {
    match direction {
        Direction::Emigration => 0,
        Direction::Immigration => 1,
    }
}

/// First and last day the move can have been.
fn span(date: EventDate) -> (jiff::civil::Date, jiff::civil::Date) {
    let last = match date.precision {
        DatePrecision::Day => date.date,
        DatePrecision::Month => date.date.last_of_month(),
        DatePrecision::Year => date.date.last_of_year(),
    };
    (date.date, last)
}
