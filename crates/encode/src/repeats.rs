//! Record ids that stand twice, found in bounded memory.

use std::fs::File;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, Read as _, Seek as _, Write as _};

/// Ids held in memory before they are put aside.
const MOST_HELD: usize = 1 << 18;

/// Files the ids are put aside in; each is read back whole, so memory is a small part of them all.
const BUCKETS: usize = 128;

/// Bytes of an entry put aside: two halves of a digest, and the line.
const ENTRY_BYTES: usize = 24;

/// Remembers ids by their digests, in memory while they are few, then in files without a name that are gone with this process.
/// The digests are keyed with randomness of their own, so that nobody who finds such a file can try ids against it.
pub(crate) struct RecordIds {
    hashers: [RandomState; 2],
    held: Vec<Entry>,
    /// By the first bits of the digest; empty until ids are put aside.
    buckets: Vec<File>,
    most_held: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    digest: [u64; 2],
    line: u64,
}

impl Entry {
    fn bucket(&self) -> usize {
        usize::try_from(self.digest[0] % BUCKETS as u64).expect("a small number")
    }
}

/// The second line of an id, and its first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Repeat {
    pub(crate) line: u64,
    pub(crate) first_line: u64,
}

impl Default for RecordIds {
    fn default() -> Self {
        Self::holding(MOST_HELD)
    }
}

impl RecordIds {
    fn holding(most_held: usize) -> Self {
        Self {
            hashers: [RandomState::new(), RandomState::new()],
            held: Vec::new(),
            buckets: Vec::new(),
            most_held,
        }
    }

    /// Remembers the id on `line`.
    ///
    /// # Errors
    /// When it cannot be put aside.
    pub(crate) fn add(&mut self, id: &str, line: u64) -> io::Result<()> {
        let digest = [0, 1].map(|half| self.hashers[half].hash_one(id));
        self.held.push(Entry { digest, line });
        if self.held.len() >= self.most_held {
            self.put_aside()?;
        }
        Ok(())
    }

    fn put_aside(&mut self) -> io::Result<()> {
        if self.buckets.is_empty() {
            self.buckets = (0..BUCKETS)
                .map(|_| tempfile::tempfile())
                .collect::<io::Result<_>>()?;
        }
        self.held.sort_unstable_by_key(Entry::bucket);
        let mut bytes = Vec::new();
        for entries in self.held.chunk_by(|left, right| left.bucket() == right.bucket()) {
            bytes.clear();
            for entry in entries {
                for number in [entry.digest[0], entry.digest[1], entry.line] {
                    bytes.extend_from_slice(&number.to_le_bytes());
                }
            }
            self.buckets[entries[0].bucket()].write_all(&bytes)?;
        }
        self.held.clear();
        Ok(())
    }

    /// The first line of the file whose id was there before, with the first line that has it.
    ///
    /// # Errors
    /// When ids put aside cannot be read back.
    pub(crate) fn find_repeat(mut self) -> io::Result<Option<Repeat>> {
        if self.buckets.is_empty() {
            return Ok(earliest_repeat(&mut self.held));
        }
        self.put_aside()?;
        self.held = Vec::new();
        let mut earliest: Option<Repeat> = None;
        for mut bucket in self.buckets {
            bucket.rewind()?;
            let mut bytes = Vec::new();
            bucket.read_to_end(&mut bytes)?;
            let number = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
            let mut entries: Vec<Entry> = bytes
                .chunks_exact(ENTRY_BYTES)
                .map(|entry| Entry {
                    digest: [number(&entry[..8]), number(&entry[8..16])],
                    line: number(&entry[16..]),
                })
                .collect();
            earliest = earliest.into_iter().chain(earliest_repeat(&mut entries)).min();
        }
        Ok(earliest)
    }
}

fn earliest_repeat(entries: &mut [Entry]) -> Option<Repeat> {
    entries.sort_unstable();
    entries
        .chunk_by(|left, right| left.digest == right.digest)
        .filter_map(|same| {
            Some(Repeat {
                first_line: same[0].line,
                line: same.get(1)?.line,
            })
        })
        .min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repeat_of(ids: &[&str], most_held: usize) -> Option<(u64, u64)> {
        let mut record_ids = RecordIds::holding(most_held);
        for (line, id) in (2..).zip(ids) {
            record_ids.add(id, line).unwrap();
            assert!(record_ids.held.len() <= most_held);
        }
        record_ids
            .find_repeat()
            .unwrap()
            .map(|repeat| (repeat.first_line, repeat.line))
    }

    #[test]
    fn the_earliest_repeat_is_found_whatever_is_held() {
        let ids = ["a", "b", "c", "d", "c", "a", "c", "a"];
        for most_held in [1, 2, 3, 100] {
            assert_eq!(repeat_of(&ids, most_held), Some((4, 6)), "{most_held}");
            assert_eq!(repeat_of(&ids[..4], most_held), None);
        }
        assert_eq!(repeat_of(&[], 2), None);
    }

    #[test]
    fn many_ids_are_put_aside_and_none_is_lost() {
        let ids: Vec<String> = (0..5_000).map(|id| id.to_string()).collect();
        let mut ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        assert_eq!(repeat_of(&ids, 100), None);
        ids.push("1234");
        assert_eq!(repeat_of(&ids, 100), Some((1236, 5002)));
    }
}
