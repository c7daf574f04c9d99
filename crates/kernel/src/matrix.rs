use std::fmt;
use std::ops::Range;

/// Filters of one length, record after record, with their popcounts; borrowed from where they are stored.
#[derive(Clone)]
pub struct FilterMatrix<'a> {
    words: &'a [u64],
    words_per_filter: usize,
    ones: Vec<u32>,
}

/// Words that are no whole number of filters, or filters of a length no kernel compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FilterMatrixError {
    /// Filters are 1 to 64 words long.
    #[error("a filter has 1 to 64 words, got {words_per_filter}")]
    FilterLength {
        /// Words asked for.
        words_per_filter: usize,
    },
    /// More records than a 32-bit index can name.
    #[error("at most {} records can be compared at once, got {records}", u32::MAX)]
    TooManyRecords {
        /// Records given.
        records: usize,
    },
    /// A last filter that is cut off.
    #[error("{words} words are no whole number of filters of {words_per_filter} words")]
    UnevenWords {
        /// Words given.
        words: usize,
        /// Words of one filter.
        words_per_filter: usize,
    },
}

impl<'a> FilterMatrix<'a> {
    /// A matrix over `words`, row-major, `words_per_filter` words a row.
    ///
    /// # Errors
    /// When the words are no whole number of filters or the length is out of range.
    pub fn try_new(words: &'a [u64], words_per_filter: usize) -> Result<Self, FilterMatrixError> {
        if !(1..=64).contains(&words_per_filter) {
            return Err(FilterMatrixError::FilterLength { words_per_filter });
        }
        if !words.len().is_multiple_of(words_per_filter) {
            return Err(FilterMatrixError::UnevenWords {
                words: words.len(),
                words_per_filter,
            });
        }
        let records = words.len() / words_per_filter;
        if u32::try_from(records).is_err() {
            return Err(FilterMatrixError::TooManyRecords { records });
        }
        let ones = words
            .chunks_exact(words_per_filter)
            .map(|row| row.iter().map(|word| word.count_ones()).sum())
            .collect();
        Ok(Self {
            words,
            words_per_filter,
            ones,
        })
    }

    /// Number of filters.
    pub fn len(&self) -> usize {
        self.ones.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ones.is_empty()
    }

    /// Words of each filter.
    pub const fn words_per_filter(&self) -> usize {
        self.words_per_filter
    }

    /// Bits set in filter `index`.
    pub fn ones(&self, index: usize) -> u32 {
        self.ones[index]
    }

    /// The words of filter `index`.
    pub fn row(&self, index: usize) -> &'a [u64] {
        &self.words[index * self.words_per_filter..(index + 1) * self.words_per_filter]
    }

    /// The words of some filters.
    pub(crate) fn rows(&self, rows: Range<usize>) -> &'a [u64] {
        &self.words[rows.start * self.words_per_filter..rows.end * self.words_per_filter]
    }

    /// The words of the same filters with their bits in another order: bit `j` of a result is bit `order[j]` of a filter.
    /// Distances and popcounts stay as they are when both sides take the same order.
    ///
    /// # Panics
    /// When `order` does not name as many bits as a filter has, each below that number.
    pub fn to_permuted(&self, order: &[u32]) -> Vec<u64> {
        let bits = self.words_per_filter * 64;
        assert_eq!(order.len(), bits, "a place for each bit");
        let places: Vec<(usize, u32)> = order
            .iter()
            .map(|&bit| {
                let bit = usize::try_from(bit).expect("a bit of a filter");
                assert!(bit < bits, "a bit of a filter");
                (bit / 64, u32::try_from(bit % 64).expect("below 64"))
            })
            .collect();
        let mut permuted = Vec::with_capacity(self.words.len());
        for row in self.words.chunks_exact(self.words_per_filter) {
            permuted.extend(places.chunks_exact(64).map(|places| {
                places
                    .iter()
                    .rev()
                    .fold(0, |word, &(from, shift)| word << 1 | (row[from] >> shift & 1))
            }));
        }
        permuted
    }

    /// The same filters in groups of eight, as the right side of a comparison.
    pub fn to_packed(&self) -> PackedMatrix {
        PackedMatrix::new(self)
    }
}

impl fmt::Debug for FilterMatrix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "FilterMatrix({} × {} words)",
            self.len(),
            self.words_per_filter
        )
    }
}

/// Records of a group: the 64-bit lanes of a 512-bit register.
pub(crate) const LANES: usize = 8;

/// The same word of the eight records of a group.
#[derive(Clone, Copy, Default)]
#[repr(align(64))]
pub(crate) struct Lanes(pub(crate) [u64; LANES]);

/// Filters in groups of eight records, the same word of all eight side by side, so that one instruction works on
/// eight pairs. The last group is filled up with empty filters, which are never reported.
///
/// # Shape
/// `lanes` is groups × words; record `i` is lane `i % 8` of group `i / 8`.
#[derive(Clone)]
pub struct PackedMatrix {
    lanes: Vec<Lanes>,
    words_per_filter: usize,
    len: usize,
    /// Popcount of each record, by group; zero for those that fill up.
    ones: Vec<[u32; LANES]>,
}

impl PackedMatrix {
    fn new(matrix: &FilterMatrix<'_>) -> Self {
        let (words, len) = (matrix.words_per_filter(), matrix.len());
        let groups = len.div_ceil(LANES);
        let mut lanes = vec![Lanes::default(); groups * words];
        for row in 0..len {
            let group = &mut lanes[row / LANES * words..][..words];
            for (lane, &word) in group.iter_mut().zip(matrix.row(row)) {
                lane.0[row % LANES] = word;
            }
        }
        let mut ones = vec![[0; LANES]; groups];
        for (row, &count) in matrix.ones.iter().enumerate() {
            ones[row / LANES][row % LANES] = count;
        }
        Self {
            lanes,
            words_per_filter: words,
            len,
            ones,
        }
    }

    /// Number of filters.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Words of each filter.
    pub const fn words_per_filter(&self) -> usize {
        self.words_per_filter
    }

    /// Bits set in filter `index`.
    pub fn ones(&self, index: usize) -> u32 {
        self.ones[index / LANES][index % LANES]
    }

    /// Bytes the groups take.
    pub const fn to_bytes(&self) -> usize {
        self.lanes.len() * size_of::<Lanes>()
    }

    /// The words of some groups.
    pub(crate) fn groups(&self, groups: Range<usize>) -> &[Lanes] {
        &self.lanes[groups.start * self.words_per_filter..groups.end * self.words_per_filter]
    }

    /// The words of a group.
    pub(crate) fn group(&self, group: usize) -> &[Lanes] {
        &self.lanes[group * self.words_per_filter..][..self.words_per_filter]
    }

    /// Popcounts of the records of a group; zero for those that fill up.
    pub(crate) fn ones_of_group(&self, group: usize) -> [u32; LANES] {
        self.ones[group]
    }
}

impl fmt::Debug for PackedMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PackedMatrix({} × {} words)", self.len, self.words_per_filter)
    }
}
