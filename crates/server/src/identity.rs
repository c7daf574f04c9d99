use std::collections::HashMap;

use corridor_core::OfficeId;
use tonic::{Request, Status};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::config::OfficeConfig;
use crate::operations::call::note_role;
use crate::status;

/// Which office a caller is, by the common name of its certificate. TLS has checked by then that the
/// certificate is of the offices' authority; a name that is not in the config is nobody.
#[derive(Debug, Clone)]
pub(crate) struct Callers {
    offices: HashMap<String, OfficeId>,
}

impl Callers {
    pub(crate) fn new(offices: &[OfficeConfig]) -> Self {
        Self {
            offices: offices
                .iter()
                .map(|office| (office.certificate_name.clone(), office.id.clone()))
                .collect(),
        }
    }

    /// The office that makes a call.
    pub(crate) fn office_of<T>(&self, request: &Request<T>) -> Result<OfficeId, Status> {
        let certificates = request
            .peer_certs()
            .ok_or_else(|| status::unauthenticated("a client certificate is required"))?;
        let name = certificates
            .first()
            .and_then(|certificate| common_name(certificate))
            .ok_or_else(|| status::unauthenticated("the client certificate has no common name"))?;
        let office = self.offices.get(&name).cloned().ok_or_else(|| {
            status::unauthenticated("the client certificate names no office of this service")
        })?;
        note_role("office");
        Ok(office)
    }
}

/// The common name, when there is exactly one.
fn common_name(certificate: &[u8]) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let mut names = certificate.subject().iter_common_name();
    let name = names.next()?.as_str().ok()?.to_owned();
    names.next().is_none().then_some(name)
}
