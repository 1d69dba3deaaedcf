//! What the process tells of itself: metrics, the log, and errors for a receiver.

pub mod errors;
pub mod log;
pub mod metrics;
