use corridor_core::{Digest, Pseudonym, Signature};

/// A field of a message that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {expected}")]
pub struct FieldViolation {
    /// Path of the field, as in `declaration.key_check`.
    pub field: String,
    /// What was expected.
    pub expected: String,
    /// A stable code a program can act on.
    pub reason: Reason,
}

/// Stable codes of field violations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// A field has the wrong length.
    Length,
    /// A message that must be there is not.
    Missing,
    /// A value is outside its range or not one of those known.
    Value,
}

impl Reason {
    /// The code.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Length => "FIELD_LENGTH",
            Self::Missing => "FIELD_MISSING",
            Self::Value => "FIELD_VALUE",
        }
    }
}

impl FieldViolation {
    pub(crate) fn new(field: &str, reason: Reason, expected: impl Into<String>) -> Self {
        Self {
            field: field.to_owned(),
            expected: expected.into(),
            reason,
        }
    }

    /// The same violation inside a message that is itself the field `parent`.
    pub(crate) fn within(mut self, parent: &str) -> Self {
        self.field = format!("{parent}.{}", self.field);
        self
    }
}

/// A digest from 32 bytes.
///
/// # Errors
/// Names `field` when there are not 32.
pub fn to_digest(bytes: &[u8], field: &str) -> Result<Digest, FieldViolation> {
    Digest::try_from(bytes).map_err(|_| FieldViolation::new(field, Reason::Length, "expected 32 bytes"))
}

/// A signature from 64 bytes.
///
/// # Errors
/// Names `field` when there are not 64.
pub fn to_signature(bytes: &[u8], field: &str) -> Result<Signature, FieldViolation> {
    Signature::try_from(bytes).map_err(|_| FieldViolation::new(field, Reason::Length, "expected 64 bytes"))
}

/// A pseudonym from 16 bytes.
///
/// # Errors
/// Names `field` when there are not 16.
pub fn to_pseudonym(bytes: &[u8], field: &str) -> Result<Pseudonym, FieldViolation> {
    bytes
        .try_into()
        .map(Pseudonym::from_bytes)
        .map_err(|_| FieldViolation::new(field, Reason::Length, "expected 16 bytes"))
}

/// The message of a field that must be there.
pub(crate) fn required<T>(message: Option<T>, field: &str) -> Result<T, FieldViolation> {
    message.ok_or_else(|| FieldViolation::new(field, Reason::Missing, "must be set"))
}
