//! Synthetic registers of a corridor with known truth.
//!
//! A [`Population`] is the movers of one corridor, origin to destination: households with the names their country
//! gives, the ages and sexes of real movers, and moves (out, back, out again, on to third countries). Two offices
//! look at it. Each gets to know of some moves, some of them late; each writes people down in its own letters, spelling,
//! codes and order of dates, with its own slips. [`Registers`] is what stands in their books then: two CSV files, a
//! mapping file for each, and the truth, which no office has.
//!
//! Nobody in it is real: names are drawn piece by piece from public lists (`data/README.md`), and everything else from
//! a seed. For the demonstration, dry runs before an agreement, tests and benchmarks.
//!
//! ```
//! use corridor_core::{Corridor, Destination, Origin, Side};
//! use corridor_synth::Population;
//!
//! let corridor = Corridor::try_new(Origin("SN".parse()?), Destination("FR".parse()?))?;
//! let population = Population::try_new(corridor, 7)?;
//! let registers = population.plan(500, &mut |_| ())?;
//! let mut left = Vec::new();
//! registers.write_register(Side::Origin, &mut left, &mut |_| ())?;
//!
//! let left = String::from_utf8(left)?;
//! assert!(left.starts_with("rec_id,person_key,given_names,surname,date_of_birth,sex,birth_place,"));
//! assert_eq!(left.lines().count(), 1 + registers.record_count(Side::Origin) as usize);
//! assert!(registers.shared_move_count() > 200);
//! assert!(registers.to_mapping(Side::Origin).contains("reporter = \"SN\""));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is true and what is said
//! The truth pairs rows that are the same move, and person keys that are the same person. Paired rows go in opposite
//! directions, but an office may have the move on another day, under another other country, or under a name spelt in
//! another way: that is what linkage is tried on.
//!
//! # Seeds, size and memory
//! A household is a pure function of the seed and its number, and a row is written from its household when its turn
//! in the shuffled file comes. So the same seed gives the same bytes on every machine, and memory is less than 100 bytes
//! a row.
//!
//! # Errors
//! [`SynthError`]: a corridor without a profile, or a size out of range.

mod corridors;
mod countries;
mod draw;
mod entry;
mod household;
mod itinerary;
mod margins;
mod members;
mod names;
mod naming;
mod office;
mod offices;
mod population;
mod profile;
mod registers;
mod spelling;
mod witness;

pub use population::{MOST_RECORDS, Population, SynthError, known_corridors};
pub use registers::Registers;
