//! The HTTP contract: routes, shapes, headers, errors.

use hyper::Method;
use serde_json::json;

use crate::support::TestApp;

mod bodies;
mod errors;
pub mod options;
mod pages;

#[tokio::test]
async fn the_routes_answer_as_promised() {
    let app = TestApp::start().await;
    let mut client = app.client();
    assert_eq!(
        client.get("/api/ping").await.json(),
        json!({ "status": "ok" })
    );
    assert_eq!(
        client.get("/healthz").await.json(),
        json!({ "status": "ok" })
    );
    let login = client.login("admin", "password").await.json();
    assert_eq!(
        (&login["token_type"], &login["expires_in"]),
        (&json!("Bearer"), &json!(900))
    );
    let mut client = client.with_token(login["token"].as_str().unwrap());
    assert_eq!(
        client.get("/api/count").await.json(),
        json!({ "visits": 1 })
    );
    assert_eq!(
        client.post("/api/counters/a.b-c_d").await.json(),
        json!({ "name": "a.b-c_d", "visits": 1 })
    );
    assert_eq!(
        client.get("/api/counters/a.b-c_d").await.json(),
        json!({ "name": "a.b-c_d", "visits": 1 })
    );
    let counters = json!([{ "name": "a.b-c_d", "visits": 1 }, { "name": "visits", "visits": 1 }]);
    assert_eq!(
        client.get("/api/counters").await.json(),
        json!({ "counters": counters, "next": null })
    );
    assert_eq!(client.get("/openapi.json").await.json()["openapi"], "3.1.0");
    for page in ["/", "/swagger/"] {
        let reply = client.get(page).await;
        assert_eq!(
            (
                reply.status.as_u16(),
                reply
                    .header("content-type")
                    .unwrap()
                    .starts_with("text/html")
            ),
            (200, true),
            "{page}"
        );
    }

    let mut ops = app.ops_client();
    assert_eq!(ops.get("/healthz").await.json(), json!({ "status": "ok" }));
    app.ready().await;
    let ready = json!({ "status": "ready", "dependencies": { "store": { "kind": "sqlite", "state": "up" } } });
    assert_eq!(ops.get("/readyz").await.json(), ready);
    assert_eq!(
        ops.get("/version").await.json()["version"],
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(
        ops.get("/metrics").await.header("content-type"),
        Some("text/plain; version=0.0.4")
    );
}

#[tokio::test]
async fn every_response_has_its_headers() {
    let app = TestApp::builder()
        .env("FOOTFALL_PROXY_REQUEST_ID", "on")
        .start()
        .await;
    let mut clients = [app.client(), app.proxy(), app.ops_client()];
    for client in &mut clients {
        for path in [
            "/",
            "/api/ping",
            "/api/count",
            "/nothing",
            "/swagger/",
            "/healthz",
            "/metrics",
        ] {
            let reply = client.get(path).await;
            assert!(!reply.header("x-request-id").unwrap().is_empty(), "{path}");
            assert_eq!(
                reply.header("x-content-type-options"),
                Some("nosniff"),
                "{path}"
            );
            assert_eq!(
                reply.header("referrer-policy"),
                Some("no-referrer"),
                "{path}"
            );
            assert!(
                reply
                    .header("content-security-policy")
                    .unwrap()
                    .contains("frame-ancestors 'none'"),
                "{path}"
            );
        }
    }
    let [mut stranger, mut proxy, _] = clients;
    let sent = [("x-request-id", "from-outside")];
    assert_ne!(
        stranger
            .send(Method::GET, "/api/ping", &sent, "")
            .await
            .header("x-request-id"),
        Some("from-outside")
    );
    assert_eq!(
        proxy
            .send(Method::GET, "/api/ping", &sent, "")
            .await
            .header("x-request-id"),
        Some("from-outside")
    );
    let ids = [
        stranger.get("/api/ping").await,
        stranger.get("/api/ping").await,
    ];
    assert_ne!(ids[0].header("x-request-id"), ids[1].header("x-request-id"));
}

/// Each body says what it is, and text in which charset.
#[tokio::test]
async fn every_body_has_its_content_type() {
    let app = TestApp::start().await;
    let mut client = app.client().logged_in().await;
    for path in [
        "/",
        "/api/ping",
        "/api/count",
        "/api/counters",
        "/api/audit",
        "/auth/me",
        "/nothing",
        "/openapi.json",
        "/swagger/",
        "/swagger/swagger-ui.css",
        "/swagger/swagger-ui-bundle.js",
        "/console/register",
        "/console/confirm?token=x",
    ] {
        let reply = client.get(path).await;
        assert!(!reply.body.is_empty(), "{path}");
        let said = reply.header("content-type").unwrap_or_default();
        assert!(said.contains('/'), "{path}: {said}");
        // JSON is UTF-8 by itself (RFC 8259), and scripts and styles are what the page is.
        if said.starts_with("text/html") || said.starts_with("text/plain") {
            assert!(said.ends_with("; charset=utf-8"), "{path}: {said}");
        }
    }
}

/// No route changes its protocol: there are no WebSockets.
#[tokio::test]
async fn no_protocol_is_switched_to() {
    let app = TestApp::start().await;
    let mut client = app.client().logged_in().await;
    let asked = [
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    for (path, status) in [
        ("/", 200),
        ("/api/ping", 200),
        ("/api/count", 200),
        ("/nothing", 404),
    ] {
        let reply = client.send(Method::GET, path, &asked, "").await;
        assert_eq!(reply.status, status, "{path}");
        assert_eq!(reply.header("upgrade"), None, "{path}");
    }
}
