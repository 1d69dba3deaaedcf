//! What is measured of revocations.

use prometheus::{Histogram, IntCounter, IntGauge};

/// From what the next visit finds out, over four polls in a second, to what an outage delays.
const BUCKETS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0,
];

crate::metrics! {
    /// Sessions, tokens, users and companies that are good no longer.
    pub struct RevocationMetrics {
        /// Revocations that this process has noted in the database.
        pub noted: IntCounter = "footfall_revocations_noted_total",
        /// Revocations that this process has made known to all others, also in another's place.
        pub published: IntCounter = "footfall_revocations_published_total",
        /// Seconds from noting a revocation until this process knew of it.
        pub known: Histogram = "footfall_revocation_known_seconds" in BUCKETS,
        /// Revocations that this process knows of and that have not ended yet.
        pub held: IntGauge = "footfall_revocations_held",
    }
}
