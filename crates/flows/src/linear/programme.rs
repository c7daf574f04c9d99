use microlp::{ComparisonOp, OptimizationDirection, Problem, SolveOutcome, Variable};

use super::direction::Direction;
use super::model::{Model, Need, TOLERANCE};
use super::table::{index, position};

/// Finds directions by linear programmes; holds what they need to be built.
#[derive(Debug)]
pub(super) struct Searcher<'a> {
    model: &'a Model,
    /// The row of each cell in the programme at hand; [`NONE`] between two.
    rows: Vec<u32>,
}

const NONE: u32 = u32::MAX;

/// The variables of an atom.
#[derive(Debug, Clone, Copy)]
enum Change {
    /// One variable, up or down: it costs nothing.
    Free(Variable),
    /// It stays as it is.
    None,
    /// Up and, unless it is 0, down: both cost.
    Priced(Variable, Option<Variable>),
}

impl Change {
    fn terms(self) -> impl Iterator<Item = (Variable, f64)> {
        let (up, down) = match self {
            Self::Free(variable) => (Some(variable), None),
            Self::None => (None, None),
            Self::Priced(up, down) => (Some(up), down),
        };
        up.map(|up| (up, 1.0))
            .into_iter()
            .chain(down.map(|down| (down, -1.0)))
    }
}

impl<'a> Searcher<'a> {
    pub(super) fn new(model: &'a Model) -> Self {
        Self {
            model,
            rows: vec![NONE; model.cells.len()],
        }
    }

    /// The cheapest direction that meets a need and changes no atoms but those `near`. `prices` says of each cell what a change
    /// by 1 costs: 0 where it is not seen, infinite where it must stay. `None` when there is none or the
    /// solver gave up.
    pub(super) fn cheapest(&mut self, prices: &[f64], near: &[u32], need: Need) -> Option<Direction> {
        let (atom_prices, rows) = self.rows_of(prices, near);
        // A sum of cells that stay stays by itself. It can only change where one of them does, at a price; and that is
        // seldom the cheapest way.
        let implied = |row: &Row| {
            let parts = &self.model.parts[index(row.cell)];
            !parts.is_empty() && parts.iter().all(|&part| prices[index(part)] > 0.0)
        };
        let (mut late, mut rows): (Vec<Row>, Vec<Row>) = rows.into_iter().partition(implied);
        for _ in 0..LATE_ROUNDS {
            let changes = self.solved(near, &atom_prices, &rows, need)?;
            let is_broken = |row: &Row| {
                let sum: f64 = row.atoms.iter().map(|&local| changes[index(local)]).sum();
                sum.abs() > TOLERANCE
            };
            let broken: Vec<Row>;
            (broken, late) = late.into_iter().partition(is_broken);
            if broken.is_empty() {
                return Direction::try_new(self.model, near.iter().copied().zip(changes));
            }
            rows.extend(broken);
        }
        rows.append(&mut late);
        let changes = self.solved(near, &atom_prices, &rows, need)?;
        Direction::try_new(self.model, near.iter().copied().zip(changes))
    }

    /// The cheapest change of each atom near that meets the need, with these rows priced and no others.
    fn solved(&self, near: &[u32], atom_prices: &[f64], rows: &[Row], need: Need) -> Option<Vec<f64>> {
        let mut problem = Problem::new(OptimizationDirection::Minimize);
        let changes: Vec<Change> = near
            .iter()
            .zip(atom_prices)
            .map(|(&atom, &price)| {
                let mut value = self.model.atoms[index(atom)];
                // Of what is suppressed everybody knows that it is not 0.
                if need.change > 0.0 && value >= 1.0 {
                    value -= 1.0;
                }
                if price.is_infinite() {
                    Change::None
                } else if price == 0.0 {
                    Change::Free(problem.add_var(0.0, (-value, f64::INFINITY)))
                } else {
                    let up = problem.add_var(price, (0.0, f64::INFINITY));
                    let down = (value > 0.0).then(|| problem.add_var(price, (0.0, value)));
                    Change::Priced(up, down)
                }
            })
            .collect();
        let sum = |atoms: &[u32]| -> Vec<(Variable, f64)> {
            atoms
                .iter()
                .flat_map(|&local| changes[index(local)].terms())
                .collect()
        };
        for row in rows {
            let mut terms = sum(&row.atoms);
            if row.price.is_finite() {
                let up = problem.add_var(row.price, (0.0, f64::INFINITY));
                let down = problem.add_var(row.price, (0.0, f64::INFINITY));
                terms.extend([(up, -1.0), (down, 1.0)]);
            }
            problem.add_constraint(terms, ComparisonOp::Eq, 0.0);
        }
        let of_target: Vec<u32> = {
            let target = &self.model.cells[index(need.cell)];
            let is_of_target = |&local: &u32| target.binary_search(&near[index(local)]).is_ok();
            (0..position(near.len())).filter(is_of_target).collect()
        };
        let terms = sum(&of_target);
        if terms.is_empty() {
            return None;
        }
        let operator = if need.change > 0.0 {
            ComparisonOp::Ge
        } else {
            ComparisonOp::Le
        };
        problem.add_constraint(terms, operator, need.change);
        let Ok(SolveOutcome::Solution(solution)) = problem.solve() else {
            return None;
        };
        let value = |change: &Change| {
            change
                .terms()
                .map(|(variable, sign)| sign * solution.var_value(variable))
                .sum()
        };
        Some(changes.iter().map(value).collect())
    }

    /// What changing each atom costs by itself, because a cell has no other atom that may change; and the other cells
    /// that cost something.
    fn rows_of(&mut self, prices: &[f64], near: &[u32]) -> (Vec<f64>, Vec<Row>) {
        let mut rows: Vec<Row> = Vec::new();
        for (local, &atom) in near.iter().enumerate() {
            for &cell in &self.model.cells_of[index(atom)] {
                let price = prices[index(cell)];
                if price == 0.0 {
                    continue;
                }
                let row = &mut self.rows[index(cell)];
                if *row == NONE {
                    *row = position(rows.len());
                    rows.push(Row {
                        cell,
                        price,
                        atoms: Vec::new(),
                    });
                }
                rows[index(*row)].atoms.push(position(local));
            }
        }
        for row in &rows {
            self.rows[index(row.cell)] = NONE;
        }
        let mut atom_prices = vec![0.0; near.len()];
        // An atom that must stay can leave another alone in its cell.
        loop {
            let before = rows.len();
            rows.retain_mut(|row| {
                row.atoms
                    .retain(|&local| atom_prices[index(local)] < f64::INFINITY);
                if let [alone] = *row.atoms {
                    atom_prices[index(alone)] += row.price;
                }
                row.atoms.len() > 1
            });
            if rows.len() == before {
                return (atom_prices, rows);
            }
        }
    }
}

/// How often rows that were left out and are broken are put in, before all are.
const LATE_ROUNDS: usize = 4;

/// A published cell of several atoms.
#[derive(Debug)]
struct Row {
    cell: u32,
    price: f64,
    /// Positions among the atoms near.
    atoms: Vec<u32>,
}
