//! Dates as Python's `datetime.strptime` reads them, written as clkhash hashes them.
//!
//! A format is a sequence of letters, blanks and directives, matched from left to right with every directive taking the
//! first of its forms that lets the rest match. What is left over after that match is an error, even where another match
//! would have taken everything.

mod calendar;
mod fields;

use std::fmt::Write as _;

use super::python::{is_same_folded, is_space, to_lower};
use fields::{Fields, forms, names};

/// A `strptime` format.
#[derive(Debug, Clone)]
pub(crate) struct DateFormat(Vec<Item>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item {
    /// One or more blanks.
    Blanks,
    /// Its letter, and its number among the directives.
    Directive(u8, usize),
    /// This character, in any case.
    Literal(char),
}

/// What `strptime` puts a backslash before, so that a `%` in front of it is no directive.
const ESCAPED: &str = "\\.^$*+?(){}[]|";

impl DateFormat {
    /// Reads a format; the error says what is wrong with it.
    pub(crate) fn try_new(format: &str) -> Result<Self, String> {
        let mut items = Vec::new();
        let mut directives = 0;
        let mut chars = format.chars().peekable();
        while let Some(c) = chars.next() {
            if is_space(c) {
                while chars.next_if(|c| is_space(*c)).is_some() {}
                items.push(Item::Blanks);
                continue;
            }
            if c != '%' {
                items.push(Item::Literal(to_lower(c)));
                continue;
            }
            let directive = chars.next().ok_or("ends with a stray %")?;
            let item = match directive {
                '%' => Item::Literal('%'),
                'c' | 'x' | 'X' | 'Z' => {
                    return Err(format!(
                        "has %{directive}, whose meaning is another on every machine"
                    ));
                }
                c if is_space(c) || ESCAPED.contains(c) => {
                    return Err("has a bad directive after %".to_owned());
                }
                c => u8::try_from(c)
                    .ok()
                    .filter(|name| fields::is_known(*name))
                    .map(|name| Item::Directive(name, directives))
                    .ok_or_else(|| format!("has %{c}, which is no directive of strptime"))?,
            };
            if let Item::Directive(name, _) = item {
                if items
                    .iter()
                    .any(|item| matches!(item, Item::Directive(other, _) if *other == name))
                {
                    return Err(format!("has %{directive} twice"));
                }
                directives += 1;
            }
            items.push(item);
        }
        Ok(Self(items))
    }

    /// Reads a date and writes it as clkhash does (`%Y%m%d`; as in C, a year below 1000 has no leading zeros). The error
    /// says what is wrong with it.
    pub(crate) fn reformat(&self, text: &str, out: &mut String) -> Result<(), &'static str> {
        // Dates are short: they are spread out on the stack.
        let mut short = ['\0'; 32];
        let long: Vec<char>;
        let text = if text.len() <= short.len() {
            let chars = text.chars().zip(&mut short).map(|(c, place)| *place = c).count();
            &short[..chars]
        } else {
            long = text.chars().collect();
            &long
        };
        let mut found = Found::default();
        let end = matched(&self.0, text, 0, &mut found).ok_or("does not match the date format")?;
        if end != text.len() {
            return Err("goes on after the date");
        }
        let mut fields = Fields::default();
        for item in &self.0 {
            if let Item::Directive(name, number) = item {
                let (from, to) = found[*number];
                fields.read(*name, &text[from..to])?;
            }
        }
        let (year, month, day) = fields.to_date()?;
        if year >= 1000 {
            for (number, power) in [
                (year, 1000),
                (year, 100),
                (year, 10),
                (year, 1),
                (month, 10),
                (month, 1),
                (day, 10),
                (day, 1),
            ] {
                out.push(char::from(
                    b"0123456789"[usize::try_from(number / power % 10).unwrap_or(0)],
                ));
            }
        } else {
            write!(out, "{year}{month:02}{day:02}").expect("writing to a String");
        }
        Ok(())
    }
}

/// Where every directive of a format was found. There are fewer than that, and none is there twice.
type Found = [(usize, usize); 32];

/// Where the first match of `items` at `at` ends, and what the directives took.
fn matched(items: &[Item], text: &[char], at: usize, found: &mut Found) -> Option<usize> {
    let Some((first, rest)) = items.split_first() else {
        return Some(at);
    };
    let open = &text[at..];
    match *first {
        Item::Literal(c) => {
            let same = open.first().is_some_and(|&o| is_same_folded(to_lower(o), c));
            same.then(|| matched(rest, text, at + 1, found))?
        }
        Item::Blanks => {
            let most = open.iter().take_while(|c| is_space(**c)).count();
            (1..=most)
                .rev()
                .find_map(|len| matched(rest, text, at + len, found))
        }
        Item::Directive(name, number) => {
            let mut take = |len: usize| {
                let end = matched(rest, text, at + len, found)?;
                found[number] = (at, at + len);
                Some(end)
            };
            if name == b'z' {
                return fields::zone_lengths(open).into_iter().find_map(take);
            }
            for form in forms(name).iter().filter(|form| fields::has_form(open, form)) {
                if let Some(end) = take(form.len() / 2) {
                    return Some(end);
                }
            }
            names(name)
                .iter()
                .filter(|name| fields::has_name(open, name))
                .find_map(|name| take(name.len()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(format: &str, text: &str) -> Option<String> {
        let mut out = String::new();
        let format = DateFormat::try_new(format).unwrap();
        format.reformat(text, &mut out).ok().map(|()| out)
    }

    #[test]
    fn dates_are_read_as_strptime_reads_them() {
        // From datetime.strptime(text, format).strftime("%Y%m%d") of Python 3.11 on Linux.
        for (format, text, expected) in [
            ("%Y-%m-%d", "1996-12-19", "19961219"),
            ("%Y-%m-%d", "1996-2-3", "19960203"),
            ("%d/%m/%y", "31/12/68", "20681231"),
            ("%d/%m/%y", "31/12/69", "19691231"),
            ("%d%m%Y", "1112000", "20000111"),
            ("%d%m%y", "11112", "20120111"),
            ("%d %B %Y", "3\u{a0}\tmAy 2001", "20010503"),
            ("%Y-%m-%d", "0999-01-02", "9990102"),
            ("%Y-%m-%d", "0000-01-02", ""),
            ("%m-%d", "02-29", ""),
            ("%Y %j", "2019 366", "20200101"),
            ("%Y %U %w", "2001 00 0", "20001231"),
            ("%G-W%V-%u", "2020-W53-7", "20210103"),
            ("%V %u", "01 1", ""),
            (
                "%Y-%m-%dT%H:%M:%S.%f%z",
                "2001-02-03T04:05:06.7+01:30",
                "20010203",
            ),
            ("%Y-%m-%dT%H:%M:%S", "2001-02-03T04:05:61", ""),
            ("%Y%m%d%%", "20010203%", "20010203"),
            ("%Y-%m-%d", "२००१-02-03", "20010203"),
            ("%Y-%m-%d", "2001-02-30", ""),
            ("%Y-%m-%d", "2001-02-03 ", ""),
        ] {
            let expected = Some(expected).filter(|text| !text.is_empty());
            assert_eq!(date(format, text).as_deref(), expected, "{format} {text}");
        }
    }

    #[test]
    fn formats_that_python_refuses_or_that_mean_other_things_elsewhere_are_refused() {
        for format in ["%", "%Q", "% d", "%.", "%d%d", "%c", "%x", "%-d", "%é"] {
            assert!(DateFormat::try_new(format).is_err(), "{format}");
        }
    }
}
