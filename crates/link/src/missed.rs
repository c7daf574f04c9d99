use crate::surplus::{Matches, Surplus};

/// Matches that are not linked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Missed {
    pub(crate) expected: f64,
    /// 95 % interval.
    pub(crate) fewest: f64,
    pub(crate) most: f64,
    /// Whether what is expected means something beside the interval.
    pub(crate) is_known: bool,
}

impl Missed {
    /// These are of links alone, which vary less by chance, but of which strangers have taken some, so that they are too few rather than
    /// too many. The more the registers hold, the more of them are found among the pairs only.
    ///
    /// Where few people are in both registers, pairs show only that there are no fewer and no more than so many.
    pub(crate) fn or_more(self, among_pairs: Self) -> Self {
        let (expected, fewest) = if among_pairs.is_known {
            (among_pairs.expected, among_pairs.fewest)
        } else {
            (among_pairs.fewest, self.fewest.max(among_pairs.fewest))
        };
        Self {
            expected: self.expected.max(expected),
            fewest,
            most: self.most.max(among_pairs.most),
            is_known: among_pairs.is_known,
        }
    }

    /// These are of links alone, which say little of matches that are less alike than the threshold: there may be `most` of these, and none,
    /// for where links were most beyond expectation was looked for. The same are expected: on invented corridors with few people in
    /// both registers there were more by far than links tell of and fewer by far than their fall leads to.
    pub(crate) fn or_hidden(self, most: f64) -> Self {
        Self {
            most: self.most.max(most),
            fewest: 0.0,
            ..self
        }
    }

    pub(crate) fn recall(&self, true_links: f64) -> f64 {
        share_found(true_links, self.expected)
    }

    /// Given that of precision.
    pub(crate) fn recall_interval(&self, precision: (f64, f64), links: f64) -> (f64, f64) {
        (
            share_found(precision.0 * links, self.most),
            share_found(precision.1 * links, self.fewest),
        )
    }
}

fn share_found(found: f64, missed: f64) -> f64 {
    if found > 0.0 {
        found / (found + missed)
    } else {
        0.0
    }
}

/// Matches that are not linked, given similarity and probability of the links and the matches `beyond` those that settle people.
///
/// Two people who are linked falsely take the place of none to two matches; of half a match on average, as of one at most: most who are
/// taken for somebody else have no partner, or one who is less alike than the two.
pub(crate) fn missed_beyond(
    links: impl Iterator<Item = (f64, f64)>,
    surplus: &Surplus,
    beyond: Matches,
) -> Missed {
    let (mut displaced, mut among_counted, mut among_hidden) = (0.0, 0.0, 0.0);
    for (similarity, probability) in links {
        if probability >= SETTLED_PROBABILITY {
            displaced += 0.5 * (1.0 - probability);
        } else if surplus.counts(similarity) {
            among_counted += probability;
        } else {
            among_hidden += probability;
        }
    }
    let most = (displaced + beyond.most - among_counted - among_hidden).max(0.0);
    let expected = displaced + beyond.seen - among_counted + (beyond.hidden - among_hidden).max(0.0);
    let expected = expected.clamp(0.0, most);
    let spread = displaced.hypot(beyond.spread);
    Missed {
        expected,
        fewest: (expected - spread).max(0.0),
        most: (expected + spread).min(most),
        is_known: beyond.is_known,
    }
}

/// A link at least this probable by all that is known settles its two people, for [`Surplus`]: the more are settled, the less alike are
/// those left over, but the more of their places are taken falsely.
pub(crate) const SETTLED_PROBABILITY: f64 = 0.9;

/// Matches that may be missed beyond those that can be counted, as many as the upper end of an interval allows for: a quarter of the
/// matches among the weakest tenth of the links, the strongest of which come first.
///
/// How similarity falls off beyond the threshold cannot be seen there, for the strangers. This is a convention, not an estimate; that
/// it suffices is tested on registers with known truth.
pub(crate) fn missed_at_most(probabilities: &[f64]) -> f64 {
    let weakest = &probabilities[probabilities.len() - probabilities.len() / 10..];
    0.25 * weakest.iter().sum::<f64>()
}
