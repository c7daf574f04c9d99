//! A manifest as a list of statements about one direction, each of which can be held against the same one of another manifest.
//!
//! What a statement does to its own office's count is told by the office alone, as a range of ranks: whoever has the higher range
//! counts more. Neither side of a comparison is special, so a comparison seen from the other end is its mirror image.

mod registration;

use corridor_core::{CountryCode, Direction};

use super::DefinitionManifest;
use super::coverage::{PopulationBase, Treatment};
use super::direction::{DateBasis, FlowDefinition, UnknownPartner};
use super::frame::RepeatedMoves;
use super::reason::ReasonCode;
use super::stated::{Answer, Quantity, Stated, Word};
use registration::{late_registration, under_registration};

/// One office's side of a corridor.
#[derive(Debug, Clone, Copy)]
pub(super) struct Side<'a> {
    pub(super) manifest: &'a DefinitionManifest,
    pub(super) direction: Direction,
    /// The other country.
    pub(super) partner: CountryCode,
}

/// Where a statement puts its office's count among those of others: from the first to the second.
pub(super) type Ranks = (i64, i64);

/// Nothing can be said of who counts more.
const ANYWHERE: Ranks = (i64::MIN, i64::MAX);

/// What the key is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Topic {
    pub(super) reason: ReasonCode,
    pub(super) field: String,
    /// To begin a sentence.
    pub(super) title: String,
    /// Why it makes figures differ, as a sentence.
    pub(super) why: &'static str,
}

/// What an office says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) topic: Topic,
    /// For tables.
    pub(super) value: String,
    /// After the office's name in a sentence.
    pub(super) phrase: String,
    /// Statements with the same meaning are alike; `None` when it is not said.
    pub(super) meaning: Option<String>,
    pub(super) ranks: Ranks,
}

struct Statements {
    list: Vec<Statement>,
}

impl Statements {
    fn add(&mut self, topic: Topic, value: String, phrase: String, is_known: bool, ranks: Ranks) {
        self.list.push(Statement {
            topic,
            meaning: is_known.then(|| value.clone()),
            value,
            phrase,
            ranks,
        });
    }

    fn word<T: Word + Default>(&mut self, topic: Topic, word: T, ranks: Ranks) {
        let is_known = word != T::default();
        self.add(
            topic,
            word.word().to_owned(),
            word.phrase().to_owned(),
            is_known,
            ranks,
        );
    }

    /// A number and what it means; `none` has a phrase of its own.
    fn quantity(&mut self, topic: Topic, quantity: Quantity, unit: &str, none: &str, ranks: Ranks) {
        let (value, phrase) = match quantity {
            Quantity::Is(number) => (format!("{number} {unit}"), format!("says {number} {unit}")),
            Quantity::None => ("none".to_owned(), none.to_owned()),
            Quantity::Unknown => ("unknown".to_owned(), "does not say".to_owned()),
        };
        self.add(topic, value, phrase, quantity != Quantity::Unknown, ranks);
    }
}

fn topic(reason: ReasonCode, field: &str, title: &str, why: &'static str) -> Topic {
    Topic {
        reason,
        field: field.to_owned(),
        title: title.to_owned(),
        why,
    }
}

/// All statements of a side that stand in every manifest, in the order of reasons. Two sides give the same topics.
pub(super) fn statements(side: &Side<'_>) -> Vec<Statement> {
    let silent = FlowDefinition::default();
    let flow = side.manifest.direction(side.direction).unwrap_or(&silent);
    let mut out = Statements { list: Vec::new() };
    duration(&mut out, flow, side.partner);
    coverage(&mut out, side.manifest);
    under_registration(&mut out, flow);
    late_registration(&mut out, side.manifest, flow);
    timing(&mut out, side.manifest, flow);
    partner(&mut out, flow);
    rest(&mut out, side.manifest);
    out.list
}

fn duration(out: &mut Statements, flow: &FlowDefinition, partner: CountryCode) {
    let stay = flow.duration.minimum_stay_for(partner);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::as_conversions,
        reason = "at most 3,720 days are 12,222 hundredths of a month"
    )]
    let ranks = stay
        .to_months()
        .map(|months| -((months * 100.0).round() as i64))
        .map_or(ANYWHERE, |rank| (rank, rank));
    let why = "Moves for a time between the two rules are in one of the figures only.";
    let topic_of = |field, title, why| topic(ReasonCode::Duration, field, title, why);
    out.add(
        topic_of("duration.minimum_stay", "Minimum stay", why),
        stay.to_string(),
        stay.phrase(),
        stay != super::duration::MinimumStay::Unknown,
        ranks,
    );
    out.word(
        topic(
            ReasonCode::Basis,
            "duration.basis",
            "Basis of the duration",
            "Stays that end earlier or later than was said or permitted are judged in two ways.",
        ),
        flow.duration.basis,
        ANYWHERE,
    );
}

fn coverage(out: &mut Statements, manifest: &DefinitionManifest) {
    let coverage = &manifest.coverage;
    let groups = [
        ("nationals", "Nationals", coverage.nationals),
        ("foreigners", "Foreigners", coverage.foreigners),
        ("students", "Students", coverage.students),
        ("asylum_seekers", "Asylum seekers", coverage.asylum_seekers),
        ("refugees", "Refugees", coverage.refugees),
        (
            "temporary_protection",
            "People under temporary protection",
            coverage.temporary_protection,
        ),
        ("diplomats", "Diplomats", coverage.diplomats),
        ("military", "Military", coverage.military),
        ("seasonal_workers", "Seasonal workers", coverage.seasonal_workers),
        ("irregular", "People without a right to stay", coverage.irregular),
        (
            "cross_border_commuters",
            "Cross-border commuters",
            coverage.cross_border_commuters,
        ),
    ];
    for (name, title, treatment) in groups {
        out.add(
            topic(
                ReasonCode::Coverage,
                &format!("coverage.{name}"),
                title,
                "Moves of the group are in one of the figures only, or in one of them more fully.",
            ),
            treatment.to_string(),
            treatment.phrase(),
            treatment != Treatment::Unknown,
            treatment_ranks(treatment),
        );
    }
    let base = manifest.population.base;
    let base_rank = match base {
        PopulationBase::Legal => (0, 0),
        PopulationBase::UsualResidence => (1, 1),
        PopulationBase::Present => (2, 2),
        PopulationBase::Unknown => ANYWHERE,
    };
    out.word(
        topic(
            ReasonCode::Coverage,
            "population.base",
            "Population",
            "People may move without entering or leaving the legal population, or be present without living there.",
        ),
        base,
        base_rank,
    );
    out.word(
        topic(
            ReasonCode::Coverage,
            "source.kind",
            "Source",
            "Different sources reach different people.",
        ),
        manifest.source.kind,
        ANYWHERE,
    );
}

fn treatment_ranks(treatment: Treatment) -> Ranks {
    /// Above every number of months.
    const ALL: i64 = 1000;
    match treatment {
        Treatment::Included => (ALL, ALL),
        Treatment::Excluded => (0, 0),
        Treatment::FromMonths(months) => (ALL - i64::from(months), ALL - i64::from(months)),
        Treatment::Partly => (1, ALL - 1),
        Treatment::Unknown => ANYWHERE,
    }
}

/// An office that answers yes registers more of the moves.
fn answer_ranks(answer: Answer) -> Ranks {
    match answer {
        Answer::Yes => (2, 2),
        Answer::Partly => (1, 1),
        Answer::No => (0, 0),
        Answer::Unknown => ANYWHERE,
    }
}

fn opposite((low, high): Ranks) -> Ranks {
    (high.saturating_neg(), low.saturating_neg())
}

fn timing(out: &mut Statements, manifest: &DefinitionManifest, flow: &FlowDefinition) {
    let topic_of = |field, title, why| topic(ReasonCode::Timing, field, title, why);
    let basis = flow.date.basis;
    out.word(
        topic_of(
            "date.basis",
            "Date of the move",
            "The same move may fall into two years, and a pair of events may be far apart.",
        ),
        basis,
        ANYWHERE,
    );
    // The office left strikes off when the office entered writes in: both date by the register.
    if let Some(statement) = out.list.last_mut()
        && matches!(basis, DateBasis::Registration | DateBasis::Deregistration)
    {
        statement.meaning = Some("register".to_owned());
    }
    out.word(
        topic_of(
            "date.precision",
            "Precision of dates",
            "Events can be paired no more exactly than the coarser of the two dates.",
        ),
        flow.date.precision,
        ANYWHERE,
    );
    let reference = &manifest.reference;
    let period = match (reference.first, reference.last) {
        (Stated::Known(first), Stated::Known(last)) => Some(format!("{first} to {last}")),
        (Stated::Unknown | Stated::Known(_), Stated::Unknown) | (Stated::Unknown, Stated::Known(_)) => None,
    };
    let is_known = period.is_some();
    let value = period.unwrap_or_else(|| "unknown".to_owned());
    let phrase = if is_known {
        format!("describes {value}")
    } else {
        "does not say".to_owned()
    };
    out.add(
        topic_of(
            "reference.first",
            "Reference period",
            "Only moves of the days both periods have in common can be in both figures.",
        ),
        value,
        phrase,
        is_known,
        ANYWHERE,
    );
    out.word(
        topic_of(
            "age.definition",
            "Age",
            "About half of the movers are a year older in the age reached in the year; totals are not touched.",
        ),
        manifest.age.definition,
        ANYWHERE,
    );
}

fn partner(out: &mut Statements, flow: &FlowDefinition) {
    let rule = &flow.partner;
    let topic_of = |field, title, why| topic(ReasonCode::Partner, field, title, why);
    out.word(
        topic_of(
            "partner.known_by",
            "Partner country",
            "One move may be counted for two different partners.",
        ),
        rule.known_by,
        ANYWHERE,
    );
    let handling = match rule.unknown_handling {
        UnknownPartner::Separate | UnknownPartner::Excluded => (0, 0),
        UnknownPartner::Distributed | UnknownPartner::Imputed => (1, 1),
        UnknownPartner::Unknown => ANYWHERE,
    };
    out.word(
        topic_of(
            "partner.unknown_handling",
            "Moves of unknown partner",
            "Moves of unknown partner are in the figures of this corridor, or are not.",
        ),
        rule.unknown_handling,
        handling,
    );
    let percent = match rule.unknown_percent {
        Quantity::Is(percent) => (-i64::from(percent), -i64::from(percent)),
        Quantity::None => (0, 0),
        Quantity::Unknown => ANYWHERE,
    };
    out.quantity(
        topic_of(
            "partner.unknown_percent",
            "Share of moves of unknown partner",
            "Moves of unknown partner may belong to this corridor.",
        ),
        rule.unknown_percent,
        "in a hundred",
        "always knows the partner",
        percent,
    );
}

/// Territory, over-coverage, linkage and rounding.
fn rest(out: &mut Statements, manifest: &DefinitionManifest) {
    out.word(
        topic(
            ReasonCode::Territory,
            "territory.former_states",
            "Former states",
            "A move recorded with the code of a former state may belong to this corridor.",
        ),
        manifest.territory.former_states,
        ANYWHERE,
    );
    let over = &manifest.over_coverage;
    let topic_of = |field, title, why| topic(ReasonCode::OverCoverage, field, title, why);
    out.word(
        topic_of(
            "over_coverage.cleaning",
            "Cleaning of the register",
            "People found to have left long ago are emigrations of the day they are found, or of no day.",
        ),
        over.cleaning,
        ANYWHERE,
    );
    out.word(
        topic_of(
            "over_coverage.duplicates_removed",
            "Removal of records that stand twice",
            "Records that stand twice count twice.",
        ),
        over.duplicates_removed,
        opposite(answer_ranks(over.duplicates_removed)),
    );
    let repeated = match over.repeated_moves {
        RepeatedMoves::Each => (1, 1),
        RepeatedMoves::OneAYear => (0, 0),
        RepeatedMoves::Unknown => ANYWHERE,
    };
    out.word(
        topic_of(
            "over_coverage.repeated_moves",
            "Repeated moves",
            "Who goes and comes several times a year counts once or several times.",
        ),
        over.repeated_moves,
        repeated,
    );
    let known = &manifest.identification;
    let topic_of = |field, title| {
        topic(
            ReasonCode::Linkage,
            field,
            title,
            "Links of the same person may be missed, which makes moves of both lists look unmatched.",
        )
    };
    out.word(
        topic_of("identification.person_key", "Number of a person"),
        known.person_key,
        ANYWHERE,
    );
    out.word(
        topic_of("identification.birth_dates", "Birth dates"),
        known.birth_dates,
        ANYWHERE,
    );
    out.word(
        topic_of("identification.name_script", "Script of names"),
        known.name_script,
        ANYWHERE,
    );
    let published = &manifest.published;
    let topic_of = |field, title| {
        topic(
            ReasonCode::Rounding,
            field,
            title,
            "Small figures may differ by as much as is added or cut; linked records are not touched.",
        )
    };
    out.quantity(
        topic_of("published.rounding_base", "Rounding"),
        published.rounding_base,
        "is the base",
        "does not round",
        ANYWHERE,
    );
    out.word(
        topic_of("published.perturbation", "Protection of small figures"),
        published.perturbation,
        ANYWHERE,
    );
}
