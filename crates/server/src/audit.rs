//! The audit log over gRPC.

use corridor_core::Digest;
use corridor_wire::v1::audit_service_server::AuditService;
use corridor_wire::{FieldViolation, Reason, v1};
use tonic::{Request, Response, Status};

use crate::services::{Services, digest, open, refuse};
use crate::status::from_engine;

#[tonic::async_trait]
impl AuditService for Services {
    async fn get_checkpoint(
        &self,
        request: Request<v1::GetCheckpointRequest>,
    ) -> Result<Response<v1::GetCheckpointResponse>, Status> {
        open(request)?;
        let checkpoint = self.engine.audit_checkpoint().await.map_err(from_engine)?;
        Ok(Response::new(v1::GetCheckpointResponse {
            checkpoint: checkpoint.to_string(),
            key: self.engine.audit_key().to_string(),
        }))
    }

    async fn list_audit_entries(
        &self,
        request: Request<v1::ListAuditEntriesRequest>,
    ) -> Result<Response<v1::ListAuditEntriesResponse>, Status> {
        let (caller, message) = open(request)?;
        let entries = self
            .engine
            .audit_entries(&caller, message.first)
            .await
            .map_err(from_engine)?;
        let leaves = entries.into_iter().map(|visible| v1::AuditLeaf {
            sequence: visible.sequence,
            leaf_hash: visible.leaf.as_bytes().to_vec(),
            entry: visible.entry.unwrap_or_default(),
        });
        Ok(Response::new(v1::ListAuditEntriesResponse {
            leaves: leaves.collect(),
        }))
    }

    async fn get_inclusion_proof(
        &self,
        request: Request<v1::GetInclusionProofRequest>,
    ) -> Result<Response<v1::GetInclusionProofResponse>, Status> {
        let (_, message) = open(request)?;
        let proof = self
            .engine
            .prove_audit_entry(message.sequence, message.size)
            .await
            .map_err(from_engine)?;
        Ok(Response::new(v1::GetInclusionProofResponse {
            hashes: to_hashes(&proof),
        }))
    }

    async fn get_consistency_proof(
        &self,
        request: Request<v1::GetConsistencyProofRequest>,
    ) -> Result<Response<v1::GetConsistencyProofResponse>, Status> {
        let (_, message) = open(request)?;
        let proof = self
            .engine
            .prove_audit_growth(message.earlier_size, message.size)
            .await
            .map_err(from_engine)?;
        Ok(Response::new(v1::GetConsistencyProofResponse {
            hashes: to_hashes(&proof),
        }))
    }

    async fn list_disclosures(
        &self,
        request: Request<v1::ListDisclosuresRequest>,
    ) -> Result<Response<v1::ListDisclosuresResponse>, Status> {
        let (caller, message) = open(request)?;
        let agreement = (!message.agreement_digest.is_empty())
            .then(|| digest(&message.agreement_digest, "agreement_digest"))
            .transpose()?;
        let first = match message.page_token.as_str() {
            "" => 0,
            token => token.parse().map_err(|_| {
                refuse(FieldViolation {
                    field: "page_token".to_owned(),
                    expected: "expected the token of the page before".to_owned(),
                    reason: Reason::Value,
                })
            })?,
        };
        let (disclosures, next) = self
            .engine
            .disclosures(&caller, agreement, first)
            .await
            .map_err(from_engine)?;
        Ok(Response::new(v1::ListDisclosuresResponse {
            disclosures: disclosures.iter().map(Into::into).collect(),
            next_page_token: next.map_or_else(String::new, |next| next.to_string()),
        }))
    }

    async fn get_run_manifest(
        &self,
        request: Request<v1::GetRunManifestRequest>,
    ) -> Result<Response<v1::GetRunManifestResponse>, Status> {
        let (caller, message) = open(request)?;
        let id = digest(&message.run_id, "run_id")?;
        let manifest = self.engine.run_manifest(&caller, id).await.map_err(from_engine)?;
        Ok(Response::new(v1::GetRunManifestResponse { manifest }))
    }
}

fn to_hashes(proof: &[Digest]) -> Vec<Vec<u8>> {
    proof.iter().map(|hash| hash.as_bytes().to_vec()).collect()
}
