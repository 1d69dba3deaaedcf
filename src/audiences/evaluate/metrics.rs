//! What is measured of questions about audiences.

use prometheus::{Histogram, IntGauge};

use crate::telemetry::metrics::CountersBy;

/// Seconds of a question: from one that bitmaps answer to as long as a request may take.
const SECONDS: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

crate::label! {
    /// How a question about an audience ended.
    pub enum Outcome as "outcome" {
        /// With an answer.
        Answered = "answered",
        /// It could not be asked like this.
        Refused = "refused",
        /// Others were being answered for as long as it could wait.
        Overloaded = "overloaded",
        /// It took too long.
        TooSlow = "too_slow",
        /// Who asked has gone.
        Cancelled = "cancelled",
        /// The database could not answer.
        Failed = "failed",
    }
}

crate::metrics! {
    /// Questions about audiences.
    pub struct AudienceMetrics {
        /// Questions who is in an audience, by outcome: answered, refused (it cannot be asked like this), overloaded (others were being answered for too long), too_slow, cancelled (who asked has gone) or failed (the database).
        pub queries: CountersBy<Outcome> = "footfall_audience_queries_total",
        /// Questions that are being answered, or wait to be.
        pub running: IntGauge = "footfall_audience_queries_running",
        /// Seconds from a question to its answer; the wait for others is in it.
        pub duration: Histogram = "footfall_audience_query_duration_seconds" in SECONDS,
    }
}
