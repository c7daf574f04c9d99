use microlp::{ComparisonOp, OptimizationDirection, Problem, SolveOutcome, Variable};

use super::suppress::Suppression;
use super::table::{CellKind, LinearTable, index, position};
use crate::number::real;

/// Between which ends an outsider knows a cell to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AttackInterval {
    /// The cell's position.
    pub cell: u32,
    /// The least it can be.
    pub lower: f64,
    /// The most it can be; infinite when nothing bounds it.
    pub upper: f64,
}

/// The attack interval of every cell that is suppressed or hidden, by linear programmes over everything the published cells say.
///
/// It knows nothing of how the cells were chosen. Exact to a millionth or so; where a programme cannot be solved, the end is
/// the value itself, which no one can hold to be wide enough.
pub fn audit(table: &LinearTable, suppression: &Suppression) -> Vec<AttackInterval> {
    let kinds: Vec<CellKind> = table.cells().iter().map(|cell| cell.kind).collect();
    let is_seen = |cell: usize| suppression.is_seen(&kinds, cell);
    let known = known_atoms(table, &is_seen);
    let parts = Parts::of(table, &is_seen, &known);
    let mut intervals = Vec::new();
    for (number, cell) in table.cells().iter().enumerate() {
        if is_seen(number) {
            continue;
        }
        let mut of_parts = vec![Vec::new(); parts.members.len()];
        let mut interval = AttackInterval {
            cell: position(number),
            lower: 0.0,
            upper: 0.0,
        };
        for &atom in &cell.atoms {
            match parts.part_of[index(atom)] {
                Some(part) => of_parts[part].push(atom),
                None => {
                    interval.lower += real(table.atoms()[index(atom)]);
                    interval.upper += real(table.atoms()[index(atom)]);
                }
            }
        }
        for (part, atoms) in of_parts.iter().enumerate().filter(|(_, atoms)| !atoms.is_empty()) {
            interval.lower += parts.end(table, part, atoms, OptimizationDirection::Minimize);
            interval.upper += parts.end(table, part, atoms, OptimizationDirection::Maximize);
        }
        intervals.push(interval);
    }
    intervals
}

/// Which atoms anyone can compute one by one: all of a published 0, and what is left when the others of a published
/// cell are known.
fn known_atoms(table: &LinearTable, is_seen: &dyn Fn(usize) -> bool) -> Vec<bool> {
    let mut known = vec![false; table.atoms().len()];
    let seen: Vec<_> = table
        .cells()
        .iter()
        .enumerate()
        .filter(|(cell, _)| is_seen(*cell))
        .collect();
    loop {
        let mut more = false;
        for (_, cell) in &seen {
            let open: Vec<u32> = cell
                .atoms
                .iter()
                .copied()
                .filter(|&atom| !known[index(atom)])
                .collect();
            let left: u64 = open.iter().map(|&atom| table.atoms()[index(atom)]).sum();
            if open.len() == 1 || left == 0 {
                for atom in open {
                    known[index(atom)] = true;
                    more = true;
                }
            }
        }
        if !more {
            return known;
        }
    }
}

/// The unknown atoms, apart where no published cell ties them.
#[derive(Debug)]
struct Parts {
    /// `None` for an atom that is known.
    part_of: Vec<Option<usize>>,
    members: Vec<Vec<u32>>,
    /// The published cells of each part: their unknown atoms, and what these add up to.
    sums: Vec<Vec<(Vec<u32>, u64)>>,
}

impl Parts {
    fn of(table: &LinearTable, is_seen: &dyn Fn(usize) -> bool, known: &[bool]) -> Self {
        let mut leader: Vec<usize> = (0..known.len()).collect();
        fn find(leader: &mut [usize], mut atom: usize) -> usize {
            while leader[atom] != atom {
                leader[atom] = leader[leader[atom]];
                atom = leader[atom];
            }
            atom
        }
        let mut rows = Vec::new();
        for (_, cell) in table
            .cells()
            .iter()
            .enumerate()
            .filter(|(cell, _)| is_seen(*cell))
        {
            let open: Vec<u32> = cell
                .atoms
                .iter()
                .copied()
                .filter(|&atom| !known[index(atom)])
                .collect();
            let Some(&first) = open.first() else { continue };
            for &atom in &open {
                let (left, right) = (find(&mut leader, index(first)), find(&mut leader, index(atom)));
                leader[left.max(right)] = left.min(right);
            }
            let sum = open.iter().map(|&atom| table.atoms()[index(atom)]).sum();
            rows.push((open, sum));
        }
        let mut parts = Self {
            part_of: vec![None; known.len()],
            members: Vec::new(),
            sums: Vec::new(),
        };
        let mut number_of = vec![None; known.len()];
        for atom in (0..known.len()).filter(|&atom| !known[atom]) {
            let part = *number_of[find(&mut leader, atom)].get_or_insert_with(|| {
                parts.members.push(Vec::new());
                parts.sums.push(Vec::new());
                parts.members.len() - 1
            });
            parts.part_of[atom] = Some(part);
            parts.members[part].push(position(atom));
        }
        for (open, sum) in rows {
            if let Some(part) = open.first().and_then(|&atom| parts.part_of[index(atom)]) {
                parts.sums[part].push((open, sum));
            }
        }
        parts
    }

    /// The least or the most that atoms of a part can add up to.
    fn end(&self, table: &LinearTable, part: usize, atoms: &[u32], direction: OptimizationDirection) -> f64 {
        let mut problem = Problem::new(direction);
        let members = &self.members[part];
        let variables: Vec<Variable> = members
            .iter()
            .map(|atom| {
                let of_cell = atoms.binary_search(atom).is_ok();
                problem.add_var(f64::from(u8::from(of_cell)), (0.0, f64::INFINITY))
            })
            .collect();
        for (open, sum) in &self.sums[part] {
            let terms: Vec<(Variable, f64)> = open
                .iter()
                .filter_map(|atom| members.binary_search(atom).ok())
                .map(|local| (variables[local], 1.0))
                .collect();
            problem.add_constraint(terms, ComparisonOp::Eq, real(*sum));
        }
        let value = || atoms.iter().map(|&atom| real(table.atoms()[index(atom)])).sum();
        match problem.solve() {
            Ok(SolveOutcome::Solution(solution)) => solution.objective(),
            Err(microlp::Error::Unbounded) => f64::INFINITY,
            Ok(SolveOutcome::Interrupted(_)) | Err(_) => value(),
        }
    }
}
