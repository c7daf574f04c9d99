use crate::number::LARGEST_COUNT;

/// What becomes of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CellKind {
    /// Published before: cannot be withdrawn.
    Fixed,
    /// Never published, and to be protected as if it were suppressed.
    Hidden,
    /// To be published if that is safe.
    Wanted,
}

/// A figure: the sum of some atoms.
#[derive(Debug, Clone, PartialEq)]
pub struct LinearCell {
    /// Positions in [`LinearTable::atoms`], ascending, none twice.
    pub atoms: Vec<u32>,
    /// What becomes of it.
    pub kind: CellKind,
    /// How much is lost when it goes along though it is not unsafe itself; `None` for ln(1 + value), with which small
    /// cells go first. Above 0 and finite.
    pub cost: Option<f64>,
}

/// Counts and the sums of them that are published or might be.
#[derive(Debug, Clone, PartialEq)]
pub struct LinearTable {
    atoms: Vec<u64>,
    cells: Vec<LinearCell>,
    /// Dimensions × atoms, or no dimension.
    places: Vec<Vec<u32>>,
    /// By cell, or none: the value the same figure had when it was published before, of nearly the same people.
    told: Vec<Option<u64>>,
    /// By cell, or none: whether nobody may come to know it to within the minimum.
    guarded: Vec<bool>,
}

/// Why a table is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinearTableError {
    /// A cell has no atom, one that is not in the table, one twice, or they are not ascending.
    #[error("the atoms of cell {cell} are none, unknown or not in ascending order")]
    Atoms {
        /// Its position.
        cell: usize,
    },
    /// A cost is not above 0 and finite.
    #[error("the cost of cell {cell} is not above 0 and finite")]
    Cost {
        /// Its position.
        cell: usize,
    },
    /// A dimension does not say where every atom lies.
    #[error("dimension {dimension} has {got} places for {expected} atoms")]
    Places {
        /// Its position.
        dimension: usize,
        /// Atoms in the table.
        expected: usize,
        /// Places.
        got: usize,
    },
    /// Values told before are not one for each cell.
    #[error("there are {got} values told before for {expected} cells")]
    Told {
        /// Cells in the table.
        expected: usize,
        /// Values.
        got: usize,
    },
    /// The atoms together are above 2^53, or there are too many.
    #[error("the counts are too many or too large")]
    TooLarge,
}

impl LinearTable {
    /// A table of these counts.
    ///
    /// # Errors
    /// When a cell is not a sum of atoms or the counts are too large.
    pub fn try_new(atoms: Vec<u64>, cells: Vec<LinearCell>) -> Result<Self, LinearTableError> {
        let too_many = u32::try_from(atoms.len().max(cells.len())).is_err();
        let sum = atoms.iter().try_fold(0_u64, |sum, &atom| sum.checked_add(atom));
        if too_many || sum.is_none_or(|sum| sum > LARGEST_COUNT) {
            return Err(LinearTableError::TooLarge);
        }
        for (position, cell) in cells.iter().enumerate() {
            let known = |&atom: &u32| usize::try_from(atom).is_ok_and(|atom| atom < atoms.len());
            if !cell.atoms.last().is_some_and(known) || !cell.atoms.is_sorted_by(|left, right| left < right) {
                return Err(LinearTableError::Atoms { cell: position });
            }
            if cell.cost.is_some_and(|cost| !(cost > 0.0 && cost.is_finite())) {
                return Err(LinearTableError::Cost { cell: position });
            }
        }
        Ok(Self {
            atoms,
            cells,
            places: Vec::new(),
            told: Vec::new(),
            guarded: Vec::new(),
        })
    }

    /// The same table, with where each atom lies in each dimension of a hypercube (dimensions × atoms; any numbering).
    ///
    /// It only says where to look first for what can protect a cell: it makes large tables faster and better, and cannot
    /// make one unsafe.
    ///
    /// # Errors
    /// When a dimension has more or fewer places than there are atoms.
    pub fn with_places(self, places: Vec<Vec<u32>>) -> Result<Self, LinearTableError> {
        let expected = self.atoms.len();
        for (dimension, places) in places.iter().enumerate() {
            if places.len() != expected {
                return Err(LinearTableError::Places {
                    dimension,
                    expected,
                    got: places.len(),
                });
            }
        }
        Ok(Self { places, ..self })
    }

    /// The same table, with the value that the same figure had when it was published before, of nearly the same people, for
    /// each cell. Where the two differ by few, the new one must not be seen either: it would tell of these few.
    ///
    /// # Errors
    /// When there are more or fewer values than cells.
    pub fn with_told(self, told: Vec<Option<u64>>) -> Result<Self, LinearTableError> {
        if told.len() != self.cells.len() {
            return Err(LinearTableError::Told {
                expected: self.cells.len(),
                got: told.len(),
            });
        }
        Ok(Self { told, ..self })
    }

    /// The same table, with the cells that nobody may come to know to within the minimum, whatever they are: they were left out of what
    /// was published before of nearly the same people, where they may be what hides another.
    ///
    /// # Errors
    /// When there are more or fewer than cells.
    pub fn with_guarded(self, guarded: Vec<bool>) -> Result<Self, LinearTableError> {
        if guarded.len() != self.cells.len() {
            return Err(LinearTableError::Told {
                expected: self.cells.len(),
                got: guarded.len(),
            });
        }
        Ok(Self { guarded, ..self })
    }

    pub(super) fn is_guarded(&self, cell: usize) -> bool {
        self.guarded.get(cell).copied().unwrap_or(false)
    }

    /// The value a cell had before; `None` where it was not published.
    pub(super) fn told(&self, cell: usize) -> Option<u64> {
        self.told.get(cell).copied().flatten()
    }

    /// The counts.
    pub fn atoms(&self) -> &[u64] {
        &self.atoms
    }

    /// The sums.
    pub fn cells(&self) -> &[LinearCell] {
        &self.cells
    }

    /// Dimensions × atoms, or no dimension.
    pub fn places(&self) -> &[Vec<u32>] {
        &self.places
    }

    /// The value of a cell.
    pub fn value(&self, cell: &LinearCell) -> u64 {
        let atom = |&atom: &u32| self.atoms.get(index(atom)).copied().unwrap_or_default();
        cell.atoms.iter().map(atom).sum()
    }
}

/// A position as an index. Positions are at most 2^32, and pointers are no shorter where this runs.
pub(super) fn index(position: u32) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}

/// An index as a position.
pub(super) fn position(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
