//! Certificates, revocations and parties, read again while the service runs.

use std::path::Path;
use std::time::Duration;

use tokio::sync::watch;

use crate::config::{Config, ConfigError};
use crate::identity::ServiceIdentity;

/// Reads the files that `config` names.
///
/// # Errors
/// When one cannot be read.
pub fn read_identity(config: &Config) -> Result<ServiceIdentity, ConfigError> {
    let read = |path: &Path| {
        std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            file: path.display().to_string(),
            source,
        })
    };
    Ok(ServiceIdentity {
        certificate: read(&config.tls.certificate)?,
        private_key: read(&config.tls.private_key)?,
        client_ca: read(&config.tls.client_ca)?,
        revocations: config.tls.revocations.as_deref().map(read).transpose()?,
        parties: config.parties.clone(),
    })
}

/// Reads the settings and the files they name again every `every`, and sends what is in them when it is not what was sent before.
/// Settings that are not sound are logged, and change nothing. Ends when nobody listens.
///
/// Only certificates, revocations and parties are taken over; other settings are those of the start.
pub async fn follow(path: &Path, every: Duration, identity: &watch::Sender<ServiceIdentity>) {
    let mut last_problem = None;
    while !identity.is_closed() {
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = identity.closed() => return,
        }
        match Config::load(path).and_then(|config| read_identity(&config)) {
            Ok(read) => {
                last_problem = None;
                identity.send_if_modified(|current| {
                    let is_new = *current != read;
                    if is_new {
                        *current = read;
                    }
                    is_new
                });
            }
            Err(error) => {
                let problem = error.to_string();
                if last_problem.as_ref() != Some(&problem) {
                    tracing::error!(problem, "settings cannot be read again; the old ones stay");
                    last_problem = Some(problem);
                }
            }
        }
    }
}
