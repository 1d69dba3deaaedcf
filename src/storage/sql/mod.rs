//! SQL databases: SQLite, in which the embedded store and the database are one file, and
//! PostgreSQL, which is the database beside Redis.

mod connection;
mod database;
mod error;
mod health;
mod look;
mod metrics;
pub mod migrations;
mod monitor;
pub mod postgres;
pub mod reasons;
pub mod schema;
pub mod sqlite;
mod sqlite_error;
mod tenant;
mod turns;

pub use self::{
    connection::{Connection, on_either},
    database::Database,
    error::DatabaseError,
    health::DatabaseHealth,
    metrics::DatabaseMetrics,
    monitor::Monitor,
    sqlite::SqliteStore,
    tenant::of_company,
};
