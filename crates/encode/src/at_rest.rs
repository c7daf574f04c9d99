//! Files of the office encrypted with a passphrase, whatever they hold.
//!
//! A file begins with two lines: the format, and how the passphrase is stretched (Argon2id, RFC 9106). Then follow pieces
//! of 64 KiB, each with its tag (ChaCha20-Poly1305, RFC 8439), under the STREAM construction (Hoang, Reyhanitabar, Rogaway
//! & Vizár 2015): the place of a piece and whether it is the last are part of its nonce, the two lines are associated
//! data of each. So nothing can be altered, moved, left out, added or cut off, and a file is read as it streams by.

use std::io::{self, BufRead, Read, Write};

use aead_stream::{DecryptorBE32, EncryptorBE32};
use chacha20poly1305::ChaCha20Poly1305;
use corridor_core::Entropy;
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::sealed::{LANES, MEMORY_KIB, PASSES, stretch};

const FORMAT: &str = "corridor-encrypted/1\n";

/// The second line of a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stretching {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: String,
}

/// Longest second line.
const MAX_LINE_BYTES: usize = 256;

/// Bytes of a piece without its tag.
const PIECE_BYTES: usize = 64 << 10;
const TAG_BYTES: usize = 16;

/// A key for one file. The salt is drawn anew for each, so the key is of that file only and nonces begin at zero.
pub struct Encryption {
    key: Zeroizing<[u8; 32]>,
    header: String,
}

impl Encryption {
    /// Stretches a passphrase with a salt that is drawn now.
    pub fn new(passphrase: &[u8], entropy: &mut dyn Entropy) -> Self {
        let mut salt = [0; 16];
        corridor_core::fill(entropy, &mut salt);
        let key = stretch(passphrase, &salt, MEMORY_KIB, PASSES, LANES).expect("the parameters are valid");
        let line = serde_json::to_string(&Stretching {
            memory_kib: MEMORY_KIB,
            passes: PASSES,
            lanes: LANES,
            salt: BASE64.encode(&salt),
        });
        Self {
            key,
            header: format!("{FORMAT}{}\n", line.expect("every field has a JSON form")),
        }
    }
}

impl std::fmt::Debug for Encryption {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Encryption(..)")
    }
}

/// Encrypts what is written through it. What was not finished does not open.
pub(crate) struct EncryptedWriter<W> {
    inner: W,
    header: String,
    stream: EncryptorBE32<ChaCha20Poly1305>,
    /// The piece at hand.
    piece: Zeroizing<Vec<u8>>,
}

impl<W: Write> EncryptedWriter<W> {
    pub(crate) fn new(encryption: Encryption, mut inner: W) -> io::Result<Self> {
        let Encryption { key, header } = encryption;
        inner.write_all(header.as_bytes())?;
        Ok(Self {
            inner,
            header,
            stream: EncryptorBE32::new((&*key).into(), &[0; 7].into()),
            piece: Zeroizing::new(Vec::with_capacity(PIECE_BYTES + TAG_BYTES)),
        })
    }

    /// Writes the last piece.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.stream
            .encrypt_last_in_place(self.header.as_bytes(), &mut *self.piece)
            .map_err(io::Error::other)?;
        self.inner.write_all(&self.piece)?;
        Ok(self.inner)
    }
}

impl<W: Write> Write for EncryptedWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full piece goes when more follows, for the last one is marked as such.
        if self.piece.len() == PIECE_BYTES && !bytes.is_empty() {
            self.stream
                .encrypt_next_in_place(self.header.as_bytes(), &mut *self.piece)
                .map_err(io::Error::other)?;
            self.inner.write_all(&self.piece)?;
            self.piece.clear();
        }
        let taken = bytes.len().min(PIECE_BYTES - self.piece.len());
        self.piece.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Why an encrypted file does not open. Messages say nothing of its content.
#[derive(Debug, thiserror::Error)]
pub enum DecryptError {
    /// Another file.
    #[error("it is no file this program encrypted: {0}")]
    Format(&'static str),
    /// The passphrase is another, or a byte of the first 64 KiB is.
    #[error("it does not open: the passphrase is wrong or the file was altered")]
    Passphrase,
    /// The file system, or bytes after the first 64 KiB that were altered or cut off.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Whether a file that begins with these bytes was written with an [`Encryption`].
pub fn is_encrypted(first_bytes: &[u8]) -> bool {
    first_bytes.starts_with(FORMAT.as_bytes())
}

/// Reads a file that was written with an [`Encryption`]. No byte is handed out that was not found to be genuine; but
/// that the file is whole is known only when it ended without an error: what was read of it until then is to be
/// thrown away otherwise.
pub struct DecryptedReader<R> {
    inner: R,
    header: String,
    /// Until the last piece was read.
    stream: Option<DecryptorBE32<ChaCha20Poly1305>>,
    piece: Zeroizing<Vec<u8>>,
    /// What of the piece was handed out.
    at: usize,
}

impl<R: BufRead> DecryptedReader<R> {
    /// Reads the first lines and the first piece.
    ///
    /// # Errors
    /// When it is no such file, does not open with `passphrase`, or cannot be read.
    pub fn new(mut inner: R, passphrase: &[u8]) -> Result<Self, DecryptError> {
        let mut format = [0; FORMAT.len()];
        inner.read_exact(&mut format).map_err(cut_off)?;
        if !is_encrypted(&format) {
            return Err(DecryptError::Format("its first line is another"));
        }
        let mut line = String::new();
        let limit = u64::try_from(MAX_LINE_BYTES).expect("small");
        (&mut inner)
            .take(limit)
            .read_line(&mut line)
            .map_err(|_| DecryptError::Format("its second line is no text"))?;
        let stretching: Stretching = line
            .strip_suffix('\n')
            .and_then(|line| serde_json::from_str(line).ok())
            .ok_or(DecryptError::Format("its second line cannot be read"))?;
        // A forged file must not exhaust the machine.
        if stretching.memory_kib > MEMORY_KIB || stretching.passes > PASSES || stretching.lanes > LANES {
            return Err(DecryptError::Format(
                "it asks for more work than any such file needs",
            ));
        }
        let salt = BASE64
            .decode(stretching.salt.as_bytes())
            .map_err(|_| DecryptError::Format("its second line cannot be read"))?;
        let key = stretch(
            passphrase,
            &salt,
            stretching.memory_kib,
            stretching.passes,
            stretching.lanes,
        )
        .ok_or(DecryptError::Format("its second line cannot be used"))?;
        let mut reader = Self {
            inner,
            header: format!("{FORMAT}{line}"),
            stream: Some(DecryptorBE32::new((&*key).into(), &[0; 7].into())),
            piece: Zeroizing::new(Vec::with_capacity(PIECE_BYTES + TAG_BYTES)),
            at: 0,
        };
        reader.next_piece().map_err(|error| {
            if error.kind() == io::ErrorKind::InvalidData {
                DecryptError::Passphrase
            } else {
                DecryptError::Io(error)
            }
        })?;
        Ok(reader)
    }

    fn next_piece(&mut self) -> io::Result<()> {
        self.at = 0;
        self.piece.clear();
        let Some(mut stream) = self.stream.take() else {
            return Ok(());
        };
        let whole = u64::try_from(PIECE_BYTES + TAG_BYTES).expect("small");
        (&mut self.inner).take(whole).read_to_end(&mut self.piece)?;
        let header = self.header.as_bytes();
        let opened = if self.inner.fill_buf()?.is_empty() {
            stream.decrypt_last_in_place(header, &mut *self.piece)
        } else {
            let opened = stream.decrypt_next_in_place(header, &mut *self.piece);
            self.stream = Some(stream);
            opened
        };
        opened.map_err(|_| {
            // Nothing of such a piece is handed out, nor anything after it.
            self.piece.clear();
            self.stream = None;
            io::Error::new(
                io::ErrorKind::InvalidData,
                "the encrypted file was altered or cut off",
            )
        })
    }
}

impl<R: BufRead> Read for DecryptedReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at == self.piece.len() {
            self.next_piece()?;
        }
        let len = out.len().min(self.piece.len() - self.at);
        out[..len].copy_from_slice(&self.piece[self.at..][..len]);
        self.at += len;
        Ok(len)
    }
}

impl<R> std::fmt::Debug for DecryptedReader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DecryptedReader(..)")
    }
}

fn cut_off(error: io::Error) -> DecryptError {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        DecryptError::Format("it is too short")
    } else {
        DecryptError::Io(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use corridor_core::SeededEntropy;

    fn encrypt(content: &[u8], seed: u64) -> Vec<u8> {
        let encryption = Encryption::new(b"pass", &mut SeededEntropy::new(seed, "at rest"));
        let mut writer = EncryptedWriter::new(encryption, Vec::new()).unwrap();
        writer.write_all(content).unwrap();
        writer.finish().unwrap()
    }

    fn decrypt(bytes: &[u8], passphrase: &[u8]) -> Option<Vec<u8>> {
        let mut content = Vec::new();
        let mut reader = DecryptedReader::new(bytes, passphrase).ok()?;
        reader.read_to_end(&mut content).ok()?;
        Some(content)
    }

    #[test]
    fn files_of_any_length_come_back() {
        for len in [
            0,
            1,
            PIECE_BYTES - 1,
            PIECE_BYTES,
            PIECE_BYTES + 1,
            3 * PIECE_BYTES,
        ] {
            let content = vec![7; len];
            let bytes = encrypt(&content, 1);
            assert!(is_encrypted(&bytes));
            assert!(decrypt(&bytes, b"pass") == Some(content), "{len} bytes");
            assert!(decrypt(&bytes, b"past").is_none(), "{len} bytes");
        }
    }

    #[test]
    fn whatever_is_done_to_a_file_is_found() {
        let content: Vec<u8> = (0..3 * PIECE_BYTES)
            .map(|at| u8::try_from(at / 1000 % 251).unwrap())
            .collect();
        let bytes = encrypt(&content, 1);
        let head = bytes.len() - 3 * (PIECE_BYTES + TAG_BYTES);
        let piece =
            |index: usize| &bytes[head + index * (PIECE_BYTES + TAG_BYTES)..][..PIECE_BYTES + TAG_BYTES];
        let refused = |bytes: &[u8]| decrypt(bytes, b"pass").is_none();
        // Every byte of the beginning, and some of each piece.
        for at in (0..head).chain((head..bytes.len()).step_by(20_011)) {
            let mut altered = bytes.clone();
            altered[at] ^= 1;
            assert!(refused(&altered), "byte {at}");
        }
        for len in [
            0,
            10,
            head - 1,
            head,
            head + 10,
            head + PIECE_BYTES + TAG_BYTES,
            bytes.len() - 1,
        ] {
            assert!(refused(&bytes[..len]), "cut at {len}");
        }
        let pieces = |order: &[usize]| {
            let mut moved = bytes[..head].to_vec();
            order
                .iter()
                .for_each(|&index| moved.extend_from_slice(piece(index)));
            moved
        };
        assert!(!refused(&pieces(&[0, 1, 2])));
        for order in [&[1, 0, 2][..], &[0, 2], &[2], &[0, 1, 1, 2], &[0, 1, 2, 2]] {
            assert!(refused(&pieces(order)), "{order:?}");
        }
        // A piece of another file under the same passphrase.
        let other = encrypt(&content, 2);
        let mixed = [&bytes[..head], &other[head..]].concat();
        assert!(refused(&mixed));
    }
}
