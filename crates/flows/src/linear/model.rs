use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::table::{CellKind, LinearTable, index, position};
use crate::number::real;

/// What of a table can change at all: atoms in a published cell of 0 are 0 for everyone and are left out, and atoms that
/// are in the same cells are one, since no cell tells them apart.
#[derive(Debug)]
pub(super) struct Model {
    /// Values, none of which an outsider knows.
    pub(super) atoms: Vec<f64>,
    /// Atoms of each cell of the table.
    pub(super) cells: Vec<Vec<u32>>,
    /// Cells of each atom.
    pub(super) cells_of: Vec<Vec<u32>>,
    /// What each cell is and how dear.
    pub(super) kinds: Vec<CellKind>,
    pub(super) costs: Vec<f64>,
    pub(super) values: Vec<u64>,
    /// What each cell was when it was published before.
    told: Vec<Option<u64>>,
    guarded: Vec<bool>,
    /// For each cell other cells, of two atoms or more each, that it is the sum of; none where none are found.
    pub(super) parts: Vec<Vec<u32>>,
    pub(super) grid: Option<Grid>,
}

/// Where the atoms lie.
#[derive(Debug)]
pub(super) struct Grid {
    /// How many places each dimension has.
    pub(super) sizes: Vec<u64>,
    /// Atoms × dimensions: a place of each.
    pub(super) places: Vec<Vec<u64>>,
    /// The atom at a place, by its number in mixed radix.
    at: HashMap<u64, u32>,
}

impl Grid {
    /// The atom at a place; `None` where there is none, or only a known 0.
    pub(super) fn at(&self, place: &[u64]) -> Option<u32> {
        self.at.get(&number(&self.sizes, place)?).copied()
    }
}

/// The number of a place in mixed radix; `None` when the grid has more places than numbers.
fn number(sizes: &[u64], place: &[u64]) -> Option<u64> {
    sizes
        .iter()
        .zip(place)
        .try_fold(0_u64, |number, (&size, &place)| {
            number.checked_mul(size)?.checked_add(place)
        })
}

impl Model {
    pub(super) fn of(table: &LinearTable) -> Self {
        let count = table.atoms().len();
        let values: Vec<u64> = table.cells().iter().map(|cell| table.value(cell)).collect();
        let mut known_zero = vec![false; count];
        let mut cells_of = vec![Vec::new(); count];
        for (number, cell) in table.cells().iter().enumerate() {
            let zero = values[number] == 0 && cell.kind != CellKind::Hidden;
            for &atom in &cell.atoms {
                known_zero[index(atom)] |= zero;
                cells_of[index(atom)].push(position(number));
            }
        }
        let mut model = Self {
            atoms: Vec::new(),
            cells: vec![Vec::new(); values.len()],
            cells_of: Vec::new(),
            kinds: table.cells().iter().map(|cell| cell.kind).collect(),
            costs: table
                .cells()
                .iter()
                .zip(&values)
                .map(|(cell, &value)| cell.cost.unwrap_or_else(|| real(value.max(1)).ln_1p()))
                .collect(),
            values,
            told: (0..table.cells().len()).map(|cell| table.told(cell)).collect(),
            guarded: (0..table.cells().len())
                .map(|cell| table.is_guarded(cell))
                .collect(),
            parts: Vec::new(),
            grid: None,
        };
        let mut same: BTreeMap<Vec<u32>, u32> = BTreeMap::new();
        let mut merged = vec![None; count];
        for (atom, cells_of) in cells_of.into_iter().enumerate() {
            if known_zero[atom] || cells_of.is_empty() {
                continue;
            }
            let next = position(model.atoms.len());
            let into = *same.entry(cells_of).or_insert_with_key(|cells_of| {
                model.atoms.push(0.0);
                model.cells_of.push(cells_of.clone());
                for &cell in cells_of {
                    model.cells[index(cell)].push(next);
                }
                next
            });
            model.atoms[index(into)] += real(table.atoms()[atom]);
            merged[atom] = Some(into);
        }
        model.parts = (0..model.cells.len()).map(|cell| model.parts_of(cell)).collect();
        model.grid = model.grid_of(table, &merged);
        model
    }

    /// The largest that fit, from the first atom on.
    fn parts_of(&self, cell: usize) -> Vec<u32> {
        let mut left: BTreeSet<u32> = self.cells[cell].iter().copied().collect();
        let mut parts = Vec::new();
        while let Some(&first) = left.first() {
            let fits = |&&part: &&u32| {
                let atoms = &self.cells[index(part)];
                atoms.len() > 1
                    && atoms.len() < self.cells[cell].len()
                    && atoms.len() <= left.len()
                    && atoms.iter().all(|atom| left.contains(atom))
            };
            let cells = self.cells_of[index(first)].iter().filter(fits);
            let Some(&part) = cells.max_by_key(|&&part| self.cells[index(part)].len()) else {
                return Vec::new();
            };
            for atom in &self.cells[index(part)] {
                left.remove(atom);
            }
            parts.push(part);
        }
        parts
    }

    fn grid_of(&self, table: &LinearTable, merged: &[Option<u32>]) -> Option<Grid> {
        let mut sizes = Vec::new();
        let mut dense = Vec::new();
        for places in table.places() {
            let mut distinct = places.clone();
            distinct.sort_unstable();
            distinct.dedup();
            // One place only is no dimension.
            if distinct.len() < 2 {
                continue;
            }
            let dense_of = |place| u64::try_from(distinct.partition_point(|other| other < place)).ok();
            dense.push(places.iter().map(dense_of).collect::<Option<Vec<u64>>>()?);
            sizes.push(u64::try_from(distinct.len()).ok()?);
        }
        if sizes.is_empty() {
            return None;
        }
        let mut places = vec![Vec::new(); self.atoms.len()];
        let mut at = HashMap::new();
        for (atom, merged) in merged.iter().enumerate() {
            let Some(merged) = *merged else { continue };
            let place: Vec<u64> = dense.iter().map(|places| places[atom]).collect();
            at.insert(number(&sizes, &place)?, merged);
            if places[index(merged)].is_empty() {
                places[index(merged)] = place;
            }
        }
        Some(Grid { sizes, places, at })
    }

    /// What each unsafe cell must be able to do: rise to the minimum and fall to 0; where it is unsafe by what was told of it before,
    /// come to that value and to the minimum away from it; where it is guarded, rise and fall by the minimum. Cells of the same atoms
    /// need it once.
    pub(super) fn needs(&self, minimum: u64) -> Vec<Need> {
        let mut seen: BTreeSet<(&[u32], u64, u64)> = BTreeSet::new();
        let mut needs = Vec::new();
        for (cell, atoms) in self.cells.iter().enumerate() {
            let value = self.values[cell];
            let ends = [
                self.is_small(cell, minimum).then_some((minimum, 0)),
                self.moved_from(cell, minimum).map(|told| {
                    let far = if value > told {
                        told.saturating_add(minimum)
                    } else {
                        told.saturating_sub(minimum)
                    };
                    (far, told)
                }),
                self.is_guarded(cell)
                    .then(|| (value.saturating_add(minimum), value.saturating_sub(minimum))),
            ];
            for (far, near) in ends.into_iter().flatten() {
                if !seen.insert((atoms, far, near)) {
                    continue;
                }
                needs.extend([far, near].map(|end| Need {
                    cell: position(cell),
                    change: real(end) - real(value),
                }));
            }
        }
        needs
    }

    /// Whether a cell must not be seen. What was published before can no longer be hidden.
    pub(super) fn is_unsafe(&self, cell: usize, minimum: u64) -> bool {
        self.is_small(cell, minimum) || self.moved_from(cell, minimum).is_some() || self.is_guarded(cell)
    }

    fn is_guarded(&self, cell: usize) -> bool {
        self.guarded[cell] && self.kinds[cell] != CellKind::Fixed
    }

    fn is_small(&self, cell: usize, minimum: u64) -> bool {
        let value = self.values[cell];
        value > 0 && value < minimum && self.kinds[cell] != CellKind::Fixed
    }

    /// The value told of a cell before, where the two differ by a count that must not be seen.
    fn moved_from(&self, cell: usize, minimum: u64) -> Option<u64> {
        let told = self.told.get(cell).copied().flatten()?;
        let moved = told.abs_diff(self.values[cell]);
        (moved > 0 && moved < minimum && self.kinds[cell] != CellKind::Fixed).then_some(told)
    }
}

/// A change that the atoms must be able to make while the published cells stay: by so much or more, up or down.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Need {
    pub(super) cell: u32,
    pub(super) change: f64,
}

impl Need {
    /// Whether a change is as large as is needed.
    pub(super) fn is_met_by(&self, change: f64) -> bool {
        if self.change > 0.0 {
            change >= self.change - TOLERANCE
        } else {
            change <= self.change + TOLERANCE
        }
    }
}

/// How far a sum may be from what it must be, in counts. Programmes are solved to 1e-7.
pub(super) const TOLERANCE: f64 = 1e-6;
