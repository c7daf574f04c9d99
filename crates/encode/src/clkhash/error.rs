use std::io;

/// Why nothing was encoded. Names places, never a value of a record nor anything of the secret.
#[derive(Debug, thiserror::Error)]
pub enum ClkError {
    /// The CSV has no header to check.
    #[error("line 1: there is no header: the file is empty")]
    Empty,
    /// A field has more characters than Python's CSV reader takes.
    #[error(
        "line {line}, column {column}: the field has more than {MOST_FIELD_CHARS} characters; is a closing quote missing?"
    )]
    FieldTooLong {
        /// The line it begins at, from 1.
        line: u64,
        /// Its column, from 1.
        column: usize,
    },
    /// The header names other columns than the schema.
    #[error("line {line}, column {column}: the header does not say '{expected}', as the schema does here{}", if *.byte_order_mark { " (the file begins with a byte order mark)" } else { "" })]
    Header {
        /// The line of the header.
        line: u64,
        /// The column, from 1.
        column: usize,
        /// The identifier of the schema's feature.
        expected: String,
        /// The header begins with a byte order mark, which is part of the name to clkhash.
        byte_order_mark: bool,
    },
    /// The header has more or fewer columns than the schema has features.
    #[error("line {line}: the header has {got} columns, and the schema {expected} features")]
    HeaderLength {
        /// The line of the header.
        line: u64,
        /// Features of the schema.
        expected: usize,
        /// Columns of the header.
        got: usize,
    },
    /// The schema is not JSON.
    #[error("it is not JSON: {problem}")]
    Json {
        /// Where, and what is wrong.
        problem: String,
    },
    /// The CSV is not UTF-8.
    #[error("line {line}, byte {byte}: the file is not UTF-8 here")]
    NotUtf8 {
        /// The line, from 1.
        line: u64,
        /// The byte of the line, from 1.
        byte: u64,
    },
    /// The CSV cannot be read.
    #[error("cannot read it")]
    Read(#[source] io::Error),
    /// A row has more or fewer columns than the schema has features.
    #[error("line {line}: the row has {got} columns, and the schema {expected} features")]
    RowLength {
        /// The line the row begins at.
        line: u64,
        /// Features of the schema.
        expected: usize,
        /// Columns of the row.
        got: usize,
    },
    /// The schema is not one of clkhash, or asks for what cannot be done.
    #[error("{path}: {problem}")]
    Schema {
        /// Where in the JSON, as in `features[2].hashing.strategy`.
        path: String,
        /// What is wrong there, and what it should be.
        problem: String,
    },
    /// The secret file has no secret.
    #[error("it has no secret: the file is empty")]
    SecretEmpty,
    /// A value does not fit its feature's format, or cannot be hashed as the schema says.
    #[error("line {line}, column '{column}': the value {problem}")]
    Value {
        /// The line the row begins at.
        line: u64,
        /// The identifier of the feature.
        column: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The result cannot be written.
    #[error("cannot write the encodings")]
    Write(#[source] io::Error),
}

/// Most characters of a field (`csv.field_size_limit()` of Python).
pub(crate) const MOST_FIELD_CHARS: usize = 131_072;
