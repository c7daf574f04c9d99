//! Every whole table that fits what is published, one by one.

use proptest::prelude::*;

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Tables of two dimensions have whole corners, so that all whole tables say as much as all real ones.
    #[test]
    fn every_whole_table_that_fits_leaves_an_unsafe_cell_open(atoms in prop::collection::vec(0_u64..6, 6)) {
        const SMALL: u64 = 3;
        let (table, _) = hypercube(&[2, 3], &[with_total(2), with_total(3)], atoms, |_| true);
        let suppression = suppress(&table, SMALL).unwrap();
        let seen: Vec<(Vec<usize>, u64)> = table
            .cells()
            .iter()
            .zip(suppression.suppressed())
            .filter(|(_, suppressed)| !**suppressed)
            .map(|(cell, _)| (cell.atoms.iter().map(|&atom| usize::try_from(atom).unwrap()).collect(), table.value(cell)))
            .collect();
        let mut ends = vec![(u64::MAX, 0); table.cells().len()];
        let mut guess = vec![0; table.atoms().len()];
        fill(&mut guess, 0, &seen, &mut |guess| {
            for (cell, (least, most)) in table.cells().iter().zip(&mut ends) {
                let value: u64 = cell.atoms.iter().map(|&atom| guess[usize::try_from(atom).unwrap()]).sum();
                (*least, *most) = (value.min(*least), value.max(*most));
            }
        });
        for (cell, (least, most)) in table.cells().iter().zip(ends) {
            if (1..SMALL).contains(&table.value(cell)) {
                prop_assert!(least == 0 && most >= SMALL, "{cell:?}: {least} to {most} in {table:?}");
            }
        }
    }
}

/// Calls `visit` with every table of counts up to 8 that has these sums.
fn fill(guess: &mut Vec<u64>, at: usize, seen: &[(Vec<usize>, u64)], visit: &mut dyn FnMut(&[u64])) {
    let fits = seen.iter().all(|(atoms, sum)| {
        let so_far: u64 = atoms
            .iter()
            .filter(|&&atom| atom < at)
            .map(|&atom| guess[atom])
            .sum();
        so_far <= *sum && (so_far == *sum || atoms.iter().any(|&atom| atom >= at))
    });
    if !fits {
        return;
    }
    if at == guess.len() {
        visit(guess);
        return;
    }
    for count in 0..=8 {
        guess[at] = count;
        fill(guess, at + 1, seen, visit);
    }
}
