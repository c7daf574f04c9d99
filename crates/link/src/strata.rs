use crate::decide::LinkSet;
use crate::threshold::{count_interval, missed_at_most};
use crate::unseen::Unseen;

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
}

/// What the estimate of a threshold saw of single persons, by which links are looked at group by group.
#[derive(Debug, Clone)]
pub(crate) struct Looks {
    /// Left record of each almost certain link, and on how many of its two sides somebody else would have been linked at or above
    /// the threshold, had the partner not been there.
    pub(crate) core: Vec<(u32, u8)>,
    /// Left record and probability of each greedy link below the threshold.
    pub(crate) below: Vec<(u32, f64)>,
    /// The same of each greedy link where matches cease to be seen.
    pub(crate) at_edge: Vec<(u32, f64)>,
    /// Matches below that.
    pub(crate) unseen: Unseen,
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
        let (missed, variance) = below.fold((0.0, 1.0), |(missed, variance), (_, p)| {
            (missed + p, variance + p * (2.0 - p))
        });
        let spread = 1.96 * f64::sqrt(variance);
        // A group has of the unseen what it has of the links where they cease to be seen.
        let edge_sum = |links: &mut dyn Iterator<Item = &(u32, f64)>| links.map(|(_, p)| p).sum::<f64>();
        let of_all = edge_sum(&mut looks.at_edge.iter());
        let of_group = edge_sum(&mut looks.at_edge.iter().filter(|(left, _)| is_in(*left)));
        let share_of_unseen = if of_all > 0.0 { of_group / of_all } else { 0.0 };
        let unseen = looks.unseen.expected * share_of_unseen;
        let most_missed =
            (missed + spread + looks.unseen.most * share_of_unseen).max(missed_at_most(&probabilities));
        let share = |precision: f64, missed: f64| {
            let found = precision * links;
            if found > 0.0 {
                found / (found + missed.max(0.0))
            } else {
                0.0
            }
        };
        let precision = 1.0 - expected_false / links;
        Some(ExpectedQuality {
            links: u64::try_from(probabilities.len()).expect("a length fits in 64 bits"),
            precision,
            precision_interval,
            recall: share(precision, missed + unseen),
            recall_interval: (
                share(precision_interval.0, most_missed),
                share(precision_interval.1, missed - spread),
            ),
        })
    }
}

fn to_f64(count: usize) -> f64 {
    count as f64
}
