use std::time::Duration;

use bytes::Bytes;
use corridor_cli::{Client, ClientError, ClientResult, Connection, LineTerms, UploadEvent};
use corridor_core::{
    DatasetDeclaration, DatasetState, Digest, RunState, RunStatus, SeededEntropy, Signature, SignedAgreement,
};
use corridor_engine::result_digest;
use tokio::time::{Instant, sleep, timeout};

use crate::faults::ledger::Ledger;

/// How long an office tries before a service that is always started again is held to be broken.
const PATIENCE: Duration = Duration::from_secs(180);

/// How long a call may take before the office calls again.
const CALL: Duration = Duration::from_secs(60);

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(20);

/// One office, which does not give up, and writes down what it was told.
pub(crate) struct OfficeClient<'a> {
    pub(crate) name: &'static str,
    pub(crate) connection: Connection,
    pub(crate) ledger: &'a Ledger,
    /// Reasons of refusals, besides those that pass by themselves, after which the office calls again: those of a fault under way
    /// that somebody ends.
    pub(crate) waits_out: &'static [&'static str],
}

/// What must not be, in words.
pub(crate) type Broken = String;

impl OfficeClient<'_> {
    /// Calls until it is answered: the line may be cut and the service be killed, any number of times.
    pub(crate) async fn persist<T>(
        &self,
        what: &str,
        mut call: impl AsyncFnMut(&Client) -> ClientResult<T>,
    ) -> Result<T, Broken> {
        let begun = Instant::now();
        loop {
            let outcome = timeout(CALL, async {
                call(&Client::connect(&self.connection).await?).await
            })
            .await;
            let last = match outcome {
                Ok(Ok(value)) => return Ok(value),
                Ok(Err(error)) if self.may_pass(&error) => error.to_string(),
                Ok(Err(error)) => return Err(format!("{} {what}: {error}", self.name)),
                Err(_) => format!("no answer within {CALL:?}"),
            };
            if begun.elapsed() > PATIENCE {
                return Err(format!(
                    "{} {what}: not done after {PATIENCE:?}, the last time for: {last}",
                    self.name
                ));
            }
            sleep(PAUSE).await;
        }
    }

    pub(crate) async fn propose(&self, canonical: &[u8]) -> Result<(), Broken> {
        self.persist("proposes", async |client: &Client| {
            client.propose_agreement(canonical.to_vec()).await
        })
        .await
        .map(drop)
    }

    pub(crate) async fn sign(
        &self,
        agreement: Digest,
        signature: &Signature,
    ) -> Result<SignedAgreement, Broken> {
        let signed = self
            .persist("signs", async |client: &Client| {
                client.sign_agreement(agreement, signature).await
            })
            .await?;
        self.ledger.signed(self.name, signature);
        Ok(signed)
    }

    /// Uploads with the code of `corridor upload`, and seals.
    pub(crate) async fn upload(
        &self,
        declaration: &DatasetDeclaration,
        bytes: &Bytes,
        entropy: &mut SeededEntropy,
    ) -> Result<(), Broken> {
        let line = LineTerms {
            give_up_after: PATIENCE,
            stalled_after: Duration::from_secs(10),
        };
        let client = self
            .persist("connects", async |client: &Client| Ok(client.clone()))
            .await?;
        self.ledger.declares(self.name, declaration);
        let begun = Instant::now();
        let status = loop {
            let tell = &mut |event: UploadEvent<'_>| match event {
                UploadEvent::Acknowledged(bytes) => self.ledger.acknowledged(self.name, bytes),
                UploadEvent::Interrupted { .. } => self.ledger.cut(),
            };
            match client
                .upload_patiently((declaration, bytes), line, entropy, tell)
                .await
            {
                Ok(status) => break status,
                // The command ends with such an error; somebody makes room, and it is run again.
                Err(error) if self.may_pass(&error) && begun.elapsed() < PATIENCE => sleep(PAUSE).await,
                Err(error) => return Err(format!("{} uploads: {error}", self.name)),
            }
        };
        self.ledger.sealed(self.name, status.id);
        let whole = status.state == DatasetState::Sealed
            && status.acknowledged_bytes == declaration.total_bytes
            && status.declaration == *declaration;
        if whole {
            Ok(())
        } else {
            Err(format!(
                "{} has sealed something else than it declared",
                self.name
            ))
        }
    }

    pub(crate) async fn start_run(&self, agreement: Digest) -> Result<Digest, Broken> {
        let run = self
            .persist("starts the run", async |client: &Client| {
                client.start_run(agreement).await
            })
            .await?;
        self.ledger.run_started(run.id);
        Ok(run.id)
    }

    /// Watches until the run waits for release; gives the digest of its result.
    pub(crate) async fn watch(&self, run: Digest) -> Result<Digest, Broken> {
        let status = self
            .persist("watches", async |client: &Client| {
                client.watch_run(run, &|status| self.ledger.saw(status)).await
            })
            .await?;
        result_of(&status)
    }

    pub(crate) async fn release(&self, run: Digest, signature: &Signature) -> Result<(), Broken> {
        self.persist("releases", async |client: &Client| {
            client.release(run, signature).await
        })
        .await?;
        self.ledger.released(self.name);
        Ok(())
    }

    /// Purges its dataset, and asks for the certificate once more.
    pub(crate) async fn purge(&self) -> Result<(), Broken> {
        let id = self.ledger.dataset_of(self.name);
        let id = id.ok_or_else(|| format!("{} has no dataset to purge", self.name))?;
        self.ledger.purges(self.name);
        let certificate = self
            .persist("purges", async |client: &Client| client.purge_dataset(id).await)
            .await?;
        self.ledger.purged(self.name, certificate)?;
        let again = self
            .persist("asks for the certificate", async |client: &Client| {
                client.deletion_certificate(id).await
            })
            .await?;
        self.ledger.certified(self.name, again)
    }

    /// Tries to have its purged dataset again.
    pub(crate) async fn is_refused_what_it_purged(
        &self,
        declaration: &DatasetDeclaration,
    ) -> Result<(), Broken> {
        let id = self.ledger.dataset_of(self.name);
        let id = id.ok_or_else(|| format!("{} has purged no dataset", self.name))?;
        let tries = self
            .persist("asks for what is purged", async |client: &Client| {
                let declared = client.declare_dataset(declaration).await;
                let sealed = client.seal_dataset(id).await;
                let mut reasons = Vec::new();
                for outcome in [declared, sealed] {
                    match outcome {
                        Ok(status) => reasons.push(format!("{:?}", status.state)),
                        Err(error) if self.may_pass(&error) => return Err(error),
                        Err(error) => reasons.push(error.reason().unwrap_or_default().to_owned()),
                    }
                }
                Ok(reasons)
            })
            .await?;
        if tries.iter().all(|reason| reason == "DATASET_PURGED") {
            Ok(())
        } else {
            Err(format!(
                "{} asks for its purged dataset and is answered {}",
                self.name,
                tries.join(", ")
            ))
        }
    }

    /// Reads the result, and works out its digest.
    pub(crate) async fn read(&self, run: Digest) -> Result<Digest, Broken> {
        let (table, report, digest) = self
            .persist("reads", async |client: &Client| client.flow_table(run).await)
            .await?;
        if result_digest(&table, &report) == digest {
            Ok(digest)
        } else {
            Err(format!("{} reads another result than was released", self.name))
        }
    }

    /// Whether an error goes away by itself or when somebody makes room.
    fn may_pass(&self, error: &ClientError) -> bool {
        match error {
            ClientError::Connect(_) | ClientError::Cut(_) | ClientError::Stalled(_) => true,
            ClientError::Refused {
                reason, retry_after, ..
            } => {
                let is_waited_out = |reason: &str| self.waits_out.contains(&reason);
                retry_after.is_some() || reason.as_deref().is_some_and(is_waited_out)
            }
            ClientError::Answer(_) => false,
        }
    }
}

/// Reasons of a disk that is full, until somebody makes room.
pub(crate) const FULL_DISK: &[&str] = &["DISK_FULL"];

/// Reasons of a disk that cannot be written: the service says that it failed.
pub(crate) const READ_ONLY_DISK: &[&str] = &["INTERNAL"];

fn result_of(status: &RunStatus) -> Result<Digest, Broken> {
    match (status.state, status.result) {
        (RunState::Reconciled | RunState::Released, Some(result)) => Ok(result),
        (state, _) => Err(format!("the run ended as {state}: {}", status.reason)),
    }
}
