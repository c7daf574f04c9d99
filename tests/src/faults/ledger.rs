use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use corridor_cli::{Client, ClientResult};
use corridor_core::{
    DatasetDeclaration, DatasetState, DatasetStatus, Digest, PurgeReason, RunState, RunStatus, Side,
    Signature, SignedCertificate,
};
use corridor_engine::result_digest;
use corridor_wire::v1;
use corridor_wire::v1::dataset_service_client::DatasetServiceClient;
use tokio::sync::watch;
use tonic::transport::Channel;

use crate::faults::office::Broken;
use crate::world::CALLERS;

/// What the service has acknowledged so far in a round: it must never know less.
#[derive(Debug)]
pub(crate) struct Ledger {
    agreement: Digest,
    noted: Mutex<Noted>,
    /// Bytes acknowledged of all uploads together.
    bytes: watch::Sender<u64>,
}

#[derive(Debug, Default, Clone)]
struct Noted {
    signed: BTreeMap<&'static str, Signature>,
    declared: BTreeMap<&'static str, DatasetDeclaration>,
    acknowledged: BTreeMap<&'static str, u64>,
    /// Bytes that were there when it was last asked for.
    found: BTreeMap<&'static str, u64>,
    sealed: BTreeMap<&'static str, Digest>,
    /// Digests of what is stored of sealed datasets.
    stored: BTreeMap<&'static str, Digest>,
    run: Option<Digest>,
    tiles_done: u64,
    result: Option<Digest>,
    released: Vec<&'static str>,
    /// Who asked for a purge, answered or not.
    purging: Vec<&'static str>,
    /// Who was answered.
    purged: Vec<&'static str>,
    certificates: BTreeMap<&'static str, SignedCertificate>,
    cuts: u64,
    broken: Vec<Broken>,
}

impl Ledger {
    pub(crate) fn new(agreement: Digest) -> Self {
        Self {
            agreement,
            noted: Mutex::default(),
            bytes: watch::Sender::new(0),
        }
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn signed(&self, office: &'static str, signature: &Signature) {
        self.noted().signed.insert(office, signature.clone());
    }

    /// What an office is about to upload.
    pub(crate) fn declares(&self, office: &'static str, declaration: &DatasetDeclaration) {
        self.noted().declared.insert(office, declaration.clone());
    }

    pub(crate) fn acknowledged(&self, office: &'static str, bytes: u64) {
        let mut noted = self.noted();
        let before = noted.acknowledged.entry(office).or_default();
        if bytes < *before {
            let (before, name) = (*before, office);
            noted.broken.push(format!(
                "{name} was acknowledged {before} bytes, and then {bytes}"
            ));
        } else {
            *before = bytes;
        }
        let sum = noted.acknowledged.values().sum();
        drop(noted);
        self.bytes.send_replace(sum);
    }

    /// Bytes acknowledged of all uploads together.
    pub(crate) fn bytes(&self) -> u64 {
        *self.bytes.borrow()
    }

    /// Ends when so many bytes are acknowledged.
    pub(crate) async fn until(&self, bytes: u64) {
        // The sender is this ledger's.
        drop(self.bytes.subscribe().wait_for(|sum| *sum >= bytes).await);
    }

    pub(crate) fn sealed(&self, office: &'static str, id: Digest) {
        self.noted().sealed.insert(office, id);
    }

    /// The dataset an office has sealed.
    pub(crate) fn dataset_of(&self, office: &str) -> Option<Digest> {
        self.noted().sealed.get(office).copied()
    }

    /// Notes a digest of the bytes that are stored of a sealed dataset: they must not change.
    pub(crate) fn stored(&self, office: &'static str, bytes: Option<Digest>) -> Result<(), Broken> {
        let bytes = bytes.ok_or_else(|| format!("nothing is stored of the sealed dataset of {office}"))?;
        let before = *self.noted().stored.entry(office).or_insert(bytes);
        if before == bytes {
            Ok(())
        } else {
            Err(format!(
                "what is stored of the sealed dataset of {office} changed"
            ))
        }
    }

    pub(crate) fn run_started(&self, run: Digest) {
        self.noted().run = Some(run);
    }

    pub(crate) fn run(&self) -> Option<Digest> {
        self.noted().run
    }

    /// A status of the run, as it was watched.
    pub(crate) fn saw(&self, status: &RunStatus) {
        let mut noted = self.noted();
        if status.tiles_done > status.tiles_total {
            noted.broken.push(format!(
                "progress past the end: {} of {} tiles",
                status.tiles_done, status.tiles_total
            ));
        }
        if status.tiles_done < noted.tiles_done {
            let before = noted.tiles_done;
            noted.broken.push(format!(
                "{before} tiles were done, and then {}",
                status.tiles_done
            ));
        }
        noted.tiles_done = status.tiles_done;
        if let Some(result) = status.result {
            if noted.result.is_some_and(|before| before != result) {
                noted.broken.push("the result changed".to_owned());
            }
            noted.result = Some(result);
        }
    }

    pub(crate) fn released(&self, office: &'static str) {
        self.noted().released.push(office);
    }

    /// An office is about to ask for a purge: from now on it may have happened.
    pub(crate) fn purges(&self, office: &'static str) {
        self.noted().purging.push(office);
    }

    /// An office was answered that its dataset is purged.
    pub(crate) fn purged(&self, office: &'static str, certificate: SignedCertificate) -> Result<(), Broken> {
        self.certified(office, certificate)?;
        self.noted().purged.push(office);
        Ok(())
    }

    /// A certificate, whose signature fits: it must be one of this purge, and the same each time, to the byte.
    pub(crate) fn certified(
        &self,
        office: &'static str,
        certificate: SignedCertificate,
    ) -> Result<(), Broken> {
        let mut noted = self.noted();
        let said = certificate.certificate();
        let declared = noted.declared.get(office);
        let fits = noted.sealed.get(office) == Some(&said.dataset)
            && declared.is_some_and(|declared| {
                (declared.content, declared.record_count) == (said.content, said.record_count)
            })
            && said.office.as_str() == office
            && said.agreement == self.agreement
            && said.reason == PurgeReason::Request;
        if !fits {
            return Err(format!(
                "the deletion certificate of {office} is of something else"
            ));
        }
        let is_of_another_key = noted
            .certificates
            .values()
            .any(|other| other.signing_key() != certificate.signing_key());
        if is_of_another_key {
            return Err("deletion certificates are signed by two keys".to_owned());
        }
        let before = noted.certificates.entry(office).or_insert(certificate.clone());
        if before.canonical() == certificate.canonical() && *before == certificate {
            Ok(())
        } else {
            Err(format!("the deletion certificate of {office} changed"))
        }
    }

    /// Whether exactly one of the certificates says that the run went with its dataset.
    pub(crate) fn check_certificates(&self) -> Result<(), Broken> {
        let noted = self.noted();
        let runs: Vec<Digest> = noted
            .certificates
            .values()
            .flat_map(|certificate| certificate.certificate().purged_runs.clone())
            .collect();
        if noted.certificates.len() == CALLERS.len() && runs == Vec::from_iter(noted.run) {
            Ok(())
        } else {
            Err(format!(
                "{} deletion certificates say of {} runs that they were purged",
                noted.certificates.len(),
                runs.len()
            ))
        }
    }

    /// Whether an office was answered that its dataset is purged.
    pub(crate) fn is_purged(&self, office: &str) -> bool {
        self.noted().purged.contains(&office)
    }

    /// Whether an office asked for a purge.
    pub(crate) fn is_purging(&self, office: &str) -> bool {
        self.noted().purging.contains(&office)
    }

    pub(crate) fn cut(&self) {
        self.noted().cuts += 1;
    }

    /// Cuts that uploads went on after.
    pub(crate) fn cuts(&self) -> u64 {
        self.noted().cuts
    }

    /// What was seen that must not be.
    pub(crate) fn broken(&self) -> Vec<Broken> {
        self.noted().broken.clone()
    }

    /// Asks a service for everything it has acknowledged: as `office`, with `client` and over `channel`.
    pub(crate) async fn check(
        &self,
        office: &'static str,
        client: &Client,
        channel: Channel,
    ) -> ClientResult<Result<(), Broken>> {
        // What is acknowledged from now on is not asked for.
        let noted = self.noted().clone();
        if !noted.signed.is_empty() {
            let agreement = client.agreement(self.agreement).await?;
            let sides = [Side::Origin, Side::Destination];
            for (signer, side) in CALLERS.iter().zip(sides) {
                if let Some(signature) = noted.signed.get(signer)
                    && agreement.signature(side) != Some(signature)
                {
                    return Ok(Err(lost(office, "a signature of the agreement")));
                }
            }
        }
        if noted.acknowledged.contains_key(office) {
            let request = v1::ListDatasetsRequest {
                agreement_digest: self.agreement.as_bytes().to_vec(),
            };
            let found = DatasetServiceClient::new(channel).list_datasets(request).await?;
            let datasets = found.into_inner().datasets;
            let [dataset] = datasets.as_slice() else {
                return Ok(Err(format!(
                    "after a fault, {office} has {} datasets",
                    datasets.len()
                )));
            };
            let dataset: DatasetStatus = dataset.clone().try_into()?;
            if let Err(broken) = self.check_dataset(office, &noted, &dataset) {
                return Ok(Err(broken));
            }
            if dataset.state == DatasetState::Purged {
                let certificate = client.deletion_certificate(dataset.id).await?;
                if let Err(broken) = self.certified(office, certificate) {
                    return Ok(Err(broken));
                }
            }
        }
        if let Some(run) = noted.run {
            let run = client.run(run).await?;
            if let Err(broken) = self.check_run(office, &noted, &run) {
                return Ok(Err(broken));
            }
            if noted.released.len() == CALLERS.len() {
                let (table, report, digest) = client.flow_table(run.id).await?;
                if Some(digest) != noted.result || result_digest(&table, &report) != digest {
                    return Ok(Err(format!(
                        "after a fault, {office} reads another table than was released"
                    )));
                }
            }
        }
        Ok(Ok(()))
    }

    fn check_dataset(
        &self,
        office: &'static str,
        noted: &Noted,
        dataset: &DatasetStatus,
    ) -> Result<(), Broken> {
        if noted.declared.get(office) != Some(&dataset.declaration) {
            return Err(lost(office, "what it declared"));
        }
        if dataset.state == DatasetState::Purged {
            // It may have been asked for since.
            return if self.is_purging(office) {
                Ok(())
            } else {
                Err(lost(office, "its dataset, which it did not have purged"))
            };
        }
        if noted.purged.contains(&office) {
            return Err(format!("after a fault, the purged dataset of {office} is back"));
        }
        if let Some(id) = noted.sealed.get(office)
            && (dataset.id, dataset.state) != (*id, DatasetState::Sealed)
        {
            return Err(lost(office, "its sealed dataset"));
        }
        let told = noted.acknowledged.get(office).copied().unwrap_or_default();
        let found = noted.found.get(office).copied().unwrap_or_default();
        let bytes = told.max(found);
        if dataset.acknowledged_bytes < bytes {
            return Err(lost(
                office,
                &format!(
                    "bytes: {bytes} were acknowledged, and {} are there",
                    dataset.acknowledged_bytes
                ),
            ));
        }
        if dataset.acknowledged_bytes > dataset.declaration.total_bytes {
            return Err(format!("after a fault, {office} has more bytes than it declared"));
        }
        self.noted().found.insert(office, dataset.acknowledged_bytes);
        Ok(())
    }

    fn check_run(&self, office: &str, noted: &Noted, run: &RunStatus) -> Result<(), Broken> {
        if matches!(run.state, RunState::Failed | RunState::Cancelled) {
            return Err(format!("after a fault, the run is {}: {}", run.state, run.reason));
        }
        // The tiles of a run go with the first of its datasets, for which somebody may have asked since.
        let may_have_gone = CALLERS.iter().any(|office| self.is_purging(office));
        if run.tiles_done > run.tiles_total || (run.tiles_done < noted.tiles_done && !may_have_gone) {
            return Err(format!(
                "after a fault, {} of {} tiles are done, and {} were",
                run.tiles_done, run.tiles_total, noted.tiles_done
            ));
        }
        if noted.result.is_some() && run.result != noted.result {
            return Err(lost(office, "the result"));
        }
        for (releaser, side) in CALLERS.iter().zip([Side::Origin, Side::Destination]) {
            if noted.released.contains(releaser) && !run.released_by.contains(&side) {
                return Err(lost(office, "a release"));
            }
        }
        Ok(())
    }
}

fn lost(office: &str, what: &str) -> Broken {
    format!("after a fault, {office} is missing {what}")
}
