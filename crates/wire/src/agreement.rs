use corridor_core::{Agreement, Digest, Signature, SignedAgreement};

use crate::field::{FieldViolation, Reason, to_signature};
use crate::v1;

/// Bytes of the largest agreement that is read.
const MAX_CANONICAL_BYTES: usize = 64 * 1024;

impl From<&SignedAgreement> for v1::Agreement {
    fn from(signed: &SignedAgreement) -> Self {
        let bytes = |signature: Option<&Signature>| {
            signature.map_or_else(Vec::new, |signature| signature.as_bytes().to_vec())
        };
        let canonical = signed.agreement.to_canonical_bytes();
        Self {
            // As `Agreement::digest` does, without writing it a second time.
            digest: Digest::of(&canonical).as_bytes().to_vec(),
            canonical,
            origin_signature: bytes(signed.origin_signature.as_ref()),
            destination_signature: bytes(signed.destination_signature.as_ref()),
        }
    }
}

impl TryFrom<v1::Agreement> for SignedAgreement {
    type Error = FieldViolation;

    /// Also checks that the digest is of the content, and every signature that is there.
    fn try_from(message: v1::Agreement) -> Result<Self, FieldViolation> {
        let agreement = v1::CreateAgreementRequest {
            canonical: message.canonical,
        }
        .to_agreement()?;
        if message.digest != agreement.digest().as_bytes() {
            return Err(FieldViolation::new(
                "digest",
                Reason::Value,
                "expected the digest of canonical",
            ));
        }
        let signature = |bytes: &[u8], field| {
            (!bytes.is_empty())
                .then(|| to_signature(bytes, field))
                .transpose()
        };
        let signed = Self {
            origin_signature: signature(&message.origin_signature, "origin_signature")?,
            destination_signature: signature(&message.destination_signature, "destination_signature")?,
            agreement,
        };
        signed
            .verify()
            .map_err(|error| FieldViolation::new("origin_signature", Reason::Value, error.to_string()))?;
        Ok(signed)
    }
}

impl v1::CreateAgreementRequest {
    /// The agreement proposed.
    ///
    /// # Errors
    /// When the bytes are too many, no agreement, or not canonical.
    pub fn to_agreement(&self) -> Result<Agreement, FieldViolation> {
        if self.canonical.len() > MAX_CANONICAL_BYTES {
            let expected = format!("expected at most {MAX_CANONICAL_BYTES} bytes");
            return Err(FieldViolation::new("canonical", Reason::Length, expected));
        }
        Agreement::from_canonical_bytes(&self.canonical)
            .map_err(|error| FieldViolation::new("canonical", Reason::Value, error.to_string()))
    }
}
