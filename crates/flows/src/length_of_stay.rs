//! How long those who arrived stayed, from linked persons: what converts counts under one minimum stay into those under another.

use corridor_core::{Corridor, DisclosureRule};
use serde::{Deserialize, Serialize};

use crate::duration::{DurationConversion, ExponentialRate, IMEM_2013, Stays};
use crate::interval::Confidence;
use crate::number::real;
use crate::published::PublishedTable;

/// The rate at which stays end in the country of destination, and what it makes of counts under other minimum stays. Estimated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LengthOfStay {
    /// From where to where.
    pub corridor: Corridor,
    /// Stays of linked persons that it is made from, to full tens.
    pub stays: u64,
    /// Of these, how many ended while they were seen, to full tens.
    pub ended: u64,
    /// λ: ends a year of stay, by maximum likelihood under a constant rate.
    pub per_year: f64,
    /// Lower end of its 95 % interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// What a count of stays of three months and more is multiplied with to be one of twelve, by the survival curve (Kaplan and Meier
    /// 1958); `None` where the curve does not reach so far.
    pub from_3_to_12_months: Option<f64>,
    /// The same from six months.
    pub from_6_to_12_months: Option<f64>,
}

/// Ends below which no rate is told: its interval would reach over more than a factor of two.
const LEAST_ENDS: u64 = 30;

impl LengthOfStay {
    /// Whether figures that were read can be those of some stays.
    pub(crate) fn can_be(&self) -> bool {
        let is_share = |share: f64| share > 0.0 && share <= 1.0;
        let factors = [self.from_3_to_12_months, self.from_6_to_12_months];
        self.ended <= self.stays
            && self.low > 0.0
            && self.low <= self.per_year
            && self.per_year <= self.high
            && self.high.is_finite()
            && factors.into_iter().flatten().all(is_share)
    }

    /// What may be said of the stays of linked persons in the destination of `corridor`.
    ///
    /// `None` where fewer than 30 ended, or as few ended or lasted as must not be told of; a factor is `None` too where as few ended in
    /// between. Where as few ended between three and six months, the factor from six is not told: one over the other is their share.
    /// Figures have three digits and counts are full tens, from which the interval is computed.
    pub fn of(corridor: Corridor, stays: &Stays, rule: &DisclosureRule) -> Option<Self> {
        let ExponentialRate { per_year, ended, .. } = stays.exponential(Confidence::default()).ok()?;
        let count = stays.len();
        let minimum = u64::from(rule.minimum_count);
        if ended < LEAST_ENDS.max(minimum) || count - ended < minimum {
            return None;
        }
        let in_tens = ended / 10 * 10;
        // By the count that is told, so that it does not tell the exact one.
        let spread = (Confidence::default().z() / real(in_tens).sqrt()).exp();
        let curve = stays.kaplan_meier().ok().map(DurationConversion::kaplan_meier);
        let factor = |from_months: f64| {
            // The share that ends in between is told by it; and where nobody was seen so early or for so long, the curve only seems to
            // go on.
            let is_told = stays.ended_between(from_months / 12.0, 1.0) >= minimum
                && stays.seen_at(from_months / 12.0) >= minimum.max(1)
                && stays.seen_at(1.0) >= minimum;
            if !is_told {
                return None;
            }
            let factor = curve.as_ref()?.factor(from_months, 12.0).ok()?;
            Some(to_three_digits(factor))
        };
        let ended_between_both = stays.ended_between(0.25, 0.5);
        let few_between = (1..minimum).contains(&ended_between_both);
        let from_3_to_12_months = factor(3.0);
        Some(Self {
            corridor,
            stays: count / 10 * 10,
            ended: in_tens,
            per_year: to_three_digits(per_year),
            low: to_three_digits(per_year / spread),
            high: to_three_digits(per_year * spread),
            from_3_to_12_months,
            from_6_to_12_months: factor(6.0).filter(|_| !(few_between && from_3_to_12_months.is_some())),
        })
    }
}

/// What a count of stays of some months and more is multiplied with to be one of twelve. Estimated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StayFactor {
    /// From where to where.
    pub corridor: Corridor,
    /// The months counts are of.
    pub from_months: u8,
    /// The factor, three digits.
    pub factor: f64,
    /// Where it is from.
    pub source: StaySource,
}

/// Where a factor between rules of minimum stay is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StaySource {
    /// The survival curve of the stays of the linked persons of the corridor ([`LengthOfStay`]).
    LinkedStays,
    /// The rate at which these end, taken as constant, where too few ended in between for the curve.
    LinkedRate,
    /// The published table of the IMEM model ([`IMEM_2013`]), for want of linked stays.
    Imem2013,
}

impl StaySource {
    /// The word in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LinkedStays => "linked_stays",
            Self::LinkedRate => "linked_rate",
            Self::Imem2013 => "imem_2013",
        }
    }
}

impl PublishedTable {
    /// Factors from three and six months to twelve, by direction: by the survival curve of linked stays where it says both, else by the rate
    /// of these stays, `exp(−λ·(d₂ − d₁))`, else by the published table. Both from one source, so that the factor from
    /// six months is never below that from three.
    pub fn stay_factors(&self) -> Vec<StayFactor> {
        let corridor = self.terms.corridor;
        let published = DurationConversion::table(&IMEM_2013).ok();
        let mut factors = Vec::new();
        for corridor in [corridor, corridor.to_reverse()] {
            let linked = self
                .lengths_of_stay
                .iter()
                .find(|length| length.corridor == corridor);
            let by_curve = linked.and_then(|length| {
                let factors = [length.from_3_to_12_months?, length.from_6_to_12_months?];
                Some((factors, StaySource::LinkedStays))
            });
            let by_rate = || {
                let conversion = DurationConversion::exponential(linked?.per_year).ok()?;
                Some((to_factors(&conversion)?, StaySource::LinkedRate))
            };
            let by_table = || Some((to_factors(published.as_ref()?)?, StaySource::Imem2013));
            let found = by_curve.or_else(by_rate).or_else(by_table);
            if let Some((of_months, source)) = found {
                factors.extend(
                    MONTHS
                        .into_iter()
                        .zip(of_months)
                        .map(|(from_months, factor)| StayFactor {
                            corridor,
                            from_months,
                            factor,
                            source,
                        }),
                );
            }
        }
        factors
    }
}

/// Minimum stays whose counts are converted into such of twelve months.
const MONTHS: [u8; 2] = [3, 6];

fn to_factors(conversion: &DurationConversion) -> Option<[f64; 2]> {
    let factor = |months: u8| conversion.factor(months.into(), 12.0).ok().map(to_three_digits);
    Some([factor(MONTHS[0])?, factor(MONTHS[1])?])
}

fn to_three_digits(value: f64) -> f64 {
    format!("{value:.2e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::duration::Stay;
    use crate::reconcile::tests::terms;

    /// So many stays that end after so many years, and so many that last when last seen, two years on.
    fn stays(ended: usize, years: f64, lasting: usize) -> Stays {
        let stay = |until_years, ended| Stay {
            from_years: 0.0,
            until_years,
            ended,
        };
        let mut all = vec![stay(years, true); ended];
        all.extend(vec![stay(2.0, false); lasting]);
        Stays::try_new(all).unwrap()
    }

    #[test]
    fn the_rate_is_ends_over_years_and_the_factor_the_share_that_lasts() {
        let said = LengthOfStay::of(terms().corridor, &stays(104, 0.75, 300), &terms().disclosure).unwrap();
        // 104 ends in 104·¾ + 600 years.
        assert!((said.per_year - 0.153).abs() < 1e-12, "{said:?}");
        assert!(said.low < said.per_year && said.per_year < said.high);
        assert_eq!((said.stays, said.ended), (400, 100));
        // Of 404 who stay three months, 300 stay twelve.
        assert_eq!(said.from_3_to_12_months, Some(0.743));
        assert_eq!(said.from_6_to_12_months, Some(0.743));
    }

    #[test]
    fn stays_seen_from_six_months_on_say_nothing_of_shorter_ones() {
        let stay = |until_years, ended| Stay {
            from_years: 0.5,
            until_years,
            ended,
        };
        let mut all = vec![stay(0.75, true); 100];
        all.extend(vec![stay(2.0, false); 300]);
        let said = LengthOfStay::of(
            terms().corridor,
            &Stays::try_new(all).unwrap(),
            &terms().disclosure,
        )
        .unwrap();
        // 100 ends in 100·¼ + 300·1½ years.
        assert!((said.per_year - 0.211).abs() < 1e-12, "{said:?}");
        assert_eq!(
            (said.from_3_to_12_months, said.from_6_to_12_months),
            (None, Some(0.75))
        );
    }

    #[test]
    fn a_curve_that_ends_before_twelve_months_says_nothing_of_them() {
        let stay = |until_years, ended| Stay {
            from_years: 0.0,
            until_years,
            ended,
        };
        let mut all = vec![stay(0.4, true); 50];
        all.extend(vec![stay(0.9, false); 200]);
        let terms = terms();
        let said =
            LengthOfStay::of(terms.corridor, &Stays::try_new(all).unwrap(), &terms.disclosure).unwrap();
        assert_eq!((said.from_3_to_12_months, said.from_6_to_12_months), (None, None));
    }

    #[test]
    fn both_factors_are_of_one_source_and_that_from_six_months_is_the_higher() {
        let length = |from_3, from_6| LengthOfStay {
            corridor: terms().corridor,
            stays: 1680,
            ended: 50,
            per_year: 0.24,
            low: 0.2,
            high: 0.3,
            from_3_to_12_months: from_3,
            from_6_to_12_months: from_6,
        };
        let factors = |lengths_of_stay| {
            let table = PublishedTable {
                terms: terms(),
                rows: Vec::new(),
                lags: Vec::new(),
                stays: Vec::new(),
                lengths_of_stay,
                left_out: Vec::new(),
                held_against: Vec::new(),
            };
            let of_corridor = |factor: &StayFactor| factor.corridor == table.terms.corridor;
            let factors = table.stay_factors().into_iter().filter(of_corridor);
            factors
                .map(|factor| (factor.factor, factor.source))
                .collect::<Vec<_>>()
        };
        let all_from = |of_3, of_6, source| vec![(of_3, source), (of_6, source)];
        let by_curve = factors(vec![length(Some(0.98), Some(0.99))]);
        assert_eq!(by_curve, all_from(0.98, 0.99, StaySource::LinkedStays));
        // exp(−0.24·0.75) and exp(−0.24·0.5), and the table's where no rate is known.
        let by_rate = factors(vec![length(Some(0.98), None)]);
        assert_eq!(by_rate, all_from(0.835, 0.887, StaySource::LinkedRate));
        assert_eq!(factors(Vec::new()), all_from(0.63, 0.73, StaySource::Imem2013));
    }

    #[test]
    fn two_factors_do_not_tell_of_few_that_ended_in_between() {
        let terms = terms();
        let stay = |until_years, ended| Stay {
            from_years: 0.0,
            until_years,
            ended,
        };
        let of = |in_between: usize| {
            let mut all = vec![stay(0.4, true); in_between];
            all.extend(vec![stay(0.75, true); 30]);
            all.extend(vec![stay(2.0, false); 14]);
            LengthOfStay::of(terms.corridor, &Stays::try_new(all).unwrap(), &terms.disclosure).unwrap()
        };
        // Of 45 stays one ended between three and six months: 0.311/0.318 would say so.
        assert!(of(1).from_3_to_12_months.is_some() && of(1).from_6_to_12_months.is_none());
        assert!(of(0).from_6_to_12_months.is_some() && of(3).from_6_to_12_months.is_some());
    }

    #[test]
    fn few_ends_or_few_that_last_are_not_told() {
        let terms = terms();
        let of = |stays| LengthOfStay::of(terms.corridor, &stays, &terms.disclosure);
        assert_eq!(of(stays(29, 0.5, 300)), None);
        assert_eq!(of(stays(100, 0.5, 2)), None);
        assert!(of(stays(30, 0.5, 3)).is_some());
    }
}
