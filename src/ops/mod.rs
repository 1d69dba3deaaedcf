//! Running the service: health, readiness, metrics, version.

pub mod health;
pub mod metrics;
pub mod routes;
pub mod vitals;

pub use self::{
    routes::OpsState,
    vitals::{Fitness, Vitals},
};

/// The version of this build.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The source revision of this build, where the build was told:
/// `FOOTFALL_REVISION` at compile time.
pub const REVISION: &str = match option_env!("FOOTFALL_REVISION") {
    Some(revision) => revision,
    None => "unknown",
};
