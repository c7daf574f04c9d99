use data_encoding::BASE64;
use futures::TryStreamExt as _;
use serde_json::{Map, Number, Value};
use sqlx::any::{AnyArguments, AnyRow, AnyTypeInfoKind};
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, Column as _, Row as _, ValueRef as _};

use crate::StoreError;
use crate::database::{InTransaction as _, TxResult};

/// A table as a backup has it: one row a line, as JSON, with bytes as `{"base64": …}`. No word of it says which database it was.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// Its rows in an order that is always the same, and in which they can be put back.
    select: &'static str,
    /// What is to be done before each row is put back.
    before_row: Option<&'static str>,
}

const fn table(name: &'static str, select: &'static str) -> Table {
    Table {
        name,
        select,
        before_row: None,
    }
}

/// What a backup holds, each table behind those it refers to. Uploads under way are left out: their bytes are still being written,
/// and an office begins such an upload again.
pub(crate) const TABLES: &[Table] = &[
    table("agreements", "SELECT * FROM agreements ORDER BY digest"),
    table(
        "datasets",
        "SELECT * FROM datasets WHERE state <> 'receiving' OR purged_at IS NOT NULL ORDER BY id",
    ),
    table(
        "frames",
        "SELECT * FROM frames WHERE dataset IN (SELECT id FROM datasets WHERE state <> 'receiving')
         ORDER BY dataset, sequence",
    ),
    table("gate_reports", "SELECT * FROM gate_reports ORDER BY dataset"),
    table("runs", "SELECT * FROM runs ORDER BY id"),
    table("tiles", "SELECT * FROM tiles ORDER BY run, tile"),
    // As wrapped under the master key, which is not in the backup.
    table(
        "data_keys",
        "SELECT * FROM data_keys WHERE purpose <> 'dataset' OR owner IN (SELECT id FROM datasets WHERE state <> 'receiving')
         ORDER BY id",
    ),
    table(
        "deletion_certificates",
        "SELECT * FROM deletion_certificates WHERE dataset IN (SELECT id FROM datasets WHERE state <> 'receiving' OR purged_at IS NOT NULL)
         ORDER BY dataset",
    ),
    Table {
        name: "audit_entries",
        select: "SELECT * FROM audit_entries ORDER BY sequence",
        // Entries are only taken at the next place.
        before_row: Some("UPDATE audit_head SET size = size + 1 WHERE id = 1"),
    },
    table(
        "audit_checkpoints",
        "SELECT * FROM audit_checkpoints ORDER BY size",
    ),
    table("disclosures", "SELECT * FROM disclosures ORDER BY sequence"),
    table("released_tables", "SELECT * FROM released_tables ORDER BY run"),
    table("run_manifests", "SELECT * FROM run_manifests ORDER BY run"),
];

/// What a backup does not hold, and why.
pub const NOT_IN_BACKUP: &[(&str, &str)] = &[
    ("audit_head", "grows with the entries"),
    ("_sqlx_migrations", "made with the schema"),
    ("leases", "nobody works on a service that is restored"),
    ("probe", "of one installation"),
    ("service", "of one installation"),
    ("unfinished_purges", "of one installation"),
    ("turns", "nobody waits on a service that is restored"),
];

impl Table {
    /// Gives each row to `each`, as a line.
    pub(crate) async fn read(
        &self,
        tx: &mut AnyConnection,
        mut each: impl FnMut(&[u8]) -> TxResult<()>,
    ) -> TxResult<u64> {
        let mut rows = sqlx::query(self.select).fetch(tx);
        let mut count = 0;
        while let Some(row) = rows.try_next().await.in_tx("backup")? {
            let mut line = serde_json::to_vec(&to_json(&row)?).expect("JSON of texts and numbers");
            line.push(b'\n');
            each(&line)?;
            count += 1;
        }
        Ok(count)
    }

    /// Puts a row back.
    pub(crate) async fn write(&self, tx: &mut AnyConnection, line: &[u8]) -> TxResult<()> {
        const NAME: &str = "restore";
        let row: Map<String, Value> = serde_json::from_slice(line).map_err(|_| corrupt())?;
        if let Some(statement) = self.before_row {
            sqlx::query(statement).execute(&mut *tx).await.in_tx(NAME)?;
        }
        // Column names go into the statement: nothing but a name may.
        let is_name = |name: &String| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        if row.is_empty() || !row.keys().all(is_name) {
            return Err(corrupt());
        }
        let mut places = Vec::new();
        let mut bound = 0;
        for value in row.values() {
            // A NULL in the statement has the type of its column, a bound one has one of its own.
            places.push(if value.is_null() {
                "NULL".to_owned()
            } else {
                bound += 1;
                format!("${bound}")
            });
        }
        let columns: Vec<&str> = row.keys().map(String::as_str).collect();
        let statement = format!(
            "INSERT INTO {} ({}) VALUES ({})",
            self.name,
            columns.join(", "),
            places.join(", ")
        );
        let mut query = sqlx::query(sqlx::AssertSqlSafe(statement));
        for value in row.into_iter().map(|(_, value)| value) {
            query = bind(query, value)?;
        }
        query.execute(tx).await.in_tx(NAME).map(drop)
    }
}

type AnyQuery<'q> = Query<'q, Any, AnyArguments>;

fn bind(query: AnyQuery<'_>, value: Value) -> TxResult<AnyQuery<'_>> {
    Ok(match value {
        Value::Null => query,
        Value::Number(number) => query.bind(number.as_i64().ok_or_else(corrupt)?),
        Value::String(text) => query.bind(text),
        Value::Object(mut object) => {
            let encoded = object.remove("base64").ok_or_else(corrupt)?;
            let encoded = encoded.as_str().ok_or_else(corrupt)?;
            query.bind(BASE64.decode(encoded.as_bytes()).map_err(|_| corrupt())?)
        }
        Value::Array(_) | Value::Bool(_) => return Err(corrupt()),
    })
}

fn to_json(row: &AnyRow) -> TxResult<Map<String, Value>> {
    let mut object = Map::new();
    for column in row.columns() {
        let index = column.ordinal();
        let raw = row.try_get_raw(index).in_tx("backup")?;
        let value = if raw.is_null() {
            Value::Null
        } else {
            match raw.type_info().kind() {
                AnyTypeInfoKind::SmallInt | AnyTypeInfoKind::Integer | AnyTypeInfoKind::BigInt => {
                    Value::Number(Number::from(row.try_get::<i64, _>(index).in_tx("backup")?))
                }
                AnyTypeInfoKind::Text => Value::String(row.try_get(index).in_tx("backup")?),
                AnyTypeInfoKind::Blob => {
                    let bytes: Vec<u8> = row.try_get(index).in_tx("backup")?;
                    Value::Object(Map::from_iter([(
                        "base64".to_owned(),
                        Value::String(BASE64.encode(&bytes)),
                    )]))
                }
                // The schema has none of these.
                AnyTypeInfoKind::Null
                | AnyTypeInfoKind::Bool
                | AnyTypeInfoKind::Real
                | AnyTypeInfoKind::Double => return Err(corrupt()),
            }
        };
        object.insert(column.name().to_owned(), value);
    }
    Ok(object)
}

const fn corrupt() -> StoreError {
    StoreError::Corrupt { what: "row" }
}
