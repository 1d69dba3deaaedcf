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
        /// The right password, but the e-mail address is not confirmed.
        Unconfirmed = "unconfirmed",
        /// Too many failures before it.
        Throttled = "throttled",
        /// Too many logins at once.
        Shed = "shed",
    }
}

crate::label! {
    /// How an attempt to refresh a session ended.
    pub enum RefreshOutcome as "outcome" {
        /// The next tokens were handed out.
        Success = "success",
        /// They were handed out once more: two asked at a time, or an answer was lost.
        Repeated = "repeated",
        /// The token had been replaced long before: somebody has a copy. The session was ended.
        Reused = "reused",
        /// The session has ended.
        Ended = "ended",
        /// It was no refresh token.
        Invalid = "invalid",
        /// Too many of this session.
        Throttled = "throttled",
        /// The database could not say.
        Failed = "failed",
    }
}

crate::label! {
    /// Why a session was ended before its time.
    pub enum EndReason as "reason" {
        /// Its user logged out.
        Logout = "logout",
        /// Its user ended all of theirs.
        LogoutAll = "logout_all",
        /// Its user ended it from another one.
        Ended = "ended",
        /// A refresh token of it was used that had been replaced long before.
        Reused = "reused",
        /// A refresh token of it was used that is newer than what the database knows: it was
        /// brought back to an earlier state.
        Unknown = "unknown",
    }
}

crate::metrics! {
    /// Logging in, and staying so.
    pub struct AuthMetrics {
        /// Attempts to log in, by outcome: success, failure, unconfirmed, throttled or shed.
        pub logins: CountersBy<LoginOutcome> = "footfall_logins_total",
        /// Attempts to refresh a session, by outcome: success, repeated, reused, ended, invalid, throttled or failed.
        pub refreshes: CountersBy<RefreshOutcome> = "footfall_refreshes_total",
        /// Sessions that were ended by their users or for their safety, by reason: logout, logout_all, ended, reused or unknown.
        pub sessions_ended: CountersBy<EndReason> = "footfall_sessions_ended_total",
        /// Password hashes computed: of logins, and of whoever registers or changes a password.
        pub password_hashes: IntCounter = "footfall_password_hashes_total",
    }
}
