//! Draws without bias.

use corridor_core::Entropy;

/// At most `count` different indices below `len`, in ascending order.
pub(crate) fn sample(len: usize, count: usize, entropy: &mut dyn Entropy) -> Vec<usize> {
    let mut drawn = shuffled(len, entropy);
    drawn.truncate(count);
    drawn.sort_unstable();
    drawn
}

/// All indices below `len`, in random order (Fisher & Yates).
pub(crate) fn shuffled(len: usize, entropy: &mut dyn Entropy) -> Vec<usize> {
    let mut indices: Vec<usize> = (0..len).collect();
    for last in (1..len).rev() {
        indices.swap(last, below(last + 1, entropy));
    }
    indices
}

fn below(bound: usize, entropy: &mut dyn Entropy) -> usize {
    let bound = bound as u64;
    let fair = u64::MAX - u64::MAX % bound;
    loop {
        let draw = entropy.next_u64();
        if draw < fair {
            return (draw % bound) as usize;
        }
    }
}
