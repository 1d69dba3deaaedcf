//! What Prometheus scrapes: one registry, owned by the process.
//!
//! Names and units follow the Prometheus conventions. Every label has a small,
//! fixed set of values; counter names, users and addresses are never labels.

use std::time::Duration;

use prometheus::{
    Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts,
    Registry, TextEncoder, core::Collector, process_collector::ProcessCollector,
};

/// From a ping (tens of microseconds) to the request timeout (seconds).
const REQUEST_BUCKETS: &[f64] = &[
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    10.0,
];

/// From a local Redis to the store timeout.
const STORE_BUCKETS: &[f64] = &[
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
];

/// Powers of two up to the largest batch.
const BATCH_BUCKETS: &[f64] = &[
    1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0,
];

/// Every metric of the process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// `http_requests_total{method,route,status}`
    pub requests: IntCounterVec,
    /// `http_request_duration_seconds{method,route}`
    pub request_duration: HistogramVec,
    /// `http_requests_in_flight`
    pub requests_in_flight: IntGauge,
    /// `http_connections_open`
    pub connections_open: IntGauge,
    /// `footfall_visits_total`
    pub visits: IntCounter,
    /// `footfall_visits_replayed_total`
    pub visits_replayed: IntCounter,
    visits_failed: IntCounterVec,
    /// `footfall_visits_confirmed_total`
    pub visits_confirmed: IntCounter,
    /// `footfall_visits_uncertain_total`
    pub visits_uncertain: IntCounter,
    /// `footfall_visits_unanswered`
    pub visits_unanswered: IntGauge,
    /// `footfall_count_regressions_total`
    pub count_regressions: IntCounter,
    /// `footfall_count_batch_size`
    pub batch_size: Histogram,
    /// `footfall_count_queue_depth`
    pub queue_depth: IntGauge,
    /// `footfall_count_queue_capacity`
    pub queue_capacity: IntGauge,
    store_duration: HistogramVec,
    /// `footfall_store_up`
    pub store_up: IntGauge,
    logins: IntCounterVec,
    error_reports: IntCounterVec,
    /// `footfall_draining`
    pub draining: IntGauge,
}

/// Why a visit got no number: the value of the `reason` label. The values are
/// the codes of the problem documents, so that people find both by one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VisitFailure {
    /// Too many visits were waiting.
    Overloaded,
    /// As many identities are remembered as may be.
    IdentitiesFull,
    /// Its counter is new, and there are as many as there may be.
    CountersFull,
    /// The store was away: it was not counted.
    StoreUnavailable,
    /// The store did not answer: it may have been counted.
    OutcomeUnknown,
}

/// How an attempt to log in ended: the value of the `outcome` label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginOutcome {
    /// A token was handed out.
    Success,
    /// Wrong name or password.
    Failure,
    /// Too many failures before it.
    Throttled,
    /// Too many logins at once.
    Shed,
}

/// What became of an error that was to be reported: the value of the `outcome` label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportOutcome {
    /// The receiver has it.
    Sent,
    /// There were too many, or the receiver has asked for fewer.
    Dropped,
    /// The receiver could not be reached, or refused it.
    Failed,
}

impl Metrics {
    /// Registers every metric.
    ///
    /// # Errors
    ///
    /// If two have the same name.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let metrics = Self {
            requests: register(
                &registry,
                IntCounterVec::new(
                    Opts::new(
                        "http_requests_total",
                        "Requests on the public listeners, by method, matched route and status; 499: the client went away first.",
                    ),
                    &["method", "route", "status"],
                )?,
            )?,
            request_duration: register(
                &registry,
                HistogramVec::new(
                    HistogramOpts::new(
                        "http_request_duration_seconds",
                        "Time from the head of a request to the head of its response.",
                    )
                    .buckets(REQUEST_BUCKETS.to_vec()),
                    &["method", "route"],
                )?,
            )?,
            requests_in_flight: register(
                &registry,
                IntGauge::new(
                    "http_requests_in_flight",
                    "Requests being served on the public listeners.",
                )?,
            )?,
            connections_open: register(
                &registry,
                IntGauge::new(
                    "http_connections_open",
                    "Open connections on the public listeners, idle ones included.",
                )?,
            )?,
            visits: register(
                &registry,
                IntCounter::new(
                    "footfall_visits_total",
                    "Visits this process counted and acknowledged; replays are not among them.",
                )?,
            )?,
            visits_replayed: register(
                &registry,
                IntCounter::new(
                    "footfall_visits_replayed_total",
                    "Visits that had been counted before and got the same number again.",
                )?,
            )?,
            visits_failed: register(
                &registry,
                IntCounterVec::new(
                    Opts::new(
                        "footfall_visits_failed_total",
                        "Visits that got no number, by reason: overloaded, identities_full, counters_full, store_unavailable or outcome_unknown.",
                    ),
                    &["reason"],
                )?,
            )?,
            visits_confirmed: register(
                &registry,
                IntCounter::new(
                    "footfall_visits_confirmed_total",
                    "Visits the store has counted for this process, also those nobody waited for any more.",
                )?,
            )?,
            visits_uncertain: register(
                &registry,
                IntCounter::new(
                    "footfall_visits_uncertain_total",
                    "Visits sent to the store that it may or may not have counted.",
                )?,
            )?,
            visits_unanswered: register(
                &registry,
                IntGauge::new(
                    "footfall_visits_unanswered",
                    "Visits sent to the store that it has not answered yet.",
                )?,
            )?,
            count_regressions: register(
                &registry,
                IntCounter::new(
                    "footfall_count_regressions_total",
                    "Times the store gave a number it had given before: acknowledged visits were lost.",
                )?,
            )?,
            batch_size: register(
                &registry,
                Histogram::with_opts(
                    HistogramOpts::new(
                        "footfall_count_batch_size",
                        "Visits that shared one round trip to the store.",
                    )
                    .buckets(BATCH_BUCKETS.to_vec()),
                )?,
            )?,
            queue_depth: register(
                &registry,
                IntGauge::new(
                    "footfall_count_queue_depth",
                    "Visits waiting for their round trip to the store.",
                )?,
            )?,
            queue_capacity: register(
                &registry,
                IntGauge::new(
                    "footfall_count_queue_capacity",
                    "Visits that may wait, in the queues of all workers together.",
                )?,
            )?,
            store_duration: register(
                &registry,
                HistogramVec::new(
                    HistogramOpts::new(
                        "footfall_store_operation_duration_seconds",
                        "Time of one operation of the store, by operation and outcome; counts of several counters at once are there once for each outcome they have.",
                    )
                    .buckets(STORE_BUCKETS.to_vec()),
                    &["operation", "outcome"],
                )?,
            )?,
            store_up: register(
                &registry,
                IntGauge::new(
                    "footfall_store_up",
                    "Whether the store answered when last asked (1) or not (0).",
                )?,
            )?,
            logins: register(
                &registry,
                IntCounterVec::new(
                    Opts::new(
                        "footfall_logins_total",
                        "Attempts to log in, by outcome: success, failure, throttled or shed.",
                    ),
                    &["outcome"],
                )?,
            )?,
            error_reports: register(
                &registry,
                IntCounterVec::new(
                    Opts::new(
                        "footfall_error_reports_total",
                        "Errors for the receiver that FOOTFALL_SENTRY_DSN names, by outcome: sent, dropped or failed.",
                    ),
                    &["outcome"],
                )?,
            )?,
            draining: register(
                &registry,
                IntGauge::new(
                    "footfall_draining",
                    "Whether this process is shutting down (1) or not (0).",
                )?,
            )?,
            registry,
        };
        let build = Gauge::with_opts(
            Opts::new(
                "footfall_build_info",
                "Always 1; the labels tell what is running.",
            )
            .const_label("version", crate::release::VERSION)
            .const_label("revision", crate::release::REVISION),
        )?;
        build.set(1.0);
        register(&metrics.registry, build)?;
        metrics
            .registry
            .register(Box::new(ProcessCollector::for_self()))?;
        // A rate over a series that appears with its first event misses that event.
        for outcome in [
            LoginOutcome::Success,
            LoginOutcome::Failure,
            LoginOutcome::Throttled,
            LoginOutcome::Shed,
        ] {
            metrics.login_counter(outcome);
        }
        for failure in [
            VisitFailure::Overloaded,
            VisitFailure::IdentitiesFull,
            VisitFailure::CountersFull,
            VisitFailure::StoreUnavailable,
            VisitFailure::OutcomeUnknown,
        ] {
            metrics.failure_counter(failure);
        }
        for outcome in [
            ReportOutcome::Sent,
            ReportOutcome::Dropped,
            ReportOutcome::Failed,
        ] {
            metrics.report_counter(outcome);
        }
        Ok(metrics)
    }

    /// Notes how an attempt to log in ended.
    pub fn count_login(&self, outcome: LoginOutcome) {
        self.login_counter(outcome).inc();
    }

    fn login_counter(&self, outcome: LoginOutcome) -> IntCounter {
        self.logins.with_label_values(&[match outcome {
            LoginOutcome::Success => "success",
            LoginOutcome::Failure => "failure",
            LoginOutcome::Throttled => "throttled",
            LoginOutcome::Shed => "shed",
        }])
    }

    /// Notes that a visit got no number.
    pub fn count_failure(&self, failure: VisitFailure) {
        self.failure_counter(failure).inc();
    }

    fn failure_counter(&self, failure: VisitFailure) -> IntCounter {
        self.visits_failed.with_label_values(&[match failure {
            VisitFailure::Overloaded => "overloaded",
            VisitFailure::IdentitiesFull => "identities_full",
            VisitFailure::CountersFull => "counters_full",
            VisitFailure::StoreUnavailable => "store_unavailable",
            VisitFailure::OutcomeUnknown => "outcome_unknown",
        }])
    }

    /// Notes what became of an error that was to be reported.
    pub fn count_report(&self, outcome: ReportOutcome) {
        self.report_counter(outcome).inc();
    }

    fn report_counter(&self, outcome: ReportOutcome) -> IntCounter {
        self.error_reports.with_label_values(&[match outcome {
            ReportOutcome::Sent => "sent",
            ReportOutcome::Dropped => "dropped",
            ReportOutcome::Failed => "failed",
        }])
    }

    /// Notes how long one operation of the store took and how it ended.
    pub fn observe_store_operation(&self, operation: &str, outcome: &str, duration: Duration) {
        self.store_duration
            .with_label_values(&[operation, outcome])
            .observe(duration.as_secs_f64());
    }

    /// Adds a metric of a room.
    ///
    /// # Errors
    ///
    /// If there is one of its name already.
    pub fn register<C: Collector + Clone + 'static>(&self, collector: C) -> prometheus::Result<C> {
        register(&self.registry, collector)
    }

    /// The text exposition format, version 0.0.4.
    ///
    /// # Errors
    ///
    /// If a metric cannot be written in it.
    pub fn render(&self) -> prometheus::Result<String> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

fn register<C: Collector + Clone + 'static>(
    registry: &Registry,
    collector: C,
) -> prometheus::Result<C> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}
