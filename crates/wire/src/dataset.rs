use corridor_core::{
    DatasetDeclaration, DatasetState, DatasetStatus, GateCheck, GateCheckName, GateOutcome, GateReport,
    OfficeId, PublicKey, SignedCertificate,
};

use crate::field::{FieldViolation, Reason, required, to_digest, to_signature};
use crate::v1;

impl v1::DatasetDeclaration {
    /// The declaration, made by `office`.
    ///
    /// # Errors
    /// Names the first field that is not what it should be.
    pub fn to_declaration(&self, office: OfficeId) -> Result<DatasetDeclaration, FieldViolation> {
        let positive = |value: u64, field| {
            if value == 0 {
                Err(FieldViolation::new(
                    field,
                    Reason::Value,
                    "expected a number above 0",
                ))
            } else {
                Ok(value)
            }
        };
        Ok(DatasetDeclaration {
            agreement: to_digest(&self.agreement_digest, "agreement_digest")?,
            office,
            schema: to_digest(&self.schema_digest, "schema_digest")?,
            key_check: to_digest(&self.key_check, "key_check")?,
            record_count: positive(self.record_count, "record_count")?,
            total_bytes: positive(self.total_bytes, "total_bytes")?,
            content: to_digest(&self.content_digest, "content_digest")?,
        })
    }
}

impl From<&DatasetDeclaration> for v1::DatasetDeclaration {
    fn from(declaration: &DatasetDeclaration) -> Self {
        Self {
            agreement_digest: declaration.agreement.as_bytes().to_vec(),
            schema_digest: declaration.schema.as_bytes().to_vec(),
            key_check: declaration.key_check.as_bytes().to_vec(),
            record_count: declaration.record_count,
            total_bytes: declaration.total_bytes,
            content_digest: declaration.content.as_bytes().to_vec(),
        }
    }
}

impl v1::CreateDatasetRequest {
    /// The declaration, made by `office`.
    ///
    /// # Errors
    /// Names the first field that is not what it should be.
    pub fn to_declaration(&self, office: OfficeId) -> Result<DatasetDeclaration, FieldViolation> {
        required(self.declaration.as_ref(), "declaration")?
            .to_declaration(office)
            .map_err(|violation| violation.within("declaration"))
    }
}

impl From<&DatasetStatus> for v1::Dataset {
    fn from(status: &DatasetStatus) -> Self {
        let state = match status.state {
            DatasetState::Receiving => v1::DatasetState::Receiving,
            DatasetState::Sealed => v1::DatasetState::Sealed,
            DatasetState::Purged => v1::DatasetState::Purged,
        };
        Self {
            dataset_id: status.id.as_bytes().to_vec(),
            office: status.declaration.office.to_string(),
            declaration: Some((&status.declaration).into()),
            state: state.into(),
            acknowledged_bytes: status.acknowledged_bytes,
            next_sequence: status.next_sequence,
            purge_at: status.purge_at.map_or_else(String::new, |at| at.to_string()),
        }
    }
}

impl From<&SignedCertificate> for v1::DeletionCertificate {
    fn from(signed: &SignedCertificate) -> Self {
        Self {
            canonical: signed.canonical().to_vec(),
            signing_key: signed.signing_key().as_bytes().to_vec(),
            signature: signed.signature().as_bytes().to_vec(),
        }
    }
}

/// Bytes of the largest certificate that is read.
const MAX_CERTIFICATE_BYTES: usize = 1024 * 1024;

impl TryFrom<v1::DeletionCertificate> for SignedCertificate {
    type Error = FieldViolation;

    /// Also checks the signature.
    fn try_from(message: v1::DeletionCertificate) -> Result<Self, FieldViolation> {
        if message.canonical.len() > MAX_CERTIFICATE_BYTES {
            let expected = format!("expected at most {MAX_CERTIFICATE_BYTES} bytes");
            return Err(FieldViolation::new("canonical", Reason::Length, expected));
        }
        let key = PublicKey::try_from(message.signing_key.as_slice())
            .map_err(|error| FieldViolation::new("signing_key", Reason::Value, error.to_string()))?;
        let signature = to_signature(&message.signature, "signature")?;
        Self::try_new(&message.canonical, key, signature)
            .map_err(|error| FieldViolation::new("canonical", Reason::Value, error.to_string()))
    }
}

impl TryFrom<v1::Dataset> for DatasetStatus {
    type Error = FieldViolation;

    fn try_from(message: v1::Dataset) -> Result<Self, FieldViolation> {
        let office: OfficeId = message
            .office
            .parse()
            .map_err(|_| FieldViolation::new("office", Reason::Value, "expected an office id"))?;
        let state = match message.state() {
            v1::DatasetState::Receiving => DatasetState::Receiving,
            v1::DatasetState::Sealed => DatasetState::Sealed,
            v1::DatasetState::Purged => DatasetState::Purged,
            v1::DatasetState::Unspecified => {
                return Err(FieldViolation::new(
                    "state",
                    Reason::Value,
                    "expected a known state",
                ));
            }
        };
        Ok(Self {
            id: to_digest(&message.dataset_id, "dataset_id")?,
            declaration: required(message.declaration.as_ref(), "declaration")?
                .to_declaration(office)
                .map_err(|violation| violation.within("declaration"))?,
            state,
            acknowledged_bytes: message.acknowledged_bytes,
            next_sequence: message.next_sequence,
            purge_at: match message.purge_at.as_str() {
                "" => None,
                text => Some(text.parse().map_err(|_| {
                    FieldViolation::new(
                        "purge_at",
                        Reason::Value,
                        "expected a time as RFC 3339, or nothing",
                    )
                })?),
            },
        })
    }
}

impl From<&GateReport> for v1::GateReport {
    fn from(report: &GateReport) -> Self {
        let to_check = |check: &GateCheck| {
            let outcome = match check.outcome {
                GateOutcome::Passed => v1::GateOutcome::Passed,
                GateOutcome::Failed => v1::GateOutcome::Failed,
                GateOutcome::Noted => v1::GateOutcome::Noted,
            };
            v1::GateCheck {
                name: check.name.as_str().to_owned(),
                figure: check.figure,
                least: check.least,
                most: check.most,
                outcome: outcome.into(),
                meaning: check.meaning.clone(),
            }
        };
        Self {
            checks: report.checks.iter().map(to_check).collect(),
        }
    }
}

impl TryFrom<v1::GateReport> for GateReport {
    type Error = FieldViolation;

    fn try_from(message: v1::GateReport) -> Result<Self, FieldViolation> {
        let unknown = |field, expected| FieldViolation::new(field, Reason::Value, expected);
        let checks = message.checks.into_iter().map(|check| {
            let outcome = match check.outcome() {
                v1::GateOutcome::Passed => GateOutcome::Passed,
                v1::GateOutcome::Failed => GateOutcome::Failed,
                v1::GateOutcome::Noted => GateOutcome::Noted,
                v1::GateOutcome::Unspecified => {
                    return Err(unknown("checks.outcome", "expected a known outcome"));
                }
            };
            // What is no number is within no bounds, and outside of none.
            let figures = [Some(check.figure), check.least, check.most];
            if !figures.into_iter().flatten().all(f64::is_finite) {
                return Err(unknown("checks.figure", "expected numbers"));
            }
            Ok(GateCheck {
                name: GateCheckName::from_word(&check.name)
                    .ok_or_else(|| unknown("checks.name", "expected a known check"))?,
                figure: check.figure,
                least: check.least,
                most: check.most,
                outcome,
                meaning: check.meaning,
            })
        });
        Ok(Self {
            checks: checks.collect::<Result<_, _>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_report_comes_back_and_an_unknown_outcome_is_refused() {
        let check = |outcome, least| GateCheck {
            name: GateCheckName::NearDuplicates,
            figure: 0.25,
            least,
            most: Some(0.1),
            outcome,
            meaning: "records that nearly equal another person's".to_owned(),
        };
        let report = GateReport {
            checks: vec![
                check(GateOutcome::Passed, None),
                check(GateOutcome::Failed, Some(0.0)),
                check(GateOutcome::Noted, None),
            ],
        };
        let mut message = v1::GateReport::from(&report);
        assert_eq!(GateReport::try_from(message.clone()), Ok(report));
        message.checks[0].outcome = 9;
        let unknown = GateReport::try_from(message.clone()).unwrap_err();
        assert_eq!(unknown.field, "checks.outcome");
        message.checks[0].outcome = 1;
        message.checks[0].most = Some(f64::NAN);
        assert_eq!(GateReport::try_from(message).unwrap_err().field, "checks.figure");
    }
}
