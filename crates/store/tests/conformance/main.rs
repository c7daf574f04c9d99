//! One suite over both databases: what the store promises holds on SQLite and on PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod agreements;
mod backend;
mod backup;
mod contention;
mod datasets;
mod disclosures;
mod installation;
mod lease_machine;
mod leases;
mod migrations;
mod runs;
mod samples;

/// Runs each function on a store of its own, over SQLite and over PostgreSQL.
macro_rules! on_both {
    ($($test:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $test() {
                super::$test(crate::backend::Backend::sqlite()).await;
            })+
        }
        mod postgres {
            $(#[tokio::test]
            async fn $test() {
                super::$test(crate::backend::Backend::postgres()).await;
            })+
        }
    };
}
pub(crate) use on_both;
