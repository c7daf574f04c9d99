use corridor_core::{Stop, Stopped};

use crate::fields::pattern::{LEVELS, MISSING, Pattern};
use crate::tile::to_index;

/// Shares of the levels of a field, among pairs in which it is not missing.
pub(crate) type Levels = [f64; LEVELS];

/// What the model is fitted to.
#[derive(Debug, Clone)]
pub(crate) struct PatternCounts {
    /// Number of fields.
    pub(crate) fields: usize,
    /// Patterns and how many pairs have each, by pattern, so that sums do not depend on the order of pairs.
    pub(crate) patterns: Vec<(Pattern, f64)>,
    /// Pairs that were not looked at because they resemble each other too little to be matches.
    pub(crate) unlike: f64,
    /// Which pairs have which pattern, where each person has one match at most; `None` where pairs know nothing of each other.
    pub(crate) rivalry: Option<Rivalry>,
}

/// Pairs of persons, of whom each has one match at most.
#[derive(Debug, Clone)]
pub(crate) struct Rivalry {
    pub(crate) pairs: Vec<RivalPair>,
    pub(crate) left_persons: usize,
    pub(crate) right_persons: usize,
}

/// A pair of persons, and where its pattern stands among those of [`PatternCounts`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct RivalPair {
    pub(crate) left: u32,
    pub(crate) right: u32,
    pub(crate) pattern: u32,
}

impl Rivalry {
    /// Odds of a match of two persons against both having none, before anything of them is seen, where λ is the share of matches
    /// among all pairs: λ / ((1 − λ·n₂)(1 − λ·n₁)), since λ·n₂ is the share of the left's n₁ persons who have a match.
    pub(crate) fn prior_odds(&self, lambda: f64) -> f64 {
        let free = |others: usize| (1.0 - lambda * others as f64).max(LEAST_FREE);
        lambda / (free(self.right_persons) * free(self.left_persons))
    }

    /// Calls `each` with the pattern and the probability of every pair, in their order, given the odds of each pattern: those of the
    /// pair against neither of the two having a match and against either being matched otherwise, o / (1 + o + Σ o').
    pub(crate) fn probabilities(&self, odds: &[f64], mut each: impl FnMut(usize, f64)) {
        let (mut of_left, mut of_right) = (vec![0.0; self.left_persons], vec![0.0; self.right_persons]);
        for pair in &self.pairs {
            let odds = odds[to_index(pair.pattern)];
            of_left[to_index(pair.left)] += odds;
            of_right[to_index(pair.right)] += odds;
        }
        for pair in &self.pairs {
            let pattern = to_index(pair.pattern);
            let rivals = of_left[to_index(pair.left)] + of_right[to_index(pair.right)] - 2.0 * odds[pattern];
            // Of sums of very unlike numbers a little less than nothing may remain.
            each(pattern, odds[pattern] / (1.0 + odds[pattern] + rivals.max(0.0)));
        }
    }
}

/// Where the shares among non-matches (u) come from.
#[derive(Debug, Clone)]
pub(crate) enum Unmatched {
    /// From shares among so many pairs drawn at random from all pairs: what is left of them when the share λ of matches, which
    /// agree as m says, is taken out.
    Random { shares: Vec<Levels>, pairs: f64 },
    /// From the patterns themselves, which then must be all pairs.
    #[cfg_attr(not(test), expect(dead_code, reason = "the known answers are of this kind"))]
    Patterns(Vec<Levels>),
}

impl Unmatched {
    /// Pairs drawn at random.
    pub(crate) const fn pairs(&self) -> f64 {
        match self {
            Self::Random { pairs, .. } => *pairs,
            Self::Patterns(_) => 0.0,
        }
    }
}

/// A start of the iteration.
#[derive(Debug, Clone)]
pub(crate) struct Start {
    pub(crate) lambda: f64,
    pub(crate) m: Levels,
}

/// The model that fits best: the share of matches, and of the levels of each field among matches (m) and others (u).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fit {
    pub(crate) lambda: f64,
    pub(crate) m: Vec<Levels>,
    pub(crate) u: Vec<Levels>,
    pub(crate) rounds: usize,
    pub(crate) converged: bool,
}

/// Rounds after which the iteration is given up.
const MOST_ROUNDS: usize = 2000;
/// No share changes by more than this in the last round, nor λ by this part of itself.
const TOLERANCE: f64 = 1e-7;
/// Pairs' worth of weight a level keeps that no pair was seen on, spread over all levels: a logarithm needs it.
const PRIOR_PAIRS: f64 = 0.5;
/// Of the share of a level among random pairs, this part at least is left to non-matches: in small registers a random pair that
/// agrees is most often a match, and what remains of the share after that is noise.
const LEAST_LEFT: f64 = 0.05;

/// Expectation–maximisation for the mixture of matches and non-matches with fields that agree independently within each
/// (Fellegi & Sunter 1969; Winkler 1988). A field that is missing says nothing, for the pair and for the shares (missing at
/// random).
///
/// Where each person has one match at most, a pair's probability is set against those of its rivals too (as Sadinle 2017 and
/// McVeigh, Spahn & Murray 2019 restrict the mixture; here by the odds of the direct rivals alone). Without that, names that hang
/// together make namesakes a cluster of their own, which is mistaken for the matches.
///
/// Pairs that were not looked at count as non-matches in λ. They tell nothing of m; nor need they of u, which comes from pairs
/// drawn at random.
///
/// # Errors
/// When `stop` is set.
pub(crate) fn fit(
    data: &PatternCounts,
    unmatched: &Unmatched,
    start: &Start,
    stop: &Stop,
) -> Result<Fit, Stopped> {
    let pairs = data.unlike + data.patterns.iter().map(|(_, count)| count).sum::<f64>();
    let mut fit = Fit {
        lambda: start.lambda,
        m: vec![start.m; data.fields],
        u: match unmatched {
            Unmatched::Random { shares, .. } | Unmatched::Patterns(shares) => shares.clone(),
        },
        rounds: 0,
        converged: false,
    };
    while fit.rounds < MOST_ROUNDS && !fit.converged {
        stop.check()?;
        let next = round(data, unmatched, pairs, &fit);
        let change = |from: &[Levels], to: &[Levels]| {
            let from = from.iter().flatten();
            from.zip(to.iter().flatten())
                .map(|(from, to)| (from - to).abs())
                .fold(0.0, f64::max)
        };
        let largest = change(&fit.m, &next.m)
            .max(change(&fit.u, &next.u))
            .max((next.lambda / fit.lambda - 1.0).abs());
        fit = Fit {
            converged: largest < TOLERANCE,
            ..next
        };
    }
    Ok(fit)
}

impl PatternCounts {
    /// Expected matches among the pairs of each pattern.
    fn matching(&self, lambda: f64, bits: &[Levels]) -> Vec<f64> {
        let weights = self
            .patterns
            .iter()
            .map(|(pattern, _)| total_bits(bits, *pattern));
        match &self.rivalry {
            None => {
                let counts = self.patterns.iter().map(|(_, count)| count);
                weights
                    .zip(counts)
                    .map(|(bits, count)| count * posterior(lambda, bits))
                    .collect()
            }
            Some(rivalry) => {
                let prior = rivalry.prior_odds(lambda);
                let odds: Vec<f64> = weights.map(|bits| odds(prior, bits)).collect();
                let mut matching = vec![0.0; odds.len()];
                rivalry.probabilities(&odds, |pattern, probability| matching[pattern] += probability);
                matching
            }
        }
    }
}

/// One expectation and one maximisation.
fn round(data: &PatternCounts, unmatched: &Unmatched, pairs: f64, fit: &Fit) -> Fit {
    let bits = bits(&fit.m, &fit.u);
    let mut matched = vec![[0.0; LEVELS]; data.fields];
    let mut others = vec![[0.0; LEVELS]; data.fields];
    let mut matches = 0.0;
    for ((pattern, count), matching) in data.patterns.iter().zip(data.matching(fit.lambda, &bits)) {
        matches += matching;
        for field in 0..data.fields {
            let level = pattern.level(field);
            if level != MISSING {
                matched[field][usize::from(level)] += matching;
                others[field][usize::from(level)] += count - matching;
            }
        }
    }
    let m: Vec<Levels> = matched.iter().map(to_shares).collect();
    let lambda = (matches / pairs).clamp(f64::MIN_POSITIVE, 1.0 - f64::EPSILON);
    let u = match unmatched {
        Unmatched::Random { shares, pairs } => shares
            .iter()
            .zip(&m)
            .map(|(shares, m)| without_matches(shares, m, lambda, *pairs))
            .collect(),
        Unmatched::Patterns(_) => others.iter().map(to_shares).collect(),
    };
    Fit {
        lambda,
        m,
        u,
        rounds: fit.rounds + 1,
        converged: false,
    }
}

/// Shares of counts, with a little weight on every level.
pub(crate) fn to_shares(counts: &Levels) -> Levels {
    let each = PRIOR_PAIRS / LEVELS as f64;
    let total: f64 = counts.iter().sum::<f64>() + PRIOR_PAIRS;
    counts.map(|count| (count + each) / total)
}

fn without_matches(shares: &Levels, m: &Levels, lambda: f64, pairs: f64) -> Levels {
    let mut left = [0.0; LEVELS];
    for (left, (share, m)) in left.iter_mut().zip(shares.iter().zip(m)) {
        let least = (LEAST_LEFT * share).max(PRIOR_PAIRS / LEVELS as f64 / (pairs + PRIOR_PAIRS));
        *left = ((share - lambda * m) / (1.0 - lambda)).max(least);
    }
    let total: f64 = left.iter().sum();
    left.map(|left| left / total)
}

/// log₂(m/u) of each level of each field: the bits of evidence for a match that agreement on that level is.
pub(crate) fn bits(m: &[Levels], u: &[Levels]) -> Vec<Levels> {
    m.iter()
        .zip(u)
        .map(|(m, u)| std::array::from_fn(|level| (m[level] / u[level]).log2()))
        .collect()
}

/// The match weight: the sum of the bits of the fields that are not missing.
pub(crate) fn total_bits(bits: &[Levels], pattern: Pattern) -> f64 {
    bits.iter()
        .enumerate()
        .map(|(field, bits)| match pattern.level(field) {
            MISSING => 0.0,
            level => bits[usize::from(level)],
        })
        .sum()
}

/// Probability of a match where pairs know nothing of each other: of prior λ and so many bits of evidence.
pub(crate) fn posterior(lambda: f64, bits: f64) -> f64 {
    1.0 / (1.0 + 1.0 / odds(lambda / (1.0 - lambda), bits))
}

/// Odds of a match: of these prior odds and so many bits of evidence. Never so high that a sum of them is not finite.
pub(crate) fn odds(prior: f64, bits: f64) -> f64 {
    (prior * bits.exp2()).min(MOST_ODDS)
}

/// Share of persons without a match that is reckoned with at least.
const LEAST_FREE: f64 = 0.01;
/// More certain than anything there is.
const MOST_ODDS: f64 = 1e200;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Patterns of fields that agree or do not, in exactly the shares the model says.
    fn expected_patterns(lambda: f64, m: &[f64], u: &[f64], pairs: f64) -> PatternCounts {
        let patterns = (0..1_u32 << m.len())
            .map(|agreeing| {
                let share = |agree: &[f64]| -> f64 {
                    let of_field = |(field, p): (usize, &f64)| {
                        if agreeing >> field & 1 == 1 { *p } else { 1.0 - p }
                    };
                    agree.iter().enumerate().map(of_field).product()
                };
                let levels: Vec<u8> = (0..m.len())
                    .map(|field| if agreeing >> field & 1 == 1 { 0 } else { 7 })
                    .collect();
                let count = pairs * (lambda * share(m) + (1.0 - lambda) * share(u));
                (Pattern::from_levels(&levels), count)
            })
            .collect();
        PatternCounts {
            fields: m.len(),
            patterns,
            unlike: 0.0,
            rivalry: None,
        }
    }

    fn two_levels(agree: f64) -> Levels {
        [agree, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0 - agree]
    }

    #[test]
    fn known_parameters_are_recovered() {
        let (m, u) = ([0.7, 0.9, 0.95], [0.1, 0.025, 0.2]);
        let data = expected_patterns(0.5, &m, &u, 10_000.0);
        let start = Start {
            lambda: 0.3,
            m: two_levels(0.8),
        };
        let unmatched = Unmatched::Patterns(vec![two_levels(0.3); 3]);
        let fit = fit(&data, &unmatched, &start, &Stop::default()).unwrap();
        assert!(fit.converged, "{} rounds", fit.rounds);
        assert!((fit.lambda - 0.5).abs() < 0.01, "λ {}", fit.lambda);
        for field in 0..3 {
            assert!((fit.m[field][0] - m[field]).abs() < 0.01, "m {}", fit.m[field][0]);
            assert!((fit.u[field][0] - u[field]).abs() < 0.01, "u {}", fit.u[field][0]);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// With u from random pairs, which matches are among, and unlike pairs left out.
        #[test]
        fn rare_matches_are_found_beside_random_pairs(
            lambda in 1e-4_f64..1e-2,
            m in prop::collection::vec(0.85_f64..0.98, 4),
            u in prop::collection::vec(0.005_f64..0.1, 4),
        ) {
            let mut data = expected_patterns(lambda, &m, &u, 1e8);
            let shares: Vec<Levels> = m
                .iter()
                .zip(&u)
                .map(|(m, u)| two_levels(lambda * m + (1.0 - lambda) * u))
                .collect();
            // Nothing agrees: put aside.
            let (unlike, patterns): (Vec<_>, Vec<_>) =
                data.patterns.iter().copied().partition(|(pattern, _)| (0..4).all(|f| pattern.level(f) == 7));
            data.patterns = patterns;
            data.unlike = unlike[0].1;
            let start = Start { lambda: 3.0 * lambda, m: two_levels(0.7) };
            let unmatched = Unmatched::Random { shares, pairs: 1e8 };
            let fit = fit(&data, &unmatched, &start, &Stop::default()).unwrap();
            prop_assert!(fit.converged);
            // The matches put aside, which agree on nothing, are missing of λ and m.
            prop_assert!((fit.lambda / lambda - 1.0).abs() < 0.03, "{} for {}", fit.lambda, lambda);
            for field in 0..4 {
                prop_assert!((fit.m[field][0] - m[field]).abs() < 0.02, "m {} for {}", fit.m[field][0], m[field]);
                prop_assert!((fit.u[field][0] / u[field] - 1.0).abs() < 0.02, "u {} for {}", fit.u[field][0], u[field]);
            }
        }
    }

    #[test]
    fn a_missing_field_says_nothing() {
        let bits = bits(
            &[two_levels(0.9), two_levels(0.8)].map(|l| to_shares(&l)),
            &[two_levels(0.1), two_levels(0.2)].map(|l| to_shares(&l)),
        );
        let with = total_bits(&bits, Pattern::from_levels(&[0, MISSING]));
        assert!((with - bits[0][0]).abs() < 1e-12);
        assert!((posterior(0.25, 0.0) - 0.25).abs() < 1e-12);
        assert!((posterior(0.5, 3.0) - 8.0 / 9.0).abs() < 1e-12);
    }
}
