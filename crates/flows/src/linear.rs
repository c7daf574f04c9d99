//! Cells to be suppressed in any table of sums, so that no cell that must not be seen can be computed from the others.
//!
//! What is known of a population is a list of [atoms](LinearTable): counts of which an outsider knows only that none is
//! below zero. Every figure, a margin or a class or a class of a margin, is a sum of some of them. So cells may overlap
//! in any way: a hypercube with its margins, classes of moves of which some sums are published too, and several tables
//! over the same people are all one table here, and are protected as one.
//!
//! An outsider who knows the published cells can find, by two linear programmes, between which ends a suppressed cell
//! lies: its attack interval ([`audit`]). [`suppress`] chooses which cells go, so that the interval of every unsafe cell (above 0
//! and below the minimum) reaches from 0 to the minimum, and so far up even for who knows that nothing suppressed is 0.
//!
//! # How
//! A *direction* is a change of the atoms that leaves every published cell as it is and no atom below zero. One that takes an
//! unsafe cell to 0, and one that takes it to the minimum, together prove its interval. A direction is found for each
//! as the cheapest change of published cells by a linear programme (Kelly, Golden and Assad 1992; Fischetti and Salazar 2001,
//! section 5), over some atoms near the cell: the rest stays as it is, which can make it dearer but not wrong. The cells it
//! changes go. Afterwards suppressed cells that are not needed are published again, the dearest first, where every direction that
//! uses one can be replaced. At last each direction is evaluated anew against what is to be published.
//!
//! # References
//! Kelly, Golden and Assad 1992, Networks 22, 397–417; Fischetti and Salazar 2001, Management Science 47(7), 1008–1027; Giessing
//! and Repsilber 2002 (hypercube method); Hundepool et al. 2012, Statistical Disclosure Control, chapter 4.

mod audit;
mod direction;
mod model;
mod near;
mod programme;
mod suppress;
mod table;

pub use audit::{AttackInterval, audit};
pub(crate) use suppress::suppress_unless;
pub use suppress::{Suppression, SuppressionError, suppress};
pub use table::{CellKind, LinearCell, LinearTable, LinearTableError};

#[cfg(test)]
mod tests;
