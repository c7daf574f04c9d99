//! The audit log: who did what when to which digest, in an order that nobody can change afterwards unseen.
//!
//! An [`AuditEntry`] has canonical bytes, whose hash is a leaf of a Merkle tree as of RFC 6962 and RFC 9162 ([`LogTree`]). The
//! service signs the tree's root and size now and then ([`SignedCheckpoint`]); an office keeps what it was given. Whoever holds
//! two checkpoints and the leaves ([`AuditExport`]) can tell whether the later log still begins with the earlier one, without
//! trusting the service.
//!
//! Entries are not chained to each other: the tree binds each to its place already, a chain would add nothing that a signed root
//! does not say, and an office could not follow it through entries it may not see. Each has 16 random bytes instead
//! ([`Blinding`]), so that the bare hash of an entry about others' agreements cannot be guessed.

mod disclosure;
mod entry;
mod export;
mod note;
mod tree;

#[cfg(test)]
mod tests;

pub use disclosure::{DisclosedPart, DisclosedResult, Disclosure};
pub use entry::{
    AUDIT_ENTRY_VERSION, AuditAction, AuditDetail, AuditEntry, AuditEntryError, AuditStamp, AuditWord,
    Blinding,
};
pub use export::{AuditExport, AuditFinding, EarlierLog, ExportedLeaf, Texts, Verified, verify_export};
pub use note::{Checkpoint, LogKey, LogOrigin, NoteError, SignedCheckpoint};
pub use tree::{LogTree, ProofError, leaf_hash, verify_consistency, verify_inclusion};
