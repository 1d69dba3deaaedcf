//! `POST /api/visits`: many visits in one request.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use hyper::Method;
use serde_json::{Value, json};

use crate::{
    carried::cut_off,
    support::{Footfall, Redis, Reply, TestApp, client::Client, proxy::send},
};

mod away;
mod repeated;

const NDJSON: (&str, &str) = ("content-type", "application/x-ndjson");

async fn post(client: &mut Client, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Reply {
    client
        .send(Method::POST, "/api/visits", headers, body)
        .await
}

/// The lines of the answer.
#[track_caller]
fn lines(reply: &Reply) -> Vec<Value> {
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("content-type"), Some("application/x-ndjson"));
    let text = reply.text();
    assert!(text.is_empty() || text.ends_with('\n'));
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// `line`, `visits` and `replayed` of each.
fn counted(lines: &[Value]) -> Vec<(u64, u64, bool)> {
    let of = |line: &Value| {
        (
            line["line"].as_u64().unwrap(),
            line["visits"].as_u64().unwrap_or_else(|| panic!("{line}")),
            line["replayed"].as_bool().unwrap(),
        )
    };
    lines.iter().map(of).collect()
}

async fn count(client: &mut Client, name: &str) -> u64 {
    let reply = client.get(&format!("/api/counters/{name}")).await;
    match reply.status.as_u16() {
        404 => 0,
        _ => reply.visits(),
    }
}

fn many(count: usize) -> String {
    "{\"counter\":\"many\"}\n".repeat(count)
}

#[tokio::test]
async fn each_line_is_a_visit() {
    let app = TestApp::start().await;
    let mut client = app.client().logged_in().await;
    let body = r#"{"counter":"a","path":"/","visitor":"ann","properties":{"n":1}}
{"counter":"b","key":"k"}

   
{"country":"fr","counter":"a"}"#;
    let reply = post(&mut client, &[NDJSON], body).await;
    assert_eq!(
        lines(&reply),
        [
            json!({ "line": 1, "counter": "a", "visits": 1, "replayed": false }),
            json!({ "line": 2, "counter": "b", "visits": 1, "replayed": false }),
            // The empty ones are counted as lines.
            json!({ "line": 5, "counter": "a", "visits": 2, "replayed": false }),
        ]
    );
    for body in ["", "\n", "\r\n \n", "\n".repeat(5000).as_str()] {
        assert_eq!(
            lines(&post(&mut client, &[NDJSON], body).await),
            [] as [Value; 0]
        );
    }
    let windows = "\u{feff}{\"counter\":\"a\"}\r\n{\"counter\":\"a\"}\r\n";
    let reply = post(&mut client, &[NDJSON], windows).await;
    assert_eq!(counted(&lines(&reply)), [(1, 3, false), (2, 4, false)]);
}

#[tokio::test]
async fn media_types() {
    let app = TestApp::start().await;
    let mut client = app.client().logged_in().await;
    for (media_type, status) in [
        ("application/x-ndjson", 200),
        ("Application/X-NDJSON; charset=UTF-8", 200),
        ("application/ndjson", 200),
        ("application/jsonl", 200),
        ("application/x-ndjson; charset=latin1", 415),
        ("application/json", 415),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
    ] {
        let reply = post(&mut client, &[("content-type", media_type)], many(1)).await;
        assert_eq!(reply.status, status, "{media_type}");
        if status == 415 {
            assert!(
                reply.json()["detail"]
                    .as_str()
                    .unwrap()
                    .contains("application/x-ndjson")
            );
        }
    }
    assert_eq!(
        post(&mut client, &[], many(1)).await.problem(),
        "unsupported_media_type"
    );
    let compressed = [NDJSON, ("content-encoding", "gzip")];
    let reply = post(&mut client, &compressed, many(1)).await;
    assert_eq!(reply.problem(), "unsupported_content_encoding");
    assert_eq!(count(&mut client, "many").await, 4);
}

/// One broken line of many costs itself and nobody else.
#[tokio::test]
async fn a_broken_line_costs_itself_only() {
    let app = TestApp::start().await;
    let mut client = app.client().logged_in().await;
    let deep = format!(
        r#"{{"counter":"many","path":{}1{}}}"#,
        "[".repeat(500),
        "]".repeat(500)
    );
    let long = format!(r#"{{"counter":"many"{}}}"#, " ".repeat(2048));
    for (round, (broken, field)) in (1..).zip([
        (&b"{"[..], Value::Null),
        (b"visit", Value::Null),
        (b"[]", Value::Null),
        (b"{\"counter\":\"many\",\"path\":\"\xff\"}", Value::Null),
        (b"{\"counter\":\"many\"}\0", Value::Null),
        (long.as_bytes(), Value::Null),
        (b"{}", json!("counter")),
        (b"{\"counter\":\"MANY\"}", json!("counter")),
        (
            b"{\"counter\":\"many\",\"key\":\"two words\"}",
            json!("key"),
        ),
        (b"{\"counter\":\"many\",\"path\":1}", json!("path")),
        (
            b"{\"counter\":\"many\",\"path\":\"\\ud800\"}",
            json!("path"),
        ),
        (deep.as_bytes(), json!("path")),
        (
            b"{\"counter\":\"many\",\"properties\":{\"a\":[]}}",
            json!("/properties/a"),
        ),
    ]) {
        let mut body = many(499).into_bytes();
        body.extend(broken);
        body.push(b'\n');
        body.extend(many(500).as_bytes());
        let reply = post(&mut client, &[NDJSON], body).await;
        let mut lines = lines(&reply);
        assert_eq!(lines.len(), 1000);
        let broken = lines.remove(499);
        assert_eq!(broken["line"], 500);
        assert_eq!(
            (&broken["status"], &broken["code"]),
            (&json!(422), &json!("invalid_visit")),
            "{broken}"
        );
        assert_eq!(broken["field"], field, "{broken}");
        assert_eq!(
            (&broken["type"], &broken["title"]),
            (&json!("about:blank"), &json!("Unprocessable Entity"))
        );
        assert_eq!(broken["request_id"].as_str(), reply.header("x-request-id"));
        assert!(broken["visits"].is_null() && broken["detail"].as_str().unwrap().len() < 250);
        let numbers: BTreeSet<_> = counted(&lines).into_iter().map(|line| line.1).collect();
        assert_eq!(numbers, (999 * (round - 1) + 1..=999 * round).collect());
    }
}

#[tokio::test]
async fn limits() {
    const MIB: usize = 1024 * 1024;
    let app = TestApp::start().await;
    let mut client = app.client().logged_in().await;
    let reply = post(&mut client, &[NDJSON], many(1001)).await;
    assert_eq!(
        (reply.status.as_u16(), reply.problem()),
        (422, "invalid_visit".to_owned())
    );
    assert_eq!(count(&mut client, "many").await, 0);
    let spaced = many(1000).replace('\n', "\n\n");
    let last = lines(&post(&mut client, &[NDJSON], spaced).await)
        .pop()
        .unwrap();
    assert_eq!(
        (last["line"].as_u64(), last["visits"].as_u64()),
        (Some(1999), Some(1000))
    );

    let largest = largest(MIB);
    assert_eq!(
        lines(&post(&mut client, &[NDJSON], &largest).await).len(),
        1000
    );
    let reply = post(&mut client, &[NDJSON], largest + "\n").await;
    assert_eq!(
        (reply.status.as_u16(), reply.problem()),
        (413, "payload_too_large".to_owned())
    );
    assert_eq!(reply.json()["detail"], "The body is larger than 1 MiB.");
    assert_eq!(count(&mut client, "many").await, 2000);
    // Everywhere else it is as it was.
    for path in [
        "/api/counters/many",
        "/auth/login",
        "/api/visitsx",
        "/api/visits/",
    ] {
        let headers = [("content-type", "application/json")];
        let reply = client
            .send(Method::POST, path, &headers, " ".repeat(16 * 1024 + 1))
            .await;
        assert_eq!(reply.status, 413, "{path}");
        assert_eq!(reply.json()["detail"], "The body is larger than 16 KiB.");
    }
}

/// A body of exactly this length, of 1000 lines.
pub fn largest(bytes: usize) -> String {
    let object = r#"{"counter":"many"}"#;
    let each = bytes / 1000;
    let line = format!("{object}{}\n", " ".repeat(each - object.len() - 1));
    let mut body = line.repeat(999);
    let rest = bytes - body.len();
    body += &format!("{object}{}\n", " ".repeat(rest - object.len() - 1));
    assert_eq!(body.len(), bytes);
    body
}

#[tokio::test]
async fn the_lines_of_a_request_share_a_round_trip() {
    let app = TestApp::start().await;
    let mut client = app.client().logged_in().await;
    client.post("/api/counters/many").await;
    let round_trips = async || app.metric("footfall_count_batch_size_count").await.unwrap();
    let before = round_trips().await;
    let reply = post(&mut client, &[NDJSON], many(1000)).await;
    assert_eq!(counted(&lines(&reply))[999], (1000, 1001, false));
    assert_eq!(round_trips().await - before, 1.0);
}

/// More lines than may wait for the store: they wait their turn before, and leave room for single visits.
#[tokio::test]
async fn no_line_is_shed_for_want_of_room() {
    let app = TestApp::start().await;
    let token = app.token().await;
    let requests = (0..12).map(async |_| {
        let mut client = app.client().with_token(&token);
        let reply = post(&mut client, &[NDJSON], many(1000)).await;
        counted(&lines(&reply))
    });
    let singles = (0..200).map(async |_| {
        let mut client = app.client().with_token(&token);
        client.post("/api/counters/many").await.visits()
    });
    let (requests, singles) = tokio::join!(join_all(requests), join_all(singles));
    let numbers = requests.concat().into_iter().map(|(_, visits, _)| visits);
    let numbers: BTreeSet<_> = numbers.chain(singles).collect();
    assert_eq!(numbers, (1..=12_200).collect());
    assert_eq!(
        app.metric("footfall_visits_failed_total{reason=\"overloaded\"}")
            .await
            .unwrap_or(0.0),
        0.0
    );
}

/// Nothing of a request is counted before all of it is there.
#[tokio::test]
async fn a_body_that_is_cut_off() {
    let footfall = Footfall::start();
    let token = footfall.token().await;
    let head = format!(
        "POST /api/visits HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\nContent-Type: {}\r\n",
        NDJSON.1
    );
    let body = many(10);
    let mut client = footfall.client().with_token(&token);
    for (fields, sent) in [
        (format!("Content-Length: {}", body.len() + 1), body.clone()),
        (format!("Content-Length: {}", body.len()), many(5)),
        (
            "Transfer-Encoding: chunked".to_owned(),
            format!("{:x}\r\n{body}\r\n", body.len()),
        ),
        (
            "Transfer-Encoding: chunked".to_owned(),
            format!("{:x}\r\n{}", body.len(), many(5)),
        ),
    ] {
        cut_off(&footfall.public(), &format!("{head}{fields}\r\n\r\n{sent}")).await;
        assert_eq!(count(&mut client, "many").await, 0, "{fields}");
    }
    let chunked = format!(
        "{head}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    );
    let reply = send(&footfall.public(), chunked.as_bytes()).await;
    assert_eq!(reply.status, 200);
    assert_eq!(count(&mut client, "many").await, 10);
}
