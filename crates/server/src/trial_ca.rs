use corridor_core::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber,
};
use time::OffsetDateTime;
use x509_parser::prelude::{CertificateRevocationList, FromDer as _, Pem, X509Certificate};

/// A certificate authority for a trial or a demonstration. In production the offices' own is used.
#[derive(Debug)]
pub struct TrialCa {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its private key, PEM.
#[derive(Clone)]
pub struct CertificatePair {
    /// The certificate.
    pub certificate: String,
    /// The private key.
    pub private_key: String,
}

impl std::fmt::Debug for CertificatePair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CertificatePair(..)")
    }
}

/// A certificate or list that could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum TrialCaError {
    /// It could not be made.
    #[error("a certificate could not be made")]
    Make(#[from] rcgen::Error),
    /// What was given is none.
    #[error("{what} cannot be read")]
    Read {
        /// What.
        what: &'static str,
    },
}

impl TrialCa {
    /// A new authority with a key of its own.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn new() -> Result<Self, TrialCaError> {
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "Corridor trial CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        Ok(Self {
            certificate: params.self_signed(&key)?.pem(),
            issuer: Issuer::new(params, key),
        })
    }

    /// An authority made before, of its certificate and private key, PEM.
    ///
    /// # Errors
    /// When they are none.
    pub fn from_pem(certificate: &str, private_key: &str) -> Result<Self, TrialCaError> {
        let key = KeyPair::from_pem(private_key).map_err(|_| TrialCaError::Read {
            what: "the authority's private key",
        })?;
        let issuer = Issuer::from_ca_cert_pem(certificate, key).map_err(|_| TrialCaError::Read {
            what: "the authority's certificate",
        })?;
        Ok(Self {
            certificate: certificate.to_owned(),
            issuer,
        })
    }

    /// The authority's certificate, PEM.
    pub fn to_pem(&self) -> String {
        self.certificate.clone()
    }

    /// The authority's private key, PEM.
    pub fn to_private_key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// The list of revoked certificates, PEM, as it is with `revoked` on it beside those of the list before. Good for a year.
    ///
    /// # Errors
    /// When the list before or a certificate cannot be read.
    pub fn revoke(
        &self,
        before: Option<&str>,
        revoked: &[&str],
        now: Timestamp,
    ) -> Result<String, TrialCaError> {
        let unreadable_list = || TrialCaError::Read {
            what: "the list of revoked certificates",
        };
        let mut number = 0_u64;
        let mut serials = Vec::new();
        if let Some(pem) = before {
            let der = to_der(pem).ok_or_else(unreadable_list)?;
            let (_, list) = CertificateRevocationList::from_der(&der).map_err(|_| unreadable_list())?;
            number = list
                .crl_number()
                .and_then(|number| u64::try_from(number).ok())
                .ok_or_else(unreadable_list)?;
            serials.extend(
                list.iter_revoked_certificates()
                    .map(|entry| entry.raw_serial().to_vec()),
            );
        }
        for pem in revoked {
            let unreadable = || TrialCaError::Read {
                what: "the certificate",
            };
            let der = to_der(pem).ok_or_else(unreadable)?;
            let (_, certificate) = X509Certificate::from_der(&der).map_err(|_| unreadable())?;
            serials.push(certificate.raw_serial().to_vec());
        }
        serials.sort_unstable();
        serials.dedup();
        let at = OffsetDateTime::from_unix_timestamp(now.as_second())
            .map_err(|_| TrialCaError::Read { what: "the clock" })?;
        let params = CertificateRevocationListParams {
            this_update: at,
            next_update: at + time::Duration::days(366),
            crl_number: SerialNumber::from(number + 1),
            issuing_distribution_point: None,
            revoked_certs: serials
                .into_iter()
                .map(|serial| RevokedCertParams {
                    serial_number: SerialNumber::from(serial),
                    revocation_time: at,
                    reason_code: None,
                    invalidity_date: None,
                })
                .collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Ok(params.signed_by(&self.issuer)?.pem()?)
    }

    /// A certificate for a service reached as `host`.
    ///
    /// # Errors
    /// When `host` is no host name or address.
    pub fn issue_server(&self, host: &str) -> Result<CertificatePair, TrialCaError> {
        self.issue(
            CertificateParams::new(vec![host.to_owned()])?,
            host,
            ExtendedKeyUsagePurpose::ServerAuth,
        )
    }

    /// A certificate for a caller of that common name.
    ///
    /// # Errors
    /// When the name cannot stand in a certificate.
    pub fn issue_client(&self, common_name: &str) -> Result<CertificatePair, TrialCaError> {
        self.issue(
            CertificateParams::default(),
            common_name,
            ExtendedKeyUsagePurpose::ClientAuth,
        )
    }

    fn issue(
        &self,
        mut params: CertificateParams,
        common_name: &str,
        usage: ExtendedKeyUsagePurpose,
    ) -> Result<CertificatePair, TrialCaError> {
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.extended_key_usages = vec![usage];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(CertificatePair {
            certificate: certificate.pem(),
            private_key: key.serialize_pem(),
        })
    }
}

fn to_der(pem: &str) -> Option<Vec<u8>> {
    x509_parser::pem::parse_x509_pem(pem.as_bytes())
        .ok()
        .map(|(_, pem): (_, Pem)| pem.contents)
}
