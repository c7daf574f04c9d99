//! The audit log.

use corridor_core::Digest;
use corridor_core::audit::{AuditEntry, Disclosure, ExportedLeaf, LogKey, SignedCheckpoint};
use corridor_wire::v1::audit_service_client::AuditServiceClient;
use corridor_wire::{FieldViolation, Reason, to_digest, to_proof, v1};
use tonic::transport::Channel;

use super::{Client, ClientResult, to_bytes};

impl Client {
    fn audit(&self) -> AuditServiceClient<Channel> {
        AuditServiceClient::new(self.channel.clone()).max_decoding_message_size(LARGEST_PAGE_BYTES)
    }

    /// A checkpoint, not yet verified, and the key the service shows.
    ///
    /// # Errors
    /// As [`Client::propose_agreement`].
    pub async fn audit_checkpoint(&self) -> ClientResult<(SignedCheckpoint, LogKey)> {
        let response = self.audit().get_checkpoint(v1::GetCheckpointRequest {}).await?;
        let response = response.into_inner();
        let checkpoint = response.checkpoint.parse();
        let key = response.key.parse();
        Ok((
            checkpoint.map_err(|_| violation("checkpoint", "expected a signed checkpoint"))?,
            key.map_err(|_| violation("key", "expected the key of a log"))?,
        ))
    }

    /// The first `size` leaves of the log.
    ///
    /// # Errors
    /// As [`Client::propose_agreement`].
    pub async fn audit_leaves(&self, size: u64) -> ClientResult<Vec<ExportedLeaf>> {
        let mut leaves = Vec::new();
        while to_u64(leaves.len()) < size {
            let first = to_u64(leaves.len());
            let request = v1::ListAuditEntriesRequest { first };
            let page = self
                .audit()
                .list_audit_entries(request)
                .await?
                .into_inner()
                .leaves;
            if page.is_empty() {
                return Err(violation("leaves", "the log ends before its checkpoint").into());
            }
            let missing = usize::try_from(size - first).unwrap_or(usize::MAX);
            for leaf in page.into_iter().take(missing) {
                leaves.push(to_leaf(leaf)?);
            }
        }
        Ok(leaves)
    }

    /// The hashes that show that an entry is in the log of `size` entries.
    ///
    /// # Errors
    /// As [`Client::propose_agreement`].
    pub async fn audit_inclusion(&self, sequence: u64, size: u64) -> ClientResult<Vec<Digest>> {
        let request = v1::GetInclusionProofRequest { sequence, size };
        let response = self.audit().get_inclusion_proof(request).await?.into_inner();
        Ok(to_proof(&response.hashes)?)
    }

    /// The hashes that show that the log of `size` entries begins with that of `earlier_size`.
    ///
    /// # Errors
    /// As [`Client::propose_agreement`].
    pub async fn audit_growth(&self, earlier_size: u64, size: u64) -> ClientResult<Vec<Digest>> {
        let request = v1::GetConsistencyProofRequest { earlier_size, size };
        let response = self.audit().get_consistency_proof(request).await?.into_inner();
        Ok(to_proof(&response.hashes)?)
    }

    /// What left, of an agreement or of all this party may ask about.
    ///
    /// # Errors
    /// As [`Client::propose_agreement`].
    pub async fn disclosures(&self, agreement: Option<Digest>) -> ClientResult<Vec<Disclosure>> {
        let mut disclosures = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = v1::ListDisclosuresRequest {
                agreement_digest: agreement.map(to_bytes).unwrap_or_default(),
                page_token,
            };
            let page = self.audit().list_disclosures(request).await?.into_inner();
            for disclosure in page.disclosures {
                disclosures.push(disclosure.try_into()?);
            }
            if page.next_page_token.is_empty() {
                return Ok(disclosures);
            }
            page_token = page.next_page_token;
        }
    }

    /// What the result of a run was made of, as the service wrote it.
    ///
    /// # Errors
    /// As [`Client::propose_agreement`].
    pub async fn run_manifest(&self, id: Digest) -> ClientResult<Vec<u8>> {
        let request = v1::GetRunManifestRequest { run_id: to_bytes(id) };
        Ok(self
            .audit()
            .get_run_manifest(request)
            .await?
            .into_inner()
            .manifest)
    }
}

/// A thousand entries have about half of this.
const LARGEST_PAGE_BYTES: usize = 4 << 20;

fn to_leaf(message: v1::AuditLeaf) -> ClientResult<ExportedLeaf> {
    let leaf = to_digest(&message.leaf_hash, "leaf_hash")?;
    let entry = match message.entry.as_slice() {
        [] => None,
        bytes => {
            let entry = AuditEntry::from_canonical_bytes(bytes)
                .map_err(|error| violation("entry", &error.to_string()))?;
            Some(entry)
        }
    };
    Ok(ExportedLeaf { leaf, entry })
}

fn violation(field: &str, expected: &str) -> FieldViolation {
    FieldViolation {
        field: field.to_owned(),
        expected: expected.to_owned(),
        reason: Reason::Value,
    }
}

fn to_u64(len: usize) -> u64 {
    u64::try_from(len).expect("a length fits in 64 bits")
}
