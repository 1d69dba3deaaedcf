//! Errors for a receiver that speaks Sentry's protocol (`FOOTFALL_SENTRY_DSN`).
//!
//! What the log has at level `error`, panics included, is sent there; without the setting there is
//! neither a thread nor a connection. Counting comes first: the thread that meets an error only puts
//! it into a short queue, and one thread beside all others sends what is in there. When the queue is
//! full or the receiver away, errors are dropped, counted, and still in the log.
//!
//! `report` decides what may be told.

use std::{
    error::Error,
    sync::{Arc, mpsc::Receiver as Ended, mpsc::channel as ended_channel},
    thread,
    time::Duration,
};

use tokio::{
    runtime,
    sync::{mpsc, oneshot},
};
use tracing::Subscriber;
use tracing_subscriber::{Layer, layer::Context};

pub mod connection;
mod limits;
mod metrics;
mod report;
mod sender;

use self::{
    metrics::{ReportMetrics, ReportOutcome},
    report::{Origin, Report},
    sender::Sender,
};
use crate::{config::Settings, supervision::Piece, telemetry::metrics::Registry};

/// Errors that may wait for the receiver: many more at once say nothing new.
const QUEUE: usize = 64;

/// The name of the thread that sends.
const THREAD: &str = "error-reports";

/// The longest an ending process waits for the receiver.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// The thread that sends. When this is dropped, what is queued is sent, if that takes no longer than
/// two seconds.
pub struct ErrorReports {
    queue: mpsc::Sender<Report>,
    metrics: Arc<ReportMetrics>,
    closing: Option<oneshot::Sender<()>>,
    ended: Ended<()>,
}

impl ErrorReports {
    /// Starts it, if the settings name a receiver.
    ///
    /// # Errors
    ///
    /// If the system refuses a thread, or its metrics are there already.
    pub fn start(settings: &Settings, registry: &Registry) -> Result<Option<Self>, Box<dyn Error>> {
        let metrics = Arc::new(ReportMetrics::register(registry)?);
        let Some(dsn) = &settings.sentry_dsn else {
            return Ok(None);
        };
        let (queue, queued) = mpsc::channel(QUEUE);
        let (closing, closed) = oneshot::channel();
        let (end, ended) = ended_channel();
        let origin = Origin::new(settings.environment);
        let sender = Sender::new(dsn.clone(), origin, metrics.clone());
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let body = move || {
            runtime.block_on(sender.run(queued, closed));
            // Looking up a name blocks, and may go on for long.
            runtime.shutdown_background();
            drop(end);
        };
        Piece::Report.thread(THREAD, body)?;
        Ok(Some(Self {
            queue,
            metrics,
            closing: Some(closing),
            ended,
        }))
    }

    /// The part that the log's subscriber needs.
    pub fn layer(&self) -> ErrorLayer {
        ErrorLayer {
            queue: self.queue.clone(),
            metrics: self.metrics.clone(),
        }
    }
}

impl Drop for ErrorReports {
    fn drop(&mut self) {
        if let Some(closing) = self.closing.take() {
            let _ = closing.send(());
        }
        // An error either way: nobody sends, the thread only ends.
        let _ = self.ended.recv_timeout(LAST_WORDS);
    }
}

/// Takes errors from the log.
pub struct ErrorLayer {
    queue: mpsc::Sender<Report>,
    metrics: Arc<ReportMetrics>,
}

impl<S: Subscriber> Layer<S> for ErrorLayer {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        // What goes wrong in a report is not reported: that would go wrong, too, and so on.
        if thread::current().name() != Some(THREAD)
            && let Some(report) = Report::of(event)
            && self.queue.try_send(report).is_err()
        {
            self.metrics.reports.of(ReportOutcome::Dropped).inc();
        }
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[test]
    fn a_full_queue_drops_and_never_waits() {
        let (queue, mut queued) = mpsc::channel(2);
        let registry = Registry::new().unwrap();
        let metrics = Arc::new(ReportMetrics::register(&registry).unwrap());
        let layer = ErrorLayer { queue, metrics };
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, || {
            for number in 0..5 {
                tracing::error!(number, "an error");
            }
            tracing::warn!("no error");
            tracing::error!(target: "sqlx::query", "what others say");
        });
        let text = registry.render().unwrap();
        assert!(
            text.contains(r#"footfall_error_reports_total{outcome="dropped"} 3"#),
            "{text}"
        );
        assert!(queued.try_recv().is_ok() && queued.try_recv().is_ok());
        assert!(queued.try_recv().is_err());
    }
}
