//! Who may call: certificates, the authority behind them, what was revoked, and which party a name in a certificate is.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use corridor_core::{Caller, Digest};
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::config::{PartyConfig, PartyLimits};

/// What a service shows its callers and knows them by. It is replaced as a whole while the service runs.
#[derive(Clone, PartialEq, Eq)]
pub struct ServiceIdentity {
    /// The service's certificate chain, PEM.
    pub certificate: String,
    /// Its private key, PEM.
    pub private_key: String,
    /// The authority of the parties' certificates, PEM.
    pub client_ca: String,
    /// What that authority revoked, PEM; `None` where nothing is looked up.
    pub revocations: Option<String>,
    /// The parties that may call.
    pub parties: Vec<PartyConfig>,
}

impl ServiceIdentity {
    /// Digest of everything in it but the private key, for the audit log: of the parts certificate, authority, revocations (empty where
    /// none are looked up), and for each party its certificate's name, id and role.
    pub fn to_digest(&self) -> Digest {
        let revocations = self.revocations.as_deref().unwrap_or_default();
        let mut parts = vec![
            self.certificate.as_bytes(),
            self.client_ca.as_bytes(),
            revocations.as_bytes(),
        ];
        for party in &self.parties {
            parts.push(party.certificate_name.as_bytes());
            parts.push(party.id.as_str().as_bytes());
            parts.push(party.role.as_str().as_bytes());
        }
        Digest::of_parts(&parts)
    }

    /// Checks that a service can be started with it.
    ///
    /// # Errors
    /// What of it cannot be used.
    pub fn check(&self) -> Result<(), IdentityError> {
        Admission::new(self, false).map(drop)
    }
}

impl fmt::Debug for ServiceIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceIdentity")
            .field("parties", &self.parties.len())
            .finish_non_exhaustive()
    }
}

/// Certificates that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The service's certificate or its authority's is no PEM certificate.
    #[error("{which} is no certificate in PEM")]
    Certificate {
        /// Which of them.
        which: &'static str,
    },
    /// The private key is none, or does not fit the certificate.
    #[error("the private key cannot be used with the certificate")]
    PrivateKey(#[source] rustls::Error),
    /// The private key is no PEM key.
    #[error("the private key is no key in PEM")]
    PrivateKeyFormat,
    /// The authority of the parties cannot be used.
    #[error("the certificate authority of the parties cannot be used")]
    ClientAuthority,
    /// The list of revoked certificates cannot be used.
    #[error(
        "tls.revocations is no list of revoked certificates in PEM, or not of the authority tls.client_ca"
    )]
    Revocations,
}

/// A [`ServiceIdentity`] that was read and found sound.
#[derive(Debug)]
pub(crate) struct Admission {
    /// TLS 1.3 alone, with a client certificate of the authority.
    pub(crate) tls: Arc<ServerConfig>,
    verifier: Arc<dyn ClientCertVerifier>,
    callers: HashMap<String, (Caller, Option<PartyLimits>)>,
}

impl Admission {
    /// Browsers may fall back to HTTP/1.1 `with_http1`.
    pub(crate) fn new(identity: &ServiceIdentity, with_http1: bool) -> Result<Self, IdentityError> {
        let chain = certificates(&identity.certificate, "tls.certificate")?;
        let key = PrivateKeyDer::from_pem_slice(identity.private_key.as_bytes())
            .map_err(|_| IdentityError::PrivateKeyFormat)?;
        let mut roots = RootCertStore::empty();
        for authority in certificates(&identity.client_ca, "tls.client_ca")? {
            roots.add(authority).map_err(|_| IdentityError::ClientAuthority)?;
        }
        if roots.len() > 1 {
            tracing::warn!(
                authorities = roots.len(),
                "tls.client_ca has more than one authority, and each of them can name every party"
            );
        }
        let provider = Arc::new(ring::default_provider());
        let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        if let Some(pem) = &identity.revocations {
            // A list that has run out still says what was revoked; to shut everybody out would help nobody.
            builder = builder.with_crls(revocation_lists(pem)?);
        }
        let verifier = builder.build().map_err(|_| match &identity.revocations {
            Some(_) => IdentityError::Revocations,
            None => IdentityError::ClientAuthority,
        })?;
        let mut tls = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(IdentityError::PrivateKey)?
            .with_client_cert_verifier(Arc::clone(&verifier))
            .with_single_cert(chain, key)
            .map_err(IdentityError::PrivateKey)?;
        tls.alpn_protocols = vec![b"h2".to_vec()];
        if with_http1 {
            tls.alpn_protocols.push(b"http/1.1".to_vec());
        }
        // A caller that comes back shows its certificate again: it may have been revoked meanwhile.
        tls.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        tls.send_tls13_tickets = 0;
        let callers = identity.parties.iter().map(|party| {
            let caller = Caller {
                party: party.id.clone(),
                role: party.role,
            };
            (party.certificate_name.clone(), (caller, party.limits))
        });
        Ok(Self {
            tls: Arc::new(tls),
            verifier,
            callers: callers.collect(),
        })
    }

    /// The caller a certificate names, by its common name, and its own bounds; `None` for nobody.
    pub(crate) fn caller_of(
        &self,
        certificate: &CertificateDer<'_>,
    ) -> Option<(Caller, Option<PartyLimits>)> {
        self.callers.get(&common_name(certificate)?).cloned()
    }

    /// Whether a connection that was let in with this chain would be let in now, and names a party.
    pub(crate) fn admits(&self, chain: &[CertificateDer<'_>]) -> bool {
        let names_party = |certificate| self.caller_of(certificate).is_some();
        chain.first().is_some_and(names_party) && self.trusts(chain)
    }

    /// Whether a chain is of the authority, good today, and not revoked.
    pub(crate) fn trusts(&self, chain: &[CertificateDer<'_>]) -> bool {
        let Some((certificate, intermediates)) = chain.split_first() else {
            return false;
        };
        // As in a handshake, whose clock is the system's.
        let now = UnixTime::now();
        self.verifier
            .verify_client_cert(certificate, intermediates, now)
            .is_ok()
    }
}

fn certificates(pem: &str, which: &'static str) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    certificates
        .ok()
        .filter(|certificates| !certificates.is_empty())
        .ok_or(IdentityError::Certificate { which })
}

fn revocation_lists(pem: &str) -> Result<Vec<CertificateRevocationListDer<'static>>, IdentityError> {
    let lists: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(pem.as_bytes()).collect();
    lists
        .ok()
        .filter(|lists| !lists.is_empty())
        .ok_or(IdentityError::Revocations)
}

/// The common name, when there is exactly one.
fn common_name(certificate: &[u8]) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let mut names = certificate.subject().iter_common_name();
    let name = names.next()?.as_str().ok()?.to_owned();
    names.next().is_none().then_some(name)
}
