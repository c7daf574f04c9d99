//! Where bulk data and the master key are, as the settings say.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use corridor_engine::{BulkOptions, EncryptionOptions, MasterKey, MasterKeyError, S3Options};
use secrecy::SecretString;
use serde::Deserialize;

/// Where datasets and results are kept; in the data folder when nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BulkConfig {
    /// In a bucket instead.
    pub s3: Option<S3Config>,
}

/// A bucket of a service that speaks S3.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3Config {
    /// Address of the service.
    pub endpoint: String,
    /// The bucket, which is there already.
    pub bucket: String,
    /// Its region.
    pub region: String,
    /// What the name of every object begins with; nothing when not said.
    #[serde(default)]
    pub prefix: String,
    /// File (TOML) with access_key_id and secret_access_key; when not said, they are taken from the environment as
    /// AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
    pub credentials_file: Option<PathBuf>,
}

/// Where the master key is; in the file `master.key` of the data folder when nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EncryptionConfig {
    /// A file with 64 hexadecimal digits that only its owner can read.
    pub key_file: Option<PathBuf>,
    /// A variable of the environment with 64 hexadecimal digits.
    pub key_env: Option<String>,
    /// A command, with its arguments, that wraps and unwraps.
    pub key_command: Option<Vec<String>>,
}

/// Secrets that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// A variable that is not there.
    #[error("the environment has no {variable}, which {key} asks for")]
    Environment {
        /// The variable.
        variable: String,
        /// What asks for it.
        key: &'static str,
    },
    /// A file that cannot be used.
    #[error("bulk.s3.credentials_file {file}: {problem}")]
    File {
        /// The file.
        file: String,
        /// What is wrong.
        problem: String,
    },
    /// The master key.
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
}

#[expect(clippy::disallowed_methods, reason = "settings are read here and in config")]
fn from_environment(variable: &str, key: &'static str) -> Result<SecretString, SecretsError> {
    std::env::var(variable)
        .map(SecretString::from)
        .map_err(|_| SecretsError::Environment {
            variable: variable.to_owned(),
            key,
        })
}

impl BulkConfig {
    pub(crate) fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        self.s3.iter_mut().filter_map(|s3| s3.credentials_file.as_mut())
    }

    /// With the credentials.
    ///
    /// # Errors
    /// When they cannot be had.
    pub fn to_options(&self) -> Result<BulkOptions, SecretsError> {
        let Some(s3) = &self.s3 else {
            return Ok(BulkOptions::Folder);
        };
        let credentials = match &s3.credentials_file {
            Some(file) => Credentials::read(file)?,
            None => Credentials {
                access_key_id: from_environment("AWS_ACCESS_KEY_ID", "bulk.s3")?,
                secret_access_key: from_environment("AWS_SECRET_ACCESS_KEY", "bulk.s3")?,
            },
        };
        Ok(BulkOptions::S3(S3Options {
            endpoint: s3.endpoint.clone(),
            bucket: s3.bucket.clone(),
            region: s3.region.clone(),
            prefix: s3.prefix.clone(),
            access_key_id: credentials.access_key_id,
            secret_access_key: credentials.secret_access_key,
        }))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Credentials {
    access_key_id: SecretString,
    secret_access_key: SecretString,
}

impl Credentials {
    fn read(file: &Path) -> Result<Self, SecretsError> {
        let fail = |problem: &str| SecretsError::File {
            file: file.display().to_string(),
            problem: problem.to_owned(),
        };
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(file)
                .map_err(|error| fail(&error.to_string()))?
                .permissions()
                .mode();
            if mode & 0o077 != 0 {
                return Err(fail("it can be read by others; chmod 600 it"));
            }
        }
        let text = std::fs::read_to_string(file)
            .map(zeroize::Zeroizing::new)
            .map_err(|error| fail(&error.to_string()))?;
        // What toml says of a mistake shows the line, and with it the secret.
        toml::from_str(&text)
            .map_err(|_| fail("it must hold access_key_id and secret_access_key, and nothing else"))
    }
}

impl EncryptionConfig {
    pub(crate) fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        self.key_file.iter_mut()
    }

    /// Whether at most one place is named.
    pub(crate) fn is_sound(&self) -> bool {
        let named = [
            self.key_file.is_some(),
            self.key_env.is_some(),
            self.key_command.is_some(),
        ];
        named.into_iter().filter(|is_named| *is_named).count() <= 1
    }

    /// With the master key.
    ///
    /// # Errors
    /// When it cannot be had.
    pub fn to_options(&self) -> Result<EncryptionOptions, SecretsError> {
        use secrecy::ExposeSecret as _;
        let master_key = if let Some(file) = &self.key_file {
            Some(MasterKey::from_file(file)?)
        } else if let Some(variable) = &self.key_env {
            let text = from_environment(variable, "encryption.key_env")?;
            Some(MasterKey::from_hex(text.expose_secret(), variable)?)
        } else if let Some(command) = &self.key_command {
            Some(MasterKey::from_command(command.clone())?)
        } else {
            None
        };
        Ok(EncryptionOptions {
            master_key: master_key.map(Arc::new),
        })
    }

    /// The master key itself, which is in the data folder when nothing else is said.
    ///
    /// # Errors
    /// When it cannot be had.
    pub fn to_master_key(&self, data_folder: &Path) -> Result<Arc<MasterKey>, SecretsError> {
        match self.to_options()?.master_key {
            Some(key) => Ok(key),
            None => Ok(Arc::new(MasterKey::from_file(&data_folder.join("master.key"))?)),
        }
    }
}
