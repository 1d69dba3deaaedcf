//! Running the service: health, readiness, metrics, version.

pub mod health;
pub mod routes;

pub use self::routes::OpsState;
