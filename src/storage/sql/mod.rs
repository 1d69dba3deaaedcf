//! SQL databases.

mod migrations;
pub mod sqlite;
mod turns;

pub use self::sqlite::SqliteStore;
