//! Record ids that stand twice, found in bounded memory.

use std::hash::{BuildHasher as _, RandomState};
use std::io;

use zeroize::Zeroizing;

use crate::spool::{Scratch, Spool};

/// Bytes of ids held in memory before they are put aside.
const MOST_HELD_BYTES: usize = 8 << 20;

/// Bytes of an entry: two halves of a digest, and the line, so that entries in order are by digest, then line.
const ENTRY_BYTES: usize = 24;

/// Remembers ids by their digests. The digests are keyed with randomness of their own, so that nobody who finds what was put
/// aside can try ids against it; what is found does not depend on it.
pub(crate) struct RecordIds {
    hashers: [RandomState; 2],
    entries: Spool,
}

/// The second line of an id, and its first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Repeat {
    pub(crate) line: u64,
    pub(crate) first_line: u64,
}

impl Default for RecordIds {
    fn default() -> Self {
        Self::holding(MOST_HELD_BYTES)
    }
}

impl RecordIds {
    fn holding(most_held_bytes: usize) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        for (number, bytes) in key.chunks_exact_mut(8).enumerate() {
            bytes.copy_from_slice(&RandomState::new().hash_one(number).to_le_bytes());
        }
        let scratch = Scratch::with_key(key, std::env::temp_dir()).with_memory(most_held_bytes);
        Self {
            hashers: [RandomState::new(), RandomState::new()],
            entries: scratch.spool(0, 1),
        }
    }

    /// Remembers the id on `line`.
    ///
    /// # Errors
    /// When it cannot be put aside.
    pub(crate) fn add(&mut self, id: &str, line: u64) -> io::Result<()> {
        let mut entry = [0; ENTRY_BYTES];
        for (half, hasher) in entry.chunks_exact_mut(8).zip(&self.hashers) {
            half.copy_from_slice(&hasher.hash_one(id).to_be_bytes());
        }
        entry[16..].copy_from_slice(&line.to_be_bytes());
        self.entries.push(&entry)
    }

    /// The first line of the file whose id was there before, with the first line that has it.
    ///
    /// # Errors
    /// When ids put aside cannot be read back.
    pub(crate) fn find_repeat(self) -> io::Result<Option<Repeat>> {
        let mut earliest: Option<Repeat> = None;
        // Equal digests begin alike, so they are in one bucket.
        self.entries.drain(|entries| -> io::Result<()> {
            for same in entries.chunk_by(|a, b| a[..16] == b[..16]) {
                if let [first, second, ..] = same {
                    let repeat = Repeat {
                        first_line: line_of(first),
                        line: line_of(second),
                    };
                    earliest = Some(earliest.map_or(repeat, |found| found.min(repeat)));
                }
            }
            Ok(())
        })?;
        Ok(earliest)
    }
}

fn line_of(entry: &[u8]) -> u64 {
    u64::from_be_bytes(entry[16..].try_into().expect("eight bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repeat_of(ids: &[&str], most_held_bytes: usize) -> Option<(u64, u64)> {
        let mut record_ids = RecordIds::holding(most_held_bytes);
        for (line, id) in (2..).zip(ids) {
            record_ids.add(id, line).unwrap();
        }
        record_ids
            .find_repeat()
            .unwrap()
            .map(|repeat| (repeat.first_line, repeat.line))
    }

    #[test]
    fn the_earliest_repeat_is_found_whatever_is_held() {
        let ids = ["a", "b", "c", "d", "c", "a", "c", "a"];
        for most_held in [0, 50, 100, 10_000] {
            assert_eq!(repeat_of(&ids, most_held), Some((4, 6)), "{most_held}");
            assert_eq!(repeat_of(&ids[..4], most_held), None);
        }
        assert_eq!(repeat_of(&[], 2), None);
    }

    #[test]
    fn many_ids_are_put_aside_and_none_is_lost() {
        let ids: Vec<String> = (0..5_000).map(|id| id.to_string()).collect();
        let mut ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        assert_eq!(repeat_of(&ids, 2_000), None);
        ids.push("1234");
        assert_eq!(repeat_of(&ids, 2_000), Some((1236, 5002)));
    }
}
