//! What is measured of the process's life.

use prometheus::IntGauge;

crate::metrics! {
    /// Where the process is in its life.
    pub struct ProcessMetrics {
        /// Whether this process is shutting down (1) or not (0).
        pub draining: IntGauge = "footfall_draining",
    }
}
