use crate::clkhash::python::{is_same_folded, is_space, is_word, to_digit, to_lower};

/// Characters that match at one place.
#[derive(Debug, Clone)]
pub(super) struct Set {
    negated: bool,
    items: Vec<Item>,
    /// Compared by [`to_lower`], or by ASCII letters alone.
    fold: Option<Fold>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fold {
    Ascii,
    Unicode,
}

/// Part of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    Class {
        class: Class,
        ascii: bool,
        negated: bool,
    },
    Range(char, char),
}

/// `\d`, `\s` and `\w`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Digit,
    Space,
    Word,
}

/// Characters of a set that are compared one by one where case is ignored; a larger one is refused.
const MOST_FOLDED: usize = 20_000;

impl Set {
    /// A set of items, in any case when `ignore_case`; the error says what is wrong with it.
    pub(super) fn try_new(
        items: Vec<Item>,
        negated: bool,
        ignore_case: bool,
        ascii: bool,
    ) -> Result<Self, String> {
        if !ignore_case {
            return Ok(Self {
                negated,
                items,
                fold: None,
            });
        }
        let fold = if ascii { Fold::Ascii } else { Fold::Unicode };
        let mut folded = Vec::new();
        for item in items {
            match item {
                Item::Class { .. } => folded.push(item),
                Item::Range(first, last) => {
                    for c in first..=last {
                        let c = fold.apply(c);
                        if !folded.contains(&Item::Range(c, c)) {
                            folded.push(Item::Range(c, c));
                        }
                        if folded.len() > MOST_FOLDED {
                            return Err("has too large a set where case is ignored: write it out".to_owned());
                        }
                    }
                }
            }
        }
        Ok(Self {
            negated,
            items: folded,
            fold: Some(fold),
        })
    }

    pub(super) fn has(&self, c: char) -> bool {
        let c = self.fold.map_or(c, |fold| fold.apply(c));
        let found = self.items.iter().any(|item| match *item {
            Item::Range(first, _) if self.fold == Some(Fold::Unicode) => is_same_folded(first, c),
            Item::Range(first, last) => (first..=last).contains(&c),
            Item::Class {
                class,
                ascii,
                negated,
            } => class.has(c, ascii) != negated,
        });
        found != self.negated
    }
}

impl Fold {
    fn apply(self, c: char) -> char {
        match self {
            Self::Ascii => c.to_ascii_lowercase(),
            Self::Unicode => to_lower(c),
        }
    }
}

impl Class {
    pub(super) fn has(self, c: char, ascii: bool) -> bool {
        if ascii && !c.is_ascii() {
            return false;
        }
        match self {
            Self::Digit => to_digit(c).is_some(),
            // Only the six of C are blanks of ASCII.
            Self::Space => is_space(c) && !(ascii && matches!(c, '\u{1c}'..='\u{1f}')),
            Self::Word => is_word(c),
        }
    }
}
