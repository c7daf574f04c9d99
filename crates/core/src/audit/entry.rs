use std::collections::BTreeMap;
use std::fmt;

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::tree::leaf_hash;
use crate::{Caller, Digest, Entropy, OfficeId, Role, fill};

/// Version of the canonical bytes of an entry.
pub const AUDIT_ENTRY_VERSION: u32 = 1;

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)+) => {
        /// What was done.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum AuditAction {
            $($(#[$doc])* $name,)+
        }

        impl AuditAction {
            /// Every action.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The word in entries and messages.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)+
                }
            }
        }
    };
}

actions! {
    /// An agreement was proposed.
    AgreementProposed = "agreement_proposed",
    /// An office signed it.
    AgreementSigned = "agreement_signed",
    /// A copy of the service's data was made.
    BackupMade = "backup_made",
    /// A dataset was declared, before its upload.
    DatasetDeclared = "dataset_declared",
    /// A dataset was destroyed.
    DatasetPurged = "dataset_purged",
    /// A dataset was checked and fixed.
    DatasetSealed = "dataset_sealed",
    /// A dataset was refused and is gone; `reason` says why.
    SealRefused = "seal_refused",
    /// What nothing refers to was removed.
    GarbageCollected = "garbage_collected",
    /// The service took over other certificates, revocations or parties.
    IdentityChanged = "identity_changed",
    /// The keys of datasets and runs were wrapped under another master key.
    KeysRotated = "keys_rotated",
    /// Links of a released run were sent.
    LinksRead = "links_read",
    /// The manifest of a run was sent.
    ManifestRead = "manifest_read",
    /// How the links of a run were decided was sent.
    ReportRead = "report_read",
    /// An office released the result of a run.
    ResultReleased = "result_released",
    /// Rows of a released flow table were sent.
    RowsRead = "rows_read",
    /// An office, or the service for lack of time, stopped a run.
    RunCancelled = "run_cancelled",
    /// A run ended without a result; `reason` says why.
    RunFailed = "run_failed",
    /// A run has a result.
    RunFinished = "run_finished",
    /// The links of a run were decided.
    RunLinked = "run_linked",
    /// What a run would need was computed.
    RunPlanned = "run_planned",
    /// What a run stored was destroyed.
    RunPurged = "run_purged",
    /// An office started a run.
    RunQueued = "run_queued",
    /// A run was computed again from what is stored, and compared.
    RunReplayed = "run_replayed",
    /// A run was taken up again after the service was stopped.
    RunRequeued = "run_requeued",
    /// The service began to compute a run.
    RunStarted = "run_started",
    /// The service started.
    ServiceStarted = "service_started",
    /// The service's data were put back from a copy; what was logged since that copy is not in this log.
    StoreRestored = "store_restored",
    /// The head of a released flow table was sent: methods, notes and summaries.
    TableRead = "table_read",
}

impl AuditAction {
    /// The action of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|action| action.as_str() == word)
    }
}

impl fmt::Display for AuditAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for AuditAction {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for AuditAction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        Self::from_word(&word).ok_or_else(|| serde::de::Error::custom("an action this program does not know"))
    }
}

/// A word in an entry: at most 40 of letters, digits and `_-.+`. There is no room in it for anything about a person.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AuditWord(String);

impl AuditWord {
    const MAX_LEN: usize = 40;

    /// The text as a word: everything else in it becomes `-`, and what is too long is cut off.
    pub fn new(text: &str) -> Self {
        let word: String = text
            .chars()
            .take(Self::MAX_LEN)
            .map(|c| if is_of_a_word(c) { c } else { '-' })
            .collect();
        Self(if word.is_empty() { "-".to_owned() } else { word })
    }

    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_of_a_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '+')
}

/// What an entry says besides who, when and what: a count, a digest or a word. Never a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditDetail {
    /// How many.
    Count(u64),
    /// Of a dataset, a run, a result, a signature.
    Digest(Digest),
    /// A reason, a side, a version.
    Word(AuditWord),
}

impl fmt::Display for AuditDetail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => count.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
            Self::Word(word) => f.write_str(word.as_str()),
        }
    }
}

impl Serialize for AuditDetail {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Count(count) => serializer.serialize_u64(*count),
            Self::Digest(digest) => digest.serialize(serializer),
            Self::Word(word) => serializer.serialize_str(word.as_str()),
        }
    }
}

impl<'de> Deserialize<'de> for AuditDetail {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Read {
            Count(u64),
            Text(String),
        }
        let text = match Read::deserialize(deserializer)? {
            Read::Count(count) => return Ok(Self::Count(count)),
            Read::Text(text) => text,
        };
        if let Ok(digest) = text.parse() {
            return Ok(Self::Digest(digest));
        }
        let word = AuditWord::new(&text);
        if word.as_str() == text {
            Ok(Self::Word(word))
        } else {
            Err(serde::de::Error::custom(
                "a detail is a count, a digest or a word",
            ))
        }
    }
}

/// Sixteen random bytes that keep the hash of an entry from being guessed by who may not read it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Blinding([u8; 16]);

impl Blinding {
    /// Draws one.
    pub fn draw(entropy: &mut dyn Entropy) -> Self {
        let mut bytes = [0; 16];
        fill(entropy, &mut bytes);
        Self(bytes)
    }
}

impl fmt::Debug for Blinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Blinding")
    }
}

impl Serialize for Blinding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&HEXLOWER.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Blinding {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = HEXLOWER.decode(text.as_bytes()).ok();
        bytes
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom("a blinding value is 32 hexadecimal digits"))
    }
}

/// Who acts, and when. The store makes an entry of it inside the transaction that does what the entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditStamp {
    /// The party, or `None` for the service itself.
    pub caller: Option<Caller>,
    /// When.
    pub time: Timestamp,
    /// Of the entry.
    pub blinding: Blinding,
}

impl AuditStamp {
    /// Who acts now.
    pub fn new(caller: Option<&Caller>, time: Timestamp, entropy: &mut dyn Entropy) -> Self {
        Self {
            caller: caller.cloned(),
            time,
            blinding: Blinding::draw(entropy),
        }
    }

    /// An entry of what is done, about an agreement or about the service as a whole. Its place is known when it is stored.
    pub fn entry(&self, action: AuditAction, agreement: Option<Digest>) -> AuditEntry {
        AuditEntry {
            version: AUDIT_ENTRY_VERSION,
            sequence: 0,
            time: self.time,
            party: self.caller.as_ref().map(|caller| caller.party.clone()),
            role: self.caller.as_ref().map(|caller| caller.role),
            action,
            agreement,
            details: BTreeMap::new(),
            blinding: self.blinding,
        }
    }
}

/// One step of what happened: who did what when, to which digest. Nothing about a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditEntry {
    /// [`AUDIT_ENTRY_VERSION`].
    pub version: u32,
    /// Its place in the log, from 0, without gaps.
    pub sequence: u64,
    /// When, by the service's clock.
    pub time: Timestamp,
    /// Who; `None` for the service itself.
    pub party: Option<OfficeId>,
    /// What it is to the service.
    pub role: Option<Role>,
    /// What was done.
    pub action: AuditAction,
    /// The agreement it is about; `None` where it is about the service as a whole.
    pub agreement: Option<Digest>,
    /// What else there is to say, by name.
    pub details: BTreeMap<String, AuditDetail>,
    /// Keeps its hash from being guessed.
    pub blinding: Blinding,
}

/// Bytes that are no entry of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no entry of an audit log: {problem}")]
pub struct AuditEntryError {
    /// What is wrong.
    pub problem: String,
}

impl AuditEntry {
    /// Says how many.
    #[must_use]
    pub fn with_count(mut self, name: &'static str, count: u64) -> Self {
        self.details.insert(name.to_owned(), AuditDetail::Count(count));
        self
    }

    /// Names a digest.
    #[must_use]
    pub fn with_digest(mut self, name: &'static str, digest: Digest) -> Self {
        self.details.insert(name.to_owned(), AuditDetail::Digest(digest));
        self
    }

    /// Says a word.
    #[must_use]
    pub fn with_word(mut self, name: &'static str, word: &str) -> Self {
        let word = AuditDetail::Word(AuditWord::new(word));
        self.details.insert(name.to_owned(), word);
        self
    }

    /// Its bytes, of which the hash is a leaf of the tree: JSON without blanks, fields in their order.
    pub fn to_canonical_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("every field has a JSON form")
    }

    /// Its leaf of the tree.
    pub fn to_leaf(&self) -> Digest {
        leaf_hash(&self.to_canonical_bytes())
    }

    /// Reads canonical bytes.
    ///
    /// # Errors
    /// When they are no entry, of another version, or not in canonical form, since then their hash would be another one.
    pub fn from_canonical_bytes(bytes: &[u8]) -> Result<Self, AuditEntryError> {
        let fail = |problem: String| AuditEntryError { problem };
        let entry: Self = serde_json::from_slice(bytes).map_err(|error| fail(error.to_string()))?;
        if entry.version != AUDIT_ENTRY_VERSION {
            return Err(fail(format!("it is of version {}", entry.version)));
        }
        if entry.to_canonical_bytes() != bytes {
            return Err(fail("the bytes are not in canonical form".to_owned()));
        }
        Ok(entry)
    }
}
