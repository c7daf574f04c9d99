use super::secret::PerturbationSecret;

/// Rounds a count to a multiple of 3, without bias: to the nearer with probability 2/3, to the farther with 1/3. A multiple of
/// 3, and so 0, stays.
///
/// `cell` names the cell: its group and measure, in bytes that are the same whenever the cell is published.
pub fn round_to_threes(secret: &PerturbationSecret, cell: &[u8], count: u64) -> u64 {
    // 2^64 is 1 above a multiple of 3: one draw in 2^64 is too many for the farther.
    let nearer = !secret.draw(PURPOSE, cell).is_multiple_of(3);
    // The largest u64 is a multiple of 3, so that there is always one above.
    match (count % 3, nearer) {
        (1, true) | (2, false) => count - count % 3,
        (1, false) => count + 2,
        (2, true) => count + 1,
        _ => count,
    }
}

const PURPOSE: &[u8; 16] = b"corridor round 3";

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> PerturbationSecret {
        PerturbationSecret::new([7; 32])
    }

    #[test]
    fn a_count_goes_to_a_multiple_beside_it_and_a_multiple_stays() {
        for count in (0..50).chain(u64::MAX - 5..=u64::MAX) {
            for cell in 0_u8..50 {
                let rounded = round_to_threes(&secret(), &[cell], count);
                assert!(rounded.is_multiple_of(3), "{count}: {rounded}");
                assert!(rounded.abs_diff(count) <= 2, "{count}: {rounded}");
                assert!(!count.is_multiple_of(3) || rounded == count, "{count}: {rounded}");
            }
        }
    }

    #[test]
    fn the_nearer_multiple_comes_twice_as_often_so_that_nothing_is_added() {
        const CELLS: u32 = 60_000;
        for (count, nearer) in [(1, 0), (2, 3), (10, 9), (11, 12)] {
            let rounded = (0..CELLS).map(|cell| round_to_threes(&secret(), &cell.to_le_bytes(), count));
            let near = u32::try_from(rounded.filter(|&rounded| rounded == nearer).count()).unwrap();
            // Five standard errors of a share of 2/3.
            let share = f64::from(near) / f64::from(CELLS);
            assert!(
                (share - 2.0 / 3.0).abs() < 5.0 * (2.0 / 9.0 / f64::from(CELLS)).sqrt(),
                "{count}: {share}"
            );
        }
    }

    #[test]
    fn the_same_cell_rounds_the_same_and_another_secret_or_cell_does_not() {
        let rounded = |secret: &PerturbationSecret, tag: u8| -> Vec<u64> {
            (0_u8..100)
                .map(|cell| round_to_threes(secret, &[tag, cell], 100))
                .collect()
        };
        let first = rounded(&secret(), 0);
        assert_eq!(first, rounded(&secret(), 0));
        assert_ne!(first, rounded(&secret(), 1));
        assert_ne!(first, rounded(&PerturbationSecret::new([8; 32]), 0));
    }
}
