use crate::decide::LinkSet;
use crate::link_counts::LinkCountFit;
use crate::missed::{Missed, missed_at_most, missed_beyond};
use crate::surplus::{HiddenBelow, Surplus};
use crate::threshold::count_interval;

/// What is known without truth of the links of some of the people.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExpectedQuality {
    /// Links of these people.
    pub links: u64,
    /// Expected share of them that are true.
    pub precision: f64,
    /// 95 % interval of it.
    pub precision_interval: (f64, f64),
    /// Expected share of true matches of these people that are linked.
    pub recall: f64,
    /// 95 % interval of it.
    pub recall_interval: (f64, f64),
    /// What the numbers of pairs of these people say; `None` where there are too few.
    pub link_counts: Option<LinkCountFit>,
}

/// What the estimate of a threshold saw of single persons, by which links are looked at group by group.
#[derive(Debug, Clone)]
pub(crate) struct Looks {
    /// Left record of each almost certain link, and on how many of its two sides somebody else would have been linked at or above
    /// the threshold, had the partner not been there.
    pub(crate) core: Vec<(u32, u8)>,
    /// Left record and probability of each greedy link below the threshold.
    pub(crate) below: Vec<(u32, f64)>,
    /// Whether any of these may be right, however improbable.
    pub(crate) is_doubtful: bool,
    /// Matches beyond the links.
    pub(crate) beyond: Beyond,
}

/// What is known of matches that links do not tell of.
#[derive(Debug, Clone)]
pub(crate) enum Beyond {
    /// Those of people who are not settled are counted among pairs.
    Counted(Surplus),
    /// Too few people are settled for that.
    Hidden(HiddenBelow),
}

/// Links below which nothing is said of a group.
const LEAST_LINKS: usize = 200;
/// Rivals' worth of weight that the rate of all people keeps beside a group's own.
const PRIOR_RIVALS: f64 = 2.0;

impl LinkSet {
    /// What is known of the links of the people for whom `is_in`, asked with the left record, is true. `None` where the threshold was
    /// given, or of fewer than 200 links.
    ///
    /// The expected number of false links is that of all people at the links' similarities, times how often persons of the group have
    /// a rival beside how often all have one (a gamma–Poisson mean, with weight for two rivals at the rate of all): pooled error rates
    /// would hide that namesakes are more common in some groups than in others.
    pub fn expect_among(&self, is_in: &dyn Fn(u32) -> bool) -> Option<ExpectedQuality> {
        let looks = self.looks.as_ref()?;
        let probabilities: Vec<f64> = self
            .links
            .iter()
            .filter(|link| is_in(link.left))
            .map(|link| link.probability.unwrap_or(1.0))
            .collect();
        if probabilities.len() < LEAST_LINKS {
            return None;
        }
        let links = to_f64(probabilities.len());
        let rivals = |looks: &[&(u32, u8)]| looks.iter().map(|(_, rivals)| f64::from(*rivals)).sum::<f64>();
        let all: Vec<_> = looks.core.iter().collect();
        let own: Vec<_> = looks.core.iter().filter(|(left, _)| is_in(*left)).collect();
        let at_rate_of_all = rivals(&all) * to_f64(own.len()) / to_f64(all.len().max(1));
        let events = rivals(&own) + PRIOR_RIVALS;
        let pooled: f64 = probabilities.iter().map(|p| 1.0 - p).sum();
        let expected_false = (pooled * events / (at_rate_of_all + PRIOR_RIVALS)).min(links);
        let (fewest, most) = count_interval(expected_false + 0.5, events);
        let precision_interval = ((1.0 - most / links).max(0.0), 1.0 - fewest / links);

        let below = looks.below.iter().filter(|(left, _)| is_in(*left));
        let (missed, variance, of_all) = below.fold((0.0, 1.0, 0.0), |(missed, variance, of_all), (_, p)| {
            (missed + p, variance + p * (2.0 - p), of_all + 1.0)
        });
        let spread = 1.96 * f64::sqrt(variance);
        let if_doubtful = if looks.is_doubtful { of_all } else { 0.0 };
        let beyond_counting = missed_at_most(&probabilities).max(if_doubtful);
        let of_links = Missed {
            expected: missed,
            fewest: (missed - spread).max(0.0),
            most: (missed + spread).max(beyond_counting),
            is_known: true,
        };
        let own_links = self
            .links
            .iter()
            .filter(|link| is_in(link.left))
            .map(|link| (link.similarity, link.probability.unwrap_or(1.0)));
        let missed = match &looks.beyond {
            Beyond::Counted(surplus) => {
                of_links.or_more(missed_beyond(own_links, surplus, surplus.matches_of(is_in)))
            }
            Beyond::Hidden(hidden) => of_links.or_hidden(hidden.most(own_links)),
        };
        let precision = 1.0 - expected_false / links;
        Some(ExpectedQuality {
            links: u64::try_from(probabilities.len()).expect("a length fits in 64 bits"),
            precision,
            precision_interval,
            recall: missed.recall(precision * links),
            recall_interval: missed.recall_interval(precision_interval, links),
            link_counts: self.counts.fit_among(is_in),
        })
    }
}

fn to_f64(count: usize) -> f64 {
    count as f64
}
