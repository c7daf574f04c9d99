//! Text of other encodings as UTF-8, while it is read.

use std::io::{self, Read};

use encoding_rs::{DecoderResult, Encoding};

use super::Start;
use crate::mapping::TextEncoding;

/// Passes text on as UTF-8. What is no text in the encoding passes as [`NOT_TEXT`], so that the row it is in is
/// refused and the others are read.
pub(crate) struct Decoded<R> {
    inner: R,
    scheme: Scheme,
    raw: Vec<u8>,
    /// Bytes to pass on, from `passed` on.
    ready: Vec<u8>,
    passed: usize,
    ended: bool,
}

/// Stands for what cannot be decoded: a byte that UTF-8 never has.
const NOT_TEXT: u8 = 0xff;

/// Bytes read at a time.
const READ_BYTES: usize = 1 << 14;

enum Scheme {
    /// As it is.
    Utf8,
    /// One byte a character: what each is in UTF-8, in its first bytes.
    Table(Box<[([u8; 4], u8); 256]>),
    Utf16(Box<encoding_rs::Decoder>),
}

impl<R: Read> Decoded<R> {
    /// Text that begins as `start` says, its mark already taken, in `encoding` where that is said.
    pub(crate) fn new(inner: R, start: Start, encoding: Option<TextEncoding>) -> Self {
        let utf16 = |encoding: &'static Encoding| {
            Scheme::Utf16(Box::new(encoding.new_decoder_without_bom_handling()))
        };
        let scheme = match (start, encoding) {
            (Start::Utf16Little, _) => utf16(encoding_rs::UTF_16LE),
            (Start::Utf16Big, _) => utf16(encoding_rs::UTF_16BE),
            (_, Some(TextEncoding::Latin1)) => {
                table(|byte| (!(0x80..0xa0).contains(&byte)).then(|| char::from(byte)))
            }
            (_, Some(TextEncoding::Windows1252)) => table(|byte| one_byte(encoding_rs::WINDOWS_1252, byte)),
            (_, Some(TextEncoding::Windows1256)) => table(|byte| one_byte(encoding_rs::WINDOWS_1256, byte)),
            (_, Some(TextEncoding::Utf8 | TextEncoding::Utf16) | None) => Scheme::Utf8,
        };
        Self {
            inner,
            scheme,
            raw: vec![0; READ_BYTES],
            ready: Vec::new(),
            passed: 0,
            ended: false,
        }
    }

    /// Decodes until there is something to pass on, or nothing is left.
    fn fill(&mut self) -> io::Result<()> {
        self.ready.clear();
        self.passed = 0;
        while self.ready.is_empty() && !self.ended {
            let len = self.inner.read(&mut self.raw)?;
            self.ended = len == 0;
            match &mut self.scheme {
                Scheme::Utf8 => self.ready.extend_from_slice(&self.raw[..len]),
                Scheme::Table(table) => decode_bytes(table, &self.raw[..len], &mut self.ready),
                Scheme::Utf16(decoder) => decode_utf16(decoder, &self.raw[..len], len == 0, &mut self.ready),
            }
        }
        Ok(())
    }
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if matches!(self.scheme, Scheme::Utf8) {
            return self.inner.read(buffer);
        }
        if self.passed == self.ready.len() {
            self.fill()?;
        }
        let open = &self.ready[self.passed..];
        let len = open.len().min(buffer.len());
        buffer[..len].copy_from_slice(&open[..len]);
        self.passed += len;
        Ok(len)
    }
}

fn table(read: impl Fn(u8) -> Option<char>) -> Scheme {
    let mut table = Box::new([([NOT_TEXT, 0, 0, 0], 1); 256]);
    for byte in 0..=u8::MAX {
        if let Some(character) = read(byte) {
            let (bytes, len) = &mut table[usize::from(byte)];
            let written = character.encode_utf8(bytes).len();
            *len = u8::try_from(written).expect("at most four");
        }
    }
    Scheme::Table(table)
}

/// The character of a byte; `None` where the code page has none and the standard of browsers puts a control code.
fn one_byte(encoding: &'static Encoding, byte: u8) -> Option<char> {
    let bytes = [byte];
    let text = encoding.decode_without_bom_handling_and_without_replacement(&bytes)?;
    text.chars()
        .next()
        .filter(|character| byte < 0x80 || !character.is_control())
}

fn decode_bytes(table: &[([u8; 4], u8); 256], mut bytes: &[u8], out: &mut Vec<u8>) {
    while !bytes.is_empty() {
        let plain = Encoding::ascii_valid_up_to(bytes);
        out.extend_from_slice(&bytes[..plain]);
        bytes = &bytes[plain..];
        let others = bytes.iter().take_while(|byte| !byte.is_ascii()).count();
        for &byte in &bytes[..others] {
            let (text, len) = &table[usize::from(byte)];
            out.extend_from_slice(&text[..usize::from(*len)]);
        }
        bytes = &bytes[others..];
    }
}

fn decode_utf16(decoder: &mut encoding_rs::Decoder, mut bytes: &[u8], last: bool, out: &mut Vec<u8>) {
    let mut decoded = [0; 1 << 12];
    loop {
        let (outcome, read, written) = decoder.decode_to_utf8_without_replacement(bytes, &mut decoded, last);
        out.extend_from_slice(&decoded[..written]);
        bytes = &bytes[read..];
        match outcome {
            DecoderResult::InputEmpty => return,
            DecoderResult::OutputFull => {}
            DecoderResult::Malformed(..) => out.push(NOT_TEXT),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time, so that characters are cut anywhere.
    struct Bytewise<'a>(&'a [u8]);

    impl Read for Bytewise<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let (&first, rest) = match self.0.split_first() {
                Some(split) if !buffer.is_empty() => split,
                _ => return Ok(0),
            };
            buffer[0] = first;
            self.0 = rest;
            Ok(1)
        }
    }

    fn decode(bytes: &[u8], start: Start, encoding: Option<TextEncoding>) -> Vec<u8> {
        let mut whole = Vec::new();
        Decoded::new(bytes, start, encoding)
            .read_to_end(&mut whole)
            .unwrap();
        let mut bytewise = Vec::new();
        Decoded::new(Bytewise(bytes), start, encoding)
            .read_to_end(&mut bytewise)
            .unwrap();
        assert_eq!(whole, bytewise);
        whole
    }

    #[test]
    fn every_encoding_becomes_utf_8() {
        let text =
            |bytes: &[u8], encoding| String::from_utf8(decode(bytes, Start::Text, Some(encoding))).unwrap();
        assert_eq!(text("Günther;ñ".as_bytes(), TextEncoding::Utf8), "Günther;ñ");
        assert_eq!(text(b"G\xfcnther;\xf1\n", TextEncoding::Latin1), "Günther;ñ\n");
        assert_eq!(text(b"\x8a\x80\xfc", TextEncoding::Windows1252), "Š€ü");
        assert_eq!(text(b"\xe3\xcd\xe3\xcf,1", TextEncoding::Windows1256), "محمد,1");
        let little: Vec<u8> = "Ouédraogo 😀".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(
            decode(&little, Start::Utf16Little, None),
            "Ouédraogo 😀".as_bytes()
        );
        let big: Vec<u8> = "Ouédraogo 😀".encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(decode(&big, Start::Utf16Big, None), "Ouédraogo 😀".as_bytes());
    }

    #[test]
    fn what_is_no_text_in_the_encoding_is_marked_and_the_rest_read() {
        assert_eq!(
            decode(b"a\x9fb", Start::Text, Some(TextEncoding::Latin1)),
            b"a\xffb"
        );
        assert_eq!(
            decode(b"a\x81b", Start::Text, Some(TextEncoding::Windows1252)),
            b"a\xffb"
        );
        // Half of a pair, and half of a unit at the end.
        assert_eq!(
            decode(b"a\0\x00\xd8b\0c", Start::Utf16Little, None),
            b"a\xffb\xff"
        );
    }
}
