//! One service around all routes of a listener, and the only middleware.
//!
//! From the outside in, and why in this order:
//!
//! 1. the request id, because everything after it reports under it;
//! 2. the record for metrics and log, before anything can refuse, time out,
//!    panic or be dropped, so that such requests are seen too;
//! 3. limits on the target, the header fields and the body, and the `Host`;
//! 4. the timeout, and in it the isolation of panics, around the router;
//! 5. on the way out: `OPTIONS`, problem documents, then headers, so that every
//!    response has them, whoever made it.

use std::{
    future::poll_fn, panic::AssertUnwindSafe, pin::pin, sync::Arc, task::Poll, time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes, HttpBody},
    extract::DefaultBodyLimit,
    http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header},
    response::IntoResponse,
};
use futures_util::FutureExt;
use prometheus::IntGauge;
use tokio::{task::unconstrained, time::sleep};
use tokio_util::task::TaskTracker;
use tower_service::Service;

use super::{
    Code, Peer, Policy, Problem,
    cors::Cors,
    head::Head,
    options,
    record::Record,
    request_id::{self, RequestId},
    routes::Routes,
};
use crate::{
    config::{Origin, ServerSettings},
    supervision::Vitals,
};

/// Pages that need more say so themselves.
const CONTENT_SECURITY_POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// What handlers may know about a request beyond its head and body.
#[derive(Debug, Clone)]
pub struct RequestContext {
    /// Its `X-Request-ID`.
    pub id: RequestId,
    /// Who sent it.
    pub peer: Peer,
    /// The pattern of the route it matches.
    pub route: Arc<str>,
}

/// Of an error that is as its client is to see it: a page with a form, what was typed and what is
/// wrong with it. It goes in the response's extensions.
#[derive(Debug, Clone, Copy)]
pub struct Rendered;

/// The edge of one listener.
#[derive(Debug, Clone)]
pub struct Edge {
    router: Router,
    routes: Arc<Routes>,
    vitals: Vitals,
    timeout: Duration,
    proxy_makes_ids: bool,
    cors: Option<Arc<Cors>>,
    background: TaskTracker,
}

impl Edge {
    /// Wraps a router; `routes` has the patterns of it.
    pub fn new(
        router: Router,
        routes: Arc<Routes>,
        vitals: Vitals,
        settings: &ServerSettings,
        background: TaskTracker,
    ) -> Self {
        Self {
            router,
            routes,
            vitals,
            timeout: settings.request_timeout,
            proxy_makes_ids: settings.proxy_request_id,
            cors: None,
            background,
        }
    }

    /// Answers pages of these origins, too.
    #[must_use]
    pub fn with_cors(mut self, origins: &[Origin]) -> Self {
        self.cors = Cors::new(origins).map(Arc::new);
        self
    }

    /// Returns when the work has ended that handlers go on with after their
    /// client has gone. To be called when the last connection has closed.
    pub async fn finished(&self) {
        self.background.close();
        self.background.wait().await;
    }

    /// The gauge of open connections, if this listener's are counted.
    pub fn connections_open(&self) -> Option<&IntGauge> {
        let metrics = self.routes.metrics();
        metrics.map(|metrics| &metrics.connections_open)
    }

    /// Serves one request.
    pub async fn serve<B>(&self, peer: Peer, mut request: Request<B>) -> Response<Body>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        let head = Head::of(&request);
        let id = RequestId::new(head.request_id(), &peer, self.proxy_makes_ids);
        let route = self.routes.of(request.uri().path());
        let mut record = Record::start(route, &peer, &request, id.value.clone());
        let asked = self.cors.as_ref().map(|cors| cors.of(&request));
        let mut response = match head.refusal(&request, &route.policy) {
            Some(problem) => problem.into_response(),
            None if options::is_about_all(&request) => options::of_all(),
            None => {
                request.extensions_mut().insert(RequestContext {
                    id,
                    peer,
                    route: route.pattern.clone(),
                });
                self.route(request, &route.policy).await
            }
        };
        if response.status() == StatusCode::METHOD_NOT_ALLOWED {
            // A browser that is told no would not send what is served to the end.
            let is_preflight = asked.as_ref().is_some_and(|asked| asked.is_preflight);
            let draining = self.vitals.is_draining() && !is_preflight;
            response = options::answer(&record.method, response, draining);
        }
        if is_error(response.status()) {
            match is_rendered(&response) {
                true => record.rendered(&mut response),
                false => response = record.document(response),
            }
        }
        let id = record.finish(response.status());
        leave_length_to_hyper(&mut response);
        add_headers(response.headers_mut(), id);
        if let Some(asked) = asked {
            asked.answer(response.headers_mut());
        }
        response
    }

    async fn route<B>(&self, request: Request<B>, policy: &Policy) -> Response<Body>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        let request = with_body(request, policy.max_body);
        let mut router = self.router.clone();
        let isolated = AssertUnwindSafe(router.call(request)).catch_unwind();
        let limit = policy.timeout.unwrap_or(self.timeout);
        match within(limit, isolated).await {
            Some(Ok(Ok(response))) => response,
            Some(Ok(Err(never))) => match never {},
            // The panic hook has logged the message and the place.
            Some(Err(_)) => Problem::from(Code::Internal)
                .with_cause("the handler panicked")
                .into_response(),
            None => Code::RequestTimeout.into_response(),
        }
    }
}

/// What the future gives, unless that takes longer. What needs no store is mostly there at once, and then no
/// timer is made.
async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    let (mut future, mut timer) = (pin!(future), pin!(None));
    poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        if timer.is_none() {
            // A future that is always ready uses up what one turn of a task may do, and is to end all the same.
            timer.set(Some(unconstrained(sleep(limit))));
        }
        let timer = timer.as_mut().as_pin_mut().expect("it was just made");
        timer.poll(cx).map(|()| None)
    })
    .await
}

/// The request as the router takes it: no more of its body is read than may be, and to have none costs nothing.
fn with_body<B>(request: Request<B>, limit: usize) -> Request<Body>
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    if request.body().is_end_stream() {
        return request.map(|_| Body::empty());
    }
    let mut request = request.map(Body::new);
    DefaultBodyLimit::max(limit).apply(&mut request);
    request
}

fn is_error(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

/// Whether an error is as it is to be seen, and not a [`Problem`] on its way, or the
/// framework's own, which is plain text or nothing. Readiness speaks JSON.
fn is_rendered(response: &Response<Body>) -> bool {
    let content_type = response.headers().get(header::CONTENT_TYPE);
    response.extensions().get::<Rendered>().is_some()
        || content_type.is_some_and(|content_type| content_type == "application/json")
}

/// hyper tells the length of a body that is complete in memory. Without this field those of most answers fit the
/// room that a map makes at first, and to make more of it is dear.
fn leave_length_to_hyper(response: &mut Response<Body>) {
    if response
        .body()
        .size_hint()
        .exact()
        .is_some_and(|length| length > 0)
    {
        response.headers_mut().remove(header::CONTENT_LENGTH);
    }
}

fn add_headers(headers: &mut HeaderMap, id: HeaderValue) {
    headers.insert(request_id::HEADER, id);
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers
        .entry(header::REFERRER_POLICY)
        .or_insert(HeaderValue::from_static("no-referrer"));
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(CONTENT_SECURITY_POLICY);
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::{body::to_bytes, routing::get};

    use super::*;
    use crate::{edge::metrics::HttpMetrics, telemetry::metrics::Registry};

    struct Fixture {
        edge: Edge,
        metrics: Arc<HttpMetrics>,
    }

    /// Routes that no handler of ours is: one that panics, one that never ends, one with limits
    /// and errors of its own.
    fn fixture() -> Fixture {
        let router = Router::new()
            .route("/panic", get(async || -> () { panic!("a bug") }))
            .route("/never", get(async || std::future::pending::<()>().await))
            .route("/own", get(async || std::future::pending::<()>().await));
        let own = Policy {
            max_body: 4096,
            timeout: Some(Duration::from_millis(1)),
            render: |problem, id| format!("{} {id}", problem.detail).into_response(),
            page: None,
        };
        let policies = [
            ("/panic", Policy::default()),
            ("/never", Policy::default()),
            ("/own", own),
        ];
        let patterns = policies.map(|(pattern, policy)| (pattern.to_owned(), policy));
        let metrics = Arc::new(HttpMetrics::register(&Registry::new().unwrap()).unwrap());
        let edge = Edge {
            router,
            routes: Arc::new(Routes::new(patterns, Some(&metrics))),
            vitals: Vitals::default(),
            timeout: Duration::from_millis(20),
            proxy_makes_ids: false,
            cors: None,
            background: TaskTracker::new(),
        };
        Fixture { edge, metrics }
    }

    impl Fixture {
        async fn get(&self, path: &str) -> Response<Body> {
            self.send(path, Body::empty()).await
        }

        async fn send(&self, path: &str, body: Body) -> Response<Body> {
            let peer = Peer::tcp(SocketAddr::from(([192, 0, 2, 1], 5000)), Arc::from([]));
            let request = Request::get(path).header(header::HOST, "localhost");
            self.edge.serve(peer, request.body(body).unwrap()).await
        }

        fn requests(&self, route: &str, status: &str) -> u64 {
            self.metrics
                .requests
                .with_label_values(&["GET", route, status])
                .get()
        }
    }

    async fn text(response: Response<Body>) -> String {
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        String::from_utf8(body.to_vec()).unwrap()
    }

    async fn code(response: Response<Body>) -> serde_json::Value {
        serde_json::from_str::<serde_json::Value>(&text(response).await).unwrap()["code"].clone()
    }

    #[tokio::test]
    async fn a_route_may_have_limits_and_errors_of_its_own() {
        let fixture = fixture();
        let response = fixture.send("/own", vec![0; 4097].into()).await;
        let id = response.headers()[request_id::HEADER].clone();
        let expected = format!("The body is larger than 4 KiB. {}", id.to_str().unwrap());
        assert_eq!(text(response).await, expected);
        let late = text(fixture.get("/own").await).await;
        assert!(late.starts_with("The request took too long"), "{late}");
        for path in ["/panic", "/elsewhere"] {
            let refused = fixture.send(path, vec![0; 16 * 1024 + 1].into()).await;
            assert_eq!(code(refused).await, "payload_too_large", "{path}");
        }
    }

    #[tokio::test]
    async fn a_panic_is_a_500_and_is_counted() {
        let fixture = fixture();
        for times in 1..=2 {
            let response = fixture.get("/panic").await;
            assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
            assert_eq!(code(response).await, "internal_error");
            assert_eq!(fixture.requests("/panic", "500"), times);
        }
        assert_eq!(fixture.metrics.requests_in_flight.get(), 0);
    }

    #[tokio::test]
    async fn a_request_that_takes_too_long_is_a_408_and_is_counted() {
        let fixture = fixture();
        assert_eq!(code(fixture.get("/never").await).await, "request_timeout");
        assert_eq!(fixture.requests("/never", "408"), 1);
        assert_eq!(fixture.metrics.requests_in_flight.get(), 0);
    }

    #[tokio::test]
    async fn a_request_whose_client_went_away_is_counted() {
        let fixture = fixture();
        let mut request = Box::pin(fixture.get("/never"));
        assert!(futures_util::poll!(&mut request).is_pending());
        assert_eq!(fixture.metrics.requests_in_flight.get(), 1);
        drop(request);
        assert_eq!(fixture.requests("/never", "499"), 1);
        assert_eq!(fixture.metrics.requests_in_flight.get(), 0);
    }
}
