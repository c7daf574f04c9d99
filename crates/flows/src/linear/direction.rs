use super::model::{Model, Need, TOLERANCE};
use super::table::index;

/// A change of some atoms, none of which it takes below 0.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Direction {
    changes: Vec<(u32, f64)>,
    /// Whether every atom that is at least 1 stays so.
    keeps_filled: bool,
}

impl Direction {
    /// Of a solver's values: what is a hair from a whole number is that number, and what takes an atom a hair below
    /// 0 takes it to 0. `None` where an atom would be below 0 by more.
    pub(super) fn try_new(model: &Model, changes: impl IntoIterator<Item = (u32, f64)>) -> Option<Self> {
        let mut atoms = Vec::new();
        let mut keeps_filled = true;
        for (atom, change) in changes {
            let whole = change.round();
            let change = if (change - whole).abs() <= TOLERANCE {
                whole
            } else {
                change
            };
            let least = -model.atoms[index(atom)];
            if !change.is_finite() || change < least - TOLERANCE {
                return None;
            }
            let value = model.atoms[index(atom)];
            keeps_filled &= value < 1.0 || value + change >= 1.0 - TOLERANCE;
            if change != 0.0 {
                atoms.push((atom, change.max(least)));
            }
        }
        Some(Self {
            changes: atoms,
            keeps_filled,
        })
    }

    /// Whether it proves a need whose cell it changes by so much. Since zeros are published, everybody knows of what is suppressed
    /// that it is not 0: so a cell must be able to rise while all others stay 1 and more.
    pub(super) fn meets(&self, need: Need, change: f64) -> bool {
        need.is_met_by(change) && (need.change <= 0.0 || self.keeps_filled)
    }

    /// The cells it changes, each with by how much. `sums` has a 0 for each cell, and has so afterwards.
    pub(super) fn changes(&self, model: &Model, sums: &mut [f64]) -> Vec<(u32, f64)> {
        let mut touched = Vec::new();
        for &(atom, change) in &self.changes {
            for &cell in &model.cells_of[index(atom)] {
                sums[index(cell)] += change;
                touched.push(cell);
            }
        }
        touched.sort_unstable();
        touched.dedup();
        touched
            .into_iter()
            .map(|cell| (cell, std::mem::take(&mut sums[index(cell)])))
            .filter(|(_, change)| change.abs() > TOLERANCE)
            .collect()
    }
}
