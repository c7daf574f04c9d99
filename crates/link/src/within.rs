use corridor_kernel::Kernel;
use rayon::prelude::*;

use crate::side::LinkSide;

/// How far the records of one side are from each other, those of one person left out.
#[derive(Debug, Clone, PartialEq)]
pub struct Within {
    /// Ordered pairs of records of different persons.
    pub pairs: u64,
    /// Mean Hamming distance of the pairs, in bits; 0 without any.
    pub mean: f64,
    /// Variance of that distance.
    pub variance: f64,
    /// Records with at least one nearer than the limit.
    pub with_one: u64,
    /// Records with at least three.
    pub with_three: u64,
}

/// Sums over pairs, exact so that their order does not matter.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    pairs: u64,
    distances: u64,
    squares: u64,
    with_one: u64,
    with_three: u64,
}

impl Sums {
    const fn add(self, other: Self) -> Self {
        Self {
            pairs: self.pairs + other.pairs,
            distances: self.distances + other.distances,
            squares: self.squares + other.squares,
            with_one: self.with_one + other.with_one,
            with_three: self.with_three + other.with_three,
        }
    }
}

impl Within {
    /// Compares every record of `side` with every other, and counts neighbours at fewer than `limit` bits. Time grows with the
    /// square of its length: it is for samples. Runs on the current rayon pool; the result does not depend on its size.
    #[expect(clippy::cast_precision_loss, reason = "sums over a sample, as a mean")]
    pub fn of(side: &LinkSide<'_>, limit: u32) -> Self {
        let kernel = Kernel::best();
        let packed = side.packed();
        let rows: Vec<usize> = (0..side.len()).collect();
        let sums = rows
            .par_chunks(32)
            .map(|rows| {
                let mut sums = Sums::default();
                let mut distances = Vec::new();
                for &row in rows {
                    kernel.distances(side.row(row), (packed, 0..packed.len()), &mut distances);
                    let person = side.person_of_row(row);
                    let mut near = 0;
                    for (other, &distance) in distances.iter().enumerate() {
                        if side.person_of_row(other) != person {
                            let bits = u64::from(distance);
                            sums.pairs += 1;
                            sums.distances += bits;
                            sums.squares += bits * bits;
                            near += u32::from(distance < limit);
                        }
                    }
                    sums.with_one += u64::from(near >= 1);
                    sums.with_three += u64::from(near >= 3);
                }
                sums
            })
            .reduce(Sums::default, Sums::add);
        let pairs = sums.pairs.max(1) as f64;
        let mean = sums.distances as f64 / pairs;
        Self {
            pairs: sums.pairs,
            mean,
            variance: (sums.squares as f64 / pairs - mean * mean).max(0.0),
            with_one: sums.with_one,
            with_three: sums.with_three,
        }
    }
}

#[cfg(test)]
mod tests {
    use corridor_core::{FilterLen, Filters, Pseudonym};

    use super::*;

    #[test]
    fn pairs_of_one_person_do_not_count_and_a_neighbour_is_strictly_nearer() {
        let mut filters = Filters::with_capacity(FilterLen::try_from(64).unwrap(), 4);
        // Distances: 0–1: 4, 0–2: 4, 1–2: 8, 3 is the first record's person.
        for word in [0, 0x0f, 0xf0, 0] {
            filters.push(&[word]);
        }
        let persons = [1, 2, 3, 1].map(|person| Pseudonym::from_bytes([person; 16]));
        let side = LinkSide::from_parts(&filters, &persons).unwrap();
        let within = Within::of(&side, 5);
        assert_eq!(within.pairs, 10);
        // Eight ordered pairs at 4 and two at 8.
        assert!((within.mean - 4.8).abs() < 1e-12);
        assert!((within.variance - 2.56).abs() < 1e-9);
        assert_eq!((within.with_one, within.with_three), (4, 0));
        assert_eq!(Within::of(&side, 4).with_one, 0);
        assert_eq!(Within::of(&side, 9).with_three, 2);
    }
}
