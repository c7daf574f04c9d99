//! Databases of every earlier program are brought up to date with all that is in them; those of a later one are left alone.
//!
//! `fixtures/NNNN.sql` is what a database held at that step of the schema. When a migration is added, `CORRIDOR_WRITE_FIXTURES=1
//! cargo test -p corridor-store --test conformance migrations` writes the one that is missing, and the digests; none is ever
//! changed again.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use corridor_core::{Digest, RunState, Side};
use corridor_store::{RunChange, Store, StoreError};
use sqlx::migrate::Migrator;
use sqlx::{AnyConnection, Executor as _, Row as _, ValueRef as _};

use crate::backend::Backend;
use crate::samples::{agreement, claim, release, sealed, signature, stamp};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/fixtures")
}

fn migrator(backend: &Backend) -> Migrator {
    if backend.as_postgres().is_some() {
        sqlx::migrate!("migrations/postgres")
    } else {
        sqlx::migrate!("migrations/sqlite")
    }
}

fn versions(backend: &Backend) -> Vec<i64> {
    migrator(backend)
        .iter()
        .map(|migration| migration.version)
        .collect()
}

fn fixture_path(version: i64) -> PathBuf {
    folder().join(format!("{version:04}.sql"))
}

/// What a database held at a step. Bytes stand in it as SQLite writes them.
fn fixture(version: i64, backend: &Backend) -> Vec<String> {
    let path = fixture_path(version);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|_| panic!("migration {version} has no fixture {}", path.display()));
    let text = if backend.as_postgres().is_some() {
        text.replace("X'", "'\\x")
    } else {
        text
    };
    text.lines()
        .filter(|line| !line.starts_with("--"))
        .map(str::to_owned)
        .collect()
}

/// A database as the program of that step left it.
async fn of_step(backend: &Backend, version: i64) -> AnyConnection {
    let mut connection = backend.connect().await;
    migrator(backend).run_to(version, &mut connection).await.unwrap();
    for statement in fixture(version, backend) {
        connection.execute(sqlx::AssertSqlSafe(statement)).await.unwrap();
    }
    connection
}

/// The step from which on nothing of a dataset or result is in the database that is not encrypted.
const ENCRYPTED: i64 = 7;

/// An INSERT as a condition on a table: name of the table, and columns with their values.
fn to_condition(statement: &str) -> Option<(&str, String)> {
    let rest = statement.strip_prefix("INSERT INTO ")?;
    let (table, rest) = rest.split_once(" (")?;
    let (columns, values) = rest.split_once(") VALUES (")?;
    let values = values.strip_suffix(");")?;
    let conditions: Vec<String> = columns
        .split(", ")
        .zip(split_values(values))
        // It was not encrypted, and is read from the bulk store.
        .filter(|(column, _)| *column != "flow_table")
        .map(|(column, value)| {
            if value == "NULL" {
                format!("{column} IS NULL")
            } else {
                format!("{column} = {value}")
            }
        })
        .collect();
    Some((table, conditions.join(" AND ")))
}

/// Literals of a list, which may have commas in quotes.
fn split_values(values: &str) -> Vec<&str> {
    let (mut found, mut start, mut is_quoted) = (Vec::new(), 0, false);
    for (place, byte) in values.bytes().enumerate() {
        match byte {
            b'\'' => is_quoted = !is_quoted,
            b',' if !is_quoted => {
                found.push(values[start..place].trim());
                start = place + 1;
            }
            _ => {}
        }
    }
    found.push(values[start..].trim());
    found
}

#[tokio::test]
async fn every_earlier_database_is_brought_up_to_date_with_its_content() {
    for version in versions(&Backend::sqlite()) {
        for backend in [Backend::sqlite(), Backend::postgres()] {
            drop(of_step(&backend, version).await);
            let opened = Store::open_with(&backend.options()).await;
            let mut connection = backend.connect().await;
            let mut rows = 0;
            for statement in fixture(version, &backend) {
                let Some((table, condition)) = to_condition(&statement) else {
                    continue;
                };
                // Whoever held them is dead when a program is replaced. What was not encrypted is forgotten.
                if table == "leases" || (table == "gate_reports" && version < ENCRYPTED) {
                    continue;
                }
                let found: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
                    "SELECT count(*) FROM {table} WHERE {condition}"
                )))
                .fetch_one(&mut connection)
                .await
                .unwrap();
                assert_eq!(found, 1, "schema {version}: {statement}");
                rows += 1;
            }
            assert!(rows >= 20, "schema {version}: {rows} rows are looked for");
            // Before the third step bytes were not encrypted: the database keeps what it says of them, and they are not used.
            if version < 3 {
                assert!(
                    matches!(opened, Err(StoreError::NotEncrypted)),
                    "schema {version}"
                );
                continue;
            }
            // And the program can make sense of it.
            let store = opened.unwrap();
            let signed = store.agreement(agreement(1).digest()).await.unwrap().unwrap();
            assert!(signed.is_in_force());
            let runs = store.runs_of(agreement(1).digest()).await.unwrap();
            assert_eq!(runs[0].state, RunState::Released);
            assert_eq!((runs[0].tiles_done, runs[0].tiles_total), (2, 2));
            assert_eq!(runs[0].released_by, [Side::Origin, Side::Destination]);
            let (taken, _) = claim(&store).await;
            assert_eq!(
                (taken.state, taken.tiles_done, taken.tiles_total),
                (RunState::Queued, 1, 3)
            );
            store.close().await;
        }
    }
}

async fn a_database_of_a_newer_program_is_left_alone(backend: Backend) {
    let store = backend.open().await;
    store.insert_agreement(&agreement(1), &stamp()).await.unwrap();
    store.close().await;
    let mut connection = backend.connect().await;
    let (truth, bytes) = if backend.as_postgres().is_some() {
        ("TRUE", "'\\x00'")
    } else {
        ("1", "X'00'")
    };
    let newer = format!(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'later', {truth}, {bytes}, 0)"
    );
    connection.execute(sqlx::AssertSqlSafe(newer)).await.unwrap();
    let error = Store::open_with(&backend.options()).await.unwrap_err();
    assert!(
        matches!(error, StoreError::SchemaNewer { found: 9999, .. }),
        "{error}"
    );
    let text = error.to_string();
    assert!(text.contains("newer program") && text.contains("9999"), "{text}");
    connection
        .execute("DELETE FROM _sqlx_migrations WHERE version = 9999")
        .await
        .unwrap();
    let altered = format!("UPDATE _sqlx_migrations SET checksum = {bytes} WHERE version = 1");
    connection.execute(sqlx::AssertSqlSafe(altered)).await.unwrap();
    let error = Store::open_with(&backend.options()).await.unwrap_err();
    assert!(
        matches!(error, StoreError::SchemaAltered { version: 1 }),
        "{error}"
    );
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM agreements")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(count, 1);
}

/// `sha256  DATABASE/NNNN_name.sql`, one a line.
fn digests() -> String {
    let mut text = String::new();
    for database in ["postgres", "sqlite"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("migrations")
            .join(database);
        let mut names: Vec<_> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        for name in names {
            let bytes = std::fs::read(folder.join(&name)).unwrap();
            writeln!(text, "{}  {database}/{name}", Digest::of(&bytes)).unwrap();
        }
    }
    text
}

#[expect(
    clippy::disallowed_methods,
    reason = "how a person asks a test to write what it compares with"
)]
fn is_to_write() -> bool {
    std::env::var("CORRIDOR_WRITE_FIXTURES").is_ok()
}

#[tokio::test]
async fn migrations_are_never_edited_and_each_has_a_fixture() {
    let path = folder().join("migrations.sha256");
    let noted = std::fs::read_to_string(&path).unwrap_or_default();
    let now = digests();
    for line in noted.lines() {
        assert!(
            now.lines().any(|there| there == line),
            "a migration that was written down was edited or removed: {line}; add a new one instead"
        );
    }
    if is_to_write() {
        std::fs::create_dir_all(folder()).unwrap();
        std::fs::write(&path, &now).unwrap();
        for version in versions(&Backend::sqlite()) {
            if !fixture_path(version).exists() {
                write_fixture(version).await;
            }
        }
    }
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        now,
        "a migration was added; see the head of this file"
    );
    let [sqlite, postgres] = [Backend::sqlite(), Backend::postgres()].map(|backend| versions(&backend));
    assert_eq!(sqlite, postgres, "each step is there for both databases");
    for version in sqlite {
        assert!(
            fixture_path(version).exists(),
            "migration {version} has no fixture; see the head of this file"
        );
    }
}

/// Writes what a database holds at a step: of what this program stores, the tables and columns there were.
async fn write_fixture(version: i64) {
    let (newest, then) = (Backend::sqlite(), Backend::sqlite());
    let store = newest.open().await;
    populate(&store).await;
    store.close().await;
    let (mut newest, mut then) = (newest.connect().await, then.connect().await);
    migrator(&Backend::sqlite())
        .run_to(version, &mut then)
        .await
        .unwrap();
    let mut text = format!("-- A database at step {version} of the schema.\n");
    let tables = sqlx::query(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'
         AND name NOT IN ('_sqlx_migrations', 'audit_head', 'probe', 'service') ORDER BY rowid",
    )
    .fetch_all(&mut then)
    .await
    .unwrap();
    for table in tables {
        let table: String = table.get(0);
        let columns = sqlx::query("SELECT name FROM pragma_table_info($1)")
            .bind(&table)
            .fetch_all(&mut then)
            .await
            .unwrap();
        let columns: Vec<String> = columns.iter().map(|column| column.get(0)).collect();
        let columns = columns.join(", ");
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {columns} FROM {table} ORDER BY {columns}"
        )))
        .fetch_all(&mut newest)
        .await
        .unwrap();
        for row in rows {
            // Entries are only taken at the next place.
            if table == "audit_entries" {
                text += "UPDATE audit_head SET size = size + 1;\n";
            }
            let values: Vec<String> = (0..row.len()).map(|index| to_literal(&row, index)).collect();
            writeln!(
                text,
                "INSERT INTO {table} ({columns}) VALUES ({});",
                values.join(", ")
            )
            .unwrap();
        }
    }
    std::fs::create_dir_all(folder()).unwrap();
    std::fs::write(fixture_path(version), text).unwrap();
}

fn to_literal(row: &sqlx::any::AnyRow, index: usize) -> String {
    if row.try_get_raw(index).unwrap().is_null() {
        return "NULL".to_owned();
    }
    if let Ok(number) = row.try_get::<i64, _>(index) {
        return number.to_string();
    }
    if let Ok(text) = row.try_get::<String, _>(index) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let bytes: Vec<u8> = row.get(index);
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("X'{hex}'")
}

/// One run that was released, and one in the middle.
async fn populate(store: &Store) {
    for (seed, tiles_total) in [(1, 2), (2, 3)] {
        let run = sealed(store, seed).await;
        store.enqueue_run(&run, &stamp()).await.unwrap();
        let (_, lease) = claim(store).await;
        store
            .change_run(&lease, RunChange::Started { tiles_total }, &stamp())
            .await
            .unwrap();
        store.acknowledge_tile(&lease, 0, 5).await.unwrap();
        if seed == 1 {
            store.acknowledge_tile(&lease, 1, 6).await.unwrap();
            store
                .change_run(&lease, RunChange::Linked, &stamp())
                .await
                .unwrap();
            let result = Digest::of(b"result");
            store
                .change_run(
                    &lease,
                    RunChange::Reconciled {
                        result,
                        manifest: b"a manifest".to_vec(),
                    },
                    &stamp(),
                )
                .await
                .unwrap();
            for side in [Side::Origin, Side::Destination] {
                store
                    .release_run(run.id, &release(side, signature(9)), &stamp())
                    .await
                    .unwrap();
            }
        }
    }
}

crate::on_both!(a_database_of_a_newer_program_is_left_alone);
