//! What Prometheus learns of the database.

use std::time::Duration;

use prometheus::{HistogramVec, IntGauge, IntGaugeVec};

use super::DatabaseError;

/// From a query that is answered from memory to the longest timeout that makes sense.
const BUCKETS: &[f64] = &[
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

crate::metrics! {
    /// The metrics of a PostgreSQL. Where there is none there are no series of it, so that no alert
    /// takes it for one that is away.
    pub struct DatabaseMetrics {
        /// Whether PostgreSQL answered when last asked (1) or not (0).
        pub up: IntGauge = "footfall_database_up",
        /// Time of one operation of PostgreSQL, by operation and outcome; the wait for a connection is in it.
        duration: HistogramVec = "footfall_database_operation_duration_seconds" by ["operation", "outcome"] in BUCKETS,
        /// Connections to PostgreSQL, beside that of the monitor, by state: used or idle.
        connections: IntGaugeVec = "footfall_database_connections" by ["state"],
    }
}

impl DatabaseMetrics {
    /// Notes how long an operation took and how it ended.
    pub fn observe(&self, operation: &str, took: Duration, error: Option<&DatabaseError>) {
        let outcome = error.map_or("ok", DatabaseError::outcome);
        self.duration
            .with_label_values(&[operation, outcome])
            .observe(took.as_secs_f64());
    }

    /// Notes how many connections there are.
    pub fn note_connections(&self, all: u32, idle: usize) {
        let (all, idle) = (i64::from(all), i64::try_from(idle).unwrap_or(i64::MAX));
        let of = |state| self.connections.with_label_values(&[state]);
        of("idle").set(idle);
        of("used").set((all - idle).max(0));
    }
}
