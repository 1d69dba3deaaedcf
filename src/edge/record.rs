//! What is told of each request: in the metrics, in the log, and to its client where it is an error.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    http::{HeaderValue, Method, Request, Response, StatusCode, header},
};
use tracing::Level;

use super::{
    Asked, Peer, Problem,
    accept::prefers_page,
    routes::{CLIENT_CLOSED_REQUEST, Route},
};

/// One request in metrics and log. Dropped unfinished, the request was: its
/// client went away.
pub(super) struct Record<'a> {
    route: &'a Route,
    pub method: Method,
    id: HeaderValue,
    /// Looked up only where it will be logged.
    client: Option<IpAddr>,
    started: Instant,
    cause: Option<String>,
    /// Of a browser, where errors have pages.
    asked: Option<Box<Asked>>,
    finished: bool,
}

impl<'a> Record<'a> {
    /// It has come.
    pub fn start<B>(route: &'a Route, peer: &Peer, request: &Request<B>, id: HeaderValue) -> Self {
        if let Some(metrics) = route.metrics() {
            metrics.requests_in_flight.inc();
        }
        Self {
            route,
            method: request.method().clone(),
            id,
            client: tracing::enabled!(target: "footfall::access", Level::DEBUG)
                .then(|| peer.client(request.headers()))
                .flatten(),
            started: Instant::now(),
            cause: None,
            asked: route.policy.page.and_then(|_| asked(request)),
            finished: false,
        }
    }

    fn id(&self) -> &str {
        self.id.to_str().unwrap_or_default()
    }

    /// Turns an error response into what the route's clients get to see. What only the response
    /// knew, such as `Allow`, is kept.
    pub fn document(&mut self, mut response: Response<Body>) -> Response<Body> {
        let status = response.status();
        let problem = response
            .extensions_mut()
            .remove::<Problem>()
            .or_else(|| Problem::of_status(status));
        let Some(mut problem) = problem else {
            return response;
        };
        self.cause = problem.cause.take();
        let mut document = self
            .route
            .policy
            .show(problem, self.id(), self.asked.as_deref());
        let headers = document.headers_mut();
        // Before any is added: some, such as `Set-Cookie`, are there more than once.
        let own: Vec<_> = headers.keys().cloned().collect();
        for (name, value) in response.headers() {
            if !own.contains(name) && name != header::CONTENT_LENGTH {
                headers.append(name, value.clone());
            }
        }
        document
    }

    /// Of an error that is as its client is to see it, what the log is to know.
    pub fn rendered(&mut self, response: &mut Response<Body>) {
        let problem = response.extensions_mut().remove::<Problem>();
        self.cause = problem.and_then(|problem| problem.cause);
    }

    /// It was answered. Gives its id back.
    pub fn finish(mut self, status: StatusCode) -> HeaderValue {
        self.finished = true;
        self.report(status);
        std::mem::replace(&mut self.id, HeaderValue::from_static(""))
    }

    fn report(&self, status: StatusCode) {
        let elapsed = self.started.elapsed();
        if let Some(metrics) = self.route.metrics() {
            metrics.requests_in_flight.dec();
        }
        self.route.observe(&self.method, status, elapsed);
        self.log(status, elapsed);
    }

    /// Requests are logged at `debug`: at `info` a busy service must stay
    /// quiet, and what ails the store is said once, when it changes. Bugs of
    /// ours are errors.
    fn log(&self, status: StatusCode, elapsed: Duration) {
        macro_rules! access {
            ($level:expr) => {
                tracing::event!(
                    target: "footfall::access",
                    $level,
                    request_id = self.id(),
                    client = self.client.map(tracing::field::display),
                    method = %self.method,
                    route = &*self.route.pattern,
                    status = status.as_u16(),
                    latency_ms = elapsed.as_micros() as f64 / 1000.0,
                    cause = self.cause.as_deref(),
                    "request"
                )
            };
        }
        if status == StatusCode::INTERNAL_SERVER_ERROR {
            access!(Level::ERROR);
        } else {
            access!(Level::DEBUG);
        }
    }
}

fn asked<B>(request: &Request<B>) -> Option<Box<Asked>> {
    prefers_page(request.headers()).then(|| {
        Box::new(Asked {
            uri: request.uri().clone(),
            headers: request.headers().clone(),
        })
    })
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        if !self.finished {
            let status = StatusCode::from_u16(CLIENT_CLOSED_REQUEST)
                .expect("499 is in the range of statuses");
            self.report(status);
        }
    }
}
