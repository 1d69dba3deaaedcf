//! The methods of each route.

use hyper::Method;

use crate::support::TestApp;

/// Every public route, and what is allowed there.
pub const ROUTES: &[(&str, &str)] = &[
    ("/", "GET, HEAD, OPTIONS"),
    ("/swagger", "GET, HEAD, OPTIONS"),
    ("/swagger/", "GET, HEAD, OPTIONS"),
    ("/swagger/swagger-ui.css", "GET, HEAD, OPTIONS"),
    ("/openapi.json", "GET, HEAD, OPTIONS"),
    ("/api/ping", "GET, HEAD, OPTIONS"),
    ("/healthz", "GET, HEAD, OPTIONS"),
    ("/auth/login", "OPTIONS, POST"),
    ("/api/count", "GET, HEAD, OPTIONS"),
    ("/api/counters", "GET, HEAD, OPTIONS"),
    ("/api/counters/visits", "GET, HEAD, OPTIONS, POST"),
];

#[tokio::test]
async fn options_tell_the_methods_of_every_route() {
    let app = TestApp::start().await;
    let mut client = app.client();
    for (path, allow) in ROUTES {
        let reply = client.send(Method::OPTIONS, path, &[], "").await;
        assert_eq!(
            (reply.status.as_u16(), reply.text().as_str()),
            (204, ""),
            "{path}"
        );
        assert_eq!(reply.header("allow"), Some(*allow), "{path}");
        for method in [Method::DELETE, Method::PATCH, Method::TRACE] {
            let reply = client.send(method, path, &[], "").await;
            assert_eq!(reply.problem(), "method_not_allowed", "{path}");
            assert_eq!(reply.header("allow"), Some(*allow), "{path}");
        }
    }
    for path in [
        "/nothing",
        "/metrics",
        "/api",
        "/api/ping/",
        "//api/ping",
        "/api/counters/a/b",
    ] {
        let reply = client.send(Method::OPTIONS, path, &[], "").await;
        assert_eq!(reply.problem(), "not_found", "{path}");
    }
    let mut ops = app.ops_client();
    for path in ["/metrics", "/healthz", "/readyz", "/version"] {
        let reply = ops.send(Method::OPTIONS, path, &[], "").await;
        assert_eq!(
            (reply.status.as_u16(), reply.header("allow")),
            (204, Some("GET, HEAD, OPTIONS"))
        );
    }
}
