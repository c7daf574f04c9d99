use std::collections::{BTreeSet, VecDeque};

use super::model::{Grid, Model};
use super::table::{index, position};

/// The atoms among which a direction for a cell is looked for: about `limit`, ascending.
///
/// In a hypercube what protects a cell is a box: two places or more in each dimension. So the neighbours are
/// all atoms in some places of each dimension; those places come first where the atom beside the cell's is not seen
/// anyway. Elsewhere they are the atoms that share small cells.
pub(super) fn near(model: &Model, prices: &[f64], cell: u32, limit: usize) -> Vec<u32> {
    if model.atoms.len() <= limit {
        return (0..position(model.atoms.len())).collect();
    }
    match &model.grid {
        Some(grid) => near_in_grid(model, grid, prices, cell, limit),
        None => near_by_cells(model, cell, limit),
    }
}

fn near_in_grid(model: &Model, grid: &Grid, prices: &[f64], cell: u32, limit: usize) -> Vec<u32> {
    let atoms = &model.cells[index(cell)];
    let mut centres: Vec<u32> = atoms
        .iter()
        .copied()
        .filter(|&atom| model.atoms[index(atom)] > 0.0)
        .collect();
    if centres.is_empty() {
        centres.extend(atoms.first());
    }
    // A cell of several atoms goes to 0 only when all of them do, each in a box of its own.
    let each = (limit / centres.len().max(1)).max(LEAST);
    let mut near: BTreeSet<u32> = BTreeSet::new();
    for &centre in &centres {
        near.extend(sub_grid(model, grid, prices, centre, each));
    }
    near.into_iter().collect()
}

/// No fewer atoms than this around each: a box has 64 corners in six dimensions.
const LEAST: usize = 64;

/// The atoms in some places of each dimension, with those of `centre`. Places are added one by one, each time the one where
/// the atoms in the places chosen so far are most worth having.
fn sub_grid(model: &Model, grid: &Grid, prices: &[f64], centre: u32, limit: usize) -> Vec<u32> {
    let centre = &grid.places[index(centre)];
    let mut chosen: Vec<Vec<u64>> = centre.iter().map(|&own| vec![own]).collect();
    let size = |chosen: &[Vec<u64>]| chosen.iter().map(Vec::len).fold(1_usize, usize::saturating_mul);
    // Two places everywhere, then short dimensions whole (their classes may be tied in more ways than by a sum), then
    // all of them in turn.
    let mut order: Vec<usize> = (0..centre.len()).collect();
    order.sort_by_key(|&dimension| grid.sizes[dimension]);
    for (round, &short) in [false, true, false].iter().enumerate() {
        loop {
            let mut grown = false;
            for &dimension in &order {
                let have = chosen[dimension].len();
                let wanted = match round {
                    0 => have < 2,
                    _ => !short || grid.sizes[dimension] <= SHORT,
                };
                if !wanted || (round > 0 && size(&chosen) / have * (have + 1) > limit) {
                    continue;
                }
                let others: Vec<u64> = (0..grid.sizes[dimension])
                    .filter(|place| !chosen[dimension].contains(place))
                    .collect();
                let mut best: Option<(f64, u64)> = None;
                let own = std::mem::take(&mut chosen[dimension]);
                for place in others {
                    chosen[dimension] = vec![place];
                    let mut worth = 0.0;
                    for_each(&chosen, |at| {
                        worth += grid.at(at).map_or(0.0, |atom| worth_of(model, prices, atom))
                    });
                    if best.is_none_or(|(most, _)| worth > most) {
                        best = Some((worth, place));
                    }
                }
                chosen[dimension] = own;
                if let Some((_, place)) = best {
                    chosen[dimension].push(place);
                    grown = true;
                }
            }
            if !grown {
                break;
            }
        }
    }
    let mut atoms = Vec::new();
    for_each(&chosen, |at| atoms.extend(grid.at(at)));
    atoms
}

/// Calls `visit` with every place of a box.
fn for_each(chosen: &[Vec<u64>], mut visit: impl FnMut(&[u64])) {
    let mut counter = vec![0_usize; chosen.len()];
    let mut at: Vec<u64> = chosen.iter().map(|places| places[0]).collect();
    loop {
        visit(&at);
        let Some(up) = (0..counter.len())
            .rev()
            .find(|&dimension| counter[dimension] + 1 < chosen[dimension].len())
        else {
            return;
        };
        counter[up] += 1;
        at[up] = chosen[up][counter[up]];
        for dimension in up + 1..counter.len() {
            counter[dimension] = 0;
            at[dimension] = chosen[dimension][0];
        }
    }
}

/// How much an atom may help: one that is not seen most, the more so the further it can fall; others if they are cheap.
fn worth_of(model: &Model, prices: &[f64], atom: u32) -> f64 {
    let alone = |&&cell: &&u32| model.cells[index(cell)].len() == 1;
    let price: f64 = model.cells_of[index(atom)]
        .iter()
        .filter(alone)
        .map(|&cell| prices[index(cell)])
        .sum();
    if price > 0.0 {
        1.0 / (1.0 + price)
    } else {
        2.0 + model.atoms[index(atom)].min(10.0) * 0.2
    }
}

/// Dimensions of so many places are taken whole.
const SHORT: u64 = 6;

fn near_by_cells(model: &Model, cell: u32, limit: usize) -> Vec<u32> {
    let mut near: BTreeSet<u32> = BTreeSet::new();
    let mut queue: VecDeque<u32> = model.cells[index(cell)].iter().copied().collect();
    near.extend(&queue);
    while let Some(atom) = queue.pop_front() {
        let mut cells = model.cells_of[index(atom)].clone();
        cells.sort_by_key(|&cell| (model.cells[index(cell)].len(), cell));
        for cell in cells {
            for &other in &model.cells[index(cell)] {
                if near.len() >= limit {
                    return near.into_iter().collect();
                }
                if near.insert(other) {
                    queue.push_back(other);
                }
            }
        }
    }
    near.into_iter().collect()
}
