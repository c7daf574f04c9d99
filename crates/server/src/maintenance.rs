//! What an operator does while the service is stopped.

use std::fmt::Write as _;

use corridor_core::audit::AuditStamp;
use corridor_core::{Clock as _, DatasetState, OsEntropy, SignedCertificate, SystemClock};
use corridor_engine::{Engine, EngineError, Garbage, Store, StoreError};
use corridor_store::StoreOptions;

use crate::config::Config;
use crate::database::DatabaseConfigError;
use crate::storage::SecretsError;

/// Why it could not be done.
#[derive(Debug, thiserror::Error)]
pub enum MaintenanceError {
    /// No new master key is named.
    #[error(
        "name the new master key under [encryption] of the settings, and give the settings as they were with --from"
    )]
    NoNewKey,
    /// A certificate of another service.
    #[error(
        "a certificate is not signed by the key of this service (certificate.key); nothing was purged: put that key back from its copy"
    )]
    OtherSigner,
    /// The settings of the database, credentials or a master key.
    #[error(transparent)]
    Settings(#[from] DatabaseConfigError),
    /// The former master key.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Wraps every data key under the master key the settings name; `former` are the settings with the former one. Gives how many were
/// wrapped anew.
///
/// # Errors
/// When a master key cannot be had, or a data key is wrapped under neither; then all stay as they were.
pub async fn rotate_key(config: &Config, former: &Config) -> Result<u64, MaintenanceError> {
    let former_key = former.encryption.to_master_key(&former.data_folder)?;
    if config.encryption == crate::storage::EncryptionConfig::default() {
        return Err(MaintenanceError::NoNewKey);
    }
    let store = Store::open_as_is(&config.to_store_options()?).await?;
    let stamp = AuditStamp::new(None, SystemClock.now(), &mut OsEntropy::default());
    let count = store.rewrap_keys(&former_key, &stamp).await;
    store.close().await;
    Ok(count?)
}

/// Purges the datasets that certificates say were purged. Gives of how many there was something.
///
/// # Errors
/// When a certificate is not signed by the key of this service, before anything is purged, or the store fails.
pub async fn purge_again(
    options: &StoreOptions,
    certificates: &[SignedCertificate],
) -> Result<usize, MaintenanceError> {
    let store = Store::open_with(options).await?;
    let key = store.certificate_key();
    if certificates
        .iter()
        .any(|certificate| certificate.signing_key() != key)
    {
        return Err(MaintenanceError::OtherSigner);
    }
    let mut count = 0;
    for certificate in certificates {
        let certificate = certificate.certificate();
        let is_there = store
            .dataset(certificate.dataset)
            .await?
            .is_some_and(|dataset| dataset.state != DatasetState::Purged);
        if is_there {
            let stamp = AuditStamp::new(None, SystemClock.now(), &mut OsEntropy::default());
            store
                .certify_purge(certificate.dataset, certificate.reason, &stamp)
                .await?;
            store.remove_purged(certificate.dataset).await?;
            count += 1;
        }
    }
    store.close().await;
    Ok(count)
}

/// Says what can go, a line for each, and removes it when asked to: datasets whose retention is over, and stored bytes that nothing
/// answers for.
///
/// # Errors
/// When the store fails.
pub async fn collect_garbage(engine: &Engine, apply: bool) -> Result<String, EngineError> {
    let garbage = engine.garbage().await?;
    if apply {
        engine.remove_garbage(&garbage).await?;
    }
    Ok(describe(&garbage, apply))
}

fn describe(garbage: &Garbage, applied: bool) -> String {
    let would = if applied { "" } else { "would be " };
    let mut page = String::new();
    let mut line = |words: std::fmt::Arguments<'_>| {
        writeln!(page, "{words}").expect("a string takes everything");
    };
    for deadline in &garbage.due {
        line(format_args!(
            "dataset {} {would}purged: its retention was over at {}",
            deadline.dataset, deadline.purge_at
        ));
    }
    for orphan in &garbage.orphans {
        line(format_args!("{orphan} {would}removed: nothing answers for it"));
    }
    if *garbage == Garbage::default() {
        line(format_args!("nothing can go"));
    } else if !applied {
        line(format_args!("nothing was removed; run it again with --apply"));
    }
    page
}
