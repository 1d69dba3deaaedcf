//! Audiences: which visitors did what, and did not; saved, shared and never ambiguous.

pub mod evaluate;
pub mod filter;
