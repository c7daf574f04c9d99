use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::any::AnyConnectOptions;

/// Where the state of a service is.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// Folder of the bulk data, and of the database when that is SQLite. Made when it is not there.
    pub folder: PathBuf,
    /// The metadata.
    pub database: DatabaseOptions,
}

impl StoreOptions {
    /// Everything in one folder.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            database: DatabaseOptions::Sqlite,
        }
    }
}

/// Where the metadata is.
#[derive(Debug, Clone, Default)]
pub enum DatabaseOptions {
    /// In a PostgreSQL database, which two services may share.
    Postgres {
        /// Where it is.
        url: DatabaseUrl,
    },
    /// In a SQLite file in the folder, of which one service at a time may make use.
    #[default]
    Sqlite,
}

/// Where a PostgreSQL database is: `postgres://user:password@host/database?sslmode=verify-full`. It may hold a password and is
/// shown nowhere.
#[derive(Clone)]
pub struct DatabaseUrl(SecretString);

/// Why a text is no URL of a database this program goes to. Says nothing of the text but the name of a parameter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseUrlError {
    /// Not a URL at all, or of something else.
    #[error("the database's URL must be of the form postgres://user:password@host/database")]
    Form,
    /// A parameter nobody reads, or read wrongly spelt.
    #[error(
        "the database's URL has a parameter {0}, which is not one of host, port, dbname, user, password, sslmode, sslrootcert, sslcert, sslkey"
    )]
    Parameter(String),
    /// Over a network, to a server that is not proved to be the right one.
    #[error(
        "the database is on another machine: its URL must say sslmode=verify-full (or verify-ca), so that nobody else can take its place"
    )]
    Unverified,
}

/// Parameters this program passes on.
const PARAMETERS: [&str; 9] = [
    "host",
    "port",
    "dbname",
    "user",
    "password",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
];

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    fn from_str(text: &str) -> Result<Self, DatabaseUrlError> {
        let text = text.trim();
        // What the driver says of a wrong URL may quote it.
        let options: AnyConnectOptions = text.parse().map_err(|_| DatabaseUrlError::Form)?;
        let url = &options.database_url;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(DatabaseUrlError::Form);
        }
        let mut hosts: Vec<String> = url.host_str().map(str::to_owned).into_iter().collect();
        let mut is_verified = false;
        for (key, value) in url.query_pairs() {
            if !PARAMETERS.contains(&&*key) {
                return Err(DatabaseUrlError::Parameter(key.into_owned()));
            }
            match &*key {
                // The last one is the one the driver uses.
                "host" => hosts = vec![value.into_owned()],
                "sslmode" => is_verified = matches!(&*value, "verify-ca" | "verify-full"),
                _ => {}
            }
        }
        let is_near = |host: &String| {
            let host = host.trim_start_matches('[').trim_end_matches(']');
            let is_loopback = host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
            // A folder is that of a socket; in the place of a host its slashes are written as %2F.
            host.starts_with('/')
                || host.to_ascii_uppercase().starts_with("%2F")
                || host == "localhost"
                || is_loopback
        };
        if !is_verified && !hosts.iter().all(is_near) {
            return Err(DatabaseUrlError::Unverified);
        }
        Ok(Self(text.to_owned().into()))
    }
}

impl DatabaseUrl {
    /// For the driver and nobody else.
    pub(crate) fn to_options(&self) -> Result<AnyConnectOptions, DatabaseUrlError> {
        self.0.expose_secret().parse().map_err(|_| DatabaseUrlError::Form)
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseUrl(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_of_another_machine_must_prove_it_and_no_message_quotes_one() {
        let parse = |text: &str| text.parse::<DatabaseUrl>().map(drop);
        for near in [
            "postgres://u:secret@localhost/d",
            "postgresql://u:secret@127.0.0.1:5433/d",
            "postgres://u:secret@[::1]/d",
            "postgres://u:secret@%2Frun%2Fpostgresql/d",
            "postgres://u:secret@localhost/d?host=/run/postgresql",
            "postgres://u:secret@db.example/d?sslmode=verify-full",
        ] {
            assert_eq!(parse(near), Ok(()), "{near}");
        }
        for (text, expected) in [
            ("secret", DatabaseUrlError::Form),
            ("sqlite://secret", DatabaseUrlError::Form),
            ("postgres://u:secret@db.example/d", DatabaseUrlError::Unverified),
            (
                "postgres://u:secret@db.example/d?sslmode=require",
                DatabaseUrlError::Unverified,
            ),
            (
                "postgres://u:secret@localhost/d?host=db.example",
                DatabaseUrlError::Unverified,
            ),
            (
                "postgres://u@localhost/d?pasword=secret",
                DatabaseUrlError::Parameter("pasword".to_owned()),
            ),
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(error, expected, "{text}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        let url: DatabaseUrl = "postgres://u:secret@localhost/d".parse().unwrap();
        assert!(!format!("{url:?}").contains("secret"));
    }
}
