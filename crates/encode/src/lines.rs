use std::io::{self, Read};

use memchr::{memchr, memchr_iter, memrchr};

/// Bytes of the longest line that is read; a longer one is a broken file.
pub const MAX_LINE_BYTES: usize = 1 << 20;

#[derive(Debug, thiserror::Error)]
#[error("line {line} is too long")]
pub(crate) struct LineTooLong {
    pub(crate) line: u64,
}

/// Passes bytes on, line ends as `\n` alone, so that lines are counted alike in every file; stops at a line beyond
/// [`MAX_LINE_BYTES`], so that a broken file cannot fill memory.
pub(crate) struct LimitedLines<R> {
    inner: R,
    raw: Vec<u8>,
    /// Bytes to pass on, from `passed` on.
    ready: Vec<u8>,
    passed: usize,
    line: u64,
    /// Bytes of the last line so far.
    line_bytes: usize,
    /// A carriage return was read and not passed on yet.
    pending_return: bool,
}

/// Bytes read at a time; less than a line may have, so that a line too long never lies within one reading.
const READ_BYTES: usize = 1 << 16;

impl<R: Read> LimitedLines<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self {
            inner,
            raw: vec![0; READ_BYTES],
            ready: Vec::with_capacity(READ_BYTES + 1),
            passed: 0,
            line: 1,
            line_bytes: 0,
            pending_return: false,
        }
    }

    /// Reads until there is something to pass on, or nothing is left.
    fn fill(&mut self) -> io::Result<()> {
        self.ready.clear();
        self.passed = 0;
        while self.ready.is_empty() {
            self.raw.resize(READ_BYTES, 0);
            let len = self.inner.read(&mut self.raw)?;
            if len == 0 {
                if std::mem::take(&mut self.pending_return) {
                    self.ready.push(b'\r');
                }
                return Ok(());
            }
            self.raw.truncate(len);
            self.measure_lines()?;
            self.pass_on();
        }
        Ok(())
    }

    /// Counts the lines of what was read.
    fn measure_lines(&mut self) -> io::Result<()> {
        let raw = &self.raw;
        let first_end = memchr(b'\n', raw);
        self.line_bytes += first_end.unwrap_or(raw.len());
        if self.line_bytes > MAX_LINE_BYTES {
            return Err(io::Error::other(LineTooLong { line: self.line }));
        }
        if let Some(last_end) = memrchr(b'\n', raw) {
            let ends = memchr_iter(b'\n', raw).count();
            self.line += u64::try_from(ends).expect("a length fits");
            self.line_bytes = raw.len() - last_end - 1;
        }
        Ok(())
    }

    /// Makes what was read ready, without the returns before line ends.
    fn pass_on(&mut self) {
        if self.pending_return && self.raw[0] != b'\n' {
            self.ready.push(b'\r');
        }
        self.pending_return = self.raw.ends_with(b"\r");
        if self.pending_return {
            self.raw.pop();
        }
        if self.ready.is_empty() && memchr(b'\r', &self.raw).is_none() {
            std::mem::swap(&mut self.raw, &mut self.ready);
            return;
        }
        let mut open = self.raw.as_slice();
        while let Some(found) = memchr(b'\r', open) {
            let ends_line = open.get(found + 1) == Some(&b'\n');
            let kept = if ends_line { found } else { found + 1 };
            self.ready.extend_from_slice(&open[..kept]);
            open = &open[found + 1..];
        }
        self.ready.extend_from_slice(open);
    }
}

impl<R: Read> Read for LimitedLines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn through(bytes: &[u8], step: usize) -> Vec<u8> {
        struct Steps<'a>(&'a [u8], usize);
        impl Read for Steps<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let len = self.1.min(self.0.len()).min(buffer.len());
                buffer[..len].copy_from_slice(&self.0[..len]);
                self.0 = &self.0[len..];
                Ok(len)
            }
        }
        let mut out = Vec::new();
        LimitedLines::new(Steps(bytes, step))
            .read_to_end(&mut out)
            .unwrap();
        out
    }

    /// The same, a byte at a time.
    fn naive(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for (position, &byte) in bytes.iter().enumerate() {
            if byte != b'\r' || bytes.get(position + 1) != Some(&b'\n') {
                out.push(byte);
            }
        }
        out
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_come_through_as_one_at_a_time(
            bytes in proptest::collection::vec(proptest::sample::select(b"ab\r\n".to_vec()), 0..60),
            step in 1_usize..9,
        ) {
            proptest::prop_assert_eq!(through(&bytes, step), naive(&bytes));
        }
    }

    #[test]
    fn the_line_that_is_too_long_is_named_and_the_longest_passes() {
        let read = |bytes: &[u8]| {
            LimitedLines::new(bytes)
                .read_to_end(&mut Vec::new())
                .map_err(|error| error.to_string())
        };
        let mut bytes = b"a\nb\n".to_vec();
        bytes.extend(vec![b'x'; MAX_LINE_BYTES]);
        bytes.extend(b"\nc\n");
        assert_eq!(read(&bytes), Ok(bytes.len()));
        bytes.insert(10, b'x');
        assert_eq!(read(&bytes), Err("line 3 is too long".to_owned()));
    }

    #[test]
    fn line_ends_become_one_byte_and_other_returns_stay() {
        for step in 1..9 {
            assert_eq!(
                through(b"a\r\nb\rc\r\r\nd\r", step),
                b"a\nb\rc\r\nd\r",
                "{step} bytes at a time"
            );
            assert_eq!(through(b"", step), b"");
            assert_eq!(through(b"\r\n", step), b"\n");
        }
    }
}
