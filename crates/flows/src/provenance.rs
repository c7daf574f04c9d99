//! Where figures come from, how they were made and what they mean: what goes with every file of them.

use corridor_core::{Digest, DisclosureMethod, DurationRule};
use serde::{Deserialize, Serialize};

use crate::terms::FlowTerms;

/// Where a table comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// The agreement's digest; `None` in a rehearsal, which has none.
    pub agreement: Option<Digest>,
    /// The run's id; `None` in a rehearsal.
    pub run: Option<Digest>,
    /// Digest of what both offices released; `None` in a rehearsal.
    pub result: Option<Digest>,
}

/// What stands where there is no agreement or run.
pub(crate) const REHEARSAL: &str = "rehearsal";

impl Provenance {
    /// The three digests as texts, by name.
    pub fn entries(&self) -> [(&'static str, String); 3] {
        let text =
            |digest: Option<Digest>| digest.map_or_else(|| REHEARSAL.to_owned(), |digest| digest.to_string());
        [
            ("agreement", text(self.agreement)),
            ("run", text(self.run)),
            ("result", text(self.result)),
        ]
    }
}

impl FlowTerms {
    /// How the figures were made, in a line: estimators, correction, disclosure control.
    pub fn method(&self) -> String {
        let minimum = self.disclosure.minimum_count;
        let disclosure = match self.disclosure.method {
            DisclosureMethod::Suppression => {
                format!("suppression of counts below {minimum} and what gives them away")
            }
            DisclosureMethod::RandomRounding => "random rounding to multiples of 3".to_owned(),
            DisclosureMethod::CellKey => "cell key method, changes of at most 2".to_owned(),
        };
        format!(
            "Chapman estimate; linkage error by Ding and Fienberg; {disclosure}; {}",
            self.status.as_str()
        )
    }

    /// By which definitions moves count, in a line: the rule, and the manifests of the two offices by digest.
    pub fn definition_reference(&self) -> String {
        let rule = match self.statistics.duration_rule {
            DurationRule::Own => "each office's own rule",
            DurationRule::Months12 => "stays of 12 months",
            DurationRule::Months6 => "stays of 6 months",
            DurationRule::Months3 => "stays of 3 months",
            DurationRule::HalfYear => "6 months and a day of 12",
        };
        match &self.definitions {
            None => format!("{rule}; no manifests agreed"),
            Some(manifests) => format!(
                "{rule}; manifests {} and {}",
                manifests.origin, manifests.destination
            ),
        }
    }

    /// How the figures were made, at length, by name.
    pub fn methods(&self) -> [(&'static str, String); 4] {
        [
            ("estimate", ESTIMATE.to_owned()),
            ("linkage_error", LINKAGE_ERROR.to_owned()),
            ("disclosure", disclosure(self)),
            (
                "duration_rule",
                duration_rule(self.statistics.duration_rule).to_owned(),
            ),
        ]
    }
}

const ESTIMATE: &str = "Chapman 1951; variance Seber 1970, and that of what chance added to the counts where disclosure control does; \
                        95 % log-normal interval after Chao 1987; links as they are: see corrected; if being in one list makes \
                        being in the other likelier, it is too low: see the two figures under dependence";

const LINKAGE_ERROR: &str = "corrected: m = matched * precision / recall; N = E * I / m, variance by the delta method (Ding & Fienberg \
                             1994; Di Consiglio & Tuoto 2015; de Wolf, van der Laan & Zult 2019) in precision and recall, 95 % interval \
                             log-normal on m with the ends of those of precision and recall; precision and recall as expected, recall times what blocks let meet; classes of moves found are \
                             multiplied by precision / recall, those not found take the rest of each office's own count; a row that has \
                             none says why: not_corrected";

fn disclosure(terms: &FlowTerms) -> String {
    let minimum = terms.disclosure.minimum_count;
    match terms.disclosure.method {
        DisclosureMethod::Suppression => format!(
            "a count above 0 and below {minimum} is suppressed, and further counts with it, so that nobody who adds and subtracts \
             what is shown can tell of one that it is below {minimum}"
        ),
        DisclosureMethod::RandomRounding => {
            "the classes of every row are rounded to multiples of 3 by chance and without bias, and its other counts are the sums of \
             these; rows do not add up to their totals exactly"
                .to_owned()
        }
        DisclosureMethod::CellKey => {
            "the classes of every row are changed by at most 2 without bias, the same moves always by the same (cell key method), and its \
             other counts are the sums of these; rows do not add up to their totals exactly"
                .to_owned()
        }
    }
}

const fn duration_rule(rule: DurationRule) -> &'static str {
    match rule {
        DurationRule::Own => "a move counts when the office that reports it counts it",
        DurationRule::Months12 => {
            "a move counts when the stay after it was, or was meant to be, of twelve months"
        }
        DurationRule::Months6 => {
            "a move counts when the stay after it was, or was meant to be, of six months"
        }
        DurationRule::Months3 => {
            "a move counts when the stay after it was, or was meant to be, of three months"
        }
        DurationRule::HalfYear => {
            "a move counts when the person was there for six months and a day of the twelve months after it"
        }
    }
}

/// Name and meaning of each figure, in the order of columns.
pub const DEFINITIONS: [(&str, &str); 28] = [
    (
        "emigrations",
        "reported by the origin's office, a matched move in the period and group the destination gives it, so that it counts once; a \
         move whose arrival is outside the reference period is in no row: matched + only_origin",
    ),
    ("immigrations", "reported by the destination's office"),
    ("matched", "moves both offices report and count"),
    (
        "only_origin",
        "moves the origin's office alone reports and counts for this corridor",
    ),
    (
        "only_destination",
        "moves the destination's office alone reports and counts for this corridor",
    ),
    (
        "emigrations_own",
        "reported by the origin's office, in its own period; a move both have in one period in the group the destination gives it",
    ),
    ("agree", "moves both offices report and count in the same period"),
    (
        "timing_origin",
        "the origin's moves that the destination has in another period",
    ),
    (
        "timing_destination",
        "the destination's moves that the origin has in another period",
    ),
    (
        "definition_origin",
        "the origin's moves that the destination has and does not count by the rule, or of which it does not know",
    ),
    (
        "definition_destination",
        "the destination's moves that the origin has and does not count by the rule, or of which it does not know",
    ),
    (
        "partner_origin",
        "the origin's moves that the destination has with another country or none",
    ),
    (
        "partner_destination",
        "the destination's moves that the origin has with another country or none",
    ),
    (
        "unmatched_origin",
        "the origin's moves that the destination does not have",
    ),
    (
        "unmatched_destination",
        "the destination's moves that the origin does not have",
    ),
    (
        "identity",
        "immigrations - emigrations_own = (timing_destination - timing_origin) + (definition_destination - definition_origin) + \
         (partner_destination - partner_origin) + (unmatched_destination - unmatched_origin)",
    ),
    ("coverage_origin", "matched / immigrations"),
    ("coverage_destination", "matched / emigrations"),
    (
        "estimate",
        "moves in truth, if the two lists are independent and every link is taken at its word",
    ),
    (
        "estimate_odds_ratio_0_67, estimate_odds_ratio_1_5",
        "the estimate, if the odds of being in one list are 2/3, or 1.5 times, as high for those in the other; corrected_odds_ratio_0_67 \
         and corrected_odds_ratio_1_5 the same of the corrected one",
    ),
    (
        "estimate_remark",
        "suppressed: no estimate, a count it is made of is suppressed; no_match: no estimate, nothing is in both lists; one_register: no \
         estimate, the group is by a variable that is not known of more than half of the moves that the origin alone has, or of the \
         destination's, so that these are not in the group; thin: fewer than seven are matched, and the estimate may be biased: take it together with other \
         groups",
    ),
    (
        "precision_taken, recall_taken",
        "expected share of links that are true, and of true matches that are linked, of the links that quality_of names; with them \
         the corrected figures are made",
    ),
    (
        "not_corrected",
        "why linkage error is not taken out: suppressed, a count is; no_links, none is matched; quality_unknown, the threshold was \
         given or it is not known what blocks lost; contradiction, more matches would come out than a list has moves; one_register, as \
         in estimate_remark",
    ),
    (
        "classes_not_corrected",
        "why the classes of a row whose estimate is corrected are not: suppressed, one of them is; contradiction, more moves would be \
         found than an office counts",
    ),
    (
        "lags",
        "days from the origin's date of a matched move to the destination's",
    ),
    (
        "stays",
        "moves of one office's list, counted or not, by whether they count under each rule of minimum stay",
    ),
    (
        "durations",
        "moves that count under a minimum stay of three or six months, made such of twelve by a factor: from the stays of linked persons \
         (linked_stays, Kaplan & Meier 1958; linked_rate, a constant rate at which they end), or for want of these from the published \
         table of the IMEM model (imem_2013, Raymer et al. 2013); all of them estimated; not_converted: suppressed, a count is; \
         rule_unknown, of some moves it is not known whether the shorter rule counts them",
    ),
    (
        "strata",
        "Chapman's estimate in each group of a table, added up over the groups; a group with fewer than seven matched moves is pooled with \
         others that are as thin and, while these are still thin, with the next thinnest; not_stratified says why there is none",
    ),
];
