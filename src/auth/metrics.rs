//! What is measured of logging in.

use prometheus::IntCounter;

use crate::telemetry::metrics::CountersBy;

crate::label! {
    /// How an attempt to log in ended.
    pub enum LoginOutcome as "outcome" {
        /// A token was handed out.
        Success = "success",
        /// Wrong name or password.
        Failure = "failure",
        /// Too many failures before it.
        Throttled = "throttled",
        /// Too many logins at once.
        Shed = "shed",
    }
}

crate::metrics! {
    /// Logging in.
    pub struct AuthMetrics {
        /// Attempts to log in, by outcome: success, failure, throttled or shed.
        pub logins: CountersBy<LoginOutcome> = "footfall_logins_total",
        /// Password hashes computed: of logins, and of whoever registers or changes a password.
        pub password_hashes: IntCounter = "footfall_password_hashes_total",
    }
}
