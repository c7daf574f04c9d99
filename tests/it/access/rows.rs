//! Every call there is: for which roles, and what others' things are to it.

use corridor_core::{Digest, Role};
use corridor_wire::v1;
use prost::Message as _;

use super::World;

/// What a call gives a caller of a role it is for, on the things of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnForeign {
    /// There is no such thing for it.
    Hidden,
    /// It is told that only offices of the agreement may.
    NotParty,
    /// A list without them.
    Empty,
    /// The same as everybody: it is about the service as a whole.
    Served,
    /// As [`Self::Hidden`], but for auditors, who read all of the log.
    HiddenButForAuditors,
}

pub(super) struct Row {
    pub(super) path: &'static str,
    pub(super) roles: &'static [Role],
    pub(super) on_foreign: OnForeign,
    pub(super) request: fn(&World) -> Vec<u8>,
}

const OFFICE: &[Role] = &[Role::Office];
const PARTIES: &[Role] = &[Role::Office, Role::Researcher, Role::Administrator, Role::Auditor];
const TABLES: &[Role] = &[Role::Office, Role::Researcher];
const LOG: &[Role] = &[Role::Office, Role::Administrator, Role::Auditor, Role::Operator];
const DISCLOSURES: &[Role] = &[Role::Office, Role::Administrator, Role::Auditor];

/// Written down on its own, not taken from the service.
pub(super) const ROWS: &[Row] = &[
    Row {
        path: "corridor.v1.AgreementService/CreateAgreement",
        roles: OFFICE,
        on_foreign: OnForeign::NotParty,
        request: |world| {
            let canonical = world.sample.agreement.to_canonical_bytes();
            v1::CreateAgreementRequest { canonical }.encode_to_vec()
        },
    },
    Row {
        path: "corridor.v1.AgreementService/GetAgreement",
        roles: PARTIES,
        on_foreign: OnForeign::Hidden,
        request: |world| {
            let agreement_digest = world.agreement();
            v1::GetAgreementRequest { agreement_digest }.encode_to_vec()
        },
    },
    Row {
        path: "corridor.v1.AgreementService/ListAgreements",
        roles: PARTIES,
        on_foreign: OnForeign::Empty,
        request: |_| v1::ListAgreementsRequest {}.encode_to_vec(),
    },
    Row {
        path: "corridor.v1.AgreementService/SignAgreement",
        roles: OFFICE,
        on_foreign: OnForeign::Hidden,
        request: |world| {
            v1::SignAgreementRequest {
                agreement_digest: world.agreement(),
                signature: world.sample.signatures()[1].1.as_bytes().to_vec(),
            }
            .encode_to_vec()
        },
    },
    Row {
        path: "corridor.v1.DatasetService/CreateDataset",
        roles: OFFICE,
        on_foreign: OnForeign::Hidden,
        request: |world| {
            let declaration = &world.sample.datasets[1].0;
            v1::CreateDatasetRequest {
                declaration: Some(declaration.into()),
            }
            .encode_to_vec()
        },
    },
    Row {
        path: "corridor.v1.DatasetService/GetDataset",
        roles: OFFICE,
        on_foreign: OnForeign::Hidden,
        request: |world| {
            let dataset_id = world.dataset();
            v1::GetDatasetRequest { dataset_id }.encode_to_vec()
        },
    },
    Row {
        path: "corridor.v1.DatasetService/ListDatasets",
        roles: OFFICE,
        on_foreign: OnForeign::Hidden,
        request: |world| {
            let agreement_digest = world.agreement();
            v1::ListDatasetsRequest { agreement_digest }.encode_to_vec()
        },
    },
    Row {
        path: "corridor.v1.DatasetService/UploadDataset",
        roles: OFFICE,
        on_foreign: OnForeign::Hidden,
        request: |world| {
            let bytes = &world.sample.datasets[1].1;
            let data = bytes.slice(..bytes.len().min(1 << 20));
            v1::UploadDatasetRequest {
                dataset_id: world.dataset(),
                sequence: 0,
                offset: 0,
                checksum: Digest::of(&data).as_bytes().to_vec(),
                data,
            }
            .encode_to_vec()
        },
    },
    Row {
        path: "corridor.v1.DatasetService/SealDataset",
        roles: OFFICE,
        on_foreign: OnForeign::Hidden,
        request: |world| {
            let dataset_id = world.dataset();
            v1::SealDatasetRequest { dataset_id }.encode_to_vec()
        },
    },
    Row {
        path: "corridor.v1.RunService/CreateRun",
        roles: OFFICE,
        on_foreign: OnForeign::Hidden,
        request: |world| {
            let agreement_digest = world.agreement();
            v1::CreateRunRequest { agreement_digest }.encode_to_vec()
        },
    },
    Row {
        path: "corridor.v1.RunService/PlanRun",
        roles: OFFICE,
        on_foreign: OnForeign::Hidden,
        request: |world| {
            let agreement_digest = world.agreement();
            v1::PlanRunRequest { agreement_digest }.encode_to_vec()
        },
    },
    Row {
        path: "corridor.v1.RunService/GetRun",
        roles: PARTIES,
        on_foreign: OnForeign::Hidden,
        request: |world| v1::GetRunRequest { run_id: world.run() }.encode_to_vec(),
    },
    Row {
        path: "corridor.v1.RunService/ListRuns",
        roles: PARTIES,
        on_foreign: OnForeign::Hidden,
        request: |world| {
            let agreement_digest = world.agreement();
            v1::ListRunsRequest { agreement_digest }.encode_to_vec()
        },
    },
    Row {
        path: "corridor.v1.RunService/WatchRun",
        roles: PARTIES,
        on_foreign: OnForeign::Hidden,
        request: |world| v1::WatchRunRequest { run_id: world.run() }.encode_to_vec(),
    },
    Row {
        path: "corridor.v1.RunService/CancelRun",
        roles: OFFICE,
        on_foreign: OnForeign::Hidden,
        request: |world| v1::CancelRunRequest { run_id: world.run() }.encode_to_vec(),
    },
    Row {
        path: "corridor.v1.RunService/GetLinkageReport",
        roles: PARTIES,
        on_foreign: OnForeign::Hidden,
        request: |world| v1::GetLinkageReportRequest { run_id: world.run() }.encode_to_vec(),
    },
    Row {
        path: "corridor.v1.RunService/ListLinks",
        roles: OFFICE,
        on_foreign: OnForeign::Hidden,
        request: |world| v1::ListLinksRequest { run_id: world.run() }.encode_to_vec(),
    },
    Row {
        path: "corridor.v1.FlowService/ReleaseFlowTable",
        roles: OFFICE,
        on_foreign: OnForeign::Hidden,
        request: |world| {
            let signatures = world.sample.release_signatures(world.result);
            v1::ReleaseFlowTableRequest {
                run_id: world.run(),
                signature: signatures[1].1.as_bytes().to_vec(),
            }
            .encode_to_vec()
        },
    },
    Row {
        path: "corridor.v1.FlowService/GetFlowTable",
        roles: TABLES,
        on_foreign: OnForeign::Hidden,
        request: |world| v1::GetFlowTableRequest { run_id: world.run() }.encode_to_vec(),
    },
    Row {
        path: "corridor.v1.FlowService/ListFlowRows",
        roles: TABLES,
        on_foreign: OnForeign::Hidden,
        request: |world| {
            v1::ListFlowRowsRequest {
                run_id: world.run(),
                ..v1::ListFlowRowsRequest::default()
            }
            .encode_to_vec()
        },
    },
    Row {
        path: "corridor.v1.FlowService/StreamFlowRows",
        roles: TABLES,
        on_foreign: OnForeign::Hidden,
        request: |world| v1::StreamFlowRowsRequest { run_id: world.run() }.encode_to_vec(),
    },
    Row {
        path: "corridor.v1.AuditService/GetCheckpoint",
        roles: LOG,
        on_foreign: OnForeign::Served,
        request: |_| v1::GetCheckpointRequest {}.encode_to_vec(),
    },
    Row {
        path: "corridor.v1.AuditService/ListAuditEntries",
        roles: LOG,
        on_foreign: OnForeign::Served,
        request: |_| v1::ListAuditEntriesRequest { first: 0 }.encode_to_vec(),
    },
    Row {
        path: "corridor.v1.AuditService/GetInclusionProof",
        roles: LOG,
        on_foreign: OnForeign::Served,
        request: |_| v1::GetInclusionProofRequest { sequence: 1, size: 2 }.encode_to_vec(),
    },
    Row {
        path: "corridor.v1.AuditService/GetConsistencyProof",
        roles: LOG,
        on_foreign: OnForeign::Served,
        request: |_| {
            v1::GetConsistencyProofRequest {
                earlier_size: 1,
                size: 2,
            }
            .encode_to_vec()
        },
    },
    Row {
        path: "corridor.v1.AuditService/ListDisclosures",
        roles: DISCLOSURES,
        on_foreign: OnForeign::HiddenButForAuditors,
        request: |world| {
            v1::ListDisclosuresRequest {
                agreement_digest: world.agreement(),
                page_token: String::new(),
            }
            .encode_to_vec()
        },
    },
    Row {
        path: "corridor.v1.AuditService/GetRunManifest",
        roles: DISCLOSURES,
        on_foreign: OnForeign::Hidden,
        request: |world| v1::GetRunManifestRequest { run_id: world.run() }.encode_to_vec(),
    },
    // Last, since it is the end of the dataset.
    Row {
        path: "corridor.v1.DatasetService/PurgeDataset",
        roles: OFFICE,
        on_foreign: OnForeign::Hidden,
        request: |world| {
            let dataset_id = world.dataset();
            v1::PurgeDatasetRequest { dataset_id }.encode_to_vec()
        },
    },
    Row {
        path: "corridor.v1.DatasetService/GetDeletionCertificate",
        roles: OFFICE,
        on_foreign: OnForeign::Hidden,
        request: |world| {
            let dataset_id = world.dataset();
            v1::GetDeletionCertificateRequest { dataset_id }.encode_to_vec()
        },
    },
];
