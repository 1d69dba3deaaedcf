//! Audiences: which visitors did what, and did not; saved, shared and never ambiguous.

pub mod build;
pub mod evaluate;
pub mod filter;
pub mod members;
mod placed;
pub mod presets;
pub mod saved;
mod schema;

use crate::edge::Policy;

/// Largest body, in bytes: a filter of 16 KiB, however much of blanks and names is around it.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// How the routes of this room are treated.
pub fn policy() -> Policy {
    Policy {
        max_body: MAX_BODY_BYTES,
        ..Policy::default()
    }
}
