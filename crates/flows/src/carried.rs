//! Linkage error carried from the links to the figures of a table.

use serde::{Deserialize, Serialize};

use crate::classes::Measure;
use crate::dual_system::Dependence;
use crate::interval::{Confidence, Interval};
use crate::noise::ClassNoise;
use crate::number::real;
use crate::published::{FlowCounts, Group, PublishedTable, are_near};

/// How good links are, as 95 % intervals.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkQuality {
    /// Share of links that are true.
    pub precision: Interval,
    /// Share of true matches that are linked.
    pub recall: Interval,
}

/// What is known of the links of some moves.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownQuality {
    /// Whose links it is said of: `all`, or the variable and label of a group.
    pub quality_of: String,
    /// Expected share of links that are true; within its interval.
    pub precision: f64,
    /// Expected share of true matches that are linked; within its interval, and above 0.
    pub recall: f64,
    /// Both as intervals.
    pub quality: LinkQuality,
}

/// Why linkage error is not taken out of the figures of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotCorrected {
    /// A count it would be made of is suppressed.
    Suppressed,
    /// There is no link to estimate from.
    NoLinks,
    /// How good the links are is not known: the threshold was given, it is not known what blocks lost, or perhaps no link is true.
    QualityUnknown,
    /// Counts and quality cannot be true together: more matches come out than a list has moves, by more than chance explains.
    Contradiction,
    /// The row is by a variable that one of the registers does not tell ([`UntoldVariable`](crate::UntoldVariable)).
    OneRegister,
}

impl NotCorrected {
    /// Every reason.
    pub const ALL: [Self; 5] = [
        Self::Suppressed,
        Self::NoLinks,
        Self::QualityUnknown,
        Self::Contradiction,
        Self::OneRegister,
    ];

    /// The word in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Suppressed => "suppressed",
            Self::NoLinks => "no_links",
            Self::QualityUnknown => "quality_unknown",
            Self::Contradiction => "contradiction",
            Self::OneRegister => "one_register",
        }
    }

    /// The reason of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }
}

/// Figures of one group after linkage error is taken out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CarriedError {
    /// Whose links the quality is of: `all`, or the variable and label of a group.
    pub quality_of: String,
    /// The quality that was taken.
    pub quality: LinkQuality,
    /// Moves in both lists, with false links taken out and missed ones put in: m̂.
    pub matched: f64,
    /// Petersen's estimate with the links as they are.
    pub naive: f64,
    /// The estimate corrected for linkage error: N̂ = n₁n₂/m̂.
    pub estimate: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// 95 % interval of it, log-normal on the moves in both lists, with what is not known of the links; never below the longer list, but
    /// for what chance added to it.
    pub interval: Interval,
    /// Coverage of the origin's list, m̂/n₂.
    pub coverage_origin: f64,
    /// Coverage of the destination's list, m̂/n₁.
    pub coverage_destination: f64,
    /// What becomes of the classes; `None` when one of them is suppressed or they and the quality cannot be true together.
    pub classes: Option<CorrectedClasses>,
    /// The precision m̂ is made with. `None`, as the three below, in results of before it was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<f64>,
    /// The recall m̂ is made with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recall: Option<f64>,
    /// The estimate if the odds of being in one list are ⅔ as high for those in the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_odds_ratio_two_thirds: Option<f64>,
    /// The estimate if they are 1.5 times as high.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_odds_ratio_three_halves: Option<f64>,
}

/// The classes of a row after expected false and missed links moved between unmatched and the others. Each office's own count stays
/// what it is, and so does the identity of [`Measure`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorrectedClasses {
    /// See [`Measure::Agree`], as the others by their names.
    pub agree: f64,
    /// The origin's.
    pub timing_origin: f64,
    /// The destination's.
    pub timing_destination: f64,
    /// The origin's.
    pub definition_origin: f64,
    /// The destination's.
    pub definition_destination: f64,
    /// The origin's.
    pub partner_origin: f64,
    /// The destination's.
    pub partner_destination: f64,
    /// The origin's.
    pub unmatched_origin: f64,
    /// The destination's.
    pub unmatched_destination: f64,
}

impl CarriedError {
    /// Whether figures that were read can be those of some counts and links: shares are shares, ends of intervals in order, and nothing is
    /// below 0 or no number.
    pub(crate) fn can_be(&self) -> bool {
        let is_share = |share: f64| (0.0..=1.0).contains(&share);
        let holds = |interval: Interval, value: f64| interval.low <= value && value <= interval.high;
        let LinkQuality { precision, recall } = self.quality;
        let shares = [precision.low, precision.high, recall.low, recall.high];
        let taken = [(precision, self.precision), (recall, self.recall)];
        let rest = self.figure_values();
        shares.into_iter().all(is_share)
            && taken.into_iter().all(|(interval, taken)| match taken {
                Some(taken) => holds(interval, taken),
                None => interval.low <= interval.high,
            })
            && rest
                .iter()
                .flatten()
                .all(|figure| *figure >= 0.0 && figure.is_finite())
            && holds(self.interval, self.estimate)
    }

    /// Why the classes are not corrected although the estimate is; `None` where they are. `counts` are those of the row.
    pub fn classes_remark(&self, counts: &FlowCounts) -> Option<NotCorrected> {
        if self.classes.is_some() {
            return None;
        }
        let made_of = Measure::ALL.into_iter().filter(|measure| {
            measure.classes().len() == 1 || matches!(measure, Measure::EmigrationsOwn | Measure::Immigrations)
        });
        let is_found =
            |measure: &Measure| !matches!(measure, Measure::UnmatchedOrigin | Measure::UnmatchedDestination);
        let is_shown = made_of
            .filter(is_found)
            .all(|measure| counts.get(measure).is_some());
        Some(if is_shown {
            NotCorrected::Contradiction
        } else {
            NotCorrected::Suppressed
        })
    }
}

impl CorrectedClasses {
    /// Of a move that is found, whatever its class, as many links are false and as many are missed as of all: the classes of moves
    /// found are multiplied by precision / recall, and what that adds or takes is taken from or added to those not found.
    fn carry(counts: &FlowCounts, factor: f64) -> Option<Self> {
        let found = |measure| Some(real(counts.get(measure)?) * factor);
        let agree = found(Measure::Agree)?;
        let (timing_origin, timing_destination) =
            (found(Measure::TimingOrigin)?, found(Measure::TimingDestination)?);
        let (definition_origin, definition_destination) = (
            found(Measure::DefinitionOrigin)?,
            found(Measure::DefinitionDestination)?,
        );
        let (partner_origin, partner_destination) = (
            found(Measure::PartnerOrigin)?,
            found(Measure::PartnerDestination)?,
        );
        let rest = |own, found: f64| {
            let rest = real(counts.get(own)?) - found;
            (rest >= 0.0).then_some(rest)
        };
        Some(Self {
            agree,
            timing_origin,
            timing_destination,
            definition_origin,
            definition_destination,
            partner_origin,
            partner_destination,
            unmatched_origin: rest(
                Measure::EmigrationsOwn,
                agree + timing_origin + definition_origin + partner_origin,
            )?,
            unmatched_destination: rest(
                Measure::Immigrations,
                agree + timing_destination + definition_destination + partner_destination,
            )?,
        })
    }

    /// In the order of the fields.
    pub const fn to_array(self) -> [f64; 9] {
        [
            self.agree,
            self.timing_origin,
            self.timing_destination,
            self.definition_origin,
            self.definition_destination,
            self.partner_origin,
            self.partner_destination,
            self.unmatched_origin,
            self.unmatched_destination,
        ]
    }

    /// From the order of the fields, when all are there.
    pub fn from_array(values: [Option<f64>; 9]) -> Option<Self> {
        Some(Self {
            agree: values[0]?,
            timing_origin: values[1]?,
            timing_destination: values[2]?,
            definition_origin: values[3]?,
            definition_destination: values[4]?,
            partner_origin: values[5]?,
            partner_destination: values[6]?,
            unmatched_origin: values[7]?,
            unmatched_destination: values[8]?,
        })
    }
}

impl CarriedError {
    /// Names of the figures in files.
    pub const FIGURES: [&'static str; 25] = [
        "precision_low",
        "precision_high",
        "recall_low",
        "recall_high",
        "matched_corrected",
        "estimate_naive",
        "estimate_corrected",
        "corrected_standard_error",
        "corrected_ci95_low",
        "corrected_ci95_high",
        "coverage_origin_corrected",
        "coverage_destination_corrected",
        "agree_corrected",
        "timing_origin_corrected",
        "timing_destination_corrected",
        "definition_origin_corrected",
        "definition_destination_corrected",
        "partner_origin_corrected",
        "partner_destination_corrected",
        "unmatched_origin_corrected",
        "unmatched_destination_corrected",
        "precision_taken",
        "recall_taken",
        "corrected_odds_ratio_0_67",
        "corrected_odds_ratio_1_5",
    ];

    /// The figures in the order of [`CarriedError::FIGURES`].
    pub fn figure_values(&self) -> [Option<f64>; 25] {
        let LinkQuality { precision, recall } = self.quality;
        let figures = [
            precision.low,
            precision.high,
            recall.low,
            recall.high,
            self.matched,
            self.naive,
            self.estimate,
            self.standard_error,
            self.interval.low,
            self.interval.high,
            self.coverage_origin,
            self.coverage_destination,
        ];
        let classes = self.classes.map(CorrectedClasses::to_array);
        let mut values = [None; 25];
        for (value, figure) in values.iter_mut().zip(figures) {
            *value = Some(figure);
        }
        for (value, figure) in values[12..].iter_mut().zip(classes.into_iter().flatten()) {
            *value = Some(figure);
        }
        let taken = [
            self.precision,
            self.recall,
            self.if_odds_ratio_two_thirds,
            self.if_odds_ratio_three_halves,
        ];
        values[21..].copy_from_slice(&taken);
        values
    }

    /// Figures in the order of [`CarriedError::FIGURES`], when those are there that always are.
    pub fn from_values(quality_of: String, values: [Option<f64>; 25]) -> Option<Self> {
        let interval = |low: Option<f64>, high: Option<f64>| {
            Some(Interval {
                low: low?,
                high: high?,
            })
        };
        let classes: [Option<f64>; 9] = std::array::from_fn(|class| values[12 + class]);
        Some(Self {
            quality_of,
            quality: LinkQuality {
                precision: interval(values[0], values[1])?,
                recall: interval(values[2], values[3])?,
            },
            matched: values[4]?,
            naive: values[5]?,
            estimate: values[6]?,
            standard_error: values[7]?,
            interval: interval(values[8], values[9])?,
            coverage_origin: values[10]?,
            coverage_destination: values[11]?,
            classes: CorrectedClasses::from_array(classes),
            precision: values[21],
            recall: values[22],
            if_odds_ratio_two_thirds: values[23],
            if_odds_ratio_three_halves: values[24],
        })
    }
}

impl PublishedTable {
    /// Takes linkage error out of every row whose counts are shown and of whose links the quality is known, and says of every other
    /// why it was not.
    ///
    /// Made of published figures only, and so tells nothing that these do not. `quality_of` says whose quality it is and what it is.
    pub fn carry_linkage_error(&mut self, quality_of: &dyn Fn(&Group) -> Option<KnownQuality>) {
        let noise = ClassNoise::of(&self.terms.disclosure);
        let untold = self.untold();
        for row in &mut self.rows {
            let carried = if row.is_untold(&untold) {
                Err(NotCorrected::OneRegister)
            } else {
                carry_linkage_error(&row.counts, quality_of(&row.group), noise)
            };
            (row.corrected, row.not_corrected) = match carried {
                Ok(corrected) => (Some(corrected), None),
                Err(reason) => (None, Some(reason)),
            };
        }
    }

    /// Whether the corrected figures of a table that was read are those that its counts and this quality make. Of results of before the
    /// quality that was taken was told it cannot be said, and they pass.
    pub fn is_corrected_by(&self, quality_of: &dyn Fn(&Group) -> Option<KnownQuality>) -> bool {
        let mut again = self.clone();
        again.carry_linkage_error(quality_of);
        let rows = self.rows.iter().zip(&again.rows);
        rows.filter_map(|(row, again)| Some((row.corrected.as_ref()?, &again.corrected)))
            .filter(|(told, _)| told.precision.is_some())
            .all(|(told, made)| {
                made.as_ref().is_some_and(|made| {
                    let figures = told.figure_values().into_iter().zip(made.figure_values());
                    told.quality_of == made.quality_of
                        && figures.into_iter().all(|(told, made)| are_near(told, made))
                })
            })
    }
}

/// Takes linkage error out of the counts of a group: expected false links move from matched to unmatched, expected missed ones the
/// other way.
///
/// With l links, precision p and recall r, m̂ = l·p/r of the moves are in both lists, and N̂ = n₁n₂/m̂. That is the estimator of Ding
/// and Fienberg (1994) with α = r and β = l(1−p)/(n₂−m̂). But p and r are what is known here, and α and β are not: an error of β that
/// is one of p goes with one of m̂. So the delta method is taken in p and r,
///
/// Var(m̂) = l·p(1−p)/r² + m̂(1−r)/r + (l/r)²·Var(p) + (m̂/r)²·Var(r) + n₁n₂(N−n₁)(N−n₂)/(N²(N−1)) + the noise of disclosure control:
///
/// how many of the links happen to be true and how many matches happen to be linked, each given its rate (binomial); what is not
/// known of the rates, errors of p and r taken as independent; and how many moves happen to be in both lists. Var(N̂) = (N/m)²·Var(m̂),
/// with a quarter of the width of the intervals of p and r as their standard errors.
///
/// The 95 % interval is n₁n₂/(m̂·exp(±h)), with h² the sum of 1.96²·Var(m̂)/m̂² without what is not known of the rates, and of the
/// squares of what ln m̂ changes by where p or r is at the end of its own interval: towards more matches the upper end of p and the lower
/// one of r, towards fewer the others (Donner and Zou 2012: variance estimates recovered). Intervals of p and r are lopsided. It ends at
/// the longer list, below which the truth cannot lie, but for the noise.
///
/// No more matches are taken than the shorter list has moves where m̂ is above that by no more than its interval.
///
/// A quality of links of persons is taken for that of their moves: who is linked falsely has moves that match in date less often.
///
/// # Errors
/// Why there is none.
fn carry_linkage_error(
    counts: &FlowCounts,
    known: Option<KnownQuality>,
    noise: ClassNoise,
) -> Result<CarriedError, NotCorrected> {
    let shown = (
        counts.get(Measure::Emigrations),
        counts.get(Measure::Immigrations),
        counts.get(Measure::Matched),
    );
    let (Some(n1), Some(n2), Some(links)) = shown else {
        return Err(NotCorrected::Suppressed);
    };
    let known = known.ok_or(NotCorrected::QualityUnknown)?;
    if links == 0 {
        return Err(NotCorrected::NoLinks);
    }
    let (precision, recall, quality) = (known.precision, known.recall, known.quality);
    if quality.precision.low <= 0.0 {
        // Perhaps no link is true: nothing bounds the number of moves.
        return Err(NotCorrected::QualityUnknown);
    }
    let can_be = precision > 0.0 && precision <= 1.0 && recall > 0.0 && recall <= 1.0;
    if !can_be || links > n1.min(n2) {
        return Err(NotCorrected::Contradiction);
    }
    let (n1, n2, links) = (real(n1), real(n2), real(links));
    let shorter = n1.min(n2);
    let before_limit = links * precision / recall;
    let matched = before_limit.min(shorter);
    let estimate = n1 * n2 / matched;
    let by_chance = links * precision * (1.0 - precision) / (recall * recall)
        + before_limit * (1.0 - recall) / recall
        + sampling_variance((n1, n2), estimate)
        + (matched / estimate).powi(2) * noise.variance((n1, n2), matched / links, estimate);
    let z = Confidence::default().z();
    // By how much ln m̂ changes where p or r is at an end of its interval, in the place of 1.96 standard errors.
    let end = |sign: f64, at_end: [f64; 2]| {
        let rates = at_end.map(|ratio| ratio.max(1.0).ln().powi(2));
        let half = (z * z * by_chance / (before_limit * before_limit) + rates[0] + rates[1]).sqrt();
        before_limit * (sign * half).exp()
    };
    let fewest = end(
        -1.0,
        [precision / quality.precision.low, quality.recall.high / recall],
    );
    let most = end(
        1.0,
        [quality.precision.high / precision, recall / quality.recall.low],
    );
    let most_there_can_be = shorter + z * noise.of_list().sqrt();
    // A hair above is rounding.
    if fewest > most_there_can_be * (1.0 + 1e-12) {
        return Err(NotCorrected::Contradiction);
    }
    let error = |interval: Interval| (interval.high - interval.low) / (2.0 * z);
    let of_rates = (links / recall * error(quality.precision)).powi(2)
        + (before_limit / recall * error(quality.recall)).powi(2);
    let standard_error = estimate / matched * (by_chance + of_rates).sqrt();
    let ends = Dependence::new((n1, n2), n1 + n2 - matched, estimate).ends();
    Ok(CarriedError {
        quality_of: known.quality_of,
        quality,
        matched,
        naive: n1 * n2 / links,
        estimate,
        standard_error,
        interval: Interval {
            low: (n1 * n2 / most.min(most_there_can_be)).min(estimate),
            high: (n1 * n2 / fewest.min(most_there_can_be)).max(estimate),
        },
        coverage_origin: matched / n2,
        coverage_destination: matched / n1,
        classes: CorrectedClasses::carry(counts, matched / links),
        precision: Some(precision),
        recall: Some(recall),
        if_odds_ratio_two_thirds: ends.map(|(two_thirds, _)| two_thirds),
        if_odds_ratio_three_halves: ends.map(|(_, three_halves)| three_halves),
    })
}

/// How many of N moves are in both lists by chance, given the lengths of both: hypergeometric.
fn sampling_variance((n1, n2): (f64, f64), moves: f64) -> f64 {
    if moves > 1.0 {
        n1 * n2 * (moves - n1) * (moves - n2) / (moves * moves * (moves - 1.0))
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use corridor_core::SeededEntropy;
    use proptest::prelude::*;
    use rand_distr::{Binomial, Distribution as _};

    /// Of which a tenth of the origin's links is at the destination in another period.
    fn counts(n1: u64, n2: u64, links: u64) -> FlowCounts {
        let timing = links / 10;
        let count = |measure| match measure {
            Measure::Emigrations | Measure::EmigrationsOwn => n1,
            Measure::Immigrations => n2,
            Measure::Matched => links,
            Measure::OnlyOrigin | Measure::UnmatchedOrigin => n1 - links,
            Measure::OnlyDestination | Measure::UnmatchedDestination => n2 - links,
            Measure::Agree => links - timing,
            Measure::TimingOrigin | Measure::TimingDestination => timing,
            Measure::DefinitionOrigin
            | Measure::DefinitionDestination
            | Measure::PartnerOrigin
            | Measure::PartnerDestination => 0,
        };
        FlowCounts::from_array(Measure::ALL.map(|measure| Some(count(measure))))
    }

    fn known(precision: f64, recall: f64, quality: LinkQuality) -> KnownQuality {
        KnownQuality {
            quality_of: "all".to_owned(),
            precision,
            recall,
            quality,
        }
    }

    fn exactly(precision: f64, recall: f64) -> KnownQuality {
        let interval = |share| Interval {
            low: share,
            high: share,
        };
        let quality = LinkQuality {
            precision: interval(precision),
            recall: interval(recall),
        };
        known(precision, recall, quality)
    }

    fn carry(counts: &FlowCounts, known: KnownQuality) -> Result<CarriedError, NotCorrected> {
        carry_linkage_error(counts, Some(known), ClassNoise::NONE)
    }

    #[test]
    fn the_published_example_comes_out() {
        // methods: n₁ 8,000, n₂ 6,000, α 0.95, β 0.02, l 4,584: m̂ 4,800; so r = 0.95 and p = 0.95·4,800/4,584.
        let quality = exactly(0.95 * 4800.0 / 4584.0, 0.95);
        let carried = carry(&counts(8000, 6000, 4584), quality).unwrap();
        assert!((carried.matched - 4800.0).abs() < 1e-6, "{carried:?}");
        assert!((carried.estimate - 10_000.0).abs() < 1e-6, "{carried:?}");
        assert!((carried.naive - 10_471.2).abs() < 0.05, "{carried:?}");
        // Where the rates are known, there is hardly a difference between knowing α, β and knowing p, r: their standard error is 54.
        assert!((carried.standard_error - 54.0).abs() < 1.0, "{carried:?}");
    }

    #[test]
    fn the_middle_of_a_lopsided_interval_is_not_what_is_taken() {
        let interval = |low, high| Interval { low, high };
        let quality = LinkQuality {
            precision: interval(0.9, 1.0),
            recall: interval(0.8, 0.99),
        };
        let carried = carry(&counts(3000, 3000, 2000), known(0.99, 0.97, quality)).unwrap();
        assert!((carried.matched - 2000.0 * 0.99 / 0.97).abs() < 1e-9);
        assert_eq!((carried.precision, carried.recall), (Some(0.99), Some(0.97)));
    }

    #[test]
    fn perfect_links_change_nothing_and_doubt_widens_the_interval() {
        let carried = carry(&counts(100, 100, 20), exactly(1.0, 1.0)).unwrap();
        assert!((carried.estimate - 500.0).abs() < 1e-9 && (carried.naive - 500.0).abs() < 1e-9);
        let wide = Interval { low: 0.9, high: 1.0 };
        let doubted = LinkQuality {
            precision: wide,
            recall: wide,
        };
        let width = |known| {
            let interval = carry(&counts(3000, 3000, 2000), known).unwrap().interval;
            interval.high - interval.low
        };
        assert!(width(known(0.95, 0.95, doubted)) > 1.5 * width(exactly(0.95, 0.95)));
    }

    #[test]
    fn what_is_missing_says_why() {
        let quality = || exactly(1.0, 0.5);
        assert_eq!(
            carry(&counts(100, 100, 80), quality()),
            Err(NotCorrected::Contradiction),
            "160 matches of 100 moves"
        );
        assert_eq!(carry(&counts(100, 100, 0), quality()), Err(NotCorrected::NoLinks));
        let known = |known| carry_linkage_error(&counts(100, 100, 40), known, ClassNoise::NONE);
        assert_eq!(known(None), Err(NotCorrected::QualityUnknown));
        assert!(known(Some(quality())).is_ok());
        let hidden = FlowCounts::default();
        let carried = carry_linkage_error(&hidden, Some(quality()), ClassNoise::NONE);
        assert_eq!(carried, Err(NotCorrected::Suppressed));
        for reason in NotCorrected::ALL {
            assert_eq!(NotCorrected::from_word(reason.as_str()), Some(reason));
        }
    }

    #[test]
    fn a_little_more_than_the_shorter_list_is_all_of_it() {
        // 985·0.99/0.98 is 995, of 990: within what is not known of r.
        let quality = LinkQuality {
            precision: Interval { low: 0.98, high: 1.0 },
            recall: Interval { low: 0.96, high: 1.0 },
        };
        let carried = carry(&counts(1100, 990, 985), known(0.99, 0.98, quality)).unwrap();
        assert!((carried.matched - 990.0).abs() < 1e-9 && (carried.estimate - 1100.0).abs() < 1e-9);
        assert!(
            carried.interval.low <= 1100.0 && carried.interval.high > 1110.0,
            "{carried:?}"
        );
    }

    /// How often in a thousand corridors of 10,000 moves the interval holds the truth, when p and r were learnt from samples of that
    /// many links and matches, and how wide it is as a share of the truth.
    fn holds(
        seed: u64,
        [capture_1, capture_2]: [f64; 2],
        [alpha, beta]: [f64; 2],
        sample: u64,
    ) -> (f64, f64) {
        const CORRIDORS: u32 = 1000;
        const MOVES: u64 = 10_000;
        let mut entropy = SeededEntropy::new(seed, "carried");
        let (mut held, mut width) = (0_u32, 0.0);
        for _ in 0..CORRIDORS {
            let mut draw = |trials, chance| Binomial::new(trials, chance).unwrap().sample(&mut entropy);
            let n1 = draw(MOVES, capture_1);
            let both = draw(n1, capture_2);
            let n2 = both + draw(MOVES - n1, capture_2);
            let links = draw(both, alpha) + draw(n2 - both, beta);
            let true_links = real(MOVES) * capture_1 * capture_2 * alpha;
            let false_links = real(MOVES) * (1.0 - capture_1) * capture_2 * beta;
            let mut learn = |share: f64| {
                let learnt = real(draw(sample, share)) / real(sample);
                let half = 1.96 * (learnt * (1.0 - learnt) / real(sample)).sqrt();
                let interval = Interval {
                    low: learnt - half,
                    high: learnt + half,
                };
                (learnt, interval)
            };
            let (precision, of_precision) = learn(true_links / (true_links + false_links));
            let (recall, of_recall) = learn(alpha);
            let quality = LinkQuality {
                precision: of_precision,
                recall: of_recall,
            };
            // More matches than the shorter list has moves, beyond what is not known: refused, and so it does not hold the truth.
            let Ok(carried) = carry(&counts(n1, n2, links), known(precision, recall, quality)) else {
                continue;
            };
            held += u32::from(carried.interval.contains(real(MOVES)));
            width += (carried.interval.high - carried.interval.low) / real(MOVES);
        }
        let corridors = f64::from(CORRIDORS);
        (f64::from(held) / corridors, width / corridors)
    }

    #[test]
    fn the_interval_holds_the_truth_95_times_in_100() {
        for (seed, captures, rates, sample) in [
            (1, [0.8, 0.6], [0.95, 0.02], 400),
            (2, [0.8, 0.6], [0.95, 0.02], 4000),
            (3, [0.9, 0.85], [0.97, 0.05], 1000),
            (4, [0.5, 0.4], [0.9, 0.01], 1000),
            // One list, or both, nearly complete: what is not known of the links is more than the unseen.
            (5, [0.97, 0.98], [0.97, 0.01], 1000),
            (6, [0.99, 0.6], [0.95, 0.02], 400),
            (7, [0.995, 0.8], [0.97, 0.01], 1000),
            (8, [0.999, 0.8], [0.97, 0.01], 1000),
        ] {
            let (held, width) = holds(seed, captures, rates, sample);
            println!("{captures:?} {rates:?} {sample}: {held} {width}");
            assert!(
                (0.93..=0.975).contains(&held),
                "{captures:?} {rates:?} {sample}: {held} {width}"
            );
        }
    }

    #[test]
    fn the_interval_holds_what_the_ends_of_lopsided_rates_make() {
        let interval = |low, high| Interval { low, high };
        let quality = LinkQuality {
            precision: interval(0.9, 1.0),
            recall: interval(0.8, 0.99),
        };
        let carried = carry(&counts(3000, 3000, 2000), known(0.99, 0.97, quality)).unwrap();
        for (precision, recall) in [(0.9, 0.97), (1.0, 0.97), (0.99, 0.8), (0.99, 0.99)] {
            let at_end = 9.0e6 / (2000.0 * precision / recall);
            assert!(carried.interval.contains(at_end), "{at_end} {carried:?}");
        }
    }

    proptest! {
        #[test]
        fn false_links_go_and_missed_ones_come(
            links in 100_u64..1000,
            more in prop::array::uniform2(200_u64..2000),
            precision in 0.8_f64..=1.0,
            recall in 0.8_f64..=1.0,
        ) {
            let counts = counts(links + more[0], links + more[1], links);
            if let Ok(carried) = carry(&counts, exactly(precision, recall)) {
                let shorter = real(links + more[0].min(more[1]));
                prop_assert!((carried.matched - (real(links) * precision / recall).min(shorter)).abs() < 1e-6);
                prop_assert!((carried.estimate > carried.naive) == (precision < recall) || (precision - recall).abs() < 1e-9);
                prop_assert!(carried.interval.low <= carried.estimate && carried.estimate <= carried.interval.high);
                prop_assert!(carried.if_odds_ratio_two_thirds.unwrap() <= carried.estimate);
                prop_assert!(carried.if_odds_ratio_three_halves.unwrap() >= carried.estimate);
                let values = carried.figure_values();
                let back = CarriedError::from_values(carried.quality_of.clone(), values);
                prop_assert_eq!(back.as_ref(), Some(&carried));
                if let Some(classes) = carried.classes {
                    let own = classes.agree + classes.timing_origin + classes.unmatched_origin;
                    prop_assert!((own - real(counts.get(Measure::EmigrationsOwn).unwrap())).abs() < 1e-6);
                    let reported = classes.agree + classes.timing_destination + classes.unmatched_destination;
                    prop_assert!((reported - real(counts.get(Measure::Immigrations).unwrap())).abs() < 1e-6);
                }
            }
        }
    }
}
