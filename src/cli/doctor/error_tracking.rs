//! Whether the receiver of errors can be reached.

use super::Findings;
use crate::{config::SentryDsn, telemetry::errors::connection::Connector};

/// Connects and sends nothing. Not fatal: the service counts without it.
pub async fn check(dsn: &SentryDsn, findings: &mut Findings) {
    match Connector::new(dsn.clone()).reach().await {
        Ok(()) => findings.good(format_args!("errors are reported to {dsn}")),
        Err(error) => findings.warning(
            format_args!("errors are to be reported to {dsn}: {error}"),
            "look at FOOTFALL_SENTRY_DSN and the way there; SSL_CERT_FILE names a private authority",
        ),
    }
}
