//! What Prometheus learns of mail.

use prometheus::{Histogram, IntCounter, IntGauge};

use crate::telemetry::metrics::CountersBy;

/// From a server on this machine to the longest a try may take.
const BUCKETS: &[f64] = &[0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0];

crate::label! {
    /// Why a try failed.
    pub enum Reason as "reason" {
        /// No server is set.
        NoServer = "no_server",
        /// The server cannot be reached, or the connection broke.
        Unreachable = "unreachable",
        /// It took longer than 20 seconds.
        Timeout = "timeout",
        /// The connection cannot be encrypted, or the server is not who it should be.
        Tls = "tls",
        /// The server does not take our user and password.
        Credentials = "credentials",
        /// The server does not take mail from us: its greeting, or what it says of the sender.
        Unwelcome = "unwelcome",
        /// The server wants to be asked again later (4xx).
        Deferred = "deferred",
        /// The server refused the recipient or the message for good (5xx).
        Refused = "refused",
        /// It cannot be made a message, or is of a version to come.
        Invalid = "invalid",
        /// It cannot be written to the folder of mails.
        Folder = "folder",
        /// It could not be sent for a day.
        Expired = "expired",
    }
}

crate::metrics! {
    /// Mail. Where there is no database there is none, and no series of it.
    pub struct MailMetrics {
        /// Mails in the outbox that are still to be sent. Of the database, so the same for all replicas.
        pub queued: IntGauge = "footfall_mails_queued",
        /// Age in seconds of the oldest mail that is still to be sent; 0 when there is none. The same for all replicas.
        pub oldest: IntGauge = "footfall_mails_oldest_seconds",
        /// Mails that the mail server has taken, or that were written to the folder of mails.
        pub sent: IntCounter = "footfall_mails_sent_total",
        /// Mails that were given up, by reason: refused, invalid or expired.
        pub failed: CountersBy<Reason> = "footfall_mails_failed_total",
        /// Tries to send a mail that failed, by reason. Most are made again later.
        pub tries_failed: CountersBy<Reason> = "footfall_mail_tries_failed_total",
        /// Time of a try to send a mail, however it ended.
        pub duration: Histogram = "footfall_mail_try_duration_seconds" in BUCKETS,
    }
}
