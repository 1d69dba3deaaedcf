//! What is measured of the record.

use prometheus::{Histogram, IntCounter, IntGauge};

use super::Reason;
use crate::telemetry::metrics::CountersBy;

/// Seconds of a transaction that records.
const SECONDS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
];

crate::label! {
    /// Why nothing is recorded of visits.
    pub enum Unrecorded as "reason" {
        /// Recording was off.
        Off = "off",
        /// The database was away for too long.
        Behind = "behind",
        /// They were gone from Redis.
        Lost = "lost",
        /// A version counted them that records nothing.
        OlderVersion = "older_version",
    }
}

impl From<Reason> for Unrecorded {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Off => Self::Off,
            Reason::Behind => Self::Behind,
            Reason::Lost => Self::Lost,
            Reason::OlderVersion => Self::OlderVersion,
        }
    }
}

crate::metrics! {
    /// The record of visits.
    pub struct RecordMetrics {
        /// Visits this process has written into the database.
        pub recorded: IntCounter = "footfall_visits_recorded_total",
        /// Visits of which nothing is recorded, by reason: off, behind (the database was away for too long), lost (gone from Redis before they were recorded) or older_version (counted by a Footfall that records nothing).
        pub unrecorded: CountersBy<Unrecorded> = "footfall_visits_unrecorded_total",
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
