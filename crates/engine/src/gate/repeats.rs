use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::num::NonZeroU64;

use corridor_core::Pseudonym;

/// What is known of each of the values met, for as many values as memory allows.
///
/// Values stand under their 64-bit hash. Where there are more than `most`, only those are kept whose hash begins with so many
/// zero bits (Gibbons 2001): of a value that is kept everything is known, from its first record on, and which are kept depends on the
/// set of values and not on their order. Shares of values are so estimated without bias, in memory that does not grow.
#[derive(Debug)]
pub(super) struct Kept<V> {
    values: HashMap<u64, V>,
    most: usize,
    zeros: u32,
}

impl<V: Default> Kept<V> {
    /// Room for `most` values, made at once for as many as are expected: a map that grows holds itself twice. It never has more.
    pub(super) fn new(most: usize, expected: u64) -> Self {
        let expected = usize::try_from(expected).unwrap_or(usize::MAX);
        Self {
            values: HashMap::with_capacity(expected.min(most)),
            most,
            zeros: 0,
        }
    }

    /// What is known of the value of that hash; `None` where it is not among those kept.
    pub(super) fn entry(&mut self, hash: u64) -> Option<&mut V> {
        if hash.leading_zeros() < self.zeros {
            return None;
        }
        while !self.values.contains_key(&hash) && self.values.len() >= self.most {
            self.zeros += 1;
            let zeros = self.zeros;
            // Taken out and put back: places of values that are only removed stay in use, and the map would double for want of others.
            let all = self.values.drain();
            let kept: Vec<(u64, V)> = all.filter(|(hash, _)| hash.leading_zeros() >= zeros).collect();
            self.values.extend(kept);
            if hash.leading_zeros() < zeros {
                return None;
            }
        }
        Some(self.values.entry(hash).or_default())
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.values.values()
    }

    /// How many values there are, kept or not: exact where all are kept.
    pub(super) fn estimated_len(&self) -> u64 {
        let kept = u64::try_from(self.values.len()).expect("a length fits");
        kept << self.zeros.min(40)
    }
}

/// How many values a map of so many places, a power of two, takes before it doubles.
pub(super) const fn fill(places: usize) -> usize {
    places / 8 * 7
}

/// 64 bits of a value, by a seed that comes from the digest of the file: nobody can make values that are kept or not, for with the
/// values the seed would be another. Two values of one hash by chance are one pair in 2⁶⁴.
pub(super) fn hash_of(value: &impl Hash, seed: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    seed.hash(&mut hasher);
    value.hash(&mut hasher);
    hasher.finish()
}

/// Whose a filter is. Small, for there are many: one record in 2⁶⁴ has a person whose hash is 0, and counts from 2³² on stand still.
#[derive(Debug, Default)]
struct Owner {
    first: Option<NonZeroU64>,
    records: u32,
    of_others: u32,
}

/// How many different filters a person has, up to [`MANY_FILTERS`], and how many records.
#[derive(Debug, Default)]
struct OwnFilters {
    hashes: [u64; MANY_FILTERS],
    len: usize,
    records: u64,
}

/// So many different filters of one person are more than several entries of one register explain.
pub(super) const MANY_FILTERS: usize = 6;

/// Filters whose owners are known at a time: 26 MB.
const MOST_FILTERS: usize = fill(1 << 20);

/// Persons whose filters are known at a time: 19 MB.
const MOST_PERSONS: usize = fill(1 << 18);

/// Which filters are there twice, and which persons have many.
#[derive(Debug)]
pub(super) struct Repeats {
    seed: u64,
    owners: Kept<Owner>,
    persons: Kept<OwnFilters>,
}

impl Repeats {
    /// Of a file of so many records.
    pub(super) fn new(seed: u64, records: u64) -> Self {
        Self {
            seed,
            owners: Kept::new(MOST_FILTERS, records),
            persons: Kept::new(MOST_PERSONS, records),
        }
    }

    pub(super) fn observe(&mut self, filter: &[u64], person: &Pseudonym) {
        let (filter, person) = (hash_of(&filter, self.seed), hash_of(person, self.seed));
        if let Some(owner) = self.owners.entry(filter) {
            let whose = NonZeroU64::new(person).unwrap_or(NonZeroU64::MIN);
            let first = *owner.first.get_or_insert(whose);
            owner.records = owner.records.saturating_add(1);
            owner.of_others = owner.of_others.saturating_add(u32::from(first != whose));
        }
        if let Some(own) = self.persons.entry(person) {
            own.records += 1;
            if own.len < MANY_FILTERS && !own.hashes[..own.len].contains(&filter) {
                own.hashes[own.len] = filter;
                own.len += 1;
            }
        }
    }

    /// Share of records whose filter an earlier person has, too.
    pub(super) fn duplicate_share(&self) -> f64 {
        let (repeated, records) = self.owners.values().fold((0, 0), |(repeated, records), owner| {
            (
                repeated + u64::from(owner.of_others),
                records + u64::from(owner.records),
            )
        });
        super::share(repeated, records)
    }

    /// Share of records that are of persons with [`MANY_FILTERS`] different filters or more.
    pub(super) fn many_filters_share(&self) -> f64 {
        let (mut of_many, mut records) = (0, 0);
        for own in self.persons.values() {
            of_many += if own.len >= MANY_FILTERS { own.records } else { 0 };
            records += own.records;
        }
        super::share(of_many, records)
    }

    /// Persons, about.
    pub(super) fn persons(&self) -> u64 {
        self.persons.estimated_len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_does_not_depend_on_the_order_and_is_counted_from_the_first() {
        // Three records of each of 5,000 values, in two orders, where 1,000 have room.
        let hash = |value: u64| value.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut forward = Kept::<u64>::new(1000, 5000);
        let mut backward = Kept::<u64>::new(1000, 5000);
        for round in 0..3 {
            for value in 0..5000 {
                if let Some(count) = forward.entry(hash(value)) {
                    *count += 1;
                }
                if let Some(count) = backward.entry(hash(4999 - (value + round) % 5000)) {
                    *count += 1;
                }
            }
        }
        assert_eq!(forward.values, backward.values);
        assert!((500..=1000).contains(&forward.values.len()));
        assert!(forward.values().all(|&count| count == 3));
        let estimated = forward.estimated_len();
        assert!((4500..=5500).contains(&estimated), "{estimated}");
    }

    #[test]
    fn a_map_of_as_many_values_as_fill_its_places_has_not_doubled() {
        for places in [1 << 10, 1 << 17] {
            let mut map = HashMap::new();
            map.extend((0..fill(places)).map(|value| (value, ())));
            assert_eq!(map.capacity(), fill(places));
            map.insert(places, ());
            assert_eq!(map.capacity(), fill(2 * places));
        }
    }

    #[test]
    fn a_full_map_does_not_grow_however_many_values_come() {
        let most = fill(1 << 10);
        let mut kept = Kept::<u64>::new(most, 1 << 20);
        for value in 0..1_u64 << 16 {
            kept.entry(hash_of(&value, 3));
            assert_eq!(kept.values.capacity(), most, "after {value} values");
        }
        assert!(kept.zeros > 4);
    }

    #[test]
    fn a_filter_of_the_same_person_is_no_duplicate() {
        let mut repeats = Repeats::new(7, 4);
        let person = |number: u8| Pseudonym::from_bytes([number; 16]);
        for (filter, number) in [([1_u64], 1), ([1], 1), ([1], 2), ([2], 3)] {
            repeats.observe(&filter, &person(number));
        }
        assert!((repeats.duplicate_share() - 0.25).abs() < 1e-12);
        for filter in 3..9_u64 {
            repeats.observe(&[filter], &person(9));
        }
        assert_eq!(repeats.persons(), 4);
        assert!(
            (repeats.many_filters_share() - 0.6).abs() < 1e-12,
            "six of ten records"
        );
    }
}
