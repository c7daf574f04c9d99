//! Linkage error carried from the links to the figures of a table.

use serde::{Deserialize, Serialize};

use crate::classes::Measure;
use crate::dual_system::{DualSystemError, LinkageErrorRates, LinkageErrors, LinkedCounts};
use crate::interval::{Confidence, Interval};
use crate::number::real;
use crate::published::{FlowCounts, Group, PublishedTable};

/// How good links are, as 95 % intervals.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkQuality {
    /// Share of links that are true.
    pub precision: Interval,
    /// Share of true matches that are linked.
    pub recall: Interval,
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
    /// 95 % interval of it, log-normal on the unseen (Chao 1987), with what is not known of the links in its variance.
    pub interval: Interval,
    /// Coverage of the origin's list, m̂/n₂.
    pub coverage_origin: f64,
    /// Coverage of the destination's list, m̂/n₁.
    pub coverage_destination: f64,
    /// What becomes of the classes; `None` when one of them is suppressed or they and the quality cannot be true together.
    pub classes: Option<CorrectedClasses>,
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
    pub const FIGURES: [&'static str; 21] = [
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
    ];

    /// The figures in the order of [`CarriedError::FIGURES`].
    pub fn figure_values(&self) -> [Option<f64>; 21] {
        let LinkQuality { precision, recall } = self.quality;
        let mut values = [None; 21];
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
        let all = figures.into_iter().chain(classes.into_iter().flatten());
        for (value, figure) in values.iter_mut().zip(all) {
            *value = Some(figure);
        }
        values
    }

    /// Figures in the order of [`CarriedError::FIGURES`], when all but the classes are there.
    pub fn from_values(quality_of: String, values: [Option<f64>; 21]) -> Option<Self> {
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
        })
    }
}

impl PublishedTable {
    /// Takes linkage error out of every row whose counts are shown and of whose links the quality is told.
    ///
    /// Made of published figures only, and so tells nothing that these do not. `quality_of` says whose quality it is and what it is.
    pub fn carry_linkage_error(&mut self, quality_of: &dyn Fn(&Group) -> Option<(String, LinkQuality)>) {
        for row in &mut self.rows {
            row.corrected = quality_of(&row.group)
                .and_then(|(name, quality)| carry_linkage_error(&row.counts, name, quality).ok().flatten());
        }
    }
}

/// Takes linkage error out of the counts of a group: expected false links move from matched to unmatched, expected missed ones the
/// other way.
///
/// With l links, precision p and recall r, m̂ = l·p/r of the moves are in both lists; that is the estimator of Ding and Fienberg
/// (1994) with α = r and β = l(1−p)/(n₂−m̂), the chance that a move of the destination without a partner is linked, and so
/// [`LinkedCounts::corrected`] gives estimate and variance. p and r are taken in the middle of their intervals, and a quarter of
/// the width of these for their standard errors.
///
/// A quality of links of persons is taken for that of their moves: who is linked falsely has moves that match in date less often,
/// so this errs to the careful side.
///
/// `Ok(None)` when a count it is made of is suppressed.
///
/// # Errors
/// When the counts and the quality cannot be true together, as where more matches come out than a list has moves.
pub fn carry_linkage_error(
    counts: &FlowCounts,
    quality_of: String,
    quality: LinkQuality,
) -> Result<Option<CarriedError>, DualSystemError> {
    let shown = (
        counts.get(Measure::Emigrations),
        counts.get(Measure::Immigrations),
        counts.get(Measure::Matched),
    );
    let (Some(n1), Some(n2), Some(links)) = shown else {
        return Ok(None);
    };
    let middle = |interval: Interval| f64::midpoint(interval.low, interval.high);
    let error = |interval: Interval| (interval.high - interval.low) / (2.0 * Confidence::default().z());
    let (precision, recall) = (middle(quality.precision), middle(quality.recall));
    let matched = real(links) * precision / recall;
    let strangers = real(n2) - matched;
    let to_beta = |share: f64| {
        if strangers > 0.0 {
            real(links) * share / strangers
        } else {
            0.0
        }
    };
    let variance_of = |rate: f64, error: f64| {
        (error * error)
            .min(rate * (1.0 - rate) * (1.0 - f64::EPSILON))
            .max(0.0)
    };
    let beta = to_beta(1.0 - precision);
    let errors = LinkageErrors::try_from(LinkageErrorRates {
        alpha: recall,
        beta,
        var_alpha: variance_of(recall, error(quality.recall)),
        var_beta: variance_of(beta, to_beta(error(quality.precision))),
    })?;
    let corrected = LinkedCounts::try_new(n1, n2, links, errors)?.corrected(Confidence::default());
    Ok(Some(CarriedError {
        quality_of,
        quality,
        matched: corrected.matched,
        naive: corrected.naive,
        estimate: corrected.estimate.point,
        standard_error: corrected.estimate.standard_error,
        interval: corrected.estimate.log_normal,
        coverage_origin: corrected.matched / real(n2),
        coverage_destination: corrected.matched / real(n1),
        classes: CorrectedClasses::carry(counts, precision / recall),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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

    fn carry(counts: &FlowCounts, quality: LinkQuality) -> Result<CarriedError, DualSystemError> {
        carry_linkage_error(counts, "all".to_owned(), quality).map(Option::unwrap)
    }

    fn exactly(share: f64) -> Interval {
        Interval {
            low: share,
            high: share,
        }
    }

    #[test]
    fn the_published_example_comes_out() {
        // methods: n₁ 8,000, n₂ 6,000, α 0.95, β 0.02, l 4,584: m̂ 4,800; so r = 0.95 and p = 0.95·4,800/4,584.
        let quality = LinkQuality {
            precision: exactly(0.95 * 4800.0 / 4584.0),
            recall: exactly(0.95),
        };
        let carried = carry(&counts(8000, 6000, 4584), quality).unwrap();
        assert!((carried.matched - 4800.0).abs() < 1e-6, "{carried:?}");
        assert!((carried.estimate - 10_000.0).abs() < 1e-6, "{carried:?}");
        assert!((carried.naive - 10_471.2).abs() < 0.05, "{carried:?}");
    }

    #[test]
    fn perfect_links_change_nothing_and_doubt_widens_the_interval() {
        let perfect = LinkQuality {
            precision: exactly(1.0),
            recall: exactly(1.0),
        };
        let carried = carry(&counts(100, 100, 20), perfect).unwrap();
        assert!((carried.estimate - 500.0).abs() < 1e-9 && (carried.naive - 500.0).abs() < 1e-9);
        let doubted = LinkQuality {
            precision: Interval { low: 0.9, high: 1.0 },
            recall: Interval { low: 0.9, high: 1.0 },
        };
        let sure = LinkQuality {
            precision: exactly(0.95),
            recall: exactly(0.95),
        };
        let width = |quality| {
            let interval = carry(&counts(3000, 3000, 2000), quality).unwrap().interval;
            interval.high - interval.low
        };
        assert!(width(doubted) > 1.5 * width(sure));
    }

    #[test]
    fn what_cannot_be_true_is_refused() {
        let quality = LinkQuality {
            precision: exactly(1.0),
            recall: exactly(0.5),
        };
        assert!(
            carry(&counts(100, 100, 80), quality).is_err(),
            "160 matches of 100 moves"
        );
        assert!(carry(&counts(100, 100, 0), quality).is_err(), "no links");
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
            let quality = LinkQuality { precision: exactly(precision), recall: exactly(recall) };
            if let Ok(carried) = carry(&counts, quality) {
                prop_assert!((carried.matched - real(links) * precision / recall).abs() < 1e-6);
                prop_assert!((carried.estimate > carried.naive) == (precision < recall) || (precision - recall).abs() < 1e-9);
                prop_assert!(carried.interval.low <= carried.estimate && carried.estimate <= carried.interval.high);
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
