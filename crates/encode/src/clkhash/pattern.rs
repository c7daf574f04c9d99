//! Regular expressions of Python's `re`, matched as `fullmatch` does.
//!
//! Python's syntax and classes are its own (`\w` takes no marks, `$` stands before a last line end, `[[a]` is a set), so
//! that patterns are read here, and matched by following all states at once: no pattern takes longer than its length times
//! the text's. What cannot be matched so (references to groups, atomic groups, possessive repeats) is refused.

mod matcher;
mod parser;
mod set;

use matcher::Program;

/// A pattern to match whole values with.
#[derive(Debug, Clone)]
pub(crate) struct Pattern(Program);

impl Pattern {
    /// Reads a pattern; the error says what is wrong with it.
    pub(crate) fn try_new(pattern: &str) -> Result<Self, String> {
        let node = parser::parse(pattern)?;
        Program::compile(&node).map(Self)
    }

    /// Whether all of a text matches.
    pub(crate) fn is_match(&self, text: &str) -> bool {
        self.0.matches_all(&text.chars().collect::<Vec<_>>())
    }
}

/// A pattern, read.
#[derive(Debug, Clone)]
enum Node {
    Alternatives(Vec<Self>),
    Assert(Assert),
    Look {
        ahead: bool,
        negated: bool,
        node: Box<Self>,
    },
    Repeat {
        node: Box<Self>,
        least: u32,
        most: Option<u32>,
    },
    Sequence(Vec<Self>),
    Set(set::Set),
}

/// A condition on a place between two characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Assert {
    /// `$`: the end, or before a line end there.
    End,
    LineEnd,
    LineStart,
    Start,
    /// `\Z`.
    TextEnd,
    /// Between a character of a word and another, or not.
    WordBoundary {
        ascii: bool,
        negated: bool,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From `re.compile(pattern).fullmatch(text)` of Python 3.11.
    const MATCHES: &[(&str, &str, bool)] = &[
        ("a|ab", "ab", true),
        ("[A-Za-z' -]+", "O'Neil-Smith", true),
        (r"\d{4}", "२००१", true),
        (r"\w+", "e\u{301}", false),
        (r"\w+", "né²", true),
        (r"a\sb", "a\u{1c}b", true),
        ("a$", "a\n", false),
        ("a$\n", "a\n", true),
        ("^a$", "a", true),
        ("(?m)a$\n^b", "a\nb", true),
        (".", "\n", false),
        ("(?s).", "\n", true),
        ("a{,2}", "aa", true),
        ("a{,2}", "aaa", false),
        ("a{,}", "aaaa", true),
        ("a{x}", "a{x}", true),
        ("a{2", "a{2", true),
        ("[]a]+", "a]", true),
        ("[[a]+", "[a", true),
        ("[a-]+", "a-", true),
        (r"[\d-]+", "1-", true),
        ("[^a]", "b", true),
        (r"\D", "1", false),
        (r"[\S]", "a", true),
        (r"[^\W]", "a", true),
        ("[^a]", "a", false),
        (r"\x41\u0042\U00000043\101\0", "ABCA\0", true),
        (r"\.\-\é", ".-é", true),
        ("(?i)straße", "STRASSE", false),
        ("(?i)k", "\u{212a}", true),
        ("(?i)[a-z]+", "ſK", true),
        ("(?i)[^a]", "A", false),
        ("(?i:a)b", "Ab", true),
        ("(?i:a)b", "AB", false),
        ("(?i)a(?-i:b)", "AB", false),
        (r"(?a)\w+", "é", false),
        ("(?x) a b # c\n c", "abc", true),
        (r"(?!0)\d+", "012", false),
        (r"(?!0)\d+", "12", true),
        (r"(?=.*\d)\w+", "ab1", true),
        (r".+(?<=x)", "abx", true),
        (r".+(?<!x)", "abx", false),
        (r"\bfoo\b.*", "foo bar", true),
        (r"foo\B.*", "foo bar", false),
        ("(?:a?){3}", "aa", true),
        ("(a*)*", "aaa", true),
        ("(?P<x>a)(b)??", "ab", true),
        ("a(?#no)b", "ab", true),
        (r"\Aa\Z", "a", true),
        ("", "", true),
        ("a||b", "", true),
        ("[a&&b]+", "a&b", true),
    ];

    #[test]
    fn texts_match_as_in_python() {
        for (pattern, text, expected) in MATCHES {
            let read = Pattern::try_new(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
            assert_eq!(read.is_match(text), *expected, "{pattern} on {text:?}");
        }
    }

    #[test]
    fn what_python_refuses_or_this_cannot_match_is_refused() {
        for pattern in [
            "*a",
            "a**",
            "a{2}{3}",
            "(",
            ")",
            "[a",
            "[b-a]",
            r"[\d-a]",
            r"\q",
            r"\",
            "(?z)a",
            "a(?i)b",
            "^*",
            "(?P<1>a)",
            "(?P<a>b)(?P<a>c)",
            "(?<=a*)b",
            r"(a)\1",
            "(?P<x>a)(?P=x)",
            "(?>a)",
            "a*+",
            "(a)(?(1)b|c)",
            r"\N{DASH}",
            "a{3,2}",
            r"\x4",
            r"[\A]",
            "(?L)a",
            "(?au)a",
            "(?-a:b)",
            "(?",
            "(?P",
            "a{99999}{9}",
            "(?:a{9999}){9999}",
        ] {
            assert!(Pattern::try_new(pattern).is_err(), "{pattern}");
        }
    }
}
