use std::io::{self, Read};

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
    line_bytes: usize,
    /// A carriage return was read and not passed on yet.
    pending_return: bool,
}

/// Bytes read at a time.
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
            let len = self.inner.read(&mut self.raw)?;
            if len == 0 {
                if std::mem::take(&mut self.pending_return) {
                    self.ready.push(b'\r');
                }
                return Ok(());
            }
            for &byte in &self.raw[..len] {
                if std::mem::take(&mut self.pending_return) && byte != b'\n' {
                    self.ready.push(b'\r');
                }
                if byte == b'\r' {
                    self.pending_return = true;
                } else {
                    self.ready.push(byte);
                }
                if byte == b'\n' {
                    self.line += 1;
                    self.line_bytes = 0;
                } else {
                    self.line_bytes += 1;
                    if self.line_bytes > MAX_LINE_BYTES {
                        return Err(io::Error::other(LineTooLong { line: self.line }));
                    }
                }
            }
        }
        Ok(())
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
