//! What web pages send, through the shipped nginx.

use std::fs;

use hyper::Method;
use serde_json::{Value, json};

use crate::support::{
    Client, Footfall,
    process::eventually,
    proxy::{Prepared, Proxy},
    until,
};

const PAGE: &str = "https://shop.example";

/// A new write key, once it is known.
async fn key(proxy: &Proxy, replica: &Footfall) -> String {
    let mut admin = proxy.client().logged_in().await;
    let body = json!({ "name": "n", "counters": ["web"], "origins": [PAGE] }).to_string();
    let made = admin.post_json("/api/write-keys", &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    replica
        .metric_becomes("footfall_collect_write_keys", 1.0)
        .await;
    made.json()["key"].as_str().unwrap().to_owned()
}

async fn send(client: &mut Client, key: &str, address: &str) -> u16 {
    let headers = [
        ("origin", PAGE),
        ("content-type", "text/plain"),
        ("user-agent", "An4gent"),
        ("x-forwarded-for", address),
    ];
    let body = json!({ "key": key }).to_string();
    let reply = client.send(Method::POST, "/collect", &headers, body).await;
    reply.status.as_u16()
}

#[tokio::test]
async fn it_arrives_and_no_log_says_of_whom() {
    let proxy = Proxy::start();
    let replica = proxy.replica().start();
    let key = key(&proxy, &replica).await;
    let mut client = proxy.client();
    assert_eq!(send(&mut client, &key, "192.0.2.1").await, 204);
    let image = format!("/collect.gif?key={key}&visitor=5omebody");
    let headers = [
        ("referer", "https://shop.example/5omewhere"),
        ("user-agent", "An4gent"),
    ];
    let reply = client.send(Method::GET, &image, &headers, "").await;
    assert_eq!((reply.status.as_u16(), reply.body.len()), (200, 43));
    let script = client.get("/footfall.js").await;
    assert_eq!(
        script.header("content-type"),
        Some("text/javascript; charset=utf-8")
    );
    assert!(script.body.len() < 2000);
    let mut admin = proxy.client().logged_in().await;
    let counted = async || (crate::collect::visits(&mut admin, "web").await == 2).then_some(());
    until("both are counted", counted).await;
    // Something went wrong as well.
    drop(replica);
    until("nobody answers", async || {
        let reply = proxy.client().send(Method::GET, &image, &headers, "").await;
        reply.status.is_server_error().then_some(())
    })
    .await;
    let lines = eventually("they are logged", || {
        let log = fs::read_to_string(proxy.path("access.log")).unwrap_or_default();
        let lines = log.lines().map(|line| serde_json::from_str(line).unwrap());
        let lines: Vec<Value> = lines.collect();
        let of_image = lines.iter().filter(|line| line["uri"] == "/collect.gif");
        (of_image.count() >= 2).then_some(lines)
    });
    for line in lines
        .iter()
        .filter(|line| line["uri"].as_str().unwrap().starts_with("/collect"))
    {
        assert_eq!(
            (&line["client"], &line["user_agent"]),
            (&json!(""), &json!("")),
            "{line}"
        );
    }
    let others = lines.iter().filter(|line| line["uri"] == "/footfall.js");
    assert!(
        others
            .map(|line| &line["client"])
            .all(|client| client == "127.0.0.1")
    );
    for name in ["access.log", "error.log"] {
        let log = fs::read_to_string(proxy.path(name)).unwrap_or_default();
        for never in ["5omebody", "5omewhere", "An4gent"] {
            assert!(!log.contains(never), "{name}: {log}");
        }
    }
}

#[tokio::test]
async fn each_address_has_a_rate_for_it() {
    let proxy = Prepared::new("http.conf")
        .replace(
            "zone=footfall_collect:8m rate=500r/s",
            "zone=footfall_collect:8m rate=1r/m",
        )
        .replace(
            "zone=footfall_collect burst=1000",
            "zone=footfall_collect burst=2",
        )
        .replace(
            "#set_real_ip_from 192.0.2.0/24;",
            "set_real_ip_from 127.0.0.1;",
        )
        .replace(
            "#real_ip_header X-Forwarded-For;",
            "real_ip_header X-Forwarded-For;",
        )
        .start();
    let replica = proxy.replica().start();
    let key = key(&proxy, &replica).await;
    let mut client = proxy.client();
    for address in ["192.0.2.1", "192.0.2.2", "2001:db8::1"] {
        let mut statuses = Vec::new();
        for _ in 0..5 {
            statuses.push(send(&mut client, &key, address).await);
        }
        assert_eq!(statuses, [204, 204, 204, 429, 429], "{address}");
        // By whichever way it comes, and nothing else is concerned.
        let path = format!("/collect.gif?key={key}");
        let headers = [("x-forwarded-for", address), ("origin", PAGE)];
        let reply = client.send(Method::GET, &path, &headers, "").await;
        assert_eq!(reply.status, 429, "{address}");
        let reply = client.send(Method::GET, "/footfall.js", &headers, "").await;
        assert_eq!(reply.status, 200, "{address}");
    }
}
