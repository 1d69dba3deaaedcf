//! Running the service: health, readiness, metrics, version.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

pub mod health;
pub mod metrics;
pub mod routes;

pub use self::routes::OpsState;

/// The version of this build.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The source revision of this build, where the build was told:
/// `FOOTFALL_REVISION` at compile time.
pub const REVISION: &str = match option_env!("FOOTFALL_REVISION") {
    Some(revision) => revision,
    None => "unknown",
};

/// Whether the process is shutting down.
#[derive(Debug, Clone, Default)]
pub struct Draining(Arc<AtomicBool>);

impl Draining {
    /// From now on it is.
    pub fn start(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it is.
    pub fn is_on(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
