use std::fmt;

/// Packed filters with their popcounts, borrowed from where they are stored.
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
