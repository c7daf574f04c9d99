use std::fmt;

use crate::FilterLen;

/// Filters of one dataset, packed: `len()` records of `filter_len()` bits, record after record.
///
/// # Shape
/// `words` is `len × filter_len.to_words()`, row-major. Bit `j` of a filter is bit `j % 64` (least
/// significant first) of its word `j / 64`; as bytes, a filter is its words in little-endian order, so
/// bit `j` is bit `j % 8` of byte `j / 8`.
#[derive(Clone, PartialEq, Eq)]
pub struct Filters {
    filter_len: FilterLen,
    words: Vec<u64>,
}

impl Filters {
    /// No filters yet, with room for `capacity`.
    pub fn with_capacity(filter_len: FilterLen, capacity: usize) -> Self {
        Self {
            filter_len,
            words: Vec::with_capacity(capacity * filter_len.to_words()),
        }
    }

    /// Appends one filter.
    ///
    /// # Panics
    /// When `filter` has not `filter_len().to_words()` words.
    pub fn push(&mut self, filter: &[u64]) {
        assert_eq!(filter.len(), self.filter_len.to_words(), "words of a filter");
        self.words.extend_from_slice(filter);
    }

    /// Appends one filter given as bytes.
    ///
    /// # Panics
    /// When `filter` has not `filter_len().to_bytes()` bytes.
    pub fn push_bytes(&mut self, filter: &[u8]) {
        assert_eq!(filter.len(), self.filter_len.to_bytes(), "bytes of a filter");
        self.words.extend(
            filter
                .chunks_exact(8)
                .map(|chunk| u64::from_le_bytes(chunk.try_into().expect("chunks of eight bytes"))),
        );
    }

    /// Number of filters.
    pub fn len(&self) -> usize {
        self.words.len() / self.filter_len.to_words()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Bits of each filter.
    pub const fn filter_len(&self) -> FilterLen {
        self.filter_len
    }

    /// The words of filter `index`.
    ///
    /// # Panics
    /// When `index` is not below `len()`.
    pub fn row(&self, index: usize) -> &[u64] {
        let words = self.filter_len.to_words();
        &self.words[index * words..(index + 1) * words]
    }

    /// Filter `index` as bytes.
    ///
    /// # Panics
    /// When `index` is not below `len()`.
    pub fn row_to_bytes(&self, index: usize) -> Vec<u8> {
        self.row(index)
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect()
    }

    /// All words, row-major.
    pub fn as_words(&self) -> &[u64] {
        &self.words
    }
}

/// Says how many there are and how long, never what is in them.
impl fmt::Debug for Filters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Filters({} of {} bits)", self.len(), self.filter_len.to_bits())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_words_name_the_same_bits() {
        let mut filters = Filters::with_capacity(FilterLen::try_from(64).unwrap(), 1);
        filters.push_bytes(&[0b0000_0010, 0, 0, 0, 0, 0, 0, 0x80]);
        assert_eq!(filters.row(0), [1 << 1 | 1 << 63]);
        assert_eq!(filters.row_to_bytes(0), [2, 0, 0, 0, 0, 0, 0, 0x80]);
    }

    #[test]
    fn debug_shows_no_bit() {
        let mut filters = Filters::with_capacity(FilterLen::try_from(64).unwrap(), 1);
        filters.push(&[0xdead_beef]);
        assert_eq!(format!("{filters:?}"), "Filters(1 of 64 bits)");
    }
}
