//! What is recorded is steered by several, while something is away, and where there is no room for it.

use hyper::Method;
use serde_json::{Value, json};

use super::Place;
use crate::support::{Client, Redis, TestApp, postgres::Database};

const PATH: &str = "/api/counters/a/recording";

/// Whoever comes second changes what the first has left.
#[tokio::test]
async fn two_who_change_at_once_lose_nothing_of_each_other() {
    for place in Place::both().await {
        let kind = place.stage.kind;
        let [mut one, mut other] = [place.client(), place.client()];
        for round in 1..=20_u32 {
            let on = round % 2 == 0;
            let mode = ["given", "daily", "hashed"][round as usize % 3];
            let (first, second) = (
                format!(r#"{{"retention_days":{round},"on":{on}}}"#),
                format!(r#"{{"visitor":"{mode}"}}"#),
            );
            let (first, second) =
                tokio::join!(one.put_json(PATH, &first), other.put_json(PATH, &second));
            let statuses = (first.status.as_u16(), second.status.as_u16());
            assert_eq!(statuses, (200, 200), "{kind}: {first:?} {second:?}");
            let view = place.get(PATH).await;
            let is = (&view["retention_days"], &view["on"], &view["visitor"]);
            assert_eq!(is, (&json!(round), &json!(on), &json!(mode)), "{kind}");
        }
        // Each change is in the trail, once.
        let audit = place
            .get("/api/audit?action=recording.update&limit=1000")
            .await;
        let entries = audit["entries"].as_array().unwrap();
        assert_eq!(entries.len(), 40, "{kind}");
        // And what counts goes by the last of them.
        let body = r#"{"visitor":"bob"}"#;
        assert_eq!(one.put_json(PATH, r#"{"on":false}"#).await.status, 200);
        let refused = one.post_json("/api/counters/a", body).await;
        assert_eq!(refused.problem(), "recording_off", "{kind}");
    }
}

/// While Redis is away nothing is changed.
#[tokio::test]
async fn nothing_is_changed_of_what_redis_cannot_be_asked() {
    let (mut redis, database) = (Redis::start(), Database::migrated());
    let app = TestApp::builder()
        .env("REDIS_URL", redis.url())
        .env("DATABASE_URL", database.url())
        .env("FOOTFALL_STORE_TIMEOUT", "1s")
        .start()
        .await;
    app.metric_becomes("footfall_database_up", 1.0).await;
    let mut client = app.client().logged_in().await;
    redis.kill();
    let reply = client.put_json(PATH, r#"{"on":false}"#).await;
    assert_eq!(
        (reply.status.as_u16(), reply.problem()),
        (503, "store_unavailable".into())
    );
    assert_eq!(database.sql("SELECT count(*) FROM recordings"), "0");
}

/// As many counters as a company may have, and `visits`, which is beside the limit.
#[tokio::test]
async fn there_is_no_room_for_settings_of_more_counters_than_there_may_be() {
    let (redis, database) = (Redis::start(), Database::migrated());
    let of_redis = [("REDIS_URL", redis.url()), ("DATABASE_URL", database.url())];
    for urls in [&[][..], &of_redis] {
        let mut builder = TestApp::builder().env("FOOTFALL_COUNTER_LIMIT", 2);
        for (name, url) in urls {
            builder = builder.env(name, url);
        }
        let app = builder.start().await;
        app.ready().await;
        if !urls.is_empty() {
            app.metric_becomes("footfall_database_up", 1.0).await;
        }
        let mut client = app.client().logged_in().await;
        let path = |counter: &str| format!("/api/counters/{counter}/recording");
        for counter in ["a", "b", "c"] {
            let reply = client.put_json(&path(counter), r#"{"on":false}"#).await;
            assert_eq!(reply.status, 200, "{urls:?} {counter}: {reply:?}");
        }
        let reply = client.put_json(&path("d"), r#"{"on":false}"#).await;
        let said = (reply.status.as_u16(), reply.problem());
        assert_eq!(said, (507, "counters_full".into()), "{urls:?}");
        // Of those that are there each can be changed still.
        let reply = client.put_json(&path("a"), r#"{"on":true}"#).await;
        assert_eq!(reply.status, 200, "{urls:?}");
    }
}

/// A method, a path as the document has it, what it has for names, and a body.
const OF_RECORD: [(&str, &str, &str); 12] = [
    ("get", "/api/counters/{name}/recording", ""),
    ("put", "/api/counters/{name}/recording", r#"{"on":false}"#),
    ("get", "/api/counters/{name}/history", ""),
    ("get", "/api/counters/{name}/values?field=path", ""),
    ("get", "/api/counters/{name}/visits", ""),
    ("get", "/api/counters/{name}/visits/{number}", ""),
    ("post", "/api/visitors/erase", r#"{"visitor":"bob"}"#),
    ("post", "/api/counters/{name}", r#"{"path":"/a"}"#),
    ("get", "/api/write-keys", ""),
    (
        "post",
        "/api/write-keys",
        r#"{"name":"n","counters":["a"],"origins":["https://a.example"]}"#,
    ),
    ("get", "/api/write-keys/{id}", ""),
    ("delete", "/api/write-keys/{id}", ""),
];

async fn send(client: &mut Client, (method, path, body): (&str, &str, &str)) -> (u16, String) {
    let path = path.replace("{name}", "a").replace("{number}", "1");
    let path = path.replace("{id}", "019aa5b2-7d1e-7c11-9a55-3f1d0a4b6c8e");
    let method: Method = method.to_uppercase().parse().unwrap();
    let json = [("content-type", "application/json")];
    let headers = if body.is_empty() { &json[..0] } else { &json };
    let reply = client.send(method, &path, headers, body).await;
    (reply.status.as_u16(), reply.problem())
}

#[tokio::test]
async fn without_a_database_there_is_no_record() {
    let redis = Redis::start();
    let app = TestApp::builder()
        .env("REDIS_URL", redis.url())
        .start()
        .await;
    app.ready().await;
    let mut client = app.client().logged_in().await;
    assert_eq!(client.post("/api/counters/a").await.visits(), 1);
    for route in OF_RECORD {
        let said = send(&mut client, route).await;
        assert_eq!(said, (501, "no_database".into()), "{route:?}");
    }
    // What carries something is not counted as a plain one.
    assert_eq!(client.post("/api/counters/a").await.visits(), 2);
}

#[test]
fn each_route_of_the_record_is_asked_without_a_database() {
    let document: Value = serde_json::from_slice(&footfall::app::description().to_json()).unwrap();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            if operation["tags"] == json!(["record"]) {
                let is_asked = OF_RECORD.iter().any(|(asked, of, _)| {
                    asked == method && of.split('?').next() == Some(path.as_str())
                });
                assert!(is_asked, "{method} {path}");
            }
        }
    }
}
