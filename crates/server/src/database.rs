use std::io::Read as _;
use std::path::{Path, PathBuf};

use corridor_store::{DatabaseOptions, DatabaseUrlError, StoreOptions};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::config::Config;

/// Where the URL of a PostgreSQL database is read from. It holds a password, so it does not stand here itself. SQLite in the data
/// folder when neither is said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseConfig {
    /// A file with the URL, which its owner alone may read.
    pub url_file: Option<PathBuf>,
    /// The environment variable with the URL.
    pub url_env: Option<String>,
}

/// Why there is no database to go to. Says nothing of the URL.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseConfigError {
    /// The environment variable is not there.
    #[error("database.url_env: there is no environment variable {0}, or it is not text")]
    Environment(String),
    /// Others may read the file.
    #[error("database.url_file: others than its owner may read {0}; run chmod 600 on it")]
    Mode(String),
    /// The file cannot be read.
    #[error("database.url_file: cannot read {file}")]
    Read {
        /// The file.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// The URL cannot be.
    #[error("{key}: {problem}")]
    Url {
        /// Where it came from.
        key: &'static str,
        /// What is wrong.
        problem: DatabaseUrlError,
    },
}

impl Config {
    /// Where the state of the service is, with the URL of its database read from where the settings say.
    ///
    /// # Errors
    /// When the URL cannot be read, others may read its file, or it is none of a database that may be used.
    pub fn to_store_options(&self) -> Result<StoreOptions, DatabaseConfigError> {
        Ok(StoreOptions {
            folder: self.data_folder.clone(),
            database: self.database.to_options()?,
        })
    }
}

impl DatabaseConfig {
    fn to_options(&self) -> Result<DatabaseOptions, DatabaseConfigError> {
        let (key, text) = if let Some(path) = &self.url_file {
            ("database.url_file", read_private(path)?)
        } else if let Some(name) = &self.url_env {
            #[expect(clippy::disallowed_methods, reason = "a setting that names where a secret is")]
            let text = std::env::var(name).map_err(|_| DatabaseConfigError::Environment(name.clone()))?;
            ("database.url_env", Zeroizing::new(text))
        } else {
            return Ok(DatabaseOptions::Sqlite);
        };
        let url = text
            .parse()
            .map_err(|problem| DatabaseConfigError::Url { key, problem })?;
        Ok(DatabaseOptions::Postgres { url })
    }
}

/// A file its owner alone may read.
fn read_private(path: &Path) -> Result<Zeroizing<String>, DatabaseConfigError> {
    let file = path.display().to_string();
    let fail = |source| DatabaseConfigError::Read {
        file: file.clone(),
        source,
    };
    let mut opened = std::fs::File::open(path).map_err(fail)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        if opened.metadata().map_err(fail)?.permissions().mode() & 0o077 != 0 {
            return Err(DatabaseConfigError::Mode(file));
        }
    }
    let mut text = Zeroizing::new(String::new());
    opened.read_to_string(&mut text).map_err(fail)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_of_a_database_is_read_from_a_private_file_or_the_environment_and_never_shown() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("database.url");
        let with_file = DatabaseConfig {
            url_file: Some(path.clone()),
            url_env: None,
        };
        let write = |text: &str, mode| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        let missing = with_file.to_options().unwrap_err().to_string();
        assert!(missing.contains("cannot read"), "{missing}");
        write("postgres://u:secret@localhost/d\n", 0o640);
        let open = with_file.to_options().unwrap_err().to_string();
        assert!(open.contains("chmod 600"), "{open}");
        write("postgres://u:secret@localhost/d\n", 0o600);
        let options = with_file.to_options().unwrap();
        assert!(matches!(options, DatabaseOptions::Postgres { .. }));
        write("postgres://u:secret@far.example/d", 0o600);
        let far = with_file.to_options().unwrap_err();
        assert!(far.to_string().contains("sslmode=verify-full"), "{far}");
        // A variable every process of cargo has.
        let with_env = |name: &str| DatabaseConfig {
            url_file: None,
            url_env: Some(name.to_owned()),
        };
        let path = with_env("CARGO_PKG_NAME").to_options().unwrap_err();
        let none = with_env("NO_SUCH_NAME").to_options().unwrap_err();
        assert!(none.to_string().contains("NO_SUCH_NAME"), "{none}");
        assert!(!path.to_string().contains("corridor-server"), "{path}");
        let shown = format!("{options:?} {far} {far:?} {open} {with_file:?}");
        assert!(!shown.contains("secret"), "{shown}");
        let neither = DatabaseConfig::default().to_options().unwrap();
        assert!(matches!(neither, DatabaseOptions::Sqlite));
    }
}
