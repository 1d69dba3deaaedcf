//! HTTP as it comes over the wire: methods, hosts, framing, bodies, tokens, queries.

use hyper::Method;
use rustix::process::Signal;
use serde_json::json;

use tokio::net::UnixStream;

use crate::support::{
    Footfall, Reply,
    proxy::{exchange, send},
};

/// Sends this head, with what every request needs, and reads the whole answer.
async fn ask(footfall: &Footfall, line: &str, fields: &str) -> Reply {
    let request = format!("{line}\r\nConnection: close\r\n{fields}\r\n");
    send(&footfall.public(), request.as_bytes()).await
}

const ROUTES: &[(&str, &str)] = &[
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
    let footfall = Footfall::start();
    let mut client = footfall.client();
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
    let mut ops = footfall.ops_client();
    for path in ["/metrics", "/healthz", "/readyz", "/version"] {
        let reply = ops.send(Method::OPTIONS, path, &[], "").await;
        assert_eq!(
            (reply.status.as_u16(), reply.header("allow")),
            (204, Some("GET, HEAD, OPTIONS"))
        );
    }
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
async fn bodies_of_a_login() {
    let footfall = Footfall::start();
    let mut client = footfall.client();
    let marked = format!("\u{feff}{BODY}");
    let json = "application/json";
    for (content_type, coding, body, status, code) in [
        (json, None, BODY, 200, ""),
        ("application/json; charset=utf-8", None, BODY, 200, ""),
        ("application/json;charset=\"UTF-8\"", None, BODY, 200, ""),
        (json, None, &marked, 200, ""),
        (json, Some("identity"), BODY, 200, ""),
        (
            "application/json; charset=utf-16",
            None,
            BODY,
            415,
            "unsupported_media_type",
        ),
        (
            "application/json; charset=latin1",
            None,
            BODY,
            415,
            "unsupported_media_type",
        ),
        ("text/plain", None, BODY, 415, "unsupported_media_type"),
        (
            json,
            Some("gzip"),
            BODY,
            415,
            "unsupported_content_encoding",
        ),
        (json, Some("br"), BODY, 415, "unsupported_content_encoding"),
        (
            json,
            Some("identity, deflate"),
            BODY,
            415,
            "unsupported_content_encoding",
        ),
    ] {
        let mut headers = vec![("content-type", content_type)];
        headers.extend(coding.map(|coding| ("content-encoding", coding)));
        let reply = client
            .send(Method::POST, "/auth/login", &headers, body)
            .await;
        assert_eq!(reply.status, status, "{headers:?}: {reply:?}");
        if status != 200 {
            assert_eq!(reply.problem(), code, "{headers:?}");
        }
        let accepted = coding.filter(|_| status == 415).map(|_| "identity");
        assert_eq!(reply.header("accept-encoding"), accepted, "{headers:?}");
    }
    let head = format!(
        "POST /auth/login HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {json}\r\nContent-Length: 3\r\n\r\n"
    );
    let reply = send(&footfall.public(), &[head.as_bytes(), b"\"\xff\""].concat()).await;
    assert_eq!(reply.problem(), "invalid_json");
    assert!(reply.json()["detail"].as_str().unwrap().contains("UTF-8"));
}

#[tokio::test]
async fn what_is_wrong_with_a_token_is_said() {
    let footfall = Footfall::start();
    let token = footfall.token().await;
    for (value, code, word) in [
        (format!("Bearer Bearer {token}"), "invalid_token", "twice"),
        (format!("Bearer \"{token}\""), "invalid_token", "quotation"),
        (format!("Bearer {token} {token}"), "invalid_token", "blank"),
        (
            format!("Bearer {{\"token\":\"{token}\"}}"),
            "invalid_token",
            "braces",
        ),
        (
            format!("Bearer {}", &token[..40]),
            "invalid_token",
            "three parts",
        ),
        ("Bearer $TOKEN".to_owned(), "invalid_token", "variable"),
        ("Bearer null".to_owned(), "invalid_token", "word"),
        ("Bearer".to_owned(), "invalid_token", "Nothing"),
        (token.clone(), "missing_token", "scheme"),
        (
            "Basic YWRtaW46cGFzc3dvcmQ=".to_owned(),
            "missing_token",
            "Basic",
        ),
        (format!("Bearer: {token}"), "missing_token", "colon"),
    ] {
        let mut client = footfall.client().with("authorization", &value);
        let reply = client.get("/api/count").await;
        assert_eq!(
            (reply.status.as_u16(), reply.problem().as_str()),
            (401, code),
            "{value}"
        );
        let detail = reply.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(word), "{value}: {detail}");
        assert!(!reply.text().contains(&token[..40]), "{value}");
        let challenge = reply.header("www-authenticate").unwrap();
        let names_error = challenge.contains("error=\"invalid_token\"");
        assert_eq!(names_error, code == "invalid_token", "{value}: {challenge}");
    }
    let mut twice = footfall.client().with_token(&token).with_token(&token);
    let reply = twice.get("/api/count").await;
    assert!(
        reply
            .header("www-authenticate")
            .unwrap()
            .contains("error=\"invalid_request\"")
    );
    let mut lower = footfall
        .client()
        .with("authorization", &format!("bearer {token}"));
    assert_eq!(lower.get("/api/count").await.visits(), 1);
}

#[tokio::test]
async fn pages_of_counters() {
    let footfall = Footfall::start();
    let mut client = footfall.client().logged_in().await;
    // Names that a cursor could be mistaken for, one in the escapes of a URL.
    for name in ["null", "0", "undefined", "limit", "sign%75p"] {
        client.post(&format!("/api/counters/{name}")).await;
    }
    let names = ["0", "limit", "null", "signup", "undefined"];
    for query in ["", "?limit=", "?cursor=", "?cursor=&limit=", "?limit=5"] {
        let page = client.get(&format!("/api/counters{query}")).await.json();
        assert_eq!(page["counters"].as_array().unwrap().len(), 5, "{query}");
        assert_eq!(page["next"], json!(null), "{query}");
    }
    let (mut found, mut query) = (Vec::new(), String::new());
    let mut cursors = Vec::new();
    loop {
        let page = client
            .get(&format!("/api/counters?limit=1{query}"))
            .await
            .json();
        found.push(page["counters"][0]["name"].as_str().unwrap().to_owned());
        let Some(next) = page["next"].as_str() else {
            break;
        };
        assert!(!next.contains(found.last().unwrap().as_str()) || found.last().unwrap() == "0");
        cursors.push(next.to_owned());
        query = format!("&cursor={next}");
    }
    assert_eq!(found, names);
    let cut = &cursors[1][..cursors[1].len() - 1];
    let doubled = format!("{0}{0}", cursors[0]);
    for cursor in [
        "null",
        "undefined",
        "signup",
        "0",
        "%00",
        "%FF",
        cut,
        &doubled,
    ] {
        let reply = client.get(&format!("/api/counters?cursor={cursor}")).await;
        assert_eq!(
            (reply.status.as_u16(), reply.problem().as_str()),
            (400, "invalid_query"),
            "{cursor}"
        );
        assert!(
            reply.json()["detail"].as_str().unwrap().contains("cursor"),
            "{cursor}"
        );
    }
    for query in [
        "limit=0",
        "limit=1001",
        "limit=-1",
        "limit=many",
        "limit=%20",
        "page=2",
    ] {
        let reply = client.get(&format!("/api/counters?{query}")).await;
        assert_eq!(reply.problem(), "invalid_query", "{query}");
    }
}
