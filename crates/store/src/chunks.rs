//! Encryption at rest, chunk by chunk: XChaCha20-Poly1305 under a data key, with a nonce drawn anew for every chunk.
//!
//! What a chunk belongs to, its number and what it is one of are associated data, so that a chunk that was altered, moved, taken
//! from another file, or of a file that was cut off or added to does not open.

use bytes::Bytes;
use chacha20poly1305::aead::AeadInOut as _;
use chacha20poly1305::{KeyInit as _, Tag, XChaCha20Poly1305, XNonce};
use corridor_core::{Digest, Entropy};
use zeroize::Zeroizing;

pub(crate) const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;

/// Bytes a sealed chunk has more than what is in it: the nonce before, the tag behind.
pub(crate) const CHUNK_OVERHEAD: usize = NONCE_BYTES + TAG_BYTES;

/// Plain bytes of every chunk of a stored object but its last.
pub(crate) const CHUNK_BYTES: usize = 256 << 10;

/// What every stored object begins with.
pub(crate) const OBJECT_HEADER: &[u8; 8] = b"CORRENC1";

/// A key for the bytes of one dataset or run. Zeroed when dropped.
pub(crate) struct DataKey(Zeroizing<[u8; 32]>);

impl DataKey {
    /// A new key.
    pub(crate) fn draw(entropy: &mut dyn Entropy) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        corridor_core::fill(entropy, &mut *key);
        Self(key)
    }

    pub(crate) const fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The cipher for one stored thing, named by `parts`.
    pub(crate) fn cipher(&self, parts: &[&[u8]]) -> ChunkCipher {
        let name: Vec<&[u8]> = [b"corridor/v1|at-rest".as_slice()]
            .into_iter()
            .chain(parts.iter().copied())
            .collect();
        ChunkCipher {
            cipher: XChaCha20Poly1305::new((&*self.0).into()),
            owner: Digest::of_parts(&name),
        }
    }
}

impl std::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DataKey(..)")
    }
}

/// A chunk does not open: it was altered, moved, or is of something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChunkAltered;

/// Where a chunk stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its number, from 0.
    pub(crate) index: u64,
    /// What fixes the whole: of an object its plain bytes, of a staged frame where it begins in the file.
    pub(crate) whole: u64,
}

/// Seals and opens the chunks of one stored thing.
#[derive(Clone)]
pub(crate) struct ChunkCipher {
    cipher: XChaCha20Poly1305,
    owner: Digest,
}

impl ChunkCipher {
    fn associated_data(&self, place: Place) -> [u8; 48] {
        let mut data = [0; 48];
        data[..32].copy_from_slice(self.owner.as_bytes());
        data[32..40].copy_from_slice(&place.whole.to_be_bytes());
        data[40..].copy_from_slice(&place.index.to_be_bytes());
        data
    }

    /// Adds the sealed chunk to `out`.
    pub(crate) fn seal(&self, place: Place, plain: &[u8], entropy: &mut dyn Entropy, out: &mut Vec<u8>) {
        let mut nonce = XNonce::default();
        corridor_core::fill(entropy, &mut nonce);
        out.reserve(plain.len() + CHUNK_OVERHEAD);
        out.extend_from_slice(&nonce);
        let start = out.len();
        out.extend_from_slice(plain);
        let tag = self
            .cipher
            .encrypt_inout_detached(&nonce, &self.associated_data(place), (&mut out[start..]).into())
            .expect("a chunk is far below what the cipher takes");
        out.extend_from_slice(&tag);
    }

    /// Opens a sealed chunk in its place in `sealed`, and gives where the plain bytes stand in it.
    pub(crate) fn open<'a>(&self, place: Place, sealed: &'a mut [u8]) -> Result<&'a mut [u8], ChunkAltered> {
        let plain_len = sealed.len().checked_sub(CHUNK_OVERHEAD).ok_or(ChunkAltered)?;
        let (nonce, rest) = sealed.split_at_mut(NONCE_BYTES);
        let (plain, tag) = rest.split_at_mut(plain_len);
        let nonce = XNonce::try_from(&*nonce).map_err(|_| ChunkAltered)?;
        let tag = Tag::try_from(&*tag).map_err(|_| ChunkAltered)?;
        self.cipher
            .decrypt_inout_detached(&nonce, &self.associated_data(place), (&mut *plain).into(), &tag)
            .map_err(|_| ChunkAltered)?;
        Ok(plain)
    }

    /// The same, of a sealed chunk that is not needed any more.
    pub(crate) fn open_owned(&self, place: Place, mut sealed: Vec<u8>) -> Result<Bytes, ChunkAltered> {
        let len = self.open(place, &mut sealed)?.len();
        Ok(Bytes::from(sealed).slice(NONCE_BYTES..NONCE_BYTES + len))
    }
}

impl std::fmt::Debug for ChunkCipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ChunkCipher(..)")
    }
}

/// How a stored object of so many plain bytes is cut. One without bytes has one empty chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ObjectLayout {
    /// Plain bytes in all.
    pub(crate) plain_bytes: u64,
    /// Chunks.
    pub(crate) chunk_count: u64,
}

const CHUNK: u64 = CHUNK_BYTES as u64;
const SEALED_CHUNK: u64 = (CHUNK_BYTES + CHUNK_OVERHEAD) as u64;
const HEADER: u64 = OBJECT_HEADER.len() as u64;

impl ObjectLayout {
    pub(crate) fn of_plain(plain_bytes: u64) -> Self {
        Self {
            plain_bytes,
            chunk_count: plain_bytes.div_ceil(CHUNK).max(1),
        }
    }

    /// Of an object of so many stored bytes; `None` when no object is so long.
    pub(crate) fn of_stored(stored_bytes: u64) -> Option<Self> {
        let chunks = stored_bytes.checked_sub(HEADER)?;
        let chunk_count = chunks.div_ceil(SEALED_CHUNK);
        let plain_bytes = chunks.checked_sub(chunk_count.checked_mul(CHUNK_OVERHEAD as u64)?)?;
        let layout = Self::of_plain(plain_bytes);
        (layout.chunk_count == chunk_count).then_some(layout)
    }

    /// Where the stored bytes of chunks `first` to before `end` stand.
    pub(crate) fn stored_range(&self, first: u64, end: u64) -> std::ops::Range<u64> {
        let stored_bytes = HEADER + self.plain_bytes + self.chunk_count * CHUNK_OVERHEAD as u64;
        (HEADER + first * SEALED_CHUNK)..(HEADER + end * SEALED_CHUNK).min(stored_bytes)
    }

    pub(crate) const fn place(&self, index: u64) -> Place {
        Place {
            index,
            whole: self.plain_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use corridor_core::SeededEntropy;

    fn key(seed: u64) -> DataKey {
        DataKey::draw(&mut SeededEntropy::new(seed, "key"))
    }

    fn sealed(cipher: &ChunkCipher, place: Place, plain: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        cipher.seal(place, plain, &mut SeededEntropy::new(1, "nonce"), &mut out);
        out
    }

    #[test]
    fn a_chunk_opens_in_its_place_only() {
        let place = Place { index: 3, whole: 900 };
        let cipher = key(1).cipher(&[b"dataset", b"one"]);
        let chunk = sealed(&cipher, place, b"encodings");
        assert_eq!(cipher.open(place, &mut chunk.clone()).unwrap(), b"encodings");
        assert!(!chunk.windows(4).any(|bytes| bytes == b"enco"));
        let elsewhere = [Place { index: 4, whole: 900 }, Place { index: 3, whole: 899 }];
        for place in elsewhere {
            assert_eq!(cipher.open(place, &mut chunk.clone()), Err(ChunkAltered));
        }
        for other in [
            key(1).cipher(&[b"dataset", b"two"]),
            key(1).cipher(&[b"datasetone"]),
            key(2).cipher(&[b"dataset", b"one"]),
        ] {
            assert_eq!(other.open(place, &mut chunk.clone()), Err(ChunkAltered));
        }
    }

    #[test]
    fn no_bit_of_a_chunk_can_be_altered_and_none_cut_off() {
        let place = Place { index: 0, whole: 0 };
        let cipher = key(1).cipher(&[b"a"]);
        let chunk = sealed(&cipher, place, b"abc");
        for bit in 0..chunk.len() * 8 {
            let mut altered = chunk.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(cipher.open(place, &mut altered), Err(ChunkAltered), "bit {bit}");
        }
        for len in 0..chunk.len() {
            assert_eq!(cipher.open(place, &mut chunk[..len].to_vec()), Err(ChunkAltered));
        }
    }

    #[test]
    fn the_same_bytes_are_never_sealed_alike() {
        let place = Place { index: 0, whole: 0 };
        let (cipher, mut entropy) = (key(1).cipher(&[b"a"]), SeededEntropy::new(1, "nonce"));
        let mut out = Vec::new();
        cipher.seal(place, b"same", &mut entropy, &mut out);
        let first = std::mem::take(&mut out);
        cipher.seal(place, b"same", &mut entropy, &mut out);
        assert_ne!(first, out);
    }

    #[test]
    fn a_layout_is_found_from_the_stored_length() {
        for plain in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 5 * CHUNK, 5 * CHUNK + 7] {
            let layout = ObjectLayout::of_plain(plain);
            let stored = layout.stored_range(0, layout.chunk_count).end;
            assert_eq!(ObjectLayout::of_stored(stored), Some(layout), "{plain}");
        }
        for stored in [0, 7, 8, 47, HEADER + SEALED_CHUNK + 1, HEADER + SEALED_CHUNK + 40] {
            assert_eq!(ObjectLayout::of_stored(stored), None, "{stored}");
        }
    }
}
