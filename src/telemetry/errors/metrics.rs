//! What is measured of error reports.

use crate::telemetry::metrics::CountersBy;

crate::label! {
    /// What became of an error that was to be reported.
    pub enum ReportOutcome as "outcome" {
        /// The receiver has it.
        Sent = "sent",
        /// There were too many, or the receiver has asked for fewer.
        Dropped = "dropped",
        /// The receiver could not be reached, or refused it.
        Failed = "failed",
    }
}

crate::metrics! {
    /// Errors for a receiver.
    pub struct ReportMetrics {
        /// Errors for the receiver that FOOTFALL_SENTRY_DSN names, by outcome: sent, dropped or failed.
        pub reports: CountersBy<ReportOutcome> = "footfall_error_reports_total",
    }
}
