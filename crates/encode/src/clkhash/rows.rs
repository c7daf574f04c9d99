//! Rows of a CSV file, split as Python's `csv` splits them with its default dialect in a file opened as text: `\r\n` and `\r`
//! are read as `\n`, quotes are quotes only at the beginning of a field, an empty line is a row without columns, and a quoted
//! field that is not closed ends with the file.

use std::io::Read;

use zeroize::Zeroize;

use super::error::{ClkError, MOST_FIELD_CHARS};

/// Rows, one after the other. Wiped on drop.
#[derive(Default)]
pub(crate) struct Rows {
    /// All fields, without separators. UTF-8.
    text: Vec<u8>,
    /// Where every field ends in `text`.
    ends: Vec<usize>,
    /// Where every row ends in `ends`.
    row_ends: Vec<usize>,
    /// The line every row begins at.
    lines: Vec<u64>,
}

impl Drop for Rows {
    fn drop(&mut self) {
        self.text.zeroize();
    }
}

impl Rows {
    pub(crate) const fn len(&self) -> usize {
        self.lines.len()
    }

    /// Row `index`: its line and its fields.
    pub(crate) fn row(&self, index: usize) -> (u64, impl ExactSizeIterator<Item = &str>) {
        let end_before = |ends: &[usize], index: usize| index.checked_sub(1).map_or(0, |before| ends[before]);
        let first = end_before(&self.row_ends, index);
        let last = self.row_ends[index];
        let mut at = end_before(&self.ends, first);
        let whole = &self.text[at..end_before(&self.ends, last)];
        let mut rest = std::str::from_utf8(whole).expect("checked before it was split");
        let fields = self.ends[first..last].iter().map(move |&end| {
            let (field, more) = rest.split_at(end - at);
            (rest, at) = (more, end);
            field
        });
        (self.lines[index], fields)
    }

    fn clear(&mut self) {
        self.text.zeroize();
        self.ends.clear();
        self.row_ends.clear();
        self.lines.clear();
    }
}

/// Bytes read at a time.
const READ_BYTES: usize = 1 << 18;

/// Bytes of rows given at a time, about.
const ROWS_BYTES: usize = 4 << 20;

/// Reads rows.
pub(crate) struct RowReader<R> {
    inner: R,
    raw: Vec<u8>,
    /// Line ends are `\n` in it; whole characters up to `valid`, split into fields up to `at`.
    text: Vec<u8>,
    at: usize,
    valid: usize,
    after_return: bool,
    ended: bool,
    /// The line of `at`, from 1.
    line: u64,
    /// Bytes of that line before `text`.
    line_bytes: u64,
    first_byte: bool,
    byte_order_mark: bool,
}

/// Where in a row the reader is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    FieldStart,
    Unquoted,
    Quoted,
    /// After a quote in a quoted field: its end, or the first of two.
    QuoteInQuoted,
}

impl<R: Read> RowReader<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self {
            inner,
            raw: vec![0; READ_BYTES],
            text: Vec::new(),
            at: 0,
            valid: 0,
            after_return: false,
            ended: false,
            line: 1,
            line_bytes: 0,
            first_byte: true,
            byte_order_mark: false,
        }
    }

    /// Whether the file begins with a byte order mark, which is text to clkhash.
    pub(crate) const fn has_byte_order_mark(&self) -> bool {
        self.byte_order_mark
    }

    /// Fills `rows` with the next rows, at most so many; none at the end of the file.
    pub(crate) fn read(&mut self, rows: &mut Rows, most: usize) -> Result<(), ClkError> {
        rows.clear();
        while rows.len() < most && rows.text.len() < ROWS_BYTES {
            if !self.read_row(rows)? {
                break;
            }
        }
        Ok(())
    }

    fn read_row(&mut self, rows: &mut Rows) -> Result<bool, ClkError> {
        let first_line = self.line;
        let first_field = rows.ends.len();
        if self.at == self.valid && !self.fill()? {
            return Ok(false);
        }
        if self.text[self.at] == b'\n' {
            self.at += 1;
            self.next_line();
            rows.row_ends.push(first_field);
            rows.lines.push(first_line);
            return Ok(true);
        }
        let mut state = State::FieldStart;
        loop {
            if self.at == self.valid && !self.fill()? {
                break;
            }
            let field_begin = rows.ends.last().copied().unwrap_or(0);
            // What is over the limit for sure need not be read to its end.
            if rows.text.len() - field_begin > 4 * MOST_FIELD_CHARS {
                return Err(self.too_long(first_line, rows.ends.len() - first_field));
            }
            let open = &self.text[self.at..self.valid];
            match state {
                State::FieldStart | State::Unquoted => {
                    if state == State::FieldStart && open[0] == b'"' {
                        self.at += 1;
                        state = State::Quoted;
                        continue;
                    }
                    let len = open.iter().position(|byte| matches!(byte, b',' | b'\n'));
                    rows.text.extend_from_slice(&open[..len.unwrap_or(open.len())]);
                    state = State::Unquoted;
                    let Some(len) = len else {
                        self.at = self.valid;
                        continue;
                    };
                    let end = open[len];
                    self.at += len + 1;
                    self.end_field(rows, first_line, first_field)?;
                    state = State::FieldStart;
                    if end == b'\n' {
                        self.next_line();
                        return Ok(self.end_row(rows, first_line));
                    }
                }
                State::Quoted => {
                    let len = open.iter().position(|byte| matches!(byte, b'"' | b'\n'));
                    rows.text.extend_from_slice(&open[..len.unwrap_or(open.len())]);
                    let Some(len) = len else {
                        self.at = self.valid;
                        continue;
                    };
                    let end = open[len];
                    self.at += len + 1;
                    if end == b'\n' {
                        rows.text.push(b'\n');
                        self.next_line();
                    } else {
                        state = State::QuoteInQuoted;
                    }
                }
                State::QuoteInQuoted => {
                    let byte = open[0];
                    self.at += 1;
                    match byte {
                        b'"' => {
                            rows.text.push(b'"');
                            state = State::Quoted;
                        }
                        b',' => {
                            self.end_field(rows, first_line, first_field)?;
                            state = State::FieldStart;
                        }
                        b'\n' => {
                            self.end_field(rows, first_line, first_field)?;
                            self.next_line();
                            return Ok(self.end_row(rows, first_line));
                        }
                        other => {
                            rows.text.push(other);
                            state = State::Unquoted;
                        }
                    }
                }
            }
        }
        self.end_field(rows, first_line, first_field)?;
        Ok(self.end_row(rows, first_line))
    }

    fn next_line(&mut self) {
        self.line += 1;
        self.line_bytes = 0;
    }

    const fn too_long(&self, line: u64, fields_before: usize) -> ClkError {
        ClkError::FieldTooLong {
            line,
            column: fields_before + 1,
        }
    }

    fn end_field(&self, rows: &mut Rows, line: u64, first_field: usize) -> Result<(), ClkError> {
        let begin = rows.ends.last().copied().unwrap_or(0);
        let field = &rows.text[begin..];
        if field.len() > MOST_FIELD_CHARS
            && field.iter().filter(|byte| is_first(**byte)).count() > MOST_FIELD_CHARS
        {
            return Err(self.too_long(line, rows.ends.len() - first_field));
        }
        rows.ends.push(rows.text.len());
        Ok(())
    }

    fn end_row(&self, rows: &mut Rows, line: u64) -> bool {
        rows.row_ends.push(rows.ends.len());
        rows.lines.push(line);
        true
    }

    /// Reads on until there is something after `at`; `false` at the end of the file.
    fn fill(&mut self) -> Result<bool, ClkError> {
        // What was split is not needed any more; what is left is part of a character.
        let begin = self.text[..self.at].iter().rposition(|byte| *byte == b'\n');
        self.line_bytes = match begin {
            Some(newline) => (self.at - newline - 1) as u64,
            None => self.line_bytes + self.at as u64,
        };
        self.text.drain(..self.at);
        self.at = 0;
        self.valid = 0;
        while self.valid == 0 && !self.ended {
            let len = match self.inner.read(&mut self.raw) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                outcome => outcome.map_err(ClkError::Read)?,
            };
            self.ended = len == 0;
            self.take_lines(len);
            self.valid = match std::str::from_utf8(&self.text) {
                Ok(text) => text.len(),
                Err(error) if error.error_len().is_none() && !self.ended => error.valid_up_to(),
                Err(error) => return Err(self.not_utf8(error.valid_up_to())),
            };
            if std::mem::take(&mut self.first_byte) {
                self.byte_order_mark = self.text.starts_with("\u{feff}".as_bytes());
            }
        }
        if self.ended {
            self.raw.zeroize();
        }
        Ok(self.valid > 0)
    }

    /// Takes `len` raw bytes, with `\n` for every end of a line.
    fn take_lines(&mut self, len: usize) {
        let raw = &self.raw[..len];
        if !self.after_return && !raw.contains(&b'\r') {
            self.text.extend_from_slice(raw);
            return;
        }
        for &byte in raw {
            let after_return = std::mem::replace(&mut self.after_return, byte == b'\r');
            match byte {
                b'\n' if after_return => {}
                b'\r' => self.text.push(b'\n'),
                byte => self.text.push(byte),
            }
        }
    }

    fn not_utf8(&self, at: usize) -> ClkError {
        let before = &self.text[..at];
        let newlines = before.iter().filter(|byte| **byte == b'\n').count() as u64;
        let byte = match before.iter().rposition(|byte| *byte == b'\n') {
            Some(newline) => (at - newline) as u64,
            None => self.line_bytes + at as u64 + 1,
        };
        ClkError::NotUtf8 {
            line: self.line + newlines,
            byte,
        }
    }
}

impl<R> Drop for RowReader<R> {
    fn drop(&mut self) {
        self.text.zeroize();
        self.raw.zeroize();
    }
}

/// Whether a byte is the first of a character.
const fn is_first(byte: u8) -> bool {
    byte & 0xc0 != 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives so many bytes at a time.
    struct Steps<'a>(&'a [u8], usize);

    impl Read for Steps<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let len = self.1.min(self.0.len()).min(buffer.len());
            buffer[..len].copy_from_slice(&self.0[..len]);
            self.0 = &self.0[len..];
            Ok(len)
        }
    }

    fn rows(bytes: &[u8], step: usize) -> Result<Vec<(u64, Vec<String>)>, ClkError> {
        let mut reader = RowReader::new(Steps(bytes, step));
        let mut all = Vec::new();
        let mut rows = Rows::default();
        loop {
            reader.read(&mut rows, 2)?;
            if rows.len() == 0 {
                return Ok(all);
            }
            for index in 0..rows.len() {
                let (line, fields) = rows.row(index);
                all.push((line, fields.map(str::to_owned).collect()));
            }
        }
    }

    #[test]
    fn rows_are_split_as_python_splits_them() {
        // From list(csv.reader(open(file))) of Python 3.11.
        type Row<'a> = (u64, &'a [&'a str]);
        let cases: &[(&str, &[Row<'_>])] = &[
            ("a,b\n1,2\n", &[(1, &["a", "b"]), (2, &["1", "2"])]),
            (
                "a,b\r\n1,2\r3,4",
                &[(1, &["a", "b"]), (2, &["1", "2"]), (3, &["3", "4"])],
            ),
            ("a,\n,\n", &[(1, &["a", ""]), (2, &["", ""])]),
            ("\n\na\n", &[(1, &[]), (2, &[]), (3, &["a"])]),
            (
                "\"a\"\"b\",\"c\r\nd\"\ne\n",
                &[(1, &["a\"b", "c\nd"]), (3, &["e"])],
            ),
            ("a\"b\",\"c\"d\"e,\n", &[(1, &["a\"b\"", "cd\"e", ""])]),
            ("\"open\n,still", &[(1, &["open\n,still"])]),
            ("\"\"", &[(1, &[""])]),
            ("é,\"ö\u{0}\u{1f600}\"\n", &[(1, &["é", "ö\u{0}\u{1f600}"])]),
            ("a,", &[(1, &["a", ""])]),
            ("", &[]),
            ("\n", &[(1, &[])]),
            ("a\r\r\nb", &[(1, &["a"]), (2, &[]), (3, &["b"])]),
        ];
        for (text, expected) in cases {
            for step in [1, 2, 3, 5, 100] {
                let expected: Vec<(u64, Vec<String>)> = expected
                    .iter()
                    .map(|(line, fields)| (*line, fields.iter().map(|f| (*f).to_owned()).collect()))
                    .collect();
                assert_eq!(
                    rows(text.as_bytes(), step).unwrap(),
                    expected,
                    "{text:?} by {step}"
                );
            }
        }
    }

    #[test]
    fn what_is_not_utf_8_is_found_by_line_and_byte() {
        for (bytes, at) in [
            (&b"a,b\nc\xc3,\xa9d\n"[..], (2, 2)),
            (b"a,b\nc,\xff\n", (2, 3)),
            (b"a\r\n\r\nb,\xed\xa0\x80", (3, 3)),
            (b"abc,\xc3", (1, 5)),
        ] {
            for step in [1, 2, 3, 100] {
                match rows(bytes, step) {
                    Err(ClkError::NotUtf8 { line, byte }) => {
                        assert_eq!((line, byte), at, "{bytes:?} by {step}")
                    }
                    other => panic!("{other:?} for {bytes:?} by {step}"),
                }
            }
        }
    }

    #[test]
    fn a_field_has_as_many_characters_as_python_takes() {
        let most = "é".repeat(MOST_FIELD_CHARS);
        assert_eq!(
            rows(format!("a,{most}\n").as_bytes(), 1000).unwrap()[0].1[1],
            most
        );
        for text in [format!("a\nb,{most}x\n"), format!("a\nb,\"{}", most.repeat(9))] {
            let error = rows(text.as_bytes(), 1000).unwrap_err();
            assert!(
                matches!(error, ClkError::FieldTooLong { line: 2, column: 2 }),
                "{error}"
            );
        }
    }
}
