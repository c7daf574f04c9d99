use corridor_core::{Stop, Stopped};

use super::direction::Direction;
use super::model::{Model, Need};
use super::near::near;
use super::programme::Searcher;
use super::table::{CellKind, LinearTable, index, position};

/// Which cells of a table go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppression {
    suppressed: Vec<bool>,
}

impl Suppression {
    /// For each cell whether it is suppressed: wanted, and not to be published.
    pub fn suppressed(&self) -> &[bool] {
        &self.suppressed
    }

    /// Any choice of cells, safe or not.
    #[cfg(test)]
    pub(super) const fn of(suppressed: Vec<bool>) -> Self {
        Self { suppressed }
    }

    /// What is published of a table: wanted cells that are not suppressed, and those published before.
    pub(super) fn is_seen(&self, kinds: &[CellKind], cell: usize) -> bool {
        match kinds[cell] {
            CellKind::Fixed => true,
            CellKind::Hidden => false,
            CellKind::Wanted => !self.suppressed.get(cell).copied().unwrap_or_default(),
        }
    }
}

/// Why a table cannot be protected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SuppressionError {
    /// What was published before says too much of these cells, whatever else is suppressed.
    #[error("{} cells can be computed too closely from what was published before", cells.len())]
    Narrow {
        /// Their positions, ascending.
        cells: Vec<u32>,
    },
    /// The work is no longer wanted.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Chooses the cells that are not published.
///
/// From the sums of the published cells (the wanted that are not suppressed, and the fixed) nobody can tell of an unsafe cell,
/// suppressed or hidden, that it is not 0; nor that it is below the minimum, even knowing that nothing suppressed is 0, since zeros
/// are published. Fixed cells are not protected.
///
/// The same table gives the same answer. Another order of its cells or atoms can give another, as safe.
///
/// # Errors
/// When cells published before make an unsafe one too narrow.
pub fn suppress(table: &LinearTable, minimum: u64) -> Result<Suppression, SuppressionError> {
    suppress_unless(table, minimum, &Stop::default())
}

/// As [`suppress`], as long as it is wanted: it may take half a minute.
///
/// # Errors
/// As [`suppress`], and when `stop` is set.
pub(crate) fn suppress_unless(
    table: &LinearTable,
    minimum: u64,
    stop: &Stop,
) -> Result<Suppression, SuppressionError> {
    let model = Model::of(table);
    let mut engine = Engine::new(&model, minimum, stop);
    engine.prove_all()?;
    engine.drop_unused();
    engine.publish_again()?;
    engine.checked()
}

/// How many atoms around a cell are tried first: the more, the less goes along, and the longer it takes. In a table of four
/// dimensions and 9,000 cells, 15 % of the cells that are not unsafe went with 256 atoms and 13 % with 400, in nearly
/// twice the time; in one of 1,500 cells 18 % with 256 and 12 % with all 736.
fn near_limit(model: &Model) -> usize {
    (800_000 / model.atoms.len().max(1)).clamp(256, 384)
}

/// Atoms in all programmes that are solved for publishing cells again. What they win is a few in a hundred of the cells
/// that went along, and most of it comes first.
const AGAIN_ATOMS: usize = 30_000;

/// A direction, with the cells it changes.
#[derive(Debug)]
struct Proof {
    direction: Direction,
    changes: Vec<(u32, f64)>,
    /// Whether all cells it changes are unseen.
    holds: bool,
}

#[derive(Debug)]
struct Engine<'a> {
    model: &'a Model,
    minimum: u64,
    needs: Vec<Need>,
    /// Needs of each cell.
    needs_of: Vec<Vec<u32>>,
    /// What a change of each cell costs: 0 when it is not seen, infinite when it must stay.
    prices: Vec<f64>,
    proofs: Vec<Proof>,
    /// Proofs that change each cell.
    proofs_of: Vec<Vec<u32>>,
    /// The proof of each need.
    proven_by: Vec<Option<u32>>,
    searcher: Searcher<'a>,
    sums: Vec<f64>,
    stop: &'a Stop,
}

impl<'a> Engine<'a> {
    fn new(model: &'a Model, minimum: u64, stop: &'a Stop) -> Self {
        let needs = model.needs(minimum);
        let mut needs_of = vec![Vec::new(); model.cells.len()];
        for (number, need) in needs.iter().enumerate() {
            needs_of[index(need.cell)].push(position(number));
        }
        let prices = (0..model.cells.len())
            .map(|cell| match model.kinds[cell] {
                CellKind::Fixed => f64::INFINITY,
                CellKind::Hidden => 0.0,
                CellKind::Wanted if model.is_unsafe(cell, minimum) => 0.0,
                CellKind::Wanted if model.values[cell] == 0 => f64::INFINITY,
                CellKind::Wanted => model.costs[cell],
            })
            .collect();
        Self {
            model,
            minimum,
            needs_of,
            prices,
            proofs: Vec::new(),
            proofs_of: vec![Vec::new(); model.cells.len()],
            proven_by: vec![None; needs.len()],
            needs,
            searcher: Searcher::new(model),
            sums: vec![0.0; model.cells.len()],
            stop,
        }
    }

    /// Finds a proof for every need, and suppresses what it changes. What needs most comes first: its cells help the others.
    fn prove_all(&mut self) -> Result<(), SuppressionError> {
        let mut order: Vec<usize> = (0..self.needs.len()).collect();
        order.sort_by(|&left, &right| {
            let size = |need: usize| self.needs[need].change.abs();
            size(right).total_cmp(&size(left)).then(left.cmp(&right))
        });
        let mut narrow = Vec::new();
        for need in order {
            self.stop.check()?;
            if self.proven_by[need].is_some() {
                continue;
            }
            match self.proof_of(self.needs[need]) {
                Some(proof) => {
                    for &(cell, _) in &proof.changes {
                        self.prices[index(cell)] = 0.0;
                    }
                    self.accept(proof);
                }
                None => narrow.push(self.needs[need].cell),
            }
        }
        if narrow.is_empty() {
            return Ok(());
        }
        narrow.sort_unstable();
        narrow.dedup();
        Err(SuppressionError::Narrow { cells: narrow })
    }

    /// The cheapest proof among atoms near the cell, else among all; else the plainest.
    fn proof_of(&mut self, need: Need) -> Option<Proof> {
        let limit = near_limit(self.model);
        let mut tried = 0;
        for limit in [limit, 4 * limit, usize::MAX] {
            let near = near(self.model, &self.prices, need.cell, limit);
            if near.len() <= tried {
                continue;
            }
            tried = near.len();
            let found = self.searcher.cheapest(&self.prices, &near, need);
            if let Some(proof) = found.and_then(|direction| self.valid(direction, need)) {
                return Some(self.with_fewer_cells(proof, &near, need));
            }
        }
        let plain = self.plain(need)?;
        self.valid(plain, need)
    }

    /// A programme's price is for each count by which a cell changes, and what is lost is a cell, however much it changes. So
    /// cells that a proof changes much get cheaper for a second one, which is taken if less is lost.
    fn with_fewer_cells(&mut self, proof: Proof, near: &[u32], need: Need) -> Proof {
        let before = self.lost(&proof);
        if before == 0.0 {
            return proof;
        }
        let mut prices = self.prices.clone();
        for &(cell, change) in &proof.changes {
            prices[index(cell)] /= 1.0 + change.abs();
        }
        let found = self.searcher.cheapest(&prices, near, need);
        match found.and_then(|direction| self.valid(direction, need)) {
            Some(other) if self.lost(&other) < before => other,
            Some(_) | None => proof,
        }
    }

    /// What is lost with the cells that a proof changes and that were to be seen.
    fn lost(&self, proof: &Proof) -> f64 {
        proof
            .changes
            .iter()
            .map(|(cell, _)| self.prices[index(*cell)])
            .sum()
    }

    /// The direction that changes the atoms of the cell only, which needs no solver: the last resort.
    fn plain(&self, need: Need) -> Option<Direction> {
        let atoms = &self.model.cells[index(need.cell)];
        if need.change < 0.0 {
            return Direction::try_new(
                self.model,
                atoms.iter().map(|&atom| (atom, -self.model.atoms[index(atom)])),
            );
        }
        let is_free = |&&atom: &&u32| {
            let mut cells = self.model.cells_of[index(atom)].iter();
            cells.all(|&cell| self.prices[index(cell)].is_finite())
        };
        let atom = *atoms.iter().find(is_free)?;
        Direction::try_new(self.model, [(atom, need.change)])
    }

    /// A proof, if the direction meets the need and changes no cell that must stay.
    fn valid(&mut self, direction: Direction, need: Need) -> Option<Proof> {
        let changes = direction.changes(self.model, &mut self.sums);
        let change = changes.iter().find(|(cell, _)| *cell == need.cell)?.1;
        let stays = changes
            .iter()
            .all(|(cell, _)| self.prices[index(*cell)].is_finite());
        (stays && direction.meets(need, change)).then_some(Proof {
            direction,
            changes,
            holds: true,
        })
    }

    /// Keeps a proof for every need without one that it meets.
    fn accept(&mut self, proof: Proof) {
        let number = position(self.proofs.len());
        for &(cell, change) in &proof.changes {
            self.proofs_of[index(cell)].push(number);
            for &need in &self.needs_of[index(cell)] {
                let proven_by = &mut self.proven_by[index(need)];
                if proven_by.is_none() && proof.direction.meets(self.needs[index(need)], change) {
                    *proven_by = Some(number);
                }
            }
        }
        self.proofs.push(proof);
    }

    /// Publishes suppressed cells that are not needed, the dearest first.
    fn publish_again(&mut self) -> Result<(), Stopped> {
        let mut secondary: Vec<usize> = (0..self.prices.len())
            .filter(|&cell| self.is_secondary(cell))
            .collect();
        secondary.sort_by(|&left, &right| {
            let cost = |cell: usize| self.model.costs[cell];
            cost(right).total_cmp(&cost(left)).then(left.cmp(&right))
        });
        let mut trials = AGAIN_ATOMS / near_limit(self.model).min(self.model.atoms.len()).max(1);
        for cell in secondary {
            self.stop.check()?;
            if trials == 0 {
                break;
            }
            self.try_publish(cell, &mut trials);
        }
        Ok(())
    }

    /// Publishes what no proof uses.
    fn drop_unused(&mut self) {
        let mut used = vec![false; self.prices.len()];
        for proof in self.proven_by.iter().flatten() {
            for &(cell, _) in &self.proofs[index(*proof)].changes {
                used[index(cell)] = true;
            }
        }
        for (cell, used) in used.into_iter().enumerate() {
            if !used && self.is_secondary(cell) {
                self.prices[cell] = f64::INFINITY;
                for &proof in &self.proofs_of[cell] {
                    self.proofs[index(proof)].holds = false;
                }
            }
        }
    }

    fn is_secondary(&self, cell: usize) -> bool {
        self.prices[cell] == 0.0
            && self.model.kinds[cell] == CellKind::Wanted
            && !self.model.is_unsafe(cell, self.minimum)
    }

    /// Publishes a cell if every need whose proof changes it has, or gets, another proof.
    fn try_publish(&mut self, cell: usize, trials: &mut usize) {
        let gone = self.proofs_of[cell].clone();
        let affected: Vec<usize> = {
            let is_gone = |proof: &Option<u32>| proof.is_some_and(|proof| gone.binary_search(&proof).is_ok());
            (0..self.needs.len())
                .filter(|&need| is_gone(&self.proven_by[need]))
                .collect()
        };
        let before: Vec<Option<u32>> = affected.iter().map(|&need| self.proven_by[need]).collect();
        for &proof in &gone {
            self.proofs[index(proof)].holds = false;
        }
        for &need in &affected {
            self.proven_by[need] = None;
        }
        self.prices[cell] = f64::INFINITY;
        let kept = affected.iter().all(|&need| self.prove_with_unseen(need, trials));
        if kept {
            return;
        }
        self.prices[cell] = 0.0;
        // Proofs made meanwhile hold with this cell unseen, too.
        for &proof in &gone {
            let all_unseen = self.proofs[index(proof)]
                .changes
                .iter()
                .all(|(cell, _)| self.prices[index(*cell)] == 0.0);
            self.proofs[index(proof)].holds = all_unseen;
        }
        for (&need, before) in affected.iter().zip(before) {
            self.proven_by[need] = before;
        }
    }

    /// Proves a need by cells that are not seen anyway.
    fn prove_with_unseen(&mut self, need: usize, trials: &mut usize) -> bool {
        if self.proven_by[need].is_some() {
            return true;
        }
        let target = self.needs[need];
        let meets = |&&proof: &&u32| {
            let proof = &self.proofs[index(proof)];
            let change = proof
                .changes
                .binary_search_by_key(&target.cell, |(cell, _)| *cell);
            proof.holds && change.is_ok_and(|at| proof.direction.meets(target, proof.changes[at].1))
        };
        if let Some(&proof) = self.proofs_of[index(target.cell)].iter().find(meets) {
            self.proven_by[need] = Some(proof);
            return true;
        }
        let Some(left) = trials.checked_sub(1) else {
            return false;
        };
        *trials = left;
        let closed: Vec<f64> = self
            .prices
            .iter()
            .map(|&price| if price > 0.0 { f64::INFINITY } else { 0.0 })
            .collect();
        let near = near(self.model, &self.prices, target.cell, near_limit(self.model));
        let found = self.searcher.cheapest(&closed, &near, target);
        let Some(proof) = found.and_then(|direction| self.valid(direction, target)) else {
            return false;
        };
        if proof
            .changes
            .iter()
            .any(|(cell, _)| self.prices[index(*cell)] > 0.0)
        {
            return false;
        }
        self.accept(proof);
        true
    }

    /// What is suppressed, if every need has a proof: each is evaluated anew, from the cells that are published and
    /// nothing else.
    fn checked(mut self) -> Result<Suppression, SuppressionError> {
        let kinds = &self.model.kinds;
        let suppressed = (0..kinds.len())
            .map(|cell| kinds[cell] == CellKind::Wanted && self.prices[cell] == 0.0)
            .collect();
        let suppression = Suppression { suppressed };
        let mut narrow = Vec::new();
        for (need, proof) in self.needs.iter().zip(&self.proven_by) {
            let direction = proof.map(|proof| &self.proofs[index(proof)].direction);
            let holds = direction.is_some_and(|direction| {
                let changes = direction.changes(self.model, &mut self.sums);
                let mut seen = changes
                    .iter()
                    .filter(|(cell, _)| suppression.is_seen(kinds, index(*cell)));
                let of_target = changes.iter().find(|(cell, _)| *cell == need.cell);
                seen.next().is_none() && of_target.is_some_and(|(_, change)| direction.meets(*need, *change))
            });
            if !holds {
                narrow.push(need.cell);
            }
        }
        narrow.dedup();
        if narrow.is_empty() {
            Ok(suppression)
        } else {
            Err(SuppressionError::Narrow { cells: narrow })
        }
    }
}
