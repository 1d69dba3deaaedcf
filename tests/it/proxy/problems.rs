//! What nginx itself has to say is a problem document, too.

use std::{collections::HashSet, os::unix::fs::symlink};

use hyper::Method;
use tokio::net::UnixListener;

use crate::support::{
    Reply,
    proxy::{Prepared, Proxy, send},
    reader::ACCEPT,
};

/// Checks a problem document of nginx' own, and gives its code.
#[track_caller]
pub fn problem_of_nginx(reply: &Reply) -> String {
    assert_eq!(reply.header("server"), Some("nginx"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(reply.header("strict-transport-security"), None);
    assert_eq!(reply.header("referrer-policy"), None, "a replica's");
    let names: HashSet<_> = reply.headers.keys().collect();
    assert_eq!(names.len(), reply.headers.len(), "twice: {reply:?}");
    let wait = reply.header("retry-after").is_some();
    assert_eq!(wait, matches!(reply.status.as_u16(), 429 | 502..=504));
    reply.problem()
}

#[tokio::test]
async fn no_replica() {
    let proxy = Proxy::start();
    let mut client = proxy.client();
    for path in ["/api/count", "/", "/swagger/swagger-ui.css", "/nowhere"] {
        let reply = client.get(path).await;
        assert_eq!(
            (reply.status.as_u16(), problem_of_nginx(&reply).as_str()),
            (502, "no_replica")
        );
    }
    let reply = client.send(Method::HEAD, "/api/count", &[], "").await;
    assert_eq!((reply.status.as_u16(), reply.text().as_str()), (502, ""));
    let reply = client.login("admin", "password").await;
    assert_eq!(problem_of_nginx(&reply), "no_replica");
}

/// Where nobody takes a body, how long it is is not what is wrong. Each is longer than other paths than its own take.
#[tokio::test]
async fn no_replica_for_a_long_body() {
    let proxy = Proxy::start();
    for (path, most) in [
        ("/api/visits", 1 << 20),
        ("/api/audiences", 64 << 10),
        ("/api/presets/x", 64 << 10),
        ("/api/build-filter", 64 << 10),
        ("/api/build-audience?as_of=x", 64 << 10),
        ("/console/audiences", 64 << 10),
        ("/console/reset?token=x", 64 << 10),
    ] {
        for bytes in [(16 << 10) + 1, most] {
            let body = "x".repeat(bytes);
            let chunks = format!(
                "POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n{bytes:x}\r\n{body}\r\n0\r\n\r\n"
            );
            let mut client = proxy.client();
            let sized = client.send(Method::POST, path, &[], &body).await;
            for mut reply in [sized, send(&proxy.address, chunks.as_bytes()).await] {
                // Where a link of a mail leads, whatever is wrong.
                let referrer = reply.headers.remove("referrer-policy");
                assert_eq!(referrer.is_some(), path.contains("token="), "{path}");
                let said = (reply.status.as_u16(), problem_of_nginx(&reply));
                assert_eq!(said, (502, "no_replica".to_owned()), "{path} {bytes}");
            }
            let accept = [("accept", ACCEPT)];
            let reply = client.send(Method::POST, path, &accept, &body).await;
            assert_eq!(reply.status, 502, "{path} {bytes}");
            let page = reply.header("content-type");
            assert_eq!(page, Some("text/html; charset=utf-8"), "{path} {bytes}");
            assert!(reply.text().contains("<p>502</p>"), "{}", reply.text());
        }
    }
}

/// Nor where somebody takes it and does not answer.
#[tokio::test]
async fn no_answer_to_a_long_body() {
    let proxy = Prepared::new("http.conf")
        .replace("proxy_read_timeout 2s;", "proxy_read_timeout 50ms;")
        .replace(
            "proxy_next_upstream_timeout 5s;",
            "proxy_next_upstream_timeout 100ms;",
        )
        .start();
    // As long as nobody accepts it, it waits.
    let first = proxy.path("sockets/1.sock");
    let _hangs = UnixListener::bind(&first).unwrap();
    for slot in 2..=32 {
        symlink(&first, proxy.path(&format!("sockets/{slot}.sock"))).unwrap();
    }
    let body = "x".repeat(20_000);
    let mut client = proxy.client();
    let reply = client.send(Method::POST, "/api/visits", &[], &body).await;
    let said = (reply.status.as_u16(), problem_of_nginx(&reply));
    assert_eq!(said, (504, "no_answer".to_owned()));
}

#[tokio::test]
async fn what_is_internal_is_nowhere() {
    let proxy = Proxy::start();
    let _replica = proxy.replica().start();
    let mut client = proxy.client();
    for path in [
        "/metrics",
        "/metrics/",
        "//metrics",
        "/metrics?x=1",
        "/%6detrics",
        "/x/../metrics",
        "/readyz",
        "/version",
        "/version/x",
        "/stub_status/../metrics",
        "/nginx-problem",
    ] {
        let reply = client.get(path).await;
        assert_eq!(
            (reply.status.as_u16(), problem_of_nginx(&reply).as_str()),
            (404, "not_found"),
            "{path}"
        );
    }
    for path in [
        "/METRICS",
        "/stub_status",
        "/health",
        "/metricsx",
        "/.git/config",
        "/.git/HEAD",
        "/.env",
    ] {
        let reply = client.get(path).await;
        assert_eq!(reply.status, 404, "{path}");
        assert!(reply.header("referrer-policy").is_some(), "a replica's");
    }
    assert_eq!(client.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn too_large() {
    let proxy = Proxy::start();
    let _replica = proxy.replica().start();
    let mut client = proxy.client().logged_in().await;
    let long = "x".repeat(20_000);

    let reply = client.post_json("/auth/login", &long).await;
    assert_eq!(
        (reply.status.as_u16(), problem_of_nginx(&reply).as_str()),
        (413, "payload_too_large")
    );
    let reply = client.get(&format!("/{long}")).await;
    assert_eq!(
        (reply.status.as_u16(), problem_of_nginx(&reply).as_str()),
        (414, "uri_too_long")
    );
    for headers in [vec![("x", long.as_str())], vec![("x", &long[..9000]); 10]] {
        let reply = client.send(Method::GET, "/", &headers, "").await;
        assert_eq!(
            (reply.status.as_u16(), problem_of_nginx(&reply).as_str()),
            (431, "headers_too_large")
        );
    }
    let chunks = format!(
        "POST /auth/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n{}0\r\n\r\n",
        format!("1000\r\n{}\r\n", "x".repeat(0x1000)).repeat(5)
    );
    let reply = send(&proxy.address, chunks.as_bytes()).await;
    assert_eq!(
        (reply.status.as_u16(), problem_of_nginx(&reply).as_str()),
        (413, "payload_too_large")
    );

    // The same is refused by a replica under the same code, and what fits reaches one.
    let reply = client.get(&format!("/{}", &long[..9000])).await;
    assert_eq!(
        (reply.status.as_u16(), reply.problem().as_str()),
        (414, "uri_too_long")
    );
    let body = serde_json::json!({ "username": "admin", "password": &long[..16_000] });
    let reply = client.post_json("/auth/login", &body.to_string()).await;
    assert_eq!(reply.status, 401);
}

#[tokio::test]
async fn what_is_no_http() {
    let proxy = Proxy::start();
    for (request, status, code) in [
        ("RUBBISH\r\n\r\n", 400, "bad_request"),
        ("GET / HTTP/1.1\r\n\r\n", 400, "bad_request"),
        ("GET /../.. HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request"),
        ("GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request"),
        (
            "CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
            400,
            "bad_request",
        ),
        (
            "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
            400,
            "bad_request",
        ),
        (
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
            400,
            "bad_request",
        ),
        (
            "TRACE / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            405,
            "method_not_allowed",
        ),
        (
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: x\r\nConnection: close\r\n\r\n",
            501,
            "proxy_error",
        ),
        ("GET / HTTP/7.0\r\nHost: x\r\n\r\n", 505, "proxy_error"),
    ] {
        let reply = send(&proxy.address, request.as_bytes()).await;
        assert_eq!(
            (reply.status.as_u16(), problem_of_nginx(&reply).as_str()),
            (status, code),
            "{request}"
        );
    }
}

#[tokio::test]
async fn a_flood_of_logins() {
    let proxy = Proxy::start();
    let _replica = proxy.replica().start();
    let mut client = proxy.client();
    for _ in 0..500 {
        let reply = client.post_json("/auth/login", "{").await;
        if reply.status == 429 {
            assert_eq!(problem_of_nginx(&reply), "too_many_requests");
            assert_eq!(client.get("/api/ping").await.status, 200);
            return;
        }
        assert_eq!(reply.problem(), "invalid_json");
    }
    panic!("500 logins in a row were let through");
}
