use std::pin::Pin;

use corridor_core::{Caller, Digest, RunStatus};
use corridor_engine::{Engine, EngineError, LinkedPair, ResultPart};
use corridor_wire::v1::agreement_service_server::AgreementService;
use corridor_wire::v1::dataset_service_server::DatasetService;
use corridor_wire::v1::flow_service_server::FlowService;
use corridor_wire::v1::run_service_server::RunService;
use corridor_wire::{FieldViolation, to_digest, to_signature, v1};
use futures::stream::{self, Stream};
use tonic::{Request, Response, Status, Streaming};

use crate::doorkeeper::Patience;
use crate::flow_messages::{Page, ROWS_PER_MESSAGE, to_flow_row, to_flow_table};
use crate::plan::to_plan;
use crate::report_messages::to_report;
use crate::status::{self, from_engine, from_violation};
use crate::upload::take_frames;

pub(crate) type ResponseStream<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// The gRPC face of an engine: reads messages, names the caller, asks the engine.
#[derive(Debug, Clone)]
pub(crate) struct Services {
    pub(crate) engine: Engine,
}

impl Services {
    pub(crate) const fn new(engine: Engine) -> Self {
        Self { engine }
    }
}

/// Who calls, as the doorkeeper found, and with what.
pub(crate) fn open<T>(mut request: Request<T>) -> Result<(Caller, T), Status> {
    let caller = request
        .extensions_mut()
        .remove::<Caller>()
        .ok_or_else(|| status::unauthenticated("a client certificate is required"))?;
    Ok((caller, request.into_inner()))
}

pub(crate) fn digest(bytes: &[u8], field: &str) -> Result<Digest, Status> {
    to_digest(bytes, field).map_err(refuse)
}

pub(crate) fn refuse(violation: FieldViolation) -> Status {
    from_violation(&violation)
}

#[tonic::async_trait]
impl AgreementService for Services {
    async fn create_agreement(
        &self,
        request: Request<v1::CreateAgreementRequest>,
    ) -> Result<Response<v1::CreateAgreementResponse>, Status> {
        let (caller, message) = open(request)?;
        let agreement = message.to_agreement().map_err(refuse)?;
        let signed = self
            .engine
            .propose_agreement(&caller, &agreement)
            .await
            .map_err(from_engine)?;
        Ok(Response::new(v1::CreateAgreementResponse {
            agreement: Some((&signed).into()),
        }))
    }

    async fn get_agreement(
        &self,
        request: Request<v1::GetAgreementRequest>,
    ) -> Result<Response<v1::GetAgreementResponse>, Status> {
        let (caller, message) = open(request)?;
        let id = digest(&message.agreement_digest, "agreement_digest")?;
        let (signed, _) = self
            .engine
            .readable_agreement(&caller, id)
            .await
            .map_err(from_engine)?;
        Ok(Response::new(v1::GetAgreementResponse {
            agreement: Some((&signed).into()),
        }))
    }

    async fn list_agreements(
        &self,
        request: Request<v1::ListAgreementsRequest>,
    ) -> Result<Response<v1::ListAgreementsResponse>, Status> {
        let (caller, _) = open(request)?;
        let agreements = self.engine.agreements(&caller).await.map_err(from_engine)?;
        Ok(Response::new(v1::ListAgreementsResponse {
            agreements: agreements.iter().map(Into::into).collect(),
        }))
    }

    async fn sign_agreement(
        &self,
        request: Request<v1::SignAgreementRequest>,
    ) -> Result<Response<v1::SignAgreementResponse>, Status> {
        let (caller, message) = open(request)?;
        let id = digest(&message.agreement_digest, "agreement_digest")?;
        let signature = to_signature(&message.signature, "signature").map_err(refuse)?;
        let signed = self
            .engine
            .sign_agreement(&caller, id, &signature)
            .await
            .map_err(from_engine)?;
        Ok(Response::new(v1::SignAgreementResponse {
            agreement: Some((&signed).into()),
        }))
    }
}

#[tonic::async_trait]
impl DatasetService for Services {
    type UploadDatasetStream = ResponseStream<v1::UploadDatasetResponse>;

    async fn create_dataset(
        &self,
        request: Request<v1::CreateDatasetRequest>,
    ) -> Result<Response<v1::CreateDatasetResponse>, Status> {
        let (caller, message) = open(request)?;
        let declaration = message.to_declaration(caller.party.clone()).map_err(refuse)?;
        let status = self
            .engine
            .declare_dataset(&caller, &declaration)
            .await
            .map_err(from_engine)?;
        Ok(Response::new(v1::CreateDatasetResponse {
            dataset: Some((&status).into()),
        }))
    }

    async fn get_dataset(
        &self,
        request: Request<v1::GetDatasetRequest>,
    ) -> Result<Response<v1::GetDatasetResponse>, Status> {
        let (caller, message) = open(request)?;
        let id = digest(&message.dataset_id, "dataset_id")?;
        let status = self
            .engine
            .dataset_with_deadline(&caller, id)
            .await
            .map_err(from_engine)?;
        let report = self.engine.gate_report(&caller, id).await.map_err(from_engine)?;
        Ok(Response::new(v1::GetDatasetResponse {
            dataset: Some((&status).into()),
            gate_report: report.as_ref().map(Into::into),
        }))
    }

    async fn list_datasets(
        &self,
        request: Request<v1::ListDatasetsRequest>,
    ) -> Result<Response<v1::ListDatasetsResponse>, Status> {
        let (caller, message) = open(request)?;
        let id = digest(&message.agreement_digest, "agreement_digest")?;
        let (own, other_is_sealed) = self.engine.datasets(&caller, id).await.map_err(from_engine)?;
        Ok(Response::new(v1::ListDatasetsResponse {
            datasets: own.iter().map(Into::into).collect(),
            other_is_sealed,
        }))
    }

    async fn upload_dataset(
        &self,
        request: Request<Streaming<v1::UploadDatasetRequest>>,
    ) -> Result<Response<Self::UploadDatasetStream>, Status> {
        let patience = request
            .extensions()
            .get::<Patience>()
            .cloned()
            .unwrap_or_default();
        let (caller, frames) = open(request)?;
        let answers = take_frames(self.engine.clone(), caller, (frames, patience));
        Ok(Response::new(answers))
    }

    async fn seal_dataset(
        &self,
        request: Request<v1::SealDatasetRequest>,
    ) -> Result<Response<v1::SealDatasetResponse>, Status> {
        let (caller, message) = open(request)?;
        let id = digest(&message.dataset_id, "dataset_id")?;
        let status = self.engine.seal_dataset(&caller, id).await.map_err(from_engine)?;
        let report = self.engine.gate_report(&caller, id).await.map_err(from_engine)?;
        Ok(Response::new(v1::SealDatasetResponse {
            dataset: Some((&status).into()),
            gate_report: report.as_ref().map(Into::into),
        }))
    }

    async fn purge_dataset(
        &self,
        request: Request<v1::PurgeDatasetRequest>,
    ) -> Result<Response<v1::PurgeDatasetResponse>, Status> {
        let (caller, message) = open(request)?;
        let id = digest(&message.dataset_id, "dataset_id")?;
        let certificate = self
            .engine
            .purge_dataset(&caller, id)
            .await
            .map_err(from_engine)?;
        Ok(Response::new(v1::PurgeDatasetResponse {
            certificate: Some((&certificate).into()),
        }))
    }

    async fn get_deletion_certificate(
        &self,
        request: Request<v1::GetDeletionCertificateRequest>,
    ) -> Result<Response<v1::GetDeletionCertificateResponse>, Status> {
        let (caller, message) = open(request)?;
        let id = digest(&message.dataset_id, "dataset_id")?;
        let certificate = self
            .engine
            .deletion_certificate(&caller, id)
            .await
            .map_err(from_engine)?;
        Ok(Response::new(v1::GetDeletionCertificateResponse {
            certificate: Some((&certificate).into()),
        }))
    }
}

#[tonic::async_trait]
impl RunService for Services {
    type WatchRunStream = ResponseStream<v1::WatchRunResponse>;
    type ListLinksStream = ResponseStream<v1::ListLinksResponse>;

    async fn create_run(
        &self,
        request: Request<v1::CreateRunRequest>,
    ) -> Result<Response<v1::CreateRunResponse>, Status> {
        let (caller, message) = open(request)?;
        let id = digest(&message.agreement_digest, "agreement_digest")?;
        let run = self.engine.start_run(&caller, id).await.map_err(from_engine)?;
        Ok(Response::new(v1::CreateRunResponse {
            run: Some((&run).into()),
        }))
    }

    async fn plan_run(
        &self,
        request: Request<v1::PlanRunRequest>,
    ) -> Result<Response<v1::PlanRunResponse>, Status> {
        let (caller, message) = open(request)?;
        let id = digest(&message.agreement_digest, "agreement_digest")?;
        let plan = self.engine.plan_run(&caller, id).await.map_err(from_engine)?;
        Ok(Response::new(v1::PlanRunResponse {
            plan: Some(to_plan(&plan)),
        }))
    }

    async fn get_run(
        &self,
        request: Request<v1::GetRunRequest>,
    ) -> Result<Response<v1::GetRunResponse>, Status> {
        let (caller, message) = open(request)?;
        let id = digest(&message.run_id, "run_id")?;
        let run = self.engine.run(&caller, id).await.map_err(from_engine)?;
        Ok(Response::new(v1::GetRunResponse {
            run: Some((&run).into()),
        }))
    }

    async fn list_runs(
        &self,
        request: Request<v1::ListRunsRequest>,
    ) -> Result<Response<v1::ListRunsResponse>, Status> {
        let (caller, message) = open(request)?;
        let id = digest(&message.agreement_digest, "agreement_digest")?;
        let runs = self.engine.runs(&caller, id).await.map_err(from_engine)?;
        Ok(Response::new(v1::ListRunsResponse {
            runs: runs.iter().map(Into::into).collect(),
        }))
    }

    async fn watch_run(
        &self,
        request: Request<v1::WatchRunRequest>,
    ) -> Result<Response<Self::WatchRunStream>, Status> {
        let (caller, message) = open(request)?;
        let id = digest(&message.run_id, "run_id")?;
        // A run that is not there or not the caller's is refused before the stream begins.
        self.engine.run(&caller, id).await.map_err(from_engine)?;
        let watch = Watch {
            changes: self.engine.subscribe(),
            engine: self.engine.clone(),
            caller,
            id,
            last: None,
        };
        let statuses = stream::try_unfold(watch, |mut watch| async {
            let next = watch.next().await.map_err(from_engine)?;
            Ok(next.map(|run| {
                let message = v1::WatchRunResponse {
                    run: Some((&run).into()),
                };
                (message, watch)
            }))
        });
        Ok(Response::new(Box::pin(statuses)))
    }

    async fn cancel_run(
        &self,
        request: Request<v1::CancelRunRequest>,
    ) -> Result<Response<v1::CancelRunResponse>, Status> {
        let (caller, message) = open(request)?;
        let id = digest(&message.run_id, "run_id")?;
        let run = self.engine.cancel_run(&caller, id).await.map_err(from_engine)?;
        Ok(Response::new(v1::CancelRunResponse {
            run: Some((&run).into()),
        }))
    }

    async fn get_linkage_report(
        &self,
        request: Request<v1::GetLinkageReportRequest>,
    ) -> Result<Response<v1::GetLinkageReportResponse>, Status> {
        let (caller, message) = open(request)?;
        let id = digest(&message.run_id, "run_id")?;
        let result = self
            .engine
            .released_report(&caller, id)
            .await
            .map_err(from_engine)?;
        Ok(Response::new(v1::GetLinkageReportResponse {
            linkage_report: Some(to_report(&result.report)),
            result_digest: result.digest.as_bytes().to_vec(),
        }))
    }

    async fn list_links(
        &self,
        request: Request<v1::ListLinksRequest>,
    ) -> Result<Response<Self::ListLinksStream>, Status> {
        let (caller, message) = open(request)?;
        let id = digest(&message.run_id, "run_id")?;
        let links = self
            .engine
            .released_links(&caller, id)
            .await
            .map_err(from_engine)?;
        // Read on as they are sent: a caller who stops reading holds the compressed file and one piece of it.
        let messages = links.map(|links| Ok(to_links(&links.map_err(from_engine)?)));
        Ok(Response::new(Box::pin(stream::iter(messages))))
    }
}

fn to_links(links: &[LinkedPair]) -> v1::ListLinksResponse {
    let to_link = |link: &LinkedPair| v1::Link {
        origin_record: link.origin_record.as_bytes().to_vec(),
        destination_record: link.destination_record.as_bytes().to_vec(),
        similarity: link.similarity,
        probability: link.probability,
        evidence: link.evidence.clone(),
    };
    v1::ListLinksResponse {
        links: links.iter().map(to_link).collect(),
    }
}

/// A caller's view of one run: its status now, then every change, until nothing more will come by itself.
struct Watch {
    engine: Engine,
    changes: tokio::sync::watch::Receiver<u64>,
    caller: Caller,
    id: Digest,
    last: Option<RunStatus>,
}

impl Watch {
    async fn next(&mut self) -> Result<Option<RunStatus>, EngineError> {
        if self.last.as_ref().is_some_and(|last| !last.state.is_active()) {
            return Ok(None);
        }
        loop {
            self.changes.mark_unchanged();
            let run = self.engine.run(&self.caller, self.id).await?;
            if self.last.as_ref() != Some(&run) {
                self.last = Some(run.clone());
                return Ok(Some(run));
            }
            if self.changes.changed().await.is_err() {
                return Ok(None);
            }
        }
    }
}

#[tonic::async_trait]
impl FlowService for Services {
    async fn release_flow_table(
        &self,
        request: Request<v1::ReleaseFlowTableRequest>,
    ) -> Result<Response<v1::ReleaseFlowTableResponse>, Status> {
        let (caller, message) = open(request)?;
        let id = digest(&message.run_id, "run_id")?;
        let signature = to_signature(&message.signature, "signature").map_err(refuse)?;
        let run = self
            .engine
            .release_result(&caller, id, &signature)
            .await
            .map_err(from_engine)?;
        let message = v1::Run::from(&run);
        Ok(Response::new(v1::ReleaseFlowTableResponse {
            released_by_origin: message.released_by_origin,
            released_by_destination: message.released_by_destination,
        }))
    }

    async fn get_flow_table(
        &self,
        request: Request<v1::GetFlowTableRequest>,
    ) -> Result<Response<v1::GetFlowTableResponse>, Status> {
        let (caller, message) = open(request)?;
        let id = digest(&message.run_id, "run_id")?;
        let result = self
            .engine
            .released_result(&caller, id, ResultPart::Table)
            .await
            .map_err(from_engine)?;
        Ok(Response::new(v1::GetFlowTableResponse {
            flow_table: Some(to_flow_table(&result.table)),
            linkage_report: Some(to_report(&result.report)),
            result_digest: result.digest.as_bytes().to_vec(),
        }))
    }

    async fn list_flow_rows(
        &self,
        request: Request<v1::ListFlowRowsRequest>,
    ) -> Result<Response<v1::ListFlowRowsResponse>, Status> {
        let (caller, message) = open(request)?;
        let id = digest(&message.run_id, "run_id")?;
        let page = Page::new(message.page_size, &message.page_token).map_err(refuse)?;
        let result = self
            .engine
            .released_result(&caller, id, page.to_part())
            .await
            .map_err(from_engine)?;
        let (rows, next_page_token) = page.of(&result.table.rows);
        Ok(Response::new(v1::ListFlowRowsResponse {
            rows: rows.iter().map(to_flow_row).collect(),
            next_page_token,
        }))
    }

    type StreamFlowRowsStream = ResponseStream<v1::StreamFlowRowsResponse>;

    async fn stream_flow_rows(
        &self,
        request: Request<v1::StreamFlowRowsRequest>,
    ) -> Result<Response<Self::StreamFlowRowsStream>, Status> {
        let (caller, message) = open(request)?;
        let id = digest(&message.run_id, "run_id")?;
        let result = self
            .engine
            .released_result(&caller, id, ResultPart::AllRows)
            .await
            .map_err(from_engine)?;
        let messages: Vec<_> = result
            .table
            .rows
            .chunks(ROWS_PER_MESSAGE)
            .map(|rows| {
                Ok(v1::StreamFlowRowsResponse {
                    rows: rows.iter().map(to_flow_row).collect(),
                })
            })
            .collect();
        Ok(Response::new(Box::pin(stream::iter(messages))))
    }
}
