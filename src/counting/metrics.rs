//! What is measured of visits.

use prometheus::{Histogram, IntCounter, IntGauge};

use crate::telemetry::metrics::CountersBy;

/// Powers of two up to the largest batch.
const BATCH_BUCKETS: &[f64] = &[
    1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0,
];

crate::label! {
    /// Why a visit got no number. The values are the codes of the problem documents, so that
    /// people find both by one word.
    pub enum VisitFailure as "reason" {
        /// Too many visits were waiting.
        Overloaded = "overloaded",
        /// As many identities are remembered as may be.
        IdentitiesFull = "identities_full",
        /// Its counter is new, and there are as many as there may be.
        CountersFull = "counters_full",
        /// It carried something, and its counter records nothing.
        RecordingOff = "recording_off",
        /// It carried something, and too much waits to be recorded.
        RecordingBehind = "recording_behind",
        /// What it was made with had been revoked.
        InvalidToken = "invalid_token",
        /// The store was away: it was not counted.
        StoreUnavailable = "store_unavailable",
        /// The store did not answer: it may have been counted.
        OutcomeUnknown = "outcome_unknown",
    }
}

crate::metrics! {
    /// Visits, and the books that are kept of them.
    pub struct CountingMetrics {
        /// Visits this process counted and acknowledged; replays are not among them.
        pub visits: IntCounter = "footfall_visits_total",
        /// Visits that had been counted before and got the same number again.
        pub visits_replayed: IntCounter = "footfall_visits_replayed_total",
        /// Visits that got no number, by reason: overloaded, identities_full, counters_full, recording_off, recording_behind, invalid_token, store_unavailable or outcome_unknown.
        pub visits_failed: CountersBy<VisitFailure> = "footfall_visits_failed_total",
        /// Visits the store has counted for this process, also those nobody waited for any more.
        pub visits_confirmed: IntCounter = "footfall_visits_confirmed_total",
        /// Visits sent to the store that it may or may not have counted.
        pub visits_uncertain: IntCounter = "footfall_visits_uncertain_total",
        /// Visits sent to the store that it has not answered yet.
        pub visits_unanswered: IntGauge = "footfall_visits_unanswered",
        /// Times the store gave a number it had given before: acknowledged visits were lost.
        pub count_regressions: IntCounter = "footfall_count_regressions_total",
        /// Visits that shared one round trip to the store.
        pub batch_size: Histogram = "footfall_count_batch_size" in BATCH_BUCKETS,
        /// Visits waiting for their round trip to the store.
        pub queue_depth: IntGauge = "footfall_count_queue_depth",
        /// Visits that may wait, in the queues of all workers together.
        pub queue_capacity: IntGauge = "footfall_count_queue_capacity",
    }
}
