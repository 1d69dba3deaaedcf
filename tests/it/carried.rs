//! What a visit carries: the body of `POST /api/counters/{name}`.

use hyper::Method;
use serde_json::json;

use crate::support::{Footfall, Redis, Reply, TestApp, client::Client, proxy::send};

const JSON: (&str, &str) = ("content-type", "application/json");

async fn post(client: &mut Client, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Reply {
    client
        .send(Method::POST, "/api/counters/shop", headers, body)
        .await
}

/// Whether something was counted on the counter, and how often.
async fn count(client: &mut Client) -> u64 {
    let reply = client.get("/api/counters/shop").await;
    match reply.status.as_u16() {
        404 => 0,
        _ => reply.visits(),
    }
}

#[tokio::test]
async fn a_visit_is_counted_with_what_it_carries() {
    let app = TestApp::start().await;
    let mut client = app.client().logged_in().await;
    let body = json!({
        "visitor": "ann", "path": "/pricing", "referrer": "https://search.example/", "campaign": "spring", "country": "de",
        "properties": { "plan": "pro", "seats": 3, "trial": false, "ratio": 0.5, "none": null }
    });
    let body = body.to_string();
    let reply = post(&mut client, &[JSON], &body).await;
    assert_eq!(reply.json(), json!({ "name": "shop", "visits": 1 }));
    assert!(!reply.replayed());
    // With an identity it is one visit, whatever the repeated one carries.
    let keyed = [JSON, ("idempotency-key", "order-4711")];
    for (round, body) in [&*body, &body, r#"{"path":"/other"}"#].iter().enumerate() {
        let reply = post(&mut client, &keyed, body).await;
        assert_eq!((reply.visits(), reply.replayed()), (2, round > 0));
    }
    for (round, plain) in [
        "null",
        "{}",
        " {} ",
        r#"{"path":null,"visitor":""}"#,
        "\u{feff}{}",
        "",
    ]
    .iter()
    .enumerate()
    {
        let reply = post(&mut client, &[JSON], plain).await;
        assert_eq!(reply.visits(), 3 + round as u64, "{plain}");
    }
    assert_eq!(post(&mut client, &[], "").await.visits(), 9);
}

#[tokio::test]
async fn what_is_wrong_is_named_and_not_counted() {
    let app = TestApp::start().await;
    let mut client = app.client().logged_in().await;
    let long = json!({ "path": "p".repeat(513) }).to_string();
    let longest = format!("{{\"path\":\"/\"{}}}", " ".repeat(2048));
    let large = format!("{{\"path\":\"/\"{}}}", " ".repeat(16 * 1024));
    for (body, status, code, field) in [
        (r#"{"path":1}"#, 422, "invalid_visit", json!("path")),
        (&long, 422, "invalid_visit", json!("path")),
        (
            r#"{"country":"DEU"}"#,
            422,
            "invalid_visit",
            json!("country"),
        ),
        (
            r#"{"visitor":"\u0000"}"#,
            422,
            "invalid_visit",
            json!("visitor"),
        ),
        (
            r#"{"visitor":"\ud800"}"#,
            422,
            "invalid_visit",
            json!("visitor"),
        ),
        (r#"{"time":1}"#, 422, "invalid_visit", json!("time")),
        (r#"{"counter":"a"}"#, 422, "invalid_visit", json!("counter")),
        (
            r#"{"path":"/","path":"/"}"#,
            422,
            "invalid_visit",
            json!("path"),
        ),
        (
            r#"{"properties":{"a/b":[]}}"#,
            422,
            "invalid_visit",
            json!("/properties/a~1b"),
        ),
        (
            r#"{"properties":{"n":1e999}}"#,
            422,
            "invalid_visit",
            json!("/properties/n"),
        ),
        ("[]", 422, "invalid_visit", json!(null)),
        ("[null]", 422, "invalid_visit", json!(null)),
        (&longest, 422, "invalid_visit", json!(null)),
        (&large, 413, "payload_too_large", json!(null)),
        ("{", 400, "invalid_json", json!(null)),
        (r#"{"path":"/"} {}"#, 400, "invalid_json", json!(null)),
        ("\u{0}", 400, "invalid_json", json!(null)),
        (" ", 400, "invalid_json", json!(null)),
    ] {
        let reply = post(&mut client, &[JSON], body).await;
        let said = (reply.status.as_u16(), reply.problem());
        assert_eq!(said, (status, code.to_owned()), "{body}");
        assert_eq!(reply.json()["field"], field, "{body}");
        assert!(reply.text().len() < 500, "{}", reply.text());
    }
    for body in [&b"{\"path\":\"\xff\"}"[..], b"\xff\xfe{\0}\0"] {
        assert_eq!(
            post(&mut client, &[JSON], body).await.problem(),
            "invalid_json"
        );
    }
    assert_eq!(count(&mut client).await, 0);
}

/// What cannot be kept is refused: counted without it, it would be lost unnoticed.
#[tokio::test]
async fn a_body_that_is_no_json_is_refused() {
    let app = TestApp::start().await;
    let mut client = app.client().logged_in().await;
    let body = r#"{"path":"/"}"#;
    for headers in [
        &[][..],
        &[("content-type", "text/plain;charset=UTF-8")],
        &[("content-type", "application/x-ndjson")],
        &[("content-type", "application/json; charset=utf-16")],
        &[JSON, JSON],
    ] {
        let reply = post(&mut client, headers, body).await;
        assert_eq!(
            (reply.status.as_u16(), reply.problem()),
            (415, "unsupported_media_type".to_owned()),
            "{headers:?}"
        );
    }
    let reply = post(&mut client, &[JSON, ("content-encoding", "gzip")], body).await;
    assert_eq!(reply.problem(), "unsupported_content_encoding");
    assert_eq!(count(&mut client).await, 0);
    let suffixed = [("content-type", "application/vnd.visit+json; charset=utf-8")];
    assert_eq!(post(&mut client, &suffixed, body).await.visits(), 1);
    // Who has no body may say what they like of it.
    for headers in [
        &[("content-type", "text/plain")][..],
        &[("content-encoding", "gzip")],
    ] {
        post(&mut client, headers, "").await.visits();
    }
    assert_eq!(count(&mut client).await, 3);
}

#[tokio::test]
async fn without_a_database_nothing_is_kept_and_that_is_said() {
    let redis = Redis::start();
    let app = TestApp::builder()
        .env("REDIS_URL", redis.url())
        .start()
        .await;
    let mut client = app.client().logged_in().await;
    let reply = post(&mut client, &[JSON], r#"{"path":"/"}"#).await;
    assert_eq!(
        (reply.status.as_u16(), reply.problem()),
        (501, "no_database".to_owned())
    );
    assert_eq!(
        post(&mut client, &[JSON], r#"{"path":1}"#).await.problem(),
        "invalid_visit"
    );
    assert_eq!(post(&mut client, &[JSON], "{}").await.visits(), 1);
    assert_eq!(post(&mut client, &[], "").await.visits(), 2);
}

/// A body that HTTP frames in another way, does not frame, or that does not come to its end.
#[tokio::test]
async fn framing() {
    let footfall = Footfall::start();
    let token = footfall.token().await;
    let head = format!(
        "POST /api/counters/shop HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n"
    );
    let json = "Content-Type: application/json\r\n";
    for (visits, (fields, body)) in (1..).zip([
        // Neither length nor chunks: there is no body, and nothing to wait for.
        ("", ""),
        (json, ""),
        ("Content-Length: 0\r\n", ""),
        ("Transfer-Encoding: chunked\r\n", "0\r\n\r\n"),
        (&format!("{json}Content-Length: 12\r\n"), r#"{"path":"/"}"#),
        (
            &format!("{json}Transfer-Encoding: chunked\r\n"),
            "5\r\n{\"pat\r\n7\r\nh\":\"/\"}\r\n0\r\n\r\n",
        ),
    ]) {
        let request = format!("{head}{fields}\r\n{body}");
        let reply = send(&footfall.public(), request.as_bytes()).await;
        assert_eq!(reply.visits(), visits, "{fields}");
    }
    let mut client = footfall.client().with_token(&token);
    for (fields, body) in [
        ("Content-Length: 13\r\n", r#"{"path":"/"}"#),
        ("Content-Length: 12\r\n", "{}"),
        (
            "Transfer-Encoding: chunked\r\n",
            "c\r\n{\"path\":\"/\"}\r\n",
        ),
        ("Transfer-Encoding: chunked\r\n", "c\r\n{\"pa"),
    ] {
        let request = format!("{head}{json}{fields}\r\n{body}");
        cut_off(&footfall.public(), &request).await;
        assert_eq!(count(&mut client).await, 6, "{fields}");
    }
}

/// Sends a request that ends too early, and waits until the other side hangs up.
pub async fn cut_off(address: &str, request: &str) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    let reading = stream.read_to_end(&mut answer);
    let read = tokio::time::timeout(crate::support::process::PATIENCE, reading).await;
    let _ = read.expect("it hangs up");
    assert!(
        !answer.starts_with(b"HTTP/1.1 200"),
        "{}",
        String::from_utf8_lossy(&answer)
    );
}
