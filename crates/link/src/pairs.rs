use std::cmp::Ordering;

use crate::LinkError;
use crate::null::bin_of;
use crate::side::LinkSide;
use crate::sorter::{CandidateMemory, Order, Shelf, Sorted, Sorter};
use crate::tile::CandidatePair;

/// The best candidate of two persons: the pair of their records most alike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct PersonPair {
    pub(crate) left_person: u32,
    pub(crate) right_person: u32,
    pub(crate) best: CandidatePair,
}

/// Pairs of persons, one of two at most, by similarity descending, then left record, then right record. They may be more than fit in
/// memory, so they are walked, as often as needed.
pub(crate) trait PersonPairs: Sync {
    fn walk(&self) -> Box<dyn Iterator<Item = PersonPair> + '_>;
}

impl PersonPairs for [PersonPair] {
    fn walk(&self) -> Box<dyn Iterator<Item = PersonPair> + '_> {
        Box::new(self.iter().copied())
    }
}

impl PersonPairs for Vec<PersonPair> {
    fn walk(&self) -> Box<dyn Iterator<Item = PersonPair> + '_> {
        self.as_slice().walk()
    }
}

impl<const N: usize> PersonPairs for [PersonPair; N] {
    fn walk(&self) -> Box<dyn Iterator<Item = PersonPair> + '_> {
        self.as_slice().walk()
    }
}

/// The pairs at least this alike.
pub(crate) struct Above<'p> {
    pub(crate) pairs: &'p dyn PersonPairs,
    pub(crate) cut: f64,
}

impl PersonPairs for Above<'_> {
    fn walk(&self) -> Box<dyn Iterator<Item = PersonPair> + '_> {
        let is_above = |pair: &PersonPair| pair.best.similarity >= self.cut;
        Box::new(self.pairs.walk().take_while(is_above))
    }
}

/// The candidate pairs of a run, as they come in, in any order.
#[derive(Debug)]
pub struct Candidates<'a> {
    pairs: PairSorter<'a>,
    /// All of them once more, where fields decide, which score them anew.
    all: Option<Shelf>,
    count: u64,
    pub(crate) memory: CandidateMemory,
}

impl<'a> Candidates<'a> {
    /// None yet, of about `expected`.
    pub fn new(
        left: &'a LinkSide<'a>,
        right: &'a LinkSide<'a>,
        memory: &CandidateMemory,
        expected: u64,
    ) -> Self {
        Self {
            pairs: PairSorter::new((left, right), memory, to_room(expected)),
            all: None,
            count: 0,
            memory: memory.clone(),
        }
    }

    /// The same for [`decide_by_fields`](crate::decide_by_fields), which looks at them twice.
    pub fn for_fields(
        left: &'a LinkSide<'a>,
        right: &'a LinkSide<'a>,
        memory: &CandidateMemory,
        expected: u64,
    ) -> Self {
        // Both are there at the same time.
        let half = memory.part(1, 2);
        Self {
            pairs: PairSorter::new((left, right), &half, to_room(expected)),
            all: Some(Shelf::new(half.clone(), to_room(expected))),
            count: 0,
            memory: half,
        }
    }

    /// Adds some, each of which comes once. Works on this thread alone.
    ///
    /// # Errors
    /// When those that are more than memory is to hold could not be put aside, or the work is stopped.
    ///
    /// # Panics
    /// When a record is not of its side.
    pub fn add(&mut self, pairs: impl IntoIterator<Item = CandidatePair>) -> Result<(), LinkError> {
        for pair in pairs {
            if self.count.is_multiple_of(PAIRS_BETWEEN_LOOKS) {
                self.pairs.sides.0.stop().check()?;
            }
            self.pairs.add(pair)?;
            if let Some(all) = &mut self.all {
                all.add(pair)?;
            }
            self.count += 1;
        }
        Ok(())
    }

    /// How many.
    pub const fn count(&self) -> u64 {
        self.count
    }

    pub(crate) const fn sides(&self) -> (&'a LinkSide<'a>, &'a LinkSide<'a>) {
        self.pairs.sides
    }

    /// Pairs of persons by how alike their whole filters are, and all candidates once more, where they were kept.
    pub(crate) fn into_pairs(self) -> Result<(Pairs<'a>, Option<Shelf>), LinkError> {
        Ok((self.pairs.finish()?, self.all))
    }
}

fn to_room(expected: u64) -> usize {
    usize::try_from(expected).unwrap_or(usize::MAX)
}

/// Candidates on their way to become pairs of persons.
#[derive(Debug)]
pub(crate) struct PairSorter<'a> {
    sides: (&'a LinkSide<'a>, &'a LinkSide<'a>),
    /// Of two people of one record each, who are met once.
    once: Sorter<BySimilarity>,
    /// Of people of whom one has several, who may be met again.
    again: Sorter<ByPersons<'a>>,
}

impl<'a> PairSorter<'a> {
    pub(crate) fn new(
        sides: (&'a LinkSide<'a>, &'a LinkSide<'a>),
        memory: &CandidateMemory,
        expected: usize,
    ) -> Self {
        Self {
            sides,
            once: Sorter::new(BySimilarity, memory.part(3, 4), expected, sides.0.stop()),
            again: Sorter::new(ByPersons(sides), memory.part(1, 4), 0, sides.0.stop()),
        }
    }

    pub(crate) fn add(&mut self, pair: CandidatePair) -> Result<(), LinkError> {
        let (left, right) = self.sides;
        let has_one = |side: &LinkSide<'_>, record: u32| side.record_count_of(side.person_of(record)) == 1;
        if has_one(left, pair.left) && has_one(right, pair.right) {
            self.once.add(pair)
        } else {
            self.again.add(pair)
        }
    }

    pub(crate) fn finish(self) -> Result<Pairs<'a>, LinkError> {
        let Self {
            sides,
            mut once,
            again,
        } = self;
        let again = again.finish()?;
        let mut last = None;
        for (walked, pair) in (0_u64..).zip(again.walk()) {
            if walked.is_multiple_of(PAIRS_BETWEEN_LOOKS) {
                sides.0.stop().check()?;
            }
            let persons = persons_of(sides, &pair);
            // Of the same two the most alike comes first.
            if last.replace(persons) != Some(persons) {
                once.add(pair)?;
            }
        }
        again.check()?;
        drop(again);
        Ok(Pairs {
            sides,
            sorted: once.finish()?,
            least_bin: 0,
        })
    }
}

fn persons_of((left, right): (&LinkSide<'_>, &LinkSide<'_>), pair: &CandidatePair) -> (u32, u32) {
    (left.person_of(pair.left), right.person_of(pair.right))
}

/// Similarity descending, then left record, then right record.
#[derive(Debug)]
struct BySimilarity;

impl Order for BySimilarity {
    fn compare(&self, a: &CandidatePair, b: &CandidatePair) -> Ordering {
        b.similarity
            .total_cmp(&a.similarity)
            .then(a.left.cmp(&b.left))
            .then(a.right.cmp(&b.right))
    }
}

pub(crate) fn by_similarity(a: &PersonPair, b: &PersonPair) -> Ordering {
    BySimilarity.compare(&a.best, &b.best)
}

/// Left person, then right person, then as [`BySimilarity`].
#[derive(Debug)]
struct ByPersons<'a>((&'a LinkSide<'a>, &'a LinkSide<'a>));

impl Order for ByPersons<'_> {
    fn compare(&self, a: &CandidatePair, b: &CandidatePair) -> Ordering {
        persons_of(self.0, a)
            .cmp(&persons_of(self.0, b))
            .then_with(|| BySimilarity.compare(a, b))
    }
}

/// Pairs after which a walk looks whether it is to stop: some milliseconds.
const PAIRS_BETWEEN_LOOKS: u64 = 1 << 16;

/// The pairs of persons of a run.
#[derive(Debug)]
pub(crate) struct Pairs<'a> {
    sides: (&'a LinkSide<'a>, &'a LinkSide<'a>),
    sorted: Sorted<BySimilarity>,
    least_bin: usize,
}

impl Pairs<'_> {
    /// Only those in this bin of similarity or above.
    pub(crate) fn down_to(self, least_bin: usize) -> Self {
        Self { least_bin, ..self }
    }

    /// Whether every walk so far went to its end: what was learnt from one that did not is worth nothing.
    ///
    /// # Errors
    /// When pairs could not be read again, or the work is stopped.
    pub(crate) fn check(&self) -> Result<(), LinkError> {
        self.sides.0.stop().check()?;
        Ok(self.sorted.check()?)
    }
}

impl PersonPairs for Pairs<'_> {
    fn walk(&self) -> Box<dyn Iterator<Item = PersonPair> + '_> {
        let to_pair = |best: CandidatePair| {
            let (left_person, right_person) = persons_of(self.sides, &best);
            PersonPair {
                left_person,
                right_person,
                best,
            }
        };
        let stop = self.sides.0.stop();
        if stop.check().is_err() {
            return Box::new(std::iter::empty());
        }
        let mut walked = 0_u64;
        let is_wanted = move |pair: &CandidatePair| {
            walked += 1;
            let is_stopped = walked.is_multiple_of(PAIRS_BETWEEN_LOOKS) && stop.check().is_err();
            !is_stopped && bin_of(pair.similarity) >= self.least_bin
        };
        Box::new(self.sorted.walk().take_while(is_wanted).map(to_pair))
    }
}
