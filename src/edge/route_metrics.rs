//! The metrics of each route, looked up once per request and without a lock.
//!
//! A label lookup hashes strings under a lock shared by all threads; at the
//! rate of pings that is a good part of a request's cost.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::http::{Method, StatusCode};
use prometheus::{Histogram, IntCounter};

use crate::telemetry::metrics::Metrics;

/// The `route` label of every request that matches no route.
const UNMATCHED: &str = "<unmatched>";

/// Methods that are labels; all others share one.
const METHODS: [Method; 7] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::DELETE,
    Method::PATCH,
    Method::OPTIONS,
];
const OTHER_METHOD: usize = METHODS.len();

/// The client went away before its response: nginx's customary status.
pub const CLIENT_CLOSED_REQUEST: u16 = 499;

/// Every status this service answers is from here …
const FIRST_STATUS: u16 = 200;
/// … to here, exclusive.
const LAST_STATUS: u16 = 520;

/// All routes of a listener and their metrics.
#[derive(Debug)]
pub struct RouteMetrics {
    paths: matchit::Router<usize>,
    routes: Vec<Route>,
}

/// One route, or all that matches none.
#[derive(Debug)]
pub struct Route {
    /// The `route` label: the pattern, not the path.
    pub pattern: String,
    metrics: Arc<Metrics>,
    methods: [MethodMetrics; METHODS.len() + 1],
}

#[derive(Debug)]
struct MethodMetrics {
    duration: OnceLock<Histogram>,
    requests: Box<[OnceLock<IntCounter>]>,
}

impl RouteMetrics {
    /// Metrics for these patterns, in the syntax of axum.
    ///
    /// # Panics
    ///
    /// If two patterns are in conflict, which the router would not allow either.
    pub fn new<'a>(patterns: impl IntoIterator<Item = &'a str>, metrics: &Arc<Metrics>) -> Self {
        let mut paths = matchit::Router::new();
        let mut routes = vec![Route::new(UNMATCHED, metrics.clone())];
        for pattern in patterns {
            paths
                .insert(pattern, routes.len())
                .expect("the router has accepted the same patterns");
            routes.push(Route::new(pattern, metrics.clone()));
        }
        Self { paths, routes }
    }

    /// The route of a path.
    pub fn route(&self, path: &str) -> &Route {
        &self.routes[self.paths.at(path).map_or(0, |found| *found.value)]
    }
}

impl Route {
    fn new(pattern: &str, metrics: Arc<Metrics>) -> Self {
        let method = || MethodMetrics {
            duration: OnceLock::new(),
            requests: (FIRST_STATUS..LAST_STATUS)
                .map(|_| OnceLock::new())
                .collect(),
        };
        Self {
            pattern: pattern.to_owned(),
            metrics,
            methods: std::array::from_fn(|_| method()),
        }
    }

    /// Counts one request that has ended.
    pub fn observe(&self, method: &Method, status: StatusCode, duration: Duration) {
        let position = METHODS
            .iter()
            .position(|known| known == method)
            .unwrap_or(OTHER_METHOD);
        let name = METHODS.get(position).map_or("OTHER", Method::as_str);
        let found = &self.methods[position];
        let requests = || {
            self.metrics
                .requests
                .with_label_values(&[name, &self.pattern, status.as_str()])
        };
        match found
            .requests
            .get(usize::from(status.as_u16().wrapping_sub(FIRST_STATUS)))
        {
            Some(slot) => slot.get_or_init(requests).inc(),
            None => requests().inc(),
        }
        found
            .duration
            .get_or_init(|| {
                self.metrics
                    .request_duration
                    .with_label_values(&[name, &self.pattern])
            })
            .observe(duration.as_secs_f64());
    }
}
