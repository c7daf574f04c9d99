//! Which bits more than half of the votes set, counted for 512 bits at a time.

/// Words counted together: as wide as the widest registers, and a loop over them is what compilers vectorise.
pub(crate) const LANES: usize = 8;

type Lane = [u64; LANES];

/// For each bit of `votes` (rows of equal length, a multiple of [`LANES`] words): set in `majority` when more than half of the
/// votes set it, and when just half do and `tie_break` has it.
///
/// Counts stand in vertical counters: plane `p` of a word holds bit `p` of the counts of its 64 bits. Eight votes at a time are
/// added by carry-save adders (Harley & Seal).
pub(crate) fn majority(votes: &[&[u64]], tie_break: &[u64], majority: &mut [u64]) {
    let planes = usize::BITS - votes.len().leading_zeros();
    // The widest registers this processor has: the same code, compiled for each.
    dispatch(
        #[inline(always)]
        || match planes {
            0..=6 => count::<6>(votes, tie_break, majority),
            7..=9 => count::<9>(votes, tie_break, majority),
            _ => count::<24>(votes, tie_break, majority),
        },
    );
}

fn dispatch(work: impl FnOnce()) {
    struct Work<F>(F);
    impl<F: FnOnce()> pulp::WithSimd for Work<F> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: pulp::Simd>(self, _: S) {
            (self.0)();
        }
    }
    pulp::Arch::new().dispatch(Work(work));
}

#[inline(always)]
fn count<const PLANES: usize>(votes: &[&[u64]], tie_break: &[u64], majority: &mut [u64]) {
    let half = votes.len() / 2;
    let even = votes.len().is_multiple_of(2);
    for (block, out) in majority.chunks_exact_mut(LANES).enumerate() {
        let mut planes = [[0; LANES]; PLANES];
        let mut eights = votes.chunks_exact(8);
        for eight in &mut eights {
            let (ones, two_a) = add(planes[0], lane(eight[0], block), lane(eight[1], block));
            let (ones, two_b) = add(ones, lane(eight[2], block), lane(eight[3], block));
            let (ones, two_c) = add(ones, lane(eight[4], block), lane(eight[5], block));
            let (ones, two_d) = add(ones, lane(eight[6], block), lane(eight[7], block));
            let (twos, four_a) = add(planes[1], two_a, two_b);
            let (twos, four_b) = add(twos, two_c, two_d);
            let (fours, carry) = add(planes[2], four_a, four_b);
            (planes[0], planes[1], planes[2]) = (ones, twos, fours);
            carry_into(&mut planes[3..], carry);
        }
        for row in eights.remainder() {
            carry_into(&mut planes, lane(row, block));
        }
        let tie_break = lane(tie_break, block);
        for (word, out) in out.iter_mut().enumerate() {
            // From the highest plane down: which counts are above `half`, and which still equal it.
            let (mut above, mut equal) = (0, !0);
            for (plane, counts) in planes.iter().enumerate().rev() {
                if half >> plane & 1 == 1 {
                    equal &= counts[word];
                } else {
                    above |= equal & counts[word];
                    equal &= !counts[word];
                }
            }
            *out = above | if even { equal & tie_break[word] } else { 0 };
        }
    }
}

#[inline(always)]
fn lane(row: &[u64], block: usize) -> Lane {
    let words = row[block * LANES..].first_chunk();
    *words.expect("rows are as long as the result")
}

/// A full adder on every bit: sum and carry.
#[inline(always)]
fn add(a: Lane, b: Lane, c: Lane) -> (Lane, Lane) {
    let (mut sum, mut carry) = ([0; LANES], [0; LANES]);
    for i in 0..LANES {
        let either = a[i] ^ b[i];
        sum[i] = either ^ c[i];
        carry[i] = a[i] & b[i] | either & c[i];
    }
    (sum, carry)
}

#[inline(always)]
fn carry_into(planes: &mut [Lane], mut carry: Lane) {
    for plane in planes {
        for i in 0..LANES {
            (plane[i], carry[i]) = (plane[i] ^ carry[i], plane[i] & carry[i]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn it_is_what_counting_one_by_one_gives(
            count in prop_oneof![0_usize..70, Just(600)],
            seed in any::<u64>(),
        ) {
            let mut state = seed;
            let mut next = || {
                // SplitMix64 (Steele, Lea & Flood 2014)
                state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                z ^ (z >> 31)
            };
            let rows: Vec<Vec<u64>> = (0..count).map(|_| (0..16).map(|_| next()).collect()).collect();
            let tie_break: Vec<u64> = (0..16).map(|_| next()).collect();
            let votes: Vec<&[u64]> = rows.iter().map(Vec::as_slice).collect();
            let mut result = vec![0; 16];
            majority(&votes, &tie_break, &mut result);
            for bit in 0..1024 {
                let of = |row: &[u64]| row[bit / 64] >> (bit % 64) & 1 == 1;
                let set = rows.iter().filter(|row| of(row)).count();
                let expected = 2 * set > count || 2 * set == count && of(&tie_break);
                prop_assert_eq!(of(&result), expected, "bit {}", bit);
            }
        }
    }
}
