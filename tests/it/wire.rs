//! HTTP as it comes over the wire: questions about all, HEAD, hosts, framing, slow bodies.

use hyper::Method;
use rustix::process::Signal;

use tokio::net::UnixStream;

use crate::{
    contract::options::ROUTES,
    support::{
        Footfall, Reply,
        proxy::{exchange, send},
    },
};

/// Sends this head, with what every request needs, and reads the whole answer.
async fn ask(footfall: &Footfall, line: &str, fields: &str) -> Reply {
    let request = format!("{line}\r\nConnection: close\r\n{fields}\r\n");
    send(&footfall.public(), request.as_bytes()).await
}

/// Proxies pass on what siblings ask each other by, too: over a socket it is a request like any.
#[tokio::test(flavor = "multi_thread")]
async fn questions_about_all() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("f.sock");
    let footfall = Footfall::builder().socket(&socket).start();
    let all = Some("GET, HEAD, OPTIONS, POST");
    let one = Some("GET, HEAD, OPTIONS");
    for (line, status, allow) in [
        ("OPTIONS * HTTP/1.1\r\nHost: x", 204, all),
        ("OPTIONS * HTTP/1.0", 204, all),
        ("OPTIONS / HTTP/1.0", 204, one),
        ("OPTIONS * HTTP/1.1", 400, None),
        ("OPTIONS * HTTP/1.0\r\nFootfall-Sibling: me", 204, all),
        ("GET * HTTP/1.0", 404, None),
        ("GET * HTTP/1.0\r\nFootfall-Sibling: fit?", 404, None),
    ] {
        let request = format!("{line}\r\nConnection: close\r\n\r\n");
        let stream = UnixStream::connect(&socket).await.unwrap();
        let unix = exchange(stream, request.as_bytes()).await;
        let tcp = ask(&footfall, line, "").await;
        for reply in [tcp, unix] {
            assert_eq!(
                (reply.status.as_u16(), reply.header("allow")),
                (status, allow),
                "{line}"
            );
            assert!(reply.header("x-request-id").is_some(), "{line}");
        }
    }
    let series = r#"http_requests_total{method="OPTIONS",route="/",status="204"}"#;
    assert_eq!(footfall.metric(series).await, Some(2.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn options_tell_of_a_drain() {
    let footfall = Footfall::builder()
        .env("FOOTFALL_DRAIN_DELAY", "60s")
        .start();
    footfall.process.signal(Signal::TERM);
    footfall.logged("draining");
    let mut client = footfall.client();
    let reply = client.send(Method::OPTIONS, "/", &[], "").await;
    assert_eq!(
        (reply.status.as_u16(), reply.problem().as_str()),
        (503, "draining")
    );
    assert_eq!(reply.header("allow"), Some("GET, HEAD, OPTIONS"));
    assert!(reply.header("retry-after").is_some());
    assert_eq!(
        ask(&footfall, "OPTIONS * HTTP/1.0", "").await.problem(),
        "draining"
    );
    let reply = client.send(Method::OPTIONS, "/nothing", &[], "").await;
    assert_eq!(reply.problem(), "not_found");
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let footfall = Footfall::start();
    let mut client = footfall.client().logged_in().await;
    client.get("/api/count").await;
    for (path, allow) in ROUTES.iter().filter(|(_, allow)| allow.contains("GET")) {
        if *path == "/api/count" {
            continue;
        }
        let get = client.get(path).await;
        let head = client.send(Method::HEAD, path, &[], "").await;
        assert_eq!(
            (get.status, head.text().as_str()),
            (head.status, ""),
            "{path} {allow}"
        );
        for name in [
            "content-type",
            "location",
            "content-security-policy",
            "cache-control",
        ] {
            assert_eq!(get.header(name), head.header(name), "{path} {name}");
        }
    }
    for path in ["/nothing", "/auth/login", "/api/counters/UPPER"] {
        let get = client.get(path).await;
        let head = client.send(Method::HEAD, path, &[], "").await;
        assert_eq!(
            (get.status, head.text().as_str()),
            (head.status, ""),
            "{path}"
        );
        assert_eq!(
            head.header("content-type"),
            Some("application/problem+json")
        );
    }
    assert_eq!(client.get("/api/counters/visits").await.visits(), 1);
}

#[tokio::test]
async fn hosts_and_targets() {
    let footfall = Footfall::start();
    for (line, fields, status) in [
        ("GET /api/ping HTTP/1.1", "Host: a.example:8000\r\n", 200),
        ("GET /api/ping HTTP/1.1", "Host: [::1]:8000\r\n", 200),
        ("GET /api/ping HTTP/1.1", "", 400),
        ("GET /api/ping HTTP/1.1", "Host:\r\n", 400),
        ("GET /api/ping HTTP/1.1", "Host: a\r\nHost: b\r\n", 400),
        ("GET /api/ping HTTP/1.1", "Host: a\r\nHost: a\r\n", 400),
        ("GET /api/ping HTTP/1.1", "Host: a, b\r\n", 400),
        ("GET /api/ping HTTP/1.1", "Host: user@a\r\n", 400),
        ("GET /api/ping HTTP/1.1", "Host: a/b\r\n", 400),
        ("GET /nothing HTTP/1.1", "", 400),
        ("GET /api/ping HTTP/1.0", "", 200),
        ("GET /api/ping HTTP/1.0", "Host:\r\n", 200),
        ("GET /api/ping HTTP/1.0", "Host: a\r\nHost: a\r\n", 400),
        (
            "GET http://b.example/api/ping HTTP/1.1",
            "Host: b.example\r\n",
            200,
        ),
        ("GET http://b.example/api/ping HTTP/1.1", "", 400),
        ("GET http://b.example/api/ping HTTP/1.0", "", 200),
        ("GET http://b.example HTTP/1.1", "Host: b.example\r\n", 200),
    ] {
        let reply = ask(&footfall, line, fields).await;
        assert_eq!(reply.status, status, "{line} {fields}: {reply:?}");
        if status == 400 {
            assert_eq!(reply.problem(), "bad_request");
            assert!(reply.json()["detail"].as_str().unwrap().contains("Host"));
        }
    }
    let reply = ask(
        &footfall,
        "CONNECT a.example:80 HTTP/1.1",
        "Host: a.example:80\r\n",
    )
    .await;
    assert_eq!(reply.problem(), "not_found");
    // It is scraped and asked by programs, too.
    let request = b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n";
    assert_eq!(
        send(&footfall.ops(), request).await.problem(),
        "bad_request"
    );
}

const BODY: &str = r#"{"username":"admin","password":"password"}"#;

#[tokio::test]
async fn framing() {
    let footfall = Footfall::start();
    let line = "POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json";
    let length = BODY.len();
    let chunked = format!("{length:x}\r\n{BODY}\r\n0\r\n\r\n");
    for (fields, body, status) in [
        (format!("Content-Length: {length}\r\n"), BODY, 200),
        (
            format!("Content-Length: {length}\r\nContent-Length: {length}\r\n"),
            BODY,
            200,
        ),
        (
            format!("Content-Length: {length}\r\nContent-Length: 1\r\n"),
            BODY,
            400,
        ),
        ("Transfer-Encoding: chunked\r\n".to_owned(), &chunked, 200),
        // The length is ignored, and the connection ends (RFC 9112, 6.1).
        (
            "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n".to_owned(),
            &chunked,
            200,
        ),
        (
            "Transfer-Encoding: gzip, chunked\r\n".to_owned(),
            &chunked,
            400,
        ),
        ("Transfer-Encoding: identity\r\n".to_owned(), BODY, 400),
    ] {
        let request = format!("{line}\r\nConnection: close\r\n{fields}\r\n{body}");
        let reply = send(&footfall.public(), request.as_bytes()).await;
        assert_eq!(reply.status, status, "{fields}: {reply:?}");
    }
    let request =
        format!("{line}\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n{chunked}");
    let reply = send(&footfall.public(), request.as_bytes()).await;
    assert_eq!(
        (reply.status.as_u16(), reply.header("connection")),
        (200, Some("close"))
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
