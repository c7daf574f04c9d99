//! How moves come to be registered, or do not, or late.

use super::super::DefinitionManifest;
use super::super::direction::{FlowDefinition, Strength, Undercount};
use super::super::reason::ReasonCode;
use super::super::stated::{Quantity, Stated};
use super::{ANYWHERE, Ranks, Statements, answer_ranks, topic};

pub(super) fn under_registration(out: &mut Statements, flow: &FlowDefinition) {
    let rule = &flow.registration;
    let topic_of = |field: &str, title, why| {
        topic(
            ReasonCode::UnderRegistration,
            &format!("registration.{field}"),
            title,
            why,
        )
    };
    let missed = "Moves nobody must declare are declared less often.";
    out.word(
        topic_of("obligation", "Obligation to register the move", missed),
        rule.obligation,
        answer_ranks(rule.obligation),
    );
    out.word(
        topic_of(
            "obligation_third_country",
            "Obligation of third-country nationals to register the move",
            missed,
        ),
        rule.obligation_third_country,
        answer_ranks(rule.obligation_third_country),
    );
    out.word(
        topic_of(
            "enforcement",
            "Fines or checks",
            "Where nothing follows, fewer register.",
        ),
        rule.enforcement,
        strength_ranks(rule.enforcement),
    );
    out.word(
        topic_of(
            "incentive",
            "Reasons to register",
            "People register where they gain by it, on arrival more than on departure.",
        ),
        rule.incentive,
        strength_ranks(rule.incentive),
    );
    out.word(
        topic_of(
            "third_country_monitored",
            "Monitoring of third-country nationals",
            "Where permits are followed up, departures that nobody declared are found.",
        ),
        rule.third_country_monitored,
        answer_ranks(rule.third_country_monitored),
    );
    out.word(
        topic_of(
            "corrected_by_office",
            "Correction by the statistical office",
            "Moves that nobody declared are added to one of the figures.",
        ),
        rule.corrected_by_office,
        answer_ranks(rule.corrected_by_office),
    );
    let undercount = match rule.expected_undercount {
        Undercount::Low => (2, 2),
        Undercount::Medium => (1, 1),
        Undercount::High => (0, 0),
        Undercount::Unknown => ANYWHERE,
    };
    out.word(
        topic_of(
            "expected_undercount",
            "Expected undercount",
            "Of the same moves, the two offices register different shares.",
        ),
        rule.expected_undercount,
        undercount,
    );
}

pub(super) fn late_registration(out: &mut Statements, manifest: &DefinitionManifest, flow: &FlowDefinition) {
    let rule = &flow.registration;
    let topic_of = |field, title, why| topic(ReasonCode::LateRegistration, field, title, why);
    // Later is less, as far as the data ends; no limit is the latest.
    let days_allowed = match rule.days_allowed {
        Quantity::Is(days) => (-i64::from(days), -i64::from(days)),
        Quantity::None => (-1_000_000, -1_000_000),
        Quantity::Unknown => ANYWHERE,
    };
    out.quantity(
        topic_of(
            "registration.days_allowed",
            "Time allowed",
            "Moves at the end of the period may be registered after the data was drawn.",
        ),
        rule.days_allowed,
        "days",
        "sets no limit",
        days_allowed,
    );
    let lag = match rule.typical_lag_days {
        Quantity::Is(days) => (-i64::from(days), -i64::from(days)),
        Quantity::None => (0, 0),
        Quantity::Unknown => ANYWHERE,
    };
    out.quantity(
        topic_of(
            "registration.typical_lag_days",
            "Lag of registration",
            "Moves at the end of the period may be missing, or fall into the next.",
        ),
        rule.typical_lag_days,
        "days",
        "registers moves at once",
        lag,
    );
    // Who corrects at all finds moves that nobody declared; sooner or later only shifts them.
    let by_authority = match rule.by_authority_after_months {
        Quantity::Is(_) => (1, 1),
        Quantity::None => (0, 0),
        Quantity::Unknown => ANYWHERE,
    };
    out.quantity(
        topic_of(
            "registration.by_authority_after_months",
            "Change of the register by the authority",
            "Moves found by the authority are late, and their date and partner are often not known.",
        ),
        rule.by_authority_after_months,
        "months",
        "leaves it to the person",
        by_authority,
    );
    let reference = &manifest.reference;
    let wait = match (reference.last, reference.extracted) {
        (Stated::Known(last), Stated::Known(extracted)) => days_between(last, extracted),
        (Stated::Unknown | Stated::Known(_), Stated::Unknown) | (Stated::Unknown, Stated::Known(_)) => None,
    };
    out.add(
        topic_of(
            "reference.extracted",
            "Wait between the end of the period and the extract",
            "What was registered after the extract is not in the figures.",
        ),
        wait.map_or("unknown".to_owned(), |days| format!("{days} days")),
        wait.map_or("does not say".to_owned(), |days| format!("waited {days} days")),
        wait.is_some(),
        wait.map_or(ANYWHERE, |days| (days, days)),
    );
}

fn days_between(from: jiff::civil::Date, to: jiff::civil::Date) -> Option<i64> {
    from.until(to).ok().map(|span| i64::from(span.get_days()))
}

fn strength_ranks(strength: Strength) -> Ranks {
    match strength {
        Strength::Strong => (2, 2),
        Strength::Weak => (1, 1),
        Strength::None => (0, 0),
        Strength::Unknown => ANYWHERE,
    }
}
