//! Every text of a picture, in every language.

use std::fmt;

use corridor_core::{DisclosureMethod, DurationRule};

/// Language of the texts of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Language {
    /// English.
    English,
    /// French.
    French,
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 2] = [Self::English, Self::French];

    /// Its ISO 639-1 code.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::French => "fr",
        }
    }

    /// What sets thousands apart: in French a narrow blank at which no line breaks.
    pub(super) const fn thousands_mark(self) -> char {
        match self {
            Self::English => ',',
            Self::French => '\u{202f}',
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text. `{}` stands for what is put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    MirrorTitle,
    DifferenceTitle,
    PyramidTitle,
    LagsTitle,
    CorridorAndPeriod,
    CountedBy(DurationRule),
    AllPeriods,
    OnePeriod,
    Unknown,
    Quarter,
    Emigrations,
    EmigrationsOwn,
    Immigrations,
    Matched,
    InBoth,
    OnlyOrigin,
    OnlyDestination,
    Corrected,
    Chapman,
    Suppressed,
    NoEstimate,
    Moves,
    PeriodAxis,
    PeriodOfImmigration,
    Timing,
    Definition,
    Partner,
    Unmatched,
    NotShown,
    Hidden,
    Increase,
    Decrease,
    StepsAre,
    BrokenAxis,
    EndsSuppressed,
    Men,
    Women,
    Age,
    AgeReached,
    SexNotKnown,
    SexNotKnownSuppressed,
    LagAxis,
    LagRange,
    LagUnknown,
    MatchedMoves,
    UnequalSteps,
    Source,
    Agreement,
    Run,
    Result,
    Manifests,
    Provisional,
    Rehearsed,
    Disclosure(DisclosureMethod),
    EstimateCorrected,
    EstimateChapman,
    EstimateBoth,
    Value,
    WithInterval,
}

impl Word {
    /// The text in a language, with `parts` put in.
    pub(super) fn with(self, language: Language, parts: &[&str]) -> String {
        let mut pieces = self.text(language).split("{}");
        let mut out = pieces.next().unwrap_or_default().to_owned();
        for (place, piece) in pieces.enumerate() {
            out.push_str(parts.get(place).copied().unwrap_or_default());
            out.push_str(piece);
        }
        out
    }

    /// The text in a language.
    pub(super) const fn text(self, language: Language) -> &'static str {
        let (english, french) = self.texts();
        match language {
            Language::English => english,
            Language::French => french,
        }
    }

    /// In English and in French. Before `:`, `;` and `%` French has a blank at which no line breaks.
    const fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::MirrorTitle => (
                "Moves as each office counts them, and the estimate of the true number",
                "Migrations selon chaque institut, et estimation du nombre réel",
            ),
            Self::DifferenceTitle => (
                "Why the two offices’ figures differ",
                "Pourquoi les chiffres des deux instituts diffèrent",
            ),
            Self::PyramidTitle => (
                "Matched and unmatched moves by sex and age",
                "Migrations appariées et non appariées, par sexe et âge",
            ),
            Self::LagsTitle => (
                "Days between the two dates of a move",
                "Jours entre les deux dates d’une migration",
            ),
            Self::CorridorAndPeriod => ("{} → {}, {}; {}", "{} → {}, {}\u{a0}; {}"),
            Self::CountedBy(rule) => match rule {
                DurationRule::Own => (
                    "moves counted by each office’s own rule",
                    "migrations comptées selon la règle de chaque institut",
                ),
                DurationRule::Months12 => (
                    "moves for a stay of twelve months",
                    "migrations pour un séjour de douze mois",
                ),
                DurationRule::Months6 => (
                    "moves for a stay of six months",
                    "migrations pour un séjour de six mois",
                ),
                DurationRule::Months3 => (
                    "moves for a stay of three months",
                    "migrations pour un séjour de trois mois",
                ),
                DurationRule::HalfYear => (
                    "moves for six months and a day of the twelve months after",
                    "migrations pour six mois et un jour des douze mois suivants",
                ),
            },
            Self::AllPeriods => ("all periods", "toutes périodes"),
            Self::OnePeriod => ("moves of {} only", "migrations de {} seulement"),
            Self::Unknown => ("unknown", "inconnu"),
            Self::Quarter => ("Q", "T"),
            Self::Emigrations => ("E: emigrations, list of {}", "E\u{a0}: émigrations, liste de {}"),
            Self::EmigrationsOwn => (
                "E: emigrations, list of {}, in its own periods",
                "E\u{a0}: émigrations, liste de {}, dans ses propres périodes",
            ),
            Self::Immigrations => (
                "I: immigrations, list of {}",
                "I\u{a0}: immigrations, liste de {}",
            ),
            Self::Matched => (
                "M: matched, in both lists",
                "M\u{a0}: appariées, dans les deux listes",
            ),
            Self::InBoth => ("matched, in both lists", "appariées, dans les deux listes"),
            Self::OnlyOrigin => ("only in the list of {}", "seulement dans la liste de {}"),
            Self::OnlyDestination => ("only in the list of {}", "seulement dans la liste de {}"),
            Self::Corrected => (
                "N\u{302}: estimate corrected for linkage error, with 95\u{a0}% interval",
                "N\u{302}\u{a0}: estimation corrigée des erreurs d’appariement, intervalle à 95\u{a0}%",
            ),
            Self::Chapman => (
                "N\u{302}: Chapman’s estimate, links as they are, with 95\u{a0}% interval",
                "N\u{302}\u{a0}: estimation de Chapman, liens tels quels, intervalle à 95\u{a0}%",
            ),
            Self::Suppressed => ("suppressed", "secret statistique"),
            Self::NoEstimate => (
                "–: no estimate can be made",
                "–\u{a0}: aucune estimation possible",
            ),
            Self::Moves => ("Moves", "Migrations"),
            Self::PeriodAxis => ("Period", "Période"),
            Self::PeriodOfImmigration => (
                "E has a matched move in the destination’s period, so that each move counts once.",
                "E place une migration appariée dans la période de la destination\u{a0}: chacune compte une fois.",
            ),
            Self::Timing => ("timing: another period", "calendrier\u{a0}: autre période"),
            Self::Definition => (
                "definition: not counted by the other",
                "définition\u{a0}: non comptée par l’autre",
            ),
            Self::Partner => ("partner: another country", "partenaire\u{a0}: autre pays"),
            Self::Unmatched => ("unmatched: not found", "non appariées\u{a0}: introuvables"),
            Self::NotShown => ("not shown separately: {}", "non montré séparément\u{a0}: {}"),
            Self::Hidden => ("not shown separately", "non montré séparément"),
            Self::Increase => ("the destination has more", "la destination en a plus"),
            Self::Decrease => ("the origin has more", "l’origine en a plus"),
            Self::StepsAre => (
                "Each step is the destination’s moves less the origin’s, as written below it.",
                "Chaque marche\u{a0}: migrations de la destination moins celles de l’origine, écrites dessous.",
            ),
            Self::BrokenAxis => (
                "The axis does not begin at 0: the bars E and I are cut.",
                "L’axe ne commence pas à 0\u{a0}: les barres E et I sont tronquées.",
            ),
            Self::EndsSuppressed => (
                "E or I is suppressed, so that no step can be drawn.",
                "E ou I relève du secret statistique\u{a0}: aucune marche ne peut être tracée.",
            ),
            Self::Men => ("Men", "Hommes"),
            Self::Women => ("Women", "Femmes"),
            Self::Age => ("Age in completed years", "Âge en années révolues"),
            Self::AgeReached => ("Age reached in the year", "Âge atteint dans l’année"),
            Self::SexNotKnown => (
                "Not drawn: {} moves of persons whose sex is not known.",
                "Non tracées\u{a0}: {} migrations de personnes de sexe inconnu.",
            ),
            Self::SexNotKnownSuppressed => (
                "Not drawn: moves of persons whose sex is not known (suppressed).",
                "Non tracées\u{a0}: migrations de personnes de sexe inconnu (secret statistique).",
            ),
            Self::LagAxis => (
                "Days from the origin’s date to the destination’s",
                "Jours de la date de l’origine à celle de la destination",
            ),
            Self::LagRange => ("{} to {}", "{} à {}"),
            Self::LagUnknown => ("day not known", "jour inconnu"),
            Self::MatchedMoves => ("Matched moves", "Migrations appariées"),
            Self::UnequalSteps => (
                "The steps are of unequal length; below 0 the destination has the move before the origin.",
                "Les pas sont de longueurs inégales\u{a0}; sous 0, la destination a la migration avant l’origine.",
            ),
            Self::Source => (
                "Source: Corridor flow table",
                "Source\u{a0}: table de flux Corridor",
            ),
            Self::Agreement => ("agreement {}", "accord {}"),
            Self::Run => ("run {}", "exécution {}"),
            Self::Result => ("result {}", "résultat {}"),
            Self::Manifests => (
                "Definitions: manifests {} and {}",
                "Définitions\u{a0}: manifestes {} et {}",
            ),
            Self::Provisional => ("Provisional figures", "Chiffres provisoires"),
            Self::Rehearsed => ("without agreement", "sans accord"),
            Self::Disclosure(method) => match method {
                DisclosureMethod::Suppression => (
                    "Disclosure control: suppression of counts below {} and of those that would tell them",
                    "Secret statistique\u{a0}: masquage des effectifs inférieurs à {} et de ceux qui les révéleraient",
                ),
                DisclosureMethod::RandomRounding => (
                    "Disclosure control: random rounding to multiples of 3, so that sums differ a little",
                    "Secret statistique\u{a0}: arrondi aléatoire aux multiples de 3, sommes légèrement différentes",
                ),
                DisclosureMethod::CellKey => (
                    "Disclosure control: cell key method, changes of at most 2, so that sums differ a little",
                    "Secret statistique\u{a0}: méthode des clés de cellule, écarts d’au plus 2, sommes légèrement différentes",
                ),
            },
            Self::EstimateCorrected => (
                "Estimate: corrected for linkage error",
                "Estimation\u{a0}: corrigée des erreurs d’appariement",
            ),
            Self::EstimateChapman => ("Estimate: Chapman", "Estimation\u{a0}: Chapman"),
            Self::EstimateBoth => (
                "Estimate: corrected for linkage error (filled) or Chapman (open)",
                "Estimation\u{a0}: corrigée des erreurs d’appariement (plein) ou Chapman (vide)",
            ),
            Self::Value => ("{}: {}", "{}\u{a0}: {}"),
            Self::WithInterval => ("{} ({} to {})", "{} ({} à {})"),
        }
    }
}
