use std::fmt;

use bytes::Bytes;
use corridor_core::audit::AuditAction;
use corridor_core::{Agreement, Digest, Side, Stop, Stopped};
use corridor_flows::PublishedTable;
use corridor_link::{CandidateBudget, CandidateMemory, LinkError};
use corridor_store::parse_dataset;

use crate::engine::{Engine, PROGRAM_VERSION};
use crate::error::EngineError;
use crate::manifest::{ManifestTable, RunManifest, table_digest};
use crate::pipeline::Pipeline;
use crate::released::ReleasedTable;
use crate::result::{Gather, make_result};

/// What a result is made again of.
#[derive(Debug, Clone)]
pub struct ReplayInputs {
    /// The agreement.
    pub agreement: Agreement,
    /// The file of the origin's dataset.
    pub origin: Bytes,
    /// That of the destination's.
    pub destination: Bytes,
    /// Released tables, among them those the result was held against.
    pub released: Vec<PublishedTable>,
}

/// Something that is not as the manifest says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplayDifference {
    /// The agreement.
    Agreement {
        /// By the manifest.
        expected: Digest,
        /// The one given.
        got: Digest,
    },
    /// The file of a dataset.
    Dataset {
        /// Whose.
        side: Side,
        /// By the manifest.
        expected: Digest,
        /// The one given.
        got: Digest,
    },
    /// The links.
    Links {
        /// By the manifest.
        expected: Digest,
        /// Made now.
        got: Digest,
    },
    /// The version of the program.
    Program {
        /// By the manifest.
        expected: String,
    },
    /// A released table is not among those given.
    Released {
        /// Digest of its result.
        result: Digest,
    },
    /// The result.
    Result {
        /// By the manifest.
        expected: Digest,
        /// Made now.
        got: Digest,
    },
    /// What the manifest says of linkage and disclosure is not what the agreement says.
    Terms,
}

impl fmt::Display for ReplayDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agreement { expected, got } => {
                write!(f, "the agreement is another one: {got}, not {expected}")
            }
            Self::Dataset { side, expected, got } => {
                let side = side.as_str();
                write!(
                    f,
                    "the dataset of the {side} is another one: its file has {got}, not {expected}"
                )
            }
            Self::Links { expected, got } => write!(f, "the links differ: {got}, not {expected}"),
            Self::Program { expected } => write!(
                f,
                "the program is another version: this is {PROGRAM_VERSION}, the result was made by {expected}"
            ),
            Self::Released { result } => write!(
                f,
                "the released table of result {result}, which this result was held against, is not among those given"
            ),
            Self::Result { expected, got } => write!(f, "the result differs: {got}, not {expected}"),
            Self::Terms => {
                f.write_str("the manifest was altered: its parameters are not those of its agreement")
            }
        }
    }
}

/// How a replay went. Says nothing of what is in the result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// What is not as the manifest says; none when the result has the same bytes.
    pub differences: Vec<ReplayDifference>,
    /// Digest of the result made now; `None` where an input differs, and nothing was made.
    pub result: Option<Digest>,
}

impl Replay {
    /// Whether the same bytes came out of the same inputs.
    pub fn is_same(&self) -> bool {
        self.differences.is_empty() && self.result.is_some()
    }
}

/// Makes a result again from what its manifest names and compares digests. Inputs are compared first: where one is another, nothing
/// is computed. Another version of the program is tried, and said. Candidates are held in `memory`, which changes nothing of the result.
/// Runs on the current rayon pool.
///
/// # Errors
/// When the datasets, although they are the right ones, cannot be linked by this program, candidates cannot be put aside, or `stop` is
/// set.
pub fn replay(
    manifest: &RunManifest,
    inputs: ReplayInputs,
    memory: &CandidateMemory,
    stop: &Stop,
) -> Result<Replay, EngineError> {
    let ReplayInputs {
        agreement,
        origin,
        destination,
        released,
    } = inputs;
    let mut differences = Vec::new();
    if agreement.digest() != manifest.agreement {
        differences.push(ReplayDifference::Agreement {
            expected: manifest.agreement,
            got: agreement.digest(),
        });
    } else if agreement.linkage != manifest.linkage || agreement.disclosure != manifest.disclosure {
        differences.push(ReplayDifference::Terms);
    }
    let datasets = [
        (Side::Origin, &origin, manifest.origin.content),
        (Side::Destination, &destination, manifest.destination.content),
    ];
    for (side, bytes, expected) in datasets {
        let got = Digest::of(bytes);
        if got != expected {
            differences.push(ReplayDifference::Dataset { side, expected, got });
        }
    }
    let released = match choose(&manifest.held_against, released) {
        Ok(released) => released,
        Err(missing) => {
            let to_difference = |result| ReplayDifference::Released { result };
            differences.extend(missing.into_iter().map(to_difference));
            Vec::new()
        }
    };
    if !differences.is_empty() {
        return Ok(Replay {
            differences,
            result: None,
        });
    }
    if manifest.program != PROGRAM_VERSION {
        differences.push(ReplayDifference::Program {
            expected: manifest.program.clone(),
        });
    }
    let (origin, destination) = (parse_dataset(origin)?, parse_dataset(destination)?);
    let pipeline = Pipeline::new(
        &origin,
        &destination,
        &agreement.linkage,
        &agreement.encoding,
        stop,
    )?;
    let plan = pipeline.plan().clone();
    drop(pipeline);
    let gather = Gather {
        from: &mut |pipeline, candidates| {
            let is_done = pipeline.compare_into(
                &pipeline.tiles(),
                &CandidateBudget::unlimited(),
                candidates,
                &|| {},
            )?;
            if is_done {
                Ok(())
            } else {
                Err(EngineError::from(LinkError::from(Stopped)))
            }
        },
        expected: 0,
    };
    let made = make_result(
        (&origin, &destination),
        &agreement,
        plan,
        (memory, gather),
        released,
        stop,
    )?;
    let (links, result) = (Digest::of(&made.links), made.digest());
    if links != manifest.links {
        differences.push(ReplayDifference::Links {
            expected: manifest.links,
            got: links,
        });
    }
    if result != manifest.result {
        differences.push(ReplayDifference::Result {
            expected: manifest.result,
            got: result,
        });
    }
    Ok(Replay {
        differences,
        result: Some(result),
    })
}

/// Those of the tables that the manifest names, in its order, or the results of those that are not there.
fn choose(named: &[ManifestTable], tables: Vec<PublishedTable>) -> Result<Vec<ReleasedTable>, Vec<Digest>> {
    let digests: Vec<Digest> = tables.iter().map(table_digest).collect();
    let place = |table: Digest| digests.iter().position(|digest| *digest == table);
    let missing: Vec<Digest> = named
        .iter()
        .filter(|named| place(named.table).is_none())
        .map(|named| named.result)
        .collect();
    if !missing.is_empty() {
        return Err(missing);
    }
    let chosen = named.iter().filter_map(|named| {
        let table = tables.get(place(named.table)?)?.clone();
        Some(ReleasedTable {
            result: named.result,
            table,
        })
    });
    Ok(chosen.collect())
}

impl Engine {
    /// Makes the result of a run again from what the service has stored, and compares. For its operator: it shows no figure.
    ///
    /// # Errors
    /// When there is no such run or manifest, or a dataset is gone.
    pub async fn replay_run(&self, run: Digest) -> Result<Replay, EngineError> {
        let status = self
            .store
            .run(run)
            .await?
            .ok_or(EngineError::NotFound { what: "run" })?;
        let manifest = self.store.run_manifest(run).await?;
        let manifest = manifest.ok_or(EngineError::NotFound { what: "manifest" })?;
        let manifest = RunManifest::from_bytes(&manifest).map_err(|_| EngineError::StoredResult)?;
        let signed = self.store.agreement(status.agreement).await?;
        let agreement = signed
            .ok_or(EngineError::NotFound { what: "agreement" })?
            .agreement;
        let released = self.tables_before(&agreement, run).await?;
        let inputs = ReplayInputs {
            origin: self.store.read_dataset(status.origin_dataset).await?,
            destination: self.store.read_dataset(status.destination_dataset).await?,
            agreement,
            released,
        };
        let memory = self.candidate_memory();
        let outcome = self
            .compute
            .run(move |stop| replay(&manifest, inputs, &memory, stop))
            .await??;
        let word = if outcome.is_same() { "same" } else { "differs" };
        let entry = self
            .stamp(None)
            .entry(AuditAction::RunReplayed, Some(status.agreement))
            .with_digest("run", run)
            .with_word("outcome", word);
        self.store.append_audit(&entry).await?;
        Ok(outcome)
    }
}
