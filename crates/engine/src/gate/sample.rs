use std::collections::BTreeSet;

use corridor_core::{EncodedDataset, FilterLen, Filters, Measure, Pseudonym, SeededEntropy, Threshold, fill};
use corridor_link::{Comparison, LinkSide, Within, plan_tiles};
use rayon::prelude::*;

/// Records compared with each other: as many as the files on which the expected exposure was measured, so that it can be set
/// against it whatever the size of the file.
const SAMPLED: u64 = 4096;

/// Records compared with the whole file.
const PROBES: u64 = 512;

/// Rows compared with the probes at a time: bounds what is found at once where all are alike.
const ROWS_AT_A_TIME: usize = 2048;

/// So many draws of positions, each once, drawn from `seed`, in order.
fn draw(count: u64, of: u64, seed: u64, purpose: &str) -> BTreeSet<u64> {
    if of <= count {
        return (0..of).collect();
    }
    let mut entropy = SeededEntropy::new(seed, purpose);
    let mut drawn = BTreeSet::new();
    while drawn.len() < usize::try_from(count).expect("a few thousand") {
        let mut bytes = [0; 8];
        fill(&mut entropy, &mut bytes);
        // The bias of this is below 2⁻³⁰ for every file there is.
        drawn.insert(u64::from_le_bytes(bytes) % of);
    }
    drawn
}

/// Records drawn from a file that comes in pieces, compared with each other and with what comes after them.
///
/// A pair of near filters counts at the one that comes first, so that the file is read once; of a group of filters that
/// are all near each other, all but the last have one that comes later, in whatever order they are.
#[derive(Debug)]
pub(super) struct Sample {
    positions: BTreeSet<u64>,
    probed: BTreeSet<u64>,
    filters: Filters,
    persons: Vec<Pseudonym>,
    probes: Vec<Probe>,
    measure: Measure,
    near: Threshold,
}

#[derive(Debug)]
struct Probe {
    position: u64,
    filter: Vec<u64>,
    person: Pseudonym,
    is_near_another: bool,
}

impl Sample {
    /// Of a file of `records`, drawn from `seed`; `near` is the similarity from which on two filters are nearly equal.
    pub(super) fn new(len: FilterLen, records: u64, seed: u64, measure: Measure, near: Threshold) -> Self {
        Self {
            positions: draw(SAMPLED, records, seed, "gate sample"),
            probed: draw(PROBES, records, seed, "gate probes"),
            filters: Filters::with_capacity(len, 0),
            persons: Vec::new(),
            probes: Vec::new(),
            measure,
            near,
        }
    }

    /// Takes the records from `start` on.
    pub(super) fn observe(&mut self, dataset: &EncodedDataset, start: u64) {
        let to_row = |position: u64| usize::try_from(position - start).expect("within the piece");
        let end = start + u64::try_from(dataset.filters.len()).expect("a length fits");
        for &position in self.positions.range(start..end) {
            self.filters.push(dataset.filters.row(to_row(position)));
            self.persons.push(dataset.persons[to_row(position)]);
        }
        for &position in self.probed.range(start..end) {
            self.probes.push(Probe {
                position,
                filter: dataset.filters.row(to_row(position)).to_vec(),
                person: dataset.persons[to_row(position)],
                is_near_another: false,
            });
        }
        let starts: Vec<usize> = (0..dataset.filters.len()).step_by(ROWS_AT_A_TIME).collect();
        // Some pieces at a time, so that probes that are settled are not looked at again.
        for starts in starts.chunks(4 * rayon::current_num_threads()) {
            let waiting: Vec<usize> = (0..self.probes.len())
                .filter(|&probe| !self.probes[probe].is_near_another)
                .collect();
            let found: Vec<usize> = starts
                .par_iter()
                .flat_map_iter(|&row| self.settle(&waiting, dataset, row, start))
                .collect();
            for probe in found {
                self.probes[probe].is_near_another = true;
            }
        }
    }

    /// Which of the `waiting` probes are near a later record of another person, among some rows.
    fn settle(
        &self,
        waiting: &[usize],
        dataset: &EncodedDataset,
        first_row: usize,
        start: u64,
    ) -> Vec<usize> {
        let rows = first_row..(first_row + ROWS_AT_A_TIME).min(dataset.filters.len());
        let to_position = |row: usize| start + u64::try_from(first_row + row).expect("a row of a file");
        let last = to_position(rows.len() - 1);
        let waiting: Vec<usize> = waiting
            .iter()
            .copied()
            .filter(|&probe| self.probes[probe].position < last)
            .collect();
        let mut left = Filters::with_capacity(self.filters.filter_len(), waiting.len());
        let mut left_persons = Vec::with_capacity(waiting.len());
        for &probe in &waiting {
            left.push(&self.probes[probe].filter);
            left_persons.push(self.probes[probe].person);
        }
        let mut right = Filters::with_capacity(self.filters.filter_len(), rows.len());
        rows.clone().for_each(|row| right.push(dataset.filters.row(row)));
        let right_persons = &dataset.persons[rows];
        let (Ok(left), Ok(right)) = (
            LinkSide::from_parts(&left, &left_persons),
            LinkSide::from_parts(&right, right_persons),
        ) else {
            return Vec::new();
        };
        let comparison = Comparison::new(&left, &right, self.measure, self.near);
        let mut found: Vec<usize> = plan_tiles(left.len(), right.len())
            .iter()
            .flat_map(|tile| comparison.compare(tile))
            .filter_map(|pair| {
                let index = |record: u32| usize::try_from(record).expect("an index");
                let (row, probe) = (index(pair.right), waiting[index(pair.left)]);
                let is_later = to_position(row) > self.probes[probe].position;
                let is_another = right_persons[row] != self.probes[probe].person;
                (is_later && is_another).then_some(probe)
            })
            .collect();
        found.dedup();
        found
    }

    /// Share of the probes that are near a later record of another person.
    pub(super) fn near_share(&self) -> f64 {
        let near = self.probes.iter().filter(|probe| probe.is_near_another).count();
        let count = |len: usize| u64::try_from(len).expect("a length fits");
        super::share(count(near), count(self.probes.len()))
    }

    /// How far the sampled records are from each other; `None` where there are not two.
    pub(super) fn within(&self, limit: u32) -> Option<Within> {
        let side = LinkSide::from_parts(&self.filters, &self.persons).ok()?;
        Some(Within::of(&side, limit)).filter(|within| within.pairs > 0)
    }

    pub(super) fn len(&self) -> u64 {
        u64::try_from(self.persons.len()).expect("a length fits")
    }
}
