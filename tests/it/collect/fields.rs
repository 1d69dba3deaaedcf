//! What is wrong with what a page sends is said, and nothing of it is counted.

use hyper::Method;
use serde_json::json;

use super::{SHOP, Site};
use crate::support::stage::{Stage, refusal};

#[tokio::test]
async fn what_is_wrong_is_named() {
    let site = Site::of(Stage::sqlite().await).await;
    let (long, name, id) = ("x".repeat(513), "n".repeat(65), "k".repeat(256));
    for (field, value) in [
        ("counter", json!("A")),
        ("counter", json!(name)),
        ("counter", json!(1)),
        ("id", json!(id)),
        ("id", json!("two words")),
        ("id", json!(["a"])),
        ("path", json!(long)),
        ("path", json!("a\0b")),
        ("path", json!({})),
        ("referrer", json!(long)),
        ("campaign", json!("ü".repeat(257))),
        ("campaign", json!(true)),
        ("visitor", json!(long)),
        ("visitor", json!(7)),
        ("key", json!(7)),
    ] {
        let reply = site.send(&json!({ field: value })).await;
        assert_eq!(
            refusal(&reply),
            (422, "invalid_visit".into(), json!(field)),
            "{field}: {value}"
        );
    }
    for unknown in ["country", "properties", "counters", "Key"] {
        let value = match unknown {
            "properties" => json!({ "a": 1 }),
            _ => json!("DE"),
        };
        let reply = site.send(&json!({ unknown: value })).await;
        assert_eq!(reply.problem(), "invalid_visit", "{unknown}");
        assert!(reply.text().contains(unknown), "{}", reply.text());
    }
    let reply = site.send(&json!({ "counter": "theirs" })).await;
    assert_eq!(refusal(&reply), (403, "forbidden".into(), json!("counter")));
    assert_eq!(reply.header("access-control-allow-origin"), Some(SHOP));
    for counter in ["shop", "theirs"] {
        assert_eq!(site.visits(counter).await, 0);
    }
    // What is just within the limits is taken.
    let most = json!({ "id": "k".repeat(255), "path": "x".repeat(512), "referrer": "ü".repeat(256), "campaign": "" });
    assert_eq!(site.send(&most).await.status, 204);
    assert_eq!(site.visits("shop").await, 1);
}

#[tokio::test]
async fn what_is_no_visit_at_all() {
    let site = Site::of(Stage::sqlite().await).await;
    let key = &site.key;
    let nested = format!(
        "{{\"key\":\"{key}\",\"path\":{}1{}}}",
        "[".repeat(5000),
        "]".repeat(5000)
    );
    let padded = format!("{{\"key\":\"{key}\"{}}}", " ".repeat(2048));
    for (body, status, code) in [
        (&b""[..], 400, "invalid_json"),
        (b"{", 400, "invalid_json"),
        (b"key=x", 400, "invalid_json"),
        (b"\xff\xfe{\0}\0", 400, "invalid_json"),
        (b"{\"key\":\"\xff\"}", 400, "invalid_json"),
        (b"[]", 422, "invalid_visit"),
        (b"null", 422, "invalid_visit"),
        (b"{}", 422, "invalid_visit"),
        (b"{\"key\":\"\"}", 422, "invalid_visit"),
        (b"{\"key\":null}", 422, "invalid_visit"),
        (b"{\"key\":\"a\",\"key\":\"a\"}", 422, "invalid_visit"),
        (
            b"{\"key\":\"a\",\"path\":\"\\ud800\"}",
            422,
            "invalid_visit",
        ),
        (b"{\"key\":\"ffw_\"}", 403, "invalid_write_key"),
        (padded.as_bytes(), 422, "invalid_visit"),
        (nested.as_bytes(), 422, "invalid_visit"),
        (&[b' '; 16 * 1024 + 1], 413, "payload_too_large"),
    ] {
        let headers = [("origin", SHOP), ("content-type", "text/plain")];
        let reply = site
            .stage
            .app
            .client()
            .send(Method::POST, "/collect", &headers, body)
            .await;
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]);
        assert_eq!(
            (reply.status.as_u16(), reply.problem().as_str()),
            (status, code),
            "{shown}"
        );
        assert_eq!(reply.header("access-control-allow-origin"), None, "{shown}");
    }
    assert_eq!(site.visits("shop").await, 0);
}
