//! Variables that one of the two lists does not tell: by them its moves and those of the other are not in the same groups.

use corridor_core::{Corridor, Side, Variable};

use crate::classes::Measure;
use crate::published::{FlowRow, PublishedTable};
use crate::terms::UNKNOWN;

/// A variable that a list does not tell, as far as a published table shows it: of more than half of the moves that the origin alone has, and
/// these are more than one in twenty of its list, it is not known; or of more than half of those of the destination. Where these
/// counts are suppressed: every move that a list is shown to have is in none of the variable's categories but "unknown".
///
/// A matched move is where the destination has it, so that by such a variable one list would seem to have hardly a move that the
/// other has not, and an estimate would be hardly more than the longer list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UntoldVariable {
    /// From where to where.
    pub corridor: Corridor,
    /// Whose list.
    pub side: Side,
    /// The variable.
    pub variable: Variable,
}

/// Moves in no group of a variable are too many where they are more than one in so many of a list.
const ONE_IN: u64 = 20;

impl PublishedTable {
    /// The variables of its tables that a list does not tell, by corridor, variable and side. Rows by them have no estimate. Made of published
    /// counts, and so tells nothing that these do not.
    pub fn untold(&self) -> Vec<UntoldVariable> {
        let mut untold = Vec::new();
        for corridor in self.corridors() {
            let rows: Vec<&FlowRow> = self.rows.iter().filter(|row| row.corridor == corridor).collect();
            let Some(total) = rows.iter().find(|row| row.group.0.is_empty()) else {
                continue;
            };
            for variable in Variable::ALL {
                if variable == Variable::Period || !self.terms.statistics.names(variable) {
                    continue;
                }
                let (unknown, known): (Vec<&FlowRow>, Vec<&FlowRow>) = rows
                    .iter()
                    .filter(|row| row.group.is_by(&[variable]))
                    .partition(|row| row.group.get(variable) == Some(UNKNOWN));
                let Some(unknown) = unknown.first() else {
                    continue;
                };
                for side in [Side::Origin, Side::Destination] {
                    if is_untold(side, total, unknown, &known) {
                        untold.push(UntoldVariable {
                            corridor,
                            side,
                            variable,
                        });
                    }
                }
            }
        }
        untold
    }

    /// Takes the estimates of the rows by variables that a list does not tell.
    pub(crate) fn drop_untold(&mut self) {
        let untold = self.untold();
        for row in self.rows.iter_mut().filter(|row| row.is_untold(&untold)) {
            row.estimate = None;
        }
    }
}

impl FlowRow {
    /// Whether it is by one of these variables.
    pub(crate) fn is_untold(&self, untold: &[UntoldVariable]) -> bool {
        untold
            .iter()
            .any(|untold| untold.corridor == self.corridor && self.group.get(untold.variable).is_some())
    }
}

fn is_untold(side: Side, total: &FlowRow, unknown: &FlowRow, known: &[&FlowRow]) -> bool {
    let (measure, list) = match side {
        Side::Origin => (Measure::OnlyOrigin, Measure::Emigrations),
        Side::Destination => (Measure::Immigrations, Measure::Immigrations),
    };
    let moves = |row: &FlowRow| row.counts.get(measure);
    match (moves(unknown), moves(total), total.counts.get(list)) {
        (Some(unknown), Some(all), Some(list)) => {
            unknown.saturating_mul(2) > all && unknown.saturating_mul(ONE_IN) > list
        }
        // Zeros are shown.
        _ => moves(total) != Some(0) && !known.is_empty() && known.iter().all(|row| moves(row) == Some(0)),
    }
}
