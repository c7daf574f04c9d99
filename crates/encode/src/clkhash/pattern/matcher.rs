//! All ways through a pattern, followed at once.

use super::set::{Class, Set};
use super::{Assert, Node};

/// A pattern as steps.
#[derive(Debug, Clone)]
pub(super) struct Program(Vec<Step>);

#[derive(Debug, Clone)]
enum Step {
    Assert(Assert),
    /// Two ways on.
    Fork(usize, usize),
    Jump(usize),
    Look {
        /// Characters to look back on; ahead when not given.
        behind: Option<usize>,
        negated: bool,
        program: Program,
    },
    Match,
    Set(Set),
}

/// Most steps of a pattern, repeats written out.
const MOST_STEPS: usize = 50_000;

impl Program {
    pub(super) fn compile(node: &Node) -> Result<Self, String> {
        let mut program = Self(Vec::new());
        program.add(node)?;
        program.0.push(Step::Match);
        Ok(program)
    }

    fn add(&mut self, node: &Node) -> Result<(), String> {
        if self.0.len() > MOST_STEPS {
            return Err("repeats too much: write it shorter".to_owned());
        }
        match node {
            Node::Set(set) => self.0.push(Step::Set(set.clone())),
            Node::Assert(assert) => self.0.push(Step::Assert(*assert)),
            Node::Sequence(nodes) => {
                for node in nodes {
                    self.add(node)?;
                }
            }
            Node::Alternatives(nodes) => {
                let mut ends = Vec::new();
                for (index, node) in nodes.iter().enumerate() {
                    let fork = self.0.len();
                    let last = index + 1 == nodes.len();
                    if !last {
                        self.0.push(Step::Fork(fork + 1, 0));
                    }
                    self.add(node)?;
                    if !last {
                        ends.push(self.0.len());
                        self.0.push(Step::Jump(0));
                        self.0[fork] = Step::Fork(fork + 1, self.0.len());
                    }
                }
                for end in ends {
                    self.0[end] = Step::Jump(self.0.len());
                }
            }
            Node::Repeat { node, least, most } => {
                for _ in 0..*least {
                    self.add(node)?;
                }
                match most {
                    None => {
                        let fork = self.0.len();
                        self.0.push(Step::Fork(fork + 1, 0));
                        self.add(node)?;
                        self.0.push(Step::Jump(fork));
                        self.0[fork] = Step::Fork(fork + 1, self.0.len());
                    }
                    Some(most) => {
                        let mut forks = Vec::new();
                        for _ in *least..*most {
                            forks.push(self.0.len());
                            self.0.push(Step::Fork(0, 0));
                            self.add(node)?;
                        }
                        for fork in forks {
                            self.0[fork] = Step::Fork(fork + 1, self.0.len());
                        }
                    }
                }
            }
            Node::Look { ahead, negated, node } => {
                let behind = match (ahead, width(node)) {
                    (true, _) => None,
                    (false, Some(width)) => Some(width),
                    (false, None) => return Err("looks behind at a text of no fixed length".to_owned()),
                };
                let program = Self::compile(node)?;
                self.0.push(Step::Look {
                    behind,
                    negated: *negated,
                    program,
                });
            }
        }
        Ok(())
    }

    /// Whether the whole text matches.
    pub(super) fn matches_all(&self, text: &[char]) -> bool {
        self.run(text, 0, text.len(), true)
    }

    /// Whether the text from `from` to `to` matches, or when not `all` a beginning of it.
    fn run(&self, text: &[char], from: usize, to: usize, all: bool) -> bool {
        let mut now = States::new(self.0.len());
        let mut next = States::new(self.0.len());
        self.follow(0, text, from, &mut now);
        for at in from..to {
            if !all && now.matched {
                return true;
            }
            next.clear();
            for &state in &now.list {
                if let Step::Set(set) = &self.0[state]
                    && set.has(text[at])
                {
                    self.follow(state + 1, text, at + 1, &mut next);
                }
            }
            std::mem::swap(&mut now, &mut next);
            if now.list.is_empty() && !now.matched {
                return false;
            }
        }
        now.matched
    }

    /// Adds every step that can be reached without a character.
    fn follow(&self, state: usize, text: &[char], at: usize, states: &mut States) {
        let mut open = vec![state];
        while let Some(state) = open.pop() {
            if std::mem::replace(&mut states.seen[state], states.round) == states.round {
                continue;
            }
            match &self.0[state] {
                Step::Set(_) => states.list.push(state),
                Step::Match => states.matched = true,
                Step::Jump(to) => open.push(*to),
                Step::Fork(first, second) => open.extend([*second, *first]),
                Step::Assert(assert) if assert.holds(text, at) => open.push(state + 1),
                Step::Assert(_) => {}
                Step::Look {
                    behind,
                    negated,
                    program,
                } => {
                    let found = match behind {
                        None => program.run(text, at, text.len(), false),
                        Some(width) => at
                            .checked_sub(*width)
                            .is_some_and(|from| program.run(text, from, at, true)),
                    };
                    if found != *negated {
                        open.push(state + 1);
                    }
                }
            }
        }
    }
}

/// Steps reached at a place.
struct States {
    list: Vec<usize>,
    /// The round in which a step was reached last.
    seen: Vec<u64>,
    round: u64,
    matched: bool,
}

impl States {
    fn new(steps: usize) -> Self {
        Self {
            list: Vec::new(),
            seen: vec![0; steps],
            round: 1,
            matched: false,
        }
    }

    fn clear(&mut self) {
        self.list.clear();
        self.round += 1;
        self.matched = false;
    }
}

impl Assert {
    fn holds(self, text: &[char], at: usize) -> bool {
        let end = text.len();
        match self {
            Self::Start => at == 0,
            Self::LineStart => at == 0 || text[at - 1] == '\n',
            Self::End => at == end || at + 1 == end && text[at] == '\n',
            Self::LineEnd => at == end || text[at] == '\n',
            Self::TextEnd => at == end,
            Self::WordBoundary { ascii, negated } => {
                let word = |at: Option<usize>| {
                    at.and_then(|at| text.get(at))
                        .is_some_and(|&c| Class::Word.has(c, ascii))
                };
                // In an empty text there is neither a boundary nor the contrary of one.
                end > 0 && (word(at.checked_sub(1)) != word(Some(at))) != negated
            }
        }
    }
}

/// How many characters a node takes, when always the same.
fn width(node: &Node) -> Option<usize> {
    match node {
        Node::Set(_) => Some(1),
        Node::Assert(_) | Node::Look { .. } => Some(0),
        Node::Sequence(nodes) => nodes.iter().map(width).sum(),
        Node::Alternatives(nodes) => {
            let first = nodes.first().map_or(Some(0), width)?;
            nodes
                .iter()
                .all(|node| width(node) == Some(first))
                .then_some(first)
        }
        Node::Repeat { node, least, most } => {
            let one = width(node)?;
            let same = one == 0 || *most == Some(*least);
            same.then(|| one * *least as usize)
        }
    }
}
