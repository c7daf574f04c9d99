//! The audit log as callers see it, and the stamp that every change carries.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use corridor_core::audit::{AuditAction, AuditEntry, AuditStamp, Disclosure, LogKey, SignedCheckpoint};
use corridor_core::{Caller, Digest, Entropy, Role};
use corridor_store::AuditKey;

use crate::engine::{Engine, PROGRAM_VERSION};
use crate::error::EngineError;

/// What the service keeps its audit log with: the key of its checkpoints, and where the random bytes of entries come from.
#[derive(Clone)]
pub struct AuditLog {
    key: Arc<AuditKey>,
    entropy: Arc<Mutex<Box<dyn Entropy>>>,
}

impl fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuditLog({})", self.key.log())
    }
}

impl AuditLog {
    /// Signs with `key`.
    pub fn new(key: AuditKey, entropy: impl Entropy + 'static) -> Self {
        Self {
            key: Arc::new(key),
            entropy: Arc::new(Mutex::new(Box::new(entropy))),
        }
    }

    /// The public key, and the name of the log: what offices write down.
    pub fn key(&self) -> &LogKey {
        self.key.log()
    }
}

/// An entry of the log as a caller may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VisibleEntry {
    /// Its place.
    pub sequence: u64,
    /// Its leaf of the tree.
    pub leaf: Digest,
    /// Its canonical bytes; `None` where it is others' business.
    pub entry: Option<Vec<u8>>,
}

/// Entries, or disclosures, given at once.
const MOST_AT_ONCE: u64 = 1000;

/// What of the log a caller may read.
enum Sight {
    /// Everything.
    All,
    /// What is about these agreements, or about the service as a whole.
    Of(HashSet<Digest>),
}

impl Engine {
    /// Who acts now: the entry of what is done is made of it, in the same transaction.
    pub(crate) fn stamp(&self, caller: Option<&Caller>) -> AuditStamp {
        let mut entropy = self.audit.entropy.lock().unwrap_or_else(PoisonError::into_inner);
        AuditStamp::new(caller, self.clock.now(), &mut **entropy)
    }

    /// The key of the audit log.
    pub fn audit_key(&self) -> &LogKey {
        self.audit.key()
    }

    /// Holds the audit log against itself before anything is served, and logs that a backup was put back, if one was, and the start,
    /// with the digests of the settings and of the certificates and parties.
    ///
    /// # Errors
    /// When the log was tampered with, or the store fails.
    pub async fn record_start(&self, settings: Digest, identity: Digest) -> Result<(), EngineError> {
        self.store.check_audit(&self.audit.key).await?;
        self.store.log_restore(&self.stamp(None)).await?;
        let entry = self
            .stamp(None)
            .entry(AuditAction::ServiceStarted, None)
            .with_digest("settings", settings)
            .with_digest("identity", identity)
            .with_word("program", PROGRAM_VERSION);
        self.store.append_audit(&entry).await?;
        Ok(())
    }

    /// Logs that other certificates and parties count from now on.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn record_identity(&self, identity: Digest) -> Result<(), EngineError> {
        let entry = self.stamp(None).entry(AuditAction::IdentityChanged, None);
        let entry = entry.with_digest("identity", identity);
        self.store.append_audit(&entry).await?;
        Ok(())
    }

    /// A signed checkpoint over everything logged by now.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn audit_checkpoint(&self) -> Result<SignedCheckpoint, EngineError> {
        Ok(self.store.checkpoint(&self.audit.key, self.clock.now()).await?)
    }

    async fn sight(&self, caller: &Caller) -> Result<Sight, EngineError> {
        match caller.role {
            Role::Auditor | Role::Operator => Ok(Sight::All),
            Role::Office | Role::Administrator => {
                let agreements = self.agreements(caller).await?;
                Ok(Sight::Of(
                    agreements
                        .iter()
                        .map(|signed| signed.agreement.digest())
                        .collect(),
                ))
            }
            Role::Researcher => Err(EngineError::NotReadable {
                what: "the audit log",
            }),
        }
    }

    /// Entries from one on, at most 1,000, as the caller may see them: offices and administrators read those about their own
    /// agreements and about the service as a whole, and have the hashes of all others; auditors and operators read all. What an
    /// office declared and what was refused of it is between it and the service: its partner has the hash alone.
    ///
    /// # Errors
    /// When the log is not for the caller, or the store fails.
    pub async fn audit_entries(&self, caller: &Caller, first: u64) -> Result<Vec<VisibleEntry>, EngineError> {
        let sight = self.sight(caller).await?;
        let rows = self.store.audit_rows(first, MOST_AT_ONCE).await?;
        let is_visible = |agreement: Option<Digest>| match (&sight, agreement) {
            (Sight::All, _) | (Sight::Of(_), None) => true,
            (Sight::Of(own), Some(agreement)) => own.contains(&agreement),
        };
        let is_between_others = |row: &corridor_store::AuditRow| {
            matches!(sight, Sight::Of(_)) && is_of_other_party(&row.entry, caller)
        };
        let to_visible = |row: corridor_store::AuditRow| VisibleEntry {
            sequence: row.sequence,
            leaf: row.leaf,
            entry: (is_visible(row.agreement) && !is_between_others(&row)).then_some(row.entry),
        };
        Ok(rows.into_iter().map(to_visible).collect())
    }

    /// The hashes that lead from an entry to the root over the first `size`.
    ///
    /// # Errors
    /// When there is no such entry or size, or the store fails.
    pub async fn prove_audit_entry(&self, sequence: u64, size: u64) -> Result<Vec<Digest>, EngineError> {
        Ok(self.store.prove_audit_entry(sequence, size).await??)
    }

    /// The hashes that show that the log of `size` entries begins with that of `earlier`.
    ///
    /// # Errors
    /// When there are no such sizes, or the store fails.
    pub async fn prove_audit_growth(&self, earlier: u64, size: u64) -> Result<Vec<Digest>, EngineError> {
        Ok(self.store.prove_audit_growth(earlier, size).await??)
    }

    /// What left, from one entry of the audit log on, at most 1,000: of an agreement, or of all the caller may ask about. The second
    /// is the entry to go on from, when there may be more.
    ///
    /// # Errors
    /// When the agreement is not there for the caller, the list is not for its role, or the store fails.
    pub async fn disclosures(
        &self,
        caller: &Caller,
        agreement: Option<Digest>,
        first: u64,
    ) -> Result<(Vec<Disclosure>, Option<u64>), EngineError> {
        if !matches!(caller.role, Role::Office | Role::Administrator | Role::Auditor) {
            return Err(EngineError::NotReadable {
                what: "the disclosure log",
            });
        }
        let sight = self.sight(caller).await?;
        let may_read = |agreement: Digest| match &sight {
            Sight::All => true,
            Sight::Of(own) => own.contains(&agreement),
        };
        if agreement.is_some_and(|agreement| !may_read(agreement)) {
            return Err(EngineError::NotFound { what: "agreement" });
        }
        let mut disclosures = self.store.disclosures(agreement, first, MOST_AT_ONCE).await?;
        let is_full = u64::try_from(disclosures.len()).is_ok_and(|count| count == MOST_AT_ONCE);
        let next = disclosures
            .last()
            .filter(|_| is_full)
            .map(|last| last.sequence + 1);
        disclosures.retain(|disclosure| may_read(disclosure.agreement));
        Ok((disclosures, next))
    }

    /// What the result of a run was made of, as it was written: for its offices, administrators and auditors.
    ///
    /// # Errors
    /// When there is no such run for the caller, it has no result, or it was made before manifests were written.
    pub async fn run_manifest(&self, caller: &Caller, run: Digest) -> Result<Vec<u8>, EngineError> {
        if caller.role == Role::Researcher {
            return Err(EngineError::NotReadable {
                what: "manifests of runs",
            });
        }
        let (status, _, _) = self.readable_run(caller, run).await?;
        if status.result.is_none() {
            return Err(EngineError::NoResult { state: status.state });
        }
        let manifest = self.store.run_manifest(run).await?;
        let manifest = manifest.ok_or(EngineError::NotFound { what: "manifest" })?;
        let entry = self
            .stamp(Some(caller))
            .entry(AuditAction::ManifestRead, Some(status.agreement))
            .with_digest("run", run)
            .with_digest("manifest", Digest::of(&manifest));
        self.store.append_audit(&entry).await?;
        Ok(manifest)
    }
}

/// Whether an entry says of another party what only it and the service are to know. One that cannot be read is shown to nobody who
/// does not read all.
fn is_of_other_party(entry: &[u8], caller: &Caller) -> bool {
    let Ok(entry) = AuditEntry::from_canonical_bytes(entry) else {
        return true;
    };
    let is_private = matches!(
        entry.action,
        AuditAction::DatasetDeclared | AuditAction::SealRefused
    );
    is_private && entry.party.as_ref() != Some(&caller.party)
}
