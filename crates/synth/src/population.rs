use corridor_core::Corridor;

use crate::corridors::PROFILES;
use crate::household::{Household, draw_household};
use crate::margins::Margins;
use crate::names::NameBook;
use crate::profile::Profile;
use crate::registers::Registers;

/// The invented movers of a corridor: an endless row of households, each a pure function of the seed and its number.
#[derive(Debug)]
pub struct Population {
    profile: &'static Profile,
    book: NameBook,
    margins: Margins,
    seed: u64,
}

/// A population that cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SynthError {
    /// There is no profile of the corridor.
    #[error("there is no profile of the corridor {corridor}; there are {}", known_corridors().join(", "))]
    CorridorUnknown {
        /// The corridor asked for.
        corridor: String,
    },
    /// More rows than the registers can have, or none.
    #[error("a register has from 1 to {MOST_RECORDS} records, not {records}")]
    RecordsOutOfRange {
        /// The number asked for.
        records: u32,
    },
}

/// Most records of a register. Record ids are numbered in 32 bits, and some room is left for the last household.
pub const MOST_RECORDS: u32 = 1_000_000_000;

/// The corridors there are profiles of, as in `SN-FR`, in alphabetical order.
pub fn known_corridors() -> Vec<&'static str> {
    PROFILES.iter().map(|profile| profile.name).collect()
}

impl Population {
    /// The population of `corridor`; another `seed` gives other people.
    ///
    /// # Errors
    /// When there is no profile of the corridor.
    pub fn try_new(corridor: Corridor, seed: u64) -> Result<Self, SynthError> {
        let name = corridor.to_string();
        let profile = Profile::find(&name).ok_or(SynthError::CorridorUnknown { corridor: name })?;
        Ok(Self {
            profile,
            book: NameBook::load(&profile.pools()),
            margins: Margins::load(profile.name),
            seed,
        })
    }

    /// What the two offices have of it: households move until the longer register has `records` rows (the last
    /// household may bring a few more). `progress` is told how many rows that register has so far.
    ///
    /// # Errors
    /// When `records` is 0 or above [`MOST_RECORDS`].
    pub fn plan(&self, records: u32, progress: &mut dyn FnMut(u64)) -> Result<Registers<'_>, SynthError> {
        if records == 0 || records > MOST_RECORDS {
            return Err(SynthError::RecordsOutOfRange { records });
        }
        Ok(Registers::plan(self, records, progress))
    }

    pub(crate) fn household(&self, index: u32) -> Household<'_> {
        draw_household(self.profile, &self.book, &self.margins, self.seed, index)
    }

    pub(crate) const fn profile(&self) -> &'static Profile {
        self.profile
    }

    pub(crate) const fn seed(&self) -> u64 {
        self.seed
    }
}
