use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use corridor_core::{Digest, RunStatus};
use corridor_wire::v1;
use corridor_wire::v1::agreement_service_client::AgreementServiceClient;
use corridor_wire::v1::dataset_service_client::DatasetServiceClient;
use corridor_wire::v1::run_service_client::RunServiceClient;
use tokio::sync::watch;
use tonic::transport::Channel;

use crate::faults::office::Broken;

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
    signed: Vec<&'static str>,
    acknowledged: BTreeMap<&'static str, u64>,
    sealed: BTreeMap<&'static str, Digest>,
    run: Option<Digest>,
    tiles_done: u64,
    result: Option<Digest>,
    released: Vec<&'static str>,
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

    pub(crate) fn signed(&self, office: &'static str) {
        self.noted().signed.push(office);
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

    /// Ends when so many bytes are acknowledged.
    pub(crate) async fn until(&self, bytes: u64) {
        // The sender is this ledger's.
        drop(self.bytes.subscribe().wait_for(|sum| *sum >= bytes).await);
    }

    pub(crate) fn sealed(&self, office: &'static str, id: Digest) {
        self.noted().sealed.insert(office, id);
    }

    pub(crate) fn run_started(&self, run: Digest) {
        self.noted().run = Some(run);
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

    /// Asks a service that was started again for everything it has acknowledged: as `office`, over `channel`.
    pub(crate) async fn check(&self, office: &'static str, channel: Channel) -> Result<(), Broken> {
        // What is acknowledged from now on is not asked for.
        let noted = self.noted().clone();
        let agreement_digest = self.agreement.as_bytes().to_vec();
        let lost = |what: &str| format!("after a restart, {office} is missing {what}");
        if noted.signed.contains(&office) {
            let request = v1::GetAgreementRequest {
                agreement_digest: agreement_digest.clone(),
            };
            let found = AgreementServiceClient::new(channel.clone())
                .get_agreement(request)
                .await;
            let agreement = found
                .map_err(|status| lost(&format!("the agreement: {status}")))?
                .into_inner()
                .agreement
                .unwrap_or_default();
            let signatures = [&agreement.origin_signature, &agreement.destination_signature];
            let there = signatures
                .iter()
                .filter(|signature| !signature.is_empty())
                .count();
            if there < noted.signed.len() {
                return Err(lost("a signature of the agreement"));
            }
        }
        if let Some(bytes) = noted.acknowledged.get(office) {
            let request = v1::ListDatasetsRequest { agreement_digest };
            let found = DatasetServiceClient::new(channel.clone())
                .list_datasets(request)
                .await;
            let datasets = found
                .map_err(|status| lost(&format!("its datasets: {status}")))?
                .into_inner()
                .datasets;
            let [dataset] = datasets.as_slice() else {
                return Err(format!(
                    "after a restart, {office} has {} datasets",
                    datasets.len()
                ));
            };
            if dataset.acknowledged_bytes < *bytes {
                return Err(lost(&format!(
                    "bytes: {bytes} were acknowledged, and {} are there",
                    dataset.acknowledged_bytes
                )));
            }
            let declared = dataset
                .declaration
                .as_ref()
                .map_or(0, |declared| declared.total_bytes);
            if dataset.acknowledged_bytes > declared {
                return Err(format!(
                    "after a restart, {office} has more bytes than it declared"
                ));
            }
            let is_sealed = dataset.state == i32::from(v1::DatasetState::Sealed);
            if let Some(id) = noted.sealed.get(office)
                && !(is_sealed && dataset.dataset_id == id.as_bytes())
            {
                return Err(lost("its sealed dataset"));
            }
        }
        if let Some(run) = noted.run {
            let request = v1::GetRunRequest {
                run_id: run.as_bytes().to_vec(),
            };
            let found = RunServiceClient::new(channel).get_run(request).await;
            let run = found
                .map_err(|status| lost(&format!("the run: {status}")))?
                .into_inner()
                .run
                .unwrap_or_default();
            if run.tiles_done < noted.tiles_done || run.tiles_done > run.tiles_total {
                return Err(format!(
                    "after a restart, {} of {} tiles are done, and {} were",
                    run.tiles_done, run.tiles_total, noted.tiles_done
                ));
            }
            if noted
                .result
                .is_some_and(|result| run.result_digest != result.as_bytes())
            {
                return Err(lost("the result"));
            }
            let released = usize::from(run.released_by_origin) + usize::from(run.released_by_destination);
            if released < noted.released.len() {
                return Err(lost("a release"));
            }
        }
        Ok(())
    }
}
