use corridor_core::CountryCode;

/// A manifest that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// The bytes are a manifest, but not as it is written for its digest.
    #[error("the bytes are a manifest, but not in canonical form")]
    NotCanonical,
    /// Two manifests of one country.
    #[error("both manifests are of {0}; a comparison is of an origin and a destination")]
    OneCountry(CountryCode),
    /// A key that is unknown, missing, has a value it cannot have, or contradicts another.
    #[error("manifest key {key}: {problem}")]
    Key {
        /// Path of the key, as in `emigration.duration.minimum_stay`.
        key: String,
        /// What is wrong, and where in the text.
        problem: String,
    },
    /// The text is neither TOML nor JSON.
    #[error("not understood as {form}: {problem}")]
    Syntax {
        /// `TOML` or `JSON`.
        form: &'static str,
        /// Where and why.
        problem: String,
    },
}

impl ManifestError {
    pub(super) fn key(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Key {
            key: key.into(),
            problem: problem.into(),
        }
    }
}
