use std::collections::HashMap;
use std::sync::OnceLock;

use corridor_core::{EncodedDataset, Filters, Measure, Pseudonym};
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
        })
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
