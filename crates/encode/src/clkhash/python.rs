//! What Python 3.11 takes text to be: its digits, white space, letters and numbers. clkhash's encodings and checks rest on
//! them, and they are not quite Rust's.

/// White space of `str.isspace` and of `\s`.
pub(crate) fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

/// The value of a decimal digit of any script, as `int` and `\d` take it.
pub(crate) fn to_digit(c: char) -> Option<u8> {
    if c.is_ascii() {
        return u8::try_from(c).ok().filter(u8::is_ascii_digit).map(|c| c - b'0');
    }
    let code = u32::from(c);
    let after = DECIMAL_ZEROS.partition_point(|&zero| zero <= code);
    let value = code - DECIMAL_ZEROS[after.checked_sub(1)?];
    u8::try_from(value).ok().filter(|value| *value < 10)
}

/// A character of `\w`.
pub(crate) fn is_word(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || c == '_';
    }
    // What is alphabetic without being a letter: marks and circled letters.
    let circled = matches!(
        c,
        '\u{24b6}'..='\u{24e9}' | '\u{1f130}'..='\u{1f149}' | '\u{1f150}'..='\u{1f169}' | '\u{1f170}'..='\u{1f189}'
    );
    let letter = c.is_alphabetic() && !unicode_normalization::char::is_combining_mark(c) && !circled;
    (letter || c.is_numeric()) && !is_new_letter(c)
}

/// Whether `str.lower` leaves the character as it is.
pub(crate) fn is_lower(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_uppercase();
    }
    has_new_case(c) || c.to_lowercase().eq([c])
}

/// Whether `str.upper` leaves the character as it is.
pub(crate) fn is_upper(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_lowercase();
    }
    has_new_case(c) || c.to_uppercase().eq([c])
}

/// The one character `re` compares by when case is ignored.
pub(crate) fn to_lower(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    if has_new_case(c) {
        return c;
    }
    c.to_lowercase().next().unwrap_or(c)
}

/// Whether `re` takes two characters of [`to_lower`] for the same when case is ignored.
pub(crate) fn is_same_folded(left: char, right: char) -> bool {
    left == right || (!left.is_ascii() || !right.is_ascii()) && left.to_uppercase().eq(right.to_uppercase())
}

/// Most digits `int` reads (`sys.int_info.default_max_str_digits`).
pub(crate) const MOST_DIGITS: usize = 4300;

/// What `int(text, 10)` reads, as the digits `str` would write: no blanks, no `+`, no leading zeros. `false` and nothing
/// written when it raises `ValueError`.
pub(crate) fn read_integer(text: &str, out: &mut String) -> bool {
    let begin = out.len();
    let trimmed = trim(text);
    let (negative, digits) = match trimmed.as_bytes().first() {
        Some(b'-') => (true, &trimmed[1..]),
        Some(b'+') => (false, &trimmed[1..]),
        _ => (false, trimmed),
    };
    if negative {
        out.push('-');
    }
    let sign_end = out.len();
    let (mut read, mut after_digit) = (0, false);
    for c in digits.chars() {
        if let Some(digit) = to_digit(c) {
            read += 1;
            after_digit = true;
            if digit != 0 || out.len() > sign_end {
                out.push(char::from(b'0' + digit));
            }
        } else if c == '_' && after_digit {
            after_digit = false;
        } else {
            out.truncate(begin);
            return false;
        }
    }
    if !after_digit || read > MOST_DIGITS {
        out.truncate(begin);
        return false;
    }
    if out.len() == sign_end {
        out.truncate(begin);
        out.push('0');
    }
    true
}

/// What `float(text)` reads; `None` when it raises `ValueError`.
pub(crate) fn read_float(text: &str) -> Option<f64> {
    let mut plain = String::with_capacity(text.len());
    let mut before = ' ';
    for c in trim(text).chars() {
        let c = to_digit(c).map_or(c, |digit| char::from(b'0' + digit));
        // An underscore stands between two digits.
        if before == '_' && !c.is_ascii_digit() || c == '_' && !before.is_ascii_digit() {
            return None;
        }
        if c != '_' {
            plain.push(c);
        }
        before = c;
    }
    if before == '_' {
        return None;
    }
    plain.parse().ok()
}

/// Without the blanks `int` and `float` allow around a number: the six of C, and what is not ASCII and blank.
fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| {
        matches!(c, ' ' | '\t' | '\n' | '\u{b}' | '\u{c}' | '\r') || !c.is_ascii() && is_space(c)
    })
}

/// In pairs: letters and numbers of Unicode 15 and later, which Python 3.11 (Unicode 14) does not know as such.
const NEW_LETTERS: &[u32] = &[
    0x88f, 0x88f, 0x897, 0x897, 0xc5c, 0xc5c, 0xcdc, 0xcdc, 0xcf3, 0xcf3, 0x1c89, 0x1c8a, 0xa7cb, 0xa7cf,
    0xa7d2, 0xa7d2, 0xa7d4, 0xa7d4, 0xa7da, 0xa7dc, 0xa7f1, 0xa7f1, 0x105c0, 0x105f3, 0x10940, 0x10959,
    0x10d40, 0x10d65, 0x10d69, 0x10d69, 0x10d6f, 0x10d85, 0x10ec2, 0x10ec7, 0x10efa, 0x10efc, 0x1123f,
    0x11241, 0x11380, 0x11389, 0x1138b, 0x1138b, 0x1138e, 0x1138e, 0x11390, 0x113b5, 0x113b7, 0x113c0,
    0x113c2, 0x113c2, 0x113c5, 0x113c5, 0x113c7, 0x113ca, 0x113cc, 0x113cd, 0x113d1, 0x113d1, 0x113d3,
    0x113d3, 0x116d0, 0x116e3, 0x11b60, 0x11b67, 0x11bc0, 0x11be0, 0x11bf0, 0x11bf9, 0x11db0, 0x11ddb,
    0x11de0, 0x11de9, 0x11f00, 0x11f10, 0x11f12, 0x11f3a, 0x11f3e, 0x11f40, 0x11f50, 0x11f59, 0x1342f,
    0x1342f, 0x13441, 0x13446, 0x13460, 0x143fa, 0x16100, 0x1612e, 0x16130, 0x16139, 0x16d40, 0x16d6c,
    0x16d70, 0x16d79, 0x16ea0, 0x16eb8, 0x16ebb, 0x16ed3, 0x16ff2, 0x16ff6, 0x187f8, 0x187ff, 0x18cff,
    0x18cff, 0x18d09, 0x18d1e, 0x18d80, 0x18df2, 0x1b132, 0x1b132, 0x1b155, 0x1b155, 0x1ccf0, 0x1ccf9,
    0x1d2c0, 0x1d2d3, 0x1df25, 0x1df2a, 0x1e030, 0x1e06d, 0x1e08f, 0x1e08f, 0x1e4d0, 0x1e4eb, 0x1e4f0,
    0x1e4f9, 0x1e5d0, 0x1e5ed, 0x1e5f0, 0x1e5fa, 0x1e6c0, 0x1e6de, 0x1e6e0, 0x1e6f5, 0x1e6fe, 0x1e6ff,
    0x2b739, 0x2b73f, 0x2cea2, 0x2cead, 0x2ebf0, 0x2ee5d, 0x31350, 0x33479,
];

/// In pairs: characters that have had another case since Unicode 15.
const NEW_CASES: &[u32] = &[
    0x19b, 0x19b, 0x264, 0x264, 0x1c89, 0x1c8a, 0xa7cb, 0xa7cf, 0xa7d2, 0xa7d5, 0xa7da, 0xa7dc, 0x10d50,
    0x10d65, 0x10d70, 0x10d85, 0x16ea0, 0x16eb8, 0x16ebb, 0x16ed3,
];

fn is_new_letter(c: char) -> bool {
    is_within(NEW_LETTERS, c)
}

fn has_new_case(c: char) -> bool {
    !c.is_ascii() && is_within(NEW_CASES, c)
}

fn is_within(pairs: &[u32], c: char) -> bool {
    let code = u32::from(c);
    let after = pairs.partition_point(|&bound| bound < code);
    after % 2 == 1 || pairs.get(after) == Some(&code)
}

/// The digit zero of every script with decimal digits in Unicode 14.
const DECIMAL_ZEROS: &[u32] = &[
    0x30, 0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6, 0xe50,
    0xed0, 0xf20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40,
    0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10, 0x104a0, 0x10d30, 0x11066,
    0x110f0, 0x11136, 0x111d0, 0x112f0, 0x11450, 0x114d0, 0x11650, 0x116c0, 0x11730, 0x118e0, 0x11950,
    0x11c50, 0x11d50, 0x11da0, 0x16a60, 0x16ac0, 0x16b50, 0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6,
    0x1e140, 0x1e2f0, 0x1e950, 0x1fbf0,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn integer(text: &str) -> Option<String> {
        let mut out = String::from("x");
        let read = read_integer(text, &mut out);
        (read || out != "x").then(|| out[1..].to_owned())
    }

    #[test]
    fn integers_are_read_as_python_reads_them() {
        for (text, value) in [
            ("13", "13"),
            ("+13", "13"),
            (" \u{b}-013\u{a0}\n", "-13"),
            ("1_000", "1000"),
            ("-0", "0"),
            ("00_0", "0"),
            ("\u{85}\u{663}\u{ff12}", "32"),
        ] {
            assert_eq!(integer(text).as_deref(), Some(value), "{text:?}");
        }
        for text in [
            "", " ", "+", "- 5", "1__0", "_1", "1_", "0x5", "5\0", "\u{1c}5", "\u{b2}", "1.0", "--1", "5 5",
        ] {
            assert_eq!(integer(text), None, "{text:?}");
        }
        assert!(integer(&"1".repeat(MOST_DIGITS)).is_some());
        assert_eq!(integer(&"0".repeat(MOST_DIGITS + 1)), None);
    }

    #[test]
    fn floats_are_read_as_python_reads_them() {
        for (text, value) in [
            ("1.5", 1.5),
            (" 1_0.2_5e1 ", 102.5),
            (".5", 0.5),
            ("5.", 5.0),
            ("-\u{663}e2", -300.0),
            ("inFinity", f64::INFINITY),
        ] {
            assert_eq!(
                read_float(text).map(f64::to_bits),
                Some(value.to_bits()),
                "{text:?}"
            );
        }
        assert!(read_float("nan").is_some_and(f64::is_nan));
        for text in [
            "", ".", "1e", "1_.5", "1._5", "_1", "1_", "1e_5", "0x1p3", "1 0", "in_f", "e5", "1__0",
        ] {
            assert_eq!(read_float(text).map(f64::to_bits), None, "{text:?}");
        }
    }

    #[test]
    fn words_digits_and_cases_are_those_of_unicode_14() {
        assert!(is_word('é') && is_word('²') && is_word('٣') && is_word('_') && is_word('漢'));
        assert!(!is_word('\u{301}') && !is_word('Ⓐ') && !is_word('\u{1c89}') && !is_word('-'));
        assert_eq!(
            (to_digit('٣'), to_digit('²'), to_digit('9')),
            (Some(3), None, Some(9))
        );
        assert_eq!((to_digit('\u{10d40}'), to_digit('\u{63a}')), (None, None));
        assert!(is_lower('ß') && !is_upper('ß') && is_upper('\u{1c8a}') && !is_lower('Σ'));
        assert!(is_same_folded('i', 'ı') && is_same_folded('s', 'ſ') && !is_same_folded('i', 'j'));
        assert!(is_within(&[3, 5], '\u{4}') && is_within(&[3, 5], '\u{3}') && is_within(&[3, 5], '\u{5}'));
        assert!(!is_within(&[3, 5], '\u{6}') && !is_within(&[3, 5], '\u{2}') && is_within(&[4, 4], '\u{4}'));
    }
}
