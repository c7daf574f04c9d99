//! What an office says of one direction: emigrations, or immigrations.

use serde::{Deserialize, Serialize};

use super::duration::DurationRule;
use super::stated::{Answer, Quantity, words};

words! {
    /// What the date of a move is the date of.
    DateBasis {
        /// The day the person moved.
        Move = "move", "dates a move by the day of the move";
        /// The day the move was registered in the new place of residence.
        Registration = "registration", "dates a move by the day of registration";
        /// The day the person was taken off the register.
        Deregistration = "deregistration", "dates a move by the day of deregistration";
        /// The day a permit of residence was issued.
        PermitIssue = "permit_issue", "dates a move by the day a permit was issued";
        /// The day a permit of residence ended.
        PermitExpiry = "permit_expiry", "dates a move by the day a permit expired";
        /// The day the authority corrected the register.
        AdministrativeCorrection = "administrative_correction", "dates a move by the day the authority corrected the register";
    }
}

words! {
    /// How exact dates of moves are.
    StatedPrecision {
        /// To the day.
        Day = "day", "knows the day";
        /// To the month.
        Month = "month", "knows the month";
        /// To the year.
        Year = "year", "knows the year";
    }
}

words! {
    /// How strongly people are moved to register.
    Strength {
        /// Not at all.
        None = "none", "has none";
        /// A little.
        Weak = "weak", "has weak ones";
        /// Much.
        Strong = "strong", "has strong ones";
    }
}

words! {
    /// How much of a flow is missed, in the opinion of experts.
    Undercount {
        /// Little.
        Low = "low", "is thought to miss little";
        /// Something between.
        Medium = "medium", "is thought to miss some";
        /// Much.
        High = "high", "is thought to miss much";
    }
}

words! {
    /// How the other country of a move is known.
    PartnerBasis {
        /// The person declares the next, or the previous, country of residence.
        Declared = "declared", "takes the country the person declares";
        /// The country the person came from last, or went to first, even if only in transit.
        LastTransit = "last_transit", "takes the last country of transit";
        /// The country of citizenship stands for it.
        Citizenship = "citizenship_proxy", "takes the country of citizenship instead";
        /// The country of birth stands for it.
        Birth = "birth_proxy", "takes the country of birth instead";
    }
}

words! {
    /// What becomes of moves whose other country is not known.
    UnknownPartner {
        /// They are a group of their own in the figures.
        Separate = "separate", "shows moves of unknown partner on their own";
        /// They are divided among the countries in proportion.
        Distributed = "distributed", "divides moves of unknown partner among the countries";
        /// A country is imputed to each.
        Imputed = "imputed", "imputes a partner where there is none";
        /// They are left out.
        Excluded = "excluded", "leaves out moves of unknown partner";
    }
}

/// The date of a move.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DateRule {
    /// What it is the date of.
    pub basis: DateBasis,
    /// How exact it is.
    pub precision: StatedPrecision,
}

/// How moves come to be registered, for emigrations read "deregister on departure" and for immigrations "register on arrival".
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RegistrationRule {
    /// Whether people must do so.
    pub obligation: Answer,
    /// Whether third-country nationals must, where their rule is another.
    pub obligation_third_country: Answer,
    /// What happens to those who do not: fines, checks.
    pub enforcement: Strength,
    /// What people gain by it: health care, schools, taxes.
    pub incentive: Strength,
    /// Days allowed after the move; `none` when there is no limit.
    pub days_allowed: Quantity,
    /// Days between a move and its record, typically; `none` when there are none.
    pub typical_lag_days: Quantity,
    /// Months of absence (of presence, for immigrations) after which the authority itself changes the register; `none` when it
    /// never does.
    pub by_authority_after_months: Quantity,
    /// Whether the authority follows if third-country nationals are still there, as by permits that expire.
    pub third_country_monitored: Answer,
    /// Whether the statistical office adds moves that nobody declared.
    pub corrected_by_office: Answer,
    /// How much of the flow is missed, in the opinion of experts.
    pub expected_undercount: Undercount,
}

/// How the other country of a move is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PartnerRule {
    /// From what.
    pub known_by: PartnerBasis,
    /// What becomes of moves where it is not known.
    pub unknown_handling: UnknownPartner,
    /// Moves of every hundred where it is not known; `none` when it always is.
    pub unknown_percent: Quantity,
}

/// What an office says of its emigrations, or of its immigrations.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FlowDefinition {
    /// How long somebody must be away, or stay.
    pub duration: DurationRule,
    /// What the date is.
    pub date: DateRule,
    /// How moves come to be registered.
    pub registration: RegistrationRule,
    /// How the other country is known.
    pub partner: PartnerRule,
}
