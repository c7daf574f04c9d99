use corridor_core::SeededEntropy;
use rand_core::Rng as _;

/// Chance by the piece: one stream of draws for one thing, such as a household or an entry in a register.
///
/// Only integers and exact products of them decide, so that every machine draws the same.
#[derive(Debug)]
pub(crate) struct Draw(SeededEntropy);

impl Draw {
    /// The draws of `seed` for `purpose`; those of another purpose are independent.
    pub(crate) fn new(seed: u64, purpose: &str) -> Self {
        Self(SeededEntropy::new(seed, purpose))
    }

    /// True in a share `probability` of draws.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        f64::from(self.0.next_u32()) < probability * TWO_TO_32
    }

    /// A number below `bound`, which is above 0. Uniform up to a share of 2⁻³².
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        let wide = u64::from(self.0.next_u32()) * u64::from(bound);
        u32::try_from(wide >> 32).expect("the product of two 32-bit numbers has 64 bits")
    }

    /// A number from `first` to `last`, both included.
    pub(crate) fn between(&mut self, first: i32, last: i32) -> i32 {
        let width = last.abs_diff(first) + 1;
        first.saturating_add_unsigned(self.below(width))
    }

    /// A position below `len`, which is above 0.
    pub(crate) fn position(&mut self, len: usize) -> usize {
        let bound = u32::try_from(len).expect("fewer than 2³² things");
        usize::try_from(self.below(bound)).expect("below a length")
    }

    /// One of `things`, of which there is at least one.
    pub(crate) fn pick<'a, T>(&mut self, things: &'a [T]) -> &'a T {
        &things[self.position(things.len())]
    }

    /// A position by weight, from running totals, of which the last is above 0.
    pub(crate) fn by_weight(&mut self, running_totals: &[u32]) -> usize {
        let total = running_totals
            .last()
            .copied()
            .expect("at least one thing to draw");
        let drawn = self.below(total);
        running_totals.partition_point(|&up_to| up_to <= drawn)
    }

    /// A position by share; shares below 1 in total leave the rest to the last.
    pub(crate) fn by_share(&mut self, shares: impl ExactSizeIterator<Item = f64>) -> usize {
        let last = shares.len() - 1;
        let drawn = f64::from(self.0.next_u32()) / TWO_TO_32;
        let mut up_to = 0.0;
        for (position, share) in shares.enumerate() {
            up_to += share;
            if drawn < up_to {
                return position;
            }
        }
        last
    }

    /// Puts `things` in a random order (Fisher and Yates).
    pub(crate) fn shuffle<T>(&mut self, things: &mut [T]) {
        for end in (1..things.len()).rev() {
            let chosen = self.position(end + 1);
            things.swap(end, chosen);
        }
    }
}

const TWO_TO_32: f64 = 4_294_967_296.0;

/// Running totals of weights, as [`Draw::by_weight`] takes them.
pub(crate) fn running_totals(weights: impl Iterator<Item = u32>) -> Vec<u32> {
    weights
        .scan(0_u32, |total, weight| {
            *total = total.saturating_add(weight);
            Some(*total)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_repeated_by_seed_and_purpose() {
        let first = |seed, purpose| Draw::new(seed, purpose).below(1_000_000);
        assert_eq!(first(1, "a"), first(1, "a"));
        assert_ne!(first(1, "a"), first(1, "b"));
    }

    #[test]
    fn chances_come_as_often_as_they_say() {
        let mut draw = Draw::new(1, "chance");
        let met = (0..20_000).filter(|_| draw.chance(0.3)).count();
        assert!((5_700..6_300).contains(&met), "{met}");
        assert!(!draw.chance(0.0) && draw.chance(1.0));
    }

    #[test]
    fn weights_are_kept_and_zero_is_never_drawn() {
        let totals = running_totals([1, 0, 3].into_iter());
        let mut draw = Draw::new(1, "weights");
        let mut seen = [0_u32; 3];
        for _ in 0..4_000 {
            seen[draw.by_weight(&totals)] += 1;
        }
        assert_eq!(seen[1], 0);
        assert!((2_850..3_150).contains(&seen[2]), "{seen:?}");
    }

    #[test]
    fn a_shuffle_keeps_everything() {
        let mut things: Vec<u32> = (0..100).collect();
        Draw::new(1, "shuffle").shuffle(&mut things);
        assert_ne!(things[..10], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        things.sort_unstable();
        assert!(things.into_iter().eq(0..100));
    }
}
