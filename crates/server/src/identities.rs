//! The files of a trial's certificates: a folder with the authority, the service's pair, one for each party, and what was revoked.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use corridor_core::{Clock, OfficeId, Role};

use crate::trial_ca::{CertificatePair, TrialCa, TrialCaError};

/// Name of the authority's certificate in the folder.
const CA: &str = "ca.pem";
/// Name of the authority's private key.
const CA_KEY: &str = "ca.key";
/// Name of the list of revoked certificates.
const REVOCATIONS: &str = "revocations.pem";

/// A folder of certificates that could not be made or changed.
#[derive(Debug, thiserror::Error)]
pub enum IdentitiesError {
    /// Something of that name is there.
    #[error("{} exists already", .0.display())]
    Exists(PathBuf),
    /// A file cannot be read.
    #[error("cannot read {}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {}", file.display())]
    Write {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A certificate.
    #[error(transparent)]
    Certificate(#[from] TrialCaError),
}

/// Makes a folder with an authority, an empty list of revoked certificates, a pair for the service reached as `host`, and one for each
/// party.
///
/// # Errors
/// When the folder is there already, or a file cannot be written.
pub fn init(
    dir: &Path,
    host: &str,
    parties: &[(OfficeId, Role)],
    clock: &dyn Clock,
) -> Result<(), IdentitiesError> {
    if dir.exists() {
        return Err(IdentitiesError::Exists(dir.to_owned()));
    }
    std::fs::create_dir_all(dir).map_err(|source| IdentitiesError::Write {
        file: dir.to_owned(),
        source,
    })?;
    let ca = TrialCa::new()?;
    write_new(&dir.join(CA), &ca.to_pem(), false)?;
    write_new(&dir.join(CA_KEY), &ca.to_private_key_pem(), true)?;
    write_new(&dir.join(REVOCATIONS), &ca.revoke(None, &[], clock.now())?, false)?;
    write_pair(dir, "server", &ca.issue_server(host)?)?;
    for (party, role) in parties {
        write_pair(
            dir,
            &file_name(party, *role),
            &ca.issue_client(&certificate_name(party, *role))?,
        )?;
    }
    Ok(())
}

/// Issues a pair for a party, in the place of one that is there under its name.
///
/// # Errors
/// When the authority is not in the folder, or a file cannot be written.
pub fn issue(dir: &Path, party: &OfficeId, role: Role) -> Result<(), IdentitiesError> {
    let pair = open(dir)?.issue_client(&certificate_name(party, role))?;
    let name = file_name(party, role);
    for (extension, text, private) in [
        ("pem", &pair.certificate, false),
        ("key", &pair.private_key, true),
    ] {
        replace(&dir.join(format!("{name}.{extension}")), text, private)?;
    }
    Ok(())
}

/// Puts a certificate on the list of revoked ones.
///
/// # Errors
/// When the authority or the certificate cannot be read, or the list cannot be written.
pub fn revoke(dir: &Path, certificate: &Path, clock: &dyn Clock) -> Result<(), IdentitiesError> {
    let ca = open(dir)?;
    let list = dir.join(REVOCATIONS);
    let text = ca.revoke(Some(&read(&list)?), &[&read(certificate)?], clock.now())?;
    replace(&list, &text, false)
}

/// The common name in the certificate of a party: of an office its id, of another its id and role.
pub fn certificate_name(party: &OfficeId, role: Role) -> String {
    match role {
        Role::Office => party.as_str().to_owned(),
        Role::Researcher | Role::Administrator | Role::Auditor | Role::Operator => {
            format!("{party} {role}")
        }
    }
}

fn file_name(party: &OfficeId, role: Role) -> String {
    certificate_name(party, role).replace(' ', "-")
}

fn open(dir: &Path) -> Result<TrialCa, IdentitiesError> {
    Ok(TrialCa::from_pem(
        &read(&dir.join(CA))?,
        &read(&dir.join(CA_KEY))?,
    )?)
}

fn read(file: &Path) -> Result<String, IdentitiesError> {
    std::fs::read_to_string(file).map_err(|source| IdentitiesError::Read {
        file: file.to_owned(),
        source,
    })
}

fn write_pair(dir: &Path, name: &str, pair: &CertificatePair) -> Result<(), IdentitiesError> {
    write_new(&dir.join(format!("{name}.pem")), &pair.certificate, false)?;
    write_new(&dir.join(format!("{name}.key")), &pair.private_key, true)
}

fn write_new(file: &Path, text: &str, private: bool) -> Result<(), IdentitiesError> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, if private { 0o600 } else { 0o644 });
    options
        .open(file)
        .and_then(|mut out| {
            out.write_all(text.as_bytes())?;
            out.sync_all()
        })
        .map_err(|source| IdentitiesError::Write {
            file: file.to_owned(),
            source,
        })
}

/// Writes beside the file and takes its place, so that a service reading it meanwhile gets the old or the new one whole.
fn replace(file: &Path, text: &str, private: bool) -> Result<(), IdentitiesError> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    // Left there by a command that was stopped.
    drop(std::fs::remove_file(&beside));
    write_new(&beside, text, private)?;
    std::fs::rename(&beside, file).map_err(|source| IdentitiesError::Write {
        file: file.to_owned(),
        source,
    })
}
