//! What is measured of the store.

use prometheus::{Gauge, HistogramVec, IntGauge};

/// From a local Redis to the store timeout.
const BUCKETS: &[f64] = &[
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
];

crate::metrics! {
    /// The store of the counters.
    pub struct StoreMetrics {
        /// Time of one operation of the store, by operation and outcome; counts of several counters at once are there once for each outcome they have.
        pub duration: HistogramVec = "footfall_store_operation_duration_seconds" by ["operation", "outcome"] in BUCKETS,
        /// Whether the store answered when last asked (1) or not (0).
        pub up: IntGauge = "footfall_store_up",
        /// Least seconds of a round trip to Redis since it was connected to; 0 until it is known, and where nobody asks: on a Unix socket, and embedded.
        pub distance: Gauge = "footfall_store_distance_seconds",
    }
}
