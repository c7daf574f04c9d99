use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};

/// A certificate authority for a trial or a demonstration. In production the offices' own is used.
#[derive(Debug)]
pub struct TrialCa {
    issuer: CertifiedIssuer<'static, KeyPair>,
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

/// A certificate that could not be made.
#[derive(Debug, thiserror::Error)]
#[error("a certificate could not be made")]
pub struct TrialCaError(#[from] rcgen::Error);

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
        Ok(Self {
            issuer: CertifiedIssuer::self_signed(params, KeyPair::generate()?)?,
        })
    }

    /// The authority's certificate, PEM.
    pub fn to_pem(&self) -> String {
        self.issuer.pem()
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
