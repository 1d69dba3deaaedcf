//! What is measured of the record.

use prometheus::{Histogram, IntCounter, IntGauge};

/// Seconds of a transaction that records.
const SECONDS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
];

crate::metrics! {
    /// The record of visits.
    pub struct RecordMetrics {
        /// Visits this process has written into the database.
        pub recorded: IntCounter = "footfall_visits_recorded_total",
        /// Visits of which nothing is recorded, since they were counted while recording was off or too far behind, or by an older version.
        pub unrecorded: IntCounter = "footfall_visits_unrecorded_total",
        /// Visits that were gone before they were recorded: entries of the stream are missing.
        pub lost: IntCounter = "footfall_visits_record_lost_total",
        /// Visits that were given a number which is recorded for another: Redis had lost it. They are kept aside.
        pub repeated: IntCounter = "footfall_visits_repeated_numbers_total",
        /// Visits that wait to be recorded, on the counters this process has counted on or looked at.
        pub waiting: IntGauge = "footfall_record_waiting",
        /// When the oldest of them was counted, in Unix seconds; 0 if none waits.
        pub oldest: IntGauge = "footfall_record_oldest_waiting_timestamp_seconds",
        /// Seconds that a transaction took which records.
        pub drain_duration: Histogram = "footfall_record_drain_duration_seconds" in SECONDS,
    }
}
