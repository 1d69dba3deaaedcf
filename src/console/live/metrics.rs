//! What is measured of live numbers.

use prometheus::{IntCounter, IntGauge};

use crate::telemetry::metrics::CountersBy;

crate::label! {
    /// Why somebody was given no stream.
    pub enum Refused as "reason" {
        /// They have as many as one may have.
        User = "user",
        /// The replica has as many as it may have.
        Replica = "replica",
    }
}

crate::metrics! {
    /// What is measured of live numbers.
    pub struct LiveMetrics {
        /// Pages that are open and have their numbers kept live by this replica.
        pub streams: IntGauge = "footfall_live_streams",
        /// Streams of live numbers that were refused, by reason: their user has too many, or the replica has.
        pub refused: CountersBy<Refused> = "footfall_live_streams_refused_total",
        /// Readings of watched counters that failed; pages are told that their numbers stand still.
        pub failed: IntCounter = "footfall_live_readings_failed_total",
    }
}
