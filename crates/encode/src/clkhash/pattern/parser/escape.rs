//! Sets, and what follows a backslash.

use super::{Assert, Before, Class, Item, Node, Parser};

impl Parser {
    /// A set, after its `[`.
    pub(super) fn set(&mut self) -> Result<Node, String> {
        const OPEN: &str = "has a [ without its ]";
        let negated = self.take('^');
        let mut items = Vec::new();
        loop {
            let c = self.next().ok_or(OPEN)?;
            if c == ']' && !items.is_empty() {
                break;
            }
            let first = self.set_item(c)?;
            if !self.take('-') {
                items.push(first);
                continue;
            }
            let c = self.next().ok_or(OPEN)?;
            if c == ']' {
                items.extend([first, Item::Range('-', '-')]);
                break;
            }
            match (first, self.set_item(c)?) {
                (Item::Range(first, _), Item::Range(last, _)) if first <= last => {
                    items.push(Item::Range(first, last))
                }
                _ => return Err("has a range in a set that is none".to_owned()),
            }
        }
        self.one(items, negated)
    }

    fn set_item(&mut self, c: char) -> Result<Item, String> {
        let single = |c| Ok(Item::Range(c, c));
        if c != '\\' {
            return single(c);
        }
        let c = self.next().ok_or(STRAY)?;
        match c {
            'b' => single('\u{8}'),
            '0'..='7' => {
                let c = self.octal(c, 3)?;
                single(c)
            }
            _ => match self.class_escape(c) {
                Some(item) => Ok(item),
                None => self.character_escape(c).and_then(single),
            },
        }
    }

    /// What follows a backslash outside sets.
    pub(super) fn escape(&mut self) -> Result<(Node, Before), String> {
        let c = self.next().ok_or(STRAY)?;
        let boundary = |negated| Assert::WordBoundary {
            ascii: self.flags.ascii,
            negated,
        };
        let assert = match c {
            'A' => Some(Assert::Start),
            'Z' => Some(Assert::TextEnd),
            'b' => Some(boundary(false)),
            'B' => Some(boundary(true)),
            _ => None,
        };
        if let Some(assert) = assert {
            return Ok((Node::Assert(assert), Before::Assert));
        }
        if let Some(item) = self.class_escape(c) {
            return Ok((self.one(vec![item], false)?, Before::Item));
        }
        let c = match c {
            '0' => self.octal(c, 3)?,
            '1'..='9' => {
                let is_octal = |at: usize| self.chars.get(at).is_some_and(|c| ('0'..='7').contains(c));
                if c > '7' || !is_octal(self.at) || !is_octal(self.at + 1) {
                    return Err("has a reference to a group, which is not supported".to_owned());
                }
                self.octal(c, 3)?
            }
            c => self.character_escape(c)?,
        };
        Ok((self.literal(c)?, Before::Item))
    }

    fn class_escape(&self, c: char) -> Option<Item> {
        let class = match c.to_ascii_lowercase() {
            'd' => Class::Digit,
            's' => Class::Space,
            'w' => Class::Word,
            _ => return None,
        };
        Some(self.class(class, c.is_ascii_uppercase()))
    }

    fn character_escape(&mut self, c: char) -> Result<char, String> {
        Ok(match c {
            'a' => '\u{7}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            'x' => self.hexadecimal(2)?,
            'u' => self.hexadecimal(4)?,
            'U' => self.hexadecimal(8)?,
            'N' => {
                return Err(
                    "has a character by its name, which is not supported: write \\u and its number"
                        .to_owned(),
                );
            }
            c if c.is_ascii_alphanumeric() => return Err(format!("has a bad escape \\{c}")),
            c => c,
        })
    }

    fn hexadecimal(&mut self, digits: usize) -> Result<char, String> {
        let mut code = 0_u32;
        for _ in 0..digits {
            let digit = self.next().and_then(|c| c.to_digit(16)).ok_or(BAD_NUMBER)?;
            code = code << 4 | digit;
        }
        char::from_u32(code).ok_or_else(|| BAD_NUMBER.to_owned())
    }

    /// A number of at most so many octal digits, the first of which is read already.
    fn octal(&mut self, first: char, digits: u32) -> Result<char, String> {
        let mut code = first.to_digit(8).unwrap_or(0);
        for _ in 1..digits {
            let Some(digit) = self.peek().and_then(|c| c.to_digit(8)) else {
                break;
            };
            self.at += 1;
            code = code * 8 + digit;
        }
        u8::try_from(code)
            .map(char::from)
            .map_err(|_| BAD_NUMBER.to_owned())
    }
}

const STRAY: &str = "ends with a backslash";
const BAD_NUMBER: &str = "has a character by a number that is none";
