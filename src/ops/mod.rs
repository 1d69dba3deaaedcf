//! Running the service: liveness, readiness, metrics, version.

pub mod liveness;
pub mod routes;

pub use self::routes::OpsState;
