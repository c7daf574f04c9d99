use crate::FilterMatrix;

/// How two filters a, b of m bits are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// 2·|a∧b| / (|a|+|b|); the count of a pair is |a∧b|. Two empty filters have no similarity.
    Dice,
    /// ρ = 1 − 2·|a⊕b|/m; the count of a pair is |a⊕b|.
    Rho,
}

/// A pair that reached a cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair {
    /// Row on the left.
    pub left: u32,
    /// Row on the right.
    pub right: u32,
    /// Bits in common (Dice) or that differ (ρ).
    pub count: u32,
}

/// A threshold p/q made ready for filters of one length: an inclusive bound, in integers.
///
/// Dice: a pair is in when 2·count·q ≥ p·(|a|+|b|). ρ: when q·(m − 2·count) ≥ p·m.
#[derive(Debug, Clone)]
pub struct Cut {
    measure: Measure,
    bits: u32,
    /// Dice: the overlap needed, by |a|+|b|. ρ: one entry, the distance allowed plus one, 0 for "none".
    table: Vec<u32>,
}

impl Cut {
    /// A cut at `numerator / denominator` for filters of `words_per_filter` words.
    ///
    /// # Panics
    /// When the fraction is not in [0, 1] or the length not in 1 to 64 words. With 0, Dice lets every pair
    /// with at least one bit set through and ρ every pair with ρ ≥ 0.
    pub fn new(measure: Measure, words_per_filter: usize, numerator: u32, denominator: u32) -> Self {
        assert!(
            denominator > 0 && numerator <= denominator,
            "a threshold is in [0, 1]"
        );
        assert!((1..=64).contains(&words_per_filter), "a filter has 1 to 64 words");
        let bits = u32::try_from(words_per_filter * 64).expect("at most 4096");
        let (p, q, m) = (u64::from(numerator), u64::from(denominator), u64::from(bits));
        let narrow = |value: u64| u32::try_from(value).expect("at most the filter's bits");
        let table = match measure {
            Measure::Dice => (0..=2 * m)
                .map(|ones| match ones {
                    0 => u32::MAX,
                    _ => narrow((p * ones).div_ceil(2 * q)),
                })
                .collect(),
            Measure::Rho => vec![narrow(m * (q - p) / (2 * q)) + 1],
        };
        Self { measure, bits, table }
    }

    /// The measure.
    pub const fn measure(&self) -> Measure {
        self.measure
    }

    /// Whether a pair with `count` and the two popcounts is in.
    pub(crate) fn lets_in(&self, count: u32, ones_left: u32, ones_right: u32) -> bool {
        match self.measure {
            Measure::Dice => {
                usize::try_from(ones_left + ones_right).is_ok_and(|ones| count >= self.table[ones])
            }
            Measure::Rho => count < self.table[0],
        }
    }

    /// Similarity of `pair`: Dice in [0, 1], `None` for two empty filters; ρ in [−1, 1]. The quotient of
    /// two small integers, so the same on every machine.
    pub fn similarity(&self, pair: &Pair, left: &FilterMatrix<'_>, right: &FilterMatrix<'_>) -> Option<f64> {
        let row = |index: u32| usize::try_from(index).expect("an index of a matrix");
        self.similarity_of_count(pair.count, left.ones(row(pair.left)), right.ones(row(pair.right)))
    }

    /// The same from a count and two popcounts.
    pub fn similarity_of_count(&self, count: u32, ones_left: u32, ones_right: u32) -> Option<f64> {
        match self.measure {
            Measure::Dice => {
                let ones = ones_left + ones_right;
                (ones > 0).then(|| f64::from(2 * count) / f64::from(ones))
            }
            Measure::Rho => {
                let bits = f64::from(self.bits);
                Some((bits - 2.0 * f64::from(count)) / bits)
            }
        }
    }
}
