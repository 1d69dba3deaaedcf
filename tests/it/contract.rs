//! The HTTP contract: routes, shapes, headers, errors.

use hyper::Method;
use serde_json::json;

use crate::support::{Client, Footfall};

#[tokio::test]
async fn the_routes_answer_as_promised() {
    let footfall = Footfall::start();
    let mut client = footfall.client();
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
        (&json!("Bearer"), &json!(3600))
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

    let mut ops = footfall.ops_client();
    assert_eq!(ops.get("/healthz").await.json(), json!({ "status": "ok" }));
    footfall.logged("store is up");
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
async fn head_never_counts() {
    let footfall = Footfall::start();
    let mut client = footfall.client().logged_in().await;
    for _ in 0..3 {
        let reply = client.send(Method::HEAD, "/api/count", &[], "").await;
        assert_eq!((reply.status.as_u16(), reply.body.len()), (200, 0));
        client
            .send(Method::HEAD, "/api/counters/visits", &[], "")
            .await;
    }
    assert_eq!(
        footfall
            .client()
            .send(Method::HEAD, "/api/count", &[], "")
            .await
            .status,
        401
    );
    assert_eq!(client.get("/api/count").await.visits(), 1);
}

#[tokio::test]
async fn every_error_is_a_problem_document() {
    let footfall = Footfall::start();
    let mut client = footfall.client().logged_in().await;
    let long_path = format!("/{}", "x".repeat(9000));
    let long_name = format!("/api/counters/{}", "x".repeat(65));
    let long_value = "x".repeat(17_000);
    let json = ("content-type", "application/json");
    let (get, post) = (Method::GET, Method::POST);
    type Case<'a> = (
        Method,
        &'a str,
        &'a [(&'a str, &'a str)],
        &'a str,
        u16,
        &'a str,
    );
    let cases: &[Case<'_>] = &[
        (get.clone(), "/nothing", &[], "", 404, "not_found"),
        (get.clone(), "/metrics", &[], "", 404, "not_found"),
        (get.clone(), "/readyz", &[], "", 404, "not_found"),
        (get.clone(), "/api/counters/", &[], "", 404, "not_found"),
        (
            get.clone(),
            "/swagger/nothing.js",
            &[],
            "",
            404,
            "not_found",
        ),
        (
            post.clone(),
            "/api/ping",
            &[],
            "",
            405,
            "method_not_allowed",
        ),
        (
            Method::DELETE,
            "/api/counters/visits",
            &[],
            "",
            405,
            "method_not_allowed",
        ),
        (
            get.clone(),
            "/auth/login",
            &[],
            "",
            405,
            "method_not_allowed",
        ),
        (
            post.clone(),
            "/auth/login",
            &[],
            "{}",
            415,
            "unsupported_media_type",
        ),
        (
            post.clone(),
            "/auth/login",
            &[("content-type", "text/plain")],
            "{}",
            415,
            "unsupported_media_type",
        ),
        (
            post.clone(),
            "/auth/login",
            &[json],
            "",
            400,
            "invalid_json",
        ),
        (
            post.clone(),
            "/auth/login",
            &[json],
            "{\"username\":",
            400,
            "invalid_json",
        ),
        (
            post.clone(),
            "/auth/login",
            &[json],
            "{\"username\":\"admin\"}",
            422,
            "invalid_body",
        ),
        (
            post.clone(),
            "/auth/login",
            &[json],
            "{\"username\":\"admin\",\"password\":1}",
            422,
            "invalid_body",
        ),
        (
            post.clone(),
            "/auth/login",
            &[json],
            "[]",
            422,
            "invalid_body",
        ),
        (
            post.clone(),
            "/auth/login",
            &[json],
            &long_value,
            413,
            "payload_too_large",
        ),
        (
            post.clone(),
            "/api/ping",
            &[],
            &long_value,
            413,
            "payload_too_large",
        ),
        (get.clone(), &long_path, &[], "", 414, "uri_too_long"),
        (
            get.clone(),
            "/api/ping",
            &[("x-long", &long_value)],
            "",
            431,
            "headers_too_large",
        ),
        (
            get.clone(),
            "/api/counters/UPPER",
            &[],
            "",
            400,
            "invalid_counter_name",
        ),
        (
            get.clone(),
            "/api/counters/a%2Fb",
            &[],
            "",
            400,
            "invalid_counter_name",
        ),
        (
            get.clone(),
            "/api/counters/%FF",
            &[],
            "",
            400,
            "bad_request",
        ),
        (
            post.clone(),
            "/api/counters/.hidden",
            &[],
            "",
            400,
            "invalid_counter_name",
        ),
        (
            post.clone(),
            &long_name,
            &[],
            "",
            400,
            "invalid_counter_name",
        ),
        (
            get.clone(),
            "/api/counters?limit=0",
            &[],
            "",
            400,
            "invalid_query",
        ),
        (
            get.clone(),
            "/api/counters?limit=1001",
            &[],
            "",
            400,
            "invalid_query",
        ),
        (
            get.clone(),
            "/api/counters?limit=many",
            &[],
            "",
            400,
            "invalid_query",
        ),
        (
            get.clone(),
            "/api/counters?cursor=UPPER",
            &[],
            "",
            400,
            "invalid_query",
        ),
        (
            get.clone(),
            "/api/counters?page=2",
            &[],
            "",
            400,
            "invalid_query",
        ),
        (
            get.clone(),
            "/api/counters/never",
            &[],
            "",
            404,
            "counter_not_found",
        ),
    ];
    for (method, path, headers, body, status, code) in cases {
        let reply = client.send(method.clone(), path, headers, body).await;
        assert_eq!(
            (reply.status.as_u16(), reply.problem().as_str()),
            (*status, *code),
            "{method} {path}"
        );
        assert_eq!(
            reply.status == 405,
            reply.headers.contains_key("allow"),
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn a_malformed_idempotency_key_is_refused_and_not_counted() {
    let footfall = Footfall::start();
    let mut client = footfall.client().logged_in().await;
    let long = "x".repeat(256);
    for key in ["", "two words", "tab\tbed", "schön", &long] {
        for (method, path) in [
            (Method::GET, "/api/count"),
            (Method::POST, "/api/counters/visits"),
        ] {
            let reply = client
                .send(method, path, &[("idempotency-key", key)], "")
                .await;
            assert_eq!(
                (reply.status.as_u16(), reply.problem().as_str()),
                (400, "invalid_idempotency_key"),
                "{key:?}"
            );
        }
    }
    let reply = client
        .send(
            Method::GET,
            "/api/count",
            &[("idempotency-key", "a"), ("idempotency-key", "a")],
            "",
        )
        .await;
    assert_eq!(reply.problem(), "invalid_idempotency_key");
    let longest = "x".repeat(255);
    assert_eq!(
        client
            .send(
                Method::GET,
                "/api/count",
                &[("idempotency-key", &longest)],
                ""
            )
            .await
            .visits(),
        1
    );
}

#[tokio::test]
async fn every_response_has_its_headers() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("f.sock");
    let footfall = Footfall::builder().socket(&socket).start();
    let mut clients = [
        footfall.client(),
        Client::unix(socket),
        footfall.ops_client(),
    ];
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

#[tokio::test]
async fn a_slow_body_is_cut_with_408_and_seen_in_the_metrics() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let footfall = Footfall::builder()
        .env("FOOTFALL_REQUEST_TIMEOUT", "300ms")
        .env("FOOTFALL_STORE_TIMEOUT", "200ms")
        .start();
    let mut stream = tokio::net::TcpStream::connect(footfall.public())
        .await
        .unwrap();
    let head = "POST /auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 40\r\n\r\n{\"user";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut reply = vec![0; 4096];
    let length = stream.read(&mut reply).await.unwrap();
    let reply = String::from_utf8_lossy(&reply[..length]);
    assert!(
        reply.starts_with("HTTP/1.1 408 ") && reply.contains("request_timeout"),
        "{reply}"
    );
    let series = r#"http_requests_total{method="POST",route="/auth/login",status="408"}"#;
    assert_eq!(footfall.metric(series).await, Some(1.0));
}
