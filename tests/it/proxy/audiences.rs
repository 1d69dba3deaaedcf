//! Filters: longer bodies than others, longer waits, and more in the header fields of the answers.

use serde_json::json;

use super::problems::problem_of_nginx;
use crate::support::{Reply, proxy::Proxy};

const KIB: usize = 1024;

fn padded(body: &str, bytes: usize) -> String {
    format!("{}{body}", " ".repeat(bytes - body.len()))
}

#[track_caller]
fn assert_too_large(reply: &Reply, limit: &str) {
    assert_eq!(reply.status, 413);
    assert_eq!(problem_of_nginx(reply), "payload_too_large");
    let expected = format!("The body is larger than {limit}.");
    assert_eq!(reply.json()["detail"].as_str(), Some(&*expected));
}

#[tokio::test]
async fn filters_may_have_64_kib() {
    let proxy = Proxy::start();
    let _replica = proxy.replica().start();
    let mut client = proxy.client().logged_in().await;
    let filter = json!({ "version": 1, "include": { "did": { "counter": "a" } } });
    let id = uuid::Uuid::now_v7();
    for (path, body) in [
        ("/api/build-filter".to_owned(), filter.clone()),
        ("/api/build-audience".to_owned(), filter.clone()),
        (
            "/api/audiences".to_owned(),
            json!({ "name": "n", "filter": filter }),
        ),
        (
            format!("/api/audiences/{id}"),
            json!({ "name": "n", "filter": filter }),
        ),
        (
            "/api/presets".to_owned(),
            json!({ "preset_name": "n", "preset_filter_json": filter }),
        ),
        (
            format!("/api/presets/{id}"),
            json!({ "preset_name": "n", "preset_filter_json": filter }),
        ),
    ] {
        let send = async |client: &mut crate::support::Client, bytes| {
            let body = padded(&body.to_string(), bytes);
            match path.ends_with(&id.to_string()) {
                true => client.put_json(&path, &body).await,
                false => client.post_json(&path, &body).await,
            }
        };
        let reply = send(&mut client, 64 * KIB).await;
        assert_ne!(reply.status, 413, "{path} {reply:?}");
        let mut client = proxy.client().logged_in().await;
        assert_too_large(&send(&mut client, 64 * KIB + 1).await, "64 KiB");
    }
    for path in ["/api/audiencesx", "/api/presets-of-mine", "/api/build"] {
        let mut client = proxy.client().logged_in().await;
        let reply = client.post_json(path, &padded("{}", 16 * KIB + 1)).await;
        assert_too_large(&reply, "16 KiB");
    }
}

/// What lets an answer be given again is kilobytes of header fields where there are many counters; by default
/// nginx takes 4 KiB of all of them.
#[tokio::test]
async fn answers_have_long_header_fields() {
    let proxy = Proxy::start();
    let _replica = proxy.replica().start();
    let mut client = proxy.client().logged_in().await;
    // As many as are still named.
    let lines =
        (0..440).map(|number| format!(r#"{{"counter":"c{number}","visitor":"ann","path":"/"}}"#));
    let lines: Vec<_> = lines.collect();
    let headers = [("content-type", "application/x-ndjson")];
    // So many new counters take a busy machine longer than nginx waits for one answer.
    for lines in lines.chunks(50) {
        let body = lines.join("\n");
        let sent = client.send(hyper::Method::POST, "/api/visits", &headers, body);
        let sent = sent.await;
        assert_eq!(sent.status, 200, "{sent:?}");
    }
    let filter = json!({ "version": 1, "include": { "visitor": "path", "in": ["/"] } });
    let body = json!({ "name": "n", "filter": filter }).to_string();
    let made = client.post_json("/api/audiences", &body).await.json();
    let path = format!("/api/audiences/{}/members", made["id"].as_str().unwrap());
    let members = client.get(&path).await;
    assert_eq!(members.status, 200, "{members:?}");
    assert_eq!(members.text().lines().count(), 1);
    let as_of = members.header("footfall-as-of").unwrap();
    let counters = members.header("footfall-counters").unwrap();
    let both = as_of.len() + counters.len();
    assert!(both > 4096, "{both}");
    let again = client.get(&format!("{path}?as_of={as_of}")).await;
    assert_eq!(again.text(), members.text());
}
