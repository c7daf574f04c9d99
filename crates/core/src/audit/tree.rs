use std::cmp::Ordering;

use sha2::{Digest as _, Sha256};

use crate::Digest;

/// Hash of a leaf: SHA-256 of a zero byte and the entry's bytes (RFC 9162, 2.1.1).
pub fn leaf_hash(entry: &[u8]) -> Digest {
    hash(&[&[0], entry])
}

fn node_hash(left: &Digest, right: &Digest) -> Digest {
    hash(&[&[1], left.as_bytes(), right.as_bytes()])
}

fn hash(parts: &[&[u8]]) -> Digest {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    Digest::from_bytes(hasher.finalize().into())
}

/// The Merkle tree over the leaves of a log, which only grows (RFC 9162, 2.1). Keeps the hash of every full subtree, 64 bytes a
/// leaf, so that a root or a proof costs a few hashes at any size.
#[derive(Debug, Clone, Default)]
pub struct LogTree {
    /// By height: `levels[h][i]` is the root over the leaves from `i · 2^h` to `(i + 1) · 2^h`.
    levels: Vec<Vec<Digest>>,
}

/// A proof that was asked for or given for a tree in which it cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// It does not lead to the root.
    #[error("the proof does not lead to the root that was signed")]
    Mismatch,
    /// There is no such leaf, or no such earlier tree.
    #[error("there is no entry or earlier log of that size in a log of {size} entries")]
    OutOfRange {
        /// Leaves of the tree.
        size: u64,
    },
}

impl LogTree {
    /// Number of leaves.
    pub fn len(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| to_u64(leaves.len()))
    }

    /// Whether there is no leaf.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a leaf at the end.
    pub fn push(&mut self, leaf: Digest) {
        let mut node = leaf;
        let mut height = 0;
        loop {
            if self.levels.len() == height {
                self.levels.push(Vec::new());
            }
            let level = &mut self.levels[height];
            level.push(node);
            if level.len() % 2 == 1 {
                return;
            }
            node = node_hash(&level[level.len() - 2], &level[level.len() - 1]);
            height += 1;
        }
    }

    /// Root over all leaves; of none, the hash of nothing.
    pub fn root(&self) -> Digest {
        self.subtree(0, self.len())
    }

    /// Root over the first `size` leaves: what [`LogTree::root`] was at that size.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn root_at(&self, size: u64) -> Result<Digest, ProofError> {
        self.check(size <= self.len())?;
        Ok(self.subtree(0, size))
    }

    /// The hashes that lead from leaf `index` to the root over the first `size` leaves (RFC 9162, 2.1.3.1).
    ///
    /// # Errors
    /// When there is no such leaf or size.
    pub fn prove_inclusion(&self, index: u64, size: u64) -> Result<Vec<Digest>, ProofError> {
        self.check(index < size && size <= self.len())?;
        let mut proof = Vec::new();
        let (mut start, mut end) = (0, size);
        while end - start > 1 {
            let middle = start + split(end - start);
            if index < middle {
                proof.push(self.subtree(middle, end));
                end = middle;
            } else {
                proof.push(self.subtree(start, middle));
                start = middle;
            }
        }
        proof.reverse();
        Ok(proof)
    }

    /// The hashes that show that the first `size` leaves begin with the first `earlier` (RFC 9162, 2.1.4.1).
    ///
    /// # Errors
    /// When there are no such sizes; that of the earlier log must be above 0.
    pub fn prove_consistency(&self, earlier: u64, size: u64) -> Result<Vec<Digest>, ProofError> {
        self.check(0 < earlier && earlier <= size && size <= self.len())?;
        let mut proof = Vec::new();
        let (mut start, mut end) = (0, size);
        // Whether the earlier tree is the whole of what is left, and so known to whoever asks.
        let mut is_known = true;
        while end != earlier {
            let middle = start + split(end - start);
            if earlier <= middle {
                proof.push(self.subtree(middle, end));
                end = middle;
            } else {
                proof.push(self.subtree(start, middle));
                start = middle;
                is_known = false;
            }
        }
        if !is_known {
            proof.push(self.subtree(start, end));
        }
        proof.reverse();
        Ok(proof)
    }

    fn check(&self, is_sound: bool) -> Result<(), ProofError> {
        if is_sound {
            Ok(())
        } else {
            Err(ProofError::OutOfRange { size: self.len() })
        }
    }

    /// Root over the leaves from `start` to `end`, where `start` is a multiple of the smallest power of two that spans them.
    fn subtree(&self, start: u64, end: u64) -> Digest {
        let len = end - start;
        if len == 0 {
            return hash(&[]);
        }
        if len.is_power_of_two() {
            let height = usize::try_from(len.ilog2()).expect("below 64");
            let index = usize::try_from(start / len).expect("a place in memory");
            return self.levels[height][index];
        }
        let middle = start + split(len);
        node_hash(&self.subtree(start, middle), &self.subtree(middle, end))
    }
}

impl Extend<Digest> for LogTree {
    fn extend<I: IntoIterator<Item = Digest>>(&mut self, leaves: I) {
        leaves.into_iter().for_each(|leaf| self.push(leaf));
    }
}

impl FromIterator<Digest> for LogTree {
    fn from_iter<I: IntoIterator<Item = Digest>>(leaves: I) -> Self {
        let mut tree = Self::default();
        tree.extend(leaves);
        tree
    }
}

/// The largest power of two below `len`, which is above 1.
const fn split(len: u64) -> u64 {
    1 << (len - 1).ilog2()
}

fn to_u64(len: usize) -> u64 {
    u64::try_from(len).expect("a length fits in 64 bits")
}

/// Checks that `leaf` is leaf `index` of the tree of `size` leaves with this root (RFC 9162, 2.1.3.2).
///
/// # Errors
/// When it is not, by this proof.
pub fn verify_inclusion(
    leaf: &Digest,
    (index, size): (u64, u64),
    proof: &[Digest],
    root: &Digest,
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::OutOfRange { size });
    }
    let (mut node, mut last) = (index, size - 1);
    let mut found = *leaf;
    for step in proof {
        if last == 0 {
            return Err(ProofError::Mismatch);
        }
        if node % 2 == 1 || node == last {
            found = node_hash(step, &found);
            while node % 2 == 0 && node != 0 {
                node /= 2;
                last /= 2;
            }
        } else {
            found = node_hash(&found, step);
        }
        node /= 2;
        last /= 2;
    }
    if last == 0 && found == *root {
        Ok(())
    } else {
        Err(ProofError::Mismatch)
    }
}

/// Checks that the tree of `size` leaves with root `root` begins with the one of `earlier` leaves with root `earlier_root`
/// (RFC 9162, 2.1.4.2).
///
/// # Errors
/// When it does not, by this proof.
pub fn verify_consistency(
    (earlier, earlier_root): (u64, &Digest),
    (size, root): (u64, &Digest),
    proof: &[Digest],
) -> Result<(), ProofError> {
    match earlier.cmp(&size) {
        Ordering::Greater => return Err(ProofError::OutOfRange { size }),
        Ordering::Equal => {
            let is_same = proof.is_empty() && earlier_root == root;
            return if is_same {
                Ok(())
            } else {
                Err(ProofError::Mismatch)
            };
        }
        Ordering::Less if earlier == 0 => return Err(ProofError::OutOfRange { size }),
        Ordering::Less => {}
    }
    // A full earlier tree is a node of the later one, and so not said again.
    let mut steps = proof.iter();
    let first = if earlier.is_power_of_two() {
        Some(earlier_root)
    } else {
        steps.next()
    };
    let first = first.ok_or(ProofError::Mismatch)?;
    let (mut node, mut last) = (earlier - 1, size - 1);
    while node % 2 == 1 {
        node /= 2;
        last /= 2;
    }
    let (mut old, mut new) = (*first, *first);
    for step in steps {
        if last == 0 {
            return Err(ProofError::Mismatch);
        }
        if node % 2 == 1 || node == last {
            old = node_hash(step, &old);
            new = node_hash(step, &new);
            while node % 2 == 0 && node != 0 {
                node /= 2;
                last /= 2;
            }
        } else {
            new = node_hash(&new, step);
        }
        node /= 2;
        last /= 2;
    }
    if last == 0 && old == *earlier_root && new == *root {
        Ok(())
    } else {
        Err(ProofError::Mismatch)
    }
}
