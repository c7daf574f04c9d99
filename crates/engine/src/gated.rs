//! The gate as the service keeps it: before a dataset is sealed, and what stays of it afterwards.

use corridor_core::{
    Agreement, Caller, DatasetState, DatasetStatus, Digest, GateReport, MigrationEvent, MigratoryStatus,
    OfficeId, Reason, Variable,
};
use corridor_store::{GateRecord, SealedFile};

use crate::engine::Engine;
use crate::error::EngineError;
use crate::gate::{ColumnProfile, GateResult};

impl Engine {
    pub(crate) async fn put_and_seal(
        &self,
        caller: &Caller,
        id: Digest,
        staged: &SealedFile,
        passed: &GateResult,
        compared: Option<Digest>,
    ) -> Result<DatasetStatus, EngineError> {
        self.store.put_dataset(id, staged).await?;
        let record = GateRecord {
            report: serde_json::to_vec(&passed.report).expect("every field has a JSON form"),
            column_profile: passed.columns.to_bytes(),
        };
        Ok(self
            .store
            .seal_dataset(id, &record, compared, &self.stamp(Some(caller)))
            .await?)
    }

    /// The sealed dataset of the other office under the same agreement, and how often each bit is set in it. What was sealed before
    /// there was a gate has a profile of nothing, which is like no other and unlike none.
    pub(crate) async fn other_columns(
        &self,
        status: &DatasetStatus,
    ) -> Result<Option<(Digest, ColumnProfile)>, EngineError> {
        let datasets = self.store.datasets_of(status.declaration.agreement).await?;
        let Some(other) = datasets.into_iter().find(|other| {
            other.declaration.office != status.declaration.office && other.state == DatasetState::Sealed
        }) else {
            return Ok(None);
        };
        let record = self.store.gate_record(other.id).await?;
        let columns = match record {
            Some(record) => {
                ColumnProfile::from_bytes(&record.column_profile).ok_or(EngineError::StoredResult)?
            }
            None => ColumnProfile::default(),
        };
        Ok(Some((other.id, columns)))
    }

    /// What the gate found in a sealed dataset of the caller's; `None` where it is not sealed, or was before there was a gate.
    ///
    /// # Errors
    /// When there is no dataset of that id, or it is the other office's.
    pub async fn gate_report(&self, caller: &Caller, id: Digest) -> Result<Option<GateReport>, EngineError> {
        self.dataset(caller, id).await?;
        self.store
            .gate_record(id)
            .await?
            .map(|record| serde_json::from_slice(&record.report).map_err(|_| EngineError::StoredResult))
            .transpose()
    }
}

/// Which checks a refused dataset failed, for the log; figures are its office's.
pub(crate) fn log_refusal(error: &EngineError, office: &OfficeId, id: Digest) {
    if let EngineError::GateFailed { report } = error {
        let (dataset, failed) = (id.to_short(), report.failed_names());
        tracing::info!(%dataset, %office, failed, "dataset refused by the gate");
    }
}

/// Checks that an event says what the agreement asks for, in its categories, and nothing else.
pub(crate) fn check_facts(event: &MigrationEvent, agreement: &Agreement) -> Result<(), &'static str> {
    let facts = &event.facts;
    let asked = |variable: Variable| agreement.statistics.names(variable);
    let bands = [event.age_band, facts.age_band_reached];
    if bands
        .into_iter()
        .flatten()
        .any(|band| usize::from(band.0) >= agreement.age_bands.len())
    {
        return Err("an age band is not one of the agreement");
    }
    let groups = [facts.citizenship, facts.birth_country];
    if groups
        .into_iter()
        .flatten()
        .any(|group| agreement.statistics.country_groups.label(group).is_none())
    {
        return Err("a group of countries is not one of the agreement");
    }
    let told = [
        (facts.age_band_reached.is_some(), Variable::AgeReached),
        (facts.citizenship.is_some(), Variable::Citizenship),
        (facts.birth_country.is_some(), Variable::BirthCountry),
        (
            facts.migratory_status != MigratoryStatus::Unknown,
            Variable::MigratoryStatus,
        ),
        (facts.reason != Reason::Unknown, Variable::Reason),
    ];
    if told
        .iter()
        .any(|(is_told, variable)| *is_told && !asked(*variable))
    {
        return Err("it tells more of the movers than the agreement's tables ask for");
    }
    Ok(())
}
