//! What is measured of every request.

use prometheus::{HistogramVec, IntCounterVec, IntGauge};

/// From a ping (tens of microseconds) to the request timeout (seconds).
const BUCKETS: &[f64] = &[
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    10.0,
];

crate::metrics! {
    /// Requests and connections on the public listeners.
    pub struct HttpMetrics {
        /// Requests on the public listeners, by method, matched route and status; 499: the client went away first.
        pub requests: IntCounterVec = "http_requests_total" by ["method", "route", "status"],
        /// Time from the head of a request to the head of its response.
        pub request_duration: HistogramVec = "http_request_duration_seconds" by ["method", "route"] in BUCKETS,
        /// Requests being served on the public listeners.
        pub requests_in_flight: IntGauge = "http_requests_in_flight",
        /// Open connections on the public listeners, idle ones included.
        pub connections_open: IntGauge = "http_connections_open",
    }
}
