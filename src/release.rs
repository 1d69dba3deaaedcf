//! Which build this is.

/// The version of this build.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The source revision of this build, where the build was told:
/// `FOOTFALL_REVISION` at compile time.
pub const REVISION: &str = match option_env!("FOOTFALL_REVISION") {
    Some(revision) => revision,
    None => "unknown",
};
