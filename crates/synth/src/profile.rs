//! What a corridor is made of, as data: who moves, how they are called, and how the two offices write it down.

use corridor_core::Side;

use crate::corridors::PROFILES;
use crate::household::{Household, Person};
use crate::names::ENGLISH;
use crate::office::Office;

/// A corridor as the generator knows it.
///
/// What stands in the literature is cited beside it; the rest is a plausible setting, not a measurement.
#[derive(Debug)]
pub(crate) struct Profile {
    /// Origin and destination, as in `SN-FR`.
    pub(crate) name: &'static str,
    /// Who moves, with shares that add up to 1.
    pub(crate) peoples: &'static [(f64, People)],
    /// Third countries people come from or go on to.
    pub(crate) third_countries: &'static [&'static str],
    /// Towns of birth in the origin, the commonest first.
    pub(crate) towns: &'static [&'static str],
    /// The origin's office; left.
    pub(crate) origin: Office,
    /// The destination's office; right.
    pub(crate) destination: Office,
}

impl Profile {
    /// The profile of a corridor, as in `SN-FR`.
    pub(crate) fn find(corridor: &str) -> Option<&'static Self> {
        PROFILES.iter().find(|profile| profile.name == corridor)
    }

    /// The origin, ISO alpha-2.
    pub(crate) fn origin_code(&self) -> &'static str {
        &self.name[..2]
    }

    /// The destination, ISO alpha-2.
    pub(crate) fn destination_code(&self) -> &'static str {
        &self.name[3..]
    }

    /// The pools of names its people need.
    pub(crate) fn pools(&self) -> Vec<&'static str> {
        let pools = self.peoples.iter().flat_map(|(_, people)| people.pools);
        let mut names: Vec<&str> = pools.map(|(_, pool)| *pool).collect();
        let is_nigerian = |(_, people): &(f64, People)| matches!(people.custom, Custom::Nigerian { .. });
        if self.peoples.iter().any(is_nigerian) {
            names.push(ENGLISH);
        }
        names
    }

    /// The country a person was born in, ISO alpha-2.
    pub(crate) fn birth_country(&self, household: &Household<'_>, person: &Person<'_>) -> &'static str {
        let citizenship = household.people.citizenship;
        if person.born_at_home {
            citizenship
        } else if citizenship == self.origin_code() {
            self.destination_code()
        } else {
            self.origin_code()
        }
    }

    /// The office of a side.
    pub(crate) const fn office(&self, side: Side) -> &Office {
        match side {
            Side::Origin => &self.origin,
            Side::Destination => &self.destination,
        }
    }
}

/// People of one citizenship and their way of naming.
#[derive(Debug)]
pub(crate) struct People {
    /// Citizenship, ISO alpha-2.
    pub(crate) citizenship: &'static str,
    /// Where they live before they move first.
    pub(crate) home: Home,
    /// Where names come from, with shares that add up to 1: one pool, or the traditions of a country.
    pub(crate) pools: &'static [(f64, &'static str)],
    /// How names are put together.
    pub(crate) custom: Custom,
}

/// Where people live before they move first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Home {
    /// In the destination country: its citizens who go to the origin.
    Destination,
    /// In the origin country, as most do.
    Origin,
}

/// How the names of a family are put together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Custom {
    /// Given names and a family name that a woman keeps when she marries and children have from their father.
    FamilyName {
        /// Share of people with a second given name.
        second_given: f64,
    },
    /// Given names and two surnames, the mother's before the father's, with particles (da, dos).
    Lusophone,
    /// A given name of the tradition and often an English one; children have the father's family name, and some
    /// northern people their father's given name in its place.
    Nigerian {
        /// Share of people with an English name besides.
        english: f64,
    },
    /// A given name, then the father's, then the grandfather's. No family name: brothers and sisters share their
    /// last names, spouses share none.
    Patronymic,
    /// Given names and two surnames, the father's before the mother's.
    Spanish,
}
