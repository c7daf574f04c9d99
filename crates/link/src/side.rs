use std::collections::HashMap;
use std::ops::Range;
use std::sync::OnceLock;

use corridor_core::{EncodedDataset, Filters, Measure, Pseudonym, Stop};
use corridor_kernel::{FilterMatrix, PackedMatrix};

use crate::LinkError;
use crate::tile::to_index;

/// One side of a linkage: filters, and which record is of which person.
#[derive(Debug)]
pub struct LinkSide<'a> {
    matrix: FilterMatrix<'a>,
    /// The same filters as the right side of a comparison, made when first needed.
    packed: OnceLock<PackedMatrix>,
    filters: &'a Filters,
    /// Person of each record: persons are numbered by their first record.
    person_of: Vec<u32>,
    /// Records of each person.
    records_of: Vec<u32>,
    stop: Stop,
}

impl<'a> LinkSide<'a> {
    /// A side from a dataset.
    ///
    /// # Errors
    /// When it has no record, or more than a 32-bit index can name.
    pub fn try_new(dataset: &'a EncodedDataset) -> Result<Self, LinkError> {
        Self::from_parts(&dataset.filters, &dataset.persons)
    }

    /// A side from filters and the person of each.
    ///
    /// # Errors
    /// As [`LinkSide::try_new`].
    pub fn from_parts(filters: &'a Filters, persons: &[Pseudonym]) -> Result<Self, LinkError> {
        if filters.is_empty() {
            return Err(LinkError::EmptySide);
        }
        let matrix = FilterMatrix::try_new(filters.as_words(), filters.filter_len().to_words())?;
        let mut numbers: HashMap<Pseudonym, u32> = HashMap::with_capacity(persons.len());
        let person_of: Vec<u32> = persons
            .iter()
            .map(|person| {
                let next = u32::try_from(numbers.len()).expect("no more persons than records");
                *numbers.entry(*person).or_insert(next)
            })
            .collect();
        let mut records_of = vec![0; numbers.len()];
        for &person in &person_of {
            records_of[to_index(person)] += 1;
        }
        Ok(Self {
            matrix,
            packed: OnceLock::new(),
            filters,
            person_of,
            records_of,
            stop: Stop::default(),
        })
    }

    /// The same side, with work that ends when `stop` is set: what looks at many pairs of a left side then gives [`LinkError::Stopped`].
    pub fn stopped_by(self, stop: &Stop) -> Self {
        Self {
            stop: stop.clone(),
            ..self
        }
    }

    pub(crate) const fn stop(&self) -> &Stop {
        &self.stop
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.matrix.len()
    }

    /// Never true: an empty side cannot be made.
    pub fn is_empty(&self) -> bool {
        self.matrix.is_empty()
    }

    /// Number of persons.
    pub const fn person_count(&self) -> usize {
        self.records_of.len()
    }

    /// Records of a person.
    pub(crate) fn record_count_of(&self, person: u32) -> usize {
        to_index(self.records_of[to_index(person)])
    }

    /// Person of record `row`.
    pub fn person_of(&self, row: u32) -> u32 {
        self.person_of[to_index(row)]
    }

    pub(crate) fn person_of_row(&self, row: usize) -> u32 {
        self.person_of[row]
    }

    /// Whether no bit of the record's filter is set, or all are: it says nothing of anybody, and is as like any other such one as can be.
    /// Such records are compared with nobody.
    pub(crate) fn is_constant(&self, row: usize) -> bool {
        is_constant(self.matrix.ones(row), self.filters.filter_len().to_words())
    }

    /// How many records are compared with nobody, since no bit of their filter is set, or all are.
    pub fn constant_count(&self) -> usize {
        (0..self.len()).filter(|&row| self.is_constant(row)).count()
    }

    /// The packed filters with their popcounts.
    pub const fn matrix(&self) -> &FilterMatrix<'a> {
        &self.matrix
    }

    /// The filters as the right side of a comparison. Takes as much memory again.
    pub fn packed(&self) -> &PackedMatrix {
        self.packed.get_or_init(|| self.matrix.to_packed())
    }

    /// Some of the filters as the right side of a comparison.
    pub(crate) fn pack_some(&self, rows: Range<usize>) -> PackedMatrix {
        let words = self.matrix.words_per_filter();
        let filters = &self.filters.as_words()[rows.start * words..rows.end * words];
        FilterMatrix::try_new(filters, words)
            .expect("whole filters of a side")
            .to_packed()
    }

    pub(crate) fn row_of(&self, record: u32) -> &'a [u64] {
        self.row(to_index(record))
    }

    pub(crate) fn row(&self, row: usize) -> &'a [u64] {
        self.filters.row(row)
    }
}

/// Whether so many bits set in a filter of so many words are none or all.
pub const fn is_constant(ones: u32, words: usize) -> bool {
    // Filters have 4,096 bits at most.
    ones == 0 || ones as usize == 64 * words
}

/// The kernel's word for a measure.
pub(crate) const fn to_kernel(measure: Measure) -> corridor_kernel::Measure {
    match measure {
        Measure::Dice => corridor_kernel::Measure::Dice,
        Measure::Rho => corridor_kernel::Measure::Rho,
    }
}

#[cfg(test)]
mod tests {
    use corridor_core::{
        Assignment, BlockColumn, BlockKey, Entropy, FilterLen, SeededEntropy, Stopped, ThresholdPolicy,
    };

    use super::*;
    use crate::blocks::{BlockJoin, Blocks};
    use crate::tile::{Comparison, plan_neighbour_tiles, plan_tiles};
    use crate::{
        BlockingLoss, CandidateForecast, CandidateMemory, Candidates, ComparePlan, PartnerLevel, decide,
    };

    #[test]
    fn whatever_is_done_with_a_stopped_side_ends() {
        let entropy: &mut dyn Entropy = &mut SeededEntropy::new(1, "filters");
        let mut filters = Filters::with_capacity(FilterLen::try_from(128).unwrap(), 0);
        (0..300).for_each(|_| filters.push(&[entropy.next_u64(), entropy.next_u64()]));
        let persons: Vec<Pseudonym> = (0..300_u128)
            .map(|person| Pseudonym::from_bytes(person.to_be_bytes()))
            .collect();
        let columns = [BlockColumn {
            pass: "one".to_owned(),
            keys: vec![Some(BlockKey::new([0; 16], 1)); 300],
        }];
        let blocks = Blocks::of_columns(&columns, &columns, BlockJoin::Plain).unwrap();
        let side = || LinkSide::from_parts(&filters, &persons).unwrap();
        let (left, right, stop) = (side(), side(), Stop::default());
        let stopped = side().stopped_by(&stop);
        let measure = Measure::Dice;
        let of_given = ComparePlan::new(
            &left,
            &right,
            measure,
            ThresholdPolicy::Fixed("0.5".parse().unwrap()),
            None,
            1,
        )
        .unwrap();
        let tables = of_given
            .clone()
            .with_lsh(&left, &right, measure, "0.9".parse().unwrap(), 1)
            .unwrap();
        let tables = tables.lsh().unwrap();

        let assert_ends = |is_asked: bool| {
            let is_stopped =
                |outcome: Result<(), LinkError>| matches!(outcome, Err(LinkError::Stopped(Stopped)));
            for blocks in [None, Some(&blocks)] {
                for policy in [
                    ThresholdPolicy::Estimated,
                    ThresholdPolicy::Fixed("0.5".parse().unwrap()),
                ] {
                    let forecast =
                        CandidateForecast::new(&stopped, &right, measure, (policy, 3.0), blocks, 1);
                    assert_eq!(is_stopped(forecast.map(drop)), is_asked, "{policy:?}");
                }
                let plan = ComparePlan::new(&stopped, &right, measure, ThresholdPolicy::Estimated, blocks, 1);
                assert_eq!(is_stopped(plan.map(drop)), is_asked);
                let floor = of_given.floor();
                let (comparison, tiles) = match blocks {
                    None => (
                        Comparison::new(&stopped, &right, measure, floor),
                        plan_tiles(300, 300),
                    ),
                    Some(blocks) => (
                        Comparison::in_blocks(&stopped, &right, measure, floor, blocks),
                        blocks.plan_tiles(),
                    ),
                };
                let budget = crate::CandidateBudget::unlimited();
                assert_eq!(comparison.compare_within(&tiles[0], &budget).is_none(), is_asked);
                let neighbours = Comparison::of_neighbours(&stopped, &right, measure, floor, tables, None);
                let tile = &plan_neighbour_tiles(None, 300)[0];
                assert_eq!(neighbours.compare_within(tile, &budget).is_none(), is_asked);
            }
            let level = PartnerLevel {
                threshold: of_given.floor(),
                fields: None,
                sure: None,
            };
            let loss = BlockingLoss::measure(&stopped, &right, measure, level, &|_, _| true, 1);
            assert_eq!(loss.is_err(), is_asked);
            for assignment in Assignment::ALL {
                let candidates = Candidates::new(&stopped, &right, &CandidateMemory::unbounded(), 0);
                let decided = decide(&of_given, assignment, candidates);
                assert_eq!(is_stopped(decided.map(drop)), is_asked);
            }
        };
        assert_ends(false);
        stop.set();
        assert_ends(true);
    }
}
