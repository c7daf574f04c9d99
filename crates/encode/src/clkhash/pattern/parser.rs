//! Python's syntax of regular expressions.

mod escape;

use super::set::{Class, Item, Set};
use super::{Assert, Node};

pub(super) fn parse(pattern: &str) -> Result<Node, String> {
    let mut parser = Parser {
        chars: pattern.chars().collect(),
        at: 0,
        flags: Flags::default(),
        names: Vec::new(),
        depth: 0,
    };
    let node = parser.alternatives(true)?;
    if parser.at < parser.chars.len() {
        return Err("has a ) without its (".to_owned());
    }
    Ok(node)
}

#[derive(Debug, Clone, Copy, Default)]
struct Flags {
    ascii: bool,
    ignore_case: bool,
    multi_line: bool,
    dot_all: bool,
    verbose: bool,
}

struct Parser {
    chars: Vec<char>,
    at: usize,
    flags: Flags,
    names: Vec<String>,
    depth: usize,
}

/// Groups within groups at most.
const MOST_DEPTH: usize = 200;

/// Most repeats that are written as a number.
const MOST_REPEATS: u32 = 100_000;

/// What a repeat may follow.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Assert,
    Item,
    Nothing,
    Repeat,
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek();
        self.at += usize::from(c.is_some());
        c
    }

    fn take(&mut self, c: char) -> bool {
        let found = self.peek() == Some(c);
        self.at += usize::from(found);
        found
    }

    fn alternatives(&mut self, top: bool) -> Result<Node, String> {
        self.depth += 1;
        if self.depth > MOST_DEPTH {
            return Err("has too many groups within groups".to_owned());
        }
        let mut all = vec![self.sequence(top)?];
        while self.take('|') {
            all.push(self.sequence(false)?);
        }
        self.depth -= 1;
        Ok(if all.len() == 1 {
            all.remove(0)
        } else {
            Node::Alternatives(all)
        })
    }

    /// A sequence up to `|`, `)` or the end. Flags for all of the pattern stand at its very beginning only.
    fn sequence(&mut self, may_set_flags: bool) -> Result<Node, String> {
        let mut nodes: Vec<Node> = Vec::new();
        let mut before = Before::Nothing;
        while let Some(c) = self.peek() {
            if matches!(c, '|' | ')') {
                break;
            }
            self.at += 1;
            if self.flags.verbose && is_verbose_blank(c) {
                continue;
            }
            if self.flags.verbose && c == '#' {
                while self.next().is_some_and(|c| c != '\n') {}
                continue;
            }
            let (node, kind) = match c {
                '\\' => self.escape()?,
                '[' => (self.set()?, Before::Item),
                '*' | '+' | '?' | '{' => {
                    let Some((least, most)) = self.repeat(c)? else {
                        nodes.push(self.literal('{')?);
                        before = Before::Item;
                        continue;
                    };
                    let node = match (before, nodes.pop()) {
                        (Before::Item, Some(node)) => node,
                        (Before::Repeat, _) => return Err("repeats a repeat".to_owned()),
                        _ => return Err("has a repeat of nothing".to_owned()),
                    };
                    if !self.take('?') && self.peek() == Some('+') {
                        return Err(
                            "has a possessive repeat, which is not supported: write it without".to_owned(),
                        );
                    }
                    let node = Box::new(node);
                    (Node::Repeat { node, least, most }, Before::Repeat)
                }
                '.' => (self.dot()?, Before::Item),
                '(' => match self.group(may_set_flags && nodes.is_empty())? {
                    Some(node) => (node, Before::Item),
                    None => continue,
                },
                '^' if self.flags.multi_line => (Node::Assert(Assert::LineStart), Before::Assert),
                '^' => (Node::Assert(Assert::Start), Before::Assert),
                '$' if self.flags.multi_line => (Node::Assert(Assert::LineEnd), Before::Assert),
                '$' => (Node::Assert(Assert::End), Before::Assert),
                c => (self.literal(c)?, Before::Item),
            };
            nodes.push(node);
            before = kind;
        }
        Ok(Node::Sequence(nodes))
    }

    fn one(&self, items: Vec<Item>, negated: bool) -> Result<Node, String> {
        Set::try_new(items, negated, self.flags.ignore_case, self.flags.ascii).map(Node::Set)
    }

    fn literal(&self, c: char) -> Result<Node, String> {
        self.one(vec![Item::Range(c, c)], false)
    }

    const fn class(&self, class: Class, negated: bool) -> Item {
        Item::Class {
            class,
            ascii: self.flags.ascii,
            negated,
        }
    }

    fn dot(&self) -> Result<Node, String> {
        let items = if self.flags.dot_all {
            Vec::new()
        } else {
            vec![Item::Range('\n', '\n')]
        };
        Set::try_new(items, true, false, false).map(Node::Set)
    }

    /// The bounds of a repeat; `None` when a `{` is just that.
    fn repeat(&mut self, c: char) -> Result<Option<(u32, Option<u32>)>, String> {
        match c {
            '*' => return Ok(Some((0, None))),
            '+' => return Ok(Some((1, None))),
            '?' => return Ok(Some((0, Some(1)))),
            _ => {}
        }
        let here = self.at;
        if self.peek() == Some('}') {
            return Ok(None);
        }
        let least = self.number()?;
        let most = if self.take(',') { self.number()? } else { least };
        if !self.take('}') {
            self.at = here;
            return Ok(None);
        }
        let least = least.unwrap_or(0);
        if most.is_some_and(|most| most < least) {
            return Err("has a repeat with its bounds the wrong way round".to_owned());
        }
        Ok(Some((least, most)))
    }

    fn number(&mut self) -> Result<Option<u32>, String> {
        let mut number = None;
        while let Some(digit) = self
            .peek()
            .filter(char::is_ascii_digit)
            .and_then(|c| c.to_digit(10))
        {
            self.at += 1;
            let value = number.unwrap_or(0) * 10 + digit;
            if value > MOST_REPEATS {
                return Err("repeats too much: write it shorter".to_owned());
            }
            number = Some(value);
        }
        Ok(number)
    }

    /// What follows a `(`; `None` for what matches nothing and can be left out.
    fn group(&mut self, may_set_flags: bool) -> Result<Option<Node>, String> {
        let before = self.flags;
        let mut look = None;
        if self.take('?') {
            match self.next().ok_or(UNCLOSED)? {
                'P' => self.name()?,
                ':' => {}
                '#' => {
                    while self.next().ok_or(UNCLOSED)? != ')' {}
                    return Ok(None);
                }
                '=' => look = Some((true, false)),
                '!' => look = Some((true, true)),
                '<' => match self.next().ok_or(UNCLOSED)? {
                    '=' => look = Some((false, false)),
                    '!' => look = Some((false, true)),
                    _ => return Err("has an unknown kind of group after (?<".to_owned()),
                },
                '(' => return Err("has a group with a condition, which is not supported".to_owned()),
                '>' => return Err("has an atomic group, which is not supported".to_owned()),
                c => {
                    if self.set_flags(c)? {
                        if !may_set_flags {
                            return Err("sets flags after its beginning".to_owned());
                        }
                        return Ok(None);
                    }
                }
            }
        }
        let node = self.alternatives(false)?;
        if !self.take(')') {
            return Err(UNCLOSED.to_owned());
        }
        self.flags = before;
        Ok(Some(match look {
            None => node,
            Some((ahead, negated)) => Node::Look {
                ahead,
                negated,
                node: Box::new(node),
            },
        }))
    }

    /// The rest of `(?P<name>`.
    fn name(&mut self) -> Result<(), String> {
        match self.next().ok_or(UNCLOSED)? {
            '<' => {}
            '=' => return Err("has a reference to a group, which is not supported".to_owned()),
            _ => return Err("has an unknown kind of group after (?P".to_owned()),
        }
        let mut name = String::new();
        loop {
            match self.next().ok_or(UNCLOSED)? {
                '>' => break,
                c => name.push(c),
            }
        }
        let letters = name.chars().all(|c| c.is_alphanumeric() || c == '_');
        if name.is_empty() || !letters || name.starts_with(char::is_numeric) {
            return Err("has a group whose name is none".to_owned());
        }
        if self.names.contains(&name) {
            return Err(format!("has two groups '{name}'"));
        }
        self.names.push(name);
        Ok(())
    }

    /// Sets flags from `c` on; `true` when they are for all of the pattern, `false` when for the group that begins.
    fn set_flags(&mut self, mut c: char) -> Result<bool, String> {
        let mut on = true;
        let (mut unicode, mut ascii, mut any) = (false, false, false);
        let before = self.flags;
        loop {
            let flags = &mut self.flags;
            match c {
                'i' => flags.ignore_case = on,
                'm' => flags.multi_line = on,
                's' => flags.dot_all = on,
                'x' => flags.verbose = on,
                'a' if on => (flags.ascii, ascii) = (true, true),
                'u' if on => (flags.ascii, unicode) = (false, true),
                '-' if on => {
                    on = false;
                    any = false;
                    c = self.next().ok_or(UNCLOSED)?;
                    continue;
                }
                ')' if any && on => break,
                ':' if any => break,
                _ => return Err("has an unknown kind of group or flag after (?".to_owned()),
            }
            any = true;
            c = self.next().ok_or(UNCLOSED)?;
        }
        if ascii && unicode {
            return Err("has the flags a and u, which exclude each other".to_owned());
        }
        // Flags for all of a pattern are joined: a later u does not undo an a, it contradicts it.
        if c == ')' && unicode && before.ascii {
            return Err("has the flags a and u, which exclude each other".to_owned());
        }
        Ok(c == ')')
    }
}

const UNCLOSED: &str = "has a ( without its )";

/// The blanks that a verbose pattern may have anywhere.
const fn is_verbose_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}')
}
