//! Without a database, and without the store.

use super::*;

#[tokio::test]
async fn without_a_database_only_plain_lines_are_counted() {
    let redis = Redis::start();
    let app = TestApp::builder()
        .env("REDIS_URL", redis.url())
        .start()
        .await;
    let mut client = app.client().logged_in().await;
    let body = "{\"counter\":\"a\",\"path\":\"/\"}\n{\"counter\":\"a\"}\n";
    let lines = lines(&post(&mut client, &[NDJSON], body).await);
    assert_eq!(
        (&lines[0]["status"], &lines[0]["code"]),
        (&json!(501), &json!("no_database"))
    );
    assert_eq!(counted(&lines[1..]), [(2, 1, false)]);
}

/// What the store says of a line is the line's, with when to come back.
#[tokio::test]
async fn a_store_that_is_away_is_said_for_each_line() {
    let redis = Redis::start();
    let app = TestApp::builder()
        .env("REDIS_URL", redis.url())
        .start()
        .await;
    let mut client = app.client().logged_in().await;
    client.post("/api/counters/many").await.visits();
    drop(redis);
    let lines = lines(&post(&mut client, &[NDJSON], many(3) + "{}\n").await);
    for line in &lines[..3] {
        assert_eq!(line["status"], 503, "{line}");
        assert_eq!(line["retry_after"], 1, "{line}");
    }
    assert_eq!(lines[3]["code"], "invalid_visit");
}
