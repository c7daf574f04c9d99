use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use corridor_core::{
    DatasetDeclaration, DatasetStatus, Digest, GateReport, RunStatus, Signature, SignedAgreement,
    SignedCertificate,
};
use corridor_engine::{LinkageReport, LinkedPair, PublicPlan};
use corridor_flows::PublishedTable;
use corridor_wire::v1::agreement_service_client::AgreementServiceClient;
use corridor_wire::v1::dataset_service_client::DatasetServiceClient;
use corridor_wire::v1::flow_service_client::FlowServiceClient;
use corridor_wire::v1::run_service_client::RunServiceClient;
use corridor_wire::{FieldViolation, to_digest, to_pseudonym, v1};
use serde::Deserialize;
use tokio_stream::StreamExt as _;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::answer::{given, to_plan, to_report};
use crate::failure::Exit;
use crate::flow_answer::to_table;
use crate::output::read_text;

mod audit;

/// How an office reaches the service. Read from TOML; relative paths are relative to the file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceConfig {
    /// Address, as in `https://linkage.example:7443`.
    pub server: String,
    /// The authority of the service's certificate, PEM.
    pub ca: PathBuf,
    /// The office's certificate, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub private_key: PathBuf,
}

/// What a connection is made with.
#[derive(Clone)]
pub struct Connection {
    /// Address, as in `https://linkage.example:7443`.
    pub server: String,
    /// The authority of the service's certificate, PEM.
    pub ca: String,
    /// The office's certificate, PEM.
    pub certificate: String,
    /// Its private key, PEM.
    pub private_key: String,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Connection({})", self.server)
    }
}

impl ServiceConfig {
    /// Reads a config file and the certificates it names.
    pub(crate) fn load(path: &Path) -> anyhow::Result<Connection> {
        let text = read_text(path)?;
        let config: Self = toml::from_str(&text).map_err(|error| {
            crate::failure::input_error(
                format!(
                    "{} is not understood: {}",
                    path.display(),
                    error.to_string().trim_end()
                ),
                "corridor upload --help shows what the file holds",
            )
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Ok(Connection {
            server: config.server.clone(),
            ca: read_text(&folder.join(&config.ca))?,
            certificate: read_text(&folder.join(&config.certificate))?,
            private_key: read_text(&folder.join(&config.private_key))?,
        })
    }
}

/// Why a call to the service failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The answer is not what this program expects.
    #[error("the service's answer is not understood: {0}")]
    Answer(#[from] FieldViolation),
    /// The service could not be reached.
    #[error("cannot reach the service")]
    Connect(#[from] tonic::transport::Error),
    /// The connection was cut.
    #[error("the connection was cut")]
    Cut(#[source] Status),
    /// Nothing came any more.
    #[error("nothing came over the line for {0:?}")]
    Stalled(Duration),
    /// The service refused.
    #[error("the service refused: {message}")]
    Refused {
        /// Its message.
        message: String,
        /// Its stable reason code, when it gave one.
        reason: Option<String>,
        /// How long to wait before asking again, where that may be of use.
        retry_after: Option<Duration>,
        /// What did not hold, where it was several things.
        violations: Vec<Violation>,
    },
}

/// One thing that did not hold: a check of the gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The check, in a word.
    pub check: String,
    /// What was measured.
    pub figure: String,
    /// What it means and what to do.
    pub meaning: String,
}

impl From<Status> for ClientError {
    fn from(status: Status) -> Self {
        let details = status.get_error_details();
        let reason = details.error_info().map(|info| info.reason.clone());
        let violations = details.precondition_failure().map_or_else(Vec::new, |failure| {
            failure
                .violations
                .iter()
                .map(|violation| Violation {
                    check: violation.r#type.clone(),
                    figure: violation.subject.clone(),
                    meaning: violation.description.clone(),
                })
                .collect()
        });
        // A connection that broke has no reason of the service's.
        let is_of_the_line = matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Cancelled)
            || (status.code() == Code::Internal && status.message().starts_with("h2 protocol error"));
        if reason.is_none() && is_of_the_line {
            return Self::Cut(status);
        }
        let asked = details.retry_info().and_then(|info| info.retry_delay);
        let retry_after = if status.code() == Code::Unavailable {
            Some(asked.unwrap_or_default())
        } else {
            asked.filter(|_| status.code() == Code::ResourceExhausted)
        };
        let mut message = status.message().to_owned();
        // By its id the operator finds the call in the log.
        if let (Code::Internal, Some(call)) = (status.code(), details.request_info()) {
            message = format!("{message} under call {}", call.request_id);
        }
        Self::Refused {
            message,
            reason,
            retry_after,
            violations,
        }
    }
}

impl ClientError {
    /// The service's stable reason code, when it refused with one.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Refused { reason, .. } => reason.as_deref(),
            Self::Answer(_) | Self::Connect(_) | Self::Cut(_) | Self::Stalled(_) => None,
        }
    }

    pub(crate) const fn exit(&self) -> Exit {
        match self {
            Self::Refused { .. } => Exit::Refused,
            Self::Connect(_) | Self::Cut(_) | Self::Stalled(_) => Exit::Unreachable,
            Self::Answer(_) => Exit::Failed,
        }
    }

    pub(crate) fn hint(&self) -> String {
        match self {
            Self::Answer(_) => "this program and the service may be of different versions",
            Self::Connect(_) | Self::Cut(_) | Self::Stalled(_) => {
                "check the address and the certificates in the service file, and that the service runs; what it \
                 acknowledged is kept, so the same command goes on where it was"
            }
            Self::Refused { reason, .. } => match reason.as_deref().unwrap_or_default() {
                "AGREEMENT_NOT_IN_FORCE" => "both offices run corridor agreement sign first",
                "CALLER_UNKNOWN" => "check the certificate in the service file; its operator lists who may call",
                "CONTENT_MISMATCH" | "FRAME_CHECKSUM" => "upload again; nothing of the broken bytes was kept",
                "DATASETS_MISSING" => "both offices run corridor upload first",
                "DATASET_FILE" | "DATASET_MISMATCH" => {
                    "encode the register again under the agreement in force; nothing of the dataset was kept"
                }
                "DATASET_PURGED" => "a purged dataset stays so; upload another one under a new agreement",
                "DATASET_SEALED" => "the sealed dataset stands; another one needs a new agreement",
                "DISK_FULL" => "tell the service's operator, then run the same command again",
                "FRAME_OUT_OF_ORDER" => "another upload of the same dataset is under way; run the command again",
                "GATE_FAILED" => {
                    "the lines above say what each check means; corridor gate runs them here before an upload"
                }
                "SEALED_MEANWHILE" => "run the same command again: what was uploaded is kept",
                "KEY_CHECK_MISMATCH" => {
                    "the two offices hold different keys: run corridor keys exchange again and compare fingerprints"
                }
                "NOT_FOUND" => "check the digest; an office sees its own agreements, datasets and runs only",
                "NOT_RELEASED" => "both offices run corridor flows release first",
                "NO_RESULT" => "wait for the run with corridor run watch",
                "OUTPUT_NOT_ALLOWED" => "only what both offices agreed to may leave; it needs a new agreement",
                "RUN_REFUSED" => "follow a proposal of the message; corridor run plan says what a run needs",
                "STORED_ALTERED" => "tell the service's operator; if the dataset was not sealed yet, upload it again",
                "SIGNATURE" => "sign with the identity whose public key is in the agreement",
                _ => "the message says what the service expected",
            },
        }
        .to_owned()
    }
}

/// An office's line to the service. Everything the command line does goes through it.
#[derive(Debug, Clone)]
pub struct Client {
    channel: Channel,
    endpoint: Endpoint,
}

/// Result type of calls.
pub type ClientResult<T> = Result<T, ClientError>;

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// When the address is none, the certificates do not fit, or nobody answers.
    pub async fn connect(connection: &Connection) -> ClientResult<Self> {
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(&connection.ca))
            .identity(Identity::from_pem(
                &connection.certificate,
                &connection.private_key,
            ));
        let endpoint = Endpoint::from_shared(connection.server.clone())?
            .tls_config(tls)?
            .connect_timeout(Duration::from_secs(10))
            .http2_keep_alive_interval(Duration::from_secs(30));
        let channel = endpoint.connect().await?;
        Ok(Self { channel, endpoint })
    }

    /// Another connection to the same service, which is closed when nothing comes over it for about `stalled_after` in spite of pings.
    pub(crate) async fn reconnect(&self, stalled_after: Duration) -> ClientResult<Self> {
        let endpoint = self
            .endpoint
            .clone()
            .http2_keep_alive_interval(stalled_after / 2)
            .keep_alive_timeout(stalled_after / 2);
        let channel = endpoint.connect().await?;
        Ok(Self { channel, endpoint })
    }

    /// What it calls over, for calls of one's own.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    fn agreements(&self) -> AgreementServiceClient<Channel> {
        AgreementServiceClient::new(self.channel.clone())
    }

    pub(crate) fn datasets(&self) -> DatasetServiceClient<Channel> {
        DatasetServiceClient::new(self.channel.clone())
    }

    fn runs(&self) -> RunServiceClient<Channel> {
        RunServiceClient::new(self.channel.clone())
    }

    fn flows(&self) -> FlowServiceClient<Channel> {
        FlowServiceClient::new(self.channel.clone())
    }

    /// Proposes an agreement.
    ///
    /// # Errors
    /// When the service refuses or cannot be reached.
    pub async fn propose_agreement(&self, canonical: Vec<u8>) -> ClientResult<SignedAgreement> {
        let request = v1::CreateAgreementRequest { canonical };
        let response = self.agreements().create_agreement(request).await?.into_inner();
        Ok(given(response.agreement, "agreement")?.try_into()?)
    }

    /// An agreement, with its signatures checked.
    ///
    /// # Errors
    /// As [`Client::propose_agreement`].
    pub async fn agreement(&self, digest: Digest) -> ClientResult<SignedAgreement> {
        let request = v1::GetAgreementRequest {
            agreement_digest: to_bytes(digest),
        };
        let response = self.agreements().get_agreement(request).await?.into_inner();
        Ok(given(response.agreement, "agreement")?.try_into()?)
    }

    /// The office's agreements.
    ///
    /// # Errors
    /// As [`Client::propose_agreement`].
    pub async fn list_agreements(&self) -> ClientResult<Vec<SignedAgreement>> {
        let response = self
            .agreements()
            .list_agreements(v1::ListAgreementsRequest {})
            .await?
            .into_inner();
        let agreements: Result<_, FieldViolation> =
            response.agreements.into_iter().map(TryInto::try_into).collect();
        Ok(agreements?)
    }

    /// Adds the office's signature of an agreement.
    ///
    /// # Errors
    /// As [`Client::propose_agreement`].
    pub async fn sign_agreement(
        &self,
        digest: Digest,
        signature: &Signature,
    ) -> ClientResult<SignedAgreement> {
        let request = v1::SignAgreementRequest {
            agreement_digest: to_bytes(digest),
            signature: signature.as_bytes().to_vec(),
        };
        let response = self.agreements().sign_agreement(request).await?.into_inner();
        Ok(given(response.agreement, "agreement")?.try_into()?)
    }

    /// Declares a dataset, and learns what of it is there already.
    ///
    /// # Errors
    /// As [`Client::propose_agreement`].
    pub async fn declare_dataset(&self, declaration: &DatasetDeclaration) -> ClientResult<DatasetStatus> {
        let request = v1::CreateDatasetRequest {
            declaration: Some(declaration.into()),
        };
        let response = self.datasets().create_dataset(request).await?.into_inner();
        Ok(given(response.dataset, "dataset")?.try_into()?)
    }

    /// Has a whole dataset checked and fixed.
    ///
    /// # Errors
    /// As [`Client::propose_agreement`].
    pub async fn seal_dataset(&self, id: Digest) -> ClientResult<DatasetStatus> {
        let request = v1::SealDatasetRequest {
            dataset_id: to_bytes(id),
        };
        let response = self.datasets().seal_dataset(request).await?.into_inner();
        Ok(given(response.dataset, "dataset")?.try_into()?)
    }

    /// A dataset of the office's.
    ///
    /// # Errors
    /// As [`Client::propose_agreement`].
    pub async fn dataset(&self, id: Digest) -> ClientResult<DatasetStatus> {
        let request = v1::GetDatasetRequest {
            dataset_id: to_bytes(id),
        };
        let response = self.datasets().get_dataset(request).await?.into_inner();
        Ok(given(response.dataset, "dataset")?.try_into()?)
    }

    /// Purges a dataset of the office's for good. Gives the certificate, whose signature is checked.
    ///
    /// # Errors
    /// As [`Client::propose_agreement`].
    pub async fn purge_dataset(&self, id: Digest) -> ClientResult<SignedCertificate> {
        let request = v1::PurgeDatasetRequest {
            dataset_id: to_bytes(id),
        };
        let response = self.datasets().purge_dataset(request).await?.into_inner();
        Ok(given(response.certificate, "certificate")?.try_into()?)
    }

    /// The certificate that a dataset of the office's was purged.
    ///
    /// # Errors
    /// As [`Client::propose_agreement`].
    pub async fn deletion_certificate(&self, id: Digest) -> ClientResult<SignedCertificate> {
        let request = v1::GetDeletionCertificateRequest {
            dataset_id: to_bytes(id),
        };
        let response = self
            .datasets()
            .get_deletion_certificate(request)
            .await?
            .into_inner();
        Ok(given(response.certificate, "certificate")?.try_into()?)
    }

    /// What the gate found in a sealed dataset of the office's; `None` where it was sealed before there was a gate.
    ///
    /// # Errors
    /// As [`Client::propose_agreement`].
    pub async fn gate_report(&self, id: Digest) -> ClientResult<Option<GateReport>> {
        let request = v1::GetDatasetRequest {
            dataset_id: to_bytes(id),
        };
        let response = self.datasets().get_dataset(request).await?.into_inner();
        Ok(response.gate_report.map(TryInto::try_into).transpose()?)
    }

    /// Starts the run of an agreement.
    ///
    /// # Errors
    /// As [`Client::propose_agreement`].
    pub async fn start_run(&self, agreement: Digest) -> ClientResult<RunStatus> {
        let request = v1::CreateRunRequest {
            agreement_digest: to_bytes(agreement),
        };
        let response = self.runs().create_run(request).await?.into_inner();
        Ok(given(response.run, "run")?.try_into()?)
    }

    /// What the run of an agreement will need, and whether it would be taken.
    ///
    /// # Errors
    /// As [`Client::propose_agreement`].
    pub async fn plan_run(&self, agreement: Digest) -> ClientResult<PublicPlan> {
        let request = v1::PlanRunRequest {
            agreement_digest: to_bytes(agreement),
        };
        let response = self.runs().plan_run(request).await?.into_inner();
        Ok(to_plan(given(response.plan, "plan")?)?)
    }

    /// A run.
    ///
    /// # Errors
    /// As [`Client::propose_agreement`].
    pub async fn run(&self, id: Digest) -> ClientResult<RunStatus> {
        let request = v1::GetRunRequest { run_id: to_bytes(id) };
        let response = self.runs().get_run(request).await?.into_inner();
        Ok(given(response.run, "run")?.try_into()?)
    }

    /// Follows a run until it ends or waits for release; `on_change` is told every status. Gives the last.
    ///
    /// # Errors
    /// As [`Client::propose_agreement`].
    pub async fn watch_run(
        &self,
        id: Digest,
        on_change: &(dyn Fn(&RunStatus) + Sync),
    ) -> ClientResult<RunStatus> {
        let request = v1::WatchRunRequest { run_id: to_bytes(id) };
        let mut statuses = self.runs().watch_run(request).await?.into_inner();
        let mut last = None;
        while let Some(status) = statuses.next().await {
            let run: RunStatus = given(status?.run, "run")?.try_into()?;
            on_change(&run);
            last = Some(run);
        }
        match last {
            Some(run) if !run.state.is_active() => Ok(run),
            // The service is being shut down: the run goes on later.
            _ => Err(ClientError::Cut(Status::unavailable(
                "the service ended the stream",
            ))),
        }
    }

    /// Stops a run.
    ///
    /// # Errors
    /// As [`Client::propose_agreement`].
    pub async fn cancel_run(&self, id: Digest) -> ClientResult<RunStatus> {
        let request = v1::CancelRunRequest { run_id: to_bytes(id) };
        let response = self.runs().cancel_run(request).await?.into_inner();
        Ok(given(response.run, "run")?.try_into()?)
    }

    /// The linked pairs of a released run, when the agreement allows link lists.
    ///
    /// # Errors
    /// As [`Client::propose_agreement`].
    pub async fn links(&self, id: Digest) -> ClientResult<Vec<LinkedPair>> {
        let request = v1::ListLinksRequest { run_id: to_bytes(id) };
        let mut messages = self.runs().list_links(request).await?.into_inner();
        let mut links = Vec::new();
        while let Some(message) = messages.next().await {
            for link in message?.links {
                links.push(LinkedPair {
                    origin_record: to_pseudonym(&link.origin_record, "origin_record")?,
                    destination_record: to_pseudonym(&link.destination_record, "destination_record")?,
                    similarity: link.similarity,
                    probability: link.probability,
                    evidence: link.evidence,
                });
            }
        }
        Ok(links)
    }

    /// Releases the result of a run, for this office.
    ///
    /// # Errors
    /// As [`Client::propose_agreement`].
    pub async fn release(&self, id: Digest, signature: &Signature) -> ClientResult<(bool, bool)> {
        let request = v1::ReleaseFlowTableRequest {
            run_id: to_bytes(id),
            signature: signature.as_bytes().to_vec(),
        };
        let response = self.flows().release_flow_table(request).await?.into_inner();
        Ok((response.released_by_origin, response.released_by_destination))
    }

    /// The released flow table of a run, how its links were decided, and the digest of both.
    ///
    /// # Errors
    /// As [`Client::propose_agreement`].
    pub async fn flow_table(&self, id: Digest) -> ClientResult<(PublishedTable, LinkageReport, Digest)> {
        let request = v1::GetFlowTableRequest { run_id: to_bytes(id) };
        let response = self.flows().get_flow_table(request).await?.into_inner();
        let request = v1::StreamFlowRowsRequest { run_id: to_bytes(id) };
        let mut messages = self.flows().stream_flow_rows(request).await?.into_inner();
        let mut rows = Vec::new();
        while let Some(message) = messages.next().await {
            rows.extend(message?.rows);
        }
        let table = to_table(given(response.flow_table, "flow_table")?, rows)?;
        let report = to_report(given(response.linkage_report, "linkage_report")?)?;
        Ok((
            table,
            report,
            to_digest(&response.result_digest, "result_digest")?,
        ))
    }

    /// How the links of a released run were decided and how good they are, and the digest of its result.
    ///
    /// # Errors
    /// As [`Client::propose_agreement`].
    pub async fn linkage_report(&self, id: Digest) -> ClientResult<(LinkageReport, Digest)> {
        let request = v1::GetLinkageReportRequest { run_id: to_bytes(id) };
        let response = self.runs().get_linkage_report(request).await?.into_inner();
        let report = to_report(given(response.linkage_report, "linkage_report")?)?;
        Ok((report, to_digest(&response.result_digest, "result_digest")?))
    }
}

pub(crate) fn to_bytes(digest: Digest) -> Vec<u8> {
    digest.as_bytes().to_vec()
}

/// Connects with the settings of a service file.
pub(crate) async fn connect(service: &Path) -> anyhow::Result<Client> {
    let connection = ServiceConfig::load(service)?;
    let client = Client::connect(&connection).await;
    client.with_context(|| format!("the service of {}", service.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_service_file_is_read_and_unknown_keys_are_refused() {
        const SAMPLE: &str = include_str!("../../../deploy/service.toml");
        let config: ServiceConfig = toml::from_str(SAMPLE).unwrap();
        assert_eq!(config.server, "https://linkage.example:7443");
        assert!(toml::from_str::<ServiceConfig>(&SAMPLE.replace("ca =", "authority =")).is_err());
    }
}
