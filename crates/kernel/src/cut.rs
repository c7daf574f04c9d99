/// How two filters a, b of m bits are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// 2·|a∧b| / (|a|+|b|). Two empty filters have no similarity.
    Dice,
    /// ρ = 1 − 2·|a⊕b|/m.
    Rho,
}

/// A pair that reached a cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair {
    /// Row on the left.
    pub left: u32,
    /// Row on the right.
    pub right: u32,
    /// Bits that differ, |a⊕b|.
    pub distance: u32,
}

/// A threshold p/q made ready for filters of one length: an inclusive bound, in integers.
///
/// Both measures are decided by the number of bits that differ, d = |a⊕b|, so that one kernel serves both. Dice, since
/// 2·|a∧b| = |a|+|b|−d: a pair is in when d·q ≤ (q−p)·(|a|+|b|). ρ: when 2·d·q ≤ (q−p)·m.
#[derive(Debug, Clone)]
pub struct Cut {
    measure: Measure,
    bits: u32,
    /// The distance a pair may have plus one, by |a|+|b| (from 0 to 2m); 0 for "none".
    limits: Vec<u32>,
    linear: Linear,
    starts: Starts,
}

/// Limits as a formula for many pairs at once: a pair is within its limit only when
/// `distance · per_distance ≤ ones · per_one + constant`. Tables of limits decide.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Linear {
    pub(crate) per_distance: i64,
    pub(crate) per_one: i64,
    pub(crate) constant: i64,
}

impl Linear {
    /// A share of what two filters may differ in, by the popcount of the left one. With the other's, at least the limit: one
    /// more at most, where the formula says exactly what the table says.
    fn left_allowance(self, ones: i64) -> i64 {
        (self.per_one * ones).div_euclid(self.per_distance)
    }

    /// The other share. ⌊x⌋ + ⌊y⌋ may be one below ⌊x + y⌋, and a limit is one above the largest distance within it.
    fn right_allowance(self, ones: i64) -> i64 {
        (self.per_one * ones + self.constant).div_euclid(self.per_distance) + 2
    }

    /// Where counts of bits that differ start, for filters of `bits` bits.
    pub(crate) fn to_starts(self, bits: u32) -> Starts {
        let starts =
            |allowance: &dyn Fn(i64) -> i64| (0..=i64::from(bits)).map(|ones| -allowance(ones)).collect();
        Starts {
            left: starts(&|ones| self.left_allowance(ones)),
            right: starts(&|ones| self.right_allowance(ones)),
        }
    }
}

/// Where counts of the bits that differ start, by the popcount of each side's filter: added up, minus what a pair may differ in, so
/// that the counts of pairs that may be in end below zero. A table, as dividing for every filter of every block would take as long as
/// comparing it with dozens of others.
#[derive(Debug, Clone)]
pub(crate) struct Starts {
    left: Vec<i64>,
    right: Vec<i64>,
}

impl Starts {
    /// The left side's share.
    pub(crate) fn of_left(&self, ones: u32) -> i64 {
        self.left[usize::try_from(ones).expect("at most a filter's bits")]
    }

    /// The right side's share.
    pub(crate) fn of_right(&self, ones: u32) -> i64 {
        self.right[usize::try_from(ones).expect("at most a filter's bits")]
    }
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
        let narrow = |value: u64| u32::try_from(value).expect("at most twice the filter's bits");
        let limits = (0..=2 * m)
            .map(|ones| match measure {
                Measure::Dice if ones == 0 => 0,
                Measure::Dice => narrow((q - p) * ones / q) + 1,
                Measure::Rho => narrow((q - p) * m / (2 * q)) + 1,
            })
            .collect();
        let linear = match measure {
            Measure::Dice => Linear {
                per_distance: i64::from(denominator),
                per_one: i64::from(denominator - numerator),
                constant: 0,
            },
            Measure::Rho => Linear {
                per_distance: 1,
                per_one: 0,
                constant: i64::from(narrow((q - p) * m / (2 * q))),
            },
        };
        Self {
            measure,
            bits,
            limits,
            linear,
            starts: linear.to_starts(bits),
        }
    }

    /// The measure.
    pub const fn measure(&self) -> Measure {
        self.measure
    }

    /// Bits of the filters it is for.
    pub const fn bits(&self) -> u32 {
        self.bits
    }

    /// Distances below this are in, for two filters with that many bits set together; 0 when none is.
    ///
    /// # Panics
    /// When `ones` is more than two filters have bits.
    pub fn limit(&self, ones: u32) -> u32 {
        self.limits[usize::try_from(ones).expect("at most twice the filter's bits")]
    }

    /// The limits by popcount of both filters together. They never fall.
    pub(crate) fn limits(&self) -> &[u32] {
        &self.limits
    }

    pub(crate) const fn linear(&self) -> Linear {
        self.linear
    }

    /// Where counts of all bits start.
    pub(crate) const fn starts(&self) -> &Starts {
        &self.starts
    }

    /// Similarity of two filters that differ in `distance` bits and have `ones` bits set together: Dice in [0, 1],
    /// `None` for two empty filters; ρ in [−1, 1]. The quotient of two small integers, so the same on every
    /// machine.
    pub fn similarity(&self, distance: u32, ones: u32) -> Option<f64> {
        match self.measure {
            Measure::Dice => (ones > 0).then(|| f64::from(ones - distance) / f64::from(ones)),
            Measure::Rho => {
                let bits = f64::from(self.bits);
                Some((bits - 2.0 * f64::from(distance)) / bits)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_of_both_sides_are_the_limit_or_one_more() {
        for measure in [Measure::Dice, Measure::Rho] {
            for (p, q) in [(0, 1), (1, 3), (80, 100), (799_999, 1_000_000), (1, 1)] {
                let cut = Cut::new(measure, 2, p, q);
                for (left, right) in (0..=128).flat_map(|left| (0..=128).map(move |right| (left, right))) {
                    let both = -(cut.starts().of_left(left) + cut.starts().of_right(right));
                    let limit = i64::from(cut.limit(left + right));
                    // Two empty filters have no Dice similarity, which the formula does not know.
                    let of_formula = if left + right == 0 { limit.max(1) } else { limit };
                    assert!(
                        (of_formula..=of_formula + 1).contains(&both),
                        "{measure:?} {p}/{q} {left} {right}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_formula_says_what_the_table_says_but_for_empty_filters() {
        for measure in [Measure::Dice, Measure::Rho] {
            for (p, q) in [(0, 1), (1, 3), (80, 100), (799_999, 1_000_000), (1, 1)] {
                let cut = Cut::new(measure, 2, p, q);
                let linear = cut.linear();
                for ones in 1..=256_u32 {
                    for distance in 0..=128_u32 {
                        let left = i64::from(distance) * linear.per_distance;
                        let right = i64::from(ones) * linear.per_one + linear.constant;
                        assert_eq!(
                            left <= right,
                            distance < cut.limit(ones),
                            "{measure:?} {p}/{q} {ones} {distance}"
                        );
                    }
                }
            }
        }
    }
}
