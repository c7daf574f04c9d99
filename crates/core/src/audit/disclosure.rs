use std::fmt;

use jiff::Timestamp;

use super::entry::{AuditAction, AuditEntry, AuditStamp};
use crate::{Digest, DisclosureMethod, DisclosureRule, OfficeId, Role};

/// What part of a released result left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DisclosedPart {
    /// All rows of the flow table.
    AllRows,
    /// All linked pairs of pseudonyms.
    Links,
    /// None yet: an office gave its consent.
    Release,
    /// How the links were decided, without the table.
    Report,
    /// Some rows of the flow table, both included, from 0.
    Rows {
        /// The first.
        first: u64,
        /// The last.
        last: u64,
    },
    /// The head of the flow table, with its summaries, and how the links were decided.
    Table,
}

impl DisclosedPart {
    /// The word in tables and messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AllRows => "all_rows",
            Self::Links => "links",
            Self::Release => "release",
            Self::Report => "report",
            Self::Rows { .. } => "rows",
            Self::Table => "table",
        }
    }

    /// The part of that word, with the rows where it is some.
    pub fn from_word(word: &str, rows: Option<(u64, u64)>) -> Option<Self> {
        match (word, rows) {
            ("all_rows", None) => Some(Self::AllRows),
            ("links", None) => Some(Self::Links),
            ("release", None) => Some(Self::Release),
            ("report", None) => Some(Self::Report),
            ("rows", Some((first, last))) if first <= last => Some(Self::Rows { first, last }),
            ("table", None) => Some(Self::Table),
            _ => None,
        }
    }

    /// The rows, where it is some.
    pub const fn rows(self) -> Option<(u64, u64)> {
        match self {
            Self::Rows { first, last } => Some((first, last)),
            Self::AllRows | Self::Links | Self::Release | Self::Report | Self::Table => None,
        }
    }

    const fn to_action(self) -> AuditAction {
        match self {
            Self::AllRows | Self::Rows { .. } => AuditAction::RowsRead,
            Self::Links => AuditAction::LinksRead,
            Self::Release => AuditAction::ResultReleased,
            Self::Report => AuditAction::ReportRead,
            Self::Table => AuditAction::TableRead,
        }
    }
}

impl fmt::Display for DisclosedPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rows { first, last } => write!(f, "rows {first} to {last}"),
            Self::AllRows => f.write_str("all rows"),
            Self::Links | Self::Release | Self::Report | Self::Table => f.write_str(self.as_str()),
        }
    }
}

/// A figure that left, or may leave from now on: to whom, and under which rule of the agreement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disclosure {
    /// Its entry in the audit log.
    pub sequence: u64,
    /// The agreement.
    pub agreement: Digest,
    /// The run.
    pub run: Digest,
    /// Digest of the result.
    pub result: Digest,
    /// To whom.
    pub party: OfficeId,
    /// What that party is to the service.
    pub role: Role,
    /// Which part.
    pub part: DisclosedPart,
    /// The agreement's rule of disclosure control: its method,
    pub method: DisclosureMethod,
    /// its minimum count,
    pub minimum_count: u64,
    /// and the digest of all of it.
    pub rule: Digest,
    /// When.
    pub time: Timestamp,
}

/// A result that is about to be disclosed.
#[derive(Debug, Clone, Copy)]
pub struct DisclosedResult<'a> {
    /// The agreement.
    pub agreement: Digest,
    /// The run.
    pub run: Digest,
    /// Digest of the result.
    pub result: Digest,
    /// The rule its figures were protected by.
    pub rule: &'a DisclosureRule,
}

impl Disclosure {
    /// A part of a result goes to whoever stamped it; `None` where that is the service itself, to which nothing goes. Its sequence
    /// is known when its entry is stored.
    pub fn new(result: DisclosedResult<'_>, part: DisclosedPart, stamp: &AuditStamp) -> Option<Self> {
        let caller = stamp.caller.as_ref()?;
        Some(Self {
            sequence: 0,
            agreement: result.agreement,
            run: result.run,
            result: result.result,
            party: caller.party.clone(),
            role: caller.role,
            part,
            method: result.rule.method,
            minimum_count: result.rule.minimum_count.into(),
            rule: digest_of(result.rule),
            time: stamp.time,
        })
    }

    /// Its entry in the audit log.
    pub fn to_entry(&self, stamp: &AuditStamp) -> AuditEntry {
        let entry = stamp
            .entry(self.part.to_action(), Some(self.agreement))
            .with_digest("run", self.run)
            .with_digest("result", self.result)
            .with_digest("rule", self.rule)
            .with_word("method", self.method.as_str())
            .with_count("minimum_count", self.minimum_count);
        match self.part.rows() {
            Some((first, last)) => entry.with_count("first_row", first).with_count("last_row", last),
            None => entry,
        }
    }
}

fn digest_of(rule: &DisclosureRule) -> Digest {
    Digest::of(&serde_json::to_vec(rule).expect("every field has a JSON form"))
}
