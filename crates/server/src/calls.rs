//! Every call there is, and who may make it. What is not in this table is refused.

use corridor_core::Role;

/// How long a call may be under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Span {
    /// As long as `limits.call_timeout_s`.
    Short,
    /// As long as `limits.long_call_timeout_s`: it reads or compares whole datasets.
    Long,
    /// As long as frames come in.
    Upload,
    /// As long as the caller reads.
    Stream,
}

/// A call, and its terms.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    /// As in a request: `/corridor.v1.RunService/GetRun`.
    pub(crate) path: &'static str,
    /// Who may make it. What of it a caller may see is decided by the agreement.
    pub(crate) roles: &'static [Role],
    /// How long it may take.
    pub(crate) span: Span,
}

const fn call(path: &'static str, roles: &'static [Role], span: Span) -> Call {
    Call { path, roles, span }
}

const OFFICE: &[Role] = &[Role::Office];
const PARTIES: &[Role] = &[Role::Office, Role::Researcher, Role::Administrator, Role::Auditor];
const TABLE_READERS: &[Role] = &[Role::Office, Role::Researcher];
const LOG_READERS: &[Role] = &[Role::Office, Role::Administrator, Role::Auditor, Role::Operator];
const RUN_READERS: &[Role] = &[Role::Office, Role::Administrator, Role::Auditor];
const ALL: &[Role] = &Role::ALL;

/// Every call, by service.
pub(crate) const CALLS: [Call; 33] = [
    call(
        "/corridor.v1.AgreementService/CreateAgreement",
        OFFICE,
        Span::Short,
    ),
    call("/corridor.v1.AgreementService/GetAgreement", PARTIES, Span::Short),
    call(
        "/corridor.v1.AgreementService/ListAgreements",
        PARTIES,
        Span::Short,
    ),
    call("/corridor.v1.AgreementService/SignAgreement", OFFICE, Span::Short),
    call("/corridor.v1.DatasetService/CreateDataset", OFFICE, Span::Short),
    call("/corridor.v1.DatasetService/GetDataset", OFFICE, Span::Short),
    call("/corridor.v1.DatasetService/ListDatasets", OFFICE, Span::Short),
    call("/corridor.v1.DatasetService/UploadDataset", OFFICE, Span::Upload),
    call("/corridor.v1.DatasetService/SealDataset", OFFICE, Span::Long),
    call("/corridor.v1.DatasetService/PurgeDataset", OFFICE, Span::Long),
    call(
        "/corridor.v1.DatasetService/GetDeletionCertificate",
        OFFICE,
        Span::Short,
    ),
    call("/corridor.v1.RunService/CreateRun", OFFICE, Span::Short),
    call("/corridor.v1.RunService/PlanRun", OFFICE, Span::Long),
    call("/corridor.v1.RunService/GetRun", PARTIES, Span::Short),
    call("/corridor.v1.RunService/ListRuns", PARTIES, Span::Short),
    call("/corridor.v1.RunService/WatchRun", PARTIES, Span::Stream),
    call("/corridor.v1.RunService/CancelRun", OFFICE, Span::Short),
    call("/corridor.v1.RunService/GetLinkageReport", PARTIES, Span::Short),
    call("/corridor.v1.RunService/ListLinks", OFFICE, Span::Stream),
    call("/corridor.v1.FlowService/ReleaseFlowTable", OFFICE, Span::Short),
    call(
        "/corridor.v1.FlowService/GetFlowTable",
        TABLE_READERS,
        Span::Short,
    ),
    call(
        "/corridor.v1.FlowService/ListFlowRows",
        TABLE_READERS,
        Span::Short,
    ),
    call(
        "/corridor.v1.FlowService/StreamFlowRows",
        TABLE_READERS,
        Span::Stream,
    ),
    call(
        "/corridor.v1.AuditService/GetCheckpoint",
        LOG_READERS,
        Span::Short,
    ),
    call(
        "/corridor.v1.AuditService/ListAuditEntries",
        LOG_READERS,
        Span::Short,
    ),
    call(
        "/corridor.v1.AuditService/GetInclusionProof",
        LOG_READERS,
        Span::Short,
    ),
    call(
        "/corridor.v1.AuditService/GetConsistencyProof",
        LOG_READERS,
        Span::Short,
    ),
    call(
        "/corridor.v1.AuditService/ListDisclosures",
        RUN_READERS,
        Span::Short,
    ),
    call(
        "/corridor.v1.AuditService/GetRunManifest",
        RUN_READERS,
        Span::Short,
    ),
    call("/grpc.health.v1.Health/Check", ALL, Span::Short),
    call("/grpc.health.v1.Health/List", ALL, Span::Short),
    call("/grpc.health.v1.Health/Watch", ALL, Span::Stream),
    // Offered only where the settings say so.
    call(
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        ALL,
        Span::Stream,
    ),
];

/// The terms of a call, if there is such a call.
pub(crate) fn find(path: &str) -> Option<&'static Call> {
    CALLS.iter().find(|call| call.path == path)
}
