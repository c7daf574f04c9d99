//! The assignment problem, exactly.

/// Pairs of rows and columns, each at most once, at least total cost, where a row may also be left unpaired for `unpaired`.
/// `None` is no possible pair; a pair as dear as `unpaired` is not made. By row.
///
/// The Hungarian method (Kuhn 1955, Munkres 1957) in its O(n²m) form with potentials, on the cost matrix widened
/// by one "unpaired" column per row. Costs must be far below 2⁶⁰ when added up.
pub(crate) fn least_cost_assignment(
    rows: usize,
    columns: usize,
    unpaired: i64,
    cost: &dyn Fn(usize, usize) -> Option<i64>,
) -> Vec<(usize, usize)> {
    let at = |i: usize, j: usize| match (j < columns).then(|| cost(i, j)) {
        Some(Some(cost)) => cost,
        // Dearer than leaving the row unpaired.
        Some(None) => unpaired.saturating_mul(2).saturating_add(1).max(unpaired + 1),
        None => unpaired,
    };
    let width = columns + rows;
    let mut row_potential = vec![0_i64; rows + 1];
    let mut column_potential = vec![0_i64; width + 1];
    // Row (from 1) of each column (from 1); column 0 holds the row being placed.
    let mut row_of = vec![0_usize; width + 1];
    for row in 1..=rows {
        row_of[0] = row;
        let mut column = 0;
        let mut least = vec![i64::MAX; width + 1];
        let mut came_from = vec![0_usize; width + 1];
        let mut visited = vec![false; width + 1];
        loop {
            visited[column] = true;
            let current = row_of[column];
            let (mut delta, mut next) = (i64::MAX, 0);
            for candidate in 1..=width {
                if visited[candidate] {
                    continue;
                }
                let reduced =
                    at(current - 1, candidate - 1) - row_potential[current] - column_potential[candidate];
                if reduced < least[candidate] {
                    least[candidate] = reduced;
                    came_from[candidate] = column;
                }
                if least[candidate] < delta {
                    delta = least[candidate];
                    next = candidate;
                }
            }
            for candidate in 0..=width {
                if visited[candidate] {
                    row_potential[row_of[candidate]] += delta;
                    column_potential[candidate] -= delta;
                } else {
                    least[candidate] -= delta;
                }
            }
            column = next;
            if row_of[column] == 0 {
                break;
            }
        }
        while column != 0 {
            let previous = came_from[column];
            row_of[column] = row_of[previous];
            column = previous;
        }
    }
    let mut pairs: Vec<(usize, usize)> = (1..=columns)
        .filter(|&column| row_of[column] > 0)
        .map(|column| (row_of[column] - 1, column - 1))
        .filter(|&(i, j)| cost(i, j).is_some_and(|cost| cost < unpaired))
        .collect();
    pairs.sort_unstable();
    pairs
}
