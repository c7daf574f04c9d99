use std::pin::Pin;

use corridor_core::{Digest, OfficeId, RunStatus};
use corridor_engine::{Engine, EngineError, FieldReport, Frame, LevelReport, LinkageReport, StratumReport};
use corridor_wire::v1::agreement_service_server::AgreementService;
use corridor_wire::v1::dataset_service_server::DatasetService;
use corridor_wire::v1::flow_service_server::FlowService;
use corridor_wire::v1::run_service_server::RunService;
use corridor_wire::{FieldViolation, to_digest, to_signature, v1};
use futures::stream::{self, Stream};
use tonic::{Request, Response, Status, Streaming};

use crate::flow_messages::{Page, ROWS_PER_MESSAGE, to_flow_row, to_flow_table};
use crate::identity::Callers;
use crate::plan::to_plan;
use crate::status::{frame_too_large, from_engine, from_violation};

/// Bytes of data in the largest frame taken. Clients send about 1 MiB.
pub(crate) const MAX_FRAME_BYTES: usize = 1 << 20;

/// Links sent in one message.
const LINKS_PER_MESSAGE: usize = 4096;

type ResponseStream<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// The gRPC face of an engine: reads messages, names the caller, asks the engine.
#[derive(Debug, Clone)]
pub(crate) struct Services {
    engine: Engine,
    callers: Callers,
}

impl Services {
    pub(crate) const fn new(engine: Engine, callers: Callers) -> Self {
        Self { engine, callers }
    }

    /// Who calls, and with what.
    fn open<T>(&self, request: Request<T>) -> Result<(OfficeId, T), Status> {
        let office = self.callers.office_of(&request)?;
        Ok((office, request.into_inner()))
    }
}

fn digest(bytes: &[u8], field: &str) -> Result<Digest, Status> {
    to_digest(bytes, field).map_err(refuse)
}

fn refuse(violation: FieldViolation) -> Status {
    from_violation(&violation)
}

#[tonic::async_trait]
impl AgreementService for Services {
    async fn create_agreement(
        &self,
        request: Request<v1::CreateAgreementRequest>,
    ) -> Result<Response<v1::CreateAgreementResponse>, Status> {
        let (office, message) = self.open(request)?;
        let agreement = message.to_agreement().map_err(refuse)?;
        let signed = self
            .engine
            .propose_agreement(&office, &agreement)
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
        let (office, message) = self.open(request)?;
        let id = digest(&message.agreement_digest, "agreement_digest")?;
        let (signed, _) = self.engine.agreement(&office, id).await.map_err(from_engine)?;
        Ok(Response::new(v1::GetAgreementResponse {
            agreement: Some((&signed).into()),
        }))
    }

    async fn list_agreements(
        &self,
        request: Request<v1::ListAgreementsRequest>,
    ) -> Result<Response<v1::ListAgreementsResponse>, Status> {
        let (office, _) = self.open(request)?;
        let agreements = self.engine.agreements(&office).await.map_err(from_engine)?;
        Ok(Response::new(v1::ListAgreementsResponse {
            agreements: agreements.iter().map(Into::into).collect(),
        }))
    }

    async fn sign_agreement(
        &self,
        request: Request<v1::SignAgreementRequest>,
    ) -> Result<Response<v1::SignAgreementResponse>, Status> {
        let (office, message) = self.open(request)?;
        let id = digest(&message.agreement_digest, "agreement_digest")?;
        let signature = to_signature(&message.signature, "signature").map_err(refuse)?;
        let signed = self
            .engine
            .sign_agreement(&office, id, &signature)
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
        let (office, message) = self.open(request)?;
        let declaration = message.to_declaration(office).map_err(refuse)?;
        let status = self
            .engine
            .declare_dataset(&declaration)
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
        let (office, message) = self.open(request)?;
        let id = digest(&message.dataset_id, "dataset_id")?;
        let status = self.engine.dataset(&office, id).await.map_err(from_engine)?;
        let report = self.engine.gate_report(&office, id).await.map_err(from_engine)?;
        Ok(Response::new(v1::GetDatasetResponse {
            dataset: Some((&status).into()),
            gate_report: report.as_ref().map(Into::into),
        }))
    }

    async fn list_datasets(
        &self,
        request: Request<v1::ListDatasetsRequest>,
    ) -> Result<Response<v1::ListDatasetsResponse>, Status> {
        let (office, message) = self.open(request)?;
        let id = digest(&message.agreement_digest, "agreement_digest")?;
        let (own, other_is_sealed) = self.engine.datasets(&office, id).await.map_err(from_engine)?;
        Ok(Response::new(v1::ListDatasetsResponse {
            datasets: own.iter().map(Into::into).collect(),
            other_is_sealed,
        }))
    }

    async fn upload_dataset(
        &self,
        request: Request<Streaming<v1::UploadDatasetRequest>>,
    ) -> Result<Response<Self::UploadDatasetStream>, Status> {
        let (office, frames) = self.open(request)?;
        let engine = self.engine.clone();
        // Frames are taken one after the other: the next is read when the last is on the disk.
        let answers = stream::try_unfold((frames, engine, office), |(mut frames, engine, office)| async {
            let Some(message) = frames.message().await? else {
                return Ok(None);
            };
            let answer = take_frame(&engine, &office, message).await?;
            Ok(Some((answer, (frames, engine, office))))
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn seal_dataset(
        &self,
        request: Request<v1::SealDatasetRequest>,
    ) -> Result<Response<v1::SealDatasetResponse>, Status> {
        let (office, message) = self.open(request)?;
        let id = digest(&message.dataset_id, "dataset_id")?;
        let status = self.engine.seal_dataset(&office, id).await.map_err(from_engine)?;
        let report = self.engine.gate_report(&office, id).await.map_err(from_engine)?;
        Ok(Response::new(v1::SealDatasetResponse {
            dataset: Some((&status).into()),
            gate_report: report.as_ref().map(Into::into),
        }))
    }
}

async fn take_frame(
    engine: &Engine,
    office: &OfficeId,
    message: v1::UploadDatasetRequest,
) -> Result<v1::UploadDatasetResponse, Status> {
    let id = digest(&message.dataset_id, "dataset_id")?;
    if message.data.len() > MAX_FRAME_BYTES {
        return Err(frame_too_large(MAX_FRAME_BYTES));
    }
    let frame = Frame {
        sequence: message.sequence,
        offset: message.offset,
        byte_count: u64::try_from(message.data.len()).expect("at most a frame"),
        checksum: digest(&message.checksum, "checksum")?,
    };
    let status = engine
        .receive_frame(office, id, frame, &message.data)
        .await
        .map_err(from_engine)?;
    Ok(v1::UploadDatasetResponse {
        acknowledged_bytes: status.acknowledged_bytes,
        next_sequence: status.next_sequence,
    })
}

#[tonic::async_trait]
impl RunService for Services {
    type WatchRunStream = ResponseStream<v1::WatchRunResponse>;
    type ListLinksStream = ResponseStream<v1::ListLinksResponse>;

    async fn create_run(
        &self,
        request: Request<v1::CreateRunRequest>,
    ) -> Result<Response<v1::CreateRunResponse>, Status> {
        let (office, message) = self.open(request)?;
        let id = digest(&message.agreement_digest, "agreement_digest")?;
        let run = self.engine.start_run(&office, id).await.map_err(from_engine)?;
        Ok(Response::new(v1::CreateRunResponse {
            run: Some((&run).into()),
        }))
    }

    async fn plan_run(
        &self,
        request: Request<v1::PlanRunRequest>,
    ) -> Result<Response<v1::PlanRunResponse>, Status> {
        let (office, message) = self.open(request)?;
        let id = digest(&message.agreement_digest, "agreement_digest")?;
        let plan = self.engine.plan_run(&office, id).await.map_err(from_engine)?;
        Ok(Response::new(v1::PlanRunResponse {
            plan: Some(to_plan(&plan)),
        }))
    }

    async fn get_run(
        &self,
        request: Request<v1::GetRunRequest>,
    ) -> Result<Response<v1::GetRunResponse>, Status> {
        let (office, message) = self.open(request)?;
        let id = digest(&message.run_id, "run_id")?;
        let run = self.engine.run(&office, id).await.map_err(from_engine)?;
        Ok(Response::new(v1::GetRunResponse {
            run: Some((&run).into()),
        }))
    }

    async fn list_runs(
        &self,
        request: Request<v1::ListRunsRequest>,
    ) -> Result<Response<v1::ListRunsResponse>, Status> {
        let (office, message) = self.open(request)?;
        let id = digest(&message.agreement_digest, "agreement_digest")?;
        let runs = self.engine.runs(&office, id).await.map_err(from_engine)?;
        Ok(Response::new(v1::ListRunsResponse {
            runs: runs.iter().map(Into::into).collect(),
        }))
    }

    async fn watch_run(
        &self,
        request: Request<v1::WatchRunRequest>,
    ) -> Result<Response<Self::WatchRunStream>, Status> {
        let (office, message) = self.open(request)?;
        let id = digest(&message.run_id, "run_id")?;
        // A run that is not there or not the caller's is refused before the stream begins.
        self.engine.run(&office, id).await.map_err(from_engine)?;
        let watch = Watch {
            changes: self.engine.subscribe(),
            engine: self.engine.clone(),
            office,
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
        let (office, message) = self.open(request)?;
        let id = digest(&message.run_id, "run_id")?;
        let run = self.engine.cancel_run(&office, id).await.map_err(from_engine)?;
        Ok(Response::new(v1::CancelRunResponse {
            run: Some((&run).into()),
        }))
    }

    async fn list_links(
        &self,
        request: Request<v1::ListLinksRequest>,
    ) -> Result<Response<Self::ListLinksStream>, Status> {
        let (office, message) = self.open(request)?;
        let id = digest(&message.run_id, "run_id")?;
        let links = self
            .engine
            .released_links(&office, id)
            .await
            .map_err(from_engine)?;
        let messages: Vec<_> = links
            .chunks(LINKS_PER_MESSAGE)
            .map(|links| {
                Ok(v1::ListLinksResponse {
                    links: links
                        .iter()
                        .map(|link| v1::Link {
                            origin_record: link.origin_record.as_bytes().to_vec(),
                            destination_record: link.destination_record.as_bytes().to_vec(),
                            similarity: link.similarity,
                            probability: link.probability,
                            evidence: link.evidence.clone(),
                        })
                        .collect(),
                })
            })
            .collect();
        Ok(Response::new(Box::pin(stream::iter(messages))))
    }
}

/// A caller's view of one run: its status now, then every change, until nothing more will come by itself.
struct Watch {
    engine: Engine,
    changes: tokio::sync::watch::Receiver<u64>,
    office: OfficeId,
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
            let run = self.engine.run(&self.office, self.id).await?;
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
        let (office, message) = self.open(request)?;
        let id = digest(&message.run_id, "run_id")?;
        let signature = to_signature(&message.signature, "signature").map_err(refuse)?;
        let run = self
            .engine
            .release_result(&office, id, &signature)
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
        let (office, message) = self.open(request)?;
        let id = digest(&message.run_id, "run_id")?;
        let result = self
            .engine
            .released_result(&office, id)
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
        let (office, message) = self.open(request)?;
        let id = digest(&message.run_id, "run_id")?;
        let page = Page::new(message.page_size, &message.page_token).map_err(refuse)?;
        let result = self
            .engine
            .released_result(&office, id)
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
        let (office, message) = self.open(request)?;
        let id = digest(&message.run_id, "run_id")?;
        let result = self
            .engine
            .released_result(&office, id)
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

fn to_field_report(report: &FieldReport) -> v1::FieldReport {
    let to_level = |level: &LevelReport| v1::FieldLevel {
        level: level.level.clone(),
        m: level.m,
        u: level.u,
        bits: level.bits,
    };
    v1::FieldReport {
        match_share: report.match_share,
        rounds: report.rounds,
        starts_agree: report.starts_agree,
        expected_precision: report.expected_precision,
        expected_recall: report.expected_recall,
        weight_at_threshold: report.weight_at_threshold,
        fields: report
            .fields
            .iter()
            .map(|field| v1::FieldEvidence {
                name: field.name.clone(),
                missing: field.missing,
                weighed_by_frequency: field.weighed_by_frequency,
                levels: field.levels.iter().map(to_level).collect(),
                bits_by_tenth: field.bits_by_tenth.clone(),
            })
            .collect(),
    }
}

fn to_stratum(stratum: &StratumReport) -> v1::StratumReport {
    v1::StratumReport {
        variable: stratum.variable.clone(),
        value: stratum.value.clone(),
        precision: stratum.precision,
        precision_low: stratum.precision_low,
        precision_high: stratum.precision_high,
        recall: stratum.recall,
        recall_low: stratum.recall_low,
        recall_high: stratum.recall_high,
    }
}

fn to_report(report: &LinkageReport) -> v1::LinkageReport {
    v1::LinkageReport {
        threshold: report.threshold.to_string(),
        threshold_policy: report.threshold_policy.clone(),
        expected_precision: report.expected_precision,
        expected_recall: report.expected_recall,
        expected_f1: report.expected_f1,
        link_count_precision: report.link_count_precision,
        estimators: report.estimators.as_ref().map(|estimators| v1::EstimatorReport {
            decided_by: estimators.decided_by.clone(),
            threshold_by_registers: estimators.threshold_by_registers.to_string(),
            agree: estimators.agree,
            precision_low: estimators.precision_low,
            precision_high: estimators.precision_high,
            recall_low: estimators.recall_low,
            recall_high: estimators.recall_high,
        }),
        blocking: report.blocking.as_ref().map(|blocking| v1::BlockingReport {
            passes: blocking.passes.clone(),
            pairs_compared: blocking.pairs_compared,
            reduction_ratio: blocking.reduction_ratio,
            origin_in_none: blocking.origin_in_none,
            destination_in_none: blocking.destination_in_none,
            records_sampled: blocking.records_sampled,
            completeness: blocking.completeness,
            completeness_low: blocking.completeness_low,
            completeness_high: blocking.completeness_high,
            lsh: blocking.lsh.as_ref().map(|lsh| v1::LshReport {
                tables: lsh.tables,
                key_bits: lsh.key_bits,
                threshold: lsh.threshold.to_string(),
                recall: lsh.recall.to_string(),
                expected_pairs: lsh.expected_pairs,
            }),
        }),
        fields: report.fields.as_ref().map(to_field_report),
        strata: report.strata.iter().map(to_stratum).collect(),
    }
}
