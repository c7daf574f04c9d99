//! How long a person stayed after a move, and under which rules that counts.

use corridor_core::{DatePrecision, DurationRule, EventDate, RuleFlag, StayFlags};
use jiff::ToSpan as _;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// What an office says of the length of all stays, beside the columns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StayTerms {
    /// Last day the register was observed: who has no next move by then was still there. Without it nothing is known of a stay
    /// that has no end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_until: Option<Date>,
    /// The office's own rule, where the register holds moves that the office does not count and no column says which. Without
    /// it, and without the column `counted`, every row counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own_rule: Option<DurationRule>,
}

impl StayTerms {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What a row says of the stay that began with its move.
#[derive(Clone, Copy, Default)]
pub(crate) struct StayFacts {
    /// The next move of the person, which ended the stay.
    pub(crate) next: Option<EventDate>,
    /// How many months the person meant to stay, or was permitted to.
    pub(crate) intended_months: Option<u16>,
    /// Days of the twelve months that began with the move that the person was there.
    pub(crate) days_present: Option<u16>,
    /// Whether the office counts the move, where a column says so.
    pub(crate) counted: Option<RuleFlag>,
}

/// Days of twelve months that are six months and a day.
const HALF_YEAR_DAYS: u16 = 184;

/// Under which rules the move of `event` counts.
///
/// What happened goes before what was meant: the next move ends the stay; a person without one was there until the register
/// was last observed, which is enough for the rules it reaches; for others, the months meant decide, unless the person was there for
/// longer than these; without these nothing is known. Where a date is known by its month or year only, a rule is met or not when every day it can have been says so.
pub(crate) fn flags(event: EventDate, facts: StayFacts, terms: &StayTerms) -> StayFlags {
    let months = |months: i32| months_flag(event, &facts, terms, months);
    let half_year = match facts.days_present {
        Some(days) if days >= HALF_YEAR_DAYS => RuleFlag::Yes,
        // Fewer days decide when the twelve months are over.
        Some(_) if is_year_over(event, &facts, terms) => RuleFlag::No,
        Some(_) => RuleFlag::Unknown,
        None => half_year_flag(event, &facts, terms),
    };
    let mut flags = StayFlags {
        own: RuleFlag::Yes,
        months_12: months(12),
        months_6: months(6),
        months_3: months(3),
        half_year,
    };
    flags.own = match (facts.counted, terms.own_rule) {
        (Some(counted), _) => counted,
        (None, Some(rule)) => flags.under(rule),
        (None, None) => RuleFlag::Yes,
    };
    flags
}

/// The months meant, unless the person was there for longer already.
fn meant(event: EventDate, facts: &StayFacts, terms: &StayTerms) -> Option<u16> {
    let meant = facts.intended_months?;
    let (_, last) = span(event);
    let end = last.checked_add(i32::from(meant).months()).ok()?;
    let is_refuted = terms.observed_until.is_some_and(|until| until > end);
    (!is_refuted).then_some(meant)
}

/// Whether the twelve months after the move are over, as far as they were observed.
fn is_year_over(event: EventDate, facts: &StayFacts, terms: &StayTerms) -> bool {
    let (_, last) = span(event);
    let end = last.checked_add(12.months());
    let is_past = |date: Date| end.as_ref().is_ok_and(|end| *end <= date);
    facts.next.is_some() || terms.observed_until.is_none_or(is_past)
}

fn months_flag(event: EventDate, facts: &StayFacts, terms: &StayTerms, months: i32) -> RuleFlag {
    let meant =
        meant(event, facts, terms).map_or(RuleFlag::Unknown, |meant| (i32::from(meant) >= months).into());
    let long_enough =
        |from: Date, to: Date| from.checked_add(months.months()).is_ok_and(|enough| enough <= to);
    observed_flag(event, facts, terms, &long_enough).unwrap_or(meant)
}

/// Of a person who went away before six months and a day, nobody knows without days counted whether several stays come to it.
fn half_year_flag(event: EventDate, facts: &StayFacts, terms: &StayTerms) -> RuleFlag {
    let meant = meant(event, facts, terms).map_or(RuleFlag::Unknown, |meant| (meant > 6).into());
    let long_enough = |from: Date, to: Date| {
        from.checked_add(6.months().days(1))
            .is_ok_and(|enough| enough <= to)
    };
    match observed_flag(event, facts, terms, &long_enough) {
        Some(RuleFlag::No) => RuleFlag::Unknown,
        Some(flag) => flag,
        None => meant,
    }
}

/// What was observed of a stay; `None` when it goes on and was not observed for long enough.
fn observed_flag(
    event: EventDate,
    facts: &StayFacts,
    terms: &StayTerms,
    long_enough: &dyn Fn(Date, Date) -> bool,
) -> Option<RuleFlag> {
    let (first, last) = span(event);
    match (facts.next, terms.observed_until) {
        (Some(next), _) => {
            let (next_first, next_last) = span(next);
            Some(if long_enough(last, next_first) {
                RuleFlag::Yes
            } else if long_enough(first, next_last) {
                RuleFlag::Unknown
            } else {
                RuleFlag::No
            })
        }
        (None, Some(until)) if long_enough(last, until) => Some(RuleFlag::Yes),
        (None, _) => None,
    }
}

/// First and last day a move can have been.
fn span(event: EventDate) -> (Date, Date) {
    let last = match event.precision {
        DatePrecision::Day => event.date,
        DatePrecision::Month => event.date.last_of_month(),
        DatePrecision::Year => event.date.last_of_year(),
    };
    (event.date, last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use RuleFlag::{No, Unknown, Yes};

    fn day(text: &str) -> EventDate {
        EventDate {
            date: text.parse().unwrap(),
            precision: DatePrecision::Day,
        }
    }

    fn observed(until: &str) -> StayTerms {
        StayTerms {
            observed_until: Some(until.parse().unwrap()),
            own_rule: None,
        }
    }

    /// 12, 6, 3 months and half a year.
    fn common(event: EventDate, facts: StayFacts, terms: &StayTerms) -> [RuleFlag; 4] {
        let [_, rules @ ..] = flags(event, facts, terms).to_array();
        rules
    }

    #[test]
    fn a_stay_that_ended_is_as_long_as_it_was() {
        let until = |next: &str| StayFacts {
            next: Some(day(next)),
            // What was meant says nothing of what was.
            intended_months: Some(24),
            ..StayFacts::default()
        };
        let rules = |next| common(day("2022-01-31"), until(next), &StayTerms::default());
        assert_eq!(rules("2023-01-31"), [Yes, Yes, Yes, Yes]);
        assert_eq!(rules("2023-01-30"), [No, Yes, Yes, Yes]);
        // Six months and no day more.
        assert_eq!(rules("2022-07-31"), [No, Yes, Yes, Unknown]);
        assert_eq!(rules("2022-08-01"), [No, Yes, Yes, Yes]);
        assert_eq!(rules("2022-04-29"), [No, No, No, Unknown]);
        // The end of April is three months after the end of January.
        assert_eq!(rules("2022-04-30"), [No, No, Yes, Unknown]);
    }

    #[test]
    fn a_stay_that_goes_on_meets_what_it_reached_and_then_what_was_meant() {
        let event = day("2024-05-01");
        let nothing = StayFacts::default();
        assert_eq!(common(event, nothing, &StayTerms::default()), [Unknown; 4]);
        assert_eq!(
            common(event, nothing, &observed("2024-12-31")),
            [Unknown, Yes, Yes, Yes]
        );
        let meant = StayFacts {
            intended_months: Some(6),
            ..nothing
        };
        // Who is there for longer than was meant may stay for longer yet.
        assert_eq!(
            common(event, meant, &observed("2024-12-31")),
            [Unknown, Yes, Yes, Yes]
        );
        let for_ten = StayFacts {
            intended_months: Some(10),
            ..nothing
        };
        assert_eq!(
            common(event, for_ten, &observed("2024-12-31")),
            [No, Yes, Yes, Yes]
        );
        assert_eq!(common(event, meant, &StayTerms::default()), [No, Yes, Yes, No]);
    }

    #[test]
    fn days_counted_decide_on_half_a_year() {
        let facts = |days| StayFacts {
            next: Some(day("2022-03-01")),
            days_present: Some(days),
            ..StayFacts::default()
        };
        let half = |days| flags(day("2022-01-01"), facts(days), &StayTerms::default()).half_year;
        assert_eq!((half(183), half(184)), (No, Yes));
        // As long as the twelve months last, few days decide nothing.
        let lasting = StayFacts {
            days_present: Some(61),
            ..StayFacts::default()
        };
        let until = |last| flags(day("2024-11-01"), lasting, &observed(last)).half_year;
        assert_eq!((until("2024-12-31"), until("2025-11-01")), (Unknown, No));
    }

    #[test]
    fn a_date_known_by_its_year_says_what_all_its_days_say() {
        let year = EventDate {
            date: "2022-01-01".parse().unwrap(),
            precision: DatePrecision::Year,
        };
        let until = |next: &str| StayFacts {
            next: Some(day(next)),
            ..StayFacts::default()
        };
        let rules = |next| common(year, until(next), &StayTerms::default());
        assert_eq!(rules("2023-12-31"), [Yes, Yes, Yes, Yes]);
        assert_eq!(rules("2023-03-31"), [Unknown, Unknown, Yes, Unknown]);
    }

    #[test]
    fn the_own_rule_is_what_the_office_says() {
        let next = StayFacts {
            next: Some(day("2022-06-01")),
            ..StayFacts::default()
        };
        let own = |facts, own_rule| {
            let terms = StayTerms {
                observed_until: None,
                own_rule,
            };
            flags(day("2022-01-01"), facts, &terms).own
        };
        assert_eq!(own(next, None), Yes);
        assert_eq!(own(next, Some(DurationRule::Months3)), Yes);
        assert_eq!(own(next, Some(DurationRule::Months12)), No);
        let counted = StayFacts {
            counted: Some(Yes),
            ..next
        };
        assert_eq!(own(counted, Some(DurationRule::Months12)), Yes);
    }
}
