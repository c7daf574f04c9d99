use super::cell_key::CellKey;

/// How counts are changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PerturbationRule {
    /// No count changes by more. 1 to 100.
    pub largest_change: u8,
    /// The variance of the changes. Counts near 0 have the nearest to it that they can.
    pub variance: f64,
    /// No count comes out between 0 and this; 1 for no such rule. At most one more than the largest change, since else a
    /// count below it could not come out right on average.
    pub smallest_positive: u8,
}

impl Default for PerturbationRule {
    /// Changes of at most 2, with a mean size of 0.86 away from 0, as in the published example of the method.
    fn default() -> Self {
        Self {
            largest_change: 2,
            variance: 1.25,
            smallest_positive: 1,
        }
    }
}

/// Why there is no such rule.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum PerturbationRuleError {
    /// The largest change is not from 1 to 100.
    #[error("the largest change is {got}, not 1 to 100")]
    LargestChange {
        /// As given.
        got: u8,
    },
    /// The smallest positive count is 0 or too large for the largest change.
    #[error("the smallest positive count is {got}, not 1 to {most}")]
    SmallestPositive {
        /// As given.
        got: u8,
        /// One more than the largest change.
        most: u8,
    },
    /// The variance is not above 0 and below that of changes between the two largest only.
    #[error("the variance is {got}, not above 0 and below {most}")]
    Variance {
        /// As given.
        got: f64,
        /// The square of the largest change.
        most: f64,
    },
}

/// With which probability a count changes by how much, for each count.
///
/// The changes of a count add up to nothing on average, have the rule's variance (or, for small counts, the nearest that is possible),
/// leave 0 as it is and make nothing negative. Among all distributions that do, it is the one of largest entropy: it says
/// nothing besides (Giessing 2016, Computational issues in the design of transition probabilities and disclosure risk estimation
/// for additive noise; Marley and Leaver 2011).
#[derive(Debug, Clone, PartialEq)]
pub struct PerturbationTable {
    /// By count; the last is for all larger counts, too.
    rows: Vec<Vec<Transition>>,
}

/// A change and how likely it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Transition {
    /// What is added.
    pub change: i16,
    /// Its probability.
    pub probability: f64,
}

impl PerturbationTable {
    /// The table of a rule.
    ///
    /// # Errors
    /// When the rule asks for what cannot be.
    pub fn try_new(rule: PerturbationRule) -> Result<Self, PerturbationRuleError> {
        let PerturbationRule {
            largest_change,
            variance,
            smallest_positive,
        } = rule;
        if !(1..=100).contains(&largest_change) {
            return Err(PerturbationRuleError::LargestChange { got: largest_change });
        }
        let most = largest_change + 1;
        if !(1..=most).contains(&smallest_positive) {
            return Err(PerturbationRuleError::SmallestPositive {
                got: smallest_positive,
                most,
            });
        }
        let most = f64::from(largest_change).powi(2);
        if !(variance > 0.0 && variance < most) {
            return Err(PerturbationRuleError::Variance { got: variance, most });
        }
        let largest = i16::from(largest_change);
        let smallest = i16::from(smallest_positive);
        let rows = (0..=largest + smallest)
            .map(|count| {
                let is_allowed = |change: &i16| match count + change {
                    0 => true,
                    result => count > 0 && result >= smallest,
                };
                let changes: Vec<i16> = (-largest..=largest).filter(is_allowed).collect();
                most_entropy(&changes, variance)
            })
            .collect();
        Ok(Self { rows })
    }

    /// The changes that a count can make, ascending, with their probabilities.
    pub fn transitions(&self, count: u64) -> &[Transition] {
        let row = usize::try_from(count).ok().and_then(|row| self.rows.get(row));
        row.or(self.rows.last()).map(Vec::as_slice).unwrap_or_default()
    }

    /// What is published of a count whose records have this key.
    pub fn perturb(&self, count: u64, key: CellKey) -> u64 {
        let transitions = self.transitions(count);
        let draw = unit(key.to_bits());
        let mut below = 0.0;
        // Rounding may leave the sum of all a hair below 1: the last change has what is left.
        let drawn = transitions.iter().find(|transition| {
            below += transition.probability;
            draw < below
        });
        let change = drawn
            .or(transitions.last())
            .map_or(0, |transition| transition.change);
        count.saturating_add_signed(i64::from(change))
    }
}

/// A number from 0 to below 1, of the upper 32 bits and the next 21: as many as a double has.
fn unit(bits: u64) -> f64 {
    let [high, low] =
        [bits >> 32, bits >> 11 & 0x1f_ffff].map(|half| u32::try_from(half).unwrap_or_default());
    f64::from(high) / 2_f64.powi(32) + f64::from(low) / 2_f64.powi(53)
}

/// The distribution over these changes (ascending; with 0, or on both sides of it) of largest entropy with mean 0 and this variance,
/// or the nearest that is possible.
fn most_entropy(changes: &[i16], variance: f64) -> Vec<Transition> {
    let negative = || changes.iter().copied().filter(|&change| change < 0);
    let positive = || changes.iter().copied().filter(|&change| change > 0);
    let (Some(lowest), Some(below), Some(above), Some(highest)) = (
        negative().min(),
        negative().max(),
        positive().min(),
        positive().max(),
    ) else {
        // Nothing on one side: only no change at all has mean 0.
        return changes
            .iter()
            .map(|&change| Transition {
                change,
                probability: f64::from(u8::from(change == 0)),
            })
            .collect();
    };
    // Between two changes −x and y, mean 0 leaves one distribution, of variance xy: the largest between the outermost
    // and, where 0 is not allowed, the smallest between the innermost.
    let two_points = |low: i16, high: i16| {
        let width = f64::from(high) - f64::from(low);
        let probability = |change: i16| match change {
            change if change == low => f64::from(high) / width,
            change if change == high => -f64::from(low) / width,
            _ => 0.0,
        };
        changes
            .iter()
            .map(|&change| Transition {
                change,
                probability: probability(change),
            })
            .collect()
    };
    if variance >= f64::from(highest) * -f64::from(lowest) * (1.0 - NEAR_EDGE) {
        return two_points(lowest, highest);
    }
    if !changes.contains(&0) && variance <= f64::from(above) * -f64::from(below) * (1.0 + NEAR_EDGE) {
        return two_points(below, above);
    }
    exponential_family(changes, variance)
}

/// So near to the edge of what is possible the weights of a distribution inside would span more than doubles hold.
const NEAR_EDGE: f64 = 1e-3;

/// p(change) ∝ exp(a·change + b·change²), the form that largest entropy has under these two constraints, with a and b from
/// Newton's method on the convex dual log Σ exp(a·k + b·k²) − b·variance, each step halved until the dual falls.
fn exponential_family(changes: &[i16], variance: f64) -> Vec<Transition> {
    let (mut a, mut b) = (0.0_f64, 0.0_f64);
    let logs = |a: f64, b: f64| -> Vec<f64> {
        let log = |&change: &i16| a * f64::from(change) + b * f64::from(change).powi(2);
        changes.iter().map(log).collect()
    };
    let dual = |a: f64, b: f64| {
        let logs = logs(a, b);
        let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        most + logs.iter().map(|log| (log - most).exp()).sum::<f64>().ln() - b * variance
    };
    let distribution = |a: f64, b: f64| -> Vec<Transition> {
        let logs = logs(a, b);
        let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = logs.iter().map(|log| (log - most).exp()).sum();
        let transition = |(&change, log): (&i16, f64)| Transition {
            change,
            probability: (log - most).exp() / sum,
        };
        changes.iter().zip(logs).map(transition).collect()
    };
    for _ in 0..MOST_STEPS {
        let now = distribution(a, b);
        let moment = |power: i32| -> f64 {
            now.iter()
                .map(|at| at.probability * f64::from(at.change).powi(power))
                .sum()
        };
        let (m1, m2, m3, m4) = (moment(1), moment(2), moment(3), moment(4));
        let (ga, gb) = (m1, m2 - variance);
        if ga.abs().max(gb.abs()) <= CLOSE {
            return now;
        }
        let (haa, hab, hbb) = (m2 - m1 * m1, m3 - m1 * m2, m4 - m2 * m2);
        let determinant = haa * hbb - hab * hab;
        let (da, db) = if determinant > f64::EPSILON {
            (
                (hbb * ga - hab * gb) / determinant,
                (haa * gb - hab * ga) / determinant,
            )
        } else {
            (ga, gb)
        };
        // So near to the end the dual is flat to the last digit of a double, and a whole step is right.
        let near = ga.abs().max(gb.abs()) < FLAT;
        let value = dual(a, b);
        let mut step = 1.0;
        while !near && step > f64::EPSILON && dual(a - step * da, b - step * db) >= value {
            step /= 2.0;
        }
        (a, b) = (a - step * da, b - step * db);
    }
    distribution(a, b)
}

const MOST_STEPS: usize = 200;
/// From here on Newton's method converges by itself.
const FLAT: f64 = 1e-5;
/// How near mean and variance are to what they must be.
const CLOSE: f64 = 1e-12;

#[cfg(test)]
mod tests;
