//! Who describes which data, of what time, and how it is made and published.

use corridor_core::{CountryCode, Direction, OfficeId};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::reason::ReasonCode;
use super::stated::{Answer, Quantity, Stated, Text, words};

/// The office that describes its data. An office, never a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DescribedOffice {
    /// The country whose moves it counts.
    pub country: CountryCode,
    /// Its short name, as in agreements.
    #[serde(default)]
    pub id: Stated<OfficeId>,
    /// Its name.
    #[serde(default)]
    pub name: Stated<Text>,
    /// Where the unit that keeps the figures is asked.
    #[serde(default)]
    pub contact: Stated<Text>,
    /// Where the definitions are published.
    #[serde(default)]
    pub citation: Stated<Text>,
}

words! {
    /// What kind of source the figures are from.
    SourceKind {
        /// A population register.
        PopulationRegister = "population_register", "takes moves from a population register";
        /// A register of foreigners, or of permits of residence.
        Permits = "permits", "takes moves from permits of residence";
        /// Cards or passports at the border.
        BorderCards = "border_cards", "takes moves from the border";
        /// A sample survey of households or passengers.
        Survey = "survey", "takes moves from a sample survey";
        /// A census.
        Census = "census", "takes moves from a census";
        /// Several sources together.
        Mixed = "mixed", "takes moves from several sources";
    }
}

/// The source of the figures.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Source {
    /// What kind it is.
    pub kind: SourceKind,
    /// Its name.
    pub name: Stated<Text>,
}

/// What time the data is of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reference {
    /// First day of the reference period.
    pub first: Stated<Date>,
    /// Last day of it.
    pub last: Stated<Date>,
    /// The reference date: the day the data was drawn from the source. What was registered later is not in it.
    pub extracted: Stated<Date>,
}

/// The population the figures belong to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Population {
    /// Whom it consists of.
    pub base: super::coverage::PopulationBase,
}

words! {
    /// What the age of a mover is.
    AgeDefinition {
        /// Years completed on the day of the move.
        Completed = "completed", "takes the age in completed years";
        /// Years that will have been reached by the end of the year of the move.
        ReachedInYear = "reached_in_year", "takes the age reached in the year";
    }
}

/// The age of movers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AgeRule {
    /// What it is.
    pub definition: AgeDefinition,
}

words! {
    /// When records of people who are no longer there are looked for.
    Cleaning {
        /// All the time, as from signs of life in other registers.
        Continuous = "continuous", "cleans its register all the time";
        /// Once a year.
        Yearly = "yearly", "cleans its register once a year";
        /// With a census.
        AtCensus = "at_census", "cleans its register with each census";
        /// Never.
        Never = "never", "does not clean its register";
    }
}

words! {
    /// How often one person's moves of a year count.
    RepeatedMoves {
        /// Each counts.
        Each = "each", "counts each move of a person";
        /// One a year counts in each direction.
        OneAYear = "one_a_year", "counts one move of a person a year";
    }
}

/// Records of moves that did not happen, or stand twice.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OverCoverage {
    /// When people who are no longer there are looked for.
    pub cleaning: Cleaning,
    /// Whether records that stand twice are removed.
    pub duplicates_removed: Answer,
    /// How often one person's moves of a year count.
    pub repeated_moves: RepeatedMoves,
}

words! {
    /// Whether one person can be followed from move to move.
    PersonKey {
        /// One number for life.
        Permanent = "permanent", "keeps one number of a person for life";
        /// A new number after an absence, or with a new permit.
        Changes = "changes", "gives a person a new number after an absence or with a new permit";
        /// None.
        None = "none", "has no number of a person";
    }
}

words! {
    /// How birth dates are known.
    BirthDates {
        /// From documents.
        Documented = "documented", "has birth dates from documents";
        /// As people say.
        Declared = "declared", "has birth dates as people say";
        /// Filled in or estimated for some.
        PartlyEstimated = "partly_estimated", "has some estimated birth dates";
    }
}

words! {
    /// In what script names are kept.
    NameScript {
        /// Latin.
        Latin = "latin", "keeps names in Latin script";
        /// Another, as written.
        Other = "other", "keeps names in a script other than Latin";
        /// Written over into Latin.
        Transliterated = "transliterated", "keeps names written over into Latin script";
    }
}

/// By what one person is known again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Identification {
    /// From move to move.
    pub person_key: PersonKey,
    /// By birth date.
    pub birth_dates: BirthDates,
    /// By name.
    pub name_script: NameScript,
}

words! {
    /// What is done to figures besides rounding.
    Perturbation {
        /// Nothing.
        None = "none", "does not change figures";
        /// Noise that is the same for the same people.
        CellKey = "cell_key", "adds cell-key noise";
        /// Random rounding.
        RandomRounding = "random_rounding", "rounds at random";
        /// Small figures are left out.
        Suppression = "suppression", "suppresses small figures";
    }
}

/// What is done to figures before they are published.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Published {
    /// To multiples of what they are rounded; `none` when they are not.
    pub rounding_base: Quantity,
    /// What else is done to them.
    pub perturbation: Perturbation,
}

/// A day from which the series is not what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeriesBreak {
    /// The first day of the new rule.
    pub date: Date,
    /// In what it is new.
    pub changed: ReasonCode,
    /// Of which direction, where not of both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// What changed, in words.
    pub what: Text,
}
