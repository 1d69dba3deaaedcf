//! Lists, page by page.

use serde_json::json;

use crate::support::TestApp;

#[tokio::test]
async fn pages_of_counters() {
    let app = TestApp::start().await;
    let mut client = app.client().logged_in().await;
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
