//! The routes of a listener: how each is treated and measured, looked up once per request and
//! without a lock.
//!
//! A label lookup hashes strings under a lock shared by all threads; at the
//! rate of pings that is a good part of a request's cost.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::http::{Method, StatusCode};
use prometheus::{Histogram, IntCounter};

use super::{Policy, metrics::HttpMetrics};

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

/// The routes of a listener, each with its policy and its metrics.
#[derive(Debug)]
pub struct Routes {
    paths: matchit::Router<usize>,
    routes: Vec<Route>,
}

/// One route, or all that matches none.
#[derive(Debug)]
pub struct Route {
    /// The `route` label: the pattern, not the path.
    pub pattern: Arc<str>,
    /// How its requests are treated.
    pub policy: Policy,
    counts: Option<Counts>,
}

/// What is counted of a route.
#[derive(Debug)]
struct Counts {
    metrics: Arc<HttpMetrics>,
    /// Most routes have one or two of them, and that of each takes kilobytes.
    methods: [OnceLock<MethodMetrics>; METHODS.len() + 1],
}

#[derive(Debug)]
struct MethodMetrics {
    duration: Histogram,
    requests: Box<[OnceLock<IntCounter>]>,
}

impl Routes {
    /// These patterns, in the syntax of axum, with their policies. Without `metrics` their requests
    /// are not counted.
    ///
    /// # Panics
    ///
    /// If two patterns are in conflict, which the router would not allow either.
    pub fn new(
        patterns: impl IntoIterator<Item = (String, Policy)>,
        metrics: Option<&Arc<HttpMetrics>>,
    ) -> Self {
        let mut paths = matchit::Router::new();
        let route = |pattern: &str, policy| Route {
            pattern: pattern.into(),
            policy,
            counts: metrics.map(|metrics| Counts::new(metrics.clone())),
        };
        let mut routes = vec![route(UNMATCHED, Policy::default())];
        for (pattern, policy) in patterns {
            paths
                .insert(pattern.as_str(), routes.len())
                .expect("the router has accepted the same patterns");
            routes.push(route(&pattern, policy));
        }
        Self { paths, routes }
    }

    /// Treats what matches no route like this.
    #[must_use]
    pub fn otherwise(mut self, policy: Policy) -> Self {
        self.routes[0].policy = policy;
        self
    }

    /// The metrics, if requests are counted.
    pub fn metrics(&self) -> Option<&HttpMetrics> {
        self.routes[0].metrics()
    }

    /// The route of a path.
    pub fn of(&self, path: &str) -> &Route {
        &self.routes[self.paths.at(path).map_or(0, |found| *found.value)]
    }
}

impl Route {
    /// Its metrics, if its requests are counted.
    pub fn metrics(&self) -> Option<&HttpMetrics> {
        self.counts.as_ref().map(|counts| &*counts.metrics)
    }

    /// Counts one request that has ended.
    pub fn observe(&self, method: &Method, status: StatusCode, duration: Duration) {
        if let Some(counts) = &self.counts {
            counts.observe(&self.pattern, method, status, duration);
        }
    }
}

impl Counts {
    fn new(metrics: Arc<HttpMetrics>) -> Self {
        Self {
            metrics,
            methods: Default::default(),
        }
    }

    fn observe(&self, pattern: &str, method: &Method, status: StatusCode, duration: Duration) {
        let position = METHODS
            .iter()
            .position(|known| known == method)
            .unwrap_or(OTHER_METHOD);
        let name = METHODS.get(position).map_or("OTHER", Method::as_str);
        let found = self.methods[position].get_or_init(|| MethodMetrics {
            duration: self
                .metrics
                .request_duration
                .with_label_values(&[name, pattern]),
            requests: (FIRST_STATUS..LAST_STATUS)
                .map(|_| OnceLock::new())
                .collect(),
        });
        let requests = || {
            self.metrics
                .requests
                .with_label_values(&[name, pattern, status.as_str()])
        };
        match found
            .requests
            .get(usize::from(status.as_u16().wrapping_sub(FIRST_STATUS)))
        {
            Some(slot) => slot.get_or_init(requests).inc(),
            None => requests().inc(),
        }
        found.duration.observe(duration.as_secs_f64());
    }
}
