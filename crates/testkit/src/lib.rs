//! What tests of several crates share. Never a dependency outside tests.
//!
//! [`PostgresDatabase`] is an empty database on a PostgreSQL server of the test's own, in a temporary folder and reached
//! through a socket in it. The server ends, and its folder goes, when the last test that uses it ends, however it ends.
//!
//! # Panics
//! A test that cannot be set up has failed.
#![expect(clippy::expect_used, reason = "a test that cannot be set up has failed")]

mod postgres;

pub use postgres::{PASSWORD, PostgresDatabase};
