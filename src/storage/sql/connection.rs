//! One SQL text for both databases.
//!
//! Both bind `$1` by its number, so one text can serve both; what differs is the Rust type of the
//! connection, and with it that of every query. [`on_either!`] writes a body once and has it
//! compiled for each. `docs/database.md` says what was tried beside this, and what both databases
//! understand.

use sqlx::{PgConnection, SqliteConnection};

/// A connection to one of the two, or a transaction on it.
#[derive(Debug)]
pub enum Connection<'c> {
    /// To PostgreSQL.
    Postgres(&'c mut PgConnection),
    /// To a SQLite file.
    Sqlite(&'c mut SqliteConnection),
}

/// Runs one body on whichever database a [`Connection`] leads to: in it, `$database` is the
/// connection.
///
/// ```ignore
/// on_either!(connection, |database| {
///     sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations WHERE version < $1")
///         .bind(limit)
///         .fetch_one(&mut **database)
///         .await
/// })
/// ```
#[macro_export]
macro_rules! on_either {
    ($connection:expr, |$database:ident| $body:expr) => {
        match $connection {
            $crate::storage::sql::Connection::Postgres($database) => $body,
            $crate::storage::sql::Connection::Sqlite($database) => $body,
        }
    };
}
pub use on_either;
