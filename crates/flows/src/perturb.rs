//! Changing counts a little instead of suppressing some: for a table whose every cell must show a number.
//!
//! - [`round_to_threes`]: unbiased random rounding to base 3. A multiple of 3 stays; any other count goes to the nearer multiple with
//!   probability 2/3 and to the farther with 1/3, so that nothing is added on average (Nargundkar and Saveland 1972; Bakker,
//!   Statistics New Zealand, as used in its census).
//! - [`PerturbationTable`] with a [`CellKey`]: every record has a random key, the keys of the records in a cell add up to the cell's key, and
//!   that decides how the cell changes. The same contributors get the same noise in every table (Fraser and Wooton 2005;
//!   Thompson, Broadfoot and Elazar 2013; Enderle, Giessing and Tent 2018).
//!
//! Both depend on a secret and nothing else: the same cell always comes out the same, so that asking again tells nothing.
//! Cells no longer add up: a margin and its parts are changed each on its own.

mod cell_key;
mod noise;
mod rounding;
mod secret;

pub use cell_key::CellKey;
pub use noise::{PerturbationRule, PerturbationRuleError, PerturbationTable, Transition};
pub use rounding::round_to_threes;
pub use secret::PerturbationSecret;
