use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Digest, OfficeId, PublicKey, Signature, SignatureError, SigningPurpose};

/// Version of the form of a certificate.
const VERSION: u32 = 1;

/// Why a dataset was purged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PurgeReason {
    /// Its office asked for it.
    Request,
    /// The days of retention agreed were over.
    Retention,
}

impl PurgeReason {
    /// The word in tables and messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Retention => "retention",
        }
    }
}

/// What a service says of a dataset it purged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeletionCertificate {
    version: u32,
    /// The dataset.
    pub dataset: Digest,
    /// Digest of the file.
    pub content: Digest,
    /// Records it had, as declared.
    pub record_count: u64,
    /// The office it was of.
    pub office: OfficeId,
    /// The agreement it was under.
    pub agreement: Digest,
    /// Why it was purged.
    pub reason: PurgeReason,
    /// When.
    pub purged_at: Timestamp,
    /// Id of the key that was destroyed, 32 hexadecimal digits: without it nothing of the dataset can be read, wherever a copy of
    /// its stored bytes may be.
    pub destroyed_key: String,
    /// Runs over the dataset, by id: their candidate pairs and links went with it, and tables that were not released.
    pub purged_runs: Vec<Digest>,
}

/// What is certified, without its form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertifiedPurge {
    /// As in [`DeletionCertificate`].
    pub dataset: Digest,
    /// As in [`DeletionCertificate`].
    pub content: Digest,
    /// As in [`DeletionCertificate`].
    pub record_count: u64,
    /// As in [`DeletionCertificate`].
    pub office: OfficeId,
    /// As in [`DeletionCertificate`].
    pub agreement: Digest,
    /// As in [`DeletionCertificate`].
    pub reason: PurgeReason,
    /// As in [`DeletionCertificate`].
    pub purged_at: Timestamp,
    /// Id of the key that was destroyed.
    pub destroyed_key: [u8; 16],
    /// As in [`DeletionCertificate`].
    pub purged_runs: Vec<Digest>,
}

impl From<CertifiedPurge> for DeletionCertificate {
    fn from(purge: CertifiedPurge) -> Self {
        Self {
            version: VERSION,
            dataset: purge.dataset,
            content: purge.content,
            record_count: purge.record_count,
            office: purge.office,
            agreement: purge.agreement,
            reason: purge.reason,
            purged_at: purge.purged_at,
            destroyed_key: data_encoding::HEXLOWER.encode(&purge.destroyed_key),
            purged_runs: purge.purged_runs,
        }
    }
}

/// Signs certificates: a key of the service's.
pub trait CertificateSigner: fmt::Debug + Send + Sync {
    /// By what its signatures are checked.
    fn public_key(&self) -> PublicKey;

    /// A signature of `content` for `purpose`.
    fn sign(&self, purpose: SigningPurpose, content: &[u8]) -> Signature;
}

/// A certificate that is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Not a certificate, or of another version.
    #[error("it is no deletion certificate this program knows: {0}")]
    Format(String),
    /// The signature.
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

/// A certificate with its signature. Only a sound one can be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCertificate {
    certificate: DeletionCertificate,
    canonical: Vec<u8>,
    signing_key: PublicKey,
    signature: Signature,
}

impl SignedCertificate {
    /// Signs a certificate.
    pub fn sign(certificate: DeletionCertificate, signer: &dyn CertificateSigner) -> Self {
        let canonical = serde_json::to_vec(&certificate).expect("every field has a JSON form");
        Self {
            signature: signer.sign(SigningPurpose::Deletion, &canonical),
            signing_key: signer.public_key(),
            certificate,
            canonical,
        }
    }

    /// Checks what was stored or sent. Whose key it is signed by is for the caller to compare.
    ///
    /// # Errors
    /// When the bytes are no certificate in canonical form, or the signature does not fit.
    pub fn try_new(
        canonical: &[u8],
        signing_key: PublicKey,
        signature: Signature,
    ) -> Result<Self, CertificateError> {
        let certificate: DeletionCertificate =
            serde_json::from_slice(canonical).map_err(|error| CertificateError::Format(error.to_string()))?;
        if certificate.version != VERSION {
            return Err(CertificateError::Format(format!(
                "version {}",
                certificate.version
            )));
        }
        if serde_json::to_vec(&certificate).ok().as_deref() != Some(canonical) {
            return Err(CertificateError::Format(
                "the bytes are not in canonical form".to_owned(),
            ));
        }
        signing_key.verify(SigningPurpose::Deletion, canonical, &signature)?;
        Ok(Self {
            certificate,
            canonical: canonical.to_vec(),
            signing_key,
            signature,
        })
    }

    /// What it says.
    pub const fn certificate(&self) -> &DeletionCertificate {
        &self.certificate
    }

    /// The bytes that are signed.
    pub fn canonical(&self) -> &[u8] {
        &self.canonical
    }

    /// By whom.
    pub const fn signing_key(&self) -> PublicKey {
        self.signing_key
    }

    /// The signature.
    pub const fn signature(&self) -> &Signature {
        &self.signature
    }

    /// A file: JSON with the certificate as it was signed, the key and the signature.
    pub fn to_file(&self) -> String {
        let file = CertificateFile {
            certificate: self.certificate.clone(),
            signing_key: self.signing_key,
            signature: self.signature.clone(),
        };
        serde_json::to_string_pretty(&file).expect("every field has a JSON form") + "\n"
    }

    /// Reads a file and checks it.
    ///
    /// # Errors
    /// As [`SignedCertificate::try_new`].
    pub fn from_file(text: &str) -> Result<Self, CertificateError> {
        let file: CertificateFile =
            serde_json::from_str(text).map_err(|error| CertificateError::Format(error.to_string()))?;
        let canonical = serde_json::to_vec(&file.certificate).expect("every field has a JSON form");
        Self::try_new(&canonical, file.signing_key, file.signature)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CertificateFile {
    certificate: DeletionCertificate,
    signing_key: PublicKey,
    signature: Signature,
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::{Signer as _, SigningKey};

    #[derive(Debug)]
    struct Key(SigningKey);

    impl CertificateSigner for Key {
        fn public_key(&self) -> PublicKey {
            PublicKey::try_from(self.0.verifying_key().as_bytes().as_slice()).unwrap()
        }

        fn sign(&self, purpose: SigningPurpose, content: &[u8]) -> Signature {
            Signature::from_bytes(self.0.sign(&purpose.to_message(content)).to_bytes())
        }
    }

    fn signed() -> SignedCertificate {
        let certificate = DeletionCertificate::from(CertifiedPurge {
            dataset: Digest::of(b"dataset"),
            content: Digest::of(b"content"),
            record_count: 9,
            office: "INS-TN".parse().unwrap(),
            agreement: Digest::of(b"agreement"),
            reason: PurgeReason::Request,
            purged_at: "2026-05-01T10:00:00Z".parse().unwrap(),
            destroyed_key: [7; 16],
            purged_runs: vec![Digest::of(b"run")],
        });
        SignedCertificate::sign(certificate, &Key(SigningKey::from_bytes(&[3; 32])))
    }

    #[test]
    fn a_certificate_round_trips_and_no_part_of_it_can_be_altered() {
        let signed = signed();
        assert_eq!(
            SignedCertificate::from_file(&signed.to_file()),
            Ok(signed.clone())
        );
        let again = SignedCertificate::try_new(
            signed.canonical(),
            signed.signing_key(),
            signed.signature().clone(),
        );
        assert_eq!(again, Ok(signed.clone()));
        for (from, to) in [
            ("\"record_count\": 9", "\"record_count\": 8"),
            ("INS-TN", "ISTAT"),
            ("request", "retention"),
            ("2026-05-01", "2026-05-02"),
            ("07070707", "07070708"),
            ("\"version\": 1", "\"version\": 2"),
        ] {
            let altered = signed.to_file().replacen(from, to, 1);
            assert_ne!(altered, signed.to_file(), "{from} is there");
            assert!(SignedCertificate::from_file(&altered).is_err(), "{from}");
        }
        let mut other = signed.canonical().to_vec();
        other.push(b' ');
        let other = SignedCertificate::try_new(&other, signed.signing_key(), signed.signature().clone());
        assert!(matches!(other, Err(CertificateError::Format(_))));
    }
}
