use std::fmt;
use std::fmt::Write as _;
use std::str::FromStr;

use jiff::Timestamp;

use super::entry::AuditEntry;
use super::note::{LogKey, NoteError, SignedCheckpoint};
use super::tree::{LogTree, leaf_hash};
use crate::Digest;

/// First line of an export.
const HEADER: &str = "corridor audit export v1";

/// Line between the checkpoint and the entries.
const ENTRIES: &str = "entries";

/// One leaf of an export: with its entry where whoever exported may read it, and as a bare hash where it is others' business.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedLeaf {
    /// Hash of the entry's bytes.
    pub leaf: Digest,
    /// The entry.
    pub entry: Option<AuditEntry>,
}

/// A whole log as a party may see it, up to a signed checkpoint. As text it has the key, the checkpoint and a line for each entry:
/// its place, its hash and, where it may be read, its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditExport {
    /// The key the service says is its own.
    pub key: LogKey,
    /// The size and root it signed.
    pub checkpoint: SignedCheckpoint,
    /// The leaves, in order.
    pub leaves: Vec<ExportedLeaf>,
}

impl fmt::Display for AuditExport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{HEADER}\nkey {}\n{}{ENTRIES}\n", self.key, self.checkpoint)?;
        for (place, leaf) in self.leaves.iter().enumerate() {
            write!(f, "{place} {}", leaf.leaf)?;
            if let Some(entry) = &leaf.entry {
                let bytes = entry.to_canonical_bytes();
                let text = std::str::from_utf8(&bytes).map_err(|_| fmt::Error)?;
                write!(f, " {text}")?;
            }
            f.write_char('\n')?;
        }
        Ok(())
    }
}

/// What is wrong with a log. Entries are counted from 0.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuditFinding {
    /// Hash and bytes of an entry differ.
    #[error("entry {sequence} was altered: its text and its hash do not fit each other")]
    Altered {
        /// Which.
        sequence: u64,
    },
    /// The signed root is another one.
    #[error("{} altered: the log is not the one whose root was signed", between(*.first, *.last))]
    AlteredBetween {
        /// The first that may be.
        first: u64,
        /// The last that may be.
        last: u64,
    },
    /// An earlier checkpoint does not verify.
    #[error("{name}: {problem}")]
    Earlier {
        /// Its file.
        name: String,
        /// Why.
        problem: NoteError,
    },
    /// An entry is not the one of an earlier export.
    #[error(
        "entry {sequence} is another one than in {name}: the log was rewritten, or shows each party another history"
    )]
    EntryForked {
        /// Which.
        sequence: u64,
        /// The file of the earlier export.
        name: String,
    },
    /// The log does not begin with an earlier one.
    #[error(
        "the log does not begin with the {size} entries signed at {time} ({name}): {} replaced, removed or added since, or \
         the service shows each party another history",
        between(*.first, *.last)
    )]
    Forked {
        /// The file of the earlier checkpoint.
        name: String,
        /// Entries it was signed over.
        size: u64,
        /// When.
        time: Timestamp,
        /// The first that may be.
        first: u64,
        /// The last that may be.
        last: u64,
    },
    /// Not in the form of an export.
    #[error("line {line} is not of an audit export: {problem}")]
    Format {
        /// From 1.
        line: u64,
        /// What was expected.
        problem: String,
    },
    /// Entries that are not there.
    #[error("{} missing; entry {found} follows", are(*.first, *.last))]
    Missing {
        /// The first.
        first: u64,
        /// The last.
        last: u64,
        /// What stands there.
        found: u64,
    },
    /// An entry at another's place.
    #[error("entry {found} stands where entry {expected} is due: it was moved or put in twice")]
    Misplaced {
        /// The place.
        expected: u64,
        /// What stands there.
        found: u64,
    },
    /// The log ends before an earlier checkpoint.
    #[error("the log has {size} entries, but {earlier} were signed at {time} ({name}): the last {} were cut off", earlier - size)]
    RolledBack {
        /// The file of the earlier checkpoint.
        name: String,
        /// Entries it was signed over.
        earlier: u64,
        /// Entries of this log.
        size: u64,
        /// When.
        time: Timestamp,
    },
    /// The checkpoint of the export itself.
    #[error(transparent)]
    Signature(#[from] NoteError),
    /// More entries than were signed.
    #[error("the file has {found} entries, but only {signed} were signed: the others were added afterwards")]
    Surplus {
        /// Entries signed.
        signed: u64,
        /// Entries there.
        found: u64,
    },
    /// Fewer entries than were signed.
    #[error("the file ends after {found} entries, but {signed} were signed: the last {} were cut off", signed - found)]
    Truncated {
        /// Entries signed.
        signed: u64,
        /// Entries there.
        found: u64,
    },
    /// The text of an entry is not there, which an earlier export has, or which whoever asks is to have.
    #[error("the text of entry {sequence} is not there{}: it was taken out of the file, or is withheld", before(name.as_deref()))]
    Withheld {
        /// Which.
        sequence: u64,
        /// The file of the earlier export; `None` where every text is to be there.
        name: Option<String>,
    },
    /// The entry that was sent is another one than the log has at that place.
    #[error("the text at place {place} is that of entry {sequence}")]
    WrongSequence {
        /// Where it stands.
        place: u64,
        /// What it says.
        sequence: u64,
    },
}

fn between(first: u64, last: u64) -> String {
    if first == last {
        format!("entry {first} was")
    } else {
        format!("at least one of the entries {first} to {last} was")
    }
}

fn before(name: Option<&str>) -> String {
    name.map_or_else(String::new, |name| format!(", but is in {name}"))
}

fn are(first: u64, last: u64) -> String {
    if first == last {
        format!("entry {first} is")
    } else {
        format!("entries {first} to {last} are")
    }
}

impl FromStr for AuditExport {
    type Err = AuditFinding;

    /// Reads an export in exactly the form it was written. Entries that do not fit their hash or their place are found here.
    fn from_str(text: &str) -> Result<Self, AuditFinding> {
        let header: Vec<&str> = text.splitn(10, '\n').collect();
        let &[
            first,
            key,
            origin,
            size,
            root,
            time,
            blank,
            signature,
            entries,
            rest,
        ] = header.as_slice()
        else {
            return Err(fail(1, "it is cut off before the entries"));
        };
        if first != HEADER {
            return Err(fail(1, &format!("expected {HEADER:?}")));
        }
        let key = key
            .strip_prefix("key ")
            .ok_or_else(|| fail(2, "expected the key"))?;
        let key: LogKey = key
            .parse()
            .map_err(|error: NoteError| fail(2, &error.to_string()))?;
        let note = [origin, size, root, time, blank, signature, ""].join("\n");
        let checkpoint: SignedCheckpoint = note
            .parse()
            .map_err(|error: NoteError| fail(3, &error.to_string()))?;
        if entries != ENTRIES {
            return Err(fail(9, &format!("expected {ENTRIES:?}")));
        }
        let Some(rest) = rest.strip_suffix('\n') else {
            let is_without = rest.is_empty();
            let leaves = Vec::new();
            return if is_without {
                Ok(Self {
                    key,
                    checkpoint,
                    leaves,
                })
            } else {
                Err(fail_last(rest))
            };
        };
        let lines: Vec<&str> = rest.split('\n').collect();
        let mut leaves = Vec::with_capacity(lines.len());
        for (place, line) in lines.iter().enumerate() {
            let found = place_of(line).map_err(|problem| fail(place + FIRST_ENTRY_LINE, problem))?;
            check_place(to_u64(place), found, &lines[place..])?;
            leaves.push(read_leaf(found, line)?);
        }
        Ok(Self {
            key,
            checkpoint,
            leaves,
        })
    }
}

/// The line of the first entry, from 1.
const FIRST_ENTRY_LINE: usize = 10;

fn fail(line: usize, problem: &str) -> AuditFinding {
    AuditFinding::Format {
        line: to_u64(line),
        problem: problem.to_owned(),
    }
}

fn fail_last(rest: &str) -> AuditFinding {
    fail(
        rest.split('\n').count() + FIRST_ENTRY_LINE - 1,
        "the file is cut off in it",
    )
}

/// The place a line begins with.
fn place_of(line: &str) -> Result<u64, &'static str> {
    let text = line.split(' ').next().unwrap_or_default();
    let place: u64 = text
        .parse()
        .map_err(|_| "it does not begin with the place of an entry")?;
    if place.to_string() == text {
        Ok(place)
    } else {
        Err("its place is not in the form it was written in")
    }
}

/// The lines from the place `expected` on begin with the one of `found`.
fn check_place(expected: u64, found: u64, lines: &[&str]) -> Result<(), AuditFinding> {
    if found == expected {
        return Ok(());
    }
    let comes_later = || lines.iter().any(|line| place_of(line) == Ok(expected));
    if found < expected || comes_later() {
        return Err(AuditFinding::Misplaced { expected, found });
    }
    Err(AuditFinding::Missing {
        first: expected,
        last: found - 1,
        found,
    })
}

/// Reads `place hash [entry]`.
fn read_leaf(place: u64, line: &str) -> Result<ExportedLeaf, AuditFinding> {
    let altered = AuditFinding::Altered { sequence: place };
    let mut parts = line.splitn(3, ' ').skip(1);
    let hash = parts.next().unwrap_or_default();
    let leaf: Digest = hash.parse().map_err(|_| altered.clone())?;
    if leaf.to_string() != hash {
        return Err(altered);
    }
    let Some(text) = parts.next() else {
        return Ok(ExportedLeaf { leaf, entry: None });
    };
    if leaf_hash(text.as_bytes()) != leaf {
        return Err(altered);
    }
    let entry = AuditEntry::from_canonical_bytes(text.as_bytes()).map_err(|error| AuditFinding::Format {
        line: place.saturating_add(to_u64(FIRST_ENTRY_LINE)),
        problem: error.to_string(),
    })?;
    if entry.sequence != place {
        return Err(AuditFinding::WrongSequence {
            place,
            sequence: entry.sequence,
        });
    }
    Ok(ExportedLeaf {
        leaf,
        entry: Some(entry),
    })
}

/// What a party kept of an earlier state of a log, with the name of its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EarlierLog {
    /// A checkpoint.
    Checkpoint(String, SignedCheckpoint),
    /// A whole export: what differs is named exactly.
    Export(String, Box<AuditExport>),
}

impl EarlierLog {
    /// Reads a checkpoint or an export.
    ///
    /// # Errors
    /// When the text is neither, or an export that does not hold together.
    pub fn read(name: &str, text: &str) -> Result<Self, AuditFinding> {
        if text.starts_with(HEADER) {
            return Ok(Self::Export(name.to_owned(), Box::new(text.parse()?)));
        }
        let checkpoint = text.parse().map_err(|problem| AuditFinding::Earlier {
            name: name.to_owned(),
            problem,
        })?;
        Ok(Self::Checkpoint(name.to_owned(), checkpoint))
    }

    const fn name(&self) -> &String {
        match self {
            Self::Checkpoint(name, _) | Self::Export(name, _) => name,
        }
    }

    const fn checkpoint(&self) -> &SignedCheckpoint {
        match self {
            Self::Checkpoint(_, checkpoint) => checkpoint,
            Self::Export(_, export) => &export.checkpoint,
        }
    }
}

/// A log that holds together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Entries.
    pub size: u64,
    /// Of them, those whose text is there.
    pub readable: u64,
    /// Root over all.
    pub root: Digest,
    /// When the checkpoint was signed.
    pub time: Timestamp,
    /// Earlier checkpoints it continues.
    pub earlier: u64,
}

/// Which texts of entries an export is to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Texts {
    /// Those its party may read, which the file does not say: of others there is the hash.
    OfParty,
    /// All, as auditors and operators read them.
    All,
}

/// Holds an export against the checkpoint in it, the key an office wrote down and earlier states of the log, and gives everything
/// that is wrong. An export that was read already has no entry that does not fit its own hash and place. A hash without its text
/// is as good a part of the log: that a text is missing shows only against an earlier export that has it, or where `texts` says that
/// all are to be there.
///
/// # Errors
/// What is wrong, at least one finding.
pub fn verify_export(
    export: &AuditExport,
    key: &LogKey,
    earlier: &[EarlierLog],
    texts: Texts,
) -> Result<Verified, Vec<AuditFinding>> {
    let mut findings = withheld(export, earlier, texts);
    if export.key != *key {
        findings.push(AuditFinding::Signature(NoteError::OtherKey));
    }
    let tree: LogTree = export.leaves.iter().map(|leaf| leaf.leaf).collect();
    let size = tree.len();
    // Sizes at which the log is known to be the one that was signed: what is wrong lies behind the last of them.
    let mut sound: Vec<u64> = Vec::new();
    let mut forks = Vec::new();
    for earlier in earlier {
        match earlier.checkpoint().verify(key) {
            Ok(checkpoint) if checkpoint.size > size => findings.push(AuditFinding::RolledBack {
                name: earlier.name().clone(),
                earlier: checkpoint.size,
                size,
                time: checkpoint.time,
            }),
            Ok(checkpoint) if tree.root_at(checkpoint.size) == Ok(checkpoint.root) => {
                sound.push(checkpoint.size)
            }
            Ok(checkpoint) => forks.push((earlier, checkpoint)),
            Err(problem) => findings.push(AuditFinding::Earlier {
                name: earlier.name().clone(),
                problem,
            }),
        }
    }
    let sound_before = |size: u64| {
        let before = sound.iter().copied().filter(|&sound| sound < size);
        before.max().unwrap_or(0)
    };
    for (earlier, checkpoint) in forks {
        findings.push(
            find_fork(export, earlier).unwrap_or_else(|| AuditFinding::Forked {
                name: earlier.name().clone(),
                size: checkpoint.size,
                time: checkpoint.time,
                first: sound_before(checkpoint.size),
                last: checkpoint.size.saturating_sub(1),
            }),
        );
    }
    match export.checkpoint.verify(key) {
        Ok(checkpoint) if size < checkpoint.size => findings.push(AuditFinding::Truncated {
            signed: checkpoint.size,
            found: size,
        }),
        Ok(checkpoint) if size > checkpoint.size => findings.push(AuditFinding::Surplus {
            signed: checkpoint.size,
            found: size,
        }),
        Ok(checkpoint) if checkpoint.root != tree.root() => findings.push(AuditFinding::AlteredBetween {
            first: sound_before(size),
            last: size.saturating_sub(1),
        }),
        Ok(_) => {}
        Err(problem) => findings.push(problem.into()),
    }
    if !findings.is_empty() {
        return Err(findings);
    }
    Ok(Verified {
        size,
        readable: to_u64(export.leaves.iter().filter(|leaf| leaf.entry.is_some()).count()),
        root: tree.root(),
        time: export.checkpoint.unverified().time,
        earlier: to_u64(sound.len()),
    })
}

/// Entries without the text they are to have.
fn withheld(export: &AuditExport, earlier: &[EarlierLog], texts: Texts) -> Vec<AuditFinding> {
    let is_bare = |place: usize| export.leaves.get(place).is_some_and(|leaf| leaf.entry.is_none());
    let finding = |place: usize, name: Option<&String>| AuditFinding::Withheld {
        sequence: to_u64(place),
        name: name.cloned(),
    };
    let mut findings: Vec<_> = (0..export.leaves.len())
        .filter(|&place| texts == Texts::All && is_bare(place))
        .map(|place| finding(place, None))
        .collect();
    for earlier in earlier {
        if let EarlierLog::Export(name, earlier) = earlier {
            let had = earlier
                .leaves
                .iter()
                .enumerate()
                .filter(|(_, leaf)| leaf.entry.is_some());
            let lost = had.filter(|(place, _)| is_bare(*place));
            findings.extend(lost.map(|(place, _)| finding(place, Some(name))));
        }
    }
    findings
}

/// The first entry that is another one in an earlier export.
fn find_fork(export: &AuditExport, earlier: &EarlierLog) -> Option<AuditFinding> {
    let EarlierLog::Export(name, earlier) = earlier else {
        return None;
    };
    let pairs = export.leaves.iter().zip(&earlier.leaves);
    let place = pairs
        .map(|(now, before)| now.leaf == before.leaf)
        .position(|is_same| !is_same)?;
    Some(AuditFinding::EntryForked {
        sequence: to_u64(place),
        name: name.clone(),
    })
}

fn to_u64(len: usize) -> u64 {
    u64::try_from(len).expect("a length fits in 64 bits")
}
