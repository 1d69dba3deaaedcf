//! The one who sends reports, one after the other.

use std::{sync::Arc, time::Instant};

use tokio::sync::{mpsc, oneshot};

use super::{
    connection::{Connector, Failure},
    limits::Limits,
    metrics::{ReportMetrics, ReportOutcome},
    report::{Origin, Report},
};
use crate::{config::SentryDsn, supervision::Piece};

/// Sends what is queued.
pub struct Sender {
    dsn: SentryDsn,
    origin: Origin,
    metrics: Arc<ReportMetrics>,
}

impl Sender {
    /// Nothing is sent, read or connected yet.
    pub fn new(dsn: SentryDsn, origin: Origin, metrics: Arc<ReportMetrics>) -> Self {
        Self {
            dsn,
            origin,
            metrics,
        }
    }

    /// Sends until it is told to close, and then what is left in the queue.
    pub async fn run(self, mut queue: mpsc::Receiver<Report>, mut closing: oneshot::Receiver<()>) {
        let connector = Connector::new(self.dsn.clone());
        let mut limits = Limits::new(Instant::now());
        let (mut delivered, mut closed) = (true, false);
        loop {
            let report = tokio::select! {
                report = queue.recv(), if !closed => report,
                _ = &mut closing, if !closed => {
                    closed = true;
                    continue;
                }
                else => queue.try_recv().ok(),
            };
            let Some(report) = report else {
                return;
            };
            if !limits.allow(Instant::now()) {
                self.metrics.reports.of(ReportOutcome::Dropped).inc();
                continue;
            }
            let delivery = self.deliver(&connector, &report, &mut limits);
            let result = Piece::Report.isolated(delivery).await;
            let result = result.unwrap_or_else(|panicked| Err(panicked.into()));
            let outcome = match result {
                Ok(()) => ReportOutcome::Sent,
                Err(_) => ReportOutcome::Failed,
            };
            self.metrics.reports.of(outcome).inc();
            self.say_changes(&mut delivered, result);
        }
    }

    async fn deliver(
        &self,
        connector: &Connector,
        report: &Report,
        limits: &mut Limits,
    ) -> Result<(), Failure> {
        let (status, headers) = connector.post(report.envelope(&self.origin)).await?;
        limits.heed(status, &headers, Instant::now());
        if status.is_success() {
            Ok(())
        } else {
            Err(format!("it answered {status}").into())
        }
    }

    /// Never as an error, which would be reported in turn.
    fn say_changes(&self, delivered: &mut bool, result: Result<(), Failure>) {
        let receiver = &self.dsn;
        match (*delivered, &result) {
            (true, Err(error)) => {
                tracing::warn!(%receiver, error, "errors cannot be reported; they are in this log only");
            }
            (false, Ok(())) => tracing::info!(%receiver, "errors are reported again"),
            _ => {}
        }
        *delivered = result.is_ok();
    }
}
