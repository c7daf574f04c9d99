//! Field-level filters: how well two records agree, field by field, and what that says (Fellegi & Sunter 1969).

mod decide;
mod em;
mod model;
mod pattern;
mod report;
mod scored;
#[cfg(test)]
pub(crate) mod tests;

pub use decide::{FieldLinks, FieldTerms, decide_by_fields};
pub use model::FieldModel;
pub use pattern::{FieldParts, LEVELS};
pub use report::{FieldEvidence, FieldReport, LevelReport};
