//! How many values are different, and how frequent the most frequent is, in bounded memory.

use std::collections::{HashMap, HashSet};

/// Different values that are counted exactly.
const MOST_EXACT: usize = 50_000;

/// Bits of a hash that choose a register of the sketch.
const REGISTER_BITS: u32 = 14;

/// Counts different values by their hashes: exactly while they are few, then by a sketch (HyperLogLog; Flajolet, Fusy, Gandouet
/// & Meunier 2007) with a standard error of 0.8 %.
#[derive(Default)]
pub(super) struct Distinct {
    exact: HashSet<u64>,
    /// For each register, the longest run of zeros seen, and one.
    sketch: Option<Box<[u8]>>,
}

impl Distinct {
    pub(super) fn add(&mut self, hash: u64) {
        if let Some(sketch) = &mut self.sketch {
            add_to_sketch(sketch, hash);
            return;
        }
        self.exact.insert(hash);
        if self.exact.len() > MOST_EXACT {
            let mut sketch = vec![0; 1 << REGISTER_BITS].into_boxed_slice();
            for hash in std::mem::take(&mut self.exact) {
                add_to_sketch(&mut sketch, hash);
            }
            self.sketch = Some(sketch);
        }
    }

    /// The number of different values, and whether it is an estimate.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate below 2^64"
    )]
    pub(super) fn count(&self) -> (u64, bool) {
        let Some(sketch) = &self.sketch else {
            return (u64::try_from(self.exact.len()).expect("a length fits"), false);
        };
        let registers = sketch.len() as f64;
        let sum: f64 = sketch.iter().map(|&rank| 0.5_f64.powi(i32::from(rank))).sum();
        let bias = 0.7213 / (1.0 + 1.079 / registers);
        ((bias * registers * registers / sum).round() as u64, true)
    }
}

fn add_to_sketch(sketch: &mut [u8], hash: u64) {
    let register = usize::try_from(hash >> (64 - REGISTER_BITS)).expect("14 bits");
    let rest = (hash << REGISTER_BITS) | (1 << (REGISTER_BITS - 1));
    let rank = u8::try_from(rest.leading_zeros() + 1).expect("at most 51");
    sketch[register] = sketch[register].max(rank);
}

/// Values that are followed at a time: one with a larger share than one in so many is never lost.
const FOLLOWED: usize = 1_000;

/// The count of the most frequent value, by the hashes of values (Misra & Gries 1982).
#[derive(Default)]
pub(super) struct Frequent {
    counts: HashMap<u64, u64>,
}

impl Frequent {
    pub(super) fn add(&mut self, hash: u64) {
        if let Some(count) = self.counts.get_mut(&hash) {
            *count += 1;
        } else if self.counts.len() < FOLLOWED {
            self.counts.insert(hash, 1);
        } else {
            self.counts.retain(|_, count| {
                *count -= 1;
                *count > 0
            });
        }
    }

    /// How often the most frequent value was there, at least; at most one in a thousand of all are not counted.
    pub(super) fn most(&self) -> u64 {
        self.counts.values().copied().max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};

    use super::*;

    fn hash(value: u64) -> u64 {
        let mut hasher = DefaultHasher::new();
        value.hash(&mut hasher);
        hasher.finish()
    }

    #[test]
    fn few_values_are_counted_exactly_and_many_within_three_per_cent() {
        let mut distinct = Distinct::default();
        for value in 0..50_000 {
            distinct.add(hash(value));
            distinct.add(hash(value / 2));
        }
        assert_eq!(distinct.count(), (50_000, false));
        for value in 0..1_000_000 {
            distinct.add(hash(value));
        }
        let (count, is_estimate) = distinct.count();
        assert!(is_estimate && count.abs_diff(1_000_000) < 30_000, "{count}");
        assert!(distinct.exact.is_empty(), "memory does not grow with values");
    }

    #[test]
    fn a_frequent_value_is_found_among_many_rare_ones() {
        let mut frequent = Frequent::default();
        for value in 0..100_000 {
            frequent.add(hash(value));
            if value % 50 == 0 {
                frequent.add(7);
            }
        }
        assert!(frequent.counts.len() <= FOLLOWED);
        let most = frequent.most();
        assert!((1_900..=2_000).contains(&most), "{most}");
    }
}
