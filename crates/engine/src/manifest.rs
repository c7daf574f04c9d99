use corridor_core::{Agreement, Digest, DisclosureRule, LinkageTerms, RunStatus};
use corridor_flows::PublishedTable;
use serde::{Deserialize, Serialize};

use crate::released::ReleasedTable;

/// Version of the document.
const VERSION: u32 = 1;

/// What a result was made of, by digest, so that whoever has the inputs can make it again and compare: see [`crate::replay`].
///
/// A result is a pure function of the agreement, the two datasets, the tables it was held against and the version of the program.
/// The host is written down to find causes with, and decides nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunManifest {
    /// Of the document.
    pub version: u32,
    /// The run.
    pub run: Digest,
    /// Name and version of the program.
    pub program: String,
    /// Digest of the agreement.
    pub agreement: Digest,
    /// The origin's dataset.
    pub origin: ManifestDataset,
    /// The destination's dataset.
    pub destination: ManifestDataset,
    /// How records were linked, with the seed, as in the agreement.
    pub linkage: LinkageTerms,
    /// How counts were protected, as in the agreement.
    pub disclosure: DisclosureRule,
    /// Tables that were released before and that this one was held against, by result.
    pub held_against: Vec<ManifestTable>,
    /// Digest of the result.
    pub result: Digest,
    /// Digest of the links, as the service stores them (Parquet).
    pub links: Digest,
    /// What it was computed on.
    pub host: ManifestHost,
}

/// A dataset a result was made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestDataset {
    /// Its id at the service.
    pub dataset: Digest,
    /// Digest of its file.
    pub content: Digest,
}

/// A released table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestTable {
    /// Digest of the result it is of.
    pub result: Digest,
    /// Digest of the table alone, as JSON.
    pub table: Digest,
}

/// A machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestHost {
    /// The kernel that compared.
    pub kernel: String,
    /// Threads of the pool.
    pub threads: u64,
    /// Kind of processor.
    pub arch: String,
    /// Operating system.
    pub os: String,
}

/// A text that is no manifest of a run.
#[derive(Debug, thiserror::Error)]
pub enum RunManifestError {
    /// Not the document.
    #[error("no manifest of a run: {0}")]
    Format(#[from] serde_json::Error),
    /// Of another version of the document.
    #[error("the manifest is of version {0}; this program reads version {VERSION}")]
    Version(u32),
}

/// What [`RunManifest::new`] is told besides the agreement.
pub(crate) struct ManifestParts<'a> {
    pub(crate) run: &'a RunStatus,
    pub(crate) program: &'a str,
    /// Digests of the files of the origin's and the destination's dataset.
    pub(crate) contents: [Digest; 2],
    pub(crate) held_against: Vec<ManifestTable>,
    pub(crate) result: Digest,
    pub(crate) links: &'a [u8],
    pub(crate) host: ManifestHost,
}

impl RunManifest {
    pub(crate) fn new(agreement: &Agreement, parts: ManifestParts<'_>) -> Self {
        let [origin, destination] = parts.contents;
        Self {
            version: VERSION,
            run: parts.run.id,
            program: parts.program.to_owned(),
            agreement: agreement.digest(),
            origin: ManifestDataset {
                dataset: parts.run.origin_dataset,
                content: origin,
            },
            destination: ManifestDataset {
                dataset: parts.run.destination_dataset,
                content: destination,
            },
            linkage: agreement.linkage.clone(),
            disclosure: agreement.disclosure,
            held_against: parts.held_against,
            result: parts.result,
            links: Digest::of(parts.links),
            host: parts.host,
        }
    }

    /// The bytes that are stored, and whose digest is in the audit log: JSON without blanks.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("every field has a JSON form")
    }

    /// Digest of those bytes.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.to_bytes())
    }

    /// Reads a manifest, in whatever layout of JSON.
    ///
    /// # Errors
    /// When it is none, or of another version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RunManifestError> {
        let manifest: Self = serde_json::from_slice(bytes)?;
        if manifest.version == VERSION {
            Ok(manifest)
        } else {
            Err(RunManifestError::Version(manifest.version))
        }
    }
}

impl From<&ReleasedTable> for ManifestTable {
    fn from(released: &ReleasedTable) -> Self {
        Self {
            result: released.result,
            table: table_digest(&released.table),
        }
    }
}

/// Digest of a table alone, as JSON without blanks.
pub fn table_digest(table: &PublishedTable) -> Digest {
    let table = serde_json::to_vec(table).expect("every field has a JSON form");
    Digest::of_parts(&[b"corridor/v1|table", &table])
}
