//! What the process tells others about itself, beside the metrics that are fetched from it.

pub mod errors;
