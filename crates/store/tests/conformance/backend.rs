use corridor_store::{DatabaseOptions, Store, StoreOptions};
use corridor_testkit::PostgresDatabase;
use sqlx::{AnyConnection, Connection as _};
use tempfile::TempDir;

/// A place for a store of one test.
#[derive(Debug)]
pub(crate) struct Backend {
    folder: TempDir,
    postgres: Option<PostgresDatabase>,
}

impl Backend {
    pub(crate) fn sqlite() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            postgres: None,
        }
    }

    pub(crate) fn postgres() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            postgres: Some(PostgresDatabase::create()),
        }
    }

    pub(crate) fn options(&self) -> StoreOptions {
        StoreOptions {
            folder: self.folder.path().to_owned(),
            database: match &self.postgres {
                Some(database) => DatabaseOptions::Postgres {
                    url: database.url().parse().unwrap(),
                },
                None => DatabaseOptions::Sqlite,
            },
        }
    }

    pub(crate) async fn open(&self) -> Store {
        Store::open_with(&self.options()).await.unwrap()
    }

    /// The PostgreSQL database, when it is one.
    pub(crate) const fn as_postgres(&self) -> Option<&PostgresDatabase> {
        self.postgres.as_ref()
    }

    /// A connection beside the store's.
    pub(crate) async fn connect(&self) -> AnyConnection {
        sqlx::any::install_default_drivers();
        let url = match &self.postgres {
            Some(database) => database.url(),
            None => format!(
                "sqlite://{}?mode=rwc",
                self.folder.path().join("corridor.sqlite").display()
            ),
        };
        AnyConnection::connect(&url).await.unwrap()
    }
}
